"""How each integrator carries synaptic currents and membranes over a step.

Sources: Rotter and Diesmann, Biol. Cybern. 81 (1999), for the exact integrator. All kernels are
written as divided differences of exp (:mod:`neuro_lif.exponentials`), so that equal or nearly equal
time constants lose no digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, entries, per_neuron, post_of_entries
from .errors import RangeError
from .exponentials import exp2, exp3
from .network import IF, Population
from .stepped import StepRule
from .synapses import Alpha, BiExponential, Delta, Exponential, Synapse


def kept(tau: npt.ArrayLike, dt: float, rule: StepRule, what: str) -> tuple[FloatArray, FloatArray]:
    """Return (factor kept per step, factor lost per step) for time constants ``tau``.

    Raises:
        RangeError: a step longer than a time constant, with the Euler integrator.
    """
    ratio = dt / np.asarray(tau, np.float64)
    if rule.integrator == "euler":
        if np.any(ratio > 1):
            raise RangeError(
                f"{what}: dt = {dt} s is longer than the time constant "
                f"{np.min(tau)} s, allowed with the Euler integrator: dt <= tau "
                '(shorten dt or use the rule "exact")'
            )
        return 1.0 - ratio, ratio
    return np.exp(-ratio), -np.expm1(-ratio)


def tau_of_u(synapse: Synapse) -> float:
    """Return the time constant of the synaptic state that adds to v: the shortest; 0 for delta.

    Of two the longer is that of the filter stage, so that what it sends has one sign.
    """
    return 0.0 if isinstance(synapse, Delta) else synapse.taus[-1]


def membrane(post: Population) -> tuple[FloatArray, FloatArray]:
    """Return (tau_m in s, infinite without a leak; capacitance in F), each ``(n,)``."""
    n, neuron = post.size, post.neuron
    if isinstance(neuron, IF):
        return np.full(n, np.inf), per_neuron(neuron.capacitance, n)
    tau_m = per_neuron(neuron.tau_m, n)
    return tau_m, np.asarray(tau_m / per_neuron(neuron.resistance, n))


def gains(
    synapse: Synapse, post: Population, dt: float, rule: StepRule
) -> tuple[FloatArray, FloatArray | None]:
    """Return what a spike of weight 1 adds, in V per step: to u, and to the filter stage.

    Args:
        synapse, post: onto which population.
        dt, rule: s, and the rule.

    Returns:
        ``(n_post,)`` or ``(1,)`` each; None where there is no filter stage.
    """
    if isinstance(synapse, (Alpha, BiExponential)):
        return _gains_of_two(synapse, post, dt, rule)
    return _jump(synapse, post, dt, rule), None


def _gains_of_two(
    synapse: Alpha | BiExponential, post: Population, dt: float, rule: StepRule
) -> tuple[FloatArray, FloatArray]:
    """Return the gains of a current of two time constants.

    Let x (the filter stage) keep ``a1`` and u keep ``a2`` of themselves per step. A spike adds P to
    u and Q to x, and x, one step later, is added to u. Then u answers a spike with
    ``P / (1 - a2/z) + Q / z / ((1 - a1/z) (1 - a2/z))``, which for ::

        P = k dt**2 exp[r1, r2, rm]        Q = k dt**2 exp[r1, r2] exp[r1, rm]

    (``r = -dt / tau``, divided differences of exp) makes v the continuous solution at every step.

    Source: the propagator of the chain x' = -x/tau1, y' = -y/tau2 + x, v' = -v/tau_m + k y over dt;
    checked against the closed form to 1e-13.
    """
    tau_m, capacitance = membrane(post)
    per_spike: Any = synapse.peak(capacitance)  # type: ignore[arg-type]
    scale = np.asarray(per_spike * synapse.scale / capacitance)
    one, two, leak = (-dt / np.asarray(tau) for tau in (*synapse.taus, tau_m))
    if rule.integrator == "euler":
        return np.zeros(1), np.asarray(scale * dt**2)
    if rule.integrator == "exp-euler":
        return np.zeros(1), np.asarray(scale * dt**2 * exp2(one, two) * exp2(0.0, leak))
    squared = scale * dt**2
    return squared * exp3(one, two, leak), squared * exp2(one, two) * exp2(one, leak)


def scaled_rows(weights: Any, rows: FloatArray, size: int) -> FloatArray:
    """Return the stored weights, those of each row (post neuron) times its factor."""
    factors = np.broadcast_to(rows, (size,))
    return np.asarray(entries(weights) * factors[post_of_entries(weights)])


def _jump(synapse: Delta | Exponential, post: Population, dt: float, rule: StepRule) -> FloatArray:
    """Return the jump of u per unit weight, V per step, ``(n_post,)`` or scalar.

    For an exponential synapse on a leaky membrane the exact jump is
    ``R w tau_s / (tau_m - tau_s) * (exp(-dt/tau_m) - exp(-dt/tau_s))``; v then equals the
    continuous solution at every step.

    Source: Rotter and Diesmann (1999); checked against the closed form to 1e-15.
    """
    if isinstance(synapse, Delta):
        return np.ones(1)
    n, tau, neuron = post.size, synapse.tau, post.neuron
    if isinstance(neuron, IF):
        capacitance = per_neuron(neuron.capacitance, n)
        held = -tau * np.expm1(-dt / tau) if rule.integrator == "exact" else dt
        per_ampere = held / capacitance
    else:
        resistance, tau_m = per_neuron(neuron.resistance, n), per_neuron(neuron.tau_m, n)
        capacitance = tau_m / resistance
        per_ampere = resistance * _unit_jump(tau, tau_m, dt, rule)
    if synapse.norm == "area":
        return np.asarray(per_ampere / tau)
    if synapse.norm in ("psp", "nnmt"):
        return np.asarray(per_ampere * capacitance / tau)
    return np.asarray(per_ampere)


def _unit_jump(tau: float, tau_m: FloatArray, dt: float, rule: StepRule) -> FloatArray:
    if rule.integrator != "exact":
        return kept(tau_m, dt, rule, "membrane")[1]
    # tau/(tau_m-tau) * (e^{-dt/tau_m} - e^{-dt/tau}), written without cancellation near
    # tau_m = tau and without overflow where dt is long; it is symmetric in its two exponents
    x = np.abs(dt * (tau_m - tau) / (tau_m * tau))
    small = x < 1e-8
    safe = np.where(small, 1.0, x)
    ratio = np.where(small, 1.0 - x / 2, -np.expm1(-safe) / safe)
    return np.asarray(np.exp(-dt / np.maximum(tau_m, tau)) * (dt / tau_m) * ratio)
