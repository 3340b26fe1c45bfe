"""Single numbers as nengo-loihi 1.1.0 codes them: mantissas, exponents, decays, overflow.

Source: nengo-loihi 1.1.0, ``builder/discretize.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import RangeError, show
from ..formats import nearest, overflow_array

MAX_DECAY = 4095
VTH_EXP = 6
VTH_MAN_MAX = 2**17 - 1
VTH_MAX = VTH_MAN_MAX << VTH_EXP
BIAS_MAN_MAX = 2**12 - 1
BIAS_EXP_MAX = 7
BIAS_MAX = BIAS_MAN_MAX << BIAS_EXP_MAX
Q_BITS, U_BITS = 21, 23
"""Magnitude bits of the synaptic input of a step, and of current and voltage."""
DECAY_START = 2**21
LOST_PER_STEP = 0.494
"""What one rounding of a decay takes away on average; the peer found it by simulation."""


def overflow_signed(x: npt.ArrayLike, bits: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return (x wrapped to ``bits`` magnitude bits and a sign, where it did not fit)."""
    values = np.asarray(x, np.int64)
    lo, hi = -(1 << bits), (1 << bits) - 1
    return overflow_array(values, "wrap", lo, hi), np.asarray((values < lo) | (values > hi))


def vth_to_manexp(vth: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Return thresholds as (mantissa 1..131071, exponent 6).

    Raises:
        RangeError: a mantissa does not fit.
    """
    real = np.asarray(np.asarray(vth, np.float64) / (1 << VTH_EXP))
    whole = np.rint(real)
    expect_fits(
        "vth",
        vth,
        (whole >= 1) & (whole <= VTH_MAN_MAX),
        f"above 32, up to {VTH_MAX}, after scaling",
    )
    return nearest(real), np.full(real.shape, VTH_EXP, np.int64)


def bias_to_manexp(bias: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Return biases as (mantissa -4095..4095, exponent 0..7), the smallest exponent that fits.

    The logarithm is taken in the precision given (float32 stays float32), as the peer does.

    Raises:
        RangeError: a bias is too large, or not finite.
    """
    given = np.asarray(bias)
    values = given if given.dtype == np.float32 else given.astype(np.float64)
    with np.errstate(invalid="ignore"):
        exponent = np.ceil(np.log2(np.maximum(np.abs(values) / BIAS_MAN_MAX, 1)))
    expect_fits("bias", bias, exponent <= BIAS_EXP_MAX, f"{-BIAS_MAX}..{BIAS_MAX}, after scaling")
    return nearest(values.astype(np.float64) / 2.0**exponent), nearest(exponent)


def expect_fits(name: str, given: npt.ArrayLike, fits: Any, allowed: str) -> None:
    """Raise a RangeError that names the first value which does not fit."""
    values, fits = np.ravel(np.asarray(given)), np.ravel(fits)
    if not np.all(fits):
        first = values[~fits][0].item()
        raise RangeError(f"{name} = {show(first)}, allowed: {allowed}")


def decay_int(x: npt.ArrayLike, decay: npt.ArrayLike, bits: int = 12, offset: int = 0) -> IntArray:
    """Decay integers: ``sign(x) * floor(|x| * (2**bits - offset - decay) / 2**bits)``.

    In 64 bits, as the peer does for an array of decays (for a single number it takes 32).
    """
    values = np.asarray(x, np.int64)
    kept = (1 << bits) - offset - np.asarray(decay, np.int64)
    return np.asarray(np.sign(values) * ((np.abs(values) * kept) >> bits), np.int64)


def decay_magnitude(
    decay: npt.ArrayLike, x0: float = DECAY_START, bits: int = 12, offset: int = 0
) -> FloatArray:
    """Return the sum of a decaying series of integers that starts at ``x0``, divided by ``x0``.

    With r the factor kept, each step takes r times the value less ``LOST_PER_STEP``; n is the step
    at which nothing is left.

    Source: nengo-loihi 1.1.0, ``decay_magnitude``.
    """
    unit, q = float(1 << bits), LOST_PER_STEP
    r = np.asarray((unit - offset - np.asarray(decay, np.float64)) / unit)
    with np.errstate(all="ignore"):
        n = -np.log1p(x0 * (1 - r) / q) / np.log(r)
        series = (1 - r ** (n + 1)) / (1 - r)
        return np.asarray(series - q / ((1 - r) * x0) * (n + 1 - series))


def code_decays(decay_u: npt.ArrayLike, decay_v: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Return (decay_u, decay_v) as integers; the chip adds 1 to decay_u again.

    The float32 products are rounded to integers as the peer rounds them: 1.0 becomes 4094 for u.
    """
    u = np.asarray(decay_u, np.float32) * np.float32(MAX_DECAY) - np.float32(1)
    v = np.asarray(decay_v, np.float32) * np.float32(MAX_DECAY)
    return nearest(np.clip(u, 0, MAX_DECAY)), nearest(v)
