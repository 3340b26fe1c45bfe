"""The predicted errors as a table to print."""

from __future__ import annotations

from typing import Any

import numpy as np


def span(x: Any, scale: float = 1.0, digits: str = ".4g") -> str:
    """Return the values of an array as text: one, or the lowest and the highest."""
    values = np.asarray(x, np.float64) * scale
    known = values[~np.isnan(values)]
    if not known.size:
        return "-"
    low, high = format(known.min(), digits), format(known.max(), digits)
    return low if low == high else f"{low} .. {high}"


def table_of(e: Any) -> str:
    """Return a :class:`~neuro_lif.predict.report.PopulationErrors` as text."""
    rows: list[tuple[str, str, str]] = []
    for name, d in (("v", e.decay_v), ("u", e.decay_u)):
        if d is not None:
            rows += [
                ("F1", f"decay of {name}: error of the share lost (at most)",
                 f"{span(d.relative, 100, '+.3g')} % ({span(d.most, 100, '.3g')} %)"),
                ("F1", f"time constant of {name} (meant)",
                 f"{span(d.tau, 1e3)} ms ({span(d.meant_tau, 1e3)} ms)"),
            ]  # fmt: skip
    p, r, t = e.periods, e.rounding, e.threshold
    if np.isfinite(p.meant).any() or np.isfinite(p.coded).any():
        rows.append(("F1", "steps between spikes, bias alone: meant | coded | and rounded",
                     f"{span(p.meant)} | {span(p.coded)} | {span(p.truncated)}"))  # fmt: skip
    rows += [
        ("F2", "mean of v, fluctuating drive", _both(r.shift, r.volts)),
        ("F2", "v at rest, constant drive from below", _both(r.settled, r.settled_volts)),
        ("F2", "magnitude of v that never decays, below | above 0",
         f"{span(r.dead_below)} | {span(r.dead_above)} LSB"),
        ("F2", "bias that makes it good", f"{span(r.compensator)} LSB/step"),
        ("F2", "threshold of which the shift is 0.5 %", f"{span(r.half_percent)} LSB"),
        ("F3", "spread of v by rounding", f"{span(r.sd)} LSB"),
    ]  # fmt: skip
    rows += _weights(e.weights)
    if np.isfinite(t.lattice).all():
        rows.append(("F5", "threshold, with the lattice", f"{span(t.lattice, 1e3, '+.3g')} mV"))
    if not np.isnan(t.rate).all():
        rows += [
            ("F5", "rate by the threshold", f"{span(t.rate, 1, '+.3g')} Hz"),
            ("F6", "threshold by looking once per step", f"{span(t.overshoot, 1e3, '+.3g')} mV"),
        ]
    rows += [
        ("F6", "whole steps add to each interval", f"{t.grid * 1e3:.4g} ms"),
        ("F7", "v, at most, while spikes are the same", f"{span(e.path, 1e3)} mV"),
    ]
    if np.isfinite(e.spike_time).any():
        rows.append(("F7", "first spike, bias alone", f"{span(e.spike_time, 1e3, '.3g')} ms"))
    rows += _rates(e.rate)
    width = max(len(r[1]) for r in rows)
    lines = [f"  {a}  {b.ljust(width)}  {c}" for a, b, c in rows]
    return "\n".join([f"predicted errors of population {e.population!r}", *lines])


def _weights(weights: Any) -> list[tuple[str, str, str]]:
    rows = []
    for w in weights:
        about = f"weights of {w.name!r}: "
        if np.isnan(w.mean_shift).all():
            rows.append(("F4", about + "from one to the next", f"{span(w.step, 1e3, '.3g')} mV"))
            continue
        rows.append(
            (
                "F4",
                about + "mean of v (spread of a model)",
                f"{span(w.mean_shift, 1e3, '+.3g')} ({span(w.model_sd, 1e3, '.3g')}) mV",
            )
        )
        if not np.isnan(w.rate).all():
            rows.append(("F4", about + "rate", f"{span(w.rate, 1, '+.3g')} Hz"))
    return rows


def _both(lsb: Any, volts: Any) -> str:
    return f"{span(lsb, 1, '+.4g')} LSB, {span(volts, 1e3, '+.3g')} mV"


def _rates(r: Any) -> list[tuple[str, str, str]]:
    if r is None:
        return []
    parts = {"parameters": r.parameters, "threshold": r.threshold, "truncation": r.truncation,
             "noise": r.noise}  # fmt: skip
    each = ", ".join(f"{k} {span(v, 100, '+.3g')} %" for k, v in parts.items())
    return [
        ("all", "rate: float reference | integers", f"{span(r.meant)} | {span(r.coded)} Hz"),
        ("all", f"rate: {span(r.relative, 100, '+.3g')} % in all", each),
    ]
