"""Lava target: a FixedNetwork in the real Lava runtime, equal to the emulator in every step.

Lava runs in a child process: it keeps one operating-system process per population and projection,
and some of its failures never return. The child may belong to another Python (Lava needs 3.10).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import entries
from ..checks import expect
from ..errors import FileFormatError, TargetError, show
from ..fixed import FixedNetwork
from ..npz import NpzFile
from ..recording import Recording
from ..reference.clocked import check_record
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .lava_export import export_lava
from .lava_plan import LavaChoice, plan_lava
from .lava_python import (
    LavaPython,
    find_lava_python,
    lava_status,
    run_folder,
    temporary_folder,
)

__all__ = [
    "LavaChoice",
    "LavaPython",
    "default_timeout",
    "export_lava",
    "find_lava_python",
    "lava_status",
    "plan_lava",
    "run_lava",
]


def run_lava(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", timeout: float | None = None, python: str | Path | None = None,
) -> Recording:  # fmt: skip
    """Run a FixedNetwork in Lava.

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> integers ``(n_steps, n)`` or ``(batch, n_steps, n)``; replaces the
            rasters the network carries. A batch runs side by side in one runtime.
        record: ``"probes"``, or ``"all"`` for u and v of every population.
        timeout: s after which the run is ended; absent: see :func:`default_timeout`.
        python: interpreter with Lava; absent: see :func:`find_lava_python`.

    Returns:
        A recording as :func:`neuro_lif.run_fixed` makes it; Lava does not tell of overflow, so the
        only events are those of parameter storage.

    Raises:
        RangeError: no FixedNetwork, or the inputs do not fit it.
        TargetError: there is no Lava, it cannot run this network, it failed or took too long.
    """
    expect(fixed, FixedNetwork, "run_lava")
    check_record(record)
    _check_run(timeout, python)
    given = check_given(inputs, fixed.input_sizes())
    n_steps = steps_of(n_steps, given)
    found = find_lava_python(None if python is None else str(python))
    if timeout is None:
        timeout = default_timeout(fixed, n_steps, batch_of(given) or 1)
    with temporary_folder() as folder:
        path = export_lava(fixed, folder, n_steps, inputs, record)
        return _recording(fixed, n_steps, found, run_folder(found, path, timeout))


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


def _recording(fixed: FixedNetwork, n_steps: int, found: LavaPython, result: Path) -> Recording:
    """Read what the child wrote."""
    try:
        data = NpzFile(result)
        head: dict[str, Any] = json.loads(str(data.array("head")))
        spikes = {
            p.name: data.array(f"spikes/{p.name}").astype(np.int16) for p in fixed.populations
        }
        traces = {
            (p.name, v): data.array(f"{v}/{p.name}")
            for p in fixed.populations
            for v in ("u", "v")
            if f"{v}/{p.name}" in data.names
        }
    except (FileFormatError, ValueError) as error:
        raise TargetError(f"the results of Lava cannot be read: {error}") from None
    return Recording(
        fixed.dt, n_steps, spikes, traces,
        {p.name: np.asarray(p.lsb) for p in fixed.populations},
        {p.name: np.asarray(p.v_zero) for p in fixed.populations},
        tuple(fixed.storage_events()),
        {
            "engine": "Lava runtime", "profile": fixed.profile.name, "lava": head["lava"],
            "python": head["python"], "numpy": found.numpy,
            "overflow": "not counted: Lava does not tell of it",
        },
    )  # fmt: skip
