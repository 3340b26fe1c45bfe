"""Reads a file of NIRData in a process of its own, since damage can make the HDF5 library crash.

Run by path as ``data_child.py FILE MOST_BYTES FOLDERS...``; imports nothing of neuro_lif. Writes a
line of JSON, either ``{"fault"}`` or ``{"observables": [...]}``, then the bytes of all arrays in
that order. Only groups and datasets in the file itself are opened.

Source: nir 1.0.8, ``read_data`` (``nir/serialization.py``).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if __name__ == "__main__":
    # the folder of this script must not hide modules; where those of the caller lie is told
    sys.path[:] = [p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__))]
    sys.path += [p for p in sys.argv[3:] if p not in sys.path]

import h5py  # noqa: E402
import numpy as np  # noqa: E402

KINDS = {
    "TimeGriddedData": (("data",), ("dt",)),
    "EventData": (("idx", "time"), ("n_neurons", "t_max")),
    "ValuedEventData": (("idx", "time", "value"), ("n_neurons", "t_max")),
}
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ArithmeticError,
    SystemError,
)
"""What h5py and numpy raise on damage."""
MOST_OBSERVABLES = 5000
MOST_LEVELS = 16


class Fault(Exception):
    """Something in the file that is not allowed."""


class Walk:
    """A walk through the file."""

    def __init__(self, most_bytes: int) -> None:
        self.left, self.found = most_bytes, []  # type: ignore[var-annotated]
        self.arrays: list[Any] = []

    def graph(self, group: Any, path: list[str]) -> None:
        """Read a graph's nodes, and graphs in it."""
        if len(path) > MOST_LEVELS:
            raise Fault(f"nested too deep, allowed: {MOST_LEVELS} levels of graphs")
        for name, item in members(child(group, "nodes", path), path):
            kind, inner = text_of(item, path), [*path, name]
            if kind == "NIRGraphData":
                self.graph(item, inner)
            elif kind == "NIRNodeData":
                for observable, one in members(child(item, "observables", inner), inner):
                    self.observable(one, inner, observable)
            else:
                raise Fault(f"{said(inner)}: type {kind!r}, allowed: NIRNodeData, NIRGraphData")

    def observable(self, group: Any, path: list[str], name: str) -> None:
        """Read one observable."""
        where, kind = f"{said(path)}: {name!r}", text_of(group, path)
        if kind not in KINDS:
            raise Fault(f"{where}: type {kind!r}, allowed: {', '.join(KINDS)}")
        if len(self.found) >= MOST_OBSERVABLES:
            raise Fault(f"{where}: more than {MOST_OBSERVABLES} observables")
        arrays, numbers = KINDS[kind]
        values = {}
        for number in numbers:
            value = np.asarray(group.attrs[number]) if number in group.attrs else np.asarray("")
            if value.size != 1 or value.dtype.kind not in "iuf":
                raise Fault(f"{where}: {number} is missing or no number")
            values[number] = float(value.reshape(-1)[0])
        parts = []
        for part in arrays:
            if part not in group or group.get(part, getlink=True).__class__ is not h5py.HardLink:
                raise Fault(f"{where}: {part} is missing, or not in the file itself")
            item = group[part]
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "biuf":
                raise Fault(f"{where}: {part} is no array of numbers")
            if item.external or item.is_virtual:
                raise Fault(f"{where}: {part} lies in another file")
            chunk = int(np.prod(item.chunks, dtype=object)) if item.chunks else 0
            self.left -= item.size * item.dtype.itemsize
            if self.left < 0 or chunk * item.dtype.itemsize > 2**30:
                raise Fault(f"{where}: {part} of shape {item.shape} is too large (max_bytes=)")
            array = np.ascontiguousarray(item[()])
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            self.arrays.append(array)
            parts.append({"name": part, "dtype": array.dtype.str, "shape": item.shape})
        self.found.append({"path": path, "name": name, "kind": kind, "numbers": values,
                           "arrays": parts})  # fmt: skip


def said(path: list[str]) -> str:
    """Return a node's name with the graphs it lies in."""
    return f"node {'/'.join(path)!r}" if path else "the file"


def child(group: Any, name: str, path: list[str]) -> Any:
    """Return a group in a group."""
    found = dict(members(group, path)).get(name)
    if found is None:
        raise Fault(f"{said(path)}: no group {name!r}, allowed: NIRData, as nir.write_data writes")
    return found


def members(group: Any, path: list[str]) -> list[tuple[str, Any]]:
    """Return the groups in a group; links elsewhere are refused."""
    found = []
    for name in group:
        if group.get(name, getlink=True).__class__ is not h5py.HardLink:
            raise Fault(f"{said(path)}: {name!r} is a link, allowed: what is in the file itself")
        item = group[name]
        if isinstance(item, h5py.Group):
            found.append((name, item))
    return found


def text_of(group: Any, path: list[str]) -> str:
    """Return what kind of thing a group says it is."""
    kind = group.attrs.get("__type__", "")
    return kind.decode("utf8", "replace") if isinstance(kind, bytes) else str(kind)[:80]


def limit(more: int) -> None:
    """Allow so many bytes more than there are now."""
    try:
        import resource

        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        pass  # no such limits on this system


def main() -> None:
    """Read the file and say what is in it."""
    most = int(sys.argv[2])
    walk, out = Walk(most), sys.stdout.buffer
    limit(3 * most + 2**28)
    try:
        with h5py.File(sys.argv[1], "r", locking=False) as file:
            if text_of(file, []) != "NIRGraphData":
                raise Fault("no NIRData: its type is not NIRGraphData")
            walk.graph(file, [])
        answer: dict[str, Any] = {"observables": walk.found}
    except Fault as fault:
        answer = {"fault": str(fault)}
    except MemoryError:
        answer = {"fault": "more memory is needed than is allowed"}
    except DAMAGE as error:  # anything else ends this process, which is told too
        answer = {"fault": "damaged, or no HDF5 file: " + " ".join(str(error).split())[:160]}
    out.write(json.dumps(answer).encode() + b"\n")
    if "fault" not in answer:
        for array in walk.arrays:
            out.write(array.tobytes())
    out.flush()


if __name__ == "__main__":
    main()
