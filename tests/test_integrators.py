"""The clocked integrators: convergence orders against closed forms, refractory rules, and the
constant input that converges to exactly the threshold and must never fire."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.discretize import StepRule
from neuro_lif.stimulus import Constant, Sampled

MS, MV, NA, MOHM = 1e-3, 1e-3, 1e-9, 1e6
INTEGRATORS = ("exact", "exp-euler", "euler")


def alone(neuron: Any, *inputs: Any) -> nl.Network:
    return nl.Network([nl.Population("n", 1, neuron)], (), inputs, [nl.Probe("n")])


def through(synapse: Any) -> nl.Network:
    """One spike in the first row, sent at its end, which arrives 1 ms later, onto a membrane."""
    weight = 1 * MV if isinstance(synapse, nl.Delta) else 1 * NA
    return nl.Network(
        [nl.Population("n", 1, nl.LIF(10 * MS, 10 * MOHM, v_threshold=1.0))],
        [nl.Projection("p", "s", "n", [[weight]], synapse, 1 * MS)],
        [nl.SpikeInput("s", 1, [0], [0.0])],
        [nl.Probe("n")],
    )


def error_at(network: nl.Network, exact: Any, dt: float, integrator: str, until: float) -> float:
    """Largest error of v at the grid times up to ``until``."""
    rule = StepRule(integrator=integrator)  # type: ignore[arg-type]
    n_steps = round(until / dt)
    found = nl.run_clocked(nl.discretize(network, dt, rule), n_steps).trace("n", "v")[:, 0]
    return float(np.abs(found - exact(dt * np.arange(1, n_steps + 1), dt)).max())


# ------------------------------------------------------------------------- convergence


SYNAPSES = [nl.Delta(), nl.Exponential(3 * MS), nl.Alpha(3 * MS), nl.BiExponential(1 * MS, 4 * MS)]
ORDERS = {
    "Delta": {"exact": None, "exp-euler": None, "euler": 1},
    "Exponential": {"exact": None, "exp-euler": 1, "euler": 1},
    "Alpha": {"exact": None, "exp-euler": 1, "euler": 1},
    "BiExponential": {"exact": None, "exp-euler": 1, "euler": 1},
}
"""Order of convergence; None: exact on the grid."""


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("synapse", SYNAPSES, ids=lambda s: type(s).__name__)
def test_order_of_convergence_of_a_psp(synapse: Any, integrator: str) -> None:
    def exact(t: Any, dt: float) -> Any:
        since = t - dt - 1 * MS
        since = np.where(np.abs(since) < 1e-12, 0.0, since)
        weight = 1 * MV if isinstance(synapse, nl.Delta) else 1 * NA
        return weight * synapse.psp(since, 10 * MS, 10 * MS / (10 * MOHM))

    steps = [MS / 4, MS / 16, MS / 64]
    errors = [error_at(through(synapse), exact, dt, integrator, 30 * MS) for dt in steps]
    scale = float(np.max(exact(np.linspace(0, 30 * MS, 500), 0.0)))
    order = ORDERS[type(synapse).__name__][integrator]
    if order is None:
        assert max(errors) < 1e-13 * scale * 64
    else:
        found = np.log(errors[1] / errors[2]) / np.log(4)
        assert abs(found - order) < 0.15, found
        assert errors[2] > 1e-4 * scale  # it is an error, not rounding


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_order_of_convergence_under_a_constant_current(integrator: str) -> None:
    """v(t) = R I (1 - exp(-t / tau)); exponential Euler is exact for a current that is held."""
    network = alone(nl.LIF(10 * MS, 10 * MOHM, v_threshold=1.0, i_bias=1 * NA))

    def exact(t: Any, dt: float) -> Any:
        return -10 * MV * np.expm1(-t / (10 * MS))

    errors = [error_at(network, exact, dt, integrator, 40 * MS) for dt in (MS, MS / 4, MS / 16)]
    if integrator == "euler":
        assert abs(np.log(errors[1] / errors[2]) / np.log(4) - 1) < 0.05
    else:
        assert max(errors) < 1e-15


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_varying_current_is_of_order_one_at_the_start_of_each_step(integrator: str) -> None:
    """Sample k, the current at k dt, is held from V[k] to V[k + 1]: the error is of order dt.

    Closed form of tau dv/dt = -v + A sin(w t) with v(0) = 0.
    """
    tau, omega, peak = 10 * MS, 2 * np.pi / (20 * MS), 8 * MV
    sine = nl.CurrentInput("i", "n", nl.stimulus.Sinusoid(0.0, 0.8 * NA, 20 * MS))
    network = alone(nl.LIF(tau, 10 * MOHM, v_threshold=1.0), sine)

    def exact(t: Any, dt: float) -> Any:
        x = omega * tau
        steady = np.sin(omega * t) - x * np.cos(omega * t)
        return peak / (1 + x**2) * (steady + x * np.exp(-t / tau))

    errors = [error_at(network, exact, dt, integrator, 50 * MS) for dt in (MS / 4, MS / 16)]
    assert abs(np.log(errors[0] / errors[1]) / np.log(4) - 1) < 0.1


def test_the_sample_convention() -> None:
    """A current in sample 2 alone moves V[3], the third row, and nothing before it."""
    pulse = Sampled([[0.0], [0.0], [1 * NA], [0.0]], 1 * MS)
    network = alone(nl.LIF(10 * MS, 10 * MOHM, v_threshold=1.0), nl.CurrentInput("i", "n", pulse))
    for integrator in INTEGRATORS:
        rule = StepRule(integrator=integrator)  # type: ignore[arg-type]
        v = nl.run_clocked(nl.discretize(network, MS, rule), 4).trace("n", "v")[:, 0]
        lost = 0.1 if integrator == "euler" else -np.expm1(-0.1)
        assert v[:2].tolist() == [0.0, 0.0]
        assert v[2] == pytest.approx(10 * MV * lost, rel=1e-14)
        assert v[3] == pytest.approx(v[2] * (1 - lost), rel=1e-14)


# ------------------------------------------------------------------------- refractory


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("nearest", [3, 2, 2, 5]), ("up", [3, 3, 2, 5]), ("down", [2, 2, 2, 5])],
)
def test_refractory_periods_that_are_no_whole_number_of_steps(
    rounding: Any, expected: list[int]
) -> None:
    """2.6, 2.5, 2 and 5 (4.999999999999999 in float64) steps; a half goes to the even number."""
    neuron = nl.LIF(10 * MS, t_refractory=[0.26 * MS, 0.25 * MS, 0.2 * MS, 0.1 * MS * 5])
    stepped = nl.discretize(
        nl.Network([nl.Population("n", 4, neuron)]), 0.1 * MS, StepRule(refractory=rounding)
    )
    assert stepped.populations[0].refractory.tolist() == expected
    (text,) = stepped.notes
    assert "t_refractory is not a whole number of steps: 2..5 steps become " in text
    assert text.endswith(f"(rule: {rounding})")


@pytest.mark.parametrize(("rounding", "interval"), [("nearest", 5), ("up", 6), ("down", 5)])
def test_the_interval_between_spikes_has_the_steps_of_the_rule(
    rounding: Any, interval: int
) -> None:
    """Fires three steps after being let go; held for 2.3 steps, as the rule rounds them."""
    neuron = nl.IF(1.0, v_threshold=2.5, t_refractory=2.3, i_bias=1.0)
    stepped = nl.discretize(alone(neuron), 1.0, StepRule(refractory=rounding))
    spikes = np.flatnonzero(nl.run_clocked(stepped, 60).spikes["n"][:, 0])
    assert set(np.diff(spikes)) == {interval}


# ------------------------------------------- a drive that converges to exactly the threshold


def at_threshold(how: str, current: Any = 1.5 * NA, n: int = 1, **more: Any) -> nl.Network:
    """The blog's neuron, its drive settling at exactly V_th: -65 mV + 10 MOhm 1.5 nA = -50 mV."""
    cell = {"tau_m": 10 * MS, "resistance": 10 * MOHM, "v_rest": -65 * MV, "v_reset": -65 * MV,
            "v_threshold": -50 * MV} | more  # fmt: skip
    if how == "bias":
        return nl.Network([nl.Population("n", n, nl.LIF(**cell, i_bias=current))])
    values = np.broadcast_to(current, (2000, n))
    stimulus = Constant(current) if how == "constant" else Sampled(values, 1 * MS)
    inputs = [nl.CurrentInput("i", "n", stimulus)]
    return nl.Network([nl.Population("n", n, nl.LIF(**cell))], (), inputs)


