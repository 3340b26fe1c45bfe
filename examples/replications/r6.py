"""R6: what truncating the decay takes from the mean of v (law F2), in integers.

    python examples/replications/r6.py            some seconds
    python examples/replications/r6.py --quick    a fifth of the steps

A chip that rounds ``v * (1 - dv/4096)`` towards zero takes half an LSB per step from a voltage
above zero in the mean, and a leak of delta = dv/4096 makes -LSB/(2 delta) of that. Where a constant
input is approached from below v stops at the first integer at which rounding takes back what the
drive adds: -LSB/delta (1 - delta/2). With a current u that is truncated, too, the shift is -LSB (1
+ 1/delta_u) / (2 delta_v).

Neurons that never fire run in the emulator; beside them the same recurrence without rounding.
What is allowed: 4 standard errors, and half a unit of the last digit of the law as it was printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from table import Row, near, run, say

import neuro_lif as nl
from neuro_lif import predict

TITLE = "R6  what truncation takes from the mean of v"
Array = npt.NDArray[Any]
CONSTANT = ((410, 10, -9.5, 0.05), (41, 100, -99.4, 0.05), (4, 1024, -1023, 0.5))
"""dv, tau in steps, the law as it was printed, half a unit of its last digit; LSB."""
NOISY = ((410, 10, -5.0, 0.05), (41, 100, -50.0, 0.5))
BOTH = ((409, 41, -549.0, -543.9), (819, 205, -59.9, -62.3))
"""du, dv, the law, and what another program measured, whose u takes du + 1; LSB."""


def free(du: int, dv: int, drive: Array, bias: Any = 0, rounding: str = "rtz") -> Array:
    """Return v of neurons that never fire, less v without rounding, ``(n_steps, n)`` in LSB.

    Args:
        du, dv: decay codes; du 4096: a current that lasts one step.
        drive: ``(n_steps, n)`` integers added to u.
        bias: added to v in every step.
        rounding: of the decays.
    """
    n = drive.shape[1]
    profile = nl.load_profile("generic", align_shift=0, state_bits=40, threshold_bits=30,
                              bias_bits=30, rounding=rounding)  # fmt: skip
    params = {"du": du, "dv": dv, "vth": 2**30 - 1, "bias_mant": bias}
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", n, "lif", params),),
                            directs=(nl.DirectInput("i", "a"),),
                            probes=(nl.Probe("a", "v"),))  # fmt: skip
    v = nl.run_fixed(fixed, inputs={"i": drive}).trace("a", "v").astype(np.float64)
    u = lfilter([1.0], [1.0, -(1 - du / 4096)], drive.astype(np.float64), axis=0)
    return np.asarray(v - lfilter([1.0], [1.0, -(1 - dv / 4096)], u + bias, axis=0))


def constant(dv: int, n: int = 600, rounding: str = "rtz") -> tuple[float, float]:
    """Return the mean shift over constant drives, and its standard error, LSB."""
    bias, delta = np.random.default_rng(dv).integers(2000, 8000, n), dv / 4096
    off = free(4096, dv, np.zeros((int(24 / delta), n), np.int64), bias, rounding)[-1]
    return float(off.mean()), float(off.std() / np.sqrt(n))


def noisy(
    du: int, dv: int, mean: float, sd: float, n: int = 400, length: float = 60.0
) -> tuple[float, float]:
    """Return the mean shift in a noisy drive, and its standard error, LSB."""
    delta, rng = dv / 4096, np.random.default_rng(dv)
    drive = np.rint(rng.normal(mean, sd, (int(length / delta), n))).astype(np.int64)
    off = free(du, dv, drive)[int(12 / delta) :].mean(axis=0)
    return float(off.mean()), float(off.std() / np.sqrt(n))


def low_of(code: int) -> predict.Residual:
    """Return what rounding a decay towards zero does."""
    op = {"kind": "mult_keep", "k": 12, "offset": 0, "round": "rtz"}
    return predict.residual_of(op, np.array([code]))


def rows(quick: bool = False) -> Iterator[Row]:
    """Yield the rows: constant drive, noisy drive, both registers."""
    length = 24.0 if quick else 60.0
    for dv, tau, law, unit in CONSTANT:
        say(f"constant drive, tau = {tau} steps")
        got, se = constant(dv, 200 if quick else 600)
        mine = float(predict.settled_shift(0.0, low_of(dv).low[1], 1.0, dv / 4096)[0])
        why = "-1/delta (1 - delta/2)"
        yield near(f"constant, tau {tau} steps", got, law, 4 * se + unit, "LSB", 2, why, se)
        yield near("    predict.settled_shift", got, mine, 4 * se + 0.02, "LSB", 2, "4 se")
    for dv, tau, law, unit in NOISY:
        say(f"noisy drive, tau = {tau} steps")
        got, se = noisy(4096, dv, 3000.0, 700.0, length=length)
        mine = float(predict.mean_shift(0.0, low_of(dv).mean_at(1.0), 1.0, dv / 4096)[0])
        yield near(f"noisy, tau {tau} steps", got, law, 4 * se + unit, "LSB", 2, "-1/(2 delta)", se)
        yield near("    predict.mean_shift", got, mine, 4 * se, "LSB", 2, "4 se")
    for du, dv, law, other in BOTH:
        say(f"both registers, du {du}, dv {dv}")
        got, se = noisy(du + 1, dv, 500.0, 200.0, length=length)
        why = "-(1 + 1/delta_u)/(2 delta_v), 1 %"
        yield near(f"u and v, du {du}, dv {dv}", got, law, 4 * se + 0.01 * abs(law), "LSB", 1, why,
                   se)  # fmt: skip
        yield near("    as another program ran it", got, other, 0.05 * abs(other), "LSB", 1, "5 %")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, TITLE, rows))
