"""The tables of a hardware profile and what they mean; :mod:`neuro_lif.profile` loads them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from .errors import ProfileError
from .formats import drop_low_bits
from .numerics import (
    MOST_SHIFT,
    MOST_SPIKES,
    WIDEST,
    ResolvedOps,
    joint_ports_of,
    params_of,
    ports_of,
    resolve,
    sum_ports_of,
)
from .op_models import Op, Overflow, Strict

Status = Literal[
    "run", "code", "paper", "second_hand", "derived", "measured", "simulated", "fitted", "vendor",
    "assumed", "unknown",
]  # fmt: skip


class Sourced(Strict):
    """Anything that states a number: where it comes from and how well that is confirmed."""

    source: str
    status: Status
    note: str = ""


class ConfigValue(Sourced):
    """A value the user may set when loading a profile; the source is that of its default."""

    value: int | str
    lo: int | None = None
    hi: int | None = None
    choices: tuple[str, ...] | None = Field(default=None, strict=False)
    about: str = ""


class Register(Sourced):
    """A register: ``bits`` wide, two's complement if ``signed``; ``symmetric`` drops -2**(b-1)."""

    bits: int = Field(ge=1, le=48)
    signed: bool = True
    symmetric: bool = False
    about: str = ""

    @property
    def span(self) -> tuple[int, int]:
        """Lowest and highest value."""
        if not self.signed:
            return (0, 2**self.bits - 1)
        top = 2 ** (self.bits - 1)
        return (-top + int(self.symmetric), top - 1)


class Parameter(Sourced):
    """A parameter's allowed range and how it is stored.

    The range is ``lo``..``hi``, or what ``bits`` (and ``signed``) hold, or ``lo``..``2**hi_pow2``.
    """

    lo: int | None = Field(default=None, ge=-WIDEST, le=WIDEST)
    hi: int | None = Field(default=None, ge=-WIDEST, le=WIDEST)
    bits: int | None = Field(default=None, ge=1, le=48)
    signed: bool = False
    hi_pow2: int | None = Field(default=None, ge=0, le=40)
    default: int = Field(default=0, ge=-WIDEST, le=WIDEST)
    per: Literal["neuron", "population", "core", "chip"] = "neuron"
    storage: Overflow | None = None
    about: str = ""

    @property
    def span(self) -> tuple[int, int]:
        """Lowest and highest allowed value."""
        if self.bits is not None:
            top = 2 ** (self.bits - int(self.signed))
            return (-top if self.signed else 0, top - 1)
        if self.hi_pow2 is not None:
            return (self.lo or 0, 2**self.hi_pow2)
        if self.lo is None or self.hi is None:  # the loader refuses this
            raise ProfileError("a parameter needs lo and hi, or bits")
        return (self.lo, self.hi)


class SignMode(Strict):
    """Range of the weight mantissa in one sign mode, before low bits are dropped."""

    lo: int = Field(ge=-(2**31), le=2**31)
    hi: int = Field(ge=-(2**31), le=2**31)


