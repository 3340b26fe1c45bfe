"""Turns recordings of chips' simulators and RTL into networks, inputs and what must come out.

``sections_of(data)`` says what a file holds, ``cases_of(section)`` builds the networks and
``recorded_values(section)`` counts the values of the file by itself, so that a case left out would
show. Keys an adapter does not know are errors. The formats are told in tests/data/chips/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neuro_lif import (
    Convolution,
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    HardwareProfile,
    Recording,
    load_profile,
)

Ints = npt.NDArray[np.int64]
Profiles = Callable[[str], HardwareProfile]


@dataclass(frozen=True, eq=False)
class Section:
    """One kind of recording in a file: ``data`` holds its cases, or its rows."""

    kind: str
    profile: str
    data: Any


@dataclass(frozen=True, eq=False)
class Expected:
    """What was recorded of one population: a register by name, or ``s`` for what is sent.

    ``values`` is ``(n_steps, n)``, the n being the population's neurons.
    """

    population: str
    variable: str
    values: Ints


@dataclass(frozen=True, eq=False)
class Case:
    """A network, the inputs of a run and everything that was recorded of it."""

    id: str
    fixed: FixedNetwork
    n_steps: int
    inputs: Mapping[str, Ints]
    expected: tuple[Expected, ...]

    @property
    def n_values(self) -> int:
        """How many values the case compares."""
        return sum(e.values.size for e in self.expected)


class UnknownRecording(ValueError):
    """A file, a key or a value that no adapter knows."""


def _keys(where: str, found: Mapping[str, Any], known: Iterable[str]) -> None:
    wanted = set(known)
    if found.keys() != wanted:
        raise UnknownRecording(
            f"{where}: unknown {sorted(found.keys() - wanted)}, "
            f"missing {sorted(wanted - found.keys())}"
        )


def _ints(values: Any, shape: tuple[int, ...] | None = None) -> Ints:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "biu":
        raise UnknownRecording(f"values of type {array.dtype}, wanted whole numbers")
    array = array.astype(np.int64)
    return array if shape is None else array.reshape(shape)


# --------------------------------------------------------------------------- what a file holds


def load_sections(path: str | Path) -> list[Section]:
    """Return the sections of a file.

    Raises:
        UnknownRecording: it is no recording of a chip.
    """
    return sections_of(json.loads(Path(path).read_text(encoding="utf-8")))


def sections_of(data: Any) -> list[Section]:
    """Return the sections of a file, told by its keys.

    Raises:
        UnknownRecording: it is no recording of a chip.
    """
    keys = set(data) if isinstance(data, dict) else set()
    if keys == {"meta", "cases"} and "version" in data["cases"][0]:
        versions = sorted({c["version"] for c in data["cases"]})
        chosen = [(v, [c for c in data["cases"] if c["version"] == v]) for v in versions]
        return [Section("xylo", f"xylo-v{v}", cases) for v, cases in chosen]
    if keys == {"meta", "cases"}:
        return [Section("catalyst_n1", "catalyst-n1", data["cases"])]
    if "odin" in keys or "tinyodin" in keys:
        _keys("odin", data, {"meta"} | (keys & {"odin", "tinyodin"}))
        return [Section(name, name, data[name]) for name in ("odin", "tinyodin") if name in keys]
    if "rows" in keys and all(np.shape(row) == (len(RECKON_COLUMNS),) for row in data["rows"]):
        return [Section("reckon", "reckon", data)]
    for kind, profile, key in (("dynapcnn", "dynapcnn", "min_v_mem"),
                               ("ranc", "truenorth", "axon_type")):  # fmt: skip
        if key in keys:
            return [Section(kind, profile, data)]
    raise UnknownRecording(f"keys {sorted(keys)[:8]}: not a recording of a chip")


def cases_of(section: Section, profiles: Profiles = load_profile) -> list[Case]:
    """Return the cases of a section, with networks of the profiles that ``profiles`` gives."""
    return list(ADAPTERS[section.kind](section.data, profiles(section.profile)))


def recorded_values(section: Section) -> int:
    """Count the recorded results of a section in the file itself."""
    if section.kind in ROW_RESULTS:
        rows = section.data["rows"] if section.kind == "reckon" else section.data
        return len(rows) * ROW_RESULTS[section.kind]
    found = _leaves(section.data, "expected")
    return found * len(section.data["asym"]) if section.kind == "ranc" else found


def _leaves(node: Any, below: str, inside: bool = False) -> int:
    """Count the numbers under every key ``below``."""
    if isinstance(node, dict):
        return sum(_leaves(v, below, inside or k == below) for k, v in node.items())
    if isinstance(node, list):
        return sum(_leaves(v, below, inside) for v in node)
    return int(inside)


def differences(case: Case, recording: Recording) -> list[str]:
    """Return where a run differs from the recording, the earliest first."""
    found = []
    for e in case.expected:
        sent = e.variable == "s"
        got = recording.spikes[e.population] if sent else recording.trace(e.population, e.variable)
        got = np.asarray(got, np.int64)
        if got.shape != e.values.shape:
            found.append((0, f"{case.id}: {e.population}.{e.variable}: shape {got.shape}, "
                             f"recorded {e.values.shape}"))  # fmt: skip
            continue
        for step, neuron in np.argwhere(got != e.values)[:3].tolist():
            found.append((step, f"{case.id}: {e.population}.{e.variable} step {step + 1} neuron "
                                f"{neuron}: {got[step, neuron]}, recorded "
                                f"{e.values[step, neuron]}"))  # fmt: skip
    return [line for _, line in sorted(found, key=lambda f: f[0])]


# ------------------------------------------------------------------------------------- Xylo

XYLO_CASE = ("name", "version", "note", "params", "input", "expected")
XYLO_PARAMS = (
    "syn_in", "syn_rec", "syn_out", "aliases", "thr", "thr_out", "shift_in", "shift_rec",
    "shift_out", "dash_mem", "dash_mem_out", "dash_syn", "dash_syn_out", "has_bias", "bias",
    "bias_out",
)  # fmt: skip
XYLO_RESULTS = {
    "isyn": ("hidden", "u0"), "isyn2": ("hidden", "u1"), "vmem": ("hidden", "v"),
    "spikes": ("hidden", "s"), "isyn_out": ("output", "u0"), "vmem_out": ("output", "v"),
    "out": ("output", "s"),
}  # fmt: skip


def xylo_cases(cases: list[Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield one network for each case of xylosim."""
    for case in cases:
        _keys(case["name"], case, XYLO_CASE)
        _keys(case["name"], case["params"], XYLO_PARAMS)
        _keys(case["name"], case["expected"], XYLO_RESULTS)
        counts = _ints(case["input"])
        fixed = _xylo_network(case["params"], case["version"], profile)
        expected = []
        for key, (population, variable) in XYLO_RESULTS.items():
            shape = (len(counts), fixed.population(population).size)
            expected.append(
                Expected(population, variable, _ints(case["expected"][key]).reshape(shape))
            )
        name = f"xylo-v{case['version']}.{case['name']}"
        yield Case(name, fixed, len(counts), {"channels": counts}, tuple(expected))


