"""Why a chip gives other spikes than a rule: switches, the chip's steps, and what rounding does.

The graph runs under the rule; then switch after switch is set as a chip has it, layers begin later
by the steps that spikes take, parameters are rounded group after group, the state is kept in whole
numbers, and registers get their widths. The spikes of each are put back into the graph's own time
before they are compared. A cause of the first divergence is what cannot be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..emulator import run_fixed
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..ladder.fine import widened
from ..ladder.parameters import FIELDS, Rounded
from ..ladder.runs import overflowed
from ..lower.draft import APPROXIMATIONS as OF_CHIPS
from ..lower.form import lif_form
from ..predict.identity import as_integers
from ..profile import load_profile
from ..quantize import quantize
from ..reference import run_clocked
from ..stepped import SteppedNetwork
from .causes import compare, expect_spikes, least, said_fields
from .chip_results import ChipExplanation, Rung, Spikes
from .chip_voltage import voltages_at
from .lower import to_stepped
from .lowered import Lowered
from .model import NIRGraph
from .rules import NirRule, find_rule
from .runner import NirRun, run
from .switchable import APPROXIMATIONS as OF_RULES
from .switches import NUMBERS, SWITCHES

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

STEPS, STATE, OVERFLOW = "chip's steps", "state", "overflow"
MODELS = {"most_spikes": "model's spikes per step", "reset": "model's reset"}
"""What a chip's neuron does otherwise where that is allowed as an approximation."""
TEXTS = {
    STEPS: "layers begin later, cycles and first steps as a chip has them",
    STATE: "u and v in whole numbers",
    OVERFLOW: "registers and sums as wide as the chip's",
}


def explain_chip(
    graph: NIRGraph,
    inputs: Any,
    rule: NirRule | str,
    chip: HardwareProfile | str,
    *,
    dt: float | None = None,
    fed: str = "auto",
    approximate: Iterable[str] = (),
    **options: Any,
) -> ChipExplanation:
    """Find what parts a rule in floats and a chip, on one graph.

    Args:
        graph: the graph.
        inputs: as of :func:`run`.
        rule: a rule or its name.
        chip: a profile or the name of a shipped one.
        dt: the step; None: that of the rule.
        fed: how inputs come to the chip, ``inputs`` of :func:`to_stepped`; ``auto``: spikes where
            they are 0 and 1, counts where the chip takes them, else currents.
        approximate: what may be replaced, of :func:`to_stepped` and of
            :func:`neuro_lif.quantize`.
        **options: of :func:`neuro_lif.quantize` (``weight_bits``, ``calibrate`` ...).

    Raises:
        LoweringError: the rule or the chip cannot do it; says what may be approximated.
        NetworkError, RangeError: as :func:`run`.
    """
    allowed = (approximate,) if isinstance(approximate, str) else tuple(approximate)
    for name in allowed:
        if name not in {*OF_RULES, *OF_CHIPS}:
            known = ", ".join(dict.fromkeys([*OF_RULES, *OF_CHIPS]))
            raise RangeError(f"approximate = {show(name)}, allowed: {known}")
    ran = run(graph, inputs, find_rule(rule), dt=dt)
    expect_spikes(ran)
    profile = load_profile(chip) if isinstance(chip, str) else chip
    lowered = to_stepped(
        graph, ran.rule, dt=ran.dt, inputs=_fed(inputs, profile) if fed == "auto" else fed,
        approximate=[n for n in allowed if n in OF_RULES],
    )  # fmt: skip
    n_steps = len(next(iter(ran.spikes.values())))
    fixed = quantize(
        lowered.stepped, profile, n_steps=lowered.steps(n_steps),
        approximate=[n for n in allowed if n in OF_CHIPS], **options,
    )  # fmt: skip
    own = options.get("coding", "own") == "own"
    rounded = Rounded(fixed, lowered.stepped, own and options.get("gain_compensation", True))
    return _Climb(graph, inputs, ran, lowered, rounded, fixed, n_steps).explained()


def _fed(inputs: Any, profile: HardwareProfile) -> str:
    """Return how inputs can come in: as spikes, as counts, or as currents."""
    arrays = list(inputs.values()) if isinstance(inputs, Mapping) else [inputs]
    flat = [np.asarray(a) for a in arrays]
    if any(a.dtype.kind not in "biuf" for a in flat):
        return "spikes"  # which refuses it by name
    if all(np.all((a == 0) | (a == 1)) for a in flat):
        return "spikes"
    whole = all(np.all((a >= 0) & (a == np.floor(a))) for a in flat)
    return "counts" if whole and profile.routing.payload_bits else "current"


