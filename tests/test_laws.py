"""The laws F1 to F5 predicted against measured: a part of the sweep; all of it in ``verify``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_lif.errors import FileFormatError, RangeError
from neuro_lif.laws import LAWS, LawRow, LawSweep, configurations, sweep
from neuro_lif.laws import decays as decay_laws
from neuro_lif.laws.cases import lattice_left

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def part() -> LawSweep:
    return sweep(every=23)


def test_a_part_of_the_sweep_is_as_predicted(
    part: LawSweep, record_figure: Callable[[str], None]
) -> None:
    record_figure(str(part).splitlines()[-1])
    assert part.holds, [str(r) for r in part.failed]
    assert {r.law for r in part.rows} == set(LAWS) and len(part.rows) >= 20


def test_the_predictions_say_something(part: LawSweep) -> None:
    """Most tolerances are a small part of what is predicted, and some laws predict no change."""
    told = [r for r in part.rows if not r.beyond and r.predicted]
    sharp = [r for r in told if r.tolerance <= 0.1 * abs(r.predicted)]
    assert len(sharp) > 0.6 * len(told)
    flipped = [r for r in told if abs(r.measured + r.predicted) <= r.tolerance]
    assert len(flipped) < 0.2 * len(told)


def test_a_wrong_law_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets how far a chip's decay is from the meant one is not within."""
    row = decay_laws.measured({"measure": decay_laws.SHARE, "profile": "loihi2", "tau_steps": 1000},
                              0)[0]  # fmt: skip
    assert row.within and row.predicted == pytest.approx(-2.29, abs=0.1)
    wrong = LawRow(row.law, row.quantity, row.configuration, 0.0, row.measured, row.unit,
                   row.tolerance)  # fmt: skip
    assert not wrong.within


@pytest.mark.parametrize(("tau", "golden"), [(10, 0.06), (100, 0.6), (1000, 2.3)])
def test_errors_of_codes_are_those_of_the_spec(tau: int, golden: float) -> None:
    row = decay_laws.measured({"measure": decay_laws.SHARE, "profile": "loihi2", "tau_steps": tau},
                              0)[0]  # fmt: skip
    assert abs(row.measured) == pytest.approx(golden, rel=0.12)
    assert abs(row.predicted) <= 100 / (8192 * -np.expm1(-1 / tau))


def test_configurations() -> None:
    every = configurations()
    assert len(every) >= 200
    count = Counter(law for law, _, _ in every)
    assert set(count) == {"F1", "F2", "F4", "F5", "rate"}  # F3 is measured with F2
    assert min(count.values()) >= 20
    told = [(law, json.dumps(dict(c), sort_keys=True)) for law, c, _ in every]
    assert len(set(told)) == len(told)
    assert configurations(["F1", "F3"], 10) == [x for x in every if x[0] == "F1"][::10] + [
        x for x in every if x[0] == "F2"][::10]  # fmt: skip


def test_a_part_has_the_rows_of_the_whole() -> None:
    whole, part = sweep(["F1"], every=10, seed=4), sweep(["F1"], every=30, seed=4)
    assert [r.to_dict() for r in part.rows] == [r.to_dict() for r in whole.rows][::3]


@given(st.integers(1, 4095), st.floats(2, 1500), st.floats(0, 4096))
@settings(max_examples=60, deadline=None)
def test_what_is_left_of_the_lattice_bounds_the_mean_remainder(
    d: int, spread: float, centre: float
) -> None:
    """The laws take remainders as equidistributed; here is how far off their mean can be."""
    n = 4096 // np.gcd(d, 4096)
    x = np.arange(int(centre - 9 * spread), int(centre + 9 * spread) + 1)
    weight = np.exp(-(((x - centre) / spread) ** 2) / 2)
    mean = float((x * d % 4096) @ weight / weight.sum()) / 4096
    left = lattice_left(d / 4096, spread)
    assert abs(mean - (n - 1) / (2 * n)) <= left * (1 + 1e-6) + 1e-7


def test_shares_near_a_simple_fraction_need_a_wide_register() -> None:
    fifth = [lattice_left(820 / 4096, s) for s in (50, 200, 800)]
    assert fifth[0] > 0.06 and fifth[1] > 0.02 and fifth[2] < 1e-4
    assert lattice_left(1024 / 4096, 3) < 1e-3  # a quarter is met exactly, by three remainders


