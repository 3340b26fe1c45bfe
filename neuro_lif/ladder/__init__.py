"""The ladder: what every step from a description to a chip's integers costs, and whose doing it is.

Not imported by ``import neuro_lif``.
"""

from .build import ladder
from .results import (
    RUNGS,
    Alone,
    Distance,
    Ladder,
    Overflow,
    PopulationCost,
    Rung,
    Verdict,
)

__all__ = [
    "RUNGS",
    "Alone",
    "Distance",
    "Ladder",
    "Overflow",
    "PopulationCost",
    "Rung",
    "Verdict",
    "ladder",
]
