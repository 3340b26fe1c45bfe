"""Brunel's network at full size in float64 and in integers: measured rates beside predicted ones.

    python examples/brunel.py                    all cases, about half a minute each
    python examples/brunel.py --case 8           one of: float, 512, 64, 8, 4
    python examples/brunel.py --predict          the predictions alone, in a second

12,500 LIF neurons with delta synapses (1,000 excitatory and 250 inhibitory each, g = 5, J = 0.1 mV,
delay 1.5 ms) and Poisson input of twice the rate that reaches the threshold; steps of 0.1 ms. The
cases are how many LSB stand for J: from 512, where nothing is lost, to 4, where rounding v in every
step takes three millivolts from its mean. Here v is counted from the reset, which is 0 on a chip,
so the rest is a negative bias, and it is rounded, too.

The prediction is the rate at which a neuron makes the input that makes it fire so: Siegert's rate
of a clocked neuron (``neuro_lif.predict.rate_error``), with the coded leak, bias and threshold and
what rounding does to the mean of v. It knows nothing of the run.

Source: N. Brunel, J. Comput. Neurosci. 8:183 (2000), model A, g = 5, nu_ext / nu_thr = 2.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import csr_matrix, identity

import neuro_lif as nl
from neuro_lif import predict

Array = npt.NDArray[Any]

N_EXC, N_INH, C_EXC, C_INH = 10000, 2500, 1000, 250
J, G, ETA = 0.1e-3, 5, 2  # V, inhibitory over excitatory, external rate over the threshold's
TAU, THRESHOLD, RESET, T_REF, DELAY, DT = 20e-3, 20e-3, 10e-3, 2e-3, 1.5e-3, 1e-4
THRESHOLD_RATE = THRESHOLD / (J * TAU)  # Hz, of all external synapses of a neuron together
EXTERNAL = ETA * THRESHOLD_RATE
DV = round(4096 * -np.expm1(-DT / TAU))
CASES = ("float", "512", "64", "8", "4")
WARM_UP = 0.1  # s that are not counted
NEURON = nl.LIF(TAU, 1.0, v_rest=0.0, v_threshold=THRESHOLD, v_reset=RESET, t_refractory=T_REF)


def coded_population(name: str, size: int, unit: int, start: Any = 0) -> nl.FixedPopulation:
    """Return the neurons in integers, ``unit`` LSB for J."""
    bias = round(-RESET / J * unit * DV / 4096)
    params = {"du": 4096, "dv": DV, "vth": round((THRESHOLD - RESET) / J * unit),
              "bias_mant": bias, "refract": round(T_REF / DT) + 1}  # fmt: skip
    return nl.FixedPopulation(name, size, "lif", params, {"v": start} if np.any(start) else {},
                              lsb=J / unit, v_zero=RESET)  # fmt: skip


def profile() -> nl.HardwareProfile:
    """Return Loihi's equations without its shift of weights by 6 bits, too coarse for J = 4 LSB."""
    return nl.load_profile("generic", align_shift=0)


# ------------------------------------------------------------------------- the prediction


def one_neuron(unit: int) -> tuple[nl.FixedNetwork, nl.SteppedNetwork]:
    """Return a neuron with the synapses of one of the network, in integers and in steps."""
    sizes = {"exc": (C_EXC, 1), "inh": (C_INH, -G), "ext": (1, 1)}
    net = nl.Network(
        [nl.Population("n", 1, NEURON)],
        [nl.Projection(f"{k}_n", k, "n", np.full((1, m), w * J), nl.Delta(), DELAY)
         for k, (m, w) in sizes.items()],
        [nl.SpikeInput(k, m) for k, (m, _) in sizes.items()],
    )  # fmt: skip
    projections = [nl.FixedProjection(f"{k}_n", k, "n", np.full((1, m), 4 * w), exponent(unit))
                   for k, (m, w) in sizes.items()]  # fmt: skip
    sources = [nl.FixedSource(k, m) for k, (m, _) in sizes.items()]
    fixed = nl.FixedNetwork(profile(), (coded_population("n", 1, unit),), tuple(projections),
                            tuple(sources), dt=DT)  # fmt: skip
    return fixed, nl.discretize(net, DT)


