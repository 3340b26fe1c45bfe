"""Chooses a population's scale: how many LSB one volt is.

The scale is shared by weights, threshold, bias and state, so it is found jointly: the registers'
head-room bounds it from above, and below that the candidate with the least predicted error wins.

Source of the error terms: truncation of the decays lowers v by about (1 + 1/du) / (2 dv) LSB;
rounding a weight by d moves the mean input by d * rate / (du dv).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..formats import nearest
from ..profile import Weights

ACTIVITIES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)
"""Shares of the presynaptic neurons that may fire in one step; 1.0 proves the bound."""

GOOD_ENOUGH = 0.005
"""A predicted error of v, as a share of the threshold, that is worth a proof of head-room."""

WORSE_AT_MOST = 1.5
"""How much larger the predicted error may get for the sake of a safer bound."""

RATE = 0.1
"""Spikes per neuron and step assumed when weight errors are compared with the others."""

SAMPLE = 200_000
"""Weights looked at while searching; all are coded in the end."""


@dataclass(frozen=True)
class Incoming:
    """Weights of one projection onto a population, as the search sees them.

    Args:
        values: ``(m,)`` V per step, one per synapse.
        post: ``(m,)`` target neuron.
        mode: sign mode.
        weight_bits: bits of the mantissa.
        most: most spikes one source sends in one step.
    """

    values: FloatArray
    post: IntArray
    mode: str
    weight_bits: int
    most: int = 1


@dataclass(frozen=True)
class Bounds:
    """Largest excursions in V, per neuron: one step's input ``sum``, ``u``, ``v`` up and down."""

    sum: FloatArray
    u: FloatArray
    v_up: FloatArray
    v_down: FloatArray


@dataclass(frozen=True)
class Demand:
    """What a population asks of the scale: everything in V, arrays ``(n,)``."""

    threshold: FloatArray
    bias: FloatArray
    v_init: FloatArray
    loss_u: FloatArray
    loss_v: FloatArray
    reset: str
    incoming: tuple[Incoming, ...]
    current: FloatArray
    """Largest injected current, V per step."""


@dataclass(frozen=True)
class Limits:
    """The profile's ranges, in LSB of v."""

    v: tuple[int, int]
    u: tuple[int, int]
    sum: float
    threshold: float
    bias: float
    in_shift: int
    thr_shift: int
    weights: Weights


@dataclass(frozen=True)
class Scale:
    """The result: LSB per V, an exponent per projection, and what was assumed."""

    lsb_per_volt: float
    exponents: tuple[int, ...]
    activity: float
    predicted: dict[str, float]


def bounds(demand: Demand, activity: float) -> Bounds:
    """Return how far sum, u and v can go while at most ``activity`` of the sources fire per step.

    Toward-zero decay never makes a magnitude larger, so bounds on the reals hold for the integers.
    Where v has no leak its lower bound is over 1,000 steps.
    """
    n = len(demand.threshold)
    up, down = np.zeros(n), np.zeros(n)
    for p in demand.incoming:
        up += _arriving(p, np.maximum(p.values, 0), activity, n)
        down += _arriving(p, np.maximum(-p.values, 0), activity, n)
    up, down = up + demand.current, down + demand.current
    u_up, u_down = up / np.maximum(demand.loss_u, 1e-6), down / np.maximum(demand.loss_u, 1e-6)
    drive_up = u_up + np.maximum(demand.bias, 0)
    drive_down = u_down + np.maximum(-demand.bias, 0)
    leak = np.maximum(demand.loss_v, 1e-3)
    resting = drive_up / leak
    top = demand.threshold + drive_up
    if demand.reset == "subtract":
        top = np.where(drive_up <= demand.threshold, top, np.maximum(top, resting))
    v_up = np.where(
        np.isfinite(demand.threshold), np.minimum(top, np.maximum(resting, drive_up)), resting
    )
    start = np.abs(demand.v_init)
    return Bounds(
        np.maximum(up, down),
        np.maximum(u_up, u_down),
        np.maximum(v_up, start),
        np.maximum(drive_down / leak, start),
    )


def _arriving(p: Incoming, values: FloatArray, activity: float, n: int) -> FloatArray:
    """Return the most that arrives in one step: the active share, but at least one synapse."""
    largest = np.zeros(n)
    np.maximum.at(largest, p.post, values)
    share = activity * np.bincount(p.post, values, minlength=n)
    return np.asarray(p.most * np.maximum(share, largest))


def highest_scale(b: Bounds, limits: Limits) -> float:
    """Return the largest LSB per V at which no register leaves its range under ``b``."""
    pairs = [
        (b.sum, limits.sum),
        (b.u, limits.u[1]),
        (b.v_up, limits.v[1]),
        (b.v_down, limits.v[1]),
    ]
    return min(float(limit / bound.max()) if bound.max() > 0 else np.inf for bound, limit in pairs)


