"""Packs synapses as the kernel reads them: rows by presynaptic neuron, as narrow as they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import entries, is_sparse, row_sums
from ..lanes import Lanes, lanes_of, offsets, only_delay, starts_of

Array = npt.NDArray[Any]

ROWS = (16, 32, 64)
"""Dense rows are padded with zeros to one of these, or to a multiple of the last."""

DENSE_FROM = 0.25
"""Rows with a larger share of non-zero weights are added whole."""

BITS_FROM = 32
"""Rows are kept as bits where at least one in so many is set, ..."""

BITS_POSTS = 512
"""... that are so long, ..."""

BITS_WEIGHTS = 4
"""... and have at most so many different weights, each of which takes a pass of its own."""


@dataclass(frozen=True)
class Rows:
    """Synapses of one projection.

    Args:
        n_pre, n_post: sizes.
        weights: dense ``(n_pre, n_post)`` and padding, or one per synapse, or (``by_row``) one per
            row, or None where all are ``weight``.
        weight: what all weights are.
        by_row: the synapses of a row have one weight.
        shift: the kernel multiplies stored weights by ``2 ** shift``.
        delay: of all synapses, where ``segment_start`` is None.
        posts: one per synapse; None: dense.
        row_start: ``(n_pre + 1,)`` into the synapses, or into the segments where there are any.
        segment_start, segment_delay: synapses of one row and one delay follow each other.
        reach: largest sum of magnitudes that any neuron receives if all synapses are active.
        row_most: ``(n_pre,)`` largest magnitude of each row.
    """

    n_pre: int
    n_post: int
    weights: Array | None
    weight: int
    shift: int
    delay: int
    posts: Array | None
    row_start: Array | None
    segment_start: Array | None
    segment_delay: Array | None
    reach: int
    row_most: Array
    by_row: bool = False

    @property
    def n_synapses(self) -> int:
        """Number of synapses, zeros of whole rows among them."""
        return self.n_pre * self.n_post if self.posts is None else self.posts.size

    @cached_property
    def n_delays(self) -> int:
        """Number of different delays, or 1."""
        return 1 if self.segment_delay is None else max(len(np.unique(self.segment_delay)), 1)


def rows_of(weights: Any, delays: Any, whole: bool = True) -> Rows:
    """Return the rows of weights ``(n_post, n_pre)``, dense or CSR, with their delays.

    Args:
        weights, delays: of a projection; stored zeros are synapses.
        whole: whether rows with few zeros may be kept whole, zeros among them.
    """
    n_post, n_pre = weights.shape
    delay = only_delay(delays)
    if not is_sparse(weights):
        dense = np.asarray(weights)
        enough = np.count_nonzero(dense) >= DENSE_FROM * dense.size
        if delay is not None and whole and dense.size and enough:
            return _dense(dense, delay)
    reach = int(row_sums(weights, entries(weights)).max(initial=0))
    return _sparse(lanes_of(weights, delays), n_post, reach, whole)


def packed_weights(values: Array) -> tuple[Array, int]:
    """Return whole numbers as narrow as they fit, divided by a power of two, and which."""
    flat = values.ravel()
    low, high = (int(flat.min()), int(flat.max())) if flat.size else (0, 0)
    if low < -(2**31) or high >= 2**31:
        raise OverflowError("a weight does not fit 32 bits")
    bits = int(np.bitwise_or.reduce(flat)) if flat.size else 0
    shift = (bits & -bits).bit_length() - 1 if bits else 0
    shift = max(min(shift, 30), 0)
    for dtype in (np.int8, np.int16, np.int32):
        info = np.iinfo(dtype)
        least = 0 if info.min <= low and high <= info.max else shift
        if info.min <= low >> least and high >> least <= info.max:
            return np.right_shift(values, least).astype(dtype), least
    raise OverflowError("a weight does not fit 32 bits")


def _dense(weights: Array, delay: int) -> Rows:
    n_post, n_pre = weights.shape
    weights = weights.astype(np.int64, copy=False)
    stored, shift = packed_weights(weights)
    reach = int(np.abs(weights).sum(axis=1).max(initial=0))
    most = np.abs(weights).max(axis=0, initial=0)
    row = next((length for length in ROWS if n_post <= length), ROWS[-1])
    padded = np.zeros((n_pre, -(-n_post // row) * row), stored.dtype)
    padded[:, :n_post] = stored.T
    return Rows(n_pre, n_post, padded, 0, shift, delay, None, None, None, None, reach,
                np.ascontiguousarray(most, np.int64))  # fmt: skip


def _sparse(lanes: Lanes, n_post: int, reach: int, may_be_by_row: bool) -> Rows:
    """Return the rows of synapses that come by lane.

    Args:
        lanes: the synapses.
        n_post: targets.
        reach: as of :class:`Rows`.
        may_be_by_row: whether one weight may stand for a row.
    """
    posts, values, n_pre = lanes.posts, lanes.values, lanes.n_pre
    same = values.size > 0 and bool((values == values[0]).all())
    stored, shift, weight = None, 0, int(values[0]) if same else 0
    low, high = lanes.spans(np.int64)
    by_row = may_be_by_row and not same and bool((low == high).all())
    if by_row:
        stored, shift = packed_weights(low)
    elif not same:
        stored, shift = packed_weights(values)
    elif abs(weight) >= 2**31:
        raise OverflowError("a weight does not fit 32 bits")
    most = np.maximum(np.abs(low), np.abs(high))
    if lanes.delay is not None:
        starts = lanes.starts.astype(offsets(values.size))
        return Rows(n_pre, n_post, stored, weight, shift, lanes.delay, posts, starts, None, None,
                    reach, most, by_row)  # fmt: skip
    row_start, segment_start, segment_delay = lanes.segments()
    return Rows(n_pre, n_post, stored, weight, shift, 0, posts, row_start, segment_start,
                segment_delay, reach, most, by_row)  # fmt: skip


@dataclass(frozen=True)
class BitWeights:
    """Weights of rows that are kept as bits, one bit per neuron that a row may reach.

    Args:
        kinds: number of each row's weight; None: all have the first.
        weights: the different weights; empty where each synapse has its own.
        each: a byte for each synapse, divided by ``2 ** shift`` of the rows; or None.
    """

    kinds: Array | None
    weights: tuple[int, ...]
    each: Array | None


def bits_of(rows: Rows, expands: bool) -> BitWeights | None:
    """Tell how to keep rows as bits; None: too few synapses, too many weights, several delays.

    Args:
        rows: sparse or not.
        expands: whether the processor spreads a weight for each synapse quickly.
    """
    if rows.posts is None or rows.row_start is None or rows.segment_start is not None:
        return None
    if rows.n_post < BITS_POSTS or rows.posts.size * BITS_FROM < rows.n_post * rows.n_pre:
        return None
    if rows.weights is None:
        return BitWeights(None, (rows.weight,), None)
    if rows.by_row:
        full = np.diff(rows.row_start) > 0  # the weight of a row without synapses is no weight
        of_row = np.where(full, rows.weights, rows.weights[np.argmax(full)])
        values, kinds = np.unique(of_row, return_inverse=True)
        if len(values) > BITS_WEIGHTS:
            return None
        weights = tuple(int(v) << rows.shift for v in values)
        return BitWeights(kinds.reshape(-1).astype(np.uint8), weights, None)
    return BitWeights(None, (), rows.weights) if expands and rows.weights.itemsize == 1 else None


def by_delay(rows: Rows) -> list[Rows]:
    """Return the synapses of each delay by themselves."""
    if rows.segment_start is None or rows.segment_delay is None or rows.row_start is None:
        return [rows]
    length = np.diff(rows.segment_start.astype(np.int64))
    delay = np.repeat(rows.segment_delay, length)
    segments = np.diff(rows.row_start.astype(np.int64))
    pre = np.repeat(np.repeat(np.arange(rows.n_pre), segments), length)
    parts = []
    for d in np.unique(delay).tolist():
        mine = delay == d
        counts = np.bincount(pre[mine], minlength=rows.n_pre)
        parts.append(replace(
            rows, delay=d, posts=rows.posts[mine], row_start=starts_of(counts, int(mine.sum())),  # type: ignore[index]
            weights=rows.weights if rows.weights is None or rows.by_row else rows.weights[mine],
            segment_start=None, segment_delay=None,
        ))  # fmt: skip
    return parts or [rows]
