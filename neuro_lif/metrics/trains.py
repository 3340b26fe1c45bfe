"""What counts as a spike train, its window, and the trains of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..checks import expect, is_real
from ..errors import RangeError, show
from ..rasters import events_of
from ..recording import Recording
from ..reference.exact_recording import ExactRecording

CLOSE = 1e-9
"""Relative slack of comparisons of times: on a grid of steps, ties are usual and are ties."""


def train_of(value: Any, name: str) -> FloatArray:
    """Return a train as float64 times in s, in order.

    Raises:
        RangeError: not one row of finite, rising times.
    """
    times = np.asarray(value, np.float64) if is_real(value) else None
    if times is None or times.ndim != 1:
        raise RangeError(f"{name} = {show(value)}, allowed: one row of spike times in s")
    if not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0):
        raise RangeError(
            f"{name} = {show(value)}, allowed: finite times in rising order (sort them first)"
        )
    return times


def positive(value: Any, name: str, unit: str, zero: bool = False) -> float:
    """Return a number above 0 (or also 0).

    Raises:
        RangeError: it is not.
    """
    good = is_real(value) and np.ndim(value) == 0 and np.isfinite(value)
    if not good or value < 0 or (value == 0 and not zero):
        raise RangeError(
            f"{name} = {show(value)}, allowed: a number {'>=' if zero else '>'} 0 {unit}"
        )
    return float(value)


def window_of(t_start: Any, t_stop: Any) -> tuple[float, float]:
    """Return a window as two floats.

    Raises:
        RangeError: it is empty or not finite.
    """
    for name, value in (("t_start", t_start), ("t_stop", t_stop)):
        if not is_real(value) or np.ndim(value) or not np.isfinite(value):
            raise RangeError(f"{name} = {show(value)}, allowed: a finite time in s")
    if not t_stop > t_start:
        raise RangeError(f"t_stop = {show(t_stop)}, allowed: a time after t_start = {t_start} s")
    return float(t_start), float(t_stop)


def inside(train: FloatArray, t_start: float, t_stop: float, name: str) -> FloatArray:
    """Return a train of distinct times, all within the window, its edges included.

    A time that is off an edge by rounding alone is put on it.

    Raises:
        RangeError: a spike is outside, or two are at one time.
    """
    slack = CLOSE * (t_stop - t_start)
    if train.size and (train[0] < t_start - slack or train[-1] > t_stop + slack):
        where = train[0] if train[0] < t_start else train[-1]
        raise RangeError(f"{name}: a spike at {where:.9g} s, allowed: {t_start}..{t_stop} s")
    train = np.clip(train, t_start, t_stop)
    if np.any(np.diff(train) == 0):
        raise RangeError(f"{name}: two spikes at one time, allowed: times that differ (np.unique)")
    return train


def pair_of(
    a: Any, b: Any, t_start: Any, t_stop: Any
) -> tuple[FloatArray, FloatArray, float, float]:
    """Return two checked trains and their window.

    Raises:
        RangeError: as :func:`train_of`, :func:`window_of` and :func:`inside`.
    """
    start, stop = window_of(t_start, t_stop)
    x, y = (inside(train_of(t, n), start, stop, n) for t, n in ((a, "a"), (b, "b")))
    return x, y, start, stop


def trains_of(recording: Recording | ExactRecording, population: str) -> list[FloatArray]:
    """Return the spike times of every neuron, in s, of an unbatched run.

    A neuron that sends a number above 1 in a step counts as one spike. The times of an event-exact
    run are off the grid; ``distances`` holds them against those of a clocked one.

    Raises:
        RangeError: no such population, or the run has samples (take one with ``.sample(k)``).
    """
    if isinstance(recording, ExactRecording):
        neuron, times = recording.spike_times(population)
        return split(neuron, times, len(recording.v_zero[population]))
    expect(recording, Recording, "trains_of")
    neuron, times = recording.spike_times(population)
    return split(neuron, times, neurons_of(recording, population))


def sampled_trains_of(recording: Recording, population: str) -> list[list[FloatArray]]:
    """Return the spike times of every neuron of every sample, s; a run without samples has one.

    Raises:
        RangeError: no such population.
    """
    expect(recording, Recording, "sampled_trains_of")
    neuron, step, samples = steps_of(recording, population)
    n = neurons_of(recording, population)
    flat = split(neuron, step * recording.dt, max(samples, 1) * n)
    return [flat[k * n : (k + 1) * n] for k in range(max(samples, 1))]


def samples_of(recording: Recording, population: str) -> int:
    """Return how many samples a run has; 0 where it is not batched."""
    neurons_of(recording, population)
    events = events_of(recording.spikes, population)
    shape = np.shape(recording.spikes[population]) if events is None else events.shape
    return int(shape[0]) if len(shape) == 3 else 0


def steps_of(recording: Recording, population: str) -> tuple[IntArray, IntArray, int]:
    """Return (neuron, step, samples) of every spike, in order of samples, then of time.

    The neurons of sample k are counted from ``k n`` on; ``samples`` is 0 for a run without.
    """
    samples, n = samples_of(recording, population), neurons_of(recording, population)
    events = events_of(recording.spikes, population)
    if events is not None and events.value is None:  # what is sent may also be 0
        neuron, step = events.neuron.astype(np.int64), events.step.astype(np.int64)
        if events.sample is not None:
            neuron = neuron + n * events.sample.astype(np.int64)
        return neuron, step, samples
    found = np.nonzero(np.asarray(recording.spikes[population]))
    neuron = found[-1] if len(found) == 2 else found[2] + n * found[0]
    return neuron.astype(np.int64), found[-2].astype(np.int64) + 1, samples


def counts_of(recording: Recording, population: str) -> IntArray:
    """Return how many spikes each neuron sent, ``(n,)`` or ``(batch, n)``.

    A neuron that sends a number above 1 in a step counts as one spike.

    Raises:
        RangeError: no such population.
    """
    expect(recording, Recording, "counts_of")
    neuron, _, samples = steps_of(recording, population)
    n = neurons_of(recording, population)
    found = np.bincount(neuron, minlength=max(samples, 1) * n).astype(np.int64)
    return found.reshape(samples, n) if samples else found


def neurons_of(recording: Recording, population: str) -> int:
    """Return the size of a population without making an array of its events.

    Raises:
        RangeError: there is no such population.
    """
    if not isinstance(population, str) or population not in recording.spikes:
        known = ", ".join(sorted(recording.spikes)) or "none"
        raise RangeError(f"population = {show(population)}, allowed: {known}")
    events = events_of(recording.spikes, population)
    shape = np.shape(recording.spikes[population]) if events is None else events.shape
    return int(shape[-1])


def split(neuron: Any, times: FloatArray, n: int) -> list[FloatArray]:
    """Return one array per neuron of times that come in the order of time."""
    order = np.argsort(neuron, kind="stable")
    ends = np.cumsum(np.bincount(neuron, minlength=n))[:-1]
    return list(np.split(times[order], ends))[:n]


def lists_of(trains: Any, name: str) -> list[FloatArray]:
    """Return a sequence of trains, each checked.

    Raises:
        RangeError: not a sequence of trains.
    """
    if not isinstance(trains, Sequence):
        raise RangeError(f"{name} = {show(trains)}, allowed: a list of trains (arrays of times, s)")
    return [train_of(t, f"{name}[{i}]") for i, t in enumerate(trains)]
