"""Carries events one by one, for models that do not add them up first (``each``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import IntArray, shift_array
from .oplist import Alias, Events

Array = npt.NDArray[Any]
Listener = Callable[[int, str, str, Array], None]
Arrived = tuple[IntArray, IntArray, IntArray, IntArray]
"""(sample, post, presynaptic index, weight) of events in order of arrival."""


class EventCarrier:
    """One projection's synapses into a port that takes events singly.

    Args:
        fixed: the network.
        p: the projection.
        batch: samples.
        cap: no neuron counts more often than this in one step; None: no limit.
        told: told of counts above the cap.
    """

    def __init__(
        self, fixed: FixedNetwork, p: FixedProjection, batch: int, cap: int | None, told: Listener
    ) -> None:
        self.cap, self.told, self.latency = cap, told, fixed.latency(p)
        weights = fixed.effective_weights(p)
        if hasattr(weights, "tocoo"):  # a stored zero is a synapse, and an event of weight 0
            coo = weights.tocoo()
            post, pre, values, stored = coo.row, coo.col, coo.data, np.arange(coo.data.size)
        else:
            post, pre = np.nonzero(weights)
            values, stored = weights[post, pre], post * weights.shape[1] + pre
        delays = np.asarray(p.delays, np.int64)
        delays = np.broadcast_to(delays, p.weights.size)[stored]  # CSR: of what is stored
        order = np.lexsort((-delays, pre))
        self.post, self.pre, self.delay = post[order], pre[order], delays[order]
        self.values, self.exponent = values[order], fixed.sum_exponent(p)
        longest = int(delays.max(initial=0)) + self.latency + 1
        self.past = np.zeros((longest, batch, p.weights.shape[1]), np.int64)

    def emit(self, t: int, counts: Array) -> None:
        """Take how often each neuron spiked in step ``t``, ``(batch, n_pre)``."""
        if self.cap is not None and (np.abs(counts) > self.cap).any():
            self.told(-1, "payload", "cap", np.abs(counts) > self.cap)
            counts = np.clip(counts, -self.cap, self.cap)
        self.past[t % len(self.past)] = counts

    def arriving(self, t: int) -> Arrived:
        """Return the events of step ``t`` in order of arrival."""
        emitted = t - self.latency - self.delay
        counts = self.past[emitted % len(self.past), :, self.pre]  # 0 before the first step
        synapse, sample = np.nonzero(counts)
        count = counts[synapse, sample]
        weight = shift_array(self.values[synapse] * np.sign(count), self.exponent)
        found = (sample, self.post[synapse], self.pre[synapse], weight)
        return tuple(np.repeat(part, np.abs(count)) for part in found)  # type: ignore[return-value]


def packed(events: dict[str, list[Arrived]], batch: int, size: int) -> dict[str, Events]:
    """Return the events of ports that are taken together, turn by turn.

    Returns:
        port -> weights ``(k, batch, size)`` and which of them there are.
    """
    if not events:
        return {}
    keys = {port: _keys(found, size) for port, found in events.items()}
    ends = np.cumsum([k.shape[1] for k in keys.values()])[:-1]
    every, which = np.unique(np.concatenate(list(keys.values()), 1), axis=1, return_inverse=True)
    turn = np.arange(every.shape[1]) - np.searchsorted(every[0], every[0])
    shape = (int(turn.max(initial=-1)) + 1, batch * size)
    unfolded = (shape[0], batch, size)
    out = {}
    for (port, found), mine in zip(events.items(), np.split(which.ravel(), ends), strict=True):
        weights, there = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        at = (turn[mine], every[0][mine])
        weights[at], there[at] = np.concatenate([part[3] for part in found]), True
        out[port] = (weights.reshape(unfolded), there.reshape(unfolded))
    return out


def _keys(found: list[Arrived], size: int) -> IntArray:
    """Return (neuron, projection of the port, presynaptic index, repetition) of events."""
    neuron = np.concatenate([sample * size + post for sample, post, _, _ in found])
    place = np.repeat(np.arange(len(found)), [part[0].size for part in found])
    pre = np.concatenate([part[2] for part in found])
    order = np.lexsort((pre, place, neuron))
    keys = np.stack([neuron, place, pre])[:, order]
    first = np.ones(pre.size, np.bool_)
    first[1:] = (np.diff(keys) != 0).any(axis=0)
    starts = np.maximum.accumulate(np.where(first, np.arange(pre.size), 0))
    repetition = np.empty(pre.size, np.int64)
    repetition[order] = np.arange(pre.size) - starts
    return np.stack([neuron, place, pre, repetition])


def direct_events(values: Array) -> Arrived:
    """Return integers put straight into a port as events: one each, none where it is 0."""
    sample, post = np.nonzero(values)
    return sample, post, np.zeros_like(post), values[sample, post]


def alias_order(p: FixedPopulation, cap: int) -> list[Alias] | None:
    """Return the turns of a population's neurons: each after those that add spikes to it.

    Neurons go in index order; whoever adds to a neuron before its turn uses up its cap, whoever
    adds after does not.
    """
    if p.alias is None:
        return None
    pre = np.flatnonzero(p.alias >= 0)
    post = np.asarray(p.alias)[pre]
    level = np.zeros_like(p.alias)
    forward = post > pre
    for a, b in zip(pre[forward].tolist(), post[forward].tolist(), strict=True):
        level[b] = max(level[b], level[a] + 1)
    turns = []
    for k in range(int(level.max(initial=0)) + 1):
        mine = forward & (level[post] == k + 1)  # right before their turn, by rising pre
        turns.append(Alias(level == k, pre[mine], post[mine], cap))
    return [*turns, Alias(level < 0, pre[~forward], post[~forward], cap)]  # nobody's turn
