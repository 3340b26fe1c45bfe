"""What 64 bits can compute with: refused by name before a run, so that no executor wraps by itself.

The living definition computes without a width, everything else in int64. So no value given may be
larger than ``WIDEST`` (2**48, refused where the parts of a network are built), and no shifted
value, product of a decay or sum of a port may be able to pass ``PRODUCT`` (2**62). Registers count
as wide as they are, graded spikes of a population as wide as the payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import IntArray, post_of_entries, row_sums
from .errors import Faults
from .fixed_inputs import DirectInput
from .fixed_parts import FixedPopulation, FixedProjection
from .memo import Memo
from .numerics import PRODUCT, walk
from .poisson import FixedPoisson
from .stored import delivered_entries, is_raw, kernel_stages, stored_params

if TYPE_CHECKING:
    from .profile_model import HardwareProfile

Reach = int
"""The largest magnitude of something."""

SHIFTED = {"thr": "thr_shift", "src": "shift", "level": "level_shift"}
"""Operand -> the field that says how far it is shifted."""

FURTHEST = 62
"""Where ranges are not enforced, nothing is shifted further than this, to either side."""

ALLOWED = "at most 2**62 (executors compute in 64 bits)"


class _Operands:
    """The largest magnitudes of a population's operands, neuron by neuron."""

    def __init__(self, profile: HardwareProfile, p: FixedPopulation) -> None:
        self.params, _ = stored_params(profile, p)
        self.profile, self.population, self.size = profile, p, p.size

    @cached_property
    def registers(self) -> dict[str, IntArray]:
        """The largest magnitude of every register."""
        init = self.population.init
        return {
            name: np.maximum(max(map(abs, span)), np.abs(init.get(name, 0)))
            for name, span in self.profile.register_ranges.items()
        }

    def value(self, operand: Any) -> IntArray | None:
        """Return a constant or parameter ``(n,)``; None for a register."""
        if not isinstance(operand, str):
            return np.full(self.size, operand, np.int64)
        name = operand.removeprefix("-")
        if name not in self.params:
            return None
        return -self.params[name] if operand != name else self.params[name]

    def reach(self, operand: Any) -> IntArray:
        """Return the largest magnitude of an operand ``(n,)``."""
        value = self.value(operand)
        if value is not None:
            return np.abs(value)
        name = str(operand).removeprefix("-")
        return np.broadcast_to(self.registers.get(name, np.int64(0)), (self.size,))


def check_width(profile: HardwareProfile, p: FixedPopulation, faults: Faults) -> None:
    """Note every operation of a population that could leave 62 bits."""
    operands, where = _Operands(profile, p), f"population {p.name!r}"
    for op in walk(profile.ops(p.model)):
        name = f"operation {op['at']} ({op['op']} of {_named(op)})"
        for field in _shift_fields(op):
            by = operands.value(op[field])
            if by is not None and np.abs(by).max() > FURTHEST:
                worst = int(by[np.argmax(np.abs(by))])
                faults.add(where, f"{op[field]} (a shift)", worst, f"{-FURTHEST}..{FURTHEST}")
                return
        reach = _reach_of(op, operands)
        if reach > PRODUCT:
            faults.add(where, name, reach, ALLOWED)


def _named(op: Mapping[str, Any]) -> str:
    fields = ("reg", "d", "src", "thr", "level", "shift", "level_shift")
    return ", ".join(dict.fromkeys(str(op[f]) for f in fields if isinstance(op.get(f), str)))


def _shift_fields(op: Mapping[str, Any]) -> list[str]:
    shifts = [f for f in ("shift", "thr_shift", "level_shift") if f in op]
    return [*shifts, *(["d"] if op.get("kind") == "shift" else [])]


def _reach_of(op: Mapping[str, Any], operands: _Operands) -> Reach:
    """Return the largest magnitude on the way of one operation."""
    found = [0]
    for field, by in SHIFTED.items():
        if op.get(field) is not None and by in op:
            found.append(_shifted(operands.reach(op[field]), operands.value(op[by])))
    if op["op"] == "decay":
        x, kind = operands.reach(op["reg"]), op["kind"]
        if kind == "shift":
            by_d = operands.value(op["d"])
            found.append(_shifted(x, None if by_d is None else -by_d))
        elif kind.startswith("mult"):
            base = {"mult_keep": (1 << op["k"]) - op["offset"], "mult_step": op["offset"]}
            d = operands.value(op["d"])
            far = operands.reach(op["d"]) if d is None else d
            sign = -1 if kind == "mult_keep" else 1
            factors = [abs(base.get(kind, 0) + sign * int(f)) for f in far]
            found += [int(a) * b for a, b in zip(x, factors, strict=True)]
    return max(found)


def _shifted(values: IntArray, by: IntArray | None) -> Reach:
    places = np.zeros_like(values) if by is None else by
    return max(int(x) << max(int(k), 0) for x, k in zip(values, places, strict=True))


# --------------------------------------------------------------------------------- sums


_sums: Memo[tuple[HardwareProfile, tuple[Reach, Reach]]] = Memo()


