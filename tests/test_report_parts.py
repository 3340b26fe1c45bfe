"""The parts of the report: how numbers and scales read, when registers overflowed, studies."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import report_cases as cases
from hypothesis import given
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.emulator import Emulator
from neuro_lif.errors import RangeError, StudyError
from neuro_lif.report import overflow_timeline
from neuro_lif.report.colours import colour, contrast
from neuro_lif.report.ladder_part import ladder_part
from neuro_lif.report.numbers import MINUS, count, number, percent, si, signed
from neuro_lif.report.runs_part import runs_of
from neuro_lif.report.scales import Scale, spanning, spanning_log, spanning_signed
from neuro_lif.report.stored import stored_study
from neuro_lif.report.study_part import study_part
from neuro_lif.study import Study

RAISED = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b",
                       "0123456789-")  # fmt: skip


def read(text: str) -> float:
    """What a person reads."""
    mantissa, _, power = text.replace(MINUS, "-").replace(",", "").partition(" \u00d7 10")
    return float(mantissa) * 10.0 ** int(power.translate(RAISED) or 0)


@given(st.floats(-1e18, 1e18))
def test_a_number_reads_as_what_it_is(x: float) -> None:
    text = number(x)
    assert read(text) == pytest.approx(x, rel=6e-3, abs=1e-300)
    assert "-" not in text and "e" not in text
    assert len(text) < 26


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345, "12,345"), (-3.5, "\u22123.5"), (0.0321, "0.0321"), (97.4123, "97.41"),
     (1.2345e-7, "1.23 \u00d7 10\u207b\u2077"), (None, "\u2013"), (math.nan, "\u2013"),
     (-math.inf, "\u2212\u221e"), (0.99996, "1"), (9999.6, "10,000")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_words_around_numbers() -> None:
    assert si(0.015, "V") == "15\u202fmV" and si(-2e-9, "A") == "\u22122\u202fnA"
    assert si(0.0, "V") == "0\u202fV" and si(1e-3, "s") == "1\u202fms"
    assert signed(0.4) == "+0.4" and signed(0) == "0" and signed(-0.222, decimals=2) == "\u22120.22"
    assert percent(0.99999) == "99.9\u202f%" and percent(1) == "100.0\u202f%"
    assert percent(1e-6) == "< 0.1\u202f%" and percent(0) == "0\u202f%"
    assert count(1, "spike") == "1 spike" and count(1200, "spike") == "1,200 spikes"


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_all_or_nothing(share: float) -> None:
    text = percent(share)
    assert (text == "100.0\u202f%") is (share == 1.0)
    assert (text == "0\u202f%") is (100.0 * share == 0.0)


values = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 6)), min_size=1, max_size=20)


@given(values, st.sampled_from([spanning, spanning_signed]))
def test_a_scale_holds_its_values_and_keeps_their_order(xs: list[float], make: object) -> None:
    assert callable(make)
    scale: Scale = make(xs)
    places = [scale.at(x) for x in sorted(xs)]
    assert all(-0.01 <= p <= 100.01 for p in places)
    assert places == sorted(places)
    ticks = scale.ticks(5)
    assert len({t.label for t in ticks}) == len(ticks) <= 14
    for tick in ticks:
        assert -0.01 <= tick.at <= 100.01
        assert scale.at(read(tick.label)) == pytest.approx(tick.at, abs=0.6)


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20))
def test_a_logarithmic_scale(xs: list[float]) -> None:
    scale = spanning_log(xs)
    assert all(0 <= scale.at(x) <= 100 for x in xs)
    assert scale.ticks(6)


@given(st.floats(0, 1))
def test_text_on_a_coloured_ground_can_be_read(share: float) -> None:
    back, ink = colour(share)
    assert contrast(back, ink) >= 4.5


def test_colours_are_one_scale_in_grey_too() -> None:
    grounds = [colour(k / 40)[0] for k in range(41)]
    light = [contrast("#000000", back) for back in grounds]
    assert light == sorted(light)


# -------------------------------------------------------------------------------- overflow


def counted_by_step() -> dict[tuple[str, str, str], np.ndarray]:
    """Overflows of every step, from the numpy emulator's own counter, step by step."""
    fixed, rows = cases.overflowing(), cases.inputs()["in"]
    emulator = Emulator(fixed)
    found: dict[tuple[str, str, str], np.ndarray] = {}
    for t in range(cases.STEPS):
        emulator.step({"in": rows[None, t]})
        for e in emulator.counter.events():
            place = (e.where, e.register, e.kind)
            found.setdefault(place, np.zeros(cases.STEPS, int))
        for place, steps in found.items():
            steps[t] = sum(e.count for e in emulator.counter.events()
                           if (e.where, e.register, e.kind) == place)  # fmt: skip
    return {place: np.diff(steps, prepend=0) for place, steps in found.items()}


