"""NIRData: what the nir package and we write of a run, both read by both; damage is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import nir
from neuro_lif.errors import FileFormatError, RangeError

NAME = DATA / "snntorch" / "cubalif_rec_zero"


def ran() -> tuple[Any, nir.NirRun]:
    graph = nir.read(NAME.with_suffix(".nir")).graph
    with np.load(NAME.with_suffix(".npz")) as file:
        given = {"input": file["input"]}
    return given, nir.run(graph, given, "snntorch")


def test_written_is_read_by_both(tmp_path: Path) -> None:
    real = pytest.importorskip("nir")
    given, run = ran()
    path = tmp_path / "g.nir"
    nir.write_data(path, run, given)
    ours, theirs = nir.read_data(path), real.read_data(path)
    assert ours.dt == run.dt == 1e-4
    kinds = {"spikes": run.spikes, "voltage": run.voltage, "current": run.current,
             "output": {**run.outputs, **given}}  # fmt: skip
    seen = 0
    for kind, arrays in kinds.items():
        for node, array in arrays.items():
            grid = ours.nodes[node][kind].grid()
            assert np.array_equal(grid[0], np.asarray(array).reshape(len(array), -1))
            assert np.array_equal(grid, theirs.nodes[node].observables[kind].data)
            assert theirs.nodes[node].observables[kind].dt == run.dt
            seen += 1
    assert seen == sum(len(n) for n in ours.nodes.values()) >= 8
    theirs.check_nodes(real.read(NAME.with_suffix(".nir")))


def test_events_of_the_nir_package(tmp_path: Path) -> None:
    real = pytest.importorskip("nir")
    _, run = ran()
    spikes = run.spikes["lif1.lif"]
    events = real.TimeGriddedData(spikes[None].astype(bool), run.dt).to_event(2000)
    valued = real.ValuedEventData(**vars(events), value=np.full(events.idx.shape, 3.0))
    path = tmp_path / "e.nir"  # nested ones it cannot write: nir 1.0.8 recurses for ever
    real.write_data(path, real.NIRGraphData({
        "lif1.lif": real.NIRNodeData({"spikes": events}),
        "v": real.NIRNodeData({"spikes": valued}),
    }))  # fmt: skip
    found = nir.read_data(path)
    assert found.dt is None and found.nodes["v"]["spikes"].kind == "ValuedEventData"
    assert np.array_equal(found.recorded(dt=run.dt)["lif1.lif"], spikes)
    assert np.array_equal(found.recorded(dt=run.dt)["v"], 3 * spikes)
    with pytest.raises(RangeError, match="dt = None"):
        found.recorded()
    with pytest.raises(FileFormatError, match="no observable voltage"):
        found.recorded(("voltage",), run.dt)
    with pytest.raises(FileFormatError, match="sample 1, allowed: 0..0"):
        found.recorded(dt=run.dt, sample=1)


def test_events_at_the_edge_of_a_step() -> None:
    """0.3 / 0.1 is below 3 in floats; the event belongs to step 3 all the same."""
    times = np.arange(10) * 0.1
    seen = nir.Observable("EventData", {"idx": np.zeros((1, 10), int), "time": times[None]},
                          {"n_neurons": 1.0, "t_max": 1.0})  # fmt: skip
    assert np.array_equal(seen.grid(0.1)[0, :, 0], np.ones(10))
    far = nir.Observable("EventData", {"idx": np.array([[5]]), "time": np.array([[0.0]])},
                         {"n_neurons": 2.0, "t_max": 1.0})  # fmt: skip
    with pytest.raises(RangeError, match="an event of neuron 5"):
        far.grid(0.1)
    with pytest.raises(RangeError, match="at most"):
        far.grid(1e-12)


def test_what_is_no_data(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with pytest.raises(FileFormatError, match="no such file"):
        nir.read_data(tmp_path / "none.nir")
    with pytest.raises(FileFormatError, match="no NIRData"):
        nir.read_data(NAME.with_suffix(".nir"))
    with pytest.raises(FileFormatError, match="damaged, or no HDF5"):
        nir.read_data(NAME.with_suffix(".npz"))
    given, run = ran()
    path = tmp_path / "g.nir"

    def spoilt(change: Any) -> str:
        nir.write_data(path, run, given)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(FileFormatError) as refused:
            nir.read_data(path)
        return str(refused.value)

    at = "nodes/lif2/observables/spikes"

    def other_axes(file: Any) -> None:
        del file[at + "/data"]
        file[at]["data"] = np.zeros((3, 4))

    def elsewhere(file: Any) -> None:
        del file[at + "/data"]
        file[at]["data"] = h5py.ExternalLink("/etc/passwd", "x")

    def no_dt(file: Any) -> None:
        del file[at].attrs["dt"]

    def kind(file: Any) -> None:
        file[at].attrs["__type__"] = "Film"

    def text(file: Any) -> None:
        del file[at + "/data"]
        file[at]["data"] = "text"

    where = "node 'lif2': 'spikes'"
    assert f"{where}: data of shape (3, 4), allowed: 3 axes" in spoilt(other_axes)
    assert f"{where}: data is missing, or not in the file itself" in spoilt(elsewhere)
    assert f"{where}: dt is missing" in spoilt(no_dt)
    assert f"{where}: type 'Film'" in spoilt(kind)
    assert f"{where}: data is no array of numbers" in spoilt(text)
    nir.write_data(path, run, given)
    with pytest.raises(FileFormatError, match="too large"):
        nir.read_data(path, max_bytes=1000)


def test_damage_is_one_error(tmp_path: Path) -> None:
    given, run = ran()
    path = tmp_path / "g.nir"
    nir.write_data(path, run, given)
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    outcomes = set()
    for k in range(8):
        raw = bytearray(whole)
        if k < 3:
            raw = raw[: int(rng.integers(8, len(raw)))]
        else:
            for at in rng.integers(8, len(raw), 40):
                raw[at] ^= int(rng.integers(1, 256))
        path.write_bytes(raw)
        try:
            nir.read_data(path)
            outcomes.add("read")  # what was hit is data, or nothing
        except FileFormatError:
            outcomes.add("refused")
    assert "refused" in outcomes


def test_recording_for_explain(tmp_path: Path) -> None:
    given, run = ran()
    graph = nir.read(NAME.with_suffix(".nir")).graph
    nir.write_data(tmp_path / "g.nir", run, given)
    recorded = nir.read_data(tmp_path / "g.nir").recorded()
    assert nir.explain(graph, given, "snntorch", recorded).equal
    told = nir.explain(graph, given, "snntorch-2023", recorded)
    assert told.first is not None and told.repeats == {"recurrent_reset_time": "next"}
