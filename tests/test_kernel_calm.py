"""Calm blocks: the usual LIF neuron stepped in place, into it and out of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_kernel import SETS, same

import neuro_lif as nl
from neuro_lif.kernel import native

pytestmark = pytest.mark.skipif(not SETS, reason="the compiled kernel is not there")

MODELS = (("loihi2", "lif"), ("loihi2", "lif_refractory"), ("lava-0.10", "lif"),
          ("loihi1", "lif"))  # fmt: skip


def spread(rng: np.random.Generator, n: int, lo: int, hi: int) -> Any:
    """One number for all, or one for each."""
    return int(rng.integers(lo, hi + 1)) if rng.random() < 0.5 else rng.integers(lo, hi + 1, n)


def random_lif(rng: np.random.Generator, profile: str, model: str) -> nl.FixedNetwork:
    """A recurrent population whose input now and then takes it to the end of its ranges."""
    chip = nl.load_profile(profile)
    n = int(rng.integers(1, 800))
    params: dict[str, Any] = {}
    for name in chip.used_params(model):
        lo, hi = chip.params[name].span
        if name in ("du", "dv"):
            params[name] = spread(rng, n, lo, min(hi, 4095))
        elif name == "vth":
            params[name] = spread(rng, n, max(lo, 1), int(rng.choice([50, 3000, min(hi, 130000)])))
        elif name == "bias_mant":
            params[name] = spread(rng, n, max(lo, -500), min(hi, 500))
        elif name == "refract":
            params[name] = spread(rng, n, max(lo, 1), min(hi, 6))
    few = np.where(rng.random((n, n)) < 6 / n, rng.integers(-120, 121, (n, n)) * 2, 0)
    strong = np.where(rng.random((n, 3)) < 0.5, rng.integers(-127, 128, (n, 3)) * 2, 0)
    exponent = chip.weights.exponent_hi if rng.random() < 0.5 else 0
    projections = (
        nl.FixedProjection("r", "n", "n", sparse.csr_matrix(few), sign_mode="mixed"),
        nl.FixedProjection("i", "x", "n", sparse.csr_matrix(strong), exponent, sign_mode="mixed"),
    )
    population = nl.FixedPopulation("n", n, model, params)
    return nl.FixedNetwork(chip, (population,), projections, (nl.FixedSource("x", 3),))


def drive(rng: np.random.Generator, n_steps: int) -> Any:
    """Silence, single spikes and storms."""
    rate = np.repeat(rng.choice([0.0, 0.05, 1.0], n_steps // 10), 10)
    return (rng.random((2, n_steps, 3)) < rate[:, None]).astype(np.int64)


def calm_share(recording: nl.Recording) -> float:
    calm, _, blocks = recording.provenance["steps of calm blocks"].split()
    return int(calm) / int(blocks)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("profile, model", MODELS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_calm_or_not_is_the_same(name: str, profile: str, model: str, seed: int) -> None:
    """u, v, spikes and overflow events; the refractory counter by what it does."""
    module: Any = native()
    before = module.used_set()
    module.choose_set(name)
    try:
        rng = np.random.default_rng(seed)
        fixed, raster = random_lif(rng, profile, model), drive(rng, 120)
        for record in ("all", "registers"):
            wanted = nl.run_fixed(fixed, 120, {"x": raster}, record=record, engine="numpy")
            got = nl.run_fixed(fixed, 120, {"x": raster}, record=record, engine="kernel")
            same(wanted, got, (seed, record))
    finally:
        module.choose_set(before)


@pytest.mark.parametrize("profile, model", MODELS)
def test_both_ways_are_taken(profile: str, model: str) -> None:
    """The test above is about nothing if no block is ever calm, or if all of them always are."""
    shares = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        fixed = random_lif(rng, profile, model)
        shares.append(calm_share(nl.run_fixed(fixed, 120, {"x": drive(rng, 120)}, engine="kernel")))
    assert any(0 < share < 1 for share in shares), shares
    assert np.mean(shares) > 0.2, shares


def test_the_counter_is_there_when_it_is_asked_for() -> None:
    """A run in two parts, the counter recorded in the second only, is a run in one."""
    rng = np.random.default_rng(5)
    fixed = random_lif(rng, "loihi2", "lif_refractory")
    raster = drive(rng, 100)
    whole = nl.run_fixed(fixed, 100, {"x": raster}, record="registers", engine="kernel")
    assert calm_share(whole) == 0.0  # a recorded counter is kept as a counter
    again = nl.run_fixed(fixed, 100, {"x": raster}, engine="kernel")
    np.testing.assert_array_equal(whole.spikes["n"], again.spikes["n"])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("reset", [8_300_000, -8_300_000, 2**21, -(2**22)])
def test_a_reset_far_out_is_not_calm(name: str, reset: int, tmp_path: Path) -> None:
    """A spike may leave the safe range by its reset: the next step must see that."""
    text = nl.available_profiles()["loihi2"].read_text("utf-8")
    given = text.replace('reset = "value", value = 0', f'reset = "value", value = {reset}')
    assert given != text
    path = tmp_path / "far.toml"
    path.write_text(given, "utf-8")
    params = {"du": 300, "dv": 0, "vth": 50, "bias_mant": 3000, "bias_exp": 5}
    fixed = nl.FixedNetwork(nl.load_profile(path), (nl.FixedPopulation("n", 40, "lif", params),))
    module: Any = native()
    before = module.used_set()
    module.choose_set(name)
    try:
        wanted = nl.run_fixed(fixed, 60, record="all", engine="numpy")
        same(wanted, nl.run_fixed(fixed, 60, record="all", engine="kernel"), reset)
    finally:
        module.choose_set(before)
    assert wanted.spikes["n"].any()
