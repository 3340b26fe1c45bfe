"""Packs a convolution as the kernel reads it: its weights once, and where each place leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..convolution import Axis, Convolution
from ..fixed import FixedNetwork, FixedProjection
from ..stored import kernel_stages
from .synapses import packed_weights

Array = npt.NDArray[Any]

SPARE = 256
"""So many zeros follow the weights, as the kernel reads whole vectors."""

INT16 = 2**15 - 1


@dataclass(frozen=True)
class Taps:
    """The synapses of one convolution.

    Weights are ``(channel in, kernel row, place in the row, channel out of the group)``. Places of
    a kernel row are in an order in which those that one spike uses lie together wherever the places
    of the output do, that of rising places of the output.

    Args:
        shape: channels in, places in (two), groups, places out (two), channels out.
        channels_first: neurons are numbered channel by channel.
        weights: flat, and ``SPARE`` zeros.
        shift: the kernel multiplies stored weights by ``2 ** shift``.
        delay: of all synapses.
        tap_start, taps: by first coordinate of the input: (offset of the weights, row of the
            output, offset in a plane of sums).
        run_start, runs: by second coordinate: (offset of the weights, offset in a row of sums, how
            many follow each other).
        narrow: what arrives in one step fits 16 bits, as the weights are stored.
        reach: largest sum of magnitudes that any neuron receives if all synapses are active.
        row_most: ``(n_pre,)`` a bound of the magnitudes of each neuron's weights; only if graded.
    """

    shape: tuple[int, ...]
    channels_first: bool
    weights: Array
    shift: int
    delay: int
    tap_start: Array
    taps: Array
    run_start: Array
    runs: Array
    narrow: bool
    reach: int
    row_most: Array
    n_delays: int = 1
    segment_start: None = None


def taps_of(fixed: FixedNetwork, p: FixedProjection) -> Taps | None:
    """Return a convolution as the kernel reads it; None where it has to be a matrix.

    That is: it is none, was given as a matrix beside it, or its synapses have several delays.
    """
    delays = np.asarray(p.delays)
    if p.convolution is None or not p.is_folded:
        return None
    if delays.size and (delays != delays.flat[0]).any():
        return None
    return _taps(
        p.convolution, kernel_stages(fixed.profile, p, p.convolution).delivered, bool(p.graded),
        int(delays.flat[0]) if delays.size else 0,
    )  # fmt: skip


def _taps(convolution: Convolution, kernel: Array, graded: bool, delay: int) -> Taps:
    kernel = np.where(convolution.uses() > 0, kernel, 0)
    stored, shift = packed_weights(kernel)
    n_rows, n_places, n_out, n_in = kernel.shape
    groups, (first, second) = convolution.groups, convolution.axes
    each_out, order = n_out // groups, _order(second)
    by_group = stored[:, order].reshape(n_rows, n_places, groups, each_out, n_in)
    flat = np.ascontiguousarray(by_group.transpose(2, 4, 0, 1, 3)).ravel()
    tap_start, taps = _rows(first, n_places * each_out, second.n_out * each_out)
    run_start, runs = _runs(second, order, each_out)
    reach = int(convolution.largest_sum(kernel))
    channels_first = convolution.layout == "torch"
    return Taps(
        (groups * n_in, first.n_in, second.n_in, groups, first.n_out, second.n_out, n_out),
        channels_first, np.concatenate([flat, np.zeros(SPARE, flat.dtype)]), shift, delay,
        tap_start, taps, run_start, runs, not graded and reach >> shift <= INT16, reach,
        _row_most(convolution, kernel) if graded else np.zeros(0, np.int64),
    )  # fmt: skip


def _order(axis: Axis) -> Array:
    """Return the taps of a direction as they are stored: those that one input place uses together.

    These are the same modulo the stride; the later the tap, the earlier its place of the output.
    """
    tap = np.arange(axis.taps)
    return np.asarray(np.lexsort((-tap, tap * axis.dilation % axis.stride)))


def _leads(axis: Axis) -> tuple[Array, Array, Array]:
    """Return (place of the input, tap, place of the output), by input and then output."""
    tap, out = np.nonzero(axis.inside())
    place = axis.place(out, tap)
    order = np.lexsort((out, place))
    return place[order], tap[order], out[order]


def _rows(axis: Axis, weight_pitch: int, sum_pitch: int) -> tuple[Array, Array]:
    place, tap, out = _leads(axis)
    table = np.stack([tap * weight_pitch, out, out * sum_pitch], 1)
    return _starts(place, axis.n_in), np.ascontiguousarray(table, np.int32)


def _runs(axis: Axis, order: Array, channels: int) -> tuple[Array, Array]:
    place, tap, out = _leads(axis)
    stored = np.argsort(order)[tap]
    first = np.ones(place.size, np.bool_)
    first[1:] = (np.diff(place) != 0) | (np.diff(out) != 1) | (np.diff(stored) != 1)
    at = np.flatnonzero(first)
    length = np.diff(np.append(at, place.size))
    table = np.stack([stored[at], out[at], length], 1) * channels
    return _starts(place[at], axis.n_in), np.ascontiguousarray(table, np.int32)


def _starts(place: Array, n: int) -> Array:
    counts = np.bincount(place, minlength=n)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)


def _row_most(convolution: Convolution, kernel: Array) -> Array:
    """Return the largest magnitude of each input channel, for every neuron of it."""
    groups, n_in = convolution.groups, kernel.shape[3]
    by_group = np.abs(kernel).reshape(*kernel.shape[:2], groups, -1, n_in)
    most = by_group.max(axis=(0, 1, 3)).ravel()
    shape = convolution.input_shape
    by_plane = most[:, None, None] if convolution.layout == "torch" else most
    return np.ascontiguousarray(np.broadcast_to(by_plane, shape).ravel(), np.int64)
