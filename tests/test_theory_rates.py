"""Rates of neurons with exponential synapses, their CV and what they answer: golden values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, solve_ivp
from scipy.special import erfcx
from theory_golden import CIRCUIT, NETWORK, NNMT, NOTE, exp_cases

from neuro_lif.errors import RangeError
from neuro_lif.reference import theory

DELTA = {k: v for k, v in CIRCUIT.items() if k != "tau_s"}
CVS = {
    (10, 5): 0.7955953817, (12, 3): 0.7357468926, (15, 1): 0.3265942347, (15, 5): 0.5183654985,
    (20, 2): 0.1688140314, (5, 8): 0.9257107033,
}  # fmt: skip
"""(mu, sigma) in mV -> CV with exponential synapses, by NNMT 1.3.0."""


@pytest.mark.parametrize("method", ["shift", "taylor"])
def test_exponential_synapses(method: Any) -> None:
    cases = exp_cases(method)
    assert len(cases) == 7
    for arguments, rate in cases:
        assert theory.siegert_exp(**arguments, method=method) == pytest.approx(rate, rel=1e-8)


def test_without_synaptic_time_constant_both_are_siegert() -> None:
    mu = np.linspace(-5e-3, 30e-3, 20)
    plain = theory.siegert(mu, 4e-3, **DELTA)
    for method in ("shift", "taylor"):
        found = theory.siegert_exp(mu, 4e-3, **{**CIRCUIT, "tau_s": 0.0}, method=method)
        assert np.array_equal(found, plain)


def test_taylor_is_the_tangent_of_shift() -> None:
    mu, ratios = 12e-3, np.array([1e-6, 1e-8])
    tau_s = CIRCUIT["tau_m"] * ratios
    by = [theory.siegert_exp(mu, 3e-3, **{**CIRCUIT, "tau_s": tau_s}, method=m)
          for m in ("shift", "taylor")]  # fmt: skip
    apart = np.abs(by[0] - by[1])
    assert apart[0] / apart[1] == pytest.approx(100, rel=0.02)  # of second order in sqrt(tau_s)


@pytest.mark.parametrize(("at", "wanted"), CVS.items())
def test_cv(at: tuple[float, float], wanted: float) -> None:
    assert theory.cv(at[0] * 1e-3, at[1] * 1e-3, **CIRCUIT) == pytest.approx(wanted, abs=1e-10)


@settings(max_examples=8, deadline=None)
@given(y_th=st.floats(-3, 3), width=st.floats(0.2, 5))
def test_cv_is_the_double_integral(y_th: float, width: float) -> None:
    """By adaptive quadrature, in units sigma = 1, mu = 0."""

    def inner(y: float, x: float) -> float:
        return float(np.exp(x * x - y * y) * erfcx(-y) ** 2)

    # e^{y^2} (1 + erf y)^2 is e^{-y^2} erfcx(-y)^2
    whole = dblquad(inner, y_th - width, y_th, -8, lambda x: x, epsrel=1e-9)[0]
    rate = theory.siegert(0.0, 1.0, y_th, y_th - width, 0.02)
    wanted = np.sqrt(2 * np.pi * whole) * 0.02 * rate
    assert theory.cv(0.0, 1.0, y_th, y_th - width, 0.02) == pytest.approx(wanted, rel=1e-6)


def test_limits_of_the_cv() -> None:
    mu = np.array([-1.0, -20e-3, 20e-3, 20e-3, 20e-3, 10e-3])
    sigma = np.array([1e-3, 1e-3, 1e-4, 1e-5, 0.0, 0.0])
    found = theory.cv(mu, sigma, **NOTE)
    assert found[0] == 1 and found[1] == pytest.approx(1, abs=1e-12)
    assert found[2] / found[3] == pytest.approx(10, rel=1e-3)  # as sigma, for small ones
    assert found[4] == 0 and np.isnan(found[5])
    # small noise: the variance of the passage of dV = (mu - V) dt/tau + sigma sqrt(dt/tau) xi
    ratio = (20 / 5) ** 2
    sd = 0.5 * np.sqrt((ratio - 1) / 2) * 1e-5 / 20e-3 * 10e-3 * 2
    assert found[3] == pytest.approx(sd / (0.01 * np.log(4)), rel=1e-3)


# ------------------------------------------------------------------------- derivatives


def test_golden_derivatives() -> None:
    at = {"mu": 12e-3, "sigma": 3e-3, **CIRCUIT}
    delta = theory.d_nu_d_mu(15e-3, 5e-3, **NETWORK)
    assert delta == pytest.approx(NNMT["delta.dnu_dmu(15,5) Hz/V"], rel=1e-8)
    taylor = theory.d_nu_d_mu(**at, method="taylor")
    assert taylor == pytest.approx(NNMT["exp.dnu_dmu(12,3)"], rel=1e-8)
    shift = theory.d_nu_d_mu(**at)
    assert shift == pytest.approx(NNMT["exp.transfer[shift](f=0.0Hz) Hz/V"][0][0], rel=1e-8)
    sender = theory.d_nu_d_nu_in(0.1e-3, **at)
    assert sender == pytest.approx(NNMT["exp.dnu_dnuin(12,3,j=.1mV)"], rel=1e-8)


WAYS = {"mu": theory.d_nu_d_mu, "sigma": theory.d_nu_d_sigma, "V_th_rel": theory.d_nu_d_V_th,
        "V_0_rel": theory.d_nu_d_V_0}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
@given(
    mu=st.floats(-5e-3, 40e-3), sigma=st.floats(1e-3, 10e-3), tau_s=st.floats(0, 1e-3),
    method=st.sampled_from(["shift", "taylor"]),
)  # fmt: skip
def test_derivatives_are_differences(
    name: str, mu: float, sigma: float, tau_s: float, method: Any
) -> None:
    at = {**CIRCUIT, "mu": mu, "sigma": sigma, "tau_s": tau_s}

    def rate(by: float) -> float:
        return float(theory.siegert_exp(**{**at, name: at[name] + by}, method=method))

    h = 0.02 * sigma / (1 + ((15e-3 - mu) / sigma) ** 2)  # a small change of the rate
    near = (rate(h) - rate(-h)) / (2 * h)
    wider = (rate(2 * h) - rate(-2 * h)) / (4 * h)
    widest = (rate(3 * h) - rate(-3 * h)) / (6 * h)
    wanted = 1.5 * near - 0.6 * wider + 0.1 * widest  # right to h^6
    scale = theory.d_nu_d_mu(**at)
    assert WAYS[name](**at, method=method) == pytest.approx(wanted, rel=1e-5, abs=1e-6 * scale)


def test_derivatives_without_noise() -> None:
    mu = np.array([16e-3, 20e-3, 14e-3])
    for name in ("mu", "V_th_rel", "V_0_rel"):
        at = {**NOTE, "tau_r": 2e-3, "mu": mu, "sigma": 0.0}
        up, down = ({**at, name: at[name] + by} for by in (1e-8, -1e-8))
        wanted = (theory.siegert(**up) - theory.siegert(**down)) / 2e-8
        np.testing.assert_allclose(WAYS[name](**at), wanted, rtol=1e-6)
        small = WAYS[name](**{**at, "sigma": 1e-8})
        np.testing.assert_allclose(small, WAYS[name](**at), rtol=1e-9)
    with pytest.raises(RangeError, match="d_nu_d_sigma: sigma = 0.0, allowed: > 0 V"):
        theory.d_nu_d_sigma(20e-3, 0.0, **NETWORK)
    with pytest.raises(RangeError, match="d_nu_d_mu: method = 'first', allowed: shift, taylor"):
        theory.d_nu_d_mu(20e-3, 1e-3, **NETWORK, method="first")


# ------------------------------------------------------------------- transfer function


@pytest.mark.parametrize("method", ["shift", "taylor"])
@pytest.mark.parametrize("frequency", [0.0, 1.0, 10.0, 100.0])
def test_golden_transfer_functions(method: Any, frequency: float) -> None:
    wanted = complex(*NNMT[f"exp.transfer[{method}](f={frequency}Hz) Hz/V"][0])
    omega = 2 * np.pi * frequency
    found = theory.transfer_function(omega, 12e-3, 3e-3, **CIRCUIT, method=method)
    assert abs(found - wanted) < 1e-8 * abs(wanted)
    back = theory.transfer_function(-omega, 12e-3, 3e-3, **CIRCUIT, method=method)
    assert back == np.conj(found)


@pytest.mark.parametrize("method", ["shift", "taylor"])
def test_the_jump_at_zero_is_the_refractory_period(method: Any) -> None:
    at = {"mu": 12e-3, "sigma": 3e-3, **CIRCUIT, "method": method}
    static = theory.d_nu_d_mu(**at)
    assert theory.transfer_function(0.0, **at) == static
    whole = theory.transfer_function([0.0, 1e-6], **at, refractory=True)
    np.testing.assert_allclose(whole, static, rtol=1e-7)
    jumped = theory.transfer_function(1e-6, **at)
    if method == "shift":
        rate = theory.siegert_exp(12e-3, 3e-3, **CIRCUIT)
        assert jumped.real == pytest.approx(static / (1 - rate * CIRCUIT["tau_r"]), rel=1e-9)
    assert jumped.real > 1.01 * static
    none = theory.transfer_function(1e-6, **{**at, "tau_r": 0.0})
    assert none.real == pytest.approx(theory.d_nu_d_mu(**{**at, "tau_r": 0.0}), rel=1e-9)


def test_the_filter_of_the_synapse() -> None:
    omegas = 2 * np.pi * np.array([1.0, 30.0, 300.0])
    at = {"mu": 12e-3, "sigma": 3e-3, **CIRCUIT}
    bare = theory.transfer_function(omegas, **at, synaptic_filter=False)
    whole = theory.transfer_function(omegas, **at)
    np.testing.assert_allclose(bare / whole, 1 + 1j * omegas * CIRCUIT["tau_s"], rtol=1e-14)


def by_differential_equation(omega: float, mu: float, sigma: float, rate: float) -> complex:
    """The published form: F = e^{x^2/4} D_{-s}(x) solves F'' = x F' + s F and dies out at +inf."""
    s = 1j * omega * DELTA["tau_m"]
    x_th, x_r = (np.sqrt(2) * (mu - DELTA[v]) / sigma for v in ("V_th_rel", "V_0_rel"))
    far = 60.0 + 0j
    inverse = far**-2
    # asymptotic series of F and F' there
    start = far**-s * (1 - s * (s + 1) / 2 * inverse + s * (s + 1) * (s + 2) * (s + 3) / 8
                       * inverse**2)  # fmt: skip
    slope = -s * far ** (-s - 1) * (1 - (s + 1) * (s + 2) / 2 * inverse + (s + 1) * (s + 2)
                                    * (s + 3) * (s + 4) / 8 * inverse**2)  # fmt: skip
    found = solve_ivp(lambda x, y: [y[1], x * y[1] + s * y[0]], (60, x_th - 1e-9), [start, slope],
                      method="BDF", t_eval=[x_r, x_th], rtol=1e-9, atol=1e-13)  # fmt: skip
    (f_r, f_th), (d_r, d_th) = found.y
    return complex(-rate * np.sqrt(2) / sigma / (1 + s) * (d_th - d_r) / (f_th - f_r))


