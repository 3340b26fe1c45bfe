"""Lava's process models in this process: built by its own builder, ``run_spk`` called here."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lava.magma.compiler.builders.py_builder import PyProcessBuilder
    from lava.magma.compiler.utils import VarInitializer
    from lava.magma.core.model.py.type import LavaPyType
    from lava.proc.dense.models import PyDelayDenseModelBitAcc
    from lava.proc.sparse.models import PyDelaySparseModelBitAcc

from .lava_processes import MODELS, PY_MODELS, check_wire, connection, is_wire, neurons
from .schema import Trace, Unsupported, Vector, check_network, raster_of, rows_of


class _Port:
    """Stands for a port of a process model: holds what was sent, gives what was put in."""

    def __init__(self, dtype: Any = None) -> None:
        self.dtype, self.value = dtype, None

    def recv(self) -> Any:
        return self.value

    def send(self, data: Any) -> None:
        # a channel of Lava stores in the type of the sending port
        self.value = np.asarray(data).astype(self.dtype)


def in_process(process: Any) -> Any:
    """Return the model that Lava's builder makes of a stock process, with stand-ins for ports."""
    kind = PY_MODELS[type(process)]
    builder = PyProcessBuilder(kind, 0, process.proc_params)
    builder.set_variables([VarInitializer(v.name, v.shape, v.init, v.id) for v in process.vars])
    model = builder.build()
    for port in ("a_in", "s_in", "s_out", "a_out"):
        stated = getattr(kind, port, None)
        if isinstance(stated, LavaPyType):
            setattr(model, port, _Port(stated.d_type))
    return model


class InProcess:
    """One stock neuron model of Lava, for volume.

    Args:
        population: as in a vector; parameters and starts may be numpy arrays.
    """

    def __init__(self, population: dict[str, Any]) -> None:
        self.registers = MODELS[population["model"]][2]
        self.model = in_process(neurons(population))
        self.time_step = 0

    def step(self, arriving: Any) -> Any:
        """Advance one step; ``arriving`` is ``(n,)`` of 32 bits. Return what is sent."""
        self.time_step += 1
        self.model.time_step = self.time_step
        self.model.a_in.value = arriving
        self.model.run_spk()
        return self.model.s_out.value

    def __getitem__(self, register: str) -> Any:
        """Return a register, ``(n,)``."""
        return getattr(self.model, register)


def run_direct(vector: Vector, arriving: bool = False) -> Trace:
    """Run one vector by the ``run_spk`` of Lava's models: no runtime, no channels.

    Connections send what they hold and then take in the spikes of the step; so what they hold is
    read before the neurons run, and their ``run_spk`` is called after.

    Args:
        vector: a conformance vector.
        arriving: also return, as variable ``a_in``, what each population receives.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, about how Lava fills a sparse matrix
        rows = _run_direct(check_network(vector), int(vector["n_steps"]))
    return {
        name: {k: v for k, v in variables.items() if arriving or k != "a_in"}
        for name, variables in rows.items()
    }


def _run_direct(network: dict[str, Any], n_steps: int) -> Trace:
    cells = {p["name"]: InProcess(p) for p in network["populations"]}
    sizes = {p["name"]: int(p["size"]) for p in network["populations"]}
    played = {s["name"]: raster_of(s, n_steps, s["size"]) for s in network.get("inputs", ())}
    directs = [(d["population"], raster_of(d, n_steps, sizes[d["population"]]))
               for d in network.get("directs", ())]  # fmt: skip
    wires = [p for p in network.get("projections", ()) if is_wire(p)]
    for wire in wires:
        check_wire(wire)
    processes = [(p, connection(p)) for p in network.get("projections", ()) if not is_wire(p)]
    links = [(p, in_process(process), process.s_in.shape) for p, process in processes]
    order = _wired_order(list(cells), wires)
    rows: dict[str, dict[str, list[Any]]] = {
        name: {k: [] for k in (*cell.registers, "s", "a_in")} for name, cell in cells.items()
    }
    for t in range(n_steps):
        sent: dict[str, Any] = {name: raster[t].astype(np.int32) for name, raster in played.items()}
        arriving = {name: np.zeros(size, np.int32) for name, size in sizes.items()}
        for name, raster in directs:
            arriving[name] = arriving[name] + raster[t].astype(np.int32)
        for p, link, _ in links:
            arriving[p["post"]] = arriving[p["post"]] + _held(link)
        for name in order:
            for wire in wires:
                if wire["post"] == name:
                    arriving[name] = arriving[name] + sent[wire["pre"]]
            sent[name] = cells[name].step(arriving[name])
            for register in cells[name].registers:
                rows[name][register].append(np.array(cells[name][register]))
            rows[name]["s"].append(np.array(sent[name]))
            rows[name]["a_in"].append(arriving[name])
        for p, link, shape in links:
            link.s_in.value = sent[p["pre"]].reshape(shape)
            link.run_spk()
    return {
        name: {k: rows_of(np.array(v)) for k, v in variables.items()}
        for name, variables in rows.items()
    }


def _held(link: Any) -> Any:
    """Return what a connection will send in this step, ``(n_post,)`` of 32 bits."""
    held = link.a_buf if hasattr(link, "a_buf") else link.a_buff
    delayed = isinstance(link, PyDelayDenseModelBitAcc | PyDelaySparseModelBitAcc)
    return np.asarray(held[:, 0] if delayed else held).ravel().astype(np.int32)


def _wired_order(names: list[str], wires: list[dict[str, Any]]) -> list[str]:
    """Return the populations so that a wire always leads forward."""
    order: list[str] = []
    while len(order) < len(names):
        ready = [
            n
            for n in names
            if n not in order
            and all(w["pre"] in order or w["pre"] not in names for w in wires if w["post"] == n)
        ]
        if not ready:
            raise Unsupported("wires in a circle")
        order.append(ready[0])
    return order
