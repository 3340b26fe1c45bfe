"""Poisson input without a raster: every engine draws the same counts, each one on its own.

In every step every neuron of a population receives ``weight * k`` at a port, k from a Poisson
distribution. The draw is a function of integers and of nothing before it::

    words = threefry((c, t mod 2**32, t // 2**32, 0), (input's seed, network's seed, sample, 0))
    u     = words[(i // 64) % 4],  c = 64 * (i // 256) + i % 64      neuron i, step t = 1, 2, ...
    k     = how many entries of the table are <= u                   0 <= u < 2**32

so no engine, number of threads, length of a run or other sample changes it. The table is
:func:`poisson_table`. A word serves one neuron; four words of one call are 64 neurons apart, so
that a processor draws neighbours side by side.

Source: threefry: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
easy as 1, 2, 3", SC 2011 (Threefry-4x32 with 20 rounds, Random123).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import IntArray, frozen
from .draws import (
    BLOCK,
    LANES,
    WORD,
    by_table,
    check_seed,
    count_words,
    poisson_table,
    threefry,
    threefry_array,
)
from .errors import Faults, RangeError
from .fixed_parts import check_name, check_port, integers
from .numerics import WIDEST

__all__ = ["FixedPoisson", "poisson_table", "threefry", "threefry_array"]

MOST_MEAN = 10_000


@dataclass(frozen=True, eq=False)
class FixedPoisson:
    """Poisson input of a population: ``weight * k`` in every step, each neuron with its own k.

    Args:
        name: unique among the inputs.
        population: the target.
        mean: of k in one step, 0..10000, a scalar or ``(size,)``. What is drawn has this mean
            within 2**-32 * largest k: see :func:`poisson_table`.
        weight: what one event adds to the port's sum, an integer or ``(size,)``; 0 and negative
            ones are allowed.
        seed: 0..2**32 - 1. Two inputs with the same seed draw the same numbers (they differ only
            where their means do), so give each its own.
        port: the port of the model that it goes to; one whose input is added up.

    Raises:
        RangeError: naming the field, its value and what is allowed.
    """

    name: str
    population: str
    mean: Any
    weight: Any
    seed: int
    port: str = "in"

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"input {self.name!r}"
        check_name(where, self.name, faults)
        check_port(where, self.port, faults)
        check_seed(where, self.seed, faults)
        object.__setattr__(self, "mean", _means(where, self.mean, faults))
        object.__setattr__(self, "weight", _weights(where, self.weight, faults))
        faults.raise_if_any(RangeError)
        reach = int(np.abs(self.weight).max(initial=0)) * max(map(len, self.tables))
        if reach > WIDEST:
            faults.add(where, "weight", int(self.weight.flat[np.abs(self.weight).argmax()]),
                       f"largest count times weight up to 2**48, here {reach}")  # fmt: skip
        faults.raise_if_any(RangeError)

    @cached_property
    def _kinds(self) -> tuple[Any, IntArray]:
        """The distinct means, and which of them each neuron has (a scalar where all have one)."""
        if self.mean.ndim == 0:
            return self.mean[None], np.zeros((), np.int64)
        found, which = np.unique(self.mean, return_inverse=True)
        return found, which.reshape(self.mean.shape)

    @property
    def tables(self) -> tuple[tuple[int, ...], ...]:
        """The table of each distinct mean, in ascending order of the mean."""
        return tuple(poisson_table(float(mean)) for mean in self._kinds[0])

    @property
    def table_of(self) -> IntArray:
        """Which of the tables each neuron draws by: ``(size,)``, or a scalar for all."""
        which: IntArray = self._kinds[1]
        return which

    def largest(self, size: int) -> IntArray:
        """Return the largest count each neuron can draw ``(size,)``."""
        most = np.array([len(table) for table in self.tables], np.int64)
        return np.broadcast_to(most[self.table_of], (size,))

    def span(self, size: int) -> IntArray:
        """Return the lowest and highest input of one step ``(2, size)``."""
        end = self.largest(size) * self.weight
        return np.asarray(np.stack([np.minimum(end, 0), np.maximum(end, 0)]), np.int64)

    def key(self, seed: int, sample: int) -> tuple[int, int, int, int]:
        """Return the generator's key for a sample of a network with this seed."""
        return (int(self.seed), int(seed), sample, 0)

    def count(self, seed: int, sample: int, t: int, neuron: int) -> int:
        """Return k of one neuron in one step: the definition, on plain integers.

        Args:
            seed: of the network.
            sample: of the batch, from 0.
            t: the step, 1 being the first.
            neuron: index in the population.
        """
        counter = LANES * (neuron // BLOCK) + neuron % LANES
        words = threefry((counter, t & WORD, t >> 32, 0), self.key(seed, sample))
        u = words[neuron // LANES % 4]
        which = int(self.table_of if self.table_of.ndim == 0 else self.table_of[neuron])
        return sum(1 for entry in self.tables[which] if entry <= u)

    def value(self, seed: int, sample: int, t: int, neuron: int) -> int:
        """Return what one neuron receives in one step, ``weight * k``; see :meth:`count`."""
        weight = int(self.weight if self.weight.ndim == 0 else self.weight[neuron])
        return weight * self.count(seed, sample, t, neuron)

    def counts(self, seed: int, samples: Sequence[int], t: int, size: int) -> IntArray:
        """Return k of all neurons in one step, ``(len(samples), size)`` int64."""
        drawn = [count_words(self.key(seed, k), t, t + 1, size)[0] for k in samples]
        u = np.stack(drawn) if drawn else np.zeros((0, size), np.uint32)
        if self.table_of.ndim == 0:
            return by_table(self.tables[0], u)
        out = np.empty(u.shape, np.int64)
        for number, table in enumerate(self.tables):
            mine = self.table_of == number
            out[:, mine] = by_table(table, u[:, mine])
        return out

    def values(self, seed: int, samples: Sequence[int], t: int, size: int) -> IntArray:
        """Return what all neurons receive in one step, ``(len(samples), size)`` int64."""
        return np.asarray(self.counts(seed, samples, t, size) * self.weight, np.int64)


def _array(given: Any) -> Any:
    try:
        return np.asarray(given)
    except ValueError:  # rows of different length
        return np.empty((0, 0), object)


def _weights(where: str, given: Any, faults: Faults) -> Any:
    weight = _array(given)
    if weight.ndim > 1 or not weight.size:
        faults.add(where, "weight", given, "a whole number, or one per neuron")
        return weight
    return integers(where, "weight", given, weight.shape, faults)


def _means(where: str, given: Any, faults: Faults) -> Any:
    allowed = f"numbers 0..{MOST_MEAN} (events per step), a scalar or one per neuron"
    mean = _array(given)
    if mean.dtype.kind not in "iuf" or mean.ndim > 1 or not mean.size:
        faults.add(where, "mean", given, allowed)
        return mean
    outside = mean[~((mean >= 0) & (mean <= MOST_MEAN))]  # a NaN is outside, too
    if outside.size:
        faults.add(where, "mean", outside.flat[0], allowed)
    return frozen(mean, np.float64)
