"""What lies between neurons, as matrices: chains of nodes without a state multiply into one.

Every node without a state is linear but for its bias, so what reaches a neuron is a sum of matrices
times what neurons and inputs sent some steps before, and constants that begin in some step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import NetworkError
from ..lazy import sparse
from .fields import Array, Shape
from .maps import apply, windows
from .model import NEURONS, SPIKING
from .nodes import (
    Affine,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Delay,
    Flatten,
    Input,
    Linear,
    Node,
    Output,
    Scale,
    SumPool2d,
    Threshold,
)
from .plan import Plan

Key = tuple[str, int]
"""(source, steps)."""


@dataclass(frozen=True)
class Signal:
    """What a node gives or takes: a sum over sources, and constants.

    Args:
        size: numbers in a step.
        matrices: (source, steps) -> CSR ``(size, n_source)``; what the source sent so many steps
            before.
        constants: step -> ``(size,)``; added from that step on.
        through: (source, steps) -> the one node between, where there is only one.
    """

    size: int
    matrices: Mapping[Key, Any] = field(default_factory=dict)
    constants: Mapping[int, FloatArray] = field(default_factory=dict)
    through: Mapping[Key, str] = field(default_factory=dict)

    def delayed(self, steps: int, silent: bool = False) -> Signal:
        """Return it so many steps later; ``silent``: what is always there was there before."""
        return Signal(
            self.size,
            {(s, d + steps): m for (s, d), m in self.matrices.items()},
            {d if silent and d == 0 else d + steps: c for d, c in self.constants.items()},
            {(s, d + steps): n for (s, d), n in self.through.items()},
        )

    def times(self, matrix: Any, name: str = "") -> Signal:
        """Return it multiplied by a CSR matrix, the node ``name``."""
        return Signal(
            matrix.shape[0],
            {key: matrix @ m for key, m in self.matrices.items()},
            {d: matrix @ c for d, c in self.constants.items()},
            {key: "" if key in self.through else name for key in self.matrices},
        )

    def plus(self, constant: FloatArray) -> Signal:
        """Return it with a constant more."""
        return total(self.size, [self, Signal(self.size, {}, {0: constant})])


def total(size: int, signals: Iterable[Signal]) -> Signal:
    """Return the sum of signals."""
    matrices: dict[Key, Any] = {}
    constants: dict[int, FloatArray] = {}
    through: dict[Key, str] = {}
    for signal in signals:
        for key, m in signal.matrices.items():
            if key in matrices:
                matrices[key] = matrices[key] + m
                through[key] = ""
            else:
                matrices[key] = m
                if key in signal.through:
                    through[key] = signal.through[key]
        for step, c in signal.constants.items():
            constants[step] = constants[step] + c if step in constants else c
    return Signal(size, matrices, constants, through)


def matrix_of(node: Node, shape: Shape, weight: Any = None, last: bool = False) -> Any:
    """Return the matrix of a node without a state (its bias left out), CSR ``(n_out, n_in)``.

    Args:
        node: the node.
        shape: of what comes in.
        weight: its weights as the run has them.
        last: Flatten and SumPool2d work as where channels are the last axis.
    """
    n = int(np.prod(shape, dtype=np.int64))
    if isinstance(node, (Affine, Linear)):
        blocks = np.asarray(weight, np.float64).reshape(-1, *np.shape(weight)[-2:])
        return _csr(sparse.block_diag([sparse.csr_matrix(b) for b in blocks], format="csr"))
    if isinstance(node, Scale):
        return _csr(sparse.diags(np.broadcast_to(weight, shape).astype(np.float64).ravel()))
    if isinstance(node, (Conv1d, Conv2d)):
        return _convolution(node, shape, np.asarray(weight, np.float64))
    if isinstance(node, (SumPool2d, AvgPool2d)):
        return _pool(node, shape, last)
    if isinstance(node, Flatten) and last:
        order = apply(node, np.arange(n).reshape(shape), None, None, last).ravel()
        return _csr(sparse.coo_matrix((np.ones(n), (np.arange(n), order)), shape=(n, n)))
    return _csr(sparse.identity(n))


def _csr(matrix: Any) -> Any:
    return sparse.csr_matrix(matrix, dtype=np.float64)


def _places(node: Any, shape: Shape, last: bool = False) -> Array:
    """Return which number of the input each tap of each window reads; -1: beside it."""
    numbers = np.arange(1, int(np.prod(shape)) + 1).reshape(shape)
    return np.asarray(windows(node, numbers, last)) - 1


def _pool(node: SumPool2d | AvgPool2d, shape: Shape, last: bool) -> Any:
    seen = _places(node, shape, last)
    taps = int(np.prod(node.kernel_size))
    columns = seen.reshape(-1, taps)
    value = 1.0 / taps if isinstance(node, AvgPool2d) else 1.0
    rows = np.repeat(np.arange(len(columns)), taps)
    inside = columns.ravel() >= 0
    entries = (np.full(int(inside.sum()), value), (rows[inside], columns.ravel()[inside]))
    return _csr(
        sparse.coo_matrix(entries, shape=(len(columns), int(np.prod(shape, dtype=np.int64))))
    )


def _convolution(node: Conv1d | Conv2d, shape: Shape, weight: FloatArray) -> Any:
    seen, axes = _places(node, shape), len(shape) - 1
    sizes = seen.shape[1 : 1 + axes]
    places, taps = int(np.prod(sizes)), int(np.prod(weight.shape[2:]))
    outs, ins = weight.shape[0] // node.groups, weight.shape[1]
    seen = seen.reshape(shape[0], places, taps)
    parts = []
    for g in range(node.groups):
        mine = seen[g * ins : (g + 1) * ins].transpose(1, 0, 2)  # (place, channel, tap)
        kernel = weight[g * outs : (g + 1) * outs].reshape(outs, 1, ins, taps)
        columns = np.broadcast_to(mine, (outs, *mine.shape))
        values = np.broadcast_to(kernel, columns.shape)
        rows = np.broadcast_to(
            (g * outs * places + np.arange(outs * places)).reshape(outs, places, 1, 1),
            columns.shape,
        )
        inside = (columns >= 0) & (values != 0)
        parts.append((values[inside], rows[inside], columns[inside]))
    values, rows, columns = (np.concatenate([p[i] for p in parts]) for i in range(3))
    n_in = int(np.prod(shape, dtype=np.int64))
    return _csr(sparse.coo_matrix((values, (rows, columns)), (weight.shape[0] * places, n_in)))


class Chains:
    """Follows what comes into neurons back to neurons and inputs.

    Args:
        plan: of the graph under a rule.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.known: dict[str, Signal] = {}
        self.open: list[str] = []
        backward = {way.source for ways in plan.ways.values() for way in ways if way.back}
        # such a node's past holds the biases already
        self.silent = backward if plan.rule.recurrent_bias == "always" else set()

    def size(self, name: str) -> int:
        """Return how many numbers a node gives."""
        return int(np.prod(self.plan.shapes[name], dtype=np.int64))

    def into(self, name: str) -> Signal:
        """Return what comes into a node.

        Raises:
            NetworkError: a cycle without a neuron in it.
        """
        ways = self.plan.ways[name]
        if not ways:
            return Signal(self.size(name))
        found = [self.out(way.source).delayed(way.steps, way.source in self.silent) for way in ways]
        return total(found[0].size, found)

    def out(self, name: str) -> Signal:
        """Return what a node gives."""
        if name in self.known:
            return self.known[name]
        node, n = self.plan.nodes[name], self.size(name)
        if isinstance(node, (*NEURONS, Threshold)) or (isinstance(node, Input) and "/" not in name):
            height = 1.0
            if isinstance(node, SPIKING) and self.plan.rule.amplitude == "1/dt":
                height = 1.0 / self.plan.dt
            signal = Signal(n, {(name, 0): _csr(sparse.identity(n) * height)})
        else:
            signal = self._through(name, node)
        self.known[name] = signal
        return signal

    def _through(self, name: str, node: Node) -> Signal:
        if name in self.open:
            ring = " -> ".join([*self.open[self.open.index(name) :], name])
            raise NetworkError(
                f"node {name!r}: the cycle {ring} has no neuron in it, allowed: cycles with one "
                "(a chip can only filter with neurons)"
            )
        self.open.append(name)
        came = self.into(name)
        self.open.pop()
        if isinstance(node, (Input, Output)):
            return came
        if isinstance(node, Delay):
            return self._held(name, came)
        ways = self.plan.ways[name]
        if not ways:
            made = Signal(self.size(name))
        else:
            shape = self.plan.shapes[ways[0].source]
            last = self.plan.rule.layout == "channels-last"
            matrix = matrix_of(node, shape, self.plan.weights.get(name), last)
            plain = isinstance(node, Flatten) and not (last and len(shape) == 3)
            made = came if plain else came.times(matrix, name)
        bias = self.plan.biases.get(name)
        if bias is None:
            return made
        full = np.asarray(bias, np.float64)
        if isinstance(node, (Conv1d, Conv2d)):
            full = np.repeat(full, self.size(name) // len(full))
        return made.plus(full.ravel())

    def _held(self, name: str, came: Signal) -> Signal:
        """Return what a Delay node gives: each of its lines has steps of its own."""
        steps = np.broadcast_to(self.plan.held[name], self.plan.shapes[name]).ravel()
        parts = []
        for late in np.unique(steps):
            mine = _csr(sparse.diags((steps == late).astype(np.float64)))
            part = came.times(mine).delayed(int(late))
            parts.append(Signal(part.size, part.matrices, part.constants))
        return total(came.size, parts)
