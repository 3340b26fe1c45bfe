"""Integer neurons and synapses for Nengo, stepped by the emulator's own code.

Registers and ring buffers are int64 signals that Nengo keeps and resets. Between objects Nengo
carries float64, in which integers below 2**53 are exact: spikes as pulses of height ``1/dt`` (so
that Nengo's synapses turn them into rates), synaptic input as plain integers.
"""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from ..arrays import IntArray
from ..connect import EXACT
from ..emulator.engine import EventCounter, carrier_for, payload
from ..emulator.oplist import OpList
from ..errors import TargetError
from ..fixed import FixedNetwork, FixedProjection
from ..numerics import walk
from ..run_inputs import counts_lost
from ..runs import Noise, may_lose_counts
from .nengo_parts import own_identity, step_of
from .nengo_processes import State, Step

TAKEN = {"J", "bias", "clock", "dt", "generator", "in", "input", "out", "output", "overflows",
         "rates", "self", "spikes"}  # fmt: skip
"""Names Nengo or this module gives to other signals of a neuron."""


def signal_of(register: str) -> str:
    """Return the name under which Nengo probes a register: its own, or ``register_<name>``."""
    return f"register_{register}" if register in TAKEN else register


class Tally:
    """Counts overflows in an array that Nengo keeps, resets and never shares between Simulators.

    Only the meaning of a row, which says nothing about a run, is kept here.

    Args:
        where: population or projection.
        rows: upper bound of the kinds of overflow.
    """

    def __init__(self, where: str, rows: int) -> None:
        self.where, self.rows = where, rows
        self.kinds: list[tuple[str, str, str, int]] = []

    def start(self) -> IntArray:
        """Return the array at the start: ``(rows, 3)`` count, first step, lowest neuron."""
        return np.zeros((self.rows, 3), np.int64)

    def listener(self, counts: IntArray, step: int) -> Any:
        """Return what tells ``counts`` of an overflow in a step."""

        def told(index: int, register: str, kind: str, mask: Any) -> None:
            events = EventCounter()
            events.step = step
            events.listener(self.where)(index, register, kind, mask)
            ((key, (count, _, lowest)),) = events.found.items()
            if key not in self.kinds:
                self.kinds.append(key)
            row = counts[self.kinds.index(key)]
            if row[0] == 0:
                row[1:] = step, lowest
            elif row[1] == step:
                row[2] = min(row[2], lowest)
            row[0] += count

        return told

    def found(self, counts: IntArray) -> dict[tuple[str, str, str, int], list[int]]:
        """Return what :func:`neuro_lif.semantics.events_of` reads."""
        return {k: row.tolist() for k, row in zip(self.kinds, counts, strict=False) if row[0]}


def whole(values: Any, where: str) -> IntArray:
    """Return a Nengo signal as the integers it carries.

    Raises:
        TargetError: a value is not a number, or too large to be exact in float64.
    """
    rounded = np.rint(values)
    if not np.all(np.abs(rounded) < EXACT):
        bad = values[~(np.abs(rounded) < EXACT)][0]
        raise TargetError(f"nengo: {where}: input = {bad}, allowed: integers below 2**53")
    return np.asarray(rounded, np.int64)


class NoiseOf:
    """One population's share of a network's noise, its generator kept in a signal of Nengo's.

    The generator draws for all neurons of the network at once, so each population draws all and
    takes its own.

    Args:
        fixed: the network.
        population: which of its populations.
    """

    def __init__(self, fixed: FixedNetwork, population: str) -> None:
        self.noise, self.population = Noise(fixed, 1), population
        self.port = fixed.profile.noise.port if fixed.profile.noise else ""

    def start(self) -> IntArray:
        """Return the state of the generator at the start: its words and its place in them."""
        state: Any = self.noise.generators[0].get_state()
        return np.asarray([*state[1], state[2]], np.int64)

    def draw(self, state: IntArray) -> dict[str, IntArray]:
        """Return what arrives at the noise port in the next step; ``state`` moves on, in place."""
        generator = np.random.RandomState()
        words = state[:-1].astype(np.uint32)
        generator.set_state(("MT19937", words, int(state[-1]), 0, 0.0))
        self.noise.generators = [generator]
        drawn = self.noise.draw()[self.population][0]
        moved: Any = generator.get_state()
        state[:-1], state[-1] = moved[1], moved[2]
        return {self.port: drawn}


