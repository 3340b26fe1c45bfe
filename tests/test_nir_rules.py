"""Each rule repeats its framework's own output: spikes exactly, voltages to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import nir
from neuro_lif.errors import NetworkError, RangeError

FLOAT32 = 2e-6
"""Largest difference of states, relative to the largest state: some roundings of float32."""

S, V, C, O = "spikes", "voltage", "current", "outputs"  # noqa: E741
PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, tuple[str, str]]]] = {
    "snntorch/lif_ff_zero": (
        "snntorch",
        {},
        {"lif1_spk": (S, "1"), "lif1_mem": (V, "1"), "lif2_spk": (S, "3"), "lif2_mem": (V, "3")},
    ),
    "snntorch/cubalif_rec_zero": (
        "snntorch",
        {},
        {
            "lif1_spk": (S, "lif1.lif"),
            "lif1_mem": (V, "lif1.lif"),
            "lif1_syn": (C, "lif1.lif"),
            "lif2_spk": (S, "lif2"),
            "lif2_mem": (V, "lif2"),
            "lif2_syn": (C, "lif2"),
        },
    ),
    "norse/conv_if": (
        "norse",
        {},
        {"if1_spk": (S, "1"), "if1_v": (V, "1"), "if2_spk": (S, "3"), "if2_v": (V, "3")},
    ),
    "norse/lifcell_cubalif": ("norse", {}, {"spk": (S, "1"), "v": (V, "1"), "i": (C, "1")}),
    "sinabs/conv_iaf_sumpool_multi_subtract": (
        "sinabs",
        {},
        {
            "if1_spk": (S, "1"),
            "if1_v": (V, "1"),
            "if2_spk": (S, "4"),
            "if2_v": (V, "4"),
            "if3_spk": (S, "7"),
            "if3_v": (V, "7"),
        },
    ),
    # the file says neither norm_input nor SingleSpike
    "sinabs/lif_expleak_norm1": (
        "sinabs",
        {"input_gain": "leak", "spikes": "one"},
        {"lif_spk": (S, "1"), "lif_v": (V, "1"), "li_v": (V, "3")},
    ),
    "rockpool/lif_neuron_ff": (
        "rockpool",
        {},
        {"out": (S, "1_LIFNeuronTorch"), "1_LIFNeuronTorch__vmem": (V, "1_LIFNeuronTorch")},
    ),
    "spyx/lif_ff": (
        "spyx",
        {},
        {"out": (S, "layer_3"), "state0": (V, "layer_1"), "state1": (V, "layer_3")},
    ),
    "spikingjelly/cubalif_ff": (
        "spikingjelly",
        {},
        {
            "lif1_spk": (S, "_1"),
            "lif1_spk_v": (V, "_1"),
            "lif2_spk": (S, "_3"),
            "lif2_spk_v": (V, "_3"),
        },
    ),
    "spikingjelly/lif_ff_decayinput1": (
        "spikingjelly",
        {},
        {
            "lif1_spk": (S, "_1"),
            "lif1_spk_v": (V, "_1"),
            "lif2_spk": (S, "_3"),
            "lif2_spk_v": (V, "_3"),
        },
    ),
    "nengo/nef_ensemble_lif": (
        "nengo",
        {},
        {"spikes": (S, "lif"), "voltage": (V, "lif"), "output": (O, "output")},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_framework_is_repeated(name: str) -> None:
    rule, changes, shown = PAIRS[name]
    graph = nir.read(DATA / f"{name}.nir").graph
    with np.load(DATA / f"{name}.npz") as peer:
        ran = nir.run(graph, peer["input"], nir.find_rule(rule, **changes))
        for key, (kind, node) in shown.items():
            ours = getattr(ran, kind)[node].astype(np.float64)
            theirs = peer[key].astype(np.float64)
            if kind == S:
                assert theirs.sum() > 0
                assert np.count_nonzero(ours != theirs) == 0, key
            else:
                assert np.abs(ours - theirs).max() <= FLOAT32 * max(1.0, np.abs(theirs).max()), key


def test_a_file_that_norse_wrote_is_told_apart() -> None:
    graph = nir.read(DATA / "norse" / "lifcell_cubalif.nir").graph
    ran = nir.run(graph, np.zeros((1, 12)), "norse")
    assert ran.rule.name == "norse-written" and "wrote itself" in ran.notes[0]
    other = nir.read(DATA / "snntorch" / "cubalif_rec_zero.nir").graph
    assert nir.run(other, np.zeros((1, 12)), "norse", dt=1e-4).rule.name == "norse"


# platform -> (file, rule, changes, scale of its voltages, tolerance)
TRACES: dict[str, tuple[str, str, dict[str, Any], float, float]] = {
    "norse": ("norse", "norse", {}, 1, 1e-6),
    "snntorch": ("norse", "snntorch-2023", {}, 25, 1e-6),  # its input is 25 times as high
    "exact": ("norse", "exact", {}, 1, 1e-8),
    "nengo": ("norse", "nengo", {}, 10, 1e-6),  # in thresholds
    "spyx": ("rockpool", "spyx", {}, 1, 1e-6),
    "sinabs": ("norse", "sinabs", {"tau_unit": "s"}, 1, 1e-6),  # what it shows as input is 0.04
    "rockpool": ("rockpool", "rockpool", {}, 1, 1e-6),
    "spinnaker2": ("norse", "spinnaker2", {"input_delay": 0, "weight_scale": 102.02}, 25, 2e-6),
    "lava_cpu_float": ("norse", "nir-euler", {"input_delay": 1}, 1, 1e-6),
    "lava_cpu_fixed": ("norse", "lava", {}, 1, 0.0),
    "lava_loihi_fixed": ("norse", "loihi2", {}, 1, 0.0),
}


@pytest.mark.parametrize("platform", TRACES)
def test_the_nir_papers_first_experiment(platform: str) -> None:
    file, rule, changes, scale, tolerance = TRACES[platform]
    graph = nir.read(DATA / "nir_paper" / f"lif_{file}.nir").graph
    with np.load(DATA / "nir_paper" / "exp01_lif_traces.npz") as traces:
        theirs = traces[platform]
    ran = nir.run(graph, theirs[:, :1], nir.find_rule(rule, **changes), dt=1e-4)
    ((_, spikes),) = ran.spikes.items()
    ((_, voltage),) = ran.voltage.items()
    assert theirs[:, 2].sum() == 4
    assert np.array_equal(spikes[:, 0], theirs[:, 2])
    assert np.abs(voltage[:, 0].astype(float) * scale - theirs[:, 1]).max() <= tolerance * scale


BRAILLE = {
    "snntorch": "snntorch-2023",
    "norse": "norse",
    "spyx": "spyx",
    "nengo": "nengo-2023",
    "lava": "slayer",
    "s2": "spinnaker2",
}


def braille(platform: str) -> tuple[nir.NIRGraph, Any, Any]:
    graph = nir.read(DATA / "nir_paper" / "braille_noDelay_bias_zero.nir").graph
    with np.load(DATA / "nir_paper" / "exp03_braille_sample0.npz") as found:
        return graph, found["input"], found[f"noDelay_bias_zero__{platform}"]


@pytest.mark.parametrize("platform", BRAILLE)
def test_the_nir_papers_third_experiment(platform: str) -> None:
    graph, inputs, theirs = braille(platform)
    ours = nir.run(graph, inputs, BRAILLE[platform], dt=1e-4).spikes["lif1.lif"]
    assert theirs.sum() > 100
    assert np.count_nonzero(ours != theirs) == 0


CAUSES = {
    "norse": {"recurrent bias"},
    "spyx": {"reset", "reset time", "delays"},
    "nengo": {"integrator", "delays", "recurrent bias", "floor"},
    "lava": {"integrator", "recurrent bias"},
    "s2": {"delays", "recurrent bias", "weights"},
}
"""What parts a platform from snnTorch, as known from the paper's traces: the bias that Norse leaves
out at t = 0, Spyx's subtraction, Nengo's exact steps and its floor, the bias that Lava-DL drops,
SpiNNaker2's weights of 8 bits and its biases that act at once."""


