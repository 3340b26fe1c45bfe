"""The error formulas F1 to F7, each held against the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

import neuro_lif as nl
from neuro_lif import predict
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.formats import round_shift
from neuro_lif.reference.theory import d_nu_d_mu, d_nu_d_sigma, siegert
from neuro_lif.reference.theory.residual import SPANS, kept_factor

# ------------------------------------------------------------------ what one rounding does


def kept(op: Any, x: int, d: int) -> int:
    """A decay as the living definition has it."""
    k, off, rounding = op["k"], op["offset"], op["round"]
    if op["kind"] == "mult_keep":
        return round_shift(x * (2**k - off - d), k, rounding)
    if op["kind"] == "mult_step":
        return x - round_shift(x * (d + off), k, rounding)
    return round_shift(x * d, k, rounding)


@pytest.mark.parametrize("rounding", sorted(set(SPANS) - {"stochastic"}))
@pytest.mark.parametrize("kind", ["mult_keep", "mult_step", "mult_by"])
def test_residuals_are_those_of_every_value(kind: str, rounding: str) -> None:
    k, unit = 6, 64
    for d in (0, 1, 5, 8, 24, 32, 63):
        op = {"kind": kind, "k": k, "offset": int(kind == "mult_keep" and d % 2), "round": rounding}
        m = float(kept_factor(op, d))
        found = predict.residual_of(op, np.array([d]))
        for row, values in ((0, range(-20 * unit, 0)), (1, range(1, 20 * unit + 1))):
            r = np.array([kept(op, x, d) - x * m / unit for x in values])
            assert found.low[row, 0] <= r.min() and r.max() <= found.high[row, 0]
            if rounding != "floor_then_raz":  # the others reach both ends, or 0
                assert {found.low[row, 0], found.high[row, 0]} == {r.min(), r.max()}
            if m % unit == 0:
                assert not r.any() and found.low[row, 0] == found.high[row, 0] == 0
            assert found.mean[row, 0] == pytest.approx(r.mean(), abs=1e-12)
            if rounding != "floor_then_raz":  # which leaves a gap: its spread is a little larger
                assert found.variance[0] == pytest.approx(r.var(), abs=1e-12)


def test_stochastic_rounding_has_no_mean_and_twice_the_variance() -> None:
    op = {"kind": "mult_keep", "k": 12, "offset": 0, "round": "rtz"}
    found = predict.residual_of(op, np.array([41, 4096, 2048]), "stochastic")
    assert not found.mean.any()
    assert found.variance == pytest.approx([1 / 6, 0, 1 / 8], rel=1e-6)
    with pytest.raises(LoweringError, match="kind = 'linear'"):
        kept_factor({"kind": "linear"}, 1)


# ------------------------------------------------------------------ F1


@pytest.mark.parametrize(
    ("steps", "most", "error"),
    [(10, 0.0012, 0.0006), (100, 0.012, 0.006), (1000, 0.12, 0.023)],
)
def test_f1_decay_codes(steps: int, most: float, error: float) -> None:
    delta = -np.expm1(-1 / steps)
    coded = np.rint(4096 * delta) / 4096
    assert predict.most_relative_error(delta, 12) == pytest.approx(most, rel=0.08)
    found = float(predict.relative_error(delta, coded))
    assert abs(found) == pytest.approx(error, rel=0.1)
    assert abs(found) <= float(predict.most_relative_error(delta, 12))
    assert predict.tau_effective(delta, 1e-3) == pytest.approx(steps * 1e-3, rel=1e-12)
    raw = float(predict.steady_state_error(delta, coded))
    assert raw == pytest.approx(delta / coded - 1)
    assert predict.steady_state_error(delta, coded, compensated=True) == 0


def spike_steps(recording: nl.Recording) -> Any:
    return np.flatnonzero(np.asarray(recording.spikes["a"])[:, 0]) + 1


def driven(tau_steps: float, n: int = 1, current: float = 20.0, **more: Any) -> nl.SteppedNetwork:
    """Orhan's neuron (threshold 15 mV, RI = 20 mV) in steps of 1 ms."""
    neuron = nl.LIF(tau_steps * 1e-3, 1e6, v_rest=0.0, v_threshold=15e-3, v_reset=0.0,
                    i_bias=current * 1e-9, **more)  # fmt: skip
    return nl.discretize(nl.Network([nl.Population("a", n, neuron)]), 1e-3)


