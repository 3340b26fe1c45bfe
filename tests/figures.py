"""pytest plugin: one line of figures for each test that states one, at the end of the run.

A test takes the fixture ``record_figure`` and calls it with a line of text. The lines travel with
the reports, so they also come from the processes of pytest-xdist. After them comes the number of
oracle tests (markers ``oracle`` and ``lava``) that were skipped, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

KEY = "figure"
ORACLES = ("oracle", "lava")
PEERS = ("nengo-loihi", "nengo_loihi", "brian2", "lava")
"""A skipped test whose reason names one of these wanted an oracle too."""


@pytest.fixture
def record_figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that adds a line to the figures at the end of the run."""

    def add(text: str) -> None:
        record_property(KEY, " ".join(str(text).split()))

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures, and the skipped oracle tests."""
    reports = [r for found in terminalreporter.stats.values() for r in found]
    lines = {
        (r.nodeid, i): str(value)
        for r in reports
        if getattr(r, "when", None) == "call" and not r.skipped
        for i, (key, value) in enumerate(r.user_properties)
        if key == KEY
    }
    skipped = Counter(
        _reason(r)
        for r in terminalreporter.stats.get("skipped", ())
        if any(marker in getattr(r, "keywords", ()) for marker in ORACLES)
        or any(peer in _reason(r).lower() for peer in PEERS)
    )
    ran = any(marker in getattr(r, "keywords", ()) for r in reports for marker in ORACLES)
    if not lines and not ran:
        return
    terminalreporter.section("figures")
    for _, line in sorted(lines.items()):
        terminalreporter.write_line(line)
    if ran:
        terminalreporter.write_line(f"oracle tests skipped: {sum(skipped.values())}")
        for reason, count in sorted(skipped.items()):
            terminalreporter.write_line(f"  {count}: {reason}")


def _reason(report: Any) -> str:
    """Return why a test was skipped."""
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return str(text).removeprefix("Skipped: ")
