"""The digits example: input code, forward pass, training and the committed weights."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
DIGITS = Path(__file__).resolve().parents[1] / "examples" / "digits"
sys.path[:0] = [str(DIGITS), str(DIGITS.parent)]

import bptt  # noqa: E402
import encoding  # noqa: E402
import train  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    with np.load(DIGITS / "weights.npz", allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


@pytest.fixture(scope="module")
def digits() -> bptt.Data:
    return load_digits(return_X_y=True)


def naive_layer(spikes_in, weight, bias, a_u, a_v, threshold):
    """One image, spelled out neuron by neuron; returns spikes (T, n) and the last membrane."""
    n_steps, n_out = len(spikes_in), len(weight)
    spikes = np.zeros((n_steps, n_out), dtype=bool)
    v_last = np.zeros(n_out)
    for i in range(n_out):
        u = v = 0.0
        for n in range(n_steps):
            u *= a_u
            if n > 0:
                u += sum(float(weight[i, j]) for j in np.flatnonzero(spikes_in[n - 1]))
            v = a_v * v + u + float(bias[i])
            if v > threshold:
                spikes[n, i] = True
                v = 0.0
        v_last[i] = v
    return spikes, v_last


def test_encode_shape_dtype_and_determinism(digits):
    images = digits[0][:20]
    raster = encoding.encode(images, 24)
    assert raster.shape == (20, 24, 64)
    assert raster.dtype == np.uint8
    assert set(np.unique(raster)) == {0, 1}
    np.testing.assert_array_equal(raster, encoding.encode(images.copy(), 24))
    np.testing.assert_array_equal(raster[3:4], encoding.encode(images[3:4], 24))
    assert encoding.encode(images[:0], 24).shape == (0, 24, 64)


@pytest.mark.parametrize("n_steps", [1, 24, 32])
def test_encode_counts_are_proportional_to_the_pixel(n_steps):
    image = np.tile(np.arange(17.0), 4)[None, :64]
    counts = encoding.encode(image, n_steps).sum(axis=1, dtype=int)
    expected = np.floor(n_steps * image / 16 * encoding.MAX_RATE + 0.5)
    np.testing.assert_array_equal(counts, expected)


def test_encode_spreads_spikes_evenly():
    image = np.full((1, 64), 5.0)
    times = np.flatnonzero(encoding.encode(image, 400)[0, :, 0])
    assert set(np.diff(times)) == {6, 7}  # 32 / 5 = 6.4 steps


@pytest.mark.parametrize("shape", [(64,), (3, 8, 8), (3, 63)])
def test_encode_names_the_wrong_shape(shape):
    with pytest.raises(ValueError, match="shape") as caught:
        encoding.encode(np.zeros(shape), 32)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("value", [-0.1, 16.1, np.nan])
def test_encode_refuses_values_out_of_range(value):
    with pytest.raises(ValueError, match=r"0\.\.16"):
        encoding.encode(np.full((1, 64), value), 32)


@pytest.mark.parametrize("bad", [{"n_steps": 0}, {"n_steps": 4, "max_rate": 1.5}])
def test_encode_refuses_bad_arguments(bad):
    with pytest.raises(ValueError, match=list(bad)[-1]):
        encoding.encode(np.zeros((1, 64)), **bad)


def test_distort_keeps_shape_and_range_and_is_identity_at_zero_strength(digits):
    images = digits[0][:50]
    moved = encoding.distort(images, 1.0, 0.5, np.random.default_rng(0))
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 16
    assert np.abs(moved - images).mean() > 0.1
    still = encoding.distort(images, 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(still, images, atol=1e-12)


def test_forward_equals_a_naive_loop(weights, digits):
    a_u = math.exp(-float(weights["dt"]) / float(weights["tau_syn"]))
    a_v = math.exp(-float(weights["dt"]) / float(weights["tau_m"]))
    theta = float(weights["threshold"])
    raster = encoding.encode(digits[0][weights["test_index"][:4]], int(weights["n_steps"]))
    activity = train.forward(weights, raster)
    for image in range(len(raster)):
        hidden, _ = naive_layer(
            raster[image], weights["w_hidden"], weights["b_hidden"], a_u, a_v, theta
        )
        output, v_last = naive_layer(
            hidden, weights["w_output"], weights["b_output"], a_u, a_v, theta
        )
        np.testing.assert_array_equal(activity.hidden[image], hidden)
        np.testing.assert_array_equal(activity.output[image], output)
        np.testing.assert_allclose(activity.v_last[image], v_last, rtol=0, atol=1e-12)


def test_predict_breaks_ties_by_the_last_membrane():
    counts = np.array([[3, 5, 5], [5, 5, 5], [0, 1, 0]])
    v_last = np.array([[9.0, -0.5, -0.2], [0.1, 0.1, 0.0], [2.0, 0.0, 3.0]])
    np.testing.assert_array_equal(train.predict(counts, v_last), [2, 0, 1])


def test_output_bias_gradient_agrees_with_the_surrogate_at_one_step():
    v = np.array([[[0.9, 1.2]]])
    trace = bptt.Trace(np.ones((1, 1, 3)), v, (v > 1).astype(float))
    grad = np.array([[[2.0, -1.0]]])
    grad_weight, grad_bias, grad_in = bptt.layer_backward(train.CELL, trace, grad, np.ones((2, 3)))
    expected = np.array([2.0 / 1.5**2, -1.0 / 2.0**2])
    np.testing.assert_allclose(grad_bias, expected)
    np.testing.assert_allclose(grad_weight, np.repeat(expected[:, None], 3, axis=1))
    np.testing.assert_array_equal(grad_in, np.zeros((1, 1, 3)))  # too late to matter


def test_two_epochs_lower_the_loss_reproducibly(digits):
    images, labels = digits
    data, val = (images[:400], labels[:400]), (images[400:500], labels[400:500])
    settings = train.Settings(epochs=2, seed=3)
    params, losses = train.fit(data, val, settings)
    assert len(losses) == 2
    assert losses[1] < losses[0]
    again, losses_again = train.fit(data, val, settings)
    np.testing.assert_allclose(losses_again, losses, rtol=1e-6)
    for key in bptt.PARAMETERS:
        assert params[key].dtype == np.float32
        np.testing.assert_allclose(again[key], params[key], atol=1e-6)


def test_splits_are_disjoint_and_the_test_split_ignores_the_seed(weights, digits):
    labels = digits[1]
    parts, other = train.split(labels, 0), train.split(labels, 1)
    everything = np.concatenate(list(parts.values()))
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(labels)))
    np.testing.assert_array_equal(parts["test"], other["test"])
    np.testing.assert_array_equal(parts["test"], weights["test_index"])
    assert not np.array_equal(parts["val"], other["val"])


def test_committed_weights_have_the_documented_form(weights):
    shapes = {"w_hidden": (96, 64), "b_hidden": (96,), "w_output": (10, 96), "b_output": (10,)}
    for key, shape in shapes.items():
        assert weights[key].shape == shape
        assert weights[key].dtype == np.float32
    for key in ("w_hidden", "w_output"):
        assert np.abs(weights[key]).max() <= train.Settings.limit
    constants = {"dt", "threshold", "tau_syn", "tau_m", "n_steps", "test_index", "info"}
    assert set(weights) == set(shapes) | constants


def test_committed_weights_reach_the_stored_accuracy(weights, digits):
    images, labels = (part[weights["test_index"]] for part in digits)
    stored = json.loads(str(weights["info"]))["test"]
    activity = train.forward(weights, encoding.encode(images, int(weights["n_steps"])))
    answers = train.predict(activity.output.sum(axis=1), activity.v_last)
    correct = int((answers == labels).sum())
    assert len(labels) == stored["images"] == 450
    assert correct == stored["correct"]
    assert correct / len(labels) >= 0.97
    assert activity.hidden.mean() <= 0.2


def test_command_line_writes_a_file_of_the_same_form(weights, tmp_path, capsys):
    out = tmp_path / "quick.npz"
    train.main(["--epochs", "1", "--seed", "5", "--out", str(out)])
    with np.load(out, allow_pickle=False) as data:
        assert set(data.files) == set(weights)
        info = json.loads(str(data["info"]))
        np.testing.assert_array_equal(data["test_index"], weights["test_index"])
    assert (info["seed"], info["epochs"]) == (5, 1)
    assert "test" in capsys.readouterr().out
