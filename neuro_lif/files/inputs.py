"""Stimuli and Poisson inputs of a network file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..network import PoissonInput
from ..spike_inputs import DRAWS
from ..stimulus import (
    Constant,
    GaussianNoise,
    Sampled,
    Sinusoid,
    Stimulus,
    Sum,
    Triangle,
    Window,
)
from ..units import Dimension
from .schema import OPTIONAL, POISSON, STIMULI, STIMULUS_REST
from .source import ABSENT, Source

Table = dict[str, Any]

KINDS: dict[str, type[Any]] = {
    "constant": Constant,
    "sinusoid": Sinusoid,
    "sampled": Sampled,
    "triangle": Triangle,
    "gaussian": GaussianNoise,
    "window": Window,
    "sum": Sum,
}
SEED = "a whole number 0..2**32 - 1"


def read_fields(
    where: str, table: Table, fields: dict[str, Dimension], source: Source
) -> tuple[Table, bool]:
    """Return the numbers of a table, and whether all of them could be read."""
    values = {
        key: source.numbers(f"{where}.{key}", table[key], dimension)
        for key, dimension in fields.items()
        if key in table
    }
    return values, all(value is not None for value in values.values())


def need(where: str, table: Table, keys: tuple[str, ...], allowed: str, source: Source) -> bool:
    """Tell whether a table has all of these keys; note those that are missing."""
    missing = [key for key in keys if key not in table]
    for key in missing:
        source.refuse(f"{where}.{key}", ABSENT, allowed)
    return not missing


def read_poisson(name: str, where: str, table: Table, source: Source) -> PoissonInput | None:
    """Return a Poisson input, or None after noting its faults."""
    before = len(source.faults.lines)
    source.keys(where, table, ("kind", "size", "seed", "draw", *POISSON))
    need(where, table, ("size",), "a whole number >= 1", source)
    need(where, table, ("rate",), POISSON["rate"].allowed, source)
    need(where, table, ("seed",), SEED, source)
    values, _ = read_fields(where, table, POISSON, source)
    values["draw"] = source.choice(where, {"draw": "counts"} | table, "draw", DRAWS)
    if len(source.faults.lines) > before:
        return None
    return source.build(
        where, lambda: PoissonInput(name, table["size"], seed=table["seed"], **values)
    )


def read_stimulus(where: str, table: Any, source: Source) -> Stimulus | None:
    """Return a stimulus, or None after noting its faults."""
    if not isinstance(table, dict):
        source.refuse(where, table, f"{{ kind = ... }}, one of {', '.join(STIMULI)}")
        return None
    kind = source.choice(where, table, "kind", STIMULI)
    if not kind:
        return None
    before = len(source.faults.lines)
    keys = (*STIMULI[kind], *STIMULUS_REST.get(kind, ()))
    source.keys(where, table, ("kind", *keys))
    needed = tuple(key for key in keys if key not in OPTIONAL.get(kind, ()))
    need(where, table, needed, "a value (no default)", source)
    values, _ = read_fields(where, table, STIMULI[kind], source)
    for key in STIMULUS_REST.get(kind, ()):
        if key in table:
            values[key] = _rest(f"{where}.{key}", key, table, source)
    if len(source.faults.lines) > before:
        return None
    found: Stimulus | None = source.build(where, lambda: KINDS[kind](**values))
    return found


def _rest(where: str, key: str, table: Table, source: Source) -> Any:
    value = table[key]
    if key == "stimulus":
        return read_stimulus(where, value, source)
    if key == "terms" and isinstance(value, list) and value:
        return [read_stimulus(f"{where}[{k}]", term, source) for k, term in enumerate(value)]
    if key == "terms":
        source.refuse(where, value, "a list of stimuli, at least one")
    if key == "shared" and not isinstance(value, bool):
        source.refuse(where, value, "true or false")
    return value


def stimulus_text(stimulus: Stimulus, stored: str, number: Callable[[str, Any], str]) -> str:
    """Return a stimulus as an inline table of TOML.

    Args:
        stimulus: any.
        stored: name of its arrays that do not stand in the text.
        number: called with (name, value), returns a number or an array as TOML.
    """
    kind = next(name for name, made in KINDS.items() if type(stimulus) is made)
    entries = [f'kind = "{kind}"']
    for name, value in vars(stimulus).items():
        if value is None:
            continue
        if isinstance(value, Stimulus):
            text = stimulus_text(value, f"{stored}.{name}", number)
        elif name == "terms":
            terms = [stimulus_text(t, f"{stored}.{k}", number) for k, t in enumerate(value)]
            text = "[" + ", ".join(terms) + "]"
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, str):
            text = json.dumps(value)
        else:
            text = str(int(value)) if name == "seed" else number(f"{stored}.{name}", value)
        entries.append(f"{name} = {text}")
    return "{ " + ", ".join(entries) + " }"
