"""Float64 references: what the network does before any bit is lost."""

from .clocked import run_clocked
from .event_exact import run_exact
from .exact_recording import ExactInterrupted, ExactRecording

__all__ = ["ExactInterrupted", "ExactRecording", "run_clocked", "run_exact"]
