"""Shapes that stretch with the page: places across are shares of the width, never pixels.

The text of a chart keeps its size on every screen because only paths are stretched: each plot has
a stage, an inner ``svg`` with ``preserveAspectRatio="none"``, and around it ticks and labels at
percentages of the width. Without JavaScript, and in print, it is the same drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .scales import Scale, Tick


@dataclass(frozen=True)
class Line:
    """A path of a stage: its style class and its ``d`` in the stage's units."""

    style: str
    d: str


@dataclass(frozen=True)
class Mark:
    """A point with a shape of its own.

    Args:
        x, y: place, 0..100 from the left and from the bottom.
        shape: ``dot``, ``ring``, ``diamond``, ``cross`` or ``square``.
        label: what it is, shown where somebody points at it.
        style: further style classes.
    """

    x: float
    y: float
    shape: str
    label: str
    style: str = ""


@dataclass(frozen=True)
class Plot:
    """A chart of two axes.

    Args:
        about: what a person who does not see it is told.
        x, y: ticks; ``x_label``, ``y_label``: what they count.
        height: of the stage, CSS pixels.
        view: the stage's own units ``x y width height``.
        lines, marks: what is drawn.
        stroke: width of upright strokes, CSS pixels; 0: the usual.
        room: CSS pixels left of the stage at least, so that charts below each other agree.
    """

    about: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    x_label: str = ""
    y_label: str = ""
    height: int = 240
    view: str = "0 0 100 100"
    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    room: int = 0
    stroke: float = 0.0

    @property
    def left(self) -> int:
        """CSS pixels that the labels of y need, at least ``room``."""
        return max(self.room, 14 + round(6.8 * max((len(t.label) for t in self.y), default=0)))


def joined(xs: Iterable[float], ys: Iterable[float]) -> str:
    """Return a path through points; a NaN lifts the pen."""
    parts, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if y != y:
            pen = "M"
            continue
        parts.append(f"{pen}{_short(x)} {_short(y)}")
        pen = "L"
    return "".join(parts)


def ticks_at(xs: Iterable[float], ys: Iterable[float], length: float) -> str:
    """Return short upright strokes, each from its point downwards."""
    return "".join(
        f"M{_short(x)} {_short(y)}v{_short(length)}" for x, y in zip(xs, ys, strict=True)
    )


def steps_down(points: Sequence[tuple[float, float]]) -> str:
    """Return a staircase through points ``(x, y)``, across first, then up or down."""
    if not points:
        return ""
    head, *rest = points
    return f"M{_short(head[0])} {_short(head[1])}" + "".join(
        f"H{_short(x)}V{_short(y)}" for x, y in rest
    )


def down(scale: Scale, value: float) -> float:
    """Return a place counted from above, 0..100, as a stage has it."""
    return round(100.0 - scale.at(value), 3)


def _short(x: float) -> str:
    return f"{x:.2f}".rstrip("0").rstrip(".") or "0"
