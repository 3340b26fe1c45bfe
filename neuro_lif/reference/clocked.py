"""The clock-driven float64 reference: runs a SteppedNetwork."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import expect, expect_progress
from ..connect import Carrier
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..errors import RangeError, show
from ..network import Network
from ..recording import Recording
from ..stimulate import Inputs, batch_of, check_given, float_inputs, input_sizes, steps_of

Array = npt.NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def check_record(record: object, allowed: tuple[str, ...] = ("probes", "all")) -> None:
    """Refuse anything that is not allowed.

    Raises:
        RangeError: it is something else.
    """
    if not isinstance(record, str) or record not in allowed:
        texts = ", ".join(f'"{name}"' for name in allowed)
        raise RangeError(f"record = {show(record)}, allowed: {texts}")


def wanted_traces(network: Network, record: str) -> list[tuple[str, str]]:
    """Return the (population, variable) pairs to record: those probed, or u and v of all.

    Raises:
        RangeError: ``record`` is neither ``"probes"`` nor ``"all"``.
    """
    check_record(record)
    if record == "all":
        return [(p.name, variable) for p in network.populations for variable in ("u", "v")]
    probed = [(p.population, p.variable) for p in network.probes if p.variable != "spikes"]
    return list(dict.fromkeys(probed))


class _Neurons:
    """State of one population in a float run."""

    def __init__(self, pop: SteppedPopulation, batch: int, compare: str) -> None:
        self.pop, self.strict = pop, compare == ">"
        self.u = np.zeros((len(pop.decay_u), batch, pop.size))
        self.v = np.tile(np.asarray(pop.v_init), (batch, 1))
        self.held = np.zeros((batch, pop.size), np.int64)

    def step(self, arriving: list[Array], current: Array | float) -> Array:
        """Advance one step; return the spikes ``(batch, n)``."""
        pop = self.pop
        for r, incoming in enumerate(arriving):
            self.u[r] = pop.decay_u[r] * self.u[r] + incoming
        drive = self.u[0] if len(self.u) == 1 else self.u.sum(axis=0)
        v = self.v * pop.decay_v + drive + (pop.bias + current)
        free = self.held == 0
        v = np.where(free, v, self.v)
        above = v > pop.threshold if self.strict else v >= pop.threshold
        spikes = above & free
        after = v - pop.threshold if pop.reset == "subtract" and pop.spikes else 0.0
        self.v = np.where(spikes, after, v)
        self.held = np.where(spikes, pop.refractory, np.maximum(self.held - 1, 0))
        return np.asarray(spikes)


def run_clocked(
    stepped: SteppedNetwork,
    n_steps: int | None = None,
    inputs: Inputs | None = None,
    record: str = "probes",
    progress: Progress | None = None,
) -> Recording:
    """Run the float64 reference.

    Args:
        stepped: the network, from :func:`neuro_lif.discretize`.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)``: spike counts for a spike
            input, A for a current input. Replaces what the network describes.
        record: ``"probes"``, or ``"all"`` for u and v of every population.
        progress: called with (steps done, steps in all).

    Returns:
        A recording with traces in V above v_zero (u in V per step).

    Raises:
        RangeError: no SteppedNetwork, unknown input, wrong shape, no length, unknown ``record``.
    """
    expect(stepped, SteppedNetwork, "run_clocked")
    expect_progress(progress, "run_clocked: progress")
    check_record(record)
    net = stepped.network
    given = check_given(inputs, input_sizes(net))
    n_steps = steps_of(n_steps, given)
    batch = batch_of(given)
    b = batch or 1
    feeds = float_inputs(net, stepped.dt, n_steps, b, given)
    neurons = {p.name: _Neurons(p, b, stepped.rule.compare) for p in stepped.populations}
    carriers = [(p, Carrier(p.weights, p.delays, p.latency, b)) for p in stepped.projections]
    spikes = {p.name: np.zeros((b, n_steps, p.size), np.uint8) for p in stepped.populations}
    traces = {
        key: np.zeros((b, n_steps, neurons[key[0]].pop.size)) for key in wanted_traces(net, record)
    }
    for t in range(1, n_steps + 1):
        _advance(net, carriers, neurons, feeds, spikes, t)
        for (name, variable), trace in traces.items():
            trace[:, t - 1] = neurons[name].v if variable == "v" else neurons[name].u.sum(axis=0)
        if progress is not None:
            progress(t, n_steps)

    def keep(array: Array) -> Array:
        return array if batch else np.asarray(array[0])

    return Recording(
        stepped.dt,
        n_steps,
        {k: keep(v) for k, v in spikes.items()},
        {k: keep(v) for k, v in traces.items()},
        v_zero={p.name: np.asarray(p.v_zero) for p in stepped.populations},
        provenance={"engine": "clocked float64 reference", "rule": str(stepped.rule)},
    )


def _advance(
    net: Network,
    carriers: list[tuple[SteppedProjection, Carrier]],
    neurons: dict[str, _Neurons],
    feeds: dict[str, Array],
    spikes: dict[str, Array],
    t: int,
) -> None:
    """Advance everything to the end of step ``t`` and write down its spikes."""
    for projection, carrier in carriers:
        if projection.pre not in neurons:
            carrier.emit(t, feeds[projection.pre][:, t - 1])
    for name, state in neurons.items():
        spikes[name][:, t - 1] = state.step(
            _arrivals(carriers, name, state, t), _injected(net, feeds, name, state.pop, t)
        )
    for projection, carrier in carriers:
        if projection.pre in neurons:
            carrier.emit(t, spikes[projection.pre][:, t - 1])


def _arrivals(carriers: list[Any], name: str, state: _Neurons, t: int) -> list[Array]:
    sums: list[Array] = [np.zeros(state.v.shape) for _ in range(len(state.u))]
    for projection, carrier in carriers:
        if projection.post == name:
            sums[projection.receptor] += carrier.arriving(t)
    return sums


def _injected(
    net: Network, feeds: dict[str, Array], name: str, pop: SteppedPopulation, t: int
) -> Array | float:
    total: Array | float = 0.0
    for current in net.current_inputs:
        if current.population == name:
            total = total + pop.gain * feeds[current.name][:, t - 1]
    return total
