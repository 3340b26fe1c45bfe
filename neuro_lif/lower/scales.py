"""The scale pass: LSB per volt for every population, an exponent for every projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..discretize import SteppedPopulation
from ..errors import LoweringError
from ..ledger import Headroom
from ..numerics import MOST_SPIKES
from .bounds import LEAST_LEAK, bounds
from .counts import hears_assumed
from .demands import allowance, demand_of, least_leak, limits_of, varying
from .draft import Draft, Plan, note
from .lattice import (
    Lattice,
    Room,
    capped,
    even,
    largest,
    max_abs,
    must,
    room_of,
    settle,
    steps_in,
)
from .reach import Reach, reach
from .search import GOOD_ENOUGH, WORSE_AT_MOST, Scale, choose_scale, total_of
from .stage_reach import stage_reaches
from .stages import stages_onto

POOR = 0.5
"""A predicted error of v, as a share of the threshold, that the ledger warns of."""


def choose_scales(draft: Draft) -> Draft:
    """Choose the scale and the projections' exponents of every population that has none yet."""
    if draft.options.granularity == "global":
        return _choose_together(draft)
    for p in draft.stepped.described:
        plan = draft.plans[p.name]
        if plan.scale is not None:
            continue
        demand, limits = demand_of(draft, p), limits_of(draft, plan.form)
        lattice = max_abs(demand, limits) if draft.options.scaling == "max_abs" else None
        if lattice is None:
            scale = choose_scale(demand, limits, draft.proved, plan.cap)
        else:
            where = f"population {p.name!r}"
            room = room_of(demand, limits, draft.proved, plan.cap)
            scale = must(settle(room, lattice), limits, where)
        plan = replace(plan, scale=scale, pinned=lattice is not None)
        draft = replace(draft, plans=draft.plans | {p.name: plan})
    return draft


PER_OCTAVE = 16
"""Steps between weights that are tried per octave where all weights have the same."""


def _choose_together(draft: Draft) -> Draft:
    """Choose one step between weights, V, for all projections of the network."""
    names = [p.name for p in draft.stepped.described]
    if all(draft.plans[name].scale is not None for name in names):
        return draft
    _check_together(draft)
    rooms = rooms_of(draft)
    heard = {n: r for n, r in rooms.items() if max_abs(r.demand, r.limits) is not None}
    found: list[tuple[float, dict[str, Scale]]] = []
    steps = [largest_step(r) for r in heard.values()]
    octaves = 1 if draft.options.scaling == "max_abs" else 2 * PER_OCTAVE + 1
    for k in range(octaves if steps else 0):
        scales = at_step(heard, max(steps) * 2.0 ** (-k / PER_OCTAVE))
        if scales is not None:
            mean = float(np.mean([total_of(s) ** 2 for s in scales.values()]))
            found.append((mean, scales))
    if steps and not found:
        must(None, next(iter(heard.values())).limits, 'granularity = "global"')
    best = min(found, key=lambda f: f[0])[1] if found else {}
    for name in names:
        room, scale = rooms[name], best.get(name)
        if scale is None:
            scale = choose_scale(room.demand, room.limits, draft.proved, draft.plans[name].cap)
        plan = replace(draft.plans[name], scale=scale, pinned=name in best)
        draft = replace(draft, plans=draft.plans | {name: plan})
    return draft


def _check_together(draft: Draft) -> None:
    """Refuse one step for all weights where neurons or stages have scales of their own."""
    for p in draft.stepped.described:
        plan = draft.plans[p.name]
        why = ""
        if np.any(plan.relative != 1):
            why = f"{draft.profile.name} has one {plan.form.threshold} for neurons that differ"
        elif stages_onto(draft.stepped, p.name):
            why = "it hears filter stages, whose LSB is finer"
        if why:
            raise LoweringError(
                f'granularity = "global", population {p.name!r}: {why}, so its weights have no '
                'one step in V, allowed: "projection" or "sign"'
            )


