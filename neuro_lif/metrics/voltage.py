"""The error of the membrane below threshold, in V and in LSB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..checks import expect
from ..errors import RangeError, show
from ..recording import Recording


@dataclass(frozen=True, eq=False)
class VoltageError:
    """How far v is apart, away from spikes; NaN for a neuron of which nothing is left.

    Args:
        rms_volts, max_volts: ``(n,)`` of each neuron, V.
        rms_lsb, max_lsb: the same in LSB; None where neither run has one.
        compared: ``(n,)`` samples compared, of ``n_steps`` times the samples of a batch.
        n_steps: steps looked at.
    """

    rms_volts: FloatArray
    max_volts: FloatArray
    rms_lsb: FloatArray | None
    max_lsb: FloatArray | None
    compared: npt.NDArray[np.int64]
    n_steps: int

    def _whole(self, rms: FloatArray | None) -> float | None:
        if rms is None:
            return None
        total = int(self.compared.sum())
        squares = np.where(self.compared > 0, rms**2, 0.0) * self.compared
        return float(np.sqrt(squares.sum() / total)) if total else float("nan")

    @property
    def rms(self) -> float:
        """Over all samples of all neurons, V."""
        return float(self._whole(self.rms_volts) or 0.0)

    @property
    def rms_in_lsb(self) -> float | None:
        """Over all samples of all neurons, LSB."""
        return self._whole(self.rms_lsb)


def voltage_error(
    first: Recording, second: Recording, population: str, shift: int = 0, around: int = 1
) -> VoltageError:
    """Return the error of v of every neuron, the steps around spikes of either run left out.

    Args:
        first, second: recordings with v of the population; the LSB is the first's, else the
            second's.
        population: which.
        shift: step ``t`` of the first goes with step ``t + shift`` of the second.
        around: so many steps before and after each spike, and the spike's own, are left out.

    Raises:
        RangeError: runs that do not match, v not recorded, or no step in common.
    """
    expect(first, Recording, "voltage_error (first)")
    expect(second, Recording, "voltage_error (second)")
    if isinstance(around, bool) or not isinstance(around, (int, np.integer)) or around < 0:
        raise RangeError(f"around = {show(around)}, allowed: whole steps >= 0")
    if isinstance(shift, bool) or not isinstance(shift, (int, np.integer)):
        raise RangeError(f"shift = {show(shift)}, allowed: whole steps")
    if not np.isclose(first.dt, second.dt, rtol=1e-9):
        raise RangeError(f"dt = {first.dt} and {second.dt}, allowed: the same step in both")
    a, b = first.volts(population), second.volts(population)
    if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-1]:
        raise RangeError(
            f"population {population!r}: shapes {a.shape} and {b.shape}, allowed: like"
        )
    steps = min(a.shape[-2] - max(-shift, 0), b.shape[-2] - max(shift, 0))
    if steps < 1:
        raise RangeError(f"shift = {shift}, allowed: one that leaves steps in common")
    cuts = [slice(s, s + steps) for s in (max(-shift, 0), max(shift, 0))]
    free = ~_around(first, population, around)[..., cuts[0], :]
    free &= ~_around(second, population, around)[..., cuts[1], :]
    difference = np.abs(a[..., cuts[0], :] - b[..., cuts[1], :])
    lsb = first.lsb.get(population, second.lsb.get(population))
    volts = _sizes(difference, free)
    rms, most = (None, None) if lsb is None else (volts[0] / lsb, volts[1] / lsb)
    count = free.sum(axis=tuple(range(free.ndim - 1))).astype(np.int64)
    return VoltageError(volts[0], volts[1], rms, most, count, steps)


def _around(run: Recording, population: str, around: int) -> npt.NDArray[np.bool_]:
    spikes = np.asarray(run.spikes[population]) != 0
    out = spikes.copy()
    for k in range(1, min(around, spikes.shape[-2] - 1) + 1):
        out[..., k:, :] |= spikes[..., :-k, :]
        out[..., :-k, :] |= spikes[..., k:, :]
    return np.asarray(out)


def _sizes(difference: FloatArray, free: Any) -> tuple[FloatArray, FloatArray]:
    axes = tuple(range(difference.ndim - 1))
    kept = np.where(free, difference, 0.0)
    count = free.sum(axis=axes)
    none = count == 0
    rms = np.sqrt((kept**2).sum(axis=axes) / np.where(none, 1, count))
    most = kept.max(axis=axes)
    return np.where(none, np.nan, rms), np.where(none, np.nan, most)