@pytest.mark.parametrize("tau", [10, 20, 50, 100, 200, 500, 1000])
def test_f1_periods_are_those_of_the_emulator(tau: int) -> None:
    stepped = driven(tau)
    seen = {}
    for compensate in (False, True):
        fixed = nl.quantize(stepped, "loihi2", gain_compensation=compensate)
        found = predict.errors_of(fixed, stepped, "a").periods
        measured = int(spike_steps(nl.run_fixed(fixed, 5 * tau))[0])
        expected = found.compensated if compensate else found.raw
        seen[compensate] = (measured, float(expected[0]), float(found.truncated[0]))
        assert abs(measured - expected[0]) <= (1 if tau >= 500 else 0)  # the bias is rounded, too
        assert measured == found.truncated[0]
    reference = int(spike_steps(nl.run_clocked(stepped, 5 * tau))[0])
    assert float(found.meant[0]) == reference
    if tau == 200:
        assert (reference, seen[False][0], seen[True][0]) == (278, 271, 284)


def test_f1_period_at_the_edge() -> None:
    silent = predict.period_steps(15.0, 1.5, 0.1, strict=True)  # converges to the threshold
    assert np.isinf(silent) and np.isinf(predict.period_steps(15.0, 1.5, 0.1))
    assert predict.period_steps(15.0, 5.0, 0.0) == 3 and predict.period_steps(
        15.0, 5.0, 0.0, strict=True) == 4  # fmt: skip
    assert np.isinf(predict.period_steps(15.0, -1.0, 0.0))
    assert predict.period_steps(1.0, 2.0, 1.0, held=5) == 6


# ------------------------------------------------------------------ F2 and F3


def free_run(du: int | None, dv: int, rounding: str, raster: Any, bias: Any = 0) -> Any:
    """Return v of neurons that never fire, beside what it is without rounding the state."""
    n = raster.shape[1]
    profile = nl.load_profile("generic", align_shift=0, state_bits=40, threshold_bits=30,
                              bias_bits=30, rounding=rounding)  # fmt: skip
    params = {"du": 4096 if du is None else du, "dv": dv, "vth": 2**30 - 1, "bias_mant": bias}
    population = nl.FixedPopulation("a", n, "lif", params)
    fixed = nl.FixedNetwork(profile, (population,), directs=(nl.DirectInput("i", "a"),),
                            probes=(nl.Probe("a", "v"),))  # fmt: skip
    v = nl.run_fixed(fixed, inputs={"i": raster}).trace("a", "v").astype(np.float64)
    u = raster.astype(np.float64)
    if du is not None:
        u = lfilter([1.0], [1.0, -(1 - du / 4096)], u, axis=0)
    return v, lfilter([1.0], [1.0, -(1 - dv / 4096)], u + bias, axis=0)


def rounding_of(dv: int, rounding: str, k: int = 12) -> predict.Residual:
    op = {"kind": "mult_keep", "k": k, "offset": 0, "round": rounding}
    return predict.residual_of(op, np.array([dv]))


@pytest.mark.parametrize(("dv", "rounding", "golden"), [
    (410, "rtz", -9.5), (41, "rtz", -99.4), (4, "rtz", -1023), (41, "floor", -99.4),
    (410, "nearest_up", None), (41, "nearest_up", None), (4, "nearest_up", None),
])  # fmt: skip
def test_f2_constant_drive(dv: int, rounding: str, golden: float | None) -> None:
    rng, n = np.random.default_rng(dv), 600
    bias, delta = rng.integers(2000, 8000, n), dv / 4096
    v, _ = free_run(None, dv, rounding, np.zeros((int(16 / delta), n), np.int64), bias)
    off = v[-1] - bias / delta
    r = rounding_of(dv, rounding)
    predicted = float(predict.settled_shift(0.0, r.low[1], 1.0, delta)[0])
    se = off.std() / np.sqrt(n)
    assert off.mean() == pytest.approx(predicted, abs=4 * se + 0.02)
    if golden is not None:
        assert predicted == pytest.approx(golden, abs=0.06)
    else:  # to the nearest: -1/(2 delta), and half an LSB
        assert predicted == pytest.approx(-1 / (2 * delta) + 0.5, abs=1.0)


