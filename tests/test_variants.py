"""Variants side by side: each exactly what run_fixed gives for it alone, in order, in bounds."""

from __future__ import annotations

import _thread
import contextlib
import copy
import gc
import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from random_fixed import PROFILES, random_fixed
from scipy import sparse

import neuro_lif as nl
from neuro_lif import lanes
from neuro_lif.arrays import frozen_synapses, unchanging, with_entries
from neuro_lif.emulator import compiled, compiled_run, programs, variants
from neuro_lif.emulator.compiled import built
from neuro_lif.emulator.synapses import rows_of
from neuro_lif.errors import RangeError, StudyError
from neuro_lif.kernel import native
from neuro_lif.memo import Memo
from neuro_lif.run_inputs import Fed

ENGINES = ("auto", "numpy")
STEPS = 25


def network(weights: Any = None, vth: Any = 3, **more: Any) -> nl.FixedNetwork:
    """Two neurons with an input of three steps."""
    population = nl.FixedPopulation("p", 2, "lif", {"vth": vth})
    matrix = [[4], [6]] if weights is None else weights
    projection = nl.FixedProjection("w", "x", "p", matrix, sign_mode="mixed")
    more.setdefault("sources", (nl.FixedSource("x", 1, [[1], [0], [1]]),))
    return nl.FixedNetwork(nl.load_profile("loihi2"), (population,), (projection,), **more)


def large(n: int = 400) -> nl.FixedNetwork:
    """A network of which many steps take long."""
    population = nl.FixedPopulation("p", n, "lif", {"vth": 3, "bias_mant": 50})
    weights = np.random.default_rng(1).integers(-9, 9, (n, n)) * 2
    projection = nl.FixedProjection("w", "p", "p", weights, sign_mode="mixed")
    return nl.FixedNetwork(nl.load_profile("loihi2"), (population,), (projection,))


def facts(recording: nl.Recording) -> dict[str, str]:
    """The provenance without what depends on how many steps were done at a time."""
    return {k: v for k, v in recording.provenance.items() if k != "steps of calm blocks"}


def same(a: nl.Recording, b: nl.Recording, what: Any) -> None:
    """Fail at the first difference of two recordings."""
    assert a.n_steps == b.n_steps and a.dt == b.dt
    assert a.spikes.keys() == b.spikes.keys() and a.traces.keys() == b.traces.keys()
    for name in a.spikes:
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name], f"{what} spikes of {name}")
        assert a.spikes[name].dtype == b.spikes[name].dtype
        np.testing.assert_array_equal(a.lsb[name], b.lsb[name])
    for key, trace in a.traces.items():
        np.testing.assert_array_equal(trace, b.traces[key], f"{what} {key}")
    assert a.events == b.events, what
    assert facts(a) == facts(b), what


def changed(rng: np.random.Generator, fixed: nl.FixedNetwork) -> nl.FixedNetwork:
    """A random variant: other thresholds and decays, other weights, other delays, or several."""
    rules, choice = fixed.profile.weights, int(rng.integers(1, 8))
    more: dict[str, Any] = {}
    if choice & 1:
        more["params"] = {p.name: _params(rng, fixed, p) for p in fixed.populations}
    if choice & 2:
        more["weights"] = {
            p.name: rng.integers(*rules.mode_range(str(p.sign_mode)), p.weights.shape)
            if not sparse.issparse(p.weights)
            else rng.integers(*rules.mode_range(str(p.sign_mode)), p.n_entries)
            for p in fixed.projections
        }
    if choice & 4:
        most = min(fixed.profile.routing.delay_hi, 4)
        more["projections"] = {p.name: {"delays": int(rng.integers(most + 1))}
                               for p in fixed.projections}  # fmt: skip
    return nl.with_changes(fixed, **more)


