"""The closed vocabulary of operations a chip's neuron is written in.

A neuron model is an ordered list of these operations. Order matters (old or new u, compare before
or after the leak), which is why a flat record of flags cannot say it. :mod:`neuro_lif.semantics`
gives each operation its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from .errors import show

MOST_SHIFT = 31
"""Shifts go this far to the left and to the right, whether constants or parameters."""

WIDEST = 2**48
"""No constant and no end of a range is larger than this."""

PRODUCT = 2**62
"""No shifted value and no product of a decay may be larger: executors compute in 64 bits."""

REGISTER_FIELDS = ("reg", "into", "cmp_reg")
OPERAND_FIELDS = ("src", "shift", "d", "value", "lo", "hi", "level", "thr", "ref")
OVERFLOW_FIELDS = ("sum_ovf", "shift_ovf", "src_ovf", "ovf")

Operand = int | str
"""A constant, the name of a parameter, or the name of a register."""

Comparison = Literal[">", ">="]


class Strict(BaseModel):
    """Base of everything read from a file: no unknown keys, no silent casts, frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Overflow(Strict):
    """What happens to a result outside [lo, hi]; where lo and hi are absent, the register's own."""

    mode: Literal["wrap", "sat", "wrap_once"]
    lo: int | None = Field(default=None, ge=-WIDEST, le=WIDEST)
    hi: int | None = Field(default=None, ge=-WIDEST, le=WIDEST)


OverflowList = tuple[Overflow, ...]


def _overflows(about: str) -> Any:
    return Field(default=(), description=about, strict=False)


class Acc(Strict):
    """Add the synaptic input of a port: ``reg += overflow(shift(sum of the port))``."""

    op: Literal["acc"]
    reg: str
    port: str = "in"
    shift: Operand = 0
    sum_ovf: OverflowList = _overflows("on the sum, before the shift")
    shift_ovf: OverflowList = _overflows("on the shifted sum")
    ovf: OverflowList = _overflows("on the register")


class Decay(Strict):
    """Let a register decay; ``into`` receives the change instead, and the register stays."""

    op: Literal["decay"]
    reg: str
    kind: Literal["mult_keep", "mult_step", "mult_by", "shift", "linear", "linear_to_zero"]
    d: Operand
    k: int = Field(default=0, ge=0, le=31)
    offset: int = Field(default=0, ge=-WIDEST, le=WIDEST)
    round: Literal["floor", "rtz", "raz", "floor_then_raz", "nearest_up"] = "floor"
    min_step: int = Field(default=0, ge=0, le=WIDEST)
    into: str | None = None
    ovf: OverflowList = _overflows("on the result")


class _Arithmetic(Strict):
    reg: str
    src: Operand
    shift: Operand = 0
    src_ovf: OverflowList = _overflows("on the shifted source")
    ovf: OverflowList = _overflows("on the register")


class Add(_Arithmetic):
    """``reg += shift(src)``."""

    op: Literal["add"]


class Sub(_Arithmetic):
    """``reg -= shift(src)``."""

    op: Literal["sub"]


class Copy(Strict):
    """``reg = src`` (a register or a parameter)."""

    op: Literal["copy"]
    reg: str
    src: str


class Set(Strict):
    """``reg = value``."""

    op: Literal["set"]
    reg: str
    value: Operand


class Clamp(Strict):
    """``reg = min(max(reg, lo), hi)``, counted as an event like a saturation."""

    op: Literal["clamp"]
    reg: str
    lo: Operand
    hi: Operand


class Floor(Strict):
    """A negative threshold: where ``reg cmp level``, set it to ``value`` or take ``value`` away."""

    op: Literal["floor"]
    reg: str
    level: Operand
    cmp: Literal["<", "<="] = "<"
    action: Literal["set", "subtract"] = "set"
    value: Operand = 0


