"""The event-exact float64 reference: level 0, no time step at all.

Spike times are closed forms or roots to the last bits; between events nothing is approximated, and
no crossing is missed, however short (:mod:`neuro_lif.reference.exact_crossing`). Conventions:

- ``compare=">"``: a spike where V passes the threshold. V that touches it from below and turns
  back, or converges to it, never spikes. With ``">="`` to reach it is enough; convergence is not.
  Both are decided as float64 has V; a membrane that settles within a few last bits of its
  threshold settles at it.
- a jump above the threshold spikes at once, at the time of arrival. What arrives at one time (equal
  float64 numbers) is added up before V is compared.
- refractory: V is held at what the reset made it, until the end of the period; what moves V at once
  and arrives by then, the end included, is lost; currents go on. After it V is compared at once.
- ``reset="subtract"``: V is lowered by threshold - reset. A jump over several thresholds gives
  several spikes at that time where there is no refractory period.
- a spike without delay arrives at its own time (order: :mod:`neuro_lif.reference.exact_queue`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arrays import per_neuron
from ..checks import expect, expect_progress
from ..engines import Progress
from ..errors import RangeError, show
from ..network import LI, Network, SpikeInput
from ..stimulus import Stimulus
from .exact_drive import pieces_of
from .exact_queue import Queue
from .exact_recording import ExactInterrupted, ExactRecording

Array = npt.NDArray[Any]
ExactInputs = Mapping[str, SpikeInput | Sequence[npt.ArrayLike] | Stimulus]
"""Spike input name -> one list of times (s) per channel; current input name -> stimulus."""

PARTS = 1000
"""In so many parts of the duration progress is told."""


def run_exact(
    network: Network,
    duration: float,
    inputs: ExactInputs | None = None,
    compare: Literal[">", ">="] = ">",
    sample_times: npt.ArrayLike | None = None,
    progress: Progress | None = None,
    most_events: int | None = None,
) -> ExactRecording:
    """Run a network without a time step: exact spike times.

    Args:
        network: LIF, IF and LI neurons, all synapses and delays; currents that are constant,
            sinusoids, lines, or held over intervals, and sums and stretches of these.
        duration: s, > 0; spikes at its very end are part of the run.
        inputs: in place of what the network describes: for a spike input one list of times (s) per
            channel, or a SpikeInput; for a current input a stimulus.
        compare: ``">"`` or ``">="``, see :mod:`neuro_lif.reference.event_exact`.
        sample_times: where V of every neuron is read, s, 0..duration, ascending.
        progress: called with (parts done, parts in all) of the duration.
        most_events: an error after so many events (spikes, arrivals, changes of a current), for
            whoever does not know how many there will be; None: however many it takes.

    Returns:
        Spike times and V; ``.rasters(dt)`` puts them on a grid.

    Raises:
        NetworkError: no Network, or trains that are no lists of times.
        RangeError: no duration, an unknown input, a stimulus that is not one of those above,
            projections without delay that close a circle, sample times outside the run, a neuron
            that spikes faster than float64 tells apart, or more events than allowed.
        ExactInterrupted: on Ctrl-C: a KeyboardInterrupt with the recording until then.

    Source: Brette, Neural Computation 18 and 19 (2006, 2007); Morrison et al., Neural Computation
    19 (2007), for spikes off the grid.
    """
    expect(network, Network, "run_exact")
    expect_progress(progress, "run_exact: progress")
    end = _checked_duration(duration)
    if compare not in (">", ">="):
        raise RangeError(f'compare = {show(compare)}, allowed: ">" or ">="')
    times = _checked_samples(sample_times, end)
    trains, stimuli = _checked_inputs(network, inputs)
    most = _checked_most(most_events)
    queue = Queue(network, end, trains, stimuli, compare == ">=", times)
    told = 0
    try:
        for now in queue.run():
            if queue.events > most:
                raise RangeError(f"most_events = {most_events}, allowed: more, or None: only "
                                 f"{now:g} of {end:g} s were done by then")  # fmt: skip
            if progress is not None and (part := int(PARTS * now / end)) > told:
                told = min(part, PARTS)
                progress(told, PARTS)
    except KeyboardInterrupt:
        raise ExactInterrupted(_recorded(network, queue, compare, times, queue.now)) from None
    if progress is not None and told < PARTS:
        progress(PARTS, PARTS)
    return _recorded(network, queue, compare, times, None)


def _recorded(
    network: Network, queue: Queue, compare: str, times: Array, until: float | None
) -> ExactRecording:
    """Return what there is; of an interrupted run what lies before the time it had come to."""
    provenance = {"engine": "event-exact float64 reference", "compare": compare,
                  "events": str(queue.events)}  # fmt: skip
    spikes, samples, duration = {}, {}, queue.end
    if until is not None:
        provenance["interrupted"] = f"after {until:g} of {queue.end:g} s"
        times, duration = times[times < until], until
    for name, found in queue.spikes.items():
        kept = [(t, idx) for t, idx in found if until is None or t < until]
        when = np.repeat([t for t, _ in kept], [len(idx) for _, idx in kept])
        neurons = np.concatenate([np.zeros(0, np.int64), *(idx for _, idx in kept)])
        order = np.lexsort((neurons, when))
        spikes[name] = (neurons[order].astype(np.int64), when[order].astype(np.float64))
        if times.size:
            samples[name] = np.array(queue.samples[name][: len(times)])
    v_zero = {p.name: _v_zero(p.neuron, p.size) for p in network.populations}
    return ExactRecording(duration, spikes, times, samples, v_zero, provenance)


def _v_zero(neuron: Any, size: int) -> Array:
    """Return what v = 0 of a clocked run stands for."""
    return per_neuron(neuron.v_rest if isinstance(neuron, LI) else neuron.v_reset, size)


# -------------------------------------------------------------------------------- checks


def _checked_duration(duration: Any) -> float:
    number = isinstance(duration, (int, float, np.number)) and not isinstance(duration, bool)
    if not number or not 0 < duration < np.inf:
        raise RangeError(f"duration = {show(duration)}, allowed: a time > 0 s")
    return float(duration)


def _checked_most(most_events: Any) -> float:
    if most_events is None:
        return np.inf
    whole = isinstance(most_events, (int, np.integer)) and not isinstance(most_events, bool)
    if not whole or most_events < 1:
        raise RangeError(
            f"most_events = {show(most_events)}, allowed: a whole number >= 1, or None"
        )
    return float(most_events)


def _checked_samples(sample_times: Any, end: float) -> Array:
    if sample_times is None:
        return np.zeros(0)
    try:
        times = np.asarray(sample_times, np.float64)
    except (TypeError, ValueError):
        raise RangeError(f"sample_times = {show(sample_times)}, allowed: a list of times") from None
    inside = times.ndim == 1 and bool(((times >= 0) & (times <= end)).all())
    if not inside or (np.diff(times) < 0).any():
        raise RangeError(
            f"sample_times = {show(sample_times)}, allowed: one list of times in 0..{end:g} s, "
            "ascending"
        )
    return times


def _checked_inputs(
    network: Network, inputs: ExactInputs | None
) -> tuple[dict[str, SpikeInput], dict[str, Stimulus]]:
    if inputs is not None and not isinstance(inputs, Mapping):
        raise RangeError(f"inputs = {show(inputs)}, allowed: a mapping of input name to input")
    known_inputs = {i.name: i for i in network.spike_inputs}
    trains = {k: i for k, i in known_inputs.items() if isinstance(i, SpikeInput)}
    currents = {c.name: c for c in network.current_inputs}
    stimuli: dict[str, Stimulus] = {}
    for name, given in (inputs or {}).items():
        if name in known_inputs:
            trains[name] = _checked_trains(name, given, known_inputs[name].size)
        elif name in currents:
            stimulus: Any = given
            _check_fits(network, name, currents[name].population, stimulus)
            stimuli[name] = stimulus
        else:
            known = ", ".join(sorted([*known_inputs, *currents])) or "none"
            raise RangeError(f"inputs: {name!r} is unknown, allowed: {known}")
    for name, described in known_inputs.items():
        if name not in trains:
            raise RangeError(
                f"input {name!r}: {type(described).__name__}, allowed in an event-exact run: spike "
                "times (give some in inputs=; what is drawn for each step needs a step)"
            )
    return trains, stimuli


def _checked_trains(name: str, given: Any, size: int) -> SpikeInput:
    trains = given if isinstance(given, SpikeInput) else SpikeInput.from_trains(name, given)
    if trains.size != size:
        raise RangeError(
            f"inputs[{name!r}]: {trains.size} trains, allowed: {size}, one per channel"
        )
    return SpikeInput(name, size, trains.indices, trains.times)


def _check_fits(network: Network, name: str, population: str, stimulus: Stimulus) -> None:
    size = network.population(population).size
    pieces_of(f"inputs[{name!r}]", stimulus, size, 0.0)
    arrays = {k: v for k, v in vars(stimulus).items() if isinstance(v, np.ndarray)}
    for field, value in arrays.items():
        shape = np.shape(value)
        fits = shape[-1] in (1, size) if field == "values" else shape in ((), (size,))
        if not fits:
            raise RangeError(
                f"inputs[{name!r}]: {field} has shape {shape}, allowed: one for all or one for "
                f"each of {size} neurons"
            )
