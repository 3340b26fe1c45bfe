"""Write a graph as a ``.nir`` file that the ``nir`` package reads too.

Source: ``nir/serialization.py`` of nir 1.0.8, for the layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import FileFormatError, NetworkError, NeuroLifError, show
from ..npz import replacing
from .hdf import import_h5py
from .model import NIRGraph
from .nodes import Input, Node, Output
from .repairs import Draft, mend
from .report import Findings

WRITTEN_AS = "1.0.8"
"""The version of nir whose layout is written."""


def write(path: str | Path, graph: NIRGraph) -> None:
    """Write a graph; the file appears whole or not at all.

    Everything NIR can say is written as it is: ``read(path).graph == graph`` bit for bit. Only
    shapes that are not said (None) are filled in, since the ``nir`` package needs them.

    Args:
        path: the file, usually ``.nir``.
        graph: the graph, nested graphs and metadata included.

    Raises:
        FileFormatError: the file cannot be written, or the graph has something that a reader would
            have to mend; the message names node and field.
        RangeError: that is no NIRGraph.
        TargetError: h5py is not installed.
    """
    expect(graph, NIRGraph, "nir.write")
    path = expect_path(path, "nir.write")
    h5py = import_h5py()
    graph = _complete(graph, "", str(path))
    try:
        with replacing(path) as temporary:
            with h5py.File(temporary, "w", libver="earliest") as file:
                _text(h5py, file, "version", WRITTEN_AS)
                _node(h5py, file.create_group("node"), graph)
    except NeuroLifError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        text = show(str(error), 200)
        raise FileFormatError(f"{str(path)!r}: cannot be written: {text}") from None


def _complete(graph: NIRGraph, where: str, path: str) -> NIRGraph:
    """Return the graph with all shapes said."""
    nodes = {
        name: _complete(node, f"{where}/{name}" if where else name, path)
        if isinstance(node, NIRGraph)
        else node
        for name, node in graph.nodes.items()
    }
    findings = Findings()
    try:
        whole = mend(Draft(where, nodes, list(graph.edges), findings), graph.metadata)
    except NetworkError as error:
        raise FileFormatError(f"{path!r}: cannot be written: {error}") from None
    wrong = [f for f in findings.found if f.kind == "repair"]
    if wrong:
        raise FileFormatError(f"{path!r}: cannot be written as it is: {wrong[0]}")
    return whole


def _text(h5py: Any, group: Any, name: str, value: str) -> None:
    group.create_dataset(name, data=value, dtype=h5py.string_dtype())


def _node(h5py: Any, group: Any, node: Node) -> None:
    _text(h5py, group, "type", type(node).__name__)
    if node.metadata:
        _metadata(h5py, group.create_group("metadata"), node.metadata)
    if isinstance(node, NIRGraph):
        inner = group.create_group("nodes")
        for name, child in node.nodes.items():
            _node(h5py, inner.create_group(name), child)
        edges = np.array(node.edges, dtype=object).reshape(-1, 2)
        group.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
        return
    for item in fields(node):
        value = getattr(node, item.name)
        if item.name != "metadata" and value is not None:
            _value(h5py, group, item.name, value, isinstance(node, (Input, Output)))


def _value(h5py: Any, group: Any, name: str, value: Any, as_array: bool = False) -> None:
    if isinstance(value, str):
        _text(h5py, group, name, value)
    elif isinstance(value, tuple) and (not value or isinstance(value[0], (str, tuple))):
        data = np.array(value, dtype=object)
        group.create_dataset(name, data=data, dtype=h5py.string_dtype())
    elif isinstance(value, np.ndarray) and value.ndim and value.size:
        group.create_dataset(name, data=value, dtype=value.dtype, compression="gzip")
    elif isinstance(value, (tuple, int)) and not as_array:
        group.create_dataset(name, data=np.asarray(value, np.int64))
    else:
        data = np.asarray(value, np.int64) if isinstance(value, (tuple, int)) else value
        group.create_dataset(name, data=data)


def _metadata(h5py: Any, group: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _metadata(h5py, group.create_group(name), value)
        else:
            _value(h5py, group, name, value)
