"""What the configurations of a sweep share: networks, profiles, and runs of both kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import FloatArray
from ..dequantize import dequantize
from ..discretize import SteppedNetwork, discretize
from ..emulator import run_fixed
from ..fixed import FixedNetwork
from ..network import (
    LIF,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    PoissonInput,
    Population,
    Probe,
    Projection,
)
from ..predict.coded import Coded
from ..predict.roundings import state_sd
from ..profiles import profile_of
from ..quantize import quantize
from ..recording import Recording
from ..reference import run_clocked
from .rows import Value

DT = 1e-3
"""s; only numbers of steps matter to the laws of single registers."""

NAME = "a"
"""The population that is looked at."""

UNIT = 12
"""Decays are multiples of 2**-12 where a law is not about how they are coded."""

NARROW = "a register spreads over so few values that its remainders lie on a lattice"

Configuration = Mapping[str, Value]


def profile_with(c: Configuration) -> Any:
    """Return the profile of a configuration: its ``profile``, and what of ``generic`` it sets."""
    from ..profile import load_profile

    name = str(c["profile"])
    if name != "generic":
        return profile_of(name)
    known = ("rounding", "decay_bits", "state_bits", "threshold_bits", "align_shift", "bias_bits",
             "weight_bits", "compare")  # fmt: skip
    given: dict[str, Any] = {k: c[k] for k in known if k in c}
    return load_profile(name, **given)


def neuron(
    tau_steps: Any, threshold: Any, bias: Any = 0.0, held: int = 0, start: Any = None,
    reset: float = 0.0,
) -> LIF:  # fmt: skip
    """Return a LIF of 1 ohm at rest at 0 V, its bias given as the potential it goes to, V."""
    return LIF(np.asarray(tau_steps) * DT, 1.0, v_rest=0.0, v_threshold=threshold, v_reset=reset,
               t_refractory=held * DT, i_bias=bias, v_init=start)  # fmt: skip


def own_senders(weights: FloatArray) -> Any:
    """Return ``(n, n k)``: every neuron has ``k`` senders of its own, weights ``(n, k)``."""
    n, k = weights.shape
    place = (np.repeat(np.arange(n), k), np.arange(n * k))
    return sp.csr_array((weights.ravel(), place), shape=(n, n * k))


def fed(
    cell: LIF, weights: Any, rate: float, seed: int, tau_u: float = 0.0, probe: bool = True,
    currents: tuple[CurrentInput, ...] = (),
) -> Network:  # fmt: skip
    """Return a population that hears Poisson sources.

    Args:
        cell: its neurons.
        weights: V per spike (or of the current: V/s... of one ohm), sparse or dense ``(n, m)``.
        rate: of each source, events per step.
        seed: of the sources.
        tau_u: steps of the exponential synapse; 0: delta synapses.
        probe: record v.
        currents: into it.
    """
    synapse = Exponential(tau_u * DT) if tau_u else Delta()
    n, m = weights.shape
    return Network(
        [Population(NAME, n, cell)], [Projection("x", "s", NAME, weights, synapse, DT)],
        [PoissonInput("s", m, rate / DT, seed=seed, draw="bernoulli"), *currents],
        [Probe(NAME, "v")] if probe else [],
    )  # fmt: skip


def lowered(network: Network, c: Configuration, **options: Any) -> tuple[FixedNetwork, Any, Any]:
    """Return the integers, what they were made from, and that with the integers' parameters.

    The step is Euler's, so a time constant of ``2**12 / d`` steps has the code d exactly.
    """
    stepped = discretize(network, DT, "euler")
    fixed = quantize(stepped, profile_with(c), **options)
    return fixed, stepped, dequantize(fixed, stepped)


def rounding_of_state(
    fixed: FixedNetwork, rounded: SteppedNetwork, n_steps: int
) -> tuple[FloatArray, FloatArray]:
    """Return what rounding the state in every step did to v, LSB, and v itself, LSB.

    Args:
        fixed: the integers.
        rounded: their parameters with a float state (:func:`neuro_lif.dequantize`).
        n_steps: of both runs.

    Returns:
        ``(n_steps, n)`` each.
    """
    lsb = fixed.population(NAME).lsb
    v = np.asarray(run_fixed(fixed, n_steps).trace(NAME, "v"), np.float64)
    return v - run_clocked(rounded, n_steps).trace(NAME, "v") / lsb, v


def mean_and_error(per_neuron: Any) -> tuple[float, float]:
    """Return the mean over independent neurons and its standard error."""
    x = np.asarray(per_neuron, np.float64)
    return float(x.mean()), float(x.std(ddof=1) / np.sqrt(x.size))


def first_spikes(run: Recording) -> FloatArray:
    """Return the step of every neuron's first spike, inf for none, ``(n,)``."""
    fired = np.asarray(run.spikes[NAME]) != 0
    return np.where(fired.any(axis=0), fired.argmax(axis=0) + 1.0, np.inf)


def shot_variance(coded: Coded, rate: float) -> float:
    """Return the variance of what arrives in a step, LSB**2, mean over neurons.

    Args:
        coded: a population whose neurons hear as many senders each.
        rate: of each sender, events per step, at most one.
    """
    weights = coded.incoming[0].coded.reshape(coded.size, -1) / coded.lsb[:, None]
    return float(rate * (1 - rate) * (weights**2).sum(axis=1).mean())


def is_narrow(coded: Coded, variance: float) -> bool:
    """Tell whether u or v takes so few values that its remainders are not equidistributed.

    Args:
        coded: a population.
        variance: of what arrives in a step, LSB**2.
    """
    du, dv = float(coded.delta_u[0]), float(coded.delta_v[0])
    spread_u = float(np.sqrt(variance / (1 - (1 - du) ** 2)))
    spread_v = float(state_sd(variance, 0.0, du, dv)) if du < 1 else (
        float(np.sqrt(variance / (1 - (1 - dv) ** 2))))  # fmt: skip
    left_u = lattice_left(du, spread_u) if du < 1 else 0.0
    return max(left_u, lattice_left(dv, spread_v)) > 0.005


def lattice_left(share: float, spread: float) -> float:
    """Return by how much the mean remainder of ``share x`` may be off, LSB, for a normal x.

    Equidistributed remainders have no mean; what is left is ``sum exp(-2 (pi spread d_h)**2) /
    (pi h)``, ``d_h`` being how far ``h share`` is from a whole number: large where the share is
    nearly a simple fraction and x spreads over few values.

    Args:
        share: lost per step, a multiple of 2**-12.
        spread: standard deviation of the register, LSB.

    Source: Fourier series of the remainder; the characteristic function of a normal variable.
    """
    units = round(share * 2**UNIT)
    harmonics = np.arange(1, 2**UNIT // np.gcd(units, 2**UNIT))
    off = np.abs(harmonics * share - np.rint(harmonics * share))
    return float((np.exp(-2 * (np.pi * spread * off) ** 2) / (np.pi * harmonics)).sum())
