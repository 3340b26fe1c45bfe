"""What of a network in steps can go into a NIR graph, and what is refused or left out.

NIR has no refractory period, no random or timed input, no first state, and a rule has one kind of
reset and one first voltage for a whole graph.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from ..arrays import per_neuron
from ..errors import Faults, NetworkError, RangeError, show
from ..filter_stage import free_name
from ..network import IF, Constant, PoissonInput
from ..stepped import SteppedNetwork, SteppedPopulation
from .fields import Array
from .model import Edge
from .nodes import Node
from .report import Finding

ALLOWED = {
    "refractory": "refractory periods are left out",
    "inputs": "random and timed inputs become inputs that are fed when the graph is run",
    "start": "first voltages and synaptic states are left out, where a rule has no such choice",
    "reset": "all populations reset as the first one does",
}
"""What may be lost where a caller says so (``allow=``), and what that means."""


@dataclass
class Losses:
    """Collects what is refused, what is lost and what is worth knowing."""

    allow: frozenset[str]
    faults: Faults = field(default_factory=Faults)
    found: list[Finding] = field(default_factory=list)

    def lose(self, kind: str, where: tuple[str, str], name: str, value: object, text: str) -> None:
        """Refuse something, or note its loss where the caller allows it.

        Args:
            kind: of :data:`ALLOWED`.
            where: ``("population", its name)``.
            name: the field.
            value: what it holds.
            text: what NIR can say, or what is done instead.
        """
        if kind in self.allow:
            said = f"{show(value)} is lost: {ALLOWED[kind]}"
            self.found.append(Finding("loss", where[1], name, said))
        else:
            what = f"{where[0]} {where[1]!r}"
            self.faults.add(what, name, value, text, f'or allow="{kind}": {ALLOWED[kind]}')

    def note(self, where: str, name: str, text: str) -> None:
        """Note something worth knowing."""
        self.found.append(Finding("note", where, name, text))


def allowed(allow: Collection[str] | str) -> frozenset[str]:
    """Return the losses that are allowed.

    Raises:
        RangeError: one of them is none.
    """
    given = (allow,) if isinstance(allow, str) else tuple(allow)
    for name in given:
        if name not in ALLOWED:
            raise RangeError(f"allow = {show(name)}, allowed: {', '.join(ALLOWED)}")
    return frozenset(given)


@dataclass(frozen=True, eq=False)
class Inflow:
    """What reaches a graph from outside.

    Args:
        spikes: inputs of spikes: name -> size.
        currents: inputs of currents that are fed: name -> population.
        constant: population -> V per step, ``(n,)``, from constant currents.
    """

    spikes: dict[str, int]
    currents: dict[str, str]
    constant: dict[str, Array]


def heard(stepped: SteppedNetwork, losses: Losses) -> SteppedNetwork:
    """Return the network without what a read-out would send: it has no spikes, an LI node has v."""
    mute = {p.name for p in stepped.described if not p.spikes}
    for q in stepped.projections:
        if q.pre in mute:
            losses.note(q.name, "", f"a read-out sends no spikes: not written (from {q.pre!r})")
    projections = tuple(q for q in stepped.projections if q.pre not in mute)
    return replace(stepped, projections=projections)


def inflow_of(stepped: SteppedNetwork, losses: Losses) -> Inflow:
    """Sort the inputs of a network."""
    net = stepped.network
    for i in net.spike_inputs:
        if isinstance(i, PoissonInput):
            losses.lose("inputs", ("input", i.name), "rate", "Poisson spikes",
                        "spikes that are given")  # fmt: skip
        elif i.times is not None:
            losses.note(i.name, "times", "a graph holds no spike times: they are fed as an input")
    currents: dict[str, str] = {}
    constant: dict[str, Array] = {}
    for c in net.current_inputs:
        p = stepped.population(c.population)
        if isinstance(c.stimulus, Constant):
            volts = p.gain * c.stimulus.sample(np.zeros(1), p.size)[0]
            constant[p.name] = constant.get(p.name, np.zeros(p.size)) + volts
            continue
        if c.stimulus is not None:
            kind = type(c.stimulus).__name__
            losses.lose("inputs", ("input", c.name), "stimulus", kind,
                        "Constant, which becomes a bias, or None")  # fmt: skip
        currents[c.name] = c.population
    return Inflow({i.name: i.size for i in net.spike_inputs}, currents, constant)


@dataclass(frozen=True, eq=False)
class Start:
    """Where voltages are counted from, so that all begin where one rule lets them.

    Args:
        v_init: of the rule, ``zero`` or ``leak``.
        zero: population -> ``(n,)`` V above its ``v_zero``: what 0 means in the graph.
    """

    v_init: str
    zero: dict[str, Array]


def rest_of(stepped: SteppedNetwork, p: SteppedPopulation) -> Array:
    """Return the resting voltage above ``v_zero`` without any current, ``(n,)`` V."""
    known = next((x for x in stepped.network.populations if x.name == p.name), None)
    if known is None or isinstance(known.neuron, IF):
        return np.zeros(p.size)
    return np.asarray(per_neuron(known.neuron.v_rest, p.size) - p.v_zero)


def start_of(stepped: SteppedNetwork, leaks: dict[str, Array | None], losses: Losses) -> Start:
    """Find the first voltage of a rule, and what 0 has to mean for it.

    Args:
        stepped: the network.
        leaks: population -> ``v_leak`` above ``v_zero``; None: it has no leak.
        losses: where no rule begins like that.
    """
    first = {p.name: np.asarray(p.v_init) for p in stepped.described}
    zero = {name: np.zeros(len(v)) for name, v in first.items()}
    if not any(v.any() for v in first.values()):
        return Start("zero", zero)
    at_leak = {
        name: not v.any() if leaks[name] is None else np.array_equal(v, np.asarray(leaks[name]))
        for name, v in first.items()
    }
    if all(at_leak.values()):
        return Start("leak", zero)
    for p in stepped.described:
        if not first[p.name].any():
            continue
        if p.spikes and (p.reset == "subtract" or p.most_spikes != 1):
            losses.lose(
                "start",
                ("population", p.name),
                "v_init",
                float(p.v_init.flat[0]),
                "v_reset with 'subtract' or many spikes, or v_rest everywhere",
            )
        else:
            zero[p.name] = first[p.name]
    return Start("zero", zero)


def common_reset(stepped: SteppedNetwork, losses: Losses) -> tuple[str, str, int | None]:
    """Return (reset, spikes in a step, their most) of a rule; check what NIR cannot say."""
    spiking = [p for p in stepped.described if p.spikes]
    for p in stepped.described:
        where = ("population", p.name)
        if p.spikes and p.refractory.any():
            losses.lose("refractory", where, "t_refractory", float(p.refractory.max()) * stepped.dt,
                        "0 s: NIR has no refractory period")  # fmt: skip
        if p.u_init is not None and p.u_init.any():
            losses.lose("start", where, "u_init", float(np.abs(p.u_init).max()),
                        "zeros: a run of a graph begins without currents")  # fmt: skip
        if p.spikes and not np.isfinite(p.threshold).all():
            losses.faults.add(f"population {p.name!r}", "threshold", "inf", "finite, or all inf")
    if not spiking:
        return "value", "one", None
    first = spiking[0]
    for p in spiking[1:]:
        if p.reset != first.reset:
            losses.lose("reset", ("population", p.name), "reset", p.reset,
                        f"{first.reset!r}, as in population {first.name!r}")  # fmt: skip
        if p.most_spikes != first.most_spikes:
            losses.faults.add(f"population {p.name!r}", "most_spikes", p.most_spikes,
                              f"{first.most_spikes}, as in population {first.name!r}")  # fmt: skip
    many = first.most_spikes != 1
    return first.reset, "many" if many else "one", first.most_spikes if many else None


def refuse(losses: Losses) -> None:
    """Raise one error with all that cannot be said."""
    losses.faults.raise_if_any(NetworkError, "NIR cannot say this")


@dataclass(frozen=True)
class Chain:
    """A way from a source to a population: edges, its Delay node or none, and how late it is."""

    where: str
    edges: tuple[Edge, ...]
    delay: str | None
    steps: int


@dataclass
class Built:
    """A graph as it grows."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)

    def add(self, name: str, node: Node) -> str:
        """Add a node under a name that is free; returns that name."""
        free = free_name(name, self.nodes)
        self.nodes[free] = node
        return free
