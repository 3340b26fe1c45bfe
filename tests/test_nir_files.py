"""NIR files: what is written is read again, bit for bit; what others wrote wrong is mended."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nir_graphs import DATA, FILES, graphs, skeleton, text

from neuro_lif import nir
from neuro_lif.errors import FileFormatError, NetworkError, RangeError

peer = pytest.importorskip("nir", reason="nir is not installed")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def round_trip(graph: nir.NIRGraph, path: Path) -> None:
    nir.write(path, graph)
    found = nir.read(path)
    assert found.graph == graph
    assert found.graph.edges == graph.edges, "the order of edges was lost"
    assert found.report.repairs == () and found.report.assumptions == ()


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs())
def test_what_is_written_is_read_again(graph: nir.NIRGraph, tmp_path: Path) -> None:
    round_trip(graph, tmp_path / "a.nir")


@pytest.mark.verify
@settings(max_examples=1000, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs())
def test_a_thousand_graphs_are_read_again(graph: nir.NIRGraph, tmp_path: Path) -> None:
    round_trip(graph, tmp_path / "a.nir")


def same_node(ours: Any, theirs: Any) -> None:
    assert type(ours).__name__ == type(theirs).__name__
    if isinstance(ours, nir.NIRGraph):
        assert ours.nodes.keys() == theirs.nodes.keys()
        assert sorted(ours.edges) == sorted(theirs.edges)
        for name, node in ours.nodes.items():
            same_node(node, theirs.nodes[name])
        return
    for name in type(ours).CHECKS:
        if name == "shape":
            key = "input" if isinstance(ours, nir.Input) else "output"
            value = getattr(theirs, f"{key}_type")[key]
        elif name == "input_type":
            value = theirs.input_type["input"]
        else:
            value = getattr(theirs, name)
        mine = getattr(ours, name)
        if isinstance(mine, np.ndarray) and name != "w_in":  # nir multiplies it by ones
            assert np.asarray(value).dtype == mine.dtype, name
        np.testing.assert_array_equal(mine, value)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs())
def test_nir_itself_reads_what_we_write(graph: nir.NIRGraph, tmp_path: Path) -> None:
    nir.write(tmp_path / "a.nir", graph)
    # type_check=False: nir takes a kernel's height for its width and forgets groups
    same_node(graph, peer.read(tmp_path / "a.nir", type_check=False))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_real_files_are_read_and_written(path: Path, tmp_path: Path) -> None:
    found = nir.read(path)
    round_trip(found.graph, tmp_path / "a.nir")
    same_node(found.graph, peer.read(tmp_path / "a.nir"))  # with its own type check
    if not found.report.repairs:
        same_node(found.graph, peer.read(path))


def test_what_real_files_have_wrong_is_reported() -> None:
    rockpool = nir.read(DATA / "rockpool" / "lif_neuron_ff.nir")
    assert [(f.where, f.field) for f in rockpool.report.repairs] == [
        ("input", "shape"),
        ("output", "shape"),
    ]
    assert rockpool.graph.nodes["input"] == nir.Input((12,))
    braille = nir.read(DATA / "nir_paper" / "braille_noDelay_bias_zero.nir")
    assert {(f.where, f.field) for f in braille.report.assumptions} == {
        ("lif1.lif", "v_reset"),
        ("lif2", "v_reset"),
    }
    assert braille.report.version == "0.2.0"
    assert "not called 'input'" in str(nir.read(DATA / "spikingjelly" / "cubalif_ff.nir").report)


def made(path: Path, change: Any, **fields: Any) -> nir.Read:
    with h5py.File(path, "w") as file:
        skeleton(file, **fields)
        change(file)
    return nir.read(path)


def edges(file: Any, pairs: list[tuple[str, str]], where: str = "node") -> None:
    del file[f"{where}/edges"]
    data = np.array(pairs, dtype=object)
    file[where].create_dataset("edges", data=data, dtype=h5py.string_dtype())


def test_missing_fields_are_what_nir_takes(tmp_path: Path) -> None:
    found = made(tmp_path / "a.nir", lambda f: None, v_reset=None)
    node: Any = found.graph.nodes["a"]
    assert np.array_equal(node.v_reset, np.zeros(3)) and node.v_reset.dtype == np.float64
    assert [f.field for f in found.report.assumptions] == ["v_reset"]


def test_an_edge_written_twice_counts_once(tmp_path: Path) -> None:
    pairs = [("a", "output"), ("input", "a"), ("a", "output")]
    found = made(tmp_path / "a.nir", lambda f: edges(f, pairs))
    assert found.graph.edges == (("a", "output"), ("input", "a"))
    assert "written twice" in str(found.report.repairs[0])


def test_an_edge_to_a_node_with_another_name_is_mended(tmp_path: Path) -> None:
    # as in the NIR paper's *_subgraph.nir: edges name `lif`, the node is called `lif1`
    found = made(
        tmp_path / "a.nir",
        lambda f: (
            f["node/nodes"].move("a", "lif1"),
            edges(f, [("input", "lif"), ("lif", "output")]),
        ),
    )
    assert found.graph.edges == (("input", "lif1"), ("lif1", "output"))
    assert "'lif1' is meant" in str(found.report)


def test_the_subgraphs_of_the_nir_paper(tmp_path: Path) -> None:
    # Source: paper/03_rnn/extras/Subgraph_rnn.ipynb of the NIR repository, which made them so
    flat = DATA / "nir_paper" / "braille_noDelay_bias_zero.nir"
    with h5py.File(flat) as old, h5py.File(tmp_path / "a.nir", "w") as file:
        old.copy("version", file)
        old.copy("node", file)
        nodes = file["node/nodes"]
        nodes.create_group("lif1/nodes")
        text(nodes["lif1"], "type", "NIRGraph")
        nodes.move("lif1.lif", "lif1/nodes/lif1")
        nodes.move("lif1.w_rec", "lif1/nodes/lin")
        for name in ("input", "output"):
            nodes.copy(name, f"lif1/nodes/{name}")
            del nodes[f"lif1/nodes/{name}/shape"]
            nodes[f"lif1/nodes/{name}"].create_dataset("shape", data=[38])
        inner = [("input", "lif"), ("lif", "lin"), ("lin", "lif"), ("lif", "output")]
        nodes["lif1"].create_dataset(
            "edges", data=np.array(inner, dtype=object), dtype=h5py.string_dtype()
        )
        names = ["input", "fc1", "lif1", "fc2", "lif2", "output"]
        edges(file, list(zip(names, names[1:], strict=False)))
    found = nir.read(tmp_path / "a.nir")
    assert [(f.where, f.field) for f in found.report.repairs] == [("lif1", "edges")] * 2
    with np.load(DATA / "nir_paper" / "exp03_braille_sample0.npz") as sample:
        x = sample["input"]
    nested = nir.run(found.graph, x, "snntorch-2023")
    plain = nir.run(nir.read(flat).graph, x, "snntorch-2023")
    assert plain.spikes["lif1.lif"].sum() > 50
    assert np.array_equal(nested.spikes["lif1/lif1"], plain.spikes["lif1.lif"])
    assert np.array_equal(nested.voltage["lif2"], plain.voltage["lif2"])


def test_an_edge_to_the_port_of_a_graph(tmp_path: Path) -> None:
    # as NIR's documentation writes it, and nir 1.0.8 refuses it
    def change(file: Any) -> None:
        nodes = file["node/nodes"]
        nodes.create_group("g.1/nodes")
        text(nodes["g.1"], "type", "NIRGraph")
        for name in ("input", "a", "output"):
            nodes.copy(name, f"g.1/nodes/{name}")
        file.copy("node/edges", nodes["g.1"])
        edges(file, [("input", "a"), ("a", "g.1.input"), ("g.1.output", "output")])

    found = made(tmp_path / "a.nir", change)
    assert sorted(found.graph.edges) == [("a", "g.1"), ("g.1", "output"), ("input", "a")]
    assert [f.text.split(" names ")[1] for f in found.report.repairs] == [
        "a port, taken as the graph 'g.1'"
    ] * 2


def test_attributes_are_noted(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["node/nodes/a/tau"].attrs["unit"] = "ms"
        for k in range(9):
            file["node"].attrs[f"k{k}"] = k

    notes = [(f.where, f.field, f.text) for f in made(tmp_path / "a.nir", change).report.findings]
    assert [n[:2] for n in notes] == [("", ""), ("a", "tau")]
    assert "'k0', 'k1', 'k2', 'k3', 'k4' and 4 more" in notes[0][2] and "'unit'" in notes[1][2]


def test_weights_of_whole_numbers_without_a_bias(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["node/nodes/a/type"]
        text(file["node/nodes/a"], "type", "Affine")

    with h5py.File(tmp_path / "a.nir", "w") as file:
        skeleton(file, "Linear", weight=np.eye(3, dtype=np.int8))
        change(file)
    node: Any = nir.read(tmp_path / "a.nir").graph.nodes["a"]
    assert node.weight.dtype == np.int8 and node.bias.tolist() == [0.0] * 3


def test_metadata_of_every_kind_come_back(tmp_path: Path) -> None:
    given = {
        "text": "ä",
        "texts": ["a", "bc", ""],
        "none": (),
        "table": [["a", "b"], ["c", "d"]],
        "array of texts": np.array(["x", "yz"]),
        "one text": np.str_("s"),
        "number": 3,
        "truth": True,
        "large": 2**63 + 1,
        "not finite": [np.nan, -np.inf],
        "deep": {"er": {"est": np.arange(4, dtype=">i2")}, "empty": {}},
    }
    graph = replace(nir.read(FILES[0]).graph, metadata=given)
    round_trip(graph, tmp_path / "a.nir")
    found = nir.read(tmp_path / "a.nir").graph.metadata
    assert found["table"] == (("a", "b"), ("c", "d")) and found["none"] == ()
    assert found["array of texts"] == ("x", "yz") and found["one text"] == "s"
    for bad in (object(), [["a"], ["b", "c"]], ["a", 1], "a\0", "\ud800", None, 1j, b"raw"):
        with pytest.raises(NetworkError, match="metadata/deep/bad"):
            nir.Input((1,), metadata={"deep": {"bad": bad}})


def test_all_spellings_of_a_file(tmp_path: Path) -> None:
    """Byte orders, fixed texts, chunks, filters and scalars say the same."""
    plain = made(tmp_path / "a.nir", lambda f: None).graph

    def change(file: Any) -> None:
        del file["version"], file["node/nodes/a/type"], file["node/nodes/input/shape"]
        file.create_dataset("version", data=np.bytes_(b"1.0.8"))
        a = file["node/nodes/a"]
        a.create_dataset("type", data=np.bytes_(b"LIF"))
        file["node/nodes/input"].create_dataset("shape", data=3)
        for name, how in (
            ("tau", {"compression": "lzf"}),
            ("r", {"compression": "gzip", "shuffle": True, "fletcher32": True}),
            ("v_leak", {"chunks": (2,)}),
        ):
            del a[name]
            a.create_dataset(name, data=np.ones(3, ">f8"), **how)
        del file["node/edges"]
        file["node"].create_dataset("edges", data=np.array([[b"input", b"a"], [b"a", b"output"]]))

    found = made(tmp_path / "b.nir", change)
    assert found.graph == plain and found.report.findings == ()


def test_an_edge_with_two_meanings_is_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file.copy("node/nodes/a", "node/nodes/a2")
        edges(file, [("input", "aa"), ("output", "input")])
        file["node/nodes"].move("a", "aa1")
        file["node/nodes"].move("a2", "aa2")

    with pytest.raises(FileFormatError, match="'aa', allowed: a node of this graph"):
        made(tmp_path / "a.nir", change)


def test_one_value_is_spread_over_a_layer(tmp_path: Path) -> None:
    found = made(tmp_path / "a.nir", lambda f: None, tau=np.float32(2.0), r=np.full(1, 7.0))
    node: Any = found.graph.nodes["a"]
    assert node.tau.tolist() == [2.0] * 3 and node.tau.dtype == np.float32
    assert node.r.tolist() == [7.0] * 3
    assert [f.field for f in found.report.repairs] == ["r", "tau"] or len(found.report.repairs) == 2


def test_no_ends_are_added_where_there_are_some_missing(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["node/nodes/input"], file["node/nodes/output"]
        edges(file, [("a", "a")])
        del file["node/edges"]

    found = made(tmp_path / "a.nir", change)
    assert sorted(found.graph.edges) == [("a", "output"), ("input", "a")]
    assert len(found.report.repairs) == 2


def conv(
    path: Path, end: tuple[int, ...], kernel: tuple[int, int] = (3, 5), **more: Any
) -> nir.Read:
    with h5py.File(path, "w") as file:
        skeleton(
            file,
            "Conv2d",
            weight=np.ones((4, 1, *kernel), np.float32),
            bias=np.zeros(4),
            groups=2,
            **more,
        )
        for name, shape in (("input", (1, 2, 10, 12)), ("output", end)):
            del file[f"node/nodes/{name}/shape"]
            file[f"node/nodes/{name}"].create_dataset("shape", data=np.array(shape))
    return nir.read(path)


def test_shapes_that_nir_gets_wrong_are_mended(tmp_path: Path) -> None:
    # nir 1.0.8 takes the height of a kernel for its width, and Cin / groups for Cin
    found = conv(tmp_path / "a.nir", (4, 8, 10))
    assert found.graph.nodes["output"] == nir.Output((4, 8, 8))
    assert found.graph.nodes["input"] == nir.Input((2, 10, 12))
    node: Any = found.graph.nodes["a"]
    assert node.input_shape == (10, 12)
    assert {f.field for f in found.report.findings} == {"shape", "input_shape"}
    wrong = conv(tmp_path / "a.nir", (4, 8, 8), input_shape=(12, 10))
    assert "(12, 10) is not what comes in, taken as (10, 12)" in str(wrong.report)


def test_a_batch_axis_in_flatten_is_mended(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nir", "w") as file:
        a = skeleton(file, "Linear", weight=np.ones((2, 12)))
        nodes = a.parent
        flat = nodes.create_group("flat")
        text(flat, "type", "Flatten")
        flat.create_dataset("start_dim", data=1)
        flat.create_dataset("end_dim", data=-1)
        del nodes["input/shape"], nodes["output/shape"]
        nodes["input"].create_dataset("shape", data=[3, 2, 2])
        nodes["output"].create_dataset("shape", data=[2])
        edges(file, [("input", "flat"), ("flat", "a"), ("a", "output")])
    found = nir.read(tmp_path / "a.nir")
    assert found.graph.nodes["flat"] == nir.Flatten((3, 2, 2), 0, -1)
    assert [f.field for f in found.report.repairs] == ["start_dim"]


def test_a_lone_node_becomes_a_graph(tmp_path: Path) -> None:
    peer.write(str(tmp_path / "a.nir"), peer.Linear(np.ones((2, 3))))
    found = nir.read(tmp_path / "a.nir")
    assert found.graph.nodes["input"] == nir.Input((3,)) and len(found.report.repairs) == 1


def test_metadata_of_nir_come_back(tmp_path: Path) -> None:
    graph = peer.NIRGraph.from_list(peer.Linear(np.ones((2, 3))))
    graph.metadata = {"dt": 1e-4, "about": "a text", "n": 3, "deep": {"a": np.arange(3)}}
    peer.write(str(tmp_path / "a.nir"), graph)
    metadata = nir.read(tmp_path / "a.nir").graph.metadata
    assert metadata["dt"] == 1e-4 and metadata["about"] == "a text" and metadata["n"] == 3
    assert metadata["deep"]["a"].tolist() == [0, 1, 2]


def test_a_graph_that_a_reader_would_mend_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    bare = nir.NIRGraph({"a": nir.Linear(np.ones((2, 3)))}, ())
    with pytest.raises(FileFormatError, match="no Input in the graph"):
        nir.write(path, bare)
    misfit = nir.NIRGraph(
        {"i": nir.Input((4,)), "a": nir.Linear(np.ones((2, 3))), "o": nir.Output((2,))},
        (("i", "a"), ("a", "o")),
    )
    with pytest.raises(FileFormatError, match="'i' -> 'a'"):
        nir.write(path, misfit)
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.nir"
    graph = nir.read(FILES[0]).graph
    nir.write(path, graph)
    before = path.read_bytes()
    monkeypatch.setattr(h5py.Group, "create_dataset", lambda *a, **k: 1 / 0)
    with pytest.raises(FileFormatError, match="cannot be written"):
        nir.write(path, graph)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.nir"]


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        nir.read(tmp_path / "none.nir")
    with pytest.raises(RangeError, match="max_bytes"):
        nir.read(FILES[0], max_bytes=0)
    with pytest.raises(RangeError, match="wants a NIRGraph"):
        nir.write(tmp_path / "a.nir", nir.Input((1,)))  # type: ignore[arg-type]
    with pytest.raises(FileFormatError, match="max_bytes= allows more"):
        nir.read(DATA / "nir_paper" / "cnn_sinabs.nir", max_bytes=1000)


ONES = np.ones(3)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: nir.LIF(ONES, ONES, ONES, np.ones(2), ONES), "v_threshold"),
        (lambda: nir.LIF(-ONES, ONES, ONES, ONES, ONES), "tau = -1.0"),
        (lambda: nir.LIF(ONES * np.nan, ONES, ONES, ONES, ONES), "tau = nan"),
        (lambda: nir.LIF("x", ONES, ONES, ONES, ONES), "tau"),  # type: ignore[arg-type]
        (lambda: nir.Affine(np.ones((2, 3)), ONES), "bias"),
        (lambda: nir.Input((0,)), "shape"),
        (lambda: nir.Input((2.5,)), "shape"),  # type: ignore[arg-type]
        (lambda: nir.Delay(-ONES), "delay"),
        (lambda: nir.SumPool2d((0, 1), (1, 1), (0, 0)), "kernel_size"),
        (lambda: nir.Conv1d(3, np.ones((1, 1, 2)), 2, "same", 1, 1, np.ones(1)), "stride"),
        (lambda: nir.Conv1d(3, np.ones((3, 1, 2)), 1, 0, 1, 2, ONES), "groups"),
        (lambda: nir.NIRGraph({"a/b": nir.Input((1,))}, ()), "a/b"),
        (lambda: nir.NIRGraph({"a": 3}, ()), "'a'"),  # type: ignore[dict-item]
        (lambda: nir.NIRGraph({"a": nir.Input((1,))}, (("a", "b"),)), "'b'"),
        (lambda: nir.NIRGraph({"a": nir.Input((1,))}, (("a", "a"), ("a", "a"))), "each edge once"),
        (lambda: nir.Input((1,), metadata={"a": object()}), "metadata/a"),
        (lambda: nir.NIRGraph({}, np.array(None)), "edges"),  # type: ignore[arg-type]
        (lambda: nir.Input((1,), metadata={"a/b": 1}), "metadata"),
    ],
)
def test_nodes_are_checked_when_made(make: Any, named: str) -> None:
    with pytest.raises(NetworkError, match=named.replace("/", "/")):
        make()


def test_nodes_are_values() -> None:
    mine = np.ones(3)
    node = nir.Scale(mine)
    mine[0] = 5
    assert node.scale[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        node.scale[0] = 2
    assert node == nir.Scale(np.ones(3)) != nir.Scale(np.ones(3, np.float32))
    assert nir.Scale(np.zeros(3)) != nir.Scale(-np.zeros(3)), "equal means: every bit"
    graph = nir.read(FILES[0]).graph
    assert pickle.loads(pickle.dumps(graph)) == graph == copy.deepcopy(graph)
    assert replace(node, scale=np.zeros(3)) == nir.Scale(np.zeros(3))


def test_golden_traces_are_nir_data(tmp_path: Path) -> None:
    graph = nir.read(DATA / "snntorch" / "cubalif_rec_zero.nir").graph
    inner = nir.NIRGraph(
        {"i": nir.Input((12,)), "g": graph, "o": nir.Output((4,))}, (("i", "g"), ("g", "o"))
    )
    x = np.random.default_rng(0).integers(0, 2, (30, 12))
    flat, nested = nir.run(graph, x, "snntorch"), nir.run(inner, x, "snntorch")
    nir.write_data(tmp_path / "a.nir", flat)
    data = peer.read_data(str(tmp_path / "a.nir"))
    seen = data.nodes["lif1.lif"].observables
    assert seen["spikes"].dt == 1e-4 and flat.spikes["lif1.lif"].sum() > 0
    assert np.array_equal(seen["spikes"].data[0], flat.spikes["lif1.lif"])
    assert np.array_equal(seen["current"].data[0], flat.current["lif1.lif"])
    assert np.array_equal(
        data.nodes["output"].observables["output"].data[0], flat.outputs["output"]
    )
    nir.write_data(tmp_path / "b.nir", nested)
    deep = peer.read_data(str(tmp_path / "b.nir")).nodes["g"].nodes["lif2"].observables["spikes"]
    assert np.array_equal(deep.data[0], nested.spikes["g/lif2"])


def test_the_rule_of_a_run_is_metadata(tmp_path: Path) -> None:
    graph = nir.read(DATA / "snntorch" / "cubalif_rec_zero.nir").graph
    said = nir.with_rule(graph, nir.run(graph, np.zeros((1, 12)), "snntorch"))
    round_trip(said, tmp_path / "a.nir")
    entry = nir.read(tmp_path / "a.nir").graph.metadata["neuro_lif"]
    assert entry["rule"] == "snntorch" and entry["dt"] == 1e-4 and entry["reset"] == "zero"
    assert peer.read(tmp_path / "a.nir").metadata["neuro_lif"]["reset"] == "zero"


@pytest.mark.parametrize("name", sorted(nir.RULES))
def test_a_rule_comes_back_from_metadata(name: str, tmp_path: Path) -> None:
    ones = np.ones(3)
    nodes = {
        "i": nir.Input((3,)),
        "n": nir.LIF(ones, ones, 0 * ones, ones, ones * 0),
        "o": nir.Output((3,)),
    }
    graph = nir.NIRGraph(nodes, (("i", "n"), ("n", "o")))
    ran = nir.run(graph, np.full((20, 3), 3.0), nir.find_rule(name, own_files=""), dt=0.1)
    nir.write(tmp_path / "a.nir", nir.with_rule(graph, ran))
    again = nir.run(nir.read(tmp_path / "a.nir").graph, np.full((20, 3), 3.0))
    assert again.dt == 0.1 and again.rule.switches() == {**ran.rule.switches(), "dt": 0.1}
    assert np.array_equal(again.voltage["n"], ran.voltage["n"])


@pytest.mark.parametrize("entry", [3, {"reset": "soft"}, {"colour": "red"}, {"dt": "fast"}])
def test_a_wrong_rule_in_metadata_is_refused(entry: Any) -> None:
    graph = nir.NIRGraph({"i": nir.Input((1,))}, (), metadata={"neuro_lif": entry})
    with pytest.raises(RangeError, match="metadata"):
        nir.run(graph, np.zeros((1, 1)), dt=1.0)
    assert nir.run(graph, np.zeros((1, 1)), "exact", dt=1.0).rule.name == "exact"
