"""Hardware profiles: what a chip (or a simulator's dialect of it) does, as data.

A profile is one TOML file: registers, parameter ranges, weight coding, network rules and, for every
neuron model, the ordered operations of :mod:`neuro_lif.numerics`. Each number carries its source
and how well that source is confirmed (``status``).
"""

from __future__ import annotations

import re
import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .errors import ProfileError, show
from .numerics import Op, Strict, walk
from .profile_model import (
    SIGN_MODES,
    ConfigValue,
    Costs,
    HardwareProfile,
    NeuronModel,
    Parameter,
    Quantity,
    Register,
    Routing,
    SignMode,
    Sourced,
    Weights,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "SIGN_MODES",
    "ConfigValue",
    "Costs",
    "HardwareProfile",
    "NeuronModel",
    "Parameter",
    "Quantity",
    "Register",
    "Routing",
    "SignMode",
    "Sourced",
    "Weights",
    "available_profiles",
    "check_profile",
    "load_profile",
    "profile_folders",
    "profile_schema",
]


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
    given: Any = name
    if not isinstance(given, (str, Path)):
        raise ProfileError(f"profile = {show(name)}, allowed: a name or a path to a .toml file")
    if str(name) in shipped:
        return shipped[str(name)]
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        if path.is_file():
            return path
        raise ProfileError(
            f"profile file {str(path)!r}: no such file, allowed: a path to a .toml file, or one of "
            + ", ".join(sorted(shipped))
        )
    raise ProfileError(
        f"profile = {str(name)!r}, allowed: {', '.join(sorted(shipped))}, or a path to a .toml file"
    )


def _parse_profile(path: Path, config: dict[str, int | str]) -> HardwareProfile:
    try:
        with path.open("rb") as stream:
            raw = tomllib.load(stream)
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise ProfileError(f"profile file {path.name}: not valid TOML: {error}") from None
    except OSError as error:
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
    """Return the values of [config]; what the caller gave is noted in ``raw``."""
    table = raw.get("config", {})
    entries = {k: v for k, v in table.items() if isinstance(v, dict)} if _is_table(table) else {}
    for key, value in config.items():
        if key not in entries:
            known = ", ".join(sorted(entries)) or "none (this profile has no [config])"
            faults.append(f"config.{key} = {show(value)}: unknown, allowed: {known}")
            continue
        before = len(faults)
        _check_config(key, value, entries[key], faults)
        if len(faults) == before:  # a refused value would be a fault at every place of its use
            # so that the loaded profile says with which values it was loaded
            entries[key]["value"] = value
    for key in entries.keys() - config.keys():
        _check_config(key, entries[key].get("value"), entries[key], faults)
    values = {k: v.get("value") for k, v in entries.items()}
    return {k: v for k, v in values.items() if isinstance(v, (int, str))}


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _check_config(key: str, value: Any, entry: dict[str, Any], faults: list[str]) -> None:
    choices, lo, hi = entry.get("choices"), entry.get("lo"), entry.get("hi")
    # a malformed entry is reported by the schema
    if isinstance(choices, list):
        if value not in choices:
            faults.append(f"config.{key} = {show(value)}: allowed: {', '.join(map(str, choices))}")
    elif isinstance(lo, int) and isinstance(hi, int):
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
    if fault["type"] == "missing":
        return f"{where} = (absent): needed"
    message = fault["msg"]
    if fault["type"] == "extra_forbidden":
        message = f"unknown key, allowed: {', '.join(_keys_at(fault['loc'][:-1])) or 'none'}"
    return f"{where} = {show(fault['input'])}: {message}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed in the table at ``path`` of a profile."""
    kind: Any = HardwareProfile
    for part in path:
        kind = _below(kind, part)
    return [f.alias or n for m in _tables(kind) for n, f in m.model_fields.items()]


def _below(kind: Any, part: int | str) -> Any:
    """Return the type of entry ``part`` of a value of type ``kind`` (None: not known)."""
    if isinstance(kind, type) and issubclass(kind, Strict):
        fields = {f.alias or n: f.annotation for n, f in kind.model_fields.items()}
        return fields.get(str(part))
    # a model that mentions itself names its own type as text: the list of operations
    inner = tuple(
        Op if isinstance(k, (str, typing.ForwardRef)) else k for k in typing.get_args(kind)
    )
    if typing.get_origin(kind) in (dict, tuple):
        return inner[-1] if typing.get_origin(kind) is dict else inner[0]
    tagged = [m for m in _tables(kind) if _tag(m) == part]
    if tagged:  # one operation of a union, told by its tag
        return tagged[0]
    return next((found for k in inner if (found := _below(k, part)) is not None), None)


def _tables(kind: Any) -> list[type[Strict]]:
    """Return the types of table that a value of type ``kind`` can be."""
    if isinstance(kind, type) and issubclass(kind, Strict):
        return [kind]
    if typing.get_origin(kind) in (dict, tuple):
        return []
    return [m for part in typing.get_args(kind) for m in _tables(part)]


def _tag(model: type[Strict]) -> object:
    field = model.model_fields.get("op")
    return typing.get_args(field.annotation)[0] if field is not None else None


def check_profile(profile: HardwareProfile) -> list[str]:
    """Return the faults no single field shows: names that do not exist, sources nobody gave."""
    faults = [
        f"params.{name}: needs lo and hi, or bits, or hi_pow2"
        for name, p in profile.params.items()
        if _without_span(p)
    ]
    faults += _check_spans(profile)
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


def _check_spans(profile: HardwareProfile) -> list[str]:
    """Return the ranges that are upside down and the defaults outside their range."""
    routing, weights = profile.routing, profile.weights
    spans = {
        "routing.delay": (routing.delay_lo, routing.delay_hi),
        "weights.exponent": (weights.exponent_lo, weights.exponent_hi),
        **{f"weights.modes.{m}": (s.lo, s.hi) for m, s in weights.modes.items()},
    }
    known = {n: p for n, p in profile.params.items() if not _without_span(p)}
    spans |= {f"params.{name}": p.span for name, p in known.items()}
    faults = [f"{where}: lo = {lo} is above hi = {hi}, allowed: lo <= hi"
              for where, (lo, hi) in spans.items() if lo > hi]  # fmt: skip
    for name, p in known.items():
        lo, hi = p.span
        if not faults and not lo <= p.default <= hi:
            faults.append(f"params.{name}.default = {p.default}: allowed: {lo}..{hi}")
    return faults


def _without_span(p: Parameter) -> bool:
    return p.bits is None and p.hi_pow2 is None and (p.lo is None or p.hi is None)


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
