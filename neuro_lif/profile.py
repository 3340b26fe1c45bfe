"""Hardware profiles: what a chip (or a simulator's dialect of it) does, as data.

A profile is one TOML file: registers, parameter ranges, weight coding, network rules and, for every
neuron model, the ordered operations of :mod:`neuro_lif.numerics`. Each number carries its source and
how well that source is confirmed (``status``).
"""

from __future__ import annotations

import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from .errors import ProfileError, show
from .formats import drop_low_bits
from .numerics import Op, Overflow, ResolvedOps, Strict, resolve, walk

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Status = Literal[
    "run", "code", "paper", "second_hand", "derived", "measured", "simulated", "fitted", "vendor",
    "assumed", "unknown",
]  # fmt: skip

SIGN_MODES = ("mixed", "excitatory", "inhibitory", "null")


class Sourced(Strict):
    """Anything that states a number: where it comes from and how well that is confirmed."""

    source: str
    status: Status
    note: str = ""


class ConfigValue(Strict):
    """A value the user may set when loading a generic profile."""

    value: int | str
    lo: int | None = None
    hi: int | None = None
    choices: tuple[str, ...] | None = Field(default=None, strict=False)
    about: str = ""


class Register(Sourced):
    """A register: ``bits`` wide, two's complement where ``signed``; ``symmetric`` drops -2**(b-1)."""

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

    lo: int | None = None
    hi: int | None = None
    bits: int | None = Field(default=None, ge=1, le=48)
    signed: bool = False
    hi_pow2: int | None = Field(default=None, ge=0, le=40)
    default: int = 0
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

    lo: int
    hi: int


class Weights(Sourced):
    """How a synaptic weight is coded.

    A mantissa of ``mantissa_bits`` magnitude bits is clipped to its sign mode's range, loses
    ``mantissa_bits - weight_bits`` low bits (one more in mixed mode where ``mixed_drops_lsb``), and is
    shifted by the projection's exponent: on the sum of all arriving weights, or synapse by synapse.
    """

    mantissa_bits: int = Field(ge=1, le=24)
    default_bits: int = Field(ge=1, le=24)
    mixed_drops_lsb: bool = True
    low_bits: Literal["floor", "rtz", "nearest_even"] = "floor"
    inhibitory_low_bits: Literal["floor", "rtz", "nearest_even"] = "rtz"
    modes: dict[str, SignMode] = Field(default_factory=dict)
    exponent_lo: int = 0
    exponent_hi: int = 0
    exponent_on: Literal["sum", "synapse"] = "sum"
    exponent_round: Literal["floor", "rtz", "nearest_even"] = "floor"

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

    def step(self, mode: str, weight_bits: int) -> int:
        """Distance between two representable mantissas."""
        return int(2 ** self.dropped_bits(mode, weight_bits))

    def dropped_bits(self, mode: str, weight_bits: int) -> int:
        """How many low bits of the mantissa are lost."""
        mixed = int(mode == "mixed" and self.mixed_drops_lsb)
        return self.mantissa_bits - weight_bits + mixed

    def effective(self, mantissas: Any, mode: str, weight_bits: int) -> Any:
        """Return int64 mantissas after the clip and the loss of low bits."""
        import numpy as np

        lo, hi = self.mode_range(mode)
        clipped = np.clip(np.asarray(mantissas, np.int64), lo, hi)
        rounding = self.inhibitory_low_bits if mode == "inhibitory" else self.low_bits
        return drop_low_bits(clipped, self.dropped_bits(mode, weight_bits), rounding)


