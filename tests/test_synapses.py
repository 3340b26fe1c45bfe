"""Synapses as descriptions: shapes, norms, equal time constants, PSPs, golden numbers, files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.errors import NetworkError
from neuro_lif.exponentials import exp2, exp3
from neuro_lif.synapses import NORMS, described

TAUS = st.floats(0.1, 50)


@st.composite
def synapses(draw: Any, norms: tuple[str, ...] = NORMS) -> Any:
    norm = draw(st.sampled_from(norms))
    kind = draw(st.sampled_from([nl.Exponential, nl.Alpha, nl.BiExponential]))
    taus = [draw(TAUS) for _ in range(1 + (kind is nl.BiExponential))]
    return kind(*taus, norm)


def integral(values: Any, times: Any) -> float:
    """Simpson's rule on an even number of intervals."""
    h = times[1] - times[0]
    inner = 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum()
    return float(h / 3 * (values[0] + inner + values[-1]))


# ------------------------------------------------------------------------- golden numbers


@pytest.mark.parametrize(
    ("tau1", "tau2", "inverse_peak", "when", "area"),
    [
        (10, 5, 4, 6.931471805599, 20), (2, 10, 1.495348781221, 4.023594781085, 14.953487812212),
        (10, 2, 7.476743906106, 4.023594781085, 14.953487812212),
        (0.5, 2, 1.587401051968, 0.924196240747, 3.174802103936),
    ],
)  # fmt: skip
def test_bi_exponential_goldens(
    tau1: float, tau2: float, inverse_peak: float, when: float, area: float
) -> None:
    """Inverse peak of tau2/(tau2 - tau1) [exp(-t/tau2) - exp(-t/tau1)], its time, the area."""
    synapse = nl.BiExponential(tau1, tau2)
    assert synapse.peak_time == pytest.approx(when, abs=1e-12)
    assert synapse.area() == pytest.approx(area, abs=1e-11)
    assert synapse.area() / tau2 == pytest.approx(inverse_peak, abs=1e-12)
    assert synapse.current(synapse.peak_time) == pytest.approx(1.0, rel=1e-14)
    t = np.linspace(0, 60, 200)
    bracket = tau2 / (tau2 - tau1) * (np.exp(-t / tau2) - np.exp(-t / tau1))
    assert np.abs(synapse.shape(t) - synapse.area() / tau2 * bracket).max() < 1e-13


def test_the_sign_error_of_the_note() -> None:
    """As printed, beta tau2/(tau2 - tau1) [exp(-t/tau1) - exp(-t/tau2)] is negative everywhere."""
    t = np.linspace(0.01, 100, 10_000)
    for tau1, tau2 in ((10.0, 5.0), (2.0, 10.0)):
        printed = tau2 / (tau2 - tau1) * (np.exp(-t / tau1) - np.exp(-t / tau2))
        assert printed.max() < 0
        ours = nl.BiExponential(tau1, tau2)
        assert ours.shape(t).min() > 0
        assert np.abs(ours.shape(t) + ours.area() / tau2 * printed).max() < 1e-13
    t = np.linspace(0, 40, 40_001)
    printed = 5 / (5 - 10) * (np.exp(-t / 10) - np.exp(-t / 5))
    assert printed.min() == pytest.approx(-0.25, abs=1e-9)


def test_alpha_goldens() -> None:
    """Peak at tau, area e tau; t/tau**2 exp(-t/tau) where the area is 1."""
    assert nl.Alpha(10.0).area() == pytest.approx(27.1828182846, abs=1e-10)
    assert nl.Alpha(10.0).peak_time == 10.0
    t = np.linspace(0, 100, 1001)
    by_hand = t / 10 * np.exp(1 - t / 10)
    assert np.abs(nl.Alpha(10.0).current(t) - by_hand).max() < 1e-15
    area = nl.Alpha(10.0, "area").current(t)
    assert np.abs(area - t / 100 * np.exp(-t / 10)).max() < 1e-16
    assert nl.Alpha(10.0, "area").peak() == pytest.approx(np.exp(-1) / 10, rel=1e-15)


def test_exponential_goldens() -> None:
    """The microcircuit's J = 0.1756 mV gives a PSP of 0.149985491 mV; V kernel as NNMT has it."""
    synapse = nl.Exponential(0.5, "nnmt")
    when, peak = synapse.psp_peak(10.0, 250.0)
    assert 0.1756 * peak == pytest.approx(0.149985491, abs=5e-10)
    assert peak == pytest.approx((0.5 / 10) ** (0.5 / 9.5), rel=1e-14)
    assert when == pytest.approx(0.5 * 10 / 9.5 * np.log(20), rel=1e-14)
    t = np.linspace(0, 50, 400)
    kernel = 10 / 9.5 * (np.exp(-t / 10) - np.exp(-t / 0.5))
    assert np.abs(synapse.psp(t, 10.0, 250.0) - kernel).max() < 1e-15
    # I jumps by J tau_m / tau_s with a resistance of 1, and its integral is J tau_m
    assert synapse.peak(10.0) == pytest.approx(20.0) and synapse.area(10.0) == 10.0


