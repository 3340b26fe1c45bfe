"""What is measured of a configuration: task, spikes, overflow and bits, beside the float run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..fixed import FixedNetwork
from ..kernel import native
from ..numerics import walk
from ..rasters import events_of
from ..recording import Recording
from ..stepped import SteppedNetwork
from ..task import Task

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """One column of a study's table.

    Args:
        about: what it is, with its unit.
        group: of :data:`GROUPS`; a study measures whole groups.
        better: ``"high"`` or ``"low"``; empty: neither.
    """

    about: str
    group: str
    better: str = ""


MEASURES = {
    "accuracy": Measure("share of samples with the right class, 0..1", "task", "high"),
    "accuracy_float": Measure("the same of the float64 reference", "task", "high"),
    "agreement": Measure("share of samples with the reference's class, 0..1", "task", "high"),
    "spikes": Measure("spikes of all populations that spike", "spikes"),
    "spikes_float": Measure("the same of the float64 reference", "spikes"),
    "rate": Measure("mean rate of all neurons, Hz", "spikes"),
    "rate_float": Measure("the same of the float64 reference", "spikes"),
    "rate_error": Measure("rms difference of a neuron's rate in a sample, Hz", "spikes", "low"),
    "spike_agreement": Measure("spikes both have (same neuron, step and sample) by those that "
                               "either has, 0..1", "spikes", "high"),
    "overflow": Measure("values that overflowed in the run", "overflow", "low"),
    "overflow_where": Measure("where, what and how many; empty: nowhere", "overflow"),
    "clipped": Measure("parameters and weights that their storage changed", "overflow", "low"),
    "weight_bits": Measure("bits of a stored weight, the most of any projection", "bits", "low"),
    "synapse_bits": Measure("bits of all stored weights", "bits", "low"),
    "neuron_bits": Measure("bits of the registers of all neurons", "bits", "low"),
    "bits": Measure("synapse_bits and neuron_bits together", "bits", "low"),
}  # fmt: skip
"""Column -> what it is. Of ``spikes``, ``rate_error`` and ``spike_agreement`` there is one for each
population, too: ``rate_error.hidden``."""

GROUPS = ("task", "spikes", "overflow", "bits")
"""What a study can measure; ``task`` needs a task."""
EACH = ("spikes", "rate_error", "spike_agreement")
"""Measures of each population besides that of all."""


@dataclass(frozen=True, eq=False)
class Trains:
    """The spikes of one population in a run, in order of samples, then of steps.

    Args:
        shape: ``(batch, n_steps, n)``.
        rows: ``(batch * n_steps,)`` how many entries each step of each sample has.
        neuron: ``(k,)``, rising within a step.
        value: ``(k,)`` how many spikes each stands for; None: one each.
    """

    shape: tuple[int, int, int]
    rows: Array
    neuron: Array
    value: Array | None

    @classmethod
    def of(cls, recording: Recording, name: str) -> Trains:
        """Return the spikes that a recording holds."""
        events = events_of(recording.spikes, name)
        if events is None:
            array = np.asarray(recording.spikes[name])
            array = array.reshape(-1, *array.shape[-2:])
            there = array != 0
            rows, neuron = there.sum(axis=2).reshape(-1), np.nonzero(there)[2]
            value: Array | None = array[there].astype(np.int64)
            shape = array.shape
        else:
            shape = events.shape if len(events.shape) == 3 else (1, *events.shape)
            rows, neuron = events.counts.reshape(-1), events.neuron
            value = None if events.value is None else events.value.astype(np.int64)
        if value is not None and (value == 1).all():
            value = None
        return cls((shape[0], shape[1], shape[2]), rows, neuron, value)

    def __reduce__(self) -> tuple[Any, ...]:  # without what was worked out of it
        return type(self), (self.shape, self.rows, self.neuron, self.value)

    @cached_property
    def total(self) -> int:
        """How many spikes."""
        return int(self.neuron.size if self.value is None else self.value.sum())

    @cached_property
    def place(self) -> Array:
        """``(k,)`` flat index of each entry in an array of :attr:`shape`, rising."""
        batch, steps, n = self.shape
        return np.repeat(np.arange(0, batch * steps * n, n), self.rows) + self.neuron

    @cached_property
    def dense(self) -> Array:
        """Spikes at each flat place."""
        narrow = self.value is None
        out = np.zeros(int(np.prod(self.shape)), np.bool_ if narrow else np.int64)
        out[self.place] = True if self.value is None else self.value
        return out

    @cached_property
    def counts(self) -> Array:
        """``(batch * n,)`` spikes of every neuron in every sample."""
        batch, steps, n = self.shape
        each = np.add.reduce(self.rows.reshape(batch, steps), axis=1, dtype=np.int64)
        index = np.repeat(np.arange(0, batch * n, n), each) + self.neuron
        found = np.bincount(index, self.value, batch * n)
        return found if self.value is None else found.astype(np.int64)

    def beside(self, other: Trains) -> tuple[int, Array]:
        """Return how many spikes both have at the same neuron, step and sample; and the counts.

        In the compiled kernel where there is one: it looks at every spike once.
        """
        tally = getattr(native(), "tally", None)
        ordinary = self.value is None and other.value is None and self.rows.dtype == np.uint32
        if tally is None or not ordinary:
            return self.common(other), self.counts
        batch, _, n = self.shape
        common, counts = tally(self.rows, self.neuron, n, batch, other.dense)
        return int(common), counts

    def common(self, other: Trains) -> int:
        """Return how many spikes both have at the same neuron, step and sample."""
        there = other.dense[self.place]
        if self.value is None and other.value is None:
            return int(np.count_nonzero(there))
        return int(np.minimum(1 if self.value is None else self.value, there).sum())


@dataclass(frozen=True, eq=False)
class Reference:
    """What is kept of a float64 run, for every configuration of its network to be held against.

    Args:
        trains: population -> its spikes.
        decided: ``(batch,)`` classes; None: no task.
        accuracy: of the task.
        seconds: of the run, in the network's time.
    """

    trains: Mapping[str, Trains]
    decided: Array | None
    accuracy: float | None
    seconds: float

    @classmethod
    def of(cls, recording: Recording, stepped: SteppedNetwork, task: Task | None) -> Reference:
        """Return what is kept of a recording."""
        names = [p.name for p in stepped.described if p.spikes]
        trains = {name: Trains.of(recording, name) for name in names}
        decided = None if task is None else task.decide(recording)
        accuracy = None if task is None else float(np.mean(decided == task.labels))
        return cls(trains, decided, accuracy, recording.n_steps * recording.dt)


def measured(
    groups: tuple[str, ...], fixed: FixedNetwork, run: Recording, reference: Reference,
    task: Task | None,
) -> dict[str, Any]:  # fmt: skip
    """Return column -> value of the groups that were asked for.

    Args:
        groups: of :data:`GROUPS`.
        fixed: the network that was run.
        run: its recording.
        reference: of the same network in float64.
        task: what the network is for, where it is for something.
    """
    out: dict[str, Any] = {}
    if "task" in groups and task is not None and reference.decided is not None:
        decided = task.decide(run)
        out["accuracy"] = float(np.mean(decided == task.labels))
        out["accuracy_float"] = reference.accuracy
        out["agreement"] = float(np.mean(decided == reference.decided))
    if "spikes" in groups:
        out |= _spikes(run, reference)
    if "overflow" in groups:
        out |= _overflow(run)
    if "bits" in groups:
        out |= _bits(fixed)
    return out


def _spikes(run: Recording, reference: Reference) -> dict[str, Any]:
    trains = {name: Trains.of(run, name) for name in reference.trains}
    both: dict[str, int] = {}
    squares: dict[str, float] = {}
    for name, own in trains.items():
        other = reference.trains[name]
        both[name], counts = own.beside(other)
        apart = counts - other.counts
        squares[name] = int(np.dot(apart, apart)) / reference.seconds**2
    ours = {k: t.total for k, t in trains.items()}
    theirs = {k: t.total for k, t in reference.trains.items()}
    size = {k: max(t.shape[0] * t.shape[2], 1) for k, t in trains.items()}
    neurons = max(sum(size.values()), 1)
    out: dict[str, Any] = {"spikes": sum(ours.values()), "spikes_float": sum(theirs.values())}
    out["rate"] = out["spikes"] / neurons / reference.seconds
    out["rate_float"] = out["spikes_float"] / neurons / reference.seconds
    out["rate_error"] = (sum(squares.values()) / neurons) ** 0.5
    out["spike_agreement"] = _share(sum(both.values()), sum(ours.values()) + sum(theirs.values()))
    for name in trains:
        out[f"spikes.{name}"] = ours[name]
        out[f"rate_error.{name}"] = (squares[name] / size[name]) ** 0.5
        out[f"spike_agreement.{name}"] = _share(both[name], ours[name] + theirs[name])
    return out


def _share(both: int, together: int) -> float:
    """Return spikes that both have by those that either has; 1 where neither has any."""
    return both / (together - both) if together else 1.0


def _overflow(run: Recording) -> dict[str, Any]:
    in_run = [e for e in run.events if e.first_step]
    text = "; ".join(f"{e.where}.{e.register} {e.kind} {e.count}" for e in in_run)
    return {
        "overflow": sum(e.count for e in in_run),
        "overflow_where": text,
        "clipped": sum(e.count for e in run.events if not e.first_step),
    }


def _bits(fixed: FixedNetwork) -> dict[str, Any]:
    rules = fixed.profile.weights
    each = {}
    synapses = 0
    for p in fixed.projections:
        bits = rules.default_bits if p.weight_bits is None else p.weight_bits
        each[p.name] = rules.mantissa_bits if fixed.is_raw(p) else bits
        stored = p.n_entries if p.convolution is None else p.convolution.kernel.size
        synapses += stored * each[p.name]
    neurons = sum(p.size * state_bits(fixed, p.model) for p in fixed.populations)
    return {
        "weight_bits": max(each.values(), default=0),
        "synapse_bits": synapses,
        "neuron_bits": neurons,
        "bits": synapses + neurons,
    }


def state_bits(fixed: FixedNetwork, model: str) -> int:
    """Return the bits of state of one neuron: its voltage, its current, its refractory counter."""
    rules, registers = fixed.profile.model(model), fixed.profile.registers
    named = {rules.voltage, *([rules.current] if rules.current else [])}
    bits = sum(registers[r].bits for r in named if r in registers)
    counts = any(op["op"] == "tick_ref" for op in walk(fixed.profile.ops(model)))
    if not counts:
        return bits
    most = max((p.span[1] for name, p in fixed.profile.params.items() if name == "refract"),
               default=1)  # fmt: skip
    return bits + int(most).bit_length()
