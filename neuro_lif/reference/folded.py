"""Convolutions in the float reference: their weights are there once, in both engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..convolution import Axis, Convolution

Array = npt.NDArray[Any]

AT_ONCE = 2**21
"""Synapses that are listed together."""


def weights_by_input(given: Convolution, channels_first: bool) -> Array:
    """Return the weights by channel in: what one spike of it is multiplied with lies together.

    Returns:
        float64 (channels in, channels out of the group, first, second) with the channels first,
        else (channels in, first, second, channels out of the group).
    """
    planar = np.asarray(given.planar_kernel, np.float64)
    n_first, n_second, n_out, n_in = planar.shape
    parts = planar.reshape(n_first, n_second, given.groups, n_out // given.groups, n_in)
    ordered = parts.transpose((2, 4, 3, 0, 1) if channels_first else (2, 4, 0, 1, 3))
    return np.ascontiguousarray(ordered.reshape(-1, *ordered.shape[2:]))


class Fan:
    """What spikes reach through a convolution.

    Args:
        given: the convolution.
    """

    def __init__(self, given: Convolution) -> None:
        self.given, self.axes = given, given.axes
        self.weights = weights_by_input(given, False)
        self.reach = int(np.prod(self.weights.shape[1:]))

    def synapses(self, pre: Array) -> Iterator[tuple[Array, Array, Array]]:
        """Yield (which of the spikes, post, weight), spike by spike, some of them at a time.

        Args:
            pre: neurons that spike.
        """
        some = max(1, AT_ONCE // self.reach)
        for first in range(0, pre.size, some):
            spike, post, weight = self._some(pre[first : first + some])
            yield spike + first, post, weight

    def _some(self, pre: Array) -> tuple[Array, Array, Array]:
        given = self.given
        places = np.unravel_index(pre, given.input_shape)
        torch = given.layout == "torch"
        channel, x, y = places if torch else (places[2], places[0], places[1])
        out_x, there_x = _leads(self.axes[0], x)
        out_y, there_y = _leads(self.axes[1], y)
        spike, i, j = np.nonzero(there_x[:, :, None] & there_y[:, None])
        weight = self.weights[channel[spike], i, j]
        each = weight.shape[1]
        group = channel[spike] // (len(self.weights) // given.groups)
        to = group[:, None] * each + np.arange(each)
        at_x, at_y = out_x[spike, i][:, None], out_y[spike, j][:, None]
        post = given.numbers(given.output_shape, at_x, at_y, to)
        entry, k = np.nonzero(weight)  # a weight of 0 is no synapse
        return spike[entry], post[entry, k], weight[entry, k]


def _leads(axis: Axis, place: Array) -> tuple[Array, Array]:
    """Return where every tap leads from places of the input, and whether it leads anywhere."""
    ahead = place[:, None] + axis.padding - np.arange(axis.taps) * axis.dilation
    out = ahead // axis.stride
    return out, (ahead >= 0) & (ahead % axis.stride == 0) & (out < axis.n_out)
