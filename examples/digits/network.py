"""The trained digits classifier as a neuro_lif network, in SI units, with its held-out images.

``train.py`` stores the jump of u per spike (per step, in units of the threshold). A projection
wants the current an incoming spike adds, so the jump is divided by what one ampere would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from encoding import encode
from sklearn.datasets import load_digits

import neuro_lif as nl

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Digits:
    """The network, its step, and the held-out images.

    Args:
        network: 64 inputs ``pixels`` -> 96 LIF ``hidden`` -> 10 LIF ``output``.
        dt: step it was trained for, s.
        rasters: ``(450, n_steps, 64)`` input spikes of the held-out images.
        images: ``(450, 8, 8)`` grey values.
        labels: ``(450,)`` digits.
    """

    network: nl.Network
    dt: float
    rasters: np.ndarray
    images: np.ndarray
    labels: np.ndarray


def load(weights: Path = HERE / "weights.npz") -> Digits:
    """Return the trained network and the held-out split."""
    with np.load(weights, allow_pickle=False) as data:
        w = {name: data[name] for name in data.files}
    dt, n_steps = float(w["dt"]), int(w["n_steps"])
    digits = load_digits()
    test = w["test_index"]
    rasters = encode(digits.data[test], n_steps)
    return Digits(build(w), dt, rasters, digits.images[test], digits.target[test])


def build(w: dict[str, np.ndarray]) -> nl.Network:
    """Return the network for stored weights (keys as ``train.py`` writes them)."""
    dt, tau_m, tau_syn = float(w["dt"]), float(w["tau_m"]), float(w["tau_syn"])
    threshold = float(w["threshold"])
    a_m, a_s = math.exp(-dt / tau_m), math.exp(-dt / tau_syn)
    jump_per_ampere = tau_syn / (tau_m - tau_syn) * (a_m - a_s)  # at 1 ohm
    layers = (("hidden", "pixels", "hidden"), ("output", "hidden", "output"))
    populations, projections = [], []
    for key, pre, post in layers:
        bias = np.asarray(w[f"b_{key}"], np.float64) / (1.0 - a_m)
        neuron = nl.LIF(tau_m=tau_m, v_threshold=threshold, i_bias=bias)
        populations.append(nl.Population(post, len(bias), neuron))
        weights = np.asarray(w[f"w_{key}"], np.float64) / jump_per_ampere
        synapse = nl.Exponential(tau_syn)
        projections.append(nl.Projection(f"{pre}_to_{post}", pre, post, weights, synapse))
    return nl.Network(
        populations, projections, [nl.SpikeInput("pixels", 64)], [nl.Probe("output", "v")]
    )