@own_identity
class FixedPointNeurons(nengo.neurons.NeuronType):  # type: ignore[misc]
    """A population of a FixedNetwork as a Nengo neuron type.

    Its input is the synaptic input of a step, rounded to integers; its output a pulse of height
    ``count / dt``; its registers can be probed by name (:func:`signal_of`).

    Args:
        fixed: the network.
        population: which of its populations.
    """

    spiking = True

    def __init__(self, fixed: FixedNetwork, population: str) -> None:
        super().__init__()
        self.where = f"population {population!r}"
        self.ops = fixed.profile.ops(fixed.population(population).model)
        self.params = fixed.params(population)
        self.start = fixed.initial(population)
        rules = sum(len(v) for op in walk(self.ops) for k, v in op.items() if k.endswith("ovf"))
        self.tally = Tally(population, rules + len(list(walk(self.ops))))
        heard = fixed.profile.hears_noise(fixed.population(population).model)
        self.noise = NoiseOf(fixed, population) if heard else None
        own = ("clock", "overflows", *(["generator"] if heard else []))
        self.state = dict.fromkeys((*map(signal_of, self.start), *own))

    def make_state(self, n_neurons: int, rng: Any = None, dtype: Any = None) -> dict[str, IntArray]:
        """Return the registers at the start, as int64 signals.

        Raises:
            TargetError: another number of neurons, or Nengo works in float32.
        """
        size = len(self.start["ref"])
        if n_neurons != size:
            raise TargetError(f"nengo: {self.where}: n_neurons = {n_neurons}, allowed: {size}")
        if dtype is not None and np.dtype(dtype) != np.float64:
            raise TargetError(
                f"nengo: {self.where}: signals are {np.dtype(dtype)}, allowed: float64 "
                "(nengo.rc precision bits = 64), in which the integers are exact"
            )
        state = {signal_of(r): np.array(values) for r, values in self.start.items()}
        noise = {} if self.noise is None else {"generator": self.noise.start()}
        return state | {"clock": np.zeros(1, np.int64), "overflows": self.tally.start()} | noise

    def gain_bias(self, max_rates: Any, intercepts: Any) -> tuple[Any, Any]:
        """Return gain 1 and bias 0: the input is what arrives."""
        return np.ones(len(max_rates)), np.zeros(len(max_rates))

    def max_rates_intercepts(self, gain: Any, bias: Any) -> tuple[None, None]:
        """Return nothing: these neurons are wired by weights, not by decoders."""
        return None, None

    def rates(self, x: Any, gain: Any, bias: Any) -> Any:
        """Refuse decoders.

        Raises:
            TargetError: always.
        """
        raise TargetError(f"nengo: {self.where} has no decoders, connect from `.neurons`")

    def step(self, dt: float, J: Any, output: Any, **state: Any) -> None:
        """Advance one step, in place."""
        clock = state["clock"]
        clock += 1
        told = self.tally.listener(state["overflows"], int(clock[0]))
        registers = {r: state[signal_of(r)] for r in self.start}
        neurons = OpList(self.ops, self.params, registers, told)
        neurons.t = int(clock[0]) - 1
        noise = {} if self.noise is None else self.noise.draw(state["generator"])
        output[...] = neurons.step({"in": whole(J, self.where)} | noise) / dt
        for register, values in registers.items():
            values[...] = neurons.state[register]


@own_identity
class FixedSynapses(nengo.Process):  # type: ignore[misc]
    """A projection of a FixedNetwork: spikes in (pulses), what arrives in this step out (integers).

    Args:
        fixed: the network.
        projection: which of its projections.
    """

    def __init__(self, fixed: FixedNetwork, projection: FixedProjection) -> None:
        self.fixed, self.projection = fixed, projection
        self.watched = may_lose_counts(fixed, projection)
        self.tally = Tally(projection.name, len(fixed.accumulator(projection)) + self.watched)
        delays = projection.delays
        soonest = int(np.min(delays)) if np.size(delays) else 1
        outside = projection.pre in {s.name for s in fixed.sources}
        self.behind = int(not outside and fixed.latency(projection) + soonest > 0)
        """Steps the spikes are on their way already: Nengo needs one in every cycle."""
        n_post, n_pre = projection.weights.shape
        super().__init__(default_size_in=n_pre, default_size_out=n_post)

    def make_state(
        self, shape_in: Any, shape_out: Any, dt: float, dtype: Any = None
    ) -> dict[str, IntArray]:
        """Return the ring buffer and the overflow counts, as int64 signals."""
        carrier = carrier_for(self.fixed, self.projection, 1, lambda *_: None)
        return {"ring": carrier.ring, "overflows": self.tally.start()}

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: State) -> Step:
        """Return Nengo's step function."""
        p = self.projection
        emitted = 0

        def told(*event: Any) -> None:
            self.tally.listener(state["overflows"], emitted)(*event)

        carrier = carrier_for(self.fixed, p, 1, told)
        carrier.ring = state["ring"]

        def step(t: float, x: Any) -> Any:
            nonlocal emitted
            now = step_of(t, dt)
            emitted = now - self.behind
            spikes = whole(x * dt, f"projection {p.name!r}")
            if self.watched and (lost := counts_lost(spikes[None])).any():
                told(-1, "payload", "binary", lost)
            carrier.emit(emitted, payload(p, spikes[None]))
            return carrier.arriving(now)[0]

        return step
