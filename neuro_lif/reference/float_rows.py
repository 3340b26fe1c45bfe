"""Packs synapses as the float engine of the kernel reads them: rows by presynaptic neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..lanes import lanes_of, offsets, only_delay
from ..lazy import is_sparse

Array = npt.NDArray[Any]

DENSE_FROM = 0.25
"""Rows with a larger share of non-zero weights are added whole: zeros change no sum."""


@dataclass(frozen=True)
class FloatRows:
    """Synapses of one projection.

    Args:
        n_pre: sources.
        dense: ``(n_pre, n_post)`` and padding; None: sparse rows, which the rest describes.
        posts: one per synapse.
        weights: one per synapse, or (``by_row``) one per source; None: all are ``weight``. Of four
            bytes where that loses nothing.
        weight: what all weights are.
        by_row: the synapses of a source have one weight.
        delay: of all synapses, where ``segment_start`` is None.
        row_start: ``(n_pre + 1,)`` into the synapses, or into the segments where there are any.
        segment_start, segment_delay: synapses of one source and one delay follow each other.
    """

    n_pre: int
    dense: Array | None = None
    posts: Array | None = None
    weights: Array | None = None
    weight: float = 0.0
    by_row: bool = False
    delay: int = 0
    row_start: Array | None = None
    segment_start: Array | None = None
    segment_delay: Array | None = None


def float_rows(weights: Any, delays: Any, multiple: int) -> FloatRows:
    """Return the rows of weights ``(n_post, n_pre)``, dense or CSR, with their delays.

    Args:
        weights, delays: of a projection.
        multiple: dense rows are padded with zeros to a multiple of it.
    """
    n_post, n_pre = weights.shape
    delay = only_delay(delays)
    if delay is not None and not is_sparse(weights):
        dense = np.asarray(weights, np.float64)
        if dense.size and np.count_nonzero(dense) >= DENSE_FROM * dense.size:
            padded = np.zeros((n_pre, -(-n_post // multiple) * multiple))
            padded[:, :n_post] = dense.T
            return FloatRows(n_pre, _narrowed(padded), delay=delay)
    lanes = lanes_of(weights, delays)
    values = np.asarray(lanes.values, np.float64)
    low, high = lanes.spans(np.float64)
    by_row = bool((low == high).all())
    stored: Array | None = low if by_row else values
    weight = 0.0
    if values.size == 0 or (values == values[0]).all():
        stored, weight, by_row = None, float(values[0]) if values.size else 0.0, False
    starts: tuple[Array, Array | None, Array | None]
    if lanes.delay is not None:
        starts = (lanes.starts.astype(offsets(values.size)), None, None)
    else:
        starts = lanes.segments()
    return FloatRows(
        n_pre, None, lanes.posts, None if stored is None else _narrowed(stored), weight, by_row,
        lanes.delay or 0, *starts,
    )  # fmt: skip


def _narrowed(values: Array) -> Array:
    """Return the same numbers in four bytes each, where that loses nothing."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values) else np.ascontiguousarray(values)
