"""Events that may arrive at a port that takes them singly, and what a run of them can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import IntArray
from .spans import FAR, negative, pair

MOST_TURNS = 4096
"""Events of one neuron in one step that are followed one by one."""

MOST_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class Potential:
    """Events that may arrive in one step, in order of arrival.

    Args:
        n: neurons of the population.
        post: ``(m,)`` to whom.
        weight: ``(2, m)`` lowest and highest weight.
        times: ``(2, m)`` how often at least and at most, one after the other.
    """

    n: int
    post: IntArray
    weight: IntArray
    times: IntArray

    def most(self) -> IntArray:
        """Return how many events a neuron can get ``(n,)``."""
        return self._count(self.times[1])

    def least(self) -> IntArray:
        """Return how many events a neuron gets for sure ``(n,)``."""
        return self._count(self.times[0])

    def _count(self, times: IntArray) -> IntArray:
        found = np.zeros(self.n, np.int64)
        np.add.at(found, self.post, times)
        return found

    def span(self) -> IntArray:
        """Return lowest and highest weight of any one event of a neuron, 0 where it has none."""
        out = pair(np.full(self.n, 2 * FAR), np.full(self.n, -2 * FAR))
        live = self.times[1] > 0
        np.minimum.at(out[0], self.post[live], self.weight[0, live])
        np.maximum.at(out[1], self.post[live], self.weight[1, live])
        return np.where(out[0] > out[1], 0, out)

    def total(self) -> IntArray:
        """Return how far any run of the events can take their sum ``(2, n)``, 0 included."""
        ends = pair(np.minimum(self.weight[0], 0), np.maximum(self.weight[1], 0))
        out, real = np.zeros((2, self.n), np.int64), np.zeros((2, self.n))
        for row in (0, 1):
            np.add.at(out[row], self.post, ends[row] * self.times[1])
            np.add.at(real[row], self.post, ends[row] * self.times[1].astype(np.float64))
        far = np.abs(real) >= FAR
        return np.where(far, np.array([[-FAR], [FAR]]), out)

    def turns(self) -> tuple[IntArray, Any, Any] | None:
        """Return (weights ``(k, 2, n)``, may there be one, must there be one ``(k, n)``) by turn.

        None where there are too many.
        """
        longest = int(self.most().max(initial=0))
        if longest > MOST_TURNS or longest * self.n > MOST_CELLS:
            return None
        item = np.repeat(np.arange(self.post.size), self.times[1])
        repeat = np.arange(item.size) - np.searchsorted(item, item)
        order = np.argsort(self.post[item], kind="stable")
        item, repeat = item[order], repeat[order]
        neuron = self.post[item]
        turn = np.arange(neuron.size) - np.searchsorted(neuron, neuron)
        weights = np.zeros((longest, 2, self.n), np.int64)
        may, must = np.zeros((2, longest, self.n), np.bool_)
        weights[turn, :, neuron] = self.weight[:, item].T
        may[turn, neuron], must[turn, neuron] = True, repeat < self.times[0, item]
        return weights, may, must


NONE = np.zeros(0, np.int64)


def nothing(n: int) -> Potential:
    """Return no events at all."""
    return Potential(n, NONE, np.zeros((2, 0), np.int64), np.zeros((2, 0), np.int64))


def signed(weight: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return (weights, times) of events: a negative count repeats the negative weight.

    Args:
        weight: ``(m,)`` known weights.
        counts: ``(2, m)`` lowest and highest count.
    """
    up, down = pair(weight, weight), negative(pair(weight, weight))
    both = pair(-np.abs(weight), np.abs(weight))
    span = np.where(counts[0] >= 0, up, np.where(counts[1] <= 0, down, both))
    most = np.maximum(np.abs(counts[0]), np.abs(counts[1]))
    crosses = (counts[0] <= 0) & (counts[1] >= 0)
    least = np.where(crosses, 0, np.minimum(np.abs(counts[0]), np.abs(counts[1])))
    return span, pair(least, most)


def together(parts: list[Potential], n: int) -> Potential:
    """Return the events of several projections, one projection after the other."""
    if not parts:
        return nothing(n)
    return Potential(
        n,
        np.concatenate([p.post for p in parts]),
        np.concatenate([p.weight for p in parts], axis=1),
        np.concatenate([p.times for p in parts], axis=1),
    )


# ------------------------------------------------------------------- bodies that only add up


@dataclass(frozen=True)
class Sum:
    """What one run of an ``each`` adds to a register: port -> shift of that event's weight."""

    old: bool
    ports: Mapping[str, int | str]


def added_up(do: Any) -> dict[str, Sum] | None:
    """Return what every register holds after one run, where the body does nothing but add.

    None where it does anything else.
    """
    forms: dict[str, Sum] = {}
    for op in do:
        old = forms.get(op.get("reg"), Sum(True, {}))
        if op["op"] == "set" and op["value"] == 0:
            forms[op["reg"]] = Sum(False, {})
        elif op["op"] == "acc" and op["port"] not in old.ports:
            forms[op["reg"]] = Sum(old.old, {**old.ports, op["port"]: op["shift"]})
        elif op["op"] == "add" and op["shift"] == 0 and (found := forms.get(str(op["src"]))):
            if found.old or found.ports.keys() & old.ports.keys():
                return None
            forms[op["reg"]] = Sum(old.old, {**old.ports, **found.ports})
        else:
            return None
    kept = [name for name, form in forms.items() if form.old]
    writes = [op["reg"] for op in do]
    return forms if all(writes.count(name) == 1 for name in kept) else None
