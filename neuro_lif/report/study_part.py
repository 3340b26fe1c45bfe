"""A study: heat map of two varied names, Pareto front, and the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RangeError, show
from .colours import colour
from .numbers import number, percent, prefix_of
from .scales import spanning, spanning_log
from .svg import Line, Mark, Plot, down, steps_down

Row = Mapping[str, Any]

MOST_ROWS = 1_000
"""Rows of the table on the page; of more, the best."""
MOST_MARKS = 1_500
MOST_CELLS = 24
"""Values of one varied name in the heat map."""
QUALITY = ("accuracy", "spike_agreement", "agreement")
"""What a study is judged by: the first of these that is there; 1 is the best."""
COST = ("bits", "synapse_bits", "weight_bits")
SHOWN = ("accuracy", "agreement", "spike_agreement", "rate_error", "overflow", "clipped",
         "weight_bits", "bits")  # fmt: skip
"""Measures in the table, those that are there."""
SHARES = ("accuracy", "agreement", "spike_agreement")
WORDS = {
    "accuracy": "accuracy", "agreement": "same class as float", "spike_agreement": "same spikes",
    "rate_error": "rate error, Hz", "overflow": "overflows", "clipped": "changed as stored",
    "weight_bits": "bits of a weight", "bits": "bits in all", "synapse_bits": "bits of weights",
    "error": "error",
}  # fmt: skip


@dataclass(frozen=True)
class HeatCell:
    """One cell: what it says, its colours, and which mark it has."""

    text: str
    back: str
    ink: str
    label: str
    best: bool
    reaches: bool


@dataclass(frozen=True)
class Heat:
    """The heat map as a table: rows from the first varied name, columns from the second."""

    row_name: str
    column_name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell | None, ...]], ...]
    caption: str
    legend: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class TableCell:
    """A cell of a sortable table: its text and the key it is sorted by."""

    text: str
    key: str
    number: bool


@dataclass(frozen=True)
class StudyPart:
    """What the page shows of a study.

    Args:
        count, failed: configurations; those without a result.
        axes: varied names.
        quality, cost: columns it is judged by (None where not measured) and in words.
        heat, pareto: charts, None where there is nothing to draw.
        front: rows of the front as text.
        front_head, head, rows: tables; ``note`` what was left out.
        target: quality that counts as kept.
        fewest: the cheapest row that reaches the target, as text; empty: none.
    """

    count: int
    failed: int
    axes: tuple[str, ...]
    quality: str | None
    cost: str | None
    heat: Heat | None
    pareto: Plot | None
    front_head: tuple[str, ...]
    front: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    note: str
    target: float | None
    fewest: str


def rows_of(study: Any) -> list[Row]:
    """Return the rows of a study: of a Study, of its table, or of a file's list.

    Raises:
        RangeError: it is none of these.
    """
    table = getattr(study, "table", None)
    rows = table() if callable(table) else study
    if isinstance(rows, Mapping):
        rows = rows.get("rows")
    if not isinstance(rows, Sequence) or not all(isinstance(r, Mapping) for r in rows):
        raise RangeError(f"report: study = {show(study)}, allowed: a Study, or the rows of its "
                         "table()")  # fmt: skip
    return list(rows)


def axes_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the varied names: they stand between ``key`` and ``error``."""
    names = list(rows[0])
    first = names.index("key") + 1 if "key" in names else 0
    last = names.index("error") if "error" in names else len(names)
    return tuple(names[first:last])


