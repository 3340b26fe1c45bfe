"""NIR graphs as stepped networks: equal to the rule's own run at every step, and on chips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA
from test_nir_rules import PAIRS, braille

from neuro_lif import nir, quantize, run_clocked, run_fixed, run_semantics
from neuro_lif.convolution import Convolution
from neuro_lif.errors import LoweringError, NetworkError, RangeError
from neuro_lif.nir.chains import matrix_of
from neuro_lif.nir.lowered import Lowered
from neuro_lif.nir.maps import apply
from neuro_lif.nir.shapes import shape_out


def difference(graph: nir.NIRGraph, x: Any, low: Lowered, dt: float | None = None) -> str:
    """Return the first difference between the rule's run and the float reference; "": none."""
    ran = nir.run(graph, x, low.rule, dt=dt)
    n_steps = len(next(iter(ran.voltage.values())))
    recording = run_clocked(low.stepped, inputs=low.inputs(x), record="all")
    spikes, voltages = low.spikes(recording, n_steps), low.voltages(recording, n_steps)
    for node, sent in ran.spikes.items():
        other = np.argwhere(spikes[node] != sent)
        if other.size:
            return f"{node}: spike {other[0].tolist()}"
    for node, v in ran.voltage.items():
        # where a reset is late, the graph still shows the voltage before it
        sent = recording.spikes[low.names[node]]
        late = low.voltage_shifts[node]
        shown = (sent[late : late + n_steps] == 0).reshape(v.shape)
        far = np.abs(voltages[node] - v) * shown
        if far.max(initial=0.0) > 1e-12 * max(1.0, np.abs(v).max(initial=0.0)):
            return f"{node}: v {np.argwhere(far == far.max())[0].tolist()} by {far.max()}"
    return ""


@pytest.mark.parametrize("latency", ["rule", "chip"])
@pytest.mark.parametrize("name", PAIRS)
def test_real_files_are_stepped_as_by_their_rule(name: str, latency: str) -> None:
    rule, changes, _ = PAIRS[name]
    graph = nir.read(DATA / f"{name}.nir").graph
    with np.load(DATA / f"{name}.npz") as peer:
        x = peer["input"]
    kind = "current" if np.any(x != np.rint(x)) else "counts"
    found = nir.find_rule(rule, **changes)
    low = nir.to_stepped(graph, found, latency=latency, inputs=kind, approximate=["floor"])
    assert difference(graph, x, low) == ""
    assert [note for note in low.notes if "differ" in note] == []
    assert latency == "chip" or set(low.voltage_shifts.values()) == {0}


@pytest.mark.parametrize("latency", ["rule", "chip"])
@pytest.mark.parametrize("platform", ["snntorch-2023", "snntorch", "norse", "spyx", "spinnaker2"])
def test_the_papers_braille_graph(platform: str, latency: str) -> None:
    graph, x, _ = braille("snntorch")
    low = nir.to_stepped(graph, platform, dt=1e-4, latency=latency)
    assert low.names["lif1.lif"] == "lif1_lif" and low.nodes["lif1_lif"] == "lif1.lif"
    assert difference(graph, x, low, 1e-4) == ""


@pytest.mark.parametrize("latency", ["rule", "chip"])
def test_the_papers_other_graphs(latency: str) -> None:
    rng = np.random.default_rng(0)
    two = nir.read(DATA / "nir_paper" / "two_lif_neurons.nir").graph
    low = nir.to_stepped(two, "nir-euler", dt=1e-4, latency=latency, inputs="current")
    assert difference(two, rng.uniform(0, 20, (300, 1)), low, 1e-4) == ""
    cnn = nir.read(DATA / "nir_paper" / "cnn_sinabs.nir").graph
    x = (rng.random((3, *cnn.nodes["input"].shape)) < 0.3).astype(float)
    low = nir.to_stepped(cnn, "sinabs", latency=latency)
    assert sum(isinstance(q.weights, Convolution) for q in low.stepped.projections) == 2
    assert difference(cnn, x, low) == ""


