"""SteppedNetwork -> FixedNetwork in nengo-loihi's integers: every population is one of its blocks.

Nothing but the largest weight onto a population sets its scale, as in the peer; what that costs is
in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray, with_entries
from ..discretize import SteppedNetwork, SteppedPopulation, SteppedProjection
from ..errors import LoweringError, RangeError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import near_tie
from ..ledger import Entry, entry
from ..lower.codes import code_delays, collapse
from ..lower.counts import check_counts
from ..lower.draft import Draft, note, refuse_or_note
from ..lower.encode import CurrentCodes
from ..lower.models import headroom, time_constants
from .nengo_block import Block, block_of
from .nengo_loihi import IntegerCompartment
from .nengo_numbers import BIAS_MAX, VTH_MAX
from .nengo_reach import headroom_rows
from .nengo_synapses import IntegerSynapses, Synapses, discretize_block
from .parts import (
    MODEL,
    Needs,
    assemble,
    check_holds,
    check_population,
    code_start,
    coded_network,
    decay_entry,
    draft_of,
    loss_u_of,
    refuse_stages,
)

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

NEEDS = Needs(
    "nengo-loihi",
    (
        "du", "dv", "vth", "bias", "vmin", "vmax", "refract", "enable_noise", "noise_exp",
        "noise_offset", "noise_at_membrane",
    ),
    {"du": 1, "dv": 0},
)  # fmt: skip

LOWEST = 2**23 - 1
"""v may fall to minus this: a described membrane has no floor, while the peer's LIF stops at 0."""


def code_as_nengo_loihi(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    *,
    approximate: Iterable[str] = (),
    n_steps: int | None = None,
    repair_small_synapses: bool = False,
) -> FixedNetwork:
    """Code a stepped network in the integers nengo-loihi 1.1.0 would make of it.

    Args:
        stepped, approximate, n_steps: see :func:`neuro_lif.quantize`.
        profile: a profile in nengo-loihi's raw integers, such as ``nengo-loihi-1.1``.
        repair_small_synapses: mend the peer's mistake that lets projections far weaker than the
            strongest of their target come out too strong.

    Raises:
        LoweringError: the profile cannot hold the coding, or the peer could not code a population.
        RangeError: an argument is not valid, or an integer is outside the profile's range.
    """
    draft = draft_of(stepped, profile, approximate, n_steps)
    return coded_network(lower_as_nengo_loihi(draft, repair_small_synapses))


def lower_as_nengo_loihi(draft: Draft, repair_small_synapses: bool = False) -> Draft:
    """Code the network of a draft (a pass of the lowering)."""
    check_holds(draft.profile, NEEDS)
    refuse_stages(draft, "nengo-loihi")
    draft = check_counts(draft)
    populations: list[FixedPopulation] = []
    projections: list[FixedProjection] = []
    codes: CurrentCodes = {}
    for p in draft.stepped.populations:
        draft = check_population(draft, p, "nengo-loihi", "reset to a value instead")
        block = block_of(draft, p)
        coded, groups = _discretize(block, repair_small_synapses, p)
        draft, population = _code_population(draft, p, block, coded)
        populations.append(population)
        for q, given, group in zip(block.projections, block.synapses, groups, strict=True):
            draft, projection = _code_projection(draft, p, q, block, coded, given, group)
            projections.append(projection)
        gain = p.gain * block.drive * coded.b_scale
        codes[p.name] = np.asarray(gain), 1.0 - (coded.decay_u + 1) / 4096.0, 0
    draft = assemble(draft, populations, projections, codes)
    rows = tuple(h for p in draft.stepped.populations for h in headroom_rows(draft, p))
    return note(draft, headroom=rows)


def _discretize(
    block: Block, repair: bool, p: SteppedPopulation
) -> tuple[IntegerCompartment, tuple[IntegerSynapses, ...]]:
    try:
        coded, _ = discretize_block(block.compartment, block.synapses)
        # the scale does not depend on vmin, so vmin can be chosen to become what it should
        lowest = replace(block.compartment, vmin=-LOWEST / coded.v_scale)
        return discretize_block(lowest, block.synapses, repair_small_synapses=repair)
    except (LoweringError, RangeError) as error:
        raise type(error)(f"population {p.name!r}, as nengo-loihi codes it: {error}") from None


# ----------------------------------------------------------------------------------- coded parts


def _code_population(
    draft: Draft, p: SteppedPopulation, block: Block, coded: IntegerCompartment
) -> tuple[Draft, FixedPopulation]:
    where, profile = f"population {p.name!r}", draft.profile
    lsb = block.unit / coded.v_scale
    draft, held = _code_refractory(draft, p, coded.refract_delay, where)
    values: dict[str, Any] = {
        "du": coded.decay_u,
        "dv": coded.decay_v,
        "vth": coded.vth,
        "bias": coded.bias,
        "refract": held,
        "enable_noise": coded.enable_noise,
    }
    params = {k: collapse(profile, where, k, v) for k, v in values.items()} | {
        name: getattr(coded, name)
        for name in ("vmin", "vmax", "noise_exp", "noise_offset", "noise_at_membrane")
    }
    init, started = code_start(p, lsb, (coded.vmin, coded.vmax))
    taus = time_constants(draft.stepped, p, (coded.decay_u + 1) / 4096.0, coded.decay_v / 4096.0)
    rows = (*_entries(p, block, coded, lsb), *started)
    draft = note(draft, entries=rows, time_constants=taus, scales=((p.name, float(lsb.max())),),
                 notes=_notes(p, coded, where))  # fmt: skip
    return draft, FixedPopulation(p.name, p.size, MODEL, params, init, lsb, p.v_zero)


