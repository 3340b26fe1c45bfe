"""Chooses a population's scale: how many LSB one volt is.

The scale is shared by weights, threshold, bias and state, so it is found jointly: the registers'
head-room bounds it from above, and below that the candidate with the least predicted error wins.

Source of the error terms: truncation of the decays lowers v by about (1 + 1/du) / (2 dv) LSB;
rounding a weight by d moves the mean input by d * rate / (du dv).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import LoweringError
from .bounds import LEAST_LEAK, Demand, Incoming, Limits, bounds, hard_limit, highest_scale
from .rounding import rounded

if TYPE_CHECKING:
    from ..profile_model import Weights

ACTIVITIES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
"""Shares of the presynaptic neurons that may fire in one step; 1.0 proves the bound."""

GOOD_ENOUGH = 0.005
"""A predicted error of v, as a share of the threshold, that is worth a proof of head-room."""

WORSE_AT_MOST = 1.5
"""How much larger the predicted error may get for the sake of a safer bound."""

RATE = 0.1
"""Spikes per neuron and step assumed when weight errors are compared with the others."""

SAMPLE = 60_000
"""Weights looked at while searching; all are coded in the end."""


FAR = 2.0**40
"""Steps beyond which weights are cut before they become integers, which could not hold them."""


@dataclass(frozen=True)
class Scale:
    """The result: LSB per V, an exponent per projection, and what was assumed."""

    lsb_per_volt: float
    exponents: tuple[int, ...]
    activity: float
    predicted: dict[str, float]


def choose_scale(
    demand: Demand, limits: Limits, proved: bool = False, cap: float = np.inf
) -> Scale:
    """Choose LSB per V and one weight exponent per projection for a population.

    A bound that holds for every input costs resolution. The safest bound is taken whose predicted
    error is below GOOD_ENOUGH or within WORSE_AT_MOST of the best; ``proved`` takes the safest.
    ``cap`` is a scale not to be passed.
    """
    hard = min(hard_limit(demand, limits), cap)
    reference, looked_at = reference_of(demand), sampled(demand.incoming)
    spikes = bool(np.isfinite(demand.threshold).any())
    found: list[Scale] = []
    for activity in ACTIVITIES[:1] if proved else ACTIVITIES:
        top = min(hard, highest_scale(bounds(demand, activity), limits, spikes))
        if not np.isfinite(top):  # nothing bounds it: no input, no bias, no threshold
            top = 1.0
        if top <= 0:
            raise LoweringError(no_room(limits))
        grid = [top * 2.0 ** (-step / 16) for step in range(33)]
        rated = [rate(demand, looked_at, limits, s, activity, reference) for s in grid]
        found.append(min(rated, key=total_of))
        if total_of(found[-1]) <= GOOD_ENOUGH or top == hard:
            break
    accepted = max(GOOD_ENOUGH, WORSE_AT_MOST * min(total_of(s) for s in found))
    return next(s for s in found if total_of(s) <= accepted)


def no_room(limits: Limits) -> str:
    """Return why no scale fits, and what would have to."""
    room = f"v {limits.v[0]}..{limits.v[1]}, u {limits.u[0]}..{limits.u[1]}"
    lo, hi = limits.weights.mode_range("mixed")
    return (
        f"no scale fits: the profile has {room}, threshold up to {limits.threshold:g}, "
        f"sum up to {limits.sum:g} (LSB of v), weights {lo}..{hi}; "
        "allowed: ranges that hold more than 0"
    )


def total_of(scale: Scale) -> float:
    """Return the predicted error of v, all terms together, as a share of the threshold."""
    return scale.predicted["total"]


def reference_of(demand: Demand) -> FloatArray:
    """Return the voltage errors are compared with: the threshold, or a read-out's likely range."""
    if np.isfinite(demand.threshold).all():
        return demand.threshold
    b = bounds(demand, RATE)
    likely = np.maximum(b.v_up, b.v_down)
    likely = np.where(likely > 0, likely, 1.0)
    return np.where(np.isfinite(demand.threshold), demand.threshold, likely)


def _truncation(demand: Demand) -> FloatArray:
    """Return how many LSB the rounding of the decays lowers v by, on average."""
    through_u = 1.0 + np.where(demand.loss_u < 1.0, 1.0 / np.maximum(demand.loss_u, 1e-6), 0.0)
    return np.asarray(demand.lost * through_u / np.maximum(demand.loss_v, LEAST_LEAK))


