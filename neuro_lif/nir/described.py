"""What a lowered graph says of itself at level 0: its parts in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import NetworkError
from ..network import IF, LI, LIF, CurrentInput, Network, Population, SpikeInput
from .cells import Cell
from .plan import Plan
from .populations import _taus

STEP = 1e-3
"""A step in s where a file's times are in steps."""


def seconds_of(plan: Plan, notes: list[str]) -> float:
    """Return the step in s."""
    if plan.rule.tau_unit == "steps":
        notes.append(f"the file's times are in steps: one step is called {STEP:g} s")
        return STEP
    return plan.dt * 1e-3 if plan.rule.tau_unit == "ms" else plan.dt


def described(
    plan: Plan,
    cells: list[Cell],
    trains: Mapping[str, int],
    currents: Mapping[str, str],
    notes: list[str],
) -> Network:
    """Return the populations and inputs, without projections.

    Args:
        plan: of the graph.
        cells: its populations.
        trains: spike input -> channels.
        currents: current input -> population.
        notes: gets a line.
    """
    dt = STEP if plan.rule.tau_unit == "steps" else plan.dt
    populations = [_population(c, dt, plan) for c in cells if not c.stage]
    inputs: list[Any] = [SpikeInput(name, size) for name, size in trains.items()]
    inputs += [CurrentInput(name, target) for name, target in currents.items()]
    notes.append(
        "the described network (level 0) has the graph's populations and inputs, not its "
        "projections: NIR fixes no step, and the rule's steps are what is lowered"
    )
    return Network(populations, (), inputs)


def _population(cell: Cell, dt: float, plan: Plan) -> Population:
    """Return a population with the numbers of a cell, as near as a description allows."""
    taus = _taus(cell.keep_v, dt, plan.rule.integrator == "exact")
    tau = np.where(np.isfinite(taus), taus, 1e6 * dt)
    neuron: Any = LI(tau, v_init=cell.v_init)
    if np.isfinite(cell.threshold).all():
        over = cell.threshold + cell.v_zero
        common: dict[str, Any] = {"v_threshold": over, "v_init": cell.v_init}
        common |= {"v_reset": cell.v_zero}
        neuron = IF(**common) if np.isinf(taus).all() else LIF(tau, **common)
    try:
        return Population(cell.name, cell.size, neuron)
    except NetworkError:  # thresholds below the reset and the like
        spiking = np.isfinite(cell.threshold).all()
        return Population(cell.name, cell.size, LIF(dt) if spiking else LI(dt))
