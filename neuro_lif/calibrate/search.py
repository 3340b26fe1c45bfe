"""Coordinate descent over the populations: of the best predicted scales, the one that runs best."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..emulator import run_fixed, run_variants
from ..errors import LoweringError
from ..fixed import FixedNetwork
from ..ledger import Calibrated, Chosen
from ..lower.codes import code_all, code_network, code_part
from ..lower.draft import Draft, Plan, note
from ..lower.encode import encode_current
from ..lower.lattice import Room
from ..lower.scales import choose_scales, rooms_of
from ..lower.search import Scale
from ..lower.stages import stages_onto
from ..recording import Recording
from .bias import correction
from .candidates import Candidate, cut_of, of_all, of_population
from .laws import Listener, listener
from .meant import Meant, Score
from .room import room_notes, roomier, with_room

RUN, SWEEPS = 12, 2
"""How many of the best predicted candidates of a population are run, of those with corrected biases
and of those without, and how often in turn."""

OVERFLOWED = 2.0
"""Added to the share of other decisions where registers overflow: worse than any that do not."""

Told = Callable[[int, int], None]
Choice = tuple[Scale, bool]


@dataclass
class Search:
    """One calibration; what it found is kept so that nothing is run twice.

    Args:
        draft: with the scales that are chosen without calibration.
        meant: the float run.
        biases: whether biases may be corrected: both are tried, or one.
        progress: called with (runs done, runs in all).
        without: score of the network without calibration.
    """

    draft: Draft
    meant: Meant
    biases: tuple[bool, ...]
    progress: Told | None = None
    runs: int = 0
    without: Score = (1.0, np.inf)
    known: dict[tuple[Choice, ...], Score] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = [p.name for p in self.draft.stepped.described]
        self.rooms: dict[str, Room] = rooms_of(self.draft)
        if self.meant.spans:
            self.rooms = roomier(self.draft, self.rooms, self.meant.spans)
            self.draft = with_room(self.draft, self.rooms)
        self.heard: dict[str, Listener] = {
            p.name: listener(self.draft, p, self.rooms[p.name], self.meant)
            for p in self.draft.stepped.described
        }
        self._corrections: dict[tuple[str, Scale], FloatArray] = {}
        self.candidates = self._candidates()
        self.best = {name: best_of(found) for name, found in self.candidates.items()}
        self.total = SWEEPS * sum(len(c) for c in self.best.values()) + 3

    def _candidates(self) -> dict[str, list[Candidate]]:
        if self.draft.options.granularity == "global":
            return {"": of_all(self.heard, self.biases)}
        return {n: of_population(n, self.heard[n], self.biases) for n in self.names}

    # ------------------------------------------------------------------------- networks

    def plan(self, name: str, choice: Choice) -> Plan:
        """Return the plan of a population with a scale, its bias corrected or not."""
        scale, corrected = choice
        old = self.draft.plans[name]
        can = corrected and old.form.bias_mant is not None
        found = self._correction(name, scale) if can else None
        return replace(old, scale=scale, pinned=True, correction=found)

    def _correction(self, name: str, scale: Scale) -> FloatArray:
        key = (name, scale_key(scale))
        if key not in self._corrections:
            p = self.draft.stepped.population(name)
            self._corrections[key] = correction(self.draft, p, self.rooms[name], scale, self.meant)
        return self._corrections[key]

    def drafted(self, choices: dict[str, Choice]) -> Draft:
        """Return the draft with these scales."""
        plans = {name: self.plan(name, c) for name, c in choices.items()}
        return replace(self.draft, plans=self.draft.plans | plans)

    def changed(self, base: Draft, names: Iterable[str], choices: dict[str, Choice]) -> Any:
        """Return the network of a draft with some populations coded anew, all else shared."""
        draft, fixed = self.drafted(choices), base.fixed
        currents = {c.population for c in draft.stepped.network.current_inputs}
        for name in names:
            if fixed is None or name in currents or stages_onto(draft.stepped, name):
                return code_all(draft).fixed
            _, population, onto = code_part(draft, draft.stepped.population(name))
            new = {q.name: q for q in onto}
            fixed = replace(
                fixed,
                populations=tuple(population if p.name == name else p for p in fixed.populations),
                projections=tuple(new.get(q.name, q) for q in fixed.projections),
            )
        return fixed

    # ----------------------------------------------------------------------------- runs

    def scores(self, networks: list[FixedNetwork]) -> list[Score]:
        """Return how far every network is from the float run."""
        m = self.meant
        if m.currents:
            found = [self._score(run_fixed(f, m.n_steps, self._integers(f))) for f in networks]
        else:
            tell: Callable[[Recording], Score] = self._score
            found = list(run_variants(networks, m.n_steps, m.inputs, reduce=tell))
        self.runs += len(networks)
        if self.progress is not None:
            self.progress(min(self.runs, self.total - 1), self.total)
        return found

    def _score(self, run: Recording) -> Score:
        """Return how far a run is from the float run; where only samples bound v, it must fit."""
        apart, counts = self.meant.score(run)
        if self.meant.spans and any(e.first_step for e in run.events):
            return OVERFLOWED + apart, counts
        return apart, counts

    def _integers(self, fixed: FixedNetwork) -> dict[str, Any]:
        coded = {d.name: d for d in fixed.directs}
        return {
            name: encode_current(coded[name], values) if name in coded else values
            for name, values in self.meant.inputs.items()
        }

    def descend(self, start: dict[str, Choice]) -> dict[str, Choice]:
        """Return the choices that no change of one population makes better."""
        best = dict(start)
        for _ in range(SWEEPS):
            before = dict(best)
            for name, found in self.best.items():
                best = self._best_of(found, [name] if name else self.names, best)
            if best == before:
                break
        return best

    def _best_of(
        self, found: list[Candidate], names: list[str], best: dict[str, Choice]
    ) -> dict[str, Choice]:
        asked = [best]
        for c in found:
            asked.append(best | {n: (s, c.corrected) for n, s in c.scales.items()})
        keys = [tuple(choices[n] for n in self.names) for choices in asked]
        keys = [tuple((scale_key(s), b) for s, b in key) for key in keys]
        new = [k for k, key in enumerate(keys) if key not in self.known and key not in keys[:k]]
        base = code_all(self.drafted(best))
        networks = [self.changed(base, names, asked[k]) for k in new]
        for k, score in zip(new, self.scores(networks) if networks else [], strict=True):
            self.known[keys[k]] = score
        k = self._least([self.known[key] for key in keys])
        return asked[k]

    def _least(self, found: list[Score]) -> int:
        """Return the place of the best score; of the two parts see :data:`~.meant.Score`.

        Agreement on a few samples is a coarse measure: what is within a standard error of the
        best counts as good, the counts decide. Never less agreement than without calibration.

        Source: the one-standard-error rule of L. Breiman et al., Classification and Regression
        Trees (1984).
        """
        least = min(score[0] for score in found)
        share = least + 1.0 / self.meant.samples
        error = float(np.sqrt(share * max(1.0 - share, 0.0) / self.meant.samples))
        most = max(least, min(least + error, self.without[0]))
        fine = [k for k, score in enumerate(found) if score[0] <= most]
        return min(fine, key=lambda k: (found[k][1], found[k][0], k))


def best_of(found: list[Candidate]) -> list[Candidate]:
    """Return the candidates to run: the laws rate those with a corrected bias among themselves."""
    kept = [[c for c in found if c.corrected is kind][:RUN] for kind in (True, False)]
    return kept[0] + kept[1]


def scale_key(scale: Scale) -> Any:
    """Return what two equal scales have in common: a name for a dictionary."""
    return scale.lsb_per_volt, scale.exponents, scale.activity


def calibrated(
    draft: Draft, meant: Meant, bias_correction: bool | None, progress: Told | None
) -> Draft:
    """Return the coded draft with the scales that ran best, and what was gained in its ledger.

    Args:
        draft: before coding, with the scales that are chosen without calibration.
        meant: the float run.
        bias_correction: True, False, or None: where it helps.
        progress: called with (runs done, runs in all).
    """
    biases = _biases(draft, bias_correction)
    search = Search(draft, meant, biases, progress)
    own = code_network(draft)
    start: dict[str, Choice] = {}
    for name in search.names:
        scale = own.plans[name].scale
        if scale is None:
            raise LoweringError(f"population {name!r}: no scale was chosen")
        start[name] = (scale, biases[0])
    if own.fixed is not None:
        search.without = search.scores([own.fixed])[0]
    best = search.descend(start)
    coded = code_network(search.drafted(best))
    naive = _max_abs(draft)
    networks = [d.fixed for d in (coded, naive) if d is not None and d.fixed is not None]
    scores = [search.without, *search.scores(networks)]
    overflows = scores[1][0] >= OVERFLOWED > scores[0][0]
    kept_own = scores[1] > scores[0] and (not bias_correction or overflows)
    final = own if kept_own else note(coded, notes=room_notes(coded, search.rooms, meant.spans))
    told = [meant.told((share % OVERFLOWED, count)) for share, count in scores]
    chosen = tuple(_chosen(search, own, final, name) for name in search.names)
    if progress is not None:
        progress(search.total, search.total)
    summary = Calibrated(
        meant.samples, meant.n_steps, search.runs, chosen, told[0] if kept_own else told[1],
        told[0], told[2] if len(told) > 2 else None, kept_own,
    )  # fmt: skip
    return replace(final, ledger=replace(final.ledger, calibrated=summary))


def _biases(draft: Draft, bias_correction: bool | None) -> tuple[bool, ...]:
    """Return whether biases are left, corrected, or both are tried."""
    if any(plan.form.bias_mant is not None for plan in draft.plans.values()):
        return (False, True) if bias_correction is None else (bool(bias_correction),)
    if bias_correction:
        raise LoweringError(
            f"bias_correction = True, but profile {draft.profile.name} has no bias, allowed: False "
            "or None"
        )
    return (False,)


def _max_abs(draft: Draft) -> Draft | None:
    """Return the draft coded at the max-abs scale; None where the profile cannot."""
    plans = {name: replace(plan, scale=None) for name, plan in draft.plans.items()}
    options = replace(draft.options, scaling="max_abs")
    try:
        return code_network(choose_scales(replace(draft, plans=plans, options=options)))
    except LoweringError:
        return None


def _chosen(search: Search, own: Draft, final: Draft, name: str) -> Chosen:
    plan, before = final.plans[name], own.plans[name]
    if plan.scale is None or before.scale is None:
        raise LoweringError(f"population {name!r}: no scale was chosen")
    heard, corrected = search.heard[name], plan.correction is not None
    moved = None
    if plan.correction is not None:  # of each neuron, on its own scale
        moved = float(np.sqrt(np.mean((plan.correction / plan.relative) ** 2)))
    found, run = (x.get(name, x.get("", [])) for x in (search.candidates, search.best))
    return Chosen(
        f"population {name!r}", cut_of(search.rooms[name], plan.scale),
        1.0 / plan.scale.lsb_per_volt, moved, len(found), len(run),
        heard.predicted(plan.scale, corrected), heard.predicted(before.scale, False),
    )  # fmt: skip
