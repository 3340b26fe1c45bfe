"""Layers whose spikes fall between steps: v is solved exactly and reset where it crosses.

With a constant input x in the step, I(t) = w x + (I0 - w x) exp(-t/tau_s) and
v(t) = a + b exp(-t/tau) + c exp(-t/tau_s), all of it in closed form; the crossing without a
synapse is, too, and with one is found by bisection.

Source: the linear differential equations of NIR's LIF and CubaLIF.
"""

from __future__ import annotations

import numpy as np

from .fields import Array
from .layer import Coefficients, State
from .rules import NirRule

MOST_CROSSINGS = 1000
_HALVINGS = 60


def cross(c: Coefficients, s: State, x: Array, rule: NirRule) -> Array:
    """Take a layer one step on; a neuron gives as many spikes as it has crossings, at most one
    unless the rule allows many.
    """
    tau, tau_i, leak, r, w_in, left = c.continuous
    left = left.copy()
    shape = s.v.shape
    spikes = np.zeros(shape)
    i = np.zeros(shape) if s.i is None else s.i
    for _ in range(MOST_CROSSINGS):
        times = _crossing(c, s.v, i, x, left)
        fired = np.isfinite(times) & (left > 0)
        part = np.where(fired & (rule.reset != "none"), times, left)
        v, i = solved(tau, tau_i, leak, r, w_in, s.v, i, x, part)
        lower = v - c.threshold if rule.reset.startswith("subtract") else c.reset
        s.v = np.where(fired & (rule.reset != "none"), lower, v)
        spikes += fired
        left = np.where(fired, left - part, 0.0)  # without a reset: 0 after one spike
        if not fired.any() or not left.any():
            break
    if s.i is not None:
        s.i = i
    return spikes if rule.spikes == "many" else np.minimum(spikes, 1.0)


def solved(
    tau: Array,
    tau_i: Array,
    leak: Array,
    r: Array,
    w_in: Array,
    v: Array,
    i: Array,
    x: Array,
    t: Array,
) -> tuple[Array, Array]:
    """Return v and I after a time t with input x; tau_i 0: no synapse."""
    rest = leak + r * w_in * x
    e = np.exp(-t / tau)
    if not tau_i.any():
        return rest + (v - rest) * e, i
    e_i = np.exp(-t / tau_i)
    free: Array = i - w_in * x
    apart = tau_i - tau
    near = np.abs(apart) < 1e-9 * tau
    ratio = np.where(near, t / tau * e, (e_i - e) * tau_i / np.where(near, 1.0, apart))
    return rest + (v - rest) * e + r * free * ratio, w_in * x + free * e_i


def _crossing(c: Coefficients, v: Array, i: Array, x: Array, left: Array) -> Array:
    """Return when v first exceeds the threshold within what is left of the step; inf: never."""
    tau, tau_i, leak, r, w_in, _ = c.continuous
    high = left
    if tau_i.any():
        high = _summit(c, v, i, x, left)
    top, _i = solved(tau, tau_i, leak, r, w_in, v, i, x, high)
    over = (top > c.threshold) & (left > 0)
    if not tau_i.any():
        rest = leak + r * w_in * x
        safe = np.where(over & (v <= c.threshold), rest - c.threshold, 1.0)
        inside = np.where(over & (v <= c.threshold), (rest - v) / safe, 1.0)
        return np.where(over, tau * np.log(inside), np.inf)
    low, high = np.zeros_like(v), high.copy()
    for _ in range(_HALVINGS if over.any() else 0):
        middle = 0.5 * (low + high)
        at, _i = solved(tau, tau_i, leak, r, w_in, v, i, x, middle)
        above = at > c.threshold
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(over, high, np.inf)


def _summit(c: Coefficients, v: Array, i: Array, x: Array, left: Array) -> Array:
    """Return when v is highest within the step: its slope has at most one zero."""
    tau, tau_i, leak, r, w_in, _ = c.continuous
    free = r * (i - w_in * x)
    apart = np.where(np.abs(tau_i - tau) < 1e-9 * tau, 1e-9 * tau, tau_i - tau)
    slow = free * tau_i / apart
    fast = v - leak - r * w_in * x - slow
    # v' = -fast/tau exp(-t/tau) - slow/tau_i exp(-t/tau_i) = 0
    share = -slow * tau / np.where(fast == 0, 1.0, fast * tau_i)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        turn = np.log(np.where(share > 0, share, 1.0)) / (1 / tau_i - 1 / tau)
    turn = np.where((share > 0) & np.isfinite(turn) & (turn > 0) & (turn < left), turn, left)
    at_turn = solved(tau, tau_i, leak, r, w_in, v, i, x, turn)[0]
    at_end = solved(tau, tau_i, leak, r, w_in, v, i, x, left)[0]
    return np.where(at_turn > at_end, turn, left)
