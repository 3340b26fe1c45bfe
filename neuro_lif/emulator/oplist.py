"""The operations of a neuron model over whole arrays: numpy int64, any leading axes.

Equal to :mod:`neuro_lif.semantics` in every register and spike, and written without looking at it.
Imports numpy and :mod:`neuro_lif.formats` only, because the exported Lava folder carries a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import IntArray, overflow_array, round_shift_array, shift_array

Mask = npt.NDArray[np.bool_]
OnEvent = Callable[[int, str, str, Mask], None]
"""Called with (operation index, register, kind, where it happened)."""


def _ignore(index: int, register: str, kind: str, where: Mask) -> None:
    """Count nothing."""


class OpList:
    """Steps a population of one neuron model.

    Args:
        ops: resolved operations (plain dictionaries).
        params: parameter -> int64 ``(n,)`` (or anything that broadcasts).
        state: register -> int64 ``(..., n)``, ``ref`` among them; replaced step by step.
        on_event: told of every overflow.
    """

    def __init__(
        self, ops: Any, params: Mapping[str, IntArray], state: Mapping[str, IntArray],
        on_event: OnEvent = _ignore,
    ) -> None:  # fmt: skip
        self.ops, self.params, self.on_event = ops, dict(params), on_event
        self.state = {name: np.array(values, np.int64) for name, values in state.items()}

    def step(self, port: IntArray) -> IntArray:
        """Advance one step with the synaptic input ``port``; return the spikes."""
        everywhere = None
        return self._run(self.ops, {"in": port}, everywhere)

    def _run(self, ops: Any, ports: Mapping[str, IntArray], where: Mask | None) -> IntArray:
        spikes = np.zeros_like(self.state["ref"])
        for index, op in enumerate(ops):
            emitted = getattr(self, "_" + op["op"])(index, op, ports, where)
            if emitted is not None:
                spikes = spikes + emitted
        return spikes

    # ---- operands, bounds, masked writes

    def _value(self, operand: int | str) -> Any:
        if isinstance(operand, str):
            return self.params[operand] if operand in self.params else self.state[operand]
        return operand

    def _bound(
        self, x: IntArray, rules: Any, index: int, name: str, where: Mask | None, kind: str = ""
    ) -> IntArray:
        for mode, lo, hi in rules:
            if x.size and x.min() >= lo and x.max() <= hi:
                continue
            bounded = overflow_array(x, mode, lo, hi)
            changed = bounded != x
            if where is not None:
                changed = changed & where
            if changed.any():
                self.on_event(index, name, kind or mode, changed)
            x = bounded
        return x

    def _write(self, register: str, value: Any, where: Mask | None) -> None:
        old = self.state[register]
        wide = np.broadcast_to(np.asarray(value, np.int64), old.shape)
        self.state[register] = np.array(wide) if where is None else np.where(where, wide, old)

    # ---- the operations

    def _acc(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        arriving = ports.get(op["port"], np.zeros_like(self.state[op["reg"]]))
        total = self._bound(arriving, op["sum_ovf"], i, "sum", where)
        total = shift_array(total, self._value(op["shift"]))
        total = self._bound(total, op["shift_ovf"], i, "sum", where)
        result = self._bound(self.state[op["reg"]] + total, op["ovf"], i, op["reg"], where)
        self._write(op["reg"], result, where)

    def _decay(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        x = self.state[op["reg"]]
        target = op["into"] or op["reg"]
        kept = _kept(op, x, self._value(op["d"]))
        result = kept - x if op["into"] else kept
        self._write(target, self._bound(result, op["ovf"], i, target, where), where)

    def _add(self, i: int, op: Any, ports: Any, where: Mask | None, sign: int = 1) -> None:
        source = np.asarray(self._value(op["src"]), np.int64)
        source = shift_array(source, self._value(op["shift"]))
        state = self.state[op["reg"]]
        source = np.broadcast_to(source, state.shape)
        source = self._bound(source, op["src_ovf"], i, str(op["src"]), where)
        result = self._bound(state + sign * source, op["ovf"], i, op["reg"], where)
        self._write(op["reg"], result, where)

    def _sub(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        self._add(i, op, ports, where, sign=-1)

    def _copy(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        self._write(op["reg"], self._value(op["src"]), where)

    def _set(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        self._write(op["reg"], self._value(op["value"]), where)

    def _clamp(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        x = self.state[op["reg"]]
        clamped = np.minimum(np.maximum(x, self._value(op["lo"])), self._value(op["hi"]))
        changed = clamped != x if where is None else (clamped != x) & where
        if changed.any():
            self.on_event(i, op["reg"], "clamp", changed)
        self._write(op["reg"], clamped, where)

    def _floor(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        x, level = self.state[op["reg"]], self._value(op["level"])
        below = x < level if op["cmp"] == "<" else x <= level
        value = self._value(op["value"])
        changed = value if op["action"] == "set" else x - value
        self._write(op["reg"], np.where(below, changed, x), where)

    def _fire(self, i: int, op: Any, ports: Any, where: Mask | None) -> IntArray:
        threshold = shift_array(np.asarray(self._value(op["thr"]), np.int64), op["thr_shift"])
        spikes = np.zeros_like(self.state["ref"])
        rounds = op["cap"] if op["multi"] == "loop" and op["reset"] == "subtract" else 1
        for _ in range(rounds):
            fired = self._above(op, threshold)
            if where is not None:
                fired &= where
            if not fired.any():
                break
            spikes = spikes + fired
            if op["reset"] == "subtract":
                lowered = self.state[op["reg"]] - threshold
                lowered = self._bound(lowered, op["ovf"], i, op["reg"], fired)
                self._write(op["reg"], lowered, fired)
        if op["reset"] == "value":
            self._write(op["reg"], self._value(op["value"]), spikes > 0)
        if op["ref"] is not None:
            self._write("ref", self._value(op["ref"]), spikes > 0)
        return spikes

    def _above(self, op: Any, threshold: IntArray) -> Mask:
        x = self.state[op["cmp_reg"] or op["reg"]]
        above = x > threshold if op["cmp"] == ">" else x >= threshold
        if op["min_v"] is not None:
            above = above & (x >= op["min_v"])
        return np.array(above, np.bool_)

    def _if_ref(self, i: int, op: Any, ports: Any, where: Mask | None) -> IntArray:
        held = self.state["ref"] > 0
        free = ~held
        if where is not None:
            held, free = held & where, free & where
        spikes = np.zeros_like(self.state["ref"])
        if op["then"] and held.any():
            spikes = spikes + self._run(op["then"], ports, held)
        if op["else"] and free.any():
            spikes = spikes + self._run(op["else"], ports, free)
        return spikes

    def _tick_ref(self, i: int, op: Any, ports: Any, where: Mask | None) -> None:
        self._write("ref", np.maximum(self.state["ref"] - 1, 0), where)


def _kept(op: Any, x: IntArray, d: Any) -> IntArray:
    """Return the register after the decay, before any overflow rule."""
    kind, k = op["kind"], op["k"]
    if kind == "mult_keep":
        return round_shift_array(x * ((1 << k) - op["offset"] - d), k, op["round"])
    if kind == "mult_step":
        return x - round_shift_array(x * (d + op["offset"]), k, op["round"])
    if kind == "mult_by":
        return round_shift_array(x * d, k, op["round"])
    if kind == "linear":
        return np.asarray(x - d, np.int64)
    if kind == "linear_to_zero":
        return np.asarray(np.sign(x) * np.maximum(np.abs(x) - d, 0), np.int64)
    step = shift_array(x, -np.asarray(d, np.int64))  # kind "shift"
    return np.asarray(x - np.where(step == 0, np.sign(x) * op["min_step"], step), np.int64)
