"""Vectors of the schema ``loihi-vectors/1`` in the schema of the conformance vectors.

The kinds ``network``, ``network_nengo`` and ``network_brian2`` are known; a key that is not is an
error. Rows are turned over: the old schema keeps [neuron][step], the new one [step][neuron].
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .schema import Vector

KINDS = ("network", "network_nengo", "network_brian2")
PROFILES = {
    "lava-nc": "lava-0.10",
    "nengo-loihi": "nengo-loihi-1.1",
    "brian2_loihi": "brian2-loihi-0.5",
}
VECTOR_KEYS = {
    "id", "group", "peer", "peer_version", "run_config", "rule", "kind", "network", "n_steps",
    "t_first", "sample_point", "expected", "effective_weights", "actual_weights", "note",
    "run_calls", "seed", "warnings",
}  # fmt: skip
LAVA_MODELS = {
    "LIF": "lif", "LIFReset": "lif_reset", "TernaryLIF": "ternary_lif", "Sigma": "sigma",
    "GradedVec": "graded_vec", "GradedReluVec": "graded_relu_vec", "ATRLIF": "atrlif",
}  # fmt: skip
LAVA_DEFAULTS = {
    "lif": {"du": 0, "dv": 0, "vth": 10},
    "lif_reset": {"du": 0, "dv": 0, "vth": 10, "reset_interval": 1, "reset_offset": 0},
    "ternary_lif": {"du": 0, "dv": 0, "vth_hi": 10, "vth_lo": -10},
    "delta": {"spike_exp": 0, "state_exp": 0},
    "delta_cum_error": {"spike_exp": 0, "state_exp": 0},
    "sigma_delta": {"bias": 0, "spike_exp": 0, "state_exp": 0},
    "sigma_delta_unit": {"bias": 0, "spike_exp": 0, "state_exp": 0},
    "graded_vec": {"vth": 1},
    "graded_relu_vec": {"vth": 1},
    "atrlif": {
        "delta_i": 0.4, "delta_v": 0.4, "delta_theta": 0.2, "delta_r": 0.2, "theta_0": 5,
        "theta_step": 3.75,
    },
}  # fmt: skip
"""What Lava takes where nothing is said; the new vectors say everything."""
BRIAN2_SIGN_MODES = {1: "mixed", 2: "excitatory", 3: "inhibitory"}


class NoCounterpart(ValueError):
    """The entry is of a kind that has no place in the new schema: floats, or learning."""


def load_recorded(path: str | Path) -> list[Vector]:
    """Return the network entries of a recorded file, converted, floats and learning left out."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    if data.get("schema") != "loihi-vectors/1":
        raise ValueError(f"{path}: schema = {data.get('schema')!r}, allowed: loihi-vectors/1")
    found = []
    for entry in data["vectors"]:
        if entry["kind"] in KINDS:
            try:
                found.append(convert(entry))
            except NoCounterpart:
                continue
    return found


def convert(entry: dict[str, Any]) -> Vector:
    """Return one entry in the new schema.

    Raises:
        NoCounterpart: the entry cannot be said in the new schema.
        ValueError: a key or a kind is unknown.
    """
    if entry["kind"] not in KINDS:
        raise NoCounterpart(f"{entry['id']}: kind {entry['kind']!r}")
    _keys(entry["id"], entry, VECTOR_KEYS)
    config = entry["run_config"]
    if "floating_pt" in config:
        raise NoCounterpart(f"{entry['id']}: floats")
    calls = entry.get("run_calls")
    if calls is not None and sum(calls) != entry["n_steps"]:
        raise ValueError(f"{entry['id']}: run_calls {calls} are not {entry['n_steps']} steps")
    network = {"network": _lava, "network_nengo": _nengo, "network_brian2": _brian2}[entry["kind"]]
    built = network(entry)
    built |= {"seed": int(entry.get("seed", 0)), "enforce_ranges": False}
    return {
        "id": entry["id"], "flags": [entry.get("group", entry["id"])], "peer": entry["peer"],
        "peer_version": entry["peer_version"].split(" ")[0], "profile": PROFILES[entry["peer"]],
        "config": {}, "result": "valid", "rule": entry.get("rule", ""), "network": built,
        "n_steps": int(entry["n_steps"]), "expect": _expectation(entry),
    }  # fmt: skip


