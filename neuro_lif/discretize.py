"""Network -> SteppedNetwork: continuous time becomes float recurrences, one per step.

In step ``t`` (``t = 1`` ends at time ``dt``) every population does, in this order::

    u[r] = decay_u[r] * u[r] + (weights of the spikes that arrive in step t)
    v    = decay_v * v + u[0] + u[1] + ... + bias (+ injected current)
    spike where v > threshold (or >=), unless refractory; then reset

v is counted from ``v_zero`` (the reset voltage), so reset is always to 0. A spike emitted in step t
arrives in step ``t + 1 + delay``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import (
    FloatArray,
    IntArray,
    entries,
    frozen,
    per_neuron,
    post_of_entries,
    with_entries,
)
from .errors import Faults, NetworkError, RangeError, show
from .network import IF, LI, CurrentInput, Delta, Exponential, Network, Population, Projection

NO_SPIKE = np.inf
"""Threshold of a neuron that never spikes (a read-out)."""


@dataclass(frozen=True)
class StepRule:
    """How a simulator turns continuous time into steps.

    Args:
        integrator: ``"exact"`` (the propagator of the linear equations) or ``"euler"``.
        compare: ``">"`` or ``">="``.
        refractory: how t_refractory becomes a number of held steps: ``"nearest"`` or ``"up"``.
        delay: how a delay becomes steps: ``"nearest"`` or ``"up"``.
        input_latency: 1: an input spike of row i (time [i dt, (i+1) dt)) acts like a neuron's spike
            and arrives in step i + 2; 0: it arrives in step i + 1. A delta synapse with a delay
            of one step or more arrives at its own time under both.

    Source: specs of the clock-driven simulators; Rotter and Diesmann, Biol. Cybern. 81 (1999), for
    the exact integrator.
    """

    integrator: Literal["exact", "euler"] = "exact"
    compare: Literal[">", ">="] = ">"
    refractory: Literal["nearest", "up"] = "nearest"
    delay: Literal["nearest", "up"] = "nearest"
    input_latency: Literal[0, 1] = 1

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Any, ...]] = {
            "integrator": ("exact", "euler"),
            "compare": (">", ">="),
            "refractory": ("nearest", "up"),
            "delay": ("nearest", "up"),
            "input_latency": (0, 1),
        }
        faults = Faults()
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                faults.add("StepRule", name, getattr(self, name), ", ".join(map(repr, values)))
        faults.raise_if_any(NetworkError)


RULES = {
    "exact": StepRule(),
    "euler": StepRule(integrator="euler"),
    "exact-ge": StepRule(compare=">="),
    "euler-ge": StepRule(integrator="euler", compare=">="),
}
"""Named step rules."""


@dataclass(frozen=True, eq=False)
class SteppedPopulation:
    """One population as float recurrences.

    Args:
        name: the population's name.
        size: number of neurons, n.
        decay_u: ``(n_receptors, n)`` factor kept per step by each synaptic state.
        decay_v: ``(n,)`` factor kept per step by v.
        leak_v: ``(n,)`` ``1 - decay_v``, computed without cancellation.
        bias: ``(n,)`` V per step.
        gain: ``(n,)`` V per step and A of injected current.
        threshold: ``(n,)`` V above ``v_zero``; infinite for a read-out.
        refractory: ``(n,)`` steps v is held at reset after the spike's step.
        v_init: ``(n,)`` V above ``v_zero``.
        v_zero: ``(n,)`` V, what v = 0 means.
        reset: ``"value"`` or ``"subtract"`` (of the threshold).
        tau_m: ``(n,)`` s, as described (infinite for IF).
        tau_syn: ``(n_receptors,)`` s, 0 for delta synapses.
    """

    name: str
    size: int
    decay_u: FloatArray
    decay_v: FloatArray
    leak_v: FloatArray
    bias: FloatArray
    gain: FloatArray
    threshold: FloatArray
    refractory: IntArray
    v_init: FloatArray
    v_zero: FloatArray
    reset: Literal["value", "subtract"]
    tau_m: FloatArray
    tau_syn: FloatArray

    @property
    def spikes(self) -> bool:
        """False for a read-out."""
        return bool(np.isfinite(self.threshold).any())


@dataclass(frozen=True, eq=False)
class SteppedProjection:
    """One projection: jump of u per spike (V per step) and delay in steps.

    Args:
        name, pre, post: as described.
        weights: ``(n_post, n_pre)`` dense or CSR, V per step added to u.
        delays: whole steps >= 0, a scalar array or one per stored weight.
        receptor: which synaptic state of the target.
        latency: 1, or 0 for inputs under ``input_latency=0``.
    """

    name: str
    pre: str
    post: str
    weights: Any
    delays: IntArray
    receptor: int
    latency: int = 1


@dataclass(frozen=True, eq=False)
class SteppedNetwork:
    """A network in steps of ``dt``; run it with :func:`neuro_lif.reference.run_clocked`."""

    network: Network
    dt: float
    rule: StepRule
    populations: tuple[SteppedPopulation, ...]
    projections: tuple[SteppedProjection, ...]
    notes: tuple[str, ...] = ()

    def population(self, name: str) -> SteppedPopulation:
        """Return one population by name.

        Raises:
            NetworkError: there is none of that name.
        """
        self.network.population(name)
        return next(p for p in self.populations if p.name == name)


def discretize(network: Network, dt: float, rule: StepRule | str = "exact") -> SteppedNetwork:
    """Turn a network into per-step recurrences.

    Args:
        network: the description.
        dt: step, s, > 0.
        rule: a :class:`StepRule` or the name of one (:data:`RULES`).

    Raises:
        RangeError: dt is not a time, or too long for the Euler integrator to be stable, or so
            short that a delay or a refractory period has more steps than a run can.
    """
    given: Any = rule
    if isinstance(given, str) and given in RULES:
        rule = RULES[given]
    elif not isinstance(given, StepRule):
        raise RangeError(f"rule = {show(given)}, allowed: {', '.join(RULES)} or a StepRule")
    else:
        rule = given
    described: Any = network
    if not isinstance(described, Network):
        raise NetworkError(f"network = {show(described)}, allowed: a Network")
    if isinstance(dt, bool) or not isinstance(dt, (int, float, np.floating)) or not 0 < dt < np.inf:
        raise RangeError(f"dt = {show(dt)}, allowed: a step > 0 s")
    notes: list[str] = []
    taus = {p.name: _receptors(network, p.name) for p in network.populations}
    populations = tuple(
        _step_population(p, taus[p.name], float(dt), rule, notes) for p in network.populations
    )
    inputs = {i.name for i in network.spike_inputs}
    projections = tuple(
        _step_projection(p, network.population(p.post), taus[p.post], float(dt), rule,
                         p.pre in inputs, notes)
        for p in network.projections
    )  # fmt: skip
    return SteppedNetwork(network, float(dt), rule, populations, projections, tuple(notes))


def _tau_of(projection: Projection) -> float:
    synapse = projection.synapse
    if not isinstance(synapse, (Delta, Exponential)):
        raise NetworkError(
            f"projection {projection.name!r}: synapse = {show(synapse)}, allowed in steps as yet: "
            "Delta, Exponential"
        )
    return synapse.tau if isinstance(synapse, Exponential) else 0.0


def _receptors(network: Network, population: str) -> tuple[float, ...]:
    """Return the distinct synaptic time constants that reach a population (0: delta)."""
    taus = sorted({_tau_of(p) for p in network.projections if p.post == population})
    return tuple(taus) or (0.0,)


def _kept(
    tau: npt.ArrayLike, dt: float, rule: StepRule, what: str
) -> tuple[FloatArray, FloatArray]:
    """Return (factor kept per step, factor lost per step) for time constants ``tau``."""
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


def _step_population(
    population: Population, taus: tuple[float, ...], dt: float, rule: StepRule, notes: list[str]
) -> SteppedPopulation:
    n, neuron = population.size, population.neuron
    if isinstance(neuron, IF):
        decay_v, leak_v, tau_m = np.ones(n), np.zeros(n), np.full(n, np.inf)
        gain = dt / per_neuron(neuron.capacitance, n)
        v_zero = v_rest = per_neuron(neuron.v_reset, n)
    else:
        tau_m = per_neuron(neuron.tau_m, n)
        decay_v, leak_v = _kept(tau_m, dt, rule, f"population {population.name!r}")
        gain = per_neuron(neuron.resistance, n) * leak_v
        v_rest = per_neuron(neuron.v_rest, n)
        v_zero = v_rest if isinstance(neuron, LI) else per_neuron(_array(neuron.v_reset), n)
    spiking = None if isinstance(neuron, LI) else neuron
    refractory = per_neuron(spiking.t_refractory, n) / dt if spiking else np.zeros(n)
    what = f"population {population.name!r}: t_refractory"
    steps = _whole(refractory, rule.refractory, what, dt)
    if np.any(np.abs(steps - refractory) > 1e-6):
        notes.append(f"population {population.name!r}: t_refractory is not a whole number of steps")
    threshold = per_neuron(spiking.v_threshold, n) - v_zero if spiking else np.full(n, NO_SPIKE)
    return SteppedPopulation(
        name=population.name,
        size=n,
        decay_u=frozen([np.full(n, _kept_u(t, dt, rule, population.name)) for t in taus]),
        decay_v=frozen(decay_v),
        leak_v=frozen(leak_v),
        bias=frozen(gain * per_neuron(neuron.i_bias, n) + leak_v * (v_rest - v_zero)),
        gain=frozen(gain),
        threshold=frozen(threshold),
        refractory=frozen(steps, np.int64),
        v_init=frozen(per_neuron(_array(neuron.v_init), n) - v_zero),
        v_zero=frozen(v_zero),
        reset=spiking.reset if spiking else "value",
        tau_m=frozen(tau_m),
        tau_syn=frozen(taus, np.float64),
    )  # fmt: skip


def _kept_u(tau: float, dt: float, rule: StepRule, population: str) -> float:
    if tau == 0:
        return 0.0
    return float(_kept(tau, dt, rule, f"synapses onto {population!r}")[0])


def _array(value: npt.ArrayLike | None) -> npt.ArrayLike:
    return 0.0 if value is None else value


MOST_STEPS = 2**31
"""Longest delay or refractory period in steps: far beyond any run, far inside an int64."""


def _whole(x: FloatArray, rounding: str, what: str, dt: float) -> FloatArray:
    if np.any(x > MOST_STEPS):
        raise RangeError(
            f"{what} = {np.max(x) * dt:g} s, allowed: at most {MOST_STEPS} steps of dt = {dt} s"
        )
    # 1e-9 of slack: 0.0021/0.0001 is 20.999999999999996 and means 21
    whole = np.rint(x) if rounding == "nearest" else np.ceil(x - 1e-9)
    return np.asarray(whole, np.float64)


def _step_projection(
    p: Projection, post: Population, taus: tuple[float, ...], dt: float, rule: StepRule,
    from_input: bool, notes: list[str],
) -> SteppedProjection:  # fmt: skip
    latency = rule.input_latency if from_input else 1
    real = np.asarray(p.delay, np.float64) / dt
    steps = _whole(real, rule.delay, f"projection {p.name!r}: delay", dt)
    if np.any(np.abs(steps - real) > 1e-6):
        notes.append(f"projection {p.name!r}: delays are rounded to whole steps of {dt} s")
    if isinstance(p.synapse, Delta):
        # a delta spike is seen in v at its arrival time, so its soonest step has delay 1 already
        if np.any(steps < latency):
            notes.append(f"projection {p.name!r}: a delay below one step is raised to one step")
        steps = np.asarray(np.maximum(steps, latency) - latency, np.float64)
    weights = p.weights
    synapse: Any = p.synapse
    jump = _jump(synapse, post, dt, rule)
    rows = np.broadcast_to(jump, (post.size,))
    scaled = with_entries(weights, _scale_rows(weights, rows))
    return SteppedProjection(
        p.name, p.pre, p.post, scaled, frozen(steps, np.int64), taus.index(_tau_of(p)), latency
    )


def _scale_rows(weights: Any, rows: FloatArray) -> FloatArray:
    return np.asarray(entries(weights) * rows[post_of_entries(weights)])


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
        held = dt if rule.integrator == "euler" else -tau * np.expm1(-dt / tau)
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
    if rule.integrator == "euler":
        return np.asarray(dt / tau_m)
    # tau/(tau_m-tau) * (e^{-dt/tau_m} - e^{-dt/tau}), written without cancellation near
    # tau_m = tau and without overflow where dt is long; it is symmetric in its two exponents
    x = np.abs(dt * (tau_m - tau) / (tau_m * tau))
    small = x < 1e-8
    safe = np.where(small, 1.0, x)
    ratio = np.where(small, 1.0 - x / 2, -np.expm1(-safe) / safe)
    return np.asarray(np.exp(-dt / np.maximum(tau_m, tau)) * (dt / tau_m) * ratio)


def with_current(network: Network, name: str, stimulus: Any) -> Network:
    """Return a network in which the current input ``name`` carries ``stimulus``."""
    inputs = [
        replace(i, stimulus=stimulus) if isinstance(i, CurrentInput) and i.name == name else i
        for i in network.inputs
    ]
    return Network(network.populations, network.projections, inputs, network.probes)
