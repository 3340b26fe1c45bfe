"""Where a ladder came from: versions, digests, options."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from ..digests import digest
from ..errors import show

DIGESTS = "neuro_lif.digests"
"""What gave the digests of a provenance; saved ladders that do not say so have others."""


def versions() -> dict[str, str]:
    """Return the versions of what computed."""
    own = getattr(sys.modules[__name__.split(".", 1)[0]], "__version__", "unknown")
    return {"neuro_lif": str(own), "numpy": np.__version__, "python": platform.python_version()}


def told(options: Mapping[str, Any]) -> str:
    """Return options as a text; of what is large, its digest."""
    return ", ".join(f"{k} = {_shown(v)}" for k, v in sorted(options.items())) or "none"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) or is_dataclass(value):
        return f"{type(value).__name__} {digest(value)[:16]}"
    return show(value)
