"""snnTorch: its Synaptic neuron (two decays, reset to zero), step by step."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs all layers, one step after the other."""
    import snntorch
    import torch

    if job.meta["kind"] != "layers":
        raise Unsupported("feed-forward workloads only")
    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    raster = job.arrays["raster"][:, : job.steps]
    batch, steps = raster.shape[:2]
    rows = torch.from_numpy(np.ascontiguousarray(raster.swapaxes(0, 1), np.float32))
    rows = rows.reshape(steps, batch, *job.meta["shape"])
    weights = [torch.from_numpy(64.0 * job.arrays[f"w{k}"].astype(np.float32))
               for k in range(len(job.meta["vth"]))]  # fmt: skip
    cells = [
        snntorch.Synaptic(
            alpha=(4095 - job.meta["du"]) / 4096, beta=(4096 - job.meta["dv"]) / 4096,
            threshold=64.0 * vth, reset_mechanism="zero", reset_delay=False,
        )
        for vth in job.meta["vth"]
    ]  # fmt: skip

    def forward() -> list[int]:
        states = [cell.reset_mem() for cell in cells]
        counts = torch.zeros(len(cells), dtype=torch.int64)
        for t in range(steps):
            x = rows[t]
            for k, (w, cell) in enumerate(zip(weights, cells, strict=True)):
                if w.ndim == 4:
                    y = torch.nn.functional.conv2d(x, w)
                else:
                    y = torch.nn.functional.linear(x.flatten(1), w)
                x, *states[k] = cell(y, *states[k])
                counts[k] += torch.count_nonzero(x)
        return [int(c) for c in counts]

    forward()

    def rep() -> Rep:
        start = time.perf_counter()
        counts = forward()
        return Rep(time.perf_counter() - start, counts)

    return rep


if __name__ == "__main__":
    serve(build, "snntorch", "torch", "numpy")
