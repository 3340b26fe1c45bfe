"""Builds the ladder: level after level, and what each step between two of them costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..discretize import SteppedNetwork
from ..errors import NeuroLifError
from ..fixed import FixedNetwork
from ..recording import Recording
from ..task import Task
from . import exact as without_steps
from .fine import widened
from .measure import (
    MOST_TRAINS,
    best_lag,
    between,
    first_of,
    spike_distances,
    volts_apart,
)
from .parameters import FIELDS, Change, Rounded
from .results import Alone, Distance, Overflow, PopulationCost, Rung
from .runs import Run, Setting, overflowed

LONG = "takes long without steps; exact=True runs it"


@dataclass(frozen=True)
class Asked:
    """What a ladder is about, and what was asked for.

    Args:
        fixed: the integers; ``rounded`` the networks between them and what was described.
        setting: of every run.
        task: or None.
        names: populations to look at.
        timescale: of the distances, s.
        exact: True: always; None: where it does not take long; False: never.
        exact_samples: so many samples are run without a time step at most.
        described: whether there is a description without steps.
    """

    fixed: FixedNetwork
    rounded: Rounded
    setting: Setting
    task: Task | None
    names: tuple[str, ...]
    timescale: float
    exact: bool | None
    exact_samples: int
    described: bool


@dataclass(frozen=True)
class Climbed:
    """Every rung, the whole as one, and what is not here."""

    rungs: tuple[Rung, ...]
    total: Rung
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    engines: tuple[str, ...]


@dataclass(frozen=True)
class _Level:
    """A recording of the ladder, and what the task makes of it."""

    recording: Recording
    decisions: Any

    def correct(self, task: Task) -> int:
        return int(np.sum(self.decisions == task.labels))


class Climber:
    """Goes down the ladder; holds the changes that rounding made."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.setting = asked, asked.setting
        self.changes = asked.rounded.changes()
        groups = {c.group for c in self.changes}
        if any(len(p.tau_syn) > 1 for p in asked.rounded.plain.described):
            groups.add("decays")  # several currents become one
        self.groups = tuple(g for g in FIELDS if g in groups)
        self.left_out: dict[str, str] = {}
        self.notes: list[str] = []
        self.sizes = {p.name: p.size for p in asked.rounded.described.described}
        self.ticker = asked.setting.ticker
        concerned = {(c.group, c.population) for c in self.changes if asked.task is not None}
        self.ticker.runs = 8 + 3 * len(self.groups) + len(concerned)

    def climb(self) -> Climbed:
        """Do all runs."""
        clocked = self._level(self.setting.float_run(self.asked.rounded.described))
        rungs: list[Rung] = []
        start = level = clocked
        exact = self._exact(clocked.recording)
        if exact is None:
            self.ticker.skip(2)
        else:
            start = self._level(exact)
            described = self.asked.rounded.described
            rungs.append(self._rung("time_step", start, clocked,
                                    lambda x: self.setting.float_run(described, x)))  # fmt: skip
        for k, group in enumerate(FIELDS):
            if group not in self.groups:
                rungs.append(self._rung(group, level, level, None))
                continue
            rung, level = self._parameter(group, level, clocked, FIELDS[: k + 1])
            rungs.append(rung)
        more, level = self._integers(level)
        rungs += more
        fixed = self.asked.fixed
        total = self._rung("overflow", start, level, lambda x: self.setting.fixed_run(fixed, x),
                           late=exact is not None)  # fmt: skip
        self.ticker.skip(max(0, self.ticker.runs - self.ticker.done))
        engines = tuple(x.recording.provenance.get("engine", "") for x in (start, clocked, level))
        total = replace(total, detail={})
        return Climbed(tuple(rungs), total, self.left_out, tuple(self.notes),
                       tuple(dict.fromkeys(engines)))  # fmt: skip

    # ------------------------------------------------------------------------- levels

    def _level(self, recording: Recording) -> _Level:
        task = self.asked.task
        return _Level(recording, None if task is None else task.decide(recording))

    def _exact(self, clocked: Recording) -> Recording | None:
        """Return the run without a time step; None, with the reason noted, where there is none."""
        why, asked, setting = "", self.asked, self.setting
        described, batch = asked.rounded.described, setting.batch
        events = without_steps.events_in(described, clocked, setting.given)
        if not asked.described:
            why = "a network in steps was given, not its description"
        elif asked.exact is False:
            why = "it was not asked for (exact=False)"
        elif batch is not None and batch > asked.exact_samples:
            why = (f"{batch} samples, and the exact run does one after the other; exact_samples="
                   f"{batch} runs them all")  # fmt: skip
        elif asked.exact is None and events > without_steps.MOST_EVENTS:
            why = f"about {events:,} spikes, which {LONG}"
        if not why:
            try:
                return self._run_exact()
            except NeuroLifError as error:
                why = str(error)
                if why.startswith("most_events"):
                    why = f"more than {without_steps.MOST_EVENTS:,} events, which {LONG}"
        self.left_out["time_step"] = why
        return None

    def _run_exact(self) -> Recording:
        described, setting = self.asked.rounded.described, self.setting
        inputs = dict(setting.given)
        drawn = without_steps.drawn_inputs(described, inputs)
        if drawn:
            from ..reference import run_clocked

            told = run_clocked(described, setting.n_steps, inputs, "probes", record_inputs=True,
                               engine=setting.engine, threads=setting.threads,
                               batch=setting.batch)  # fmt: skip
            inputs |= {name: np.asarray(told.inputs[name]) for name in drawn}
            self.notes.append(f"drawn for each step, and handed to the run without steps as it "
                              f"was drawn: {', '.join(drawn)}")  # fmt: skip
        most = without_steps.MOST_EVENTS if self.asked.exact is None else None
        return without_steps.run_exact_on_grid(
            described, setting.n_steps, inputs, setting.batch, setting.record, self.ticker.run(),
            most,
        )  # fmt: skip

    def _parameter(
        self, group: str, before: _Level, clocked: _Level, chosen: Iterable[str]
    ) -> tuple[Rung, _Level]:
        """Round one more group of parameters; also this group alone."""
        rounded = self.asked.rounded
        network = rounded.network(tuple(chosen))
        after = self._level(self.setting.float_run(network))
        rung = self._rung(group, before, after, lambda x: self.setting.float_run(network, x))
        if group == self.groups[0]:
            alone = after
            self.ticker.skip(1)
        else:
            alone = self._level(self.setting.float_run(rounded.network((group,))))
        rung = replace(rung, alone=self._alone(clocked, alone))
        if self.asked.task is not None:
            old = rounded.network(tuple(g for g in chosen if g != group))
            if len(old.projections) == len(network.projections):
                rung = self._each_alone(rung, before, old, network)
        return rung, after

    def _each_alone(
        self, rung: Rung, before: _Level, old: SteppedNetwork, new: SteppedNetwork
    ) -> Rung:
        """Let every population take the rung alone, and see what the task makes of it."""
        task, costs = self.asked.task, []
        for cost in rung.populations:
            if task is None or not self.rounded(rung.name, cost.name):
                costs.append(replace(cost, correct_alone=0, decided_alone=0))
                continue
            network = self.asked.rounded.only(cost.name, old, new)
            found = self._level(self.setting.float_run(network))
            costs.append(replace(
                cost, correct_alone=found.correct(task) - before.correct(task),
                decided_alone=int(np.sum(found.decisions != before.decisions)),
            ))  # fmt: skip
        most = min(costs, key=lambda c: (c.correct_alone or 0, -c.changed_own))
        worse = (rung.correct or 0) < 0 and (most.correct_alone or 0) < 0
        return replace(rung, populations=tuple(costs),
                       culprit=most.name if worse else rung.culprit)  # fmt: skip

    def _integers(self, before: _Level) -> tuple[list[Rung], _Level]:
        """Round the state, in endless registers; then give the registers their widths."""
        fixed, run = self.asked.fixed, self.setting.fixed_run
        chip = self._level(run(fixed))
        events = overflowed(chip.recording.events)
        if not events:  # every rule of the chip's widths was the identity
            self.ticker.skip(2)
            state = self._rung("state", before, chip, lambda x: run(fixed, x))
            return [state, self._rung("overflow", chip, chip, None)], chip
        wide_fixed = widened(fixed)
        wide = self._level(run(wide_fixed))
        if left := overflowed(wide.recording.events):
            self.notes.append(f"the widest registers that can be computed with overflow, too: "
                              f"{left[0].where}, {left[0].register}")  # fmt: skip
        state = self._rung("state", before, wide, lambda x: run(wide_fixed, x))
        last = self._rung("overflow", wide, chip, lambda x: run(fixed, x))
        return [state, replace(last, overflow=self._overflow(events))], chip

    def _overflow(self, events: Iterable[Any]) -> tuple[Overflow, ...]:
        posts = {q.name: q.post for q in self.asked.fixed.projections}
        found = []
        for e in events:
            population = self.asked.rounded.target(posts.get(e.where, e.where))
            found.append(Overflow(population, e.where, e.register, e.kind, e.count, e.first_step,
                                  e.first_neuron))  # fmt: skip
        return tuple(found)

    # -------------------------------------------------------------------------- rungs

    def _rung(
        self, name: str, before: _Level, after: _Level, forced: Run | None, late: bool = False
    ) -> Rung:
        """Return what lies between two levels; ``forced`` None: they are the same."""
        first, second = before.recording, after.recording
        own = None if forced is None else forced(first)
        lag = 0
        if own is not None and (late or name == "time_step"):
            # by own doing, since what is inherited may be late by more, or by nothing in particular
            lag = best_lag(first, own, self.asked.names)
        costs = tuple(self._cost(p, first, second, own, lag) for p in self.asked.names)
        changed = sum(c.changed for c in costs)
        task = self.asked.task
        return Rung(
            name,
            sum(c.spikes_before for c in costs),
            sum(c.spikes_after for c in costs),
            changed,
            sum(c.either for c in costs),
            lag,
            costs,
            culprit(costs, self._spiking(), self._volts(first)),
            sum(c.seconds for c in costs),
            None if task is None else before.correct(task),
            None if task is None else after.correct(task),
            None if task is None else int(np.sum(before.decisions != after.decisions)),
            self._distances(first, second, changed + lag),
            first_of(c.divergence for c in costs),
            detail=self._detail(name),
        )

    def _trains(self) -> dict[str, int]:
        return {n: self.sizes[n] * (self.setting.batch or 1) for n in self.asked.names}

    def _spiking(self) -> dict[str, int]:
        spiking = {p.name for p in self.asked.rounded.described.described if p.spikes}
        return {name: n for name, n in self._trains().items() if name in spiking}

    def _volts(self, recording: Recording) -> dict[str, float]:
        """Return what an error of v is held against: the threshold, or how far v goes."""
        found = {}
        for p in self.asked.rounded.described.described:
            far = float(np.mean(p.threshold)) if p.spikes else 0.0
            if not p.spikes and (p.name, "v") in recording.traces:
                v = recording.volts(p.name) - np.asarray(p.v_zero)
                far = float(np.abs(v).max(initial=0.0))
            found[p.name] = far if 0 < far < np.inf else 1.0
        return found

    def _cost(
        self, name: str, before: Recording, after: Recording, own: Recording | None, lag: int
    ) -> PopulationCost:
        found = between(before, after, name, lag)
        alone = found if own is None else between(before, own, name, lag)
        rms, most = volts_apart(before, after, name, lag)
        rms_own, most_own = (rms, most) if own is None else volts_apart(before, own, name, lag)
        lsb = float(np.mean(np.asarray(self.asked.fixed.population(name).lsb)))
        seconds = self.setting.n_steps * self.asked.fixed.dt * self._trains()[name]
        return PopulationCost(
            name, self.sizes[name], found.before, found.after, alone.after, found.changed,
            found.either, alone.changed, alone.either, seconds, rms, most, rms_own, most_own, lsb,
            found.divergence, alone.divergence,
        )  # fmt: skip

    def _distances(self, a: Recording, b: Recording, changed: int) -> tuple[Distance, ...]:
        if changed:
            return spike_distances(a, b, self.asked.names, self.asked.timescale)
        of, scale = sum(self._trains().values()), self.asked.timescale
        return tuple(Distance(m, scale, min(of, MOST_TRAINS), of, 0.0, 0, 0.0)
                     for m in ("victor_purpura", "van_rossum"))  # fmt: skip

    def _alone(self, clocked: _Level, alone: _Level) -> Alone:
        found = [between(clocked.recording, alone.recording, n) for n in self.asked.names]
        spikes, changed, either = (sum(x) for x in zip(
            *((f.after - f.before, f.changed, f.either) for f in found), strict=True))  # fmt: skip
        task = self.asked.task
        if task is None:
            return Alone(spikes, changed, either)
        correct = alone.correct(task) - clocked.correct(task)
        decided = int(np.sum(alone.decisions != clocked.decisions))
        return Alone(spikes, changed, either, correct, decided)

    def _detail(self, name: str) -> dict[str, str]:
        """Return what was rounded on a rung, projection by projection and population."""
        found: dict[str, list[str]] = {}
        for change in self.changes:
            if change.group == name:
                found.setdefault(change.where, []).append(change.text)
        if name == "state":
            for p in self.asked.rounded.described.described:
                lsb = float(np.mean(np.asarray(self.asked.fixed.population(p.name).lsb)))
                text = f"1 LSB = {lsb:.4g} V"
                if p.spikes:
                    text += f", the threshold is {float(np.mean(p.threshold)) / lsb:.4g} LSB"
                found[p.name] = [text]
        return {k: "; ".join(v) for k, v in found.items()}

    def rounded(self, group: str, population: str) -> tuple[Change, ...]:
        """Return the changes of a group that concern a population, the largest error first."""
        found = [c for c in self.changes if (c.group, c.population) == (group, population)]
        return tuple(sorted(found, key=lambda c: -c.error))


def culprit(
    costs: Iterable[PopulationCost], trains: Mapping[str, int], volts: Mapping[str, float]
) -> str | None:
    """Return the population with the largest own error; None where nobody has one.

    Of those that spike it is the share of the spikes that differ, with one spike more counted for
    each neuron and sample, so that a population that hardly spikes is not named for a single one.
    Of read-outs, and of all where no spike differs, it is the error of v as a share of ``volts``.
    ``trains`` has those that spike: neurons times samples.
    """
    listed = tuple(costs)
    volts_off = {c.name: (c.v_rms_own or 0.0) / volts[c.name] for c in listed}
    shares = {c.name: c.changed_own / (c.either_own + trains[c.name]) if c.name in trains
              else volts_off[c.name] for c in listed}  # fmt: skip
    for errors in (shares, volts_off):
        if any(errors.values()):
            return max(errors, key=lambda name: errors[name])
    return None
