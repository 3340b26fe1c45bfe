"""brian2_loihi; its neurons have no bias, so spikes from outside stand for it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the network on."""
    warnings.simplefilter("ignore")
    import brian2
    import brian2_loihi as bl

    meta = job.meta
    if meta["kind"] != "recurrent" or meta["delay"] > 1:
        raise Unsupported("W1 only")
    brian2.prefs.codegen.target = "auto"  # Cython where Brian2 finds that it works, else numpy
    used = brian2.devices.get_device().code_object_class().class_name
    job.notes.append(f"code by {used}")
    n = meta["n"]
    group = bl.LoihiNeuronGroup(n, refractory=meta["refract"], threshold_v_mant=meta["vth"],
                                decay_v=meta["dv"], decay_I=meta["du"] + 1)  # fmt: skip
    group.v = job.arrays["v0"].astype(float)
    synapses = bl.LoihiSynapses(group, group, sign_mode=bl.synapse_sign_mode.MIXED,
                                num_weight_bits=8)  # fmt: skip
    synapses.connect(i=job.pre, j=job.arrays["post"].astype(np.int64))
    synapses.w = job.weight.astype(np.int64)
    # A spike of weight 15 every so many steps keeps u near the bias.
    every = round(15 * 64 * 4096 / (meta["du"] + 1) / meta["bias"])
    times = np.arange(0, 20 * job.steps, every)
    clock = bl.LoihiSpikeGeneratorGroup(1, np.zeros(len(times), int), times)
    feed = bl.LoihiSynapses(clock, group, sign_mode=bl.synapse_sign_mode.EXCITATORY)
    feed.connect(i=np.zeros(n, int), j=np.arange(n))
    feed.w = np.full(n, 15, np.int64)
    monitor = bl.LoihiSpikeMonitor(group)
    network = bl.LoihiNetwork(group, clock, synapses, feed, monitor)
    network.run(2)
    before = [int(monitor.num_spikes)]
    job.notes.append("no bias: one more source, spiking regularly, stands for it")

    def rep() -> Rep:
        start = time.perf_counter()
        network.run(job.steps)
        taken = time.perf_counter() - start
        now = int(monitor.num_spikes)
        found, before[0] = now - before[0], now
        return Rep(taken, found)

    return rep


if __name__ == "__main__":
    serve(build, "brian2-loihi", "brian2", "numpy")
