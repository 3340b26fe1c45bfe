"""The Lava target: the real Lava runtime equals the emulator in u, v and spikes at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lava_runs import LAVA_TESTS, kinds, raster, same
from random_fixed import PROFILES, first_difference, merged, random_fixed
from scipy import sparse

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    HardwareProfile,
    load_profile,
    run_fixed,
)
from neuro_lif.network import Probe
from neuro_lif.profile import SIGN_MODES
from neuro_lif.targets.lava import default_timeout, plan_lava, run_lava

pytestmark = LAVA_TESTS
LAVA = load_profile("lava-0.10")


def one_sided(rng: np.random.Generator, rules: Any, mode: str, shape: tuple[int, int]) -> Any:
    lo, hi = rules.mode_range(mode)
    return rng.integers(lo, hi + 1, shape)


def busy(profile: HardwareProfile, name: str, size: int, **params: Any) -> FixedPopulation:
    """Return a population that leaks slowly and fires often."""
    given = {"du": 900, "dv": 200, "vth": 300} | params
    return FixedPopulation(name, size, params=given)


# ----------------------------------------------------------------------------- stock processes


@pytest.mark.parametrize("exponent", [-3, 0, 2])
def test_stock_processes_in_every_sign_mode(exponent: int) -> None:
    """LIF, Dense, Sparse, DelayDense, DelaySparse; recurrent; all sign modes; both shifts."""
    rng = np.random.default_rng(exponent + 9)
    a, b = busy(LAVA, "a", 5), busy(LAVA, "b", 4, bias_mant=rng.integers(0, 90, 4), bias_exp=2)
    projections = []
    for i, mode in enumerate(SIGN_MODES):
        for pre, post, shape in (("s", "a", (5, 6)), ("a", "b", (4, 5)), ("b", "b", (4, 4))):
            weights = one_sided(rng, LAVA.weights, mode, shape)
            delays: Any = rng.integers(0, 6, shape) if i % 2 else 0
            matrix: Any = weights
            if post == "b" and i < 2:
                matrix = sparse.csr_matrix(np.where(rng.random(shape) < 0.6, weights, 0))
                delays = rng.integers(0, 6, matrix.nnz) if i % 2 else 0
            projections.append(
                FixedProjection(
                    f"{pre}{post}{mode}",
                    pre,
                    post,
                    matrix,
                    exponent,
                    mode,
                    weight_bits=8 - i,
                    delays=delays,
                )
            )
    fixed = FixedNetwork(LAVA, (a, b), tuple(projections), (FixedSource("s", 6, raster(1, 6)),))
    assert set(kinds(fixed).values()) == {
        "LIF",
        "Dense",
        "Sparse",
        "DelayDense",
        "DelaySparse",
        "RingBuffer",
    }
    found = same(fixed)
    assert found.spikes["a"].any() and found.spikes["b"].any()


def test_overflow_is_lavas_own() -> None:
    """u wraps, v saturates, a wide bias wraps in int16, decays beyond their range: as Lava does."""
    values = [131071, 131072, 131073, -131071, -131072, -131073, 393217, -393217, 2**25, 2**25 + 5]
    populations = (
        FixedPopulation("wrap", 10, params={"du": 4095}),
        FixedPopulation(
            "bias", 3, params={"bias_mant": [40000, -40000, 4096], "bias_exp": [0, 3, 15]}
        ),
        FixedPopulation(
            "du", 2, params={"du": 4096, "dv": 5000}, init={"u": [4096, -4097], "v": 99}
        ),
        FixedPopulation(
            "edge", 2, params={"du": 0, "vth": 131071}, init={"u": 8388608, "v": 8388607}
        ),
    )
    weights = np.array([[300, -300, 255], [-257, 7, -1]])
    projection = FixedProjection("c", "s", "edge", weights, 7, "mixed")
    fixed = FixedNetwork(
        LAVA,
        populations,
        (projection,),
        (FixedSource("s", 3, raster(2, 3)),),
        (DirectInput("i", "wrap", np.array([values])),),
        enforce_ranges=False,
    )
    found = same(fixed, 12)
    first = found.traces["wrap", "u"][0].tolist()
    assert first == [
        8388544,
        8388608,
        -8388544,
        -8388544,
        8388608,
        8388544,
        8388672,
        -8388672,
        -2130706432,
        -2130706112,
    ]
    lost = [(e.register, e.kind) for e in found.events if e.first_step == 0]
    assert lost == [("bias_mant", "wrap"), ("weights", "clip"), ("weights", "low_bits")]
    assert {(e.where, e.register, e.kind) for e in found.events} >= {
        ("wrap", "u", "wrap_once"), ("wrap", "v", "sat"), ("wrap", "sum", "wrap"),
        ("edge", "u", "wrap_once"), ("edge", "v", "sat"),
    }  # fmt: skip


def test_graded_sources_directs_initial_state_and_lonely_populations() -> None:
    """Payloads with and without ``graded``; inputs shorter and longer than the run."""
    rng = np.random.default_rng(5)
    populations = (
        FixedPopulation(
            "a",
            4,
            params={"du": 500, "dv": 99, "vth": 700},
            init={"u": rng.integers(-9000, 9000, 4), "v": rng.integers(-9000, 9000, 4)},
        ),
        FixedPopulation("lonely", 3, params={"dv": 10, "vth": 9, "bias_mant": 100}),
        FixedPopulation("silent", 2),
    )
    weights = rng.integers(-128, 127, (4, 3)) * 2
    projections = (
        FixedProjection("graded", "s", "a", weights, -2, graded=True),
        FixedProjection("plain", "s", "a", sparse.csr_matrix(weights), -2, delays=3),
        FixedProjection(
            "graded_delay", "s", "a", weights, -4, graded=True, delays=rng.integers(0, 4, 12)
        ),
        FixedProjection("none", "s", "a", sparse.csr_matrix((4, 3), dtype=np.int64)),
    )
    rows = raster(3, 3, top=70) * rng.choice([-1, 1], (40, 3))
    fixed = FixedNetwork(
        LAVA,
        populations,
        projections,
        (FixedSource("s", 3, rows), FixedSource("nowhere", 2)),
        (DirectInput("i", "a", raster(4, 4, n_steps=15, top=90)),),
    )
    same(fixed)
    same(fixed, 25, {"i": raster(9, 4, n_steps=20, top=400)})


# --------------------------------------------------------------------------- own processes


def test_exponent_per_synapse_rides_on_stock_connections() -> None:
    """loihi1 shifts every weight: negative exponents are rounded before, positive ones factored."""
    profile = load_profile("loihi1")
    rng = np.random.default_rng(11)
    projections = tuple(
        FixedProjection(
            f"e{e}",
            "s",
            "a",
            rng.integers(-256, 256, (5, 4)),
            e,
            "mixed",
            delays=rng.integers(0, 5, 20),
        )
        for e in (-3, -1, 0, 4)
    )
    projections += (FixedProjection("back", "a", "a", rng.integers(-99, 99, (5, 5)), -1, "mixed"),)
    population = FixedPopulation("a", 5, params={"du": 700, "dv": 90, "vth": 400, "refract": 4})
    sources = (FixedSource("s", 4, raster(6, 4)),)
    fixed = FixedNetwork(profile, (population,), projections, sources)
    assert {k: v for k, v in kinds(fixed).items() if k.startswith("e")} == dict.fromkeys(
        ["e-3", "e-1", "e0", "e4"], "DelayDense"
    )
    assert same(fixed).spikes["a"].any()


@pytest.mark.parametrize("name", ["loihi2", "generic"])
def test_refractory_period_and_reset_by_subtraction(name: str) -> None:
    """Models Lava does not ship run as operation lists, beside stock connections."""
    profile = load_profile(name)
    models = [m for m in profile.models if any(op["op"] == "tick_ref" for op in profile.ops(m))]
    assert len(models) == {"loihi2": 2, "generic": 4}[name]  # generic: several spikes a step, too
    params = {"du": 300, "dv": 50, "vth": 90, "refract": [1, 2, 5, 9]}
    populations = tuple(FixedPopulation(model, 4, model, params) for model in models)
    weights = np.arange(-6, 10).reshape(4, 4) * 10
    pairs = [("s", models[0]), (models[0], models[1]), (models[1], models[0])]
    pairs += [(models[1], m) for m in models[2:]]
    projections = tuple(
        FixedProjection(f"{a}-{b}", a, b, weights, delays=d) for d, (a, b) in enumerate(pairs)
    )
    fixed = FixedNetwork(profile, populations, projections, (FixedSource("s", 4, raster(8, 4)),))
    assert {kinds(fixed)[m] for m in models} == {"OpListNeuron"}
    assert {kinds(fixed)[p.name] for p in projections} == {"Dense", "DelayDense"}
    found = same(fixed)
    assert all(rows.any() for rows in found.spikes.values())


def wide_network() -> FixedNetwork:
    """Return a network whose sums leave 32 bits and whose delays leave 63 steps."""
    profile = load_profile(
        "generic", weight_bits=16, state_bits=40, sum_bits=40, threshold_bits=30, delay_max=200
    )
    rng = np.random.default_rng(13)
    weights = rng.integers(-(2**15), 2**15, (3, 3)) * 2
    projections = (
        FixedProjection("wide", "s", "a", weights, 15, "mixed"),
        FixedProjection("late", "s", "a", weights, 0, "mixed", delays=rng.integers(0, 90, 9)),
        FixedProjection("back", "a", "a", sparse.csr_matrix(weights), 3, "mixed", delays=2),
    )
    population = FixedPopulation("a", 3, params={"du": 100, "dv": 30, "vth": 2**29, "refract": 3})
    sources = (FixedSource("s", 3, raster(14, 3, 100)),)
    return FixedNetwork(profile, (population,), projections, sources)


def test_wide_sums_long_delays_and_wide_weights() -> None:
    """What Lava's connections cannot hold goes through our own, in 64 bits."""
    fixed = wide_network()
    assert set(kinds(fixed).values()) == {"OpListNeuron", "IntegerSynapses", "RingBuffer"}
    found = same(fixed, 100)
    assert np.abs(found.traces["a", "u"]).max() > 2**32
    assert found.spikes["a"].any()


