"""The coding pass: every number of the network in the chip's integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, frozen, with_entries
from ..discretize import SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie, nearest
from ..ledger import Entry, entry
from .draft import Draft, note, refuse_or_note
from .encode import code_bias, code_currents, code_sources
from .form import LifForm
from .scales import bias_of, incoming_of, leak_gain, limits_of
from .search import Incoming, code_weights


def code_network(draft: Draft) -> Draft:
    """Code weights, thresholds, biases, refractory periods, delays and inputs."""
    populations, projections = [], []
    for p in draft.stepped.populations:
        draft, population = _code_population(draft, p)
        populations.append(population)
        scale = draft.plans[p.name].scale
        exponents = scale.exponents if scale else ()
        for (q, incoming), exponent in zip(incoming_of(draft, p), exponents, strict=True):
            draft, projection = _code_projection(draft, p, q, incoming, exponent)
            projections.append(projection)
    order = {q.name: i for i, q in enumerate(draft.stepped.projections)}
    projections.sort(key=lambda q: order[q.name])
    kept = {p.name: _current_code(draft, p) for p in draft.stepped.populations}
    draft_currents, notes = code_currents(draft.stepped, kept, draft.n_steps)
    fixed = FixedNetwork(
        draft.profile,
        tuple(populations),
        tuple(projections),
        code_sources(draft.stepped),
        draft_currents,
        draft.stepped.dt,
        draft.stepped.network.probes,
    )
    return note(replace(draft, fixed=fixed), notes=notes)


def _current_code(draft: Draft, p: SteppedPopulation) -> tuple[FloatArray, FloatArray, int]:
    """Return (LSB per A, factor of u kept per step, input shift) of a population."""
    plan = draft.plans[p.name]
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    gain = p.gain * leak_gain(p, plan, draft.compensate) * s
    return gain, 1.0 - plan.loss_u, plan.form.in_shift


def _code_population(draft: Draft, p: SteppedPopulation) -> tuple[Draft, FixedPopulation]:
    plan, where = draft.plans[p.name], f"population {p.name!r}"
    form, profile = plan.form, draft.profile
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    params: dict[str, Any] = {}
    for code, values in ((form.decay_v, plan.dv), (form.decay_u, plan.du)):
        if code is not None:
            params[code.param] = _collapse(values)
    params[form.threshold], noted = _code_threshold(draft, p, form, s, where)
    draft = note(draft, entries=noted)
    bias = bias_of(draft, p)
    if form.bias_mant is not None:
        mant, exp, noted_bias = code_bias(profile, form, bias, s, where)
        params[form.bias_mant] = _collapse(mant)
        if form.bias_exp is not None:
            params[form.bias_exp] = _collapse(exp)
        draft = note(draft, entries=(noted_bias,))
    elif np.any(bias != 0):
        raise LoweringError(
            f"{where}: i_bias or v_rest != v_reset needs a bias; {profile.name} has none"
        )
    draft, held = _code_refractory(draft, p, form, where)
    params |= held
    start = nearest(p.v_init * s)
    voltage = profile.model(form.model).voltage
    population = FixedPopulation(
        p.name,
        p.size,
        form.model,
        params,
        {voltage: start} if start.any() else {},
        1.0 / s,
        p.v_zero,
    )
    return draft, population


def _collapse(values: IntArray) -> Any:
    """Return one integer where all neurons share it."""
    return int(values[0]) if np.all(values == values[0]) else frozen(values)


def _code_threshold(
    draft: Draft, p: SteppedPopulation, form: LifForm, s: float, where: str
) -> tuple[Any, tuple[Entry, ...]]:
    lo, hi = draft.profile.params[form.threshold].span
    if not p.spikes:
        return hi, ()
    # v >= theta is v > theta - 1 for integers
    wanted = {(">=", ">"): -1.0, (">", ">="): 1.0}.get(
        (draft.stepped.rule.compare, form.compare), 0
    )
    real = (p.threshold * s + wanted) / 2.0**form.thr_shift
    values = np.clip(nearest(real), max(lo, 0), hi)
    got = (values * 2.0**form.thr_shift - wanted) / s
    headroom = float(np.log2((hi + 1) / max(int(values.max()), 1)))
    clipped = int(np.sum(real > hi + 0.5))
    noted = entry(
        where,
        form.threshold,
        p.threshold,
        got,
        "V",
        clipped,
        headroom,
        int(near_tie(real).sum()),
        1e-12 / s,
    )
    return _collapse(values), (noted,)


def _code_refractory(
    draft: Draft, p: SteppedPopulation, form: LifForm, where: str
) -> tuple[Draft, dict[str, Any]]:
    if form.refractory is None:
        return draft, {}
    lo, hi = draft.profile.params[form.refractory].span
    values = p.refractory + form.ref_extra
    if np.any(values > hi):
        steps = f"{where} wants t_refractory of {p.refractory.max()} steps, "
        draft = refuse_or_note(
            draft, "refractory", steps + f"the longest is {hi - form.ref_extra}", "Use a longer dt"
        )
    return draft, {form.refractory: _collapse(np.clip(values, lo, hi))}


def _code_projection(
    draft: Draft, p: SteppedPopulation, q: SteppedProjection, incoming: Incoming, exponent: int
) -> tuple[Draft, FixedProjection]:
    plan, where = draft.plans[p.name], f"projection {q.name!r}"
    limits = limits_of(draft, plan.form)
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    mantissas = code_weights(incoming.values, incoming, limits, s, exponent)
    unit = 2.0 ** (exponent + limits.in_shift) / s
    real = incoming.values / unit
    lo, hi = limits.weights.mode_range(incoming.mode)
    step = limits.weights.step(incoming.mode, incoming.weight_bits)
    clipped = int(np.sum((real > hi // step * step + step / 2) | (real < lo - step / 2)))
    largest = int(np.abs(mantissas).max(initial=0))
    headroom = float(np.log2(max(hi, -lo) / largest)) if largest else float("inf")
    noted = entry(
        where,
        "weights",
        incoming.values,
        mantissas * unit,
        "V/step",
        clipped,
        headroom,
        int(near_tie(real / step).sum()),
        1e-12 * unit,
    )
    draft, delays = _code_delays(draft, q, where)
    projection = FixedProjection(
        q.name,
        q.pre,
        q.post,
        with_entries(q.weights, mantissas),
        exponent,
        incoming.mode,
        incoming.weight_bits,
        delays,
        graded=incoming.most > 1,
    )
    return note(draft, entries=(noted,)), projection


def _code_delays(draft: Draft, q: SteppedProjection, where: str) -> tuple[Draft, IntArray]:
    routing = draft.profile.routing
    external = q.pre in {i.name for i in draft.stepped.network.spike_inputs}
    latency = routing.input_latency if external else routing.recurrent_latency
    delays = q.delays + (q.latency - latency)
    if np.any(delays < 0):
        late = f"{where}: arrives {-int(delays.min())} step later than the step rule says"
        draft = note(draft, notes=(late,))
    if np.any(delays > routing.delay_hi):
        longest = int(delays.max())
        text = f"{where} wants a delay of {longest} steps, the longest is {routing.delay_hi}"
        draft = refuse_or_note(draft, "delay", text, "Use a longer dt")
    coded = np.clip(delays, routing.delay_lo, routing.delay_hi)
    changed = np.atleast_1d(coded - delays)
    noted = entry(
        where,
        "delays",
        np.atleast_1d(delays),
        np.atleast_1d(coded),
        "steps",
        int(np.sum(changed < 0)),
    )
    return note(draft, entries=(noted,)), np.asarray(coded, np.int64)
