"""How far sum, u and v of a population can go, on the reals, and the scales that follow from it.

:mod:`.reach` proves such bounds on the integers once they are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray
from ..convolution import Convolution
from .kernels import by_neuron, strongest_folded

if TYPE_CHECKING:
    from ..profile_model import Weights

LEAST_LEAK = 1e-3
"""Where v leaks less than this per step, a bound that is no proof is over 1,000 steps."""

CLIPPED = 4.0
"""How far above the scale that holds the largest weight the search goes: the rest is clipped."""


@dataclass(frozen=True)
class Incoming:
    """Weights of one projection onto a population, as the search sees them.

    Args:
        values: ``(m,)`` V per step, one per synapse.
        post: ``(m,)`` target neuron.
        lane: ``(m,)`` number of the synapse's delay among the projection's ``lanes`` delays.
        mode: sign mode.
        weight_bits: bits of the mantissa.
        sources: number of presynaptic neurons.
        most: most spikes one source sends in one step.
        rounding: of :data:`neuro_lif.lower.rounding.ROUNDINGS`; ``draws`` ``(m,)`` those of a
            stochastic one.
        folded: the convolution, if it is one: ``values`` are then its planar kernel's entries, and
            ``post`` one neuron of each.
    """

    values: FloatArray
    post: IntArray
    mode: str
    weight_bits: int
    sources: int
    most: int = 1
    lane: IntArray | int = 0
    lanes: int = 1
    rounding: str = "nearest"
    draws: FloatArray | None = None
    folded: Convolution | None = None

    def strongest(self, sign: int, n: int, count: int) -> FloatArray:
        """Return, per neuron, the most of one sign that arrives while ``count`` sources fire."""
        values = sign * self.values
        if self.folded is not None:
            return strongest_folded(self.folded, values, count)
        return strongest(values, self.post, n, count, self.lane, self.lanes)

    def by_neuron(self, values: FloatArray, n: int) -> FloatArray:
        """Return the sum of one value per synapse over the synapses of each neuron ``(n,)``."""
        if self.folded is not None:
            return by_neuron(self.folded, values)
        return np.asarray(np.bincount(self.post, values, minlength=n))


@dataclass(frozen=True)
class Feed:
    """A filter stage that leads to a population, as the search sees it.

    Args:
        incoming: the projections onto it, V per step that they make it send.
        loss: ``(n,)`` share of itself that it loses per step.
        feeds: the stages that lead to it.
    """

    incoming: tuple[Incoming, ...]
    loss: FloatArray
    feeds: tuple[Feed, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """Largest excursions in V, per neuron: one step's input ``sum``, ``u``, ``v`` up and down."""

    sum: FloatArray
    u: FloatArray
    v_up: FloatArray
    v_down: FloatArray


@dataclass(frozen=True)
class Demand:
    """What a population asks of the scale: everything in V, arrays ``(n,)``.

    Args:
        threshold, bias, v_init: as stepped, gain-compensated.
        loss_u, loss_v: shares lost per step, as coded.
        reset: ``value``, ``subtract`` or ``none``.
        incoming: the projections onto it.
        current: largest injected current, V per step.
        lost: LSB that one rounding of a decay takes from the magnitude, on average.
        feeds: the filter stages that lead to it.
        u_init: V per step that u starts at; None: 0.
        least: where v leaks less than this per step, a bound that is no proof is over ``1 / least``
            steps.
    """

    threshold: FloatArray
    bias: FloatArray
    v_init: FloatArray
    loss_u: FloatArray
    loss_v: FloatArray
    reset: str
    incoming: tuple[Incoming, ...]
    current: FloatArray
    lost: float = 0.5
    feeds: tuple[Feed, ...] = ()
    u_init: FloatArray | None = None
    least: float = LEAST_LEAK


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


def sign_mode(values: FloatArray) -> str:
    """Return the sign mode that weights need: that of one sign where they have one."""
    if values.size and values.min() < 0:
        return "mixed" if values.max() > 0 else "inhibitory"
    return "excitatory"


def strongest(
    values: FloatArray,
    post: IntArray,
    n: int,
    count: int,
    lane: IntArray | int = 0,
    lanes: int = 1,
) -> FloatArray:
    """Return, per neuron, the most that arrives in one step while ``count`` sources fire ``(n,)``.

    A synapse delivers at most once per step, whatever its delay. Spikes of several earlier steps
    can arrive together through different delays, so the ``count`` largest of every lane add up.
    """
    sums = _largest(values, post * lanes + lane, n * lanes, count)
    return np.asarray(sums.reshape(n, lanes).sum(axis=1))


def _largest(values: FloatArray, post: IntArray, n: int, count: int) -> FloatArray:
    keep = values > 0
    values, post = values[keep], post[keep]
    if count >= np.bincount(post, minlength=n).max(initial=0):
        return np.bincount(post, values, minlength=n).astype(np.float64)
    order = np.lexsort((-values, post))
    values, post = values[order], post[order]
    starts = np.searchsorted(post, np.arange(n))
    within = np.arange(len(post)) - starts[post] < count
    return np.bincount(post[within], values[within], minlength=n).astype(np.float64)


