"""A network in a chip's integers as a NIR graph: the floats they stand for, and the integers.

The nodes hold what the integers stand for, in V and s, and a rule steps them with a float state.
The integers themselves, with their profile, are in the metadata, from which :func:`fixed_of` gives
them back whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, entries, frozen, post_of_entries, with_entries
from ..checks import expect
from ..errors import LoweringError, RangeError
from ..files.fixed import pack_fixed, unpack_fixed
from ..fixed import DirectInput, FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from ..lower.form import LifForm, lif_form
from ..lower.stage_form import StageForm, stage_form
from ..network import IF, LIF, CurrentInput, Network, Population, SpikeInput
from ..stepped import NO_SPIKE, SteppedNetwork, SteppedPopulation, SteppedProjection, StepRule
from .export import EXPORT, Exported, said
from .model import NIRGraph

if TYPE_CHECKING:
    from ..lower.form import DecayCode


def from_fixed(fixed: FixedNetwork, *, allow: Collection[str] | str = ()) -> Exported:
    """Say a network in a chip's integers as a NIR graph.

    The graph runs as :func:`floats_of` does: rounded parameters, float state. What rounding the
    state does to it needs the integers, which are in the metadata.

    Args:
        fixed: the network; inputs it holds are not in the graph, but fed when that is run.
        allow: what may be lost, as of :func:`from_network`.

    Raises:
        LoweringError: a neuron model of the profile is not a LIF.
        NetworkError: NIR cannot say something; lists population or projection and field.
        RangeError: that is no FixedNetwork, or it has inputs without a meaning in A.
    """
    expect(fixed, FixedNetwork, "nir.from_fixed")
    stepped = floats_of(fixed)
    profile = fixed.profile
    origin = {
        "source": "FixedNetwork",
        "profile": profile.name,
        "volts_per_lsb": {p.name: p.lsb for p in fixed.populations},
        "volts_per_weight": {q.name: _unit(fixed, q) for q in fixed.projections},
        "fixed": _nested(pack_fixed(fixed)),
    }
    return replace(said(stepped, allow, origin), fixed=fixed)


def fixed_of(graph: NIRGraph) -> FixedNetwork:
    """Return the FixedNetwork that :func:`from_fixed` put into the metadata of a graph.

    Raises:
        FileFormatError: what is there is damaged.
        RangeError: there is none, or that is no graph.
    """
    expect(graph, NIRGraph, "nir.fixed_of")
    entry: Any = graph.metadata.get(EXPORT)
    held = entry.get("fixed") if isinstance(entry, Mapping) else None
    if not isinstance(held, Mapping):
        raise RangeError(f"metadata {EXPORT!r}: no 'fixed', allowed: a graph of nir.from_fixed")
    arrays: dict[str, Any] = {}
    _flat(held, "", arrays)
    return unpack_fixed(arrays, f"metadata {EXPORT!r}")


def _nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays by path as mappings in each other."""
    tree: dict[str, Any] = {}
    for path, value in arrays.items():
        *groups, name = path.split("/")
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = str(value) if np.asarray(value).dtype.kind == "U" else np.asarray(value)
    return tree


def _flat(tree: Mapping[str, Any], prefix: str, arrays: dict[str, Any]) -> None:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            _flat(value, f"{prefix}{name}/", arrays)
        else:
            arrays[prefix + name] = value


def floats_of(fixed: FixedNetwork) -> SteppedNetwork:
    """Return what integers stand for as a network in steps, with a float state.

    As :func:`neuro_lif.dequantize`, where nothing but the integers is there: every population
    spikes, a read-out as often as it reaches the threshold it was given.

    Raises:
        LoweringError: a neuron model of the profile is not a LIF.
        RangeError: Poisson inputs, or currents without a meaning in A.
    """
    if fixed.poissons:
        names = [p.name for p in fixed.poissons]
        raise RangeError(f"poissons = {names}, allowed: none in a graph")
    for d in fixed.directs:
        if d.lsb_per_ampere is None:
            raise RangeError(f"input {d.name!r}: lsb_per_ampere = None, allowed: LSB per A, so "
                             "that the integers have a meaning")  # fmt: skip
    stage = stage_form(fixed.profile)
    forms: dict[str, LifForm | StageForm] = {}
    for p in fixed.populations:
        is_stage = stage is not None and p.model == stage.model
        forms[p.name] = stage if is_stage and stage else lif_form(fixed.profile, p.model)
    lifs = [f for f in forms.values() if isinstance(f, LifForm)]
    if not lifs:
        raise LoweringError(f"profile {fixed.profile.name}: no population is a LIF")
    rule = StepRule(integrator="euler", compare=lifs[0].compare)  # type: ignore[arg-type]
    populations = tuple(_population(fixed, p, forms[p.name]) for p in fixed.populations)
    described = {p.name for p in populations if not p.graded}
    network = Network(
        [_described(fixed, p) for p in populations if not p.graded],
        [],
        [*(SpikeInput(s.name, s.size) for s in fixed.sources),
         *(CurrentInput(d.name, d.population) for d in fixed.directs)],
        [p for p in fixed.probes if p.population in described],
    )  # fmt: skip
    projections = tuple(_projection(fixed, q, forms[q.post].in_shift) for q in fixed.projections)
    notes = [f"integers of {fixed.profile.name}, with a float state"]
    held: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    for i in held:
        if i.raster is not None or i.stream is not None:
            notes.append(f"input {i.name!r}: what it holds is fed when it is run")
    return SteppedNetwork(network, fixed.dt, rule, populations, projections, tuple(notes))


