"""The integer emulator: equal to :mod:`neuro_lif.semantics` in every register and spike."""

from .engine import Emulator, run_fixed
from .oplist import OpList

__all__ = ["Emulator", "OpList", "run_fixed"]
