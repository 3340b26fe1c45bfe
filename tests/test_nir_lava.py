"""NIR files in real Lava: the emulator's integers at every step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lava_runs import LAVA_TESTS, same
from test_lava_bundle import alone
from test_nir_lower import CHIPS, chip_of
from test_nir_rules import braille

from neuro_lif import nir, quantize, run_fixed
from neuro_lif.targets.lava import export_lava

pytestmark = LAVA_TESTS


@pytest.mark.parametrize("profile", CHIPS)
@pytest.mark.parametrize("name", ["snntorch/cubalif_rec_zero", "norse/conv_if"])
def test_real_files_in_lava(name: str, profile: str) -> None:
    _, fixed, inputs, _ = chip_of(name, profile, 12)
    recording = same(fixed, None, inputs)
    assert sum(int(np.sum(s)) for s in recording.spikes.values()) > 20


@pytest.mark.parametrize("profile", ["lava-0.10", "loihi2"])
def test_an_exported_folder_begins_with_the_first_u(profile: str, tmp_path: Path) -> None:
    """Biases through a synapse come with a first u and v: the folder, alone, gives the same."""
    rng = np.random.default_rng(4)
    values = {"tau_syn": 4.0, "tau_mem": 8.0, "r": 2.0, "v_leak": 0.1, "v_threshold": 1.0,
              "v_reset": 0.0, "w_in": 1.0}  # fmt: skip
    cuba = nir.CubaLIF(**{k: np.full(4, v) for k, v in values.items()})
    affine = nir.Affine(rng.uniform(0.5, 2, (4, 3)), np.array([0.2, -0.3, 0.4, 0.1]))
    nodes = {"i": nir.Input((3,)), "x": affine, "c": cuba, "o": nir.Output((4,))}
    graph = nir.NIRGraph(nodes, (("i", "x"), ("x", "c"), ("c", "o")))
    low = nir.to_stepped(graph, "nir-euler", dt=1.0)
    fixed = quantize(low.stepped, profile)
    assert np.count_nonzero(fixed.population("c").init["u"]) == 4
    inputs = low.inputs((rng.random((30, 3)) < 0.4).astype(float), fixed)
    folder = export_lava(fixed, tmp_path / "net", inputs=inputs, record="all")
    done = alone(folder, "--out", str(tmp_path / "o.npz"), blocked=tmp_path)
    assert done.returncode == 0, done.stderr
    meant = run_fixed(fixed, inputs=inputs, record="all")
    assert meant.spikes["c"].sum() > 10
    with np.load(tmp_path / "o.npz", allow_pickle=False) as found:
        for (population, variable), rows in meant.traces.items():
            assert np.array_equal(found[f"{variable}/{population}"], rows), (population, variable)
        for population, sent in meant.spikes.items():
            assert np.array_equal(found[f"spikes/{population}"], sent)


@pytest.mark.verify
@pytest.mark.parametrize("profile", CHIPS)
def test_the_papers_braille_graph_in_lava_at_every_step(profile: str) -> None:
    graph, x, _ = braille("snntorch")
    low = nir.to_stepped(graph, "snntorch-2023", dt=1e-4)
    fixed = quantize(low.stepped, profile)
    recording = same(fixed, None, low.inputs(x, fixed))
    assert sum(int(np.sum(s)) for s in recording.spikes.values()) > 100
