"""Mean and spread of input, and rates of populations that drive each other: golden values."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_golden import CIRCUIT, DATA, NETWORK, NNMT

from neuro_lif.errors import RangeError
from neuro_lif.reference import theory

EXAMPLE: dict[str, Any] = {"nu": [8, 12], "J": np.array([[0.2e-3, -1e-3]] * 2),
                           "K": np.array([[400, 100]] * 2), "tau_m": 20e-3}  # fmt: skip


@pytest.mark.parametrize(
    "external",
    [
        {"J_ext": 0.2e-3, "K_ext": 800, "nu_ext": 10},
        {"J_ext": [0.2e-3] * 2, "K_ext": [800, 800], "nu_ext": [10, 10]},
        {"J_ext": 0.2e-3 * np.eye(2), "K_ext": 800 * np.eye(2), "nu_ext": [10, 10]},
        {"J_ext": [[0.2e-3] * 3] * 2, "K_ext": [[200, 300, 300]] * 2, "nu_ext": 10},
    ],
)
def test_golden_input(external: dict[str, Any]) -> None:
    key = "mean_input[K400/100,J.2/-1mV,nu 8/12,Kext 800 nu_ext 10]"
    mean, std = theory.mean_input(**EXAMPLE, **external), theory.std_input(**EXAMPLE, **external)
    np.testing.assert_allclose(mean, NNMT[key], rtol=1e-12)
    np.testing.assert_allclose(std, NNMT["std_input same"], rtol=1e-12)


def test_a_constant_current() -> None:
    more = theory.mean_input(**EXAMPLE, I_ext=[1e-10, 0.0], C=250e-12)
    less = theory.mean_input(**EXAMPLE)
    np.testing.assert_allclose(more - less, [20e-3 * 1e-10 / 250e-12, 0], atol=1e-17)


def test_wrong_inputs() -> None:
    with pytest.raises(RangeError, match="mean_input: shapes nu"):
        theory.mean_input(**{**EXAMPLE, "nu": [8, 12, 3]})
    with pytest.raises(RangeError, match="std_input: shapes J_ext and K_ext"):
        theory.std_input(**EXAMPLE, J_ext=[[1e-3] * 3] * 2, K_ext=10, nu_ext=[1, 2])
    with pytest.raises(RangeError, match="std_input: K = -1"):
        theory.std_input(**{**EXAMPLE, "K": -1})
    with pytest.raises(RangeError, match="mean_input: C = 0.0, allowed: > 0"):
        theory.mean_input(**EXAMPLE, I_ext=1.0, C=0.0)
    with pytest.raises(RangeError, match="mean_input: I_ext"):
        theory.mean_input(**EXAMPLE, I_ext=[1.0, 2.0, 3.0])


# ----------------------------------------------------------------- self-consistent rates


def brunel(g: float, eta: float, size: float = 1000, J: float = 0.1e-3, **changes: Any) -> Any:
    """Brunel's network; J in V, size the excitatory in-degree."""
    cell = {**NETWORK, **{k: v for k, v in changes.items() if k in NETWORK}}
    threshold_rate = cell["V_th_rel"] / (J * size * cell["tau_m"])
    rest = {k: v for k, v in changes.items() if k not in NETWORK}
    return theory.working_point(
        [[J, -g * J]] * 2, [[size, size / 4]] * 2, **cell, J_ext=J, K_ext=size,
        nu_ext=eta * threshold_rate, **rest,
    )  # fmt: skip


@pytest.mark.parametrize("solver", ["ode", "lstsq"])
def test_golden_brunel(solver: Any) -> None:
    cases = 0
    for key, (nu_e, nu_i, mu, sigma) in [(k, v) for k, v in NNMT.items() if "brunel.self" in k]:
        found = re.search(r"g=([\d.]+),eta=([\d.]+)", key)
        assert found
        w = brunel(float(found[1]), float(found[2]), solver=solver)
        np.testing.assert_allclose(w.nu, [nu_e, nu_i], rtol=1e-8)
        np.testing.assert_allclose([w.mu[0], w.sigma[1]], [mu * 1e-3, sigma * 1e-3], rtol=1e-8)
        cases += 1
    assert cases == 9


