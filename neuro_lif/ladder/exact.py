"""The top of the ladder: a run without a time step, put on the grid of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..discretize import SteppedNetwork
from ..engines import Progress
from ..network import PoissonInput, SpikeInput
from ..recording import Recording
from ..reference.clocked import wanted_traces
from ..stimulus import Sampled

Array = npt.NDArray[Any]

MOST_EVENTS = 40_000
"""Events of all samples (about ten seconds) above which the exact run waits to be asked for."""


def drawn_inputs(stepped: SteppedNetwork, given: Mapping[str, Any]) -> list[str]:
    """Return the inputs that are drawn for each step, so that an exact run must be handed them."""
    random = [i.name for i in stepped.network.spike_inputs if isinstance(i, PoissonInput)]
    random += [c.name for c in stepped.network.current_inputs
               if c.stimulus is not None and c.stimulus.is_random]  # fmt: skip
    return [name for name in random if name not in given]


def events_in(stepped: SteppedNetwork, clocked: Recording, given: Mapping[str, Any]) -> int:
    """Return about how many spikes an exact run has to do."""
    sent = sum(int(np.asarray(s).sum(dtype=np.int64)) for s in clocked.spikes.values())
    for i in stepped.network.spike_inputs:
        if i.name in given:
            sent += int(np.asarray(given[i.name]).sum())
        elif isinstance(i, SpikeInput) and i.times is not None:
            sent += np.size(i.times)
    return sent


def run_exact_on_grid(
    stepped: SteppedNetwork, n_steps: int, inputs: Mapping[str, Any], batch: int | None,
    record: str, progress: Progress | None = None, most_events: int | None = None,
) -> Recording:  # fmt: skip
    """Run every sample without a time step; return spikes (and V) on the grid of the steps.

    Args:
        stepped: whose network, step and comparison.
        n_steps: of the run.
        inputs: rows of steps in place of what is described: counts, or A held over a step. A spike
            of row i comes at the time at which the clocked run's rule has it.
        batch: samples, None for one without an axis.
        record: ``"probes"`` or ``"all"``.
        progress: called with (parts done, parts in all).
        most_events: of all samples together; None: however many.

    Raises:
        RangeError: as :func:`neuro_lif.run_exact`.
    """
    from ..reference import run_exact  # it takes long to import

    dt, net = stepped.dt, stepped.network
    traced = any(variable == "v" for _, variable in wanted_traces(net, record))
    ends = np.arange(1, n_steps + 1) * dt if traced else None
    most = None if most_events is None else max(1, most_events // (batch or 1))
    runs = []
    for k in range(batch or 1):
        rows = {name: _sample(a, k) for name, a in inputs.items()}
        handed = {name: _continuous(stepped, name, a) for name, a in rows.items()}
        done = run_exact(net, n_steps * dt, handed, stepped.rule.compare, ends,
                         _part(progress, k, batch or 1), most)  # fmt: skip
        runs.append(done.rasters(dt))
    if batch is None:
        return runs[0]
    first = runs[0]
    spikes = {n: np.stack([r.spikes[n].astype(np.int64) for r in runs]) for n in first.spikes}
    traces = {key: np.stack([r.traces[key] for r in runs]) for key in first.traces}
    return Recording(dt, n_steps, spikes, traces, v_zero=first.v_zero, provenance=first.provenance)


def _part(progress: Progress | None, k: int, of: int) -> Progress | None:
    return None if progress is None else lambda done, total: progress(k * total + done, of * total)


def _sample(rows: Any, k: int) -> Array:
    array = np.asarray(rows)
    return array[k % len(array)] if array.ndim == 3 else array


def _continuous(stepped: SteppedNetwork, name: str, rows: Array) -> Any:
    if name not in {i.name for i in stepped.network.spike_inputs}:
        return Sampled(rows, stepped.dt)
    # row i acts like a neuron's spike of step i + 1 where inputs have a latency of one step
    late = stepped.rule.input_latency
    return [np.repeat((np.flatnonzero(column) + late) * stepped.dt,
                      column[column != 0].astype(np.int64)) for column in rows.T]  # fmt: skip
