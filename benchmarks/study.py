"""How quick a study is, and how much of the time is the engine's: 1,000 configurations of digits.

    python benchmarks/study.py [--workers 1 2] [--configurations 1000] [--profile]

The network of ``examples/digits`` (64-96-10) runs on all 450 test images in every configuration:
weight bits, both thresholds and the hidden decay vary. For every number of workers a fresh study is
run into a fresh file. Printed are configurations per minute, from the call of ``run`` to its
return (processes started, float reference, results stored), and two shares of the engine:

- of the wall time: seconds that workers were inside ``run_fixed`` (the kernel's network built and
  run) by workers times the wall time of the call. Starting processes, lowering, measuring, storing
  and waiting count against it.
- once the workers are there: the same, from the first result to the last.

``--profile`` says instead where the Python time of one worker goes.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples" / "digits"))
sys.path.insert(1, str(ROOT))

import network as digits  # noqa: E402

import neuro_lif as nl  # noqa: E402
from neuro_lif.study import Study  # noqa: E402
from neuro_lif.task import Task  # noqa: E402


def study(n: int, store: Path | None) -> Study:
    """The study of ``n`` configurations, to the next full grid."""
    data = digits.load()
    many = max(1, n // 100)
    vary = {
        "quantize.weight_bits": [2, 3, 4, 6, 8],
        "params.hidden.vth.scale": np.linspace(0.8, 1.25, many).tolist(),
        "params.output.vth.scale": [0.8, 0.9, 1.0, 1.1, 1.25],
        "params.hidden.dv.scale": [0.9, 1.0, 1.1, 1.2],
    }
    task = Task({"pixels": data.rasters}, data.labels, "output")
    return Study(data.network, "loihi2", vary, dt=data.dt, task=task, store=store)


def measured(n: int, workers: int) -> str:
    """Run a study with so many workers; return what is to be said."""
    with tempfile.TemporaryDirectory() as folder:
        one = study(n, Path(folder) / "digits.sqlite")
        marks: list[tuple[float, int]] = []
        start, cpu = time.perf_counter(), time.process_time()
        one.run(workers=workers, progress=lambda done, total, errors: marks.append(
            (time.perf_counter(), done)))  # fmt: skip
        wall, own = time.perf_counter() - start, time.process_time() - cpu
        rows = one.table(times=True)
    if any(r["error"] for r in rows):
        raise SystemExit(next(r["error"] for r in rows if r["error"]))
    engine = sum(r["engine_seconds"] for r in rows)
    busy = sum(r["seconds"] for r in rows)
    (first, before), (last, after) = next(m for m in marks if m[1]), marks[-1]
    steady = engine * (after - before) / len(rows) / (workers * (last - first))
    return (
        f"{workers} worker(s): {len(rows)} configurations in {wall:.2f} s = "
        f"{60 * len(rows) / wall:,.0f} a minute; in the engine {engine / (workers * wall):.1%} of "
        f"the wall time, {steady:.1%} once the workers were there "
        f"({engine / busy:.1%} of the time of a configuration); {1e3 * engine / len(rows):.2f} ms "
        f"of engine each; this process {own:.2f} s of processor"
    )


def processor(n: int) -> str:
    """Return the engine's share of the processor time of one worker; load does not change it."""
    from neuro_lif.study import work

    one = study(n, None)
    worker, items = work.Worker(one.base, 1), one._items(one.grid())
    worker.reference(items[0].configuration)
    usual, inside = work.run_checked, [0.0]

    def timed(*args: object) -> object:
        start = time.thread_time()
        try:
            return usual(*args)
        finally:
            inside[0] += time.thread_time() - start

    work.run_checked = timed
    start = time.process_time()
    for first in range(0, len(items), 40):
        worker.run_all([i.configuration for i in items[first : first + 40]])
    total = time.process_time() - start
    work.run_checked = usual
    return (
        f"processor time of one worker: {1e3 * total / len(items):.2f} ms a configuration, "
        f"{inside[0] / total:.1%} of it in the engine"
    )


def main() -> None:
    """Measure, or profile."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--configurations", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    print(f"neuro_lif {nl.__version__}, numpy {np.__version__}, "
          f"Python {platform.python_version()}, {os.cpu_count()} processors "
          f"({platform.machine()})")  # fmt: skip
    if args.profile:
        from neuro_lif.study.work import Worker

        one = study(args.configurations, None)
        worker, items = Worker(one.base, 1), one._items(one.grid())
        profile = cProfile.Profile()
        profile.enable()
        for item in items:
            worker.run(item.configuration)
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    print(processor(args.configurations), flush=True)
    for workers in args.workers:
        print(measured(args.configurations, workers), flush=True)


if __name__ == "__main__":
    main()
