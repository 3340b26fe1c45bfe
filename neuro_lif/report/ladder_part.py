"""The ladder as waterfalls: what every rung costs, and which population it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..ladder import Ladder, PopulationCost, Rung
from .numbers import NARROW, number, percent, prefix_of, si, signed
from .scales import Scale, Tick


@dataclass(frozen=True)
class Bar:
    """One row of a waterfall; places 0..100 across.

    Args:
        title: of the rung; ``about`` what is lost on it.
        left, width: of the bar; ``begin``, ``end`` where it comes from and leads to.
        value: the signed cost as text.
        style: ``loss``, ``gain``, ``none`` or ``total``.
        culprit: population, empty where nobody is.
    """

    title: str
    about: str
    left: float
    width: float
    begin: float
    end: float
    value: str
    style: str
    culprit: str


@dataclass(frozen=True)
class Waterfall:
    """All rungs in one measure.

    Args:
        title: the measure and its unit; ``about``: the whole in a sentence.
        bars: rungs, then the total.
        ticks: of the axis; ``zero``: where nothing is lost.
        adds: whether each bar goes on where the one before ends.
    """

    title: str
    about: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    zero: float
    adds: bool = True


@dataclass(frozen=True)
class LadderPart:
    """What the page shows of a ladder.

    Args:
        ladder: as it is.
        waterfalls: one for each measure.
        head, rows: the table of the rungs.
        populations_head, populations: the table of what each population does.
        left_out: (rung, why it is not here).
    """

    ladder: Ladder
    waterfalls: tuple[Waterfall, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    populations_head: tuple[str, ...]
    populations: tuple[tuple[str, ...], ...]
    left_out: tuple[tuple[str, str], ...]


def ladder_part(ladder: Ladder | None) -> LadderPart | None:
    """Return what the page shows of a ladder."""
    if ladder is None:
        return None
    names = {name: title for name, (title, _) in _titles().items()}
    return LadderPart(
        ladder, tuple(_waterfalls(ladder)), *_table(ladder), *_populations(ladder),
        tuple((names.get(name, name), why) for name, why in ladder.left_out.items()),
    )  # fmt: skip


def _titles() -> dict[str, tuple[str, str]]:
    from ..ladder import RUNGS

    return dict(RUNGS)


def _waterfalls(ladder: Ladder) -> list[Waterfall]:
    out = []
    if any(rung.correct for rung in ladder.rungs):

        def points(r: Rung) -> float:
            return 100.0 * (r.correct or 0) / ladder.labels

        out.append(_waterfall(ladder, points, "Accuracy, percentage points", "points", -1, 2))
    if any(rung.spikes for rung in ladder.rungs):
        out.append(
            _waterfall(ladder, lambda r: float(r.spikes), "Number of spikes", "spikes", 0, 0)
        )
    return [*out, _shares(ladder)]


def _spikes(r: Rung) -> float:
    return float(r.spikes)


def _shares(ladder: Ladder) -> Waterfall:
    """Return the share of spikes that differ on each rung: they do not add up."""
    rungs = [*ladder.rungs, ladder.total]
    most = max((100 * r.share for r in rungs), default=0.0)
    scale = Scale(0.0, max(most * 1.04, 1e-3) if most else 1.0)
    bars = []
    for k, r in enumerate(rungs):
        last = k == len(rungs) - 1
        end = scale.at(100 * r.share)
        bars.append(Bar(
            "all of it" if last else r.title, r.about, 0.0, end, 0.0, end, percent(r.share),
            "total" if last else "share", "" if last else r.culprit or "",
        ))  # fmt: skip
    told = ", ".join(f"{b.title} {b.value}" for b in bars)
    return Waterfall("Spikes that differ from the rung before, share of all", f"Spikes that "
                     f"differ: {told}.", tuple(bars), scale.ticks(5), 0.0, False)  # fmt: skip


def _waterfall(
    ladder: Ladder, cost: Callable[[Rung], float], title: str, unit: str, bad: int, decimals: int
) -> Waterfall:
    """Return the bars; ``bad``: the sign of a loss, 0 where more and fewer are alike."""
    sums = [0.0]
    for rung in ladder.rungs:
        sums.append(sums[-1] + cost(rung))
    scale = _holding(sums)
    bars = []
    for k, rung in enumerate(ladder.rungs):
        bars.append(_bar(scale, rung.title, rung.about, sums[k], sums[k + 1], bad, rung.culprit,
                         decimals))  # fmt: skip
    bars.append(_bar(scale, "all of it", "the chip against " + _reference(ladder), 0.0, sums[-1],
                     None, "", decimals))  # fmt: skip
    told = ", ".join(f"{b.title} {b.value}" for b in bars)
    return Waterfall(title, f"Waterfall of {unit}: {told}.", tuple(bars), scale.ticks(5),
                     scale.at(0.0))  # fmt: skip


def _holding(sums: list[float]) -> Scale:
    low, high = min(sums), max(sums)
    if low == high:
        return Scale(-1.0, 1.0)
    return Scale(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _bar(
    scale: Scale, title: str, about: str, begin: float, end: float, bad: int | None,
    culprit: str | None, decimals: int,
) -> Bar:  # fmt: skip
    change, a, b = end - begin, scale.at(begin), scale.at(end)
    style = "total" if bad is None else "none"
    if bad is not None and change:
        style = ("loss" if change < 0 else "gain") if bad else ("less" if change < 0 else "more")
    value = signed(change, decimals=decimals) if abs(change) > 1e-9 else "0"
    return Bar(title, about, min(a, b), round(abs(b - a), 3), a, b, value, style, culprit or "")


def _reference(ladder: Ladder) -> str:
    return "float64 without a time step" if ladder.reference == "exact" else "float64 in steps"


def _table(ladder: Ladder) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    head = ["rung"]
    if ladder.labels:
        head += ["accuracy, points", "decisions changed"]
    head += ["spikes", "rate, Hz", "spikes changed", "culprit", "its v off, rms"]
    return tuple(head), tuple(
        _row(r, ladder, last)
        for r, last in [*((r, False) for r in ladder.rungs), (ladder.total, True)]
    )


def _row(r: Rung, ladder: Ladder, last: bool) -> tuple[str, ...]:
    cells = ["all of it" if last else r.title]
    if ladder.labels:
        points = 100.0 * (r.correct or 0) / ladder.labels
        cells += [signed(points, decimals=2), number(r.decided)]
    blamed = None if last or r.culprit is None else r.of(r.culprit)
    return (*cells, signed(r.spikes, decimals=0), signed(r.rate), percent(r.share, 2),
            ("" if last else r.culprit or "\u2013"), _off(blamed))  # fmt: skip


def _off(p: PopulationCost | None) -> str:
    if p is None or p.v_rms is None:
        return "" if p is None else "\u2013"
    factor, prefix = prefix_of(abs(p.v_rms))
    lsb = f" ({number(p.v_rms_lsb, 3)}{NARROW}LSB)" if p.v_rms_lsb is not None else ""
    return f"{number(p.v_rms * factor, 3)}{NARROW}{prefix}V{lsb}"


def _populations(ladder: Ladder) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    head = ("rung", "population", "spikes", "its own doing", "inherited", "own spikes changed",
            "first own difference")  # fmt: skip
    rows = [
        (r.title, p.name, signed(p.spikes, decimals=0), signed(p.own, decimals=0),
         signed(p.inherited, decimals=0),
         percent(p.share_own, 2), _first(p.divergence_own))
        for r in ladder.rungs for p in r.populations
    ]  # fmt: skip
    return head, tuple(rows)


def _first(found: Any) -> str:
    if found is None:
        return "\u2013"
    sample = "" if found.sample is None else f"sample {found.sample}, "
    return f"{sample}step {number(found.step)}, neuron {number(found.neuron)}"


def worst_rung(ladder: Ladder) -> Rung | None:
    """Return the rung that the ladder's verdict names."""
    return None if ladder.verdict.rung is None else ladder.rung(ladder.verdict.rung)


def cost_text(ladder: Ladder, rung: Rung) -> str:
    """Return what a rung costs, in a few words."""
    if ladder.labels and rung.correct:
        points = 100.0 * rung.correct / ladder.labels
        return f"{signed(points, decimals=2)} points"
    if ladder.verdict.measure == "volts":
        off = max((p.v_rms or 0.0 for p in rung.populations), default=0.0)
        return f"v off by {si(off, 'V', 3)} rms"
    return f"{percent(rung.share, 2)} of the spikes"
