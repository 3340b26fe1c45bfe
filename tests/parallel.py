"""Long tests in two processes: ``in_processes(function, jobs)``."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def in_processes(function: Callable[[Any], Any], jobs: Iterable[Any]) -> list[Any]:
    """Return what a function at the top of a module makes of each job, in order.

    The processes start afresh, since a fork of one with threads may hang.
    """
    workers = min(2, os.cpu_count() or 1)
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        return list(pool.map(function, jobs))
