"""brian2_loihi 0.5.2, by its own classes and numpy code.

A population is a LoihiNeuronGroup, a projection a LoihiSynapses, an input a
LoihiSpikeGeneratorGroup. Its t = 0 is step 1 here; I is read in slot ``synapses``, when the input
is in it and it has not decayed, which is what enters v in that step.

Parameters of the model ``lif``, one number for the population: du (decay_I), dv (decay_v), vth (the
mantissa), refract (1..64).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import brian2
    from brian2_loihi import (
        LoihiNetwork,
        LoihiNeuronGroup,
        LoihiSpikeGeneratorGroup,
        LoihiSpikeMonitor,
        LoihiStateMonitor,
        LoihiSynapses,
        synapse_sign_mode,
    )

from .schema import (
    Trace,
    Unsupported,
    Vector,
    check_keys,
    check_network,
    integers,
    is_kernel,
    raster_of,
    rows_of,
    synapses_of,
)

PEER = "brian2_loihi"
VERSION = "0.5.2"
SIDE_BY_SIDE = 40
"""Vectors of one network of brian2."""


def neurons(population: dict[str, Any]) -> Any:
    """Return brian2_loihi's group for a population; all its parameters are stated."""
    name, size = population["name"], int(population["size"])
    if population["model"] != "lif":
        raise Unsupported(f"{name}: only the model lif")
    params = {"refract": 1} | population.get("params", {})
    check_keys(f"{name}: params", params, {"du", "dv", "vth", "refract"})
    values = {}
    for key in ("du", "dv", "vth", "refract"):
        if key not in params:
            raise Unsupported(f"{name}: {key} must be stated")
        found = np.unique(integers(params[key]))
        if len(found) > 1:
            raise Unsupported(f"{name}: {key} is one number for the population")
        values[key] = int(found[0])
    group = LoihiNeuronGroup(
        size, refractory=values["refract"], threshold_v_mant=values["vth"],
        decay_v=values["dv"], decay_I=values["du"],
    )  # fmt: skip
    start = population.get("init") or {}
    check_keys(f"{name}: init", start, {"v"})  # I decays after it is read: no such start
    if start:
        group.v = np.broadcast_to(integers(start["v"]), (size,)).astype(float)
    return group


def synapses(projection: dict[str, Any], pre: Any, post: Any) -> Any:
    """Return brian2_loihi's synapses for a projection; None where there is not a single one."""
    name = projection["name"]
    if is_kernel(projection) or projection.get("graded", False):
        raise Unsupported(f"{name}: no convolutions, no values of spikes")
    if projection.get("latency") is not None:
        raise Unsupported(f"{name}: latency {projection['latency']}")
    given = synapses_of(projection)
    delays = np.unique(given.delays)
    if len(delays) > 1:
        raise Unsupported(f"{name}: one delay for the projection")
    keep = np.ones(len(given.values), bool) if given.sparse else given.values != 0
    if not keep.any():
        return None
    mode = projection.get("sign_mode")
    if mode is None:
        mode = _sign_mode(given.values)
    bits = projection.get("weight_bits")
    built = LoihiSynapses(
        pre, post, delay=int(delays[0]), w_exp=int(projection.get("exponent", 0)),
        sign_mode=getattr(synapse_sign_mode, mode.upper()),
        num_weight_bits=8 if bits is None else int(bits),
    )  # fmt: skip
    built.connect(i=given.pre[keep], j=given.post[keep])
    built.w = given.values[keep].astype(np.int64)
    return built


def _sign_mode(values: Any) -> str:
    if values.min() >= 0:
        return "excitatory"
    return "inhibitory" if values.max() <= 0 else "mixed"


def _source(source: dict[str, Any], n_steps: int) -> Any:
    rows = raster_of(source, n_steps, source["size"])
    if not np.isin(rows, (0, 1)).all():
        raise Unsupported(f"{source['name']}: a spike is 0 or 1")
    times, indices = np.nonzero(rows)
    return LoihiSpikeGeneratorGroup(int(source["size"]), indices, times)


def _build(vector: Vector, n_steps: int) -> tuple[list[Any], dict[str, dict[str, Any]]]:
    """Return the objects of a vector and its monitors."""
    network = check_network(vector)
    if network.get("directs"):
        raise Unsupported(f"{vector['id']}: spikes only")
    parts: dict[str, Any] = {p["name"]: neurons(p) for p in network["populations"]}
    monitors = {
        name: {"u": LoihiStateMonitor(group, "I"), "v": LoihiStateMonitor(group, "v"),
               "s": LoihiSpikeMonitor(group)}
        for name, group in parts.items()
    }  # fmt: skip
    for source in network.get("inputs", ()):
        parts[source["name"]] = _source(source, n_steps)
    built = [synapses(p, parts[p["pre"]], parts[p["post"]])
             for p in network.get("projections", ())]  # fmt: skip
    objects = [*parts.values(), *(s for s in built if s is not None)]
    return objects + [m for row in monitors.values() for m in row.values()], monitors


def run_many(
    vectors: Sequence[Vector], side_by_side: int = SIDE_BY_SIDE,
    say: Callable[[str], None] = lambda text: None,
) -> list[Trace]:  # fmt: skip
    """Run vectors side by side; which of them share a network changes nothing for any of them."""
    found: list[Trace] = []
    for start in range(0, len(vectors), side_by_side):
        found += _run_batch(vectors[start : start + side_by_side])
        say(f"{len(found)} of {len(vectors)}")
    return found


def run(vector: Vector) -> Trace:
    """Run one vector: population -> variable -> ``[step][neuron]``."""
    return _run_batch([vector])[0]


def _run_batch(vectors: Sequence[Vector]) -> list[Trace]:
    brian2.prefs.codegen.target = "numpy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        n_steps = max(int(v["n_steps"]) for v in vectors)
        built = [_build(v, n_steps) for v in vectors]
        network = LoihiNetwork(*(part for objects, _ in built for part in objects))
        network.run(n_steps)
    return [
        _rows(monitors, int(vector["n_steps"]))
        for vector, (_, monitors) in zip(vectors, built, strict=True)
    ]


def _rows(monitors: dict[str, dict[str, Any]], n_steps: int) -> Trace:
    found: Trace = {}
    for name, row in monitors.items():
        traces = {"u": row["u"].I, "v": row["v"].v}
        found[name] = {k: rows_of(np.asarray(x).T[:n_steps]) for k, x in traces.items()}
        spikes = np.zeros((n_steps, len(row["v"].v)), np.int64)
        # not LoihiSpikeMonitor.t, which is sometimes one too early (it cuts off t * 1000)
        times = np.rint(np.asarray(row["s"].t_) * 1000).astype(int)
        early = times < n_steps
        spikes[times[early], np.asarray(row["s"].i)[early]] = 1
        found[name]["s"] = rows_of(spikes)
    return found
