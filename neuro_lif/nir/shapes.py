"""The shape of what goes into a node and what comes out.

nir 1.0.8 takes a kernel's height for its width and forgets groups; these formulas are torch's.
Source: torch.nn.Conv2d, shape section; ``nir/ir/utils.py`` for what nir does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import NetworkError, show
from .fields import Shape
from .model import NEURONS, Edge, NIRGraph
from .nodes import (
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Delay,
    Flatten,
    Input,
    Linear,
    Node,
    Output,
    Scale,
    SumPool2d,
    Threshold,
)
from .order import neighbours, order

MOST_PADDED = 2**27
"""Values of what comes into a convolution or a pool, with its padding."""


def shape_in(node: Node) -> Shape | None:
    """Return the shape that a node takes, None where its fields do not fix it."""
    if isinstance(node, (Input, Output)):
        return node.shape
    if isinstance(node, (Affine, Linear)):
        return (*node.weight.shape[:-2], node.weight.shape[-1])
    if isinstance(node, (Conv1d, Conv2d)):
        if node.input_shape is None:
            return None
        sizes = node.input_shape if isinstance(node, Conv2d) else (node.input_shape,)
        return (node.weight.shape[1] * node.groups, *sizes)
    if isinstance(node, Flatten):
        return node.input_type
    if isinstance(node, NIRGraph):
        return _only(node, node.inputs)
    return _own(node)


def _own(node: Node) -> Shape | None:
    """Return the shape of the parameters where that is the shape of the layer."""
    if isinstance(node, Scale):
        return node.scale.shape if node.scale.size > 1 else None
    if isinstance(node, Threshold):
        return node.threshold.shape if node.threshold.size > 1 else None
    if isinstance(node, Delay):
        return node.delay.shape if node.delay.size > 1 else None
    if isinstance(node, NEURONS):
        return tuple(node.r.shape) or (1,)
    return None


def shape_out(node: Node, given: Shape | None) -> Shape | None:
    """Return the shape that a node gives for one that comes in; None where it is not known.

    Raises:
        NetworkError: the node cannot take that shape; the message has no name of the node.
    """
    if isinstance(node, (Affine, Linear)):
        return tuple(node.weight.shape[:-1])
    if isinstance(node, NIRGraph):
        return _only(node, node.outputs)
    fixed = shape_in(node)
    if not isinstance(node, (Conv1d, Conv2d, SumPool2d, AvgPool2d, Flatten)):
        return fixed if fixed is not None else given
    came = given if given is not None else fixed
    if came is None:
        return None
    if isinstance(node, Flatten):
        return _flat(node, came)
    return _windows(node, came)


def _only(graph: NIRGraph, names: tuple[str, ...]) -> Shape | None:
    if len(names) != 1:
        return None
    node: Any = graph.nodes[names[0]]
    return tuple(node.shape)


def _flat(node: Flatten, given: Shape) -> Shape:
    axes = len(given)
    start = node.start_dim + axes if node.start_dim < 0 else node.start_dim
    end = node.end_dim + axes if node.end_dim < 0 else node.end_dim
    if not 0 <= start <= end < axes:
        raise NetworkError(
            f"start_dim, end_dim = {node.start_dim}, {node.end_dim}, "
            f"allowed: axes of what comes in, which has shape {given}"
        )
    return (*given[:start], math.prod(given[start : end + 1]), *given[end + 1 :])


def _windows(node: Conv1d | Conv2d | SumPool2d | AvgPool2d, given: Shape) -> Shape:
    """Return channels and the number of windows along each axis."""
    conv = isinstance(node, (Conv1d, Conv2d))
    axes = 1 if isinstance(node, Conv1d) else 2
    what = "(C, N)" if axes == 1 else "(C, H, W)"
    if len(given) != axes + 1:
        raise NetworkError(f"shape {given} comes in, allowed: {what}")
    channels = given[0]
    if isinstance(node, (Conv1d, Conv2d)):
        wanted = node.weight.shape[1] * node.groups
        if channels != wanted:
            raise NetworkError(f"{channels} channels come in, allowed: {wanted}, as in weight")
        channels = node.weight.shape[0]
    sizes, padded = [], given[0]
    for axis in range(axes):
        stride, dilation, kernel, before, after = window(node, axis)
        padded *= given[axis + 1] + before + after
        if padded > MOST_PADDED:
            name = "dilation" if node.padding == "same" else "padding"  # 'same' pads for dilation
            raise NetworkError(
                f"{name} = {getattr(node, name)}: {padded:.3g} values with what comes in, shape "
                f"{given}, allowed: at most {MOST_PADDED}"
            )
        room = given[axis + 1] + before + after - dilation * (kernel - 1) - 1
        if room < 0:
            name = "weight" if conv else "kernel_size"
            raise NetworkError(f"{name} is larger than what comes in, shape {given}")
        sizes.append(room // stride + 1)
    return (channels, *sizes)


def window(
    node: Conv1d | Conv2d | SumPool2d | AvgPool2d, axis: int
) -> tuple[int, int, int, int, int]:
    """Return (stride, dilation, kernel, padding before, padding after) along an axis.

    'same' pads the odd one behind, as torch does.
    """

    def at(value: Any) -> int:
        return int(value[axis]) if isinstance(value, tuple) else int(value)

    if isinstance(node, (SumPool2d, AvgPool2d)):
        return at(node.stride), 1, at(node.kernel_size), at(node.padding), at(node.padding)
    kernel, dilation = node.weight.shape[2 + axis], at(node.dilation)
    if node.padding == "same":
        total = dilation * (kernel - 1)
        return at(node.stride), dilation, kernel, total // 2, total - total // 2
    one = 0 if node.padding == "valid" else at(node.padding)
    return at(node.stride), dilation, kernel, one, one


def graph_shapes(nodes: Mapping[str, Node], edges: Iterable[Edge]) -> dict[str, Shape]:
    """Return the shape that each node gives, where it can be told.

    Raises:
        NetworkError: a node that cannot take what comes in, or an edge between two shapes.
    """
    edges = list(edges)
    sources, targets = neighbours(nodes, edges)
    found: dict[str, Shape] = {}
    waiting = order(nodes, edges)[0][::-1]
    while waiting:  # each node is looked at again when one before it became known
        name = waiting.pop()
        if name in found:
            continue
        given = next((found[s] for s in sources[name] if s in found), None)
        try:
            known = shape_out(nodes[name], given)
        except NetworkError as error:
            raise NetworkError(f"node {show(name)} ({kind(nodes[name])}): {error}") from None
        if known is not None:
            found[name] = known
            waiting += targets[name]
    check_edges(edges, nodes, found)
    return found


def check_edges(
    edges: Iterable[Edge], nodes: Mapping[str, Node], found: Mapping[str, Shape]
) -> None:
    """Refuse an edge whose target takes another shape than its source gives.

    Raises:
        NetworkError: naming both.
    """
    came: dict[str, tuple[Shape, str]] = {}  # what an edge before gave to a node
    for source, target in edges:
        given, wanted = found.get(source), shape_in(nodes[target])
        if given is None:
            continue
        before, other = came.setdefault(target, (given, source))
        why = f"which {show(target)} ({kind(nodes[target])}) takes"
        if wanted is None:
            wanted, why = before, f"which comes out of {show(other)}: their sum goes in"
        if given != wanted:
            raise NetworkError(
                f"edge {show(source)} -> {show(target)}: shape {given} comes out of "
                f"{show(source)}, allowed: {wanted}, {why}"
            )


def kind(node: Node) -> str:
    """Return the name of a node's type."""
    return type(node).__name__
