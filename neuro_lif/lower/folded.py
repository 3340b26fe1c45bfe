"""Which convolutions stay folded while they are lowered, and which are written out as a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..discretize import SteppedNetwork, SteppedProjection
from .draft import Draft, note
from .kernels import by_channel, is_folded
from .scales import gain_of


def one_delay(q: SteppedProjection) -> SteppedProjection | None:
    """Return a projection with one delay for all synapses; None where they differ."""
    delays = np.asarray(q.delays)
    if delays.ndim == 0:
        return q
    return replace(q, delays=delays.flat[0]) if delays.size and np.ptp(delays) == 0 else None


def write_out(
    draft: Draft, why: str, chosen: Callable[[SteppedProjection], bool] = lambda _: True
) -> Draft:
    """Return the draft with the matrices of chosen convolutions in their place, and a note."""
    names = [q.name for q in draft.stepped.projections if is_folded(q.weights) and chosen(q)]
    if not names:
        return draft
    projections = tuple(
        replace(q, weights=q.matrix) if q.name in names else q for q in draft.stepped.projections
    )
    stepped: SteppedNetwork = replace(draft.stepped, projections=projections)
    text = f"convolution {', '.join(map(repr, names))}: coded as a matrix, since {why}"
    return note(replace(draft, stepped=stepped), notes=(text,))


def keep_folded(draft: Draft) -> Draft:
    """Write out the convolutions that one kernel cannot say for all neurons of a channel."""
    same = {q.name: one_delay(q) for q in draft.stepped.projections if is_folded(q.weights)}
    projections = tuple(same.get(q.name) or q for q in draft.stepped.projections)
    draft = replace(draft, stepped=replace(draft.stepped, projections=projections))
    draft = write_out(draft, "its delays differ", lambda q: same[q.name] is None)

    def uneven(q: SteppedProjection) -> bool:
        p = draft.stepped.population(q.post)
        return by_channel(q.weights, gain_of(draft, p, q.receptor)) is None

    return write_out(draft, "the decays of its target's neurons differ", uneven)
