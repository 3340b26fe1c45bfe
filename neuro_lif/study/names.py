"""The names that can be varied, and what they do to a network and a profile."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from ..convolution import Convolution
from ..errors import StudyError, show
from ..network import Network, PoissonInput, Population, Projection
from ..profile import profile_from
from ..quantize import quantize
from .axes import Axis, Value, unknown

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

IDLE = ("about", "config", "costs", "dated", "exclusions", "name", "note", "op", "resources",
        "schema", "source", "sources", "status", "title")  # fmt: skip
"""Fields of a profile that say something and change nothing in a run, and the names of ops."""
NEURON = ("tau_m", "resistance", "capacitance", "v_threshold", "v_reset", "v_rest", "v_init",
          "t_refractory", "i_bias")  # fmt: skip
SYNAPSE = ("tau", "tau_rise", "tau_decay")
PROJECTION = ("weights", "delay", *SYNAPSE)
INPUT = ("rate", "weight")
"""Fields of populations, projections and Poisson inputs that ``network.FIELD.NAME`` sets, and
``network.FIELD.NAME.scale`` multiplies."""
PLAIN = ("dt", "rule", "seed")


def quantize_options() -> tuple[str, ...]:
    """Return the options of :func:`neuro_lif.quantize` that change what it gives."""
    found = inspect.signature(quantize).parameters.values()
    return tuple(p.name for p in found if p.kind is p.KEYWORD_ONLY and p.name != "progress")


# -------------------------------------------------------------------------------- profile


def profile_names(profile: HardwareProfile) -> list[str]:
    """Return the dotted names of every number, name of a mode, and truth of a profile."""
    return [f"config.{name}" for name in profile.config] + list(_leaves(profile, ""))


def _leaves(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, BaseModel):
        for name, field in type(node).model_fields.items():
            alias = field.alias or name
            if alias not in IDLE:
                value = getattr(node, name)
                if value is not None or not _table_in(field.annotation):
                    yield from _leaves(value, f"{path}{alias}.")
    elif isinstance(node, Mapping):
        for name, value in node.items():
            yield from _leaves(value, f"{path}{name}.")
    elif isinstance(node, tuple):
        for k, value in enumerate(node):
            yield from _leaves(value, f"{path}{k}.")
    else:
        yield path[:-1]


def _table_in(annotation: Any) -> bool:
    parts = getattr(annotation, "__args__", (annotation,))
    return any(isinstance(p, type) and issubclass(p, BaseModel) for p in parts)


def varied_profile(
    profile: HardwareProfile, source: dict[str, Any] | None, changes: Mapping[str, Value]
) -> HardwareProfile:
    """Return a profile with other values.

    Args:
        profile: the profile.
        source: its file's tables; needed where ``[config]`` changes.
        changes: name as of :func:`profile_names` -> value.

    Raises:
        ProfileError: a value that the profile cannot have.
    """
    config: Any = {k[7:]: v for k, v in changes.items() if k.startswith("config.")}
    if config and source is not None:
        base = {name: c.value for name, c in profile.config.items()}
        profile = profile_from(source, f"profile {profile.name}", base | config)
    others = {k: v for k, v in changes.items() if not k.startswith("config.")}
    if not others:
        return profile
    tables: Any = profile.model_dump(mode="json", by_alias=True)
    for name, value in others.items():
        node: Any = tables
        *path, last = (int(part) if part.isdigit() else part for part in name.split("."))
        for part in path:
            node = node[part]
        node[last] = value
    return profile_from(tables, f"profile {profile.name}")


# -------------------------------------------------------------------------------- network


def network_names(network: Network) -> list[str]:
    """Return ``FIELD.NAME`` for every field of a network that can be varied."""
    out = []
    for holder in (*network.populations, *network.projections, *network.inputs):
        out += [f"{name}.{holder.name}" for name in _fields(holder)]
    return [*dict.fromkeys(n.split(".")[0] for n in out), *out]


def _fields(part: Any) -> tuple[str, ...]:
    """Return which fields of a part can be varied."""
    if isinstance(part, Population):
        own = {f.name for f in fields(part.neuron)}
        return tuple(f for f in NEURON if f in own)
    if isinstance(part, Projection):
        own = {f.name for f in fields(part.synapse)} | {"weights", "delay"}
        return tuple(f for f in PROJECTION if f in own)
    return INPUT if isinstance(part, PoissonInput) else ()


def varied_network(network: Network, changes: Mapping[str, Value]) -> Network:
    """Return a network with other numbers.

    Args:
        network: the network.
        changes: ``FIELD[.NAME][.scale]`` -> number.

    Raises:
        StudyError: a value that is no number.
        NetworkError: one that the network cannot have.
    """
    for name, value in changes.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise StudyError(f"vary: network.{name} = {show(value)}, allowed: a number")
        field, *rest = name.split(".")
        scale = bool(rest) and rest[-1] == "scale"
        wanted = rest[:-1] if scale else rest

        def changed(part: Any, field: str = field, wanted: list[str] = wanted,
                    scale: bool = scale, value: float = value) -> Any:  # fmt: skip
            if field not in _fields(part) or (wanted and wanted != [part.name]):
                return part
            return _with(part, field, value, scale)

        network = Network(
            [changed(p) for p in network.populations],
            [changed(p) for p in network.projections],
            [changed(i) for i in network.inputs],
            network.probes,
        )
    return network


def _with(part: Any, field: str, value: float, scale: bool) -> Any:
    """Return a population, projection or input with a field set or multiplied."""
    inner = {Population: "neuron", Projection: "synapse"}.get(type(part), "")
    holder = getattr(part, inner) if inner and field not in ("weights", "delay") else part
    old = getattr(holder, field)
    if not scale and field == "weights":
        raise StudyError("vary: network.weights, allowed: network.weights.PROJECTION.scale")
    if not scale:
        new: Any = value
    elif field == "v_threshold":  # what counts is how far it is above the reset
        low = np.asarray(holder.v_reset, np.float64)
        new = low + value * (np.asarray(old, np.float64) - low)
    else:
        new = np.asarray(old, np.float64) * value if field != "weights" else (
            _scaled_weights(old, value))  # fmt: skip
    if holder is part:
        return replace(part, **{field: new})
    return replace(part, **{inner: replace(holder, **{field: new})})


def _scaled_weights(old: Any, value: float) -> Any:
    if not isinstance(old, Convolution):
        return old * value
    folded = old.scaled(value)
    return old.csr * value if folded is None else folded


# -------------------------------------------------------------------------------- checks


def check_names(
    axes: Iterable[Axis], network: Network, profile: HardwareProfile,
    fixed_names: Callable[[], list[str]],
) -> None:  # fmt: skip
    """Refuse every varied name that there is not, naming those that are near.

    Args:
        axes: what is varied.
        network, profile: of the study.
        fixed_names: gives ``POPULATION.PARAMETER`` of the lowered network.

    Raises:
        StudyError: a name that there is not.
    """
    options = quantize_options()
    tables: dict[str, Callable[[], list[str]]] = {
        "profile": lambda: profile_names(profile),
        "network": lambda: network_names(network),
        "quantize": lambda: [o for o in options if o != "n_steps"],
        "params": fixed_names,
    }
    for axis in axes:
        head, _, rest = axis.name.partition(".")
        if head not in tables:
            if axis.name not in PLAIN:
                known = [*PLAIN, *(f"{t}.{n}" for t, get in tables.items() for n in get())]
                raise unknown(axis.name, known, "vary: name")
            continue
        known = tables[head]()
        plain = rest.removesuffix(".scale") if head in ("network", "params") else rest
        if plain not in known:
            raise unknown(axis.name, [f"{head}.{n}" for n in known], "vary: name")