def lanes_of(delays: IntArray) -> tuple[IntArray | int, int]:
    """Return (number of each synapse's delay, how many different delays there are)."""
    if np.ndim(delays) == 0 or not np.size(delays):
        return 0, 1
    different, number = np.unique(delays, return_inverse=True)
    return np.asarray(number, np.int64), len(different)


def active(sources: int, activity: float) -> int:
    """Return how many of ``sources`` neurons the share ``activity`` is, at least one."""
    return max(int(np.ceil(activity * sources - 1e-9)), 1)


def arriving(
    incoming: Sequence[Incoming], n: int, activity: float
) -> tuple[FloatArray, FloatArray]:
    """Return the most that can arrive in one step (up, down) while ``activity`` of each fire."""
    up, down = np.zeros(n), np.zeros(n)
    for p in incoming:
        count = active(p.sources, activity)
        up += p.most * p.strongest(1, n, count)
        down += p.most * p.strongest(-1, n, count)
    return up, down


def sent(feed: Feed, activity: float) -> tuple[FloatArray, FloatArray]:
    """Return the most that a filter stage sends in one step (up, down), V per step."""
    up, down = all_arriving(feed.incoming, feed.feeds, len(feed.loss), activity)
    settling = _settling(feed.loss, activity)
    return up / settling, down / settling


def all_arriving(
    incoming: Sequence[Incoming], feeds: Sequence[Feed], n: int, activity: float
) -> tuple[FloatArray, FloatArray]:
    """Return the most that can arrive in one step (up, down), from filter stages too."""
    up, down = arriving(incoming, n, activity)
    for feed in feeds:
        more_up, more_down = sent(feed, activity)
        up, down = up + more_up, down + more_down
    return up, down


def bounds(demand: Demand, activity: float) -> Bounds:
    """Return how far sum, u and v can go while at most ``activity`` of the sources fire per step.

    Without a leak (or with hardly any, where the bound is no proof) it is over 1,000 steps, of v
    over those that ``demand.least`` stands for.
    """
    n = len(demand.threshold)
    up, down = all_arriving(demand.incoming, demand.feeds, n, activity)
    # a current is coded so that u follows it: it adds to u once, not 1/loss_u times
    kept = 1.0 - demand.loss_u
    loss_u = _settling(demand.loss_u, activity)
    leak = _settling(demand.loss_v, activity, demand.least)
    largest = np.maximum(up, down) + (1.0 + kept) * demand.current
    # u that starts above what its input keeps up only falls towards that
    first = np.zeros(n) if demand.u_init is None else demand.u_init
    u_up = np.maximum(up / loss_u, first) + demand.current
    u_down = np.maximum(down / loss_u, -first) + demand.current
    drive_up = np.maximum(u_up + demand.bias, 0.0)
    drive_down = np.maximum(u_down - demand.bias, 0.0)
    start = np.abs(demand.v_init)
    resting = np.maximum(drive_up / leak, start)
    # before the reset v is at most one drive above the threshold, or above where it started
    top = np.maximum(demand.threshold, start) + drive_up
    if demand.reset == "subtract":
        # what passes the threshold by more than the threshold stays above it after the reset
        left = np.maximum(drive_up - demand.threshold, 0.0) / leak
        top = np.where(drive_up <= demand.threshold, top, top + left)
    elif demand.reset == "none":
        top = resting
    return Bounds(
        largest,
        np.maximum(u_up, u_down),
        np.minimum(top, resting),
        np.maximum(drive_down / leak, start),
    )


def _settling(loss: FloatArray, activity: float, least: float = LEAST_LEAK) -> FloatArray:
    shares = np.maximum(loss, least)
    return np.where(loss > 0, loss, shares) if activity == 1.0 else shares


def highest_scale(b: Bounds, limits: Limits, spikes: bool = True) -> float:
    """Return the largest LSB per V at which no register leaves its range under ``b``.

    A read-out must not reach the threshold parameter's end either: it would spike.
    """
    v_top = limits.v[1] if spikes else min(limits.v[1], limits.threshold)
    pairs = [(b.sum, limits.sum), (b.u, limits.u[1]), (b.v_up, v_top), (b.v_down, -limits.v[0])]
    return min(float(limit / bound.max()) if bound.max() > 0 else np.inf for bound, limit in pairs)


def hard_limit(demand: Demand, limits: Limits) -> float:
    """Return the scale at which threshold, bias or weights leave their parameter's range."""
    caps = [np.inf]
    finite = demand.threshold[np.isfinite(demand.threshold)]
    if finite.size:
        caps.append(limits.threshold / float(finite.max()))
    largest = float(np.abs(demand.bias).max(initial=0.0))
    if largest > 0 and limits.bias > 0:
        caps.append(limits.bias / largest)
    for p in demand.incoming:
        lo, hi = limits.weights.kept_range(p.mode, limits.weights.exponent_hi)
        unit = 2.0 ** (limits.weights.exponent_hi + limits.in_shift)
        largest = float(np.abs(p.values).max(initial=0.0))
        if largest > 0:
            caps.append(CLIPPED * max(hi, -lo) * unit / largest)
    return float(min(caps))