def noise(rng: np.random.Generator, steps: int, n: int, mean: float, sd: float) -> Any:
    return np.rint(rng.normal(mean, sd, (steps, n))).astype(np.int64)


NOISY = {
    ("rtz", 410): (-5.0, 0.669), ("rtz", 41): (-50.0, 2.045), ("floor", 41): (-50.0, 2.045),
    ("nearest_up", 410): (0.0, 0.662), ("nearest_up", 41): (0.0, 2.045),
}  # fmt: skip


@pytest.mark.parametrize(("rounding", "dv"), NOISY)
def test_f2_f3_fluctuating_drive(rounding: str, dv: int) -> None:
    delta, r = dv / 4096, rounding_of(dv, rounding)
    steps, n = int(60 / delta), 400
    raster = noise(np.random.default_rng(dv), steps, n, 3000.0, 700.0)
    v, exact = free_run(None, dv, rounding, raster)
    late = (v - exact)[int(12 / delta) :]
    mean, sd = NOISY[rounding, dv]
    shift = float(predict.mean_shift(0.0, r.mean_at(1.0), 1.0, delta)[0])
    assert shift == pytest.approx(mean, rel=0.005, abs=0.02)
    se = late.mean(axis=0).std() / np.sqrt(n)
    assert late.mean() == pytest.approx(shift, abs=4 * se)
    predicted = float(predict.state_sd(0.0, r.variance, 1.0, delta)[0])
    assert predicted == pytest.approx(sd, rel=0.012)
    assert late.std() == pytest.approx(predicted, rel=0.02)


def test_f2_negative_values_and_stochastic_rounding() -> None:
    dv, delta = 205, 205 / 4096
    r = rounding_of(dv, "rtz")
    raster = noise(np.random.default_rng(1), 1500, 300, -2000.0, 500.0)
    v, exact = free_run(None, dv, "rtz", raster)
    off = (v - exact)[300:].mean()
    assert off == pytest.approx(float(r.mean_at(-1.0)[0]) / delta, rel=0.01)
    assert r.mean_at(0.0) == 0
    # stochastic rounding is in no profile: here it is done by hand
    rng, state = np.random.default_rng(2), np.zeros((2, 400))
    total, squares, count = 0.0, 0.0, 0
    s = predict.residual_of({"kind": "mult_keep", "k": 12, "offset": 0, "round": "rtz"},
                            np.array([410]), "stochastic")  # fmt: skip
    for t in range(1500):
        new = np.rint(rng.normal(3000, 700, 400))
        p = state[0] * (1 - 410 / 4096)
        state[0] = np.floor(p) + (rng.random(400) < p - np.floor(p)) + new
        state[1] = state[1] * (1 - 410 / 4096) + new
        if t > 150:
            off = state[0] - state[1]
            total, squares, count = total + off.sum(), squares + (off**2).sum(), count + off.size
    assert total / count == pytest.approx(0.0, abs=0.02)
    predicted = float(predict.state_sd(0.0, s.variance, 1.0, 410 / 4096)[0])
    assert predicted == pytest.approx(0.936, rel=0.002)
    assert np.sqrt(squares / count) == pytest.approx(predicted, rel=0.02)


@pytest.mark.parametrize(("du", "dv", "golden"), [(410, 41, -549.0), (820, 205, -59.9)])
def test_f2_two_registers(du: int, dv: int, golden: float) -> None:
    delta_u, delta_v = du / 4096, dv / 4096
    ru, rv = rounding_of(du, "rtz"), rounding_of(dv, "rtz")
    shift = float(predict.mean_shift(ru.mean_at(1.0), rv.mean_at(1.0), delta_u, delta_v)[0])
    assert shift == pytest.approx(golden, rel=0.003)
    steps, n = int(40 / delta_v), 300
    raster = noise(np.random.default_rng(du), steps, n, 500.0, 200.0)
    v, exact = free_run(du, dv, "rtz", raster)
    late = (v - exact)[int(12 / delta_v) :]
    assert late.mean() == pytest.approx(shift, rel=0.01)
    sd = float(predict.state_sd(ru.variance, rv.variance, delta_u, delta_v)[0])
    assert late.std() == pytest.approx(sd, rel=0.03)
    add = int(predict.compensator(ru.mean[1], rv.mean[1], delta_u)[0])
    assert add == round(0.5 * (1 + 1 / delta_u))
    v, exact = free_run(du, dv, "rtz", raster, add)
    mended = (v - exact + add / delta_v)[int(12 / delta_v) :].mean()
    assert abs(mended) < 0.1 * abs(golden)
    needed = float(predict.threshold_needed(shift, 0.005))
    if (du, dv) == (410, 41):
        assert needed == pytest.approx(1.1e5, rel=0.01)


