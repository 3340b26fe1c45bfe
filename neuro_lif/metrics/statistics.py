"""Statistics of trains, and how far two distributions of them are apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import RangeError
from ..recording import Recording
from .trains import (
    CLOSE,
    inside,
    lists_of,
    positive,
    sampled_trains_of,
    train_of,
    window_of,
)


def isis(train: Any) -> FloatArray:
    """Return the intervals between the spikes of a train, s.

    Raises:
        RangeError: not a train.
    """
    return np.asarray(np.diff(train_of(train, "train")))


def cv(train: Any) -> float:
    """Return the standard deviation of the intervals over their mean; NaN below two intervals.

    Raises:
        RangeError: not a train.
    """
    intervals = isis(train)
    if intervals.size < 2 or not intervals.any():
        return float("nan")
    return float(intervals.std() / intervals.mean())


def lv(train: Any) -> float:
    """Return the local variation of the intervals; NaN below two intervals.

    Raises:
        RangeError: not a train.

    Source: Shinomoto, Shima & Tanji 2003, Neural Computation 15:2823:
    ``3/(n - 1) * sum ((I - J)/(I + J))**2`` over neighbouring intervals.
    """
    intervals = isis(train)
    sums = intervals[1:] + intervals[:-1]
    if intervals.size < 2 or not sums.all():
        return float("nan")
    return float(3.0 * np.mean((np.diff(intervals) / sums) ** 2))


def rates(trains: Any, t_start: float, t_stop: float) -> FloatArray:
    """Return the rate of each train of a list in a window, Hz.

    Raises:
        RangeError: not trains, a spike outside, or no window.
    """
    start, stop = window_of(t_start, t_stop)
    given = lists_of(trains, "trains")
    for i, train in enumerate(given):
        inside(train, start, stop, f"trains[{i}]")
    return np.array([t.size for t in given], np.float64) / (stop - start)


def binned(trains: Any, t_start: float, t_stop: float, width: float) -> FloatArray:
    """Return counts ``(n, bins)`` of each train; bins are open to the left, ``(t, t + width]``.

    So a spike of step k falls into the bin that this step ends, and one at ``t_start`` in the
    first. A last bin that is not whole is left out.

    Raises:
        RangeError: not trains, a spike outside, no window, or a width that leaves no bin.
    """
    start, stop = window_of(t_start, t_stop)
    size = positive(width, "width", "s")
    bins = int(np.floor((stop - start) / size * (1 + CLOSE)))
    if bins < 1:
        raise RangeError(f"width = {width}, allowed: at most the window of {stop - start} s")
    given = [inside(t, start, stop, f"trains[{i}]")
             for i, t in enumerate(lists_of(trains, "trains"))]  # fmt: skip
    out = np.zeros((len(given), bins))
    for row, train in zip(out, given, strict=True):
        place = np.ceil((train - start) / size - CLOSE * (1 + bins)).astype(np.int64) - 1
        row += np.bincount(np.maximum(place, 0), minlength=bins)[:bins]
    return out


def correlations(counts: Any) -> FloatArray:
    """Return Pearson's r of every pair of rows, ``(k,)`` in order of the upper triangle.

    Rows that never change (silent trains) have none and are left out.

    Args:
        counts: ``(n, bins)``.

    Raises:
        RangeError: not a matrix.
    """
    rows = np.asarray(counts, np.float64)
    if rows.ndim != 2:
        raise RangeError(f"counts of shape {rows.shape}, allowed: (trains, bins)")
    rows = rows[np.ptp(rows, axis=1) > 0] if rows.size else rows
    rows = rows - rows.mean(axis=1, keepdims=True) if rows.size else rows
    rows = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.asarray((rows @ rows.T)[np.triu_indices(len(rows), 1)])


def r_of(x: Any, y: Any) -> float:
    """Return Pearson's r of two rows (rates of the same neurons); NaN where one never changes.

    Raises:
        RangeError: rows of different length.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise RangeError(f"shapes {a.shape} and {b.shape}, allowed: two rows of one length")
    if a.size < 2 or not np.ptp(a) or not np.ptp(b):
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


@dataclass(frozen=True)
class Apart:
    """How far two samples of one quantity are apart.

    Args:
        ks: Kolmogorov-Smirnov distance, 0..1; NaN where a sample is empty.
        p: probability of such a distance by chance (independent values assumed).
        wasserstein: earth mover's distance, in the unit of the quantity.
        sizes: number of values of each.
    """

    ks: float
    p: float
    wasserstein: float
    sizes: tuple[int, int]


