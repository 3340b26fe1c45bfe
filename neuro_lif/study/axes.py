"""What a study varies: dotted names, each with its values."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from ..errors import Faults, StudyError, show

Value = int | float | str | bool | None
"""What a varied number, name or flag can be."""
Configuration = Mapping[str, Value]
"""Varied name -> value: one point of a study."""

MOST_VALUES = 100_000
"""Values of one axis; more are a slip of the pen."""


@dataclass(frozen=True)
class Axis:
    """One varied name.

    Args:
        name: dotted, e.g. ``profile.weights.default_bits``.
        values: at least one, all different.
    """

    name: str
    values: tuple[Value, ...]

    @property
    def ordered(self) -> bool:
        """Whether the values are numbers, so that a search may step from one to the next."""
        return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in self.values)

    @cached_property
    def _places(self) -> dict[tuple[bool, Value], int]:
        return {(isinstance(v, bool), v): k for k, v in enumerate(self.values)}

    def has(self, value: Value) -> bool:
        """Tell whether a value is one of the axis."""
        return (isinstance(value, bool), value) in self._places

    def place(self, value: Value) -> int:
        """Return where a value stands.

        Raises:
            StudyError: it is none of the axis.
        """
        place = self._places.get((isinstance(value, bool), value))
        if place is not None:
            return place
        allowed = ", ".join(map(repr, self.values[:20]))
        raise StudyError(f"vary: {self.name} = {show(value)}, allowed: {allowed}")


def axes_of(vary: object) -> tuple[Axis, ...]:
    """Return the axes of ``vary``: a mapping of dotted name to a list or range of values.

    Raises:
        StudyError: it is none, or a list is empty, holds something else or the same twice.
    """
    if not isinstance(vary, Mapping) or not vary:
        raise StudyError(f"vary = {show(vary)}, allowed: a mapping of dotted names to values, e.g. "
                         '{"quantize.weight_bits": [2, 4, 8]}')  # fmt: skip
    faults = Faults()
    axes = [axis for name, given in vary.items() if (axis := _axis(name, given, faults))]
    faults.raise_if_any(StudyError)
    return tuple(axes)


def _axis(name: object, given: Any, faults: Faults) -> Axis | None:
    allowed = "a list or a range of numbers, texts or truths, at least one"
    listed = isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))
    if not isinstance(name, str) or not listed:
        faults.add("vary", str(name), given, allowed)
        return None
    try:
        most = len(given)
    except TypeError:
        faults.add("vary", name, given, allowed, "turn it into a list")
        return None
    if not 1 <= most <= MOST_VALUES:
        faults.add("vary", name, given, f"1..{MOST_VALUES} values")
        return None
    values = [plain(v) for v in given]
    for raw, value in zip(given, values, strict=True):
        finite = not isinstance(value, float) or math.isfinite(value)
        if not isinstance(value, (int, float, str, type(None))) or not finite:
            faults.add("vary", name, raw, allowed)
            return None
    counted = Counter((isinstance(v, bool), v) for v in values)
    if len(counted) < len(values):
        twice = counted.most_common(1)[0][0][1]
        faults.add("vary", name, twice, "each value once")
        return None
    return Axis(name, tuple(values))


def plain(value: Any) -> Any:
    """Return a number of numpy's as Python's; a whole float stays a float."""
    return value.item() if isinstance(value, np.generic) else value


def grid(axes: Iterable[Axis]) -> Iterator[dict[str, Value]]:
    """Yield every configuration; the last axis changes quickest."""
    axes = tuple(axes)
    for values in product(*(axis.values for axis in axes)):
        yield dict(zip((a.name for a in axes), values, strict=True))


def random(axes: Iterable[Axis], n: int, seed: int) -> list[dict[str, Value]]:
    """Return ``n`` different configurations drawn from the grid (all of it, where it is smaller).

    Args:
        axes: the axes.
        n: how many, >= 1.
        seed: the same seed draws the same; the first of a larger ``n`` are those of a smaller.
    """
    axes = tuple(axes)
    size = math.prod(len(a.values) for a in axes)
    rng, taken = np.random.default_rng(seed), set[tuple[int, ...]]()
    out: list[dict[str, Value]] = []
    while len(out) < min(n, size):
        place = tuple(int(rng.integers(len(a.values))) for a in axes)
        if place in taken:
            continue
        taken.add(place)
        out.append({a.name: a.values[k] for a, k in zip(axes, place, strict=True)})
    return out


def unknown(name: str, known: Iterable[str], what: str) -> StudyError:
    """Return the error for a name that there is not, with those that are near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 5, 0.5) or names[:8]
    more = f" (of {len(names)})" if len(names) > len(near) else ""
    return StudyError(f"{what} = {show(name, 120)}: unknown, allowed: {', '.join(near)}{more}")