def rate(
    demand: Demand,
    looked_at: tuple[Incoming, ...],
    limits: Limits,
    s: float,
    activity: float,
    reference: FloatArray,
    given: tuple[int, ...] | None = None,
) -> Scale:
    """Predict the relative errors at scale ``s``; choose the exponents unless they are given."""
    n = len(reference)
    per_drive = np.maximum(demand.loss_v, LEAST_LEAK) * reference
    variance = np.zeros(n)
    exponents = []
    for k, (p, whole) in enumerate(zip(looked_at, demand.incoming, strict=True)):
        if given is None:
            exponent, error = best_exponent(p, limits, s)
        else:
            exponent, error = given[k], error_at(p, limits, s, given[k])
        exponents.append(exponent)
        share = whole.values.size / max(p.values.size, 1)
        relative = error / per_drive[p.post]  # before squaring, which may underflow
        squares = share * np.bincount(p.post, relative**2, minlength=n)
        variance += RATE * squares / np.maximum(demand.loss_u, 1e-6) ** 2
    unit = 2.0**limits.thr_shift
    finite = np.isfinite(demand.threshold)
    exact = np.where(finite, demand.threshold, 0.0) * s
    threshold = np.abs(np.rint(exact / unit) * unit - exact) / (s * reference)
    truncation = _truncation(demand) / (s * reference)
    terms = {
        "weights": float(np.sqrt(np.mean(variance))),
        "threshold": float(np.sqrt(np.mean(threshold**2))),
        "truncation": float(np.sqrt(np.mean(truncation**2))),
    }
    terms["total"] = float(np.sqrt(sum(v**2 for v in terms.values())))
    return Scale(s, tuple(exponents), activity, terms)


def best_exponent(p: Incoming, limits: Limits, s: float) -> tuple[int, FloatArray]:
    """Return the exponent with the least mean square error (clipping allowed), and the errors."""
    rules = limits.weights
    lo, hi = rules.mode_range(p.mode)
    largest = float(np.abs(p.values).max(initial=0.0)) * s / 2.0**limits.in_shift
    top = max(hi, -lo, 1)
    fits = int(np.ceil(np.log2(max(largest / top, 2.0**-30))))
    best: tuple[float, int, FloatArray] | None = None
    for exponent in sorted({_within(fits - k, rules) for k in range(3)}, reverse=True):
        error = error_at(p, limits, s, exponent)
        square = float(np.mean(error**2)) if error.size else 0.0
        if best is None or square < best[0]:
            best = (square, exponent, error)
    return (best[1], best[2]) if best else (0, np.zeros(0))


def error_at(p: Incoming, limits: Limits, s: float, exponent: int) -> FloatArray:
    """Return what coding at an exponent adds to every weight, V per step."""
    mantissa = code_weights(p.values, p, limits, s, exponent)
    return np.asarray(mantissa * (2.0 ** (exponent + limits.in_shift) / s) - p.values)


def _within(exponent: int, rules: Weights) -> int:
    # a negative exponent shifts sums of weights right and loses bits of them: not worth it
    return int(min(max(exponent, max(rules.exponent_lo, 0)), rules.exponent_hi))


def code_weights(
    values: FloatArray, p: Incoming, limits: Limits, s: float, exponent: int
) -> IntArray:
    """Return mantissas: rounded to the nearest representable one and cut to the range."""
    rules = limits.weights
    step = rules.step(p.mode, p.weight_bits)
    lo, hi = rules.kept_range(p.mode, exponent)
    real = values * (s / 2.0 ** (exponent + limits.in_shift))
    # cut before the cast: a value far outside would leave the range of an int64
    whole = rounded(np.clip(real / step, -FAR, FAR), p.rounding, p.draws) * step
    return np.clip(whole, -(-lo // step) * step, hi // step * step)


def sampled(incoming: Sequence[Incoming]) -> tuple[Incoming, ...]:
    """Return the projections with at most SAMPLE synapses each, the largest one among them."""
    out = []
    for p in incoming:
        if p.values.size > SAMPLE:
            keep = np.linspace(0, p.values.size - 1, SAMPLE).astype(np.int64)
            keep[0] = int(np.abs(p.values).argmax())
            draws = None if p.draws is None else p.draws[keep]
            p = Incoming(p.values[keep], p.post[keep], p.mode, p.weight_bits, p.sources, p.most,
                         rounding=p.rounding, draws=draws)  # fmt: skip
        out.append(p)
    return tuple(out)
