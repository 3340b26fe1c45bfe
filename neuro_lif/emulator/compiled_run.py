"""Runs a network in the compiled kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines import NotInKernel, Progress, in_stretches, taken_spikes, trace_array
from ..fixed import DirectInput, FixedNetwork
from ..kernel import native
from ..rasters import Rasters
from ..recording import OverflowEvent, Recording
from ..runs import (
    Noise,
    events_of,
    in_order,
    input_events,
    input_rows,
    recorded,
    refuse_overflow,
    register_of,
    wanted_registers,
)
from .compiled import Built, built

Array = npt.NDArray[Any]

MOST_DRAWS = 2**26
"""Random integers drawn ahead for one run."""


def run_compiled(
    fixed: FixedNetwork, n_steps: int, given: Mapping[str, Array], batch: int | None, record: str,
    progress: Progress | None, strict: bool, threads: int | None,
) -> Recording:  # fmt: skip
    """Run a network in the kernel.

    Args:
        fixed: the network.
        n_steps: number of steps.
        given: checked inputs.
        batch: samples; None: one, and no axis for them.
        record, progress, strict: as of :func:`neuro_lif.run_fixed`.
        threads: at most so many; None: as many as there are processors.

    Raises:
        NotInKernel: the kernel cannot run this; nothing was done.
        RangeError: as of :func:`neuro_lif.run_fixed`.
        Interrupted: on Ctrl-C, with what was recorded.
    """
    network = built(fixed)
    b = batch or 1
    feeds = input_rows(fixed, given, b, n_steps, wide=False)
    lost = input_events(fixed, feeds, b)
    wanted = wanted_registers(fixed, record)
    traces = {k: trace_array((b, n_steps, fixed.population(k[0]).size)) for k in wanted}
    run = _started(fixed, network, feeds, traces, b, n_steps)
    known = lost if strict else None
    done = n_steps
    try:
        _advance(run, network, n_steps, progress, known, threads or os.cpu_count() or 1)
    except KeyboardInterrupt:
        done = run.done()
        if not done:
            raise
    many = threads or os.cpu_count() or 1
    spikes = {
        p.name: taken_spikes(run, network.populations[p.name], p.size, network.sent[p.name],
                             batch, done, many)
        for p in fixed.populations
    }  # fmt: skip
    quick, exact, calm = run.blocks()
    return recorded(
        fixed, done, n_steps, Rasters(spikes),
        {k: a[:, :done] if batch else a[0, :done] for k, a in traces.items()},
        in_order(*lost, *_events(run, network)),
        f"compiled integer emulator ({native().used_set()})",  # type: ignore[union-attr]
        {"steps of blocks in 64 bits": f"{exact} of {quick + exact}",
         "steps of calm blocks": f"{calm} of {quick + exact}"},
    )  # fmt: skip


def _started(
    fixed: FixedNetwork, network: Built, feeds: Mapping[str, Array],
    traces: Mapping[tuple[str, str], Array], batch: int, n_steps: int,
) -> Any:  # fmt: skip
    keep = dict(network.live)
    for name, variable in traces:
        keep[name] |= 1 << network.registers[register_of(fixed, name, variable)]
    bits = [keep[p.name] for p in fixed.populations]
    run = native().Run(network.kernel, batch, bits)  # type: ignore[union-attr]
    for name, number in network.sources.items():
        if name in feeds:
            run.feed(True, number, 0, _narrowed(feeds[name]))
    for direct in fixed.directs:
        port = network.ports[direct.population].get(direct.port)
        if port is not None and direct.name in feeds:
            rows, place = _narrowed(feeds[direct.name]), _place(fixed, direct)
            run.feed(False, network.populations[direct.population], port, rows, place)
    for name, rows in (_noise(fixed, batch, n_steps) if network.noisy else {}).items():
        port = network.ports[name].get(fixed.profile.noise.port)  # type: ignore[union-attr]
        if port is not None:
            run.feed(False, network.populations[name], port, rows)
    for (name, variable), out in traces.items():
        register = network.registers[register_of(fixed, name, variable)]
        run.trace(network.populations[name], register, out)
    return run


def _place(fixed: FixedNetwork, direct: DirectInput) -> int:
    """Return which an input is among what leads to its port: inputs come after projections."""
    projections = [p for p in fixed.projections
                   if (p.post, p.port) == (direct.population, direct.port)]  # fmt: skip
    inputs = [d.name for d in fixed.directs
              if (d.population, d.port) == (direct.population, direct.port)]  # fmt: skip
    return len(projections) + inputs.index(direct.name)


def _narrowed(rows: Array) -> Array:
    """Return the same numbers in bytes where they fit: most inputs are 0 and 1."""
    if rows.dtype.itemsize > 1 and rows.size and rows.min() >= -128 and rows.max() <= 127:
        return rows.astype(np.int8)
    return rows if rows.dtype != np.uint64 else rows.astype(np.int64)


def _noise(fixed: FixedNetwork, batch: int, n_steps: int) -> dict[str, Array]:
    noise = Noise(fixed, batch)
    size = sum(p.size for p in fixed.populations)
    if size * batch * n_steps > MOST_DRAWS:
        raise NotInKernel("more noise than is drawn ahead")
    rows = [noise.draw() for _ in range(n_steps)]
    return {
        name: np.ascontiguousarray(np.stack([row[name] for row in rows], 1)) for name in rows[0]
    }


def _advance(
    run: Any, network: Built, n_steps: int, progress: Progress | None,
    lost: tuple[OverflowEvent, ...] | None, threads: int,
) -> None:  # fmt: skip
    """Run all steps; where ``lost`` is given, any of these and any overflow is an error."""
    strict = lost is not None

    def advance(steps: int) -> None:
        before = run.done()
        run.advance(steps, threads, strict)
        if run.too_wide():
            raise NotInKernel(f"a sum may have left 32 bits in step {run.too_wide()}")
        if lost is not None:
            refuse_overflow(in_order(*lost, *_events(run, network)), before + steps)

    in_stretches(n_steps, run.size(), advance, progress)


def _events(run: Any, network: Built) -> tuple[OverflowEvent, ...]:
    return events_of({network.events[number]: counted for number, *counted in run.events()})
