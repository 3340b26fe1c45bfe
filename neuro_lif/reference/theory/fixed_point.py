"""Rates of populations that drive each other: where the theory's rates give back themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray
from ...checks import is_real
from ...errors import ConvergenceError, RangeError, show
from .arguments import choice, numbers, whole
from .derivatives import slopes
from .exponential import METHODS, Method
from .inputs import mean_input, std_input

Solver = Literal["ode", "lstsq"]
SOLVERS = ("ode", "lstsq")
TOLERANCE = 1e-11
"""Largest ``|F(nu) - nu| / (nu + 1e-3 Hz)`` of what is called a solution."""


@dataclass(frozen=True, eq=False)
class WorkingPoint:
    """Self-consistent rates and the input they go with, each ``(n,)``.

    Args:
        nu: rates, Hz.
        mu, sigma: mean and standard deviation of the input, V.
    """

    nu: FloatArray
    mu: FloatArray
    sigma: FloatArray


def working_point(
    J: npt.ArrayLike, K: npt.ArrayLike, tau_m: npt.ArrayLike, V_th_rel: npt.ArrayLike,
    V_0_rel: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
    J_ext: npt.ArrayLike = 0.0, K_ext: npt.ArrayLike = 0.0, nu_ext: npt.ArrayLike = 0.0,
    I_ext: npt.ArrayLike = 0.0, C: npt.ArrayLike = 1.0, method: Method = "shift",
    solver: Solver = "ode", nu_0: npt.ArrayLike | None = None,
) -> WorkingPoint:  # fmt: skip
    """Return the self-consistent rates of n populations and their input.

    Args:
        J, K: weights (V) and in-degrees, ``(n, n)``, rows receive; see :func:`.inputs.mean_input`.
        tau_m, tau_r, tau_s, V_th_rel, V_0_rel: s and V, a number or ``(n,)``; tau_s = 0: delta
            synapses.
        J_ext, K_ext, nu_ext, I_ext, C: external input; see :func:`.inputs.mean_input`.
        method: for tau_s > 0, ``"shift"`` or ``"taylor"``.
        solver: ``"ode"`` or ``"lstsq"``; see :func:`solve_rates`.
        nu_0: rates to begin with, Hz, ``(n,)``; None: all 0.

    Raises:
        RangeError: an argument is not allowed, or the shapes do not fit.
        ConvergenceError: no self-consistent rates were found.

    Source: Brunel (2000); Fourcaud and Brunel (2002) for tau_s > 0.
    """
    choice("working_point", "method", method, METHODS)
    given = {"J": J, "K": K, "V_th_rel": V_th_rel, "tau_m": tau_m}
    for name, value in (given if nu_0 is None else {**given, "nu_0": nu_0}).items():
        (array,) = numbers("working_point", **{name: value})
        if not array.size:
            raise RangeError(f"working_point: {name} = {show(value)}, allowed: one population or "
                             "more")  # fmt: skip
    n = _size(J, K, V_th_rel, tau_m, nu_0)
    ext = {"J_ext": J_ext, "K_ext": K_ext, "nu_ext": nu_ext}
    cell = numbers("working_point", V_th_rel=V_th_rel, V_0_rel=V_0_rel, tau_m=tau_m, tau_r=tau_r,
                   tau_s=tau_s)  # fmt: skip
    if cell[0].shape not in ((), (n,)):
        raise RangeError(f"working_point: neurons of shape {cell[0].shape}, allowed: () or ({n},)")
    V_th, V_0, tau, _, tau_syn = (np.broadcast_to(x, (n,)) for x in cell)
    J_, K_ = numbers("working_point", J=J, K=K)
    if J_.shape not in ((), (n, n)):
        raise RangeError(f"working_point: J and K of shape {J_.shape}, allowed: () or ({n}, {n})")
    JK, JJK = (np.broadcast_to(K_ * J_**power, (n, n)) for power in (1, 2))

    def inputs(nu: FloatArray) -> tuple[FloatArray, FloatArray]:
        return (mean_input(nu, J, K, tau_m, **ext, I_ext=I_ext, C=C),
                std_input(nu, J, K, tau_m, **ext))  # fmt: skip

    def rates(nu: FloatArray) -> tuple[FloatArray, FloatArray]:
        mu, sigma = inputs(nu)
        found = slopes(method, mu, sigma, V_th, V_0, tau, np.broadcast_to(cell[3], (n,)), tau_syn)
        by_variance = np.where(sigma > 0, found.sigma / (2 * np.where(sigma > 0, sigma, 1.0)), 0.0)
        return found.nu, tau[:, None] * (found.mu[:, None] * JK + by_variance[:, None] * JJK)

    (start,) = numbers("working_point", nu_0=np.zeros(n) if nu_0 is None else nu_0)
    if start.shape not in ((), (n,)):
        raise RangeError(f"working_point: nu_0 of shape {start.shape}, allowed: () or ({n},)")
    start = np.broadcast_to(start, (n,))
    nu = solve_rates(rates, start, solver)
    mu, sigma = inputs(nu)
    return WorkingPoint(nu, mu, sigma)


def _size(*given: Any) -> int:
    """Return the number of populations: that of the first argument that is not a number."""
    return next((np.shape(x)[0] for x in given if x is not None and np.ndim(x) > 0), 1)


def solve_rates(
    rates: Callable[[FloatArray], Any], nu_0: npt.ArrayLike, solver: Solver = "ode",
    most_steps: int = 2000,
) -> FloatArray:  # fmt: skip
    """Return rates nu with ``rates(nu) = nu``.

    ``"ode"`` follows ``d nu / ds = rates(nu) - nu`` from nu_0 with steps that grow as the rates
    settle, so that it ends in the state that the populations go to; its last steps are Newton's.
    ``"lstsq"`` goes on from there by the least squares of ``rates(nu) - nu`` (scipy): it can find a
    state from which the populations would go away.

    Args:
        rates: from rates ``(n,)``, Hz, to rates ``(n,)``, or to those and their derivatives
            ``(n, n)`` (row i: of rate i); without derivatives they are taken by differences.
        nu_0: rates to begin with, Hz, ``(n,)``.
        solver: ``"ode"`` or ``"lstsq"``.
        most_steps: of ``"ode"``.

    Raises:
        RangeError: an argument is not allowed.
        ConvergenceError: no solution was found; what was reached stands in the message.
    """
    choice("solve_rates", "solver", solver, SOLVERS)
    most_steps = whole("solve_rates", "most_steps", most_steps, 1, 10**9)
    given: Any = rates
    if not callable(given):
        raise RangeError(f"solve_rates: rates = {show(given)}, allowed: a function of rates (n,)")
    (start,) = numbers("solve_rates", nu_0=nu_0)
    nu = np.atleast_1d(np.array(start))
    if nu.ndim != 1 or not nu.size:
        raise RangeError(f"solve_rates: nu_0 of shape {nu.shape}, allowed: (n,), n >= 1")
    nu = _relax(rates, nu, most_steps) if solver == "ode" else _least_squares(rates, nu)
    off = _off(_both(rates, nu)[0] - nu, nu)
    if not off <= TOLERANCE * 100:
        raise ConvergenceError(f"solve_rates: no self-consistent rates: after {solver} nu = "
                               f"{show(nu.tolist())} Hz, off by {off:.1e} of themselves "
                               "(try another nu_0 or solver)")  # fmt: skip
    return nu


def _off(residual: Any, nu: Any) -> float:
    return float(np.max(np.abs(residual) / (np.abs(nu) + 1e-3), initial=0.0))


def _both(rates: Callable[[FloatArray], Any], nu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the rates and their derivatives, by differences where the function has none."""
    found = rates(nu)
    if isinstance(found, tuple):
        return np.asarray(found[0]), np.asarray(found[1])
    if not is_real(found) or np.shape(found) != nu.shape:  # what is not finite is stepped back from
        raise RangeError(f"solve_rates: rates(nu) = {show(found)}, allowed: rates {nu.shape}")
    out, columns = np.asarray(found, np.float64), []
    for j in range(len(nu)):
        moved = nu.copy()
        moved[j] += 1e-6 * (nu[j] + 1e-2)
        columns.append((np.asarray(rates(moved)) - out) / (moved[j] - nu[j]))
    return out, np.stack(columns, axis=1)


