"""The rewriting that puts weights behind a filter stage before it, where a chip can have them.

A chip's stage sends its state one to one. A described one may send it through weights M, as a
low-pass layer of an imported graph does. Where all its neurons keep the same share per step, the
filter and M change places without a difference: ``M (1 - a/z)**-1 W = (1 - a/z)**-1 (M W)``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .arrays import frozen_synapses
from .filter_stage import free_name, link, stage_population
from .lazy import sparse
from .stepped import SteppedNetwork, SteppedPopulation, SteppedProjection


def weights_before_stages(stepped: SteppedNetwork) -> tuple[SteppedNetwork, tuple[str, ...]]:
    """Return a network whose filter stages lead on one to one, and what was moved.

    Stages that it cannot do this for stay as they are: they have several decays, first states,
    delays that differ from synapse to synapse, or reach themselves without a neuron between.
    """
    notes = []
    # from the last to the first: what is before a stage then leads to where its weights went
    for stage in reversed([p for p in stepped.populations if p.graded]):
        outs = [q for q in stepped.projections if q.pre == stage.name]
        if outs and (len(outs) > 1 or not is_link(outs[0])) and _movable(stepped, stage):
            stepped = _moved(stepped, stage, outs)
            onto = ", ".join(sorted({q.post for q in outs}))
            notes.append(
                f"filter stage {stage.name!r}: its weights onto {onto} are multiplied into those "
                "that lead to it, for a chip's stage sends its state one to one"
            )
    return stepped, tuple(notes)


def is_link(q: SteppedProjection) -> bool:
    """Tell whether a projection carries what each neuron sends, as it is, to one neuron."""
    n_post, n_pre = q.weights.shape
    if n_post != n_pre:
        return False
    matrix = sparse.csr_matrix(q.matrix)
    return matrix.nnz == n_pre and bool(np.all(matrix.diagonal() == 1))


def _movable(stepped: SteppedNetwork, stage: SteppedPopulation) -> bool:
    around = [q for q in stepped.projections if stage.name in (q.pre, q.post)]
    decays = np.asarray(stage.decay_u)
    if stage.name in _behind(stepped, stage.name):
        return False
    return (
        bool(np.all(decays == decays[0, 0]))
        and (stage.u_init is None or not np.any(stage.u_init))
        and all(np.unique(np.asarray(q.delays)).size <= 1 for q in around)
    )


def _behind(stepped: SteppedNetwork, name: str) -> set[str]:
    """Return the stages that a stage reaches through stages alone."""
    graded = {p.name for p in stepped.populations if p.graded}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        sender = waiting.pop()
        new = {q.post for q in stepped.projections if q.pre == sender} & graded - found
        found |= new
        waiting += new
    return found


def _moved(
    stepped: SteppedNetwork, stage: SteppedPopulation, outs: list[SteppedProjection]
) -> SteppedNetwork:
    """Return a network with a stage of each target in the place of one with weights behind it."""
    names = {p.name for p in stepped.populations}
    names |= {i.name for i in stepped.network.spike_inputs}
    taken = {q.name for q in stepped.projections}
    inputs = [q for q in stepped.projections if q.post == stage.name]
    kept = float(np.asarray(stage.decay_u)[0, 0])
    made, added = [], []
    for out in outs:
        size = out.weights.shape[0]
        new = stage_population(
            free_name(f"{stage.name}__{out.post}", names), size, kept, float(stage.tau_syn[0])
        )
        names.add(new.name)
        made.append(new)
        through = sparse.csr_matrix(out.matrix)
        for q in inputs:
            product = sparse.csr_matrix(through @ sparse.csr_matrix(q.matrix))
            product.eliminate_zeros()
            name = free_name(f"{q.name}__{out.post}", taken)
            taken.add(name)
            weights, _ = frozen_synapses(product, np.float64)
            added.append(replace(q, name=name, post=new.name, weights=weights, delays=_one(q)))
        tied = link(new.name, out.post, size, out.receptor, taken)
        taken.add(tied.name)
        added.append(replace(tied, delays=_one(out), latency=out.latency))
    place = next(k for k, p in enumerate(stepped.populations) if p is stage)
    populations = (*stepped.populations[:place], *made, *stepped.populations[place + 1 :])
    rest = [q for q in stepped.projections if stage.name not in (q.pre, q.post)]
    return replace(stepped, populations=populations, projections=(*rest, *added))


def _one(q: SteppedProjection) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the one delay of a projection; 0 where it has no synapse."""
    delays = np.asarray(q.delays)
    return np.asarray(delays.flat[0] if delays.size else 0, np.int64)
