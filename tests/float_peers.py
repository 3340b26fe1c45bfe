"""Random float networks, and the same networks built in Brian2: its own equations, its own solver.

Nothing of neuro_lif computes on Brian2's side: neurons are the differential equations of the
description and Brian2 integrates them ("exact": it solves linear equations symbolically; or
"euler").
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

import neuro_lif as nl
from neuro_lif.synapses import Alpha, BiExponential

Array = npt.NDArray[Any]

DT = 1e-4


def random_network(seed: int, alike: bool = False) -> nl.Network:
    """Return a recurrent network: two populations, an input, one of every kind of synapse.

    Args:
        seed: of everything.
        alike: neurons of a population have the same tau_m and t_refractory, and all synapses
            are exponential, as Nengo wants it.
    """
    rng = np.random.default_rng(seed)

    def spread(low: float, high: float, n: int) -> Any:
        return float(rng.uniform(low, high)) if alike else rng.uniform(low, high, n)

    sizes = {"a": int(rng.integers(5, 25)), "b": int(rng.integers(5, 25))}
    populations = []
    for name, n in sizes.items():
        steps = rng.integers(10, 50) if alike else rng.integers(0, 50, n)
        populations.append(nl.Population(name, n, nl.LIF(
            tau_m=spread(5e-3, 30e-3, n), resistance=rng.uniform(5e7, 2e8, n),
            v_rest=rng.uniform(-70e-3, -60e-3, n), v_threshold=rng.uniform(-52e-3, -48e-3, n),
            v_reset=rng.uniform(-75e-3, -60e-3, n), t_refractory=steps * DT,
            i_bias=rng.uniform(0.5e-10, 3e-10, n),
        )))  # fmt: skip
    kinds: list[Any] = [
        nl.Exponential(float(rng.uniform(1e-3, 10e-3))),
        Alpha(float(rng.uniform(1e-3, 10e-3))),
        BiExponential(float(rng.uniform(5e-4, 2e-3)), float(rng.uniform(3e-3, 10e-3))),
    ]
    projections = []
    for k, (pre, post) in enumerate((("a", "b"), ("b", "a"), ("a", "a"), ("x", "a"), ("x", "b"))):
        n_pre, n_post = sizes.get(pre, 8), sizes[post]
        sign = -1.0 if pre == "b" else 1.0
        weights = (
            sign * rng.uniform(0, 8e-11, (n_post, n_pre)) * (rng.random((n_post, n_pre)) < 0.4)
        )
        if alike:
            kinds = kinds[:1] * 3
        # the first two have all kinds at once, which takes Brian2 a minute to solve
        synapse = kinds[(k + seed) % 3 if seed < 2 else (seed + (post == "b")) % 3]
        delay = DT * rng.integers(1, 40, (n_post, n_pre))
        projections.append(nl.Projection(f"{pre}{post}", pre, post, weights, synapse, delay))
    spot = rng.choice(8 * 2500, 150, replace=False)  # not two in one step, which Brian2 refuses
    spikes = nl.SpikeInput("x", 8, spot % 8, (spot // 8 + 0.5) * DT)
    return nl.Network(populations, projections, [spikes])


EQUATIONS = {
    nl.Exponential: "di{k}/dt = -i{k} / tau_d{k} : amp\n",
    Alpha: "di{k}/dt = (x{k} - i{k}) / tau_d{k} : amp\ndx{k}/dt = -x{k} / tau_d{k} : amp\n",
    BiExponential: "di{k}/dt = (x{k} - i{k}) / tau_d{k} : amp\ndx{k}/dt = -x{k} / tau_r{k} : amp\n",
}
"""Of each synapse's current, so that an impulse into x (or i) has the described shape."""


