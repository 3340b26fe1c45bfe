"""The sweep: every law over its configurations, each run in the integers and in float64."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np

from ..checks import expect_progress
from ..errors import RangeError, show
from . import decays, rates, states, thresholds, weights
from .cases import Configuration
from .rows import LAWS, LawRow, LawSweep, Value

MODULES: dict[str, ModuleType] = {
    "F1": decays, "F2": states, "F3": states, "F4": weights, "F5": thresholds, "rate": rates,
}  # fmt: skip
"""Law -> the module that has its configurations; F2 and F3 are measured in the same runs."""

MOST_SEED = 2**31


def configurations(
    laws: Iterable[str] | None = None, every: int = 1
) -> list[tuple[str, Configuration, int]]:
    """Return (law, configuration, number) of what a sweep runs.

    Args:
        laws: names of :data:`LAWS`; None: all. F2 brings F3 with it, and F3 F2.
        every: take one in so many of each law.

    Raises:
        RangeError: no such law, or not a whole number >= 1.
    """
    chosen = list(LAWS) if laws is None else [laws] if isinstance(laws, str) else list(laws)
    odd = [law for law in chosen if law not in LAWS]
    if odd or not chosen:
        raise RangeError(f"laws = {show(laws)}, allowed: {', '.join(LAWS)}")
    if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
        raise RangeError(f"every = {show(every)}, allowed: a whole number >= 1")
    found = []
    for module in dict.fromkeys(MODULES[law] for law in LAWS if law in chosen):
        law = next(name for name, m in MODULES.items() if m is module)
        found += [(law, c, number) for number, c in enumerate(module.configurations())][::every]
    return found


def sweep(
    laws: Iterable[str] | None = None, every: int = 1, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LawSweep:  # fmt: skip
    """Run the sweep: predicted against measured.

    Args:
        laws, every: as of :func:`configurations`; all of it takes two to three minutes of one core.
        seed: 0..2**31 - 1; a configuration draws from it and its own number, so a part of the
            sweep gives the rows that the whole gives.
        progress: called with (configurations done, configurations in all).

    Raises:
        RangeError: an argument is not valid.
    """
    expect_progress(progress, "sweep: progress")
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < MOST_SEED:
        raise RangeError(f"seed = {show(seed)}, allowed: a whole number 0..2**31 - 1")
    chosen = configurations(laws, every)
    rows: list[LawRow] = []
    start, busy = time.perf_counter(), time.process_time()
    for done, (law, c, number) in enumerate(chosen, 1):
        rows += MODULES[law].measured(c, int(seed) + number)
        if progress is not None:
            progress(done, len(chosen))
    facts: dict[str, Value] = {
        "neuro_lif": _version(), "python": platform.python_version(), "numpy": np.__version__,
        "machine": platform.machine(), "seed": int(seed), "every": int(every),
        "configurations": len(chosen), "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - busy, 1),
    }  # fmt: skip
    return LawSweep(tuple(rows), facts)


def _version() -> str:
    own = getattr(sys.modules[__name__.split(".", 1)[0]], "__version__", "unknown")
    return str(own)
