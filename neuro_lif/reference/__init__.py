"""Float64 references: what the network does before any bit is lost."""

from typing import TYPE_CHECKING

from ..lazy import later
from .clocked import run_clocked

if TYPE_CHECKING:
    from .event_exact import run_exact
    from .exact_recording import ExactInterrupted, ExactRecording

__all__ = ["ExactInterrupted", "ExactRecording", "run_clocked", "run_exact"]

__getattr__ = later(
    __name__,
    ("event_exact", "run_exact"),
    ("exact_recording", "ExactInterrupted ExactRecording"),
)
