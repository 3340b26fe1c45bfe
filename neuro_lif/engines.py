"""What the integer and the float runs share: which engine, how it is stepped, where traces go."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import RangeError, show
from .rasters import SpikeList

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""
T = TypeVar("T")

ENGINES = ("auto", "kernel", "numpy")

SECONDS = 0.05
"""About how long a stretch of steps takes, between two looks at the clock and at Ctrl-C."""

AT_FIRST = 200_000
"""Neurons of all samples that are stepped before the first look at the clock."""

IN_MEMORY = 0.4
"""A trace that takes more of the free memory than this goes to a temporary file."""


class NotInKernel(Exception):
    """The kernel does not run this network; the reason is the message."""


def chosen_engine(engine: object, threads: object) -> str:
    """Return the engine that was asked for.

    Raises:
        RangeError: there is none of that name, or no such number of threads.
    """
    whole = isinstance(threads, (int, np.integer)) and not isinstance(threads, bool)
    if threads is not None and not (whole and threads >= 1):  # type: ignore[operator]
        raise RangeError(f"threads = {show(threads)}, allowed: a whole number >= 1, or None")
    chosen = os.environ.get("NEURO_LIF_ENGINE", "auto") if engine is None else engine
    if not isinstance(chosen, str) or chosen not in ENGINES:
        name = "NEURO_LIF_ENGINE" if engine is None else "engine"
        raise RangeError(f"{name} = {show(chosen)}, allowed: {', '.join(ENGINES)}")
    return chosen


def in_chosen(
    engine: object, threads: object, in_kernel: Callable[[], T],
    in_numpy: Callable[[dict[str, str]], T],
) -> T:  # fmt: skip
    """Run in the engine that was asked for.

    Args:
        engine, threads: as of a run.
        in_kernel: runs it in the kernel, or raises :class:`NotInKernel` and has done nothing.
        in_numpy: runs it in numpy; is given what the provenance says about the kernel.

    Raises:
        RangeError: no such engine, or the kernel was asked for and cannot.
    """
    chosen, why = chosen_engine(engine, threads), {}
    if chosen != "numpy":
        try:
            return in_kernel()
        except NotInKernel as reason:
            if chosen == "kernel":
                raise RangeError(f'engine = "kernel": {reason}; allowed: "auto"') from None
            why = {"not in the kernel": str(reason)}
    return in_numpy(why)


def in_stretches(
    n_steps: int, size: int, advance: Callable[[int], None], progress: Progress | None
) -> None:
    """Run all steps in stretches of about :data:`SECONDS`.

    Args:
        n_steps: steps in all.
        size: neurons of all samples.
        advance: does so many steps.
        progress: called after each stretch, the first of which is one step.
    """
    done, stretch = 0, max(1, AT_FIRST // size) if progress is None else 1
    while done < n_steps:
        stretch = min(stretch, n_steps - done)
        start = time.perf_counter()
        advance(stretch)
        taken = time.perf_counter() - start
        done += stretch
        if progress is not None:
            progress(done, n_steps)
        stretch = max(1, min(int(stretch * SECONDS / max(taken, 1e-6)), 8 * stretch))


def taken_spikes(
    run: Any, number: int, size: int, dtype: Any, batch: int | None, n_steps: int, threads: int
) -> SpikeList:
    """Return the spikes of a population, which the kernel's run hands over.

    Args:
        run: the kernel's.
        number, size: of the population.
        dtype: of the raster that the events stand for.
        batch, n_steps, threads: of the run; None: one sample, and no axis for it.
    """
    counts, neuron, values = run.take_spikes(number, n_steps, threads)
    shape = (n_steps,) if batch is None else (batch, n_steps)
    return SpikeList((*shape, size), dtype, counts.reshape(shape), neuron, values)


def trace_array(shape: tuple[int, ...], dtype: Any = np.int64) -> Array:
    """Return an empty array, in a temporary file where it would take most of the memory."""
    size = np.dtype(dtype).itemsize * math.prod(shape)
    if size <= IN_MEMORY * _free_memory():
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="neuro_lif_trace_") as file:  # the map keeps it
        return np.memmap(file, dtype, "w+", shape=shape)


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such number on this system
        return 2**31