def _cells(
    profile: HardwareProfile, name: str, size: int, model: str, params: dict[str, Any],
    init: dict[str, Any] | None = None, alias: Any = None,
) -> FixedPopulation:  # fmt: skip
    """A population; a profile that a test has changed may have no use for some parameter."""
    used = {k: v for k, v in params.items() if k in profile.used_params(model)}
    unknown = {k: v for k, v in params.items() if k not in profile.params}
    return FixedPopulation(name, size, model, used | unknown, init or {}, alias=alias)


def _xylo_network(p: dict[str, Any], version: int, profile: HardwareProfile) -> FixedNetwork:
    n_hidden, n_out, n_in = len(p["thr"]), len(p["thr_out"]), len(p["syn_in"])
    dashes = [[*d, 0][:2] for d in p["dash_syn"]]
    shifts = {"shift_in": p["shift_in"], "shift_rec": p["shift_rec"]}
    biases = [(p["bias"], p["bias_out"]), (0, 0)][not p["has_bias"]]
    if version == 1 and p["has_bias"]:
        raise UnknownRecording("the first core has no bias")
    extra = [{"bias": b} if version != 1 else {} for b in biases]
    hidden = _cells(
        profile, "hidden", n_hidden, "hidden",
        {"dash_syn0": _ints([d[0] for d in dashes]), "dash_syn1": _ints([d[1] for d in dashes]),
         "dash_mem": _ints(p["dash_mem"]), "thr": _ints(p["thr"])} | shifts | extra[0],
        alias=_xylo_aliases(p["aliases"]),
    )  # fmt: skip
    output = _cells(
        profile, "output", n_out, "output",
        {"dash_syn0": _ints(p["dash_syn_out"]), "dash_mem": _ints(p["dash_mem_out"]),
         "thr": _ints(p["thr_out"]), "shift_out": p["shift_out"]} | extra[1],
    )  # fmt: skip
    projections = []
    for key, pre, post, size, ports in (
        ("syn_in", "channels", "hidden", n_hidden, ("in0", "in1")),
        ("syn_rec", "hidden", "hidden", n_hidden, ("rec0", "rec1")),
        ("syn_out", "hidden", "output", n_out, ("rec0",)),
    ):  # fmt: skip
        for synapse, port in enumerate(ports):
            weights = _xylo_weights(p[key], synapse, size, len(ports))
            projections.append(
                FixedProjection(f"{key}{synapse}", pre, post, weights, port=port, graded=True)
            )
    sources = (FixedSource("channels", n_in),)
    return FixedNetwork(profile, (hidden, output), tuple(projections), sources)


