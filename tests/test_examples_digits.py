"""The digits example as a task: what is held out, what calibrates, and how a class is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.demo import load_digits_example

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def example() -> Any:
    return load_digits_example()


def test_the_task_decides_as_the_demo_does(example: Any) -> None:
    digits, predict = example
    stepped = nl.discretize(digits.network, digits.dt)
    coarse = nl.quantize(stepped, "loihi2", weight_bits=2)
    assert digits.task.readout == "count"
    for run in (nl.run_clocked(stepped, inputs=digits.task.inputs),
                nl.run_fixed(coarse, inputs=digits.task.inputs)):  # fmt: skip
        counts, last = run.spikes["output"].sum(axis=-2), run.volts("output")[..., -1, :]
        guess = predict(counts, last)
        np.testing.assert_array_equal(digits.task.decide(run), guess)
        assert digits.task.accuracy(run) == np.mean(guess == digits.labels)


def test_the_task_is_the_held_out_split(example: Any) -> None:
    digits, _ = example
    assert digits.task.size == len(digits.images) == 450 and digits.task.steps == 32
    assert digits.rasters is digits.task.inputs["pixels"]
    np.testing.assert_array_equal(digits.labels, digits.task.labels)


def test_calibration_images_are_training_images_alone(example: Any) -> None:
    from encoding import encode
    from sklearn.datasets import load_digits

    digits, _ = example
    assert digits.calibration.size == 150
    assert np.bincount(digits.calibration.labels).tolist() == [15] * 10
    images, _ = load_digits(return_X_y=True)
    held = {image.tobytes() for image in digits.images.reshape(450, 64)}
    rest = np.array([image for image in images if image.tobytes() not in held])
    allowed = {raster.tobytes() for raster in encode(rest, digits.task.steps)}
    assert all(r.tobytes() in allowed for r in digits.calibration.inputs["pixels"])
