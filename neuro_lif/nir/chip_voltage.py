"""The voltages of a rule and of a chip up to the first spike that differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..emulator import run_fixed
from ..fixed import FixedNetwork
from ..stepped import SteppedNetwork
from .causes import Divergence
from .chip_results import VoltageStep, VoltageTable
from .lowered import Lowered
from .runner import NirRun

STEPS_BEFORE = 4
"""Steps that are shown before the first divergence."""


def voltages_at(
    first: Divergence, ran: NirRun, lowered: Lowered, fixed: FixedNetwork,
    networks: tuple[SteppedNetwork, SteppedNetwork], given: Mapping[str, Any],
) -> VoltageTable:  # fmt: skip
    """Return the voltages of the neuron that differs first, in the graph's own time.

    Args:
        first: the divergence.
        ran: the rule's run.
        lowered: the graph in steps.
        fixed: the network on the chip.
        networks: the stepped network, and the same with the chip's parameters in floats.
        given: inputs of the chip, whole numbers.
    """
    n_steps = len(ran.spikes[first.node])
    record = run_fixed(fixed, lowered.steps(n_steps), given, record="all")
    population = lowered.names[first.node]
    flat = int(np.ravel_multi_index(first.neuron, ran.spikes[first.node].shape[1:]))
    lsb = _at(record.lsb[population], flat)
    chip = lowered.voltages(record, n_steps)[first.node]
    thresholds = [
        _at(p.threshold, flat) + _at(p.v_zero, flat)
        for p in (net.population(population) for net in networks)
    ]
    own, spikes = lowered.spikes(record, n_steps)[first.node], ran.spikes[first.node]
    rows = []
    for step in range(max(0, first.step - STEPS_BEFORE), first.step + 1):
        at = (step, *first.neuron)
        rows.append(VoltageStep(step, float(ran.voltage[first.node][at]), float(chip[at]),
                                float(spikes[at]), float(own[at])))  # fmt: skip
    return VoltageTable(first.node, first.neuron, lsb, thresholds[0], thresholds[1], tuple(rows))


def _at(values: Any, neuron: int) -> float:
    array = np.asarray(values, np.float64).ravel()
    return float(array[0] if array.size == 1 else array[neuron])
