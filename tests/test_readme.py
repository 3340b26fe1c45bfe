"""The README's quick start runs as written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import neuro_lif as nl

README = Path(__file__).resolve().parent.parent / "README.md"


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.S)


def test_quick_start_is_short_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    quick_start = python_blocks()[0]
    assert len(quick_start.strip().splitlines()) <= 20
    names: dict[str, object] = {}
    exec(compile(quick_start, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "Ledger for profile loihi2" in printed
    assert "first divergence" in printed
    assert names["integers"].spikes["exc"].sum() > 0  # type: ignore[attr-defined]
    assert names["integers"].events == ()  # type: ignore[attr-defined]


def test_without_a_step() -> None:
    names: dict[str, Any] = {}
    exec(compile(python_blocks()[0], "README.md", "exec"), names)
    exec(compile(python_blocks()[1], "README.md", "exec"), names)
    spikes, dt = names["exact"].spike_times("exc")[1], 0.5e-3
    assert len(spikes) > 10
    on_grid = names["exact"].rasters(dt).spikes["exc"]
    assert on_grid.sum() == len(spikes)


def test_the_study_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(python_blocks()[0], "README.md", "exec"), names)
    exec(compile(python_blocks()[2], "README.md", "exec"), names)
    other = nl.with_changes(names["fixed"], params={"exc": {"vth": 100}})
    assert next(names["rates"]) == nl.run_fixed(other, 1000).spikes["exc"].mean()
    names["rates"].close()


def test_the_imports_it_names_exist() -> None:
    pytest.importorskip("nengo")
    exec(compile(python_blocks()[3], "README.md", "exec"), {})
