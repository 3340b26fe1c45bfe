"""The integers Lava 0.10 makes of weights, learning rates and graded values, bit for bit.

Lava's core has no conversion of real parameters; these are the helpers it has, each a pure
function. Weights are held in int32 there, so a cast may wrap; it does so here.

Source: lava-nc 0.10.0, ``utils/weightutils.py``, ``proc/graded/process.py``,
``networks/gradedvecnetwork.py``, ``magma/core/learning/utils.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import IntArray, entries, is_sparse, with_entries
from ..errors import RangeError, show
from ..formats import drop_low_bits, nearest, overflow_array, shift_array
from ..numerics import SIGN_MODES

WEIGHT_BITS = 8

MODE_RANGES = {
    "mixed": (-256, 255),
    "excitatory": (0, 255),
    "inhibitory": (-255, 0),
    "null": (0, 0),
}
"""Weights that :func:`optimize_weight_bits` accepts."""


@dataclass(frozen=True, eq=False)
class OptimizedWeights:
    """Weights moved to the top of their mantissa, the bits they need there, and the way back.

    Args:
        weights: int64, dense or CSR like the ones given.
        num_weight_bits: bits the synapse has to keep.
        weight_exp: shift that undoes the move.
    """

    weights: Any
    num_weight_bits: int
    weight_exp: int


@dataclass(frozen=True, eq=False)
class GradedWeights:
    """What ``GradedDense`` and ``GradedSparse`` hand to a synapse.

    Args:
        weights: int64, as the synapse stores them before its clip.
        effective: as the synapse uses them.
        weight_exp: shift of the sum.
        sign_mode: as the synapse finds it.
        num_weight_bits, num_message_bits: 8 and 24.
    """

    weights: Any
    effective: Any
    weight_exp: int
    sign_mode: str
    num_weight_bits: int = WEIGHT_BITS
    num_message_bits: int = 24


def _int32(values: npt.ArrayLike) -> IntArray:
    """Cast to int32 as a C cast does: toward zero, then modulo 2**32."""
    given = np.asarray(values)
    if given.dtype.kind == "f":
        whole = np.trunc(given.astype(np.float64))
        if not np.all(np.abs(whole) < 2.0**31):
            raise RangeError(f"weights = {show(given)}, allowed: real numbers inside an int32")
        return nearest(whole)
    return overflow_array(given.astype(np.int64), "wrap", -(2**31), 2**31 - 1)


def _matrix(weights: Any) -> Any:
    return weights if is_sparse(weights) else np.asarray(weights)


def _mode(sign_mode: str) -> str:
    if sign_mode not in SIGN_MODES:
        raise RangeError(f"sign_mode = {show(sign_mode)}, allowed: {', '.join(SIGN_MODES)}")
    return sign_mode


def determine_sign_mode(weights: Any) -> str:
    """Return ``excitatory`` (no weight below 0), ``inhibitory`` (none above) or ``mixed``."""
    low, high = _ends(weights)
    if low >= 0:
        return "excitatory"
    return "inhibitory" if high <= 0 else "mixed"


def _ends(weights: Any) -> tuple[float, float]:
    """Return the least and the largest weight; what a sparse matrix does not store is 0."""
    weights = _matrix(weights)
    values, size = entries(weights), int(np.prod(weights.shape))
    if not size:
        raise RangeError(f"weights = shape {weights.shape}, allowed: at least one weight")
    unstored = [0] if values.size < size else []
    known = np.concatenate([values, np.asarray(unstored, values.dtype)])
    return float(known.min()), float(known.max())


def clip_weights(
    weights: Any, sign_mode: str, num_bits: int = WEIGHT_BITS, *, learning: bool = False
) -> Any:
    """Cut weights to the range of their sign mode; ``learning`` takes 1 off a mixed upper end."""
    mode = _mode(sign_mode)
    mixed, sign = int(mode == "mixed"), -1 if mode == "inhibitory" else 1
    top = 2**num_bits - 1 - learning * mixed
    values = _int32(sign * _int32(entries(weights)))
    return with_entries(weights, sign * np.clip(values, -(2**num_bits) * mixed, top))


def truncate_weights(
    weights: Any, sign_mode: str, num_weight_bits: int, max_num_weight_bits: int = WEIGHT_BITS
) -> Any:
    """Clear the low bits that ``num_weight_bits`` has no room for (one more in mixed mode).

    Rounded toward minus infinity, in inhibitory mode toward zero. More bits than there are clear
    every weight, as Lava's negative shift count does.
    """
    mode = _mode(sign_mode)
    dropped = max_num_weight_bits - num_weight_bits + int(mode == "mixed")
    sign = -1 if mode == "inhibitory" else 1
    values = _int32(sign * _int32(entries(weights)))
    kept = drop_low_bits(values, dropped, "floor") if dropped < 32 else np.zeros_like(values)
    return with_entries(weights, _int32(sign * kept))


def effective_weights(
    weights: Any, sign_mode: str | None = None, num_weight_bits: int = WEIGHT_BITS
) -> Any:
    """Return the weights that a Dense or Sparse process uses from its first step on."""
    whole = with_entries(weights, _int32(entries(weights)))
    mode = determine_sign_mode(whole) if sign_mode is None else sign_mode
    return truncate_weights(clip_weights(whole, mode), mode, num_weight_bits)


def optimize_weight_bits(weights: Any, sign_mode: str, *, loihi2: bool = False) -> OptimizedWeights:
    """Move weights up as far as their mode's range allows and count the bits they need there.

    Lava's result is kept where it is no good: a mixed matrix whose largest weight is 255 gets
    exponent 1 and becomes all zeros, since it is shifted left by a negative count.

    Args:
        weights: whole numbers, dense or sparse.
        sign_mode: their sign mode.
        loihi2: give the mantissas of Loihi 2, which have no low bits to lose.

    Raises:
        RangeError: a weight is outside the mode's range, or (``loihi2``) the weights need more than
            8 bits.
    """
    mode = _mode(sign_mode)
    low, high = _ends(weights)
    least, most = MODE_RANGES[mode]
    if low < least or high > most:
        worst = high if high > most else low
        raise RangeError(f"weights = {worst:g}, allowed: {least}..{most} ({mode})")
    exponent = _weight_exponent(low, high, mode)
    values = np.asarray(entries(weights))
    bits = WEIGHT_BITS + exponent - (_trailing_zeros(values) - int(mode == "mixed"))
    moved = _int32(values)
    # a negative shift count gives 0
    moved = np.zeros_like(moved) if exponent > 0 else _int32(shift_array(moved, -exponent))
    if loihi2:
        if bits > WEIGHT_BITS:
            text = f"needs {bits} bits as it is (multiples of 2 need one less)"
            raise RangeError(f"weights = {show(values)}: {text}, allowed: 8 bits")
        # toward zero, twice
        moved = _int32(_int32(moved / 2 ** (WEIGHT_BITS - bits)) / (1 + (mode == "mixed")))
    return OptimizedWeights(with_entries(weights, moved), bits, exponent)


def _weight_exponent(low: float, high: float, mode: str) -> int:
    if low == high == 0:
        return 0
    if mode == "mixed":
        scale = min(127 / high if high > 0 else np.inf, -128 / low if low < 0 else np.inf)
        return -int(np.floor(np.log2(scale))) - 1
    scale = -255 / low if mode == "inhibitory" else 255 / high
    return -int(np.floor(np.log2(scale)))


def _trailing_zeros(values: Any) -> int:
    """Return the largest n up to 8 such that every weight is a multiple of 2**n."""
    parts = (values / 2**n for n in range(WEIGHT_BITS, 0, -1))
    fits = (n for n, x in zip(range(WEIGHT_BITS, 0, -1), parts, strict=True) if _whole(x))
    return next(fits, 0)


def _whole(x: Any) -> bool:
    return bool(np.all(x == np.rint(x)))


def graded_weights(weights: Any, exp: int = 7) -> GradedWeights:
    """Code real weights as ``GradedDense`` and ``GradedSparse`` do: times ``2**exp``, toward zero.

    What passes 8 bits is cut without a word: 2.5 becomes 320 and is used as 254 or 255.
    """
    whole = with_entries(weights, _int32(entries(weights) * 2.0**exp))
    mode = determine_sign_mode(whole)
    return GradedWeights(whole, effective_weights(whole, mode), -exp, mode)


def loihi2round(x: npt.ArrayLike) -> IntArray:
    """Round halves away from zero, as the sum ``x + 0.5`` in the precision of ``x`` has it.

    Raises:
        RangeError: x is not finite, or does not fit 63 bits.
    """
    values = np.asarray(x)
    rounded = np.fix(values + (values > 0) - 0.5)
    if not np.all(np.abs(rounded) < 2.0**63):
        raise RangeError(f"x = {show(x)}, allowed: real numbers inside an int64")
    return nearest(rounded)


def float_to_literal(x: float) -> str:
    """Write a learning rate as ``(mantissa) * 2 ^ exponent``.

    Raises:
        RangeError: x is not finite, or does not fit 63 bits.
    """
    value = float(x)
    if not abs(value) < 2.0**63:
        raise RangeError(f"learning parameter = {x}, allowed: real numbers inside an int64")
    if value == 0:
        return "0"
    sign, size = (-1 if value < 0 else 1), abs(value)
    mantissa = max(int(size), 1)
    if size / mantissa == 1:
        return f"({sign * mantissa})"
    return f"({sign * mantissa}) * 2 ^ {int(np.rint(np.log2(size / mantissa)))}"
