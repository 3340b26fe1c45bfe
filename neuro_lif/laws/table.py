"""A sweep as text: by law, how many configurations, how many within, the largest deviation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

HEAD = ("law", "quantity", "unit", "run", "within", "largest deviation", "of its tolerance",
        "allowed")  # fmt: skip


def table_of(sweep: Any, laws: Iterable[str]) -> str:
    """Return a :class:`~neuro_lif.laws.LawSweep` as text.

    By law and quantity; then the rows that are not within, and those beyond the range of a law.
    """
    rows: list[tuple[str, ...]] = [HEAD]
    for law in laws:
        quantities = dict.fromkeys(r.quantity for r in sweep.of(law))
        rows += [_line(law, q, [r for r in sweep.of(law) if r.quantity == q]) for q in quantities]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    inside = [r for r in sweep.rows if not r.beyond]
    good = sum(r.within for r in inside)
    run = sweep.provenance.get("configurations")
    lines += ["", (f"{run} configurations, " if run else "") + f"{len(sweep.rows)} comparisons; "
                  f"{len(inside)} within the range of their law, {good} of these within its "
                  "tolerance"]  # fmt: skip
    lines += [f"  not within: {told(r)}" for r in sweep.failed]
    beyond: dict[str, list[Any]] = {}
    for r in sweep.rows:
        if r.beyond:
            beyond.setdefault(f"{r.law}, {r.beyond}", []).append(r)
    for why, found in beyond.items():
        off = [_relative(r) for r in found]
        lines.append(f"  beyond the range: {why}: {len(found)} comparisons, "
                     f"{min(off):+.3g} .. {max(off):+.3g} %")  # fmt: skip
    return "\n".join(lines)


def told(row: Any) -> str:
    """Return a row as one line."""
    about = ", ".join(f"{k} = {_short(v)}" for k, v in row.configuration.items())
    return (f"{row.law}, {row.quantity} ({about}): predicted {row.predicted:.6g}, measured "
            f"{row.measured:.6g} +- {row.standard_error:.2g} {row.unit}, allowed "
            f"{row.allowed} = {row.tolerance:.3g}")  # fmt: skip


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _relative(row: Any) -> float:
    """Return the deviation in percent of what was predicted."""
    scale = abs(row.predicted) or abs(row.measured) or 1.0
    return float(100.0 * row.deviation / scale)


def _line(law: str, quantity: str, rows: Sequence[Any]) -> tuple[str, ...]:
    inside = [r for r in rows if not r.beyond]
    good = f"{sum(r.within for r in inside)}/{len(inside)}"
    good += f" ({len(rows) - len(inside)} beyond)" if len(inside) < len(rows) else ""
    units = "/".join(dict.fromkeys(r.unit for r in rows))
    if not inside:
        return law, quantity, units, str(len(rows)), good, "-", "-", "-"
    worst = max(inside, key=lambda r: abs(r.deviation))
    share = float(np.max([_share(r) for r in inside]))
    return (law, quantity, units, str(len(rows)), good, f"{worst.deviation:+.3g}",
            f"{100 * share:.0f} %", _rules(inside))  # fmt: skip


def _share(row: Any) -> float:
    """Return how much of the tolerance is used, 1 is all."""
    if row.tolerance > 0:
        return float(abs(row.deviation) / row.tolerance)
    return 0.0 if row.within else np.inf


def _rules(rows: Iterable[Any]) -> str:
    return "; ".join(dict.fromkeys(r.allowed for r in rows))
