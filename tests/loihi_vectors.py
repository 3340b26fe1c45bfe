"""Turns entries of a vector file (schema ``loihi-vectors/1``) into our objects.

An integer network becomes a :class:`FixedNetwork` of its peer's profile (kind ``network`` is Lava,
for the two others see :mod:`peer_vectors`), a float network of Lava a :class:`SteppedNetwork`; all
with the inputs to run them on. Everything goes through the public API, and a key or a value that
the adapter does not know is an error, never ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from peer_vectors import PEERS
from scipy import sparse

from neuro_lif import (
    IF,
    Convolution,
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    Network,
    Population,
    Recording,
    SpikeInput,
    SteppedNetwork,
    StepRule,
    load_profile,
)
from neuro_lif.discretize import SteppedPopulation, SteppedProjection

Vector = dict[str, Any]
Inputs = dict[str, npt.NDArray[Any]]

SPARSE = ("Sparse", "DelaySparse")
CONNECTIONS = ("direct", "Dense", "Sparse", "DelayDense", "DelaySparse", "Conv")
LIF = {"du": 0, "dv": 0, "bias_mant": 0, "bias_exp": 0}
EXPONENTS = {"spike_exp": 0, "state_exp": 0}
MODELS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "LIF": ("lif", LIF | {"vth": 10}, ("u", "v")),
    "TernaryLIF": ("ternary_lif", LIF | {"vth_hi": 10, "vth_lo": -10}, ("u", "v")),
    "LIFReset": (
        "lif_reset", LIF | {"vth": 10, "reset_interval": 1, "reset_offset": 0}, ("u", "v"),
    ),
    "Sigma": ("sigma", {}, ()),
    "Delta": ("delta", {"vth": None, "cum_error": False} | EXPONENTS, ()),
    "SigmaDelta": (
        "sigma_delta",
        {"vth": None, "bias": 0, "act_mode": "RELU", "cum_error": False} | EXPONENTS, (),
    ),
    "GradedVec": ("graded_vec", {"vth": 1, "exp": 0}, ()),
    "GradedReluVec": ("graded_relu_vec", {"vth": 1, "exp": 0}, ()),
    "ATRLIF": (
        "atrlif",
        {
            "delta_i": 0.4, "delta_v": 0.4, "delta_theta": 0.2, "delta_r": 0.2, "theta_0": 5,
            "theta_step": 3.75, "bias_mant": 0, "bias_exp": 0,
        },
        ("i", "v", "theta", "r"),
    ),
}  # fmt: skip
"""Lava's process -> our model, what Lava takes where nothing is said (None: it insists), starts."""
CONNECTION_KEYS = {"type", "from", "to", "weights", "sign_mode", "num_weight_bits", "weight_exp",
                   "num_message_bits", "delays", "max_delay"}  # fmt: skip
CONV_KEYS = {"type", "from", "to", "weights", "input_shape", "stride", "padding", "dilation",
             "groups", "num_weight_bits", "weight_exp", "num_message_bits"}  # fmt: skip
NETWORKS = ("network", *PEERS)
"""Kinds of entries that are networks; the others are single functions, or learning."""


def load_vectors(path: str | Path, kinds: Sequence[str] | None = NETWORKS) -> list[Vector]:
    """Return the entries of some kinds (None: of all).

    Raises:
        ValueError: the file is of another schema.
    """
    with Path(path).open(encoding="utf-8") as stream:
        data = json.load(stream)
    if data.get("schema") != "loihi-vectors/1":
        raise ValueError(f"{path}: schema = {data.get('schema')!r}, allowed: loihi-vectors/1")
    return [v for v in data["vectors"] if kinds is None or v["kind"] in kinds]


def is_float(vector: Vector) -> bool:
    """Tell whether the peer ran its float models (Lava's default where no tag is given)."""
    config = vector["run_config"]
    lava = vector["kind"] == "network"
    return lava and "fixed_pt" not in config and "bit_accurate_loihi" not in config


def learns(vector: Vector) -> bool:
    """Tell whether a network changes its weights while it runs."""
    return any("dw" in s for s in vector["network"].get("synapses", ()))


# ------------------------------------------------------------------------------- reading


