"""NIR graphs for tests: random ones of every primitive, and damaged or hostile files."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from neuro_lif import nir

DATA = Path(__file__).parent / "data" / "nir"
FILES = sorted(DATA.glob("*/*.nir"))
NAMES = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=8
).filter(lambda s: s != ".")


NAMED = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")


def array(draw: Any, shape: tuple[int, ...], low: float = -3.0, high: float = 3.0) -> Any:
    """Random values, of any type a file can hold, now and then its smallest and largest."""
    seed = draw(st.integers(0, 2**32 - 1))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.float64, np.float16, np.int8]))
    values = np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)
    if dtype == np.int8:
        return values if low < 0 else np.abs(values) + 1
    if draw(st.integers(0, 4)) == 0:
        about = np.finfo(dtype)
        edge = [about.max, about.tiny, about.smallest_subnormal]
        values.flat[0] = draw(st.sampled_from(edge if low >= 0 else [*edge, about.min, -0.0]))
    return values


@st.composite
def metadata(draw: Any, depth: int = 1) -> dict[str, Any]:
    """A few entries of every kind, mostly none."""
    if draw(st.integers(0, 3)):
        return {}
    plain = st.one_of(
        st.text(
            st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12
        ),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.booleans(),
        st.lists(st.floats(width=32), max_size=4).map(np.array),
        st.lists(st.text(NAMED, max_size=5), max_size=3).map(tuple),
        st.integers(0, 255).map(lambda k: np.full((2, 3), k, np.uint8)),
    )
    more = st.one_of(plain, metadata(depth - 1)) if depth else plain
    return draw(st.dictionaries(NAMES, more, max_size=3))


def layer(draw: Any, shape: tuple[int, ...]) -> nir.Node:
    """A neuron or another node that keeps the shape."""
    kind = draw(
        st.sampled_from(
            ["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Scale", "Threshold", "Delay"]
        )
    )
    made = getattr(nir, kind)
    values = {}
    for name in made.CHECKS:
        low = 0.01 if name.startswith("tau") else 0.0 if name == "delay" else -2.0
        values[name] = array(draw, shape, low, 2.5)
    return made(**values, metadata=draw(metadata()))


def windowed(draw: Any, shape: tuple[int, ...]) -> tuple[nir.Node, tuple[int, ...]]:
    """A convolution or a pool on (C, H, W), and what it gives."""
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    if draw(st.booleans()):
        made = draw(st.sampled_from([nir.SumPool2d, nir.AvgPool2d]))
        node: Any = made(kernel, stride, (0, draw(st.integers(0, 1))))
    else:
        groups = draw(st.sampled_from([1, shape[0]]))
        outs = groups * draw(st.integers(1, 2))
        padding = draw(st.sampled_from(["valid", "same", (1, 0)]))
        stride = (1, 1) if padding == "same" else stride
        weight = array(draw, (outs, shape[0] // groups, *kernel))
        node = nir.Conv2d(
            (shape[1], shape[2]), weight, stride, padding, (1, 1), groups, array(draw, (outs,))
        )
    from neuro_lif.nir.shapes import shape_out

    after = shape_out(node, shape)
    assert after is not None
    return node, after


@st.composite
def graphs(draw: Any, depth: int = 2) -> nir.NIRGraph:
    """A chain of random nodes with a recurrent or a skipping edge, and graphs inside graphs."""
    shape: tuple[int, ...] = draw(st.sampled_from([(3,), (2, 7, 8), (4,), (1,), (2, 9)]))
    names = iter(draw(st.lists(NAMES, min_size=14, max_size=14, unique=True)))
    first = last = next(names)
    nodes: dict[str, nir.Node] = {first: nir.Input(shape, metadata=draw(metadata()))}
    edges = []
    if draw(st.integers(0, 3)) == 0:  # a second input and output of the same shape
        more = next(names)
        nodes[more] = nir.Input(shape)
        nodes[other := next(names)] = nir.Output(shape)
        edges.append((more, other))
    for _ in range(draw(st.integers(1, 5))):
        name, before = next(names), shape
        what = draw(st.sampled_from(["layer", "layer", "weights", "window", "graph", "flatten"]))
        if what == "weights":
            outs = draw(st.integers(1, 4))
            weight = array(draw, (*shape[:-1], outs, shape[-1]))
            shape = (*shape[:-1], outs)
            if draw(st.booleans()):
                nodes[name] = nir.Linear(weight)
            else:
                nodes[name] = nir.Affine(weight, array(draw, shape))
        elif what == "window" and len(shape) == 3 and min(shape[1:]) >= 3:
            nodes[name], shape = windowed(draw, shape)
        elif what == "window" and len(shape) == 2 and shape[1] >= 3:
            kernel, steps = array(draw, (2, shape[0], 3)), draw(st.integers(1, 2))
            conv = nir.Conv1d(shape[1], kernel, steps, 1, 1, 1, array(draw, (2,)))
            nodes[name], shape = conv, (2, (shape[1] - 1) // steps + 1)
        elif what == "flatten" and len(shape) >= 2:
            nodes[name] = nir.Flatten(shape, 0, -1)
            shape = (int(np.prod(shape)),)
        elif what == "graph" and depth:
            inner = layer(draw, shape)
            ends = (nir.Input(shape), nir.Output(shape))
            if depth > 1 and draw(st.booleans()):
                deeper = {"in": ends[0], "b.c": inner, "out": ends[1]}
                inner = nir.NIRGraph(deeper, (("in", "b.c"), ("b.c", "out")))
            nodes[name] = nir.NIRGraph(
                {"input": ends[0], "a": inner, "output": ends[1]},
                (("input", "a"), ("a", "output")),
                metadata=draw(metadata()),
            )
        else:
            nodes[name] = layer(draw, shape)
        edges.append((last, name))
        if before == shape and draw(st.integers(0, 3)) == 0:
            edges.append((name, name))
        last = name
    end = next(names)
    nodes[end] = nir.Output(shape)
    edges.append((last, end))
    return nir.NIRGraph(nodes, draw(st.permutations(edges)), metadata=draw(metadata()))


def damaged(seed: int) -> bytes:
    """A real file with wrong bytes."""
    source = random.Random(seed)
    raw = bytearray(FILES[seed % len(FILES)].read_bytes())
    kind = seed % 4
    if kind == 0:
        return bytes(raw[: source.randrange(len(raw))])
    if kind == 1:
        for _ in range(source.choice([1, 3, 10, 100])):
            raw[source.randrange(len(raw))] ^= 1 << source.randrange(8)
    elif kind == 2:
        for _ in range(source.choice([1, 4, 20])):
            raw[source.randrange(min(len(raw), 4000))] = source.randrange(256)
    else:
        start, length = source.randrange(len(raw)), source.randrange(1, 200)
        raw[start : start + length] = bytes([source.choice([0, 255])]) * length
    return bytes(raw)


def text(group: Any, name: str, value: str) -> None:
    group.create_dataset(name, data=value, dtype=h5py.string_dtype())


def skeleton(file: Any, kind: str = "LIF", edges: Any = None, **more: Any) -> Any:
    """input -> a -> output, with ``a`` a layer of 3; returns the group of ``a``."""
    text(file, "version", "1.0.8")
    graph = file.create_group("node")
    text(graph, "type", "NIRGraph")
    nodes = graph.create_group("nodes")
    for name, of in (("input", "Input"), ("output", "Output")):
        end = nodes.create_group(name)
        text(end, "type", of)
        end.create_dataset("shape", data=np.array([3]))
    a = nodes.create_group("a")
    text(a, "type", kind)
    fields: dict[str, Any] = {
        "LIF": dict.fromkeys(("tau", "r", "v_leak", "v_threshold", "v_reset"), np.ones(3)),
        "Linear": {"weight": np.ones((3, 3))},
        "Conv2d": {
            "weight": np.ones((1, 1, 3, 3)),
            "bias": np.ones(1),
            "stride": (1, 1),
            "padding": (0, 0),
            "dilation": (1, 1),
            "groups": 1,
        },
    }[kind]
    for name, value in {**fields, **more}.items():
        if value is not None:
            a.create_dataset(name, data=value)
    edges = [("input", "a"), ("a", "output")] if edges is None else edges
    graph.create_dataset("edges", data=np.array(edges, dtype=object), dtype=h5py.string_dtype())
    return a


Maker = Callable[[Any], None]


def hostile() -> Iterator[tuple[str, Maker, str]]:
    """(name, what makes the file, what the error must name)."""
    for name in ("tau", "r", "v_leak", "v_threshold", "v_reset"):
        for what, value in {
            "nan": np.array([1.0, np.nan, 1.0]),
            "inf": np.full(3, np.inf),
            "shape": np.ones(2),
            "axes": np.ones((3, 2)),
            "empty": np.ones(0),
            "text": "three",
            "texts": ["a", "b", "c"],
            "truth": np.ones(3, bool),
            "complex": np.ones(3, complex),
            "record": np.ones(3, [("a", float)]),
        }.items():
            yield f"{name} {what}", _field(name, value), name
        yield f"{name} group", _group(name), name
        if name != "v_reset":
            yield f"{name} missing", _field(name, None), name
    yield "tau negative", _field("tau", -np.ones(3)), "tau"
    yield "tau zero", _field("tau", np.zeros(3)), "tau"
    yield "unknown field", lambda f: skeleton(f, colour=np.ones(3)), "colour"
    yield "unknown node", lambda f: _retype(f, "Izhikevich"), "Izhikevich"
    yield "type is a number", lambda f: _retype(f, 3), "type"
    yield "no type", lambda f: _without(f, "node/nodes/a/type"), "type"
    yield "no nodes", lambda f: _without(f, "node/nodes"), "nodes"
    yield "no node", lambda f: _without(f, "node"), "type"
    yield "no input group", lambda f: _without(f, "node/nodes/input"), "input"
    yield "other root", lambda f: (skeleton(f), text(f, "extra", "x")), "extra"
    yield "version a number", lambda f: _reversion(f, 3), "version"
    yield "version a word", lambda f: _reversion(f, "new"), "version"
    for k, edge in enumerate([("a", "b"), ("x", "y"), ("a", "a.b"), ("", "a")]):
        yield f"edge {k}", lambda f, e=edge: skeleton(f, edges=[e]), "edge"
    yield "edges three", lambda f: skeleton(f, edges=[("a", "a", "a")]), "edges"
    yield "edges flat", lambda f: _replaced(f, "node/edges", np.ones(4)), "edges"
    yield (
        "edges a group",
        lambda f: (_without(f, "node/edges"), f["node"].create_group("edges")),
        "edges",
    )
    yield "weights nan", lambda f: skeleton(f, "Linear", weight=np.full((3, 3), np.nan)), "weight"
    yield "weights misfit", lambda f: skeleton(f, "Linear", weight=np.ones((3, 5))), "input"
    yield "conv into 1-d", lambda f: skeleton(f, "Conv2d"), "'a'"
    for field, value in {
        "stride": (0, 1),
        "padding": "around",
        "dilation": (-1, 1),
        "groups": 0,
        "bias": np.ones(4),
        "weight": np.ones((2, 2)),
        "input_shape": (0, 0),
    }.items():
        yield f"conv {field}", lambda f, k=field, v=value: skeleton(f, "Conv2d", **{k: v}), field
    yield "soft cycle", _soft_cycle, "loop"
    yield "hard cycle", _hard_cycle, "loop"
    yield "external link", _external_link, "tau"
    yield "external data", _external_data, "tau"
    yield "virtual data", _virtual, "tau"
    yield "deep groups", lambda f: _deep(f, 200), "deep"
    yield "deep graphs", lambda f: _deep_graphs(f, 60), "deep"
    yield "bomb", _bomb, "tau"
    yield "huge and empty", _unwritten, "tau"
    yield "huge chunk", _chunk, "tau"
    yield "many groups", _many, "max_objects"
    yield "long text", lambda f: _reversion(f, "1" * 2**25), "version"
    yield "same long text often", _often, "edges"
    yield "null", _null, "tau"
    yield "name with slash", lambda f: skeleton(f)["tau"].parent.create_group("b/c"), "'b'"
    yield "metadata a number", lambda f: skeleton(f).create_dataset("metadata", data=1), "metadata"


def _field(name: str, value: Any) -> Maker:
    return lambda file: skeleton(file, **{name: value})


def _group(name: str) -> Maker:
    def make(file: Any) -> None:
        a = skeleton(file)
        del a[name]
        a.create_group(name)

    return make


def _retype(file: Any, value: Any) -> None:
    a = skeleton(file)
    del a["type"]
    a.create_dataset("type", data=value)


def _without(file: Any, path: str) -> None:
    skeleton(file)
    del file[path]


def _replaced(file: Any, path: str, value: Any) -> None:
    _without(file, path)
    file.create_dataset(path, data=value)


def _reversion(file: Any, value: Any) -> None:
    _replaced(file, "version", value)


def _soft_cycle(file: Any) -> None:
    skeleton(file)["loop"] = h5py.SoftLink("/node/nodes")


def _hard_cycle(file: Any) -> None:
    a = skeleton(file)
    a["loop"] = file["node/nodes"]


def _external_link(file: Any) -> None:
    skeleton(file, tau=None)["tau"] = h5py.ExternalLink("/etc/passwd", "/x")


def _external_data(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", (3,), "f8", external=[("/etc/passwd", 0, 24)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (3,))
    skeleton(file, tau=None).create_virtual_dataset("tau", layout)


def _deep(file: Any, levels: int) -> None:
    group = skeleton(file).create_group("metadata")
    for _ in range(levels):
        group = group.create_group("g")


def _deep_graphs(file: Any, levels: int) -> None:
    text(file, "version", "1.0.8")
    graph = file.create_group("node")
    for _ in range(levels):
        text(graph, "type", "NIRGraph")
        graph = graph.create_group("nodes").create_group("g")


def _bomb(file: Any) -> None:
    skeleton(file, tau=None).create_dataset(
        "tau", (2**29,), "f8", compression="gzip", chunks=(2**20,)
    )


def _unwritten(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", (2**40, 2**10), "f8", chunks=(1, 2**10))


def _chunk(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", (3,), "f8", chunks=(2**28,), maxshape=(None,))


def _many(file: Any) -> None:
    group = skeleton(file).create_group("metadata")
    for k in range(6000):
        group.create_group(str(k))


def _often(file: Any) -> None:
    """Ten thousand edges whose names are one text of a megabyte."""
    long = "x" * 2**20
    kind = h5py.string_dtype()
    skeleton(file)
    del file["node/edges"]
    data = file["node"].create_dataset("edges", (400, 2), dtype=kind)
    data[0, 0] = long
    raw = file["node/edges"].id.get_offset()
    file.flush()
    path = file.filename
    file.close()
    with open(path, "r+b") as bare:
        bare.seek(raw)
        reference = bare.read(16)
        bare.seek(raw)
        bare.write(reference * 800)


def _null(file: Any) -> None:
    skeleton(file, tau=None).create_dataset("tau", data=h5py.Empty("f8"))
