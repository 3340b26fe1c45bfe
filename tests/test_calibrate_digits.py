"""The digits classifier in few bits: calibrated scales beside those by the largest weight.

Scales are calibrated on 150 training images; the 450 of the test split judge and decide nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "digits"))

import bits as example  # noqa: E402

import neuro_lif as nl  # noqa: E402
from neuro_lif.task import Task  # noqa: E402

LEAST = {4: 96.0, 3: 95.0, 2: 84.0}
"""Accuracy that calibrated scales must reach, per cent."""


@pytest.fixture(scope="module")
def net() -> nl.SteppedNetwork:
    return example.stepped()


@pytest.fixture(scope="module")
def judge() -> Task:
    return example.test()


def accuracy(fixed: Any, judge: Task) -> float:
    return example.accuracy(fixed, judge)


def test_calibration_and_test_images_are_apart() -> None:
    from sklearn.datasets import load_digits
    from train import split

    parts = split(load_digits().target, 0)
    assert not set(parts["train"]) & set(parts["test"])
    with np.load(example.network.HERE / "weights.npz") as data:
        np.testing.assert_array_equal(np.sort(parts["test"]), np.sort(data["test_index"]))
    assert example.calibration().size == 150 and example.test().size == 450


@pytest.mark.parametrize("bits", LEAST)
def test_calibrated_scales_hold_the_accuracy(
    net: nl.SteppedNetwork, judge: Task, bits: int
) -> None:
    samples = example.calibration()
    fixed = nl.quantize(net, "loihi2", weight_bits=bits, calibrate=samples)
    assert accuracy(fixed, judge) >= LEAST[bits]


def test_eight_bits_are_within_half_a_point_of_float(net: nl.SteppedNetwork, judge: Task) -> None:
    meant = 100 * judge.accuracy(nl.run_clocked(net, inputs=judge.inputs))
    assert meant >= 97.0
    assert accuracy(nl.quantize(net, "loihi2"), judge) >= meant - 0.5


@pytest.mark.verify
@pytest.mark.parametrize("profile", ["loihi2", "generic"])
def test_table(net: nl.SteppedNetwork, judge: Task, profile: str) -> None:
    """The whole table (-rP shows it); calibrated beats max-abs wherever that loses anything."""
    samples = example.calibration()
    meant = 100 * judge.accuracy(nl.run_clocked(net, inputs=judge.inputs))
    print(f"\n{profile}: float {meant:.2f} %, then max-abs, own, calibrated, s")
    cases: list[tuple[str, dict[str, Any]]] = [(str(b), {"weight_bits": b}) for b in example.BITS]
    cases.append(("4 floor", {"weight_bits": 4, "rounding": "floor"}))
    found = {}
    for name, options in cases:
        found[name] = example.row(net, judge, samples, profile, **options)
        print(f"{name:>8}" + "".join(f"{x:9.2f}" for x in found[name]))
    assert min(found["8"][:3]) >= meant - 0.5
    for bits, least in LEAST.items():
        assert found[str(bits)][2] >= least
    for naive, _, best, _ in found.values():
        assert best >= naive - 0.45  # two of 450 images
    assert found["4 floor"][0] < 70 and found["4 floor"][2] >= 98
    assert found["2"][2] > found["2"][1] + 5 > found["2"][0] + 10


@pytest.mark.verify
def test_how_much_depends_on_which_images_calibrate(net: nl.SteppedNetwork) -> None:
    """Six other sets of 150 training images, judged by the training images left over."""
    from sklearn.datasets import load_digits
    from train import split

    train = split(load_digits().target, 0)["train"]
    found: dict[int, list[float]] = {3: [], 2: []}
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(train)
        samples, others = example.task_of(order[:150]), example.task_of(order[150:])
        for bits, row in found.items():
            fixed = nl.quantize(net, "loihi2", weight_bits=bits, calibrate=samples.inputs)
            row.append(accuracy(fixed, others))
    for bits, row in found.items():
        print(f"{bits} bits: {np.mean(row):.2f} +- {np.std(row, ddof=1):.2f} %")
    assert np.mean(found[3]) >= 99 and np.mean(found[2]) >= 96.5