def integers(value: Any) -> Any:
    """Cast as the peer's integer variables do: numbers with a fraction lose it (toward zero)."""
    array = np.asarray(value)
    return (np.trunc(array) if array.dtype.kind == "f" else array).astype(np.int64)


def _flat(value: Any, size: int) -> Any:
    """Return a scalar or one value per neuron, flat (C order)."""
    array = np.asarray(value)
    return array if array.ndim == 0 else np.broadcast_to(array.ravel(), (size,))


def _check_keys(what: str, found: dict[str, Any], known: set[str]) -> None:
    if unknown := found.keys() - known:
        raise ValueError(f"{what}: the adapter does not know {sorted(unknown)}")


def size_of(part: dict[str, Any]) -> int:
    """Return how many neurons (or channels) a part has."""
    if "values" in part:
        return len(part["values"])
    return int(np.prod(part["shape"])) if "shape" in part else int(part["n"])


def _cyclic(values: Any, n_steps: int) -> npt.NDArray[Any]:
    """Return a source's ``[neuron][step]`` values as ``(n_steps, n)``, repeated as they run out."""
    rows = np.asarray(values).T
    return rows[np.arange(n_steps) % len(rows)]


def _steps(vector: Vector) -> int:
    n_steps = int(vector["n_steps"])
    calls = vector.get("run_calls")
    if isinstance(calls, list) and sum(calls) != n_steps:
        raise ValueError(f"{vector['id']}: run_calls = {calls} do not add up to {n_steps}")
    return n_steps


def _connections(vector: Vector) -> list[dict[str, Any]]:
    _check_keys(vector["id"], vector["network"], {"sources", "neurons", "connections"})
    connections = vector["network"].get("connections", [])
    for c in connections:
        if c["type"] not in CONNECTIONS:
            raise ValueError(f"{vector['id']}: the adapter does not know a {c['type']!r}")
        known = CONV_KEYS if c["type"] == "Conv" else CONNECTION_KEYS
        _check_keys(f"{vector['id']}: connection", c, known)
    return list(connections)


def _in_order(vector: Vector) -> list[str]:
    """Return the populations so that a direct connection always leads forward."""
    neurons = vector["network"]["neurons"]
    graph: dict[str, set[str]] = {name: set() for name in neurons}
    for c in _connections(vector):
        if c["type"] == "direct" and c["from"] in neurons:
            graph[c["to"]].add(c["from"])
    return list(TopologicalSorter(graph).static_order())


# ------------------------------------------------------------------------------- integers


def vector_to_fixed(vector: Vector) -> tuple[FixedNetwork, Inputs, int]:
    """Return an integer entry as (network, inputs, number of steps)."""
    if vector["kind"] in PEERS:
        return PEERS[vector["kind"]](vector)
    net, n_steps = vector["network"], _steps(vector)
    sources = net.get("sources", {})
    rows = {k: _cyclic(integers(s["values"]), n_steps) for k, s in sources.items()}
    directs, projections, inputs = [], [], {}
    for k, c in enumerate(_connections(vector)):
        name = f"c{k}"
        if c["type"] == "direct" and c["from"] in sources:
            directs.append(DirectInput(name, c["to"]))
            inputs[name] = rows[c["from"]]
        else:
            projections.append(_projection(name, c, net))
            if c["from"] in sources:
                inputs[c["from"]] = rows[c["from"]]
    fixed = FixedNetwork(
        load_profile("lava-0.10"),
        tuple(_population(name, net["neurons"][name]) for name in _in_order(vector)),
        tuple(projections),
        tuple(FixedSource(name, rows[name].shape[1]) for name in inputs if name in sources),
        tuple(directs),
        enforce_ranges=False,
    )
    return fixed, inputs, n_steps