CONNECTIONS = ("Dense", "DelayDense", "Sparse", "DelaySparse")


@pytest.mark.parametrize("name, exponent, stock", [
    ("lava-0.10", 2, CONNECTIONS), ("lava-0.10", -3, ("Dense", "Sparse")), ("generic", 2, ()),
])  # fmt: skip
def test_graded_sums_beyond_32_bits(name: str, exponent: int, stock: tuple[str, ...]) -> None:
    """Where Lava wraps as the profile does, it may; where not, our own connection steps in."""
    config = {"sum_bits": 40, "state_bits": 40} if name == "generic" else {}
    profile = load_profile(name, **config)
    rng = np.random.default_rng(17)
    weights = rng.integers(-128, 128, (3, 4)) * 2
    projections = tuple(
        FixedProjection(f"{kind.__name__}{delay}", "s", "a", kind(weights), exponent, "mixed",
                        delays=delay, graded=True)
        for kind in (np.asarray, sparse.csr_matrix) for delay in (0, 3)
    )  # fmt: skip
    population = FixedPopulation("a", 3, params={"du": 2000, "dv": 4000})
    sources = (FixedSource("s", 4, raster(18, 4, top=2**28)),)
    fixed = FixedNetwork(profile, (population,), projections, sources)
    chosen = [kinds(fixed)[p.name] for p in projections]
    assert chosen == [kind if kind in stock else "IntegerSynapses" for kind in CONNECTIONS]
    same(fixed)


