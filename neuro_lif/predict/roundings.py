"""F2 and F3: what rounding u and v in every step does to the mean and the spread of v, in LSB.

``delta_u`` and ``delta_v`` are the shares lost per step as coded; r is what rounding adds in one
step (:class:`.Residual`). ``delta_u = 1``: a current that lasts one step; nothing of it is rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..reference.theory.residual import Residual


def _over(x: Any, share: Any) -> FloatArray:
    """Return ``x / share``; 0 where x is 0, whatever the share."""
    x, share = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(share, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(x == 0, 0.0, x / share))


def mean_shift(
    mean_u: npt.ArrayLike, mean_v: npt.ArrayLike, delta_u: npt.ArrayLike, delta_v: npt.ArrayLike
) -> FloatArray:
    """Return the shift of the mean of v under a fluctuating drive, LSB.

    ``(mean_v + mean_u / delta_u) / delta_v``; toward zero and both registers above it:
    ``-(1 + 1 / delta_u) / (2 delta_v)``.

    Args:
        mean_u, mean_v: the mean of r in each register, LSB (``Residual.mean_at``).
        delta_u, delta_v: shares lost per step.

    Source: the mean of ``x' = (1 - delta) x + in + r`` is ``(in + r) / delta``.
    """
    return _over(np.asarray(mean_v) + _over(mean_u, delta_u), delta_v)


def settled_shift(
    low_u: npt.ArrayLike, low_v: npt.ArrayLike, delta_u: npt.ArrayLike, delta_v: npt.ArrayLike
) -> FloatArray:
    """Return the shift of v at rest under a constant drive approached from below, LSB.

    Toward zero: about ``-1/delta + 1/2``; to the nearest: ``-1/(2 delta) + 1/2``. v stops at the
    first integer where rounding takes back what the drive adds: on the average over drives that is
    ``1/2 - 1/(2 p)`` above ``low / delta``, p being the numerator of delta in lowest terms.

    Args:
        low_u, low_v: the least r above zero in each register, LSB (``Residual.low[1]``).
        delta_u, delta_v: shares lost per step.
    """

    def register(low: Any, delta: Any) -> FloatArray:
        delta = np.asarray(delta, np.float64)
        above = 0.5 - 0.5 / numerator(delta)
        return np.where((delta < 1) & (delta > 0), _over(low, delta) + above, 0.0)

    return register(low_v, delta_v) + _over(register(low_u, delta_u), delta_v)


def numerator(delta: npt.ArrayLike) -> FloatArray:
    """Return the numerator, in lowest terms, of shares that are whole multiples of 2**-31."""
    units = np.maximum(np.rint(np.asarray(delta, np.float64) * 2.0**31).astype(np.int64), 1)
    return np.asarray(units / np.gcd(units, 2**31))


def compensator(
    mean_u: npt.ArrayLike, mean_v: npt.ArrayLike, delta_u: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """Return what to add to the bias so that the mean of v is not shifted, whole LSB per step."""
    return np.asarray(np.rint(-(np.asarray(mean_v) + _over(mean_u, delta_u))), np.int64)


def threshold_needed(shift: npt.ArrayLike, share: float) -> FloatArray:
    """Return the threshold, LSB, of which a shift of v is the given share.

    Toward zero: ``(1 + 1 / delta_u) / (2 delta_v share)``.
    """
    return np.asarray(np.abs(np.asarray(shift, np.float64)) / share)


def state_sd(
    variance_u: npt.ArrayLike, variance_v: npt.ArrayLike, delta_u: npt.ArrayLike,
    delta_v: npt.ArrayLike,
) -> FloatArray:  # fmt: skip
    """Return the standard deviation of v that rounding causes, LSB (F3).

    ``sqrt(variance_v / (1 - a**2))`` with ``a = 1 - delta_v``; what u's rounding adds goes through
    both registers: ``variance_u (1 + a b) / ((1 - a b) (1 - a**2) (1 - b**2))``,
    ``b = 1 - delta_u``.

    Args:
        variance_u, variance_v: of r in each register, LSB**2: 1/12, stochastic 1/6.
        delta_u, delta_v: shares lost per step.

    Source: variances of autoregressive processes of first and second order.
    """
    a, b = 1.0 - np.asarray(delta_v, np.float64), 1.0 - np.asarray(delta_u, np.float64)
    own = _over(variance_v, 1.0 - a**2)
    through = _over(np.asarray(variance_u) * (1 + a * b), (1 - a * b) * (1 - a**2) * (1 - b**2))
    return np.asarray(np.sqrt(own + through))


def shift_of(
    u: Residual, v: Residual, delta_u: npt.ArrayLike, delta_v: npt.ArrayLike, sign_u: Any = 1.0,
    sign_v: Any = 1.0,
) -> FloatArray:  # fmt: skip
    """Return :func:`mean_shift` of two roundings.

    Args:
        u, v: the roundings.
        delta_u, delta_v: shares lost per step.
        sign_u, sign_v: mean sign of each register, -1..1: 1 where it is nearly always above zero.
    """
    return mean_shift(u.mean_at(sign_u), v.mean_at(sign_v), delta_u, delta_v)
