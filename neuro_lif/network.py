"""WHAT the user means: populations, projections and inputs in SI units; no dt, no bits, no chip.

Everything here is frozen and checked when built. Times are in s, voltages in V, currents in A,
resistances in ohm, capacitances in F, conductances in S.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import entries, frozen, frozen_matrix, is_sparse
from .errors import Faults, NetworkError
from .stimulus import Constant, Sampled, Sinusoid, Stimulus

Reset = Literal["value", "subtract"]
RESETS = ("value", "subtract")
VARIABLES = ("spikes", "v", "u")


# ------------------------------------------------------------------------------ neurons


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
        c = _number_array("LIF", "capacitance", capacitance, faults)
        g = _number_array("LIF", "conductance", conductance, faults)
        for name, value in (("capacitance", c), ("conductance", g)):
            if value is not None and not np.all(value > 0):
                faults.add("LIF", name, value, "> 0")
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
    """Leaky integrator, a read-out that never spikes: ``tau_m dV/dt = v_rest - V + resistance * I``.

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


# ----------------------------------------------------------------------- network elements


@dataclass(frozen=True, eq=False)
class Population:
    """A group of ``size`` neurons of one kind.

    Args:
        name: letters, digits, ``_``; starts with a letter.
        size: number of neurons, >= 1.
        neuron: :class:`LIF`, :class:`IF` or :class:`LI`.
    """

    name: str
    size: int
    neuron: Neuron

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"population {self.name!r}"
        _check_name(where, self.name, faults)
        _check_size(where, self.size, faults)
        if not isinstance(self.neuron, (LIF, IF, LI)):
            faults.add(where, "neuron", self.neuron, "LIF, IF or LI")
        elif not faults.lines:
            checked = _checked_neuron(where, self.neuron, self.size, faults)
            object.__setattr__(self, "neuron", checked)
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from ``pre`` (a population or a spike input) to ``post`` (a population).

    Args:
        name: unique among projections.
        pre: name of the source.
        post: name of the target population.
        weights: ``(n_post, n_pre)``, dense or scipy sparse; the unit is the synapse's.
        synapse: :class:`Delta` or :class:`Exponential`.
        delay: s, >= 0: a scalar, or one per synapse (dense ``(n_post, n_pre)``; for sparse weights a
            sparse matrix of the same structure or an array with one value per stored weight).
    """

    name: str
    pre: str
    post: str
    weights: Any
    synapse: Synapse = field(default_factory=Delta)
    delay: Any = 0.0

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"projection {self.name!r}"
        _check_name(where, self.name, faults)
        if not isinstance(self.synapse, (Delta, Exponential)):
            faults.add(where, "synapse", self.synapse, "Delta() or Exponential(tau)")
        elif isinstance(self.synapse, Exponential):
            _check_exponential(where, self.synapse, faults)
        weights = _matrix(where, "weights", self.weights, faults)
        if weights is not None:
            object.__setattr__(self, "weights", weights)
            delay = _delays(where, self.delay, self.weights, faults)
            object.__setattr__(self, "delay", delay)
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class SpikeInput:
    """Spike trains from outside.

    Args:
        name: unique among populations and inputs.
        size: number of channels, >= 1.
        indices: channel of each spike, or None: the spikes are given when the network is run.
        times: time of each spike, s, >= 0, as long as ``indices``.
    """

    name: str
    size: int
    indices: npt.ArrayLike | None = None
    times: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"input {self.name!r}"
        _check_name(where, self.name, faults)
        _check_size(where, self.size, faults)
        if (self.indices is None) != (self.times is None):
            faults.add(where, "times", self.times, "indices and times together, or neither")
        elif self.indices is not None and not faults.lines:
            self._check_spikes(where, faults)
        faults.raise_if_any(NetworkError)

    def _check_spikes(self, where: str, faults: Faults) -> None:
        times = _number_array(where, "times", self.times, faults)
        raw = _number_array(where, "indices", self.indices, faults)
        if times is None or raw is None:
            return
        if times.ndim != 1 or raw.shape != times.shape:
            faults.add(where, "times", times.shape, f"as many as indices {raw.shape}, one axis")
            return
        if times.size and times.min() < 0:
            faults.add(where, "times", float(times.min()), "times >= 0 s")
        inside = (raw >= 0) & (raw < self.size) & (raw == np.floor(raw))
        if not inside.all():
            faults.add(where, "indices", raw[~inside][0], f"whole numbers 0..{self.size - 1}")
            return
        order = np.lexsort((raw, times))
        object.__setattr__(self, "indices", frozen(raw[order], np.int64))
        object.__setattr__(self, "times", frozen(times[order], np.float64))

    @classmethod
    def from_trains(cls, name: str, trains: Sequence[npt.ArrayLike]) -> SpikeInput:
        """Build from one list of spike times (s) per channel."""
        arrays = [np.asarray(t, np.float64).ravel() for t in trains]
        indices = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
        times = np.concatenate(arrays) if arrays else np.zeros(0)
        return cls(name, len(arrays), indices, times)


@dataclass(frozen=True, eq=False)
class CurrentInput:
    """A current injected into every neuron of a population.

    Args:
        name: unique among populations and inputs.
        population: name of the target.
        stimulus: a :mod:`neuro_lif.stimulus`, or None: given when the network is run.
    """

    name: str
    population: str
    stimulus: Stimulus | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"input {self.name!r}"
        _check_name(where, self.name, faults)
        if self.stimulus is not None and not isinstance(
            self.stimulus, (Constant, Sinusoid, Sampled)
        ):
            faults.add(where, "stimulus", self.stimulus, "Constant, Sinusoid, Sampled or None")
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True)
class Probe:
    """Ask for a variable of a population to be recorded: ``"spikes"``, ``"v"`` or ``"u"``.

    Spikes of every population are recorded anyway.
    """

    population: str
    variable: Literal["spikes", "v", "u"] = "v"

    def __post_init__(self) -> None:
        faults = Faults()
        if self.variable not in VARIABLES:
            where = f"probe of {self.population!r}"
            faults.add(where, "variable", self.variable, ", ".join(VARIABLES))
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network, checked when built.

    Args:
        populations: :class:`Population` objects, at least one.
        projections: :class:`Projection` objects.
        inputs: :class:`SpikeInput` and :class:`CurrentInput` objects.
        probes: :class:`Probe` objects.

    Raises:
        NetworkError: one error listing every fault: where, field, value, what is allowed.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    inputs: tuple[SpikeInput | CurrentInput, ...] = ()
    probes: tuple[Probe, ...] = ()

    def __init__(
        self,
        populations: Iterable[Population],
        projections: Iterable[Projection] = (),
        inputs: Iterable[SpikeInput | CurrentInput] = (),
        probes: Iterable[Probe] = (),
    ) -> None:
        given = {"populations": populations, "projections": projections,
                 "inputs": inputs, "probes": probes}  # fmt: skip
        kinds = {"populations": (Population,), "projections": (Projection,),
                 "inputs": (SpikeInput, CurrentInput), "probes": (Probe,)}  # fmt: skip
        faults = Faults()
        for name, items in given.items():
            object.__setattr__(self, name, _elements(name, items, kinds[name], faults))
        faults.raise_if_any(NetworkError, "network")
        _check_links(self, faults)
        faults.raise_if_any(NetworkError, "network")

    def population(self, name: str) -> Population:
        """Return one population by name."""
        return next(p for p in self.populations if p.name == name)

    @property
    def spike_inputs(self) -> tuple[SpikeInput, ...]:
        """The spike inputs."""
        return tuple(i for i in self.inputs if isinstance(i, SpikeInput))

    @property
    def current_inputs(self) -> tuple[CurrentInput, ...]:
        """The current inputs."""
        return tuple(i for i in self.inputs if isinstance(i, CurrentInput))


# -------------------------------------------------------------------------------- checks


def _elements(
    name: str, items: Iterable[Any], kinds: tuple[type, ...], faults: Faults
) -> tuple[Any, ...]:
    allowed = " or ".join(k.__name__ for k in kinds) + " objects"
    if isinstance(items, kinds):
        items = (items,)
    try:
        found = tuple(items)
    except TypeError:
        faults.add("network", name, items, f"a list of {allowed}")
        return ()
    for item in found:
        if not isinstance(item, kinds):
            faults.add("network", name, item, allowed)
    return found


def _check_links(net: Network, faults: Faults) -> None:
    if not net.populations:
        faults.add("network", "populations", (), "at least one Population")
    _unique([p.name for p in net.populations] + [i.name for i in net.inputs], "name", faults)
    _unique([p.name for p in net.projections], "projection name", faults)
    sizes = {p.name: p.size for p in net.populations}
    sources = sizes | {i.name: i.size for i in net.spike_inputs}
    for p in net.projections:
        where = f"projection {p.name!r}"
        if p.pre not in sources:
            faults.add(where, "pre", p.pre, _names(sources))
        if p.post not in sizes:
            faults.add(where, "post", p.post, _names(sizes))
        if p.pre in sources and p.post in sizes:
            expected = (sizes[p.post], sources[p.pre])
            if p.weights.shape != expected:
                faults.add(where, "weights", f"shape {p.weights.shape}",
                           f"shape (n_post, n_pre) = {expected}")  # fmt: skip
    for c in net.current_inputs:
        if c.population not in sizes:
            faults.add(f"input {c.name!r}", "population", c.population, _names(sizes))
        elif c.stimulus is not None:
            _check_stimulus(c, sizes[c.population], faults)
    for probe in net.probes:
        if probe.population not in sizes:
            faults.add("probe", "population", probe.population, _names(sizes))


def _check_stimulus(current: CurrentInput, size: int, faults: Faults) -> None:
    for name, value in vars(current.stimulus).items():
        shape = np.shape(value)
        widths = (1, size) if name == "values" else (size,)
        if shape and shape[-1] not in widths:
            faults.add(f"input {current.name!r}", name, f"shape {shape}",
                       f"{size} neurons of {current.population!r} on the last axis")  # fmt: skip


def _names(known: dict[str, int]) -> str:
    return "one of " + ", ".join(sorted(known)) if known else "(nothing is defined)"


def _unique(names: list[str], what: str, faults: Faults) -> None:
    for name in sorted({n for n in names if names.count(n) > 1}):
        faults.add("network", what, name, "a name used once")


def _check_name(where: str, name: object, faults: Faults) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        faults.add(where, "name", name, "letters, digits and _, starting with a letter")


def _check_size(where: str, size: object, faults: Faults) -> None:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        faults.add(where, "size", size, "a whole number >= 1")


def _set_defaults(neuron: Any, **defaults: Any) -> None:
    for name, value in defaults.items():
        if getattr(neuron, name) is None:
            object.__setattr__(neuron, name, value)


def _checked_neuron(where: str, neuron: Neuron, size: int, faults: Faults) -> Neuron:
    """Return the neuron with read-only float64 arrays, after noting every fault."""
    values: dict[str, Any] = {}
    for name, value in vars(neuron).items():
        if name == "reset":
            continue
        array = _number_array(where, name, value, faults)
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
            faults.add(where, "v_threshold", neuron.v_threshold, f"above v_reset = {reset}")
    return neuron if faults.lines else replace(neuron, **values)


def _check_exponential(where: str, synapse: Exponential, faults: Faults) -> None:
    tau = _number_array(where, "synapse.tau", synapse.tau, faults)
    if tau is not None and (tau.ndim != 0 or not tau > 0):
        faults.add(where, "synapse.tau", synapse.tau, "one time constant > 0 s")
    if synapse.norm not in ("peak", "area", "psp"):
        faults.add(where, "synapse.norm", synapse.norm, '"peak", "area" or "psp"')


def _number_array(where: str, name: str, value: Any, faults: Faults) -> Any:
    """Return a read-only float64 array, or None after noting the fault."""
    try:
        if isinstance(value, str) or np.asarray(value).dtype.kind not in "iuf":
            raise TypeError
        array = frozen(value, np.float64)
    except (TypeError, ValueError):
        faults.add(where, name, value, "a real number or an array of them")
        return None
    if not np.all(np.isfinite(array)):
        faults.add(where, name, value, "finite numbers (no NaN, no infinity)")
        return None
    return array


def _matrix(where: str, name: str, value: Any, faults: Faults) -> Any:
    """Return a read-only float64 matrix, dense or CSR, or None after noting the fault."""
    values = value.data if is_sparse(value) and hasattr(value, "data") else value
    if _number_array(where, name, values, faults) is None:
        return None
    if np.ndim(value) != 2 and not is_sparse(value):
        faults.add(where, name, f"shape {np.shape(value)}", "shape (n_post, n_pre)")
        return None
    return frozen_matrix(value, np.float64)


def _delays(where: str, delay: Any, weights: Any, faults: Faults) -> Any:
    """Return delays as a scalar array or one value per stored weight; None after a fault."""
    if is_sparse(delay):
        delays = frozen_matrix(delay, np.float64)
        same = is_sparse(weights) and delays.shape == weights.shape
        if same and np.array_equal(delays.indices, weights.indices):
            if np.array_equal(delays.indptr, weights.indptr):
                delay = delays.data
        if is_sparse(delay):
            faults.add(where, "delay", "a sparse matrix", "the same structure as the weights",
                       "store explicit zeros for synapses without delay")  # fmt: skip
            return None
    array = _number_array(where, "delay", delay, faults)
    if array is None:
        return None
    if not np.all(array >= 0):
        faults.add(where, "delay", float(array.min()), "delays >= 0 s")
        return None
    count = entries(weights).shape
    allowed = [(), count] if is_sparse(weights) else [(), weights.shape]
    if array.shape not in allowed:
        faults.add(where, "delay", f"shape {array.shape}",
                   f"a scalar or one per synapse, shape {allowed[1]}")  # fmt: skip
        return None
    return array if array.ndim == 0 else frozen(array.ravel())
