"""Where a rule and a chip part: what each step between them changes, and the spikes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import RangeError
from .chip_results import ChipExplanation
from .pictures import BOTH, MOST_ROWS, ONLY_A, ONLY_B, legend, raster, save, step_label, verdict


def chip_picture(told: ChipExplanation, path: str | Path) -> None:
    """Draw what each step from the rule to the chip changes, and the spikes of both.

    Spikes of both are grey, of one alone coloured; a line marks the first that differs, and the
    voltages of its neuron stand below.

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
    more = [] if told.voltages is None else [1.6]
    heights = [0.5 + 0.22 * len(told.rungs), *(1.9 for _ in nodes), *more]
    figure = Figure(figsize=(9, 1.2 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _bars(axes[0], told)
    for axis, node in zip(axes[1:], nodes, strict=False):
        _raster(axis, told, node)
    axes[len(nodes)].set_xlabel(step_label(told.rule))
    legend(axes[1])
    if more:
        _voltages(axes[-1], told)
    text = verdict(f"{told.rule.name} and {told.chip}", told.first, told.differences)
    if told.first is not None:
        text += f"\ncause: {', '.join(told.causes) or 'unknown'}"
    figure.suptitle(text, fontsize=9, wrap=True, parse_math=False)
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
    axis.set_xlabel("entries that differ from the rule, with all above it; causes in orange")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _raster(axis: Any, told: ChipExplanation, node: str) -> None:
    a = np.asarray(told.spikes_a[node])
    size = a.size
    a = a.reshape(len(a), -1)[:, :MOST_ROWS]
    b = np.asarray(told.spikes_b[node]).reshape(len(a), -1)[:, :MOST_ROWS]
    names = (f"more in {told.rule.name}", f"more on {told.chip}")
    raster(axis, (a, b), names, node, told.first)
    late = told.shifts.get(node, 0)
    text = f"{told.differences.get(node, 0)} of {size} entries differ"
    more = f"; {late} step(s) later on the chip, undone here" if late else ""
    axis.set_title(text + more, fontsize=9, loc="right")


def _voltages(axis: Any, told: ChipExplanation) -> None:
    """Draw both voltages of the neuron that differs first, with both thresholds."""
    from matplotlib.ticker import MaxNLocator

    table = told.voltages
    if table is None:
        return
    steps = [s.step for s in table.steps]
    axis.plot(steps, [s.rule for s in table.steps], "o-", color=ONLY_A, label=told.rule.name)
    axis.plot(steps, [s.chip for s in table.steps], "s--", color=ONLY_B, label=told.chip)
    axis.axhline(table.threshold_rule, color="black", linewidth=0.8, label="threshold")
    where = ", ".join(map(str, table.neuron))
    axis.set_title(f"node {table.node}, neuron ({where}) up to the first difference, after resets; "
                   f"1 LSB = {table.lsb:.3g} V", fontsize=9, loc="right",
                   parse_math=False)  # fmt: skip
    axis.set_ylabel("v after the step (V)", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel(step_label(told.rule))
    axis.legend(fontsize=8, loc="best", framealpha=0.8)