def exponent(unit: int) -> int:
    """Return the shift that makes weights of 4 weights of ``unit`` LSB."""
    return int(np.log2(unit // 4))


def predicted(case: str) -> float:
    """Return the rate at which a neuron's input makes it fire at that rate, Hz."""
    fixed, stepped = one_neuron(512 if case == "float" else int(case))

    def gap(rate: float) -> float:
        drive = predict.Drive({"exc": rate, "inh": rate, "ext": EXTERNAL})
        found = predict.rate_error(fixed, stepped, "n", drive)
        return float((found.meant if case == "float" else found.coded)[0]) - rate

    return float(brentq(gap, 1.0, 300.0, xtol=1e-6))


# ------------------------------------------------------------------------------- the runs


def connections(rng: np.random.Generator) -> tuple[Any, Any]:
    """Return how often each neuron hears each: (by excitatory, by inhibitory ones), CSR."""
    n, out = N_EXC + N_INH, []
    for first, size, k in ((0, N_EXC, C_EXC), (N_EXC, N_INH, C_INH)):
        pre = rng.integers(first, first + size, n * k, np.int32)
        rows = np.arange(0, n * k + 1, k)
        matrix = csr_matrix((np.ones(n * k, np.int16), pre, rows), shape=(n, n))
        matrix.sum_duplicates()
        out.append(matrix)
    return out[0], out[1]


def integer_network(unit: int, seed: int) -> nl.FixedNetwork:
    """Return the network in integers."""
    rng = np.random.default_rng(seed)
    exc, inh = connections(rng)
    n = N_EXC + N_INH
    start = rng.integers(0, round((THRESHOLD - RESET) / J * unit), n)
    delay = round(DELAY / DT) - 1  # the profile's latency is one step
    projections = [
        nl.FixedProjection(name, "n", "n", matrix * np.int16(4 * w), exponent(unit), delays=delay)
        for name, matrix, w in (("exc", exc, 1), ("inh", inh, -G))
    ]
    poisson = nl.FixedPoisson("ext", "n", EXTERNAL * DT, unit, seed=seed)
    return nl.FixedNetwork(profile(), (coded_population("n", n, unit, start),), tuple(projections),
                           dt=DT, seed=seed, poissons=(poisson,))  # fmt: skip


def float_network(seed: int, g: float = G, eta: float = ETA) -> nl.SteppedNetwork:
    """Return the same network in float64 (the same synapses and start).

    Args:
        seed: of the synapses, the start and the Poisson input.
        g: inhibitory over excitatory weight.
        eta: external rate over that which reaches the threshold.
    """
    rng = np.random.default_rng(seed)
    exc, inh = connections(rng)
    n = N_EXC + N_INH
    start = rng.integers(0, round((THRESHOLD - RESET) / J * 512), n) * J / 512
    neuron = nl.LIF(TAU, 1.0, v_rest=0.0, v_threshold=THRESHOLD, v_reset=RESET,
                    t_refractory=T_REF, v_init=start + RESET)  # fmt: skip
    net = nl.Network(
        [nl.Population("n", n, neuron)],
        [nl.Projection("rec", "n", "n", exc * J + inh * (-g * J), nl.Delta(), DELAY),
         nl.Projection("in", "ext", "n", identity(n, format="csr") * J, nl.Delta(), DT)],
        [nl.PoissonInput("ext", n, eta * THRESHOLD_RATE, seed)],
    )  # fmt: skip
    return nl.discretize(net, DT)


@dataclass(frozen=True)
class Measured:
    """Rate of a run, Hz; its standard error from the changes from 50 ms to 50 ms; s it took."""

    rate: float
    error: float
    seconds: float
    engine: str


def measured(case: str, seconds: float, seed: int) -> Measured:
    """Run a case."""
    clock, n, steps = time.perf_counter(), N_EXC + N_INH, round((seconds + WARM_UP) / DT)
    if case == "float":
        run = nl.run_clocked(float_network(seed), steps)
    else:
        run = nl.run_fixed(integer_network(int(case), seed), steps)
        lost = sum(e.count for e in run.events)
        if lost:
            raise SystemExit(f"{case}: {lost} overflows")
    _, times = run.spike_times("n")
    edges = np.arange(WARM_UP, seconds + WARM_UP + 1e-9, 0.05)
    parts = np.histogram(times, edges)[0] / (0.05 * n)
    return Measured(float(parts.mean()), float(parts.std(ddof=1) / np.sqrt(len(parts))),
                    time.perf_counter() - clock, run.provenance["engine"])  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Predict, run and print."""
    parser = argparse.ArgumentParser(description="Brunel's network: predicted and measured rates")
    parser.add_argument("--case", choices=CASES, action="append", help="LSB per J; default: all")
    parser.add_argument("--seconds", type=float, default=0.5, help="counted, default 0.5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--predict", action="store_true", help="do not run")
    given = parser.parse_args(arguments)
    if not 0.2 <= given.seconds <= 10 or not 0 <= given.seed < 2**31:
        parser.error("allowed: seconds 0.2..10; seed 0..2**31 - 1")
    print(f"{'LSB per J':>9}{'predicted Hz':>14}{'measured Hz':>18}{'off':>9}{'took':>8}")
    for case in given.case or CASES:
        expected = predicted(case)
        row = f"{case:>9}{expected:14.2f}"
        if not given.predict:
            got = measured(case, given.seconds, given.seed)
            row += f"{got.rate:11.2f} +- {got.error:.2f}{100 * (got.rate / expected - 1):+8.2f} %"
            row += f"{got.seconds:6.0f} s"
        print(row, flush=True)


if __name__ == "__main__":
    main()