def run_brian2(
    net: nl.Network, n_steps: int, method: str
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Run a network in Brian2 with ``dt = DT``.

    Returns:
        population -> spikes ``(n_steps, n)``, and population -> V ``(n_steps, n)`` after each step.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _run_brian2(net, n_steps, method)


def _run_brian2(
    net: nl.Network, n_steps: int, method: str
) -> tuple[dict[str, Array], dict[str, Array]]:
    import brian2 as b2

    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    b2.defaultclock.dt = DT * b2.second
    groups, parts, receptors_of = {}, [], {}
    for p in net.populations:
        cell: Any = p.neuron
        arriving = [q for q in net.projections if q.post == p.name]
        receptors = list(dict.fromkeys(q.synapse for q in arriving))
        currents = " + ".join(f"i{k}" for k in range(len(receptors)))
        equations = (
            f"dv/dt = (v_rest - v + R * (i_bias + {currents})) / tau_m : volt (unless refractory)\n"
            "tau_m : second (constant)\nR : ohm (constant)\nv_rest : volt (constant)\n"
            "v_th : volt (constant)\nv_reset : volt (constant)\ni_bias : amp (constant)\n"
            "held : second (constant)\n"
        )
        names: dict[str, Any] = {}
        for k, synapse in enumerate(receptors):
            equations += EQUATIONS[type(synapse)].format(k=k)
            taus = synapse.taus
            names[f"tau_d{k}"] = taus[0] * b2.second
            names[f"tau_r{k}"] = taus[-1] * b2.second
        group = b2.NeuronGroup(p.size, equations, threshold="v > v_th", reset="v = v_reset",
                               refractory="held", method=method, namespace=names)  # fmt: skip
        for name, value in (("tau_m", cell.tau_m), ("R", cell.resistance), ("v_rest", cell.v_rest),
                            ("v_th", cell.v_threshold), ("v_reset", cell.v_reset),
                            ("i_bias", cell.i_bias), ("v", cell.v_init)):  # fmt: skip
            unit = {"tau_m": b2.second, "R": b2.ohm, "i_bias": b2.amp}.get(name, b2.volt)
            setattr(group, name, np.broadcast_to(value, (p.size,)) * unit)
        # one step more: Brian2 counts the step of the spike
        group.held = (np.broadcast_to(cell.t_refractory, (p.size,)) + DT) * b2.second
        groups[p.name], receptors_of[p.name] = group, receptors
    for x in net.spike_inputs:
        steps = np.floor(np.asarray(x.times) / DT + 1e-9)
        groups[x.name] = b2.SpikeGeneratorGroup(x.size, x.indices, steps * DT * b2.second)
    for q in net.projections:
        k = receptors_of[q.post].index(q.synapse)
        post, pre = np.nonzero(np.asarray(q.weights))
        two = not isinstance(q.synapse, nl.Exponential)
        jump = impulse(q.synapse) if two else 1.0
        syn = b2.Synapses(groups[q.pre], groups[q.post], "w : amp",
                          on_pre=f"{'x' if two else 'i'}{k}_post += w")  # fmt: skip
        syn.connect(i=pre, j=post)
        syn.w = np.asarray(q.weights)[post, pre] * jump * b2.amp
        delays = np.asarray(q.delay).reshape(np.shape(q.weights))[post, pre]
        syn.delay = delays * b2.second
        parts.append(syn)
    probes = {p.name: (b2.SpikeMonitor(groups[p.name]),
                       b2.StateMonitor(groups[p.name], "v", record=True, when="end"))
              for p in net.populations}  # fmt: skip
    network = b2.Network(*groups.values(), *parts, *(m for pair in probes.values() for m in pair))
    network.run(n_steps * DT * b2.second)
    spikes, volts = {}, {}
    for p in net.populations:
        fired, state = probes[p.name]
        raster = np.zeros((n_steps, p.size), np.uint8)
        np.add.at(raster, (np.rint(np.asarray(fired.t) / DT).astype(int), np.asarray(fired.i)), 1)
        spikes[p.name], volts[p.name] = raster, np.asarray(state.v).T
    return spikes, volts


def impulse(synapse: Any) -> float:
    """Return the jump of x after which the current i has the peak 1."""
    if isinstance(synapse, Alpha):  # i = (t / tau) exp(-t / tau), 1 / e at tau
        return float(np.e)
    r, d = synapse.tau_rise, synapse.tau_decay
    peak = r * d / (d - r) * np.log(d / r)
    return float((d - r) / r / (np.exp(-peak / d) - np.exp(-peak / r)))
