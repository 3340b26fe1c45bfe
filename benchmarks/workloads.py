"""The workloads as data: connectivity and drive in integers, made once with a seed.

Every engine and every peer reads the same file. A file is an ``.npz`` of arrays with one text,
``meta``, in JSON. Two kinds exist:

* ``recurrent``: one population of ``n`` neurons, the first ``n_exc`` excitatory. Synapses are
  sorted by source: those of neuron i are ``post[indptr[i]:indptr[i + 1]]``. Weights are one number
  for each kind of source (``w_exc``, ``w_inh``) or, if ``weight`` is there, one for each synapse.
* ``layers``: a feed-forward network. ``w0``, ``w1``, ... are a matrix ``(n_post, n_pre)`` or a
  convolution ``(channels out, channels in, height, width)`` each; ``raster`` is the input,
  ``(batch, steps, n)`` of 0 and 1. Where there are ``vths`` ``(n_variants, n_layers)``, it is run
  once with every row as its thresholds, on the same input.

The neuron is the integer LIF of Loihi, of which peers in floating point compute the same without
rounding (one step)::

    u = u * (4095 - du) / 4096 + 64 * sum of weights
    v = v * (4096 - dv) / 4096 + u + bias          held at 0 for refract - 1 steps after a spike
    spike where v > 64 * vth, then v = 0
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20261121
VERSION = 1
"""Part of the file names: raise it when a workload changes."""

Arrays = dict[str, Any]
Meta = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """One workload.

    Args:
        name: as in the table.
        about: one line.
        make: returns what the file holds.
        unit: what the run time is divided by in the table.
        meta: arguments of ``make``.
    """

    name: str
    about: str
    make: Callable[..., tuple[Meta, Arrays]]
    unit: str
    meta: Meta

    def path(self, folder: Path) -> Path:
        """Return the workload's file in a folder."""
        return folder / f"{self.name}-v{VERSION}.npz"

    def ensure(self, folder: Path) -> Path:
        """Make the file where it is not there, and return its path."""
        path = self.path(folder)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            meta, arrays = self.make(np.random.default_rng(SEED), **self.meta)
            text = json.dumps({"name": self.name, "unit": self.unit, **meta})
            part = path.with_suffix(".part.npz")
            np.savez(part, meta=np.array(text), **arrays)
            part.replace(path)
        return path


def targets(rng: np.random.Generator, n: int, counts: Any) -> tuple[Any, Any]:
    """Return (indptr, post): distinct random targets of every source, in ascending order."""
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    post = np.empty(indptr[-1], np.uint16 if n <= 2**16 else np.int32)
    for i, count in enumerate(counts):
        post[indptr[i] : indptr[i + 1]] = np.sort(rng.choice(n, int(count), replace=False))
    return indptr, post


def cuba(rng: np.random.Generator, n: int, fan_out: int, steps: int) -> tuple[Meta, Arrays]:
    """Return W1: Brian's CUBA network, in steps of 0.1 ms.

    10 mV from reset to threshold are 17284 * 64 LSB, so 1.62 mV for an excitatory spike is 14.
    An inhibitory one is 9 mV with tau 10 ms there; with one current of 5 ms it carries the same
    charge at 18 mV. Rest is 11 mV above reset.
    """
    indptr, post = targets(rng, n, rng.binomial(n, fan_out / n, n))
    meta = {
        "kind": "recurrent", "n": n, "n_exc": int(0.8 * n), "steps": steps, "dt": 1e-4,
        "du": 80, "dv": 20, "vth": 17284, "bias": 760 * 8, "bias_mant": 760, "bias_exp": 3,
        "refract": 50, "delay": 1, "w_exc": 14, "w_inh": -156, "mean_fan": fan_out,
        "mv_per_vth": 10.0,
    }  # fmt: skip
    return meta, {"indptr": indptr, "post": post, "v0": rng.integers(0, 17284 * 64, n)}


def brunel(
    rng: np.random.Generator, n_exc: int, n_inh: int, c_exc: int, c_inh: int, steps: int,
    drive: str, weights: str,
) -> tuple[Meta, Arrays]:  # fmt: skip
    """Return W3: Brunel's network with delta synapses, g = 5, eta = 2, in steps of 0.1 ms.

    0.1 mV is 20 * 64 LSB; v is counted from the reset, 10 mV above rest and 10 mV below the
    threshold, so the leak toward rest is a bias of -625. Poisson input is 2 spikes of 0.1 mV a
    step and neuron; the constant drive is their mean.
    """
    n = n_exc + n_inh
    pre = np.concatenate(
        [np.concatenate([rng.choice(n_exc, c_exc, replace=False),
                         n_exc + rng.choice(n_inh, c_inh, replace=False)])
         for _ in range(n)]
    )  # fmt: skip
    order = np.argsort(pre, kind="stable")  # by source, and in it by target
    post = np.repeat(np.arange(n, dtype=np.uint16), c_exc + c_inh)[order]
    counts = np.bincount(pre, minlength=n)
    bias = -625 + (2 * 20 * 64 if drive == "constant" else 0)
    meta = {
        "kind": "recurrent", "n": n, "n_exc": n_exc, "steps": steps, "dt": 1e-4,
        "du": 4095, "dv": 20, "vth": 2000, "bias": bias, "bias_mant": bias, "bias_exp": 0,
        "refract": 20, "delay": 15, "w_exc": 20, "w_inh": -100, "c_exc": c_exc, "c_inh": c_inh,
        "mv_per_vth": 10.0, "poisson": 2.0 if drive == "poisson" else 0.0, "w_in": 20,
    }  # fmt: skip
    arrays = {
        "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "post": post, "v0": rng.integers(0, 2000 * 64, n),
    }  # fmt: skip
    if weights == "each":
        inhibitory = np.repeat(np.arange(n) >= n_exc, counts)
        spread = rng.integers(-4, 5, len(post), dtype=np.int16)  # the chip keeps even numbers
        arrays["weight"] = np.where(inhibitory, -100 + 2 * spread, 20 + 2 * spread).astype(np.int16)
    if drive == "poisson":
        arrays["poisson_counts"] = rng.poisson(2.0, (min(steps, 1000), n)).astype(np.uint8)
    return meta, arrays


