"""The rate that the float reference and the integers should have, from the corrected theory.

Both are clocked, so both have Siegert's rate with the time constant of the decay, the input of one
step as noise, and a threshold higher by its overshoot (F6). The integers differ by what they are
coded as (F1, F4, F5) and by rounding u and v (F2, F3): that is
:func:`neuro_lif.reference.theory.integers.integer_rate`, of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..checks import number_array
from ..discretize import SteppedNetwork
from ..errors import Faults, RangeError, show
from ..fixed import FixedNetwork
from ..reference.theory import IntegerStep, siegert_exp
from ..reference.theory.integers import White, integer_rate, step_with
from .coded import Coded, coded_lif
from .decays import tau_effective
from .received import Drive, Received, received
from .thresholds import lattice_threshold, overshoot


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


def _meant_delta_u(c: Coded) -> FloatArray:
    return c.incoming[0].delta_u if c.incoming else np.ones(c.size)


def meant_point(c: Coded, given: Received) -> Point:
    """Return where the float reference works."""
    delta_u, a = _meant_delta_u(c), given.meant
    smooth = (delta_u < 1) & (a.direct_sd == 0)
    tau_u = np.where(smooth, tau_effective(np.minimum(delta_u, 1 - 1e-12), c.dt), 0.0)
    return Point(
        (a.mean / delta_u + a.direct_mean + c.meant_bias) / c.meant_v,
        np.sqrt((a.sd / delta_u) ** 2 + a.direct_sd**2), tau_effective(c.meant_v, c.dt), tau_u,
        c.meant_threshold, c.meant_held * c.dt, 1.0 - c.meant_v,
    )  # fmt: skip


def meant_step(c: Coded) -> IntegerStep:
    """Return a step of the float reference, in LSB; nothing is rounded."""
    return step_with(1.0 - c.meant_v, 1.0 - _meant_delta_u(c), None, None, c.meant_bias / c.lsb,
                     c.meant_threshold / c.lsb, c.meant_held)  # fmt: skip


def coded_step(c: Coded) -> IntegerStep:
    """Return a step of the integers, in LSB."""
    threshold = lattice_threshold(c.threshold / c.lsb, c.strict)
    return step_with(1.0 - c.delta_v, 1.0 - c.delta_u, c.round_v, c.round_u, c.bias / c.lsb,
                     threshold, c.held)  # fmt: skip


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

    ``coded`` is what :func:`neuro_lif.reference.theory.fixed_rate` says of the same input.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        population: a population that leaks and spikes, with reset to a value.
        drive: what it receives beside what the network describes.

    Raises:
        RangeError: the theory does not speak of such a population; it receives something described
            that varies in another way than white noise; or the two networks do not belong together,
            or the drive does not fit.
        LoweringError: its model is no LIF.
    """
    c = coded_lif(fixed, stepped, population)
    return rates_of(c, checked(fixed, stepped, c, drive))


def rates_of(c: Coded, given: Received) -> RateError:
    """Return the predicted rates of one population, and what each cause does alone."""
    a, b = meant_step(c), coded_step(c)
    meant, coded = (White(*(x / c.lsb for x in w)) for w in (given.meant, given.coded))

    def rate(step: IntegerStep, arriving: White = meant) -> FloatArray:
        return np.asarray(np.broadcast_to(integer_rate(step, arriving, c.dt), (c.size,)))

    base = rate(a)
    bare = step_with(b.decay_v, b.decay_u, None, None, b.bias, a.threshold, a.n_ref)
    each = [
        rate(bare, coded),
        rate(a._replace(threshold=b.threshold, n_ref=b.n_ref)),
        rate(a._replace(loss_v=b.loss_v, loss_u=b.loss_u, back_v=b.back_v, back_u=b.back_u)),
        rate(a._replace(noise_v=b.noise_v, noise_u=b.noise_u)),
    ]
    return RateError(base, rate(b, coded), *(_relative(x, base) for x in each))


def checked(fixed: FixedNetwork, stepped: SteppedNetwork, c: Coded, drive: Drive) -> Received:
    """Return what a population receives, where there is a theory of it.

    Raises:
        RangeError: as of :func:`rate_error`.
    """
    check_theory(c, stepped, drive)
    return received(fixed, stepped, c, drive)


def check_theory(c: Coded, stepped: SteppedNetwork, drive: Drive) -> None:
    """Refuse what the theory of rates does not speak of.

    Raises:
        RangeError: naming it.
    """
    where, meant = f"population {c.name!r}", stepped.population(c.name)
    given: Any = drive
    if not isinstance(given, Drive):
        raise RangeError(f"{where}: drive = {show(given)}, allowed: a Drive")
    faults = Faults()
    for name, value in (("mean", drive.mean), ("sd", drive.sd)):
        array = number_array(where, f"drive.{name}", value, faults)
        if array is not None and array.shape not in ((), (c.size,)):
            faults.add(where, f"drive.{name}", f"shape {array.shape}", f"one, or ({c.size},)")
    for pre, rate in drive.rates.items():
        number_array(where, f"drive.rates[{pre!r}]", rate, faults)
    faults.raise_if_any(RangeError)
    if c.stages:
        raise RangeError(f"{where}: it hears the filter stage {c.stages[0]!r}, allowed for a rate: "
                         "Delta synapses, or Exponential ones of one time constant")  # fmt: skip
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
    if np.any(c.meant_v >= 1) or np.any(c.delta_v >= 1):
        raise RangeError(f"{where}: v keeps nothing of itself, allowed: a decay below 1 per step")
    if np.any(c.delta_u <= 0):
        raise RangeError(f"{where}: a current that never decays, allowed: one that does")
    if len({float(d) for p in c.incoming for d in np.unique(p.delta_u)}) > 1:
        raise RangeError(f"{where}: several synaptic time constants, allowed: one")
