"""The ladder of a network, a stimulus and a profile."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import expect, expect_progress
from ..digests import digest
from ..discretize import SteppedNetwork, StepRule, discretize
from ..engines import Progress, chosen_engine
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..lower.form import lif_form
from ..network import Network
from ..quantize import quantize
from ..reference.clocked import check_record
from ..stimulate import Inputs, batch_of, check_given, input_sizes, steps_of
from ..task import Task, narrow
from .climb import Asked, Climber
from .origin import DIGESTS, told, versions
from .parameters import Rounded
from .replay import names_for
from .runs import Setting, Ticker
from .verdict import verdict_of
from .whole import Ladder

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

TIMESCALE = 10
"""Steps of the time scale of the spike-train distances, where none is given."""


def ladder(
    network: Network | SteppedNetwork,
    profile: HardwareProfile | str | FixedNetwork,
    *,
    dt: float | None = None,
    rule: StepRule | str = "exact",
    n_steps: int | None = None,
    inputs: Inputs | None = None,
    batch: int | None = None,
    task: Task | None = None,
    populations: Iterable[str] | None = None,
    exact: bool | None = None,
    exact_samples: int = 16,
    timescale: float | None = None,
    record: str = "probes",
    engine: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    **lowering: Any,
) -> Ladder:
    """Run a network at every level between its description and a chip's integers.

    The levels: without a time step (event-exact); in steps of float64; weights, decays, thresholds,
    biases, delays and refractory periods, start and reset rounded one after the other; state in
    whole numbers in endless registers; the chip's registers. Each rung is what lies between two of
    them. Whose doing it is shows where every population takes the rung alone and hears the spikes
    of the level before (teacher forcing).

    Args:
        network: a description; or in steps, then without the exact rung.
        profile: a profile, the name of a shipped one; or a FixedNetwork made from this network.
        dt: s; of a description.
        rule: step rule of a description.
        n_steps: steps; None: as many as the inputs or the task have.
        inputs: input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)``, as of
            :func:`neuro_lif.run_clocked`.
        batch: so many samples, each with draws of its own where inputs are random; None: as many
            as the inputs or the task have.
        task: samples and labels, in place of inputs: accuracy decides then.
        populations: those that are looked at and may be named; None: all.
        exact: True: the run without steps however long it takes; None: where it is short; False:
            not at all.
        exact_samples: more samples than these are not run without steps.
        timescale: of the spike-train distances, s; None: 10 steps.
        record: ``"probes"``, or ``"all"``: v of every population, so that its error is known.
        engine, threads: of every run.
        progress: called with (done, in all), in thousandths of a run.
        **lowering: options of :func:`neuro_lif.quantize` (``weight_bits``, ``approximate`` ...);
            with a FixedNetwork only ``gain_compensation``, as it was made.

    Returns:
        A :class:`Ladder`.

    Raises:
        RangeError: an argument is not valid, or the networks do not belong together.
        LoweringError: the profile cannot express the network.
        Interrupted: on Ctrl-C.
    """
    expect_progress(progress, "ladder: progress")
    check_record(record)
    _check_exact(exact, exact_samples)
    chosen_engine(engine, threads)
    stepped = _stepped(network, dt, rule)
    if task is not None:
        expect(task, Task, "ladder (task)")
        if inputs is not None:
            raise RangeError("ladder: inputs and a task, allowed: one of them (a task has inputs)")
        inputs, n_steps = task.inputs, _steps(task, n_steps)
    given = check_given(inputs, input_sizes(stepped.network))
    steps = steps_of(n_steps, given)
    fixed = _fixed(stepped, profile, steps, lowering)
    names = _names(stepped, populations, task)
    compensated = lowering.get("coding", "own") == "own" and lowering.get("gain_compensation", True)
    rounded = Rounded(fixed, stepped, bool(compensated))
    scale = TIMESCALE * stepped.dt if timescale is None else timescale
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < np.inf:
        raise RangeError(f"timescale = {show(timescale)}, allowed: a time > 0 s, or None")
    setting = Setting(steps, record, engine, threads, given, batch_of(given, batch),
                      names_for(stepped, fixed), Ticker(progress, 0))  # fmt: skip
    asked = Asked(fixed, rounded, setting, task, names, float(scale), exact, exact_samples,
                  isinstance(network, Network))  # fmt: skip
    climber = Climber(asked)
    done = climber.climb()
    labels = 0 if task is None else task.size
    verdict = verdict_of(done.rungs, done.total, labels, fixed, climber.changes)
    sizes = {p.name: p.size for p in stepped.described if p.name in names}
    origin = _provenance(stepped, fixed, given, task, lowering, done.engines)
    return Ladder(
        done.rungs, verdict, done.total, "clocked" if "time_step" in done.left_out else "exact",
        setting.batch or 1, steps, stepped.dt, sizes, labels, done.left_out,
        (*stepped.notes, *_limits(stepped, fixed), *done.notes), origin,
    )  # fmt: skip


def _limits(stepped: SteppedNetwork, fixed: FixedNetwork) -> list[str]:
    """Return a note for each population whose neurons may spike less often in a step on the chip.

    The float rungs have the described limit; the first rung of integers has the chip's.
    """
    there = {p.name: p.model for p in fixed.populations}
    notes = []
    for p in stepped.described:
        if not p.spikes or p.graded or p.name not in there:
            continue
        most = lif_form(fixed.profile, there[p.name]).most
        if most < p.limit:
            said = "any number" if p.most_spikes is None else str(p.most_spikes)
            notes.append(f"population {p.name!r}: spikes in a step: {said}, on the chip at most "
                         f"{most}: what this costs is counted with 'rounded state'")  # fmt: skip
    return notes


def _stepped(network: Any, dt: float | None, rule: StepRule | str) -> SteppedNetwork:
    if isinstance(network, SteppedNetwork):
        if dt is not None and dt != network.dt:
            raise RangeError(f"dt = {show(dt)}, allowed: {network.dt}, the network's, or None")
        return network
    expect(network, Network, "ladder")
    if dt is None:
        raise RangeError("ladder: dt = None, allowed: a step > 0 s (a description has none)")
    return discretize(network, dt, rule)


def _check_exact(exact: Any, samples: Any) -> None:
    if exact is not None and not isinstance(exact, bool):
        raise RangeError(f"exact = {show(exact)}, allowed: True, False or None")
    whole = isinstance(samples, (int, np.integer)) and not isinstance(samples, bool)
    if not whole or samples < 0:
        raise RangeError(f"exact_samples = {show(samples)}, allowed: a whole number >= 0")


def _steps(task: Task, n_steps: int | None) -> int:
    if n_steps is not None and n_steps != task.steps:
        raise RangeError(f"n_steps = {show(n_steps)}, allowed: {task.steps}, the task's, or None")
    return task.steps


def _fixed(
    stepped: SteppedNetwork, profile: Any, n_steps: int, lowering: Mapping[str, Any]
) -> FixedNetwork:
    known = [n for n, p in inspect.signature(quantize).parameters.items()
             if p.kind is p.KEYWORD_ONLY and n != "n_steps"]  # fmt: skip
    made = isinstance(profile, FixedNetwork)
    for name in lowering:
        if name not in (["gain_compensation"] if made else known):
            allowed = "gain_compensation, beside a FixedNetwork" if made else ", ".join(known)
            raise RangeError(f"ladder: {name} = {show(lowering[name])}, allowed: {allowed}")
    if made and profile.dt != stepped.dt:
        raise RangeError(f"dt = {show(stepped.dt)}, allowed: {profile.dt}, the FixedNetwork's")
    if made:
        return profile  # type: ignore[no-any-return]
    return quantize(stepped, profile, n_steps=n_steps, **lowering)


def _names(
    stepped: SteppedNetwork, populations: Iterable[str] | None, task: Task | None
) -> tuple[str, ...]:
    known = [p.name for p in stepped.described]
    if task is not None:
        check_task(task, stepped)
    if populations is None:
        return tuple(known)
    given: Any = [populations] if isinstance(populations, str) else populations
    wanted = list(given) if isinstance(given, Iterable) else [given]
    for name in wanted:
        if name not in known:
            raise RangeError(f"populations: {show(name)}, allowed: {', '.join(known)}")
    if not wanted:
        raise RangeError(f"populations: none, allowed: {', '.join(known)}, or None for all")
    return tuple(dict.fromkeys(wanted))


def check_task(task: Task, stepped: SteppedNetwork) -> None:
    """Check that a network can do a task.

    Raises:
        RangeError: there is no such output, or a label for which no neuron of it stands.
    """
    sizes = {p.name: p.size for p in stepped.described}
    if task.output not in sizes:
        raise RangeError(f"Task: output = {task.output!r}, allowed: {', '.join(sizes)}")
    most, size = int(np.max(np.asarray(task.labels))), sizes[task.output]
    if most >= size:
        raise RangeError(f"Task: labels up to {most}, allowed: 0..{size - 1}, the neurons of "
                         f"{task.output!r}")  # fmt: skip


def _provenance(
    stepped: SteppedNetwork, fixed: FixedNetwork, given: Mapping[str, Any], task: Task | None,
    lowering: Mapping[str, Any], engines: tuple[str, ...],
) -> dict[str, str]:  # fmt: skip
    from ..feeds import told_inputs

    profile = fixed.profile
    config = {name: c.value for name, c in profile.config.items()}
    out = versions()
    out |= {"profile": profile.name, "profile title": profile.title, "profile dated": profile.dated,
            "profile config": told(config), "profile digest": digest(profile),
            "network digest": digest(stepped.network), "steps digest": digest(stepped),
            "integers digest": digest(fixed), "digests": DIGESTS,
            "rule": str(stepped.rule), "options": told(lowering), "seed": str(fixed.seed),
            "engines": "; ".join(engines)}  # fmt: skip
    if task is not None:
        out |= {"task digest": task.digest, "task": f"{task.size} samples, read by {task.readout} "
                f"of {task.output}"}  # fmt: skip
    elif given:
        out["inputs digest"] = digest({k: narrow(np.asarray(v)) for k, v in given.items()})
    return out | told_inputs(stepped.network, given)
