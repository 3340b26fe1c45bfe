"""Asks a peer that lives in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def answers(python: Path, target: str, driver: str, cases: dict[str, Any]) -> dict[str, Any]:
    """Return what a driver of tests/oracles says to these cases.

    Args:
        python: the environment's interpreter; without it the test is skipped.
        target: what ``make`` calls the environment.
        driver: the driver's file.
        cases: what is written to its input, as JSON.
    """
    if not python.exists():
        pytest.skip(f"{python} is not there: make {target}")
    run = subprocess.run([str(python), "-I", str(HERE / "oracles" / driver)], text=True,
                         input=json.dumps(cases), capture_output=True, timeout=900)  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, Any] = json.loads(run.stdout)
    return found
