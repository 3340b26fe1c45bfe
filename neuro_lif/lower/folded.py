"""Which convolutions stay folded while they are lowered, and which are written out as a matrix."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ..discretize import SteppedNetwork, SteppedProjection
from .draft import Draft, note
from .incoming import gain_of
from .kernels import by_channel, is_folded


def one_delay(q: SteppedProjection) -> SteppedProjection | None:
    """Return a projection with one delay for all synapses; None where they differ."""
    delays = np.asarray(q.delays)
    if delays.ndim == 0:
        return q
    return (
        replace(q, delays=np.asarray(delays.flat[0]))
        if delays.size and np.ptp(delays) == 0
        else None
    )


def folded_onto(stepped: SteppedNetwork, name: str) -> tuple[str, ...]:
    """Return the convolutions onto a population or stage."""
    return tuple(q.name for q in stepped.projections if q.post == name and is_folded(q.weights))


def write_out(draft: Draft, why: str, names: Collection[str]) -> Draft:
    """Return the draft with the matrices of some convolutions in their place, and a note."""
    if not names:
        return draft
    projections = tuple(
        replace(q, weights=q.matrix) if q.name in names else q for q in draft.stepped.projections
    )
    stepped = replace(draft.stepped, projections=projections)
    text = f"convolution {', '.join(map(repr, names))}: coded as a matrix, since {why}"
    return note(replace(draft, stepped=stepped), notes=(text,))


def keep_folded(draft: Draft) -> Draft:
    """Write out the convolutions that one kernel cannot say for all neurons of a channel."""
    same = {q.name: one_delay(q) for q in draft.stepped.projections if is_folded(q.weights)}
    projections = tuple(same.get(q.name) or q for q in draft.stepped.projections)
    draft = replace(draft, stepped=replace(draft.stepped, projections=projections))
    draft = write_out(draft, "its delays differ", [n for n, q in same.items() if q is None])
    uneven = [
        q.name
        for q in draft.stepped.projections
        if is_folded(q.weights)
        and by_channel(q.weights, gain_of(draft, draft.stepped.population(q.post), q.receptor))
        is None
    ]
    return write_out(draft, "the decays of its target's neurons differ", uneven)
