"""Spikes as a list of events that becomes an array when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SpikeList:
    """What one population sent in a run, an event each, in order of samples, then of steps.

    Args:
        shape: of the array it stands for, ``(n_steps, n)`` or ``(batch, n_steps, n)``.
        dtype: of that array.
        counts: ``(n_steps,)`` or ``(batch, n_steps)``, how many events there were in each step.
        neuron: ``(k,)``, rising within a step.
        value: ``(k,)`` what was sent; None where all of it is 1.
    """

    shape: tuple[int, ...]
    dtype: Any
    counts: Array
    neuron: Array
    value: Array | None

    @cached_property
    def step(self) -> Array:
        """``(k,)`` the step of each event, 1 being the first."""
        steps = np.arange(1, self.shape[-2] + 1, dtype=np.uint32)
        return np.repeat(np.tile(steps, self.counts.size // max(steps.size, 1)), self.counts.flat)

    @cached_property
    def sample(self) -> Array | None:
        """``(k,)`` the sample of each event; None where the run has no samples."""
        if self.counts.ndim == 1:
            return None
        sent = self.counts.sum(axis=1, dtype=np.int64)
        return np.repeat(np.arange(self.shape[0], dtype=np.uint32), sent)

    def of_sample(self, k: int) -> SpikeList:
        """Return the events of one sample of a run of several."""
        k = range(self.shape[0])[k]
        ends = np.concatenate([[0], np.cumsum(self.counts.sum(axis=1, dtype=np.int64))])
        part = slice(int(ends[k]), int(ends[k + 1]))
        value = None if self.value is None else self.value[part]
        return SpikeList(self.shape[1:], self.dtype, self.counts[k], self.neuron[part], value)

    def array(self) -> Array:
        """Return the array, zero where nothing was sent."""
        out = np.zeros(self.shape, self.dtype)
        row = np.repeat(np.arange(self.counts.size), self.counts.flat)
        out.reshape(-1, self.shape[-1])[row, self.neuron] = 1 if self.value is None else self.value
        return out


class Rasters(Mapping[str, Array]):
    """Population -> array of spikes, made from the events at the first look.

    Args:
        lists: population -> events.
        arrays: populations whose spikes are there as arrays.
        names: of all populations, in order; None: those of the lists first.
    """

    def __init__(
        self, lists: Mapping[str, SpikeList], arrays: Mapping[str, Array] | None = None,
        names: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self.lists = dict(lists)
        self._arrays: dict[str, Array] = dict(arrays or {})
        self._names = dict.fromkeys(names or [*self.lists, *self._arrays])

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = self.lists[name].array()
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def events(self, name: str) -> SpikeList | None:
        """Return a population's events, or None where the array may have been written to."""
        return None if name in self._arrays else self.lists[name]

    def of_sample(self, k: int) -> Rasters:
        """Return the spikes of one sample of a run of several."""
        kept = {name: events for name in self if (events := self.events(name)) is not None}
        return Rasters(
            {name: events.of_sample(k) for name, events in kept.items()},
            {name: array[k] for name, array in self._arrays.items()},
            self,
        )


def events_of(spikes: Mapping[str, Array], name: str) -> SpikeList | None:
    """Return the events of a population, where there is a list of them."""
    return spikes.events(name) if isinstance(spikes, Rasters) else None


def events_from(
    arrays: Mapping[str, Array], shape: Any, dtype: str, kinds: str = "iu"
) -> SpikeList:
    """Return the events that a file holds.

    Args:
        arrays: ``counts``, ``neuron`` and perhaps ``value``.
        shape, dtype: of the array they stand for.
        kinds: of numbers that may have been sent.

    Raises:
        ValueError: they do not fit each other.
    """
    sizes = tuple(int(n) for n in shape)
    out = SpikeList(sizes, np.dtype(dtype), arrays["counts"], arrays["neuron"], arrays.get("value"))
    if out.dtype.kind not in kinds:
        raise ValueError(f"spikes of type {out.dtype}")
    if len(sizes) not in (2, 3) or min(sizes) < 0 or out.counts.shape != sizes[:-1]:
        raise ValueError(f"spikes of shape {sizes} with counts {out.counts.shape}")
    stored = [a.dtype.kind for a in (out.counts, out.neuron)]
    if stored != ["u", "u"] or out.neuron.shape != (int(out.counts.sum(dtype=np.int64)),):
        raise ValueError("events that are not those counted")
    if out.neuron.size and int(out.neuron.max()) >= sizes[-1]:
        raise ValueError(f"a spike of neuron {int(out.neuron.max())} of {sizes[-1]}")
    if out.value is not None and (
        out.value.shape != out.neuron.shape or out.value.dtype.kind not in kinds
    ):
        raise ValueError("values that are not those of the events")
    return out
