"""How much memory a network of integers takes: NeuroBench's bytes, and a chip's bits.

Source: Yik et al. 2025, Nature Communications 16:1545 (NeuroBench): Footprint, the bytes of all
parameters and buffers; weights of 0 are included, as ConnectionSparsity tells of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import is_sparse
from ..checks import expect
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..numerics import ResolvedOps

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

KINDS = ("weights", "delays", "exponent", "parameter", "register")


@dataclass(frozen=True)
class FootprintPart:
    """Numbers of one kind that a network keeps.

    Args:
        where: population or projection.
        kind: one of ``weights``, ``delays``, ``exponent``, ``parameter``, ``register``.
        name: of the parameter or register; else empty.
        numbers: how many NeuroBench counts: of weights, all that are possible.
        stored: how many there are: of dense weights those other than 0, of sparse ones the stored
            entries, of a convolution its kernel once.
        bits: of each, as the profile says.
    """

    where: str
    kind: str
    name: str
    numbers: int
    stored: int
    bits: int

    @property
    def element_size(self) -> int:
        """Bytes of the narrowest whole number that holds one: 1, 2, 4 or 8."""
        return next(size for size in (1, 2, 4, 8) if 8 * size >= self.bits)


@dataclass(frozen=True)
class Footprint:
    """What a network of integers takes.

    Args:
        parts: every kind of number of every population and projection.
    """

    parts: tuple[FootprintPart, ...]

    @property
    def bytes(self) -> int:
        """NeuroBench's Footprint: ``sum numel * element_size`` of all parameters and states."""
        return sum(p.numbers * p.element_size for p in self.parts)

    @property
    def bits(self) -> int:
        """Bits of a chip: what is stored, each number as wide as the profile says."""
        return sum(p.stored * p.bits for p in self.parts)

    def bytes_of(self, kind: str) -> int:
        """Return NeuroBench's bytes of one of :data:`KINDS`."""
        return sum(p.numbers * p.element_size for p in self.parts if p.kind == kind)

    def bits_of(self, kind: str) -> int:
        """Return the bits of one of :data:`KINDS`."""
        return sum(p.stored * p.bits for p in self.parts if p.kind == kind)

    def as_floats(self, element_size: int = 4) -> int:
        """Return NeuroBench's bytes if every weight and state were a float of so many bytes.

        Delays, exponents and parameters are left out: such a network has them in other forms.
        """
        kept = (p.numbers for p in self.parts if p.kind in ("weights", "register"))
        return element_size * sum(kept)

    def __str__(self) -> str:
        rows = [("where", "kind", "numbers", "stored", "bits each", "bytes", "bits")]
        rows += [(p.where, f"{p.kind} {p.name}".strip(), f"{p.numbers:,}", f"{p.stored:,}",
                  str(p.bits), f"{p.numbers * p.element_size:,}", f"{p.stored * p.bits:,}")
                 for p in self.parts]  # fmt: skip
        rows.append(("all", "", "", "", "", f"{self.bytes:,}", f"{self.bits:,}"))
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        left = [[c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in
                 enumerate(zip(row, widths, strict=True))] for row in rows]  # fmt: skip
        return "\n".join("  ".join(cells).rstrip() for cells in left)


def footprint(fixed: FixedNetwork) -> Footprint:
    """Return what a network of integers takes.

    Counted are weights, delays (one for a projection whose delays are all alike), exponents, the
    parameters that the neuron models use, and the registers that outlast a step, refractory
    counters among them. Not counted: addresses of sparse synapses, and spikes under way.

    Args:
        fixed: the network.

    Raises:
        RangeError: not a FixedNetwork.
    """
    expect(fixed, FixedNetwork, "footprint")
    parts: list[FootprintPart] = []
    for projection in fixed.projections:
        parts += _of_projection(fixed, projection)
    for population in fixed.populations:
        parts += _of_population(fixed.profile, population)
    return Footprint(tuple(parts))


