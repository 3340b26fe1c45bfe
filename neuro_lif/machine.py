"""A whole network by the living definition: slow, and the judge of every other engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arrays import is_sparse
from .checks import expect, expect_flag
from .errors import RangeError
from .fixed import FixedNetwork, FixedPopulation, FixedProjection
from .formats import overflow, shift
from .recording import OverflowEvent, Recording
from .run_inputs import input_events, input_rows
from .runs import (
    Noise,
    events_of,
    in_order,
    may_lose_counts,
    recorded,
    refuse_overflow,
    register_of,
    wanted_registers,
)
from .semantics import neuron_step
from .stimulate import Inputs, batch_of, check_given, steps_of


@dataclass
class _Counter:
    """Counts overflow events of one run by place."""

    step: int = 0
    found: dict[tuple[str, str, str, int], list[int]] = field(default_factory=dict)

    def add(self, where: str, operation: int, register: str, kind: str, neuron: int) -> None:
        entry = self.found.setdefault((where, register, kind, operation), [0, self.step, neuron])
        entry[0] += 1
        if entry[1] == self.step:
            entry[2] = min(entry[2], neuron)

    def events(self) -> tuple[OverflowEvent, ...]:
        return events_of(self.found)


def run_semantics(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", strict: bool = False,
) -> Recording:  # fmt: skip
    """Run a whole network by the living definition: slow, and the judge of every other engine.

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> ``(n_steps, n)`` integers (one sample, no batch).
        record: ``"probes"``; ``"all"`` for u and v of every population; ``"registers"`` for every
            register of every population by its name.
        strict: make the first overflow an error.

    Returns:
        A recording with integer traces and every overflow counted.

    Raises:
        RangeError: unknown input, wrong shape, not integers, a batch; or, with ``strict``, an
            overflow.
    """
    expect(fixed, FixedNetwork, "run_semantics")
    expect_flag(strict, "run_semantics: strict")
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    if batch_of(given) is not None:
        raise RangeError("inputs: a batch, allowed: one sample (n_steps, n) at a time")
    n_steps = steps_of(n_steps, given)
    rows = input_rows(fixed, given, 1, n_steps)
    feeds = {name: a[0].tolist() for name, a in rows.items()}
    lost, machine = input_events(fixed, rows), Machine(fixed)
    spikes = {p.name: np.zeros((n_steps, p.size), np.int64) for p in fixed.populations}
    wanted = wanted_registers(fixed, record)
    traces = {k: np.zeros((n_steps, fixed.population(k[0]).size), np.int64) for k in wanted}
    for t in range(1, n_steps + 1):
        out = machine.step(t, {name: values[t - 1] for name, values in feeds.items()})
        for name, emitted in out.items():
            spikes[name][t - 1] = emitted
        for (name, variable), trace in traces.items():
            register = register_of(fixed, name, variable)
            trace[t - 1] = [neuron[register] for neuron in machine.state[name]]
        if strict:
            refuse_overflow(in_order(*lost, *machine.counter.events()), t)
    events = in_order(*lost, *machine.counter.events())
    return recorded(fixed, n_steps, n_steps, spikes, traces, events,
                    "semantics (plain Python integers)")  # fmt: skip


Turn = tuple[int, int, int]
"""Place of an event: projection of its port, presynaptic index, repetition."""


@dataclass
class _Arriving:
    """What is under way to one population's port: sums, or events where they are taken singly."""

    sums: dict[int, dict[int, int]] = field(default_factory=dict)
    events: dict[int, dict[int, list[tuple[int, int]]]] = field(default_factory=dict)


