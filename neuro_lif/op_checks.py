"""Checks of operations as they stand in a profile file, before a schema has read them.

What is malformed is left to the schema; these tell of names that do not exist, of ranges that are
upside down, and of arithmetic that would not fit the 64 bits executors compute in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from .errors import show
from .numerics import (
    BRANCHES,
    MOST_SHIFT,
    OPERAND_FIELDS,
    OVERFLOW_FIELDS,
    PRODUCT,
    REGISTER_FIELDS,
    WIDEST,
)

Span = tuple[int, int]


def rules_in(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return (place, rule) of a list of tables; what is no table is left out."""
    rules = value if isinstance(value, (list, tuple)) else []
    return [(i, rule) for i, rule in enumerate(rules) if isinstance(rule, dict)]


def ops_in(ops: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, operation) in order, those inside branches included."""
    for i, op in rules_in(ops):
        yield f"{where}.{i} ({op.get('op')})", op
        for branch in BRANCHES:
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
        shifts = ("shift", "level_shift", *(["d"] if op.get("kind") == "shift" else []))
        for key in shifts:
            faults += self._shift(f"{where}.{key}", op.get(key))
        own = self.span(op.get("into") or op.get("reg"))
        for key in OVERFLOW_FIELDS:
            for i, rule in rules_in(op.get(key)):
                faults += check_rule(f"{where}.{key}.{i}", rule, own)
        if op.get("op") == "clamp":
            faults += upside_down(where, (op.get("lo"), op.get("hi")))
        return faults or self._width(where, op)

    def _operand(self, where: str, value: Any) -> list[str]:
        if isinstance(value, str):
            name = value.removeprefix("-")
            if name not in self.params and name not in self.registers:
                return [f"{where} = {show(value)}: not in [params] or [registers]"]
        if whole(value) and abs(value) > WIDEST:
            return [f"{where} = {value}: allowed: -2**48..2**48"]
        return []

    def _shift(self, where: str, value: Any) -> list[str]:
        allowed = f"allowed: {-MOST_SHIFT}..{MOST_SHIFT}"
        if isinstance(value, str) and value.removeprefix("-") in self.params:
            span = self.span(value)
            if span is not None and not -MOST_SHIFT <= span[0] <= span[1] <= MOST_SHIFT:
                text = f"its range {span[0]}..{span[1]}, as it is used as a shift"
                return [f"{where} = {value!r}: {text}, {allowed}"] if span[0] <= span[1] else []
        elif isinstance(value, str) and value.removeprefix("-") in self.registers:
            return [f"{where} = {value!r}: a register, {allowed}, or a parameter"]
        elif whole(value) and abs(value) > MOST_SHIFT:
            return [f"{where} = {value}: {allowed}, or a parameter"]
        return []

    def span(self, operand: Any) -> Span | None:
        """Return lowest and highest value of an operand; None where it is not known."""
        if whole(operand):
            return (operand, operand)
        name = operand if isinstance(operand, str) else ""
        if name.startswith("-"):
            span = self.span(name[1:])
            return None if span is None else (-span[1], -span[0])
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
        for shifted, by in (("thr", "thr_shift"), ("src", "shift"), ("level", "level_shift")):
            value, places = self.span(op.get(shifted)), self.span(op.get(by, 0))
            if value and places and max(map(abs, places)) <= MOST_SHIFT:
                reach = max(reach, max(map(abs, value)) << max(places[1], 0))
        bits = reach.bit_length()
        return [f"{where}: reaches {bits} bits, allowed: 62"] if reach > PRODUCT else []


def check_ports(where: str, ops: Any) -> list[str]:
    """Return the faults of a model's ports: each either takes events or the sum of a step."""
    events, sums, faults = set[str](), set[str](), list[str]()
    _ports_in(where, ops, None, events, sums, faults)
    return faults + [
        f"{where}: port {port!r} is used by each and by an acc outside it, allowed: one of the two"
        for port in sorted(events & sums)
    ]


def _ports_in(
    where: str, ops: Any, inside: tuple[Any, ...] | None, events: set[str], sums: set[str],
    faults: list[str],
) -> None:  # fmt: skip
    for i, op in rules_in(ops):
        place, kind, ports = f"{where}.{i} ({op.get('op')})", op.get("op"), op.get("ports")
        port = op.get("port", "in")
        if kind == "acc" and inside is None and isinstance(port, str):
            sums.add(port)
        elif kind == "acc" and inside is not None and port not in inside:
            text = f"allowed inside this each: {', '.join(map(str, inside))}"
            faults.append(f"{place}.port = {show(port)}: {text}")
        within = inside
        if kind == "each" and isinstance(ports, (list, tuple)):
            if inside is not None:
                faults.append(f"{place}: each inside each, allowed: one after the other")
            events.update(p for p in ports if isinstance(p, str))
            within = tuple(ports)
        for branch in BRANCHES:
            _ports_in(f"{place}.{branch}", op.get(branch), within, events, sums, faults)
