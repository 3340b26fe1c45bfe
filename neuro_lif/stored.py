"""What a chip makes of parameters and weights as it stores them, and what is lost by that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .arrays import IntArray, earlier_duplicates, entries, is_sparse, post_of_entries
from .convolution import Convolution
from .fixed_parts import FixedPopulation, FixedProjection
from .formats import overflow_array, round_shift_array, shift_array
from .profile import HardwareProfile
from .recording import OverflowEvent


def stored_params(
    profile: HardwareProfile, population: FixedPopulation
) -> tuple[dict[str, IntArray], list[OverflowEvent]]:
    """Return every parameter as stored, ``(n,)`` int64, and those that storage changed."""
    values: dict[str, IntArray] = {}
    events: list[OverflowEvent] = []
    for name, parameter in profile.params.items():
        given = population.params.get(name, parameter.default)
        wide = np.array(np.broadcast_to(np.asarray(given, np.int64), (population.size,)))
        values[name] = wide
        if parameter.storage is not None:
            span = parameter.span
            lo = span[0] if parameter.storage.lo is None else parameter.storage.lo
            hi = span[1] if parameter.storage.hi is None else parameter.storage.hi
            values[name] = overflow_array(wide, parameter.storage.mode, lo, hi)
            changed = np.flatnonzero(values[name] != wide)
            if changed.size:
                events.append(OverflowEvent(population.name, name, parameter.storage.mode, -1,
                                            int(changed.size), 0, int(changed[0])))  # fmt: skip
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
    stages = _stages(profile, p, np.asarray(entries(p.weights), np.int64))
    if profile.routing.duplicates == "last" and is_sparse(p.weights):
        delivered = np.where(earlier_duplicates(p.weights), 0, stages.bounded)
        return replace(stages, delivered=delivered)
    return stages


def kernel_stages(
    profile: HardwareProfile, p: FixedProjection, convolution: Convolution
) -> WeightStages:
    """Return every stage of a projection's planar kernel; a zero is no synapse and stays one."""
    kernel = np.asarray(convolution.planar_kernel, np.int64)
    stages = _stages(profile, p, kernel)
    return replace(stages, delivered=np.where(kernel, stages.delivered, 0))


def _stages(profile: HardwareProfile, p: FixedProjection, given: IntArray) -> WeightStages:
    rules, raw = profile.weights, is_raw(profile, p)
    clipped = given if raw else np.clip(given, *rules.mode_range(str(p.sign_mode)))
    shifted = coded = _mantissas(profile, p, given)
    if not raw and rules.exponent_on == "synapse":
        shifted = shift_rounded(coded, p.exponent, rules.exponent_round)
    bounded = delivered = shifted
    if rules.effective_lo is not None or rules.effective_hi is not None:
        bounded = delivered = np.clip(shifted, rules.effective_lo, rules.effective_hi)
    return WeightStages(given, clipped, coded, shifted, bounded, delivered)


def weight_events(profile: HardwareProfile, p: FixedProjection) -> list[OverflowEvent]:
    """Return what the weights of a projection lost: one event per kind, entries counted."""
    folded = p.convolution if p.is_folded else None
    s = weight_stages(profile, p) if folded is None else kernel_stages(profile, p, folded)
    low_bits = s.coded != s.clipped
    if p.exponent < 0 and s.shifted is not s.coded:
        low_bits = low_bits | (shift_array(s.shifted, -p.exponent) != s.coded)
    lost = {
        "clip": (s.clipped != s.given) | (s.bounded != s.shifted),
        "low_bits": low_bits,
        "duplicate": s.delivered != s.bounded,
    }
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


def shift_rounded(values: IntArray, exponent: int, rounding: str) -> IntArray:
    """Shift left, or right with a rounding (``floor``, ``rtz`` or ``nearest_even``)."""
    if exponent >= 0:
        return shift_array(values, exponent)
    if rounding == "nearest_even":
        return np.asarray(np.rint(values / 2.0**-exponent), np.int64)
    return round_shift_array(values, -exponent, rounding)
