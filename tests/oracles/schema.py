"""What the drivers share: checked access to the parts of a conformance vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SCHEMA = "neuro-lif-conformance/1"

Vector = dict[str, Any]
Trace = dict[str, dict[str, list[list[int]]]]
"""population -> variable -> [step][neuron]"""

POPULATION = {"name", "size", "model", "params", "init", "alias"}
PROJECTION = {
    "name", "pre", "post", "weights", "exponent", "sign_mode", "weight_bits", "delays", "graded",
    "port", "latency",
}  # fmt: skip
INPUT = {"name", "size", "raster"}
DIRECT = {"name", "population", "port", "raster"}
NETWORK = {"populations", "projections", "inputs", "directs", "seed", "enforce_ranges"}
KERNEL = {"kernel", "input_shape", "stride", "padding", "dilation", "groups", "layout"}
TRIPLES = {"rows", "columns", "values", "shape"}


class Unsupported(ValueError):
    """The peer has no meaning for something the vector says."""


def check_keys(where: str, found: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keys nobody would look at."""
    if unknown := found.keys() - set(known):
        raise Unsupported(f"{where}: unknown keys {sorted(unknown)}")


def check_network(vector: Vector) -> dict[str, Any]:
    """Return the network of a vector whose keys are all known."""
    network = vector["network"]
    check_keys(f"{vector['id']}: network", network, NETWORK)
    for part, known in (
        ("populations", POPULATION), ("projections", PROJECTION), ("inputs", INPUT),
        ("directs", DIRECT),
    ):  # fmt: skip
        for entry in network.get(part, ()):
            check_keys(f"{vector['id']}: {part}: {entry.get('name')}", entry, known)
            if entry.get("port", "in") != "in":
                raise Unsupported(f"{vector['id']}: {entry['name']}: port {entry['port']!r}")
            if entry.get("alias") is not None:
                raise Unsupported(f"{vector['id']}: {entry['name']}: alias")
    return dict(network)


def integers(value: Any) -> npt.NDArray[np.int64]:
    """Return whole numbers as int64; anything else is an error."""
    array = np.asarray(value)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise Unsupported(f"{value!r}: whole numbers are needed")
    return array.astype(np.int64)


def raster_of(entry: Mapping[str, Any], n_steps: int, size: int) -> npt.NDArray[np.int64]:
    """Return ``(n_steps, size)``: row i belongs to step i + 1, rows not given are 0."""
    rows = np.zeros((n_steps, size), np.int64)
    given = integers(entry["raster"]).reshape(-1, size)[:n_steps]
    rows[: len(given)] = given
    return rows


@dataclass(frozen=True)
class Synapses:
    """The stored weights of a projection, one by one, in the order they are given.

    ``sparse`` tells a list of synapses from a matrix, in which a zero is none.
    """

    post: npt.NDArray[np.int64]
    pre: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    delays: npt.NDArray[np.int64]
    shape: tuple[int, int]
    sparse: bool

    def matrix(self) -> npt.NDArray[np.int64]:
        """Return the dense ``(n_post, n_pre)``; two synapses of one pair have no place in it."""
        self.refuse_duplicates()
        dense = np.zeros(self.shape, np.int64)
        dense[self.post, self.pre] = self.values
        return dense

    def delay_matrix(self) -> npt.NDArray[np.int64]:
        """Return the delays as ``(n_post, n_pre)``, 0 where there is no synapse."""
        dense = np.zeros(self.shape, np.int64)
        dense[self.post, self.pre] = self.delays
        return dense

    def refuse_duplicates(self) -> None:
        """Raise where a pair of neurons has two synapses."""
        pairs = set(zip(self.post.tolist(), self.pre.tolist(), strict=True))
        if len(pairs) != len(self.values):
            raise Unsupported("several synapses of one pair in one projection")


def synapses_of(projection: Mapping[str, Any]) -> Synapses:
    """Return the synapses of a projection that is no convolution."""
    weights, sparse = projection["weights"], isinstance(projection["weights"], Mapping)
    if sparse:
        check_keys(str(projection.get("name")), weights, TRIPLES)
        post, pre, values = (integers(weights[k]) for k in ("rows", "columns", "values"))
        shape = tuple(int(n) for n in weights["shape"])
    else:
        matrix = integers(weights)
        post, pre = (grid.ravel() for grid in np.indices(matrix.shape))
        values, shape = matrix.ravel(), matrix.shape
    delays = np.broadcast_to(integers(projection.get("delays", 0)), values.shape)
    return Synapses(post, pre, values, delays, shape, sparse)  # type: ignore[arg-type]


def is_kernel(projection: Mapping[str, Any]) -> bool:
    """Tell a convolution from a matrix."""
    return isinstance(projection["weights"], Mapping) and "kernel" in projection["weights"]


def rows_of(array: Any) -> list[list[int]]:
    """Return ``[step][neuron]`` Python integers; a fraction is an error, never rounded."""
    values = np.asarray(array)
    whole = np.rint(values).astype(np.int64) if values.dtype.kind == "f" else values
    if not np.array_equal(whole, values):
        raise ValueError("the peer returned a number that is not whole")
    return [[int(x) for x in row] for row in whole.reshape(len(whole), -1)]


def differences(vector: Vector, got: Trace) -> list[str]:
    """Return one line for every expected value that ``got`` does not have."""
    lines = []
    for population, variables in vector["expect"].items():
        for variable, rows in variables.items():
            expected = np.asarray(rows)
            found = np.asarray(got[population][variable])
            if expected.shape != found.shape:
                lines.append(
                    f"{vector['id']}: {population}.{variable}: {expected.shape}, {found.shape}"
                )
                continue
            for step, neuron in np.argwhere(expected != found).tolist():
                lines.append(
                    f"{vector['id']}: {population}.{variable}[{neuron}] in step {step + 1}: "
                    f"expected {expected[step, neuron]}, the peer says {found[step, neuron]}"
                )
    return lines