def _population(name: str, neuron: dict[str, Any]) -> FixedPopulation:
    given = {k: v for k, v in neuron.items() if k not in ("model", "n", "shape")}
    model, defaults, starts = MODELS[neuron["model"]]
    _check_keys(f"population {name!r}", given, {*defaults, *starts})
    size = size_of(neuron)
    params = defaults | {k: v for k, v in given.items() if k in defaults}
    mode, summed = params.pop("act_mode", "RELU"), bool(params.pop("cum_error", False))
    params.pop("exp", None)  # Lava keeps it and never looks
    if mode not in ("RELU", "UNIT"):
        raise ValueError(f"population {name!r}: act_mode = {mode!r}, allowed: RELU, UNIT")
    if model == "sigma_delta":
        params["cum_error"] = int(summed)
    model += "_cum_error" if summed and model == "delta" else ""
    model += "_unit" if mode == "UNIT" else ""
    read = _atrlif if model == "atrlif" else lambda _, value: integers(value)
    return FixedPopulation(
        name, size, model,
        {k: _flat(read(k, v), size) for k, v in params.items()},
        {k: _flat(integers(given[k]), size) for k in starts if k in given},
    )  # fmt: skip


def _atrlif(name: str, value: Any) -> Any:
    """Return a decay in 1/4096, a threshold in 1/64 (cut toward zero, as Lava does)."""
    scaled = np.asarray(value, float) * (4096 if name.startswith("delta") else 1)
    if np.any(scaled != np.trunc(scaled)) and name.startswith("delta"):
        raise ValueError(f"{name} = {value}: Lava multiplies by it; ours is a whole number / 4096")
    return integers(scaled * 64 if name.startswith("theta") else scaled)


def _projection(name: str, c: dict[str, Any], net: dict[str, Any]) -> FixedProjection:
    if c["type"] == "direct":  # neuron to neuron: what is sent arrives as it is, in the same step
        unit = sparse.identity(size_of(net["neurons"][c["to"]]), np.int64, "csr")
        return FixedProjection(name, c["from"], c["to"], unit, graded=True, latency=0)
    graded = int(c.get("num_message_bits", 0)) > 0
    if c["type"] == "Conv":
        exponent, bits = int(c.get("weight_exp", 0)), int(c.get("num_weight_bits", 8))
        return FixedProjection(
            name, c["from"], c["to"], _kernel(c), exponent, weight_bits=bits, graded=graded
        )
    weights, delays = integers(c["weights"]), integers(c.get("delays", 0))
    mode = c.get("sign_mode")
    if mode is None:
        mode = _auto_mode(c["weights"] if c["type"] in SPARSE else weights)
    if c["type"] in SPARSE:
        rows, columns = np.nonzero(weights)
        if delays.ndim:
            delays = delays[rows, columns]
        weights = sparse.csr_matrix((weights[rows, columns], (rows, columns)), weights.shape)
    return FixedProjection(
        name, c["from"], c["to"], weights,
        exponent=int(c.get("weight_exp", 0)),
        sign_mode=mode.lower(),
        weight_bits=int(c.get("num_weight_bits", 8)),
        delays=delays,
        graded=graded,
    )  # fmt: skip


def _kernel(c: dict[str, Any]) -> Convolution:
    def pair(name: str, default: int) -> Any:
        value = c.get(name, default)
        return tuple(value) if isinstance(value, list) else value

    return Convolution(
        integers(c["weights"]), tuple(c["input_shape"]), pair("stride", 1), pair("padding", 0),
        pair("dilation", 1), int(c.get("groups", 1)), "lava",
    )  # fmt: skip


def _auto_mode(weights: Any) -> str:
    """Return the sign mode the peer finds: a Sparse process looks before it drops fractions."""
    if np.min(weights) >= 0:
        return "EXCITATORY"
    return "INHIBITORY" if np.max(weights) <= 0 else "MIXED"


# --------------------------------------------------------------------------------- floats


FLOAT_KEYS = {"model", "n", "shape", "u", "v", "du", "dv", "vth", "bias_mant", "bias_exp",
              "refractory_period"}  # fmt: skip


