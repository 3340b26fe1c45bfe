"""How the rate follows a small sinusoidal change of the mean input.

With ``x = sqrt(2) (mu - V) / sigma`` at threshold and reset, ``s = i omega tau_m`` and ::

    M(p) = int_0^inf t^(p-1) e^(-t^2/2) (e^(-x_th t) - e^(-x_r t)) dt

the known form with parabolic cylinder functions, ``e^{x^2/4} D_{-p}(x) Gamma(p) = int_0^inf
t^(p-1) e^(-x t - t^2/2) dt``, becomes ``n = nu sqrt(2)/sigma / (1 + s) * M(s + 1) / M(s)``:
without a difference of equal numbers at low frequencies. The integrals are taken by the trapezoidal
rule in ln t, on a path in the complex plane on which t^s does not oscillate.

Source: N. Brunel, F. Chance, N. Fourcaud, L. Abbott, Phys. Rev. Lett. 86 (2001); B. Lindner, L.
Schimansky-Geier, Phys. Rev. Lett. 86 (2001); Schuecker et al. (2015) for exponential synapses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import RangeError
from .arguments import choice, numbers, plain
from .derivatives import slopes
from .exponential import METHODS, Method, shift_of

POINTS = 4096
DEEP = 45.0
"""What lies e^-45 below the largest value of an integrand is left out."""
ANGLES = np.linspace(0.0, 1.55, 63)
BENDS = (1.0, 3.0, 10.0, np.inf)
LOST = 1e6
"""Largest ratio of an integrand to its integral that is let pass: ten digits are left."""


def transfer_function(
    omegas: npt.ArrayLike, mu: npt.ArrayLike, sigma: npt.ArrayLike, V_th_rel: npt.ArrayLike,
    V_0_rel: npt.ArrayLike, tau_m: npt.ArrayLike, tau_r: npt.ArrayLike = 0.0,
    tau_s: npt.ArrayLike = 0.0, method: Method = "shift", synaptic_filter: bool = True,
    refractory: bool = False,
) -> Any:  # fmt: skip
    """Return the change of the rate per change of the mean input, complex, Hz/V.

    An input ``mu + d cos(omega t)`` gives the rate ``nu + Re(n(omega) d e^{i omega t})``.

    As published, the refractory period enters at finite frequencies through the rate nu alone: the
    function then jumps at omega = 0 from ``d nu / d mu`` to ``d nu / d mu / (1 - nu tau_r)``. With
    ``refractory=True`` neurons come back after tau_r in the oscillation, too, and it does not.

    Args:
        omegas: angular frequency, 1/s, any sign.
        mu, sigma, V_th_rel, V_0_rel: V; sigma > 0.
        tau_m, tau_r, tau_s: s; tau_s = 0: delta synapses.
        method: for tau_s > 0, ``"shift"`` or ``"taylor"`` (to first order in sqrt(tau_s/tau_m)).
        synaptic_filter: True: the input is that of the synapse, filtered by ``1/(1 + i omega
            tau_s)``; False: it is the current behind the filter.
        refractory: see above.

    Returns:
        complex, in the shape to which the arguments broadcast.

    Raises:
        RangeError: an argument is not allowed, their shapes do not fit, or the frequency is so high
            beside the noise that the integrals cannot be taken.
    """
    where = "transfer_function"
    choice(where, "method", method, METHODS)
    for name, flag in (("synaptic_filter", synaptic_filter), ("refractory", refractory)):
        if not isinstance(flag, (bool, np.bool_)):
            raise RangeError(f"{where}: {name} = {flag!r}, allowed: True or False")
    w, *given = numbers(where, omegas=omegas, mu=mu, sigma=sigma, V_th_rel=V_th_rel,
                             V_0_rel=V_0_rel, tau_m=tau_m, tau_r=tau_r, tau_s=tau_s)  # fmt: skip
    if not np.all(given[1] > 0):
        raise RangeError(f"{where}: sigma = {float(np.min(given[1]))}, allowed: > 0 V")
    shape, flat = w.shape, [np.ravel(x) for x in given]
    w = np.ravel(w)
    static = slopes(method, *flat).mu
    finite = _finite(np.abs(w), *flat, method=method, refractory=refractory)
    out = np.where(w == 0, static, np.where(w < 0, np.conj(finite), finite))
    if synaptic_filter:
        out = out / (1 + 1j * w * flat[6])
    return plain(out.reshape(shape))


def _finite(
    w: Any, mu: Any, sigma: Any, v_th: Any, v_0: Any, tau_m: Any, tau_r: Any, tau_s: Any, *,
    method: Method, refractory: bool,
) -> Any:  # fmt: skip
    """Return the transfer function of flat arrays without the synapse's filter, omega >= 0."""
    by, s = shift_of(tau_s, tau_m), 1j * w * tau_m
    shifted = by if method == "shift" else 0.0
    x_th, x_r = (np.sqrt(2) * ((mu - v) / sigma - shifted) for v in (v_th, v_0))
    each = [_moments(*one) for one in zip(x_th, x_r, w * tau_m, strict=True)]
    moments = Moments(*np.array(each, np.complex128).reshape(-1, 5).T)
    # neurons that come back: (1 - e^{-s tau_r/tau_m}) / s, which is tau_r/tau_m at s = 0
    phase = 1j * w * tau_r
    back: Any = np.where(w > 0, -np.expm1(-phase) / np.where(w > 0, s, 1.0), tau_r / tau_m)
    back = back if refractory else 0.0
    flux = moments.m0 + back * moments.reset
    ratio = moments.m1 / flux
    scale = np.sqrt(2) / (sigma * (1 + s))
    found = slopes("shift", mu, sigma, v_th, v_0, tau_m, tau_r, tau_s if method == "shift" else 0.0)
    if method == "shift":
        return found.nu * scale * ratio
    step = np.sqrt(2) * by  # how much x falls by the shift
    bent = (moments.m2 - ratio * (moments.m1 + back * s * moments.reset_1)) / flux
    moved = found.nu + by * sigma * (found.threshold + found.reset)
    return scale * (moved * ratio + step * found.nu * bent)


