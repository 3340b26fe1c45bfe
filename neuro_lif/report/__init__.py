"""Pictures and pages, where people would rather look than read.

:func:`write` makes one HTML page of what is known of a network on a chip.
"""

from ..lazy import later
from .overflow import OverflowTimeline, overflow_timeline
from .page import page, write

__all__ = ["OverflowTimeline", "ladder_picture", "overflow_timeline", "page", "write"]

__getattr__ = later(__name__, ("picture", "ladder_picture"))  # it brings matplotlib
