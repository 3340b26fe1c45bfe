"""Clocked neurons in white noise, in floats and in a chip's integers, and what they fire at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import neuro_lif as nl
from neuro_lif.reference import theory


@dataclass(frozen=True)
class Count:
    """A rate and its standard error, Hz, from a number of spikes and the CV of the intervals."""

    rate: float
    spikes: int
    cv: float

    @property
    def se(self) -> float:
        return self.rate * self.cv / max(self.spikes, 1) ** 0.5

    def off(self, theory_rate: float) -> str:
        part = theory_rate / self.rate - 1
        return (f"measured {self.rate:.4f} +- {self.se:.4f} Hz ({self.spikes} spikes, CV "
                f"{self.cv:.3f}), theory {theory_rate:.4f}, {100 * part:+.2f} %")  # fmt: skip


def float_rate(
    case: dict[str, Any], dt: float, integrator: Any, n: int, t: float, seed: int, cv: float,
    jump: float = 0.0,
) -> Count:  # fmt: skip
    """Run n neurons for t seconds of ``V <- a V + b + s xi``, a spike where V >= threshold.

    With a jump (V) the noise is that of Poisson events of both signs, which add it to V.
    """
    step = theory.step_of(case["mu"], case["sigma"], case["tau_m"], dt, integrator)
    rng, steps, warm = np.random.default_rng(seed), round(t / dt), round(10 * case["tau_m"] / dt)
    held, ref, spikes = round(case["tau_r"] / dt), np.zeros(n, np.int32), 0
    v = np.full(n, case["V_0_rel"])
    for k in range(warm + steps):
        if jump:
            noise = jump * np.subtract(*rng.poisson((step.sd / jump) ** 2 / 2, (2, n)))
        else:
            noise = step.sd * rng.standard_normal(n)
        v = step.decay * v + (step.mean + noise)
        busy = ref > 0
        v[busy] = case["V_0_rel"]
        ref -= busy
        fired = v >= case["V_th_rel"]
        v[fired] = case["V_0_rel"]
        ref[fired] = held
        spikes += int(np.count_nonzero(fired)) * (k >= warm)
    return Count(spikes / (n * steps * dt), spikes, cv)


def smooth_run(case: dict[str, Any], dt: float, n: int, t: float, seed: int) -> Count:
    """Run n neurons with exponential synapses, in each step a weight of sd sigma sqrt(dt/tau_m)."""
    tau_m, tau_s = case["tau_m"], case["tau_s"]
    keep, keep_u = np.exp(-dt / tau_m), np.exp(-dt / tau_s)
    jump = tau_m / (tau_m - tau_s) * (keep - keep_u) * case["sigma"] * np.sqrt(dt / tau_m)
    rng, steps, warm = np.random.default_rng(seed), round(t / dt), round(10 * tau_m / dt)
    held, ref = round(case["tau_r"] / dt), np.zeros(n, np.int32)
    v, u = np.full(n, case["V_0_rel"]), np.zeros(n)
    rows, which = [], []
    for k in range(warm + steps):
        u = keep_u * u + jump * rng.standard_normal(n)
        v = keep * v + (1 - keep) * case["mu"] + u
        busy = ref > 0
        v[busy] = case["V_0_rel"]
        ref -= busy
        fired = np.flatnonzero(v >= case["V_th_rel"])
        v[fired] = case["V_0_rel"]
        ref[fired] = held
        if k >= warm:
            which.append(fired)
            rows.append(np.full(fired.size, k))
    neuron, step = np.concatenate(which), np.concatenate(rows)
    order = np.lexsort((step, neuron))
    return Count(step.size / (n * steps * dt), step.size, _cv_of(neuron[order], step[order]))


@dataclass(frozen=True)
class Chip:
    """A population of integers with Poisson input; mu and sigma in units of the threshold.

    Args:
        dv, theta, du: decay codes (12 bits; du None: no synaptic current) and threshold, LSB.
        mu, sigma: mean and noise of V, thresholds.
        refract: the chip's parameter; v is held for one step less.
        rounding, compare: configuration of the profile ``generic``.
        events: of either sign per step, about.
        loihi2: the profile ``loihi2`` instead, with threshold and input in units of 64 LSB.
    """

    dv: int
    theta: int
    mu: float = 0.8
    sigma: float = 0.3
    du: int | None = None
    refract: int = 1
    rounding: str = "rtz"
    compare: str = ">"
    events: float = 20.0
    dt: float = 1e-4
    loihi2: bool = False

    def network(self, n: int, seed: int) -> tuple[nl.FixedNetwork, float, float]:
        """Return the network, and mean and standard deviation of its input per step, LSB."""
        keep, kept_u = 1 - self.dv / 4096, 0.0 if self.du is None else 1 - self.du / 4096
        s = self.sigma * self.theta * np.sqrt((1 - keep**2) / 2) * (1 - kept_u)
        m = self.mu * self.theta * (1 - keep) * (1 - kept_u)
        unit = 64 if self.loihi2 else 1  # Loihi shifts threshold and input to the left by 6
        w = max(1, round(s / np.sqrt(2 * self.events) / unit))
        jump = w * unit
        more, less = (((s / jump) ** 2 + sign * m / jump) / 2 for sign in (1, -1))
        profile = nl.load_profile("generic", align_shift=0, weight_bits=16, threshold_bits=20,
                                  state_bits=32, rounding=self.rounding,
                                  compare=self.compare)  # fmt: skip
        profile = nl.load_profile("loihi2") if self.loihi2 else profile
        params = {"du": (4096 if self.du is None else self.du) - self.loihi2, "dv": self.dv,
                  "vth": self.theta // unit, "refract": self.refract}  # fmt: skip
        model = "lif_refractory" if self.loihi2 else "lif"
        fixed = nl.FixedNetwork(
            profile, (nl.FixedPopulation("p", n, model, params),), dt=self.dt, seed=seed,
            poissons=(nl.FixedPoisson("more", "p", more, w, 1),
                      nl.FixedPoisson("less", "p", less, -w, 2)),
        )  # fmt: skip
        return fixed, jump * (more - less), jump * np.sqrt(more + less)

    def compare_rates(self, n: int, steps: int, seed: int = 1) -> tuple[Count, float, float]:
        """Return what is measured, the theory, and the theory without rounding."""
        fixed, mean, sd = self.network(n, seed)
        warm = 10 * 4096 // self.dv
        raster = nl.run_fixed(fixed, warm + steps).spikes["p"][warm:]
        spikes = int(np.count_nonzero(raster))
        predicted = float(theory.fixed_rate(fixed, "p", mean, sd))
        plain = theory.clocked_rate(mean, sd, 1 - self.dv / 4096, self.theta, 0.0, self.dt,
                                    self.refract - 1,
                                    0.0 if self.du is None else 1 - self.du / 4096)  # fmt: skip
        return Count(spikes / (n * steps * self.dt), spikes, _cv(raster)), predicted, float(plain)


def _cv(raster: Any) -> float:
    """The CV of all intervals of all neurons."""
    return _cv_of(*np.nonzero(np.asarray(raster).T))


def _cv_of(neuron: Any, step: Any) -> float:
    apart = np.diff(step)[np.diff(neuron) == 0]
    return float(np.std(apart) / np.mean(apart)) if apart.size > 1 else 1.0
