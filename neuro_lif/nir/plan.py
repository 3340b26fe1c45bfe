"""A graph made ready to be stepped: flat, in order, with the weights and delays of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import NetworkError, RangeError
from .fields import Array, Shape
from .layer import Coefficients
from .maps import check_windows
from .model import NEURONS, SPIKING, Edge, NIRGraph
from .neurons import coefficients
from .nodes import (
    LI,
    LIF,
    Affine,
    Conv1d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Delay,
    Input,
    Linear,
    Node,
    Scale,
    Threshold,
)
from .order import neighbours, order
from .rules import RULES, NirRule
from .shapes import graph_shapes

MOST_DELAY = 2**20
"""Longest delay in steps."""
LOW_PASS = (LI, CubaLI, CubaLIF)
WEIGHTED = (Affine, Linear, Conv1d, Conv2d)


@dataclass(frozen=True)
class Way:
    """An edge as it is stepped: from where, and how many steps later."""

    source: str
    steps: int
    back: bool


@dataclass(frozen=True)
class Plan:
    """What a run needs; names of nodes in nested graphs are ``graph/node``."""

    rule: NirRule
    dt: float
    nodes: Mapping[str, Node]
    sequence: tuple[str, ...]
    ways: Mapping[str, tuple[Way, ...]]
    shapes: Mapping[str, Shape]
    weights: Mapping[str, Array]
    biases: Mapping[str, Array]
    coefficients: Mapping[str, Coefficients]
    direct: Mapping[str, Array]
    held: Mapping[str, Array]
    """Steps of each line of a Delay node."""
    notes: tuple[str, ...]


def flatten(graph: NIRGraph, prefix: str = "") -> tuple[dict[str, Node], list[Edge]]:
    """Return nodes and edges with those of nested graphs; their ends stay as nodes that pass on.

    Raises:
        NetworkError: an edge leads to a graph with several inputs, or from one with several
            outputs.
    """
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for name, node in graph.nodes.items():
        if isinstance(node, NIRGraph):
            inner, more = flatten(node, f"{prefix}{name}/")
            nodes.update(inner)
            edges += more
        else:
            nodes[prefix + name] = node
    for source, target in graph.edges:
        edges.append((_port(graph, source, prefix, 0), _port(graph, target, prefix, 1)))
    return nodes, edges


def _port(graph: NIRGraph, name: str, prefix: str, end: int) -> str:
    node = graph.nodes[name]
    if not isinstance(node, NIRGraph):
        return prefix + name
    ports = node.inputs if end else node.outputs
    if len(ports) != 1:
        what = "Input" if end else "Output"
        raise NetworkError(
            f"node {prefix + name!r} (NIRGraph): has the {what} nodes {ports}, allowed: one where "
            "an edge is joined to the graph"
        )
    return _port(node, ports[0], f"{prefix}{name}/", end)


def prepare(graph: NIRGraph, rule: NirRule, dt: float | None) -> Plan:
    """Return the plan of a run.

    Raises:
        NetworkError: the graph does not fit together.
        RangeError: no dt, or one that the graph cannot be stepped with.
    """
    nodes, edges = flatten(graph)
    step = _step(rule, dt)
    notes: list[str] = []
    if rule.recurrent_input == "neuron":
        edges = _past_weights(nodes, edges, notes)
    rule = _own(rule, nodes, step, notes)
    found = graph_shapes(nodes, edges)
    missing = sorted(nodes.keys() - found.keys())
    if missing:
        raise NetworkError(f"node {missing[0]!r}: no shape can be told from the graph")
    if rule.layout == "channels-last":
        for source, target in edges:
            check_windows(target, nodes[target], found[source])
    early = {n for n, node in nodes.items() if rule.emit == "old" and isinstance(node, SPIKING)}
    waiting = {n for n, node in nodes.items() if rule.synapse_delay and isinstance(node, LOW_PASS)}
    cyclic = _cyclic(nodes, edges)
    sequence, back = order(nodes, [e for e in edges if e[1] not in early | waiting])
    closing = back if early else order(nodes, edges)[1]
    made = {
        n: coefficients(node, rule, step, n in cyclic)
        for n, node in nodes.items()
        if isinstance(node, NEURONS)
    }
    weights, biases = _numbers(nodes, rule)
    plan = Plan(
        rule,
        step,
        nodes,
        tuple(sequence),
        _ways(nodes, edges, (closing, back), cyclic, rule),
        found,
        weights,
        biases,
        made,
        {},
        _held(nodes, rule, step, notes),
        tuple(notes),
    )
    return _platform(plan, edges, cyclic)


def _past_weights(nodes: Mapping[str, Node], edges: list[Edge], notes: list[str]) -> list[Edge]:
    """Return the edges with the inputs of recurrent nested graphs joined to their neurons.

    Source: Spyx 1.0.0 ``spyx/nir.py``: it writes input -> w_rec, and steps x + w_rec s.
    """
    sources, targets = neighbours(nodes, edges)
    found = []
    for source, target in edges:
        after = targets[target]
        if (
            isinstance(nodes[source], Input)
            and "/" in source
            and targets[source] == [target]
            and isinstance(nodes[target], (Affine, Linear))
            and len(after) == 1
            and isinstance(nodes[after[0]], SPIKING)
            and sources[after[0]] == [target]
            and target in targets[after[0]]
        ):
            notes.append(f"{source!r} goes to {after[0]!r} itself, not through {target!r}")
            target = after[0]
        found.append((source, target))
    return found


def _step(rule: NirRule, dt: float | None) -> float:
    step = rule.dt if dt is None else dt
    if step is None:
        raise RangeError(f"dt is missing, and rule {rule.name!r} has none of its own: give "
                         "dt= (--dt), the step in the unit of the graph's times")  # fmt: skip
    if (
        isinstance(step, bool)
        or not isinstance(step, (int, float, np.floating))
        or not (0 < step < np.inf)
    ):
        raise RangeError(f"dt = {step!r}, allowed: a number > 0 in the unit of the rule's times")
    return float(step)


def _times(nodes: Mapping[str, Node]) -> list[float]:
    return [
        float(np.min(getattr(node, name)))
        for node in nodes.values()
        for name in getattr(node, "ALIKE", ())
        if name.startswith("tau")
    ]


def _own(rule: NirRule, nodes: Mapping[str, Node], dt: float, notes: list[str]) -> NirRule:
    """Return the rule for files a framework wrote itself, where this looks like one."""
    times = _times(nodes)
    if not rule.own_files or not times or max(times) >= dt:
        return rule
    notes.append(
        f"all time constants are below dt = {dt:g}: taken as a file that the framework of rule "
        f"{rule.name!r} wrote itself, so rule {rule.own_files!r} is used"
    )
    own = RULES[rule.own_files]
    return replace(own, reset=rule.reset, compare=rule.compare, arithmetic=rule.arithmetic)


def _cyclic(nodes: Mapping[str, Node], edges: Iterable[Edge]) -> dict[str, int]:
    """Return the nodes that reach themselves, each with the number of its cycle."""
    edges = list(edges)
    sources, targets = neighbours(nodes, edges)
    number: dict[str, int] = {}
    for k, (last, first) in enumerate(sorted(order(nodes, edges)[1])):
        ring = _reach(first, targets) & _reach(last, sources)
        shared = min((number[n] for n in ring if n in number), default=k)
        merged = {number[n] for n in ring if n in number}
        for name, old in list(number.items()):
            if old in merged:
                number[name] = shared
        number.update(dict.fromkeys(ring, shared))
    return number


def _reach(start: str, ways: Mapping[str, list[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for name in ways[waiting.pop()]:
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def _ways(
    nodes: Mapping[str, Node],
    edges: list[Edge],
    closing: tuple[set[Edge], set[Edge]],
    cyclic: Mapping[str, int],
    rule: NirRule,
) -> dict[str, tuple[Way, ...]]:
    """Return the edges with their steps; closing: those that close a cycle, and the ones of them
    whose cycle waits nowhere else.
    """
    found: dict[str, list[Way]] = {name: [] for name in nodes}
    for source, target in sorted(edges):
        steps = rule.synapse_delay if isinstance(nodes[target], LOW_PASS) else 0
        inside = source in cyclic and cyclic.get(source) == cyclic.get(target)
        if (source, target) in closing[1] or ((source, target) in closing[0] and steps):
            steps = max(1, rule.recurrent_delay, steps)
        elif isinstance(nodes[source], Input) and "/" not in source:
            steps += rule.input_delay
        elif isinstance(nodes[source], SPIKING) and not inside:
            steps += rule.delay
        found[target].append(Way(source, steps, (source, target) in closing[0] | closing[1]))
    return {name: tuple(ways) for name, ways in found.items()}


def _numbers(nodes: Mapping[str, Node], rule: NirRule) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return weights and biases in the arithmetic of the run."""
    dtype = np.dtype(rule.arithmetic)
    weights: dict[str, Array] = {}
    biases: dict[str, Array] = {}
    for name, node in nodes.items():
        value: Any = None
        if isinstance(node, WEIGHTED):
            value = node.weight
        elif isinstance(node, Scale):
            value = node.scale
        elif isinstance(node, Threshold):
            value = node.threshold
        if value is not None:
            weights[name] = np.asarray(value, dtype)
        bias = getattr(node, "bias", None)
        if bias is not None:
            biases[name] = np.asarray(bias, dtype)
    return weights, biases


