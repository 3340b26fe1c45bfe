"""The trained Yin-Yang classifier as a neuro_lif network, in SI units, with its held-out points."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the modules of this example, and the shared ones

import classifier  # noqa: E402
from yinyang import encode, points  # noqa: E402

from neuro_lif.task import Task  # noqa: E402

TEST, TRAIN = (1000, 40), (5000, 42)  # points, seed: as in train.py
N_CALIBRATION = 150


@dataclass(frozen=True)
class YinYang(classifier.Example):
    """The network, 5 inputs ``latency`` -> 120 LIF ``hidden`` -> 3 LIF ``output``, and its points.

    Args:
        network, dt, task, calibration: as of :class:`classifier.Example`; 1000 points are held out,
            150 of those it was trained with (50 of each class) are there to choose scales by.
        places: ``(1000, 2)`` coordinates of the held-out points.
    """

    places: np.ndarray


def load(weights: Path = HERE / "weights.npz", n_calibration: int = N_CALIBRATION) -> YinYang:
    """Return the trained network, the held-out points, and points to calibrate with."""
    w = classifier.stored(weights)
    n_steps = int(w["n_steps"])

    def task(places: np.ndarray, labels: np.ndarray) -> Task:
        return Task({"latency": encode(places, n_steps)}, labels, "output")

    places, labels = points(*TEST)
    known, classes = points(*TRAIN)
    some = classifier.balanced(classes, n_calibration)
    network = classifier.build(w, "latency")
    calibration = task(known[some], classes[some])
    return YinYang(network, float(w["dt"]), task(places, labels), calibration, places)


if __name__ == "__main__":
    classifier.main(load(), HERE / "files")
