"""Hardware profiles: what a chip (or a simulator's dialect of it) does, as data.

A profile is one TOML file: registers, parameter ranges, weight coding, network rules and, for every
neuron model, the ordered operations of :mod:`neuro_lif.numerics`. Each number carries its source
and how well that source is confirmed (``status``).
"""

from __future__ import annotations

import re
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .errors import ProfileError, show
from .numerics import SIGN_MODES
from .op_checks import (
    Scope,
    Span,
    check_ports,
    check_rule,
    ops_in,
    rules_in,
    upside_down,
    whole,
)
from .profile_faults import explain
from .profile_model import (
    ConfigValue,
    Convolutions,
    Costs,
    HardwareProfile,
    NeuronModel,
    Noise,
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
    "Convolutions",
    "Costs",
    "HardwareProfile",
    "NeuronModel",
    "Noise",
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
    "profile_from",
    "profile_schema",
    "profile_source",
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


_shared: dict[tuple[str, int, int], HardwareProfile] = {}
MOST_SHARED = 32


def shared_profile(name: str | Path) -> HardwareProfile:
    """Return a profile that is read once as long as its file stays as it is, which takes a while.

    Raises:
        ProfileError: as of :func:`load_profile`.
    """
    path = _find(name)
    try:
        now = path.stat()
    except OSError:
        return load_profile(name)  # it says what is wrong
    key = (str(path.resolve()), now.st_mtime_ns, now.st_size)
    found = _shared.get(key)
    if found is None:
        found = load_profile(name)
        while len(_shared) >= MOST_SHARED:
            _shared.pop(next(iter(_shared)), None)
        _shared[key] = found
    return found


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
    return profile_from(_read(path), f"profile file {path.name}", config)


def profile_source(name: str | Path) -> dict[str, Any]:
    """Return the tables of a profile's file as they stand there, ``"$name"`` and all.

    Raises:
        ProfileError: no such profile, or it is not valid TOML.
    """
    return _read(_find(name))


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise ProfileError(f"profile file {path.name}: not valid TOML: {error}") from None
    except OSError as error:
        raise ProfileError(f"profile file {path.name}: cannot be read: {error}") from None


def profile_from(
    source: dict[str, Any], where: str, config: dict[str, int | str] | None = None
) -> HardwareProfile:
    """Return the profile that tables describe.

    Args:
        source: as :func:`profile_source` or ``profile.model_dump(by_alias=True)`` gives them.
        where: what they are, in the error.
        config: values for the ``[config]`` table.

    Raises:
        ProfileError: all faults in one report.
    """
    faults: list[str] = []
    raw = deepcopy(source)
    raw = _substitute(raw, _config_values(raw, config or {}, faults), "", faults)
    profile = None
    try:
        profile = HardwareProfile.model_validate(raw)
    except ValidationError as error:
        faults += [explain(fault) for fault in error.errors()]
    faults += _check_tables(raw)
    if faults or profile is None:
        listing = "\n  ".join(faults)
        raise ProfileError(f"{where}: {len(faults)} fault(s)\n  {listing}")
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


def check_profile(profile: HardwareProfile) -> list[str]:
    """Return the faults no single field shows: names that do not exist, sources nobody gave."""
    return _check_tables(profile.model_dump(by_alias=True))


def _check_tables(raw: dict[str, Any]) -> list[str]:
    """Check across the tables of a file as far as they are usable; the schema tells the rest."""
    weights, routing = _table(raw, "weights"), _table(raw, "routing")
    faults = _check_spans(raw, weights, routing) + _check_sources(raw)
    faults += [f"weights.modes.{m}: allowed: {', '.join(SIGN_MODES)}"
               for m in _table(weights, "modes") if m not in SIGN_MODES]  # fmt: skip
    bits, most = weights.get("default_bits"), weights.get("mantissa_bits")
    if whole(bits) and whole(most) and bits > most:
        text = f"allowed: at most mantissa_bits = {most}"
        faults.append(f"weights.default_bits = {bits}: {text}")
    scope = Scope(_spans_of(raw, "registers"), _spans_of(raw, "params"))
    for name, model in _tables_in(raw, "models"):
        where = f"models.{name}"
        for role, usual in (("voltage", "v"), ("current", "u")):
            if isinstance(register := model.get(role, usual), str):
                faults += scope.register(where, register)
        for place, op in ops_in(model.get("ops"), f"{where}.ops"):
            faults += scope.check(place, op)
        faults += check_ports(f"{where}.ops", model.get("ops"))
    return list(dict.fromkeys(faults))


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _tables_in(raw: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(key, value) for key, value in _table(raw, name).items() if isinstance(value, dict)]


def _span_of(table: str, entry: dict[str, Any]) -> Span | None:
    """Return the range of a register or parameter; None where it has none or it is malformed."""
    kind = Register if table == "registers" else Parameter
    known = {k: entry[k] for k in kind.model_fields.keys() & entry.keys()}
    try:
        return kind.model_validate(known | {"source": "", "status": "unknown"}).span
    except (ValidationError, ProfileError):
        return None


def _spans_of(raw: dict[str, Any], table: str) -> dict[str, Span | None]:
    found = {name: _span_of(table, entry) for name, entry in _tables_in(raw, table)}
    return dict.fromkeys(_table(raw, table)) | found


def _check_spans(
    raw: dict[str, Any], weights: dict[str, Any], routing: dict[str, Any]
) -> list[str]:
    """Return the ranges that are missing or upside down, and the defaults outside their range."""
    delay = (routing.get("delay_lo", 0), routing.get("delay_hi", 0))
    exponent = (weights.get("exponent_lo", 0), weights.get("exponent_hi", 0))
    faults = upside_down("routing.delay", delay) + upside_down("weights.exponent", exponent)
    for mode, ends in _tables_in(weights, "modes"):
        faults += upside_down(f"weights.modes.{mode}", (ends.get("lo"), ends.get("hi")))
    for table in ("routing", "convolution"):
        for i, rule in rules_in(_table(raw, table).get("accumulator")):
            span = (rule.get("lo"), rule.get("hi"))
            where = f"{table}.accumulator.{i}"
            faults += [f"{where}: needs lo and hi"] if None in span else []
            faults += upside_down(where, span)
    effective = (weights.get("effective_lo"), weights.get("effective_hi"))
    faults += upside_down("weights.effective", effective)
    noise = _table(raw, "noise")
    faults += upside_down("noise", (noise.get("lo"), noise.get("hi")))
    for name, entry in _tables_in(raw, "params"):
        faults += _check_param(f"params.{name}", entry)
    return faults


def _check_param(where: str, entry: dict[str, Any]) -> list[str]:
    if entry.get("bits") is None and entry.get("hi_pow2") is None:
        if entry.get("lo") is None or entry.get("hi") is None:
            return [f"{where}: needs lo and hi, or bits, or hi_pow2"]
    span, default = _span_of("params", entry), entry.get("default", 0)
    if span is None:
        return []
    faults = upside_down(where, span)
    if not faults and whole(default) and not span[0] <= default <= span[1]:
        faults.append(f"{where}.default = {default}: allowed: {span[0]}..{span[1]}")
    return faults + _check_storage(f"{where}.storage", _table(entry, "storage"), span)


def _check_storage(where: str, rule: dict[str, Any], span: Span) -> list[str]:
    """Check that what a parameter may hold is stored unchanged."""
    lo, hi = rule.get("lo"), rule.get("hi")
    if faults := check_rule(where, rule, span):
        return faults
    if (whole(lo) and lo > span[0]) or (whole(hi) and hi < span[1]):
        return [f"{where}: lo = {lo}, hi = {hi}: allowed: a range around {span[0]}..{span[1]}"]
    return []


def _check_sources(raw: dict[str, Any]) -> list[str]:
    tables = ("weights", "routing", "convolution", "noise")
    items = [(name, _table(raw, name)) for name in tables]
    for table in ("config", "registers", "params", "models", "resources"):
        items += [(f"{table}.{name}", entry) for name, entry in _tables_in(raw, table)]
    for name, costs in _tables_in(raw, "costs"):
        items += [(f"costs.{name}.terms.{t}", q) for t, q in _tables_in(costs, "terms")]
    return [
        f"{where}.source = {source.strip()!r}: not in [sources]"
        for where, item in items
        if isinstance(item.get("source"), str)
        for source in item["source"].split(",")
        if source.strip() not in _table(raw, "sources")
    ]


def profile_schema() -> dict[str, Any]:
    """Return the JSON schema of a profile file."""
    return HardwareProfile.model_json_schema()
