"""What a graph and a run may not be, and runs of no steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import netx, nir
from neuro_lif.errors import NetworkError, RangeError, TargetError
from neuro_lif.nir import hdf, runner

FILE = DATA / "snntorch" / "cubalif_rec_zero.nir"


def layer(**changes: Any) -> nir.NIRGraph:
    one = np.ones(3)
    fields = {"tau": one, "r": one, "v_leak": 0 * one, "v_threshold": one, "v_reset": 0 * one}
    lif = nir.LIF(**{**fields, **changes})
    nodes = {"input": nir.Input((3,)), "lif": lif, "output": nir.Output((3,))}
    return nir.NIRGraph(nodes, (("input", "lif"), ("lif", "output")))


def test_inputs_of_no_steps_are_refused() -> None:
    graph = nir.read(FILE).graph  # as run_clocked and run_fixed refuse them
    wanted = r"input = 'shape \(0, 12\)', allowed: shape \(n_steps, 12\), n_steps >= 1"
    with pytest.raises(RangeError, match=wanted):
        nir.run(graph, np.zeros((0, 12)), "snntorch")
    with pytest.raises(RangeError, match=wanted):
        nir.explain(graph, np.zeros((0, 12)), "snntorch", "norse", dt=1e-4)


def test_a_graph_without_inputs_shows_no_rows() -> None:
    one = np.ones(3)
    nodes = {"lif": nir.LIF(one, one, one, one, one), "output": nir.Output((3,))}
    ran = nir.run(nir.NIRGraph(nodes, (("lif", "output"),)), {}, "nir-euler", dt=0.1)
    for found, name in ((ran.spikes, "lif"), (ran.voltage, "lif"), (ran.outputs, "output")):
        assert found.keys() == {name} and found[name].shape == (0, 3)


def test_a_giant_padding_is_refused_by_node() -> None:
    weight = np.ones((1, 1, 3, 3))
    for name, padding, dilation in (
        ("padding", (2**30, 0), (1, 1)),
        ("dilation", "same", (2**30, 1)),
    ):
        conv = nir.Conv2d((8, 8), weight, (1, 1), padding, dilation, 1, np.zeros(1))
        nodes = {"input": nir.Input((1, 8, 8)), "conv": conv}
        graph = nir.NIRGraph(nodes, (("input", "conv"),))
        with pytest.raises(NetworkError, match=rf"'conv' \(Conv2d\): {name} = .* allowed: at most"):
            nir.run(graph, np.zeros((1, 1, 8, 8)), "nir-euler", dt=1.0)


def test_masked_arrays_are_refused() -> None:
    masked = np.ma.masked_array(np.ones(3), [False, True, False])
    with pytest.raises(NetworkError, match="tau = 'a masked array', allowed: an array without"):
        layer(tau=masked)
    assert layer(tau=np.ma.masked_array(np.ones(3), False)) is not None  # nothing is masked
    with pytest.raises(RangeError, match="input = 'a masked array', allowed: an array without"):
        nir.run(layer(), np.ma.masked_array(np.ones((2, 3)), np.eye(2, 3)), "nir-euler", dt=0.1)


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise MemoryError("17 TiB")

    monkeypatch.setattr(runner, "advance", none)
    with pytest.raises(RangeError, match=r"more memory is needed than there is \(17 TiB\); take"):
        nir.run(layer(), np.ones((2, 3)), "nir-euler", dt=0.1)


def test_h5py_is_asked_for_by_what_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hdf, "find_spec", lambda name: None)
    (tmp_path / "a.net").write_bytes(b"x")
    with pytest.raises(TargetError, match="^netx files need h5py"):
        netx.read(tmp_path / "a.net")
    with pytest.raises(TargetError, match="^NIR files need h5py"):
        nir.read(FILE)


def test_of_nodes_that_part_in_one_step_the_first_along_the_graph_is_named() -> None:
    one = np.ones(1)
    cell = {"tau": one, "r": one, "v_leak": 0 * one, "v_reset": 0 * one}
    nodes = {
        "input": nir.Input((1,)),
        "z": nir.LIF(v_threshold=0.5 * one, **cell),
        "wire": nir.Linear(np.ones((1, 1))),
        "a": nir.LIF(v_threshold=0.5 * one, **cell),
        "output": nir.Output((1,)),
    }
    graph = nir.NIRGraph(nodes, [*zip(list(nodes), list(nodes)[1:], strict=False)])
    rule = nir.find_rule("nir-euler", input_gain="one")
    other = nir.find_rule("nir-euler", input_gain="r")
    told = nir.explain(graph, np.ones((3, 1)), rule, other, dt=0.4)
    assert told.first is not None
    assert (told.first.step, told.first.node) == (0, "z")
    assert told.differences["a"] and told.differences["z"]
