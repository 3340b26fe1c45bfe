"""The Yin-Yang example: geometry, code, training, and the network that is lowered."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuro_lif as nl

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FOLDER = EXAMPLES / "yinyang"
sys.path[:0] = [str(FOLDER), str(EXAMPLES)]

import bptt  # noqa: E402
import classifier  # noqa: E402
import yinyang  # noqa: E402


def of_folder(folder: Path, name: str) -> ModuleType:
    """Import a module whose plain name another example has, too."""
    spec = importlib.util.spec_from_file_location(f"{folder.name}_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


network, train = of_folder(FOLDER, "network"), of_folder(FOLDER, "train")


@pytest.fixture(scope="module")
def example() -> Any:
    return network.load()


# ----------------------------------------------------------------------------------- geometry


def test_places_that_everybody_knows() -> None:
    places = [(0.75, 0.5), (0.25, 0.5), (0.25, 0.7), (0.75, 0.3), (0.5, 0.95), (0.5, 0.05),
              (0.25, 0.3), (0.75, 0.7), (0.5, 0.74), (0.5, 0.26)]  # fmt: skip
    x, y = np.array(places).T
    wanted = [2, 2, 1, 0, 1, 0, 1, 0, 1, 0]
    assert yinyang.class_of(x, y).tolist() == wanted


angle, radius = st.floats(0, 2 * np.pi), st.floats(0, 0.499)


@given(angle, radius)
def test_half_a_turn_swaps_the_halves_and_keeps_the_dots(a: float, r: float) -> None:
    x, y = np.array([0.5 + r * np.cos(a)]), np.array([0.5 + r * np.sin(a)])
    edge = [np.hypot(x - c, y - 0.5) - d for c in (0.25, 0.75) for d in (0.1, 0.25)]
    if min(float(np.abs(e)[0]) for e in [*edge, y - 0.5]) < 1e-9:
        return  # on a border
    here, there = yinyang.class_of(x, y), yinyang.class_of(1 - x, 1 - y)
    assert there.tolist() == ([2] if here[0] == 2 else [1 - here[0]])


def test_areas() -> None:
    """The dots have 2 (0.1/0.5)^2 = 8 % of the disc, the halves the same each."""
    grid = np.stack(np.meshgrid(*[(np.arange(1000) + 0.5) / 1000] * 2)).reshape(2, -1)
    grid = grid[:, np.hypot(*(grid - 0.5)) <= 0.5]
    share = np.bincount(yinyang.class_of(*grid)) / grid.shape[1]
    np.testing.assert_allclose(share, [0.46, 0.46, 0.08], atol=1e-3)


@pytest.mark.parametrize("seed", [0, 40, 42])
def test_points_are_balanced_in_the_disc_and_labelled(seed: int) -> None:
    places, labels = yinyang.points(3000, seed)
    assert places.shape == (3000, 2) and np.all(np.hypot(*(places - 0.5).T) <= 0.5)
    np.testing.assert_array_equal(labels, yinyang.class_of(*places.T))
    # 1000 of each, sd 26
    assert np.abs(np.bincount(labels) - 1000).max() < 4 * 26
    # both dots, and all of a half, are hit
    dots = places[labels == 2]
    assert 0.4 < np.mean(dots[:, 0] < 0.5) < 0.6
    assert np.unique(places, axis=0).shape == (3000, 2)


def test_points_of_a_seed_are_the_same_whatever_their_number() -> None:
    many, few = yinyang.points(500, 7), yinyang.points(20, 7)
    for a, b in zip(many, few, strict=True):
        np.testing.assert_array_equal(a[:20], b)
    assert not np.array_equal(yinyang.points(20, 8)[0], few[0])
    assert yinyang.points(0, 7)[0].shape == (0, 2)
    with pytest.raises(ValueError, match="size must be at least 0, got -1"):
        yinyang.points(-1, 7)


# --------------------------------------------------------------------------------------- code


def test_one_spike_per_channel_the_larger_the_later() -> None:
    raster = yinyang.encode(np.array([[0.0, 1.0], [0.5, 0.1]]), 40)
    assert raster.shape == (2, 40, 5) and raster.dtype == np.uint8
    np.testing.assert_array_equal(raster.sum(axis=1), np.ones((2, 5)))
    assert raster.argmax(axis=1).tolist() == [[0, 30, 30, 0, 0], [15, 3, 15, 27, 0]]


@given(st.floats(0, 1), st.floats(0, 1), st.integers(4, 200))
def test_a_channel_and_its_mirror_add_up(x: float, y: float, steps: int) -> None:
    when = yinyang.encode(np.array([[x, y]]), steps).argmax(axis=1)[0]
    last = round(0.75 * steps)
    for a, b in ((0, 2), (1, 3)):
        assert abs(int(when[a]) + int(when[b]) - last) <= 1  # both are rounded
    assert when.max() <= last < steps


@pytest.mark.parametrize("places", [[[0.5]], [0.5, 0.5], [[0.5, 1.1]], [[np.nan, 0.5]]])
def test_what_is_no_point_is_refused(places: Any) -> None:
    with pytest.raises(ValueError, match="shape|coordinates"):
        yinyang.encode(np.array(places), 40)
    with pytest.raises(ValueError, match="n_steps"):
        yinyang.encode(np.array([[0.5, 0.5]]), 3)


# ----------------------------------------------------------------------------------- training


def test_two_epochs_lower_the_loss_reproducibly(capsys: pytest.CaptureFixture[str]) -> None:
    data, val = yinyang.points(400, 1), yinyang.points(100, 2)
    settings = train.Settings(epochs=2, seed=3)
    params, losses = train.fit(data, val, settings)
    again, losses_again = train.fit(data, val, settings)
    assert losses[1] < losses[0] and losses_again == losses
    for key in bptt.PARAMETERS:
        assert params[key].dtype == np.float32
        np.testing.assert_array_equal(again[key], params[key])
    assert capsys.readouterr().out.count("epoch") == 4


def test_gradients_are_those_of_the_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smooth spike whose slope is the surrogate's, gradients are differences."""
    cell = bptt.Cell(1e-3, 5e-3, 10e-3)
    rng = np.random.default_rng(0)
    raster = np.swapaxes(yinyang.encode(rng.random((3, 2)), 12), 0, 1).astype(float)
    weight, bias = rng.normal(0.4, 0.3, (4, 5)), rng.normal(0, 0.02, 4)
    seen = bptt.run_layer(cell, raster, weight, bias)
    pull = rng.normal(size=seen.v.shape)
    got, got_bias, _ = bptt.layer_backward(cell, seen, pull, weight)

    def smooth(w: Any, b: Any) -> float:
        """The same steps with resets where they were, and spikes of the primitive's height."""
        u, v, total = np.zeros((3, 4)), np.zeros((3, 4)), 0.0
        for k in range(len(raster)):
            u = cell.a_u * u + (raster[k - 1] @ w.T if k else 0.0)
            v = cell.a_v * v + u + b
            x = v - cell.threshold
            total += float(np.sum(pull[k] * np.sign(x) * (1 - 1 / (1 + 5 * np.abs(x))) / 5))
            v = v * (1 - seen.spikes[k])
        return total

    assert seen.spikes.any() and not seen.spikes.all()
    for i, j in ((0, 0), (1, 2), (3, 4)):
        step = np.zeros_like(weight)
        step[i, j] = 1e-6
        slope = (smooth(weight + step, bias) - smooth(weight - step, bias)) / 2e-6
        assert got[i, j] == pytest.approx(slope, rel=1e-4, abs=1e-7)
    step_b = np.array([0, 1e-6, 0, 0])
    slope = (smooth(weight, bias + step_b) - smooth(weight, bias - step_b)) / 2e-6
    assert got_bias[1] == pytest.approx(slope, rel=1e-4)


