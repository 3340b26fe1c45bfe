"""The integrals of the theory, by Gauss-Legendre rules on ranges where they are smooth.

With ``f(y) = exp(y^2) (1 + erf y) = erfcx(-y)``, which leaves the range of a float above y = 26,
everything is kept times ``exp(-c)``, ``c = max(y_th, 0)^2``. Every part of a sum is positive, so
that nothing cancels: each value is right within some 1e-14 of itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf, erfcx

from ...arrays import FloatArray

SQRT_PI = float(np.sqrt(np.pi))
Y_MOST = 1e3
"""Above this the rate is 0 in any case (it leaves the range of a float at 27)."""
SERIES_FROM = 40.0
"""From here on the asymptotic series of erfcx is right within 1e-16 with four terms."""
EXPONENTS = 40.0
"""What lies e^-40 below the largest value adds nothing to a float."""
AT_ONCE = 1 << 13


@lru_cache
def nodes(n: int = 64) -> tuple[FloatArray, FloatArray]:
    """Return the nodes in 0..1 and the weights of the Gauss-Legendre rule of ``n`` points."""
    rule: Any = np.polynomial.legendre.leggauss
    x, w = rule(n)
    return np.asarray((1 + x) / 2), np.asarray(w / 2)


def in_parts(function: Any, *arrays: Any, at_once: int = AT_ONCE) -> Any:
    """Return ``function`` of flat arrays, a part at a time, so that memory stays small."""
    size = arrays[0].size
    parts = [function(*(a[i : i + at_once] for a in arrays)) for i in range(0, size, at_once)]
    return np.concatenate(parts) if parts else np.zeros(0)


def scaled_f(y: Any, c: Any) -> Any:
    """Return ``exp(-c) exp(y^2) (1 + erf y)``; y^2 at most c where y > 0."""
    low, high = np.minimum(y, 0.0), np.clip(y, 0.0, Y_MOST)
    root = np.sqrt(c)
    above = np.exp(-(root - high) * (root + high)) * (1 + erf(high))
    return np.where(y > 0, above, np.exp(-c) * erfcx(-low))


def scaled_tail(y: Any, c: Any) -> Any:
    """Return ``exp(-c) (y f(y) + 1/sqrt(pi))`` without loss where f is close to -1/(y sqrt(pi))."""
    far = y < -SERIES_FROM
    s = np.where(far, y, -SERIES_FROM) ** -2.0
    series = s * (1 / 2 - s * (3 / 4 - s * (15 / 8 - s * 105 / 16))) / SQRT_PI
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.where(far, 0.0, y) * scaled_f(y, c) + np.exp(-c) / SQRT_PI
    return np.where(far, np.exp(-c) * series, near)


def scaled_integral(y_r: npt.NDArray[Any], y_th: npt.NDArray[Any]) -> Any:
    """Return ``exp(-c)`` times the integral of f from y_r to y_th, flat arrays, y_r <= y_th."""
    return in_parts(_scaled_integral, y_r, y_th)


def _scaled_integral(y_r: Any, y_th: Any) -> Any:
    positive = np.maximum(y_th, 0.0)
    total = _above_zero(np.maximum(y_r, 0.0), positive)
    s_th, s_r = np.maximum(-y_th, 0.0), np.maximum(-y_r, 0.0)
    return total + np.exp(-(positive**2)) * below_zero(s_th, s_r)


def _above_zero(a: Any, b: Any) -> Any:
    """Return ``exp(-b^2)`` times the integral of f from a to b, 0 <= a <= b, in ``y = b - x``."""
    x, w = nodes()
    last = np.minimum(b - a, b - np.sqrt(np.maximum(b**2 - EXPONENTS, 0.0)))
    y = last[:, None] * x
    values = np.exp(-y * (2 * b[:, None] - y)) * (1 + erf(b[:, None] - y))
    return last * (values @ w)


def below_zero(low: Any, high: Any) -> Any:
    """Return the integral of erfcx from low to high, 0 <= low <= high, in ``asinh`` of it."""
    x, w = nodes()
    t_low, t_high = (np.arcsinh(np.minimum(s, SERIES_FROM)) for s in (low, high))
    t = t_low[:, None] + (t_high - t_low)[:, None] * x
    near = (t_high - t_low) * ((erfcx(np.sinh(t)) * np.cosh(t)) @ w)
    a, b = np.maximum(low, SERIES_FROM), np.maximum(high, SERIES_FROM)
    far = np.log1p((b - a) / a) + _series(b) - _series(a)
    return near + far / SQRT_PI


def _series(s: Any) -> Any:
    q = s**-2.0
    return q * (1 / 4 - q * (3 / 16 - q * (15 / 48 - q * 105 / 128)))
