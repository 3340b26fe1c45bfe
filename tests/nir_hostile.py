"""More hostile NIR files: every field of every primitive, and what fills memory or time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from nir_graphs import skeleton, text

from neuro_lif import nir

Maker = Callable[[Any], None]
ONES = np.ones(3)
PRIMITIVES: dict[str, nir.Node] = {
    "Affine": nir.Affine(np.ones((3, 3)), ONES),
    "Linear": nir.Linear(np.ones((3, 3))),
    "Scale": nir.Scale(ONES),
    "Conv1d": nir.Conv1d(4, np.ones((2, 2, 3)), 1, 1, 1, 1, np.ones(2)),
    "Conv2d": nir.Conv2d((4, 4), np.ones((2, 2, 3, 3)), 1, 1, 1, 1, np.ones(2)),  # type: ignore[arg-type]
    "SumPool2d": nir.SumPool2d((2, 2), (2, 2), (0, 0)),
    "AvgPool2d": nir.AvgPool2d((2, 2), (2, 2), (0, 0)),
    "Flatten": nir.Flatten((2, 4, 4), 0, -1),
    "Delay": nir.Delay(ONES),
    "Threshold": nir.Threshold(ONES),
    "I": nir.I(ONES),
    "IF": nir.IF(*[ONES] * 3),
    "LI": nir.LI(*[ONES] * 3),
    "LIF": nir.LIF(*[ONES] * 5),
    "CubaLI": nir.CubaLI(*[ONES] * 5),
    "CubaLIF": nir.CubaLIF(*[ONES] * 7),
}
IMAGES = dict.fromkeys(("Conv2d", "SumPool2d", "AvgPool2d", "Flatten"), (2, 4, 4))
SHAPES: dict[str, tuple[int, ...]] = {"Conv1d": (2, 4), **IMAGES}
WRONG: dict[str, Any] = {
    "nan": np.array([np.nan]),
    "infinite": np.full((3, 3), np.inf),
    "text": "three",
    "texts": ["a", "b"],
    "nothing": np.ones(0),
    "complex": np.ones(3, complex),
    "record": np.ones(3, [("a", float)]),
    "null": h5py.Empty("f8"),
    "vlen": np.array([np.ones(2), np.ones(3)], dtype=object),
    "long double": np.ones(3, np.longdouble),
}


def whole(kind: str) -> nir.NIRGraph:
    """A valid graph around one primitive."""
    from neuro_lif.nir.shapes import shape_out

    shape = SHAPES.get(kind, (3,))
    made = shape_out(PRIMITIVES[kind], shape)
    assert made is not None
    nodes = {"input": nir.Input(shape), "a": PRIMITIVES[kind], "output": nir.Output(made)}
    return nir.NIRGraph(nodes, (("input", "a"), ("a", "output")))


def spoiled(kind: str, path: Path) -> Iterator[str]:
    """Write a valid file, then with each field wrong in each way; yield the field each time."""
    nir.write(path, whole(kind))
    good = path.read_bytes()
    for name in PRIMITIVES[kind].CHECKS:
        for value in [*WRONG.values(), "group"]:
            path.write_bytes(good)
            with h5py.File(path, "r+") as file:
                a = file["node/nodes/a"]
                del a[name]
                if isinstance(value, str) and value == "group":
                    a.create_group(name)
                elif isinstance(value, np.ndarray) and value.dtype == object:
                    a.create_dataset(name, data=value, dtype=h5py.vlen_dtype("f8"))
                else:
                    a.create_dataset(name, data=value)
            yield name


def greedy() -> Iterator[tuple[str, Maker, str]]:
    """(name, what makes the file, what the error must name)."""
    yield "one value for a billion", lambda f: _spread(f, (2**31 - 1,)), "'a'"
    yield "one value for more than memory", lambda f: _spread(f, (2**31 - 1,) * 4), "'a'"
    yield "no bias for a billion channels", _no_bias, "bias"
    yield "large chunks often", _chunks, "metadata/0"
    yield "long names deep down", _long_names, "metadata"
    yield "two shapes into a pool", _two_shapes, "'more'"
    yield "an edge into an Input", lambda f: skeleton(f, edges=[("a", "input")]), "'input'"
    yield "an edge into one of two ports", _two_ports, "'G.B'"
    yield "recorded traces", _traces, "NIRData"
    yield "many edges that name no node", _lost_edges, "'zz'"
    yield "name that is no text", lambda f: skeleton(f).create_group(b"\xff\xfe"), "'a'"
    yield "named type", _named_type, "tau"
    yield "references", _reference, "tau"
    yield "enumeration", _enumeration, "tau"
    yield "negative shape", lambda f: _reshaped(f, "input", [-3]), "shape"
    yield "shape of 41 axes", lambda f: _reshaped(f, "input", [3] + [1] * 40), "shape"
    yield "shape too large", lambda f: _reshaped(f, "input", np.array([2**63], "u8")), "shape"
    yield "shape of fractions", lambda f: _reshaped(f, "input", [3.5]), "shape"


def _reshaped(file: Any, name: str, shape: Any) -> None:
    if "node" not in file:
        skeleton(file)
    del file[f"node/nodes/{name}/shape"]
    file[f"node/nodes/{name}"].create_dataset("shape", data=np.array(shape))


def _spread(file: Any, shape: tuple[int, ...]) -> None:
    skeleton(file, **dict.fromkeys(("tau", "r", "v_leak", "v_threshold", "v_reset"), np.ones(1)))
    _reshaped(file, "input", shape)
    _reshaped(file, "output", shape)


def _no_bias(file: Any) -> None:
    a = skeleton(file, "Conv2d")
    del a["weight"], a["bias"]
    a.create_dataset("weight", shape=(2**33, 1, 0, 3), dtype="f8")


def _chunks(file: Any) -> None:
    """A thousand datasets of one value, each in a chunk of 64 MiB."""
    group = skeleton(file).create_group("metadata")
    one = group.create_dataset(
        "0", shape=(2**23,), maxshape=(None,), dtype="f8", chunks=(2**23,), compression="gzip"
    )
    one[...] = 1.0
    one.resize((1,))
    for k in range(1, 1000):
        group[f"0{k}"] = one


def _long_names(file: Any) -> None:
    group = skeleton(file).create_group("metadata")
    for _ in range(25):
        group = group.create_group("x" * 60000)
    for k in range(300):
        group.create_group(str(k))


def _end(file: Any, name: str, kind: str, shape: Any, where: str = "node/nodes") -> None:
    end = file[where].create_group(name)
    text(end, "type", kind)
    end.create_dataset("shape", data=np.array(shape))


def _edges(file: Any, pairs: list[tuple[str, str]], where: str = "node") -> None:
    if "edges" in file[where]:
        del file[f"{where}/edges"]
    data = np.array(pairs, dtype=object)
    file[where].create_dataset("edges", data=data, dtype=h5py.string_dtype())


def _two_shapes(file: Any) -> None:
    skeleton(file)
    del file["node/nodes/a"]
    a = file["node/nodes"].create_group("a")
    text(a, "type", "SumPool2d")
    for name, value in (("kernel_size", 2), ("stride", 2), ("padding", 0)):
        a.create_dataset(name, data=[value, value])
    _reshaped(file, "input", [1, 8, 8])
    _reshaped(file, "output", [1, 4, 4])
    _end(file, "more", "Input", [1, 6, 6])
    _edges(file, [("input", "a"), ("more", "a"), ("a", "output")])


def _two_ports(file: Any) -> None:
    skeleton(file)
    graph = file["node/nodes"].create_group("G")
    text(graph, "type", "NIRGraph")
    graph.create_group("nodes")
    for name, kind in (("B", "Input"), ("C", "Input"), ("D", "Output")):
        _end(file, name, kind, [3], "node/nodes/G/nodes")
    _edges(file, [("B", "D"), ("C", "D")], "node/nodes/G")
    _edges(file, [("input", "a"), ("a", "G.B"), ("input", "G.C"), ("G", "output")])


def _traces(file: Any) -> None:
    file.attrs["__type__"] = "NIRGraphData"
    file.create_group("nodes")


def _lost_edges(file: Any) -> None:
    """Each of 20,000 edges names a node that could be one of 300."""
    skeleton(file)
    for k in range(300):
        node = file["node/nodes"].create_group(f"n{k}_1")
        text(node, "type", "Scale")
        node.create_dataset("scale", data=ONES)
    pairs = [(f"n{k % 300}", f"n{7 * k % 299}") for k in range(20_000)]
    _edges(file, [("input", "a"), ("a", "output"), *pairs, ("zz", "a")])


def _named_type(file: Any) -> None:
    skeleton(file, tau=None)["tau"] = np.dtype("f8")


def _reference(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", (3,), dtype=h5py.ref_dtype)


def _enumeration(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", (3,), dtype=h5py.enum_dtype({"a": 1, "b": 2}))
