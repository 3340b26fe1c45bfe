"""The numpy integer emulator: a FixedNetwork, whole populations and batches at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import expect, expect_flag, expect_progress
from ..connect import Carrier
from ..engines import Progress, chosen_engine, in_chosen, trace_array
from ..fixed import FixedNetwork, FixedProjection
from ..formats import overflow_array, shift_array
from ..recording import OverflowEvent, Recording
from ..run_inputs import (
    Fed,
    LostCounts,
    RowReader,
    as_feeds,
    counts_lost,
    drawn_inputs,
    fed_inputs,
    input_events,
    kept_inputs,
    network_inputs,
)
from ..runs import (
    Noise,
    events_of,
    in_order,
    may_lose_counts,
    recorded,
    refuse_overflow,
    register_of,
    spike_dtype,
    wanted_registers,
)
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .compiled_run import run_compiled
from .events import EventCarrier, alias_order, direct_events, packed
from .oplist import OpList

Array = npt.NDArray[Any]
Listener = Callable[[int, str, str, Array], None]
"""Called with (operation index, register, kind, where it happened)."""


class EventCounter:
    """Counts overflow events by place, with the first step and neuron of each."""

    def __init__(self) -> None:
        self.step = 0
        self.found: dict[tuple[str, str, str, int], list[int]] = {}

    def listener(self, where: str) -> Listener:
        """Return a function that counts the overflows of one population or projection."""

        def told(index: int, register: str, kind: str, mask: Array) -> None:
            neurons = mask.reshape(-1, mask.shape[-1]).any(axis=0)
            lowest = int(np.flatnonzero(neurons)[0])
            entry = self.found.setdefault((where, register, kind, index), [0, self.step, lowest])
            entry[0] += int(mask.sum())
            if entry[1] == self.step:
                entry[2] = min(entry[2], lowest)

        return told

    def events(self) -> tuple[OverflowEvent, ...]:
        """Return what was counted, in order of the first step."""
        return events_of(self.found)


def carrier_for(fixed: FixedNetwork, p: FixedProjection, batch: int, told: Listener) -> Carrier:
    """Return a projection's synapses with the profile's exponent and accumulator rules."""
    rules = fixed.accumulator(p)
    exponent = fixed.sum_exponent(p)

    def bounded(x: Array) -> Array:
        for mode, lo, hi in rules:
            if x.min() < lo or x.max() > hi:
                y = overflow_array(x, mode, lo, hi)
                told(-1, "sum", mode, y != x)
                x = y
        return x

    def finish(sums: Array) -> Array:
        return bounded(shift_array(bounded(sums), exponent))

    weights = fixed.effective_weights(p)
    return Carrier(weights, p.delays, fixed.latency(p), batch, finish, bounded)


def payload(p: FixedProjection, spikes: Array) -> Array:
    """Return what a projection carries of its source's spikes: their values, or 0 and 1."""
    return spikes if p.graded else (spikes != 0).astype(np.int64)


