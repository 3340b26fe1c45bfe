"""Lava's own processes, built from the entries of an exported network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lava.proc.atrlif.process import ATRLIF
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFReset, TernaryLIF
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

Arrays = Mapping[str, Any]
Entry = Mapping[str, Any]

NEURONS = {
    kind.__name__: kind
    for kind in (
        LIF, LIFReset, TernaryLIF, Sigma, Delta, SigmaDelta, GradedVec, GradedReluVec, ATRLIF
    )
}  # fmt: skip


def neuron(entry: Entry, given: Arrays, start: Arrays) -> Any:
    """Return the process of one population.

    Args:
        entry: ``numbers`` are what all neurons share.
        given: arrays ``(n,)`` for the constructor.
        start: Var -> ``(n,)``, where the constructor has no argument for it.
    """
    numbers = dict(entry["numbers"])
    if "act_mode" in numbers:
        numbers["act_mode"] = ActivationMode[numbers["act_mode"]]
    process = NEURONS[entry["kind"]](shape=(entry["size"],), **numbers, **given)
    for name, values in start.items():
        getattr(process, name).init = values
    return process


def connection(entry: Entry, arrays: Arrays) -> Any:
    """Return the process of one projection that is no convolution."""
    weights = matrix(entry, arrays, "weights")
    coding = {
        "weight_exp": entry["weight_exp"],
        "num_weight_bits": entry["num_weight_bits"],
        "sign_mode": SignMode[entry["sign_mode"]],
        "num_message_bits": entry["num_message_bits"],
    }
    if not entry["kind"].startswith("Delay"):
        return {"Dense": Dense, "Sparse": Sparse}[entry["kind"]](weights=weights, **coding)
    # Lava wants the dtype to be Python's int and nothing else
    delays = matrix(entry, arrays, "delays").astype(int)
    kind = {"DelayDense": DelayDense, "DelaySparse": DelaySparse}[entry["kind"]]
    return kind(weights=weights, delays=delays, max_delay=entry["max_delay"], **coding)


def matrix(entry: Entry, arrays: Arrays, name: str) -> Any:
    """Return weights or delays, dense or CSR."""
    if "indptr" not in arrays:
        return arrays[name]
    parts = (arrays[name], arrays["indices"], arrays["indptr"])
    return csr_matrix(parts, shape=tuple(entry["shape"]))


def convolution(entry: Entry, arrays: Arrays) -> Any:
    """Return the Conv of one projection; its planes are (X, Y, channels)."""
    return Conv(
        weight=arrays["kernel"], input_shape=tuple(entry["input_shape"]),
        num_message_bits=entry["num_message_bits"], groups=entry["groups"],
        **{name: tuple(entry[name]) for name in ("stride", "padding", "dilation")},
    )  # fmt: skip


def as_plane(port: Any, shape: Any, axes: Any) -> Any:
    """Return the OutPort of neurons in a row as a plane of this shape, its axes then permuted."""
    plane = port.reshape(tuple(shape))
    return plane if axes is None else plane.transpose(tuple(axes))


def as_row(port: Any, axes: Any) -> Any:
    """Return the OutPort of a plane as neurons in a row, after its axes were permuted."""
    plane = port if axes is None else port.transpose(tuple(axes))
    return plane.reshape((int(np.prod(port.shape)),))


def source(arrays: Arrays, n_steps: int) -> Any:
    """Return a source that plays ``(n, n_steps)`` int32 once (Lava's buffer repeats by itself)."""
    raster = arrays["raster"]
    played = np.zeros((raster.shape[0], n_steps), np.int32)
    kept = min(n_steps, raster.shape[1])
    played[:, :kept] = raster[:, :kept]
    return RingBuffer(data=played)
