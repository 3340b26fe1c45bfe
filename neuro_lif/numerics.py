"""The closed vocabulary of operations a chip's neuron is written in.

A neuron model is an ordered list of these operations. Order matters (old or new u, compare before
or after the leak), which is why a flat record of flags cannot say it. :mod:`neuro_lif.semantics`
gives each operation its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from itertools import count
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MOST_SHIFT = 31
"""Shifts go this far to the left and to the right, whether constants or parameters."""

WIDEST = 2**48
"""No constant and no end of a range is larger than this."""

PRODUCT = 2**62
"""No shifted value and no product of a decay may be larger: executors compute in 64 bits."""

REGISTER_FIELDS = ("reg", "into", "cmp_reg")
OPERAND_FIELDS = (
    "src", "shift", "d", "value", "lo", "hi", "level", "level_shift", "thr", "ref", "interval",
    "offset",
)  # fmt: skip
OVERFLOW_FIELDS = ("sum_ovf", "shift_ovf", "src_ovf", "ovf")
BRANCHES = ("then", "else", "do")
"""Fields that hold operations."""

MOST_SPIKES = 32767
"""A ``fire`` emits no more spikes than this in one step."""

Operand = int | str
"""A constant, the name of a parameter or register, or ``-name`` for its negative."""

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
    """Add the synaptic input of a port: ``reg += overflow(shift(sum of the port))``.

    Inside :class:`Each` the port holds the weight of one event instead of the sum of the step.
    """

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
    round: Literal["floor", "rtz"] = Field(default="floor", description="of a shift to the right")
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
    """Compare with the threshold, emit spikes, reset, start the refractory counter.

    ``multi = "loop"`` takes the threshold away and compares again, up to ``cap`` spikes in a step;
    with ``reset = "value"`` the register then takes that value.
    """

    op: Literal["fire"]
    reg: str
    thr: Operand
    thr_shift: int = Field(default=0, ge=0, le=31)
    cmp: Comparison = ">="
    cmp_reg: str | None = None
    multi: Literal["once", "loop"] = "once"
    cap: int = Field(default=1, ge=1, le=MOST_SPIKES)
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


class If(Strict):
    """Run ``then`` where ``src cmp (level << level_shift)``, else ``else``.

    ``magnitude`` compares the magnitude of ``src``.
    """

    op: Literal["if"]
    src: Operand
    cmp: Literal[">", ">=", "<", "<=", "==", "!="]
    level: Operand = 0
    level_shift: Operand = 0
    magnitude: bool = False
    then: tuple[Op, ...] = Field(default=(), strict=False)
    else_: tuple[Op, ...] = Field(default=(), alias="else", strict=False)


class IfStep(Strict):
    """Run ``then`` in the steps t (1 is the first) with t = offset modulo interval, else ``else``.

    An interval below 1 is never.
    """

    op: Literal["if_step"]
    interval: Operand
    offset: Operand = 0
    then: tuple[Op, ...] = Field(default=(), strict=False)
    else_: tuple[Op, ...] = Field(default=(), alias="else", strict=False)


class Each(Strict):
    """Run ``do`` once for every event that arrives, in order, instead of once for their sum.

    The order is that of the projections in the network, then of the presynaptic neurons, each
    repeated as often as it spiked, at most ``cap`` times. Where several ports are named, one turn
    takes what has the same place in that order at each of them: the same projection of its port
    (the first, the second, ...), the same presynaptic index, the same repetition; a port that has
    nothing there gives 0.
    """

    op: Literal["each"]
    ports: tuple[str, ...] = Field(strict=False, min_length=1)
    cap: int | None = Field(default=None, ge=1, le=MOST_SPIKES)
    do: tuple[Op, ...] = Field(strict=False)


class Emit(Strict):
    """Add ``shift(src)`` to what the neuron sends in this step: a graded spike, maybe negative."""

    op: Literal["emit"]
    src: Operand
    shift: Operand = 0


Op = Annotated[
    Acc
    | Decay
    | Add
    | Sub
    | Copy
    | Set
    | Clamp
    | Floor
    | Fire
    | IfRef
    | TickRef
    | If
    | IfStep
    | Each
    | Emit,
    Field(discriminator="op"),
]
for _model in (IfRef, If, IfStep, Each):
    _model.model_rebuild()

ResolvedOps = tuple[dict[str, Any], ...]
"""Operations as plain dictionaries with every overflow range written out: what executors read.

