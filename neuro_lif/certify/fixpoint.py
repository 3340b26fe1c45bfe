"""Intervals that no step leaves: found by guessing, proved by running one step on them.

An interval that holds the start, and that one step from anywhere in it does not leave, holds every
state that is ever reached. How it was found does not matter for that.

Source: P. Cousot, R. Cousot, Abstract interpretation, POPL 1977 (fixpoints by widening and
narrowing); the search by bisection is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..emulator.events import alias_order
from ..fixed import FixedNetwork
from .arrivals import Arrivals
from .assume import Feed
from .intervals import Interpreter
from .spans import FAR, hull, pair, point, within
from .world import Notes, State

Tick = Callable[[], None]

PATIENCE = 4
"""Rounds in which an end may move as it likes before it is pushed further out."""

PRECISION = 18
"""Bits to which an end is brought in."""

MOST_ROUNDS = 400


def _nothing() -> None:
    """Tell nobody."""


class Cell:
    """One population on intervals.

    Args:
        fixed: the network.
        name: the population.
        feeds: what is assumed of the inputs.
    """

    def __init__(self, fixed: FixedNetwork, name: str, feeds: Mapping[str, Feed]) -> None:
        p = fixed.population(name)
        self.name, self.n = name, p.size
        self.arrivals = Arrivals(fixed, name, feeds)
        self.interpreter = Interpreter(fixed.profile.ops(p.model), fixed.params(name), p.size)
        self.start: State = {r: point(x, p.size) for r, x in fixed.initial(name).items()}
        self.turns = alias_order(p, fixed.profile.routing.alias_cap)
        self.state = self.start
        self.sent: IntArray = np.zeros((2, p.size), np.int64)

    def step(self, state: State, ports: Any, t: int | None = None) -> tuple[State, IntArray]:
        """Return (registers, what is sent) after one step."""
        return self.interpreter.step(state, ports, t, self.turns)

    def notes(self) -> dict[str, Notes]:
        """Return population or projection -> what its rules have watched."""
        found = {self.name: self.interpreter.notes}
        return found | {one.p.name: one.notes for one in self.arrivals.projections}

    def hush(self, quiet: bool) -> None:
        """Forget what the rules have watched, and note nothing while ``quiet``."""
        self.interpreter.notes = Notes()
        for one in self.arrivals.projections:
            one.notes = Notes()
        for notes in self.notes().values():
            notes.quiet = quiet

    def around(self, state: State, ports: Any) -> State:
        """Return the start and everything one step from ``state`` leads to."""
        after, _ = self.step(state, ports)
        return {r: hull(x, after[r]) for r, x in self.start.items()}

    def settle(self, ports: Any, tick: Tick = _nothing) -> None:
        """Find intervals that no step leaves while only this arrives; sets ``state``, ``sent``."""
        state = self._widened(ports, tick)
        for _ in range(2):
            state = self.around(state, ports)
        for _ in range(2):
            before = state
            for register in self._lasting(state, ports):
                for end in (1, 0):
                    state = self._tightened(state, ports, register, end, tick)
            if all(np.array_equal(before[r], x) for r, x in state.items()):
                break
        self.state = state
        _, self.sent = self.step(state, ports)

    def _lasting(self, state: State, ports: Any) -> list[str]:
        """Return the registers whose content decides anything of the next step."""
        before, found = self.around(state, ports), []
        for r in state:
            if np.array_equal(state[r], self.start[r]):
                continue
            after = self.around({**state, r: self.start[r]}, ports)
            if not all(np.array_equal(before[q], x) for q, x in after.items()):
                found.append(r)
        return found

    def _widened(self, ports: Any, tick: Tick) -> State:
        """Return intervals that no step leaves, by pushing every end that moves."""
        state = dict(self.start)
        pushes = {r: np.zeros((2, self.n), np.int64) for r in state}
        for _ in range(MOST_ROUNDS):
            tick()
            after, moving = self.around(state, ports), False
            for r, x in after.items():
                moved = np.stack([x[0] < state[r][0], x[1] > state[r][1]])
                if not moved.any():
                    continue
                moving = True
                pushes[r] += moved
                force = 4.0 ** np.clip(pushes[r] - PATIENCE, 0, 30)
                ahead = np.clip(state[r] + (x - state[r]) * force, -FAR, FAR).astype(np.int64)
                state[r] = np.where(moved, ahead, state[r])
            if not moving:
                return state
        nothing_known = pair(np.full(self.n, -FAR), np.full(self.n, FAR))
        return dict.fromkeys(state, nothing_known)

    def _tightened(self, state: State, ports: Any, register: str, end: int, tick: Tick) -> State:
        """Return intervals with one end of a register brought in as far as it can be proved.

        An end that holds and one that does not close in on each other: by halves, and by where a
        straight line through what one step makes of both would stay as it is.
        """
        outer = state[register][end]
        inner = np.array(self.start[register][end])
        from_outer, from_inner = self.around(state, ports)[register][end], inner
        trial = inner
        for k in range(64):
            tick()
            row = state[register].copy()
            row[end] = trial
            tried = {**state, register: row}
            after = self.around(tried, ports)
            holds = np.all([within(x, tried[r]) for r, x in after.items()], axis=0)
            if holds.any():
                state = {r: np.where(holds, x, state[r]) for r, x in after.items()}
            result, outer = after[register][end], state[register][end]
            from_outer = np.where(holds, result, from_outer)
            from_inner = np.where(holds, from_inner, result)
            inner = np.where(holds, np.where(trial == inner, outer, inner), trial)
            # brought back to where it was from the innermost place: it cannot be further in
            inner = np.where(~holds & (k == 0) & (result == outer), outer, inner)
            gap = np.abs(outer - inner)
            inner = np.where(gap <= np.maximum(1, np.abs(outer) >> PRECISION), outer, inner)
            if np.array_equal(inner, outer):
                break
            trial = _between(inner, outer, from_inner, from_outer, k)
        return state


def _between(
    inner: IntArray, outer: IntArray, from_inner: IntArray, from_outer: IntArray, k: int
) -> IntArray:
    """Return where to try next: half way, or by a straight line, a little beyond or before."""
    half = inner + (outer - inner) // 2
    if k % 3 == 0:
        return half
    gap = np.where(outer == inner, 1, outer - inner).astype(np.float64)
    slope = (from_outer - from_inner) / gap
    kept = np.maximum(1.0 - slope, 1e-6)
    still = (from_inner - slope * inner) / kept
    slack = np.minimum(2.0 / kept + 1.0, np.abs(gap) / 4) * np.sign(gap) * (1 if k % 3 == 1 else -1)
    trial = np.clip(still + slack, -FAR, FAR).astype(np.int64)
    low, high = np.minimum(inner, outer), np.maximum(inner, outer)
    usable = (slope < 1.0) & (trial > low) & (trial < high)
    return np.where(usable, trial, half)


class Whole:
    """All populations on intervals, for any number of steps.

    Args:
        fixed: the network.
        feeds: what is assumed of the inputs.
        tick: called now and then.
    """

    def __init__(
        self, fixed: FixedNetwork, feeds: Mapping[str, Feed], tick: Tick = _nothing
    ) -> None:
        self.feeds, self.tick = feeds, tick
        self.cells = {p.name: Cell(fixed, p.name, feeds) for p in fixed.populations}
        self.sent = {name: np.zeros((2, c.n), np.int64) for name, c in self.cells.items()}
        self.heard: dict[str, list[IntArray]] = {}

    def _said(self, name: str) -> IntArray:
        feed = self.feeds.get(name)
        return self.sent[name] if feed is None else feed.ever()

    def settle(self) -> None:
        """Find intervals that the network never leaves, and what every rule sees there."""
        for cell in self.cells.values():
            cell.hush(True)
        for k in count():  # an end that moves after the first rounds goes to FAR, so this ends
            if not self._round(k):
                break
        for _ in range(2):  # what is known of every step may be used for every step
            if not self._narrowed():
                break
        for cell in self.cells.values():
            cell.hush(False)
            cell.step(cell.state, cell.arrivals.always(self._said))

    def _settle(self, cell: Cell) -> None:
        """Let a population settle, unless it has with the same arriving."""
        heard = [self._said(one.p.pre) for one in cell.arrivals.projections]
        known = self.heard.get(cell.name)
        if known is None or not all(map(np.array_equal, known, heard)):
            cell.settle(cell.arrivals.always(self._said), self.tick)
            self.heard[cell.name] = heard

    def _round(self, k: int) -> bool:
        """Let every population settle; tell whether any may send more than was known."""
        changed = False
        for name, cell in self.cells.items():
            self._settle(cell)
            before = self.sent[name]
            if within(cell.sent, before).all():
                continue
            changed = True
            more = hull(before, cell.sent)
            if k >= PATIENCE:
                more = pair(np.where(more[0] < before[0], -FAR, more[0]),
                            np.where(more[1] > before[1], FAR, more[1]))  # fmt: skip
            self.sent[name] = more
        return changed

    def _narrowed(self) -> bool:
        """Take for what is sent no more than was found; tell whether that is less."""
        changed = False
        for name, cell in self.cells.items():
            self._settle(cell)
            less = hull(cell.sent, np.zeros_like(cell.sent))
            changed = changed or not np.array_equal(less, self.sent[name])
            self.sent[name] = less
        return changed
