"""All error formulas of one population at once: :func:`errors_of`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..discretize import SteppedNetwork
from ..fixed import FixedNetwork
from ..reference.theory import d_nu_d_mu, d_nu_d_sigma, d_nu_d_V_th
from .coded import Coded, Incoming, coded_lif, most_of
from .decays import (
    dead_zone,
    most_relative_error,
    period_steps,
    relative_error,
    steady_state_error,
    tau_effective,
)
from .rates import RateError, checked, meant_point, rates_of
from .received import Drive, Received
from .roundings import compensator, settled_shift, shift_of, state_sd, threshold_needed
from .synapses import mean_shift_of_weights, sd_of_weights, variance_of_weights
from .thresholds import (
    isi_on_grid,
    lattice_threshold,
    path_bound,
    period_slope,
    spike_time_error,
)


@dataclass(frozen=True, eq=False)
class DecayError:
    """F1 of one register; arrays ``(n,)``.

    Args:
        delta: share lost per step as coded, ``meant`` that of the float reference.
        relative: ``delta / meant - 1``; ``most``: the largest it can be.
        tau: effective time constant, s; ``meant_tau`` of the float reference.
        steady_raw: relative error of the steady state without gain compensation (with it: 0).
    """

    delta: FloatArray
    meant: FloatArray
    relative: FloatArray
    most: FloatArray
    tau: FloatArray
    meant_tau: FloatArray
    steady_raw: FloatArray


@dataclass(frozen=True, eq=False)
class Periods:
    """F1: steps between spikes under the bias alone ``(n,)``, inf where there are none.

    Args:
        meant: of the float reference.
        raw: with the coded decay and the bias as meant.
        compensated: with the bias rescaled so that the steady state stays.
        coded: with the integers' bias, threshold and refractory period (the state not rounded).
        truncated: the same with what rounding v takes in each step.
    """

    meant: FloatArray
    raw: FloatArray
    compensated: FloatArray
    coded: FloatArray
    truncated: FloatArray


@dataclass(frozen=True, eq=False)
class RoundingError:
    """F2 and F3, arrays ``(n,)``.

    Args:
        shift: LSB by which the mean of v is off under a fluctuating drive, both registers above 0.
        settled: LSB by which v at rest is off under a constant drive approached from below.
        volts, settled_volts: the same in V.
        dead_below, dead_above: LSB that v keeps for ever without input.
        compensator: whole LSB per step to add to the bias against ``shift``.
        half_percent: LSB of threshold of which ``shift`` is 0.5 %.
        sd: LSB, spread of v by rounding (F3).
    """

    shift: FloatArray
    settled: FloatArray
    volts: FloatArray
    settled_volts: FloatArray
    dead_below: FloatArray
    dead_above: FloatArray
    compensator: npt.NDArray[np.int64]
    half_percent: FloatArray
    sd: FloatArray


@dataclass(frozen=True, eq=False)
class WeightError:
    """F4 of one projection; arrays ``(n,)``. Without its senders' rates, NaN where they matter.

    Args:
        name: of the projection.
        step: V per step between two weights.
        synapses: in-degree.
        mean_shift: V, change of the mean of v by the weights as they are.
        variance: V**2, change of the variance of one step's charge by the weights as they are.
        model_sd, model_variance: what equidistributed errors would do: spread of ``mean_shift``
            from neuron to neuron, and ``variance``.
        model_floor: V, the mean shift if weights were rounded down.
        rate: Hz, change of the rate by ``mean_shift`` and ``variance``; NaN without a theory.
    """

    name: str
    step: FloatArray
    synapses: FloatArray
    mean_shift: FloatArray
    variance: FloatArray
    model_sd: FloatArray
    model_variance: FloatArray
    model_floor: FloatArray
    rate: FloatArray


@dataclass(frozen=True, eq=False)
class ThresholdError:
    """F5 and F6; arrays ``(n,)``.

    Args:
        volts: V, the coded threshold less the meant one; ``lattice`` with the half LSB that
            integers add.
        period_slope: s/V, dT/d threshold under the bias alone.
        rate: Hz, the change of the rate by ``lattice``; NaN without a drive.
        grid: s that whole steps add to every interval between spikes.
        overshoot: V that looking once per step adds to the threshold; NaN without a drive.
    """

    volts: FloatArray
    lattice: FloatArray
    period_slope: FloatArray
    rate: FloatArray
    grid: float
    overshoot: FloatArray


@dataclass(frozen=True, eq=False)
class PopulationErrors:
    """The predicted errors of one population; ``print`` it for a table.

    Args:
        population, lsb: its name; V per LSB ``(n,)``.
        decay_v, decay_u: F1; decay_u is None where the current lasts one step.
        periods: F1 under the bias alone.
        rounding: F2, F3.
        weights: F4, one per projection.
        threshold: F5, F6.
        path: F7, ``(n,)`` V: no more than this lies between the two v while spikes are the same,
            whatever the senders do (one spike each in a step). inf without a leak, where a
            current varies, where only the integers have a filter stage that is heard (two time
            constants), or where delays, reset or refractory period were approximated.
        spike_time: F7, ``(n,)`` s by which that moves the first spike under the bias alone; inf
            where the bias does not reach the threshold.
        rate: the rates of both, None without a drive or a theory of the population.
    """

    population: str
    lsb: FloatArray
    decay_v: DecayError
    decay_u: DecayError | None
    periods: Periods
    rounding: RoundingError
    weights: tuple[WeightError, ...]
    threshold: ThresholdError
    path: FloatArray
    spike_time: FloatArray
    rate: RateError | None

    def __str__(self) -> str:
        from .table import table_of

        return table_of(self)


def errors_of(
    fixed: FixedNetwork, stepped: SteppedNetwork, population: str, drive: Drive | None = None
) -> PopulationErrors:
    """Predict what a population loses by becoming integers.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        population: its name.
        drive: what it receives beside what the network describes; None: nothing is said of rates.

    Raises:
        RangeError: the two networks do not belong together, there is no such population, or the
            drive is not one the theory speaks of.
        LoweringError: its model is no LIF.

    Source: docs/predict.md has the formulas; each function names its own source.
    """
    c = coded_lif(fixed, stepped, population)
    given = None if drive is None else checked(fixed, stepped, c, drive)
    return PopulationErrors(
        population, c.lsb, _decay(c, c.delta_v, c.meant_v, c.form.decay_v), _decay_u(c),
        _periods(c), _rounding(c), tuple(_weights(c, p, given) for p in c.incoming),
        _threshold(c, given), _path(c), _spike_time(c),
        None if given is None else rates_of(c, given),
    )  # fmt: skip


def _decay(c: Coded, delta: FloatArray, meant: FloatArray, code: Any) -> DecayError:
    with np.errstate(divide="ignore"):
        most = most_relative_error(meant, code.k) if code else np.zeros_like(delta)
    return DecayError(
        delta, meant, relative_error(meant, delta), most, tau_effective(delta, c.dt),
        tau_effective(meant, c.dt), steady_state_error(meant, delta),
    )  # fmt: skip


def _decay_u(c: Coded) -> DecayError | None:
    if np.all(c.delta_u == 1) or not c.incoming:
        return None
    return _decay(c, c.delta_u, c.incoming[0].delta_u, c.form.decay_u)


def _periods(c: Coded) -> Periods:
    gain = np.where(c.meant_v > 0, c.delta_v / np.where(c.meant_v > 0, c.meant_v, 1.0), 1.0)
    taken = c.round_v.mean[1] * c.lsb
    coded = (c.threshold, c.bias, c.delta_v, c.held, c.strict)
    return Periods(
        period_steps(c.meant_threshold, c.meant_bias, c.meant_v, c.meant_held),
        period_steps(c.meant_threshold, c.meant_bias, c.delta_v, c.meant_held),
        period_steps(c.meant_threshold, c.meant_bias * gain, c.delta_v, c.meant_held),
        period_steps(*coded),
        period_steps(c.threshold, c.bias + taken, *coded[2:]),
    )


def _rounding(c: Coded) -> RoundingError:
    shift = shift_of(c.round_u, c.round_v, c.delta_u, c.delta_v)
    settled = settled_shift(c.round_u.low[1], c.round_v.low[1], c.delta_u, c.delta_v)
    below, above = dead_zone(c.round_v.low[0], c.round_v.high[1], c.delta_v)
    add = compensator(c.round_u.mean[1], c.round_v.mean[1], c.delta_u)
    sd = state_sd(c.round_u.variance, c.round_v.variance, c.delta_u, c.delta_v)
    return RoundingError(shift, settled, shift * c.lsb, settled * c.lsb, below, above, add,
                         threshold_needed(shift, 0.005), sd)  # fmt: skip


def _weights(c: Coded, p: Incoming, given: Received | None) -> WeightError:
    synapses = np.bincount(p.post, p.meant != 0, minlength=c.size).astype(np.float64)
    each = np.full(p.sender.shape, np.nan) if given is None else given.events.get(p.name, np.nan)
    known = bool(np.isfinite(each).all())

    def total(x: FloatArray) -> FloatArray:
        return np.bincount(p.post, x * each, minlength=c.size).astype(np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):  # what never decays has no mean
        meant, coded = p.meant / p.delta_u[p.post], p.coded / c.delta_u[p.post]
        shift = total(coded) / c.delta_v - total(meant) / c.meant_v
        variance = total(coded**2) - total(meant**2)
        charge = p.step / c.delta_u
    rate = total((p.meant != 0).astype(np.float64)) / np.maximum(synapses, 1)
    delta = c.delta_u * c.delta_v
    return WeightError(
        p.name, p.step, synapses, shift, variance,
        sd_of_weights(p.step, synapses, rate, delta),
        variance_of_weights(charge, synapses, rate),
        mean_shift_of_weights(p.step, synapses, rate, delta, "floor"),
        _rate_by_weights(c, given, shift, variance) if known else np.full(c.size, np.nan),
    )  # fmt: skip


def _rate_by_weights(
    c: Coded, given: Received | None, shift: FloatArray, variance: FloatArray
) -> FloatArray:
    """Return Hz: d nu/d mu times the shift, and d nu/d sigma times what the variance adds."""
    if given is None:
        return np.full(c.size, np.nan)
    at = meant_point(c, given)
    sigma = np.maximum(at.sigma, 1e-300)
    where = (at.mu, sigma, at.seen, 0.0, at.tau, at.t_ref, at.tau_u)
    scale = 2.0 / (1.0 - at.factor**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        added = np.where(at.sigma > 0, variance * scale / (2 * at.sigma), 0.0)
    return np.asarray(d_nu_d_mu(*where) * shift + d_nu_d_sigma(*where) * added)


def _threshold(c: Coded, given: Received | None) -> ThresholdError:
    lattice = lattice_threshold(c.threshold / c.lsb, c.strict) * c.lsb - c.meant_threshold
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(c.meant_v > 0, c.meant_bias / c.meant_v, np.inf)
    slope = period_slope(tau_effective(c.meant_v, c.dt), rest - c.meant_threshold)
    rate = over = np.full(c.size, np.nan)
    if given is not None:
        at = meant_point(c, given)
        over = at.seen - at.threshold
        rate = lattice * d_nu_d_V_th(at.mu, at.sigma, at.seen, 0.0, at.tau, at.t_ref,
                                     at.tau_u)  # fmt: skip
    return ThresholdError(c.threshold - c.meant_threshold, lattice, slope, np.asarray(rate),
                          isi_on_grid(c.dt), over)  # fmt: skip


def _path(c: Coded) -> FloatArray:
    """Return F7 with all senders on in every step: nothing that comes in can be worse."""
    through = np.zeros(c.size)  # error of the current, and its largest magnitude
    up = np.zeros(c.size)
    for p in c.incoming:
        if p.pre in c.stages:
            most, error = _relayed(c, p)
        else:
            most = np.bincount(p.post, np.abs(p.meant), minlength=c.size) / p.delta_u
            off = np.bincount(p.post, np.abs(p.coded - p.meant), minlength=c.size)
            error = path_bound(c.delta_u - p.delta_u, most, off, 0.0, c.delta_u)
        through, up = through + error, up + most
    through += path_bound(0.0, 0.0, 0.0, most_of(c.round_u) * c.lsb, c.delta_u)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(c.meant_v > 0, (up + np.abs(c.meant_bias)) / c.meant_v, np.inf)
    finite = np.isfinite(c.meant_threshold)
    top = np.maximum(np.maximum(np.where(finite, c.meant_threshold, 0.0), rest), c.start)
    step = through + np.abs(c.bias - c.meant_bias)
    if c.form.reset == "subtract":  # every spike takes away another threshold
        step = step + np.where(finite, np.abs(c.threshold - c.meant_threshold), 0.0)
    delta = c.delta_v - c.meant_v
    bound = path_bound(delta, np.where(delta == 0, 0.0, top), step, most_of(c.round_v) * c.lsb,
                       c.delta_v)  # fmt: skip
    # a float64 of its own for the float's v, whose rounding is nobody's error here
    beyond = c.varying | c.altered | np.isnan(bound)  # no number: of what never decays
    return np.where(beyond, np.inf, bound + c.start_error) * (1 + 1e-9)


def _relayed(c: Coded, p: Incoming) -> tuple[FloatArray, FloatArray]:
    """Return the largest current by way of a filter stage, and its largest error, V per step.

    What the shift cuts off comes later: the sum of all that is sent is less than one unit behind,
    and so is the current, whose kernel only falls.
    """
    plain = len(p.post) == c.size and np.array_equal(p.post, p.sender) and np.all(p.coded >= 0)
    if p.pre not in c.relayed or not plain:
        return np.zeros(c.size), np.full(c.size, np.inf)
    x = c.relayed[p.pre]
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(x.most > 0, x.most / p.delta_u, 0.0)
    gain = p.coded / x.unit  # 1 as quantize makes it
    off = gain * x.error + np.abs(gain - 1.0) * x.most
    return most, path_bound(c.delta_u - p.delta_u, most, off, 0.0, c.delta_u) + p.coded


def _spike_time(c: Coded) -> FloatArray:
    """Return F7's error of the first spike under the bias alone, s."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(c.meant_v > 0, c.meant_bias / c.meant_v, np.inf)
        leak = np.where(c.meant_v > 0, c.meant_v * c.meant_threshold, 0.0)
    slope = (c.meant_bias - leak) / c.dt  # V/s at the threshold, the least on the way there
    off = path_bound(c.delta_v - c.meant_v, np.minimum(c.meant_threshold, np.abs(rest)),
                     c.bias - c.meant_bias, most_of(c.round_v) * c.lsb, c.delta_v)  # fmt: skip
    off = off + np.abs(lattice_threshold(c.threshold / c.lsb, c.strict) * c.lsb - c.meant_threshold)
    return np.where(slope > 0, spike_time_error(off, slope), np.inf)
