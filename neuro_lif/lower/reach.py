"""Proves on the coded integers how far every register can go.

The operations of the profile are run on intervals (:mod:`neuro_lif.certify.intervals`). If one step
from a candidate interval ends inside it again, no input within the assumed bounds ever leaves it,
and every overflow rule passed on the way is checked against it. The candidate comes from the
decays; a wrong one only fails to prove, it cannot prove what is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, entries, is_sparse, post_of_entries
from ..certify.intervals import Interpreter
from ..certify.spans import hull, shifted, within
from ..certify.world import World
from ..fixed import FixedNetwork, FixedProjection
from ..numerics import walk
from ..stored import kernel_stages, shift_rounded
from .bounds import LEAST_LEAK, active, lanes_of, strongest
from .form import LifForm
from .kernels import strongest_folded

MONOTONE = ("rtz", "floor", "raz", "nearest_up")
MULTIPLIED = ("mult_keep", "mult_step", "mult_by")
FARTHEST = 2**60


@dataclass(frozen=True)
class Reached:
    """How far one register goes towards the nearer end of its range, both in LSB."""

    bound: int
    limit: int

    @property
    def share(self) -> float:
        """Share of the range used; above 1 it overflows."""
        return self.bound / self.limit if self.limit > 0 else float(np.inf if self.bound else 0)


class Watched(Interpreter):
    """Runs operations on intervals and notes how far each register goes, as if it had no end.

    Args:
        ops, params, n: see :class:`neuro_lif.certify.intervals.Interpreter`.
        spikes: False for a read-out, which must not reach its threshold.
    """

    def __init__(self, ops: Any, params: Mapping[str, IntArray], n: int, spikes: bool) -> None:
        super().__init__(ops, params, n)
        self.spikes, self.reached = spikes, dict[str, Reached]()

    def note(self, name: str, x: IntArray, lo: int, hi: int) -> None:
        """Remember the largest share of a range that was used."""
        up, down = max(int(x[1].max(initial=0)), 0), max(-int(x[0].min(initial=0)), 0)
        sides = (Reached(up, hi), Reached(down, -lo))
        known = self.reached.get(name, Reached(0, max(hi, -lo)))
        self.reached[name] = max(known, *sides, key=lambda r: r.share)

    def _bound(self, x: IntArray, rules: Any, op: Any, name: str, world: World) -> IntArray:
        for _, lo, hi in rules:
            self.note(name, np.where(world.alive, x, 0), lo, hi)
        return x

    def _clamp(self, op: Any, world: World) -> World:
        lo, hi = self._value(world, op["lo"]), self._value(world, op["hi"])
        x = np.where(world.alive, world.state[op["reg"]], 0)
        self.note(op["reg"], x, int(np.max(lo)), int(np.min(hi)))
        return super()._clamp(op, world)

    def _fire(self, op: Any, world: World) -> World:
        if self.spikes:
            return super()._fire(op, world)
        threshold = shifted(self._value(world, op["thr"]), op["thr_shift"])
        last = threshold[0] - (op["cmp"] == ">=")  # the highest value that does not fire
        self.note(op["reg"], world.state[op["reg"]], -FARTHEST, int(np.min(last)))
        return world


def lends_itself(ops: Any) -> bool:
    """Tell whether a model is plain enough for a candidate of :func:`candidate` to be proved."""
    for op in walk(ops):
        kind = op["op"]
        if kind in ("sub", "floor", "if", "if_step", "each", "emit"):
            return False
        if kind == "add" and str(op["src"]).startswith("-"):
            return False
        if kind == "decay" and (op["kind"] not in MULTIPLIED or op["round"] not in MONOTONE):
            return False
        if kind == "decay" and op["into"]:
            return False
        if kind == "fire" and op["min_v"] is not None:
            return False
        if kind == "fire" and op["cmp_reg"] not in (None, op["reg"]):
            return False
    return True


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
    graded: Mapping[str, IntArray] | None = None,
    least: float = LEAST_LEAK,
) -> Reach | None:
    """Return how far a population's registers go while at most ``activity`` of each source fire.

    Args:
        fixed: the coded network.
        name: the population.
        form: its model, seen as a LIF.
        most: source -> most spikes of one channel in one step, where above 1.
        activity: share of each projection's sources that may fire in one step.
        spikes: False for a read-out, which must not reach its threshold.
        graded: filter stage -> lowest and highest value that each neuron sends ``(2, n)``.
        least: share of v lost per step below which its bound is over ``1 / least`` steps.

    Returns:
        None where the model's operations do not lend themselves to a proof.
    """
    ops, params = fixed.profile.ops(form.model), fixed.params(name)
    if not lends_itself(ops):
        return None
    port, sums = arriving(fixed, name, most, activity, graded)
    start = {r: np.stack([x, x]) for r, x in fixed.initial(name).items()}
    voltage = form.registers[0]
    inside = candidate(fixed, name, form, port, activity, least)
    state = start | inside
    for _ in range(2):
        # the other registers hold nothing over a step in a LIF; if one does, the next step tells
        _, first = _stepped(ops, params, state, spikes, port)
        state |= {r: hull(state[r], x) for r, x in first.items() if r not in inside}
    again, after = _stepped(ops, params, state, spikes, port)
    still = state | {voltage: np.zeros_like(state[voltage])}
    rested, _ = _stepped(ops, params, still, spikes, port)
    open_ = {r for r, x in after.items() if not within(x, state[r]).all()}
    proved = set(again.reached) if not open_ else set()
    if open_ == {voltage}:  # then what does not depend on v is still sure
        proved = {r for r, x in again.reached.items() if rested.reached[r] == x} - {voltage}
    reached = dict(again.reached)
    for r in sums:
        reached["sum"] = max(reached.get("sum", r), r, key=lambda x: x.share)
    return Reach(reached, frozenset(proved))


def _stepped(ops: Any, params: Any, state: Any, spikes: bool, port: IntArray) -> Any:
    """Return (the interpreter with what it noted, the registers after the step)."""
    watched = Watched(ops, params, port.shape[1], spikes)
    after, _ = watched.step(state, {"in": port})
    return watched, after


def arriving(
    fixed: FixedNetwork, name: str, most: Mapping[str, int], activity: float,
    graded: Mapping[str, IntArray] | None = None,
) -> tuple[IntArray, list[Reached]]:  # fmt: skip
    """Return the lowest and highest input of one step ``(2, n)``, and how far the sums go.

    ``graded`` is filter stage -> lowest and highest value that each neuron sends ``(2, n)``.
    """
    port = np.zeros((2, fixed.population(name).size), np.int64)
    sums = []
    for p in fixed.projections:
        if p.post == name:
            if graded is not None and p.pre in graded:
                one = _linked(fixed, p, graded[p.pre])
            else:
                one = delivered(fixed, p, most.get(p.pre, 1), activity)
            port += one
            for _, lo, hi in fixed.accumulator(p):
                sums += [Reached(int(one[1].max()), hi), Reached(-int(one[0].min()), -lo)]
    for direct in fixed.directs:
        if direct.population == name and direct.span is not None:
            port += np.stack([np.minimum(direct.span[0], 0), np.maximum(direct.span[1], 0)])
    return port, sums


def delivered(fixed: FixedNetwork, p: FixedProjection, most: int, activity: float) -> IntArray:
    """Return the lowest and highest sum one projection delivers in one step ``(2, n_post)``."""
    n_post, n_pre = p.shape
    count = active(n_pre, activity)
    if p.convolution is not None and p.is_folded and np.ndim(p.delays) == 0:
        conv, kernel = p.convolution, kernel_stages(fixed.profile, p, p.convolution).delivered
        up, down = (strongest_folded(conv, sign * kernel, count) for sign in (1, -1))
    else:
        effective, lane = fixed.effective_weights(p), lanes_of(p.delays)
        values, post = entries(effective).astype(np.float64), post_of_entries(effective)
        up, down = (strongest(sign * values, post, n_post, count, *lane) for sign in (1, -1))
    # float64 sums of integers are exact here: far below 2^53
    whole = np.asarray(np.rint([-down, up]), np.int64) * most
    rounding = fixed.profile.weights.exponent_round
    return shift_rounded(whole, fixed.sum_exponent(p), rounding)


def _linked(fixed: FixedNetwork, p: FixedProjection, values: IntArray) -> IntArray:
    """Return the lowest and highest that graded values ``(2, n_pre)`` deliver ``(2, n_post)``."""
    effective = fixed.effective_weights(p)
    weights, post = entries(effective), post_of_entries(effective)
    pre = effective.indices if is_sparse(effective) else np.tile(
        np.arange(effective.shape[1]), effective.shape[0])  # fmt: skip
    ends = np.sort(weights * values[:, pre], axis=0)
    whole = np.zeros((2, effective.shape[0]), np.int64)
    for row, end in zip(whole, ends, strict=True):
        np.add.at(row, post, end)
    return shift_rounded(whole, fixed.sum_exponent(p), fixed.profile.weights.exponent_round)


def candidate(
    fixed: FixedNetwork,
    name: str,
    form: LifForm,
    port: IntArray,
    activity: float,
    least: float = LEAST_LEAK,
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
    loss, slack = _settling(form.decay_v, params, activity, len(low), least)
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
    code: Any, params: Mapping[str, IntArray], activity: float, n: int, lowest: float = LEAST_LEAK
) -> tuple[FloatArray, float]:
    """Return (share lost per step, LSB by which rounding may add to a magnitude)."""
    loss = np.zeros(n) if code is None else code.loss(params[code.param])
    exact = code is None or (code.rounding == "rtz" and code.kind != "mult_step")
    least = np.maximum(loss, lowest)
    shares = np.where(loss > 0, loss, least) if activity == 1.0 else least
    return shares, 0.0 if exact else 1.0


def _whole(low: FloatArray, high: FloatArray) -> IntArray:
    rows = [np.maximum(np.floor(low), -FARTHEST), np.minimum(np.ceil(high), FARTHEST)]
    return np.asarray(rows, np.int64)