class Weights(Sourced):
    """How a synaptic weight is coded.

    A mantissa of ``mantissa_bits`` magnitude bits is clipped to its sign mode's range, loses
    ``mantissa_bits - weight_bits`` low bits (one more in mixed mode where ``mixed_drops_lsb``), and
    is shifted by the projection's exponent: on the sum of all arriving weights, or synapse by
    synapse.
    """

    mantissa_bits: int = Field(ge=1, le=24)
    default_bits: int = Field(ge=1, le=24)
    mixed_drops_lsb: bool = True
    low_bits: Literal["floor", "rtz", "nearest_even"] = "floor"
    inhibitory_low_bits: Literal["floor", "rtz", "nearest_even"] = "rtz"
    modes: dict[str, SignMode] = Field(default_factory=dict)
    exponent_lo: int = Field(default=0, ge=-MOST_SHIFT, le=MOST_SHIFT)
    exponent_hi: int = Field(default=0, ge=-MOST_SHIFT, le=MOST_SHIFT)
    exponent_on: Literal["sum", "synapse"] = "sum"
    exponent_round: Literal["floor", "rtz", "nearest_even"] = "floor"
    effective_lo: int | None = Field(default=None, ge=-(2**40), le=2**40)
    effective_hi: int | None = Field(default=None, ge=-(2**40), le=2**40)

    def mode_range(self, mode: str) -> tuple[int, int]:
        """Lowest and highest mantissa of a sign mode."""
        if mode in self.modes:
            return (self.modes[mode].lo, self.modes[mode].hi)
        top = 2**self.mantissa_bits
        return {
            "mixed": (-top, top - 1),
            "excitatory": (0, top - 1),
            "inhibitory": (-(top - 1), 0),
            "null": (0, top - 1),
        }[mode]

    def kept_range(self, mode: str, exponent: int) -> tuple[int, int]:
        """Lowest and highest mantissa that neither the sign mode nor the shifted range clips."""
        lo, hi = self.mode_range(mode)
        unit = 2**exponent if self.exponent_on == "synapse" and exponent > 0 else 1
        if self.effective_lo is not None:
            lo = max(lo, -(-self.effective_lo // unit))
        if self.effective_hi is not None:
            hi = min(hi, self.effective_hi // unit)
        return (lo, hi)

    def step(self, mode: str, weight_bits: int) -> int:
        """Distance between two representable mantissas."""
        return int(2 ** self.dropped_bits(mode, weight_bits))

    def dropped_bits(self, mode: str, weight_bits: int) -> int:
        """How many low bits of the mantissa are lost."""
        mixed = int(mode == "mixed" and self.mixed_drops_lsb)
        return self.mantissa_bits - weight_bits + mixed

    def effective(self, mantissas: Any, mode: str, weight_bits: int) -> Any:
        """Return int64 mantissas after the clip and the loss of low bits."""
        lo, hi = self.mode_range(mode)
        clipped = np.clip(np.asarray(mantissas, np.int64), lo, hi)
        rounding = self.inhibitory_low_bits if mode == "inhibitory" else self.low_bits
        return drop_low_bits(clipped, self.dropped_bits(mode, weight_bits), rounding)


class Routing(Sourced):
    """When a spike arrives and how wide the sums on the way are.

    A spike of step t arrives in step ``t + latency + delay``. With ``alias`` a neuron's spikes are
    added in the same step to those of another neuron of its population (up to ``alias_cap``),
    neurons in index order. ``duplicates`` says which of several synapses of one projection between
    the same two neurons count.
    """

    input_latency: int = Field(default=1, ge=0, le=1)
    recurrent_latency: int = Field(default=1, ge=1, le=1)
    delay_lo: int = Field(default=0, ge=0, le=2**20)
    delay_hi: int = Field(default=0, ge=0, le=2**20)
    delay_per: Literal["synapse", "projection", "none"] = "none"
    payload_bits: int = Field(default=0, ge=0, le=32)
    accumulator: tuple[Overflow, ...] = Field(default=(), strict=False)
    alias: bool = False
    alias_cap: int = Field(default=MOST_SPIKES, ge=1, le=MOST_SPIKES)
    duplicates: Literal["sum", "last"] = "sum"


class Convolutions(Sourced):
    """What is different for a convolution: its weights may not be coded, its sums be wider."""

    weights: Literal["coded", "raw"] = "coded"
    accumulator: tuple[Overflow, ...] = Field(default=(), strict=False)


class Noise(Sourced):
    """Random integers that arrive at a port of every neuron in every step.

    ``mt19937_randint``: one ``numpy.random.RandomState(seed).randint(lo, hi + 1, size=n)`` per step
    for all ``n`` neurons of the network, populations in order.
    """

    port: str = "noise"
    generator: Literal["mt19937_randint"]
    lo: int = Field(ge=-(2**31), le=2**31)
    hi: int = Field(ge=-(2**31), le=2**31)


class NeuronModel(Sourced):
    """One neuron model: the ordered operations of one step."""

    about: str = ""
    voltage: str = "v"
    current: str | None = "u"
    ops: tuple[Op, ...] = Field(strict=False)


class Quantity(Sourced):
    """A number of a data sheet; ``value`` absent means looked for and not found."""

    value: float | int | None = None
    unit: str = ""


class Costs(Strict):
    """Energy or time per event; ``scope`` says whether terms may be added."""

    scope: Literal["per_term", "all_in"]
    conditions: str
    terms: dict[str, Quantity]


class HardwareProfile(Strict):
    """A chip or a simulator's dialect. Load one with :func:`load_profile`."""

    schema_: Literal["hw-profile/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    about: str = ""
    dated: str
    config: dict[str, ConfigValue] = Field(default_factory=dict)
    sources: dict[str, str]
    registers: dict[str, Register]
    params: dict[str, Parameter]
    weights: Weights
    routing: Routing
    convolution: Convolutions | None = None
    noise: Noise | None = None
    models: dict[str, NeuronModel] = Field(min_length=1)
    resources: dict[str, Quantity] = Field(default_factory=dict)
    costs: dict[str, Costs] = Field(default_factory=dict)
    exclusions: tuple[str, ...] = Field(default=(), strict=False)

    @cached_property
    def register_ranges(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest value of each register."""
        return {name: register.span for name, register in self.registers.items()}

    def ops(self, model: str) -> ResolvedOps:
        """Return the operations of ``model`` with every overflow range written out."""
        self.model(model)
        return self.resolved[model]

    @cached_property
    def resolved(self) -> dict[str, ResolvedOps]:
        """The operations of every model with every overflow range written out."""
        return {n: resolve(m.ops, self.register_ranges) for n, m in self.models.items()}

    def used_params(self, model: str) -> tuple[str, ...]:
        """Return the parameters that the operations of ``model`` name, in the profile's order."""
        self.model(model)
        return self.params_used[model]

    @cached_property
    def params_used(self) -> dict[str, tuple[str, ...]]:
        """The parameters that the operations of every model name."""
        named = {model: params_of(ops) for model, ops in self.resolved.items()}
        return {m: tuple(p for p in self.params if p in names) for m, names in named.items()}

    def model(self, name: str) -> NeuronModel:
        """Return one neuron model.

        Raises:
            ProfileError: the profile has no such model.
        """
        if name not in self.models:
            known = ", ".join(sorted(self.models))
            raise ProfileError(f"profile {self.name!r}: no neuron model {name!r}, allowed: {known}")
        return self.models[name]

    def accumulator(self, convolution: bool = False) -> tuple[tuple[str, int, int], ...]:
        """Return the overflow rules of one projection's sum."""
        own = self.convolution if convolution else None
        rules = self.routing.accumulator if own is None else own.accumulator
        return tuple((r.mode, int(r.lo or 0), int(r.hi or 0)) for r in rules)

    def event_ports(self, model: str) -> dict[str, int | None]:
        """Return the ports of a model that take events one by one, with their caps."""
        return ports_of(self.ops(model))

    def joint_ports(self, model: str) -> tuple[str, ...]:
        """Return the event ports of a model that are taken together, turn by turn."""
        return joint_ports_of(self.ops(model))

    def ports(self, model: str) -> set[str]:
        """Return the ports of a model that projections may lead to."""
        own = {self.noise.port} if self.noise is not None else set()
        return (sum_ports_of(self.ops(model)) | self.event_ports(model).keys()) - own

    def hears_noise(self, model: str) -> bool:
        """Tell whether a model reads the noise."""
        return self.noise is not None and self.noise.port in sum_ports_of(self.ops(model))
