"""The firing rate of a LIF neuron driven by white noise.

``tau_m dV/dt = -V + mu + sigma sqrt(tau_m) xi(t)``, a spike at V_th_rel, then V_0_rel for tau_r.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray
from .arguments import numbers, plain
from .integrals import SQRT_PI, Y_MOST, scaled_f, scaled_integral, scaled_tail


@dataclass(frozen=True, eq=False)
class Passage:
    """The rate and what its derivatives are made of; flat arrays ``(n,)``.

    Args:
        nu: rate, Hz.
        y_th, y_r: threshold and reset in units of the noise, ``(V - mu) / sigma + shift``.
        flux_th, flux_r: ``nu tau_m sqrt(pi) f(y)`` at both, in range of a float for every y.
        flux_tail: ``nu tau_m sqrt(pi) (y_th f(y_th) - y_r f(y_r))``.
        per_spike: ``exp(-max(y_th, 0)^2) / nu``, s.
        noisy: False where the noise is so small that the rate is that without it; there flux_th,
            flux_r and flux_tail are their limit, 0.
    """

    nu: FloatArray
    y_th: FloatArray
    y_r: FloatArray
    flux_th: FloatArray
    flux_r: FloatArray
    flux_tail: FloatArray
    per_spike: FloatArray
    noisy: npt.NDArray[np.bool_]


def passage(
    mu: Any,
    sigma: Any,
    V_th_rel: Any,
    V_0_rel: Any,
    tau_m: Any,
    tau_r: Any,
    *,
    shift: Any = 0.0,
) -> Passage:
    """Return the :class:`Passage` of checked arrays of one shape, flattened.

    Args:
        mu, sigma, V_th_rel, V_0_rel: V.
        tau_m, tau_r: s.
        shift: added to y_th and y_r (exponential synapses), no unit.
    """
    mu, sigma, v_th, v_0, tau_m, tau_r, shift = (
        np.ravel(x) for x in np.broadcast_arrays(mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, shift)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y_th, y_r = (v_th - mu) / sigma, (v_0 - mu) / sigma
        noisy = np.isfinite(y_th) & np.isfinite(y_r)
    # without noise the integral is a logarithm; a neuron at the threshold itself never spikes
    y_th = np.where(noisy, y_th, np.where(v_th < mu, -1.0, Y_MOST)) + shift
    y_r = np.where(noisy, y_r, -1.0) + shift
    capped, low = np.minimum(y_th, Y_MOST), np.minimum(y_r, Y_MOST)
    c = np.maximum(capped, 0.0) ** 2
    weight = np.exp(-c)
    integral = scaled_integral(low, capped)
    safe = np.where(v_th < mu, mu - v_th, 1.0)
    drift = np.log1p(np.where(v_th < mu, v_th - v_0, 0.0) / safe) / SQRT_PI
    per_spike = weight * tau_r + tau_m * SQRT_PI * np.where(noisy, integral, drift)
    alive = (weight > 0) & (noisy | (v_th < mu))
    gain = np.where(alive & noisy, tau_m * SQRT_PI / np.where(alive, per_spike, 1.0), 0.0)
    tail = scaled_tail(capped, c) - scaled_tail(low, c)
    return Passage(
        nu=np.where(alive, weight / np.where(alive, per_spike, 1.0), 0.0), y_th=y_th, y_r=y_r,
        flux_th=gain * scaled_f(capped, c), flux_r=gain * scaled_f(low, c),
        flux_tail=gain * tail, per_spike=per_spike, noisy=noisy,
    )  # fmt: skip


def siegert(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0,
) -> Any:  # fmt: skip
    """Return the stationary rate of a LIF neuron with delta synapses (white noise), Hz.

    ``1/nu = tau_r + tau_m sqrt(pi) int_{(V_0 - mu)/sigma}^{(V_th - mu)/sigma} e^{x^2} (1 + erf x)
    dx``. Right within 1e-12 of itself from far below the threshold (down to the smallest float)
    to far above, and for every sigma: at 0 it is the rate without noise.

    Args:
        mu: mean input, V, above the leak potential.
        sigma: V, >= 0; V without a threshold has the standard deviation ``sigma / sqrt(2)``.
        V_th_rel: threshold, V, above the leak potential; above V_0_rel.
        V_0_rel: reset, V, above the leak potential.
        tau_m: membrane time constant, s, > 0.
        tau_r: refractory period, s, >= 0.

    Returns:
        Hz, in the shape to which the arguments broadcast.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.

    Source: A. J. F. Siegert, Phys. Rev. 81 (1951); N. Brunel, J. Comput. Neurosci. 8 (2000).
    """
    given = numbers("siegert", mu=mu, sigma=sigma, V_th_rel=V_th_rel, V_0_rel=V_0_rel,
                    tau_m=tau_m, tau_r=tau_r)  # fmt: skip
    return plain(passage(*given).nu.reshape(given[0].shape))
