"""The operations of a neuron model over whole arrays: numpy int64, any leading axes.

Equal to :mod:`neuro_lif.semantics` in every register and spike, and written without looking at it.
Imports numpy and :mod:`neuro_lif.formats` only, because the exported Lava folder carries a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import (
    IntArray,
    overflow_array,
    round_shift_array,
    shift_array,
    shift_rounded_array,
)

Mask = npt.NDArray[np.bool_]
OnEvent = Callable[[int, str, str, Mask], None]
"""Called with (operation, register, kind, where it happened)."""
Events = tuple[IntArray, Mask]
"""Events of a port: weights ``(k, ..., n)`` in order of arrival, and which of them there are."""
Ports = Mapping[str, Any]
"""Port -> sum of a step ``(..., n)``, or :data:`Events` where the model takes them singly."""


def _ignore(operation: int, register: str, kind: str, where: Mask) -> None:
    """Count nothing."""


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


@dataclass(frozen=True)
class Alias:
    """Neurons that take their turn together, and where their spikes are then added.

    Args:
        neurons: ``(n,)`` which neurons.
        pre, post: those of them whose spikes are handed on, and to whom, by rising ``pre``.
        cap: no count gets larger by what is added.
    """

    neurons: Mask
    pre: IntArray
    post: IntArray
    cap: int

    def hand_on(self, sent: IntArray, on_event: OnEvent) -> None:
        """Add the spikes, in place."""
        for pre, post in zip(self.pre.tolist(), self.post.tolist(), strict=True):
            total = sent[..., post] + sent[..., pre]
            over = total > self.cap
            if over.any():
                where = np.zeros(sent.shape, np.bool_)
                where[..., post] = over
                on_event(-1, "spikes", "cap", where)
            sent[..., post] = np.minimum(total, self.cap)


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
        self.ops, self.params, self.on_event, self.t = ops, dict(params), on_event, 0
        self.state = {name: np.array(values, np.int64) for name, values in state.items()}
        self.sent = np.zeros_like(self.state["ref"])

    def step(self, ports: IntArray | Ports, order: list[Alias] | None = None) -> IntArray:
        """Advance one step; return what each neuron sends.

        Args:
            ports: what arrives at each port, or an array: what arrives at port ``in``.
            order: which neurons go first, and whose spikes an alias then adds where.
        """
        self.t += 1
        arriving: Ports = ports if isinstance(ports, Mapping) else {"in": ports}
        self.sent = np.zeros_like(self.state["ref"])
        if order is None:
            self._run(self.ops, arriving, None)
        for alias in order or ():
            if alias.neurons.any():
                self._run(self.ops, arriving, np.broadcast_to(alias.neurons, self.sent.shape))
            alias.hand_on(self.sent, self.on_event)
        return self.sent

    def _run(self, ops: Any, ports: Ports, where: Mask | None) -> None:
        for op in ops:
            getattr(self, "_" + op["op"])(op, ports, where)

    # ---- operands, bounds, masked writes

    def _value(self, operand: int | str) -> Any:
        if not isinstance(operand, str):
            return operand
        if operand.startswith("-"):
            return -self._value(operand[1:])
        return self.params[operand] if operand in self.params else self.state[operand]

    def _array(self, operand: int | str) -> IntArray:
        return np.asarray(self._value(operand), np.int64)

    def _bound(self, x: IntArray, rules: Any, op: Any, name: str, where: Mask | None) -> IntArray:
        for mode, lo, hi in rules:
            if x.size and x.min() >= lo and x.max() <= hi:
                continue
            bounded = overflow_array(x, mode, lo, hi)
            changed = bounded != x
            if where is not None:
                changed = changed & where
            if changed.any():
                self.on_event(op["at"], name, mode, changed)
            x = bounded
        return x

    def _write(self, register: str, value: Any, where: Mask | None) -> None:
        old = self.state[register]
        wide = np.broadcast_to(np.asarray(value, np.int64), old.shape)
        self.state[register] = np.array(wide) if where is None else np.where(where, wide, old)

    def _branch(self, op: Any, ports: Ports, holds: Any, where: Mask | None) -> None:
        """Run ``then`` where ``holds``, else ``else``."""
        holds = np.broadcast_to(holds, self.sent.shape)
        for branch, chosen in (("then", holds), ("else", ~holds)):
            chosen = chosen if where is None else chosen & where
            if op[branch] and chosen.any():
                self._run(op[branch], ports, None if chosen.all() else chosen)

    # ---- the operations

    def _acc(self, op: Any, ports: Ports, where: Mask | None) -> None:
        arriving = ports.get(op["port"])
        if arriving is None:
            arriving = np.zeros_like(self.state[op["reg"]])
        total = self._bound(arriving, op["sum_ovf"], op, "sum", where)
        total = shift_array(total, self._value(op["shift"]))
        total = self._bound(total, op["shift_ovf"], op, "sum", where)
        result = self._bound(self.state[op["reg"]] + total, op["ovf"], op, op["reg"], where)
        self._write(op["reg"], result, where)

    def _decay(self, op: Any, ports: Ports, where: Mask | None) -> None:
        x = self.state[op["reg"]]
        target = op["into"] or op["reg"]
        kept = _kept(op, x, self._value(op["d"]))
        result = kept - x if op["into"] else kept
        self._write(target, self._bound(result, op["ovf"], op, target, where), where)

    def _add(self, op: Any, ports: Ports, where: Mask | None, sign: int = 1) -> None:
        source = self._array(op["src"])
        source = shift_rounded_array(source, self._value(op["shift"]), op["round"])
        state = self.state[op["reg"]]
        source = np.broadcast_to(source, state.shape)
        source = self._bound(source, op["src_ovf"], op, str(op["src"]), where)
        result = self._bound(state + sign * source, op["ovf"], op, op["reg"], where)
        self._write(op["reg"], result, where)

    def _sub(self, op: Any, ports: Ports, where: Mask | None) -> None:
        self._add(op, ports, where, sign=-1)

    def _copy(self, op: Any, ports: Ports, where: Mask | None) -> None:
        self._write(op["reg"], self._value(op["src"]), where)

    def _set(self, op: Any, ports: Ports, where: Mask | None) -> None:
        self._write(op["reg"], self._value(op["value"]), where)

    def _clamp(self, op: Any, ports: Ports, where: Mask | None) -> None:
        x = self.state[op["reg"]]
        clamped = np.minimum(np.maximum(x, self._value(op["lo"])), self._value(op["hi"]))
        changed = clamped != x if where is None else (clamped != x) & where
        if changed.any():
            self.on_event(op["at"], op["reg"], "clamp", changed)
        self._write(op["reg"], clamped, where)

    def _floor(self, op: Any, ports: Ports, where: Mask | None) -> None:
        x, level = self.state[op["reg"]], self._value(op["level"])
        below = x < level if op["cmp"] == "<" else x <= level
        value = self._value(op["value"])
        changed = value if op["action"] == "set" else x - value
        self._write(op["reg"], np.where(below, changed, x), where)

    def _fire(self, op: Any, ports: Ports, where: Mask | None) -> None:
        threshold = shift_array(self._array(op["thr"]), op["thr_shift"])
        once = op["multi"] == "once"
        before, value = self.sent, self.state[op["reg"]]
        while True:  # a reset to a value counts on a copy of the register
            fired = self._above(op, value, threshold)
            if not once:
                fired = fired & (self.sent < op["cap"])
            fired = fired if where is None else fired & where
            if not fired.any():
                break
            self.sent = self.sent + fired
            if op["reset"] == "subtract":
                lowered = self._bound(value - threshold, op["ovf"], op, op["reg"], fired)
                self._write(op["reg"], lowered, fired)
                value = self.state[op["reg"]]
            elif op["reset"] == "value" and not once:
                value = np.where(fired, value - threshold, value)
            if once or op["reset"] == "none":
                break
        if op["reset"] == "value":
            self._write(op["reg"], self._value(op["value"]), self.sent > before)
        if op["ref"] is not None:
            self._write("ref", self._value(op["ref"]), self.sent > before)

    def _above(self, op: Any, value: IntArray, threshold: IntArray) -> Mask:
        x = self.state[op["cmp_reg"]] if op["cmp_reg"] else value
        above: Mask = x > threshold if op["cmp"] == ">" else x >= threshold
        return above if op["min_v"] is None else above & (x >= op["min_v"])

    def _if_ref(self, op: Any, ports: Ports, where: Mask | None) -> None:
        self._branch(op, ports, self.state["ref"] > 0, where)

    def _tick_ref(self, op: Any, ports: Ports, where: Mask | None) -> None:
        self._write("ref", np.maximum(self.state["ref"] - 1, 0), where)

    def _if(self, op: Any, ports: Ports, where: Mask | None) -> None:
        x = self._array(op["src"])
        level = shift_array(self._array(op["level"]), self._value(op["level_shift"]))
        compare = COMPARISONS[op["cmp"]]
        self._branch(op, ports, compare(np.abs(x) if op["magnitude"] else x, level), where)

    def _if_step(self, op: Any, ports: Ports, where: Mask | None) -> None:
        interval = self._array(op["interval"])
        since = self.t - self._array(op["offset"])
        due = (interval > 0) & (since % np.maximum(interval, 1) == 0)
        self._branch(op, ports, due, where)

    def _each(self, op: Any, ports: Ports, where: Mask | None) -> None:
        given = {port: ports[port] for port in op["ports"] if port in ports}
        for k in range(max((len(weights) for weights, _ in given.values()), default=0)):
            now = {port: (w[k], there[k]) for port, (w, there) in given.items() if k < len(w)}
            some = np.any([there for _, there in now.values()], axis=0)
            some = some if where is None else some & where
            if some.any():
                weights = {port: np.where(there, w, 0) for port, (w, there) in now.items()}
                self._run(op["do"], weights, None if some.all() else some)

    def _emit(self, op: Any, ports: Ports, where: Mask | None) -> None:
        value = shift_array(self._array(op["src"]), self._value(op["shift"]))
        value = np.broadcast_to(value, self.sent.shape)
        self.sent = self.sent + (value if where is None else np.where(where, value, 0))


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
        return np.asarray(x - d)
    if kind == "linear_to_zero":
        return np.asarray(np.sign(x) * np.maximum(np.abs(x) - d, 0))
    step = shift_array(x, -np.asarray(d, np.int64))  # kind "shift"
    return np.asarray(x - np.where(step == 0, np.sign(x) * op["min_step"], step))
