"""What the rounding of a decay adds to a register in one step: its range, its mean, its variance.

A decay keeps ``p = x * factor`` and rounds: ``kept = p + r``. Here is what is known of ``r``, in
LSB, for ``p`` below and above zero. ``factor`` is ``m / 2**k``; where that is ``j / n`` in lowest
terms, ``p`` is a multiple of ``1 / n``, so with ``n = 1`` nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import FloatArray
from ...errors import LoweringError

Span = tuple[float, float]

SPANS: dict[str, tuple[Span, Span]] = {
    "floor": ((-1.0, 0.0), (-1.0, 0.0)),
    "rtz": ((0.0, 1.0), (-1.0, 0.0)),
    "raz": ((-1.0, 0.0), (0.0, 1.0)),
    "floor_then_raz": ((-2.0, 0.0), (0.0, 1.0)),
    "nearest_up": ((-0.5, 0.5), (-0.5, 0.5)),
    "stochastic": ((-1.0, 1.0), (-1.0, 1.0)),
}
"""rounding -> the range of ``rounded(x) - x`` for x < 0 and for x > 0."""

MEANS: dict[str, Span] = {
    "floor": (-0.5, -0.5), "rtz": (0.5, -0.5), "raz": (-0.5, 0.5), "floor_then_raz": (-1.5, 0.5),
    "nearest_up": (0.0, 0.0), "stochastic": (0.0, 0.0),
}  # fmt: skip
"""rounding -> the mean of ``rounded(x) - x`` for x < 0 and x > 0, x being dense on [0, 1)."""

KINDS = ("mult_keep", "mult_step", "mult_by")


@dataclass(frozen=True)
class Residual:
    """The rounding of one register's decay, per neuron.

    Args:
        low, high: ``(2, n)`` range of r in LSB; row 0 for values below zero, row 1 above.
        mean: ``(2, n)`` mean of r, LSB.
        variance: ``(n,)`` of r, LSB**2.
    """

    low: FloatArray
    high: FloatArray
    mean: FloatArray
    variance: FloatArray

    def mean_at(self, sign: Any) -> FloatArray:
        """Return the mean of r for a register whose mean sign is ``sign``, -1..1 ``(n,)``."""
        share = (1.0 + np.asarray(sign)) / 2.0
        return np.asarray(share * self.mean[1] + (1.0 - share) * self.mean[0])


def kept_factor(op: Any, d: Any) -> FloatArray:
    """Return the integer m of ``factor = m / 2**k`` that a decay keeps per step, as float64.

    Args:
        op: a resolved operation ``decay``.
        d: its coded parameter, integers.

    Raises:
        LoweringError: a decay that is no multiplication.
    """
    if op["kind"] not in KINDS:
        raise LoweringError(
            f"op decay: kind = {op['kind']!r}, allowed here: {', '.join(KINDS)} (its error is not "
            "proportional to the register)"
        )
    whole = np.asarray(d, np.int64)
    m = whole if op["kind"] == "mult_by" else 2 ** op["k"] - op["offset"] - whole
    return np.asarray(m, np.float64)


def residual_of(op: Any, d: Any, rounding: str | None = None) -> Residual:
    """Return what the rounding of a decay does.

    Args:
        op: a resolved operation ``decay``.
        d: its coded parameter, integers ``(n,)``.
        rounding: in place of the operation's own; ``"stochastic"`` stands for any rounding by less
            than one LSB, either way.

    Source: an equidistributed remainder on a grid of 1/n: mean (n - 1)/2n, variance
    (1 - 1/n**2)/12; of stochastic rounding E[f (1 - f)] = (1 - 1/n**2)/6.
    """
    m = np.atleast_1d(kept_factor(op, d)).astype(np.int64)
    unit = np.int64(2 ** op["k"])
    n = (unit // np.gcd(m, unit)).astype(np.float64)
    mode = rounding or op["round"]
    ranges, means = np.array(SPANS[mode]), np.array(MEANS[mode])
    if op["kind"] == "mult_step":  # the step is rounded, and taken away
        ranges, means = -ranges[:, ::-1], -means
    low, high = (_reduced(ranges[:, k, None], n) for k in (0, 1))
    if mode == "nearest_up":  # one of the two halves is never reached
        half = np.where(n > 1, 1.0 / n, 0.0)
        low, high = (low, high - half) if op["kind"] == "mult_step" else (low + half, high)
    whole = 1.0 - 1.0 / n
    mean = means[:, None] * whole
    if mode == "nearest_up":  # halves go up, so the mean is not quite 0
        mean = mean + np.where(n > 1, 0.5 / n, 0.0) * (-1.0 if op["kind"] == "mult_step" else 1.0)
    if mode == "floor_then_raz":
        mean = np.where(np.abs(means[:, None]) > 1, 1.5 * np.sign(means[:, None]) * whole, mean)
    share = 1 / 6 if mode == "stochastic" else 1 / 12
    return Residual(low, high, mean, share * (1.0 - 1.0 / n**2))


def _reduced(end: FloatArray, n: FloatArray) -> FloatArray:
    """Return an end of a range for a remainder that is a multiple of 1/n."""
    reduced = np.where(np.abs(end) >= 1, np.sign(end) * (np.abs(end) - 1.0 / n), end)
    return np.asarray(np.where(n > 1, reduced, 0.0))
