"""F4: what rounding the weights does to the mean and the variance of a neuron's input.

K synapses whose senders each fire ``rate`` times per step; a weight is a multiple of ``step`` (V
per step added to u); ``delta`` is the share of v lost per step, or ``delta_u delta_v`` where
weights go through u first, so that ``w rate / delta`` is their mean effect on v, V.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray

OFFSETS = {"nearest": 0.0, "stochastic": 0.0, "floor": -0.5}
"""Rounding of a weight -> the mean of its error in steps."""

VARIANCES = {"nearest": 1 / 12, "stochastic": 1 / 6, "floor": 1 / 12}
"""Rounding of a weight -> the variance of its error in steps squared."""


def mean_shift_of_weights(
    step: npt.ArrayLike, k: npt.ArrayLike, rate: npt.ArrayLike, delta: npt.ArrayLike,
    rounding: str = "nearest",
) -> FloatArray:  # fmt: skip
    """Return the mean shift of v, V: 0, and ``-step k rate / (2 delta)`` for ``floor``."""
    return np.asarray(OFFSETS[rounding] * _effect(step, rate, delta) * np.asarray(k))


def sd_of_weights(
    step: npt.ArrayLike, k: npt.ArrayLike, rate: npt.ArrayLike, delta: npt.ArrayLike,
    rounding: str = "nearest",
) -> FloatArray:  # fmt: skip
    """Return the spread of the mean of v from neuron to neuron, V.

    ``step sqrt(k / 12) rate / delta``, stochastic ``sqrt(k / 6)``. Too large where ``step`` is more
    than about 3 standard deviations of the weights: their errors are not equidistributed then.
    """
    spread = np.sqrt(np.asarray(k) * VARIANCES[rounding])
    return np.asarray(spread * _effect(step, rate, delta))


def _effect(step: npt.ArrayLike, rate: npt.ArrayLike, delta: npt.ArrayLike) -> FloatArray:
    """Return what one step's error of one synapse does to the mean of v; inf without a leak."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.asarray(step) * np.asarray(rate) / np.asarray(delta))


def variance_of_weights(
    step: npt.ArrayLike, k: npt.ArrayLike, rate: npt.ArrayLike, rounding: str = "nearest"
) -> FloatArray:
    """Return what rounding adds to the variance of one step's input, V**2.

    ``rate k step**2 / 12``.
    """
    with np.errstate(invalid="ignore"):
        each = np.asarray(rate) * np.asarray(step) ** 2
        return np.asarray(np.asarray(k) * each * VARIANCES[rounding])


def rate_change(
    by_mean: npt.ArrayLike, mean: npt.ArrayLike, by_mean_twice: npt.ArrayLike = 0.0,
    variance: npt.ArrayLike = 0.0, by_sigma: npt.ArrayLike = 0.0, sigma: npt.ArrayLike = 0.0,
) -> FloatArray:  # fmt: skip
    """Return the mean change of the rate that changes of the input cause, Hz.

    ``d nu/d mu mean + d2 nu/d mu2 variance / 2 + d nu/d sigma sigma``.

    Args:
        by_mean, by_mean_twice, by_sigma: derivatives of the rate, Hz/V, Hz/V**2, Hz/V.
        mean, sigma: mean changes of mu and sigma, V.
        variance: of the change of mu from neuron to neuron, V**2.
    """
    first = np.asarray(by_mean) * np.asarray(mean)
    second = np.asarray(by_mean_twice) * np.asarray(variance) / 2
    return np.asarray(first + second + np.asarray(by_sigma) * np.asarray(sigma))
