"""What may arrive at the ports of a population, given what may be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..arrays import IntArray, entries, is_sparse, post_of_entries
from ..fixed import FixedNetwork, FixedProjection
from ..formats import shift_array
from ..lazy import sparse
from ..runs import may_lose_counts
from .assume import Feed
from .potential import Potential, signed, together
from .spans import FAR, overflowed, pair, plus, shifted
from .world import Notes

Sent = Callable[[str], IntArray]
"""Population or input -> interval of what it sends ``(2, n)``."""

BINARY = ("payload", "binary", -1, "")
"""A count that a projection takes as one spike."""


def carried(p: FixedProjection, sent: IntArray) -> IntArray:
    """Return what a projection carries of what its source sends: its values, or 0 and 1."""
    if p.graded:
        return sent
    some = (sent[0] > 0) | (sent[1] < 0)
    none = (sent[0] == 0) & (sent[1] == 0)
    return pair(some.astype(np.int64), (~none).astype(np.int64))


class Sums:
    """A projection whose spikes are added up.

    Args:
        fixed: the network.
        p: the projection.
        most: how many of its sources can differ from 0 in one step; None: all.
    """

    def __init__(self, fixed: FixedNetwork, p: FixedProjection, most: int | None) -> None:
        self.p, self.most, self.notes = p, most, Notes()
        self.watched = may_lose_counts(fixed, p)
        self.rules, self.exponent = fixed.accumulator(p), fixed.sum_exponent(p)
        self.latency, self.pending = fixed.latency(p), dict[int, IntArray]()
        post, pre, values, delays = synapses(fixed, p)
        self.groups = []
        for delay in np.unique(delays)[::-1].tolist():  # in the order of emission
            mine, shape = delays == delay, p.weights.shape
            one = sparse.csr_matrix((values[mine], (post[mine], pre[mine])), shape=shape)
            one.sum_duplicates()
            self.groups.append((int(delay), one.maximum(0), one.minimum(0)))

    def always(self, sent: IntArray) -> IntArray:
        """Return the interval of the sum of a step while this is sent in every step."""
        total = np.zeros((2, self.p.weights.shape[0]), np.int64)
        for _, group in self._groups(sent):
            total = self._bounded(plus(total, group))
        return total

    def emit(self, t: int, sent: IntArray) -> None:
        """Take what is sent in step ``t``."""
        for delay, group in self._groups(sent):
            due = t + self.latency + delay
            slot = self.pending.get(due, np.zeros_like(group))
            self.pending[due] = self._bounded(plus(slot, group))

    def arriving(self, t: int) -> IntArray:
        """Return the interval of the sum that arrives in step ``t``."""
        found = self.pending.pop(t, None)
        return np.zeros((2, self.p.weights.shape[0]), np.int64) if found is None else found

    def longest(self) -> int:
        """Return how many steps after being sent anything can arrive."""
        return self.latency + max((delay for delay, *_ in self.groups), default=0)

    def _groups(self, sent: IntArray) -> Iterator[tuple[int, IntArray]]:
        """Yield (delay, interval of what arrives so much later), the longest delay first."""
        if self.watched:
            self.notes.add(BINARY, sent, 0, 1)
        counts = carried(self.p, sent)
        for delay, up, down in self.groups:
            group = self._bounded(self._sum(up, down, counts))
            yield delay, self._bounded(shifted(group, self.exponent))

    def _sum(self, up: Any, down: Any, counts: IntArray) -> IntArray:
        low, high = counts
        if self.most is not None and (low != high).any():
            return self._strongest(up, down, counts)
        if max(int(np.abs(counts).max(initial=0)), 1) < 2**22:
            return pair(up @ low + down @ high, up @ high + down @ low)
        ends = [np.asarray(x, np.float64) for x in (low, high)]
        real = np.stack([up @ ends[0] + down @ ends[1], up @ ends[1] + down @ ends[0]])
        far = np.abs(real) >= FAR
        exact = pair(up @ low + down @ high, up @ high + down @ low)
        return np.where(far, np.array([[-FAR], [FAR]]), exact)

    def _strongest(self, up: Any, down: Any, counts: IntArray) -> IntArray:
        """Return the interval of the sum while only so many sources differ from 0."""
        weights = (up + down).tocsr()
        post = post_of_entries(weights)
        values = weights.data * counts[:, weights.indices]
        out = np.zeros((2, weights.shape[0]), np.int64)
        for row, sign in ((0, -1), (1, 1)):
            gain = np.maximum((sign * values).max(axis=0), 0)
            order = np.lexsort((-gain, post))
            rank = np.arange(order.size) - np.searchsorted(post[order], post[order])
            kept = order[rank < (self.most or 0)]
            np.add.at(out[row], post[kept], sign * gain[kept])
        return out

    def _bounded(self, x: IntArray) -> IntArray:
        for mode, lo, hi in self.rules:
            self.notes.add(("sum", mode, -1, f"{lo}..{hi}"), x, lo, hi)
            inside = (x[0] >= lo) & (x[1] <= hi)
            x = x if inside.all() else np.where(inside, x, overflowed(x, mode, lo, hi))
        return x


class Singles:
    """A projection whose spikes arrive one by one."""

    def __init__(self, fixed: FixedNetwork, p: FixedProjection, cap: int | None) -> None:
        self.p, self.cap, self.latency, self.notes = p, cap, fixed.latency(p), Notes()
        self.watched = may_lose_counts(fixed, p)
        self.past: dict[int, IntArray] = {}
        post, pre, values, delays = synapses(fixed, p)
        order = np.lexsort((np.arange(pre.size), -delays, pre))
        self.post, self.pre, self.delays = post[order], pre[order], delays[order]
        self.values, self.exponent = values[order], fixed.sum_exponent(p)

    def always(self, sent: IntArray) -> Potential:
        """Return the events of a step while this is sent in every step."""
        return self._events(self._capped(sent)[:, self.pre])

    def emit(self, t: int, sent: IntArray) -> None:
        """Take what is sent in step ``t``."""
        self.past[t] = self._capped(sent)
        self.past.pop(t - self.longest() - 1, None)

    def arriving(self, t: int) -> Potential:
        """Return the events that may arrive in step ``t``."""
        counts = np.zeros((2, self.post.size), np.int64)
        for delay in np.unique(self.delays).tolist():
            found = self.past.get(t - self.latency - delay)
            if found is not None:
                mine = self.delays == delay
                counts[:, mine] = found[:, self.pre[mine]]
        return self._events(counts)

    def longest(self) -> int:
        """Return how many steps after being sent anything can arrive."""
        return self.latency + int(self.delays.max(initial=0))

    def _capped(self, sent: IntArray) -> IntArray:
        if self.watched:
            self.notes.add(BINARY, sent, 0, 1)
        counts = carried(self.p, sent)
        if self.cap is None:
            return counts
        self.notes.add(("payload", "cap", -1, ""), counts, -self.cap, self.cap)
        return np.clip(counts, -self.cap, self.cap)

    def _events(self, counts: IntArray) -> Potential:
        weight, times = signed(self.values, counts)
        shifted = shift_array(weight, self.exponent)  # it rounds down: the sign comes first
        return Potential(self.p.weights.shape[0], self.post, shifted, times)


def synapses(
    fixed: FixedNetwork, p: FixedProjection
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return (post, pre, weight, delay) of every synapse; a dense zero is none."""
    weights = fixed.effective_weights(p)
    post, values = post_of_entries(weights), np.asarray(entries(weights), np.int64)
    delays = np.broadcast_to(np.asarray(p.delays, np.int64), values.shape)
    if is_sparse(weights):
        return post, np.asarray(weights.indices, np.int64), values, delays
    pre = np.tile(np.arange(weights.shape[1]), weights.shape[0])
    there = values != 0
    return post[there], pre[there], values[there], delays[there]


