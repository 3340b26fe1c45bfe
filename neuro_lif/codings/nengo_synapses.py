"""The integers nengo-loihi 1.1.0 makes of a block's weights and learning rates, bit for bit.

Source: nengo-loihi 1.1.0, ``builder/discretize.py`` and ``block.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import IntArray, frozen
from ..errors import Faults, RangeError, show
from ..formats import nearest, overflow_array, shift_array
from .nengo_loihi import Compartment, Float32Array, IntegerCompartment, discretize_compartment

LEAST_EXPONENT = -6
"""No synapse gets a smaller weight exponent, whatever its weights."""

SHIFT_BITS = 1
"""Low bits that a mixed 8 bit weight loses."""

LEARN_OVERFLOW_BITS = 7 * 2 + 3 - 15
"""Bits by which a product of two traces and a learning rate passes the learning accumulator."""

INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, eq=False)
class Learning:
    """A learning synapse (PES) before it becomes integers.

    Args:
        weight_exp: its weight exponent.
        rate: learning rate per learning epoch (the peer's ``learning_rate`` times its epoch, 4).
        tracing_tau: steps.
        tracing_mag: what one spike adds to the trace.
    """

    weight_exp: int
    rate: float
    tracing_tau: float = 2
    tracing_mag: float = 1.0


@dataclass(frozen=True, eq=False)
class Synapses:
    """One group of synapses onto a block, in the block's own units.

    Args:
        weights: float32, any shape.
        targets: compartment of each weight, same shape.
        learning: None, or how they learn.
    """

    weights: Any
    targets: Any
    learning: Learning | None = None

    def __post_init__(self) -> None:
        weights, targets = np.asarray(self.weights, np.float32), np.asarray(self.targets, np.int64)
        faults = Faults()
        if not np.all(np.isfinite(weights)):
            faults.add("synapses", "weights", weights, "finite numbers")
        if targets.shape != weights.shape:
            faults.add("synapses", "targets", f"shape {targets.shape}", f"shape {weights.shape}")
        faults.raise_if_any(RangeError)
        object.__setattr__(self, "weights", frozen(weights))
        object.__setattr__(self, "targets", frozen(targets))

    @property
    def largest(self) -> Any:
        """Largest absolute weight, a float32; -inf where there is none."""
        return np.abs(self.weights).max() if self.weights.size else -np.inf


@dataclass(frozen=True, eq=False)
class IntegerLearning:
    """Learning rate ``rate_int * 2**rate_exp``, and the trace of each spike."""

    rate_int: int
    rate_exp: int
    tracing_tau: int
    tracing_mag: float
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """The learning rate that the integers stand for."""
        return self.rate_int * 2.0**self.rate_exp


@dataclass(frozen=True, eq=False)
class IntegerSynapses:
    """What :func:`discretize_synapse` makes.

    Args:
        weights: final integers as they are added to the current, shape as given.
        weight_exp: the group's weight exponent.
        clamped: bits by which these weights come out too strong (the peer's mistake), else 0.
        learning: None, or the integers of learning.
    """

    weights: IntArray
    weight_exp: int
    clamped: int = 0
    learning: IntegerLearning | None = None


def discretize_weights(
    weights: npt.ArrayLike,
    weight_exp: int,
    shift_bits: int = SHIFT_BITS,
    *,
    lossy_shift: bool = True,
    check_result: bool = True,
) -> IntArray:
    """Return the integers that weights on the scale -255..255 add to the current.

    int32 overflow wraps.

    Args:
        weights: any shape, scaled so that the largest is 255.
        weight_exp: the group's exponent.
        shift_bits: low bits that the weight format loses (1: 8 bit, mixed).
        lossy_shift: shift in two parts, as the chip does, which loses bits at small exponents.
        check_result: refuse results that are no 9 bit mantissas.

    Raises:
        RangeError: a weight is not finite, or a result is out of range.
    """
    values = np.asarray(weights, np.float64)  # float32 ones are halved exactly either way
    if not np.all(np.isfinite(values)):
        raise RangeError(f"weights = {show(weights)}, allowed: finite numbers")
    most, shift = (1 << (8 - shift_bits)) - 1, shift_bits + weight_exp
    whole = np.clip(nearest(values / 2.0**shift_bits), -most, most)
    if lossy_shift:
        if shift < 0:
            # rounded before the shift, which would take the floor; the cut may undo the rounding
            whole = shift_array(nearest(whole * 2.0**shift), -shift)
            whole = np.clip(whole, -most, most)
        whole = shift_array(_int32(shift_array(whole, shift)), 6)
    else:
        whole = shift_array(whole, 6 + shift)
    whole = _int32(whole)
    if check_result:
        mantissa = np.floor(whole / 2.0 ** (6 + weight_exp))
        outside = whole[(mantissa > 255) | (mantissa < -256)]
        if outside.size:
            allowed = f"mantissas -256..255 at exponent {weight_exp}"
            raise RangeError(f"weights = {int(outside[0])}, allowed: {allowed}")
    return whole


def _int32(values: IntArray) -> IntArray:
    return overflow_array(values, "wrap", *INT32)


def discretize_synapse(
    synapses: Synapses,
    w_max: Any,
    w_scale: Any,
    w_exp: int,
    *,
    repair_small_synapses: bool = False,
) -> IntegerSynapses:
    """Turn one group of synapses into integers.

    The group's exponent follows its own largest weight. The peer limits the exponent to -6 but
    scales as if it had not, so that groups more than ``2**(6 + w_exp)`` below the block's largest
    weight come out too strong.

    Args:
        synapses: the group.
        w_max: largest absolute weight of the block (its type, float32 or float64, decides the
            precision of the ratio, as in the peer).
        w_scale: mantissa per unit, a number or one per compartment.
        w_exp: the block's exponent.
        repair_small_synapses: scale by the limited exponent instead.

    Raises:
        RangeError: a weight is larger than ``w_max``, or a result is out of range.
    """
    largest, learning, clamped = synapses.largest, synapses.learning, 0
    if learning is not None:
        exponent = learning.weight_exp
        raised = w_exp - exponent
    elif largest > 1e-16:
        raised = _octaves(w_max, largest)
        exponent = max(w_exp - raised, LEAST_EXPONENT)
        clamped = exponent - (w_exp - raised)
        if repair_small_synapses:
            raised, clamped = raised - clamped, 0
    else:
        exponent = LEAST_EXPONENT
        raised = w_exp - exponent
    whole = discretize_weights(_scaled(synapses, w_scale) * 2.0**raised, exponent)
    coded = None if learning is None else _code_learning(learning, w_scale, raised)
    return IntegerSynapses(whole, exponent, clamped, coded)


def _scaled(synapses: Synapses, w_scale: Any) -> Any:
    # an array of scales is float64 and makes the product so; a number leaves it in float32
    if np.ndim(w_scale):
        return synapses.weights.astype(np.float64) * np.asarray(w_scale)[synapses.targets]
    return synapses.weights * np.float32(w_scale)


def _octaves(w_max: Any, largest: Float32Array) -> int:
    """Return how many times a group can be doubled before it passes the block's largest weight."""
    single = isinstance(w_max, np.float32)
    ratio = w_max / largest if single else np.float64(w_max) / np.float64(largest)
    octaves = int(np.floor(np.log2(ratio)))
    if not 0 <= octaves < 64:
        allowed = f"1 to 2**64 times the largest weight of the group, {largest}"
        raise RangeError(f"w_max = {w_max}, allowed: {allowed}")
    return octaves


def _code_learning(learning: Learning, w_scale: Any, raised: int) -> IntegerLearning:
    """Code the learning rate as 2**-7 and put the rest of it into the trace."""
    if np.ndim(w_scale) and not np.all(w_scale == w_scale[0]):
        raise RangeError(f"w_scale = {show(w_scale)}, allowed: one scale where synapses learn")
    scale = float(w_scale[0] if np.ndim(w_scale) else w_scale)
    rate = learning.rate * (scale * 2.0**raised) * 2.0**LEARN_OVERFLOW_BITS
    if not 0 < rate < np.inf:
        raise RangeError(f"learning rate = {learning.rate}, allowed: a finite number > 0")
    to_fixed = 2.0**-7 / rate
    rate, magnitude = rate * to_fixed, learning.tracing_mag / to_fixed
    exponent = int(np.floor(np.log2(rate)))
    if exponent < -7:
        raise RangeError(f"learning rate exponent = {exponent}, allowed: at least -7")
    notes: tuple[str, ...] = ()
    whole = int(magnitude)
    fraction = int(128 * (magnitude - whole))
    if whole > 127:
        notes = ("the trace of a spike exceeds 127; the learning rate may be too large",)
        whole, fraction = 127, 127
    return IntegerLearning(
        int(nearest(rate * 2.0**-exponent)),
        exponent,
        int(nearest(learning.tracing_tau)),
        whole + fraction / 128.0,
        notes,
    )


def discretize_block(
    compartment: Compartment,
    synapses: Sequence[Synapses],
    *,
    repair_small_synapses: bool = False,
) -> tuple[IntegerCompartment, tuple[IntegerSynapses, ...]]:
    """Turn a block, compartments and all synapses onto it, into integers.

    Raises:
        LoweringError, RangeError: see :func:`discretize_compartment` and
            :func:`discretize_synapse`.
    """
    w_max = max((s.largest for s in synapses), default=0)
    coded = discretize_compartment(compartment, float(w_max))
    groups = tuple(
        discretize_synapse(
            s, w_max, coded.w_scale, coded.w_exp, repair_small_synapses=repair_small_synapses
        )
        for s in synapses
    )
    return coded, groups
