"""Which switches turn a rule into what was recorded elsewhere, found from the spikes alone.

Single switches, switches as other rules have them, and whole rules are tried first; then those that
come closest are changed further, until the spikes are equal or the runs are used up. What equals
the recording is cut down to the fewest switches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from math import comb, inf
from typing import Any

import numpy as np

from ..checks import expect_progress
from ..errors import Faults, NeuroLifError, RangeError, show
from .causes import Explanation, compare, expect_spikes, least, said_fields
from .fields import Array, masked
from .model import NIRGraph
from .rules import RULES, NirRule, rule_said
from .runner import NirRun, run
from .switches import CHOICES, NUMBERS, SWITCHES

MOST_RUNS = 500
"""Runs of a search, where the call says nothing else."""
MOST_SUBSETS = 150
"""Sets of switches that are tried to find the fewest."""
STEPS = dict.fromkeys(("input_delay", "delay", "synapse_delay"), (0, 1)) | {
    "recurrent_delay": (0, 1, 2)
}
"""Delays that are tried."""
GROUPS: dict[str, tuple[str, ...]] = {**SWITCHES, **{n: (n,) for n in NUMBERS}}

Changes = Mapping[str, Any]
"""Fields of a rule and what they become."""
Score = tuple[int | None, int]
"""First step that differs (None: none), entries that do."""


def explain_recorded(
    graph: NIRGraph,
    inputs: Any,
    a: NirRule,
    recording: Mapping[str, Array],
    *,
    dt: float | None = None,
    most_runs: int = MOST_RUNS,
    progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Find the switches of a rule that make it repeat a recording; see :func:`explain`."""
    expect_progress(progress, "nir.explain: progress")
    if isinstance(most_runs, bool) or not isinstance(most_runs, int) or most_runs < 1:
        raise RangeError(f"most_runs = {show(most_runs)}, allowed: a whole number >= 1")
    ran = run(graph, inputs, a, dt=dt)
    expect_spikes(ran)
    spikes = _fitting(ran, recording)
    first, counts = compare(ran.spikes, spikes)
    a = ran.rule
    if first is None:
        return Explanation(a, None, None, counts, {}, {}, {}, ran.spikes, spikes)
    search = _Search(graph, inputs, ran, spikes, (most_runs, progress))
    best = search.closest((first.step, sum(counts.values())))
    needed: Changes = {}
    causes: Changes = best
    if search.score(best)[0] is None:
        needed = search.fewest(best, None)
        causes = search.fewest(needed, first.step + 1)
    if needed:
        search.trials[" + ".join(search.switches(needed))] = (None, 0)
    return Explanation(
        a, None, first, counts, search.said(causes), search.said(needed), search.trials,
        ran.spikes, spikes, needed,
    )  # fmt: skip


class _Search:
    """Runs rules beside a recording and remembers what came of each."""

    def __init__(
        self, graph: NIRGraph, inputs: Any, ran: NirRun, spikes: Mapping[str, Array],
        limits: tuple[int, Callable[[int, int], None] | None],
    ) -> None:  # fmt: skip
        self.graph, self.inputs, self.ran, self.spikes = graph, inputs, ran, spikes
        self.a, (self.most, self.progress) = ran.rule, limits
        self.known: dict[frozenset[tuple[str, Any]], Score] = {}
        self.trials: dict[str, Score] = {}
        self.runs = 0
        self.idle = False  # whether the last run was in all it shows as the rule's own

    # ------------------------------------------------------------------------------- runs

    def score(self, changes: Changes) -> Score:
        """Return how far a rule is from the recording; one that cannot run is farthest."""
        key = frozenset(self.own(changes).items())
        if key not in self.known:
            self.known[key] = self._run(dict(key))
        return self.known[key]

    def own(self, changes: Changes) -> dict[str, Any]:
        """Return the changes that are any."""
        return {f: v for f, v in changes.items() if v != getattr(self.a, f)}

    def _run(self, changes: dict[str, Any]) -> Score:
        self.runs += 1
        if self.progress is not None:
            self.progress(min(self.runs, self.most), self.most)
        self.idle = False
        try:
            rule = replace(self.a, name="mixed", own_files="", dt=self.ran.dt, **changes)
            ran = run(self.graph, self.inputs, rule)
        except NeuroLifError:
            return 0, 2**63  # a rule that is none, or that cannot step this graph
        self.idle = _same(ran, self.ran)
        first, counts = compare(ran.spikes, self.spikes)
        return (None if first is None else first.step), sum(counts.values())

    # ----------------------------------------------------------------------------- search

    def closest(self, start: Score) -> Changes:
        """Return the changes that come closest to the recording, all equal where they can be."""
        found: list[tuple[str, Changes]] = [("", {})]
        self.known[frozenset()] = start
        moves = []
        for label, changes in _moves(self.a, rule_said(self.graph.metadata)):
            if self.runs >= self.most:
                break
            before = self.runs
            self.trials[label] = self.score(changes)
            found.append((label, changes))
            if not label.startswith("rule ") and not (self.runs > before and self.idle):
                moves.append((label, changes))
        self._combined(found, moves)
        self.trials = {k: s for k, s in self.trials.items() if s[1] < 2**63}
        return min((c for _, c in found), key=lambda c: (self.score(c)[1], len(self.switches(c))))

    def _combined(self, found: list[tuple[str, Changes]], moves: list[tuple[str, Changes]]) -> None:
        """Change what comes closest further, in turn by all entries and by the first that differs,
        until nothing differs or the runs are used up.
        """
        # spikes between steps take far longer to run: alone, or as the rule has them
        open_ = [f for f in found if f[1].get("integrator") != "event"]
        moves = [m for m in moves if m[1].get("integrator") != "event"]
        turn = 0
        while open_ and self.runs < self.most and all(self.score(c)[1] for _, c in found):
            turn += 1
            label, changes = min(open_, key=lambda o: self._rank(o[1], turn % 2 == 1))
            open_.remove((label, changes))
            for more, change in moves:
                if self.runs >= self.most or change.items() <= changes.items():
                    continue
                both = {**changes, **change}
                before, told = self.runs, " + ".join(n for n in (label, more) if n)
                score = self.score(both)
                if self.runs > before and score[1] < 2**63:
                    self.trials[told] = score
                    found.append((told, both))
                    open_.append((told, both))
                if score[0] is None:
                    return

    def _rank(self, changes: Changes, overall: bool) -> tuple[float, float, int]:
        first, entries = self.score(changes)
        late = -inf if first is None else -first
        n = len(self.switches(changes))
        return (entries, late, n) if overall else (late, entries, n)

    def switches(self, changes: Changes) -> list[str]:
        """Return the switches that changes set, in the order of the list."""
        own = self.own(changes)
        return [name for name, names in GROUPS.items() if any(f in own for f in names)]

    def fewest(self, changes: Changes, until: int | None) -> Changes:
        """Return the fewest of the switches that make spikes equal before a step, and of their
        fields those that cannot be left out.
        """
        own = self.own(changes)
        parts = {n: {f: own[f] for f in GROUPS[n] if f in own} for n in self.switches(own)}

        def enough(names: tuple[str, ...]) -> bool:
            step = self.score(_joined(parts, names))[0]
            return step is None or (until is not None and step >= until)

        names = least(tuple(parts), enough) or tuple(parts)
        tried = 0
        for size in range(2, len(names)):
            tried += comb(len(parts), size)
            if tried > MOST_SUBSETS:
                break
            smaller = next((c for c in combinations(parts, size) if enough(c)), None)
            if smaller:
                names = smaller
                break
        found = _joined(parts, names)
        for name in list(found):
            rest = {f: v for f, v in found.items() if f != name}
            step = self.score(rest)[0]
            if rest and (step is None or (until is not None and step >= until)):
                found = rest
        return found

    def said(self, changes: Changes) -> dict[str, tuple[str, str]]:
        """Return the switches with their fields before and after."""
        own = self.own(changes)
        rule = replace(self.a, name="mixed", **own)
        fields = {n: [f for f in GROUPS[n] if f in own] for n in self.switches(own)}
        return {n: (said_fields(self.a, f), said_fields(rule, f)) for n, f in fields.items()}


