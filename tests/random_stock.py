"""Random networks of everything that Lava has in fixed point: ``random_stock(rng)``.

Populations of every model of profile lava-0.10; Dense, Sparse, delays, convolutions, graded spikes,
fan-in and recurrence. Values are mostly moderate and sometimes large enough to wrap.
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
    load_profile,
)
from neuro_lif.profile import SIGN_MODES

LAVA = load_profile("lava-0.10")
MODELS = sorted(LAVA.models)
SHOWN = {
    "lif": "uv", "lif_reset": "uv", "ternary_lif": "uv", "sigma": ["sigma"],
    "delta": ["act", "residue"], "delta_cum_error": ["act", "residue", "error"],
    "sigma_delta": ["sigma", "act", "residue", "error"],
    "sigma_delta_unit": ["sigma", "act", "residue", "error"],
    "graded_vec": "v", "graded_relu_vec": "v", "atrlif": "ivr",
}  # fmt: skip
"""Model -> registers that may start anywhere."""


def params_of(rng: np.random.Generator, model: str, size: int) -> dict[str, Any]:
    """Return random parameters of a model of Lava's."""

    def number(lo: int, hi: int) -> int:
        return int(rng.integers(lo, hi + 1))

    def loose(lo: int, hi: int) -> Any:
        return rng.integers(lo, hi + 1, size) if rng.random() < 0.3 else number(lo, hi)

    bias = {"bias_mant": rng.integers(-300, 900, size), "bias_exp": rng.integers(0, 6, size)}
    if model in ("lif", "lif_reset", "ternary_lif"):
        given = {"du": loose(0, 4095), "dv": loose(0, 600)} | bias
        if model == "ternary_lif":
            return given | {"vth_hi": number(1, 400), "vth_lo": -number(1, 400)}
        given["vth"] = loose(1, 400)
        if model == "lif_reset":
            given |= {"reset_interval": number(1, 12), "reset_offset": number(0, 20)}
        return given
    if model == "sigma":
        return {}
    if model.startswith("graded"):
        return {"vth": number(0, 300)}
    if model == "atrlif":
        given = {f"delta_{x}": loose(0, 4096) for x in ("i", "v", "theta", "r")}
        given |= {"theta_0": loose(0, 20000), "theta_step": number(0, 6000)}
        return given | bias
    given = {"vth": number(0, 400), "spike_exp": number(0, 4), "state_exp": number(0, 4)}
    if model.startswith("sigma_delta"):
        given |= {"bias": rng.integers(-300, 300, size), "cum_error": number(0, 1)}
    return given


def population(rng: np.random.Generator, name: str, model: str, size: int) -> FixedPopulation:
    """Return a population of a model, its registers anywhere in half of the cases."""
    wide = 10 ** int(rng.integers(2, 7))
    init = {r: rng.integers(-wide, wide, size) for r in SHOWN[model] if rng.random() < 0.5}
    return FixedPopulation(name, size, model, params_of(rng, model, size), init)


def projection(
    rng: np.random.Generator, name: str, pre: Any, post: Any, graded: bool
) -> FixedProjection:
    """Return a projection: dense or sparse, with delays or without."""
    mode = str(rng.choice(SIGN_MODES))
    weights = rng.integers(*LAVA.weights.mode_range(mode), (post.size, pre.size), endpoint=True)
    weights = np.where(rng.random(weights.shape) < rng.uniform(0.3, 1.0), weights, 0)
    matrix = sparse.csr_matrix(weights) if rng.random() < 0.5 else weights
    count = matrix.nnz if sparse.issparse(matrix) else weights.size
    delays = rng.integers(0, 8, count) if rng.random() < 0.4 else int(rng.integers(0, 3))
    bits = int(rng.integers(1, 9)) if rng.random() < 0.3 else None
    exponent = int(rng.integers(-6, 2 if graded else 4))
    return FixedProjection(name, pre.name, post.name, matrix, exponent, mode, bits, delays, graded)


def convolution(rng: np.random.Generator, top: int = 30) -> Convolution:
    """Return a small convolution of either layout."""
    groups = int(rng.integers(1, 3))
    c_in, c_out = (groups * int(rng.integers(1, 3)) for _ in range(2))
    kx, ky = (int(k) for k in rng.integers(1, 4, 2))
    x, y = (int(n) for n in rng.integers(4, 7, 2))
    kernel = rng.integers(-top, top + 1, (c_out, kx, ky, c_in // groups))
    steps: dict[str, Any] = {
        "stride": tuple(int(k) for k in rng.integers(1, 3, 2)),
        "padding": tuple(int(k) for k in rng.integers(0, 3, 2)),
        "dilation": 1 if max(kx, ky) > 2 else int(rng.integers(1, 3)),
        "groups": groups,
    }
    if rng.random() < 0.5:
        return Convolution(kernel, (x, y, c_in), **steps)
    return Convolution(kernel.transpose(0, 3, 1, 2), (c_in, x, y), layout="torch", **steps)


def random_stock(rng: np.random.Generator, prefix: str = "", n_steps: int = 40) -> FixedNetwork:
    """Return a random network of Lava's own processes: two to four populations."""
    conv = convolution(rng)
    sizes = [conv.shape[1], conv.shape[0], *(int(n) for n in rng.integers(1, 9, 2))]
    populations = [
        population(rng, f"{prefix}p{k}", str(rng.choice(MODELS)), size)
        for k, size in enumerate(sizes[: rng.integers(2, 5)])
    ]
    spikes = (rng.random((n_steps, 5)) < 0.3).astype(np.int64)
    rows = spikes * rng.integers(-9, 10, spikes.shape) if rng.random() < 0.5 else spikes
    source = FixedSource(f"{prefix}s", 5, rows)
    pairs = [(source, p) for p in populations]
    pairs += [(a, b) for a in populations for b in populations if rng.random() < 0.3]
    projections = [
        projection(rng, f"{prefix}c{k}", pre, post, bool(rng.random() < 0.4))
        for k, (pre, post) in enumerate(pairs)
    ]
    projections.append(
        FixedProjection(
            f"{prefix}conv", populations[0].name, populations[1].name, conv,
            graded=bool(rng.random() < 0.6),
        )
    )  # fmt: skip
    direct = rng.integers(-60, 120, (n_steps, populations[-1].size))
    directs = (DirectInput(f"{prefix}i", populations[-1].name, direct),)
    return FixedNetwork(LAVA, tuple(populations), tuple(projections), (source,), directs)
