"""What the lowering passes hand on: a draft of the network, its plans and its ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import FloatArray, IntArray
from ..discretize import SteppedNetwork
from ..errors import LoweringError
from ..fixed import FixedNetwork
from ..ledger import Ledger
from ..profile import HardwareProfile
from .form import LifForm
from .search import Scale

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


def note(draft: Draft, **lists: tuple[Any, ...]) -> Draft:
    """Return the draft with entries added to its ledger."""
    grown = {k: getattr(draft.ledger, k) + v for k, v in lists.items()}
    return replace(draft, ledger=replace(draft.ledger, **grown))


def refuse_or_note(draft: Draft, name: str, text: str, mend: str) -> Draft:
    """Refuse what the profile cannot express, or note it where the caller allows it."""
    if name not in draft.approximate:
        raise LoweringError(
            f"{text}; profile {draft.profile.name} cannot. {mend}, or allow it: "
            f'approximate=("{name}",): {APPROXIMATIONS[name]}'
        )
    return note(draft, approximations=(f"{text} ({APPROXIMATIONS[name]})",))
