"""An HDF5 file that may be damaged or hostile, as a plain tree: groups are dicts.

Nothing outside the file is opened, no more is read than allowed, and any damage is one error that
names the file, the node and the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError, TargetError, show
from .fields import MOST_LEVELS

MOST_BYTES = 2**28
"""Bytes of arrays that are read unless more is asked for: twice 32 million float32."""
MOST_OBJECTS = 5000
"""Groups and datasets that are read unless more is asked for."""
MOST_EDGES = 100_000
MOST_TEXT = 2**24
"""Bytes of all texts."""
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}
_DEEPEST = 2 * MOST_LEVELS + 4


def import_h5py() -> Any:
    """Return h5py.

    Raises:
        TargetError: it is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise TargetError(
            "NIR files need h5py: python -m pip install 'neuro-lif[nir]'"
        ) from None
    return h5py


def place(path: tuple[str, ...]) -> str:
    """Return where in the file an object is, as node and field: ('node', 'nodes', 'a', 'tau')."""
    nodes: list[str] = []
    rest = list(path)
    if rest[:1] == ["node"]:
        rest = rest[1:]
        while len(rest) >= 2 and rest[0] == "nodes":
            nodes.append(rest[1])
            rest = rest[2:]
    text = f"node {'/'.join(nodes)!r}" if nodes else "the file" if path[:1] != ("node",) else "graph"
    return f"{text}: field {'/'.join(rest)!r}" if rest else text


@dataclass
class Budget:
    """What may still be read."""

    most_bytes: int = MOST_BYTES
    most_objects: int = MOST_OBJECTS
    bytes_left: int = field(init=False)
    objects_left: int = field(init=False)
    text_left: int = MOST_TEXT

    def __post_init__(self) -> None:
        self.bytes_left, self.objects_left = self.most_bytes, self.most_objects


class Fault(Exception):
    """Something in the file that is not allowed; the reader adds the file's name."""


def read_tree(path: Path, budget: Budget) -> dict[str, Any]:
    """Return all of a file: dicts, arrays, texts and numbers.

    Raises:
        FileFormatError: missing, damaged, or larger or deeper than allowed.
        TargetError: h5py is not installed.
    """
    h5py = import_h5py()
    name = str(path)
    if not path.is_file():
        raise FileFormatError(f"{name!r}: no such file")
    where: list[str] = []
    try:
        size = path.stat().st_size
        if size > budget.most_bytes + 2**26:
            raise Fault(f"{size} bytes, allowed: {budget.most_bytes} (max_bytes= allows more)")
        with h5py.File(path, "r", locking=False) as file:
            return _Walk(h5py, budget, size, where).group(file.id, ())
    except Fault as fault:
        raise FileFormatError(f"{name!r}: {fault}") from None
    except MemoryError:
        raise FileFormatError(f"{name!r}: {_at(where)}: more memory is needed than there is") \
            from None  # fmt: skip
    except Exception as error:  # what h5py raises on damage is not listed anywhere
        raise FileFormatError(
            f"{name!r}: {_at(where)}: damaged, or no HDF5 file: {show(str(error), 160)}"
        ) from None


def _at(where: list[str]) -> str:
    return place(tuple(where[-1].split("/"))) if where else "the file"


