"""Reads HDF5 files in a process of its own, because the HDF5 library cannot be trusted with damage.

A few wrong bytes make it loop for ever or write where it must not. This script is run by path and
imports nothing of neuro_lif. It takes lines ``{"path", "most_bytes", "most_objects"}`` and answers
with lines, one for each object it is about to read or has read; the bytes of an array follow their
line. Nothing outside the file is opened, and no more is read than allowed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

if __name__ == "__main__":
    # the folder of this script must not hide modules; where those lie that the caller has is told
    sys.path[:] = [p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__))]
    sys.path += [p for p in sys.argv[1:] if p not in sys.path]

import h5py  # noqa: E402
import numpy as np  # noqa: E402

MOST_EDGES = 100_000
MOST_TEXT = 2**24
"""Bytes of all texts."""
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 32000: "lzf"}
_DEEPEST = 36
"""Groups in each other: 16 levels of graphs and 3 more."""


# what h5py and numpy raise on damage; anything else ends this process, which is told too
_DAMAGE = (
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


class Fault(Exception):
    """Something in the file that is not allowed."""


@dataclass
class Budget:
    """What may still be read."""

    most_bytes: int
    most_objects: int
    bytes_left: int = field(init=False)
    objects_left: int = field(init=False)
    text_left: int = MOST_TEXT

    def __post_init__(self) -> None:
        self.bytes_left, self.objects_left = self.most_bytes, self.most_objects


def tell(out: Any, **message: Any) -> None:
    """Send a line; what comes before something that may never end leaves at once."""
    out.write(json.dumps(message).encode() + b"\n")
    if message["kind"] not in ("group", "array", "text", "attributes"):
        out.flush()


def answer(request: dict[str, Any], out: Any) -> None:
    """Read one file and send all of it, or what is wrong with it."""
    budget = Budget(request["most_bytes"], request["most_objects"])
    try:
        with open(request["path"], "rb") as raw:
            size = raw.seek(0, 2)
        if size > budget.most_bytes + 2**26:
            raise Fault(f"{size} bytes, allowed: {budget.most_bytes} (max_bytes= allows more)")
        with h5py.File(request["path"], "r", locking=False) as file:
            Walk(budget, size, out).group(file.id, ())
        tell(out, kind="done")
    except Fault as fault:
        tell(out, kind="fault", text=str(fault))
    except MemoryError:
        tell(out, kind="fault", text="more memory is needed than is allowed")
    except _DAMAGE as error:
        text = " ".join(str(error).split())[:160]
        tell(out, kind="fault", text=f"damaged, or no HDF5 file: {text}")


def limit(more: int) -> None:
    """Allow so many bytes more than there are now, and an end even where nobody waits for it."""
    try:
        import resource

        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        _lower(resource, resource.RLIMIT_AS, now + more)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource, resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime + more / 1e7))
    except (ImportError, OSError, ValueError):
        pass  # no such limits on this system


def _lower(resource: Any, which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """Answer until nobody asks any more."""
    out = sys.stdout.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    tell(out, kind="ready")
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limit(2 * request["most_bytes"] + 2**27)
        answer(request, out)


@dataclass
class Walk:
    """A walk through one file."""

    budget: Budget
    file_size: int
    out: Any
    above: list[Any] = field(default_factory=list)
    """Addresses of the groups that lead here."""

    def at(self, path: tuple[str, ...], stored: int = 0, unpacked: int = 0) -> None:
        """Say what is looked at next, and how many seconds that may add."""
        # so that long names of deep groups are not sent over and over
        self.take_text(sum(map(len, path)))
        more = stored / 2e7 + unpacked / 4e8
        tell(self.out, kind="at", path=path, seconds=more)

    def take_bytes(self, size: int, what: str) -> None:
        """Count bytes of arrays against the budget."""
        self.budget.bytes_left -= size
        if self.budget.bytes_left < 0:
            raise Fault(
                f"{what} is {size} bytes, allowed: {self.budget.most_bytes} bytes of arrays in all "
                "(max_bytes= allows more)"
            )

    def take_text(self, size: int) -> None:
        """Count bytes of texts and names against the budget."""
        self.budget.text_left -= size
        if self.budget.text_left < 0:
            raise Fault(f"more than {MOST_TEXT} bytes of texts and names in the file")

    def group(self, group: Any, path: tuple[str, ...]) -> None:
        """Read a group with all that is in it."""
        if len(path) > _DEEPEST:
            raise Fault("nested too deep, allowed: 16 levels of graphs")
        address = h5py.h5o.get_info(group).addr
        if address in self.above:
            raise Fault("a link to a group that it lies in: a cycle")
        self.above.append(address)
        tell(self.out, kind="group")
        self.attributes(group)
        for raw, name in self.names(group):
            inner = (*path, name)
            self.at(inner)
            link = group.links.get_info(raw).type
            if link != h5py.h5l.TYPE_HARD:
                kind = "external" if link == h5py.h5l.TYPE_EXTERNAL else "soft"
                raise Fault(f"{kind} link, allowed: what is in the file itself")
            item = h5py.h5o.open(group, raw)
            if isinstance(item, h5py.h5g.GroupID):
                self.group(item, inner)
            elif isinstance(item, h5py.h5d.DatasetID):
                self.dataset(item, inner)
            else:
                raise Fault("neither a group nor a dataset")
        self.above.pop()

    def attributes(self, item: Any) -> None:
        """Say which attributes an object has: they are not read."""
        number = h5py.h5a.get_num_attrs(item)
        if not number:
            return
        names: list[str] = []
        for k in range(min(number, 5)):
            names.append(utf8(h5py.h5a.open(item, index=k).name)[:60])
        tell(self.out, kind="attributes", names=names, number=number)

    def names(self, group: Any) -> list[tuple[bytes, str]]:
        """Return the names in a group, as bytes and texts, counted against the budget."""
        self.budget.objects_left -= group.get_num_objs()
        if self.budget.objects_left < 0:
            raise Fault(
                f"more than {self.budget.most_objects} groups and datasets in the file "
                "(max_objects= allows more)"
            )
        found: list[bytes] = []
        group.links.iterate(lambda name: found.append(bytes(name)))
        return [(raw, utf8(raw)) for raw in found]

    def dataset(self, item: Any, path: tuple[str, ...]) -> None:
        """Read an array, a number or a text, after a look at how large it says it is."""
        chunk = self.storage(item.get_create_plist())
        kind, space = item.get_type(), item.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            raise Fault("holds nothing, allowed: an array, a number or a text")
        number = space.get_simple_extent_npoints()
        if isinstance(kind, h5py.h5t.TypeStringID):
            self.take_bytes(chunk * kind.get_size(), f"a chunk of {chunk} texts")
            tell(self.out, kind="text", value=self.texts(item, kind, number, path))
            self.attributes(item)
            return
        if not isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)) and not (
            isinstance(kind, h5py.h5t.TypeEnumID) and kind.dtype.kind == "b"
        ):
            raise Fault(f"type {kind.dtype}, allowed: numbers and texts")
        dtype, size = kind.dtype, number * kind.dtype.itemsize
        # a chunk is unpacked as a whole, however little of it the array has
        unpacked = max(size, chunk * dtype.itemsize if size else 0)
        what = f"shape {space.shape}" if unpacked == size else f"a chunk of {chunk} values"
        self.take_bytes(unpacked, f"{what} of {dtype}")
        self.at(path, min(item.get_storage_size(), self.file_size), unpacked)
        array = np.empty(space.shape, dtype)
        item.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
        tell(self.out, kind="array", dtype=dtype.str, shape=array.shape, bytes=array.nbytes)
        self.out.write(array.tobytes() if size < 2**16 else array.reshape(-1).view(np.uint8).data)
        self.attributes(item)

    def storage(self, plist: Any) -> int:
        """Refuse data that lie elsewhere and unknown filters; return the values in a chunk."""
        h5d = h5py.h5d
        if plist.get_external_count():
            raise Fault("data in another file, allowed: data in the file itself")
        layout = plist.get_layout()
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            raise Fault("a virtual dataset, allowed: data in the file itself")
        for i in range(plist.get_nfilters()):
            code = plist.get_filter(i)[0]
            if code not in _FILTERS:
                raise Fault(f"filter {code}, allowed: {', '.join(_FILTERS.values())}")
        cells = 1
        if layout == h5d.CHUNKED:
            for c in plist.get_chunk():
                cells *= int(c)
        return cells

    def texts(self, item: Any, kind: Any, number: int, path: tuple[str, ...]) -> Any:
        """Read a text, or an array of texts as nested lists."""
        shape = item.get_space().shape
        if number > 2 * MOST_EDGES:
            raise Fault(f"{number} texts, allowed: at most {2 * MOST_EDGES}")
        each = self.file_size if kind.is_variable_str() else kind.get_size()
        if not kind.is_variable_str() and each > MOST_TEXT:
            raise Fault(f"texts of {each} bytes, allowed: at most {MOST_TEXT}")
        data = h5py.Dataset(item)
        if shape == ():
            return self.text(data[()])
        # in blocks: all texts of a hostile file may be one and the same long one
        wide = max(1, number // max(1, shape[0]))
        rows = max(1, MOST_TEXT // max(1, each * wide))
        found: list[Any] = []
        start = 0
        while start < shape[0]:
            part = data[start : start + rows]
            found += [self.nested(p) for p in part]
            start += rows
            rows = min(4 * rows, max(1, 2**14 // wide))  # the first ones were short
            self.at(path, 0, 2**20)
        return found

    def nested(self, part: Any) -> Any:
        """Return texts as nested lists."""
        if isinstance(part, np.ndarray):
            return [self.nested(p) for p in part]
        return self.text(part)

    def text(self, raw: Any) -> str:
        """Return one text."""
        data = raw if isinstance(raw, bytes) else str(raw).encode("utf8")
        self.take_text(len(data))
        return utf8(data)


def utf8(data: bytes) -> str:
    """Return a text or a name."""
    try:
        return data.decode("utf8")
    except UnicodeDecodeError:
        raise Fault(f"{data[:40]!r}, allowed: texts and names in UTF-8") from None


if __name__ == "__main__":
    main()
