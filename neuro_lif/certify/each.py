"""``each`` on intervals: events one by one, or all at once where the body only adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import IntArray
from .potential import Potential, Sum, added_up, nothing
from .spans import FAR, hull, overflowed, pair, plus, shifted, within
from .world import Core, World, joined

PATIENCE = 16
"""Runs of a body before an end that still moves is taken for no limit."""


class Events(Core):
    """The operation ``each``."""

    def _each(self, op: Any, world: World) -> World:
        events = {port: self.ports.get(port, nothing(self.n)) for port in op["ports"]}
        if not any(e.times[1].any() for e in events.values()):
            return world
        forms = added_up(op["do"])
        if forms is not None and (out := self._summed(op, world, events, forms)) is not None:
            return out
        turns = _turns(list(events.values()), self.n)
        outside = self.ports
        if turns is None:
            world = self._often(op, world, events)
        else:
            for weights, may, must in turns:
                self.ports = dict(zip(events, weights, strict=True))
                world = self._once(op, world, may, must)
        self.ports = outside
        return world

    def _once(self, op: Any, world: World, may: Any, must: Any) -> World:
        """Run the body for neurons that may have an event."""
        if not (world.alive & may).any():
            return world
        ran = self._run(op["do"], world.narrowed(world.alive & may))
        rest = world.narrowed(world.alive & ~must)
        return joined(ran, rest)

    def _often(self, op: Any, world: World, events: dict[str, Potential]) -> World:
        """Run the body any number of times."""
        self.ports = {port: hull(e.span(), np.zeros((2, self.n), np.int64))
                      for port, e in events.items()}  # fmt: skip
        never = np.zeros(self.n, np.bool_)
        for k in range(4 * PATIENCE):
            after = self._once(op, world, ~never, never)
            state = {**world.state, "sent": world.sent}
            moved = {r: x for r, x in {**after.state, "sent": after.sent}.items()
                     if not within(x, state[r]).all()}  # fmt: skip
            if not moved:
                return after
            if k >= PATIENCE:
                far = {r: _widened(x, state[r]) for r, x in moved.items()}
                after.sent = far.pop("sent", after.sent)
                after.state, after.links = {**after.state, **far}, {}
            world = after
        nothing_known = pair(np.full(self.n, -FAR), np.full(self.n, FAR))
        world.state, world.links = dict.fromkeys(world.state, nothing_known), {}
        world.sent = nothing_known
        return world

    def _summed(
        self, op: Any, world: World, events: dict[str, Potential], forms: dict[str, Sum]
    ) -> World | None:
        """Return the world after all events where the body adds up; None where a rule acts."""
        none = np.zeros((2, self.n), np.int64)
        accs = [o for o in op["do"] if o["op"] == "acc"]
        adds = {o["port"]: self._weighed(o, world, events[o["port"]]) for o in accs}
        one = {port: hull(e.span(), none) for port, e in adds.items()}
        reach: dict[str, IntArray] = {}
        for name, form in forms.items():
            reach[name] = world.state[name] if form.old else none
            for port in form.ports:
                reach[name] = plus(reach[name], adds[port].total() if form.old else one[port])
        checks = _checks(op["do"], reach)
        for name, (mode, lo, hi), x, _ in checks:
            outside = world.alive & ((x[0] < lo) | (x[1] > hi))
            if outside.any() and (mode != "sat" or name not in forms or not forms[name].old):
                return None
            start = world.state.get(name, none)
            if outside.any() and not ((start[0] >= lo) & (start[1] <= hi) | ~outside).all():
                return None  # lifted into the range first, then added to
        for name, (mode, lo, hi), x, at in checks:
            self.notes.add((name, mode, at, f"{lo}..{hi}"), x, lo, hi, world.alive)
            if name in reach:  # what saturates on the way gets no further than the sum would
                reach[name] = np.clip(reach[name], lo, hi)
        idle = np.all([e.most() == 0 for e in events.values()], axis=0)
        for name, x in reach.items():
            old = world.state[name]
            world = self._write(world, name, np.where(idle, old, hull(x, old)))
        return world

    def _weighed(self, op: Any, world: World, events: Potential) -> Potential:
        """Return the events with what each of them adds, after its shift and its rules."""
        for key in ("sum_ovf", "shift_ovf"):
            if key == "shift_ovf":
                by = self._value(world, op["shift"])[0]
                events = replace(events, weight=shifted(events.weight, by[events.post]))
            for mode, lo, hi in op[key]:
                key_ = ("sum", mode, op["at"], f"{lo}..{hi}")
                self.notes.add(key_, events.span(), lo, hi, world.alive & (events.most() > 0))
                x = events.weight
                inside = (x[0] >= lo) & (x[1] <= hi)
                bounded = np.where(inside, x, overflowed(x, mode, lo, hi))
                events = replace(events, weight=bounded)
        return events


def _checks(do: Any, reach: dict[str, IntArray]) -> list[tuple[str, Any, IntArray, int]]:
    """Return (register, rule, interval it watches, operation) of a body that adds up."""
    found: list[tuple[str, Any, IntArray, int]] = []
    for op in do:
        watched = [(op["reg"], "ovf", reach[op["reg"]])] if op["op"] != "set" else []
        if op["op"] == "add":
            source = str(op["src"])
            watched.append((source, "src_ovf", reach[source]))
        found += [(name, rule, x, op["at"]) for name, key, x in watched for rule in op[key]]
    return found


def _widened(x: IntArray, before: IntArray) -> IntArray:
    return pair(np.where(x[0] < before[0], -FAR, x[0]), np.where(x[1] > before[1], FAR, x[1]))


def _turns(events: list[Potential], n: int) -> Any:
    """Return (weight per port, may, must) of every turn; None where there are too many.

    Of one port the events are taken in order, each or not. Of several ports turn k takes the k-th
    event there is, which may be any from the k-th on.
    """
    found = []
    for event in events:
        turns = event.turns()
        if turns is None:
            return None
        found.append(turns)
    if len(events) == 1:
        weights, may, must = found[0]
        return [([weights[k]], may[k], must[k]) for k in range(len(weights))]
    later = [_from_here_on(weights, may) for weights, may, _ in found]
    most, least = [e.most() for e in events], [e.least() for e in events]
    none, out = np.zeros((2, n), np.int64), []
    for k in range(max(len(weights) for weights in later)):
        spans = []
        for weights, sure in zip(later, least, strict=True):
            span = weights[k] if k < len(weights) else none
            spans.append(np.where(sure > k, span, hull(span, none)))
        may = np.any([m > k for m in most], axis=0)
        out.append((spans, may, np.any([s > k for s in least], axis=0)))
    return out


def _from_here_on(weights: IntArray, may: Any) -> IntArray:
    """Return lowest and highest weight of any event from each turn on ``(k, 2, n)``."""
    low = np.where(may, weights[:, 0], FAR)[::-1]
    high = np.where(may, weights[:, 1], -FAR)[::-1]
    low = np.minimum.accumulate(low, axis=0)[::-1]
    high = np.maximum.accumulate(high, axis=0)[::-1]
    empty = low > high
    return np.stack([np.where(empty, 0, low), np.where(empty, 0, high)], axis=1)
