"""R3: Brunel's network A in integers: how coarse an LSB moves the rate, measured and predicted.

    python examples/replications/r3.py            about a minute
    python examples/replications/r3.py --quick    0.4 s of the coarsest and the finest alone

The network of ``examples/brunel.py`` (g = 5, eta = 2), J being 512, 64, 8 or 4 LSB, in two forms:

- v = 0 is the rest, and a spike sets v to the reset above it: as the numbers of the other program
  were measured. Shipped profiles reset to 0, so the profile's operations are changed here (a chip
  is data); rounding towards zero takes LSB/(2 delta) from v.
- v = 0 is the reset, as ``quantize`` lowers it to chips that reset to 0, and the rest is a negative
  bias: rounding takes as much above the reset, and gives it below.

What is allowed: 2 % from the other program's rates and from each prediction. Other connections,
other noise: rates of the same network differ by some 0.5 % between seeds in 2 s.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

sys.path.append(str(Path(__file__).resolve().parents[1]))  # examples/brunel.py

import brunel  # noqa: E402
from table import Row, near, run, say  # noqa: E402

import neuro_lif as nl  # noqa: E402
from neuro_lif import predict  # noqa: E402
from neuro_lif.reference import theory  # noqa: E402

TITLE = "R3  Brunel's network A in integers"
PUBLISHED = {512: (37.62, 38.06), 64: (37.44, 37.41), 8: (35.93, 36.10), 4: (34.21, 34.47)}
"""LSB per J -> rates predicted and measured by another program, Hz."""
ALLOWED = 0.02


def resting_at_zero(unit: int, seed: int = 3) -> nl.FixedNetwork:
    """Return the network with v = 0 at rest, and a reset above it."""
    raw = brunel.profile().model_dump(by_alias=True)
    raw["params"]["rest"] = {**raw["params"]["vth"], "about": "v after a spike"}
    lif = dict(raw["models"]["lif"])
    ops = [dict(op) for op in lif["ops"]]
    for op in ops:
        if op["op"] == "if_ref":
            op["then"] = [{"op": "set", "reg": "v", "value": "rest"}]
        if op["op"] == "fire":
            op["value"] = "rest"
    raw["models"] = {"lif": {**lif, "ops": ops}}
    profile = nl.HardwareProfile.model_validate(raw)
    fixed = brunel.integer_network(unit, seed)
    p, reset = fixed.population("n"), round(brunel.RESET / brunel.J * unit)
    params = dict(p.params) | {"bias_mant": 0, "rest": reset,
                               "vth": round(brunel.THRESHOLD / brunel.J * unit)}  # fmt: skip
    n = nl.FixedPopulation("n", p.size, "lif", params, {"v": p.init["v"] + reset}, p.lsb)
    return nl.FixedNetwork(profile, (n,), fixed.projections, dt=fixed.dt, seed=seed,
                           poissons=fixed.poissons)  # fmt: skip


def predicted_at_rest_zero(unit: int) -> float:
    """Return the rate at which a neuron's input makes it fire so, Hz: Siegert's with F2, F3, F5."""
    delta, lsb = brunel.DV / 4096, brunel.J / unit
    shift = lsb * float(theory.truncation_shift(delta))

    def gap(rate: float) -> float:
        drive = brunel.EXTERNAL + rate * (brunel.C_EXC - brunel.G * brunel.C_INH)
        power = brunel.EXTERNAL + rate * (brunel.C_EXC + brunel.G**2 * brunel.C_INH)
        mean = brunel.J * drive * brunel.DT + shift * delta
        sd = np.sqrt(power * brunel.DT * brunel.J**2 + lsb**2 / 12)
        top = float(predict.lattice_threshold(brunel.THRESHOLD / lsb, strict=True)) * lsb
        held = round(brunel.T_REF / brunel.DT)
        return float(theory.clocked_rate(mean, sd, 1 - delta, top, brunel.RESET, brunel.DT,
                                         held)) - rate  # fmt: skip

    return float(brentq(gap, 1.0, 300.0, xtol=1e-6))


def rate_of(fixed: nl.FixedNetwork, seconds: float) -> float:
    """Return the rate of a run, Hz."""
    run_ = nl.run_fixed(fixed, round((seconds + brunel.WARM_UP) / brunel.DT))
    _, times = run_.spike_times("n")
    counted = int((times > brunel.WARM_UP).sum())
    return counted / seconds / fixed.population("n").size


def rows(quick: bool = False) -> Iterator[Row]:
    """Yield the rows of both forms."""
    seconds = 0.4 if quick else 2.0
    for unit in (512, 4) if quick else PUBLISHED:
        say(f"J = {unit} LSB, v = 0 at rest")
        formula, other = PUBLISHED[unit]
        mine = predicted_at_rest_zero(unit)
        got = rate_of(resting_at_zero(unit), seconds)
        yield near(f"J = {unit} LSB, v = 0 at rest", got, other, ALLOWED * other, "Hz", 2,
                   "another program; 2 %")  # fmt: skip
        yield near("    as predicted", got, mine, ALLOWED * mine, "Hz", 2, "2 %")
        yield near("    the other program's prediction", mine, formula, 0.005 * formula, "Hz", 2,
                   "of our prediction; 0.5 %")  # fmt: skip
    for unit in (512, 4) if quick else PUBLISHED:
        say(f"J = {unit} LSB, v = 0 at the reset")
        mine = brunel.predicted(str(unit))
        found = brunel.measured(str(unit), seconds, 1)
        yield near(f"J = {unit} LSB, v = 0 at the reset", found.rate, mine,
                   ALLOWED * mine, "Hz", 2, "predict.rate_error; 2 %", found.error)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(run(__doc__, TITLE, rows))
