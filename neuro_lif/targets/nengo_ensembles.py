"""A Network as ordinary Nengo ensembles: stock neuron types, real weights, stock synapses.

Every population is mapped to ``v' = (v - v_reset) / (v_threshold - v_reset)``, Nengo's voltage.
The gain turns amperes into that scale, so whatever is connected to ``.neurons`` is a current in A,
and a weight matrix (Nengo's ``transform``) holds the charge one spike delivers, in C: a spike is a
pulse of area 1 and ``nengo.Lowpass`` keeps the area, as does the ``nengo.LinearFilter`` of an alpha
or bi-exponential synapse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import nengo
import numpy as np
from scipy import sparse

from ..arrays import FloatArray, IntArray, is_sparse, per_neuron
from ..checks import expect
from ..errors import RangeError, show
from ..network import (
    IF,
    LI,
    CurrentInput,
    Delta,
    Input,
    Network,
    PoissonInput,
    Population,
    Projection,
    SpikeInput,
    Synapse,
)
from ..recording import Recording
from ..reference.clocked import check_record
from ..stimulate import Inputs, input_sizes, steps_of
from .nengo_neurons import Mapped, add_population, refuse_unlike_stock
from .nengo_parts import NengoModel, rows_given
from .nengo_processes import Current, Delay, Made, Rows, SpikeTimes


@dataclass
class _Parts:
    """The pieces of a model while it is built."""

    network: Network
    sparse: bool
    mapped: dict[str, Mapped] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    probes: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    delays: dict[tuple[int, float, int], Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add_population(self, p: Population) -> None:
        """Add a population to the open ``nengo.Network``."""
        mapped = self.mapped[p.name] = add_population(self.network, p)
        self.notes += mapped.notes
        if mapped.node is not None:
            self.nodes[p.name] = mapped.node

    def ends(self, name: str) -> list[tuple[Any, IntArray]]:
        """Return the Nengo objects of a population or input, and the channels each holds."""
        if name in self.mapped and self.mapped[name].ensembles:
            neurons = [e.neurons for e in self.mapped[name].ensembles]
            return list(zip(neurons, self.mapped[name].members, strict=True))
        return [(self.nodes[name], np.arange(self.nodes[name].size_out))]

    def model(self, net: Any) -> NengoModel:
        """Return what was built."""
        mapped = self.mapped
        return NengoModel(
            net,
            ensembles={name: m.ensembles for name, m in mapped.items() if m.ensembles},
            members={name: m.members for name, m in mapped.items()},
            nodes=self.nodes,
            probes=self.probes,
            scale={name: m.scale for name, m in mapped.items()},
            v_zero={name: m.v_zero for name, m in mapped.items()},
            notes=tuple(self.notes),
        )


def to_nengo(
    network: Network, inputs: Inputs | None = None, *, allow_custom: bool = False,
    sparse: bool = True, record: str = "probes",
) -> NengoModel:  # fmt: skip
    """Build a network from ordinary Nengo ensembles; runs on any Nengo back-end.

    :class:`LIF` becomes ``nengo.LIF``, :class:`IF` with reset by subtraction
    ``nengo.SpikingRectifiedLinear``, :class:`LI` a Node. ``nengo.LIF`` finds spike times within a
    step where ``t_refractory >= dt``; without a refractory period every interval is up to one dt
    too long. A population whose neurons differ in ``tau_m`` or ``t_refractory`` becomes one
    ensemble per distinct pair, as Nengo keeps these per ensemble. Delays are Nodes with a ring
    buffer. An input that nothing describes becomes a Node you can connect to (spikes as pulses of
    height 1/dt, or A).

    Args:
        network: the description.
        inputs: input name -> ``(n_steps, n)``: spike counts or A; replaces what is described.
        allow_custom: use a neuron type of ours where Nengo has none, stepped as
            :func:`neuro_lif.run_clocked` does; it runs on ``nengo.Simulator``.
        sparse: keep sparse weights as ``nengo.Sparse``; False: dense, for back-ends without it.
        record: ``"probes"``, or ``"all"`` for v of every population. Spikes are always probed.

    Raises:
        LoweringError: no stock neuron type does what a population asks for; lists every fault.
        NetworkError: that is no Network.
        RangeError: an input is unknown or has the wrong shape, ``record`` is unknown.
    """
    expect(network, Network, "to_nengo")
    check_record(record)
    given = rows_given(inputs, input_sizes(network))
    if not allow_custom:
        refuse_unlike_stock(network)
    parts = _Parts(network, sparse)
    with nengo.Network(label="neuro_lif", seed=0) as net:
        for population in network.populations:
            parts.add_population(population)
        for item in network.inputs:
            _add_input(parts, item, given.get(item.name))
        for projection in network.projections:
            _add_projection(parts, projection)
        _add_probes(parts, record)
    return parts.model(net)


def run_nengo(
    network: Network, dt: float, n_steps: int | None = None, inputs: Inputs | None = None,
    simulator: Any = None, record: str = "probes", allow_custom: bool = False,
) -> Recording:  # fmt: skip
    """Run a network as ordinary Nengo ensembles.

    Args:
        network, inputs, record, allow_custom: see :func:`to_nengo`.
        dt: s per step.
        n_steps: number of steps; absent means the length of ``inputs``.
        simulator: any back-end's Simulator class; absent means ``nengo.Simulator``.

    Returns:
        A recording with spikes as counts and v in V above v_zero.

    Raises:
        LoweringError, NetworkError, RangeError: see :func:`to_nengo`.
        TargetError: the back-end cannot build the model.
    """
    expect(network, Network, "run_nengo")
    check_record(record)
    _check_dt(dt)
    n_steps = steps_of(n_steps, rows_given(inputs, input_sizes(network)))
    model = to_nengo(network, inputs, allow_custom=allow_custom, record=record)
    with model.simulator(dt, simulator) as sim:
        sim.run_steps(n_steps)
        data = {key: model.data(sim, *key) for key in model.probes}
    return Recording(
        dt, n_steps,
        {p.name: data.get((p.name, "spikes"), np.zeros((n_steps, p.size), np.int64))
         for p in network.populations},
        {key: a for key, a in data.items() if key[1] == "v"},
        v_zero=dict(model.v_zero),
        provenance={"engine": f"nengo {nengo.__version__}, ordinary ensembles",
                    "notes": "; ".join(model.notes)},
    )  # fmt: skip


def _check_dt(dt: object) -> None:
    number = isinstance(dt, (int, float, np.floating)) and not isinstance(dt, bool)
    if not (number and 0 < dt < np.inf):  # type: ignore[operator]
        raise RangeError(f"dt = {show(dt)}, allowed: a step > 0 s")


# ------------------------------------------------------------------- inputs and projections


def _add_input(parts: _Parts, item: Input, rows: Any) -> None:
    spikes = not isinstance(item, CurrentInput)
    size = input_sizes(parts.network)[item.name]
    process: Any = None  # a Node without a function hands on what is connected to it
    if rows is not None:
        process = Rows(rows, pulses=spikes)
    elif isinstance(item, SpikeInput) and item.indices is not None and item.times is not None:
        process = SpikeTimes(item.indices, item.times, size)
    elif isinstance(item, PoissonInput):
        poisson = item
        process = Made(lambda dt: partial(poisson.rows, dt=dt), size, pulses=True)
    elif isinstance(item, CurrentInput) and item.stimulus is not None:
        process = Current(item.stimulus, size)
    wide = size if process is None else 0
    node = nengo.Node(process, size_in=wide, size_out=size if process else None, label=item.name)
    parts.nodes[item.name] = node
    if isinstance(item, CurrentInput):
        for post, members in parts.ends(item.population):
            nengo.Connection(node[members.tolist()], post, synapse=None)


def _charge(p: Projection, post: Population) -> FloatArray:
    """Return the charge a spike of weight 1 delivers to each target neuron, C ``(n_post,)``."""
    neuron, n = post.neuron, post.size
    if isinstance(neuron, IF):
        capacitance = per_neuron(neuron.capacitance, n)
    else:
        capacitance = per_neuron(neuron.tau_m, n) / per_neuron(neuron.resistance, n)
    if isinstance(p.synapse, Delta) or p.synapse.norm in ("psp", "nnmt"):
        return capacitance
    return np.full(n, p.synapse.area())


def _filter(synapse: Synapse) -> Any:
    """Return Nengo's filter of the same shape, its area being 1."""
    if isinstance(synapse, Delta):
        # a Connection without a synapse acts within the step; Lowpass(0) is Nengo's delay of a step
        return nengo.Lowpass(0.0)
    taus = synapse.taus
    if len(taus) == 1:
        return nengo.Lowpass(taus[0])
    return nengo.LinearFilter([1.0], [taus[0] * taus[1], taus[0] + taus[1], 1.0], analog=True)


