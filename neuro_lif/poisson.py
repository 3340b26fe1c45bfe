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
from decimal import Context, Decimal
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import IntArray, frozen
from .errors import Faults, RangeError
from .fixed_parts import check_name, check_port, integers
from .numerics import WIDEST

WORD = 2**32 - 1
PARITY = 0x1BD11BDA
"""Keeps the fifth word of the key from being 0; of Skein, as Random123 has it for 32 bits."""
ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
ROUNDS = 20

MOST_MEAN = 10_000
DIGITS = Context(prec=60)

LANES = 64
"""Neurons that take the same word of neighbouring counters."""
BLOCK = 4 * LANES


def threefry(counter: Sequence[int], key: Sequence[int]) -> tuple[int, int, int, int]:
    """Return Threefry-4x32-20 of four 32-bit words under a key of four, on plain integers."""
    keys = (*key, PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3])
    x = [(word + k) & WORD for word, k in zip(counter, key, strict=True)]
    for d in range(ROUNDS):
        a, b = (1, 3) if d % 2 == 0 else (3, 1)
        for left, right, by in ((0, a, ROTATIONS[d % 8][0]), (2, b, ROTATIONS[d % 8][1])):
            x[left] = (x[left] + x[right]) & WORD
            x[right] = ((x[right] << by | x[right] >> (32 - by)) & WORD) ^ x[left]
        if d % 4 == 3:
            s = d // 4 + 1
            x = [(x[i] + keys[(s + i) % 5] + (s if i == 3 else 0)) & WORD for i in range(4)]
    return x[0], x[1], x[2], x[3]


def threefry_array(counters: npt.NDArray[np.uint32], step: int, key: Sequence[int]) -> Any:
    """Return :func:`threefry` of ``(counter, step, 0)`` for many counters, ``(4, n)`` uint32."""
    keys = [np.uint32(k) for k in (*key, PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3])]
    ends = (step & WORD, step >> 32, 0)
    x = [counters + keys[0]]
    shared = zip(ends, keys[1:4], strict=True)
    x += [np.full_like(counters, (end + int(k)) & WORD) for end, k in shared]
    for d in range(ROUNDS):
        a, b = (1, 3) if d % 2 == 0 else (3, 1)
        for left, right, by in ((0, a, ROTATIONS[d % 8][0]), (2, b, ROTATIONS[d % 8][1])):
            x[left] += x[right]
            x[right] = (x[right] << np.uint32(by) | x[right] >> np.uint32(32 - by)) ^ x[left]
        if d % 4 == 3:
            s = d // 4 + 1
            for i in range(4):
                x[i] += keys[(s + i) % 5]
            x[3] += np.uint32(s)
    return np.stack(x)


@lru_cache(maxsize=4096)
def poisson_table(mean: float) -> tuple[int, ...]:
    """Return the table of a Poisson distribution: ``round(2**32 * P(K <= j))``, j = 0, 1, ...

    Entries end before the first that would be 2**32: what is above the last one in probability
    (less than 2**-33) counts as the largest k, which is the number of entries. A half is rounded
    up. The sum is done in decimals of 60 digits from the exact value of ``mean``, so that the
    table is the same on every machine, and every probability is right within 2**-32.

    Args:
        mean: per step, 0..10000.
    """
    exact = Decimal(mean)
    term = total = DIGITS.exp(exact.copy_negate())
    table: list[int] = []
    while (entry := int(DIGITS.add(DIGITS.multiply(total, 2**32), Decimal("0.5")))) <= WORD:
        table.append(entry)
        term = DIGITS.divide(DIGITS.multiply(term, exact), len(table))
        total = DIGITS.add(total, term)
    return tuple(table)


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
        whole = isinstance(self.seed, (int, np.integer)) and not isinstance(self.seed, bool)
        if not whole or not 0 <= self.seed <= WORD:
            faults.add(where, "seed", self.seed, "a whole number 0..2**32 - 1")
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
        blocks = -(-size // BLOCK)
        counters = np.arange(LANES * blocks, dtype=np.uint32)
        drawn = [threefry_array(counters, t, self.key(seed, sample)) for sample in samples]
        u = np.stack(drawn).reshape(len(samples), 4, blocks, LANES)
        u = u.transpose(0, 2, 1, 3).reshape(len(samples), -1)[:, :size]
        if self.table_of.ndim == 0:
            return _by_table(self.tables[0], u)
        out = np.empty(u.shape, np.int64)
        for number, table in enumerate(self.tables):
            mine = self.table_of == number
            out[:, mine] = _by_table(table, u[:, mine])
        return out

    def values(self, seed: int, samples: Sequence[int], t: int, size: int) -> IntArray:
        """Return what all neurons receive in one step, ``(len(samples), size)`` int64."""
        return np.asarray(self.counts(seed, samples, t, size) * self.weight, np.int64)


def _by_table(table: tuple[int, ...], u: Any) -> IntArray:
    found = np.searchsorted(np.array(table, np.uint32), u, side="right")
    return np.asarray(found, np.int64)


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
