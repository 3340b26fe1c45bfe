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
        delays = np.broadcast_to(p.delays, (p.weights.data.size,) if hasattr(p.weights, "tocoo")
                                 else p.weights.size).ravel()[stored]  # fmt: skip
        order = np.lexsort((np.arange(pre.size), -delays, pre))
        self.post, self.pre, self.delay = post[order], pre[order], delays[order]
        self.values = shift_array(values[order].astype(np.int64), fixed.sum_exponent(p))
        longest = int(delays.max(initial=0)) + self.latency + 1
        self.past = np.zeros((longest, batch, p.weights.shape[1]), np.int64)

    def emit(self, t: int, counts: Array) -> None:
        """Take how often each neuron spiked in step ``t``, ``(batch, n_pre)``."""
        if self.cap is not None and (np.abs(counts) > self.cap).any():
            self.told(-1, "payload", "cap", np.abs(counts) > self.cap)
            counts = np.clip(counts, -self.cap, self.cap)
        self.past[t % len(self.past)] = counts

    def arriving(self, t: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return (sample, post, weight) of every event of step ``t``, in order of arrival."""
        emitted = t - self.latency - self.delay
        counts = self.past[emitted % len(self.past), :, self.pre] * (emitted > 0)[:, None]
        synapse, sample = np.nonzero(counts)
        count = counts[synapse, sample]
        weight = self.values[synapse] * np.sign(count)
        times = np.abs(count)
        return (np.repeat(sample, times), np.repeat(self.post[synapse], times),
                np.repeat(weight, times))  # fmt: skip


def packed(events: list[tuple[IntArray, IntArray, IntArray]], batch: int, size: int) -> Events:
    """Return events as weights ``(k, batch, size)`` and which of them there are."""
    sample, post, weight = (np.concatenate(parts) for parts in zip(*events, strict=True))
    neuron = sample * size + post
    order = np.argsort(neuron, kind="stable")
    neuron = neuron[order]
    turn = np.arange(neuron.size) - np.searchsorted(neuron, neuron)
    weights = np.zeros((int(turn.max(initial=-1)) + 1, batch * size), np.int64)
    there = np.zeros(weights.shape, np.bool_)
    weights[turn, neuron], there[turn, neuron] = weight[order], True
    return weights.reshape(-1, batch, size), there.reshape(-1, batch, size)


def direct_events(values: Array) -> tuple[IntArray, IntArray, IntArray]:
    """Return integers put straight into a port as events: one each, none where it is 0."""
    sample, post = np.nonzero(values)
    return sample, post, np.asarray(values[sample, post], np.int64)


def alias_order(p: FixedPopulation, cap: int) -> list[Alias] | None:
    """Return the turns of a population's neurons: each after those that add spikes to it.

    Neurons go in index order; whoever adds to a neuron before its turn uses up its cap, whoever
    adds after does not.
    """
    if p.alias is None:
        return None
    pre = np.flatnonzero(p.alias >= 0)
    post = np.asarray(p.alias)[pre]
    level = np.zeros(p.size, np.int64)
    forward = post > pre
    for a, b in zip(pre[forward].tolist(), post[forward].tolist(), strict=True):
        level[b] = max(level[b], level[a] + 1)
    turns = []
    for k in range(int(level.max(initial=0)) + 1):
        mine = forward & (level[pre] == k)
        turns.append(Alias(level == k, pre[mine], post[mine], cap))
    none = np.zeros(p.size, np.bool_)
    return [*turns, Alias(none, pre[~forward], post[~forward], cap)]