@pytest.mark.parametrize("seed", range(30))
def test_a_matrix_says_what_its_node_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (4, int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    kernel, stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4))), (1, 2)
    groups = int(rng.choice([1, 2, 4]))
    weight = rng.normal(size=(4, 4 // groups, *kernel))
    padding = ["valid", "same", (1, 2)][seed % 3]
    steps = (1, 1) if padding == "same" else stride
    nodes: list[Any] = [
        nir.Conv2d(shape[1:], weight, steps, padding, (1, 1), groups, np.zeros(4)),
        nir.SumPool2d((2, 3), stride, (0, 1)),
        nir.AvgPool2d((2, 3), stride, (1, 0)),
        nir.Linear(rng.normal(size=(*shape[:2], 3, shape[2]))),
        nir.Scale(rng.normal(size=shape)),
        nir.Flatten(shape, 0, -1),
        nir.SumPool2d((3, 3), (1, 1), (1, 1)),
    ]
    for node, last in [(n, last) for n in nodes for last in (False, True)]:
        x = rng.normal(size=shape)
        values = getattr(node, "weight", getattr(node, "scale", None))
        expected = apply(node, x, values, None, last)
        assert expected.shape == shape_out(node, shape) or last
        found = matrix_of(node, shape, values, last) @ x.ravel()
        np.testing.assert_allclose(found, expected.ravel(), atol=1e-13)


def lif(n: int, threshold: float = 1.0, **fields: Any) -> nir.LIF:
    values: dict[str, Any] = {"tau": 5e-3, "r": 5.0, "v_leak": 0.0, "v_threshold": threshold,
                              "v_reset": 0.0, **fields}  # fmt: skip
    return nir.LIF(**{k: np.full(n, v) if np.ndim(v) == 0 else np.asarray(v)
                      for k, v in values.items()})  # fmt: skip


def graph_of(edges: str, **nodes: nir.Node) -> nir.NIRGraph:
    pairs = [tuple(e.split(">")) for e in edges.split()]
    return nir.NIRGraph(nodes, tuple((a, b) for a, b in pairs))


N = 4
ENDS: dict[str, nir.Node] = {"i": nir.Input((N,)), "o": nir.Output((N,))}


def weights(seed: int, high: float = 1.0) -> nir.Linear:
    return nir.Linear(np.random.default_rng(seed).uniform(-0.3, high, (N, N)))


def raster(n_steps: int = 60, seed: int = 0) -> Any:
    return (np.random.default_rng(seed).random((n_steps, N)) < 0.4).astype(float)


def test_paths_of_different_length_still_meet() -> None:
    graph = graph_of(
        "i>a a>x x>b b>y y>c a>z z>c i>w w>c c>o", **ENDS, x=weights(0), y=weights(1),
        z=weights(2), w=weights(3), a=lif(N), b=lif(N), c=lif(N),
    )  # fmt: skip
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3)
    assert low.shifts == {"a": 1, "b": 2, "c": 3}
    delays = {q.name: int(q.delays) for q in low.stepped.projections}
    assert delays == {"i__to__a": 0, "a__to__b": 0, "b__to__c": 0, "a__to__c": 1, "i__to__c": 2}
    assert difference(graph, raster(), low, 1e-3) == ""


def test_a_cycle_that_is_too_short_is_named() -> None:
    graph = graph_of("i>a a>x x>b b>y y>a b>o", **ENDS, x=weights(0), y=weights(1), a=lif(N),
                     b=lif(N))  # fmt: skip
    with pytest.raises(LoweringError, match=r"cycle .*a.*: 1 step\(s\) altogether.*at least 2"):
        nir.to_stepped(graph, "nir-euler", dt=1e-3)
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3, approximate="cycle")
    assert any("edge b -> a: 1 step(s) more than in the graph" in n for n in low.notes)
    assert difference(graph, raster(), nir.to_stepped(graph, "nir-euler", dt=1e-3, latency="rule"),
                      1e-3) == ""  # fmt: skip
    held = {**graph.nodes, "d": nir.Delay(np.full(N, 1e-3))}
    edges = [*(e for e in graph.edges if e != ("b", "y")), ("b", "d"), ("d", "y")]
    longer = nir.NIRGraph(held, tuple(edges))
    low = nir.to_stepped(longer, "nir-euler", dt=1e-3)
    assert difference(longer, raster(), low, 1e-3) == ""


