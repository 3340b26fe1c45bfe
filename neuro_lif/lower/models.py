"""The first passes: a neuron model for every population, one threshold, and coded decays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray, IntArray, entries, frozen, post_of_entries, with_entries
from ..discretize import SteppedNetwork, SteppedPopulation
from ..errors import LoweringError
from ..formats import near_tie
from ..ledger import Entry, TimeConstant, entry
from .counts import check_counts, foresee_counts, that_send
from .draft import Draft, Plan, StagePlan, note, refuse_or_note
from .folded import folded_onto, keep_folded, write_out
from .form import DecayCode, LifForm, lif_form
from .granularity import own_scales
from .stage_form import stage_form
from .stages import all_stages_of

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile


def choose_models(draft: Draft) -> Draft:
    """Choose a neuron model of the profile for every population, or refuse by name."""
    forms = _forms(draft.profile)
    for p in draft.stepped.described:
        draft, form = _choose_model(draft, p, forms)
        plan = Plan(form, np.ones(p.size))
        draft = replace(draft, plans=draft.plans | {p.name: plan})
    return check_counts(foresee_counts(draft))


def _forms(profile: HardwareProfile) -> list[LifForm]:
    found, faults = [], []
    for name in profile.models:
        try:
            found.append(lif_form(profile, name))
        except LoweringError as error:
            faults.append(str(error))
    if not found:
        listing = "\n  ".join(faults)
        raise LoweringError(
            f"profile {profile.name} has no model that quantize can lower a LIF to; build a "
            f"FixedNetwork of its integers by hand, or take another profile\n  {listing}"
        )
    return found


def _choose_model(
    draft: Draft, p: SteppedPopulation, forms: Sequence[LifForm]
) -> tuple[Draft, LifForm]:
    where = f"population {p.name!r}"
    draft, counting = that_send(draft, p, forms)
    fitting = [f for f in counting if not p.spikes or f.reset == p.reset]
    if not fitting:
        text, mend = f"{where} wants reset = {p.reset!r}", "Use a profile with such a model"
        draft = refuse_or_note(draft, "reset", text, mend)
        fitting = list(counting)
    if np.any(p.refractory > 0):
        held = [f for f in fitting if f.refractory is not None]
        if not held:
            text = f"{where} wants t_refractory of {p.refractory.max()} steps"
            mend = "Use a profile with a refractory counter (loihi1, loihi2, generic)"
            draft = refuse_or_note(draft, "refractory", text, mend)
        fitting = held or fitting
    return draft, fitting[0]


# ------------------------------------------------------------------ pass 2: one threshold


def share_parameters(draft: Draft) -> Draft:
    """Give neurons of different thresholds one threshold, where the profile has one for all.

    The equations of a neuron are the same on any scale of voltage, so each neuron gets its own
    scale, at which its threshold is the common one. This is exact.
    """
    if draft.options.granularity == "neuron":
        return _scale_neurons(draft)
    for p in draft.stepped.described:
        plan = draft.plans[p.name]
        per = draft.profile.params[plan.form.threshold].per
        if per == "neuron" or not p.spikes or np.all(p.threshold == p.threshold[0]):
            continue
        draft = write_out(
            draft, "its target's thresholds differ", folded_onto(draft.stepped, p.name)
        )
        relative = p.threshold.max() / p.threshold
        stepped = _on_own_scale(draft.stepped, p, relative)
        stepped = _same_threshold(stepped, p)
        plan = replace(plan, relative=frozen(relative))
        text = (
            f"population {p.name!r}: {draft.profile.name} has one {plan.form.threshold} per {per}, "
            f"so each neuron has its own LSB ({relative.max():.4g} to 1)"
        )
        draft = replace(draft, stepped=stepped, plans=draft.plans | {p.name: plan})
        draft = note(draft, notes=(text,))
    return draft


def _scale_neurons(draft: Draft) -> Draft:
    """Give every neuron a scale of its own, at which its largest weight is that of the others."""
    for p in draft.stepped.described:
        plan = draft.plans[p.name]
        per = draft.profile.params[plan.form.threshold].per
        if per != "neuron" and p.spikes:
            raise LoweringError(
                f'granularity = "neuron", population {p.name!r}: profile {draft.profile.name} has '
                f'one {plan.form.threshold} per {per}, allowed: "global", "projection" or "sign"'
            )
        why = "its target's neurons have scales of their own"
        draft = write_out(draft, why, folded_onto(draft.stepped, p.name))
        relative = own_scales(draft, p)
        stepped = _on_own_scale(draft.stepped, p, relative)
        text = (
            f"population {p.name!r}: each neuron has a scale of its own, up to "
            f"{relative.max():.4g} times finer than the coarsest"
        )
        plan = replace(plan, relative=frozen(relative))
        draft = replace(draft, stepped=stepped, plans=draft.plans | {p.name: plan})
        draft = note(draft, notes=(text,))
    return draft


def _on_own_scale(
    stepped: SteppedNetwork, p: SteppedPopulation, relative: FloatArray
) -> SteppedNetwork:
    scaled = {name: frozen(getattr(p, name) * relative) for name in ("bias", "gain", "v_init")}
    scaled["threshold"] = frozen(p.threshold * relative)
    if p.u_init is not None:
        scaled["u_init"] = frozen(p.u_init * relative)
    populations = [replace(x, **scaled) if x is p else x for x in stepped.populations]
    # a stage's values reach its target one to one, at weight 1: it is on the target's scale
    stages = all_stages_of(stepped, p.name)
    projections = [
        replace(q, weights=with_entries(q.weights, _rows(q.weights, relative)))
        if q.post in (p.name, *stages) and q.pre not in stages
        else q
        for q in stepped.projections
    ]
    return replace(stepped, populations=tuple(populations), projections=tuple(projections))


def _same_threshold(stepped: SteppedNetwork, p: SteppedPopulation) -> SteppedNetwork:
    """Return the network with one threshold for a population, free of what the scaling rounds."""
    threshold = frozen(np.full(p.size, p.threshold.max()))
    populations = [
        replace(x, threshold=threshold) if x.name == p.name else x for x in stepped.populations
    ]
    return replace(stepped, populations=tuple(populations))


def _rows(weights: object, relative: FloatArray) -> FloatArray:
    return np.asarray(entries(weights) * relative[post_of_entries(weights)])


# --------------------------------------------------------------------------- pass 3: decays


def code_decays(draft: Draft) -> Draft:
    """Code the decays of u and v; write out convolutions that they keep from being one kernel."""
    for p in draft.stepped.described:
        plan, where = draft.plans[p.name], f"population {p.name!r}"
        form, meant_u = plan.form, _meant_u(draft.stepped, p)
        if form.registers[0] == form.registers[1]:  # the input enters v: delta synapses alone
            if np.any(meant_u != 1):
                raise LoweringError(
                    f"{where}: exponential synapses want a current register; {draft.profile.name} "
                    "has none, allowed: Delta()"
                )
            loss_u, meant_u = np.ones(p.size), np.zeros(p.size)
            du, _, entry_u = _code_decay(where, "u", None, meant_u, p.size)
        else:
            du, loss_u, entry_u = _code_decay(where, "u", form.decay_u, meant_u, p.size)
        dv, loss_v, entry_v = _code_decay(where, "v", form.decay_v, p.leak_v, p.size)
        plan = replace(plan, du=du, dv=dv, loss_u=loss_u, loss_v=loss_v)
        draft = replace(draft, plans=draft.plans | {p.name: plan})
        taus = time_constants(draft.stepped, p, loss_u, loss_v)
        draft = note(draft, entries=entry_u + entry_v, time_constants=taus)
    return keep_folded(_code_stages(draft))


def _code_stages(draft: Draft) -> Draft:
    """Code the decays of the filter stages, those first that others lead to."""
    form = stage_form(draft.profile)
    for target in draft.stepped.described:
        for name in all_stages_of(draft.stepped, target.name):
            if form is None:  # such stages were refused, or are gone
                raise LoweringError(f"profile {draft.profile.name} has no filter stage for {name}")
            p, where = draft.stepped.population(name), f"filter stage {name!r}"
            meant = 1.0 - np.asarray(p.decay_u[0])
            du, loss, noted = _code_decay(where, form.register, form.decay, meant, p.size)
            post = next(q.post for q in draft.stepped.projections if q.pre == name)
            plan = StagePlan(form, du, loss, post, target.name)
            euler = draft.stepped.rule.integrator == "euler"
            realised = _tau(draft.stepped.dt, loss, euler)
            taus = (TimeConstant(where, "tau_syn", float(p.tau_syn[0]), realised),)
            draft = replace(draft, stages=draft.stages | {name: plan})
            draft = note(draft, entries=noted, time_constants=taus)
    return draft


def _meant_u(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    """Return the share of u lost per step; several receptors are averaged by their weight."""
    losses = 1.0 - np.asarray(p.decay_u)
    if len(losses) == 1:
        return np.asarray(losses[0])
    weights = np.zeros(losses.shape)
    for q in stepped.projections:
        if q.post == p.name:
            weights[q.receptor] += np.bincount(
                post_of_entries(q.weights), np.abs(entries(q.weights)), minlength=p.size
            )
    total = weights.sum(axis=0)
    shares = np.where(total > 0, weights, 1.0) / np.where(total > 0, total, float(len(losses)))
    # the mean of the time constants 1/loss, so that the total charge lasts as long as meant
    return np.asarray(1.0 / (shares / losses).sum(axis=0))


def _code_decay(
    where: str, register: str, code: DecayCode | None, meant: FloatArray, n: int
) -> tuple[IntArray, FloatArray, tuple[Entry, ...]]:
    if code is None:
        if np.any(meant != 0):
            raise LoweringError(f"{where}: register {register} has no decay in this profile")
        return np.zeros(n, np.int64), np.zeros(n), ()
    values, real = code.encode(meant)
    loss = code.loss(values)
    noted = entry(
        where,
        code.param,
        meant,
        loss,
        "1/step",
        int(np.sum((real < code.lo - 0.5) | (real > code.hi + 0.5))),
        headroom(code.hi, values),
        int(near_tie(real).sum()),
        tolerance=1e-15,
    )
    return values, loss, (noted,)


def headroom(hi: float, values: FloatArray | IntArray) -> float:
    """Return log2(largest allowed / largest used); inf where nothing is used."""
    largest = float(np.abs(values).max(initial=0))
    return float(np.log2(hi / largest)) if largest > 0 and hi > 0 else float("inf")


def time_constants(
    stepped: SteppedNetwork, p: SteppedPopulation, loss_u: FloatArray, loss_v: FloatArray
) -> tuple[TimeConstant, ...]:
    """Return the time constants that the coded losses per step stand for."""
    where, euler = f"population {p.name!r}", stepped.rule.integrator == "euler"
    found = [TimeConstant(where, "tau_m", float(np.mean(p.tau_m)), _tau(stepped.dt, loss_v, euler))]
    if p.tau_syn.max() > 0:
        realised = _tau(stepped.dt, loss_u, euler)
        found.append(TimeConstant(where, "tau_syn", float(np.mean(p.tau_syn)), realised))
    return tuple(found)


def _tau(dt: float, loss: FloatArray, euler: bool) -> float:
    """Return the time constant that a loss per step stands for in the rule's integrator."""
    with np.errstate(divide="ignore"):
        rate = loss if euler else -np.log1p(-np.minimum(loss, 1.0))
        taus = np.where(loss > 0, dt / rate, np.inf)
    return float(np.mean(taus))
