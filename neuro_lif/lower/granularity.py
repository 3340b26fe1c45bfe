"""What has a resolution of its own: synapses by sign, or every target neuron."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, entries, is_sparse, post_of_entries
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..filter_stage import free_name
from ..lazy import sparse

SIGNS = {"exc": 1, "inh": -1}
"""What the name of a projection's part ends in, and the sign of its weights."""

MOST_APART = 8.0
"""How much finer the scale of a neuron with small weights may be than that of others."""


def split_signs(stepped: SteppedNetwork) -> SteppedNetwork:
    """Return the network with every projection of both signs as two, one of each sign.

    ``w`` becomes ``w__exc`` and ``w__inh``. In a dense matrix what belongs to the other part is 0,
    in a sparse one it is not stored.
    """
    used = {q.name for q in stepped.projections}
    projections: list[SteppedProjection] = []
    for q in stepped.projections:
        values = np.asarray(entries(q.weights))
        if not (values.size and values.min() < 0 < values.max()):
            projections.append(q)
            continue
        for name, sign in SIGNS.items():
            part = _part(q, free_name(f"{q.name}__{name}", used), sign)
            used.add(part.name)
            projections.append(part)
    return replace(stepped, projections=tuple(projections))


def is_split(stepped: SteppedNetwork, names: Collection[str]) -> bool:
    """Tell whether a network with projections of these names was made from the parts by sign."""
    parts = split_signs(stepped).projections
    return len(parts) > len(stepped.projections) and {q.name for q in parts} <= set(names)


def _part(q: SteppedProjection, name: str, sign: int) -> SteppedProjection:
    values = np.asarray(entries(q.weights))
    if not is_sparse(q.weights):
        kept: Any = np.where(np.asarray(q.weights) * sign > 0, q.weights, 0.0)
        kept.setflags(write=False)
        return replace(q, name=name, weights=kept)
    # a weight of 0 is a synapse, too: with the excitatory ones
    mine = values * sign > 0 if sign < 0 else values >= 0
    rows, n_post = post_of_entries(q.weights)[mine], q.weights.shape[0]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_post))])
    csr = sparse.csr_matrix((values[mine], q.weights.indices[mine], indptr), shape=q.weights.shape)
    for array in (csr.data, csr.indices, csr.indptr):
        array.setflags(write=False)
    delays = q.delays if np.ndim(q.delays) == 0 else q.delays[mine]
    return replace(q, name=name, weights=csr, delays=delays)


def own_scales(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    """Return the scale of each neuron relative to the coarsest ``(n,)``.

    The largest weights of all neurons become equally large, up to MOST_APART.
    """
    most = np.zeros(p.size)
    for q in stepped.projections:
        if q.post == p.name:
            np.maximum.at(most, post_of_entries(q.weights), np.abs(entries(q.weights)))
    largest = float(most.max(initial=0.0))
    if largest <= 0:
        return np.ones(p.size)
    relative = np.minimum(largest / np.where(most > 0, most, largest), MOST_APART)
    return np.asarray(relative)
