"""What a chip makes of parameters and weights as it stores them, and what is lost by that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import (
    AT_ONCE,
    IntArray,
    earlier_duplicates,
    entries,
    is_sparse,
    post_of_entries,
    with_entries,
)
from .convolution import Convolution
from .fixed_parts import FixedPopulation, FixedProjection
from .formats import overflow_array, round_shift_array, shift_array
from .memo import Memo
from .recording import OverflowEvent

if TYPE_CHECKING:
    from .profile_model import HardwareProfile

MANY = 2**16
"""Weights from so many on are looked up in a table of their values."""


Stored = tuple[dict[str, IntArray], list[OverflowEvent]]

_params: Memo[tuple[HardwareProfile, Stored]] = Memo()
_lost_weights: Memo[tuple[HardwareProfile, list[OverflowEvent]]] = Memo()
"""Of a population or projection, under the profile that it was last asked for."""


def stored_params(profile: HardwareProfile, population: FixedPopulation) -> Stored:
    """Return every parameter as stored, ``(n,)`` int64 read-only, and those that storage changed.

    Populations do not change: the second call for one is quick.
    """
    known = _params.get(population)
    if known is None or known[0] is not profile:
        known = _params.keep(population, (profile, _stored_params(profile, population)))
    values, events = known[1]
    return dict(values), list(events)


def _stored_params(profile: HardwareProfile, population: FixedPopulation) -> Stored:
    values: dict[str, IntArray] = {}
    events: list[OverflowEvent] = []
    for name, parameter in profile.params.items():
        given = population.params.get(name, parameter.default)
        wide = np.full(population.size, given, np.int64)
        values[name] = wide
        if parameter.storage is not None:
            span = parameter.span
            lo = span[0] if parameter.storage.lo is None else parameter.storage.lo
            hi = span[1] if parameter.storage.hi is None else parameter.storage.hi
            if wide.min() < lo or wide.max() > hi:
                values[name] = overflow_array(wide, parameter.storage.mode, lo, hi)
                changed = np.flatnonzero(values[name] != wide)
                events.append(OverflowEvent(population.name, name, parameter.storage.mode, -1,
                                            int(changed.size), 0, int(changed[0])))  # fmt: skip
        values[name].setflags(write=False)
    return values, events


@dataclass(frozen=True)
class WeightStages:
    """The stored entries of a projection's weights on their way to what a spike delivers.

    Args:
        given: as handed over.
        clipped: inside the sign mode's range.
        coded: without the low bits that the mantissa has no room for.
        shifted: by the exponent, where the profile shifts synapse by synapse.
        bounded: inside the profile's range of a shifted weight.
        delivered: 0 where another synapse of the same two neurons takes a weight's place.
    """

    given: IntArray
    clipped: IntArray
    coded: IntArray
    shifted: IntArray
    bounded: IntArray
    delivered: IntArray


_few_weights: Memo[tuple[HardwareProfile, WeightStages]] = Memo(most=16)
"""Of the projections that were asked for last: each is asked for several times in a row."""


def is_raw(profile: HardwareProfile, p: FixedProjection) -> bool:
    """Tell whether the profile takes a projection's weights as they are (convolutions)."""
    own = profile.convolution
    return p.convolution is not None and own is not None and own.weights == "raw"


def stored_mantissas(profile: HardwareProfile, p: FixedProjection) -> IntArray:
    """Return the mantissas the chip stores, one per entry."""
    return _mantissas(profile, p, np.asarray(entries(p.weights), np.int64))


def _mantissas(profile: HardwareProfile, p: FixedProjection, values: IntArray) -> IntArray:
    rules = profile.weights
    if is_raw(profile, p):
        return values
    bits = rules.default_bits if p.weight_bits is None else p.weight_bits
    return np.asarray(rules.effective(values, str(p.sign_mode), bits), np.int64)


def weight_stages(profile: HardwareProfile, p: FixedProjection) -> WeightStages:
    """Return every stage of a projection's weights, one value per entry each."""
    known = _few_weights.get(p)
    if known is not None and known[0] is profile:
        return known[1]
    stages = _weight_stages(profile, p)
    if stages.given.size < MANY:
        _few_weights.keep(p, (profile, stages))
    return stages


def _weight_stages(profile: HardwareProfile, p: FixedProjection) -> WeightStages:
    stages = _stages(profile, p, np.asarray(entries(p.weights), np.int64))
    if profile.routing.duplicates != "last" or not is_sparse(p.weights):
        return stages
    delivered = np.where(earlier_duplicates(p.weights), 0, stages.bounded)
    return replace(stages, delivered=delivered)


