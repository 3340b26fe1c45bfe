"""Networks of Nengo; it has no exporter, so the graphs are written by hand beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nengo
import nir
import numpy as np
from lab import Case, rows

T = 100


def layer(rng: Any, n: int, low: float = 0.0) -> tuple[Any, Any]:
    """Return an ensemble with its own gains and biases, and the parameters of the NIR node."""
    tau = float(rng.uniform(5e-3, 3e-2))
    zero = {"voltage": nengo.dists.Choice([0])}  # by default Nengo draws the first voltages
    kind = nengo.LIF(tau_rc=tau, tau_ref=0.0, min_voltage=low, initial_state=zero)
    gain, bias = rng.uniform(0.5, 2.0, n), rng.uniform(-0.2, 0.2, n)
    return nengo.Ensemble(n, 1, neuron_type=kind, gain=gain, bias=bias), (tau, gain, bias)


def lif(tau: float, gain: Any, n: int) -> Any:
    """Return the node: a gain g (which connections to neurons pass) is a threshold of 1/g."""
    full = np.full(n, tau)
    return nir.LIF(full, np.ones(n), np.zeros(n), 1 / gain, np.zeros(n))


def network(seed: int, kind: str, low: float, dt: float) -> Case:
    """Two layers; the second one, or the first one's recurrence, is behind a low-pass."""
    rng = np.random.default_rng([seed, len(kind), int(dt * 1e5)])
    n, m = 10, 6
    inputs = rows(rng, T, 5).astype(np.float64)
    w, w2 = rng.normal(0.5, 1.5, (n, 5)), rng.normal(0.0, 0.02, (m, n))
    rec, tau_syn = rng.normal(0.0, 0.01, (n, n)), float(rng.uniform(3e-3, 1e-2))
    with nengo.Network(seed=seed) as net:
        node = nengo.Node(lambda t: inputs[min(int(round(t / dt)) - 1, T - 1)])
        a, (tau, gain, bias) = layer(rng, n, low)
        b, (tau2, gain2, bias2) = layer(rng, m, low)
        nengo.Connection(node, a.neurons, transform=w, synapse=None)
        nengo.Connection(a.neurons, b.neurons, transform=w2, synapse=tau_syn)
        if kind == "recurrent":
            nengo.Connection(a.neurons, a.neurons, transform=rec, synapse=tau_syn)
        probes = {
            f"{what}:{name}": nengo.Probe(e.neurons, key)
            for name, e in (("a", a), ("b", b))
            for what, key in (("spikes", "output"), ("voltage", "voltage"))
        }
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(T)
    traces = {key: sim.data[probe].copy() for key, probe in probes.items()}
    for key, gains in (("a", gain), ("b", gain2)):
        traces[f"spikes:{key}"] = np.rint(traces[f"spikes:{key}"] * dt)
        traces[f"voltage:{key}"] = traces[f"voltage:{key}"] / gains  # Nengo's are in thresholds
    ones = np.ones(m)
    nodes = {
        "input": nir.Input(np.array([5])),
        "enc": nir.Affine(w, bias / gain),
        "a": lif(tau, gain, n),
        "w": nir.Linear(w2),
        "syn": nir.LI(tau_syn * ones, ones, 0 * ones),
        "add": nir.Affine(np.eye(m), bias2 / gain2),
        "b": lif(tau2, gain2, m),
        "output": nir.Output(np.array([m])),
    }
    names = ("input", "enc", "a", "w", "syn", "add", "b", "output")
    edges = list(zip(names, names[1:], strict=False))
    if kind == "recurrent":
        ones = np.ones(n)
        nodes |= {"rec": nir.Linear(rec), "fb": nir.LI(tau_syn * ones, ones, 0 * ones)}
        edges += [("a", "rec"), ("rec", "fb"), ("fb", "a")]
    graph = nir.NIRGraph(nodes=nodes, edges=edges)
    set_: dict[str, Any] = {"floor": "thresholds", "floor_value": low} if low else {}
    note = f"min_voltage={low}, tau_ref=0"
    name = f"{kind}_{'floor' if low else 'zero'}_{dt:g}".replace("-", "").replace(".", "p")
    return Case("nengo", name, graph, inputs, traces, "nengo", set_, dt, note)


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases of a seed."""
    for kind in ("layers", "recurrent"):
        for low, dt in ((0.0, 1e-3), (-0.7, 1e-3), (0.0, 2e-4)):
            yield network(seed, kind, low, dt)
