"""The integers nengo-loihi 1.1.0 makes of a block's compartments, bit for bit.

Every function is pure and stands for one of the peer's. What decides is not only the formula but
the precision it is computed in: the peer keeps a block in float32 and its scales in float64, and
runs on numpy 1, where a float64 scalar times a float32 array is a float32 array. Each product here
says its precision, so the integers are the peer's under numpy 2 as well.

Source: nengo-loihi 1.1.0, ``builder/discretize.py`` and ``block.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, frozen
from ..errors import Faults, LoweringError, RangeError
from ..formats import nearest
from .nengo_numbers import (
    BIAS_MAX,
    Q_BITS,
    VTH_MAX,
    bias_to_manexp,
    code_decays,
    decay_int,
    decay_magnitude,
    expect_fits,
    overflow_signed,
    vth_to_manexp,
)

__all__ = [
    "Compartment",
    "IntegerCompartment",
    "bias_to_manexp",
    "code_decays",
    "decay_int",
    "decay_magnitude",
    "discretize_compartment",
    "overflow_signed",
    "vth_to_manexp",
]

WEIGHT_EXPONENTS = range(0, -8, -1)
"""Exponents of a block, in the order in which the peer tries them."""
NO_DECAY = 0.5 / 2**12
"""A decay that is not above this cannot be used to scale (``Compartment.DECAY_SCALE_TH``)."""

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Compartment:
    """A block's compartments before they become integers, in the block's own units.

    Args:
        decay_u, decay_v: ``(n,)`` share of u and v lost per step, 0..1; kept as float32.
        vth, bias: ``(n,)`` threshold and bias; kept as float32.
        scale_u, scale_v: whether inputs are meant before u's (v's) decay shrinks or sums them.
        vmin, vmax: bounds of v, vmin at most 0; may be infinite.
        refract_delay: ``(n,)`` steps, 1: v is held for no step after the spike's.
        enable_noise: ``(n,)`` truth values.
        noise_exp, noise_offset: power of ten of the noise, and its offset.
        noise_at_membrane: 0: noise enters u, 1: v.

    Raises:
        RangeError: a shape does not fit, or a number is not finite.
    """

    decay_u: Any
    decay_v: Any
    vth: Any
    bias: Any
    scale_u: bool = True
    scale_v: bool = False
    vmin: float = 0.0
    vmax: float = float("inf")
    refract_delay: Any = 1
    enable_noise: Any = False
    noise_exp: float = 0.0
    noise_offset: float = 0.0
    noise_at_membrane: int = 0

    def __post_init__(self) -> None:
        faults = Faults()
        kinds = dict.fromkeys(("decay_u", "decay_v", "vth", "bias"), np.float32)
        sizes = [int(np.size(getattr(self, name))) for name in kinds]
        n = max(sizes)
        if 0 in sizes:
            faults.add("compartment", "size", 0, "at least one neuron")
        for name, kind in (kinds | {"refract_delay": np.int64, "enable_noise": np.bool_}).items():
            stored = _stored(getattr(self, name), n, kind)
            if stored is None:
                text = f"finite numbers, a scalar or shape ({n},)"
                faults.add("compartment", name, getattr(self, name), text)
            object.__setattr__(self, name, stored)
        if not self.noise_exp <= 308:
            faults.add("compartment", "noise_exp", self.noise_exp, "a power of ten up to 308")
        if not abs(self.noise_offset) <= 2.0**30:
            faults.add("compartment", "noise_offset", self.noise_offset, "-2**30..2**30")
        faults.raise_if_any(RangeError)


def _stored(given: Any, n: int, kind: Any) -> Any:
    """Return a read-only ``(n,)`` array of ``kind``, or None where ``given`` is no such thing."""
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.shape not in ((), (n,)):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        wide = np.broadcast_to(array, (n,)).astype(kind)
    return frozen(wide) if np.all(np.isfinite(array)) and np.all(np.isfinite(wide)) else None


@dataclass(frozen=True, eq=False)
class IntegerCompartment:
    """What :func:`discretize_compartment` makes: the chip's integers and the scales behind them.

    Args:
        decay_u, decay_v, vth, bias, refract_delay, enable_noise: ``(n,)`` integers.
        vmin, vmax, noise_exp, noise_offset, noise_at_membrane: integers of the whole block.
        w_exp: weight exponent of the block's largest weight.
        v_scale: LSB of v per unit.
        b_scale, w_scale: LSB of the bias, weight mantissa per unit: a number or ``(n,)``.
        notes: what the peer warns of.
    """

    decay_u: IntArray
    decay_v: IntArray
    vth: IntArray
    bias: IntArray
    refract_delay: IntArray
    enable_noise: IntArray
    vmin: int
    vmax: int
    noise_exp: int
    noise_offset: int
    noise_at_membrane: int
    w_exp: int
    v_scale: float
    b_scale: Any
    w_scale: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Scales:
    w_exp: int
    v: FloatArray
    bias: Any
    weight: Any
    vth_real: FloatArray
    bias_real: Any


def discretize_compartment(compartment: Compartment, w_max: float) -> IntegerCompartment:
    """Turn a block's compartments into integers.

    Args:
        compartment: the block, in its own units.
        w_max: largest absolute weight of all synapses onto it (-inf where there are none).

    Raises:
        LoweringError: no weight exponent, or no scale of the bias, holds threshold and bias; a
            decay cannot be used to scale; the neurons' decays differ, so that they want scales of
            their own.
        RangeError: threshold or bias does not fit.
    """
    c, w_max = compartment, float(w_max)
    expect_fits("vth", c.vth, c.vth > 0, "numbers > 0")
    decay_u, decay_v = code_decays(c.decay_u, c.decay_v)
    u_factor = _factor("decay_u", decay_u, 1) if c.scale_u else np.ones(len(decay_u))
    v_factor = _factor("decay_v", decay_v, 0) if c.scale_v else np.ones(len(decay_v))
    scales = _choose_scales(c, w_max, u_factor, v_factor)
    vth_man, vth_exp = vth_to_manexp(scales.vth_real)
    bias_man, bias_exp = bias_to_manexp(scales.bias_real)
    if not np.all(scales.v == scales.v[0]):
        raise LoweringError(
            f"compartment: decay_u = {_span(decay_u)}, decay_v = {_span(decay_v)}, allowed: one "
            "decay for all neurons, since nengo-loihi scales a block as a whole "
            "(give neurons of other time constants their own population)"
        )
    v_scale = float(scales.v[0])
    noise_exp, notes = _code_noise(c, v_scale)
    vmin, vmax = _code_bounds(c, v_scale)
    return IntegerCompartment(
        decay_u, decay_v, vth_man << vth_exp, bias_man << bias_exp,
        np.asarray(c.refract_delay, np.int64), np.asarray(c.enable_noise, np.int64), vmin, vmax,
        noise_exp, int(nearest(2 * c.noise_offset)), int(c.noise_at_membrane), scales.w_exp,
        v_scale, scales.bias, scales.weight, notes,
    )  # fmt: skip


def _span(values: IntArray) -> str:
    lo, hi = int(values.min()), int(values.max())
    return str(lo) if lo == hi else f"{lo}..{hi}"


def _factor(name: str, decay: IntArray, offset: int) -> FloatArray:
    """Return by how much an input shrinks until it is gone, as its decay sums it up."""
    factor = np.asarray(1.0 / decay_magnitude(decay, offset=offset))
    if not np.all(np.isfinite(factor)):
        raise LoweringError(
            f"compartment: {name} = {_span(decay)}, allowed: {1 - offset}..4095 where inputs are "
            f"scaled by it (the time constant is too long, or the decay is no share)"
        )
    return factor


def _choose_scales(c: Compartment, w_max: float, u: FloatArray, v: FloatArray) -> _Scales:
    b_max = float(np.abs(c.bias).max())
    if w_max > 1e-8:
        tried = _by_weight(c, w_max, u, v)
    elif b_max > 1e-8:
        tried = _by_bias(c, b_max, u, v)
    else:
        return _by_threshold(c, u, v)
    for scales in tried:
        if np.all(scales.vth_real <= VTH_MAX) and np.all(np.abs(scales.bias_real) <= BIAS_MAX):
            return scales
    raise LoweringError(
        f"compartment: vth up to {c.vth.max():g}, bias up to {b_max:g}, weights up to {w_max:g}, "
        f"allowed: a threshold of at most {VTH_MAX} and a bias of at most {BIAS_MAX} LSB at some "
        "weight exponent 0..-7 (nengo-loihi finds none; scale the weights up or the bias down)"
    )


def _by_weight(c: Compartment, w_max: float, u: FloatArray, v: FloatArray) -> Iterator[_Scales]:
    """Scale so that the largest weight is 255, at ever smaller exponents."""
    weight = 255.0 / w_max
    unit = 1.0 / (u * v)
    for exponent in WEIGHT_EXPONENTS:
        v_scale = np.asarray(unit * weight * 2.0 ** (6 + exponent))
        bias = v_scale * v
        vth_real, bias_real = np.rint(c.vth * v_scale), np.rint(c.bias * bias)
        yield _Scales(exponent, v_scale, bias, weight, vth_real, bias_real)


def _by_bias(c: Compartment, b_max: float, u: FloatArray, v: FloatArray) -> Iterator[_Scales]:
    """Scale so that the largest bias is the largest there is, then halve."""
    bias = BIAS_MAX / b_max
    while bias * b_max > 1:
        v_scale = np.asarray(bias / v)
        weight = bias * u / 64
        # a scalar scale leaves the product in float32, and with it the logarithm of its exponent
        bias_real = np.rint(c.bias * np.float32(bias))
        # the bias fits by construction; the peer does not look at it again
        yield _Scales(0, v_scale, bias, weight, np.rint(c.vth * v_scale), bias_real)
        bias /= 2.0


def _by_threshold(c: Compartment, u: FloatArray, v: FloatArray) -> _Scales:
    """Scale by the threshold alone, kept low enough for learned weights not to overflow."""
    v_scale = np.array([min(VTH_MAX, (1 << Q_BITS) - 1) / (float(c.vth.max()) + 1)])
    bias = v_scale * v
    vth_real, bias_real = np.rint(c.vth * v_scale), np.rint(c.bias * bias)
    return _Scales(0, v_scale, bias, v_scale * v * u / 64, vth_real, bias_real)


def _code_noise(c: Compartment, v_scale: float) -> tuple[int, tuple[str, ...]]:
    """Return the noise exponent 1..23 and what the peer warns of.

    Noise below the lower limit is announced as such, yet it stays enabled at exponent 1.
    """
    with np.errstate(divide="ignore", over="ignore"):
        real = np.rint(np.log2(np.float64(10.0 ** float(c.noise_exp)) * v_scale))
    notes, enabled = [], bool(np.any(c.enable_noise))
    expect_fits("noise_exp", c.noise_exp, not enabled or real < np.inf, "a finite amplitude")
    if enabled and real < 1:
        notes.append("noise falls below the lower limit; nengo-loihi raises it to exponent 1")
    if enabled and real > 23:
        notes.append(f"noise exceeds the upper limit ({real:g} > 23); it is cut to exponent 23")
    return int(np.clip(real, 1, 23)), tuple(notes)


def _code_bounds(c: Compartment, v_scale: float) -> tuple[int, int]:
    """Return (vmin, vmax): rounded to the powers of two that the chip has."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lo = np.clip(np.rint(np.log2(np.float64(1 - v_scale * c.vmin))), 0, 31)
        hi = np.clip(np.rint((np.log2(np.float64(v_scale * c.vmax + 1)) - 9) * 0.5), 0, 7)
    expect_fits("vmin", c.vmin, not np.isnan(lo), "a number <= 0, or -inf")
    expect_fits("vmax", c.vmax, not np.isnan(hi), "a number >= 0, or inf")
    return 1 - (1 << int(lo)), (1 << (9 + 2 * int(hi))) - 1
