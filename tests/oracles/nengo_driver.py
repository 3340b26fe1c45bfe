"""nengo-loihi 1.1.0: its emulator (``target="sim"``) with raw integers, or its compartments alone.

A population is a LoihiBlock, a projection a Synapse of the block it leads to and an Axon of what it
comes from, an input a SpikeInput. Weights are final: what a spike adds to the input, no shift.

Parameters of the model ``lif``: du, dv, vth, bias, refract (one number or one per neuron), and for
the whole population vmin, vmax, noise_exp, noise_offset, noise_at_membrane; enable_noise for each.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nengo_loihi.block import Axon, LoihiBlock, Synapse
    from nengo_loihi.builder import Model
    from nengo_loihi.emulator.interface import BlockInfo, CompartmentState, EmulatorInterface
    from nengo_loihi.inputs import SpikeInput
    from nengo_loihi.probe import LoihiProbe

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

PEER = "nengo-loihi"
VERSION = "1.1.0"
V_MAX = 2**23 - 1

PER_NEURON = {"du": "decay_u", "dv": "decay_v", "vth": "vth", "bias": "bias",
              "refract": "refract_delay"}  # fmt: skip
PER_BLOCK = ("vmin", "vmax", "noise_exp", "noise_offset", "noise_at_membrane")
DEFAULTS = {
    "bias": 0, "refract": 0, "vmin": -V_MAX, "vmax": V_MAX, "enable_noise": 0, "noise_exp": 0,
    "noise_offset": 0, "noise_at_membrane": 0,
}  # fmt: skip
TRACES = {"u": "current", "v": "voltage", "s": "spiked"}


def block(population: dict[str, Any]) -> Any:
    """Return nengo-loihi's block for a population, with integers as its discretizer leaves them."""
    name, size = population["name"], int(population["size"])
    if population["model"] != "lif" or population.get("init"):
        raise Unsupported(f"{name}: only the model lif, from rest")
    given = DEFAULTS | population.get("params", {})
    check_keys(f"{name}: params", given, {*PER_NEURON, *PER_BLOCK, "enable_noise"})
    built = LoihiBlock(size, label=name)
    compartment = built.compartment
    for ours, theirs in PER_NEURON.items():
        if ours not in given:
            raise Unsupported(f"{name}: {ours} must be stated")
        values = np.array(np.broadcast_to(integers(given[ours]), (size,)))
        if values.min() < -(2**31) or values.max() >= 2**31:
            raise Unsupported(f"{name}: {ours} does not fit the emulator's 32 bits")
        setattr(compartment, theirs, values.astype(np.int32))
    for key in PER_BLOCK:
        values = np.unique(integers(given[key]))
        if len(values) > 1:
            raise Unsupported(f"{name}: {key} is one number for the population")
        setattr(compartment, key, int(values[0]))
    noisy = np.broadcast_to(integers(given["enable_noise"]), (size,))
    compartment.enable_noise = np.array(noisy != 0)
    compartment.scale_u = compartment.scale_v = False
    return built


def _connect(projection: dict[str, Any], origin: Any, target: Any, n_pre: int) -> None:
    """Add a projection: rows of final weights, one for each presynaptic neuron."""
    name = projection["name"]
    plain = (
        projection.get("exponent", 0) == 0
        and not np.any(integers(projection.get("delays", 0)))
        and not projection.get("graded", False)
        and projection.get("latency") in (None, 1)
    )
    if not plain or is_kernel(projection):
        raise Unsupported(f"{name}: no exponents, delays, values of spikes or convolutions")
    synapses = synapses_of(projection)
    built = Synapse(n_pre, label=name)
    weights, indices = [], []
    for pre in range(n_pre):
        here = synapses.pre == pre
        weights.append(synapses.values[here].astype(np.int32).reshape(1, -1))
        indices.append(synapses.post[here].astype(np.int32).reshape(1, -1))
    built.weights, built.indices = weights, indices
    built.format(compression=0, fanout_type=1, n_synapses=63, weight_bits=7)
    target.synapses.append(built)
    axon = Axon(n_pre, label=name)
    axon.target = built
    if isinstance(origin, SpikeInput):
        origin.add_axon(axon)
    else:
        origin.axons.append(axon)


