"""Integers of an input that are made as a run goes: what a described input becomes on a chip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, IntArray, frozen
from .errors import Faults, RangeError
from .formats import nearest
from .network import PoissonInput, SpikeInput
from .stimulus import Stimulus

Make = Callable[[int, int], npt.NDArray[Any]]
"""Called with (first, last): returns the rows of steps ``first .. last - 1``, 0 being the first,
``(batch or 1, last - first, n)``. Called for stretches that follow each other from 0 on, or from 0
again."""

FARTHEST = 2.0**40
"""Reals are cut to this before they become integers: beyond any parameter, inside an int64."""


@dataclass(frozen=True, eq=False)
class DrawnSpikes:
    """Spikes drawn as a run goes: the float reference sees the same.

    Args:
        spikes: the described input.
        dt: s.

    Raises:
        RangeError: a rate too high for the step.
    """

    spikes: PoissonInput
    dt: float

    def __post_init__(self) -> None:
        _check(self, "spikes", PoissonInput, "a PoissonInput")
        self.spikes.check_step(self.dt)

    @property
    def size(self) -> int:
        """Channels."""
        return int(self.spikes.size)

    @property
    def span(self) -> IntArray:
        """The lowest and highest value of any step ``(2, size)``."""
        most = self.spikes.most(self.dt)
        return np.asarray(np.broadcast_to([[0], [most]], (2, self.size)), np.int64)

    def reader(self, samples: Sequence[int]) -> Make:
        """Return what makes the rows of these samples of a batch."""
        return lambda first, last: self.spikes.rows(first, last, self.dt, samples)


@dataclass(frozen=True, eq=False)
class ListedSpikes:
    """Described spikes as rows of counts, made as a run goes.

    Args:
        spikes: the described input, with its times.
        dt: s.
    """

    spikes: SpikeInput
    dt: float

    def __post_init__(self) -> None:
        _check(self, "spikes", SpikeInput, "a SpikeInput")

    @property
    def size(self) -> int:
        """Channels."""
        return int(self.spikes.size)

    @property
    def span(self) -> IntArray:
        """The lowest and highest value of any step ``(2, size)``."""
        most = np.zeros(self.size, np.int64)
        if self.spikes.indices is not None:
            channels = np.asarray(self.spikes.indices, np.int64)
            places = rows_of(self.spikes, self.dt) * self.size + channels
            found, counts = np.unique(places, return_counts=True)
            np.maximum.at(most, found % self.size, counts)
        return np.stack([np.zeros_like(most), most])

    def reader(self, samples: Sequence[int]) -> Make:
        """Return what makes the rows, the same for all samples of a batch."""
        rows = rows_of(self.spikes, self.dt)  # rising, as the times are
        return lambda first, last: raster_of(self.spikes, self.dt, last, True, first, rows)[None]


@dataclass(frozen=True, eq=False)
class CodedCurrent:
    """A described current, coded as a run goes.

    Args:
        stimulus: the current.
        dt: s.
        size: neurons.
        lsb_per_ampere, kept, shift: as of :func:`current_to_integers`.
    """

    stimulus: Stimulus
    dt: float
    size: int
    lsb_per_ampere: Any
    kept: Any
    shift: int = 0

    def __post_init__(self) -> None:
        _check(self, "stimulus", Stimulus, "a stimulus")
        for name in ("lsb_per_ampere", "kept"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    @property
    def span(self) -> IntArray:
        """What no value of any step passes ``(2, size)``: each makes good what u keeps, too."""
        most = self.stimulus.largest(self.size, self.dt) * np.abs(self.lsb_per_ampere)
        end = np.ceil((1.0 + np.asarray(self.kept)) * most / 2.0**self.shift) + 2.0
        whole = np.minimum(end, FARTHEST).astype(np.int64)
        return np.asarray(np.stack([-whole, whole]))

    def reader(self, samples: Sequence[int]) -> Make:
        """Return what makes the rows of these samples of a batch."""
        return _CurrentReader(self, samples)


class _CurrentReader:
    """Codes a current stretch by stretch; begins again where it is asked for an earlier one."""

    def __init__(self, coded: CodedCurrent, samples: Sequence[int]) -> None:
        self.coded, self.samples, self.at = coded, samples, 0
        self.coder = self._coder()

    def _coder(self) -> Coder:
        return Coder(self.coded.lsb_per_ampere, self.coded.kept, self.coded.shift)

    def __call__(self, first: int, last: int) -> IntArray:
        if first < self.at:
            self.at, self.coder = 0, self._coder()
        while self.at < first:
            self._next(min(first, self.at + 1024))
        return self._next(last)

    def _next(self, last: int) -> IntArray:
        c = self.coded
        amperes = c.stimulus.rows(self.at, last, c.dt, c.size, self.samples)
        self.at = last
        return self.coder.code(amperes)


class Coder:
    """Turns a current into integers, step by step: see :func:`current_to_integers`."""

    def __init__(
        self, lsb_per_ampere: FloatArray, kept: FloatArray, shift: int,
        close: FloatArray | None = None, kept_v: FloatArray | None = None,
    ) -> None:  # fmt: skip
        self.lsb_per_ampere, self.kept, self.unit = lsb_per_ampere, kept, 2.0**shift
        self.close, self.kept_v = close, kept_v
        self.u: FloatArray | None = None
        self.owed: FloatArray | None = None
        self.behind: FloatArray | None = None

    def code(self, amperes: npt.ArrayLike) -> IntArray:
        """Return the integers of the next steps, ``(..., n_steps, n)`` as the amperes are."""
        wanted = np.asarray(amperes, np.float64) * self.lsb_per_ampere
        unit, kept = self.unit, self.kept
        out = np.zeros(wanted.shape, np.int64)
        start = np.zeros(wanted.shape[:-2] + wanted.shape[-1:])
        u = start if self.u is None else self.u
        owed = start if self.owed is None else self.owed
        behind = start if self.behind is None else self.behind
        for t in range(wanted.shape[-2]):
            row = wanted[..., t, :]
            real = np.clip((row + owed - kept * u) / unit, -FARTHEST, FARTHEST)
            out[..., t, :] = nearest(real)
            if self.close is not None and self.kept_v is not None:
                # a little slack, so that a whole number is not rounded down
                lower = np.floor((row - self.kept_v * behind - kept * u) / unit + 1e-9)
                lower = np.clip(lower, -FARTHEST, FARTHEST).astype(np.int64)
                out[..., t, :] = np.where(self.close, lower, out[..., t, :])
            u = kept * u + out[..., t, :] * unit
            if self.kept_v is not None:
                behind = self.kept_v * behind + u - row
            owed = row + owed - u
        self.u, self.owed, self.behind = u, owed, behind
        return out


def current_to_integers(
    amperes: npt.ArrayLike, lsb_per_ampere: FloatArray, kept: FloatArray, shift: int,
    close: FloatArray | None = None, kept_v: FloatArray | None = None,
) -> IntArray:  # fmt: skip
    """Turn a current into integers for the synaptic input.

    The input goes through u, which keeps ``kept`` of itself per step, so each integer is chosen to
    bring u to the wanted value; what rounding leaves over is made good in the next step, so the
    charge is never off by more than half a unit (``2**shift`` LSB).

    Args:
        amperes: ``(..., n_steps, n)`` A.
        lsb_per_ampere: ``(n,)`` LSB of v per step and A.
        kept: ``(n,)``.
        shift: left shift from the input to v.
        close: ``(n,)`` whose v must never be above what it is meant to be: what rounding leaves
            over is then carried as v keeps it, and never positive.
        kept_v: ``(n,)`` factor of v kept per step; with ``close``.
    """
    return Coder(lsb_per_ampere, kept, shift, close, kept_v).code(amperes)


Stream = DrawnSpikes | ListedSpikes | CodedCurrent


def rows_of(spikes: SpikeInput, dt: float) -> npt.NDArray[np.int64]:
    """Return the row of each described spike, rising: i for a time in [i dt, (i+1) dt)."""
    # the small offset keeps a spike at exactly i*dt in row i
    return np.asarray(np.floor(np.asarray(spikes.times) / dt + 1e-9), np.int64)


def raster_of(
    spikes: SpikeInput, dt: float, n_steps: int, narrow: bool = False, first: int = 0,
    rows: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[Any]:  # fmt: skip
    """Return the described spikes as ``(n_steps - first, n)``.

    Row i counts those in [(first + i) dt, (first + i + 1) dt).

    Args:
        spikes, dt, n_steps: the input, s, and the end of the last row.
        narrow: in bytes where the counts fit; else int64.
        first: the step of the first row.
        rows: :func:`rows_of` the spikes, where that was worked out before.
    """
    shape = (n_steps - first, spikes.size)
    if spikes.times is None or spikes.indices is None:
        return np.zeros(shape, np.uint8 if narrow else np.int64)
    rows = rows_of(spikes, dt) if rows is None else rows
    inside = slice(*np.searchsorted(rows, [first, n_steps]))
    channels = np.asarray(spikes.indices, np.int64)[inside]
    places, counts = np.unique((rows[inside] - first) * spikes.size + channels, return_counts=True)
    fits = narrow and counts.max(initial=0) <= 255
    raster = np.zeros(shape, np.uint8 if fits else np.int64)
    raster.reshape(-1)[places] = counts
    return raster


def _check(stream: Any, name: str, kind: type[Any], allowed: str) -> None:
    faults = Faults()
    where = type(stream).__name__
    if not isinstance(getattr(stream, name), kind):
        faults.add(where, name, getattr(stream, name), allowed)
    dt = stream.dt
    if isinstance(dt, bool) or not isinstance(dt, (int, float, np.floating)) or not 0 < dt < np.inf:
        faults.add(where, "dt", dt, "a step > 0 s")
    faults.raise_if_any(RangeError)
