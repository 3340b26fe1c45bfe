"""All laws at once: the rate of integers in noise, and how it differs from float's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..discretize import discretize
from ..emulator import run_fixed
from ..network import CurrentInput, Network, Population
from ..predict import Drive, rate_error
from ..predict.coded import Coded, coded_lif
from ..quantize import quantize
from ..recording import Recording
from ..reference import run_clocked
from ..stimulus import GaussianNoise
from .cases import (
    DT,
    NAME,
    NARROW,
    UNIT,
    Configuration,
    fed,
    is_narrow,
    neuron,
    own_senders,
    profile_with,
    shot_variance,
)
from .rows import LawRow, Value

RATE, CHANGE = "rate in noise", "change of the rate beside float"
TOP = 20e-3
SLOW = "sqrt(tau_u/tau_v) exceeds 0.25"
RATES = 0.4
"""Events per step of each Poisson sender."""


def configurations() -> Iterator[dict[str, Value]]:
    """Yield thresholds of 511 to 65,535 LSB, decays, roundings, drives and synapses."""
    drives = ((16.0, 5.0, 0.0), (20.0, 3.0, 10.0), (25.0, 5.0, 0.0), (15.0, 5.0, 10.0))
    number = 0
    for dv in (205, 41):
        for bits in (9, 10, 12, 14, 16):
            for rounding in ("rtz", "nearest_up") if bits in (10, 12) else ("rtz",):
                mu, sigma, reset = drives[number % len(drives)]
                number += 1
                yield {"profile": "generic", "threshold_bits": bits, "align_shift": 0,
                       "rounding": rounding, "dv": dv, "mu_mV": mu, "sigma_mV": sigma,
                       "reset_mV": reset, "held": 2, "drive": "white"}  # fmt: skip
    for profile in ("loihi2", "lava-0.10"):
        yield {"profile": profile, "dv": 205, "mu_mV": 16.0, "sigma_mV": 5.0, "reset_mV": 0.0,
               "held": 0, "drive": "white"}  # fmt: skip
    for du, dv in ((1024, 41), (2048, 82), (3072, 82), (820, 41), (205, 41)):
        for bits in (12, 16):
            yield {"profile": "generic", "threshold_bits": bits, "align_shift": 0,
                   "rounding": "rtz", "du": du, "dv": dv, "mu_mV": 17.0, "sigma_mV": 4.0,
                   "reset_mV": 0.0, "held": 0, "drive": "Poisson"}  # fmt: skip


def measured(c: Configuration, seed: int) -> list[LawRow]:
    """Return the rate of the integers beside that predicted, and how it differs from float's.

    Both runs hear the same, so of the difference much less is chance than of the rate.
    """
    dv = float(c["dv"]) / 2**UNIT
    n, steps = 1000 if "du" in c else 2000, int(100 / dv) + 2000
    stepped = discretize(_network(c, n, seed), DT, "euler")
    fixed = quantize(stepped, profile_with(c))
    found = rate_error(fixed, stepped, NAME, Drive())
    late = int(10 / dv)
    coded, meant = (_counts(run, late) / ((steps - late) * DT)
                    for run in (run_fixed(fixed, steps), run_clocked(stepped, steps)))  # fmt: skip
    about = {**c, "threshold_lsb": int(fixed.params(NAME)["vth"][0]) << _shift(c)}
    law, seen = float(found.coded.mean()), float(coded.mean())
    error = float(coded.std(ddof=1) / np.sqrt(n))
    beyond, share = _range(c, coded_lif(fixed, stepped, NAME), dv)
    rows = [LawRow("rate", RATE, about, law, seen, "Hz", share / 100 * law + 4 * error, error,
                   f"{share:g} % + 4 SE", beyond)]  # fmt: skip
    change = 100 * (coded - meant) / meant.mean()
    error = float(change.std(ddof=1) / np.sqrt(n))
    rows.append(LawRow("rate", CHANGE, about, 100 * float(found.relative.mean()),
                       float(change.mean()), "%", 4 * error, error, "4 SE", beyond))  # fmt: skip
    return rows


def _range(c: Configuration, coded: Coded, dv: float) -> tuple[str, float]:
    """Return why the law is not said to hold (or nothing), and its tolerance in %.

    Source: 0.7 % up to ``dt/tau = 0.01``, 2 % up to 0.1 (the next order of the overshoot), 2 % of
    exponential synapses up to ``sqrt(tau_u/tau_v) = 0.25``.
    """
    if "du" not in c:
        step = 1e-3 * float(c["sigma_mV"]) / float(coded.lsb[0])
        narrow = is_narrow(coded, step**2 * (1 - (1 - dv) ** 2) / 2)
        return NARROW if narrow else "", 0.7 if dv < 0.0101 else 2.0
    ratio = np.log1p(-dv) / np.log1p(-float(c["du"]) / 2**UNIT)
    narrow = is_narrow(coded, shot_variance(coded, RATES))
    return SLOW if ratio > 0.0625 else NARROW if narrow else "", 2.0


def _shift(c: Configuration) -> int:
    return 0 if c["profile"] == "generic" else 6


def _counts(run: Recording, late: int) -> Any:
    neuron_of, times = run.spike_times(NAME)
    n = run.lsb[NAME].size if run.lsb else np.shape(run.spikes[NAME])[-1]
    kept = times > (late + 0.5) * DT
    return np.bincount(neuron_of[kept], minlength=n).astype(np.float64)


def _network(c: Configuration, n: int, seed: int) -> Network:
    """Return neurons in white noise, or with Poisson senders of their own."""
    tau = 2**UNIT / float(c["dv"])
    mu, sigma = 1e-3 * float(c["mu_mV"]), 1e-3 * float(c["sigma_mV"])
    reset = 1e-3 * float(c["reset_mV"])
    if c["drive"] == "white":
        cell = neuron(tau, TOP, mu, int(c["held"]), reset=reset)
        noise = GaussianNoise(0.0, sigma * np.sqrt(tau * DT), seed=seed, per="white")
        return Network([Population(NAME, n, cell)], [], [CurrentInput("i", NAME, noise)])
    # a sender of either sign; each spike does to v, in the long run, what a step of so much does
    du = float(c["du"]) / 2**UNIT
    step = sigma / np.sqrt(2 * RATES * (1 - RATES) * tau)
    each = step * tau * du * np.array([1.0, -1.0]) * np.ones((n, 1))
    return fed(neuron(tau, TOP, mu), own_senders(each), RATES, seed, 1 / du, probe=False)