def _by_delay(p: Projection) -> Iterator[tuple[float, Any]]:
    """Yield (delay in s, weights that have it), CSR ``(n_post, n_pre)``."""
    matrix = p.matrix
    if is_sparse(matrix):
        coo = matrix.tocoo()
        post, pre, values = coo.row, coo.col, coo.data
    else:
        post, pre = (i.ravel() for i in np.indices(matrix.shape))
        values = np.asarray(matrix).ravel()
    delays = np.broadcast_to(np.asarray(p.delay), values.shape)
    for delay in np.unique(delays):
        has = (delays == delay) & (values != 0)
        if has.any():
            chosen = (values[has], (post[has], pre[has]))
            yield float(delay), sparse.csr_matrix(chosen, shape=matrix.shape)


def _add_projection(parts: _Parts, p: Projection) -> None:
    post = parts.network.population(p.post)
    sizes = {q.name: q for q in parts.network.populations}
    if p.pre in sizes and isinstance(sizes[p.pre].neuron, LI):
        parts.notes.append(f"projection {p.name!r}: left out, a read-out never spikes")
        return
    least = 1 if isinstance(p.synapse, Delta) else 0
    charge = sparse.diags(_charge(p, post))
    for delay, weights in _by_delay(p):
        charges = (charge @ weights).tocsr()
        for pre, columns in parts.ends(p.pre):
            for target, rows in parts.ends(p.post):
                block = charges[rows][:, columns]
                if block.nnz:
                    nengo.Connection(
                        _delayed(parts, pre, delay, least), target, synapse=_filter(p.synapse),
                        transform=_transform(parts, p, block), label=p.name,
                    )  # fmt: skip
    if least and np.any(np.asarray(p.delay) <= 0):
        parts.notes.append(f"projection {p.name!r}: a delay below one step is raised to one step")
    if np.any(np.asarray(p.delay) > 0):
        parts.notes.append(f"projection {p.name!r}: delays are rounded to whole steps")