class Fire(Strict):
    """Compare with the threshold, emit spikes, reset, start the refractory counter."""

    op: Literal["fire"]
    reg: str
    thr: Operand
    thr_shift: int = Field(default=0, ge=0, le=31)
    cmp: Comparison = ">="
    cmp_reg: str | None = None
    multi: Literal["once", "loop"] = "once"
    cap: int = Field(default=1, ge=1, le=32767)
    reset: Literal["value", "subtract", "none"] = "value"
    value: Operand = 0
    min_v: int | None = Field(default=None, ge=-WIDEST, le=WIDEST)
    ovf: OverflowList = _overflows("on the register after a subtracting reset")
    ref: Operand | None = None


class IfRef(Strict):
    """Run ``then`` where the refractory counter is above zero, else ``else``."""

    op: Literal["if_ref"]
    then: tuple[Op, ...] = Field(default=(), strict=False)
    else_: tuple[Op, ...] = Field(default=(), alias="else", strict=False)


class TickRef(Strict):
    """Count the refractory counter down by one, not below zero."""

    op: Literal["tick_ref"]


Op = Annotated[
    Acc | Decay | Add | Sub | Copy | Set | Clamp | Floor | Fire | IfRef | TickRef,
    Field(discriminator="op"),
]
IfRef.model_rebuild()

ResolvedOps = tuple[dict[str, Any], ...]
"""Operations as plain dictionaries with every overflow range written out: what executors read."""


def resolve(ops: tuple[Any, ...], ranges: dict[str, tuple[int, int]]) -> ResolvedOps:
    """Return ``ops`` as plain dictionaries, overflow ranges filled from the registers' own.

    Args:
        ops: operations of one neuron model.
        ranges: lowest and highest value of each register.
    """
    return tuple(_resolve_one(op, ranges) for op in ops)


def _resolve_one(op: Any, ranges: dict[str, tuple[int, int]]) -> dict[str, Any]:
    if isinstance(op, IfRef):
        return {
            "op": "if_ref",
            "then": resolve(op.then, ranges),
            "else": resolve(op.else_, ranges),
        }
    plain: dict[str, Any] = op.model_dump()
    target = plain.get("into") or plain.get("reg")
    for name in OVERFLOW_FIELDS:
        if name in plain:
            plain[name] = tuple(_resolve_overflow(o, ranges[str(target)]) for o in plain[name])
    return plain


def _resolve_overflow(rule: dict[str, Any], span: tuple[int, int]) -> tuple[str, int, int]:
    lo, hi = rule["lo"], rule["hi"]
    return (rule["mode"], span[0] if lo is None else lo, span[1] if hi is None else hi)


def walk(ops: ResolvedOps) -> list[dict[str, Any]]:
    """Return all operations in order, those inside ``if_ref`` included."""
    flat: list[dict[str, Any]] = []
    for op in ops:
        flat.append(op)
        if op["op"] == "if_ref":
            flat += walk(op["then"]) + walk(op["else"])
    return flat


# ------------------------------------------------ checks of operations as they stand in a file

Span = tuple[int, int]


