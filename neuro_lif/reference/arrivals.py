"""Spikes on their way in the numpy engine of the float reference, added up in one defined order.

What arrives at a receptor in a step is one running sum that begins at 0.0. It is added to spike by
spike: by the step in which spikes were sent; in it by sender (inputs in their order, then
populations in theirs) and projection; then by presynaptic neuron; then as the synapses are stored.
A spike adds ``count * weight``, rounded, and nothing else is rounded before it is added.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..convolution import Convolution
from ..discretize import SteppedProjection
from ..lanes import Lanes, lanes_of, only_delay
from ..lazy import is_sparse, sparse
from .folded import Fan

Array = npt.NDArray[Any]


class Receptor:
    """What is on its way to one receptor of a population.

    Args:
        n_slots: longest delay and latency, and 1.
        batch: samples.
        size: neurons.
    """

    def __init__(self, n_slots: int, batch: int, size: int) -> None:
        self.ring = np.zeros((n_slots, batch, size))

    def slot(self, step: Any) -> Any:
        """Return where the sums of a step are."""
        return step % len(self.ring)

    def arriving(self, t: int) -> Array:
        """Return what arrives in step ``t`` ``(batch, n)``, and empty that slot."""
        slot = self.slot(t)
        out: Array = self.ring[slot].copy()
        self.ring[slot] = 0.0
        return out


class Synapses:
    """One projection, ready to add to the receptor it leads to.

    Args:
        projection: the projection.
        receptor: where its spikes arrive.
    """

    def __init__(self, projection: SteppedProjection, receptor: Receptor) -> None:
        self.pre, self.latency = projection.pre, projection.latency
        self.receptor = receptor
        delay = only_delay(projection.delays)
        self.dense: Array | None = None
        self.lanes: Lanes | None = None
        self.fan: Fan | None = None
        weights = projection.weights
        self.delay = delay or 0
        if delay is not None and isinstance(weights, Convolution):
            self.fan = Fan(weights)
        elif delay is not None and not is_sparse(weights):
            self.dense = np.ascontiguousarray(np.asarray(weights).T)
        else:
            self.lanes = lanes_of(projection.matrix, projection.delays)

    def emit(self, t: int, counts: Array) -> None:
        """Take the spikes ``(batch, n_pre)`` of step ``t``."""
        sample, pre = np.nonzero(counts)  # by sample, then by neuron
        if not pre.size:
            return
        values = counts[sample, pre].astype(np.float64)
        if self.dense is not None:
            slot = self.receptor.slot(t + self.latency + self.delay)
            ring = self.receptor.ring
            ring[slot] = _with_rows(ring[slot], self.dense, sample, pre, values)
        elif self.fan is not None:
            out = self.receptor.ring[self.receptor.slot(t + self.latency + self.delay)]
            for spike, post, weight in self.fan.synapses(pre):
                place = sample[spike] * out.shape[1] + post
                np.add.at(out.reshape(-1), place, values[spike] * weight)
        elif self.lanes is not None:
            self._add_entries(self.lanes, t, sample, pre, values)

    def _add_entries(self, lanes: Lanes, t: int, sample: Array, pre: Array, values: Array) -> None:
        """Add stored synapses one by one (``np.add.at`` takes them in their order)."""
        first, last = lanes.row_start[pre], lanes.row_start[pre + 1]
        length = (last - first).astype(np.int64)
        spike = np.repeat(np.arange(pre.size), length)
        entry = np.arange(spike.size) - (np.cumsum(length) - length)[spike] + first[spike]
        lane = np.searchsorted(lanes.starts, entry, "right") - 1
        delay = lanes.delays[lane % lanes.delays.size] if lanes.delay is None else lanes.delay
        slot = self.receptor.slot(t + self.latency + delay)
        ring = self.receptor.ring
        _, batch, size = ring.shape
        place = (slot * batch + sample[spike]) * size + lanes.posts[entry]
        np.add.at(ring.reshape(-1), place, values[spike] * lanes.values[entry])


def _with_rows(start: Array, dense: Array, sample: Array, pre: Array, values: Array) -> Array:
    """Return ``start`` ``(batch, n)`` and, row after row, ``values * dense[pre]`` of each sample.

    scipy's product of a CSR and a dense matrix adds the rows in the order of the stored entries;
    those of BLAS, and numpy's sums, have no such order.
    """
    batch = len(start)
    if (values == 1).all() and pre.size > len(dense):
        rows, place = dense, pre
    else:
        rows, place = values[:, None] * dense[pre], np.arange(pre.size)
    ends = np.searchsorted(sample, np.arange(batch), "right")
    indices = np.insert(place + batch, np.concatenate([[0], ends[:-1]]), np.arange(batch))
    indptr = np.concatenate([[0], ends + np.arange(1, batch + 1)])
    shape = (batch, batch + len(rows))
    chosen = sparse.csr_matrix((np.ones(indices.size), indices, indptr), shape=shape)
    return np.asarray(chosen @ np.concatenate([start, rows]))