def test_golden_small_networks() -> None:
    cases = 0
    for key, values in NNMT.items():
        found = re.match(r"brunelsmall\(CE=(\d+),CI=\d+,J=([\d.]+),g=([\d.]+),eta=([\d.]+),"
                         r"th=20,vr=(\d+)\)", key)  # fmt: skip
        if found:
            size, J, g, eta, reset = map(float, found.groups())
            w = brunel(g, eta, size, J * 1e-3, V_0_rel=reset * 1e-3)
            np.testing.assert_allclose(w.nu, values[1:], rtol=1e-8)
            cases += 1
    assert cases == 4
    np.testing.assert_allclose(brunel(6, 2, 100, 0.5e-3).nu, 45.59873281, rtol=1e-9)


def microcircuit(external: str, **more: Any) -> Any:
    """Potjans and Diesmann's circuit as Bos et al. vary it."""
    d = json.loads((DATA / "theory_microcircuit.json").read_text("utf-8"))
    j = d["j_mv"] * 1e-3
    J = np.tile(np.where(np.arange(8) % 2, d["g"] * j, j), (8, 1))
    J[0, 2] = 2 * j
    return theory.working_point(J, d["K"], **CIRCUIT, J_ext=j, K_ext=d[external],
                                nu_ext=d["nu_ext_hz"], **more)  # fmt: skip


def test_golden_microcircuit() -> None:
    w = microcircuit("K_ext")
    np.testing.assert_allclose(w.nu, NNMT["mc.rates shift Hz"], rtol=1e-8)
    np.testing.assert_allclose(w.mu * 1e3, NNMT["mc.mu mV"], rtol=1e-8)
    np.testing.assert_allclose(w.sigma * 1e3, NNMT["mc.sigma mV"], rtol=1e-8)
    np.testing.assert_allclose(theory.cv(w.mu, w.sigma, **CIRCUIT), NNMT["mc.cv"], rtol=1e-8)
    taylor = microcircuit("K_ext", method="taylor")
    np.testing.assert_allclose(taylor.nu, NNMT["mc.rates taylor Hz"], rtol=1e-8)
    other = microcircuit("K_ext_2014", solver="lstsq")
    wanted = NNMT["mc PD2014 (K_ext L4E=2100).rates shift Hz"]
    np.testing.assert_allclose(other.nu, wanted, rtol=1e-8)


LSB = {512: (38.32, 38.06), 64: (38.13, 37.41), 8: (36.61, 36.10), 4: (34.85, 34.47)}
"""J/LSB -> rate by continuous time with the chip's decay and truncation, and as it was measured."""


@pytest.mark.parametrize("per_j", LSB)
def test_brunel_in_integers(per_j: int) -> None:
    """12,500 neurons in integers (dv = 20, dt = 0.1 ms): within 1.2 % of what they were run to."""
    J, g, size, dt, leak = 0.1, 5, 1000, 1e-4, 20 / 4096  # mV
    tau, lost = theory.tau_eff(1 - leak, dt), -0.5 * J / per_j
    shift = theory.truncation_shift(leak, lsb=J / per_j)

    def senders(nu: Any) -> tuple[float, float]:
        """Weighted events per second, and weighted twice."""
        own = size * nu[0]
        return J * (own - g * own / 4 + 20 * size), J**2 * (own + g**2 * own / 4 + 20 * size)

    def continuous(nu: Any) -> Any:
        mean, square = senders(nu)
        return [theory.siegert(tau * mean + shift, np.sqrt(tau * square), 20, 10, tau, 2e-3)]

    def clocked(nu: Any) -> Any:
        mean, square = senders(nu)
        return [
            theory.clocked_rate(dt * mean + lost, np.sqrt(dt * square), 1 - leak, 20, 10, dt, 20)
        ]

    wanted, measured = LSB[per_j]
    assert round(float(theory.solve_rates(continuous, [10.0])[0]), 2) == wanted
    assert theory.solve_rates(clocked, [10.0])[0] == pytest.approx(measured, rel=0.012)


