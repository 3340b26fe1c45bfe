"""The first time at which V passes the threshold, found by signs and not by looking around.

Between two events ``g = V - threshold`` of a neuron is a sum of modes: a constant, the membrane,
one or two stages per receptor, sinusoids. For a rate ``r``, ``e^(r s) g`` has the sign of ``g``,
and its slope that of ``(D + r) g = g' + r g``, which is again such a sum. With the rate of a mode
in it, that mode is gone. So::

    level 0     g
    level 1     (D + rate of the membrane) g       the drive less the rheobase
    level 2     (D + 0) level 1                    without the constant
    ...         one stage of a receptor gone at each level
    last level  nothing, or sinusoids alone, whose zeros are known

Between two zeros of a level the one above it (times an exponential) is monotone: it has a zero
there only if its signs at the ends differ. Thus every zero of every level is bracketed, however
close two of them are, and no coefficient is ever divided by a difference of rates.

Source: Polya and Szegoe, Problems and Theorems in Analysis II, part V, chapter 1 (Rolle's theorem
and Descartes' rule for sums of exponentials).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from .exact_kernels import psi2, psi3

GONE = 500.0
"""Time constants after which a decaying mode is nothing beside what stays."""


class Chain(NamedTuple):
    """State of one receptor: ``y' = -b y + x``, ``x' = -c x``, with y and x at s = 0."""

    b: float
    c: float
    y: float
    x: float


class Level(NamedTuple):
    """A sum of modes: its weights of 1, s, s^2/2, q, every y and x, and amplitudes of sinusoids."""

    one: float
    line: float
    bend: float
    q: float
    y: list[float]
    x: list[float]
    waves: list[complex]


@dataclass(frozen=True)
class Path:
    """V of one neuron between two events, less its threshold.

    ``g(s) = offset + line s + bend s^2/2 + q(s) + sum Im(wave e^(i omega s))``

    Args:
        rate: 1/tau_m, 1/s; 0 for a membrane without leak.
        per_ampere: 1/C, V/(A s): ``q' = -rate q + per_ampere * sum of y``.
        offset: V, where the membrane would settle, less the threshold.
        line: V/s, under a ramp, or of a membrane without leak.
        bend: V/s^2, of a membrane without leak under a ramp.
        q: V at s = 0, above where the membrane would settle.
        chains: the receptors that are not silent.
        waves: complex amplitude (V, at s = 0) and angular frequency (1/s) of each sinusoid.
    """

    rate: float
    per_ampere: float
    offset: float
    line: float
    bend: float
    q: float
    chains: tuple[Chain, ...] = ()
    waves: tuple[tuple[complex, float], ...] = ()

    @property
    def has_closed_form(self) -> bool:
        """Whether the drive is constant and no receptor is active."""
        steady = not self.bend and not (self.rate and self.line)
        return steady and not self.chains and not self.waves

    def membrane(self, s: float, grown: float = 0.0) -> float:
        """Return q at time ``s`` after the event, times ``e^(grown s)``."""
        rate = self.rate - grown
        q = self.q * math.exp(-rate * s)
        for b, c, y, x in self.chains:
            if y:
                q += self.per_ampere * y * psi2(s, rate, b - grown)
            if x:
                q += self.per_ampere * x * psi3(s, rate, b - grown, c - grown)
        return q

    def value(self, level: Level, s: float, grown: float = 0.0) -> float:
        """Return the value of a level at time ``s``, times ``e^(grown s)``.

        Where all of a level decays, ``grown`` keeps its sign from being lost to underflow.
        """
        total = level.one + s * (level.line + 0.5 * s * level.bend)
        if level.q:
            total += level.q * self.membrane(s, grown)
        for (b, c, y, x), of_y, of_x in zip(self.chains, level.y, level.x, strict=True):
            if of_y:
                current = y * math.exp((grown - b) * s)
                current += x * psi2(s, b - grown, c - grown) if x else 0.0
                total += of_y * current
            if of_x:
                total += of_x * x * math.exp((grown - c) * s)
        for amplitude, (_, omega) in zip(level.waves, self.waves, strict=True):
            total += (amplitude * cmath.exp(1j * omega * s)).imag
        return total

    def slowest(self, level: Level) -> float:
        """Return the smallest rate of the modes of a level, 1/s; 0 where some do not decay."""
        if level.one or level.line or level.bend or any(level.waves):
            return 0.0
        rates = [self.rate] if level.q else []
        for (b, c, y, x), of_y, of_x in zip(self.chains, level.y, level.x, strict=True):
            if (of_y or level.q) and (y or x):
                rates.append(b)
            if (of_y or of_x or level.q) and x:
                rates.append(c)
        return min(rates, default=0.0)

    def levels(self) -> tuple[list[Level], list[float]]:
        """Return the levels, and with which rate each but the last became the next."""
        n = len(self.chains)
        level = Level(
            self.offset, self.line, self.bend, 1.0, [0.0] * n, [0.0] * n, [a for a, _ in self.waves]
        )
        levels, rates = [level], [self.rate]
        level = self._without(level, self.rate)
        levels.append(level)
        while level.one or level.line or level.bend:
            level = self._without(level, 0.0)
            levels.append(level)
            rates.append(0.0)
        for chain in self.chains:
            for rate in (chain.b, chain.c) if chain.x else (chain.b,):
                level = self._without(level, rate)
                levels.append(level)
                rates.append(rate)
        return levels, rates

    def _without(self, level: Level, rate: float) -> Level:
        """Return ``(D + rate)`` of a level."""
        of_y = [(rate - chain.b) * y + self.per_ampere * level.q
                for chain, y in zip(self.chains, level.y, strict=True)]  # fmt: skip
        of_x = [((rate - chain.c) * x + y) if chain.x else 0.0
                for chain, x, y in zip(self.chains, level.x, level.y, strict=True)]  # fmt: skip
        waves = [a * (1j * omega + rate)
                 for a, (_, omega) in zip(level.waves, self.waves, strict=True)]  # fmt: skip
        one, line = rate * level.one + level.line, rate * level.line + level.bend
        return Level(one, line, rate * level.bend, (rate - self.rate) * level.q, of_y, of_x, waves)

    def settled(self, s: float) -> Path:
        """Return the path from ``s`` on, where all that decays is gone."""
        q = 0.0 if self.rate else self.membrane(s)
        waves = tuple((a * cmath.exp(1j * omega * s), omega) for a, omega in self.waves)
        offset = self.offset + s * (self.line + 0.5 * s * self.bend)
        line = self.line + s * self.bend
        return replace(self, offset=offset, line=line, q=q, chains=(), waves=waves)


def first_crossing(path: Path, end: float, touching: bool) -> float:
    """Return the first time at which ``g`` passes 0, or infinity.

    Args:
        path: from the event on.
        end: how far to look, s.
        touching: whether to reach 0 is enough (``>=``).
    """
    if path.has_closed_form:
        s = _closed_form(path, touching)
        return s if s <= end else math.inf
    slow = min([r for r in (path.rate, *(k for c in path.chains for k in (c.b, c.c))) if r > 0],
               default=math.inf)  # fmt: skip
    far = GONE / slow
    s = _search(path, min(end, far), touching)
    if s < math.inf or end <= far:
        return s
    rest, left = path.settled(far), end - far
    if rest.has_closed_form:
        # with a leak, where it settles is either reached by now or never
        s = _closed_form(rest, touching) if not rest.rate else math.inf
        return far + s if s <= left else math.inf
    if rest.rate and len(rest.waves) == 1 and not (rest.line or rest.bend):  # it is periodic now
        left = min(left, 2 * math.tau / rest.waves[0][1])
    return far + _search(rest, left, touching)


def _closed_form(path: Path, touching: bool) -> float:
    """Return the crossing under a constant drive: ``tau ln(1 - g(0) / offset)``, or a line's."""
    g = path.offset + path.q
    if g > 0 or (touching and g == 0):
        return 0.0
    if path.rate:
        return math.log1p(-g / path.offset) / path.rate if path.offset > 0 else math.inf
    return -g / path.line if path.line > 0 else math.inf