def _held(
    nodes: Mapping[str, Node], rule: NirRule, dt: float, notes: list[str]
) -> dict[str, Array]:
    """Return the delays of Delay nodes in whole steps."""
    found = {}
    factor = {"s": 1.0, "ms": 1e-3, "steps": dt, "s*dt": 1.0}[rule.tau_unit]
    for name, node in nodes.items():
        if not isinstance(node, Delay):
            continue
        exact = np.asarray(node.delay, np.float64) * factor / dt
        if exact.max() > MOST_DELAY:
            raise RangeError(
                f"node {name!r} (Delay): {exact.max():g} steps, allowed: at most {MOST_DELAY}"
            )
        steps = np.rint(exact).astype(np.int64)
        if np.any(np.abs(steps - exact) > 1e-6):
            notes.append(f"node {name!r}: delays are rounded to whole steps of {dt:g}")
        found[name] = steps
    return found


def _platform(plan: Plan, edges: list[Edge], cyclic: Mapping[str, int]) -> Plan:
    """Return the plan with the weights and biases as the rule's platform has them."""
    rule, sources = plan.rule, neighbours(plan.nodes, edges)[0]
    weights, biases = dict(plan.weights), dict(plan.biases)
    made, direct = dict(plan.coefficients), dict(plan.direct)
    if rule.recurrent_bias == "never":
        for name in cyclic:
            biases.pop(name, None)
    for name, c in plan.coefficients.items():
        feeding = [s for s in sources[name] if isinstance(plan.nodes[s], (Affine, Linear))]
        if rule.weights == "int8":
            _int8(weights, feeding, rule)
        if rule.weights == "lava":
            made[name] = _lava(plan, name, c, weights, feeding)
        if rule.bias == "direct":
            through = c.gain
            if c.keep_i is not None and c.gain_i is not None:
                through = through * c.gain_i / (1 - c.keep_i)
            direct[name] = sum(
                (biases[s] * through for s in feeding if s in biases),
                np.zeros(plan.shapes[name], c.keep.dtype),
            )
    if rule.bias == "direct":
        biases = {}
    return replace(plan, weights=weights, biases=biases, coefficients=made, direct=direct)


