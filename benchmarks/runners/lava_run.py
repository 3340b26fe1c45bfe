"""Lava in fixed point (``select_tag="fixed_pt"``): LIF with Sparse, Dense and Conv."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the processes on for a while."""
    import logging

    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    meta = job.meta
    if meta.get("poisson"):
        raise Unsupported("no Poisson drive (W3c has none)")
    make = recurrent if meta["kind"] == "recurrent" else layers
    first, cells = make(job)
    from lava_counter import Counter

    sinks = [Counter(shape=cell.s_out.shape) for cell in cells]
    for cell, sink in zip(cells, sinks, strict=True):
        cell.s_out.connect(sink.s_in)
    config = Loihi2SimCfg(select_tag="fixed_pt")
    first._log_config.level = logging.CRITICAL
    first.run(condition=RunSteps(num_steps=1), run_cfg=config)
    job.close = first.stop
    before = [0] * len(sinks)

    def rep() -> Rep:
        start = time.perf_counter()
        first.run(condition=RunSteps(num_steps=job.steps), run_cfg=config)
        taken = time.perf_counter() - start
        now = [int(sink.total.get()[0]) for sink in sinks]
        counts = [b - a for a, b in zip(before, now, strict=True)]
        before[:] = now
        return Rep(taken, counts if len(counts) > 1 else counts[0])

    return rep


def recurrent(job: Job) -> tuple[Any, list[Any]]:
    """Return W1 or W3c; Lava's LIF has no refractory period in fixed point."""
    from lava.proc.lif.process import LIF
    from lava.proc.sparse.process import Sparse
    from lava.utils.weightutils import SignMode
    from scipy import sparse

    meta, n = job.meta, job.meta["n"]
    by_source = sparse.csr_matrix(
        (job.weight.astype(np.int32), job.arrays["post"].astype(np.int32), job.arrays["indptr"]),
        shape=(n, n),
    )
    cell = LIF(shape=(n,), v=job.arrays["v0"].astype(np.int64),
               **{k: meta[k] for k in ("du", "dv", "vth", "bias_mant", "bias_exp")})  # fmt: skip
    synapses = Sparse(weights=by_source.T.tocsr(), sign_mode=SignMode.MIXED)
    cell.s_out.connect(synapses.s_in)
    synapses.a_out.connect(cell.a_in)
    job.notes.append("no refractory period" + (", no delay" if meta["delay"] > 1 else ""))
    return cell, [cell]


def layers(job: Job) -> tuple[Any, list[Any]]:
    """Return W2 or W4 for one sample after the other; nothing is reset between them."""
    from lava.proc.conv.process import Conv
    from lava.proc.dense.process import Dense
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIF
    from lava.utils.weightutils import SignMode

    meta = job.meta
    if meta["batch"] > 1:
        job.notes.append("one sample at a time, times the batch")
        meta["batch"] = 1
    plane = tuple(meta["shape"])
    rows = job.arrays["raster"][0].astype(np.int32)
    if len(plane) == 3:  # Lava's planes are (x, y, channels)
        rows = rows.reshape(len(rows), *plane).transpose(0, 2, 3, 1)
        shape: tuple[int, ...] = (*plane[1:], plane[0])
    else:
        shape = plane
    source = RingBuffer(data=np.moveaxis(rows, 0, -1))
    out, cells = source.s_out, []
    for k, vth in enumerate(meta["vth"]):
        w = job.arrays[f"w{k}"].astype(np.int32)
        if w.ndim == 4:  # a true convolution: flipped in x and y
            kernel = w.transpose(0, 2, 3, 1)[:, ::-1, ::-1, :]
            link: Any = Conv(weight=kernel, input_shape=shape)
            shape = link.output_shape
        else:
            if len(shape) == 3:
                plane = (shape[2], *shape[:2])
                w = w.reshape(len(w), *plane).transpose(0, 2, 3, 1).reshape(len(w), -1)
                out = out.flatten()
            link = Dense(weights=w, sign_mode=SignMode.MIXED)
            shape = (len(w),)
        cell = LIF(shape=shape, du=meta["du"], dv=meta["dv"], vth=vth)
        out.connect(link.s_in)
        link.a_out.connect(cell.a_in)
        out = cell.s_out
        cells.append(cell)
    return cells[0], cells


if __name__ == "__main__":
    serve(build, "lava-nc", "numpy")
