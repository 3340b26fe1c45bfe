"""``fire`` on intervals: what spikes, what does not, and what is left of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import IntArray
from .spans import FAR, limited, minus, pair, plus, point, shifted
from .world import Core, World, joined


class Firing(Core):
    """The operation ``fire``."""

    def _fire(self, op: Any, world: World) -> World:
        threshold = shifted(self._value(world, op["thr"]), op["thr_shift"])
        watched = op["cmp_reg"] or op["reg"]
        x = world.state[watched]
        room = np.maximum(op["cap"] - world.sent[::-1], 0)  # (2, n): at least, at most
        if op["multi"] == "once":
            room = np.ones_like(room)
        yes = limited(x, op["cmp"], threshold)
        no = limited(x, op["cmp"], threshold, False)
        if op["min_v"] is not None:
            yes = pair(np.maximum(yes[0], op["min_v"]), yes[1])
            no = pair(no[0], np.maximum(no[1], np.minimum(x[1], op["min_v"] - 1)))
        no = np.where(room[0] > 0, no, x)  # without room for a spike any value stays
        fires = world.alive & (yes[0] <= yes[1]) & (room[1] > 0)
        stays = world.alive & (no[0] <= no[1])
        worlds = []
        if fires.any():
            mine = world.narrowed(fires, **{watched: np.where(fires, yes, x)})
            worlds.append(self._fired(op, mine, threshold, room))
        if stays.any():
            worlds.append(world.narrowed(stays, **{watched: np.where(stays, no, x)}))
        return worlds[0] if len(worlds) == 1 else joined(*worlds)

    def _fired(self, op: Any, world: World, threshold: IntArray, room: IntArray) -> World:
        """Return what is left of neurons that spike at least once."""
        register, count = op["reg"], point(1, self.n)
        if op["multi"] == "loop" and op["reset"] != "none":
            count, left = self._looped(op, world, threshold, room)
        else:
            left = minus(world.state[register], threshold)
            if op["reset"] == "subtract":
                left = self._bound(left, op["ovf"], op, register, world)
        if op["reset"] == "subtract":
            world = self._write(world, register, left)
        elif op["reset"] == "value":
            world = self._write(world, register, self._value(world, op["value"]))
        world.sent = plus(world.sent, count)
        if op["ref"] is not None:
            world = self._write(world, "ref", self._value(world, op["ref"]))
        return world

    def _looped(
        self, op: Any, world: World, threshold: IntArray, room: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Return (how many spikes, what is left) where the threshold is taken away repeatedly."""
        x, step = world.state[op["reg"]], threshold[0]
        own = op["cmp_reg"] is None or (op["cmp_reg"] == op["reg"] and op["reset"] == "subtract")
        plain = own & (threshold[0] == threshold[1]) & (step > 0)
        one = np.where(plain, step, 1)
        first = step + (op["cmp"] == ">")  # the lowest value that spikes
        if op["min_v"] is not None:
            first = np.maximum(first, op["min_v"])
        turns = np.maximum((x - first) // one + 1, 1)
        count = pair(np.minimum(turns[0], np.maximum(room[0], 1)),
                          np.minimum(turns[1], room[1]))  # fmt: skip
        least = np.maximum(room[0], 1) * one
        highest = np.where(x[1] >= FAR, FAR, x[1] - one)
        left = pair(first - one, np.maximum(np.minimum(first - 1, highest), x[1] - least))
        same = (turns[0] == turns[1]) & (turns[0] <= room[0])
        left = np.where(same, x - turns * one, left)
        left[1] = np.where(x[1] >= FAR, FAR, left[1])
        coarse = self._coarse(x, threshold, room[1])
        any_count = pair(np.ones_like(step), room[1])
        count = np.where(plain, count, any_count)
        left = np.where(plain, left, coarse)
        if op["reset"] != "subtract" or not op["ovf"]:
            return count, left
        # every value on the way, each taken into its range before the next
        way = np.where(plain, pair(first - one, highest), coarse)
        bounded = self._bound(way, op["ovf"], op, op["reg"], world)
        moved = np.any(bounded != way, axis=0)
        if moved.any():  # from wherever a rule put it, the threshold may be taken away again
            anywhere = self._anywhere(op, bounded)
            again = world.narrowed(world.alive & moved)
            self._bound(minus(anywhere, threshold), op["ovf"], op, op["reg"], again)
            left = np.where(moved, anywhere, left)
        return np.where(moved, any_count, count), left

    def _coarse(self, x: IntArray, threshold: IntArray, most: IntArray) -> IntArray:
        """Return how far up to ``most`` subtractions can take a value."""
        reach = np.abs(threshold) * most.astype(np.float64)
        far = np.where(reach >= FAR, FAR, np.abs(threshold) * most)
        down, up = np.where(threshold[1] > 0, far[1], 0), np.where(threshold[0] < 0, far[0], 0)
        return pair(plus(x, point(-down, self.n))[0], plus(x, point(up, self.n))[1])

    @staticmethod
    def _anywhere(op: Any, like: IntArray) -> IntArray:
        """Return all that the last overflow rule lets through."""
        mode, lo, hi = op["ovf"][-1]
        ends = (lo, hi) if mode != "wrap_once" else (-FAR, FAR)
        return pair(np.full_like(like[0], ends[0]), np.full_like(like[1], ends[1]))
