"""Keeps a drive that stays below the threshold there, whatever way its numbers are rounded.

Biases and currents that are meant to bring v no higher than the threshold never fire in float. In
integers the bias, the threshold and the current are rounded each for itself, so such a neuron,
close to its threshold, might fire for ever. Where that could be, the bias is rounded down, and the
current is coded so that v is never above what it is meant to be, to the threshold as it was coded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..discretize import SteppedPopulation
from ..network import Constant
from .demands import bias_of, constant_current
from .draft import Draft
from .encode import described, is_streamed, largest_current
from .incoming import leak_gain

CLOSE = 0.99
"""Share of the coded threshold above which a drive is held below it."""


@dataclass(frozen=True)
class Held:
    """What holds a population's drive below its threshold.

    Args:
        close: ``(n,)`` whose drive is held.
        bias: ``(n,)`` largest bias, LSB per step; infinite where it is free.
        current: ``(n,)`` factor on currents, 1 where they are free.
    """

    close: Any
    bias: FloatArray
    current: FloatArray


def held_drive(draft: Draft, p: SteppedPopulation, threshold: FloatArray) -> Held:
    """Return what holds the drive of a population at or below its coded threshold.

    Args:
        draft: with scales.
        p: the population.
        threshold: ``(n,)`` as coded, LSB: the highest v that does not fire.
    """
    plan, n = draft.plans[p.name], p.size
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    free = Held(np.zeros(n, bool), np.full(n, np.inf), np.ones(n))
    if not p.spikes:
        return free
    current = _largest(draft, p) * leak_gain(p, plan, draft.compensate) * s
    bias = bias_of(draft, p) * s
    usable = plan.loss_v > 0
    settles = np.where(usable, (bias + current) / np.where(usable, plan.loss_v, 1.0), 0.0)
    leak = np.where(p.leak_v > 0, p.leak_v, np.inf)
    meant = (p.bias + constant_current(draft, p) + _largest(draft, p)) / leak
    below = usable & (p.leak_v > 0) & (meant <= p.threshold * (1 + 1e-9))
    close = below & (settles > CLOSE * threshold) & (threshold > 0)
    share = np.where(close, np.minimum(1.0, threshold / np.where(close, settles, 1.0)), 1.0)
    room = threshold * plan.loss_v - np.maximum(current * share, 0.0)
    return Held(close, np.where(close, np.maximum(room, 0.0), np.inf), share)


def _largest(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return the largest described current that varies, V per step ``(n,)``."""
    total = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population != p.name or c.stimulus is None or isinstance(c.stimulus, Constant):
            continue
        if is_streamed(draft.stepped, c, draft.n_steps):
            total += p.gain * largest_current(draft.stepped, c, draft.n_steps)
            continue
        amperes = described(draft.stepped, c, draft.n_steps)
        total += (p.gain * amperes).max(axis=0, initial=0.0)
    return total
