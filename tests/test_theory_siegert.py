"""The rate of a neuron in white noise: golden values, limits, an independent quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfcx
from theory_golden import NETWORK, NOTE, delta_cases

from neuro_lif.errors import RangeError
from neuro_lif.reference.theory import siegert


@pytest.mark.parametrize(("arguments", "rate"), delta_cases())
def test_golden_rates(arguments: dict[str, float], rate: float) -> None:
    assert siegert(**arguments) == pytest.approx(rate, rel=1e-10)


def test_golden_cases_are_all_there() -> None:
    assert len(delta_cases()) == 19


def by_quad(mu: float, sigma: float, v_th: float, v_0: float, tau_m: float, tau_r: float) -> float:
    """The rate by adaptive quadrature of erfcx(-x)."""
    ends = ((v_0 - mu) / sigma, (v_th - mu) / sigma)
    points = np.linspace(*ends, 20)
    parts = [quad(lambda x: erfcx(-x), a, b, epsrel=1e-12, epsabs=0)[0]
             for a, b in zip(points, points[1:], strict=False)]  # fmt: skip
    return 1 / (tau_r + tau_m * np.sqrt(np.pi) * sum(parts))


@given(
    mu=st.floats(-20e-3, 60e-3), sigma=st.floats(0.8e-3, 20e-3), v_th=st.floats(1e-3, 20e-3),
    below=st.floats(1e-3, 30e-3), tau_m=st.floats(1e-3, 0.1), tau_r=st.floats(0, 5e-3),
)  # fmt: skip
def test_is_the_integral(
    mu: float, sigma: float, v_th: float, below: float, tau_m: float, tau_r: float
) -> None:
    y = (v_th - mu) / sigma
    if y > 20:  # the integrand itself leaves the range of a float
        mu = v_th - 20 * sigma
    wanted = by_quad(mu, sigma, v_th, v_th - below, tau_m, tau_r)
    assert siegert(mu, sigma, v_th, v_th - below, tau_m, tau_r) == pytest.approx(wanted, rel=1e-10)


@given(
    mu=st.floats(-0.1, 0.1), more=st.floats(1e-6, 0.05), sigma=st.floats(0, 20e-3),
    tau_r=st.sampled_from([0.0, 2e-3]),
)  # fmt: skip
def test_rises_with_the_mean(mu: float, more: float, sigma: float, tau_r: float) -> None:
    low, high = siegert([mu, mu + more], sigma, 20e-3, 10e-3, 20e-3, tau_r)
    assert 0 <= low <= high
    assert tau_r == 0 or high <= 1 / tau_r
    # far below the threshold both are 0; far above, the rate is 1/tau_r but for the last bits
    assert low < high or high < 1e-300


def closed(mu: Any, v_th: float, v_0: float, tau_m: float, tau_r: float) -> Any:
    return 1 / (tau_r + tau_m * np.log((mu - v_0) / (mu - v_th)))


@pytest.mark.parametrize("sigma", [0.0, 1e-300, 1e-15, 1e-9])
def test_small_noise_is_the_closed_form(sigma: float) -> None:
    mu = np.array([15.1, 16, 20, 50, 1000]) * 1e-3
    rates = siegert(mu, sigma, 15e-3, 0.0, 10e-3, 2e-3)
    np.testing.assert_allclose(rates, closed(mu, 15e-3, 0.0, 10e-3, 2e-3), rtol=1e-10)
    # at the threshold itself a neuron without noise takes for ever
    assert np.all(siegert([15e-3, 14.9e-3, -1.0], 0.0, 15e-3, 0.0, 10e-3, 2e-3) == 0)


def test_noise_goes_to_the_closed_form_as_its_square() -> None:
    off = [siegert(20e-3, s, **NOTE) / siegert(20e-3, 0, **NOTE) - 1 for s in (1e-4, 1e-5)]
    assert off[0] / off[1] == pytest.approx(100, rel=0.01)


def test_far_below_the_threshold() -> None:
    """Kramers' limit: nu -> y / (tau_m sqrt(pi)) exp(-y^2), down to the smallest floats."""
    y = np.array([8.0, 15.0, 26.0, 27.0])
    rates = siegert(20e-3 - y * 1e-3, 1e-3, 20e-3, -1.0, 20e-3)
    limit = y / (20e-3 * np.sqrt(np.pi)) * np.exp(-(y**2)) / (1 + 1 / (2 * y**2) + 3 / (4 * y**4))
    np.testing.assert_allclose(rates, limit, rtol=2e-5)
    assert siegert(-1.0, 1e-6, **NETWORK) == 0


def test_any_shapes_that_fit() -> None:
    mu, sigma = np.linspace(-0.05, 0.1, 40)[:, None], np.geomspace(1e-6, 0.05, 300)
    rates = siegert(mu, sigma, **NETWORK)
    assert rates.shape == (40, 300) and rates.flags.writeable
    assert rates[31, 200] == siegert(mu[31, 0], sigma[200], **NETWORK)
    assert siegert([], 1e-3, **NETWORK).shape == (0,)
    assert isinstance(siegert(0.02, 1e-3, **NETWORK), float)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sigma": -1e-3}, "sigma"), ({"tau_m": 0.0}, "tau_m"), ({"tau_r": -1.0}, "tau_r"),
        ({"V_th_rel": 0.01}, "V_th_rel"), ({"mu": float("nan")}, "mu"), ({"mu": "1"}, "mu"),
        ({"mu": [1, 2], "sigma": [1, 2, 3]}, r"mu \(2,\), sigma \(3,\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(RangeError, match=f"siegert.*{named}"):
        siegert(**{"mu": 0.02, "sigma": 1e-3, **NETWORK, **change})
