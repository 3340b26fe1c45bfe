"""Inputs of an integer run: given, a raster, or made as the run goes; and what they lose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import Faults, RangeError
from .feeds import AT_ONCE, Feed, block_of, recorded_inputs
from .fixed import DirectInput, FixedNetwork, FixedSource
from .rasters import Rasters
from .recording import OverflowEvent
from .stimulate import padded

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Fed:
    """The integers of one input, looked through once.

    Args:
        values: ``(1 or batch, n_steps, n)``, in bytes where they fit.
        low, high: the lowest and the highest, 0 where there is none.
    """

    values: Array
    low: int
    high: int

    @classmethod
    def of(cls, given: Any) -> Fed:
        """Return checked numbers ``(n_steps, n)`` or ``(batch, n_steps, n)`` as an input.

        Without a copy where they are small already; most inputs are 0 and 1.
        """
        values = np.asarray(given)
        values = values.view(np.uint8) if values.dtype.kind == "b" else values
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        signed = values.size and values.dtype.kind != "u"
        low, high = int(values.min()) if signed else 0, int(values.max()) if values.size else 0
        if values.dtype.itemsize > 1 and -128 <= low and high <= 127:
            values = values.astype(np.int8)
        elif values.dtype.kind not in "iu" or values.dtype == np.uint64:
            values = values.astype(np.int64)
        values = values if values.ndim == 3 else values[None]
        return cls(np.ascontiguousarray(values), low, high)

    @property
    def reach(self) -> int:
        """The largest magnitude."""
        return max(self.high, -self.low)

    @cached_property
    def lost(self) -> tuple[int, int, int] | None:
        """What is not carried as counts 0 and 1: (how many, first step, its lowest neuron)."""
        if 0 <= self.low and self.high <= 1:
            return None
        lost = counts_lost(self.values)
        by_step = lost.any(axis=0)
        step = int(np.argmax(by_step.any(axis=1)))
        return int(lost.sum()), step + 1, int(np.argmax(by_step[step]))


def fed_inputs(given: Mapping[str, Array]) -> dict[str, Fed]:
    """Return checked inputs of a run, looked through once for all networks that get them."""
    return {name: Fed.of(values) for name, values in given.items()}


def network_inputs(fixed: FixedNetwork, given: Mapping[str, Fed], n_steps: int) -> dict[str, Fed]:
    """Return every input of a run: what was given, else the raster; no entry for a silent one.

    Raises:
        RangeError: a run longer than a coded input; or values so large that a sum of them would
            not fit the 64 bits executors compute in.
    """
    rows = {}
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    for item in items:
        if item.name in given:
            rows[item.name] = given[item.name]
            continue
        covers = getattr(item, "covers", None)
        if covers is not None and n_steps > covers:
            raise RangeError(
                f"input {item.name!r}: n_steps = {n_steps}, allowed: at most {covers}, the steps "
                f"that were coded (lower again with quantize(..., n_steps={n_steps}))"
            )
        if item.raster is not None:
            rows[item.name] = Fed.of(item.raster[:n_steps])
    if given:  # rasters were looked at when the network was built
        faults = Faults()
        fixed.check_inputs({name: fed.reach for name, fed in rows.items()}, faults)
        faults.raise_if_any(RangeError, "inputs")
    return rows


def drawn_inputs(fixed: FixedNetwork, given: Iterable[str], batch: int) -> dict[str, Feed]:
    """Return the inputs that are made as a run goes, and nothing was ``given`` for."""
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    return {i.name: Feed(i.stream.size, make=i.stream.reader(range(batch)))
            for i in items if i.stream is not None and i.name not in given}  # fmt: skip


def as_feeds(rows: Mapping[str, Fed], drawn: Mapping[str, Feed]) -> dict[str, Feed]:
    """Return inputs of either kind as int64 feeds, zeros after the last row of an array."""

    def of(fed: Fed) -> Feed:
        return Feed(fed.values.shape[2], make=lambda first, last: _cut(fed.values, first, last))

    def wide(feed: Feed) -> Feed:
        return Feed(feed.size, make=lambda first, last: feed.rows(first, last).astype(np.int64))

    return {n: of(fed) for n, fed in rows.items()} | {n: wide(f) for n, f in drawn.items()}


def _cut(values: Array, first: int, last: int) -> Array:
    """Return rows ``first .. last - 1`` as int64, zeros after the last that there are."""
    part = values[:, first:last]
    return padded(part, len(part), last - first, np.int64)


def kept_inputs(
    fixed: FixedNetwork, feeds: Mapping[str, Feed], batch: int | None, n_steps: int
) -> Rasters:
    """Return every input of a run as it is recorded: events of sources, arrays of integers."""
    sizes = fixed.input_sizes()
    there = {name: feeds.get(name, Feed(size)) for name, size in sizes.items()}
    return recorded_inputs(there, [s.name for s in fixed.sources], batch, n_steps)


def input_rows(
    fixed: FixedNetwork, given: Mapping[str, Any], batch: int, n_steps: int
) -> dict[str, Any]:
    """Return every input as int64 ``(batch, n_steps, n)``: given, else the raster, else zeros.

    Raises:
        RangeError: as of :func:`network_inputs`.
    """
    fed = network_inputs(fixed, fed_inputs(given), n_steps)
    feeds = as_feeds(fed, drawn_inputs(fixed, given, batch))
    out = {}
    for name, size in fixed.input_sizes().items():
        out[name] = np.zeros((batch, n_steps, size), np.int64)
        block = max(1, AT_ONCE // (size * batch))
        for first in range(0, n_steps if name in feeds else 0, block):
            last = min(first + block, n_steps)
            out[name][:, first:last] = feeds[name].rows(first, last)
    return out


def input_events(
    fixed: FixedNetwork, rows: Mapping[str, Any], batch: int = 1
) -> tuple[OverflowEvent, ...]:
    """Return what is lost before the first step.

    Parameters and weights their storage changed, and spike counts of inputs other than 0 and 1 on
    projections that are not graded: there each counts as one spike. What populations send is
    counted in the run (:func:`may_lose_counts`). Rows of one sample stand for ``batch`` of them.
    """
    events = fixed.storage_events()
    for p in fixed.projections:
        if p.graded or p.pre not in rows:
            continue
        sent = rows[p.pre]
        fed = sent if isinstance(sent, Fed) else Fed.of(sent)
        if fed.lost is not None:
            count, step, neuron = fed.lost
            count *= batch if len(fed.values) == 1 else 1
            events.append(OverflowEvent(p.name, "payload", "binary", -1, count, step, neuron))
    return tuple(events)


class LostCounts:
    """Counts what :func:`input_events` counts, of inputs that are made as a run goes.

    Args:
        fixed: the network.
        drawn: of :func:`drawn_inputs`.
        batch: samples.
    """

    def __init__(self, fixed: FixedNetwork, drawn: Iterable[str], batch: int) -> None:
        names, self.batch = set(drawn), batch
        self.watched = [p for p in fixed.projections if p.pre in names and not p.graded]
        self.found: dict[str, list[int]] = {}
        self.last: tuple[int, dict[str, Fed]] = (0, {})

    def take(self, first: int, rows: Mapping[str, Fed]) -> None:
        """Take the next rows of all inputs, the first of which is of step ``first + 1``."""
        self._add(*self.last)
        self.last = (first, {p.pre: rows[p.pre] for p in self.watched})

    def _add(self, first: int, rows: Mapping[str, Fed]) -> None:
        for name, numbers in self._more(first, rows).items():
            entry = self.found.setdefault(name, [0, *numbers[1:]])
            entry[0] += numbers[0]

    def _more(self, first: int, rows: Mapping[str, Fed]) -> dict[str, list[int]]:
        more = {}
        for p in self.watched:
            lost = rows[p.pre].lost if p.pre in rows else None
            if lost is not None:
                count, step, neuron = lost
                times = self.batch if len(rows[p.pre].values) == 1 else 1
                more[p.name] = [count * times, first + step, neuron]
        return more

    def events(self, done: int) -> tuple[OverflowEvent, ...]:
        """Return what was lost in the first ``done`` steps."""
        first, rows = self.last
        part = {n: Fed.of(fed.values[:, : max(done - first, 0)]) for n, fed in rows.items()}
        found = {name: list(numbers) for name, numbers in self.found.items()}
        for name, numbers in self._more(first, part).items():
            entry = found.setdefault(name, [0, *numbers[1:]])
            entry[0] += numbers[0]
        return tuple(OverflowEvent(name, "payload", "binary", -1, *numbers)
                     for name, numbers in found.items())  # fmt: skip


class RowReader:
    """Hands out the inputs of a run step by step, made a block of steps at a time.

    Args:
        feeds: of :func:`as_feeds`.
        drawn: those of them whose lost counts are counted as they are made.
        batch, n_steps: of the run.
        counted: counts them.
    """

    def __init__(
        self, feeds: Mapping[str, Feed], drawn: Iterable[str], batch: int, n_steps: int,
        counted: LostCounts,
    ) -> None:  # fmt: skip
        self.feeds, self.drawn, self.batch, self.counted = feeds, list(drawn), batch, counted
        self.n_steps, self.block = n_steps, block_of(feeds.values(), batch, n_steps)
        self.rows: dict[str, Array] = {}
        self.first = 0

    def __call__(self, t: int) -> dict[str, Array]:
        """Return the rows ``(batch, n)`` of step ``t + 1``; steps come in their order."""
        if t % self.block == 0:
            self.first, last = t, min(t + self.block, self.n_steps)
            self.rows = {name: feed.rows(t, last) for name, feed in self.feeds.items()}
            self.counted.take(t, {name: Fed.of(self.rows[name]) for name in self.drawn})
        return {name: np.broadcast_to(rows[:, t - self.first], (self.batch, rows.shape[2]))
                for name, rows in self.rows.items()}  # fmt: skip


def counts_lost(sent: Array) -> Array:
    """Tell which values a projection that is not graded does not carry: all but 0 and 1."""
    lost: Array = (sent != 0) & (sent != 1)
    return lost
