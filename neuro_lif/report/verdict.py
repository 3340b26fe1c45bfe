"""The verdict: what a person in a hurry reads, in a sentence or two and a few figures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..compare import Comparison
from ..ladder import Ladder
from ..profile_model import HardwareProfile
from .ladder_part import cost_text, worst_rung
from .laws_part import LawsPart
from .ledger_part import LedgerPart
from .numbers import NARROW, count, number, percent, si, signed
from .overflow_part import OverflowPart
from .runs_part import Runs
from .study_part import StudyPart


@dataclass(frozen=True)
class Figure:
    """A key figure: its name, its value, and a word on it."""

    name: str
    value: str
    about: str = ""


@dataclass(frozen=True)
class Verdict:
    """Sentences, the most important first, and figures."""

    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Parts:
    """What there is to judge by."""

    ladder: Ladder | None
    study: StudyPart | None
    laws: LawsPart | None
    runs: Runs | None
    overflow: OverflowPart | None
    ledger: LedgerPart | None
    profile: HardwareProfile | None


def verdict_of(parts: Parts) -> Verdict:
    """Return the verdict on all that is known."""
    sentences = [s for s in (_outcome(parts), _blame(parts), _overflow(parts)) if s]
    if not sentences:
        sentences = [s for s in (_study(parts), _laws(parts), _lowered(parts)) if s]
    figures = [f for f in (
        _accuracy_figure(parts), _spikes_figure(parts), _blame_figure(parts),
        _overflow_figure(parts), _divergence_figure(parts), _study_figure(parts),
        _laws_figure(parts), _headroom_figure(parts),
    ) if f]  # fmt: skip
    return Verdict(tuple(sentences) or ("There is nothing to judge yet.",), tuple(figures[:6]))


def _chip(parts: Parts) -> str:
    return parts.profile.name if parts.profile is not None else "the chip"


def _outcome(parts: Parts) -> str:
    ladder, runs = parts.ladder, parts.runs
    if ladder is not None and ladder.labels:
        before, after = ladder.accuracy(), ladder.accuracy(ladder.rungs[-1].name)
        if before is not None and after is not None:
            points = 100 * (after - before)
            change = (
                f"{signed(points, decimals=1)} points" if after != before else "nothing is lost"
            )
            return (f"On {_chip(parts)} the network is right on {percent(after)} of "
                    f"{count(ladder.labels, 'sample')}, against {percent(before)} in float64: "
                    f"{change}.")  # fmt: skip
    if runs is not None and runs.comparison is not None:
        if not sum(_spikes(parts)):
            return _silent(parts, runs.comparison)
        if runs.comparison.identical:
            return (f"On {_chip(parts)} the network sends the same spikes as in float64, all "
                    f"{number(_spikes(parts)[0])} of them.")  # fmt: skip
        a, b = _spikes(parts)
        rate = f" ({signed(100 * (b / a - 1), decimals=1)}{NARROW}%)" if a else ""
        return (f"On {_chip(parts)} the network sends {count(b, 'spike')}, {number(a)} in float64"
                f"{rate}; {percent(_same(parts))} are the same in neuron and step.")  # fmt: skip
    return ""


def _silent(parts: Parts, comparison: Comparison) -> str:
    """Return the outcome of a network that never spikes: its v."""
    known = [p for p in comparison.populations if p.v_rms_volts is not None]
    if not known:
        return f"Nothing spikes, neither in float64 nor on {_chip(parts)}."
    worst = max(known, key=lambda p: p.v_rms_volts or 0.0)
    lsb = "" if worst.v_rms_lsb is None else f" ({number(worst.v_rms_lsb, 3)}{NARROW}LSB)"
    return (f"Nothing spikes, neither in float64 nor on {_chip(parts)}; v is off by "
            f"{si(worst.v_rms_volts, 'V', 3)}{lsb} rms at most, in {worst.name}.")  # fmt: skip


def _spikes(parts: Parts) -> tuple[int, int]:
    if parts.runs is None or parts.runs.comparison is None:
        return 0, 0
    rows = parts.runs.comparison.populations
    return sum(p.spikes_first for p in rows), sum(p.spikes_second for p in rows)


def _same(parts: Parts) -> float:
    """Return the share of spikes that both runs have: agreement = both / either."""
    if parts.runs is None or parts.runs.comparison is None:
        return 1.0
    both = either = 0.0
    for p in parts.runs.comparison.populations:
        sent = p.spikes_first + p.spikes_second
        common = sent * p.agreement / (1 + p.agreement)
        both, either = both + common, either + sent - common
    return both / either if either else 1.0


def _blame(parts: Parts) -> str:
    if parts.ladder is None:
        return ""
    rung = worst_rung(parts.ladder)
    if rung is None:
        return str(parts.ladder.verdict)
    # no line ends between a number and its per cent sign
    text = str(parts.ladder.verdict).replace(" -> ", "\u00a0\u2192\u00a0")
    return re.sub(r"(?<=\d) %", NARROW + "%", text)


def _overflow(parts: Parts) -> str:
    if parts.overflow is None:
        return ""
    if not parts.overflow.rows:
        return "Nothing overflowed."
    first = parts.overflow.rows[0]
    where = "as it was stored" if not first.first_step else f"in step {number(first.first_step)}"
    return (f"{count(parts.overflow.count, 'value')} overflowed, first "
            f"{first.where}.{first.register} {where}.")  # fmt: skip


def _study(parts: Parts) -> str:
    if parts.study is None:
        return ""
    tried = f"{count(parts.study.count, 'configuration')} were tried"
    return f"{tried}; the fewest bits: {parts.study.fewest}." if parts.study.fewest else f"{tried}."


def _laws(parts: Parts) -> str:
    if parts.laws is None:
        return ""
    held, inside = number(parts.laws.held), number(parts.laws.inside)
    return f"{held} of {inside} predictions are within their tolerance."


def _lowered(parts: Parts) -> str:
    if parts.ledger is None:
        return ""
    rounded, clipped = number(parts.ledger.rounded), number(parts.ledger.ledger.clipped)
    return (f"Of {count(parts.ledger.values, 'number')}, {rounded} were rounded and {clipped} were "
            "cut to their range.")  # fmt: skip


# -------------------------------------------------------------------------------- figures


def _accuracy_figure(parts: Parts) -> Figure | None:
    ladder = parts.ladder
    if ladder is None or not ladder.labels:
        return None
    before, after = ladder.accuracy(), ladder.accuracy(ladder.rungs[-1].name)
    if before is None or after is None:
        return None
    return Figure("accuracy, float \u2192 chip", f"{100 * before:.1f} \u2192 {percent(after)}",
                  f"{count(ladder.labels, 'sample')}")  # fmt: skip


def _spikes_figure(parts: Parts) -> Figure | None:
    if parts.runs is None or parts.runs.comparison is None:
        return None
    a, b = _spikes(parts)
    return Figure(
        "same spikes", percent(_same(parts)), f"{number(a)} in float, {number(b)} on the chip"
    )


def _blame_figure(parts: Parts) -> Figure | None:
    if parts.ladder is None or (rung := worst_rung(parts.ladder)) is None:
        return None
    whose = parts.ladder.verdict.population
    cost = cost_text(parts.ladder, rung)
    return Figure("most is lost to", rung.title, f"{cost}, in {whose}" if whose else cost)


def _overflow_figure(parts: Parts) -> Figure | None:
    part = parts.overflow
    if part is None:
        return None
    if not part.rows:
        return Figure("overflow", "none", f"in {count(part.steps, 'step')}")
    places = {(r.where, r.register) for r in part.rows}
    return Figure("overflow", count(part.count, "value"), f"in {count(len(places), 'register')}")


def _divergence_figure(parts: Parts) -> Figure | None:
    if parts.runs is None or not parts.runs.both:
        return None
    found = parts.runs.divergence
    if found is None:
        return Figure("first divergence", "none", f"in {count(parts.runs.steps, 'step')}")
    sample = "" if parts.runs.sample is None else f", sample {number(parts.runs.sample)}"
    return Figure("first divergence", f"step {number(found.step)}",
                  f"{found.population}, neuron {number(found.neuron)}{sample}")  # fmt: skip


def _study_figure(parts: Parts) -> Figure | None:
    if parts.study is None:
        return None
    return Figure("configurations", number(parts.study.count),
                  f"{number(len(parts.study.front))} on the Pareto front")  # fmt: skip


def _laws_figure(parts: Parts) -> Figure | None:
    if parts.laws is None:
        return None
    held, inside = number(parts.laws.held), number(parts.laws.inside)
    return Figure("predictions that hold", f"{held} of {inside}", "error laws")


def _headroom_figure(parts: Parts) -> Figure | None:
    if parts.ledger is None or not parts.ledger.ledger.headroom:
        return None
    least = min(parts.ledger.ledger.headroom, key=lambda h: h.bits)
    sure = "proved for every input" if parts.ledger.ledger.proved else "not for every input"
    return Figure("least head-room", f"{number(round(least.bits, 1))} bit",
                  f"{least.register} of {least.where}, {sure}")  # fmt: skip