@pytest.mark.parametrize("stretches", [1, 7, 12, cases.STEPS, 1000])
def test_a_timeline_is_what_a_counter_counts(stretches: int) -> None:
    found = overflow_timeline(cases.overflowing(), inputs=cases.inputs(), stretches=stretches)
    wanted = counted_by_step()
    assert len(found.edges) == min(stretches, cases.STEPS) + 1 and found.edges[-1] == cases.STEPS
    assert found.counts.keys() == wanted.keys() and len(wanted) >= 2
    for place, counts in found.counts.items():
        assert counts == tuple(np.add.reduceat(wanted[place], found.edges[:-1]).tolist())


def test_a_timeline_without_overflow_is_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuro_lif.report import overflow

    runs: list[int] = []

    def counting(fixed: nl.FixedNetwork, steps: int, given: object) -> nl.Recording:
        runs.append(steps)
        return nl.run_fixed(fixed, steps, given)  # type: ignore[arg-type]

    monkeypatch.setattr(overflow, "run_fixed", counting)
    found = overflow_timeline(cases.fixed(), inputs=cases.inputs())
    assert found.counts == {} and runs == [cases.STEPS]


def test_timeline_with_wrong_arguments() -> None:
    with pytest.raises(RangeError, match="stretches = 0"):
        overflow_timeline(cases.fixed(), inputs=cases.inputs(), stretches=0)
    with pytest.raises(RangeError, match="FixedNetwork"):
        overflow_timeline(cases.stepped(), 3)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------- ladder, study


def test_the_bars_of_a_waterfall_add_up() -> None:
    found = ladder_part(cases.climbed())
    assert found is not None and len(found.waterfalls) >= 2
    for w in found.waterfalls:
        *rungs, total = w.bars
        if not w.adds:
            continue
        assert all(a.end == b.begin for a, b in zip(rungs, rungs[1:], strict=False))
        assert (total.begin, total.end) == (rungs[0].begin, rungs[-1].end)
        assert total.begin == w.zero
        for bar in w.bars:
            assert bar.left == min(bar.begin, bar.end)
            assert 0 <= bar.left <= bar.left + bar.width <= 100.001
    spikes = next(w for w in found.waterfalls if w.title == "Number of spikes")
    costs = [read(b.value.lstrip("+")) for b in spikes.bars]
    assert sum(costs[:-1]) == costs[-1] == cases.climbed().total.spikes


def test_the_front_is_what_nothing_beats() -> None:
    rows = [r for r in cases.study_rows() if not r["error"]]
    beaten = [
        any(o["bits"] <= r["bits"] and o["accuracy"] >= r["accuracy"]
            and (o["bits"], o["accuracy"]) != (r["bits"], r["accuracy"]) for o in rows)
        for r in rows
    ]  # fmt: skip
    found = study_part(cases.study_rows())
    assert found is not None and found.pareto is not None
    assert len(found.front) == beaten.count(False) > 3
    assert sum(m.style == "front" for m in found.pareto.marks) == len(found.front)
    assert len(found.pareto.marks) == len(rows) == found.count - found.failed
    cheapest = min((r for r in rows if r["accuracy"] >= 0.9511), key=lambda r: r["bits"])
    assert f"weight_bits = {cheapest['quantize.weight_bits']}," in found.fewest


