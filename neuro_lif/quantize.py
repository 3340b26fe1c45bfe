"""SteppedNetwork -> FixedNetwork: chooses the scales and codes every number in the chip's integers.

A coding is an explicit row of passes, each a pure function from one draft to the next; what a
profile cannot express is refused by name, or approximated where the caller asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import entries
from .discretize import SteppedNetwork
from .errors import LoweringError, RangeError, show
from .fixed import FixedNetwork
from .ledger import Ledger
from .profiles import profile_of
from .stimulate import steps_of

if TYPE_CHECKING:
    from .profile_model import HardwareProfile

__all__ = ["quantize"]


def quantize(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    *,
    coding: str = "own",
    approximate: Iterable[str] = (),
    weight_bits: int | None = None,
    n_steps: int | None = None,
    gain_compensation: bool = True,
    proved: bool = False,
) -> FixedNetwork:
    """Code a stepped network in a chip's integers.

    Alpha and bi-exponential synapses, and further synaptic time constants of one population, become
    filter stages where the profile has a model for them: populations of their own in the result,
    and in what is recorded of it.

    Args:
        stepped: from :func:`neuro_lif.discretize`.
        profile: a profile, or the name of a shipped one.
        coding: one of :data:`neuro_lif.CODINGS`: our own, or a peer's, which gives that peer's
            integers and takes neither weight_bits nor gain_compensation nor proved.
        approximate: names of :data:`neuro_lif.APPROXIMATIONS` that are allowed.
        weight_bits: bits of the weight mantissa; absent means the profile's.
        n_steps: a current input that has no end of its own (a sinusoid) is coded ahead for so many
            steps; None: as a run goes, as is what is random or long, for runs of any length.
        gain_compensation: rescale weights and bias so that rounding the decays changes only the
            time constants, not the steady state.
        proved: choose only scales at which no input whatever can overflow a register, even where
            that costs resolution.

    Returns:
        A new FixedNetwork with its :class:`~neuro_lif.ledger.Ledger`.

    Raises:
        LoweringError: the profile cannot express something; names it and what to do.
        RangeError: an argument is not valid.
    """
    # here, because whoever only runs networks does without the passes
    from .codings import approximations_of, coding_of
    from .lower.draft import Draft

    options = {
        "weight_bits": (weight_bits, None),
        "gain_compensation": (gain_compensation, True),
        "proved": (proved, False),
    }
    chosen = coding_of(coding, **{k: v for k, (v, usual) in options.items() if v is not usual})
    given: Any = stepped
    if not isinstance(given, SteppedNetwork):
        raise RangeError(f"stepped = {show(given)}, allowed: a SteppedNetwork, from discretize()")
    profile = profile_of(profile)
    if n_steps is not None:
        n_steps = steps_of(n_steps, {})
    allowed, bits = approximations_of(approximate), _bits(profile, weight_bits)
    start = Ledger(profile.name, notes=stepped.notes)
    draft = Draft(stepped, profile, allowed, bits, n_steps, gain_compensation, proved, ledger=start)
    try:
        with np.errstate(over="raise"):
            for step in chosen.passes:
                draft = step(draft)
    except FloatingPointError:
        raise LoweringError(_too_large(stepped)) from None
    if draft.fixed is None:
        raise LoweringError("no pass produced a network")
    return replace(draft.fixed, ledger=draft.ledger)


def _too_large(stepped: SteppedNetwork) -> str:
    """Name the projection whose weights are the largest: numbers on the way left a float."""
    most = {p.name: float(np.abs(entries(p.weights)).max(initial=0)) for p in stepped.projections}
    name = max(most, key=lambda p: most[p], default="")
    where = f"projection {name!r}: weights up to {most[name]:.3g}" if most else "the network"
    return (
        f"{where}: numbers this large leave a float64 while scales are chosen, allowed: weights "
        "that a chip can be lowered to (are they in SI units?)"
    )


def _bits(profile: HardwareProfile, bits: int | None) -> int:
    if bits is None:
        return profile.weights.default_bits
    whole = isinstance(bits, (int, np.integer)) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= profile.weights.mantissa_bits:
        top = profile.weights.mantissa_bits
        raise RangeError(f"weight_bits = {bits!r}, allowed: 1..{top} ({profile.name})")
    return int(bits)
