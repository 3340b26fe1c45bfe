"""Runs many inputs side by side until something overflows, and finds which of them did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..emulator import Emulator, run_fixed
from ..fixed import FixedNetwork
from ..recording import OverflowEvent, Recording
from .assume import Feed
from .fixpoint import Tick

TOLD_EVERY = 64
"""Steps after which a run says how far it is."""

Rows = Mapping[str, Any]
"""Input name -> ``(batch, n_steps, n)`` integers."""


@dataclass(frozen=True, eq=False)
class Witness:
    """Inputs that make something overflow.

    Args:
        inputs: input name -> ``(n_steps, n)`` integers, all that the network has.
        event: what the emulator counted in a run of them.
        n_steps: how long the run is; the event is in its last step.
    """

    inputs: Mapping[str, IntArray]
    event: OverflowEvent
    n_steps: int

    def run(self, fixed: FixedNetwork, record: str = "registers") -> Recording:
        """Run it on the emulator."""
        return run_fixed(fixed, self.n_steps, self.inputs, record=record)

    def __str__(self) -> str:
        e = self.event
        lines = [
            f"{e.where}: {e.register} {WORDS.get(e.kind, e.kind)} "
            + (f"in step {e.first_step}" if e.first_step else "as it is stored")
            + f", neuron {e.first_neuron}"
        ]
        return "\n".join(lines + [f"  {name}: {_told(x)}" for name, x in self.inputs.items()])


WORDS = {
    "wrap": "wraps", "wrap_once": "wraps (once)", "sat": "saturates", "clamp": "is clamped",
    "cap": "is capped", "binary": "loses its count (each counts as one spike)",
    "clip": "are clipped", "low_bits": "lose low bits",
    "duplicate": "lose to another synapse of the same two neurons",
}  # fmt: skip


def _told(raster: IntArray) -> str:
    """Describe a raster: what is the same in every step, or how much of it is not 0."""
    steps = len(raster)
    if not raster.any():
        return "0 all the time"
    if np.all(raster == raster[0]):
        row = raster[0].tolist()
        some = np.flatnonzero(raster[0]).tolist()
        if set(row) <= {0, 1}:
            which = "all" if len(some) == len(row) else _listed(some)
            return f"channels {which} on in every step" if len(some) > 1 or which == "all" else (
                f"channel {some[0]} on in every step")  # fmt: skip
        return f"in every step {_listed(row)}"
    share = float((raster != 0).mean())
    return f"{raster.shape[1]} channels, {100 * share:.0f} % of {steps} steps not 0"


def _listed(items: list[int]) -> str:
    shown = ", ".join(map(str, items[:12]))
    return shown + (f" ... ({len(items)} in all)" if len(items) > 12 else "")


def first_overflow(fixed: FixedNetwork, rows: Rows, n_steps: int, tick: Tick) -> int | None:
    """Return the step of the first overflow of any sample, None where nothing overflows."""
    batch = next((len(a) for a in rows.values()), 1)
    emulator = alike(Emulator(fixed, batch))
    for t in range(n_steps):
        emulator.step({name: a[:, t] for name, a in rows.items()})
        if emulator.counter.found:
            return t + 1
        if t % TOLD_EVERY == 0:
            tick()
    return None


def alike(emulator: Emulator) -> Emulator:
    """Give every sample of a batch the draws that it would get alone; return the emulator."""
    emulator.samples = [0] * emulator.batch
    generators, seed = emulator.noise.generators, emulator.fixed.seed % 2**32
    emulator.noise.generators = [np.random.RandomState(seed) for _ in generators]
    return emulator


def witness_in(fixed: FixedNetwork, rows: Rows, n_steps: int, tick: Tick) -> Witness | None:
    """Return the sample that overflows first, as the emulator finds it alone; None if none does.

    Args:
        fixed: the network.
        rows: the inputs to try.
        n_steps: their length.
        tick: called now and then.
    """
    batch = next((len(a) for a in rows.values()), 1)
    step = first_overflow(fixed, rows, n_steps, tick)
    if step is None:
        return None
    mine = {name: a[:, :step] for name, a in rows.items()}
    while batch > 1:  # halve until one is left
        half = {name: a[: batch // 2] for name, a in mine.items()}
        if first_overflow(fixed, half, step, tick) is None:
            half = {name: a[batch // 2 :] for name, a in mine.items()}
        mine, batch = half, len(next(iter(half.values())))
    return checked(fixed, {name: a[0] for name, a in mine.items()}, step)


def checked(fixed: FixedNetwork, inputs: Mapping[str, Any], n_steps: int) -> Witness | None:
    """Run inputs on the emulator; return them with the first overflow, None where there is none."""
    recording = run_fixed(fixed, n_steps, inputs)
    events = [e for e in recording.events if e.first_step > 0]
    return Witness(dict(inputs), events[0], n_steps) if events else None


# ------------------------------------------------------------------------- all inputs there are


def how_many(feeds: Mapping[str, Feed], n_steps: int) -> float:
    """Return how many different inputs of ``n_steps`` steps the assumptions allow."""
    free = [f for f in feeds.values() if f.raster is None]
    bits = sum(float(np.log2(f.high - f.low + 1.0).sum()) for f in free) * n_steps
    return 2.0 ** min(bits, 1000.0)


def all_inputs(feeds: Mapping[str, Feed], n_steps: int, chunk: int = 512) -> Iterator[Rows]:
    """Yield every input the assumptions allow, ``chunk`` at a time."""
    total = round(how_many(feeds, n_steps))
    for first in range(0, total, chunk):
        rest = np.arange(first, min(first + chunk, total))
        batch, rows = rest.size, {}
        keep = np.ones(batch, np.bool_)
        for name, feed in feeds.items():
            if feed.raster is not None:
                rows[name] = known_rows(feed, batch, n_steps)
                continue
            values = np.zeros((batch, n_steps, feed.low.size), np.int64)
            for t in range(n_steps):
                for i, (low, high) in enumerate(zip(feed.low, feed.high, strict=True)):
                    rest, digit = np.divmod(rest, int(high - low) + 1)
                    values[:, t, i] = low + digit
            if feed.most is not None:
                keep &= ((values != 0).sum(axis=2) <= feed.most).all(axis=1)
            rows[name] = values
        if keep.any():
            yield {name: a[keep] for name, a in rows.items()}


def known_rows(feed: Feed, batch: int, n_steps: int) -> IntArray:
    """Return a known raster for every sample ``(batch, n_steps, n)``, zeros after it."""
    out = np.zeros((batch, n_steps, feed.low.size), np.int64)
    if feed.raster is not None:
        out[:, : len(feed.raster)] = feed.raster[:n_steps]
    return out
