"""A LIF neuron without noise: golden numbers of the closed forms, on and off the grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.reference import theory

MS = 1e-3
NOTE = {"mu": 20 * MS, "V_th_rel": 15 * MS, "tau_m": 10 * MS}
"""Orhan's example: tau_m 10 ms, threshold 15 mV, reset 0, R I 20 mV."""


def test_first_spike_period_and_rate() -> None:
    assert theory.first_spike_time(**NOTE) == pytest.approx(13.862943611198906e-3, rel=1e-12)
    given = {**NOTE, "V_0_rel": 0.0}
    assert theory.period(**given, tau_r=5 * MS) == pytest.approx(18.862943611198906e-3, rel=1e-12)
    assert theory.rate(**given) == pytest.approx(72.13475204444817, rel=1e-12)
    assert theory.rate(**given, tau_r=5 * MS) == pytest.approx(53.01399509068676, rel=1e-12)


F_I = {
    16: (0.03606737602222408, 0.030556849175829015),
    20: (0.07213475204444816, 0.05301399509068676),
    25: (0.10913566679372914, 0.0706069719651922),
    30: (0.14426950408889633, 0.08381195683928104),
    40: (0.21276431452344433, 0.10309239778593296),
    50: (0.2803673252057129, 0.11673038963907387),
}
"""R I in mV -> spikes per ms without and with 5 ms of refractory period."""


def test_f_i_curve() -> None:
    mu = np.array(list(F_I)) * MS
    for tau_r, column in ((0.0, 0), (5 * MS, 1)):
        wanted = [1e3 * rates[column] for rates in F_I.values()]
        found = theory.rate(mu, 15 * MS, 0.0, 10 * MS, tau_r)
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    # up to the threshold, and at it, there is no spike
    assert not np.any(theory.rate(np.arange(-5, 16) * MS, 15 * MS, 0.0, 10 * MS))


def test_spikes_in_100_ms() -> None:
    wanted = [13.862943611, 27.725887222, 41.588830834, 55.451774445, 69.314718056, 83.177661667,
              97.040605278]  # fmt: skip
    given: dict[str, Any] = {**NOTE, "V_0_rel": 0.0, "t_end": 0.1}
    np.testing.assert_allclose(theory.spike_times(**given, tau_r=0.0) / MS, wanted, atol=5e-10)
    assert len(theory.spike_times(**given, tau_r=5 * MS)) == 5
    assert len(theory.spike_times(**{**given, "mu": 15 * MS}, tau_r=0.0)) == 0


def test_voltage_and_the_convolution_solution() -> None:
    v = theory.voltage([5 * MS, 10 * MS], 20 * MS, 10 * MS) / MS
    np.testing.assert_allclose(v, [7.8693868057473315, 12.642411176571153], rtol=1e-12)
    current = np.full(100, 20 * MS)
    found = theory.convolution_solution(7 * MS, current, 0.1 * MS, 10 * MS, -5 * MS)
    assert found / MS == pytest.approx(7.585367405214763, rel=1e-12)
    inside = theory.convolution_solution(7.03 * MS, current, 0.1 * MS, 10 * MS, -5 * MS)
    assert inside == pytest.approx(theory.voltage(7.03 * MS, 20 * MS, 10 * MS, -5 * MS), rel=1e-12)


GRID = {
    ("euler", 1.0): 14, ("exact", 1.0): 14, ("euler", 0.5): 28, ("exact", 0.5): 28,
    ("euler", 0.1): 138, ("exact", 0.1): 139, ("euler", 0.01): 1386, ("exact", 0.01): 1387,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "first"), GRID.items())
def test_grid_spikes(kind: tuple[Any, float], first: int) -> None:
    integrator, dt = kind
    steps = theory.grid_spikes(**NOTE, V_0_rel=0.0, dt=dt * MS, n_steps=round(100 / dt),
                               integrator=integrator)  # fmt: skip
    assert steps.tolist() == [first * k for k in range(1, 8)]


def test_grid_spikes_with_a_refractory_period() -> None:
    steps = theory.grid_spikes(**NOTE, V_0_rel=0.0, dt=0.1 * MS, n_steps=1000, n_ref=50)
    assert steps.tolist() == [139, 328, 517, 706, 895]


