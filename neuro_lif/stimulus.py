"""Input currents as functions of time, in amperes and seconds; no dt in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .checks import number_array
from .errors import Faults, NetworkError


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant current.

    Args:
        amplitude: A, scalar or ``(n,)``.
    """

    amplitude: npt.ArrayLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplitude", _finite(self, "amplitude", self.amplitude))

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        return np.array(np.broadcast_to(np.asarray(self.amplitude), (len(times), size)))


@dataclass(frozen=True, eq=False)
class Sinusoid:
    """``offset + amplitude * sin(2 pi (t / period) + phase)``.

    Args:
        offset: A, scalar or ``(n,)``.
        amplitude: A, scalar or ``(n,)``.
        period: s, > 0.
        phase: rad.
    """

    offset: npt.ArrayLike
    amplitude: npt.ArrayLike
    period: float
    phase: npt.ArrayLike = 0.0

    def __post_init__(self) -> None:
        for name in ("offset", "amplitude", "phase", "period"):
            object.__setattr__(self, name, _finite(self, name, getattr(self, name)))
        if np.ndim(self.period) != 0 or not self.period > 0:
            _refuse("Sinusoid", "period", self.period, "one time > 0 s")

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        angle = 2 * np.pi * times[:, None] / self.period + np.asarray(self.phase)
        wave = np.asarray(self.offset) + np.asarray(self.amplitude) * np.sin(angle)
        return np.array(np.broadcast_to(wave, (len(times), size)))


@dataclass(frozen=True, eq=False)
class Sampled:
    """A sampled current, held constant over each interval (zero-order hold), 0 after the last.

    Args:
        values: A, ``(n_samples, n)`` or ``(n_samples, 1)`` for all neurons alike.
        interval: s, time between samples, > 0.
    """

    values: npt.ArrayLike
    interval: float

    def __post_init__(self) -> None:
        values = _finite(self, "values", self.values)
        if values.ndim != 2:
            _refuse("Sampled", "values", f"shape {values.shape}", "shape (n_samples, n)")
        interval = _finite(self, "interval", self.interval)
        if interval.ndim != 0 or not interval > 0:
            _refuse("Sampled", "interval", self.interval, "one time > 0 s")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "interval", float(interval))

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        values = np.asarray(self.values)
        # the small offset keeps a grid time from falling into the sample before it
        index = np.floor(times / self.interval + 1e-9).astype(np.int64)
        out = np.zeros((len(times), size))
        inside = index < len(values)
        out[inside] = values[index[inside]]
        return out


Stimulus = Constant | Sinusoid | Sampled


def _finite(owner: object, name: str, value: npt.ArrayLike) -> FloatArray:
    faults = Faults()
    array = number_array(type(owner).__name__, name, value, faults)
    faults.raise_if_any(NetworkError)
    return np.zeros(0) if array is None else array


def _refuse(where: str, name: str, value: object, allowed: str) -> None:
    faults = Faults()
    faults.add(where, name, value, allowed)
    faults.raise_if_any(NetworkError)