@pytest.mark.parametrize("platform", CAUSES)
def test_explain_names_the_known_cause(platform: str) -> None:
    graph, inputs, _ = braille(platform)
    told = nir.explain(graph, inputs, "snntorch-2023", BRAILLE[platform], dt=1e-4)
    assert not told.equal and told.needed.keys() == CAUSES[platform]
    assert told.causes and told.trials[" + ".join(told.needed)] == (None, 0)


def test_explain_against_a_recording() -> None:
    graph, inputs, theirs = braille("norse")
    told = nir.explain(graph, inputs, "snntorch-2023", {"lif1.lif": theirs}, dt=1e-4)
    assert told.first is not None and told.first.step <= 2
    assert told.trials["recurrent_bias after-first"] == (None, 0)
    assert "recurrent bias" in told.causes
    assert nir.explain(graph, inputs, "norse", {"lif1.lif": theirs}, dt=1e-4).equal
    with pytest.raises(RangeError, match="node 'x'"):
        nir.explain(graph, inputs, "norse", {"x": theirs}, dt=1e-4)
    with pytest.raises(RangeError, match="shape"):
        nir.explain(graph, inputs, "norse", {"lif1.lif": theirs[:3]}, dt=1e-4)


def one(node: nir.Node, shape: tuple[int, ...], out: tuple[int, ...] | None = None) -> nir.NIRGraph:
    nodes = {"input": nir.Input(shape), "n": node, "output": nir.Output(out or shape)}
    return nir.NIRGraph(nodes, (("input", "n"), ("n", "output")))


