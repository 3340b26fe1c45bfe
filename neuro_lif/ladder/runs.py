"""The runs of a ladder: each level of it, by itself and with the spikes of another put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..discretize import SteppedNetwork
from ..emulator import run_fixed
from ..engines import Progress
from ..fixed import FixedNetwork
from ..predict.identity import as_integers
from ..recording import OverflowEvent, Recording
from ..reference import run_clocked
from .replay import Names, forced_fixed, forced_float, replayed


@dataclass
class Ticker:
    """Tells of the progress of many runs as of one.

    Args:
        progress: called with (done, in all), in thousandths of a run.
        runs: how many there will be.
    """

    progress: Progress | None
    runs: int
    done: int = 0

    def run(self) -> Progress | None:
        """Return what the next run tells of its own progress; the run counts as done after it."""
        start = self.done
        self.done += 1
        if self.progress is None:
            return None
        told = self.progress
        return lambda done, total: told(1000 * start + 1000 * done // max(total, 1), self.total)

    @property
    def total(self) -> int:
        """Thousandths of runs in all."""
        return 1000 * max(self.runs, self.done)

    def skip(self, runs: int) -> None:
        """Count runs that turned out not to be needed."""
        self.done += runs
        if self.progress is not None:
            self.progress(1000 * self.done, self.total)


@dataclass(frozen=True)
class Setting:
    """What all runs have in common.

    Args:
        n_steps, record, engine, threads: of every run.
        given: inputs of the float runs, checked.
        batch: samples, None for one without an axis.
        names: the inputs of forced networks.
        ticker: tells of progress.
    """

    n_steps: int
    record: str
    engine: str | None
    threads: int | None
    given: Mapping[str, Any]
    batch: int | None
    names: Names
    ticker: Ticker = field(default_factory=lambda: Ticker(None, 0))

    def float_run(self, stepped: SteppedNetwork, before: Recording | None = None) -> Recording:
        """Run a float network; with ``before``, every population hears what that one recorded."""
        given = dict(self.given)
        if before is not None:
            stepped = forced_float(stepped, self.names)
            given |= replayed(before, self.names, {i.name for i in stepped.network.inputs})
        return run_clocked(stepped, self.n_steps, given, self.record, self.ticker.run(),
                           self.engine, self.threads, batch=self.batch)  # fmt: skip

    def fixed_run(self, fixed: FixedNetwork, before: Recording | None = None) -> Recording:
        """Run integers; with ``before``, every population hears what that one recorded."""
        given = as_integers(fixed, self.given)
        if before is not None:
            fixed = forced_fixed(fixed, self.names)
            given |= replayed(before, self.names, {s.name for s in fixed.sources})
        return run_fixed(fixed, self.n_steps, given, self.record, progress=self.ticker.run(),
                         engine=self.engine, threads=self.threads, batch=self.batch)  # fmt: skip


Run = Callable[["Recording | None"], Recording]
"""Makes the run of a level: called with None, or with the recording that is put in."""


def overflowed(events: tuple[OverflowEvent, ...]) -> tuple[OverflowEvent, ...]:
    """Return the events in which a register or sum left its range while the network ran.

    What was stored otherwise, and counts that a projection carries as one spike, are no matter of
    widths.
    """
    return tuple(e for e in events if e.first_step > 0 and e.kind != "binary")
