"""Looks for inputs that make a network overflow: the worst ones first, longer and longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..fixed import FixedNetwork
from .assume import Feed
from .climb import Climber, Open, targets_of
from .patterns import SHAPES, Influence, Shape, Target, at_random, for_targets
from .trial import TOLD_EVERY, Rows, Witness, all_inputs, checked, how_many, known_rows, witness_in

Progress = Callable[[int, int], None]
"""Called with (steps done, steps at most)."""

MOST_TARGETS, CLIMBED, CLIMBED_STEPS = 12, 4, 512

PATIENCE = 8
"""How many times longer a steady push may take where nothing can happen sooner."""

MOST_VALUES = 20_000_000
"""Values of inputs that are held at one time."""

SEED = 1
"""Every search draws the same random inputs."""


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
        open_places: what intervals cannot exclude.
        soonest: no overflow comes before this step.
        longest: the longest run to try.
        progress: called with (steps tried, steps at most).
    """

    fixed: FixedNetwork
    feeds: Mapping[str, Feed]
    open_places: list[Open]
    soonest: int
    longest: int
    progress: Progress | None = None

    def run(self) -> Witness | None:
        """Return inputs that overflow, or None."""
        self.rng, self.done = np.random.default_rng(SEED), 0
        targets = targets_of(self.open_places, self.fixed)[:MOST_TARGETS]
        influence = Influence(self.fixed, self.feeds)
        if self.soonest > self.longest:
            self.most = PATIENCE * self.longest
            return self._pushed(influence, targets, self.most, ("push",))
        lengths = [self.soonest + 8, 2 * self.soonest + 32, 8 * self.soonest + 64]
        lengths = sorted({min(n, self.longest) for n in lengths})
        self.most = 2 * sum(lengths)
        for n_steps in lengths:
            found = self._pushed(influence, targets, n_steps, SHAPES)
            if found is None:
                found = self._try(self._random(n_steps), n_steps)
            if found is not None:
                return found
        return self._climbed(influence, targets, lengths[0])

    def _pushed(
        self, influence: Influence, targets: list[Target], n_steps: int, shapes: tuple[Shape, ...]
    ) -> Witness | None:
        if not self.feeds:
            return self._try({}, n_steps)
        together = max(1, self._room(n_steps) // len(shapes))
        for first in range(0, len(targets), together):
            some = targets[first : first + together]
            found = self._try(for_targets(influence, some, shapes, n_steps), n_steps)
            if found is not None:
                return found
        return None

    def _room(self, n_steps: int) -> int:
        """Return how many inputs of this length may be held side by side."""
        channels = sum(feed.low.size for feed in self.feeds.values())
        return max(1, MOST_VALUES // max(n_steps * channels, 1))

    def _climbed(self, influence: Influence, targets: list[Target], n_steps: int) -> Witness | None:
        """Climb from the best pushes of a few targets, where runs are short."""
        if not self.feeds or n_steps > CLIMBED_STEPS:
            return None
        climber = Climber(self.fixed, self.feeds, self.rng, self._tick)
        for target in targets[:CLIMBED]:
            rows = climber.climb(target, for_targets(influence, [target], SHAPES, n_steps))
            if rows is not None:
                return witness_in(self.fixed, rows, n_steps, self._tick)
        return None

    def _random(self, n_steps: int) -> Rows:
        return at_random(self.feeds, n_steps, min(8, self._room(n_steps)), self.rng)

    def _try(self, rows: Rows, n_steps: int) -> Witness | None:
        before = self.done
        found = witness_in(self.fixed, rows, n_steps, self._tick)
        self.done = before + n_steps
        return found

    def _tick(self) -> None:
        self.done += TOLD_EVERY
        if self.progress is not None:
            self.progress(min(self.done, self.most), self.most)
