"""A FixedNetwork inside Nengo, equal to the integer emulator in every register and spike.

A population is an Ensemble of :class:`FixedPointNeurons`, a projection a Node that holds its ring
buffer; so other Nengo objects can be connected to either.
"""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np

from ..checks import expect, expect_flag
from ..errors import RangeError
from ..fixed import DirectInput, FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from ..recording import OverflowEvent, Recording
from ..reference.clocked import check_record
from ..run_inputs import input_events, input_rows
from ..runs import (
    RECORDS,
    events_of,
    in_order,
    recorded,
    refuse_overflow,
    register_of,
    spike_dtype,
    wanted_registers,
)
from ..stimulate import Inputs, steps_of
from .nengo_integers import FixedPointNeurons, FixedSynapses, signal_of
from .nengo_parts import NengoModel, rows_given
from .nengo_processes import Made, Rows
from .plain import refuse_special


def fixed_to_nengo(
    fixed: FixedNetwork, inputs: Inputs | None = None, record: str = "probes"
) -> NengoModel:
    """Build a FixedNetwork as Nengo objects, equal to :func:`neuro_lif.run_fixed` at every step.

    The first row of an input acts in the first step. A source or direct input that has no raster
    becomes a Node you can connect to: pulses of height ``value/dt`` into a source, integers into a
    direct input. Runs on ``nengo.Simulator``, with any ``dt``.

    Args:
        fixed: the network.
        inputs: input name -> integers ``(n_steps, n)``; replaces the rasters the network carries.
        record: ``"probes"``, ``"all"`` for u and v of every population, or ``"registers"`` for
            every register by its name. Spikes come anyway.

    Raises:
        RangeError: no FixedNetwork; an input is unknown, has the wrong shape or is not whole.
        TargetError: a batch was given.
    """
    expect(fixed, FixedNetwork, "fixed_to_nengo")
    refuse_special(fixed, "Nengo", can=("noise",))
    given = _whole_rows(fixed, inputs)
    nodes: dict[str, Any] = {}
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    with nengo.Network(label="neuro_lif", seed=0) as net:
        ensembles = {p.name: _ensemble(fixed, p) for p in fixed.populations}
        for item in items:
            nodes[item.name] = _input_node(fixed, item, given.get(item.name, item.raster))
            if isinstance(item, DirectInput):
                target = ensembles[item.population].neurons
                nengo.Connection(nodes[item.name], target, synapse=None)
        synapses = {q.name: _synapses(fixed, q, ensembles, nodes) for q in fixed.projections}
        probes = {(n, "spikes"): (nengo.Probe(e.neurons),) for n, e in ensembles.items()}
        for name, variable in wanted_registers(fixed, record):
            signal = signal_of(register_of(fixed, name, variable))
            probes[name, variable] = (nengo.Probe(ensembles[name].neurons, signal),)
    return NengoModel(
        net,
        ensembles={name: (e,) for name, e in ensembles.items()},
        members={p.name: (np.arange(p.size),) for p in fixed.populations},
        nodes=nodes,
        synapses=synapses,
        probes=probes,
        scale={p.name: np.ones(p.size) for p in fixed.populations},
        v_zero={p.name: np.asarray(p.v_zero) for p in fixed.populations},
    )


def _whole_rows(fixed: FixedNetwork, inputs: Inputs | None) -> dict[str, Any]:
    given = rows_given(inputs, fixed.input_sizes())
    for name, array in given.items():
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            raise RangeError(f"inputs[{name!r}]: allowed: whole numbers")
    return given


def _ensemble(fixed: FixedNetwork, p: FixedPopulation) -> Any:
    ones = np.ones(p.size)
    return nengo.Ensemble(
        p.size, 1, neuron_type=FixedPointNeurons(fixed, p.name), gain=ones, bias=0 * ones,
        encoders=ones[:, None], eval_points=[[0.0]], label=p.name,
    )  # fmt: skip


