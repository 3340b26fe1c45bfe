"""How near the kernels come to what the machine can do at best, one thread.

``python benchmarks/bounds/run.py [--write]``: measures the machine (``limits.cpp``, compiled with
the compiler that is there), runs one network for each kernel, and prints for each what it must do
at least (bytes through the memory they live in, or vector operations, whichever takes longer), how
long that takes at the measured limits, and how long the kernel takes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import neuro_lif as nl
from neuro_lif.emulator import compiled_run
from neuro_lif.engines import taken_spikes
from neuro_lif.kernel import native
from neuro_lif.run_inputs import Fed

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from run import DOCS, machine, write_docs  # noqa: E402

RESULTS = HERE.parent / "results"
LANES = 16
"""32-bit numbers of the widest vectors that the AVX-512 kernels use."""


class Limits:
    """The machine's limits, each measured when first asked for.

    Args:
        program: compiled ``limits.cpp``.
    """

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.known: dict[str, float] = {}

    def __call__(self, what: str, *sizes: int) -> float:
        """Return a limit: GB/s (which is bytes per ns), or operations per ns."""
        line = " ".join([what, *map(str, sizes)])
        if line not in self.known:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            self.known[line] = float(self.process.stdout.readline())
        return self.known[line]


def compiled(folder: Path) -> Path:
    """Compile ``limits.cpp``."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise SystemExit("error: no C++ compiler (g++, clang++ or the one CXX names)")
    program = folder / "limits"
    options = ["-std=c++20", "-O3", "-march=native", "-ffp-contract=off"]
    subprocess.run(
        [compiler, *options, str(HERE / "limits.cpp"), "-o", str(program)],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return program


@dataclass(frozen=True)
class Case:
    """One kernel and a network in which it does nearly all the work.

    Args:
        name: of the kernel.
        about: the network.
        model: what it must do at least, in words.
        unit: what ``count`` counts.
        fixed, raster, n_steps: the run; raster of its only source.
        count: units of work of the run.
        least: ns that the work takes at the limits.
        updates: neuron-steps, whose least time is added to ``least``.
    """

    name: str
    about: str
    model: str
    unit: str
    fixed: nl.FixedNetwork
    raster: Any
    n_steps: int
    count: float
    least: Callable[[Limits], float]
    updates: int


QUIET = {"du": 4095, "dv": 4095, "vth": 2**17 - 1}
"""Neurons that never fire: only what leads to them is measured."""


def network(weights: Any, n_in: int, model: str = "lif", **more: Any) -> nl.FixedNetwork:
    """Return one silent population that a source leads to."""
    n = weights.shape[0]
    params = QUIET | ({"refract": 50} if model != "lif" else {})
    edge = nl.FixedProjection("w", "in", "n", weights, sign_mode="mixed", latency=0)
    return nl.FixedNetwork(nl.load_profile("loihi2"), (nl.FixedPopulation("n", n, model, params),),
                           (edge,), (nl.FixedSource("in", n_in),), **more)  # fmt: skip


def update_ns(limits: Limits, n: int) -> float:
    """Return the least time of one neuron-step: u, v and the sums read and written, the end of the
    refractory period read; or 19 vector operations."""
    return max(28 / limits("update", 16 * n), 19 / LANES / limits("operations"))


def added(limits: Limits, n: int) -> float:
    """Return the least time of adding to the sums of so many neurons: read and written."""
    return 8 * n / limits("update", 4 * n)


def neurons(n: int, steps: int) -> Case:
    """Return usual LIF neurons alone."""
    fixed = network(sparse.csr_matrix(np.eye(n, 1, dtype=np.int64) * 4), 1, "lif_refractory")
    return Case("neurons", f"{n:,} usual LIF neurons with a refractory period",
                f"28 bytes in {16 * n / 2**10:,.0f} KiB, or 19 vector operations for 16",
                "neuron-step", fixed, np.zeros((steps, 1), np.uint8), steps, n * steps,
                lambda limits: 0.0, n * steps)  # fmt: skip


def dense(rng: np.random.Generator) -> Case:
    """Return a dense layer."""
    n_in, n, steps = 784, 512, 5000
    weights = 2 * np.clip(np.rint(rng.normal(1, 12, (n, n_in))), -60, 60).astype(np.int64)
    raster = (rng.random((steps, n_in)) < 0.08).astype(np.uint8)
    work = int(raster.sum()) * n
    return Case("dense rows", "784 x 512 bytes, 8 % active",
                "a byte a synapse out of 392 KiB; the sums once", "synaptic event",
                network(weights, n_in), raster, steps, work,
                lambda limits: work / limits("read", n * n_in) + steps * added(limits, n),
                n * steps)  # fmt: skip


def spiking_rows(rng: np.random.Generator, n: int, steps: int, active: int) -> Any:
    """Return a raster with so many spikes in every step."""
    raster = np.zeros((steps, n), np.uint8)
    for row in raster:
        row[rng.choice(n, active, replace=False)] = 1
    return raster


def connected(rng: np.random.Generator, n: int, share: float, several: bool) -> Any:
    """Return random synapses with one weight or several."""
    found = sparse.random(n, n, share, "csr", np.int8, rng, lambda k: np.ones(k, np.int8))
    found = found.astype(np.int64)
    found.data = 2 * rng.integers(1, 60, found.nnz) if several else found.data * 20
    return found


def bits(rng: np.random.Generator, several: bool) -> Case:
    """Return rows that are kept as bits."""
    n, steps, active = 12_500, 400, 47
    raster, weights = spiking_rows(rng, n, steps, active), connected(rng, n, 0.1, several)
    vectors = -(-n // 512)  # of a row of bits, 64 bytes each
    size = 64 * vectors + several * n // 10
    events = int(weights.getnnz(axis=0) @ raster.sum(axis=0))

    def least(limits: Limits) -> float:
        rows = active * steps
        read = rows * size / limits("rows", n * size, size)
        expanded = rows * 8 * vectors / limits("expand") if several else 0.0
        return max(read, expanded) + steps * added(limits, n)

    about = "12,500 x 12,500, 10 %, 47 rows a step, "
    model = f"rows of {size:,} bytes out of {n * size / 2**20:.0f} MiB in any order"
    if several:
        return Case("bits, a weight each", about + "a weight for each synapse",
                    model + ", or an expansion for 64 bits; the sums once", "synaptic event",
                    network(weights, n), raster, steps, events, least, n * steps)  # fmt: skip
    return Case("bits, counted", about + "one weight", model + "; the sums once",
                "synaptic event", network(weights, n), raster, steps, events, least,
                n * steps)  # fmt: skip


def sparse_rows(rng: np.random.Generator) -> Case:
    """Return rows of synapses one by one."""
    n, steps, active = 4000, 2000, 100
    raster, weights = spiking_rows(rng, n, steps, active), connected(rng, n, 0.02, True)
    events = int(weights.getnnz(axis=0) @ raster.sum(axis=0))
    return Case("sparse rows", "4,000 x 4,000, 2 %, a weight each, 100 rows a step",
                "an addition of a byte at a scattered place", "synaptic event",
                network(weights, n), raster, steps, events,
                lambda limits: events / limits("scatter", weights.nnz), n * steps)  # fmt: skip


def convolution(rng: np.random.Generator) -> Case:
    """Return a convolution."""
    shape, channels, steps = (16, 30, 30), 32, 300
    kernel = nl.Convolution(2 * rng.integers(-40, 40, (channels, 16, 3, 3)), shape, layout="torch")
    n_in, n = 16 * 30 * 30, channels * 28 * 28
    raster = (rng.random((steps, n_in)) < 0.1).astype(np.uint8)
    reached = np.convolve(np.ones(28), np.ones(3))  # rows that a place reaches
    taps = float((raster.reshape(-1, 30, 30) * np.outer(reached, reached)).sum()) * channels
    return Case("convolution", "16 x 30 x 30 to 32 x 28 x 28, 3 x 3, 10 % active",
                f"a sum of 2 bytes in {2 * n / 2**10:.0f} KiB, read and written; all sums once",
                "synaptic event", network(kernel, n_in), raster, steps, taps,
                lambda limits: 4 * taps / limits("update", 2 * n)
                + steps * (added(limits, n) + 4 * n / limits("update", 2 * n)),
                n * steps)  # fmt: skip


def drive() -> Case:
    """Return a Poisson drive."""
    n, steps = 12_500, 500
    poisson = nl.FixedPoisson("drive", "n", 2.0, 20, seed=1)
    silent = network(sparse.csr_matrix(np.eye(n, 1, dtype=np.int64) * 4), 1, poissons=(poisson,))
    return Case("Poisson drive", "12,500 neurons, mean 2",
                "152 vector operations for 64 draws, and 10 for 16 draws and 4 entries of 8; "
                "the sums once", "draw", silent, np.zeros((steps, 1), np.uint8), steps, n * steps,
                lambda limits: n * steps * (152 / 64 + 2 * 10 / 16) / limits("operations")
                + steps * added(limits, n), n * steps)  # fmt: skip


def cases() -> list[Case]:
    """Return all kernels."""
    rng = np.random.default_rng(1)
    found = [neurons(4000, 10_000), neurons(100_000, 400), dense(rng), bits(rng, False)]
    if native().can_expand():  # type: ignore[union-attr]
        found.append(bits(rng, True))
    return [*found, sparse_rows(rng), convolution(rng), drive()]


def taken_ns(case: Case, reps: int) -> list[float]:
    """Return how long the loop took, each time."""
    seconds: list[float] = []
    inner = compiled_run.in_stretches

    def timed(*args: Any) -> None:
        start = time.perf_counter()
        inner(*args)
        seconds.append(time.perf_counter() - start)

    compiled_run.in_stretches = timed
    try:
        for _ in range(reps + 1):
            found = nl.run_fixed(case.fixed, case.n_steps, {"in": case.raster}, engine="kernel",
                                 threads=1)  # fmt: skip
            assert not found.events and not len(found.spikes.lists["n"].neuron)  # type: ignore[attr-defined]
    finally:
        compiled_run.in_stretches = inner
    return [1e9 * s for s in seconds[1:]]


def recording_cost(reps: int) -> list[dict[str, Any]]:
    """Return what it costs to keep the spikes, for networks that fire much."""
    rng = np.random.default_rng(2)
    busy = {"du": 409, "dv": 204, "vth": 7000}
    weights = 2 * np.rint(rng.normal(1.0, 12.0, (512, 784))).astype(np.int64)
    edge = nl.FixedProjection("w", "in", "n", weights, sign_mode="mixed", latency=0)
    driven = {"du": 409, "dv": 204, "vth": 700, "bias_mant": 2500, "bias_exp": 0}
    v = rng.integers(0, 700 * 64, 4000)
    dense = nl.FixedNetwork(nl.load_profile("loihi2"), (nl.FixedPopulation("n", 512, "lif", busy),),
                            (edge,), (nl.FixedSource("in", 784),))  # fmt: skip
    alone = nl.FixedNetwork(
        nl.load_profile("loihi2"), (nl.FixedPopulation("n", 4000, "lif", driven, {"v": v}),)
    )
    raster = (rng.random((2000, 784)) < 0.08).astype(np.uint8)
    out = []
    for about, fixed, given, n_steps in (("784 inputs to 512 neurons, dense", dense, raster, 2000),
                                         ("4,000 neurons alone", alone, None, 2000)):  # fmt: skip
        times: dict[bool, list[float]] = {True: [], False: []}
        spikes = 0
        for k in range(2 * reps + 2):
            kept = k % 2 == 0
            built = compiled_run.built(fixed)
            feeds = {} if given is None else {"in": Fed.of(given)}
            run, places = compiled_run._started(fixed, built, feeds, {}, 1)
            for name, place, turn in places:
                run.feed(*place, feeds[name].values, turn, 0)
            if not kept:
                run.keep_no_spikes()
            start = time.perf_counter()
            run.advance(n_steps, 1, False)
            if kept:
                spikes = len(
                    taken_spikes(
                        run,
                        built.populations["n"],
                        fixed.populations[0].size,
                        built.sent["n"],
                        None,
                        n_steps,
                        1,
                    ).neuron
                )
            times[kept].append(time.perf_counter() - start)
        on, off = (statistics.median(times[x][1:]) for x in (True, False))
        rate = spikes / n_steps / fixed.populations[0].size
        out.append({"about": about, "rate": rate, "on": on, "off": off})
    return out


def table(data: dict[str, Any]) -> str:
    """Return the table of a results file."""
    found = data["limits"]
    lines = [
        f"Measured {data['date']} on {data['machine']['text']}; one thread, {data['set']}; "
        f"medians of {data['reps']}.",
        "",
        "| kernel | network | the least it must do | unit | ns at the limits | ns taken | share |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        spread = f"{row['low']:.3g}-{row['high']:.3g}"
        lines.append(f"| {row['name']} | {row['about']} | {row['model']} | {row['unit']} "
                     f"| {row['least']:.3g} | {row['taken']:.3g} ({spread}) "
                     f"| **{row['least'] / row['taken']:.0%}** |")  # fmt: skip
    lines += ["", "Keeping all spikes, from the step they come in to the arrays handed over:", "",
              "| network | spikes of a neuron in a step | s with | s without | cost |",
              "|---|---|---|---|---|"]  # fmt: skip
    for row in data["recording"]:
        lines.append(f"| {row['about']} | {row['rate']:.1%} | {row['on']:.4g} | {row['off']:.4g} "
                     f"| **{row['on'] / row['off'] - 1:.1%}** |")  # fmt: skip
    told = "; ".join(f"{what} {value:.3g}" for what, value in found.items())
    return "\n".join(
        [*lines, "", f"Limits (bytes, vector operations or additions per ns): {told}."]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="kernels against their bounds")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table in docs/benchmarks.md")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print a results file again")
    args = parser.parse_args()
    if args.table:
        data = json.loads(args.table.read_text(encoding="utf-8"))
    else:
        data = measured(args.reps)
    text = table(data)
    print(text)
    if args.write:
        write_docs(DOCS, text, "bounds")


def measured(reps: int) -> dict[str, Any]:
    """Run everything and keep the results in a file."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    module: Any = native()
    today = f"{datetime.date.today():%Y-%m-%d}"
    text = f"{machine()['cpu']}, {platform.system()} {platform.machine()}"
    data: dict[str, Any] = {"date": today, "machine": machine() | {"text": text}, "reps": reps,
                            "set": module.used_set(), "rows": []}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(compiled(Path(folder)))
        for case in cases():
            n = case.fixed.populations[0].size
            taken = taken_ns(case, reps)
            least = case.least(limits) + case.updates * update_ns(limits, n)
            row = {"name": case.name, "about": case.about, "model": case.model, "unit": case.unit,
                   "least": least / case.count, "taken": statistics.median(taken) / case.count,
                   "low": min(taken) / case.count, "high": max(taken) / case.count}  # fmt: skip
            data["rows"].append(row)
            print(f"{case.name}: {least / statistics.median(taken):.0%}", file=sys.stderr)
        data["limits"] = limits.known
        limits.process.kill()
    data["recording"] = recording_cost(max(reps, 15))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"bounds-{today}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return data


if __name__ == "__main__":
    main()