def test_the_heat_map_holds_the_best_of_each_cell() -> None:
    found = study_part(cases.study_rows())
    assert found is not None and found.heat is not None
    heat = found.heat
    names = {heat.row_name, heat.column_name}
    assert names == {"quantize.weight_bits", "profile.decay_bits"}
    for name, cells in heat.rows:
        for column, cell in zip(heat.columns, cells, strict=True):
            place = {heat.row_name: int(name), heat.column_name: int(column)}
            best = max((r["accuracy"] for r in cases.study_rows() if r["accuracy"] is not None
                        and all(r[k] == v for k, v in place.items())), default=None)  # fmt: skip
            assert (cell is None) is (best is None)
            if cell is not None and best is not None:
                assert cell.text == f"{100 * best:.1f}" and cell.reaches is (best >= 0.9511)
    assert sum(c.best for _, cells in heat.rows for c in cells if c) == 1


def test_a_large_study_keeps_its_best() -> None:
    rows = [{"key": str(k), "a": k, "error": None, "accuracy": k / 3000, "bits": k}
            for k in range(3000)]  # fmt: skip
    found = study_part(rows)
    assert found is not None and len(found.rows) == 1000
    assert found.rows[0][0].text == "2,999"
    assert found.note == "The best 1,000 of 3,000 configurations."


@pytest.mark.parametrize(
    "study",
    [
        [],
        [{"key": "a", "x": 1, "error": "no"}],
        [{"key": "a", "x": "text", "error": None, "rate_error": 1.0}],
    ],
)
def test_studies_with_little_in_them(study: list[dict[str, object]]) -> None:
    found = study_part(study)
    assert (found is None) is (not study)
    if found is not None:
        assert found.pareto is None and len(found.rows) == 1


def test_a_stored_study_reads_as_its_table(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    study = Study(cases.network(), "loihi2", {"quantize.weight_bits": [8, 3], "seed": [1, 0]},
                  dt=1e-3, inputs=cases.inputs(), store=path)  # fmt: skip
    study.run(workers=1, progress=False)
    table = study.table()
    study.close()
    rows, told = stored_study(path)
    assert sorted(map(repr, map(sorted_items, rows))) == sorted(map(repr, map(sorted_items, table)))
    assert [(r["quantize.weight_bits"], r["seed"]) for r in rows] == [
        (3, 0),
        (3, 1),
        (8, 0),
        (8, 1),
    ]
    assert re.fullmatch("[0-9a-f]{64}", told["network"])
    with pytest.raises(StudyError, match="no such file"):
        stored_study(tmp_path / "none.sqlite")


def sorted_items(row: dict[str, object]) -> list[tuple[str, object]]:
    return sorted(row.items())


# -------------------------------------------------------------------------------- runs


def test_long_traces_keep_their_extremes() -> None:
    rng = np.random.default_rng(2)
    v = rng.normal(0, 1e-3, (20_000, 1))
    v[12_345] = 0.5
    run = nl.Recording(1e-3, 20_000, {"a": np.zeros((20_000, 1), np.int16)}, {("a", "v"): v},
                       v_zero={"a": np.zeros(1)})  # fmt: skip
    found = runs_of(run, None)
    assert found is not None
    data = found.populations[0].traces[0].data
    assert len(data["at"]) == len(data["float"]) <= 1600
    assert 12_346 in data["at"] and max(data["float"]) == pytest.approx(500.0)
    assert data["unit"] == "mV" and found.populations[0].raster is None


def test_the_neuron_that_differs_first_is_always_drawn() -> None:
    spikes = np.zeros((50, 1000), np.int16)
    other = spikes.copy()
    other[7, 503] = 1
    runs = [nl.Recording(1e-3, 50, {"a": s}, {}, v_zero={}) for s in (spikes, other)]
    found = runs_of(*runs)
    assert found is not None and found.divergence is not None
    assert found.divergence.neuron == 503 and 503 in found.populations[0].rows
    assert len(found.populations[0].rows) == 100
