"""Writes a FixedNetwork as a folder that Lava runs without us: tables, rules and ``run.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import entries, is_sparse
from ..checks import expect, expect_path
from ..errors import FileFormatError, RangeError, TargetError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..npz import NpzFile
from ..reference.clocked import check_record, wanted_traces
from ..runs import input_rows, register_of
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .lava_bundle import FORMAT
from .lava_plan import LavaChoice, arrival_delays, plan_lava, stock_matrix

RULES = "integer_rules"
COPIED = (
    "formats.py",
    "connect.py",
    "emulator/oplist.py",
    "targets/lava_bundle/__init__.py",
    "targets/lava_bundle/build.py",
    "targets/lava_bundle/main.py",
    "targets/lava_bundle/processes/__init__.py",
)
"""Our modules a folder needs; they import numpy, scipy, lava and each other only."""
RUN = f'''"""Run this network in Lava: python run.py [--steps N] [--out spikes.npz]"""

import sys
from pathlib import Path

from {RULES}.targets.lava_bundle.main import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
'''


def export_lava(
    fixed: FixedNetwork, folder: str | Path, n_steps: int | None = None,
    inputs: Inputs | None = None, record: str = "probes", overwrite: bool = False,
) -> Path:  # fmt: skip
    """Write a folder that runs with lava-nc 0.10 alone: ``python run.py``.

    Args:
        fixed: the network.
        folder: created where missing; an earlier export is replaced.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> integers ``(n_steps, n)`` or ``(batch, n_steps, n)``.
        record: ``"probes"``, or ``"all"`` for u and v of every population.
        overwrite: write into a non-empty folder that is no earlier export.

    Returns:
        The folder.

    Raises:
        RangeError: no FixedNetwork, or the inputs do not fit it.
        TargetError: Lava cannot run this network, or the folder must not be touched.
    """
    expect(fixed, FixedNetwork, "export_lava")
    path = expect_path(folder, "export_lava (folder)", TargetError)
    check_record(record)
    given = check_given(inputs, fixed.input_sizes())
    for name, array in given.items():
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            raise RangeError(f"inputs[{name!r}]: allowed: whole numbers")
    n_steps = steps_of(n_steps, given)
    batch = batch_of(given)
    rows = input_rows(fixed, given, batch or 1, n_steps)
    payloads = {name: int(np.abs(values).max(initial=0)) for name, values in rows.items()}
    plan = plan_lava(fixed, payloads)
    head, arrays = tables(fixed, plan, rows, batch, n_steps, record)
    try:
        _prepare(path, overwrite)
        _write(path, fixed, head, arrays, plan)
    except OSError as error:
        raise TargetError(f"folder {str(path)!r}: cannot be written: {error}") from None
    return path


# ------------------------------------------------------------------------------ tables


def tables(
    fixed: FixedNetwork, plan: list[LavaChoice], rows: dict[str, Any], batch: int | None,
    n_steps: int, record: str,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Return the JSON head and the arrays of ``network.npz``."""
    chosen = {choice.element: choice for choice in plan}
    b = batch or 1
    wanted = wanted_traces(fixed, record)  # type: ignore[arg-type]
    arrays: dict[str, Any] = {}
    head: dict[str, Any] = {
        "format": FORMAT, "profile": fixed.profile.name, "dt": fixed.dt, "n_steps": n_steps,
        "batch": batch, "neurons": [], "synapses": [], "sources": [], "directs": [],
    }  # fmt: skip

    def add(group: str, entry: dict[str, Any], named: dict[str, Any]) -> None:
        entry["key"] = f"{group}/{len(head[group])}"
        head[group].append(entry)
        arrays.update({f"{entry['key']}/{k}": np.ascontiguousarray(v) for k, v in named.items()})

    for population in fixed.populations:
        choice = chosen[f"population {population.name!r}"]
        traces = sorted({v for p, v in wanted if p == population.name})
        entry, named = _neurons(fixed, population, choice, b)
        add("neurons", entry | {"record": traces}, named)
    for p in fixed.projections:
        add("synapses", *_synapses(fixed, p, chosen[f"projection {p.name!r}"], b))
    for s in fixed.sources:
        add("sources", {"name": s.name}, {"raster": _raster(rows[s.name])})
    for d in fixed.directs:
        entry = {"name": d.name, "population": d.population}
        add("directs", entry, {"raster": _raster(rows[d.name])})
    return head, arrays


def _raster(rows: Any) -> Any:
    """Return ``(batch * n, n_steps)`` int32 from ``(batch, n_steps, n)``."""
    return rows.transpose(0, 2, 1).reshape(-1, rows.shape[1]).astype(np.int32)