def _input_node(fixed: FixedNetwork, item: FixedSource | DirectInput, rows: Any) -> Any:
    size = fixed.input_sizes()[item.name]
    if rows is None and item.stream is not None:
        pulses = isinstance(item, FixedSource)
        made = Made(lambda dt: item.stream.reader((0,)), size, pulses)
        return nengo.Node(made, size_in=0, size_out=size, label=item.name)
    if rows is None:  # a Node without a function hands on what is connected to it
        return nengo.Node(size_in=size, label=item.name)
    process = Rows(rows, pulses=isinstance(item, FixedSource))
    return nengo.Node(process, size_in=0, size_out=size, label=item.name)


def _synapses(
    fixed: FixedNetwork, p: FixedProjection, ensembles: dict[str, Any], nodes: dict[str, Any]
) -> Any:
    process = FixedSynapses(fixed, p)
    n_post, n_pre = p.weights.shape
    node = nengo.Node(process, size_in=n_pre, size_out=n_post, label=p.name)
    pre = ensembles[p.pre].neurons if p.pre in ensembles else nodes[p.pre]
    # Lowpass(0) is Nengo's delay of exactly one step; without a synapse there is none
    nengo.Connection(pre, node, synapse=nengo.Lowpass(0) if process.behind else None)
    nengo.Connection(node, ensembles[p.post].neurons, synapse=None)
    return node


# ------------------------------------------------------------------------------------ running


def run_nengo_fixed(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", strict: bool = False,
) -> Recording:  # fmt: skip
    """Run a FixedNetwork inside Nengo, equal to :func:`neuro_lif.run_fixed` at every step.

    Args:
        fixed, inputs, record: see :func:`fixed_to_nengo`.
        n_steps: number of steps; absent means the length of ``inputs``.
        strict: make an overflow an error (at the end of the run).

    Returns:
        A recording with integer traces in LSB and every overflow counted.

    Raises:
        RangeError, TargetError: see :func:`fixed_to_nengo`; and, with ``strict``, an overflow.
    """
    expect(fixed, FixedNetwork, "run_nengo_fixed")
    expect_flag(strict, "run_nengo_fixed: strict")
    check_record(record, RECORDS)
    given = _whole_rows(fixed, inputs)
    n_steps = steps_of(n_steps, given)
    lost = input_events(fixed, input_rows(fixed, given, 1, n_steps))
    model = fixed_to_nengo(fixed, inputs, record)
    with model.simulator(fixed.dt) as sim:
        sim.run_steps(n_steps)
        data = {key: model.data(sim, *key) for key in model.probes}
        events = overflow_events(model, sim)
    events = in_order(*lost, *events)
    if strict:
        refuse_overflow(events, n_steps)
    return recorded(
        fixed, n_steps, n_steps,
        {
            name: a.astype(spike_dtype(fixed, name))
            for (name, variable), a in data.items()
            if variable == "spikes"
        },
        {key: a for key, a in data.items() if key[1] != "spikes"},
        events, f"nengo {nengo.__version__}, FixedPointNeurons",
    )  # fmt: skip


def overflow_events(model: NengoModel, sim: Any) -> tuple[OverflowEvent, ...]:
    """Return the overflows of a ``nengo.Simulator`` so far; advances it by one step.

    The spikes of the last step reach a recurrent projection in the step after it, so its sums are
    read one step later than everything else.
    """
    found: dict[tuple[str, str, str, int], list[int]] = {}
    signals = {}
    for (ensemble,) in model.ensembles.values():
        signals[ensemble.neuron_type.tally] = sim.model.sig[ensemble.neurons]["overflows"], 0
    for node in model.synapses.values():
        signal = sim.model.sig[node.output]["_state_overflows"]
        signals[node.output.tally] = signal, node.output.behind
    for later in (0, 1):
        for tally, (signal, behind) in signals.items():
            if behind == later:
                found |= tally.found(sim.signals[signal])
        if later == 0 and any(behind for _, behind in signals.values()):
            sim.run_steps(1)
    return events_of(found)
