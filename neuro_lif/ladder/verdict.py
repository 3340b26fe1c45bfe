"""Which rung costs most, whose doing it is, and what mends it, in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence

from ..fixed import FixedNetwork
from .parameters import Change
from .results import PopulationCost, Rung, Verdict

NEAR = 0.8
"""Rungs that cost so large a share of the most cost about the same; then own errors decide."""

MAGNIFIED = 4
"""So many times more spikes differ than by own doing: the network magnifies what was lost."""


def verdict_of(
    rungs: Sequence[Rung], total: Rung, labels: int, fixed: FixedNetwork,
    changes: Sequence[Change],
) -> Verdict:  # fmt: skip
    """Return the verdict.

    With a task the rung that loses the most right decisions, or, where none loses any, changes the
    most decisions; without one, or where no decision changes, the rung on which the largest share
    of the spikes differs (of those of the reference, where it has more: one spike that differs in
    a network that has become silent is not all of them). Of rungs that cost about the same it is
    the one with the most own errors: a network that magnifies every difference makes all of them
    cost the same. Where nothing ever spikes, errors of v decide, if v was recorded.
    """
    measure, costs = _costs(rungs)
    scores: list[float] = list(costs)
    if measure == "spikes":
        scores = [r.changed / max(r.either, total.spikes_before, 1) for r in rungs]
    most = max(scores, default=0)
    if most <= 0:
        rung = max(rungs, key=_volts, default=total)
        if not labels and not total.spikes_before + total.spikes_after and _volts(rung)[0] >= 1:
            lsb, v, name = _volts(rung)
            text = (f"Nothing spikes; the rung {rung.title!r} costs most: v of population {name!r} "
                    f"is off by {v:.3g} V = {lsb:.3g} LSB rms.")  # fmt: skip
            return Verdict(rung.name, rung.culprit, "volts", 0, text,
                           mend_of(rung, fixed, changes))  # fmt: skip
        return Verdict(None, None, measure, 0, _nothing(rungs, total, labels), "")
    near = [k for k, score in enumerate(scores) if score >= NEAR * most]
    worst = max(near, key=lambda k: (rungs[k].changed_own, scores[k]))
    rung = rungs[worst]
    text = _what(rung, total, measure, costs[worst], labels) + _whose(rung)
    return Verdict(rung.name, rung.culprit, measure, costs[worst], text,
                   mend_of(rung, fixed, changes))  # fmt: skip


def _costs(rungs: Sequence[Rung]) -> tuple[str, list[int]]:
    lost = [-(r.correct or 0) for r in rungs]
    if max(lost, default=0) > 0:
        return "accuracy", lost
    decided = [r.decided or 0 for r in rungs]
    if any(decided):
        return "decisions", decided
    return "spikes", [r.changed for r in rungs]


def _volts(rung: Rung) -> tuple[float, float, str]:
    """Return the largest error of v: in LSB, in V, and of which population."""
    known = [(p.v_rms_lsb or 0.0, p.v_rms or 0.0, p.name) for p in rung.populations]
    return max(known, default=(0.0, 0.0, ""))


def _nothing(rungs: Sequence[Rung], total: Rung, labels: int) -> str:
    sent = total.spikes_before + total.spikes_after
    if not sent and not labels and all(p.v_rms is None for r in rungs for p in r.populations):
        return ("Nothing spikes, and no v was recorded: nothing can be compared "
                "(record='all' records v).")  # fmt: skip
    same = f"all {total.spikes_before} spikes are the same" if sent else "nothing spikes"
    text = f"Nothing is lost: {same}"
    if labels:
        text += f", and all {labels} decisions"
    apart = [(p.v_rms_lsb, p.name) for r in rungs for p in r.populations if p.v_rms_lsb]
    if apart:
        most, name = max(apart)
        text += f" (v is off by {most:.3g} LSB rms at most, in population {name!r})"
    return text + "."


def _what(rung: Rung, total: Rung, measure: str, cost: int, labels: int) -> str:
    if measure == "accuracy" and rung.correct_before is not None and rung.correct_after is not None:
        before, after = (100 * x / labels for x in (rung.correct_before, rung.correct_after))
        text = (f"The rung {rung.title!r} costs most: accuracy falls from {before:.1f} to "
                f"{after:.1f} % ({cost} of {labels} samples)")  # fmt: skip
        if total.correct is not None and total.correct < 0:
            text += f", of {-total.correct} lost in all"
        return text + "."
    if measure == "decisions":
        return (f"No rung loses right decisions; the rung {rung.title!r} changes most, {cost} of "
                f"{labels}.")  # fmt: skip
    late = f" (moved by {rung.lag} step{'s' * (abs(rung.lag) > 1)})" if rung.lag else ""
    differ = "1 spike differs" if rung.changed == 1 else f"{rung.changed} spikes differ"
    return (f"The rung {rung.title!r} costs most: {differ}{late}, "
            f"{100 * rung.share:.3g} %; their number changes by {rung.spikes:+d}.")  # fmt: skip


def _whose(rung: Rung) -> str:
    if rung.culprit is None:
        return ""
    p = rung.of(rung.culprit)
    text = f" Population {p.name!r} is where it comes from: {_own(p)}"
    if p.correct_alone is not None and p.correct_alone < 0:
        text += f", and alone it loses {-p.correct_alone} right decisions"
    if rung.changed > MAGNIFIED * max(rung.changed_own, 1):
        text += (f"; {rung.changed_own} differ by somebody's own doing, the other "
                 f"{rung.changed - rung.changed_own} follow from them")  # fmt: skip
    return text + "."


def _own(p: PopulationCost) -> str:
    if p.changed_own:
        return (f"{100 * p.share_own:.3g} % of its spikes ({p.changed_own}) differ by its own "
                "doing, with what it hears unchanged")  # fmt: skip
    if p.v_rms_own is not None:
        lsb = f" = {p.v_rms_own / p.lsb:.3g} LSB" if p.lsb else ""
        return f"its v is off by {p.v_rms_own:.3g} V{lsb} rms by its own doing"
    return "by no spike of its own"


def mend_of(rung: Rung, fixed: FixedNetwork, changes: Sequence[Change]) -> str:
    """Return what mends a rung, naming the projection or population."""
    name = rung.culprit
    own = [c for c in changes if (c.group, c.population) == (rung.name, name)]
    worst = max(own, key=lambda c: c.error, default=None)
    what = f" ({worst.where!r}: {worst.text})" if worst else ""
    if rung.name == "time_step":
        return f"Mend: a shorter step than {fixed.dt * 1e3:g} ms."
    if rung.name == "weights":
        bits = {q.weight_bits or fixed.profile.weights.default_bits for q in fixed.projections
                if worst is not None and q.name == worst.where}  # fmt: skip
        now = f" than {bits.pop()}" if bits else ""
        return (f"Mend: more weight bits{now}, scales of their own (granularity='sign' or "
                f"'neuron'), or scales chosen on samples (calibrate=){what}.")  # fmt: skip
    if rung.name == "decays":
        return f"Mend: finer decays (more bits), or a longer step, which makes them larger{what}."
    if rung.name == "threshold":
        return f"Mend: a larger scale (smaller LSB), at which thresholds are finer{what}."
    if rung.name == "bias":
        return f"Mend: more bias bits, or a larger scale (smaller LSB){what}."
    if rung.name == "delays":
        return f"Mend: delays and refractory periods that the profile has, or another step{what}."
    if rung.name == "start":
        return f"Mend: another start or reset, or a larger scale{what}."
    if rung.name == "state":
        where = f" ({name!r}: {rung.detail[name]})" if name and name in rung.detail else ""
        return (f"Mend: a larger scale (smaller LSB) or wider state, finer decays, or a decay that "
                f"rounds to nearest{where}.")  # fmt: skip
    return _against_overflow(rung)


def _against_overflow(rung: Rung) -> str:
    own = [e for e in rung.overflow if e.population == rung.culprit] or list(rung.overflow)
    first = min(own, key=lambda e: e.first_step, default=None)
    what = ""
    if first is not None:
        what = (f" ({first.register} of {first.where!r}: {first.count} values, {first.kind}, first "
                f"in step {first.first_step}, neuron {first.first_neuron})")  # fmt: skip
    return f"Mend: a smaller scale (larger LSB) or proved=True, so that nothing overflows{what}."
