"""nengo-loihi's emulator by itself, without a Simulator, with the workload's integers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what steps the emulator on."""
    warnings.simplefilter("ignore")
    from nengo_loihi.block import Axon, LoihiBlock, Synapse
    from nengo_loihi.builder import Model
    from nengo_loihi.emulator.interface import EmulatorInterface
    from nengo_loihi.inputs import SpikeInput
    from nengo_loihi.probe import LoihiProbe

    meta, model = job.meta, Model(dt=0.001)

    def block(n: int, vth: int, bias: int, refract: int) -> Any:
        made = LoihiBlock(n)
        values = {"decay_u": meta["du"], "decay_v": meta["dv"], "vth": 64 * vth, "bias": bias,
                  "refract_delay": refract}  # fmt: skip
        for name, value in values.items():
            setattr(made.compartment, name, np.full(n, value, np.int32))
        made.compartment.vmin, made.compartment.vmax = -(2**23) + 1, 2**23 - 1
        made.compartment.noise_exp = made.compartment.noise_offset = 0
        made.compartment.noise_at_membrane = 0
        made.compartment.enable_noise = np.zeros(n, bool)
        made.compartment.scale_u = made.compartment.scale_v = False
        model.add_block(made)
        return made

    def connect(origin: Any, target: Any, weights: list[Any], indices: list[Any]) -> None:
        synapse = Synapse(len(weights))
        synapse.weights = [w.astype(np.int32).reshape(1, -1) * 64 for w in weights]
        synapse.indices = [i.astype(np.int32).reshape(1, -1) for i in indices]
        synapse.format(compression=0, fanout_type=1, n_synapses=63, weight_bits=7)
        target.synapses.append(synapse)
        axon = Axon(len(weights))
        axon.target = synapse
        origin.add_axon(axon) if isinstance(origin, SpikeInput) else origin.axons.append(axon)

    blocks: list[Any] = []
    if meta["kind"] == "recurrent":
        if meta["delay"] > 1:
            raise Unsupported("no delays")
        blocks.append(block(meta["n"], meta["vth"], meta["bias"], meta["refract"]))
        cuts = job.arrays["indptr"][1:-1]
        connect(
            blocks[0], blocks[0], np.split(job.weight, cuts), np.split(job.arrays["post"], cuts)
        )
    else:
        rows = job.arrays["raster"][0]
        before: Any = SpikeInput(rows.shape[1])
        for t in range(100 * len(rows)):  # enough for all repetitions, the same again and again
            before.add_spikes(t + 1, np.flatnonzero(rows[t % len(rows)]))
        model.add_input(before)
        for k, vth in enumerate(meta["vth"]):
            w = job.arrays[f"w{k}"]
            if w.ndim != 2:
                raise Unsupported("no convolution")
            layer = block(len(w), vth, 0, 1)
            connect(before, layer, list(w.T), [np.arange(len(w))] * w.shape[1])
            blocks.append(layer)
            before = layer
        job.notes.append("state is kept between repetitions")
    probes = [LoihiProbe(target=b, key="spiked") for b in blocks]
    for probe in probes:
        model.add_probe(probe)
    emulator = EmulatorInterface(model, seed=0)
    if "v0" in job.arrays:
        emulator.compartment.voltage[:] = job.arrays["v0"]
    emulator.run_steps(1)

    def rep() -> Rep:
        start = time.perf_counter()
        emulator.run_steps(job.steps)
        taken = time.perf_counter() - start
        counts = []
        for probe in probes:
            counts.append(int(np.count_nonzero(np.asarray(emulator.collect_probe_output(probe)))))
        return Rep(taken, counts if len(counts) > 1 else counts[0])

    return rep


if __name__ == "__main__":
    serve(build, "nengo-loihi", "nengo", "numpy")
