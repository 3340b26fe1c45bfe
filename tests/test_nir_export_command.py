"""``neuro-lif export --to nir``: what a user gets, with right and with wrong input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuro_lif import nir
from neuro_lif.cli import main
from neuro_lif.files.toml import save_network
from neuro_lif.network import LIF, Delta, Exponential, Network, Population, Projection, SpikeInput


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    net = Network(
        [Population("a", 4, LIF(0.02)), Population("b", 3, LIF(0.02, i_bias=0.2))],
        [Projection("w", "x", "a", rng.uniform(0, 0.8, (4, 5)), Delta()),
         Projection("v", "a", "b", rng.uniform(0, 8, (3, 4)), Exponential(5e-3), 2e-3),
         Projection("u", "b", "a", rng.uniform(-1, 0, (4, 3)), Delta(), 1e-3)],
        [SpikeInput("x", 5, np.arange(200) % 5, np.sort(rng.uniform(0, 0.2, 200)))],
    )  # fmt: skip
    save_network(net, tmp_path / "net.toml")
    return tmp_path / "net.toml"


@pytest.mark.parametrize("chip", [[], ["--profile", "loihi2"]])
def test_export(file: Path, chip: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out, golden = file.with_name("n.nir"), file.with_name("g.nir")
    ask = ["export", str(file), str(out), "--to", "nir", *chip, "--steps", "200"]
    assert main([*ask, "--golden", str(golden)]) == 0
    shown = capsys.readouterr().out
    assert shown.count(" 0 of ") == 2 and "entries differ from our own run" in shown
    found, data = nir.read(out), nir.read_data(golden)
    given = {"x": data.recorded(("output",))["x"]}
    assert given["x"].sum() == 200
    ran = nir.run(found.graph, given)
    assert sum(s.sum() for s in ran.spikes.values()) > 50
    for node, spikes in data.recorded().items():
        assert np.array_equal(ran.spikes[node], spikes)
    same = ["explain", str(out), "--inputs", str(golden), "--recording", str(golden)]
    assert main(same) == 0
    assert "all spikes are equal" in capsys.readouterr().out


def test_a_fixed_network(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed, out = file.with_name("f.npz"), file.with_name("n.nir")
    assert main(["quantize", str(file), "--profile", "loihi2", "--out", str(fixed)]) == 0
    assert main(["export", str(fixed), str(out), "--to", "nir"]) == 0
    assert "integers of loihi2" in capsys.readouterr().out
    assert nir.fixed_of(nir.read(out).graph).profile.name == "loihi2"


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--to", "nir", "--overwrite"], "--overwrite with --to nir"),
        (["--to", "lava", "--allow", "inputs"], "--allow with --to lava"),
        (["--to", "nir", "--allow", "all"], "allow = 'all', allowed: refractory"),
        (["--to", "nir", "--golden", "g.nir"], "n_steps"),
        (["--to", "nir", "--rule", "euler", "--dt", "1s"], "longer than the time constant"),
    ],
)
def test_wrong_use(
    file: Path, extra: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(file), str(file.with_name("n.nir")), *extra]) == 2
    assert text in capsys.readouterr().err


def test_a_wrong_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(file), str(file.with_name("n.txt")), "--to", "nir"]) == 2
    assert "allowed: a name that ends in .nir" in capsys.readouterr().err