@pytest.mark.parametrize("seed", range(20))
def test_convolutions_and_pools_are_torchs(seed: int) -> None:
    # the definition, sum by sum: y[o, p] = sum_c,k w[o, c, k] x[c, p stride + k dilation - padding]
    rng = np.random.default_rng(seed)
    groups, stride = int(rng.integers(1, 3)), tuple(int(s) for s in rng.integers(1, 3, 2))
    padding, dilation = tuple(int(p) for p in rng.integers(0, 3, 2)), (1, int(rng.integers(1, 3)))
    x = rng.normal(size=(4, 7, 8))
    w, b = rng.normal(size=(2 * groups, 4 // groups, 3, 2)), rng.normal(size=2 * groups)
    node = nir.Conv2d((7, 8), w, stride, padding, dilation, groups, b)
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip((7, 8), padding, dilation, (3, 2), stride, strict=True)
    ]
    padded = np.pad(x, [(0, 0), *((p, p) for p in padding)])
    wanted = np.zeros((2 * groups, *size))
    sums = np.zeros((4, *size))
    for o, i, j in np.ndindex(*wanted.shape):
        at = padded[:, i * stride[0] :, j * stride[1] :][:, :: dilation[0], :: dilation[1]][
            :, :3, :2
        ]
        per = 4 // groups
        wanted[o, i, j] = np.sum(w[o] * at[o // 2 * per : (o // 2 + 1) * per]) + b[o]
    ran = nir.run(one(node, (4, 7, 8), wanted.shape), x[None], dt=1.0)
    np.testing.assert_allclose(ran.outputs["output"][0], wanted, rtol=1e-12, atol=1e-12)
    pool = nir.SumPool2d((3, 2), stride, padding)
    size = [
        (n + 2 * p - k) // s + 1 for n, p, k, s in zip((7, 8), padding, (3, 2), stride, strict=True)
    ]
    sums = np.zeros((4, *size))
    for c, i, j in np.ndindex(*sums.shape):
        sums[c, i, j] = padded[c, i * stride[0] :, j * stride[1] :][:3, :2].sum()
    ran = nir.run(one(pool, (4, 7, 8), sums.shape), x[None], dt=1.0)
    np.testing.assert_allclose(ran.outputs["output"][0], sums, rtol=1e-12, atol=1e-12)
    mean = nir.AvgPool2d((3, 2), stride, padding)
    ran = nir.run(one(mean, (4, 7, 8), sums.shape), x[None], dt=1.0)
    np.testing.assert_allclose(ran.outputs["output"][0], sums / 6, rtol=1e-12, atol=1e-12)


def test_a_one_dimensional_convolution() -> None:
    x = np.arange(10.0).reshape(2, 5)
    node = nir.Conv1d(5, np.ones((1, 2, 3)), 1, "same", 1, 1, np.array([0.5]))
    ran = nir.run(one(node, (2, 5), (1, 5)), x[None], dt=1.0)
    columns = np.pad(x.sum(0), 1)
    wanted = columns[:-2] + columns[1:-1] + columns[2:] + 0.5
    assert ran.outputs["output"][0, 0].tolist() == wanted.tolist()


def test_the_other_nodes() -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])

    def out(node: nir.Node, **changes: Any) -> Any:
        rule = nir.find_rule("nir-euler", **changes)
        return nir.run(one(node, (3,)), x, rule, dt=0.5).outputs["output"].tolist()

    assert out(nir.Scale(np.array([1.0, 0.0, -1.0])))[0] == [1.0, 0.0, -3.0]
    assert out(nir.Threshold(np.array([1.0, 1.9, 4.0])))[0] == [0.0, 1.0, 0.0]
    assert out(nir.Delay(np.array([0.0, 0.5, 1.0]))) == [
        [1.0, 0.0, 0.0],
        [4.0, 2.0, 0.0],
        [7.0, 5.0, 3.0],
    ]
    assert out(nir.I(np.ones(3))) == (np.cumsum(x, 0) * 0.5).tolist()
    assert out(nir.LI(np.full(3, 2.0), np.ones(3), np.zeros(3)))[0] == [0.25, 0.5, 0.75]
    rows = nir.run(one(nir.Affine(np.eye(3)[:2], np.ones(2)), (3,), (2,)), x, dt=1.0)
    assert rows.outputs["output"][0].tolist() == [2.0, 3.0]


def test_several_edges_are_a_sum_and_a_cycle_waits_one_step() -> None:
    counter = nir.NIRGraph(
        {"input": nir.Input((1,)), "sum": nir.Scale(np.ones(1)), "output": nir.Output((1,))},
        (("input", "sum"), ("sum", "sum"), ("sum", "output")),
    )
    assert nir.run(counter, np.ones((4, 1)), dt=1.0).outputs["output"].ravel().tolist() == [
        1,
        2,
        3,
        4,
    ]


def test_a_nested_graph_runs_as_the_flat_one() -> None:
    graph, inputs, _ = braille("snntorch")
    inner = nir.NIRGraph(
        {
            "input": nir.Input((38,)),
            "lif": graph.nodes["lif1.lif"],
            "w": graph.nodes["lif1.w_rec"],
            "output": nir.Output((38,)),
        },
        (("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")),
    )
    rest = {n: node for n, node in graph.nodes.items() if not n.startswith("lif1.")}
    nested = nir.NIRGraph(
        {**rest, "lif1": inner},
        (("input", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"), ("lif2", "output")),
    )
    flat = nir.run(graph, inputs, "snntorch-2023").spikes
    ours = nir.run(nested, inputs, "snntorch-2023").spikes
    assert np.array_equal(ours["lif1/lif"], flat["lif1.lif"])
    assert np.array_equal(ours["lif2"], flat["lif2"])


@pytest.mark.parametrize("cuba", [False, True])
def test_the_exact_rule_does_not_depend_on_the_step(cuba: bool) -> None:
    ones = np.ones(1)
    layer = (
        nir.CubaLIF(ones * 5e-3, ones * 2e-2, ones, ones * 0.1, ones, ones * 0.2, ones * 2)
        if cuba
        else nir.LIF(ones * 2e-2, ones, ones * 0.1, ones, ones * 0.2)
    )
    graph = one(layer, (1,))
    coarse = np.repeat([[0.0], [3.0], [1.5], [0.3], [2.0]], 40, axis=0)
    rule = nir.find_rule("exact", spikes="many")
    a = nir.run(graph, coarse, rule, dt=1e-3)
    b = nir.run(graph, np.repeat(coarse, 8, axis=0), rule, dt=1e-3 / 8)
    assert a.spikes["n"].sum() > 3
    assert np.array_equal(a.spikes["n"].ravel(), b.spikes["n"].reshape(-1, 8).sum(1))
    np.testing.assert_allclose(a.voltage["n"].ravel(), b.voltage["n"][7::8].ravel(), atol=1e-9)


def test_euler_comes_close_to_exact_as_steps_become_short() -> None:
    ones = np.ones(1)
    graph = one(nir.CubaLI(ones * 5e-3, ones * 2e-2, ones, ones * 0.1, ones * 2), (1,))
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 2, (50, 1))
    exact = nir.find_rule("exact", integrator="exact", v_init="zero", arithmetic="float64")
    errors = []
    for n in (1, 4, 16):
        fine = np.repeat(x, n, axis=0)
        euler = nir.run(graph, fine, "nir-euler", dt=1e-3 / n).voltage["n"][n - 1 :: n]
        errors.append(
            np.abs(euler - nir.run(graph, fine, exact, dt=1e-3 / n).voltage["n"][n - 1 :: n]).max()
        )
    assert errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2


def test_a_kept_state_goes_on() -> None:
    graph, inputs, _ = braille("norse")
    rule = nir.find_rule("rockpool", state="kept")
    feed = nir.read(DATA / "spikingjelly" / "cubalif_ff.nir").graph
    x = np.random.default_rng(0).integers(0, 2, (40, 12)).astype(float)
    whole = nir.run(feed, x, rule).spikes["_1"]
    first = nir.run(feed, x[:20], rule)
    second = nir.run(feed, x[20:], rule, state=first.state).spikes["_1"]
    assert np.array_equal(np.concatenate([first.spikes["_1"], second]), whole)
    with pytest.raises(RangeError, match="kept"):
        nir.run(feed, x, "rockpool", state=first.state)


def test_wrong_use() -> None:
    graph = one(nir.LIF(*(np.ones(3) for _ in range(5))), (3,))
    for wrong in (
        np.ones((4, 2)),
        np.ones(3),
        "x",
        np.full((4, 3), np.nan),
        {"b": np.ones((4, 3))},
    ):
        with pytest.raises(RangeError, match="input"):
            nir.run(graph, wrong, dt=1.0)
    with pytest.raises(RangeError, match="dt is missing"):
        nir.run(graph, np.ones((4, 3)), "nir-euler")
    with pytest.raises(RangeError, match="dt = -1"):
        nir.run(graph, np.ones((4, 3)), "nir-euler", dt=-1)
    with pytest.raises(RangeError, match="allowed: exact, "):
        nir.run(graph, np.ones((4, 3)), "pytorch", dt=1.0)
    with pytest.raises(RangeError, match="rule 'norse': reset = 'soft', allowed: value, zero"):
        nir.find_rule("norse", reset="soft")
    with pytest.raises(RangeError, match="'resets'"):
        nir.find_rule("norse", resets="zero")
    with pytest.raises(NetworkError, match="which 'n' \\(LIF\\) takes"):
        nir.run(one(graph.nodes["n"], (4,)), np.ones((4, 4)), dt=1.0)
    with pytest.raises(NetworkError, match="allowed with rule 'lava': LIF"):
        nir.run(one(nir.IF(*(np.ones(3) for _ in range(3))), (3,)), np.ones((4, 3)), "lava")


def test_every_switch_has_its_place() -> None:
    assert len(nir.SWITCHES) == 15
    rule = nir.find_rule("norse")
    assert set(rule.switches()) >= {f for names in nir.SWITCHES.values() for f in names}


def test_a_graph_without_spikes_explains_nothing() -> None:
    graph = one(nir.LI(*(np.ones(3) for _ in range(3))), (3,))
    with pytest.raises(RangeError, match="no neurons that spike"):
        nir.explain(graph, np.ones((4, 3)), "norse", "sinabs")


def test_explain_takes_one_step_for_both() -> None:
    graph, inputs, _ = braille("norse")
    told = nir.explain(graph, inputs, "snntorch-2023", "norse")
    assert told.b is not None and told.a.dt == told.b.dt == 1e-4
    assert told.needed.keys() == {"recurrent bias"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dt", "a"),
        ("dt", True),
        ("floor_value", "x"),
        ("late_before", 3),
        ("most_spikes", True),
        ("shown_at_spike", "v"),
        ("name", 3),
        ("delay", -1),
        ("delay", 1.5),
        ("recurrent_delay", 0),
    ],
)
def test_fields_of_a_rule_are_checked(field: str, value: Any) -> None:
    with pytest.raises(RangeError, match=f"{field} = "):
        nir.find_rule("norse", **{field: value})
