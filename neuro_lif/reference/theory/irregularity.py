"""The coefficient of variation of the inter-spike intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf, erfcx

from .arguments import numbers, plain
from .exponential import shift_of
from .integrals import EXPONENTS, Y_MOST, in_parts, nodes
from .siegert import passage

POINTS = 96
AT_ONCE = 32
FARTHEST = 1e5
"""Below this many times the threshold's distance the reset adds nothing (its square, 1e-10)."""


def cv(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0, tau_s: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return the CV of the inter-spike intervals of a LIF neuron in noise.

    ``CV^2 = 2 pi tau_m^2 nu^2 int_{y_r}^{y_th} e^{x^2} int_{-inf}^x e^{y^2} (1 + erf y)^2 dy dx``;
    with exponential synapses both bounds are shifted like those of the rate.

    Args:
        mu, sigma, V_th_rel, V_0_rel: V; sigma >= 0.
        tau_m, tau_r, tau_s: s; tau_s = 0: delta synapses.

    Returns:
        A pure number in the shape to which the arguments broadcast: 0 without noise, NaN where
        there is no spike (no noise and mu not above the threshold).

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.

    Source: Brunel (2000), appendix A.1.
    """
    given = numbers("cv", mu=mu, sigma=sigma, V_th_rel=V_th_rel, V_0_rel=V_0_rel, tau_m=tau_m,
                    tau_r=tau_r, tau_s=tau_s)  # fmt: skip
    p = passage(*given[:6], shift=shift_of(given[6], given[4]))
    y_th, y_r = np.minimum(p.y_th, Y_MOST), np.minimum(p.y_r, Y_MOST)
    tau = np.ravel(given[4])
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (
            2 * np.pi * (tau / p.per_spike) ** 2 * in_parts(_scaled, y_r, y_th, at_once=AT_ONCE)
        )
    fires = np.ravel(given[0] > given[2])
    out = np.where(p.noisy, np.sqrt(square), np.where(fires, 0.0, np.nan))
    out = np.where(p.noisy & (y_th == Y_MOST), 1.0, out)  # so rare that they are a Poisson process
    return plain(out.reshape(given[0].shape))


def _scaled(y_r: Any, y_th: Any) -> Any:
    """Return ``exp(-2 max(y_th, 0)^2)`` times the double integral."""
    x, w = nodes(POINTS)
    b, a = np.maximum(y_th, 0.0), np.maximum(y_r, 0.0)
    last = np.minimum(b - a, b - np.sqrt(np.maximum(b**2 - EXPONENTS, 0.0)))
    back = last[:, None] * x
    above = np.exp(-2 * back * (2 * b[:, None] - back)) * _inner_above(b[:, None] - back)
    low, high = np.maximum(-y_th, 0.0), np.maximum(-y_r, 0.0)
    high = np.minimum(high, FARTHEST * (1 + low))
    t_low, width = np.arcsinh(low), np.arcsinh(high) - np.arcsinh(low)
    t = t_low[:, None] + width[:, None] * x
    below = _inner_below(np.sinh(t)) * np.cosh(t)
    return last * (above @ w) + np.exp(-2 * b**2) * width * (below @ w)


def _inner_above(x: Any) -> Any:
    """Return ``exp(-x^2) int_{-inf}^x e^{y^2} (1 + erf y)^2 dy`` for x >= 0, in ``z = x - y``."""
    u, w = nodes(POINTS)
    off = x**2 - EXPONENTS
    last = x - np.sign(off) * np.sqrt(np.abs(off))
    z, x = last[..., None] * u, x[..., None]
    return last * ((np.exp(-z * (2 * x - z)) * (1 + erf(x - z)) ** 2) @ w)


def _inner_below(s: Any) -> Any:
    """Return ``exp(s^2) int_{-inf}^{-s} e^{y^2} (1 + erf y)^2 dy`` for s >= 0, ``z = -s - y``."""
    u, w = nodes(POINTS)
    last = EXPONENTS / (np.sqrt(s**2 + EXPONENTS) + s)
    z, s = last[..., None] * u, s[..., None]
    return last * ((np.exp(-z * (z + 2 * s)) * erfcx(s + z) ** 2) @ w)
