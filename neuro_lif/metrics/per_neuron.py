"""A distance of each neuron's trains in two recordings of one network, at several lags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..checks import expect
from ..errors import RangeError, show
from ..recording import Recording
from .spike_cost import van_rossum_all, victor_purpura_all
from .spike_times import gamma_of, isi_of, spike_of, sync_of
from .trains import lists_of, neurons_of, positive, samples_of, split, steps_of, train_of

Trains = list[FloatArray]


def _each(pair: Callable[..., float], one: Trains, two: Trains, start: float, stop: float,
          **options: Any) -> FloatArray:  # fmt: skip
    found = [pair(a, b, start, stop, **options) for a, b in zip(one, two, strict=True)]
    return np.array(found, np.float64)


def _costs(metric: Callable[..., FloatArray], one: Trains, two: Trains, start: float, stop: float,
           **options: Any) -> FloatArray:  # fmt: skip
    return metric(one, two, **options)


METRICS: Mapping[str, tuple[Callable[..., FloatArray], tuple[str, ...], bool]] = {
    "victor_purpura": (partial(_costs, victor_purpura_all), ("cost",), False),
    "van_rossum": (partial(_costs, van_rossum_all), ("tau", "norm"), False),
    "isi_distance": (partial(_each, isi_of), (), False),
    "spike_distance": (partial(_each, spike_of), (), False),
    "spike_synchronization": (partial(_each, sync_of), ("max_tau",), True),
    "coincidence_factor": (partial(_each, gamma_of), ("delta",), True),
}
"""Name -> how, its options, and whether more is nearer."""


@dataclass(frozen=True, eq=False)
class PerNeuron:
    """A metric of every neuron at every lag.

    Args:
        metric: its name.
        lags: ``(k,)`` steps by which the second run is later.
        values: ``(k, n)``; of runs with samples ``(k, batch, n)``.
        more_is_nearer: True for synchronisation and coincidence.
    """

    metric: str
    lags: IntArray
    values: FloatArray
    more_is_nearer: bool

    @property
    def best(self) -> int:
        """The index of the lag at which the mean over neurons is best; the smallest of equals."""
        means = [np.nanmean(row) if not np.all(np.isnan(row)) else np.nan for row in self.values]
        return _best(np.array(means), self.lags, self.more_is_nearer)

    @property
    def best_lag(self) -> int:
        """The lag at which the mean over neurons is best, steps."""
        return int(self.lags[self.best])

    @property
    def at_best(self) -> FloatArray:
        """``(n,)`` or ``(batch, n)`` the values at the one lag that is best for the population."""
        return np.asarray(self.values[self.best])


def _best(values: FloatArray, lags: Any, more: bool) -> int:
    """Return where the best value is; rounding aside, the one of the smallest lag."""
    if np.all(np.isnan(values)):
        return int(np.argmin(np.abs(lags)))
    loss = np.where(np.isnan(values), np.inf, -values if more else values)
    least = loss.min()
    near = loss <= least + 1e-12 * max(1.0, abs(least))
    return int(np.argmin(np.where(near, np.abs(lags), np.inf)))


def best_lag(
    metric: Callable[..., float], a: Any, b: Any, lags: Iterable[float], *,
    window: tuple[float, float] | None = None, more_is_nearer: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Return (lag, value) where the second train, moved earlier by the lag, is nearest.

    Args:
        metric: of two trains; where there is a window, of ``(a, b, t_start, t_stop)``.
        a, b: times in s, rising.
        lags: s, to be tried.
        window: (t_start, t_stop) of both trains; each lag is judged in the part that both then
            have, as ``compare(shift=...)`` does.
        more_is_nearer: True for synchronisation and coincidence.

    Raises:
        RangeError: no lag, or a lag as long as the window.
    """
    x, y = train_of(a, "a"), train_of(b, "b")
    tried = np.atleast_1d(np.asarray(lags if isinstance(lags, np.ndarray) else list(lags), float))
    if not tried.size or not np.all(np.isfinite(tried)):
        raise RangeError(f"lags = {show(lags)}, allowed: at least one finite lag in s")
    if window is None:
        found = np.array([metric(x, y - lag) for lag in tried])
    else:
        found = np.array([_cut_value(metric, x, y, lag, *window) for lag in tried])
    k = _best(found, tried, more_is_nearer)
    return float(tried[k]), float(found[k])


def _cut_value(metric: Callable[..., float], a: FloatArray, b: FloatArray, lag: float,
               start: float, stop: float) -> float:  # fmt: skip
    low, high = max(start, start - lag), min(stop, stop - lag)
    if not high > low:
        raise RangeError(f"lag = {lag} s, allowed: shorter than the window of {stop - start} s")
    moved = b - lag
    one, two = (t[(t >= low) & (t <= high)] for t in (a, moved))
    return metric(one, two, low, high)


