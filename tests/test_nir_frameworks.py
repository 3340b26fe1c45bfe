"""Files that seven frameworks wrote, beside what the frameworks themselves gave for them.

``tests/frameworks/from_*.py`` makes them (``make frameworks`` makes the environment), and
``tests/data/nir/lab`` holds one seed of all; each .json says the settings and the versions.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import nir
from neuro_lif.errors import NetworkError

HERE = Path(__file__).parent / "frameworks"
sys.path.insert(0, str(HERE))
from cases import compared  # noqa: E402

LAB = DATA / "lab"


def names() -> list[str]:
    """Return the cases as FRAMEWORK/CASE."""
    found = []
    for path in sorted(LAB.glob("*.zip")):
        with zipfile.ZipFile(path) as packed:
            found += [f"{path.stem}/{n[:-5]}" for n in packed.namelist() if n.endswith(".json")]
    return found


def unpacked(name: str, folder: Path) -> Path:
    """Unpack one case; returns its .json."""
    framework, case = name.split("/")
    with zipfile.ZipFile(LAB / f"{framework}.zip") as packed:
        for ending in ("nir", "npz", "json"):
            packed.extract(f"{case}.{ending}", folder)
    return folder / f"{case}.json"


@pytest.mark.parametrize("name", names())
def test_a_framework_and_its_file_are_repeated(name: str, tmp_path: Path) -> None:
    path = unpacked(name, tmp_path)
    assert compared(path) == []
    with np.load(path.with_suffix(".npz")) as found:
        assert any(found[k].any() for k in found.files if k.startswith(("spikes", "voltage")))


def test_there_are_cases_of_seven_frameworks() -> None:
    counts = {
        n: sum(c.startswith(f"{n}/") for c in names()) for n in {c.split("/")[0] for c in names()}
    }
    assert len(counts) == 7 and min(counts.values()) >= 5 and sum(counts.values()) >= 90


def case(name: str, folder: Path) -> tuple[nir.NIRGraph, dict[str, Any], dict[str, Any]]:
    path = unpacked(name, folder)
    with np.load(path.with_suffix(".npz")) as found:
        return nir.read(path.with_suffix(".nir")).graph, dict(found), json.loads(path.read_text())


# (case, what is set wrong, the switch that has to be named)
WRONG = [
    ("snntorch/leaky_subtract_same", {"reset": "zero"}, "reset"),
    ("snntorch/synaptic_zero_late", {"reset_time": "same"}, "reset time"),
    ("snntorch/rsynaptic_zero_same", {"recurrent_reset_time": "same"}, "reset time"),
    ("sinabs/lif_li_many_subtract_norm1", {"input_gain": "one"}, "gain"),
    ("sinabs/iaf_one_subtract", {"spikes": "many"}, "spikes per step"),
    ("spyx/conv_sumpool", {"layout": "channels-first"}, "layout"),
    ("spyx/rlif", {"recurrent_input": "edge"}, "recurrent_input"),
    ("nengo/recurrent_zero_0p001", {"floor": "none"}, "floor"),
    ("norse/box_li", {"v_init": "zero"}, "initial voltage"),
]


@pytest.mark.parametrize(("name", "wrong", "cause"), WRONG)
def test_explain_names_the_cause(
    name: str, wrong: dict[str, str], cause: str, tmp_path: Path
) -> None:
    graph, traces, said = case(name, tmp_path)
    right = nir.run(
        graph, traces["input"], nir.find_rule(said["rule"], **said["changes"]), dt=said["dt"]
    ).rule  # the rule that was taken: Norse's own files have another one
    base = nir.find_rule(right, **wrong)
    spikes = {k.partition(":")[2]: v for k, v in traces.items() if k.startswith("spikes")}
    recorded = nir.explain(graph, traces["input"], base, spikes, dt=said["dt"])
    assert not recorded.equal
    field = next(iter(wrong))
    assert recorded.trials[f"{field} {getattr(right, field)}"] == (None, 0)
    told = nir.explain(graph, traces["input"], base, right, dt=said["dt"])
    assert told.needed.keys() == {cause} and told.causes.keys() == {cause}


def test_recurrent_weights_are_added_to_a_layer() -> None:
    ones = np.ones(3)
    nodes = {
        "input": nir.Input((3,)),
        "n": nir.LIF(ones, ones, 0 * ones, ones, 0 * ones),
        "output": nir.Output((3,)),
    }
    graph = nir.NIRGraph(nodes, (("input", "n"), ("n", "output")))
    weight = np.arange(9.0).reshape(3, 3)
    added = nir.with_recurrence(graph, "n", weight, ones)
    assert {("n", "n.w_rec"), ("n.w_rec", "n")} <= set(added.edges)
    assert np.array_equal(added.nodes["n.w_rec"].weight, weight)
    assert isinstance(nir.with_recurrence(graph, "n", weight).nodes["n.w_rec"], nir.Linear)
    with pytest.raises(NetworkError, match="node = 'input', allowed: \\['n'\\]"):
        nir.with_recurrence(graph, "input", weight)
    with pytest.raises(NetworkError, match="is in the graph already"):
        nir.with_recurrence(added, "n", weight)
