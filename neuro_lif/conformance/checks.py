"""What a vector must be to be a vector: whole tables, numbers that fit, parts that belong together.

Only what says nothing of a profile's limits: breaking those is what invalid vectors are for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..convolution import Convolution
from ..errors import RangeError, show

if TYPE_CHECKING:
    from .vectors import NetworkTable, ProjectionTable, SparseWeights, Vector

Rows = tuple[tuple[int, ...], ...]

MOST_NEURONS = 1_000_000
MOST_STEPS = 1_000_000
MOST_VALUES = 100_000_000
LATEST = 100_000
"""Most steps of a delay or a latency."""
MOST_EXPONENT = 1_000


def rectangular(rows: Rows) -> Rows:
    """Refuse rows of different lengths."""
    for k, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {k} = {len(row)} values, allowed: {len(rows[0])}, as in row 0")
    return rows


def whole(kernel: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse a nested table that is ragged, or has anything but whole numbers of 64 bits."""
    try:
        kind = np.asarray(kernel).dtype.kind
    except ValueError:
        kind = "ragged"
    if kind != "i":  # "u" would be beyond 63 bits
        raise ValueError(f"kernel = {show(kernel)}, allowed: whole numbers in even nested rows")
    return kernel


def sparse_fits(w: SparseWeights) -> None:
    """Refuse a list of synapses that has too few of something, or leaves its own shape."""
    if not len(w.rows) == len(w.columns) == len(w.values):
        found = f"{len(w.rows)}, {len(w.columns)}, {len(w.values)}"
        raise ValueError(f"rows, columns, values = {found} of them, allowed: as many of each")
    for name, size, indices in (
        ("rows", w.shape[0], w.rows), ("columns", w.shape[1], w.columns),
    ):  # fmt: skip
        if size < 1:
            raise ValueError(f"shape = {w.shape}, allowed: at least 1 row and 1 column")
        for k, index in enumerate(indices):
            if not 0 <= index < size:
                raise ValueError(f"{name}[{k}] = {index}, allowed: 0..{size - 1}")


def faults_of(vector: Vector) -> list[str]:
    """Return where a vector contradicts itself; of an invalid one only what it says of itself."""
    if vector.result == "invalid":
        faults = [] if vector.error.strip() else ["error = '', allowed: the field an engine names"]
        return faults + (
            ["expect is given, allowed: none in an invalid vector"] * bool(vector.expect)
        )
    if oversized(vector):  # not a fault of the file: the suite judges it, and goes on
        return []
    return [*_parts(vector.network), *_expected(vector)]


def senders_of(net: NetworkTable) -> list[str]:
    """Return the names of all that sends."""
    return [p.name for p in net.populations] + [i.name for i in net.inputs]


def _parts(net: NetworkTable) -> Iterator[str]:
    sizes = {p.name: p.size for p in net.populations}
    senders = sizes | {i.name: i.size for i in net.inputs}
    ends = [*senders_of(net), *(d.name for d in net.directs)]
    for names in (ends, [j.name for j in net.projections]):
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"network: name = {name!r} twice, allowed: once"
    if not net.populations:
        yield "network: populations = (), allowed: at least one"
    for p in net.populations:
        if p.size < 1:
            yield f"population {p.name!r}: size = {p.size}, allowed: at least 1"
        lists = {f"{t} {k}": v for t in ("params", "init") for k, v in getattr(p, t).items()}
        for name, values in (lists | {"alias": p.alias}).items():
            if isinstance(values, tuple) and len(values) != p.size:
                yield f"population {p.name!r}: {name} = {len(values)} values, allowed: {p.size}"
    for j in net.projections:
        where = f"projection {j.name!r}"
        if j.pre not in senders:
            yield f"{where}: pre = {j.pre!r}, allowed: {', '.join(senders) or 'none'}"
        elif j.post not in sizes:
            yield f"{where}: post = {j.post!r}, allowed: {', '.join(sizes) or 'none'}"
        else:
            yield from _synapses(where, j, (sizes[j.post], senders[j.pre]))
    for i in net.inputs:
        if i.raster and len(i.raster[0]) != i.size:
            yield f"input {i.name!r}: raster = {len(i.raster[0])} a row, allowed: {i.size}"
    for d in net.directs:
        if d.population not in sizes:
            known = ", ".join(sizes) or "none"
            yield f"direct {d.name!r}: population = {d.population!r}, allowed: {known}"
        elif d.raster and len(d.raster[0]) != sizes[d.population]:
            allowed = sizes[d.population]
            yield f"direct {d.name!r}: raster = {len(d.raster[0])} a row, allowed: {allowed}"


def _synapses(where: str, j: ProjectionTable, allowed: tuple[int, int]) -> Iterator[str]:
    weights: Any = j.weights
    stored = None
    try:
        if hasattr(weights, "kernel"):
            shape = _convolution(weights)
        elif hasattr(weights, "values"):
            shape, stored = weights.shape, len(weights.values)
        else:
            shape = (len(weights), len(weights[0]) if weights else 0)
            stored = shape[0] * shape[1]
    except RangeError as error:
        yield f"{where}: weights: {error}"
        return
    if tuple(shape) != allowed:
        yield f"{where}: weights = shape {tuple(shape)}, allowed: (n_post, n_pre) = {allowed}"
    elif stored is not None and isinstance(j.delays, tuple) and len(j.delays) != stored:
        yield f"{where}: delays = {len(j.delays)} values, allowed: 1, or {stored} (one a weight)"


def _convolution(kernel: Any) -> tuple[int, int]:
    fields = {name: getattr(kernel, name) for name in type(kernel).model_fields}
    return Convolution(**fields).shape


def _expected(vector: Vector) -> Iterator[str]:
    sizes = {p.name: p.size for p in vector.network.populations}
    if not any(vector.expect.values()):
        yield f"expect = {{}}, allowed: values, as result = {vector.result!r}"
    for population, variables in vector.expect.items():
        if population not in sizes:
            yield f"expect: population = {population!r}, allowed: {', '.join(sizes) or 'none'}"
            continue
        for name, rows in variables.items():
            shape = (len(rows), len(rows[0]) if rows else 0)
            if shape != (allowed := (vector.n_steps, sizes[population])):
                yield f"expect {population}.{name} = shape {shape}, allowed: {allowed}"


def oversized(vector: Vector) -> str:
    """Return what makes a vector too large to be given to any engine, or nothing."""
    net = vector.network
    neurons = sum(p.size for p in net.populations)
    found = [("n_steps", vector.n_steps, MOST_STEPS),
             ("size of all populations", neurons, MOST_NEURONS),
             ("n_steps * size", neurons * vector.n_steps, MOST_VALUES)]  # fmt: skip
    found += [(f"input {i.name!r}: size", i.size, MOST_NEURONS) for i in net.inputs]
    for j in net.projections:
        where = f"projection {j.name!r}"
        delays = j.delays if isinstance(j.delays, tuple) else (j.delays,)
        found += [(f"{where}: delays", max(delays, default=0), LATEST),
                  (f"{where}: latency", j.latency or 0, LATEST),
                  (f"{where}: exponent", abs(j.exponent), MOST_EXPONENT)]  # fmt: skip
        shape = getattr(j.weights, "input_shape", ())
        found += [(f"{where}: input_shape", abs(math.prod(shape)), MOST_NEURONS)]
    return "; ".join(
        f"{name} = {n}, allowed: at most {most}" for name, n, most in found if n > most
    )
