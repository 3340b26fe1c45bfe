"""Cells with their place in time become stepped populations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import FloatArray, frozen
from ..stepped import SteppedPopulation
from .cells import Cell
from .plan import Plan
from .starts import Start


def population_of(
    plan: Plan, cell: Cell, start: Start, dt: float, own_synapse: bool
) -> SteppedPopulation:
    """Return a stepped population.

    Args:
        plan: of the graph.
        cell: the population.
        start: how it begins.
        dt: s.
        own_synapse: its spikes act on itself, and not through its synapse.
    """
    n, exact = cell.size, plan.rule.integrator == "exact"
    decays, first = [cell.keep_u], [start.u]
    taus = [_tau(cell.keep_u, dt, exact)] if cell.synapse or cell.stage else [0.0]
    if own_synapse and cell.synapse:
        decays.append(np.zeros(n))
        first.append(np.zeros(n))
        taus.append(0.0)
    none = np.zeros(n)
    values: dict[str, Any] = {
        "decay_v": none if cell.stage else cell.keep_v,
        "leak_v": np.ones(n) if cell.stage else 1.0 - cell.keep_v,
        "bias": none if cell.stage else start.bias,
        "v_init": none if cell.stage else start.v,
    }
    if exact and not cell.stage:
        values["leak_v"] = -np.expm1(np.log(np.where(cell.keep_v > 0, cell.keep_v, 1.0)))
        values["leak_v"] = np.where(cell.keep_v > 0, values["leak_v"], 1.0 - cell.keep_v)
    return SteppedPopulation(
        name=cell.name,
        size=n,
        decay_u=frozen(np.array(decays)),
        gain=frozen(np.ones(n)),
        threshold=frozen(cell.threshold),
        refractory=frozen(np.full(n, cell.held), np.int64),
        v_zero=frozen(cell.v_zero),
        reset="subtract" if cell.reset == "subtract" else "value",
        tau_m=frozen(_taus(cell.keep_v, dt, exact)),
        tau_syn=frozen(taus, np.float64),
        graded=cell.stage,
        u_init=frozen(np.array(first)) if np.any(first) else None,
        most_spikes=cell.most,
        **{name: frozen(value) for name, value in values.items()},
    )


def _taus(keep: FloatArray, dt: float, exact: bool) -> FloatArray:
    """Return the time constants that decays stand for, s; infinite where nothing decays."""
    lost = -np.log(np.clip(keep, 1e-300, None)) if exact else 1.0 - keep
    return np.asarray(np.where(lost > 0, dt / np.where(lost > 0, lost, 1.0), np.inf))


def _tau(keep: FloatArray, dt: float, exact: bool) -> float:
    return float(np.mean(_taus(keep, dt, exact)))
