"""Reads values of a network file: numbers with units, lists, arrays; notes every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..errors import Faults, FileFormatError, NetworkError
from ..lazy import sparse
from ..npz import NpzFile
from ..units import Dimension, si_value

T = TypeVar("T")
PLAIN = "a number"
CSR_PARTS = ("data", "indices", "indptr", "shape")


class _Absent:
    """Stands for a key that is not in the file."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@dataclass
class Source:
    """One network file while it is read.

    Args:
        file: the file's name in messages.
        npz: its arrays, or None.
        faults: what was found wrong so far.
    """

    file: str
    npz: NpzFile | None = None
    faults: Faults = field(default_factory=Faults)

    def refuse(self, where: str, value: object, allowed: str) -> None:
        """Note that ``where`` (table.field) holds ``value`` and only ``allowed`` is allowed."""
        self.faults.add(self.file, where, value, allowed)

    def build(self, where: str, make: Callable[[], T]) -> T | None:
        """Return ``make()``; a description that is refused becomes faults of table ``where``."""
        try:
            return make()
        except NetworkError as error:
            for line in str(error).split("\n  "):
                self.faults.lines.append(f"{self.file}: {where}.{line.split(': ', 1)[1]}")
            return None

    def keys(self, where: str, table: dict[str, Any], allowed: Iterable[str]) -> None:
        """Note every key of ``table`` that is not allowed."""
        known = list(allowed)
        for key in table:
            if key not in known:
                self.refuse(f"{where}.{key}".lstrip("."), table[key], "keys " + ", ".join(known))

    def tables(self, where: str, value: object) -> dict[str, dict[str, Any]]:
        """Return the tables of a table by name; others are noted and left out."""
        if not isinstance(value, dict):
            self.refuse(where, value, f"tables [{where}.name]")
            return {}
        good = {}
        for name, table in value.items():
            if not name.isidentifier():
                allowed = "a name of letters, digits and _, not starting with a digit"
                self.refuse(where, name, allowed)
            elif not isinstance(table, dict):
                self.refuse(f"{where}.{name}", table, f"a table [{where}.{name}]")
            else:
                good[name] = table
        return good

    def choice(self, where: str, table: dict[str, Any], key: str, allowed: Iterable[str]) -> str:
        """Return ``table[key]``, or "" after noting that it is none of ``allowed``."""
        value, known = table.get(key, ABSENT), list(allowed)
        if isinstance(value, str) and value in known:
            return value
        names = ", ".join(f'"{name}"' for name in known) or "(nothing is defined)"
        self.refuse(f"{where}.{key}", value, f"one of {names}")
        return ""

    def numbers(self, where: str, value: Any, dimension: Dimension | None = None) -> Any:
        """Return a number or an array in SI units, or None after noting the fault."""
        allowed = dimension.allowed if dimension else PLAIN
        if isinstance(value, dict):
            return self._referred(
                where, value, f'{allowed}, a list of them, or {{ array = "..." }}'
            )
        if not isinstance(value, list):
            number = _number(value, dimension)
            if number is None:
                self.refuse(where, value, allowed)
            return number
        plain = _nested(value, dimension)
        try:
            return np.array(plain, np.float64)
        except (TypeError, ValueError):  # an entry that is no such number, or a ragged list
            bad = next((v for v in _leaves(value) if _number(v, dimension) is None), value)
            self.refuse(where, bad, f"a list (all rows alike) of {allowed}")
            return None

    def _referred(self, where: str, value: dict[str, Any], allowed: str) -> Any:
        key = value.get("array")
        if len(value) != 1 or not isinstance(key, str):
            self.refuse(where, value, allowed)
            return None
        return self.stored(where, key)

    def stored(self, where: str, key: str) -> Any:
        """Return the array (dense or CSR) named ``key`` of the ``.npz``; None after a fault."""
        if self.npz is None:
            self.refuse(where, {"array": key}, 'the name of an array of a file: arrays = "x.npz"')
            return None
        if key in self.npz.names:
            return self._array(where, key)
        if f"{key}.data" in self.npz.names:
            return self._csr(where, key)
        known = ", ".join(sorted(self.npz.names)[:12]) or "none"
        self.refuse(where, {"array": key}, f"an array of {self.npz.path.name}: {known}")
        return None

    def _array(self, where: str, key: str, kinds: str = "iuf") -> Any:
        try:
            array = self.npz.array(key) if self.npz else None
        except FileFormatError as error:
            self.refuse(where, str(error), "a whole array of numbers")
            return None
        if array is None or array.dtype.kind not in kinds:
            what = "whole numbers" if kinds == "iu" else "numbers"
            found = f"{key}: {array.dtype}" if array is not None else key
            self.refuse(where, found, f"an array of {what}")
            return None
        return array

    def _csr(self, where: str, key: str) -> Any:
        parts = {}
        for part in CSR_PARTS:
            name = f"{key}.{part}"
            if self.npz is None or name not in self.npz.names:
                self.refuse(where, f"{name} (absent)", "a CSR matrix: " + ", ".join(CSR_PARTS))
                return None
            array = self._array(where, name, "iuf" if part == "data" else "iu")
            if array is None:
                return None
            parts[part] = array
        try:
            shape: Any = tuple(int(n) for n in parts.pop("shape"))
            return sparse.csr_matrix(tuple(parts.values()), shape=shape)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            self.refuse(where, key, f"a consistent CSR matrix: {error}")
            return None


def _number(value: Any, dimension: Dimension | None) -> float | None:
    if isinstance(value, str):
        return si_value(value, dimension) if dimension else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # TOML integers have no width
        return None


def _nested(value: Any, dimension: Dimension | None) -> Any:
    if isinstance(value, list):
        return [_nested(item, dimension) for item in value]
    number = _number(value, dimension)
    # a text makes numpy refuse the list; None would be read as NaN
    return "?" if number is None else number


def _leaves(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, list) else [value]
