"""Networks of our own as NIR graphs: they run spike for spike as we do, and are read back equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif import nir
from neuro_lif.errors import NetworkError, RangeError
from neuro_lif.network import (
    IF,
    LI,
    LIF,
    Alpha,
    Constant,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    PoissonInput,
    Population,
    Probe,
    Projection,
    Sinusoid,
    SpikeInput,
)
from neuro_lif.nir.export import EXPORT
from neuro_lif.stepped import RULES, StepRule

DT = 1e-3
STEPS = 60


def network(seed: int) -> Network:
    """A random network of all kinds that NIR can say."""
    rng = np.random.default_rng(seed)
    resets: Any = rng.choice(["value", "subtract"])
    at_rest = resets == "subtract" or rng.random() < 0.5
    populations, sizes = [], {}
    for k in range(int(rng.integers(1, 4))):
        n = int(rng.integers(1, 5))
        rest = rng.normal(0, 0.2, n) if rng.random() < 0.5 else 0.0
        reset = None if at_rest else rng.normal(-0.5, 0.2, n)
        above = rng.uniform(0.5, 1.5, n) + np.asarray(rest)
        bias = rng.uniform(-0.3, 0.8, n) if rng.random() < 0.4 else 0.0
        neuron: Any = LIF(rng.uniform(5e-3, 30e-3, n), rng.uniform(0.5, 2, n), rest, above,
                          reset, i_bias=bias, reset=resets)  # fmt: skip
        if rng.random() < 0.25:
            neuron = IF(rng.uniform(5e-3, 3e-2, n), above, rest, i_bias=bias, reset=resets)
        if k and rng.random() < 0.2:
            neuron = LI(rng.uniform(5e-3, 30e-3, n), 1.0, rest, bias)
        populations.append(Population(f"p{k}", n, neuron))
        sizes[f"p{k}"] = n
    inputs: list[Any] = [SpikeInput("x", int(rng.integers(1, 5)))]
    sources = sizes | {"x": inputs[0].size}
    projections = []
    for k in range(int(rng.integers(1, 7))):
        pre, post = (str(rng.choice(list(names))) for names in (sources, sizes))
        shape = (sizes[post], sources[pre])
        kinds: list[Any] = [Delta(), Delta(), Exponential(5e-3), Exponential(8e-3), Alpha(6e-3)]
        synapse = kinds[rng.integers(5)]
        scale = 0.6 if isinstance(synapse, Delta) else 6.0
        delay = rng.integers(0, 4, shape) * DT if rng.random() < 0.3 else rng.integers(0, 4) * DT
        weights = rng.normal(0.3, 1, shape) * scale
        projections.append(Projection(f"w{k}", pre, post, weights, synapse, delay))
    if rng.random() < 0.3:
        inputs.append(CurrentInput("i", "p0"))
    if rng.random() < 0.3:
        inputs.append(CurrentInput("c", "p0", Constant(rng.uniform(0, 1))))
    probes = [Probe(name, "v") for name in sizes]
    return Network(populations, projections, inputs, probes)


def given_to(net: Network, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed + 1)
    found: dict[str, Any] = {}
    for i in net.inputs:
        if isinstance(i, SpikeInput):
            found[i.name] = (rng.random((STEPS, i.size)) < 0.3).astype(float)
        elif isinstance(i, CurrentInput) and i.stimulus is None:
            found[i.name] = rng.normal(0.3, 1, (STEPS, net.population(i.population).size))
    return found


def compared(found: nir.Exported, inputs: dict[str, Any], n_steps: int | None = None) -> int:
    """Run both, compare every entry; returns how many spikes there were."""
    own = nl.run_clocked(found.stepped, n_steps, inputs)
    fed = found.inputs(own.n_steps, inputs)
    ran = nir.run(found.graph, fed)
    total = 0
    for p in found.stepped.described:
        steps = own.n_steps
        if p.spikes:
            ours, theirs = np.asarray(own.spikes[p.name]), ran.spikes[p.name].reshape(steps, -1)
            apart = np.argwhere(ours != theirs)
            assert apart.size == 0, f"{p.name}: first difference at {apart[0]}"
            total += int(ours.sum())
        if (p.name, "v") in own.traces:
            volts = own.traces[p.name, "v"] + p.v_zero
            theirs = ran.voltage[p.name].reshape(steps, -1) + found.zero[p.name]
            assert np.allclose(volts, theirs, rtol=1e-9, atol=1e-10)
    return total


SPIKES = {"seen": 0}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**31), rule=st.sampled_from(sorted(RULES)), latency=st.integers(0, 1))
def test_runs_spike_for_spike_as_our_own(seed: int, rule: str, latency: Any) -> None:
    net, base = network(seed), RULES[rule]
    step = StepRule(base.integrator, base.compare, input_latency=latency)
    found = nir.from_network(net, DT, step)
    SPIKES["seen"] += compared(found, given_to(net, seed))
    assert nir.rules.rule_said(found.graph.metadata) is not None


def test_those_runs_had_spikes() -> None:
    # the law above would hold for silent networks, too
    if not SPIKES["seen"]:
        test_runs_spike_for_spike_as_our_own()
    assert SPIKES["seen"] > 2_000


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_exact_ties_on_binary_fractions(data: st.DataObject) -> None:
    """Where all numbers are binary fractions nothing is rounded, so ties must agree, too."""
    n = data.draw(st.integers(1, 3))
    eighths = st.integers(-8, 16).map(lambda k: k / 8)
    weights = [data.draw(st.lists(eighths, min_size=n, max_size=n)) for _ in range(n)]
    back = [data.draw(st.lists(eighths, min_size=n, max_size=n)) for _ in range(n)]
    step = 2.0**-10
    tau = 2.0 ** -data.draw(st.integers(7, 9))
    neuron: Any = data.draw(st.sampled_from(["LIF", "IF"]))
    reset: Any = data.draw(st.sampled_from(["value", "subtract"]))
    kind = LIF(tau, reset=reset) if neuron == "LIF" else IF(1.0, reset=reset)
    net = Network([Population("p", n, kind)],
                  [Projection("w", "x", "p", np.array(weights)),
                   Projection("b", "p", "p", np.array(back))],
                  [SpikeInput("x", n)], [Probe("p", "v")])  # fmt: skip
    rule = data.draw(st.sampled_from(["euler", "euler-ge"]))
    rows = data.draw(st.lists(st.lists(st.integers(0, 1), min_size=n, max_size=n), min_size=5,
                              max_size=25))  # fmt: skip
    found = nir.from_network(net, step, rule)
    given_x = {"x": np.array(rows, float)}
    own = nl.run_clocked(found.stepped, inputs=given_x)
    ran = nir.run(found.graph, found.inputs(inputs=given_x))
    assert np.array_equal(own.spikes["p"], ran.spikes["p"])
    assert np.array_equal(own.traces["p", "v"], ran.voltage["p"])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_written_and_read_back_equal(seed: int, tmp_path_factory: Any) -> None:
    found = nir.from_network(network(seed), DT)
    path = tmp_path_factory.mktemp("nir") / "a.nir"
    nir.write(path, found.graph)
    back = nir.read(path)
    assert back.graph == found.graph
    assert not back.report.repairs


def test_the_nir_package_reads_it(tmp_path: Path) -> None:
    real = pytest.importorskip("nir")
    for seed in range(12):
        found = nir.from_network(network(seed), DT)
        nir.write(tmp_path / "a.nir", found.graph)
        graph = real.read(tmp_path / "a.nir")
        assert set(graph.nodes) == set(found.graph.nodes)
        assert set(graph.edges) == set(found.graph.edges)
        assert float(graph.metadata["neuro_lif"]["dt"]) == DT
        for name, node in found.graph.nodes.items():
            for field in getattr(node, "ALIKE", ("weight",) * hasattr(node, "weight")):
                assert np.array_equal(getattr(graph.nodes[name], field), getattr(node, field))


def one(neuron: Any, synapse: Any = None, inputs: tuple[Any, ...] = ()) -> Network:
    return Network([Population("p", 2, neuron)],
                   [Projection("w", "x", "p", np.full((2, 3), 0.6), synapse or Delta())],
                   [SpikeInput("x", 3), *inputs])  # fmt: skip


def test_plain_layers_are_plain_nodes() -> None:
    """What frameworks know is written as they know it: r = tau/dt, nothing hidden."""
    found = nir.from_network(one(LIF(20e-3, i_bias=0.3)), DT, "euler")
    assert isinstance(found.graph.nodes["p"], nir.LIF)
    assert np.allclose(found.graph.nodes["p"].r, 20)
    assert not np.any(found.graph.nodes["p"].v_leak)
    weights = found.graph.nodes["w"]
    assert isinstance(weights, nir.Affine) and np.allclose(weights.bias, 0.3 * DT / 20e-3)
    cuba = nir.from_network(one(LIF(20e-3), Exponential(5e-3)), DT, "euler").graph.nodes["p"]
    assert isinstance(cuba, nir.CubaLIF)
    assert np.allclose(cuba.w_in, 5) and np.allclose(cuba.tau_syn, 5e-3)
    assert isinstance(nir.from_network(one(IF()), DT).graph.nodes["p"], nir.IF)
    assert isinstance(nir.from_network(one(LI(0.02)), DT).graph.nodes["p"], nir.LI)


def test_plain_layers_run_alike_under_other_rules() -> None:
    """A layer without surprises gives the same spikes under NIR's own rule and snnTorch's."""
    rng = np.random.default_rng(3)
    found = nir.from_network(one(LIF(20e-3)), DT, "euler")
    fed = {"x": (rng.random((200, 3)) < 0.2).astype(float)}
    ours = nir.run(found.graph, fed).spikes["p"]
    assert ours.sum() > 20
    for rule in ("nir-euler", "snntorch", "spikingjelly"):
        theirs = nir.run(found.graph, fed, rule, dt=DT).spikes["p"]
        assert np.array_equal(ours[1:], theirs[:-1]), rule  # inputs come a step earlier there


REFUSED = [
    (one(LIF(0.02, t_refractory=3e-3)), "refractory", "population 'p': t_refractory = 0.003"),
    (one(LIF(0.02), inputs=(CurrentInput("i", "p", Sinusoid(0.0, 1.0, 0.1)),)), "inputs",
     "input 'i': stimulus = 'Sinusoid'"),
    (one(LIF(0.02, v_init=0.5, reset="subtract")), "start", "population 'p': v_init = 0.5"),
    (Network([Population("p", 2, LIF(0.02)), Population("q", 2, LIF(0.02, reset="subtract"))],
             [Projection("w", "p", "q", np.eye(2))]), "reset", "population 'q': reset"),
    (Network([Population("p", 2, LIF(0.02))], [Projection("w", "r", "p", np.ones((2, 3)))],
             [PoissonInput("r", 3, 50.0, seed=1)]), "inputs", "input 'r': rate"),
]  # fmt: skip


@pytest.mark.parametrize(("net", "allow", "text"), REFUSED)
def test_what_nir_cannot_say(net: Network, allow: str, text: str) -> None:
    with pytest.raises(NetworkError, match="NIR cannot say this") as refused:
        nir.from_network(net, DT)
    assert text in str(refused.value) and f'allow="{allow}"' in str(refused.value)
    found = nir.from_network(net, DT, allow=(allow,))
    lost = [f for f in found.report.findings if f.kind == "loss"]
    assert len(lost) == 1 and nir.ALLOWED[allow] in lost[0].text
    with pytest.raises(RangeError, match="allow = 'nothing'"):
        nir.from_network(net, DT, allow="nothing")


def test_timed_inputs_are_fed() -> None:
    net = one(LIF(0.02), inputs=(CurrentInput("i", "p", Sinusoid(20.0, 40.0, 0.05)),))
    found = nir.from_network(net, DT, allow="inputs")
    rng = np.random.default_rng(0)
    assert compared(found, {"x": (rng.random((80, 3)) < 0.2).astype(float)}) > 10


def test_several_time_constants_and_alpha() -> None:
    net = Network(
        [Population("p", 2, LIF(0.02))],
        [Projection("a", "x", "p", np.full((2, 3), 4.0), Exponential(3e-3)),
         Projection("b", "x", "p", np.full((2, 3), 3.0), Alpha(5e-3)),
         Projection("c", "p", "p", np.full((2, 2), 0.1), Exponential(9e-3))],
        [SpikeInput("x", 3)], [Probe("p", "v")],
    )  # fmt: skip
    found = nir.from_network(net, DT)
    kinds = [type(n).__name__ for n in found.graph.nodes.values()]
    assert kinds.count("LI") == 4 and kinds.count("LIF") == 1
    rng = np.random.default_rng(0)
    assert compared(found, {"x": (rng.random((100, 3)) < 0.2).astype(float)}) > 10


def test_convolutions_stay_convolutions() -> None:
    from dataclasses import replace

    from neuro_lif.convolution import Convolution

    rng = np.random.default_rng(0)
    conv = Convolution(rng.normal(0, 0.5, (3, 2, 3, 3)), (2, 5, 6), 1, 1, layout="torch")
    pool = Convolution(rng.normal(0.2, 0.5, (4, 3, 2, 2)), (3, 5, 6), 2, layout="torch")
    n_in, n_mid, n_out = 60, 90, 4 * 2 * 3
    net = Network(
        [Population("a", n_mid, IF()), Population("b", n_out, LIF(0.02)),
         Population("c", 3, LIF(0.02))],
        [Projection("w", "x", "a", conv.matrix().astype(float)),
         Projection("v", "a", "b", pool.matrix().astype(float)),
         Projection("u", "b", "c", rng.normal(0.1, 0.2, (3, n_out)))],
        [SpikeInput("x", n_in)],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    stepped = replace(stepped, projections=tuple(
        replace(q, weights={"w": conv, "v": pool}.get(q.name, q.weights))
        for q in stepped.projections))  # fmt: skip
    found = nir.from_stepped(stepped)
    kinds = {n: type(node).__name__ for n, node in found.graph.nodes.items()}
    assert kinds["w"] == kinds["v"] == "Conv2d" and kinds["u"] == "Linear"
    assert found.graph.nodes["a"].r.shape == (3, 5, 6)
    assert compared(found, {"x": (rng.random((40, n_in)) < 0.2).astype(float)}) > 100


@pytest.mark.parametrize("chip", ["loihi1", "loihi2", "lava-0.10"])
def test_integers(chip: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    net = Network(
        [Population("a", 5, LIF(0.02, v_rest=-0.065, v_threshold=-0.05, resistance=1e7,
                                i_bias=1e-9)), Population("b", 4, LIF(0.02))],
        [Projection("w", "x", "a", rng.uniform(0, 0.01, (5, 6)), Delta(), 2e-3),
         Projection("v", "a", "b", rng.uniform(0, 9, (4, 5)), Exponential(5e-3)),
         Projection("u", "b", "b", rng.uniform(-1, 1, (4, 4)), Exponential(5e-3), 3e-3)],
        [SpikeInput("x", 6)],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    fixed = nl.quantize(stepped, chip)
    found = nir.from_fixed(fixed)
    spikes = {"x": (rng.random((200, 6)) < 0.2).astype(int)}
    assert compared(found, spikes) > 100
    float_run = nl.run_clocked(nl.dequantize(fixed, stepped), inputs=spikes)
    graph_run = nir.run(found.graph, found.inputs(inputs=spikes))
    for name in "ab":
        assert np.array_equal(float_run.spikes[name], graph_run.spikes[name])
    nir.write(tmp_path / "q.nir", found.graph)
    back = nir.read(tmp_path / "q.nir").graph
    assert back == found.graph and str(back.metadata[EXPORT]["profile"]) == chip
    again = nir.fixed_of(back)
    for q, p in zip(fixed.projections, again.projections, strict=True):
        assert np.array_equal(q.weights, p.weights) and q.exponent == p.exponent
    ours, theirs = (nl.run_fixed(f, inputs=spikes, record="all") for f in (fixed, again))
    for name in "ab":
        assert np.array_equal(ours.traces[name, "v"], theirs.traces[name, "v"])
    with pytest.raises(RangeError, match="no 'fixed'"):
        nir.fixed_of(nir.from_network(net, DT).graph)


@pytest.mark.parametrize("many", [1, 3, None])
def test_first_voltages_and_several_spikes(many: int | None) -> None:
    from dataclasses import replace

    rng = np.random.default_rng(4)
    net = Network(
        [Population("p", 3, LIF(0.02, v_rest=-0.2, v_reset=-0.5, v_init=[0.4, -0.5, 0.0])),
         Population("q", 2, IF(v_threshold=1.5, v_reset=0.5, v_init=0.7))],
        [Projection("w", "x", "p", rng.uniform(0.2, 3, (3, 4))),
         Projection("v", "p", "q", rng.uniform(0, 0.5, (2, 3)))],
        [SpikeInput("x", 4)], [Probe("p", "v"), Probe("q", "v")],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    stepped = replace(stepped, populations=tuple(
        replace(p, most_spikes=many) for p in stepped.populations))  # fmt: skip
    given_x = {"x": (rng.random((100, 4)) < 0.4).astype(float)}
    if many != 1:
        # several spikes are counted in thresholds above where 0 is, so it has to be v_reset
        with pytest.raises(NetworkError, match="v_init"):
            nir.from_stepped(stepped)
        stepped = replace(stepped, populations=tuple(
            replace(p, v_init=np.zeros(p.size)) for p in stepped.populations))  # fmt: skip
    assert compared(nir.from_stepped(stepped), given_x) > 50
