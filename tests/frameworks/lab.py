"""What the generators of framework files share: a case, random numbers, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nir
import numpy as np

PACKAGES = (
    *("snntorch", "norse", "sinabs", "rockpool", "spikingjelly", "nengo", "spyx", "jax", "flax"),
    *("nir", "nirtorch", "torch", "numpy"),
)


@dataclass(frozen=True)
class Case:
    """A file that a framework wrote, and what the framework itself gave.

    Args:
        framework: its name.
        name: of the case.
        graph: as exported.
        inputs: (n_steps, *shape).
        traces: "spikes:NODE", "voltage:NODE", "current:NODE", "outputs:NODE" -> (n_steps, *shape);
            "weights:NODE" -> (to, from), recurrent weights that the file lacks.
        rule: the rule of neuro_lif that should repeat it.
        changes: its fields that a user sets.
        dt: the step, where it is not the rule's own.
        note: what the framework did.
    """

    framework: str
    name: str
    graph: Any
    inputs: Any
    traces: Mapping[str, Any]
    rule: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    dt: float | None = None
    note: str = ""


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(case: Case, folder: Path, seed: int) -> None:
    """Write CASE.nir, CASE.npz and CASE.json."""
    folder.mkdir(parents=True, exist_ok=True)
    nir.write(folder / f"{case.name}.nir", case.graph)
    arrays = {}
    for key, value in case.traces.items():
        array = np.asarray(value)
        small = key.startswith("spikes") and array.max(initial=0) < 256
        arrays[key] = array.astype(np.uint8 if small else array.dtype)
    np.savez_compressed(folder / f"{case.name}.npz", input=np.asarray(case.inputs), **arrays)
    said = {
        "framework": case.framework,
        "rule": case.rule,
        "changes": dict(case.changes),
        "dt": case.dt,
        "note": case.note,
        "seed": seed,
        "versions": versions(),
    }
    (folder / f"{case.name}.json").write_text(json.dumps(said, indent=1) + "\n")


def rows(rng: np.random.Generator, n_steps: int, *shape: int, share: float = 0.3) -> Any:
    """Return random spikes as an input."""
    return (rng.random((n_steps, *shape)) < share).astype(np.float32)


def normal(rng: np.random.Generator, *shape: int, scale: float = 0.5, mean: float = 0.1) -> Any:
    """Return random weights."""
    return rng.normal(mean, scale, shape).astype(np.float32)


def between(rng: np.random.Generator, low: float, high: float, *shape: int) -> Any:
    """Return uniform random numbers."""
    return rng.uniform(low, high, shape).astype(np.float32)