@given(
    mu=st.floats(-0.03, 0.1), tau_m=st.floats(2e-3, 0.05), dt=st.floats(1e-5, 1e-3),
    v_0=st.floats(-0.02, 0.01), n_ref=st.integers(0, 30),
    integrator=st.sampled_from(["exact", "euler"]),
)  # fmt: skip
def test_grid_spikes_are_those_of_the_float_reference(
    mu: float, tau_m: float, dt: float, v_0: float, n_ref: int, integrator: Any
) -> None:
    v_th = 15e-3
    if mu > v_th:  # where V passes the threshold so slowly that rounding decides, move on
        mu = max(mu, v_th + 1e-6)
    neuron = nl.LIF(tau_m=tau_m, v_threshold=v_th, v_reset=v_0, i_bias=mu, v_init=v_0,
                    t_refractory=n_ref * dt)  # fmt: skip
    stepped = nl.discretize(nl.Network([nl.Population("p", 1, neuron)]), dt, f"{integrator}-ge")
    found = nl.run_clocked(stepped, 400).spikes["p"][:, 0].nonzero()[0] + 1
    wanted = theory.grid_spikes(mu, v_th, v_0, tau_m, dt, 400, n_ref, integrator)
    exact = theory.n1_exact if integrator == "exact" else theory.n1_euler
    near = exact(mu, v_th * (1 + 1e-12), tau_m, dt, v_0) != exact(mu, v_th * (1 - 1e-12), tau_m, dt,
                                                                  v_0)  # fmt: skip
    assert near or found.tolist() == wanted.tolist()


@given(
    mu=st.floats(15.001e-3, 0.2), v_0=st.floats(-0.05, 14e-3), tau_m=st.floats(1e-3, 0.1),
    tau_r=st.floats(0, 0.01),
)  # fmt: skip
def test_voltage_at_the_spike_is_the_threshold(
    mu: float, v_0: float, tau_m: float, tau_r: float
) -> None:
    t = theory.first_spike_time(mu, 15e-3, tau_m, v_0)
    assert theory.voltage(t, mu, tau_m, v_0) == pytest.approx(15e-3, rel=1e-11)
    assert theory.period(mu, 15e-3, v_0, tau_m, tau_r) == pytest.approx(t + tau_r, rel=1e-14)


def test_a_neuron_at_its_threshold_never_spikes() -> None:
    assert theory.first_spike_time(15 * MS, 15 * MS, 10 * MS) == math.inf
    assert theory.n1_exact(15 * MS, 15 * MS, 10 * MS, MS) == 0
    assert theory.n1_euler(15 * MS, 15 * MS, 10 * MS, MS) == 0
    assert theory.first_spike_time(0.0, 15 * MS, 10 * MS, 15 * MS) == 0


def test_wrong_arguments() -> None:
    with pytest.raises(RangeError, match="n1_euler: dt = 0.02, allowed: below tau_m"):
        theory.n1_euler(20 * MS, 15 * MS, 10 * MS, 20 * MS)
    with pytest.raises(RangeError, match="grid_spikes: n_steps = -1"):
        theory.grid_spikes(**NOTE, V_0_rel=0.0, dt=MS, n_steps=-1)
    with pytest.raises(RangeError, match="convolution_solution: t = 0.2"):
        theory.convolution_solution(0.2, np.zeros(10), 1e-3, 0.01)
    with pytest.raises(RangeError, match="spike_times: t_end"):
        theory.spike_times(**NOTE, V_0_rel=0.0, tau_r=0.0, t_end=1e9)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: theory.grid_spikes([1, 2], 1, 0, 1, 0.1, 9), r"grid_spikes: mu = \[1, 2\]"),
        (lambda: theory.grid_spikes(1, 2, 0, 1, 0.1, 9, V_init=3), "grid_spikes: V_init = 3"),
        (lambda: theory.grid_spikes(1, 2, 0, 1, 0.1, 9, V_init="x"), "grid_spikes: V_init = 'x'"),
        (lambda: theory.spike_times([1, 2], 1, 0, 1, 0, 9), r"spike_times: mu = \[1, 2\]"),
        (lambda: theory.spike_times(1, 2, 0, 1, 0, 9, V_init=3), "spike_times: V_init = 3"),
        (lambda: theory.spike_times(3, 2, 0, 1, 0, [1, 2]), "spike_times: t = "),
        (lambda: theory.convolution_solution([1], [1], 1, 1), "convolution_solution: t = "),
        (lambda: theory.decay_of_code(4, bits="x"), "decay_of_code: bits = 'x'"),
        (lambda: theory.decay_of_code(4, bits=1e300), "decay_of_code: bits = 1e"),
        (lambda: theory.decay_of_code(4, offset=None), "decay_of_code: offset = None"),
        (lambda: theory.truncation_shift(0.1, constant="no"), "constant = 'no'"),
    ],
)
def test_one_number_where_one_is_asked_for(call: Callable[[], object], named: str) -> None:
    with pytest.raises(RangeError, match=named):
        call()
