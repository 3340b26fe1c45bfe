"""One step of each neuron, by the switches of a rule; nothing here knows a framework by name.

With keep = 1 - dt/tau or exp(-dt/tau)::

    i = keep_i i + gain_i x                      (or keep_i (i + gain_i x))
    v = keep v + gain i + (1 - keep) v_leak      (i = x without a synapse)

Source: NIR's equations (``nir/ir/neuron.py``), constant input within a step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .events import cross
from .fields import Array, Shape
from .layer import ONE, Coefficients, State
from .model import SPIKING
from .nodes import IF, CubaLI, CubaLIF, I
from .rules import NirRule


def coefficients(node: Any, rule: NirRule, dt: float, in_cycle: bool) -> Coefficients:
    """Return what a neuron node comes to under a rule; dt in the unit of the file's times."""
    kind = type(node).__name__
    r = np.asarray(node.r, np.float64)
    if rule.layer_dt != "run" and not isinstance(node, (I, IF)):
        # Source: Rockpool 3.1.0 nn/modules/torch/nir.py, min(tau_mem / (1 + r))
        tau_file = node.tau_mem if isinstance(node, (CubaLI, CubaLIF)) else node.tau
        dt = float(np.min(np.asarray(tau_file, np.float64) / (1 + r)))
    leak = np.zeros(r.shape)
    if isinstance(node, (I, IF)):
        keep, gain = np.ones(r.shape), r * dt if rule.if_gain == "r" else np.ones(r.shape)
        lost = np.zeros(r.shape, np.int64)
    else:
        tau = _tau(node.tau_mem if isinstance(node, (CubaLI, CubaLIF)) else node.tau, rule, dt)
        keep, lost_part = _kept(tau, dt, rule.integrator)
        how = rule.cuba_gain if isinstance(node, (CubaLI, CubaLIF)) else rule.input_gain
        by_r = _near_one(r * lost_part, rule)
        gain = {"r": by_r, "leak": lost_part, "one": np.ones(r.shape)}[how]
        leak = lost_part * node.v_leak
        lost = np.rint(np.clip(dt / tau, 0, 1) * ONE).astype(np.int64)
    keep_i, gain_i, lost_i, leak_i = _synapse(node, rule, dt)
    spiking = isinstance(node, SPIKING)
    time = rule.recurrent_reset_time if in_cycle and isinstance(node, CubaLIF) else rule.reset_time
    dtype = np.dtype(rule.arithmetic)

    def cast(value: Any) -> Any:
        return None if value is None else np.asarray(value, dtype)

    threshold = node.v_threshold if spiking else np.zeros(r.shape)
    reset = node.v_reset if spiking and rule.reset == "value" else np.zeros(r.shape)
    before = rule.reset.partition("-")[0]
    return Coefficients(
        kind,
        cast(keep),
        cast(gain),
        cast(leak),
        cast(keep_i),
        cast(gain_i),
        spiking,
        cast(threshold),
        cast(reset),
        time == "next",
        f"{'recurrent ' * in_cycle}{kind} {before}" in rule.late_before,
        lost,
        lost_i,
        ONE,
        cast(leak_i),
        _continuous(node, rule, dt),
    )


def _near_one(gain: Array, rule: NirRule) -> Array:
    """Return gains with 1 for what differs from it by the rounding of a file in float32.

    Only for frameworks, which compute in float32 and had 1 before it was made r or w_in.
    """
    return gain if rule.arithmetic == "float64" else np.where(np.abs(gain - 1) < 4e-7, 1.0, gain)