HOW = ("bias", "constant", "sampled")
COMPARE = (">", ">=")


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("compare", COMPARE)
@pytest.mark.parametrize("how", HOW)
def test_it_never_fires_in_float(how: str, compare: Any, integrator: Any) -> None:
    rule = StepRule(integrator=integrator, compare=compare)
    stepped = nl.discretize(at_threshold(how), 1 * MS, rule)
    found = nl.run_clocked(stepped, 2000, record="all")
    assert not found.spikes["n"].any()
    assert found.trace("n", "v")[-1, 0] == pytest.approx(15 * MV, rel=1e-14)


@pytest.mark.parametrize(
    "profile", ["loihi1", "loihi2", "lava-0.10", "nengo-loihi-1.1", "brian2-loihi-0.5", "generic"]
)
@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("compare", COMPARE)
@pytest.mark.parametrize("how", HOW)
def test_it_never_fires_in_integers(how: str, compare: Any, integrator: Any, profile: str) -> None:
    rule = StepRule(integrator=integrator, compare=compare)
    stepped = nl.discretize(at_threshold(how), 1 * MS, rule)
    if profile == "brian2-loihi-0.5" and how != "sampled":
        with pytest.raises(nl.NeuroLifError, match="needs a bias; brian2-loihi-0.5 has none"):
            nl.quantize(stepped, profile)
        return
    for compensated in (True, False):
        fixed = nl.quantize(stepped, profile, gain_compensation=compensated)
        found = nl.run_fixed(fixed, 2000, record="all")
        assert not found.spikes["n"].any()
        # it gets there: within 1 % of the threshold, and the ledger says what was done
        lsb = float(np.ravel(fixed.populations[0].lsb)[0])
        assert found.trace("n", "v")[-1, 0] * lsb == pytest.approx(15 * MV, rel=0.01)
        assert any("never reach the threshold" in text for text in fixed.ledger.notes)


