"""Live progress of a study: a bar with the remaining time on a terminal, else a line at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .runner import Told

EVERY = 5.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def shown(progress: Any, title: str) -> Iterator[Told | None]:
    """Give what is called as results come in.

    Args:
        progress: True, False, a function, or None: where stderr is a terminal.
        title: what is run.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if callable(progress):
        yield progress
    elif progress is False or (progress is None and not terminal):
        yield None
    elif terminal:
        with _bar(title) as told:
            yield told
    else:
        yield Lines(title)


class Lines:
    """Writes a line to stderr every few seconds, and the last.

    Args:
        title: what is run.
    """

    def __init__(self, title: str) -> None:
        self.title, self.start, self.last = title, time.monotonic(), 0.0
        self.first: int | None = None

    def __call__(self, done: int, total: int, errors: int) -> None:
        """Tell how far it is."""
        now = time.monotonic()
        if self.first is None:
            self.first = done
        if done < total and now - self.last < EVERY:
            return
        self.last = now
        fresh, taken = done - self.first, now - self.start
        more = f", {errors} with an error" if errors else ""
        if fresh and taken > 0:
            more += f", {60 * fresh / taken:.4g} a minute"
            more += f", {clock(taken / fresh * (total - done))} left" if done < total else ""
        print(f"{self.title}: {done} of {total} configurations{more}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Tell what keeps it from going on."""
        print(f"{self.title}: {text}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Return a time as ``1:02:03`` or ``2:03``."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


@contextmanager
def _bar(title: str) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, title)


class _Bar:
    """Moves a bar of rich."""

    def __init__(self, bar: Any, title: str) -> None:
        self.bar, self.title, self.start, self.first = bar, title, time.monotonic(), -1
        self.task = bar.add_task(title, total=None, rate="")

    def __call__(self, done: int, total: int, errors: int) -> None:
        """Tell how far it is."""
        self.first = done if self.first < 0 else self.first
        rate = 60 * (done - self.first) / max(time.monotonic() - self.start, 1e-6)
        more = f", {errors} errors" if errors else ""
        self.bar.update(self.task, completed=done, total=total, rate=f"{rate:.4g}/min{more}")

    def say(self, text: str) -> None:
        """Tell what keeps it from going on, above the bar."""
        self.bar.console.print(f"{self.title}: {text}", markup=False)
