"""Mean and standard deviation of what a population receives from others and from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray
from ...errors import RangeError
from .arguments import numbers


def mean_input(
    nu: npt.ArrayLike, J: npt.ArrayLike, K: npt.ArrayLike, tau_m: npt.ArrayLike,
    J_ext: npt.ArrayLike = 0.0, K_ext: npt.ArrayLike = 0.0, nu_ext: npt.ArrayLike = 0.0,
    I_ext: npt.ArrayLike = 0.0, C: npt.ArrayLike = 1.0,
) -> FloatArray:  # fmt: skip
    """Return the mean input of each of n populations, ``(n,)``, V.

    ``mu = tau_m (sum K J nu + sum K_ext J_ext nu_ext + I_ext / C)``

    Args:
        nu: rate of each population, Hz, ``(n,)``.
        J: weight, V, ``(n, n)`` (rows receive, columns send) or a number.
        K: in-degrees, ``(n, n)`` or a number.
        tau_m: s, a number or ``(n,)``.
        J_ext, K_ext: weight (V) and in-degree of the external input, a number, ``(n,)`` (one
            external population for each, with nu_ext a number or ``(n,)``) or ``(n, m)`` (m
            external populations).
        nu_ext: rates of the external populations, Hz, see there; ``(m,)`` for matrices.
        I_ext: constant current, A, a number or ``(n,)``.
        C: membrane capacitance, F, > 0; wanted where there is a current.

    Raises:
        RangeError: an argument is not allowed, or the shapes do not fit.

    Source: Brunel (2000), eq. 1.
    """
    rates, weights, tau = _recurrent("mean_input", nu, J, K, tau_m)
    ext, _ = _external("mean_input", len(rates), J_ext, K_ext, nu_ext)
    current, capacitance = numbers("mean_input", I_ext=I_ext, C=C)
    if current.shape not in ((), rates.shape):
        raise RangeError(f"mean_input: I_ext / C of shape {current.shape}, "
                         f"allowed: a number or ({len(rates)},)")  # fmt: skip
    return np.asarray(tau * (weights[0] @ rates + ext + current / capacitance))


def std_input(
    nu: npt.ArrayLike, J: npt.ArrayLike, K: npt.ArrayLike, tau_m: npt.ArrayLike,
    J_ext: npt.ArrayLike = 0.0, K_ext: npt.ArrayLike = 0.0, nu_ext: npt.ArrayLike = 0.0,
) -> FloatArray:  # fmt: skip
    """Return sigma of the input of each of n populations, ``(n,)``, V; see :func:`mean_input`.

    ``sigma^2 = tau_m (sum K J^2 nu + sum K_ext J_ext^2 nu_ext)``: senders are independent Poisson
    processes. V without a threshold has the standard deviation ``sigma / sqrt(2)``.

    Raises:
        RangeError: an argument is not allowed, or the shapes do not fit.
    """
    rates, weights, tau = _recurrent("std_input", nu, J, K, tau_m)
    _, ext = _external("std_input", len(rates), J_ext, K_ext, nu_ext)
    return np.asarray(np.sqrt(tau * (weights[1] @ rates + ext)))


def _recurrent(where: str, nu: Any, J: Any, K: Any, tau_m: Any) -> tuple[Any, Any, Any]:
    """Return rates (n,), ``K J`` and ``K J^2`` (n, n), and time constants (n,)."""
    (nu,), (tau_m,) = numbers(where, nu=nu), numbers(where, tau_m=tau_m)
    nu = np.atleast_1d(nu)
    J, K = numbers(where, J=J, K=K)
    n = len(nu)
    square = J.shape in ((), (n, n)) and nu.ndim == 1
    if not square or tau_m.shape not in ((), (n,)):
        raise RangeError(f"{where}: shapes nu {nu.shape}, J and K {J.shape}, tau_m {tau_m.shape}, "
                         "allowed: (n,), (n, n) or (), (n,) or ()")  # fmt: skip
    both = [np.broadcast_to(x, (n, n)) for x in (K * J, K * J**2)]
    return nu, both, np.broadcast_to(tau_m, (n,))


def _external(where: str, n: int, J_ext: Any, K_ext: Any, nu_ext: Any) -> tuple[Any, Any]:
    """Return ``sum K_ext J_ext nu_ext`` and ``sum K_ext J_ext^2 nu_ext``, (n,)."""
    J_ext, K_ext = numbers(where, J_ext=J_ext, K_ext=K_ext)
    (nu_ext,) = numbers(where, nu_ext=nu_ext)
    wanted = (n, nu_ext.shape[0]) if J_ext.ndim == 2 and nu_ext.ndim == 1 else (n,)
    if J_ext.ndim == 2 and nu_ext.ndim == 0:
        wanted = (n, J_ext.shape[1])
    fits = J_ext.shape in ((), wanted) and (J_ext.ndim == 2 or nu_ext.shape in ((), (n,)))
    if not fits or nu_ext.ndim > 1:
        raise RangeError(f"{where}: shapes J_ext and K_ext {J_ext.shape}, nu_ext {nu_ext.shape}, "
                         f"allowed: (), ({n},) or ({n}, m) with nu_ext (m,)")  # fmt: skip
    rates = K_ext * nu_ext
    parts = [rates * J_ext, rates * J_ext**2]
    if J_ext.ndim == 2:
        parts = [part.sum(axis=1) for part in parts]
    return np.broadcast_to(parts[0], (n,)), np.broadcast_to(parts[1], (n,))
