"""Networks, profiles and options of which tests/data/lowered.json holds what quantize makes.

``python tests/lowered_cases.py`` writes the file again: only after a change that is meant to give
other integers, and with a look at the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from random_networks import random_network, random_profile, sharing
from scipy import sparse

import neuro_lif as nl
from neuro_lif.discretize import StepRule
from neuro_lif.lower.draft import APPROXIMATIONS
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

DT = 1e-3
RECORDED = Path(__file__).parent / "data" / "lowered.json"
EVERY = tuple(APPROXIMATIONS)
Case = Callable[[], tuple[nl.Network, Any, Any, dict[str, Any]]]
"""Returns (network, rule, profile, options of quantize)."""


def weights(seed: int, *shape: int, scale: float = 0.3, sign: str = "mixed") -> Any:
    values = np.random.default_rng(seed).normal(0, scale, shape).round(6)
    return {"mixed": values, "excitatory": np.abs(values), "inhibitory": -np.abs(values)}[sign]


def rich() -> nl.Network:
    """Two populations and a read-out, every sign, delays, start values, biases, all inputs."""
    a = nl.LIF(
        np.array([9e-3, 21e-3, 80e-3]), np.array([1.0, 2.0, 0.5]), v_threshold=1.0,
        v_reset=np.array([0.0, -0.2, 0.1]), i_bias=np.array([0.1, 0.0, -0.3]),
        v_init=np.array([0.2, -0.4, 0.1]),
    )  # fmt: skip
    b = nl.LIF(30e-3, v_rest=-65e-3, v_threshold=-50e-3, v_reset=-65e-3, i_bias=2e-3)
    fast, slow = nl.Exponential(4e-3), nl.Exponential(11e-3, "area")
    delays = DT * np.random.default_rng(3).integers(1, 6, (3, 4))
    sparse_weights = sparse.csr_matrix(np.where(weights(5, 2, 3) > 0, 4e-3, 0.0))
    return nl.Network(
        [nl.Population("a", 3, a), nl.Population("b", 2, b),
         nl.Population("out", 1, nl.LI(12e-3, i_bias=0.01))],
        [nl.Projection("xa", "x", "a", weights(1, 3, 4), fast, delays),
         nl.Projection("aa", "a", "a", weights(2, 3, 3, sign="inhibitory"), fast, 2 * DT),
         nl.Projection("ab", "a", "b", sparse_weights, slow, 3 * DT),
         nl.Projection("bo", "b", "out", weights(4, 1, 2, sign="excitatory"), fast, DT)],
        [nl.SpikeInput("x", 4, [0, 1, 3, 0], [0.0, 2.2e-3, 7.9e-3, 5e-3]),
         nl.CurrentInput("const", "b", Constant(1e-3)),
         nl.CurrentInput("samples", "a", Sampled(0.2 * weights(6, 12, 3), 1.5e-3)),
         nl.CurrentInput("wave", "a", Sinusoid(0.02, 0.05, 7e-3, 0.3))],
        [nl.Probe("out", "v")],
    )  # fmt: skip


def layer(
    neuron: Any, values: Any, synapse: Any = None, delay: Any = DT, source: Any = None
) -> nl.Network:
    """One population ``p`` with one input ``x``."""
    n, m = values.shape
    source = nl.SpikeInput("x", m) if source is None else source
    projection = nl.Projection("w", "x", "p", values, synapse or nl.Delta(), delay)
    return nl.Network([nl.Population("p", n, neuron)], [projection], [source])


def cell(**changes: Any) -> nl.LIF:
    return nl.LIF(**{"tau_m": 20e-3, "v_threshold": 1.0} | changes)


def two_receptors() -> nl.Network:
    """Three time constants on one population; one of its neurons has no synapse."""
    first, second = weights(7, 3, 2), weights(8, 3, 2)
    first[2], second[2] = 0.0, 0.0
    return nl.Network(
        [nl.Population("p", 3, cell())],
        [nl.Projection("f", "x", "p", first, nl.Exponential(2e-3), DT),
         nl.Projection("s", "x", "p", 2 * second, nl.Exponential(9e-3), DT),
         nl.Projection("d", "x", "p", np.abs(first), nl.Delta(), DT)],
        [nl.SpikeInput("x", 2)],
    )  # fmt: skip


def at_run_time() -> nl.Network:
    neurons = [nl.Population("p", 2, cell(resistance=np.array([1.0, 4.0]))),
               nl.Population("r", 1, nl.LI(30e-3)), nl.Population("f", 1, nl.IF(2.0))]  # fmt: skip
    currents = [nl.CurrentInput(f"i_{p.name}", p.name) for p in neurons]
    return nl.Network(neurons, (), currents)


def per_population(name: str, *params: str) -> nl.HardwareProfile:
    profile = nl.load_profile(name)
    for param in params:
        profile = sharing(profile, param, "population")
    return profile


def counts(per_step: int = 3) -> nl.Network:
    times = [k * 1e-4 for k in range(per_step)]
    spikes = nl.SpikeInput("x", 2, [0] * per_step + [1], [*times, 6.1e-3])
    return layer(nl.IF(v_threshold=9.0), np.array([[1.0, 2.0]]), source=spikes)


def plain(
    network: nl.Network, profile: Any = "loihi2", rule: Any = "exact", **options: Any
) -> Case:
    return lambda: (network, rule, profile, options)


def at_random(seed: int) -> Case:
    def made() -> Any:
        rng = np.random.default_rng([9, seed])
        network, profile = random_network(rng, 20), random_profile(rng)
        bits = int(rng.integers(1, profile.weights.mantissa_bits + 1)) if seed % 2 else None
        rule = StepRule(compare=">" if seed % 3 else ">=")
        options = {"approximate": EVERY, "weight_bits": bits, "proved": seed % 5 == 4,
                   "gain_compensation": seed % 4 != 3}  # fmt: skip
        return network, rule, profile, options

    return made


def generic(**config: Any) -> nl.HardwareProfile:
    return nl.load_profile("generic", **config)


def _narrow() -> dict[str, Case]:
    """Profiles of other widths, and what a chip with little room does."""
    network = layer(cell(i_bias=0.4), weights(10, 2, 5), nl.Exponential(5e-3))
    configs: dict[str, dict[str, Any]] = {
        "wide": {"state_bits": 40, "threshold_bits": 30, "sum_bits": 40, "weight_bits": 16},
        "narrow": {"state_bits": 20, "threshold_bits": 12, "weight_bits": 6},
        "sum": {"state_bits": 24, "sum_bits": 12, "align_shift": 0},
        "nearest": {"rounding": "nearest_up", "decay_bits": 9},
        "floor": {"rounding": "floor", "overflow": "wrap"},
        "ge": {"compare": ">=", "align_shift": 3, "threshold_bits": 14},
        "tiny": {"state_bits": 9, "threshold_bits": 5, "weight_bits": 3, "bias_bits": 4},
        "long decay": {"decay_bits": 16, "bias_bits": 18},
    }
    found = {f"widths {k}": plain(network, generic(**v)) for k, v in configs.items()}
    return found | {f"widths {k} ge": plain(network, generic(**v), "exact-ge")
                    for k, v in configs.items() if k in ("narrow", "ge")}  # fmt: skip


def _refused() -> dict[str, Case]:
    slow = layer(nl.IF(), np.array([[0.3, -0.2]]))
    early = StepRule(input_latency=0)
    late = layer(cell(), weights(11, 2, 3), delay=DT * np.array([[1, 80, 2], [3, 3, 70]]))
    sinusoid = nl.Network([nl.Population("p", 1, cell())], (),
                          [nl.CurrentInput("i", "p", Sinusoid(0.0, 1.0, 0.1))])  # fmt: skip
    held = layer(cell(t_refractory=np.array([3e-3, 0.5])), weights(12, 2, 2))
    found = {
        "subtract on loihi1": (layer(cell(reset="subtract"), weights(13, 1, 2)), "loihi1"),
        "refractory on lava": (layer(cell(t_refractory=3e-3), weights(13, 1, 2)), "lava-0.10"),
        "refractory too long": (held, "loihi2"),
        "delay too long": (late, "loihi2"),
        "several receptors": (two_receptors(), "loihi1"),
        "several spikes": (counts(), "loihi1"),
    }
    every: dict[str, Case] = {}
    for name, (network, profile) in found.items():
        every[f"{name} refused"] = plain(network, profile)
        every[f"{name} allowed"] = plain(network, profile, approximate=EVERY)
    one_delay = nl.load_profile("loihi2")
    routing = one_delay.routing.model_copy(update={"delay_per": "projection"})
    one_delay = one_delay.model_copy(update={"routing": routing})
    mixed = layer(cell(), weights(11, 2, 3), delay=DT * np.array([[1, 3, 2], [4, 6, 2]]))
    return every | {
        "early refused": plain(layer(cell(), weights(14, 1, 2), delay=0.0), rule=early),
        "early allowed": plain(layer(cell(), weights(14, 1, 2), delay=0.0), rule=early,
                               approximate="delay"),
        "one delay refused": plain(mixed, one_delay),
        "one delay allowed": plain(mixed, one_delay, approximate="delay"),
        "no proof": plain(slow, proved=True),
        "no proof of run time": plain(at_run_time(), proved=True),
        "no end": plain(sinusoid),
        "an end": plain(sinusoid, n_steps=25),
        "shared dv": plain(layer(cell(tau_m=np.array([5e-3, 9e-3])), weights(15, 2, 2)),
                           per_population("loihi2", "dv")),
    }  # fmt: skip


def cases() -> dict[str, Case]:
    """Return every case by name."""
    clipped = weights(17, 4, 60, scale=0.01)
    clipped[0, 0] = 0.08
    lost = np.where(np.arange(200)[None] % 10 == 0, -0.1, 0.002)
    thresholds = layer(cell(v_threshold=np.array([0.3, 1.0, 2.5]), i_bias=0.1,
                            v_init=np.array([0.1, 0.2, -0.3])), weights(18, 3, 2))  # fmt: skip
    found = {f"rich on {name}": plain(rich(), name, approximate=EVERY, n_steps=30)
             for name in ("loihi1", "loihi2", "generic", "lava-0.10")}  # fmt: skip
    found |= {f"rich by {rule}": plain(rich(), "loihi2", rule, approximate=EVERY, n_steps=30)
              for rule in ("euler", "exact-ge")}  # fmt: skip
    return found | {
        "rich uncompensated": plain(rich(), gain_compensation=False, approximate=EVERY, n_steps=30),
        "rich in 4 bits": plain(rich(), weight_bits=4, approximate=EVERY, n_steps=30),
        "proved": plain(layer(cell(), weights(19, 3, 8), nl.Exponential(5e-3)), proved=True),
        "thresholds": plain(thresholds, per_population("loihi1", "vth")),
        "thresholds and biases": plain(thresholds, per_population("loihi2", "vth", "bias_exp")),
        "subtract": plain(layer(cell(reset="subtract"), weights(20, 2, 3)), "generic"),
        "integrate": plain(layer(nl.IF(2.0), weights(21, 2, 3))),
        "integrate excited": plain(layer(nl.IF(), weights(21, 2, 3, sign="excitatory"))),
        "refractory": plain(layer(cell(t_refractory=np.array([0.0, 3e-3])), weights(22, 2, 2))),
        "at run time": plain(at_run_time()),
        "counted spikes": plain(counts(), "loihi2"),
        "clipped": plain(layer(cell(), clipped), weight_bits=3),
        "lost": plain(layer(cell(tau_m=0.2, v_threshold=0.2), lost, nl.Exponential(0.1))),
        "zero weights": plain(layer(cell(), np.zeros((2, 3)))),
        "no weights": plain(layer(cell(), sparse.csr_matrix((2, 3)))),
        "silent": plain(nl.Network([nl.Population("p", 1, cell())])),
        "read-out": plain(layer(nl.LI(20e-3), np.array([[0.3, 0.7]])), generic(threshold_bits=6)),
        "slow": plain(layer(cell(tau_m=60.0), weights(23, 1, 2))),
        "far start": plain(layer(cell(tau_m=0.5, v_init=30.0, i_bias=20.0), weights(24, 1, 3))),
        "tied threshold": plain(
            nl.Network([nl.Population("p", 2, nl.IF(1.0, 0.625, i_bias=128.0))]), rule="exact-ge"),
        **_narrow(),
        **_refused(),
        **{f"random {seed}": at_random(seed) for seed in range(24)},
    }  # fmt: skip


# ------------------------------------------------------------------------------ as plain data


def data(x: Any) -> Any:
    """Return numbers as JSON has them: integers stay integers, a matrix its stored entries."""
    if sparse.issparse(x):
        return {"rows": x.indptr.tolist(), "columns": x.indices.tolist(), "values": data(x.data)}
    if isinstance(x, np.ndarray):
        return data(x.tolist())
    if isinstance(x, np.generic):
        return data(x.item())
    if isinstance(x, dict):
        return {k: data(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [data(v) for v in x]
    return str(x) if isinstance(x, float) and not np.isfinite(x) else x


def _fields(item: Any, *names: str) -> dict[str, Any]:
    return {name: data(getattr(item, name)) for name in names}


def lowered(case: Case) -> Any:
    """Return everything quantize makes of a case, or the refusal it ends in."""
    network, rule, profile, options = case()
    stepped = nl.discretize(network, DT, rule)
    try:
        fixed = nl.quantize(stepped, profile, **options)
    except nl.NeuroLifError as error:
        return {"refused": type(error).__name__, "text": str(error)}
    ledger = fixed.ledger
    assert ledger is not None
    return {
        "populations": [_fields(p, "name", "size", "model", "params", "init", "lsb", "v_zero")
                        for p in fixed.populations],
        "projections": [_fields(p, "name", "pre", "post", "weights", "exponent", "sign_mode",
                                "weight_bits", "delays", "graded", "latency")
                        for p in fixed.projections],
        "sources": [_fields(s, "name", "size", "raster") for s in fixed.sources],
        "directs": [_fields(d, "name", "population", "raster", "lsb_per_ampere", "kept", "shift",
                            "covers") for d in fixed.directs],
        "probes": [_fields(p, "population", "variable") for p in fixed.probes],
        "dt": fixed.dt,
        "ledger": {k: data([vars(x) if hasattr(x, "__dict__") else x for x in v])
                   for k, v in vars(ledger).items() if k not in ("profile", "calibrated")},
    }  # fmt: skip


if __name__ == "__main__":
    made = {name: lowered(case) for name, case in cases().items()}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in made.items())
    RECORDED.write_text("{\n" + lines + "\n}\n")
    print(f"{len(made)} cases, {RECORDED.stat().st_size} bytes")
