"""The Nengo target: a Network as ordinary ensembles, a FixedNetwork bit for bit.

``from neuro_lif.targets import nengo`` gives this module; Nengo itself is ``import nengo``.
"""

from __future__ import annotations

from ..errors import TargetError

try:
    import nengo as _nengo  # absolute: Nengo itself, not this module
except ImportError as error:
    raise TargetError(f"Nengo cannot be imported ({error}): pip install 'nengo>=4'") from error

from .nengo_ensembles import run_nengo, to_nengo
from .nengo_fixed import fixed_to_nengo, overflow_events, run_nengo_fixed
from .nengo_integers import FixedPointNeurons
from .nengo_parts import NengoModel

VERSION = str(_nengo.__version__)
"""The installed Nengo's version."""

__all__ = [
    "VERSION",
    "FixedPointNeurons",
    "NengoModel",
    "fixed_to_nengo",
    "overflow_events",
    "run_nengo",
    "run_nengo_fixed",
    "to_nengo",
]
