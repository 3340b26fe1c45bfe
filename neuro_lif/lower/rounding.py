"""Rounds weights to whole steps: to the nearest, down, toward zero, or at random.

A random rounding is a function of a seed, the projection and the two neurons, so it depends on no
order: not on that of the synapses, nor on what was rounded before.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, is_sparse, post_of_entries
from ..draws import threefry_array
from ..formats import nearest
from .kernels import is_folded

ROUNDINGS = {
    "nearest": "to the nearest step, halves to the even one",
    "floor": "down: -1.5 becomes -2",
    "toward_zero": "toward zero: -1.5 becomes -1",
    "stochastic": "up with the probability of what is left: -1.25 becomes -1 in 3 of 4 draws",
}
"""How a weight between two representable ones is rounded."""

SLACK = 1e-9
"""A weight so close to a whole step (relative to its magnitude, or to one step) is that step: what
is representable is not moved by the error of the division."""

WEIGHTS = 2
"""Last word of the key of these draws; 0 and 1 are those of :mod:`neuro_lif.draws`."""


def rounded(steps: FloatArray, rounding: str, draws: FloatArray | None = None) -> IntArray:
    """Return whole numbers of steps.

    Args:
        steps: weights in units of a step.
        rounding: of :data:`ROUNDINGS`.
        draws: numbers in [0, 1) of the same shape, for ``stochastic``.

    Source: stochastic rounding: floor(x + draw) has the mean x; M. Hopkins et al., Phil. Trans. R.
    Soc. A 378 (2020), 20190052.
    """
    if rounding == "nearest":
        return nearest(steps)
    whole = np.rint(steps)
    near = np.abs(steps - whole) <= SLACK * np.maximum(1.0, np.abs(steps))
    if rounding == "floor":
        found = np.floor(steps)
    elif rounding == "toward_zero":
        found = np.trunc(steps)
    else:
        found = np.floor(steps + (0.0 if draws is None else draws))
    return np.asarray(np.where(near, whole, found), np.int64)


def draws_of(weights: Any, name: str, seed: int) -> FloatArray:
    """Return a number in [0, 1) for every stored weight, in stored order.

    Args:
        weights: ``(n_post, n_pre)`` dense or CSR, or a convolution, whose planar kernel's entries
            are then the stored weights.
        name: of the projection.
        seed: 0..2**32 - 1.
    """
    if is_folded(weights):  # by the entry of the kernel: one number wherever it is used
        weights = np.zeros((1, weights.kernel.size))
    n_post, n_pre = weights.shape
    pre = np.asarray(weights.indices) if is_sparse(weights) else np.tile(np.arange(n_pre), n_post)
    place = post_of_entries(weights).astype(np.uint64) * np.uint64(n_pre) + pre.astype(np.uint64)
    low, high = (place & np.uint64(2**32 - 1)).astype(np.uint32), place >> np.uint64(32)
    key = (int(seed), zlib.crc32(name.encode()), 0, WEIGHTS)
    out = np.empty(place.size)
    for word in np.unique(high):
        of = high == word
        a, b = threefry_array(low[of], int(word), key)[:2].astype(np.uint64)
        whole = (a >> np.uint64(5)) * np.uint64(2**26) + (b >> np.uint64(6))
        out[of] = whole / 2.0**53
    return out
