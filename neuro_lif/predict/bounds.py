"""A population's operations on intervals of reals, along spikes that are taken for given.

Each register is an interval in LSB that surely holds the chip's integer. Two things widen it: the
rounding of a decay, of which only the range is used (``theory.residual``), and float64 itself:
every operation here is rounded outward.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import LoweringError
from ..formats import shift_rounded_array
from ..numerics import walk
from ..reference.theory.residual import Residual, kept_factor, residual_of

Mask = npt.NDArray[np.bool_]
EXACT = 2.0**52
"""A sum of synaptic input beyond this counts as an overflow: float64 does not hold it."""

PLAIN = (
    "acc", "decay", "add", "sub", "copy", "set", "clamp", "floor", "fire", "if_ref", "tick_ref",
)  # fmt: skip
"""Operations that keep an interval an interval when the spikes are known."""


def check_model(profile: Any, model: str) -> None:
    """Refuse a neuron model that the bounds do not follow.

    Raises:
        LoweringError: naming the operation or port.
    """
    where = f"profile {profile.name}, model {model}"
    ops = walk(profile.ops(model))
    odd = next((o["op"] for o in ops if o["op"] not in PLAIN), None)
    if odd is not None:
        raise LoweringError(f"{where}: op {odd}, allowed: {', '.join(PLAIN)}")
    if profile.hears_noise(model) or sorted(profile.ports(model)) not in ([], ["in"]):
        ports = ", ".join(sorted(profile.ports(model)))
        raise LoweringError(f"{where}: ports {ports}, allowed: one port 'in' and no noise")
    fires = [o for o in ops if o["op"] == "fire"]
    if len(fires) != 1:
        raise LoweringError(f"{where}: {len(fires)} operations fire, allowed: one")
    if fires[0]["multi"] != "once" and fires[0]["cap"] > 1:
        raise LoweringError(
            f"{where}, op fire: up to {fires[0]['cap']} spikes in a step, allowed: one"
        )
    for op in ops:
        if op["op"] == "decay":
            kept_factor(op, 0)
            if op["into"]:
                raise LoweringError(f"{where}, op decay: into = {op['into']}, allowed: absent")


def plus(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the sum of two intervals ``(2, ...)``, rounded outward where it is not exact.

    Source: the error of a sum is itself a float64 (Knuth's TwoSum).
    """
    s = a + b
    rest = s - a
    error = (a - (s - rest)) + (b - rest)
    low = np.where(error[0] < 0, np.nextafter(s[0], -np.inf), s[0])
    high = np.where(error[1] > 0, np.nextafter(s[1], np.inf), s[1])
    return np.stack([low, high])


def times(x: FloatArray, m: FloatArray) -> FloatArray:
    """Return the product of an interval ``(2, ...)`` and numbers, rounded outward unless exact.

    Source: the error of a product is itself a float64 (Dekker's product, by Veltkamp's split).
    """

    def split(a: FloatArray) -> tuple[FloatArray, FloatArray]:
        c = a * (2.0**27 + 1)
        high = c - (c - a)
        return high, a - high

    p = x * m
    (x1, x2), (m1, m2) = split(x), split(m)
    error = ((x1 * m1 - p) + x1 * m2 + x2 * m1) + x2 * m2
    p, error = np.where(m < 0, p[::-1], p), np.where(m < 0, error[::-1], error)
    low = np.where(error[0] < 0, np.nextafter(p[0], -np.inf), p[0])
    high = np.where(error[1] > 0, np.nextafter(p[1], np.inf), p[1])
    return np.stack([low, high])