def _emulator(vector: Vector) -> tuple[Any, dict[tuple[str, str], Any]]:
    """Return the emulator of a vector, ready to run, and its probes."""
    network, n_steps = check_network(vector), int(vector["n_steps"])
    if network.get("directs"):
        raise Unsupported(f"{vector['id']}: spikes only (directs: run_direct)")
    model = Model(dt=0.001)
    parts: dict[str, Any] = {p["name"]: block(p) for p in network["populations"]}
    sizes = {p["name"]: int(p["size"]) for p in network["populations"]}
    for built in parts.values():
        model.add_block(built)
    for source in network.get("inputs", ()):
        sizes[source["name"]] = int(source["size"])
        rows = raster_of(source, n_steps, source["size"])
        if not np.isin(rows, (0, 1)).all():
            raise Unsupported(f"{source['name']}: a spike is 0 or 1")
        played = SpikeInput(source["size"], label=source["name"])
        for i in np.flatnonzero(rows.any(axis=1)).tolist():
            played.add_spikes(i + 1, np.flatnonzero(rows[i]))
        parts[source["name"]] = played
        model.add_input(played)
    for p in network.get("projections", ()):
        _connect(p, parts[p["pre"]], parts[p["post"]], sizes[p["pre"]])
    probes = {}
    for population in network["populations"]:
        for variable, key in TRACES.items():
            probe = LoihiProbe(target=parts[population["name"]], key=key)
            model.add_probe(probe)
            probes[population["name"], variable] = probe
    return EmulatorInterface(model, seed=int(network.get("seed", 0))), probes


def run(vector: Vector) -> Trace:
    """Run one vector in the emulator: population -> variable -> ``[step][neuron]``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of every overflow
        emulator, probes = _emulator(vector)
        emulator.run_steps(int(vector["n_steps"]))
        found: Trace = {}
        for (name, variable), probe in probes.items():
            rows = np.asarray(emulator.collect_probe_output(probe)).astype(np.int64)
            found.setdefault(name, {})[variable] = rows_of(rows)
    return found


def overflows(vector: Vector) -> list[str]:
    """Return what the emulator warns of in a run: ``q0``, ``current``, ``u2``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        emulator, _ = _emulator(vector)
        emulator.run_steps(int(vector["n_steps"]))
    said = {str(w.message) for w in caught}
    return sorted(text.split()[-1] for text in said if text.startswith("Overflow in "))


class Compartments:
    """The emulator's compartments without its synapses and spikes, for volume.

    Args:
        populations: as in a vector; parameters may be numpy arrays.
        seed: of the noise.
    """

    def __init__(self, populations: Sequence[dict[str, Any]], seed: int = 0) -> None:
        self.blocks = [block(p) for p in populations]
        info = BlockInfo(self.blocks)
        self.slices = dict(zip((p["name"] for p in populations), info.slices.values(),
                               strict=True))  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.state = CompartmentState(info, strict=False)
        self.rng = np.random.RandomState(seed)

    def step(self, arriving: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Advance one step; ``arriving`` is what the synapses add, ``(n,)`` of 32 bits.

        The caller silences the emulator's warnings of overflows.
        """
        self.state.advance_input()
        self.state.input[0, :] = arriving
        self.state.update(self.rng)
        return np.asarray(self.state.spiked)


def run_direct(vector: Vector) -> Trace:
    """Run a vector without projections: what arrives is put in, and the compartments updated."""
    network, n_steps = check_network(vector), int(vector["n_steps"])
    if network.get("projections") or network.get("inputs"):
        raise Unsupported(f"{vector['id']}: run_direct has no synapses")
    cells = Compartments(network["populations"], int(network.get("seed", 0)))
    n = sum(int(p["size"]) for p in network["populations"])
    arriving = np.zeros((n_steps, n), np.int64)
    for d in network.get("directs", ()):
        here = cells.slices[d["population"]]
        arriving[:, here] += raster_of(d, n_steps, here.stop - here.start)
    rows: dict[str, list[Any]] = {variable: [] for variable in TRACES}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(n_steps):
            cells.step(arriving[t].astype(np.int32))
            for variable, key in TRACES.items():
                rows[variable].append(getattr(cells.state, key).astype(np.int64))
    return {
        name: {k: rows_of(np.array(v)[:, here]) for k, v in rows.items()}
        for name, here in cells.slices.items()
    }
