"""Why two runs of one graph differ: the first spike that does, and the switches that cause it.

Switches are set from one rule to the other one by one; what cannot be left out is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import RangeError
from .fields import Array
from .model import NIRGraph
from .rules import NirRule, find_rule
from .runner import NirRun, run
from .switches import NUMBERS, SWITCHES


@dataclass(frozen=True)
class Divergence:
    """Where two runs differ first.

    Args:
        node: the spiking node; several in one step: the first by name.
        step: counted from 0.
        neuron: its index in the layer.
        a: spikes in the first run.
        b: spikes in the other.
    """

    node: str
    step: int
    neuron: tuple[int, ...]
    a: float
    b: float

    def __str__(self) -> str:
        where = ", ".join(map(str, self.neuron))
        return (
            f"step {self.step}: node {self.node!r}, neuron ({where}): {self.a:g} spikes "
            f"against {self.b:g}"
        )


@dataclass(frozen=True)
class Explanation:
    """What parts two runs.

    Args:
        a: the first rule.
        b: the other; None: a recording.
        first: the first divergence; None: the spikes are equal.
        differences: node -> entries of its spikes that differ.
        causes: switch -> (its values in a, in b): all of them, set as in b, make the first
            divergence go away, and none of them can be left out. Against a recording they are
            some of ``needed``, or where nothing is enough the changes that come closest.
        needed: the same for the whole run.
        trials: what was tried -> (first step that differs or None, entries that differ).
        spikes_a: spikes of the first run by node.
        spikes_b: of the other.
        repeats: against a recording: fields of the first rule and what they have to be so that it
            repeats the recording (``find_rule(told.a, **told.repeats)``); empty: not found.
    """

    a: NirRule
    b: NirRule | None
    first: Divergence | None
    differences: Mapping[str, int]
    causes: Mapping[str, tuple[str, str]]
    needed: Mapping[str, tuple[str, str]]
    trials: Mapping[str, tuple[int | None, int]]
    spikes_a: Mapping[str, Array] = field(default_factory=dict, repr=False)
    spikes_b: Mapping[str, Array] = field(default_factory=dict, repr=False)
    repeats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Tell whether all spikes are equal."""
        return self.first is None

    def __str__(self) -> str:
        other = self.b.name if self.b else "the recording"
        if self.first is None:
            return f"{self.a.name} and {other}: all spikes are equal"
        total = sum(self.differences.values())
        lines = [f"{self.a.name} and {other}: {total} entries differ", f"first: {self.first}"]
        closest = self.b is None and not self.needed
        cause = "closest, but not equal" if closest and self.causes else "cause"
        for title, found in ((cause, self.causes), ("in the whole run", self.needed)):
            told = [f"{k}: {x} -> {y}" for k, (x, y) in found.items()] or ["no switch"]
            lines += [f"{title}: {t}" for t in told]
        if self.repeats:
            told = [f"{n}={v}" for n, v in self.repeats.items()]
            lines.append(f"equal to the recording: {self.a.name} with {' '.join(told)}")
        return "\n".join(lines)


def explain_runs(
    graph: NIRGraph,
    inputs: Any,
    rule_a: NirRule | str,
    rule_b: NirRule | str,
    *,
    dt: float | None = None,
) -> Explanation:
    """Find what parts two rules on one graph; see :func:`explain`."""
    a = find_rule(rule_a)
    b = find_rule(rule_b)
    dt = dt or a.dt or b.dt
    a, b = replace(a, dt=dt), replace(b, dt=dt)
    ran_a, ran_b = run(graph, inputs, a), run(graph, inputs, b)
    expect_spikes(ran_a)
    first, counts = compare(ran_a.spikes, ran_b.spikes)
    found = _Search(graph, inputs, ran_a.rule, ran_b)  # a rule may have taken another's place
    causes: dict[str, tuple[str, str]] = {}
    needed: dict[str, tuple[str, str]] = {}
    if first is not None:
        causes, needed = found.least(first.step + 1), found.least(None)
    return Explanation(
        ran_a.rule, ran_b.rule, first, counts, causes, needed, found.trials,
        ran_a.spikes, ran_b.spikes,
    )  # fmt: skip


