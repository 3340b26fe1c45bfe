"""Continuous time into steps: against golden numbers and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from neuro_lif import (
    IF,
    LI,
    LIF,
    RULES,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    Population,
    Probe,
    Projection,
    SpikeInput,
    StepRule,
    discretize,
    run_clocked,
)
from neuro_lif.errors import RangeError
from neuro_lif.stimulus import Constant, Sampled

MS = 1e-3


def alone(neuron: Any, *inputs: Any, projections: Any = ()) -> Network:
    return Network([Population("n", 1, neuron)], projections, inputs, [Probe("n"), Probe("n", "u")])


def spike_steps(net: Network, dt: float, n_steps: int, rule: StepRule | str) -> list[int]:
    """Completed steps at each spike, as the golden numbers count them."""
    run = run_clocked(discretize(net, dt, rule), n_steps)
    return [int(k) + 1 for k in np.flatnonzero(run.spikes["n"][:, 0])]


def volts(net: Network, dt: float, n_steps: int, rule: StepRule | str = "exact") -> np.ndarray:
    return run_clocked(discretize(net, dt, rule), n_steps).volts("n")[:, 0]


# ----------------------------------------- Orhan's neuron: tau 10 ms, threshold 15 mV, RI 20 mV


def orhan(t_refractory: float = 0.0, v_threshold: float = 15 * MS) -> Network:
    # spelled with R = 1 ohm, so that I carries R I
    return alone(LIF(tau_m=10 * MS, v_threshold=v_threshold, i_bias=20 * MS,
                     t_refractory=t_refractory))  # fmt: skip


GOLDEN = {
    ("exact", 1.0): [14, 28, 42, 56, 70, 84, 98],
    ("euler", 1.0): [14, 28, 42, 56, 70, 84, 98],
    ("exact", 0.5): [28, 56, 84, 112, 140, 168, 196],
    ("euler", 0.5): [28, 56, 84, 112, 140, 168, 196],
    ("exact", 0.1): [139, 278, 417, 556, 695, 834, 973],
    ("euler", 0.1): [138, 276, 414, 552, 690, 828, 966],
    ("exact", 0.01): [1387 * k for k in range(1, 8)],
    ("euler", 0.01): [1386 * k for k in range(1, 8)],
}
"""Source: E. Orhan (2012), recomputed; spike where v >= threshold, 100 ms."""


@pytest.mark.parametrize(("integrator", "dt_ms"), GOLDEN)
def test_spike_steps_of_orhans_neuron(integrator: str, dt_ms: float) -> None:
    steps = spike_steps(orhan(), dt_ms * MS, round(100 / dt_ms), f"{integrator}-ge")
    assert steps == GOLDEN[integrator, dt_ms]


def test_spike_steps_with_a_refractory_period() -> None:
    steps = spike_steps(orhan(t_refractory=5 * MS), 0.1 * MS, 1000, "exact-ge")
    assert steps == [139, 328, 517, 706, 895]


@pytest.mark.parametrize(
    ("rule", "at_5_ms", "at_10_ms"),
    [("exact", 7.869386805747, 12.642411176571), ("euler", 7.899878657249, 12.679353174535)],
)
def test_voltage_of_orhans_neuron(rule: str, at_5_ms: float, at_10_ms: float) -> None:
    v = volts(orhan(), 0.1 * MS, 130, rule) / MS
    assert v[49] == pytest.approx(at_5_ms, abs=5e-13)
    assert v[99] == pytest.approx(at_10_ms, abs=5e-13)


@settings(max_examples=30, deadline=None)
@given(ri=st.floats(15.5, 60), dt=st.sampled_from([0.05, 0.1, 0.25, 1.0]), ref=st.integers(0, 6))
def test_interval_between_spikes_on_the_grid(ri: float, dt: float, ref: int) -> None:
    """n1 = ceil(t1 / dt), and the refractory steps come on top (specs, 1.5)."""
    net = alone(LIF(tau_m=10.0, v_threshold=15.0, i_bias=ri, t_refractory=ref * dt))
    t1 = 10 * np.log(ri / (ri - 15)) / dt
    if abs(t1 - round(t1)) < 1e-9:
        return  # the threshold is met on the grid: rounding decides
    first = int(np.ceil(t1))
    steps = spike_steps(net, dt, 3 * (first + ref), "exact-ge")
    assert steps == [first, 2 * first + ref, 3 * first + 2 * ref]


@pytest.mark.parametrize("compare", [">", ">="])
def test_threshold_met_exactly(compare: str) -> None:
    # IF neuron, steps of 1/4 V: all numbers are exact, so ">" and ">=" differ by one step
    net = alone(IF(capacitance=1.0, v_threshold=1.0, i_bias=0.25))
    period = 4 if compare == ">=" else 5
    assert spike_steps(net, 1.0, 20, StepRule(compare=compare)) == list(range(period, 21, period))  # type: ignore[arg-type]


def test_reset_by_subtraction_keeps_the_rest() -> None:
    net = alone(IF(capacitance=1.0, v_threshold=1.0, v_reset=-0.5, v_init=0.0, i_bias=0.625,
                   reset="subtract"))  # fmt: skip
    # distance 1.5 taken away at each spike: 2.4 steps per spike on average
    assert len(spike_steps(net, 1.0, 240, "exact-ge")) == pytest.approx(100, abs=1)


# --------------------------------------------- the blog's table: tau 10, E -65, V_th -50, R 10


def test_constant_column_of_the_blog() -> None:
    table = [-65, -63.5, -62.15, -60.935, -59.8415, -58.85735, -57.971615, -57.1744535,
             -56.45700815, -55.811307335, -55.2301766015]  # fmt: skip
    net = alone(LIF(tau_m=10 * MS, resistance=10e6, v_rest=-65 * MS, v_threshold=-50 * MS),
                CurrentInput("i", "n", Constant(1.5e-9)))  # fmt: skip
    v = volts(net, 1 * MS, 10, "euler") / MS
    assert v == pytest.approx(table[1:], abs=1e-12)
    assert v == pytest.approx(-65 + 15 * (1 - 0.9 ** np.arange(1, 11)), abs=1e-12)


def test_noise_column_of_the_blog() -> None:
    current = 1.0 + 0.5 * np.random.default_rng(42).standard_normal(11)
    assert current[:3] == pytest.approx([1.15235854, 0.480007947, 1.375225598], abs=1e-9)
    net = alone(LIF(tau_m=10 * MS, resistance=10e6, v_rest=-65 * MS, v_threshold=-50 * MS),
                CurrentInput("i", "n", Sampled(current[:, None] * 1e-9, 1 * MS)))  # fmt: skip
    v = volts(net, 1 * MS, 10, "euler") / MS
    table = [-63.847641460, -63.482869367, -62.259356833, -61.063138791, -61.432342506,
             -61.440198009, -60.732258007, -60.317153502, -59.793838731, -59.740976821]  # fmt: skip
    assert v == pytest.approx(table, abs=1e-9)


@pytest.mark.parametrize("rule", ["exact", "euler", "exact-ge", "euler-ge"])
def test_a_current_that_ends_at_the_threshold_never_fires(rule: str) -> None:
    # the blog's constant current: its steady state is the threshold
    net = alone(LIF(tau_m=10 * MS, resistance=10e6, v_rest=-65 * MS, v_threshold=-50 * MS),
                CurrentInput("i", "n", Constant(1.5e-9)))  # fmt: skip
    assert spike_steps(net, 1 * MS, 300, rule) == []


# -------------------------------------------------------------- the book's neuron (specs, 1.8)


def test_clean_reference_of_the_books_neuron() -> None:
    ramp = (np.arange(502) + 0.5) / 251
    triangle = 2e-4 * np.minimum(ramp, 2 - ramp)  # A: scipy's triang(502)
    assert triangle[0] == pytest.approx(3.98406374502e-7, rel=1e-12)
    for held, first in ((10, [77, 111, 139, 163, 185, 206]), (11, [77, 112, 140, 165, 188, 210])):
        net = alone(LIF.from_conductance(5e-6, 1e-3, e_leak=-70 * MS, v_threshold=-40 * MS,
                                         t_refractory=held * 1e-4),
                    CurrentInput("i", "n", Sampled(triangle[1:, None], 1e-4)))  # fmt: skip
        steps = spike_steps(net, 1e-4, 450, "exact-ge")
        # the book skips its first sample: V[1] = -70, so its index is ours plus one
        assert [k + 1 for k in steps][:6] == first


# ------------------------------------------- exact lowering of an exponential synapse (4.1)


def psp(t: np.ndarray, tau_m: float, tau_s: float) -> np.ndarray:
    """V(t) after a unit current jump at 0 through R = 1: the closed form, in long double."""
    t, m, s = np.asarray(t, np.longdouble), np.longdouble(tau_m), np.longdouble(tau_s)
    if tau_m == tau_s:
        return np.where(t > 0, t / m * np.exp(-t / m), 0)
    # tau_s / (tau_m - tau_s) * (e^(-t/tau_m) - e^(-t/tau_s)) without cancellation
    t = np.maximum(t, 0)
    rise = -np.expm1(-t * abs(m - s) / (m * s))
    return s / abs(m - s) * np.exp(-t / max(m, s)) * rise


def one_spike(neuron: Any, synapse: Any, weight: float, delay: float, at: float) -> Network:
    return alone(neuron, SpikeInput("s", 1, [0], [at]),
                 projections=[Projection("p", "s", "n", [[weight]], synapse, delay)])  # fmt: skip


def close(a: np.ndarray, b: np.ndarray) -> None:
    scale = np.max(np.abs(b))
    assert np.max(np.abs(a - b)) <= 1e-12 * scale


TAUS = [(10.0, 0.5), (20.0, 5.0), (5.0, 20.0), (10.0, 10.0), (10.0, 10.0 + 1e-9),
        (10.0, 10.0 * (1 + 1e-13)), (10.0, 9.999), (1e3, 1e-2)]  # fmt: skip


@pytest.mark.parametrize(("tau_m", "tau_s"), TAUS)
@pytest.mark.parametrize("dt", [0.1, 1.0])
@pytest.mark.parametrize("delay_steps", [0, 7])
def test_exponential_synapse_is_exact_on_the_grid(
    tau_m: float, tau_s: float, dt: float, delay_steps: int
) -> None:
    net = one_spike(LIF(tau_m=tau_m, v_threshold=1e9, resistance=3.0), Exponential(tau_s), 2.0,
                    delay_steps * dt, 0.0)  # fmt: skip
    v = volts(net, dt, 400)
    # an input spike of row 0 acts like a neuron's spike at the end of step 1
    t = dt * (np.arange(1, 401) - 1 - delay_steps)
    close(v, 6.0 * psp(t, tau_m, tau_s))


@pytest.mark.parametrize(("tau_m", "tau_s"), TAUS)
def test_norms_of_the_weight(tau_m: float, tau_s: float) -> None:
    t = 0.1 * (np.arange(1, 201) - 1)
    wanted = {"peak": 3.0, "area": 3.0 / tau_s, "psp": tau_m / tau_s}
    for norm, factor in wanted.items():
        neuron = LIF(tau_m=tau_m, v_threshold=1e9, resistance=3.0)
        net = one_spike(neuron, Exponential(tau_s, norm), 1.0, 0.0, 0.0)  # type: ignore[arg-type]
        close(volts(net, 0.1, 200), factor * psp(t, tau_m, tau_s))


def test_the_peak_of_the_microcircuits_psp() -> None:
    # specs 1.2: the peak is J (tau_s / tau_m) ** (tau_s / (tau_m - tau_s))
    tau_m, tau_s, weight = 10.0, 2.0, 0.1756
    ratio = (tau_s / tau_m) ** (tau_s / (tau_m - tau_s))
    net = one_spike(LIF(tau_m=tau_m, v_threshold=9.0), Exponential(tau_s, "psp"), weight, 0, 0)
    v = volts(net, 1e-2, 500)
    assert v.max() == pytest.approx(weight * ratio, rel=1e-6)


@pytest.mark.parametrize("dt", [0.1, 1.0])
def test_synapses_of_a_neuron_without_leak(dt: float) -> None:
    net = one_spike(IF(capacitance=2.0, v_threshold=1e9), Exponential(5.0), 3.0, 2 * dt, 0.0)
    t = np.maximum(dt * (np.arange(1, 301) - 3), 0)
    close(volts(net, dt, 300), 3.0 * 5.0 * -np.expm1(-t / 5.0) / 2.0)
    area = one_spike(IF(capacitance=2.0, v_threshold=1e9), Exponential(5.0, "area"), 3.0, 0, 0)
    assert volts(area, 1.0, 200)[-1] == pytest.approx(1.5, rel=1e-12)  # V = Q / C


@pytest.mark.parametrize(
    ("tau_m", "tau_s", "dt", "jump"),
    [(10.0, 0.5, 0.1, 0.1803358744), (20.0, 5.0, 1.0, 0.1766648952)],
)
def test_golden_jumps(tau_m: float, tau_s: float, dt: float, jump: float) -> None:
    # j / J of the specs, where J is the 'psp' weight
    net = one_spike(LIF(tau_m=tau_m), Exponential(tau_s, "psp"), 1.0, 0, 0)
    assert discretize(net, dt).projections[0].weights[0, 0] == pytest.approx(jump, abs=5e-11)


@pytest.mark.parametrize("tau_s", [1e-6, 1e-5, 1.0])
@pytest.mark.parametrize("tau_m", [1e-6, 1e-5, 1.0])
def test_a_step_far_longer_than_a_time_constant(tau_m: float, tau_s: float) -> None:
    net = one_spike(LIF(tau_m=tau_m, v_threshold=9.0), Exponential(tau_s), 1.0, 0, 0)
    v = volts(net, 0.1, 50)
    assert np.isfinite(v).all()
    assert np.allclose(v, psp(0.1 * np.arange(50), tau_m, tau_s).astype(float), atol=1e-15)


def test_a_delta_synapse_moves_the_voltage_at_once() -> None:
    net = one_spike(LIF(tau_m=10.0, v_threshold=9.0), Delta(), 0.5, 2.0, 0.0)
    v = volts(net, 1.0, 10)
    t = np.arange(1, 11) - 1 - 2.0
    close(v, np.where(t >= 0, 0.5 * np.exp(-np.maximum(t, 0) / 10), 0))


def test_two_synapses_and_a_bias_superpose() -> None:
    neuron = LIF(
        tau_m=10.0, v_rest=-65.0, v_threshold=1e9, v_init=-60.0, i_bias=2.0, resistance=4.0
    )
    spikes = SpikeInput("s", 2, [0, 1, 0], [0.0, 3.0, 11.0])
    pieces = [Projection("p", "s", "n", [[1.5, 0.0]], Exponential(5.0), 1.0),
              Projection("q", "s", "n", [[0.0, -2.5]], Exponential(10.0), 2.0)]  # fmt: skip
    v = volts(alone(neuron, spikes, projections=pieces), 0.5, 100)
    t = 0.5 * np.arange(1, 101)
    at = t - 0.5  # the spikes' own row
    closed = (-65 + 8 * -np.expm1(-t / 10) + 5 * np.exp(-t / 10) + 6 * psp(at - 1, 10, 5)
              + 6 * psp(at - 12, 10, 5) - 10 * psp(at - 5, 10, 10))  # fmt: skip
    close(v, np.asarray(closed, np.float64))


@settings(max_examples=30, deadline=None)
@given(
    tau=st.floats(1e-3, 1e2), dt=st.floats(1e-3, 10.0), r=st.floats(1e-3, 1e3),
    drive=st.floats(-50, 50), rest=st.floats(-100, 100), start=st.floats(-100, 100),
)  # fmt: skip
def test_constant_drive_is_exact_for_any_step(
    tau: float, dt: float, r: float, drive: float, rest: float, start: float
) -> None:
    net = alone(LI(tau_m=tau, resistance=r, v_rest=rest, v_init=start, i_bias=drive / r))
    t = dt * np.arange(1, 61, dtype=np.longdouble)
    closed = rest - drive * np.expm1(-t / tau) + (start - rest) * np.exp(-t / tau)
    scale = abs(rest) + abs(drive) + abs(start) + 1e-9
    assert np.max(np.abs(volts(net, dt, 60) - closed)) <= 1e-12 * scale


def test_half_the_step_gives_the_same_voltage_twice_as_often() -> None:
    net = one_spike(LIF(tau_m=20.0, v_threshold=9.0, i_bias=0.3), Exponential(5.0), 1.0, 0.0, 2.0)
    coarse, fine = volts(net, 1.0, 100), volts(net, 0.5, 200)
    # an input spike counts from the end of its own step, which is half a step earlier here
    before = slice(0, 2)
    close(fine[1::2][before], coarse[before])


# --------------------------------------------------------- delays and refractory in steps


def delays_of(delay: Any, dt: float, rounding: str = "nearest", synapse: Any = None) -> list[int]:
    weights = np.ones((1, np.size(delay)))
    net = Network(
        [Population("n", 1, LIF(tau_m=10.0)), Population("m", np.size(delay), LIF(tau_m=1.0))],
        [Projection("p", "m", "n", weights, synapse or Exponential(1.0), np.atleast_2d(delay))],
    )
    rule = StepRule(delay=rounding)  # type: ignore[arg-type]
    return discretize(net, dt, rule).projections[0].delays.tolist()


@pytest.mark.parametrize("rounding", ["nearest", "up"])
def test_a_delay_of_whole_steps_is_that_many_steps(rounding: str) -> None:
    # 0.0021 / 0.0001 is 20.999999999999996 and means 21
    wanted = list(range(0, 400))
    assert delays_of([k / 10000 for k in wanted], 0.0001, rounding) == wanted
    assert delays_of([k * 0.0001 for k in wanted], 0.0001, rounding) == wanted
    assert delays_of([0.0021], 0.0001, rounding) == [21]


def test_delays_between_steps() -> None:
    given = [0.0, 0.2, 0.5, 0.7, 1.2, 1.5, 2.5]
    assert delays_of(given, 1.0, "nearest") == [0, 0, 0, 1, 1, 2, 2]  # halves to even
    assert delays_of(given, 1.0, "up") == [0, 1, 1, 1, 2, 2, 3]


def test_a_delta_synapse_counts_its_first_step_itself() -> None:
    # seen in v at its arrival, so delay 3 is 2 steps more than the soonest; 0 is raised to 1
    assert delays_of([0.0, 1.0, 2.0, 3.0], 1.0, synapse=Delta()) == [0, 0, 1, 2]


def test_rounding_is_told() -> None:
    net = Network([Population("n", 2, LIF(tau_m=10.0, t_refractory=[1.0, 1.5]))],
                  [Projection("p", "n", "n", np.ones((2, 2)), Exponential(1.0), 0.4),
                   Projection("q", "n", "n", np.ones((2, 2)), Delta(), 0.0)])  # fmt: skip
    notes = discretize(net, 1.0).notes
    assert len(notes) == 3
    assert "'n': t_refractory is not a whole number" in notes[0]
    assert "'p': delays are rounded" in notes[1]
    assert "'q': a delay below one step is raised" in notes[2]
    assert (
        discretize(Network([Population("n", 1, LIF(tau_m=1.0, t_refractory=0.0021))]), 1e-4).notes
        == ()
    )


@pytest.mark.parametrize(
    ("rounding", "steps"), [("nearest", [0, 0, 2, 21, 2]), ("up", [0, 1, 2, 21, 3])]
)
def test_refractory_steps(rounding: str, steps: list[int]) -> None:
    times = [0.0, 0.4e-4, 2e-4, 0.0021, 2.4e-4]
    net = Network([Population("n", 5, LIF(tau_m=1.0, t_refractory=times))])
    rule = StepRule(refractory=rounding)  # type: ignore[arg-type]
    assert discretize(net, 1e-4, rule).population("n").refractory.tolist() == steps


@pytest.mark.parametrize("what", ["delay", "t_refractory"])
def test_more_steps_than_a_run_can_have(what: str) -> None:
    long = {what: 1e9}
    neuron = LIF(tau_m=1.0, **long) if what == "t_refractory" else LIF(tau_m=1.0)
    projections = [Projection("p", "n", "n", [[1.0]], **long)] if what == "delay" else []
    with pytest.raises(RangeError, match=rf"{what} = 1e\+09 s, allowed: at most 2147483648 steps"):
        discretize(Network([Population("n", 1, neuron)], projections), 1e-3)


@pytest.mark.parametrize(("latency", "first"), [(1, 2), (0, 1)])
def test_when_an_input_spike_arrives(latency: int, first: int) -> None:
    net = one_spike(LIF(tau_m=10.0, v_threshold=9.0), Exponential(5.0), 1.0, 0.0, 0.0)
    v = volts(net, 1.0, 5, StepRule(input_latency=latency))  # type: ignore[arg-type]
    assert np.flatnonzero(v)[0] + 1 == first


def test_a_spike_between_neurons_arrives_a_step_and_its_delay_later() -> None:
    net = Network(
        [Population("m", 1, IF(v_threshold=1.0, i_bias=1.0, t_refractory=99)),
         Population("n", 1, LI(tau_m=9.0))],
        [Projection("p", "m", "n", [[1.0]], Exponential(5.0), 3.0)], (), [Probe("n")],
    )  # fmt: skip
    run = run_clocked(discretize(net, 1.0, "exact-ge"), 9)
    assert np.flatnonzero(run.spikes["m"][:, 0]).tolist() == [0]  # end of step 1
    assert np.flatnonzero(run.trace("n", "v")[:, 0])[0] + 1 == 1 + 1 + 3


# ------------------------------------------------------------------------------ structure


def test_sparse_and_dense_say_the_same() -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(6, 5)) * (rng.random((6, 5)) < 0.5)
    delays = rng.integers(0, 4, (6, 5)) * 1.0
    csr = sparse.csr_matrix(dense)
    runs = []
    for weights, delay in ((dense, delays), (csr, delays[csr.nonzero()])):
        net = Network(
            [Population("n", 6, LIF(tau_m=np.arange(5.0, 11), v_threshold=0.3, t_refractory=2.0))],
            [Projection("p", "s", "n", weights, Exponential(3.0), delay)],
            [SpikeInput("s", 5, np.arange(50) % 5, np.arange(50.0))],
            [Probe("n")],
        )  # fmt: skip
        runs.append(run_clocked(discretize(net, 1.0), 60))
    assert runs[0].spikes["n"].sum() > 5
    assert (runs[0].spikes["n"] == runs[1].spikes["n"]).all()
    assert np.allclose(runs[0].trace("n", "v"), runs[1].trace("n", "v"), atol=1e-14)


def test_each_time_constant_has_its_own_state() -> None:
    net = Network([Population("n", 2, LIF(tau_m=10.0)), Population("o", 1, LI(tau_m=5.0))],
                  [Projection("a", "n", "n", np.eye(2), Exponential(5.0)),
                   Projection("b", "n", "n", np.eye(2)),
                   Projection("c", "n", "n", np.eye(2), Exponential(5.0, "area"))])  # fmt: skip
    stepped = discretize(net, 1.0)
    assert stepped.population("n").tau_syn.tolist() == [0.0, 5.0]
    assert [p.receptor for p in stepped.projections] == [1, 0, 1]
    assert stepped.population("n").decay_u[0].tolist() == [0.0, 0.0]
    assert stepped.population("o").spikes is False and stepped.population("o").tau_syn.tolist() == [
        0.0
    ]


def test_voltages_are_counted_from_the_reset() -> None:
    pop = discretize(
        alone(LIF(tau_m=10.0, v_rest=-65.0, v_reset=-70.0, v_threshold=-50.0)), 1.0
    ).population("n")
    assert (pop.v_zero, pop.threshold, pop.v_init) == (-70.0, 20.0, 5.0)
    assert pop.bias[0] == pytest.approx(5 * -np.expm1(-0.1), rel=1e-15)  # pulls back to rest
    acc = discretize(alone(IF(v_reset=-1.0, v_threshold=2.0)), 1.0).population("n")
    assert (acc.decay_v, acc.threshold, acc.v_init, acc.bias) == (1.0, 3.0, 0.0, 0.0)


def test_a_stepped_network_cannot_be_changed() -> None:
    stepped = discretize(one_spike(LIF(tau_m=10.0), Exponential(5.0), 1.0, 0.0, 0.0), 1.0)
    pop, projection = stepped.populations[0], stepped.projections[0]
    for array in (*(v for v in vars(pop).values() if isinstance(v, np.ndarray)),
                  projection.weights, projection.delays):  # fmt: skip
        assert not array.flags.writeable


@pytest.mark.parametrize("name", RULES)
def test_named_rules(name: str) -> None:
    rule = RULES[name]
    assert (rule.integrator, rule.compare) == (
        name.removesuffix("-ge"),
        ">=" if name.endswith("ge") else ">",
    )
    net = orhan()
    assert discretize(net, 1e-3, name).rule == discretize(net, 1e-3, rule).rule == rule


# ------------------------------------------------------------------------------ invariants


@settings(max_examples=30, deadline=None)
@given(a=st.floats(0, 50), b=st.floats(0, 50), rule=st.sampled_from(["exact", "euler"]),
       ref=st.integers(0, 4))  # fmt: skip
def test_more_current_never_means_fewer_spikes(a: float, b: float, rule: str, ref: int) -> None:
    net = Network([Population("n", 2, LIF(tau_m=10.0, v_threshold=15.0, i_bias=sorted([a, b]),
                                          t_refractory=ref))])  # fmt: skip
    counts = run_clocked(discretize(net, 1.0, rule), 200).spikes["n"].sum(axis=0)
    assert counts[0] <= counts[1]


@settings(max_examples=30, deadline=None)
@given(k=st.integers(-20, 20), m=st.integers(-10, 10), rule=st.sampled_from(sorted(RULES)),
       drive=st.floats(10, 60), weight=st.floats(-5, 5))  # fmt: skip
def test_scaling_volts_and_seconds_changes_no_spike(
    k: int, m: int, rule: str, drive: float, weight: float
) -> None:
    """Powers of two are exact, so the spikes must be the same, not merely similar."""

    def steps(v: float, t: float) -> np.ndarray:
        net = Network(
            [Population("n", 3, LIF(tau_m=10.0 * t, v_threshold=15.0 * v, i_bias=drive * v,
                                    v_init=[0.0, 3.0 * v, 9.0 * v], t_refractory=2 * t))],
            [Projection("p", "n", "n", np.full((3, 3), weight * v), Exponential(5.0 * t), 2 * t)],
        )  # fmt: skip
        return run_clocked(discretize(net, 0.5 * t, rule), 120).spikes["n"]

    assert (steps(1.0, 1.0) == steps(2.0**k, 2.0**m)).all()


@settings(max_examples=30, deadline=None)
@given(shift=st.integers(-100, 100), drive=st.integers(16, 60))
def test_moving_all_voltages_moves_the_trace_alone(shift: int, drive: int) -> None:
    nets = [alone(LIF(tau_m=10.0, v_rest=s + 1, v_reset=s, v_threshold=s + 15, i_bias=drive))
            for s in (0, shift)]  # fmt: skip
    a, b = (run_clocked(discretize(net, 1.0), 60) for net in nets)
    assert (a.spikes["n"] == b.spikes["n"]).all()
    assert np.allclose(a.volts("n") + shift, b.volts("n"), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(tau=st.floats(1e-4, 10), dt=st.floats(1e-5, 1e-1))
def test_kept_and_lost_make_one(tau: float, dt: float) -> None:
    pop = discretize(alone(LIF(tau_m=tau)), dt).population("n")
    assert pop.decay_v[0] + pop.leak_v[0] == pytest.approx(1.0, abs=3e-16)
    assert 0 <= pop.decay_v[0] < 1 and pop.gain[0] == pop.leak_v[0]
