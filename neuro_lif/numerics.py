"""The closed vocabulary of operations a chip's neuron is written in.

A neuron model is an ordered list of these operations. Order matters (old or new u, compare before
or after the leak), which is why a flat record of flags cannot say it. :mod:`neuro_lif.semantics`
gives each operation its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from itertools import count
from typing import Any, Literal, TypeVar

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

SIGN_MODES = ("mixed", "excitatory", "inhibitory", "null")
"""What the weights of a projection may be."""


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


def _resolve_overflow(rule: Any, span: tuple[int, int]) -> tuple[str, int, int]:
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