def _code_refractory(
    draft: Draft, p: SteppedPopulation, values: IntArray, where: str
) -> tuple[Draft, IntArray]:
    lo, hi = draft.profile.params["refract"].span
    held = np.clip(values, lo, hi)
    if np.any(held != values):
        text = (
            f"{where} wants t_refractory of {p.refractory.max()} steps, allowed {lo - 1}..{hi - 1}"
        )
        draft = refuse_or_note(draft, "refractory", text, "Use another dt")
    clipped = int(np.sum(held != values))
    noted = entry(where, "refract", values, held, "steps", clipped, headroom(hi, held))
    return note(draft, entries=(noted,)), held


def _entries(
    p: SteppedPopulation, block: Block, coded: IntegerCompartment, lsb: FloatArray
) -> tuple[Entry, ...]:
    where, c = f"population {p.name!r}", block.compartment
    loss_u = loss_u_of(p)
    cut_u = int(np.sum(c.decay_u * 4095.0 - 1 < -0.5))
    rows = [decay_entry(p, "du", loss_u, coded.decay_u, 1, cut_u),
            decay_entry(p, "dv", p.leak_v, coded.decay_v, 0, 0)]  # fmt: skip
    if p.spikes:
        room = headroom(VTH_MAX, coded.vth)
        ties = int(near_tie(c.vth * coded.v_scale / 64.0).sum())
        rows.append(
            entry(where, "vth", p.threshold, coded.vth * lsb, "V", 0, room, ties, 1e-12 * lsb)
        )
    meant = c.bias.astype(np.float64) * coded.b_scale
    room = headroom(BIAS_MAX, coded.bias)
    ties = int(near_tie(meant).sum())
    rows.append(entry(where, "bias", meant * lsb, coded.bias * lsb, "V/step", 0, room, ties,
                      1e-12 * lsb))  # fmt: skip
    return tuple(rows)


def _notes(p: SteppedPopulation, coded: IntegerCompartment, where: str) -> tuple[str, ...]:
    notes = [f"{where}: {text}" for text in coded.notes]
    if not p.spikes:
        notes.append(f"{where}: a read-out gets a threshold above anything its inputs can reach")
    elif np.any(p.threshold != p.threshold[0]):
        notes.append(f"{where}: each neuron has its own LSB, a share of its threshold")
    return tuple(notes)


def _code_projection(
    draft: Draft,
    p: SteppedPopulation,
    q: SteppedProjection,
    block: Block,
    coded: IntegerCompartment,
    given: Synapses,
    group: IntegerSynapses,
) -> tuple[Draft, FixedProjection]:
    where = f"projection {q.name!r}"
    _check_weights(draft.profile, group.weights, where)
    scale = coded.w_scale[given.targets] if np.ndim(coded.w_scale) else coded.w_scale
    meant = given.weights.astype(np.float64) * scale * 2.0 ** (6 + coded.w_exp)
    step = 2.0 ** (7 + group.weight_exp)
    real = meant * 2.0**group.clamped / step
    lsb = (block.unit / coded.v_scale)[given.targets]
    noted = entry(
        where,
        "weights",
        meant * lsb,
        group.weights * lsb,
        "V/step",
        int(np.sum(np.abs(real) > 127.5)),
        headroom(127.0 * step, group.weights),
        int(near_tie(real).sum()),
        1e-12 * step * lsb,
    )
    draft, delays = code_delays(note(draft, entries=(noted,)), q, where)
    if group.clamped:
        text = (
            f"{where}: 2**{group.clamped} times too strong beside the strongest projection onto "
            f"{p.name!r}, as in nengo-loihi (code_as_nengo_loihi mends it: repair_small_synapses)"
        )
        draft = note(draft, notes=(text,))
    weights = with_entries(q.weights, group.weights)
    return draft, FixedProjection(q.name, q.pre, q.post, weights, 0, "mixed", delays=delays)


def _check_weights(profile: HardwareProfile, weights: IntArray, where: str) -> None:
    rules = profile.weights
    kept = rules.effective(weights, "mixed", rules.default_bits)
    lost = np.flatnonzero(kept != weights)
    if lost.size:
        first = int(lost[0])
        raise LoweringError(
            f"{where}: weight {int(weights.flat[first])} becomes {int(kept.flat[first])} in "
            f"profile {profile.name}, allowed: a profile that holds final weights of 15 bits and a "
            "sign, none of them lost"
        )