def _synapse(node: Any, rule: NirRule, dt: float) -> tuple[Any, Any, Any, Any]:
    """Return what the current keeps, what its input is multiplied by, its decay in 1/4096, and
    what a step adds to it.
    """
    if not isinstance(node, (CubaLI, CubaLIF)):
        return None, None, None, None
    tau = _tau(node.tau_syn, rule, dt)
    way = rule.integrator if rule.synapse_integrator == "same" else rule.synapse_integrator
    keep, part = _kept(tau, dt, way)
    w_in = np.asarray(node.w_in, np.float64)
    gain = {"w_in": _near_one(w_in * part, rule), "leak": part, "one": np.ones(tau.shape)}
    leak = part * node.v_leak if rule.synapse_leak == "v_leak" else None
    lost = np.rint(np.clip(dt / tau, 0, 1) * ONE).astype(np.int64)
    return keep, gain[rule.synapse_gain], lost, leak


def _tau(tau: Any, rule: NirRule, dt: float) -> Array:
    """Return a time in the unit of dt."""
    factor = {"s": 1.0, "ms": 1e-3, "steps": dt, "s*dt": 1.0 / dt}[rule.tau_unit]
    return np.asarray(tau, np.float64) * factor


def _kept(tau: Array, dt: float, integrator: str) -> tuple[Array, Array]:
    """Return what a step keeps and what it loses of a state."""
    if integrator in ("euler", "shift"):
        return 1.0 - dt / tau, dt / tau
    return np.exp(-dt / tau), -np.expm1(-dt / tau)


def _continuous(node: Any, rule: NirRule, dt: float) -> tuple[Array, ...]:
    """Return the constants of the differential equations, for ``event``."""
    if rule.integrator != "event" or isinstance(node, (I, IF)):
        return ()
    cuba = isinstance(node, (CubaLI, CubaLIF))
    tau = _tau(node.tau_mem if cuba else node.tau, rule, dt)
    tau_i = _tau(node.tau_syn, rule, dt) if cuba else np.zeros(tau.shape)
    w_in = np.asarray(node.w_in if cuba else np.ones(tau.shape), np.float64)
    r = np.asarray(node.r, np.float64)
    v_leak = np.asarray(node.v_leak, np.float64)
    return tau, tau_i, v_leak, r, w_in, np.full(tau.shape, dt)


def first_state(node: Any, c: Coefficients, rule: NirRule, shape: Shape) -> State:
    """Return the state in which a fresh run begins."""
    v = np.zeros(shape, c.keep.dtype)
    first = {"leak": "v_leak", "reset": "v_reset"}.get(rule.v_init, "")
    if hasattr(node, first):
        v = v + np.asarray(getattr(node, first), v.dtype)
    i = None if c.keep_i is None else np.zeros(shape, v.dtype)
    if i is not None and c.leak_i is not None:
        i = i + np.asarray(node.v_leak, v.dtype)
    return State(v, i)


def count(c: Coefficients, v: Array, rule: NirRule) -> Array:
    """Return how many spikes a voltage gives."""
    threshold = c.threshold
    over = v >= threshold if rule.compare == ">=" else v > threshold
    if rule.spikes == "one":
        return over.astype(v.dtype)
    safe = np.where(threshold > 0, threshold, 1)
    many = np.where(over & (v > 0) & (threshold > 0), np.floor(v / safe), over)
    if rule.most_spikes is not None:
        many = np.minimum(many, rule.most_spikes)
    return many.astype(v.dtype)


def advance(c: Coefficients, s: State, x: Array, direct: Array | None, rule: NirRule) -> Array:
    """Take a layer one step on; returns its spikes, or v where it has none.

    Args:
        c: its coefficients.
        s: its state, changed in place.
        x: the sum of what comes in.
        direct: what acts on the membrane itself; None: nothing.
        rule: the switches.
    """
    if rule.integrator == "shift":
        return _shifted(c, s, x, rule)
    if c.continuous and c.spiking:
        return cross(c, s, x, rule)
    pending = None
    if c.spiking and (c.late or rule.emit == "old" or rule.reset == "subtract-once"):
        pending = count(c, s.v, rule)
        if c.late_before:
            s.v = _after(c, s.v, pending, rule)
    drive = _driven(c, s, x, rule)
    if c.kind == "LI" and rule.integrators == "current":
        s.v = c.keep * (s.v + c.gain * drive) + c.leak
    else:
        s.v = c.keep * s.v + c.gain * drive + c.leak
    if direct is not None:
        s.v = s.v + direct
    if not c.spiking:
        return s.v
    if rule.emit == "old" and pending is not None:
        s.v = s.v if c.late_before else _after(c, s.v, pending, rule)
        return pending
    return _fired(c, s, pending, rule)


