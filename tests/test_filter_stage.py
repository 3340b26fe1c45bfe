"""Alpha and bi-exponential synapses in steps: the filter stage against sums of closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lava_runs import LAVA_TESTS

import neuro_lif as nl
from neuro_lif.discretize import StepRule
from neuro_lif.errors import LoweringError
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


# -------------------------------------------------------------------------- in integers

MS = 1e-3
DT = 1 * MS


def several(rng: np.random.Generator, kinds: list[Any], n: int = 4, **cell: Any) -> nl.Network:
    """One population, each of ``kinds`` on a projection of its own, with delays."""
    neuron = nl.LIF(**{"tau_m": 20 * MS, "v_threshold": 1.0} | cell)
    projections = [
        nl.Projection(f"p{k}", "in", "cells", rng.normal(0.1, 0.3, (n, 12)), synapse,
                      rng.integers(1, 4, (n, 12)) * DT)
        for k, synapse in enumerate(kinds)
    ]  # fmt: skip
    return nl.Network([nl.Population("cells", n, neuron)], projections, [nl.SpikeInput("in", 12)],
                      [nl.Probe("cells")])  # fmt: skip


KINDS = {
    "alpha": [nl.Alpha(5 * MS)],
    "biexp": [nl.BiExponential(2 * MS, 8 * MS)],
    "two time constants": [nl.Exponential(2 * MS), nl.Exponential(9 * MS)],
    "delta too": [nl.Delta(), nl.Exponential(9 * MS)],
    "all": [nl.Exponential(2 * MS), nl.BiExponential(4 * MS, 9 * MS), nl.Alpha(6 * MS)],
}


def in_volts(fixed: nl.FixedNetwork, recording: nl.Recording) -> np.ndarray:
    found: np.ndarray = recording.traces["cells", "v"] * np.asarray(fixed.population("cells").lsb)
    return found


@pytest.mark.parametrize("profile", ["loihi2", "generic"])
@pytest.mark.parametrize("kinds", KINDS)
def test_integers_follow_the_rounded_float_network(profile: str, kinds: str) -> None:
    """State rounding alone: below threshold v differs by less than the bound of the truncations."""
    rng = np.random.default_rng(7)
    stepped = nl.discretize(several(rng, KINDS[kinds], v_threshold=50.0), DT)
    fixed = nl.quantize(stepped, profile)
    raster = rng.random((400, 12)) < 0.05
    b = nl.run_fixed(fixed, inputs={"in": raster})
    a = nl.run_clocked(nl.dequantize(fixed, stepped), inputs={"in": raster})
    assert not b.events
    cells, params = fixed.population("cells"), fixed.params("cells")
    offset = 1.0 if profile == "loihi2" else 0.0
    loss_u, loss_v = (params["du"][0] + offset) / 4096, params["dv"][0] / 4096
    # each decay loses up to 1 LSB a step; a stage is less than one unit (64 LSB) behind, and its
    # own decay loses less than one of its LSB, which is no coarser, to what u takes from it
    stages = [p for p in fixed.populations if p.model == "filter"]
    behind = 0.0
    for p in stages:
        lost = (fixed.params(p.name)["du"][0] + offset) / 4096
        finer = np.asarray(p.lsb)[0] / np.asarray(cells.lsb)[0]
        behind += 64 * (1 + 1 / loss_u) + finer / lost / loss_u
    bound = (1 + 1 / loss_u + behind) / loss_v
    error = np.abs(in_volts(fixed, b) - a.traces["cells", "v"]) / np.asarray(cells.lsb)
    assert error.max() < bound
    assert error.max() < 2e-3 * np.abs(b.traces["cells", "v"]).max()


@pytest.mark.parametrize("kinds", ["alpha", "all"])
def test_the_error_shrinks_with_bits(kinds: str) -> None:
    """Against the float reference, with weights (and decays) of 4, 8 and 14 bits."""
    rng = np.random.default_rng(3)
    stepped = nl.discretize(several(rng, KINDS[kinds], v_threshold=50.0), DT)
    raster = rng.random((400, 12)) < 0.05
    exact = nl.run_clocked(stepped, inputs={"in": raster}).traces["cells", "v"]
    errors = []
    for bits in (4, 8, 14):
        profile = nl.load_profile(
            "generic", weight_bits=bits, decay_bits=min(bits + 4, 16), state_bits=24 + bits // 2,
            threshold_bits=24, sum_bits=32,
        )  # fmt: skip
        fixed = nl.quantize(stepped, profile)
        found = in_volts(fixed, nl.run_fixed(fixed, inputs={"in": raster}))
        errors.append(np.abs(found - exact).max() / np.abs(exact).max())
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[1] < 0.03 and errors[2] < 1e-3


def test_integers_follow_the_closed_form() -> None:
    """One spike through an alpha synapse on loihi2: the PSP within 1 % of its peak everywhere."""
    neuron = nl.LIF(20 * MS, 1.0, v_threshold=5.0)
    network = driven(neuron, nl.Alpha(5 * MS), np.array([[1.0]]), 0.0)
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, "loihi2")
    raster = np.zeros((120, 1), int)
    raster[0] = 1
    found = in_volts(fixed, nl.run_fixed(fixed, inputs={"in": raster}))[:, 0]
    psp = nl.Alpha(5 * MS).psp(DT * np.arange(120), 20 * MS, 20 * MS)
    assert np.abs(found - psp).max() < 0.01 * psp.max()


@st.composite
def lowered(draw: Any) -> nl.FixedNetwork:
    """Networks with filter stages in integers, recurrent too, on both profiles that have them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from([
        nl.Delta(), nl.Exponential(3 * MS), nl.Exponential(11 * MS), nl.Alpha(4 * MS),
        nl.BiExponential(2 * MS, 7 * MS), nl.BiExponential(5 * MS, 5.000001 * MS),
    ]), min_size=1, max_size=3))  # fmt: skip
    one = several(rng, kinds, n=3, v_threshold=rng.uniform(0.3, 2, 3))
    back = nl.Projection("back", "cells", "cells", rng.normal(0, 0.3, (3, 3)),
                         draw(st.sampled_from([nl.Alpha(6 * MS), nl.Exponential(3 * MS)])),
                         2 * DT)  # fmt: skip
    network = nl.Network(one.populations, [*one.projections, back], one.inputs, one.probes)
    stepped = nl.discretize(network, DT, draw(st.sampled_from(["exact", "euler", "exp-euler"])))
    config: dict[str, Any] = {}
    profile = draw(st.sampled_from(["loihi2", "generic"]))
    if profile == "generic":
        config = {"weight_bits": draw(st.integers(3, 8)), "align_shift": draw(st.integers(0, 6)),
                  "rounding": draw(st.sampled_from(["rtz", "floor", "nearest_up"]))}  # fmt: skip
    return nl.quantize(stepped, nl.load_profile(profile, **config))


