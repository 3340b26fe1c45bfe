"""Codes the synapses: mantissas at the exponent that was chosen, and whole delays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatArray, IntArray, with_entries
from ..discretize import SteppedProjection
from ..fixed import FixedProjection
from ..formats import near_tie, nearest
from ..ledger import entry
from .bounds import Incoming, Limits
from .draft import Draft, note, refuse_or_note
from .kernels import from_planar
from .models import headroom
from .rounding import rounded
from .search import FAR, code_weights


@dataclass(frozen=True)
class Scaled:
    """Onto what weights are coded.

    Args:
        limits: the profile's ranges for the target's model.
        lsb_per_volt: of the population; ``relative`` ``(n,)`` that of each neuron relative to it.
    """

    limits: Limits
    lsb_per_volt: float
    relative: FloatArray


def code_projection(
    draft: Draft, q: SteppedProjection, incoming: Incoming, exponent: int, onto: Scaled
) -> tuple[Draft, FixedProjection]:
    """Code the weights and delays of a projection."""
    where, limits, s = f"projection {q.name!r}", onto.limits, onto.lsb_per_volt
    mantissas = code_weights(incoming.values, incoming, limits, s, exponent)
    unit = 2.0 ** (exponent + limits.in_shift) / s
    real = incoming.values / unit
    lo, hi = limits.weights.kept_range(incoming.mode, exponent)
    step = limits.weights.step(incoming.mode, incoming.weight_bits)
    high, low = hi // step * step, -(-lo // step) * step
    if incoming.rounding == "nearest":
        clipped = int(np.sum((real > high + step / 2) | (real < low - step / 2)))
        ties = int(near_tie(real / step).sum())
    else:
        whole = rounded(np.clip(real / step, -FAR, FAR), incoming.rounding, incoming.draws)
        clipped, ties = int(np.sum((whole * step > high) | (whole * step < low))), 0
    relative = onto.relative[incoming.post]
    noted = entry(
        where,
        "weights",
        incoming.values / relative,
        mantissas * unit / relative,
        "V/step",
        clipped,
        headroom(max(hi, -lo), mantissas),
        ties,
        1e-12 * unit / relative,
    )
    draft, delays = code_delays(draft, q, where)
    weights, exponent = _weights(draft, q, incoming, mantissas, exponent)
    projection = FixedProjection(
        q.name,
        q.pre,
        q.post,
        weights,
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


def _weights(
    draft: Draft, q: SteppedProjection, incoming: Incoming, mantissas: IntArray, exponent: int
) -> tuple[Any, int]:
    """Return what the chip is given as weights, and as exponent."""
    if incoming.folded is None:
        return with_entries(q.weights, mantissas), exponent
    own = draft.profile.convolution
    if own is not None and own.weights == "raw":  # taken as they are, without an exponent
        return from_planar(incoming.folded, mantissas << exponent), 0
    return from_planar(incoming.folded, mantissas), exponent


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
        if not external and q.latency < latency:
            text += f" (latency={q.latency}: in the step they are sent in)"
            mend = f"Let populations hear each other a step later (latency={latency})"
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
