"""The trained digits classifier as a neuro_lif network, in SI units, with its held-out images."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the modules of this example, and the shared ones

import classifier  # noqa: E402
from encoding import encode  # noqa: E402

from neuro_lif.task import Task  # noqa: E402

N_CALIBRATION = 150


@dataclass(frozen=True)
class Digits(classifier.Example):
    """The network, 64 inputs ``pixels`` -> 96 LIF ``hidden`` -> 10 LIF ``output``, and its images.

    Args:
        network, dt, task, calibration: as of :class:`classifier.Example`; 450 images are held out,
            150 of the others (15 of each digit) are there to choose scales by.
        images: ``(450, 8, 8)`` grey values of the held-out images.
    """

    images: np.ndarray

    @property
    def rasters(self) -> np.ndarray:
        """``(450, n_steps, 64)`` input spikes of the held-out images."""
        return np.asarray(self.task.inputs["pixels"])

    @property
    def labels(self) -> np.ndarray:
        """``(450,)`` digits."""
        return np.asarray(self.task.labels)


def load(weights: Path = HERE / "weights.npz") -> Digits:
    """Return the trained network, the held-out split, and images to calibrate with."""
    w = classifier.stored(weights)
    n_steps, test = int(w["n_steps"]), w["test_index"]
    digits = load_digits()

    def task(index: np.ndarray) -> Task:
        return Task({"pixels": encode(digits.data[index], n_steps)}, digits.target[index], "output")

    rest = np.setdiff1d(np.arange(len(digits.target)), test)
    some = rest[classifier.balanced(digits.target[rest], N_CALIBRATION)]
    network = classifier.build(w, "pixels")
    return Digits(network, float(w["dt"]), task(test), task(some), digits.images[test])


if __name__ == "__main__":
    classifier.main(load(), HERE / "files")
