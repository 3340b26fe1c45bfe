"""The coding pass: every number of the network in the chip's integers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray, frozen
from ..discretize import SteppedPopulation
from ..errors import LoweringError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie, nearest
from ..ledger import Entry, entry
from .code_projections import Scaled, code_projection
from .code_projections import code_delays as code_delays
from .code_stages import code_stages
from .demands import bias_of, limits_of, u_init_of
from .draft import Draft, Plan, note, refuse_or_note
from .drives import held_drive
from .encode import code_bias, code_currents, code_sources
from .form import LifForm
from .incoming import incoming_of, leak_gain
from .models import headroom
from .scales import headroom_of, note_scales, shrink
from .stage_reach import stage_rows

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

ROUNDS = 20
"""How often scales may be lowered because rounding made a bound larger than foreseen."""


def code_network(draft: Draft) -> Draft:
    """Code the network; lower the scale where the coded integers could overflow after all."""
    for _ in range(ROUNDS):
        coded = code_all(draft)
        rows = {p.name: headroom_of(coded, p) for p in draft.stepped.described}
        smaller = shrink(draft, rows)
        if smaller is None:
            break
        draft = smaller
    found = tuple(row for name in rows for row in rows[name]) + stage_rows(coded)
    loose = [f"{h.where}, register {h.register}" for h in found if not h.sure]
    if draft.proved and loose:
        raise LoweringError(
            f"proved = True, but no bound holds for every input: {'; '.join(loose)}. A "
            "membrane without a leak and currents given at run time have none, and weights too "
            "coarse for the "
            "profile may not either; use proved=False"
        )
    return note_scales(note(coded, headroom=found))


def code_all(draft: Draft) -> Draft:
    """Code weights, thresholds, biases, refractory periods, delays and inputs."""
    populations, projections = [], []
    for p in draft.stepped.described:
        draft, population, onto = code_part(draft, p)
        populations.append(population)
        projections += onto
    draft, stages, through = code_stages(draft)
    places = {p.name: i for i, p in enumerate(draft.stepped.populations)}
    populations = sorted([*populations, *stages], key=lambda p: places[p.name])
    order = {q.name: i for i, q in enumerate(draft.stepped.projections)}
    projections = sorted([*projections, *through], key=lambda q: order[q.name])
    kept = {p.name: _current_code(draft, p) for p in draft.stepped.described}
    directs, noted = code_currents(draft.stepped, kept, draft.n_steps, draft.held)
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


def code_part(
    draft: Draft, p: SteppedPopulation
) -> tuple[Draft, FixedPopulation, list[FixedProjection]]:
    """Code one population and what leads to it, but for filter stages and currents."""
    draft, population = _code_population(draft, p)
    plan, projections = draft.plans[p.name], []
    scale = plan.scale
    exponents = scale.exponents if scale else ()
    s = scale.lsb_per_volt if scale else 1.0
    onto = Scaled(limits_of(draft, plan.form), s, plan.relative)
    for (q, incoming), exponent in zip(incoming_of(draft, p), exponents, strict=True):
        draft, projection = code_projection(draft, q, incoming, exponent, onto)
        projections.append(projection)
    return draft, population, projections


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
    highest = values[form.threshold] * 2.0**form.thr_shift - (form.compare == ">=")
    steady = held_drive(draft, p, np.asarray(highest, np.float64))
    if steady.close.any():
        text = (
            f"{where}: the bias and currents of {int(steady.close.sum())} neuron(s) are coded so "
            "that they alone never reach the threshold, as they do not in float"
        )
        draft = note(draft, notes=(text,))
        kept_v = 1.0 - plan.loss_v
        draft = replace(draft, held=draft.held | {p.name: (steady.close, steady.current, kept_v)})
    draft, bias = _code_bias(draft, p, plan, where, steady.bias)
    draft, held = _code_refractory(draft, p, form, where)
    params = {k: collapse(profile, where, k, v) for k, v in (values | bias | held).items()}
    draft, start = _code_start(draft, p, plan, where)
    population = FixedPopulation(
        p.name,
        p.size,
        form.model,
        params,
        start,
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
    lo = max(lo, int(form.most > 1))  # a threshold of 0 fits into v any number of times
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
    draft: Draft, p: SteppedPopulation, plan: Plan, where: str, most: FloatArray
) -> tuple[Draft, dict[str, IntArray]]:
    form, profile, bias = plan.form, draft.profile, bias_of(draft, p)
    if plan.correction is not None:
        bias = bias + plan.correction
    if form.bias_mant is None:
        if np.any(bias != 0):
            raise LoweringError(
                f"{where}: i_bias or v_rest != v_reset needs a bias; {profile.name} has none"
            )
        return draft, {}
    mant, exp, noted = code_bias(
        profile, form, bias / plan.relative, plan.lsb_per_volt, where, most
    )
    coded = {form.bias_mant: mant} | ({form.bias_exp: exp} if form.bias_exp else {})
    return note(draft, entries=(noted,)), coded


def _code_start(
    draft: Draft, p: SteppedPopulation, plan: Plan, where: str
) -> tuple[Draft, dict[str, IntArray]]:
    """Code what v and u start at; registers that start at 0 are left out."""
    voltage, current = plan.form.registers
    u_init, spans = u_init_of(draft, p), (plan.form.v_span, plan.form.u_span)
    meant: list[tuple[str, str, FloatArray | None, tuple[int, int], str]] = [
        (voltage, "v_init", p.v_init, spans[0], "V")
    ]
    if current != voltage:  # else there are delta synapses alone, which forget at once
        meant.append((current, "u_init", u_init, spans[1], "V/step"))
    coded: dict[str, IntArray] = {}
    for register, name, volts, (lo, hi), unit in meant:
        if volts is None or not volts.any():
            continue
        real = volts / plan.relative * plan.lsb_per_volt
        start = np.clip(nearest(np.clip(real, -(2.0**50), 2.0**50)), lo, hi)
        noted = entry(
            where,
            name,
            volts / plan.relative,
            start / plan.lsb_per_volt,
            unit,
            int(np.sum((real > hi + 0.5) | (real < lo - 0.5))),
            headroom(min(hi, -lo), start),
            int(near_tie(real).sum()),
            1e-12 / plan.lsb_per_volt,
        )
        draft = note(draft, entries=(noted,))
        if start.any():
            coded[register] = start
    return draft, coded


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
