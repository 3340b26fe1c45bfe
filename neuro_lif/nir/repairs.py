"""What files in the wild have wrong, mended where only one meaning is left; each with a finding.

Source: the 36 files that ten exporters wrote (batch axes in shapes, shapes that nir 1.0.8 gets
wrong, subgraphs whose edges name nodes that are called otherwise, edges written twice).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import NetworkError, show
from .fields import Shape, freeze
from .model import NEURONS, Edge, NIRGraph
from .nodes import Conv1d, Conv2d, Delay, Flatten, Input, Node, Output, Threshold
from .order import neighbours, order
from .report import Findings
from .shapes import check_edges, kind, shape_in, shape_out


@dataclass
class Draft:
    """A graph that may not be valid yet."""

    where: str
    nodes: dict[str, Node]
    edges: list[Edge]
    findings: Findings

    def inner(self, name: str) -> str:
        """Return a node's place for the report."""
        return f"{self.where}/{name}" if self.where else name


def mend(draft: Draft, metadata: Mapping[str, Any]) -> NIRGraph:
    """Return the graph of a draft, mended.

    Raises:
        NetworkError: what has no single meaning.
    """
    _mend_edges(draft)
    _add_ends(draft)
    _mend_inputs(draft)
    _mend_shapes(draft)
    return NIRGraph(draft.nodes, tuple(draft.edges), metadata=metadata)


def _mend_edges(draft: Draft) -> None:
    near = _Near(draft)
    ends: list[dict[str, str]] = [{}, {}]  # what a name at an end of an edge means
    times: dict[Edge, int] = {}
    for edge in draft.edges:
        for end, name in enumerate(edge):
            if name not in ends[end]:
                ends[end][name] = _existing(draft, edge, end, near)
        mended = (ends[0][edge[0]], ends[1][edge[1]])
        times[mended] = times.get(mended, 0) + 1
    for edge, count in times.items():
        if count > 1:
            often = "twice" if count == 2 else f"{count} times"
            text = f"{_arrow(edge)} is written {often}, counted once: NIR has no edges twice"
            draft.findings.repair(draft.where, "edges", text)
        if isinstance(draft.nodes[edge[1]], Input):
            raise NetworkError(
                f"edge {_arrow(edge)}: target = {show(edge[1])}, an Input, "
                "allowed: a node that is none, as values come into an Input from outside"
            )
    draft.edges = list(times)


def _arrow(edge: Edge) -> str:
    return f"{show(edge[0])} -> {show(edge[1])}"


def _existing(draft: Draft, edge: Edge, end: int, near: _Near) -> str:
    """Return the node that an end of an edge means."""
    name = edge[end]
    if name in draft.nodes:
        return name
    port = _port(draft, edge, end)
    if port is not None:
        return port
    alike = near.of(name)
    if len(alike) != 1:
        known = show(sorted(draft.nodes), 100)
        raise NetworkError(
            f"edge {_arrow(edge)}: node = {show(name)}, allowed: a node of this graph: {known}"
        )
    draft.findings.repair(
        draft.where,
        "edges",
        f"{show(name)}, as in {_arrow(edge)}, names no node; {alike[0]!r} is meant, "
        "the only one like it",
    )
    return alike[0]


def _port(draft: Draft, edge: Edge, end: int) -> str | None:
    """Return the graph whose port an end of an edge names (graph.node); None: it names none.

    Raises:
        NetworkError: the graph has several, and an edge between nodes cannot say which.
    """
    outer, dot, inner = edge[end].partition(".")
    while dot and not isinstance(draft.nodes.get(outer), NIRGraph):
        more, dot, inner = inner.partition(".")
        outer = f"{outer}.{more}"
    graph = draft.nodes.get(outer)
    if not isinstance(graph, NIRGraph) or inner not in graph.nodes:
        return None
    ports, what = (graph.inputs, "Input") if end else (graph.outputs, "Output")
    if ports != (inner,):
        raise NetworkError(
            f"edge {_arrow(edge)}: node = {show(edge[end])}, allowed: {show(outer)} where that "
            f"graph has this one {what}; it has {show(list(ports), 100)}"
        )
    draft.findings.repair(
        draft.where, "edges", f"{_arrow(edge)} names a port, taken as the graph {outer!r}"
    )
    return outer