def dense(rng: np.random.Generator, batch: int, steps: int, sizes: Any) -> tuple[Meta, Arrays]:
    """Return W2: layers of random even weights, input spikes of probability 0.08."""
    arrays: Arrays = {"raster": (rng.random((batch, steps, sizes[0])) < 0.08).astype(np.uint8)}
    for k, (n_pre, n_post) in enumerate(zip(sizes, sizes[1:], strict=False)):
        arrays[f"w{k}"] = (2 * np.rint(rng.normal(1.0, 12.0, (n_post, n_pre)))).astype(np.int16)
    meta = {
        "kind": "layers", "steps": steps, "batch": batch, "du": 409, "dv": 204,
        "vth": [7000, 7000, 7000], "shape": [sizes[0]],
    }  # fmt: skip
    return meta, arrays


def variants(
    rng: np.random.Generator, count: int, batch: int, steps: int, sizes: Any
) -> tuple[Meta, Arrays]:  # fmt: skip
    """Return V: W2's network with thresholds of every layer drawn anew for each variant."""
    meta, arrays = dense(rng, batch, steps, sizes)
    vths = np.rint(np.array(meta["vth"]) * rng.uniform(0.8, 1.2, (count, len(meta["vth"]))))
    return {**meta, "n_variants": count}, arrays | {"vths": vths.astype(np.int64)}


def conv(rng: np.random.Generator, batch: int, steps: int) -> tuple[Meta, Arrays]:
    """Return W4: 2x34x34 - 16c5 - 32c3 - 10, no padding, input spikes of probability 0.02."""
    arrays = {
        "raster": (rng.random((batch, steps, 2 * 34 * 34)) < 0.02).astype(np.uint8),
        "w0": (2 * np.rint(rng.normal(2.0, 12.0, (16, 2, 5, 5)))).astype(np.int16),
        "w1": (2 * np.rint(rng.normal(0.5, 12.0, (32, 16, 3, 3)))).astype(np.int16),
        "w2": (2 * np.rint(rng.normal(0.0, 3.0, (10, 32 * 28 * 28)))).astype(np.int16),
    }
    meta = {
        "kind": "layers", "steps": steps, "batch": batch, "du": 409, "dv": 204,
        "vth": [650, 1100, 2000], "shape": [2, 34, 34],
    }  # fmt: skip
    return meta, arrays


_W1 = "CUBA, recurrent sparse, one synaptic current"
_W3 = "Brunel, 12,500 neurons, K 1,250, delay 1.5 ms, 10,000 steps"
_NETS = {"n_exc": 10000, "n_inh": 2500, "c_exc": 1000, "c_inh": 250, "steps": 10000}
_DENSE = (784, 512, 512, 10)

WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", f"{_W1}, 4,000 neurons, p 0.02, 10,000 steps", cuba, "s / 10,000 steps",
                 {"n": 4000, "fan_out": 80, "steps": 10000}),
        Workload("W1-100k", f"{_W1}, 100,000 neurons, fan-out 80, 10,000 steps", cuba,
                 "s / 10,000 steps", {"n": 100000, "fan_out": 80, "steps": 10000}),
        Workload("W2-b1", "dense 784-512-512-10, 100 steps, one sample", dense, "ms / sample",
                 {"batch": 1, "steps": 100, "sizes": _DENSE}),
        Workload("W2-b256", "dense 784-512-512-10, 100 steps, batch 256", dense, "ms / sample",
                 {"batch": 256, "steps": 100, "sizes": _DENSE}),
        Workload("V32", "32 variants (thresholds) of W2, 100 steps, batch 16", variants,
                 "ms / variant", {"count": 32, "batch": 16, "steps": 100, "sizes": _DENSE}),
        Workload("W3", f"{_W3}, Poisson drive, one weight per source population", brunel,
                 "s / 10,000 steps", {**_NETS, "drive": "poisson", "weights": "kind"}),
        Workload("W3w", f"{_W3}, Poisson drive, a weight per synapse", brunel,
                 "s / 10,000 steps", {**_NETS, "drive": "poisson", "weights": "each"}),
        Workload("W3c", f"{_W3}, constant drive, one weight per source population", brunel,
                 "s / 10,000 steps", {**_NETS, "drive": "constant", "weights": "kind"}),
        Workload("W3cw", f"{_W3}, constant drive, a weight per synapse", brunel,
                 "s / 10,000 steps", {**_NETS, "drive": "constant", "weights": "each"}),
        Workload("W4-b16", "2x34x34 - 16c5 - 32c3 - 10, 100 steps, batch 16", conv, "ms / sample",
                 {"batch": 16, "steps": 100}),
    )
}  # fmt: skip


if __name__ == "__main__":
    for name in sys.argv[2:]:
        print(WORKLOADS[name].ensure(Path(sys.argv[1])))
