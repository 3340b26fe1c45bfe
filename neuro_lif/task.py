"""A task: samples with labels, and how the class of a sample is read from a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import expect
from .errors import RangeError, show
from .rasters import events_of
from .recording import Recording
from .stimulate import Inputs

READOUTS = {
    "count": "most spikes; of equals the highest v after the last step, where v was recorded",
    "first_spike": "the earliest first spike; of equals as for count",
    "v_max": "the highest v of any step",
    "v_last": "the highest v after the last step",
}
"""How a class is read from the output population; the lowest index of what is equal still."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a network is for, so that accuracy can be measured at every rung.

    Args:
        inputs: input name -> ``(batch, n_steps, n)``, a sample a row.
        labels: ``(batch,)`` whole numbers >= 0.
        output: the population whose neuron ``i`` stands for class ``i``.
        readout: a name of :data:`READOUTS`.
        n_steps: of a run; None: as many as the inputs have.

    Raises:
        RangeError: labels and inputs do not fit each other, or the readout is unknown.
    """

    inputs: Inputs
    labels: npt.ArrayLike
    output: str
    readout: str = "count"
    n_steps: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.inputs, Mapping) or not self.inputs:
            raise RangeError(f"Task: inputs = {show(self.inputs)}, allowed: input name -> "
                             "(batch, n_steps, n)")  # fmt: skip
        given = {name: np.asarray(a) for name, a in self.inputs.items()}
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size or labels.min() < 0:
            raise RangeError(f"Task: labels = {show(self.labels)}, allowed: whole numbers >= 0, "
                             "(batch,)")  # fmt: skip
        for name, a in given.items():
            if a.ndim != 3 or len(a) != labels.size:
                allowed = f"({labels.size}, n_steps, n), a sample for each label"
                raise RangeError(f"Task: inputs[{name!r}]: shape {a.shape}, allowed: {allowed}")
        if not isinstance(self.readout, str) or self.readout not in READOUTS:
            raise RangeError(
                f"Task: readout = {show(self.readout)}, allowed: {', '.join(READOUTS)}"
            )
        for name, value in (("inputs", given), ("labels", labels.astype(np.int64))):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """How many samples there are."""
        return int(np.asarray(self.labels).size)

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.n_steps or max(np.asarray(a).shape[1] for a in self.inputs.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the task is, hexadecimal."""
        found = hashlib.sha256(repr((self.output, self.readout, self.steps)).encode())
        for name, value in sorted({**self.inputs, "": self.labels}.items()):
            a = np.ascontiguousarray(narrow(np.asarray(value)))
            found.update(repr((name, a.dtype.str, a.shape)).encode())
            found.update(a.data if a.size else b"")
        return found.hexdigest()

    def cut(self, samples: slice | npt.ArrayLike) -> Task:
        """Return the task with some of its samples: a slice, or indices ``(k,)``."""
        chosen: Any = samples if isinstance(samples, slice) else np.asarray(samples)
        parts = {name: np.asarray(a)[chosen] for name, a in self.inputs.items()}
        return replace(self, inputs=parts, labels=np.asarray(self.labels)[chosen])

    def decide(self, recording: Recording) -> npt.NDArray[np.int64]:
        """Return the class of every sample ``(batch,)``.

        Raises:
            RangeError: the recording has other samples, not the output population, or not v.
        """
        expect(recording, Recording, "Task.decide")
        if self.output not in recording.spikes:
            known = ", ".join(recording.spikes) or "none"
            raise RangeError(f"Task: output = {self.output!r}, allowed: {known}")
        traced = (self.output, "v") in recording.traces
        if self.readout.startswith("v_"):
            v = recording.volts(self.output)
            score = v.max(axis=-2) if self.readout == "v_max" else v[..., -1, :]
        else:
            spikes = self._spikes(recording)
            last = self._last_volts(recording) if traced else np.zeros(spikes.shape)
            score = np.where(spikes == spikes.max(axis=-1, keepdims=True), last, -np.inf)
        if score.ndim != 2 or len(score) != self.size:
            raise RangeError(f"Task: a recording of {score.shape[:-1] or 'no'} samples, allowed: "
                             f"({self.size},), a run of the task's inputs")  # fmt: skip
        return np.asarray(score.argmax(axis=-1), np.int64)

    def accuracy(self, recording: Recording) -> float:
        """Return the share of samples whose class is the label, 0..1."""
        return float(np.mean(self.decide(recording) == self.labels))

    def _last_volts(self, recording: Recording) -> npt.NDArray[np.float64]:
        """Return v after the last step ``(batch, n)``, V, without looking at the steps before."""
        return recording.volts(self.output, steps=slice(-1, None))[..., -1, :]

    def _spikes(self, recording: Recording) -> npt.NDArray[np.int64]:
        """Return what the readout compares ``(batch, n)``: more is better."""
        events = events_of(recording.spikes, self.output)
        if self.readout == "count" and events is not None and events.counts.ndim == 2:
            batch, _, n = events.shape
            each = np.add.reduce(events.counts, axis=1, dtype=np.int64)
            place = np.repeat(np.arange(0, batch * n, n), each) + events.neuron
            sent = np.bincount(place, events.value, batch * n)
            return sent.astype(np.int64, copy=False).reshape(batch, n)
        array = np.asarray(recording.spikes[self.output])
        if self.readout == "count":
            return np.asarray(array.sum(axis=-2, dtype=np.int64))
        fired = array != 0
        steps = array.shape[-2]
        return np.asarray(steps - np.where(fired.any(axis=-2), fired.argmax(axis=-2), steps))


def narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers in one type, whatever type they came in, for a digest of them.

    Numbers of a type that can have fractions stay as they are.
    """
    if array.dtype.kind not in "biu":
        return array
    small = not array.size or (array.min() >= 0 and array.max() <= 255)
    return array.astype(np.uint8 if small else np.int64, copy=False)
