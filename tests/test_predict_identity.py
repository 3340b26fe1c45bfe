"""The spike-identity certificate: never wrong, and how often it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_networks import GENERIC, random_network

import neuro_lif as nl
from neuro_lif.errors import LoweringError
from neuro_lif.lower.draft import APPROXIMATIONS
from neuro_lif.predict import SpikeCertificate, certify_spikes

PROFILES = ("loihi1", "loihi2", "lava-0.10", "nengo-loihi-1.1", "generic", "generic")


def profile_of(rng: np.random.Generator) -> nl.HardwareProfile:
    """A shipped profile; the generic one with widths, rounding and comparison drawn at random."""
    name = PROFILES[int(rng.integers(len(PROFILES)))]
    config: dict[str, Any] = {}
    if name == "generic":
        config = {k: v[int(rng.integers(len(v)))] for k, v in GENERIC.items()}
    return nl.load_profile(name, **config)


def tame_network(rng: np.random.Generator, n_steps: int) -> nl.Network:
    """One or two populations that fire now and then, delta or exponential, maybe recurrent."""
    n, m = int(rng.integers(1, 9)), int(rng.integers(2, 12))
    reset: Any = str(rng.choice(["value", "subtract"]))
    tau, held = float(10 ** rng.uniform(-2.7, -0.7)), float(rng.choice([0, 0, 2e-3, 5e-3]))
    neuron = nl.LIF(tau, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0, t_refractory=held,
                    i_bias=float(rng.uniform(0, 0.8)), reset=reset)  # fmt: skip
    synapse: Any = nl.Delta() if rng.random() < 0.5 else nl.Exponential(
        float(10 ** rng.uniform(-2.9, -1.5)), "psp")  # fmt: skip
    scale = rng.uniform(0.1, 0.6)
    delay = 1e-3 * rng.integers(1, 6, (n, m)) if rng.random() < 0.4 else 1e-3
    projections = [nl.Projection("in", "x", "a", scale * rng.normal(0.5, 1, (n, m)), synapse,
                                 delay)]  # fmt: skip
    populations = [nl.Population("a", n, neuron)]
    if rng.random() < 0.5:
        projections.append(nl.Projection("aa", "a", "a", scale * rng.normal(0, 1, (n, n)), synapse,
                                         1e-3 * int(rng.integers(1, 4))))  # fmt: skip
    if rng.random() < 0.4:
        populations.append(nl.Population("b", 3, neuron))
        projections.append(nl.Projection("ab", "a", "b", scale * rng.normal(0.5, 1, (3, n)),
                                         synapse, 2e-3))  # fmt: skip
    times = np.sort(rng.uniform(0, n_steps * 1e-3, int(0.15 * n_steps * m)))
    x = nl.SpikeInput("x", m, times=times, indices=rng.integers(0, m, times.size))
    return nl.Network(populations, projections, [x])


def pair(rng: np.random.Generator, n_steps: int, tame: bool) -> Any:
    """A random network in steps and in integers, and inputs; None where it cannot be lowered."""
    network = tame_network(rng, n_steps) if tame else random_network(rng, n_steps)
    stepped = nl.discretize(network, 1e-3, str(rng.choice(["exact", "exact-ge", "euler"])))
    compensate = bool(rng.integers(2))
    try:
        fixed = nl.quantize(stepped, profile_of(rng), approximate=tuple(APPROXIMATIONS),
                            n_steps=n_steps, gain_compensation=compensate)  # fmt: skip
    except LoweringError:
        return None
    inputs = None
    if not tame:
        size = network.spike_inputs[0].size
        inputs = {"x": (rng.random((n_steps, size)) < rng.uniform(0.02, 0.4)).astype(np.int64)}
    return fixed, stepped, inputs


def check_sound(
    fixed: nl.FixedNetwork, stepped: nl.SteppedNetwork, n_steps: int, inputs: Any, how: str
) -> tuple[int, int, int, int, SpikeCertificate]:
    """Hold a certificate against both runs; return (certified, identical, neurons, steps)."""
    found = certify_spikes(fixed, stepped, n_steps, inputs, rounding=how, record=True)
    a = nl.run_clocked(stepped, n_steps, inputs, record="all")
    b = nl.run_fixed(fixed, n_steps, inputs, record="all")
    certified = identical = neurons = steps = 0
    for p in fixed.populations:
        same = np.asarray(a.spikes[p.name]) == (np.asarray(b.spikes[p.name]) != 0)
        sure, v = found.certified_steps(p.name), found.of(p.name)
        assert np.all(same[sure]), (p.name, how)  # no false certificate
        surely_other = v.reason == 4
        assert not same[v.first[surely_other] - 1, surely_other].any()
        off = np.abs(np.asarray(p.lsb) * b.trace(p.name, "v") - a.trace(p.name, "v"))
        assert np.all(off[sure] <= found.bounds[p.name][sure])  # the mutual bound
        assert np.all(np.isinf(found.bounds[p.name][~sure]))
        assert np.all(v.margin >= 0)
        certified += int(v.certified.sum())
        identical += int(same.all(axis=0).sum())
        neurons, steps = neurons + p.size, steps + int(sure.sum())
        if v.certified.all():  # nothing that overflows is certified
            assert not any(e.where == p.name and e.first_step for e in b.events)
    return certified, identical, neurons, steps, found


def soundness(seeds: range, n_steps: Any) -> str:
    counts = np.zeros(4, np.int64)
    runs = held = 0
    for seed in seeds:
        rng = np.random.default_rng([20261121, seed])
        steps = int(rng.choice(n_steps))
        made = pair(rng, steps, tame=bool(seed % 3))
        if made is None:
            continue
        how = "any" if seed % 4 == 0 else "profile"
        *found, certificate = check_sound(*made[:2], steps, made[2], how)
        counts, runs, held = counts + found, runs + 1, held + certificate.holds
    text = (f"{runs} networks, {counts[2]} neurons: 0 false certificates, 0 bounds broken; "
            f"{counts[0]} neurons certified of {counts[1]} whose spikes are the same; "
            f"{held} networks certified as a whole")  # fmt: skip
    assert runs > 0.8 * len(seeds) and counts[0] > 0.1 * counts[1], text
    return text


def test_no_certificate_is_false() -> None:
    print(soundness(range(160), (10, 30, 60)))


@pytest.mark.verify
def test_no_certificate_is_false_in_thousands_of_runs() -> None:
    print(soundness(range(1000, 6200), (10, 30, 60, 100)))
