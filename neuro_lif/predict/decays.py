"""F1: what coding a decay costs: time constant, steady state, period.

Shares lost per step are ``delta``: of the float reference ``1 - decay_v``, of the integers
``(d + offset) / 2**k``. Everything takes numbers or arrays that broadcast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray


def relative_error(meant: npt.ArrayLike, coded: npt.ArrayLike) -> FloatArray:
    """Return ``coded / meant - 1`` of a share lost per step; 0 where both are 0."""
    a, b = np.broadcast_arrays(np.asarray(meant, np.float64), np.asarray(coded, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(a == b, 0.0, b / a - 1.0))


def most_relative_error(delta: npt.ArrayLike, k: int) -> FloatArray:
    """Return the largest relative error of a share coded to the nearest of ``2**-k``.

    Source: half a unit over the share: ``1 / (2**(k + 1) delta)``, 1/(8192 delta) for 12 bits.
    """
    return np.asarray(0.5 ** (k + 1) / np.asarray(delta, np.float64))


def tau_effective(delta: npt.ArrayLike, dt: float) -> FloatArray:
    """Return the time constant that loses a share per step, s: ``-dt / ln(1 - delta)``.

    inf where nothing is lost, 0 where all is.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(-dt / np.log1p(-np.asarray(delta, np.float64)))


def steady_state_error(
    meant: npt.ArrayLike, coded: npt.ArrayLike, compensated: bool = False
) -> FloatArray:
    """Return the relative error of ``v = b / delta`` under a constant drive b.

    ``meant / coded - 1``, about minus :func:`relative_error`; 0 with gain compensation, where b is
    rescaled by ``coded / meant``.
    """
    error = relative_error(coded, meant)
    return np.zeros_like(error) if compensated else error


def period_steps(
    threshold: npt.ArrayLike, bias: npt.ArrayLike, delta: npt.ArrayLike, held: npt.ArrayLike = 0,
    strict: bool = False,
) -> FloatArray:  # fmt: skip
    """Return the steps from spike to spike under a constant drive, inf where there is none.

    ``ceil(ln(1 - threshold delta / bias) / ln(1 - delta)) + held``: v starts at 0 and becomes
    ``v (1 - delta) + bias``.

    Args:
        threshold, bias: in one unit (per step).
        delta: share lost per step, 0..1.
        held: steps v is held after a spike.
        strict: it fires above the threshold, not at it.

    Source: the geometric series ``v_n = bias (1 - (1 - delta)**n) / delta``.
    """
    theta, b, d = np.broadcast_arrays(*(np.asarray(x, np.float64)
                                        for x in (threshold, bias, delta)))  # fmt: skip
    finite = np.isfinite(theta)
    theta = np.where(finite, theta, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        leaky = np.log1p(-theta * d / b) / np.log1p(-d)
        n = np.where(d > 0, np.where(d < 1, leaky, 1.0), theta / b)
        near = np.abs(n - np.rint(n)) <= 1e-9 * np.maximum(np.abs(n), 1.0)  # whole but for float64
    whole = np.where(near, np.rint(n) + int(strict), np.ceil(n))
    reached = (b > theta * d) if strict else (b >= theta * d) & ((d == 0) | (b > theta * d))
    fires = reached & (b > 0) & finite
    return np.asarray(np.where(fires, np.maximum(whole, 1.0) + np.asarray(held), np.inf))


def dead_zone(low: Any, high: Any, delta: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return how far below and above 0 a register stays where it is without input, LSB ``(n,)``.

    There rounding gives back what the decay takes: ``delta |v| <= |r|``.

    Args:
        low: the least r of a value below 0, LSB (:class:`~neuro_lif.predict.Residual`).
        high: the largest r of a value above 0, LSB.
        delta: share lost per step.
    """
    share = np.asarray(delta, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [np.where(share > 0, np.floor(np.abs(np.asarray(x)) / share + 1e-9), np.inf)
                for x in (low, high)]  # fmt: skip
    return np.asarray(ends[0]), np.asarray(ends[1])