@settings(max_examples=20, deadline=None)
@given(fixed=lowered(), seed=st.integers(0, 2**32 - 1))
def test_semantics_numpy_and_kernel_are_equal_bit_for_bit(
    fixed: nl.FixedNetwork, seed: int
) -> None:
    raster = (np.random.default_rng(seed).random((60, 12)) < 0.15).astype(int)
    living = nl.run_semantics(fixed, inputs={"in": raster}, record="all")
    engines = ["numpy"] + ["kernel"] * (native() is not None)
    for engine in engines:
        found = nl.run_fixed(fixed, inputs={"in": raster}, record="all", engine=engine)
        for name, rows in living.spikes.items():
            assert np.array_equal(found.spikes[name], rows), (engine, name)
        for key, trace in living.traces.items():
            assert np.array_equal(found.traces[key], trace), (engine, key)


@settings(max_examples=15, deadline=None)
@given(fixed=lowered(), seed=st.integers(0, 2**32 - 1))
def test_proved_head_room_holds(fixed: nl.FixedNetwork, seed: int) -> None:
    """All sources at once: registers stay below what the ledger proves, stages included."""
    proved = {(h.where, h.register): h for h in fixed.ledger.headroom if h.proved}
    raster = np.random.default_rng(seed).random((80, 12)) < 0.9
    found = nl.run_fixed(fixed, inputs={"in": raster}, record="all")
    for (name, variable), trace in found.traces.items():
        kind = "filter stage" if fixed.population(name).model == "filter" else "population"
        row = proved.get((f"{kind} {name!r}", variable))
        if row is not None and kind == "filter stage" and variable == "u":
            assert np.abs(trace).max() <= row.bound


