"""The replications: their table, and the rows of those that take a moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuro_lif.errors import RangeError
from neuro_lif.metrics import power_spectrum

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "replications"
ALL = ("r2", "r3", "r4", "r5", "r6", "r7")


@pytest.fixture
def replication(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a module of the folder."""
    import importlib

    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_a_row_holds_inside_its_bounds_alone(replication: Any) -> None:
    table = replication("table")
    assert table.near("a", 1.5, 1.0, 0.5).holds and not table.near("a", 1.51, 1.0, 0.5).holds
    assert table.Row("a", 3.0, low=3.0).holds and not table.Row("a", 2.9, low=3.0).holds
    assert table.Row("a", 3.0, high=3.0).holds and not table.Row("a", 3.1, high=3.0).holds
    assert not table.near("a", float("nan"), 1.0, 0.5).holds
    assert table.note("a", 7.0, 1.0).holds and not table.note("a", 7.0).judged


def test_the_table_says_what_fails_and_the_status_tells_it(
    replication: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table = replication("table")
    good, bad = table.near("good", 1.0, 1.1, 0.2, "Hz"), table.near("bad", 9.0, 1.1, 0.2, "Hz")
    assert table.show("title", [good, table.note("shown", 3.0)]) == 0
    text = capsys.readouterr().out
    assert "good (Hz)" in text and "0.90 .. 1.30" in text and "1 of 1 rows hold" in text
    assert table.show("title", [good, bad]) == 1
    text = capsys.readouterr().out
    assert "FAILS" in text and "1 of 2 rows hold" in text and "1 FAIL" in text
    assert table.show("title", [table.note("shown", 3.0)]) == 1  # nothing was checked


def test_r5_the_formula_of_clocked_rates(replication: Any) -> None:
    """Two rows of ten: a step of 1 ms, where the formula of continuous time is far off."""
    r5 = replication("r5")
    from neuro_lif.reference import theory

    for case in (r5.CASES[1], r5.CASES[9]):
        rate, error = r5.measured(case, 2e4)
        given = {"mu": 1e-3 * case.mu, "sigma": 1e-3 * case.sigma, **case.cell}
        formula = theory.nu_dt(**given, dt=1e-3 * case.dt)
        assert rate == pytest.approx(formula, abs=4 * error + 0.02 * rate)
        assert rate == pytest.approx(case.rate, abs=4 * error + 0.01 * rate)
        assert error < 0.01 * rate and theory.siegert(**given) > 1.1 * rate


def test_r6_the_law_of_truncation(replication: Any) -> None:
    r6 = replication("r6")
    found = list(r6.rows(quick=True))
    assert len(found) == 2 * len(r6.CONSTANT) + 2 * len(r6.NOISY) + 2 * len(r6.BOTH)
    assert all(row.judged for row in found)
    assert [row.what for row in found if not row.holds] == []


def test_r6_sees_another_rounding(replication: Any) -> None:
    """To the nearest the shift is half of it: the rows would fail."""
    r6 = replication("r6")
    got, se = r6.constant(41, 200, "nearest_up")
    assert abs(got - -99.4) > 4 * se + 0.05 and got == pytest.approx(-50, abs=2)


@pytest.mark.verify
@pytest.mark.parametrize("name", ALL)
def test_every_replication_holds(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")], capture_output=True, text=True, timeout=3600
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and "rows hold" in done.stdout


# ----------------------------------------------------------------------------- power_spectrum


def poisson_times(rate: Any, seconds: float, most: float, seed: int) -> Any:
    """Spikes of a Poisson process whose rate changes in time, by thinning."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, seconds, rng.poisson(most * seconds)))
    return times[rng.random(times.size) * most < rate(times)]


def test_the_spectrum_of_poisson_spikes_is_flat() -> None:
    times = poisson_times(lambda t: np.full(t.size, 2000.0), 50.0, 2000.0, 1)
    frequency, power = power_spectrum(times, 0.0, 50.0)
    assert frequency[0] == pytest.approx(4.0) and frequency[-1] == pytest.approx(1000.0)
    inside = power[1:-1]
    assert inside.mean() == pytest.approx(2 * 2000.0, rel=0.02)
    assert inside.std() < 0.2 * inside.mean()  # 400 windows


@pytest.mark.parametrize("beat", [22.0, 190.0])
def test_the_spectrum_finds_a_beat(beat: float) -> None:
    def rate(t: Any) -> Any:
        return 3000.0 * (1 + 0.5 * np.sin(2 * np.pi * beat * t))

    times = poisson_times(rate, 4.0, 4500.0, 2)
    frequency, power = power_spectrum(times, 0.0, 4.0, length=0.5)
    assert frequency[np.argmax(power)] == pytest.approx(beat, abs=1.0)
    assert power.max() > 20 * np.median(power)


def test_wrong_windows_of_a_spectrum_are_named() -> None:
    with pytest.raises(RangeError, match="length = 2, allowed: 4 bins of 0.001 s up to"):
        power_spectrum([0.1, 0.2], 0.0, 1.0, 1e-3, 2)
    with pytest.raises(RangeError, match="width"):
        power_spectrum([0.1, 0.2], 0.0, 1.0, 0.0)
    with pytest.raises(RangeError, match="rising order"):
        power_spectrum([0.2, 0.1], 0.0, 1.0)
