"""Constants become a bias of the membrane, and first states that undo what that does too early.

A constant through a synapse is in u sooner or later as ``U = K / (1 - keep_u)``; with u counted
from U it is nowhere in u, and a bias U of v instead (this is exact: u is linear and never reset).
A population that begins ``shift`` steps late, or whose constants come a step late, gets the first u
and v from which the recurrence, without input, comes to what the graph has then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray
from .cells import Cell

LARGEST = 16.0
"""Rewound states above so many thresholds take too much of a chip's registers."""


@dataclass(frozen=True)
class Start:
    """How a population begins.

    Args:
        bias: ``(n,)`` V per step.
        v, u: ``(n,)`` before the first step; v above v_zero.
        why: what is not as in the graph; "": nothing.
    """

    bias: FloatArray
    v: FloatArray
    u: FloatArray
    why: str = ""


def start_of(cell: Cell, shift: int, strict: bool, constants: bool = True) -> Start:
    """Return how a population begins that does step 0 of the graph ``shift`` steps late.

    Args:
        cell: the population.
        shift: steps.
        strict: a spike where v > threshold, not >=.
        constants: what comes in and does not change becomes a bias; else another way is found.
    """
    if cell.stage:
        return _stage_start(cell, shift)
    coming = {d + cell.late: c * cell.rows for d, c in cell.feed.constants.items() if np.any(c)}
    if not constants:
        coming = {}
        cell = cell if cell.synapse else replace(cell, drift=np.zeros(cell.size))
    last, n = max(coming, default=0), cell.size
    whole = sum(coming.values(), np.zeros(n))
    if np.any((cell.keep_u == 1) & (whole != 0)):
        return Start(cell.drift, cell.v_init - cell.v_zero, np.zeros(n), "its synapse never decays")
    settled = whole / np.where(whole != 0, 1.0 - cell.keep_u, 1.0)
    bias = cell.drift + settled
    u, v = np.zeros(n), cell.v_init - cell.v_zero
    for t in range(last):
        u = cell.keep_u * u + sum((c for d, c in coming.items() if d <= t), np.zeros(n))
        v = cell.keep_v * v + u + cell.drift
    back = _rewound(cell, shift + last, u - settled, v, bias, exact=last > 0)
    if last > 1 and not back.why:
        back = Start(bias, back.v, back.u, f"its biases begin in several steps, the last in {last}")
    if back.why or shift == 0:
        return back
    return Start(bias, back.v, back.u, _lead_in(cell, shift, back, strict))


def _stage_start(cell: Cell, shift: int) -> Start:
    """Return how a filter stage begins, whose constants come as spikes."""
    with np.errstate(all="ignore"):
        first = np.where(cell.keep_u != 0, cell.v_init / cell.keep_u**shift, 0.0)
    why = "it sends its first value before the inputs begin" if shift and np.any(first) else ""
    return Start(cell.drift, np.zeros(cell.size), first, why)


def _rewound(
    cell: Cell, steps: int, u: FloatArray, v: FloatArray, bias: FloatArray, exact: bool
) -> Start:
    """Return the state so many steps before u and v."""
    if steps == 0:
        return Start(bias, v, np.where(cell.keep_u != 0, u, 0.0))
    with np.errstate(all="ignore"):
        first = np.where(cell.keep_u != 0, u / cell.keep_u**steps, 0.0)
        at, gone = np.zeros(cell.size), first
        for _ in range(steps):
            gone = cell.keep_u * gone
            at = cell.keep_v * at + gone + bias
        lack = v - at
        begun = np.where(cell.keep_v != 0, lack / cell.keep_v**steps, 0.0)
    if exact and np.any((cell.keep_v == 0) & (np.abs(lack) > 1e-12 * (np.abs(v) + np.abs(at)))):
        return Start(bias, begun, first, "v forgets at once, and its biases begin late")
    if not (np.all(np.isfinite(begun)) and np.all(np.isfinite(first))):
        return Start(bias, v, np.where(np.isfinite(first), first, 0.0), "its state decays too fast")
    return Start(bias, begun, first)


def _lead_in(cell: Cell, shift: int, start: Start, strict: bool) -> str:
    """Return what goes wrong before the graph begins."""
    most = np.where(np.isfinite(cell.threshold), LARGEST * np.abs(cell.threshold), np.inf)
    if np.any(np.abs(start.v) > most) or np.any(np.abs(start.u) > most):
        return f"its first state would be above {LARGEST:g} thresholds"
    u, v = start.u, start.v
    for _ in range(shift):
        u = cell.keep_u * u
        v = cell.keep_v * v + u + start.bias
        if np.any(v > cell.threshold if strict else v >= cell.threshold):
            return "its bias makes it spike before the inputs begin"
    return ""
