"""Arithmetic on intervals of integers: arrays ``(2, n)``, row 0 the lowest, row 1 the highest.

Every function returns an interval that holds every result of the operation on any values of the
intervals given. Ends beyond ``FAR`` mean: no limit is known.

Source: R. E. Moore, Interval Analysis, 1966; the roundings and overflow rules are those of
:mod:`neuro_lif.formats`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..emulator.oplist import _kept as kept
from ..formats import shift_rounded_array

FAR = 2**60
"""An end this far out is no limit."""

_NEAR = 2**58  # sums of ends closer than this are limits
_SMALL = 2**28  # shifted as far as they may be (31), smaller ones stay below 2**59
_STEEPEST = 2.0**61  # products above are not computed in int64
_NEGATED = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}


def pair(low: Any, high: Any) -> IntArray:
    """Return an interval of its two ends (as ``np.stack`` does, but faster)."""
    out = np.empty((2, *np.shape(low)), np.int64)
    out[0], out[1] = low, high
    return out


def point(values: Any, n: int) -> IntArray:
    """Return the interval of one known value per neuron."""
    out = np.empty((2, n), np.int64)
    out[:] = values
    return out


def hull(a: IntArray, b: IntArray) -> IntArray:
    """Return the smallest interval around both."""
    return pair(np.minimum(a[0], b[0]), np.maximum(a[1], b[1]))


def meet(a: IntArray, b: IntArray) -> IntArray:
    """Return what is in both; the lowest is above the highest where nothing is."""
    return pair(np.maximum(a[0], b[0]), np.minimum(a[1], b[1]))


def within(inner: IntArray, outer: IntArray) -> Any:
    """Tell per neuron whether one interval lies in the other."""
    return (inner[0] >= outer[0]) & (inner[1] <= outer[1])


def negative(x: IntArray) -> IntArray:
    """Return the interval of ``-x``."""
    return pair(-x[1], -x[0])


def magnitude(x: IntArray) -> IntArray:
    """Return the interval of ``|x|``."""
    most = np.maximum(np.abs(x[0]), np.abs(x[1]))
    least = np.where((x[0] <= 0) & (x[1] >= 0), 0, np.minimum(np.abs(x[0]), np.abs(x[1])))
    return pair(least, most)


def snap(x: IntArray) -> IntArray:
    """Bring ends that are no limit back to ``FAR``, so that sums of them stay in 64 bits."""
    return np.clip(x, -FAR, FAR)


def plus(a: IntArray, b: IntArray) -> IntArray:
    """Return the interval of the sum; without a limit where one of them has none."""
    total = a + b
    if np.abs(a).max(initial=0) < _NEAR and np.abs(b).max(initial=0) < _NEAR:
        return np.asarray(total, np.int64)
    low = np.where((a[0] <= -FAR) | (b[0] <= -FAR), -FAR, total[0])
    high = np.where((a[1] >= FAR) | (b[1] >= FAR), FAR, total[1])
    return snap(pair(low, high))


def minus(a: IntArray, b: IntArray) -> IntArray:
    """Return the interval of the difference."""
    return plus(a, negative(b))


def shifted(x: IntArray, k: Any, rounding: str = "floor") -> IntArray:
    """Return the interval of ``x`` shifted by the known ``k``, to the right where negative."""
    k = np.asarray(k, np.int64)
    if not k.any():
        return x
    if np.abs(x).max(initial=0) < _SMALL:
        return shift_rounded_array(x, k, rounding)
    wide = (k > 0) & (np.abs(x) * 2.0 ** np.maximum(k, 0) >= FAR)
    out = shift_rounded_array(np.where(wide, 0, x), k, rounding)
    low = np.where(wide[0], np.where(x[0] < 0, -FAR, x[0]), out[0])
    high = np.where(wide[1], np.where(x[1] > 0, FAR, x[1]), out[1])
    return pair(np.where(x[0] <= -FAR, -FAR, low), np.where(x[1] >= FAR, FAR, high))


def overflowed(x: IntArray, mode: str, lo: int, hi: int) -> IntArray:
    """Return the interval after an overflow rule (see :func:`neuro_lif.formats.overflow`)."""
    if mode == "sat":
        return np.asarray(np.clip(x, lo, hi), np.int64)
    period = hi - lo + 1
    if mode == "wrap":
        turns = (x - lo) // period
        same = turns[0] == turns[1]
        moved = [np.where(same, x[0] - turns[0] * period, lo),
                 np.where(same, x[1] - turns[1] * period, hi)]  # fmt: skip
        return np.asarray(moved, np.int64)
    none = pair(np.full_like(x[0], FAR), np.full_like(x[1], -FAR))
    parts = (
        (meet(x, _ends(-FAR, lo - 1, x)), period),
        (meet(x, _ends(lo, hi, x)), 0),
        (meet(x, _ends(hi + 1, FAR, x)), -period),
    )
    out = none
    for part, by in parts:
        out = np.where(part[0] <= part[1], hull(out, plus(part, _ends(by, by, x))), out)
    return out


def _ends(lo: int, hi: int, like: IntArray) -> IntArray:
    return pair(np.full_like(like[0], lo), np.full_like(like[1], hi))


# ------------------------------------------------------------------------------- comparisons


def limited(x: IntArray, cmp: str, level: IntArray, holds: bool = True) -> IntArray:
    """Return the part of ``x`` for which ``x cmp level`` may hold (or may not hold).

    The lowest is above the highest where there is none.
    """
    cmp = cmp if holds else _NEGATED[cmp]
    low, high = x
    if cmp in (">", ">="):
        return pair(np.maximum(low, level[0] + (cmp == ">")), high)
    if cmp in ("<", "<="):
        return pair(low, np.minimum(high, level[1] - (cmp == "<")))
    if cmp == "==":
        return meet(x, level)
    known = level[0] == level[1]
    return pair(low + (known & (low == level[0])), high - (known & (high == level[0])))


def limited_magnitude(x: IntArray, cmp: str, level: IntArray, holds: bool = True) -> IntArray:
    """Return the part of ``x`` for which ``|x| cmp level`` may hold (or may not hold)."""
    above = limited(pair(np.maximum(x[0], 0), x[1]), cmp, level, holds)
    mirror = negative(x)
    below = negative(limited(pair(np.maximum(mirror[0], 0), mirror[1]), cmp, level, holds))
    up, down = above[0] <= above[1], below[0] <= below[1]
    return np.where(up & down, hull(above, below), np.where(up, above, below))


# ------------------------------------------------------------------------------------ decays


def decayed(op: Any, x: IntArray, d: IntArray) -> IntArray:
    """Return the interval of a register after a decay, before any overflow rule.

    For one ``d`` the result rises or falls all the way through each of a few pieces of ``x``, and
    for one ``x`` it does in ``d``; so the extremes are at the ends of the pieces.
    """
    if op["round"] != "floor_then_raz" or not op["kind"].startswith("mult"):
        return _corners(op, x, d)
    return _floor_then_raz(op, x, d)


def _floor_then_raz(op: Any, x: IntArray, d: IntArray) -> IntArray:
    """Return the interval of a decay whose rounding does not rise all the way.

    Of a product p >= 0 it is away from zero; of one below 0 it is floor(p), or one less.
    """
    known = (x[0] == x[1]) & (d[0] == d[1])
    exact = _corners(op, np.where(known, x, 0), d)
    away, floor = op | {"round": "raz"}, op | {"round": "floor"}
    less = (0, 1) if op["kind"] == "mult_step" else (-1, 0)
    slack = pair(np.full_like(x[0], less[0]), np.full_like(x[0], less[1]))
    up = _corners(away, np.maximum(x, 0), d)
    down = plus(_corners(floor, np.minimum(x, -1), d), slack)
    both = np.where(x[1] < 0, down, np.where(x[0] >= 0, up, hull(up, down)))
    unit = 2 ** op["k"] - op["offset"]
    least = {"mult_keep": unit - d[1], "mult_step": d[0] + op["offset"], "mult_by": d[0]}[
        op["kind"]
    ]
    any_sign = hull(_corners(away, x, d), plus(_corners(floor, x, d), slack))
    return np.where(known, exact, np.where(least >= 0, both, any_sign))


def _corners(op: Any, x: IntArray, d: IntArray) -> IntArray:
    points = [x[0], x[1], *(np.clip(p, x[0], x[1]) for p in (-1, 0, 1))]
    if op["kind"] == "shift":
        edge = np.left_shift(np.int64(1), np.clip(d[0], 0, 40))
        points += [np.clip(edge - 1, x[0], x[1]), np.clip(edge, x[0], x[1])]
    ends = d[:1] if np.array_equal(d[0], d[1]) else d
    low, high = _decay_at(op, np.array(points)[:, None], ends)
    return snap(pair(low.min(axis=(0, 1)), high.max(axis=(0, 1))))


def _decay_at(op: Any, x: IntArray, d: IntArray) -> tuple[IntArray, IntArray]:
    """Return (lowest, highest) of a decay of known values; no limit beyond 64 bits."""
    real, product = _real(op, x, d)
    far = np.abs(x) >= FAR
    wide = far | (product >= _STEEPEST) | (np.abs(real) >= FAR)
    if not wide.any():
        y = np.asarray(kept(op, x, d), np.int64)
        return y, y
    y = np.asarray(kept(op, np.where(wide, 0, x), np.where(wide, 0, d)), np.int64)
    out = np.asarray(np.sign(real), np.int64) * FAR
    return (np.where(wide, np.where(far, out, -FAR), y), np.where(wide, np.where(far, out, FAR), y))


def _real(op: Any, x: IntArray, d: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return about what a decay gives, and the magnitude of the product on the way."""
    kind, unit = op["kind"], 2.0 ** op["k"]
    wide, by = x.astype(np.float64), d.astype(np.float64)
    if kind == "mult_keep":
        factor = unit - op["offset"] - by
        return wide * factor / unit, np.abs(wide * factor)
    if kind == "mult_step":
        return wide - wide * (by + op["offset"]) / unit, np.abs(wide * (by + op["offset"]))
    if kind == "mult_by":
        return wide * by / unit, np.abs(wide * by)
    if kind == "shift":
        return wide - wide * 2.0**-by, np.abs(wide) * 2.0 ** np.maximum(-by, 0)
    if kind == "linear":
        return wide - by, np.abs(wide)
    return np.sign(wide) * np.maximum(np.abs(wide) - by, 0), np.abs(wide)
