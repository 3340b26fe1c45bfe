"""What the nodes without a state do to one step's values: weights, windows, shapes.

Source: torch's linear and conv2d (cross-correlation), which all exporters mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..errors import NetworkError, show
from .fields import Array, Shape
from .nodes import (
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Flatten,
    Linear,
    Node,
    Scale,
    SumPool2d,
    Threshold,
)
from .shapes import shape_out, window


def apply(node: Node, x: Array, weight: Any, bias: Array | None, last: bool = False) -> Array:
    """Return what a node without a state gives for ``x`` (its shape, no batch axis).

    Args:
        node: the node.
        x: what comes in.
        weight: its weights in the arithmetic of the run; None where it has none.
        bias: its bias in that arithmetic; None: none.
        last: Flatten and SumPool2d work as where channels are the last axis.
    """
    if isinstance(node, (Affine, Linear)):
        y: Array = np.matmul(weight, x[..., None])[..., 0]
        return y if bias is None else y + bias
    if isinstance(node, (Conv1d, Conv2d)):
        return _convolved(node, x, weight, bias)
    if isinstance(node, (SumPool2d, AvgPool2d)):
        sums = windows(node, x, last).sum(axis=(-2, -1))
        if isinstance(node, SumPool2d):
            return np.asarray(sums)
        return np.asarray(sums / x.dtype.type(np.prod(node.kernel_size)))
    if isinstance(node, Scale):
        return np.asarray(x * weight)
    if isinstance(node, Threshold):
        return np.asarray(x > weight).astype(x.dtype)
    if isinstance(node, Flatten):
        if last and x.ndim == 3:
            x = np.moveaxis(x, 0, -1)
        return np.asarray(x.reshape(shape_out(node, x.shape) or x.shape))
    return x


def windows(node: Conv1d | Conv2d | SumPool2d | AvgPool2d, x: Array, last: bool = False) -> Array:
    """Return the windows of (C, sizes...): (C, places..., kernel...), a view of a padded copy."""
    axes = x.ndim - 1
    each = [window(node, axis) for axis in range(axes)]
    if last and isinstance(node, SumPool2d) and any(sum(e[3:]) for e in each):
        each = [_same(e, n) for e, n in zip(each, x.shape[1:], strict=True)]
    padded = np.pad(x, [(0, 0), *((before, after) for *_, before, after in each)])
    places = [
        (padded.shape[a + 1] - dilation * (kernel - 1) - 1) // stride + 1
        for a, (stride, dilation, kernel, *_) in enumerate(each)
    ]
    steps = padded.strides[1:]
    return as_strided(
        padded,
        (x.shape[0], *places, *(e[2] for e in each)),
        (
            padded.strides[0],
            *(s * e[0] for s, e in zip(steps, each, strict=True)),
            *(s * e[1] for s, e in zip(steps, each, strict=True)),
        ),
        writeable=False,
    )


def check_windows(name: str, node: Node, shape: Shape) -> None:
    """Refuse a SumPool2d that gives another number of windows where channels are the last axis.

    Raises:
        NetworkError: so many are not one for each stride.
    """
    if not isinstance(node, SumPool2d) or not any(np.ravel(node.padding)):
        return
    each = [window(node, axis) for axis in range(len(shape) - 1)]
    said = shape_out(node, shape)
    made = (shape[0], *(-(-n // e[0]) for n, e in zip(shape[1:], each, strict=True)))
    if said != made:
        raise NetworkError(
            f"node {name!r} (SumPool2d): padding = {show(node.padding)} gives {said} from {shape}, "
            f"allowed where layout = 'channels-last': one window for each stride, {made}"
        )


def _same(each: tuple[int, int, int, int, int], size: int) -> tuple[int, int, int, int, int]:
    """Return a window with the padding that XLA calls SAME."""
    stride, dilation, kernel, *_ = each
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return stride, dilation, kernel, total // 2, total - total // 2


def _convolved(node: Conv1d | Conv2d, x: Array, weight: Any, bias: Array | None) -> Array:
    seen = windows(node, x)
    axes = x.ndim - 1
    outs, ins = weight.shape[0] // node.groups, weight.shape[1]
    parts = []
    for g in range(node.groups):
        mine = seen[g * ins : (g + 1) * ins]
        kernel = weight[g * outs : (g + 1) * outs]
        shared = list(range(1 + axes, 1 + 2 * axes))
        parts.append(np.tensordot(kernel, mine, ([1, *range(2, 2 + axes)], [0, *shared])))
    y = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return y if bias is None else y + bias.reshape(-1, *([1] * axes))