def _keys(where: str, found: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(found) - set(known):
        raise ValueError(f"{where}: the converter does not know {sorted(unknown)}")


def _flat(value: Any) -> list[Any]:
    return [x for part in value for x in _flat(part)] if isinstance(value, list) else [value]


def _steps(values: list[Any], n_steps: int, cyclic: bool) -> list[list[int]]:
    """Return ``[neuron][step]`` as ``[step][neuron]``, repeated or followed by silence."""
    length = len(values[0])
    rows = []
    for t in range(n_steps):
        here = t % length if cyclic else t
        rows.append([_whole(v[here]) if here < length else 0 for v in values])
    return rows


def _whole(value: Any) -> int:
    if int(value) != value:
        raise NoCounterpart(f"{value} is not whole")
    return int(value)


def _expectation(entry: dict[str, Any]) -> dict[str, Any]:
    expected = entry["expected"]
    return {
        population: {
            variable: [list(row) for row in zip(*rows, strict=True)]
            for variable, rows in variables.items()
        }
        for population, variables in expected.items()
    }


# ------------------------------------------------------------------------------- lava-nc


def _lava(entry: dict[str, Any]) -> dict[str, Any]:
    net = entry["network"]
    _keys(entry["id"], net, {"sources", "neurons", "connections"})
    populations = [_lava_population(name, n) for name, n in net["neurons"].items()]
    sources = net.get("sources", {})
    rows = {name: _steps(s["values"], entry["n_steps"], True) for name, s in sources.items()}
    for s in sources.values():
        _keys(entry["id"], s, {"values", "shape"})
    directs, projections, played = [], [], []
    for k, c in enumerate(net.get("connections", [])):
        if c["type"] == "direct" and c["from"] in sources:
            directs.append({"name": f"c{k}", "population": c["to"], "raster": rows[c["from"]]})
            continue
        projections.append(_lava_projection(f"c{k}", c, populations))
        if c["from"] in sources and c["from"] not in played:
            played.append(c["from"])
    inputs = [{"name": n, "size": len(rows[n][0]), "raster": rows[n]} for n in played]
    return {
        "populations": populations, "projections": projections, "inputs": inputs,
        "directs": directs,
    }  # fmt: skip


def _lava_population(name: str, neuron: dict[str, Any]) -> dict[str, Any]:
    given = dict(neuron)
    kind, shape = given.pop("model"), given.pop("shape", None)
    size = given.pop("n", None)
    if size is None:
        size = 1
        for length in shape or ():
            size *= length
    if kind == "Delta":
        model = "delta_cum_error" if given.pop("cum_error", False) else "delta"
    elif kind == "SigmaDelta":
        unit = given.pop("act_mode", "RELU") == "UNIT"
        model = "sigma_delta_unit" if unit else "sigma_delta"
    else:
        model = LAVA_MODELS[kind]
    init = {k: given.pop(k) for k in ("u", "v") if k in given}
    params = LAVA_DEFAULTS.get(model, {}) | given
    if model == "sigma":
        params = {}
    if model == "atrlif":
        params = {k: _atrlif(k, v) for k, v in params.items()}
    known = set(LAVA_DEFAULTS.get(model, {})) | {"vth", "bias_mant", "bias_exp"}
    _keys(name, params, known)
    integers = {k: [_truncated(x) for x in v] if isinstance(v, list) else _truncated(v)
                for k, v in params.items()}  # fmt: skip
    return {"name": name, "size": size, "model": model, "params": integers, "init": init}


def _atrlif(name: str, value: float) -> int:
    """Return a decay in 1/4096, a threshold in 1/64: whole numbers, or there is no counterpart."""
    if name.startswith("delta"):
        return _whole(value * 4096)
    return _whole(value * 64) if name.startswith("theta") else _whole(value)


def _truncated(value: Any) -> int:
    """Cast as Lava's integer variables do."""
    return int(value)


def _lava_projection(
    name: str, c: dict[str, Any], populations: list[dict[str, Any]]
) -> dict[str, Any]:
    _keys(name, c, {"type", "from", "to", "weights", "sign_mode", "num_weight_bits", "weight_exp",
                    "num_message_bits", "delays", "max_delay", "input_shape", "stride", "padding",
                    "dilation", "groups"})  # fmt: skip
    built: dict[str, Any] = {"name": name, "pre": c["from"], "post": c["to"]}
    if c["type"] == "direct":
        size = next(p["size"] for p in populations if p["name"] == c["to"])
        unit = [[int(i == j) for j in range(size)] for i in range(size)]
        return built | {"weights": unit, "graded": True, "latency": 0}
    if c["type"] == "Conv":
        shape = {k: c[k] for k in ("input_shape", "stride", "padding", "dilation", "groups")
                 if k in c}  # fmt: skip
        built["weights"] = {"kernel": c["weights"]} | shape
    elif c["type"] in ("Dense", "DelayDense", "Sparse", "DelaySparse"):
        built |= _lava_matrix(c)
        if "sign_mode" in c:
            built["sign_mode"] = c["sign_mode"].lower()
        elif c["type"] in ("Sparse", "DelaySparse"):
            # Lava looks at a sparse matrix before its fractions are dropped
            values = _flat(c["weights"])
            built["sign_mode"] = ("excitatory" if min(values) >= 0 else
                                  "inhibitory" if max(values) <= 0 else "mixed")  # fmt: skip
    else:
        raise ValueError(f"{name}: the converter does not know {c['type']!r}")
    built["exponent"] = int(c.get("weight_exp", 0))
    built["weight_bits"] = int(c.get("num_weight_bits", 8))
    built["graded"] = int(c.get("num_message_bits", 0)) > 0
    return built


def _lava_matrix(c: dict[str, Any]) -> dict[str, Any]:
    matrix = [[_truncated(w) for w in row] for row in c["weights"]]
    delays = c.get("delays", 0)
    if c["type"] in ("Dense", "DelayDense"):
        return {"weights": matrix, "delays": _flat(delays) if isinstance(delays, list) else delays}
    places = [(i, j) for i, row in enumerate(matrix) for j, w in enumerate(row) if w]
    triples = {
        "rows": [i for i, _ in places], "columns": [j for _, j in places],
        "values": [matrix[i][j] for i, j in places], "shape": [len(matrix), len(matrix[0])],
    }  # fmt: skip
    if isinstance(delays, list):
        delays = [delays[i][j] for i, j in places]
    return {"weights": triples, "delays": delays}


# ---------------------------------------------------------------------------- nengo-loihi


def _nengo(entry: dict[str, Any]) -> dict[str, Any]:
    net = entry["network"]
    _keys(entry["id"], net, {"sources", "blocks", "synapses"})
    populations = []
    for name, block in net["blocks"].items():
        _keys(name, block, {"n", "decay_u", "decay_v", "vth", "bias", "ref", "vmin"})
        params = {
            "du": block["decay_u"], "dv": block["decay_v"], "vth": block["vth"],
            "bias": block.get("bias", 0), "vmin": block.get("vmin", -(2**23) + 1),
            "vmax": 2**23 - 1, "refract": block.get("ref", 0),
        }  # fmt: skip
        populations.append({"name": name, "size": block["n"], "model": "lif", "params": params})
    return {
        "populations": populations,
        "projections": [_nengo_projection(f"c{k}", s, net["blocks"])
                        for k, s in enumerate(net.get("synapses", []))],
        "inputs": _sources(entry, net),
    }  # fmt: skip


def _sources(entry: dict[str, Any], net: dict[str, Any]) -> list[dict[str, Any]]:
    built = []
    for name, source in net.get("sources", {}).items():
        _keys(name, source, {"values"})
        rows = _steps(source["values"], entry["n_steps"], False)
        built.append({"name": name, "size": len(source["values"]), "raster": rows})
    return built


def _nengo_projection(name: str, s: dict[str, Any], blocks: dict[str, Any]) -> dict[str, Any]:
    _keys(name, s, {"from", "to", "weights", "indices"})
    built = {"name": name, "pre": s["from"], "post": s["to"]}
    if "indices" not in s:
        return built | {"weights": [list(row) for row in zip(*s["weights"], strict=True)]}
    places = [(post, pre, w) for pre, (posts, ws) in
              enumerate(zip(s["indices"], s["weights"], strict=True))
              for post, w in zip(posts, ws, strict=True)]  # fmt: skip
    triples = {
        "rows": [p[0] for p in places], "columns": [p[1] for p in places],
        "values": [p[2] for p in places], "shape": [blocks[s["to"]]["n"], len(s["weights"])],
    }  # fmt: skip
    return built | {"weights": triples}


# --------------------------------------------------------------------------- brian2_loihi


def _brian2(entry: dict[str, Any]) -> dict[str, Any]:
    net = entry["network"]
    _keys(entry["id"], net, {"sources", "groups", "synapses"})
    populations = []
    for name, group in net["groups"].items():
        _keys(name, group, {"n", "decay_I", "decay_v", "threshold_v_mant", "refractory"})
        params = {
            "du": group["decay_I"], "dv": group["decay_v"], "vth": group["threshold_v_mant"],
            "refract": group.get("refractory", 1),
        }  # fmt: skip
        populations.append({"name": name, "size": group["n"], "model": "lif", "params": params})
    inputs = _sources(entry, net)
    sizes = {p["name"]: p["size"] for p in [*populations, *inputs]}
    projections = []
    for k, s in enumerate(net.get("synapses", [])):
        if "dw" in s:
            raise NoCounterpart(f"{entry['id']}: learning")
        _keys(f"c{k}", s, {"from", "to", "i", "j", "w", "delay", "w_exp", "sign_mode",
                           "num_weight_bits"})  # fmt: skip
        triples = {
            "rows": s["j"], "columns": s["i"], "values": s["w"],
            "shape": [sizes[s["to"]], sizes[s["from"]]],
        }  # fmt: skip
        projections.append({
            "name": f"c{k}", "pre": s["from"], "post": s["to"], "weights": triples,
            "exponent": s.get("w_exp", 0), "delays": s.get("delay", 0),
            "sign_mode": BRIAN2_SIGN_MODES[s.get("sign_mode", 2)],
            "weight_bits": s.get("num_weight_bits", 8),
        })  # fmt: skip
    return {"populations": populations, "projections": projections, "inputs": inputs}
