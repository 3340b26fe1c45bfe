"""Networks of Spyx: exported by it, and run in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import spyx.nn as snn
from flax import nnx
from lab import Case, between, normal, rows
from spyx.nir import to_nir

T = 80


def linear(rng: Any, n_in: int, n_out: int, bias: bool = True, scale: float = 0.5) -> Any:
    """Return a layer with random weights."""
    made = nnx.Linear(n_in, n_out, use_bias=bias, rngs=nnx.Rngs(0))
    made.kernel[...] = jnp.asarray(normal(rng, n_in, n_out, scale=scale))
    if bias:
        made.bias[...] = jnp.asarray(normal(rng, n_out, scale=0.1, mean=0.0))
    return made


def cell(rng: Any, kind: str, shape: tuple[int, ...]) -> Any:
    """Return a layer of neurons."""
    rngs, threshold = nnx.Rngs(0), float(rng.uniform(0.6, 1.3))
    if kind in ("IF", "RIF"):
        made = getattr(snn, kind)(shape, threshold=threshold, rngs=rngs)
    else:
        made = getattr(snn, kind)(shape, threshold=threshold, rngs=rngs)
        made.beta[...] = jnp.asarray(between(rng, 0.4, 0.95, *shape))
    if hasattr(made, "alpha"):
        made.alpha[...] = jnp.asarray(between(rng, 0.3, 0.8, *shape))
    if hasattr(made, "recurrent_w"):
        made.recurrent_w[...] = jnp.asarray(normal(rng, *shape, *shape, scale=0.3, mean=0.0))
    return made


def ran(model: Any, inputs: Any, first_channel: bool) -> dict[str, Any]:
    """Run it step by step; a layer's spikes are what it hands on."""
    state = model.initial_state(1)
    kept: dict[str, list[Any]] = {}

    def shown(value: Any) -> Any:
        found = np.asarray(value[0])
        return np.moveaxis(found, -1, 0) if found.ndim == 3 else found

    for row in inputs:
        x = jnp.asarray(np.moveaxis(row, 0, -1) if first_channel else row)[None]
        new = []
        for k, (part, s) in enumerate(zip(model.layers, state, strict=True)):
            if s is None:
                x = part(x)
                new.append(None)
                continue
            x, s = part(x, s)
            new.append(s)
            node = f"layer_{k}"
            nested = isinstance(part, (snn.RIF, snn.RLIF, snn.RCuBaLIF))
            node += f"/{node}.lif" if nested else ""
            v, i = s, None
            if isinstance(part, (snn.CuBaLIF, snn.RCuBaLIF)):
                v, i = jnp.split(s, 2, -1)
            if isinstance(part, snn.PSU_LIF):
                kept.setdefault(f"voltage:{node}", []).append(shown(v))
                continue
            kept.setdefault(f"spikes:{node}", []).append(shown(x))
            kept.setdefault(f"voltage:{node}", []).append(shown(v))
            if i is not None:
                kept.setdefault(f"current:{node}", []).append(shown(i))
        kept.setdefault("outputs:output", []).append(shown(x))
        state = new
    return {key: np.stack(value) for key, value in kept.items()}


def case(name: str, model: Any, inputs: Any, n_out: int, dt: float, note: str) -> Case:
    """Export and run."""
    shapes = {"input": np.array(inputs.shape[1:])}, {"output": np.array([n_out])}
    graph = to_nir(model, *shapes, dt=dt)
    traces = ran(model, inputs, inputs.ndim == 4)
    return Case("spyx", name, graph, inputs, traces, "spyx", {}, dt, note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    rng = np.random.default_rng(seed)
    for kind in ("IF", "LIF", "CuBaLIF", "RIF", "RLIF", "RCuBaLIF", "PSU_LIF"):
        dt = float(rng.choice([1.0, 1e-3, 1e-4]))
        scale = 0.2 if "CuBa" in kind else 0.5
        flat = {"RIF": "IF", "RLIF": "LIF", "RCuBaLIF": "CuBaLIF", "PSU_LIF": "LIF"}.get(kind, kind)
        model = snn.Sequential(
            linear(rng, 8, 10, scale=scale), cell(rng, kind, (10,)),
            linear(rng, 10, 4, bias=False, scale=scale), cell(rng, flat, (4,)),
        )  # fmt: skip
        yield case(kind.lower(), model, rows(rng, T, 8), 4, dt, f"{kind}, dt={dt}")
    conv = nnx.Conv(2, 3, (3, 3), padding="SAME", rngs=nnx.Rngs(seed))
    images = snn.Sequential(
        conv, cell(rng, "IF", (8, 8, 3)), snn.SumPool((2, 2), (2, 2), "VALID"),
        snn.Flatten(), linear(rng, 48, 5), cell(rng, "LIF", (5,)),
    )  # fmt: skip
    yield case("conv_sumpool", images, rows(rng, 30, 2, 8, 8), 5, 1e-3, "Flatten is H, W, C")
    pools = snn.Sequential(
        nnx.Conv(2, 3, (3, 3), strides=(2, 2), padding="VALID", rngs=nnx.Rngs(seed)),
        cell(rng, "LIF", (4, 4, 3)), snn.SumPool((3, 3), (2, 2), "SAME"),
        cell(rng, "IF", (2, 2, 3)),
        snn.Flatten(), linear(rng, 12, 5, scale=0.2), cell(rng, "CuBaLIF", (5,)),
    )  # fmt: skip
    yield case("conv_same_pool", pools, rows(rng, 40, 2, 9, 9), 5, 1e-3, "SumPool pads SAME")
