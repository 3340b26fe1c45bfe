"""What the neurons of a population may hold at one place of a program, and how it is changed.

Source: P. Cousot, R. Cousot, Abstract interpretation, POPL 1977.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import IntArray
from .spans import (
    FAR,
    hull,
    limited,
    limited_magnitude,
    negative,
    overflowed,
    point,
)

Ports = Mapping[str, Any]
"""Port -> interval of the sum ``(2, n)``, or :class:`~.potential.Potential` events."""

State = dict[str, IntArray]


@dataclass
class World:
    """What the neurons may hold at one place of the program.

    Args:
        state: register -> interval ``(2, n)``, ``ref`` among them.
        sent: interval of what is sent in this step.
        alive: ``(n,)`` which neurons can be here at all.
        links: register -> (another, interval of the sum of the two): where it is known better
            than from the two alone.
    """

    state: State
    sent: IntArray
    alive: Any
    links: dict[str, tuple[str, IntArray]] = field(default_factory=dict)

    def narrowed(self, alive: Any, **registers: IntArray) -> World:
        """Return a copy for some of the neurons, with registers known better."""
        return World({**self.state, **registers}, self.sent, alive, dict(self.links))


def joined(a: World, b: World) -> World:
    """Return a world that covers both."""
    if not a.alive.any():
        return b
    if not b.alive.any():
        return a
    both, mine = a.alive & b.alive, a.alive
    everyone = bool(both.all())

    def pick(x: IntArray, y: IntArray) -> IntArray:
        around = hull(x, y)
        return around if everyone else np.where(both, around, np.where(mine, x, y))

    state = {r: x if x is b.state[r] else pick(x, b.state[r]) for r, x in a.state.items()}
    links = {
        r: (base, pick(x, b.links[r][1]))
        for r, (base, x) in a.links.items()
        if r in b.links and b.links[r][0] == base
    }
    return World(state, pick(a.sent, b.sent), a.alive | b.alive, links)


@dataclass
class Note:
    """How far a value went where a rule watches it ``(n,)``, and the rule's limits."""

    low: IntArray
    high: IntArray
    lo: Any
    hi: Any


Key = tuple[str, str, int, str]
"""(register, kind, operation, which of the operation's rules)"""


class Notes(dict[Key, Note]):
    """How far the value that a rule watches went in all runs."""

    quiet = False
    """Nothing is noted while this is set."""
    opened = False
    """Whether any went outside its limits."""

    def add(self, key: Key, x: IntArray, lo: Any, hi: Any, alive: Any = None) -> None:
        """Remember an interval of the neurons that are alive (all where absent)."""
        if self.quiet:
            return
        low, high = x
        if alive is not None and not alive.all():
            low, high = np.where(alive, low, FAR), np.where(alive, high, -FAR)
        if (old := self.get(key)) is not None:
            low, high = np.minimum(low, old.low), np.maximum(high, old.high)
            if isinstance(lo, np.ndarray):  # a clamp between registers
                lo, hi = np.maximum(lo, old.lo), np.minimum(hi, old.hi)
        self[key] = Note(low, high, lo, hi)
        self.opened = self.opened or bool(np.any(low < lo) or np.any(high > hi))


class Core:
    """Operands, overflow rules and branches of the operations on intervals.

    Args:
        ops: resolved operations.
        params: parameter -> ``(n,)``.
        n: neurons.
    """

    def __init__(self, ops: Any, params: Mapping[str, IntArray], n: int) -> None:
        self.ops, self.n, self.notes = ops, n, Notes()
        self.params = {name: point(values, n) for name, values in params.items()}
        self.ports: Ports = {}
        self.t: int | None = None

    def _run(self, ops: Any, world: World) -> World:
        for op in ops:
            world = getattr(self, "_" + op["op"])(op, world)
        return world

    def _value(self, world: World, operand: int | str) -> IntArray:
        if not isinstance(operand, str):
            return point(operand, self.n)
        if operand.startswith("-"):
            return negative(self._value(world, operand[1:]))
        found = self.params.get(operand)
        return world.state[operand] if found is None else found

    def _bound(self, x: IntArray, rules: Any, op: Any, name: str, world: World) -> IntArray:
        for mode, lo, hi in rules:
            self.notes.add((name, mode, op["at"], f"{lo}..{hi}"), x, lo, hi, world.alive)
            if x[0].min() < lo or x[1].max() > hi:
                inside = (x[0] >= lo) & (x[1] <= hi)
                x = np.where(inside, x, overflowed(x, mode, lo, hi))
        return x

    @staticmethod
    def _write(world: World, register: str, value: IntArray) -> World:
        world.state[register] = value
        world.links = {
            r: (base, x) for r, (base, x) in world.links.items() if register not in (r, base)
        }
        return world

    def _fork(
        self, world: World, operand: Any, cmp: str, level: IntArray, then: Any, other: Any,
        magnitude: bool = False,
    ) -> World:  # fmt: skip
        """Go both ways of a comparison, each with the values for which it is taken."""
        x, worlds = self._value(world, operand), []
        limit = limited_magnitude if magnitude else limited
        for holds, branch in ((True, then), (False, other)):
            part = limit(x, cmp, level, holds)
            alive = world.alive & (part[0] <= part[1])
            if not alive.any():
                continue
            mine, part = world.narrowed(alive), np.where(alive, part, x)
            name = str(operand).removeprefix("-")
            if name in world.state and name not in self.params:
                mine.state[name] = negative(part) if str(operand).startswith("-") else part
            worlds.append(branch(mine))
        return worlds[0] if len(worlds) == 1 else joined(*worlds)
