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
    search = Search.of(demand, limits, sampled(demand.incoming), reference_of(demand))
    spikes = bool(np.isfinite(demand.threshold).any())
    found: list[Scale] = []
    least = np.inf
    for activity in ACTIVITIES[:1] if proved else ACTIVITIES:
        top = min(hard, highest_scale(bounds(demand, activity), limits, spikes))
        if not np.isfinite(top):  # nothing bounds it: no input, no bias, no threshold
            top = 1.0
        if top <= 0:
            raise LoweringError(no_room(limits))
        best = search.best([top * 2.0 ** (-step / 16) for step in range(33)], activity, least)
        if best is not None:
            found.append(best)
            least = min(least, total_of(best))
        if least <= GOOD_ENOUGH or top == hard:
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


Squares = dict[tuple[float, int, int, int], float]
"""(LSB of the weights per volt, distance of two mantissas, least one, greatest one) -> mean square
error of a projection's weights."""


@dataclass(frozen=True)
class Search:
    """What is the same for all scales that are tried.

    Args:
        demand, limits: as of :func:`choose_scale`.
        reference: ``(n,)`` V that errors are compared with.
        looked_at: the projections, sampled.
        drive: of each projection, ``(m,)`` V of a synapse's neuron that errors are compared with.
        most_drive: the largest of all neurons, times the share that it loses of its current.
        largest: magnitude of each projection.
        squares: of each projection, what was found of its weights' errors.
    """

    demand: Demand
    limits: Limits
    reference: FloatArray
    looked_at: tuple[Incoming, ...]
    drive: tuple[FloatArray, ...]
    most_drive: float
    largest: tuple[float, ...]
    squares: tuple[Squares, ...]

    @classmethod
    def of(
        cls, demand: Demand, limits: Limits, looked_at: tuple[Incoming, ...], reference: FloatArray
    ) -> Search:
        """Prepare the search for one population."""
        per_drive = np.maximum(demand.loss_v, LEAST_LEAK) * reference
        drive = tuple(per_drive[p.post] for p in looked_at)
        most = float(per_drive.max(initial=0.0) * np.max(demand.loss_u, initial=1e-6))
        largest = tuple(float(np.abs(p.values).max(initial=0.0)) for p in looked_at)
        squares: tuple[Squares, ...] = tuple({} for _ in looked_at)
        return cls(demand, limits, reference, looked_at, drive, most, largest, squares)

    def best(self, grid: list[float], activity: float, enough: float) -> Scale | None:
        """Return the scale with the least predicted error, the first of several.

        The errors of threshold and decays alone, which are quick to work out, rule most scales out.
        None, or any of the scales, where all are worse than ``enough``.
        """
        known = self.known(grid)
        least = [
            _joint(0.0, *pair) for pair in known
        ]  # sums of squares only grow with the weights'
        rated: dict[int, Scale] = {}
        for k in sorted(range(len(grid)), key=least.__getitem__):
            if least[k] > enough:
                break
            scale = self._rated(grid[k], activity, *known[k], enough)
            if scale is not None:
                rated[k], enough = scale, min(enough, total_of(scale))
        return min((rated[k] for k in sorted(rated)), key=total_of, default=None)

    def known(self, grid: list[float]) -> list[tuple[float, float]]:
        """Return the relative errors of the threshold and of the decays, of every scale."""
        threshold, s = self.demand.threshold, np.array(grid)[:, None]
        unit = 2.0**self.limits.thr_shift
        exact = np.where(np.isfinite(threshold), threshold, 0.0) * s
        volts = s * self.reference
        off = np.abs(np.rint(exact / unit) * unit - exact) / volts
        lost = _truncation(self.demand) / volts
        found = (np.sqrt(np.mean(x**2, axis=1)).tolist() for x in (off, lost))
        return list(zip(*found, strict=True))

    def _rated(
        self, s: float, activity: float, threshold: float, truncation: float, enough: float
    ) -> Scale | None:
        """Predict the relative errors at scale ``s`` and choose the exponents.

        None where the error is certain to be above ``enough``.
        """
        found = [_exponent(p, self.limits, s, largest, known) for p, largest, known
                 in zip(self.looked_at, self.largest, self.squares, strict=True)]  # fmt: skip
        if _joint(self._least([square for _, square in found]), threshold, truncation) > enough:
            return None
        exponents = tuple(exponent for exponent, _ in found)
        return self.at(s, activity, exponents, threshold, truncation)

    def at(
        self, s: float, activity: float, exponents: tuple[int, ...], threshold: float,
        truncation: float,
    ) -> Scale:  # fmt: skip
        """Predict the relative errors at scale ``s``, the other errors being known."""
        n = len(self.reference)
        variance = np.zeros(n)
        parts = zip(self.looked_at, self.demand.incoming, self.drive, exponents, strict=True)
        for p, whole, drive, exponent in parts:
            share = whole.values.size / max(p.values.size, 1)
            relative = error_at(p, self.limits, s, exponent)
            relative /= drive  # before squaring, which may underflow
            squares = share * p.by_neuron(relative**2, n)
            variance += RATE * squares / np.maximum(self.demand.loss_u, 1e-6) ** 2
        weights = float(np.sqrt(np.mean(variance)))
        terms = {"weights": weights, "threshold": threshold, "truncation": truncation}
        terms["total"] = _joint(weights, threshold, truncation)
        return Scale(s, exponents, activity, terms)

    def _least(self, squares: list[float]) -> float:
        """Return a little less than the error that the weights make at least.

        As if every neuron were the one in which an error counts least.
        """
        if not 0.0 < self.most_drive < np.inf:
            return 0.0
        total = sum(p.values.size * square
                    for p, square in zip(self.demand.incoming, squares, strict=True))  # fmt: skip
        return (1 - 1e-6) * float(np.sqrt(RATE * total / len(self.reference))) / self.most_drive