def _xylo_weights(synapses: list[Any], wanted: int, n_post: int, n_ports: int) -> Any:
    """Return the synapses of one current; one of weight 0, or a second one, is a synapse too."""
    triples = []
    for pre, targets in enumerate(synapses):
        for post, synapse, weight in targets:
            if not 0 <= synapse < n_ports:
                raise UnknownRecording(f"synapse {synapse} of a neuron, wanted below {n_ports}")
            if synapse == wanted:
                triples.append((weight, post, pre))
    weight, post, pre = _ints(triples, (-1, 3)).T
    return sparse.coo_matrix((weight, (post, pre)), (n_post, len(synapses)), dtype=np.int64)


def _xylo_aliases(aliases: list[list[int]]) -> Any:
    if any(len(a) > 1 for a in aliases):
        raise UnknownRecording("more than one alias of a neuron")
    return None if not any(aliases) else _ints([a[0] if a else -1 for a in aliases])


# ------------------------------------------------------------------------------ Catalyst N1

CATALYST = {
    "thr": "thr", "leak": "leak", "rest": "rest", "ref": "refract", "rel": "relative", "dv": "dv",
    "du": "du", "bm": "bias_mant", "be": "bias_exp", "vmin": "vmin", "vmax": "vmax",
}  # fmt: skip


