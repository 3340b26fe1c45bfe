"""Remembers what was worked out of an object for as long as the object lives."""

from __future__ import annotations

import weakref
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Memo(Generic[V]):
    """One value for each object, found by the object's identity.

    Objects are held weakly: an entry goes with its object, so a value must not hold the object.
    Meant for what never changes: frozen parts of networks, read-only arrays, profiles. Reading and
    writing from several threads is safe; at worst a value is worked out twice.

    Args:
        most: so many values are kept, the latest; None: as many as there are objects.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._found: dict[int, tuple[weakref.ref[Any], V]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: object) -> V | None:
        """Return what was kept for an object, or None."""
        entry = self._found.get(id(key))
        return None if entry is None or entry[0]() is not key else entry[1]

    def keep(self, key: object, value: V) -> V:
        """Keep a value for an object until it goes; return the value."""
        number, found = id(key), self._found

        def gone(ref: weakref.ref[Any]) -> None:
            entry = found.get(number)
            if entry is not None and entry[0] is ref:  # the place may be another object's by now
                del found[number]

        if self._most is not None:
            for old in list(found)[: max(len(found) - self._most + 1, 0)]:
                found.pop(old, None)
        found[number] = (weakref.ref(key, gone), value)
        return value


class FrozenDict(dict[str, Any]):
    """A dict that nobody writes to: what was worked out of it stays right."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("this mapping cannot be changed; make a copy: dict(...)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self
