"""What a register can hold after an operation, and what does not fit 32 bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Span = tuple[int, int]

INT32: Span = (-(2**31) + 1, 2**31 - 1)
USUAL = 2**24
"""What arrives in a step is expected below this."""
FLOAT32 = 2**24
"""Whole numbers up to here are exact in float32."""


class NotQuick(Exception):
    """The model cannot run in 32 bits; the reason is the message."""


def spans_of(values: Iterable[Any]) -> Span:
    """Return the lowest and highest of some numbers."""
    listed = [int(v) for v in values]
    return min(listed), max(listed)


def stays(copy: Any, later: Any, registers: list[str]) -> bool:
    """Tell whether a copy may be another name of its source: neither changes while both are used.

    True where the copy is changed first, outside of branches (it then has a place of its own).
    """
    if copy["src"] not in registers or copy["src"] == copy["reg"]:
        return False
    for op in later:
        target = op.get("into") or op.get("reg")
        if "then" in op or op["op"] == "fire" or target == copy["src"]:
            return False
        if target == copy["reg"]:
            return True
    return False


def decayed(op: Any, x: Span, d: Span) -> Span:
    """Return an interval that holds a register after a decay: by its corners, and one more."""
    kind, k = op["kind"], op["k"]
    if kind in ("mult_keep", "mult_step", "mult_by"):
        factor = {
            "mult_keep": ((1 << k) - op["offset"] - d[1], (1 << k) - op["offset"] - d[0]),
            "mult_step": (d[0] + op["offset"], d[1] + op["offset"]), "mult_by": d,
        }[kind]  # fmt: skip
        products = [a * f for a in x for f in factor]
        if max(map(abs, products)) > 2**62:
            raise NotQuick("a product of a decay leaves 63 bits")
        lo, hi = (min(products) >> k) - 1, (max(products) >> k) + 2
        if op["round"] == "rtz":
            exact = [int(abs(p) >> k) * (1 if p >= 0 else -1) for p in products]
            lo, hi = min(*exact, 0), max(*exact, 0)
        return (x[0] - hi, x[1] - lo) if kind == "mult_step" else (lo, hi)
    if kind == "linear":
        return x[0] - d[1], x[1] - d[0]
    reach = max(abs(x[0]), abs(x[1]))
    if kind == "linear_to_zero":
        return (-reach - max(-d[0], 0), reach + max(-d[0], 0))
    step = max((reach << max(-d[0], 0)) >> max(d[0], 0), op["min_step"]) + 1
    return x[0] - step, x[1] + step
