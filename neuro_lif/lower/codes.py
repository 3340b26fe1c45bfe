"""The coding pass: every number of the network in the chip's integers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray, frozen, with_entries
from ..discretize import SteppedPopulation, SteppedProjection
from ..errors import LoweringError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie, nearest
from ..ledger import Entry, entry
from .bounds import Incoming
from .draft import Draft, Plan, note, refuse_or_note
from .encode import code_bias, code_currents, code_sources
from .form import LifForm
from .models import headroom
from .scales import bias_of, headroom_of, incoming_of, leak_gain, limits_of, note_scales, shrink
from .search import code_weights

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

ROUNDS = 20
"""How often scales may be lowered because rounding made a bound larger than foreseen."""


def code_network(draft: Draft) -> Draft:
    """Code the network; lower the scale where the coded integers could overflow after all."""
    for _ in range(ROUNDS):
        coded = _code(draft)
        rows = {p.name: headroom_of(coded, p) for p in draft.stepped.populations}
        smaller = shrink(draft, rows)
        if smaller is None:
            break
        draft = smaller
    found = tuple(row for name in rows for row in rows[name])
    loose = [f"{h.where}, register {h.register}" for h in found if not h.sure]
    if draft.proved and loose:
        raise LoweringError(
            f"proved = True, but no bound holds for every input: {'; '.join(loose)}. A "
            "membrane without a leak and currents given at run time have none, and weights too "
            "coarse for the "
            "profile may not either; use proved=False"
        )
    return note_scales(note(coded, headroom=found))


def _code(draft: Draft) -> Draft:
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
    directs, noted = code_currents(draft.stepped, kept, draft.n_steps)
    fixed = FixedNetwork(
        draft.profile,
        tuple(populations),
        tuple(projections),
        code_sources(draft.stepped),
        directs,
        draft.stepped.dt,
        draft.stepped.network.probes,
    )
    return note(replace(draft, fixed=fixed), entries=noted)


def _current_code(draft: Draft, p: SteppedPopulation) -> tuple[FloatArray, FloatArray, int]:
    """Return (LSB per A, factor of u kept per step, input shift) of a population."""
    plan = draft.plans[p.name]
    # p is on the neurons' own scales already, so only the population's scale is missing
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    gain = p.gain * leak_gain(p, plan, draft.compensate) * s
    return gain, 1.0 - plan.loss_u, plan.form.in_shift


def _code_population(draft: Draft, p: SteppedPopulation) -> tuple[Draft, FixedPopulation]:
    plan, where = draft.plans[p.name], f"population {p.name!r}"
    form, profile = plan.form, draft.profile
    values: dict[str, IntArray] = {}
    for code, decay in ((form.decay_v, plan.dv), (form.decay_u, plan.du)):
        if code is not None:
            values[code.param] = decay
    values[form.threshold], noted = _code_threshold(draft, p, plan, where)
    draft = note(draft, entries=noted)
    draft, bias = _code_bias(draft, p, plan, where)
    draft, held = _code_refractory(draft, p, form, where)
    params = {k: collapse(profile, where, k, v) for k, v in (values | bias | held).items()}
    voltage = form.registers[0]
    draft, start = _code_start(draft, p, plan, where)
    population = FixedPopulation(
        p.name,
        p.size,
        form.model,
        params,
        {voltage: start} if start.any() else {},
        1.0 / plan.lsb_per_volt,
        p.v_zero,
    )
    return draft, population


def collapse(profile: HardwareProfile, where: str, name: str, values: IntArray) -> Any:
    """Return one integer where all neurons share it; refuse several where there is room for one."""
    if np.all(values == values[0]):
        return int(values[0])
    per = profile.params[name].per
    if per != "neuron":
        raise LoweringError(
            f"{where}: {name} = {values.min()}..{values.max()} from neuron to neuron; profile "
            f"{profile.name} has one per {per}. Give the neurons their own populations"
        )
    return frozen(values)


def _code_threshold(
    draft: Draft, p: SteppedPopulation, plan: Plan, where: str
) -> tuple[IntArray, tuple[Entry, ...]]:
    form, s = plan.form, plan.scale.lsb_per_volt if plan.scale else 1.0
    lo, hi = draft.profile.params[form.threshold].span
    if not p.spikes:
        return np.full(p.size, hi, np.int64), ()
    # v >= theta is v > theta - 1 for integers
    wanted = {(">=", ">"): -1.0, (">", ">="): 1.0}.get(
        (draft.stepped.rule.compare, form.compare), 0
    )
    real = (p.threshold * s + wanted) / 2.0**form.thr_shift
    values = np.clip(nearest(real), max(lo, 0), hi)
    if wanted and form.thr_shift:
        # where theta is a whole code, v = theta decides: one code lower makes it fire (>= on a
        # chip with >), one higher keeps it silent (> on a chip with >=)
        tied = np.abs(values * 2.0**form.thr_shift - p.threshold * s) < 0.5
        values = np.where(tied, np.clip(values + int(np.sign(wanted)), max(lo, 0), hi), values)
    got = values * 2.0**form.thr_shift - wanted
    noted = entry(
        where,
        form.threshold,
        p.threshold / plan.relative,
        got / plan.lsb_per_volt,
        "V",
        int(np.sum((real > hi + 0.5) | (real < max(lo, 0) - 0.5))),
        headroom(hi, values),
        int(near_tie(real).sum()),
        1e-12 / plan.lsb_per_volt,
    )
    return values, (noted,)


def _code_bias(
    draft: Draft, p: SteppedPopulation, plan: Plan, where: str
) -> tuple[Draft, dict[str, IntArray]]:
    form, profile, bias = plan.form, draft.profile, bias_of(draft, p)
    if form.bias_mant is None:
        if np.any(bias != 0):
            raise LoweringError(
                f"{where}: i_bias or v_rest != v_reset needs a bias; {profile.name} has none"
            )
        return draft, {}
    mant, exp, noted = code_bias(profile, form, bias / plan.relative, plan.lsb_per_volt, where)
    coded = {form.bias_mant: mant} | ({form.bias_exp: exp} if form.bias_exp else {})
    return note(draft, entries=(noted,)), coded


def _code_start(
    draft: Draft, p: SteppedPopulation, plan: Plan, where: str
) -> tuple[Draft, IntArray]:
    """Code the initial voltage."""
    if not p.v_init.any():
        return draft, np.zeros(p.size, np.int64)
    lo, hi = plan.form.v_span
    real = p.v_init / plan.relative * plan.lsb_per_volt
    start = np.clip(nearest(np.clip(real, -(2.0**50), 2.0**50)), lo, hi)
    noted = entry(
        where,
        "v_init",
        p.v_init / plan.relative,
        start / plan.lsb_per_volt,
        "V",
        int(np.sum((real > hi + 0.5) | (real < lo - 0.5))),
        headroom(min(hi, -lo), start),
        int(near_tie(real).sum()),
        1e-12 / plan.lsb_per_volt,
    )
    return note(draft, entries=(noted,)), start


def _code_refractory(
    draft: Draft, p: SteppedPopulation, form: LifForm, where: str
) -> tuple[Draft, dict[str, Any]]:
    if form.refractory is None:
        return draft, {}
    lo, hi = draft.profile.params[form.refractory].span
    values = p.refractory + form.ref_extra
    coded = np.clip(values, lo, hi)
    if np.any(values != coded):
        text = (
            f"{where} wants t_refractory of {p.refractory.max()} steps, "
            f"allowed {lo - form.ref_extra}..{hi - form.ref_extra}"
        )
        draft = refuse_or_note(draft, "refractory", text, "Use another dt")
    clipped = int(np.sum(values != coded))
    room = headroom(hi, coded)
    noted = entry(where, form.refractory, values, coded, "steps", clipped, room)
    return note(draft, entries=(noted,)), {form.refractory: coded}


def _code_projection(
    draft: Draft, p: SteppedPopulation, q: SteppedProjection, incoming: Incoming, exponent: int
) -> tuple[Draft, FixedProjection]:
    plan, where = draft.plans[p.name], f"projection {q.name!r}"
    limits = limits_of(draft, plan.form)
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    mantissas = code_weights(incoming.values, incoming, limits, s, exponent)
    unit = 2.0 ** (exponent + limits.in_shift) / s
    real = incoming.values / unit
    lo, hi = limits.weights.kept_range(incoming.mode, exponent)
    step = limits.weights.step(incoming.mode, incoming.weight_bits)
    high, low = hi // step * step, -(-lo // step) * step
    clipped = int(np.sum((real > high + step / 2) | (real < low - step / 2)))
    relative = plan.relative[incoming.post]
    noted = entry(
        where,
        "weights",
        incoming.values / relative,
        mantissas * unit / relative,
        "V/step",
        clipped,
        headroom(max(hi, -lo), mantissas),
        int(near_tie(real / step).sum()),
        1e-12 * unit / relative,
    )
    draft, delays = code_delays(draft, q, where)
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
    lost = int(np.sum((incoming.values != 0) & (mantissas == 0)))
    if 2 * lost > np.count_nonzero(incoming.values):
        text = f"{where}: {lost} of {mantissas.size} weights are below half a step and became 0"
        draft = note(draft, notes=(text,))
    return note(draft, entries=(noted,)), projection


def code_delays(draft: Draft, q: SteppedProjection, where: str) -> tuple[Draft, IntArray]:
    """Code the delays of a projection; refuse, or note, what the profile has no delay for."""
    routing = draft.profile.routing
    external = q.pre in {i.name for i in draft.stepped.network.spike_inputs}
    latency = routing.input_latency if external else routing.recurrent_latency
    delays = q.delays + (q.latency - latency)
    if np.any(delays < routing.delay_lo):
        early = routing.delay_lo - int(delays.min())
        text = f"{where} wants its spikes {early} step(s) earlier than they can arrive"
        mend = "Use a step rule with input_latency=1" if external else "Use a shorter dt"
        draft = refuse_or_note(draft, "delay", text, mend)
    if np.any(delays > routing.delay_hi):
        longest = int(delays.max())
        text = f"{where} wants a delay of {longest} steps, the longest is {routing.delay_hi}"
        draft = refuse_or_note(draft, "delay", text, "Use a longer dt")
    coded = np.clip(delays, routing.delay_lo, routing.delay_hi)
    changed = int(np.sum(coded != delays))
    if routing.delay_per != "synapse" and np.unique(coded).size > 1:
        text = f"{where} wants delays from synapse to synapse"
        draft = refuse_or_note(draft, "delay", text, "Split the projection, one delay each")
        coded = np.asarray(nearest(coded.mean()))
    got = np.broadcast_to(coded, delays.shape)
    room = headroom(routing.delay_hi, coded)
    noted = entry(where, "delays", delays, got, "steps", changed, room)
    return note(draft, entries=(noted,)), np.asarray(coded, np.int64)
