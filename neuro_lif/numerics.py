"""The closed vocabulary of operations a chip's neuron is written in.

A neuron model is an ordered list of these operations. Order matters (old or new u, compare before
or after the leak), which is why a flat record of flags cannot say it. :mod:`neuro_lif.semantics`
gives each operation its meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Operand = int | str
"""A constant, the name of a parameter, or the name of a register."""

Comparison = Literal[">", ">="]


class Strict(BaseModel):
    """Base of everything read from a file: no unknown keys, no silent casts, frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Overflow(Strict):
    """What happens to a result outside [lo, hi]; where lo and hi are absent, the register's own."""

    mode: Literal["wrap", "sat", "wrap_once"]
    lo: int | None = None
    hi: int | None = None


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
    offset: int = 0
    round: Literal["floor", "rtz", "raz", "floor_then_raz", "nearest_up"] = "floor"
    min_step: int = Field(default=0, ge=0)
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
    cap: int = Field(default=1, ge=1)
    reset: Literal["value", "subtract", "none"] = "value"
    value: Operand = 0
    min_v: int | None = None
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
    for name in ("sum_ovf", "shift_ovf", "src_ovf", "ovf"):
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
