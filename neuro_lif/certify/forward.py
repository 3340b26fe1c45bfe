"""Intervals step by step from the start: what can be said of the first steps only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..arrays import IntArray
from ..fixed import FixedNetwork
from ..numerics import walk
from .arrivals import Singles, Sums
from .assume import Feed
from .fixpoint import Cell
from .spans import hull
from .world import State


class Forward:
    """All populations on intervals, one step after the other.

    Args:
        fixed: the network.
        feeds: what is assumed of the inputs.
        told: called with every step.
    """

    def __init__(
        self, fixed: FixedNetwork, feeds: Mapping[str, Feed],
        told: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.feeds, self.told, self.t = feeds, told, 0
        self.cells = {p.name: Cell(fixed, p.name, feeds) for p in fixed.populations}
        self.longest = max(c.arrivals.longest() for c in self.cells.values())
        self.leading: dict[str, list[Sums | Singles]] = {}
        for cell in self.cells.values():
            for one in cell.arrivals.projections:
                self.leading.setdefault(one.p.pre, []).append(one)
        self.reached = {name: dict(c.start) for name, c in self.cells.items()}
        timed = any(op["op"] == "if_step" for p in fixed.populations
                    for op in walk(fixed.profile.ops(p.model)))  # fmt: skip
        rasters = [len(f.raster) for f in feeds.values() if f.raster is not None]
        self.settles_after = None if timed else max(rasters, default=0) + self.longest
        self.same = 0

    def _direct(self, name: str) -> IntArray:
        return self.feeds[name].at(self.t)

    def _emit(self, name: str, sent: IntArray) -> None:
        for one in self.leading.get(name, ()):
            one.emit(self.t, sent)

    def step(self) -> None:
        """Advance one step."""
        self.t += 1
        if self.told is not None:
            self.told(self.t)
        same = True
        for name, feed in self.feeds.items():
            self._emit(name, feed.at(self.t))
        for name, cell in self.cells.items():
            state, sent = cell.step(cell.state, cell.arrivals.at(self.t, self._direct), self.t)
            same = same and _equal(state, cell.state) and np.array_equal(sent, cell.sent)
            cell.state, cell.sent = state, sent
            self._emit(name, sent)
            known = self.reached[name]
            self.reached[name] = {r: hull(x, state[r]) for r, x in known.items()}
        self.same = self.same + 1 if same else 0

    @property
    def stands(self) -> bool:
        """Whether every later step is like this one."""
        settled = self.settles_after is not None and self.t > self.settles_after
        return settled and self.same > self.longest + 1

    def first_open(self, n_steps: int) -> int | None:
        """Go up to ``n_steps`` steps, or until a rule may act; return that step, None if none.

        Stops early where nothing changes any more.
        """
        while self.t < n_steps:
            self.step()
            if any(notes.opened for c in self.cells.values() for notes in c.notes().values()):
                return self.t
            if self.stands:
                return None
        return None


def _equal(a: State, b: State) -> bool:
    return all(np.array_equal(x, b[r]) for r, x in a.items())
