"""A LIF neuron without noise: closed forms in continuous time and on the grid of a simulator.

``tau_m dV/dt = -V + mu``, mu = R I; every voltage is counted from the leak potential. A spike at
V_th_rel, then V_0_rel for tau_r.

Source: Gerstner and Kistler, Spiking Neuron Models (2002), section 4.1.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray, IntArray
from ...errors import RangeError, show
from .arguments import choice, numbers, plain, single
from .discrete import INTEGRATORS

MOST_SPIKES = 10_000_000


def voltage(
    t: npt.ArrayLike, mu: npt.ArrayLike, tau_m: npt.ArrayLike, V_init: npt.ArrayLike = 0.0
) -> Any:
    """Return V at time t under a constant input, without a threshold, V.

    Args:
        t: time since V was V_init, s, >= 0.
        mu: input, R I, V.
        tau_m: s, > 0.
        V_init: V at t = 0.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    time, end, tau, start = numbers("voltage", t=t, mu=mu, tau_m=tau_m, V_init=V_init)
    return plain(start * np.exp(-time / tau) - end * np.expm1(-time / tau))


def first_spike_time(
    mu: npt.ArrayLike, V_th_rel: npt.ArrayLike, tau_m: npt.ArrayLike, V_init: npt.ArrayLike = 0.0
) -> Any:
    """Return when V first reaches the threshold, ``tau_m ln((mu - V_init) / (mu - V_th_rel))``, s.

    Args:
        mu: constant input, R I, V.
        V_th_rel: threshold, V, above V_init.
        tau_m: s, > 0.
        V_init: V at time 0; where it is at the threshold or above, the time is 0.

    Returns:
        s; infinite where mu is not above the threshold: V comes near and never reaches it.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    given = numbers("first_spike_time", mu=mu, V_th_rel=V_th_rel, tau_m=tau_m, V_init=V_init)
    return plain(_passage_time(*given))


def _passage_time(mu: Any, v_th: Any, tau_m: Any, start: Any) -> Any:
    fires = mu > v_th
    distance = np.where(fires, mu - v_th, 1.0)
    time = np.where(fires, tau_m * np.log1p(np.maximum(v_th - start, 0.0) / distance), np.inf)
    return np.where(start >= v_th, 0.0, time)


def period(
    mu: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike, tau_m: npt.ArrayLike,
    tau_r: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return the time between spikes, ``tau_r + tau_m ln((mu - V_0_rel) / (mu - V_th_rel))``, s.

    Args:
        mu: constant input, R I, V.
        V_th_rel, V_0_rel: threshold and reset, V.
        tau_m: s, > 0.
        tau_r: refractory period, s, >= 0.

    Returns:
        s; infinite where mu is not above the threshold.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    end, v_th, v_0, tau, held = numbers("period", mu=mu, V_th_rel=V_th_rel, V_0_rel=V_0_rel,
                                        tau_m=tau_m, tau_r=tau_r)  # fmt: skip
    return plain(held + _passage_time(end, v_th, tau, v_0))


def rate(
    mu: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike, tau_m: npt.ArrayLike,
    tau_r: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return the f-I curve: one over :func:`period`, 0 where mu is not above the threshold, Hz.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    return plain(1 / np.asarray(period(mu, V_th_rel, V_0_rel, tau_m, tau_r)))


def convolution_solution(
    t: float, current: npt.ArrayLike, dt: float, tau_m: float, V_init: float = 0.0
) -> float:
    """Return V(t) without a threshold, under a sampled input: the convolution of the input.

    ``V(t) = V_init e^{-t/tau_m} + 1/tau_m int_0^t e^{-(t-s)/tau_m} mu(s) ds``; the integral is
    exact where mu is constant over each interval.

    Args:
        t: s, 0 up to the end of the samples.
        current: R I, V, ``(n,)``, sample i held over ``i dt <= s < (i + 1) dt``.
        dt: s, > 0.
        tau_m: s, > 0.
        V_init: V at t = 0.

    Raises:
        RangeError: an argument is not allowed, or t lies after the samples.

    Source: E. Orhan, "The Leaky Integrate-and-Fire Neuron Model" (2012), eq. 7.
    """
    where = "convolution_solution"
    (samples,) = numbers(where, current=current)
    single(where, t=t, dt=dt, tau_m=tau_m, V_init=V_init)
    if samples.ndim != 1 or t > len(samples) * dt * (1 + 1e-12):
        raise RangeError(f"{where}: t = {show(t)}, current of shape {samples.shape}, allowed: "
                         "samples (n,) and t up to n dt")  # fmt: skip
    starts = np.minimum(np.arange(len(samples)) * dt, t)
    ends = np.minimum(starts + dt, t)
    kernel = np.exp(-(t - ends) / tau_m) * -np.expm1(-(ends - starts) / tau_m)
    return float(V_init * np.exp(-t / tau_m) + np.dot(kernel, samples))


def n1_exact(
    mu: npt.ArrayLike, V_th_rel: npt.ArrayLike, tau_m: npt.ArrayLike, dt: npt.ArrayLike,
    V_init: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return after how many steps the exact integrator first sees V >= threshold (0: never).

    ``ceil(t1 / dt)``; where ``t1/dt`` is whole up to some 1e-12, the last bit of a simulator's sum
    decides between it and the next.

    Args:
        mu: constant input, R I, V.
        V_th_rel: threshold, V.
        tau_m, dt: s, > 0.
        V_init: V at the start, below the threshold.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    end, v_th, tau, step, start = numbers("n1_exact", mu=mu, V_th_rel=V_th_rel, tau_m=tau_m,
                                          dt=dt, V_init=V_init)  # fmt: skip
    return plain(_steps(_passage_time(end, v_th, tau, start) / step))


def n1_euler(
    mu: npt.ArrayLike, V_th_rel: npt.ArrayLike, tau_m: npt.ArrayLike, dt: npt.ArrayLike,
    V_init: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return after how many steps Euler's integrator first sees V >= threshold (0: never).

    ``ceil(ln((mu - V_th_rel) / (mu - V_init)) / ln(1 - dt/tau_m))``; arguments of
    :func:`n1_exact`, dt below tau_m.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    end, v_th, tau, step, start = numbers("n1_euler", mu=mu, V_th_rel=V_th_rel, tau_m=tau_m,
                                          dt=dt, V_init=V_init)  # fmt: skip
    if not np.all(step < tau):
        raise RangeError(f"n1_euler: dt = {show(float(np.max(step)))}, allowed: below tau_m")
    return plain(_steps(_passage_time(end, v_th, -1 / np.log1p(-step / tau), start)))


def _steps(exact: Any) -> Any:
    # a step that ends at the threshold sees it, though the quotient is one ulp beyond
    whole = np.ceil(exact - 1e-12 * np.where(np.isfinite(exact), exact, 0.0))
    return np.where(np.isfinite(exact), np.maximum(whole, 1), 0).astype(np.int64)


def grid_spikes(
    mu: float, V_th_rel: float, V_0_rel: float, tau_m: float, dt: float, n_steps: int,
    n_ref: int = 0, integrator: Literal["exact", "euler"] = "exact", V_init: float | None = None,
) -> IntArray:  # fmt: skip
    """Return the steps in which a simulator with a grid emits spikes under a constant input.

    Args:
        mu: input, R I, V.
        V_th_rel, V_0_rel: threshold (reached: V >= threshold) and reset, V.
        tau_m, dt: s, > 0.
        n_steps: steps of the run, >= 0.
        n_ref: steps for which V is held at reset after the step of a spike, >= 0.
        integrator: ``"exact"`` or ``"euler"``.
        V_init: V at the start, below the threshold; None: the reset.

    Returns:
        Numbers of completed steps, ``(n_spikes,)`` int64: entry k means the spike is seen at time
        ``k dt``. A simulator that stamps the beginning of the step says one less.

    Raises:
        RangeError: an argument is not allowed.
    """
    choice("grid_spikes", "integrator", integrator, INTEGRATORS)
    for name, value in (("n_steps", n_steps), ("n_ref", n_ref)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise RangeError(f"grid_spikes: {name} = {show(value)}, allowed: a whole number >= 0")
    single("grid_spikes", mu=mu, V_th_rel=V_th_rel, V_0_rel=V_0_rel, tau_m=tau_m, dt=dt)
    start = _start("grid_spikes", V_th_rel, V_0_rel, V_init)
    steps = n1_euler if integrator == "euler" else n1_exact
    first = int(steps(mu, V_th_rel, tau_m, dt, start))
    if not 0 < first <= n_steps:
        return np.zeros(0, np.int64)
    apart = int(steps(mu, V_th_rel, tau_m, dt, V_0_rel)) + int(n_ref)
    if (n_steps - first) // apart >= MOST_SPIKES:
        raise RangeError(f"grid_spikes: n_steps = {n_steps}, allowed: up to {MOST_SPIKES} spikes")
    return np.arange(first, n_steps + 1, apart, dtype=np.int64)


def _start(where: str, threshold: float, reset: float, V_init: float | None) -> float:
    """Return V at the start.

    Raises:
        RangeError: it is no number below the threshold.
    """
    (start,) = single(where, V_init=reset if V_init is None else V_init)
    if not start < threshold:
        raise RangeError(f"{where}: V_init = {show(V_init)}, allowed: below V_th_rel = "
                         f"{show(threshold)}")  # fmt: skip
    return start


def spike_times(
    mu: float, V_th_rel: float, V_0_rel: float, tau_m: float, tau_r: float, t_end: float,
    V_init: float | None = None,
) -> FloatArray:  # fmt: skip
    """Return the exact times of all spikes in ``0 < t <= t_end`` under a constant input, s.

    Args:
        mu: input, R I, V.
        V_th_rel, V_0_rel: threshold and reset, V.
        tau_m, tau_r: s.
        t_end: s.
        V_init: V at t = 0, below the threshold; None: the reset.

    Raises:
        RangeError: an argument is not allowed.
    """
    single("spike_times", mu=mu, V_th_rel=V_th_rel, V_0_rel=V_0_rel, tau_m=tau_m, tau_r=tau_r,
           t=t_end)  # fmt: skip
    start = _start("spike_times", V_th_rel, V_0_rel, V_init)
    first = float(first_spike_time(mu, V_th_rel, tau_m, start))
    apart = float(period(mu, V_th_rel, V_0_rel, tau_m, tau_r))
    if not first <= t_end:
        return np.zeros(0)
    if (t_end - first) / apart >= MOST_SPIKES:
        raise RangeError(f"spike_times: t_end = {t_end}, allowed: up to {MOST_SPIKES} spikes")
    times = first + apart * np.arange(int((t_end - first) / apart) + 2)
    return np.asarray(times[times <= t_end])
