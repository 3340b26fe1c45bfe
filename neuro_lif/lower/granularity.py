"""What has a resolution of its own: synapses by sign, or every target neuron."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, entries, is_sparse, post_of_entries
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..filter_stage import free_name
from ..lazy import sparse
from .bounds import sign_mode
from .draft import Draft
from .kernels import is_folded
from .rounding import draws_of, rounded
from .search import FAR

SIGNS = {"exc": 1, "inh": -1}
"""What the name of a projection's part ends in, and the sign of its weights."""

CUTS = tuple(2.0 ** (k / 8) for k in range(21))
"""How far above the step that cuts nothing the step of a neuron may be finer."""

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
        values = _stored(q)
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


def _stored(q: SteppedProjection) -> FloatArray:
    """Return the weights, of a convolution those of its kernel."""
    conv = q.weights
    return np.asarray(conv.kernel.ravel() if is_folded(conv) else entries(conv))


def _part(q: SteppedProjection, name: str, sign: int) -> SteppedProjection:
    if is_folded(q.weights):
        kernel = np.where(q.weights.kernel * sign > 0, q.weights.kernel, 0.0)
        return replace(q, name=name, weights=replace(q.weights, kernel=kernel))
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


def own_scales(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return the scale of each neuron relative to the coarsest ``(n,)``.

    Every neuron gets the step between weights with which its own weights are least off, some of
    them cut; up to MOST_APART apart. Projections with smaller weights have a step that is powers
    of two finer.
    """
    onto = [_Rows.of(draft, q) for q in draft.stepped.projections if q.post == p.name]
    parts = [x for x in onto if x is not None and x.step > 0]
    coarsest = max((x.step for x in parts), default=0.0)
    own = np.zeros(p.size)  # the largest weight of each neuron, in steps of its projection
    for x in parts:
        np.maximum.at(own, x.post, np.abs(x.values) / (x.unit(coarsest) * x.steps))
    heard = own > 0
    if not heard.any():
        return np.ones(p.size)
    own = np.where(heard, own, 1.0)
    best, least = own.copy(), np.full(p.size, np.inf)
    for cut in CUTS:
        step, square = own / cut, np.zeros(p.size)
        for x in parts:
            square += np.bincount(x.post, x.error(step[x.post] * x.unit(coarsest)) ** 2, p.size)
        better = square < least
        best, least = np.where(better, step, best), np.where(better, square, least)
    relative = np.where(heard, best[heard].max() / best, 1.0)
    return np.asarray(np.minimum(relative, MOST_APART))


@dataclass(frozen=True)
class _Rows:
    """The weights of one projection.

    Args:
        values, post: V per step, target neuron.
        low, steps: least and largest code, in steps.
        step: V between two codes at which none is cut.
        rounding, draws: see :mod:`.rounding`.
    """

    values: FloatArray
    post: IntArray
    low: int
    steps: int
    step: float
    rounding: str
    draws: FloatArray | None

    @classmethod
    def of(cls, draft: Draft, q: SteppedProjection) -> _Rows | None:
        values = np.asarray(entries(q.weights))
        if not values.size or q.pre in {x.name for x in draft.stepped.populations if x.graded}:
            return None
        mode = sign_mode(values)
        rules, how = draft.profile.weights, draft.options
        step = rules.step(mode, draft.weight_bits)
        lo, hi = rules.mode_range(mode)
        low, steps = -(-lo // step), max(min(hi // step, -lo // step), 1)
        if mode != "mixed":
            steps = max(hi // step, -lo // step, 1)
        draws = draws_of(q.weights, q.name, how.seed) if how.rounding == "stochastic" else None
        least = float(np.abs(values).max()) / steps
        return cls(values, post_of_entries(q.weights), low, steps, least, how.rounding, draws)

    def unit(self, coarsest: float) -> float:
        """Return the step, relative to the coarsest: a power of two."""
        return float(2.0 ** np.ceil(np.log2(self.step / coarsest) - 1e-9))

    def error(self, step: FloatArray) -> FloatArray:
        """Return what coding with a step per synapse adds to every weight."""
        codes = rounded(np.clip(self.values / step, -FAR, FAR), self.rounding, self.draws)
        high = 0 if self.low < 0 and self.values.max() <= 0 else self.steps
        return np.asarray(np.clip(codes, self.low, high) * step - self.values)
