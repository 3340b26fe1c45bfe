"""Runs a network in the compiled kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines import SECONDS, NotInKernel, Progress, in_stretches, taken_spikes, trace_array
from ..feeds import block_of, in_blocks
from ..fixed import DirectInput, FixedNetwork
from ..kernel import native
from ..rasters import Rasters
from ..recording import OverflowEvent, Recording
from ..run_inputs import (
    Fed,
    LostCounts,
    as_feeds,
    drawn_inputs,
    input_events,
    kept_inputs,
    network_inputs,
)
from ..runs import (
    Noise,
    events_of,
    in_order,
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
    between: Callable[[], None] | None = None, keep: bool = False,
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
        keep: keep the inputs.

    Raises:
        NotInKernel: the kernel cannot run this; nothing was done.
        RangeError: as of :func:`neuro_lif.run_fixed`.
        Interrupted: on Ctrl-C, with what was recorded.
    """
    begun = _begin(fixed, n_steps, given, batch, record)
    many = threads or os.cpu_count() or 1
    done, interrupted = n_steps, False
    try:
        begun.run_all(progress, strict, many, between)
    except KeyboardInterrupt:
        interrupted, done = True, begun.run.done()
        if not done or begun.run.too_wide():  # nothing was done, or its end is not right
            raise
        if strict:
            refuse_overflow(begun.overflow(done), done)
    return begun.recorded(done, many, interrupted, keep)


Place = tuple[bool, int, int]
"""Whether an input goes to a source; which source or population; the port."""


@dataclass(frozen=True, eq=False)
class _Begun:
    """A run in the kernel.

    Args:
        fixed, network, run: what runs, and the kernel's own.
        n_steps, batch: as of :func:`run_compiled`.
        given: inputs as they were given; ``feeds`` as they go to the kernel, ``drawn`` those that
            are drawn block by block, ``places`` where each goes.
        noise: where the profile's noise goes, and its draws.
        counted, whole: what is lost of drawn inputs, and of the others.
        block: steps whose inputs are there at once.
        traces: where the kernel writes registers ``(batch, n_steps, n)``.
    """

    fixed: FixedNetwork
    network: Built
    run: Any
    n_steps: int
    batch: int | None
    given: Mapping[str, Fed]
    feeds: Mapping[str, Any]
    drawn: Mapping[str, Any]
    places: list[tuple[str, Place, int]]
    noise: list[tuple[Place, Array]]
    counted: LostCounts
    whole: Any
    block: int
    traces: Mapping[tuple[str, str], Array]

    def load(self, first: int, last: int) -> None:
        """Hand over the inputs of a block."""
        made = {name: Fed.of(feed.rows(first, last)) for name, feed in self.drawn.items()}
        self.counted.take(first, made)
        self.run.drop_feeds()
        for name, place, turn in self.places:
            values = made[name].values if name in made else self.feeds[name].values
            self.run.feed(*place, values, turn, first if name in made else 0)
        for place, rows in self.noise:
            self.run.feed(*place, rows)

    def lost(self, steps: int) -> tuple[OverflowEvent, ...]:
        """Return what so many steps lost of the inputs."""
        return in_order(*self.whole, *self.counted.events(steps))

    def overflow(self, steps: int) -> tuple[OverflowEvent, ...]:
        """Return all that so many steps lost."""
        return in_order(*self.lost(steps), *_events(self.run, self.network))

    def run_all(
        self, progress: Progress | None, strict: bool, many: int,
        between: Callable[[], None] | None,
    ) -> None:  # fmt: skip
        """Do all steps, with so many threads; the rest as of :func:`run_compiled`."""
        told, n_steps = between or (lambda: None), self.n_steps
        b = self.batch or 1
        apart = not strict and progress is None and self.block >= n_steps
        if apart and _by_sample(self.run, b, n_steps, between is not None):
            self.load(0, n_steps)
            _finish(self.run, b, n_steps, many, told)
            return
        advance = _advance(self.run, self.overflow if strict else None, many, told)
        blocks = in_blocks(n_steps, self.block, self.load, advance)
        in_stretches(n_steps, self.run.size(), blocks, progress)

    def recorded(self, done: int, many: int, interrupted: bool, keep: bool) -> Recording:
        """Return what was recorded of so many steps; gives the kernel's memory back."""
        fixed, network, batch = self.fixed, self.network, self.batch
        spikes = {
            p.name: taken_spikes(self.run, network.populations[p.name], p.size,
                                 network.sent[p.name], batch, done, many)
            for p in fixed.populations
        }  # fmt: skip
        (quick, exact, calm), found = self.run.blocks(), self.overflow(done)
        self.run.release()
        inputs = as_feeds(self.feeds, self.drawn)
        return recorded(
            fixed, done, self.n_steps, Rasters(spikes),
            {k: a[:, :done] if batch else a[0, :done] for k, a in self.traces.items()}, found,
            f"compiled integer emulator ({native().used_set()})",  # type: ignore[union-attr]
            {"steps of blocks in 64 bits": f"{exact} of {quick + exact}",
             "steps of calm blocks": f"{calm} of {quick + exact}"},
            interrupted, kept_inputs(fixed, inputs, batch, done) if keep else None, self.given,
        )  # fmt: skip


