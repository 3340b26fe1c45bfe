"""Accuracy of the digits network in ever fewer bits: scales by the largest weight, and calibrated.

    python examples/digits/bits.py                      8, 6, 5, 4, 3, 2 bits on loihi2, ten seconds
    python examples/digits/bits.py --granularity sign --bits 2
    python examples/digits/bits.py --profile generic --samples 300

Needs scikit-learn, which has the images. Scales are calibrated on images the network was trained
with; the 450 images of the test split judge and decide nothing.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import network
import numpy as np
from encoding import encode
from sklearn.datasets import load_digits
from train import N_STEPS, split

import neuro_lif as nl
from neuro_lif.task import Task

BITS = (8, 6, 5, 4, 3, 2)
SAMPLES = 150


def task_of(index: np.ndarray) -> Task:
    """Return the task of reading some of the images, by their index in the data set."""
    images, labels = load_digits(return_X_y=True)
    return Task({"pixels": encode(images[index], N_STEPS)}, labels[index], "output")


def calibration(samples: int = SAMPLES) -> Task:
    """Return the first training images of the training split's fixed order."""
    return task_of(split(load_digits().target, 0)["train"][:samples])


def test() -> Task:
    """Return the test split."""
    return task_of(split(load_digits().target, 0)["test"])


def stepped() -> nl.SteppedNetwork:
    """Return the trained network in steps."""
    digits = network.load()
    return nl.discretize(digits.network, digits.dt)


def accuracy(fixed: nl.FixedNetwork, judge: Task) -> float:
    """Return the share of samples a network reads as it should, per cent."""
    return 100 * judge.accuracy(nl.run_fixed(fixed, inputs=judge.inputs))


def row(
    net: nl.SteppedNetwork, judge: Task, samples: Task, profile: str, **options: Any
) -> tuple[float, float, float, float]:
    """Return accuracies, per cent: max-abs, own, calibrated; and s the calibration took."""
    naive = nl.quantize(net, profile, scaling="max_abs", **options)
    own = nl.quantize(net, profile, **options)
    clock = time.perf_counter()
    best = nl.quantize(net, profile, calibrate=samples.inputs, **options)
    took = time.perf_counter() - clock
    return accuracy(naive, judge), accuracy(own, judge), accuracy(best, judge), took


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Digits in few bits")
    parser.add_argument("--profile", default="loihi2")
    parser.add_argument("--bits", type=int, action="append", help="default 8, 6, 5, 4, 3, 2")
    parser.add_argument("--granularity", help="of neuro_lif.quantize")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"default {SAMPLES}")
    given = parser.parse_args(arguments)
    net, judge, samples = stepped(), test(), calibration(given.samples)
    float_run = nl.run_clocked(net, inputs=judge.inputs)
    print(f"float {100 * judge.accuracy(float_run):.2f} % of {judge.size} test images; scales "
          f"calibrated on {samples.size} training images")  # fmt: skip
    print(f"{'bits':>16}{'max-abs':>9}{'own':>8}{'calibrated':>12}{'took':>9}")
    cases = [(str(b), {"weight_bits": b}) for b in given.bits or BITS]
    if not given.bits:
        cases += [(f"4 {how}", {"weight_bits": 4, "rounding": how})
                  for how in ("floor", "toward_zero", "stochastic")]  # fmt: skip
    for name, options in cases:
        naive, own, best, took = row(net, judge, samples, given.profile, **options,
                                     granularity=given.granularity)  # fmt: skip
        print(f"{name:>16}{naive:9.2f}{own:8.2f}{best:12.2f}{took:7.1f} s", flush=True)


if __name__ == "__main__":
    main()
