"""Random numbers that are functions of integers: any block of a run can be drawn on its own.

A draw depends on a seed, the sample of a batch, the step and the channel, and on nothing that was
drawn before it. So blocks of any size, in any order, threads and splits of a batch give the same
numbers, on every version of numpy.

Source: threefry: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
easy as 1, 2, 3", SC 2011 (Threefry-4x32 with 20 rounds, Random123).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .errors import Faults

Words = npt.NDArray[np.uint32]

WORD = 2**32 - 1
PARITY = 0x1BD11BDA
"""Keeps the fifth word of the key from being 0; of Skein, as Random123 has it for 32 bits."""
ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
ROUNDS = 20

DIGITS = Context(prec=60)

LANES = 64
"""Neurons that take the same word of neighbouring counters."""
BLOCK = 4 * LANES

AT_ONCE = 2**14
"""Counters that are worked on together, so that they stay in a processor's cache."""

NORMALS = 1
"""Last word of the key of normal numbers; 0: those of Poisson counts."""


def check_seed(where: str, seed: Any, faults: Faults) -> None:
    """Note a fault unless ``seed`` is one word."""
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= WORD:
        faults.add(where, "seed", seed, "a whole number 0..2**32 - 1")


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


def threefry_array(counters: Words, step: int, key: Sequence[int]) -> Any:
    """Return :func:`threefry` of ``(counter, step, 0)`` for many counters, ``(4, n)`` uint32."""
    return threefry_block(counters, step, step + 1, key)[:, 0]


def threefry_block(counters: Words, first: int, last: int, key: Sequence[int]) -> Words:
    """Return :func:`threefry` of ``(counter, step, 0)`` for many counters and steps.

    Args:
        counters: ``(n,)``.
        first, last: steps ``first .. last - 1``, below 2**64.
        key: four words.

    Returns:
        ``(4, last - first, n)`` uint32.
    """
    out = np.empty((4, last - first, len(counters)), np.uint32)
    many = max(1, AT_ONCE // max(len(counters), 1))
    for start in range(first, last, many):
        steps = np.arange(start, min(start + many, last), dtype=np.uint64)
        part = out[:, start - first : start - first + len(steps)]
        part[...] = _scrambled(counters, steps, key)
    return out


def _scrambled(counters: Words, steps: npt.NDArray[np.uint64], key: Sequence[int]) -> Words:
    keys = [np.uint32(k) for k in (*key, PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3])]
    low, high = (steps & np.uint64(WORD)).astype(np.uint32), (steps >> np.uint64(32))
    x = np.empty((4, len(steps), len(counters)), np.uint32)
    x[0] = counters + keys[0]
    x[1] = (low + keys[1])[:, None]
    x[2] = (high.astype(np.uint32) + keys[2])[:, None]
    x[3] = keys[3]
    turned = np.empty_like(x[0])
    for d in range(ROUNDS):
        a, b = (1, 3) if d % 2 == 0 else (3, 1)
        for left, right, by in ((0, a, ROTATIONS[d % 8][0]), (2, b, ROTATIONS[d % 8][1])):
            x[left] += x[right]
            np.left_shift(x[right], np.uint32(by), out=turned)
            x[right] >>= np.uint32(32 - by)
            x[right] |= turned
            x[right] ^= x[left]
        if d % 4 == 3:
            s = d // 4 + 1
            for i in range(4):
                x[i] += keys[(s + i) % 5]
            x[3] += np.uint32(s)
    return x


# ------------------------------------------------------------------------- Poisson counts


def count_words(key: Sequence[int], first: int, last: int, size: int) -> Words:
    """Return the word that draws the count of each neuron, ``(last - first, size)``.

    Neuron ``i`` in step ``t`` takes word ``(i // 64) % 4`` of the counter
    ``(64 * (i // 256) + i % 64, t mod 2**32, t // 2**32, 0)``.
    """
    blocks = -(-size // BLOCK)
    counters = np.arange(LANES * blocks if size > LANES else size, dtype=np.uint32)
    words = threefry_block(counters, first, last, key)
    if size <= LANES:
        return np.asarray(words[0])
    parts = words.reshape(4, last - first, blocks, LANES).transpose(1, 2, 0, 3)
    return np.asarray(parts.reshape(last - first, -1)[:, :size])


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


def bernoulli_table(p: float) -> tuple[int, ...]:
    """Return the table of one event with probability ``p`` (within 2**-33), else none."""
    entry = round((1.0 - p) * 2**32)
    return (entry,) if entry <= WORD else ()


def by_table(table: Sequence[int], words: Words, dtype: Any = np.int64) -> npt.NDArray[Any]:
    """Return how many entries of an ascending table are <= each word."""
    if len(table) > 16:
        found = np.searchsorted(np.array(table, np.uint32), words, side="right")
        return np.asarray(found, dtype)
    out = np.zeros(words.shape, dtype)
    for entry in table:
        out += words >= np.uint32(entry)
    return out


# ------------------------------------------------------------------------- normal numbers


def normals(seed: int, sample: int, first: int, last: int, size: int) -> FloatArray:
    """Return standard normal numbers ``(last - first, size)``.

    Channel ``i`` of draw ``t`` takes the words ``w`` number ``2 (i % 2)`` and the next of
    ``threefry((i // 2, t mod 2**32, t // 2**32, 0), (seed, 0, sample, 1))``; it is the point below
    which a normal number lies with the probability ``(k + 1/2) / 2**52``,
    ``k = 2**20 w[0] + w[1] // 2**12``. So none is beyond 8.21 in magnitude.
    """
    # imported where it is used: it takes longer than all of this package
    from scipy.special import ndtri

    counters = np.arange(-(-size // 2), dtype=np.uint32)
    words = threefry_block(counters, first, last, (seed, 0, sample, NORMALS))
    out = np.empty((last - first, size))
    for half in (0, 1):
        k = (words[2 * half].astype(np.uint64) << np.uint64(20)) | (
            words[2 * half + 1] >> np.uint32(12)
        )
        out[:, half::2] = ndtri((k + 0.5) * 2.0**-52)[:, : out[:, half::2].shape[1]]
    return out


FARTHEST_NORMAL = 8.21
"""No number of :func:`normals` is larger in magnitude."""
