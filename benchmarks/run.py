"""Runs every workload with neuro_lif and with every peer that is installed, in turns.

    python benchmarks/run.py                                   everything
    python benchmarks/run.py --only W1,W2-b1 --peers brian2-standalone,rawtorch
    python benchmarks/run.py --table benchmarks/results/2026-01-31.json

All runners of a workload are built first and then take turns, one repetition each, so that
what else happens on the machine meets all of them alike. The JSON is written after every
repetition: a run that was killed goes on where it stopped when called again on the same day
(or with ``--json`` of the same file).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import queue
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from workloads import VERSION, WORKLOADS, Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / "build" / "benchmarks"
DOCS, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
BUILD_LIMIT, REP_LIMIT = 1800.0, 1800.0


@dataclass(frozen=True)
class Peer:
    """One row of the table.

    Args:
        name: as in the table.
        runner: the script.
        where: ``main``, ``bench`` or ``oracles``: whose interpreter.
        steps: workload -> steps of one repetition, where not all of them; a workload that is not
            here is not run by this peer.
        threads: at most so many.
        reps: repetitions at most, for slow peers.
        pin: bind the process to as many processors as it has threads.
    """

    name: str
    runner: str
    where: str
    steps: dict[str, int | None]
    threads: int = 1
    reps: int | None = None
    pin: bool = True


def _all(*names: str, **steps: int) -> dict[str, int | None]:
    return {**dict.fromkeys(names), **{k.replace("_", "-"): v for k, v in steps.items()}}


_NETS = ("W1", "W1-100k", "W3", "W3w", "W3c", "W3cw")
_LAYERS = ("W2-b1", "W2-b256", "W4-b16")

PEERS = {
    p.name: p
    for p in (
        Peer("neuro_lif", "ours", "main", _all(*_NETS, *_LAYERS, "V32")),
        Peer("neuro_lif-2t", "ours", "main", _all(*_NETS, *_LAYERS, "V32"), threads=2),
        Peer("neuro_lif-float64", "ours", "main",
             _all("W1", "W1-100k", "W3c", "W3cw", "W2-b1", "W2-b256")),
        Peer("brian2-standalone-f32-1cur", "brian2_run", "bench", _all(*_NETS)),
        Peer("brian2-standalone", "brian2_run", "bench", _all(*_NETS)),
        Peer("brian2-cython", "brian2_run", "bench", _all("W1")),
        Peer("nest", "nest_run", "bench", _all("W1", W1_100k=500, W3=1000)),
        Peer("lava", "lava_run", "oracles",
             _all("W2-b1", W1=500, W1_100k=20, W3c=20, W4_b16=5), reps=3, pin=False),
        Peer("nengo", "nengo_run", "oracles", _all("W2-b1", W1=1000), reps=3),
        Peer("nengo-loihi", "nengo_loihi_network_run", "oracles", _all(W1=500), reps=3),
        Peer("nengo-loihi-emulator", "nengo_loihi_run", "oracles", _all("W2-b1", W1=500), reps=3),
        Peer("brian2_loihi", "brian2_loihi_run", "oracles", _all(W1=500), reps=3),
        Peer("rawtorch", "torch_loop", "bench", _all(*_LAYERS, "V32")),
        Peer("rawtorch-2t", "torch_loop", "bench", _all("W2-b256", "W4-b16", "V32"), threads=2),
        Peer("snntorch", "snntorch_loop", "bench", _all(*_LAYERS)),
        Peer("snntorch-2t", "snntorch_loop", "bench", _all("W2-b256", "W4-b16"), threads=2),
    )
}  # fmt: skip

INTEGERS = ("neuro_lif", "neuro_lif-2t")
"""Ours, which every other row is compared with."""

QUICK = {"W1": 10000, "W1-100k": 200, "W3": 200, "W3w": 200, "W3c": 200, "W3cw": 200}
"""Steps with ``--quick``."""


def interpreter(where: str) -> Path | None:
    """Return the Python of an environment; None where it was not made."""
    given = os.environ.get(f"NEURO_LIF_BENCH_{where.upper()}_PYTHON")
    if given:
        return Path(given)
    if where == "main":
        return Path(sys.executable)
    path = ROOT / f".venv-{where}" / "bin" / "python"
    return path if path.exists() else None


class Runner:
    """A runner's process.

    Args:
        peer: which.
        workload: what it runs.
        python: its interpreter.
        steps: of one repetition; None: all.
    """

    def __init__(self, peer: Peer, workload: Workload, python: Path, steps: int | None) -> None:
        self.peer = peer
        folder = SCRATCH / "work" / f"{peer.name}-{workload.name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        spec = {"peer": peer.name, "threads": peer.threads, "steps": steps,
                "path": str(workload.path(SCRATCH)), "folder": str(folder)}  # fmt: skip
        names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR")
        env = {**os.environ, **{f"{name}_NUM_THREADS": str(peer.threads) for name in names}}
        if peer.where == "main":
            env["PYTHONPATH"] = str(ROOT)
        else:
            env.pop("PYTHONPATH", None)
        command = [str(python), str(HERE / "runners" / f"{peer.runner}.py"), json.dumps(spec)]
        if peer.pin and shutil.which("taskset"):
            mine = sorted(os.sched_getaffinity(0))[-peer.threads :]
            command = ["taskset", "-c", ",".join(map(str, mine)), *command]
        self.log = folder / "stderr.txt"
        self.errors = self.log.open("w")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, env=env, cwd=folder, start_new_session=True,
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def answer(self, limit: float) -> dict[str, Any]:
        """Return the next thing it says, or why there is none."""
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            return {"event": "failed", "why": f"no answer in {limit:g} s"}
        if not line:
            tail = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            return {"event": "failed", "why": tail[0] if tail else "ended without a word"}
        found: dict[str, Any] = json.loads(line)
        return found

    def rep(self) -> dict[str, Any]:
        """Run once."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("rep\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer(REP_LIMIT)

    def close(self) -> None:
        """End the process and whatever it started."""
        try:
            self.process.stdin.close()  # type: ignore[union-attr]
            self.process.wait(10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.errors.close()


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def save(path: Path, data: dict[str, Any]) -> None:
    """Write the JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def wanted(peer: Peer, row: dict[str, Any], reps: int) -> int:
    """Return how many repetitions are still to be run."""
    if row.get("state") in ("not installed", "unsupported"):
        return 0
    return max(0, min(reps, peer.reps or reps) - len(row.get("reps", [])))


def measure(workload: Workload, peers: list[Peer], data: dict[str, Any], path: Path) -> None:
    """Run one workload; the JSON is written after every repetition."""
    rows = data["workloads"].setdefault(workload.name, {})
    reps = data["reps"]
    names = [p for p in peers if workload.name in p.steps]
    left = {p.name: wanted(p, rows.get(p.name, {}), reps) for p in names}
    if not any(left.values()):
        return
    # Where peers are left over from a run that was stopped, neuro_lif runs beside them again.
    goal = {k: len(rows.get(k, {}).get("reps", [])) + n for k, n in left.items()}
    for name in goal:
        if name in INTEGERS and rows.get(name, {}).get("state") != "unsupported":
            goal[name] += max(left.values()) - left[name]
    workload.ensure(SCRATCH)
    runners: dict[str, Runner] = {}
    try:
        for peer in names:
            row = rows.setdefault(peer.name, {})
            row["threads"] = peer.threads
            if len(row.get("reps", [])) >= goal[peer.name]:
                continue
            python = interpreter(peer.where)
            if python is None:
                row |= {"state": "not installed", "why": f".venv-{peer.where} is not there"}
                continue
            steps = peer.steps[workload.name]
            if data["quick"] and workload.name in QUICK:
                steps = min(steps or QUICK[workload.name], QUICK[workload.name])
            runner = Runner(peer, workload, python, steps)
            told = runner.answer(BUILD_LIMIT)
            if told["event"] != "ready":
                row |= {"state": told["event"], "why": told.get("why", "")}
                say(f"{workload.name} {peer.name}: {told['event']}: {told.get('why', '')}")
                runner.close()
            else:
                row |= {k: told[k] for k in ("build_s", "steps", "full_steps", "batch", "notes")}
                row |= {"state": "ran", "versions": told["versions"]}
                runners[peer.name] = runner
                say(f"{workload.name} {peer.name}: built in {told['build_s']:.1f} s")
            save(path, data)
        warm = set(runners)
        while runners:
            for name, runner in list(runners.items()):
                row = rows[name]
                told = runner.rep()
                if told["event"] != "rep":
                    row |= {"state": told["event"], "why": told.get("why", "")}
                    say(f"{workload.name} {name}: {told['event']}: {told.get('why', '')}")
                elif name in warm:
                    warm.remove(name)  # the first repetition warms up
                    continue
                else:
                    row["notes"] = told.pop("notes", row["notes"])
                    row.setdefault("reps", []).append(told)
                    todo = goal[name] - len(row["reps"])
                    say(f"{workload.name} {name}: {told['run_s']:.4g} s, {todo} to go")
                save(path, data)
                if told["event"] != "rep" or len(row["reps"]) >= goal[name]:
                    runners.pop(name).close()
    finally:
        for runner in runners.values():
            runner.close()


def seconds(row: dict[str, Any], workload: str) -> list[float]:
    """Return the repetitions in the unit of the table."""
    scale = row["full_steps"] / row["steps"]
    if WORKLOADS[workload].unit.startswith("ms"):
        scale *= 1e3 / WORKLOADS[workload].meta.get("count", row["batch"])
    return [rep["run_s"] * scale for rep in row["reps"]]


def number(x: float) -> str:
    """Return a number with four figures at most."""
    return f"{x:.4g}"


def spikes(row: dict[str, Any]) -> str:
    """Return the spikes of the last repetition as far as it went."""
    last = row["reps"][-1]["spikes"]
    return " + ".join(f"{n:,}" for n in last) if isinstance(last, list) else f"{last:,}"


def table(data: dict[str, Any]) -> str:
    """Return the tables in Markdown."""
    machine = data["machine"]
    out = [f"Measured {data['date']} on {machine['cpu']}, {machine['processors']} processors, "
           f"{machine['memory_gb']} GB, {machine['system']}"
           + (" (quick: fewer steps and repetitions)." if data["quick"] else "."), ""]  # fmt: skip
    seen: dict[str, str] = {}
    for name, rows in data["workloads"].items():
        workload = WORKLOADS[name]
        out += [f"### {name}: {workload.about}", "",
                f"| engine | threads | {workload.unit} median | min-max | reps | "
                "neuro_lif is faster by (spread) | spikes in a repetition | build s | peak MB | "
                "notes |",
                "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
        ran = {k: r for k, r in rows.items() if r.get("reps")}
        base = {r["threads"]: seconds(r, name) for k, r in ran.items() if k in INTEGERS}
        for peer, row in sorted(
            ran.items(), key=lambda kr: statistics.median(seconds(kr[1], name))
        ):
            times = seconds(row, name)
            middle, low, high = statistics.median(times), min(times), max(times)
            ratio = "-"
            ours = base.get(row["threads"], base.get(1))
            if ours and peer not in INTEGERS:
                ratio = (f"**{number(middle / statistics.median(ours))} x** "
                         f"({number(low / max(ours))}-{number(high / min(ours))})")  # fmt: skip
            elif peer == "neuro_lif-2t" and 1 in base:
                ratio = f"{number(statistics.median(base[1]) / middle)} x its one thread"
            notes = list(row["notes"])
            if row["steps"] < row["full_steps"]:
                notes.append(f"extrapolated from {row['steps']:,} of {row['full_steps']:,} steps")
            loops = [rep["loop_s"] / rep["run_s"] for rep in row["reps"] if "loop_s" in rep]
            if loops:
                notes.append(f"loop alone {number(statistics.median(loops) * middle)}")
            peak = max(rep["peak_mb"] for rep in row["reps"])
            out.append(f"| {peer} | {row['threads']} | {number(middle)} | {number(low)}-"
                       f"{number(high)} | {len(times)} | {ratio} | {spikes(row)} | "
                       f"{number(row['build_s'])} | {peak:.0f} | {'; '.join(notes)} |")  # fmt: skip
            for package, version in row["versions"].items():
                if package != "python":
                    seen[f"{package} {version}"] = row["versions"]["python"]
        missing = [f"{k}: {r.get('state', 'not run')}" + (f" ({r['why']})" if r.get("why") else "")
                   for k, r in rows.items() if not r.get("reps")]  # fmt: skip
        out += ["", *(["Without a number: " + "; ".join(missing) + ".", ""] if missing else [])]
    out.append("Versions: " + ", ".join(f"{k} (Python {v})" for k, v in sorted(seen.items())) + ".")
    return "\n".join(out)


def summary(data: dict[str, Any]) -> str:
    """Return one line of Markdown for each workload: our time, and how much longer peers take."""
    machine = data["machine"]
    out = [f"Medians of {data['date']}, {machine['cpu']}, {machine['processors']} "
           "processors; peers with as many threads as ours:", "",
           "| workload | neuro_lif, 1 thread (2) | peers take |", "|---|---|---|"]  # fmt: skip
    for name, rows in data["workloads"].items():
        ran = {k: statistics.median(seconds(r, name)) for k, r in rows.items() if r.get("reps")}
        if "neuro_lif" not in ran:
            continue
        two = f" ({number(ran['neuro_lif-2t'])})" if "neuro_lif-2t" in ran else ""
        peers = []
        for peer, taken in sorted(ran.items(), key=lambda item: item[1]):
            beside = "neuro_lif-2t" if rows[peer]["threads"] == 2 else "neuro_lif"
            if not peer.startswith("neuro_lif") and beside in ran:
                peers.append(f"{peer} {float(f'{taken / ran[beside]:.2g}'):g} x")
        unit = WORKLOADS[name].unit
        out.append(f"| {name} | {number(ran['neuro_lif'])}{two} {unit} | {', '.join(peers)} |")
    return "\n".join(out)


def machine() -> dict[str, Any]:
    """Return what this machine is."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [x.split(":", 1)[1].strip() for x in info.read_text().splitlines()
                  if x.startswith("model name")]  # fmt: skip
        cpu = models[0] if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": cpu, "processors": os.cpu_count(), "memory_gb": round(memory),
            "system": f"{platform.system()} {platform.machine()}",
            "load_at_start": round(os.getloadavg()[0], 2)}  # fmt: skip


