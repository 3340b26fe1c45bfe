"""PyTorch eager by hand: layer by layer, one matrix product or convolution for all steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs all layers over all steps."""
    import torch

    if job.meta["kind"] != "layers":
        raise Unsupported("feed-forward workloads only")
    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    raster = job.arrays["raster"][:, : job.steps]
    batch, steps = raster.shape[:2]
    rows = torch.from_numpy(np.ascontiguousarray(raster.swapaxes(0, 1), np.float32))
    rows = rows.reshape(steps * batch, *job.meta["shape"])
    variants = job.arrays.get("vths", np.array([job.meta["vth"]])) * 64.0
    weights = [torch.from_numpy(64.0 * job.arrays[f"w{k}"].astype(np.float32))
               for k in range(len(job.meta["vth"]))]  # fmt: skip
    keep_u, keep_v = (4095 - job.meta["du"]) / 4096, (4096 - job.meta["dv"]) / 4096

    def neurons(arriving: Any, vth: float) -> Any:
        """Turn what arrives (steps, batch, n) into spikes of the same shape."""
        u, v = torch.zeros_like(arriving[0]), torch.zeros_like(arriving[0])
        spikes = torch.empty_like(arriving)
        for t in range(steps):
            u.mul_(keep_u).add_(arriving[t])
            v.mul_(keep_v).add_(u)
            torch.gt(v, vth, out=spikes[t])
            v.masked_fill_(spikes[t].bool(), 0.0)
        return spikes

    def forward(vths: Any) -> list[int]:
        x, counts = rows, []
        for w, vth in zip(weights, vths, strict=True):
            if w.ndim == 4:
                y = torch.nn.functional.conv2d(x, w)
            else:
                y = torch.nn.functional.linear(x.flatten(1), w)
            spikes = neurons(y.view(steps, batch, -1), vth)
            counts.append(int(torch.count_nonzero(spikes)))
            x = spikes.view(y.shape)
        return counts

    forward(variants[0])

    def rep() -> Rep:
        start = time.perf_counter()
        counts = [forward(vths) for vths in variants.tolist()]
        return Rep(time.perf_counter() - start, np.sum(counts, axis=0).tolist())

    return rep


if __name__ == "__main__":
    serve(build, "torch", "numpy")
