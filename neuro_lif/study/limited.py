"""Runs chunks with a time limit where the caller itself cannot be ended: in processes beside it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..errors import StudyError
from .axes import Configuration
from .digests import canonical
from .lowering import Base
from .pools import Processes
from .runner import Chunk, Item
from .work import Outcome

LOOK = 0.5
"""Seconds between two looks whether the results are still wanted."""


class Limited:
    """Runs chunks for threads of a worker of a cluster, each in a process of its own.

    A thread cannot be ended, and ending the worker of a cluster would take more than the study. The
    float64 reference is run in each such process.

    Args:
        base: the study's.
        timeout: s that one configuration may take.
    """

    def __init__(self, base: Base, timeout: float) -> None:
        self._base, self._timeout = base, timeout
        self._free: list[Processes] = []
        self._lock, self._closed = threading.Lock(), False

    def run(self, configurations: Sequence[Configuration], network: str) -> list[Outcome]:
        """Run configurations of one float network, in order.

        Raises:
            StudyError: workers fail, or it was closed meanwhile.
        """
        with self._lock:
            pool = self._free.pop() if self._free else None
        if pool is None:
            pool = Processes(self._base, 1, self._timeout)
        try:
            items = tuple(Item(canonical(dict(c)), c, network) for c in configurations)
            pool.submit(Chunk(items, True))
            while not self._closed:
                for _, outcomes, _ in pool.wait(LOOK):
                    with self._lock:
                        self._free.append(pool)
                        pool = None
                        return outcomes
            raise StudyError("the study ended meanwhile")
        finally:
            if pool is not None:
                pool.close()

    def close(self) -> None:
        """Stop the processes; those at work stop soon."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for pool in free:
            pool.close()
