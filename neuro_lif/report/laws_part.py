"""Predicted beside measured errors: one panel for each quantity that a law speaks of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..laws import LAWS, LawRow
from .numbers import number
from .scales import Scale, spanning, spanning_signed
from .svg import Line, Mark, Plot, down

MOST_MARKS = 600
"""Points of one panel; of more, the worst and a regular choice."""


@dataclass(frozen=True)
class Panel:
    """One quantity of one law: the chart and how many of its rows hold."""

    law: str
    quantity: str
    unit: str
    held: int
    inside: int
    beyond: int
    plot: Plot
    note: str


@dataclass(frozen=True)
class LawsPart:
    """What the page shows of a sweep of the laws.

    Args:
        panels: charts.
        held, inside, beyond: rows within their tolerance, of those within the range of their law;
            rows beyond it.
        head, rows: the table: configurations in the order of the sweep.
        about: (law, what it is about).
    """

    panels: tuple[Panel, ...]
    held: int
    inside: int
    beyond: int
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    about: Mapping[str, str]


def laws_part(rows: Sequence[LawRow] | None) -> LawsPart | None:
    """Return what the page shows of rows of predicted and measured values."""
    if not rows:
        return None
    groups: dict[tuple[str, str, str], list[LawRow]] = {}
    for row in rows:
        groups.setdefault((row.law, row.quantity, row.unit), []).append(row)
    order = sorted(groups, key=lambda key: list(LAWS).index(key[0]))
    inside = [r for r in rows if not r.beyond]
    head = ("law", "quantity", "configuration", "predicted", "measured", "tolerance", "unit",
            "holds")  # fmt: skip
    return LawsPart(
        tuple(_panel(*key, groups[key]) for key in order), sum(r.within for r in inside),
        len(inside), len(rows) - len(inside), head, tuple(_row(r) for r in rows), dict(LAWS),
    )  # fmt: skip


def _row(r: LawRow) -> tuple[str, ...]:
    holds = "yes" if r.within else "NO"
    if r.beyond:
        holds = f"beyond its range: {r.beyond}"
    return (r.law, r.quantity, _named(r.configuration), number(r.predicted, 5),
            number(r.measured, 5), number(r.tolerance, 3), r.unit, holds)  # fmt: skip


def _named(configuration: Mapping[str, Any]) -> str:
    parts = []
    for name, value in configuration.items():
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        parts.append(f"{name} = {number(value) if known else value}")
    return ", ".join(parts)


def _panel(law: str, quantity: str, unit: str, rows: list[LawRow]) -> Panel:
    unit = unit.replace("**2", "\u00b2")
    values = [v for r in rows for v in (r.predicted, r.measured)]
    scale = _scale(values, sorted(r.tolerance for r in rows)[len(rows) // 2])
    inside = [r for r in rows if not r.beyond]
    held = sum(r.within for r in inside)
    shown, note = _chosen(rows)
    band = "".join(_whisker(scale, r) for r in sorted(shown, key=lambda r: r.predicted))
    lines = (Line("tolerance", band), Line("identity", "M0 100L100 0"))
    marks = tuple(_mark(scale, r) for r in shown)
    about = (f"Law {law}, {quantity}: measured against predicted, {unit}; {held} of {len(inside)} "
             "comparisons are within their tolerance of the line of equal values.")  # fmt: skip
    ticks = scale.ticks(4)
    plot = Plot(about, ticks, ticks, f"predicted, {unit}", f"measured, {unit}", 250, "0 0 100 100",
                lines, marks)  # fmt: skip
    return Panel(law, quantity, unit, held, len(inside), len(rows) - len(inside), plot, note)


def _scale(values: list[float], tolerance: float) -> Scale:
    """Return a scale; what is smaller than the tolerance need not be told apart."""
    sizes = [abs(v) for v in values if v]
    if not sizes or max(sizes) / min(sizes) < 40:
        return spanning(values, margin=0.08)
    return spanning_signed(values, tolerance)


def _whisker(scale: Scale, r: LawRow) -> str:
    x = scale.at(r.predicted)
    low, high = down(scale, r.predicted - r.tolerance), down(scale, r.predicted + r.tolerance)
    return f"M{x} {min(low, 400)}V{max(high, -300)}"


def _mark(scale: Scale, r: LawRow) -> Mark:
    state = "within its tolerance" if r.within else "NOT within its tolerance"
    if r.beyond:
        state = f"beyond the range of the law: {r.beyond}"
    label = (f"{r.law}, {r.quantity}: predicted {number(r.predicted)}, measured "
             f"{number(r.measured)} {r.unit}, tolerance {number(r.tolerance, 3)} ({state}). "
             f"{_named(r.configuration)}")  # fmt: skip
    shape, style = ("dot", "held") if r.within else ("cross", "broken")
    if r.beyond:
        shape, style = "ring", "beyond"
    return Mark(scale.at(r.predicted), scale.at(r.measured), shape, label, style)


def _chosen(rows: list[LawRow]) -> tuple[list[LawRow], str]:
    if len(rows) <= MOST_MARKS:
        return rows, ""

    def used(r: LawRow) -> float:
        return abs(r.deviation) / r.tolerance if r.tolerance else math.inf

    worst = sorted(range(len(rows)), key=lambda k: -used(rows[k]))[: MOST_MARKS // 2]
    every = len(rows) / (MOST_MARKS // 2)
    kept = sorted({*worst, *(int(k * every) for k in range(MOST_MARKS // 2))})
    return [
        rows[k] for k in kept
    ], f"{number(len(kept))} of {number(len(rows))} are drawn, the worst among them"
