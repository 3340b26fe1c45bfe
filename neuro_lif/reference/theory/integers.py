"""What a chip's integers do in a step, and the rate that follows: the one theory of integers.

:func:`.populations.fixed_rate` and :func:`neuro_lif.predict.rate_error` both end here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import dawsn, erf, erfcx

from ...checks import expect
from ...errors import RangeError
from ...fixed import FixedNetwork
from ...formats import shift_array
from .discrete import check_decay, clocked_passage
from .integrals import Y_MOST
from .residual import KINDS, Residual, residual_of
from .siegert import Passage


class IntegerStep(NamedTuple):
    """What a population of a chip does in a step, one entry per neuron, in LSB of its voltage.

    Args:
        decay_v, decay_u: factor kept per step; decay_u is 0 where the current does not stay.
        loss_v, loss_u: mean of what the rounding of the decay takes from a positive value.
        back_v, back_u: mean of what it gives to a negative one: as much under rounding towards 0,
            ``-loss`` where all values are rounded alike.
        noise_v, noise_u: variance of that rounding, LSB^2.
        bias: added per step.
        threshold: with the half LSB of its comparison.
        n_ref: steps for which v is held after the step of a spike.
    """

    decay_v: Any
    decay_u: Any
    loss_v: Any
    loss_u: Any
    back_v: Any
    back_u: Any
    noise_v: Any
    noise_u: Any
    bias: Any
    threshold: Any
    n_ref: Any


class White(NamedTuple):
    """What arrives per step, as good as independent from step to step, in LSB of the voltage.

    Args:
        mean, sd: of what is added to u.
        direct_mean, direct_sd: of a current that is coded so that u follows it, and so reaches v
            without u's memory. With a u that stays, one of the two spreads has to be 0.
    """

    mean: Any = 0.0
    sd: Any = 0.0
    direct_mean: Any = 0.0
    direct_sd: Any = 0.0


def integer_rate(s: IntegerStep, arriving: White, dt: float) -> Any:
    """Return the rate of integers under a white input, Hz, in the shape of all that is given.

    The rate of a clocked neuron with the step's decay, its drive less what rounding takes above the
    reset; where v is below its reset, 0, rounding does something else, which makes each interval
    longer (:func:`_below_reset`). Without losses and noise it is the rate of a clocked neuron of
    real numbers.

    Args:
        s: the step; in LSB or any other unit of its own.
        arriving: in the same unit.
        dt: s.

    Raises:
        RangeError: v or u keeps all of itself in a step, or v nothing.
    """
    check_decay("rate of a population", "decay_v", np.asarray(s.decay_v), 0.0)
    check_decay("rate of a population", "decay_u", np.asarray(s.decay_u), -1e-300)
    u, sd_u, kept_u = _through_u(s, arriving)
    drive, noise, leak = u + s.bias, np.sqrt(sd_u**2 + s.noise_v), 1 - s.decay_v
    shape = np.broadcast(drive, noise, leak, s.threshold, s.n_ref, kept_u).shape
    p = clocked_passage(drive - s.loss_v, noise, s.decay_v, s.threshold, 0.0, dt, s.n_ref,
                        kept_u)  # fmt: skip
    tau = -dt / np.log(s.decay_v)
    sigma = noise * np.sqrt(2 / (leak * (1 + s.decay_v)))
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [np.ravel(np.broadcast_to(x / leak / sigma, shape))
                 for x in (drive - s.loss_v, drive + s.back_v)]  # fmt: skip
    # without noise v never goes below the reset, unless it stays there
    more = np.where(p.noisy, _below_reset(p, *means), 0.0)
    weight = np.exp(-(np.clip(p.y_th, 0.0, Y_MOST) ** 2))
    longer = np.ravel(np.broadcast_to(tau, shape)) * np.sqrt(np.pi) * more
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(p.nu > 0, weight / (p.per_spike + longer), 0.0)
    return rate.reshape(shape)


def _through_u(s: IntegerStep, a: White) -> tuple[Any, Any, Any]:
    """Return what u gives to v: mean, spread as of white noise, and the factor that u keeps.

    Rounding gives u ``r = c + d sign(u)`` in a step: of the mean what a normal u gets on the
    average, and of each deviation a share, as if the decay were another (statistical
    linearisation).
    """
    leak, follows = 1.0 - s.decay_u, np.asarray(a.direct_sd) > 0
    mean = a.mean + leak * a.direct_mean
    c, d = (s.back_u - s.loss_u) / 2, -(s.back_u + s.loss_u) / 2
    variance = a.sd**2 + (leak * a.direct_sd) ** 2 + s.noise_u
    u, faster = (mean + c) / leak, leak
    for _ in range(30):  # each changes the next by a fraction
        memory = np.where(follows, leak**2, faster * (2 - faster))
        spread = np.sqrt(np.maximum(variance, 1e-300) / memory)
        at = u / spread
        faster = leak - d * np.sqrt(2 / np.pi) * np.exp(-(at**2) / 2) / spread
        faster = np.clip(faster, leak / 2, 1)
        u = (u + (mean + c + d * erf(at / np.sqrt(2))) / leak) / 2
    return u, np.sqrt(variance) / faster, np.where((s.decay_u > 0) & ~follows, 1 - faster, 0.0)


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
    ops, params = model_ops(fixed, population), fixed.params(population)
    model = fixed.population(population).model
    where = f"population {population!r}: model {model!r} of profile {fixed.profile.name}"
    fire, decays = _known(where, ops)
    decay_v, by_v = _decay(decays["v"], params)
    decay_u, by_u = _decay(decays["u"], params) if "u" in decays else (0.0, None)
    adds = [op for op in ops if op["op"] == "add" and op["src"] in params]
    bias = sum(shift_array(params[op["src"]], _value(op["shift"], params)) for op in adds)
    threshold = shift_array(_value(fire["thr"], params), _value(fire["thr_shift"], params))
    held = 0 if fire["ref"] is None else np.maximum(_value(fire["ref"], params) - 1, 0)
    half = 0.5 if fire["cmp"] == ">" else -0.5
    return step_with(decay_v, decay_u, by_v, by_u, bias, threshold + half, held)


def step_with(
    decay_v: Any, decay_u: Any, by_v: Residual | None, by_u: Residual | None, bias: Any,
    threshold: Any, n_ref: Any,
) -> IntegerStep:  # fmt: skip
    """Return a step whose roundings are told by their :class:`.residual.Residual`; None: none."""
    (lost_v, back_v, noise_v), (lost_u, back_u, noise_u) = (
        (0.0, 0.0, 0.0) if r is None else (-r.mean[1], r.mean[0], r.variance) for r in (by_v, by_u)
    )
    return IntegerStep(decay_v, decay_u, lost_v, lost_u, back_v, back_u, noise_v, noise_u, bias,
                       threshold, n_ref)  # fmt: skip


def model_ops(fixed: FixedNetwork, population: str) -> list[Mapping[str, Any]]:
    """Return the operations of a population's model, those of branches too."""
    return list(_flat(fixed.profile.ops(fixed.population(population).model)))


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
    product = all(op["kind"] in KINDS and op["into"] is None for op in decays)
    if other or not plain_fire or len(by) != len(decays) or "v" not in by or not product:
        raise RangeError(f"{where}: no theory of it, allowed: a decay of v (and u) by a product, "
                         "input, bias, and reset to 0 above a threshold")  # fmt: skip
    return fires[0], by


def _decay(op: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, Residual]:
    """Return the factor kept ``(n,)`` and what the rounding does."""
    code = _value(op["d"], params)
    kept = code if op["kind"] == "mult_by" else 2 ** op["k"] - op["offset"] - code
    return kept / 2.0 ** op["k"], residual_of(op, code)


def _value(operand: int | str, params: Mapping[str, Any]) -> Any:
    return params[operand] if isinstance(operand, str) else np.int64(operand)
