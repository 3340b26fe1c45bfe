"""The nodes and edges that say a network in steps, and how late each projection arrives.

Weights are in V per spike and step, ``r`` and ``w_in`` are such that a step's input of 1 counts 1:
``r = 1 / (1 - keep)``, that is ``tau/dt`` with Euler steps, as snnTorch and SpikingJelly write it.
A population with several synaptic time constants, or with currents beside them, becomes LI nodes
(its synapses) in front of a LIF node; an alpha synapse two LI nodes in a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import RangeError
from ..stepped import SteppedNetwork, SteppedPopulation, SteppedProjection
from .export_parts import Built, Chain, Inflow, Losses, Start
from .export_values import factor, lost, time_constant
from .export_weights import MOST_DELAYS, Planes, by_delay, weight_node
from .fields import Array, Shape
from .nodes import IF, LI, LIF, Affine, CubaLI, CubaLIF, Delay, I, Input, Node, Output, Scale


class Builder:
    """Builds the nodes of a network; voltages are counted from ``start.zero``."""

    def __init__(
        self, stepped: SteppedNetwork, inflow: Inflow, start: Start, leaks: dict[str, Array | None],
        integrator: str, losses: Losses,
    ) -> None:  # fmt: skip
        self.stepped, self.inflow, self.start = stepped, inflow, start
        self.leaks, self.integrator, self.losses = leaks, integrator, losses
        self.dt = stepped.dt
        self.built = Built()
        self.planes = Planes(stepped, losses)
        self.rings = _rings(stepped)
        self.rest: dict[str, Array] = {}
        """What an Affine node has to add, V per step; taken away where it is."""
        latencies = [q.latency for q in stepped.projections if q.pre in inflow.spikes]
        plain = not inflow.currents and all(n >= 1 for n in latencies)
        self.input_delay = int(plain and bool(latencies))
        between = [q for q in stepped.projections if q.pre not in inflow.spikes]
        self.delay = int(all(q.latency + int(np.min(q.delays, initial=0)) >= 1 for q in between))

    def build(self, biases: dict[str, Array]) -> Built:
        """Return all nodes and edges; ``biases`` are what is not in ``v_leak``, V per step."""
        self.rest = {name: b for name, b in biases.items() if np.any(b)}
        for name in self._taken():
            self.built.nodes[name] = Output((1,))  # holds the name
        for name, size in self.inflow.spikes.items():
            if any(q.pre == name for q in self.stepped.projections):
                self.built.nodes[name] = Input(self.planes.shape(name, size))
            else:
                del self.built.nodes[name]
                self.losses.note(name, "", "leads nowhere: not written")
        entries = {p.name: self._population(p) for p in self.stepped.populations}
        for q in self._in_order():
            self._projection(q, entries[q.post])
        for name, population in self.inflow.currents.items():
            self._current(name, population)
        for name in list(self.rest):
            self._own_bias(name)
        self._silent_inputs()
        self._outputs()
        return self.built

    def _taken(self) -> list[str]:
        return [*self.inflow.spikes, *self.inflow.currents,
                *(p.name for p in self.stepped.populations)]  # fmt: skip

    def _in_order(self) -> list[SteppedProjection]:
        """Return the projections, those that close no cycle first: a bias is best in them."""
        return sorted(self.stepped.projections, key=lambda q: self._cyclic(q))

    def _cyclic(self, q: SteppedProjection) -> bool:
        return q.post in self.rings and q.pre in self.rings[q.post]

    # ---------------------------------------------------------------------------- neurons

    def _population(self, p: SteppedPopulation) -> dict[tuple[int, bool], str]:
        """Add a population; returns the node for each receptor, within its cycle or not."""
        shape = self.planes.shape(p.name, p.size)
        used = [q for q in self.stepped.projections if q.post == p.name]
        slow = {r for r in {q.receptor for q in used} if np.any(p.decay_u[r])}
        if p.graded:
            self.built.nodes[p.name] = self._filter(p, 0, shape)
            return {(r, c): p.name for r in (0,) for c in (False, True)}
        fast = any(q.receptor not in slow for q in used) or p.name in self.inflow.currents.values()
        leaky = self.leaks[p.name] is not None
        if len(slow) == 1 and not fast and leaky:
            self.built.nodes[p.name] = self._neuron(p, shape, next(iter(slow)))
            return dict.fromkeys(((r, c) for r in slow for c in (False, True)), p.name)
        self.built.nodes[p.name] = self._neuron(p, shape, None)
        places = {(q.receptor, self._cyclic(q)) for q in used}
        found = {}
        for r, cyclic in sorted(places):
            found[r, cyclic] = p.name
            if r in slow:
                name = f"{p.name}_synapse{r}" + "_back" * (cyclic and (r, False) in places)
                found[r, cyclic] = self.built.add(name, self._filter(p, r, shape))
                self.built.edges.append((found[r, cyclic], p.name))
        if slow:
            self.losses.note(p.name, "synapse", f"{len(slow)} time constants, beside other "
                             "inputs or without a leak: as LI nodes in front of it")  # fmt: skip
        return found

    def _filter(self, p: SteppedPopulation, r: int, shape: Shape) -> Node:
        """Return an LI node that does what a synaptic state does: u = keep u + x."""
        keep = np.asarray(p.decay_u[r])
        tau = time_constant(p.tau_syn[r], keep, self.dt, self.integrator)
        r_of = factor(lost(tau, self.dt, self.integrator), np.ones(p.size))
        return LI(*(_in(shape, x) for x in (tau, r_of, np.zeros(p.size))))

    def _neuron(self, p: SteppedPopulation, shape: Shape, receptor: int | None) -> Node:
        zero, leak = self.start.zero[p.name], self.leaks[p.name]
        threshold, reset = p.threshold - zero, -zero
        if leak is None:
            r = factor(np.full(p.size, self.dt), np.ones(p.size))
            if not p.spikes:
                return I(_in(shape, r))
            return IF(*(_in(shape, x) for x in (r, threshold, reset)))
        tau = time_constant(p.tau_m, np.asarray(p.decay_v), self.dt, self.integrator)
        gone = lost(tau, self.dt, self.integrator)
        values = {"r": factor(gone, np.ones(p.size)), "v_leak": leak - zero}
        if p.spikes:
            values |= {"v_threshold": threshold, "v_reset": reset}
        if receptor is None:
            values["tau"] = tau
            kind: Any = LIF if p.spikes else LI
        else:
            keep = np.asarray(p.decay_u[receptor])
            tau_syn = time_constant(p.tau_syn[receptor], keep, self.dt, self.integrator)
            w_in = factor(lost(tau_syn, self.dt, self.integrator), np.ones(p.size))
            values |= {"tau_mem": tau, "tau_syn": tau_syn, "w_in": w_in}
            kind = CubaLIF if p.spikes else CubaLI
        return kind(**{name: _in(shape, x) for name, x in values.items()})  # type: ignore[no-any-return]

    # ------------------------------------------------------------------------------- ways

    def _projection(self, q: SteppedProjection, entries: dict[tuple[int, bool], str]) -> None:
        target = entries.get((q.receptor, self._cyclic(q)), q.post)
        groups = by_delay(q)
        if len(groups) > MOST_DELAYS:
            raise RangeError(f"projection {q.name!r}: delay = {len(groups)} different numbers of "
                             f"steps, allowed: at most {MOST_DELAYS} (a graph needs a node for "
                             "each)")  # fmt: skip
        if len(groups) > 1:
            self.losses.note(q.name, "delay", f"{len(groups)} different delays: each has its nodes")
        keep = self.stepped.population(q.post).decay_u[q.receptor]
        direct = target == q.post and not np.any(keep)
        for steps, weights in groups:
            bias = self.rest.get(q.post) if direct else None
            node, note, used = weight_node(weights, bias, self.planes, q)
            if used:
                del self.rest[q.post]
            if note:
                self.losses.note(q.name, "weights", note)
            name = q.name if len(groups) == 1 else f"{q.name}_{steps}"
            name = self.built.add(name, node)
            self._chain(q, q.latency + steps, name, target)

    def _chain(self, q: SteppedProjection, steps: int, name: str, target: str) -> None:
        """Join a source, a Delay node where one is needed, the weights and their target."""
        shape, source, delay = self.planes.shape(q.pre, q.weights.shape[1]), q.pre, None
        expected = self.input_delay
        if q.pre not in self.inflow.spikes:
            spiking = self.stepped.population(q.pre).spikes
            expected = self.delay if spiking else 0
        if self._cyclic(q):
            expected = 1 if self.rings[q.post] == {q.post} else -1
        edges = []
        if steps != expected:
            delay = self.built.add(f"{name}_delay", Delay(np.zeros(shape)))
            edges.append((source, delay))
            source = delay
        flat = self.planes.flattened(self.built, source, shape, name, self.built.nodes[name])
        if flat != source:
            edges.append((source, flat))
        edges += [(flat, name), (name, target)]
        if target != q.post:
            self.built.chains.append(Chain(q.name, (*edges, (target, q.post)), delay, steps))
        else:
            self.built.chains.append(Chain(q.name, tuple(edges), delay, steps))
        self.built.edges += [e for e in edges if e not in self.built.edges]

    def _current(self, name: str, population: str) -> None:
        p = self.stepped.population(population)
        shape = self.planes.shape(p.name, p.size)
        self.built.nodes[name] = Input(shape)
        scale = self.built.add(f"{name}_gain", Scale(_in(shape, np.asarray(p.gain))))
        self.built.edges += [(name, scale), (scale, population)]

    def _own_bias(self, name: str) -> None:
        """Let a population have its bias from an input of zeros, through weights of zero."""
        p = self.stepped.population(name)
        shape = self.planes.shape(name, p.size)
        source = self.built.add(f"{name}_in", Input((1,)))
        bias = _in(shape, self.rest.pop(name))
        weights = self.built.add(f"{name}_bias", Affine(np.zeros((*shape, 1)), bias))
        self.built.edges += [(source, weights), (weights, name)]
        self.losses.note(name, "i_bias", f"is that of weights of 0, behind the input {source!r} "
                         "of zeros")  # fmt: skip

    def _silent_inputs(self) -> None:
        """Give an Input to what none leads to, as the nir package would when it reads the graph."""
        onward: dict[str, list[str]] = {}
        for a, b in self.built.edges:
            onward.setdefault(a, []).append(b)
        waiting = [n for n, node in self.built.nodes.items() if isinstance(node, Input)]
        reached = set(waiting)
        for p in (None, *self.stepped.described):
            if p is not None and p.name not in reached:
                source = self.built.add(f"{p.name}_in", Input(self.planes.shape(p.name, p.size)))
                self.built.edges.append((source, p.name))
                self.losses.note(p.name, "", f"no input leads to it: {source!r}, of zeros")
                waiting, reached = [p.name], reached | {p.name}
            while waiting:
                for name in onward.get(waiting.pop(), []):
                    if name not in reached:
                        reached.add(name)
                        waiting.append(name)

    def _outputs(self) -> None:
        described = [p.name for p in self.stepped.described]
        onward = {q.pre for q in self.stepped.projections if q.pre != q.post}
        probed = {x.population for x in self.stepped.network.probes}
        chosen = [n for n in described if n not in onward or n in probed] or described
        for name in chosen:
            size = self.stepped.population(name).size
            out = self.built.add(f"{name}_out", Output(self.planes.shape(name, size)))
            self.built.edges.append((name, out))


def _in(shape: Shape, x: Array) -> Array:
    return np.asarray(x, np.float64).reshape(shape)


def _rings(stepped: SteppedNetwork) -> dict[str, set[str]]:
    """Return, for each population that reaches itself, all those it is in a cycle with."""
    names = [p.name for p in stepped.populations]
    onward: dict[str, set[str]] = {n: set() for n in names}
    for q in stepped.projections:
        if q.pre in onward:
            onward[q.pre].add(q.post)
    reach = {}
    for name in names:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            for other in onward[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        reach[name] = seen
    return {n: {m for m in reach[n] if n in reach[m]} for n in names if n in reach[n]}
