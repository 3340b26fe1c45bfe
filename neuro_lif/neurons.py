"""Neuron and synapse types of the description, in SI units, and their checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .checks import number_array
from .errors import Faults, NetworkError, show

Reset = Literal["value", "subtract"]
RESETS = ("value", "subtract")
NORMS = ("peak", "area", "psp")


@dataclass(frozen=True, eq=False)
class LIF:
    """Leaky integrate-and-fire: ``tau_m dV/dt = v_rest - V + resistance * I``.

    A spike is emitted where V passes ``v_threshold``; then V is set to ``v_reset`` or, with
    ``reset="subtract"``, lowered by ``v_threshold - v_reset``, and held for ``t_refractory``.
    Every number is a scalar or an array ``(size,)``.

    Args:
        tau_m: membrane time constant, s, > 0.
        resistance: membrane resistance, ohm, > 0.
        v_rest: resting voltage, V.
        v_threshold: threshold, V, above ``v_reset``.
        v_reset: V after a spike; absent means ``v_rest``.
        t_refractory: absolute refractory period, s, >= 0.
        i_bias: constant input current, A.
        reset: ``"value"`` or ``"subtract"``.
        v_init: initial voltage, V; absent means ``v_rest``.

    Source: Gerstner and Kistler, Spiking Neuron Models (2002), section 4.1.
    """

    tau_m: npt.ArrayLike
    resistance: npt.ArrayLike = 1.0
    v_rest: npt.ArrayLike = 0.0
    v_threshold: npt.ArrayLike = 1.0
    v_reset: npt.ArrayLike | None = None
    t_refractory: npt.ArrayLike = 0.0
    i_bias: npt.ArrayLike = 0.0
    reset: Reset = "value"
    v_init: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        _set_defaults(self, v_reset=self.v_rest, v_init=self.v_rest)

    @classmethod
    def from_conductance(
        cls, capacitance: npt.ArrayLike, conductance: npt.ArrayLike, e_leak: npt.ArrayLike = 0.0,
        **rest: Any,
    ) -> LIF:  # fmt: skip
        """Build from ``C dV/dt = -g (V - E) + I``: tau_m = C/g, resistance = 1/g, v_rest = E.

        Args:
            capacitance: F, > 0.
            conductance: leak conductance, S, > 0.
            e_leak: leak reversal potential, V.
            **rest: the other fields of :class:`LIF`.
        """
        faults = Faults()
        values = {}
        for name, value in (("capacitance", capacitance), ("conductance", conductance)):
            array = number_array("LIF", name, value, faults)
            if array is not None and not np.all(array > 0):
                faults.add("LIF", name, value, "> 0")
            values[name] = array
        faults.raise_if_any(NetworkError)
        c, g = np.asarray(values["capacitance"]), np.asarray(values["conductance"])
        if c.ndim and g.ndim and c.shape != g.shape:
            faults.add("LIF", "conductance", f"shape {g.shape}", f"a scalar or shape {c.shape}")
        faults.raise_if_any(NetworkError)
        return cls(tau_m=c / g, resistance=1.0 / g, v_rest=e_leak, **rest)


@dataclass(frozen=True, eq=False)
class IF:
    """Integrate-and-fire without a leak: ``capacitance dV/dt = I``.

    Args:
        capacitance: F, > 0.
        v_threshold: threshold, V, above ``v_reset``.
        v_reset: V after a spike.
        t_refractory: absolute refractory period, s, >= 0.
        i_bias: constant input current, A (negative: a linear leak).
        reset: ``"value"`` or ``"subtract"`` (then V is lowered by ``v_threshold - v_reset``).
        v_init: initial voltage, V; absent means ``v_reset``.
    """

    capacitance: npt.ArrayLike = 1.0
    v_threshold: npt.ArrayLike = 1.0
    v_reset: npt.ArrayLike = 0.0
    t_refractory: npt.ArrayLike = 0.0
    i_bias: npt.ArrayLike = 0.0
    reset: Reset = "value"
    v_init: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        _set_defaults(self, v_init=self.v_reset)


@dataclass(frozen=True, eq=False)
class LI:
    """Leaky integrator that never spikes: ``tau_m dV/dt = v_rest - V + resistance * I``.

    Args:
        tau_m: membrane time constant, s, > 0.
        resistance: ohm, > 0.
        v_rest: V.
        i_bias: A.
        v_init: V; absent means ``v_rest``.
    """

    tau_m: npt.ArrayLike
    resistance: npt.ArrayLike = 1.0
    v_rest: npt.ArrayLike = 0.0
    i_bias: npt.ArrayLike = 0.0
    v_init: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        _set_defaults(self, v_init=self.v_rest)


Neuron = LIF | IF | LI


# ----------------------------------------------------------------------------- synapses


@dataclass(frozen=True)
class Delta:
    """Each spike moves V by the weight at once; weights in V."""


@dataclass(frozen=True)
class Exponential:
    """Each spike adds a current that decays with ``tau``.

    Args:
        tau: synaptic time constant, s, > 0.
        norm: what the weight is: ``"peak"`` the current's jump (A), ``"area"`` the charge (C, the
            jump is weight/tau), ``"psp"`` a voltage (V, the jump is weight * tau_m / (tau *
            resistance), the form NNMT uses).
    """

    tau: float
    norm: Literal["peak", "area", "psp"] = "peak"


Synapse = Delta | Exponential


# ------------------------------------------------------------------------------- checks


def _set_defaults(neuron: Any, **defaults: Any) -> None:
    for name, value in defaults.items():
        if getattr(neuron, name) is None:
            object.__setattr__(neuron, name, value)


def checked_neuron(where: str, neuron: Neuron, size: int, faults: Faults) -> Neuron:
    """Return the neuron with read-only float64 arrays, after noting every fault."""
    before = len(faults.lines)
    values: dict[str, Any] = {}
    for name, value in vars(neuron).items():
        if name == "reset":
            continue
        array = number_array(where, name, value, faults)
        if array is None:
            continue
        if array.shape not in ((), (size,)):
            faults.add(where, name, f"shape {array.shape}", f"a scalar or shape ({size},)")
            continue
        if name in ("tau_m", "resistance", "capacitance") and not np.all(array > 0):
            faults.add(where, name, value, "> 0")
        if name == "t_refractory" and not np.all(array >= 0):
            faults.add(where, name, value, ">= 0 s")
        values[name] = array
    if not isinstance(neuron, LI):
        if neuron.reset not in RESETS:
            faults.add(where, "reset", neuron.reset, '"value" or "subtract"')
        threshold, reset = values.get("v_threshold"), values.get("v_reset")
        if threshold is not None and reset is not None and not np.all(threshold > reset):
            faults.add(where, "v_threshold", neuron.v_threshold, f"above v_reset = {show(reset)}")
    return neuron if len(faults.lines) > before else replace(neuron, **values)


def checked_synapse(where: str, synapse: Synapse, faults: Faults) -> Synapse:
    """Return the synapse with a plain float as its time constant, after noting every fault."""
    if isinstance(synapse, Delta):
        return synapse
    if synapse.norm not in NORMS:
        faults.add(where, "synapse.norm", synapse.norm, '"peak", "area" or "psp"')
    tau = number_array(where, "synapse.tau", synapse.tau, faults)
    if tau is None:
        return synapse
    if tau.ndim != 0 or not tau > 0:
        faults.add(where, "synapse.tau", synapse.tau, "one time constant > 0 s")
        return synapse
    return replace(synapse, tau=float(tau))
