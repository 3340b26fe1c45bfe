"""An HDF5 file that may be damaged or hostile, as a plain tree: groups are dicts.

A child process reads it (:mod:`neuro_lif.nir.hdf_child`), since damage can make the HDF5 library
loop or crash; it lives on for the next file. Any damage is one error that names the file, the node
and the field.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import FileFormatError, TargetError, show

MOST_BYTES = 2**27
"""Bytes of arrays that are read unless more is asked for: 32 million float32."""
MOST_OBJECTS = 5000
"""Groups and datasets that are read unless more is asked for."""
MOST_EDGES = 100_000
_START_SECONDS = 60.0
_BLOCK = 2**18
_TURN = 0.5
"""Processor time after which silence is a loop, s."""
_PATIENCE = 20.0
"""Longest wait for a turn on a busy machine, s."""


def import_h5py() -> Any:
    """Return h5py.

    Raises:
        TargetError: it is not installed.
    """
    _need_h5py()
    import h5py

    return h5py


def _need_h5py() -> None:
    if find_spec("h5py") is None:
        raise TargetError("NIR files need h5py: python -m pip install 'neuro-lif[nir]'")


def place(path: list[str]) -> str:
    """Return where an object is, as node and field: ['node', 'nodes', 'a', 'tau']."""
    nodes: list[str] = []
    inside = path[:1] == ["node"]
    rest = path[1:] if inside else list(path)
    while inside and len(rest) >= 2 and rest[0] == "nodes":
        nodes.append(rest[1])
        rest = rest[2:]
    text = f"node {'/'.join(nodes)!r}" if nodes else "graph" if inside else "the file"
    return f"{text}: field {show('/'.join(rest), 100)}" if rest else text


class _Ended(Exception):
    """The child said no more."""


@dataclass
class _Child:
    """The process that reads, and what it has said but nobody has taken."""

    process: subprocess.Popen[bytes]
    says: IO[bytes]
    hears: IO[bytes]
    owner: int = field(default_factory=os.getpid)
    buffer: bytearray = field(default_factory=bytearray)
    until: float = 0.0
    worked: float = 0.0
    """Processor time at which it was given its time."""

    def allow(self, seconds: float) -> None:
        """Give the child so much time until it says something."""
        self.until = time.monotonic() + seconds
        self.worked = _worked(self.process.pid)

    def more(self) -> None:
        """Wait for what the child says next."""
        number = self.says.fileno()
        while True:
            left = self.until - time.monotonic()
            if left > 0 and select.select([number], [], [], left)[0]:
                break
            # on a busy machine it may not have had its turn: then it gets more time
            late = time.monotonic() - self.until > _PATIENCE
            if late or _worked(self.process.pid) - self.worked > _TURN:
                raise TimeoutError
            self.until += 0.2
        part = os.read(number, _BLOCK)
        if not part:
            raise _Ended
        self.buffer += part

    def line(self) -> dict[str, Any]:
        """Return the next line."""
        while (end := self.buffer.find(b"\n")) < 0:
            self.more()
        found: dict[str, Any] = json.loads(self.buffer[:end])
        del self.buffer[: end + 1]
        return found

    def array(self, dtype: str, shape: list[int]) -> Any:
        """Return the array whose bytes come next."""
        array = np.empty(shape, dtype)
        bare: Any = array.reshape(-1).view(np.uint8) if array.size else b""
        flat = memoryview(bare)
        done = 0
        while done < array.nbytes:
            if not self.buffer:
                self.more()
            part = min(len(self.buffer), array.nbytes - done)
            flat[done : done + part] = self.buffer[:part]
            del self.buffer[:part]
            done += part
        native = array.dtype.newbyteorder("=")
        return array if array.dtype == native else array.astype(native)


def _worked(pid: int) -> float:
    """Return the processor time of a process, s; more and more where that cannot be told."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.monotonic()


_lock = threading.Lock()
_child: _Child | None = None


def _started() -> _Child:
    """Return a child that is ready: the one there is, or a new one."""
    global _child
    if _child is not None and _child.owner == os.getpid() and _child.process.poll() is None:
        return _child
    if _child is not None:
        _end(_child)
    _child = None
    script = Path(__file__).with_name("hdf_child.py")
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if process.stdin is None or process.stdout is None:
        raise TargetError("the process that reads HDF5 files has no pipes")
    child = _Child(process, process.stdout, process.stdin)
    child.until, child.worked = time.monotonic() + _START_SECONDS, float("-inf")
    try:
        child.line()
    except (_Ended, TimeoutError, ValueError):
        _end(child)
        raise TargetError(
            "the process that reads HDF5 files did not start: is h5py whole?"
        ) from None
    _child = child
    return child


def _end(child: _Child) -> None:
    """End a child; one of the process that this one was forked from is only let go."""
    if child.owner == os.getpid():
        child.process.kill()
    else:
        child.process.returncode = 0
    for stream in (child.says, child.hears):
        with contextlib.suppress(OSError):  # what it was told last may not have left
            stream.close()
    child.process.wait()


@atexit.register
def _leave() -> None:
    if _child is not None:
        _end(_child)


def read_tree(path: Path, most_bytes: int, most_objects: int) -> dict[str, Any]:
    """Return all of a file: dicts, arrays, texts and numbers.

    Raises:
        FileFormatError: missing, damaged, or larger or deeper than allowed.
        TargetError: h5py is not installed.
    """
    global _child
    if not path.is_file():
        raise FileFormatError(f"{str(path)!r}: no such file")
    _need_h5py()
    with _lock:
        child = _started()
        where: list[str] = []
        whole = False
        try:
            tree = _received(child, path, most_bytes, most_objects, where)
            whole = True
            return tree
        except FileFormatError:
            whole = True
            raise
        except (_Ended, TimeoutError, ValueError, OSError) as error:
            slow = isinstance(error, TimeoutError)
            why = "does not end" if slow else "breaks down"
            text = f"damaged: the HDF5 library {why} as it reads this"
            raise FileFormatError(f"{str(path)!r}: {place(where)}: {text}") from None
        except MemoryError:
            text = "more memory is needed than there is"
            raise FileFormatError(f"{str(path)!r}: {place(where)}: {text}") from None
        finally:
            if not whole:  # it may be in the middle of something
                _end(child)
                _child = None


def _received(
    child: _Child, path: Path, most_bytes: int, most_objects: int, where: list[str]
) -> dict[str, Any]:
    """Ask for a file and put what is sent together; ``where`` follows what is being read."""
    request = {"path": str(path.resolve()), "most_bytes": most_bytes, "most_objects": most_objects}
    child.allow(1.0)
    child.hears.write(json.dumps(request).encode() + b"\n")
    child.hears.flush()
    tree: dict[str, Any] = {}
    while True:
        said = child.line()
        kind = said["kind"]
        if kind == "done":
            return tree
        if kind == "fault":
            raise FileFormatError(f"{str(path)!r}: {place(where)}: {said['text']}")
        if kind == "at":
            where[:] = said["path"]
            child.allow(said["seconds"])
        elif where:
            group = tree
            for name in where[:-1]:
                group = group[name]
            group[where[-1]] = _value(child, said)


def _value(child: _Child, said: dict[str, Any]) -> Any:
    if said["kind"] == "group":
        return {}
    if said["kind"] == "text":
        return _tuples(said["value"])
    array = child.array(said["dtype"], said["shape"])
    array.setflags(write=False)
    return array


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
