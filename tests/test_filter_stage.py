"""Alpha and bi-exponential synapses in steps: the filter stage against sums of closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.discretize import StepRule
from neuro_lif.kernel import native

FAR = 1e9


def cells(kind: str, n: int, rng: np.random.Generator) -> Any:
    """Neurons that never spike, each with parameters of its own."""
    tau, resistance = rng.uniform(3, 30, n), rng.uniform(0.5, 3, n)
    if kind == "IF":
        return nl.IF(capacitance=tau / resistance, v_threshold=FAR)
    if kind == "LI":
        return nl.LI(tau, resistance)
    return nl.LIF(tau, resistance, v_threshold=FAR)


def membrane(neuron: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(neuron, nl.IF):
        capacitance = np.asarray(neuron.capacitance)
        return np.full(capacitance.shape, np.inf), capacitance
    return np.asarray(neuron.tau_m), np.asarray(neuron.tau_m) / np.asarray(neuron.resistance)


def superposed(
    neuron: Any, synapse: Any, weights: np.ndarray, delays: np.ndarray, raster: np.ndarray,
    dt: float,
) -> np.ndarray:  # fmt: skip
    """V at the end of every step as the sum of PSPs ``(n_steps, n_post)``.

    A spike of row i is sent at (i + 1) dt, as a neuron's would be, and arrives a delay later.
    """
    times = dt * np.arange(1, len(raster) + 1)
    tau_m, capacitance = membrane(neuron)
    out = np.zeros((len(raster), len(tau_m)))
    for row, pre in zip(*np.nonzero(raster), strict=True):
        for post in range(len(tau_m)):
            since = times - dt * (row + 1 + delays[post, pre])
            # a grid time a rounding error before the arrival is the arrival
            since = np.where(np.abs(since) < 1e-9 * dt, 0.0, since)
            psp = synapse.psp(since, tau_m[post], capacitance[post])
            out[:, post] += raster[row, pre] * weights[post, pre] * psp
    return out


@st.composite
def synapses(draw: Any) -> Any:
    norm = draw(st.sampled_from(["peak", "area", "nnmt"]))
    tau = draw(st.floats(0.5, 20))
    kind = draw(st.sampled_from(["alpha", "biexp", "nearly equal"]))
    if kind == "alpha":
        return nl.Alpha(tau, norm)
    other = (
        tau * (1 + draw(st.floats(-1e-6, 1e-6))) if kind != "biexp" else draw(st.floats(0.5, 20))
    )
    return nl.BiExponential(tau, other, norm)


def driven(neuron: Any, synapse: Any, weights: Any, delays: Any, probe: str = "v") -> nl.Network:
    return nl.Network(
        [nl.Population("cells", weights.shape[0], neuron)],
        [nl.Projection("p", "in", "cells", weights, synapse, delays)],
        [nl.SpikeInput("in", weights.shape[1])],
        [nl.Probe("cells", probe)],
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    synapse=synapses(), kind=st.sampled_from(["LIF", "IF", "LI"]), seed=st.integers(0, 2**32 - 1),
    dt=st.sampled_from([0.1, 0.5, 1.0]),
)  # fmt: skip
def test_every_step_is_the_sum_of_closed_forms(
    synapse: Any, kind: str, seed: int, dt: float
) -> None:
    rng = np.random.default_rng(seed)
    neuron = cells(kind, 3, rng)
    weights, delays = rng.normal(0, 1, (3, 2)), rng.integers(0, 4, (3, 2))
    raster = rng.poisson(0.1, (60, 2))
    raster[0, 0] = 1
    stepped = nl.discretize(driven(neuron, synapse, weights, delays * dt), dt)
    assert [p.name for p in stepped.described] == ["cells"]
    assert sum(p.graded for p in stepped.populations) == 1
    found = nl.run_clocked(stepped, inputs={"in": raster}, engine="numpy").traces["cells", "v"]
    wanted = superposed(neuron, synapse, weights, delays, raster, dt)
    scale = np.abs(superposed(neuron, synapse, np.abs(weights), delays, raster, dt)).max()
    assert np.abs(found - wanted).max() <= 1e-12 * scale


@pytest.mark.skipif(native() is None, reason="no compiled kernel")
@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_both_engines_are_equal_bit_for_bit(data: Any, seed: int) -> None:
    """Spiking networks with all kinds of synapses, recurrent, sparse and dense, with delays."""
    network = mixed(data, np.random.default_rng(seed))
    rule = StepRule(integrator=data.draw(st.sampled_from(["exact", "exp-euler", "euler"])))
    stepped = nl.discretize(network, 0.5, rule)
    raster = np.random.default_rng(seed).poisson(0.3, (2, 50, 3))
    a, b = (
        nl.run_clocked(stepped, inputs={"in": raster}, record="all", engine=engine)
        for engine in ("numpy", "kernel")
    )
    assert a.spikes.keys() == b.spikes.keys() == {"a", "b"}
    for name in a.spikes:
        assert np.array_equal(a.spikes[name], b.spikes[name])
    assert a.traces.keys() == b.traces.keys()
    for key, trace in a.traces.items():
        assert trace.tobytes() == b.traces[key].tobytes()


def mixed(data: Any, rng: np.random.Generator) -> nl.Network:
    from scipy import sparse

    kinds = st.sampled_from(["delta", "exp", "two"])
    projections = []
    sizes = {"in": 3, "a": 4, "b": 9}
    for k in range(data.draw(st.integers(1, 5))):
        pre = data.draw(st.sampled_from(["in", "a", "b"]))
        post = data.draw(st.sampled_from(["a", "b"]))
        kind = data.draw(kinds)
        synapse = nl.Delta() if kind == "delta" else nl.Exponential(data.draw(st.floats(1, 9)))
        synapse = data.draw(synapses()) if kind == "two" else synapse
        weights = rng.normal(1, 2, (sizes[post], sizes[pre])) * (rng.random() < 0.9)
        matrix = sparse.csr_matrix(weights * (rng.random(weights.shape) < 0.4))
        delay = rng.integers(0, 3) * 0.5
        projections.append(nl.Projection(
            f"p{k}", pre, post, matrix if data.draw(st.booleans()) else weights, synapse, delay
        ))  # fmt: skip
    return nl.Network(
        [nl.Population("a", 4, nl.LIF(10.0, v_threshold=3.0, t_refractory=1.0)),
         nl.Population("b", 9, nl.IF(4.0, v_threshold=2.0, reset="subtract"))],
        projections,
        [nl.SpikeInput("in", 3)],
    )  # fmt: skip
