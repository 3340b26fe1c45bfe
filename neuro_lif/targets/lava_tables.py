"""What a FixedNetwork is in Lava, as plain tables: the content of ``network.npz``."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import entries, is_sparse
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..runs import register_of, wanted_registers
from .lava_bundle import FORMAT
from .lava_bundle.names import register_name
from .lava_choice import LavaChoice
from .lava_conv import lava_kernel
from .lava_plan import arrival_delays, stock_matrix
from .lava_stock import given_to_stock, written

Table = tuple[dict[str, Any], dict[str, Any]]
"""An entry of the head, and its arrays by short names."""


def tables(
    fixed: FixedNetwork, plan: list[LavaChoice], rows: dict[str, Any], batch: int | None,
    n_steps: int, record: str,
) -> Table:  # fmt: skip
    """Return the JSON head and the arrays of ``network.npz``.

    Args:
        fixed: the network.
        plan: of :func:`neuro_lif.targets.lava_plan.plan_lava`.
        rows: input name -> ``(batch, n_steps, n)``.
        batch: samples; None: one, and no axis for it.
        n_steps: number of steps.
        record: see :func:`neuro_lif.runs.wanted_registers`.
    """
    chosen = {choice.element: choice for choice in plan}
    b = batch or 1
    wanted = wanted_registers(fixed, record)
    arrays: dict[str, Any] = {}
    head: dict[str, Any] = {
        "format": FORMAT, "profile": fixed.profile.name, "dt": fixed.dt, "n_steps": n_steps,
        "batch": batch, "plan": [str(choice) for choice in plan],
        "neurons": [], "synapses": [], "sources": [], "directs": [],
    }  # fmt: skip

    def add(group: str, entry: dict[str, Any], named: dict[str, Any]) -> None:
        entry["key"] = f"{group}/{len(head[group])}"
        head[group].append(entry)
        arrays.update({f"{entry['key']}/{k}": np.ascontiguousarray(v) for k, v in named.items()})

    for population in fixed.populations:
        choice = chosen[f"population {population.name!r}"]
        variables = [v for p, v in wanted if p == population.name]
        entry, named = _neurons(fixed, population, choice, b)
        entry["record"] = readable(fixed, population, choice, variables)
        entry["limit"] = _limit(fixed, population, chosen)
        add("neurons", entry, named)
    for p in fixed.projections:
        narrow = chosen[f"population {p.post!r}"].stock
        add("synapses", *_synapses(fixed, p, chosen[f"projection {p.name!r}"], b, narrow))
    for s in fixed.sources:
        add("sources", {"name": s.name}, {"raster": _raster(rows[s.name])})
    for d in fixed.directs:
        entry = {"name": d.name, "population": d.population, "port": d.port}
        add("directs", entry, {"raster": _raster(rows[d.name])})
    return head, arrays


def _raster(rows: Any) -> Any:
    """Return ``(batch * n, n_steps)`` int32 from ``(batch, n_steps, n)``."""
    return rows.transpose(0, 2, 1).reshape(-1, rows.shape[1]).astype(np.int32)


# ------------------------------------------------------------------------------ populations


def readable(
    fixed: FixedNetwork, population: FixedPopulation, choice: LavaChoice, variables: list[str]
) -> dict[str, str]:
    """Return variable -> Var of the Lava process, for those it has."""
    registers = {v: register_of(fixed, population.name, v) for v in variables}
    if not choice.stock:
        return {v: register_name(register) for v, register in registers.items()}
    shown = choice.settings["stock"].shown
    return {v: register for v, register in registers.items() if register in shown}


def constants(
    fixed: FixedNetwork, population: FixedPopulation, choice: LavaChoice, variables: list[str]
) -> dict[str, Any]:
    """Return variable -> ``(n,)`` of those that no Var holds because nothing ever writes them."""
    start, changing = fixed.initial(population.name), written(fixed, population.model)
    there = readable(fixed, population, choice, variables)
    registers = {v: register_of(fixed, population.name, v) for v in variables if v not in there}
    return {v: start[r] for v, r in registers.items() if r not in changing}


def _limit(
    fixed: FixedNetwork, population: FixedPopulation, chosen: dict[str, LavaChoice]
) -> int | None:
    """Return up to which magnitude all projections of a population are exact; None: always."""
    sent = [chosen[f"projection {p.name!r}"] for p in fixed.projections if p.pre == population.name]
    return min((c.limit for c in sent if c.limit is not None), default=None)


def _neurons(fixed: FixedNetwork, population: FixedPopulation, choice: LavaChoice, b: int) -> Table:
    entry: dict[str, Any] = {"name": population.name, "kind": choice.process}
    if choice.stock:
        numbers, *groups = given_to_stock(fixed, population, choice)
        entry |= {"numbers": numbers, "size": b * population.size}
        return entry, {
            f"{group}/{name}": np.tile(values, b)
            for group, arrays in zip(("given", "start"), groups, strict=True)
            for name, values in arrays.items()
        }
    entry |= {
        "ops": fixed.profile.ops(population.model),
        "ports": sorted(fixed.profile.ports(population.model)),
        "noise": _noise(fixed, population, b),
    }
    stored, start = fixed.params(population.name), fixed.initial(population.name)
    named = {f"param/{name}": np.tile(values, b) for name, values in stored.items()}
    return entry, named | {f"state/{name}": np.tile(values, b) for name, values in start.items()}


def _noise(fixed: FixedNetwork, population: FixedPopulation, b: int) -> dict[str, Any] | None:
    """Return where a population's share of each step's draws lies, where it hears them."""
    rule = fixed.profile.noise
    if rule is None or not fixed.profile.hears_noise(population.model):
        return None
    sizes = [p.size for p in fixed.populations]
    first = sum(sizes[: [p.name for p in fixed.populations].index(population.name)])
    return {
        "port": rule.port, "lo": rule.lo, "hi": rule.hi, "total": sum(sizes), "first": first,
        "size": population.size, "seeds": [(fixed.seed + k) % 2**32 for k in range(b)],
    }  # fmt: skip


# ------------------------------------------------------------------------------ projections


def _synapses(
    fixed: FixedNetwork, p: FixedProjection, choice: LavaChoice, b: int, narrow: bool
) -> Table:
    entry: dict[str, Any] = {
        "name": p.name, "kind": choice.process, "pre": p.pre, "post": p.post, "port": p.port,
        "external": p.pre in {s.name for s in fixed.sources},
    }  # fmt: skip
    message_bits = {"num_message_bits": 24 if p.graded else 0}
    if choice.process == "Conv":
        return entry | choice.settings | message_bits, {"kernel": lava_kernel(fixed, p)}
    if not choice.stock:
        return _own_synapses(fixed, p, entry | {"batch": b, "narrow": narrow})
    weights = stock_matrix(fixed, p, choice.settings)
    present = np.asarray(entries(fixed.effective_weights(p)) != 0)
    delays = np.where(present, arrival_delays(fixed, p), 0)
    kind = choice.process.replace("Dense", "Sparse") if b > 1 else choice.process
    weights, delays = _side_by_side(weights, delays, b, kind.endswith("Sparse"))
    named = _matrix(weights)
    if kind.startswith("Delay"):
        named["delays"] = delays
    entry |= {k: choice.settings[k] for k in ("weight_exp", "num_weight_bits", "sign_mode")}
    entry |= {"kind": kind, "shape": list(weights.shape), **message_bits}
    return entry | {"max_delay": choice.settings["max_delay"]}, named


def _own_synapses(fixed: FixedNetwork, p: FixedProjection, entry: dict[str, Any]) -> Table:
    weights = fixed.effective_weights(p)
    latency, delays = int(fixed.latency(p)), np.asarray(p.delays, np.int64)
    if latency == 0 and np.min(delays, initial=1) >= 1:
        # the same arrival, counted from the next step on: that can never make a deadlock
        latency, delays = 1, np.asarray(delays) - 1
    entry |= {
        "latency": latency, "exponent": int(fixed.sum_exponent(p)), "graded": bool(p.graded),
        "accumulator": fixed.accumulator(p), "shape": list(weights.shape),
    }  # fmt: skip
    return entry, {"delays": delays} | _matrix(weights)


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
