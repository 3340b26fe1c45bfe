"""Builds the Lava processes an exported ``network.npz`` describes, wires and runs them."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lava.magma.runtime.runtime as lava_runtime
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg

from . import FORMAT, stock
from .names import port_name
from .processes import IntegerSynapses, OpListNeuron, Recorder

Arrays = Mapping[str, Any]
Entry = Mapping[str, Any]
OURS = (OpListNeuron, IntegerSynapses, Recorder)


class Tables:
    """An exported network: ``head`` says what there is, arrays are looked up by entry and name."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self.arrays = {key: data[key] for key in data.files if key != "head"}
            self.head = json.loads(str(data["head"]))
        if self.head.get("format") != FORMAT:
            raise ValueError(f"{path.name}: format {self.head.get('format')!r}, allowed: {FORMAT}")

    def of(self, entry: Entry, group: str = "") -> dict[str, Any]:
        """Return the arrays of one entry (or of a group of them) by their short names."""
        prefix = entry["key"] + "/" + (group and group + "/")
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Built:
    """A network ready to run.

    Args:
        neurons: population -> its process.
        process: what to run.
        written: (population, ``spikes`` or a variable) -> the file it will be written to.
        models: process of ours -> the class that runs it.
    """

    neurons: dict[str, Any]
    process: Any
    written: dict[tuple[str, str], Path]
    models: dict[Any, type]

    def config(self) -> Any:
        """Return how Lava is to run it: in integers, ours by the models they made."""
        return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=self.models)


def neuron(entry: Entry, tables: Tables) -> Any:
    """Return the process of one population."""
    if entry["kind"] != "OpListNeuron":
        return stock.neuron(entry, tables.of(entry, "given"), tables.of(entry, "start"))
    params, state = tables.of(entry, "param"), tables.of(entry, "state")
    named = {name: entry[name] for name in ("ops", "ports", "noise")}
    return OpListNeuron(label=entry["name"], params=params, state=state, **named)


def connect(entry: Entry, arrays: Arrays, sender: Any, receiver: Any) -> Any:
    """Create the process of one projection between an OutPort and an InPort, and return it."""
    if entry["kind"] == "Conv":
        process = stock.convolution(entry, arrays)
        stock.as_plane(sender, entry["plane"], entry["axes"]).connect(process.s_in)
        stock.as_row(process.a_out, entry["axes_out"]).connect(receiver)
        return process
    if entry["kind"] == "IntegerSynapses":
        names = ("latency", "exponent", "accumulator", "batch", "graded", "narrow")
        process = IntegerSynapses(
            weights=stock.matrix(entry, arrays, "weights"), delays=arrays["delays"],
            **{name: entry[name] for name in names},
        )  # fmt: skip
    else:
        process = stock.connection(entry, arrays)
    sender.connect(process.s_in)
    process.a_out.connect(receiver)
    return process


def build(tables: Tables, n_steps: int, folder: Path, progress: Path | None = None) -> Built:
    """Create and wire all processes.

    Args:
        tables: the exported network.
        n_steps: length of the run.
        folder: for the files of the recorder.
        progress: file that is kept to tell the steps done.
    """
    head = tables.head
    neurons = {e["name"]: neuron(e, tables) for e in head["neurons"]}
    sources = {e["name"]: stock.source(tables.of(e), n_steps) for e in head["sources"]}
    for entry in head["directs"]:
        target = getattr(neurons[entry["population"]], port_name(entry["port"]))
        stock.source(tables.of(entry), n_steps).s_out.connect(target)
    processes = list(neurons.values())
    for entry in head["synapses"]:
        pre = sources[entry["pre"]] if entry["external"] else neurons[entry["pre"]]
        target = getattr(neurons[entry["post"]], port_name(entry["port"]))
        processes.append(connect(entry, tables.of(entry), pre.s_out, target))
    written: dict[tuple[str, str], Path] = {}
    spikes, variables = [], []
    for i, entry in enumerate(head["neurons"]):
        name, process = entry["name"], neurons[entry["name"]]
        written[name, "spikes"] = folder / f"{i}-spikes.npy"
        spikes.append((name, process.s_out, written[name, "spikes"], entry["limit"]))
        files = {v: folder / f"{i}-{k}.npy" for k, v in enumerate(set(entry["record"].values()))}
        variables += [(getattr(process, v), file) for v, file in files.items()]
        written |= {(name, variable): files[v] for variable, v in entry["record"].items()}
    recorder = Recorder(n_steps=n_steps, spikes=spikes, variables=variables, progress=progress)
    ours = [p for p in (*processes, recorder) if isinstance(p, OURS)]
    return Built(neurons, recorder, written, {p: p.lava_model() for p in ours})


def announce_failures() -> None:
    """Make every Lava process print the traceback it dies of.

    Lava logs it at INFO, which is hidden by default, and only after the other processes have ended,
    which some failures keep them from.
    """
    original = lava_runtime.target_fn

    def loud(*args: Any, **kwargs: Any) -> None:
        try:
            original(*args, **kwargs)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            raise

    lava_runtime.target_fn = loud


def run(
    path: Path, n_steps: int | None, progress: Path | None = None
) -> dict[tuple[str, str], Any]:
    """Run the network of ``network.npz``.

    Returns:
        (population, ``spikes`` or a variable) -> integers ``(n_steps, n)``, or
        ``(batch, n_steps, n)`` where the network was exported with a batch.
    """
    tables = Tables(path)
    n_steps = n_steps or int(tables.head["n_steps"])
    announce_failures()
    with tempfile.TemporaryDirectory(prefix="neuro-lif-lava-rows-") as folder:
        built = build(tables, n_steps, Path(folder), progress)
        built.process.run(RunSteps(num_steps=n_steps), built.config())
        found = {key: np.load(file) for key, file in built.written.items()}
        built.process.stop()
    batch = tables.head["batch"]
    return {key: rows if batch is None else _unstack(rows, batch) for key, rows in found.items()}


def _unstack(rows: Any, batch: int) -> Any:
    """Return ``(batch, n_steps, n)`` from ``(n_steps, batch * n)``."""
    return np.ascontiguousarray(rows.reshape(len(rows), batch, -1).transpose(1, 0, 2))
