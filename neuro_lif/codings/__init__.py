"""Codings by name: our own quantiser, and those that give a peer's integers exactly.

A coding is a row of passes over a :class:`~neuro_lif.lower.draft.Draft`; the table is the only
place that knows their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import RangeError, show
from ..lower.codes import code_network
from ..lower.draft import Draft
from ..lower.models import choose_models, code_decays, share_parameters
from ..lower.scales import choose_scales
from ..lower.stages import lower_stages
from .lava_network import code_as_lava, lower_as_lava
from .nengo_network import code_as_nengo_loihi, lower_as_nengo_loihi
from .parts import approximations_of

__all__ = [
    "CODINGS",
    "Coding",
    "approximations_of",
    "code_as_lava",
    "code_as_nengo_loihi",
    "coding_of",
]


@dataclass(frozen=True)
class Coding:
    """A way to turn real parameters into a chip's integers.

    Args:
        about: one line.
        passes: what is done to a draft, in order; the last one leaves a network.
        own: options of :func:`neuro_lif.quantize` that only some codings heed, here those this one
            does.
    """

    about: str
    passes: tuple[Callable[[Draft], Draft], ...]
    own: tuple[str, ...] = ()


CODINGS = {
    "own": Coding(
        "our own quantiser: scales searched for the least error that leaves head-room",
        (choose_models, lower_stages, share_parameters, code_decays, choose_scales, code_network),
        (
            "weight_bits",
            "gain_compensation",
            "proved",
            "calibrate",
            "granularity",
            "rounding",
            "rounding_seed",
            "scaling",
            "bias_correction",
            "headroom",
        ),
    ),
    "nengo-loihi": Coding(
        "the integers of nengo-loihi 1.1.0, for the profile nengo-loihi-1.1",
        (lower_as_nengo_loihi,),
    ),
    "lava": Coding(
        "the integers of Lava's tool chain (lava-dl), for the profile lava-0.10 and its kin",
        (lower_as_lava,),
    ),
}
"""Coding by name."""


def coding_of(name: str, **options: Any) -> Coding:
    """Return a coding by name.

    Args:
        name: one of :data:`CODINGS`.
        **options: options of :func:`neuro_lif.quantize` that were given a value other than their
            default.

    Raises:
        RangeError: no such coding, or an option that it does not heed.
    """
    given: Any = name
    if not isinstance(given, str) or given not in CODINGS:
        raise RangeError(f"coding = {show(given)}, allowed: {', '.join(CODINGS)}")
    coding = CODINGS[name]
    for option, value in options.items():
        if option not in coding.own:
            heeding = ", ".join(repr(n) for n, c in CODINGS.items() if option in c.own)
            raise RangeError(
                f"{option} = {show(value)} with coding {name!r}, allowed: with {heeding} only"
            )
    return coding
