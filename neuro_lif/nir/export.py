"""A network of our own as a NIR graph that runs spike for spike like it.

What NIR can say is in the nodes; dt and the switches of the step rule, what 0 V means and how a
network was quantised are in the metadata; what NIR cannot say is refused, or lost with a line in
the report where the caller allows it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks import expect
from ..discretize import discretize
from ..errors import NetworkError
from ..feeds import float_feeds
from ..fixed import FixedNetwork
from ..fixed_inputs import FixedSource
from ..network import Network
from ..stepped import SteppedNetwork, SteppedPopulation, StepRule
from ..stimulate import Inputs, check_given, input_sizes, steps_of
from .export_build import Builder
from .export_parts import (
    Built,
    Inflow,
    Losses,
    allowed,
    common_reset,
    heard,
    inflow_of,
    refuse,
    rest_of,
    start_of,
)
from .export_values import lost, nearby, time_constant
from .fields import Array
from .golden import rule_entry
from .model import NIRGraph
from .nodes import Delay
from .plan import prepare
from .report import Report
from .rules import KEY, RULES, NirRule

EXPORT = "neuro_lif_export"
"""The entry of a graph's metadata that says where it comes from."""


@dataclass(frozen=True, eq=False)
class Exported:
    """A network as a NIR graph.

    Args:
        graph: with dt and the rule in its metadata, so that ``nir.run(graph, inputs)`` runs it.
        rule: under which it gives the spikes of ``stepped``.
        report: losses and notes.
        stepped: what it says, run by :func:`neuro_lif.run_clocked`.
        zero: population -> ``(n,)`` V that 0 stands for in the graph.
        fixed: the integers it comes from; None: there are none.
    """

    graph: NIRGraph
    rule: NirRule
    report: Report
    stepped: SteppedNetwork
    zero: Mapping[str, Array]
    fixed: FixedNetwork | None = None

    @property
    def dt(self) -> float:
        """The step, s."""
        return self.stepped.dt

    def inputs(self, n_steps: int | None = None, inputs: Inputs | None = None) -> dict[str, Array]:
        """Return what to feed the graph: Input node -> ``(n_steps, *shape)``.

        Args:
            n_steps: steps; None: as many as ``inputs`` have.
            inputs: as of :func:`neuro_lif.run_clocked`, of one sample; absent spikes are those
                that the network holds.

        Raises:
            RangeError: inputs that the network does not have, or no length.
        """
        net = self.stepped.network
        given = dict(check_given(inputs, input_sizes(net)))
        steps = steps_of(n_steps, given)
        for source in self.fixed.sources if self.fixed else ():
            if source.name not in given:
                given[source.name] = _held(source, steps)
        feeds = float_feeds(net, self.dt, steps, 1, given)
        found = {}
        for name in self.graph.inputs:
            node: Any = self.graph.nodes[name]
            found[name] = np.zeros((steps, *node.shape))
            if name in feeds:  # others are there because the nir package wants an Input
                found[name] += feeds[name].rows(0, steps)[0].reshape(steps, *node.shape)
        return found


def _held(source: FixedSource, n_steps: int) -> Array:
    """Return the spikes of an integer network's own input, zeros after its raster."""
    rows = np.zeros((n_steps, source.size))
    if source.stream is not None:
        rows += source.stream.reader((0,))(0, n_steps)[0]
    elif source.raster is not None:
        part = source.raster[:n_steps]
        rows[: len(part)] = part
    return rows


def from_network(
    network: Network,
    dt: float,
    rule: StepRule | str = "exact",
    *,
    allow: Collection[str] | str = (),
) -> Exported:
    """Say a network in steps of dt as a NIR graph.

    Args:
        network: the description.
        dt: step, s.
        rule: step rule, as of :func:`neuro_lif.discretize`.
        allow: what may be lost, of :data:`neuro_lif.nir.ALLOWED`.

    Returns:
        The graph, the rule under which it runs spike for spike as
        ``run_clocked(discretize(network, dt, rule))``, and a report.

    Raises:
        NetworkError: NIR cannot say something; lists population or projection and field.
        RangeError: dt, rule or allow are not what is allowed, or a matrix is too large.
    """
    return from_stepped(discretize(network, dt, rule), allow=allow)


def from_stepped(stepped: SteppedNetwork, *, allow: Collection[str] | str = ()) -> Exported:
    """Say a network in steps as a NIR graph; as :func:`from_network`."""
    expect(stepped, SteppedNetwork, "nir.from_stepped")
    return said(stepped, allow, {"source": "SteppedNetwork"})