class Emulator:
    """Holds the state of a FixedNetwork and steps it.

    Args:
        fixed: the network.
        batch: number of independent samples run side by side.
    """

    def __init__(self, fixed: FixedNetwork, batch: int = 1) -> None:
        self.fixed, self.batch, self.t = fixed, batch, 0
        self.counter, self.noise = EventCounter(), Noise(fixed, batch)
        self.samples = list(range(batch))
        """Which draws of the Poisson inputs each sample gets."""
        self.caps = {p.name: fixed.profile.event_ports(p.model) for p in fixed.populations}
        self.joint = {p.name: fixed.profile.joint_ports(p.model) for p in fixed.populations}
        self.neurons = {p.name: self._neurons(p.name) for p in fixed.populations}
        cap = fixed.profile.routing.alias_cap
        self.order = {p.name: alias_order(p, cap) for p in fixed.populations}
        self.carriers = [(p, self._carrier(p)) for p in fixed.projections]
        self._sources = {s.name for s in fixed.sources}
        self.watched = {p.name: self.counter.listener(p.name) for p in fixed.projections
                        if may_lose_counts(fixed, p)}  # fmt: skip

    def _carrier(self, p: FixedProjection) -> Carrier | EventCarrier:
        told, caps = self.counter.listener(p.name), self.caps[p.post]
        if p.port in caps:
            return EventCarrier(self.fixed, p, self.batch, caps[p.port], told)
        return carrier_for(self.fixed, p, self.batch, told)

    def _neurons(self, name: str) -> OpList:
        model = self.fixed.population(name).model
        start = self.fixed.initial(name)
        state = {r: np.tile(values, (self.batch, 1)) for r, values in start.items()}
        return OpList(self.fixed.profile.ops(model), self.fixed.params(name), state,
                      self.counter.listener(name))  # fmt: skip

    def step(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Advance one step.

        Args:
            feeds: input name -> ``(batch, n)`` integers of this step; absent ones are 0.

        Returns:
            population -> what its neurons send ``(batch, n)``.
        """
        self.t += 1
        self.counter.step = self.t
        draws = self.noise.draw()
        for p, carrier in self.carriers:
            if p.pre in self._sources:
                self._emit(p, carrier, feeds.get(p.pre))
        sent = {}
        for name, neurons in self.neurons.items():
            ports = self._ports(name, feeds)
            if self.noise.rule is not None:
                ports[self.noise.rule.port] = draws[name]
            sent[name] = neurons.step(ports, self.order[name])
            for p, carrier in self.carriers:
                if p.pre == name:
                    self._emit(p, carrier, sent[name])
        return sent

    def _emit(self, p: FixedProjection, carrier: Any, spikes: Array | None) -> None:
        if spikes is None:
            spikes = np.zeros((self.batch, p.weights.shape[1]), np.int64)
        if p.name in self.watched and (lost := counts_lost(spikes)).any():
            self.watched[p.name](-1, "payload", "binary", lost)
        carrier.emit(self.t, payload(p, spikes))

    def _ports(self, name: str, feeds: dict[str, Array]) -> dict[str, Any]:
        """Return what arrives at each port: the sum, or the events one by one."""
        shape = (self.batch, self.fixed.population(name).size)
        sums: dict[str, Any] = {}
        events: dict[str, list[Any]] = {}
        for p, carrier in self.carriers:
            if p.post == name and isinstance(carrier, Carrier):
                sums[p.port] = sums.get(p.port, 0) + carrier.arriving(self.t)
            elif p.post == name:
                events.setdefault(p.port, []).append(carrier.arriving(self.t))
        for direct in self.fixed.directs:
            if direct.population == name and direct.name in feeds:
                if direct.port in self.caps[name]:
                    events.setdefault(direct.port, []).append(direct_events(feeds[direct.name]))
                else:
                    sums[direct.port] = sums.get(direct.port, 0) + feeds[direct.name]
        for drive in self.fixed.poissons:
            if drive.population == name:
                drawn = drive.values(self.fixed.seed, self.samples, self.t, shape[1])
                sums[drive.port] = sums.get(drive.port, 0) + drawn
        joint = {port: events.pop(port) for port in self.joint[name] if port in events}
        alone = {port: packed({port: found}, *shape)[port] for port, found in events.items()}
        return sums | alone | packed(joint, *shape)

    def register(self, population: str, name: str) -> Array:
        """Return a register's current content ``(batch, n)``."""
        return self.neurons[population].state[name]


def run_fixed(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", progress: Progress | None = None, strict: bool = False,
    engine: str | None = None, threads: int | None = None, record_inputs: bool = False,
    batch: int | None = None,
) -> Recording:  # fmt: skip
    """Run a FixedNetwork bit-accurately on the CPU.

    Two engines give the same values: the compiled kernel, and numpy where there is no kernel or it
    does not run the network (accumulators that may overflow, sums and weights beyond 32 bits).

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> integers ``(n_steps, n)`` or ``(batch, n_steps, n)``; replaces the
            rasters the network carries.
        record: ``"probes"``; ``"all"`` for u and v of every population; ``"registers"`` for every
            register of every population by its name.
        progress: called with (steps done, steps in all).
        strict: make the first overflow an error.
        engine: ``"auto"``, ``"kernel"`` or ``"numpy"``; None: what the environment variable
            NEURO_LIF_ENGINE says, else ``"auto"``.
        threads: of the kernel, at most so many, one sample each; None: as many as there are
            processors.
        record_inputs: keep the inputs of every step in ``Recording.inputs`` (those of sources as
            events), from which the run can be repeated.
        batch: so many samples, each with draws of its own where inputs or noise are random; None:
            as many as ``inputs`` have.

    Returns:
        A recording with integer traces in LSB and every overflow counted. Its provenance names the
        engine, and with ``"auto"`` why it is not the kernel.

    Raises:
        RangeError: unknown input, wrong shape, not integers, an engine that cannot run this; or,
            with ``strict``, an overflow.
        Interrupted: on Ctrl-C: a KeyboardInterrupt with the recording of the steps until then.
    """
    expect(fixed, FixedNetwork, "run_fixed")
    expect_flag(strict, "run_fixed: strict")
    expect_flag(record_inputs, "run_fixed: record_inputs")
    expect_progress(progress, "run_fixed: progress")
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    n_steps = steps_of(n_steps, given)
    samples, chosen = batch_of(given, batch), chosen_engine(engine, threads)
    return run_checked(fixed, n_steps, fed_inputs(given), samples, record, progress, strict, chosen,
                       threads, keep=record_inputs)  # fmt: skip


def run_checked(
    fixed: FixedNetwork, n_steps: int, given: Mapping[str, Fed], batch: int | None, record: str,
    progress: Progress | None, strict: bool, chosen: str, threads: int | None,
    between: Callable[[], None] | None = None, keep: bool = False,
) -> Recording:  # fmt: skip
    """Run a network as :func:`run_fixed` does, its arguments having been checked.

    Args:
        given: inputs of the run, looked through.
        batch: samples; None: one, and no axis for them.
        chosen: one of ``ENGINES``.
        fixed, n_steps, record, progress, strict, threads: as of :func:`run_fixed`.
        between: called every so often, and may end the run by an error.
        keep: keep the inputs.
    """
    more: dict[str, Any] = {"keep": True} if keep else {}
    more |= {} if between is None else {"between": between}
    told = progress if between is None else _both(progress, between)
    return in_chosen(
        chosen, threads,
        lambda: run_compiled(fixed, n_steps, given, batch, record, progress, strict, threads,
                             **more),
        lambda why: _run_numpy(fixed, n_steps, given, batch, record, told, strict, why, keep),
    )  # fmt: skip


def _both(progress: Progress | None, between: Callable[[], None]) -> Progress:
    def told(done: int, most: int) -> None:
        between()
        if progress is not None:
            progress(done, most)

    return told


def _run_numpy(
    fixed: FixedNetwork, n_steps: int, given: Mapping[str, Fed], batch: int | None, record: str,
    progress: Progress | None, strict: bool, why: dict[str, str], keep: bool = False,
) -> Recording:  # fmt: skip
    """Run a network in the numpy engine; ``why`` goes into the provenance."""
    b = batch or 1
    rows = network_inputs(fixed, given, n_steps)
    whole, drawn = input_events(fixed, rows, b), drawn_inputs(fixed, given, b)
    feeds, counted = as_feeds(rows, drawn), LostCounts(fixed, drawn, b)
    read = RowReader(feeds, drawn, b, n_steps, counted)
    emulator = Emulator(fixed, b)
    spikes = {
        p.name: np.zeros((b, n_steps, p.size), spike_dtype(fixed, p.name))
        for p in fixed.populations
    }
    wanted = wanted_registers(fixed, record)
    traces = {k: trace_array((b, n_steps, fixed.population(k[0]).size)) for k in wanted}
    done, interrupted = 0, False
    try:
        for t in range(n_steps):
            for name, emitted in emulator.step(read(t)).items():
                spikes[name][:, t] = emitted
            for (name, variable), trace in traces.items():
                trace[:, t] = emulator.register(name, register_of(fixed, name, variable))
            done = t + 1
            if strict and (lost := (*whole, *counted.events(t + 1), *emulator.counter.events())):
                refuse_overflow(in_order(*lost), t + 1)
            if progress is not None:
                progress(t + 1, n_steps)
    except KeyboardInterrupt:
        interrupted = True
        if not done:
            raise
    return recorded(
        fixed, done, n_steps,
        {k: a[:, :done] if batch else a[0, :done] for k, a in spikes.items()},
        {k: a[:, :done] if batch else a[0, :done] for k, a in traces.items()},
        in_order(*whole, *counted.events(done), *emulator.counter.events()),
        "numpy integer emulator", why, interrupted,
        kept_inputs(fixed, feeds, batch, done) if keep else None, given,
    )  # fmt: skip