class Routing(Sourced):
    """When a spike arrives and how wide the sums on the way are.

    A spike of step t arrives in step ``t + latency + delay``.
    """

    input_latency: int = Field(default=1, ge=0, le=1)
    recurrent_latency: int = Field(default=1, ge=1, le=1)
    delay_lo: int = 0
    delay_hi: int = 0
    delay_per: Literal["synapse", "projection", "none"] = "none"
    payload_bits: int = Field(default=0, ge=0, le=32)
    accumulator: tuple[Overflow, ...] = Field(default=(), strict=False)


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
        return resolve(self.model(model).ops, self.register_ranges)

    def model(self, name: str) -> NeuronModel:
        """Return one neuron model.

        Raises:
            ProfileError: the profile has no such model.
        """
        if name not in self.models:
            known = ", ".join(sorted(self.models))
            raise ProfileError(f"profile {self.name!r}: no neuron model {name!r}, allowed: {known}")
        return self.models[name]

    def accumulator(self) -> tuple[tuple[str, int, int], ...]:
        """Return the overflow rules of one projection's sum."""
        rules = self.routing.accumulator
        return tuple((r.mode, int(r.lo or 0), int(r.hi or 0)) for r in rules)


# ---------------------------------------------------------------------------- loading


def profile_folders() -> list[Path]:
    """Folders searched for profiles: the installed package's own, then the checkout's."""
    here = Path(__file__).resolve().parent
    return [p for p in (here / "hw_profiles", here.parent / "hw_profiles") if p.is_dir()]


def available_profiles() -> dict[str, Path]:
    """Return the shipped profiles: name -> file."""
    found: dict[str, Path] = {}
    for folder in profile_folders():
        for file in sorted(folder.glob("*.toml")):
            found.setdefault(file.stem, file)
    return found


def load_profile(name: str | Path, **config: int | str) -> HardwareProfile:
    """Load a profile by its shipped name or from a file of your own.

    Args:
        name: a shipped name (see :func:`available_profiles`) or a path to a ``.toml`` file.
        **config: values for the profile's ``[config]`` table, e.g. ``weight_bits=4``.

    Raises:
        ProfileError: no such profile, or all faults of the file in one report.
    """
    return _parse_profile(_find(name), config)


def _find(name: str | Path) -> Path:
    shipped = available_profiles()
    if str(name) in shipped:
        return shipped[str(name)]
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        if path.is_file():
            return path
        raise ProfileError(f"profile file {str(path)!r}: no such file")
    raise ProfileError(
        f"profile = {str(name)!r}, allowed: {', '.join(sorted(shipped))}, or a path to a .toml file"
    )


def _parse_profile(path: Path, config: dict[str, int | str]) -> HardwareProfile:
    try:
        with path.open("rb") as stream:
            raw = tomllib.load(stream)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile file {path.name}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"profile file {path.name}: cannot be read: {error}") from None
    faults: list[str] = []
    raw = _substitute(raw, _config_values(raw, config, faults), "", faults)
    try:
        profile = HardwareProfile.model_validate(raw)
    except ValidationError as error:
        faults += [_explain(fault) for fault in error.errors()]
        profile = None
    if profile is not None:
        faults += check_profile(profile)
    if faults or profile is None:
        listing = "\n  ".join(faults)
        raise ProfileError(f"profile file {path.name}: {len(faults)} fault(s)\n  {listing}")
    return profile


def _config_values(
    raw: dict[str, Any], config: dict[str, int | str], faults: list[str]
) -> dict[str, int | str]:
    table = raw.get("config", {})
    entries = {k: v for k, v in table.items() if isinstance(v, dict)}
    values = {k: v.get("value") for k, v in entries.items()}
    for key, value in config.items():
        if key not in entries:
            known = ", ".join(sorted(entries)) or "none (this profile has no [config])"
            faults.append(f"config.{key} = {show(value)}: unknown, allowed: {known}")
            continue
        values[key] = value
    for key, value in values.items():
        _check_config(key, value, entries[key], faults)
    return {k: v for k, v in values.items() if isinstance(v, (int, str))}


def _check_config(key: str, value: Any, entry: dict[str, Any], faults: list[str]) -> None:
    choices, lo, hi = entry.get("choices"), entry.get("lo"), entry.get("hi")
    if choices is not None and value not in choices:
        faults.append(f"config.{key} = {show(value)}: allowed: {', '.join(map(str, choices))}")
    elif lo is not None and hi is not None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not lo <= value <= hi:
            faults.append(f"config.{key} = {show(value)}: allowed: a whole number {lo}..{hi}")