class _Near:
    """Nodes by the names without the number behind: lif1 for lif; first those in no edge."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.stems: list[dict[str, list[str]]] = []

    def of(self, name: str) -> list[str]:
        """Return the nodes that a name may mean."""
        if not self.stems:
            used = {e for pair in self.draft.edges for e in pair}
            nodes = self.draft.nodes
            idle = [n for n in nodes if n not in used]
            rest = [n for n in nodes if not isinstance(nodes[n], (Input, Output))]
            self.stems = [_stems(idle), _stems(rest)]
        return self.stems[0].get(name) or self.stems[1].get(name, [])


def _stems(names: list[str]) -> dict[str, list[str]]:
    """Return what is left of names without the number behind, and which names have that."""
    found: dict[str, list[str]] = {}
    for name in names:
        numbered = re.search(r"\d{1,9}\Z", name)
        for end in range(numbered.start() if numbered else len(name), len(name)):
            stem = name[:end]
            for one in {stem, stem[:-1] if stem[-1:] in ("_", ".") else stem} - {""}:
                found.setdefault(one, []).append(name)
    return found


def _free(draft: Draft, name: str) -> str:
    while name in draft.nodes:
        name += "_"
    return name


def _add_ends(draft: Draft) -> None:
    """Add an Input or an Output where there is none at all."""
    for made, what, end in ((Input, "input", 0), (Output, "output", 1)):
        if any(isinstance(n, made) for n in draft.nodes.values()):
            continue
        both = neighbours(draft.nodes, draft.edges)[end]
        for name in sorted(n for n, found in both.items() if not found):
            node = draft.nodes[name]
            size = shape_in(node) if end == 0 else shape_out(node, shape_in(node))
            if size is None:
                raise NetworkError(
                    f"node {show(name)} ({kind(node)}): has no {what} and no shape, "
                    f"allowed: a graph with an {made.__name__} node"
                )
            new = _free(draft, what)
            draft.nodes[new] = made(size)
            draft.edges.append((new, name) if end == 0 else (name, new))
            draft.findings.repair(
                draft.where,
                "nodes",
                f"no {made.__name__} in the graph: {new!r} of shape {size} added at {name!r}",
            )


def _mend_inputs(draft: Draft) -> None:
    """Drop batch axes of inputs, which are no part of a shape."""
    targets = neighbours(draft.nodes, draft.edges)[1]
    names = [n for n, node in draft.nodes.items() if isinstance(node, Input)]
    if len(names) == 1 and names[0] != "input":
        draft.findings.note(draft.inner(names[0]), "", "the input is not called 'input'")
    for name in names:
        node: Any = draft.nodes[name]
        taken = [draft.nodes[t] for t in targets[name]]
        wanted = next((s for s in map(shape_in, taken) if s is not None), None)
        axes = len(wanted) if wanted is not None else _axes(taken)
        shape = node.shape
        while axes is not None and len(shape) > axes and shape[0] == 1:
            shape = shape[1:]
        if shape != node.shape:
            draft.nodes[name] = replace(node, shape=shape)
            draft.findings.repair(
                draft.inner(name), "shape", f"{node.shape} has a batch axis, taken as {shape}"
            )


def _axes(nodes: list[Node]) -> int | None:
    for node in nodes:
        if isinstance(node, Conv1d):
            return 2
        if kind(node) in ("Conv2d", "SumPool2d", "AvgPool2d"):
            return 3
    return None


def _mend_shapes(draft: Draft) -> None:
    """Work through the graph; what is derived follows from what comes in."""
    sources, targets = neighbours(draft.nodes, draft.edges)
    found: dict[str, Shape] = {}
    for name in order(draft.nodes, draft.edges)[0]:
        given = next((found[s] for s in sources[name] if s in found), None)
        node = draft.nodes[name]
        try:
            if given is not None:
                after = [draft.nodes[t] for t in targets[name]]
                draft.nodes[name] = node = _fitted(draft, name, node, given, after)
            shape = shape_out(node, given)
        except NetworkError as error:
            raise NetworkError(f"node {show(name)} ({kind(node)}): {error}") from None
        if shape is not None:
            found[name] = shape
    check_edges(draft.edges, draft.nodes, found)


def _fitted(draft: Draft, name: str, node: Node, given: Shape, after: list[Node]) -> Node:
    """Return a node whose derived shapes agree with what comes in."""
    if isinstance(node, (Conv1d, Conv2d)):
        return _fitted_conv(draft, name, node, given)
    if isinstance(node, Flatten):
        return _fitted_flatten(draft, name, node, given, after)
    if isinstance(node, Output) and node.shape != given:
        text = f"{node.shape} is not what comes in, taken as {given}"
        draft.findings.repair(draft.inner(name), "shape", text)
        return replace(node, shape=given)
    if isinstance(node, (*NEURONS, Threshold, Delay)):
        return _fitted_layer(draft, name, node, given)
    return node


def _fitted_conv(draft: Draft, name: str, node: Conv1d | Conv2d, given: Shape) -> Node:
    sizes: Any = given[1:] if isinstance(node, Conv2d) else given[-1]
    wanted_axes = 3 if isinstance(node, Conv2d) else 2
    if len(given) != wanted_axes or node.input_shape == sizes:
        return node
    if node.input_shape is None:
        draft.findings.assume(draft.inner(name), "input_shape", f"not said, taken as {sizes}")
    else:
        text = f"{node.input_shape} is not what comes in, taken as {sizes}"
        draft.findings.repair(draft.inner(name), "input_shape", text)
    return replace(node, input_shape=sizes)


def _fitted_flatten(
    draft: Draft, name: str, node: Flatten, given: Shape, after: list[Node]
) -> Node:
    where = draft.inner(name)
    if node.input_type is None:
        draft.findings.assume(where, "input_type", f"not said, taken as {given}")
    elif node.input_type != given:
        text = f"{node.input_type} is not what comes in, taken as {given}"
        draft.findings.repair(where, "input_type", text)
    node = replace(node, input_type=given)
    wanted = next((s for s in map(shape_in, after) if s is not None), None)
    if node.start_dim < 1 or wanted is None:
        return node
    try:
        if shape_out(node, given) == wanted:
            return node
    except NetworkError:
        pass  # an axis that is not there: counted with a batch axis, like the one below
    end = node.end_dim - 1 if node.end_dim > 0 else node.end_dim
    other = replace(node, start_dim=node.start_dim - 1, end_dim=end)
    if shape_out(other, given) != wanted:
        return node
    draft.findings.repair(
        where,
        "start_dim",
        f"{node.start_dim} counts a batch axis, taken as {other.start_dim}: {wanted} is taken next",
    )
    return other


def _fitted_layer(draft: Draft, name: str, node: Any, given: Shape) -> Node:
    """Spread one value over a layer; drop batch axes of parameters."""
    arrays = [n for n in node.CHECKS if isinstance(getattr(node, n), np.ndarray)]
    shape = getattr(node, arrays[0]).shape
    if shape == given or (not node.ALIKE and math.prod(shape) == 1):
        return node  # type: ignore[no-any-return]
    if math.prod(shape) == 1:
        values = {n: getattr(node, n).reshape(())[()] for n in arrays}
        made = {n: draft.findings.full(given, v, v.dtype) for n, v in values.items()}
        text = f"one value for a layer of shape {given}: each neuron has it"
    elif math.prod(shape) == math.prod(given) and _bare(shape) == _bare(given):
        made = {n: getattr(node, n).reshape(given) for n in arrays}
        text = f"shape {shape} has a batch axis, taken as {given}"
    else:
        return node  # type: ignore[no-any-return]
    draft.findings.repair(draft.inner(name), ", ".join(arrays), text)
    fitted: Node = replace(node, **{n: freeze(v) for n, v in made.items()})
    return fitted


def _bare(shape: Shape) -> Shape:
    return tuple(s for s in shape if s != 1)
