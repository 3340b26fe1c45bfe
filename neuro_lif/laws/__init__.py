"""Predicted against measured: the error laws F1 to F5 over a sweep of configurations.

Not imported by ``import neuro_lif``.
"""

from .rows import LAWS, LawRow, LawSweep

__all__ = ["LAWS", "LawRow", "LawSweep"]
