"""What the lowering passes hand on: a draft of the network, its plans and its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray, IntArray
from ..discretize import SteppedNetwork
from ..errors import LoweringError
from ..fixed import FixedNetwork
from ..ledger import Ledger
from .encode import HeldCurrents
from .form import LifForm
from .search import Scale
from .stage_form import StageForm

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

APPROXIMATIONS = {
    "refractory": "drop a refractory period the profile does not have, or cut one that is too long",
    "reset": "reset to a value where the network asks for reset by subtraction",
    "delay": "give a delay the profile does not have the nearest one it has",
    "counts": "let several spikes of one channel in one step count as one",
    "synapse": "replace several synaptic time constants on one population by one",
    "multi-spike": "let a neuron send another number of spikes in a step at most than is asked for",
}
"""What :func:`quantize` may do instead of refusing, when named in ``approximate``."""


GRANULARITIES = {
    "global": "one step between weights, V, for all weights of the network",
    "projection": "one per projection; those onto one population lie powers of two apart",
    "sign": "as projection, with excitatory and inhibitory synapses apart",
    "neuron": "as projection, with a scale of its own for every target neuron",
}
"""What may have a resolution of its own: see :func:`neuro_lif.quantize`."""

SCALINGS = {
    "own": "jointly with the registers' head-room and the predicted error, clipping allowed",
    "max_abs": "the largest weight is the largest code, nothing is clipped",
}
"""How scales are chosen where nothing is calibrated: see :func:`neuro_lif.quantize`."""


HEADROOMS = {
    "sources": "for at most a share of the sources firing in every step, 1 % of them at the least",
    "samples": "for four times as far as v goes on the calibration inputs",
}
"""What the registers have room for at least: see :func:`neuro_lif.quantize`."""


@dataclass(frozen=True)
class Options:
    """What the caller asks of scales and weights; see :func:`neuro_lif.quantize`."""

    granularity: str = "projection"
    rounding: str = "nearest"
    seed: int = 0
    scaling: str = "own"
    headroom: str = "sources"


@dataclass(frozen=True)
class Plan:
    """A population on its way to integers: its model, decays and scale.

    Args:
        form: the neuron model.
        relative: ``(n,)`` scale of each neuron relative to the population's; other than 1 where the
            profile has one threshold for all, or each neuron was asked to have its own.
        du, dv: coded decays; ``loss_u`` and ``loss_v`` the share lost per step that they give.
        scale: what the search chose; ``cap`` a scale it may not pass.
        pinned: the scale's weight steps stay: what overflows takes it down by whole octaves.
        seen: LSB per V at which v keeps its room for what the samples did; 0: not asked for.
        correction: ``(n,)`` V per step added to the bias against what rounding does; None: none.
    """

    form: LifForm
    relative: FloatArray
    du: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    dv: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    loss_u: FloatArray = field(default_factory=lambda: np.zeros(0))
    loss_v: FloatArray = field(default_factory=lambda: np.zeros(0))
    scale: Scale | None = None
    cap: float = float("inf")
    pinned: bool = False
    seen: float = 0.0
    correction: FloatArray | None = None

    @property
    def lsb_per_volt(self) -> FloatArray:
        """LSB per V of each neuron ``(n,)``."""
        return self.relative * (self.scale.lsb_per_volt if self.scale else 1.0)


@dataclass(frozen=True)
class StagePlan:
    """A filter stage on its way to integers.

    Args:
        form: its model.
        du: coded decay; ``loss`` the share lost per step that it gives.
        post: where it leads: a population, or a stage; ``target`` the population in the end.
        fine: the stage's LSB is ``2**-fine`` of the target's; ``exponents`` of its projections.
        activity: share of the sources that may fire in a step without its register overflowing.
    """

    form: StageForm
    du: IntArray
    loss: FloatArray
    post: str
    target: str
    fine: int = 0
    exponents: tuple[int, ...] = ()
    activity: float = 1.0


@dataclass(frozen=True)
class Draft:
    """What the passes hand on.

    ``most`` is source -> most spikes of one channel in one step, ``assumed`` the sources that may
    well send more; ``held`` is of :mod:`.drives`.
    """

    stepped: SteppedNetwork
    profile: HardwareProfile
    approximate: frozenset[str]
    weight_bits: int
    n_steps: int | None
    compensate: bool
    proved: bool
    most: dict[str, int] = field(default_factory=dict)
    assumed: frozenset[str] = frozenset()
    plans: dict[str, Plan] = field(default_factory=dict)
    stages: dict[str, StagePlan] = field(default_factory=dict)
    held: HeldCurrents = field(default_factory=dict)
    fixed: FixedNetwork | None = None
    ledger: Ledger = Ledger("")
    options: Options = Options()


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
