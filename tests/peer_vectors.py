"""Turns integer networks of nengo-loihi and brian2_loihi (``loihi-vectors/1``) into ours.

Both peers name a synapse by its two ends, so several may join the same pair. A key that is not
known is an error, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neuro_lif import FixedNetwork, FixedPopulation, FixedProjection, FixedSource, load_profile

Vector = dict[str, Any]
Inputs = dict[str, npt.NDArray[Any]]

BLOCK = {
    "decay_u": "du", "decay_v": "dv", "vth": "vth", "bias": "bias", "ref": "refract",
    "refract_delay": "refract", "vmin": "vmin", "vmax": "vmax", "enable_noise": "enable_noise",
    "noise_exp": "noise_exp", "noise_offset": "noise_offset",
    "noise_at_membrane": "noise_at_membrane",
}  # fmt: skip
GROUP = {
    "decay_I": "du", "decay_v": "dv", "threshold_v_mant": "vth", "refractory": "refract"
}  # fmt: skip
SYNAPSES = {"from", "to", "i", "j", "w", "delay", "w_exp", "sign_mode", "num_weight_bits"}
SIGN_MODES = {1: "mixed", 2: "excitatory", 3: "inhibitory"}


def nengo_to_fixed(vector: Vector) -> tuple[FixedNetwork, Inputs, int]:
    """Return a network of the emulator's raw integers as (network, inputs, number of steps)."""
    net, n_steps = vector["network"], int(vector["n_steps"])
    _check_keys(vector["id"], net, ("sources", "blocks", "synapses"))
    populations = tuple(_population(n, b, BLOCK, {"refract": 0}) for n, b in net["blocks"].items())
    projections = []
    for k, s in enumerate(net.get("synapses", ())):
        _check_keys(f"{vector['id']}: synapse {k}", s, ("from", "to", "weights", "indices"))
        weights: Any = np.array(s["weights"], np.int64).T if "indices" not in s else None
        if weights is None:  # every spike's targets, listed
            pres = [i for i, row in enumerate(s["indices"]) for _ in row]
            posts, values = (sum(map(list, s[key]), []) for key in ("indices", "weights"))
            shape = (net["blocks"][s["to"]]["n"], len(s["weights"]))
            weights = _listed(posts, pres, values, shape)
        projections.append(FixedProjection(f"c{k}", s["from"], s["to"], weights))
    profile = load_profile("nengo-loihi-1.1")
    fixed, inputs = _network(vector, profile, populations, projections)
    return fixed, inputs, n_steps


def brian2_to_fixed(vector: Vector) -> tuple[FixedNetwork, Inputs, int]:
    """Return a network of brian2_loihi as (network, inputs, number of steps)."""
    net, n_steps = vector["network"], int(vector["n_steps"])
    _check_keys(vector["id"], net, ("sources", "groups", "synapses"))
    populations = tuple(_population(n, g, GROUP, {"refract": 1}) for n, g in net["groups"].items())
    sizes = {p.name: p.size for p in populations}
    sizes |= {name: len(s["values"]) for name, s in net.get("sources", {}).items()}
    projections = []
    for k, s in enumerate(net.get("synapses", ())):
        _check_keys(f"{vector['id']}: synapse {k}", s, SYNAPSES)
        projections.append(FixedProjection(
            f"c{k}", s["from"], s["to"],
            _listed(s["j"], s["i"], s["w"], (sizes[s["to"]], sizes[s["from"]])),
            exponent=int(s.get("w_exp", 0)), sign_mode=SIGN_MODES[s.get("sign_mode", 2)],
            weight_bits=int(s.get("num_weight_bits", 8)), delays=int(s.get("delay", 0)),
        ))  # fmt: skip
    profile = load_profile("brian2-loihi-0.5")
    fixed, inputs = _network(vector, profile, populations, projections)
    return fixed, inputs, n_steps


PEERS: dict[str, Callable[[Vector], tuple[FixedNetwork, Inputs, int]]] = {
    "network_nengo": nengo_to_fixed, "network_brian2": brian2_to_fixed
}  # fmt: skip


def _check_keys(what: str, found: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(found) - set(known):
        raise ValueError(f"{what}: the adapter does not know {sorted(unknown)}")


def _population(
    name: str, given: dict[str, Any], names: dict[str, str], defaults: dict[str, int]
) -> FixedPopulation:
    _check_keys(f"population {name!r}", given, {"n", *names})
    stated = {names[k]: np.asarray(v).astype(np.int64) for k, v in given.items() if k != "n"}
    return FixedPopulation(name, given["n"], "lif", defaults | stated)


def _listed(posts: Any, pres: Any, weights: Any, shape: tuple[int, int]) -> Any:
    """Return synapses as a sparse matrix that keeps zeros and several of one pair."""
    entries = (np.array(weights, np.int64), (np.array(posts, int), np.array(pres, int)))
    return sparse.coo_matrix(entries, shape=shape)


def _network(
    vector: Vector, profile: Any, populations: tuple[FixedPopulation, ...],
    projections: list[FixedProjection],
) -> tuple[FixedNetwork, Inputs]:  # fmt: skip
    rows: Inputs = {}
    for name, source in vector["network"].get("sources", {}).items():
        _check_keys(f"{vector['id']}: source {name!r}", source, ("values",))
        values = np.array(source["values"], np.int64).T[: vector["n_steps"]]
        rows[name] = np.zeros((int(vector["n_steps"]), values.shape[1]), np.int64)
        rows[name][: len(values)] = values
    fixed = FixedNetwork(
        profile, populations, tuple(projections),
        tuple(FixedSource(name, values.shape[1]) for name, values in rows.items()),
        enforce_ranges=False, seed=int(vector.get("seed", 0)),
    )  # fmt: skip
    return fixed, rows
