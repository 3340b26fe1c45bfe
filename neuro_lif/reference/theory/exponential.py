"""Rates with exponential synapses (coloured noise) that are short beside the membrane.

``tau_s dI/dt = -I + mu + sigma sqrt(tau_m) xi(t)`` drives ``tau_m dV/dt = -V + I``. To first order
in ``k = sqrt(tau_s / tau_m)`` the rate is that of white noise with threshold and reset higher by
``sigma alpha k / 2``, ``alpha = sqrt(2) |zeta(1/2)|``.

Source: N. Fourcaud, N. Brunel, Neural Comput. 14 (2002); J. Schuecker, M. Diesmann, M. Helias,
Phys. Rev. E 92:052119 (2015).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arguments import choice, numbers, plain
from .siegert import passage

Method = Literal["shift", "taylor"]
METHODS = ("shift", "taylor")

ALPHA = 2.065253152231217
"""``sqrt(2) |zeta(1/2)|``."""


def shift_of(tau_s: Any, tau_m: Any) -> Any:
    """Return what is added to threshold and reset in units of sigma: ``alpha/2 sqrt(tau_s/tau_m)``.

    Args:
        tau_s, tau_m: s; with tau_s = 0 (delta synapses) it is 0.
    """
    return ALPHA / 2 * np.sqrt(tau_s / tau_m)


def siegert_exp(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike, V_0_rel: npt.ArrayLike,
    tau_m: npt.ArrayLike, tau_s: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0,
    method: Method = "shift",
) -> Any:  # fmt: skip
    """Return the stationary rate of a LIF neuron with exponential synapses, Hz.

    Args:
        mu: mean input, V, above the leak potential.
        sigma: V, >= 0, of the white noise that the synapses filter.
        V_th_rel, V_0_rel: threshold and reset, V, above the leak potential.
        tau_m: membrane time constant, s, > 0.
        tau_s: synaptic time constant, s, >= 0; the theory is one of ``tau_s << tau_m``.
        tau_r: refractory period, s, >= 0.
        method: ``"shift"``: threshold and reset are shifted; ``"taylor"``: the rate is expanded to
            first order in sqrt(tau_s/tau_m), which can be negative far below the threshold.

    Returns:
        Hz, in the shape to which the arguments broadcast.

    Raises:
        RangeError: an argument is not allowed, or their shapes do not fit.

    Source: Fourcaud and Brunel (2002), eq. 4.33; Schuecker et al. (2015), eq. 33 (shift).
    """
    choice("siegert_exp", "method", method, METHODS)
    given = numbers("siegert_exp", mu=mu, sigma=sigma, V_th_rel=V_th_rel, V_0_rel=V_0_rel,
                    tau_m=tau_m, tau_r=tau_r, tau_s=tau_s)  # fmt: skip
    return plain(rates(method, *given).reshape(given[0].shape))


def rates(
    method: Method, mu: Any, sigma: Any, V_th_rel: Any, V_0_rel: Any, tau_m: Any, tau_r: Any,
    tau_s: Any,
) -> Any:  # fmt: skip
    """Return flat rates of checked arrays of one shape."""
    by = shift_of(tau_s, tau_m)
    if method == "shift":
        return passage(mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r, shift=by).nu
    p = passage(mu, sigma, V_th_rel, V_0_rel, tau_m, tau_r)
    return p.nu * (1 - np.ravel(by) * (p.flux_th - p.flux_r))
