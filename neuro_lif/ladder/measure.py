"""What lies between two recordings: spikes that differ, where first, voltage, distances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compare import Divergence
from ..metrics import per_neuron, voltage_error
from ..recording import Recording
from .results import Distance

Array = npt.NDArray[Any]

MOST_TRAINS = 512
"""So many trains are compared at most by a distance; they are spread evenly over all."""

LAGS = (-1, 0, 1, 2)
"""Steps by which a run may be late, tried for the distances and on the rung of the time step."""


@dataclass(frozen=True)
class Between:
    """Spikes of one population in two runs.

    Args:
        before, after: counts.
        changed, either: spikes that only one has, that any has.
        divergence: the first step in which one differs.
    """

    before: int
    after: int
    changed: int
    either: int
    divergence: Divergence | None


def spikes_of(recording: Recording, name: str) -> Array:
    """Return what a population sent, as an array."""
    return np.asarray(recording.spikes[name])


def between(first: Recording, second: Recording, name: str, lag: int = 0) -> Between:
    """Compare the spikes of one population, the second run moved earlier by the lag (steps).

    Counts are of the whole runs; what differs is looked for in the steps that both then have.
    """
    a, b = spikes_of(first, name), spikes_of(second, name)
    before, after = (int(x.sum(dtype=np.int64)) for x in (a, b))
    start, a, b = max(-lag, 0), *_moved(a, b, lag)
    most, least = _both(a, b)
    place = _first(a, b, name, start) if most != least else None
    return Between(before, after, most - least, most, place)


def _moved(a: Array, b: Array, lag: int) -> tuple[Array, Array]:
    steps = a.shape[-2] - abs(lag)
    one, two = max(-lag, 0), max(lag, 0)
    return a[..., one : one + steps, :], b[..., two : two + steps, :]


def _both(a: Array, b: Array) -> tuple[int, int]:
    """Return (spikes that any of the two has, spikes that both have)."""
    most = int(np.maximum(a, b).sum(dtype=np.int64))
    return most, int(np.minimum(a, b).sum(dtype=np.int64))


def _first(a: Array, b: Array, name: str, start: int) -> Divergence:
    different = (a != b).reshape(-1, *a.shape[-2:])
    row = int(np.argmax(different.any(axis=(0, 2))))
    sample, neuron = (int(x) for x in np.argwhere(different[:, row])[0])
    x, y = (s.reshape(different.shape)[sample, row, neuron] for s in (a, b))
    which = sample if a.ndim == 3 else None
    return Divergence(name, "spikes", which, start + row + 1, neuron, float(x), float(y))


def best_lag(first: Recording, second: Recording, names: Iterable[str]) -> int:
    """Return the lag of the second run (of :data:`LAGS`) with the fewest changes."""
    pairs = [(spikes_of(first, n), spikes_of(second, n)) for n in names]
    changes = {}
    for lag in sorted(LAGS, key=abs):
        if abs(lag) < first.n_steps:
            sums = [_both(*_moved(a, b, lag)) for a, b in pairs]
            changes[lag] = sum(most - least for most, least in sums)
    return min(changes, key=lambda lag: changes[lag])


def first_of(divergences: Iterable[Divergence | None]) -> Divergence | None:
    """Return the earliest."""
    return min((d for d in divergences if d is not None), key=lambda d: d.step, default=None)


def volts_apart(
    first: Recording, second: Recording, name: str, lag: int = 0
) -> tuple[float | None, float | None]:
    """Return (rms, largest) error of v below threshold, V; None: not recorded or nothing left."""
    if (name, "v") not in first.traces or (name, "v") not in second.traces:
        return None, None
    found = voltage_error(first, second, name, lag)
    most = found.max_volts[np.isfinite(found.max_volts)]
    rms = found.rms
    return (rms, float(most.max())) if np.isfinite(rms) and most.size else (None, None)


def spike_distances(
    first: Recording, second: Recording, names: Iterable[str], timescale: float
) -> tuple[Distance, ...]:
    """Return Victor-Purpura and van Rossum distances, means over trains (of all samples)."""
    trains = [_as_trains(first, second, name) for name in names]
    one, two = (np.concatenate([t[k] for t in trains], axis=1) for k in (0, 1))
    of = one.shape[1]
    chosen = np.unique(np.linspace(0, of - 1, min(of, MOST_TRAINS)).astype(np.int64))
    runs = [Recording(first.dt, len(x), {"all": x[:, chosen]}) for x in (one, two)]
    lags = [lag for lag in LAGS if abs(lag) < len(one)]
    options: Mapping[str, Mapping[str, float]] = {
        "victor_purpura": {"cost": 1.0 / timescale},
        "van_rossum": {"tau": timescale},
    }
    out = []
    for metric, given in options.items():
        found = per_neuron(runs[0], runs[1], "all", metric, lags, **given)
        values = {
            int(lag): float(np.mean(row)) for lag, row in zip(lags, found.values, strict=True)
        }
        out.append(Distance(metric, timescale, len(chosen), of, values[0], found.best_lag,
                            values[found.best_lag]))  # fmt: skip
    return tuple(out)


def _as_trains(first: Recording, second: Recording, name: str) -> tuple[Array, Array]:
    """Return ``(n_steps, trains)`` of both, samples side by side."""
    one, two = (np.moveaxis(spikes_of(run, name), -2, 0) != 0 for run in (first, second))
    return one.reshape(len(one), -1), two.reshape(len(two), -1)
