"""Random projections in bounded memory, and narrow types all the way to the kernel and back."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

import neuro_lif as nl
from neuro_lif import arrays, stored
from neuro_lif.errors import RangeError
from neuro_lif.kernel import native
from neuro_lif.npz import NpzFile

ROOT = Path(nl.__file__).resolve().parents[1]
WEIGHT, DELAY = nl.Normal(64, 6.4, 0, 127), nl.Normal(14, 7.5, 0, 63)


def made(n_pre: int = 500, n_post: int = 700, n: int = 60_000, seed: int = 3, **more: Any) -> Any:
    fields = {"weight": WEIGHT, "delay": DELAY} | more
    return nl.random_pairs(n_pre, n_post, n, seed=seed, **fields)


# ---------------------------------------------------------------------------------- builder


def test_it_is_the_same_again_and_another_with_another_seed() -> None:
    a, b, c = made(), made(), made(seed=4)
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(a.weights, part), getattr(b.weights, part))
    assert np.array_equal(a.delays, b.delays)
    assert not np.array_equal(a.weights.indices, c.weights.indices)


def test_rows_do_not_depend_on_how_many_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at in parts of any size, the projection that comes of them is the same."""
    a = _network(made(), "n").projections[0]
    monkeypatch.setattr(arrays, "AT_ONCE", 777)
    monkeypatch.setattr(stored, "AT_ONCE", 777)
    monkeypatch.setattr(stored, "MANY", 1)
    fixed = _network(made(), "n")
    b = fixed.projections[0]
    assert np.array_equal(a.weights.indices, b.weights.indices)
    assert fixed.storage_events() == _network(made(), "n").storage_events()
    sums = arrays.row_sums(b.weights, b.weights.data)
    assert np.array_equal(sums, np.abs(b.weights.astype(np.int64)).sum(axis=1).A1)


def test_counts_and_ends() -> None:
    found = made()
    matrix = found.weights
    assert (matrix.nnz, matrix.shape, found.delays.shape) == (60_000, (700, 500), (60_000,))
    assert arrays.has_duplicates(matrix)
    for count, bins in ((np.diff(matrix.indptr), 700), (np.bincount(matrix.indices), 500)):
        assert stats.chisquare(count, np.full(bins, 60_000 / bins)).pvalue > 1e-3
    row_starts = np.zeros(60_001, bool)
    row_starts[matrix.indptr] = True
    falls = np.flatnonzero(np.diff(matrix.indices) < 0) + 1
    assert row_starts[falls].all()


def test_weights_and_delays_are_normal_within_their_ends() -> None:
    found = made()
    w, d = found.weights.data.astype(float), found.delays.astype(float)
    assert abs(w.mean() - 64) < 5 * 6.4 / np.sqrt(w.size)
    assert abs(w.std() - np.hypot(6.4, 12**-0.5)) < 0.1
    assert d.min() == 0 and d.max() <= 63
    inside = stats.truncnorm(-14.5 / 7.5, 49.5 / 7.5, 14, 7.5)
    edges = np.arange(-0.5, 40)
    observed = np.histogram(d, [*edges, 63.5])[0]
    share = np.diff([*inside.cdf(edges), 1.0])
    assert stats.chisquare(observed, share * d.size).pvalue > 1e-3


@pytest.mark.parametrize(
    ("lo", "hi", "kind"),
    [(0, 127, "int8"), (-128, 5, "int8"), (0, 200, "uint8"), (-1, 200, "int16"),
     (0, 40000, "uint16"), (-1, 40000, "int32")],
)  # fmt: skip
def test_the_type_is_the_narrowest(lo: int, hi: int, kind: str) -> None:
    assert nl.Normal(1 if lo >= 0 else 0, 1.0, lo, hi).dtype == kind


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n_pre": 0}, "n_pre = 0, allowed: a whole number 1.."),
        ({"n_post": 1.5}, "n_post = 1.5"),
        ({"n": -1}, "n = -1, allowed: a whole number 0.."),
        ({"n": 2**31}, "n = 2147483648"),
        ({"seed": -1}, "seed = -1"),
        ({"delay": -1}, "delay = -1, allowed: a whole number 0.."),
        ({"weight": "x"}, "weight = 'x'"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RangeError, match=re.escape(says)):
        made(**changes)


