"""The ledger, and where everything comes from: tables."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ledger import Entry, Headroom, Ledger, TimeConstant
from ..profile_model import HardwareProfile, Sourced
from .numbers import NARROW, number, prefix_of, si, signed

Rows = tuple[tuple[str, ...], ...]

STATUS = {
    "run": "compared with the chip or its simulator run",
    "code": "read in the vendor's or simulator's code",
    "paper": "published",
    "second_hand": "quoted by somebody else",
    "derived": "follows from other numbers",
    "measured": "measured by somebody",
    "simulated": "from a circuit simulation",
    "fitted": "fitted to measurements",
    "vendor": "stated by the vendor",
    "assumed": "assumed",
    "unknown": "unknown",
}
"""How well a number of a profile is confirmed -> in words."""


@dataclass(frozen=True)
class LedgerPart:
    """The tables of a ledger."""

    ledger: Ledger
    entries: Rows
    time_constants: Rows
    headroom: Rows
    scales: Rows
    rounded: int
    values: int
    ties: int

    entries_head = ("where", "field", "values", "rounded", "clipped", "largest error",
                    "rms error", "head-room, bit")  # fmt: skip
    times_head = ("where", "time constant", "meant", "realised", "error")
    headroom_head = ("where", "register", "can reach, LSB", "range, LSB", "head-room, bit", "holds")
    scales_head = ("where", "1 LSB")


def ledger_part(ledger: Ledger | None) -> LedgerPart | None:
    """Return the tables of a ledger."""
    if ledger is None:
        return None
    return LedgerPart(
        ledger, tuple(_entry(e) for e in ledger.entries),
        tuple(_time(t) for t in ledger.time_constants),
        tuple(_headroom(h) for h in ledger.headroom),
        tuple((name, si(value, "V")) for name, value in ledger.scales),
        sum(e.rounded for e in ledger.entries), sum(e.values for e in ledger.entries),
        sum(e.near_ties for e in ledger.entries),
    )  # fmt: skip


def _entry(e: Entry) -> tuple[str, ...]:
    return (
        e.where,
        e.field,
        number(e.values),
        number(e.rounded),
        number(e.clipped),
        _error(e.max_error, e.unit),
        _error(e.rms_error, e.unit),
        _bits(e.headroom_bits),
    )


def _error(value: float, unit: str) -> str:
    if value == 0:
        return "0"
    base, slash, rest = unit.partition("/")
    if base in ("V", "s", "A"):
        factor, prefix = prefix_of(abs(value))
        return f"{number(value * factor, 3)} {prefix}{base}{slash}{rest}"
    return f"{number(value, 3)} {unit}".strip()


def _bits(bits: float) -> str:
    return number(round(bits, 2)) if np.isfinite(bits) else "\u2013"


def _time(t: TimeConstant) -> tuple[str, ...]:
    def text(x: float) -> str:
        return si(x, "s", 5) if np.isfinite(x) else "no leak"

    error = "\u2013"
    if np.isfinite(t.meant) and t.meant:
        lost = not np.isfinite(t.realised)
        change = round(100 * (t.realised / t.meant - 1), 3)
        error = "leak lost" if lost else f"{signed(change)}{NARROW}%"
    return (t.where, t.field, text(t.meant), text(t.realised), error)


def _headroom(h: Headroom) -> tuple[str, ...]:
    if h.bound > h.limit:
        holds = f"OVERFLOWS if the worst {h.activity:.0%} of the sources fire on and on"
    elif h.proved:
        holds = "for every input"
    elif h.activity == 1.0:
        holds = "for 1,000 steps (or as noted), and currents as foreseen"
    else:
        holds = f"while at most {h.activity:.0%} of the sources fire at once"
    return (h.where, h.register, number(round(h.bound)), number(round(h.limit)), _bits(h.bits),
            holds)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where everything comes from.

    Args:
        facts: (what, value), the command line first.
        profile: name and title, None without one.
        about: the profile in words.
        sources: (key, citation, how many numbers rest on it and how well they are confirmed).
        exclusions: what the profile does not cover.
    """

    facts: tuple[tuple[str, str], ...]
    profile: str
    about: str
    sources: Rows
    exclusions: tuple[str, ...]

    sources_head = ("key", "source", "numbers that rest on it")


def origin_of(
    facts: Mapping[str, str], profile: HardwareProfile | None, used: set[str] | None = None
) -> Origin:
    """Return provenance and citations.

    Args:
        facts: what is known of the parts.
        profile: the chip; None where no part names one.
        used: names of the neuron models that the network uses; None: all.
    """
    own = {
        "neuro_lif": str(getattr(sys.modules["neuro_lif"], "__version__", "unknown")),
        "Python": platform.python_version(),
        "numpy": np.__version__,
    }
    rows = tuple({**facts, **own}.items())
    if profile is None:
        return Origin(rows, "", "", (), ())
    found = _cited(profile, used)
    sources = tuple(
        (key, text, _confirmed(found[key])) for key, text in profile.sources.items() if key in found
    )
    return Origin(rows, f"{profile.name}: {profile.title} (dated {profile.dated})",
                  " ".join(profile.about.split()), sources, tuple(profile.exclusions))  # fmt: skip


def _cited(profile: HardwareProfile, used: set[str] | None) -> dict[str, dict[str, int]]:
    """Return source -> status -> how many numbers, of what a network needs."""
    models = {n: m for n, m in profile.models.items() if used is None or n in used}
    params = {p for n in models for p in profile.used_params(n)}
    parts: list[Sourced] = [*models.values(), profile.weights, profile.routing]
    parts += [p for name, p in profile.params.items() if name in params]
    parts += [*profile.registers.values(), *profile.config.values()]
    parts += [p for p in (profile.convolution, profile.noise) if p is not None]
    found: dict[str, dict[str, int]] = {}
    for part in parts:
        for key in part.source.split(","):
            states = found.setdefault(key.strip(), {})
            states[part.status] = states.get(part.status, 0) + 1
    return found


def _confirmed(states: Mapping[str, int]) -> str:
    return "; ".join(f"{number(n)} {STATUS.get(s, s)}" for s, n in sorted(states.items()))


def facts_of(**parts: Any) -> dict[str, str]:
    """Return the provenance of all parts that have one, each under the name of its part."""
    out: dict[str, str] = {}
    for name, part in parts.items():
        for key, value in dict(getattr(part, "provenance", None) or {}).items():
            out[f"{name}: {key}"] = str(value)
    return out
