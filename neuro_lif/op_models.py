"""The operations of :mod:`neuro_lif.numerics` as a file holds them, checked as it is read.

Apart from them because the library that checks takes longer to import than all else here: what runs
a network needs only the plain form.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .numerics import MOST_SPIKES, WIDEST, Comparison, Operand


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
