"""Convolutions on their way to integers: the kernel is coded once, nothing is unrolled.

Values are in the order of the planar kernel (first direction, second, channels out, channels in).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..convolution import Convolution


def is_folded(weights: Any) -> bool:
    """Tell whether weights are a convolution."""
    return isinstance(weights, Convolution)


def from_planar(conv: Convolution, values: Any) -> Convolution:
    """Return a convolution with another planar kernel; ``values`` are its entries in order."""
    planar = np.asarray(values).reshape(conv.planar_kernel.shape)
    if conv.layout == "torch":
        return replace(conv, kernel=planar.transpose(2, 3, 0, 1))
    return replace(conv, kernel=planar.transpose(2, 0, 1, 3)[:, ::-1, ::-1, :])


def channels_of_entries(conv: Convolution) -> IntArray:
    """Return the channel out of every entry of the planar kernel."""
    shape = conv.planar_kernel.shape
    return np.asarray(np.broadcast_to(np.arange(shape[2])[:, None], shape).ravel())


def channels_of_neurons(conv: Convolution) -> IntArray:
    """Return the channel of every postsynaptic neuron."""
    number = np.arange(conv.planar_kernel.shape[2])
    plane = number[:, None, None] if conv.layout == "torch" else number
    return np.asarray(np.broadcast_to(plane, conv.output_shape).ravel())


def sums(conv: Convolution, values: Any) -> FloatArray:
    """Return what every postsynaptic neuron receives while every source sends one ``(n_post,)``."""
    planar = np.asarray(values, np.float64).reshape(conv.planar_kernel.shape)
    first, second = (axis.inside().astype(np.float64) for axis in conv.axes)
    half = np.tensordot(planar.sum(axis=3), first, (0, 0))  # (second tap, channel, first place)
    plane = np.tensordot(half, second, (0, 0))  # (channel, first place, second place)
    return np.asarray(plane if conv.layout == "torch" else plane.transpose(1, 2, 0)).ravel()


def strongest_folded(conv: Convolution, values: Any, count: int) -> FloatArray:
    """Return, per neuron, the most that arrives while ``count`` sources fire ``(n_post,)``.

    Exact where all that a neuron hears may fire; else what the middle of the plane hears at most.
    """
    positive = np.maximum(np.asarray(values, np.float64), 0.0)
    total = sums(conv, positive)
    by_channel = positive.reshape(conv.planar_kernel.shape).transpose(2, 0, 1, 3)
    each = np.sort(by_channel.reshape(by_channel.shape[0], -1), axis=1)[:, ::-1]
    if count >= each.shape[1]:
        return total
    return np.minimum(total, each[:, :count].sum(axis=1)[channels_of_neurons(conv)])


def by_neuron(conv: Convolution, values: FloatArray) -> FloatArray:
    """Return the sum over what a neuron in the middle of its plane hears ``(n_post,)``."""
    channels = channels_of_entries(conv)
    summed = np.bincount(channels, values, minlength=conv.planar_kernel.shape[2])
    return np.asarray(summed[channels_of_neurons(conv)])


def by_channel(conv: Convolution, values: FloatArray) -> FloatArray | None:
    """Return one value per entry of the planar kernel from one per neuron; None where they differ.

    Args:
        conv: the convolution.
        values: ``(n_post,)``, the same for all neurons of a channel.
    """
    channels = channels_of_neurons(conv)
    first = np.zeros(conv.planar_kernel.shape[2])
    first[channels[::-1]] = np.asarray(values)[::-1]
    if not np.array_equal(first[channels], values):
        return None
    return np.asarray(first[channels_of_entries(conv)])
