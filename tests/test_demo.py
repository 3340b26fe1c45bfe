"""The digits example over the whole ladder, as `make demo` runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuro_lif.cli import main
from neuro_lif.demo import Ladder, digits_folder, load_digits_example, run_ladder
from neuro_lif.errors import FileFormatError
from neuro_lif.targets.lava import lava_status

pytest.importorskip("sklearn")

LAVA_IMAGES = 20


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    works, _ = lava_status()
    return run_ladder("loihi2", LAVA_IMAGES if works else 0)


def test_accuracy_of_every_rung(ladder: Ladder) -> None:
    accuracy = [rung.accuracy for rung in ladder.rungs]
    assert len(ladder.labels) == 450
    assert accuracy[0] >= 97.0
    assert abs(accuracy[2] - accuracy[0]) <= 0.5


def test_the_integers_are_8_bit_and_nothing_overflows(ladder: Ladder) -> None:
    assert {p.weight_bits for p in ladder.fixed.projections} == {8}
    assert ladder.rungs[2].recording.events == ()
    assert ladder.fixed.ledger is not None and ladder.fixed.ledger.proved


@pytest.mark.lava
def test_emulator_equals_lava_on_20_images(ladder: Ladder) -> None:
    works, why = lava_status()
    if not works:
        pytest.skip(why)
    assert ladder.lava is not None
    assert ladder.lava.identical, ladder.lava.divergence
    assert sum(p.spikes_first for p in ladder.lava.populations) > 1000


def test_the_float_rung_is_the_trained_network(ladder: Ladder) -> None:
    """Our float64 reference spikes exactly as the example's own forward pass."""
    digits, _ = load_digits_example()
    import sys

    sys.path.insert(0, str(digits_folder()))
    try:
        import train  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    with np.load(digits_folder() / "weights.npz") as weights:
        activity = train.forward(weights, digits.rasters[:50])
    ours = ladder.rungs[0].recording.spikes
    same = [
        np.mean(ours["output"][:50] == activity.output),
        np.mean(ours["hidden"][:50] == activity.hidden),
    ]
    assert min(same) > 0.9999, same


def test_the_command_writes_picture_and_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--lava-images", "0"]) == 0
    text = capsys.readouterr().out
    assert "loihi2 integers" in text and "%" in text
    assert (tmp_path / "out" / "ladder.png").read_bytes()[:4] == b"\x89PNG"
    assert "Ledger" in (tmp_path / "out" / "ledger.txt").read_text()


def test_an_output_folder_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_missing_example_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import neuro_lif.demo as demo

    monkeypatch.setattr(demo, "__file__", str(tmp_path / "neuro_lif" / "demo.py"))
    with pytest.raises(FileFormatError, match="weights.npz"):
        digits_folder()
