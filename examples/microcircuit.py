"""The cortical microcircuit of Potjans and Diesmann in a chip's integers.

    python examples/microcircuit.py                 a tenth of it, 1 s of model time
    python examples/microcircuit.py --scale 1       77,169 neurons, 299 million synapses

Eight populations of LIF neurons, random connections in fixed numbers, Poisson background; steps of
0.1 ms. Everything is a whole number of the profile ``loihi2``: weights of 8 bits, delays of 1 to 64
steps per synapse. What is rounded: 4095 - du and 4096 - dv (tau_syn 0.5004 ms, tau_m 9.94 ms), the
weights to 1/64 of their mean of 87.8 pA (their spread is 10 %), the threshold, the delays to steps.

A scale below 1 takes that share of the neurons and of each neuron's synapses; the weights grow by
its root, and a constant current stands for what is missing of the mean input, as van Albada et al.
do. Then rates are like those of the whole, correlations are not.

Source: T. C. Potjans, M. Diesmann, Cereb. Cortex 24:785 (2014), doi 10.1093/cercor/bhs358 (Tables 4
and 5); sizes, probabilities, initial voltages and the full-scale rates as in NEST's example
``pynest/examples/Potjans_2014``; S. J. van Albada, M. Helias, M. Diesmann, PLoS Comput. Biol.
11:e1004490 (2015) for the scaling.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import neuro_lif as nl

Array = npt.NDArray[Any]

NAMES = ("L23e", "L23i", "L4e", "L4i", "L5e", "L5i", "L6e", "L6i")
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
"""Background synapses of each neuron, 8 spikes a second each."""
PROBABILITY = np.array(  # of at least one synapse; rows: targets, columns: sources
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
REFERENCE = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])
"""Spikes per second and neuron of the whole, in NEST; also what the missing input is made of."""
V_START = np.array([-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43])  # mV
V_SPREAD = np.array([5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48])

DT, TAU_M, TAU_SYN, T_REF = 0.1, 10.0, 0.5, 2.0  # ms
CAPACITY, J, G = 250.0, 87.8, -4  # pF, pA, inhibitory weight over excitatory
V_REST, V_THRESHOLD = -65.0, -50.0  # mV; v = 0 is the rest, which is also the reset
BACKGROUND = 8.0  # Hz
DELAYS = {"e": (1.5, 0.75), "i": (0.8, 0.4)}  # ms: mean and spread

UNIT = 64
"""The integer that 87.8 pA are (times 2, doubled weights; times 4, inhibitory ones: exponents)."""
DU = round(4095 - 4096 * np.exp(-DT / TAU_SYN))
DV = round(4096 - 4096 * np.exp(-DT / TAU_M))
LSB_PER_UNIT = 64 * UNIT / (1 - (4095 - DU) / 4096)
"""What the current of one spike adds to v in all, without leak, in LSB."""


def numbers_of_synapses(scale: float) -> Array:
    """Return the synapses of every projection ``(8 targets, 8 sources)``.

    Source: Potjans and Diesmann, eq. 1; of a smaller circuit that share of neurons and in-degrees.
    """
    pairs = np.outer(SIZES, SIZES).astype(np.float64)
    whole = np.log1p(-PROBABILITY) / np.log1p(-1 / pairs)
    return np.rint(whole * scale**2).astype(np.int64)


def mean_input() -> Array:
    """Return the mean current of a neuron of each population in the whole circuit ``(8,)``, pA."""
    indegree = numbers_of_synapses(1.0) / SIZES[:, None]
    weights = np.where(np.arange(8) % 2, G, 1)[None].repeat(8, axis=0).astype(np.float64)
    weights[0, 2] = 2.0
    per_ms = (indegree * weights * REFERENCE).sum(axis=1) + EXTERNAL * BACKGROUND
    return np.asarray(per_ms * 1e-3 * J * TAU_SYN)


def build(scale: float, seed: int) -> nl.FixedNetwork:
    """Return the circuit.

    Args:
        scale: share of the neurons and of their synapses, above 0, at most 1.
        seed: of the connections, the initial voltages and the background.
    """
    sizes = np.rint(SIZES * scale).astype(int)
    millivolt = LSB_PER_UNIT / (J * TAU_SYN / CAPACITY) * np.sqrt(scale)  # LSB of one mV
    counts, missing = numbers_of_synapses(scale), mean_input() * (1 - np.sqrt(scale))
    rng = np.random.default_rng(seed)
    populations, projections, poissons = [], [], []
    for k, (name, size) in enumerate(zip(NAMES, sizes.tolist(), strict=True)):
        bias = missing[k] * DT / CAPACITY * millivolt
        exponent = max(int(np.ceil(np.log2(max(bias, 1) / 4095))), 0)
        start = rng.normal(V_START[k] - V_REST, V_SPREAD[k], size) * millivolt
        params = {
            "du": DU, "dv": DV, "vth": round((V_THRESHOLD - V_REST) * millivolt / 64),
            "refract": round(T_REF / DT) + 1, "bias_mant": round(bias / 2**exponent),
            "bias_exp": exponent,
        }  # fmt: skip
        populations.append(nl.FixedPopulation(
            name, size, "lif_refractory", params, {"v": np.rint(start).astype(np.int64)},
            lsb=1e-3 / millivolt, v_zero=V_REST * 1e-3))  # fmt: skip
        mean = EXTERNAL[k] * scale * BACKGROUND * DT * 1e-3
        poissons.append(nl.FixedPoisson(f"background of {name}", name, mean, UNIT, seed=k))
    for post, pre in zip(*np.nonzero(counts), strict=True):
        number = int(64 * seed + 8 * post + pre)
        projections.append(_projection(int(post), int(pre), sizes, int(counts[post, pre]), number))
    return nl.FixedNetwork(nl.load_profile("loihi2"), tuple(populations), tuple(projections),
                           dt=DT * 1e-3, seed=seed, poissons=tuple(poissons))  # fmt: skip


def _projection(post: int, pre: int, sizes: Array, n: int, seed: int) -> nl.FixedProjection:
    inhibitory = bool(pre % 2)
    mean, spread = (ms / DT for ms in DELAYS["i" if inhibitory else "e"])
    weight = nl.Normal(-UNIT, 0.1 * UNIT, -127, 0) if inhibitory else (
        nl.Normal(UNIT, 0.1 * UNIT, 0, 127))  # fmt: skip
    # the profile's latency is one step, so that the shortest delay, one step, is 0 here
    made = nl.random_pairs(int(sizes[pre]), int(sizes[post]), n, weight,
                           nl.Normal(mean - 1, spread, 0, 63), seed)  # fmt: skip
    exponent = 2 if inhibitory else int((post, pre) == (0, 2))
    mode = "inhibitory" if inhibitory else "excitatory"
    return nl.FixedProjection(f"{NAMES[pre]} to {NAMES[post]}", NAMES[pre], NAMES[post],
                              made.weights, exponent, mode, delays=made.delays)  # fmt: skip


def irregularity(step: Array, neuron: Array) -> float:
    """Return the mean over neurons of the CV of their inter-spike intervals (3 spikes or more)."""
    order = np.lexsort((step, neuron))
    step, neuron = step[order].astype(np.float64), neuron[order]
    same = neuron[1:] == neuron[:-1]
    gap, of = np.diff(step)[same], neuron[1:][same]
    count = np.bincount(of)
    mean = np.bincount(of, gap) / np.maximum(count, 1)
    square = np.bincount(of, (gap - mean[of]) ** 2) / np.maximum(count, 1)
    enough = count >= 2
    return float(np.mean(np.sqrt(square[enough]) / mean[enough])) if enough.any() else float("nan")


def told(recording: nl.Recording, sizes: Array, skip: int) -> str:
    """Return the table of rates and irregularity, without the first ``skip`` steps."""
    seconds = (recording.n_steps - skip) * recording.dt
    lines = [f"{'':6}{'neurons':>9}{'rate Hz':>9}{'NEST':>8}{'CV':>7}   (published: CV 0.7 to 1)"]
    for name, size, expected in zip(NAMES, sizes, REFERENCE, strict=True):
        spikes = recording.spikes.lists[name]
        late = spikes.step > skip
        rate = late.sum() / size / seconds
        cv = irregularity(spikes.step[late], spikes.neuron[late])
        lines.append(f"{name:6}{size:9}{rate:9.2f}{expected:8.2f}{cv:7.2f}")
    return "\n".join(lines)


def peak() -> float:
    """Return the most memory this process had, in GB."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(arguments: list[str] | None = None) -> None:
    """Build the circuit, run it and print what it did."""
    parser = argparse.ArgumentParser(description="cortical microcircuit in integers")
    parser.add_argument("--scale", type=float, default=0.1, help="share of it (default: 0.1)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of model time (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, help="write the network to this file and load it")
    given = parser.parse_args(arguments)
    if not 0 < given.scale <= 1 or not given.seconds >= 0.2 or not 0 <= given.seed < 2**20:
        parser.error("allowed: scale above 0, at most 1; seconds >= 0.2; seed 0..2**20 - 1")
    clock = time.perf_counter()

    def lap(what: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        print(f"{what}: {now - clock:.1f} s, peak memory so far {peak():.2f} GB", flush=True)
        clock = now

    fixed = build(given.scale, given.seed)
    synapses = sum(p.weights.nnz for p in fixed.projections)
    lap(f"built {sum(p.size for p in fixed.populations)} neurons, {synapses} synapses")
    if given.save:
        nl.save_fixed(fixed, given.save)
        lap(f"saved ({given.save.stat().st_size / 1e9:.2f} GB)")
        del fixed
        fixed = nl.load_fixed(given.save)
        lap("loaded")
    nl.run_fixed(fixed, 1)
    lap("made ready")
    steps = round(given.seconds * 1e3 / DT)
    recording = nl.run_fixed(fixed, steps)
    lap(f"ran {steps} steps ({recording.provenance['engine']})")
    print(told(recording, np.array([p.size for p in fixed.populations]), round(100 / DT)))
    print(f"overflows: {sum(event.count for event in recording.events)}")


if __name__ == "__main__":
    main()
