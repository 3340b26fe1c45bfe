"""Scales worth a run: a geometric grid above the max-abs scale, rated by the laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..lower.lattice import Lattice, Room, largest, max_abs, settle, steps_in
from ..lower.scales import at_step, largest_step
from ..lower.search import Scale, error_at
from .laws import Listener

PER_OCTAVE = 12
"""Scales per octave of the grid."""
WIDEST_CUT = 6.0
"""How far above the max-abs scale the grid goes: weights above a sixth of the largest are cut."""


@dataclass(frozen=True)
class Candidate:
    """Scales of one population, or of all where they hang together.

    Args:
        scales: population -> scale.
        corrected: whether biases are corrected.
        predicted: mean error of v by the laws, as a share of the threshold.
    """

    scales: Mapping[str, Scale]
    corrected: bool
    predicted: float


def of_population(name: str, heard: Listener, biases: tuple[bool, ...]) -> list[Candidate]:
    """Return the candidates of one population, the best predicted first."""
    room = heard.room
    first = max_abs(room.demand, room.limits)
    if first is None:
        return []
    scales: list[Scale] = []
    for step in range(PER_OCTAVE):
        for lattice in _with_exponents(heard, first, 2.0 ** (step / PER_OCTAVE)):
            scale = settle(room, lattice)
            if scale is not None and scale not in scales:
                scales.append(scale)
    return rated({name: heard}, [{name: s} for s in scales], biases)


def of_all(heard: Mapping[str, Listener], biases: tuple[bool, ...]) -> list[Candidate]:
    """Return the candidates where all weights have one step, the best predicted first."""
    rooms = {n: h.room for n, h in heard.items() if max_abs(h.room.demand, h.room.limits)}
    if not rooms:
        return []
    steps = int(np.ceil(PER_OCTAVE * np.log2(WIDEST_CUT)))
    most = max(largest_step(r) for r in rooms.values())
    found = [at_step(rooms, most * 2.0 ** (-k / PER_OCTAVE)) for k in range(steps + 1)]
    return rated(heard, [f for f in found if f is not None], biases)


def rated(
    heard: Mapping[str, Listener], found: list[dict[str, Scale]], biases: tuple[bool, ...]
) -> list[Candidate]:
    """Return candidates with their predicted errors, the least first."""
    out = []
    for scales in found:
        for corrected in biases:
            squares = [heard[n].predicted(s, corrected) ** 2 for n, s in scales.items()]
            out.append(Candidate(scales, corrected, float(np.sqrt(np.mean(squares)))))
    return sorted(out, key=lambda c: c.predicted)


def _with_exponents(heard: Listener, first: Lattice, above: float) -> list[Lattice]:
    """Return lattices ``above`` the max-abs one, with the exponents that suit each projection.

    Of one projection all exponents; of several the best by themselves, and with each of them
    once the second best.
    """
    s = first.lsb_per_volt * above
    options: list[list[tuple[float, int]]] = []
    for one, exponent in zip(heard.heard, first.exponents, strict=True):
        found = []
        for lower in range(4):
            if _cut(one.part, heard.room, s, exponent - lower) > WIDEST_CUT and lower:
                break
            # coding is the same at any octave; only the difference of the two matters
            errors = error_at(one.part, heard.room.limits, s, exponent - lower)
            found.append((heard.of_charge(one.charge(errors), False), exponent - lower))
        options.append(sorted(found))
    if len(options) == 1:
        return [Lattice(s, (e,)) for _, e in options[0]]
    best = [found[0][1] for found in options]
    out = [Lattice(s, tuple(best))]
    for k, found in enumerate(options):
        if len(found) > 1:
            other = [*best[:k], found[1][1], *best[k + 1 :]]
            out.append(Lattice(s, tuple(other)))
    return out


def cut_of(room: Room, scale: Scale) -> float:
    """Return the largest weight over the largest that a scale codes, of the worst projection."""
    pairs = zip(room.demand.incoming, scale.exponents, strict=True)
    return max((_cut(p, room, scale.lsb_per_volt, e) for p, e in pairs), default=0.0)


def _cut(part, room: Room, s: float, exponent: int) -> float:  # type: ignore[no-untyped-def]
    step, steps = steps_in(part, room.limits)
    unit = 2.0 ** (exponent + room.limits.in_shift) / s
    return largest(part) / (steps * step * unit)
