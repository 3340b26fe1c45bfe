"""Short ways to write the parts of a vector; what is the schema's default is left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .schema import Vector

PROFILES = {
    "lava-nc": ("0.10.0", "lava-0.10"),
    "nengo-loihi": ("1.1.0", "nengo-loihi-1.1"),
    "brian2_loihi": ("0.5.2", "brian2-loihi-0.5"),
}
DEFAULTS = {
    "exponent": 0, "sign_mode": None, "weight_bits": None, "delays": 0, "graded": False,
    "port": "in", "latency": None,
}  # fmt: skip


def plain(value: Any) -> Any:
    """Return arrays as lists; equal values for all neurons as one number."""
    array = np.asarray(value)
    if array.ndim == 1 and array.size and (array == array[0]).all():
        return int(array[0])
    return array.tolist()


def population(name: str, size: int, model: str, params: dict[str, Any], **init: Any) -> Any:
    """Return a population."""
    built: dict[str, Any] = {"name": name, "size": int(size), "model": model,
                             "params": {k: plain(v) for k, v in params.items()}}  # fmt: skip
    if init:
        built["init"] = {k: plain(v) for k, v in init.items()}
    return built


def projection(name: str, pre: str, post: str, weights: Any, **given: Any) -> Any:
    """Return a projection: a matrix, triples or a kernel."""
    if isinstance(weights, dict):
        written = {k: np.asarray(v).tolist() for k, v in weights.items()}
    else:
        written = np.asarray(weights).tolist()
    rest = {k: np.asarray(v).tolist() if k == "delays" else v for k, v in given.items()}
    kept = {k: v for k, v in rest.items() if v != DEFAULTS[k]}
    return {"name": name, "pre": pre, "post": post, "weights": written} | kept


def triples(matrix: Any, keep: Any) -> dict[str, Any]:
    """Return the kept entries of a matrix one by one."""
    rows, columns = np.nonzero(keep)
    return {
        "rows": rows.tolist(), "columns": columns.tolist(),
        "values": np.asarray(matrix)[rows, columns].tolist(), "shape": list(np.shape(matrix)),
    }  # fmt: skip


def source(name: str, raster: Any) -> Any:
    """Return an input that plays ``(n_steps, n)``."""
    rows = np.asarray(raster)
    return {"name": name, "size": int(rows.shape[1]), "raster": rows.tolist()}


def direct(name: str, target: str, raster: Any) -> Any:
    """Return integers put straight into a population."""
    return {"name": name, "population": target, "raster": np.asarray(raster).tolist()}


def network(populations: Any, projections: Any = (), inputs: Any = (), directs: Any = (),
            seed: int = 0, enforce_ranges: bool = True) -> Any:  # fmt: skip
    """Return a network."""
    built: dict[str, Any] = {"populations": list(populations)}
    parts = (("projections", projections), ("inputs", inputs), ("directs", directs))
    built |= {k: list(v) for k, v in parts if v}
    if seed:
        built["seed"] = int(seed)
    return built if enforce_ranges else built | {"enforce_ranges": False}


def vector(peer: str, net: Any, n_steps: int, rule: str, name: str = "", **more: Any) -> Vector:
    """Return a vector without its expectation."""
    version, profile = PROFILES[peer]
    return {"id": name, "flags": [], "peer": peer, "peer_version": version, "profile": profile,
            "result": "valid", "rule": rule, "network": net,
            "n_steps": int(n_steps)} | more  # fmt: skip