def choose_scale(demand: Demand, limits: Limits, proved: bool = False) -> Scale:
    """Choose LSB per V and one weight exponent per projection for a population.

    A bound that holds for every input costs resolution. The safest bound is taken whose predicted
    error is below GOOD_ENOUGH or within WORSE_AT_MOST of the best; ``proved`` takes the safest.
    """
    hard, reference = _hard_limit(demand, limits), _reference(demand)
    looked_at = sampled(demand.incoming)
    found: list[Scale] = []
    for activity in ACTIVITIES[:1] if proved else ACTIVITIES:
        top = min(hard, highest_scale(bounds(demand, activity), limits))
        if not np.isfinite(top):  # nothing bounds it: no input, no bias, no threshold
            top = 1.0
        grid = [top * 2.0 ** (-step / 16) for step in range(33)]
        rated = [_rate(demand, looked_at, limits, s, activity, reference) for s in grid]
        found.append(min(rated, key=_total))
        if _total(found[-1]) <= GOOD_ENOUGH or top == hard:
            break
    accepted = max(GOOD_ENOUGH, WORSE_AT_MOST * min(_total(s) for s in found))
    return next(s for s in found if _total(s) <= accepted)


def _total(scale: Scale) -> float:
    return scale.predicted["total"]


def _hard_limit(demand: Demand, limits: Limits) -> float:
    """Return the scale at which threshold or bias leave their parameter's range."""
    caps = [np.inf]
    finite = demand.threshold[np.isfinite(demand.threshold)]
    if finite.size:
        caps.append(limits.threshold / float(finite.max()))
    largest = float(np.abs(demand.bias).max(initial=0.0))
    if largest > 0:
        caps.append(limits.bias / largest)
    return float(min(caps))


def _reference(demand: Demand) -> FloatArray:
    """Return the voltage errors are compared with: the threshold, or a read-out's likely range."""
    if np.isfinite(demand.threshold).all():
        return demand.threshold
    b = bounds(demand, RATE)
    likely = np.maximum(np.maximum(b.v_up, b.v_down), 1e-300)
    return np.where(np.isfinite(demand.threshold), demand.threshold, likely)


def _truncation(demand: Demand) -> FloatArray:
    """Return how many LSB truncating decays lower v by, on average."""
    through_u = 1.0 + np.where(demand.loss_u < 1.0, 1.0 / np.maximum(demand.loss_u, 1e-6), 0.0)
    return np.asarray(through_u / (2.0 * np.maximum(demand.loss_v, 1e-3)))


def _rate(
    demand: Demand,
    looked_at: tuple[Incoming, ...],
    limits: Limits,
    s: float,
    activity: float,
    reference: FloatArray,
) -> Scale:
    """Predict the relative errors at scale ``s`` and choose the exponents."""
    n = len(reference)
    per_drive = np.maximum(demand.loss_v, 1e-3) * reference
    variance = np.zeros(n)
    exponents = []
    for p, whole in zip(looked_at, demand.incoming, strict=True):
        exponent, error = best_exponent(p, limits, s)
        exponents.append(exponent)
        share = whole.values.size / max(p.values.size, 1)
        squares = share * np.bincount(p.post, error**2, minlength=n)
        variance += RATE * squares / np.maximum(demand.loss_u, 1e-6) ** 2
    unit = 2.0**limits.thr_shift
    finite = np.isfinite(demand.threshold)
    exact = np.where(finite, demand.threshold, 0.0) * s
    threshold = np.abs(np.rint(exact / unit) * unit - exact) / (s * reference)
    truncation = _truncation(demand) / (s * reference)
    terms = {
        "weights": float(np.sqrt(np.mean(variance / per_drive**2))),
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
    top = max(hi, -lo)
    fits = int(np.ceil(np.log2(max(largest / top, 2.0**-30))))
    best: tuple[float, int, FloatArray] | None = None
    for exponent in sorted({_within(fits + k, rules) for k in (0, -1)}):
        mantissa = code_weights(p.values, p, limits, s, exponent)
        error = mantissa * (2.0 ** (exponent + limits.in_shift) / s) - p.values
        square = float(np.mean(error**2)) if error.size else 0.0
        if best is None or square < best[0]:
            best = (square, exponent, error)
    return (best[1], best[2]) if best else (0, np.zeros(0))


def _within(exponent: int, rules: Weights) -> int:
    # a negative exponent shifts sums of weights right and loses bits of them: not worth it
    return int(min(max(exponent, max(rules.exponent_lo, 0)), rules.exponent_hi))


def code_weights(
    values: FloatArray, p: Incoming, limits: Limits, s: float, exponent: int
) -> IntArray:
    """Return mantissas: rounded to the nearest representable one and cut to the range."""
    rules = limits.weights
    step = rules.step(p.mode, p.weight_bits)
    lo, hi = rules.mode_range(p.mode)
    real = values * (s / 2.0 ** (exponent + limits.in_shift))
    whole = nearest(real / step) * step
    return np.clip(whole, -(-lo // step) * step, hi // step * step)


def sampled(incoming: Sequence[Incoming]) -> tuple[Incoming, ...]:
    """Return the projections with at most SAMPLE synapses each, the largest one among them."""
    out = []
    for p in incoming:
        if p.values.size > SAMPLE:
            keep = np.linspace(0, p.values.size - 1, SAMPLE).astype(np.int64)
            keep[0] = int(np.abs(p.values).argmax())
            p = Incoming(p.values[keep], p.post[keep], p.mode, p.weight_bits, p.most)
        out.append(p)
    return tuple(out)
