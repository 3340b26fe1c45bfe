"""What quantize makes of a hundred networks is recorded: integers, scales, ledger and refusals.

Who lowers the same network again gets the same integers; a change of one shows here. That they are
right is what tests/test_quantize.py and the runs against the float reference are for.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from lowered_cases import RECORDED, cases, lowered

CASES = cases()
EXPECTED: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Return where two values differ; floats may by 1e-9 of their size (platforms' exp)."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [d for k in expected for d in differences(expected[k], found[k], f"{where}.{k}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{where}[{i}]")]
    if isinstance(expected, float) and isinstance(found, float):
        close = abs(expected - found) <= 1e-9 * max(abs(expected), abs(found)) + 1e-13
        return [] if close else [f"{where}: {expected!r} -> {found!r}"]
    same = type(expected) is type(found) and expected == found
    return [] if same else [f"{where}: {expected!r} -> {found!r}"]


def test_every_case_is_recorded() -> None:
    assert list(EXPECTED) == list(CASES)
    refused = sum("refused" in v for v in EXPECTED.values())
    assert 10 <= refused <= len(CASES) / 3


@pytest.mark.parametrize("name", CASES)
def test_lowering_gives_what_it_gave(name: str) -> None:
    found = json.loads(json.dumps(lowered(CASES[name])))
    assert differences(EXPECTED[name], found) == []
