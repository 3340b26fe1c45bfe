"""Where two runs part, and how a graph hangs together, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import FileFormatError, RangeError
from ..npz import replacing
from .causes import Divergence, Explanation
from .fields import Array
from .layout import Arrow, draw
from .model import NIRGraph
from .rules import NirRule

BOTH, ONLY_A, ONLY_B = "#9a9a9a", "#d55e00", "#0072b2"
"""Grey, and an orange and a blue that colour-blind people tell apart (Okabe and Ito, 2008)."""
MOST_ROWS = 400
"""Neurons of a layer that are drawn."""
MOST_INCHES = 1000
"""Size of a picture of a graph."""
MOST_PIXELS = 12_000
"""Along its longer side."""


def picture(told: Explanation, path: str | Path) -> None:
    """Draw the spikes of two runs: of both in grey, of one alone in colour; a line at the first.

    Args:
        told: what :func:`explain` gave.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        FileFormatError: it cannot be written.
        RangeError: that is no Explanation.
    """
    expect(told, Explanation, "nir.picture")
    path = expect_path(path, "nir.picture")
    from matplotlib.figure import Figure

    nodes = sorted(told.spikes_a.keys() & told.spikes_b.keys())
    if not nodes:
        raise RangeError("nir.picture: no node with spikes in both runs")
    other = told.b.name if told.b else "recording"
    figure = Figure(figsize=(9, 1.2 + 1.9 * len(nodes)), layout="constrained")
    axes = figure.subplots(len(nodes), 1, sharex=True, squeeze=False)[:, 0]
    for axis, node in zip(axes, nodes, strict=True):
        a = np.asarray(told.spikes_a[node]).reshape(len(told.spikes_a[node]), -1)[:, :MOST_ROWS]
        b = np.asarray(told.spikes_b[node]).reshape(a.shape[0], -1)[:, :MOST_ROWS]
        names = (f"more in {told.a.name}", f"more in {other}")
        raster(axis, (a, b), names, node, told.first)
        axis.set_title(f"{told.differences.get(node, 0)} of {np.size(told.spikes_a[node])} entries "
                       "differ", fontsize=9, loc="right")  # fmt: skip
    axes[-1].set_xlabel(step_label(told.a))
    legend(axes[0])
    changes = "; ".join(f"{k} ({x} → {y})" for k, (x, y) in (told.needed or told.causes).items())
    word = "closest, but not equal" if told.b is None and not told.needed else "cause"
    text = verdict(f"{told.a.name} and {other}", told.first, told.differences)
    if told.first is not None:
        text += f"\n{word}: {changes or 'no switch'}"
    figure.suptitle(text, fontsize=9, wrap=True, parse_math=False)
    save(figure, path)


def verdict(who: str, first: Divergence | None, differences: Mapping[str, int]) -> str:
    """Return in one line whether two runs differ, and from where on."""
    if first is None:
        return f"{who}: all spikes are equal"
    return f"{who}: {sum(differences.values())} entries differ, from step {first.step} on"


def step_label(rule: NirRule) -> str:
    """Return the label of an axis of steps, with their length where that is in seconds."""
    known = rule.dt is not None and rule.tau_unit in ("s", "s*dt")
    return f"step ({rule.dt:g} s each)" if known else "step"


def legend(axis: Any) -> None:
    """Put the legend above an axis, on the left."""
    axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.12), ncols=4, frameon=False,
                borderaxespad=0.2, columnspacing=1.2, handletextpad=0.3)  # fmt: skip


def raster(
    axis: Any, spikes: tuple[Array, Array], names: tuple[str, str], node: str,
    first: Divergence | None,
) -> None:  # fmt: skip
    """Draw spikes (n_steps, neurons) of both runs, those of one alone in its colour."""
    from matplotlib.ticker import MaxNLocator

    a, b = spikes
    groups = (
        ((a > 0) & (a == b), BOTH, "both"),
        (a > b, ONLY_A, names[0]),
        (b > a, ONLY_B, names[1]),
    )
    for where, colour, label in groups:
        steps, neurons = np.nonzero(where)
        axis.scatter(steps, neurons, s=12, marker="|", color=colour, label=label)
    if first is not None:
        axis.axvline(first.step, color="black", linewidth=0.8, linestyle=":",
                     label="first difference")  # fmt: skip
    axis.set_xlim(-0.5, max(len(a), 1) - 0.5)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_ylabel(f"node {node}\nneuron", parse_math=False)


def graph_picture(graph: NIRGraph, path: str | Path) -> None:
    """Draw a graph from left to right, nested graphs as frames around their nodes.

    Edges that close a cycle are dashed and lie above; those that pass over nodes lie below.

    Raises:
        FileFormatError: it cannot be written.
        NetworkError: the graph does not fit together.
        RangeError: that is no graph, it has no nodes, or too many for a picture.
    """
    expect(graph, NIRGraph, "nir.graph_picture")
    path = expect_path(path, "nir.graph_picture")
    if not graph.nodes:
        raise RangeError("nir.graph_picture: the graph has no nodes")
    drawing = draw(graph)
    width, height = drawing.width + 0.9, drawing.height + 0.2
    if max(width, height) > MOST_INCHES:
        raise RangeError(
            f"nir.graph_picture: {len(drawing.boxes)} nodes need {width:.0f} x {height:.0f} inches,"
            f" allowed: {MOST_INCHES}"
        )
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Outline

    figure = Figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.45, width - 0.45), ylim=(height - 0.1, -0.1))
    axis.axis("off")
    for box in drawing.boxes:
        colour = "none" if box.frame else "#f4f1ea"
        axis.add_patch(
            FancyBboxPatch(
                (box.x, box.y),
                box.width,
                box.height,
                facecolor=colour,
                edgecolor="#555555",
                boxstyle="round,pad=0,rounding_size=0.06",
                linewidth=0.8,
                zorder=2,
            )  # fmt: skip
        )
        x, y = box.x + box.width / 2, box.y + (0.15 if box.frame else box.height / 2)
        axis.text(x, y, box.text, ha="center", va="center", fontsize=8, parse_math=False, zorder=3)
    for arrow in drawing.arrows:
        points, codes = _course(arrow)
        style = "--" if arrow.jump in ("back", "self") else "-"
        axis.add_patch(
            FancyArrowPatch(
                path=Outline(points, codes),
                arrowstyle="-|>",
                mutation_scale=9,
                color="#333333",
                linestyle=style,
                linewidth=0.9,
                zorder=4,
            )  # fmt: skip
        )
    save(figure, path, min(150, MOST_PIXELS / max(width, height)))


def _course(arrow: Arrow) -> tuple[list[tuple[float, float]], list[int]]:
    """Return the points of an arrow and what they are: 1 start, 2 straight on, 4 curved."""
    a, b = arrow.source, arrow.target
    right, left = (a.x + a.width, a.y + a.height / 2), (b.x, b.y + b.height / 2)
    if arrow.jump == "next":
        middle = (right[0] + left[0]) / 2
        return [right, (middle, right[1]), (middle, left[1]), left], [1, 4, 4, 4]
    if arrow.jump == "band":
        out, into = right[0] + 0.2, left[0] - 0.25
        return [right, (out, right[1]), (out, arrow.lane), (into, arrow.lane), (into, left[1]),
                left], [1, 2, 2, 2, 2, 2]  # fmt: skip
    if arrow.jump == "self":
        x, y = a.x + a.width / 2, a.y
        return [(x + 0.15, y), (x + 0.3, y - 0.35), (x - 0.3, y - 0.35), (x - 0.15, y)], [
            1, 4, 4, 4]  # fmt: skip
    above = arrow.jump == "back"
    side = 0.0 if above else 1.0
    start = (a.x + a.width / 2, a.y + side * a.height)
    end = (b.x + b.width / 2, b.y + side * b.height)
    high = min(0.3 + 0.05 * abs(start[0] - end[0]), 0.6)
    y = min(start[1], end[1]) - high if above else max(start[1], end[1]) + high
    return [start, (start[0], y), (end[0], y), end], [1, 4, 4, 4]


def save(figure: Any, path: Path, dpi: float = 150) -> None:
    """Write a figure; the file appears whole or not at all."""
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in ("png", "svg", "pdf"):
        raise FileFormatError(f"picture {str(path)!r}, allowed: .png, .svg or .pdf")
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix, dpi=dpi)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"picture {str(path)!r}: cannot be written: {error}") from None
