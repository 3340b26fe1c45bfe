"""Builds large random projections in little memory: counted pairs, narrow types, one seed.

The synapses of :func:`random_pairs` come row by row (by postsynaptic neuron), ``UNIT`` rows at a
time, each unit with a generator of its own. So the numbers depend on the seed and the arguments
alone, and besides the result there is never more in memory than one unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import Faults, RangeError, show
from .lazy import sparse

UNIT = 256
"""Rows that one generator draws."""

MOST = 2**31 - 1
"""Synapses of one matrix: scipy then counts them in 32 bits."""


@dataclass(frozen=True)
class Normal:
    """Whole numbers from a normal distribution: drawn, drawn again outside, then rounded.

    Args:
        mean, std: of the distribution before anything is left out.
        lo, hi: whole numbers; what would be rounded to less or more is drawn again, and after
            ``AGAIN`` times cut. They decide the type: int8 or uint8, int16 or uint16, else int32.

    Raises:
        RangeError: no finite numbers, or nothing between ``lo`` and ``hi``.
    """

    mean: float
    std: float
    lo: int
    hi: int

    def __post_init__(self) -> None:
        faults = Faults()
        for name in ("mean", "std"):
            value = getattr(self, name)
            number = isinstance(value, (int, float, np.integer, np.floating))
            if not number or not np.isfinite(value) or (name == "std" and value < 0):
                faults.add("normal", name, value, "a finite number" + ", >= 0" * (name == "std"))
        for name in ("lo", "hi"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not whole or not -(2**31) <= value < 2**31:
                faults.add("normal", name, value, "a whole number of 32 bits")
        faults.raise_if_any(RangeError)
        if not self.lo <= self.mean <= self.hi:
            raise RangeError(f"normal: mean = {show(self.mean)}, allowed: {self.lo}..{self.hi}, "
                             "lo to hi")  # fmt: skip

    @property
    def dtype(self) -> Any:
        """The narrowest type that holds ``lo..hi``."""
        for kind in (np.int8, np.uint8, np.int16, np.uint16):
            if np.iinfo(kind).min <= self.lo and self.hi <= np.iinfo(kind).max:
                return np.dtype(kind)
        return np.dtype(np.int32)

    def draw(self, rng: np.random.Generator, n: int) -> npt.NDArray[Any]:
        """Return ``n`` of them."""
        x = rng.standard_normal(n, np.float32)
        x *= np.float32(self.std)
        x += np.float32(self.mean)
        np.rint(x, out=x)
        for _ in range(AGAIN):
            outside = np.flatnonzero((x < self.lo) | (x > self.hi))
            if not outside.size:
                break
            again = rng.standard_normal(outside.size, np.float32)
            x[outside] = np.rint(again * np.float32(self.std) + np.float32(self.mean))
        return np.clip(x, self.lo, self.hi, out=x).astype(self.dtype)


AGAIN = 64


@dataclass(frozen=True, eq=False)
class Synapses:
    """What :func:`random_pairs` returns, read-only, for a :class:`neuro_lif.FixedProjection`.

    Args:
        weights: CSR ``(n_post, n_pre)``, columns in ascending order, pairs more than once.
        delays: one per stored weight, or one for all.
    """

    weights: Any
    delays: Any


def random_pairs(
    n_pre: int, n_post: int, n: int, weight: Normal | int, delay: Normal | int, seed: int
) -> Synapses:
    """Return ``n`` synapses between random neurons, each end drawn evenly and on its own.

    The same pair may come more than once, and a neuron may reach itself where both ends are the
    same population. Memory: about (4 + bytes of a weight + bytes of a delay) for each synapse.

    Args:
        n_pre, n_post: sizes, at least 1.
        n: synapses in all, 0..2**31 - 1.
        weight: of all, or its distribution; rounded to whole numbers.
        delay: steps, of all or its distribution.
        seed: 0 or above; another for every projection of a network.

    Raises:
        RangeError: naming the argument, its value and what is allowed.

    Source: T. C. Potjans, M. Diesmann, Cereb. Cortex 24:785 (2014), "random connectivity with
    fixed total number of synapses".
    """
    _check(n_pre=(n_pre, 1, MOST), n_post=(n_post, 1, MOST), n=(n, 0, MOST),
           seed=(seed, 0, 2**63 - 1))  # fmt: skip
    for name, value in (("weight", weight), ("delay", delay)):
        if not isinstance(value, Normal):
            _check(**{name: (value, -(2**31) if name == "weight" else 0, MOST)})
    counts = _rng(seed, 0).multinomial(n, np.full(n_post, 1.0 / n_post))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    pre = np.empty(n, np.int32)
    values, delays = (np.empty(n, _dtype(x)) for x in (weight, delay))
    for unit, first in enumerate(range(0, n_post, UNIT)):
        rng, last = _rng(seed, unit + 1), min(first + UNIT, n_post)
        part = slice(indptr[first], indptr[last])
        size = int(part.stop - part.start)
        pre[part] = _sources(rng, n_pre, counts[first:last])
        values[part] = _drawn(weight, rng, size)
        delays[part] = _drawn(delay, rng, size)
    matrix = sparse.csr_matrix((values, pre, indptr), shape=(n_post, n_pre))
    one_delay = np.asarray(delay) if not isinstance(delay, Normal) else delays
    for array in (values, pre, indptr, delays, matrix.data, matrix.indices, matrix.indptr):
        array.setflags(write=False)
    return Synapses(matrix, one_delay)


def _rng(seed: int, unit: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, unit))))


def _sources(rng: np.random.Generator, n_pre: int, counts: Any) -> Any:
    """Return presynaptic neurons row by row, ascending in each."""
    size, rows = int(counts.sum()), len(counts)
    wide: Any = np.int32 if rows * n_pre < 2**31 else np.int64
    first = np.repeat(np.arange(0, rows * n_pre, n_pre, dtype=wide), counts)
    drawn = rng.integers(0, n_pre, size, dtype=wide)
    drawn += first
    drawn.sort()
    drawn -= first
    return drawn


def _dtype(x: Normal | int) -> Any:
    return x.dtype if isinstance(x, Normal) else Normal(x, 0, min(x, 0), max(x, 0)).dtype


def _drawn(x: Normal | int, rng: np.random.Generator, n: int) -> Any:
    return x.draw(rng, n) if isinstance(x, Normal) else x


def _check(**given: tuple[Any, int, int]) -> None:
    faults = Faults()
    for name, (value, lo, hi) in given.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not lo <= value <= hi:
            faults.add("random_pairs", name, value, f"a whole number {lo}..{hi}")
    faults.raise_if_any(RangeError)