def test_what_a_stage_sends_adds_up_to_its_state() -> None:
    """Nothing that the shift cuts off is lost: the sums differ by less than one unit."""
    rng = np.random.default_rng(1)
    fixed = nl.quantize(nl.discretize(several(rng, [nl.Alpha(5 * MS)]), DT), "loihi2")
    stage = fixed.populations[1]
    shift = int(fixed.params(stage.name)["out_shift"][0])
    raster = rng.random((500, 12)) < 0.1
    found = nl.run_fixed(fixed, inputs={"in": raster}, record="all")
    sent = np.cumsum(found.spikes[stage.name].astype(np.int64), axis=0)
    states = np.cumsum(found.traces[stage.name, "u"], axis=0)
    assert shift > 6 and np.array_equal(states >> shift, sent)


# ---------------------------------------------------------------------------- on targets


def same_elsewhere(profile: str, run: Any) -> None:
    rng = np.random.default_rng(11)
    fixed = nl.quantize(nl.discretize(several(rng, KINDS["all"]), DT), profile)
    raster = (rng.random((40, 12)) < 0.15).astype(int)
    here, there = nl.run_fixed(fixed, inputs={"in": raster}), run(fixed, inputs={"in": raster})
    assert len(here.spikes) == 7 and here.spikes["cells"].any()
    for name, rows in here.spikes.items():
        assert np.array_equal(there.spikes[name], rows), name


def needing_lava(test: Any) -> Any:
    for mark in LAVA_TESTS:
        test = mark(test)
    return test


@pytest.mark.parametrize("profile", ["loihi2", "generic"])
def test_nengo_sends_the_same_integers(profile: str) -> None:
    nengo = pytest.importorskip("neuro_lif.targets.nengo")
    same_elsewhere(profile, nengo.run_nengo_fixed)


@needing_lava
def test_lava_sends_the_same_integers() -> None:
    from neuro_lif.targets.lava import run_lava

    same_elsewhere("loihi2", run_lava)


# ---------------------------------------------------------------- what cannot be, by name

OTHERS = ["loihi1", "lava-0.10", "nengo-loihi-1.1", "brian2-loihi-0.5"]


@pytest.mark.parametrize("profile", OTHERS)
def test_profiles_without_graded_stages_refuse_by_name(profile: str) -> None:
    stepped = nl.discretize(several(np.random.default_rng(0), [nl.Alpha(5 * MS)]), DT)
    text = rf"'cells' has alpha or bi-exponential.*{profile}.*approximate=\(\"synapse\"\,\)"
    with pytest.raises(LoweringError, match=text):
        nl.quantize(stepped, profile)


@pytest.mark.parametrize("profile", OTHERS)
@pytest.mark.parametrize("synapse", [nl.Alpha(3 * MS), nl.BiExponential(2 * MS, 5 * MS)])
def test_the_approximation_keeps_the_charge(profile: str, synapse: Any) -> None:
    """One exponential of the same area: v summed over a PSP is the same."""
    network = driven(nl.LIF(20 * MS, v_threshold=10.0), synapse, np.array([[1.0]]), 0.0)
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, profile, approximate=("synapse",))
    assert len(fixed.ledger.approximations) == 1 and len(fixed.populations) == 1
    raster = np.zeros((400, 1), int)
    raster[0] = 1
    exact = nl.run_clocked(stepped, inputs={"in": raster}).traces["cells", "v"]
    found = in_volts(fixed, nl.run_fixed(fixed, inputs={"in": raster}))
    assert found.sum() == pytest.approx(exact.sum(), rel=0.03)
    assert np.abs(found - exact).max() < 0.35 * exact.max()


