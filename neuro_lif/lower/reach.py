"""Proves on the coded integers how far every register can go.

The operations of the profile are run once on intervals: two rows of integers, the lowest and the
highest value. If one step from a candidate interval ends inside it again, no input within the
assumed bounds ever leaves it, and every overflow rule passed on the way is checked against it. The
candidate comes from the decays; a wrong one only fails to prove, it cannot prove what is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, entries, post_of_entries
from ..emulator import OpList
from ..fixed import FixedNetwork, FixedProjection, shift_rounded
from .bounds import LEAST_LEAK, active, lanes_of, strongest
from .form import LifForm

MONOTONE = ("rtz", "floor", "raz", "nearest_up")
FARTHEST = 2**60


class NoProof(Exception):
    """An operation that intervals cannot be run through."""


@dataclass(frozen=True)
class Reached:
    """How far one register goes towards the nearer end of its range, both in LSB."""

    bound: int
    limit: int

    @property
    def share(self) -> float:
        """Share of the range used; above 1 it overflows."""
        return self.bound / self.limit if self.limit > 0 else float(np.inf if self.bound else 0)


class Intervals(OpList):
    """Runs operations on intervals: every register is ``(2, n)``, lowest and highest value.

    Operations that grow with every register run as the emulator runs them, on both rows; the
    others are stated here.
    """

    def __init__(self, ops: Any, params: Mapping[str, IntArray], state: Any, spikes: bool) -> None:
        super().__init__(ops, params, state)
        self.spikes, self.reached = spikes, dict[str, Reached]()

    def note(self, name: str, x: IntArray, lo: int, hi: int) -> None:
        """Remember the largest share of a range that was used."""
        up, down = max(int(x[1].max(initial=0)), 0), max(-int(x[0].min(initial=0)), 0)
        sides = (Reached(up, hi), Reached(down, -lo))
        known = self.reached.get(name, Reached(0, max(hi, -lo)))
        self.reached[name] = max(known, *sides, key=lambda r: r.share)

    def _bound(self, x: IntArray, rules: Any, op: Any, name: str, where: Any) -> IntArray:
        for _, lo, hi in rules:
            self.note(name, x, lo, hi)
        return x

    def _decay(self, op: Any, ports: Any, where: Any) -> None:
        if op["kind"] not in ("mult_keep", "mult_step", "mult_by") or op["round"] not in MONOTONE:
            raise NoProof(f"decay {op['kind']}, rounding {op['round']}")
        if op["into"]:
            raise NoProof("a decay into another register")
        super()._decay(op, ports, where)

    def _add(self, op: Any, ports: Any, where: Any, sign: int = 1) -> None:
        if sign < 0 or str(op["src"]).startswith("-"):
            raise NoProof("subtraction")
        super()._add(op, ports, where)

    def _branch(self, op: Any, ports: Any, holds: Any, where: Any) -> None:
        raise NoProof(f"operation {op['op']}")

    def _each(self, op: Any, ports: Any, where: Any) -> None:
        raise NoProof("events one by one")

    def _emit(self, op: Any, ports: Any, where: Any) -> None:
        raise NoProof("graded spikes")

    def _clamp(self, op: Any, ports: Any, where: Any) -> None:
        lo, hi = self._value(op["lo"]), self._value(op["hi"])
        self.note(op["reg"], self.state[op["reg"]], int(np.max(lo)), int(np.min(hi)))
        super()._clamp(op, ports, where)

    def _floor(self, op: Any, ports: Any, where: Any) -> None:
        raise NoProof("a negative threshold")

    def _fire(self, op: Any, ports: Any, where: Any) -> None:
        plain = op["multi"] == "once" and op["min_v"] is None
        if not plain or op["cmp_reg"] not in (None, op["reg"]):
            raise NoProof("a threshold of another kind")
        threshold = np.asarray(self._value(op["thr"]), np.int64) << op["thr_shift"]
        last = threshold - (op["cmp"] == ">=")  # the highest value that does not fire
        lo, hi = self.state[op["reg"]]
        if not self.spikes:
            self.note(op["reg"], self.state[op["reg"]], -FARTHEST, int(np.min(last)))
            return
        fires = hi > last
        low, high = lo, np.minimum(hi, np.maximum(last, lo))
        if op["reset"] == "value":
            value = self._value(op["value"])
            low, high = np.minimum(low, value), np.maximum(np.minimum(hi, last), value)
        elif op["reset"] == "subtract":
            after = np.stack([np.maximum(lo, last + 1), hi]) - threshold
            self._bound(np.where(fires, after, 0), op["ovf"], op, op["reg"], where)
            low, high = np.minimum(low, after[0]), np.maximum(np.minimum(hi, last), after[1])
        else:
            fires = np.zeros_like(fires)
        self._write(op["reg"], np.where(fires, np.stack([low, high]), [lo, hi]), where)

    def _if_ref(self, op: Any, ports: Any, where: Any) -> None:
        before = dict(self.state)
        self._run(op["then"], ports, where)
        held, self.state = self.state, before
        self._run(op["else"], ports, where)
        for name, a in held.items():
            b = self.state[name]
            self.state[name] = np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])])


@dataclass(frozen=True)
class Reach:
    """What one population's registers can reach.

    Args:
        registers: ``sum``, ``u``, ``v`` ... and how far each goes.
        proved: those for which it holds for ever, given the input.
    """

    registers: dict[str, Reached]
    proved: frozenset[str]


def reach(
    fixed: FixedNetwork,
    name: str,
    form: LifForm,
    most: Mapping[str, int],
    activity: float,
    spikes: bool,
) -> Reach | None:
    """Return how far a population's registers go while at most ``activity`` of each source fire.

    Args:
        fixed: the coded network.
        name: the population.
        form: its model, seen as a LIF.
        most: source -> most spikes of one channel in one step, where above 1.
        activity: share of each projection's sources that may fire in one step.
        spikes: False for a read-out, which must not reach its threshold.

    Returns:
        None where the model's operations do not lend themselves to a proof.
    """
    port, sums = arriving(fixed, name, most, activity)
    start = {r: np.stack([x, x]) for r, x in fixed.initial(name).items()}
    voltage = form.registers[0]
    inside = candidate(fixed, name, form, port, activity)
    state = start | inside
    ops, params = fixed.profile.ops(form.model), fixed.params(name)
    try:
        first = _stepped(ops, params, state, spikes, port)
        # the other registers hold nothing over a step in a LIF; if one does, the second step tells
        state |= {r: _join(state[r], x) for r, x in first.state.items() if r not in inside}
        again = _stepped(ops, params, state, spikes, port)
        still = state | {voltage: np.zeros_like(state[voltage])}
        rested = _stepped(ops, params, still, spikes, port)
    except NoProof:
        return None
    open_ = {r for r, x in again.state.items() if not _within(x, state[r])}
    proved = set(again.reached) if not open_ else set()
    if open_ == {voltage}:  # then what does not depend on v is still sure
        proved = {r for r, x in again.reached.items() if rested.reached[r] == x} - {voltage}
    reached = dict(again.reached)
    for r in sums:
        reached["sum"] = max(reached.get("sum", r), r, key=lambda x: x.share)
    return Reach(reached, frozenset(proved))


def _stepped(ops: Any, params: Any, state: Any, spikes: bool, port: IntArray) -> Intervals:
    intervals = Intervals(ops, params, state, spikes)
    intervals.step(port)
    return intervals


def _join(a: IntArray, b: IntArray) -> IntArray:
    return np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])])


def _within(inner: IntArray, outer: IntArray) -> bool:
    return bool(np.all(inner[0] >= outer[0]) and np.all(inner[1] <= outer[1]))


def arriving(
    fixed: FixedNetwork, name: str, most: Mapping[str, int], activity: float
) -> tuple[IntArray, list[Reached]]:
    """Return the lowest and highest input of one step ``(2, n)``, and how far the sums go."""
    port = np.zeros((2, fixed.population(name).size), np.int64)
    sums = []
    for p in fixed.projections:
        if p.post == name:
            one = delivered(fixed, p, most.get(p.pre, 1), activity)
            port += one
            for _, lo, hi in fixed.accumulator(p):
                sums += [Reached(int(one[1].max()), hi), Reached(-int(one[0].min()), -lo)]
    for direct in fixed.directs:
        if direct.population == name and direct.raster is not None and len(direct.raster):
            port[0] += np.minimum(direct.raster.min(axis=0), 0)
            port[1] += np.maximum(direct.raster.max(axis=0), 0)
    return port, sums


def delivered(fixed: FixedNetwork, p: FixedProjection, most: int, activity: float) -> IntArray:
    """Return the lowest and highest sum one projection delivers in one step ``(2, n_post)``."""
    n_post, n_pre = p.weights.shape
    effective = fixed.effective_weights(p)
    values, post = entries(effective).astype(np.float64), post_of_entries(effective)
    count, lane = active(n_pre, activity), lanes_of(p.delays)
    up, down = (strongest(sign * values, post, n_post, count, *lane) for sign in (1, -1))
    # float64 sums of integers are exact here: far below 2^53
    whole = np.asarray(np.rint([-down, up]), np.int64) * most
    rounding = fixed.profile.weights.exponent_round
    return shift_rounded(whole, fixed.sum_exponent(p), rounding)


def candidate(
    fixed: FixedNetwork, name: str, form: LifForm, port: IntArray, activity: float
) -> dict[str, IntArray]:
    """Return intervals of u and v that one step should not leave."""
    params, start = fixed.params(name), fixed.initial(name)
    voltage, current = form.registers
    low, high = port.astype(np.float64) * 2.0**form.in_shift
    inside = {}
    if current != voltage:
        loss, slack = _settling(form.decay_u, params, activity, len(low))
        low = np.minimum((low - slack) / loss, start[current])
        high = np.maximum((high + slack) / loss, start[current])
        inside[current] = _whole(low, high)
    bias = np.zeros(len(low))
    if form.bias_mant is not None:
        exponent = params[form.bias_exp] if form.bias_exp else 0
        bias = params[form.bias_mant] * 2.0**exponent
    low, high = np.minimum(low + bias, 0.0), np.maximum(high + bias, 0.0)
    loss, slack = _settling(form.decay_v, params, activity, len(low))
    resting = (high + slack) / loss
    threshold = params[form.threshold] * 2.0**form.thr_shift
    if form.reset == "value":
        resting = np.minimum(resting, threshold)
    elif form.reset == "subtract":
        after = (np.maximum(high - threshold, 0.0) + slack) / loss
        resting = np.minimum(resting, np.maximum(threshold, after))
    v = start[voltage].astype(np.float64)
    inside[voltage] = _whole(np.minimum((low - slack) / loss, v), np.maximum(resting, v))
    return inside


def _settling(
    code: Any, params: Mapping[str, IntArray], activity: float, n: int
) -> tuple[FloatArray, float]:
    """Return (share lost per step, LSB by which rounding may add to a magnitude)."""
    loss = np.zeros(n) if code is None else code.loss(params[code.param])
    exact = code is None or (code.rounding == "rtz" and code.kind != "mult_step")
    least = np.maximum(loss, LEAST_LEAK)
    shares = np.where(loss > 0, loss, least) if activity == 1.0 else least
    return shares, 0.0 if exact else 1.0


def _whole(low: FloatArray, high: FloatArray) -> IntArray:
    rows = [np.maximum(np.floor(low), -FARTHEST), np.minimum(np.ceil(high), FARTHEST)]
    return np.asarray(rows, np.int64)
