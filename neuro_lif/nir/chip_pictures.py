"""Where a rule and a chip part: what each step between them changes, and the spikes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import RangeError
from .chip_results import ChipExplanation
from .pictures import BOTH, MOST_ROWS, ONLY_A, ONLY_B, save


def chip_picture(told: ChipExplanation, path: str | Path) -> None:
    """Draw what each step from the rule to the chip changes, and the spikes of both.

    Spikes of both are grey, of one alone coloured; a line marks the first that differs.

    Args:
        told: what :func:`explain_chip` gave.
        path: the picture, ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        FileFormatError: it cannot be written.
        RangeError: that is no ChipExplanation.
    """
    expect(told, ChipExplanation, "nir.chip_picture")
    path = expect_path(path, "nir.chip_picture")
    from matplotlib.figure import Figure

    nodes = sorted(told.spikes_a.keys() & told.spikes_b.keys())
    if not nodes:
        raise RangeError("nir.chip_picture: no node with spikes in both runs")
    heights = [0.5 + 0.22 * len(told.rungs), *(1.9 for _ in nodes)]
    figure = Figure(figsize=(9, 1.0 + sum(heights)), layout="constrained")
    axes = figure.subplots(1 + len(nodes), 1, squeeze=False, height_ratios=heights)[:, 0]
    _bars(axes[0], told)
    for axis, node in zip(axes[1:], nodes, strict=True):
        _raster(axis, told, node)
    axes[-1].set_xlabel("step")
    axes[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.3), ncols=3, frameon=False)
    causes = ", ".join(told.causes) or "equal"
    figure.suptitle(f"{told.rule.name} and {told.chip}: {causes}", fontsize=9, wrap=True)
    save(figure, path)


def _bars(axis: Any, told: ChipExplanation) -> None:
    names = [r.name for r in told.rungs]
    colours = [ONLY_A if r.name in told.causes else BOTH for r in told.rungs]
    places = np.arange(len(names))
    totals = np.array([r.total for r in told.rungs])
    axis.barh(places, totals, color=colours)
    for place, rung in zip(places, told.rungs, strict=True):
        text = f" {rung.total}" if rung.total else " 0"
        axis.text(rung.total, place, text, va="center", fontsize=8)
    axis.set_yticks(places, names, fontsize=8)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, max(1, totals.max(initial=0)) * 1.12)
    axis.set_xlabel("entries that differ from the rule, with all above it; causes in red")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _raster(axis: Any, told: ChipExplanation, node: str) -> None:
    from matplotlib.ticker import MaxNLocator

    a = np.asarray(told.spikes_a[node])
    a = a.reshape(len(a), -1)[:, :MOST_ROWS]
    b = np.asarray(told.spikes_b[node]).reshape(len(a), -1)[:, :MOST_ROWS]
    groups = (
        ((a > 0) & (a == b), BOTH, "both"),
        ((a > b), ONLY_A, f"more in {told.rule.name}"),
        ((b > a), ONLY_B, f"more on {told.chip}"),
    )
    for where, colour, label in groups:
        steps, neurons = np.nonzero(where)
        axis.scatter(steps, neurons, s=6, marker="|", color=colour, label=label)
    if told.first is not None:
        axis.axvline(told.first.step, color="black", linewidth=0.8, linestyle=":")
    axis.set_xlim(-0.5, len(a) - 0.5)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_ylabel(f"{node}\nneuron", parse_math=False)
    late = told.shifts.get(node, 0)
    text = f"{told.differences.get(node, 0)} entries differ"
    axis.set_title(f"{text}; later on the chip by {late}" if late else text,
                   fontsize=9, loc="right")  # fmt: skip