def _driven(c: Coefficients, s: State, x: Array, rule: NirRule) -> Array:
    """Take the current one step on; returns what the membrane sees of it."""
    if s.i is None or c.keep_i is None or c.gain_i is None:
        return x
    old = s.i
    if rule.current == "add-use-decay":
        jumped = old + c.gain_i * x
        s.i = c.keep_i * jumped if c.leak_i is None else c.keep_i * jumped + c.leak_i
        return jumped
    if rule.current == "add-decay":
        s.i = c.keep_i * (s.i + c.gain_i * x)
    else:
        s.i = c.keep_i * s.i + c.gain_i * x
    if c.leak_i is not None:
        s.i = s.i + c.leak_i
    return old if rule.current == "last" else s.i


def _fired(c: Coefficients, s: State, pending: Array | None, rule: NirRule) -> Array:
    if c.late and pending is not None:
        if not c.late_before:
            s.v = _after(c, s.v, pending, rule)
        spikes = count(c, s.v, rule)
        _floored(c, s, rule)
        return spikes
    if rule.reset == "subtract-once" and pending is not None:
        # a spike that was pending already is subtracted before the comparison, and not again
        s.v = s.v - pending * c.threshold
        spikes = count(c, s.v, rule)
        s.v = s.v - (spikes - pending) * c.threshold
    else:
        spikes = count(c, s.v, rule)
        s.v = _after(c, s.v, spikes, rule)
    _floored(c, s, rule)
    return spikes


def _after(c: Coefficients, v: Array, spikes: Array, rule: NirRule) -> Array:
    """Return the voltage after so many spikes."""
    if rule.reset == "none":
        return v
    if rule.reset.startswith("subtract"):
        return v - spikes * c.threshold
    return np.asarray(np.where(spikes > 0, c.reset, v))


def _floored(c: Coefficients, s: State, rule: NirRule) -> None:
    if rule.floor != "none" and (rule.floor != "IF -threshold" or c.kind == "IF"):
        value = 0.0 if rule.floor == "zero" else rule.floor_value
        low = {
            "-threshold": -c.threshold,
            "IF -threshold": -c.threshold,
            "thresholds": c.threshold * c.threshold.dtype.type(value),
        }.get(rule.floor, np.full_like(c.threshold, value))
        s.v = np.maximum(s.v, low)


def _shifted(c: Coefficients, s: State, x: Array, rule: NirRule) -> Array:
    """Step in integers, of 1/4096 unless the coefficients say otherwise.

    Decays have 12 bits and round towards zero.

    Source: lava-dl 0.6.0 ``slayer/neuron/dynamics/leaky_integrator.py``.
    """
    drive = np.trunc(x * c.one)
    if s.i is not None and c.lost_i is not None:
        s.i = _decayed(s.i * c.one, c.lost_i) + drive
        drive, s.i = s.i, s.i / c.one
    v = _decayed(s.v * c.one, c.lost) + drive + np.trunc(c.leak * c.one)
    s.v = v / c.one
    if not c.spiking:
        return s.v
    # lava-dl compares with threshold + 0.01/4096, so a state that equals it does not fire
    spikes = np.asarray(v > np.trunc(c.threshold * c.one), s.v.dtype)
    s.v = _after(c, s.v, spikes, rule)
    return spikes


def _decayed(state: Array, lost: Array) -> Array:
    whole = np.rint(state).astype(np.int64) * (ONE - lost)
    return np.asarray(np.sign(whole) * (np.abs(whole) >> 12), np.float64)
