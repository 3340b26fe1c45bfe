"""Network -> SteppedNetwork: continuous time becomes float recurrences, one per step.

In step ``t`` (``t = 1`` ends at time ``dt``) every population does, in this order::

    u[r] = decay_u[r] * u[r] + (weights of the spikes that arrive in step t)
    v    = decay_v * v + u[0] + u[1] + ... + bias (+ injected current)
    spike where v > threshold (or >=), unless refractory; then reset

v is counted from ``v_zero`` (the reset voltage), so reset is always to 0. A spike emitted in step t
arrives in step ``t + 1 + delay``. Alpha and bi-exponential synapses pass through a filter stage
(:mod:`neuro_lif.filter_stage`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, frozen, per_neuron, with_entries
from .convolution import Convolution
from .errors import NetworkError, RangeError, show
from .filter_stage import Stages, free_name
from .network import IF, LI, CurrentInput, Delta, Network, Population, Projection
from .propagators import gains, kept, scaled_rows, tau_of_u
from .stepped import NO_SPIKE as NO_SPIKE
from .stepped import RULES as RULES
from .stepped import SteppedNetwork as SteppedNetwork
from .stepped import SteppedPopulation as SteppedPopulation
from .stepped import SteppedProjection as SteppedProjection
from .stepped import StepRule as StepRule
from .synapses import Alpha, BiExponential


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
    names = {p.name for p in network.projections}
    stages = Stages({p.name for p in populations} | inputs, names)
    projections: list[SteppedProjection] = []
    for p in network.projections:
        post, from_input = network.population(p.post), p.pre in inputs
        projections += _step_projection(
            p, post, taus[p.post], float(dt), rule, from_input, stages, notes
        )
    return SteppedNetwork(
        network, float(dt), rule, (*populations, *stages.populations),
        (*projections, *stages.links), tuple(notes),
    )  # fmt: skip


def _receptors(network: Network, population: str) -> tuple[float, ...]:
    """Return the distinct synaptic time constants that reach a population (0: delta)."""
    taus = sorted({tau_of_u(p.synapse) for p in network.projections if p.post == population})
    return tuple(taus) or (0.0,)


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
        decay_v, leak_v = kept(tau_m, dt, rule, f"population {population.name!r}")
        gain = per_neuron(neuron.resistance, n) * leak_v
        v_rest = per_neuron(neuron.v_rest, n)
        v_zero = v_rest if isinstance(neuron, LI) else per_neuron(_array(neuron.v_reset), n)
    spiking = None if isinstance(neuron, LI) else neuron
    refractory = per_neuron(spiking.t_refractory, n) / dt if spiking else np.zeros(n)
    what = f"population {population.name!r}: t_refractory"
    steps = _whole(refractory, rule.refractory, what, dt)
    if np.any(np.abs(steps - refractory) > 1e-6):
        notes.append(
            f"population {population.name!r}: t_refractory is not a whole number of steps: "
            f"{_span(refractory)} steps become {_span(steps)} (rule: {rule.refractory})"
        )
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
    return float(kept(tau, dt, rule, f"synapses onto {population!r}")[0])


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
    if rounding == "down":
        whole = np.floor(x + 1e-9)
    else:
        whole = np.rint(x) if rounding == "nearest" else np.ceil(x - 1e-9)
    return np.asarray(whole, np.float64)


def _span(x: FloatArray) -> str:
    """Return the smallest and the largest, or the one that all are."""
    low, high = f"{x.min():.6g}", f"{x.max():.6g}"
    return low if low == high else f"{low}..{high}"


def _step_projection(
    p: Projection, post: Population, taus: tuple[float, ...], dt: float, rule: StepRule,
    from_input: bool, stages: Stages, notes: list[str],
) -> list[SteppedProjection]:  # fmt: skip
    """Return what becomes of a projection: onto u, onto a filter stage, or both."""
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
    delays, receptor = frozen(steps, np.int64), taus.index(tau_of_u(p.synapse))

    def scaled(name: str, onto: str, rows: FloatArray, receptor: int) -> SteppedProjection:
        weights: Any = None
        if isinstance(p.weights, Convolution):
            weights = p.weights.scaled(rows)
        if weights is None:
            weights = with_entries(p.weights, scaled_rows(p.weights, rows, post.size))
        return SteppedProjection(name, p.pre, onto, weights, delays, receptor, latency)

    to_u, to_stage = gains(p.synapse, post, dt, rule)
    if to_stage is None or not isinstance(p.synapse, (Alpha, BiExponential)):
        return [scaled(p.name, p.post, to_u, receptor)]
    slow = _kept_u(p.synapse.taus[0], dt, rule, p.post)
    stage = stages.name_for(p.post, post.size, p.synapse, slow, receptor)
    if not to_u.any():  # nothing of the current is there in the first step
        return [scaled(p.name, stage, to_stage, 0)]
    name = free_name(f"{p.name}__filter", stages.projections)
    stages.projections.add(name)
    return [scaled(p.name, p.post, to_u, receptor), scaled(name, stage, to_stage, 0)]


def with_current(network: Network, name: str, stimulus: Any) -> Network:
    """Return a network in which the current input ``name`` carries ``stimulus``."""
    inputs = [
        replace(i, stimulus=stimulus) if isinstance(i, CurrentInput) and i.name == name else i
        for i in network.inputs
    ]
    return Network(network.populations, network.projections, inputs, network.probes)