def _begin(
    fixed: FixedNetwork, n_steps: int, given: Mapping[str, Fed], batch: int | None, record: str
) -> _Begun:
    """Return a run with nothing done yet.

    Raises:
        NotInKernel: the kernel cannot run this.
        RangeError: as of :func:`neuro_lif.run_fixed`.
    """
    network, b = built(fixed), batch or 1
    feeds = network_inputs(fixed, given, n_steps)
    drawn = drawn_inputs(fixed, given, b)
    block, counted = block_of(drawn.values(), b, n_steps), LostCounts(fixed, drawn, b)
    whole = input_events(fixed, feeds, b)
    wanted = wanted_registers(fixed, record)
    traces = {k: trace_array((b, n_steps, fixed.population(k[0]).size)) for k in wanted}
    run, places = _started(fixed, network, {*feeds, *drawn}, traces, b)
    noise = _noise_feeds(fixed, network, b, n_steps)
    return _Begun(fixed, network, run, n_steps, batch, given, feeds, drawn, places, noise, counted,
                  whole, block, traces)  # fmt: skip


def _started(
    fixed: FixedNetwork, network: Built, names: Collection[str],
    traces: Mapping[tuple[str, str], Array], batch: int,
) -> tuple[Any, list[tuple[str, Place, int]]]:  # fmt: skip
    """Return a run, and where each of the inputs goes: name, place, and its turn at the port."""
    live = dict(network.live)
    for name, variable in traces:
        live[name] |= 1 << network.registers[register_of(fixed, name, variable)]
    bits = [live[p.name] for p in fixed.populations]
    run = native().Run(network.kernel, batch, bits)  # type: ignore[union-attr]
    places: list[tuple[str, Place, int]] = [
        (name, (True, number, 0), 0) for name, number in network.sources.items() if name in names
    ]
    for direct in fixed.directs:
        port = network.ports[direct.population].get(direct.port)
        if port is not None and direct.name in names:
            place = (False, network.populations[direct.population], port)
            places.append((direct.name, place, _place(fixed, direct)))
    for (name, variable), out in traces.items():
        register = network.registers[register_of(fixed, name, variable)]
        run.trace(network.populations[name], register, out)
    return run, places


def _noise_feeds(
    fixed: FixedNetwork, network: Built, batch: int, n_steps: int
) -> list[tuple[Place, Array]]:
    """Return the noise of the profile, drawn ahead, and where it goes."""
    out = []
    for name, rows in (_noise(fixed, batch, n_steps) if network.noisy else {}).items():
        port = network.ports[name].get(fixed.profile.noise.port)  # type: ignore[union-attr]
        if port is not None:
            out.append(((False, network.populations[name], port), rows))
    return out


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
    run: Any, overflow: Callable[[int], tuple[OverflowEvent, ...]] | None, threads: int,
    between: Callable[[], None],
) -> Callable[[int], None]:  # fmt: skip
    """Return what does so many steps; with ``overflow``, any of it is an error."""
    strict = overflow is not None

    def advance(steps: int) -> None:
        before = run.done()
        run.advance(steps, threads, strict)
        between()
        _refuse_too_wide(run)
        if overflow is not None:
            refuse_overflow(overflow(before + steps), before + steps)

    return advance


def _events(run: Any, network: Built) -> tuple[OverflowEvent, ...]:
    return events_of({network.events[number]: counted for number, *counted in run.events()})
