"""Proves on the coded integers how far filter stages go, and what they can send at most."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import LoweringError
from ..ledger import Headroom
from .bounds import LEAST_LEAK
from .counts import hears_assumed
from .draft import Draft, StagePlan
from .reach import Reached, arriving
from .stages import all_stages_of


def stage_reaches(
    draft: Draft, target: str, activity: float
) -> tuple[dict[str, IntArray], tuple[Headroom, ...]]:
    """Return what the stages of a population can send, and how far their registers go.

    Args:
        draft: coded.
        target: the population.
        activity: share of each projection's sources that may fire in one step.

    Returns:
        (stage -> lowest and highest value of each neuron ``(2, n)``, head-room).
    """
    if draft.fixed is None:
        raise LoweringError("what a filter stage sends is known only of a coded network")
    fixed = draft.fixed
    graded: dict[str, IntArray] = {}
    always: dict[str, IntArray] = {}
    rows: list[Headroom] = []
    for name in reversed(all_stages_of(draft.stepped, target)):
        plan = draft.stages[name]
        by = int(np.max(fixed.params(name)[plan.form.out_shift]))
        states, arrivals = {}, {}
        for share, values in ((1.0, always), (activity, graded)):
            arrivals[share] = arriving(fixed, name, draft.most, share, values)
            states[share] = state = _settled(plan, arrivals[share][0], share)
            # the remainder that is carried is below 2**by
            values[name] = np.asarray([state[0] >> by, (state[1] + 2**by - 1) >> by])
        own = 1.0 if plan.activity == 1.0 else activity
        rows += _rows(name, plan, states[own], *arrivals[own], own, hears_assumed(draft, name))
    return graded, tuple(rows)


def _rows(
    name: str, plan: StagePlan, state: IntArray, port: IntArray, sums: list[Reached],
    activity: float, assumed: bool,
) -> list[Headroom]:  # fmt: skip
    limit = int(plan.form.sum_limit) >> plan.form.in_shift
    summed = Reached(int(np.abs(port).max(initial=0)), limit)
    proved = activity == 1.0 and bool(np.all(plan.loss > 0)) and not assumed
    reached = {
        "sum": max([summed, *sums], key=lambda x: x.share),
        plan.form.register: Reached(int(np.abs(state).max(initial=0)), plan.form.span[1]),
    }
    return [
        Headroom(f"filter stage {name!r}", register, float(r.bound), float(r.limit), proved,
                 activity)
        for register, r in reached.items()
    ]  # fmt: skip


def stage_rows(draft: Draft) -> tuple[Headroom, ...]:
    """Return how far the registers of all filter stages go."""
    rows: list[Headroom] = []
    for p in draft.stepped.described:
        scale = draft.plans[p.name].scale
        rows += stage_reaches(draft, p.name, scale.activity if scale else 1.0)[1]
    return tuple(rows)


def _settled(plan: StagePlan, port: IntArray, activity: float) -> IntArray:
    """Return the lowest and highest state that the input of a step can keep up ``(2, n)``."""
    loss: FloatArray = np.asarray(plan.loss)
    if activity < 1.0 or not np.all(loss > 0):
        loss = np.maximum(loss, LEAST_LEAK)
    exact = plan.form.decay.rounding == "rtz" and plan.form.decay.kind != "mult_step"
    slack = 0.0 if exact else 1.0
    inputs = port.astype(np.float64) * 2.0**plan.form.in_shift
    low = np.minimum((inputs[0] - slack) / loss, 0.0)
    high = np.maximum((inputs[1] + slack) / loss, 0.0)
    return np.asarray([np.floor(low), np.ceil(high)], np.int64)
