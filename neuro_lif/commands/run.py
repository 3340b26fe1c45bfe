"""``neuro-lif run``: run a network file on one engine and say what came out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..emulator import run_fixed
from ..errors import RangeError
from ..machine import run_semantics
from ..recording import Interrupted, Recording
from ..reference import run_clocked
from ..reference.clocked import wanted_traces
from ..runs import RECORDS
from ..stimulate import steps_of
from .common import (
    add_lowering,
    dt_of,
    fixed_of,
    network_of,
    progress_bar,
    read_inputs,
    step,
)

ENGINES = ("emulator", "float", "exact", "semantics", "lava", "nengo", "nengo-fixed")
THREADED = ("emulator", "float")


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("run", help="run a network on one engine", description=__doc__)
    add_lowering(parser, profile_needed=False)
    parser.add_argument("--engine", default="emulator", choices=ENGINES)
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) per input")
    parser.add_argument("--record", default="probes", choices=RECORDS)
    parser.add_argument("--strict", action="store_true",
                        help="an overflow is an error (of the integer engines)")  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N",
                        help="of the engines emulator and float, for batches: at most N (default: "
                        "one per processor)")  # fmt: skip
    parser.add_argument("--out", type=Path, help="write the recording (.npz)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    code = 0
    try:
        recording = _record(args)
    except Interrupted as stop:  # what was recorded until Ctrl-C is kept
        recording, code = stop.recording, 130
    print(summary(recording))
    if args.out:
        recording.save(args.out)
        print(f"recording written to {args.out}")
    return code


def _record(args: argparse.Namespace) -> Recording:
    inputs, common = read_inputs(args.inputs), {"n_steps": args.steps, "record": args.record}
    if args.threads is not None and args.engine not in THREADED:
        raise RangeError(f"--threads = {args.threads} with --engine {args.engine}, "
                         f"allowed: with {' and '.join(THREADED)}")  # fmt: skip
    if args.engine == "float":
        stepped = step(args)
        with progress_bar("float64 reference") as progress:
            return run_clocked(stepped, inputs=inputs, progress=progress, threads=args.threads,
                               **common)  # fmt: skip
    if args.engine == "exact":
        return _exact(args)
    if args.engine == "nengo":
        from ..targets.nengo import run_nengo

        if args.steps is None:
            raise RangeError("--steps is missing, allowed: a whole number >= 1")
        return run_nengo(network_of(args), dt_of(args), inputs=inputs, **common)
    fixed = fixed_of(args, args.steps)
    if args.engine == "semantics":
        return run_semantics(fixed, inputs=inputs, strict=args.strict, **common)
    if args.engine == "lava":
        from ..targets.lava import run_lava

        with progress_bar("Lava") as progress:
            return run_lava(fixed, inputs=inputs, strict=args.strict, progress=progress, **common)
    if args.engine == "nengo-fixed":
        from ..targets.nengo import run_nengo_fixed

        return run_nengo_fixed(fixed, inputs=inputs, strict=args.strict, **common)
    with progress_bar("integer emulator") as progress:
        return run_fixed(fixed, inputs=inputs, strict=args.strict, progress=progress,
                         threads=args.threads, **common)  # fmt: skip


def _exact(args: argparse.Namespace) -> Recording:
    """Run without a step, for as long as so many steps take; spikes and V are put on the grid."""
    from ..reference import ExactInterrupted, run_exact

    if args.inputs is not None:
        raise RangeError(f"--inputs = {str(args.inputs)!r} with --engine exact, allowed: inputs "
                         "that the network file describes (rows have steps)")  # fmt: skip
    net, dt, n_steps = network_of(args), dt_of(args), steps_of(args.steps, {})
    ends = np.arange(1, n_steps + 1) * dt
    wanted = wanted_traces(net, args.record)
    try:
        with progress_bar("event-exact float64") as progress:
            exact = run_exact(net, n_steps * dt, progress=progress,
                              sample_times=ends if wanted else None)  # fmt: skip
    except ExactInterrupted as stop:
        raise Interrupted(stop.recording.rasters(dt)) from None
    return exact.rasters(dt)


def summary(recording: Recording) -> str:
    """Return what a person wants to see of a recording: spikes, rates, overflow."""
    lines = [f"{recording.n_steps} steps of {recording.dt:g} s"]
    lines += [f"  {k}: {v}" for k, v in recording.provenance.items()]
    for name, sent in recording.spikes.items():
        # nobody spikes so often in a step
        far = sent.dtype == np.int64 and bool(np.any(np.abs(sent) > 127) or np.any(sent < 0))
        graded = recording.is_integer and far
        count = int(np.count_nonzero(sent) if graded else sent.sum())
        rate = count / (sent.size / recording.n_steps) / (recording.n_steps * recording.dt)
        what = "graded spikes" if graded else "spikes"
        lines.append(f"  {name}: {sent.shape[-1]} neurons, {count} {what}, {rate:.4g} Hz")
    for e in recording.events:
        lines.append(
            f"  OVERFLOW {e.where}.{e.register}: {e.kind}, {e.count} value(s), first in "
            f"step {e.first_step}, neuron {e.first_neuron}"
        )
    if recording.is_integer and not recording.events and "overflow" not in recording.provenance:
        lines.append("  no overflow")
    return "\n".join(lines)