@dataclass
class _Walk:
    h5py: Any
    budget: Budget
    file_size: int
    where: list[str]
    """The path that is looked at now, for errors."""
    above: list[Any] = field(default_factory=list)
    """Addresses of the groups that lead here."""

    @contextmanager
    def inside(self, path: tuple[str, ...]) -> Iterator[None]:
        self.where.append("/".join(path))
        yield  # after an error the place stays, so that it can be told
        self.where.pop()

    def group(self, group: Any, path: tuple[str, ...]) -> dict[str, Any]:
        """Read a group with all that is in it."""
        if len(path) > _DEEPEST:
            raise Fault(f"{place(path)}: nested too deep, allowed: {MOST_LEVELS} levels of graphs")
        address = self.h5py.h5o.get_info(group).addr
        if address in self.above:
            raise Fault(f"{place(path)}: a link to a group that it lies in: a cycle")
        self.above.append(address)
        found: dict[str, Any] = {}
        for raw in self.names(group, path):
            name = raw.decode("utf8")
            inner = (*path, name)
            with self.inside(inner):
                link = group.links.get_info(raw).type
                if link != self.h5py.h5l.TYPE_HARD:
                    kind = "external" if link == self.h5py.h5l.TYPE_EXTERNAL else "soft"
                    raise Fault(f"{place(inner)}: {kind} link, allowed: what is in the file itself")
                found[name] = self.item(self.h5py.h5o.open(group, raw), inner)
        self.above.pop()
        return found

    def names(self, group: Any, path: tuple[str, ...]) -> list[bytes]:
        """Return the names in a group, counted against the budget."""
        number = group.get_num_objs()
        self.budget.objects_left -= number
        if self.budget.objects_left < 0:
            raise Fault(
                f"{place(path) if path else 'the file'}: more than {self.budget.most_objects} "
                "groups and datasets (max_objects= allows more)"
            )
        found: list[bytes] = []
        group.links.iterate(lambda name: found.append(bytes(name)))
        return found

    def item(self, item: Any, path: tuple[str, ...]) -> Any:
        if isinstance(item, self.h5py.h5g.GroupID):
            return self.group(item, path)
        if isinstance(item, self.h5py.h5d.DatasetID):
            return self.dataset(item, path)
        raise Fault(f"{place(path)}: neither a group nor a dataset")

    def dataset(self, item: Any, path: tuple[str, ...]) -> Any:
        """Read an array, a number or a text, after a look at how large it says it is."""
        self.storage(item.get_create_plist(), path)
        h5py, kind, space = self.h5py, item.get_type(), item.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            raise Fault(f"{place(path)}: holds nothing, allowed: an array, a number or a text")
        number = space.get_simple_extent_npoints()
        if isinstance(kind, h5py.h5t.TypeStringID):
            return self.texts(item, kind, number, path)
        if not isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)) and not (
            isinstance(kind, h5py.h5t.TypeEnumID) and kind.dtype.kind == "b"
        ):
            raise Fault(f"{place(path)}: type {show(kind.dtype)}, allowed: numbers and texts")
        dtype = kind.dtype
        size = number * dtype.itemsize
        self.budget.bytes_left -= size
        if self.budget.bytes_left < 0:
            raise Fault(
                f"{place(path)}: shape {space.shape} of {dtype} is {size} bytes, allowed: "
                f"{self.budget.most_bytes} bytes of arrays in all (max_bytes= allows more)"
            )
        array = np.empty(space.shape, dtype)
        item.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
        if dtype != dtype.newbyteorder("="):
            array = array.astype(dtype.newbyteorder("="))
        array.setflags(write=False)
        return array

    def storage(self, plist: Any, path: tuple[str, ...]) -> None:
        """Refuse data that lie elsewhere, unknown filters and chunks that are too large."""
        h5d = self.h5py.h5d
        if plist.get_external_count():
            raise Fault(f"{place(path)}: data in another file, allowed: data in the file itself")
        layout = plist.get_layout()
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            raise Fault(f"{place(path)}: a virtual dataset, allowed: data in the file itself")
        for i in range(plist.get_nfilters()):
            code = plist.get_filter(i)[0]
            if code not in _FILTERS:
                allowed = ", ".join(_FILTERS.values())
                raise Fault(f"{place(path)}: filter {code}, allowed: {allowed}")
        if layout == h5d.CHUNKED:
            # a chunk is unpacked as a whole, however little of it the array has
            cells = 1
            for c in plist.get_chunk():
                cells *= int(c)
            if cells * 8 > 2 * self.budget.most_bytes:
                raise Fault(f"{place(path)}: chunks of {cells} values, too large to be unpacked")

    def texts(self, item: Any, kind: Any, number: int, path: tuple[str, ...]) -> Any:
        """Read a text, or an array of texts as nested tuples."""
        shape = item.get_space().shape
        if number > 2 * MOST_EDGES:
            raise Fault(f"{place(path)}: {number} texts, allowed: at most {2 * MOST_EDGES}")
        each = self.file_size if kind.is_variable_str() else kind.get_size()
        data = self.h5py.Dataset(item)
        if shape == ():
            if each > 2 * self.budget.most_bytes:
                raise Fault(f"{place(path)}: too long a text")
            return self.text(data[()], path)
        # in blocks: all texts of a hostile file may be one and the same long one
        rows = max(1, MOST_TEXT // max(1, each * max(1, number // max(1, shape[0]))))
        found: list[Any] = []
        for start in range(0, shape[0], rows):
            found += [self.nested(part, path) for part in data[start : start + rows]]
        return tuple(found)

    def nested(self, part: Any, path: tuple[str, ...]) -> Any:
        if isinstance(part, np.ndarray):
            return tuple(self.nested(p, path) for p in part)
        return self.text(part, path)

    def text(self, raw: Any, path: tuple[str, ...]) -> str:
        data = raw if isinstance(raw, bytes) else str(raw).encode("utf8")
        self.budget.text_left -= len(data)
        if self.budget.text_left < 0:
            raise Fault(f"{place(path)}: more than {MOST_TEXT} bytes of texts in the file")
        try:
            return data.decode("utf8")
        except UnicodeDecodeError:
            raise Fault(f"{place(path)}: {show(data)}, allowed: texts in UTF-8") from None
