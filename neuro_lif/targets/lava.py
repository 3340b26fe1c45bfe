"""Lava target: a FixedNetwork in the real Lava runtime, equal to the emulator in every step.

Lava runs in a child process: it keeps one operating-system process per population and projection,
and some of its failures never return. The child may belong to another Python (Lava needs 3.10).
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import entries
from ..checks import expect, expect_flag, expect_progress
from ..engines import Progress
from ..errors import FileFormatError, TargetError, show
from ..fixed import FixedNetwork
from ..npz import NpzFile
from ..recording import OverflowEvent, Recording
from ..reference.clocked import check_record
from ..run_inputs import input_events, input_rows
from ..runs import RECORDS, in_order, spike_dtype, wanted_registers
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .lava_choice import LavaChoice
from .lava_export import export_lava, exported_plan, write_export
from .lava_plan import plan_lava
from .lava_python import (
    LavaPython,
    find_lava_python,
    lava_status,
    run_folder,
    temporary_folder,
)
from .lava_replay import first_difference, largest, payloads_sent, replay
from .lava_tables import constants, readable

__all__ = [
    "LavaChoice",
    "LavaPython",
    "default_timeout",
    "export_lava",
    "exported_plan",
    "find_lava_python",
    "lava_status",
    "plan_lava",
    "run_lava",
]

REPLAY = "from the emulator's replay of the run, equal in every spike and trace"


def run_lava(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", timeout: float | None = None, python: str | Path | None = None,
    progress: Progress | None = None, strict: bool = False,
) -> Recording:  # fmt: skip
    """Run a FixedNetwork in Lava.

    Lava does not tell of overflow. So the emulator replays the run, the two are compared in every
    spike and every trace, and where they are equal the replay's count of overflows is this run's;
    where they are not, provenance says where they part, and that overflow was not counted.

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> integers ``(n_steps, n)`` or ``(batch, n_steps, n)``; replaces the
            rasters the network carries. A batch runs side by side in one runtime.
        record: ``"probes"``; ``"all"`` for u and v of every population; ``"registers"`` for every
            register by its name. Scratch registers that Lava's own neurons do not have are left
            out, and provenance names them.
        timeout: s after which the run is ended; absent: see :func:`default_timeout`.
        python: interpreter with Lava; absent: see :func:`find_lava_python`.
        progress: called with (steps done, steps in all).
        strict: make the first overflow an error.

    Returns:
        A recording as :func:`neuro_lif.run_fixed` makes it.

    Raises:
        RangeError: no FixedNetwork, the inputs do not fit it; or, with ``strict``, an overflow.
        TargetError: there is no Lava, it cannot run this network, it failed or took too long.
    """
    expect(fixed, FixedNetwork, "run_lava")
    expect_flag(strict, "run_lava: strict")
    expect_progress(progress, "run_lava: progress")
    check_record(record, RECORDS)
    _check_run(timeout, python)
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    n_steps = steps_of(n_steps, given)
    found = find_lava_python(None if python is None else str(python))
    rows = input_rows(fixed, given, batch_of(given) or 1, n_steps)
    plan_lava(fixed, largest(rows), batch_of(given) or 1)  # refuse before anything runs
    expected = replay(fixed, n_steps, given, record, strict)
    if timeout is None:
        timeout = default_timeout(fixed, n_steps, batch_of(given) or 1)
    told = None if progress is None else partial(_tell, progress, n_steps)
    with temporary_folder() as folder:
        payloads = payloads_sent(fixed, lambda: expected)
        plan = write_export(fixed, Path(folder), n_steps, given, record, payloads)
        result = run_folder(found, Path(folder), timeout, told)
        recording = _recording(fixed, expected, plan, record, result)
    return _counted(recording, expected, in_order(*input_events(fixed, rows)), strict)


def _tell(progress: Progress, n_steps: int, done: int) -> None:
    progress(min(done, n_steps), n_steps)


def _check_run(timeout: object, python: object) -> None:
    number = isinstance(timeout, (int, float, np.number)) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout > 0):  # type: ignore[operator]
        raise TargetError(f"timeout = {show(timeout)}, allowed: seconds > 0, or None")
    if python is not None and not (isinstance(python, (str, Path)) and str(python)):
        raise TargetError(
            f"python = {show(python)}, allowed: the path of an interpreter with Lava, or None"
        )


def default_timeout(fixed: FixedNetwork, n_steps: int, batch: int = 1) -> float:
    """Return a generous limit in s: a minute, and about fifteen times what the run should take.

    Measured on one core: a start of 0.1 s per process, 0.7 ms per process and step, and 6 ns per
    synapse, delay and step (Lava sorts its weights by delay in every step).
    """
    processes = len(fixed.projections) + 2 * len(fixed.populations)
    processes += len(fixed.sources) + len(fixed.directs)
    work = sum(
        entries(p.weights).size * (int(np.max(p.delays, initial=0)) + 1) for p in fixed.projections
    )
    return float(60.0 + processes + n_steps * (0.01 * processes + 1e-7 * work * batch))


def _recording(
    fixed: FixedNetwork, expected: Recording, plan: list[LavaChoice], record: str, result: Path
) -> Recording:
    """Read what the child wrote; everything but Lava's values is the replay's."""
    try:
        data = NpzFile(result)
        head: dict[str, Any] = json.loads(str(data.array("head")))
        found = {name: data.array(name) for name in data.names if name != "head"}
        spikes = {
            p.name: found.pop(f"spikes/{p.name}").astype(spike_dtype(fixed, p.name))
            for p in fixed.populations
        }
        about = {name: str(head[name]) for name in ("lava", "python", "numpy")}
    except (FileFormatError, ValueError, KeyError) as error:
        raise TargetError(f"the results of Lava cannot be read: {error}") from None
    keys = {key: key.rpartition("/") for key in found}
    traces = {(population, v): found[key] for key, (v, _, population) in keys.items()}
    steady, absent = _unread(fixed, plan, record)
    traces |= {k: np.broadcast_to(x, spikes[k[0]].shape).copy() for k, x in steady.items()}
    about = {"engine": "Lava runtime", "profile": fixed.profile.name, **about}
    about |= {"not in Lava": "; ".join(absent)} if absent else {}
    return replace(expected, spikes=spikes, traces=traces, events=(), provenance=about)


def _unread(
    fixed: FixedNetwork, plan: list[LavaChoice], record: str
) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """Return what was wanted and Lava has no Var for.

    Returns:
        (population, variable) -> ``(n,)`` for what never changes; and texts for what does.
    """
    chosen = {choice.element: choice for choice in plan}
    steady: dict[tuple[str, str], Any] = {}
    absent: dict[str, None] = {}
    for p in fixed.populations:
        choice = chosen[f"population {p.name!r}"]
        wanted = [v for name, v in wanted_registers(fixed, record) if name == p.name]
        found = constants(fixed, p, choice, wanted)
        steady |= {(p.name, variable): values for variable, values in found.items()}
        known = found.keys() | readable(fixed, p, choice, wanted).keys()
        missing = ", ".join(v for v in wanted if v not in known)
        if missing:
            absent[f"{missing} of {choice.process}"] = None
    return steady, list(absent)


def _counted(
    recording: Recording, expected: Recording, known: tuple[OverflowEvent, ...], strict: bool
) -> Recording:
    """Return Lava's recording with the replay's overflows, where the two are equal.

    Raises:
        TargetError: ``strict``, and they are not: nobody knows whether Lava's run overflowed.
    """
    difference = first_difference(expected, recording)
    if not difference:
        about = {**recording.provenance, "overflow counts": REPLAY}
        return replace(recording, events=expected.events, provenance=about)
    text = f"not counted: the emulator's replay and Lava differ in {difference}"
    if strict:
        raise TargetError(f"overflow {text} (strict=True)")
    return replace(recording, events=known, provenance={**recording.provenance, "overflow": text})
