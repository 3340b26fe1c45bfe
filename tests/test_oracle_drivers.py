"""The drivers of the live peers against what the peers were recorded to do."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles.recorded import NoCounterpart, convert, load_recorded
from oracles.schema import Unsupported, differences

pytestmark = [pytest.mark.verify, pytest.mark.oracle]

DATA = Path(__file__).parent / "data"
RECORDED = (DATA / "loihi_vectors.json", DATA / "lava_more.json")
Figure = Callable[[str], None]


def driver(name: str, package: str) -> Any:
    """Import a driver, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package, reason=f"{package} is not installed in this Python")
    return importlib.import_module(f"oracles.{name}_driver")


def recorded(peer: str) -> list[dict[str, Any]]:
    return [v for file in RECORDED for v in load_recorded(file) if v["peer"] == peer]


def compared(vectors: list[dict[str, Any]], runs: list[Any]) -> int:
    """Hold every run against the record; return how many values that were."""
    lines: list[str] = []
    count = 0
    for vector, run in zip(vectors, runs, strict=True):
        lines += differences(vector, run)
        count += sum(np.size(rows) for v in vector["expect"].values() for rows in v.values())
    assert not lines, "\n".join(lines[:20])
    assert count
    return count


def test_lava_runtime(record_figure: Figure) -> None:
    lava = driver("lava", "lava.proc.lif.process")
    vectors = recorded("lava-nc")
    runs = lava.run_many(vectors)
    count = compared(vectors, runs)
    assert [lava.run_direct(v) for v in vectors] == runs
    record_figure(
        f"lava-nc {lava.VERSION} runtime, and its models in process: {len(vectors)} recorded "
        f"networks, {count:,} values, 0 differences"
    )


def test_nengo_emulator(record_figure: Figure) -> None:
    nengo = driver("nengo", "nengo_loihi")
    vectors = recorded("nengo-loihi")
    count = compared(vectors, [nengo.run(v) for v in vectors])
    record_figure(
        f"nengo-loihi {nengo.VERSION} emulator: {len(vectors)} recorded networks, "
        f"{count:,} values, 0 differences"
    )


def test_brian2(record_figure: Figure) -> None:
    brian2 = driver("brian2", "brian2_loihi")
    vectors = recorded("brian2_loihi")
    count = compared(vectors, brian2.run_many(vectors))
    record_figure(
        f"brian2_loihi {brian2.VERSION}: {len(vectors)} recorded networks, {count:,} values, "
        "0 differences"
    )


def test_models_in_process_are_the_ones_the_runtime_takes() -> None:
    driver("lava", "lava.proc.lif.process")
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.magma.core.run_configs import Loihi2SimCfg
    from oracles import lava_processes

    config = Loihi2SimCfg(select_tag="fixed_pt")
    params = {"bias": 0, "spike_exp": 0, "state_exp": 0, "reset_interval": 1, "reset_offset": 0}
    for model, (names, _, _) in lava_processes.MODELS.items():
        stated = {k: params.get(k, 1) for k in names}
        process = lava_processes.neurons(
            {"name": model, "size": 1, "model": model, "params": stated}
        )
        found = ProcGroupDiGraphs._find_proc_models(proc=process)
        chosen = ProcGroupDiGraphs._select_proc_models(process, found, config)
        assert chosen is lava_processes.PY_MODELS[type(process)]
    for sparse in (False, True):
        for delays in (0, 2):
            for kernel in (False, True):
                weights: Any = [[2]]
                if kernel:
                    weights = {"kernel": [[[[2]]]], "input_shape": [1, 1, 1]}
                elif sparse:
                    weights = {"rows": [0], "columns": [0], "values": [2], "shape": [1, 1]}
                link = {"name": "p", "pre": "a", "post": "b", "weights": weights}
                process = lava_processes.connection(link | {"delays": 0 if kernel else delays})
                found = ProcGroupDiGraphs._find_proc_models(proc=process)
                chosen = ProcGroupDiGraphs._select_proc_models(process, found, config)
                assert chosen is lava_processes.PY_MODELS[type(process)]


def test_nothing_is_ignored() -> None:
    """A key nobody knows is an error, and so is what a peer has no meaning for."""
    entry = json.loads(RECORDED[0].read_text(encoding="utf-8"))["vectors"][0]
    with pytest.raises(ValueError, match="unheard_of"):
        convert(entry | {"unheard_of": 1})
    with pytest.raises(NoCounterpart):
        convert(entry | {"kind": "lava_learning"})
    lava = driver("lava", "lava.proc.lif.process")
    vector = convert(entry)
    vector["network"]["populations"][0]["params"]["refract"] = 1
    with pytest.raises(Unsupported, match="refract"):
        lava.run_direct(vector)
