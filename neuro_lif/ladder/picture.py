"""The waterfall: from the reference to the chip, one bar a rung, and whose doing it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..checks import expect_path
from ..errors import FileFormatError
from .results import Levels, Rung

LEVEL, LOSS, GAIN, GREY = "#4d4d4d", "#d55e00", "#0072b2", "#9a9a9a"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""Okabe and Ito's colours, told apart by colour-blind people; hatches tell them apart in grey."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo", "---")
MOST_NAMED = 7
"""Populations that have a colour of their own; the rest share one."""


def waterfall(ladder: Levels, path: str | Path) -> Path:
    """Draw what every rung costs (accuracy, or spikes) and the own errors of the populations.

    Returns:
        The path written.

    Raises:
        FileFormatError: the file cannot be written, or has an ending matplotlib does not know.
    """
    path = expect_path(path, "Ladder.figure")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), constrained_layout=True)
    FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(1.15, 1))
    _levels(top, ladder)
    _doing(bottom, ladder)
    profile = ladder.provenance.get("profile", "")
    figure.suptitle(f"Where it goes, from {_start(ladder)} to the integers of {profile}",
                    fontsize=13)  # fmt: skip
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"picture {str(path)!r}: cannot be written: {error}") from None
    return path


def _start(ladder: Levels) -> str:
    return "exact time" if ladder.reference == "exact" else "float64 in steps"


def _value(ladder: Levels, right: int | None, spikes: int) -> float:
    return 100.0 * right / ladder.labels if ladder.labels and right is not None else float(spikes)


def _levels(axis: Any, ladder: Levels) -> None:
    task = ladder.labels > 0
    before = [_value(ladder, r.correct_before, r.spikes_before) for r in ladder.rungs]
    after = [_value(ladder, r.correct_after, r.spikes_after) for r in ladder.rungs]
    names = [_start(ladder), *[r.title for r in ladder.rungs], "the chip"]
    low, high = min(before + after), max(before + after)
    room = max(high - low, 0.01 * max(abs(high), 1.0))
    ends = (before[0], after[-1])
    for x, value in zip((0, len(names) - 1), ends, strict=True):
        axis.bar(x, value, color=LEVEL, width=0.62)
        axis.annotate(_text(value, task), (x, value), (0, 3), textcoords="offset points",
                      ha="center", fontsize=9, fontweight="bold")  # fmt: skip
    for k, (a, b) in enumerate(zip(before, after, strict=True), 1):
        if a != b:
            # a loss is drawn with stripes, so that it is told from a gain without colour
            axis.bar(k, b - a, bottom=a, width=0.62, color=LOSS if b < a else GAIN,
                     hatch="///" if b < a else "", edgecolor="white")  # fmt: skip
        axis.plot([k - 0.31, k + 0.31], [b, b], color=LEVEL, lw=1.4)
        axis.plot([k - 0.69, k - 0.31], [a, a], color=GREY, lw=0.8, ls=":")
        change = f"{b - a:+.2f}" if task else f"{b - a:+.0f}"
        axis.annotate(change if a != b else "0", (k, max(a, b)), (0, 3),
                      textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
    axis.set_ylim(max(0.0, low - 0.6 * room), high + 0.35 * room)
    axis.set_xticks(range(len(names)), names, rotation=25, ha="right")
    axis.set_ylabel("accuracy, %" if task else "spikes of all populations")
    cut = "; the axis does not start at 0" if axis.get_ylim()[0] > 0 else ""
    axis.set_title(f"Each rung keeps what those before it lost{cut}", fontsize=10, loc="left")
    _plain(axis)


def _text(value: float, task: bool) -> str:
    return f"{value:.2f} %" if task else f"{value:,.0f}"


def _doing(axis: Any, ladder: Levels) -> None:
    order = sorted(ladder.populations, key=lambda n: -_most(ladder, n))
    named, rest = order[:MOST_NAMED], order[MOST_NAMED:]
    rungs = ladder.rungs
    width = 0.8 / max(len(named) + bool(rest), 1)
    for k, name in enumerate([*named, *(["others"] if rest else [])]):
        chosen = [name] if k < len(named) else rest
        shares = [_share(r, chosen) for r in rungs]
        places = [x + 1 - 0.4 + (k + 0.5) * width for x in range(len(rungs))]
        axis.bar(places, shares, width, label=name, color=COLOURS[k % len(COLOURS)],
                 hatch=HATCHES[k % len(HATCHES)], edgecolor="white")  # fmt: skip
    for x, rung in enumerate(rungs, 1):
        if rung.changed_own and rung.culprit:
            worst = max(_share(rung, [n]) for n in order)
            axis.annotate(f"culprit:\n{rung.culprit}", (x, worst), (0, 3), ha="center",
                          textcoords="offset points", fontsize=8)  # fmt: skip
    axis.set_xlim(-0.6, len(rungs) + 1.6)
    axis.set_xticks(range(1, len(rungs) + 1), [r.title for r in rungs], rotation=25, ha="right")
    axis.set_ylabel("spikes that differ, % of its own")
    axis.set_title("Whose doing: each population takes the rung alone, what it hears unchanged",
                   fontsize=10, loc="left")  # fmt: skip
    axis.margins(y=0.18)
    if not any(r.changed_own for r in rungs):
        axis.set_ylim(0, 1)
        axis.text(0.5, 0.5, "no spike differs", transform=axis.transAxes, ha="center", color=LEVEL)
    if len(order) > 1:
        axis.legend(loc="upper right", fontsize=9, frameon=False)
    _plain(axis)


def _most(ladder: Levels, name: str) -> float:
    return max((_share(r, [name]) for r in ladder.rungs), default=0.0)


def _share(rung: Rung, names: list[str]) -> float:
    costs = [p for p in rung.populations if p.name in names]
    either = sum(p.either_own for p in costs)
    return 100.0 * sum(p.changed_own for p in costs) / either if either else 0.0


def _plain(axis: Any) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="x", length=0)