class Moments(NamedTuple):
    """``M(s), M(s+1), M(s+2)``, and of the reset alone; all times the same number.

    Args:
        m0, m1, m2: the integrals at p = s, s + 1, s + 2.
        reset: ``int t^s (x_r + t) e^(-x_r t - t^2/2) dt``.
        reset_1: ``int t^s e^(-x_r t - t^2/2) dt``.
    """

    m0: Any
    m1: Any
    m2: Any
    reset: Any
    reset_1: Any


def _moments(x_th: float, x_r: float, w: float) -> Moments:
    """Return the integrals of one neuron at ``s = i w``, w >= 0."""
    saddle = (-x_th + np.sqrt(complex(x_th * x_th, 4 * w))) / 2
    size = max(abs(saddle), 1 / (1 + abs(x_r)))
    low = -38.0 - np.log1p(abs(x_th) + abs(x_r))
    high = np.log(abs(x_th) + np.sqrt(x_th**2 + 2 * DEEP) + 3 * np.sqrt(2 * DEEP) + 2 * size)
    coarse = np.linspace(low, high, 400)
    best = min(((_height(coarse, x_th, w, angle, bend * size), angle, bend * size)
                for angle in ANGLES for bend in BENDS
                if angle < 0.75 or bend < np.inf), key=lambda item: item[0])  # fmt: skip
    top, angle, bend = best
    u = np.linspace(low, high, POINTS)
    log_t, by_u = _path(u, angle, bend)
    t = np.exp(log_t)
    # t^s e^{-t^2/2 - x t} for both, less the largest
    common = 1j * w * log_t - t * t / 2 - top
    at_th, at_r = np.exp(common - x_th * t), np.exp(common - x_r * t)
    between = -np.expm1(np.clip((x_r - x_th) * -t.real, -700, 0) + 1j * (x_th - x_r) * t.imag)
    weight = by_u * (u[1] - u[0])
    kernel = at_th * between
    sums = [np.sum(kernel * t**k * weight) for k in range(3)]
    lost = np.sum(np.abs(kernel * weight)) / max(abs(sums[0]), 1e-300)
    if not lost < LOST:
        raise RangeError(f"transfer_function: omegas tau_m = {w:g} where (mu - V_th_rel)/sigma = "
                         f"{x_th / np.sqrt(2):g}, allowed: lower, or more noise")  # fmt: skip
    at_reset = np.sum(at_r * t * (x_r + t) * weight), np.sum(at_r * t * weight)
    return Moments(sums[0], sums[1], sums[2], *at_reset)


def _path(u: Any, angle: float, bend: float) -> tuple[Any, Any]:
    """Return ``ln t`` on a path that leaves 0 at an angle and turns to the real axis; its slope.

    Args:
        u: ``ln |t|``.
        angle: at small t, rad.
        bend: ``|t|`` at which half of the angle is left.
    """
    if bend == np.inf:
        return u + 1j * angle, np.full(u.shape, 1.0 + 0j)
    far = (np.exp(u) / bend) ** 2
    turned = angle / (1 + far)
    return u + 1j * turned, 1 - 2j * turned * far / (1 + far)


def _height(u: Any, x_th: float, w: float, angle: float, bend: float) -> float:
    """Return the logarithm of the largest value of the integrand on a path."""
    log_t, _ = _path(u, angle, bend)
    t = np.exp(log_t)
    return float(np.max((1j * w * log_t - t * t / 2 - x_th * t).real + u))
