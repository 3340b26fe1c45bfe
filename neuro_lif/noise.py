"""Gaussian noise as a stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .checks import expect_flag
from .draws import FARTHEST_NORMAL, check_seed, normals
from .errors import Faults, NetworkError
from .waveforms import Stimulus, interval_of, refuse, set_arrays, set_time, spread


@dataclass(frozen=True, eq=False)
class GaussianNoise(Stimulus):
    """Gaussian noise, drawn anew for every neuron and step.

    With ``per="step"`` the current of a step is ``mean + sd * z``. What it does to V then depends
    on the step: it is white noise of amplitude ``sd * sqrt(dt)``, on a membrane
    ``tau dV/dt = -V + R I`` of ``sigma = R sd sqrt(dt / tau)``. With ``interval`` a draw is held
    for so long, whatever dt is. With ``per="white"`` the current of a step is
    ``mean + sd * z / sqrt(dt)``, so that the statistics of V do not depend on dt: on that membrane
    ``sigma = R sd / sqrt(tau)``, and V alone has the standard deviation ``sigma / sqrt(2)``.

    ``z`` is a function of the seed, the sample of a batch, the step and the neuron
    (:func:`neuro_lif.draws.normals`): not of dt, of blocks, or of how many neurons there are.

    Args:
        mean: A, scalar or ``(n,)``.
        sd: ``per="step"``: A; ``per="white"``: A sqrt(s). Scalar or ``(n,)``, >= 0.
        seed: 0..2**32 - 1; two stimuli with the same seed have the same z.
        per: ``"step"`` or ``"white"``.
        interval: s, for ``per="step"``: a new draw so often; None: in every step.
        shared: all neurons have the same z.

    Source: Orhan, "The leaky integrate-and-fire neuron model" (2012), figure 2 (per step, one
    draw every 0.1 ms); Gillespie, Am. J. Phys. 64 (1996), for white noise in steps.
    """

    mean: npt.ArrayLike
    sd: npt.ArrayLike
    seed: int
    per: Literal["step", "white"] = "step"
    interval: float | None = None
    shared: bool = False

    sized: ClassVar[tuple[str, ...]] = ("mean", "sd")

    def __post_init__(self) -> None:
        set_arrays(self, "mean", "sd")
        faults = Faults()
        if np.any(np.asarray(self.sd) < 0):
            faults.add("GaussianNoise", "sd", self.sd, ">= 0")
        check_seed("GaussianNoise", self.seed, faults)
        if not isinstance(self.per, str) or self.per not in ("step", "white"):
            faults.add("GaussianNoise", "per", self.per, '"step" or "white"')
        elif self.per == "white" and self.interval is not None:
            faults.add("GaussianNoise", "interval", self.interval, 'None with per="white"',
                       'white noise has no interval; per="step" has')  # fmt: skip
        faults.raise_if_any(NetworkError)
        expect_flag(self.shared, "GaussianNoise: shared")
        if self.interval is not None:
            set_time(self, "interval")

    @property
    def is_random(self) -> bool:
        """True: samples of a batch differ."""
        return True

    def as_white(self, dt: float) -> GaussianNoise:
        """Return the white noise that this noise per step is when drawn every ``dt`` (s)."""
        if self.per == "white":
            return self
        return replace(self, sd=np.asarray(self.sd) * np.sqrt(dt), per="white", interval=None)

    def as_step(self, dt: float) -> GaussianNoise:
        """Return the noise per step of ``dt`` (s) that has the same numbers as this white noise."""
        return self if self.per == "step" else replace(self, sd=self._sd(dt), per="step")

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A.

        Raises:
            NetworkError: without an interval there is a draw for each step, none for a time.
        """
        if self.interval is None:
            refuse("GaussianNoise", "interval", None, "a time, s, where there are no steps",
                    'set interval=dt (per="step"), or ask for rows')  # fmt: skip
        index = interval_of(times, float(self.interval or 1))
        return np.asarray(self._at(index, 1.0, size, (0,))[0])

    def rows(
        self, first: int, last: int, dt: float, size: int, samples: Sequence[int] = (0,)
    ) -> FloatArray:
        """Return the current of steps ``first .. last - 1``: see :meth:`Stimulus.rows`."""
        index = np.arange(first, last)
        if self.interval is not None:
            index = interval_of(index * dt, self.interval)
        return self._at(index, dt, size, samples)

    def _at(
        self, index: npt.NDArray[np.int64], dt: float, size: int, samples: Sequence[int]
    ) -> FloatArray:
        """Return the current of draws ``index`` (rising), ``(len(samples), len(index), size)``."""
        out = np.empty((len(samples), len(index), size))
        if len(index):
            start, width = int(index[0]), 1 if self.shared else size
            for k, sample in enumerate(samples):
                z = normals(int(self.seed), sample, start, int(index[-1]) + 1, width)
                out[k] = np.asarray(self.mean) + self._sd(dt) * z[index - start]
        return out

    def _sd(self, dt: float) -> FloatArray:
        sd = np.asarray(self.sd)
        return np.asarray(sd / np.sqrt(dt)) if self.per == "white" else sd

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``, in steps of ``dt`` (s)."""
        return spread(np.abs(self.mean) + FARTHEST_NORMAL * self._sd(dt), size)
