"""R5: rates of clocked LIF neurons in white noise, beside the discrete-time Siegert formula.

    python examples/replications/r5.py            some 20 s
    python examples/replications/r5.py --quick    a tenth of the spikes

A clocked simulator looks at its threshold at the ends of steps alone, so that it fires less than
Siegert's formula says: 2 to 24 % in these rows. With the threshold raised by 0.5826 standard
deviations of a step (``theory.nu_dt``) the formula is within 0.5 % for dt/tau up to 0.01 and within
2 % up to 0.1. Neurons are run in float64 by ``run_clocked``; the noise of each step has the
standard deviation that the exact integral (or Euler-Maruyama) has.

What is allowed: 4 standard errors and 0.5 % or 2 % from the formula; 4 standard errors of both from
the rates of another program (and 1 % where it does not tell its own).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from table import Row, near, note, run, say

import neuro_lif as nl
from neuro_lif.reference import theory
from neuro_lif.stimulus import GaussianNoise

TITLE = "R5  rates of clocked neurons in white noise"
BRUNEL = {"V_th_rel": 20e-3, "V_0_rel": 10e-3, "tau_m": 20e-3, "tau_r": 2e-3}
SHORT = {"V_th_rel": 15e-3, "V_0_rel": 0.0, "tau_m": 10e-3, "tau_r": 2e-3}


class Case(NamedTuple):
    """A neuron in noise; mu, sigma in mV, dt in ms; the other program's rate, Hz.

    Its standard error is known of the first two alone.
    """

    mu: float
    sigma: float
    cell: dict[str, float]
    rule: str
    dt: float
    rate: float
    error: float | None = None

    @property
    def name(self) -> str:
        tau = 1e3 * self.cell["tau_m"]
        return f"{self.mu:g}, {self.sigma:g} mV, tau {tau:g}, {self.rule}, dt {self.dt:g} ms"


CASES = (
    Case(15, 5, BRUNEL, "exact", 0.1, 8.812, 0.034), Case(15, 5, BRUNEL, "exact", 1, 7.550, 0.011),
    Case(15, 5, BRUNEL, "euler", 0.1, 8.839), Case(15, 5, BRUNEL, "euler", 1, 7.900),
    Case(25, 5, BRUNEL, "exact", 0.1, 45.841), Case(25, 5, BRUNEL, "exact", 1, 42.561),
    Case(20, 1, BRUNEL, "exact", 0.1, 14.455), Case(20, 1, BRUNEL, "exact", 1, 13.701),
    Case(12, 3, SHORT, "exact", 0.1, 13.892), Case(12, 3, SHORT, "exact", 1, 11.519),
)  # fmt: skip


def measured(case: Case, spikes: float, seed: int = 1, neurons: int = 1000) -> tuple[float, float]:
    """Return the rate of a float64 run and its standard error, Hz.

    Args:
        case: which.
        spikes: how many to collect, about.
        seed: of the noise.
        neurons: how many at a time.
    """
    dt, tau = 1e-3 * case.dt, case.cell["tau_m"]
    step = theory.step_of(1e-3 * case.mu, 1e-3 * case.sigma, tau, dt, case.rule)
    leak = 1 - step.decay  # what a current of 1 A adds per step, V, at 1 ohm
    noise = GaussianNoise(step.mean / leak, step.sd / leak, seed)
    neuron = nl.LIF.from_nnmt(tau, case.cell["tau_r"], case.cell["V_th_rel"], case.cell["V_0_rel"])
    net = nl.Network([nl.Population("n", neurons, neuron)],
                     inputs=[nl.CurrentInput("noise", "n", noise)])  # fmt: skip
    stepped = nl.discretize(net, dt, case.rule)
    warm = round(10 * tau / dt)
    steps = round(spikes / (case.rate * neurons * dt))
    raster = nl.run_clocked(stepped, warm + steps).spikes["n"]
    rates = np.asarray(raster[warm:]).sum(axis=0, dtype=np.int64) / (steps * dt)
    return float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(neurons))


def rows(quick: bool = False) -> Iterator[Row]:
    """Yield three rows for each case: against the formula, the other program, and Siegert."""
    for case in CASES:
        say(case.name)
        given = {"mu": 1e-3 * case.mu, "sigma": 1e-3 * case.sigma, **case.cell}
        want = 1.2e5 * float(theory.cv(**given)) ** 2
        rate, error = measured(case, max(want * (0.1 if quick else 1), 5e3))
        formula = float(theory.nu_dt(**given, dt=1e-3 * case.dt, integrator=case.rule))
        share = 0.005 if 1e-3 * case.dt / case.cell["tau_m"] <= 0.0101 else 0.02
        why = f"discrete-time Siegert, 4 se + {100 * share:g} %"
        yield near(case.name, rate, formula, 4 * error + share * rate, "Hz", 3, why, error)
        if case.error is None:
            allowed, why = 4 * error + 0.01 * case.rate, "4 se + 1 %, its own se is not known"
        else:
            allowed, why = 4 * float(np.hypot(error, case.error)), "4 se of both"
        yield near("    as another program ran it", rate, case.rate, allowed, "Hz", 3, why)
        off = 100 * (rate / float(theory.siegert(**given)) - 1)
        yield note("    off the formula of continuous time", off, None, "%", 1)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, TITLE, rows))
