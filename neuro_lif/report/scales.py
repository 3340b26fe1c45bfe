"""From values to places on the page, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .numbers import number


@dataclass(frozen=True)
class Tick:
    """A tick: its place, 0..100, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Scale:
    """A range of values laid over 0..100.

    Args:
        low, high: the values at 0 and at 100; ``low < high``.
        log: places go by the logarithm; then ``low > 0``.
        bend: places go by the logarithm of the size, of either sign, and near 0 (nearer than
            ``bend``) by the value; 0: they do not.
    """

    low: float
    high: float
    log: bool = False
    bend: float = 0.0

    def at(self, value: float) -> float:
        """Return the place of a value, 0..100 inside the range."""
        low, high, x = self._bent(self.low), self._bent(self.high), self._bent(value)
        return round(100.0 * (x - low) / (high - low), 3)

    def _bent(self, x: float) -> float:
        if self.log:
            return math.log(max(x, 1e-300))
        return math.asinh(x / self.bend) if self.bend else x

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        """Return at most about ``most`` ticks at round values."""
        values = _steps(self.low, self.high, most)
        if self.log:
            values = self._decades(most)
        elif self.bend:
            values = self._both_signs(most)
        return tuple(Tick(self.at(v), number(v, _digits(values))) for v in values)

    def _decades(self, most: int) -> list[float]:
        first, last = (
            math.ceil(math.log10(self.low) - 1e-9),
            math.floor(math.log10(self.high) + 1e-9),
        )
        if last <= first:
            return _steps(self.low, self.high, most)
        if last - first < 2:
            fine = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
            return [v for v in fine if self.low <= v <= self.high]
        every = max(1, math.ceil((last - first + 1) / most))
        return [10.0**k for k in range(first, last + 1, every)]

    def _both_signs(self, most: int) -> list[float]:
        """Return 0 and powers of ten of either sign that are in the range and not too near."""
        out: list[float] = []
        gap = 100.0 / max(most, 1) * 0.7
        for sign in (1.0, -1.0):
            last, end = self.at(0.0), self.high if sign > 0 else self.low
            if end * sign <= 0:
                continue
            top = math.floor(math.log10(abs(end)) + 1e-9)
            least = math.ceil(math.log10(self.bend) - 1e-9)
            sizes = (1, 2, 5) if top - least < 2 else (1,)
            for size in (m * 10.0**k for k in range(least - 1, top + 1) for m in sizes):
                place = self.at(sign * size)
                if 0 <= place <= 100 and abs(place - last) >= gap:
                    out.append(sign * size)
                    last = place
        return sorted([*out, *([0.0] if self.low <= 0 <= self.high else [])])


def _digits(values: list[float]) -> int:
    """Return how many digits tell neighbours apart."""
    steps = [b - a for a, b in zip(values, values[1:], strict=False) if b > a]
    most = max((abs(v) for v in values), default=0.0)
    if not steps or not most:
        return 4
    return min(max(4, math.ceil(math.log10(most / min(steps))) + 2), 15)


def _steps(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step if step >= 1 else round(k * step, 12) for k in range(first, last + 1)]


def spanning(values: Iterable[float], zero: bool = False, margin: float = 0.05) -> Scale:
    """Return a linear scale that holds all finite values with some room around them.

    Args:
        values: what is to be seen.
        zero: whether 0 has to be on it.
        margin: room on either side, as a share of the range.
    """
    finite = [float(v) for v in values if math.isfinite(v)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = margin * (high - low) or abs(high) * 0.1 or 1.0
    return Scale(
        low - (room if low or not zero else 0.0), high + (room if high or not zero else 0.0)
    )


def spanning_log(values: Iterable[float]) -> Scale:
    """Return a logarithmic scale over all values > 0."""
    found = [float(v) for v in values if math.isfinite(v) and v > 0]
    low, high = min(found, default=1.0), max(found, default=10.0)
    return Scale(low / 1.5, high * 1.5, log=True)


def spanning_signed(values: Iterable[float]) -> Scale:
    """Return a scale over values of many sizes and of either sign."""
    found = [float(v) for v in values if math.isfinite(v)]
    sizes = sorted(abs(v) for v in found if v)
    if not sizes:
        return Scale(-1.0, 1.0)
    if min(found) > 0:
        return spanning_log(found)
    bend = max(sizes[len(sizes) // 10], sizes[-1] * 1e-6)
    low, high = min(found), max(found)
    return (
        Scale(low * (1.6 if low < 0 else 0.6), high * (0.6 if high < 0 else 1.6), bend=bend)
        if low < high
        else Scale(low - 1, high + 1)
    )
