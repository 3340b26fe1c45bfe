"""The rate that the float reference and the integers should have, from the corrected theory.

Both are clocked, so both are Siegert's rate with the time constant of the decay, the input of one
step as noise, and a threshold higher by its overshoot (F6). The integers differ by what they are
coded as (F1, F4, F5) and by rounding u and v (F2, F3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..discretize import SteppedNetwork
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..reference.theory import siegert_exp
from .coded import Coded, Incoming, coded_lif
from .decays import tau_effective
from .roundings import shift_of
from .thresholds import lattice_threshold, overshoot


@dataclass(frozen=True, eq=False)
class Drive:
    """What a population receives beside its bias.

    Args:
        rates: input or population -> Hz, a number or one per sender; the senders fire as Poisson
            processes, independently. Absent ones are silent.
        mean: V per step added to v by anything else, a number or ``(n,)``.
        sd: its standard deviation from step to step, V per step, independent of all else.
    """

    rates: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    mean: npt.ArrayLike = 0.0
    sd: npt.ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class Point:
    """Where a clocked neuron works; arrays ``(n,)``, V and s, v counted from the reset.

    Args:
        mu: mean of v without a threshold.
        step_sd: standard deviation of what one step adds to v in the long run (to the delta
            synapse of the same charge).
        tau: time constant of v; ``tau_u`` of the current, 0 for one that lasts a step.
        threshold: as it acts on reals at the ends of steps, without the overshoot.
        t_ref: s v is held after a spike.
        factor: ``1 - delta_v``.
    """

    mu: FloatArray
    step_sd: FloatArray
    tau: FloatArray
    tau_u: FloatArray
    threshold: FloatArray
    t_ref: FloatArray
    factor: FloatArray

    @property
    def sigma(self) -> FloatArray:
        """White noise of the same variance, V: ``step_sd sqrt(2 / (1 - factor**2))``."""
        return np.asarray(self.step_sd * np.sqrt(2.0 / (1.0 - self.factor**2)))

    @property
    def rate(self) -> FloatArray:
        """Hz.

        Source: theta + 0.5826 sd of a step for a current of one step (Siegmund); the shift of
        Fourcaud and Brunel, with v smooth, for one that lasts.
        """
        out = siegert_exp(self.mu, self.sigma, self.seen, 0.0, self.tau, self.tau_u, self.t_ref)
        return np.asarray(out, np.float64)

    @property
    def seen(self) -> FloatArray:
        """The threshold, V, with the overshoot of a look once per step where v is not smooth."""
        return np.asarray(self.threshold + np.where(self.tau_u > 0, 0.0, overshoot(self.step_sd)))


def below_reset(point: Point) -> FloatArray:
    """Return the share of the time that v is below the reset, 0..1 ``(n,)``.

    ``nu tau sqrt(pi) (1 + erf(y_r)) int_{y_r}^{y_th} exp(x**2) dx``, y in units of sigma around mu;
    where the neuron is silent it is that of a Gaussian.

    Source: the stationary density of the Fokker-Planck equation (Brunel 2000), integrated up to
    the reset.
    """
    from scipy.special import dawsn, erf, erfcx

    sigma = np.where(point.sigma > 0, point.sigma, 1.0)
    low, high = -point.mu / sigma, (point.threshold - point.mu) / sigma
    free = (1.0 + erf(low)) / 2
    y = np.clip(np.stack([low, high]), -20.0, 20.0)
    # (1 + erf(y_r)) exp(x**2) overflows term by term: its factors are taken together
    tail = np.where(y[0] < 0, erfcx(-y[0]), (1 + erf(y[0])) * np.exp(y[0] ** 2))
    area = tail * (np.exp(y[1] ** 2 - y[0] ** 2) * dawsn(y[1]) - dawsn(y[0]))
    share = point.rate * point.tau * np.sqrt(np.pi) * area
    usable = (point.sigma > 0) & (high < 6) & np.isfinite(share)
    return np.asarray(np.clip(np.where(usable, share, free), 0.0, 1.0))


def _input(c: Coded, drive: Drive, coded: bool) -> tuple[FloatArray, FloatArray]:
    """Return (mean, variance) of the charge that one step brings, V and V**2 ``(n,)``."""
    mean = np.broadcast_to(np.asarray(drive.mean, np.float64), (c.size,)).copy()
    variance = np.broadcast_to(np.asarray(drive.sd, np.float64) ** 2, (c.size,)).copy()
    for p in c.incoming:
        if p.pre not in drive.rates:
            continue
        each = per_synapse(p, drive.rates[p.pre]) * c.dt
        charge = p.coded / c.delta_u[p.post] if coded else p.meant / p.delta_u[p.post]
        mean += np.bincount(p.post, charge * each, minlength=c.size)
        variance += np.bincount(p.post, charge**2 * each, minlength=c.size)
    return mean, variance


def per_synapse(p: Incoming, rate: npt.ArrayLike) -> FloatArray:
    """Return the rate of every synapse's sender, Hz.

    Raises:
        RangeError: it is no rate, or not one per sender.
    """
    values = np.asarray(rate, np.float64)
    most = int(p.sender.max(initial=-1))
    fits = values.ndim == 0 or (values.ndim == 1 and len(values) > most)
    if not fits or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise RangeError(f"drive: rates[{p.pre!r}] = {show(rate)}, allowed: finite Hz >= 0, "
                         "one, or one per sender")  # fmt: skip
    return np.full(p.sender.shape, float(values)) if values.ndim == 0 else values[p.sender]


def _tau_u(c: Coded, coded: bool) -> FloatArray:
    delta = c.delta_u
    if not coded:
        delta = c.incoming[0].delta_u if c.incoming else np.ones(c.size)
    return np.where(delta < 1, tau_effective(np.minimum(delta, 1 - 1e-12), c.dt), 0.0)


def meant_point(c: Coded, drive: Drive) -> Point:
    """Return where the float reference works."""
    mean, variance = _input(c, drive, coded=False)
    return Point(
        (mean + c.meant_bias) / c.meant_v, np.sqrt(variance), tau_effective(c.meant_v, c.dt),
        _tau_u(c, False), c.meant_threshold, c.meant_held * c.dt, 1.0 - c.meant_v,
    )  # fmt: skip


def parameter_point(c: Coded, drive: Drive) -> Point:
    """Return where the rounded parameters put the neuron, its state still real numbers."""
    mean, variance = _input(c, drive, coded=True)
    threshold = lattice_threshold(c.threshold / c.lsb, c.strict) * c.lsb
    return Point(
        (mean + c.bias) / c.delta_v, np.sqrt(variance), tau_effective(c.delta_v, c.dt),
        _tau_u(c, True), threshold, c.held * c.dt, 1.0 - c.delta_v,
    )  # fmt: skip


def coded_point(c: Coded, drive: Drive) -> Point:
    """Return where the integers work: rounded parameters and a state that is rounded."""
    bare = parameter_point(c, drive)
    sign_v = signs_of(c, bare)
    mean, variance = _input(c, drive, coded=True)
    sign_u = _sign(mean, np.sqrt(variance * c.delta_u / (2.0 - c.delta_u)))
    shift = shift_of(c.round_u, c.round_v, c.delta_u, c.delta_v, sign_u, sign_v)
    noise = c.round_v.variance + c.round_u.variance / c.delta_u**2
    return replace(bare, mu=bare.mu + shift * c.lsb,
                   step_sd=np.sqrt(bare.step_sd**2 + noise * c.lsb**2))  # fmt: skip


def signs_of(c: Coded, point: Point) -> FloatArray:
    """Return the mean sign of v while it is free, -1..1 ``(n,)``."""
    free = np.maximum(1.0 - point.rate * point.t_ref, 1e-9)
    return np.asarray(1.0 - 2.0 * np.minimum(below_reset(point) / free, 1.0))


def _sign(mean: FloatArray, sd: FloatArray) -> FloatArray:
    from scipy.special import erf

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(sd > 0, mean / (np.sqrt(2) * sd), np.sign(mean) * np.inf)
    return np.asarray(np.where((sd == 0) & (mean == 0), 0.0, erf(ratio)))


@dataclass(frozen=True, eq=False)
class RateError:
    """Predicted rates of one population; arrays ``(n,)``.

    Args:
        meant: Hz, of the float reference.
        coded: Hz, of the integers.
        parameters, threshold, truncation, noise: the relative change of the rate that each cause
            makes alone: coded decays, weights, bias (F1, F4); coded threshold and refractory
            period (F5); the mean of rounding the state (F2), and its spread (F3).
    """

    meant: FloatArray
    coded: FloatArray
    parameters: FloatArray
    threshold: FloatArray
    truncation: FloatArray
    noise: FloatArray

    @property
    def relative(self) -> FloatArray:
        """Return ``coded / meant - 1``; NaN where the float reference is silent."""
        return _relative(self.coded, self.meant)


def _relative(rate: FloatArray, base: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(base > 0, rate / base - 1.0, np.nan))


def rate_error(
    fixed: FixedNetwork, stepped: SteppedNetwork, population: str, drive: Drive
) -> RateError:
    """Predict the rates of the float reference and of the integers.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        population: a population that leaks and spikes, with reset to a value.
        drive: what it receives.

    Raises:
        RangeError: the theory does not speak of such a population; or the two networks do not
            belong together, or the drive does not fit.
        LoweringError: its model is no LIF.
    """
    c = coded_lif(fixed, stepped, population)
    check_theory(c, stepped, drive)
    a, b = meant_point(c, drive), coded_point(c, drive)
    bare, base = parameter_point(c, drive), a.rate
    parameters = replace(bare, threshold=a.threshold, t_ref=a.t_ref)
    return RateError(
        base, b.rate,
        _relative(parameters.rate, base),
        _relative(replace(a, threshold=b.threshold, t_ref=b.t_ref).rate, base),
        _relative(replace(a, mu=a.mu + b.mu - bare.mu).rate, base),
        _relative(replace(a, step_sd=np.sqrt(a.step_sd**2 + b.step_sd**2 - bare.step_sd**2)).rate,
                  base),
    )  # fmt: skip


def check_theory(c: Coded, stepped: SteppedNetwork, drive: Drive) -> None:
    """Refuse what the theory of rates does not speak of.

    Raises:
        RangeError: naming it.
    """
    where, meant = f"population {c.name!r}", stepped.population(c.name)
    given: Any = drive
    if not isinstance(given, Drive):
        raise RangeError(f"{where}: drive = {show(given)}, allowed: a Drive")
    known = {p.pre for p in c.incoming}
    odd = sorted(set(drive.rates) - known)
    if odd:
        raise RangeError(f"{where}: rates of {', '.join(odd)}, allowed: senders onto it: "
                         f"{', '.join(sorted(known)) or 'none'}")  # fmt: skip
    if not meant.spikes or not np.isfinite(meant.threshold).all():
        raise RangeError(f"{where}: it never spikes, allowed: one that does")
    if meant.reset != "value" or c.form.reset != "value":
        raise RangeError(f"{where}: reset by subtraction, allowed: reset to a value")
    if np.any(c.meant_v <= 0) or np.any(c.delta_v <= 0):
        raise RangeError(f"{where}: no leak, allowed: a membrane with one")
    if np.any(c.delta_u <= 0):
        raise RangeError(f"{where}: a current that never decays, allowed: one that does")
    if len({float(d) for p in c.incoming for d in np.unique(p.delta_u)}) > 1:
        raise RangeError(f"{where}: several synaptic time constants, allowed: one")
