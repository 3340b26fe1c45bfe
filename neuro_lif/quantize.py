"""SteppedNetwork -> FixedNetwork: chooses the scales and codes every number in the chip's integers.

An explicit row of passes, each a pure function from one draft to the next; what a profile cannot
express is refused by name, or approximated where the caller asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .arrays import FloatArray, IntArray, entries, frozen, post_of_entries, with_entries
from .discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from .encode import code_bias, code_currents, code_sources
from .errors import LoweringError, RangeError
from .fixed import FixedNetwork, FixedPopulation, FixedProjection
from .formats import near_tie, nearest
from .ledger import Entry, Headroom, Ledger, TimeConstant, entry
from .lowering import DecayCode, LifForm, lif_form
from .network import Constant
from .profile import HardwareProfile, load_profile
from .scale import (
    Demand, Incoming, Limits, Scale, bounds, choose_scale, code_weights,
)  # fmt: skip

APPROXIMATIONS = {
    "refractory": "drop a refractory period the profile does not have, or cut one that is too long",
    "reset": "reset to a value where the network asks for reset by subtraction",
    "delay": "cut delays that are longer than the profile's",
    "synapse": "replace several synaptic time constants on one population by their weighted mean",
}
"""What :func:`quantize` may do instead of refusing, when named in ``approximate``."""


@dataclass(frozen=True)
class Plan:
    """A population on its way to integers: its model, decays and scale."""

    form: LifForm
    du: IntArray
    dv: IntArray
    loss_u: FloatArray
    loss_v: FloatArray
    meant_u: FloatArray
    scale: Scale | None = None


@dataclass(frozen=True)
class Draft:
    """What the passes hand on."""

    stepped: SteppedNetwork
    profile: HardwareProfile
    approximate: frozenset[str]
    weight_bits: int
    n_steps: int | None
    compensate: bool
    proved: bool
    plans: dict[str, Plan]
    fixed: FixedNetwork | None = None
    ledger: Ledger = Ledger("")


def quantize(
    stepped: SteppedNetwork, profile: HardwareProfile | str, *,
    approximate: Iterable[str] = (), weight_bits: int | None = None,
    n_steps: int | None = None, gain_compensation: bool = True, proved: bool = False,
) -> FixedNetwork:  # fmt: skip
    """Code a stepped network in a chip's integers.

    Args:
        stepped: from :func:`neuro_lif.discretize`.
        profile: a profile, or the name of a shipped one.
        approximate: names of :data:`APPROXIMATIONS` that are allowed.
        weight_bits: bits of the weight mantissa; absent means the profile's.
        n_steps: needed where a current input has no end of its own (a sinusoid).
        gain_compensation: rescale weights and bias so that rounding the decays changes only the
            time constants, not the steady state.
        proved: choose only scales at which no input whatever can overflow a register, even where
            that costs resolution.

    Returns:
        A new FixedNetwork with its :class:`~neuro_lif.ledger.Ledger`.

    Raises:
        LoweringError: the profile cannot express something; names it and what to do.
        RangeError: an argument is not valid.
    """
    if isinstance(profile, str):
        profile = load_profile(profile)
    draft = Draft(
        stepped, profile, _approximations(approximate), _bits(profile, weight_bits), n_steps,
        gain_compensation, proved, {}, None, Ledger(profile.name, notes=stepped.notes),
    )  # fmt: skip
    for step in PASSES:
        draft = step(draft)
    if draft.fixed is None:
        raise LoweringError("no pass produced a network")
    return replace(draft.fixed, ledger=draft.ledger)


def _approximations(names: Iterable[str]) -> frozenset[str]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in APPROXIMATIONS:
            raise RangeError(f"approximate = {name!r}, allowed: {', '.join(APPROXIMATIONS)}")
    return frozenset(names)


def _bits(profile: HardwareProfile, bits: int | None) -> int:
    if bits is None:
        return profile.weights.default_bits
    whole = isinstance(bits, (int, np.integer)) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= profile.weights.mantissa_bits:
        top = profile.weights.mantissa_bits
        raise RangeError(f"weight_bits = {bits!r}, allowed: 1..{top} ({profile.name})")
    return int(bits)


def _note(draft: Draft, **lists: tuple[Any, ...]) -> Draft:
    """Return the draft with entries added to its ledger."""
    grown = {k: getattr(draft.ledger, k) + v for k, v in lists.items()}
    return replace(draft, ledger=replace(draft.ledger, **grown))


def _refuse_or_note(draft: Draft, name: str, text: str, mend: str) -> Draft:
    if name not in draft.approximate:
        raise LoweringError(
            f"{text}; profile {draft.profile.name} cannot. {mend}, or allow it: "
            f'approximate=("{name}",): {APPROXIMATIONS[name]}'
        )
    return _note(draft, approximations=(f"{text} ({APPROXIMATIONS[name]})",))


# ------------------------------------------------------------------- pass 1: neuron models


def choose_models(draft: Draft) -> Draft:
    """Choose a neuron model of the profile for every population, or refuse by name."""
    forms = [lif_form(draft.profile, name) for name in draft.profile.models]
    for p in draft.stepped.populations:
        where = f"population {p.name!r}"
        fitting = [f for f in forms if not p.spikes or f.reset == p.reset]
        if not fitting:
            draft = _refuse_or_note(draft, "reset", f"{where} wants reset = {p.reset!r}",
                                    "Use a profile with such a model")  # fmt: skip
            fitting = forms
        if np.any(p.refractory > 0):
            held = [f for f in fitting if f.refractory is not None]
            if not held:
                draft = _refuse_or_note(
                    draft, "refractory", f"{where} wants t_refractory of {p.refractory.max()} steps",
                    "Use a profile with a refractory counter (loihi1, loihi2, generic)")  # fmt: skip
            fitting = held or fitting
        if len(p.tau_syn) > 1:
            times = ", ".join(f"{t * 1e3:.4g} ms" for t in p.tau_syn)
            text = f"{where} has synapses with different time constants ({times}; 0: delta)"
            draft = _refuse_or_note(draft, "synapse", text, "Give its projections one synapse")
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
        draft = replace(draft, plans=draft.plans | {
            p.name: replace(plan, du=du, dv=dv, loss_u=loss_u, loss_v=loss_v, meant_u=meant_u)
        })  # fmt: skip
        taus = _time_constants(draft.stepped.dt, p, loss_u, loss_v)
        draft = _note(draft, entries=entry_u + entry_v, time_constants=taus)
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
    noted = entry(where, code.param, meant, loss, "1/step", clipped,
                  near_ties=int(near_tie(real).sum()), tolerance=1e-15)  # fmt: skip
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


# --------------------------------------------------------------------------- pass 3: scales


def choose_scales(draft: Draft) -> Draft:
    """Choose every population's scale and every projection's exponent."""
    for p in draft.stepped.populations:
        plan = draft.plans[p.name]
        demand = _demand(draft, p)
        limits = _limits(draft, plan.form)
        scale = choose_scale(demand, limits, draft.proved)
        draft = replace(draft, plans=draft.plans | {p.name: replace(plan, scale=scale)})
        draft = _note(
            draft, headroom=_headroom(p.name, demand, limits, scale),
            scales=((p.name, 1.0 / scale.lsb_per_volt),), notes=_predictions(p, scale),
        )  # fmt: skip
    return draft


def _predictions(p: SteppedPopulation, scale: Scale) -> tuple[str, ...]:
    terms = ", ".join(f"{k} {100 * v:.3g} %" for k, v in scale.predicted.items() if k != "total")
    return (f"population {p.name!r}: predicted error of v, share of the threshold: {terms}",)


def _limits(draft: Draft, form: LifForm) -> Limits:
    profile = draft.profile
    threshold = profile.params[form.threshold].span[1] << form.thr_shift
    bias = 0.0
    if form.bias_mant is not None:
        top = profile.params[form.bias_exp].span[1] if form.bias_exp else 0
        bias = float(profile.params[form.bias_mant].span[1] << top)
    return Limits(form.v_span, form.u_span, form.sum_limit, float(threshold), bias,
                  form.in_shift, form.thr_shift, profile.weights)  # fmt: skip


def incoming_of(draft: Draft, p: SteppedPopulation) -> list[tuple[SteppedProjection, Incoming]]:
    """Return the projections onto a population, weights gain-compensated, as the search sees them."""
    plan = draft.plans[p.name]
    sources = code_sources(draft.stepped)
    most = {s.name: 1 if s.raster is None else int(max(s.raster.max(initial=1), 1)) for s in sources}
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
    return gain * _leak_gain(p, plan, compensate)


def _leak_gain(p: SteppedPopulation, plan: Plan, compensate: bool) -> FloatArray:
    usable = compensate & (p.leak_v > 0) & (plan.loss_v > 0)
    return np.asarray(np.where(usable, plan.loss_v / np.where(p.leak_v > 0, p.leak_v, 1.0), 1.0))


def _constant_current(draft: Draft, p: SteppedPopulation) -> FloatArray:
    """Return V per step of the constant currents, which become part of the bias."""
    total = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + p.gain * c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def _bias(draft: Draft, p: SteppedPopulation) -> FloatArray:
    plan = draft.plans[p.name]
    return (p.bias + _constant_current(draft, p)) * _leak_gain(p, plan, draft.compensate)


def _demand(draft: Draft, p: SteppedPopulation) -> Demand:
    plan = draft.plans[p.name]
    largest = np.zeros(p.size)
    for c in draft.stepped.network.current_inputs:
        if c.population == p.name and not isinstance(c.stimulus, (Constant, type(None))):
            times = np.arange(draft.n_steps or 4096) * draft.stepped.dt
            largest += np.abs(p.gain * c.stimulus.sample(times, p.size)).max(axis=0)
    return Demand(p.threshold, _bias(draft, p), p.v_init, plan.loss_u, plan.loss_v, p.reset,
                  tuple(i for _, i in incoming_of(draft, p)), largest)  # fmt: skip


def _headroom(
    name: str, demand: Demand, limits: Limits, scale: Scale
) -> tuple[Headroom, ...]:
    b = bounds(demand, scale.activity)
    # without a leak nothing bounds v for ever: the bound is then over 1,000 steps
    settled = bool(np.all(demand.loss_v > 0))
    sure = scale.activity == 1.0
    rows = (("sum", b.sum, limits.sum, True), ("u", b.u, limits.u[1], True),
            ("v", np.maximum(b.v_up, b.v_down), limits.v[1], settled))  # fmt: skip
    return tuple(
        Headroom(f"population {name!r}", register, float(bound.max()) * scale.lsb_per_volt,
                 float(limit), sure and held, scale.activity)
        for register, bound, limit, held in rows
    )  # fmt: skip


# ---------------------------------------------------------------------------- pass 4: codes


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
        draft.profile, tuple(populations), tuple(projections), code_sources(draft.stepped),
        draft_currents, draft.stepped.dt, draft.stepped.network.probes,
    )  # fmt: skip
    return _note(replace(draft, fixed=fixed), notes=notes)


def _current_code(draft: Draft, p: SteppedPopulation) -> tuple[FloatArray, FloatArray, int]:
    """Return (LSB per A, factor of u kept per step, input shift) of a population."""
    plan = draft.plans[p.name]
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    gain = p.gain * _leak_gain(p, plan, draft.compensate) * s
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
    draft = _note(draft, entries=noted)
    bias = _bias(draft, p)
    if form.bias_mant is not None:
        mant, exp, noted_bias = code_bias(profile, form, bias, s, where)
        params[form.bias_mant] = _collapse(mant)
        if form.bias_exp is not None:
            params[form.bias_exp] = _collapse(exp)
        draft = _note(draft, entries=(noted_bias,))
    elif np.any(bias != 0):
        raise LoweringError(f"{where}: i_bias or v_rest != v_reset needs a bias; {profile.name} has none")
    draft, held = _code_refractory(draft, p, form, where)
    params |= held
    start = nearest(p.v_init * s)
    voltage = profile.model(form.model).voltage
    population = FixedPopulation(
        p.name, p.size, form.model, params, {voltage: start} if start.any() else {},
        1.0 / s, p.v_zero,
    )  # fmt: skip
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
    wanted = {(">=", ">"): -1.0, (">", ">="): 1.0}.get((draft.stepped.rule.compare, form.compare), 0)
    real = (p.threshold * s + wanted) / 2.0**form.thr_shift
    values = np.clip(nearest(real), max(lo, 0), hi)
    got = (values * 2.0**form.thr_shift - wanted) / s
    headroom = float(np.log2((hi + 1) / max(int(values.max()), 1)))
    clipped = int(np.sum(real > hi + 0.5))
    noted = entry(where, form.threshold, p.threshold, got, "V", clipped, headroom,
                  int(near_tie(real).sum()), 1e-12 / s)  # fmt: skip
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
        draft = _refuse_or_note(draft, "refractory", steps + f"the longest is {hi - form.ref_extra}",
                                "Use a longer dt")  # fmt: skip
    return draft, {form.refractory: _collapse(np.clip(values, lo, hi))}


def _code_projection(
    draft: Draft, p: SteppedPopulation, q: SteppedProjection, incoming: Incoming, exponent: int
) -> tuple[Draft, FixedProjection]:
    plan, where = draft.plans[p.name], f"projection {q.name!r}"
    limits = _limits(draft, plan.form)
    s = plan.scale.lsb_per_volt if plan.scale else 1.0
    mantissas = code_weights(incoming.values, incoming, limits, s, exponent)
    unit = 2.0 ** (exponent + limits.in_shift) / s
    real = incoming.values / unit
    lo, hi = limits.weights.mode_range(incoming.mode)
    step = limits.weights.step(incoming.mode, incoming.weight_bits)
    clipped = int(np.sum((real > hi // step * step + step / 2) | (real < lo - step / 2)))
    largest = int(np.abs(mantissas).max(initial=0))
    headroom = float(np.log2(max(hi, -lo) / largest)) if largest else float("inf")
    noted = entry(where, "weights", incoming.values, mantissas * unit, "V/step", clipped, headroom,
                  int(near_tie(real / step).sum()), 1e-12 * unit)  # fmt: skip
    draft, delays = _code_delays(draft, q, where)
    projection = FixedProjection(
        q.name, q.pre, q.post, with_entries(q.weights, mantissas), exponent, incoming.mode,
        incoming.weight_bits, delays, graded=incoming.most > 1,
    )  # fmt: skip
    return _note(draft, entries=(noted,)), projection


def _code_delays(draft: Draft, q: SteppedProjection, where: str) -> tuple[Draft, IntArray]:
    routing = draft.profile.routing
    external = q.pre in {i.name for i in draft.stepped.network.spike_inputs}
    latency = routing.input_latency if external else routing.recurrent_latency
    delays = q.delays + (q.latency - latency)
    if np.any(delays < 0):
        late = f"{where}: arrives {-int(delays.min())} step later than the step rule says"
        draft = _note(draft, notes=(late,))
    if np.any(delays > routing.delay_hi):
        longest = int(delays.max())
        text = f"{where} wants a delay of {longest} steps, the longest is {routing.delay_hi}"
        draft = _refuse_or_note(draft, "delay", text, "Use a longer dt")
    coded = np.clip(delays, routing.delay_lo, routing.delay_hi)
    changed = np.atleast_1d(coded - delays)
    noted = entry(where, "delays", np.atleast_1d(delays), np.atleast_1d(coded), "steps",
                  int(np.sum(changed < 0)))  # fmt: skip
    return _note(draft, entries=(noted,)), np.asarray(coded, np.int64)


PASSES = (choose_models, code_decays, choose_scales, code_network)
"""The lowering, in order; each takes a draft and returns a new one."""