@pytest.mark.parametrize("coding", ["nengo-loihi", "lava"])
def test_codings_of_peers_refuse_stages_by_name(coding: str) -> None:
    stepped = nl.discretize(several(np.random.default_rng(0), [nl.Alpha(5 * MS)]), DT)
    profile = {"nengo-loihi": "nengo-loihi-1.1", "lava": "lava-0.10"}[coding]
    with pytest.raises(LoweringError, match="filter stage 'cells__alpha_5ms'.*coding " + coding):
        nl.quantize(stepped, profile, coding=coding)


def test_one_stage_serves_all_projections_of_its_time_constants() -> None:
    rng = np.random.default_rng(0)
    kinds = [nl.Alpha(5 * MS), nl.Alpha(5 * MS, "area"), nl.BiExponential(5 * MS, 5 * MS)]
    stepped = nl.discretize(several(rng, kinds), DT)
    assert [p.name for p in stepped.populations] == ["cells", "cells__alpha_5ms"]
    assert len(stepped.projections) == 7
    # Euler's first step has nothing of the current yet: nothing goes to u directly
    euler = nl.discretize(several(rng, kinds), DT, "euler")
    assert [q.name for q in euler.projections] == ["p0", "p1", "p2", "cells__alpha_5ms__out"]


def test_names_in_use_are_avoided() -> None:
    network = driven(nl.LIF(20 * MS), nl.Alpha(5 * MS), np.array([[1.0]]), 0.0)
    taken = nl.Network(
        [*network.populations, nl.Population("cells__alpha_5ms", 1, nl.LIF(1.0))],
        [*network.projections, nl.Projection("p__filter", "in", "cells", [[1.0]])],
        network.inputs,
    )
    stepped = nl.discretize(taken, DT)
    assert stepped.populations[-1].name == "cells__alpha_5ms_"
    assert "p__filter_" in [q.name for q in stepped.projections]


def test_thresholds_of_one_population_share_a_code_through_a_stage() -> None:
    """Where a chip has one threshold for all, neurons have their own LSB; so have their stages."""
    raw = nl.load_profile("loihi2").model_dump(by_alias=True)
    raw["params"]["vth"]["per"] = "population"
    profile = nl.HardwareProfile.model_validate(raw)
    rng = np.random.default_rng(5)
    stepped = nl.discretize(several(rng, [nl.Alpha(5 * MS)], v_threshold=[40.0, 80, 60, 50]), DT)
    fixed = nl.quantize(stepped, profile)
    raster = rng.random((300, 12)) < 0.05
    exact = nl.run_clocked(stepped, inputs={"in": raster}).traces["cells", "v"]
    found = in_volts(fixed, nl.run_fixed(fixed, inputs={"in": raster}))
    assert len(np.unique(fixed.populations[1].lsb)) == 4
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.skipif(native() is None, reason="no compiled kernel")
def test_what_leaves_float64_does_so_alike_in_both_engines() -> None:
    """inf in a stage reaches u as inf; where it cancels, NaN; the engines agree."""
    weights = np.array([[1e308, -1e308], [1e308, 0.0]])
    network = driven(nl.LI(20.0), nl.Alpha(5.0), weights, 0.0)
    stepped = nl.discretize(network, 1.0)
    raster = np.zeros((30, 2))
    raster[:8, 0], raster[15:, 1] = 60, 5000
    found = [
        nl.run_clocked(stepped, inputs={"in": raster}, record="all", engine=engine)
        for engine in ("numpy", "kernel")
    ]
    for key, trace in found[0].traces.items():
        assert np.array_equal(trace, found[1].traces[key], equal_nan=True)
    v = found[0].trace("cells", "v")
    assert np.isinf(v[:, 1]).any() and np.isnan(v[:, 0]).any() and np.isfinite(v[:2]).all()
