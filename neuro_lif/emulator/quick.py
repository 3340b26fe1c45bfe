"""Writes the 32-bit program of a neuron model.

Interval arithmetic decides which rules can never act, which are looked at in place, and which end
the quick run of a block when they would act; that block is then done by the exact program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import ROUNDINGS, overflow_array, shift_rounded_array
from .bounds import FLOAT32, INT32, USUAL, NotQuick, Span, decayed, spans_of, stays
from .program import (
    ANY,
    EVENT,
    FUSED,
    KINDS,
    N_THEN,
    ONLY,
    OPS,
    RESULT,
    SHIFT,
    THRESHOLD,
    Exact,
    IntArray,
    Model,
    Program,
    instruction,
    live_registers,
)

MOST_CODE, MOST_PARAMS = 256, 64
"""What the kernel has room for."""


class Quick(Exact):
    """Writes the 32-bit program, with the interval of every register as it goes.

    Args:
        model: as for the exact program.
        start: interval that each register is in before a step; registers that the program leaves
            outside of it are watched.
        arriving: interval of what arrives at each port.

    Raises:
        NotQuick: some value does not fit 32 bits.
    """

    def __init__(
        self, model: Model, start: Mapping[str, Span], arriving: Mapping[str, Span]
    ) -> None:
        self.at: dict[str, Span] = dict(start)
        self.straight = False  # the last row was written by _finish, in this list of operations
        self.start, self.arriving = dict(start), dict(arriving)
        self.sent: Span = (0, 0)
        for name, span in start.items():
            self._fit(span, f"register {name}")
        super().__init__(model)
        live = live_registers(model.ops, model.registers)
        for name in sorted(live):  # what the step may leave outside is looked at as it ends
            lo, hi = self.start[name]
            if not (lo <= self.at[name][0] and self.at[name][1] <= hi):
                self._emit_row(instruction("add", reg=model.registers.index(name),
                                           a=self.out.constant(0), result=(lo, hi)))  # fmt: skip
        if len(self.out.rows) > MOST_CODE or len(self.out.params) > MOST_PARAMS:
            raise NotQuick(f"{len(self.out.rows)} instructions, {len(self.out.params)} parameters")
        for values in self.out.params:
            self._fit(spans_of((values.min(), values.max())), "a parameter")
        for value in self.out.constants:
            self._fit((value, value), "a constant")

    def _emit_row(self, row: list[int]) -> None:
        self.out.rows.append(row)
        self.out.factors.append(np.zeros(0, np.float32))

    @staticmethod
    def _fit(span: Span, what: str) -> Span:
        if span[0] < INT32[0] or span[1] > INT32[1]:
            raise NotQuick(f"{what} reaches {span[0]}..{span[1]}")
        return span

    def _span(self, operand: int | str) -> Span:
        if not isinstance(operand, str):
            return int(operand), int(operand)
        if operand.startswith("-"):
            lo, hi = self._span(operand[1:])
            return -hi, -lo
        spans = self.model.spans
        return spans[operand] if operand in spans else self.at[operand]

    def _fixed(self, operand: int | str) -> IntArray | None:
        """Return an operand's values where no step changes them: one, or one for each neuron."""
        if not isinstance(operand, str):
            return np.array([operand], np.int64)
        negative, name = operand.startswith("-"), operand.lstrip("-")
        if name not in self.model.params:
            return None
        lo, hi = self.model.spans[name]
        values = np.asarray(self.model.params[name][:1] if lo == hi else self.model.params[name])
        return -values if negative else values

    def _number(self, operand: int | str, what: str) -> int:
        """Return an operand that is one number for all neurons."""
        values = self._fixed(operand)
        if values is None or (values.size and (values != values[0]).any()):
            raise NotQuick(f"{what} differs between neurons or steps")
        return int(values[0]) if values.size else 0

    # ---- branches join what either side leaves

    def _write(self, ops: Any) -> None:
        self.straight = False
        for k, op in enumerate(ops):
            place = len(self.out.rows)
            before = dict(self.at)
            rows = getattr(self, "_" + op["op"])(op)
            if rows is not None:
                if op["op"] == "copy" and stays(op, ops[k + 1 :], self.model.registers):
                    rows[ONLY] = 1
                self._emit_row(rows)
                self.straight = False
            if "then" not in op:
                continue
            self._write(op["then"])
            then_end, after = len(self.out.rows), self.at
            self.at = before
            self._write(op["else"])
            self.at = {n: spans_of((*after[n], *self.at[n])) for n in self.at}
            counts = [then_end - place - 1, len(self.out.rows) - then_end]
            self.out.rows[place][N_THEN : N_THEN + 2] = counts

    def _settle(self, op: Any, name: str, span: Span, rules: Any) -> tuple[Span, list[Any]]:
        """Return what to look at in the result, and the saturations that are counted in place."""
        guard = ANY
        counted: list[Any] = []
        for mode, lo, hi in rules:
            if lo <= span[0] and span[1] <= hi:
                continue
            if mode == "sat" and not counted and guard == ANY:
                self._fit(span, f"{name} before it saturates")
                counted.append((op, name, lo, hi))
            elif counted:
                raise NotQuick(f"{name} overflows after it saturates")
            else:
                guard = (max(guard[0], lo), min(guard[1], hi))
            span = (max(span[0], lo), min(span[1], hi))
        self.at[name] = self._fit(span, name)
        return guard, counted

    def _finish(self, row: list[int], counted: list[Any]) -> None:
        """Write an instruction and the saturation of its result.

        A product that the same register's last instruction makes is made in this one instead.
        """
        factor = np.zeros(0, np.float32)
        before = self.out.rows[-1] if self.straight else None
        decay = OPS.index("decay_rtz")
        if before is not None and before[0] == decay and before[1] == row[1] and before[2] < 0:
            plain = before[13] != KINDS.index("mult_step") and tuple(before[RESULT:FUSED]) == ANY
            if plain and row[0] in (OPS.index("acc"), OPS.index("add")):
                self.out.rows.pop()
                factor = self.out.factors.pop()
                row[FUSED] = 1
        for op, name, lo, hi in counted:
            event = self.model.event((op["at"], name, "sat"))
            if row[0] in (OPS.index("acc"), OPS.index("add")):
                row[EVENT], row[RESULT : RESULT + 2] = event, [lo, hi]
                continue
            self._emit_row(row)
            row = instruction("saturate", reg=self.model.registers.index(name),
                              a=self.out.constant(lo), b=self.out.constant(hi),
                              event=event)  # fmt: skip
        self._emit_row(row)
        self.out.factors[-1] = factor
        self.straight = True

    # ---- the operations

    def _acc(self, op: Any) -> None:  # type: ignore[override]
        k = self._number(op["shift"], "the shift of the input")
        lo, hi = self.arriving[op["port"]]
        wide = min((2**30 - 1) >> max(k, 0), USUAL)
        allowed = (-wide, wide)
        for _, rule_lo, rule_hi in op["sum_ovf"]:
            allowed = (max(allowed[0], rule_lo), min(allowed[1], rule_hi))
        for _, rule_lo, rule_hi in op["shift_ovf"]:
            if k >= 0:
                allowed = (max(allowed[0], -(-rule_lo >> k)), min(allowed[1], rule_hi >> k))
            elif rule_lo > -(2**30) >> -k or rule_hi < 2**30 >> -k:
                raise NotQuick("a bound on a sum that is shifted to the right")
        if allowed[0] > 0 or allowed[1] < 0:
            raise NotQuick("no input at all is outside of the bounds of the sum")
        inside = ANY if allowed[0] <= lo and hi <= allowed[1] else allowed
        lo, hi = max(lo, allowed[0]), min(hi, allowed[1])
        lo, hi = (lo << k, hi << k) if k >= 0 else (lo >> -k, hi >> -k)
        old = self.at[op["reg"]]
        span = self._fit((old[0] + lo, old[1] + hi), op["reg"])
        guard, counted = self._settle(op, op["reg"], span, op["ovf"])
        row = instruction("acc", reg=self._reg(op), k=k, port=self.model.ports.index(op["port"]),
                          inside=inside, result=guard)  # fmt: skip
        self._finish(row, counted)

    def _decay(self, op: Any) -> None:  # type: ignore[override]
        target = op["into"] or op["reg"]
        old, by = self.at[op["reg"]], self._span(op["d"])
        span = decayed(op, old, by)
        span = (span[0] - old[1], span[1] - old[0]) if op["into"] else span
        guard, counted = self._settle(op, target, self._fit(span, target), op["ovf"])
        into = self.model.registers.index(op["into"]) if op["into"] else -1
        common = {"reg": self._reg(op), "into": into, "kind": KINDS.index(op["kind"]),
                  "result": guard}  # fmt: skip
        factor = self._factor(op, old)
        if factor is not None:
            self._finish(instruction("decay_rtz", **common), counted)
            self.out.factors[len(self.out.rows) - 1 - len(counted)] = factor
            return
        row = instruction(
            "decay", a=self._operand(op["d"]), k=op["k"], round=ROUNDINGS.index(op["round"]),
            offset=op["offset"], min_step=op["min_step"], **common,
        )  # fmt: skip
        self._finish(row, counted)

    def _factor(self, op: Any, old: Span) -> npt.NDArray[np.float32] | None:
        """Return the factors of a truncated product, or None where it is not one."""
        values = self._fixed(op["d"])
        exact = max(-old[0], old[1]) <= FLOAT32
        if values is None or op["round"] != "rtz" or not exact or not op["kind"].startswith("mult"):
            return None
        whole = {
            "mult_keep": (1 << op["k"]) - op["offset"] - values,
            "mult_step": values + op["offset"], "mult_by": values,
        }[op["kind"]]  # fmt: skip
        if np.abs(whole).max(initial=0) > FLOAT32:
            return None
        factors = (whole / 2.0 ** op["k"]).astype(np.float32)
        same = factors.size and (factors == factors[0]).all()
        return np.ascontiguousarray(factors[:1] if same else factors)

    def _add(self, op: Any) -> None:  # type: ignore[override]
        shift = self._fixed(op["shift"])
        values = self._fixed(op["src"])
        k = 0
        if values is not None and shift is not None:  # the same in every step: done once
            values, shift = np.broadcast_arrays(values, shift)
            done = shift_rounded_array(values, shift, op["round"])
            for mode, lo, hi in op["src_ovf"]:
                if (overflow_array(done, mode, lo, hi) != done).any():
                    raise NotQuick(f"{op['src']} overflows in every step")
            operand = self.out.array(done)
            source = (int(done.min()), int(done.max())) if done.size else (0, 0)
        else:
            k = self._number(op["shift"], f"the shift of {op['src']}")
            operand = self._operand(op["src"])
            source = tuple(int(shift_rounded_array(np.array([x], object), k, op["round"])[0])  # type: ignore[assignment]
                           for x in self._span(op["src"]))  # fmt: skip
            for _, lo, hi in op["src_ovf"]:
                if source[0] < lo or source[1] > hi:
                    raise NotQuick(f"{op['src']} may overflow as it is shifted")
        self._fit(source, str(op["src"]))
        old = self.at[op["reg"]]
        if op["op"] == "sub":
            source = (-source[1], -source[0])
        span = self._fit((old[0] + source[0], old[1] + source[1]), op["reg"])
        guard, counted = self._settle(op, op["reg"], span, op["ovf"])
        row = instruction("add", reg=self._reg(op), a=operand, k=k, result=guard,
                          round=ROUNDINGS.index(op["round"]),
                          sign=-1 if op["op"] == "sub" else 1)  # fmt: skip
        self._finish(row, counted)

    _sub = _add  # type: ignore[assignment]

    def _copy(self, op: Any) -> list[int]:
        self.at[op["reg"]] = self._span(op["src"])
        return super()._copy(op)

    def _set(self, op: Any) -> list[int]:
        self.at[op["reg"]] = self._span(op["value"])
        return super()._set(op)

    def _clamp(self, op: Any) -> list[int]:
        old, lo, hi = self.at[op["reg"]], self._span(op["lo"]), self._span(op["hi"])
        low, high = max(old[0], lo[0]), max(old[1], lo[1])
        self.at[op["reg"]] = (min(low, hi[0]), min(high, hi[1]))
        return super()._clamp(op)

    def _floor(self, op: Any) -> list[int]:
        old, value = self.at[op["reg"]], self._span(op["value"])
        changed = value if op["action"] == "set" else (old[0] - value[1], old[1] - value[0])
        self.at[op["reg"]] = self._fit(spans_of((*old, *changed)), op["reg"])
        return super()._floor(op)

    def _fire(self, op: Any) -> list[int]:
        threshold = self._span(op["thr"])
        k = op["thr_shift"]
        self._fit((threshold[0] << k, threshold[1] << k), "the threshold")
        old = self.at[op["reg"]]
        row = super()._fire(op)
        values = self._fixed(op["thr"])
        if values is not None:  # the same in every step: shifted once
            row[THRESHOLD : THRESHOLD + 3], row[SHIFT] = self.out.array(values << k), 0
        most = 1 if op["multi"] == "once" else op["cap"]
        self._send((0, most))
        if op["reset"] == "value":
            self.at[op["reg"]] = spans_of((*old, *self._span(op["value"])))
            if op["multi"] == "loop":
                self._fit((old[0] - max(threshold[1] << k, 0), old[1] - min(threshold[0] << k, 0)),
                          "the register as thresholds are taken away")  # fmt: skip
        elif op["reset"] == "subtract":
            taken = self._fit((old[0] - (threshold[1] << k), old[1] - (threshold[0] << k)),
                              op["reg"])  # fmt: skip
            guard = ANY
            for _, lo, hi in op["ovf"]:
                guard = (max(guard[0], lo), min(guard[1], hi))
            if op["multi"] == "loop":  # again and again: below is what one step can reach
                if threshold[0] < 0:
                    guard = (max(guard[0], self.start[op["reg"]][0]),
                             min(guard[1], self.start[op["reg"]][1]))  # fmt: skip
                taken = (max(taken[0], guard[0]), min(max(taken[1], old[1]), guard[1]))
            self.at[op["reg"]] = spans_of((*old, max(taken[0], guard[0]), min(taken[1], guard[1])))
            row[RESULT : RESULT + 2] = [guard[0], guard[1]]
        if op["ref"] is not None:
            self.at["ref"] = spans_of((*self.at["ref"], *self._span(op["ref"])))
        return row

    def _send(self, more: Span) -> None:
        self.sent = self._fit((self.sent[0] + min(more[0], 0), self.sent[1] + max(more[1], 0)),
                              "what is sent")  # fmt: skip

    def _if(self, op: Any) -> list[int]:
        k = self._number(op["level_shift"], "the shift of a level")
        level = self._span(op["level"])
        level = (level[0] << k, level[1] << k) if k >= 0 else (level[0] >> -k, level[1] >> -k)
        self._fit(level, "a level")
        row = super()._if(op)
        row[SHIFT] = k
        return row

    def _tick_ref(self, op: Any) -> list[int]:
        lo, hi = self.at["ref"]
        self.at["ref"] = (max(lo - 1, 0), max(hi - 1, 0))
        return super()._tick_ref(op)

    def _emit(self, op: Any) -> list[int]:
        k = self._number(op["shift"], "the shift of what is sent")
        lo, hi = self._span(op["src"])
        self._send((lo << k, hi << k) if k >= 0 else (lo >> -k, hi >> -k))
        row = super()._emit(op)
        row[SHIFT] = k
        return row


def written(
    model: Model, start: Mapping[str, Span], arriving: Mapping[str, Span]
) -> tuple[Program, Program | None, str]:
    """Return (exact program, quick program or None, why there is no quick one)."""
    exact = Exact(model).out
    try:
        return exact, Quick(model, start, arriving).out, ""
    except NotQuick as reason:
        return exact, None, str(reason)
