"""What the replications share: rows of measured beside expected, each with a verdict.

A replication is a title and a function that yields rows; :func:`show` prints them as they come, and
:func:`run` is its command line: exit status 1 where a row fails.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One number beside what it should be.

    Args:
        what: what is measured.
        measured: the number; its standard error where there is one.
        expected: what it is compared with.
        low, high: least and largest measured value that is as expected; None on both sides: shown
            without a verdict.
        unit, digits: how the numbers are printed.
        why: where the expected value and what is allowed come from.
    """

    what: str
    measured: float
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    digits: int = 2
    why: str = ""
    error: float | None = None

    @property
    def judged(self) -> bool:
        return self.low is not None or self.high is not None

    @property
    def holds(self) -> bool:
        """False where a bound is missed, or the number is none."""
        if not np.isfinite(self.measured):
            return not self.judged
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return bool(low <= self.measured <= high)


def near(
    what: str, measured: float, expected: float, allowed: float, unit: str = "", digits: int = 2,
    why: str = "", error: float | None = None,
) -> Row:  # fmt: skip
    """Return a row that holds within ``allowed`` of ``expected``."""
    low, high = expected - allowed, expected + allowed
    return Row(what, measured, expected, low, high, unit, digits, why, error)


def note(
    what: str, measured: float, expected: float | None = None, unit: str = "", digits: int = 2,
    why: str = "", error: float | None = None,
) -> Row:  # fmt: skip
    """Return a row without a verdict."""
    return Row(what, measured, expected, None, None, unit, digits, why, error)


HEADER = f"{'':44}{'measured':>18}{'expected':>12}{'allowed':>24}  verdict"


def line(row: Row) -> str:
    """Return a row as text."""

    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:.{row.digits}f}"

    got = text(row.measured) + ("" if row.error is None else f" +- {text(row.error)}")
    if not row.judged:
        allowed = "-"
    elif row.low is None:
        allowed = f"at most {text(row.high)}"
    elif row.high is None:
        allowed = f"at least {text(row.low)}"
    else:
        allowed = f"{text(row.low)} .. {text(row.high)}"
    verdict = ("holds" if row.holds else "FAILS") if row.judged else "-"
    what = f"{row.what} ({row.unit})" if row.unit else row.what
    left = f"{what:44}" if len(what) <= 44 else f"{what}\n{'':44}"
    why = f"  {row.why}" if row.why else ""
    return f"{left}{got:>18}{text(row.expected):>12}{allowed:>24}  {verdict:7}{why}".rstrip()


def show(title: str, rows: Iterable[Row]) -> int:
    """Print rows as they come; return 1 where one fails, else 0."""
    print(f"{title}\n\n{HEADER}", flush=True)
    start, judged, failed = time.perf_counter(), 0, 0
    busy = time.process_time()
    for row in rows:
        print(line(row), flush=True)
        judged += row.judged
        failed += not row.holds
    took = f"{time.perf_counter() - start:.0f} s ({time.process_time() - busy:.0f} s of processors)"
    held = f"{judged - failed} of {judged} rows hold"
    print(f"\n{held}; {took}" + (f"; {failed} FAIL" if failed else ""), flush=True)
    return 1 if failed or not judged else 0


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(f"... {text}", file=sys.stderr, flush=True)


def run(
    doc: str | None, title: str, rows: Callable[[bool], Iterator[Row]],
    arguments: list[str] | None = None,
) -> int:  # fmt: skip
    """Run a replication's command line; return its exit status."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer spikes, seeds or cases")
    return show(title, rows(parser.parse_args(arguments).quick))
