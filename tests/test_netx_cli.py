"""``neuro-lif netx``, as a user types it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuro_lif.cli import main

pytest.importorskip("h5py")
FILES = Path(__file__).parent / "data" / "netx"


def test_show_prints_every_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["netx", "show", str(FILES / "conv.net")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["0", "conv"], ["1", "pool"], ["2", "flatten"], ["3", "dense"]]  # fmt: skip
    assert "stride 2x1, padding 1x0, dilation 1x2, groups 2" in lines[1]
    assert "nothing to mend" in lines[-1]
    assert main(["netx", "show", str(FILES / "conv_bias.net")]) == 0
    out = capsys.readouterr().out
    assert "assumption: layer 3: neuron" in out and "bias -3..9" in out


def test_run_and_convert_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(FILES / "recurrent.netx.npz") as file:
        x, spikes, v = file["reset/input"], file["reset/s/0"], file["reset/v/1"]
    np.savez(tmp_path / "in.npz", input=x)
    net, reset = str(FILES / "recurrent.net"), ["--reset-interval", "13"]
    assert main(["netx", "run", net, "--inputs", str(tmp_path / "in.npz"), *reset,
                 "--out", str(tmp_path / "out.npz"), "--profile", "lava-0.10"]) == 0  # fmt: skip
    with np.load(tmp_path / "out.npz") as file:
        assert np.array_equal(file["spikes/0-dense"], spikes)
        assert np.array_equal(file["v/1-dense"], v)
        assert np.array_equal(file["outputs"], file["spikes/1-dense"])
    fixed = str(tmp_path / "fixed.npz")
    assert main(["netx", "convert", net, fixed, *reset]) == 0
    assert main(["run", fixed, "--inputs", str(tmp_path / "in.npz"), "--record", "all",
                 "--out", str(tmp_path / "rec.npz")]) == 0  # fmt: skip
    assert f"{int(spikes.sum())} spikes" in capsys.readouterr().out
    assert main(["netx", "convert", net, fixed]) == 0
    assert main(["netx", "convert", fixed, str(tmp_path / "back.net")]) == 0
    options = ["--set", "shown_at_spike=128", "--out", str(tmp_path / "out.npz")]
    inputs = ["--inputs", str(tmp_path / "in.npz")]
    assert main(["netx", "run", str(tmp_path / "back.net"), *inputs, *options]) == 0
    with np.load(tmp_path / "out.npz") as file:
        assert (file["v/2-dense"][file["spikes/2-dense"] > 0] == 128).all()
    assert main(["netx", "convert", net, str(tmp_path / "a.nir")]) == 0
    assert main(["nir", "show", str(tmp_path / "a.nir")]) == 0
    assert "0-dense.recurrent" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["show", "none.net"], "no such file"),
        (["run", "{conv}", "--inputs", "{in}", "--input-shape", "2,7,6"], "84 values"),
        (["run", "{dense}", "--inputs", "{in}", "--set", "delay=none"], "NetxRule: delay"),
        (["run", "{dense}", "--inputs", "{in}", "--set", "what=1"], "allowed: FIELD=VALUE"),
        (["run", "{dense}", "--inputs", "{other}"], "array 'input' is missing"),
        (["run", "{dense}", "--inputs", "{in}", "--profile", "odin"], "model lif and du"),
        (["run", "{dense}", "--inputs", "{in}", "--out", "a.txt"], "a name that ends in .npz"),
        (["convert", "{dense}", "a.txt"], "a name that ends in .npz, .nir, .net"),
        (["convert", "{conv}", "{tmp}/a.npz"], "--input-shape"),
        (["convert", "{conv}", "{tmp}/a.npz", "--input-shape", "2,x"], "such as 2,34,34"),
        (["convert", "{concat}", "{tmp}/a.nir"], "layer 2: field 'type'"),
        (["convert", "{in}", "{tmp}/a.net"], "allowed: format neuro-lif-fixed/1"),
        (["convert", "{in}", "{tmp}/a.nir"], "allowed from a fixed network"),
    ],
)
def test_wrong_use_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], text: str
) -> None:
    np.savez(tmp_path / "in.npz", input=np.zeros((4, 6), np.int64))
    np.savez(tmp_path / "other.npz", x=np.zeros((4, 6), np.int64))
    names = {n: str(FILES / f"{n}.net") for n in ("dense", "conv", "concat")}
    names |= {"in": str(tmp_path / "in.npz"), "other": str(tmp_path / "other.npz")}
    assert main(["netx", *(a.format(tmp=tmp_path, **names) for a in argv)]) == 2
    said = capsys.readouterr().err
    assert text in said and "Traceback" not in said