def test_command_line_writes_a_file_of_the_same_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, splits = tmp_path / "quick.npz", {"train": (300, 1), "val": (50, 2), "test": (50, 3)}
    monkeypatch.setattr(train, "SPLITS", splits)
    train.main(["--epochs", "1", "--seed", "5", "--out", str(out)])
    with np.load(out, allow_pickle=False) as data, np.load(FOLDER / "weights.npz") as shipped:
        assert set(data.files) == set(shipped.files)
        info = json.loads(str(data["info"]))
    assert (info["seed"], info["epochs"], info["train"]["points"]) == (5, 1, 300)
    assert "test" in capsys.readouterr().out


# ------------------------------------------------------------------------------ what is lowered


def test_shipped_weights_reach_the_stored_accuracy(example: Any) -> None:
    w = classifier.stored(FOLDER / "weights.npz")
    stored = json.loads(str(w["info"]))["test"]
    raster = example.task.inputs["latency"]
    activity = train.forward(w, raster)
    answers = train.predict(activity.output.sum(axis=1), activity.v_last)
    correct = int((answers == example.task.labels).sum())
    assert stored["points"] == len(raster) == 1000
    assert correct == stored["correct"] and correct >= 950
    assert (FOLDER / "weights.npz").stat().st_size < 20_000


def test_the_network_steps_as_the_training_code_does(example: Any) -> None:
    """Every spike of both layers, and the output's membrane, in float64."""
    stepped = nl.discretize(example.network, example.dt)
    some = example.task.cut(slice(0, 300))
    run = nl.run_clocked(stepped, inputs=some.inputs, record="all")
    w = classifier.stored(FOLDER / "weights.npz")
    exact = {key: np.asarray(w[key], np.float64) for key in bptt.PARAMETERS}
    hidden, output = bptt.run_network(train.CELL, exact, some.inputs["latency"])
    for name, trace in (("hidden", hidden), ("output", output)):
        np.testing.assert_array_equal(run.spikes[name], np.swapaxes(trace.spikes, 0, 1))
        after = np.swapaxes(trace.v * (1 - trace.spikes), 0, 1)
        np.testing.assert_allclose(run.volts(name), after, rtol=0, atol=1e-12)


