"""Carries spikes through one projection: weights, delays, exponent; numpy and scipy only.

Used by the numpy integer emulator and by the Lava processes (int64). Float weights are carried as
well, but their sums have no defined order: the float reference has ``reference/arrivals.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .lazy import is_sparse, sparse

Array = npt.NDArray[Any]
EXACT = 2.0**53
"""Integers up to this size are exact in float64."""


class Carrier:
    """One projection's synapses, ready to be stepped.

    Args:
        weights: ``(n_post, n_pre)`` dense or CSR.
        delays: whole steps, a scalar array or one per stored weight.
        latency: steps between emission and the soonest arrival, 0 or 1.
        finish: applied to each arrival sum ``(batch, n_delays, n_post)``: exponent and overflow.
        store: applied to the ring buffer after adding to it.
    """

    def __init__(
        self,
        weights: Any,
        delays: Array,
        latency: int,
        batch: int,
        finish: Callable[[Array], Array] | None = None,
        store: Callable[[Array], Array] | None = None,
    ) -> None:
        self.latency, self.finish, self.store = latency, finish, store
        self.n_post, self.n_pre = weights.shape
        self.delays = (
            np.unique(delays).astype(np.int64) if np.size(delays) else np.zeros(1, np.int64)
        )
        dtype = weights.dtype
        self.dense: Array | None = None
        self.stacked: Any = None
        if not is_sparse(weights) and len(self.delays) == 1:
            self.dense = np.ascontiguousarray(np.asarray(weights).T)
            self.real = self.dense.astype(np.float64) if dtype.kind == "i" else None
            largest = float(np.abs(self.dense).sum(axis=0).max(initial=0))
            self.real_limit = EXACT / max(largest, 1.0)
        else:
            self.stacked = _stack(weights, delays, self.delays)
        self.ring = np.zeros((int(self.delays.max()) + latency + 1, batch, self.n_post), dtype)
        self.dtype = dtype

    def emit(self, t: int, spikes: Array) -> None:
        """Take the spikes ``(batch, n_pre)`` of step ``t`` into the ring buffer."""
        if not spikes.any():
            return
        sums = self._sums(spikes)
        if self.finish is not None:
            sums = self.finish(sums)
        slots = (t + self.latency + self.delays) % len(self.ring)
        for k, slot in enumerate(slots):
            self.ring[slot] += sums[:, k]
            if self.store is not None:
                self.ring[slot] = self.store(self.ring[slot])

    def arriving(self, t: int) -> Array:
        """Return what arrives in step ``t`` and empty that slot."""
        slot = t % len(self.ring)
        out: Array = self.ring[slot].copy()
        self.ring[slot] = 0
        return out

    def _sums(self, spikes: Array) -> Array:
        if self.dense is None:
            product = sparse.csr_matrix(spikes.astype(self.dtype)) @ self.stacked
            return np.asarray(product.toarray()).reshape(len(spikes), len(self.delays), self.n_post)
        return self._dense_sums(spikes, self.dense)[:, None, :]

    def _dense_sums(self, spikes: Array, dense: Array) -> Array:
        if len(spikes) == 1:
            active = np.flatnonzero(spikes[0])
            return np.asarray((spikes[0, active].astype(self.dtype) @ dense[active])[None])
        if self.real is None:
            return np.asarray(spikes.astype(self.dtype) @ dense)
        if np.abs(spikes).max() < self.real_limit:  # exact, and float64 has a fast product
            return (spikes.astype(np.float64) @ self.real).astype(np.int64)
        return np.asarray(spikes.astype(np.int64) @ dense)


def _stack(weights: Any, delays: Array, distinct: Array) -> Any:
    """Return a CSR matrix ``(n_pre, n_delays * n_post)``, one block of columns per delay."""
    n_post, n_pre = weights.shape
    if hasattr(weights, "indptr"):  # CSR
        post = np.repeat(np.arange(n_post), np.diff(weights.indptr))
        pre, values = weights.indices, weights.data
    else:
        post, pre = np.divmod(np.arange(n_post * n_pre), n_pre)
        values = np.asarray(weights).ravel()
    block = np.searchsorted(distinct, np.broadcast_to(delays, values.shape))
    columns = block * n_post + post
    shape = (n_pre, len(distinct) * n_post)
    stacked = sparse.csr_matrix((values, (pre, columns)), shape=shape)
    stacked.sort_indices()
    return stacked
