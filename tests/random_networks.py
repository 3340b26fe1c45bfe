"""Random small networks of every kind, for tests of the lowering: ``random_network(rng)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

import neuro_lif as nl
from neuro_lif.stimulus import Constant, Sampled

GENERIC: dict[str, tuple[Any, ...]] = {
    "state_bits": (12, 16, 24, 30),
    "sum_bits": (10, 16, 32),
    "decay_bits": (5, 8, 12, 16),
    "threshold_bits": (8, 12, 17, 22),
    "align_shift": (0, 3, 6),
    "bias_bits": (8, 13, 18),
    "weight_bits": (2, 4, 8, 11),
    "rounding": ("rtz", "floor", "nearest_up"),
    "overflow": ("sat", "wrap"),
    "compare": (">", ">="),
}
"""Config values of the generic profile that the tests draw from."""


def sharing(profile: nl.HardwareProfile, name: str, per: str) -> nl.HardwareProfile:
    """Return the profile with one value of parameter ``name`` per ``per`` instead of per neuron."""
    changed = profile.params[name].model_copy(update={"per": per})
    return profile.model_copy(update={"params": profile.params | {name: changed}})


def random_profile(rng: np.random.Generator) -> nl.HardwareProfile:
    """Return a shipped profile, or the generic one with widths drawn at random."""
    name = str(rng.choice(["loihi1", "loihi2", "generic", "generic"]))
    config: dict[str, Any] = {}
    if name == "generic":
        config = {k: v[int(rng.integers(len(v)))] for k, v in GENERIC.items()}
    profile = nl.load_profile(name, **config)
    return sharing(profile, "vth", "population") if rng.random() < 0.3 else profile


def random_network(rng: np.random.Generator, n_steps: int, leaky: bool = False) -> nl.Network:
    """Return a network of 1-3 populations with one spike input ``x`` and maybe currents.

    Args:
        rng: every choice is drawn from it.
        n_steps: length of a sampled current, in steps of 1 ms.
        leaky: no IF neurons and no read-outs.
    """
    sizes = [int(n) for n in rng.integers(1, 8, int(rng.integers(1, 4)))]
    populations = [
        nl.Population(f"p{i}", n, random_neuron(rng, n, leaky)) for i, n in enumerate(sizes)
    ]
    source = nl.SpikeInput("x", int(rng.integers(1, 9)))
    projections = []
    for post in populations:
        scale, synapse = float(10 ** rng.uniform(-4, 1)), random_synapse(rng)
        for pre, size in [("x", source.size), *((p.name, p.size) for p in populations)]:
            if rng.random() < 0.65:
                weights = scale * random_weights(rng, (post.size, size))
                projections.append(
                    random_projection(rng, f"c{len(projections)}", pre, post.name, weights, synapse)
                )
    inputs: list[Any] = [source]
    if rng.random() < 0.3:
        inputs.append(nl.CurrentInput("i", "p0", Constant(float(rng.normal() * 0.02))))
    if rng.random() < 0.2:
        inputs.append(
            nl.CurrentInput("j", "p0", Sampled(0.1 * rng.normal(size=(n_steps, 1)), 1e-3))
        )
    return nl.Network(populations, projections, inputs)


def random_neuron(rng: np.random.Generator, n: int, leaky: bool = False) -> Any:
    """Return a neuron whose every number is one for all, or one per neuron."""

    def draw(lo: float, hi: float) -> Any:
        return rng.uniform(lo, hi, n) if rng.random() < 0.4 else float(rng.uniform(lo, hi))

    kind = "LIF" if leaky else str(rng.choice(["LIF", "LIF", "LIF", "IF", "LI"]))
    reset: Any = str(rng.choice(["value", "subtract"]))
    tau = 10 ** draw(-3, -0.3)
    if kind == "IF":
        bias = draw(-1, 3) if rng.random() < 0.5 else 0.0
        return nl.IF(draw(0.01, 1), v_threshold=draw(0.5, 2), i_bias=bias, reset=reset)
    if kind == "LI":
        return nl.LI(tau, draw(0.5, 2), v_rest=draw(-1, 1), i_bias=draw(-1, 1))
    return nl.LIF(
        tau,
        draw(0.5, 2),
        v_rest=draw(-0.07, -0.06),
        v_threshold=draw(-0.05, -0.03),
        v_reset=draw(-0.08, -0.055),
        t_refractory=float(rng.choice([0, 0, 3e-3])),
        i_bias=draw(-0.02, 0.05) if rng.random() < 0.7 else 0.0,
        reset=reset,
        v_init=draw(-0.3, 0.1) if rng.random() < 0.3 else None,
    )


def random_synapse(rng: np.random.Generator) -> Any:
    """Return a delta synapse or an exponential one of any normalisation."""
    norm: Any = str(rng.choice(["peak", "area", "psp"]))
    tau = float(10 ** rng.uniform(-3, -1))
    return nl.Delta() if rng.random() < 0.4 else nl.Exponential(tau, norm)


def random_weights(rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    """Return weights of either or both signs, with or without an outlier, dense or CSR."""
    weights = rng.normal(rng.choice([0, 1, -1]), 1, shape)
    if rng.random() < 0.2:
        weights = np.abs(weights)
    if rng.random() < 0.2:
        weights.flat[0] *= 50
    if rng.random() < 0.05:
        weights *= 0
    if rng.random() < 0.4:
        return sparse.csr_matrix(weights * (rng.random(shape) < 0.6))
    return weights


def random_projection(
    rng: np.random.Generator, name: str, pre: str, post: str, weights: Any, synapse: Any
) -> nl.Projection:
    """Return a projection with one delay, or one per synapse."""
    delay: Any = 1e-3 * int(rng.integers(1, 6))
    if rng.random() < 0.3:
        shape = weights.nnz if sparse.issparse(weights) else weights.shape
        delay = 1e-3 * rng.integers(1, 20, shape)
    return nl.Projection(name, pre, post, weights, synapse, delay)


def hostile_rasters(rng: np.random.Generator, network: nl.Network, n_steps: int) -> Any:
    """Return input spikes ``(batch, n_steps, n)`` meant to drive registers as far as they go.

    All at once, in turns, at random, silent, in long bursts; and, for neurons of every target, the
    sources that all excite it, that all inhibit it, and one after the other in bursts.
    """
    n = network.spike_inputs[0].size
    time = np.arange(n_steps)[:, None]
    full, half = np.ones((n_steps, n)), (time // 25) % 2
    out = [full, full * (time % 2), rng.random((n_steps, n)) < 0.5, 0 * full, full * half]
    for p in network.projections:
        if p.pre == "x":
            rows = p.weights.toarray() if sparse.issparse(p.weights) else p.weights
            for row in rows[:3]:
                up, down = full * (row > 0), full * (row < 0)
                out += [up, down, np.where(half, up, down)]
    return np.stack(out).astype(np.int64)
