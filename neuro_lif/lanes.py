"""Sorts synapses by source: those of one source and one delay follow each other, in a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import AT_ONCE, distinct, is_sparse, unchanging
from .lazy import sparse
from .memo import Memo

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lanes:
    """Synapses by source, then delay, then target, then as they were given.

    Args:
        n_pre: sources.
        starts: ``(n_pre * n_delays + 1,)`` where each lane starts.
        posts, values: one per synapse; posts are as narrow as they fit.
        delays: the different delays, ascending: lanes of a source are in their order.
        delay: of all synapses; None: that of their lanes.
    """

    n_pre: int
    starts: Array
    posts: Array
    values: Array
    delays: Array
    delay: int | None

    @property
    def row_start(self) -> Array:
        """Where the synapses of each source start, ``(n_pre + 1,)``."""
        return self.starts[:: self.delays.size]

    def segments(self) -> tuple[Array, Array, Array]:
        """Return (first segment of each source, first synapse of each segment, its delay).

        A segment is a lane that is not empty.
        """
        there = np.flatnonzero(np.diff(self.starts))
        start = np.append(self.starts[there], self.values.size).astype(offsets(self.values.size))
        delay = self.delays[there % self.delays.size]
        per_row = np.bincount(there // self.delays.size, minlength=self.n_pre)
        longest = int(self.delays.max(initial=0))
        return starts_of(per_row, there.size), start, delay.astype(narrowest(longest + 1))

    def spans(self, dtype: Any) -> tuple[Array, Array]:
        """Return the lowest and the highest value of every source's, 0 where it has none."""
        low, high = np.zeros((2, self.n_pre), dtype)
        full = np.flatnonzero(np.diff(self.row_start))
        if full.size:
            first = self.row_start[full]
            low[full] = np.minimum.reduceat(self.values, first)
            high[full] = np.maximum.reduceat(self.values, first)
        return low, high


def only_delay(delays: Any) -> int | None:
    """Return the delay of all synapses; None where there are several."""
    delays = np.asarray(delays)
    if delays.size == 0:
        return 0
    return int(delays.flat[0]) if (delays == delays.flat[0]).all() else None


def lanes_of(weights: Any, delays: Any) -> Lanes:
    """Return the synapses of weights ``(n_post, n_pre)``, dense or CSR, with their delays.

    Stored zeros of a CSR matrix are synapses, those of a dense one are not.
    """
    n_post, n_pre = weights.shape
    delays = np.asarray(delays)
    delay = only_delay(delays)
    if is_sparse(weights):
        indptr, pre, values = weights.indptr, weights.indices, weights.data
    else:
        dense = np.asarray(weights)
        post, pre = np.nonzero(dense)
        values = dense[post, pre]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(post, minlength=n_post))])
        if delay is None:
            delays = delays.reshape(dense.shape)[post, pre]
    late, (starts, posts, values) = _sorted(weights, indptr, pre, values,
                                            None if delay is not None else delays)  # fmt: skip
    return Lanes(n_pre, starts, posts, values, late, delay)


@dataclass(frozen=True)
class _Order:
    """In which order the synapses of a CSR matrix become lanes; those of another may share it.

    Args:
        of: shape, row starts and delays (None: one for all) of the matrix.
        delays: the different delays.
        parts: of :func:`_by_lane`, with the places of the synapses for their values; None: not
            worked out.
    """

    of: tuple[Any, ...]
    delays: Array
    parts: tuple[Array, Array, Array] | None

    def fits(self, of: tuple[Any, ...]) -> bool:
        """Tell whether a matrix has the same synapses, as far as they are the same arrays."""
        return self.of[0] == of[0] and self.of[1] is of[1] and self.of[2] is of[2]


_orders: Memo[_Order] = Memo()
"""By the columns of the matrix, which matrices of other values share."""


def _sorted(
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
        return known.delays, (starts, posts, values[order])
    if delays is None or not values.size:
        late, found = np.zeros(1, np.int64), pre
    else:
        delays = np.broadcast_to(delays, values.shape)
        late = distinct(delays)
        found = _lane_of(pre, delays, late, n_pre)
    size = n_pre * late.size
    if columns is not None:
        parts = None  # the first matrix may be the last
        if known is not None:
            parts = _by_lane(indptr, found, np.arange(values.size), n_post, size)
        _orders.keep(columns, _Order(of, late, parts))
        if parts is not None:
            return late, (parts[0], parts[1], values[parts[2]])
    return late, _by_lane(indptr, found, values, n_post, size)


def _by_lane(
    indptr: Array, lane: Array, values: Array, n_post: int, n_lanes: int
) -> tuple[Array, Array, Array]:
    """Return (where each lane starts, post, value): by lane, then by post, then as given."""
    by_post = sparse.csr_matrix((values, lane, indptr), shape=(n_post, n_lanes))
    by_lane = by_post.tocsc()  # counts and puts in place: it sorts nothing, and moves all once
    return by_lane.indptr, by_lane.indices.astype(narrowest(n_post)), by_lane.data


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


def narrowest(n: int) -> Any:
    """Return the type that holds whole numbers below ``n`` and that the kernel reads."""
    return np.uint16 if n <= 2**16 else np.uint32


def offsets(n: int) -> Any:
    """Return the type of places among ``n`` synapses."""
    return np.uint32 if n < 2**32 else np.int64


def starts_of(counts: Array, n: int) -> Array:
    """Return where each group starts, and where the last one ends, of ``n`` in all."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(offsets(n))
