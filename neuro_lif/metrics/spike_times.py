"""Distances of two trains over a window: ISI, SPIKE, SPIKE-synchronisation and coincidences.

Edges as in PySpike: the interval before the first spike is the longer of its distance from the
edge and the first interval, and so at the end; a train without spikes has one at each edge for the
two distances (not for the synchronisation).

Source: Kreuz et al. 2007, J. Neurosci. Methods 165:151 (ISI); Kreuz et al. 2013, J. Neurophysiol.
109:1457 (SPIKE); Kreuz et al. 2015, J. Neurophysiol. 113:3432 (synchronisation); edges: Mulansky &
Kreuz 2016, SoftwareX 5:183. Jolivet et al. 2008, J. Neurosci. Methods 169:417 (coincidences).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import RangeError
from .trains import CLOSE, pair_of, positive


@dataclass(frozen=True)
class _Side:
    """A train with spikes: knots are its spikes and one auxiliary spike beyond each end.

    Interval k is between knots k and k + 1.
    """

    times: FloatArray
    knots: FloatArray
    intervals: FloatArray


def _side(train: FloatArray, start: float, stop: float) -> _Side:
    times = train if train.size else np.array([start, stop])
    before, after = times[0] - start, stop - times[-1]
    if times.size > 1:
        before = max(before, times[1] - times[0])
        after = max(after, times[-1] - times[-2])
    knots = np.concatenate([[times[0] - before], times, [times[-1] + after]])
    return _Side(times, knots, np.diff(knots))


def _cuts(a: _Side, b: _Side, start: float, stop: float) -> Any:
    """Return the times at which either profile changes, the edges among them."""
    return np.unique(np.concatenate([[start], a.times, b.times, [stop]]))


def _interval_at(side: _Side, left: FloatArray) -> Any:
    """Return which interval lies to the right of each time."""
    return np.searchsorted(side.times, left, side="right")


def isi_distance(a: Any, b: Any, t_start: float, t_stop: float) -> float:
    """Return the ISI-distance: the mean over time of ``abs(i - j)/max(i, j)``, in 0..1.

    Args:
        a, b: ``(n,)`` and ``(m,)`` distinct times in s, rising, within the window.
        t_start, t_stop: the window, s.

    Raises:
        RangeError: not such trains, or no window.
    """
    return isi_of(*pair_of(a, b, t_start, t_stop))


def isi_of(a: FloatArray, b: FloatArray, start: float, stop: float) -> float:
    """Return :func:`isi_distance` of checked trains."""
    one, two = _side(a, start, stop), _side(b, start, stop)
    cuts = _cuts(one, two, start, stop)
    i, j = (side.intervals[_interval_at(side, cuts[:-1])] for side in (one, two))
    return float(np.sum(np.abs(i - j) / np.maximum(i, j) * np.diff(cuts)) / (stop - start))


def spike_distance(a: Any, b: Any, t_start: float, t_stop: float) -> float:
    """Return the SPIKE-distance, in 0..1: how far the spikes around each moment are apart.

    Args:
        a, b: ``(n,)`` and ``(m,)`` distinct times in s, rising, within the window.
        t_start, t_stop: the window, s.

    Raises:
        RangeError: not such trains, or no window.
    """
    return spike_of(*pair_of(a, b, t_start, t_stop))


def spike_of(a: FloatArray, b: FloatArray, start: float, stop: float) -> float:
    """Return :func:`spike_distance` of checked trains."""
    one, two = _side(a, start, stop), _side(b, start, stop)
    cuts = _cuts(one, two, start, stop)
    i, j = (side.intervals[_interval_at(side, cuts[:-1])] for side in (one, two))
    x, y = _differences(one, two, cuts, start, stop), _differences(two, one, cuts, start, stop)
    # linear between the cuts, so the mean of both ends is the mean of the piece
    pieces = (x[:-1] + x[1:]) * j + (y[:-1] + y[1:]) * i
    return float(np.sum(pieces / (i + j) ** 2 * np.diff(cuts)) / (stop - start))


def _differences(side: _Side, other: _Side, cuts: FloatArray, start: float, stop: float) -> Any:
    """Return the distance to the nearest spike of the other train, linear between spikes."""
    values = _nearest(side.times, other)
    if side.times.size == 1 and side.times[0] == start:  # its one interval ends at the edge
        times = np.array([start, stop])
        return np.interp(cuts, times, _nearest(times, other))
    return np.interp(cuts, side.times, values)


def _nearest(times: FloatArray, other: _Side) -> FloatArray:
    knots = other.knots
    right = np.clip(np.searchsorted(knots, times), 1, knots.size - 1)
    distance = np.minimum(np.abs(times - knots[right - 1]), np.abs(knots[right] - times))
    return np.asarray(distance)


def spike_synchronization(
    a: Any, b: Any, t_start: float, t_stop: float, max_tau: float | None = None
) -> float:
    """Return SPIKE-synchronisation: the share of spikes that have a partner, in 0..1.

    Two spikes are partners where they are nearer than half of each of the intervals beside them
    (and than half the window). 1 where neither train has spikes.

    Args:
        a, b: ``(n,)`` and ``(m,)`` distinct times in s, rising, within the window.
        t_start, t_stop: the window, s.
        max_tau: s, partners are nearer than this; None: no such limit.

    Raises:
        RangeError: not such trains, no window, or a limit not above 0.
    """
    most = np.inf if max_tau is None else positive(max_tau, "max_tau", "s")
    return sync_of(*pair_of(a, b, t_start, t_stop), most)


def sync_of(a: FloatArray, b: FloatArray, start: float, stop: float, most: float = np.inf) -> float:
    """Return :func:`spike_synchronization` of checked trains."""
    if not a.size or not b.size:
        return 0.0 if a.size or b.size else 1.0
    reach = min((stop - start) / 2, most)
    near = [np.full(t.size, reach) for t in (a, b)]
    for limit, train in zip(near, (a, b), strict=True):
        half = np.diff(train) / 2
        limit[:-1] = np.minimum(limit[:-1], half)
        limit[1:] = np.minimum(limit[1:], half)
    right = np.searchsorted(b, a)
    partners = np.zeros(a.size, bool)
    for j, there in ((right - 1, right > 0), (right, right < b.size)):
        j = np.clip(j, 0, b.size - 1)
        limit = np.minimum(near[0], near[1][j])
        slack = np.finfo(float).eps * 4 * np.maximum(np.abs(a), np.abs(b[j]))
        partners |= there & (np.abs(a - b[j]) < limit * (1 - CLOSE) - slack)
    return 2.0 * int(partners.sum()) / (a.size + b.size)


def coincidence_factor(a: Any, b: Any, delta: float, t_start: float, t_stop: float) -> float:
    """Return the coincidence factor Gamma: 1 for equal trains, 0 on average for chance.

    ``(N - 2 nu delta |A|) / (|A| + |B|) * 2 / (1 - 2 nu delta)`` with ``nu = |B| / T``. Each spike
    has at most one partner, at most ``delta`` away; N is the largest number of such pairs. 1 where
    neither train has spikes, 0 where one has none.

    Args:
        a, b: ``(n,)`` and ``(m,)`` distinct times in s, rising, within the window.
        delta: s, > 0.
        t_start, t_stop: the window, s.

    Raises:
        RangeError: not such trains, no window, or ``2 nu delta >= 1``: every spike would coincide.
    """
    x, y, start, stop = pair_of(a, b, t_start, t_stop)
    value = gamma_of(x, y, start, stop, positive(delta, "delta", "s"))
    if np.isnan(value):
        most = (stop - start) / (2 * y.size)
        raise RangeError(f"delta = {delta}, allowed: below {most:.6g} s for {y.size} spikes of b")
    return value


def gamma_of(a: FloatArray, b: FloatArray, start: float, stop: float, delta: float) -> float:
    """Return :func:`coincidence_factor` of checked trains; NaN where there is none."""
    if not a.size or not b.size:
        return 0.0 if a.size or b.size else 1.0
    chance = 2 * b.size / (stop - start) * delta
    if chance >= 1 - CLOSE:
        return float("nan")
    expected = chance * a.size
    return float((_matches(a, b, delta) - expected) * 2 / (a.size + b.size) / (1 - chance))


def _matches(a: FloatArray, b: FloatArray, delta: float) -> int:
    """Return the most pairs no farther apart than ``delta``: the earliest two free spikes first."""
    edge = max(abs(a[0]), abs(a[-1]), abs(b[0]), abs(b[-1]))
    reach = delta * (1 + CLOSE) + 4 * np.finfo(float).eps * edge
    one, two = a.tolist(), b.tolist()
    i = j = found = 0
    while i < len(one) and j < len(two):
        gap = one[i] - two[j]
        if abs(gap) <= reach:
            found, i, j = found + 1, i + 1, j + 1
        elif gap < 0:
            i += 1
        else:
            j += 1
    return found