def largest_sums(profile: HardwareProfile, p: FixedProjection) -> tuple[Reach, Reach]:
    """Return how far one weight reaches, and all weights of one neuron together."""
    known = _sums.get(p)
    if known is None or known[0] is not profile:
        known = _sums.keep(p, (profile, _largest_sums(profile, p)))
    return known[1]


def _largest_sums(profile: HardwareProfile, p: FixedProjection) -> tuple[Reach, Reach]:
    if p.convolution is not None and p.is_folded:
        kernel = np.abs(kernel_stages(profile, p, p.convolution).delivered)
        used = kernel[p.convolution.uses() > 0]
        return (int(used.max(initial=0)), int(p.convolution.largest_sum(kernel)))
    delivered = delivered_entries(profile, p)
    if not delivered.size:
        return (0, 0)
    if delivered.dtype.itemsize <= 4:
        most = max(abs(int(delivered.min())), abs(int(delivered.max())))
        return (most, int(row_sums(p.weights, delivered).max()))
    values = np.abs(delivered).astype(np.float64)
    return (int(values.max()), int(np.bincount(post_of_entries(p.weights), values).max()))


def check_sums(
    profile: HardwareProfile, populations: Iterable[FixedPopulation],
    projections: Iterable[tuple[FixedProjection, tuple[Reach, Reach]]],
    directs: Iterable[DirectInput], most: Mapping[str, Reach], faults: Faults,
    poissons: Iterable[FixedPoisson] = (),
) -> None:  # fmt: skip
    """Note every projection and port whose sum could leave 62 bits.

    Args:
        profile, populations, directs: of the network.
        projections: of the network, each with its :func:`largest_sums`.
        most: input name -> the largest magnitude it holds.
        faults: noted here.
        poissons: of the network.
    """
    named = {p.name: p for p in populations}
    ports: dict[tuple[str, str], int] = {}
    for p, (one, together) in projections:
        payload = 1
        if p.graded and p.pre in named:
            payload = min(most_sent(profile, named[p.pre]), 2**profile.routing.payload_bits)
        elif p.graded:
            payload = most[p.pre]
        single = p.port in profile.event_ports(named[p.post].model)
        total = one if single else together * payload
        if total > PRODUCT:
            where = f"projection {p.name!r}"
            faults.add(where, f"sum of weights times {payload}", total, ALLOWED)
            continue
        arrives = _arriving(profile, p, total, faults)
        ports[p.post, p.port] = ports.get((p.post, p.port), 0) + arrives
    for d in directs:
        key = d.population, d.port
        ports[key] = ports.get(key, 0) + most[d.name]
    for x in poissons:
        key, span = (x.population, x.port), x.span(named[x.population].size)
        ports[key] = ports.get(key, 0) + int(np.abs(span).max(initial=0))
    for (name, port), reach in ports.items():
        _check_acc(profile, named[name], port, reach, faults)


def most_sent(profile: HardwareProfile, p: FixedPopulation) -> Reach:
    """Return the largest magnitude that a population's neurons can be meant to send in a step."""
    operands, total = _Operands(profile, p), 0
    for op in walk(profile.ops(p.model)):
        if op["op"] == "emit":
            total += _reach_of(op, operands)
        elif op["op"] == "fire":
            total += op["cap"]
    return total


def _arriving(profile: HardwareProfile, p: FixedProjection, total: Reach, faults: Faults) -> Reach:
    """Return how far what arrives of a projection in one step reaches; ``total`` is unshifted."""
    where, rules = f"projection {p.name!r}", profile.accumulator(p.convolution is not None)
    on_sum = profile.weights.exponent_on == "sum" and not is_raw(profile, p)
    shifted = _limited(total, rules) << max(p.exponent if on_sum else 0, 0)
    if shifted > PRODUCT:
        faults.add(where, f"sum shifted by exponent {p.exponent}", shifted, ALLOWED)
        return 0
    return _limited(shifted, rules) * len(p.different_delays)


def _limited(reach: Reach, rules: Iterable[tuple[str, int, int]]) -> Reach:
    """Return how far a value reaches after overflow rules."""
    for mode, lo, hi in rules:
        if mode != "wrap_once":
            reach = min(reach, max(abs(lo), abs(hi)))
    return reach


_fine_sums: Memo[tuple[HardwareProfile, dict[str, Reach]]] = Memo()
"""Port -> the farthest reach of its sum that was fine, of a population under a profile."""


def _check_acc(
    profile: HardwareProfile, p: FixedPopulation, port: str, reach: Reach, faults: Faults
) -> None:
    """Note every ``acc`` of a port whose sum, or shifted sum, could leave 62 bits."""
    known = _fine_sums.get(p)
    fine = known[1] if known is not None and known[0] is profile else {}
    if reach <= fine.get(port, -1):
        return  # a farther one was fine
    operands = _Operands(profile, p)
    for op in walk(profile.ops(p.model)):
        if op["op"] != "acc" or op["port"] != port:
            continue
        by = operands.value(op["shift"])
        most = 0 if by is None else max(int(by.max()), 0)
        summed = max(reach, _limited(reach, op["sum_ovf"]) << min(most, FURTHEST))
        if summed > PRODUCT:
            faults.add(f"population {p.name!r}", f"sum of port {port!r}", summed, ALLOWED)
            return
    _fine_sums.keep(p, (profile, fine | {port: reach}))
