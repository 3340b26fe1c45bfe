"""Vectors as FixedNetworks, and FixedNetworks as vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import is_sparse
from ..convolution import Convolution
from ..fixed import DirectInput, FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from ..profile import HardwareProfile, load_profile
from .vectors import NetworkTable

Table = Mapping[str, Any]


def network_of(vector: Table) -> FixedNetwork:
    """Return the network of a vector (as plain data), its inputs as rasters.

    Raises:
        NeuroLifError: the profile does not allow it; names the field.
    """
    net = vector["network"]
    return FixedNetwork(
        _profile(vector["profile"], tuple(sorted(vector.get("config", {}).items()))),
        tuple(FixedPopulation(**_present(p)) for p in net["populations"]),
        tuple(_projection(p) for p in net.get("projections", ())),
        tuple(
            FixedSource(i["name"], i["size"], _raster(i["raster"], i["size"]))
            for i in net.get("inputs", ())
        ),
        tuple(
            DirectInput(d["name"], d["population"], _raster(d["raster"]), port=d.get("port", "in"))
            for d in net.get("directs", ())
        ),
        enforce_ranges=net.get("enforce_ranges", True),
        seed=net.get("seed", 0),
    )


@lru_cache(maxsize=64)
def _profile(name: str, config: tuple[tuple[str, int | str], ...]) -> HardwareProfile:
    return load_profile(name, **dict(config))


def _present(table: Table) -> dict[str, Any]:
    return {k: _array(v) for k, v in table.items() if v is not None}


def _array(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _array(v) for k, v in value.items()}
    return np.asarray(value, np.int64) if isinstance(value, (list, tuple)) else value


def _raster(rows: Any, size: int | None = None) -> Any:
    if not rows:
        return np.zeros((0, size or 0), np.int64)
    return np.asarray(rows, np.int64)


def _projection(p: Table) -> FixedProjection:
    fields = {k: v for k, v in p.items() if k not in ("weights", "delays")}
    return FixedProjection(
        **fields, weights=_weights(p["weights"]), delays=_array(p.get("delays", 0))
    )


def _weights(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return np.asarray(given, np.int64)
    if "kernel" in given:
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in given.items()
        }
        return Convolution(**fields | {"kernel": np.asarray(given["kernel"], np.int64)})
    entries = (np.asarray(given["values"], np.int64), (given["rows"], given["columns"]))
    return sparse.coo_matrix(entries, shape=tuple(given["shape"]))


def table_of(fixed: FixedNetwork, rasters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network as the plain data of a vector.

    Args:
        fixed: the network.
        rasters: input name -> integers ``(n_steps, n)``, where the network carries none.
    """
    given = {s.name: s.raster for s in fixed.sources} | {d.name: d.raster for d in fixed.directs}
    given |= rasters
    table = {
        "populations": [
            {
                "name": p.name, "size": p.size, "model": p.model,
                "params": {k: _ints(v) for k, v in p.params.items()},
                "init": {k: _ints(v) for k, v in p.init.items()},
                "alias": None if p.alias is None else _ints(p.alias),
            }
            for p in fixed.populations
        ],
        "projections": [_projection_table(p) for p in fixed.projections],
        "inputs": [
            {"name": s.name, "size": s.size, "raster": _ints(given[s.name])} for s in fixed.sources
        ],
        "directs": [
            {"name": d.name, "population": d.population, "port": d.port,
             "raster": _ints(given[d.name])}
            for d in fixed.directs
        ],
        "seed": int(fixed.seed), "enforce_ranges": fixed.enforce_ranges,
    }  # fmt: skip
    shortest = NetworkTable.model_validate_json(json.dumps(table))
    return shortest.model_dump(mode="json", exclude_defaults=True)


def _projection_table(p: FixedProjection) -> dict[str, Any]:
    return {
        "name": p.name, "pre": p.pre, "post": p.post, "weights": _weights_table(p),
        "exponent": int(p.exponent), "sign_mode": p.sign_mode,
        "weight_bits": None if p.weight_bits is None else int(p.weight_bits),
        "delays": _ints(p.delays), "graded": bool(p.graded), "port": p.port,
        "latency": None if p.latency is None else int(p.latency),
    }  # fmt: skip


def _weights_table(p: FixedProjection) -> Any:
    if p.convolution is not None:
        stated = vars(p.convolution)
        return {k: _ints(v) if isinstance(v, np.ndarray) else v for k, v in stated.items()}
    if not is_sparse(p.weights):
        return _ints(p.weights)
    coo = p.weights.tocoo()
    return {"rows": _ints(coo.row), "columns": _ints(coo.col), "values": _ints(coo.data),
            "shape": list(coo.shape)}  # fmt: skip


def _ints(values: Any) -> Any:
    return np.asarray(values).tolist()
