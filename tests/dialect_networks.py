"""Random networks in any dialect, drawn from what its profile allows: ``random_dialect``.

Nothing here knows a profile: parameters, registers, models, weights, delays, graded spikes and
convolutions are what the profile says there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from neuro_lif import (
    Convolution,
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    HardwareProfile,
)
from neuro_lif.numerics import OPERAND_FIELDS, walk
from neuro_lif.profile import SIGN_MODES

Rng = np.random.Generator
FAR = 2**33
"""Wild values go this far: past 32 bits, and well inside 64 once they are multiplied."""


def used_params(profile: HardwareProfile, model: str) -> list[str]:
    """Return the parameters that the operations of a model name."""
    names = {str(op[f]).removeprefix("-") for op in walk(profile.ops(model)) for f in OPERAND_FIELDS
             if isinstance(op.get(f), str)}  # fmt: skip
    return [p for p in profile.params if p in names]


def _in_span(rng: Rng, span: tuple[int, int], size: int | None) -> Any:
    """Return numbers of a range: near its ends, near 0, or anywhere, each of many magnitudes."""
    lo, hi = span
    anywhere = rng.integers(lo, hi, size, endpoint=True)
    small = np.clip(np.asarray(anywhere) >> int(rng.integers(0, 24)), lo, hi)
    ends = rng.choice([lo, hi, min(max(0, lo), hi), min(max(1, lo), hi)], size)
    found = [anywhere, small, small, ends][rng.integers(4)]
    return found if size is not None else int(found)


def population(rng: Rng, profile: HardwareProfile, name: str, wild: bool) -> FixedPopulation:
    """Return a population of a random model, all its parameters and starts drawn."""
    size, model = int(rng.integers(1, 7)), str(rng.choice(sorted(profile.models)))
    shifts = {op.get("shift") for op in walk(profile.ops(model))}
    params = {}
    for key in used_params(profile, model):
        p = profile.params[key]
        many = p.per == "neuron" and rng.random() < 0.6
        params[key] = _in_span(rng, p.span, size if many else None)
        if wild and p.storage is not None:
            reach = (-31, 31) if key in shifts else (-FAR, FAR)
            params[key] = _in_span(rng, reach, size if many else None)
    init = {
        register: _in_span(rng, span, size)
        for register, span in profile.register_ranges.items()
        if rng.random() < 0.3
    }
    return FixedPopulation(name, size, model, params, init)


def _raster(rng: Rng, profile: HardwareProfile, n_steps: int, size: int) -> Any:
    spikes = (rng.random((n_steps, size)) < rng.uniform(0.1, 0.8)).astype(np.int64)
    if profile.routing.payload_bits and rng.random() < 0.4:
        spikes *= rng.integers(-(2 ** int(rng.integers(1, 20))), 2**19, spikes.shape)
    return spikes


def _weights(rng: Rng, profile: HardwareProfile, mode: str, shape: tuple[int, int]) -> Any:
    values = _in_span(rng, profile.weights.mode_range(mode), int(np.prod(shape))).reshape(shape)
    values = np.where(rng.random(shape) < rng.uniform(0.2, 1), values, 0)
    if rng.random() < 0.5:
        return values
    rows, columns = np.nonzero(values)
    again = np.flatnonzero(rng.random(rows.size) < 0.2)  # these pairs of neurons are joined twice
    ends = tuple(np.concatenate([part, part[again]]) for part in (rows, columns))
    values = values[ends]
    values[rows.size :] >>= int(rng.integers(0, 3)) * 12  # where there are no such weights: 0
    return sparse.coo_matrix((values, ends), shape=shape)


def projection(rng: Rng, profile: HardwareProfile, name: str, pre: Any, post: Any) -> Any:
    """Return a projection with random weights, coding and delays, or a convolution."""
    rules, routing = profile.weights, profile.routing
    graded = bool(routing.payload_bits and rng.random() < 0.5)
    if profile.convolution is not None and rng.random() < 0.3:
        stride = -(-pre.size // post.size)  # of as many places as there are neurons
        taps = pre.size - (post.size - 1) * stride
        if taps > 0:
            kernel = rng.integers(-(2**20), 2**20, (1, taps, 1, 1)) >> int(rng.integers(0, 20))
            whole = Convolution(kernel, (pre.size, 1, 1), (stride, 1))
            return FixedProjection(name, pre.name, post.name, whole, graded=graded)
    mode = str(rng.choice(SIGN_MODES))
    weights = _weights(rng, profile, mode, (post.size, pre.size))
    stored = weights.nnz if sparse.issparse(weights) else weights.size
    most = min(routing.delay_hi, int(rng.choice([0, 0, 2, 70])))
    delays: Any = int(rng.integers(0, most + 1))
    if routing.delay_per == "synapse" and rng.random() < 0.5:
        delays = rng.integers(0, most + 1, stored)
    return FixedProjection(
        name, pre.name, post.name, weights,
        exponent=int(rng.integers(rules.exponent_lo, rules.exponent_hi + 1)), sign_mode=mode,
        weight_bits=int(rng.integers(1, rules.mantissa_bits + 1)) if rng.random() < 0.4 else None,
        delays=delays, graded=graded,
    )  # fmt: skip


def random_dialect(rng: Rng, profile: HardwareProfile, n_steps: int = 12) -> FixedNetwork:
    """Return a network of 1-3 populations that carries its inputs, of ``n_steps`` steps.

    In one of four, parameters with a storage rule lie anywhere (ranges are not enforced).
    """
    wild = bool(rng.random() < 0.25)
    populations = [population(rng, profile, f"p{k}", wild) for k in range(rng.integers(1, 4))]
    sources = []
    for k in range(rng.integers(1, 3)):
        size = int(rng.integers(1, 6))
        sources.append(FixedSource(f"s{k}", size, _raster(rng, profile, n_steps, size)))
    directs = [
        DirectInput(f"d{k}", p.name, rng.integers(-reach, reach, (n_steps, p.size)))
        for k, p in enumerate(populations)
        if (reach := 2 ** int(rng.integers(1, 32))) and rng.random() < 0.5
    ]
    pairs = [(a, b) for a in (*sources, *populations) for b in populations if rng.random() < 0.5]
    projections = [projection(rng, profile, f"c{k}", *pair) for k, pair in enumerate(pairs)]
    return FixedNetwork(profile, tuple(populations), tuple(projections), tuple(sources),
                        tuple(directs), enforce_ranges=not wild,
                        seed=int(rng.integers(2**32)))  # fmt: skip
