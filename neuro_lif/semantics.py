"""THE LIVING DEFINITION: what a profile's operations mean, on plain Python integers.

One neuron, one step at a time, short enough to read aloud; :mod:`neuro_lif.machine` puts neurons
into a network. Every executor must equal it in every register and spike. Nothing here is fast and
nothing here can overflow by itself: Python integers have no width, so every wrap and clip below is
one the profile asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .formats import overflow, round_shift, shift

OnEvent = Callable[[int, str, str], None]
"""Called with (operation, register, kind) whenever a value leaves its range."""


def _ignore(operation: int, register: str, kind: str) -> None:
    """Count nothing."""


@dataclass
class Neuron:
    """One neuron in one step: what its operations read and change.

    Args:
        params: parameter -> integer.
        state: register -> integer, ``ref`` being the refractory counter; changed in place.
        ports: port -> sum of the synaptic input of this step, or the list of the events where the
            model takes them one by one; None stands for a turn in which only another port, taken
            together with this one, has an event.
        t: the step, 1 being the first.
        sent: what the neuron sends in this step: spikes, or graded values; what an alias has
            added to it before the neuron's own turn counts against its cap.
        on_event: told of every overflow.
    """

    params: Mapping[str, int]
    state: dict[str, int]
    ports: Mapping[str, Any]
    t: int = 1
    sent: int = 0
    on_event: OnEvent = _ignore

    def value(self, operand: int | str) -> int:
        """Return a constant, a parameter or a register; ``-name`` is the negative."""
        if isinstance(operand, int):
            return operand
        if operand.startswith("-"):
            return -self.value(operand[1:])
        return self.params[operand] if operand in self.params else self.state[operand]

    def bounded(self, x: int, rules: Any, name: str, op: Any) -> int:
        """Apply overflow rules in order, telling of each."""
        for mode, lo, hi in rules:
            bounded = overflow(x, mode, lo, hi)
            if bounded != x:
                self.on_event(op["at"], name, mode)
            x = bounded
        return x

    def run(self, ops: Any) -> None:
        """Run operations in order."""
        for op in ops:
            if op["op"] not in MEANING:
                raise ValueError(f"operation {op['op']!r} has no meaning")
            MEANING[op["op"]](self, op)


def neuron_step(
    ops: Any, params: Mapping[str, int], state: dict[str, int], ports: Mapping[str, Any],
    on_event: OnEvent = _ignore, t: int = 1, sent: int = 0,
) -> int:  # fmt: skip
    """Advance one neuron by one step, in place.

    Args:
        ops: resolved operations of the model (``profile.ops(name)``).
        params, state, ports, on_event, t, sent: see :class:`Neuron`.

    Returns:
        What the neuron sends: 0 or 1, more in multi-spike models, any integer where it is graded.
    """
    neuron = Neuron(params, state, ports, t, sent, on_event)
    neuron.run(ops)
    return neuron.sent


# ------------------------------------------------------------------------- the operations


def _acc(n: Neuron, op: Any) -> None:
    total = n.bounded(n.ports.get(op["port"], 0), op["sum_ovf"], "sum", op)
    total = n.bounded(shift(total, n.value(op["shift"])), op["shift_ovf"], "sum", op)
    n.state[op["reg"]] = n.bounded(n.state[op["reg"]] + total, op["ovf"], op["reg"], op)


def _decay(n: Neuron, op: Any) -> None:
    x, target = n.state[op["reg"]], op["into"] or op["reg"]
    kept = _decayed(op, x, n.value(op["d"]))
    n.state[target] = n.bounded(kept - x if op["into"] else kept, op["ovf"], target, op)


def _decayed(op: Any, x: int, d: int) -> int:
    k, rounding = op["k"], op["round"]
    if op["kind"] == "mult_keep":
        return round_shift(x * (2**k - op["offset"] - d), k, rounding)
    if op["kind"] == "mult_step":
        return x - round_shift(x * (d + op["offset"]), k, rounding)
    if op["kind"] == "mult_by":
        return round_shift(x * d, k, rounding)
    if op["kind"] == "linear":
        return x - d
    sign = (x > 0) - (x < 0)
    if op["kind"] == "linear_to_zero":
        return sign * max(abs(x) - d, 0)
    step = shift(x, -d)  # kind "shift"
    return x - (step if step != 0 else sign * op["min_step"])


def _add(n: Neuron, op: Any) -> None:
    source, by = n.value(op["src"]), n.value(op["shift"])
    source = shift(source, by) if by >= 0 else round_shift(source, -by, op["round"])
    source = n.bounded(source, op["src_ovf"], str(op["src"]), op)
    sign = 1 if op["op"] == "add" else -1
    n.state[op["reg"]] = n.bounded(n.state[op["reg"]] + sign * source, op["ovf"], op["reg"], op)


def _copy(n: Neuron, op: Any) -> None:
    n.state[op["reg"]] = n.value(op["src"])


def _set(n: Neuron, op: Any) -> None:
    n.state[op["reg"]] = n.value(op["value"])


def _clamp(n: Neuron, op: Any) -> None:
    x = n.state[op["reg"]]
    n.state[op["reg"]] = min(max(x, n.value(op["lo"])), n.value(op["hi"]))
    if n.state[op["reg"]] != x:
        n.on_event(op["at"], op["reg"], "clamp")


def _floor(n: Neuron, op: Any) -> None:
    v, level = n.state[op["reg"]], n.value(op["level"])
    if v < level or (op["cmp"] == "<=" and v == level):
        value = n.value(op["value"])
        n.state[op["reg"]] = value if op["action"] == "set" else v - value


def _fire(n: Neuron, op: Any) -> None:
    threshold = shift(n.value(op["thr"]), op["thr_shift"])
    once = op["multi"] == "once"
    cap = 1 if once else op["cap"] - n.sent
    value, spikes = n.state[op["reg"]], 0  # a reset to a value counts on a copy of the register
    while spikes < cap:
        compared = n.state[op["cmp_reg"]] if op["cmp_reg"] else value
        passed = compared > threshold if op["cmp"] == ">" else compared >= threshold
        if not passed or (op["min_v"] is not None and compared < op["min_v"]):
            break
        spikes += 1
        if op["reset"] == "subtract":
            value = n.bounded(value - threshold, op["ovf"], op["reg"], op)
            n.state[op["reg"]] = value
        elif op["reset"] == "value" and not once:
            value -= threshold
        else:
            break
    if spikes and op["reset"] == "value":
        n.state[op["reg"]] = n.value(op["value"])
    if spikes and op["ref"] is not None:
        n.state["ref"] = n.value(op["ref"])
    n.sent += spikes


def _if_ref(n: Neuron, op: Any) -> None:
    n.run(op["then"] if n.state["ref"] > 0 else op["else"])


def _tick_ref(n: Neuron, op: Any) -> None:
    n.state["ref"] = max(n.state["ref"] - 1, 0)


def _if(n: Neuron, op: Any) -> None:
    x, level = n.value(op["src"]), shift(n.value(op["level"]), n.value(op["level_shift"]))
    x = abs(x) if op["magnitude"] else x
    holds = {">": x > level, ">=": x >= level, "<": x < level, "<=": x <= level,
             "==": x == level, "!=": x != level}[op["cmp"]]  # fmt: skip
    n.run(op["then"] if holds else op["else"])


def _if_step(n: Neuron, op: Any) -> None:
    interval = n.value(op["interval"])
    due = interval > 0 and (n.t - n.value(op["offset"])) % interval == 0
    n.run(op["then"] if due else op["else"])


def _each(n: Neuron, op: Any) -> None:
    ports = n.ports
    for weights in zip_longest(*(ports.get(port, ()) for port in op["ports"])):
        if any(weight is not None for weight in weights):
            n.ports = {port: w or 0 for port, w in zip(op["ports"], weights, strict=True)}
            n.run(op["do"])
    n.ports = ports


def _emit(n: Neuron, op: Any) -> None:
    n.sent += shift(n.value(op["src"]), n.value(op["shift"]))


MEANING: dict[str, Callable[[Neuron, Any], None]] = {
    "acc": _acc, "decay": _decay, "add": _add, "sub": _add, "copy": _copy, "set": _set,
    "clamp": _clamp, "floor": _floor, "fire": _fire, "if_ref": _if_ref, "tick_ref": _tick_ref,
    "if": _if, "if_step": _if_step, "each": _each, "emit": _emit,
}  # fmt: skip
"""The closed vocabulary: every operation and what it does."""
