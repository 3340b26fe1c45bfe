"""FixedNetwork -> SteppedNetwork: the rung between, rounded parameters with float state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .arrays import FloatArray, IntArray, entries, frozen, with_entries
from .discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from .fixed import FixedNetwork, FixedProjection
from .lower.form import DecayCode, lif_form


def dequantize(fixed: FixedNetwork, stepped: SteppedNetwork) -> SteppedNetwork:
    """Return ``stepped`` with the parameters the integers really have, state still float64.

    Running it shows what rounding the parameters costs; the emulator then adds what rounding the
    state costs.

    Args:
        fixed: the result of ``quantize(stepped, ...)``.
        stepped: what it was made from.
    """
    forms = {p.name: lif_form(fixed.profile, p.model) for p in fixed.populations}
    compare = next(iter(forms.values())).compare
    populations = tuple(_population(fixed, p) for p in stepped.populations)
    projections = tuple(
        _projection(fixed, q, p)
        for q, p in zip(fixed.projections, stepped.projections, strict=True)
    )
    rule = replace(stepped.rule, compare=compare)  # type: ignore[arg-type]
    note = f"parameters rounded for {fixed.profile.name}"
    return replace(
        stepped,
        rule=rule,
        populations=populations,
        projections=projections,
        notes=(*stepped.notes, note),
    )


def _population(fixed: FixedNetwork, p: SteppedPopulation) -> SteppedPopulation:
    population = fixed.population(p.name)
    form = lif_form(fixed.profile, population.model)
    params = fixed.params(p.name)
    lsb = np.asarray(population.lsb)
    loss_u, loss_v = _loss(form.decay_u, params), _loss(form.decay_v, params)
    bias = np.zeros(p.size)
    if form.bias_mant is not None:
        exponent = params[form.bias_exp] if form.bias_exp else 0
        bias = params[form.bias_mant] * 2.0**exponent * lsb
    threshold = params[form.threshold] * 2.0**form.thr_shift * lsb
    held = params[form.refractory] - form.ref_extra if form.refractory else np.zeros(p.size)
    gain = p.gain * np.where(p.leak_v > 0, loss_v / np.where(p.leak_v > 0, p.leak_v, 1.0), 1.0)
    return replace(
        p,
        decay_u=frozen((1.0 - loss_u)[None]),
        decay_v=frozen(1.0 - loss_v),
        leak_v=frozen(loss_v),
        # constant currents are in the coded bias, and the float runner adds them again
        bias=frozen(bias),
        gain=frozen(gain),
        threshold=frozen(threshold) if p.spikes else p.threshold,
        refractory=frozen(held, np.int64) if p.spikes else p.refractory,
        reset=form.reset if p.spikes else p.reset,  # type: ignore[arg-type]
        tau_syn=frozen(p.tau_syn[:1]),
    )


def _loss(code: DecayCode | None, params: dict[str, IntArray]) -> FloatArray:
    return np.zeros(1) if code is None else code.loss(params[code.param])


def _projection(fixed: FixedNetwork, q: FixedProjection, p: SteppedProjection) -> SteppedProjection:
    population = fixed.population(q.post)
    form = lif_form(fixed.profile, population.model)
    effective = fixed.effective_weights(q)
    unit = 2.0 ** (fixed.sum_exponent(q) + form.in_shift)
    lsb = float(np.asarray(population.lsb)[0])
    volts = with_entries(effective, np.asarray(entries(effective) * unit * lsb))
    return replace(p, weights=volts, delays=q.delays, receptor=0, latency=fixed.latency(q))
