"""How sparse a network of integers is and how many synaptic operations a run took (NeuroBench).

Source: Yik et al. 2025, Nature Communications 16:1545 (NeuroBench): ConnectionSparsity,
ActivationSparsity, SynapticOperations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import IntArray, is_sparse
from ..checks import expect
from ..errors import RangeError
from ..fixed import FixedNetwork
from ..rasters import events_of
from ..recording import Recording


def connection_sparsity(fixed: FixedNetwork) -> float:
    """Return the share of all possible synapses that deliver nothing, 0..1.

    Possible are ``n_post * n_pre`` of each projection; what counts is the weight that a spike
    delivers, so one that the chip stores as 0 is none. NaN without projections.

    Raises:
        RangeError: not a FixedNetwork.
    """
    expect(fixed, FixedNetwork, "connection_sparsity")
    possible = sum(p.shape[0] * p.shape[1] for p in fixed.projections)
    there = sum(int(_fan_out(fixed, p).sum()) for p in fixed.projections)
    return 1.0 - there / possible if possible else float("nan")


def activation_sparsity(recording: Recording) -> float:
    """Return the share of (neuron, step) of all populations without a spike, 0..1.

    Raises:
        RangeError: not a Recording.
    """
    expect(recording, Recording, "activation_sparsity")
    sent = possible = 0
    for name in recording.spikes:
        sent += int(_active(recording.spikes, name)[0].sum())
        possible += _active(recording.spikes, name)[1]
    return 1.0 - sent / possible if possible else float("nan")


@dataclass(frozen=True)
class SynapticOperations:
    """Operations of one run, per sample.

    Args:
        effective_acs: additions: a spike that met a weight other than 0.
        effective_macs: multiplications with addition: the same for graded spikes.
        dense: what they were if every neuron sent to every other of its projection in every step.
    """

    effective_acs: float
    effective_macs: float
    dense: float


def synaptic_operations(fixed: FixedNetwork, recording: Recording) -> SynapticOperations:
    """Return the synaptic operations of a run of ``fixed``, per sample.

    Args:
        fixed: the network.
        recording: its run; where the network has sources, with its inputs (``run_fixed(...,
            record_inputs=True)``).

    Raises:
        RangeError: the recording lacks a population or an input of the network, or one has
            another size.
    """
    expect(fixed, FixedNetwork, "synaptic_operations (fixed)")
    expect(recording, Recording, "synaptic_operations (recording)")
    adds = products = dense = 0
    for projection in fixed.projections:
        counts, possible = _sent(recording, projection.pre)
        if counts.size != projection.shape[1]:
            raise RangeError(
                f"projection {projection.name!r}: {counts.size} neurons of {projection.pre!r} were "
                f"recorded, allowed: {projection.shape[1]}"
            )
        operations = int(counts @ _fan_out(fixed, projection))
        dense += possible * projection.shape[0]
        if projection.graded:
            products += operations
        else:
            adds += operations
    samples = _samples(recording)
    return SynapticOperations(adds / samples, products / samples, dense / samples)


def _fan_out(fixed: FixedNetwork, projection: Any) -> IntArray:
    """Return how many weights other than 0 a spike of each sender meets, ``(n_pre,)``."""
    weights = fixed.effective_weights(projection)
    if is_sparse(weights):
        csr = weights.tocsr()
        columns = csr.indices[csr.data != 0]
        return np.asarray(np.bincount(columns, minlength=csr.shape[1]), np.int64)
    return np.asarray(np.count_nonzero(np.asarray(weights), axis=0), np.int64)


def _sent(recording: Recording, name: str) -> tuple[IntArray, int]:
    table = recording.spikes if name in recording.spikes else recording.inputs
    if name not in table:
        raise RangeError(
            f"{name!r} is not in the recording, allowed: one with its inputs "
            "(run with record_inputs=True)"
        )
    return _active(table, name)


def _active(table: Mapping[str, Any], name: str) -> tuple[IntArray, int]:
    """Return the active steps of each neuron over all samples, and how many there could be."""
    events = events_of(table, name)
    if events is None:
        array = np.asarray(table[name])
        axes = tuple(range(array.ndim - 1))
        return np.count_nonzero(array, axis=axes).astype(np.int64), int(array.size)
    neuron = events.neuron if events.value is None else events.neuron[events.value != 0]
    counts = np.bincount(neuron, minlength=events.shape[-1])
    return counts.astype(np.int64), int(np.prod(events.shape))


def _samples(recording: Recording) -> int:
    shapes = [
        np.shape(recording.spikes[name]) if events is None else events.shape
        for name in recording.spikes
        for events in (events_of(recording.spikes, name),)
    ]
    return max((shape[0] for shape in shapes if len(shape) == 3), default=1)
