"""SteppedNetwork -> FixedNetwork: chooses the scales and codes every number in the chip's integers.

An explicit row of passes, each a pure function from one draft to the next; what a profile cannot
express is refused by name, or approximated where the caller asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .discretize import SteppedNetwork
from .errors import LoweringError, RangeError, show
from .fixed import FixedNetwork
from .ledger import Ledger
from .lower.codes import code_network
from .lower.draft import APPROXIMATIONS, Draft
from .lower.models import choose_models, code_decays, share_parameters
from .lower.scales import choose_scales
from .profile import HardwareProfile, load_profile
from .stimulate import steps_of

__all__ = ["APPROXIMATIONS", "PASSES", "quantize"]

PASSES = (choose_models, share_parameters, code_decays, choose_scales, code_network)
"""The lowering, in order; each takes a draft and returns a new one."""


def quantize(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    *,
    approximate: Iterable[str] = (),
    weight_bits: int | None = None,
    n_steps: int | None = None,
    gain_compensation: bool = True,
    proved: bool = False,
) -> FixedNetwork:
    """Code a stepped network in a chip's integers.

    Args:
        stepped: from :func:`neuro_lif.discretize`.
        profile: a profile, or the name of a shipped one.
        approximate: names of :data:`APPROXIMATIONS` that are allowed.
        weight_bits: bits of the weight mantissa; absent means the profile's.
        n_steps: needed where a current input has no end of its own (a sinusoid).
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
    given: Any = stepped
    if not isinstance(given, SteppedNetwork):
        raise RangeError(f"stepped = {show(given)}, allowed: a SteppedNetwork, from discretize()")
    if not isinstance(profile, HardwareProfile):
        profile = load_profile(profile)
    if n_steps is not None:
        n_steps = steps_of(n_steps, {})
    allowed, bits = _approximations(approximate), _bits(profile, weight_bits)
    start = Ledger(profile.name, notes=stepped.notes)
    draft = Draft(stepped, profile, allowed, bits, n_steps, gain_compensation, proved, ledger=start)
    for step in PASSES:
        draft = step(draft)
    if draft.fixed is None:
        raise LoweringError("no pass produced a network")
    return replace(draft.fixed, ledger=draft.ledger)


def _approximations(names: Iterable[str]) -> frozenset[str]:
    if not isinstance(names, (str, Iterable)):
        raise RangeError(f"approximate = {show(names)}, allowed: names, such as ('delay',)")
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if not isinstance(name, str) or name not in APPROXIMATIONS:
            raise RangeError(f"approximate = {name!r}, allowed: {', '.join(APPROXIMATIONS)}")
    return frozenset(names)


def _bits(profile: HardwareProfile, bits: int | None) -> int:
    if bits is None:
        return profile.weights.default_bits
    whole = isinstance(bits, (int, np.integer)) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= profile.weights.mantissa_bits:
        top = profile.weights.mantissa_bits
        raise RangeError(f"weight_bits = {bits!r}, allowed: 1..{top} ({profile.name})")
    return int(bits)
