"""What a population asks of its scale, and what its neuron model and the profile allow."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from ..discretize import SteppedPopulation
from ..network import Constant, CurrentInput
from .bounds import LEAST_LEAK, Demand, Limits
from .draft import Draft
from .encode import largest_current
from .form import LifForm
from .incoming import feeds_of, incoming_of, leak_gain


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
        float(threshold - (form.compare == ">=")),
        bias,
        form.in_shift,
        form.thr_shift,
        profile.weights,
    )


def constant_current(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return V per step of the constant currents, which become part of the bias."""
    total = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + p.gain * c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def bias_of(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return the bias, constant currents included, V per step ``(n,)``."""
    plan = draft.plans[p.name]
    return (p.bias + constant_current(draft, p)) * leak_gain(p, plan, draft.compensate)


def least_leak(draft: Draft, p: SteppedPopulation) -> float:
    """Return the share of v lost per step below which bounds are over a number of steps.

    Over 1,000, or ``n_steps`` if those are fewer and it hardly leaks; of a read-out, which adds up
    all it hears, over ``n_steps``.
    """
    if not draft.n_steps:
        return LEAST_LEAK
    wanted = 1.0 / draft.n_steps
    if not p.spikes:
        return wanted
    leaks = bool(np.all(draft.plans[p.name].loss_v >= LEAST_LEAK))
    return LEAST_LEAK if leaks else max(LEAST_LEAK, wanted)


def u_init_of(draft: Draft, p: SteppedPopulation) -> FloatArray | None:
    """Return what u starts at, V per step ``(n,)``; None: 0.

    A synaptic state is what weights, gain-compensated, add up to: rounding du leaves it as it is,
    and what rounding dv changes it makes up for as they do.
    """
    if p.u_init is None or not np.any(p.u_init):
        return None
    total = np.asarray(p.u_init).sum(axis=0)
    return np.asarray(total * leak_gain(p, draft.plans[p.name], draft.compensate))


def demand_of(draft: Draft, p: SteppedPopulation) -> Demand:
    """Return what a population asks of its scale."""
    plan = draft.plans[p.name]
    gain = p.gain * leak_gain(p, plan, draft.compensate)
    largest = np.zeros(p.size)
    for c in varying(draft, p):
        if c.stimulus is None:
            largest += allowance(p)
        else:
            largest += np.abs(gain) * largest_current(draft.stepped, c, draft.n_steps)
    decay = plan.form.decay_v
    return Demand(
        p.threshold,
        bias_of(draft, p),
        p.v_init,
        plan.loss_u,
        plan.loss_v,
        p.reset if plan.form.reset == p.reset or not p.spikes else plan.form.reset,
        tuple(i for _, i in incoming_of(draft, p)),
        largest,
        0.0 if decay is not None and decay.rounding == "nearest_up" else 0.5,
        feeds_of(draft, p.name),
        u_init_of(draft, p),
        least_leak(draft, p),
    )


def varying(draft: Draft, p: SteppedPopulation) -> list[CurrentInput]:
    """Return the current inputs of a population that do not become part of the bias."""
    currents = draft.stepped.network.current_inputs
    return [c for c in currents if c.population == p.name and not isinstance(c.stimulus, Constant)]


def allowance(p: SteppedPopulation) -> FloatArray:
    """Return the current, V per step, that head-room is kept for where none is described.

    As much as takes v to the threshold in one step; in a read-out, to 1 V in the long run.
    """
    leak = np.where(p.leak_v > 0, p.leak_v, 1.0)
    return np.asarray(np.where(np.isfinite(p.threshold), p.threshold, leak))
