"""Metrics of spike trains: golden values, laws that hold for all trains, and wrong inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro_lif import metrics
from neuro_lif.errors import RangeError

MS = 1e-3
A = np.array([10, 20, 30, 40]) * MS
B = np.array([12, 21, 35]) * MS
NONE = np.empty(0)
T = (0.0, 50 * MS)
CLOSE = 1e-10


def near(value: float, golden: float) -> bool:
    return abs(value - golden) <= CLOSE


@pytest.mark.parametrize(("cost", "golden"), [(0.02, 1.16), (0.1, 1.8), (1.0, 6.0)])
def test_victor_purpura(cost: float, golden: float) -> None:
    assert near(metrics.victor_purpura(A, B, cost / MS), golden)


@pytest.mark.parametrize(
    ("tau", "golden"), [(1, 2.4425781159), (10, 1.3200223474), (100, 1.0074761881)]
)
def test_van_rossum(tau: float, golden: float) -> None:
    assert near(metrics.van_rossum(A, B, tau * MS), golden)


def test_the_other_norm_of_van_rossum() -> None:
    assert near(metrics.van_rossum(A, B, 10 * MS, norm="half"), 0.9333967532)
    assert near(metrics.van_rossum([0.1], NONE, 10 * MS, norm="half"), np.sqrt(0.5))
    assert metrics.van_rossum([0.1], NONE, 10 * MS) == 1.0


def test_windowed_distances() -> None:
    assert near(metrics.isi_distance(A, B, *T), 0.238)
    assert near(metrics.spike_distance(A, B, *T), 0.2722343385)
    assert near(metrics.spike_synchronization(A, B, *T), 4 / 7)


@pytest.mark.parametrize(("delta", "golden"), [(2, 0.3909774436), (3, 0.25), (5, 0.4285714286)])
def test_coincidences(delta: float, golden: float) -> None:
    assert near(metrics.coincidence_factor(A, B, delta * MS, *T), golden)
    assert near(metrics.coincidence_factor(A, A, delta * MS, *T), 1.0)


def test_empty_trains() -> None:
    assert metrics.victor_purpura(A, NONE, 100.0) == metrics.victor_purpura(NONE, A, 100.0) == 4.0
    assert near(metrics.isi_distance(A, NONE, *T), 0.8)
    assert near(metrics.spike_distance(A, NONE, *T), 0.3888888888888889)
    assert metrics.spike_synchronization(A, NONE, *T) == 0.0
    assert metrics.coincidence_factor(A, NONE, MS, *T) == 0.0
    assert metrics.coincidence_factor(NONE, A, MS, *T) == 0.0
    for distance in (metrics.isi_distance, metrics.spike_distance):
        assert distance(NONE, NONE, *T) == 0.0
    assert metrics.spike_synchronization(NONE, NONE, *T) == 1.0
    assert metrics.coincidence_factor(NONE, NONE, MS, *T) == 1.0
    assert metrics.victor_purpura(NONE, NONE, 1.0) == metrics.van_rossum(NONE, NONE, 1.0) == 0.0


def test_a_shift_and_its_lag() -> None:
    later = A + MS
    assert near(metrics.victor_purpura(A, later, 1 / MS), 4.0)
    assert near(metrics.van_rossum(A, later, 10 * MS), 0.8560344582)
    lags = np.arange(-3, 4) * MS
    cost = partial(metrics.victor_purpura, cost=1 / MS)
    lag, value = metrics.best_lag(cost, A, later, lags)
    assert near(lag, MS) and near(value, 0.0)
    lag, value = metrics.best_lag(metrics.spike_distance, A, later, lags, window=T)
    assert near(lag, MS) and near(value, 0.0)
    gamma = lambda a, b, *t: metrics.coincidence_factor(a, b, 0.2 * MS, *t)  # noqa: E731
    lag, value = metrics.best_lag(gamma, A, later, lags, window=T, more_is_nearer=True)
    assert near(lag, MS) and near(value, 1.0)


def test_of_equal_lags_the_smallest_is_best() -> None:
    cost = partial(metrics.victor_purpura, cost=1 / MS)
    assert metrics.best_lag(cost, NONE, NONE, [3 * MS, -2 * MS, MS, 0.0]) == (0.0, 0.0)


def test_statistics_of_one_train() -> None:
    train = np.cumsum([7, 10, 15, 20, 5]) * MS
    assert near(metrics.cv(train), 0.4472135955)
    assert near(metrics.lv(train), 0.4204081633)
    assert np.allclose(metrics.isis(train), np.array([10, 15, 20, 5]) * MS)
    assert near(metrics.cv(A), 0.0) and near(metrics.lv(A), 0.0)
    for short in (NONE, [0.1], [0.1, 0.2]):
        assert np.isnan(metrics.cv(short)) and np.isnan(metrics.lv(short))


# ------------------------------------------------------------------ brute force


def cheapest(a: Any, b: Any, cost: float) -> float:
    """The table of Victor and Purpura, cell by cell."""
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in product(range(len(a)), range(len(b))):
        moved = table[i, j] + cost * abs(a[i] - b[j])
        table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, moved)
    return float(table[-1, -1])


def kernels(a: Any, b: Any, tau: float) -> float:
    def total(x: Any, y: Any) -> float:
        return float(np.exp(-np.abs(np.subtract.outer(x, y)) / tau).sum())

    return total(a, a) + total(b, b) - 2 * total(a, b)


def most_pairs(a: Any, b: Any, delta: float) -> int:
    """The largest set of pairs in order, from the table of all."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, j in product(range(len(a)), range(len(b))):
        pair = table[i, j] + (abs(a[i] - b[j]) <= delta)
        table[i + 1, j + 1] = max(pair, table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


TICK = 2.0**-10
"""s; a sum of such times is exact."""
ticks = st.sets(st.integers(0, 1024), max_size=12)
trains = ticks.map(lambda found: np.array(sorted(found)) * TICK)
costs = st.sampled_from([0.0, 0.5, 3.0, 20.0, 300.0])
taus = st.sampled_from([1e-3, 2e-2, 0.3, 10.0])
WINDOW = (0.0, 1.0)


@given(trains, trains, costs, taus)
def test_the_definitions(a: Any, b: Any, cost: float, tau: float) -> None:
    assert near(metrics.victor_purpura(a, b, cost), cheapest(a, b, cost))
    assert abs(metrics.van_rossum(a, b, tau) ** 2 - kernels(a, b, tau)) <= 1e-11
    delta = 8 * TICK
    found = most_pairs(a, b, delta)
    chance = 2 * len(b) * delta
    if len(a) and len(b) and chance < 1:
        gamma = 2 * (found - chance * len(a)) / (len(a) + len(b)) / (1 - chance)
        assert near(metrics.coincidence_factor(a, b, delta, *WINDOW), gamma)


@given(st.lists(st.tuples(trains, trains), max_size=6), costs, taus)
def test_many_pairs_at_once(pairs: Any, cost: float, tau: float) -> None:
    one, two = [p[0] for p in pairs], [p[1] for p in pairs]
    together = metrics.victor_purpura_all(one, two, cost)
    assert np.allclose(together, [cheapest(a, b, cost) for a, b in pairs], rtol=0, atol=1e-10)
    squares = metrics.van_rossum_all(one, two, tau) ** 2
    assert np.allclose(squares, [kernels(a, b, tau) for a, b in pairs], rtol=0, atol=1e-11)


def test_a_table_larger_than_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    one, two = ([np.sort(rng.uniform(0, 1, k)) for k in rng.integers(0, 30, 40)] for _ in "ab")
    whole = metrics.victor_purpura_all(one, two, 20.0)
    monkeypatch.setattr("neuro_lif.metrics.spike_cost._CELLS", 50)
    assert np.array_equal(metrics.victor_purpura_all(one, two, 20.0), whole)


@given(trains, trains, trains, costs, taus)
def test_they_are_metrics(a: Any, b: Any, c: Any, cost: float, tau: float) -> None:
    vp, vr = partial(metrics.victor_purpura, cost=cost), partial(metrics.van_rossum, tau=tau)
    for distance in (vp, vr):
        assert distance(a, a) == 0.0
        assert near(distance(a, b), distance(b, a))
        assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-10
    if cost > 0 and a.tolist() != b.tolist():
        assert vp(a, b) > 1e-6 and vr(a, b) > 1e-6


def windowed(a: Any, b: Any, start: float, stop: float) -> list[float]:
    return [
        metrics.isi_distance(a, b, start, stop),
        metrics.spike_distance(a, b, start, stop),
        metrics.spike_synchronization(a, b, start, stop),
    ]


@given(trains, trains)
def test_bounds_symmetry_identity(a: Any, b: Any) -> None:
    found = windowed(a, b, *WINDOW)
    assert all(0 <= value <= 1 for value in found)
    assert np.allclose(found, windowed(b, a, *WINDOW), rtol=0, atol=CLOSE)
    assert windowed(a, a, *WINDOW) == [0.0, 0.0, 1.0]


@given(trains, trains, costs, taus, st.integers(-4096, 4096), st.sampled_from([0.125, 0.5, 8.0]))
def test_shift_and_scale_of_time(
    a: Any, b: Any, cost: float, tau: float, shift: int, scale: float
) -> None:
    t = shift * TICK
    moved = [metrics.victor_purpura(a + t, b + t, cost), metrics.van_rossum(a + t, b + t, tau)]
    still = [metrics.victor_purpura(a, b, cost), metrics.van_rossum(a, b, tau)]
    scaled = [metrics.victor_purpura(a * scale, b * scale, cost / scale),
              metrics.van_rossum(a * scale, b * scale, tau * scale)]  # fmt: skip
    assert np.allclose(moved, still, rtol=0, atol=CLOSE)
    assert np.allclose(scaled, still, rtol=0, atol=CLOSE)
    still = windowed(a, b, *WINDOW)
    assert np.allclose(windowed(a + t, b + t, t, 1 + t), still, rtol=0, atol=CLOSE)
    assert np.allclose(windowed(a * scale, b * scale, 0, scale), still, rtol=0, atol=CLOSE)


@given(trains, trains, st.integers(1, 64))
def test_partners_by_their_definition(a: Any, b: Any, most: int) -> None:
    def half(train: Any, i: int) -> float:
        beside = [abs(train[i] - train[k]) for k in (i - 1, i + 1) if 0 <= k < len(train)]
        return min([1.0, *beside]) / 2

    pairs = product(range(len(a)), range(len(b)))
    tau = most * TICK
    found = sum(abs(a[i] - b[j]) < min(half(a, i), half(b, j), tau) for i, j in pairs)
    total = len(a) + len(b)
    value = metrics.spike_synchronization(a, b, *WINDOW, max_tau=tau)
    assert near(value, 2 * found / total if total else 1.0)


def test_ties_on_a_grid_are_ties() -> None:
    """0.035 - 0.03 is above 0.005 in float64; half an interval is not below half an interval."""
    for n in range(1, 400):
        a, b = [n * 1e-3], [(n + 5) * 1e-3]
        assert metrics.coincidence_factor(a, b, 5e-3, 0, 1) > 0.9
        a = [n * 1e-3, (n + 2) * 1e-3]
        assert metrics.spike_synchronization(a, [(n + 1) * 1e-3], 0, 1) == 0.0


# ------------------------------------------------------------------ statistics


def test_counts_and_correlations() -> None:
    counts = metrics.binned([[0.0, 1e-3, 5e-3, 6e-3], [10e-3], []], 0, 12e-3, 5e-3)
    assert counts.tolist() == [[3, 1], [0, 1], [0, 0]]
    rows = np.array([[1, 2, 3.0], [2, 4, 6], [3, 2, 1], [5, 5, 5]])
    assert np.allclose(metrics.correlations(rows), [1, -1, -1])
    assert metrics.correlations(np.zeros((2, 4))).shape == (0,)


@given(st.integers(1, 2000), st.integers(1, 40))
def test_a_step_belongs_to_the_bin_that_it_ends(step: int, per_bin: int) -> None:
    counts = metrics.binned([[step * 1e-4]], 0, 3000 * 1e-4, per_bin * 1e-4)
    place = (step - 1) // per_bin
    assert counts.sum() == 1 if place < counts.shape[1] else counts.sum() == 0
    assert place >= counts.shape[1] or counts[0, place] == 1


def test_how_far_distributions_are_apart() -> None:
    found = metrics.apart([1.0, 2, 3, 4, np.nan], [2.0, 3, 4, 5])
    assert near(found.ks, 0.25) and near(found.wasserstein, 1.0) and found.sizes == (4, 4)
    assert np.isnan(metrics.apart([np.nan], [1.0]).ks)
    rng = np.random.default_rng(0)
    same = metrics.apart(rng.normal(size=3000), rng.normal(size=3000))
    assert same.ks < 0.05 and same.p > 1e-3


def test_r() -> None:
    assert near(metrics.r_of([1, 2, 3], [2, 4, 6]), 1.0)
    assert np.isnan(metrics.r_of([1, 1, 1], [1, 2, 3]))
    assert metrics.rates([A, NONE], *T).tolist() == pytest.approx([80, 0])


# ------------------------------------------------------------------ wrong input

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: metrics.victor_purpura([2, 1], B, 1), r"a = \[2, 1\], allowed: .*rising"),
    (lambda: metrics.victor_purpura(A, [np.nan], 1), r"b = \[nan\], allowed: finite"),
    (lambda: metrics.victor_purpura(A, [[1.0]], 1), "b = .* allowed: one row"),
    (lambda: metrics.victor_purpura(A, "x", 1), "b = 'x', allowed: one row"),
    (lambda: metrics.victor_purpura(A, B, -1), "cost = -1, allowed: a number >= 0 1/s"),
    (lambda: metrics.victor_purpura(A, B, np.inf), "cost = inf, allowed"),
    (lambda: metrics.van_rossum(A, B, 0), "tau = 0, allowed: a number > 0 s"),
    (lambda: metrics.van_rossum(A, B, 1, norm="l2"), "norm = 'l2', allowed: elephant or half"),
    (lambda: metrics.van_rossum_all([A], [], 1), "1 and 0 trains, allowed: as many"),
    (lambda: metrics.van_rossum_all(3, [], 1), "first = 3, allowed: a list of trains"),
    (lambda: metrics.isi_distance(A, B, 0, 0), "t_stop = 0, allowed: a time after"),
    (lambda: metrics.isi_distance(A, B, 0, np.nan), "t_stop = nan, allowed: a finite"),
    (lambda: metrics.spike_distance(A, B, 0, 0.03), "a: a spike at 0.04 s, allowed: 0.0..0.03 s"),
    (lambda: metrics.spike_distance(A, [0.01, 0.01], *T), "b: two spikes at one time"),
    (lambda: metrics.coincidence_factor(A, B, 0.02, *T), "delta = 0.02, allowed: below 0.0083333"),
    (lambda: metrics.coincidence_factor(A, B, 0.0, *T), "delta = 0.0, allowed"),
    (lambda: metrics.spike_synchronization(A, B, *T, max_tau=0), "max_tau = 0, allowed"),
    (lambda: metrics.best_lag(metrics.victor_purpura, A, B, []), r"lags = \[\], allowed"),
    (lambda: metrics.best_lag(metrics.isi_distance, A, B, [1.0], window=T), "lag = 1.0 s, allowed"),
    (lambda: metrics.binned([A], 0, 0.05, 0.06), "width = 0.06, allowed: at most"),
    (lambda: metrics.r_of([1, 2], [1]), "allowed: two rows"),
    (lambda: metrics.correlations([1, 2]), "allowed: .trains, bins."),
    (lambda: metrics.apart([[1]], [1]), "allowed: two rows"),
    (lambda: metrics.distances([A], [B], "l2", *T), "metric = 'l2', allowed: victor_purpura"),
    (lambda: metrics.distances([A], [], "isi_distance", *T), "1 and 0 trains"),
    (lambda: metrics.distances([A], [B], "van_rossum", *T), "van_rossum wants tau"),
    (lambda: metrics.distances([A], [B], "isi_distance", *T, q=1), "option 'q', allowed: none"),
]


@pytest.mark.parametrize(("call", "text"), WRONG)
def test_wrong_input(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RangeError, match=text):
        call()
