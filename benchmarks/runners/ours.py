"""neuro_lif's compiled kernel: the integers, and the float64 reference of the same network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from protocol import Job, Rep, Unsupported, serve


def build(job: Job) -> Callable[[], Rep]:
    """Return what runs the network once, through the public call."""
    import neuro_lif as nl
    from neuro_lif import engines
    from neuro_lif.emulator import compiled_run
    from neuro_lif.errors import RangeError
    from neuro_lif.reference import compiled

    looped = [0.0]
    inner = engines.in_stretches

    def timed(*args: Any) -> None:
        start = time.perf_counter()
        inner(*args)
        looped[0] += time.perf_counter() - start

    # the loop alone, told beside the whole call
    compiled_run.in_stretches = compiled.in_stretches = timed

    float64 = "float64" in job.peer
    kind = "recurrent" if job.meta["kind"] == "recurrent" else "layers"
    make = {("recurrent", False): recurrent, ("layers", False): layers,
            ("recurrent", True): float_recurrent, ("layers", True): float_layers}  # fmt: skip
    network, inputs = make[kind, float64](nl, job)
    names = [p.name for p in network.populations]

    def run(n_steps: int, given: Any) -> Any:
        call = nl.run_clocked if float64 else nl.run_fixed
        return call(network, n_steps, given, engine="kernel", threads=job.threads)

    try:
        run(1, {k: v[..., :1, :] for k, v in inputs.items()} or None)
    except RangeError as error:
        raise Unsupported(str(error)) from error

    told = list(job.notes)
    if "vths" in job.arrays:
        return variants(nl, job, network, inputs)

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
        return [len(recording.spikes.lists[name].neuron) for name in names]

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


def float_neurons(nl: Any, job: Job, name: str, size: int, vth: int, **more: Any) -> Any:
    """Return a population as float recurrences, 1 V being 1 LSB of the integers."""
    from neuro_lif.discretize import SteppedPopulation

    meta, one, dt = job.meta, np.ones(size), job.meta.get("dt", 1e-3)
    decay_u, decay_v = (4095 - meta["du"]) / 4096, 1 - meta["dv"] / 4096
    given = {
        "decay_u": decay_u * one[None], "decay_v": decay_v * one, "leak_v": one - decay_v,
        "bias": 0 * one, "gain": one, "threshold": one * 64 * vth,
        "refractory": np.zeros(size, np.int64), "v_init": 0 * one, "v_zero": 0 * one,
        "reset": "value", "tau_m": -dt / np.log(decay_v) * one,
        "tau_syn": np.zeros(1),  # told for information only, as is tau_m
    }  # fmt: skip
    return SteppedPopulation(name, size, **{**given, **more})


def float_network(
    nl: Any, populations: Any, projections: Any, inputs: Any, dt: float, latency: int
) -> Any:
    """Return what steps these populations and (name, pre, post, weights, delay)."""
    from neuro_lif.discretize import SteppedNetwork, SteppedProjection, StepRule

    synapse = nl.Exponential(5e-3)
    described = nl.Network(
        [nl.Population(p.name, p.size, nl.LIF(tau_m=20e-3)) for p in populations],
        [nl.Projection(*parts, synapse) for *parts, _ in projections], inputs,
    )  # fmt: skip
    stepped = [
        SteppedProjection(*parts, np.int64(delay), 0, latency) for *parts, delay in projections
    ]
    return SteppedNetwork(described, dt, StepRule(), tuple(populations), tuple(stepped))


def float_recurrent(nl: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    """Return W1 in float64 and its inputs."""
    from scipy import sparse

    meta, n = job.meta, job.meta["n"]
    if meta.get("poisson"):
        raise Unsupported("no Poisson input that is drawn in every step")
    by_source = sparse.csr_matrix(
        (64.0 * job.weight, job.arrays["post"].astype(np.int32), job.arrays["indptr"]), shape=(n, n)
    )
    neurons = float_neurons(
        nl, job, "n", n, meta["vth"], bias=np.full(n, float(meta["bias"])),
        refractory=np.full(n, meta["refract"] - 1), v_init=job.arrays["v0"].astype(np.float64),
    )  # fmt: skip
    rows = [("r", "n", "n", by_source.T.tocsr(), meta["delay"] - 1)]
    return float_network(nl, [neurons], rows, [], meta["dt"], 1), {}


def float_layers(nl: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    """Return W2 in float64 and its inputs; every layer acts in the step of the one before it."""
    raster = job.arrays["raster"]
    populations, rows, before = [], [], "in"
    for k, vth in enumerate(job.meta["vth"]):
        weights = 64.0 * job.arrays[f"w{k}"]
        if weights.ndim != 2:
            raise Unsupported("no convolutions in float64")
        populations.append(float_neurons(nl, job, f"l{k}", len(weights), vth))
        rows.append((f"p{k}", before, f"l{k}", weights, 0))
        before = f"l{k}"
    source = nl.SpikeInput("in", raster.shape[2])
    network = float_network(nl, populations, rows, [source], 1e-3, 0)
    given = raster[:, : job.steps]
    return network, {"in": given[0] if len(given) == 1 else given}


if __name__ == "__main__":
    serve(build, "neuro-lif", "numpy")
