"""Rates of clocked neurons: what a simulator with steps of dt, or a chip, fires at.

A clocked neuron looks at its threshold at the end of each step alone. In ``V <- a V + b + noise``
(standard deviation s per step) that raises the threshold by ``0.5826 s`` on the average (what a
random walk has beyond a level when it is first seen there), so that::

    tau = -dt / ln a,  mu = b / (1 - a),  sigma = s sqrt(2 / (1 - a^2))
    nu  = siegert(mu, sigma, V_th_rel + 0.5826 s, V_0_rel, tau, n_ref dt)

holds for the exact integrator, for Euler's and for the decay of a chip's integers: they differ in
``a`` alone. Measured: within 0.5 % where dt/tau <= 0.01, within 2 % where dt/tau <= 0.1.

Source: D. Siegmund, Adv. Appl. Probab. 11 (1979), and H. Chernoff, Ann. Math. Statist. 36 (1965)
for ``-zeta(1/2)/sqrt(2 pi)``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...checks import expect_flag
from ...errors import RangeError, show
from .arguments import choice, numbers, plain, whole
from .exponential import shift_of
from .siegert import Passage, passage

OVERSHOOT = 0.5825971579390107
"""``-zeta(1/2) / sqrt(2 pi)``: mean overshoot of a level in standard deviations of a step."""
INTEGRATORS = ("exact", "euler")


class Step(NamedTuple):
    """One step of V: ``V <- decay V + mean + sd * (a standard normal number)``."""

    decay: Any
    mean: Any
    sd: Any


def step_of(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, tau_m: npt.ArrayLike, dt: npt.ArrayLike,
    integrator: Literal["exact", "euler"] = "exact",
) -> Step:  # fmt: skip
    """Return what a clocked simulator does in a step of ``tau_m dV/dt = -V + mu + white noise``.

    Args:
        mu: mean input, V.
        sigma: V, >= 0.
        tau_m: s, > 0.
        dt: step, s, > 0; below tau_m for Euler.
        integrator: ``"exact"``: the noise is integrated exactly; ``"euler"``: Euler-Maruyama.

    Returns:
        The factor kept per step, the mean (V) and the standard deviation (V) added per step.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    choice("step_of", "integrator", integrator, INTEGRATORS)
    mean, noise, tau, step = numbers("step_of", mu=mu, sigma=sigma, tau_m=tau_m, dt=dt)
    ratio: Any = step / tau
    if integrator == "exact":
        lost, sd = -np.expm1(-ratio), noise * np.sqrt(-np.expm1(-2 * ratio) / 2)
    elif np.all(ratio < 1):
        lost, sd = ratio, noise * np.sqrt(ratio)
    else:
        raise RangeError(
            f"step_of: dt = {show(float(np.max(step)))}, allowed: below tau_m for Euler"
        )
    return Step(plain(1 - lost), plain(lost * mean), plain(sd))


