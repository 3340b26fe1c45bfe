"""neuro_lif's compiled kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the network once, through the public call."""
    import neuro_lif as nl
    from neuro_lif.emulator import compiled_run
    from neuro_lif.errors import RangeError

    looped = [0.0]
    inner = compiled_run._advance

    def timed(*args: Any) -> None:
        start = time.perf_counter()
        inner(*args)
        looped[0] += time.perf_counter() - start

    compiled_run._advance = timed  # the loop alone, told beside the whole call

    fixed, inputs = (recurrent if job.meta["kind"] == "recurrent" else layers)(nl, job)
    names = [p.name for p in fixed.populations]

    def run(n_steps: int, given: Any) -> Any:
        return nl.run_fixed(fixed, n_steps, given, engine="kernel", threads=job.threads)

    try:
        run(1, {k: v[..., :1, :] for k, v in inputs.items()} or None)
    except RangeError as error:
        raise Unsupported(str(error)) from error

    told = list(job.notes)
    if "vths" in job.arrays:
        return variants(nl, job, fixed, inputs)

    def rep() -> Rep:
        looped[0] = 0.0
        start = time.perf_counter()
        found = run(job.steps, inputs or None)
        taken = time.perf_counter() - start
        counts = [len(found.spikes.lists[name].neuron) for name in names]
        job.notes[:] = [*told, str(found.provenance.get("engine"))]
        extra = {"loop_s": looped[0], "overflows": sum(e.count for e in found.events)}
        return Rep(taken, counts if len(counts) > 1 else counts[0], extra)

    return rep


def variants(nl: Any, job: Job, fixed: Any, inputs: Any) -> Callable[[], Rep]:
    """Return what runs the network once with every row of thresholds."""
    names = [p.name for p in fixed.populations]

    def every() -> Any:
        for vths in job.arrays["vths"].tolist():
            params = {name: {"vth": vth} for name, vth in zip(names, vths, strict=True)}
            yield nl.with_changes(fixed, params=params)

    def counts(recording: Any) -> list[int]:
        return [len(recording.spikes.lists[name].step) for name in names]

    def rep() -> Rep:
        start = time.perf_counter()
        found = list(nl.run_variants(every(), job.steps, inputs, reduce=counts, engine="kernel",
                                     threads=job.threads))  # fmt: skip
        return Rep(time.perf_counter() - start, np.sum(found, axis=0).tolist())

    return rep


def recurrent(nl: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    """Return W1 or W3 and its inputs."""
    from scipy import sparse

    meta, n = job.meta, job.meta["n"]
    shape = (job.arrays["weight"] if "weight" in job.arrays else job.weight).astype(np.int16)
    by_source = sparse.csr_matrix(
        (shape, job.arrays["post"].astype(np.int32), job.arrays["indptr"]), shape=(n, n)
    )
    params = {k: meta[k] for k in ("du", "dv", "vth", "bias_mant", "bias_exp", "refract")}
    neurons = nl.FixedPopulation("n", n, "lif_refractory", params, {"v": job.arrays["v0"]})
    synapses = nl.FixedProjection("r", "n", "n", by_source.T.tocsr(), sign_mode="mixed",
                                  delays=meta["delay"] - 1)  # fmt: skip
    poissons = []
    if meta.get("poisson"):
        poissons = [nl.FixedPoisson("poisson", "n", meta["poisson"], meta["w_in"], seed=1)]
        job.notes.append("Poisson counts drawn in every step")
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (neurons,), (synapses,),
                            dt=meta["dt"], poissons=tuple(poissons))  # fmt: skip
    return fixed, {}


def layers(nl: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    """Return W2 or W4 and its inputs; every layer acts in the step of the one before it."""
    meta, raster = job.meta, job.arrays["raster"]
    source = nl.FixedSource("in", raster.shape[2])
    shape = tuple(meta["shape"])
    populations, projections, before = [], [], "in"
    for k, vth in enumerate(meta["vth"]):
        w = job.arrays[f"w{k}"].astype(np.int64)
        given: Any = w
        if w.ndim == 4:
            given = nl.Convolution(w, shape, layout="torch")
            shape = (len(w), *(m - f + 1 for m, f in zip(shape[1:], w.shape[2:], strict=True)))
        else:
            shape = (len(w),)
        params = {"du": meta["du"], "dv": meta["dv"], "vth": vth}
        populations.append(nl.FixedPopulation(f"l{k}", int(np.prod(shape)), "lif", params))
        projections.append(nl.FixedProjection(f"p{k}", before, f"l{k}", given, latency=0,
                                              sign_mode="mixed"))  # fmt: skip
        before = f"l{k}"
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), tuple(populations), tuple(projections),
                            (source,))  # fmt: skip
    rows = raster[:, : job.steps]
    return fixed, {"in": rows[0] if len(rows) == 1 else rows}


if __name__ == "__main__":
    serve(build, "neuro-lif", "numpy")
