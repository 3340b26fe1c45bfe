"""Run a NIR graph as a framework would, step by step, in numpy."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checks import expect
from ..errors import Faults, RangeError, show
from .fields import Array, masked
from .layer import State
from .maps import apply
from .model import NEURONS, SPIKING, NIRGraph
from .neurons import advance, count, first_state
from .nodes import Delay, Input, Output
from .plan import Plan, prepare
from .rules import NirRule, find_rule, rule_said


@dataclass(frozen=True)
class NirRun:
    """What a run gave; names of nodes in nested graphs are ``graph/node``.

    Args:
        rule: the rule that was used.
        dt: the step, in the unit of the rule's times.
        spikes: spiking node -> (n_steps, *shape), number of spikes in each step.
        voltage: neuron -> (n_steps, *shape), v at the end of each step.
        current: node with a synapse -> (n_steps, *shape), its current.
        outputs: Output node -> (n_steps, *shape), what came to it.
        notes: what was assumed.
        state: where the run ended, for a rule whose state is ``kept``.
    """

    rule: NirRule
    dt: float
    spikes: Mapping[str, Array]
    voltage: Mapping[str, Array]
    current: Mapping[str, Array]
    outputs: Mapping[str, Array]
    notes: tuple[str, ...] = ()
    state: Mapping[str, State] = field(default_factory=dict, repr=False)


def run(
    graph: NIRGraph,
    inputs: Any,
    rule: NirRule | str | None = None,
    *,
    dt: float | None = None,
    state: Mapping[str, State] | None = None,
) -> NirRun:
    """Run a graph under a rule.

    Args:
        graph: the graph.
        inputs: (n_steps, *shape) where there is one Input, else Input name -> such an array.
        rule: a rule or its name (:data:`RULES`); ``find_rule`` changes single switches. None:
            what the graph's metadata say (:func:`with_rule`), else ``nir-euler``.
        dt: the step, in the unit of the rule's times (s unless it says otherwise); None: the
            rule's own.
        state: of an earlier run, where the rule's state is ``kept``.

    Returns:
        Spikes and voltages of every node.

    Raises:
        NetworkError: the graph does not fit together, or the rule cannot step a node of it.
        RangeError: inputs, rule or dt are not what is allowed.
    """
    expect(graph, NIRGraph, "nir.run")
    if rule is None:
        rule = rule_said(graph.metadata) or "nir-euler"
    found = find_rule(rule)
    plan = prepare(graph, found, dt)
    given = _inputs(plan, inputs)
    if state is not None and plan.rule.state != "kept":
        raise RangeError(
            f"state, allowed: where the rule's state is 'kept', not {plan.rule.state!r}"
        )
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return _Runner(plan, given, state).all()
    except MemoryError as error:
        why = f" ({error})" if str(error) else ""
        raise RangeError(
            f"nir.run: more memory is needed than there is{why}; take fewer steps, or a smaller "
            "graph"
        ) from None


def _inputs(plan: Plan, inputs: Any) -> dict[str, Array]:
    names = sorted(n for n, node in plan.nodes.items() if isinstance(node, Input) and "/" not in n)
    if not isinstance(inputs, Mapping):
        if len(names) != 1:
            raise RangeError(f"inputs, allowed: a mapping of {names} to arrays")
        inputs = {names[0]: inputs}
    faults, found = Faults(), {}
    for name in sorted(set(names) ^ set(inputs), key=str):
        faults.add("inputs", show(name), "missing" if name in names else "given", show(names))
    for name in (n for n in names if n in inputs):
        shape = plan.shapes[name]
        try:
            array = np.asarray(inputs[name])
        except (ValueError, TypeError):
            array = np.asarray(None)
        if (
            array.dtype.kind not in "biuf"
            or array.ndim != 1 + len(shape)
            or (array.shape[1:] != shape)
        ):
            wanted = ", ".join(["n_steps", *map(str, shape)])
            faults.add("inputs", name, f"{array.dtype} of shape {array.shape}", f"shape ({wanted})")
        elif not len(array):
            wanted = ", ".join(["n_steps", *map(str, shape)])
            faults.add("inputs", name, f"shape {array.shape}", f"shape ({wanted}), n_steps >= 1")
        elif masked(inputs[name]):
            faults.add("inputs", name, "a masked array", "an array without masked entries")
        elif not np.all(np.isfinite(array)):
            faults.add("inputs", name, "NaN or infinity", "finite numbers")
        else:
            with np.errstate(over="ignore"):
                found[name] = array.astype(plan.rule.arithmetic)
            if not np.all(np.isfinite(found[name])):
                kind = plan.rule.arithmetic
                most = float(np.abs(array.astype(float)).max())
                faults.add("inputs", name, f"{most:g}", f"numbers that {kind} holds (the rule's)")
    lengths = {len(a) for a in found.values()}
    if len(lengths) > 1:
        faults.add("inputs", "lengths", sorted(lengths), "one number of steps")
    faults.raise_if_any(RangeError)
    return found


class _Runner:
    """The loop over the steps."""

    def __init__(
        self, plan: Plan, inputs: dict[str, Array], state: Mapping[str, State] | None
    ) -> None:
        self.plan, self.inputs, self.rule = plan, inputs, plan.rule
        self.n_steps = len(next(iter(inputs.values()))) if inputs else 0
        self.dtype = np.dtype(plan.rule.arithmetic)
        self.states = {
            name: first_state(plan.nodes[name], c, plan.rule, plan.shapes[name])
            for name, c in plan.coefficients.items()
        }
        for name, old in (state or {}).items():
            self.states[name] = State(old.v.copy(), None if old.i is None else old.i.copy())
        self.early = plan.rule.emit == "old"
        self.past = self._past()
        self.lines = {
            name: np.zeros((int(steps.max()) + 1, *plan.shapes[name]), self.dtype)
            for name, steps in plan.held.items()
        }
        self.kept: dict[str, dict[str, list[Array]]] = {
            "spikes": {},
            "voltage": {},
            "current": {},
            "outputs": {},
        }

    def _zeros(self, name: str) -> Array:
        return np.zeros(self.plan.shapes[name], self.dtype)

    def _past(self) -> dict[str, deque[Array]]:
        """Return what each node gave before the first step, for edges with delays."""
        longest: dict[str, int] = {}
        backward = set()
        for ways in self.plan.ways.values():
            for way in ways:
                longest[way.source] = max(longest.get(way.source, 0), way.steps)
                backward |= {way.source} if way.back else set()
        silent = self._silent() if self.rule.recurrent_bias == "always" else {}
        return {
            name: deque(
                [silent.get(name, self._zeros(name)) if name in backward else self._zeros(name)]
                * steps,
                maxlen=steps,
            )
            for name, steps in longest.items()
            if steps
        }

    def _silent(self) -> dict[str, Array]:
        """Return what nodes without a state give while no neuron and no input does anything."""
        values: dict[str, Array] = {}
        for name in self.plan.sequence:
            node = self.plan.nodes[name]
            if isinstance(node, (*NEURONS, Input, Delay)):
                values[name] = self._zeros(name)
            else:
                x = self._sum(name, values, silent=True)
                values[name] = self._mapped(name, x)
        return values

    def _sum(self, name: str, values: Mapping[str, Array], silent: bool = False) -> Array:
        """Return the sum of what comes into a node."""
        total: Array | None = None
        for way in self.plan.ways[name]:
            if silent:
                value = values.get(way.source, self._zeros(way.source))
            else:
                value = self.past[way.source][-way.steps] if way.steps else values[way.source]
            total = value if total is None else total + value
        if total is None:
            return self._zeros(name)
        return total

    def _mapped(self, name: str, x: Array) -> Array:
        plan = self.plan
        last = self.rule.layout == "channels-last"
        return apply(plan.nodes[name], x, plan.weights.get(name), plan.biases.get(name), last)

    def all(self) -> NirRun:
        for step in range(self.n_steps):
            self._step(step)
        stacked = {
            kind: {n: np.stack(rows) for n, rows in found.items()}
            for kind, found in self.kept.items()
        }
        if not self.n_steps:
            stacked = self._empty()
        return NirRun(self.rule, self.plan.dt, **stacked, notes=self.plan.notes, state=self.states)

    def _empty(self) -> dict[str, dict[str, Array]]:
        """Return what a run of no steps shows: of every node 0 rows."""
        made = self.plan.coefficients
        outputs = [n for n, node in self.plan.nodes.items() if isinstance(node, Output)]
        shown = {
            "spikes": [n for n, c in made.items() if c.spiking],
            "voltage": list(made),
            "current": [n for n in made if self.states[n].i is not None],
            "outputs": [n for n in outputs if "/" not in n],
        }
        return {
            kind: {n: np.zeros((0, *self.plan.shapes[n]), self.dtype) for n in names}
            for kind, names in shown.items()
        }

    def _step(self, step: int) -> None:
        values: dict[str, Array] = {}
        height = self.dtype.type(1 / self.plan.dt if self.rule.amplitude == "1/dt" else 1)
        late = []
        for name in self.plan.sequence:
            if self.early and isinstance(self.plan.nodes[name], SPIKING):
                spikes = count(self.plan.coefficients[name], self.states[name].v, self.rule)
                values[name] = spikes * height
                late.append(name)
        for name in self.plan.sequence:
            node = self.plan.nodes[name]
            if name in values:
                continue
            if name in self.inputs:
                values[name] = self.inputs[name][step]
                continue
            x = self._sum(name, values)
            if isinstance(node, NEURONS):
                values[name] = self._neuron(name, x)
                if isinstance(node, SPIKING):
                    values[name] = values[name] * height
            elif isinstance(node, Delay):
                values[name] = self._delayed(name, x, step)
            else:
                values[name] = self._mapped(name, x)
            if isinstance(node, Output) and "/" not in name:
                self.kept["outputs"].setdefault(name, []).append(values[name])
        for name in late:
            self._neuron(name, self._sum(name, values))
        for name, past in self.past.items():
            past.append(values[name])

    def _neuron(self, name: str, x: Array) -> Array:
        """Take a layer one step on and keep what it shows."""
        c, state = self.plan.coefficients[name], self.states[name]
        out = advance(c, state, x, self.plan.direct.get(name), self.rule)
        shown = state.v
        if c.spiking:
            self.kept["spikes"].setdefault(name, []).append(out)
            if self.rule.shown_at_spike is not None:
                shown = np.where(out > 0, self.rule.shown_at_spike, shown)
        self.kept["voltage"].setdefault(name, []).append(shown)
        if state.i is not None:
            self.kept["current"].setdefault(name, []).append(state.i)
        return out

    def _delayed(self, name: str, x: Array, step: int) -> Array:
        line, steps = self.lines[name], self.plan.held[name]
        line[step % len(line)] = x
        rows = (step - steps) % len(line)
        flat = line.reshape(len(line), -1)
        picked = flat[np.broadcast_to(rows, x.shape).ravel(), np.arange(x.size)]
        return np.array(picked.reshape(x.shape))
