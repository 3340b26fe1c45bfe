"""Inputs that push one neuron's registers as far as they will go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..fixed import FixedNetwork
from ..lazy import sparse
from ..numerics import walk
from .arrivals import synapses
from .assume import Feed
from .trial import Rows, known_rows

DEPTH = 4
"""Populations between an input and the neuron it is to push that are followed."""


@dataclass(frozen=True)
class Target:
    """A register of a neuron to push up (``sign`` 1) or down (-1)."""

    population: str
    register: str
    neuron: int
    sign: int


class Influence:
    """How much every input pushes every neuron, taken as if all went straight.

    Args:
        fixed: the network.
        feeds: what is assumed of the inputs.
    """

    def __init__(self, fixed: FixedNetwork, feeds: Mapping[str, Feed]) -> None:
        self.fixed, self.feeds = fixed, feeds
        self.weights = {}
        heard = {p.name: _added(fixed, p.model) for p in fixed.populations}
        self.directs = [d for d in fixed.directs if d.port in heard[d.population]]
        for p in fixed.projections:
            if p.port not in heard[p.post]:
                continue
            post, pre, values, _ = synapses(fixed, p)
            matrix = sparse.csr_matrix((values.astype(np.float64), (post, pre)), p.weights.shape)
            size = np.asarray(abs(matrix).sum(axis=1)).ravel()
            scale = sparse.diags(1.0 / np.where(size > 0, size, 1.0))
            self.weights[p.name] = (scale @ matrix).T.tocsr()

    def on(self, target: Target) -> dict[str, FloatArray]:
        """Return input -> how each channel pushes the target, most directly first ``(n,)``."""
        scores = {name: np.zeros(f.low.size) for name, f in self.feeds.items()}
        wish = np.zeros(self.fixed.population(target.population).size)
        wish[target.neuron] = target.sign
        wishes, weight = {target.population: wish}, 1.0
        for _ in range(DEPTH):
            wishes = self._back(wishes, scores, weight)
            weight *= 1e-3  # what takes a longer way decides only where nothing shorter does
        return scores

    def _back(
        self, wishes: dict[str, FloatArray], scores: dict[str, FloatArray], weight: float
    ) -> dict[str, FloatArray]:
        """Follow wishes one projection back; add those on inputs to ``scores``."""
        before: dict[str, FloatArray] = {}
        for p in self.fixed.projections:
            if p.post not in wishes or p.name not in self.weights:
                continue
            push = self.weights[p.name] @ wishes[p.post]
            if p.pre in scores:
                scores[p.pre] += weight * push
            else:
                before[p.pre] = before.get(p.pre, np.zeros(push.size)) + push
        for direct in self.directs:
            if direct.population in wishes:
                scores[direct.name] += weight * wishes[direct.population]
        return before


def _added(fixed: FixedNetwork, model: str) -> set[str]:
    """Return the ports of a model whose weights it adds to a register."""
    return {op["port"] for op in walk(fixed.profile.ops(model)) if op["op"] == "acc"}


def pushing(feed: Feed, score: FloatArray, idle: int) -> IntArray:
    """Return the values of one step that push most ``(n,)``; ``idle``: 1 high where it is equal.

    At most ``feed.most`` channels differ from 0.
    """
    row = np.where(score > 0, feed.high, np.where(score < 0, feed.low, feed.high * idle))
    row = np.clip(row, feed.low, feed.high)
    if feed.most is not None and (row != 0).sum() > feed.most:
        order = np.argsort(-np.abs(score * row) - 1e-12 * np.abs(row), kind="stable")
        row[order[feed.most :]] = 0
    return np.asarray(row, np.int64)


def resting(feed: Feed) -> IntArray:
    """Return values as near 0 as the bounds allow ``(n,)``."""
    return np.asarray(np.clip(0, feed.low, feed.high), np.int64)


Shape = str
"""How the pushing, opposite and resting rows follow each other."""

SHAPES: tuple[Shape, ...] = ("push", "idle", "against", "half", "third", "late", "pulse")


def shaped(shape: Shape, push: IntArray, against: IntArray, rest: IntArray, n: int) -> IntArray:
    """Return ``(n, channels)``: pushing all the time, after the opposite, or now and then."""
    rows = np.broadcast_to(push, (n, push.size)).copy()
    steps = np.arange(n)
    if shape == "against":
        rows[: n // 2] = against
    elif shape == "half":
        rows[steps % 2 == 1] = rest
    elif shape == "third":
        rows[steps % 3 != 0] = rest
    elif shape == "late":
        rows[: n // 2] = rest
    elif shape == "pulse":
        rows[(steps // 8) % 2 == 1] = against
    return rows


def for_targets(
    influence: Influence, targets: list[Target], shapes: tuple[Shape, ...], n_steps: int
) -> Rows:
    """Return the inputs of every target and shape side by side ``(batch, n_steps, n)``."""
    feeds = influence.feeds
    parts: dict[str, list[IntArray]] = {name: [] for name in feeds}
    for target in targets:
        scores = influence.on(target)
        for shape in shapes:
            for name, feed in feeds.items():
                if feed.raster is not None:
                    parts[name].append(known_rows(feed, 1, n_steps)[0])
                    continue
                push = pushing(feed, scores[name], int(shape == "idle"))
                against = pushing(feed, -scores[name], 0)
                parts[name].append(shaped(shape, push, against, resting(feed), n_steps))
    return {name: np.stack(rows) for name, rows in parts.items()}


def at_random(
    feeds: Mapping[str, Feed], n_steps: int, count: int, rng: np.random.Generator
) -> Rows:
    """Return all high, all low, alternating and random inputs ``(count, n_steps, n)``."""
    rows = {}
    for name, feed in feeds.items():
        if feed.raster is not None:
            rows[name] = known_rows(feed, count, n_steps)
            continue
        shape = (count, n_steps, feed.low.size)
        often = rng.choice([0.1, 0.5, 0.9], (count, 1, 1))
        values = np.where(rng.random(shape) < often, feed.high, feed.low)
        steady = rng.random((count, 1, feed.low.size)) < 0.5
        values[1::2] = np.where(steady, feed.high, feed.low)[1::2]
        values[0], values[1 % count] = feed.high, feed.low
        values[2 % count] = np.where(np.arange(n_steps)[:, None] % 2, feed.low, feed.high)
        rows[name] = thinned(values, feed, rng)
    return rows


def thinned(values: IntArray, feed: Feed, rng: np.random.Generator) -> IntArray:
    """Return values of which at most ``feed.most`` channels differ from 0 in a step."""
    if feed.most is None:
        return values
    rank = np.argsort(np.argsort(rng.random(values.shape), axis=2), axis=2)
    some = values != 0
    order = np.where(some, rank, rank + values.shape[2])
    place = np.argsort(np.argsort(order, axis=2), axis=2)
    return np.where(place < feed.most, values, 0)
