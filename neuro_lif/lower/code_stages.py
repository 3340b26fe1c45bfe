"""Codes the filter stages: as fine an LSB as their register holds, and links of weight one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..discretize import SteppedPopulation, SteppedProjection
from ..fixed import FixedPopulation, FixedProjection
from ..lazy import sparse
from .bounds import Feed, Incoming, Limits, all_arriving
from .code_projections import Scaled, code_delays, code_projection
from .draft import Draft, StagePlan, note
from .incoming import feeds_of, incoming_of
from .search import best_exponent
from .stages import all_stages_of

LINK_MODE = "excitatory"
"""Sign mode of a link: its one weight is positive, what the stage sends has the sign."""


def code_stages(draft: Draft) -> tuple[Draft, list[FixedPopulation], list[FixedProjection]]:
    """Code every filter stage, what leads to it and the link that leads from it."""
    populations: list[FixedPopulation] = []
    projections: list[FixedProjection] = []
    for target in draft.stepped.described:
        for name in all_stages_of(draft.stepped, target.name):
            p = draft.stepped.population(name)
            draft = _choose_fineness(draft, p)
            draft, coded = _code_stage(draft, p)
            populations.append(coded)
            plan = draft.stages[name]
            onto = Scaled(
                _limits(draft, plan), _scale(draft, name), draft.plans[plan.target].relative
            )
            incoming = incoming_of(draft, p)
            for (q, part), exponent in zip(incoming, plan.exponents, strict=True):
                draft, projection = code_projection(draft, q, part, exponent, onto)
                projections.append(projection)
            out = next(q for q in draft.stepped.projections if q.pre == name)
            draft, projection = _code_link(draft, out)
            projections.append(projection)
    return draft, populations, projections


def _scale(draft: Draft, name: str) -> float:
    """Return the LSB per V of a stage."""
    plan = draft.stages[name]
    scale = draft.plans[plan.target].scale
    return (scale.lsb_per_volt if scale else 1.0) * 2.0**plan.fine


def _limits(draft: Draft, plan: StagePlan) -> Limits:
    form = plan.form
    return Limits(form.span, form.span, form.sum_limit, 0.0, 0.0, form.in_shift, 0,
                  draft.profile.weights)  # fmt: skip


def _unit_bits(draft: Draft, plan: StagePlan) -> int:
    """Return log2 of what a value of 1 that is sent adds, in LSB of where it arrives."""
    if plan.post in draft.stages:
        in_shift = draft.stages[plan.post].form.in_shift
    else:
        in_shift = draft.plans[plan.post].form.in_shift
    return in_shift + link_weight(draft).bit_length() - 1


def link_weight(draft: Draft) -> int:
    """Return the mantissa of a link: the smallest that the profile has, a power of two."""
    rules = draft.profile.weights
    return rules.step(LINK_MODE, rules.default_bits)


def _choose_fineness(draft: Draft, p: SteppedPopulation) -> Draft:
    """Choose the finest LSB at which the register holds the state and weights are not cut."""
    plan = draft.stages[p.name]
    coarse = draft.stages[plan.post].fine if plan.post in draft.stages else 0
    limits, target = _limits(draft, plan), draft.plans[plan.target]
    scale = target.scale
    s, activity = (scale.lsb_per_volt, scale.activity) if scale else (1.0, 1.0)
    parts = tuple(part for _, part in incoming_of(draft, p))
    feed = Feed(parts, plan.loss, feeds_of(draft, p.name))
    least = coarse - _unit_bits(draft, plan)
    finest = least + plan.form.most_shift
    for share in dict.fromkeys([1.0, activity]):
        room = _room(feed, limits, share) / s
        fine = int(np.clip(np.floor(np.log2(room)) if np.isfinite(room) else 0, least, finest))
        if fine >= 0 and _uses_mantissas(parts, limits, s * 2.0**fine):
            break  # safe whatever arrives, and weights lose nothing by it
    exponents = tuple(best_exponent(part, limits, s * 2.0**fine)[0] for part in parts)
    new = replace(plan, fine=fine, exponents=exponents, activity=share)
    return replace(draft, stages=draft.stages | {p.name: new})


def _room(feed: Feed, limits: Limits, activity: float) -> float:
    """Return the largest LSB per V at which nothing of a stage leaves its range."""
    n = len(feed.loss)
    up, down = all_arriving(feed.incoming, feed.feeds, n, activity)
    arrives = np.maximum(up, down)
    most = arrives / np.maximum(feed.loss, 1e-3)
    pairs = [(limits.sum, arrives.max(initial=0.0)), (limits.u[1], most.max(initial=0.0))]
    for part in feed.incoming:
        pairs.append((_largest_weight(part, limits), float(np.abs(part.values).max(initial=0.0))))
    return min((float(limit / x) for limit, x in pairs if x > 0), default=np.inf)


def _uses_mantissas(parts: tuple[Incoming, ...], limits: Limits, s: float) -> bool:
    """Tell whether the largest weight of every projection fills half its mantissa's range."""
    for part in parts:
        lo, hi = limits.weights.mode_range(part.mode)
        largest = float(np.abs(part.values).max(initial=0.0)) * s / 2.0**limits.in_shift
        if 0 < largest < max(hi, -lo) / 2:
            return False
    return True


def _largest_weight(part: Incoming, limits: Limits) -> float:
    rules = limits.weights
    lo, hi = rules.kept_range(part.mode, rules.exponent_hi)
    return float(min(x for x in (hi, -lo) if x > 0) * 2.0 ** (rules.exponent_hi + limits.in_shift))


def _code_stage(draft: Draft, p: SteppedPopulation) -> tuple[Draft, FixedPopulation]:
    plan = draft.stages[p.name]
    coarse = draft.stages[plan.post].fine if plan.post in draft.stages else 0
    shift = plan.fine - coarse + _unit_bits(draft, plan)
    target = draft.plans[plan.target]
    lsb = 1.0 / (target.lsb_per_volt * 2.0**plan.fine)
    params: dict[str, Any] = {plan.form.decay.param: _one(plan.du), plan.form.out_shift: shift}
    coded = FixedPopulation(p.name, p.size, plan.form.model, params, {}, lsb, np.zeros(p.size))
    loss = float(np.min(plan.loss))
    text = (
        f"filter stage {p.name!r}: sends its state shifted right by {shift}, the remainder is "
        f"carried; rounding its decay moves it by less than {1 / loss if loss else np.inf:.4g} LSB"
    )
    return note(draft, scales=((p.name, float(lsb.max())),), notes=(text,)), coded


def _one(values: IntArray) -> Any:
    return int(values[0]) if np.all(values == values[0]) else values


def _code_link(draft: Draft, q: SteppedProjection) -> tuple[Draft, FixedProjection]:
    """Code a link: weight one in the units of what is sent, so nothing is rounded."""
    n = q.weights.shape[0]
    draft, delays = code_delays(draft, q, f"projection {q.name!r}")
    mantissas = np.full(n, link_weight(draft), np.int64)
    weights = sparse.csr_matrix((mantissas, np.arange(n), np.arange(n + 1)), shape=(n, n))
    bits = draft.profile.weights.default_bits
    return draft, FixedProjection(
        q.name, q.pre, q.post, weights, 0, LINK_MODE, bits, delays, graded=True
    )
