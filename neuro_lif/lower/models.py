"""The first passes: a neuron model for every population, and its coded decays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import FloatArray, IntArray, entries, post_of_entries
from ..discretize import SteppedNetwork, SteppedPopulation
from ..errors import LoweringError
from ..formats import near_tie
from ..ledger import Entry, TimeConstant, entry
from .draft import Draft, Plan, note, refuse_or_note
from .form import DecayCode, lif_form


def choose_models(draft: Draft) -> Draft:
    """Choose a neuron model of the profile for every population, or refuse by name."""
    forms = [lif_form(draft.profile, name) for name in draft.profile.models]
    for p in draft.stepped.populations:
        where = f"population {p.name!r}"
        fitting = [f for f in forms if not p.spikes or f.reset == p.reset]
        if not fitting:
            draft = refuse_or_note(
                draft,
                "reset",
                f"{where} wants reset = {p.reset!r}",
                "Use a profile with such a model",
            )
            fitting = forms
        if np.any(p.refractory > 0):
            held = [f for f in fitting if f.refractory is not None]
            if not held:
                draft = refuse_or_note(
                    draft,
                    "refractory",
                    f"{where} wants t_refractory of {p.refractory.max()} steps",
                    "Use a profile with a refractory counter (loihi1, loihi2, generic)",
                )
            fitting = held or fitting
        if len(p.tau_syn) > 1:
            times = ", ".join(f"{t * 1e3:.4g} ms" for t in p.tau_syn)
            text = f"{where} has synapses with different time constants ({times}; 0: delta)"
            draft = refuse_or_note(draft, "synapse", text, "Give its projections one synapse")
        plan = Plan(fitting[0], *(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 3)
        draft = replace(draft, plans=draft.plans | {p.name: plan})
    return draft


# --------------------------------------------------------------------------- pass 2: decays


def code_decays(draft: Draft) -> Draft:
    """Code the decays of u and v."""
    for p in draft.stepped.populations:
        plan = draft.plans[p.name]
        meant_u = _meant_u(draft.stepped, p)
        where = f"population {p.name!r}"
        du, loss_u, entry_u = _code_decay(where, "u", plan.form.decay_u, meant_u, p.size)
        dv, loss_v, entry_v = _code_decay(where, "v", plan.form.decay_v, p.leak_v, p.size)
        draft = replace(
            draft,
            plans=draft.plans
            | {p.name: replace(plan, du=du, dv=dv, loss_u=loss_u, loss_v=loss_v, meant_u=meant_u)},
        )
        taus = _time_constants(draft.stepped.dt, p, loss_u, loss_v)
        draft = note(draft, entries=entry_u + entry_v, time_constants=taus)
    return draft


def _meant_u(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    """Return the share of u lost per step; several receptors are averaged by their weight."""
    losses = 1.0 - np.asarray(p.decay_u)
    if len(losses) == 1:
        return losses[0]
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
    clipped = int(np.sum((real < code.lo - 0.5) | (real > code.hi + 0.5)))
    noted = entry(
        where,
        code.param,
        meant,
        loss,
        "1/step",
        clipped,
        near_ties=int(near_tie(real).sum()),
        tolerance=1e-15,
    )
    return values, loss, (noted,)


def _time_constants(
    dt: float, p: SteppedPopulation, loss_u: FloatArray, loss_v: FloatArray
) -> tuple[TimeConstant, ...]:
    where = f"population {p.name!r}"
    found = [TimeConstant(where, "tau_m", float(np.mean(p.tau_m)), _tau(dt, loss_v))]
    if p.tau_syn.max() > 0:
        found.append(TimeConstant(where, "tau_syn", float(np.mean(p.tau_syn)), _tau(dt, loss_u)))
    return tuple(found)


def _tau(dt: float, loss: FloatArray) -> float:
    with np.errstate(divide="ignore"):
        taus = np.where(loss > 0, -dt / np.log1p(-np.minimum(loss, 1.0)), np.inf)
    return float(np.mean(taus))