def test_latencies() -> None:
    """Latency 0 from a source and along a chain, and latencies above 1."""
    weights = np.full((3, 3), 60)
    populations = tuple(busy(LAVA, name, 3, vth=60) for name in "abc")
    projections = (
        FixedProjection("sa", "s", "a", weights, np.int64(0), latency=np.int64(0)),
        FixedProjection("ab", "a", "b", weights, latency=0),
        FixedProjection("bc", "b", "c", weights, np.int64(1), latency=np.int64(3), delays=2),
        FixedProjection("ca", "c", "a", weights - 70, latency=0, delays=1),
        FixedProjection("sc", "s", "c", sparse.csr_matrix(weights), latency=0, delays=4),
    )
    fixed = FixedNetwork(LAVA, populations, projections, (FixedSource("s", 3, raster(15, 3)),))
    assert [kinds(fixed)[k] for k in ("sa", "ab", "bc", "ca", "sc")] == [
        "IntegerSynapses",
        "IntegerSynapses",
        "DelayDense",
        "Dense",
        "DelaySparse",
    ]
    found = same(fixed)
    assert found.spikes["c"].any()


# ------------------------------------------------------------------------------------ batch


@pytest.mark.parametrize("name", ["lava-0.10", "generic"])
def test_batch_equals_the_emulators(name: str) -> None:
    """Samples side by side in one runtime; stock, own and delayed connections."""
    if name == "generic":
        fixed, n_steps = wide_network(), 30
    else:
        fixed, n_steps = random_fixed(np.random.default_rng(2), name, per_neuron=False), 30
        assert "LIF" in kinds(fixed).values() or "Sparse" in kinds(fixed).values()
    width = fixed.sources[0].size
    rows = np.stack([raster(20 + k, width, n_steps) for k in range(3)])
    found = same(fixed, None, {fixed.sources[0].name: rows})
    assert found.spikes[fixed.populations[0].name].shape == (3, n_steps, fixed.populations[0].size)


