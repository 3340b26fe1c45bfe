"""The exponent and the number of bits that netx chooses for a matrix of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Coded:
    """Weights as they are given to a chip.

    Args:
        mantissas: as the weights' shape; ``mantissas * 2**exponent`` are the weights.
        exponent: of the sum.
        bits: kept of a mantissa.
        clipped: how many weights were cut to -256..254.
    """

    mantissas: Any
    exponent: int
    bits: int
    clipped: int = 0


def plain_code(weights: Any) -> Coded:
    """Return weights as they are: 8 bits, no exponent."""
    return Coded(np.asarray(weights, np.int64), 0, 8)


def optimise_bits(weights: Any) -> Coded:
    """Return weights shifted as far to the left as Loihi's 8 bits allow, as netx does.

    Args:
        weights: whole numbers of any shape.

    Returns:
        The code; of weights that are all 0, where netx breaks down, no shift and 8 bits.

    Raises:
        ValueError: no weight is below 0 and one is above 255 (or none above -1 and one is below
            -256): netx would then shift by a negative number, which yields nothing of use.

    Source: lava-dl 0.6.0, lava/lib/dl/netx/utils.py, optimize_weight_bits.
    """
    weights = np.asarray(weights, np.int64)
    high, low = int(weights.max()), int(weights.min())
    if not high and not low:
        return plain_code(weights)
    clipped = 0
    if (high > 254 and low < 0) or (low < -256 and high > 0):
        inside = np.clip(weights, -256, 254)
        clipped = int((inside != weights).sum())
        weights, high, low = inside, int(inside.max()), int(inside.min())
    signed = high >= 0 and low < 0
    if signed:
        scale = min(127 / high if high else math.inf, -128 / low)
    else:
        scale = 255 / high if low >= 0 else -256 / low
    shift = math.floor(np.log2(scale)) + signed
    if shift < 0:
        raise ValueError(f"{high if high > 255 else low}, allowed: -256..255")
    spare = next((n for n in range(8, 0, -1) if not np.any(weights % 2**n)), 0) - signed
    return Coded(weights << shift, -shift, 8 - shift - spare, clipped)