``at`` is an operation's place in the model's list, those inside branches counted.
"""

V = TypeVar("V")


class _Resolved(tuple):  # type: ignore[type-arg]
    """The operations of a whole model, with what was worked out of them."""


def once(function: Callable[[ResolvedOps], V]) -> Callable[[ResolvedOps], V]:
    """Let a function of a model's operations be worked out once; nobody changes what it returns."""

    @wraps(function)
    def kept(ops: ResolvedOps) -> V:
        if not isinstance(ops, _Resolved):
            return function(ops)
        known: dict[str, Any] = vars(ops)
        if function.__name__ not in known:
            known[function.__name__] = function(ops)
        value: V = known[function.__name__]
        return value

    return kept


def resolve(ops: tuple[Any, ...], ranges: dict[str, tuple[int, int]]) -> ResolvedOps:
    """Return ``ops`` as plain dictionaries, overflow ranges filled from the registers' own.

    Args:
        ops: operations of one neuron model.
        ranges: lowest and highest value of each register.
    """
    places = count()
    return _Resolved(_resolve_one(op, ranges, places) for op in ops)


def _resolve_one(op: Any, ranges: dict[str, tuple[int, int]], places: Iterator[int]) -> Any:
    plain: dict[str, Any] = {"at": next(places)}
    for name in type(op).model_fields:
        value = getattr(op, name)
        if (key := name.rstrip("_")) in BRANCHES:
            plain[key] = tuple(_resolve_one(inner, ranges, places) for inner in value)
        elif key in OVERFLOW_FIELDS:
            target = plain.get("into") or plain.get("reg")
            plain[key] = tuple(_resolve_overflow(rule, ranges[str(target)]) for rule in value)
        else:
            plain[key] = value
    return plain


def _resolve_overflow(rule: Overflow, span: tuple[int, int]) -> tuple[str, int, int]:
    lo, hi = rule.lo, rule.hi
    return (rule.mode, span[0] if lo is None else lo, span[1] if hi is None else hi)


@once
def walk(ops: ResolvedOps) -> list[dict[str, Any]]:
    """Return all operations in order, those inside branches included."""
    flat: list[dict[str, Any]] = []
    for op in ops:
        flat.append(op)
        for branch in BRANCHES:
            flat += walk(op.get(branch, ()))
    return flat


@once
def ports_of(ops: ResolvedOps) -> dict[str, int | None]:
    """Return every event port of a model with its cap (see :class:`Each`; None: no cap)."""
    return {port: op["cap"] for op in walk(ops) if op["op"] == "each" for port in op["ports"]}


@once
def joint_ports_of(ops: ResolvedOps) -> tuple[str, ...]:
    """Return the event ports that some ``each`` takes together with others."""
    joint = [op["ports"] for op in walk(ops) if op["op"] == "each" and len(op["ports"]) > 1]
    return tuple(sorted({port for ports in joint for port in ports}))


@once
def sum_ports_of(ops: ResolvedOps) -> set[str]:
    """Return the ports that deliver the sum of a step."""
    used = {op["port"] for op in walk(ops) if op["op"] == "acc"}
    return used - ports_of(ops).keys()


def params_of(ops: ResolvedOps) -> set[str]:
    """Return every name that the operations have as an operand: parameters and registers."""
    given = [op.get(name) for op in walk(ops) for name in OPERAND_FIELDS]
    return {operand.removeprefix("-") for operand in given if isinstance(operand, str)}


@once
def sends_only_single(ops: ResolvedOps) -> bool:
    """Tell whether a neuron can send nothing but 0 and 1 in a step."""
    events = [inner for op in ops if op["op"] == "each" for inner in walk(op["do"])]
    fires = [op for op in walk(ops) if op["op"] == "fire"]
    if any(op["op"] == "emit" for op in walk(ops)) or len(fires) > 1:
        return False
    many = any(op["multi"] == "loop" and op["cap"] > 1 for op in fires)
    return not many and not any(op["op"] == "fire" for op in events)
