"""What a field of a NIR node may hold, and how it is checked and frozen.

Source: the primitives of nir 1.0.8 (``nir/ir/*.py``), which has neither units nor checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Faults

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

MOST_AXES = 16
MOST_LEVELS = 16
"""Deepest nesting of graphs, and of metadata."""
LARGEST = 2**31 - 1
"""Largest size of an axis, stride, kernel or padding."""
_FLOATS = ("float16", "float32", "float64")


def masked(value: object) -> bool:
    """Tell whether entries of an array are masked: taking its data would bring them back."""
    return isinstance(value, np.ma.MaskedArray) and bool(np.any(value.mask))


def _array(where: str, name: str, value: Any, faults: Faults, axes: tuple[int, int]) -> Any:
    """Return a read-only array of real numbers in native order; None after a fault."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        faults.add(where, name, value, "an array of real numbers")
        return None
    if masked(value):
        faults.add(where, name, "a masked array", "an array without masked entries")
        return None
    if array.dtype.kind not in "iuf" or (
        array.dtype.kind == "f" and array.dtype.newbyteorder("=").name not in _FLOATS
    ):
        faults.add(where, name, f"dtype {array.dtype}", "real numbers of at most 64 bits")
        return None
    low, high = axes
    if not low <= array.ndim <= high:
        wanted = f"{low}" if low == high else f"at least {low}"
        faults.add(where, name, f"shape {array.shape}", f"an array of {wanted} axes")
        return None
    if array.size == 0:
        faults.add(where, name, f"shape {array.shape}", "at least one value")
        return None
    if array.dtype.kind == "f" and not _finite(array):
        bad = array[~np.isfinite(array)]
        faults.add(where, name, float(bad.flat[0]), "finite numbers (no NaN, no infinity)")
        return None
    return freeze(array)


def _finite(array: Array) -> bool:
    """Tell whether all is finite, in pieces: a large array gets no second one beside it."""
    flat = array.reshape(-1)
    return all(bool(np.isfinite(flat[i : i + 2**20]).all()) for i in range(0, flat.size, 2**20))


def freeze(array: Array) -> Array:
    """Return the array in native byte order and C order, which nobody can write to.

    An array that nobody else can reach (its own memory, read-only) is not copied.
    """
    native = array.dtype.newbyteorder("=")
    owned = array.flags.owndata and not array.flags.writeable and array.flags.c_contiguous
    if not (owned and array.dtype == native):
        array = np.array(array, dtype=native, order="C", copy=True)
    array.setflags(write=False)
    return array


def _whole(value: Any) -> int | None:
    """Return a whole number, also from an array of one; None where it is none."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        return None
    return int(value)


def _wholes(value: Any) -> tuple[int, ...] | None:
    """Return whole numbers; None where they are none."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1) if value.ndim < 2 else (None,)
    elif not isinstance(value, (tuple, list)):
        value = (value,)
    found = [_whole(v) for v in value]
    return None if None in found else tuple(v for v in found if v is not None)


Check = Callable[[str, str, Any, Faults], Any]


def array_of(least: int, most: int = MOST_AXES) -> Check:
    """Return a check for an array of finite numbers with so many axes."""
    return lambda where, name, value, faults: _array(where, name, value, faults, (least, most))


def count(least: int, most: int = LARGEST) -> Check:
    """Return a check for one whole number."""

    def check(where: str, name: str, value: Any, faults: Faults) -> Any:
        number = _whole(value)
        if number is None or not least <= number <= most:
            faults.add(where, name, value, f"a whole number from {least} to {most}")
            return None
        return number

    return check


def pair(least: int) -> Check:
    """Return a check for (vertical, horizontal); one number stands for both."""

    def check(where: str, name: str, value: Any, faults: Faults) -> Any:
        both = _wholes(value)
        if both is not None and len(both) == 1:
            both = both * 2
        if both is None or len(both) != 2 or not all(least <= b <= LARGEST for b in both):
            faults.add(where, name, value, f"two whole numbers >= {least}, (height, width)")
            return None
        return both

    return check