def test_delays_of_single_lines() -> None:
    delay = nir.Delay(np.array([0.0, 3e-3, 1e-3, 3e-3]))
    graph = graph_of("i>d d>x x>a a>o", **ENDS, d=delay, x=weights(0), a=lif(N))
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3)
    (projection,) = low.stepped.projections
    assert sorted(set(np.asarray(projection.delays).tolist())) == [0, 1, 3]
    assert difference(graph, raster(), low, 1e-3) == ""


@pytest.mark.parametrize("latency", ["rule", "chip"])
def test_integrators_and_thresholds_between_neurons(latency: str) -> None:
    li = nir.LI(np.full(N, 4e-3), np.full(N, 4.0), np.full(N, 0.1))
    cuba = nir.CubaLI(np.full(N, 3e-3), np.full(N, 6e-3), np.full(N, 3.0), np.zeros(N), np.ones(N))
    graph = graph_of(
        "i>a a>l l>x x>b l>t t>b b>c c>y y>e e>o", **ENDS, a=lif(N), b=lif(N), c=cuba,
        e=lif(N, 0.2), l=li, t=nir.Threshold(np.full(N, 0.4)), x=weights(1), y=weights(2),
    )  # fmt: skip
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3, latency=latency)
    stages = {p.name for p in low.stepped.populations if p.graded}
    moved = {"l__v__t", "l__v__b", "c__i__c__v__e", "c__v__e"}
    assert stages == (moved if latency == "chip" else {"l__v", "c__i", "c__v"})
    assert difference(graph, raster(), low, 1e-3) == ""


@pytest.mark.parametrize("bias", ["auto", "membrane", "input"])
@pytest.mark.parametrize("low_bias", [0.05, -0.05])
def test_biases_and_rest_act_from_the_graphs_first_step(bias: str, low_bias: float) -> None:
    cuba = nir.CubaLIF(*(np.full(N, v) for v in (3e-3, 6e-3, 3.0, 0.1, 1.0, 0.2, 2.0)))
    affine = nir.Affine(np.random.default_rng(1).uniform(0, 0.6, (N, N)), np.full(N, low_bias))
    graph = graph_of("i>a a>x x>c c>y y>c c>o", **ENDS, a=lif(N, v_leak=0.3, v_reset=-0.2),
                     x=affine, c=cuba, y=affine)  # fmt: skip
    for rule in ("nir-euler", "norse"):
        low = nir.to_stepped(graph, rule, dt=1e-3, bias=bias)
        assert bool(low.bias) == (bias == "input")
        assert difference(graph, raster(), low, 1e-3) == ""


def test_a_bias_that_would_spike_too_early_comes_as_spikes() -> None:
    affine = nir.Affine(np.full((N, N), -1.0), np.full(N, 5.0))
    graph = graph_of("i>a a>x x>b b>o", **ENDS, a=lif(N), x=affine,
                     b=lif(N, tau=1e-3 + 1e-9, r=1.0, v_leak=-1.0))  # fmt: skip
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3)
    assert low.bias == "bias" and any("come as spikes" in note for note in low.notes)
    assert difference(graph, raster(), low, 1e-3) == ""


def test_currents_are_made_off_the_chip() -> None:
    cuba = nir.CubaLIF(*(np.full(N, v) for v in (3e-3, 6e-3, 3.0, 0.1, 1.0, 0.2, 2.0)))
    affine = nir.Affine(np.random.default_rng(1).uniform(-0.5, 1, (N, N)), np.full(N, 0.02))
    graph = graph_of("i>x x>c i>a c>y y>a a>o", **ENDS, x=affine, c=cuba, y=weights(2), a=lif(N))
    x = np.random.default_rng(0).normal(0.2, 1, (80, N))
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3, inputs="current")
    assert {i.population for i in low.stepped.network.current_inputs} == {"c", "a"}
    assert difference(graph, x, low, 1e-3) == ""
    batch = low.inputs(np.stack([x, x[::-1]]))
    assert np.array_equal(batch["current_c"][0], low.inputs(x)["current_c"])
    fixed = quantize(low.stepped, "loihi2", calibrate=low.inputs(x))
    chip = low.spikes(run_fixed(fixed, inputs=low.inputs(x, fixed)), len(x))
    meant = nir.run(graph, x, low.rule, dt=1e-3).spikes
    assert np.mean(chip["c"] != meant["c"]) < 0.05 and meant["c"].sum() > 20


