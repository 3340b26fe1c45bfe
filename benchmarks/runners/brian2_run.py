"""Brian2: C++ standalone (the run loop alone, as it reports it itself) and Cython.

``brian2-standalone`` and ``brian2-cython`` run W1 as Brian's own CUBA network with two synaptic
currents in float64; ``brian2-standalone-f32-1cur`` runs it with one current in float32, which is
what the integers do. W3 has delta synapses in all of them.
"""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol import Job, Rep, Unsupported, peak_mb, serve

FLAGS = ["-O3", "-march=native", "-ffast-math"]


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the network once."""
    import brian2 as b2
    import numpy as np

    if job.meta["kind"] != "recurrent":
        raise Unsupported("recurrent workloads only")
    if job.threads > 1 and "standalone" not in job.peer:
        raise Unsupported("one thread only")
    b2.prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    if "f32" in job.peer:
        b2.prefs.core.default_float_dtype = np.float32
    if "standalone" in job.peer:
        b2.set_device("cpp_standalone", build_on_run=False)
        if job.threads > 1:
            b2.prefs.devices.cpp_standalone.openmp_threads = job.threads
    else:
        b2.prefs.codegen.target = "cython"
    b2.defaultclock.dt = job.meta["dt"] * b2.second
    delta = job.meta["du"] == 4095
    net, monitor = network(b2, job, delta)
    if delta:
        job.notes.append("delta synapses")
    else:
        job.notes.append("one current" if "1cur" in job.peer else "two currents")
    if job.meta.get("poisson"):
        job.notes.append("PoissonInput, drawn as it runs")
    if "standalone" in job.peer:
        return standalone(b2, job, net)
    net.store()
    net.run(2 * b2.defaultclock.dt)

    def rep() -> Rep:
        net.restore()
        start = time.perf_counter()
        net.run(job.steps * b2.defaultclock.dt)
        return Rep(time.perf_counter() - start, int(monitor.num_spikes))

    return rep


def network(b2: Any, job: Job, delta: bool) -> tuple[Any, Any]:
    """Return the network and its spike monitor; v is counted from the reset."""
    meta, mv, ms = job.meta, b2.mV, b2.ms
    two = not delta and "1cur" not in job.peer
    space: dict[str, Any] = {
        "tau_m": job.tau_m * ms, "tau_e": job.tau_s * ms if not delta else 1 * ms,
        "tau_i": 10 * ms, "rest": meta["bias"] / 64 * job.mv * 4096 / meta["dv"] * mv,
        "vt": meta["mv_per_vth"] * mv,
    }  # fmt: skip
    if delta:
        equations = "dv/dt = (rest - v) / tau_m : volt (unless refractory)"
    elif two:
        equations = """dv/dt = (ge + gi + rest - v) / tau_m : volt (unless refractory)
            dge/dt = -ge / tau_e : volt
            dgi/dt = -gi / tau_i : volt"""
    else:
        equations = """dv/dt = (ge + rest - v) / tau_m : volt (unless refractory)
            dge/dt = -ge / tau_e : volt"""
    group = b2.NeuronGroup(
        meta["n"], equations, threshold="v > vt", reset="v = 0*mV", method="exact",
        refractory=meta["refract"] * meta["dt"] * b2.second, namespace=space,
    )  # fmt: skip
    group.v = job.arrays["v0"] / (64 * meta["vth"]) * meta["mv_per_vth"] * mv
    # what a unit of weight adds: to v itself, or to a current that v sees divided by tau_m
    unit = job.mv if delta else job.mv * 4096 / meta["dv"]
    objects = [group]
    cut = int(job.arrays["indptr"][meta["n_exc"]])
    pre, weight = job.pre, job.weight
    for kind, here in (("e", slice(0, cut)), ("i", slice(cut, None))):
        target = "v" if delta else ("gi" if two and kind == "i" else "ge")
        # the same charge in twice the time: Brian's two currents have tau 5 and 10 ms
        scale = unit * (job.tau_s / 10 if target == "gi" else 1)
        late = {"delay": meta["delay"] * meta["dt"] * b2.second} if meta["delay"] > 1 else {}
        if "weight" in job.arrays:
            synapses = b2.Synapses(group, group, "w : volt", on_pre=f"{target}_post += w", **late)
        else:
            value = float(meta["w_exc" if kind == "e" else "w_inh"]) * scale * mv
            synapses = b2.Synapses(group, group, on_pre=f"{target}_post += weight",
                                   namespace={"weight": value}, **late)  # fmt: skip
        synapses.connect(i=pre[here], j=job.arrays["post"][here].astype("int32"))
        if "weight" in job.arrays:
            synapses.w = weight[here] * scale * mv
        objects.append(synapses)
    if meta.get("poisson"):
        rate = meta["poisson"] / meta["c_exc"] / (meta["dt"] * b2.second)
        objects.append(b2.PoissonInput(group, "v", N=meta["c_exc"], rate=rate,
                                       weight=meta["w_in"] * job.mv * mv))  # fmt: skip
    monitor = b2.SpikeMonitor(group)
    return b2.Network(*objects, monitor), monitor


def standalone(b2: Any, job: Job, net: Any) -> Callable[[], Rep]:
    """Compile the network and return what runs the program."""
    folder = Path(job.folder) / "code"
    net.run(job.steps * b2.defaultclock.dt)
    b2.device.build(directory=str(folder), compile=True, run=False, with_output=False)

    def rep() -> Rep:
        program = subprocess.Popen(["./main"], cwd=folder, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            raise RuntimeError(f"the standalone program ended with {program.returncode}")
        found = list(folder.rglob("last_run_info.txt"))
        taken = float(found[0].read_text().split()[0])
        extra = {"peak_mb": used.ru_maxrss / 1024, "compiler_peak_mb": peak_mb()}
        return Rep(taken, spikes(folder), extra)

    return rep


def spikes(folder: Path) -> int:
    """Return how many spikes the program recorded: an array of int32 indices."""
    for path in folder.rglob("*spikemonitor*_N*"):
        raw = path.read_bytes()
        return int(struct.unpack("<i", raw[:4])[0])
    paths = list(folder.rglob("*dynamic_array_spikemonitor*_i*"))
    return paths[0].stat().st_size // 4


if __name__ == "__main__":
    serve(build, "brian2", "numpy", "cython")