def study_part(study: Any) -> StudyPart | None:
    """Return what the page shows of a study."""
    if study is None:
        return None
    rows = rows_of(study)
    if not rows:
        return None
    axes = axes_of(rows)
    good = [r for r in rows if not r.get("error")]
    quality, cost = _first(QUALITY, good), _first(COST, good)
    best = sorted(good, key=lambda r: -_value(r, quality)) if quality else good
    front = _front(good, cost, quality)
    target = _target(good, quality)
    known = [m for m in SHOWN if any(r.get(m) is not None for r in good)]
    same = [m for m in known if m not in (quality, cost) and len(good) > 1
            and len({r.get(m) for r in good}) == 1]  # fmt: skip
    measures = [m for m in known if m not in same]
    head = (*axes, *measures, *(["error"] if len(good) < len(rows) else []))
    failed = [r for r in rows if r.get("error")]
    kept = [*best, *failed][:MOST_ROWS]
    notes = [] if len(kept) == len(rows) else [
        f"The best {number(len(kept))} of {number(len(rows))} configurations."]  # fmt: skip
    if same:
        told = ", ".join(f"{_words(m)} {_text(good[0][m], m)}" for m in same)
        notes.append(f"In all of them: {told}.")
    return StudyPart(
        len(rows), len(failed), axes, quality, cost,
        _heat(good, axes, quality, cost, target), _pareto(good, front, axes, cost, quality, target),
        tuple(_words(h) for h in (*axes, *measures)),
        tuple(tuple(_cell(r, h).text for h in (*axes, *measures)) for r in front),
        tuple(_words(h) for h in head), tuple(tuple(_cell(r, h) for h in head) for r in kept),
        " ".join(notes),
        target, _fewest(front, axes, cost, quality, target),
    )  # fmt: skip


def _first(names: Sequence[str], rows: Sequence[Row]) -> str | None:
    return next((n for n in names if any(_finite(r.get(n)) for r in rows)), None)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _value(row: Row, name: str | None) -> float:
    value = row.get(name) if name else None
    return float(value) if value is not None and _finite(value) else -math.inf


def _words(name: str) -> str:
    return WORDS.get(name, name)


def _target(rows: Sequence[Row], quality: str | None) -> float | None:
    """Return the quality that counts as kept: half a point below float, where that is known."""
    floats = [r["accuracy_float"] for r in rows if _finite(r.get("accuracy_float"))]
    return max(floats) - 0.005 if quality == "accuracy" and floats else None


def _front(rows: Sequence[Row], cost: str | None, quality: str | None) -> list[Row]:
    """Return the rows that no other beats in both cost and quality, the cheapest first."""
    if cost is None or quality is None:
        return []
    known = [r for r in rows if _finite(r.get(cost)) and _finite(r.get(quality))]
    front: list[Row] = []
    for row in sorted(known, key=lambda r: (r[cost], -r[quality])):
        if not front or row[quality] > front[-1][quality]:
            front.append(row)
    return front


def _text(value: Any, name: str) -> str:
    if value is None:
        return "\u2013"
    if name in SHARES and _finite(value):
        return percent(value, 2)
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number(value) if known else str(value)


def _cell(row: Row, name: str) -> TableCell:
    value = row.get(name)
    known = _finite(value) and not isinstance(value, bool)
    return TableCell(_text(value, name), repr(value) if known else str(value or ""), known)


def _told(row: Row, axes: Sequence[str]) -> str:
    return ", ".join(f"{short(a)} = {_text(row.get(a), a)}" for a in axes)


def short(name: str) -> str:
    """Return the last part of a dotted name, where that says enough."""
    head, _, rest = name.partition(".")
    if head == "params" or not rest:
        return name
    return rest if rest.endswith(".scale") else rest.rpartition(".")[2]


def _fewest(
    front: list[Row], axes: Sequence[str], cost: str | None, quality: str | None,
    target: float | None,
) -> str:  # fmt: skip
    for row in front:
        if cost and quality and target is not None and row[quality] >= target:
            return (f"{_told(row, axes)} keeps {percent(row[quality], 2)} with "
                    f"{bits_text(row[cost])}")  # fmt: skip
    return ""


def bits_text(bits: float) -> str:
    """Return a number of bits as people say it."""
    if bits < 64:
        return f"{number(bits)} bits"
    factor, prefix = prefix_of(bits, low=0)
    return f"{number(bits * factor, 3)} {prefix}bit"


# -------------------------------------------------------------------------------- heat map


