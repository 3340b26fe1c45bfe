"""Resolution by sign: a random balanced network whose weights have few bits.

    python examples/sign_scales.py                  4 and 3 bits by sign, 4 with one step for all
    python examples/sign_scales.py --calibrated     and with calibrated scales, minutes
    python examples/sign_scales.py --seconds 1 --bits 4

1,000 excitatory and 250 inhibitory LIF neurons with 100 and 25 sources each, J = 0.5 mV with 20 %
spread, g = 6, Poisson input of twice the rate that reaches the threshold; steps of 0.1 ms. What is
printed is the Kolmogorov-Smirnov distance of the neurons' rates to those of the float run; the
baseline is a float run with another seed of the input.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, identity

import neuro_lif as nl

N_EXC, N_INH, K_EXC, K_INH = 1000, 250, 100, 25
J, G, ETA = 0.5e-3, 6, 2  # V, inhibitory over excitatory, external rate over the threshold's
TAU, THRESHOLD, RESET, DELAY, DT = 20e-3, 20e-3, 10e-3, 1.5e-3, 1e-4  # s, V, V, s, s
WARM_UP = 0.2  # s that are not counted


def network(seed: int) -> nl.SteppedNetwork:
    """Return the network; ``seed`` is that of its input, its synapses are always the same."""
    rng, n = np.random.default_rng(1), N_EXC + N_INH
    rows, values = [], []
    for _ in range(n):
        exc, inh = rng.integers(0, N_EXC, K_EXC), rng.integers(N_EXC, n, K_INH)
        rows.append(np.concatenate([exc, inh]))
        values += [rng.normal(J, 0.2 * J, K_EXC), -G * rng.normal(J, 0.2 * J, K_INH)]
    ends = np.arange(0, n * (K_EXC + K_INH) + 1, K_EXC + K_INH)
    weights = csr_matrix((np.concatenate(values), np.concatenate(rows), ends), shape=(n, n))
    weights.sum_duplicates()
    neuron = nl.LIF(TAU, 1.0, v_rest=0.0, v_threshold=THRESHOLD, v_reset=RESET, t_refractory=2e-3,
                    v_init=rng.uniform(RESET, THRESHOLD, n))  # fmt: skip
    external = ETA * THRESHOLD / (J * TAU)  # Hz
    net = nl.Network(
        [nl.Population("n", n, neuron)],
        [nl.Projection("rec", "n", "n", weights, nl.Delta(), DELAY),
         nl.Projection("in", "ext", "n", identity(n, format="csr") * J, nl.Delta(), DT)],
        [nl.PoissonInput("ext", n, external, seed=seed)],
    )  # fmt: skip
    return nl.discretize(net, DT)


def rates(run: nl.Recording, seconds: float) -> np.ndarray:
    """Return the rate of each neuron, Hz."""
    spikes = np.asarray(run.spikes["n"])[round(WARM_UP / DT) :]
    return np.asarray(spikes.sum(axis=0) / (seconds - WARM_UP))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance."""
    at = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(x), at, "right") / len(x) for x in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Few bits by sign, and with one step for all")
    parser.add_argument("--bits", type=int, action="append", help="by sign; default 4 and 3")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run, default 4")
    parser.add_argument("--calibrated", action="store_true", help="on 0.5 s, too")
    given = parser.parse_args(arguments)
    if not 0.3 <= given.seconds <= 100:
        parser.error("allowed: seconds 0.3..100")
    net, steps = network(1), round(given.seconds / DT)
    meant = rates(nl.run_clocked(net, steps), given.seconds)
    other = rates(nl.run_clocked(network(2), steps), given.seconds)
    chance = 1.36 * np.sqrt(2 / len(meant))
    print(f"float {meant.mean():.2f} Hz; other input: KS {distance(meant, other):.3f}; by chance "
          f"in one case of 20: {chance:.3f}")  # fmt: skip
    ways: list[tuple[str, dict[str, Any]]] = [("max-abs", {"scaling": "max_abs"}), ("own", {})]
    if given.calibrated:
        ways.append(("calibrated", {"calibrate": {}, "n_steps": 5000}))
    cases = [("sign", bits) for bits in given.bits or (4, 3)] + [("global", 4)]
    for granularity, bits in cases:
        profile = nl.load_profile("generic", align_shift=0, weight_bits=bits)
        for name, options in ways:
            clock = time.perf_counter()
            fixed = nl.quantize(net, profile, granularity=granularity, **options)
            took = time.perf_counter() - clock
            got = rates(nl.run_fixed(fixed, steps), given.seconds)
            print(f"{granularity:>7} {bits} bits {name:>11}: {got.mean():6.2f} Hz, KS "
                  f"{distance(meant, got):.3f}, lowered in {took:.1f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