def rate(
    demand: Demand, looked_at: tuple[Incoming, ...], limits: Limits, s: float, activity: float,
    reference: FloatArray, exponents: tuple[int, ...],
) -> Scale:  # fmt: skip
    """Predict the relative errors at scale ``s`` and given exponents."""
    search = Search.of(demand, limits, looked_at, reference)
    return search.at(s, activity, exponents, *search.known([s])[0])


def _joint(*errors: float) -> float:
    return float(np.sqrt(sum(v**2 for v in errors)))


def best_exponent(p: Incoming, limits: Limits, s: float) -> tuple[int, FloatArray]:
    """Return the exponent with the least mean square error (clipping allowed), and the errors."""
    exponent, _ = _exponent(p, limits, s, float(np.abs(p.values).max(initial=0.0)), {})
    return exponent, error_at(p, limits, s, exponent)


def _exponent(
    p: Incoming, limits: Limits, s: float, largest: float, known: Squares
) -> tuple[int, float]:
    """Return the exponent with the least mean square error, and that.

    Scales whose ratio is a power of two share errors, as their exponents make up for it: ``known``
    has those that were worked out before.
    """
    rules = limits.weights
    lo, hi = rules.mode_range(p.mode)
    if not p.values.size:
        return max(_within(-30 - k, rules) for k in range(3)), 0.0
    top = max(hi, -lo, 1)
    fits = int(np.ceil(np.log2(max(largest * s / 2.0**limits.in_shift / top, 2.0**-30))))
    best = (np.inf, 0)
    for exponent in sorted({_within(fits - k, rules) for k in range(3)}, reverse=True):
        key = (s / 2.0 ** (exponent + limits.in_shift), *_grid(p, limits, exponent))
        square = known.get(key)
        if square is None:
            error = error_at(p, limits, s, exponent)
            error *= error
            square = known[key] = float(np.add.reduce(error) / error.size)
        if square < best[0]:
            best = (square, exponent)
    return best[1], best[0]


def error_at(p: Incoming, limits: Limits, s: float, exponent: int) -> FloatArray:
    """Return what coding at an exponent adds to every weight, V per step.

    What :func:`code_weights` makes of the weights, without integers between: all are whole and far
    below 2**53.
    """
    step, lo, hi = _grid(p, limits, exponent)
    scale = 2.0 ** (exponent + limits.in_shift)
    x = p.values * (s / scale)
    if step != 1:
        x /= step
    if p.rounding == "nearest":
        np.rint(x, out=x)
    else:
        x = rounded(np.clip(x, -FAR, FAR), p.rounding, p.draws).astype(np.float64)
    if step != 1:
        x *= step
    np.maximum(x, lo, out=x)
    np.minimum(x, hi, out=x)
    x *= scale / s
    x -= p.values
    return x


def _grid(p: Incoming, limits: Limits, exponent: int) -> tuple[int, int, int]:
    """Return the distance of two mantissas, the least one and the greatest one."""
    rules = limits.weights
    step = rules.step(p.mode, p.weight_bits)
    lo, hi = rules.kept_range(p.mode, exponent)
    return step, -(-lo // step) * step, hi // step * step


def _within(exponent: int, rules: Weights) -> int:
    # a negative exponent shifts sums of weights right and loses bits of them: not worth it
    return int(min(max(exponent, max(rules.exponent_lo, 0)), rules.exponent_hi))


def code_weights(
    values: FloatArray, p: Incoming, limits: Limits, s: float, exponent: int
) -> IntArray:
    """Return mantissas: rounded to representable ones and cut to the range."""
    step, lo, hi = _grid(p, limits, exponent)
    real = values * (s / 2.0 ** (exponent + limits.in_shift))
    # cut before the cast: a value far outside would leave the range of an int64
    whole = rounded(np.clip(real / step, -FAR, FAR), p.rounding, p.draws) * step
    return np.clip(whole, lo, hi)


def sampled(incoming: Sequence[Incoming]) -> tuple[Incoming, ...]:
    """Return the projections with at most SAMPLE synapses each, the largest one among them."""
    out = []
    for p in incoming:
        if p.values.size > SAMPLE and p.folded is None:
            keep = np.linspace(0, p.values.size - 1, SAMPLE).astype(np.int64)
            keep[0] = int(np.abs(p.values).argmax())
            draws = None if p.draws is None else p.draws[keep]
            p = Incoming(p.values[keep], p.post[keep], p.mode, p.weight_bits, p.sources, p.most,
                         rounding=p.rounding, draws=draws)  # fmt: skip
        out.append(p)
    return tuple(out)
