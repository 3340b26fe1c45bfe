"""Command line of an exported network: ``python run.py [--steps N] [--out spikes.npz]``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.shared_memory
import os
import platform
import signal
import sys
import threading
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> int:
    """Run the network in ``folder``; return the exit status."""
    options = _options()
    prefix = options.shm_prefix or f"nl{os.urandom(3).hex()}"
    _name_shared_memory(prefix)
    if options.watch_stdin:
        threading.Thread(target=_end_with_parent, args=(prefix,), daemon=True).start()
    status = 1
    try:
        from .build import run

        found = run(folder / "network.npz", options.steps, options.progress)
        if options.out is not None:
            save(options.out, found)
        if not options.quiet:
            print(listing(found))
        status = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    if status:
        # processes that wait for a dead one never end by themselves; multiprocessing's resource
        # tracker then removes the shared memory
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(status)
    return status


def _options() -> Any:
    parser = argparse.ArgumentParser(description="Run an exported spiking network in Lava.")
    parser.add_argument("--steps", type=int, help="number of steps (default: as exported)")
    parser.add_argument("--out", type=Path, help="write spikes and traces to this .npz file")
    parser.add_argument("--quiet", action="store_true", help="print no spikes")
    parser.add_argument("--progress", type=Path, help="file that tells the steps done")
    parser.add_argument("--shm-prefix", help=argparse.SUPPRESS)
    parser.add_argument("--watch-stdin", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps is not None and options.steps < 1:
        parser.error("--steps: allowed: a whole number >= 1")
    return options


def listing(found: Any) -> str:
    """Return what was sent as text: population, step, neurons; and how many spikes.

    Where a population sends other values than 1, they follow their neuron: ``[3=-7, 5=20]``.
    """
    lines, total = [], 0
    for (population, variable), rows in found.items():
        if variable != "spikes":
            continue
        total += int(np.count_nonzero(rows))
        plain = bool(np.isin(rows, (0, 1)).all())
        samples = rows if rows.ndim == 3 else rows[None]
        for sample, raster in enumerate(samples):
            head = f"{population}[{sample}]" if rows.ndim == 3 else population
            for step in np.flatnonzero(raster.any(axis=1)):
                sent = [(i, raster[step, i]) for i in np.flatnonzero(raster[step])]
                texts = [f"{i}" if plain else f"{i}={value}" for i, value in sent]
                lines.append(f"{head} step {step + 1} neurons [{', '.join(texts)}]")
    return "\n".join([*lines, f"{total} spikes"])


def save(path: Path, found: Any) -> None:
    """Write ``<variable>/<population>`` arrays, spikes among them, and a JSON ``head``."""
    head = {
        "lava": version("lava-nc"), "python": platform.python_version(), "numpy": np.__version__
    }  # fmt: skip
    arrays = {f"{variable}/{population}": rows for (population, variable), rows in found.items()}
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez(stream, head=np.array(json.dumps(head)), **arrays)
    part.replace(path)


def _name_shared_memory(prefix: str) -> None:
    """Give this run's shared memory names of its own, so that a killed run can be swept up."""
    memory: Any = multiprocessing.shared_memory
    memory._SHM_NAME_PREFIX = "/" + prefix + "_"
    memory._SHM_SAFE_NAME_LENGTH = 30


def sweep(prefix: str) -> None:
    """Remove the shared memory of a run that ended early."""
    for left in Path("/dev/shm").glob(prefix + "_*"):
        left.unlink(missing_ok=True)


def _end_with_parent(prefix: str) -> None:
    """Wait until the parent closes our standard input (or dies), then end this process group."""
    # not sys.stdin: its lock, held here, would stop every forked process that closes it
    while os.read(0, 1):
        pass
    sweep(prefix)
    os.killpg(os.getpgid(0), signal.SIGKILL)
