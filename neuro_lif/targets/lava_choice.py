"""What a plan for Lava is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

INT32 = (-(2**31), 2**31 - 1)


@dataclass(frozen=True)
class LavaChoice:
    """Which Lava process an element becomes, and why.

    Args:
        element: ``population 'a'``, ``projection 'c'``, ``source 's'`` or ``input 'i'``.
        process: name of the Lava process.
        stock: True: shipped with Lava; False: ours, from the exported folder.
        why: the reason in a few words.
        settings: what the process is given beyond arrays (for the export).
        limit: the choice holds while the sender sends no larger magnitude; None: always.
    """

    element: str
    process: str
    stock: bool
    why: str
    settings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    limit: int | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        origin = "Lava's" if self.stock else "our"
        return f"{self.element}: {origin} {self.process} ({self.why})"


def fits32(values: Any) -> bool:
    """Tell whether all values fit 32 bits."""
    array = np.asarray(values)
    return bool(array.size == 0 or (array.min() >= INT32[0] and array.max() <= INT32[1]))
