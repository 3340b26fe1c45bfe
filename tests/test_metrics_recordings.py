"""Metrics between recordings: every neuron at several lags, activity, voltage and operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif import metrics
from neuro_lif.errors import RangeError
from neuro_lif.fixed import FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from neuro_lif.rasters import Rasters, SpikeList
from neuro_lif.reference.event_exact import run_exact

DT = 1e-3
OPTIONS: dict[str, dict[str, float]] = {
    "victor_purpura": {"cost": 200.0}, "van_rossum": {"tau": 10e-3}, "isi_distance": {},
    "spike_distance": {}, "spike_synchronization": {}, "coincidence_factor": {"delta": 0.4e-3},
}  # fmt: skip


def run_of(raster: Any, v: Any = None, lsb: Any = None, dt: float = DT) -> nl.Recording:
    spikes = np.asarray(raster)
    n = spikes.shape[-1]
    traces = {} if v is None else {("p", "v"): np.asarray(v)}
    scale = {} if lsb is None else {"p": np.broadcast_to(np.asarray(lsb, float), (n,))}
    return nl.Recording(dt, spikes.shape[-2], {"p": spikes}, traces, scale, {"p": np.zeros(n)})


def as_events(run: nl.Recording) -> nl.Recording:
    raster = np.asarray(run.spikes["p"])
    step, neuron = np.nonzero(raster)
    counts = np.bincount(step, minlength=len(raster)).astype(np.uint32)
    events = SpikeList(raster.shape, raster.dtype, counts, neuron.astype(np.uint32), None)
    return nl.Recording(run.dt, run.n_steps, Rasters({"p": events}))


def rasters(seed: int, n: int = 40, steps: int = 300) -> np.ndarray:
    return (np.random.default_rng(seed).random((steps, n)) < 0.03).astype(np.int8)


@pytest.mark.parametrize("metric", OPTIONS)
def test_every_neuron_is_the_metric_of_its_two_trains(metric: str) -> None:
    first, second = run_of(rasters(1)), as_events(run_of(rasters(2)))
    found = metrics.per_neuron(first, second, "p", metric, **OPTIONS[metric])
    assert isinstance(second.spikes, Rasters) and second.spikes.events("p") is not None
    one, two = metrics.trains_of(first, "p"), metrics.trains_of(second, "p")
    assert [len(t) for t in one] == rasters(1).sum(axis=0).tolist()
    function = getattr(metrics, metric)
    options = OPTIONS[metric]
    window = () if metric in ("victor_purpura", "van_rossum") else (0, 300 * DT)
    if metric == "coincidence_factor":
        expected = [
            function(a, b, options["delta"], *window) for a, b in zip(one, two, strict=True)
        ]
    else:
        expected = [function(a, b, *window, **options) for a, b in zip(one, two, strict=True)]
    assert np.allclose(found.values[0], expected, rtol=0, atol=1e-10)
    direct = metrics.distances(one, two, metric, 0, 300 * DT, **options)
    assert np.allclose(direct, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", OPTIONS)
@pytest.mark.parametrize("lag", [-2, 1, 3])
def test_a_run_that_is_only_late(metric: str, lag: int) -> None:
    raster = rasters(3)
    late = np.zeros_like(raster)
    if lag > 0:
        late[lag:] = raster[:-lag]
    else:
        late[:lag] = raster[-lag:]
    found = metrics.per_neuron(
        run_of(raster), run_of(late), "p", metric, range(-4, 5), **OPTIONS[metric]
    )
    best = 1.0 if found.more_is_nearer else 0.0
    assert found.best_lag == lag and found.values.shape == (9, 40)
    assert np.allclose(found.at_best, best, atol=1e-12)
    assert abs(found.values[4].mean() - best) > 0.01


def test_runs_of_different_length_and_bad_windows() -> None:
    first, second = run_of(rasters(3)), run_of(rasters(3)[:200])
    found = metrics.per_neuron(first, second, "p", "isi_distance")
    assert np.all(found.values == 0)
    nobody = run_of(np.zeros((5, 0), int))
    assert metrics.trains_of(nobody, "p") == []
    assert metrics.per_neuron(nobody, nobody, "p", "van_rossum", tau=1.0).values.shape == (1, 0)
    busy = run_of(np.ones((50, 1), int))
    found = metrics.per_neuron(busy, busy, "p", "coincidence_factor", [0, 1], delta=DT)
    assert np.all(np.isnan(found.values)) and found.best_lag == 0


def test_an_event_exact_run_against_its_raster() -> None:
    neuron = nl.LIF(10e-3, 1.0, 0.0, 15e-3, 0.0, i_bias=np.array([20e-3, 25e-3, 0.0]))
    exact = run_exact(nl.Network([nl.Population("p", 3, neuron)]), 0.1)
    one, two = metrics.trains_of(exact, "p"), metrics.trains_of(exact.rasters(DT), "p")
    assert [len(t) for t in one] == [7, 10, 0]
    cost = metrics.distances(one, two, "victor_purpura", 0, 0.1, cost=1.0)
    late = [np.abs(a - b).sum() for a, b in zip(one, two, strict=True)]
    assert np.allclose(cost, late, rtol=0, atol=1e-12) and 0 < late[0] < 7 * DT


def test_activity_of_two_runs() -> None:
    base, other = run_of(rasters(4, 200, 2000)), run_of(rasters(5, 200, 2000))
    same = metrics.compare_activity(base, base, "p")
    assert (same.rate.ks, same.cv.ks, same.correlation.wasserstein) == (0, 0, 0)
    assert same.r == pytest.approx(1.0)
    seeds = metrics.compare_activity(base, other, "p")
    assert seeds.rate.ks < 0.2 and abs(seeds.r) < 0.3 and seeds.rate.sizes == (200, 200)
    assert seeds.correlation.sizes == (19900, 19900)
    faster = run_of(np.maximum(rasters(4, 200, 2000), rasters(6, 200, 2000)))
    doubled = metrics.compare_activity(base, faster, "p")
    assert doubled.rate.ks > 0.95
    assert doubled.rate.wasserstein == pytest.approx(np.diff(doubled.mean_rates)[0], rel=1e-9)


# ------------------------------------------------------------------ voltage


def test_voltage_error_leaves_the_spikes_out() -> None:
    spikes = np.zeros((8, 2), int)
    spikes[3, 0] = 1
    late = np.zeros((8, 2), int)
    late[4, 0] = 1
    v = np.arange(16).reshape(8, 2)
    w = v.copy()
    w[0, 0] += 3  # counts
    w[2:6, 0] += 100  # a step beside a spike of either run
    w[:, 1] -= 1
    found = metrics.voltage_error(run_of(spikes, v, 0.5), run_of(late, w, 0.5), "p")
    assert found.compared.tolist() == [4, 8] and found.rms_lsb is not None
    assert found.rms_lsb.tolist() == pytest.approx([1.5, 1.0])
    assert found.max_volts.tolist() == [1.5, 0.5]
    assert found.rms_in_lsb == pytest.approx(np.sqrt((9 + 8) / 12))
    assert found.rms == pytest.approx(0.5 * np.sqrt(17 / 12))
    all_of_it = metrics.voltage_error(run_of(spikes, v, 0.5), run_of(late, w, 0.5), "p", around=0)
    assert all_of_it.compared.tolist() == [6, 8] and all_of_it.max_volts[0] == 50.0


def test_voltage_error_of_float_and_integers() -> None:
    v = np.arange(12.0).reshape(6, 2)
    none = np.zeros((6, 2), int)
    integer = run_of(none, np.arange(12).reshape(6, 2), [2.0, 1.0])
    found = metrics.voltage_error(run_of(none, v), integer, "p")
    assert found.max_lsb is not None and found.max_lsb.tolist() == [5.0, 0.0]
    assert metrics.voltage_error(run_of(none, v), run_of(none, v), "p").rms_in_lsb is None
    shifted = metrics.voltage_error(run_of(none, v), run_of(none, v + 2), "p", shift=-1)
    assert shifted.rms == 0.0 and shifted.n_steps == 5
    ones = np.ones((6, 2), int)
    nothing = metrics.voltage_error(run_of(ones, v), run_of(none, v), "p")
    assert np.isnan(nothing.rms) and np.isnan(nothing.max_volts).all()


@given(st.integers(0, 2**31), st.integers(0, 9))
def test_what_is_left_out(seed: int, around: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.random((2, 7, 3)) < 0.2 for _ in "ab")
    free = np.ones((2, 7, 3), bool)
    for k, t, n in np.argwhere(a | b):
        free[k, max(t - around, 0) : t + around + 1, n] = False
    v = np.zeros((2, 7, 3))
    first, second = (run_of(s.astype(int), v) for s in (a, b))
    found = metrics.voltage_error(first, second, "p", around=around)
    assert found.compared.tolist() == free.sum(axis=(0, 1)).tolist()


# ------------------------------------------------------------------ operations


def chip_run() -> tuple[FixedNetwork, nl.Recording]:
    rng = np.random.default_rng(1)
    weights = rng.integers(-3, 4, (5, 4)) * 40
    recurrent = rng.integers(-1, 2, (5, 5)) * 60
    fixed = FixedNetwork(
        nl.load_profile("loihi2"),
        (FixedPopulation("p", 5, params={"vth": 2, "dv": 400, "du": 4095}),),
        (FixedProjection("in", "s", "p", weights), FixedProjection("rec", "p", "p", recurrent)),
        (FixedSource("s", 4),),
    )
    raster = (rng.random((60, 4)) < 0.3).astype(np.int64)
    return fixed, nl.run_fixed(fixed, inputs={"s": raster}, record_inputs=True)


def test_sparsity_and_operations_one_by_one() -> None:
    fixed, run = chip_run()
    sent = {"s": np.asarray(run.inputs["s"]), "p": np.asarray(run.spikes["p"])}
    assert sent["p"].sum() > 20
    adds = dense = zeros = 0
    for projection in fixed.projections:
        weights = np.asarray(fixed.effective_weights(projection))
        zeros += (weights == 0).sum()
        dense += 60 * weights.size
        adds += sum((weights[:, j] != 0).sum() for _, j in np.argwhere(sent[projection.pre]))
    found = metrics.synaptic_operations(fixed, run)
    assert (found.effective_acs, found.effective_macs, found.dense) == (adds, 0, dense)
    assert metrics.connection_sparsity(fixed) == pytest.approx(zeros / 45)
    assert metrics.activation_sparsity(run) == pytest.approx(1 - sent["p"].mean())


# ------------------------------------------------------------------ wrong input

FEW = run_of(np.zeros((5, 2), int), np.zeros((5, 2)))
MORE = run_of(np.zeros((5, 3), int), np.zeros((5, 3)))
FINE = run_of(np.zeros((5, 2), int), np.zeros((5, 2)), dt=1e-4)
BATCH = run_of(np.zeros((2, 5, 2), int))

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: metrics.per_neuron(FEW, MORE, "p", "isi_distance"), "sizes differ"),
    (lambda: metrics.per_neuron(FEW, FINE, "p", "isi_distance"), "allowed: the same step"),
    (lambda: metrics.per_neuron(FEW, FEW, "q", "isi_distance"), "population = 'q', allowed: p"),
    (lambda: metrics.per_neuron(FEW, FEW, "p", "l2"), "metric = 'l2', allowed: victor_purpura"),
    (lambda: metrics.per_neuron(FEW, FEW, "p", "isi_distance", [5]), "whole steps, fewer than 5"),
    (lambda: metrics.per_neuron(FEW, FEW, "p", "isi_distance", [0.5]), "allowed: whole steps"),
    (lambda: metrics.per_neuron(FEW, FEW, "p", "victor_purpura"), "victor_purpura wants cost"),
    (lambda: metrics.per_neuron(BATCH, FEW, "p", "isi_distance"), "2 and 0 samples, allowed"),
    (lambda: metrics.trains_of("x.npz", "p"), "Recording.load"),
    (lambda: metrics.per_neuron(FEW, "x.npz", "p", "isi_distance"), "Recording.load"),
    (lambda: metrics.compare_activity(FEW, MORE, "p"), "2 and 3 neurons"),
    (lambda: metrics.voltage_error(FEW, MORE, "p"), "allowed: like"),
    (lambda: metrics.voltage_error(FEW, FINE, "p"), "allowed: the same step"),
    (lambda: metrics.voltage_error(FEW, FEW, "p", around=-1), "around = -1, allowed"),
    (lambda: metrics.voltage_error(FEW, FEW, "p", shift=9), "shift = 9, allowed"),
    (lambda: metrics.voltage_error(FEW, BATCH, "p"), "p.v was not recorded"),
    (lambda: metrics.synaptic_operations(chip_run()[0], FEW), "'s' is not in the recording"),
    (lambda: metrics.connection_sparsity(FEW), "connection_sparsity wants a FixedNetwork"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), WRONG)
def test_wrong_input(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RangeError, match=text):
        call()