def _relax(rates: Callable[[FloatArray], Any], nu: FloatArray, most_steps: int) -> FloatArray:
    """Linearly implicit Euler steps of ``d nu / ds = rates(nu) - nu``, longer as it settles."""
    out, slope = _both(rates, nu)
    residual, step, quiet = out - nu, 0.1, 0
    for _ in range(most_steps):
        off = _off(residual, nu)
        quiet = quiet + 1 if off <= TOLERANCE else 0
        if quiet == 2:
            break
        unstable = float(np.max(np.linalg.eigvals(slope).real)) - 1
        if unstable > 0:  # a longer step would go to an unstable state, not away from it
            step = min(step, 0.3 / unstable)
        matrix = (1 + 1 / step) * np.eye(len(nu)) - slope
        move = np.linalg.solve(matrix, residual)
        tried = nu + move
        low = np.min(tried + 0.5 * np.abs(nu) + 1e-12) < 0  # no rate falls by more in one step
        out, slope_there = _both(rates, np.maximum(tried, 0.0))
        there = out - np.maximum(tried, 0.0)
        grown = np.max(np.abs(there)) / max(float(np.max(np.abs(residual))), 1e-300)
        if (low or not np.all(np.isfinite(there)) or grown > 2) and step > 1e-6:
            step *= 0.25
            continue
        nu, residual, slope = np.maximum(tried, 0.0), there, slope_there
        step = min(step * min(max(1 / max(grown, 1e-6), 1.0), 4.0), 1e12)
    return nu


def _least_squares(rates: Callable[[FloatArray], Any], nu: FloatArray) -> FloatArray:
    from scipy import optimize

    least_squares: Any = optimize.least_squares

    def residual(x: FloatArray) -> FloatArray:
        return np.asarray(_both(rates, np.maximum(x, 0.0))[0] - x)

    def slope(x: FloatArray) -> FloatArray:
        return np.asarray(_both(rates, np.maximum(x, 0.0))[1] - np.eye(len(x)))

    start = _relax(rates, nu, 300)  # near what it relaxes to, if to anything
    for _ in range(3):
        found = least_squares(residual, np.maximum(start, 0.0), slope, bounds=(0, np.inf),
                              x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15,
                              max_nfev=300)  # fmt: skip
        reached = np.asarray(found.x)
        for _ in range(20):  # Newton's steps, to the last bits
            out, by = _both(rates, reached)
            if _off(out - reached, reached) <= TOLERANCE:
                return reached
            move = np.linalg.solve(np.eye(len(reached)) - by, out - reached)
            reached = np.maximum(reached + move, 0.0)
        start = (np.maximum(start, 0.0) + _both(rates, np.maximum(start, 0.0))[0]) / 2
    return reached