def rules_in(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return (place, rule) of a list of tables; what is no table is left out."""
    rules = value if isinstance(value, (list, tuple)) else []
    return [(i, rule) for i, rule in enumerate(rules) if isinstance(rule, dict)]


def ops_in(ops: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, operation) in order, those inside ``if_ref`` included."""
    for i, op in rules_in(ops):
        yield f"{where}.{i} ({op.get('op')})", op
        for branch in ("then", "else"):
            yield from ops_in(op.get(branch), f"{where}.{i}.{branch}")


def whole(value: Any) -> TypeGuard[int]:
    """Tell whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def upside_down(where: str, ends: tuple[Any, Any]) -> list[str]:
    """Return a fault where both ends are known and the first is above the second."""
    lo, hi = ends
    if not (whole(lo) and whole(hi)) or lo <= hi:
        return []
    return [f"{where}: lo = {lo} is above hi = {hi}, allowed: lo <= hi"]


def check_rule(where: str, rule: dict[str, Any], own: Span | None) -> list[str]:
    """Check an overflow rule; ``own`` is the range it takes where it names none."""
    lo, hi = (rule.get("lo"), rule.get("hi"))
    if own is not None:
        lo, hi = (own[0] if lo is None else lo, own[1] if hi is None else hi)
    return upside_down(where, (lo, hi)) if rule else []


@dataclass(frozen=True)
class Scope:
    """The names an operation may use, with their ranges (None: malformed, told elsewhere)."""

    registers: dict[str, Span | None]
    params: dict[str, Span | None]

    def register(self, where: str, name: str) -> list[str]:
        """Return a fault where there is no such register."""
        known = name in self.registers
        return [] if known else [f"{where}: register {name!r} is not in [registers]"]

    def check(self, where: str, op: dict[str, Any]) -> list[str]:
        """Return the faults of one operation."""
        faults = []
        for key in REGISTER_FIELDS:
            if isinstance(name := op.get(key), str) and name not in self.registers:
                faults.append(f"{where}.{key} = {show(name)}: not in [registers]")
        for key in OPERAND_FIELDS:
            faults += self._operand(f"{where}.{key}", op.get(key))
        for key in ("shift", "d") if op.get("kind") == "shift" else ("shift",):
            faults += self._shift(f"{where}.{key}", op.get(key))
        own = self.span(op.get("into") or op.get("reg"))
        for key in OVERFLOW_FIELDS:
            for i, rule in rules_in(op.get(key)):
                faults += check_rule(f"{where}.{key}.{i}", rule, own)
        if op.get("op") == "clamp":
            faults += upside_down(where, (op.get("lo"), op.get("hi")))
        return faults or self._width(where, op)

    def _operand(self, where: str, value: Any) -> list[str]:
        if isinstance(value, str) and value not in self.params and value not in self.registers:
            return [f"{where} = {show(value)}: not in [params] or [registers]"]
        if whole(value) and abs(value) > WIDEST:
            return [f"{where} = {value}: allowed: -2**48..2**48"]
        return []

    def _shift(self, where: str, value: Any) -> list[str]:
        allowed = f"allowed: {-MOST_SHIFT}..{MOST_SHIFT}"
        if isinstance(value, str) and value in self.params:
            span = self.params[value]
            if span is not None and not -MOST_SHIFT <= span[0] <= span[1] <= MOST_SHIFT:
                text = f"its range {span[0]}..{span[1]}, as it is used as a shift"
                return [f"{where} = {value!r}: {text}, {allowed}"] if span[0] <= span[1] else []
        elif isinstance(value, str) and value in self.registers:
            return [f"{where} = {value!r}: a register, {allowed}, or a parameter"]
        elif whole(value) and abs(value) > MOST_SHIFT:
            return [f"{where} = {value}: {allowed}, or a parameter"]
        return []

    def span(self, operand: Any) -> Span | None:
        """Return lowest and highest value of an operand; None where it is not known."""
        if whole(operand):
            return (operand, operand)
        name = operand if isinstance(operand, str) else ""
        return self.params.get(name, self.registers.get(name))

    def _width(self, where: str, op: dict[str, Any]) -> list[str]:
        """Refuse what does not fit 64 bits on the way, where executors would differ."""
        x, d = self.span(op.get("reg")), self.span(op.get("d"))
        k, offset, kind = op.get("k", 0), op.get("offset", 0), op.get("kind")
        reach = 0
        if op.get("op") == "decay" and x and d and whole(k) and whole(offset):
            base = {"mult_keep": 2 ** min(max(k, 0), 31) - offset, "mult_step": -offset}
            if kind in ("mult_keep", "mult_step", "mult_by"):
                factor = max(abs(base.get(kind, 0) - end) for end in d)
                reach = max(map(abs, x)) * factor
        shifted, by = (op.get("thr"), op.get("thr_shift", 0)) if op.get("op") == "fire" else (
            op.get("src"), op.get("shift", 0))  # fmt: skip
        value, places = self.span(shifted), self.span(by)
        if value and places and max(map(abs, places)) <= MOST_SHIFT:
            reach = max(map(abs, value)) << max(places[1], 0)
        bits = reach.bit_length()
        return [f"{where}: reaches {bits} bits, allowed: 62"] if reach > PRODUCT else []