@dataclass
class _Climb:
    """From a rule to a chip; remembers what every combination gave."""

    graph: NIRGraph
    inputs: Any
    ran: NirRun
    lowered: Lowered
    rounded: Rounded
    fixed: FixedNetwork
    n_steps: int

    def __post_init__(self) -> None:
        a, b = self.ran.rule, self.lowered.rule
        groups = [*SWITCHES.items(), *((n, (n,)) for n in NUMBERS)]
        apart = {n: [f for f in names if getattr(a, f) != getattr(b, f)] for n, names in groups}
        self.parts = {name: names for name, names in apart.items() if names}
        self.models = self._models()
        changes = [c for c in self.rounded.changes() if c.what != "reset"]
        there = {c.group for c in changes}
        if any(len(p.tau_syn) > 1 for p in self.rounded.plain.described):
            there.add("decays")  # several currents become one
        self.groups = (*self.models, *(g for g in FIELDS if g in there))
        self.known: dict[frozenset[str], Spikes] = {frozenset(): self.ran.spikes}
        self.trials: dict[str, tuple[int | None, int]] = {}
        self.given = self.lowered.inputs(self.inputs)
        self.names = (*self.parts, STEPS, *self.groups, STATE, OVERFLOW)

    def _models(self) -> dict[str, str]:
        """Return what the chip's neuron models do otherwise -> the field that says it."""
        found: dict[str, str] = {}
        for p in self.rounded.described.described:
            if p.spikes:
                apart = (self._limit(p.name) != p.limit, self._coded(p.name) != p.reset)
                found |= {MODELS[f]: f for f, other in zip(MODELS, apart, strict=True) if other}
        return found

    def _limit(self, name: str) -> int:
        """Return how many spikes a neuron sends in a step at most on the chip."""
        return lif_form(self.fixed.profile, self.fixed.population(name).model).most

    def _coded(self, name: str) -> str:
        return str(self.rounded.coded.population(name).reset)

    def network(self, chosen: Iterable[str]) -> SteppedNetwork:
        """Return the stepped network with so much as on the chip, in floats."""
        names = frozenset(chosen)
        net = self.rounded.network([g for g in FIELDS if g in names and g in self.groups])
        populations = []
        for p in net.populations:
            changes: dict[str, Any] = {}
            if not p.graded and p.spikes:
                was = self.rounded.described.population(p.name)
                reset = MODELS["reset"] in names
                changes["reset"] = self._coded(p.name) if reset else was.reset
                if MODELS["most_spikes"] in names:
                    changes["most_spikes"] = self._limit(p.name)
            populations.append(replace(p, **changes))
        return replace(net, populations=tuple(populations))

    # ------------------------------------------------------------------------------- runs

    def spikes(self, names: Iterable[str]) -> Spikes | None:
        """Return the spikes with so much as on the chip; None: nothing can run like that."""
        chosen = frozenset(names)
        if chosen & {STATE, OVERFLOW}:
            if not chosen >= {*self.groups, STATE}:
                return None
            chosen |= {STEPS, *self.parts}
        elif chosen & {STEPS, *self.groups}:
            chosen |= {STEPS, *self.parts}
        if chosen not in self.known:
            self.known[chosen] = self._run(chosen)
        return self.known[chosen]

    def _run(self, chosen: frozenset[str]) -> Spikes:
        if STATE in chosen:
            fixed = self.fixed if OVERFLOW in chosen else widened(self.fixed)
            given = as_integers(fixed, self.given)
            record = run_fixed(fixed, self.lowered.steps(self.n_steps), given)
        elif STEPS in chosen:
            steps = self.lowered.steps(self.n_steps)
            record = run_clocked(self.network(chosen), steps, self.given)
        else:
            changes = {f: getattr(self.lowered.rule, f) for n in chosen for f in self.parts[n]}
            rule: NirRule = replace(self.ran.rule, name="mixed", own_files="", **changes)
            return run(self.graph, self.inputs, rule, dt=self.ran.dt).spikes
        return self.lowered.spikes(record, self.n_steps)

    def implied(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return what is as on the chip although it was not asked for."""
        if not set(names) & {STEPS, *self.groups, STATE, OVERFLOW}:
            return frozenset()
        return frozenset({STEPS, *self.parts}) - set(names)

    # ----------------------------------------------------------------------------- search

    def explained(self) -> ChipExplanation:
        chip = self.spikes(self.names) or {}
        self.chip = chip
        first, counts = compare(self.ran.spikes, chip)
        causes: dict[str, str] = {}
        needed: dict[str, str] = {}
        shown = None
        if first is not None:
            causes, needed = self._least(first.step + 1), self._least(None)
            networks = (self.lowered.stepped, self.network(self.names))
            shown = voltages_at(first, self.ran, self.lowered, self.fixed, networks,
                                as_integers(self.fixed, self.given))  # fmt: skip
        p = self.fixed.profile
        return ChipExplanation(
            self.ran.rule, p.name, first, counts, causes, needed, self._rungs(), self.trials,
            self.lowered.shifts, (*self.ran.notes, *self.lowered.notes), self.ran.spikes, chip,
            self.fixed, shown,
        )  # fmt: skip

    def _apart(self, names: tuple[str, ...], other: Spikes) -> tuple[int | None, int]:
        """Return the first step and the entries in which a combination differs from spikes."""
        first, counts = compare(self.spikes(names) or {}, other)
        return (None if first is None else first.step), sum(counts.values())

    def _enough(self, names: tuple[str, ...], until: int | None) -> bool:
        if self.spikes(names) is None:
            return False
        more = self.implied(names)
        if more and not _before(self._apart(tuple(more), self.ran.spikes)[0], until):
            return False  # what comes along would matter by itself
        key = " + ".join(names)
        if key not in self.trials:
            self.trials[key] = self._apart(names, self.chip)
        return _before(self.trials[key][0], until)

    def _least(self, until: int | None) -> dict[str, str]:
        """Return what cannot be left out for the chip's spikes before a step."""
        single = [n for n in self.names if self._enough((n,), until)]
        if single:
            return {single[0]: self._of_one(single, until)}
        last = (OVERFLOW, STATE, *reversed(self.groups), STEPS, *self.parts)
        found = least(last, lambda names: self._enough(names, until))
        if STATE in found:
            own = [n for n in (*self.parts, STEPS, *self.groups)
                   if not _before(self._apart((n,), self.ran.spikes)[0], until)]  # fmt: skip
            found = (*own, *(n for n in (STATE, OVERFLOW) if n in found))
        return {n: self.text(n) for n in self.names if n in found}

    def _of_one(self, single: list[str], until: int | None) -> str:
        """Return the text of a cause that is enough by itself, with the others that would be."""
        name, *others = single
        node = self._alone(name, until) if name in self.groups else None
        text = f"those of node {node!r} alone; " if node else ""
        more = f" ({' or '.join(others)} alone would do it, too)" if others else ""
        return text + self.text(name, node) + more

    def _rungs(self) -> tuple[Rung, ...]:
        found, before = [], self.ran.spikes
        for k, name in enumerate(self.names):
            now = self.spikes(self.names[: k + 1]) or {}
            _, changed = compare(before, now)
            first, counts = compare(self.ran.spikes, now)
            found.append(Rung(name, self.text(name), sum(changed.values()), sum(counts.values()),
                              first))  # fmt: skip
            before = now
        return tuple(found)

    def _alone(self, group: str, until: int | None) -> str | None:
        """Return the node of which a group of parameters alone makes the chip's spikes."""
        before, after = self.network(()), self.network((group,))
        concerned = {c.population for c in self.rounded.changes() if c.group == group}
        if len(concerned) < 2 or len(before.projections) != len(after.projections):
            return None
        for p in self.rounded.described.described:
            if p.name not in concerned:
                continue
            part = self.rounded.only(p.name, before, after)
            record = run_clocked(part, self.lowered.steps(self.n_steps), self.given)
            first, _ = compare(self.lowered.spikes(record, self.n_steps), self.chip)
            if _before(None if first is None else first.step, until):
                return self.lowered.nodes.get(p.name, p.name)
        return None

    def text(self, name: str, node: str | None = None) -> str:
        """Return what a change is, in words; of one node, or of all."""
        if name in self.parts:
            a, b = (said_fields(r, self.parts[name]) for r in (self.ran.rule, self.lowered.rule))
            return f"{a} -> {b}"
        if name in (STATE, OVERFLOW):
            return self._lsb() if name == STATE else self._events()
        if name == STEPS:
            return TEXTS[STEPS]
        if name in self.models:
            return self._model(self.models[name])
        names = self.lowered.nodes
        texts = [f"node {names.get(c.population, c.population)!r}: {c.text}"
                 for c in self.rounded.changes() if c.group == name
                 and node in (None, names.get(c.population, c.population))]  # fmt: skip
        return "; ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")

    def _model(self, field: str) -> str:
        found = []
        for p in self.rounded.described.described:
            if p.spikes:
                name, was = self.lowered.nodes.get(p.name, p.name), getattr(p, field)
                now = self._limit(p.name) if field == "most_spikes" else self._coded(p.name)
                found.append(f"node {name!r}: {'any number' if was is None else was} -> {now}")
        return ", ".join(found)

    def _lsb(self) -> str:
        found = []
        for p in self.rounded.described.described:
            if p.spikes:
                lsb = float(np.mean(np.asarray(self.fixed.population(p.name).lsb)))
                name = self.lowered.nodes.get(p.name, p.name)
                found.append(f"node {name!r}: the threshold is "
                             f"{float(np.mean(p.threshold)) / lsb:.4g} units of v")  # fmt: skip
        return f"{TEXTS[STATE]}; " + ", ".join(found)

    def _events(self) -> str:
        n = self.lowered.steps(self.n_steps)
        events = overflowed(run_fixed(self.fixed, n, as_integers(self.fixed, self.given)).events)
        told = ", ".join(f"{e.where} {e.register} {e.count} times from step {e.first_step}"
                         for e in events)  # fmt: skip
        return f"{TEXTS[OVERFLOW]}; {told or 'nothing overflows'}"


def _before(step: int | None, until: int | None) -> bool:
    """Tell whether nothing differs before a step (None: in the whole run)."""
    return step is None or (until is not None and step >= until)