def _heat(
    rows: Sequence[Row], axes: Sequence[str], quality: str | None, cost: str | None,
    target: float | None,
) -> Heat | None:  # fmt: skip
    values = {a: sorted({r.get(a) for r in rows}, key=_order) for a in axes}
    several = sorted((a for a in axes if 1 < len(values[a]) <= MOST_CELLS),
                     key=lambda a: (not _bitty(a), -len(values[a])))  # fmt: skip
    if quality is None or not several:
        return None
    across = several[0]
    along = several[1] if len(several) > 1 else ""
    found: dict[tuple[Any, Any], Row] = {}
    for row in rows:
        place = (row.get(along) if along else None, row.get(across))
        if _finite(row.get(quality)) and (
            place not in found or _value(row, quality) > _value(found[place], quality)
        ):
            found[place] = row
    known = [_value(r, quality) for r in found.values()]
    low, high = min(known), max(known)
    best = max(found.values(), key=lambda r: (_value(r, quality), -_value(r, cost)))

    def cell(place: tuple[Any, Any]) -> HeatCell | None:
        if place not in found:
            return None
        row = found[place]
        value = _value(row, quality)
        back, ink = colour((value - low) / (high - low) if high > low else 1.0)
        reaches = target is not None and value >= target
        return HeatCell(f"{100 * value:.1f}", back, ink, _told(row, axes), row is best, reaches)

    lines = values[along] if along else [None]
    others = [short(a) for a in axes if a not in (across, along) and len(values[a]) > 1]
    caption = f"{_words(quality).capitalize()} in percent"
    caption += f", the best over {', '.join(others)}" if others else ""
    legend = []
    for k in range(5):
        back, ink = colour(k / 4)
        legend.append((back, ink, f"{100 * (low + (high - low) * k / 4):.1f}"))
    return Heat(
        along, across, tuple(_text(v, across) for v in values[across]),
        tuple((_text(v, along) if along else _words(quality),
               tuple(cell((v, w)) for w in values[across])) for v in lines),
        caption, tuple(legend),
    )  # fmt: skip


def _bitty(name: str) -> bool:
    return "bits" in name


def _order(value: Any) -> tuple[int, Any]:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return (0, value) if known else (1, str(value))


# -------------------------------------------------------------------------------- Pareto


def _pareto(
    rows: Sequence[Row], front: list[Row], axes: Sequence[str], cost: str | None,
    quality: str | None, target: float | None,
) -> Plot | None:  # fmt: skip
    if cost is None or quality is None or not front:
        return None
    known = [r for r in rows if _finite(r.get(cost)) and _finite(r.get(quality))]
    costs = [float(r[cost]) for r in known]
    factor, prefix = prefix_of(max(costs), low=0) if max(costs) >= 1000 else (1.0, "")
    wide = min(costs) > 0 and max(costs) / min(costs) > 20
    x = (spanning_log if wide else spanning)([c * factor for c in costs])
    floats = [] if target is None else [100 * (target + 0.005)]
    y = spanning([*(100 * float(r[quality]) for r in known), *floats], margin=0.08)

    def place(row: Row) -> tuple[float, float]:
        return x.at(float(row[cost]) * factor), y.at(100 * float(row[quality]))

    on_front = {id(r) for r in front}
    others = [r for r in known if id(r) not in on_front]
    every = max(1, math.ceil(len(others) / MOST_MARKS))
    label = {id(r): f"{_told(r, axes)}: {_text(r[quality], quality)} with {bits_text(r[cost])}"
             for r in known}  # fmt: skip
    marks = [Mark(*place(r), "ring", label[id(r)], "other") for r in others[::every]]
    marks += [Mark(*place(r), "diamond", label[id(r)] + " (on the front)", "front") for r in front]
    stairs = [(a, 100.0 - b) for a, b in map(place, front)]
    lines = [Line("front", steps_down(stairs) + f"H{100}")]
    if floats:
        at = down(y, floats[0])
        lines.insert(0, Line("reference", f"M0 {at}H100"))
    about = (f"{len(known)} configurations, {_words(quality)} against {_words(cost)}; "
             f"{len(front)} are on the Pareto front, from {label[id(front[0])]} to "
             f"{label[id(front[-1])]}.")  # fmt: skip
    unit = f"{_words(cost)}, {prefix}bit" if cost != "weight_bits" else _words(cost)
    return Plot(about, x.ticks(6), y.ticks(6), unit, f"{_words(quality)}, %", 300, "0 0 100 100",
                tuple(lines), tuple(marks))  # fmt: skip
