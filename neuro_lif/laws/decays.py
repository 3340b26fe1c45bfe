"""F1: the decay as coded, measured by periods, by a free decay and by the steady state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..discretize import discretize
from ..emulator import run_fixed
from ..network import Network, Population, Probe
from ..numerics import walk
from ..predict import errors_of
from ..predict.coded import Coded, coded_lif
from ..quantize import quantize
from .cases import DT, NAME, Configuration, neuron, profile_with
from .rows import LawRow, Value

PERIOD, SHARE, STEADY = "steps between spikes", "error of the share lost", "error of the rest of v"
THRESHOLD = 15e-3
COARSE = "rounding the state moves the spike, too (F2)"

CHIPS: tuple[dict[str, Value], ...] = (
    {"profile": "loihi2"},
    {"profile": "lava-0.10"},
    {"profile": "nengo-loihi-1.1"},
    {"profile": "generic", "decay_bits": 8},
    {"profile": "generic", "decay_bits": 10},
    {"profile": "generic", "decay_bits": 16},
    {"profile": "generic", "state_bits": 16, "threshold_bits": 12, "align_shift": 0},
)


TAUS = (10, 20, 50, 100, 200, 500, 1000, 2000)


def fits(chip: Configuration, tau: int) -> bool:
    """Tell whether a chip's decay code has anything near a share of ``1 / tau``."""
    return bool(tau * 0.75 <= 2 ** int(chip.get("decay_bits", 12)))


def _holds(chip: Configuration) -> bool:
    """Tell whether a chip has a neuron with a refractory period."""
    profile = profile_with(chip)
    return any(op["op"] == "fire" and op.get("ref") is not None
               for name in profile.models for op in walk(profile.ops(name)))  # fmt: skip


def configurations() -> Iterator[dict[str, Value]]:
    """Yield time constants of 10 to 2,000 steps on seven chips, with and without compensation."""
    drives = (18.0, 22.0, 30.0, 45.0)
    for i, chip in enumerate(CHIPS):
        held = 3 if _holds(chip) else 0
        for j, tau in enumerate(t for t in TAUS if fits(chip, t)):
            for compensated in (False, True):
                drive = drives[(i + j + compensated) % len(drives)]
                yield {"measure": PERIOD, **chip, "tau_steps": tau, "compensated": compensated,
                       "drive_mV": drive, "held": held * (j % 2)}  # fmt: skip
    for chip in CHIPS[:6]:
        for tau in (10, 100, 1000):
            yield {"measure": SHARE, **chip, "tau_steps": tau}
    for chip in (*CHIPS[:2], *CHIPS[3:6]):
        for tau in (t for t in (10, 100, 1000) if fits(chip, t)):
            for compensated in (False, True):
                yield {"measure": STEADY, **chip, "tau_steps": tau, "compensated": compensated,
                       "drive_mV": 12.0}  # fmt: skip


def measured(c: Configuration, seed: int) -> list[LawRow]:
    """Return the row of one configuration; nothing is random."""
    del seed
    kind = {PERIOD: _period, SHARE: _share, STEADY: _steady}[str(c["measure"])]
    return [kind({k: v for k, v in c.items() if k != "measure"})]


def _network(c: Configuration, start: float = 0.0) -> Network:
    cell = neuron(float(c["tau_steps"]), THRESHOLD, float(c.get("drive_mV", 0.0)) * 1e-3,
                  int(c.get("held", 0)), start)  # fmt: skip
    return Network([Population(NAME, 1, cell)], probes=[Probe(NAME, "v")])


def _period(c: Configuration) -> LawRow:
    """Return the interval between two spikes beside the geometric series.

    Source: ``ceil(ln(1 - theta delta / b) / ln(1 - delta))`` with delta, b and theta as coded:
    exact up to 500 steps, within 1 step at 1,000.
    """
    tau = float(c["tau_steps"])
    stepped = discretize(_network(c), DT)
    fixed = quantize(stepped, profile_with(c), gain_compensation=bool(c["compensated"]))
    steps = int(12 * tau) + 20
    fired = np.flatnonzero(np.asarray(run_fixed(fixed, steps).spikes[NAME])[:, 0]) + 1
    seen = float(fired[1] - fired[0]) if fired.size > 1 else float(steps)
    tolerance = 0.0 if tau <= 500 else 1.0
    law = float(errors_of(fixed, stepped, NAME).periods.coded[0])
    far = _moved(coded_lif(fixed, stepped, NAME)) > max(tolerance, 0.1)
    return LawRow(
        "F1",
        PERIOD,
        c,
        law,
        seen,
        "steps",
        tolerance,
        allowed="1 step" if tolerance else "0 steps",
        beyond=COARSE if far else "",
    )


def _moved(c: Coded) -> float:
    """Return by how many steps the mean of what rounding takes of v moves the spike."""
    delta, taken = float(c.delta_v[0]), abs(float(c.round_v.mean[1, 0] * c.lsb[0]))
    share = float(c.threshold[0] * delta / c.bias[0])
    if delta == 0:
        return 0.0
    if share >= 1:
        return np.inf
    return taken / float(c.bias[0]) * share / (1 - share) / -float(np.log1p(-delta))


def _share(c: Configuration) -> LawRow:
    """Return the error of the share lost, %, beside that of v falling freely for a time constant.

    In each step rounding changes v by less than 1 LSB, so the share is known that well.
    """
    tau = int(c["tau_steps"])
    stepped = discretize(_network(c, 0.95 * THRESHOLD), DT)
    fixed = quantize(stepped, profile_with(c))
    found = errors_of(fixed, stepped, NAME).decay_v
    v = np.asarray(run_fixed(fixed, tau).trace(NAME, "v"), np.float64)[:, 0]
    start = float(fixed.initial(NAME)["v"][0])
    meant = float(found.meant[0])
    kept = (v[-1] / start) ** (1 / tau)
    off = min(tau, 1 / float(found.delta[0])) if found.delta[0] else 0.0  # LSB, of v at the end
    tolerance = 100 * off / v[-1] / tau * kept / meant
    return LawRow("F1", SHARE, c, 100 * float(found.relative[0]), 100 * ((1 - kept) / meant - 1),
                  "%", tolerance, allowed="1 LSB per step")  # fmt: skip


def _steady(c: Configuration) -> LawRow:
    """Return the error of v at rest under a constant drive, %, less what rounding takes (F2).

    The bias is coded to half a unit, and v rests on a whole LSB.
    """
    stepped = discretize(_network(c), DT)
    fixed = quantize(stepped, profile_with(c), gain_compensation=bool(c["compensated"]))
    found, coded = errors_of(fixed, stepped, NAME), coded_lif(fixed, stepped, NAME)
    law = 0.0 if c["compensated"] else float(found.decay_v.steady_raw[0])
    lsb, delta = float(coded.lsb[0]), float(coded.delta_v[0])
    v = float(run_fixed(fixed, int(25 / delta)).trace(NAME, "v")[-1, 0])
    rest = float(c["drive_mV"]) * 1e-3
    seen = (v - float(found.rounding.settled[0])) * lsb / rest - 1
    unit = 2.0 ** int(fixed.params(NAME)["bias_exp"][0])
    tolerance = (0.5 * unit / delta + 1.0) * lsb / rest
    return LawRow("F1", STEADY, c, 100 * law, 100 * seen, "%", 100 * tolerance,
                  allowed="half a unit of the bias and 1 LSB")  # fmt: skip
