"""Other people's runtimes that run our networks. Each loads only when asked for.

``from neuro_lif.targets import lava`` or ``neuro_lif.targets.lava`` imports
:mod:`neuro_lif.targets.lava`; ``import neuro_lif`` imports none of them.
"""

from __future__ import annotations

import importlib
from typing import Any

TARGETS = ("lava", "nengo")


def __getattr__(name: str) -> Any:
    if name in TARGETS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
