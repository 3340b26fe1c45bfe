"""Inputs of a run, made a stretch of steps at a time: nothing holds an array of the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import RangeError
from .network import CurrentInput, Network, PoissonInput, SpikeInput
from .rasters import Rasters, SpikeList
from .stimulate import padded
from .stimulus import Constant, GaussianNoise, Stimulus
from .streams import ListedSpikes, Make

Array = npt.NDArray[Any]
AT_ONCE = 2**18
"""Numbers of inputs that are made at a time."""


@dataclass(frozen=True, eq=False)
class Feed:
    """One input of a run: an array that is there, or stretches that are made when asked for.

    Args:
        size: channels or neurons.
        whole: ``(batch or 1, n_steps, n)``; strides may be 0, so nobody may write to it.
        make: makes a stretch, where ``whole`` is None.
    """

    size: int
    whole: Array | None = None
    make: Make | None = None

    def rows(self, first: int, last: int) -> Array:
        """Return the rows of a stretch, ``(batch or 1, last - first, n)``."""
        if self.make is not None:
            return self.make(first, last)
        return (
            np.zeros((1, last - first, self.size))
            if self.whole is None
            else (self.whole[:, first:last])
        )


class Rolling:
    """A feed that looks like its array where it is read row after row: ``rolling[:, t]``.

    Args:
        feed: the input.
        batch, n_steps: of the run.
        block: steps that are made at a time.
    """

    def __init__(self, feed: Feed, batch: int, n_steps: int, block: int) -> None:
        self.feed, self.batch, self.n_steps, self.block = feed, batch, n_steps, block
        self.first, self.rows = 0, np.zeros((1, 0, feed.size))

    def __getitem__(self, key: tuple[slice, int]) -> Array:
        t = key[1]
        if not self.first <= t < self.first + self.rows.shape[1]:
            self.first = t
            self.rows = self.feed.rows(t, min(t + self.block, self.n_steps))
        return np.broadcast_to(self.rows[:, t - self.first], (self.batch, self.feed.size))


def block_of(feeds: Iterable[Feed], batch: int, n_steps: int) -> int:
    """Return how many steps of all inputs are made at a time: all where none has to be made."""
    made = sum(feed.size for feed in feeds if feed.make is not None) * batch
    return n_steps if not made else max(1, min(n_steps, AT_ONCE // made))


def in_blocks(
    n_steps: int, block: int, load: Callable[[int, int], None], advance: Callable[[int], None]
) -> Callable[[int], None]:
    """Return a function that does so many steps, loading the inputs of each block before it.

    Args:
        n_steps: of the run.
        block: steps of a block.
        load: called with (first, last) before the first step of each block.
        advance: does so many steps, all in one block.
    """
    at, end = 0, 0

    def advanced(steps: int) -> None:
        nonlocal at, end
        while steps:
            if at == end:
                end = min(at + block, n_steps)
                load(at, end)
            part = min(steps, end - at)
            advance(part)
            at += part
            steps -= part

    return advanced


def float_feeds(
    network: Network, dt: float, n_steps: int, batch: int, given: Mapping[str, Array]
) -> dict[str, Feed]:
    """Return every input of a float run: spike counts, or A.

    Counts are uint8 where they are whole by type and fit, all else is float64.

    Raises:
        RangeError: a negative count, or a rate too high for the step.
    """
    out: dict[str, Feed] = {}
    for spikes in network.spike_inputs:
        if spikes.name in given:
            rows = given[spikes.name]
            if rows.dtype.kind not in "bu" and rows.min() < 0:
                text = f"inputs[{spikes.name!r}]: holds {rows.min()}, allowed: counts >= 0"
                raise RangeError(text)
            out[spikes.name] = _given(_narrowed(rows), batch, n_steps)
        elif isinstance(spikes, PoissonInput):
            out[spikes.name] = Feed(spikes.size, make=_poisson(spikes, dt, batch))
        elif spikes.times is None:
            silent = np.broadcast_to(np.uint8(0), (batch, n_steps, spikes.size))
            out[spikes.name] = Feed(spikes.size, silent)
        else:
            out[spikes.name] = Feed(spikes.size, make=_listed(spikes, dt))
    for current in network.current_inputs:
        size, stimulus = network.population(current.population).size, current.stimulus
        if current.name in given:
            rows = given[current.name].astype(np.float64, copy=False)
            out[current.name] = _given(rows, batch, n_steps)
        elif stimulus is None or isinstance(stimulus, Constant):
            row = np.zeros((1, 1)) if stimulus is None else stimulus.sample(np.zeros(1), size)
            whole = np.broadcast_to(row, (batch, n_steps, size))
            out[current.name] = Feed(size, whole)
        else:
            out[current.name] = Feed(size, make=_described(stimulus, dt, size, batch))
    return out


def _poisson(spikes: PoissonInput, dt: float, batch: int) -> Make:
    spikes.check_step(dt)
    return lambda first, last: _narrowed(spikes.rows(first, last, dt, range(batch)))


def _described(stimulus: Stimulus, dt: float, size: int, batch: int) -> Make:
    return lambda first, last: stimulus.rows(first, last, dt, size, range(batch))


def _listed(spikes: SpikeInput, dt: float) -> Make:
    make = ListedSpikes(spikes, dt).reader((0,))
    return lambda first, last: _narrowed(make(first, last))


def _given(rows: Array, batch: int, n_steps: int) -> Feed:
    """Return an array ``([batch,] steps, n)`` as a feed, zeros after its last row."""
    rows = rows if rows.ndim == 3 else rows[None]
    if rows.shape[1] < n_steps:
        rows = padded(rows, len(rows), n_steps, rows.dtype)
    return Feed(rows.shape[2], np.broadcast_to(rows, (batch, n_steps, rows.shape[2])))


def _narrowed(counts: Array) -> Array:
    """Return counts >= 0 in bytes where they are integers that fit, else as float64."""
    if counts.dtype.kind == "b":
        return counts.view(np.uint8)
    fits = counts.dtype.kind in "iu" and (counts.dtype == np.uint8 or counts.max() <= 255)
    return counts.astype(np.uint8 if fits else np.float64, copy=False)


# -------------------------------------------------------------------------------- recording


def told_inputs(network: Network, given: Iterable[str]) -> dict[str, str]:
    """Return what the provenance says of the described inputs that nothing was ``given`` for."""
    told = {}
    for item in network.inputs:
        if item.name in given:
            continue
        if isinstance(item, PoissonInput):
            told[f"input {item.name}"] = told_spikes(item)
        elif isinstance(item, SpikeInput) and item.times is not None:
            told[f"input {item.name}"] = told_spikes(item)
        elif isinstance(item, CurrentInput) and item.stimulus is not None:
            told[f"input {item.name}"] = told_stimulus(item.stimulus)
    return told


GENERATOR = "Threefry-4x32-20"


def told_spikes(item: PoissonInput | SpikeInput) -> str:
    """Return what the provenance says of an input of spikes."""
    if isinstance(item, SpikeInput):
        return f"SpikeInput, {np.asarray(item.times).size} spikes"
    return f"PoissonInput, draw={item.draw}, seed={int(item.seed)}, {GENERATOR}"


def told_stimulus(stimulus: Stimulus) -> str:
    """Return what the provenance says of a current."""
    name = type(stimulus).__name__
    if isinstance(stimulus, GaussianNoise):
        shared = ", shared" if stimulus.shared else ""
        return f"{name}, per={stimulus.per}, seed={int(stimulus.seed)}{shared}, {GENERATOR}"
    if stimulus.parts:
        return f"{name} of ({'; '.join(map(told_stimulus, stimulus.parts))})"
    return name


def recorded_inputs(
    feeds: Mapping[str, Feed], spikes: Iterable[str], batch: int | None, n_steps: int
) -> Rasters:
    """Return the inputs of a run, made again from the same seeds.

    Args:
        feeds: of the run.
        spikes: names of those that are spikes, which become events.
        batch: samples; None: one, and no axis for them.
        n_steps: steps that were done.
    """
    trains = set(spikes)
    lists, arrays = {}, {}
    for name, feed in feeds.items():
        block = max(1, AT_ONCE // (feed.size * (batch or 1)))
        if name in trains:
            lists[name] = recorded_spikes(feed, batch, n_steps, block)
        else:
            arrays[name] = recorded_rows(feed, batch, n_steps, block)
    return Rasters(lists, arrays, feeds)


def recorded_rows(feed: Feed, batch: int | None, n_steps: int, block: int) -> Array:
    """Return an input as an array ``([batch,] n_steps, n)``, made again."""
    out = np.empty((batch or 1, n_steps, feed.size), feed.rows(0, 1).dtype)
    for first in range(0, n_steps, block):
        last = min(first + block, n_steps)
        out[:, first:last] = feed.rows(first, last)
    return out if batch else out[0]


def recorded_spikes(feed: Feed, batch: int | None, n_steps: int, block: int) -> SpikeList:
    """Return an input as events, made again: far less than an array of the whole run."""
    b = batch or 1
    counts = np.zeros((b, n_steps), np.uint32)
    found: list[list[tuple[Array, Array]]] = [[] for _ in range(b)]
    for first in range(0, n_steps, block):
        rows = feed.rows(first, min(first + block, n_steps))
        rows = np.broadcast_to(rows, (b, *rows.shape[1:]))
        for k in range(b):
            step, channel = np.nonzero(rows[k])
            counts[k, first : first + rows.shape[1]] = np.bincount(step, minlength=rows.shape[1])
            found[k].append((channel.astype(np.uint32), rows[k][step, channel]))
    parts = [part for sample in found for part in sample]
    channels, values = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    wide = values.dtype.kind == "f"
    value = None if (values == 1).all() else values.astype(np.float64 if wide else np.int64)
    dtype = np.dtype(np.float64 if wide else np.uint8 if not values.size or (
        values.min() >= 0 and values.max() <= 255) else np.int64)  # fmt: skip
    shape = (b, n_steps, feed.size) if batch else (n_steps, feed.size)
    return SpikeList(shape, dtype, counts if batch else counts[0], channels, value)
