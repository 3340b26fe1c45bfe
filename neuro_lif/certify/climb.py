"""Chooses which neurons to push, and climbs from inputs that push them to better ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from ..emulator import Emulator
from ..fixed import FixedNetwork
from .assume import Feed
from .fixpoint import Tick
from .patterns import Target, thinned
from .trial import Rows, alike

ROUNDS, NEIGHBOURS = 8, 24

Open = tuple[str, str, IntArray, IntArray, IntArray]
"""(population or projection, register, lowest, highest, limits) of a place that may overflow."""


def targets_of(places: list[Open], fixed: FixedNetwork) -> list[Target]:
    """Return the neurons whose ranges may be left: of each place and side the furthest out first.

    Args:
        places: what may overflow.
        fixed: the network.
    """
    leads_to = {p.name: p.post for p in fixed.projections}
    comes_from = {p.name: p.pre for p in fixed.projections}
    senders = {p.name for p in fixed.populations}
    groups: dict[tuple[str, str, int], dict[int, float]] = {}
    for where, watched, low, high, limits in places:
        name = leads_to.get(where, where)
        if watched == "payload" and comes_from.get(where) in senders:
            name = comes_from[where]  # counted before the synapses: make it send more
        population = fixed.population(name)
        if low.size != population.size:
            continue  # counted before the synapses: nothing to aim at
        model = fixed.profile.model(population.model)
        register = watched if watched in fixed.profile.registers else model.current or model.voltage
        for sign, value, limit in ((1, high, limits[1]), (-1, -low, -limits[0])):
            found = groups.setdefault((name, register, sign), {})
            for i in np.flatnonzero(value > limit).tolist():
                share = float(value[i]) / max(float(limit[i]), 1.0)
                found[i] = max(found.get(i, 0.0), share)
    ranked = [
        [Target(name, register, i, sign) for i in sorted(found, key=lambda i: -found[i])]
        for (name, register, sign), found in groups.items()
    ]
    longest = max(map(len, ranked), default=0)
    return [targets[k] for k in range(longest) for targets in ranked if k < len(targets)]


@dataclass
class Climber:
    """Changes an input a little at a time, towards a register's end.

    Args:
        fixed: the network.
        feeds: what is assumed of the inputs.
        rng: draws the changes.
        tick: called now and then.
    """

    fixed: FixedNetwork
    feeds: Mapping[str, Feed]
    rng: np.random.Generator
    tick: Tick

    def climb(self, target: Target, start: Rows) -> Rows | None:
        """Return inputs of which one overflows, None where the climb ends without.

        Args:
            target: what to push.
            start: inputs to begin from ``(batch, n_steps, n)``.
        """
        rows, best = start, -np.inf
        for _ in range(ROUNDS):
            heights = self._heights(target, rows)
            if heights is None:
                return rows
            top = int(np.argmax(heights))
            if heights[top] <= best:
                return None
            best = float(heights[top])
            rows = self._around({name: a[top] for name, a in rows.items()})
        return None

    def _heights(self, target: Target, rows: Rows) -> FloatArray | None:
        """Return how far each input takes the register; None where any overflows."""
        batch, n_steps = next(iter(rows.values())).shape[:2]
        emulator = alike(Emulator(self.fixed, batch))
        heights = np.full(batch, -np.inf)
        for t in range(n_steps):
            emulator.step({name: a[:, t] for name, a in rows.items()})
            if emulator.counter.found:
                return None
            register = emulator.register(target.population, target.register)
            heights = np.maximum(heights, target.sign * register[:, target.neuron])
        self.tick()
        return heights

    def _around(self, rows: dict[str, IntArray]) -> Rows:
        """Return an input and neighbours of it: some channels changed during some steps."""
        n_steps = len(next(iter(rows.values())))
        near: dict[str, list[IntArray]] = {name: [x] for name, x in rows.items()}
        for _ in range(NEIGHBOURS):
            for name, x in rows.items():
                feed = self.feeds[name]
                if feed.raster is None:
                    x = x.copy()
                    first, last = np.sort(self.rng.integers(0, n_steps + 1, 2))
                    some = self.rng.random(x.shape[1]) < self.rng.choice([0.1, 0.3, 0.6])
                    fresh = np.where(self.rng.random(x.shape[1]) < 0.5, feed.high, feed.low)
                    x[first:last, some] = fresh[some]
                    x = thinned(x[None], feed, self.rng)[0]
                near[name].append(x)
        return {name: np.stack(many) for name, many in near.items()}
