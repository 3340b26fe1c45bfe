"""What rounding takes from the mean input and from v, to be added to the bias.

Source: bias correction, E[w_q x] - E[w x]: M. Nagel et al., "Data-free quantization through weight
equalization and bias correction", ICCV 2019; the compensator of truncation: F2, docs/predict.md.
"""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, entries, with_entries
from ..discretize import SteppedPopulation
from ..lower.bounds import Demand
from ..lower.demands import bias_of
from ..lower.draft import Draft
from ..lower.incoming import incoming_of
from ..lower.lattice import Room
from ..lower.search import Scale, error_at
from .meant import Meant


def correction(
    draft: Draft, p: SteppedPopulation, room: Room, scale: Scale, meant: Meant
) -> FloatArray:
    """Return what to add to a population's bias at a scale, V per step ``(n,)``.

    A current of x in every step becomes x / du in u, so it is a bias of that.
    """
    lost, mean = np.zeros(p.size), np.zeros(p.size)
    for (q, part), exponent in zip(incoming_of(draft, p, whole=True), scale.exponents, strict=True):
        sent = meant.sent[q.pre].mean(axis=0)
        errors = error_at(part, room.limits, scale.lsb_per_volt, exponent)
        lost += np.asarray(with_entries(q.weights, errors) @ sent)
        mean += np.asarray(with_entries(q.weights, np.asarray(entries(part.values))) @ sent)
    loss_u = np.maximum(room.demand.loss_u, 1e-6)
    drive = mean / loss_u + bias_of(draft, p)
    return np.asarray(compensator(room.demand, mean, drive) / scale.lsb_per_volt - lost / loss_u)


def compensator(demand: Demand, mean: FloatArray, drive: FloatArray) -> FloatArray:
    """Return LSB per step against what truncating u and v takes from their magnitude ``(n,)``.

    Args:
        demand: of the population; ``lost`` LSB per rounding.
        mean: mean synaptic input, V per step; its sign is that of u.
        drive: u and the bias; its sign is that of v.
    """
    loss_u = np.maximum(demand.loss_u, 1e-6)
    through_u = np.where(demand.loss_u < 1.0, np.sign(mean) / loss_u, 0.0)
    return np.asarray(demand.lost * (np.sign(drive) + through_u))
