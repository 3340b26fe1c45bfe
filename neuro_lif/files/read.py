"""The tables of a network file as a Network, every fault noted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..convolution import Convolution
from ..errors import NetworkError, RangeError
from ..lazy import is_sparse, sparse
from ..network import CurrentInput, Input, Network, Population, Probe, Projection, SpikeInput
from ..neurons import IF, LI, LIF, RESETS, Neuron
from ..synapses import NORMS, Alpha, BiExponential, Delta, Exponential, Synapse
from ..units import TIME, VOLTAGE, Dimension
from .inputs import need as _need
from .inputs import read_fields as _fields
from .inputs import read_poisson, read_stimulus
from .schema import MEMBRANE, NEURONS, SYNAPSES, TOP, WEIGHT_UNITS, WEIGHTS
from .source import ABSENT, Source

Table = dict[str, Any]


def read_network(raw: Table, source: Source) -> Network | None:
    """Return the network that the tables describe, or None where there are faults."""
    source.keys("", raw, TOP)
    tables = {name: source.tables(name, raw.get(name, {}))
              for name in ("populations", "projections", "inputs")}  # fmt: skip
    sizes = {name: _size(table) for name, table in tables["populations"].items()}
    channels = {name: _size(table) for name, table in tables["inputs"].items()
                if table.get("kind") in ("spikes", "poisson")}  # fmt: skip
    populations = [_population(n, t, source) for n, t in tables["populations"].items()]
    projections = [_projection(n, t, sizes, channels | sizes, source)
                   for n, t in tables["projections"].items()]  # fmt: skip
    inputs = [_input(n, t, sizes, source) for n, t in tables["inputs"].items()]
    probes = _probes(raw.get("probes", []), sizes, source)
    if source.faults.lines:
        return None
    try:
        return Network(_whole(populations), _whole(projections), _whole(inputs), probes)
    except NetworkError as error:
        for line in str(error).split("\n  ")[1:]:
            place = re.sub(r"^(population|projection|input) '(\w+)': ", r"\1s.\2.", line)
            place = re.sub(r"^network: ", "", place)
            source.faults.lines.append(f"{source.file}: {place}")
        return None


def _whole(items: list[Any]) -> list[Any]:
    return [item for item in items if item is not None]


def _size(table: Table) -> int | None:
    size = table.get("size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


# -------------------------------------------------------------------------------- neurons


def _population(name: str, table: Table, source: Source) -> Population | None:
    where = f"populations.{name}"
    before = len(source.faults.lines)
    kind = source.choice(where, table, "neuron", NEURONS)
    if not kind:
        return None
    other_form = kind == "LIF" and not MEMBRANE.keys().isdisjoint(table)
    fields = dict(NEURONS[kind])
    if other_form:
        fields = {k: v for k, v in fields.items() if k not in ("tau_m", "resistance", "v_rest")}
        fields |= MEMBRANE
    extra = ["reset"] if kind != "LI" else []
    source.keys(where, table, ["size", "neuron", *fields, *extra])
    needed = ("capacitance", "conductance") if other_form else ("tau_m",) if kind != "IF" else ()
    _need(where, table, ("size",), "a whole number >= 1", source)
    _need(where, table, needed, "a value (no default)", source)
    values, _ = _fields(where, table, fields, source)
    if extra and "reset" in table:
        values["reset"] = source.choice(where, table, "reset", RESETS)
    if len(source.faults.lines) > before:
        return None
    return source.build(where, lambda: Population(name, table["size"], _neuron(kind, values)))


def _neuron(kind: str, values: Table) -> Neuron:
    if "conductance" in values:
        return LIF.from_conductance(**values)
    make: Any = {"LIF": LIF, "IF": IF, "LI": LI}[kind]
    neuron: Neuron = make(**values)
    return neuron


# --------------------------------------------------------------------------------- synapses


def _projection(
    name: str,
    table: Table,
    sizes: dict[str, int | None],
    sources: dict[str, int | None],
    source: Source,
) -> Projection | None:
    where = f"projections.{name}"
    before = len(source.faults.lines)
    source.keys(where, table, ("pre", "post", "synapse", "weights", "delay"))
    pre = source.choice(where, table, "pre", sources)
    post = source.choice(where, table, "post", sizes)
    found = _synapse(f"{where}.synapse", table.get("synapse", {"kind": "delta"}), source)
    shape = (sizes.get(post), sources.get(pre))
    unit = found[1] if found is not None else None
    weights = _weights(f"{where}.weights", table.get("weights", ABSENT), unit, shape, source)
    delay = source.numbers(f"{where}.delay", table.get("delay", 0.0), TIME)
    if len(source.faults.lines) > before or found is None:
        return None
    synapse = found[0]
    return source.build(where, lambda: Projection(name, pre, post, weights, synapse, delay))


def _synapse(where: str, table: Any, source: Source) -> tuple[Synapse, Dimension] | None:
    """Return the synapse and the dimension of its weights, or None after a fault."""
    if not isinstance(table, dict):
        source.refuse(where, table, '{ kind = "delta" } or { kind = "exponential", tau = ... }')
        return None
    kind = source.choice(where, table, "kind", SYNAPSES)
    if kind == "delta":
        source.keys(where, table, ("kind",))
        return Delta(), VOLTAGE
    names = SYNAPSES.get(kind, ())
    if not kind or not _need(where, table, names, TIME.allowed, source):
        return None
    source.keys(where, table, ("kind", *names, "norm"))
    norm: Any = source.choice(where, {"norm": "peak"} | table, "norm", NORMS)
    taus = [source.numbers(f"{where}.{name}", table[name], TIME) for name in names]
    if not norm or any(tau is None for tau in taus):
        return None
    make: Any = {"exponential": Exponential, "alpha": Alpha, "biexponential": BiExponential}[kind]
    return make(*taus, norm), WEIGHT_UNITS[norm]


def _weights(
    where: str,
    spec: Any,
    unit: Dimension | None,
    shape: tuple[int | None, int | None],
    source: Source,
) -> Any:
    if isinstance(spec, dict) and "value" in spec:
        return _pattern(where, spec, unit, shape, source)
    if isinstance(spec, list) or (isinstance(spec, dict) and set(spec) == {"array"}):
        # an unreadable synapse has no unit; its fault is noted, its weights are left alone
        return source.numbers(where, spec, unit) if unit else None
    if isinstance(spec, dict) and set(spec) == {"convolution"}:
        return _convolution(f"{where}.convolution", spec["convolution"], unit, shape, source)
    source.refuse(where, spec, WEIGHTS)
    return None


CONVOLUTION = ("kernel", "input_shape", "stride", "padding", "dilation", "groups", "layout")


def _convolution(
    where: str,
    table: Any,
    unit: Dimension | None,
    shape: tuple[int | None, int | None],
    source: Source,
) -> Any:
    if not isinstance(table, dict):
        source.refuse(where, table, "{ kernel = ..., input_shape = [...] }")
        return None
    source.keys(where, table, CONVOLUTION)
    needed = _need(where, table, CONVOLUTION[:2], "a value (no default)", source)
    kernel = source.numbers(f"{where}.kernel", table["kernel"], unit) if needed and unit else None
    if kernel is None:
        return None
    given = {k: table[k] for k in CONVOLUTION[1:] if k in table}
    dense = np.asarray(kernel.toarray() if is_sparse(kernel) else kernel, np.float64)
    try:
        found = Convolution(dense, **given)
        if None in shape or found.shape == shape:
            return found
        source.refuse(where, f"shape {found.shape}", f"shape (n_post, n_pre) = {shape}")
    except RangeError as error:
        for line in str(error).split("\n  "):
            source.faults.lines.append(
                f"{source.file}: {where}.{line.removeprefix('convolution: ')}"
            )
    return None


def _pattern(
    where: str,
    spec: Table,
    unit: Dimension | None,
    shape: tuple[int | None, int | None],
    source: Source,
) -> Any:
    """Return all-to-all (dense) or one-to-one (CSR) weights of one value."""
    source.keys(where, spec, ("value", "all_to_all", "one_to_one"))
    chosen = [key for key in ("all_to_all", "one_to_one") if spec.get(key) is True]
    if len(chosen) != 1:
        source.refuse(where, spec, WEIGHTS)
        return None
    value = source.numbers(f"{where}.value", spec["value"], unit) if unit else None
    n_post, n_pre = shape
    if value is None or n_post is None or n_pre is None:
        return None
    if np.ndim(value) != 0:
        source.refuse(f"{where}.value", spec["value"], "one number")
        return None
    if chosen == ["one_to_one"] and n_post != n_pre:
        sizes = f"{n_pre} -> {n_post} neurons"
        source.refuse(f"{where}.one_to_one", sizes, "a source and a target of one size")
        return None
    try:
        if chosen == ["all_to_all"]:
            return np.full((n_post, n_pre), value)
        parts = (np.full(n_post, value), np.arange(n_post), np.arange(n_post + 1))
        return sparse.csr_matrix(parts, shape=(n_post, n_pre))
    except (MemoryError, ValueError, OverflowError):
        source.refuse(where, f"{n_post} x {n_pre} weights", "as many as fit in memory")
        return None


# ----------------------------------------------------------------------------------- inputs


def _input(name: str, table: Table, sizes: dict[str, int | None], source: Source) -> Input | None:
    where = f"inputs.{name}"
    kind = source.choice(where, table, "kind", ("spikes", "poisson", "current"))
    if kind == "spikes":
        return _spikes(name, where, table, source)
    if kind == "poisson":
        return read_poisson(name, where, table, source)
    return _current(name, where, table, sizes, source) if kind else None


def _spikes(name: str, where: str, table: Table, source: Source) -> SpikeInput | None:
    before = len(source.faults.lines)
    source.keys(where, table, ("kind", "size", "indices", "times"))
    _need(where, table, ("size",), "a whole number >= 1", source)
    indices = times = None
    if "indices" in table:
        indices = source.numbers(f"{where}.indices", table["indices"])
    if "times" in table:
        times = source.numbers(f"{where}.times", table["times"], TIME)
    if len(source.faults.lines) > before:
        return None
    return source.build(where, lambda: SpikeInput(name, table["size"], indices, times))


def _current(
    name: str, where: str, table: Table, sizes: dict[str, int | None], source: Source
) -> CurrentInput | None:
    before = len(source.faults.lines)
    source.keys(where, table, ("kind", "population", "stimulus"))
    population = source.choice(where, table, "population", sizes)
    stimulus = None
    if "stimulus" in table:
        stimulus = read_stimulus(f"{where}.stimulus", table["stimulus"], source)
    if len(source.faults.lines) > before:
        return None
    return source.build(where, lambda: CurrentInput(name, population, stimulus))


def _probes(value: Any, sizes: dict[str, int | None], source: Source) -> list[Probe]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        source.refuse("probes", value, "tables [[probes]]")
        return []
    probes = []
    for i, table in enumerate(value):
        where = f"probes[{i}]"
        source.keys(where, table, ("population", "variable"))
        population = source.choice(where, table, "population", sizes)
        variable: Any = source.choice(
            where, {"variable": "v"} | table, "variable", ("spikes", "v", "u")
        )
        if population and variable:
            probes.append(Probe(population, variable))
    return probes
