"""Files written here, loaded by the nir package and run in five frameworks: equal spikes.

``tests/frameworks/written.py`` makes the graphs. What the frameworks gave is recorded
(``tests/data/nir/lab/written.npz``); ``make verify`` runs them live with other seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import nir

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "frameworks"))
from record_written import SEEDS, given  # noqa: E402
from written import MAKERS, Written, written  # noqa: E402

PYTHON = HERE.parent / ".venv-frameworks" / "bin" / "python"
LIVE = range(1000, 1030)


def wrong(case: Written, theirs: Any) -> str:
    """Return the first spike that differs; empty: none does."""
    ran = nir.run(case.graph, case.inputs, case.rule, dt=case.dt)
    ((_, ours),) = ran.outputs.items()
    if ours.shape != theirs.shape:
        return f"{case.name}: shape {ours.shape} against {theirs.shape}"
    at = np.argwhere(ours != theirs)
    if not len(at):
        return ""
    k = tuple(int(i) for i in at[0])
    return f"{case.name}: {len(at)} of {ours.size}, first at {k}: {ours[k]:g} against {theirs[k]:g}"


@pytest.mark.parametrize("framework", MAKERS)
def test_recorded_runs_of_files_written_here(framework: str, tmp_path: Path) -> None:
    with np.load(DATA / "lab" / "written.npz") as recorded:
        total = 0
        for seed in SEEDS:
            case = written(framework, seed)
            assert case.digest() == recorded[f"{case.name}.digest"], "another graph than recorded"
            nir.write(tmp_path / "net.nir", case.graph)
            found = nir.read(tmp_path / "net.nir")
            back = Written(
                case.name, framework, found.graph, case.inputs, case.rule, case.dt
            )  # what the file holds, not what it was made from
            assert back.digest() == case.digest()
            assert wrong(back, recorded[case.name]) == ""
            total += int(recorded[case.name].sum())
    assert total > 1000


@pytest.mark.parametrize("framework", MAKERS)
def test_the_nir_package_reads_what_is_written_here(framework: str, tmp_path: Path) -> None:
    other = pytest.importorskip("nir")
    for seed in SEEDS:
        case = written(framework, seed)
        nir.write(tmp_path / "net.nir", case.graph)
        graph = other.read(tmp_path / "net.nir")  # with its checks of types and structure
        assert set(graph.nodes) == set(case.graph.nodes)
        assert set(graph.edges) == set(case.graph.edges)


@pytest.mark.verify
@pytest.mark.parametrize("framework", MAKERS)
def test_files_written_here_run_live(framework: str, tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is not there: make frameworks")
    cases = [written(framework, seed) for seed in LIVE]
    found = given(cases, [PYTHON], tmp_path)
    missing = tmp_path / f"{framework}.missing"
    if missing.exists():
        pytest.skip(f"{framework} is not in .venv-frameworks: {missing.read_text()}")
    assert len(found) == len(cases)
    bad = [
        f"{case.name}: {out}" if isinstance(out, str) else wrong(case, out)
        for case in cases
        for out in [found[case.name]]
    ]
    assert [line for line in bad if line] == []
    print(f"{framework}: {len(cases)} graphs, 0 spikes differ")