def catalyst_cases(cases: list[Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield one network of a few neurons with an external current for each case of the RTL."""
    for number, case in enumerate(cases):
        _keys(f"case {number}", case, ("params", "input", "expected"))
        for neuron in case["params"]:
            _keys(f"case {number}", neuron, CATALYST)
        params = {ours: _ints([n[key] for n in case["params"]]) for key, ours in CATALYST.items()}
        size, current = len(case["params"]), _ints(case["input"])
        fixed = FixedNetwork(
            profile, (_cells(profile, "n", size, "neuron", params),),
            directs=(DirectInput("current", "n"),),
        )  # fmt: skip
        v, u, s = _ints(case["expected"], (len(current), size, 3)).transpose(2, 0, 1)
        yield Case(
            f"catalyst-n1.{number}", fixed, len(current), {"current": current},
            (Expected("n", "v", v), Expected("n", "u", u), Expected("n", "s", s)),
        )  # fmt: skip


# -------------------------------------------------------------------------------- DYNAP-CNN


def dynapcnn_cases(data: dict[str, Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield the one layer that sinabs ran."""
    _keys("dynapcnn", data, ("meta", "weight", "bias", "threshold", "min_v_mem", "input",
                             "expected"))  # fmt: skip
    _keys("dynapcnn", data["expected"], ("vmem", "spikes"))
    kernel, counts = _ints(data["weight"]), _ints(data["input"])
    v, s = _ints(data["expected"]["vmem"]), _ints(data["expected"]["spikes"])
    n_steps, *shape = counts.shape
    # both sides of the plane were padded alike, so that its size tells by how much
    padding = {(o - i + k - 1) / 2 for i, o, k in zip(shape[1:], v.shape[2:], kernel.shape[2:],
                                                      strict=True)}  # fmt: skip
    if len(padding) != 1 or not (pad := padding.pop()).is_integer():
        raise UnknownRecording(f"padding {padding}")
    layer = Convolution(kernel, (shape[0], shape[1], shape[2]), padding=int(pad), layout="torch")
    n = int(np.prod(v.shape[1:]))
    params = {
        "thr": int(data["threshold"]), "v_low": int(data["min_v_mem"]),
        "bias": np.repeat(_ints(data["bias"]), n // len(data["bias"])),
    }  # fmt: skip
    fixed = FixedNetwork(
        profile, (_cells(profile, "layer", n, "subtract", params),),
        (FixedProjection("kernel", "pixels", "layer", layer, graded=True),),
        (FixedSource("pixels", int(np.prod(shape))),),
    )  # fmt: skip
    flat = (n_steps, -1)
    yield Case("dynapcnn", fixed, n_steps, {"pixels": counts.reshape(flat)},
               (Expected("layer", "v", v.reshape(flat)),
                Expected("layer", "s", s.reshape(flat))))  # fmt: skip


# --------------------------------------------------------------------------- ODIN, tinyODIN

ROW_RESULTS = {"odin": 2, "tinyodin": 2, "reckon": 5}
"""Recorded results at the end of each row."""


def _alone(weights: Any) -> Any:
    """Return synapses from channel k to neuron k; a weight of 0 is a synapse."""
    n = len(weights)
    return sparse.coo_matrix((_ints(weights), (np.arange(n), np.arange(n))), (n, n))


def odin_cases(rows: list[Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield one population: each row is one neuron with one event of its own."""
    leak, leak_en, thr, v, w, inhibits, event, time_ref, v_next, s = _ints(rows, (-1, 10)).T
    params = {"leak": leak, "leak_en": leak_en, "thr": thr}
    yield _event_case("odin", profile, params, (v, np.where(inhibits, -w, w)), (event, time_ref),
                      (v_next, s))  # fmt: skip


def tinyodin_cases(rows: list[Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield one population: each row is one neuron with one event of its own."""
    leak, thr, v, w, event, time_ref, v_next, s = _ints(rows, (-1, 8)).T
    yield _event_case("tinyodin", profile, {"leak": leak, "thr": thr}, (v, w), (event, time_ref),
                      (v_next, s))  # fmt: skip


def _event_case(
    name: str, profile: HardwareProfile, params: dict[str, Ints], start: tuple[Ints, Ints],
    event: tuple[Ints, Ints], after: tuple[Ints, Ints],
) -> Case:  # fmt: skip
    (v, w), (some, time_ref), n = start, event, len(start[0])
    # an event together with a time reference is the leak; without an event nothing else counts
    happens = {"in": some & (1 - time_ref), "time": some & time_ref, "idle": 1 - some}
    weights = {"in": w, "time": np.ones_like(w), "idle": np.ones_like(w)}
    fixed = FixedNetwork(
        profile, (_cells(profile, "n", n, "lif", params, {"v": v}),),
        tuple(FixedProjection(f"to_{p}", p, "n", _alone(weights[p]), port=p) for p in happens),
        tuple(FixedSource(port, n) for port in happens),
    )  # fmt: skip
    inputs = {port: which[None] for port, which in happens.items()}
    expected = (Expected("n", "v", after[0][None]), Expected("n", "s", after[1][None]))
    return Case(name, fixed, 1, inputs, expected)


# ----------------------------------------------------------------------------------- ReckOn

RECKON_COLUMNS = ("u", "w_inp", "w_rec", "fp_inp", "fp_rec", "inp", "rec", "alpha", "thr",
                  "rst_mode", "kappa",
                  "u_acc", "spike", "u_step", "out_acc", "out_step")  # fmt: skip


def reckon_cases(data: dict[str, Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield four parts of every row; rows that share the chip's parameters share a network.

    The datapath was run four times from the same u: a hidden neuron that accumulates, one in the
    STEP phase, and the same of an output neuron (with the input's weight and shift).
    """
    _keys("reckon", data, ("meta", "rows"))
    rows = dict(zip(RECKON_COLUMNS, _ints(data["rows"], (-1, len(RECKON_COLUMNS))).T, strict=True))
    for keys, part in (
        (("fp_inp", "fp_rec"), _reckon_hidden_events), (("rst_mode",), _reckon_hidden_step),
        (("fp_inp",), _reckon_output_events), (("kappa",), _reckon_output_step),
    ):  # fmt: skip
        for chosen in _alike([rows[k] for k in keys]):
            yield part({k: v[chosen] for k, v in rows.items()}, profile)


def _alike(columns: list[Ints]) -> list[list[int]]:
    """Return the rows in groups of equal values."""
    keys = list(zip(*(c.tolist() for c in columns), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [list(group) for _, group in groupby(order, key=keys.__getitem__)]


def _reckon_case(
    name: str, profile: HardwareProfile, model: str, params: dict[str, Any], rows: dict[str, Ints],
    events: Mapping[str, tuple[Ints, Ints]], after: Mapping[str, Ints],
) -> Case:  # fmt: skip
    n = len(rows["u"])
    fixed = FixedNetwork(
        profile, (_cells(profile, "n", n, model, params, {"v": rows["u"]}),),
        tuple(FixedProjection(f"to_{port}", port, "n", _alone(w), port=port)
              for port, (w, _) in events.items()),
        tuple(FixedSource(port, n) for port in events),
    )  # fmt: skip
    inputs = {port: which[None] for port, (_, which) in events.items()}
    expected = tuple(Expected("n", what, values[None]) for what, values in after.items())
    return Case(f"reckon.{name}", fixed, 1, inputs, expected)


def _reckon_hidden_events(r: dict[str, Ints], profile: HardwareProfile) -> Case:
    params = {"fp_inp": int(r["fp_inp"][0]), "fp_rec": int(r["fp_rec"][0])}
    events = {"inp": (r["w_inp"], r["inp"]), "rec": (r["w_rec"], r["rec"])}
    return _reckon_case("hidden, events", profile, "hidden", params, r, events, {"c": r["u_acc"]})


def _reckon_hidden_step(r: dict[str, Ints], profile: HardwareProfile) -> Case:
    params = {"alpha": r["alpha"], "thr": r["thr"], "rst_mode": int(r["rst_mode"][0])}
    after = {"s": r["spike"], "v": r["u_step"]}
    return _reckon_case("hidden, step", profile, "hidden", params, r, {}, after)


def _reckon_output_events(r: dict[str, Ints], profile: HardwareProfile) -> Case:
    params, events = {"fp_out": int(r["fp_inp"][0])}, {"rec": (r["w_inp"], r["inp"])}
    after = {"c": r["out_acc"]}
    return _reckon_case("output, events", profile, "output", params, r, events, after)


def _reckon_output_step(r: dict[str, Ints], profile: HardwareProfile) -> Case:
    params, after = {"kappa": int(r["kappa"][0])}, {"v": r["out_step"]}
    return _reckon_case("output, step", profile, "output", params, r, {}, after)


# ------------------------------------------------------------------------- TrueNorth (RANC)

RANC = ("meta", "neurons", "axon_type", "conn", "spikes", "offset", "asym", "expected")
RANC_PARAMS = {
    "leak": "leak", "positive_threshold": "thr", "negative_threshold": "neg_thr",
    "reset_potential": "reset", "reset_mode": "reset_mode",
}  # fmt: skip
RANC_ELSEWHERE = ("destination_core_offset", "destination_axon", "destination_tick")
"""Where the neurons' own spikes go: out of the network that was recorded."""


def ranc_cases(data: dict[str, Any], profile: HardwareProfile) -> Iterator[Case]:
    """Yield the one core that RANC ran, once with each of the compares that gave the recording."""
    _keys("ranc", data, RANC)
    for neuron in data["neurons"]:
        _keys("ranc", neuron, (*RANC_PARAMS, *RANC_ELSEWHERE, "weights", "current_potential"))
    neurons, types = data["neurons"], _ints(data["axon_type"])
    params = {ours: _ints([n[key] for n in neurons]) for key, ours in RANC_PARAMS.items()}
    weights = _ints([n["weights"] for n in neurons])[:, types] * _ints(data["conn"])
    v = _ints(data["expected"], (-1, len(neurons)))
    if data["offset"] != 0:
        raise UnknownRecording(f"offset {data['offset']}, wanted 0")
    for mismatches, compare in data["asym"]:
        if mismatches != 0 or compare not in (0, 1):
            raise UnknownRecording(f"asym {data['asym']}, wanted pairs of 0 and 0 or 1")
        fixed = FixedNetwork(
            profile,
            (_cells(profile, "n", len(neurons), "neuron", params | {"neg_inclusive": compare},
                             {"v": _ints([n["current_potential"] for n in neurons])}),),
            (FixedProjection("crossbar", "axons", "n", weights),),
            (FixedSource("axons", len(types)),),
        )  # fmt: skip
        yield Case(f"truenorth.{compare}", fixed, len(v), {"axons": _ints(data["spikes"])},
                   (Expected("n", "v", v),))  # fmt: skip


ADAPTERS: dict[str, Callable[[Any, HardwareProfile], Iterator[Case]]] = {
    "xylo": xylo_cases, "catalyst_n1": catalyst_cases, "dynapcnn": dynapcnn_cases,
    "odin": odin_cases, "tinyodin": tinyodin_cases, "reckon": reckon_cases, "ranc": ranc_cases,
}  # fmt: skip
