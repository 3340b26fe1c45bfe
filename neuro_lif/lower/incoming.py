"""What leads to a population, as the search of scales sees it: gain-compensated weights in V."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, IntArray, entries, post_of_entries
from ..convolution import Convolution
from ..discretize import SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from .bounds import Feed, Incoming, lanes_of, sign_mode
from .draft import Draft, Plan
from .kernels import by_channel
from .rounding import draws_of
from .stages import stages_onto


def incoming_of(
    draft: Draft, p: SteppedPopulation, whole: bool = False
) -> list[tuple[SteppedProjection, Incoming]]:
    """Return the projections onto a population with their gain-compensated weights.

    Those that come from a filter stage are not among them; what leads to one, a stage itself, has
    the gain of its target's membrane. ``whole``: of a convolution every synapse, not its kernel.
    """
    out = []
    for q in draft.stepped.projections:
        if q.post != p.name or q.pre in draft.stages:
            continue
        post, values, folded = _synapses(draft, p, q, whole)
        mode = sign_mode(values)
        sources, most = q.weights.shape[1], draft.most.get(q.pre, 1)
        lane, lanes = (0, 1) if folded is not None else lanes_of(q.delays)
        how, seed = draft.options.rounding, draft.options.seed
        weights = q.weights if folded is not None else q.matrix
        draws = draws_of(weights, q.name, seed) if how == "stochastic" else None
        part = Incoming(
            values, post, mode, draft.weight_bits, sources, most, lane, lanes, how, draws, folded
        )
        out.append((q, part))
    return out


def _synapses(
    draft: Draft, p: SteppedPopulation, q: SteppedProjection, whole: bool
) -> tuple[IntArray, FloatArray, Convolution | None]:
    """Return (target neuron, weight V per step) of every synapse, or of a kernel's entries."""
    gain, conv = gain_of(draft, p, q.receptor), q.weights
    if whole or not isinstance(conv, Convolution):
        post = post_of_entries(q.matrix)
        return post, np.asarray(entries(q.matrix) * gain[post]), None
    each = by_channel(conv, gain)
    if each is None:  # the pass that keeps convolutions folded has seen to it
        raise LoweringError(f"projection {q.name!r}: a convolution onto neurons that differ")
    return conv.first_posts().ravel(), np.asarray(conv.planar_kernel.ravel() * each), conv


def gain_of(draft: Draft, p: SteppedPopulation, receptor: int) -> FloatArray:
    """Return the factor on weights that makes up for the rounded decays ``(n,)``."""
    if not p.graded:
        return _area_gain(p, draft.plans[p.name], receptor, draft.compensate)
    target = draft.stages[p.name].target
    return leak_gain(draft.stepped.population(target), draft.plans[target], draft.compensate)


def feeds_of(draft: Draft, name: str) -> tuple[Feed, ...]:
    """Return the filter stages that lead to a population or stage."""
    found = []
    for stage in stages_onto(draft.stepped, name):
        incoming = incoming_of(draft, draft.stepped.population(stage))
        loss = draft.stages[stage].loss
        found.append(Feed(tuple(i for _, i in incoming), loss, feeds_of(draft, stage)))
    return tuple(found)


def _area_gain(p: SteppedPopulation, plan: Plan, receptor: int, compensate: bool) -> FloatArray:
    """Return the factor that keeps a spike's area in v although the decays were rounded."""
    meant = 1.0 - np.asarray(p.decay_u)[receptor]
    gain = plan.loss_u / meant if compensate or len(p.decay_u) > 1 else np.ones(p.size)
    return gain * leak_gain(p, plan, compensate)


def leak_gain(p: SteppedPopulation, plan: Plan, compensate: bool) -> FloatArray:
    """Return the factor on every input that keeps the steady state although dv was rounded."""
    usable = compensate & (p.leak_v > 0) & (plan.loss_v > 0)
    return np.asarray(np.where(usable, plan.loss_v / np.where(p.leak_v > 0, p.leak_v, 1.0), 1.0))