def both(x: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return integers as an interval of one point each ``(2, *shape)``."""
    return np.broadcast_to(np.asarray(x, np.float64), (2, *shape)).copy()


class Bounds:
    """State of one population, as intervals.

    Args:
        ops: resolved operations of its model, as :func:`check_model` lets pass.
        params: parameter -> ``(n,)`` integers.
        start: register -> ``(n,)`` integers, ``ref`` among them.
        batch: samples.
        rounding: None: as the operations round; ``"any"``: whichever way, by less than one LSB.
    """

    def __init__(
        self, ops: Any, params: Mapping[str, IntArray], start: Mapping[str, IntArray], batch: int,
        rounding: str | None = None,
    ) -> None:  # fmt: skip
        self.ops, self.params = ops, params
        self.shape = (batch, len(next(iter(start.values()))))
        self.state = {r: both(x, self.shape) for r, x in start.items() if r != "ref"}
        self.ref = np.broadcast_to(start["ref"], self.shape).astype(np.int64)
        mode = "stochastic" if rounding == "any" else None
        self.residuals: dict[int, Residual] = {
            op["at"]: residual_of(op, params[op["d"]] if isinstance(op["d"], str) else op["d"],
                                  mode)
            for op in walk(ops) if op["op"] == "decay"
        }  # fmt: skip

    def step(
        self, arriving: IntArray, spikes: Mask, more: FloatArray | None = None
    ) -> tuple[Mask, Mask, FloatArray]:
        """Advance one step along spikes that are taken for given.

        Args:
            arriving: ``(batch, n)`` the sum at the port, exact.
            spikes: ``(batch, n)`` who fires in this step.
            more: ``(2, batch, n)`` what arrives beside it, an interval of integers.

        Returns:
            What the intervals say of the spikes, ``(batch, n)`` each: that they are right for sure;
            that they are wrong for sure; and the LSB by which the whole interval lies on the right
            side of the threshold (negative where it does not).
        """
        self.arriving, self.spikes = both(arriving, self.shape), spikes
        if more is not None:
            self.arriving = plus(self.arriving, more)
        self.overflow = (np.abs(self.arriving) > EXACT).any(axis=0)
        self.surely = np.zeros(self.shape, np.bool_)  # fires
        self.never = np.ones(self.shape, np.bool_)  # does not: never asked, or surely below
        self.margin = np.where(spikes, -np.inf, np.inf)
        self._run(self.ops, np.ones(self.shape, np.bool_))
        right = np.where(spikes, self.surely, self.never)
        wrong = np.where(spikes, self.never, self.surely)
        return right, wrong, self.margin

    # ------------------------------------------------------------------ operands and writing

    def _number(self, operand: Any) -> Any:
        """Return a constant or a parameter ``(n,)`` as integers."""
        if isinstance(operand, int):
            return np.int64(operand)
        name = operand.removeprefix("-")
        if name not in self.params:
            raise LoweringError(f"operand {operand!r} is a register, allowed here: a parameter")
        return -self.params[name] if operand.startswith("-") else self.params[name]

    def _interval(self, operand: Any) -> FloatArray:
        name = operand.removeprefix("-") if isinstance(operand, str) else ""
        if name in self.state:
            x = self.state[name]
            return -x[::-1] if str(operand).startswith("-") else x
        return both(self._number(operand), self.shape)

    def _bounded(self, x: FloatArray, rules: Any, mask: Mask) -> FloatArray:
        for _, lo, hi in rules:
            self.overflow |= mask & ((x[0] < lo) | (x[1] > hi))
        return x

    def _write(self, register: str, x: FloatArray, mask: Mask) -> None:
        self.state[register] = np.where(mask, x, self.state[register])

    def _run(self, ops: Any, mask: Mask) -> None:
        for op in ops:
            getattr(self, "_" + op["op"])(op, mask)

    # ------------------------------------------------------------------ the operations

    def _acc(self, op: Any, mask: Mask) -> None:
        total = self._bounded(self.arriving, op["sum_ovf"], mask)
        by = self._number(op["shift"])
        total = total * 2.0**by
        if np.any(by < 0):  # ends are whole numbers, and so is what becomes of them
            total = np.floor(total)
        total = self._bounded(total, op["shift_ovf"], mask)
        register = op["reg"]
        self._write(register, self._bounded(plus(self.state[register], total), op["ovf"], mask),
                    mask)  # fmt: skip

    def _decay(self, op: Any, mask: Mask) -> None:
        x, r = self.state[op["reg"]], self.residuals[op["at"]]
        m = kept_factor(op, self._number(op["d"]))
        ends = times(x, m) / 2.0 ** op["k"]
        below, above = ends[0] < 0, ends[1] > 0
        low = np.minimum(np.where(below, r.low[0], 0.0), np.where(above, r.low[1], 0.0))
        high = np.maximum(np.where(below, r.high[0], 0.0), np.where(above, r.high[1], 0.0))
        kept = plus(ends, np.stack([low, high]))
        self._write(op["reg"], self._bounded(kept, op["ovf"], mask), mask)

    def _add(self, op: Any, mask: Mask, sign: int = 1) -> None:
        by = self._number(op["shift"])
        if np.any(by < 0):  # of a parameter: exact; a register raises
            moved = both(shift_rounded_array(self._number(op["src"]), by, op["round"]), self.shape)
        else:
            moved = self._interval(op["src"]) * 2.0**by
        moved = self._bounded(moved, op["src_ovf"], mask)
        moved = moved if sign > 0 else -moved[::-1]
        result = plus(self.state[op["reg"]], moved)
        self._write(op["reg"], self._bounded(result, op["ovf"], mask), mask)

    def _sub(self, op: Any, mask: Mask) -> None:
        self._add(op, mask, sign=-1)

    def _copy(self, op: Any, mask: Mask) -> None:
        self._write(op["reg"], self._interval(op["src"]), mask)

    def _set(self, op: Any, mask: Mask) -> None:
        self._write(op["reg"], self._interval(op["value"]), mask)

    def _clamp(self, op: Any, mask: Mask) -> None:
        x, lo, hi = self.state[op["reg"]], self._number(op["lo"]), self._number(op["hi"])
        self.overflow |= mask & ((x[0] < lo) | (x[1] > hi))

    def _floor(self, op: Any, mask: Mask) -> None:
        """A bound of v from below: where it may act, the interval says no more."""
        x, level = self.state[op["reg"]], self._number(op["level"])
        self.overflow |= mask & ((x[0] <= level) if op["cmp"] == "<=" else (x[0] < level))

    def _fire(self, op: Any, mask: Mask) -> None:
        x = self._interval(op["cmp_reg"] or op["reg"])
        threshold = shift_rounded_array(self._number(op["thr"]), op["thr_shift"], "floor")
        threshold = np.asarray(threshold, np.float64)
        strict = op["cmp"] == ">"
        above = x[0] > threshold if strict else x[0] >= threshold
        below = x[1] <= threshold if strict else x[1] < threshold
        if op["min_v"] is not None:
            above &= x[0] >= op["min_v"]
        if op["multi"] == "loop" and op["cap"] > 1:  # one spike, no second
            left = x[1] - threshold
            above &= (left <= threshold) if strict else (left < threshold)
        self.surely = np.where(mask, above, self.surely)
        self.never = np.where(mask, below, self.never)
        distance = np.where(self.spikes, x[0] - threshold, threshold - x[1])
        self.margin = np.where(mask, distance, self.margin)
        hit = mask & self.spikes
        if op["reset"] == "value":
            self._write(op["reg"], self._interval(op["value"]), hit)
        elif op["reset"] == "subtract":
            left = plus(self.state[op["reg"]], both(-threshold, self.shape))
            self._write(op["reg"], self._bounded(left, op["ovf"], hit), hit)
        if op["ref"] is not None:
            self.ref = np.where(hit, self._number(op["ref"]), self.ref)

    def _if_ref(self, op: Any, mask: Mask) -> None:
        held = self.ref > 0
        self._run(op["then"], mask & held)
        self._run(op["else"], mask & ~held)

    def _tick_ref(self, op: Any, mask: Mask) -> None:
        self.ref = np.where(mask, np.maximum(self.ref - 1, 0), self.ref)