# -------------------------------------------------------------------------- norms and shapes


@settings(max_examples=60, deadline=None)
@given(synapse=synapses(), capacitance=st.floats(0.1, 10))
def test_norms_are_what_they_say(synapse: Any, capacitance: float) -> None:
    """peak: largest current per weight; area: its integral; nnmt: integral over the capacitance."""
    longest = synapse.taus[0]
    times = np.linspace(0, 40 * longest, 40_001)
    current = synapse.current(times, capacitance)
    peak = float(synapse.current(synapse.peak_time, capacitance))
    assert peak == pytest.approx(synapse.peak(capacitance), rel=1e-13)
    assert current.max() <= peak * (1 + 1e-15)
    rel = 1e-6 if min(synapse.taus) > longest / 100 else 1e-3
    assert integral(current, times) == pytest.approx(synapse.area(capacitance), rel=rel)
    meant = {"peak": peak, "area": synapse.area(capacitance)}
    named = meant.get(synapse.norm, synapse.area(capacitance) / capacitance)
    assert named == pytest.approx(1.0, rel=1e-13)


@given(tau=TAUS)
def test_psp_is_another_name_of_nnmt(tau: float) -> None:
    for kind in (nl.Exponential, nl.Alpha):
        a, b = kind(tau, "psp"), kind(tau, "nnmt")
        assert a.peak(2.0) == b.peak(2.0)
    network = lambda norm: nl.Network(  # noqa: E731
        [nl.Population("n", 1, nl.LIF(20.0))],
        [nl.Projection("p", "s", "n", [[1.0]], nl.Exponential(tau, norm))],
        [nl.SpikeInput("s", 1)],
    )  # fmt: skip
    first, second = (nl.discretize(network(norm), 1.0) for norm in ("psp", "nnmt"))
    assert first.projections[0].weights == second.projections[0].weights


def test_a_weight_that_is_a_voltage_needs_a_capacitance() -> None:
    with pytest.raises(NetworkError, match="Alpha: capacitance = None, allowed: .*'nnmt'"):
        nl.Alpha(1.0, "nnmt").peak()
    assert nl.Alpha(1.0).peak() == 1.0


@settings(max_examples=60, deadline=None)
@given(tau=TAUS, gap=st.floats(-1e-5, 1e-5), t=st.floats(0, 10), tau_m=TAUS)
def test_equal_time_constants_are_the_limit(tau: float, gap: float, t: float, tau_m: float) -> None:
    """Nearly equal ones differ from an alpha by the order of their difference, never by noise."""
    alpha, near = nl.Alpha(tau), nl.BiExponential(tau, tau * (1 + gap))
    assert float(near.shape(t * tau)) == pytest.approx(
        float(alpha.shape(t * tau)), abs=2 * abs(gap) + 1e-15
    )
    assert near.area() == pytest.approx(alpha.area(), rel=abs(gap) + 1e-15)
    assert near.peak_time == pytest.approx(tau, rel=abs(gap) + 1e-15)
    a, b = alpha.psp(t * tau, tau_m, 1.0), near.psp(t * tau, tau_m, 1.0)
    assert float(b) == pytest.approx(float(a), rel=20 * abs(gap) + 1e-13)
    # to second order: the mean of the two time constants
    middle = nl.Alpha(tau * (1 + gap / 2))
    assert float(near.shape(t * tau)) == pytest.approx(
        float(middle.shape(t * tau)), abs=10 * gap**2 + 1e-15
    )


def test_exchanged_time_constants_give_the_same_current() -> None:
    t = np.linspace(0, 30, 100)
    a, b = nl.BiExponential(2.0, 7.0, "area"), nl.BiExponential(7.0, 2.0, "area")
    assert np.array_equal(a.current(t), b.current(t))


def test_nothing_before_the_spike() -> None:
    for synapse in (nl.Exponential(2.0), nl.Alpha(2.0), nl.BiExponential(1.0, 3.0)):
        assert not np.any(synapse.shape([-1.0, -1e-9]))
        assert not np.any(synapse.psp([-1.0, -1e-9], 10.0, 1.0))
    assert nl.Delta().psp([-1e-9, 0.0], 10.0).tolist() == [0.0, 1.0]


# ------------------------------------------------------------------------------------ PSPs