def write_docs(path: Path, text: str, name: str = "table") -> None:
    """Put tables in their place in a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def chosen(given: str | None, known: dict[str, Any], what: str) -> list[Any]:
    """Return the named entries; a name also stands for those that begin with it and a dash."""
    if not given:
        return list(known.values())
    names = []
    for name in given.split(","):
        found = [k for k in known if k == name] or [k for k in known if k.startswith(f"{name}-")]
        if not found:
            raise SystemExit(f"error: {what} {name!r} is unknown, known: {', '.join(known)}")
        names += found
    return [known[k] for k in dict.fromkeys(names)]


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description="neuro_lif and its peers, one beside the other")
    parser.add_argument("--only", help=f"workloads: {', '.join(WORKLOADS)}")
    parser.add_argument("--peers", help=f"rows beside neuro_lif: {', '.join(PEERS)}")
    parser.add_argument("--reps", type=int, help="repetitions after a warm-up (default 5)")
    parser.add_argument("--quick", action="store_true", help="3 repetitions, fewer steps")
    parser.add_argument("--json", type=Path, help="results file; goes on where it stopped")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print a results file again")
    parser.add_argument(
        "--write", action="store_true", help="put the tables in docs/benchmarks.md and README.md"
    )
    args = parser.parse_args()
    today = f"{datetime.date.today():%Y-%m-%d}"
    data: dict[str, Any]
    if args.table:
        data = json.loads(args.table.read_text(encoding="utf-8"))
    else:
        name = f"{today}-quick.json" if args.quick else f"{today}.json"
        path = args.json or HERE / "results" / name
        data = {"schema": f"benchmark/{VERSION}", "date": today,
                                "machine": machine(), "quick": args.quick,
                                "reps": args.reps or (3 if args.quick else 5),
                                "workloads": {}}  # fmt: skip
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if (stored["schema"], stored["quick"]) != (data["schema"], args.quick):
                raise SystemExit(f"error: {path} is of another kind of run")
            data = stored | ({"reps": args.reps} if args.reps else {})
            say(f"going on with {path}")
        peers = chosen(args.peers, PEERS, "peer")
        ours = [PEERS[name] for name in INTEGERS]
        peers = [*ours, *(p for p in peers if p not in ours)]
        start = time.perf_counter()
        for workload in chosen(args.only, WORKLOADS, "workload"):
            measure(workload, peers, data, path)
        save(path, data)
        say(f"done in {time.perf_counter() - start:.0f} s: {path}")
    print(table(data))
    if args.write:
        write_docs(DOCS, table(data))
        write_docs(README, summary(data))


if __name__ == "__main__":
    main()
