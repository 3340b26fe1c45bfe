"""Float64 references: what the network does before any bit is lost."""

from typing import TYPE_CHECKING, Any

from .clocked import run_clocked

if TYPE_CHECKING:
    from .event_exact import run_exact
    from .exact_recording import ExactInterrupted, ExactRecording

__all__ = ["ExactInterrupted", "ExactRecording", "run_clocked", "run_exact"]

_LATER = {
    "run_exact": "event_exact",
    "ExactInterrupted": "exact_recording",
    "ExactRecording": "exact_recording",
}


def __getattr__(name: str) -> Any:
    """Import the event-exact run when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
