"""Runs in the real Lava runtime, held against the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_fixed import first_difference

from neuro_lif import FixedNetwork, Recording, run_fixed
from neuro_lif.targets.lava import lava_status, plan_lava, run_lava

AVAILABLE, ABOUT = lava_status()
LAVA_TESTS = [pytest.mark.lava, pytest.mark.skipif(not AVAILABLE, reason=ABOUT)]
"""Marks of a test file that runs Lava."""


def same(
    fixed: FixedNetwork, n_steps: int | None = 40, inputs: Any = None, record: str = "all"
) -> Recording:
    """Run both engines, compare every step of every trace and spike, return Lava's recording."""
    expected = run_fixed(fixed, n_steps, inputs, record=record)
    found = run_lava(fixed, n_steps, inputs, record=record)
    if record == "registers":  # Lava's own neurons do not have every scratch register
        assert found.traces.keys() <= expected.traces.keys()
    else:
        assert found.traces.keys() == expected.traces.keys()
    assert first_difference(found, expected) is None, first_difference(found, expected)
    assert found.events == expected.events
    return found


def kinds(fixed: FixedNetwork, **given: Any) -> dict[str, str]:
    """Return element name -> Lava process."""
    return {c.element.split("'")[1]: c.process for c in plan_lava(fixed, **given)}


def raster(seed: int, n: int, n_steps: int = 40, share: float = 0.3, top: int = 1) -> Any:
    """Return random spikes; with ``top`` their values are 1..top."""
    rng = np.random.default_rng(seed)
    return (rng.random((n_steps, n)) < share) * rng.integers(1, top + 1, (n_steps, n))
