"""Random small FixedNetworks for differential tests: ``random_fixed(rng, "loihi2")``.

Every network carries its own input rasters, so ``run_fixed(network, n_steps)`` needs nothing else.
Drive and weights are scaled so that neurons fire in a fair share of the steps.
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
    load_profile,
)
from neuro_lif.numerics import OPERAND_FIELDS, walk
from neuro_lif.profile import SIGN_MODES

PROFILES = ("lava-0.10", "loihi1", "loihi2", "generic")
PARAMS = {"du", "dv", "vth", "bias_mant", "bias_exp", "refract"}


def lif_models(profile: HardwareProfile) -> list[str]:
    """Return the models that fire and have no other parameters than those of a LIF."""
    return [m for m in sorted(profile.models) if _is_lif(profile, m)]


def _is_lif(profile: HardwareProfile, model: str) -> bool:
    ops = walk(profile.ops(model))
    named = {str(op[f]) for op in ops for f in OPERAND_FIELDS if isinstance(op.get(f), str)}
    return any(op["op"] == "fire" for op in ops) and named & profile.params.keys() <= PARAMS


def random_fixed(
    rng: np.random.Generator,
    profile_name: str,
    n_steps: int = 40,
    max_size: int = 12,
    per_neuron: bool | None = None,
    prefix: str = "",
    **config: Any,
) -> FixedNetwork:
    """Return a random network of 1-3 populations with inputs of ``n_steps`` steps.

    Args:
        rng: every choice is drawn from it.
        profile_name: a shipped profile (see PROFILES for the ones meant here).
        n_steps: length of the rasters.
        max_size: largest population.
        per_neuron: decays and thresholds differ from neuron to neuron; None: drawn.
        prefix: put before every name, so that networks can be merged.
        **config: the profile's config values.
    """
    profile = load_profile(profile_name, **config)
    if per_neuron is None:
        per_neuron = bool(rng.integers(2))
    populations = [
        random_population(rng, profile, f"{prefix}p{i}", int(rng.integers(1, max_size + 1)),
                          per_neuron)
        for i in range(rng.integers(1, 4))
    ]  # fmt: skip
    sources = [
        random_source(rng, profile, f"{prefix}s{i}", int(rng.integers(1, max_size + 1)), n_steps)
        for i in range(rng.integers(1, 3))
    ]
    directs = [
        DirectInput(f"{prefix}i{i}", p.name, rng.integers(-40, 160, (n_steps, p.size)))
        for i, p in enumerate(populations)
        if rng.random() < 0.4
    ]
    projections = _projections(rng, profile, prefix, populations, sources)
    return FixedNetwork(profile, tuple(populations), projections, tuple(sources), tuple(directs))


def random_population(
    rng: np.random.Generator, profile: HardwareProfile, name: str, size: int, per_neuron: bool
) -> FixedPopulation:
    """Return a population with random decays, thresholds, bias, refractory period and start."""

    def draw(lo: int, hi: int, every: bool = per_neuron) -> Any:
        return rng.integers(lo, hi + 1, size) if every else int(rng.integers(lo, hi + 1))

    params: dict[str, Any] = {}
    for key in ("du", "dv"):
        lo, hi = profile.params[key].span
        params[key] = [draw(lo, hi), draw(lo, hi // 8), draw(hi, hi), draw(lo, lo)][rng.integers(4)]
    params["vth"] = draw(1, min(400, profile.params["vth"].span[1]))
    if rng.random() < 0.6:
        lo, hi = profile.params["bias_mant"].span
        params["bias_mant"] = draw(max(lo, -300), min(hi, 900), True)
        params["bias_exp"] = draw(0, min(5, profile.params["bias_exp"].span[1]), True)
    if "refract" in profile.params:
        params["refract"] = draw(1, 6)
    init = {}
    for register in ("u", "v"):
        if rng.random() < 0.5:
            lo, hi = profile.registers[register].span
            init[register] = rng.integers(max(lo, -9000), min(hi, 9000) + 1, size)
    model = str(rng.choice(lif_models(profile)))
    params = {k: v for k, v in params.items() if k in profile.used_params(model)}
    return FixedPopulation(name, size, model, params, init)


def random_source(
    rng: np.random.Generator, profile: HardwareProfile, name: str, size: int, n_steps: int
) -> FixedSource:
    """Return a source: ordinary spikes, or (where the profile has them) graded ones."""
    raster = (rng.random((n_steps, size)) < rng.uniform(0.05, 0.5)).astype(np.int64)
    if profile.routing.payload_bits and rng.random() < 0.3:
        raster *= rng.integers(-9, 40, raster.shape)
    return FixedSource(name, size, raster)


def random_projection(
    rng: np.random.Generator, profile: HardwareProfile, name: str, pre: Any, post: Any
) -> FixedProjection:
    """Return a projection with random coding, weights, exponent and delays, dense or sparse."""
    rules, routing = profile.weights, profile.routing
    mode = str(rng.choice(SIGN_MODES))
    lo, hi = rules.mode_range(mode)
    weights = rng.integers(lo, hi + 1, (post.size, pre.size))
    weights = np.where(rng.random(weights.shape) < rng.uniform(0.2, 1.0), weights, 0)
    exponent = int(rng.integers(max(rules.exponent_lo, -4), min(rules.exponent_hi, 3) + 1))
    if rng.random() < 0.4:
        exponent = 0
    matrix = sparse.csr_matrix(weights) if rng.random() < 0.5 else weights
    count = matrix.nnz if sparse.issparse(matrix) else weights.size
    longest = min(routing.delay_hi, int(rng.choice([0, 0, 3, 9])))
    delays: Any = int(rng.integers(0, longest + 1))
    if longest and routing.delay_per == "synapse" and rng.random() < 0.7:
        delays = rng.integers(0, longest + 1, count)
    return FixedProjection(
        name, pre.name, post.name, matrix, exponent, mode,
        weight_bits=int(rng.integers(1, rules.mantissa_bits + 1)) if rng.random() < 0.4 else None,
        delays=delays, graded=bool(routing.payload_bits and rng.random() < 0.4),
    )  # fmt: skip


def _projections(
    rng: np.random.Generator, profile: HardwareProfile, prefix: str, populations: Any, sources: Any
) -> tuple[FixedProjection, ...]:
    pairs = [(s, p) for s in sources for p in populations if rng.random() < 0.7]
    pairs += [(a, b) for a in populations for b in populations if rng.random() < 0.4]
    return tuple(
        random_projection(rng, profile, f"{prefix}c{i}", pre, post)
        for i, (pre, post) in enumerate(pairs)
    )


def merged(networks: list[FixedNetwork]) -> FixedNetwork:
    """Return one network that holds all of them side by side (one profile, distinct names)."""
    parts: dict[str, tuple[Any, ...]] = {
        field: tuple(item for network in networks for item in getattr(network, field))
        for field in ("populations", "projections", "sources", "directs", "probes")
    }
    return FixedNetwork(networks[0].profile, **parts)


def first_difference(expected: Any, found: Any) -> str | None:
    """Return where two recordings differ first (spikes, then every common trace), or None."""
    pairs = [(f"spikes {k}", expected.spikes[k], found.spikes[k]) for k in expected.spikes]
    pairs += [(f"{p}.{v}", expected.traces[p, v], found.traces[p, v]) for p, v in expected.traces]
    worst: tuple[int, str] | None = None
    for what, a, b in pairs:
        a, b = np.asarray(a, np.int64), np.asarray(b, np.int64)
        if a.shape != b.shape:
            return f"{what}: shape {a.shape} against {b.shape}"
        where = np.argwhere(a != b)
        if where.size:
            at = tuple(int(i) for i in where[where[:, -2].argmin()])
            line = f"{what} at {at}: {a[at]} against {b[at]} ({len(where)} differ)"
            if worst is None or at[-2] < worst[0]:
                worst = (at[-2], line)
    return None if worst is None else worst[1]
