"""Graphs that neuro_lif writes for a framework to load and run: what each can express.

All numbers come from whole random numbers, so that they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from neuro_lif import nir

Array = Any


@dataclass(frozen=True)
class Written:
    """A graph for a framework, its input, and the rule under which it is to agree."""

    name: str
    framework: str
    graph: nir.NIRGraph
    inputs: Array
    rule: nir.NirRule
    dt: float

    def digest(self) -> int:
        """Return a number that says whether this is the graph and the input of a recording."""
        return digest(self.graph, crc32(np.asarray(self.inputs, "<f4").tobytes()))


def digest(graph: nir.NIRGraph, whole: int = 0) -> int:
    """Return a number for a graph, whatever the order of its nodes and edges and its dtypes."""
    for name, node in sorted(graph.nodes.items()):
        whole = crc32(repr((name, type(node).__name__)).encode(), whole)
        if isinstance(node, nir.NIRGraph):
            whole = digest(node, whole)
        for key, value in sorted(vars(node).items()):
            if isinstance(value, np.ndarray):
                whole = crc32(key.encode() + np.asarray(value, "<f8").tobytes(), whole)
    return crc32(repr(sorted(graph.edges)).encode(), whole)


@dataclass
class Maker:
    """Makes a chain of nodes, each with the shape of what comes before."""

    rng: np.random.Generator
    dt: float
    shape: tuple[int, ...]
    nodes: dict[str, nir.Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    last: str = "input"

    def __post_init__(self) -> None:
        self.nodes["input"] = nir.Input(self.shape)

    def numbers(self, low: float, high: float, *shape: int) -> Array:
        """Return multiples of 1/256 in [low, high]."""
        whole = self.rng.integers(round(low * 256), round(high * 256) + 1, shape)
        return (whole / 256).astype(np.float32)

    def add(self, name: str, node: nir.Node, shape: tuple[int, ...] | None = None) -> None:
        """Put a node behind the last one."""
        self.nodes[name] = node
        self.edges.append((self.last, name))
        self.last, self.shape = name, shape or self.shape

    def dense(self, n: int, low: float, high: float, bias: bool) -> None:
        """Put weights behind the last node."""
        weight = self.numbers(low, high, n, self.shape[0])
        added = nir.Affine(weight, self.numbers(-0.1, 0.1, n)) if bias else nir.Linear(weight)
        self.add(f"w{len(self.nodes)}", added, (n,))

    def conv(self, channels: int, kernel: int, stride: int, padding: int) -> None:
        """Put a convolution behind the last node."""
        c, h, w = self.shape
        weight = self.numbers(-0.3, 0.5, channels, c, kernel, kernel)
        both = (stride, stride), (padding, padding)
        node = nir.Conv2d((h, w), weight, *both, (1, 1), 1, self.numbers(-0.1, 0.1, channels))
        size = [(n + 2 * padding - kernel) // stride + 1 for n in (h, w)]
        self.add(f"c{len(self.nodes)}", node, (channels, *size))

    def pool(self, kind: Any) -> None:
        """Put a pool of 2 x 2 behind the last node."""
        c, h, w = self.shape
        self.add(f"p{len(self.nodes)}", kind((2, 2), (2, 2), (0, 0)), (c, h // 2, w // 2))

    def flat(self) -> None:
        """Put a Flatten behind the last node."""
        n = int(np.prod(self.shape))
        self.add(f"f{len(self.nodes)}", nir.Flatten(self.shape, 0, -1), (n,))

    def recurrent(self, node: nir.Node, bias: bool) -> None:
        """Put a layer with weights onto itself behind the last node, nested as a graph."""
        n, k = self.shape[0], len(self.nodes)
        weight = self.numbers(-0.3, 0.3, n, n)
        w_rec = nir.Affine(weight, self.numbers(-0.1, 0.1, n)) if bias else nir.Linear(weight)
        nodes = {"input": nir.Input((n,)), "lif": node, "w_rec": w_rec, "output": nir.Output((n,))}
        edges = (("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output"))
        self.add(f"r{k}", nir.NIRGraph(nodes, edges))

    def graph(self) -> nir.NIRGraph:
        """Return the graph with its output."""
        nodes = {**self.nodes, "output": nir.Output(self.shape)}
        return nir.NIRGraph(nodes, (*self.edges, (self.last, "output")))


def lif(m: Maker, **fixed: Any) -> nir.LIF:
    """Return a layer in which each neuron has its own parameters, but for what is fixed."""
    one = np.ones(m.shape, np.float32)
    tau = m.numbers(2, 12, *m.shape) * m.dt
    own = {
        "tau": tau,
        "r": tau / m.dt,
        "v_leak": 0 * one,
        "v_threshold": m.numbers(0.5, 1.5, *m.shape),
        "v_reset": 0 * one,
    }
    return nir.LIF(**{**own, **{k: v * one for k, v in fixed.items()}})


def cuba(m: Maker, **fixed: Any) -> nir.CubaLIF:
    """Return a layer with currents."""
    one = np.ones(m.shape, np.float32)
    tau, syn = m.numbers(2, 12, *m.shape) * m.dt, m.numbers(1.5, 6, *m.shape) * m.dt
    own = {
        "tau_syn": syn,
        "tau_mem": tau,
        "r": tau / m.dt,
        "v_leak": 0 * one,
        "v_threshold": m.numbers(0.5, 1.5, *m.shape),
        "v_reset": 0 * one,
        "w_in": syn / m.dt,
    }
    return nir.CubaLIF(**{**own, **{k: v * one for k, v in fixed.items()}})


def snntorch(m: Maker) -> dict[str, Any]:
    """Uniform thresholds, no v_leak; r of an LIF layer scales its threshold."""
    k = int(m.rng.integers(4))
    if k == 3:
        m.shape, m.nodes["input"] = (2, 8, 8), nir.Input((2, 8, 8))
        m.conv(3, 3, 1, 1)
        m.add("n1", lif(m, v_threshold=0.75))
        m.pool(nir.AvgPool2d)
        m.flat()
        m.dense(5, -0.6, 0.9, True)
        m.add("n2", lif(m, v_threshold=1.0))
        return {}
    m.dense(10, -0.6, 0.9, True)
    tau = 6.0 * m.dt
    one = {"tau": tau, "r": float(m.rng.integers(1, 5))} if k == 2 else {}
    m.add("n1", lif(m, v_threshold=0.75, **one))
    m.dense(6, -0.3, 0.4, False)
    same = {"tau_syn": 4.0 * m.dt, "w_in": 2.0} if k == 2 else {}
    m.add("n2", cuba(m, v_threshold=1.25, **same))
    return {}


def norse(m: Maker) -> dict[str, Any]:
    """Everything per neuron; r of LIF is 1, v_reset is 0."""
    k = int(m.rng.integers(4))
    leak = m.numbers(-0.2, 0.2, 10)
    if k == 3:
        m.shape, m.nodes["input"] = (2, 8, 8), nir.Input((2, 8, 8))
        m.conv(4, 3, 1, 0)
        one = np.ones(m.shape, np.float32)
        m.add("n1", nir.IF(one, m.numbers(0.5, 1.5, *m.shape), 0 * one))
        m.pool(nir.SumPool2d)
        m.conv(3, 2, 1, 0)
        m.add("n2", lif(m, r=1.0, v_threshold=0.25))
        return {}
    m.dense(10, -2.0, 4.0, True)
    m.add("n1", lif(m, r=1.0, v_leak=leak, v_threshold=0.5))
    m.dense(10, -0.5, 0.7, k == 1)
    if k == 2:
        m.recurrent(cuba(m), True)
    else:
        m.add("n2", cuba(m, v_leak=0.0 if k == 0 else leak))
    return {}


def sinabs(m: Maker) -> dict[str, Any]:
    """IF with a floor, LIF, LI; weights with a bias; times are in steps."""
    if m.rng.integers(2):
        m.shape, m.nodes["input"] = (2, 8, 8), nir.Input((2, 8, 8))
        m.conv(4, 3, 1, 1)
        one = np.ones(m.shape, np.float32)
        m.add("n1", nir.IF(one, 0 * one + 0.75, 0 * one))
        m.pool(nir.SumPool2d)
        m.flat()
        m.dense(6, -0.5, 0.5, True)
        one = np.ones(m.shape, np.float32)
        m.add("n2", nir.IF(one, m.numbers(0.5, 1.5, 6), 0 * one))
        return {}
    m.dense(10, -0.5, 0.8, True)
    m.add("n1", lif(m, r=1.0))
    m.dense(6, -0.3, 0.4, True)
    m.add("n2", lif(m, r=1.0, v_threshold=1.0))
    return {}


def spikingjelly(m: Maker) -> dict[str, Any]:
    """Uniform layers; r is 1 or tau/dt, v_leak is v_reset; IF with r 1/dt; cycles."""
    k = int(m.rng.integers(4))
    rest = float(m.rng.integers(-50, 50)) / 256
    rising = {"tau": 4.0 * m.dt, "v_leak": rest, "v_reset": rest, "v_threshold": 0.75}
    if k == 3:
        m.shape, m.nodes["input"] = (2, 8, 8), nir.Input((2, 8, 8))
        m.conv(4, 3, 1, 1)
        one = np.ones(m.shape, np.float64)
        m.add("n1", nir.IF(one / m.dt, one, rest * one))
        m.pool(nir.AvgPool2d)
        m.flat()
        m.dense(6, -0.5, 0.5, True)
        m.add("n2", lif(m, r=4.0, **rising))
        return {}
    m.dense(10, -0.4, 0.7, True)
    m.add("n1", lif(m, r=4.0, **rising))
    m.dense(6, -0.4, 0.6, k == 1)
    fixed = {"tau_syn": 2.5 * m.dt, "tau_mem": 5.0 * m.dt, "r": 5.0, "w_in": 2.5}
    m.add("n2", cuba(m, **fixed, v_threshold=1.0, v_reset=0.25 * (k == 2)))
    return {}


def spyx(m: Maker) -> dict[str, Any]:
    """r and w_in are not looked at; recurrent layers have no bias."""
    k = int(m.rng.integers(5))
    if k == 4:
        m.shape, m.nodes["input"] = (2, 8, 8), nir.Input((2, 8, 8))
        m.conv(3, 3, 1, 1)
        one = np.ones(m.shape, np.float32)
        m.add("n1", nir.IF(one, m.numbers(0.5, 1.5, *m.shape), 0 * one))
        m.pool(nir.SumPool2d)
        m.flat()
        m.dense(6, -0.3, 0.3, True)
        m.add("n2", lif(m, r=1.0))
        return {}
    m.dense(10, -0.4, 0.7, True)
    layer = [lif, cuba, lif, cuba][k]
    if k < 2:
        m.add("n1", layer(m))
    else:
        m.recurrent(layer(m), False)
    m.dense(6, -0.3, 0.4, False)
    m.add("n2", cuba(m))
    return {}


def rockpool(m: Maker) -> dict[str, Any]:
    """CubaLIF, recurrent where it is nested; each layer takes a step of its own from r and tau."""
    m.dense(10, -0.2, 0.3, bool(m.rng.integers(2)))
    if m.rng.integers(2):
        m.recurrent(cuba(m, v_threshold=1.0), True)
    else:
        m.add("n1", cuba(m))
    m.dense(6, -0.2, 0.3, False)
    m.add("n2", cuba(m))
    return {}


MAKERS: dict[str, tuple[Callable[[Maker], dict[str, Any]], str, float]] = {
    "snntorch": (snntorch, "snntorch", 1e-4),
    "norse": (norse, "norse", 1e-3),
    "sinabs": (sinabs, "sinabs-imported", 1.0),
    "spikingjelly": (spikingjelly, "spikingjelly", 1e-3),
    "rockpool": (rockpool, "rockpool-imported", 1e-3),
    "spyx": (spyx, "spyx", 1e-3),
}
"""framework -> (what makes a graph, the rule, dt)."""


def written(framework: str, seed: int, n_steps: int = 60) -> Written:
    """Return the graph of a seed."""
    make, rule, dt = MAKERS[framework]
    rng = np.random.default_rng([seed, crc32(framework.encode())])
    m = Maker(rng, dt, (8,))
    changes = make(m)
    graph = m.graph()
    shape = graph.nodes["input"].shape
    inputs = (rng.integers(0, 10, (n_steps, *shape)) < 3).astype(np.float32)
    found = nir.find_rule(rule, **changes)
    return Written(f"{framework}-{seed}", framework, graph, inputs, found, dt)
