"""Scales on a given lattice of weights: the steps stay, whole octaves of the scale are free.

Halving the LSB per volt and lowering every exponent by one leaves all weights as they are, while
threshold, bias and state get coarser and the registers more head-room.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray
from ..errors import LoweringError
from .bounds import Demand, Incoming, Limits, bounds, hard_limit, highest_scale
from .search import (
    ACTIVITIES,
    GOOD_ENOUGH,
    WORSE_AT_MOST,
    Scale,
    no_room,
    rate,
    reference_of,
    sampled,
    total_of,
)


@dataclass(frozen=True)
class Lattice:
    """The steps of the weights onto a population.

    Args:
        lsb_per_volt: at these exponents.
        exponents: one per projection; all are moved by the same whole number of octaves.
        rigid: False: where the threshold leaves no room for such small steps, some may be larger.
    """

    lsb_per_volt: float
    exponents: tuple[int, ...]
    rigid: bool = False

    def up(self, octaves: int, least: int) -> Lattice:
        """Return the same steps at another scale, but for exponents below the ``least``."""
        moved = tuple(max(e + octaves, least) for e in self.exponents)
        return Lattice(self.lsb_per_volt * 2.0**octaves, moved, self.rigid)


@dataclass(frozen=True)
class Room:
    """What bounds the scale of a population, whatever its weights become.

    Args:
        demand, limits: of the population.
        looked_at: weights that are looked at while searching.
        reference: ``(n,)`` V that errors are compared with.
        hard: LSB per V at which threshold or bias leave their range.
        tops: (share of the sources that fire in a step, LSB per V at which registers still hold).
    """

    demand: Demand
    limits: Limits
    looked_at: tuple[Incoming, ...]
    reference: FloatArray
    hard: float
    tops: tuple[tuple[float, float], ...]


def room_of(demand: Demand, limits: Limits, proved: bool = False, cap: float = np.inf) -> Room:
    """Return what bounds a population's scale; ``proved``: only what holds for every input."""
    hard = min(hard_limit(demand, limits), cap)
    spikes = bool(np.isfinite(demand.threshold).any())
    shares = ACTIVITIES[:1] if proved else ACTIVITIES
    tops = tuple((a, min(hard, highest_scale(bounds(demand, a), limits, spikes))) for a in shares)
    looked_at = sampled(demand.incoming)
    return Room(demand, limits, looked_at, reference_of(demand), hard, tops)


def capped(room: Room, cap: float) -> Room:
    """Return the room below a scale that may not be passed."""
    tops = tuple((activity, min(top, cap)) for activity, top in room.tops)
    return replace(room, hard=min(room.hard, cap), tops=tops)


def settle(room: Room, lattice: Lattice) -> Scale | None:
    """Return the octave of a lattice with the safest bound that costs little resolution.

    As :func:`neuro_lif.lower.search.choose_scale` does: the safest bound is taken whose predicted
    error is below GOOD_ENOUGH, or within WORSE_AT_MOST of the least.

    Returns:
        None where no octave fits the profile's exponents and ranges.
    """
    # a lattice that fits under a bold bound is not given up for a coarser one under a safer bound
    found = _settled(room, lattice, False) or _settled(room, lattice, not lattice.rigid)
    if not found:
        return None
    accepted = max(GOOD_ENOUGH, WORSE_AT_MOST * min(total_of(s) for s in found))
    return next(s for s in found if total_of(s) <= accepted)


def _settled(room: Room, lattice: Lattice, coarser: bool) -> list[Scale]:
    """Return the octave that fits under every bound, safest first; perhaps coarser steps."""
    found: list[Scale] = []
    rated: dict[Lattice, Scale] = {}
    for activity, top in room.tops:
        at = _highest(room, lattice, top, coarser)
        if at is None:
            continue
        if at not in rated:
            rated[at] = rate(room.demand, room.looked_at, room.limits, at.lsb_per_volt, activity,
                             room.reference, at.exponents)  # fmt: skip
            found.append(rated[at])
        if total_of(rated[at]) <= GOOD_ENOUGH or top >= room.hard:
            break
    return found


def _highest(room: Room, lattice: Lattice, top: float, coarser: bool) -> Lattice | None:
    """Return the highest octave of a lattice below a scale; ``coarser`` steps where none fits."""
    rules = room.limits.weights
    lo, hi = max(rules.exponent_lo, 0), rules.exponent_hi
    if not 0 < top < np.inf:
        return None
    first = (
        min(lattice.exponents, default=0) if lattice.rigid else max(lattice.exponents, default=0)
    )
    least, most = lo - first, hi - max(lattice.exponents, default=0)
    k = min(int(np.floor(np.log2(top * (1 + 1e-12) / lattice.lsb_per_volt))), most)
    if k >= least:
        return lattice.up(k, lo)
    if not coarser or least > most:
        return None
    return Lattice(top, tuple(lo for _ in lattice.exponents))


def steps_in(p: Incoming, limits: Limits) -> tuple[int, int]:
    """Return (mantissas in a step, steps in the largest weight that both signs have)."""
    rules = limits.weights
    step = rules.step(p.mode, p.weight_bits)
    lo, hi = rules.mode_range(p.mode)
    up, down = hi // step, -lo // step
    if p.mode == "mixed":
        return step, max(min(up, down), 1)
    return step, max(up, down, 1)


def largest(p: Incoming) -> float:
    """Return the largest weight, V per step."""
    return float(np.abs(p.values).max(initial=0.0))


def max_abs(demand: Demand, limits: Limits) -> Lattice | None:
    """Return the lattice whose largest code is the largest weight of the population.

    Projections with smaller weights take the smallest exponent at which none is cut. None where
    there are no weights.

    Source: what nengo-loihi 1.1 does for a block and its synapses, and rockpool for a layer.
    """
    whole = [largest(p) / float(np.prod(steps_in(p, limits))) for p in demand.incoming]
    unit = max(whole, default=0.0)  # V of one mantissa where the largest weight is
    if unit <= 0:
        return None
    exponents = tuple(int(np.ceil(np.log2(max(w / unit, 2.0**-40)) - 1e-9)) for w in whole)
    shifted = tuple(max(e, -limits.weights.exponent_hi) for e in exponents)
    return Lattice(2.0**limits.in_shift / unit, shifted)


def even(step: float, demand: Demand, limits: Limits) -> Lattice:
    """Return the lattice on which every projection has the same step between weights, V."""
    mantissas = [steps_in(p, limits)[0] for p in demand.incoming]
    exponents = tuple(-int(np.log2(m)) for m in mantissas)
    return Lattice(2.0**limits.in_shift / step, exponents, rigid=True)


def must(scale: Scale | None, limits: Limits, where: str) -> Scale:
    """Return the scale; refuse by name where there is none.

    Raises:
        LoweringError: no octave of the lattice fits.
    """
    if scale is None:
        raise LoweringError(
            f"{where}: no scale with one step between all weights fits: {no_room(limits)}"
        )
    return scale