def vector_to_stepped(vector: Vector) -> tuple[SteppedNetwork, Inputs, int]:
    """Return a float entry as (network, inputs, number of steps)."""
    net, n_steps = vector["network"], _steps(vector)
    neurons = net["neurons"]
    rows = {k: _cyclic(s["values"], n_steps) for k, s in net.get("sources", {}).items()}
    projections, inputs = [], {}
    for k, c in enumerate(_connections(vector)):
        pre, direct = c["from"], c["type"] == "direct"
        if direct and pre in neurons:
            raise ValueError(f"{vector['id']}: a direct connection between float populations")
        if pre in rows:
            graded = direct or int(c.get("num_message_bits", 0)) > 0
            pre = f"x{k}"
            inputs[pre] = rows[c["from"]] if graded else (rows[c["from"]] != 0).astype(float)
        projections.append(_float_projection(f"c{k}", pre, c, size_of(neurons[c["to"]])))
    for name, neuron in neurons.items():
        if np.any(neuron.get("u", 0)):  # what is left of the initial u arrives in step 1
            size = size_of(neuron)
            left = np.asarray(neuron["u"], float) * (1 - np.asarray(neuron.get("du", 0)))
            inputs[f"start_{name}"] = np.zeros((n_steps, size))
            inputs[f"start_{name}"][0] = _flat(left, size)
            projections.append(_identity(f"start_{name}", f"start_{name}", name, size))
    network = Network(
        [Population(name, size_of(n), IF()) for name, n in neurons.items()],
        inputs=[SpikeInput(name, values.shape[1]) for name, values in inputs.items()],
    )
    stepped = SteppedNetwork(
        network, 1e-3, StepRule(compare=">"),
        tuple(_float_population(name, n) for name, n in neurons.items()),
        tuple(projections),
    )  # fmt: skip
    return stepped, inputs, n_steps


def _float_population(name: str, neuron: dict[str, Any]) -> SteppedPopulation:
    if neuron["model"] not in ("LIF", "LIFRefractory"):
        raise ValueError(f"population {name!r}: no float form of {neuron['model']!r}")
    _check_keys(f"population {name!r}", neuron, FLOAT_KEYS)
    size = size_of(neuron)
    held = neuron.get("refractory_period", 1) if neuron["model"] == "LIFRefractory" else 0

    def wide(value: Any) -> Any:
        return np.array(np.broadcast_to(_flat(value, size), (size,)), float)

    dv = wide(neuron.get("dv", 0))
    return SteppedPopulation(
        name, size,
        decay_u=(1 - wide(neuron.get("du", 0)))[None],
        decay_v=1 - dv,
        leak_v=dv,
        bias=wide(neuron.get("bias_mant", 0)),
        gain=np.ones(size),
        threshold=wide(neuron.get("vth", 10)),
        refractory=wide(held).astype(np.int64),
        v_init=wide(neuron.get("v", 0)),
        v_zero=np.zeros(size),
        reset="value",
        tau_m=np.full(size, np.inf),
        tau_syn=np.zeros(1),
    )  # fmt: skip


def _identity(name: str, pre: str, post: str, size: int) -> SteppedProjection:
    return SteppedProjection(name, pre, post, np.eye(size), np.zeros((), np.int64), 0, latency=0)


def _float_projection(name: str, pre: str, c: dict[str, Any], size: int) -> SteppedProjection:
    if c["type"] == "direct":
        return _identity(name, pre, c["to"], size)
    weights = np.asarray(c["weights"], float)
    delays = np.asarray(c.get("delays", 0), np.int64)
    return SteppedProjection(
        name, pre, c["to"], weights, delays.ravel() if delays.ndim else delays, 0
    )


# ------------------------------------------------------------------------------ comparing


def differences(vector: Vector, recording: Recording) -> tuple[int, list[str]]:
    """Return (values compared, one line per value that differs), tolerance zero.

    Raises:
        ValueError: the entry expects a variable we do not know, or no value at all.
    """
    compared, lines = 0, []
    first = int(vector.get("t_first", 1))
    for population, variables in vector["expected"].items():
        for variable, rows in variables.items():
            if variable != "s" and (population, variable) not in recording.traces:
                raise ValueError(f"{vector['id']}: variable {variable!r} is unknown")
            got = (recording.spikes[population] if variable == "s"
                   else recording.trace(population, variable)).T  # fmt: skip
            expected = np.asarray(rows).reshape(got.shape[0], -1)
            if expected.shape != got.shape:
                raise ValueError(f"{vector['id']}: {population}.{variable}: {expected.shape}")
            compared += expected.size
            for neuron, step in np.argwhere(expected != got).tolist():
                lines.append(
                    f"{vector['id']}: {population}.{variable}[{neuron}] in step {step + first}: "
                    f"expected {expected[neuron, step]}, got {got[neuron, step]}"
                )
    if compared == 0:
        raise ValueError(f"{vector['id']}: expects nothing")
    return compared, lines
