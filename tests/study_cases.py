"""A small study that runs in a moment, and a script that runs it as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import neuro_lif as nl
from neuro_lif.study import Study
from neuro_lif.task import Task

ROOT = Path(nl.__file__).resolve().parent.parent
VARY: dict[str, Any] = {
    "network.weights.p.scale": [0.8, 1.0],
    "profile.config.rounding": ["rtz", "floor"],
    "quantize.weight_bits": [2, 3, 99],
    "params.hidden.vth.scale": [0.9, 1.0, 1.1],
}
"""36 configurations of 2 float networks; 99 bits are refused."""


def network() -> nl.Network:
    """Five channels onto six LIF neurons onto three."""
    rng = np.random.default_rng(0)
    cell = nl.LIF(tau_m=20e-3, v_threshold=1e-3)
    weights = rng.normal(0.4e-3, 0.3e-3, (6, 5)), rng.normal(0.4e-3, 0.3e-3, (3, 6))
    return nl.Network(
        [nl.Population("hidden", 6, cell), nl.Population("out", 3, cell)],
        [nl.Projection("p", "in", "hidden", weights[0], nl.Delta()),
         nl.Projection("q", "hidden", "out", weights[1], nl.Delta())],
        [nl.SpikeInput("in", 5)],
        [nl.Probe("out", "v")],
    )  # fmt: skip


def task(n: int = 7) -> Task:
    rng = np.random.default_rng(1)
    raster = (rng.random((n, 30, 5)) < 0.3).astype(np.uint8)
    return Task({"in": raster}, rng.integers(0, 3, n), "out")


def study(store: Path | None = None, vary: dict[str, Any] | None = None, **more: Any) -> Study:
    """The small study."""
    more = {"dt": 1e-3, "task": task()} | more
    return Study(network(), "generic", VARY if vary is None else vary, store=store, **more)


def script(store: Path, *, pause: float = 0.0, workers: int = 1, more: str = "") -> list[str]:
    """The command of a process that runs the small study; each configuration takes ``pause``."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT / 'tests')!r}); import study_cases as c\n"
        "from neuro_lif.study import work, runner\n"
        "runner.COMMIT = 0.0\n"
        f"usual, pause = work.Worker._prepared, {pause}\n"
        "def slow(self, configuration):\n    time.sleep(pause)\n"
        "    return usual(self, configuration)\n"
        "work.Worker._prepared = slow\n"
        f"{more}\n"
        "tell = lambda *told: print('stored', *told, flush=True)\n"
        f"path = __import__('pathlib').Path({str(store)!r})\n"
        f"c.study(path).run(workers={workers}, progress=tell)\n"
    )
    return [sys.executable, "-c", code]


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment())  # fmt: skip


def environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(ROOT)}
