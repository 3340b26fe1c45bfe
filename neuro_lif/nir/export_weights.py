"""The nodes of a projection's weights: Linear, Affine or Conv2d, one for each delay."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_sparse
from ..convolution import Convolution
from ..errors import RangeError
from ..stepped import SteppedNetwork, SteppedProjection
from .export_parts import Built, Losses
from .fields import Array, Shape
from .nodes import Affine, Conv2d, Flatten, Linear, Node

MOST_DELAYS = 64
"""Different delays of one projection that are written."""
MOST_WEIGHTS = 2**27
"""Entries of one matrix: a graph has no sparse weights."""


class Planes:
    """Which layers have the shape of a picture, so that convolutions stay what they are.

    A population is a plane where everything that leads to it is a convolution onto that plane, and
    all convolutions from it begin there; a spike input where its convolutions agree.
    """

    def __init__(self, stepped: SteppedNetwork, losses: Losses) -> None:
        self.shapes: dict[str, Shape] = {}
        for name in {x for q in stepped.projections for x in (q.pre, q.post)}:
            into = [_conv(q) for q in stepped.projections if q.post == name]
            out = [_conv(q) for q in stepped.projections if q.pre == name]
            wanted = {c.output_shape if c else None for c in into}
            wanted |= {c.input_shape for c in out if c}
            if len(wanted) == 1 and None not in wanted:
                self.shapes[name] = tuple(n for shape in wanted if shape for n in shape)
        # a matrix onto a plane would need a node that unfolds a vector, which NIR has not
        self.losses = losses

    def shape(self, name: str, size: int) -> Shape:
        """Return the shape of a layer."""
        return self.shapes.get(name, (size,))

    def keeps(self, q: SteppedProjection) -> Convolution | None:
        """Return the convolution of a projection where both ends are its planes."""
        conv = _conv(q)
        if conv is None or self.shapes.get(q.pre) != conv.input_shape:
            return None
        return conv if self.shapes.get(q.post) == conv.output_shape else None

    def flattened(self, built: Built, source: str, shape: Shape, name: str, node: Node) -> str:
        """Return the source, or a Flatten node behind it where a matrix reads a plane."""
        if len(shape) == 1 or isinstance(node, Conv2d):
            return source
        return built.add(f"{name}_flat", Flatten(shape, 0, -1))


def _conv(q: SteppedProjection) -> Convolution | None:
    found = q.weights if isinstance(q.weights, Convolution) else None
    return found if found is not None and found.layout == "torch" else None


def by_delay(q: SteppedProjection) -> list[tuple[int, Any]]:
    """Return (steps, weights) for each delay of a projection."""
    delays = np.asarray(q.delays)
    values = np.unique(delays)
    if values.size <= 1:
        return [(int(values[0]) if values.size else 0, q.weights)]
    n_post, n_pre = q.weights.shape
    if is_sparse(q.weights):
        rows = np.repeat(np.arange(n_post), np.diff(q.weights.indptr))
        columns, stored = q.weights.indices, q.weights.data
    else:
        rows, columns = np.divmod(np.arange(n_post * n_pre), n_pre)
        stored = np.asarray(q.weights).ravel()
    found = []
    for value in values:
        mine = (delays.ravel() == value) & (stored != 0)
        if mine.any():
            matrix = np.zeros((n_post, n_pre))
            np.add.at(matrix, (rows[mine], columns[mine]), stored[mine])
            found.append((int(value), matrix))
    return found or [(int(values[0]), np.zeros((n_post, n_pre)))]


def weight_node(
    weights: Any, bias: Array | None, planes: Planes, q: SteppedProjection
) -> tuple[Node, str, bool]:
    """Return the node of weights (V per spike), a note where they change their form, and whether
    the bias is in it: a convolution has one for each channel only.
    """
    conv = planes.keeps(q)
    if conv is not None and isinstance(weights, Convolution):
        return _convolution(conv, bias)
    n_post, n_pre = weights.shape
    if n_post * n_pre > MOST_WEIGHTS:
        raise RangeError(f"projection {q.name!r}: weights = {n_post} x {n_pre}, allowed: at most "
                         f"{MOST_WEIGHTS} entries (NIR has no sparse weights)")  # fmt: skip
    note = ""
    if isinstance(weights, Convolution):
        note = "a convolution is written as its matrix: both ends must be (channels, H, W)"
    elif is_sparse(weights) and weights.nnz < n_post * n_pre / 4:
        note = f"{weights.nnz} synapses are written as a dense matrix: NIR has no sparse weights"
    matrix = dense(weights)
    node = Linear(matrix) if bias is None else Affine(matrix, np.asarray(bias))
    return node, note, bias is not None


def _convolution(conv: Convolution, bias: Array | None) -> tuple[Node, str, bool]:
    kernel = np.asarray(conv.kernel, np.float64)
    outs, per_channel, used = kernel.shape[0], np.zeros(kernel.shape[0]), False
    if bias is not None:
        channels = bias.reshape(outs, -1)
        used = bool(np.all(channels == channels[:, :1]))
        per_channel = channels[:, 0] if used else per_channel
    fields: Any = {
        name: getattr(conv, name) for name in ("stride", "padding", "dilation", "groups")
    }
    plane: Any = conv.input_shape[1:]
    node = Conv2d(input_shape=plane, weight=kernel, bias=per_channel, **fields)
    return node, "", used


def dense(weights: Any) -> Array:
    """Return weights as a dense float64 matrix."""
    if isinstance(weights, Convolution):
        weights = weights.matrix()
    return np.asarray(weights.toarray() if is_sparse(weights) else weights, np.float64)