@settings(max_examples=15, deadline=None)
@given(
    g=st.floats(3.5, 8), eta=st.floats(0.8, 4), J=st.floats(0.05e-3, 0.3e-3),
    tau_s=st.sampled_from([0.0, 0.5e-3]), method=st.sampled_from(["shift", "taylor"]),
)  # fmt: skip
def test_rates_give_themselves_back(
    g: float, eta: float, J: float, tau_s: float, method: Any
) -> None:
    w = brunel(g, eta, 1000, J, tau_s=tau_s, method=method)
    again = theory.siegert_exp(w.mu, w.sigma, **NETWORK, tau_s=tau_s, method=method)
    np.testing.assert_allclose(again, w.nu, rtol=1e-8, atol=1e-9)


def test_any_function_of_rates() -> None:
    """Without derivatives, and where the relaxation has to leave an unstable state behind."""

    def rates(nu: Any) -> Any:
        return 100 / (1 + np.exp(-(nu - 50) / 5))  # stable near 0 and 100, unstable at 50

    np.testing.assert_allclose(theory.solve_rates(rates, [50.5]), [100], rtol=1e-3)
    np.testing.assert_allclose(theory.solve_rates(rates, [49.5, 60.0]), [0.0045, 100], rtol=0.02)
    with pytest.raises(theory.ConvergenceError, match="no self-consistent rates: after ode"):
        theory.solve_rates(lambda nu: nu + 1, [1.0], most_steps=50)
    with pytest.raises(RangeError, match="solver = 'newton'"):
        theory.solve_rates(rates, [1.0], "newton")  # type: ignore[arg-type]


def test_wrong_networks() -> None:
    with pytest.raises(RangeError, match="working_point: neurons of shape"):
        theory.working_point([[0, 0]] * 2, 1, 0.02, [0.02] * 3, 0.0)
    with pytest.raises(RangeError, match="working_point: J and K of shape"):
        theory.working_point([[0, 0, 0]] * 2, 1, 0.02, 0.02, 0.0)
    with pytest.raises(RangeError, match="working_point: nu_0"):
        brunel(5, 2, nu_0=[-1.0, 1.0])
    with pytest.raises(RangeError, match="V_th_rel"):
        brunel(5, 2, V_0_rel=30e-3)
    for nu_0 in ("x", {}, [[1.0], [1.0, 2.0]], []):
        with pytest.raises(RangeError, match="working_point: nu_0 = "):
            brunel(5, 2, nu_0=nu_0)
    with pytest.raises(RangeError, match=r"working_point: nu_0 of shape \(3,\)"):
        brunel(5, 2, nu_0=np.zeros(3))
    for J in ([], [[1], [1, 2]]):
        with pytest.raises(RangeError, match="working_point: J = "):
            theory.working_point(J, 1, 0.02, 0.02, 0.0)


def test_wrong_functions_of_rates() -> None:
    with pytest.raises(RangeError, match="solve_rates: rates = 3, allowed: a function"):
        theory.solve_rates(3, [1.0])  # type: ignore[arg-type]
    with pytest.raises(RangeError, match=r"solve_rates: nu_0 of shape \(0,\)"):
        theory.solve_rates(lambda nu: nu / 2, [])
    with pytest.raises(RangeError, match=r"solve_rates: rates\(nu\) = .*, allowed: rates \(1,\)"):
        theory.solve_rates(lambda nu: np.ones(2), [1.0])
    with pytest.raises(RangeError, match="solve_rates: most_steps = 'x'"):
        theory.solve_rates(lambda nu: nu / 2, [1.0], most_steps="x")  # type: ignore[arg-type]
