"""Filter stages in the certificate: what they may send, as intervals, and the links that carry it.

A stage's register decays and takes what arrives like any other. It is sent shifted right, and what
the shift cuts off is carried to the next step: whatever the state is, the remainder is 0 to
``2**out_shift - 1`` of the stage's LSB, so what is sent is off by less than one unit of the shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, entries
from ..errors import LoweringError
from ..fixed import FixedNetwork, FixedProjection
from ..lazy import is_sparse
from ..numerics import walk
from ..reference.theory.residual import kept_factor
from .bounds import EXACT, Bounds, Mask, plus

HEAD = ("decay", "acc", "set", "add")
TAIL = ("add", "set", "add", "emit", "sub")
"""How a stage sends: remainder + state, cleared, what is sent, sent, and taken away again."""


def check_stage(profile: Any, model: str) -> None:
    """Refuse a model that is no filter stage of the form the bounds follow.

    Raises:
        LoweringError: naming the model.
    """
    where = f"profile {profile.name}, model {model}"
    ops = walk(profile.ops(model))
    ports = sorted(profile.ports(model))
    head, tail = ops[: -len(TAIL)], ops[-len(TAIL) :]
    kinds = [o["op"] for o in ops]
    fits = (
        tuple(kinds[-len(TAIL) :]) == TAIL
        and kinds.count("decay") == 1
        and all(k in HEAD for k in kinds[: -len(TAIL)])
        and ports == ["in"]
        and not profile.hears_noise(model)
        and _sends_all(*tail)
        and profile.params[tail[-1]["shift"]].span[0] >= 0
        and not {tail[0]["reg"], tail[1]["reg"]} & {o["reg"] for o in head}
    )
    if not fits:
        raise LoweringError(
            f"{where}: no filter stage that the bounds follow, allowed: one decay, one port 'in', "
            "and a state that is sent shifted right with the remainder carried"
        )
    decay = next(o for o in ops if o["op"] == "decay")
    kept_factor(decay, 0)
    if decay["into"]:
        raise LoweringError(f"{where}, op decay: into = {decay['into']}, allowed: absent")


def _sends_all(add: Any, clear: Any, cut: Any, emit: Any, sub: Any) -> bool:
    """Tell whether what is sent is taken away from the remainder, and nothing else."""
    rest, sent, by = add["reg"], clear["reg"], sub["shift"]
    return bool(
        rest != sent and add["src"] not in (rest, sent) and add["shift"] == 0
        and clear["value"] == 0
        and (cut["reg"], cut["src"], cut["round"]) == (sent, rest, "floor")
        and isinstance(by, str) and cut["shift"] == f"-{by}"
        and emit["src"] == sent and emit["shift"] == 0
        and (sub["reg"], sub["src"]) == (rest, sent)
    )  # fmt: skip


class StageBounds(Bounds):
    """State of one filter stage, as intervals; ``sent`` is what it sends in the step."""

    sent: FloatArray
    spans: Mapping[str, tuple[int, int]]
    """What the registers hold."""

    def relay(self, arriving: IntArray, more: FloatArray | None) -> FloatArray:
        """Advance one step; return what is sent, an interval ``(2, batch, n)``."""
        self.step(arriving, np.zeros(self.shape, np.bool_), more)
        return self.sent

    def _write(self, register: str, x: FloatArray, mask: Mask) -> None:
        low, high = self.spans[register]
        self.overflow |= mask & ((x[0] < low) | (x[1] > high))
        super()._write(register, x, mask)

    def _add(self, op: Any, mask: Mask, sign: int = 1) -> None:
        by = self._number(op["shift"])
        if sign < 0:  # the last: what the shift cut off is left
            top = 2.0 ** np.asarray(by, np.float64) - 1.0
            left = np.stack([np.zeros(self.shape), np.broadcast_to(top, self.shape)])
            self._write(op["reg"], self._bounded(left, op["ovf"], mask), mask)
        elif op["src"] in self.state and np.any(by < 0):
            moved = np.floor(self._interval(op["src"]) * 2.0**by)
            if op["round"] != "floor":
                moved[1] += 1.0
            moved = self._bounded(moved, op["src_ovf"], mask)
            result = plus(self.state[op["reg"]], moved)
            self._write(op["reg"], self._bounded(result, op["ovf"], mask), mask)
        else:
            super()._add(op, mask)

    def _emit(self, op: Any, mask: Mask) -> None:
        self.sent = self.state[op["src"]]


class Link:
    """A projection that carries what a stage sends, one to one.

    Args:
        fixed, p: the network and the projection.

    Raises:
        LoweringError: it is none that ``quantize`` makes, naming it.
    """

    def __init__(self, fixed: FixedNetwork, p: FixedProjection) -> None:
        self.p, self.rules = p, fixed.accumulator(p)
        self.exponent = fixed.sum_exponent(p)
        self.soonest = fixed.latency(p) + int(np.max(p.delays, initial=0))
        weight, same = _one_to_one(fixed.effective_weights(p)), _all_same(p.delays)
        if weight is None or not (p.graded and same and self.soonest >= 1) or np.any(weight < 0):
            raise LoweringError(
                f"projection {p.name!r} carries what a filter stage sends, allowed: graded, one to "
                "one, weights >= 0, one delay, at least a step later"
            )
        self.weight = weight.astype(np.float64)
        self.due: dict[int, FloatArray] = {}
        self.lost: dict[int, Mask] = {}

    def send(self, t: int, sent: FloatArray) -> None:
        """Take what a stage may send in step ``t``."""
        over = np.zeros(sent.shape[1:], np.bool_)
        x = sent * self.weight
        for k in (0, 1):
            over |= (np.abs(x) > EXACT).any(axis=0)
            for _, lo, hi in self.rules:
                over |= (x[0] < lo) | (x[1] > hi)
            x = np.floor(x * 2.0**self.exponent) if k == 0 else x
        self.due[t + self.soonest], self.lost[t + self.soonest] = x, over

    def arriving(self, t: int) -> tuple[FloatArray, Mask] | None:
        """Return what may arrive in step ``t``, and where it may have overflowed on the way."""
        return (self.due.pop(t), self.lost.pop(t)) if t in self.due else None

    def reached(self, doubted: Mask) -> Mask:
        """Return who hears a stage's neuron that is not certain ``(batch, n_post)``."""
        return np.asarray(doubted & (self.weight != 0), np.bool_)


def _one_to_one(weights: Any) -> Any:
    """Return the weights of a projection from each neuron to its like, None if it is another."""
    n = weights.shape[0]
    if weights.shape != (n, n):
        return None
    if is_sparse(weights):
        whole = np.array_equal(weights.indptr, np.arange(n + 1))
        return entries(weights) if whole and np.array_equal(weights.indices, np.arange(n)) else None
    found = np.diagonal(weights)
    return found if np.count_nonzero(weights) == np.count_nonzero(found) else None


def _all_same(delays: Any) -> bool:
    return bool(np.all(np.asarray(delays) == np.max(delays, initial=0)))