@pytest.mark.verify
def test_the_whole_sweep(record_figure: Callable[[str], None]) -> None:
    found = sweep()
    record_figure(str(found))
    assert found.holds, [str(r) for r in found.failed]
    assert found.provenance["configurations"] >= 200
    inside = [r for r in found.rows if not r.beyond]
    assert len(inside) >= 450 and all(any(r.law == law for r in inside) for law in LAWS)


def a_row(**more: Any) -> LawRow:
    given: dict[str, Any] = {
        "law": "F2", "quantity": "mean of v", "configuration": {"dv": 41, "rounding": "rtz"},
        "predicted": -50.0, "measured": -49.9, "unit": "LSB", "tolerance": 0.2,
        "standard_error": 0.05, "allowed": "4 SE",
    }  # fmt: skip
    return LawRow(**(given | more))


numbers = st.floats(-1e9, 1e9)


@given(numbers, numbers, st.floats(0, 1e9))
def test_within_is_a_distance(predicted: float, measured: float, tolerance: float) -> None:
    row = a_row(predicted=predicted, measured=measured, tolerance=tolerance)
    assert row.deviation == measured - predicted
    if abs(row.deviation) <= tolerance:
        assert row.within
    if abs(row.deviation) > tolerance + 1e-11 * max(abs(predicted), abs(measured)):
        assert not row.within
    assert LawRow.from_dict(json.loads(json.dumps(row.to_dict()))) == row


def test_a_sweep_as_a_file(tmp_path: Path) -> None:
    rows = (a_row(), a_row(measured=-40.0), a_row(measured=-40.0, beyond="too coarse"))
    found = LawSweep(rows, {"seed": 0, "configurations": 3})
    assert not found.holds and found.failed == rows[1:2] and found.of("F2") == rows
    found.save(tmp_path / "laws.json")
    again = LawSweep.load(tmp_path / "laws.json")
    assert again == found
    raw = json.loads((tmp_path / "laws.json").read_text())
    assert raw["format"] == "neuro-lif-laws/1" and raw["rows"][1]["within"] is False
    text = str(found)
    assert "1/2 (1 beyond)" in text and "not within: F2" in text and "too coarse" in text
    assert "3 configurations, 3 comparisons; 2 within the range" in text
    for damage in ("{", '{"format": "other"}', '{"format": "neuro-lif-laws/1", "rows": [1]}'):
        (tmp_path / "bad.json").write_text(damage)
        with pytest.raises(FileFormatError, match="neuro-lif-laws/1, as save"):
            LawSweep.load(tmp_path / "bad.json")
    with pytest.raises(FileFormatError, match="cannot be written"):
        found.save(tmp_path / "none" / "laws.json")


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "replications"))
    import laws

    out = tmp_path / "laws.json"
    assert laws.main(["--law", "F1", "--every", "25", "--json", str(out)]) == 0
    assert "steps between spikes" in capsys.readouterr().out
    assert LawSweep.load(out).provenance["every"] == 25
    monkeypatch.setattr(laws, "sweep", lambda *_: LawSweep((a_row(measured=0.0),), {
        "seconds": 1, "cpu_seconds": 1}))  # fmt: skip
    assert laws.main([]) == 1
    with pytest.raises(SystemExit):
        laws.main(["--json", str(tmp_path / "no" / "x.json")])
    monkeypatch.undo()
    sys.modules.pop("laws", None)


def test_the_command_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "replications"))
    import laws

    assert laws.main(["--every", "0"]) == 2
    assert "every = 0, allowed: a whole number >= 1" in capsys.readouterr().err
    sys.modules.pop("laws", None)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: sweep(["F9"]), "laws = ..*F9.*allowed: F1, F2"),
    (lambda: sweep([]), "allowed: F1, F2"),
    (lambda: sweep(every=1.5), "every = 1.5, allowed"),  # type: ignore[arg-type]
    (lambda: sweep(seed=-1), "seed = -1, allowed"),
    (lambda: sweep(progress=3), "progress"),  # type: ignore[arg-type]
    (lambda: a_row(law="F8"), "law = 'F8', allowed"),
    (lambda: a_row(tolerance=-1.0), "tolerance = -1.0"),
    (lambda: a_row(measured=float("nan")), "measured = nan"),
    (lambda: LawRow.from_dict({"law": "F1"}), "as to_dict"),
]


@pytest.mark.parametrize(("call", "text"), WRONG)
def test_wrong_input(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RangeError, match=text):
        call()
