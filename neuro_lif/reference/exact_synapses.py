"""Synapses of the event-exact run: what a spike adds to the state of its targets, and when."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import entries, is_sparse, per_neuron, post_of_entries
from ..errors import RangeError
from ..network import IF, Delta, Network, Population, Projection, Synapse

Array = npt.NDArray[Any]


class Stages(NamedTuple):
    """A receptor as one or two leaky stages: ``y' = -b y + x``, ``x' = -c x``.

    Args:
        b: rate of the stage that is the current, 1/s; 0: a delta synapse, no stage at all.
        c: rate of the stage before it, 1/s; None: there is none, and spikes move y.
    """

    b: float
    c: float | None


DELTA = Stages(0.0, None)


def stages_of(synapse: Synapse) -> Stages:
    """Return the stages of a synapse; synapses with the same stages share a receptor."""
    if isinstance(synapse, Delta):
        return DELTA
    slow, *fast = synapse.taus
    return Stages(1.0 / slow, 1.0 / fast[0] if fast else None)


def jump_of(synapse: Synapse, post: Population) -> Array:
    """Return the jump of the last stage per unit weight, ``(n_post,)``: V, A or A/s."""
    n, neuron = post.size, post.neuron
    if isinstance(synapse, Delta):
        return np.ones(n)
    jump = synapse.peak(1.0) * synapse.scale
    if synapse.norm in ("peak", "area"):
        return np.full(n, jump)
    if isinstance(neuron, IF):
        return np.asarray(jump * per_neuron(neuron.capacitance, n))
    return np.asarray(jump * per_neuron(neuron.tau_m, n) / per_neuron(neuron.resistance, n))


class Fan(NamedTuple):
    """Targets of one source that a spike reaches at the same time.

    Args:
        delay: s.
        posts: their numbers, ascending, each once.
        jumps: what is added to their state.
    """

    delay: float
    posts: Array
    jumps: Array


class Outlet:
    """One projection, ready to send.

    Args:
        projection: the projection.
        post: its target.
    """

    def __init__(self, projection: Projection, post: Population) -> None:
        weights = projection.matrix
        self.post, self.stages = post.name, stages_of(projection.synapse)
        values, posts = entries(weights), post_of_entries(weights)
        pres = weights.indices if is_sparse(weights) else np.tile(
            np.arange(weights.shape[1]), weights.shape[0])  # fmt: skip
        delays = np.broadcast_to(np.asarray(projection.delay, np.float64), values.shape)
        there = values != 0.0
        order = np.flatnonzero(there)
        order = order[np.lexsort((posts[order], delays[order], pres[order]))]
        self._posts, self._delays = posts[order], delays[order]
        self._jumps = values[order] * jump_of(projection.synapse, post)[self._posts]
        self._starts = np.searchsorted(pres[order], np.arange(weights.shape[1] + 1))
        self._fans: dict[int, list[Fan]] = {}

    @property
    def at_once(self) -> bool:
        """Whether some synapse has no delay."""
        return bool((self._delays == 0).any())

    def fans(self, pre: int) -> list[Fan]:
        """Return the fans of one source, by delay."""
        if pre not in self._fans:
            self._fans[pre] = self._split(int(self._starts[pre]), int(self._starts[pre + 1]))
        return self._fans[pre]

    def _split(self, first: int, last: int) -> list[Fan]:
        delays = self._delays[first:last]
        cuts = [0, *(np.flatnonzero(np.diff(delays)) + 1).tolist(), last - first]
        return [
            Fan(float(delays[i]), self._posts[first + i : first + j],
                self._jumps[first + i : first + j])
            for i, j in zip(cuts, cuts[1:], strict=False) if i < j
        ]  # fmt: skip


def ranks_of(network: Network, outlets: dict[str, Outlet]) -> dict[str, int]:
    """Return in which order populations are done at one time: senders without delay come first.

    Args:
        network: the description.
        outlets: of its projections, by name.

    Raises:
        RangeError: projections without delay close a cycle; they are named.
    """
    names = [p.name for p in network.populations]
    edges = [(q.pre, q.post, q.name) for q in network.projections
             if q.pre in names and outlets[q.name].at_once]  # fmt: skip
    ranks = dict.fromkeys(names, 0)
    for _ in range(len(names) + 1):
        late = [(pre, post) for pre, post, _ in edges if ranks[post] <= ranks[pre]]
        if not late:
            return ranks
        for pre, post in late:
            ranks[post] = max(ranks[post], ranks[pre] + 1)
    left = _in_cycle(edges)
    raise RangeError(
        "projections " + ", ".join(repr(name) for _, _, name in left) + ": without delay in a "
        "circle (" + ", ".join(f"{a} -> {b}" for a, b, _ in left) + "), allowed in an event-exact "
        "run: a delay > 0 s on one of each circle"
    )


def _in_cycle(edges: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return the edges that lie between cycles, after those before and behind them are gone."""
    left = edges
    while True:
        pres, posts = {a for a, _, _ in left}, {b for _, b, _ in left}
        kept = [e for e in left if e[0] in posts and e[1] in pres]
        if len(kept) == len(left):
            return left
        left = kept