def _transform(parts: _Parts, p: Projection, block: Any) -> Any:
    if parts.sparse and is_sparse(p.matrix):
        return nengo.Sparse(block.shape, init=block)
    return block.toarray()


def _delayed(parts: _Parts, pre: Any, delay: float, least: int) -> Any:
    """Return ``pre`` behind a ring buffer, one Node for all that share source and delay."""
    if delay == 0:
        return pre
    key = (id(pre), delay, least)
    if key not in parts.delays:
        size = pre.size_out
        node = nengo.Node(Delay(delay, least, size), size_in=size, size_out=size,
                          label=f"delay {delay} s")  # fmt: skip
        nengo.Connection(pre, node, synapse=None)
        parts.delays[key] = node
    return parts.delays[key]


def _add_probes(parts: _Parts, record: str) -> None:
    probed = {probe.population for probe in parts.network.probes if probe.variable == "v"}
    for name, mapped in parts.mapped.items():
        neurons = [e.neurons for e in mapped.ensembles]
        if neurons:
            parts.probes[name, "spikes"] = tuple(nengo.Probe(one) for one in neurons)
        if record == "all" or name in probed:
            probes = [nengo.Probe(one, "voltage") for one in neurons]
            parts.probes[name, "v"] = tuple(probes) or (nengo.Probe(mapped.node),)
    if any(probe.variable == "u" for probe in parts.network.probes):
        parts.notes.append("u is not recorded: Nengo keeps currents per connection, in A")
