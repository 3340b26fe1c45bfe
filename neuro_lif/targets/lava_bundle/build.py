"""Builds the Lava processes an exported ``network.npz`` describes, wires and runs them."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lava.magma.runtime.runtime as lava_runtime
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from . import FORMAT
from .processes import IntegerSynapses, OpListNeuron, Recorder

Arrays = Mapping[str, Any]


class Tables:
    """An exported network: ``head`` says what there is, arrays are looked up by entry and name."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self.arrays = {key: data[key] for key in data.files if key != "head"}
            self.head = json.loads(str(data["head"]))
        if self.head.get("format") != FORMAT:
            raise ValueError(f"{path.name}: format {self.head.get('format')!r}, allowed: {FORMAT}")

    def of(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arrays of one entry by their short names."""
        prefix = entry["key"] + "/"
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}


def neuron(entry: Mapping[str, Any], arrays: Arrays) -> Any:
    """Return the process of one population."""
    if entry["kind"] == "LIF":
        scalars = {name: int(entry[name]) for name in ("du", "dv", "vth")}
        named = {name: arrays[name] for name in ("u", "v", "bias_mant", "bias_exp")}
        return LIF(shape=arrays["u"].shape, **scalars, **named)
    params, state = _group(arrays, "param"), _group(arrays, "state")
    return OpListNeuron(
        ops=entry["ops"], params=params, state=state, voltage=entry["voltage"],
        current=entry["current"],
    )  # fmt: skip


def _group(arrays: Arrays, name: str) -> dict[str, Any]:
    return {k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith(name + "/")}


def synapses(entry: Mapping[str, Any], arrays: Arrays) -> Any:
    """Return the process of one projection."""
    weights = _matrix(entry, arrays, "weights")
    if entry["kind"] == "IntegerSynapses":
        return IntegerSynapses(
            weights=weights, delays=arrays["delays"], latency=entry["latency"],
            exponent=entry["exponent"], accumulator=entry["accumulator"], batch=entry["batch"],
            graded=entry["graded"],
        )  # fmt: skip
    coding = {
        "weight_exp": entry["weight_exp"],
        "num_weight_bits": entry["num_weight_bits"],
        "sign_mode": SignMode[entry["sign_mode"]],
        "num_message_bits": entry["num_message_bits"],
    }
    if not entry["kind"].startswith("Delay"):
        return {"Dense": Dense, "Sparse": Sparse}[entry["kind"]](weights=weights, **coding)
    # Lava wants the dtype to be Python's int and nothing else
    delays = _matrix(entry, arrays, "delays").astype(int)
    kind = {"DelayDense": DelayDense, "DelaySparse": DelaySparse}[entry["kind"]]
    return kind(weights=weights, delays=delays, max_delay=entry["max_delay"], **coding)


def _matrix(entry: Mapping[str, Any], arrays: Arrays, name: str) -> Any:
    if "indptr" not in arrays:
        return arrays[name]
    parts = (arrays[name], arrays["indices"], arrays["indptr"])
    return csr_matrix(parts, shape=tuple(entry["shape"]))


def source(arrays: Arrays, n_steps: int) -> Any:
    """Return a source that plays ``(n, n_steps)`` int32 once (Lava's buffer repeats by itself)."""
    raster = arrays["raster"]
    played = np.zeros((raster.shape[0], n_steps), np.int32)
    kept = min(n_steps, raster.shape[1])
    played[:, :kept] = raster[:, :kept]
    return RingBuffer(data=played)


def build(tables: Tables, n_steps: int, folder: Path) -> tuple[Any, dict[tuple[str, str], Path]]:
    """Create and wire all processes.

    Returns:
        A process to run, and where (population, ``spikes`` | ``u`` | ``v``) will be written.
    """
    head = tables.head
    neurons = {e["name"]: neuron(e, tables.of(e)) for e in head["neurons"]}
    sources = {e["name"]: source(tables.of(e), n_steps) for e in head["sources"]}
    for entry in head["directs"]:
        source(tables.of(entry), n_steps).s_out.connect(neurons[entry["population"]].a_in)
    for entry in head["synapses"]:
        process = synapses(entry, tables.of(entry))
        pre = sources[entry["pre"]] if entry["external"] else neurons[entry["pre"]]
        pre.s_out.connect(process.s_in)
        process.a_out.connect(neurons[entry["post"]].a_in)
    written: dict[tuple[str, str], Path] = {}
    last = None
    for i, entry in enumerate(head["neurons"]):
        variables = ["spikes", *entry["record"]]
        files = {name: folder / f"{i}-{name}.npy" for name in variables}
        written |= {(entry["name"], name): path for name, path in files.items()}
        recorder = _recorder(neurons[entry["name"]], files, n_steps)
        if last is not None:
            last.link_out.connect(recorder.link_in)
        last = recorder
    return last, written


def _recorder(process: Any, files: Mapping[str, Path], n_steps: int) -> Any:
    n = int(np.prod(process.s_out.shape))
    paths = {name: str(path) for name, path in files.items()}
    recorder = Recorder(n=n, n_steps=n_steps, files=paths)
    process.s_out.connect(recorder.s_in)
    for name in ("u", "v"):
        if name in files:
            getattr(recorder, name).connect_var(getattr(process, name))
    return recorder


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


def run(path: Path, n_steps: int | None) -> dict[tuple[str, str], Any]:
    """Run the network of ``network.npz``.

    Returns:
        (population, ``spikes`` | ``u`` | ``v``) -> integers ``(n_steps, n)``, or
        ``(batch, n_steps, n)`` where the network was exported with a batch.
    """
    tables = Tables(path)
    n_steps = n_steps or int(tables.head["n_steps"])
    announce_failures()
    with tempfile.TemporaryDirectory(prefix="neuro-lif-lava-rows-") as folder:
        process, written = build(tables, n_steps, Path(folder))
        process.run(RunSteps(num_steps=n_steps), Loihi2SimCfg(select_tag="fixed_pt"))
        found = {key: np.load(file) for key, file in written.items()}
        process.stop()
    batch = tables.head["batch"]
    return {key: rows if batch is None else _unstack(rows, batch) for key, rows in found.items()}


def _unstack(rows: Any, batch: int) -> Any:
    """Return ``(batch, n_steps, n)`` from ``(n_steps, batch * n)``."""
    return np.ascontiguousarray(rows.reshape(len(rows), batch, -1).transpose(1, 0, 2))
