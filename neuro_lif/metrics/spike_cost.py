"""Victor-Purpura and van Rossum: distances that need no window, for many pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import RangeError, show
from .trains import lists_of, positive, train_of

NORMS = {"elephant": 1.0, "half": 0.5}
"""Norm -> the square of the distance of one spike from none."""
_CELLS = 1 << 20


def victor_purpura(a: Any, b: Any, cost: float) -> float:
    """Return the Victor-Purpura distance: the least cost of making one train of the other.

    A spike is added or removed for 1 and moved for ``cost`` per s. From an empty train it is the
    number of spikes.

    Args:
        a, b: ``(n,)`` and ``(m,)`` times in s, rising.
        cost: 1/s, >= 0; 0 compares the numbers of spikes.

    Raises:
        RangeError: not trains, or a cost below 0.

    Source: Victor & Purpura 1996, J. Neurophysiol. 76:1310 (D^spike[q]).
    """
    return float(victor_purpura_all([train_of(a, "a")], [train_of(b, "b")], cost)[0])


def victor_purpura_all(first: Any, second: Any, cost: float) -> FloatArray:
    """Return the Victor-Purpura distance of each pair of trains, ``(n,)``.

    The table is filled row by row for all pairs at once; the chain of additions within a row is a
    running minimum of ``value - column``. O(n m) for each pair.

    Args:
        first, second: lists of trains, s.
        cost: 1/s, >= 0.

    Raises:
        RangeError: as :func:`victor_purpura`, or lists of different length.
    """
    q = positive(cost, "cost", "1/s", zero=True)
    one, two = _pairs(first, second)
    out = np.empty(len(one))
    order = np.argsort([x.size * y.size for x, y in zip(one, two, strict=True)], kind="stable")
    start = 0
    while start < len(one):
        stop, widest = start, 0
        while stop < len(one):  # pairs of like size, so that little of the table is padding
            widest = max(widest, two[order[stop]].size + 1)
            if stop > start and widest * (stop + 1 - start) > _CELLS:
                break
            stop += 1
        part = order[start:stop]
        out[part] = _table([one[k] for k in part], [two[k] for k in part], q)
        start = stop
    return out


def _table(one: Sequence[FloatArray], two: Sequence[FloatArray], q: float) -> FloatArray:
    n, m = (np.array([t.size for t in side]) for side in (one, two))
    rows, columns = _padded(one), _padded(two)
    pairs = np.arange(len(one))
    # row[j] is the cost less j: adding a spike of the second train is then free
    row = np.zeros((len(one), columns.shape[1] + 1))
    out = np.where(n == 0, m, 0.0)
    for i in range(rows.shape[1]):
        moved = q * np.abs(columns - rows[:, i : i + 1])
        new = row + 1.0
        np.minimum(new[:, 1:], row[:, :-1] + (moved - 1.0), out=new[:, 1:])
        row = np.minimum.accumulate(new, axis=1)
        done = n == i + 1
        out[done] = (row[pairs, m] + m)[done]
    return out


def _padded(trains: Sequence[FloatArray]) -> FloatArray:
    """Return the trains as rows; what is behind a train's end is never read out."""
    out = np.zeros((len(trains), max(t.size for t in trains)))
    for row, train in zip(out, trains, strict=True):
        row[: train.size] = train
    return out


def van_rossum(a: Any, b: Any, tau: float, norm: str = "elephant") -> float:
    """Return the van Rossum distance: that of the trains seen through ``exp(-t/tau)``.

    Args:
        a, b: ``(n,)`` and ``(m,)`` times in s, rising.
        tau: s, > 0.
        norm: ``elephant``: ``D**2 = 2/tau * integral of (f - g)**2``, one spike is 1 from none;
            ``half``: the original ``1/tau * integral``, one spike is 1/sqrt(2) from none.

    Raises:
        RangeError: not trains, a time constant not above 0, or an unknown norm.

    Source: van Rossum 2001, Neural Computation 13:751; the norm ``elephant`` is that of the
    package elephant (and of Houghton & Kreuz 2012, Network 23:48, without the factor 1/2).
    """
    return float(van_rossum_all([train_of(a, "a")], [train_of(b, "b")], tau, norm)[0])


def van_rossum_all(first: Any, second: Any, tau: float, norm: str = "elephant") -> FloatArray:
    """Return the van Rossum distance of each pair of trains, ``(n,)``.

    Between two spikes the difference of the filtered trains decays, so the integral is a sum of
    its squares at the spikes: nothing cancels, and equal trains have 0. The recursion over spikes
    runs for all pairs at once, in ``log2`` of the longest train many passes.

    Args:
        first, second: lists of trains, s.
        tau, norm: as in :func:`van_rossum`.

    Raises:
        RangeError: as :func:`van_rossum`, or lists of different length.
    """
    scale = positive(tau, "tau", "s")
    if not isinstance(norm, str) or norm not in NORMS:
        raise RangeError(f"norm = {show(norm)}, allowed: {' or '.join(NORMS)}")
    one, two = _pairs(first, second)
    n = len(one)
    times = np.concatenate([*one, *two, np.empty(0)])
    counts = [t.size for t in (*one, *two)]
    pair = np.repeat(np.tile(np.arange(n), 2), counts)
    sign = np.repeat(np.repeat([1.0, -1.0], n), counts)
    if not times.size:
        return np.zeros(n)
    order = np.lexsort((times, pair))
    times, pair, sign = times[order], pair[order], sign[order]
    new = np.ones(times.size, bool)
    new[1:] = (np.diff(times) > 0) | (np.diff(pair) > 0)
    starts = np.flatnonzero(new)
    times, pair, weight = times[starts], pair[starts], np.add.reduceat(sign, starts)
    gaps = np.full(times.size, np.inf)  # to the next spike of the pair
    gaps[:-1][np.diff(pair) == 0] = np.diff(times)[np.diff(pair) == 0] / scale
    height = _decayed(weight, np.exp(-gaps), int(np.bincount(pair).max()))
    squares = np.bincount(pair, height**2 * -np.expm1(-2.0 * gaps), minlength=n)
    return np.asarray(np.sqrt(NORMS[norm] * squares))


def _decayed(weight: FloatArray, decay: FloatArray, longest: int) -> FloatArray:
    """Return ``h[k] = decay[k-1] h[k-1] + weight[k]`` by doubling; a decay of 0 ends a pair."""
    height, factor = weight.copy(), np.concatenate([[0.0], decay[:-1]])
    step = 1
    while step < longest:
        height[step:] = height[step:] + factor[step:] * height[:-step]
        factor[step:] = factor[step:] * factor[:-step]
        factor[:step] = 0.0
        step *= 2
    return height


def _pairs(first: Any, second: Any) -> tuple[list[FloatArray], list[FloatArray]]:
    one, two = lists_of(first, "first"), lists_of(second, "second")
    if len(one) != len(two):
        raise RangeError(f"{len(one)} and {len(two)} trains, allowed: as many in both lists")
    return one, two