@settings(max_examples=40, deadline=None)
@given(
    tau=st.floats(3, 200), threshold=st.floats(1, 50), compare=st.sampled_from(COMPARE),
    integrator=st.sampled_from(INTEGRATORS), how=st.sampled_from(HOW),
    profile=st.sampled_from(["loihi1", "loihi2", "generic", "narrow"]),
    share=st.sampled_from([1.0, 1 - 1e-9, 0.9999]),
)  # fmt: skip
def test_no_drive_at_or_below_the_threshold_fires_in_integers(
    tau: float, threshold: float, compare: Any, integrator: Any, how: str, profile: str,
    share: float,
) -> None:  # fmt: skip
    volts = threshold * MV
    network = at_threshold(
        how, share * volts / (10 * MOHM), tau_m=tau * MS, v_rest=0.0, v_reset=0.0,
        v_threshold=volts,
    )  # fmt: skip
    stepped = nl.discretize(network, 1 * MS, StepRule(integrator=integrator, compare=compare))
    narrow = {"state_bits": 20, "threshold_bits": 12, "bias_bits": 8}
    chip = nl.load_profile("generic", **narrow) if profile == "narrow" else profile
    found = nl.run_fixed(nl.quantize(stepped, chip), 2000)
    assert not found.spikes["n"].any()


def test_a_drive_above_the_threshold_fires_at_its_rate() -> None:
    """What is meant to fire is not held back: the same intervals as in float, within a step."""
    for profile in ("loihi1", "loihi2", "generic"):
        stepped = nl.discretize(at_threshold("bias", 1.6 * NA), 1 * MS)
        a = np.flatnonzero(nl.run_clocked(stepped, 2000).spikes["n"][:, 0])
        b = np.flatnonzero(nl.run_fixed(nl.quantize(stepped, profile), 2000).spikes["n"][:, 0])
        assert len(a) > 50
        assert np.abs(np.diff(a).mean() - np.diff(b).mean()) <= 1


def test_neurons_of_one_population_are_held_one_by_one() -> None:
    """Of three neurons one stays at the threshold, one far below it, one fires."""
    stepped = nl.discretize(at_threshold("bias", np.array([1.5, 0.7, 1.8]) * NA, 3), 1 * MS)
    fixed = nl.quantize(stepped, "loihi2")
    assert nl.run_fixed(fixed, 1000).spikes["n"].any(axis=0).tolist() == [False, False, True]
    assert any("of 1 neuron(s)" in text for text in fixed.ledger.notes)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("compare", COMPARE)
def test_with_the_integers_of_peers(how: str, compare: Any) -> None:
    """Those of Lava's tool chain stay silent; those of nengo-loihi fire, and are left as they are.

    nengo-loihi rounds its bias (to 128 LSB here) and its threshold (to 64) each for itself: the
    coded drive settles 192 LSB, 35 millionths, above the coded threshold. Our own coding of the
    same chip (profile nengo-loihi-1.1 above) holds the drive below it.
    """
    stepped = nl.discretize(at_threshold(how), 1 * MS, StepRule(compare=compare))
    lava = nl.quantize(stepped, "lava-0.10", coding="lava")
    assert not nl.run_fixed(lava, 2000).spikes["n"].any()
    peer = nl.quantize(stepped, "nengo-loihi-1.1", coding="nengo-loihi")
    assert nl.run_fixed(peer, 2000).spikes["n"].any()
    if how != "sampled":
        params = {name: int(np.ravel(value)[0]) for name, value in peer.params("n").items()}
        settles = params["bias"] / (params["dv"] / 4096)
        assert settles - params["vth"] == pytest.approx(192, abs=1)
