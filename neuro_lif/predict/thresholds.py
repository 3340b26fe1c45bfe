"""F5, F6 and F7: the threshold on a lattice, spikes on a grid, and a bound along the path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..reference.theory.discrete import OVERSHOOT


def lattice_threshold(threshold: npt.ArrayLike, strict: bool) -> FloatArray:
    """Return the threshold that a register of reals would need to do the same, LSB.

    An integer is above ``threshold`` where it is at least ``threshold + 1``: half an LSB more on
    the average; at ``>=`` half an LSB less.
    """
    return np.asarray(np.asarray(threshold, np.float64) + (0.5 if strict else -0.5))


def period_slope(tau: npt.ArrayLike, distance: npt.ArrayLike) -> FloatArray:
    """Return ``dT / d threshold`` under a constant drive, s/V: ``tau / (RI - threshold)``.

    Args:
        tau: membrane time constant, s.
        distance: ``RI - threshold``, V; inf is returned where it is not above 0.
    """
    far = np.asarray(distance, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(far > 0, np.asarray(tau) / far, np.inf))


def isi_on_grid(dt: float) -> float:
    """Return the mean lengthening of an inter-spike interval by spikes at whole steps: dt / 2."""
    return dt / 2


def overshoot(step_sd: npt.ArrayLike) -> FloatArray:
    """Return by how much a threshold looked at once per step acts as a higher one.

    Args:
        step_sd: standard deviation of one step's input, V (or LSB, as the result).
    """
    return np.asarray(OVERSHOOT * np.asarray(step_sd, np.float64))


def path_bound(
    delta_error: npt.ArrayLike, v_max: npt.ArrayLike, input_error: npt.ArrayLike,
    rounding: npt.ArrayLike, delta: npt.ArrayLike,
) -> FloatArray:  # fmt: skip
    """Return a bound of ``|lsb v - v_float|`` while both emit the same spikes, V (F7).

    ``(|delta_error| v_max + |input_error| + |rounding|) / delta``: the error follows
    ``e' = (1 - delta) e + delta_error v + input_error + r``. inf where there is no leak.

    Args:
        delta_error: coded less meant share lost per step.
        v_max: largest magnitude of the float's v, V.
        input_error: largest error of one step's input, V per step.
        rounding: largest rounding of one step, V (one LSB toward zero, half an LSB nearest).
        delta: share lost per step, as coded.
    """
    each = np.abs(delta_error) * np.asarray(v_max) + np.abs(input_error) + np.abs(rounding)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(each == 0, 0.0, each / np.asarray(delta, np.float64)))


def spike_time_error(error: npt.ArrayLike, slope: npt.ArrayLike) -> FloatArray:
    """Return how far a spike is shifted in time, s: the error of v over its slope there.

    Args:
        error: of v, V.
        slope: ``|dV/dt|`` at the threshold, V/s.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(error) == 0, 0.0, np.abs(error) / np.abs(slope)))
