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

from .arrays import frozen, is_sparse, plain_matrix
from .checks import (
    check_delays,
    check_link,
    check_matrix,
    check_name,
    check_size,
    check_unique,
    is_real,
    number_array,
    one_of,
)
from .convolution import Convolution
from .errors import Faults, NetworkError
from .neurons import IF, LI, LIF, Neuron, checked_neuron
from .spike_inputs import PoissonInput
from .stimulus import Constant, Sampled, Sinusoid, Stimulus
from .synapses import (
    SYNAPSES,
    Alpha,
    BiExponential,
    Delta,
    Exponential,
    Synapse,
    checked_synapse,
)

__all__ = [
    "IF",
    "LI",
    "LIF",
    "VARIABLES",
    "Alpha",
    "BiExponential",
    "Constant",
    "CurrentInput",
    "Delta",
    "Exponential",
    "Network",
    "Neuron",
    "PoissonInput",
    "Population",
    "Probe",
    "Projection",
    "Sampled",
    "Sinusoid",
    "SpikeInput",
    "Stimulus",
    "Synapse",
]

VARIABLES = ("spikes", "v", "u")


@dataclass(frozen=True, eq=False)
class Population:
    """A group of ``size`` neurons of one kind.

    Args:
        name: letters, digits, ``_``; does not start with a digit.
        size: number of neurons, >= 1.
        neuron: :class:`LIF`, :class:`IF` or :class:`LI`.
    """

    name: str
    size: int
    neuron: Neuron

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"population {self.name!r}"
        check_name(where, self.name, faults)
        check_size(where, self.size, faults)
        neuron: Any = self.neuron
        if not isinstance(neuron, (LIF, IF, LI)):
            faults.add(where, "neuron", neuron, "LIF, IF or LI")
        elif not faults.lines:
            checked = checked_neuron(where, neuron, self.size, faults)
            object.__setattr__(self, "neuron", checked)
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from ``pre`` (a population or a spike input) to ``post`` (a population).

    Args:
        name: unique among projections.
        pre: name of the source.
        post: name of the target population.
        weights: ``(n_post, n_pre)``, dense or scipy sparse, or a :class:`Convolution`, whose
            kernel becomes float64; the unit is the synapse's.
        synapse: :class:`Delta`, :class:`Exponential`, :class:`Alpha` or :class:`BiExponential`.
        delay: s, >= 0: a scalar, or one per synapse (dense ``(n_post, n_pre)``; for sparse weights
            a sparse matrix of the same structure or an array with one value per stored weight).
            Held flat, one value per stored weight, row by row; of a convolution, per stored weight
            of its ``csr``.
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
        check_name(where, self.name, faults)
        check_link(where, "pre", self.pre, faults)
        check_link(where, "post", self.post, faults)
        synapse: Any = self.synapse
        if not isinstance(synapse, SYNAPSES):
            allowed = "Delta(), Exponential(tau), Alpha(tau) or BiExponential(tau_rise, tau_decay)"
            faults.add(where, "synapse", synapse, allowed)
        else:
            object.__setattr__(self, "synapse", checked_synapse(where, synapse, faults))
        weights = self.weights
        if not isinstance(weights, Convolution):
            weights = check_matrix(where, "weights", weights, faults)
        elif weights.is_whole:
            weights = replace(weights, kernel=np.asarray(weights.kernel, np.float64))
        if weights is not None:
            # the matrix of a convolution is made only where delays have to fit it
            one = is_real(self.delay) and np.ndim(self.delay) == 0
            plain = weights if one else plain_matrix(weights)
            given = None if is_sparse(self.delay) or plain is not weights else self.weights
            delay = check_delays(where, self.delay, plain, faults, given)
            object.__setattr__(self, "weights", weights)
            object.__setattr__(self, "delay", delay)
        faults.raise_if_any(NetworkError)

    @property
    def matrix(self) -> Any:
        """The weights as a matrix, dense or CSR; that of a convolution is made once."""
        return plain_matrix(self.weights)


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
        check_name(where, self.name, faults)
        check_size(where, self.size, faults)
        if (self.indices is None) != (self.times is None):
            faults.add(where, "times", self.times, "indices and times together, or neither")
        elif self.indices is not None and not faults.lines:
            self._check_spikes(where, faults)
        faults.raise_if_any(NetworkError)

    def _check_spikes(self, where: str, faults: Faults) -> None:
        times = number_array(where, "times", self.times, faults)
        raw = number_array(where, "indices", self.indices, faults)
        if times is None or raw is None:
            return
        if times.ndim != 1 or raw.shape != times.shape:
            faults.add(where, "times", times.shape, f"as many as indices {raw.shape}, one axis")
            return
        if times.size and times.min() < 0:
            faults.add(where, "times", float(times.min()), "times >= 0 s")
        inside = (raw >= 0) & (raw < self.size) & (raw == np.floor(raw))
        if not inside.all():
            faults.add(
                where, "indices", float(raw[~inside][0]), f"whole numbers 0..{self.size - 1}"
            )
            return
        order = np.lexsort((raw, times))
        object.__setattr__(self, "indices", frozen(raw[order], np.int64))
        object.__setattr__(self, "times", frozen(times[order], np.float64))

    @classmethod
    def from_trains(cls, name: str, trains: Sequence[npt.ArrayLike]) -> SpikeInput:
        """Build from one list of spike times (s) per channel.

        Raises:
            NetworkError: a train is no list of finite numbers, or there is no list of trains.
        """
        faults = Faults()
        where = f"input {name!r}"
        given: Any = trains
        if isinstance(given, (str, bytes, dict)) or not np.iterable(given):
            faults.add(where, "trains", given, "one list of spike times (s) per channel")
            faults.raise_if_any(NetworkError)
        found = [number_array(where, f"trains[{k}]", t, faults) for k, t in enumerate(trains)]
        faults.raise_if_any(NetworkError)
        arrays = [np.ravel(a) for a in found if a is not None]
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
        check_name(where, self.name, faults)
        check_link(where, "population", self.population, faults)
        stimulus: Any = self.stimulus
        if stimulus is not None and not isinstance(stimulus, Stimulus):
            allowed = "a stimulus (Constant, Sinusoid, ... of neuro_lif.stimulus) or None"
            faults.add(where, "stimulus", stimulus, allowed)
        faults.raise_if_any(NetworkError)


