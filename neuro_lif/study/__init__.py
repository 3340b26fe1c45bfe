"""Studies: one network lowered in many ways, each result stored once.

Not imported by ``import neuro_lif``.
"""

from .axes import Axis, Configuration
from .limits import StudyTimeout
from .measures import GROUPS, MEASURES, Measure
from .rows import Replay, Row, Status
from .runner import StudyInterrupted
from .study import Study

__all__ = [
    "GROUPS",
    "MEASURES",
    "Axis",
    "Configuration",
    "Measure",
    "Replay",
    "Row",
    "Status",
    "Study",
    "StudyInterrupted",
    "StudyTimeout",
]