def test_the_task_decides_as_predict_does(example: Any) -> None:
    stepped = nl.discretize(example.network, example.dt)
    fixed = nl.quantize(stepped, "loihi2", weight_bits=4)
    for run in (nl.run_clocked(stepped, inputs=example.task.inputs),
                nl.run_fixed(fixed, inputs=example.task.inputs)):  # fmt: skip
        counts, last = run.spikes["output"].sum(axis=1), run.volts("output")[:, -1]
        guess = train.predict(counts, last)
        np.testing.assert_array_equal(example.task.decide(run), guess)
        tied = np.sort(counts, axis=1)
        assert np.any(tied[:, -1] == tied[:, -2])  # ties occur, and are told apart by v
    assert example.task.readout == "count" and example.task.steps == 40


def test_calibration_points_are_training_points_alone(example: Any) -> None:
    assert example.calibration.size == 150
    assert np.bincount(example.calibration.labels).tolist() == [50, 50, 50]
    known, _ = yinyang.points(*train.SPLITS["train"])
    held, _ = yinyang.points(*train.SPLITS["test"])
    assert (train.SPLITS["train"], train.SPLITS["test"]) == (network.TRAIN, network.TEST)
    np.testing.assert_array_equal(example.places, held)
    assert not {tuple(p) for p in known} & {tuple(p) for p in held}
    rasters = {r.tobytes() for r in yinyang.encode(known, 40)}
    assert all(r.tobytes() in rasters for r in example.calibration.inputs["latency"])


def test_coarse_weights_cost_much_and_calibrated_scales_little(example: Any) -> None:
    """Measured: float 96.1, 4 bits 88.0, 3 bits 48.6; calibrated 93.1 and 87.1 %."""
    stepped = nl.discretize(example.network, example.dt)

    def accuracy(**how: Any) -> float:
        fixed = nl.quantize(stepped, "loihi2", **how)
        return example.task.accuracy(nl.run_fixed(fixed, inputs=example.task.inputs))

    base = example.task.accuracy(nl.run_clocked(stepped, inputs=example.task.inputs))
    assert base >= 0.95 and accuracy(weight_bits=8) >= base - 0.02
    plain = {bits: accuracy(weight_bits=bits, scaling="max_abs") for bits in (4, 3)}
    assert plain[4] < base - 0.04 and plain[3] < 0.7
    found = accuracy(weight_bits=3, calibrate=example.calibration)
    assert found > plain[3] + 0.2 and found >= 0.85


@pytest.mark.verify
def test_training_again_gives_the_shipped_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another numpy or processor may round otherwise, so not the same bytes everywhere."""
    out = tmp_path / "again.npz"
    train.main(["--out", str(out)])
    again, shipped = (json.loads(str(classifier.stored(p)["info"]))
                      for p in (out, FOLDER / "weights.npz"))  # fmt: skip
    print(again["test"], shipped["test"])
    assert abs(again["test"]["accuracy"] - shipped["test"]["accuracy"]) <= 0.02


# ------------------------------------------------------------------------------- the commands


def test_the_files_are_the_example(example: Any, tmp_path: Path) -> None:
    from neuro_lif.files.task import read_task

    written = classifier.write_files(example, tmp_path / "files")
    assert [p.name for p in written] == ["network.toml", "task.npz", "calibration.npz"]
    task, calibration = read_task(written[1]), read_task(written[2])
    assert (task.digest, calibration.digest) == (example.task.digest, example.calibration.digest)
    stepped = nl.discretize(nl.load_network(written[0]), example.dt)
    for made, meant in zip(stepped.projections,
                           nl.discretize(example.network, example.dt).projections,
                           strict=True):  # fmt: skip
        np.testing.assert_array_equal(made.weights, meant.weights)


@pytest.mark.parametrize("name", ["yinyang", "digits"])
def test_the_study_file_runs_from_the_written_files(name: str, tmp_path: Path) -> None:
    """Two of its configurations, as the README has them."""
    import shutil

    from neuro_lif.study.files import load_study

    if name == "digits":
        pytest.importorskip("sklearn")
        from neuro_lif.demo import load_digits_example

        made = load_digits_example()[0]
    else:
        made = network.load()
    classifier.write_files(made, tmp_path / "files")
    shutil.copy(EXAMPLES / name / "study.toml", tmp_path)
    study = load_study(tmp_path / "study.toml").study
    points = study.grid()
    assert len(points) == 28
    some = [p for p in points if p["quantize.weight_bits"] == 8 and not p["quantize.calibrate"]]
    study.run(some, workers=1, progress=False)
    rows = study.table()
    assert len(rows) == 2 and all(row["error"] is None for row in rows)
    base = made.task.accuracy(nl.run_clocked(
        nl.discretize(made.network, made.dt), inputs=made.task.inputs))  # fmt: skip
    for row in rows:
        assert row["accuracy_float"] == base and abs(row["accuracy"] - base) <= 0.02


def test_the_commands_write_where_they_are_told(
    tmp_path: Path, example: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier.main(example, tmp_path / "usual", ["--out", str(tmp_path / "here")])
    assert (tmp_path / "here" / "task.npz").is_file() and not (tmp_path / "usual").exists()
    assert capsys.readouterr().out.count("wrote") == 3
