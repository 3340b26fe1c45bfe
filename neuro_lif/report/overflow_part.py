"""When and how often registers overflowed, a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..recording import OverflowEvent
from .numbers import number
from .overflow import OverflowTimeline
from .scales import Scale, Tick

KINDS = {
    "wrap": "wraps around", "wrap_once": "wraps around once", "sat": "is held at the end",
    "clamp": "is held at the end", "cap": "counts are cut", "binary": "sent as 1",
    "clip": "clipped as stored", "low_bits": "low bits lost as stored",
    "duplicate": "another synapse took its place",
}  # fmt: skip
"""Kind of an overflow -> what happens then."""


@dataclass(frozen=True)
class Cell:
    """A stretch of a row in which something overflowed: place 0..100, height 0..100."""

    left: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Row:
    """One register: where, what happens, how often, its first, and its stretches."""

    where: str
    register: str
    kind: str
    count: int
    first_step: int
    first_neuron: int
    cells: tuple[Cell, ...]

    @property
    def cells_of_table(self) -> tuple[str, ...]:
        """The row as text."""
        first = "as stored" if self.first_step == 0 else number(self.first_step)
        return (self.where, self.register, self.kind, number(self.count), first,
                number(self.first_neuron))  # fmt: skip


@dataclass(frozen=True)
class OverflowPart:
    """What the page shows of overflow.

    Args:
        rows: registers, the earliest first; ``count`` of all.
        steps: of the run; ``ticks`` of the axis.
        timed: whether it is known when each happened, not just the first.
    """

    rows: tuple[Row, ...]
    count: int
    steps: int
    ticks: tuple[Tick, ...]
    timed: bool

    @property
    def head(self) -> tuple[str, ...]:
        """Columns of the table."""
        return ("where", "register", "what happens", "values", "first step", "neuron")


def overflow_part(
    events: Sequence[OverflowEvent] | None, steps: int, timeline: OverflowTimeline | None
) -> OverflowPart | None:
    """Return what the page shows of a run's overflow; None: there is no run of integers."""
    if events is None:
        return None
    merged: dict[tuple[str, str, str], list[OverflowEvent]] = {}
    for e in events:
        merged.setdefault((e.where, e.register, e.kind), []).append(e)
    scale = Scale(0.0, float(max(steps, 1)))
    rows = tuple(_row(place, found, scale, timeline) for place, found in merged.items())
    rows = tuple(sorted(rows, key=lambda r: (r.first_step, r.where, r.register)))
    return OverflowPart(rows, sum(r.count for r in rows), steps, scale.ticks(6),
                        timeline is not None)  # fmt: skip


def _row(
    place: tuple[str, str, str], found: list[OverflowEvent], scale: Scale,
    timeline: OverflowTimeline | None,
) -> Row:  # fmt: skip
    first = min(found, key=lambda e: e.first_step)
    where, register, kind = place
    cells = [_at(scale, first.first_step - 1, first.first_step, 100.0,
                 f"first in step {number(first.first_step)}")]  # fmt: skip
    if timeline is not None and place in timeline.counts:
        counts = timeline.counts[place]
        most = np.log1p(max(counts))
        cells = [
            _at(scale, a, b, 100.0 * float(np.log1p(n) / most),
                f"steps {number(a + 1)} to {number(b)}: {number(n)} values")
            for a, b, n in zip(timeline.edges, timeline.edges[1:], counts, strict=False) if n
        ]  # fmt: skip
    return Row(where, register, KINDS.get(kind, kind), sum(e.count for e in found),
               first.first_step, first.first_neuron,
               tuple(cells) if first.first_step > 0 else ())  # fmt: skip


def _at(scale: Scale, begin: float, end: float, height: float, label: str) -> Cell:
    left = scale.at(max(begin, 0))
    return Cell(left, max(round(scale.at(end) - left, 3), 0.4), round(max(height, 12.0), 1), label)