def per_neuron(
    first: Recording, second: Recording, population: str, metric: str,
    lags: Iterable[int] = (0,), **options: Any,
) -> PerNeuron:  # fmt: skip
    """Return a metric between each neuron's trains in two runs, of samples each with its like.

    The window is the steps that both runs have at that lag. Spikes are taken from events where
    the runs hold them, and Victor-Purpura and van Rossum go over all neurons at once.

    Args:
        first, second: recordings with the same dt.
        population: which.
        metric: a name of :data:`METRICS`.
        lags: whole steps by which the second run is later (a target with a step of latency: 1).
        options: ``cost`` (1/s); ``tau`` (s) and ``norm``; ``max_tau`` (s); ``delta`` (s).

    Raises:
        RangeError: runs that do not match, an unknown metric or option, or a lag that leaves no
            step. A coincidence factor that is not defined is NaN.
    """
    expect(first, Recording, "per_neuron (first)")
    expect(second, Recording, "per_neuron (second)")
    if metric not in METRICS:
        raise RangeError(f"metric = {show(metric)}, allowed: {', '.join(METRICS)}")
    function, known, more = METRICS[metric]
    if not np.isclose(first.dt, second.dt, rtol=1e-9):
        raise RangeError(f"dt = {first.dt} and {second.dt}, allowed: the same step in both")
    n = neurons_of(first, population)
    if neurons_of(second, population) != n:
        raise RangeError(f"population {population!r}: sizes differ, allowed: the same")
    batch = samples_of(first, population)
    if samples_of(second, population) != batch:
        raise RangeError(f"population {population!r}: {batch} and "
                         f"{samples_of(second, population)} samples, allowed: as many")  # fmt: skip
    settings = _options(metric, known, options)
    tried = _lags(lags, min(first.n_steps, second.n_steps))
    steps = [steps_of(run, population)[:2] for run in (first, second)]
    rows_each = max(batch, 1) * n
    rows = []
    for lag in tried:
        shift = int(lag)
        begin = max(-shift, 0)
        end = min(first.n_steps, second.n_steps - shift)
        one, two = (
            _cut(neuron, step - move, begin, end, first.dt, rows_each)
            for (neuron, step), move in zip(steps, (0, shift), strict=True)
        )
        rows.append(function(one, two, 0.0, (end - begin) * first.dt, **settings))
    shape = (len(tried), batch, n) if batch else (len(tried), n)
    return PerNeuron(metric, tried, np.array(rows).reshape(shape), more)


def _options(metric: str, known: tuple[str, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as the pair functions want them."""
    for name in options:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise RangeError(f"{metric}: option {name!r}, allowed: {allowed}")
    needed = next((k for k in known if k in ("cost", "tau", "delta")), None)
    if needed and needed not in options:
        raise RangeError(f"{metric} wants {needed} = a number (1/s for cost, else s)")
    given = dict(options)
    if "delta" in given:
        given["delta"] = positive(given["delta"], "delta", "s")
    if "max_tau" in given:
        limit = given.pop("max_tau")
        given["most"] = np.inf if limit is None else positive(limit, "max_tau", "s")
    return given


def _lags(lags: Any, steps: int) -> IntArray:
    tried = np.atleast_1d(np.asarray(lags if isinstance(lags, np.ndarray) else list(lags)))
    if not tried.size or tried.dtype.kind not in "iu" or np.abs(tried).max() >= steps:
        raise RangeError(f"lags = {show(lags)}, allowed: whole steps, fewer than {steps}")
    return np.asarray(tried, np.int64)


def _cut(neuron: IntArray, step: IntArray, begin: int, end: int, dt: float, n: int) -> Trains:
    keep = (step > begin) & (step <= end)
    return split(neuron[keep], (step[keep] - begin) * dt, n)


def distances(
    first: Any, second: Any, metric: str, t_start: float, t_stop: float, **options: Any
) -> FloatArray:
    """Return a metric of each pair of trains of two lists, ``(n,)``; times in s.

    Raises:
        RangeError: as :func:`per_neuron`, or trains that are not within the window.
    """
    from .trains import inside, window_of

    if metric not in METRICS:
        raise RangeError(f"metric = {show(metric)}, allowed: {', '.join(METRICS)}")
    start, stop = window_of(t_start, t_stop)
    one, two = (
        [inside(t, start, stop, f"{name}[{i}]") for i, t in enumerate(lists_of(side, name))]
        for name, side in (("first", first), ("second", second))
    )
    if len(one) != len(two):
        raise RangeError(f"{len(one)} and {len(two)} trains, allowed: as many in both lists")
    function, known, _ = METRICS[metric]
    return function(one, two, start, stop, **_options(metric, known, options))
