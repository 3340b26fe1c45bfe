"""Spikes as a list of events that becomes an array when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
        sample: ``(k,)``; None where the run has no samples.
        step: ``(k,)``, 1 being the first.
        neuron: ``(k,)``, rising within a step.
        value: ``(k,)`` what was sent; None where all of it is 1.
    """

    shape: tuple[int, ...]
    dtype: Any
    sample: Array | None
    step: Array
    neuron: Array
    value: Array | None

    def array(self) -> Array:
        """Return the array, zero where nothing was sent."""
        out = np.zeros(self.shape, self.dtype)
        row = self.step.astype(np.int64) - 1
        place = (row, self.neuron) if self.sample is None else (self.sample, row, self.neuron)
        out[place] = 1 if self.value is None else self.value
        return out


class Rasters(Mapping[str, Array]):
    """Population -> array of spikes, made from the events at the first look.

    Args:
        lists: population -> events.
    """

    def __init__(self, lists: Mapping[str, SpikeList]) -> None:
        self.lists = dict(lists)
        self._arrays: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = self.lists[name].array()
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.lists)

    def __len__(self) -> int:
        return len(self.lists)

    def __contains__(self, name: object) -> bool:
        return name in self.lists

    def events(self, name: str) -> SpikeList | None:
        """Return a population's events, or None where the array may have been written to."""
        return None if name in self._arrays else self.lists[name]
