"""Read ``.nir`` files of nir 0.1.1 to 1.0.8, also those that the ``nir`` package refuses.

Source: ``nir/serialization.py`` of nir 1.0.8, for the layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, NetworkError, show
from .fields import Array, Shape, is_name
from .hdf import MOST_BYTES, MOST_EDGES, MOST_OBJECTS, expect_limits, read_tree
from .model import KINDS, Edge, NIRGraph
from .nodes import Input, Node, Output
from .repairs import Draft, mend
from .report import Findings, Report
from .shapes import shape_in, shape_out

OLDEST, NEWEST = (0, 1, 1), (1, 0, 8)
_ZEROS, _ONES = ("v_reset",), ("w_in",)


@dataclass(frozen=True)
class Read:
    """A graph that came from a file, and what was mended or assumed on the way.

    Args:
        graph: the graph.
        report: what was done to the file's content.
    """

    graph: NIRGraph
    report: Report


def read(path: str | Path, *, max_bytes: int = MOST_BYTES, max_objects: int = MOST_OBJECTS) -> Read:
    """Read a ``.nir`` file; what is wrong in it is mended where only one meaning is left.

    Args:
        path: the file.
        max_bytes: bytes of arrays that may be read, so that a small hostile file cannot fill the
            memory.
        max_objects: groups and datasets that may be read.

    Returns:
        The graph, and the report that names each repair and each assumption.

    Raises:
        FileFormatError: the file is missing, damaged, or holds what NIR does not know or what has
            no single meaning; the message names file, node and field.
        RangeError: max_bytes or max_objects is no whole number >= 1.
        TargetError: h5py is not installed.
    """
    path = expect_path(path, "nir.read")
    expect_limits("nir.read", max_bytes, max_objects)
    tree = read_tree(path, max_bytes, max_objects)
    findings = Findings(room=max_bytes)
    try:
        version = _version(tree.root, findings)
        graph = _root(tree.root, findings)
    except NetworkError as error:
        raise FileFormatError(f"{str(path)!r}: {error}") from None
    except MemoryError:
        raise FileFormatError(f"{str(path)!r}: more memory is needed than there is") from None
    for where, field, text in tree.unread:
        findings.note(where, field, text)
    return Read(graph, Report(str(path), version, tuple(findings.found)))


def _version(tree: dict[str, Any], findings: Findings) -> str:
    unknown = sorted(tree.keys() - {"version", "node"})
    if unknown == ["nodes"]:
        raise NetworkError(
            "the file: field 'nodes': recorded traces (NIRData), allowed: a graph in 'node'"
        )
    if unknown:
        raise NetworkError(f"the file: field {show(unknown[0])}, allowed: 'version' and 'node'")
    version = tree.get("version", "")
    if not version:
        findings.assume("", "version", "not said, taken as 1.0.8")
        return ""
    if not isinstance(version, str):
        raise NetworkError(f"the file: field 'version' = {show(version)}, allowed: a text")
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", version)
    if numbers is None:
        raise NetworkError(f"the file: field 'version' = {show(version)}, allowed: such as '1.0.8'")
    if not OLDEST <= tuple(int(n or 0) for n in numbers.groups()) <= NEWEST:
        findings.note("", "version", f"{version} is not one of 0.1.1 to 1.0.8; read as 1.0.8")
    return version


def _root(tree: dict[str, Any], findings: Findings) -> NIRGraph:
    node = _node(tree.get("node"), "", findings)
    if isinstance(node, NIRGraph):
        return node
    given = shape_in(node)
    made = shape_out(node, given)
    if given is None or made is None or isinstance(node, (Input, Output)):
        raise NetworkError(f"graph: field 'type' = {type(node).__name__!r}, allowed: 'NIRGraph'")
    findings.repair("", "type", f"a lone {type(node).__name__}: a graph was made around it")
    nodes = {"input": Input(given), "node": node, "output": Output(made)}
    return NIRGraph(nodes, (("input", "node"), ("node", "output")))


def _title(where: str) -> str:
    return f"node {show(where, 200)}" if where else "graph"


def _node(tree: Any, where: str, findings: Findings) -> Node:
    """Return the node of a group."""
    title = _title(where)
    if not isinstance(tree, dict):
        raise NetworkError(f"{title}: field 'type' is missing, allowed: a group with a type")
    name = tree.get("type")
    if not isinstance(name, str) or name not in KINDS:
        raise NetworkError(
            f"{title}: field 'type' = {show(name)}, allowed: {', '.join(sorted(KINDS))}"
        )
    metadata = tree.get("metadata", {})
    if not isinstance(metadata, dict):
        raise NetworkError(f"{title}: field 'metadata' = {show(metadata)}, allowed: a group")
    known = {f.name for f in fields(KINDS[name])} | {"type", "metadata"}
    unknown = sorted(tree.keys() - known)
    if unknown:
        allowed = ", ".join(sorted(known))
        raise NetworkError(
            f"{title} ({name}): field {show(unknown[0])} is not known, allowed: {allowed}"
        )
    if name == "NIRGraph":
        return _graph(tree, where, metadata, findings)
    values = _values(tree, name, where, findings)
    try:
        return KINDS[name](**values, metadata=metadata)
    except NetworkError as error:
        lines = "\n  ".join(
            f"{title} ({name}): {_field(line, name)}" for line in str(error).split("\n")
        )
        raise NetworkError(lines) from None


def _field(line: str, name: str) -> str:
    """Return a fault of a node with the word 'field' before the name."""
    return "field " + line.strip().removeprefix(name).removeprefix(":").lstrip()


def _values(tree: dict[str, Any], name: str, where: str, findings: Findings) -> dict[str, Any]:
    """Return the fields of a node; those that old files do not have get what nir gives them."""
    values: dict[str, Any] = {}
    like = _widest(tree, name, where, findings)
    for item in fields(KINDS[name]):
        if item.name == "metadata":
            continue
        if item.name in tree:
            values[item.name] = tree[item.name]
        elif item.name in (*_ZEROS, *_ONES) and like is not None:
            value = 0.0 if item.name in _ZEROS else 1.0
            values[item.name] = _full(
                findings, (where, name, item.name), like.shape, value, like.dtype
            )
            findings.assume(where, item.name, f"not in the file, taken as {value:g}, as nir does")
        elif item.name == "bias":
            weight = tree.get("weight")
            values["bias"] = _no_bias(weight, name, where, findings)
            findings.assume(where, "bias", "not in the file, taken as 0")
        elif item.name in ("input_shape", "input_type"):
            values[item.name] = None  # what comes in says it, and the repairs then report it
        elif item.default is not MISSING:
            values[item.name] = item.default
            findings.assume(where, item.name, f"not in the file, taken as {item.default}")
        else:
            raise NetworkError(f"{_title(where)} ({name}): field {item.name!r} is missing")
    return values


def _full(
    findings: Findings, at: tuple[str, str, str], shape: Shape, value: Any, dtype: Any
) -> Array:
    """Return an array of one value for a field (node, type, field)."""
    try:
        return findings.full(shape, value, dtype)
    except NetworkError as error:
        raise NetworkError(f"{_title(at[0])} ({at[1]}): field {at[2]!r}: {error}") from None


def _no_bias(weight: Any, name: str, where: str, findings: Findings) -> Any:
    if not isinstance(weight, np.ndarray) or weight.ndim < 2:
        return np.zeros(1)  # what is wrong with the weights is said where they are checked
    dtype = weight.dtype if weight.dtype.kind == "f" else np.dtype(float)
    shape = weight.shape[:1] if name.startswith("Conv") else weight.shape[:-1]
    return _full(findings, (where, name, "bias"), shape, 0, dtype)


def _widest(tree: dict[str, Any], name: str, where: str, findings: Findings) -> Any:
    """Spread scalars over the layer in place; return an array of the layer's shape."""
    alike = [f for f in KINDS[name].ALIKE if isinstance(tree.get(f), np.ndarray)]
    if not alike:
        return None
    widest = max((tree[f] for f in alike), key=lambda a: (a.size, a.ndim))
    layer = widest.shape or (1,)
    for field in alike:
        array = tree[field]
        if array.shape == layer:
            continue
        if array.size == 1:
            tree[field] = _full(
                findings, (where, name, field), layer, array.reshape(())[()], array.dtype
            )
            findings.repair(
                where, field, f"one value for a layer of shape {layer}: each neuron has it"
            )
        elif array.size == widest.size and [s for s in array.shape if s != 1] == [
            s for s in layer if s != 1
        ]:
            tree[field] = array.reshape(layer)
            findings.repair(
                where, field, f"shape {array.shape} taken as {layer}, as the others have"
            )
    numbers = [tree[f] for f in alike if tree[f].shape == layer and tree[f].dtype.kind == "f"]
    return numbers[0] if numbers else np.zeros(layer)