def kernel_stages(
    profile: HardwareProfile, p: FixedProjection, convolution: Convolution
) -> WeightStages:
    """Return every stage of a projection's planar kernel; a zero is no synapse and stays one."""
    kernel = np.asarray(convolution.planar_kernel, np.int64)
    stages = _stages(profile, p, kernel)
    return replace(stages, delivered=np.where(kernel, stages.delivered, 0))


def _of_all_values(profile: HardwareProfile, p: FixedProjection) -> WeightStages | None:
    """Return the stages of every weight between a projection's lowest and highest, if they are few.

    None where weights are wide, few themselves, or what becomes of one depends on others.
    """
    values = entries(p.weights)
    few = values.size < MANY or values.dtype.itemsize > 2
    if few or profile.routing.duplicates == "last":
        return None
    return _stages(profile, p, np.arange(int(values.min()), int(values.max()) + 1))


def delivered_entries(profile: HardwareProfile, p: FixedProjection) -> Any:
    """Return what a spike delivers of every entry, before any shift of the sum; narrow if it fits.

    Many weights of 8 or 16 bits stay in types as narrow as hold what becomes of them.
    """
    table = _of_all_values(profile, p)
    if table is None:
        return weight_stages(profile, p).delivered
    values, low, high = entries(p.weights), table.delivered.min(), table.delivered.max()
    if np.array_equal(table.delivered, table.given):
        return values
    dtype = np.result_type(np.int8, np.min_scalar_type(low), np.min_scalar_type(high))
    out, of = np.empty(values.size, dtype), table.delivered.astype(dtype)
    for first in range(0, values.size, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        out[part] = of[values[part].astype(np.int64) - table.given[0]]
    return out


def delivered_weights(profile: HardwareProfile, p: FixedProjection) -> Any:
    """Return :func:`delivered_entries` as a matrix, dense or CSR like the weights."""
    values = delivered_entries(profile, p)
    return p.weights if values is entries(p.weights) else with_entries(p.weights, values)


def _stages(profile: HardwareProfile, p: FixedProjection, given: IntArray) -> WeightStages:
    """Return what becomes of weights one by one."""
    rules, raw = profile.weights, is_raw(profile, p)
    clipped = given if raw else np.clip(given, *rules.mode_range(str(p.sign_mode)))
    shifted = coded = _mantissas(profile, p, given)
    if not raw and rules.exponent_on == "synapse":
        shifted = shift_rounded(coded, p.exponent, rules.exponent_round)
    bounded = shifted
    if rules.effective_lo is not None or rules.effective_hi is not None:
        bounded = np.clip(shifted, rules.effective_lo, rules.effective_hi)
    return WeightStages(given, clipped, coded, shifted, bounded, bounded)


def weight_events(profile: HardwareProfile, p: FixedProjection) -> list[OverflowEvent]:
    """Return what the weights of a projection lost: one event per kind, entries counted."""
    known = _lost_weights.get(p)
    if known is None or known[0] is not profile:
        known = _lost_weights.keep(p, (profile, _weight_events(profile, p)))
    return list(known[1])


def _weight_events(profile: HardwareProfile, p: FixedProjection) -> list[OverflowEvent]:
    folded = p.convolution if p.is_folded else None
    table = _of_all_values(profile, p) if folded is None else None
    if table is not None and not any(x.any() for x in _lost(p, table).values()):
        return []
    s = weight_stages(profile, p) if folded is None else kernel_stages(profile, p, folded)
    lost = _lost(p, s)
    if not any(x.any() for x in lost.values()):
        return []
    if folded is None:
        uses, post = np.ones(s.given.shape, np.int64), post_of_entries(p.weights)
    else:
        uses, post = folded.uses(), folded.first_posts()
    lost = {kind: x & (uses > 0) for kind, x in lost.items()}
    return [
        OverflowEvent(p.name, "weights", kind, -1, int(uses[x].sum()), 0, int(post[x].min()))
        for kind, x in lost.items()
        if x.any()
    ]


def _lost(p: FixedProjection, s: WeightStages) -> dict[str, Any]:
    """Return which weights lost something, by kind."""
    low_bits = s.coded != s.clipped
    if p.exponent < 0 and s.shifted is not s.coded:
        low_bits = low_bits | (shift_array(s.shifted, -p.exponent) != s.coded)
    return {
        "clip": (s.clipped != s.given) | (s.bounded != s.shifted),
        "low_bits": low_bits,
        "duplicate": s.delivered != s.bounded,
    }


def shift_rounded(values: IntArray, exponent: int, rounding: str) -> IntArray:
    """Shift left, or right with a rounding (``floor``, ``rtz`` or ``nearest_even``)."""
    if exponent >= 0:
        return shift_array(values, exponent)
    if rounding == "nearest_even":
        return np.asarray(np.rint(values / 2.0**-exponent), np.int64)
    return round_shift_array(values, -exponent, rounding)