def _substitute(node: Any, values: dict[str, int | str], path: str, faults: list[str]) -> Any:
    """Replace ``"$name"`` and ``"$name+1"`` by the config value."""
    if isinstance(node, dict):
        return {k: _substitute(v, values, f"{path}.{k}", faults) for k, v in node.items()}
    if isinstance(node, list):
        return [_substitute(v, values, f"{path}.{i}", faults) for i, v in enumerate(node)]
    if isinstance(node, str) and node.startswith("$"):
        match = re.fullmatch(r"\$(\w+)([+-]\d+)?", node)
        if not match or match[1] not in values:
            faults.append(f"{path.lstrip('.')} = {node!r}: no such config value")
            return node
        value = values[match[1]]
        return value + int(match[2]) if match[2] and isinstance(value, int) else value
    return node


def _explain(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where} = {show(fault['input'])}: {fault['msg']}"


def check_profile(profile: HardwareProfile) -> list[str]:
    """Return the faults no single field shows: names that do not exist, sources nobody gave."""
    faults = [
        f"params.{name}: needs lo and hi, or bits, or hi_pow2"
        for name, p in profile.params.items()
        if p.bits is None and p.hi_pow2 is None and (p.lo is None or p.hi is None)
    ]
    for where, item in _sourced(profile):
        for source in item.source.split(","):
            if source.strip() not in profile.sources:
                faults.append(f"{where}.source = {source.strip()!r}: not in [sources]")
    faults += [f"weights.modes.{m}: allowed: {', '.join(SIGN_MODES)}"
               for m in profile.weights.modes if m not in SIGN_MODES]  # fmt: skip
    if profile.weights.default_bits > profile.weights.mantissa_bits:
        faults.append(
            f"weights.default_bits = {profile.weights.default_bits}: "
            f"allowed: at most mantissa_bits = {profile.weights.mantissa_bits}"
        )
    for i, rule in enumerate(profile.routing.accumulator):
        if rule.lo is None or rule.hi is None:
            faults.append(f"routing.accumulator.{i}: needs lo and hi")
    for name, model in profile.models.items():
        faults += _check_model(profile, name, model)
    return faults


def _sourced(profile: HardwareProfile) -> list[tuple[str, Sourced]]:
    items: list[tuple[str, Sourced]] = [("weights", profile.weights), ("routing", profile.routing)]
    tables: dict[str, dict[str, Any]] = {
        "registers": profile.registers,
        "params": profile.params,
        "models": profile.models,
        "resources": profile.resources,
    }
    for table, entries in tables.items():
        items += [(f"{table}.{name}", entry) for name, entry in entries.items()]
    for name, costs in profile.costs.items():
        items += [(f"costs.{name}.terms.{term}", q) for term, q in costs.terms.items()]
    return items


def _check_model(profile: HardwareProfile, name: str, model: NeuronModel) -> list[str]:
    faults = []
    for role in (model.voltage, model.current):
        if role is not None and role not in profile.registers:
            faults.append(f"models.{name}: register {role!r} is not in [registers]")
    if faults:
        return faults
    operands = {"src", "d", "lo", "hi", "level", "value", "thr", "ref", "shift"}
    try:
        ops = walk(profile.ops(name))
    except KeyError as error:
        return [f"models.{name}: register {error} is not in [registers]"]
    for i, op in enumerate(ops):
        where = f"models.{name}.ops.{i} ({op['op']})"
        for key in ("reg", "into", "cmp_reg"):
            if op.get(key) is not None and op[key] not in profile.registers:
                faults.append(f"{where}.{key} = {op[key]!r}: not in [registers]")
        for key in operands & op.keys():
            value = op[key]
            known = value in profile.params or value in profile.registers
            if isinstance(value, str) and not known:
                faults.append(f"{where}.{key} = {value!r}: not in [params] or [registers]")
    return faults


def profile_schema() -> dict[str, Any]:
    """Return the JSON schema of a profile file."""
    return HardwareProfile.model_json_schema()