def test_what_no_clocked_neuron_does_is_refused_by_name() -> None:
    graph = graph_of("i>a a>o", **ENDS, a=lif(N))
    for rule, switch in (("exact", "integrator = 'event'"), ("slayer", "integrator = 'shift'"),
                         ("nengo", "floor = 'zero'")):  # fmt: skip
        with pytest.raises(LoweringError, match=f"{rule}.*{switch}.*allowed"):
            nir.to_stepped(graph, rule, dt=1e-3)
        low = nir.to_stepped(graph, rule, dt=1e-3, approximate=["integrator", "floor"])
        assert any("is approximated by" in note for note in low.notes)
    with pytest.raises(LoweringError, match="subtract-once"):
        nir.to_stepped(graph, nir.find_rule("snntorch", reset="subtract-once"))
    loop = graph_of("i>s s>w w>s s>a a>o", **ENDS, s=nir.Scale(np.ones(N)), a=lif(N), w=weights(0))
    with pytest.raises(NetworkError, match="has no neuron in it"):
        nir.to_stepped(loop, "nir-euler", dt=1e-3)
    with pytest.raises(LoweringError, match="no neuron"):
        nir.to_stepped(graph_of("i>w w>o", **ENDS, w=weights(0)), "nir-euler", dt=1e-3)
    for argument, value in (("latency", "none"), ("inputs", "x"), ("bias", 1),
                            ("approximate", "all")):  # fmt: skip
        with pytest.raises(RangeError, match=f"{argument}.*allowed"):
            given_: dict[str, Any] = {argument: value}
            nir.to_stepped(graph, "nir-euler", dt=1e-3, **given_)
    low = nir.to_stepped(graph, "nir-euler", dt=1e-3)
    for wrong in ({"x": raster()}, raster()[:, :2], {"i": "spikes"}):
        with pytest.raises(RangeError, match="allowed|shape"):
            low.inputs(wrong)
    with pytest.raises(RangeError, match="0 or 1"):
        low.inputs(2 * raster(), quantize(low.stepped, "loihi2"))


CHIPS = ("lava-0.10", "loihi1", "loihi2")
FILES = ("snntorch/lif_ff_zero", "snntorch/cubalif_rec_zero", "norse/conv_if",
         "norse/lifcell_cubalif", "spikingjelly/cubalif_ff")  # fmt: skip


def chip_of(name: str, profile: str, n_steps: int) -> tuple[Lowered, Any, Any, Any]:
    rule, changes, _ = PAIRS[name]
    graph = nir.read(DATA / f"{name}.nir").graph
    with np.load(DATA / f"{name}.npz") as peer:
        x = peer["input"][:n_steps]
    low = nir.to_stepped(graph, nir.find_rule(rule, **changes))
    fixed = quantize(low.stepped, profile, approximate=["refractory"])
    return low, fixed, low.inputs(x, fixed), nir.run(graph, x, low.rule).spikes


@pytest.mark.parametrize("profile", CHIPS)
@pytest.mark.parametrize("name", FILES)
def test_real_files_on_chips(name: str, profile: str) -> None:
    low, fixed, inputs, _ = chip_of(name, profile, 8)
    ours = run_fixed(fixed, inputs=inputs, record="all")
    meant = run_semantics(fixed, inputs=inputs, record="all")
    assert ours.spikes.keys() == meant.spikes.keys() and not ours.events
    for key in meant.traces:
        assert np.array_equal(ours.traces[key], meant.traces[key]), key
    for node in meant.spikes:
        assert np.array_equal(ours.spikes[node], meant.spikes[node]), node
    assert sum(s.sum() for s in low.spikes(ours).values()) > 0


def test_a_recurrent_net_of_cuba_neurons_loses_no_spike_on_loihi2() -> None:
    low, fixed, inputs, meant = chip_of("snntorch/cubalif_rec_zero", "loihi2", 100)
    chip = low.spikes(run_fixed(fixed, inputs=inputs), 100)
    assert {n: int(np.sum(s != chip[n])) for n, s in meant.items()} == {"lif1.lif": 0, "lif2": 0}
