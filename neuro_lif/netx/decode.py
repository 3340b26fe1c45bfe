"""The fields of a layer's group, as numbers: scalars and arrays of one element are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import NetworkError, show
from .model import NetxFinding

Tree = dict[str, Any]


@dataclass
class Fields:
    """The group of one layer, or of its neuron, and what was found in it.

    Args:
        layer: number of the layer.
        tree: its fields.
        found: findings of the file.
        prefix: of a field's name in messages.
    """

    layer: int
    tree: Tree
    found: list[NetxFinding]
    prefix: str = ""
    taken: set[str] = field(default_factory=set)

    def fail(self, name: str, value: object, allowed: str) -> NetworkError:
        """Return the error about a field."""
        where = f"layer {self.layer}: field {self.prefix + name!r}"
        return NetworkError(f"{where} = {show(value)}, allowed: {allowed}")

    def tell(self, kind: str, name: str, text: str) -> None:
        """Add a finding."""
        self.found.append(NetxFinding(kind, self.layer, self.prefix + name, text))

    def __contains__(self, name: str) -> bool:
        return name in self.tree

    def raw(self, name: str) -> Any:
        """Return a field as it is, None where there is none."""
        self.taken.add(name)
        return self.tree.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text: of its own, or the only one of an array."""
        value = self.raw(name)
        while isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(name, value, "a text")
        return value

    def array(self, name: str, needed: bool = True) -> Any:
        """Return whole numbers as int64; fractions are cut off, as netx does, and told.

        Raises:
            NetworkError: missing but needed, no numbers, or too large.
        """
        value = self.raw(name)
        if value is None and not needed:
            return None
        if isinstance(value, dict):
            raise self.fail(name, value, "numbers" + (
                " (complex weights are not known here)" if name == "weight" else ""))  # fmt: skip
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "buif":
            raise self.fail(name, value, "numbers")
        if not value.size:
            raise self.fail(name, f"shape {value.shape}", "at least one number")
        if value.dtype.kind == "f":
            if not np.isfinite(value).all():
                raise self.fail(name, float(value[~np.isfinite(value)].flat[0]), "finite numbers")
            if np.abs(value).max() >= 2**31:
                raise self.fail(name, float(np.abs(value).max()), "less than 2**31")
            whole = np.trunc(value)
            changed = int((whole != value).sum())
            if changed:
                self.tell("repair", name, f"{changed} of {value.size} numbers are not whole: cut "
                          "towards 0, as netx does")  # fmt: skip
            return whole.astype(np.int64)
        if value.dtype.kind == "u" and value.max() >= 2**31:
            raise self.fail(name, int(value.max()), "less than 2**31")
        return value.astype(np.int64)

    def number(self, name: str, default: int | None = None) -> int:
        """Return one whole number.

        Raises:
            NetworkError: several, or missing where there is no default.
        """
        if name not in self.tree and default is not None:
            return default
        array = self.array(name)
        if array.size != 1:
            raise self.fail(name, f"shape {array.shape}", "one number")
        return int(array.reshape(()))

    def pair(self, name: str, default: int) -> Any:
        """Return (height, width); one number stands for both."""
        if name not in self.tree:
            self.tell("assumption", name, f"not in the file, taken as {default}")
            return (default, default)
        array = self.array(name).ravel()
        if array.size == 3 and array[2] == (0 if name == "padding" else 1):
            array = array[:2]  # of three directions the last is time
        if array.size not in (1, 2):
            raise self.fail(name, f"{array.size} numbers", "one number, or (height, width)")
        return tuple(int(n) for n in np.broadcast_to(array, (2,)))

    def inner(self, name: str) -> Fields | None:
        """Return a group in this one."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fail(name, value, "a group")
        return Fields(self.layer, value, self.found, f"{self.prefix}{name}/")

    def check_equal(self, name: str, meant: int) -> None:
        """Refuse a field that says another number than the weights do."""
        if name in self.tree and self.number(name) != meant:
            raise self.fail(name, self.number(name), f"{meant}, as the weights have it")

    def leave(self, names: tuple[str, ...], why: str) -> None:
        """Tell of fields that nothing depends on."""
        there = [n for n in names if n in self.tree]
        self.taken.update(there)
        if there:
            self.tell("note", ", ".join(there), why)

    def finish(self) -> None:
        """Tell of every field that nobody asked for."""
        for name in sorted(self.tree.keys() - self.taken):
            self.tell("note", name, "not known to netx: left out")
