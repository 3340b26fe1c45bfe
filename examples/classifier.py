"""A trained classifier as a neuro_lif network in SI units: what the examples' ``network.py`` share.

``train.py`` stores the jump of u per spike (per step, in units of the threshold). A projection
wants the current an incoming spike adds, so the jump is divided by what one ampere would give.

``python examples/NAME/network.py`` writes the files that ``neuro-lif ladder``, ``study`` and
``report`` read.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neuro_lif as nl
from neuro_lif.task import Task


@dataclass(frozen=True)
class Example:
    """A network, its step, and what it is for.

    Args:
        network: an input -> LIF ``hidden`` -> LIF ``output``.
        dt: step it was trained for, s.
        task: the held-out samples, which nothing was chosen by.
        calibration: samples that it was trained with, to choose scales by.
    """

    network: nl.Network
    dt: float
    task: Task
    calibration: Task


def stored(weights: Path) -> dict[str, np.ndarray]:
    """Return what ``train.py`` wrote."""
    with np.load(weights, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}


def build(w: Mapping[str, np.ndarray], inputs: str) -> nl.Network:
    """Return the network for stored weights.

    Args:
        w: keys as ``train.py`` writes them.
        inputs: name of the spike input.
    """
    dt, tau_m, tau_syn = float(w["dt"]), float(w["tau_m"]), float(w["tau_syn"])
    threshold = float(w["threshold"])
    a_m, a_s = math.exp(-dt / tau_m), math.exp(-dt / tau_syn)
    jump_per_ampere = tau_syn / (tau_m - tau_syn) * (a_m - a_s)  # at 1 ohm
    populations, projections = [], []
    for pre, post in ((inputs, "hidden"), ("hidden", "output")):
        bias = np.asarray(w[f"b_{post}"], np.float64) / (1.0 - a_m)
        neuron = nl.LIF(tau_m=tau_m, v_threshold=threshold, i_bias=bias)
        populations.append(nl.Population(post, len(bias), neuron))
        weights = np.asarray(w[f"w_{post}"], np.float64) / jump_per_ampere
        synapse = nl.Exponential(tau_syn)
        projections.append(nl.Projection(f"{pre}_to_{post}", pre, post, weights, synapse))
    source = nl.SpikeInput(inputs, w["w_hidden"].shape[1])
    return nl.Network(populations, projections, [source], [nl.Probe("output", "v")])


def balanced(labels: np.ndarray, size: int) -> np.ndarray:
    """Return the indices of the first samples, as many of each class as go into ``size``."""
    classes = np.unique(labels)
    each = size // len(classes)
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes]))


def write_files(example: Example, folder: Path) -> list[Path]:
    """Write the network and its samples as the commands read them.

    Args:
        example: the network and its tasks.
        folder: made where there is none.

    Returns:
        ``network.toml`` with its arrays beside it, ``task.npz`` (the held-out samples) and
        ``calibration.npz``: a raster per input, ``labels``, ``output`` and ``readout``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    nl.save_network(example.network, folder / "network.toml")
    written = [folder / "network.toml"]
    for name, task in (("task", example.task), ("calibration", example.calibration)):
        written.append(folder / f"{name}.npz")
        told = {"labels": task.labels, "output": task.output, "readout": task.readout}
        np.savez_compressed(written[-1], **task.inputs, **told)
    return written


def main(example: Example, folder: Path, arguments: list[str] | None = None) -> None:
    """Command line of a ``network.py``: write the files."""
    parser = argparse.ArgumentParser(
        description="Write the network and its samples for neuro-lif ladder, study and report."
    )
    parser.add_argument("--out", type=Path, default=folder, metavar="FOLDER")
    for path in write_files(example, parser.parse_args(arguments).out):
        print(f"wrote {path}")