@settings(max_examples=40, deadline=None)
@given(synapse=synapses(("peak", "area")), tau_m=st.floats(1, 50) | st.just(np.inf))
def test_a_psp_is_the_convolution_with_the_membrane(synapse: Any, tau_m: float) -> None:
    """Against Simpson's rule of int exp(-(t - s) / tau_m) I(s) ds / C."""
    capacitance, until = 2.0, 3 * max(*synapse.taus, min(tau_m, 20.0))
    s = np.linspace(0, until, 20_001)
    product = np.exp(-(until - s) / tau_m) * synapse.current(s) / capacitance
    rel = 1e-6 if min(synapse.taus) > until / 300 else 2e-2
    assert float(synapse.psp(until, tau_m, capacitance)) == pytest.approx(
        integral(product, s), rel=rel
    )


@settings(max_examples=60, deadline=None)
@given(synapse=synapses(), tau_m=st.floats(1, 50), equal=st.booleans())
def test_the_peak_of_a_psp_is_its_largest_value(synapse: Any, tau_m: float, equal: bool) -> None:
    tau_m = synapse.taus[0] if equal else tau_m
    when, peak = synapse.psp_peak(tau_m, 2.0)
    around = when * np.array([1 - 1e-3, 1 - 1e-4, 1 + 1e-4, 1 + 1e-3])
    assert (synapse.psp(around, tau_m, 2.0) < peak).all()
    times = np.linspace(0, 20 * max(tau_m, *synapse.taus), 5000)
    assert synapse.psp(times, tau_m, 2.0).max() <= peak * (1 + 1e-14)


def test_without_a_leak_v_rises_to_the_charge_over_the_capacitance() -> None:
    for synapse in (nl.Exponential(3.0), nl.Alpha(3.0), nl.BiExponential(1.0, 3.0)):
        when, peak = synapse.psp_peak(np.inf, 4.0)
        assert when == np.inf and peak == pytest.approx(synapse.area() / 4)
        assert float(synapse.psp(300.0, np.inf, 4.0)) == pytest.approx(peak, rel=1e-13)
    assert nl.Delta().psp_peak(10.0) == (0.0, 1.0)


# ----------------------------------------------------------------- divided differences of exp


def exact(nodes: list[float]) -> float:
    """Divided difference of exp with 120 digits (equal nodes moved apart by 1e-40)."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 120
        moved = [Decimal(x) + k * Decimal("1e-40") for k, x in enumerate(sorted(nodes))]
        table = [x.exp() for x in moved]
        for level in range(1, len(moved)):
            table = [(table[k + 1] - table[k]) / (moved[k + level] - moved[k])
                     for k in range(len(table) - 1)]  # fmt: skip
        return float(table[0])


NODES = st.floats(-40, 0)


@settings(max_examples=200, deadline=None)
@given(x=NODES, y=NODES, z=NODES, gap=st.sampled_from([0.0, 1e-12, 1e-9, 1e-6, 0.1]))
def test_divided_differences_keep_their_digits(x: float, y: float, z: float, gap: float) -> None:
    for nodes in ([x, y, z], [x, x + gap, z], [x, x + gap, x - gap], [x, x + gap, x + gap]):
        assert float(exp2(*nodes[:2])) == pytest.approx(exact(nodes[:2]), rel=2e-15, abs=0)
        assert float(exp3(*nodes)) == pytest.approx(exact(nodes), rel=1e-14, abs=0)


# ------------------------------------------------------------------------------ in a network


@pytest.mark.parametrize(
    ("synapse", "text"),
    [
        (nl.Alpha(0.0), "synapse.tau = 0.0, allowed: one time constant > 0 s"),
        (nl.BiExponential(1.0, -2.0), "synapse.tau_decay = -2.0"),
        (nl.BiExponential(np.nan, 1.0), "synapse.tau_rise = nan, allowed: finite"),
        (nl.Alpha([1.0, 2.0]), "synapse.tau = "),  # type: ignore[arg-type]
        (nl.Alpha(1.0, "charge"), "synapse.norm = 'charge', allowed: \"peak\""),  # type: ignore[arg-type]
        ("alpha", "allowed: Delta"),
    ],
)  # fmt: skip
def test_faults_name_projection_and_field(synapse: Any, text: str) -> None:
    with pytest.raises(NetworkError, match="projection 'p': ") as caught:
        nl.Projection("p", "s", "n", [[1.0]], synapse)
    assert text in str(caught.value)


def test_time_constants_become_plain_floats() -> None:
    synapse = nl.Projection("p", "s", "n", [[1.0]], nl.BiExponential(np.float32(1), 2)).synapse
    assert synapse == nl.BiExponential(1.0, 2.0)
    assert [type(tau) for tau in synapse.taus] == [float, float]  # type: ignore[union-attr]


def test_short_names() -> None:
    named = [nl.Alpha(5e-3), nl.BiExponential(5e-4, 2e-3), nl.Exponential(1e-2), nl.Delta()]
    assert [described(s) for s in named] == ["alpha_5ms", "biexp_0p5ms_2ms", "exp_10ms", "delta"]
    assert all(described(s).isidentifier() for s in (nl.Alpha(1e-9), nl.Alpha(1e5)))
