"""Predicted against measured: the error laws F1 to F5 over a sweep of configurations.

Not imported by ``import neuro_lif``. The predictions are those of :mod:`neuro_lif.predict`; the
measurements are runs of the integers beside the float reference.
"""

from .rows import LAWS, LawRow, LawSweep
from .sweep import configurations, sweep

__all__ = ["LAWS", "LawRow", "LawSweep", "configurations", "sweep"]