def tau_eff(decay: npt.ArrayLike, dt: npt.ArrayLike) -> Any:
    """Return the time constant of a clocked neuron, ``-dt / ln decay``, s.

    Args:
        decay: factor kept per step, above 0, below 1.
        dt: step, s, > 0.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    kept, step = numbers("tau_eff", decay=decay, dt=dt)
    check_decay("tau_eff", "decay", kept, 0.0)
    return plain(-step / np.log(kept))


def decay_of_code(code: npt.ArrayLike, bits: int = 12, offset: int = 0) -> Any:
    """Return the factor that a decay code keeps per step, ``1 - (code + offset) / 2**bits``.

    Args:
        code: the integer parameter (dv, du).
        bits: of the decay; 12 on Loihi.
        offset: what the chip adds to the code; 1 for Loihi's du.

    Raises:
        RangeError: the factor is not in 0..1.
    """
    (given,) = numbers("decay_of_code", code=code)
    bits = whole("decay_of_code", "bits", bits, 1, 62)
    offset = whole("decay_of_code", "offset", offset, -(2**bits), 2**bits)
    kept = 1 - (given + offset) / 2.0**bits
    if not np.all((kept >= 0) & (kept <= 1)):
        raise RangeError(f"decay_of_code: code = {show(code)}, allowed: 0..{2**bits - offset}")
    return plain(kept)


def truncation_shift(
    leak_v: npt.ArrayLike, leak_u: npt.ArrayLike = 1.0, lsb: npt.ArrayLike = 1.0,
    constant: bool = False,
) -> Any:  # fmt: skip
    """Return how far truncation of the decay towards 0 moves the mean of a positive V.

    Each product loses half an LSB on the average: V is lower by ``lsb / (2 leak_v)``; where u is
    truncated too (leak_u below 1), by ``lsb (1 + 1/leak_u) / (2 leak_v)``. Where a constant input
    is approached from below it is nearly a whole LSB: ``lsb / leak_v (1 - leak_v / 2)``.

    Args:
        leak_v, leak_u: share lost per step, above 0, at most 1 (the chip's: code / 4096).
        lsb: V, or 1.
        constant: True: constant input from below, u not truncated.

    Returns:
        The shift of the mean in units of lsb, below 0.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    expect_flag(constant, "truncation_shift: constant")
    by_v, by_u, unit = numbers("truncation_shift", leak_v=leak_v, leak_u=leak_u, lsb=lsb)
    for name, leak in (("leak_v", by_v), ("leak_u", by_u)):
        wrong = np.ravel(leak)[~np.ravel((leak > 0) & (leak <= 1))]
        if wrong.size:
            raise RangeError(f"truncation_shift: {name} = {show(wrong[0])}, allowed: above 0..1")
    if constant:
        return plain(-unit / by_v * (1 - by_v / 2))
    through_u = np.where(by_u < 1, 1 / by_u, 0.0)
    return plain(-unit * (1 + through_u) / (2 * by_v))


def clocked_rate(
    mean: npt.ArrayLike, sd: npt.ArrayLike, decay: npt.ArrayLike, V_th_rel: npt.ArrayLike,
    V_0_rel: npt.ArrayLike, dt: npt.ArrayLike, n_ref: npt.ArrayLike = 0,
    decay_u: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return the rate of ``V <- decay V + mean + sd * noise``, a spike where V is seen above, Hz.

    Args:
        mean: input per step, V (or LSB, as all that follow).
        sd: standard deviation of the input per step, >= 0; at 0 the rate is that of continuous
            time (on the grid: :func:`.deterministic.grid_spikes`).
        decay: factor that V keeps per step, above 0, below 1.
        V_th_rel: threshold. Of integers: half an LSB more for ``>``, half less for ``>=``.
        V_0_rel: reset, below the threshold.
        dt: step, s, > 0.
        n_ref: steps for which V is held after the step of a spike.
        decay_u: factor that the synaptic current keeps per step, 0..1, where the input goes
            through ``u <- decay_u u + input``, ``V <- decay V + u``; then V is smooth, and the
            threshold is shifted as for exponential synapses instead.

    Returns:
        Hz, in the shape to which the arguments broadcast.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    given = numbers("clocked_rate", mean=mean, sd=sd, decay=decay, V_th_rel=V_th_rel,
                    V_0_rel=V_0_rel, dt=dt, n_ref=n_ref, decay_u=decay_u)  # fmt: skip
    drive, noise, kept, v_th, v_0, step, held, kept_u = given
    check_decay("clocked_rate", "decay", kept, 0.0)
    check_decay("clocked_rate", "decay_u", kept_u, -1e-300)
    through = 1 / (1 - kept_u)
    found = clocked_passage(drive * through, noise * through, kept, v_th, v_0, step, held, kept_u)
    return plain(found.nu.reshape(drive.shape))


def clocked_passage(
    mean: Any, sd: Any, decay: Any, V_th_rel: Any, V_0_rel: Any, dt: Any, n_ref: Any, decay_u: Any
) -> Passage:
    """Return what :func:`clocked_rate` is made of, of checked arrays.

    Args:
        mean, sd: of what V gets per step; sd as if it were independent from step to step.
        decay, V_th_rel, V_0_rel, dt, n_ref, decay_u: see there.
    """
    tau, smooth = -dt / np.log(decay), decay_u > 0
    tau_s = np.where(smooth, -dt / np.log(np.where(smooth, decay_u, 0.5)), 0.0)
    sigma = sd * np.sqrt(2 / ((1 - decay) * (1 + decay)))
    seen = V_th_rel + np.where(smooth, 0.0, OVERSHOOT * sd)
    return passage(mean / (1 - decay), sigma, seen, V_0_rel, tau, n_ref * dt,
                   shift=shift_of(tau_s, tau))  # fmt: skip


def nu_dt(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike, dt: npt.ArrayLike,
    integrator: Literal["exact", "euler"] = "exact",
) -> Any:  # fmt: skip
    """Return the rate of a neuron in white noise as a simulator with steps of dt has it, Hz.

    Args:
        mu, sigma, V_th_rel, V_0_rel: V, as in :func:`.siegert.siegert`.
        tau_m: s, > 0.
        tau_r: refractory period, s, held for the nearest whole number of steps.
        dt: step, s, > 0; up to some 0.1 tau_m the rate is within 2 % of a simulation's.
        integrator: ``"exact"`` or ``"euler"``.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    step = step_of(mu, sigma, tau_m, dt, integrator)
    held, by = numbers("nu_dt", tau_r=tau_r, dt=dt)
    return clocked_rate(step.mean, step.sd, step.decay, V_th_rel, V_0_rel, dt, np.rint(held / by))


def check_decay(where: str, name: str, decay: Any, above: float) -> None:
    """Refuse a factor kept per step that is not above ``above`` and below 1.

    Raises:
        RangeError: naming it.
    """
    wrong = np.ravel(decay)[~np.ravel((decay > above) & (decay < 1))]
    if wrong.size:
        low = "above 0" if above == 0 else "0 or above"
        raise RangeError(f"{where}: {name} = {show(wrong[0])}, allowed: {low}, below 1")