@pytest.mark.parametrize(("dv", "stuck"), [(410, 4), (41, 49), (4, 512)])
def test_f2_dead_zone_of_the_nearest(dv: int, stuck: int) -> None:
    r = rounding_of(dv, "nearest_up")
    below, above = predict.dead_zone(r.low[0], r.high[1], dv / 4096)
    assert float(above[0]) == stuck
    start = np.arange(-1100, 1101)
    profile = nl.load_profile("generic", rounding="nearest_up")
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation(
        "a", start.size, "lif", {"dv": dv, "du": 4096, "vth": 100000}, {"v": start}),),
        probes=(nl.Probe("a", "v"),))  # fmt: skip
    after = nl.run_fixed(fixed, 1).trace("a", "v")[0]
    same = start[after == start]
    assert same.max() == stuck
    assert -float(below[0]) <= same.min() <= -float(below[0]) + 1  # halves go up: toward 0 here


@pytest.mark.parametrize(("dv", "steps"), [(410, 71), (41, 516), (4, 2974)])
def test_f2_truncation_lets_silent_neurons_reach_zero(dv: int, steps: int) -> None:
    r = rounding_of(dv, "rtz")
    assert predict.dead_zone(r.low[0], r.high[1], dv / 4096) == (0, 0)
    profile = nl.load_profile("generic")
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation(
        "a", 1, "lif", {"dv": dv, "du": 4096, "vth": 100000}, {"v": 10000}),),
        probes=(nl.Probe("a", "v"),))  # fmt: skip
    v = nl.run_fixed(fixed, 3000).trace("a", "v")[:, 0]
    assert np.flatnonzero(v == 0)[0] + 1 == steps


# ------------------------------------------------------------------ F4


def weighted(rounding: str, n: int, k: int, rng: np.random.Generator) -> Any:
    """K = 100 delta synapses; the integers' step is a tenth of the mean weight."""
    w = rng.normal(10.0, 2.0, (n, k))  # in steps of the weight
    net = nl.Network(
        [nl.Population("a", n, nl.LIF(0.1, 1.0, v_rest=0.0, v_threshold=1e3, v_reset=0.0))],
        [nl.Projection("x", "s", "a", w * 1e-3, nl.Delta(), 1e-3)], [nl.SpikeInput("s", k)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3, "euler")
    coded = np.rint(w) if rounding == "nearest" else np.floor(w)
    delta = 41 / 4096
    profile = nl.load_profile("generic", align_shift=0, state_bits=40, threshold_bits=30)
    params = {"du": 4096, "dv": 41, "vth": 2**30 - 1}
    fixed = nl.FixedNetwork(
        profile, (nl.FixedPopulation("a", n, "lif", params, lsb=1e-3 / 256),),
        (nl.FixedProjection("x", "s", "a", coded.astype(np.int64), 8, "excitatory"),),
        (nl.FixedSource("s", k),), dt=1e-3, probes=(nl.Probe("a", "v"),))  # fmt: skip
    return fixed, stepped, delta


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_f4_weights(rounding: str) -> None:
    rng, n, k, rate, steps = np.random.default_rng(7), 300, 100, 0.0041, 40000
    fixed, stepped, delta = weighted(rounding, n, k, rng)
    raster = (rng.random((steps, k)) < rate).astype(np.int64)
    v = nl.run_fixed(fixed, inputs={"s": raster}).volts("a")[2000:].mean(axis=0)
    w = np.asarray(stepped.projections[0].weights)
    # the float neuron with the same decay: the mean of a linear filter is that of its input
    exact = lfilter([1.0], [1.0, -(1 - delta)], raster @ w.T, axis=0)[2000:].mean(axis=0)
    taken = float(predict.mean_shift(0.0, rounding_of(41, "rtz").mean_at(1.0), 1.0, delta)[0])
    measured = v - exact - taken * 1e-3 / 256
    errors = predict.errors_of(fixed, stepped, "a", None).weights[0]
    assert errors.synapses == pytest.approx(k) and errors.step == pytest.approx(1e-3)
    off = fixed_weights(fixed) - w
    per_neuron = off.sum(axis=1) * raster[2000:].mean() / delta
    assert np.corrcoef(per_neuron, measured)[0, 1] > 0.9
    mean = float(predict.mean_shift_of_weights(1e-3, k, rate, delta, rounding))
    sd = float(predict.sd_of_weights(1e-3, k, rate, delta, rounding))
    assert mean == pytest.approx(-20.5e-3 if rounding == "floor" else 0.0, rel=0.002)
    assert sd == pytest.approx(1.18e-3, rel=0.01)
    assert measured.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(n) + 0.02 * abs(mean))
    assert measured.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * n) + 0.1)


