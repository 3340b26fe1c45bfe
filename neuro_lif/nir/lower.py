"""NIR graph -> SteppedNetwork, as a rule steps it: for the float reference and for chips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks import expect
from ..errors import LoweringError, RangeError, show
from ..filter_stage import free_name
from ..stage_weights import weights_before_stages
from ..stepped import SteppedNetwork, StepRule
from .cells import Cell, cells_of
from .chains import Chains
from .described import described, seconds_of
from .lowered import Current, Lowered
from .model import INTEGRATORS, NEURONS, NIRGraph
from .nodes import Input, Threshold
from .plan import Plan, prepare
from .populations import population_of
from .projections import Way, back_way, projections_of
from .rules import NirRule, find_rule, rule_said
from .shifts import Edge, ShortCycle, lengthened, shifts_of
from .starts import Start, start_of
from .switchable import checked, expressible, without_idle_floor

LATENCIES = ("rule", "chip")
INPUTS = ("spikes", "counts", "current")
BIASES = ("auto", "membrane", "input")


def to_stepped(
    graph: NIRGraph,
    rule: NirRule | str | None = None,
    *,
    dt: float | None = None,
    latency: str = "chip",
    inputs: str = "spikes",
    bias: str = "auto",
    approximate: Iterable[str] = (),
) -> Lowered:
    """Return a graph as a network in steps.

    Args:
        graph: the graph.
        rule: a rule or its name; None: what the graph's metadata say, else ``nir-euler``.
        dt: the step, in the unit of the rule's times; None: the rule's own.
        latency: ``"chip"``: every edge between neurons, and from an input, takes at least one step;
            layers then begin later (``Lowered.shifts``), and what met in the graph still meets.
            ``"rule"``: edges take the steps that the rule says, none where it says none: the float
            reference runs that, no chip.
        inputs: what comes in: ``"spikes"`` (0 or 1), ``"counts"`` (whole numbers >= 0, for a
            profile with graded spikes), or ``"current"``: any numbers, which what lies before the
            first neurons turns into currents off the chip (:meth:`Lowered.inputs`).
        bias: ``"membrane"``: biases are added to v, and first states are set so that they seem to
            begin when they should; ``"input"``: they come as spikes of one more input, which is
            exact always; ``"auto"``: through the membrane where that is exact.
        approximate: of :data:`neuro_lif.nir.switchable.APPROXIMATIONS`: what may be replaced by the
            nearest thing a chip does: ``integrator``, ``floor``, ``reset``, ``cycle``.

    Returns:
        A :class:`Lowered`; the same spikes as :func:`neuro_lif.nir.run` in float64.

    Raises:
        LoweringError: a switch, a node or a cycle that no stepped network has.
        NetworkError: the graph does not fit together.
        RangeError: an argument is not what is allowed.
    """
    expect(graph, NIRGraph, "nir.to_stepped")
    for name, value, known in (
        ("latency", latency, LATENCIES),
        ("inputs", inputs, INPUTS),
        ("bias", bias, BIASES),
    ):
        if value not in known:
            raise RangeError(f"{name} = {show(value)}, allowed: {', '.join(known)}")
    notes: list[str] = []
    found = find_rule(rule_said(graph.metadata) or "nir-euler" if rule is None else rule)
    allowed = checked(approximate)
    found = replace(without_idle_floor(found, graph), arithmetic="float64")
    plan = prepare(graph, expressible(found, allowed, notes), dt)
    notes += plan.notes
    plan = replace(plan, rule=expressible(plan.rule, allowed, notes))
    return _Lowering(plan, inputs, bias, int(latency == "chip"), "cycle" in allowed, notes).done()


@dataclass
class _Lowering:
    """The work on one graph.

    Args:
        plan: the graph under the rule.
        inputs, bias: as asked for.
        least: steps that a spike takes.
        longer: cycles may be lengthened.
        notes: what was assumed.
    """

    plan: Plan
    inputs: str
    bias: str
    least: int
    longer: bool
    notes: list[str]

    def __post_init__(self) -> None:
        self.taken: set[str] = set()
        self.names: dict[str, str] = {}
        for node in self.plan.sequence:
            kind = self.plan.nodes[node]
            outside = isinstance(kind, Input) and "/" not in node
            if outside or isinstance(kind, (*NEURONS, Threshold)):
                self.names[node] = self.free(node)
        self.entries = [n for n in self.names if isinstance(self.plan.nodes[n], Input)]
        self.cells = cells_of(self.plan, Chains(self.plan), self.names, self.free)
        if not self.cells:
            raise LoweringError("the graph has no neuron, allowed: at least one")
        self.by_name = {c.name: c for c in self.cells}
        self.senders = self._senders()
        self.channel = self.free("bias")

    def free(self, name: str) -> str:
        """Return a legal name that is not taken, and take it."""
        legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
        legal = f"n{legal}" if not legal or legal[0].isdigit() else legal
        legal = free_name(legal, self.taken)
        self.taken.add(legal)
        return legal

    def _senders(self) -> dict[str, str]:
        """Return what sends what a node gives: its population, its last stage, or an input."""
        found = {n: n for n in self.by_name}  # a stage that another one reads
        found |= dict(self.names)
        for cell in self.cells:
            if cell.stage and isinstance(self.plan.nodes[cell.node], INTEGRATORS):
                found[cell.node] = cell.name
        return found

    def ways(self) -> list[Way]:
        """Return every way into every population, constants of stages included."""
        found = []
        for cell in self.cells:
            for key, matrix in cell.feed.matrices.items():
                if matrix.nnz:
                    found.append(self._way(cell, key, matrix))
        return found

    def _way(self, cell: Cell, key: tuple[str, int], matrix: Any) -> Way:
        source = self.senders[key[0]]
        sender = self.by_name.get(source)
        many = sender is not None and sender.most != 1
        if sender is None:
            many = self.inputs == "counts"
        steps = key[1] + cell.late + (sender.behind if sender else 0)
        outside = sender is None and self.inputs == "current"
        return Way(source, cell.name, steps, 0 if outside else self.least, matrix, cell.rows,
                   many, outside, cell.feed.through.get(key, ""), key[0])  # fmt: skip

    def bias_ways(self, cell: Cell) -> list[Way]:
        """Return what brings a population's constants as spikes."""
        constants = {d + cell.late: c * cell.rows for d, c in cell.feed.constants.items()}
        if not cell.synapse:  # the leak's own constant, too
            constants[0] = constants.get(0, 0.0) + cell.drift
        return [
            Way(self.channel, cell.name, d, self.least, column(c), np.ones(cell.size))
            for d, c in constants.items()
            if np.any(c)
        ]

    def done(self) -> Lowered:
        """Return the lowered graph."""
        ways = [*self.ways(), *(w for c in self.cells if (w := back_way(c)))]
        by_input = {c.name for c in self.cells if c.stage or self.bias == "input"}
        strict = self.plan.rule.compare == ">"
        while True:
            more = [w for c in self.cells if c.name in by_input for w in self.bias_ways(c)]
            placed, shift = self._placed([*ways, *more])
            starts = {
                c.name: start_of(c, shift[c.name], strict, c.name not in by_input)
                for c in self.cells
            }
            wrong = {n for n, s in starts.items() if s.why} - by_input
            wrong = {n for n in wrong if self.bias_ways(self.by_name[n])}
            if self.bias != "auto" or not wrong:
                break
            for name in sorted(wrong):
                self.notes.append(
                    f"node {self.by_name[name].node!r}: its biases come as spikes of the input "
                    f"{self.channel!r}, because through the membrane {starts[name].why}"
                )
            by_input |= wrong
        for name, start in starts.items():
            if start.why:
                self.notes.append(
                    f"node {self.by_name[name].node!r}: {start.why}: spikes may differ at first"
                )
        return self._lowered(placed, shift, starts, bool(more))

    def _placed(self, ways: list[Way]) -> tuple[list[Way], dict[str, int]]:
        """Return the ways with the steps they take, and the shifts."""
        fixed = [*(self.names[n] for n in self.entries), self.channel]
        names = [c.name for c in self.cells]
        place = {name: k for k, name in enumerate(names)}
        edges = [
            Edge(w.source, w.target, w.steps, w.least,
                 place.get(w.source, -1) >= place[w.target])
            for w in ways
        ]  # fmt: skip
        try:
            shift = shifts_of(names, fixed, edges)
        except ShortCycle:
            if not self.longer:
                raise
            notes: list[str] = []
            edges, shift = lengthened(names, fixed, edges, notes)
            self.notes += [n for n in notes if n not in self.notes]
        return [
            replace(w, steps=e.steps + shift[w.target] - shift[w.source])
            for w, e in zip(ways, edges, strict=True)
        ], shift

    def _lowered(
        self, ways: list[Way], shift: Mapping[str, int], starts: Mapping[str, Start], biased: bool
    ) -> Lowered:
        plan, dt = self.plan, seconds_of(self.plan, self.notes)
        inside = [w for w in ways if not w.outside]
        order = _ordered(self.cells, inside)
        rule = StepRule(
            "exact" if plan.rule.integrator == "exact" else "euler",
            ">" if plan.rule.compare == ">" else ">=",
            input_latency=1 if self.least else 0,
        )
        populations = tuple(
            population_of(plan, c, starts[c.name], dt, bool(back_way(c))) for c in order
        )
        currents = self._currents([w for w in ways if w.outside], shift)
        spiking = [] if self.inputs == "current" else [self.names[n] for n in self.entries]
        sizes = {self.names[n]: int(np.prod(plan.shapes[n], dtype=np.int64)) for n in self.entries}
        trains = {n: sizes[n] for n in spiking} | ({self.channel: 1} if biased else {})
        network = described(plan, self.cells, trains, {n: t for n, (t, _) in currents.items()},
                            self.notes)  # fmt: skip
        self._tell(shift)
        stepped = SteppedNetwork(
            network, dt, rule, populations, projections_of(plan, inside, self.by_name, self.taken),
            tuple(self.notes),
        )  # fmt: skip
        if self.least:  # for a chip
            stepped, moved = weights_before_stages(stepped)
            self.notes += moved
            stepped = replace(stepped, notes=tuple(self.notes))
        own = [c for c in self.cells if not c.stage]
        shapes = {n: plan.shapes[n] for n in self.names}
        return Lowered(
            stepped, plan.rule, self.names, shapes,
            {c.node: shift[c.name] - c.behind for c in own if np.isfinite(c.threshold).any()},
            {c.node: shift[c.name] for c in own},
            {name: current for name, (_, current) in currents.items()},
            self.channel if biased else "", tuple(self.notes),
        )  # fmt: skip

    def _tell(self, shift: Mapping[str, int]) -> None:
        """Note what nodes are called, and when they begin."""
        for cell in self.cells:
            if not cell.stage and (shift[cell.name] or cell.name != cell.node):
                late = f", {shift[cell.name]} step(s) late" if shift[cell.name] else ""
                self.notes.append(f"node {cell.node!r} is population {cell.name!r}{late}")
        self.notes[:] = dict.fromkeys(self.notes)

    def _currents(
        self, ways: list[Way], shift: Mapping[str, int]
    ) -> dict[str, tuple[str, Current]]:
        """Return current input -> (population, how it is made)."""
        found: dict[str, tuple[str, Current]] = {}
        for cell in self.cells:
            mine = [w for w in ways if w.target == cell.name]
            if not mine:
                continue
            if cell.stage:
                raise LoweringError(
                    f"node {cell.node!r}: takes an input as a current and feeds neurons, allowed: "
                    "inputs='spikes' or 'counts' there"
                )
            parts = tuple(
                (w.node, w.steps - shift[cell.name], _scaled(w.matrix, w.rows)) for w in mine
            )
            keep = cell.keep_u if cell.synapse else None
            name = free_name(f"current_{cell.name}", self.taken)
            found[name] = (cell.name, Current(parts, keep, shift[cell.name]))
        return found


def column(values: Any) -> Any:
    """Return values as a CSR matrix of one column."""
    from ..lazy import sparse

    return sparse.csr_matrix(np.asarray(values, np.float64)[:, None])


def _scaled(matrix: Any, rows: Any) -> Any:
    from ..lazy import sparse

    return sparse.csr_matrix(sparse.diags(rows) @ matrix)


def _ordered(cells: list[Cell], ways: list[Way]) -> list[Cell]:
    """Return the populations so that what arrives in its own step comes from those before."""
    waiting: dict[str, set[str]] = {c.name: set() for c in cells}
    for w in ways:
        if w.steps == 0 and w.source in waiting:
            waiting[w.target].add(w.source)
    found: list[Cell] = []
    done: set[str] = set()
    while len(found) < len(cells):
        ready = [c for c in cells if c.name not in done and waiting[c.name] <= done]
        if not ready:
            raise LoweringError("edges without a step between them close a cycle")
        found += ready
        done |= {c.name for c in ready}
    return found
