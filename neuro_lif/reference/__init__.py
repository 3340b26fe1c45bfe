"""Float64 references: what the network does before any bit is lost."""

from .clocked import run_clocked

__all__ = ["run_clocked"]