def fixed_weights(fixed: nl.FixedNetwork) -> Any:
    p = fixed.projections[0]
    return np.asarray(fixed.effective_weights(p)) * 2.0**p.exponent * float(
        np.asarray(fixed.populations[0].lsb)[0])  # fmt: skip


def test_f4_variance_of_the_input() -> None:
    rng, k, rate = np.random.default_rng(3), 400, 0.02
    w = rng.normal(10.0, 3.0, k)
    counts = rng.random((50000, k)) < rate
    for name, coded in (("nearest", np.rint(w)), ("stochastic", np.floor(w) + (
            rng.random(k) < w - np.floor(w)))):  # fmt: skip
        added = rate * float((coded**2 - w**2).sum() - 2 * (w * (coded - w)).sum())
        model = float(predict.variance_of_weights(1.0, k, rate, name))
        assert added == pytest.approx(model, rel=0.25)  # 400 errors: their own spread
        measured = (counts @ (coded - w)).var()
        assert measured == pytest.approx(added * (1 - rate), rel=0.05)


# ------------------------------------------------------------------ F5, F6, F7


def test_f5_period_slope_and_lattice() -> None:
    tau, drive = 0.01, 0.020
    slope = float(predict.period_slope(tau, drive - 0.015))
    exact = [tau * np.log(drive / (drive - theta)) for theta in (0.0149999, 0.0150001)]
    assert slope == pytest.approx((exact[1] - exact[0]) / 2e-7, rel=1e-6) == 2.0
    assert np.isinf(predict.period_slope(tau, -0.001))
    assert predict.lattice_threshold(100, True) == 100.5
    assert predict.lattice_threshold(100, False) == 99.5


def test_f5_a_coarse_threshold_moves_the_period_as_predicted() -> None:
    """Thresholds in steps of 4096 LSB: the period changes by slope * error."""
    profile = nl.load_profile("generic", threshold_bits=6, align_shift=12, state_bits=40,
                              decay_bits=16)  # fmt: skip
    rng, n = np.random.default_rng(5), 40
    neuron = nl.LIF(2.0, 1e6, v_rest=0.0, v_threshold=rng.uniform(12e-3, 15e-3, n), v_reset=0.0,
                    i_bias=20e-9)  # fmt: skip
    stepped = nl.discretize(nl.Network([nl.Population("a", n, neuron)]), 1e-3)
    fixed = nl.quantize(stepped, profile)
    e = predict.errors_of(fixed, stepped, "a")
    predicted = e.threshold.volts * e.threshold.period_slope
    first = [np.argmax(np.asarray(r.spikes["a"]) != 0, axis=0) * 1e-3 for r in (
        nl.run_clocked(stepped, 4000), nl.run_fixed(fixed, 4000))]  # fmt: skip
    measured = first[1] - first[0]
    others = (e.periods.truncated - e.periods.meant) * 1e-3
    assert np.abs(predicted).max() > 0.04
    assert measured == pytest.approx(others, abs=2.1e-3)  # threshold, decay, bias and truncation
    left = measured - predicted  # what is not the threshold's is alike for all
    assert left.std() < 0.15 * predicted.std()


