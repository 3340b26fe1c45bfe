"""Divided differences of exp: convolutions of exponentials without cancellation.

The convolution of ``exp(-a t)`` and ``exp(-b t)`` is ``t * exp2(-a t, -b t)``, that of three is
``t**2 * exp3(-a t, -b t, -c t)``. Both hold where rates are equal or nearly so.

Source: de Boor, Divided differences, Surveys in Approximation Theory 1 (2005).
"""

from __future__ import annotations

from math import factorial

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

TERMS = 20
"""Terms of the series where nodes lie within 1 of each other: what is left out is below 1e-18."""


def exp2(x: npt.ArrayLike, y: npt.ArrayLike) -> FloatArray:
    """Return ``(exp(x) - exp(y)) / (x - y)``, and ``exp(x)`` where they are equal; broadcast.

    >>> float(exp2(0.0, 0.0)), float(exp2(-1.0, 0.0))
    (1.0, 0.6321205588285577)
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    gap = np.abs(a - b)
    small = gap < 1e-8
    safe = np.where(small, 1.0, gap)
    return np.asarray(
        np.exp(np.maximum(a, b)) * np.where(small, 1.0 - gap / 2, -np.expm1(-safe) / safe)
    )


def exp3(x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike) -> FloatArray:
    """Return the second divided difference ``exp[x, y, z]``; ``exp(x) / 2`` where all are equal.

    >>> float(exp3(0.0, 0.0, 0.0))
    0.5
    """
    nodes = np.broadcast_arrays(*(np.asarray(n, np.float64) for n in (x, y, z)))
    low, middle, high = np.sort(np.stack(nodes), axis=0)
    near = high - low < 1.0
    apart = np.where(near, 1.0, high - low)
    # a gap of 1 or more costs the difference two bits at most
    far = (exp2(high, middle) - exp2(middle, low)) / apart
    return np.where(near, _series(low, middle, high), far)


def _series(low: FloatArray, middle: FloatArray, high: FloatArray) -> FloatArray:
    """Return exp3 of sorted nodes within 1 of each other; every term is positive."""
    d, e = np.minimum(middle - low, 1.0), np.minimum(high - low, 1.0)
    total, power = np.zeros(np.shape(d)), np.ones(np.shape(d))
    sums = np.ones(np.shape(d))  # of all products of k factors d or e
    for k in range(TERMS):
        total = total + sums / float(factorial(k + 2))
        power = power * d
        sums = sums * e + power
    return np.asarray(np.exp(low) * total)