@pytest.mark.parametrize("frequency", [3.0, 40.0, 150.0])
@pytest.mark.parametrize(("mu", "sigma"), [(5e-3, 5e-3), (14e-3, 2e-3), (22e-3, 3e-3)])
def test_is_the_published_form(frequency: float, mu: float, sigma: float) -> None:
    omega, rate = 2 * np.pi * frequency, float(theory.siegert(mu, sigma, **DELTA))
    wanted = by_differential_equation(omega, mu, sigma, rate)
    found = theory.transfer_function(omega, mu, sigma, **DELTA)
    assert abs(found - wanted) < 1e-5 * abs(wanted)


@pytest.mark.parametrize("frequency", [1e3, 1e4])
def test_high_frequencies(frequency: float) -> None:
    """White noise lets a current through with 1/sqrt(omega): nu/sigma sqrt(2/(i omega tau_m))."""
    omega = 2 * np.pi * frequency
    found = theory.transfer_function(omega, 12e-3, 5e-3, **DELTA)
    rate = theory.siegert(12e-3, 5e-3, **DELTA)
    limit = rate / 5e-3 * np.sqrt(2 / (1j * omega * DELTA["tau_m"]))
    # the next term is 1/(sqrt(2) y) of the threshold's distance over sqrt(omega tau_m)
    assert abs(found / limit - 1) < 1.5 / np.sqrt(omega * DELTA["tau_m"])


def test_where_the_transfer_function_ends() -> None:
    with pytest.raises(RangeError, match="transfer_function: sigma = 0.0"):
        theory.transfer_function(1.0, 12e-3, 0.0, **CIRCUIT)
    with pytest.raises(RangeError, match="synaptic_filter = 1"):
        theory.transfer_function(1.0, 12e-3, 1e-3, **CIRCUIT, synaptic_filter=1)
    assert theory.transfer_function([], 12e-3, 1e-3, **CIRCUIT).shape == (0,)
