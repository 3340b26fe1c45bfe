"""A random balanced network holds its rates in 4 bits by sign, not with one step for all."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import sign_scales  # noqa: E402


def test_distance_is_scipys() -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    for shift in (0.0, 0.3, 9.0):
        a, b = rng.integers(0, 20, 150) / 2.0, rng.integers(0, 20, 150) / 2.0 + shift
        assert sign_scales.distance(a, b) == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)


@pytest.mark.verify
def test_by_sign_is_the_baseline_and_one_step_for_all_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sign_scales.main(["--bits", "4"])
    text = capsys.readouterr().out
    print(text)
    found = re.findall(r"(\w+) 4 bits +([\w-]+): .*KS ([0-9.]+)", text)
    ks = {(granularity, name): float(value) for granularity, name, value in found}
    chance = float(re.findall(r"one case of 20: ([0-9.]+)", text)[0])
    assert ks["sign", "own"] < chance
    assert min(ks["global", "own"], ks["global", "max-abs"]) > 4 * chance
