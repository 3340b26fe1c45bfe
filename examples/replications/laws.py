"""The error laws F1 to F5, predicted against measured, over several hundred configurations.

    python examples/replications/laws.py                      all, two to three minutes of one core
    python examples/replications/laws.py --law F1 --law F4    some of the laws
    python examples/replications/laws.py --every 10           one configuration in ten, 15 seconds
    python examples/replications/laws.py --json laws.json     and every row, for a report
    python examples/replications/laws.py --plot laws.png      and a picture (needs matplotlib)

Each configuration is a network that is discretised, lowered to integers and run, beside a float64
run that hears the same. It prints a table by law: how many were run, how many are within the
tolerance of the law, and the largest deviation; then those beyond the range of their law, with
how far they are off. Exit code 1 where one within the range is not within its tolerance.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from neuro_lif.errors import NeuroLifError
from neuro_lif.laws import LAWS, LawSweep, sweep


def plot(found: LawSweep, path: str) -> None:
    """Draw measured over predicted, and the deviation in shares of its tolerance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, len(LAWS), figsize=(18, 6.4), layout="constrained")
    for (law, about), column in zip(LAWS.items(), panels.T, strict=True):
        rows = found.of(law)
        column[0].set_title(f"{law}: {about}", fontsize=8)
        for beyond, mark, name in ((False, "o", "within its range"), (True, "x", "beyond")):
            some = [r for r in rows if bool(r.beyond) == beyond]
            if not some:
                continue
            x, y = [r.predicted for r in some], [r.measured for r in some]
            column[0].plot(x, y, mark, ms=4, mfc="none" if not beyond else None, label=name,
                           color="C1" if beyond else "C0")  # fmt: skip
            if not beyond:
                share = [r.deviation / r.tolerance if r.tolerance else 0.0 for r in some]
                column[1].plot(range(len(share)), share, "o", ms=3, color="C0")
        if rows:
            ends = [min(r.predicted for r in rows), max(r.predicted for r in rows)]
            column[0].plot(ends, ends, lw=0.8, color="0.5", zorder=0)
            column[0].set_xscale("symlog", linthresh=max(map(abs, ends)) * 1e-3 or 1.0)
            column[0].set_yscale("symlog", linthresh=max(map(abs, ends)) * 1e-3 or 1.0)
            column[0].legend(fontsize=7)
        column[1].axhspan(-1, 1, color="C0", alpha=0.08)
        column[1].set_ylim(-1.5, 1.5)
        column[0].set_xlabel("predicted (all units)", fontsize=8)
        column[1].set_xlabel("configuration", fontsize=8)
    panels[0, 0].set_ylabel("measured")
    panels[1, 0].set_ylabel("deviation / tolerance")
    figure.savefig(path, dpi=110)


def progress(done: int, configurations: int) -> None:
    """Say how far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{done}/{configurations}", end="" if done < configurations else "\n",
              file=sys.stderr, flush=True)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run, print and save."""
    parser = argparse.ArgumentParser(description="The error laws, predicted against measured")
    parser.add_argument("--law", choices=LAWS, action="append", help="default: all")
    parser.add_argument("--every", type=int, default=1, help="one configuration in so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="a file for the rows")
    parser.add_argument("--plot", help="a file for a picture")
    given = parser.parse_args(arguments)
    for option in ("json", "plot"):  # before the run, not after it
        path: Any = getattr(given, option)
        if path and not Path(path).absolute().parent.is_dir():
            parser.error(f"--{option} {path}: there is no such folder")
    try:
        found = sweep(given.law, given.every, given.seed, progress)
        print(found)
        print(f"took {found.provenance['seconds']} s, {found.provenance['cpu_seconds']} s of CPU")
        if given.json:
            found.save(given.json)
        if given.plot:
            plot(found, given.plot)
    except NeuroLifError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