def _joined(parts: Mapping[str, Changes], names: tuple[str, ...]) -> dict[str, Any]:
    return {f: v for n in names for f, v in parts[n].items()}


def _same(a: NirRun, b: NirRun) -> bool:
    """Tell whether two runs are equal in all they show."""
    kinds = ((a.spikes, b.spikes), (a.voltage, b.voltage), (a.current, b.current))
    return all(np.array_equal(x[n], y[n]) for x, y in kinds for n in x)


def _moves(a: NirRule, own: NirRule | None) -> Iterator[tuple[str, Changes]]:
    """Yield what is tried: single fields, switches as another rule has them, and rules."""
    if own is not None:
        yield f"rule {own.name}", _steps(own)
    values: dict[str, tuple[Any, ...]] = {**CHOICES, **STEPS}
    for name, choices in values.items():
        for value in choices:
            if value != getattr(a, name):
                yield f"{name} {value}", {name: value}
    for name, rule in RULES.items():
        if name != a.name:
            yield f"rule {name}", _steps(rule)
    seen = []
    for switch, names in GROUPS.items():
        for name, rule in RULES.items():
            changes = {f: getattr(rule, f) for f in names if getattr(rule, f) != getattr(a, f)}
            if len(changes) > 1 and "dt" not in changes and changes not in seen:
                seen.append(changes)
                yield f"{switch} of {name}", changes


def _steps(rule: NirRule) -> Changes:
    """Return all fields of a rule that change spikes, but the step."""
    return {f: v for f, v in rule.switches().items() if f not in ("dt", "shown_at_spike")}


def _fitting(ran: NirRun, recording: Mapping[str, Array]) -> dict[str, Array]:
    """Return the recorded spikes in the shapes of the nodes.

    Raises:
        RangeError: a node that is none, a shape that is not its own, or no numbers.
    """
    found, faults = {}, Faults()
    for node, given in recording.items():
        if node not in ran.spikes:
            raise RangeError(
                f"recording: node {show(node)}, allowed: {', '.join(sorted(ran.spikes))}"
            )
        try:
            array = np.asarray(None if masked(given) else given)
        except (ValueError, TypeError):
            array = np.asarray(None)
        shape = ran.spikes[node].shape
        if array.ndim == 2 and array.shape == (shape[0], int(np.prod(shape[1:]))):
            array = array.reshape(shape)  # NIRData has its neurons in a row
        if array.shape != shape or array.dtype.kind not in "biuf":
            raise RangeError(
                f"recording: node {node!r}: {array.dtype} of shape {array.shape}, "
                f"allowed: shape {ran.spikes[node].shape}"
            )
        if not np.all(np.isfinite(array)):
            place = np.unravel_index(int(np.argmin(np.isfinite(array))), shape)
            where = f"step {place[0]}, neuron ({', '.join(str(int(p)) for p in place[1:])})"
            faults.add("recording", f"node {node!r}, {where}", str(array[place]), "finite numbers")
        found[node] = array
    faults.raise_if_any(RangeError)
    if not found:
        raise RangeError("recording is empty, allowed: node -> spikes (n_steps, *shape)")
    return found