@pytest.mark.parametrize(
    ("fields", "says"),
    [((np.nan, 1, 0, 5), "mean = nan"), ((1, -1, 0, 5), "std = -1"), ((1, 1, 0.5, 5), "lo = 0.5"),
     ((9, 1, 0, 5), "mean = 9, allowed: 0..5"), ((1, 1, 0, 2**31), "hi = 2147483648")],
)  # fmt: skip
def test_a_normal_that_is_none_is_named(fields: Any, says: str) -> None:
    with pytest.raises(RangeError, match=re.escape(says)):
        nl.Normal(*fields)


def test_none_and_constants() -> None:
    none = made(n=0)
    assert none.weights.nnz == 0
    same = made(weight=-5, delay=7)
    assert set(same.weights.data.tolist()) == {-5} and same.delays == 7


# ---------------------------------------------------------------------------------- narrow types


def _network(found: Any, name: str = "n", **more: Any) -> nl.FixedNetwork:
    n_post, n_pre = found.weights.shape
    lif = {"du": 741, "dv": 41, "vth": 300, "refract": 4}
    return nl.FixedNetwork(
        nl.load_profile("loihi2"),
        (nl.FixedPopulation("a", n_pre, "lif_refractory", lif),
         nl.FixedPopulation("b", n_post, "lif_refractory", lif)),
        (nl.FixedProjection(name, "a", "b", found.weights, delays=found.delays, **more),),
        poissons=(nl.FixedPoisson("d", "a", 1.5, 60, seed=9),),
    )  # fmt: skip


def test_a_projection_keeps_types_and_shares_what_cannot_change() -> None:
    found = made()
    p = _network(found).projections[0]
    assert (p.weights.dtype, p.weights.indices.dtype, p.delays.dtype) == ("int8", "int32", "int8")
    assert np.shares_memory(p.weights.data, found.weights.data)
    assert np.shares_memory(p.weights.indices, found.weights.indices)
    assert np.shares_memory(p.delays, found.delays)


