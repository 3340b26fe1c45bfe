"""The neuro-lif program, called as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuro_lif.cli import main
from neuro_lif.recording import Recording

ROOT = Path(__file__).resolve().parent.parent
NETWORK = str(ROOT / "examples" / "network_file" / "balanced.toml")


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_quantize_prints_the_ledger_and_writes_a_network_that_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "net.npz"
    code, text, _ = call(capsys, "quantize", NETWORK, "--profile", "loihi2", "--out", str(out))
    assert code == 0
    assert "Ledger for profile loihi2" in text and "tau_syn" in text and "head-room" in text
    code, text, _ = call(capsys, "run", str(out), "--steps", "20", "--engine", "semantics")
    assert code == 0 and "20 steps" in text


def test_engines_agree_and_compare_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = []
    for engine in ("emulator", "semantics"):
        files.append(str(tmp_path / f"{engine}.npz"))
        code, text, _ = call(
            capsys, "run", NETWORK, "--profile", "loihi2", "--engine", engine,
            "--steps", "60", "--record", "all", "--out", files[-1],
        )  # fmt: skip
        assert code == 0 and "no overflow" in text
    code, text, _ = call(capsys, "compare", *files)
    assert code == 0 and "first divergence: none" in text


def test_compare_exits_1_and_names_the_first_difference(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = []
    for k, value in enumerate((0, 1)):
        spikes = np.zeros((10, 3), np.int16)
        spikes[6, 2] = value
        files.append(str(tmp_path / f"{k}.npz"))
        Recording(1e-3, 10, {"a": spikes}).save(files[-1])
    code, text, _ = call(capsys, "compare", *files)
    assert code == 1
    assert "a.spikes: step 7, neuron 2: 0 against 1" in text


def test_float_engine(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys, "run", NETWORK, "--engine", "float", "--steps", "50")
    assert code == 0 and "clocked float64 reference" in text


def test_profiles_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys, "profiles", "list")
    assert code == 0 and all(name in text for name in ("loihi1", "loihi2", "generic"))
    code, text, _ = call(capsys, "profiles", "show", "loihi1")
    assert code == 0 and "synaptic_operation" in text and "second hand" in text
    code, text, _ = call(capsys, "profiles", "schema")
    assert code == 0 and '"hw-profile/1"' in text


def test_doctor_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = call(capsys, "doctor")
    for word in ("profiles", "emulator", "nengo", "lava", "numpy"):
        assert word in text


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["run", "missing.toml", "--profile", "loihi2", "--steps", "5"], ["missing.toml"]),
        (["run", "net.txt", "--profile", "loihi2", "--steps", "5"], ["net.txt", ".toml"]),
        (["run", "missing.npz", "--steps", "5"], ["missing.npz", "no such file"]),
        (["run", NETWORK, "--steps", "5"], ["--profile"]),
        (["run", NETWORK, "--profile", "loihi3", "--steps", "5"], ["loihi3", "loihi1"]),
        (["run", NETWORK, "--profile", "loihi2"], ["n_steps"]),
        (["run", NETWORK, "--profile", "loihi2", "--steps", "0"], ["n_steps = 0", ">= 1"]),
        (["run", NETWORK, "--profile", "loihi2", "--steps", "5", "--dt", "0"], ["dt = 0", "> 0"]),
        (["run", NETWORK, "--profile", "loihi2", "--steps", "5", "--inputs", "no.npz"], ["no.npz"]),
        (
            ["quantize", NETWORK, "--profile", "lava-0.10"],
            ["t_refractory", "lava-0.10", "refractory"],
        ),
        (["quantize", NETWORK, "--profile", "loihi2", "--weight-bits", "99"], ["99", "1..8"]),
        (["quantize", NETWORK, "--profile", "loihi2", "--approximate", "all"], ["'all'", "delay"]),
        (["quantize", NETWORK, "--profile", "generic", "--set", "weight_bits=0"], ["weight_bits"]),
        (["quantize", NETWORK, "--profile", "generic", "--set", "weight_bits"], ["NAME=VALUE"]),
        (["quantize", NETWORK, "--profile", "generic", "--set", "bits=3"], ["bits", "unknown"]),
        (["quantize", NETWORK, "--profile", "loihi2", "--out", "/no/such/dir/x.npz"], ["/no/such"]),
        (["compare", "a.npz", "b.npz"], ["a.npz", "no such file"]),
        (["profiles", "check", "nothing.toml"], ["nothing.toml", "no such file"]),
        (["export", NETWORK, "out", "--to", "lava"], ["--profile"]),
    ],
)
def test_wrong_use_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    argv: list[str], says: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, *argv)
    assert code == 2
    assert "Traceback" not in err
    for part in says:
        assert part in err, err


@pytest.mark.parametrize("argv", [["run", NETWORK, "--dt", "5 fortnights"], ["nonsense"]])
def test_wrong_words_are_refused_by_the_parser(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys)
    assert code == 2 and "quantize" in text
    code, text, _ = call(capsys, "--version")
    assert code == 0 and text.strip()[0].isdigit()


def test_a_reader_that_goes_away_is_not_an_error() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} -m neuro_lif.cli profiles show loihi1 | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True,
        env=environment, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "loihi1" in done.stdout
