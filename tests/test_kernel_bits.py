"""Sparse rows that the kernel keeps as bits: counted in planes, or with a weight for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_kernel import SETS, same

import neuro_lif as nl
from neuro_lif.emulator.synapses import BITS_FROM, BITS_POSTS, BITS_WEIGHTS, bits_of, rows_of
from neuro_lif.kernel import native

pytestmark = pytest.mark.skipif(not SETS, reason="the compiled kernel is not there")


@pytest.fixture
def every_step_is_shared() -> Iterator[None]:
    """Let threads share every step, even where it does not pay."""
    module: Any = native()
    before = module.share_steps_above(-1.0)
    yield
    module.share_steps_above(before)


def connections(rng: np.random.Generator, n_post: int, n_pre: int, kind: str) -> Any:
    """Return CSR weights that are kept as bits; ``kind``: of weights."""
    density = float(rng.choice([0.06, 0.1, 0.3, 0.8]))
    there = rng.random((n_post, n_pre)) < density
    if kind == "one":
        weights = np.full((n_post, n_pre), int(rng.choice([-254, -2, 6, 64, 254])))
    elif kind == "by row":
        several = rng.choice(np.arange(-127, 128) * 2, int(rng.integers(1, BITS_WEIGHTS + 1)))
        weights = np.broadcast_to(rng.choice(several, n_pre), (n_post, n_pre))
    else:
        most = int(rng.choice([3, 40, 127]))
        weights = rng.integers(-most, most + 1, (n_post, n_pre)) * 2
    return sparse.csr_matrix(np.where(there, weights, 0))


def network(rng: np.random.Generator, kind: str) -> nl.FixedNetwork:
    """One population that rows of bits reach from a source and from itself."""
    n = int(rng.choice([512, 513, 527, 640, 1000, 1025, 17000]))
    n_in = 40 if n > 2000 else int(rng.choice([1, 5, 60, 600]))
    vth = int(rng.integers(100, 900))
    pop = nl.FixedPopulation("p", n, "lif_refractory", {"du": 1000, "dv": 200, "vth": vth})
    delays = [int(d) for d in rng.integers(0, 4, 2)]
    projections = [nl.FixedProjection("in", "x", "p", connections(rng, n, n_in, kind),
                                      sign_mode="mixed", delays=delays[0])]  # fmt: skip
    if n <= 2000:
        projections.append(nl.FixedProjection("own", "p", "p", connections(rng, n, n, kind),
                                              sign_mode="mixed", delays=delays[1]))  # fmt: skip
    return nl.FixedNetwork(nl.load_profile("loihi2"), (pop,), tuple(projections),
                           (nl.FixedSource("x", n_in),))  # fmt: skip


def as_bits(fixed: nl.FixedNetwork) -> bool:
    module: Any = native()
    return all(bits_of(rows_of(p.weights, p.delays), module.can_expand())
               for p in fixed.projections)  # fmt: skip


@pytest.mark.usefixtures("every_step_is_shared")
@pytest.mark.parametrize("kind", ["one", "by row", "each"])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rows_of_bits(kind: str, seed: int) -> None:
    """Few active rows and many, whatever the length, the sets and the threads."""
    rng = np.random.default_rng(seed)
    fixed = network(rng, kind)
    module: Any = native()
    # most of such rows are dense enough to be kept whole
    usual = all(p.weights.nnz < 0.25 * np.prod(p.weights.shape) for p in fixed.projections)
    assert as_bits(fixed) or not usual or not module.can_expand()
    n_steps, n_in = 12, fixed.sources[0].size
    share = rng.choice([0.02, 0.3, 1.0], (n_steps, 1))
    x = {"x": (rng.random((n_steps, n_in)) < share).astype(np.int64)}
    wanted = nl.run_fixed(fixed, n_steps, x, "registers", engine="numpy")
    before = module.used_set()
    try:
        for name in reversed(SETS):  # built for the best, run by all
            module.choose_set(name)
            got = nl.run_fixed(fixed, n_steps, x, "registers", engine="kernel", threads=1)
            same(wanted, got, f"{kind} {name}")
            for threads in (2, 3):
                got = nl.run_fixed(fixed, n_steps, x, engine="kernel", threads=threads)
                same(nl.run_fixed(fixed, n_steps, x, engine="numpy"), got, f"{kind} {name} split")
    finally:
        module.choose_set(before)


@pytest.mark.parametrize("n_active", [1, 3, 4, 8, 9, 247, 248, 249, 252, 253, 700])
@pytest.mark.parametrize("kind", ["one", "each"])
def test_every_number_of_rows(kind: str, n_active: int) -> None:
    """So many rows at once that their counts leave a byte, and their sums 16 bits."""
    rng = np.random.default_rng(n_active)
    n = 600
    there = rng.random((n, 700)) < 0.2
    there[:5] = [[1]] * 5  # neurons that every row reaches
    weights = np.where(there, 254 if kind == "one" else 0, 0)
    if kind == "each":
        weights = np.where(there, rng.choice([254, 252], there.shape), 0)
        weights[1] *= -1
    pop = nl.FixedPopulation("p", n, "lif", {"du": 4095, "dv": 0, "vth": 2**17 - 1})
    edge = nl.FixedProjection("in", "x", "p", sparse.csr_matrix(weights), sign_mode="mixed")
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (pop,), (edge,), (nl.FixedSource("x", 700),))
    x = np.zeros((3, 700), np.int64)
    x[1, rng.permutation(700)[:n_active]] = 1
    wanted = nl.run_fixed(fixed, 3, {"x": x}, "all", engine="numpy")
    assert np.abs(wanted.traces["p", "u"]).max() >= 250 * n_active
    same(wanted, nl.run_fixed(fixed, 3, {"x": x}, "all", engine="kernel"), n_active)


def test_when_rows_are_bits() -> None:
    rng = np.random.default_rng(1)

    def kept(
        n_post: int, density: float, values: Any, delays: Any = 0, expands: bool = True
    ) -> Any:
        there = rng.random((n_post, 300)) < density
        weights = sparse.csr_matrix(np.where(there, values, 0))
        delays = rng.integers(0, 2, weights.nnz) if delays is None else delays
        return bits_of(rows_of(weights, delays), expands)

    one = kept(BITS_POSTS, 0.1, 6)
    assert one.kinds is None and one.weights == (6,) and one.each is None
    rows = kept(600, 0.1, np.where(np.arange(300) < 50, 6, -128))
    assert rows.kinds.tolist() == [1] * 50 + [0] * 250 and rows.weights == (-128, 6)
    each = kept(600, 0.1, rng.integers(1, 100, (600, 300)))
    assert each.weights == () and each.each.dtype == np.int8
    assert kept(BITS_POSTS - 1, 0.1, 6) is None
    assert kept(600, 0.9 / BITS_FROM, 6) is None
    assert kept(600, 0.1, 6, None) is None  # several delays
    assert kept(600, 0.1, np.arange(300) % (BITS_WEIGHTS + 1) + 1) is None
    assert kept(600, 0.1, rng.integers(1, 100, (600, 300)), expands=False) is None
    assert kept(600, 0.1, rng.integers(1, 1000, (600, 300))) is None  # more than a byte


def test_a_neuron_reached_twice() -> None:
    """A row cannot say so in bits: it is kept as it is."""
    rng = np.random.default_rng(2)
    post, pre = np.nonzero(rng.random((600, 30)) < 0.1)
    post, pre = np.append(post, post[-1]), np.append(pre, pre[-1])  # twice
    indptr = np.concatenate([[0], np.cumsum(np.bincount(post, minlength=600))])
    weights = sparse.csr_matrix((np.full(len(post), 6), pre, indptr), shape=(600, 30))
    pop = nl.FixedPopulation("p", 600, "lif", {"du": 1000, "dv": 100, "vth": 50})
    try:
        edge = nl.FixedProjection("in", "x", "p", weights, sign_mode="mixed")
    except nl.NeuroLifError:
        return  # refused before it comes to the kernel
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (pop,), (edge,), (nl.FixedSource("x", 30),))
    x = {"x": (rng.random((20, 30)) < 0.3).astype(np.int64)}
    wanted = nl.run_fixed(fixed, 20, x, "registers", engine="numpy")
    same(wanted, nl.run_fixed(fixed, 20, x, "registers", engine="kernel"), "twice")
