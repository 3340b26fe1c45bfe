"""One population as the formulas see it: what was meant beside what the integers really are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, entries, post_of_entries
from ..checks import expect
from ..dequantize import as_lowered, check_same, dequantize, effective_matrix
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..errors import LoweringError, RangeError
from ..fixed import FixedNetwork, FixedProjection
from ..lower.form import DecayCode, LifForm, lif_form
from ..lower.stage_form import StageForm, stage_form
from ..network import Constant
from ..numerics import walk
from ..reference.theory.described import sender_of_entries
from ..reference.theory.residual import Residual, residual_of
from .thresholds import path_bound


@dataclass(frozen=True, eq=False)
class Incoming:
    """A projection onto the population, meant and coded; one value per stored synapse.

    Args:
        name, pre: of the projection.
        post, sender: target neuron and presynaptic index.
        meant, coded: V per step that a spike adds to u.
        delta_u: ``(n,)`` share of u lost per step in the float reference.
        step: V per step between two weights the chip can have.
    """

    name: str
    pre: str
    post: Any
    sender: Any
    meant: FloatArray
    coded: FloatArray
    delta_u: FloatArray
    step: FloatArray


@dataclass(frozen=True, eq=False)
class Relayed:
    """What a filter stage sends, whatever its senders do; arrays ``(n,)``, V.

    Args:
        most: largest magnitude of the float's state, which is what it sends.
        error: how far the state of the integers is from it at most.
        unit: of what is sent: the remainder that is carried is less.
    """

    most: FloatArray
    error: FloatArray
    unit: FloatArray


@dataclass(frozen=True, eq=False)
class Coded:
    """One population, meant and coded; arrays ``(n,)``, V unless said.

    Args:
        name, size, dt: population, neurons, s.
        form: its model, seen as a LIF.
        lsb: V per LSB.
        delta_u, delta_v: shares lost per step, coded (``delta_u`` 1 where the input enters v).
        meant_v: share of v lost per step in the float reference.
        round_u, round_v: what the roundings do.
        bias, meant_bias: V per step, constant currents included.
        threshold, meant_threshold: V; ``threshold`` is the coded number without the half LSB that
            a lattice adds (:func:`~neuro_lif.predict.thresholds.lattice_threshold`).
        held, meant_held: steps v is held after a spike.
        incoming: the projections onto it.
        start, start_error: largest magnitude of v at the start, and what its coding is off.
        varying: whether a current that is not constant goes into it.
        altered: whether it was approximated: by other delays, another reset, or another number of
            held steps.
        stages: the filter stages it hears.
        relayed: stage -> what it sends; none where the float network has not the same stages (two
            time constants of one population, which only the integers lead through a stage).
    """

    name: str
    size: int
    dt: float
    form: LifForm
    lsb: FloatArray
    delta_u: FloatArray
    delta_v: FloatArray
    meant_v: FloatArray
    round_u: Residual
    round_v: Residual
    bias: FloatArray
    meant_bias: FloatArray
    threshold: FloatArray
    meant_threshold: FloatArray
    held: FloatArray
    meant_held: FloatArray
    incoming: tuple[Incoming, ...]
    start: FloatArray
    start_error: FloatArray
    varying: bool
    altered: bool
    stages: tuple[str, ...]
    relayed: Mapping[str, Relayed]

    @property
    def strict(self) -> bool:
        """Whether the chip fires above its threshold, not at it."""
        return self.form.compare == ">"


def coded_lif(fixed: FixedNetwork, stepped: SteppedNetwork, population: str) -> Coded:
    """Return one population as the formulas see it.

    Args:
        fixed: the integers.
        stepped: what they were made from.
        population: its name.

    Raises:
        RangeError: the two do not belong together, or there is no such population.
        LoweringError: its model is no LIF.
    """
    described, stepped = stepped, _checked(fixed, stepped, population)
    model = fixed.population(population).model
    form, ops = lif_form(fixed.profile, model), walk(fixed.profile.ops(model))
    meant = stepped.population(population)
    _check_followed(meant, form)
    bare = FixedNetwork(fixed.profile, fixed.populations, fixed.projections, fixed.sources,
                        fixed.directs, fixed.dt, enforce_ranges=fixed.enforce_ranges)  # fmt: skip
    real = dequantize(bare, stepped).population(population)
    params, lsb = fixed.params(population), np.asarray(fixed.population(population).lsb)
    voltage, current = form.registers
    own = voltage != current
    start = np.asarray(meant.v_init)
    stages = tuple(sorted({p.pre for p in stepped.projections if p.post == population}
                          & {p.name for p in stepped.populations if p.graded}))  # fmt: skip
    return Coded(
        population, meant.size, stepped.dt, form, lsb,
        _loss(form.decay_u, params, meant.size) if own else np.ones(meant.size),
        _loss(form.decay_v, params, meant.size), np.asarray(meant.leak_v),
        _residual(ops, current, params, meant.size) if own else _nothing(meant.size),
        _residual(ops, voltage, params, meant.size),
        _bias(form, params, lsb, meant.size), _meant_bias(stepped, meant),
        np.asarray(params[form.threshold] * 2.0**form.thr_shift * lsb),
        np.asarray(meant.threshold), np.asarray(real.refractory, np.float64),
        np.asarray(meant.refractory, np.float64),
        tuple(_incoming(fixed, stepped, q, p, form, lsb)
              for q, p in zip(fixed.projections, stepped.projections, strict=True)
              if q.post == population),
        np.abs(start), np.abs(fixed.initial(population)[voltage] * lsb - start),
        any(i.population == population and not isinstance(i.stimulus, Constant)
            for i in stepped.network.current_inputs),
        bool(meant.spikes) and (real.reset != meant.reset
                                or bool(np.any(real.refractory != meant.refractory)))
        or any(_delayed(fixed, stepped, name) for name in (population, *stages)),
        stages, _relayed(fixed, stepped, stages) if stepped is described else {},
    )  # fmt: skip


def _checked(fixed: FixedNetwork, stepped: SteppedNetwork, population: str) -> SteppedNetwork:
    """Return the float network with all filter stages that the integers have."""
    expect(fixed, FixedNetwork, "predict (fixed)")
    expect(stepped, SteppedNetwork, "predict (stepped)")
    stepped = as_lowered(fixed, stepped)
    check_same(fixed, stepped)
    names = [p.name for p in stepped.populations]
    if population not in names:
        raise RangeError(f"population = {population!r}, allowed: {', '.join(names)}")
    return stepped


def _check_followed(p: SteppedPopulation, form: LifForm) -> None:
    """Refuse what the formulas do not follow.

    Raises:
        LoweringError: naming the population and the field.
    """
    where = f"predict: population {p.name!r}"
    if p.u_init is not None and np.any(p.u_init):
        raise LoweringError(f"{where}: u_init is not 0, allowed: synaptic states that start at 0")
    if p.spikes and (p.most_spikes != 1 or form.most > 1):
        raise LoweringError(f"{where}: several spikes in a step, allowed: most_spikes = 1")


def _relayed(
    fixed: FixedNetwork, stepped: SteppedNetwork, stages: tuple[str, ...]
) -> dict[str, Relayed]:
    """Return what stages send that hear only spikes, every sender on in every step."""
    form = stage_form(fixed.profile)
    graded = {p.name for p in stepped.populations if p.graded}
    found: dict[str, Relayed] = {}
    for name in stages:
        population, params = fixed.population(name), fixed.params(name)
        pairs = [(q, p) for q, p in zip(fixed.projections, stepped.projections, strict=True)
                 if q.post == name]  # fmt: skip
        odd = form is None or form.model != population.model or population.init
        if form is None or odd or any(p.pre in graded for _, p in pairs):
            continue
        lsb, n = np.asarray(population.lsb), population.size
        meant = 1.0 - np.asarray(stepped.population(name).decay_u)[0]
        coded = _loss(form.decay, params, n)
        incoming = [_incoming(fixed, stepped, q, p, form, lsb) for q, p in pairs]
        up = sum((np.bincount(p.post, np.abs(p.meant), n) for p in incoming), np.zeros(n))
        off = sum((np.bincount(p.post, np.abs(p.coded - p.meant), n) for p in incoming),
                  np.zeros(n))  # fmt: skip
        rounded = most_of(_residual(walk(fixed.profile.ops(form.model)), form.register, params, n))
        with np.errstate(divide="ignore", invalid="ignore"):
            most = np.where(up > 0, up / meant, 0.0)
        error = path_bound(coded - meant, most, off, rounded * lsb, coded)
        found[name] = Relayed(most, error, lsb * 2.0 ** params[form.out_shift])
    return found


def most_of(r: Residual) -> FloatArray:
    """Return the largest magnitude of what rounding adds in one step, LSB ``(n,)``."""
    return np.asarray(np.max(np.abs([r.low, r.high]), axis=(0, 1)))


def _delayed(fixed: FixedNetwork, stepped: SteppedNetwork, population: str) -> bool:
    """Tell whether spikes arrive in another step than they should."""
    return any(
        bool(np.any(q.delays + fixed.latency(q) != p.delays + p.latency))
        for q, p in zip(fixed.projections, stepped.projections, strict=True)
        if q.post == population
    )


def _loss(code: DecayCode | None, params: Any, n: int) -> FloatArray:
    return np.zeros(n) if code is None else np.asarray(code.loss(params[code.param]))


def _nothing(n: int) -> Residual:
    return Residual(np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n)), np.zeros(n))


def _residual(ops: Any, register: str, params: Any, n: int) -> Residual:
    op = next((o for o in ops if o["op"] == "decay" and o["reg"] == register), None)
    return _nothing(n) if op is None else residual_of(op, params[op["d"]])


def _bias(form: LifForm, params: Any, lsb: FloatArray, n: int) -> FloatArray:
    if form.bias_mant is None:
        return np.zeros(n)
    exponent = params[form.bias_exp] if form.bias_exp else 0
    return np.asarray(params[form.bias_mant] * 2.0**exponent * lsb)


def _meant_bias(stepped: SteppedNetwork, p: SteppedPopulation) -> FloatArray:
    """Return the bias with the constant currents, which quantize codes into it, V per step."""
    total = np.array(p.bias)
    for c in stepped.network.current_inputs:
        if c.population == p.name and isinstance(c.stimulus, Constant):
            total = total + p.gain * c.stimulus.sample(np.zeros(1), p.size)[0]
    return total


def _incoming(
    fixed: FixedNetwork, stepped: SteppedNetwork, q: FixedProjection, p: SteppedProjection,
    form: LifForm | StageForm, lsb: FloatArray,
) -> Incoming:  # fmt: skip
    post = post_of_entries(p.matrix)
    unit = 2.0 ** (fixed.sum_exponent(q) + form.in_shift) * lsb
    coded = entries(effective_matrix(fixed, q, p)) * unit[post]
    rules = fixed.profile.weights
    bits = rules.default_bits if q.weight_bits is None else q.weight_bits
    step = rules.step(str(q.sign_mode), bits) * unit
    if rules.exponent_on == "synapse":
        step = step * 2.0**q.exponent
    decay_u = np.asarray(stepped.population(q.post).decay_u)[p.receptor]
    return Incoming(q.name, q.pre, post, sender_of_entries(p.matrix),
                    np.asarray(entries(p.matrix), np.float64), np.asarray(coded),
                    np.asarray(1.0 - decay_u), np.asarray(step))  # fmt: skip