def _graph(
    tree: dict[str, Any], where: str, metadata: Mapping[str, Any], findings: Findings
) -> NIRGraph:
    title = _title(where)
    children, edges = tree.get("nodes"), tree.get("edges", ())
    if not isinstance(children, dict):
        raise NetworkError(
            f"{title} (NIRGraph): field 'nodes' = {show(children)}, allowed: a group"
        )
    for name in children:
        if not is_name(name):
            raise NetworkError(f"{title} (NIRGraph): node {show(name)}, allowed: names without '/'")
    nodes = {
        name: _node(child, f"{where}/{name}" if where else name, findings)
        for name, child in children.items()
    }
    draft = Draft(where, nodes, _edges(edges, title), findings)
    try:
        return mend(draft, metadata)
    except NetworkError as error:
        text = str(error).removeprefix("NIRGraph: ")
        if text.startswith("node "):
            raise NetworkError(f"in {title}: {text}" if where else text) from None
        field = "field 'edges': " if text.startswith("edge ") else "field "
        raise NetworkError(f"{title} (NIRGraph): {field}{text}") from None


def _edges(value: Any, title: str) -> list[Edge]:
    if isinstance(value, np.ndarray) and value.size == 0:
        return []
    allowed = f"at most {MOST_EDGES} pairs of names"
    if not isinstance(value, tuple) or len(value) > MOST_EDGES:
        raise NetworkError(f"{title} (NIRGraph): field 'edges' = {show(value)}, allowed: {allowed}")
    found: list[Edge] = []
    for item in value:
        if (
            not isinstance(item, tuple)
            or len(item) != 2
            or not all(isinstance(e, str) for e in item)
        ):
            raise NetworkError(
                f"{title} (NIRGraph): field 'edges' = {show(item)}, allowed: {allowed}"
            )
        found.append((item[0], item[1]))
    return found