class Arrivals:
    """Everything that can arrive at one population.

    Args:
        fixed: the network.
        name: the population.
        feeds: what is assumed of the inputs.
    """

    def __init__(self, fixed: FixedNetwork, name: str, feeds: Mapping[str, Feed]) -> None:
        self.fixed, self.population = fixed, fixed.population(name)
        self.caps = fixed.profile.event_ports(self.population.model)
        self.projections: list[Sums | Singles] = []
        for p in fixed.projections:
            if p.post == name and p.port in self.caps:
                self.projections.append(Singles(fixed, p, self.caps[p.port]))
            elif p.post == name:
                most = feeds[p.pre].most if p.pre in feeds else None
                self.projections.append(Sums(fixed, p, most))
        self.directs = [d for d in fixed.directs if d.population == name]
        self.poissons = [p for p in fixed.poissons if p.population == name]

    def always(self, sent: Sent) -> dict[str, Any]:
        """Return what may arrive at each port while everybody sends the same in every step."""
        arriving = [(one.p.port, one.always(sent(one.p.pre))) for one in self.projections]
        return self._ports(arriving, sent)

    def at(self, t: int, sent: Sent) -> dict[str, Any]:
        """Return what may arrive in step ``t``: of what was emitted, and of direct inputs."""
        return self._ports([(one.p.port, one.arriving(t)) for one in self.projections], sent)

    def _ports(self, arriving: list[tuple[str, Any]], sent: Sent) -> dict[str, Any]:
        n, noise = self.population.size, self.fixed.profile.noise
        for direct in self.directs:
            values = sent(direct.name)
            single = direct.port in self.caps
            arriving = [*arriving, (direct.port, _direct(values) if single else values)]
        sums: dict[str, Any] = {}
        events: dict[str, list[Potential]] = {}
        for port, found in arriving:
            if isinstance(found, Potential):
                events.setdefault(port, []).append(found)
            else:
                sums[port] = plus(sums[port], found) if port in sums else found
        for drive in self.poissons:  # whatever it draws, its table ends
            span = drive.span(n)
            sums[drive.port] = plus(sums[drive.port], span) if drive.port in sums else span
        if noise is not None:
            sums[noise.port] = pair(np.full(n, noise.lo), np.full(n, noise.hi))
        return sums | {port: together(parts, n) for port, parts in events.items()}

    def longest(self) -> int:
        """Return how many steps after being sent anything can arrive."""
        return max((one.longest() for one in self.projections), default=0)


def _direct(values: IntArray) -> Potential:
    """Return integers put straight into a port as events: none where it is 0."""
    some = (values[0] > 0) | (values[1] < 0)
    none = (values[0] == 0) & (values[1] == 0)
    times = pair(some.astype(np.int64), (~none).astype(np.int64))
    n = values.shape[1]
    return Potential(n, np.arange(n), values, times)
