"""F4: what rounding the weights does to the mean of v, its spread over neurons, and the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.signal import lfilter

from ..arrays import FloatArray
from ..changes import with_changes
from ..emulator import run_fixed
from ..fixed import FixedNetwork
from ..network import LIF, Delta, Network, PoissonInput, Population, Probe, Projection
from ..predict import Drive, errors_of
from ..predict.synapses import mean_shift_of_weights, sd_of_weights, variance_of_weights
from ..reference import run_clocked
from .cases import DT, NAME, UNIT, Configuration, lowered, mean_and_error, neuron
from .rows import LawRow, Value

MEAN, SPREAD, INPUT = "mean of v, shift", "mean of v, over neurons", "variance of the input"
AS_THEY_ARE = "mean of v, over neurons, of these weights"
COARSE = "q exceeds 3 standard deviations of the weights"
TIED = "q exceeds 1.5 standard deviations: weights and their errors are correlated"
NEURONS, STEPS, SD = 2000, 1000, 1e-4
DELTA = 205 / 2**UNIT
CHIP: dict[str, Value] = {"profile": "generic", "weight_bits": 16, "state_bits": 36,
                          "threshold_bits": 28, "align_shift": 0}  # fmt: skip


def configurations() -> Iterator[dict[str, Value]]:
    """Yield steps of 0.1 to 5 standard deviations, in-degrees of 25 to 400, three roundings."""
    for rounding in ("nearest", "floor", "stochastic"):
        about: dict[str, Value] = {**CHIP, "weight_rounding": rounding}
        for fan_in in (25, 100, 400):
            for step in (0.1, 0.3, 0.7, 1.0, 1.5, 2.0, 2.5, 3.5, 5.0):
                if fan_in == 100 or step in (0.3, 1.0, 2.5):
                    yield {**about, "fan_in": fan_in, "step_sd": step, "mean_sd": 5.0,
                           "rate": 0.02}  # fmt: skip
        for step in (0.5, 1.0, 2.0):
            yield {**about, "fan_in": 100, "step_sd": step, "mean_sd": 0.0, "rate": 0.1}
        yield {**about, "fan_in": 100, "step_sd": 1.0, "mean_sd": 10.0, "rate": 0.005}
    for name in ("generic", "loihi2"):  # as quantize rounds them to the step of a chip
        for bits in (2, 3, 4, 5, 6, 8):
            yield {"profile": name, "weight_rounding": "nearest", "bits": bits, "fan_in": 100,
                   "mean_sd": 6.0, "rate": 0.02}  # fmt: skip


def measured(c: Configuration, seed: int) -> list[LawRow]:
    """Return the rows of one configuration: mean, spread over neurons, and variance of the input.

    Both runs hear the same spikes, and their decays are the same; the float one has the weights
    as described, so what differs in a neuron's mean of v is what its weights lost, beside F2.
    """
    rng, rounding = np.random.default_rng(seed), str(c["weight_rounding"])
    k = int(c["fan_in"])
    meant = SD * (float(c["mean_sd"]) + rng.standard_normal((NEURONS, k)))
    bits = {"weight_bits": int(c["bits"])} if "bits" in c else {}
    if bits:
        meant = np.abs(meant)  # of one sign, so that there is one step
    fixed, stepped, _ = lowered(_network(meant, float(c["rate"]), seed), c, **bits)
    if bits:
        step = float(errors_of(fixed, stepped, NAME).weights[0].step[0])
    else:
        fixed, step = _rounded(fixed, meant, SD * float(c["step_sd"]), rounding, rng)
    coded = run_fixed(fixed, STEPS, record="all", record_inputs=True)
    exact = run_clocked(stepped, STEPS, record="all")
    begin = int(14 / DELTA)
    events = np.asarray(coded.inputs["s"], np.float64)
    felt = lfilter([1.0], [1.0, -(1 - DELTA)], events[:-1], axis=0)[begin - 1 :].mean(axis=0)
    errors = errors_of(fixed, stepped, NAME, Drive({"s": felt * DELTA / DT}))
    shift = (coded.volts(NAME) - exact.volts(NAME))[begin:].mean(axis=0) - errors.rounding.volts
    about = {**c, "step_sd": step / SD}
    rows = _means(about, shift, felt * DELTA, step, rounding)
    if step > 3 * SD:  # where the model ends, the weights themselves still say it
        seen, law = float(shift.std()), float(errors.weights[0].mean_shift.std())
        rows.append(LawRow("F4", AS_THEY_ARE, about, 1e3 * law, 1e3 * seen, "mV", 20 * law,
                           1e3 * seen / np.sqrt(2 * NEURONS), "2 %"))  # fmt: skip
    if c["mean_sd"] == 0.0 and rounding != "floor":
        u = [run.volts(NAME, "u").var(axis=0) for run in (coded, exact)]
        rows.append(_variance(about, u[0] - u[1], events, step, rounding))
    return rows


def _network(weights: FloatArray, rate: float, seed: int) -> Network:
    cell: LIF = neuron(1 / DELTA, 4.0)
    n, k = weights.shape
    return Network(
        [Population(NAME, n, cell)], [Projection("x", "s", NAME, weights, Delta(), DT)],
        [PoissonInput("s", k, rate / DT, seed=seed, draw="bernoulli")], [Probe(NAME, "v")],
    )  # fmt: skip


def _rounded(
    fixed: FixedNetwork, meant: FloatArray, step: float, rounding: str, rng: Any
) -> tuple[FixedNetwork, float]:
    """Return the integers with weights on a lattice of about ``step`` V, and the step itself.

    Two bits of the mantissa are left free, for weights that rounding makes larger than any; steps
    are even, so that a chip which drops the lowest bit of weights of both signs has them, too.
    """
    q = fixed.projections[0]
    unit = float(2.0 ** (q.exponent + 2) * fixed.population(NAME).lsb[0])
    units = max(2 * round(step / (2 * unit)), 2)
    x = meant / (units * unit)
    shift = {"nearest": 0.5, "floor": 0.0, "stochastic": rng.random(x.shape)}[rounding]
    whole = np.floor(x + shift)
    mantissas = (whole * units).astype(np.int64)
    changed = with_changes(
        fixed,
        weights={"x": mantissas},
        projections={"x": {"exponent": q.exponent + 2, "sign_mode": None}},
    )
    return changed, units * unit


def _means(
    c: Configuration, shift: FloatArray, rates: FloatArray, step: float, rounding: str
) -> list[LawRow]:
    """Return the mean of the shift, and its spread over neurons.

    Of equidistributed errors: 0, and ``-q K nu / (2 delta)`` rounded down; ``q sqrt(K/12)
    nu/delta``, stochastic ``q sqrt(K/6) nu/delta``. Of weights of a normal spread sd the errors
    are equidistributed but for ``exp(-2 (pi sd/q)**2)``: the variance of an error is off by no
    more than ``12/pi**2`` times that.

    Source: B. Widrow, I. Kollar, "Quantization Noise" (2008), for the last.
    """
    k = rates.size
    beyond = COARSE if step > 3 * SD else ""
    law = 1e3 * float(mean_shift_of_weights(step, k, rates.mean(), DELTA, rounding))
    mean, error = mean_and_error(1e3 * shift)
    lattice = float(np.exp(-2 * (np.pi * SD / step) ** 2))
    drift = 1e3 * step / np.pi * lattice * k * rates.mean() / DELTA * (rounding == "nearest")
    rows = [LawRow("F4", MEAN, c, law, mean, "mV", 4 * error + drift, error,
                   "4 SE + lattice", beyond)]  # fmt: skip
    spread = 1e3 * float(sd_of_weights(step, k, np.sqrt((rates**2).mean()), DELTA, rounding))
    seen = 1e3 * float(shift.std())
    error = seen / np.sqrt(2 * shift.size)
    rows.append(LawRow("F4", SPREAD, c, spread, seen, "mV", 4 * error + 0.61 * lattice * spread,
                       error, "4 SE + lattice", beyond))  # fmt: skip
    return rows


def _variance(
    c: Configuration, change: FloatArray, events: FloatArray, step: float, rounding: str
) -> LawRow:
    """Return what rounding adds to the variance of one step's input: ``nu K q**2 / 12``.

    A weight and its error are as good as independent for small steps only: of normal weights the
    covariance makes ``48 (sd/q)**2 exp(-2 (pi sd/q)**2)`` of it, 0.3 % at 1.5 sd, 9 % at 2 sd.
    """
    nu = float((events.mean(axis=0) * (1 - events.mean(axis=0))).mean())  # at most one in a step
    law = 1e6 * float(variance_of_weights(step, events.shape[1], nu, rounding))
    mean, error = mean_and_error(1e6 * change)
    return LawRow("F4", INPUT, c, law, mean, "mV**2", 4 * error, error, "4 SE",
                  TIED if step > 1.5 * SD else "")  # fmt: skip
