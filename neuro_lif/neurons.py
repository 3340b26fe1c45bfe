"""Neuron types of the description, in SI units, and their checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .checks import number_array
from .errors import Faults, NetworkError, show
from .synapses import Alpha as Alpha
from .synapses import BiExponential as BiExponential
from .synapses import Delta as Delta
from .synapses import Exponential as Exponential
from .synapses import Synapse as Synapse

Reset = Literal["value", "subtract"]
RESETS = ("value", "subtract")


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

    def to_conductance(self) -> dict[str, Any]:
        """Return ``capacitance`` (F), ``conductance`` (S), ``e_leak`` (V) and all other fields.

        They are the arguments of :meth:`from_conductance`.
        """
        fields = dict(vars(self))
        tau, resistance = (np.asarray(fields.pop(name)) for name in ("tau_m", "resistance"))
        return {"capacitance": tau / resistance, "conductance": 1.0 / resistance,
                "e_leak": fields.pop("v_rest"), **fields}  # fmt: skip

    @classmethod
    def from_nnmt(
        cls, tau_m: npt.ArrayLike, tau_r: npt.ArrayLike, V_th_rel: npt.ArrayLike,
        V_0_rel: npt.ArrayLike, C: npt.ArrayLike | None = None, E_L: npt.ArrayLike = 0.0,
        **rest: Any,
    ) -> LIF:  # fmt: skip
        """Build from NNMT's names: threshold and reset are relative to the leak potential.

        Args:
            tau_m, tau_r: membrane time constant and refractory period, s.
            V_th_rel, V_0_rel: threshold and reset above ``E_L``, V.
            C: capacitance, F; absent: resistance = 1 ohm, so that a current of 1 A is a drive of
                1 V, as in NNMT's equation without units.
            E_L: leak potential, V.
            **rest: the other fields of :class:`LIF`.

        Source: documentation of NNMT, module lif: ``tau_m dV/dt = -V + I_syn + I_ext``.
        """
        faults = Faults()
        given = {"tau_m": tau_m, "V_th_rel": V_th_rel, "V_0_rel": V_0_rel, "E_L": E_L, "C": C}
        found: dict[str, Any] = {name: number_array("LIF.from_nnmt", name, value, faults)
                                 for name, value in given.items()
                                 if name != "C" or value is not None}  # fmt: skip
        for name in ("tau_m", "C"):
            if found.get(name) is not None and not np.all(found[name] > 0):
                faults.add("LIF.from_nnmt", name, given[name], "> 0")
        faults.raise_if_any(NetworkError)
        resistance = found["tau_m"] / found["C"] if C is not None else 1.0
        return cls(
            tau_m=tau_m, resistance=resistance, v_rest=E_L,
            v_threshold=found["E_L"] + found["V_th_rel"], v_reset=found["E_L"] + found["V_0_rel"],
            t_refractory=tau_r, **rest,
        )  # fmt: skip

    def to_nnmt(self) -> dict[str, Any]:
        """Return the arguments of :meth:`from_nnmt`: NNMT's names, SI units.

        ``i_bias``, ``reset`` and ``v_init`` are there under their own names.
        """
        rest = np.asarray(self.v_rest)
        return {
            "tau_m": self.tau_m, "tau_r": self.t_refractory,
            "V_th_rel": np.asarray(self.v_threshold) - rest,
            "V_0_rel": np.asarray(self.v_reset) - rest,
            "C": np.asarray(self.tau_m) / np.asarray(self.resistance), "E_L": self.v_rest,
            "i_bias": self.i_bias, "reset": self.reset, "v_init": self.v_init,
        }  # fmt: skip


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
