"""The neuro-lif program, called as a user calls it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.cli import build_parser, main
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


def test_exact_engine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "exact.npz"
    code, text, _ = call(capsys, "run", NETWORK, "--engine", "exact", "--steps", "50", "--record",
                         "all", "--out", str(out))  # fmt: skip
    assert code == 0 and "event-exact" in text
    written = nl.Recording.load(out)
    exact = nl.run_exact(nl.load_network(NETWORK), 50e-3)
    assert written.spikes["exc"].sum() == len(exact.spike_times("exc")[1]) > 0
    assert written.traces["exc", "v"].shape == (50, 80)
    code, _, text = call(
        capsys, "run", NETWORK, "--engine", "exact", "--steps", "5", "--inputs", str(out)
    )
    assert code == 2 and "with --engine exact, allowed: inputs that the network" in text
    code, _, text = call(capsys, "run", NETWORK, "--engine", "exact", "--steps", "5", "--record",
                         "registers")  # fmt: skip
    assert code == 2 and 'record = \'registers\', allowed: "probes", "all"' in text


def test_float_engine(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys, "run", NETWORK, "--engine", "float", "--steps", "50")
    assert code == 0 and "clocked float64 reference" in text


def test_threads(capsys: pytest.CaptureFixture[str]) -> None:
    for engine in ("float", "emulator"):
        command = ("run", NETWORK, "--engine", engine, "--steps", "20", "--profile", "loihi2")
        assert call(capsys, *command, "--threads", "2")[0] == 0
        code, _, text = call(capsys, *command, "--threads", "0")
        assert code == 2 and "threads = 0, allowed: a whole number >= 1" in text
    code, _, text = call(capsys, "run", NETWORK, "--engine", "semantics", "--threads", "2")
    assert code == 2 and "--threads = 2 with --engine semantics, allowed: with emulator" in text


def test_profiles_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys, "profiles", "list")
    assert code == 0 and all(name in text for name in ("loihi1", "loihi2", "generic"))
    code, text, _ = call(capsys, "profiles", "show", "loihi1")
    assert code == 0 and "synaptic_operation" in text and "second hand" in text
    code, text, _ = call(capsys, "profiles", "schema")
    assert code == 0 and '"hw-profile/1"' in text


def test_doctor_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = call(capsys, "doctor")
    for word in ("profiles", "emulator", "nengo", "lava", "numpy", "kernel"):
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


@pytest.mark.parametrize("engine", ["emulator", "semantics", "lava", "nengo-fixed", "export"])
def test_a_fixed_network_refuses_the_options_of_lowering(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str
) -> None:
    net = str(tmp_path / "net.npz")
    call(capsys, "quantize", NETWORK, "--profile", "loihi2", "--out", net)
    command = ("export", net, str(tmp_path / "out"), "--to", "lava")
    if engine != "export":
        command = ("run", net, "--engine", engine)  # type: ignore[assignment]
    for options in (
        ["--profile", "loihi2"], ["--dt", "1ms"], ["--rule", "exact"], ["--weight-bits", "4"],
        ["--set", "a=1"], ["--approximate", "delay"], ["--proved"],
    ):  # fmt: skip
        code, _, err = call(capsys, *command, "--steps", "5", *options)
        assert code == 2 and f"{options[0]} with net.npz, allowed: with a .toml" in err, err
    code, _, err = call(capsys, *command, "--dt", "1ms", "--profile", "x")
    assert code == 2 and "--profile, --dt with net.npz" in err


def test_the_step_is_1_ms_and_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for options, says in (([], "of 0.001 s"), (["--dt", "0.5ms"], "of 0.0005 s")):
        for engine in ("float", "emulator"):
            code, text, _ = call(
                capsys, "run", NETWORK, "--profile", "loihi2", "--engine", engine, "--steps", "4",
                *options,
            )  # fmt: skip
            assert code == 0 and says in text


@pytest.mark.parametrize("folder", ["file/x", "file/x/y", "file", "/proc/no_such_folder"])
def test_an_export_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    code, _, err = call(
        capsys, "export", NETWORK, folder, "--to", "lava", "--profile", "loihi2", "--steps", "5"
    )
    assert code == 2 and f"folder {folder!r}" in err and "Traceback" not in err
    assert Path("file").read_text() == "mine"


def test_an_export_into_a_folder_with_other_things(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # a damaged network.npz is no earlier export either
    (tmp_path / "network.npz").write_bytes(b"PK\x03\x04 cut off")
    command = ("export", NETWORK, str(tmp_path), "--to", "lava", "--profile", "loihi2")
    code, _, err = call(capsys, *command, "--steps", "5")
    assert code == 2 and "overwrite=True" in err and "--overwrite" in err
    code, text, _ = call(capsys, *command, "--steps", "5", "--overwrite")
    assert code == 0 and "run.py" in text
    readme = " ".join((tmp_path / "README.md").read_text().split())
    assert "`lava-nc==0.10.0`" in readme and "itself brings the numpy and scipy" in readme


@pytest.mark.parametrize("content", ["cut", "text", "pickle", "npy"])
def test_damaged_inputs(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    path = tmp_path / "in.npz"
    np.savez(path, pixels=np.zeros((9, 9)))
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif content == "text":
        path.write_text("hello")
    elif content == "pickle":
        np.savez(path, pixels=np.array({"a": 1}, object))
    else:
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
    code, _, err = call(
        capsys, "run", NETWORK, "--profile", "loihi2", "--steps", "5", "--inputs", str(path)
    )
    assert code == 2 and "inputs" in err and "in.npz" in err and "allowed: an .npz" in err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "more memory is needed than there is; take fewer steps"),
        (MemoryError("Unable to allocate 9 TiB"), "(Unable to allocate 9 TiB); take fewer"),
        (OSError(28, "No space left on device", "x.npz"), "No space left on device: 'x.npz'"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fails(args: object) -> None:
        raise error

    monkeypatch.setattr("neuro_lif.commands.quantize.lower", lambda *_: fails(None))
    code, _, err = call(capsys, "quantize", NETWORK, "--profile", "loihi2")
    assert code == 2 and says in err and err.count("\n") == 1
    with pytest.raises(type(error)):
        main(["--debug", "quantize", NETWORK, "--profile", "loihi2"])


@pytest.mark.parametrize("value", ["--5", "\u00b2", "9" * 5000])
def test_values_that_only_look_like_numbers(capsys: pytest.CaptureFixture[str], value: str) -> None:
    code, _, err = call(
        capsys, "quantize", NETWORK, "--profile", "generic", f"--set=weight_bits={value}"
    )
    assert code == 2 and "config.weight_bits" in err


def test_a_negative_number_of_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    code, _, err = call(capsys, "demo", "--lava-images", "-1", "--out", str(out))
    assert code == 2 and "--lava-images" in err and "= -1, allowed: a whole number >= 0" in err
    assert not out.exists()


def test_more_images_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images stand for all of them; the ladder says how many were run."""
    from types import SimpleNamespace

    from neuro_lif import demo

    example, predict = demo.load_digits_example()
    few = SimpleNamespace(
        network=example.network, dt=example.dt, rasters=example.rasters[:2],
        labels=example.labels[:2], images=example.images[:2],
    )  # fmt: skip
    asked: list[int] = []

    def against(fixed: object, rasters: np.ndarray, *_: object) -> tuple[object, str]:
        asked.append(len(rasters))
        return object(), f"{len(rasters)} images"

    monkeypatch.setattr(demo, "load_digits_example", lambda: (few, predict))
    monkeypatch.setattr(demo, "_against_lava", against)
    assert demo.run_ladder(lava_images=99).lava_text == (
        "2 images (99 were asked for; there are 2)"
    )
    assert demo.run_ladder(lava_images=1).lava_text == "1 images"
    assert asked == [2, 1]


def test_python_m_neuro_lif() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "neuro_lif", "--version"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip()[0].isdigit() and not done.stderr


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = call(capsys)
    assert code == 2 and "quantize" in text
    code, text, _ = call(capsys, "--version")
    assert code == 0 and text.strip()[0].isdigit()


def every_command(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Any:
    yield path
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from every_command(below, (*path, name))


def test_every_command_says_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    commands = list(every_command(build_parser()))
    assert ("nir", "quantize") in commands and ("export",) in commands
    for path in commands:
        with pytest.raises(SystemExit) as ended:
            main([*path, "--help"])
        assert ended.value.code == 0
        assert " ".join(("usage: neuro-lif", *path)) in capsys.readouterr().out


def test_a_reader_that_goes_away_is_not_an_error() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} -m neuro_lif.cli profiles show loihi1 | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True,
        env=environment, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "loihi1" in done.stdout
