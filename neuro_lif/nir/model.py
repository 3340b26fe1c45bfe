"""Graphs of NIR nodes, nested or not, checked when made.

Source: nir 1.0.8, ``nir/ir/graph.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import Faults, NetworkError, show
from .fields import MOST_LEVELS, is_name, metadata
from .nodes import (
    IF,
    LI,
    LIF,
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Delay,
    Flatten,
    I,
    Input,
    Linear,
    Node,
    Output,
    Scale,
    SumPool2d,
    Threshold,
)

Edge = tuple[str, str]


@dataclass(frozen=True, eq=False)
class NIRGraph(Node):
    """Nodes with names and the edges between them; several edges into a node mean their sum.

    Args:
        nodes: name -> node; a node may be a graph itself. Their order has no meaning.
        edges: (source, target), each once.

    Raises:
        NetworkError: a name or an edge that NIR does not allow, or graphs nested too deep.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        faults = Faults()
        object.__setattr__(self, "metadata", metadata("NIRGraph", self.metadata, faults))
        object.__setattr__(self, "nodes", _nodes(self.nodes, faults))
        object.__setattr__(self, "edges", _edges(self.edges, self.nodes, faults))
        if levels(self) > MOST_LEVELS:
            faults.add("NIRGraph", "nodes", "deeper graphs", f"at most {MOST_LEVELS} levels")
        faults.raise_if_any(NetworkError)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the Input nodes, sorted."""
        return tuple(sorted(n for n, node in self.nodes.items() if isinstance(node, Input)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the Output nodes, sorted."""
        return tuple(sorted(n for n, node in self.nodes.items() if isinstance(node, Output)))


def levels(graph: NIRGraph) -> int:
    """Return how many graphs lie in each other, this one included."""
    inner = [levels(n) for n in graph.nodes.values() if isinstance(n, NIRGraph)]
    return 1 + max(inner, default=0)


def _nodes(value: Any, faults: Faults) -> Mapping[str, Node]:
    if not isinstance(value, Mapping):
        faults.add("NIRGraph", "nodes", value, "a mapping of names to nodes")
        return MappingProxyType({})
    found: dict[str, Node] = {}
    for name, node in value.items():
        if not is_name(name):
            faults.add("NIRGraph", "nodes", name, "names that are texts without '/'")
        elif type(node) not in KINDS.values():
            faults.add(f"node {name!r}", "type", type(node).__name__, ", ".join(sorted(KINDS)))
        else:
            found[name] = node
    return MappingProxyType(found)


def _edges(value: Any, nodes: Mapping[str, Node], faults: Faults) -> tuple[Edge, ...]:
    if isinstance(value, (str, np.ndarray)) or not isinstance(value, Iterable):
        faults.add("NIRGraph", "edges", value, "a list of pairs of names (source, target)")
        return ()
    found: dict[Edge, None] = {}
    for item in value:
        edge = tuple(item) if isinstance(item, (tuple, list)) else ()
        if len(edge) != 2 or not all(isinstance(e, str) for e in edge):
            faults.add("NIRGraph", "edges", item, "pairs of names (source, target)")
            continue
        missing = [e for e in edge if e not in nodes]
        if missing:
            faults.add(
                f"edge {edge[0]!r} -> {edge[1]!r}",
                "node",
                missing[0],
                "a node of this graph: " + show(sorted(nodes), 100),
            )
        elif edge in found:
            faults.add("NIRGraph", "edges", edge, "each edge once")
        else:
            found[edge] = None
    return tuple(found)


KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        Input,
        Output,
        Affine,
        Linear,
        Scale,
        Conv1d,
        Conv2d,
        SumPool2d,
        AvgPool2d,
        Flatten,
        Delay,
        Threshold,
        I,
        IF,
        LI,
        LIF,
        CubaLI,
        CubaLIF,
        NIRGraph,
    )
}
"""All primitives by name."""

SPIKING = (IF, LIF, CubaLIF)
INTEGRATORS = (I, LI, CubaLI)
NEURONS = (*SPIKING, *INTEGRATORS)
