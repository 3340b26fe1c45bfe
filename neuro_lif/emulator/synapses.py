"""Packs synapses as the kernel reads them: rows by presynaptic neuron, as narrow as they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import AT_ONCE, distinct, entries, is_sparse, row_sums, unchanging
from ..lazy import sparse
from ..memo import Memo

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
    delays = np.asarray(delays)
    one_delay = delays.size == 0 or (delays == delays.flat[0]).all()
    delay = int(delays.flat[0]) if delays.size and one_delay else 0
    if is_sparse(weights):
        indptr, pre, values = weights.indptr, weights.indices, weights.data
    else:
        dense = np.asarray(weights)
        if (
            one_delay
            and whole
            and dense.size
            and np.count_nonzero(dense) >= DENSE_FROM * dense.size
        ):
            return _dense(dense, delay)
        post, pre = np.nonzero(dense)
        values = dense[post, pre]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(post, minlength=n_post))])
        if not one_delay:
            delays = delays.reshape(dense.shape)[post, pre]
    lanes, by_lane = _lanes(weights, indptr, pre, values, None if one_delay else delays)
    reach = int(row_sums(weights, entries(weights)).max(initial=0))
    return _sparse(by_lane, lanes, delay if one_delay else None, (n_post, n_pre), reach, whole)


@dataclass(frozen=True)
class _Order:
    """In which order the synapses of a CSR matrix become rows; those of another may share it.

    Args:
        of: shape, row starts and delays (None: one for all) of the matrix.
        lanes: the different delays.
        parts: of :func:`_by_lane`, with the places of the synapses for their values; None: not
            worked out.
    """

    of: tuple[Any, ...]
    lanes: Array
    parts: tuple[Array, Array, Array] | None

    def fits(self, of: tuple[Any, ...]) -> bool:
        """Tell whether a matrix has the same synapses, as far as they are the same arrays."""
        return self.of[0] == of[0] and self.of[1] is of[1] and self.of[2] is of[2]


_orders: Memo[_Order] = Memo()
"""By the columns of the matrix, which matrices of other values share."""


def _lanes(
    weights: Any, indptr: Array, pre: Array, values: Array, delays: Array | None
) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return the different delays and the synapses by lane; quick where only values are others."""
    n_post, n_pre = weights.shape
    of = (weights.shape, indptr, delays)
    columns = pre if is_sparse(weights) and unchanging(pre) and unchanging(indptr) else None
    known = None if columns is None else _orders.get(columns)
    known = known if known is not None and known.fits(of) else None
    if known is not None and known.parts is not None:
        starts, posts, order = known.parts
        return known.lanes, (starts, posts, values[order])
    if delays is None or not values.size:
        lanes, found = np.zeros(1, np.int64), pre
    else:
        delays = np.broadcast_to(delays, values.shape)
        lanes = distinct(delays)
        found = _lane_of(pre, delays, lanes, n_pre)
    size = n_pre * lanes.size
    if columns is not None:
        parts = None  # the first matrix may be the last
        if known is not None:
            parts = _by_lane(indptr, found, np.arange(values.size), n_post, size)
        _orders.keep(columns, _Order(of, lanes, parts))
        if parts is not None:
            return lanes, (parts[0], parts[1], values[parts[2]])
    return lanes, _by_lane(indptr, found, values, n_post, size)


def _lane_of(pre: Array, delays: Array, lanes: Array, n_pre: int) -> Array:
    """Return the number of each synapse's row and delay, rows first, a part at a time."""
    out = np.empty(pre.size, np.int32 if n_pre * lanes.size < 2**31 else np.int64)
    number = np.zeros(int(lanes[-1] - lanes[0]) + 1, np.int64)
    number[lanes - lanes[0]] = np.arange(lanes.size)
    for first in range(0, pre.size, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        late = number[delays[part].astype(np.int64) - lanes[0]]
        out[part] = pre[part].astype(np.int64) * lanes.size + late
    return out


def _by_lane(
    indptr: Array, lane: Array, values: Array, n_post: int, n_lanes: int
) -> tuple[Array, Array, Array]:
    """Return (where each lane starts, post, value): by lane, then by post, then as given."""
    by_post = sparse.csr_matrix((values, lane, indptr), shape=(n_post, n_lanes))
    by_lane = by_post.tocsc()  # counts and puts in place: it sorts nothing, and moves all once
    return by_lane.indptr, by_lane.indices.astype(_narrow(n_post)), by_lane.data


def _narrow(n: int) -> Any:
    return np.uint16 if n <= 2**16 else np.uint32


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


def _sparse(
    lanes: tuple[Array, Array, Array], delays: Array, delay: int | None, shape: tuple[int, int],
    reach: int, may_be_by_row: bool,
) -> Rows:  # fmt: skip
    """Return the rows of synapses that come by lane: by source, and in it by delay.

    Args:
        lanes: of :func:`_by_lane`; posts are as narrow as the kernel reads them.
        delays: the different delays; lanes of a source are in their order.
        delay: of all synapses; None: that of their lanes.
        shape: ``(n_post, n_pre)``.
        reach: as of :class:`Rows`.
        may_be_by_row: whether one weight may stand for a row.
    """
    (starts, posts, values), (n_post, n_pre) = lanes, shape
    same = values.size > 0 and bool((values == values[0]).all())
    stored, shift, weight = None, 0, int(values[0]) if same else 0
    low, high = _row_spans(values, starts[:: delays.size])
    by_row = may_be_by_row and not same and bool((low == high).all())
    if by_row:
        stored, shift = packed_weights(low)
    elif not same:
        stored, shift = packed_weights(values)
    elif abs(weight) >= 2**31:
        raise OverflowError("a weight does not fit 32 bits")
    most = np.maximum(np.abs(low), np.abs(high))
    if delay is not None:
        offsets = starts.astype(_offsets(values.size))
        return Rows(n_pre, n_post, stored, weight, shift, delay, posts, offsets, None, None, reach,
                    most, by_row)  # fmt: skip
    there = np.flatnonzero(np.diff(starts))
    segment_start = np.append(starts[there], values.size).astype(_offsets(values.size))
    segment_delay = delays[there % delays.size].astype(_narrow(int(delays.max(initial=0)) + 1))
    per_row = np.bincount(there // delays.size, minlength=n_pre)
    return Rows(n_pre, n_post, stored, weight, shift, 0, posts, _starts(per_row, there.size),
                segment_start, segment_delay, reach, most, by_row)  # fmt: skip


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
            rows, delay=d, posts=rows.posts[mine], row_start=_starts(counts, int(mine.sum())),  # type: ignore[index]
            weights=rows.weights if rows.weights is None or rows.by_row else rows.weights[mine],
            segment_start=None, segment_delay=None,
        ))  # fmt: skip
    return parts or [rows]


def _row_spans(values: Array, starts: Array) -> tuple[Array, Array]:
    """Return the lowest and the highest weight of every row, 0 where it is empty."""
    low, high = np.zeros((2, len(starts) - 1), np.int64)
    full = np.flatnonzero(np.diff(starts))
    if full.size:
        low[full] = np.minimum.reduceat(values, starts[full])
        high[full] = np.maximum.reduceat(values, starts[full])
    return low, high


def _offsets(n: int) -> Any:
    return np.uint32 if n < 2**32 else np.int64


def _starts(counts: Array, n: int) -> Array:
    return np.concatenate([[0], np.cumsum(counts)]).astype(_offsets(n))