def test_f6_whole_steps_add_half_a_step() -> None:
    rng, n = np.random.default_rng(11), 2000
    drive = rng.uniform(17.0, 40.0, n)
    neuron = nl.LIF(10e-3, 1e6, v_rest=0.0, v_threshold=15e-3, v_reset=0.0, i_bias=drive * 1e-9)
    stepped = nl.discretize(nl.Network([nl.Population("a", n, neuron)]), 1e-3)
    fixed = nl.quantize(stepped, nl.load_profile("generic", state_bits=40, bias_bits=30,
                                                 threshold_bits=30, decay_bits=16))  # fmt: skip
    first = np.argmax(np.asarray(nl.run_fixed(fixed, 100).spikes["a"]) != 0, axis=0) + 1
    exact = 10e-3 * np.log(drive / (drive - 15.0))
    late = first * 1e-3 - exact
    assert late.mean() == pytest.approx(predict.isi_on_grid(1e-3), abs=4 * 1e-3 / np.sqrt(12 * n))
    assert predict.overshoot(2.0) == pytest.approx(1.1651943158780214, rel=1e-12)


@pytest.mark.parametrize("tau", [20, 100, 500])
def test_f7_the_first_spike_is_as_late_as_the_bound_lets_it(tau: int) -> None:
    n = 200
    drive = np.random.default_rng(tau).uniform(17.0, 40.0, n)
    neuron = nl.LIF(tau * 1e-3, 1e6, v_rest=0.0, v_threshold=15e-3, v_reset=0.0,
                    i_bias=drive * 1e-9)  # fmt: skip
    stepped = nl.discretize(nl.Network([nl.Population("a", n, neuron)]), 1e-3)
    fixed = nl.quantize(stepped, nl.load_profile("generic", state_bits=18, threshold_bits=11))
    e = predict.errors_of(fixed, stepped, "a")
    first = [np.argmax(np.asarray(r.spikes["a"]) != 0, axis=0) * 1e-3 for r in (
        nl.run_clocked(stepped, 6 * tau), nl.run_fixed(fixed, 6 * tau))]  # fmt: skip
    late = np.abs(first[1] - first[0])
    assert np.all(late <= 1.05 * e.spike_time + 1e-3)  # first order, and a step of the grid
    assert np.any(late > 0.02 * e.spike_time) and "first spike, bias alone" in str(e)


