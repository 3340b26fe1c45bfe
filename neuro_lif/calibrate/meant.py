"""What the float run does on the calibration inputs, and how far an integer run is from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..discretize import SteppedNetwork
from ..errors import RangeError
from ..network import Constant
from ..rasters import events_of
from ..recording import Recording
from ..reference import run_clocked
from ..stimulate import Inputs, batch_of, check_given, input_sizes, steps_of
from ..task import Task
from .room import Span, check_traced, spans_of

Score = tuple[float, float]
"""(share of samples decided otherwise than in float, 0 without a task; root mean square difference
of spike counts): less is better, the first before the second."""


@dataclass(frozen=True, eq=False)
class Meant:
    """The float run of the calibration inputs.

    Args:
        inputs: name -> array, checked; ``n_steps`` of a run, ``samples`` of them.
        counts: spiking population -> spikes in a sample ``(samples, n)``.
        sent: population or spike input -> spikes per step ``(samples, n)``.
        task, decisions: the task and what the float run decides ``(samples,)``; None without.
        spans: population -> how far v went below and above its zero, V; empty: it was not asked.
        currents: whether a current is among the inputs: its integers depend on the scale.
    """

    inputs: Mapping[str, npt.NDArray[Any]]
    n_steps: int
    samples: int
    counts: Mapping[str, FloatArray]
    sent: Mapping[str, FloatArray]
    task: Task | None
    decisions: npt.NDArray[np.int64] | None
    currents: bool
    spans: Mapping[str, Span] = field(default_factory=dict)

    def score(self, recording: Recording) -> Score:
        """Return how far an integer run of the same inputs is from the float run."""
        squares, values = 0.0, 0
        for name, wanted in self.counts.items():
            squares += float(np.sum((counts_of(recording, name) - wanted) ** 2))
            values += wanted.size
        apart = 0.0
        if self.task is not None and self.decisions is not None:
            apart = float(np.mean(self.task.decide(recording) != self.decisions))
        return apart, float(np.sqrt(squares / max(values, 1)))

    def told(self, score: Score) -> tuple[float | None, float]:
        """Return a score as the ledger has it."""
        return (score[0] if self.task is not None else None), score[1]


def counts_of(recording: Recording, name: str) -> FloatArray:
    """Return a population's spikes per sample ``(samples, n)``; one sample where there is no batch.

    A step in which a neuron sends counts once.
    """
    return sums_of(recording.spikes, name, False)


def sums_of(arrays: Mapping[str, npt.NDArray[Any]], name: str, values: bool) -> FloatArray:
    """Return what was sent per sample ``(samples, n)``; each step once without ``values``."""
    events = events_of(arrays, name)
    if events is None:
        array = np.asarray(arrays[name])
        sent: Any = array if values else array != 0
        return np.asarray(np.atleast_2d(sent.sum(axis=-2, dtype=np.float64)))
    n = events.shape[-1]
    sample = 0 if events.sample is None else events.sample.astype(np.int64)
    samples = 1 if events.sample is None else events.shape[0]
    place = sample * n + events.neuron.astype(np.int64)
    found = np.bincount(place, events.value if values else None, minlength=samples * n)
    return np.asarray(found.astype(np.float64).reshape(samples, n))


def meant_by(
    stepped: SteppedNetwork, given: Inputs | Task, n_steps: int | None, spans: bool = False
) -> Meant:
    """Run the float reference on the calibration inputs.

    Args:
        stepped: the network.
        given: inputs as of :func:`neuro_lif.run_clocked`, or a task with them.
        n_steps: of a run; None: as long as the inputs, or as the task says.
        spans: look how far v goes, too.

    Raises:
        RangeError: the inputs do not fit the network, a spike input is neither described nor
            given, or there is no length.
    """
    task = given if isinstance(given, Task) else None
    if isinstance(given, Task):
        n_steps = given.steps if n_steps is None else n_steps
        inputs = given.inputs
    else:
        inputs = given
    net = stepped.network
    checked = check_given(inputs, input_sizes(net))
    steps = steps_of(n_steps, checked)
    _check_all_there(stepped, checked)
    names = [p.name for p in stepped.described]
    if spans:
        check_traced(sum(p.size for p in stepped.described), steps, batch_of(checked) or 1)
    run = run_clocked(stepped, steps, checked, "all" if spans else "probes", record_inputs=True)
    batch = batch_of(checked)
    spiking = [p.name for p in stepped.described if p.spikes]
    if task is not None and task.output not in {p.name for p in stepped.described}:
        known = ", ".join(p.name for p in stepped.described)
        raise RangeError(f"calibrate: Task: output = {task.output!r}, allowed: {known}")
    counts = {name: counts_of(run, name) for name in spiking}
    sent = {name: sums_of(run.spikes, name, True) / steps for name in spiking}
    for spikes in net.spike_inputs:
        sent[spikes.name] = sums_of(run.inputs, spikes.name, True) / steps
    decided = None if task is None else task.decide(run)
    currents = any(c.name in checked for c in net.current_inputs)
    return Meant(checked, steps, batch or 1, counts, sent, task, decided, currents,
                 spans_of(run, names) if spans else {})  # fmt: skip


def _check_all_there(stepped: SteppedNetwork, given: Mapping[str, Any]) -> None:
    """Refuse calibration inputs that leave an input silent, or that are constant currents."""
    for spikes in stepped.network.spike_inputs:
        silent = spikes.name not in given and getattr(spikes, "times", 0) is None
        if silent:
            raise RangeError(
                f"calibrate: input {spikes.name!r} has no spikes of its own, allowed: "
                f"{{{spikes.name!r}: (batch, n_steps, {spikes.size})}}"
            )
    for current in stepped.network.current_inputs:
        if current.name in given and isinstance(current.stimulus, Constant):
            raise RangeError(
                f"calibrate: {current.name!r} is a constant current, which becomes part of the "
                "bias, allowed: inputs that can be given to the integer network"
            )
