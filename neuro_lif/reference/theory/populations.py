"""Rates of populations that are run in steps: of the float reference, and of a chip's integers.

The input is told by its mean and standard deviation per step, or read from the network
(:mod:`.described`); it has to be like white noise: many small events, independent from step to
step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...checks import expect
from ...discretize import SteppedNetwork
from ...errors import RangeError, show
from ...fixed import FixedNetwork
from .arguments import numbers, plain
from .described import fixed_input, stepped_input
from .discrete import clocked_rate
from .integers import White, integer_rate, integer_step, step_with


def stepped_rate(
    stepped: SteppedNetwork, population: str, mean: npt.ArrayLike | None = None,
    sd: npt.ArrayLike | None = None, receptor: int | None = 0,
) -> Any:  # fmt: skip
    """Return the rate at which the float reference fires under a white input, Hz.

    Args:
        stepped: the network, from :func:`neuro_lif.discretize`.
        population: name of a leaky population with reset to a value.
        mean: of what arrives at the receptor per step, V, scalar or ``(n,)``; without the bias,
            but with everything else. None (with sd): what the network describes is read: constant
            currents, GaussianNoise, and PoissonInput with a constant rate through one synaptic time
            constant (:func:`.described.stepped_input`).
        sd: its standard deviation, V, >= 0.
        receptor: the synaptic state that it arrives at; None: the voltage itself (a current). Not
            looked at where the input is read.

    Returns:
        ``(n,)``, or a number where all neurons are alike and get the same.

    Raises:
        RangeError: an argument is not allowed, the population is not of that kind, or it receives
            something whose mean and spread are not described.
        NetworkError: there is no such population.
    """
    expect(stepped, SteppedNetwork, "stepped_rate")
    p, where = stepped.population(population), f"stepped_rate: population {population!r}"
    if not p.spikes:
        raise RangeError(f"{where}: a read-out, allowed: a population that spikes")
    if p.reset != "value" or np.any(p.decay_v >= 1):
        raise RangeError(f"{where}: allowed: a leaky population with reset to a value")
    told = _told("stepped_rate", mean, sd)
    if told is None:
        arriving, kept_u = stepped_input(stepped, population)
        step = step_with(p.decay_v, kept_u, None, None, p.bias, p.threshold, p.refractory)
        return _alike(integer_rate(step, arriving, stepped.dt))
    if receptor is not None and receptor not in range(len(p.decay_u)):
        raise RangeError(f"stepped_rate: receptor = {show(receptor)}, "
                         f"allowed: 0..{len(p.decay_u) - 1} or None")  # fmt: skip
    kept_u = np.zeros(p.size) if receptor is None else p.decay_u[receptor]
    bias = p.bias * (1 - kept_u)  # it goes past u, and clocked_rate sends the mean through u
    # v counts from the reset voltage, so that the reset is 0
    return _alike(clocked_rate(told[0] + bias, told[1], p.decay_v, p.threshold, 0.0, stepped.dt,
                               p.refractory, kept_u))  # fmt: skip


def fixed_rate(
    fixed: FixedNetwork, population: str, mean: npt.ArrayLike | None = None,
    sd: npt.ArrayLike | None = None,
) -> Any:  # fmt: skip
    """Return the rate at which a chip's integers fire under a white input, Hz.

    Next to the rate of a clocked neuron with the chip's decay this has what rounding the decay
    takes (truncation: half an LSB per product, from u and from v; with truncation towards 0 from
    positive and from negative values alike), the noise of rounding and the half LSB of the
    comparison.

    Args:
        fixed: the network.
        population: name of a population whose model is Loihi's kind of LIF (:func:`integer_step`).
        mean: of what is added to u per step, LSB of the voltage (as the chip adds it, after all
            shifts), scalar or ``(n,)``; without the bias, but with everything else. None (with sd):
            what the network holds is read: the currents that quantize() coded from GaussianNoise,
            PoissonInput and FixedPoisson of a constant rate (:func:`.described.fixed_input`).
            Constant currents are in the bias.
        sd: its standard deviation, LSB, >= 0.

    Returns:
        ``(n,)``, or a number where all neurons are alike and get the same.

    Raises:
        RangeError: an argument is not allowed, the model is not of that kind, or the population
            receives something whose mean and spread are not known.
    """
    expect(fixed, FixedNetwork, "fixed_rate")
    step = integer_step(fixed, population)
    told = _told("fixed_rate", mean, sd)
    arriving = fixed_input(fixed, population) if told is None else White(*told)
    return _alike(integer_rate(step, arriving, fixed.dt))


def _told(where: str, mean: Any, sd: Any) -> tuple[Any, Any] | None:
    """Return the input where it was given, None where it is to be read.

    Raises:
        RangeError: one of the two alone, or no numbers.
    """
    if mean is None and sd is None:
        return None
    if mean is None or sd is None:
        raise RangeError(f"{where}: mean = {show(mean)}, sd = {show(sd)}, allowed: both, or "
                         "neither (what the network describes)")  # fmt: skip
    mean, sd = numbers(where, mean=mean, sd=sd)
    return mean, sd


def _alike(rates: Any) -> Any:
    rates = np.asarray(rates)
    return plain(rates.flat[0] if rates.size and np.all(rates == rates.flat[0]) else rates)
