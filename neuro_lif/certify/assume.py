"""What a certificate assumes about the inputs: any values between bounds, or known rasters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..errors import RangeError, show
from ..fixed import DirectInput, FixedNetwork, FixedSource

LARGEST = 2**40
"""No input value is assumed to be larger."""


@dataclass(frozen=True, eq=False)
class Feed:
    """What one input may bring.

    Args:
        name: of the input.
        low, high: ``(n,)`` in any step.
        raster: ``(n_steps, n)`` where it is known; zeros come after it.
        most: how many channels may differ from 0 in one step; None: all.
        why: where the bounds come from.
    """

    name: str
    low: IntArray
    high: IntArray
    raster: IntArray | None = None
    most: int | None = None
    why: str = ""

    def at(self, t: int) -> IntArray:
        """Return the interval of step ``t`` (1 is the first)."""
        if self.raster is None:
            return np.stack([self.low, self.high])
        row = self.raster[t - 1] if t <= len(self.raster) else np.zeros_like(self.low)
        return np.stack([row, row])

    def ever(self) -> IntArray:
        """Return the interval of all steps, 0 (before the first) included."""
        return np.stack([np.minimum(self.low, 0), np.maximum(self.high, 0)])

    def until(self, n_steps: int | None) -> Feed:
        """Return what is assumed of the first steps only (None: of all)."""
        if self.raster is None or n_steps is None or n_steps >= len(self.raster):
            return self
        return _known(self.name, self.raster[:n_steps])

    def __str__(self) -> str:
        if self.raster is not None:
            return f"{self.name}: a known raster of {len(self.raster)} steps, then 0"
        low, high = int(self.low.min()), int(self.high.max())
        uniform = bool(np.all(self.low == low) and np.all(self.high == high))
        text = f"{self.name}: {low}..{high}" + ("" if uniform else ", less in some channels")
        if self.most is not None:
            text += f", at most {self.most} of {self.low.size} channels in one step"
        return text + (f" ({self.why})" if self.why else "")


def feeds_of(
    fixed: FixedNetwork, inputs: Mapping[str, Any] | None, activity: float
) -> dict[str, Feed]:
    """Return what is assumed of every input.

    Args:
        fixed: the network.
        inputs: see :func:`neuro_lif.certify.certify`.
        activity: largest share of each source's channels that is not 0 in one step.

    Raises:
        RangeError: an unknown input, bounds that are none, or an input nothing is known of.
    """
    real = isinstance(activity, (int, float, np.floating)) and not isinstance(activity, bool)
    if not real or not 0 < activity <= 1:
        raise RangeError(f"activity = {show(activity)}, allowed: a share above 0, at most 1")
    if inputs is not None and not isinstance(inputs, Mapping):
        raise RangeError(f"inputs = {show(inputs)}, allowed: a mapping of input name to bounds")
    given, sizes = dict(inputs or {}), fixed.input_sizes()
    for name in given:
        if name not in sizes:
            known = ", ".join(sorted(sizes)) or "none"
            raise RangeError(f"inputs: {show(name)} is unknown, allowed: {known}")
    feeds = {}
    for source in fixed.sources:
        feed = _feed(source, sizes[source.name], given)
        if activity < 1 and feed.raster is None:
            feed = _thinned(feed, activity)
        feeds[source.name] = feed
    return feeds | {d.name: _feed(d, sizes[d.name], given) for d in fixed.directs}


def _thinned(feed: Feed, activity: float) -> Feed:
    if np.any((feed.low > 0) | (feed.high < 0)):
        raise RangeError(
            f"activity = {activity}, allowed with input {feed.name!r}: 1, since its bounds "
            "leave out 0"
        )
    most = max(int(np.ceil(activity * feed.low.size - 1e-9)), 1)
    return Feed(feed.name, feed.low, feed.high, None, most, feed.why)


def _feed(item: FixedSource | DirectInput, size: int, given: Mapping[str, Any]) -> Feed:
    if item.name in given:
        return _given(item, size, given[item.name])
    raster = item.raster
    if item.stream is not None:
        low, high = item.stream.span
        return Feed(item.name, low, high, why="what its stream never passes")
    if isinstance(item, FixedSource):
        low, high = (0, 1) if raster is None or not raster.size else (raster.min(), raster.max())
        ends = (np.full(size, min(int(low), 0)), np.full(size, max(int(high), 1)))
        usual = raster is None or (low >= 0 and high <= 1)
        return Feed(item.name, *ends, why="" if usual else "from 0 and 1 to the ends of its raster")
    if raster is None:
        raise RangeError(
            f"inputs: nothing is known of direct input {item.name!r}, allowed: bounds (lo, hi), "
            "or a raster"
        )
    zero = np.zeros((1, size), np.int64)
    rows = np.concatenate([zero, raster])
    return Feed(item.name, rows.min(axis=0), rows.max(axis=0), why="the ends of its raster")


def _given(item: FixedSource | DirectInput, size: int, value: Any) -> Feed:
    name = item.name
    allowed = f"bounds (lo, hi), or a raster (n_steps, {size}), whole numbers below 2**40"
    if isinstance(value, str) and value == "raster":
        if item.raster is None:
            raise RangeError(f"inputs[{name!r}] = 'raster', allowed: {allowed} (it has none)")
        return _known(name, item.raster)
    if isinstance(value, (tuple, list)) and len(value) == 2:
        ends = [_whole(name, end, allowed) for end in value]
        if any(end.shape not in ((), (size,)) for end in ends):
            raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: {allowed}")
        low, high = (np.array(np.broadcast_to(end, (size,))) for end in ends)
        if np.any(low > high):
            raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: lo <= hi")
        return Feed(name, low, high, why="as given")
    raster = _whole(name, value, allowed)
    if raster.ndim != 2 or raster.shape[1] != size or not len(raster):
        raise RangeError(f"inputs[{name!r}]: shape {raster.shape}, allowed: {allowed}")
    return _known(name, raster)


def _known(name: str, raster: IntArray) -> Feed:
    return Feed(name, raster.min(axis=0), raster.max(axis=0), np.asarray(raster, np.int64))


def _whole(name: str, value: Any, allowed: str) -> IntArray:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different length
        raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: {allowed}") from None
    fine = array.dtype.kind in "biu" or (
        array.dtype.kind == "f" and bool(np.all(array == np.rint(array)))
    )
    if not fine or (array.size and np.abs(array.astype(np.float64)).max() >= LARGEST):
        raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: {allowed}")
    return array.astype(np.int64)
