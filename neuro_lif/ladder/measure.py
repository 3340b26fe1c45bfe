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


def between(first: Recording, second: Recording, name: str) -> Between:
    """Compare the spikes of one population."""
    a, b = spikes_of(first, name), spikes_of(second, name)
    most, least = _both(a, b)
    before, after = (int(x.sum(dtype=np.int64)) for x in (a, b))
    place = _first(a, b, name) if most != least else None
    return Between(before, after, most - least, most, place)


def _both(a: Array, b: Array) -> tuple[int, int]:
    """Return (spikes that any of the two has, spikes that both have)."""
    most = int(np.maximum(a, b).sum(dtype=np.int64))
    return most, int(np.minimum(a, b).sum(dtype=np.int64))


def _first(a: Array, b: Array, name: str) -> Divergence:
    different = (a != b).reshape(-1, *a.shape[-2:])
    row = int(np.argmax(different.any(axis=(0, 2))))
    sample, neuron = (int(x) for x in np.argwhere(different[:, row])[0])
    x, y = (s.reshape(different.shape)[sample, row, neuron] for s in (a, b))
    which = sample if a.ndim == 3 else None
    return Divergence(name, "spikes", which, row + 1, neuron, float(x), float(y))


def at_lags(
    first: Recording, second: Recording, names: Iterable[str], lags: Iterable[int]
) -> tuple[int, int, int]:
    """Return (lag, changed, either) at the lag of the second run with the fewest changes.

    Spikes that have no counterpart because the window is shorter then are left out.
    """
    pairs = [(spikes_of(first, n), spikes_of(second, n)) for n in names]
    found = []
    for lag in sorted(lags, key=abs):
        steps = min((a.shape[-2] for a, _ in pairs), default=0) - abs(lag)
        if steps < 1:
            continue
        sums = [_both(a[..., max(-lag, 0) :, :][..., :steps, :],
                      b[..., max(lag, 0) :, :][..., :steps, :]) for a, b in pairs]  # fmt: skip
        most, least = (sum(s[k] for s in sums) for k in (0, 1))
        found.append((most - least, most, lag))
    changed, either, lag = min(found, key=lambda x: (x[0], abs(x[2])))
    return lag, changed, either


def first_of(divergences: Iterable[Divergence | None]) -> Divergence | None:
    """Return the earliest."""
    return min((d for d in divergences if d is not None), key=lambda d: d.step, default=None)


def volts_apart(
    first: Recording, second: Recording, name: str
) -> tuple[float | None, float | None]:
    """Return (rms, largest) error of v below threshold, V; None: not recorded or nothing left."""
    if (name, "v") not in first.traces or (name, "v") not in second.traces:
        return None, None
    found = voltage_error(first, second, name)
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
    return tuple(  # type: ignore[return-value]
        np.moveaxis(x, -2, 0).reshape(x.shape[-2], -1) != 0
        for x in (spikes_of(first, name), spikes_of(second, name))
    )