def padded(check: Check) -> Check:
    """Return a check for 'same', 'valid' or what ``check`` allows."""

    def either(where: str, name: str, value: Any, faults: Faults) -> Any:
        if isinstance(value, str):
            if value not in ("same", "valid"):
                faults.add(where, name, value, "'same', 'valid' or whole numbers >= 0")
                return None
            return value
        return check(where, name, value, faults)

    return either


def sizes_of(where: str, name: str, value: Any, faults: Faults) -> Any:
    """Check a shape: whole numbers >= 1, without a batch axis."""
    sizes = _wholes(value)
    if (
        sizes is None
        or not 1 <= len(sizes) <= MOST_AXES
        or not all(1 <= s <= LARGEST for s in sizes)
    ):
        faults.add(where, name, value, f"1 to {MOST_AXES} whole numbers >= 1")
        return None
    return sizes


def or_none(check: Check) -> Check:
    """Return a check that also allows None: not said."""
    return lambda where, name, value, faults: (
        None if value is None else check(where, name, value, faults)
    )


def metadata(
    where: str, value: Any, faults: Faults, level: int = 0, inside: str = "metadata/"
) -> Mapping[str, Any]:
    """Return metadata as a read-only mapping: texts, tuples of texts, arrays, mappings."""
    if not isinstance(value, Mapping):
        faults.add(where, "metadata", value, "a mapping of names to texts, numbers or mappings")
        return MappingProxyType({})
    if level >= MOST_LEVELS:
        faults.add(where, "metadata", "deeper mappings", f"at most {MOST_LEVELS} levels")
        return MappingProxyType({})
    found: dict[str, Any] = {}
    for key, item in value.items():
        if not is_name(key):
            faults.add(where, "metadata", key, "names that are texts without '/'")
            continue
        field = inside + key
        if isinstance(item, Mapping):
            found[key] = metadata(where, item, faults, level + 1, f"{field}/")
        else:
            found[key] = _metadatum(where, field, item, faults)
    return MappingProxyType(found)


def _metadatum(where: str, field: str, item: Any, faults: Faults) -> Any:
    texts = _texts(item)
    if texts is not None:
        bad = [t for t in _leaves(texts) if not _storable(t)]
        if bad:
            faults.add(where, field, bad[0], "a text of whole characters without NUL")
        return texts
    try:
        array = np.asarray(None if masked(item) else item)
    except (ValueError, TypeError):
        array = np.asarray(None)
    native = array.dtype.newbyteorder("=").name
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and native not in _FLOATS):
        faults.add(where, field, item, "a text, texts, a number or an array of numbers")
        return None
    return freeze(array)


def _texts(item: Any, level: int = 0) -> Any:
    """Return a text, or texts in tuples of equal lengths; None where it is neither."""
    if isinstance(item, str):
        return str(item)
    if isinstance(item, np.ndarray) and item.dtype.kind in "UO":
        item = tuple(item.tolist()) if item.ndim else item.item()
        return _texts(item, level)
    if not isinstance(item, (tuple, list)) or level > MOST_AXES:
        return None
    if not item:
        return () if isinstance(item, tuple) and not level else None
    found = tuple(_texts(t, level + 1) for t in item)
    alike = all(isinstance(f, str) for f in found) or (
        all(isinstance(f, tuple) for f in found) and len(set(map(_axes, found))) == 1
    )
    return found if alike else None


def _axes(texts: Any) -> Shape:
    return () if isinstance(texts, str) else (len(texts), *_axes(texts[0]))


def _leaves(texts: Any) -> list[str]:
    return [texts] if isinstance(texts, str) else [t for inner in texts for t in _leaves(inner)]


def _storable(text: str) -> bool:
    """Tell whether HDF5 can hold a text of variable length."""
    try:
        text.encode("utf8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def is_name(name: object) -> bool:
    """Tell whether HDF5 can hold a link of this name."""
    return (
        isinstance(name, str)
        and bool(name)
        and name != "."
        and "/" not in name
        and len(name) < 2**16
        and _storable(name)
    )


def same(a: Any, b: Any) -> bool:
    """Tell whether two checked values are equal bit for bit (type, shape and bytes)."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)