def rooms_of(draft: Draft) -> dict[str, Room]:
    """Return what bounds the scale of every population."""
    return {
        p.name: room_of(
            demand_of(draft, p), limits_of(draft, draft.plans[p.name].form), draft.proved,
            draft.plans[p.name].cap,
        )
        for p in draft.stepped.described
    }  # fmt: skip


def largest_step(room: Room) -> float:
    """Return the least step between weights, V, at which no weight is cut."""
    parts = room.demand.incoming
    return max(largest(p) / steps_in(p, room.limits)[1] for p in parts)


def at_step(rooms: Mapping[str, Room], step: float) -> dict[str, Scale] | None:
    """Return the scales at which all weights have one step, V; None where they do not fit."""
    found = {n: settle(r, even(step, r.demand, r.limits)) for n, r in rooms.items()}
    kept = {n: s for n, s in found.items() if s is not None}
    return kept if len(kept) == len(rooms) else None


# --------------------------------------------------------------------- proof on the integers


def headroom_of(draft: Draft, p: SteppedPopulation) -> tuple[Headroom, ...]:
    """Return how far the registers of a coded population go, proved on its integers if possible."""
    plan = draft.plans[p.name]
    if draft.fixed is None or plan.scale is None:
        raise LoweringError("head-room is known only of a coded network")
    activity, currents = plan.scale.activity, varying(draft, p)
    stages, _ = stage_reaches(draft, p.name, activity)
    found = reach(draft.fixed, p.name, plan.form, draft.most, activity, p.spikes, stages,
                  least_leak(draft, p))  # fmt: skip
    open_ = any(c.stimulus is None for c in currents)
    if found is not None and not open_:
        sure = activity == 1.0 and not hears_assumed(draft, p.name)
        rows = _rows(p.name, found, activity, draft.profile.registers, sure)
        if not currents or draft.proved or all(h.proved and h.bound <= h.limit for h in rows):
            return rows
    return _estimate(draft, p, plan, activity)


def _rows(
    name: str, found: Reach, activity: float, registers: object, sure: bool
) -> tuple[Headroom, ...]:
    return tuple(
        Headroom(
            f"population {name!r}",
            register,
            float(r.bound),
            float(r.limit),
            sure and register in found.proved,
            activity,
        )
        for register, r in found.registers.items()
        if register == "sum" or register in registers or r.share > 1  # type: ignore[operator]
    )


def _estimate(
    draft: Draft, p: SteppedPopulation, plan: Plan, activity: float
) -> tuple[Headroom, ...]:
    """Return bounds on the reals, where currents or the model stand in the way of a proof."""
    b, limits = bounds(demand_of(draft, p), activity), limits_of(draft, plan.form)
    voltage, current = plan.form.registers
    v_top = limits.v[1] if p.spikes else min(limits.v[1], limits.threshold)
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    rows = (
        ("sum", b.sum, limits.sum),
        (current, b.u, limits.u[1]),
        (voltage, np.maximum(b.v_up, b.v_down), v_top),
    )
    return tuple(
        Headroom(f"population {p.name!r}", name, float(x.max()) * s, float(limit), False, activity)
        for name, x, limit in rows
    )


def shrink(draft: Draft, rows: dict[str, tuple[Headroom, ...]]) -> Draft | None:
    """Return the draft with smaller scales for populations that overflow; None where none does.

    A scale is kept, overflow and all, where a smaller one would lose the weights instead and no
    proof was asked for.
    """
    plans = dict(draft.plans)
    for name, found in rows.items():
        share = max((_share(h, plans[name]) for h in found), default=0.0)
        old = plans[name].scale
        if share <= 1.0 or old is None:
            continue
        if plans[name].pinned:
            plans[name] = _octave_lower(draft, name, share)
            continue
        # a little more than needed, since rounding the weights anew may take some of it back
        plan = replace(plans[name], cap=old.lsb_per_volt * 0.999 / share, scale=None)
        smaller = choose_scales(replace(draft, plans=plans | {name: plan})).plans[name]
        new = smaller.scale
        worst = max(GOOD_ENOUGH, WORSE_AT_MOST * old.predicted["total"])
        if draft.proved or (new is not None and new.predicted["total"] <= worst):
            plans[name] = smaller
    changed = any(plans[name] is not plan for name, plan in draft.plans.items())
    return replace(draft, plans=plans) if changed else None