Input = SpikeInput | PoissonInput | CurrentInput
INPUTS = (SpikeInput, PoissonInput, CurrentInput)


@dataclass(frozen=True)
class Probe:
    """Ask for a variable of a population to be recorded: ``"spikes"``, ``"v"`` or ``"u"``.

    Spikes of every population are recorded anyway.
    """

    population: str
    variable: Literal["spikes", "v", "u"] = "v"

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"probe of {self.population!r}"
        check_link(where, "population", self.population, faults)
        if not isinstance(self.variable, str) or self.variable not in VARIABLES:
            faults.add(where, "variable", self.variable, ", ".join(VARIABLES))
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network, checked when built.

    Args:
        populations: :class:`Population` objects, at least one.
        projections: :class:`Projection` objects.
        inputs: :class:`SpikeInput`, :class:`PoissonInput` and :class:`CurrentInput` objects.
        probes: :class:`Probe` objects.

    Raises:
        NetworkError: one error listing every fault: where, field, value, what is allowed.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    inputs: tuple[Input, ...] = ()
    probes: tuple[Probe, ...] = ()

    def __init__(
        self,
        populations: Iterable[Population],
        projections: Iterable[Projection] = (),
        inputs: Iterable[Input] = (),
        probes: Iterable[Probe] = (),
    ) -> None:
        given = {"populations": populations, "projections": projections,
                 "inputs": inputs, "probes": probes}  # fmt: skip
        kinds = {"populations": (Population,), "projections": (Projection,),
                 "inputs": INPUTS, "probes": (Probe,)}  # fmt: skip
        faults = Faults()
        for name, items in given.items():
            object.__setattr__(self, name, _elements(name, items, kinds[name], faults))
        faults.raise_if_any(NetworkError, "network")
        _check_links(self, faults)
        faults.raise_if_any(NetworkError, "network")

    def population(self, name: str) -> Population:
        """Return one population by name.

        Raises:
            NetworkError: there is none of that name.
        """
        for population in self.populations:
            if population.name == name:
                return population
        known = one_of({p.name: p.size for p in self.populations})
        raise NetworkError(f"network: population = {name!r}, allowed: {known}")

    @property
    def spike_inputs(self) -> tuple[SpikeInput | PoissonInput, ...]:
        """The inputs that send spikes, in their order."""
        return tuple(i for i in self.inputs if isinstance(i, (SpikeInput, PoissonInput)))

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
    check_unique([p.name for p in net.populations] + [i.name for i in net.inputs], "name", faults)
    check_unique([p.name for p in net.projections], "projection name", faults)
    sizes = {p.name: p.size for p in net.populations}
    sources = sizes | {i.name: i.size for i in net.spike_inputs}
    for p in net.projections:
        where = f"projection {p.name!r}"
        if p.pre not in sources:
            faults.add(where, "pre", p.pre, one_of(sources))
        if p.post not in sizes:
            faults.add(where, "post", p.post, one_of(sizes))
        if p.pre in sources and p.post in sizes:
            expected = (sizes[p.post], sources[p.pre])
            if p.weights.shape != expected:
                faults.add(where, "weights", f"shape {p.weights.shape}",
                           f"shape (n_post, n_pre) = {expected}")  # fmt: skip
    for c in net.current_inputs:
        if c.population not in sizes:
            faults.add(f"input {c.name!r}", "population", c.population, one_of(sizes))
        elif c.stimulus is not None:
            _check_stimulus(c, c.stimulus, sizes[c.population], faults)
    for probe in net.probes:
        if probe.population not in sizes:
            faults.add("probe", "population", probe.population, one_of(sizes))


def _check_stimulus(current: CurrentInput, stimulus: Stimulus, size: int, faults: Faults) -> None:
    where = f"input {current.name!r}"
    for name in stimulus.sized:
        shape = np.shape(getattr(stimulus, name))
        if shape not in ((), (size,)):
            faults.add(where, f"stimulus.{name}", f"shape {shape}",
                       f"shape ({size},): {size} neurons in {current.population!r}")  # fmt: skip
    if isinstance(stimulus, Sampled):
        shape = np.shape(stimulus.values)
        if shape[-1] not in (1, size):
            faults.add(where, "stimulus.values", f"shape {shape}",
                       f"shape (n_samples, 1) or (n_samples, {size}): {size} neurons in "
                       f"{current.population!r}")  # fmt: skip
    for part in stimulus.parts:
        _check_stimulus(current, part, size, faults)
