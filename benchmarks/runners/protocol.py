"""How a runner talks to the harness; the standard library and numpy alone.

A runner is started as ``python RUNNER.py JSON`` in an interpreter of its own. It builds its
network, says so in one line of JSON, and then waits: for each line ``rep`` on its input it runs
once and answers with one line, so that the harness can take turns between runners that all are
ready. What libraries print goes to stderr.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


class Unsupported(Exception):
    """The peer cannot run this workload; the message says why."""


@dataclass
class Job:
    """What is to be run.

    Args:
        peer: name of the row in the table.
        threads: at most so many.
        steps: steps of one repetition.
        folder: where the runner may write.
        meta, arrays: the workload, see ``workloads.py``.
    """

    peer: str
    threads: int
    steps: int
    folder: str
    meta: dict[str, Any]
    arrays: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    @property
    def pre(self) -> Any:
        """The source of every synapse of a recurrent network."""
        return np.repeat(np.arange(self.meta["n"]), np.diff(self.arrays["indptr"]))

    @property
    def weight(self) -> Any:
        """The weight of every synapse of a recurrent network."""
        given = self.arrays.get("weight")
        kinds = np.where(np.arange(self.meta["n"]) < self.meta["n_exc"], self.meta["w_exc"],
                         self.meta["w_inh"])  # fmt: skip
        return np.repeat(kinds, np.diff(self.arrays["indptr"])) if given is None else given

    @property
    def mv(self) -> float:
        """Millivolts of one unit of weight (64 LSB)."""
        return float(self.meta["mv_per_vth"]) / float(self.meta["vth"])

    @property
    def tau_m(self) -> float:
        """The membrane's time constant in ms, of the very factor the integers decay by."""
        return float(-self.meta["dt"] * 1e3 / np.log(1 - self.meta["dv"] / 4096))

    @property
    def tau_s(self) -> float:
        """The synaptic current's time constant in ms."""
        return float(-self.meta["dt"] * 1e3 / np.log((4095 - self.meta["du"]) / 4096))


@dataclass
class Rep:
    """One repetition: seconds of the run, spikes in it, and what is known beside.

    Args:
        run_s: seconds.
        spikes: how many; a list where there are layers.
        extra: more numbers: ``loop_s``, ``peak_mb``.
    """

    run_s: float
    spikes: Any
    extra: dict[str, Any] = field(default_factory=dict)


def peak_mb() -> float:
    """Return the most memory this process had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss begins with the memory of the process that started it
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages that are installed, and of Python."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def shortest_fair(run: Callable[[], Rep]) -> Rep:
    """Run for about 0.3 s, at most 50 times, and tell the median; what takes long, once.

    What takes less than a second runs three times at least: processors that others left idle are
    slow at first.
    """
    reps = [run()]
    if reps[0].run_s < 1:
        reps += [run() for _ in range(min(49, max(2, int(0.3 / max(reps[0].run_s, 1e-4)))))]
    return sorted(reps, key=lambda rep: rep.run_s)[len(reps) // 2]


def serve(build: Callable[[Job], Callable[[], Rep]], *packages: str) -> None:
    """Build, say so, and run whenever asked to.

    Args:
        build: makes the network and returns what runs it once.
        packages: whose versions are told; the first is the peer itself.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**fields: Any) -> None:
        out.write(json.dumps(fields) + "\n")
        out.flush()

    spec = json.loads(sys.argv[1])
    with np.load(spec["path"]) as stored:
        meta = json.loads(str(stored["meta"]))
        arrays = {k: stored[k] for k in stored.files if k != "meta"}
    steps = min(spec.get("steps") or meta["steps"], meta["steps"])
    job = Job(spec["peer"], spec["threads"], steps, spec["folder"], meta, arrays)
    start = time.perf_counter()
    try:
        run = build(job)
    except ImportError as error:
        say(event="not installed", why=str(error))
        return
    except Unsupported as error:
        say(event="unsupported", why=str(error))
        return
    built = time.perf_counter() - start
    say(event="ready", build_s=built, steps=job.steps, full_steps=meta["steps"], notes=job.notes,
        batch=meta.get("batch", 1), versions=versions(*packages))  # fmt: skip
    for line in sys.stdin:
        if line.strip() != "rep":
            break
        rep = shortest_fair(run)
        say(event="rep", run_s=rep.run_s, spikes=rep.spikes, notes=job.notes,
            **{"peak_mb": peak_mb(), **rep.extra})  # fmt: skip
    job.close()