def random_free(rng: np.random.Generator, profile: Any) -> Any:
    """A few neurons that never reach their threshold, with random inputs."""
    n, m = 4, 6
    synapse: Any = nl.Delta() if rng.random() < 0.5 else nl.Exponential(
        float(10 ** rng.uniform(-2.9, -1.7)), "psp")  # fmt: skip
    weights = rng.normal(0, 0.02, (n, m))
    net = nl.Network(
        [nl.Population("a", n, nl.LIF(float(10 ** rng.uniform(-2.5, -1)), 1.0, v_rest=0.0,
                                      v_threshold=1e3, v_reset=0.0, i_bias=0.1))],
        [nl.Projection("x", "s", "a", weights, synapse, 1e-3)], [nl.SpikeInput("s", m)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    return stepped, nl.quantize(stepped, profile)


@pytest.mark.parametrize("rounding", ["rtz", "floor", "nearest_up"])
def test_f7_bounds_every_path(rounding: str) -> None:
    rng, shares = np.random.default_rng(13), []
    for seed in range(12):
        profile = nl.load_profile("generic", rounding=rounding, state_bits=24 + 8 * (seed % 2),
                                  weight_bits=3 + seed % 6)  # fmt: skip
        stepped, fixed = random_free(rng, profile)
        e = predict.errors_of(fixed, stepped, "a")
        raster = (rng.random((600, 6)) < 0.5).astype(np.int64)
        a = nl.run_clocked(stepped, inputs={"s": raster}, record="all")
        b = nl.run_fixed(fixed, inputs={"s": raster}, record="all")
        assert not np.asarray(a.spikes["a"]).any() and not np.asarray(b.spikes["a"]).any()
        off = np.abs(b.trace("a", "v") * np.asarray(fixed.populations[0].lsb) - a.trace("a", "v"))
        assert np.all(off <= e.path)
        shares.append(float((off.max(axis=0) / e.path).max()))
    assert max(shares) > 0.05  # it is a bound one can come near to
    assert predict.spike_time_error(1e-4, 2.0) == pytest.approx(5e-5)
    assert predict.path_bound(0.0, 1.0, 0.0, 0.0, 0.0) == 0


# ------------------------------------------------------------------ rates


def paired(dv: int, theta: int, mu: float, rest: float, rounding: str = "rtz", n: int = 400,
           steps: int = 4000) -> Any:  # fmt: skip
    """One population driven by the same noise in float64 and in integers; what was measured."""
    dt, delta, top, sigma = 1e-3, dv / 4096, 20e-3, 5e-3
    neuron = nl.LIF(dt / delta, 1.0, v_rest=0.0, v_threshold=top, v_reset=rest, t_refractory=2e-3)
    net = nl.Network([nl.Population("a", n, neuron)], [], [nl.CurrentInput("i", "a", None)])
    stepped = nl.discretize(net, dt, "euler")
    lsb, a = (top - rest) / theta, 1 - delta
    params = {"du": 4096, "dv": dv, "vth": theta, "refract": 3,
              "bias_mant": round(stepped.populations[0].bias[0] / lsb)}  # fmt: skip
    profile = nl.load_profile("generic", align_shift=0, rounding=rounding)
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", n, "lif", params, lsb=lsb),),
                            directs=(nl.DirectInput("i", "a"),), dt=dt)  # fmt: skip
    mean, sd = mu * delta, sigma * np.sqrt((1 - a * a) / 2)
    raster = noise(np.random.default_rng(dv + theta), steps, n, mean / lsb, sd / lsb)
    gain = stepped.populations[0].gain
    counts = [np.asarray(r.spikes["a"])[300:].sum(axis=0) for r in (
        nl.run_clocked(stepped, inputs={"i": raster * lsb / gain}),
        nl.run_fixed(fixed, inputs={"i": raster}))]  # fmt: skip
    change = (counts[1] - counts[0]) / counts[0].mean()
    rate = counts[0].mean() / ((steps - 300) * dt)
    drive = predict.Drive(mean=mean, sd=sd)
    found = predict.rate_error(fixed, stepped, "a", drive)
    se = change.std() / np.sqrt(n)
    return rate, change.mean(), se, found, counts[0].sum(), fixed, stepped, drive


CASES = [(205, 3200, 0.015, 0.0), (205, 3200, 0.020, 0.0), (205, 640, 0.015, 0.0),
         (41, 3200, 0.020, 0.0), (205, 3200, 0.015, 10e-3), (205, 640, 0.025, 10e-3)]  # fmt: skip


@pytest.mark.parametrize(("dv", "theta", "mu", "reset"), CASES)
def test_rate_of_integers_against_float_with_the_same_noise(
    dv: int, theta: int, mu: float, reset: float
) -> None:
    rate, change, se, found, spikes, *_ = paired(dv, theta, mu, reset)
    predicted = float(found.relative[0])
    print(f"dv = {dv}, theta = {theta} LSB, mu = {mu * 1e3} mV: predicted {100 * predicted:.2f} %, "
          f"measured {100 * change:.2f} +- {100 * se:.2f} %")  # fmt: skip
    assert change == pytest.approx(predicted, abs=4 * se + 0.03 * abs(predicted) + 0.0005)
    assert rate == pytest.approx(float(found.meant[0]), rel=0.02 + 4 / np.sqrt(spikes))
    assert abs(predicted) > 0.0015 and se < abs(change)


def test_rounding_to_the_nearest_costs_no_rate() -> None:
    _, change, se, found, *_ = paired(205, 640, 0.015, 0.0, "nearest_up")
    assert found.truncation == pytest.approx(0.0, abs=3e-5)
    assert change == pytest.approx(float(found.relative[0]), abs=4 * se)
    assert abs(change) < 0.02


# ------------------------------------------------------------------ the report


def test_the_report_says_each_formula_once() -> None:
    *_, found, _, fixed, stepped, drive = paired(205, 640, 0.015, 0.0, n=3, steps=400)
    e = predict.errors_of(fixed, stepped, "a", drive)
    text = str(e)
    for name in ("F1", "F2", "F3", "F5", "F6", "F7", "rate: float reference | integers"):
        assert name in text
    assert e.rounding.shift == pytest.approx(-0.5 * 4096 / 205, rel=1e-3)
    assert e.rounding.compensator.tolist() == [0, 0, 0]  # half an LSB has no integer near it
    assert e.rate is not None and e.rate.coded == pytest.approx(found.coded[0])
    assert e.threshold.lattice == pytest.approx(0.5 * 20e-3 / 640)
    # the slopes say what the whole formula says, to first order
    assert e.threshold.rate / e.rate.meant == pytest.approx(e.rate.threshold, rel=0.02)
    without = predict.errors_of(fixed, stepped, "a")
    assert without.rate is None and np.isnan(without.threshold.rate).all()


def test_the_slopes_of_weights_predict_the_change_of_the_rate() -> None:
    rng, n, k = np.random.default_rng(17), 40, 200
    w = rng.normal(0.4e-3, 0.1e-3, (n, k))
    net = nl.Network(
        [nl.Population("a", n, nl.LIF(20e-3, 1.0, v_rest=0.0, v_threshold=20e-3, v_reset=0.0,
                                      t_refractory=2e-3))],
        [nl.Projection("x", "s", "a", w, nl.Delta(), 1e-3)], [nl.SpikeInput("s", k)])  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "loihi2", weight_bits=3)
    drive = predict.Drive({"s": 10.0})
    e = predict.errors_of(fixed, stepped, "a", drive)
    assert e.rate is not None and e.decay_u is None
    change = e.rate.meant * e.rate.parameters
    assert np.corrcoef(change, e.weights[0].rate)[0, 1] > 0.98
    assert np.abs(change - e.weights[0].rate).max() < 0.25 * np.abs(change).max()
    assert e.weights[0].mean_shift.std() == pytest.approx(e.weights[0].model_sd.mean(), rel=0.5)
    by_sender = predict.rate_error(fixed, stepped, "a", predict.Drive({"s": np.full(k, 10.0)}))
    assert np.array_equal(by_sender.coded, e.rate.coded)


