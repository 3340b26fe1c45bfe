"""Which Nengo neurons stand for a population, and how its volts become Nengo's voltage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from ..arrays import FloatArray, IntArray, entries, per_neuron
from ..errors import Faults, LoweringError, TargetError
from ..network import IF, LI, LIF, Network, Population
from ..stimulus import (
    Constant,
    GaussianNoise,
    Sampled,
    Sinusoid,
    Stimulus,
    Triangle,
    Window,
)
from .nengo_parts import own_identity
from .nengo_processes import ReadOut


@own_identity
class ClockedNeurons(nengo.neurons.NeuronType):  # type: ignore[misc]
    """Neurons Nengo has no stock type for, stepped as :func:`neuro_lif.run_clocked` steps them.

    Threshold 1, reset to 0 or by 1; then v is held for ``t_refractory``, rounded to whole steps.

    Args:
        tau_m: s; infinite for no leak.
        t_refractory: s.
        subtract: reset by subtraction.
        voltage: initial voltage ``(n,)``.
    """

    state = {"voltage": nengo.dists.Choice([0]), "held": nengo.dists.Choice([0])}
    spiking = True
    negative = False

    def __init__(
        self, tau_m: float, t_refractory: float, subtract: bool, voltage: FloatArray
    ) -> None:
        self.tau_m, self.t_refractory, self.subtract = tau_m, t_refractory, subtract
        super().__init__(initial_state={"voltage": voltage})

    def max_rates_intercepts(self, gain: Any, bias: Any) -> tuple[None, None]:
        """Return nothing: these neurons are wired by weights, not by decoders."""
        return None, None

    def rates(self, x: Any, gain: Any, bias: Any) -> FloatArray:
        """Refuse: see :meth:`max_rates_intercepts`."""
        raise TargetError("nengo: ClockedNeurons have no decoders, connect from `.neurons`")

    def step(
        self, dt: float, J: FloatArray, output: FloatArray, voltage: FloatArray, held: FloatArray
    ) -> None:
        """Advance one step, in place."""
        free = held == 0
        if math.isinf(self.tau_m):
            voltage[free] += J[free] * dt
        else:
            voltage[free] += (J[free] - voltage[free]) * -math.expm1(-dt / self.tau_m)
        fired = (voltage > 1) & free
        output[...] = fired / dt
        voltage[fired] = voltage[fired] - 1 if self.subtract else 0.0
        held[...] = np.where(fired, round(self.t_refractory / dt), np.maximum(held - 1, 0))


# ------------------------------------------------------------------------ what Nengo can say


def refuse_unlike_stock(network: Network) -> None:
    """Refuse neurons that no stock Nengo type steps as described.

    Raises:
        LoweringError: listing every population and field.
    """
    faults = Faults()
    for p in network.populations:
        _check_stock(network, p, faults)
    faults.raise_if_any(LoweringError, "nengo")


def _check_stock(network: Network, p: Population, faults: Faults) -> None:
    where, neuron = f"population {p.name!r}", p.neuron
    mend = "or allow_custom=True for a neuron type of ours"
    if isinstance(neuron, LI):
        return
    stock = "subtract" if isinstance(neuron, IF) else "value"
    if neuron.reset != stock:
        kind = type(neuron).__name__
        faults.add(where, "reset", neuron.reset, f"{stock!r} for {kind} in stock Nengo", mend)
    if not isinstance(neuron, IF):
        return
    if np.any(np.asarray(neuron.t_refractory) > 0):
        value = float(np.max(neuron.t_refractory))
        faults.add(where, "t_refractory", value, "0 for IF in stock Nengo", mend)
    for what, value in _negative_currents(network, p, neuron):
        allowed = ">= 0 into IF in stock Nengo, which drops negative current"
        faults.add(where, what, value, allowed, mend)


def _negative_currents(network: Network, p: Population, neuron: IF) -> list[tuple[str, float]]:
    """Return the lowest value of everything that may lower v of an IF population."""
    lowest = [("i_bias", float(np.min(neuron.i_bias)))]
    for projection in network.projections:
        if projection.post == p.name and entries(projection.weights).size:
            low = float(entries(projection.weights).min())
            lowest.append((f"weights of projection {projection.name!r}", low))
    for current in network.current_inputs:
        if current.population == p.name and current.stimulus is not None:
            lowest.append((f"input {current.name!r}", _lowest(current.stimulus)))
    return [(what, value) for what, value in lowest if value < 0]


def _lowest(stimulus: Stimulus) -> float:
    if isinstance(stimulus, Constant):
        return float(np.min(stimulus.amplitude))
    if isinstance(stimulus, Sinusoid):
        return float(np.min(np.asarray(stimulus.offset) - np.abs(stimulus.amplitude)))
    if isinstance(stimulus, Sampled):
        return float(np.min(stimulus.values, initial=0.0))
    if isinstance(stimulus, Triangle):
        return min(float(np.min(stimulus.peak)), 0.0)
    if isinstance(stimulus, GaussianNoise):  # it has no lowest value worth the name
        return -np.inf if np.any(np.asarray(stimulus.sd) > 0) else float(np.min(stimulus.mean))
    lowest = sum(_lowest(part) for part in stimulus.parts)
    return min(lowest, 0.0) if isinstance(stimulus, Window) else lowest


# ---------------------------------------------------------------------------- populations


@dataclass(frozen=True, eq=False)
class Mapped:
    """A population in Nengo's numbers; ``v' = (v - v_zero) / scale``.

    Args:
        members: neurons of each ensemble; one group for a read-out.
        ensembles: the ensembles, none for a read-out.
        node: the read-out's Node.
        scale, v_zero: ``(n,)`` V.
        notes: what is approximated.
    """

    members: tuple[IntArray, ...]
    scale: FloatArray
    v_zero: FloatArray
    ensembles: tuple[Any, ...] = ()
    node: Any = None
    notes: tuple[str, ...] = ()


def add_population(network: Network, p: Population) -> Mapped:
    """Add a population to the open ``nengo.Network``: ensembles, or a Node for a read-out."""
    if isinstance(p.neuron, LI):
        return _read_out(p, p.neuron)
    n, neuron = p.size, p.neuron
    zero = _given(neuron.v_reset, n)
    span = per_neuron(neuron.v_threshold, n) - zero
    if isinstance(neuron, IF):
        tau, pull = np.full(n, np.inf), np.zeros(n)
        gain = 1.0 / (per_neuron(neuron.capacitance, n) * span)
    else:
        tau, pull = per_neuron(neuron.tau_m, n), (per_neuron(neuron.v_rest, n) - zero) / span
        gain = per_neuron(neuron.resistance, n) / span
    bias = gain * per_neuron(neuron.i_bias, n) + pull
    start = (_given(neuron.v_init, n) - zero) / span
    times = np.stack([tau, per_neuron(neuron.t_refractory, n)], axis=1)
    kinds, which = np.unique(times, axis=0, return_inverse=True)
    groups = [np.flatnonzero(which.ravel() == k) for k in range(len(kinds))]
    custom = _needs_custom(network, p)
    ensembles = [
        nengo.Ensemble(
            len(g), 1, gain=gain[g], bias=bias[g],
            encoders=np.ones((len(g), 1)), eval_points=[[0.0]],  # unused, but Nengo would draw many
            neuron_type=_neuron_type(neuron, kind, start[g], custom), label=f"{p.name}[{k}]",
        )
        for k, (kind, g) in enumerate(zip(kinds, groups, strict=True))
    ]  # fmt: skip
    notes = _notes(p, len(groups), custom)
    return Mapped(tuple(groups), span, zero, tuple(ensembles), notes=notes)


def _read_out(p: Population, neuron: LI) -> Mapped:
    n = p.size
    rest = per_neuron(neuron.v_rest, n)
    process = ReadOut(per_neuron(neuron.tau_m, n), per_neuron(neuron.resistance, n),
                      per_neuron(neuron.i_bias, n), _given(neuron.v_init, n) - rest)  # fmt: skip
    node = nengo.Node(process, size_in=n, size_out=n, label=p.name)
    return Mapped((np.arange(n),), np.ones(n), rest, node=node)


def _given(value: Any, n: int) -> FloatArray:
    """Return an optional field, which the neuron has filled in, as ``(n,)``."""
    return per_neuron(0.0 if value is None else value, n)


def _needs_custom(network: Network, p: Population) -> bool:
    """Tell whether no stock type does it."""
    faults = Faults()
    _check_stock(network, p, faults)
    return bool(faults.lines)


def _neuron_type(neuron: LIF | IF, kind: FloatArray, start: FloatArray, custom: bool) -> Any:
    tau, held = float(kind[0]), float(kind[1])
    if custom:
        return ClockedNeurons(tau, held, neuron.reset == "subtract", start)
    if isinstance(neuron, IF):
        return nengo.SpikingRectifiedLinear(initial_state={"voltage": start})
    return nengo.LIF(tau, held, min_voltage=-np.inf, initial_state={"voltage": start})


def _notes(p: Population, groups: int, custom: bool) -> tuple[str, ...]:
    where, notes = f"population {p.name!r}", []
    if groups > 1:
        notes.append(f"{where}: {groups} ensembles, one per distinct (tau_m, t_refractory)")
    if custom:
        notes.append(f"{where}: a neuron type of ours, which runs on nengo.Simulator")
    elif isinstance(p.neuron, IF):
        notes.append(f"{where}: the threshold is >=, net negative current is dropped, and a neuron "
                     "may spike several times in a step")  # fmt: skip
    else:
        notes.append(f"{where}: t_refractory counts from the spike's time within its step")
    return tuple(notes)
