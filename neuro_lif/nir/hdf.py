"""An HDF5 file that may be damaged or hostile, as a plain tree: groups are dicts.

A child process reads it (:mod:`neuro_lif.nir.hdf_child`), since damage can make the HDF5 library
loop or crash; it lives on for the next file. Any damage is one error that names the file, the node
and the field.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, RangeError, TargetError, show
from .hdf_process import Child, Ended, reader

MOST_BYTES = 2**27
"""Bytes of arrays that are read unless more is asked for: 32 million float32."""
MOST_OBJECTS = 5000
"""Groups and datasets that are read unless more is asked for."""
MOST_EDGES = 100_000


def import_h5py(what: str = "NIR") -> Any:
    """Return h5py.

    Args:
        what: kind of the files that need it, for the message.

    Raises:
        TargetError: it is not installed.
    """
    _need_h5py(what)
    import h5py

    return h5py


def _need_h5py(what: str) -> None:
    if find_spec("h5py") is None:
        raise TargetError(f"{what} files need h5py: python -m pip install 'neuro-lif[nir]'")


def place(path: list[str]) -> str:
    """Return where an object is, as node and field: ['node', 'nodes', 'a', 'tau']."""
    nodes, inside, rest = _split(path)
    text = f"node {show('/'.join(nodes), 200)}" if nodes else "graph" if inside else "the file"
    return f"{text}: field {show('/'.join(rest), 100)}" if rest else text


def _split(path: list[str]) -> tuple[list[str], bool, list[str]]:
    """Return the nodes, whether it is in the graph at all, and what is left: the field."""
    nodes: list[str] = []
    inside = path[:1] == ["node"]
    rest = path[1:] if inside else list(path)
    while inside and len(rest) >= 2 and rest[0] == "nodes":
        nodes.append(rest[1])
        rest = rest[2:]
    return nodes, inside, rest


@dataclass
class Tree:
    """What is in a file.

    Args:
        root: dicts, arrays, texts and numbers.
        unread: (node, field, text) of what was left out: HDF5 attributes.
    """

    root: dict[str, Any] = field(default_factory=dict)
    unread: list[tuple[str, str, str]] = field(default_factory=list)


def expect_limits(where: str, max_bytes: object, max_objects: object) -> None:
    """Refuse limits of reading that are none.

    Raises:
        RangeError: one is no whole number >= 1.
    """
    for name, value in (("max_bytes", max_bytes), ("max_objects", max_objects)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise RangeError(f"{where}: {name} = {show(value)}, allowed: a whole number >= 1")


def read_tree(path: Path, most_bytes: int, most_objects: int, what: str = "NIR") -> Tree:
    """Return all of a file.

    Raises:
        FileFormatError: missing, damaged, or larger or deeper than allowed.
        TargetError: h5py is not installed.
    """
    expect_file(path)
    _need_h5py(what)
    request = {"path": str(path.resolve()), "most_bytes": most_bytes, "most_objects": most_objects}
    where: list[str] = []
    for anew in (False, True):
        try:
            with reader(anew) as child:
                said = _received(child, request, where)
            break
        except (Ended, ValueError, OSError, MemoryError) as error:
            # a process that was ended before it said anything was ended by somebody
            if anew or where or not isinstance(error, (Ended, BrokenPipeError)):
                raise FileFormatError(f"{str(path)!r}: {place(where)}: {_why(error)}") from None
    if isinstance(said, str):
        raise FileFormatError(f"{str(path)!r}: {place(where)}: {said}")
    return said


def _why(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "more memory is needed than there is"
    why = "does not end" if isinstance(error, TimeoutError) else "breaks down"
    return f"damaged: the HDF5 library {why} as it reads this"


def expect_file(path: Path) -> None:
    """Refuse what is no file that can be read, before anything waits for it.

    Raises:
        FileFormatError: naming the path and why.
    """
    try:
        mode = path.stat().st_mode
        allowed = os.access(path, os.R_OK)
    except FileNotFoundError:
        raise FileFormatError(f"{str(path)!r}: no such file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FileFormatError(f"{show(str(path), 300)}: cannot be read: {why}") from None
    if stat.S_ISDIR(mode):
        raise FileFormatError(f"{str(path)!r}: a folder, allowed: a file")
    if not stat.S_ISREG(mode):
        raise FileFormatError(f"{str(path)!r}: a pipe or a device, allowed: a file")
    if not allowed:
        raise FileFormatError(f"{str(path)!r}: cannot be read: Permission denied")


def _received(child: Child, request: dict[str, Any], where: list[str]) -> Tree | str:
    """Ask for a file and put what is sent together; a text says what is wrong with the file.

    ``where`` follows what is being read.
    """
    child.ask(request)
    tree = Tree()
    while True:
        said = child.line()
        kind = said["kind"]
        if kind == "done":
            return tree
        if kind == "fault":
            return str(said["text"])
        if kind == "at":
            where[:] = said["path"]
            child.allow(said["seconds"])
        elif kind == "attributes":
            _leave_out(tree, where, said)
        elif where:
            group = tree.root
            for name in where[:-1]:
                group = group[name]
            group[where[-1]] = _value(child, said)


def _leave_out(tree: Tree, where: list[str], said: dict[str, Any]) -> None:
    nodes, _, rest = _split(where)
    rest_of = said["number"] - len(said["names"])
    names = ", ".join(map(repr, said["names"])) + (f" and {rest_of} more" if rest_of else "")
    text = f"HDF5 attributes are not read, NIR has none: {names}"
    tree.unread.append(("/".join(nodes), "/".join(rest), text))


def _value(child: Child, said: dict[str, Any]) -> Any:
    if said["kind"] == "group":
        return {}
    if said["kind"] == "text":
        return _tuples(said["value"])
    array = child.array(said["dtype"], said["shape"])
    array.setflags(write=False)
    return array


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
