"""One digest for studies, ladders and reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_cases import network, study, task

import neuro_lif as nl
from neuro_lif.cli import main
from neuro_lif.digests import digest
from neuro_lif.errors import RangeError
from neuro_lif.files.task import read_task
from neuro_lif.files.toml import save_network
from neuro_lif.ladder import Ladder, ladder
from neuro_lif.quantize import quantize
from neuro_lif.task import Task


def test_a_study_and_a_ladder_of_the_same_have_the_same_digests() -> None:
    net, given = network(), task()
    stepped = nl.discretize(net, 1e-3)
    told = ladder(net, "generic", dt=1e-3, task=given).provenance
    identity = study().identity
    assert told["network digest"] == identity["network"] == digest(net)
    assert told["profile digest"] == identity["profile"]
    assert told["task digest"] == identity["task"]
    from neuro_lif.study import Study

    of_steps = Study(stepped, "generic", {"quantize.weight_bits": [3]}, inputs=given.inputs)
    told = ladder(net, "generic", dt=1e-3, inputs=given.inputs).provenance
    assert told["steps digest"] == of_steps.identity["network"] == digest(stepped)
    assert told["inputs digest"] == of_steps.identity["inputs"]
    other = replace(net, probes=())
    assert digest(other) != digest(net)


def test_keys_of_studies_are_those_of_before() -> None:
    """Stored studies are found again: this digest was written before the two walkers were one."""
    values = {"a": [1, 2.5, None, True], "b": (np.arange(3, dtype=np.int32), "x")}
    assert digest(values, 0.02) == (
        "585e463850e08776ae059f76b94a2048d94e8e16ebad0db182c996a80eea00ba"
    )


def test_integers_have_a_digest_that_does_not_depend_on_how_they_were_made() -> None:
    fixed = quantize(nl.discretize(network(), 1e-3), "generic")
    assert digest(fixed) == digest(replace(fixed, ledger=None))
    assert digest(fixed) != digest(replace(fixed, seed=1))
    with pytest.raises(RangeError, match="<object .* has no digest, allowed: numbers"):
        digest({"a": object()})


def test_a_ladder_of_before_still_loads_and_makes_a_report(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_network(network(), "net.toml")
    given = task()
    np.savez("task.npz", labels=given.labels, output=np.array("out"),
             **{"in": np.asarray(given.inputs["in"])})  # fmt: skip
    base = ("net.toml", "--profile", "generic", "--dt", "1 ms", "--task", "task.npz")
    assert main(["ladder", *base, "--json", "ladder.json"]) == 0
    page = ("report", *base, "--ladder", "ladder.json", "--out", "page.html")
    capsys.readouterr()
    assert main([*page]) == 0
    assert "earlier version" not in "".join(capsys.readouterr())
    saved = json.loads(Path("ladder.json").read_text())
    told = _provenance(saved)
    told["network digest"] = "0" * 64  # of another network
    Path("ladder.json").write_text(json.dumps(saved))
    assert main([*page]) == 2
    assert "of another network than net.toml" in " ".join("".join(capsys.readouterr()).split())
    del told["digests"], told["steps digest"]  # of a version before
    Path("ladder.json").write_text(json.dumps(saved))
    assert Ladder.load("ladder.json").provenance["network digest"] == "0" * 64
    assert main([*page]) == 0
    assert "of an earlier version" in " ".join("".join(capsys.readouterr()).split())


def _provenance(saved: Any) -> dict[str, str]:
    found = [v for k, v in saved.items() if k == "provenance"]
    return found[0] if found else next(
        _provenance(v) for v in saved.values() if isinstance(v, dict))  # fmt: skip


def test_a_task_file_is_read_alike_by_all(tmp_path: Path) -> None:
    given = task()
    path = tmp_path / "task.npz"
    raster = np.asarray(given.inputs["in"])
    np.savez(path, y=given.labels, output=np.array("out"), readout=np.array("v_max"),
             **{"in": raster})  # fmt: skip
    found = read_task(path, labels="y")
    assert found.digest == Task({"in": raster}, given.labels, "out", "v_max").digest
    found = read_task(path, labels="y", output="hidden", readout="count", n_steps=9)
    assert (found.output, found.readout, found.steps) == ("hidden", "count", 9)
    with pytest.raises(nl.NeuroLifError, match="no array 'labels' among y, in, output, readout"):
        read_task(path)
