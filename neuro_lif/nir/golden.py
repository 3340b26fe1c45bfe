"""Golden traces of a run in NIR's own containers: NIRData beside the graph, the rule in metadata.

Source: nir 1.0.8 ``write_data`` / ``read_data`` (``nir/serialization.py``, since 1.0.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import FileFormatError, show
from ..npz import replacing
from .fields import Array
from .hdf import import_h5py
from .model import NIRGraph
from .rules import KEY, NirRule
from .runner import NirRun


def with_rule(graph: NIRGraph, ran: NirRun) -> NIRGraph:
    """Return the graph with the step and the switches of a run in its metadata.

    :func:`run` takes them where it is given no rule; to others metadata have no meaning.

    Raises:
        RangeError: these are no graph and no run.
    """
    expect(graph, NIRGraph, "nir.with_rule")
    expect(ran, NirRun, "nir.with_rule")
    return replace(graph, metadata={**graph.metadata, KEY: rule_entry(ran.rule, ran.dt)})


def rule_entry(rule: NirRule, dt: float) -> dict[str, Any]:
    """Return what metadata say of a rule, so that :func:`run` takes it where it is given none."""
    said = {name: _said(value) for name, value in rule.switches().items() if value is not None}
    return {**said, "rule": rule.name, "dt": dt}


def _said(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, tuple) else value


def write_data(path: str | Path, ran: NirRun, inputs: Mapping[str, Array] | None = None) -> None:
    """Write all spikes, voltages, currents and outputs of a run as NIRData.

    Each node has observables ``spikes``, ``voltage``, ``current`` and ``output``, of shape
    (1 sample, n_steps, neurons), neurons in C order. ``nir.read_data`` of the ``nir`` package
    reads them, as does :func:`read_data`.

    Args:
        path: the file.
        ran: the run.
        inputs: what it was fed, Input name -> ``(n_steps, *shape)``: the ``output`` of these nodes.

    Raises:
        FileFormatError: the file cannot be written.
        RangeError: that is no run.
        TargetError: h5py is not installed.
    """
    expect(ran, NirRun, "nir.write_data")
    path = expect_path(path, "nir.write_data")
    h5py = import_h5py()
    tree: dict[str, Any] = {}
    kinds = {kind: getattr(ran, kind) for kind in ("spikes", "voltage", "current", "outputs")}
    kinds["output"] = inputs or {}
    for kind, found in kinds.items():
        for name, array in found.items():
            *graphs, node = name.split("/")
            group = tree
            for inner in graphs:
                group = group.setdefault(inner, {})
            group.setdefault(node, _Node())[
                kind.removesuffix("s") if kind == "outputs" else kind
            ] = array
    try:
        with replacing(path) as temporary, h5py.File(temporary, "w") as file:
            _graph(file, tree, ran.dt)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        text = show(str(error), 200)
        raise FileFormatError(f"{str(path)!r}: cannot be written: {text}") from None


class _Node(dict[str, Array]):
    """The observables of one node; a plain dict is a graph."""


def _graph(group: Any, tree: dict[str, Any], dt: float) -> None:
    group.attrs["__type__"] = "NIRGraphData"
    nodes = group.create_group("nodes")
    for name, item in tree.items():
        inner = nodes.create_group(name)
        if not isinstance(item, _Node):
            _graph(inner, item, dt)
            continue
        inner.attrs["__type__"] = "NIRNodeData"
        seen = inner.create_group("observables")
        for kind, array in item.items():
            one = seen.create_group(kind)
            one.attrs["__type__"] = "TimeGriddedData"
            one.attrs["dt"] = dt
            data = np.asarray(array).reshape(1, len(array), -1)
            one.create_dataset("data", data=data, compression="gzip" if data.size else None)
