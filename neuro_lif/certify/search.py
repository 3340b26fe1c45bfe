"""Looks for inputs that make a network overflow: the worst ones first, longer and longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..fixed import FixedNetwork
from .assume import Feed
from .patterns import SHAPES, Influence, at_random, for_targets, mutated, targets_of
from .trial import Rows, Witness, all_inputs, checked, how_many, known_rows, witness_in

Progress = Callable[[int, int], None]
"""Called with (steps done, steps at most)."""

SEED = 1
"""Every search draws the same random inputs."""


@dataclass
class Budget:
    """How long a search may go on, in steps of the network.

    Args:
        total: steps.
        progress: told now and then.
    """

    total: int
    progress: Progress | None = None
    done: int = 0

    def spend(self, steps: int) -> None:
        """Count steps that were run."""
        self.done += steps
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.total


def exhausted(
    fixed: FixedNetwork, feeds: Mapping[str, Feed], n_steps: int, most: int
) -> tuple[bool, Witness | None]:
    """Run every input of ``n_steps`` steps where there are at most ``most``.

    Returns:
        (whether all were run, the first that overflows).
    """
    if fixed.profile.noise is not None or how_many(feeds, n_steps) > most:
        return False, None
    for rows in all_inputs(feeds, n_steps):
        found = witness_in(fixed, rows, n_steps, _nothing)
        if found is not None:
            return True, found
    return True, None


def _nothing() -> None:
    """Tell nobody."""


def lost_counts(
    fixed: FixedNetwork, feeds: Mapping[str, Feed], n_steps: int | None
) -> Witness | None:
    """Return an input whose counts a projection that is not graded takes as one spike each."""
    for p in fixed.projections:
        feed = feeds.get(p.pre)
        if p.graded or feed is None:
            continue
        low, high = feed.low, feed.high
        steps = 1 if feed.raster is None else min(len(feed.raster), n_steps or len(feed.raster))
        if low.min() < 0 or high.max() > 1:
            rows = {name: known_rows(f, 1, steps)[0] if f.raster is not None else
                    np.broadcast_to(np.clip(0, f.low, f.high), (steps, f.low.size)).copy()
                    for name, f in feeds.items()}  # fmt: skip
            if feed.raster is None:
                worst = int(np.argmax(np.maximum(high, -low)))
                rows[p.pre][0] = np.clip(0, low, high)
                rows[p.pre][0, worst] = high[worst] if high[worst] > 1 else low[worst]
            found = checked(fixed, rows, steps)
            if found is not None:
                return found
    return None


@dataclass
class Search:
    """A search for inputs that overflow.

    Args:
        fixed: the network.
        feeds: what is assumed of the inputs.
        open_places: (where, lowest, highest, limits) of what intervals cannot exclude.
        longest: the longest run to try.
        budget: how much to try in all.
    """

    fixed: FixedNetwork
    feeds: Mapping[str, Feed]
    open_places: list[tuple[str, IntArray, IntArray, IntArray]]
    longest: int
    budget: Budget
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def run(self) -> Witness | None:
        """Return inputs that overflow, or None."""
        targets = targets_of(self.open_places, self.fixed, 256)
        influence = Influence(self.fixed, self.feeds)
        n_steps = min(16, self.longest)
        while True:
            found = self._try(at_random(self.feeds, n_steps, 8, self.rng), n_steps)
            worst = _spread(targets, 12)
            if found is None and worst:
                found = self._try(for_targets(influence, worst, SHAPES, n_steps), n_steps)
            if found is not None or n_steps >= self.longest or self.budget.over:
                return found
            n_steps = min(8 * n_steps, self.longest)

    def _try(self, rows: Rows, n_steps: int) -> Witness | None:
        if not rows:
            return checked(self.fixed, {}, n_steps)
        return witness_in(self.fixed, rows, n_steps, lambda: self.budget.spend(64))


def _spread(targets: list[Any], most: int) -> list[Any]:
    """Return the first targets of every population and sign, ``most`` in all."""
    groups: dict[tuple[str, int], list[Any]] = {}
    for target in targets:
        groups.setdefault((target.population, target.sign), []).append(target)
    chosen: list[Any] = []
    depth = 0
    while len(chosen) < min(most, len(targets)):
        for group in groups.values():
            chosen += group[depth : depth + 1]
        depth += 1
    return chosen[:most]


__all__ = ["Budget", "Progress", "Search", "exhausted", "lost_counts", "mutated"]
