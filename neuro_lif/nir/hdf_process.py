"""The process that reads HDF5 files: started once, watched, ended when it loops, started again."""

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
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import TargetError, show

_START_SECONDS = 60.0
_BLOCK = 2**18
_WAIT = 1.0
"""Time until a silent reader is looked at, s."""
_TURN = 0.5
"""Processor time after which silence is a loop, s."""
_EACH = 2e-4
"""Processor time of one group or dataset, s."""
_PATIENCE = 20.0
"""Longest wait for a turn on a busy machine, s."""


class Ended(Exception):
    """The process said no more."""


@dataclass
class _Clock:
    """How long the process may go on; on a busy machine its own time counts, not ours."""

    begun: float = 0.0
    worked: float = 0.0
    more: float = 0.0
    patience: float = 0.0

    def start(self, more: float, worked: float) -> None:
        self.begun, self.worked, self.more, self.patience = time.monotonic(), worked, more, 0.0

    @property
    def until(self) -> float:
        return self.begun + _WAIT + self.more + self.patience

    def check(self, pid: int) -> None:
        late = time.monotonic() - self.begun > _PATIENCE + self.more
        if late or _worked(pid) - self.worked > _TURN + self.more:
            raise TimeoutError


@dataclass
class Child:
    """The process that reads, and what it has said but nobody has taken.

    Two clocks run: one since it last said what it reads, one since it was asked.
    """

    process: subprocess.Popen[bytes]
    says: IO[bytes]
    hears: IO[bytes]
    owner: int = field(default_factory=os.getpid)
    buffer: bytearray = field(default_factory=bytearray)
    silent: _Clock = field(default_factory=_Clock)
    whole: _Clock = field(default_factory=_Clock)

    def ask(self, request: dict[str, Any]) -> None:
        """Ask for a file."""
        worked = _worked(self.process.pid)
        self.silent.start(0.0, worked)
        self.whole.start(0.0, worked)
        words = memoryview(json.dumps(request).encode() + b"\n")
        while words:
            words = words[self.hears.write(words) :]

    def allow(self, seconds: float) -> None:
        """Give it so much time until it says something, which adds to the time for the file.

        Raises:
            TimeoutError: it has worked too long on this file.
        """
        now = time.monotonic()
        if now > self.silent.begun + 0.05:  # not for each: that would take longer than the reading
            self.silent.start(seconds, _worked(self.process.pid))
        else:
            self.silent.more = max(self.silent.more, seconds)
        self.whole.more += seconds + _EACH
        if now > self.whole.until:
            self.whole.check(self.process.pid)
            self.whole.patience += 0.2

    def more(self) -> None:
        """Wait for what it says next."""
        number = self.says.fileno()
        while True:
            left = self.silent.until - time.monotonic()
            if left > 0 and select.select([number], [], [], left)[0]:
                break
            self.silent.check(self.process.pid)
            self.silent.patience += 0.2
        part = os.read(number, _BLOCK)
        if not part:
            raise Ended
        self.buffer += part
        if len(part) < 512:
            time.sleep(1e-3)  # it has more to say soon: to wake for each word takes longer

    def line(self) -> dict[str, Any]:
        """Return the next line."""
        seen = 0
        while (end := self.buffer.find(b"\n", seen)) < 0:
            seen = len(self.buffer)
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

    def end(self) -> None:
        """End it; one of the process that this one was forked from is only let go."""
        if self.owner == os.getpid():
            self.process.kill()
        else:
            self.process.returncode = 0
        for stream in (self.says, self.hears):
            with contextlib.suppress(OSError):  # what it was told last may not have left
                stream.close()
        self.process.wait()


def _worked(pid: int) -> float:
    """Return the processor time of a process, s; more and more where that cannot be told."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.monotonic()


_lock = threading.Lock()
_child: Child | None = None


def _after_fork() -> None:
    """Begin anew: another thread may have held the lock as this process was forked."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def reader(anew: bool = False) -> Iterator[Child]:
    """Give the process that reads, to nobody else meanwhile; an error inside ends it.

    Args:
        anew: start another one: the one there was may have been ended by somebody.

    Raises:
        TargetError: it cannot be started.
    """
    global _child
    with _lock:
        if anew:
            _leave()
        child = _started()
        try:
            yield child
        except BaseException:  # it may be in the middle of something
            _leave()
            raise


def _started() -> Child:
    """Return a process that is ready: the one there is, or a new one."""
    global _child
    if _child is not None and _child.owner == os.getpid() and _child.process.poll() is None:
        return _child
    _leave()
    script = Path(__file__).with_name("hdf_child.py")
    try:
        process = subprocess.Popen(
            [sys.executable, str(script), *_folders()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # buffers have locks, which a forked process may find closed for ever
        )
    except (OSError, ValueError, TypeError) as error:
        raise TargetError(
            f"the process that reads HDF5 files cannot be started: {show(str(error), 200)}"
        ) from None
    if process.stdin is None or process.stdout is None:
        raise TargetError("the process that reads HDF5 files has no pipes")
    _widen(process.stdout)
    child = Child(process, process.stdout, process.stdin)
    child.silent.start(_START_SECONDS, float("inf"))
    try:
        child.line()
    except (Ended, TimeoutError, ValueError):
        child.end()
        raise TargetError(
            "the process that reads HDF5 files did not start: is h5py whole?"
        ) from None
    except BaseException:
        child.end()
        raise
    _child = child
    return child


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, so that arrays come in fewer parts; where the system can (Linux)."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 2**20)


def _folders() -> list[str]:
    """Return where h5py and numpy lie: this process may have been told by hand."""
    found = [find_spec(name) for name in ("h5py", "numpy")]
    return list(dict.fromkeys(str(Path(f.origin).parents[1]) for f in found if f and f.origin))


@atexit.register
def _leave() -> None:
    """End the process that there is."""
    global _child
    child, _child = _child, None
    if child is not None:
        child.end()
