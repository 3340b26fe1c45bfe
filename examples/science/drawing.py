"""What the scripts of this folder share: where a figure is saved, and how it looks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

FOLDER = Path("neuro_lif_science")
BLACK, BLUE, ORANGE, GREEN, SKY, PINK, GREY = (
    "#000000", "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7", "#808080",
)  # fmt: skip
"""Colours of Okabe and Ito: told apart by the colour-blind too."""

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 150,
}


def parser(text: str | None) -> argparse.ArgumentParser:
    """Return a parser of ``--out`` that shows ``text``, the script's own."""
    found = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER",
                       help=f"where figures are saved, default: {FOLDER}/")  # fmt: skip
    return found


def styled(draw: Callable[..., Path]) -> Callable[..., Path]:
    """Let a function draw in the style of this folder; nothing is shown on a screen."""

    @wraps(draw)
    def drawn(*arguments: Any) -> Path:
        import matplotlib

        matplotlib.use("Agg")
        with matplotlib.rc_context(STYLE):
            return draw(*arguments)

    return drawn


def axes(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """Return a figure of ``size`` inches and its axes."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)


def save(figure: Any, folder: Path, name: str) -> Path:
    """Save a figure as ``folder/name.png``, say so, and close it."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path)
    plt.close(figure)
    print(f"figure: {path}")
    return path