def _share(h: Headroom, plan: Plan) -> float:
    """Return how much of a register's range is taken, above 1 where it is too small."""
    share = h.bound / h.limit if h.limit > 0 else 1.0
    if plan.seen and plan.scale is not None and h.register == plan.form.registers[0]:
        return min(share, plan.scale.lsb_per_volt / plan.seen)
    return share


def _octave_lower(draft: Draft, name: str, share: float) -> Plan:
    """Return the plan of a population with the same weights and more head-room, if that helps."""
    plan, p = draft.plans[name], draft.stepped.population(name)
    old = plan.scale
    if old is None:
        return plan
    room = room_of(demand_of(draft, p), limits_of(draft, plan.form), draft.proved, plan.cap)
    cap = old.lsb_per_volt * 0.999 / share
    together = draft.options.granularity == "global"
    lattice = Lattice(old.lsb_per_volt, old.exponents, rigid=together)
    lower = settle(capped(room, cap), lattice)
    worst = max(GOOD_ENOUGH, WORSE_AT_MOST * total_of(old))
    if lower is None or not (draft.proved or total_of(lower) <= worst):
        return plan
    return replace(plan, scale=lower)


def note_scales(draft: Draft) -> Draft:
    """Note the scales and the errors predicted for them."""
    for p in draft.stepped.described:
        plan = draft.plans[p.name]
        if plan.scale is None:
            continue
        terms = ", ".join(
            f"{k} {100 * v:.3g} %" for k, v in plan.scale.predicted.items() if k != "total"
        )
        text = f"population {p.name!r}: predicted error of v, share of the threshold: {terms}"
        if plan.scale.predicted["total"] > POOR:
            text += f"; {draft.profile.name} has too little resolution for it, expect other spikes"
        lsb = float((1.0 / plan.lsb_per_volt).max())
        said = (text, *_allowances(draft, p), *_cut_counts(draft, p, plan.scale.activity),
                *_for_how_long(draft, p))  # fmt: skip
        draft = note(draft, scales=((p.name, lsb),), notes=said)
    return draft


def _for_how_long(draft: Draft, p: SteppedPopulation) -> tuple[str, ...]:
    """Tell for how many steps what hardly leaks can add up what it hears."""
    least = least_leak(draft, p)
    usual = p.spikes and least == LEAST_LEAK
    if usual or np.all(draft.plans[p.name].loss_v >= least):
        return ()
    return (
        f"population {p.name!r} leaks next to nothing: head-room of v is for {round(1 / least)} "
        "steps; for longer runs give quantize their n_steps",
    )


def _cut_counts(draft: Draft, p: SteppedPopulation, activity: float) -> tuple[str, ...]:
    """Tell how many spikes at once a model that sends fewer has to do without, at most."""
    most, form = min(p.limit, 2**31), draft.plans[p.name].form
    if not p.spikes or form.most >= min(most, MOST_SPIKES):
        return ()
    above = bounds(demand_of(draft, p), activity).v_up / p.threshold
    times = int(min(np.floor(above.max()), most))
    kept = "wait in v for the next steps" if form.reset == "subtract" else "are lost"
    share = "" if activity == 1.0 else f"{100 * activity:g} % of "
    return (
        f"population {p.name!r}: with {share}all sources firing in every step, {max(times, 1)} "
        f"spike(s) of a neuron would be due in one; {form.most} is sent, the others {kept}",
    )


def _allowances(draft: Draft, p: SteppedPopulation) -> tuple[str, ...]:
    usable = np.where(p.gain > 0, p.gain, 1.0)
    amperes = float((allowance(p) / usable).min())
    return tuple(
        f"input {c.name!r}: head-room is kept for currents up to {amperes:.4g} A"
        for c in varying(draft, p)
        if c.stimulus is None
    )
