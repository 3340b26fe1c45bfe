"""Where two runs part, and how a graph hangs together, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import FileFormatError, RangeError
from ..npz import replacing
from .causes import Explanation
from .model import NIRGraph
from .order import order
from .shapes import graph_shapes, kind

BOTH, ONLY_A, ONLY_B = "#9a9a9a", "#c0392b", "#1f6fb2"
MOST_ROWS = 400
"""Neurons of a layer that are drawn."""


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
    from matplotlib.ticker import MaxNLocator

    nodes = sorted(told.spikes_a.keys() & told.spikes_b.keys())
    if not nodes:
        raise RangeError("nir.picture: no node with spikes in both runs")
    other = told.b.name if told.b else "recording"
    figure = Figure(figsize=(9, 1.2 + 1.9 * len(nodes)), layout="constrained")
    axes = figure.subplots(len(nodes), 1, sharex=True, squeeze=False)[:, 0]
    for axis, node in zip(axes, nodes, strict=True):
        a = np.asarray(told.spikes_a[node]).reshape(len(told.spikes_a[node]), -1)[:, :MOST_ROWS]
        b = np.asarray(told.spikes_b[node]).reshape(a.shape[0], -1)[:, :MOST_ROWS]
        groups = (
            ((a > 0) & (a == b), BOTH, "both"),
            ((a > b), ONLY_A, f"more in {told.a.name}"),
            ((b > a), ONLY_B, f"more in {other}"),
        )
        for where, colour, label in groups:
            steps, neurons = np.nonzero(where)
            axis.scatter(steps, neurons, s=6, marker="|", color=colour, label=label)
        if told.first is not None:
            axis.axvline(told.first.step, color="black", linewidth=0.8, linestyle=":")
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylabel(f"{node}\nneuron")
        axis.set_title(f"{told.differences.get(node, 0)} entries differ", fontsize=9, loc="right")
    axes[-1].set_xlabel("step")
    axes[0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.3), ncols=3, frameon=False)
    told_causes = "; ".join(f"{k}: {x} → {y}" for k, (x, y) in told.causes.items())
    figure.suptitle(f"{told.a.name} and {other}: {told_causes or 'equal'}", fontsize=9, wrap=True)
    save(figure, path)


def graph_picture(graph: NIRGraph, path: str | Path) -> None:
    """Draw a graph from left to right; edges that close a cycle are dashed.

    Raises:
        FileFormatError: it cannot be written.
        NetworkError: the graph does not fit together.
        RangeError: that is no graph.
    """
    expect(graph, NIRGraph, "nir.graph_picture")
    path = expect_path(path, "nir.graph_picture")
    from matplotlib.figure import Figure

    shapes = graph_shapes(graph.nodes, graph.edges)
    places = _places(graph)
    width = 1 + max(x for x, _ in places.values())
    height = 1 + max(y for _, y in places.values())
    figure = Figure(figsize=(1.7 * width, 0.6 + 1.2 * height), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(-0.6, width - 0.4), ylim=(height - 0.3, -0.7))
    axis.axis("off")
    _, back = order(graph.nodes, graph.edges)
    for source, target in graph.edges:
        bent = (source, target) in back or places[target][0] - places[source][0] != 1
        style = "--" if (source, target) in back else "-"
        curve = f"arc3,rad={0.4 if bent else 0.0}"
        how = {"arrowstyle": "-|>", "linestyle": style, "connectionstyle": curve, "shrinkA": 24}
        if source != target:
            axis.annotate("", places[target], places[source], arrowprops={**how, "shrinkB": 24})
    for name, (x, y) in places.items():
        shape = "×".join(map(str, shapes[name])) if name in shapes else "?"
        loop = " ↺" if (name, name) in back else ""
        box = {"boxstyle": "round", "facecolor": "#f4f1ea", "edgecolor": "#555555"}
        text = f"{name}{loop}\n{kind(graph.nodes[name])}\n{shape}"
        axis.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box, parse_math=False)
    save(figure, path)


def _places(graph: NIRGraph) -> dict[str, tuple[int, int]]:
    """Return a column and a row for each node: a node stands right of what leads to it."""
    sequence, back = order(graph.nodes, graph.edges)
    if not sequence:
        raise RangeError("nir.graph_picture: the graph has no nodes")
    column = dict.fromkeys(sequence, 0)
    for name in sequence:
        for source, target in graph.edges:
            if source == name and (source, target) not in back:
                column[target] = max(column[target], column[name] + 1)
    rows: dict[int, int] = {}
    places = {}
    for name in sequence:
        row = rows.get(column[name], 0)
        rows[column[name]] = row + 1
        places[name] = (column[name], row)
    return places


def save(figure: Any, path: Path) -> None:
    """Write a figure; the file appears whole or not at all."""
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in ("png", "svg", "pdf"):
        raise FileFormatError(f"picture {str(path)!r}, allowed: .png, .svg or .pdf")
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix, dpi=150)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"picture {str(path)!r}: cannot be written: {error}") from None
