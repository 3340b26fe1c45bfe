"""How the rate answers to a small change of its mean input, noise, threshold, reset or senders.

All take ``tau_s`` (0: delta synapses) and the method of :func:`.exponential.siegert_exp`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import RangeError
from .arguments import choice, numbers, plain
from .exponential import METHODS, Method, shift_of
from .siegert import Passage, passage


class Slopes(NamedTuple):
    """The rate and its derivatives, flat: Hz, and Hz/V."""

    nu: Any
    mu: Any
    sigma: Any
    threshold: Any
    reset: Any


def slopes(
    method: Method, mu: Any, sigma: Any, V_th_rel: Any, V_0_rel: Any, tau_m: Any, tau_r: Any,
    tau_s: Any,
) -> Slopes:  # fmt: skip
    """Return the rate and its derivatives of checked arrays of one shape.

    With ``d/dy`` of the rate known at threshold and reset, ``y = (V - mu) / sigma``, the rest is
    the chain rule; the shift of exponential synapses does not depend on mu and sigma.
    """
    given = [np.ravel(x) for x in (mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r)]
    mu, sigma, v_th, v_0, tau_m, _ = given
    by = np.ravel(shift_of(np.ravel(tau_s), tau_m))
    p = passage(*given, shift=by if method == "shift" else 0.0)
    nu, th, r, with_noise = p.nu, -p.nu * p.flux_th, p.nu * p.flux_r, -p.nu * p.flux_tail
    if method == "shift":
        with_noise = with_noise - by * (th + r)  # y without its shift
    else:
        th_2, r_2 = _second(p, tau_m)
        nu, th, r = nu + by * (th + r), th + by * th_2, r + by * r_2
        with_noise = with_noise + by * (p.y_th * th_2 + p.y_r * r_2)
    # without noise: the derivatives of the closed form
    up, down = mu - v_th, mu - v_0
    loud, fast = p.noisy & (sigma > 0), ~p.noisy & (up > 0)
    per_sigma = 1 / np.where(loud, sigma, 1.0)
    quiet = [np.where(fast, nu**2 * tau_m / np.where(fast, x, 1.0), 0.0) for x in (up, down)]
    return Slopes(
        nu,
        np.where(loud, -(th + r) * per_sigma, quiet[0] - quiet[1]),
        np.where(loud, -with_noise * per_sigma, 0.0),
        np.where(loud, th * per_sigma, -quiet[0]),
        np.where(loud, r * per_sigma, quiet[1]),
    )


def _second(p: Passage, tau_m: Any) -> tuple[Any, Any]:
    """Return ``(d/dy_th + d/dy_r)`` of the rate's derivative by y_th, and by y_r."""
    bend_th = 2 * (p.y_th * p.flux_th + tau_m * p.nu)
    bend_r = 2 * (p.y_r * p.flux_r + tau_m * p.nu)
    both = 2 * p.flux_th * p.flux_r
    return (p.nu * (2 * p.flux_th**2 - bend_th - both),
            p.nu * (2 * p.flux_r**2 + bend_r - both))  # fmt: skip


def _checked(
    where: str, noise: bool, method: Method, mu: Any, sigma: Any, V_th_rel: Any, V_0_rel: Any,
    tau_m: Any, tau_r: Any, tau_s: Any, **more: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Return checked arrays; ``noise``: sigma has to be above 0."""
    choice(where, "method", method, METHODS)
    given = numbers(where, mu=mu, sigma=sigma, V_th_rel=V_th_rel, V_0_rel=V_0_rel, tau_m=tau_m,
                    tau_r=tau_r, tau_s=tau_s, **more)  # fmt: skip
    if noise and not np.all(given[1] > 0):
        raise RangeError(f"{where}: sigma = {float(np.min(given[1]))}, allowed: > 0 V")
    return given


def _by(
    where: str, name: str, method: Method, mu: Any, sigma: Any, V_th_rel: Any, V_0_rel: Any,
    tau_m: Any, tau_r: Any, tau_s: Any,
) -> Any:  # fmt: skip
    """Return the slope of one name, in the shape of the arguments."""
    given = _checked(where, name == "sigma", method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r,
                     tau_s)  # fmt: skip
    return plain(getattr(slopes(method, *given), name).reshape(given[0].shape))


def d_nu_d_mu(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
    method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the derivative of the rate by the mean input, Hz/V.

    Args:
        mu, sigma, V_th_rel, V_0_rel: V; sigma >= 0.
        tau_m, tau_r, tau_s: s; tau_s = 0: delta synapses.
        method: for tau_s > 0, ``"shift"`` or ``"taylor"``.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.

    Source: M. Helias, T. Tetzlaff, M. Diesmann, New J. Phys. 15:023002 (2013), appendix A.
    """
    return _by("d_nu_d_mu", "mu", method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, tau_s)


def d_nu_d_sigma(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
    method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the derivative of the rate by sigma, Hz/V; arguments of :func:`d_nu_d_mu`, sigma > 0.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    return _by("d_nu_d_sigma", "sigma", method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, tau_s)


def d_nu_d_V_th(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
    method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the derivative of the rate by the threshold, Hz/V; arguments of :func:`d_nu_d_mu`.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    return _by(
        "d_nu_d_V_th", "threshold", method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, tau_s
    )


def d_nu_d_V_0(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
    method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the derivative of the rate by the reset, Hz/V; arguments of :func:`d_nu_d_mu`.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.
    """
    return _by("d_nu_d_V_0", "reset", method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, tau_s)


def d_nu_d_nu_in(
    J: npt.ArrayLike, mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike,
    V_0_rel: npt.ArrayLike, tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0,
    tau_s: npt.ArrayLike = 0.0, method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the derivative of the rate by the rate of one sender of weight J, a pure number.

    ``tau_m (J d nu/d mu + J^2 / (2 sigma) d nu/d sigma)``: a sender adds to mean and variance.

    Args:
        J: weight, V.
        mu, sigma, V_th_rel, V_0_rel: V; sigma > 0.
        tau_m, tau_r, tau_s: s; tau_s = 0: delta synapses.
        method: for tau_s > 0, ``"shift"`` or ``"taylor"``.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.

    Source: Helias et al. (2013), eq. A.3.
    """
    *given, j = _checked("d_nu_d_nu_in", True, method, mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r,
                         tau_s, J=J)  # fmt: skip
    found, shape = slopes(method, *given), j.shape
    d_mu, d_sigma = found.mu.reshape(shape), found.sigma.reshape(shape)
    return plain(given[4] * (j * d_mu + j**2 / (2 * given[1]) * d_sigma))
