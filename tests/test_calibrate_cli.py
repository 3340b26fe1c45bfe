"""The options of scales, rounding and calibration on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.cli import main

DT = 1e-3


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A network file and calibration samples."""
    rng = np.random.default_rng(0)
    lif = nl.LIF(10e-3, v_threshold=1.0)
    net = nl.Network(
        [nl.Population("p", 6, lif)],
        [nl.Projection("w", "x", "p", rng.normal(0.3, 0.5, (6, 9)), nl.Exponential(2e-3))],
        [nl.SpikeInput("x", 9)],
    )
    nl.save_network(net, tmp_path / "net.toml")
    x = (rng.random((5, 30, 9)) < 0.3).astype(np.uint8)
    np.savez(tmp_path / "samples.npz", x=x)
    return tmp_path / "net.toml", tmp_path / "samples.npz"


def call(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(a) for a in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_options_are_those_of_quantize(
    capsys: pytest.CaptureFixture[str], files: tuple[Path, Path], tmp_path: Path
) -> None:
    net, samples = files
    stepped = nl.discretize(nl.load_network(net), DT)
    cases: list[tuple[list[Any], dict[str, Any]]] = [
        (["--granularity", "sign", "--rounding", "floor"],
         {"granularity": "sign", "rounding": "floor"}),
        (["--scaling", "max_abs", "--rounding", "stochastic", "--rounding-seed", 7],
         {"scaling": "max_abs", "rounding": "stochastic", "rounding_seed": 7}),
        (["--calibrate", samples, "--bias-correction"],
         {"calibrate": dict(np.load(samples)), "bias_correction": True}),
        (["--calibrate", samples, "--no-bias-correction", "--granularity", "neuron"],
         {"calibrate": dict(np.load(samples)), "bias_correction": False,
          "granularity": "neuron"}),
    ]  # fmt: skip
    for argv, options in cases:
        out = tmp_path / "fixed.npz"
        code, text, _ = call(capsys, "quantize", net, "--profile", "loihi2", "--weight-bits", 3,
                             *argv, "--out", out)  # fmt: skip
        assert code == 0
        expected = nl.quantize(stepped, "loihi2", weight_bits=3, **options)
        assert text.startswith(str(expected.ledger))
        assert ("calibrated on 5 sample(s) of 30 steps" in text) == ("calibrate" in options)
        got = nl.load_fixed(out)
        for a, b in zip(got.projections, expected.projections, strict=True):
            assert a.name == b.name and a.exponent == b.exponent
            np.testing.assert_array_equal(a.weights, b.weights)


def test_other_commands_take_them_too(
    capsys: pytest.CaptureFixture[str], files: tuple[Path, Path]
) -> None:
    net, samples = files
    code, text, _ = call(capsys, "predict", net, "--profile", "loihi2", "--no-run",
                         "--granularity", "sign", "--weight-bits", 4)  # fmt: skip
    assert code == 0 and "w__exc" in text and "w__inh" in text
    code, text, _ = call(capsys, "run", net, "--profile", "loihi2", "--calibrate", samples,
                         "--inputs", samples, "--rounding", "toward_zero")  # fmt: skip
    assert code == 0 and "30 steps" in text


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--calibrate", "none.npz"], ["none.npz", "no such file"]),
        (["--calibrate", "other.npz"], ["'y' is unknown", "allowed: x"]),
        (["--bias-correction"], ["bias_correction = True without calibrate"]),
        (["--scaling", "max_abs", "--calibrate", "samples.npz"], ["scaling = 'max_abs'"]),
        (["--rounding", "stochastic", "--rounding-seed", "-1"], ["rounding_seed = -1"]),
        (["--granularity", "sign", "--coding", "lava"], ["granularity = 'sign'", "'own' only"]),
    ],
)
def test_wrong_use_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    files: tuple[Path, Path], argv: list[str], says: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(files[0].parent)
    np.savez("other.npz", y=np.zeros((3, 9)))
    code, _, err = call(capsys, "quantize", "net.toml", "--profile", "lava-0.10", *argv)
    assert code == 2 and "Traceback" not in err
    for part in says:
        assert part in err, err


def test_a_fixed_network_has_its_scales(
    capsys: pytest.CaptureFixture[str], files: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "fixed.npz"
    call(capsys, "quantize", files[0], "--profile", "loihi2", "--out", out)
    code, _, err = call(capsys, "run", out, "--inputs", files[1], "--rounding", "floor",
                        "--no-bias-correction")  # fmt: skip
    assert code == 2 and "--rounding, --bias-correction with fixed.npz" in err
