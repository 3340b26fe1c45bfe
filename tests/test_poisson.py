"""Poisson inputs: one definition, three engines, the right distribution."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import neuro_lif as nl
from neuro_lif.certify import certify
from neuro_lif.errors import FileFormatError, RangeError, TargetError
from neuro_lif.kernel import native
from neuro_lif.poisson import poisson_table, threefry, threefry_array

LIF = {"du": 3000, "dv": 200, "vth": 120, "refract": 3}
KERNEL = pytest.mark.skipif(native() is None, reason="no compiled kernel")


def network(
    size: int, *poissons: nl.FixedPoisson, seed: int = 0, model: str = "lif_refractory",
    channels: int = 3, **more: Any,
) -> nl.FixedNetwork:  # fmt: skip
    """A population driven by Poisson inputs, with a source so that batches can be run."""
    rng = np.random.default_rng(size)
    weights = rng.integers(-20, 60, (size, channels)) * 2
    return nl.FixedNetwork(
        nl.load_profile("loihi2"), (nl.FixedPopulation("p", size, model, LIF),),
        (nl.FixedProjection("w", "s", "p", weights, sign_mode="mixed"),),
        (nl.FixedSource("s", channels),), seed=seed, poissons=poissons, **more,
    )  # fmt: skip


def drive(**changes: Any) -> nl.FixedPoisson:
    fields: dict[str, Any] = {"name": "d", "population": "p", "mean": 1.0, "weight": 3, "seed": 7}
    return nl.FixedPoisson(**(fields | changes))


def assert_equal(a: nl.Recording, b: nl.Recording) -> None:
    for name in a.spikes:
        assert np.array_equal(a.spikes[name], b.spikes[name]), name
    for key in a.traces:
        assert np.array_equal(a.traces[key], b.traces[key]), key
    assert a.events == b.events


# -------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0,) * 4, (0x9C6CA96A, 0xE17EAE66, 0xFC10ECD4, 0x5256A7D8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 4, (0x2A881696, 0x57012287, 0xF6C7446E, 0xA16A6732)),
    ],
)
def test_threefry_is_that_of_random123(
    counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    """Source: Random123, tests/kat_vectors, threefry4x32 with 20 rounds."""
    assert threefry(counter, key) == expected


WORDS = st.integers(0, 2**32 - 1)


@given(WORDS, st.integers(0, 2**40), st.tuples(WORDS, WORDS, WORDS, WORDS))
def test_many_words_at_once_are_those_of_the_definition(
    first: int, step: int, key: tuple[int, int, int, int]
) -> None:
    counters = np.array([first, 0, 5], np.uint32)
    found = threefry_array(counters, step, key)
    for i, counter in enumerate(counters.tolist()):
        ends = (counter, step % 2**32, step >> 32, 0)
        assert tuple(found[:, i].tolist()) == threefry(ends, key)


@pytest.mark.parametrize("mean", [0.0, 1e-12, 0.01, 0.5, 2.0, 20.0, 700.0, 9999.5])
def test_the_table_is_the_distribution_rounded(mean: float) -> None:
    table = np.array(poisson_table(mean), np.float64)
    assert np.all(np.diff(table) >= 0)
    expected = stats.poisson.cdf(np.arange(len(table)), mean) * 2.0**32
    assert np.abs(table - expected).max(initial=0) < 0.51 + 1e-3 * (mean > 100)
    assert stats.poisson.sf(len(table), mean) < 2**-33  # what the largest k stands for, too


@pytest.mark.parametrize("mean", [0.01, 0.5, 2.0, 20.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_poisson(mean: float, seed: int) -> None:
    poisson = drive(mean=mean, seed=seed)
    steps = range(1, 201)
    counts = np.concatenate([poisson.counts(0, [0], t, 5000)[0] for t in steps])
    lo, hi = stats.poisson.ppf([1e-5, 1 - 1e-5], mean).astype(int)
    observed = np.bincount(np.clip(counts, lo, hi) - lo, minlength=hi - lo + 1)
    share = stats.poisson.pmf(np.arange(lo, hi + 1), mean)
    share[0], share[-1] = stats.poisson.cdf(lo, mean), stats.poisson.sf(hi - 1, mean)
    assert stats.chisquare(observed, share / share.sum() * counts.size).pvalue > 1e-3


def test_neurons_steps_samples_and_seeds_are_apart() -> None:
    """Neighbours of every kind are uncorrelated: 1 million pairs, so 5 sigma are 0.005."""
    poisson, size = drive(mean=2.0), 5000
    rows = np.stack([poisson.counts(0, [0, 1], t, size) for t in range(1, 202)])
    other = np.stack([poisson.counts(1, [0], t, size)[0] for t in range(1, 202)])
    own = np.stack([drive(mean=2.0, seed=8).counts(0, [0], t, size)[0] for t in range(1, 202)])
    first = rows[:, 0]
    pairs = {
        "neuron": (first[:, 1:], first[:, :-1]), "64 neurons": (first[:, 64:], first[:, :-64]),
        "step": (first[1:], first[:-1]), "sample": (first, rows[:, 1]),
        "network's seed": (first, other), "own seed": (first, own),
    }  # fmt: skip
    for name, (a, b) in pairs.items():
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.005, name


# -------------------------------------------------------------------------------- engines


MEANS = st.one_of(st.sampled_from([0.0, 0.01, 0.5, 2.0, 20.0, 150.0]), st.floats(0, 40))


@st.composite
def drives(draw: Any) -> tuple[int, tuple[nl.FixedPoisson, ...], int]:
    size = draw(st.sampled_from([1, 5, 16, 63, 64, 65, 250, 257, 300, 530]))
    made = []
    for k in range(draw(st.integers(1, 2))):
        mean: Any = draw(MEANS)
        if draw(st.booleans()):
            kinds = np.array(draw(st.lists(MEANS, min_size=2, max_size=4)))
            mean = kinds[np.arange(size) * len(kinds) // size if draw(st.booleans())
                         else np.arange(size) % len(kinds)]  # fmt: skip
        weight: Any = draw(st.integers(-40, 60))
        if draw(st.booleans()):
            weight = np.random.default_rng(k).integers(-30, 50, size)
        made.append(nl.FixedPoisson(f"d{k}", "p", mean, weight, draw(st.integers(0, 2**32 - 1))))
    return size, tuple(made), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=40, deadline=None)
@given(drives(), st.integers(0, 3))
def test_all_engines_draw_the_same(
    made: tuple[int, tuple[nl.FixedPoisson, ...], int], batch: int
) -> None:
    size, poissons, seed = made
    fixed, steps = network(size, *poissons, seed=seed), 6
    slow = nl.run_semantics(fixed, steps, record="registers")
    given = None
    if batch:
        given = {"s": np.random.default_rng(batch).integers(0, 2, (batch, steps, 3))}
    found = [nl.run_fixed(fixed, steps, given, "registers", engine="numpy")]
    if native() is not None:
        found.append(nl.run_fixed(fixed, steps, given, "registers", engine="kernel"))
        assert_equal(*found)
    if not batch:
        assert_equal(slow, found[0])


@KERNEL
@pytest.mark.parametrize("kind", native().usable_sets() if native() else [])
def test_every_instruction_set_draws_the_same(kind: str) -> None:
    means = np.where(np.arange(1000) < 700, 1.3, 80.0)  # passes, the guide, and a mixed block
    fixed = network(1000, drive(mean=means), drive(name="e", mean=2.0, seed=8, weight=-2))
    before = native().used_set()
    try:
        native().choose_set(kind)
        found = nl.run_fixed(fixed, 8, record="all", engine="kernel")
    finally:
        native().choose_set(before)
    assert_equal(nl.run_fixed(fixed, 8, record="all", engine="numpy"), found)


@KERNEL
def test_threads_and_length_change_nothing() -> None:
    fixed = network(300, drive())
    given = {"s": np.zeros((4, 30, 3), np.int64)}
    one, two = (nl.run_fixed(fixed, 30, given, "all", engine="kernel", threads=k) for k in (1, 2))
    assert_equal(one, two)
    short = nl.run_fixed(fixed, 12, record="all")
    assert np.array_equal(short.traces["p", "v"], one.traces["p", "v"][0, :12])


def test_samples_of_a_batch_have_streams_of_their_own() -> None:
    fixed = network(40, drive(mean=2.0))
    v = nl.run_fixed(fixed, 20, {"s": np.zeros((3, 20, 3), np.int64)}, "all").traces["p", "v"]
    assert len({row.tobytes() for row in v}) == 3


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_the_seed_of_the_network_draws_others(engine: str) -> None:
    runs = [nl.run_fixed(network(40, drive(mean=2.0), seed=seed), 20, record="all", engine=engine)
            for seed in (3, 3, 4)]  # fmt: skip
    assert_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0].traces["p", "v"], runs[2].traces["p", "v"])
    assert runs[2].provenance["seed"] == "4"


def test_it_is_the_same_as_its_own_raster() -> None:
    """What is drawn, played as a direct input, gives the same run."""
    poisson = drive(mean=2.0, weight=-5)
    raster = np.concatenate([poisson.values(0, [0], t, 70) for t in range(1, 31)])
    played = dataclasses.replace(network(70), directs=(nl.DirectInput("d", "p", raster),))
    assert_equal(nl.run_fixed(network(70, poisson), 30, record="all"),
                 nl.run_fixed(played, 30, record="all"))  # fmt: skip


def test_overflow_of_the_sum_is_counted_alike() -> None:
    fixed = network(40, drive(mean=9000.0, weight=12))
    slow = nl.run_semantics(fixed, 4, record="all")
    assert slow.events
    for engine in ("numpy", "auto"):
        assert_equal(slow, nl.run_fixed(fixed, 4, record="all", engine=engine))


# -------------------------------------------------------------------------------- files, certify


def test_a_file_runs_as_before(tmp_path: Path) -> None:
    fixed = network(90, drive(mean=np.linspace(0, 3, 90), weight=np.arange(90)), seed=11)
    nl.save_fixed(fixed, tmp_path / "f.npz")
    loaded = nl.load_fixed(tmp_path / "f.npz")
    assert loaded.poissons[0].seed == 7
    assert_equal(nl.run_fixed(fixed, 20, record="all"), nl.run_fixed(loaded, 20, record="all"))


def test_the_format_says_that_there_is_such_an_input(tmp_path: Path) -> None:
    """A reader that would leave it out must not read the file."""
    for name, poissons, says in (("a", (), "fixed/1"), ("b", (drive(),), "fixed/2")):
        nl.save_fixed(network(5, *poissons), tmp_path / name)
        with np.load(tmp_path / name) as file:
            assert f"neuro-lif-{says}" in str(file["head"])
    np.savez(tmp_path / "c.npz", head=np.array('{"format": "neuro-lif-fixed/3"}'))
    with pytest.raises(FileFormatError, match="neuro-lif-fixed/2"):
        nl.load_fixed(tmp_path / "c.npz")


def test_certify_knows_the_largest_draw() -> None:
    calm = certify(network(20, drive(mean=0.5, weight=10)))
    most = len(poisson_table(0.5)) * 10
    assert calm.verdict == "safe"
    silent = certify(network(20))
    reach = {c: max(int(p.high.max()) for p in x.places if p.register == "u")
             for c, x in (("with", calm), ("without", silent))}  # fmt: skip
    assert reach["with"] - reach["without"] >= most * 64
    assert certify(network(20, drive(mean=9000.0, weight=200))).verdict != "safe"


# -------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mean": -0.1}, "mean = -0.1, allowed: numbers 0..10000"),
        ({"mean": np.nan}, "mean = nan"),
        ({"mean": 1e5}, "mean = 100000"),
        ({"mean": "much"}, "mean = 'much'"),
        ({"mean": [[1.0]]}, "mean = "),
        ({"mean": []}, "mean = "),
        ({"weight": 1.5}, "weight = 1.5, allowed: whole numbers"),
        ({"weight": [[1]]}, "weight = [[1]], allowed: a whole number, or one per neuron"),
        ({"weight": [[1], 2]}, "weight = [[1], 2]"),
        ({"weight": 2**48}, "allowed: largest count times weight up to 2**48"),
        ({"seed": -1}, "seed = -1, allowed: a whole number 0..2**32 - 1"),
        ({"seed": 2**32}, "seed = 4294967296"),
        ({"seed": 1.0}, "seed = 1.0"),
        ({"name": "a/b"}, "name = 'a/b'"),
        ({"port": ""}, "port = ''"),
    ],
)
def test_wrong_fields_are_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RangeError, match=re.escape(says)):
        drive(**changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"population": "q"}, "input 'd': population = 'q', allowed: one of p"),
        ({"port": "gate"}, "input 'd': port = 'gate'"),
        ({"mean": [1.0, 2.0]}, "mean = 'shape (2,)', allowed: a scalar or shape (5,)"),
        ({"weight": [1, 2]}, "weight = 'shape (2,)', allowed: a scalar or shape (5,)"),
        ({"name": "s"}, "name = 's', allowed: a name used once"),
    ],
)
def test_what_does_not_fit_the_network_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RangeError, match=re.escape(says)):
        network(5, drive(**changes))


def test_ports_that_take_events_one_by_one_are_refused() -> None:
    profile = nl.load_profile("xylo-v2")
    found = [(m, q) for m in profile.models for q in profile.event_ports(m)]
    if not found:
        profile = nl.load_profile("dynapcnn")
        found = [(m, q) for m in profile.models for q in profile.event_ports(m)]
    model, port = found[0]
    with pytest.raises(RangeError, match="a port that adds up its input, not one for events"):
        nl.FixedNetwork(profile, (nl.FixedPopulation("p", 3, model),),
                        poissons=(drive(port=port),), enforce_ranges=False)  # fmt: skip


def test_it_takes_no_raster() -> None:
    with pytest.raises(RangeError, match="'d' is unknown, allowed: s"):
        nl.run_fixed(network(5, drive()), 3, {"d": np.ones((3, 5), np.int64)})


def test_targets_refuse_it_by_name() -> None:
    from neuro_lif.targets.plain import refuse_special

    for target, can in (("Lava", ("ports", "noise")), ("Nengo", ("noise",))):
        with pytest.raises(TargetError, match=f"{target} cannot run.*\n?.*input 'd': mean"):
            refuse_special(network(5, drive()), target, can)