def bits_between(low: int, high: int) -> int:
    """Return the bits that tell the whole numbers from ``low`` to ``high`` apart, at least 1."""
    return max(int(high) - int(low), 1).bit_length()


def _of_projection(fixed: FixedNetwork, p: FixedProjection) -> Iterator[FootprintPart]:
    profile = fixed.profile
    if p.convolution is not None and p.is_folded:
        possible = stored = int(p.values.size)
        synapses = stored
    else:
        possible = p.shape[0] * p.shape[1]
        stored = p.n_entries if is_sparse(p.weights) else int(np.count_nonzero(p.values))
        synapses = p.n_entries
    yield FootprintPart(p.name, "weights", "", possible, stored, _weight_bits(fixed, p))
    routing = profile.routing
    if routing.delay_hi > routing.delay_lo:
        each = routing.delay_per == "synapse" and len(p.different_delays) > 1
        count = synapses if each else 1
        yield FootprintPart(p.name, "delays", "", count, stored if each else 1,
                            bits_between(routing.delay_lo, routing.delay_hi))  # fmt: skip
    rules = profile.weights
    if rules.exponent_hi > rules.exponent_lo and not fixed.is_raw(p):
        yield FootprintPart(p.name, "exponent", "", 1, 1,
                            bits_between(rules.exponent_lo, rules.exponent_hi))  # fmt: skip


def _weight_bits(fixed: FixedNetwork, p: FixedProjection) -> int:
    """Return how many bits tell the weights of a projection's sign mode apart."""
    if fixed.is_raw(p):
        values = p.values if p.values.size else np.zeros(1, np.int64)
        low, high = min(int(values.min()), 0), int(values.max())
        return bits_between(low, high)
    rules = fixed.profile.weights
    bits = rules.default_bits if p.weight_bits is None else p.weight_bits
    low, high = rules.mode_range(str(p.sign_mode))
    step = max(rules.step(str(p.sign_mode), bits), 1)
    return bits_between(0, (high - low) // step)


def _of_population(profile: HardwareProfile, p: FixedPopulation) -> Iterator[FootprintPart]:
    for name in profile.used_params(p.model):
        parameter = profile.params[name]
        count = p.size if parameter.per == "neuron" else 1
        yield FootprintPart(p.name, "parameter", name, count, count, bits_between(*parameter.span))
    ops = profile.ops(p.model)
    for name in state_registers(ops, tuple(profile.registers)):
        yield FootprintPart(p.name, "register", name, p.size, p.size, profile.registers[name].bits)
    for op in _flat(ops):
        if op["op"] == "fire" and op["ref"] is not None:
            ref = op["ref"]
            top = profile.params[ref].span[1] if isinstance(ref, str) else int(ref)
            yield FootprintPart(p.name, "register", "ref", p.size, p.size, bits_between(0, top))


def state_registers(ops: ResolvedOps, registers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the registers that outlast a step: those read before the step has set them.

    Args:
        ops: of a neuron model, resolved.
        registers: all names.
    """
    kept: set[str] = set()
    _scan(ops, set(registers), set(), kept)
    return tuple(r for r in registers if r in kept)


def _scan(ops: Any, registers: set[str], fresh: set[str], kept: set[str]) -> None:
    """Note what is read; ``fresh`` are the registers that this step has set in any case."""
    for op in ops:
        writes = {op["reg"]} if op["op"] in ("set", "copy") else set()
        if op["op"] == "decay" and op.get("into"):
            writes = {op["into"]}
        named = ((k, v) for k, v in op.items() if isinstance(v, str))
        operands = {v.removeprefix("-") for k, v in named
                    if k not in ("reg", "into") or v not in writes}  # fmt: skip
        kept |= (operands & registers) - fresh
        for branch in ("then", "else", "do"):
            _scan(op.get(branch) or (), registers, set(fresh), kept)
        fresh |= writes


def _flat(ops: Any) -> Iterator[Any]:
    for op in ops:
        yield op
        for branch in ("then", "else", "do"):
            yield from _flat(op.get(branch) or ())