def test_the_mean_change_of_rates_of_different_neurons() -> None:
    """A spread of mu from neuron to neuron changes the mean rate by the curvature."""
    at = (20e-3, 0.0, 20e-3, 2e-3)  # threshold, reset, tau_m, tau_r
    mu, sigma, shift, spread = 15e-3, 4e-3, -0.1e-3, 0.4e-3
    z = np.sqrt(2) * np.polynomial.hermite.hermgauss(21)[0]
    weights = np.polynomial.hermite.hermgauss(21)[1] / np.sqrt(np.pi)
    rates = siegert(mu + shift + spread * z, sigma * 1.01, *at)
    exact = float(weights @ rates - siegert(mu, sigma, *at))
    h = 1e-5
    slopes = d_nu_d_mu(np.array([mu - h, mu, mu + h]), sigma, *at)
    found = float(predict.rate_change(
        slopes[1], shift, (slopes[2] - slopes[0]) / (2 * h), spread**2,
        d_nu_d_sigma(mu, sigma, *at), 0.01 * sigma))  # fmt: skip
    assert found == pytest.approx(exact, rel=0.05) and abs(exact) > 0.05


def test_what_is_refused() -> None:
    *_, fixed, stepped, drive = paired(205, 640, 0.015, 0.0, n=3, steps=400)
    cases: list[tuple[Any, str]] = [
        (lambda: predict.errors_of(fixed, stepped, "b"), "population = 'b', allowed: a"),
        (lambda: predict.errors_of(fixed, stepped.network, "a"), "SteppedNetwork"),
        (lambda: predict.errors_of(stepped, fixed, "a"), "FixedNetwork"),
        (lambda: predict.rate_error(fixed, stepped, "a", {"x": 1}), "allowed: a Drive"),
        (lambda: predict.rate_error(fixed, stepped, "a", predict.Drive({"x": 8.0})), "rates of x"),
        (lambda: predict.errors_of(fixed, driven(10), "a"), "populations = "),
    ]
    for call, text in cases:
        with pytest.raises(RangeError, match=text):
            call()
    del drive
