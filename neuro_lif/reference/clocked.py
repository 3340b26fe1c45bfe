"""The clock-driven float64 reference: runs a SteppedNetwork.

Two engines, the compiled kernel and numpy, give the same float64 values bit for bit, so every sum
has an order. In step ``t``:

1. every spike input sends along its projections, in the order of the network;
2. every population, in the order of the network, takes what arrives at each receptor (the running
   sum of :mod:`neuro_lif.reference.arrivals`), computes::

       u[r]    = decay_u[r] * u[r] + arriving[r]
       current = (0.0 + gain * amperes of its first current input) + gain * those of the second ...
       v       = ((v * decay_v) + ((u[0] + u[1]) + ...)) + (bias + current)

   (v stays as it is in a refractory period), compares, resets, and sends along its projections.
   A neuron that spikes sends k = 1, or where it may send several (``most_spikes``)::

       k = floor(v / threshold), but 1 where that is not at least 1 or the threshold is not above 0,
           and at most most_spikes, at most 2**53
       v = v - (k * threshold), or 0

   A filter stage (:mod:`neuro_lif.filter_stage`) stops after u, and sends u where it is not 0, as
   so many spikes.

Every operation is rounded once, as IEEE 754 has it; there are no fused products. A sum that begins
at 0.0 is never -0.0. What leaves float64 is inf and, where that cancels, NaN, which never spikes;
the sign and the payload of a NaN are not defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import expect, expect_flag, expect_progress, number_array
from ..discretize import SteppedNetwork
from ..engines import Progress, in_chosen, trace_array
from ..errors import Faults, RangeError, show
from ..feeds import Feed, Rolling, block_of, float_feeds, recorded_inputs, told_inputs
from ..network import Network
from ..recording import Interrupted, Recording
from ..stepped import MOST_AT_ONCE
from ..stimulate import Inputs, batch_of, check_given, input_sizes, steps_of
from .compiled import kernel_of, run_in_kernel
from .stepper import Stepper

Array = npt.NDArray[Any]
Given = Mapping[str, Array]


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


def run_clocked(
    stepped: SteppedNetwork,
    n_steps: int | None = None,
    inputs: Inputs | None = None,
    record: str = "probes",
    progress: Progress | None = None,
    engine: str | None = None,
    threads: int | None = None,
    record_inputs: bool = False,
    batch: int | None = None,
) -> Recording:
    """Run the float64 reference.

    Two engines give the same values bit for bit: the compiled kernel, and numpy where there is no
    kernel (or delays so long that it does not keep what is on its way).

    Args:
        stepped: the network, from :func:`neuro_lif.discretize`.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)``: spike counts for a spike
            input, A for a current input. Replaces what the network describes.
        record: ``"probes"``, or ``"all"`` for u and v of every population.
        progress: called with (steps done, steps in all).
        engine: ``"auto"``, ``"kernel"`` or ``"numpy"``; None: what the environment variable
            NEURO_LIF_ENGINE says, else ``"auto"``.
        threads: of the kernel, at most so many, one sample each; None: as many as there are
            processors.
        record_inputs: keep the inputs of every step in ``Recording.inputs`` (spikes as events),
            from which the run can be repeated. Described inputs are made a stretch of steps at a
            time and are otherwise held by nobody.
        batch: so many samples, each with draws of its own where inputs are random; None: as many
            as ``inputs`` have.

    Returns:
        A recording with traces in V above v_zero (u in V per step). Its provenance names the
        engine, and with ``"auto"`` why it is not the kernel.

    Raises:
        RangeError: no SteppedNetwork, unknown input, wrong shape, no length, unknown ``record``,
            no such engine, or one that cannot run this; a projection without delay and latency
            onto a population that is stepped before its sender.
        Interrupted: on Ctrl-C: a KeyboardInterrupt with the recording of the steps until then.
    """
    expect(stepped, SteppedNetwork, "run_clocked")
    expect_progress(progress, "run_clocked: progress")
    expect_flag(record_inputs, "run_clocked: record_inputs")
    check_record(record)
    _check_populations(stepped)
    _check_order(stepped)
    given = check_given(inputs, input_sizes(stepped.network))
    steps = steps_of(n_steps, given)
    samples = batch_of(given, batch)
    feeds = float_feeds(stepped.network, stepped.dt, steps, samples or 1, given)
    run = _Run(stepped, steps, given, feeds, record, record_inputs, samples)
    return in_chosen(
        engine, threads,
        lambda: _run_compiled(run, progress, threads),
        lambda why: _run_numpy(run, progress, why),
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """What was asked for."""

    stepped: SteppedNetwork
    n_steps: int
    given: Given
    feeds: Mapping[str, Feed]
    record: str
    record_inputs: bool
    batch: int | None


def _check_populations(stepped: SteppedNetwork) -> None:
    """Refuse a first synaptic state or a limit of spikes that is none."""
    faults = Faults()
    for p in stepped.populations:
        where, most, shape = f"population {p.name!r}", p.most_spikes, np.shape(p.decay_u)
        whole = isinstance(most, (int, np.integer)) and not isinstance(most, bool)
        if most is not None and not (whole and 1 <= most <= MOST_AT_ONCE):
            faults.add(where, "most_spikes", most, "a whole number 1..2**53, or None for any")
        if p.u_init is None:
            continue
        u_init = number_array(where, "u_init", p.u_init, faults)
        if u_init is not None and u_init.shape != shape:
            faults.add(where, "u_init", f"shape {u_init.shape}",
                       f"shape {shape} (n_receptors, n), or None")  # fmt: skip
    faults.raise_if_any(RangeError)


def _check_order(stepped: SteppedNetwork) -> None:
    """Refuse spikes that would have to arrive in a step that their target has already done."""
    place = {p.name: k for k, p in enumerate(stepped.populations)}
    for q in stepped.projections:
        at_once = q.latency + int(np.min(q.delays, initial=2**31)) <= 0
        if at_once and place.get(q.pre, -1) >= place[q.post]:
            raise RangeError(
                f"projection {q.name!r}: latency = {q.latency} without delay, allowed: 1, or a "
                "delay, where the target does not come after the sender"
            )


def _run_compiled(run: _Run, progress: Progress | None, threads: int | None) -> Recording:
    stepped, batch, n_steps = run.stepped, run.batch, run.n_steps
    kernel_of(stepped, batch or 1)  # where it cannot, nothing else is done
    traces = _traces(stepped, run.record, batch or 1, n_steps)
    done, interrupted, spikes, used = run_in_kernel(stepped, n_steps, run.feeds, traces, batch,
                                                    progress, threads)  # fmt: skip
    more = _interrupted(done, n_steps) if interrupted else {}
    return _recorded(run, done, spikes, _kept(traces, batch, done), f"compiled ({used})", more)


def _run_numpy(run: _Run, progress: Progress | None, why: dict[str, str]) -> Recording:
    stepped, batch, n_steps, record = run.stepped, run.batch, run.n_steps, run.record
    b, done = batch or 1, 0
    block = block_of(run.feeds.values(), b, n_steps)
    feeds: Any = {k: Rolling(feed, b, n_steps, block) for k, feed in run.feeds.items()}
    spikes = {p.name: np.zeros((b, n_steps, p.size), p.counts_dtype) for p in stepped.described}
    traces = _traces(stepped, record, b, n_steps)
    stepper = Stepper(stepped, b)
    try:
        for t, sent in enumerate(stepper.steps(feeds, n_steps)):
            for name, rows in spikes.items():
                rows[:, t] = sent[name]
            for (name, variable), trace in traces.items():
                neurons = stepper.neurons[name]
                trace[:, t] = neurons.v if variable == "v" else neurons.drive
            done = t + 1
            if progress is not None:
                progress(done, n_steps)
    except KeyboardInterrupt:
        if not done:
            raise
        why = {**why, **_interrupted(done, n_steps)}
    return _recorded(run, done, _kept(spikes, batch, done), _kept(traces, batch, done), "numpy",
                     why)  # fmt: skip


def _traces(
    stepped: SteppedNetwork, record: str, batch: int, n_steps: int
) -> dict[tuple[str, str], Array]:
    sizes = {p.name: p.size for p in stepped.populations}
    return {key: trace_array((batch, n_steps, sizes[key[0]]), np.float64)
            for key in wanted_traces(stepped.network, record)}  # fmt: skip


def _kept(arrays: Mapping[Any, Array], batch: int | None, done: int) -> dict[Any, Array]:
    return {k: a[:, :done] if batch else a[0, :done] for k, a in arrays.items()}


def _interrupted(n_steps: int, asked: int) -> dict[str, str]:
    return {"interrupted": f"after {n_steps} of {asked} steps"}


def _recorded(
    run: _Run, n_steps: int, spikes: Mapping[str, Array],
    traces: Mapping[tuple[str, str], Array], engine: str, more: dict[str, str],
) -> Recording:  # fmt: skip
    stepped = run.stepped
    provenance = {"engine": f"clocked float64 reference, {engine}", "rule": str(stepped.rule)}
    provenance |= told_inputs(stepped.network, run.given)
    v_zero = {p.name: np.asarray(p.v_zero) for p in stepped.described}
    more = {**provenance, **more}
    recording = Recording(stepped.dt, n_steps, spikes, traces, v_zero=v_zero, provenance=more,
                          inputs=_inputs(run, n_steps))  # fmt: skip
    if "interrupted" in more:
        raise Interrupted(recording)
    return recording


def _inputs(run: _Run, n_steps: int) -> Mapping[str, Array]:
    if not run.record_inputs:
        return {}
    trains = [i.name for i in run.stepped.network.spike_inputs]
    return recorded_inputs(run.feeds, trains, run.batch, n_steps)
