"""What was recorded elsewhere is explained from its spikes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA
from test_nir_rules import CAUSES, braille

from neuro_lif import nir
from neuro_lif.cli import main
from neuro_lif.errors import RangeError

LAYER = "lif1.lif"


@pytest.mark.parametrize("platform", CAUSES)
def test_the_papers_traces_name_their_causes(platform: str) -> None:
    graph, inputs, theirs = braille(platform)
    told = nir.explain(graph, inputs, "snntorch-2023", {LAYER: theirs}, dt=1e-4)
    assert told.needed.keys() == CAUSES[platform]
    assert told.causes and told.causes.keys() <= told.needed.keys()
    assert told.trials[" + ".join(told.needed)] == (None, 0)
    again = nir.run(graph, inputs, nir.find_rule(told.a, **told.repeats), dt=1e-4)
    assert np.count_nonzero(again.spikes[LAYER] != theirs) == 0
    assert "equal to the recording: snntorch-2023 with " in str(told)


# settings that no rule has
MIXED: list[tuple[str, dict[str, Any], set[str]]] = [
    (
        "snntorch-2023",
        {"reset": "subtract", "recurrent_bias": "never"},
        {"reset", "recurrent bias"},
    ),
    ("norse", {"input_delay": 1, "reset": "subtract"}, {"reset", "delays"}),
]


@pytest.mark.parametrize(("base", "changes", "wanted"), MIXED)
def test_settings_that_no_rule_has_are_found(
    base: str, changes: dict[str, Any], wanted: set[str]
) -> None:
    graph, inputs, _ = braille("norse")
    truth = nir.run(graph, inputs, nir.find_rule(base, **changes), dt=1e-4).spikes
    told = nir.explain(graph, inputs, base, truth, dt=1e-4)
    assert told.needed.keys() == wanted and told.repeats == changes


def test_runs_are_bounded_and_told() -> None:
    graph, inputs, theirs = braille("s2")
    seen: list[tuple[int, int]] = []
    told = nir.explain(graph, inputs, "snntorch-2023", {LAYER: theirs}, dt=1e-4, most_runs=5,
                       progress=lambda done, most: seen.append((done, most)))  # fmt: skip
    assert seen == [(k, 5) for k in range(1, 6)]
    assert not told.repeats and not told.needed
    assert "equal to the recording" not in str(told)
    noise = (np.random.default_rng(3).random(theirs.shape) < 0.5).astype(float)
    short = nir.explain(graph, inputs[:20], "norse", {LAYER: noise[:20]}, dt=1e-4, most_runs=90)
    assert not short.needed and "closest, but not equal" in str(short)


def test_what_is_no_recording_is_refused() -> None:
    graph, inputs, theirs = braille("norse")
    bad = theirs.astype(float)
    bad[7, 3] = np.nan
    ask = (graph, inputs, "norse")
    with pytest.raises(RangeError, match=r"'lif1.lif', step 7, neuron \(3\) = 'nan', allowed: fin"):
        nir.explain(*ask, {LAYER: bad}, dt=1e-4)
    with pytest.raises(RangeError, match="most_runs = 0, allowed: a whole number >= 1"):
        nir.explain(*ask, {LAYER: theirs}, dt=1e-4, most_runs=0)
    with pytest.raises(RangeError, match="allowed: a second rule, a recording, or chip="):
        nir.explain(*ask, "snntorch", dt=1e-4, most_runs=5)
    with pytest.raises(RangeError, match="progress = "):
        nir.explain(*ask, {LAYER: theirs}, dt=1e-4, progress=3)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, inputs, theirs = braille("lava")
    np.savez(tmp_path / "x.npz", input=inputs)
    np.savez(tmp_path / "theirs.npz", **{LAYER: theirs})
    file = DATA / "nir_paper" / "braille_noDelay_bias_zero.nir"
    ask = ["explain", str(file), "--rule", "snntorch-2023", "--dt", "1e-4", "--inputs",
           str(tmp_path / "x.npz")]  # fmt: skip
    assert main([*ask, "--recording", str(tmp_path / "theirs.npz")]) == 1
    said = capsys.readouterr().out
    assert "snntorch-2023 with integrator=shift recurrent_bias=never" in said
    more = ["--set", "integrator=shift", "--set", "recurrent_bias=never"]
    assert main([*ask, *more, "--recording", str(tmp_path / "theirs.npz")]) == 0
    assert main([*ask, "--against", "norse", "--most-runs", "3"]) == 2
    assert "--most-runs, allowed: with --recording" in capsys.readouterr().err
