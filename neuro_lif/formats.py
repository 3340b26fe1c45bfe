"""NUMBERS: the only file that rounds, wraps and saturates.

Each rule stands here twice: on one Python integer (unbounded, so it cannot overflow by itself; used
by the living definition) and on an int64 array (used by the numpy engine). The two share no
arithmetic, and the tests hold them against each other over every value of small formats.

This file imports numpy only, because the exported Lava folder carries a copy of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ROUNDINGS = ("floor", "rtz", "raz", "floor_then_raz", "nearest_up")
"""floor; toward zero; away from zero; floor then one more away from zero; half up."""

OVERFLOWS = ("wrap", "sat", "wrap_once")
"""Two's complement; saturate; add or take away the period once (what Lava does with u)."""


# ------------------------------------------------------------------ one Python integer


def shift(x: int, k: int) -> int:
    """Shift left by ``k`` bits, or right (floor) by ``-k`` where ``k`` is negative."""
    return x << k if k >= 0 else x >> -k


def round_shift(p: int, k: int, rounding: str) -> int:
    """Return ``p / 2**k`` rounded to an integer as ``rounding`` says (see ROUNDINGS)."""
    floor = p >> k
    exact = (floor << k) == p
    if rounding == "floor" or exact:
        return floor
    if rounding == "rtz":
        return floor if p >= 0 else floor + 1
    if rounding == "raz":
        return floor + 1 if p >= 0 else floor
    if rounding == "floor_then_raz":
        return floor + 1 if p >= 0 else floor - 1
    if rounding == "nearest_up":
        return (2 * p + (1 << k)) >> (k + 1)
    raise ValueError(f"rounding = {rounding!r}, allowed: {ROUNDINGS}")


def overflow(x: int, mode: str, lo: int, hi: int) -> int:
    """Bring ``x`` into [lo, hi] as ``mode`` says (see OVERFLOWS); wrap_once may stay outside."""
    if lo <= x <= hi:
        return x
    if mode == "sat":
        return min(max(x, lo), hi)
    period = hi - lo + 1
    if mode == "wrap":
        return (x - lo) % period + lo
    if mode == "wrap_once":
        return x + period if x < lo else x - period
    raise ValueError(f"overflow = {mode!r}, allowed: {OVERFLOWS}")


# ------------------------------------------------------------------ int64 arrays


def shift_array(x: IntArray, k: Any) -> IntArray:
    """Array form of :func:`shift`; ``k`` is an integer or an array that broadcasts."""
    if isinstance(k, (int, np.integer)):
        return np.left_shift(x, int(k)) if k >= 0 else np.right_shift(x, min(-int(k), 63))
    amount = np.asarray(k, np.int64)
    left = np.left_shift(x, np.maximum(amount, 0))
    shifted: IntArray = np.right_shift(left, np.minimum(np.maximum(-amount, 0), 63))
    return shifted


def shift_rounded_array(x: IntArray, k: Any, rounding: str) -> IntArray:
    """Shift left by ``k`` bits, or right by ``-k``: ``floor``, or ``rtz`` (toward zero)."""
    if rounding == "floor":
        return shift_array(x, k)
    shifted: IntArray = np.sign(x) * shift_array(np.abs(x), k)
    return shifted


def round_shift_array(p: IntArray, k: int, rounding: str) -> IntArray:
    """Array form of :func:`round_shift`."""
    if rounding == "floor":
        return p >> k
    if rounding == "rtz":
        return np.asarray(np.sign(p) * (np.abs(p) >> k))
    unit = np.int64(1) << np.int64(k)
    if rounding == "raz":
        return np.asarray(np.sign(p) * ((np.abs(p) + (unit - 1)) >> k))
    if rounding == "floor_then_raz":
        return np.asarray((p >> k) + np.sign(p) * ((p & (unit - 1)) != 0))
    if rounding == "nearest_up":
        return (p + (unit >> 1)) >> k
    raise ValueError(f"rounding = {rounding!r}, allowed: {ROUNDINGS}")


def overflow_array(x: IntArray, mode: str, lo: int, hi: int) -> IntArray:
    """Array form of :func:`overflow`."""
    if mode == "sat":
        return np.clip(x, lo, hi)
    period = hi - lo + 1
    if mode == "wrap":
        return (x - lo) % period + lo
    if mode == "wrap_once":
        return np.where(x < lo, x + period, np.where(x > hi, x - period, x))
    raise ValueError(f"overflow = {mode!r}, allowed: {OVERFLOWS}")


# ------------------------------------------------------------------ real number -> integer


def nearest(x: npt.ArrayLike) -> IntArray:
    """Round reals to the nearest integer, halves to even (numpy's ``rint``)."""
    return np.asarray(np.rint(np.asarray(x, np.float64)), np.int64)


def near_tie(x: npt.ArrayLike, within: float = 1e-12) -> npt.NDArray[np.bool_]:
    """Tell which reals lie so close to a rounding boundary that another ``exp`` may flip them.

    ``within`` is relative to the magnitude (at least 1).
    """
    values = np.asarray(x, np.float64)
    distance = np.abs(np.abs(values - np.floor(values)) - 0.5)
    return np.asarray(distance <= within * np.maximum(1.0, np.abs(values)))


def drop_low_bits(w: IntArray, k: int, rounding: str) -> IntArray:
    """Clear the ``k`` lowest bits: ``floor``, ``rtz`` (toward zero) or ``nearest_even``.

    A negative ``k`` (more weight bits than the chip has, ranges not enforced) clears every bit, as
    a negative shift count does in the peer.
    """
    if k < 0:
        return np.zeros_like(w)
    if rounding == "nearest_even":
        return nearest(w / (1 << k)) << k
    return round_shift_array(w, k, rounding) << k
