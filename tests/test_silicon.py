"""The loihi2 profile against the published trace of the chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neuro_lif as nl

TRACES = Path(__file__).parent / "data" / "nir_lif_loihi2.npz"
PROBE_IN_A_SPIKE_STEP = 128
"""What the chip's voltage probe reads in the step of a spike, where v is reset."""


@pytest.mark.parametrize(("key", "reads"), [("lava_cpu", 0), ("silicon", PROBE_IN_A_SPIKE_STEP)])
@pytest.mark.parametrize("run", [nl.run_fixed, nl.run_semantics])
def test_every_step_of_the_published_trace(key: str, reads: int, run: object) -> None:
    with np.load(TRACES) as data:
        spikes_in, voltage, spikes = data[key].T
    fixed = nl.FixedNetwork(
        nl.load_profile("loihi2"),
        [nl.FixedPopulation("n", 1, params={"du": 4095, "dv": 163, "vth": 25})],
        [nl.FixedProjection("w", "x", "n", np.array([[10]]))],
        [nl.FixedSource("x", 1)],
    )
    recording = run(fixed, 1000, {"x": spikes_in[:, None]}, record="all")  # type: ignore[operator]
    ours, ours_spikes = recording.trace("n", "v")[:, 0], recording.spikes["n"][:, 0]
    assert np.array_equal(ours_spikes, spikes) and spikes.sum() == 4
    assert np.array_equal(np.where(ours_spikes > 0, reads, ours), voltage)