def _params(rng: np.random.Generator, fixed: nl.FixedNetwork, p: nl.FixedPopulation) -> Any:
    every = bool(rng.integers(2))
    out = {}
    for name in p.params.keys() & {"du", "dv", "vth"}:
        lo, hi = fixed.profile.params[name].span
        hi = min(hi, 400) if name == "vth" else hi
        out[name] = rng.integers(max(lo, 1), hi + 1, p.size if every else None)
    return out


def given(rng: np.random.Generator, fixed: nl.FixedNetwork, batch: int | None) -> dict[str, Any]:
    """Inputs of some of a network's sources, counts among them; the others keep their rasters."""
    shape = (STEPS,) if batch is None else (batch, STEPS)
    dtype = [np.int64, np.uint8, np.bool_, np.float64, np.int16][rng.integers(5)]
    most = 1 if dtype is np.bool_ else int(rng.choice([1, 1, 3, 120]))
    return {s.name: rng.integers(0, most + 1, (*shape, s.size)).astype(dtype)
            for s in fixed.sources[:1]}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("profile", PROFILES)
def test_each_is_what_run_fixed_gives(
    profile: str, batch: int | None, threads: int, engine: str
) -> None:
    seed = [PROFILES.index(profile), batch or 0, threads, ENGINES.index(engine)]
    rng = np.random.default_rng(seed)
    for case in range(6 if engine == "auto" else 2):
        fixed = random_fixed(rng, profile, STEPS)
        every = [fixed, *(changed(rng, fixed) for _ in range(6)), fixed]
        inputs = given(rng, fixed, batch)
        got = nl.run_variants(iter(every), STEPS, inputs, "registers", engine=engine,
                              threads=threads)  # fmt: skip
        for k, (variant, recording) in enumerate(zip(every, got, strict=True)):
            alone = nl.run_fixed(variant, STEPS, inputs, "registers", engine=engine, threads=1)
            same(alone, recording, (profile, case, k))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_some_are_not_in_the_kernel(threads: int) -> None:
    """They run in numpy, with the reason, between others that do run in the kernel."""
    every = [network(vth=k + 1, enforce_ranges=False) for k in range(6)]
    for k in (2, 5):
        every[k] = nl.with_changes(every[k], projections={"w": {"exponent": 28}})
    found = list(nl.run_variants(every, 3, record="all", threads=threads))
    for k, (variant, recording) in enumerate(zip(every, found, strict=True)):
        same(nl.run_fixed(variant, 3, record="all"), recording, k)
    if native() is not None:
        reasons = ["not in the kernel" in r.provenance for r in found]
        assert reasons == [k in (2, 5) for k in range(6)]
        with pytest.raises(RangeError, match=r'^variant 2: engine = "kernel": .*32 bits'):
            list(nl.run_variants(every, 3, engine="kernel", threads=threads))


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
@pytest.mark.parametrize("threads", [1, 2])
def test_samples_one_after_the_other_or_step_by_step(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is run at a time makes no difference."""
    rng = np.random.default_rng(5)
    for profile in PROFILES:
        fixed = random_fixed(rng, profile, STEPS)
        inputs = {s.name: rng.integers(0, 3, (7, STEPS, s.size)) for s in fixed.sources}
        found = []
        for most in (0, 1, 300, 2_000_000):
            monkeypatch.setattr(compiled_run, "SHORT", most)
            found.append(nl.run_fixed(fixed, STEPS, inputs, "registers", threads=threads))
            found += nl.run_variants([fixed], STEPS, inputs, "registers", threads=threads)
        for other in found[1:]:
            same(found[0], other, profile)


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
def test_a_sum_too_wide_for_the_kernel_is_found_in_time() -> None:
    """Graded values that only the run can see: it is done again in numpy, as run_fixed does."""
    projection = nl.FixedProjection("w", "x", "p", [[200], [6]], graded=True, sign_mode="mixed")
    fixed = replace(network(), projections=(projection,))
    rows = np.ones((3, 4, 1), np.int64)
    rows[1, 2] = 2**23
    wanted = nl.run_fixed(fixed, 4, {"x": rows}, "all")
    [got] = nl.run_variants([fixed], 4, {"x": rows}, "all")
    assert "in step 3" in wanted.provenance["not in the kernel"]
    same(wanted, got, "too wide")


def test_no_more_than_asked_for() -> None:
    """A generator is read a bounded number ahead, and what was yielded is let go."""
    base, made, most = network(), [0], [0]
    for threads in (1, 2, 3):
        made[0] = most[0] = 0

        def every() -> Iterator[nl.FixedNetwork]:
            for k in range(200):
                made[0] += 1  # noqa: B023
                yield nl.with_changes(base, params={"p": {"vth": k + 1}})

        results = nl.run_variants(every(), 3, threads=threads)
        assert made[0] == 0  # nothing before it is asked for
        for done, _ in enumerate(results):
            most[0] = max(most[0], made[0] - done)
        assert made[0] == 200 and most[0] <= 16 * threads + threads


def test_networks_are_let_go() -> None:
    base, alive = network(), Memo[int]()

    def every() -> Iterator[nl.FixedNetwork]:
        for k in range(100):
            variant = nl.with_changes(base, params={"p": {"vth": k + 1}})
            alive.keep(variant, k)
            yield variant
            del variant

    for threads in (1, 2):
        most = 0
        for _ in nl.run_variants(every(), 3, threads=threads, reduce=lambda r: r.n_steps):
            gc.collect()
            most = max(most, len(alive))
        assert most <= 16 * threads + threads + 1
        gc.collect()
        assert len(alive) <= 1  # the frame of the generator may hold the last


def test_the_slow_are_not_grouped() -> None:
    """Of runs that take long, each is a group by itself."""
    group = variants._Group(0, [1, 2])
    assert variants._size(None) == 1
    group.seconds = 1e-6
    assert variants._size(group) == 8
    group.seconds = 0.04
    assert variants._size(group) == 2
    group.seconds = 5.0
    assert variants._size(group) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_reduce_and_progress(threads: int) -> None:
    every = [network(vth=k + 1) for k in range(9)]
    told: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        told.append((done, total))

    def reduce(recording: nl.Recording) -> int:
        return int(recording.spikes["p"].sum())

    inputs = {"x": np.ones((4, 6, 1), np.int64)}
    got = list(nl.run_variants(every, None, inputs, reduce=reduce, progress=progress,
                               threads=threads))  # fmt: skip
    assert got == [reduce(nl.run_fixed(v, inputs=inputs)) for v in every]
    assert len(set(got)) > 1
    assert told == [(k + 1, 9) for k in range(9)]
    told.clear()
    assert list(nl.run_variants(iter(every), 3, progress=progress, threads=threads))
    assert told == [(k + 1, None) for k in range(9)]
    assert list(nl.run_variants([], 3)) == []


@pytest.mark.parametrize("threads", [1, 2, None])
@pytest.mark.parametrize("bad", [0, 3])
def test_an_error_says_which_variant(threads: int | None, bad: int) -> None:
    """Results of those before it are yielded first."""

    def told(every: Any, message: str, kind: Any = RangeError, **more: Any) -> None:
        done = 0
        with pytest.raises(kind) as caught:
            for _ in nl.run_variants(every, 3, threads=threads, **more):
                done += 1
        assert str(caught.value).startswith(f"variant {bad}: {message}"), str(caught.value)
        assert done == bad

    def with_bad(other: Any) -> list[Any]:
        every: list[Any] = [network() for _ in range(6)]
        every[bad] = other
        return every

    told(with_bad("net"), "run_variants wants FixedNetworks, got 'net'")
    if bad:
        two = nl.FixedPopulation("q", 2, "lif")
        more = replace(network(), populations=(*network().populations, two))
        told(with_bad(more), "populations = p (2), q (2), allowed: those of the first variant, p")
        silent = replace(network(), sources=(*network().sources, nl.FixedSource("y", 4)))
        told(with_bad(silent), "inputs = x (1), y (4), allowed: those of the first variant, x (1)")
    loud = network(sources=(nl.FixedSource("x", 1, [[3], [0], [1]]),))
    told(with_bad(loud), "w: payload overflowed (binary) in step 1", strict=True)

    def reduce(recording: nl.Recording) -> int:
        if recording.events:
            raise KeyError("none")
        return 1

    told(with_bad(loud), "reduce raised KeyError: 'none'", StudyError, reduce=reduce)


def test_an_error_of_the_inputs_or_of_the_generator() -> None:
    rows = {"y": np.ones((3, 1), np.int64)}
    with pytest.raises(RangeError, match=r"^variant 0: inputs: 'y' is unknown, allowed: x$"):
        list(nl.run_variants([network()], None, rows))
    with pytest.raises(RangeError, match=r"^variant 0: n_steps = None"):
        list(nl.run_variants([network()]))

    def every() -> Iterator[nl.FixedNetwork]:
        for _ in range(5):
            yield network()
        raise OSError("the disk is full")

    for threads in (1, 2):
        done = 0
        with pytest.raises(OSError, match="the disk is full"):
            for _ in nl.run_variants(every(), 3, threads=threads):
                done += 1
        assert done == 5


@pytest.mark.parametrize(
    "more, message",
    [
        ({"variants": network()}, "run_variants: variants = "),
        ({"variants": 5}, "run_variants: variants = 5, allowed: FixedNetworks, as a list or"),
        ({"strict": 1}, "run_variants: strict = 1, allowed: True or False"),
        ({"reduce": 3}, "run_variants: reduce = 3, allowed: a function of a Recording, or None"),
        ({"progress": 3}, "run_variants: progress = 3, allowed: a function of (variants done,"),
        ({"threads": 0}, "threads = 0, allowed: a whole number >= 1, or None"),
        ({"engine": "fast"}, "engine = 'fast', allowed: auto, kernel, numpy"),
        ({"record": "some"}, "record = 'some', allowed: "),
    ],
)
def test_wrong_arguments_are_refused_at_once(more: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"variants": [network()], "n_steps": 3, **more}
    with pytest.raises(RangeError) as caught:
        nl.run_variants(**arguments)
    assert str(caught.value).startswith(message)


def _workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("neuro_lif_variant")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c(threads: int, engine: str) -> None:
    """Ends everything soon; what was yielded stays."""
    fixed, done = large(), 0
    steps = 1_000_000 if engine == "auto" and native() is not None else 10_000
    short = nl.run_variants([fixed] * 3, 5, threads=threads, engine=engine)
    assert len(list(short)) == 3
    timer = threading.Timer(0.4, _thread.interrupt_main)
    start = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in nl.run_variants([fixed] * 50, steps, threads=threads, engine=engine):
                done += 1
    finally:
        timer.cancel()
    assert time.monotonic() - start < 5 and done < 50
    assert _workers() == []


@pytest.mark.parametrize("end", ["close", "error"])
def test_closing_stops_the_threads(end: str) -> None:
    fixed = large()
    results = nl.run_variants((fixed for _ in range(100)), 2_000, threads=2)
    next(results)
    assert len(_workers()) == 2
    if end == "close":
        results.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ValueError, match="enough"):
            results.throw(ValueError("enough"))  # type: ignore[attr-defined]
    assert _workers() == []


def test_inputs_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = Fed.of

    def of(values: Any) -> Fed:
        seen.append(values)
        return real(values)

    monkeypatch.setattr(Fed, "of", of)
    rows = {"x": np.ones((4, 1), np.int64)}
    assert len(list(nl.run_variants([network(vth=k + 1) for k in range(9)], None, rows))) == 9
    assert len(seen) == 1


# ------------------------------------------------------------------------------ with_changes


def test_changes_are_what_a_network_from_scratch_is() -> None:
    base = network()
    other = nl.with_changes(base, params={"p": {"vth": [5, 6]}}, init={"p": {"v": 100}},
                            weights={"w": [[8], [-2]]}, seed=3,
                            projections={"w": {"delays": 1, "exponent": 2}})  # fmt: skip
    assert base.population("p").params["vth"] == 3 and not base.population("p").init
    population = nl.FixedPopulation("p", 2, "lif", {"vth": [5, 6]}, {"v": 100})
    projection = nl.FixedProjection("w", "x", "p", [[8], [-2]], 2, "mixed", delays=1)
    scratch = nl.FixedNetwork(base.profile, (population,), (projection,), base.sources, seed=3)
    same(nl.run_fixed(scratch, 9, record="registers"), nl.run_fixed(other, 9, record="registers"),
         "changed")  # fmt: skip
    assert other.sources[0] is base.sources[0] and other.profile is base.profile
    again = nl.with_changes(base, params={"p": {"vth": 4}})
    assert again.projections[0] is base.projections[0]
    assert nl.with_changes(base, profile=nl.load_profile("loihi1")).profile.name == "loihi1"


def test_sparse_weights_keep_their_connectivity() -> None:
    rng = np.random.default_rng(2)
    matrix = sparse.random(40, 30, 0.2, "csr", random_state=1, dtype=np.float64)
    matrix = sparse.csr_matrix((rng.integers(1, 100, matrix.nnz), matrix.indices, matrix.indptr),
                               shape=matrix.shape)  # fmt: skip
    delays = rng.integers(0, 5, matrix.nnz).astype(np.int8)
    delays.setflags(write=False)
    projection = nl.FixedProjection("w", "x", "p", matrix, sign_mode="mixed", delays=delays)
    base = nl.FixedNetwork(nl.load_profile("loihi2"), (nl.FixedPopulation("p", 40, "lif"),),
                           (projection,), (nl.FixedSource("x", 30),))  # fmt: skip
    values = (rng.integers(-100, 100, matrix.nnz) * 2).astype(np.int16)
    other = nl.with_changes(base, weights={"w": values})
    [old], [new] = base.projections, other.projections
    assert new.weights.indices is old.weights.indices and new.weights.indptr is old.weights.indptr
    assert new.delays is old.delays and new.weights.dtype == np.int16
    assert not new.weights.data.flags.writeable
    values[:] = 0
    assert new.weights.data.any()
    full = new.weights.copy()
    scratch = replace(base, projections=(replace(projection, weights=full),))
    rows = {"x": rng.integers(0, 2, (3, STEPS, 30))}
    wanted = nl.run_fixed(scratch, inputs=rows, record="all")
    [got] = nl.run_variants([other], None, rows, "all")
    same(wanted, got, "sparse")


def test_a_convolution_stays_one() -> None:
    rng = np.random.default_rng(3)
    kernels = [nl.Convolution(2 * rng.integers(-9, 9, (2, 1, 3, 3)), (1, 6, 6), layout="torch")
               for _ in range(2)]  # fmt: skip
    population = nl.FixedPopulation("p", kernels[0].shape[0], "lif", {"vth": 2})
    projection = nl.FixedProjection("w", "x", "p", kernels[0], sign_mode="mixed")
    base = nl.FixedNetwork(nl.load_profile("loihi2"), (population,), (projection,),
                           (nl.FixedSource("x", 36),))  # fmt: skip
    late = nl.with_changes(base, projections={"w": {"delays": 2}})
    other = nl.with_changes(base, weights={"w": kernels[1]})
    assert late.projections[0].is_folded and other.projections[0].is_folded
    scratch = replace(base, projections=(replace(projection, weights=kernels[1],
                                                 convolution=None),))  # fmt: skip
    rows = {"x": rng.integers(0, 2, (STEPS, 36))}
    found = list(nl.run_variants([base, late, other], None, rows, "all"))
    same(nl.run_fixed(scratch, inputs=rows, record="all"), found[2], "conv")
    np.testing.assert_array_equal(found[0].spikes["p"][:-2], found[1].spikes["p"][2:])


@pytest.mark.parametrize(
    "more, message",
    [
        ({"params": {"q": {"vth": 1}}}, "with_changes: population = 'q', allowed: p"),
        ({"init": {"q": {"v": 1}}}, "with_changes: population = 'q', allowed: p"),
        ({"weights": {"v": [[1], [2]]}}, "with_changes: projection = 'v', allowed: w"),
        ({"projections": {"v": {}}}, "with_changes: projection = 'v', allowed: w"),
        ({"projections": {"w": {"pre": "p"}}},
         "with_changes: field of projection 'w' = 'pre', allowed: exponent, sign_mode, "),
        ({"params": 5}, "with_changes: params = 5, allowed: a mapping by name"),
        ({"params": {"p": 5}}, "with_changes: params['p'] = 5, allowed: a mapping by name"),
        ({"projections": {"w": 5}}, "with_changes: projections['w'] = 5, allowed: a mapping"),
        ({"params": {"p": {"vth": -1}}}, "profile loihi2\n  population 'p': vth = -1, allowed: "),
        ({"params": {"p": {"vht": 1}}}, "profile loihi2\n  population 'p': vht = "),
        ({"weights": {"w": [4, 6]}}, "projection 'w': weights = 'shape (2,)', allowed: shape (2,"),
        ({"weights": {"w": [[4, 6]]}}, "profile loihi2\n  projection 'w': weights = 'shape (1, 2)"),
        ({"weights": {"w": [[4], [999]]}}, "profile loihi2\n  projection 'w': weights = 999, allo"),
        ({"seed": -1}, "network: seed = -1, allowed: "),
    ],
)  # fmt: skip
def test_changes_that_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(RangeError) as caught:
        nl.with_changes(network(), **more)
    assert str(caught.value).replace('"', "'").startswith(message), str(caught.value)


def test_values_of_sparse_weights_that_are_refused() -> None:
    base = network(sparse.csr_matrix([[4], [6]]))
    for values, said in (([1.5, 2.0], "float64 (2,)"), ([1], "int64 (1,)")):
        with pytest.raises(RangeError) as caught:
            nl.with_changes(base, weights={"w": values})
        text = f"projection 'w': weights = '{said}', allowed: integers (2, 1), or one per stored"
        assert str(caught.value).startswith(text)
    with pytest.raises(RangeError, match=r"2\*\*48"):
        nl.with_changes(base, weights={"w": [2**50, 1]})
    with pytest.raises(RangeError, match="weights = 999, allowed"):
        nl.with_changes(base, weights={"w": [999, 1]})
    with pytest.raises(RangeError, match="^with_changes wants a FixedNetwork"):
        nl.with_changes("net", seed=1)  # type: ignore[arg-type]


# -------------------------------------------------------------------------- what is remembered


def test_memo() -> None:
    class Thing:
        pass

    memo: Memo[int] = Memo()
    one, two = Thing(), Thing()
    assert memo.get(one) is None
    assert memo.keep(one, 1) == 1 and memo.keep(two, 2) == 2
    assert (memo.get(one), memo.get(two), len(memo)) == (1, 2, 2)
    memo.keep(one, 3)
    assert memo.get(one) == 3 and len(memo) == 2
    del one
    gc.collect()
    assert len(memo) == 1
    few: Memo[int] = Memo(most=2)
    things = [Thing() for _ in range(5)]
    for k, thing in enumerate(things):
        few.keep(thing, k)
    assert [few.get(thing) for thing in things] == [None, None, None, 3, 4]


@pytest.mark.parametrize("delayed", [False, True])
def test_rows_of_the_same_synapses(delayed: bool) -> None:
    """Matrices that share their columns are packed as if each were the only one."""
    rng = np.random.default_rng(7)
    matrix = sparse.random(60, 50, 0.15, "csr", random_state=2)
    base, _ = frozen_synapses(matrix, np.int64)
    for part in (base.indices, base.indptr):
        assert unchanging(part)
    delays = rng.integers(0, 4, base.nnz) if delayed else np.int64(2)
    for k in range(5):
        values = rng.integers(-99, 99, base.nnz) if k != 3 else np.full(base.nnz, 7)
        other = with_entries(base, values)
        fresh = sparse.csr_matrix((values, base.indices.copy(), base.indptr.copy()), base.shape)
        got, wanted = rows_of(other, delays), rows_of(fresh, np.array(delays))
        for field in fields(got):
            a, b = getattr(got, field.name), getattr(wanted, field.name)
            np.testing.assert_array_equal(a, b, f"{k} {field.name}")
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    known = lanes._orders.get(base.indices)
    assert known is not None and known.parts is not None
    rows_of(with_entries(base, values), rng.integers(0, 2, base.nnz))  # other delays
    late = lanes._orders.get(base.indices)
    assert late is not None and late.parts is None


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
def test_programs_are_kept_and_not_too_many() -> None:
    profile = nl.load_profile("loihi2")
    base = replace(network(), profile=profile)
    for k in range(2 * programs.MOST_KEPT):
        built(nl.with_changes(base, params={"p": {"vth": 1 + k}}))
    known = programs._kept.get(profile)
    assert known is not None and len(known) == programs.MOST_KEPT
    few = [nl.with_changes(base, params={"p": {"vth": 1000}}) for _ in range(2)]
    for variant in few:
        built(variant)
    assert len(known) == programs.MOST_KEPT


@pytest.mark.parametrize("reach", [0, 1, 7, 8, 15, 16, 17, 1000, 2**30])
def test_a_bound_that_many_share(reach: int) -> None:
    above = programs.rounded_up(reach)
    assert reach <= above <= reach + reach // 8 + 1
    assert programs.rounded_up(above) == above
    assert programs.rounded_up(np.int64(reach)) == above  # type: ignore[arg-type]


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
def test_large_projections_are_not_kept_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    base = network()
    for most, kept in ((2**22, True), (0, False)):
        monkeypatch.setattr(compiled, "MOST_KEPT", most)
        fresh = nl.with_changes(base, weights={p.name: p.weights for p in base.projections})
        wanted = nl.run_fixed(fresh, 20, engine="numpy")
        got = nl.run_fixed(fresh, 20, engine="kernel")
        np.testing.assert_array_equal(wanted.spikes["p"], got.spikes["p"])
        assert all((compiled._packed.get(p) is not None) == kept for p in fresh.projections)


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
@settings(max_examples=25, deadline=None)
@for_all(seed=st.integers(0, 2**32), profile=st.sampled_from(PROFILES))
def test_what_is_kept_is_right_for_every_variant(seed: int, profile: str) -> None:
    """Kernel against numpy, which keeps no programs, for variants of variants in any order."""
    rng = np.random.default_rng(seed)
    every = [random_fixed(rng, profile, STEPS)]
    for _ in range(6):
        every.append(changed(rng, every[int(rng.integers(len(every)))]))
    for k in rng.permutation(len(every)).tolist():
        inputs = given(rng, every[k], None)
        wanted = nl.run_fixed(every[k], STEPS, inputs, "registers", engine="numpy")
        got = nl.run_fixed(every[k], STEPS, inputs, "registers")
        for name in wanted.spikes:
            np.testing.assert_array_equal(wanted.spikes[name], got.spikes[name], f"{k} {name}")
        for key, trace in wanted.traces.items():
            np.testing.assert_array_equal(trace, got.traces[key], f"{k} {key}")
        assert wanted.events == got.events


@pytest.mark.parametrize("kind", ["csc", "coo", "csr"])
def test_delays_stay_with_their_synapses(kind: str) -> None:
    """In whatever order the new weights come; other synapses are refused."""
    matrix = sparse.csr_matrix([[2, 0, 4], [0, 6, 8], [8, 0, 0]])
    population = nl.FixedPopulation("p", 3, "lif", {"vth": 3})
    edge = nl.FixedProjection("w", "x", "p", matrix, sign_mode="mixed", delays=[1, 2, 3, 4, 5])
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (population,), (edge,),
                            (nl.FixedSource("x", 3),))  # fmt: skip
    given = (2 * matrix).tocoo()
    mixed = np.random.default_rng(1).permutation(given.nnz)
    given = sparse.coo_matrix((given.data[mixed], (given.row[mixed], given.col[mixed])), (3, 3))
    other = nl.with_changes(fixed, weights={"w": given.asformat(kind)})
    assert other.projections[0].delays.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(other.projections[0].weights.toarray(), 2 * matrix.toarray())
    assert other.projections[0].weights.indices is fixed.projections[0].weights.indices
    elsewhere = sparse.csr_matrix([[0, 2, 4], [0, 6, 8], [8, 0, 0]]).asformat(kind)
    with pytest.raises(RangeError, match=r"weights\['w'\] has other synapses .* allowed: the same"):
        nl.with_changes(fixed, weights={"w": elsewhere})
    moved = nl.with_changes(fixed, weights={"w": elsewhere}, projections={"w": {"delays": 2}})
    np.testing.assert_array_equal(moved.projections[0].weights.toarray(), elsewhere.toarray())


def test_parameters_cannot_be_written_to() -> None:
    """What was worked out of a network would not be true any more."""
    population = network().populations[0]
    for change in (lambda t: t.update(vth=1), lambda t: t.pop("vth"), lambda t: t.clear()):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(population.params)
    with pytest.raises(TypeError, match="cannot be changed"):
        population.params["vth"] = 1  # type: ignore[index]
    for again in (copy.deepcopy(population.params), pickle.loads(pickle.dumps(population.params))):
        assert again == population.params and type(again) is type(population.params)


@pytest.mark.parametrize("engine", ["kernel", "numpy"])
@pytest.mark.parametrize("batch", [None, 3])
def test_ctrl_c_in_the_last_step_is_not_lost(engine: str, batch: int | None) -> None:
    if engine == "kernel" and native() is None:
        pytest.skip("the compiled kernel was not built")
    inputs = None if batch is None else {"x": np.ones((batch, STEPS, 1), np.uint8)}

    def stop(done: int, most: int) -> None:
        if done == most:
            raise KeyboardInterrupt

    with pytest.raises(nl.Interrupted) as caught:
        nl.run_fixed(network(), STEPS, inputs, engine=engine, progress=stop)
    wanted = nl.run_fixed(network(), STEPS, inputs, engine=engine)
    assert caught.value.recording.n_steps == STEPS
    np.testing.assert_array_equal(caught.value.recording.spikes["p"], wanted.spikes["p"])
    assert "interrupted" in caught.value.recording.provenance


@pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
def test_ctrl_c_where_the_kernel_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that left 32 bits are not right, and are not handed over; strict stays strict."""
    chip = nl.load_profile("lava-0.10")
    population = nl.FixedPopulation("p", 1, "lif", {"vth": 2**17 - 1})
    edge = nl.FixedProjection("w", "x", "p", [[100]], sign_mode="mixed", graded=True, latency=0)
    fixed = nl.FixedNetwork(chip, (population,), (edge,), (nl.FixedSource("x", 1),))
    raster = np.zeros((400, 1), np.int64)
    raster[-1] = 2**26 + 7
    inner = compiled_run.in_stretches

    def late(*args: Any) -> None:
        with contextlib.suppress(Exception):
            inner(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(compiled_run, "in_stretches", late)
    with pytest.raises(KeyboardInterrupt) as caught:
        nl.run_fixed(fixed, inputs={"x": raster}, engine="kernel")
    assert not isinstance(caught.value, nl.Interrupted)
    much = {"vth": 2**17 - 1, "bias_mant": 4095, "bias_exp": 7, "dv": 0}
    hot = nl.with_changes(network(), params={"p": much})
    assert nl.run_fixed(hot, 400, engine="numpy").events
    with pytest.raises(RangeError, match="overflow"):
        nl.run_fixed(hot, 400, engine="kernel", strict=True)
