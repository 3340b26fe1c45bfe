"""Predicts the error of v at a scale from the spikes of the calibration inputs, without a run.

Source: F2, F4 and F5 of docs/predict.md: rounding a weight by d moves the mean of v by
d * rate / (du dv) and its variance by d**2 * rate / (du**2 (1 - (1 - dv)**2)); truncation takes
(1 + 1/du) / (2 dv) LSB from v; the threshold is off by what its code is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, is_sparse, post_of_entries, with_entries
from ..discretize import SteppedPopulation, SteppedProjection
from ..lower.bounds import LEAST_LEAK, Incoming
from ..lower.draft import Draft
from ..lower.incoming import incoming_of
from ..lower.lattice import Room
from ..lower.search import SAMPLE, Scale, error_at
from .meant import Meant


@dataclass(frozen=True, eq=False)
class Heard:
    """One projection onto some of a population's neurons.

    Args:
        weights: rows of those neurons, dense or CSR; their values do not matter.
        part: the same synapses as the search of scales sees them.
        sent: spikes per step of the senders ``(samples, n_pre)``.
    """

    weights: Any
    part: Incoming
    sent: FloatArray

    def charge(self, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what errors of the weights do to the input of a step.

        Args:
            errors: one per synapse, V per step.

        Returns:
            (mean ``(n, samples)`` V per step, variance ``(n,)``).
        """
        mean = with_entries(self.weights, errors) @ self.sent.T
        spread = with_entries(self.weights, errors**2) @ self.sent.mean(axis=0)
        return np.asarray(mean), np.asarray(spread)


@dataclass(frozen=True, eq=False)
class Listener:
    """A population as the laws see it.

    Args:
        room: what bounds its scale.
        rows: the neurons that are looked at.
        heard: the projections onto them.
    """

    room: Room
    rows: IntArray
    heard: tuple[Heard, ...]

    def of_charge(self, charge: tuple[FloatArray, FloatArray], corrected: bool) -> float:
        """Return the mean square error of v by an error of the input, a share of the threshold."""
        demand, rows = self.room.demand, self.rows
        loss_u = np.maximum(demand.loss_u, 1e-6)[rows]
        loss_v = np.maximum(demand.loss_v, LEAST_LEAK)[rows]
        mean, spread = charge
        if corrected:
            mean = mean - mean.mean(axis=1, keepdims=True)
        moved = mean / (loss_u * loss_v * self.room.reference[rows])[:, None]
        through = loss_u**2 * (1.0 - (1.0 - loss_v) ** 2) * self.room.reference[rows] ** 2
        return float(np.mean(moved**2) + np.mean(spread / through))

    def charge_of(self, scale: Scale) -> tuple[FloatArray, FloatArray]:
        """Return the error of the input with all weights coded at a scale."""
        samples = self.heard[0].sent.shape[0] if self.heard else 1
        mean, spread = np.zeros((len(self.rows), samples)), np.zeros(len(self.rows))
        for one, exponent in zip(self.heard, scale.exponents, strict=True):
            errors = error_at(one.part, self.room.limits, scale.lsb_per_volt, exponent)
            more, wider = one.charge(errors)
            mean, spread = mean + more, spread + wider
        return mean, spread

    def predicted(self, scale: Scale, corrected: bool) -> float:
        """Return the predicted error of v at a scale, a share of the threshold."""
        square = self.of_charge(self.charge_of(scale), corrected)
        truncation = 0.0 if corrected else scale.predicted["truncation"]
        return float(np.sqrt(square + scale.predicted["threshold"] ** 2 + truncation**2))


def listener(draft: Draft, p: SteppedPopulation, room: Room, meant: Meant) -> Listener:
    """Return a population as the laws see it; of many synapses those of some neurons."""
    pairs = incoming_of(draft, p, whole=True)
    synapses = sum(part.values.size for _, part in pairs)
    count = max(1, min(p.size, int(p.size * SAMPLE / max(synapses, 1))))
    rows = np.unique(np.linspace(0, p.size - 1, count).astype(np.int64))
    heard = tuple(_heard(q, part, rows, p.size, meant.sent[q.pre]) for q, part in pairs)
    return Listener(room, rows, heard)


def _heard(q: SteppedProjection, part: Incoming, rows: IntArray, n: int, sent: FloatArray) -> Heard:
    if len(rows) == n:
        return Heard(q.matrix, part, sent)
    chosen = np.isin(post_of_entries(q.weights), rows)
    weights = q.matrix[rows] if is_sparse(q.matrix) else np.asarray(q.matrix)[rows]
    fewer = replace(
        part, values=part.values[chosen], post=part.post[chosen], lane=0, lanes=1,
        draws=None if part.draws is None else part.draws[chosen],
    )  # fmt: skip
    return Heard(weights, fewer, sent)
