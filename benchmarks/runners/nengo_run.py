"""Nengo's own simulator: nengo.LIF with Lowpass synapses, in steps of the workload."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what simulates on."""
    import nengo
    from scipy import sparse

    meta = job.meta
    if meta["kind"] != "recurrent" and any(job.arrays[f"w{k}"].ndim == 4 for k in range(3)):
        raise Unsupported("W1 and W2 only")
    dt = meta.get("dt", 1e-4)  # steps of W2 have no length: any will do
    tau_s = -dt / np.log((4095 - meta["du"]) / 4096)
    tau_m = -dt / np.log(1 - meta["dv"] / 4096)
    counts: list[list[int]] = []

    def cell(refract: int) -> Any:
        # a threshold of 1; what arrives is filtered and divided by tau_m
        return nengo.LIF(tau_rc=tau_m, tau_ref=(refract - 0.5) * dt)

    def population(n: int, refract: int, bias: float) -> Any:
        ensemble = nengo.Ensemble(n, 1, neuron_type=cell(refract), gain=np.ones(n),
                                  bias=np.full(n, bias), encoders=np.ones((n, 1)))  # fmt: skip
        total = [0]
        counts.append(total)

        def count(t: float, x: Any) -> None:
            total[0] += int(np.count_nonzero(x))

        sink = nengo.Node(count, size_in=n)
        nengo.Connection(ensemble.neurons, sink, synapse=None)
        return ensemble

    def scaled(w: Any, vth: int) -> Any:
        """Weights so that a spike (1 / dt for a step) adds w / vth * 4096 / dv to the current."""
        return w / vth * (4096 / meta["dv"]) * tau_s

    with nengo.Network(seed=1) as model:
        if meta["kind"] == "recurrent":
            n = meta["n"]
            ensemble = population(
                n, meta["refract"], meta["bias"] / 64 / meta["vth"] * 4096 / meta["dv"]
            )
            by_source = sparse.csr_matrix(
                (job.weight.astype(float), job.arrays["post"].astype(np.int32),
                 job.arrays["indptr"]), shape=(n, n),
            )  # fmt: skip
            matrix = scaled(by_source.T.tocsr(), meta["vth"])
            nengo.Connection(ensemble.neurons, ensemble.neurons, synapse=nengo.Lowpass(tau_s),
                             transform=nengo.Sparse((n, n), init=matrix))  # fmt: skip
        else:
            rows = job.arrays["raster"][0].astype(float) / dt
            before: Any = nengo.Node(lambda t: rows[(round(t / dt) - 1) % len(rows)])
            for k, vth in enumerate(meta["vth"]):
                w = job.arrays[f"w{k}"].astype(float)
                layer = population(len(w), 1, 0.0)
                nengo.Connection(before, layer.neurons, synapse=nengo.Lowpass(tau_s),
                                 transform=scaled(w, vth))  # fmt: skip
                before = layer.neurons
    job.notes.append("starts in the transient; state is kept between repetitions")
    simulator = nengo.Simulator(model, dt=dt, progress_bar=False, optimize=True)
    simulator.run_steps(5)

    def rep() -> Rep:
        for total in counts:
            total[0] = 0
        start = time.perf_counter()
        simulator.run_steps(job.steps)
        taken = time.perf_counter() - start
        found = [total[0] for total in counts]
        return Rep(taken, found if len(found) > 1 else found[0])

    return rep


if __name__ == "__main__":
    serve(build, "nengo", "numpy")