def _neurons(
    fixed: FixedNetwork, population: FixedPopulation, choice: LavaChoice, b: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    entry = {"name": population.name, "kind": choice.process, **choice.settings}
    stored, start = fixed.params(population.name), fixed.initial(population.name)
    if choice.process == "LIF":
        named = {"u": start["u"], "v": start["v"]}
        for name in ("bias_mant", "bias_exp"):  # as given: Lava wraps them by itself
            given = population.params.get(name, fixed.profile.params[name].default)
            named[name] = np.broadcast_to(given, (population.size,))
        return entry, {name: np.tile(values, b) for name, values in named.items()}
    entry |= {
        "ops": fixed.profile.ops(population.model),
        "voltage": register_of(fixed, population.name, "v"),
        "current": register_of(fixed, population.name, "u"),
    }
    named = {f"param/{name}": np.tile(values, b) for name, values in stored.items()}
    return entry, named | {f"state/{name}": np.tile(values, b) for name, values in start.items()}


def _synapses(
    fixed: FixedNetwork, p: FixedProjection, choice: LavaChoice, b: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    external = p.pre in {s.name for s in fixed.sources}
    entry: dict[str, Any] = {
        "name": p.name, "kind": choice.process, "pre": p.pre, "post": p.post, "external": external,
    }  # fmt: skip
    if not choice.stock:
        weights = fixed.effective_weights(p)
        latency, delays = int(fixed.latency(p)), p.delays
        if latency == 0 and np.min(delays, initial=1) >= 1:
            # the same arrival, counted from the next step on: that can never make a deadlock
            latency, delays = 1, np.asarray(delays) - 1
        entry |= {
            "latency": latency, "exponent": int(fixed.sum_exponent(p)), "batch": b,
            "accumulator": fixed.accumulator(p), "graded": bool(p.graded),
        }  # fmt: skip
        return entry | {"shape": list(weights.shape)}, {"delays": delays} | _matrix(weights)
    weights = stock_matrix(fixed, p, choice.settings)
    present = np.asarray(entries(fixed.effective_weights(p)) != 0)
    delays = np.where(present, arrival_delays(fixed, p), 0)
    kind = choice.process.replace("Dense", "Sparse") if b > 1 else choice.process
    weights, delays = _side_by_side(weights, delays, b, kind.endswith("Sparse"))
    named = _matrix(weights)
    if kind.startswith("Delay"):
        named["delays"] = delays
    entry |= {k: choice.settings[k] for k in ("weight_exp", "num_weight_bits", "sign_mode")}
    entry |= {
        "kind": kind, "num_message_bits": 24 if p.graded else 0, "shape": list(weights.shape),
        "max_delay": choice.settings["max_delay"],
    }  # fmt: skip
    return entry, named


def _side_by_side(weights: Any, delays: Any, b: int, as_sparse: bool) -> tuple[Any, Any]:
    """Return ``b`` copies along the diagonal: CSR and its delays, or the dense pair for one."""
    if not as_sparse:
        return np.asarray(weights), delays.reshape(weights.shape)
    if is_sparse(weights):
        columns, indptr = weights.indices, weights.indptr
    else:
        columns = np.tile(np.arange(weights.shape[1]), weights.shape[0])
        indptr = np.arange(weights.shape[0] + 1) * weights.shape[1]
    values, n_pre = entries(weights), weights.shape[1]
    data = np.tile(values, b)
    indices = np.concatenate([columns + k * n_pre for k in range(b)])
    starts = [0, *np.concatenate([indptr[1:] + k * len(values) for k in range(b)])]
    shape = (b * weights.shape[0], b * n_pre)
    return sparse.csr_matrix((data, indices, starts), shape=shape), np.tile(delays, b)


def _matrix(weights: Any) -> dict[str, Any]:
    if not is_sparse(weights):
        return {"weights": weights}
    return {"weights": weights.data, "indices": weights.indices, "indptr": weights.indptr}


# ------------------------------------------------------------------------------ the folder


def _prepare(path: Path, overwrite: bool) -> None:
    """Make the folder ready, and take nothing away that is not ours."""
    if path.exists() and not path.is_dir():
        raise TargetError(f"folder {str(path)!r} is a file; give a folder to write to")
    if path.is_dir() and any(path.iterdir()):
        if not _is_export(path) and not overwrite:
            raise TargetError(
                f"folder {str(path)!r} is not empty and no earlier export; choose another one or "
                "allow it with overwrite=True (on the command line: --overwrite)"
            )
        shutil.rmtree(path / RULES, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)


def _is_export(path: Path) -> bool:
    try:
        head = json.loads(str(NpzFile(path / "network.npz").array("head")))
        return str(head["format"]).startswith("neuro-lif-lava/")
    except (FileFormatError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _write(path: Path, fixed: FixedNetwork, head: Any, arrays: Any, plan: list[LavaChoice]) -> None:
    package = Path(__file__).resolve().parent.parent
    for name in COPIED:
        target = path / RULES / name
        for folder in (target.parent, *target.parent.parents):
            folder.mkdir(parents=True, exist_ok=True)
            if folder == path:
                break
            (folder / "__init__.py").touch()
        shutil.copyfile(package / name, target)
    with (path / "network.npz").open("wb") as stream:
        np.savez_compressed(stream, head=np.array(json.dumps(head)), **arrays)
    (path / "run.py").write_text(RUN, encoding="utf-8")
    (path / "README.md").write_text(_readme(fixed, head, plan), encoding="utf-8")


def _readme(fixed: FixedNetwork, head: Any, plan: list[LavaChoice]) -> str:
    rows = "\n".join(
        f"| {c.element} | {c.process} | {'Lava' if c.stock else 'this folder'} | {c.why} |"
        for c in plan
    )
    return f"""# A spiking network for Lava 0.10

{head["n_steps"]} steps of {fixed.dt:g} s, integers as profile `{fixed.profile.name}` has them.
Written by neuro_lif, which it does not need. It needs Python 3.10 and `lava-nc==0.10.0`
(`pip install lava-nc==0.10.0`), which itself brings the numpy and scipy that are used here.

    python run.py                     # prints the spikes: population, step, neurons
    python run.py --steps 50          # another length; inputs end where they end
    python run.py --out spikes.npz    # spikes, and u and v where they were asked for

`network.npz` holds every number (no pickles), `{RULES}/` the processes that Lava lacks.

| element | Lava process | from | why |
|---|---|---|---|
{rows}
"""