def _int8(weights: dict[str, Array], feeding: list[str], rule: NirRule) -> None:
    """Round all weights onto a population to one grid of 8 bits, towards zero."""
    largest = max((float(np.abs(weights[s]).max()) for s in feeding), default=0.0)
    if largest == 0.0:
        return
    scale = rule.weight_scale or 127 / largest
    for name in feeding:
        weights[name] = np.trunc(weights[name] * scale) / scale


def _lava(
    plan: Plan, name: str, c: Coefficients, weights: dict[str, Array], feeding: list[str]
) -> Coefficients:
    """Return a layer as nir_to_lava.py makes it; its states are the chip's integers.

    Source: NIR repository ``paper/nir_to_lava.py``: dv = int(dt/tau 4095), w = int(w r dt/tau 256),
    vth = int(vth 131071) >> 9; registers are 64 times finer.
    """
    node: Any = plan.nodes[name]
    if isinstance(node, (CubaLI, CubaLIF)) or not isinstance(node, LIF):
        raise NetworkError(
            f"node {name!r} ({type(node).__name__}): allowed with rule {plan.rule.name!r}: LIF"
        )
    if np.any(node.v_leak != 0):
        raise NetworkError(
            f"node {name!r} (LIF): v_leak = {node.v_leak.flat[0].item():g}, "
            f"allowed with rule {plan.rule.name!r}: 0"
        )
    share = plan.dt / np.asarray(node.tau, np.float64)
    gain = np.asarray(node.r, np.float64) * share
    for source in feeding:
        weights[source] = np.trunc(weights[source] * gain[:, None] * 256) * 64
    threshold = (np.trunc(np.asarray(node.v_threshold) * 131071).astype(np.int64) >> 9) << 6
    return replace(
        c,
        lost=np.trunc(share * 4095).astype(np.int64),
        one=1.0,
        threshold=threshold.astype(np.float64),
    )
