"""Responses of one, two and three leaky stages in a row, without cancellation at equal rates.

With rates ``a, b, c`` (1/s, >= 0) and time ``s``::

    e^(-a s)                                                 one stage
    psi2 = integral of e^(-a (s-u)) e^(-b u) du              two stages
         = (e^(-b s) - e^(-a s)) / (a - b)
    psi3 = integral of e^(-a (s-u)) psi2(u; b, c) du         three stages

They are symmetric in their rates, positive, and divided differences of the exponential function.
A difference of nearly equal exponentials is never formed: ``psi2`` goes through ``expm1``, and
``psi3`` through a recurrence over its farthest two rates or, where all are near, a power series.

Source: divided differences of exp: Opitz (1964); McCurdy, Ng and Parlett, Math. Comp. 43 (1984).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NEAR = 0.5
"""Below this spread of the three exponents the power series is taken."""

TERMS = 15
"""Terms of the series: at NEAR the next one is below 1e-17 of the sum."""


def psi2(s: float, a: float, b: float) -> float:
    """Return the response of two stages, in s, at time ``s`` (s) for rates in 1/s."""
    spread = abs(a - b)
    if spread == 0.0:
        return s * math.exp(-a * s)
    return math.exp(-min(a, b) * s) * (-math.expm1(-spread * s) / spread)


def psi3(s: float, a: float, b: float, c: float) -> float:
    """Return the response of three stages, in s^2, at time ``s`` (s) for rates in 1/s."""
    low, middle, high = sorted((a, b, c))
    p, r = (middle - low) * s, (high - low) * s
    if r < NEAR:
        unit = float(_series(p, r, TERMS))
    else:
        unit = (_share(p) - math.exp(-p) * _share(r - p)) / r
    return math.exp(-low * s) * s * s * unit


def _share(x: float) -> float:
    """Return ``(1 - e^-x) / x``."""
    return -math.expm1(-x) / x if x else 1.0


def _series(p: Any, r: Any, terms: int) -> Any:
    """Return the divided difference of exp at (0, -p, -r): a sum over symmetric polynomials."""
    symmetric, power, factor = 1.0, 1.0, 0.5
    total = 0.5
    for n in range(1, terms):
        power = power * -r
        symmetric = symmetric * -p + power
        factor /= n + 2
        total = total + symmetric * factor
    return total


def psi2_rows(s: Array, a: Any, b: Any) -> Array:
    """Return :func:`psi2` for arrays of times and rates that fit each other.

    Equal to ``s * exp2(-a s, -b s)``, with fewer operations: an arrival is mostly this.
    """
    spread = np.abs(a - b)
    same = spread == 0.0
    safe = np.where(same, 1.0, spread)
    share = np.where(same, s, -np.expm1(-safe * s) / safe)
    return np.asarray(np.exp(-np.minimum(a, b) * s) * share)


def psi3_rows(s: Array, a: Any, b: float, c: float) -> Array:
    """Return :func:`psi3` for arrays of times and of one rate that fit each other."""
    least, most = min(b, c), max(b, c)
    low, high = np.minimum(a, least), np.maximum(a, most)
    middle = np.maximum(np.minimum(a, most), least)
    p, r = (middle - low) * s, (high - low) * s
    widest = float(r.max(initial=0.0))
    if widest < NEAR:
        unit = _series(p, r, _terms(widest))
    else:
        near = r < NEAR
        apart = np.where(near, 1.0, r)
        unit = (_share_rows(p) - np.exp(-p) * _share_rows(r - p)) / apart
        if near.any():
            unit[near] = _series(p[near], r[near], TERMS)
    return np.asarray(np.exp(-low * s) * s * s * unit)


def _terms(widest: float) -> int:
    """Return how many terms of the series are needed for exponents that are so far apart."""
    terms, size = 1, 0.5
    while terms < TERMS and size > 1e-17:
        size *= widest * (terms + 1) / (terms * (terms + 2))
        terms += 1
    return terms


def _share_rows(x: Array) -> Array:
    zero = x == 0.0
    safe = np.where(zero, 1.0, x)
    return np.where(zero, 1.0, -np.expm1(-safe) / safe)


def psi2_peak(a: Any, b: Any) -> Array:
    """Return the largest value of :func:`psi2` over all times (s); at a rate of 0 its limit.

    Source: at ``ln(a/b) / (a - b)`` it is ``(1/high) (low/high)^(low/(high - low))``.
    """
    low, high = np.minimum(a, b), np.maximum(a, b)
    part = np.asarray((high - low) / high, np.float64)
    safe = np.where((part < 1e-9) | (part >= 1), 0.5, part)
    ratio = np.exp((1 - safe) / safe * np.log1p(-safe))
    ratio = np.where(part < 1e-9, np.exp(-1.0), np.where(part >= 1, 1.0, ratio))
    return np.asarray(ratio / high)
