"""F5: the threshold as coded and on a lattice, measured by periods and by rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..discretize import SteppedNetwork, discretize
from ..emulator import run_fixed
from ..fixed import DirectInput, FixedNetwork, FixedPopulation
from ..network import CurrentInput, Network, Population
from ..predict import Drive, errors_of, rate_error
from ..reference import run_clocked
from .cases import DT, NAME, UNIT, Configuration, first_spikes, mean_and_error, neuron, profile_with
from .rows import LawRow, Value

PERIOD, RATE = "period by the threshold", "rate by the threshold"
TOP, GRAIN = 20e-3, 64
"""V; LSB of one unit of a threshold that is coded as ``vth << 6``."""


def configurations() -> Iterator[dict[str, Value]]:
    """Yield thresholds of 640 to 64,000 LSB in units of 64, both comparisons, three decays."""
    for compare in (">", ">="):
        for vth in (10, 20, 50, 100, 250, 1000):
            for dv in (205, 82, 41):
                chip: dict[str, Value] = {
                    "profile": "generic", "rounding": "nearest_up", "align_shift": 0,
                    "bias_bits": 28, "compare": compare, "threshold_lsb": vth * GRAIN, "dv": dv,
                }  # fmt: skip
                yield {"drive": "constant", **chip, "drive_mV": 30.0}
                if vth <= 100 and dv == 205:  # a finer change of a rate takes too many spikes
                    yield {"drive": "noise", **chip, "mu_mV": 16.0, "sigma_mV": 5.0}


def measured(c: Configuration, seed: int) -> list[LawRow]:
    """Return the row of one configuration: neurons whose thresholds fall between those of a chip.

    The float run has the integers' other parameters and hears the same, so the threshold alone
    differs: by up to 32 LSB, and half an LSB of the comparison. Neurons whose threshold becomes
    lower count with the opposite sign: else the changes would cancel.
    """
    return [_constant(c, seed) if c["drive"] == "constant" else _noise(c, seed)]


def _pair(
    c: Configuration, drives: FloatArray, seed: int, start: Any = 0
) -> tuple[FixedNetwork, SteppedNetwork]:
    """Return neurons of one coded threshold, and as they were meant.

    Args:
        c: the configuration.
        drives: LSB per step, whole numbers.
        seed: of the thresholds that are meant.
        start: v at the start, LSB, whole numbers.
    """
    n, delta, coded = drives.size, float(c["dv"]) / 2**UNIT, int(c["threshold_lsb"])
    lsb = TOP / coded
    meant = lsb * (coded + np.random.default_rng(seed).uniform(-GRAIN / 2, GRAIN / 2, n))
    cell = neuron(1 / delta, meant, drives * lsb / delta, start=start * lsb)
    net = Network([Population(NAME, n, cell)], [], [CurrentInput("i", NAME, None)])
    params = {"du": 2**UNIT, "dv": int(c["dv"]), "vth": coded, "bias_mant": drives.astype(np.int64)}
    population = FixedPopulation(NAME, n, "lif", params, {"v": np.int64(start)}, lsb)
    fixed = FixedNetwork(profile_with(c), (population,), directs=(DirectInput("i", NAME),), dt=DT)
    return fixed, discretize(net, DT, "euler")


def _signed(change: FloatArray, law: FloatArray) -> tuple[float, float, float]:
    """Return the mean size of what is predicted, and measured along its sign, with its error."""
    mean, error = mean_and_error(change * np.sign(law))
    return float(np.abs(law).mean()), mean, error


def _constant(c: Configuration, seed: int) -> LawRow:
    """Return the change of the first period: ``dT/d theta = tau / (RI - theta)``.

    Drives and starts differ a little, so that periods end anywhere between two steps.
    """
    n, delta, coded = 20_000, float(c["dv"]) / 2**UNIT, int(c["threshold_lsb"])
    mean = float(c["drive_mV"]) * 1e-3 / TOP * coded * delta
    rng = np.random.default_rng(seed + 1)
    start = rng.integers(0, coded // 10, n)
    fixed, stepped = _pair(c, np.rint(mean * rng.uniform(0.95, 1.05, n)), seed, start)
    steps = int(1.6 / delta)
    none = np.zeros((steps, n), np.int8)
    change = (first_spikes(run_fixed(fixed, inputs={"i": none}))
              - first_spikes(run_clocked(stepped, inputs={"i": none})))  # fmt: skip
    errors = errors_of(fixed, stepped, NAME).threshold
    predicted, seen, error = _signed(change, errors.period_slope * errors.lattice / DT)
    return LawRow("F5", PERIOD, c, predicted, seen, "steps", 4 * error, error, "4 SE")


def _noise(c: Configuration, seed: int) -> LawRow:
    """Return the change of the rate, Hz, by the change of the threshold."""
    n, steps = 2000, 5000
    delta, coded = float(c["dv"]) / 2**UNIT, int(c["threshold_lsb"])
    lsb, keep = TOP / coded, 1 - delta
    mean = np.rint(float(c["mu_mV"]) * 1e-3 * delta / lsb)
    sd = float(c["sigma_mV"]) * 1e-3 / lsb * np.sqrt((1 - keep**2) / 2)
    fixed, stepped = _pair(c, np.full(n, mean), seed)
    noise = np.rint(sd * np.random.default_rng(seed + 1).standard_normal((steps, n), np.float32))
    amperes = noise * (lsb / stepped.population(NAME).gain)
    counts = [np.asarray(run.spikes[NAME]).sum(axis=0, dtype=np.float64) for run in (
        run_fixed(fixed, inputs={"i": noise.astype(np.int32)}),
        run_clocked(stepped, inputs={"i": amperes}))]  # fmt: skip
    found = rate_error(fixed, stepped, NAME, Drive(sd=float(np.hypot(sd, np.sqrt(1 / 12))) * lsb))
    predicted, seen, error = _signed((counts[0] - counts[1]) / (steps * DT),
                                     found.meant * found.threshold)  # fmt: skip
    return LawRow("F5", RATE, c, predicted, seen, "Hz", 4 * error, error, "4 SE")