def apart(x: Any, y: Any) -> Apart:
    """Return how far the distributions of two samples are apart; NaNs are left out.

    Raises:
        RangeError: not rows of numbers.

    Source: scipy.stats.ks_2samp and wasserstein_distance.
    """
    from scipy.stats import ks_2samp, wasserstein_distance

    one, two = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if one.ndim != 1 or two.ndim != 1:
        raise RangeError(f"shapes {one.shape} and {two.shape}, allowed: two rows of numbers")
    one, two = one[~np.isnan(one)], two[~np.isnan(two)]
    if not one.size or not two.size:
        nan = float("nan")
        return Apart(nan, nan, nan, (one.size, two.size))
    # the exact p of large samples takes long and says no more
    large = max(one.size, two.size) > 1000
    with warnings.catch_warnings():  # where the exact p does not come out, scipy takes the other
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        test = ks_2samp(one, two, method="asymp" if large else "auto")
    distance = float(wasserstein_distance(one, two))
    return Apart(float(test.statistic), float(test.pvalue), distance, (one.size, two.size))


@dataclass(frozen=True)
class Activity:
    """How the activity of a population differs between two runs.

    Args:
        rate, cv, correlation: of the distributions over neurons (pairs of neurons): Hz, 1, 1.
        r: Pearson's r of the neurons' rates.
        mean_rates: Hz, of each run.
    """

    rate: Apart
    cv: Apart
    correlation: Apart
    r: float
    mean_rates: tuple[float, float]


def compare_activity(
    first: Recording, second: Recording, population: str, width: float = 5e-3, pairs: int = 200
) -> Activity:
    """Compare rates, CVs and pairwise correlations of a population in two runs.

    Where the runs have samples, every neuron of every sample is a value, and correlations are
    those within a sample. What they mean shows beside the same comparison of runs whose noise has
    other seeds: :func:`~neuro_lif.metrics.baseline`.

    Args:
        first, second: recordings of one network.
        population: which.
        width: of the bins whose counts are correlated, s.
        pairs: correlations are those among the first ``pairs`` neurons.

    Raises:
        RangeError: no such population, sizes differ, or a bin is longer than a run.
    """
    one, two = (activity_of(run, population, width, pairs) for run in (first, second))
    if one.rates.size != two.rates.size:
        raise RangeError(
            f"population {population!r}: {one.rates.size} and {two.rates.size} neurons, "
            "allowed: as many"
        )
    return one.beside(two)


@dataclass(frozen=True, eq=False)
class Firing:
    """What the neurons of one run did.

    Args:
        rates, cvs: of every neuron (of every sample), Hz and 1.
        correlations: of pairs of neurons.
    """

    rates: FloatArray
    cvs: FloatArray
    correlations: FloatArray

    def beside(self, other: Firing) -> Activity:
        """Return how two runs differ."""
        means = (float(self.rates.mean()), float(other.rates.mean()))
        return Activity(
            apart(self.rates, other.rates), apart(self.cvs, other.cvs),
            apart(self.correlations, other.correlations), r_of(self.rates, other.rates), means,
        )  # fmt: skip


def activity_of(run: Recording, population: str, width: float = 5e-3, pairs: int = 200) -> Firing:
    """Return rates, CVs and pairwise correlations of a population in one run.

    Args:
        run, population, width, pairs: as of :func:`compare_activity`.

    Raises:
        RangeError: no such population, or a bin is longer than the run.
    """
    samples, stop = sampled_trains_of(run, population), run.n_steps * run.dt
    every = [t for trains in samples for t in trains]
    tied = [correlations(binned(trains[:pairs], 0.0, stop, width)) for trains in samples]
    return Firing(rates(every, 0.0, stop), cvs(every), np.concatenate(tied))


def cvs(trains: Any) -> FloatArray:
    """Return :func:`cv` of every train of a list, all at once.

    Raises:
        RangeError: not trains.
    """
    given = lists_of(trains, "trains")
    sizes = np.array([t.size for t in given], np.int64)
    owner = np.repeat(np.arange(len(given)), np.maximum(sizes - 1, 0))
    steps = np.concatenate([np.diff(t) for t in given] or [np.zeros(0)])
    count = np.bincount(owner, minlength=len(given))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(owner, steps, len(given)) / count
        square = np.bincount(owner, (steps - mean[owner]) ** 2, len(given)) / count
        found = np.sqrt(square) / mean
    return np.asarray(np.where((count >= 2) & (mean > 0), found, np.nan))
