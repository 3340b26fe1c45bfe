"""The rung between: rounded parameters, float state; and the error theory of the integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_network, random_profile, sharing
from scipy import sparse

import neuro_lif as nl
from neuro_lif.arrays import entries
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.lower.draft import APPROXIMATIONS
from neuro_lif.stimulus import Constant, Sampled

DT = 1e-3


def driven(neuron: Any, weights: Any, synapse: Any, n: int = 1) -> nl.Network:
    return nl.Network(
        [nl.Population("p", n, neuron)],
        [nl.Projection("w", "x", "p", weights, synapse, DT)],
        [nl.SpikeInput("x", weights.shape[1])],
    )


@given(
    seed=st.integers(0, 2**32),
    tau_m=st.floats(2e-3, 0.4),
    tau_syn=st.one_of(st.none(), st.floats(1e-3, 50e-3)),
    profile=st.sampled_from(["loihi1", "loihi2", "lava-0.10", "generic"]),
    bits=st.integers(2, 8),
)
@settings(max_examples=40, deadline=None)
def test_integers_stay_within_the_error_bound(
    seed: int, tau_m: float, tau_syn: float | None, profile: str, bits: int
) -> None:
    """Below threshold, integers and rounded-parameter floats differ by rounding of the state alone.

    Each step rounds u and v toward zero, so ``e_u <= 1/du`` and ``e_v <= (1 + e_u)/dv`` LSB.
    """
    rng = np.random.default_rng(seed)
    synapse = nl.Delta() if tau_syn is None else nl.Exponential(tau_syn)
    network = driven(nl.LI(tau_m), rng.normal(0, 1, (3, 6)), synapse, 3)
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, profile, weight_bits=bits)
    back = nl.dequantize(fixed, stepped)
    inputs = {"x": (rng.random((300, 6)) < 0.2).astype(np.int64)}
    a = nl.run_clocked(back, inputs=inputs, record="all")
    b = nl.run_fixed(fixed, inputs=inputs, record="all")
    assert not b.events
    lsb = np.asarray(fixed.population("p").lsb)
    p = back.populations[0]
    e_u = np.where(p.decay_u[0] > 0, 1.0 / (1.0 - p.decay_u[0]), 0.0)
    e_v = (1.0 + e_u) / p.leak_v
    difference_u = np.abs(a.traces["p", "u"] / lsb - b.traces["p", "u"])
    difference_v = np.abs(a.traces["p", "v"] / lsb - b.traces["p", "v"])
    assert np.all(difference_u <= e_u + 1e-6)
    assert np.all(difference_v <= e_v + 1e-6)
    # truncation lowers the magnitude; the theory's mean is half the worst
    assert difference_v.mean() <= 0.75 * e_v.max() + 1


def test_parameters_are_the_coded_ones() -> None:
    """Weights within half a step unless clipped, threshold within half a unit, decays as coded."""
    rng = np.random.default_rng(3)
    for profile in ("loihi1", "loihi2", "generic"):
        for bits in (3, 5, 8):
            neuron = nl.LIF(20e-3, v_threshold=1.0, i_bias=rng.uniform(-1, 1, 4))
            network = driven(neuron, rng.normal(0, 0.1, (4, 30)), nl.Exponential(5e-3), 4)
            stepped = nl.discretize(network, DT)
            fixed = nl.quantize(stepped, profile, weight_bits=bits, gain_compensation=False)
            back = nl.dequantize(fixed, stepped)
            q, lsb = fixed.projections[0], float(np.asarray(fixed.population("p").lsb)[0])
            rules = fixed.profile.weights
            step = rules.step(str(q.sign_mode), bits) * 2.0**q.exponent * 64 * lsb
            error = np.abs(back.projections[0].weights - stepped.projections[0].weights)
            noted = next(e for e in fixed.ledger.entries if e.field == "weights")
            assert np.sum(error > step / 2 * (1 + 1e-9)) == noted.clipped
            p, was = back.populations[0], stepped.populations[0]
            assert np.all(np.abs(p.threshold - was.threshold) <= 32 * lsb * (1 + 1e-9))
            bias_unit = 2.0 ** np.max(fixed.params("p")["bias_exp"]) * lsb
            assert np.all(np.abs(p.bias - was.bias) <= bias_unit / 2 * (1 + 1e-9))
            assert np.all(np.abs(p.leak_v - was.leak_v) <= 0.5 / 4096 + 1e-15)
            assert np.all(np.abs(p.decay_u - was.decay_u) <= 0.5 / 4096 + 1e-15)


@pytest.mark.parametrize("compensate", [True, False])
def test_constant_currents_count_once(compensate: bool) -> None:
    """A constant current is in the coded bias, and the float runner adds it by itself."""
    neuron = nl.LIF(tau_m=0.31, v_threshold=9.0)
    constant = nl.CurrentInput("c", "p", Constant(2.0))
    varying = nl.CurrentInput("s", "p", Sampled(np.full((400, 1), 0.5), DT))
    for currents in ([constant], [constant, varying]):
        stepped = nl.discretize(nl.Network([nl.Population("p", 1, neuron)], (), currents), DT)
        fixed = nl.quantize(stepped, "loihi2", gain_compensation=compensate)
        a = nl.run_clocked(stepped, 400, record="all").volts("p")
        r = nl.run_clocked(nl.dequantize(fixed, stepped), 400, record="all").volts("p")
        b = nl.run_fixed(fixed, 400, record="all").volts("p")
        assert np.abs(a - r).max() < 0.02 * a.max()
        assert np.abs(r - b).max() < 0.002 * a.max()


def test_bias_and_constant_current_are_the_same() -> None:
    biased = nl.Network([nl.Population("p", 1, nl.LIF(20e-3, i_bias=1.7))])
    current = nl.Network(
        [nl.Population("p", 1, nl.LIF(20e-3))], (), [nl.CurrentInput("c", "p", Constant(1.7))]
    )
    runs = []
    for network in (biased, current):
        stepped = nl.discretize(network, DT)
        back = nl.dequantize(nl.quantize(stepped, "loihi2"), stepped)
        runs.append(nl.run_clocked(back, 200, record="all").volts("p"))
    assert np.allclose(runs[0], runs[1], rtol=0, atol=1e-12)


def test_each_neuron_its_own_lsb() -> None:
    thresholds = np.array([0.2, 1.0, 3.0])
    network = driven(nl.LIF(20e-3, v_threshold=thresholds), np.full((3, 2), 0.1), nl.Delta(), 3)
    stepped = nl.discretize(network, DT)
    profile = sharing(nl.load_profile("loihi1"), "vth", "population")
    back = nl.dequantize(nl.quantize(stepped, profile), stepped)
    assert back.populations[0].threshold == pytest.approx(thresholds, rel=1e-3)
    assert np.asarray(back.projections[0].weights) == pytest.approx(0.1, rel=0.02)


def test_spike_times_agree_with_the_integers() -> None:
    """Random networks: rounded parameters in float and the integers spike alike, on average."""
    shares = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        network, profile = random_network(rng, 150), random_profile(rng)
        if profile.register_ranges["v"][1] < 2**20:
            continue
        stepped = nl.discretize(network, DT)
        try:
            fixed = nl.quantize(stepped, profile, approximate=tuple(APPROXIMATIONS))
        except LoweringError:
            continue
        inputs = {"x": (rng.random((150, network.spike_inputs[0].size)) < 0.2).astype(np.int64)}
        a = nl.run_clocked(nl.dequantize(fixed, stepped), 150, inputs)
        b = nl.run_fixed(fixed, 150, inputs)
        if not b.events:
            shares += [p.agreement for p in nl.compare(a, b).populations]
    assert len(shares) >= 15 and np.mean(shares) > 0.9, np.mean(shares)


def test_structure_is_kept() -> None:
    rng = np.random.default_rng(1)
    weights = sparse.csr_matrix(rng.random((3, 4)) * (rng.random((3, 4)) < 0.5))
    stepped = nl.discretize(driven(nl.LIF(20e-3), weights, nl.Delta(), 3), DT)
    back = nl.dequantize(nl.quantize(stepped, "loihi2"), stepped)
    assert sparse.issparse(back.projections[0].weights)
    assert len(entries(back.projections[0].weights)) == weights.nnz
    assert back.notes[-1] == "parameters rounded for loihi2"


def test_networks_that_do_not_belong_together() -> None:
    one, two = (
        nl.discretize(nl.Network([nl.Population(name, 1, nl.LIF(20e-3))]), DT) for name in "ab"
    )
    with pytest.raises(RangeError, match=r"populations = \[\('a', 1\)\]"):
        nl.dequantize(nl.quantize(one, "loihi2"), two)
