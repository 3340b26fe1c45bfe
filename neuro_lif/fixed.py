"""FixedNetwork: integers and nothing else, ready for every executor.

Built by :func:`neuro_lif.quantize`, or by hand where the integers are known (as a Lava user knows
them). Checked against its profile when built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import IntArray, with_entries
from .errors import Faults, RangeError
from .fixed_inputs import DirectInput, FixedSource
from .fixed_parts import FixedPopulation, FixedProjection, check_span
from .ledger import Ledger
from .memo import Memo
from .network import Probe
from .numerics import MOST_SHIFT
from .poisson import FixedPoisson
from .profiles import is_profile
from .recording import OverflowEvent
from .stored import (
    is_raw,
    shift_rounded,
    stored_mantissas,
    stored_params,
    weight_events,
    weight_stages,
)
from .width import check_sums, check_width, largest_sums

if TYPE_CHECKING:
    from .profile_model import HardwareProfile

__all__ = [
    "DirectInput",
    "FixedNetwork",
    "FixedPoisson",
    "FixedPopulation",
    "FixedProjection",
    "FixedSource",
    "shift_rounded",
    "verify",
]


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """A network in a chip's integers.

    Args:
        profile: the hardware profile that gives the integers their meaning.
        populations, projections, sources, directs: the parts; poissons, the last of them: inputs
            that need no raster.
        dt: s per step.
        probes: what to record besides spikes.
        ledger: what lowering lost.
        enforce_ranges: False lets values the peer accepts but does not mean (as Lava does); they
            are stored as the profile's parameter storage says. What 64 bits cannot compute with
            is refused even then (:mod:`neuro_lif.width`).
        seed: of the noise, where the profile has some; sample k of a batch takes ``seed + k``. Of
            the Poisson inputs, together with their own.

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
    seed: int = 0
    poissons: tuple[FixedPoisson, ...] = ()

    def __post_init__(self) -> None:
        faults = Faults()
        profile: object = self.profile
        if not is_profile(profile):
            faults.add("network", "profile", profile, "a HardwareProfile: load_profile(name)")
        if not isinstance(self.dt, (int, float, np.floating)) or not 0 < self.dt < np.inf:
            faults.add("network", "dt", self.dt, "a step > 0 s")
        whole = isinstance(self.seed, (int, np.integer)) and not isinstance(self.seed, bool)
        if not whole or not 0 <= self.seed < 2**32:
            faults.add("network", "seed", self.seed, "a whole number 0..2**32 - 1")
        for name, kind in PARTS.items():
            parts = _parts(name, getattr(self, name), kind, faults)
            object.__setattr__(self, name, parts)
        if not self.populations:
            faults.add("network", "populations", (), "at least one FixedPopulation")
        faults.raise_if_any(RangeError)
        faults = verify(self)
        faults.raise_if_any(RangeError, f"profile {self.profile.name}")

    def population(self, name: str) -> FixedPopulation:
        """Return one population by name.

        Raises:
            RangeError: there is none of that name.
        """
        for population in self.populations:
            if population.name == name:
                return population
        known = ", ".join(p.name for p in self.populations)
        raise RangeError(f"population {name!r} is unknown, allowed: {known}")

    def params(self, name: str) -> dict[str, IntArray]:
        """Return every parameter of a population as stored: ``(n,)`` int64."""
        population = self.population(name)
        stored, _ = stored_params(self.profile, population)
        return stored

    def storage_events(self) -> list[OverflowEvent]:
        """Return the parameters and weights that did not fit their storage and were changed by it.

        Weights lose by a ``clip``, by bits that their code or their own shift to the right drops
        (``low_bits``), or because another synapse takes their place (``duplicate``).
        """
        return list(self._lost_in_storage)

    @cached_property
    def _lost_in_storage(self) -> tuple[OverflowEvent, ...]:
        found: list[OverflowEvent] = []
        for population in self.populations:
            found += stored_params(self.profile, population)[1]
        for projection in self.projections:
            found += weight_events(self.profile, projection)
        return tuple(found)

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

    @cached_property
    def _sums(self) -> list[tuple[FixedProjection, tuple[int, int]]]:
        return [(p, largest_sums(self.profile, p)) for p in self.projections]

    def check_inputs(self, reach: Mapping[str, int], faults: Faults) -> None:
        """Note every sum that could leave 64 bits with these inputs.

        Args:
            reach: input name -> the largest magnitude it holds; absent ones count as 0 and 1.
            faults: noted here.
        """
        most = dict.fromkeys(self.input_sizes(), 1) | dict(reach)
        if all(m <= self._fine_inputs.get(name, -1) for name, m in most.items()):
            return  # larger ones were fine
        found = Faults()
        check_sums(self.profile, self.populations, self._sums, self.directs, most, found,
                   self.poissons)  # fmt: skip
        if not found.lines:
            self._fine_inputs.update(most)
        faults.lines.extend(found.lines)

    @cached_property
    def _fine_inputs(self) -> dict[str, int]:
        """Input name -> the largest magnitude for which :meth:`check_inputs` found no fault."""
        return {}

    def effective_weights(self, projection: FixedProjection) -> Any:
        """Return the weights a spike delivers before any shift of the sum, int64 dense or CSR.

        Clip, loss of low bits and (where the profile shifts synapse by synapse) the exponent.
        """
        values = weight_stages(self.profile, projection).delivered
        return with_entries(projection.weights, values)

    def _coded(self, projection: FixedProjection) -> IntArray:
        """Return the mantissas the chip stores."""
        return stored_mantissas(self.profile, projection)

    def is_raw(self, projection: FixedProjection) -> bool:
        """Tell whether the profile takes a projection's weights as they are (convolutions)."""
        return is_raw(self.profile, projection)

    def sum_exponent(self, projection: FixedProjection) -> int:
        """Return the shift applied to each arriving sum (0 where it is per synapse)."""
        on_sum = self.profile.weights.exponent_on == "sum" and not self.is_raw(projection)
        return projection.exponent if on_sum else 0

    def accumulator(self, projection: FixedProjection) -> tuple[tuple[str, int, int], ...]:
        """Return the overflow rules of a projection's sum."""
        return self.profile.accumulator(projection.convolution is not None)


