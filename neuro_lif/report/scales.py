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
    """

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value, 0..100 inside the range."""
        low, high, x = self.low, self.high, value
        if self.log:
            low, high, x = math.log(low), math.log(high), math.log(max(value, 1e-300))
        return round(100.0 * (x - low) / (high - low), 3)

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        """Return at most about ``most`` ticks at round values."""
        values = self._decades(most) if self.log else _steps(self.low, self.high, most)
        return tuple(Tick(self.at(v), number(v)) for v in values)

    def _decades(self, most: int) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last <= first:
            return _steps(self.low, self.high, most)
        every = max(1, math.ceil((last - first + 1) / most))
        return [10.0**k for k in range(first, last + 1, every)]


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
    return Scale(low - (room if low or not zero else 0.0), high + (room if high or not zero else 0.0))


def spanning_log(values: Iterable[float]) -> Scale:
    """Return a logarithmic scale over all values > 0."""
    found = [float(v) for v in values if math.isfinite(v) and v > 0]
    low, high = min(found, default=1.0), max(found, default=10.0)
    return Scale(low / 1.5, high * 1.5, log=True)
