"""Runs a network in the compiled kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines import SECONDS, NotInKernel, Progress, in_stretches, taken_spikes, trace_array
from ..fixed import DirectInput, FixedNetwork
from ..kernel import native
from ..rasters import Rasters
from ..recording import OverflowEvent, Recording
from ..runs import (
    Fed,
    Noise,
    events_of,
    in_order,
    input_events,
    network_inputs,
    recorded,
    refuse_overflow,
    register_of,
    wanted_registers,
)
from .compiled import Built, built

Array = npt.NDArray[Any]

SHORT = 2_000_000
"""Neurons of all samples, times steps, of a run that needs no look at Ctrl-C."""

MOST_DRAWS = 2**26
"""Random integers drawn ahead for one run."""


def run_compiled(
    fixed: FixedNetwork, n_steps: int, given: Mapping[str, Fed], batch: int | None, record: str,
    progress: Progress | None, strict: bool, threads: int | None,
    between: Callable[[], None] | None = None,
) -> Recording:  # fmt: skip
    """Run a network in the kernel.

    Args:
        fixed: the network.
        n_steps: number of steps.
        given: inputs of the run, looked through.
        batch: samples; None: one, and no axis for them.
        record, progress, strict: as of :func:`neuro_lif.run_fixed`.
        threads: at most so many; None: as many as there are processors.
        between: called every so often, and may end the run by an error. Samples may then be run
            one after the other, so that an interrupted run leaves nothing.

    Raises:
        NotInKernel: the kernel cannot run this; nothing was done.
        RangeError: as of :func:`neuro_lif.run_fixed`.
        Interrupted: on Ctrl-C, with what was recorded.
    """
    network = built(fixed)
    b = batch or 1
    feeds = network_inputs(fixed, given, n_steps)
    lost = input_events(fixed, feeds, b)
    wanted = wanted_registers(fixed, record)
    traces = {k: trace_array((b, n_steps, fixed.population(k[0]).size)) for k in wanted}
    run = _started(fixed, network, feeds, traces, b, n_steps)
    known, many = lost if strict else None, threads or os.cpu_count() or 1
    done, told, interrupted = n_steps, between or (lambda: None), False
    try:
        if not strict and progress is None and _by_sample(run, b, n_steps, between is not None):
            _finish(run, b, n_steps, many, told)
        else:
            _advance(run, network, n_steps, progress, known, many, told)
    except KeyboardInterrupt:
        interrupted, done = True, run.done()
        if not done or run.too_wide():  # nothing was done, or its end is not right
            raise
        if strict:
            refuse_overflow(in_order(*lost, *_events(run, network)), done)
    spikes = {
        p.name: taken_spikes(run, network.populations[p.name], p.size, network.sent[p.name],
                             batch, done, many)
        for p in fixed.populations
    }  # fmt: skip
    (quick, exact, calm), found = run.blocks(), _events(run, network)
    run.release()
    return recorded(
        fixed, done, n_steps, Rasters(spikes),
        {k: a[:, :done] if batch else a[0, :done] for k, a in traces.items()},
        in_order(*lost, *found),
        f"compiled integer emulator ({native().used_set()})",  # type: ignore[union-attr]
        {"steps of blocks in 64 bits": f"{exact} of {quick + exact}",
         "steps of calm blocks": f"{calm} of {quick + exact}"},
        interrupted,
    )  # fmt: skip


def _started(
    fixed: FixedNetwork, network: Built, feeds: Mapping[str, Fed],
    traces: Mapping[tuple[str, str], Array], batch: int, n_steps: int,
) -> Any:  # fmt: skip
    keep = dict(network.live)
    for name, variable in traces:
        keep[name] |= 1 << network.registers[register_of(fixed, name, variable)]
    bits = [keep[p.name] for p in fixed.populations]
    run = native().Run(network.kernel, batch, bits)  # type: ignore[union-attr]
    for name, number in network.sources.items():
        if name in feeds:
            run.feed(True, number, 0, feeds[name].values)
    for direct in fixed.directs:
        port = network.ports[direct.population].get(direct.port)
        if port is not None and direct.name in feeds:
            rows, place = feeds[direct.name].values, _place(fixed, direct)
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


def _noise(fixed: FixedNetwork, batch: int, n_steps: int) -> dict[str, Array]:
    noise = Noise(fixed, batch)
    size = sum(p.size for p in fixed.populations)
    if size * batch * n_steps > MOST_DRAWS:
        raise NotInKernel("more noise than is drawn ahead")
    rows = [noise.draw() for _ in range(n_steps)]
    return {
        name: np.ascontiguousarray(np.stack([row[name] for row in rows], 1)) for name in rows[0]
    }


def _by_sample(run: Any, batch: int, n_steps: int, may_be: bool) -> bool:
    """Tell whether samples are run one after the other: quicker, but none is half done."""
    steps = run.size() * n_steps
    return batch > 1 and (steps <= SHORT or (may_be and steps <= SHORT * batch))


def _finish(
    run: Any, batch: int, n_steps: int, threads: int, between: Callable[[], None]
) -> None:  # fmt: skip
    """Run all samples, one after the other in every thread."""
    done, many = 0, max(threads, SHORT * batch // (run.size() * n_steps))
    while done < batch:
        many = min(many, batch - done)
        start = time.perf_counter()
        run.finish_samples(done, done + many, n_steps, threads)
        taken = time.perf_counter() - start
        done += many
        between()
        many = max(threads, min(int(many * SECONDS / max(taken, 1e-6)), 8 * many))
    _refuse_too_wide(run)


def _refuse_too_wide(run: Any) -> None:
    if run.too_wide():
        raise NotInKernel(f"a sum may have left 32 bits in step {run.too_wide()}")


def _advance(
    run: Any, network: Built, n_steps: int, progress: Progress | None,
    lost: tuple[OverflowEvent, ...] | None, threads: int, between: Callable[[], None],
) -> None:  # fmt: skip
    """Run all steps; where ``lost`` is given, any of these and any overflow is an error."""
    strict = lost is not None

    def advance(steps: int) -> None:
        before = run.done()
        run.advance(steps, threads, strict)
        between()
        _refuse_too_wide(run)
        if lost is not None:
            refuse_overflow(in_order(*lost, *_events(run, network)), before + steps)

    in_stretches(n_steps, run.size(), advance, progress)


def _events(run: Any, network: Built) -> tuple[OverflowEvent, ...]:
    return events_of({network.events[number]: counted for number, *counted in run.events()})