PARTS: dict[str, type[Any]] = {
    "populations": FixedPopulation,
    "projections": FixedProjection,
    "sources": FixedSource,
    "directs": DirectInput,
    "poissons": FixedPoisson,
    "probes": Probe,
}


def _parts(name: str, given: Any, kind: type[Any], faults: Faults) -> tuple[Any, ...]:
    parts = tuple(given) if isinstance(given, Iterable) else (given,)
    for part in parts:
        if not isinstance(part, kind):
            faults.add("network", name, part, f"{kind.__name__} objects")
    return parts


# --------------------------------------------------------------------------------- verify


def verify(fixed: FixedNetwork) -> Faults:
    """Return every fault of a FixedNetwork: names, shapes and (where enforced) ranges."""
    faults = Faults()
    sizes = {p.name: p.size for p in fixed.populations}
    sources = sizes | {s.name: s.size for s in fixed.sources}
    _check_names(fixed, faults)
    for population in fixed.populations:
        _once(fixed, population, _check_population, faults)
    for projection in fixed.projections:
        where = f"projection {projection.name!r}"
        if projection.pre not in sources:
            faults.add(where, "pre", projection.pre, "one of " + ", ".join(sorted(sources)))
        elif projection.post not in sizes:
            faults.add(where, "post", projection.post, "one of " + ", ".join(sorted(sizes)))
        else:
            expected = (sizes[projection.post], sources[projection.pre])
            if projection.shape != expected:
                faults.add(where, "weights", f"shape {projection.shape}",
                           f"shape (n_post, n_pre) = {expected}")  # fmt: skip
            _check_latency(fixed, projection, faults)
            _check_port(fixed, where, projection.port, projection.post, faults)
        _once(fixed, projection, _check_projection, faults)
    for probe in fixed.probes:
        if probe.population not in sizes:
            faults.add(
                "probe", "population", probe.population, "one of " + ", ".join(sorted(sizes))
            )
    for direct in fixed.directs:
        if direct.population not in sizes:
            faults.add(f"input {direct.name!r}", "population", direct.population,
                       "one of " + ", ".join(sorted(sizes)))  # fmt: skip
        else:
            where = f"input {direct.name!r}"
            _check_port(fixed, where, direct.port, direct.population, faults)
            if direct.raster is not None and direct.raster.shape[1] != sizes[direct.population]:
                faults.add(where, "raster", f"shape {direct.raster.shape}",
                           f"shape (n_steps, {sizes[direct.population]})")  # fmt: skip
            if direct.stream is not None and direct.stream.size != sizes[direct.population]:
                faults.add(where, "stream", f"{direct.stream.size} neurons",
                           str(sizes[direct.population]))  # fmt: skip
    for poisson in fixed.poissons:
        _check_poisson(fixed, poisson, sizes, faults)
    if not faults.lines:  # what has no name or no shape cannot be computed with
        _check_arithmetic(fixed, faults)
    return faults


_fine: Memo[tuple[HardwareProfile, bool]] = Memo()
"""Parts that have no fault: under which profile, and whether its ranges were enforced."""


def _once(fixed: FixedNetwork, part: Any, check: Callable[..., None], faults: Faults) -> None:
    """Check a part by itself, unless it was found fine in another network."""
    known, n = _fine.get(part), len(faults.lines)
    if known is not None and known[0] is fixed.profile and known[1] == fixed.enforce_ranges:
        return
    check(fixed, part, faults)
    if len(faults.lines) == n:
        _fine.keep(part, (fixed.profile, fixed.enforce_ranges))


def _check_arithmetic(fixed: FixedNetwork, faults: Faults) -> None:
    """Refuse what leaves 64 bits, where executors would differ."""
    if not fixed.enforce_ranges:  # inside its ranges the profile's own check has seen to it
        for population in fixed.populations:
            check_width(fixed.profile, population, faults)
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    fixed.check_inputs(_known(items), faults)


