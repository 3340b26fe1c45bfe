"""How many spikes of one channel may come in one step: of inputs, and of neurons that send several.

A count is a graded spike: the profile must carry it, and head-room must be kept for it. Where
nobody knows how many there will be, a few are foreseen, and the ledger says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..discretize import SteppedPopulation
from ..errors import LoweringError
from ..numerics import MOST_SPIKES
from ..streams import DrawnSpikes
from .draft import Draft, note, refuse_or_note
from .encode import code_sources
from .form import LifForm

FORESEEN = 8
"""Spikes of one channel in one step that head-room is kept for where more may come."""


def that_send(
    draft: Draft, p: SteppedPopulation, forms: Sequence[LifForm]
) -> tuple[Draft, Sequence[LifForm]]:
    """Return the neuron models that send as many spikes in a step as a population wants.

    Raises:
        LoweringError: there is none, and no approximation was allowed.
    """
    single = [f for f in forms if f.most == 1]
    several = [f for f in forms if f.most > 1]
    if not p.spikes:
        return draft, single or forms
    where, profile = f"population {p.name!r}", draft.profile
    wanted = min(p.limit, MOST_SPIKES)
    fitting = [f for f in forms if f.most == wanted]
    if wanted > 1 and np.any(p.threshold <= 0):
        raise LoweringError(
            f"{where}: threshold {p.threshold.min():.4g} V above where v is reset, with several "
            "spikes in a step, allowed: above 0"
        )
    if fitting:
        return draft, fitting
    if wanted == 1:
        text = f"{where} wants one spike of a neuron in a step at most"
    else:
        most = "any number of" if p.most_spikes is None else f"up to {p.most_spikes}"
        text = f"{where} wants {most} spikes of a neuron in one step"
    mend = "Use a shorter dt"
    if "most_spikes" in profile.config:
        mend = f'Use load_profile("{profile.name}", most_spikes={wanted})'
    elif wanted > 1:
        mend = "Use a shorter dt, or a profile with such a model (generic)"
    near = several if several and wanted > 1 else single or forms
    text += f"; its models send {' or '.join(str(n) for n in sorted({f.most for f in forms}))}"
    return refuse_or_note(draft, "multi-spike", text, mend), near


def foresee_counts(draft: Draft) -> Draft:
    """Note how many spikes populations send at once, as far as head-room is kept for them."""
    most, assumed = dict(draft.most), set(draft.assumed)
    for p in draft.stepped.described:
        cap = draft.plans[p.name].form.most if p.spikes else 1
        if cap == 1:
            continue
        _check_payload(draft, p)
        most[p.name] = cap if draft.proved else min(cap, FORESEEN)
        if most[p.name] < cap:
            assumed.add(p.name)
            text = (
                f"population {p.name!r}: head-room is kept for {most[p.name]} spikes of a neuron "
                f"in a step; up to {cap} are sent and counted, so that sums may overflow"
            )
            draft = note(draft, notes=(text,))
    return replace(draft, most=most, assumed=frozenset(assumed))


def hears_assumed(draft: Draft, name: str) -> bool:
    """Tell whether more may arrive at a population or stage than head-room is kept for."""
    return any(q.pre in draft.assumed for q in draft.stepped.projections if q.post == name)


def _check_payload(draft: Draft, p: SteppedPopulation) -> None:
    heard = any(q.pre == p.name for q in draft.stepped.projections)
    if heard and draft.profile.routing.payload_bits < 2:
        raise LoweringError(
            f"population {p.name!r} sends several spikes in one step; the spikes of profile "
            f"{draft.profile.name} carry no value, allowed: a profile with graded spikes"
        )


def check_counts(draft: Draft) -> Draft:
    """Note how many spikes an input sends at once; refuse more than the profile carries."""
    sources = code_sources(draft.stepped)
    largest = {s.name: int(s.raster.max(initial=1)) for s in sources if s.raster is not None}
    drawn_by = {s.name: s.stream for s in sources if s.stream is not None}
    drawn = {s.name: max(s.reach, 1) for s in sources if s.stream is not None}
    largest |= drawn
    payload = draft.profile.routing.payload_bits
    for name, most in largest.items():
        if most >= 2 ** max(payload, 1):
            text = f"input {name!r} sends {most} spikes of one channel in one step"
            mend = "Use a shorter dt, or spread the spikes over several channels"
            if name in drawn and isinstance(drawn_by[name], DrawnSpikes):
                text = text.replace("sends", "may send")
                mend = 'Draw them by draw="bernoulli", at most one in a step'
            draft = refuse_or_note(draft, "counts", text, mend)
            largest[name] = 1
    open_ = [s.name for s in sources if s.raster is None and s.stream is None]
    graded = {q.pre for q in draft.stepped.projections if q.graded} & set(open_)
    draft = replace(draft, most=draft.most | largest)
    said = tuple(
        f"input {n!r}: a spike count above 1 given at run time acts as 1"
        for n in open_
        if n not in graded
    )
    return _foresee_inputs(note(draft, notes=said), sorted(graded))


def _foresee_inputs(draft: Draft, names: Sequence[str]) -> Draft:
    """Keep head-room for the numbers that inputs are given at run time."""
    for name in names:
        if draft.profile.routing.payload_bits < 2:
            text = f"input {name!r} may send several spikes of one channel in one step (graded)"
            mend = "Use a profile with graded spikes, or a shorter dt"
            draft = refuse_or_note(draft, "counts", text, mend)
            continue
        text = (
            f"input {name!r}: head-room is kept for {FORESEEN} spikes of one channel in a step; "
            "more that are given at run time may overflow"
        )
        draft = note(draft, notes=(text,))
        draft = replace(draft, most=draft.most | {name: FORESEEN}, assumed=draft.assumed | {name})
    return draft