def _search(path: Path, end: float, touching: bool) -> float:
    if end < 0:
        return math.inf
    levels, rates = path.levels()
    for low, high in _stretches(levels[-1], path, end):
        points = [low, high]
        for k in range(len(levels) - 2, 0, -1):
            points = _with_zeros(path, levels[k], levels[k + 1], rates[k], points)
        s = _passing(path, levels, rates[0], points, touching)
        if s < math.inf:
            return s
    return math.inf


def _with_zeros(
    path: Path, level: Level, below: Level, rate: float, points: list[float]
) -> list[float]:
    """Return the points, and the zeros of a level that is monotone between them."""
    found, grown = points[:1], path.slowest(level)
    before = path.value(level, points[0], grown)
    for left, right in zip(points, points[1:], strict=False):
        after = path.value(level, right, grown)
        if (before < 0 < after) or (after < 0 < before):
            found.append(_zero(path, level, below, rate, left, right, after > 0))
        found.append(right)
        before = after
    return found


def _passing(
    path: Path, levels: list[Level], rate: float, points: list[float], touching: bool
) -> float:
    level, grown = levels[0], path.slowest(levels[0])
    before = path.value(level, points[0], grown)
    if before > 0 or (touching and before == 0):
        return points[0]
    for left, right in zip(points, points[1:], strict=False):
        after = path.value(level, right, grown)
        if after > 0:  # from 0 itself it rises at once
            return left if before == 0 else _zero(path, level, levels[1], rate, left, right, True)
        if touching and after == 0:
            return right
        before = after
    return math.inf


