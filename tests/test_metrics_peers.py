"""The metrics against PySpike and elephant, run live in an environment of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peer_process import answers

from neuro_lif import metrics

pytestmark = [pytest.mark.verify, pytest.mark.oracle]

HERE = Path(__file__).resolve().parent
TRAINS = Path(os.environ.get("NEURO_LIF_TRAINS_PYTHON", HERE.parent / ".venv-trains/bin/python"))
PAIRS = 300
TICK = 2.0**-10
"""s; sums and halves of such times are exact, so ties are ties in both programs."""


def draw_train(rng: np.random.Generator, start: float, stop: float, grid: bool) -> list[float]:
    size = int(rng.choice([0, 1, 2, 3, 5, 20, 100]))
    if grid:
        ticks = round((stop - start) / TICK)
        return (start + TICK * np.sort(rng.permutation(ticks + 1)[:size])).tolist()
    return np.unique(rng.uniform(start, stop, size)).tolist()


def draw_pair(rng: np.random.Generator, k: int) -> dict[str, Any]:
    start = float(rng.choice([0.0, 0.5, -0.25]))
    stop = start + float(rng.choice([0.125, 1.0]))
    grid = k % 2 == 0
    a, b = draw_train(rng, start, stop, grid), draw_train(rng, start, stop, grid)
    way = k % 7
    if way == 0:
        b = list(a)
    elif way == 1:  # half of the spikes in common
        b = sorted({*a[::2], *b})
    elif way == 2:  # spikes at the edges
        a, b = sorted({start, *a}), sorted({*b, stop})
    elif way == 3:
        a, b = sorted({start, *a, stop}), sorted({start, *b})
    elif way == 4 and a:  # few spikes moved a little
        moved = np.array(a) + TICK * rng.integers(-2, 3, len(a))
        b = np.unique(np.clip(moved, start, stop)).tolist()
    return {
        "a": a, "b": b, "t_start": start, "t_stop": stop,
        "cost": float(10 ** rng.uniform(-1, 3)), "tau": float(10 ** rng.uniform(-3, 0)),
    }  # fmt: skip


def draw_group(rng: np.random.Generator) -> dict[str, Any]:
    """Trains that share some spikes; times are no edges of bins, which belong to other sides."""
    start, bins = float(rng.choice([0.0, 0.5])), int(rng.integers(20, 200))
    stop = start + bins * 5e-3
    common = rng.uniform(start, stop, 30)
    trains = [np.unique(np.concatenate([rng.choice(common, 10), rng.uniform(start, stop, 25)]))
              for _ in range(int(rng.integers(2, 12)))]  # fmt: skip
    return {"trains": [t.tolist() for t in trains], "t_start": start, "t_stop": stop,
            "width": 5e-3}  # fmt: skip


@pytest.fixture(scope="module")
def peer() -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(5)
    pairs = [draw_pair(rng, k) for k in range(PAIRS)]
    trains = [t for case in pairs for t in (case["a"], case["b"]) if len(t) > 2]
    groups = [draw_group(rng) for _ in range(30)]
    cases = {"pairs": pairs, "trains": trains, "groups": groups}
    return cases, answers(TRAINS, "trains", "trains_driver.py", cases)


def ours(case: dict[str, Any]) -> dict[str, float]:
    a, b = case["a"], case["b"]
    window = (case["t_start"], case["t_stop"])
    return {
        "victor_purpura": metrics.victor_purpura(a, b, case["cost"]),
        "van_rossum": metrics.van_rossum(a, b, case["tau"]),
        "isi_distance": metrics.isi_distance(a, b, *window),
        "spike_distance": metrics.spike_distance(a, b, *window),
        "spike_synchronization": metrics.spike_synchronization(a, b, *window),
    }


def test_random_pairs(peer: Any, record_figure: Callable[[str], None]) -> None:
    cases, answers = peer
    off: dict[str, list[float]] = {}
    for case, theirs in zip(cases["pairs"], answers["pairs"], strict=True):
        for name, value in ours(case).items():
            there = theirs[name]
            apart = abs(value - there) / max(1.0, there)
            if name == "van_rossum":  # elephant takes the root of a difference of sums
                apart = min(apart, abs(value**2 - there**2) / max(1.0, there**2))
            off.setdefault(name, []).append(apart)
    worst = {name: f"{np.max(values):.1e}" for name, values in off.items()}
    record_figure(f"{answers['versions']}: {PAIRS} random pairs of trains, farthest apart {worst}")
    assert all(np.max(values) <= 1e-9 for values in off.values()), worst


def test_random_trains(peer: Any, record_figure: Callable[[str], None]) -> None:
    cases, answers = peer
    worst = 0.0
    for train, theirs in zip(cases["trains"], answers["trains"], strict=True):
        worst = max(worst, abs(metrics.cv(train) - theirs["cv"]))
        worst = max(worst, abs(metrics.lv(train) - theirs["lv"]))
    together = metrics.cvs([np.array(t) for t in cases["trains"]])
    theirs = [t["cv"] for t in answers["trains"]]
    worst = max(worst, float(np.max(np.abs(together - theirs))))
    record_figure(f"{answers['versions']}: CV and Lv of {len(cases['trains'])} trains at most "
                  f"{worst:.1e} apart")  # fmt: skip
    assert len(cases["trains"]) > PAIRS / 2
    assert worst <= 1e-9


def test_random_groups(peer: Any, record_figure: Callable[[str], None]) -> None:
    """Rates, and correlations of counts, as the baseline and the activity take them."""
    cases, answers = peer
    worst, pairs = 0.0, 0
    for case, theirs in zip(cases["groups"], answers["groups"], strict=True):
        trains, window = [np.array(t) for t in case["trains"]], (case["t_start"], case["t_stop"])
        rates = metrics.rates(trains, *window)
        worst = max(worst, float(np.max(np.abs(rates / theirs["rates"] - 1))))
        found = metrics.correlations(metrics.binned(trains, *window, case["width"]))
        matrix = np.array(theirs["correlations"])
        upper = matrix[np.triu_indices(len(trains), 1)]
        assert found.shape == upper.shape
        worst, pairs = max(worst, float(np.max(np.abs(found - upper)))), pairs + found.size
    record_figure(f"{answers['versions']}: rates and {pairs} correlations of counts at most "
                  f"{worst:.1e} apart")  # fmt: skip
    assert pairs > 300 and worst <= 1e-9
