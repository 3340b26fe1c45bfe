"""Random networks on the chips' profiles, whatever their ports: ``random_chip(rng, profile, 12)``.

One population of each model, inputs to every port, synapses from population to population, repeated
and zero ones among them, parameters often at the ends of their ranges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    HardwareProfile,
)

LEAST_THRESHOLD = {"dynapcnn": 300}
"""A loop of spikes takes away the threshold: a low one takes the definition thousands of turns."""


def random_chip(rng: np.random.Generator, profile: HardwareProfile, n_steps: int) -> FixedNetwork:
    """Return a network with rasters of ``n_steps`` steps of its own."""
    populations = tuple(_population(rng, profile, name) for name in profile.models)
    sources, projections, directs = [], [], []
    for post in populations:
        for port in sorted(profile.ports(post.model)):
            source = _source(rng, profile, f"{port} of {post.name}", n_steps)
            sources.append(source)
            ends = [(source.name, source.size)]
            ends += [(p.name, p.size) for p in populations if rng.random() < 0.5]
            projections += [_projection(rng, profile, end, post, port) for end in ends]
            if rng.random() < 0.3:
                raster = rng.integers(-60, 90, (n_steps, post.size))
                directs.append(DirectInput(f"into {port} of {post.name}", post.name,
                                           raster * rng.integers(0, 2, raster.shape),
                                           port=port))  # fmt: skip
    return FixedNetwork(profile, populations, tuple(projections), tuple(sources), tuple(directs))


def _drawn(rng: np.random.Generator, lo: int, hi: int, size: int) -> Any:
    """Return values from everywhere, from around 0 and from the ends of a range."""
    middle = np.clip(rng.integers(-300, 700, size), lo, hi)
    ends = rng.choice([lo, hi], size)
    return np.choose(
        rng.integers(0, 4, size), [middle, middle, ends, rng.integers(lo, hi + 1, size)]
    )


def _population(rng: np.random.Generator, profile: HardwareProfile, model: str) -> FixedPopulation:
    size = int(rng.integers(1, 6))
    params = {}
    for name, parameter in profile.params.items():
        lo, hi = parameter.span
        lo = max(lo, LEAST_THRESHOLD.get(profile.name, lo)) if name == "thr" else lo
        values = _drawn(rng, lo, hi, size)
        params[name] = values if parameter.per == "neuron" else int(values[0])
    params = {name: params[name] for name in profile.used_params(model)}
    init = {}
    for name, (lo, hi) in profile.register_ranges.items():
        if rng.random() < 0.5:
            init[name] = _drawn(rng, lo, hi, size)
    alias = None
    if profile.routing.alias and rng.random() < 0.7:
        alias = rng.integers(-1, size, size)
        alias[alias == np.arange(size)] = -1
    return FixedPopulation(model, size, model, params, init, alias=alias)


def _source(
    rng: np.random.Generator, profile: HardwareProfile, name: str, n_steps: int
) -> FixedSource:
    size = int(rng.integers(1, 4))
    most = int(rng.choice([2, 5, 41]))
    counts = rng.integers(0, most, (n_steps, size))
    return FixedSource(name, size, counts * (rng.random(counts.shape) < rng.uniform(0.2, 1)))


def _projection(
    rng: np.random.Generator, profile: HardwareProfile, end: tuple[str, int],
    post: FixedPopulation, port: str,
) -> FixedProjection:  # fmt: skip
    pre, n_pre = end
    lo, hi = profile.weights.mode_range("mixed")
    count = int(rng.integers(0, 2 * n_pre * post.size + 1))
    weights = _drawn(rng, lo, hi, count) * (rng.random(count) < 0.9)
    ends = (rng.integers(0, post.size, count), rng.integers(0, n_pre, count))
    matrix = sparse.coo_matrix((weights, ends), (post.size, n_pre), dtype=np.int64)
    routing = profile.routing
    # without a cap, spikes that count would multiply from step to step
    bounded = pre not in profile.models or profile.event_ports(post.model).get(port, 1) is not None
    delays: Any = 0
    if routing.delay_per == "synapse":
        delays = rng.integers(0, min(routing.delay_hi, 4) + 1, count)
    return FixedProjection(
        f"{pre} to {port} of {post.name}", pre, post.name, matrix, sign_mode="mixed",
        delays=delays, port=port,
        graded=bool(routing.payload_bits and bounded and rng.random() < 0.8),
    )  # fmt: skip
