"""What a run of a study puts up with: how long, how many errors, how long without workers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import StudyError, show

WORKER_WAIT = 300.0
"""Seconds that a run waits for a cluster without workers, where nothing else is said."""
STOP_AFTER = 10
"""So many configurations that fail alike from the first on end a run, if nothing else is said."""


class StudyTimeout(StudyError):
    """A configuration was not done within the time that it was given; the error of its row."""


@dataclass(frozen=True)
class Limits:
    """Limits of one call of a study's ``run``; nothing of them is part of a result's key.

    Args:
        timeout: s that one configuration may take (lowered, run, measured), and the float64
            reference of its network by itself; None: as long as it wants.
        stop_after: configurations that may fail, from the first on, of the same error of a
            measuring function before the run ends with it; None: any number.
        worker_wait: s to wait for a cluster that has lost all workers.

    Raises:
        StudyError: one is not valid.
    """

    timeout: float | None = None
    stop_after: int | None = STOP_AFTER
    worker_wait: float = WORKER_WAIT

    def __post_init__(self) -> None:
        if self.timeout is not None:
            _positive(self.timeout, "timeout", "s > 0 for each configuration, or None")
        _positive(self.worker_wait, "worker_wait", "s > 0 to wait for workers")
        n = self.stop_after
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise StudyError(f"run: stop_after = {show(n)}, allowed: a whole number >= 1, or None")


def _positive(value: object, name: str, allowed: str) -> None:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not 0 < value < math.inf:  # type: ignore[operator]
        raise StudyError(f"run: {name} = {show(value)}, allowed: {allowed}")


def late(timeout: float, what: str = "") -> StudyTimeout:
    """Return the error of what was not done in time.

    Args:
        timeout: s.
        what: which part of a configuration; empty: the configuration.
    """
    return StudyTimeout(f"{what + ': ' if what else ''}not done within {float(timeout)!r} s; a run "
                        "with another timeout tries it again")  # fmt: skip


LATE = "StudyTimeout:"
"""How the stored error of what was not done in time begins."""
_WITHIN = re.compile(re.escape(LATE) + r".*?not done within (\S+) s;", re.DOTALL)


def timeout_of(error: str | None) -> float | None:
    """Return the limit that a stored row ran out of, s; None where it did not."""
    found = _WITHIN.match(error or "")
    return None if found is None else float(found.group(1))


def settled(error: str | None, timeout: float | None) -> bool:
    """Tell whether a stored row stays in a run with a limit: it ended, or had as much time."""
    had = timeout_of(error)
    return had is None or (timeout is not None and timeout <= had)
