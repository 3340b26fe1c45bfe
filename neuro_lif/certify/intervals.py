"""The operations of a neuron model run on intervals instead of values.

One run covers every step that starts inside the given intervals, whatever arrives within those of
the ports. Where a condition is open, both branches are run and joined; each sees only the values
for which it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..numerics import walk
from .each import Events
from .firing import Firing
from .spans import (
    FAR,
    decayed,
    limited,
    meet,
    minus,
    negative,
    pair,
    plus,
    point,
    shifted,
    snap,
)
from .world import Ports, State, World, joined


class Interpreter(Firing, Events):
    """Runs one population's operations on intervals.

    Args:
        ops: resolved operations.
        params: parameter -> ``(n,)``.
        n: neurons.
    """

    def __init__(self, ops: Any, params: Mapping[str, IntArray], n: int) -> None:
        super().__init__(ops, params, n)
        fires = [op for op in walk(ops) if op["op"] == "fire" and op["cmp_reg"]]
        self.compared = {op["cmp_reg"]: op for op in fires if op["cmp_reg"] != op["reg"]}

    def step(
        self, state: State, ports: Ports, t: int | None = None, turns: Any = None
    ) -> tuple[State, IntArray]:
        """Return what the registers hold after a step, and what is sent ``(2, n)``.

        Args:
            state: what they may hold before it.
            ports: what may arrive.
            t: the step; None: any.
            turns: neurons that go first and whose spikes are added where (see
                :func:`neuro_lif.emulator.events.alias_order`).
        """
        self.ports, self.t = ports, t
        everyone = np.ones(self.n, np.bool_)
        world = World(dict(state), np.zeros((2, self.n), np.int64), everyone)
        if turns is None:
            world = self._run(self.ops, world)
        for turn in turns or ():
            if turn.neurons.any():
                mine = self._run(self.ops, world.narrowed(turn.neurons))
                world = joined(replace(mine, alive=turn.neurons),
                               replace(world, alive=~turn.neurons))  # fmt: skip
            world.sent = self._hand_on(turn, world.sent)
        return world.state, world.sent

    def _hand_on(self, turn: Any, sent: IntArray) -> IntArray:
        sent = np.array(sent)
        for pre, post in zip(turn.pre.tolist(), turn.post.tolist(), strict=True):
            total = plus(sent, np.zeros_like(sent))
            total[:, post] = plus(sent[:, [post]], sent[:, [pre]])[:, 0]
            here = np.arange(self.n) == post
            self.notes.add(("spikes", "cap", -1, ""), total, -FAR, turn.cap, here)
            sent[:, post] = np.minimum(total[:, post], turn.cap)
        return sent

    def _run(self, ops: Any, world: World) -> World:
        for i, op in enumerate(ops):
            if op["op"] == "copy" and op["reg"] in self.compared and op["src"] in world.state:
                return self._split(op, ops[i + 1 :], world)
            world = getattr(self, "_" + op["op"])(op, world)
        return world

    def _split(self, op: Any, rest: Any, world: World) -> World:
        """Copy a register that will be compared: follow what will fire apart from the rest."""
        fire, x = self.compared[op["reg"]], world.state[op["src"]]
        threshold = shifted(self._value(world, fire["thr"]), fire["thr_shift"])
        parts = []
        for fires in (True, False):
            part = limited(x, fire["cmp"], threshold, fires)
            mine = world.narrowed(world.alive & (part[0] <= part[1]))
            if mine.alive.any():
                part = np.where(mine.alive, part, x)
                mine.state[op["src"]] = part
                parts.append(self._run(rest, self._copy(op, mine)))
        return parts[0] if len(parts) == 1 else joined(*parts)

    # ---- the operations

    def _acc(self, op: Any, world: World) -> World:
        total = self.ports.get(op["port"])
        if total is None:
            total = np.zeros((2, self.n), np.int64)
        total = self._bound(total, op["sum_ovf"], op, "sum", world)
        total = shifted(total, self._value(world, op["shift"])[0])
        total = self._bound(total, op["shift_ovf"], op, "sum", world)
        result = plus(world.state[op["reg"]], total)
        return self._write(world, op["reg"], self._bound(result, op["ovf"], op, op["reg"], world))

    def _decay(self, op: Any, world: World) -> World:
        x, target = world.state[op["reg"]], op["into"] or op["reg"]
        kept = decayed(op, x, self._value(world, op["d"]))
        if not op["into"]:
            return self._write(world, target, self._bound(kept, op["ovf"], op, target, world))
        change = meet(minus(kept, x), self._change(op, x, world))
        bounded = self._bound(change, op["ovf"], op, target, world)
        world = self._write(world, target, bounded)
        if target != op["reg"]:
            world.links[target] = (op["reg"], _where_same(bounded, change, kept))
        return world

    def _change(self, op: Any, x: IntArray, world: World) -> IntArray:
        """Return the interval of what a decay adds: near a straight line on each side of 0."""
        d, ends = self._value(world, op["d"]), []
        for edge in (np.maximum(x, 0), np.minimum(x, 0)):
            for row in edge:
                at = point(row, self.n)
                ends.append(minus(decayed(op, at, d), at))
        rounding = 4 * max(1, op["min_step"])  # twice the most that a rounding moves a value
        low = np.min([end[0] for end in ends], axis=0) - rounding
        high = np.max([end[1] for end in ends], axis=0) + rounding
        return snap(pair(low, high))

    def _add(self, op: Any, world: World, sign: int = 1) -> World:
        register, source = op["reg"], str(op["src"])
        by = self._value(world, op["shift"])[0]
        moved = shifted(self._value(world, op["src"]), by, op["round"])
        moved = self._bound(moved, op["src_ovf"], op, source, world)
        moved = moved if sign > 0 else negative(moved)
        result = plus(world.state[register], moved)
        link, mine = world.links.get(source), world.links.get(register)
        plain = sign > 0 and not by.any() and not op["src_ovf"]
        if link is not None and link[0] == register and plain:
            result = meet(result, link[1])
        bounded = self._bound(result, op["ovf"], op, register, world)
        world = self._write(world, register, bounded)
        if mine is not None:
            world.links[register] = (mine[0], _where_same(bounded, result, plus(mine[1], moved)))
        return world

    def _sub(self, op: Any, world: World) -> World:
        return self._add(op, world, sign=-1)

    def _copy(self, op: Any, world: World) -> World:
        return self._write(world, op["reg"], self._value(world, op["src"]))

    def _set(self, op: Any, world: World) -> World:
        return self._write(world, op["reg"], self._value(world, op["value"]))

    def _clamp(self, op: Any, world: World) -> World:
        x = world.state[op["reg"]]
        lo, hi = self._value(world, op["lo"]), self._value(world, op["hi"])
        self.notes.add((op["reg"], "clamp", op["at"], ""), x, lo[1], hi[0], world.alive)
        raised = pair(np.maximum(x[0], lo[0]), np.maximum(x[1], lo[1]))
        lowered = pair(np.minimum(raised[0], hi[0]), np.minimum(raised[1], hi[1]))
        return self._write(world, op["reg"], lowered)

    def _floor(self, op: Any, world: World) -> World:
        def below(mine: World) -> World:
            value = self._value(mine, op["value"])
            if op["action"] == "subtract":
                value = minus(mine.state[op["reg"]], value)
            return self._write(mine, op["reg"], value)

        level = self._value(world, op["level"])
        return self._fork(world, op["reg"], op["cmp"], level, below, lambda mine: mine)

    def _branches(self, op: Any) -> tuple[Any, Any]:
        return (lambda w: self._run(op["then"], w), lambda w: self._run(op["else"], w))

    def _if_ref(self, op: Any, world: World) -> World:
        return self._fork(world, "ref", ">", point(0, self.n), *self._branches(op))

    def _tick_ref(self, op: Any, world: World) -> World:
        return self._write(world, "ref", np.maximum(plus(world.state["ref"], point(-1, self.n)), 0))

    def _if(self, op: Any, world: World) -> World:
        level = shifted(self._value(world, op["level"]), self._value(world, op["level_shift"])[0])
        ways = self._branches(op)
        return self._fork(world, op["src"], op["cmp"], level, *ways, magnitude=op["magnitude"])

    def _if_step(self, op: Any, world: World) -> World:
        interval, offset = (self._value(world, op[k]) for k in ("interval", "offset"))
        may = world.alive & (interval[1] > 0)
        must = (interval[0] == 1) & (interval[1] == 1)
        known = (interval[0] == interval[1]) & (offset[0] == offset[1])
        if self.t is not None:
            due = (self.t - offset[0]) % np.maximum(interval[0], 1) == 0
            may, must = may & (~known | due), must | (known & due & (interval[0] > 0))
        worlds = []
        for alive, branch in ((may, "then"), (world.alive & ~must, "else")):
            if alive.any():
                worlds.append(self._run(op[branch], world.narrowed(alive)))
        return worlds[0] if len(worlds) == 1 else joined(*worlds)

    def _emit(self, op: Any, world: World) -> World:
        by = self._value(world, op["shift"])[0]
        world.sent = plus(world.sent, shifted(self._value(world, op["src"]), by))
        return world


def _where_same(bounded: IntArray, free: IntArray, known: IntArray) -> IntArray:
    """Return what is known where no overflow rule can have acted, and no limit elsewhere."""
    same = np.all(bounded == free, axis=0)
    return np.where(same, known, np.array([[-FAR], [FAR]]))
