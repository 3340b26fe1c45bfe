"""Teacher forcing: every population hears recorded spikes in place of what the others send.

Run so, a population differs from the recording by its own doing alone. The spikes are put in where
a neuron's spikes go in: a row of the input acts like the spikes of that step, after the inputs that
the network has and in the order of the populations, so that sums in float64 come out bit for bit.
Filter stages are part of the population they lead to and stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..discretize import SteppedNetwork
from ..filter_stage import free_name
from ..fixed import FixedNetwork, FixedSource
from ..network import Network, SpikeInput
from ..recording import Recording

N = TypeVar("N", SteppedNetwork, FixedNetwork)

Names = Mapping[str, str]
"""Population -> the input that carries its recorded spikes."""


def names_for(stepped: SteppedNetwork, fixed: FixedNetwork) -> Names:
    """Return a name, used nowhere else, for the recorded spikes of every described population."""
    taken = {p.name for p in stepped.populations} | {p.name for p in fixed.populations}
    taken |= {i.name for i in stepped.network.inputs} | {p.name for p in fixed.poissons}
    found: dict[str, str] = {}
    for p in stepped.described:
        found[p.name] = free_name(f"{p.name}__recorded", taken)
        taken.add(found[p.name])
    return found


def forced_float(stepped: SteppedNetwork, names: Names) -> SteppedNetwork:
    """Return the network with every population's spikes replaced by an input."""
    net, senders = stepped.network, {q.pre for q in stepped.projections}
    sizes = {p.name: p.size for p in stepped.described if p.name in senders}
    more = [SpikeInput(names[name], size) for name, size in sizes.items()]
    network = Network(net.populations, net.projections, (*net.inputs, *more), net.probes)
    projections = tuple(
        replace(q, pre=names[q.pre]) if q.pre in sizes else q for q in stepped.projections
    )
    return replace(stepped, network=network, projections=projections)


def forced_fixed(fixed: FixedNetwork, names: Names) -> FixedNetwork:
    """Return the integers with every described population's spikes replaced by an input."""
    senders = {q.pre for q in fixed.projections}
    sizes = {p.name: p.size for p in fixed.populations if p.name in names and p.name in senders}
    sources = tuple(FixedSource(names[name], size) for name, size in sizes.items())
    projections = tuple(
        replace(q, pre=names[q.pre], latency=fixed.latency(q)) if q.pre in sizes else q
        for q in fixed.projections
    )
    return replace(fixed, sources=(*fixed.sources, *sources), projections=projections)


def replayed(
    recording: Recording, names: Names, wanted: Collection[str]
) -> dict[str, npt.NDArray[Any]]:
    """Return the recorded spikes as the inputs of a forced network."""
    return {
        name: np.asarray(recording.spikes[population])
        for population, name in names.items()
        if name in wanted
    }
