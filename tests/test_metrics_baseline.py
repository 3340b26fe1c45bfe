"""Samples of a batch, decisions of two runs, and the baseline of runs with other noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif import metrics
from neuro_lif.errors import RangeError
from neuro_lif.metrics.baseline import _ranks
from neuro_lif.rasters import Rasters, SpikeList
from neuro_lif.task import Task

DT = 1e-3
OPTIONS: dict[str, dict[str, float]] = {
    "victor_purpura": {"cost": 200.0}, "van_rossum": {"tau": 10e-3}, "isi_distance": {},
    "spike_distance": {}, "spike_synchronization": {}, "coincidence_factor": {"delta": 0.4e-3},
}  # fmt: skip


def run_of(raster: Any, name: str = "p") -> nl.Recording:
    spikes = np.asarray(raster)
    return nl.Recording(DT, spikes.shape[-2], {name: spikes})


def as_events(run: nl.Recording) -> nl.Recording:
    raster = np.asarray(run.spikes["p"])
    counts = raster.sum(axis=-1).astype(np.uint32)
    neuron = np.nonzero(raster)[-1].astype(np.uint32)
    events = SpikeList(raster.shape, raster.dtype, counts, neuron, None)
    return nl.Recording(run.dt, run.n_steps, Rasters({"p": events}))


def rasters(seed: int, batch: int = 3, n: int = 7, steps: int = 90, rate: float = 0.05) -> Any:
    return (np.random.default_rng(seed).random((batch, steps, n)) < rate).astype(np.int8)


# ------------------------------------------------------------------ samples


@pytest.mark.parametrize("metric", OPTIONS)
def test_samples_are_taken_one_by_one(metric: str) -> None:
    first, second = run_of(rasters(1)), as_events(run_of(rasters(2)))
    found = metrics.per_neuron(first, second, "p", metric, [0, 2], **OPTIONS[metric])
    assert found.values.shape == (2, 3, 7) and found.at_best.shape == (3, 7)
    for k in range(3):
        one = metrics.per_neuron(first.sample(k), second.sample(k), "p", metric, [0, 2],
                                 **OPTIONS[metric])  # fmt: skip
        assert np.array_equal(one.values, found.values[:, k], equal_nan=True)


def test_trains_and_counts_of_samples() -> None:
    run = run_of(rasters(4))
    for same in (run, as_events(run)):
        trains = metrics.sampled_trains_of(same, "p")
        for k in range(3):
            alone = metrics.trains_of(same.sample(k), "p")
            assert all(np.array_equal(a, b) for a, b in zip(trains[k], alone, strict=True))
        assert np.array_equal(metrics.counts_of(same, "p"), rasters(4).sum(axis=1))
    one = run.sample(1)
    assert np.array_equal(metrics.counts_of(one, "p"), rasters(4)[1].sum(axis=0))
    assert len(metrics.sampled_trains_of(one, "p")) == 1


def test_activity_of_samples_has_every_neuron_of_every_sample() -> None:
    a, b = run_of(rasters(5, rate=0.2)), run_of(rasters(6, rate=0.2))
    found = metrics.compare_activity(a, b, "p")
    assert found.rate.sizes == (21, 21) and found.correlation.sizes == (3 * 21, 3 * 21)
    wide = [np.concatenate([metrics.rates(metrics.trains_of(r.sample(k), "p"), 0, 90 * DT)
                            for k in range(3)]) for r in (a, b)]  # fmt: skip
    assert found.rate == metrics.apart(*wide)
    assert found.r == metrics.r_of(*wide)


@given(st.lists(st.lists(st.integers(0, 400), max_size=12, unique=True), max_size=6))
def test_cvs_are_the_cv_of_each_train(ticks: list[list[int]]) -> None:
    trains = [np.sort(np.array(t, float)) * DT for t in ticks]
    expected = [metrics.cv(t) for t in trains]
    assert np.allclose(metrics.cvs(trains), expected, rtol=1e-12, atol=0, equal_nan=True)


# ------------------------------------------------------------------ decisions


def a_task(labels: Any, steps: int = 90, out: int = 7) -> Task:
    return Task({"s": np.zeros((len(labels), steps, 2), np.int8)}, np.array(labels), "p")


def test_what_two_runs_decide() -> None:
    spikes = np.zeros((4, 10, 3), np.int8)
    spikes[0, :5, 0] = spikes[1, :5, 1] = spikes[2, :5, 2] = spikes[3, :5, 0] = 1
    other = spikes.copy()
    other[1] = 0
    other[1, :4, 2] = 1  # sample 1: class 2 rather than 1
    other[3] = 0
    other[3, :6, 1] = 1  # sample 3: class 1 rather than 0
    task = Task({"s": np.zeros((4, 10, 2), np.int8)}, np.array([0, 1, 2, 1]), "p")
    found = metrics.decisions(task, run_of(spikes), run_of(other))
    assert found.agreement == 0.5 and found.accuracies == (0.75, 0.75)
    assert found.changed.tolist() == [1, 3] and (found.mended, found.broken) == (1, 1)
    squares = 5**2 + 4**2 + 5**2 + 6**2
    assert found.count_rmse == pytest.approx(np.sqrt(squares / 12), rel=1e-15)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_laws_of_decisions(seed: int) -> None:
    a, b = run_of(rasters(seed, 5, 4, 20, 0.3)), run_of(rasters(seed + 1, 5, 4, 20, 0.3))
    task = a_task(np.random.default_rng(seed).integers(0, 4, 5), 20)
    one, two = metrics.decisions(task, a, b), metrics.decisions(task, b, a)
    assert one.agreement == two.agreement == pytest.approx(1 - len(one.changed) / 5)
    assert one.accuracies == two.accuracies[::-1] and one.count_rmse == two.count_rmse
    gained = (one.mended - one.broken) / 5
    assert one.accuracies[1] - one.accuracies[0] == pytest.approx(gained, abs=1e-12)
    same = metrics.decisions(task, a, a)
    assert same.agreement == 1 and same.count_rmse == 0 and not same.changed.size


# ------------------------------------------------------------------ the baseline


def noisy(n: int = 60, sigma: float = 5e-3, mu: float = 17e-3) -> nl.SteppedNetwork:
    cell = nl.LIF(20e-3, 1.0, v_rest=0.0, v_threshold=20e-3, v_reset=0.0, i_bias=mu)
    noise = nl.stimulus.GaussianNoise(0.0, sigma * np.sqrt(20e-3), seed=3, per="white")
    net = nl.Network([nl.Population("a", n, cell)], [], [nl.CurrentInput("i", "a", noise)])
    return nl.discretize(net, DT)


def test_its_pairs_are_the_metrics_of_its_runs() -> None:
    stepped = noisy(20)
    base = metrics.baseline(
        stepped, "a", 400, runs=4, metrics={"isi_distance": {}, "spike_synchronization": {}}
    )
    assert {x.shape for x in base.values.values()} == {(6,)}
    runs = nl.run_clocked(stepped, 400, batch=4)
    found = metrics.compare_activity(runs.sample(0), runs.sample(2), "a")  # pairs 01, 02 ...
    assert base.values["rate KS"][1] == found.rate.ks
    assert base.values["rates 1 - r"][1] == 1 - found.r
    assert base.values["correlation Wasserstein"][1] == found.correlation.wasserstein
    each = metrics.per_neuron(runs.sample(0), runs.sample(2), "a", "isi_distance").values
    assert base.values["isi_distance"][1] == each.mean()
    each = metrics.per_neuron(runs.sample(0), runs.sample(2), "a", "spike_synchronization").values
    assert base.values["spike_synchronization"][1] == pytest.approx(1 - each.mean(), abs=1e-15)
    assert "rate KS" in str(base) and "4 runs" in str(base)


def test_a_fine_chip_is_indistinguishable_and_a_coarse_one_is_not() -> None:
    stepped = noisy(80)
    base = metrics.baseline(stepped, "a", 900, runs=10)
    fine = nl.quantize(stepped, "loihi2")
    coarse = nl.quantize(stepped, nl.load_profile("generic", align_shift=0, threshold_bits=7))
    float_run = nl.run_clocked(stepped, 900)
    other = replace(stepped, network=noisy_again(stepped))
    alone = nl.run_clocked(other, 900)
    good = base.judge(alone, nl.run_fixed(fine, 900))
    assert good.indistinguishable and good.p_of_all > 0.05
    bad = base.judge(alone, nl.run_fixed(coarse, 900))
    assert not bad.indistinguishable and bad.p["rate KS"] <= 2 / 46
    paired = base.judge(float_run, nl.run_fixed(fine, 900))  # with the same noise: nearer still
    assert paired.values["van_rossum"] < base.values["van_rossum"].min()
    assert paired.p["van_rossum"] == 1 and "indistinguishable from" in str(paired)
    assert "farther than" in str(bad) and bad.farthest in bad.p


def noisy_again(stepped: nl.SteppedNetwork) -> nl.Network:
    (current,) = stepped.network.current_inputs
    stimulus: Any = current.stimulus
    again = replace(current, stimulus=replace(stimulus, seed=99))
    return nl.Network(stepped.network.populations, [], [again])


def test_the_verdict_is_right_as_often_as_its_level_says() -> None:
    """Pairs of runs that noise alone tells apart are called different about that often."""
    stepped, wrong, trials = noisy(30), 0, 40
    runs = nl.run_clocked(stepped, 300, batch=10 + 2 * trials)
    base = metrics.baseline_of([runs.sample(k) for k in range(10)], "a", {"isi_distance": {}})
    for k in range(trials):
        verdict = base.judge(runs.sample(10 + 2 * k), runs.sample(11 + 2 * k))
        wrong += not verdict.indistinguishable
    assert wrong <= 9  # 2 expected; the one baseline of dependent pairs makes it uneven


@given(st.lists(st.integers(0, 50), min_size=3, max_size=30), st.integers(0, 50))
def test_p_is_a_rank(base: list[int], value: int) -> None:
    x = np.array(base) / 7
    p, of_all, farthest = _ranks({"x": x, "none": np.full(x.shape, np.nan)},
                                 {"x": value / 7, "none": 1.0})  # fmt: skip
    as_far = sum(v >= value for v in base)
    assert p == {"x": pytest.approx((as_far + 1) / (len(base) + 1))} and farthest == "x"
    assert of_all == p["x"] or len(set(base) | {value}) == 1


def test_events_and_arrays_have_one_baseline() -> None:
    a = [run_of(r) for r in rasters(11, 5, 20, 400)]
    one = metrics.baseline_of(a, "p")
    two = metrics.baseline_of([as_events(r) for r in a], "p")
    assert all(np.array_equal(one.values[k], two.values[k], equal_nan=True) for k in one.values)


SILENT = [run_of(np.zeros((50, 3), int)) for _ in range(3)]
RUNS = [run_of(r) for r in rasters(12, 4, 10, 200)]

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: metrics.baseline(RUNS[0], "p", 10), "allowed: a SteppedNetwork or a FixedNetwork"),  # type: ignore[arg-type]
    (lambda: metrics.baseline(noisy(), "a", 100, runs=2), "runs = 2, allowed: a whole number >= 3"),
    (lambda: metrics.baseline(noisy(), "b", 100, runs=3), "population = 'b', allowed: a"),
    (lambda: metrics.baseline(noisy(sigma=0.0, mu=30e-3), "a", 200, runs=3), "are the same"),
    (lambda: metrics.baseline_of(RUNS[:2], "p"), "2 recordings, allowed: at least 3"),
    (lambda: metrics.baseline_of([*RUNS, SILENT[0]], "p"), "allowed: all alike"),
    (lambda: metrics.baseline_of(RUNS, "p", {"l2": {}}), "allowed: a name of victor_purpura"),
    (lambda: metrics.baseline_of([run_of(rasters(1))] * 3, "p"), "without; take one with .sample"),
    (lambda: metrics.baseline_of(RUNS, "p").judge(*RUNS[:2]), "a baseline of at least 7 runs"),
    (lambda: metrics.baseline_of(RUNS, "p").judge(*RUNS[:2], level=0.0), "level = 0.0, allowed"),
    (lambda: metrics.baseline_of(RUNS, "p").judge(*SILENT[:2], level=0.2), "a run of 50 steps"),
    (lambda: metrics.decisions("x", RUNS[0], RUNS[1]), "allowed: a Task"),  # type: ignore[arg-type]
    (lambda: metrics.count_rmse(RUNS[0], SILENT[0], "p"), "allowed: alike"),
    (lambda: metrics.counts_of(RUNS[0], "q"), "population = 'q', allowed: p"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), WRONG)
def test_wrong_input(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RangeError, match=text):
        call()
