"""``neuro-lif nir``: what a user sees, with right and with wrong input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

from neuro_lif import nir
from neuro_lif.cli import main

FILE = str(DATA / "snntorch" / "cubalif_rec_zero.nir")
INPUTS = FILE.replace(".nir", ".npz")


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", "show", FILE]) == 0
    shown = capsys.readouterr().out
    assert (
        "lif1.w_rec  Affine" in shown and "lif1.lif (back)" in shown and "nothing to mend" in shown
    )
    assert main(["nir", "show", str(DATA / "rockpool" / "lif_neuron_ff.nir")]) == 0
    assert "repair: node 'input': shape: (1, 12)" in capsys.readouterr().out


def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.npz"
    assert (
        main(
            [
                "nir",
                "run",
                FILE,
                "--rule",
                "snntorch",
                "--inputs",
                INPUTS,
                "--out",
                str(out),
                "--golden",
                str(tmp_path / "g.nir"),
            ]
        )
        == 0
    )
    assert "lif1.lif: 199 spikes" in capsys.readouterr().out
    with np.load(out) as ours, np.load(INPUTS) as theirs:
        assert np.array_equal(ours["spikes/lif1.lif"], theirs["lif1_spk"])


def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["nir", "explain", FILE, "--rule", "snntorch", "--inputs", INPUTS]
    assert main([*ask, "--against", "snntorch-2023"]) == 1
    assert "cause: reset time: recurrent_reset_time next" in capsys.readouterr().out
    assert main([*ask, "--against", "snntorch"]) == 0
    with np.load(INPUTS) as theirs:
        np.savez(tmp_path / "r.npz", **{"lif1.lif": theirs["lif1_spk"]})
    assert main([*ask, "--recording", str(tmp_path / "r.npz")]) == 0


def test_convert(tmp_path: Path) -> None:
    out = tmp_path / "a.nir"
    assert main(["nir", "convert", str(DATA / "rockpool" / "lif_neuron_ff.nir"), str(out)]) == 0
    assert nir.read(out).report.findings == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "none.nir"], "no such file"),
        (["run", FILE, "--rule", "snntorc", "--inputs", INPUTS], "allowed: exact"),
        (["run", FILE, "--rule", "norse", "--inputs", "none.npz"], "no such file"),
        (["run", FILE, "--rule", "norse", "--inputs", INPUTS, "--set", "reset"], "FIELD=VALUE"),
        (
            ["run", FILE, "--rule", "norse", "--inputs", INPUTS, "--set", "reset=x"],
            "allowed: value",
        ),
        (["run", FILE, "--rule", "norse", "--inputs", INPUTS, "--dt", "0"], "dt = 0"),
    ],
)
def test_wrong_use(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", *words]) == 2
    assert said in capsys.readouterr().err


def test_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", "rules"]) == 0
    assert "spikingjelly: " in capsys.readouterr().out


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph, parts = tmp_path / "graph.png", tmp_path / "parts.svg"
    assert main(["nir", "show", FILE, "--picture", str(graph)]) == 0
    ask = ["nir", "explain", FILE, "--rule", "snntorch", "--inputs", INPUTS, "--against", "norse"]
    assert main([*ask, "--dt", "1e-4", "--picture", str(parts)]) == 1
    assert graph.read_bytes()[:4] == b"\x89PNG" and b"<svg" in parts.read_bytes()[:600]
    assert main(["nir", "show", FILE, "--picture", str(tmp_path / "a.bmp")]) == 2
    assert "allowed: a name that ends in .png, .svg, .pdf" in capsys.readouterr().err


def test_quantize(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, chip, ran = (tmp_path / name for name in ("net.npz", "chip.npz", "ran.npz"))
    given = ["nir", "quantize", FILE, "--rule", "snntorch", "--profile", "loihi2"]
    written = ["--out", str(out), "--inputs-out", str(chip)]
    assert main([*given, "--inputs", INPUTS, *written]) == 0
    shown = capsys.readouterr().out
    assert "Ledger for profile loihi2" in shown and "0 of 1600 entries differ" in shown
    assert "node 'lif1.lif' is population 'lif1_lif', 1 step(s) late" in shown
    assert main(["run", str(out), "--inputs", str(chip), "--out", str(ran)]) == 0
    assert "lif1_lif: 16 neurons, 200 spikes" in capsys.readouterr().out
    assert main([*given, "--inputs", INPUTS, "--calibrate", "--as", "current"]) == 0
    assert "calibrated on 1 sample" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--rule", "exact", "--dt", "1e-4"], "integrator = 'event'"),
        (["--approximate", "all"], "allowed: counts, cycle"),
        (["--calibrate"], "--calibrate without --inputs"),
        (["--inputs-out", "x.npz"], "--inputs-out without --inputs"),
        (["--profile", "loihi9"], "loihi9"),
        (["--out", "x.txt"], "ends in .npz"),
    ],
)
def test_quantize_told_wrong(
    more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["nir", "quantize", FILE, "--rule", "snntorch", "--profile", "loihi2"]
    assert main([*given, *more]) != 0
    assert told in capsys.readouterr().err


def test_rules_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", "rules", "snntorch", "spyx"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["switch", "snntorch", "spyx"] and ["emit", "new", "old"] in rows
    assert main(["nir", "rules", "snntorc"]) == 2


def test_arrays_that_are_no_inputs_are_named(tmp_path: Path, capsys: Any) -> None:
    assert main(["nir", "run", FILE, "--rule", "snntorch", "--inputs", INPUTS]) == 0
    assert "that are no inputs: lif1_mem, lif1_spk" in capsys.readouterr().out
    copied = tmp_path / "net.nir"
    copied.write_bytes(Path(FILE).read_bytes())
    ask = ["nir", "run", str(copied), "--rule", "snntorch", "--inputs", INPUTS]
    assert main([*ask, "--out", str(copied)]) == 2, "a network is not overwritten with a run"
    assert "allowed: a .npz file" in capsys.readouterr().err
    assert copied.read_bytes() == Path(FILE).read_bytes()


def test_the_step_is_said_and_the_files_own_is_taken(tmp_path: Path, capsys: Any) -> None:
    ask = ["--rule", "snntorch", "--inputs", INPUTS]
    assert main(["nir", "run", FILE, *ask]) == 0
    said = capsys.readouterr().out
    assert "note: dt 0.0001, the usual step of rule 'snntorch'" in said and "dt 0.0001\n" in said
    graph = nir.read(FILE).graph
    with np.load(INPUTS) as file:
        ran = nir.run(graph, file["input"], "nir-euler", dt=2e-4)
    nir.write(tmp_path / "own.nir", nir.with_rule(graph, ran))
    assert main(["nir", "run", str(tmp_path / "own.nir"), *ask]) == 0
    own = capsys.readouterr().out
    assert "note: dt 0.0002, as the file's metadata say" in own
    assert "rule snntorch, dt 0.0002\n" in own
    assert main(["nir", "run", str(tmp_path / "own.nir"), *ask, "--dt", "0.1ms"]) == 0
    assert "rule snntorch, dt 0.0001\n" in capsys.readouterr().out


def test_no_steps_are_refused(tmp_path: Path, capsys: Any) -> None:
    with np.load(INPUTS) as file:
        np.savez(tmp_path / "x.npz", input=file["input"][:0])
    more = ["--rule", "snntorch", "--inputs", str(tmp_path / "x.npz")]
    for ask in (["nir", "run", FILE], ["explain", FILE, "--against", "norse"],
                ["explain", FILE, "--against", "loihi2"],
                ["nir", "quantize", FILE, "--profile", "loihi2"]):  # fmt: skip
        assert main([*ask, *more]) == 2
        assert "'input' of shape (0, 12), allowed: at least one step" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["out", "golden"])
def test_what_cannot_be_written_is_refused_before_the_run(
    option: str, tmp_path: Path, capsys: Any
) -> None:
    path = str(tmp_path / "no" / ("a.npz" if option == "out" else "a.nir"))
    assert main(["nir", "run", FILE, "--rule", "snntorch", "--inputs", INPUTS,
                 f"--{option}", path]) == 2  # fmt: skip
    out, err = capsys.readouterr()
    assert f"--{option} {path!r}: cannot be written" in err and "spikes" not in out


def test_what_is_shown_and_converted_goes_into_files_of_their_kind(
    tmp_path: Path, capsys: Any
) -> None:
    assert main(["nir", "convert", FILE, str(tmp_path / "a.txt")]) == 2
    assert "allowed: a name that ends in .nir, .h5, .hdf5" in capsys.readouterr().err
    assert main(["nir", "show", FILE, "--picture", str(tmp_path / "a.bmp")]) == 2
    out, err = capsys.readouterr()
    assert "ends in .png, .svg, .pdf" in err and not out
    assert not list(tmp_path.iterdir())


def test_a_recording_with_names_of_its_own(tmp_path: Path, capsys: Any) -> None:
    ask = ["explain", FILE, "--rule", "snntorch", "--inputs", INPUTS, "--recording"]
    assert main([*ask, INPUTS]) == 2  # the framework's names
    told = capsys.readouterr().err
    assert "allowed: arrays called as spiking nodes (lif1.lif, lif2)" in told
    assert "--map lif1.lif=ARRAY" in told
    pairs = ["--map", "lif1.lif=lif1_spk", "--map", "lif2=lif2_spk"]
    assert main([*ask, INPUTS, *pairs]) == 0
    assert "snntorch and the recording: all spikes are equal" in capsys.readouterr().out
    crossed = ["--map", "lif1.lif=lif1_spk", "--map", "lif2=lif1_spk"]
    assert main([*ask, INPUTS, *crossed]) == 2
    assert "node 'lif2'" in capsys.readouterr().err
    for wrong in ("lif2", "lif2=lif9_spk"):
        assert main([*ask, INPUTS, "--map", wrong]) == 2
        assert f"--map {wrong!r}, allowed: NODE=ARRAY" in capsys.readouterr().err
    with np.load(INPUTS) as file:
        spikes = file["lif2_spk"]
    np.savez(tmp_path / "more.npz", lif2=spikes, other=np.zeros(3))
    assert main([*ask, str(tmp_path / "more.npz")]) == 0
    assert "more.npz that are no spiking nodes: other" in capsys.readouterr().out
    np.savez(tmp_path / "nan.npz", lif2=spikes * np.nan)
    assert main([*ask, str(tmp_path / "nan.npz")]) == 2
    assert "node 'lif2' = NaN or infinity" in capsys.readouterr().err


def test_trials_are_a_table(capsys: Any) -> None:
    ask = ["explain", FILE, "--rule", "snntorch", "--inputs", INPUTS]
    assert main([*ask, "--against", "norse"]) == 1
    lines = capsys.readouterr().out.splitlines()
    rows = lines[lines.index(next(n for n in lines if n.startswith("  tried"))) :]
    assert rows[0].split() == ["tried", "differs", "from", "step", "entries", "that", "differ"]
    edges = [rows[0].index("differs"), rows[0].index("entries")]
    cells = [
        (r[: edges[0]].strip(), r[edges[0] : edges[1]].strip(), r[edges[1] :]) for r in rows[1:]
    ]
    assert cells[0] == ("reset time + recurrent bias", "-", "none: equal")
    assert ("reset time", "1", "22") in cells and ("recurrent bias", "1", "287") in cells


def test_inputs_that_the_rules_arithmetic_cannot_hold(tmp_path: Path, capsys: Any) -> None:
    with np.load(INPUTS) as file:
        np.savez(tmp_path / "x.npz", input=file["input"].astype(np.float64) * 1e300)
    ask = ["nir", "run", FILE, "--inputs", str(tmp_path / "x.npz"), "--dt", "1e-4"]
    assert main([*ask, "--rule", "snntorch"]) == 2  # float32
    assert "input = '1e+300', allowed: numbers that float32 holds" in capsys.readouterr().err