def expect_spikes(ran: NirRun) -> None:
    """Refuse a graph in which there is nothing to compare."""
    if not ran.spikes:
        raise RangeError("explain: the graph has no neurons that spike, so nothing is compared")


class _Search:
    """Sets switches of one rule as another has them, and remembers what came of it."""

    def __init__(self, graph: NIRGraph, inputs: Any, a: NirRule, ran_b: NirRun) -> None:
        self.graph, self.inputs, self.a, self.b = graph, inputs, a, ran_b.rule
        self.spikes = ran_b.spikes
        groups = [*SWITCHES.items(), *((n, (n,)) for n in NUMBERS)]
        apart = {n: [f for f in names if self._differs(f)] for n, names in groups}
        self.parts = {name: names for name, names in apart.items() if names}
        self.trials: dict[str, tuple[int | None, int]] = {}

    def _differs(self, name: str) -> bool:
        return bool(getattr(self.a, name) != getattr(self.b, name))

    def _score(self, names: tuple[str, ...]) -> tuple[int | None, int]:
        key = " + ".join(names)
        if key not in self.trials:
            rule = _mixed(self.a, self.b, self.parts, names)
            self.trials[key] = _tried(self.graph, self.inputs, rule, self.spikes)
        return self.trials[key]

    def least(self, until: int | None) -> dict[str, tuple[str, str]]:
        """Return switches of which none can be left out for equal spikes before a step."""

        def enough(names: tuple[str, ...]) -> bool:
            step = self._score(names)[0]
            return step is None or (until is not None and step >= until)

        return {
            n: (said_fields(self.a, self.parts[n]), said_fields(self.b, self.parts[n]))
            for n in least(tuple(self.parts), enough)
        }


def _mixed(
    a: NirRule, b: NirRule, parts: Mapping[str, list[str]], names: tuple[str, ...]
) -> NirRule:
    """Return a with some switches as in b."""
    changes = {f: getattr(b, f) for name in names for f in parts[name]}
    return replace(a, name="mixed", own_files="", **changes)


def said_fields(rule: NirRule, names: list[str]) -> str:
    """Return fields of a rule with their values."""
    return ", ".join(f"{n} {getattr(rule, n)}" for n in names)


def _tried(
    graph: NIRGraph, inputs: Any, rule: NirRule, spikes: Mapping[str, Array]
) -> tuple[int | None, int]:
    first, counts = compare(run(graph, inputs, rule).spikes, spikes)
    return (None if first is None else first.step), sum(counts.values())


def least(names: tuple[str, ...], enough: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """Return names of which none can be left out; one alone is tried first."""
    for name in names:
        if enough((name,)):
            return (name,)
    if not enough(names):
        return ()
    for name in names:
        rest = tuple(n for n in names if n != name)
        if rest and enough(rest):
            names = rest
    return names


def compare(
    a: Mapping[str, Array], b: Mapping[str, Array]
) -> tuple[Divergence | None, dict[str, int]]:
    """Return the first entry that differs, over the nodes that both have, and counts by node."""
    first: Divergence | None = None
    counts: dict[str, int] = {}
    for node in (n for n in a if n in b):  # as the run steps them
        x, y = np.asarray(a[node]), np.asarray(b[node])
        apart = x != y
        counts[node] = int(apart.sum())
        if not counts[node]:
            continue
        place = np.unravel_index(int(np.argmax(apart)), apart.shape)
        step, neuron = int(place[0]), tuple(int(p) for p in place[1:])
        if first is None or step < first.step:
            first = Divergence(node, step, neuron, float(x[place]), float(y[place]))
    return first, counts
