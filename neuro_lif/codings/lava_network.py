"""SteppedNetwork -> FixedNetwork in the integers of Lava's own tool chain.

Lava's core takes integers. The tool chain that makes them is lava-dl: its ``slayer`` neurons and
synapses round real parameters, its ``netx`` hands them to Lava's processes. These are its rules,
with the voltage unit chosen so that they use the weights' range:

* decays: ``rint(4096 * share lost)``, clipped to 0..4096; ``du`` is one less, ``dv`` is not;
* weights and bias: ``2 * rint(w / (2 / 64))`` cut to -256..254; the bias with exponent 6;
* threshold: ``int(64 * threshold)``, toward zero;
* every weight matrix then goes through ``optimize_weight_bits``.

Source: lava-dl, ``slayer/neuron/base.py`` (quantize_8bit, v_th_mant), ``slayer/neuron/cuba.py``
(cx_current_decay), ``slayer/utils/quantize.py``, ``netx/hdf5.py`` (get_neuron_params,
create_dense). Read, not run; the parts that lava-nc 0.10.0 does are compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray, entries, post_of_entries, with_entries
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie, nearest
from ..ledger import entry
from ..lower.codes import code_delays, collapse
from ..lower.counts import check_counts
from ..lower.draft import Draft, note, refuse_or_note
from ..lower.encode import CurrentCodes
from ..lower.models import headroom, time_constants
from .lava import WEIGHT_BITS, determine_sign_mode, optimize_weight_bits
from .parts import (
    MODEL,
    Needs,
    assemble,
    bias_of,
    check_holds,
    check_population,
    code_start,
    coded_network,
    decay_entry,
    draft_of,
    headroom_rows,
    loss_u_of,
    refuse_stages,
)

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

NEEDS = Needs("lava", ("du", "dv", "vth", "bias_mant", "bias_exp"), {"du": 1, "dv": 0}, 6, 6)

SCALE = 64
"""Mantissa units per unit of a real weight (lava-dl's ``w_scale``)."""
BIAS_EXP = 6
LARGEST = 254
"""Largest mantissa that a weight or a bias gets; an even one, as the low bit is lost."""
VTH_MANT_MAX = 131071


def quantize_8bit(weights: npt.ArrayLike) -> IntArray:
    """Round real weights (or biases) to even mantissas -256..254.

    Computed in float32, halves to even. Source: lava-dl, ``slayer/neuron/base.py``.
    """
    step = np.float32(2 / SCALE)
    return np.clip(2 * nearest(np.asarray(weights, np.float32) / step), -256, LARGEST)


def quantize_decay(share: npt.ArrayLike) -> IntArray:
    """Round shares lost per step to 0..4096. Source: lava-dl, ``slayer/neuron/cuba.py``."""
    real = np.clip(np.asarray(np.asarray(share, np.float64) * 4096, np.float32), 0, 4096)
    return nearest(real)


def threshold_mantissa(threshold: npt.ArrayLike) -> IntArray:
    """Cut real thresholds to mantissas. Source: lava-dl, ``slayer/neuron/base.py``."""
    return nearest(np.trunc(np.asarray(threshold, np.float64) * SCALE))


def code_as_lava(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    *,
    approximate: Iterable[str] = (),
    n_steps: int | None = None,
) -> FixedNetwork:
    """Code a stepped network in the integers Lava's tool chain would make of it.

    Args:
        stepped, approximate, n_steps: see :func:`neuro_lif.quantize`.
        profile: a profile with Lava's parameters, such as ``lava-0.10``.

    Raises:
        LoweringError: the profile cannot hold the coding, or Lava has no word for something.
        RangeError: an argument is not valid, or an integer is outside the profile's range.
    """
    return coded_network(lower_as_lava(draft_of(stepped, profile, approximate, n_steps)))


def lower_as_lava(draft: Draft) -> Draft:
    """Code the network of a draft (a pass of the lowering)."""
    check_holds(draft.profile, NEEDS)
    refuse_stages(draft, "lava")
    draft = check_counts(draft)
    populations: list[FixedPopulation] = []
    projections: list[FixedProjection] = []
    codes: CurrentCodes = {}
    for p in draft.stepped.populations:
        draft = check_population(draft, p, "lava", "reset to a value instead")
        unit = unit_of(draft, p)
        draft, population = _code_population(draft, p, unit)
        populations.append(population)
        for q in draft.stepped.projections:
            if q.post == p.name:
                draft, projection = _code_projection(draft, p, q, unit)
                projections.append(projection)
        kept = 1.0 - quantize_decay(loss_u_of(p)) / 4096.0
        codes[p.name] = p.gain * (SCALE / unit) * 2.0**6, kept, 6
    draft = assemble(draft, populations, projections, codes)
    rows = tuple(h for p in draft.stepped.populations for h in headroom_rows(draft, p))
    return note(draft, headroom=rows)


def unit_of(draft: Draft, p: SteppedPopulation) -> float:
    """Return V per real unit: the least at which weights, bias and threshold fit."""
    largest = float(np.abs(bias_of(draft, p)).max())
    for q in draft.stepped.projections:
        if q.post == p.name:
            largest = max(largest, float(np.abs(_weights(p, q)).max(initial=0.0)))
    threshold = float(p.threshold.max()) if p.spikes else 0.0
    unit = SCALE * max(largest / LARGEST, threshold / VTH_MANT_MAX)
    return unit if unit > 0 else 1.0


def _weights(p: SteppedPopulation, q: SteppedProjection) -> FloatArray:
    """Return the weights onto the population's one synapse, V per step, at equal area."""
    own = (1.0 - np.asarray(p.decay_u)[q.receptor])[post_of_entries(q.weights)]
    return np.asarray(entries(q.weights) * (loss_u_of(p)[post_of_entries(q.weights)] / own))


def _code_population(
    draft: Draft, p: SteppedPopulation, unit: float
) -> tuple[Draft, FixedPopulation]:
    where, profile = f"population {p.name!r}", draft.profile
    lsb = np.full(p.size, unit / SCALE / 2.0**6)
    if np.any(p.refractory > 0):
        text = f"{where} wants t_refractory of {p.refractory.max()} steps, coding lava has none"
        draft = refuse_or_note(draft, "refractory", text, "Use another coding")
    meant = {"du": loss_u_of(p), "dv": p.leak_v}
    codes = {name: quantize_decay(x) for name, x in meant.items()}
    values = {name: np.clip(codes[name] - offset, *profile.params[name].span)
              for name, offset in NEEDS.decays.items()}  # fmt: skip
    rows = [decay_entry(p, name, meant[name], values[name], offset,
                        int(np.sum(values[name] + offset != codes[name])))
            for name, offset in NEEDS.decays.items()]  # fmt: skip
    taus = time_constants(draft.stepped, p, (values["du"] + 1) / 4096.0, values["dv"] / 4096.0)
    bias = bias_of(draft, p)
    values["bias_mant"] = quantize_8bit(bias / unit)
    values["bias_exp"] = np.full(p.size, BIAS_EXP)
    rows.append(_byte_entry(where, "bias_mant", bias, values["bias_mant"], unit))
    values["vth"] = np.full(p.size, VTH_MANT_MAX)
    if p.spikes:
        values["vth"] = threshold_mantissa(p.threshold / unit)
        room = headroom(VTH_MANT_MAX, values["vth"])
        got = values["vth"] * lsb * 2.0**6
        rows.append(entry(where, "vth", p.threshold, got, "V", 0, room, 0, 1e-12 * lsb))
    init, started = code_start(p, lsb, profile.register_ranges["v"])
    params = {name: collapse(profile, where, name, x) for name, x in values.items()}
    draft = note(draft, entries=(*rows, *started), time_constants=taus,
                 scales=((p.name, float(lsb.max())),))  # fmt: skip
    return draft, FixedPopulation(p.name, p.size, MODEL, params, init, lsb, p.v_zero)


def _byte_entry(where: str, name: str, meant: FloatArray, got: IntArray, unit: float) -> Any:
    real = np.asarray(meant) / unit * SCALE
    clipped = int(np.sum((real > LARGEST + 1) | (real < -257)))
    ties = int(near_tie(real / 2).sum())
    step = unit / SCALE
    room = headroom(LARGEST, got)
    return entry(where, name, meant, got * step, "V/step", clipped, room, ties, 1e-12 * step)


def _code_projection(
    draft: Draft, p: SteppedPopulation, q: SteppedProjection, unit: float
) -> tuple[Draft, FixedProjection]:
    where, meant = f"projection {q.name!r}", _weights(p, q)
    mantissas = quantize_8bit(meant / unit)
    draft = note(draft, entries=(_byte_entry(where, "weights", meant, mantissas, unit),))
    draft, delays = code_delays(draft, q, where)
    whole = with_entries(q.weights, mantissas)
    mode = determine_sign_mode(whole)
    best = optimize_weight_bits(whole, mode)
    # a matrix of zeros needs no bits at all, and a synapse has at least one
    bits = min(max(best.num_weight_bits, 1), WEIGHT_BITS)
    projection = FixedProjection(
        q.name, q.pre, q.post, best.weights, best.weight_exp, mode, bits, delays,
        graded=draft.most.get(q.pre, 1) > 1,
    )  # fmt: skip
    return draft, projection
