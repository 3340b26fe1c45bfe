"""Rates of populations that are run in steps: of the float reference, and of a chip's integers.

The input is told by its mean and standard deviation per step; it has to be like white noise: many
small events, independent from step to step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import dawsn, erf, erfcx

from ...checks import expect
from ...discretize import SteppedNetwork
from ...errors import RangeError, show
from ...fixed import FixedNetwork
from ...formats import shift_array
from .arguments import numbers, plain
from .discrete import clocked_passage, clocked_rate
from .integrals import Y_MOST
from .siegert import Passage


class IntegerStep(NamedTuple):
    """What a population of a chip does in a step, one entry per neuron, in LSB of its voltage.

    Args:
        decay_v, decay_u: factor kept per step; decay_u is 0 where the current does not stay.
        loss_v, loss_u: mean of what the rounding of the decay takes from a positive value.
        noise_v, noise_u: variance of that rounding, LSB^2.
        towards_0: True: negative values are rounded up as positive ones are rounded down.
        bias: added per step.
        threshold: with the half LSB of its comparison.
        n_ref: steps for which v is held after the step of a spike.
    """

    decay_v: Any
    decay_u: Any
    loss_v: Any
    loss_u: Any
    noise_v: Any
    noise_u: Any
    towards_0: bool
    bias: Any
    threshold: Any
    n_ref: Any


def stepped_rate(
    stepped: SteppedNetwork, population: str, mean: npt.ArrayLike, sd: npt.ArrayLike,
    receptor: int | None = 0,
) -> Any:  # fmt: skip
    """Return the rate at which the float reference fires under a white input, Hz.

    Args:
        stepped: the network, from :func:`neuro_lif.discretize`.
        population: name of a leaky population with reset to a value.
        mean: of what arrives at the receptor per step, V, scalar or ``(n,)``; without the bias.
        sd: its standard deviation, V, >= 0.
        receptor: the synaptic state that it arrives at; None: the voltage itself (a current).

    Returns:
        ``(n,)``, or a number where all neurons are alike and one input is given.

    Raises:
        RangeError: an argument is not allowed, or the population is not of that kind.
        NetworkError: there is no such population.
    """
    expect(stepped, SteppedNetwork, "stepped_rate")
    p, where = stepped.population(population), f"stepped_rate: population {population!r}"
    if not p.spikes:
        raise RangeError(f"{where}: a read-out, allowed: a population that spikes")
    if p.reset != "value" or np.any(p.decay_v >= 1):
        raise RangeError(f"{where}: allowed: a leaky population with reset to a value")
    if receptor is not None and receptor not in range(len(p.decay_u)):
        raise RangeError(f"stepped_rate: receptor = {show(receptor)}, "
                         f"allowed: 0..{len(p.decay_u) - 1} or None")  # fmt: skip
    kept_u = np.zeros(p.size) if receptor is None else p.decay_u[receptor]
    mean, sd = numbers("stepped_rate", mean=mean, sd=sd)
    bias = p.bias * (1 - kept_u)  # it goes past u, and clocked_rate sends the mean through u
    # v counts from the reset voltage, so that the reset is 0
    return _alike(clocked_rate(mean + bias, sd, p.decay_v, p.threshold, 0.0, stepped.dt,
                               p.refractory, kept_u))  # fmt: skip


def fixed_rate(
    fixed: FixedNetwork, population: str, mean: npt.ArrayLike, sd: npt.ArrayLike
) -> Any:  # fmt: skip
    """Return the rate at which a chip's integers fire under a white input, Hz.

    Next to the rate of a clocked neuron with the chip's decay this has what truncation takes (half
    an LSB per product, from u and from v; with truncation towards 0 from positive and from negative
    values alike), the noise of rounding and the half LSB of the comparison.

    Args:
        fixed: the network.
        population: name of a population whose model is Loihi's kind of LIF (:func:`integer_step`).
        mean: of what is added to u per step, LSB of the voltage (as the chip adds it, after all
            shifts), scalar or ``(n,)``; without the bias.
        sd: its standard deviation, LSB, >= 0.

    Returns:
        ``(n,)``, or a number where all neurons are alike and one input is given.

    Raises:
        RangeError: an argument is not allowed, or the model is not of that kind.
    """
    expect(fixed, FixedNetwork, "fixed_rate")
    s = integer_step(fixed, population)
    mean, sd = numbers("fixed_rate", mean=mean, sd=sd)
    u, sd_u, kept_u = _through_u(s, mean, sd)
    drive, noise, leak = u + s.bias, np.sqrt(sd_u**2 + s.noise_v), 1 - s.decay_v
    p = clocked_passage(drive - s.loss_v, noise, s.decay_v, s.threshold, 0.0, fixed.dt, s.n_ref,
                        kept_u)  # fmt: skip
    if not s.towards_0:
        return _alike(p.nu)
    sigma = noise * np.sqrt(2 / (leak * (1 + s.decay_v)))
    tau = -fixed.dt / np.log(s.decay_v)
    more = _below_reset(p, (drive - s.loss_v) / leak / sigma, (drive + s.loss_v) / leak / sigma)
    weight = np.exp(-(np.clip(p.y_th, 0.0, Y_MOST) ** 2))
    return _alike(weight / (p.per_spike + tau * np.sqrt(np.pi) * more))


def _through_u(s: IntegerStep, mean: Any, sd: Any) -> tuple[Any, Any, Any]:
    """Return what u gives to v: mean, spread as of white noise, and the factor that u keeps.

    Truncation towards 0 takes ``loss_u * sign(u)``: of the mean what a normal u loses on the
    average, and of each deviation a share, as if the decay were stronger (statistical
    linearisation).
    """
    variance, leak = sd**2 + s.noise_u, 1.0 - s.decay_u
    u, faster = mean / leak, leak
    if not s.towards_0:
        return (mean - s.loss_u) / leak, np.sqrt(variance) / leak, s.decay_u
    for _ in range(30):  # each changes the next by a fraction
        spread = np.sqrt(np.maximum(variance, 1e-300) / (faster * (2 - faster)))
        at = u / spread
        faster = np.minimum(leak + s.loss_u * np.sqrt(2 / np.pi) * np.exp(-(at**2) / 2) / spread, 1)
        u = (u + (mean - s.loss_u * erf(at / np.sqrt(2))) / leak) / 2
    return u, np.sqrt(variance) / faster, np.where(s.decay_u > 0, 1 - faster, 0.0)


def _below_reset(p: Passage, above: Any, below: Any) -> Any:
    """Return how much longer an interval is as V below its reset, 0, is driven otherwise.

    Args:
        p: the passage under the drive above 0.
        above, below: mean of V in units of sigma, under the drive above 0 and that below 0.

    Returns:
        The time in units of ``tau sqrt(pi)``, times ``exp(-max(y_th, 0)^2)``; where the drive
        towards 0 is stronger below, it is negative. From ``int dx exp(psi(x)) int_{-inf}^x dy
        exp(-psi(y))`` with a potential psi that has another parabola below 0.
    """
    y_th, y_r = np.minimum(p.y_th, Y_MOST), np.minimum(p.y_r, Y_MOST)
    c = np.maximum(y_th, 0.0) ** 2
    square = np.exp(y_th**2 - c - y_r**2) * dawsn(y_th) - np.exp(-c) * dawsn(y_r)
    low, high = np.maximum(above, -25.0), np.maximum(below, -25.0)
    return (erfcx(high) - erfcx(low)) * square


def _alike(rates: Any) -> Any:
    rates = np.asarray(rates)
    return plain(rates.flat[0] if rates.size and np.all(rates == rates.flat[0]) else rates)


def integer_step(fixed: FixedNetwork, population: str) -> IntegerStep:
    """Return what a population of a chip does in a step.

    Args:
        fixed: the network.
        population: its model decays v (and u) by a product, adds input and bias, and resets v to 0
            where it is above the threshold, as the models ``lif`` and ``lif_refractory`` of
            loihi1, loihi2, lava-0.10, brian2-loihi-0.5 and generic do.

    Raises:
        RangeError: there is no such population, or its model is not of that kind.
    """
    expect(fixed, FixedNetwork, "integer_step")
    model = fixed.population(population).model
    where = f"population {population!r}: model {model!r} of profile {fixed.profile.name}"
    ops, params = list(_flat(fixed.profile.ops(model))), fixed.params(population)
    fire, decays = _known(where, ops)
    decay_v, loss_v, noise_v = _decay(decays["v"], params)
    decay_u, loss_u, noise_u = _decay(decays["u"], params) if "u" in decays else (0.0, 0.0, 0.0)
    adds = [op for op in ops if op["op"] == "add" and op["src"] in params]
    bias = sum(shift_array(params[op["src"]], _value(op["shift"], params)) for op in adds)
    threshold = shift_array(_value(fire["thr"], params), _value(fire["thr_shift"], params))
    held = 0 if fire["ref"] is None else np.maximum(_value(fire["ref"], params) - 1, 0)
    half = 0.5 if fire["cmp"] == ">" else -0.5
    return IntegerStep(decay_v, decay_u, loss_v, loss_u, noise_v, noise_u,
                       decays["v"]["round"] == "rtz", bias, threshold + half, held)  # fmt: skip


def _flat(ops: Any) -> Iterator[Mapping[str, Any]]:
    for op in ops:
        yield op
        for branch in ("then", "else", "do"):
            yield from _flat(op.get(branch, ()))


def _known(where: str, ops: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Return the comparison and the decay of each register, or refuse the model."""
    fires = [op for op in ops if op["op"] == "fire"]
    decays = [op for op in ops if op["op"] == "decay"]
    by = {op["reg"]: op for op in decays}
    other = {op["op"] for op in ops} - {"acc", "add", "copy", "decay", "fire", "if_ref", "set",
                                        "tick_ref"}  # fmt: skip
    plain_fire = len(fires) == 1 and fires[0]["reset"] == "value" and fires[0]["value"] == 0
    same = {op["round"] for op in decays} <= {"rtz"} or "rtz" not in {op["round"] for op in decays}
    product = all(op["kind"] == "mult_keep" and op["round"] in LOST for op in decays)
    if (
        other
        or not plain_fire
        or len(by) != len(decays)
        or "v" not in by
        or not product
        or not same
    ):
        raise RangeError(f"{where}: no theory of it, allowed: a decay of v (and u) by a product, "
                         "input, bias, and reset to 0 above a threshold")  # fmt: skip
    return fires[0], by


LOST = {"rtz": 0.5, "floor": 0.5, "nearest_up": 0.0}
"""Mean of what rounding takes from a positive product, where its fraction is anything in 0..1."""


def _decay(op: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return the factor kept, the mean lost and the variance of rounding, ``(n,)``."""
    unit = 2 ** op["k"]
    kept = unit - op["offset"] - _value(op["d"], params)
    # the fraction of a product is a multiple of 1/steps: none at all where the factor is 0 or 1
    steps = unit / np.gcd(kept, unit)
    lost = LOST[op["round"]] * (1 - 1 / steps)
    if op["round"] == "nearest_up":
        lost = lost - np.where(steps % 2 == 0, 0.5 / steps, 0.0)  # a half goes up
    return kept / unit, lost, (1 - steps**-2.0) / 12


def _value(operand: int | str, params: Mapping[str, Any]) -> Any:
    return params[operand] if isinstance(operand, str) else np.int64(operand)
