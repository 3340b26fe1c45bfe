"""FixedNetwork -> SteppedNetwork: the rung between, rounded parameters with float state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import FloatArray, IntArray, entries, frozen, post_of_entries, with_entries
from .checks import expect
from .convolution import Convolution
from .discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from .errors import RangeError
from .fixed import FixedNetwork, FixedProjection
from .network import Constant
from .stored import kernel_stages

if TYPE_CHECKING:
    from .lower.form import DecayCode, LifForm
    from .lower.stage_form import StageForm


def dequantize(fixed: FixedNetwork, stepped: SteppedNetwork) -> SteppedNetwork:
    """Return ``stepped`` with the parameters the integers really have, state still float64.

    Running it shows what rounding the parameters costs; the emulator then adds what rounding the
    state (and a varying current) costs.

    Args:
        fixed: the result of ``quantize(stepped, ...)``.
        stepped: what it was made from.

    Raises:
        RangeError: the two do not belong together.
    """
    # here, because whoever only runs networks does without the passes
    from .lower.form import lif_form

    expect(fixed, FixedNetwork, "dequantize (fixed)")
    expect(stepped, SteppedNetwork, "dequantize (stepped)")
    stepped = as_lowered(fixed, stepped)
    check_same(fixed, stepped)
    if fixed.poissons:
        raise RangeError(f"poissons = {[p.name for p in fixed.poissons]}, allowed: none, as "
                         "quantize() makes none")  # fmt: skip
    forms = {p.name: lif_form(fixed.profile, fixed.population(p.name).model)
             for p in stepped.described}  # fmt: skip
    compare = next(iter(forms.values())).compare
    populations = tuple(
        _stage(fixed, p) if p.graded else _population(fixed, stepped, p, forms[p.name])
        for p in stepped.populations
    )
    units = {name: form.in_shift for name, form in forms.items()}
    units |= {p.name: _stage_form(fixed).in_shift for p in stepped.populations if p.graded}
    projections = tuple(
        _projection(fixed, q, p, units[q.post])
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


def as_lowered(fixed: FixedNetwork, stepped: SteppedNetwork) -> SteppedNetwork:
    """Return the network as lowering took it apart, into projections of one sign and stages.

    Filter stages are those for several currents. Nothing is changed where there is neither.
    """
    from .lower.granularity import is_split, split_signs

    names = {q.name for q in fixed.projections}
    if not {q.name for q in stepped.projections} <= names and is_split(stepped, names):
        stepped = split_signs(stepped)
    several = any(len(p.tau_syn) > 1 for p in stepped.described)
    if not several or len(fixed.populations) == len(stepped.populations):
        return stepped
    from .lower.draft import Draft
    from .lower.models import choose_models
    from .lower.stages import lower_stages

    bits = fixed.profile.weights.default_bits
    draft = Draft(stepped, fixed.profile, frozenset(), bits, None, True, False)
    return lower_stages(choose_models(draft)).stepped


def _stage_form(fixed: FixedNetwork) -> StageForm:
    from .lower.stage_form import stage_form

    form = stage_form(fixed.profile)
    if form is None:
        raise RangeError(f"profile {fixed.profile.name} has no filter stage, but the network has")
    return form


def _stage(fixed: FixedNetwork, p: SteppedPopulation) -> SteppedPopulation:
    loss = _loss(_stage_form(fixed).decay, fixed.params(p.name))
    return replace(p, decay_u=frozen(np.broadcast_to(1.0 - loss, (1, p.size))))


def check_same(fixed: FixedNetwork, stepped: SteppedNetwork) -> None:
    """Refuse two networks whose populations or projections differ in name or shape.

    Raises:
        RangeError: naming both.
    """
    pairs = (
        (
            "populations",
            [(p.name, p.size) for p in fixed.populations],
            [(p.name, p.size) for p in stepped.populations],
        ),
        (
            "projections",
            [(q.name, q.pre, q.post, q.shape) for q in fixed.projections],
            [(q.name, q.pre, q.post, q.weights.shape) for q in stepped.projections],
        ),
    )
    for name, a, b in pairs:
        if a != b:
            raise RangeError(f"{name} = {a}, allowed: those of the stepped network, {b}")


def _population(
    fixed: FixedNetwork, stepped: SteppedNetwork, p: SteppedPopulation, form: LifForm
) -> SteppedPopulation:
    population, params = fixed.population(p.name), fixed.params(p.name)
    lsb = np.asarray(population.lsb)
    loss_u, loss_v = _loss(form.decay_u, params), _loss(form.decay_v, params)
    if form.registers[0] == form.registers[1]:
        loss_u = np.ones(p.size)
    bias = np.zeros(p.size)
    if form.bias_mant is not None:
        exponent = params[form.bias_exp] if form.bias_exp else 0
        bias = params[form.bias_mant] * 2.0**exponent * lsb
    gain = _gain(fixed, p, lsb)
    threshold = params[form.threshold] * 2.0**form.thr_shift * lsb
    held = params[form.refractory] - form.ref_extra if form.refractory else np.zeros(p.size)
    return replace(
        p,
        decay_u=frozen((1.0 - loss_u)[None]),
        decay_v=frozen(1.0 - loss_v),
        leak_v=frozen(loss_v),
        # constant currents are in the coded bias, and the float runner adds them again
        bias=frozen(bias - gain * _constant(stepped, p)),
        gain=frozen(gain),
        threshold=frozen(threshold) if p.spikes else p.threshold,
        refractory=frozen(held, np.int64) if p.spikes else p.refractory,
        v_init=frozen(fixed.initial(p.name)[form.registers[0]] * lsb),
        u_init=_u_init(fixed, p, form, lsb),
        reset=form.reset if p.spikes else p.reset,  # type: ignore[arg-type]
        tau_syn=frozen(p.tau_syn[:1]),
    )


def _u_init(
    fixed: FixedNetwork, p: SteppedPopulation, form: LifForm, lsb: FloatArray
) -> FloatArray | None:
    """Return what the register of u starts at, V per step ``(1, n)``; None where that is 0."""
    voltage, current = form.registers
    start = fixed.initial(p.name)[current]
    if current == voltage or not start.any():
        return None
    return frozen((start * lsb)[None])  # type: ignore[no-any-return]


def _gain(fixed: FixedNetwork, p: SteppedPopulation, lsb: FloatArray) -> FloatArray:
    """Return V per step and A as the coded currents have it; as described where none is coded."""
    for direct in fixed.directs:
        if direct.population == p.name and direct.lsb_per_ampere is not None:
            return np.asarray(direct.lsb_per_ampere * lsb)
    return p.gain


def _constant(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    total = np.zeros(p.size)
    for c in stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def _loss(code: DecayCode | None, params: dict[str, IntArray]) -> FloatArray:
    return np.zeros(1) if code is None else code.loss(params[code.param])


def _projection(
    fixed: FixedNetwork, q: FixedProjection, p: SteppedProjection, in_shift: int
) -> SteppedProjection:
    unit = 2.0 ** (fixed.sum_exponent(q) + in_shift)
    if q.graded and p.pre in {x.name for x in fixed.populations}:  # a link: one, in float
        return replace(p, delays=q.delays, receptor=0, latency=fixed.latency(q))
    effective = effective_matrix(fixed, q, p)
    lsb = np.asarray(fixed.population(q.post).lsb)[post_of_entries(effective)]
    volts = with_entries(effective, np.asarray(entries(effective) * unit * lsb))
    return replace(p, weights=volts, delays=q.delays, receptor=0, latency=fixed.latency(q))


def effective_matrix(fixed: FixedNetwork, q: FixedProjection, p: SteppedProjection) -> Any:
    """Return the weights a spike delivers as a matrix with the stored entries of ``p``.

    Args:
        fixed: the network of ``q``.
        q: coded from ``p``. Of a convolution, entries of the kernel that became 0 are no synapses
            any more; here they stay, as zeros.
        p: the float projection.
    """
    from .lower.kernels import from_planar

    conv, coded = p.weights, q.convolution
    if coded is None or not q.is_folded or not isinstance(conv, Convolution):
        return fixed.effective_weights(q)
    planar = conv.planar_kernel
    number = np.where(planar != 0, np.arange(1, planar.size + 1).reshape(planar.shape), 0)
    kernel = kernel_stages(fixed.profile, q, coded).delivered.ravel()
    return with_entries(p.matrix, kernel[entries(from_planar(conv, number)) - 1])
