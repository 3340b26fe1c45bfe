"""NEST: iaf_psc_exp (W1) and iaf_psc_delta (W3), static synapses, spikes recorded in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve

C_M = 250.0  # pF


def build(job: Job) -> Callable[[], Rep]:
    """Return what simulates on; the network's activity goes on from one repetition to the next."""
    if job.meta["kind"] != "recurrent":
        raise Unsupported("recurrent workloads only")
    import nest

    meta = job.meta
    step = meta["dt"] * 1e3
    delta = meta["du"] == 4095
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution, nest.local_num_threads, nest.print_time = step, job.threads, False
    rest = meta["bias"] / 64 * job.mv * 4096 / meta["dv"]
    cell: dict[str, Any] = {
        "C_m": C_M, "tau_m": job.tau_m, "E_L": rest, "V_reset": 0.0, "V_th": meta["mv_per_vth"],
        "t_ref": meta["refract"] * step, "I_e": 0.0,
    }  # fmt: skip
    unit = job.mv
    if not delta:
        cell |= {"tau_syn_ex": job.tau_s, "tau_syn_in": 10.0}
        unit = job.mv * 4096 / meta["dv"] * C_M / job.tau_m
        job.notes.append("two currents")
    model = "iaf_psc_delta" if delta else "iaf_psc_exp"
    neurons = nest.Create(model, meta["n"], params=cell)
    neurons.V_m = (job.arrays["v0"] / (64 * meta["vth"]) * meta["mv_per_vth"]).tolist()
    delay = meta["delay"] * step
    if len(job.arrays["post"]) <= 10**6:
        weight = job.weight * unit
        if not delta:
            weight = np.where(weight < 0, weight * job.tau_s / 10, weight)
        nest.Connect(
            job.pre + 1, job.arrays["post"].astype(np.int64) + 1, "one_to_one",
            {"weight": weight, "delay": np.full(len(weight), delay)},
        )  # fmt: skip
    else:
        job.notes.append("connections drawn by NEST (fixed_indegree)")
        halves = (neurons[: meta["n_exc"]], neurons[meta["n_exc"] :])
        k = len(job.arrays["post"]) / meta["n"]
        k_exc = meta.get("c_exc", round(k * meta["n_exc"] / meta["n"]))
        k_inh = meta.get("c_inh", round(k) - k_exc)
        for sources, degree, w in ((halves[0], k_exc, meta["w_exc"]),
                                   (halves[1], k_inh, meta["w_inh"])):  # fmt: skip
            scale = unit * (job.tau_s / 10 if w < 0 and not delta else 1)
            nest.Connect(sources, neurons, {"rule": "fixed_indegree", "indegree": int(degree)},
                         {"weight": w * scale, "delay": delay})  # fmt: skip
    if meta.get("poisson"):
        noise = nest.Create("poisson_generator", params={"rate": meta["poisson"] / meta["dt"]})
        nest.Connect(noise, neurons, syn_spec={"weight": meta["w_in"] * job.mv, "delay": delay})
        job.notes.append("poisson_generator")
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Simulate(10 * step)
    before = [recorder.n_events]

    def rep() -> Rep:
        start = time.perf_counter()
        nest.Simulate(job.steps * step)
        taken = time.perf_counter() - start
        now = recorder.n_events
        found, before[0] = now - before[0], now
        return Rep(taken, int(found))

    return rep


if __name__ == "__main__":
    serve(build, "nest-simulator", "numpy")
