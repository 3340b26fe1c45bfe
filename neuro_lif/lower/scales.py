"""The scale pass: LSB per volt for every population, an exponent for every projection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import FloatArray, entries, post_of_entries
from ..discretize import SteppedPopulation, SteppedProjection
from ..ledger import Headroom
from ..network import Constant
from .draft import Draft, Plan, note
from .encode import code_sources
from .form import LifForm
from .search import Demand, Incoming, Limits, Scale, bounds, choose_scale


def choose_scales(draft: Draft) -> Draft:
    """Choose every population's scale and every projection's exponent."""
    for p in draft.stepped.populations:
        plan = draft.plans[p.name]
        demand = _demand(draft, p)
        limits = limits_of(draft, plan.form)
        scale = choose_scale(demand, limits, draft.proved)
        draft = replace(draft, plans=draft.plans | {p.name: replace(plan, scale=scale)})
        draft = note(
            draft,
            headroom=_headroom(p.name, demand, limits, scale),
            scales=((p.name, 1.0 / scale.lsb_per_volt),),
            notes=_predictions(p, scale),
        )
    return draft


def _predictions(p: SteppedPopulation, scale: Scale) -> tuple[str, ...]:
    terms = ", ".join(f"{k} {100 * v:.3g} %" for k, v in scale.predicted.items() if k != "total")
    return (f"population {p.name!r}: predicted error of v, share of the threshold: {terms}",)


def limits_of(draft: Draft, form: LifForm) -> Limits:
    """Return the profile's ranges for one neuron model."""
    profile = draft.profile
    threshold = profile.params[form.threshold].span[1] << form.thr_shift
    bias = 0.0
    if form.bias_mant is not None:
        top = profile.params[form.bias_exp].span[1] if form.bias_exp else 0
        bias = float(profile.params[form.bias_mant].span[1] << top)
    return Limits(
        form.v_span,
        form.u_span,
        form.sum_limit,
        float(threshold),
        bias,
        form.in_shift,
        form.thr_shift,
        profile.weights,
    )


def incoming_of(draft: Draft, p: SteppedPopulation) -> list[tuple[SteppedProjection, Incoming]]:
    """Return the projections onto a population with their gain-compensated weights."""
    plan = draft.plans[p.name]
    sources = code_sources(draft.stepped)
    most = {
        s.name: 1 if s.raster is None else int(max(s.raster.max(initial=1), 1)) for s in sources
    }
    out = []
    for q in draft.stepped.projections:
        if q.post != p.name:
            continue
        post = post_of_entries(q.weights)
        gain = _area_gain(p, plan, q.receptor, draft.compensate)[post]
        values = entries(q.weights) * gain
        mode = "mixed" if values.size and values.min() < 0 < values.max() else "excitatory"
        mode = "inhibitory" if values.size and values.max() <= 0 and values.min() < 0 else mode
        out.append((q, Incoming(values, post, mode, draft.weight_bits, most.get(q.pre, 1))))
    return out


def _area_gain(p: SteppedPopulation, plan: Plan, receptor: int, compensate: bool) -> FloatArray:
    """Return the factor that keeps a spike's area in v although the decays were rounded."""
    meant = 1.0 - np.asarray(p.decay_u)[receptor]
    gain = plan.loss_u / meant if compensate or len(p.decay_u) > 1 else np.ones(p.size)
    return gain * leak_gain(p, plan, compensate)


def leak_gain(p: SteppedPopulation, plan: Plan, compensate: bool) -> FloatArray:
    """Return the factor on every input that keeps the steady state although dv was rounded."""
    usable = compensate & (p.leak_v > 0) & (plan.loss_v > 0)
    return np.asarray(np.where(usable, plan.loss_v / np.where(p.leak_v > 0, p.leak_v, 1.0), 1.0))


def _constant_current(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return V per step of the constant currents, which become part of the bias."""
    total = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + p.gain * c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def bias_of(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return the bias, constant currents included, V per step ``(n,)``."""
    plan = draft.plans[p.name]
    return (p.bias + _constant_current(draft, p)) * leak_gain(p, plan, draft.compensate)


def _demand(draft: Draft, p: SteppedPopulation) -> Demand:
    plan = draft.plans[p.name]
    largest = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and not isinstance(c.stimulus, (Constant, type(None))):
            times = np.arange(draft.n_steps or 4096) * draft.stepped.dt
            largest += np.abs(p.gain * c.stimulus.sample(times, p.size)).max(axis=0)
    return Demand(
        p.threshold,
        bias_of(draft, p),
        p.v_init,
        plan.loss_u,
        plan.loss_v,
        p.reset,
        tuple(i for _, i in incoming_of(draft, p)),
        largest,
    )


def _headroom(name: str, demand: Demand, limits: Limits, scale: Scale) -> tuple[Headroom, ...]:
    b = bounds(demand, scale.activity)
    # without a leak nothing bounds v for ever: the bound is then over 1,000 steps
    settled = bool(np.all(demand.loss_v > 0))
    sure = scale.activity == 1.0
    rows = (
        ("sum", b.sum, limits.sum, True),
        ("u", b.u, limits.u[1], True),
        ("v", np.maximum(b.v_up, b.v_down), limits.v[1], settled),
    )
    return tuple(
        Headroom(
            f"population {name!r}",
            register,
            float(bound.max()) * scale.lsb_per_volt,
            float(limit),
            sure and held,
            scale.activity,
        )
        for register, bound, limit, held in rows
    )
