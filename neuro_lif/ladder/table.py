"""A ladder as text."""

from __future__ import annotations

from .results import Levels, PopulationCost, Rung

Rows = list[tuple[str, ...]]


def table(ladder: Levels) -> str:
    """Return the verdict, the rungs, whose doing they are, and what was left out."""
    lines = [str(ladder.verdict), "", _head(ladder), *_lines(_rungs(ladder))]
    doing = _populations(ladder)
    if len(doing) > 1:
        lines += ["", "Whose doing (own: it takes the rung alone, hearing the spikes of the rung "
                  "before)", *_lines(doing)]  # fmt: skip
    lines += [f"overflow: {e.where}.{e.register}, {e.kind}, {e.count} value(s), first in step "
              f"{e.first_step}, neuron {e.first_neuron} (population {e.population})"
              for e in ladder.overflow]  # fmt: skip
    lines += [f"left out: {name}: {why}" for name, why in ladder.left_out.items()]
    lines += [f"note: {note}" for note in ladder.notes]
    return "\n".join(lines)


def _head(ladder: Levels) -> str:
    text = f"{ladder.n_steps} steps of {ladder.dt * 1e3:g} ms, {ladder.samples} sample(s)"
    profile = ladder.provenance.get("profile", "")
    return text + (f", profile {profile}" if profile else "")


def _rungs(ladder: Levels) -> Rows:
    task = ladder.labels > 0
    head = ["rung", "spikes", "cost", "differ", "share", "own", "alone", "V-P", "v off by"]
    head += ["accuracy", "cost", "decisions"] if task else []
    head += ["culprit", "first divergence"]
    first = ["(without a step)" if ladder.reference == "exact" else "(float64 in steps)",
             str(ladder.total.spikes_before), *[""] * 7]  # fmt: skip
    if task:
        first += [_accuracy(ladder, ladder.total.correct_before), "", ""]
    rows: Rows = [tuple(head), (*first, "", "")]
    rows += [_row(ladder, rung, rung.title) for rung in ladder.rungs]
    return [*rows, _row(ladder, ladder.total, "all of it")]


def _row(ladder: Levels, r: Rung, title: str) -> tuple[str, ...]:
    alone = "" if r.alone is None else f"{r.alone.changed}"
    share = f"{100 * r.share:.3g} %" + (f" (lag {r.lag})" if r.lag else "")
    cells = [title, str(r.spikes_after), f"{r.spikes:+d}", str(r.changed), share,
             str(r.changed_own), alone, _distance(r), _volts(r)]  # fmt: skip
    if ladder.labels:
        lost = f"{100 * (r.correct or 0) / ladder.labels:+.2f}"
        cells += [_accuracy(ladder, r.correct_after), lost, str(r.decided)]
    where = r.divergence
    place = "" if where is None else f"{where.population}, step {where.step}, neuron {where.neuron}"
    return (*cells, r.culprit or "-", place or "-")


def _accuracy(ladder: Levels, right: int | None) -> str:
    return "" if right is None else f"{100 * right / ladder.labels:.2f} %"


def _distance(r: Rung) -> str:
    return f"{r.distances[0].value:.3g}" if r.distances else ""


def _volts(r: Rung) -> str:
    found = [p.v_rms_lsb for p in r.populations if p.v_rms_lsb is not None]
    return f"{max(found):.3g} LSB" if found else "-"


def _populations(ladder: Levels) -> Rows:
    head = ("rung", "population", "rate before", "after", "own cost", "inherited", "differ", "own",
            "own share", *(["decisions lost alone"] if ladder.labels else []))  # fmt: skip
    rows: Rows = [head]
    for r in ladder.rungs:
        for p in r.populations:
            if not p.changed and not p.changed_own:
                continue
            rows.append((r.title, p.name, f"{p.rate_before:.4g} Hz", f"{p.rate_after:.4g} Hz",
                         f"{p.own:+d}", f"{p.inherited:+d}", str(p.changed), str(p.changed_own),
                         f"{100 * p.share_own:.3g} %", *_lost(ladder, p)))  # fmt: skip
    return rows


def _lost(ladder: Levels, p: PopulationCost) -> list[str]:
    if not ladder.labels:
        return []
    return ["-" if p.correct_alone is None else f"{-p.correct_alone}"]


def _lines(rows: Rows) -> list[str]:
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
            for r in rows]  # fmt: skip
