"""Recordings: what they answer, and that a file is written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif import npz
from neuro_lif.errors import FileFormatError, RangeError
from neuro_lif.kernel import native
from neuro_lif.rasters import Rasters
from neuro_lif.recording import OverflowEvent


def made(batch: int | None = None, integers: bool = True) -> nl.Recording:
    rng = np.random.default_rng(1)
    lead = () if batch is None else (batch,)
    return nl.Recording(
        5e-4,
        6,
        {"a": rng.integers(0, 2, (*lead, 6, 3)), "b": rng.integers(0, 2, (*lead, 6, 1))},
        {("a", "v"): rng.integers(-99, 99, (*lead, 6, 3)), ("a", "u"): np.ones((*lead, 6, 3))},
        {"a": np.array([1e-4, 2e-4, 3e-4]), "b": np.array([1.0])} if integers else {},
        {"a": np.array([-0.07, -0.06, 0.0]), "b": np.zeros(1)},
        (
            OverflowEvent("a", "v", "sat", 3, 12, 4, 1),
            OverflowEvent("w", "sum", "wrap", -1, 1, 2, 0),
        ),
        {"engine": "by hand", "note": "ümlaut"},
    )


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("integers", [True, False])
def test_round_trip(tmp_path: Path, batch: int | None, integers: bool) -> None:
    """Everything comes back: arrays with their types, events, provenance, batches."""
    before = made(batch, integers)
    before.save(tmp_path / "run.npz")
    after = nl.Recording.load(str(tmp_path / "run.npz"))
    for table in ("spikes", "traces", "lsb", "v_zero"):
        a, b = getattr(before, table), getattr(after, table)
        assert list(a) == list(b)
        for key in a:
            assert a[key].dtype == b[key].dtype and np.array_equal(a[key], b[key])
    assert (after.dt, after.n_steps, after.events) == (5e-4, 6, before.events)
    assert after.provenance == before.provenance and after.is_integer == integers
    assert nl.compare(before, after).identical


def test_a_real_run_round_trips(tmp_path: Path) -> None:
    network = nl.Network([nl.Population("p", 2, nl.LIF(20e-3, i_bias=1.5))], probes=[nl.Probe("p")])
    fixed = nl.quantize(nl.discretize(network, 1e-3), "loihi2")
    run = nl.run_fixed(fixed, 50)
    run.save(tmp_path / "r.npz")
    assert nl.compare(run, nl.Recording.load(tmp_path / "r.npz")).identical


@pytest.mark.parametrize("batch", [None, 3])
def test_events_stay_events(tmp_path: Path, batch: int | None) -> None:
    """In the file and out of it again; only what somebody looked at is kept as an array."""
    if native() is None:
        pytest.skip("the compiled kernel is not there")
    sizes, rng = {"a": 30, "b": 7}, np.random.default_rng(4)
    populations = [nl.FixedPopulation(name, n, "lif", {"du": 4095, "dv": 300, "vth": 20})
                   for name, n in sizes.items()]  # fmt: skip
    source = nl.FixedSource("x", 5)
    edges = [nl.FixedProjection(f"x{name}", "x", name, rng.integers(-9, 60, (n, 5)) * 2,
                                sign_mode="mixed") for name, n in sizes.items()]  # fmt: skip
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), tuple(populations), tuple(edges), (source,))
    lead = () if batch is None else (batch,)
    given = {"x": (rng.random((*lead, 40, 5)) < 0.3).astype(np.uint8)}
    run = nl.run_fixed(fixed, inputs=given, engine="kernel")
    wanted = nl.run_fixed(fixed, inputs=given, engine="numpy")
    run.save(tmp_path / "events.npz")
    assert isinstance(run.spikes, Rasters) and run.spikes.events("a") is not None
    kept = nl.Recording.load(tmp_path / "events.npz")
    assert isinstance(kept.spikes, Rasters) and list(kept.spikes) == ["a", "b"]
    if batch:
        one, other = kept.sample(-1), wanted.sample(-1)
        assert one.spikes.events("a") is not None  # type: ignore[attr-defined]
        np.testing.assert_array_equal(one.spikes["a"], other.spikes["a"])
    else:
        for found, expected in zip(kept.spike_times("a"), wanted.spike_times("a"), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert kept.spikes.events("a") is not None  # asking for times makes no array
    assert kept.spikes["a"].any()
    kept.save(tmp_path / "mixed.npz")  # "a" was looked at
    again = nl.Recording.load(tmp_path / "mixed.npz")
    assert list(again.spikes) == ["a", "b"]
    for name in sizes:
        np.testing.assert_array_equal(again.spikes[name], wanted.spikes[name])
        assert again.spikes[name].dtype == wanted.spikes[name].dtype


def test_recordings_of_the_first_format(tmp_path: Path) -> None:
    head = {"format": "neuro-lif-recording/1", "dt": 1e-3, "n_steps": 2, "events": [],
            "provenance": {"engine": "by hand"}, "arrays": ["spikes/p"]}  # fmt: skip
    raster = np.array([[0, 1], [1, 0]])
    path = tmp_path / "old.npz"
    path.write_bytes(npz.npz_bytes({"head": np.array(json.dumps(head)), "spikes/p": raster}))
    np.testing.assert_array_equal(nl.Recording.load(path).spikes["p"], raster)


def test_a_very_large_trace_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "LARGE", 100)
    monkeypatch.setattr(npz, "MAPPED", 1000)
    trace = np.random.default_rng(1).integers(-(2**40), 2**40, (500, 3))
    run = nl.Recording(1e-3, 500, {"p": np.zeros((500, 3), np.uint8)},
                       {("p", "v"): trace, ("p", "u"): np.asfortranarray(trace)})  # fmt: skip
    path = tmp_path / "run.npz"
    monkeypatch.setattr(npz.write_npz, "__defaults__", (100,))
    run.save(path)
    kept = nl.Recording.load(path)
    assert isinstance(kept.traces["p", "v"], np.memmap)
    assert isinstance(kept.traces["p", "u"], np.memmap)
    for key, wanted in run.traces.items():
        np.testing.assert_array_equal(kept.traces[key], wanted)
        with pytest.raises(ValueError, match="read-only"):
            kept.traces[key][0, 0] = 1
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(FileFormatError):
        nl.Recording.load(path)


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    made().save(path)
    old = path.read_bytes()
    real = np.lib.format.write_array

    def half(file: Any, array: Any, *more: Any, **named: Any) -> None:
        real(file, array[: len(array) // 2] if array.ndim else array, *more, **named)
        if array.ndim:
            raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", half)
    with pytest.raises(FileFormatError, match="cannot be written: no space left"):
        made(4).save(path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]

    def stopped(*_: Any, **named: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(4).save(path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be written"):
        made().save(tmp_path / "nowhere" / "run.npz")


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        made().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_files_that_are_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(FileFormatError, match="no such file"):
        nl.Recording.load(path)
    made().save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match="recording"):
            nl.Recording.load(path)
    for arrays in (
        {"head": np.array("{}")},
        {"head": np.array("no json")},
        {"x": np.zeros(2)},
        {"head": np.array('{"format": "other/1"}')},
    ):
        path.write_bytes(npz.npz_bytes(arrays))
        with pytest.raises(FileFormatError, match="not a recording"):
            nl.Recording.load(path)
    np.savez(path, head=np.array([{"pickled": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError):
        nl.Recording.load(path)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Damage ends in one kind of error, or in the same recording; never in another one."""
    path, before = tmp_path / "run.npz", made()
    before.save(path)
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), max(len(whole) // 150, 1)):
        changed = whole.copy()
        changed[place] ^= 0x41
        path.write_bytes(changed)
        try:
            after = nl.Recording.load(path)
        except FileFormatError:
            continue
        assert nl.compare(before, after).identical


def test_volts() -> None:
    r = made()
    v = r.traces["a", "v"] * np.array([1e-4, 2e-4, 3e-4])
    assert np.array_equal(r.volts("a"), v + np.array([-0.07, -0.06, 0.0]))
    assert np.array_equal(r.volts("a", "u"), np.ones((6, 3)) * np.array([1e-4, 2e-4, 3e-4]))
    floats = made(integers=False)
    assert np.array_equal(floats.volts("a", "u"), np.ones((6, 3)))


def test_a_trace_that_was_not_recorded() -> None:
    with pytest.raises(
        RangeError, match=r"b\.v was not recorded, recorded: a\.u, a\.v \(add a Probe"
    ):
        made().volts("b")


def test_spike_times() -> None:
    raster = np.zeros((5, 2), np.int64)
    raster[0, 1] = raster[3, 0] = raster[3, 1] = 1
    r = nl.Recording(1e-3, 5, {"p": raster})
    neuron, times = r.spike_times("p")
    assert neuron.tolist() == [1, 0, 1] and times == pytest.approx([1e-3, 4e-3, 4e-3])
    with pytest.raises(RangeError, match="one sample"):
        made(2).spike_times("a")


def test_samples() -> None:
    batched = made(4)
    one = batched.sample(2)
    assert np.array_equal(one.spikes["a"], batched.spikes["a"][2]) and one.events == ()
    assert np.array_equal(one.volts("a"), batched.volts("a")[2])
    for recording, k in ((made(), 0), (batched, 4), (batched, -5), (batched, 1.0), (batched, True)):
        with pytest.raises(RangeError, match="sample"):
            recording.sample(k)  # type: ignore[arg-type]
