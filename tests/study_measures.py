"""Measuring functions of tests that hang, fail or die; of a module, so that workers import them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any


def hanging(fixed: Any, run: Any) -> dict[str, float]:
    """Hang where weights have four bits."""
    if fixed.projections[0].weight_bits == 4:
        while True:
            time.sleep(1)
    return {"x": float(fixed.projections[0].weight_bits)}


def hanging_once(fixed: Any, run: Any) -> dict[str, float]:
    """Hang where weights have four bits, unless the file ``HANGS`` names is there."""
    if fixed.projections[0].weight_bits == 4 and not Path(os.environ["HANGS"]).exists():
        subprocess.run(["sleep", "600"], check=True)
    return {"x": 1.0}


def dying(fixed: Any, run: Any) -> dict[str, float]:
    """End the process where weights have four bits."""
    if fixed.projections[0].weight_bits == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": 1.0}


def wrong(fixed: Any, run: Any) -> dict[str, float]:
    """Have a programming error."""
    return {"x": {}[f"of {fixed.projections[0].weight_bits} bits"]}


def seldom_wrong(fixed: Any, run: Any) -> dict[str, float]:
    """Have one for most weights."""
    if fixed.projections[0].weight_bits == 2:
        return {"x": 0.0}
    return wrong(fixed, run)