def _zero(
    path: Path, level: Level, below: Level, rate: float, low: float, high: float, rising: bool
) -> float:
    """Return the only zero between ``low`` and ``high`` to the last bits.

    Newton's steps with the slope that the level below gives; halves where they leave the bracket
    or gain too little.
    """
    s, last, grown = low, math.inf, path.slowest(level)
    for _ in range(400):
        value = path.value(level, s, grown)
        if value == 0.0:
            return s
        if (value > 0) == rising:
            high = s
        else:
            low = s
        slope = path.value(below, s, grown) + (grown - rate) * value
        new = s - value / slope if slope else math.inf
        if not low < new < high or abs(value) > 0.5 * abs(last):
            # a step of some last bits is the end, wherever it leads
            if abs(new - s) <= 4e-16 * abs(s):
                return min(max(new, low), high)
            new, value = 0.5 * (low + high), math.inf
            if not low < new < high:
                return high
        if abs(new - s) <= 2e-16 * abs(new):
            return new
        s, last = new, value
    return high


def _stretches(bottom: Level, path: Path, end: float) -> Iterator[tuple[float, float]]:
    """Yield stretches of [0, end] in which the last level has one sign."""
    low = 0.0
    for s in _zeros_of_waves(bottom.waves, [omega for _, omega in path.waves], end):
        if s > low:
            yield low, s
            low = s
    if low < end or end == 0.0:
        yield low, end


def _zeros_of_waves(
    amplitudes: list[complex], omegas: list[float], end: float
) -> Iterator[float]:  # fmt: skip
    """Yield the zeros in (0, end) of a sum of sinusoids, in order; and perhaps other points."""
    there = [(a, omega) for a, omega in zip(amplitudes, omegas, strict=True) if a]
    if len(there) == 1:
        amplitude, omega = there[0]
        phase = cmath.phase(amplitude)
        k = math.floor(phase / math.pi) + 1
        while (s := (k * math.pi - phase) / omega) < end:
            yield s
            k += 1
    elif there:
        step = math.pi / max(omega for _, omega in there)
        k = 0
        while k * step < end:
            yield from _between(there, k * step, min((k + 1) * step, end), step)
            if (k + 1) * step < end:
                yield (k + 1) * step
            k += 1


def _between(
    waves: list[tuple[complex, float]], low: float, high: float, scale: float
) -> Iterator[float]:  # fmt: skip
    """Yield the zeros of a sum of sinusoids in (low, high), halving until bounds are certain."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    turned = [a * cmath.exp(1j * omega * middle) for a, omega in waves]
    value = sum(z.imag for z in turned)
    slope = sum(z.real * omega for z, (_, omega) in zip(turned, waves, strict=True))
    if abs(value) > half * sum(abs(a) * omega for a, omega in waves):
        return
    if half < 1e-13 * scale:
        yield middle
        return
    if abs(slope) > half * sum(abs(a) * omega**2 for a, omega in waves):  # monotone
        rising = slope > 0
        if _sum_at(waves, low) * _sum_at(waves, high) >= 0:
            return
        while low < middle < high:
            low, high = (low, middle) if (_sum_at(waves, middle) > 0) == rising else (middle, high)
            middle = 0.5 * (low + high)
        yield middle
        return
    yield from _between(waves, low, middle, scale)
    yield middle
    yield from _between(waves, middle, high, scale)


def _sum_at(waves: list[tuple[complex, float]], s: float) -> float:
    return sum((a * cmath.exp(1j * omega * s)).imag for a, omega in waves)
