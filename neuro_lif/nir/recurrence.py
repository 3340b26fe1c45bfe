"""Recurrent weights for a layer whose file lacks them, as files of Rockpool do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..checks import expect
from ..errors import NetworkError
from .model import NEURONS, NIRGraph
from .nodes import Affine, Linear


def with_recurrence(graph: NIRGraph, node: str, weight: Any, bias: Any = None) -> NIRGraph:
    """Return the graph with weights from a layer of neurons to itself.

    Args:
        graph: the graph.
        node: name of the layer.
        weight: (n to, n from) for a layer of n neurons; Rockpool's ``w_rec`` transposed.
        bias: (n,), or None.

    Raises:
        NetworkError: there is no such layer, its weights are there already, or the shapes differ.
    """
    expect(graph, NIRGraph, "nir.with_recurrence")
    if not isinstance(graph.nodes.get(node), NEURONS):
        layers = sorted(n for n, found in graph.nodes.items() if isinstance(found, NEURONS))
        raise NetworkError(f"with_recurrence: node = {node!r}, allowed: {layers}")
    name = f"{node}.w_rec"
    if name in graph.nodes:
        raise NetworkError(
            f"node {name!r} ({type(graph.nodes[name]).__name__}) is in the graph already, "
            "allowed: a layer without recurrent weights"
        )
    added = Linear(weight) if bias is None else Affine(weight, bias)
    edges = (*graph.edges, (node, name), (name, node))
    return replace(graph, nodes={**graph.nodes, name: added}, edges=edges)
