"""The ladder: what every step from a description to a chip's integers costs, and whose doing it is.

Not imported by ``import neuro_lif``.
"""

from .build import ladder
from .results import (
    RUNGS,
    Alone,
    Distance,
    Levels,
    Overflow,
    PopulationCost,
    Rung,
    Verdict,
)
from .whole import Ladder

__all__ = [
    "RUNGS",
    "Alone",
    "Distance",
    "Ladder",
    "Levels",
    "Overflow",
    "PopulationCost",
    "Rung",
    "Verdict",
    "ladder",
]