class Machine:
    """All neurons and synapses of a network, one Python integer each."""

    def __init__(self, fixed: FixedNetwork) -> None:
        self.fixed, self.counter = fixed, _Counter()
        self.noise = Noise(fixed, 1)
        self.ops = {p.name: fixed.profile.ops(p.model) for p in fixed.populations}
        self.caps = {p.name: fixed.profile.event_ports(p.model) for p in fixed.populations}
        self.joint = {p.name: fixed.profile.joint_ports(p.model) for p in fixed.populations}
        self.params = {p.name: _per_neuron(fixed.params(p.name)) for p in fixed.populations}
        self.state = {p.name: _per_neuron(fixed.initial(p.name)) for p in fixed.populations}
        self.synapses = {p.name: _synapses(fixed, p) for p in fixed.projections}
        self.pending = {p.name: _Arriving() for p in fixed.projections}
        self.watched = {p.name for p in fixed.projections if may_lose_counts(fixed, p)}

    def step(self, t: int, feeds: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """Advance all neurons to the end of step ``t``; return what each sent."""
        self.counter.step = t
        sources, draws = {s.name for s in self.fixed.sources}, self.noise.draw()
        for p in self.fixed.projections:
            if p.pre in sources:
                self._send(p, t, feeds[p.pre])
        sent = {}
        for population in self.fixed.populations:
            ports = self._ports(population, t, feeds)
            if self.noise.rule is not None:
                drawn = draws[population.name][0].tolist()
                for neuron, value in zip(ports, drawn, strict=True):
                    neuron[self.noise.rule.port] = value
            sent[population.name] = self._population(population, t, ports)
            for p in self.fixed.projections:
                if p.pre == population.name:
                    self._send(p, t, sent[p.pre])
        return sent

    def _population(self, p: FixedPopulation, t: int, ports: list[dict[str, Any]]) -> list[int]:
        """Step the neurons in index order; an alias adds a neuron's spikes to another's."""
        name, sent, cap = p.name, [0] * p.size, self.fixed.profile.routing.alias_cap
        for i in range(p.size):
            told = lambda op, reg, kind, i=i: self.counter.add(name, op, reg, kind, i)  # noqa: E731
            sent[i] = neuron_step(self.ops[name], self.params[name][i], self.state[name][i],
                                  ports[i], told, t, sent[i])  # fmt: skip
            target = -1 if p.alias is None else int(p.alias[i])
            if target >= 0:
                if sent[target] + sent[i] > cap:
                    self.counter.add(name, -1, "spikes", "cap", target)
                sent[target] = min(sent[target] + sent[i], cap)
        return sent

    def _ports(
        self, population: FixedPopulation, t: int, feeds: Mapping[str, list[int]]
    ) -> list[dict[str, Any]]:
        """Return, for every neuron, what arrives at each of its ports in step ``t``."""
        name, caps = population.name, self.caps[population.name]
        ports: list[dict[str, Any]] = [{} for _ in range(population.size)]
        taken = dict.fromkeys(caps, 0)
        for p in self.fixed.projections:
            if p.post == name and p.port in caps:
                for post, events in self.pending[p.name].events.pop(t, {}).items():
                    found = _turns(taken[p.port], sorted(events, key=lambda e: e[0]))
                    ports[post].setdefault(p.port, []).extend(found)
                taken[p.port] += 1
            elif p.post == name:
                for post, value in self.pending[p.name].sums.pop(t, {}).items():
                    ports[post][p.port] = ports[post].get(p.port, 0) + value
        for direct in self.fixed.directs:
            if direct.population == name and direct.port in caps:
                for post, value in enumerate(feeds[direct.name]):
                    found = _turns(taken[direct.port], [(0, value)] if value else [])
                    ports[post].setdefault(direct.port, []).extend(found)
                taken[direct.port] += 1
            elif direct.population == name:
                for post, value in enumerate(feeds[direct.name]):
                    ports[post][direct.port] = ports[post].get(direct.port, 0) + value
        for drive in self.fixed.poissons:
            if drive.population == name:
                for post, neuron in enumerate(ports):
                    value = drive.value(self.fixed.seed, 0, t, post)
                    neuron[drive.port] = neuron.get(drive.port, 0) + value
        for neuron in ports:
            neuron |= _in_turns({p: neuron[p] for p in caps if p in neuron}, self.joint[name])
        return ports

    def _send(self, p: FixedProjection, t: int, spikes: list[int]) -> None:
        """Send one step's spikes on their way."""
        if p.name in self.watched:
            for pre, spike in enumerate(spikes):
                if spike not in (0, 1):
                    self.counter.add(p.name, -1, "payload", "binary", pre)
        payloads = spikes if p.graded else [int(spike != 0) for spike in spikes]
        caps = self.caps[p.post]
        if p.port in caps:
            self._send_events(p, t, payloads, caps[p.port])
        else:
            self._send_sums(p, t, payloads)

    def _send_events(self, p: FixedProjection, t: int, counts: list[int], cap: int | None) -> None:
        """Queue each synapse's weight as often as its neuron spiked."""
        exponent, soonest = self.fixed.sum_exponent(p), t + self.fixed.latency(p)
        for pre, count in enumerate(counts):
            times = abs(count) if cap is None else min(abs(count), cap)
            if times < abs(count):
                self.counter.add(p.name, -1, "payload", "cap", pre)
            for post, weight, delay in self.synapses[p.name][pre]:
                slot = self.pending[p.name].events.setdefault(soonest + delay, {})
                value = shift(weight if count > 0 else -weight, exponent)
                slot.setdefault(post, []).extend([(pre, value)] * times)

    def _send_sums(self, p: FixedProjection, t: int, payloads: list[int]) -> None:
        """Sum the weights of this step's spikes per delay and target, shift, bound, queue."""
        sums: dict[tuple[int, int], int] = {}
        for pre, payload in enumerate(payloads):
            if payload:
                for post, weight, delay in self.synapses[p.name][pre]:
                    sums[delay, post] = sums.get((delay, post), 0) + weight * payload
        exponent = self.fixed.sum_exponent(p)
        for (delay, post), value in sums.items():
            slot = self.pending[p.name].sums.setdefault(t + self.fixed.latency(p) + delay, {})
            bounded = self._bounded(p, shift(self._bounded(p, value, post), exponent), post)
            slot[post] = self._bounded(p, slot.get(post, 0) + bounded, post)

    def _bounded(self, p: FixedProjection, x: int, post: int) -> int:
        for mode, lo, hi in self.fixed.accumulator(p):
            y = overflow(x, mode, lo, hi)
            if y != x:
                self.counter.add(p.name, -1, "sum", mode, post)
            x = y
        return x


def _turns(place: int, events: list[tuple[int, int]]) -> list[tuple[Turn, int]]:
    """Return (presynaptic index, weight) pairs in order of arrival with the turn of each."""
    seen: dict[int, int] = {}
    found = []
    for pre, weight in events:
        seen[pre] = seen.get(pre, -1) + 1
        found.append(((place, pre, seen[pre]), weight))
    return found


def _in_turns(
    arriving: Mapping[str, list[tuple[Turn, int]]], joint: tuple[str, ...]
) -> dict[str, list[int | None]]:
    """Return each port's events in order; None where only another of the joint ports has one."""
    turns = sorted({turn for port in joint for turn, _ in arriving.get(port, ())})
    lists: dict[str, list[int | None]] = {}
    for port, events in arriving.items():
        here = dict(events)
        lists[port] = [here.get(t) for t in turns] if port in joint else [w for _, w in events]
    return lists


def _per_neuron(table: Mapping[str, Any]) -> list[dict[str, int]]:
    size = len(next(iter(table.values())))
    return [{name: int(values[i]) for name, values in table.items()} for i in range(size)]


def _synapses(fixed: FixedNetwork, p: FixedProjection) -> list[list[tuple[int, int, int]]]:
    """Return, for every presynaptic neuron, its (post, effective weight, delay) triples."""
    weights = fixed.effective_weights(p)
    n_post, n_pre = weights.shape
    out: list[list[tuple[int, int, int]]] = [[] for _ in range(n_pre)]
    if is_sparse(weights):
        rows = np.repeat(np.arange(n_post), np.diff(weights.indptr))
        columns, values = weights.indices, weights.data
    else:
        rows, columns = np.divmod(np.arange(n_post * n_pre), n_pre)
        values = np.asarray(weights).ravel()
    delays = np.broadcast_to(p.delays, values.shape)
    for post, pre, weight, delay in zip(
        rows.tolist(), columns.tolist(), values.tolist(), delays.tolist(), strict=True
    ):
        if weight != 0 or is_sparse(weights):
            out[pre].append((post, weight, delay))
    return out
