"""nengo-loihi as it is used: a Nengo network in ``nengo_loihi.Simulator(target="sim")``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the network on."""
    warnings.simplefilter("ignore")
    import nengo
    import nengo_loihi

    meta = job.meta
    if meta["kind"] != "recurrent" or meta["delay"] > 1:
        raise Unsupported("W1 only")
    n, dt = meta["n"], meta["dt"]
    per_step = meta["dv"] / 4096  # of the current goes into v in one step
    bias = meta["bias"] / (64 * meta["vth"]) / per_step
    with nengo.Network(seed=1) as network:
        neuron = nengo.LIF(tau_rc=1e-3 * job.tau_m, tau_ref=meta["refract"] * dt)
        group = nengo.Ensemble(n, 1, neuron_type=neuron, gain=np.ones(n), bias=np.full(n, bias))
        jump = job.weight / meta["vth"] / per_step  # of a spike, in thresholds
        synapses = nengo.Sparse((n, n), indices=np.stack([job.arrays["post"], job.pre], 1),
                                init=jump * 1e-3 * job.tau_s)  # fmt: skip
        nengo.Connection(group.neurons, group.neurons, transform=synapses,
                         synapse=nengo.Lowpass(1e-3 * job.tau_s))  # fmt: skip
        probe = nengo.Probe(group.neurons)
    simulator = nengo_loihi.Simulator(network, dt=dt, target="sim", progress_bar=False)
    simulator.run_steps(2000)  # it starts at rest: past the first volleys
    job.notes.append(f"a Nengo network, on {len(simulator.model.blocks)} cores")

    def rep() -> Rep:
        start = time.perf_counter()
        simulator.run_steps(job.steps)
        taken = time.perf_counter() - start
        last = np.asarray(simulator.data[probe][-job.steps :])
        return Rep(taken, int(np.count_nonzero(last)))

    return rep


if __name__ == "__main__":
    serve(build, "nengo-loihi", "nengo", "numpy")
