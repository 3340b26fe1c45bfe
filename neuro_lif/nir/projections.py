"""Ways between populations as projections: dense, sparse, or a convolution where it is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, frozen
from ..convolution import Convolution
from ..filter_stage import free_name
from ..lazy import sparse
from ..stepped import SteppedProjection
from .cells import Cell
from .nodes import Conv2d
from .plan import Plan
from .shapes import window

DENSE_FROM = 0.25
"""Matrices with a larger share of non-zero weights are dense."""


@dataclass(frozen=True)
class Way:
    """From a population or an input to a population.

    Args:
        source, target: names.
        steps: in the graph; once everything has its place in time, those it takes.
        least: steps it needs.
        matrix: CSR ``(n_target, n_source)``.
        rows: what each row is multiplied by.
        many: what comes may be more than 1.
        outside: off the chip.
        through: the one node between; "": several or none.
        node: the source in the graph.
        receptor: of the target.
    """

    source: str
    target: str
    steps: int
    least: int
    matrix: Any
    rows: FloatArray
    many: bool = False
    outside: bool = False
    through: str = ""
    node: str = ""
    receptor: int = 0


def back_way(cell: Cell) -> Way | None:
    """Return what a spike adds to its own neuron one step later."""
    if cell.back is None:
        return None
    matrix = sparse.identity(cell.size, format="csr")
    return Way(cell.name, cell.name, 1, 1, matrix, cell.back, cell.most != 1,
               receptor=int(cell.synapse))  # fmt: skip


def projections_of(
    plan: Plan, ways: list[Way], cells: Mapping[str, Cell], taken: set[str]
) -> tuple[SteppedProjection, ...]:
    """Return the projections; ways between the same two that touch no common synapse become one."""
    groups: dict[tuple[str, str, int, bool, int], list[Way]] = {}
    for w in ways:
        key = (w.source, w.target, w.receptor, w.many, min(w.steps, 1))
        groups.setdefault(key, []).append(w)
    found: list[SteppedProjection] = []
    names: set[str] = set()
    for group in groups.values():
        for part in _apart(group):
            name = free_name(f"{part[0].source}__to__{part[0].target}", names)
            names.add(name)
            found.append(_projection(plan, part, name))
    return tuple(found)


def _apart(group: list[Way]) -> list[list[Way]]:
    """Split ways so that those of one part share no synapse."""
    parts: list[tuple[list[Way], Any]] = []
    for w in group:
        there = (w.matrix != 0).astype(np.int8)
        for k, (part, seen) in enumerate(parts):
            if seen.multiply(there).nnz == 0:
                parts[k] = ([*part, w], seen + there)
                break
        else:
            parts.append(([w], there))
    return [part for part, _ in parts]


def _projection(plan: Plan, ways: list[Way], name: str) -> SteppedProjection:
    w = ways[0]
    latency = min(w.steps, 1)
    if len(ways) == 1:
        weights: Any = _convolution(plan, w)
        delays = frozen(w.steps - latency, np.int64)
        if weights is None:
            matrix = _scaled(w)
            dense = matrix.nnz >= DENSE_FROM * matrix.shape[0] * matrix.shape[1]
            weights = frozen(matrix.toarray(), np.float64) if dense else _still(matrix)
    else:
        scaled = [_scaled(part).tocoo() for part in ways]
        values, rows, columns = (
            np.concatenate([getattr(m, field) for m in scaled]) for field in ("data", "row", "col")
        )
        steps = np.repeat([part.steps - latency for part in ways], [m.nnz for m in scaled])
        order = np.lexsort((columns, rows))
        weights = sparse.csr_matrix((values, (rows, columns)), shape=w.matrix.shape)
        weights.sort_indices()
        weights, delays = _still(weights), frozen(steps[order], np.int64)
    return SteppedProjection(name, w.source, w.target, weights, delays, w.receptor, latency, w.many)


def _scaled(w: Way) -> Any:
    matrix = sparse.csr_matrix(sparse.diags(w.rows) @ w.matrix)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _still(matrix: Any) -> Any:
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.setflags(write=False)
    return matrix


def _convolution(plan: Plan, w: Way) -> Convolution | None:
    """Return the kernel where one convolution, the same at every place, is all there is."""
    node = plan.nodes.get(w.through) if w.through else None
    if not isinstance(node, Conv2d):
        return None
    shape = plan.shapes[plan.ways[w.through][0].source]
    each = [window(node, axis) for axis in range(2)]
    rows = w.rows.reshape(node.weight.shape[0], -1)
    if any(before != after for *_, before, after in each) or np.any(rows != rows[:, :1]):
        return None
    height = 1.0 / plan.dt if plan.rule.amplitude == "1/dt" and w.node != w.source else 1.0
    kernel = np.asarray(plan.weights[w.through], np.float64) * rows[:, 0, None, None, None]
    found = Convolution(
        kernel * height, (shape[0], shape[1], shape[2]),
        (each[0][0], each[1][0]), (each[0][3], each[1][3]), (each[0][1], each[1][1]),
        node.groups, "torch",
    )  # fmt: skip
    same = found.matrix().tocsr() - _scaled(w)
    return found if abs(same).max() <= 1e-12 * max(abs(kernel).max(), 1e-300) else None
