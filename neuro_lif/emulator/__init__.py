"""The integer emulator: equal to :mod:`neuro_lif.semantics` in every register and spike."""

from .engine import Emulator, EventCounter, carrier_for, payload, run_fixed
from .oplist import OpList
from .variants import run_variants

__all__ = [
    "Emulator",
    "EventCounter",
    "OpList",
    "carrier_for",
    "payload",
    "run_fixed",
    "run_variants",
]