def _loss(code: DecayCode | None, params: dict[str, Any], size: int) -> FloatArray:
    lost = np.zeros(1) if code is None else code.loss(params[code.param])
    return np.array(np.broadcast_to(lost, (size,)), np.float64)


def _population(
    fixed: FixedNetwork, p: FixedPopulation, form: LifForm | StageForm
) -> SteppedPopulation:
    params, n, lsb = fixed.params(p.name), p.size, np.asarray(p.lsb)
    none = np.zeros(n)
    if isinstance(form, StageForm):
        lost = _loss(form.decay, params, n)
        with np.errstate(divide="ignore"):
            tau = fixed.dt / lost[:1]
        return SteppedPopulation(
            p.name, n, frozen((1 - lost)[None]), frozen(none), frozen(none + 1), frozen(none),
            frozen(none), frozen(none + NO_SPIKE), frozen(none, np.int64), frozen(none),
            frozen(none), "value", frozen(none), frozen(tau), graded=True,
        )  # fmt: skip
    registers, start = form.registers, fixed.initial(p.name)
    lost_u, lost_v = _loss(form.decay_u, params, n), _loss(form.decay_v, params, n)
    u_init = None
    if registers[0] == registers[1]:
        lost_u = none + 1
    else:
        u_init = frozen((start[registers[1]] * 2.0**form.in_shift * lsb)[None])
    bias = none
    if form.bias_mant is not None:
        exponent = params[form.bias_exp] if form.bias_exp else 0
        bias = params[form.bias_mant] * 2.0**exponent * lsb
    held = params[form.refractory] - form.ref_extra if form.refractory else none
    gain = none
    for d in fixed.directs:
        if d.population == p.name:
            gain = np.asarray(d.lsb_per_ampere * lsb)
    with np.errstate(divide="ignore"):
        tau_m, tau_u = fixed.dt / lost_v, fixed.dt / lost_u[:1]
    return SteppedPopulation(
        p.name, n, frozen((1.0 - lost_u)[None]), frozen(1.0 - lost_v), frozen(lost_v), frozen(bias),
        frozen(np.broadcast_to(gain, (n,))),
        frozen(params[form.threshold] * 2.0**form.thr_shift * lsb), frozen(held, np.int64),
        frozen(start[registers[0]] * lsb), frozen(p.v_zero), form.reset,  # type: ignore[arg-type]
        frozen(tau_m), frozen(np.where(lost_u[:1] >= 1, 0.0, tau_u)), u_init=u_init,
    )  # fmt: skip


def _described(fixed: FixedNetwork, p: SteppedPopulation) -> Population:
    """Return a population as a description has it, for the names and sizes of a run."""
    zero = np.asarray(p.v_zero)
    leaky = bool((p.leak_v > 0).all())
    common: dict[str, Any] = {"v_threshold": p.threshold + zero, "v_reset": zero, "reset": p.reset,
                              "t_refractory": p.refractory * fixed.dt,
                              "v_init": p.v_init + zero}  # fmt: skip
    neuron: Any = LIF(tau_m=p.tau_m, v_rest=zero, **common) if leaky else IF(**common)
    return Population(p.name, p.size, neuron)


def _unit(fixed: FixedNetwork, q: FixedProjection) -> FloatArray:
    """Return V per step of one unit of a delivered weight, ``(n_post,)``."""
    stage = stage_form(fixed.profile)
    post = fixed.population(q.post)
    is_stage = stage is not None and post.model == stage.model
    shift = stage.in_shift if is_stage and stage else lif_form(fixed.profile, post.model).in_shift
    return np.asarray(2.0 ** (fixed.sum_exponent(q) + shift) * np.asarray(post.lsb))


def _projection(fixed: FixedNetwork, q: FixedProjection, in_shift: int) -> SteppedProjection:
    effective = fixed.effective_weights(q)
    if q.graded and q.pre in {x.name for x in fixed.populations}:
        volts = with_entries(effective, (np.asarray(entries(effective)) != 0).astype(np.float64))
        return SteppedProjection(q.name, q.pre, q.post, volts, frozen(q.delays, np.int64), 0,
                                 fixed.latency(q))  # fmt: skip
    unit = 2.0 ** (fixed.sum_exponent(q) + in_shift)
    lsb = np.asarray(fixed.population(q.post).lsb)[post_of_entries(effective)]
    volts = with_entries(effective, np.asarray(entries(effective) * unit * lsb))
    return SteppedProjection(q.name, q.pre, q.post, volts, frozen(q.delays, np.int64), 0,
                             fixed.latency(q))  # fmt: skip
