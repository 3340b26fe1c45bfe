"""What an event-exact run leaves behind: spike times in s, V where it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..discretize import MOST_STEPS
from ..errors import RangeError, show
from ..recording import Recording

Array = npt.NDArray[Any]

SLACK = 1e-9
"""Of a step: a spike so little after the end of a step is in that step, as in the clocked runs."""


@dataclass(frozen=True, eq=False)
class ExactRecording:
    """The result of one event-exact run.

    Args:
        duration: s.
        spikes: population -> (neuron ``(k,)``, time in s ``(k,)``) of every spike, in time order,
            at equal times by neuron.
        sample_times: ``(n_samples,)`` s, where V was read.
        samples: population -> V ``(n_samples, n)``, after all that happens at that time.
        v_zero: population -> V that a clocked run's v = 0 stands for, ``(n,)``.
        provenance: free text facts.
    """

    duration: float
    spikes: Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
    sample_times: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    samples: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    v_zero: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def spike_times(self, population: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return (neuron, time in s) of every spike, in time order.

        Raises:
            RangeError: there is no such population.
        """
        self._check(population)
        return self.spikes[population]

    def train(self, population: str, neuron: int = 0) -> npt.NDArray[np.float64]:
        """Return the spike times (s) of one neuron.

        Raises:
            RangeError: there is no such population or neuron.
        """
        indices, times = self.spike_times(population)
        size, given = len(self.v_zero[population]), neuron
        whole = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
        if not (whole and 0 <= given < size):
            raise RangeError(f"neuron = {show(given)}, allowed: 0..{size - 1}")
        return np.asarray(times[indices == neuron])

    def v(self, population: str) -> npt.NDArray[np.float64]:
        """Return V ``(n_samples, n)`` (V, absolute) at ``sample_times``.

        Raises:
            RangeError: there is no such population, or V was not read.
        """
        self._check(population)
        if population not in self.samples:
            raise RangeError(
                f"v of population {population!r} was not read (give run_exact sample_times=)"
            )
        return self.samples[population]

    def rasters(self, dt: float) -> Recording:
        """Return the spikes on a grid, to be held against clocked runs with ``neuro_lif.compare``.

        A spike in ``(k dt, (k + 1) dt]`` is in step k + 1, one at time 0 in step 1. Where
        ``sample_times`` are the ends of the steps, V is there as the trace ``v``.

        Args:
            dt: step, s, > 0; the run has ``duration / dt`` steps, rounded up.

        Raises:
            RangeError: dt is not a time, or so short that there are too many steps.
        """
        given: Any = dt
        if isinstance(given, bool) or not isinstance(given, (int, float, np.floating)):
            raise RangeError(f"dt = {show(given)}, allowed: a step > 0 s")
        if not (0 < dt < np.inf and self.duration / dt < MOST_STEPS):
            raise RangeError(
                f"dt = {show(given)}, allowed: a step > 0 s, at most {MOST_STEPS} of them"
            )
        n_steps = max(int(np.ceil(self.duration / dt - SLACK)), 1)
        spikes = {}
        for name, (neuron, time) in self.spikes.items():
            step = np.clip(np.ceil(time / dt - SLACK).astype(np.int64), 1, n_steps)
            counts = np.zeros((n_steps, len(self.v_zero[name])), np.int64)
            np.add.at(counts, (step - 1, neuron), 1)
            spikes[name] = counts if counts.max(initial=0) > 255 else counts.astype(np.uint8)
        traces = {}
        ends = np.arange(1, n_steps + 1) * dt
        if self.sample_times.shape == ends.shape and np.allclose(
            self.sample_times, ends, rtol=0, atol=SLACK * dt
        ):
            traces = {(name, "v"): v - self.v_zero[name] for name, v in self.samples.items()}
        return Recording(float(dt), n_steps, spikes, traces, v_zero=self.v_zero,
                         provenance=self.provenance)  # fmt: skip

    def _check(self, population: object) -> None:
        if not isinstance(population, str) or population not in self.spikes:
            known = ", ".join(sorted(self.spikes)) or "none"
            raise RangeError(f"population = {show(population)}, allowed: {known}")


class ExactInterrupted(KeyboardInterrupt):
    """Ctrl-C during an event-exact run; what was recorded until then is valid.

    Args:
        recording: as long as the run came; its provenance says that more was asked for.
    """

    def __init__(self, recording: ExactRecording) -> None:
        super().__init__(f"interrupted after {recording.duration:g} s")
        self.recording = recording