def test_record_follows_the_probes() -> None:
    """Spikes always, u and v where probed; provenance names the versions."""
    population = busy(LAVA, "a", 2, bias_mant=400)
    fixed = FixedNetwork(LAVA, (population,), probes=(Probe("a", "v"),), dt=5e-4)
    found = run_lava(fixed, 10)
    expected = run_fixed(fixed, 10)
    assert found.traces.keys() == expected.traces.keys() == {("a", "v")}
    assert first_difference(expected, found) is None
    assert found.spikes["a"].dtype == expected.spikes["a"].dtype
    assert found.dt == expected.dt and found.lsb.keys() == expected.lsb.keys()
    assert found.provenance["lava"] == "0.10.0" and found.provenance["python"].startswith("3.10.")
    assert "equal in every spike" in found.provenance["overflow counts"]
    assert found.events == expected.events


# ------------------------------------------------------------------------------- differential


def differential(name: str, seeds: range, n_steps: int = 30) -> None:
    """Hold one run of several random networks against the emulator."""
    networks = [
        random_fixed(np.random.default_rng([seed, len(name)]), name, n_steps, prefix=f"n{seed}_")
        for seed in seeds
    ]
    same(merged(networks), n_steps)


@pytest.mark.parametrize("name", PROFILES)
def test_random_networks(name: str) -> None:
    """Twenty random networks: every step of every u, v and spike."""
    differential(name, range(5))


@pytest.mark.verify
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("first", range(1000, 1100, 5))
def test_many_random_networks(name: str, first: int) -> None:
    """Four hundred more, longer."""
    differential(name, range(first, first + 5), n_steps=120)


# -------------------------------------------------------------------------------------- plan


def test_plan_says_why() -> None:
    """Each choice names the element, the process and the reason."""
    population = FixedPopulation("a", 2, params={"du": [1, 2]})
    fixed = FixedNetwork(LAVA, (population,), (), (FixedSource("s", 2),))
    lines = [str(choice) for choice in plan_lava(fixed)]
    assert lines == [
        "population 'a': Lava's LIF (the operations are Lava's own; du per neuron, where Lava "
        "documents one value)",
        "source 's': Lava's RingBuffer (sent over synapses)",
    ]
    assert default_timeout(fixed, 100) < default_timeout(fixed, 1000)
