"""The inputs of a FixedNetwork: rasters, or streams of integers that are made as a run goes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import IntArray, frozen
from .checks import check_size
from .errors import Faults, RangeError
from .fixed_parts import WIDE, check_name, check_port, too_wide
from .streams import CodedCurrent, DrawnSpikes, ListedSpikes


@dataclass(frozen=True, eq=False)
class FixedSource:
    """A source of spikes (or graded spikes) from outside.

    Args:
        name: unique.
        size: channels.
        raster: ``(n_steps, size)`` integers, row i is emitted in step i + 1; None: given at run.
        stream: a :class:`~neuro_lif.streams.DrawnSpikes` or a
            :class:`~neuro_lif.streams.ListedSpikes` in place of a raster: made as a run goes.
    """

    name: str
    size: int
    raster: Any = None
    stream: Any = None

    def __post_init__(self) -> None:
        faults = Faults()
        check_name(f"input {self.name!r}", self.name, faults)
        check_size(f"input {self.name!r}", self.size, faults)
        faults.raise_if_any(RangeError)
        check_stream(self, (DrawnSpikes, ListedSpikes), self.size)
        if self.raster is not None:
            object.__setattr__(self, "raster", _raster(self.name, self.raster, self.size))

    @cached_property
    def reach(self) -> int:
        """The largest magnitude of what it sends, 0 where that is given at run."""
        return _reach(self)


@dataclass(frozen=True, eq=False)
class DirectInput:
    """Integers put straight into a population's synaptic input: no synapse, no delay.

    Args:
        name: unique.
        population: the target.
        raster: ``(n_steps, n)`` integers, row i acts in step i + 1; None: given at run.
        lsb_per_ampere, kept, shift: how :func:`neuro_lif.encode_current` turns amperes into
            these integers; absent where only integers are meant.
        covers: the raster stands for a current that goes on after it; runs longer than this many
            steps are refused. None: nothing comes after the raster.
        port: the port of the model that the integers go to.
        stream: a :class:`~neuro_lif.streams.CodedCurrent` in place of a raster: coded as a run
            goes.
    """

    name: str
    population: str
    raster: Any = None
    lsb_per_ampere: Any = None
    kept: Any = None
    shift: int = 0
    covers: int | None = None
    port: str = "in"
    stream: Any = None

    def __post_init__(self) -> None:
        faults = Faults()
        check_name(f"input {self.name!r}", self.name, faults)
        check_port(f"input {self.name!r}", self.port, faults)
        faults.raise_if_any(RangeError)
        check_stream(self, (CodedCurrent,), None)
        if self.raster is not None:
            object.__setattr__(self, "raster", _raster(self.name, self.raster, None))

    @cached_property
    def reach(self) -> int:
        """The largest magnitude of what it brings, 0 where that is given at run."""
        return _reach(self)

    @cached_property
    def span(self) -> IntArray | None:
        """The lowest and highest value of any step, 0 included ``(2, n)``; None: not known."""
        if self.stream is not None:
            return np.asarray(self.stream.span)
        if self.raster is None:
            return None
        ends = [self.raster.min(axis=0, initial=0), self.raster.max(axis=0, initial=0)]
        return np.asarray(np.stack(ends))


def _reach(item: FixedSource | DirectInput) -> int:
    if item.stream is not None:
        return largest(item.stream.span)
    return 0 if item.raster is None else largest(item.raster)


def check_stream(
    item: FixedSource | DirectInput, kinds: tuple[type[Any], ...], size: int | None
) -> None:
    """Refuse a stream that is of another kind or size, or stands beside a raster."""
    faults, where = Faults(), f"input {item.name!r}"
    if item.stream is None:
        return
    if not isinstance(item.stream, kinds):
        allowed = " or ".join(kind.__name__ for kind in kinds)
        faults.add(where, "stream", item.stream, f"a {allowed}, or None")
    elif size is not None and item.stream.size != size:
        faults.add(where, "stream", f"{item.stream.size} channels", f"{size}, the size")
    if item.raster is not None:
        faults.add(where, "stream", "given", "None beside a raster")
    faults.raise_if_any(RangeError)


def largest(rows: Any) -> int:
    """Return the largest magnitude; that of int8's -128 is 128."""
    if not rows.size:
        return 0
    return max(int(rows.max()), 0 if rows.dtype.kind in "bu" else -int(rows.min()))


def _raster(name: str, raster: Any, size: int | None) -> Any:
    array = np.asarray(raster)
    if array.dtype.kind not in "biu" or array.ndim != 2 or (size and array.shape[1] != size):
        raise RangeError(
            f"input {name!r}: raster = {array.dtype} {array.shape}, allowed: integers "
            f"(n_steps, {size or 'n'})"
        )
    if (wide := too_wide(array)) is not None:
        raise RangeError(f"input {name!r}: raster holds {wide}, allowed: {WIDE}")
    return frozen(array, np.int64)