def test_what_can_be_written_to_is_copied() -> None:
    matrix = sparse.csr_matrix(np.array([[0, 3], [5, 0]], np.int8))
    delays = np.array([1, 2], np.uint8)
    readonly = delays.view()
    readonly.setflags(write=False)
    p = nl.FixedProjection("p", "a", "a", matrix, delays=readonly)
    matrix.data[:], delays[:] = 9, 9
    assert (p.weights.data.tolist(), p.delays.tolist()) == ([3, 5], [1, 2])
    assert (p.weights.dtype, p.delays.dtype) == ("int8", "uint8")


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "int64", "uint64"])
@pytest.mark.parametrize("form", ["dense", "csr", "coo"])
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_type_runs_as_the_same_numbers_in_int64(kind: str, form: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lo = 0 if kind.startswith("u") else -128
    values = rng.integers(lo, 128, (23, 9)) & ~1
    values[rng.random(values.shape) < 0.5] = 0
    as_form = {"dense": np.asarray, "csr": sparse.csr_matrix, "coo": sparse.coo_matrix}[form]
    n = values.size if form == "dense" else np.count_nonzero(values)
    delays = rng.integers(0, 64, n)
    mode = "mixed" if lo else "excitatory"
    runs = []
    for dtype in (kind, "int64"):
        kinds = "uint8" if dtype == kind else "int64"
        found = nl.connectivity.Synapses(as_form(values.astype(dtype)), delays.astype(kinds))
        fixed = _network(found, sign_mode=mode)
        runs += [nl.run_fixed(fixed, 90, record="all", engine=engine) for engine in
                 ("numpy", "auto")]  # fmt: skip
    for other in runs[1:]:
        assert np.array_equal(runs[0].traces["b", "v"], other.traces["b", "v"])
        assert runs[0].events == other.events


@pytest.mark.parametrize("exponent", [0, 1, -1])
def test_many_narrow_weights_run_alike_in_all_engines(exponent: int) -> None:
    """So many that tables of values and parts are used."""
    found = made(40, 30, 70_000, weight=nl.Normal(-3, 4.0, -128, 127), delay=nl.Normal(3, 2, 0, 9))
    fixed = _network(found, sign_mode="mixed", exponent=exponent)
    slow = nl.run_semantics(fixed, 25, record="all")
    assert any(e.kind == "low_bits" for e in slow.events)
    for engine in ("numpy", "auto"):
        run = nl.run_fixed(fixed, 25, record="all", engine=engine)
        assert np.array_equal(run.traces["b", "v"], slow.traces["b", "v"])
        assert run.events == slow.events


@pytest.mark.skipif(native() is None, reason="no compiled kernel")
def test_the_tiny_microcircuit_runs_alike_in_all_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import microcircuit

    fixed = microcircuit.build(0.004, 5)
    assert all(p.weights.dtype == np.int8 and p.delays.dtype == np.int8 for p in fixed.projections)
    slow = nl.run_semantics(fixed, 60, record="all")
    kernel = nl.run_fixed(fixed, 60, record="all", engine="kernel")
    for run in (kernel, nl.run_fixed(fixed, 60, record="all", engine="numpy")):
        assert all(np.array_equal(slow.traces[k], run.traces[k]) for k in slow.traces)
    assert "L23e" in microcircuit.told(kernel, np.ones(8), 0)


# ---------------------------------------------------------------------------------- files


def test_a_file_keeps_types_and_loads_once(tmp_path: Path) -> None:
    fixed = _network(made())
    nl.save_fixed(fixed, tmp_path / "f.npz")
    loaded = nl.load_fixed(tmp_path / "f.npz").projections[0]
    for a, b in ((fixed.projections[0].weights.data, loaded.weights.data),
                 (fixed.projections[0].weights.indices, loaded.weights.indices),
                 (fixed.projections[0].delays, loaded.delays)):  # fmt: skip
        assert a.dtype == b.dtype and np.array_equal(a, b)
    assert not NpzFile(tmp_path / "f.npz").array("projections/0/delays").flags.writeable


MEASURE = """
    import sys, tracemalloc
    import numpy as np
    import neuro_lif as nl

    made = nl.random_pairs(3000, 3000, 8_000_000, nl.Normal(64, 6.4, 0, 127),
                           nl.Normal(14, 7.5, 0, 63), seed=1)
    size = 6 * 8_000_000
    tracemalloc.start()
    a = nl.FixedPopulation("a", 3000, "lif_refractory", {"vth": 1000})
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (a,),
                            (nl.FixedProjection("p", "a", "a", made.weights, delays=made.delays),))
    built = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    nl.save_fixed(fixed, sys.argv[1])
    saved = tracemalloc.get_traced_memory()[1]
    del fixed, made
    tracemalloc.reset_peak()
    loaded = nl.load_fixed(sys.argv[1])
    print(built / size, saved / size, tracemalloc.get_traced_memory()[1] / size)
"""


def test_building_saving_and_loading_take_little_memory(tmp_path: Path) -> None:
    """In units of the synapses themselves (6 bytes each); int64 alone would take 3."""
    script = textwrap.dedent(MEASURE)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "f.npz")], cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    built, saved, loaded = map(float, done.stdout.split())
    assert built < 1.2  # copies of parts, none of all
    assert saved < 0.9
    assert loaded < 2.6  # the synapses once, the same copies, and what scipy's checks take