def said(
    stepped: SteppedNetwork, allow: Collection[str] | str, origin: Mapping[str, Any]
) -> Exported:
    """Return a network in steps as a graph, with what it comes from in the metadata."""
    losses = Losses(allowed(allow))
    for note in stepped.notes:
        losses.note("", "", note)
    own, stepped = stepped, heard(stepped, losses)
    inflow = inflow_of(stepped, losses)
    reset, spikes, most = common_reset(stepped, losses)
    integrator = _integrator(stepped)
    biases: dict[str, Array] = {}
    leaks: dict[str, Array | None] = {}
    for p in stepped.described:
        leaks[p.name], biases[p.name] = _leak(stepped, p, inflow, integrator, losses)
    start = start_of(stepped, leaks, losses)
    refuse(losses)
    builder = Builder(stepped, inflow, start, leaks, integrator, losses)
    built = builder.build(biases)
    rule = replace(
        RULES["nir-euler"], name="neuro_lif", dt=stepped.dt, integrator=integrator,
        compare=stepped.rule.compare, reset=reset, spikes=spikes, most_spikes=most,
        v_init=start.v_init, delay=builder.delay, input_delay=builder.input_delay,
        about="as neuro_lif's own network in steps",
    )  # fmt: skip
    zero = {p.name: np.asarray(p.v_zero) + start.zero[p.name] for p in stepped.described}
    r = stepped.rule
    entry = {
        "unit": "V, s; inputs are spikes per step, or A",
        "dt": stepped.dt,
        "step_rule": f"integrator {r.integrator}, compare {r.compare}, delay {r.delay}, "
        f"refractory {r.refractory}, input_latency {r.input_latency}",
        "zero": zero,
        **origin,
    }
    graph = _delayed(built, rule, {KEY: rule_entry(rule, stepped.dt), EXPORT: entry})
    return Exported(graph, rule, Report("export", "1.0.8", tuple(losses.found)), own, zero)


def _integrator(stepped: SteppedNetwork) -> str:
    """Return how a rule has to step: exactly where the decays are those of the time constants."""
    if stepped.rule.integrator == "euler":
        return "euler"
    with np.errstate(divide="ignore"):
        for p in stepped.populations:
            if not p.graded and not np.array_equal(np.exp(-stepped.dt / p.tau_m), p.decay_v):
                return "euler"
            for tau, keep in zip(p.tau_syn, p.decay_u, strict=True):
                if np.any(keep) and np.any(np.exp(-stepped.dt / tau) != keep):
                    return "euler"  # rounded ones are dt/tau as well as any
    return "exact"


def _leak(
    stepped: SteppedNetwork, p: SteppedPopulation, inflow: Inflow, integrator: str, losses: Losses
) -> tuple[Array | None, Array]:
    """Return (v_leak above v_zero, or None; what a bias has to add, V per step)."""
    constant = inflow.constant.get(p.name, np.zeros(p.size))
    total, leaky = p.bias + constant, p.decay_v < 1
    if not leaky.any():
        return None, total
    if not leaky.all():
        losses.faults.add(f"population {p.name!r}", "decay_v", "1 in some neurons",
                          "below 1 in all neurons, or 1 in all")  # fmt: skip
        return np.zeros(p.size), total
    rest = rest_of(stepped, p)
    tau = time_constant(p.tau_m, np.asarray(p.decay_v), stepped.dt, integrator)
    gone = lost(tau, stepped.dt, integrator)
    current = np.any(constant) or not np.allclose(p.bias, p.leak_v * rest, rtol=1e-9, atol=0)
    forward = [q for q in stepped.projections if q.post == p.name and q.pre != p.name]
    onto = [q for q in forward if not np.any(p.decay_u[q.receptor])]
    if current and onto and not any(np.any(p.decay_u[q.receptor]) for q in forward):
        return rest, np.asarray(total - p.leak_v * rest)
    if current:
        losses.note(p.name, "i_bias", "is in v_leak: what passes a synapse is filtered")
    first = rest if not current else total / gone
    return nearby(first, lambda x: np.asarray(gone * x), total), np.zeros(p.size)


def _delayed(built: Built, rule: NirRule, metadata: Mapping[str, Any]) -> NIRGraph:
    """Return the graph with Delay nodes that make every projection as late as it has to be."""
    draft = NIRGraph(built.nodes, tuple(built.edges))
    plan = prepare(draft, rule, None)
    ways = {(w.source, target): w.steps for target, found in plan.ways.items() for w in found}
    nodes = dict(built.nodes)
    for chain in built.chains:
        more = chain.steps - sum(ways[edge] for edge in chain.edges)
        if chain.delay is not None and more >= 0:
            shape = np.shape(built.nodes[chain.delay].delay)  # type: ignore[attr-defined]
            nodes[chain.delay] = Delay(np.full(shape, more * plan.dt))
        elif more:
            raise NetworkError(f"projection {chain.where!r}: delay = {chain.steps} steps, "
                               f"allowed: at least {chain.steps - more} in this cycle")  # fmt: skip
    return NIRGraph(nodes, draft.edges, metadata=metadata)