def _known(items: Iterable[FixedSource | DirectInput]) -> dict[str, int]:
    return {i.name: i.reach for i in items if i.raster is not None or i.stream is not None}


def _check_names(fixed: FixedNetwork, faults: Faults) -> None:
    groups = [
        [p.name for p in fixed.populations]
        + [s.name for s in fixed.sources]
        + [d.name for d in fixed.directs]
        + [d.name for d in fixed.poissons],
        [p.name for p in fixed.projections],
    ]
    for names in groups:
        for name in sorted({n for n in names if names.count(n) > 1}):
            faults.add("network", "name", name, "a name used once")


def _check_population(fixed: FixedNetwork, population: FixedPopulation, faults: Faults) -> None:
    where, profile = f"population {population.name!r}", fixed.profile
    model = population.model
    known = model in profile.models
    if not known:
        faults.add(where, "model", model, ", ".join(profile.models))
    used = profile.used_params(model) if known else tuple(profile.params)
    for name, value in population.params.items():
        if name not in profile.params:
            faults.add(where, name, value, "a parameter: " + ", ".join(profile.params))
        elif name not in used:
            others = ", ".join(m for m in profile.models if name in profile.used_params(m))
            faults.add(where, name, value, f"what model {model!r} uses: {', '.join(used)}",
                       f"{name} is used by: {others or 'no model'}")  # fmt: skip
        elif fixed.enforce_ranges:
            parameter = profile.params[name]
            check_span(where, name, value, parameter.span, faults)
            if parameter.per != "neuron" and np.unique(value).size > 1:
                faults.add(where, name, value, f"one value for the {parameter.per}")
    if population.alias is not None and not profile.routing.alias:
        faults.add(where, "alias", "given", "None: this profile has no aliases")
    for name, value in population.init.items():
        if name not in profile.registers:
            faults.add(where, f"init {name}", value, "a register: " + ", ".join(profile.registers))
        elif fixed.enforce_ranges:
            check_span(where, f"init {name}", value, profile.registers[name].span, faults)


def _check_projection(fixed: FixedNetwork, p: FixedProjection, faults: Faults) -> None:
    where, rules, routing = f"projection {p.name!r}", fixed.profile.weights, fixed.profile.routing
    bits: object = p.weight_bits if p.weight_bits is not None else rules.default_bits
    if not isinstance(bits, (int, np.integer)):
        faults.add(where, "weight_bits", bits, f"1..{rules.mantissa_bits}")
    else:
        loose = (-MOST_SHIFT, MOST_SHIFT)
        span = (1, rules.mantissa_bits) if fixed.enforce_ranges else loose
        check_span(where, "weight_bits", int(bits), span, faults)
    if not fixed.enforce_ranges:
        return
    check_span(where, "exponent", p.exponent, (rules.exponent_lo, rules.exponent_hi), faults)
    check_span(where, "delays", p.delays, (routing.delay_lo, routing.delay_hi), faults)
    if routing.delay_per != "synapse" and len(p.different_delays) > 1:
        faults.add(where, "delays", p.delays, f"one delay per {routing.delay_per}")
    if not fixed.is_raw(p):
        check_span(where, "weights", p.values, rules.mode_range(str(p.sign_mode)), faults)
    if p.graded and routing.payload_bits == 0:
        faults.add(where, "graded", True, "False: this profile has no graded spikes")


def _check_port(
    fixed: FixedNetwork, where: str, port: str, population: str, faults: Faults
) -> None:
    model = fixed.population(population).model
    if model in fixed.profile.models:
        ports = fixed.profile.ports(model)
        if port not in ports:
            faults.add(where, "port", port, f"a port of {model!r}: {', '.join(sorted(ports))}")


def _check_poisson(
    fixed: FixedNetwork, p: FixedPoisson, sizes: Mapping[str, int], faults: Faults
) -> None:
    where = f"input {p.name!r}"
    if p.population not in sizes:
        faults.add(where, "population", p.population, "one of " + ", ".join(sorted(sizes)))
        return
    _check_port(fixed, where, p.port, p.population, faults)
    model, size = fixed.population(p.population).model, sizes[p.population]
    if model in fixed.profile.models and p.port in fixed.profile.event_ports(model):
        faults.add(where, "port", p.port, "a port that adds up its input, not one for events")
    for name in ("mean", "weight"):
        shape = getattr(p, name).shape
        if shape not in ((), (size,)):
            faults.add(where, name, f"shape {shape}", f"a scalar or shape ({size},)")


def _check_latency(fixed: FixedNetwork, p: FixedProjection, faults: Faults) -> None:
    order = [population.name for population in fixed.populations]
    if p.pre not in order or order.index(p.pre) < order.index(p.post):
        return
    soonest = int(p.different_delays[0]) if np.size(p.delays) else 1
    if fixed.latency(p) + soonest < 1:
        allowed = "at least 1 (0 from an input, or from a population listed before the target)"
        faults.add(f"projection {p.name!r}", "latency", fixed.latency(p), allowed)
