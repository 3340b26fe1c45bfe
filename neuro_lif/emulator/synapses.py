"""Packs synapses as the kernel reads them: rows by presynaptic neuron, as narrow as they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..lazy import is_sparse

Array = npt.NDArray[Any]

ROWS = (16, 32, 64)
"""Dense rows are padded with zeros to one of these, or to a multiple of the last."""

DENSE_FROM = 0.25
"""Rows with a larger share of non-zero weights are added whole."""


@dataclass(frozen=True)
class Rows:
    """Synapses of one projection.

    Args:
        n_pre, n_post: sizes.
        weights: dense ``(n_pre, n_post)`` and padding, or one per synapse, or None where all are
            ``weight``.
        weight: what all weights are.
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
    if one_delay and whole and not is_sparse(weights):
        dense = np.asarray(weights)
        if np.count_nonzero(dense) >= DENSE_FROM * dense.size and dense.size:
            return _dense(dense, delay)
    if is_sparse(weights):
        post = np.repeat(np.arange(n_post, dtype=_narrow(n_post)), np.diff(weights.indptr))
        pre, values = weights.indices, weights.data
        if not one_delay:
            delays = np.broadcast_to(delays, values.shape)
    else:
        post, pre = np.nonzero(weights)
        values = np.asarray(weights)[post, pre]
        if not one_delay:
            delays = delays.reshape(weights.shape)[post, pre]
    return _sparse(post, pre, values, delays, one_delay, delay, n_pre, n_post)


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
    stored, shift = packed_weights(weights)
    reach = int(np.abs(weights).sum(axis=1).max(initial=0))
    most = np.abs(weights).max(axis=0, initial=0)
    row = next((length for length in ROWS if n_post <= length), ROWS[-1])
    padded = np.zeros((n_pre, -(-n_post // row) * row), stored.dtype)
    padded[:, :n_post] = stored.T
    return Rows(n_pre, n_post, padded, 0, shift, delay, None, None, None, None, reach,
                np.ascontiguousarray(most, np.int64))  # fmt: skip


def _sparse(
    post: Array, pre: Array, values: Array, delays: Array, one_delay: bool, delay: int,
    n_pre: int, n_post: int,
) -> Rows:  # fmt: skip
    magnitude = np.abs(values)
    reach = int(np.bincount(post, magnitude, n_post).max(initial=0))
    most = np.zeros(n_pre, np.int64)
    np.maximum.at(most, pre, magnitude)
    keys = (pre,) if one_delay else (delays, pre)
    # the entries come by post, and a stable sort keeps them so within a row
    order = np.lexsort(keys) if len(keys) > 1 else np.argsort(pre, kind="stable")
    posts = np.ascontiguousarray(post[order], _narrow(n_post))
    counts = np.bincount(pre, minlength=n_pre)
    same = values.size > 0 and (values == values[0]).all()
    stored: Array | None = None
    shift = 0
    if not same:
        stored, shift = packed_weights(values[order])
    elif abs(int(values[0])) >= 2**31:
        raise OverflowError("a weight does not fit 32 bits")
    weight = int(values[0]) if same else 0
    starts = _starts(counts, values.size)
    if one_delay:
        return Rows(n_pre, n_post, stored, weight, shift, delay, posts, starts, None, None, reach,
                    most)  # fmt: skip
    sorted_pre, sorted_delay = pre[order], delays[order]
    first = np.ones(values.size, np.bool_)
    first[1:] = (np.diff(sorted_pre) != 0) | (np.diff(sorted_delay) != 0)
    begins = np.flatnonzero(first)
    segment_start = np.append(begins, values.size).astype(_offsets(values.size))
    segment_delay = sorted_delay[begins].astype(_narrow(int(sorted_delay.max(initial=0)) + 1))
    per_row = np.bincount(sorted_pre[begins], minlength=n_pre)
    return Rows(n_pre, n_post, stored, weight, shift, 0, posts, _starts(per_row, begins.size),
                segment_start, segment_delay, reach, most)  # fmt: skip


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
            weights=None if rows.weights is None else rows.weights[mine],
            segment_start=None, segment_delay=None,
        ))  # fmt: skip
    return parts or [rows]


def _offsets(n: int) -> Any:
    return np.uint32 if n < 2**32 else np.int64


def _starts(counts: Array, n: int) -> Array:
    return np.concatenate([[0], np.cumsum(counts)]).astype(_offsets(n))
