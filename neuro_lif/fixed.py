"""FixedNetwork: integers and nothing else, ready for every executor.

Built by :func:`neuro_lif.quantize`, or by hand where the integers are known (as a Lava user knows
them). Checked against its profile when built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import IntArray, entries, frozen, frozen_matrix, is_sparse, with_entries
from .errors import Faults, RangeError
from .formats import overflow_array, round_shift_array, shift_array
from .ledger import Ledger
from .network import Probe
from .profile import SIGN_MODES, HardwareProfile
from .recording import OverflowEvent


@dataclass(frozen=True, eq=False)
class FixedPopulation:
    """A population of integer neurons.

    Args:
        name: unique.
        size: number of neurons.
        model: neuron model of the profile.
        params: parameter -> integer or ``(size,)``; absent ones take the profile's default.
        init: register -> integer or ``(size,)`` at the start; absent ones are 0.
        lsb: ``(size,)`` V per LSB of the voltage register.
        v_zero: ``(size,)`` V that v = 0 stands for.
    """

    name: str
    size: int
    model: str = "lif"
    params: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    lsb: Any = 1.0
    v_zero: Any = 0.0

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"population {self.name!r}"
        if not isinstance(self.size, (int, np.integer)) or self.size < 1:
            faults.add(where, "size", self.size, "a whole number >= 1")
            faults.raise_if_any(RangeError)
        for table in ("params", "init"):
            values = {
                k: _integers(where, k, v, (self.size,), faults)
                for k, v in dict(getattr(self, table)).items()
            }
            object.__setattr__(self, table, values)
        for name in ("lsb", "v_zero"):
            wide = np.broadcast_to(np.asarray(getattr(self, name), np.float64), (self.size,))
            object.__setattr__(self, name, frozen(wide))
        faults.raise_if_any(RangeError)


@dataclass(frozen=True, eq=False)
class FixedProjection:
    """Integer synapses.

    Args:
        name, pre, post: as described.
        weights: ``(n_post, n_pre)`` integer mantissas as given to the chip, dense or CSR.
        exponent: shift applied to the weights (per synapse or on the sum, as the profile says).
        sign_mode: ``mixed``, ``excitatory``, ``inhibitory``, ``null``; None: from the weights.
        weight_bits: bits kept of the mantissa; None: the profile's default.
        delays: whole steps, scalar or one per stored weight.
        graded: False: any non-zero spike counts 1; True: the spike's value multiplies the weight.
        latency: steps before the delay counts; None: the profile's. 0 is allowed from an input, and
            from a population listed before the target.
    """

    name: str
    pre: str
    post: str
    weights: Any
    exponent: int = 0
    sign_mode: str | None = None
    weight_bits: int | None = None
    delays: Any = 0
    graded: bool = False
    latency: int | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"projection {self.name!r}"
        given = self.weights if is_sparse(self.weights) else np.asarray(self.weights)
        if given.dtype.kind not in "iu" or len(given.shape) != 2:
            faults.add(where, "weights", f"{given.dtype} {given.shape}", "integers (n_post, n_pre)")
            faults.raise_if_any(RangeError)
        delays = _in_stored_order(self.weights, self.delays)
        object.__setattr__(self, "weights", frozen_matrix(self.weights, np.int64))
        shape = entries(self.weights).shape
        object.__setattr__(self, "delays", _integers(where, "delays", delays, shape, faults))
        if self.sign_mode is None:
            object.__setattr__(self, "sign_mode", _sign_mode(entries(self.weights)))
        elif self.sign_mode not in SIGN_MODES:
            faults.add(where, "sign_mode", self.sign_mode, ", ".join(SIGN_MODES))
        if not isinstance(self.exponent, (int, np.integer)) or isinstance(self.exponent, bool):
            faults.add(where, "exponent", self.exponent, "a whole number")
        late = self.latency
        if late is not None and (not isinstance(late, (int, np.integer)) or late < 0):
            faults.add(where, "latency", late, "a whole number >= 0, or None")
        if isinstance(self.delays, np.ndarray) and self.delays.size and self.delays.min() < 0:
            faults.add(where, "delays", int(self.delays.min()), "whole steps >= 0")
        faults.raise_if_any(RangeError)


@dataclass(frozen=True, eq=False)
class FixedSource:
    """A source of spikes (or graded spikes) from outside.

    Args:
        name: unique.
        size: channels.
        raster: ``(n_steps, size)`` integers, row i is emitted in step i + 1; None: given at run.
    """

    name: str
    size: int
    raster: Any = None

    def __post_init__(self) -> None:
        if self.raster is not None:
            object.__setattr__(self, "raster", _raster(self.name, self.raster, self.size))


@dataclass(frozen=True, eq=False)
class DirectInput:
    """Integers put straight into a population's synaptic input: no synapse, no delay.

    Args:
        name: unique.
        population: the target.
        raster: ``(n_steps, n)`` integers, row i acts in step i + 1; None: given at run.
        lsb_per_ampere, kept, shift: how :func:`neuro_lif.encode.encode_current` turns amperes into
            these integers; absent where only integers are meant.
    """

    name: str
    population: str
    raster: Any = None
    lsb_per_ampere: Any = None
    kept: Any = None
    shift: int = 0

    def __post_init__(self) -> None:
        if self.raster is not None:
            object.__setattr__(self, "raster", _raster(self.name, self.raster, None))


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """A network in a chip's integers.

    Args:
        profile: the hardware profile that gives the integers their meaning.
        populations, projections, sources, directs: the parts.
        dt: s per step.
        probes: what to record besides spikes.
        ledger: what lowering lost.
        enforce_ranges: False lets values the peer accepts but does not mean (as Lava does); they
            are stored as the profile's parameter storage says.

    Raises:
        RangeError: one error listing every value the profile does not allow.
    """

    profile: HardwareProfile
    populations: tuple[FixedPopulation, ...]
    projections: tuple[FixedProjection, ...] = ()
    sources: tuple[FixedSource, ...] = ()
    directs: tuple[DirectInput, ...] = ()
    dt: float = 1e-3
    probes: tuple[Probe, ...] = ()
    ledger: Ledger | None = None
    enforce_ranges: bool = True

    def __post_init__(self) -> None:
        for name in ("populations", "projections", "sources", "directs", "probes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        faults = verify(self)
        faults.raise_if_any(RangeError, f"profile {self.profile.name}")

    def population(self, name: str) -> FixedPopulation:
        """Return one population by name."""
        return next(p for p in self.populations if p.name == name)

    def params(self, name: str) -> dict[str, IntArray]:
        """Return every parameter of a population as stored: ``(n,)`` int64."""
        population = self.population(name)
        stored, _ = _stored(self.profile, population)
        return stored

    def storage_events(self) -> list[OverflowEvent]:
        """Return the parameters that did not fit their storage and were changed by it."""
        found: list[OverflowEvent] = []
        for population in self.populations:
            found += _stored(self.profile, population)[1]
        return found

    def initial(self, name: str) -> dict[str, IntArray]:
        """Return every register of a population at the start, ``(n,)`` int64, plus ``ref``."""
        population = self.population(name)
        registers = {r: np.zeros(population.size, np.int64) for r in self.profile.registers}
        for register, value in population.init.items():
            registers[register] = np.array(np.broadcast_to(value, (population.size,)))
        return registers | {"ref": np.zeros(population.size, np.int64)}

    def input_sizes(self) -> dict[str, int]:
        """Return input name -> width."""
        sizes = {s.name: s.size for s in self.sources}
        return sizes | {d.name: self.population(d.population).size for d in self.directs}

    def latency(self, projection: FixedProjection) -> int:
        """Return the steps between emission and the soonest arrival."""
        if projection.latency is not None:
            return projection.latency
        routing = self.profile.routing
        external = projection.pre in {s.name for s in self.sources}
        return routing.input_latency if external else routing.recurrent_latency

    def effective_weights(self, projection: FixedProjection) -> Any:
        """Return the weights a spike delivers before any shift of the sum, int64 dense or CSR.

        Clip, loss of low bits and (where the profile shifts synapse by synapse) the exponent.
        """
        rules = self.profile.weights
        bits = rules.default_bits if projection.weight_bits is None else projection.weight_bits
        values = rules.effective(entries(projection.weights), str(projection.sign_mode), bits)
        if rules.exponent_on == "synapse":
            values = shift_rounded(values, projection.exponent, rules.exponent_round)
        return with_entries(projection.weights, values)

    def sum_exponent(self, projection: FixedProjection) -> int:
        """Return the shift applied to each arriving sum (0 where it is per synapse)."""
        return projection.exponent if self.profile.weights.exponent_on == "sum" else 0


def shift_rounded(values: IntArray, exponent: int, rounding: str) -> IntArray:
    """Shift left, or right with a rounding (``floor``, ``rtz`` or ``nearest_even``)."""
    if exponent >= 0:
        return shift_array(values, exponent)
    if rounding == "nearest_even":
        return np.asarray(np.rint(values / 2.0**-exponent), np.int64)
    return round_shift_array(values, -exponent, rounding)


def _sign_mode(values: IntArray) -> str:
    if values.size == 0 or values.min() >= 0:
        return "excitatory"
    return "inhibitory" if values.max() <= 0 else "mixed"


def _in_stored_order(weights: Any, delays: Any) -> Any:
    """Return one delay per stored weight, in the order in which the frozen weights are stored."""
    if is_sparse(delays) or np.ndim(delays) == 0:
        return delays
    flat = np.asarray(delays).ravel()
    if not is_sparse(weights) or flat.shape != weights.data.shape:
        return flat
    numbered = weights.copy()
    numbered.data = np.arange(1, flat.size + 1)
    order = entries(frozen_matrix(numbered, np.int64)) - 1
    return flat[order] if order.shape == flat.shape else flat


def _integers(where: str, name: str, value: Any, shape: tuple[int, ...], faults: Faults) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        faults.add(where, name, value, "whole numbers")
    elif array.shape not in ((), shape):
        faults.add(where, name, f"shape {array.shape}", f"a scalar or shape {shape}")
    return frozen(array, np.int64) if array.dtype.kind in "iu" else array


def _raster(name: str, raster: Any, size: int | None) -> Any:
    array = np.asarray(raster)
    if array.dtype.kind not in "biu" or array.ndim != 2 or (size and array.shape[1] != size):
        raise RangeError(
            f"input {name!r}: raster = {array.dtype} {array.shape}, allowed: integers "
            f"(n_steps, {size or 'n'})"
        )
    return frozen(array, np.int64)


def _stored(
    profile: HardwareProfile, population: FixedPopulation
) -> tuple[dict[str, IntArray], list[OverflowEvent]]:
    values: dict[str, IntArray] = {}
    events: list[OverflowEvent] = []
    for name, parameter in profile.params.items():
        given = population.params.get(name, parameter.default)
        wide = np.array(np.broadcast_to(np.asarray(given, np.int64), (population.size,)))
        values[name] = wide
        if parameter.storage is not None:
            span = parameter.span
            lo = span[0] if parameter.storage.lo is None else parameter.storage.lo
            hi = span[1] if parameter.storage.hi is None else parameter.storage.hi
            values[name] = overflow_array(wide, parameter.storage.mode, lo, hi)
            changed = np.flatnonzero(values[name] != wide)
            if changed.size:
                events.append(OverflowEvent(population.name, name, parameter.storage.mode, -1,
                                            int(changed.size), 0, int(changed[0])))  # fmt: skip
    return values, events


# --------------------------------------------------------------------------------- verify


def verify(fixed: FixedNetwork) -> Faults:
    """Return every fault of a FixedNetwork: names, shapes and (where enforced) ranges."""
    faults = Faults()
    sizes = {p.name: p.size for p in fixed.populations}
    sources = sizes | {s.name: s.size for s in fixed.sources}
    _check_names(fixed, faults)
    for population in fixed.populations:
        _check_population(fixed, population, faults)
    for projection in fixed.projections:
        where = f"projection {projection.name!r}"
        if projection.pre not in sources:
            faults.add(where, "pre", projection.pre, "one of " + ", ".join(sorted(sources)))
        elif projection.post not in sizes:
            faults.add(where, "post", projection.post, "one of " + ", ".join(sorted(sizes)))
        else:
            expected = (sizes[projection.post], sources[projection.pre])
            if projection.weights.shape != expected:
                faults.add(where, "weights", f"shape {projection.weights.shape}",
                           f"shape (n_post, n_pre) = {expected}")  # fmt: skip
            _check_latency(fixed, projection, faults)
        _check_projection(fixed, projection, faults)
    for direct in fixed.directs:
        if direct.population not in sizes:
            faults.add(f"input {direct.name!r}", "population", direct.population,
                       "one of " + ", ".join(sorted(sizes)))  # fmt: skip
        elif direct.raster is not None and direct.raster.shape[1] != sizes[direct.population]:
            faults.add(f"input {direct.name!r}", "raster", f"shape {direct.raster.shape}",
                       f"shape (n_steps, {sizes[direct.population]})")  # fmt: skip
    return faults


def _check_names(fixed: FixedNetwork, faults: Faults) -> None:
    groups = [
        [p.name for p in fixed.populations]
        + [s.name for s in fixed.sources]
        + [d.name for d in fixed.directs],
        [p.name for p in fixed.projections],
    ]
    for names in groups:
        for name in sorted({n for n in names if names.count(n) > 1}):
            faults.add("network", "name", name, "a name used once")


def _check_population(fixed: FixedNetwork, population: FixedPopulation, faults: Faults) -> None:
    where, profile = f"population {population.name!r}", fixed.profile
    if population.model not in profile.models:
        faults.add(where, "model", population.model, ", ".join(profile.models))
    for name, value in population.params.items():
        if name not in profile.params:
            faults.add(where, name, value, "a parameter: " + ", ".join(profile.params))
        elif fixed.enforce_ranges:
            _check_span(where, name, value, profile.params[name].span, faults)
    for name, value in population.init.items():
        if name not in profile.registers:
            faults.add(where, f"init {name}", value, "a register: " + ", ".join(profile.registers))
        elif fixed.enforce_ranges:
            _check_span(where, f"init {name}", value, profile.registers[name].span, faults)


def _check_projection(fixed: FixedNetwork, p: FixedProjection, faults: Faults) -> None:
    where, rules, routing = f"projection {p.name!r}", fixed.profile.weights, fixed.profile.routing
    bits: object = p.weight_bits if p.weight_bits is not None else rules.default_bits
    if not isinstance(bits, (int, np.integer)):
        faults.add(where, "weight_bits", bits, f"1..{rules.mantissa_bits}")
    elif fixed.enforce_ranges:
        _check_span(where, "weight_bits", int(bits), (1, rules.mantissa_bits), faults)
    if not fixed.enforce_ranges:
        return
    _check_span(where, "exponent", p.exponent, (rules.exponent_lo, rules.exponent_hi), faults)
    _check_span(where, "delays", p.delays, (routing.delay_lo, routing.delay_hi), faults)
    values = entries(p.weights)
    _check_span(where, "weights", values, rules.mode_range(str(p.sign_mode)), faults)
    if p.graded and routing.payload_bits == 0:
        faults.add(where, "graded", True, "False: this profile has no graded spikes")


def _check_latency(fixed: FixedNetwork, p: FixedProjection, faults: Faults) -> None:
    order = [population.name for population in fixed.populations]
    if p.pre not in order or order.index(p.pre) < order.index(p.post):
        return
    soonest = int(np.min(p.delays)) if np.size(p.delays) else 1
    if fixed.latency(p) + soonest < 1:
        allowed = "at least 1 (0 from an input, or from a population listed before the target)"
        faults.add(f"projection {p.name!r}", "latency", fixed.latency(p), allowed)


def _check_span(
    where: str, name: str, value: npt.ArrayLike, span: tuple[int, int], faults: Faults
) -> None:
    array = np.asarray(value)
    outside = array[(array < span[0]) | (array > span[1])] if array.size else array
    if outside.size:
        faults.add(where, name, int(outside.flat[0]), f"{span[0]}..{span[1]}")
