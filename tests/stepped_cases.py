"""Stepped networks as imported graphs give them: every field a chip has to be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

import neuro_lif as nl
from neuro_lif.arrays import frozen
from neuro_lif.stepped import (
    NO_SPIKE,
    SteppedNetwork,
    SteppedPopulation,
    SteppedProjection,
    StepRule,
)

Rng = np.random.Generator
WHOLE = frozen(0, np.int64)


def population(
    rng: Rng, name: str, n: int, reset: str = "value", most: int | None = 1, readout: bool = False,
    alike: bool = False,
) -> SteppedPopulation:  # fmt: skip
    """Return neurons with decays, thresholds, biases, rest, first u and first v of their own."""

    def each(low: float, high: float) -> Any:
        return frozen(np.full(n, rng.uniform(low, high)) if alike else rng.uniform(low, high, n))

    kept_u, loss_v = each(0.3, 0.95), each(0.05, 0.5)
    return SteppedPopulation(
        name=name, size=n, decay_u=frozen(kept_u[None]), decay_v=frozen(1.0 - loss_v),
        leak_v=loss_v, bias=frozen(rng.normal(0, 0.02, n)), gain=frozen(np.zeros(n)),
        threshold=frozen(np.full(n, NO_SPIKE)) if readout else each(0.5, 1.5),
        refractory=frozen(np.zeros(n), np.int64), v_init=frozen(rng.normal(0, 0.3, n)),
        v_zero=frozen(rng.normal(0, 0.3, n)), reset=reset, tau_m=frozen(np.full(n, 20e-3)),  # type: ignore[arg-type]
        tau_syn=frozen([5e-3]), u_init=frozen(rng.normal(0, 0.5, (1, n))), most_spikes=most,
    )  # fmt: skip


def described(populations: Any, width: int) -> nl.Network:
    """Return the description that a stepped network points to: names, sizes, input and probes."""
    neuron = nl.LIF(20e-3, v_threshold=1.0)
    probes = [nl.Probe(p.name, r) for p in populations for r in ("v", "u")]
    inputs = [nl.SpikeInput("in", width)]
    return nl.Network([nl.Population(p.name, p.size, neuron) for p in populations], [], inputs,
                      probes)  # fmt: skip


def recurrent(
    rng: Rng, reset: str = "value", most: int | None = 1, compare: str = ">",
    graded: bool = False, delayed: bool = True,
) -> SteppedNetwork:  # fmt: skip
    """Return two spiking layers, the first recurrent with delays, and a read-out."""
    a, b = (population(rng, name, n, reset, most) for name, n in (("a", 6), ("b", 5)))
    parts = (a, b, population(rng, "r", 3, readout=True))
    several = most != 1

    def weights(*shape: int, spread: float = 0.3) -> Any:
        return frozen(rng.normal(0, spread, shape))

    delays = frozen(rng.integers(0, 4 if delayed else 1, 36), np.int64)
    late = frozen(int(delayed), np.int64)
    projections = (
        SteppedProjection("in_a", "in", "a", weights(6, 4), WHOLE, 0, graded=graded),
        SteppedProjection("a_a", "a", "a", weights(6, 6, spread=0.1), delays, 0, graded=several),
        SteppedProjection("a_b", "a", "b", weights(5, 6), WHOLE, 0, graded=several),
        SteppedProjection("b_r", "b", "r", weights(3, 5), late, 0, graded=several),
    )
    rule = StepRule(compare=compare)  # type: ignore[arg-type]
    return SteppedNetwork(described(parts, 4), 1e-3, rule, parts, projections)


def convolution(rng: Rng, layout: str) -> nl.Convolution:
    """Return a random convolution of floats."""
    groups = int(rng.integers(1, 3))
    channels, out, taps = 2 * groups, 2 * groups, rng.integers(1, 4, 2)
    plane = tuple(int(n) for n in rng.integers(4, 8, 2))
    if layout == "torch":
        kernel, shape = rng.normal(0, 0.3, (out, 2, *taps)), (channels, *plane)
    else:
        kernel, shape = rng.normal(0, 0.3, (out, *taps, 2)), (*plane, channels)
    return nl.Convolution(
        kernel, shape, stride=tuple(rng.integers(1, 3, 2).tolist()),
        padding=tuple(rng.integers(0, 2, 2).tolist()), groups=groups, layout=layout,  # type: ignore[arg-type]
    )  # fmt: skip


def convolved(
    rng: Rng, layout: str = "torch", most: int | None = 1, delay: int = 0, alike: bool = True
) -> SteppedNetwork:
    """Return an input, a convolution onto spiking neurons, and a read-out."""
    conv = convolution(rng, layout)
    reset = "value" if most == 1 else "subtract"
    a = population(rng, "a", conv.shape[0], reset, most, alike=alike)
    r = population(rng, "r", 3, readout=True)
    dense = frozen(rng.normal(0, 0.3, (3, a.size)))
    projections = (
        SteppedProjection("conv", "in", "a", conv, frozen(delay, np.int64), 0),
        SteppedProjection("a_r", "a", "r", dense, WHOLE, 0, graded=most != 1),
    )
    return SteppedNetwork(described((a, r), conv.shape[1]), 1e-3, StepRule(), (a, r), projections)


def spikes(rng: Rng, width: int, n_steps: int = 60, share: float = 0.3, top: int = 1) -> Any:
    """Return an input; with ``top`` its values are 0..top."""
    return (rng.random((n_steps, width)) < share) * rng.integers(1, top + 1, (n_steps, width))
