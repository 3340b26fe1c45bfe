"""F2 and F3: what rounding u and v in every step does to the mean and the spread of v."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..network import Network, Population, Probe
from ..predict.coded import Coded, coded_lif
from ..predict.roundings import settled_shift, shift_of, state_sd
from .cases import (
    NAME,
    NARROW,
    UNIT,
    Configuration,
    fed,
    is_narrow,
    lowered,
    mean_and_error,
    neuron,
    own_senders,
    rounding_of_state,
    shot_variance,
)
from .rows import LawRow, Value

NOISY, RESTING, SPREAD = "mean of v, in noise", "mean of v at rest", "spread of v, in noise"
ROUNDINGS = ("rtz", "floor", "nearest_up")
SENDERS, RATE = 12, 0.3
TURNS = "u changes its sign, and its rounding with it"


def configurations() -> Iterator[dict[str, Value]]:
    """Yield decays of one and two registers, their roundings, and drives of either sign."""
    wide: dict[str, Value] = {"profile": "generic", "state_bits": 32, "threshold_bits": 26,
                              "align_shift": 0, "bias_bits": 28, "weight_bits": 16}  # fmt: skip
    for rounding in ROUNDINGS:
        for d in (3277, 1639, 820, 410, 205, 82, 41, 20, 8):
            yield {"drive": "noise", **wide, "rounding": rounding, "dv": d, "side": "above"}
        for du, dv in ((410, 41), (820, 205), (2048, 205), (820, 41), (205, 410)):
            yield {"drive": "noise", **wide, "rounding": rounding, "du": du, "dv": dv,
                   "side": "above"}  # fmt: skip
        for dv in (410, 205):
            noise: dict[str, Value] = {"drive": "noise", **wide, "rounding": rounding}
            yield {**noise, "dv": dv, "side": "below"}
            yield {**noise, "du": 820, "dv": dv, "side": "below"}
            yield {**noise, "du": 820, "dv": dv, "side": "u around 0"}
            yield {**noise, "du": 820, "dv": dv, "side": "above", "finer": 1 / 256}
        for d in (3277, 1639, 820, 410, 205, 82, 41, 20, 8, 4):
            yield {"drive": "constant", **wide, "rounding": rounding, "dv": d, "side": "above"}
    delayed = (("loihi2", True), ("lava-0.10", True), ("nengo-loihi-1.1", False),
               ("brian2-loihi-0.5", True))  # fmt: skip
    for name, delays in delayed:
        for dv in (410, 41):
            yield {"drive": "noise", "profile": name, "dv": dv, "side": "above"}
            if delays:  # there is none to take a step from elsewhere
                yield {"drive": "noise", "profile": name, "du": 820, "dv": dv, "side": "above"}


def measured(c: Configuration, seed: int) -> list[LawRow]:
    """Return the rows of one configuration: F2, and in noise F3.

    Both runs hear the same: the integers, and their parameters with a state of float64. What is
    left between the two is what rounding the state in every step did.
    """
    about = {k: v for k, v in c.items() if v != ""}
    return [_resting(about, seed)] if c["drive"] == "constant" else _noisy(about, seed)


def _resting(c: Configuration, seed: int) -> LawRow:
    """Return v at rest under constant drives, approached from below.

    Source: ``-L/delta (1 - delta/2)`` toward zero, ``-L/(2 delta)`` to the nearest.
    """
    n, delta = 600, _share(c, "dv")
    drives = np.random.default_rng(seed).uniform(2e-3, 8e-3, n)
    cell = neuron(1 / delta, 20e-3, drives)
    net = Network([Population(NAME, n, cell)], probes=[Probe(NAME, "v")])
    fixed, stepped, rounded = lowered(net, c)
    off, _ = rounding_of_state(fixed, rounded, int(28 / delta) + 2)
    coded = coded_lif(fixed, stepped, NAME)
    none = np.zeros(n)
    law = settled_shift(none, coded.round_v.low[1], np.ones(n), coded.delta_v)
    mean, error = mean_and_error(off[-1])
    return LawRow("F2", RESTING, c, float(law.mean()), mean, "LSB", 4 * error + 1e-3, error,
                  "4 SE + 0.001 LSB")  # fmt: skip


def _noisy(c: Configuration, seed: int) -> list[LawRow]:
    """Return mean and spread of v in noise that never reaches the threshold.

    Source: ``-L (1 + 1/delta_u) / (2 delta_v)`` toward zero, 0 to the nearest; the spread is
    ``L sqrt(1/12 / (1 - (1 - delta)**2))``, through u as well.
    """
    delta = _share(c, "dv")
    n, steps = (250 if delta > 0.008 else 100), int(40 / delta)
    fixed, stepped, rounded = lowered(_hearing(c, n, seed), c)
    off, v = rounding_of_state(fixed, rounded, steps)
    late, coded = off[int(14 / delta) :], coded_lif(fixed, stepped, NAME)
    side, turns = str(c["side"]), c["side"] == "u around 0"
    sign = -1.0 if side == "below" else 1.0
    share = float(np.mean(sign * v[int(14 / delta) :] > 0))
    if share < 1:
        raise AssertionError(f"{c}: v is on its side in {100 * share:.3f} % of the steps")
    narrow = NARROW if is_narrow(coded, shot_variance(coded, RATE)) else ""
    rows = [_mean_row(c, coded, late, 0.0 if turns else sign, sign, narrow)]
    spread = float(state_sd(coded.round_u.variance, coded.round_v.variance, coded.delta_u,
                            coded.delta_v).mean())  # fmt: skip
    square, error = mean_and_error(((late - late.mean()) ** 2).mean(axis=0))
    seen = float(np.sqrt(square))
    rows.append(LawRow("F3", SPREAD, c, spread, seen, "LSB", 0.03 * spread, error / (2 * seen),
                       "3 %", narrow or (TURNS if turns else "")))  # fmt: skip
    return rows


def _mean_row(c: Configuration, coded: Coded, late: Any, sign_u: float, sign_v: float,
              narrow: str) -> LawRow:  # fmt: skip
    law = float(shift_of(coded.round_u, coded.round_v, coded.delta_u, coded.delta_v, sign_u,
                         sign_v).mean())  # fmt: skip
    mean, error = mean_and_error(late.mean(axis=0))
    return LawRow("F2", NOISY, c, law, mean, "LSB", 4 * error, error, "4 SE", narrow)


def _hearing(c: Configuration, n: int, seed: int) -> Network:
    """Return ``n`` neurons that hear Poisson sources of their own, v far below the threshold."""
    rng, du, dv = np.random.default_rng(seed), _share(c, "du"), _share(c, "dv")
    side = str(c["side"])
    sign = -1.0 if side == "below" else 1.0
    balanced = side == "u around 0"
    turn = np.where(np.arange(SENDERS) % 2, 1.0, -1.0) if balanced else sign
    size = 1e-3 * float(c.get("finer", 1.0))
    size *= du if du < 1 else dv  # an exponential synapse's weight goes through v's gain
    each = size * rng.uniform(0.5, 1.5, (n, SENDERS)) * turn
    tau_u = 1 / du if du < 1 else 0.0
    bias = 15e-3 if balanced else 0.0
    cell = neuron(1 / dv, 40e-3, bias)
    return fed(cell, own_senders(each), RATE, seed, tau_u)


def _share(c: Configuration, name: str) -> float:
    return float(c[name]) / 2**UNIT if name in c else 1.0
