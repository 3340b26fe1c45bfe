"""Writes a neuron model's operations as the kernel's instructions, with every rule, in 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import OVERFLOWS, ROUNDINGS
from ..numerics import OPERAND_FIELDS, once, walk

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Span = tuple[int, int]

OPS = ("acc", "decay", "add", "copy", "clamp", "floor", "fire", "if", "if_ref", "if_step",
       "tick_ref", "emit", "decay_rtz", "saturate", "each")  # fmt: skip
KINDS = ("mult_keep", "mult_step", "mult_by", "shift", "linear", "linear_to_zero")
COMPARES = (">", ">=", "<", "<=", "==", "!=")
# The order of these, and of ROUNDINGS and OVERFLOWS, is that of the enumerations in program.hpp.
RESETS = ("value", "subtract", "none")
PLACES = ("none", "constant", "parameter", "register")

FIELDS = 50
MOST_EVENTS, MOST_PORTS = 48, 8
"""Kinds of overflow and ports of one model that the kernel has room for."""

ANY: Span = (-(2**63), 2**63 - 1)


Event = tuple[int, str, str]
"""(operation, register, kind) as the numpy engine tells it."""


@dataclass
class Program:
    """Instructions and what they refer to.

    Args:
        rows: one list of FIELDS numbers each.
        rules: (mode, lo, hi, event number) of the exact program.
        constants: values that operands name.
        params: arrays that operands name, ``(n,)`` int64 each.
        factors: per instruction, float32 ``(n,)`` or ``(1,)``, or empty.
    """

    rows: list[list[int]] = field(default_factory=list)
    rules: list[list[int]] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)
    params: list[IntArray] = field(default_factory=list)
    factors: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def constant(self, value: int) -> list[int]:
        """Return the operand that stands for a constant."""
        if value not in self.constants:
            self.constants.append(value)
        return [PLACES.index("constant"), self.constants.index(value), 0]

    def array(self, values: IntArray) -> list[int]:
        """Return the operand that stands for one number per neuron."""
        if values.size and (values == values[0]).all():
            return self.constant(int(values[0]))
        self.params.append(np.ascontiguousarray(values, np.int64))
        return [PLACES.index("parameter"), len(self.params) - 1, 0]

    def code(self) -> IntArray:
        """Return the instructions ``(n, FIELDS)``."""
        return _table(self.rows, FIELDS)

    def rule_table(self) -> IntArray:
        """Return the rules ``(n, 4)``."""
        return _table(self.rules, 4)


def _table(rows: list[list[int]], width: int) -> IntArray:
    flat = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width)
    return flat.reshape(-1, width)


NO_OPERAND = [0, 0, 0]


USUAL_ROW: dict[str, Any] = {
    "op": 0, "reg": -1, "into": -1, "a": NO_OPERAND, "b": NO_OPERAND, "c": NO_OPERAND,
    "k": 0, "kind": 0, "round": 0, "compare": 0, "reset": 0, "once": 1, "sign": 1,
    "magnitude": 0, "set": 1, "has_min": 0, "only": 0, "event": -1, "port": -1,
    "compare_reg": -1, "offset": 0, "min_step": 0, "min_v": 0, "cap": 1,
    "sum_rules": (0, 0), "shift_rules": (0, 0), "rules": (0, 0), "n_then": 0, "n_else": 0,
    "inside": ANY, "result": ANY, "fused": 0,
}  # fmt: skip
"""Every field with its usual value; their order is that of ``src/module.cpp``."""


def _places() -> tuple[list[int], dict[str, slice]]:
    row: list[int] = []
    places = {}
    for name, value in USUAL_ROW.items():
        values = [value] if isinstance(value, int) else list(value)
        places[name] = slice(len(row), len(row) + len(values))
        row += values
    return row + [0] * (FIELDS - len(row)), places


_ROW, _PLACES = _places()


def instruction(op: str, **given: Any) -> list[int]:
    """Return one row: the fields given, and the usual values of the others."""
    row = _ROW.copy()
    row[0] = OPS.index(op)
    for name, value in given.items():
        single = isinstance(value, (int, np.integer))
        row[_PLACES[name]] = (int(value),) if single else value
    return row


THRESHOLD, SHIFT, ONLY, EVENT, N_THEN, RESULT, FUSED = 3, 12, 22, 23, 36, 40, 42
"""Where some fields stand in a row; N_THEN is the length of the first branch."""


@dataclass
class Model:
    """What both programs of a population are written from.

    Args:
        ops: resolved operations.
        params: parameter -> ``(n,)`` int64.
        registers: names in the order of their numbers, ``ref`` first.
        ports: names in the order of their numbers.
        event: gives an overflow its number.
    """

    ops: Any
    params: Mapping[str, IntArray]
    registers: list[str]
    ports: list[str]
    event: Callable[[Event], int]

    @cached_property
    def spans(self) -> dict[str, Span]:
        """The lowest and the highest value of every parameter; (0, 0) where there is none."""
        return {name: (int(values.min()), int(values.max())) if values.size else (0, 0)
                for name, values in self.params.items()}  # fmt: skip

    def only_fire(self, op: Any) -> bool:
        """Tell whether nothing but this operation sends anything."""
        senders = [o for o in walk(self.ops) if o["op"] in ("fire", "emit")]
        return len(senders) == 1 and any(op is o for o in self.ops)


class Exact:
    """Writes the exact program."""

    def __init__(self, model: Model) -> None:
        self.model, self.out = model, Program()
        self.named: dict[str, list[int]] = {}
        self._write(model.ops)

    def _operand(self, value: int | str | None) -> list[int]:
        if value is None:
            return NO_OPERAND
        if not isinstance(value, str):
            return self.out.constant(int(value))
        if value.startswith("-"):
            place, index, negative = self._operand(value[1:])
            return [place, index, 1 - negative]
        if value in self.model.params:
            if value not in self.named:
                lo, hi = self.model.spans[value]
                values = self.model.params[value]
                same = values.size and lo == hi
                self.named[value] = self.out.constant(lo) if same else self.out.array(values)
            return self.named[value]
        return [PLACES.index("register"), self.model.registers.index(value), 0]

    def _rules(self, op: Any, rules: Any, name: str) -> tuple[int, int]:
        first = len(self.out.rules)
        for mode, lo, hi in rules:
            event = self.model.event((op["at"], name, mode))
            self.out.rules.append([OVERFLOWS.index(mode), lo, hi, event])
        return first, len(rules)

    def _write(self, ops: Any) -> None:
        for op in ops:
            place = len(self.out.rows)
            self.out.rows.append(getattr(self, "_" + op["op"])(op))
            if "then" in op or "do" in op:
                self._write(op.get("then", op.get("do")))
                then_end = len(self.out.rows)
                self._write(op.get("else", ()))
                counts = [then_end - place - 1, len(self.out.rows) - then_end]
                self.out.rows[place][N_THEN : N_THEN + 2] = counts

    def _reg(self, op: Any) -> int:
        return self.model.registers.index(op["reg"])

    def _acc(self, op: Any) -> list[int]:
        return instruction(
            "acc", reg=self._reg(op), a=self._operand(op["shift"]),
            port=self.model.ports.index(op["port"]),
            sum_rules=self._rules(op, op["sum_ovf"], "sum"),
            shift_rules=self._rules(op, op["shift_ovf"], "sum"),
            rules=self._rules(op, op["ovf"], op["reg"]),
        )  # fmt: skip

    def _decay(self, op: Any) -> list[int]:
        into = -1 if op["into"] is None else self.model.registers.index(op["into"])
        return instruction(
            "decay", reg=self._reg(op), into=into, a=self._operand(op["d"]), k=op["k"],
            kind=KINDS.index(op["kind"]), round=ROUNDINGS.index(op["round"]),
            offset=op["offset"], min_step=op["min_step"],
            rules=self._rules(op, op["ovf"], op["into"] or op["reg"]),
        )  # fmt: skip

    def _add(self, op: Any) -> list[int]:
        return instruction(
            "add", reg=self._reg(op), a=self._operand(op["src"]), b=self._operand(op["shift"]),
            round=ROUNDINGS.index(op["round"]), sign=-1 if op["op"] == "sub" else 1,
            sum_rules=self._rules(op, op["src_ovf"], str(op["src"])),
            rules=self._rules(op, op["ovf"], op["reg"]),
        )  # fmt: skip

    _sub = _add

    def _copy(self, op: Any) -> list[int]:
        return instruction("copy", reg=self._reg(op), a=self._operand(op["src"]))

    def _set(self, op: Any) -> list[int]:
        return instruction("copy", reg=self._reg(op), a=self._operand(op["value"]))

    def _clamp(self, op: Any) -> list[int]:
        event = self.model.event((op["at"], op["reg"], "clamp"))
        return instruction("clamp", reg=self._reg(op), a=self._operand(op["lo"]),
                           b=self._operand(op["hi"]), event=event)  # fmt: skip

    def _floor(self, op: Any) -> list[int]:
        return instruction(
            "floor", reg=self._reg(op), a=self._operand(op["level"]), b=self._operand(op["value"]),
            compare=COMPARES.index(op["cmp"]), set=int(op["action"] == "set"),
        )  # fmt: skip

    def _fire(self, op: Any) -> list[int]:
        compare_reg = op["cmp_reg"]
        return instruction(
            "fire", reg=self._reg(op), a=self._operand(op["thr"]), b=self._operand(op["value"]),
            c=self._operand(op["ref"]), k=op["thr_shift"], compare=COMPARES.index(op["cmp"]),
            compare_reg=-1 if compare_reg is None else self.model.registers.index(compare_reg),
            reset=RESETS.index(op["reset"]), once=int(op["multi"] == "once"), cap=op["cap"],
            has_min=int(op["min_v"] is not None), min_v=op["min_v"] or 0,
            only=int(self.model.only_fire(op)), rules=self._rules(op, op["ovf"], op["reg"]),
        )  # fmt: skip

    def _if(self, op: Any) -> list[int]:
        return instruction(
            "if", a=self._operand(op["src"]), b=self._operand(op["level"]),
            c=self._operand(op["level_shift"]), compare=COMPARES.index(op["cmp"]),
            magnitude=int(op["magnitude"]),
        )  # fmt: skip

    def _if_ref(self, op: Any) -> list[int]:
        return instruction("if_ref")

    def _if_step(self, op: Any) -> list[int]:
        return instruction("if_step", a=self._operand(op["interval"]),
                           b=self._operand(op["offset"]))  # fmt: skip

    def _tick_ref(self, op: Any) -> list[int]:
        return instruction("tick_ref")

    def _emit(self, op: Any) -> list[int]:
        return instruction("emit", a=self._operand(op["src"]), b=self._operand(op["shift"]))

    def _each(self, op: Any) -> list[int]:
        return instruction("each", k=sum(1 << self.model.ports.index(p) for p in set(op["ports"])))


def live_registers(ops: Any, registers: Iterable[str]) -> set[str]:
    """Return the registers whose value at the start of a step matters."""
    return _live(ops) & set(registers)


@once
def _live(ops: Any) -> set[str]:
    live: set[str] = set()
    _reads(ops, set(), live)
    return live


def _reads(ops: Any, written: set[str], live: set[str]) -> set[str]:
    """Collect into ``live`` what is read before it is written; return what is written after."""
    for op in ops:
        kind = op["op"]
        used = {str(op[f]).lstrip("-") for f in OPERAND_FIELDS if isinstance(op.get(f), str)}
        used |= {op["cmp_reg"]} if op.get("cmp_reg") else set()
        if kind in ("acc", "decay", "add", "sub", "clamp", "floor", "fire"):
            used.add(op["reg"])
        if kind in ("if_ref", "tick_ref"):
            used.add("ref")
        live |= used - written
        if "do" in op:
            _reads(op["do"], set(written), live)  # there may be no event
        elif "then" in op:
            sides = [_reads(op[side], set(written), live) for side in ("then", "else")]
            written |= sides[0] & sides[1]
        elif kind in ("copy", "set"):
            written.add(op["reg"])
        elif kind == "decay" and op["into"]:
            written.add(op["into"])
        if kind == "fire" and op["ref"] is not None:
            live.add("ref")  # neurons that do not fire keep theirs
    return written
