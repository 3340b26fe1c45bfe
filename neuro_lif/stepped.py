"""A network in steps of dt: float recurrences, and the rule that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .arrays import FloatArray, IntArray, plain_matrix
from .errors import Faults, NetworkError
from .network import Network

NO_SPIKE = np.inf
"""Threshold of a neuron that never spikes (a read-out)."""

MOST_AT_ONCE = 2**53
"""Most spikes of a neuron in one step: floats count up to here."""


@dataclass(frozen=True)
class StepRule:
    """How a simulator turns continuous time into steps.

    Args:
        integrator: ``"exact"``: the propagator of the linear equations: v equals the continuous
            solution at every step, for currents from outside that are held over a step.
            ``"exp-euler"``: the membrane is solved exactly for a current held over the step, which
            is the synaptic current at the step's start, with the spikes that arrive then; synaptic
            currents decay exactly. ``"euler"``: the slopes at the step's start, held.
        compare: ``">"`` or ``">="``.
        refractory: how t_refractory becomes a number of held steps: ``"nearest"`` (a half to the
            even number), ``"up"`` or ``"down"``. A period that is no whole number of steps is
            noted.
        delay: how a delay becomes steps: ``"nearest"`` or ``"up"``.
        input_latency: 1: an input spike of row i (time [i dt, (i+1) dt)) acts like a neuron's spike
            and arrives in step i + 2; 0: it arrives in step i + 1. A delta synapse with a delay
            of one step or more arrives at its own time under both.

    Sample convention, under every rule: sample k of a current, its value at k dt, is held over the
    step from k dt to (k + 1) dt and drives V[k] to V[k + 1].

    Source: specs of the clock-driven simulators; Rotter and Diesmann, Biol. Cybern. 81 (1999), for
    the exact integrator.
    """

    integrator: Literal["exact", "exp-euler", "euler"] = "exact"
    compare: Literal[">", ">="] = ">"
    refractory: Literal["nearest", "up", "down"] = "nearest"
    delay: Literal["nearest", "up"] = "nearest"
    input_latency: Literal[0, 1] = 1

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[Any, ...]] = {
            "integrator": ("exact", "euler", "exp-euler"),
            "compare": (">", ">="),
            "refractory": ("nearest", "up", "down"),
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
    "exp-euler": StepRule(integrator="exp-euler"),
    "exp-euler-ge": StepRule(integrator="exp-euler", compare=">="),
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
        graded: a filter stage: at the end of every step it sends its u as it is, a float. It has
            no membrane (``decay_v`` is 0, so v is u) and no spikes.
        u_init: ``(n_receptors, n)`` V per step, each synaptic state before the first step; None:
            zeros.
        most_spikes: how many spikes a neuron may send in one step: 1; or more, or None for any
            number (up to :data:`MOST_AT_ONCE`): it then sends ``k = min(floor(v / threshold),
            most_spikes)`` spikes, but at least one where v passes the threshold, and one where the
            threshold is not above 0; ``reset="subtract"`` takes away ``k * threshold``.
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
    graded: bool = False
    u_init: FloatArray | None = None
    most_spikes: int | None = 1

    @property
    def spikes(self) -> bool:
        """False for a read-out and a filter stage."""
        return bool(np.isfinite(self.threshold).any())

    @property
    def limit(self) -> int:
        """Most spikes of a neuron in one step: ``most_spikes``, or :data:`MOST_AT_ONCE`."""
        return MOST_AT_ONCE if self.most_spikes is None else self.most_spikes

    @property
    def counts_dtype(self) -> Any:
        """Type in which a run's spikes are recorded: uint8, or int64 where it would not do."""
        return np.dtype(np.uint8 if self.limit <= 255 else np.int64)


@dataclass(frozen=True, eq=False)
class SteppedProjection:
    """One projection: jump of u per spike (V per step) and delay in steps.

    Args:
        name, pre, post: as described.
        weights: ``(n_post, n_pre)`` dense or CSR, or a
            :class:`~neuro_lif.convolution.Convolution`, V per step added to u.
        delays: whole steps >= 0, a scalar array or one per stored weight (of a convolution, per
            stored weight of its ``csr``).
        receptor: which synaptic state of the target.
        latency: 1; 0 for inputs under ``input_latency=0``, and allowed from a population that is
            listed before the target.
        graded: what arrives may be more than 1 (several spikes in a step, or an input's numbers),
            so that a chip has to multiply. Here, in floats, values always multiply the weight.
    """

    name: str
    pre: str
    post: str
    weights: Any
    delays: IntArray
    receptor: int
    latency: int = 1
    graded: bool = False

    @property
    def matrix(self) -> Any:
        """The weights as a matrix, dense or CSR; that of a convolution is made once."""
        return plain_matrix(self.weights)


@dataclass(frozen=True, eq=False)
class SteppedNetwork:
    """A network in steps of ``dt``; run it with :func:`neuro_lif.reference.run_clocked`.

    Besides the populations and projections of the network there are, for every alpha and
    bi-exponential synapse, a filter stage (a population with ``graded``), what leads to it and what
    leads from it (:mod:`neuro_lif.filter_stage`).
    """

    network: Network
    dt: float
    rule: StepRule
    populations: tuple[SteppedPopulation, ...]
    projections: tuple[SteppedProjection, ...]
    notes: tuple[str, ...] = ()

    def population(self, name: str) -> SteppedPopulation:
        """Return one population by name, filter stages included.

        Raises:
            NetworkError: there is none of that name.
        """
        found = next((p for p in self.populations if p.name == name), None)
        if found is None:
            self.network.population(name)
            raise NetworkError(f"stepped network: population = {name!r} has no recurrence")
        return found

    @property
    def described(self) -> tuple[SteppedPopulation, ...]:
        """The populations of the network: all but the filter stages."""
        return tuple(p for p in self.populations if not p.graded)
