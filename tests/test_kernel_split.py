"""One sample stepped by several threads: the same numbers, whoever does them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_kernel import SETS, same
from test_kernel_calm import calm_share, drive, random_lif

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.kernel import native

pytestmark = pytest.mark.skipif(not SETS, reason="the compiled kernel is not there")


@pytest.fixture(autouse=True)
def always() -> Iterator[None]:
    """Let threads share every step, even where it does not pay."""
    module: Any = native()
    before = module.share_steps_above(-1.0)
    yield
    module.share_steps_above(before)


def several(rng: np.random.Generator) -> nl.FixedNetwork:
    """Populations of several sizes, delays, dense and sparse rows, a Poisson drive."""
    chip = nl.load_profile("loihi2")
    sizes = [int(n) for n in rng.choice([1, 16, 255, 300, 700], 3)]
    populations = [
        nl.FixedPopulation(f"p{k}", n, str(rng.choice(["lif", "lif_refractory"])),
                           {"du": 900, "dv": 120, "vth": int(rng.integers(20, 400))})
        for k, n in enumerate(sizes)
    ]  # fmt: skip
    projections = []
    for k, n_post in enumerate(sizes):
        for j, n_pre in [(-1, 4), *enumerate(sizes)]:
            weights = rng.integers(-100, 128, (n_post, n_pre)) * 2
            given_weights: Any = weights
            delays: Any = int(rng.integers(0, 5))
            if rng.random() < 0.6:
                kept = sparse.csr_matrix(np.where(rng.random(weights.shape) < 0.1, weights, 0))
                if rng.random() < 0.3:
                    kept.data[:] = 14
                given_weights = kept
                delays = rng.integers(0, 60, kept.nnz) if rng.random() < 0.5 else delays
            name = "x" if j < 0 else f"p{j}"
            projections.append(nl.FixedProjection(f"{name}>p{k}", name, f"p{k}", given_weights,
                                                  sign_mode="mixed", delays=delays))  # fmt: skip
    poisson = nl.FixedPoisson("noise", "p0", 1.5, 30, seed=int(rng.integers(1000)))
    return nl.FixedNetwork(chip, tuple(populations), tuple(projections),
                           (nl.FixedSource("x", 4),), poissons=(poisson,))  # fmt: skip


def compared(fixed: nl.FixedNetwork, raster: Any) -> nl.Recording:
    n_steps = len(raster)
    wanted = nl.run_fixed(fixed, n_steps, {"x": raster}, engine="numpy")
    for threads in (1, 2, 3):
        got = nl.run_fixed(fixed, n_steps, {"x": raster}, engine="kernel", threads=threads)
        same(wanted, got, f"{threads} threads")
    return got


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_populations_and_delays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    compared(several(rng), (rng.random((80, 4)) < 0.3).astype(np.int64))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_in_and_out_of_calm(seed: int) -> None:
    """Steps in which a range may be left are made by one thread."""
    rng = np.random.default_rng(seed)
    compared(random_lif(rng, "loihi2", "lif_refractory"), drive(rng, 120)[0])


def test_steps_are_shared_and_others_are_not() -> None:
    """The two tests above see both kinds of step."""
    shares = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        got = compared(random_lif(rng, "loihi2", "lif_refractory"), drive(rng, 120)[0])
        shares.append(calm_share(got))
    assert any(0 < share < 1 for share in shares) and max(shares) > 0.9, shares


@pytest.mark.parametrize("kind", ["one weight", "by row", "each"])
def test_long_rows_are_parted_into_tiles(kind: str) -> None:
    """A population whose sums do not fit the nearest cache, with rows long enough for tiles."""
    rng = np.random.default_rng(3)
    n, fan_out = 9000, 220
    post = np.sort(rng.integers(0, n, (n, fan_out)), axis=1)
    weights = np.full((n, fan_out), 6)
    if kind == "by row":
        weights[n // 2 :] = -10
    if kind == "each":
        weights = 2 * rng.integers(-20, 20, (n, fan_out))
    rows = sparse.csr_matrix((weights.ravel(), post.ravel(), np.arange(n + 1) * fan_out), (n, n))
    params = {"du": 4095, "dv": 100, "vth": 40, "bias_mant": 160, "refract": 3}
    neurons = nl.FixedPopulation("n", n, "lif_refractory", params,
                                 {"v": rng.integers(0, 2500, n)})  # fmt: skip
    projection = nl.FixedProjection("r", "n", "n", rows.T.tocsr(), sign_mode="mixed", delays=2)
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (neurons,), (projection,))
    wanted = nl.run_fixed(fixed, 25, engine="numpy")
    assert wanted.spikes["n"].sum() > 1000
    for threads in (1, 2, 3):
        same(wanted, nl.run_fixed(fixed, 25, engine="kernel", threads=threads), threads)


def test_strict_and_progress_with_threads() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        fixed, raster = random_lif(rng, "loihi2", "lif"), drive(rng, 120)[0]
        messages = []
        for engine, threads in (("numpy", None), ("kernel", 2)):
            try:
                nl.run_fixed(fixed, 120, {"x": raster}, strict=True, engine=engine, threads=threads)
                messages.append("fine")
            except RangeError as error:
                messages.append(str(error))
        assert messages[0] == messages[1]
