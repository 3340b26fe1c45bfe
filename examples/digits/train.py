"""Train a small spiking classifier of scikit-learn's handwritten digits (numpy only, offline).

How to run, from the root of the repository (needs numpy and scikit-learn, about a minute on one
core; a rerun on the same machine gives the same weights)::

    python examples/digits/train.py                      # rewrites examples/digits/weights.npz
    python examples/digits/train.py --epochs 20 --out quick.npz

The network is 64 inputs -> 96 hidden -> 10 output current-based LIF neurons, dt = 1 ms; how they
step, and how they are trained, is in ``examples/bptt.py``. Inputs come from ``encoding.encode``;
the answer is the output neuron with most spikes, see ``predict``.

450 images are the test split, which decides nothing. Of the others, 15 % are held out for
validation: they pick the epoch. The settings were chosen by cross-validation without the 450.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the modules of this example, and the shared ones

import bptt  # noqa: E402
from bptt import Activity, Data, Params, predict  # noqa: E402
from encoding import distort, encode  # noqa: E402

__all__ = ["CELL", "Settings", "evaluate", "fit", "forward", "main", "predict", "split"]

N_INPUT, N_HIDDEN, N_OUTPUT = 64, 96, 10
N_STEPS, N_TEST = 32, 450
CELL = bptt.Cell(dt=1e-3, tau_syn=1.4427e-3, tau_m=9.4912e-3)  # keeps about 0.5 of u, 0.9 of v
DEFAULT_OUT = HERE / "weights.npz"


@dataclass(frozen=True)
class Settings(bptt.Settings):
    """Everything that may be tuned without changing the network."""

    epochs: int = 300
    limit: float = 0.35  # no outliers to spoil quantisation
    jitter: float = 1.0  # scale of the random affine image distortion
    noise: float = 0.5  # standard deviation of the pixel noise, grey levels


def forward(params: Mapping[str, np.ndarray], raster: np.ndarray) -> Activity:
    """Run the network in float64 on a raster (B, T, 64); params may be the open weights.npz."""
    return bptt.forward(CELL, params, raster)


def split(labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Indices of the splits train, val and test; seed only affects what val takes from train."""
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=N_TEST, stratify=labels, random_state=0
    )
    train, val = train_test_split(rest, test_size=0.15, stratify=labels[rest], random_state=seed)
    return {"train": train, "val": val, "test": test}


def evaluate(params: Params, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Correct answers, accuracy, cross entropy and hidden activity on clean images."""
    return bptt.evaluate(CELL, params, encode(images, N_STEPS), labels, Settings.gain)


def fit(
    data: Data, val: Data, settings: Settings, n_steps: int = N_STEPS
) -> tuple[Params, list[float]]:
    """Return averaged weights (epoch of least cross entropy on val) and the loss of every epoch."""

    def show(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return encode(distort(images, settings.jitter, settings.noise, rng), n_steps)

    rng = np.random.default_rng(settings.seed)
    seen = (encode(val[0], n_steps), val[1])
    start = bptt.initial_params(rng, N_INPUT, N_HIDDEN, N_OUTPUT, (0.01, 0.05))
    return bptt.fit(CELL, start, data, show, seen, settings, rng)


def main(argv: list[str] | None = None) -> None:
    """Command line: train, print the accuracies, write the weights."""
    parser = argparse.ArgumentParser(description="Train the spiking digits classifier.")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="FILE")
    args = parser.parse_args(argv)
    images, labels = load_digits(return_X_y=True)
    parts = split(labels, args.seed)
    data = {name: (images[index], labels[index]) for name, index in parts.items()}
    start = time.perf_counter()
    with bptt.one_thread():
        params, _ = fit(data["train"], data["val"], Settings(epochs=args.epochs, seed=args.seed))
    print(f"trained in {time.perf_counter() - start:.0f} s")
    info: dict[str, object] = {"seed": args.seed, "epochs": args.epochs}
    info.update(numpy=np.__version__, sklearn=sklearn.__version__)
    for name, (part_images, part_labels) in data.items():
        score = evaluate(params, part_images, part_labels)
        info[name] = {**score, "images": len(part_labels)}
        print(f"{name:5s} {score['correct']} of {len(part_labels)}: {score['accuracy']:.4f}")
    text = json.dumps(info, sort_keys=True)
    more = {"n_steps": N_STEPS, "test_index": parts["test"], "info": text}
    np.savez(args.out, **params, **asdict(CELL), **more)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
