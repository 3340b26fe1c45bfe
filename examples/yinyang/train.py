"""Train a small spiking classifier of the Yin-Yang points (numpy only, offline).

How to run, from the root of the repository (half a minute on one core; a rerun on the same machine
gives the same weights)::

    python examples/yinyang/train.py                     # rewrites examples/yinyang/weights.npz
    python examples/yinyang/train.py --epochs 10 --out quick.npz

The network is 5 inputs -> 120 hidden -> 3 output current-based LIF neurons, dt = 1 ms; how they
step, and how they are trained, is in ``examples/bptt.py``. Inputs come from ``yinyang.encode``: one
spike per channel, so that all there is to know is in spike times; the answer is the output neuron
with most spikes.

Nothing is done to make the weights easy to round: no limit, no noise. 5000 points train, 1000 pick
the epoch, 1000 others are the test split, which decides nothing.
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

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the modules of this example, and the shared ones

import bptt  # noqa: E402
from bptt import Activity, Data, Params, predict  # noqa: E402
from yinyang import N_CHANNELS, encode, points  # noqa: E402

__all__ = ["CELL", "Settings", "fit", "forward", "main", "predict", "splits"]

N_HIDDEN, N_OUTPUT, N_STEPS = 120, 3, 40
CELL = bptt.Cell(dt=1e-3, tau_syn=5e-3, tau_m=10e-3)
SPLITS = {"train": (5000, 42), "val": (1000, 41), "test": (1000, 40)}  # points, seed
DEFAULT_OUT = HERE / "weights.npz"


@dataclass(frozen=True)
class Settings(bptt.Settings):
    """Everything that may be tuned without changing the network."""

    epochs: int = 50
    gain: float = 1.0
    activity: float = 0.0


def forward(params: Mapping[str, np.ndarray], raster: np.ndarray) -> Activity:
    """Run the network in float64 on a raster (B, T, 5); params may be the open weights.npz."""
    return bptt.forward(CELL, params, raster)


def splits() -> dict[str, Data]:
    """Return the points and classes of train, val and test."""
    return {name: points(size, seed) for name, (size, seed) in SPLITS.items()}


def fit(data: Data, val: Data, settings: Settings) -> tuple[Params, list[float]]:
    """Return averaged weights (epoch of least cross entropy on val) and the loss of every epoch."""
    rng = np.random.default_rng(settings.seed)
    raster = (encode(data[0], N_STEPS), data[1])
    seen = (encode(val[0], N_STEPS), val[1])
    start = bptt.initial_params(rng, N_CHANNELS, N_HIDDEN, N_OUTPUT, (0.1, 0.3))
    return bptt.fit(CELL, start, raster, lambda r, _: r, seen, settings, rng)


def main(argv: list[str] | None = None) -> None:
    """Command line: train, print the accuracies, write the weights."""
    parser = argparse.ArgumentParser(description="Train the spiking Yin-Yang classifier.")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="FILE")
    args = parser.parse_args(argv)
    data, settings = splits(), Settings(epochs=args.epochs, seed=args.seed)
    start = time.perf_counter()
    with bptt.one_thread():
        params, _ = fit(data["train"], data["val"], settings)
    print(f"trained in {time.perf_counter() - start:.0f} s")
    info: dict[str, object] = {"seed": args.seed, "epochs": args.epochs, "numpy": np.__version__}
    for name, (places, labels) in data.items():
        raster = encode(places, N_STEPS)
        score = bptt.evaluate(CELL, params, raster, labels, settings.gain)
        info[name] = {**score, "points": len(labels)}
        print(f"{name:5s} {score['correct']} of {len(labels)}: {score['accuracy']:.4f}")
    text = json.dumps(info, sort_keys=True)
    np.savez(args.out, **params, **asdict(CELL), n_steps=N_STEPS, info=text)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
