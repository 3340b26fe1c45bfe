"""Poisson inputs: statistics, the same spikes in every engine, n_poisson, files and faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import neuro_lif as nl
from neuro_lif.certify import certify
from neuro_lif.drives import n_poisson
from neuro_lif.errors import LoweringError, NetworkError, RangeError
from neuro_lif.fixed import FixedPoisson
from neuro_lif.run_inputs import input_rows
from neuro_lif.spike_inputs import PoissonInput

MS, MV = 1e-3, 1e-3


def net(source: PoissonInput, size: int = 4) -> nl.Network:
    """LIF neurons that a Poisson input drives."""
    weights = 3 * MV * np.random.default_rng(0).normal(1, 0.3, (size, source.size))
    neuron = nl.LIF(tau_m=10 * MS, v_threshold=15 * MV, t_refractory=2 * MS)
    return nl.Network(
        [nl.Population("p", size, neuron)],
        [nl.Projection("s", source.name, "p", weights, nl.Delta(), 2 * MS)],
        [source], [nl.Probe("p", "v")],
    )  # fmt: skip


# -------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("mean", [0.004, 0.08, 0.9, 5.0, 40.0])
def test_counts_are_poisson(mean: float) -> None:
    x = PoissonInput("x", 40, mean / MS, 11).rows(0, 3000, MS)[0].astype(np.int64)
    n = x.size
    assert abs(x.mean() - mean) < 4 * np.sqrt(mean / n)
    # the variance of a Poisson sample's variance is (mu4 - sigma^4) / n, mu4 = 3 mean^2 + mean
    assert abs(x.var() - mean) < 4 * np.sqrt((2 * mean**2 + mean) / n)
    _chi_square(x, stats.poisson(mean))


def _chi_square(x: Any, law: Any) -> None:
    values = np.arange(int(law.ppf(1e-4)), int(law.ppf(1 - 1e-4)) + 1)
    p = np.array([law.cdf(values[0]), *law.pmf(values[1:-1]), law.sf(values[-1] - 1)])
    seen = np.bincount(np.clip(x.ravel(), values[0], values[-1]) - values[0], minlength=len(p))
    keep = p * x.size >= 5
    p, seen = np.append(p[keep], p[~keep].sum()), np.append(seen[keep], seen[~keep].sum())
    p, seen = p[p > 0], seen[p > 0]
    assert stats.chisquare(seen, p / p.sum() * x.size).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.004, 0.3, 1.0, 0.0])
def test_bernoulli_spikes_have_their_probability(p: float) -> None:
    x = PoissonInput("x", 40, p / MS, 11, "bernoulli").rows(0, 3000, MS)[0]
    assert set(np.unique(x)) <= {0, 1}
    assert abs(x.mean() - p) <= 4 * np.sqrt(p * (1 - p) / x.size)
    runs = np.diff(np.flatnonzero(x[:, 0]))  # the waiting times are geometric
    if p == 0.3:
        assert abs(runs.mean() - 1 / p) < 4 * np.sqrt((1 - p) / p**2 / len(runs))


@pytest.mark.parametrize("draw", ["counts", "bernoulli"])
def test_channels_steps_samples_and_seeds_are_independent(draw: Any) -> None:
    def drawn(seed: int, sample: int = 0) -> Any:
        rows = PoissonInput("x", 30, 100.0, seed, draw).rows(0, 5000, MS, (sample,))[0]
        return (rows - rows.mean()) / rows.std()

    x = drawn(1)
    r = np.corrcoef(x.T)[np.triu_indices(30, 1)]
    assert np.abs(r).max() < 4.5 / np.sqrt(5000) and abs(r.mean()) < 4 / np.sqrt(5000 * 435)
    for other in (np.roll(x, 1, 0), np.roll(x, 7, 0), drawn(2), drawn(1, 1)):
        assert abs(np.mean(x * other)) < 4 / np.sqrt(x.size)


def test_an_event_by_counts_is_a_spike_by_bernoulli() -> None:
    counts, spikes = (PoissonInput("x", 9, 300.0, 3, draw).rows(0, 900, MS)[0]
                      for draw in ("counts", "bernoulli"))  # fmt: skip
    assert (spikes >= (counts > 0)).all() and (spikes > (counts > 0)).any()


def test_rates_per_channel_and_in_time() -> None:
    x = PoissonInput("x", 3, [0.0, 50.0, 400.0], 5).rows(0, 20000, MS)[0].mean(0) / MS
    assert x[0] == 0 and abs(x[1] - 50) < 4 * np.sqrt(50 / 20) and abs(x[2] - 400) < 4 * 4.5
    rate = np.array([[100.0], [0.0], [500.0]])
    rows = PoissonInput("x", 200, rate, 5, interval=20 * MS).rows(0, 80, MS)[0]
    for k, want in enumerate([100.0, 0.0, 500.0, 0.0]):  # 0 after the last
        got = rows[20 * k : 20 * k + 20].mean() / MS
        assert abs(got - want) <= 4 * np.sqrt(want / (200 * 20 * MS))
    own = np.array([[0.0, 900.0], [900.0, 0.0]])
    rows = PoissonInput("x", 2, own, 5, interval=0.1).rows(0, 200, MS)[0]
    assert not rows[:100, 0].any() and not rows[100:, 1].any() and rows[:100, 1].any()


def test_the_counts_are_those_of_a_fixed_poisson() -> None:
    """One definition: an input lowered by hand to FixedPoisson has the same counts."""
    rate = np.linspace(0, 700, 300)
    rows = PoissonInput("x", 300, rate, 77).rows(0, 20, MS, (0, 3))
    drive = FixedPoisson("x", "p", rate * MS, 1, 77)
    for t in range(20):
        np.testing.assert_array_equal(rows[:, t], drive.counts(0, (0, 3), t + 1, 300))
    assert rows[1, 4, 299] == drive.count(0, 3, 5, 299)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 300), st.integers(0, 2**32 - 1), st.sampled_from(["counts", "bernoulli"]),
    st.lists(st.integers(1, 30), min_size=1, max_size=5), st.booleans(), st.data(),
)  # fmt: skip
def test_any_blocks_in_any_order_give_the_same(
    size: int, seed: int, draw: Any, blocks: list[int], in_time: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    levels = np.array([0.0, 20.0, 333.0, 900.0])  # few, for each has a table of its own
    rate = rng.choice(levels, (4, size) if in_time else size)
    x = PoissonInput("x", size, rate, seed, draw, 7.5 * MS if in_time else None)
    ends, samples = np.cumsum([0, *blocks]), (0, 1, 5)
    whole = x.rows(0, int(ends[-1]), MS, samples)
    for k in data.draw(st.permutations(range(len(blocks)))):
        a, b = int(ends[k]), int(ends[k + 1])
        np.testing.assert_array_equal(x.rows(a, b, MS, samples), whole[:, a:b])
    for k, sample in enumerate(samples):
        np.testing.assert_array_equal(x.rows(0, int(ends[-1]), MS, (sample,))[0], whole[k])
    fewer = PoissonInput("x", 1, rate[..., :1], seed, draw, x.interval)
    np.testing.assert_array_equal(fewer.rows(0, 9, MS)[..., 0], x.rows(0, 9, MS)[..., 0])
    assert whole.max() <= x.most(MS)


# ------------------------------------------------------------- the same spikes in every engine


@pytest.mark.parametrize("draw", ["counts", "bernoulli"])
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_described_input_is_its_raster(draw: Any, engine: str) -> None:
    """Drawn as the run goes, or handed over as an array: the same spikes and V, bit for bit."""
    source = PoissonInput("x", 20, 150.0, 8, draw)
    rows = source.rows(0, 400, MS)[0]
    stepped = nl.discretize(net(source), MS)
    drawn = nl.run_clocked(stepped, 400, engine=engine)
    given_ = nl.run_clocked(stepped, 400, {"x": rows}, engine=engine)
    np.testing.assert_array_equal(drawn.volts("p"), given_.volts("p"))
    assert drawn.spikes["p"].sum() > 10
    fixed = nl.quantize(stepped, "loihi2")
    np.testing.assert_array_equal(input_rows(fixed, {}, 1, 400)["x"][0], rows)
    runs = [nl.run_fixed(fixed, 400, engine=engine), nl.run_semantics(fixed, 400),
            nl.run_fixed(fixed, 400, {"x": rows}, engine=engine)]  # fmt: skip
    for run in runs[1:]:
        np.testing.assert_array_equal(runs[0].trace("p", "v"), run.trace("p", "v"))
        assert runs[0].events == run.events
    # common random numbers: the integers follow the float run, spike by spike
    assert abs(int(runs[0].spikes["p"].sum()) - int(drawn.spikes["p"].sum())) <= 3
    assert (runs[0].spikes["p"] != drawn.spikes["p"]).sum() <= 8


def test_a_batch_draws_for_every_sample() -> None:
    source = PoissonInput("x", 5, 300.0, 8, "bernoulli")
    described = net(source)
    described = nl.Network(described.populations, described.projections,
                           [source, nl.CurrentInput("i", "p")], described.probes)  # fmt: skip
    stepped = nl.discretize(described, MS)
    zeros = {"i": np.zeros((3, 60, 4))}
    runs = [nl.run_clocked(stepped, inputs=zeros, engine=e).volts("p") for e in ("numpy", "auto")]
    np.testing.assert_array_equal(*runs)
    for k in range(3):
        given_ = {"x": source.rows(0, 60, MS, (k,))[0]}
        np.testing.assert_array_equal(runs[0][k], nl.run_clocked(stepped, 60, given_).volts("p"))
    assert not np.array_equal(runs[0][0], runs[0][1])
    fixed = nl.quantize(stepped, "loihi2")
    runs = [nl.run_fixed(fixed, inputs={"i": zeros["i"].astype(int)}, engine=e).trace("p", "v")
            for e in ("numpy", "auto")]  # fmt: skip
    np.testing.assert_array_equal(*runs)
    one = {"x": source.rows(0, 60, MS, (2,))[0]}
    np.testing.assert_array_equal(runs[0][2], nl.run_fixed(fixed, 60, one).trace("p", "v"))


def test_counts_a_chip_cannot_carry_are_refused_by_name() -> None:
    source = PoissonInput("x", 5, 300.0, 8)
    with pytest.raises(LoweringError, match="input 'x' may send .* draw=\"bernoulli\""):
        nl.quantize(nl.discretize(net(source), MS), "loihi1")
    single = PoissonInput("x", 5, 300.0, 8, "bernoulli")
    fixed = nl.quantize(nl.discretize(net(single), MS), "loihi1")
    assert not nl.run_fixed(fixed, 200).events
    near = nl.quantize(nl.discretize(net(source), MS), "loihi1", approximate=["counts"])
    runs = [nl.run_fixed(near, 300, engine=e) for e in ("numpy", "auto")]
    rows = source.rows(0, 300, MS)[0]
    expected = nl.run_fixed(near, 300, {"x": rows}).events
    assert runs[0].events == runs[1].events == expected == nl.run_semantics(near, 300).events
    event = next(e for e in expected if e.kind == "binary")
    assert event.count == (rows > 1).sum()
    assert event.first_step == np.flatnonzero((rows > 1).any(1))[0] + 1
    for engine in ("numpy", "auto"):
        with pytest.raises(RangeError, match=f"in step {event.first_step}"):
            nl.run_fixed(near, 300, strict=True, engine=engine)
        nl.run_fixed(near, event.first_step - 1, strict=True, engine=engine)


def test_a_certificate_knows_how_many_may_come() -> None:
    source = PoissonInput("x", 3, 20.0, 8)
    fixed = nl.quantize(nl.discretize(net(source), MS), "loihi2")
    told = certify(fixed)
    assert fixed.sources[0].reach == source.most(MS) > 1
    assert "x: 0.." + str(source.most(MS)) in str(told)


# ----------------------------------------------------------------------------- n_poisson


def test_orhans_sources() -> None:
    """Spec: figure 3: 25 sources of 40 Hz, weights ~ N(1.62, 0.5) mV: I 16.2 +- 3.791042 mV.

    As coded, an exponential of 10 ms: what a delta synapse leaves on a membrane of 10 ms.
    """
    size, tau, dt, rate = 400, 10 * MS, 0.2 * MS, 40.0
    source, projection = n_poisson("x", 25, rate, "p", size, mean=1.62 * MV, sd=0.5 * MV, seed=5,
                                   own=True)  # fmt: skip
    net_ = nl.Network([nl.Population("p", size, nl.LI(tau_m=tau))], [projection], [source],
                      [nl.Probe("p", "v")])  # fmt: skip
    current = nl.run_clocked(nl.discretize(net_, dt), 3000).volts("p")[500::100] / MV  # 2 tau apart
    weights = projection.weights.data.reshape(size, 25) / MV
    a = np.exp(-dt / tau)
    mean = weights.sum(1) * rate * dt / (1 - a)
    variance = (weights**2).sum(1) * rate * dt / (1 - a**2)
    # these closed forms of the grid are the text's numbers where dt goes to 0
    assert 25 * rate * tau * 1.62 == pytest.approx(16.2, rel=1e-12)
    assert np.sqrt(25 * rate * tau / 2 * (1.62**2 + 0.5**2)) == pytest.approx(3.791042, abs=5e-7)
    z = (current - mean) / np.sqrt(variance)
    correlated = np.sqrt((1 + a**100) / (1 - a**100))
    assert abs(z.mean()) < 4 * correlated / np.sqrt(z.size)
    kurtosis = 3 + (weights**4).sum(1) * rate * dt / (1 - a**4) / variance**2  # of shot noise
    assert abs(z.var() - 1) < 4 * correlated * np.sqrt((kurtosis.mean() - 1) / z.size)
    assert abs(current.mean() - 16.2) < 0.35 and abs(current.std() - 3.79) < 0.4


def test_weights_of_n_poisson() -> None:
    source, projection = n_poisson("x", 25, 40.0, "p", 2000, mean=1.62, sd=0.5, seed=5)
    w = projection.weights
    assert (source.size, w.shape, projection.name) == (25, (2000, 25), "x_p")
    assert abs(w.mean() - 1.62) < 4 * 0.5 / np.sqrt(w.size)
    assert abs(w.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * w.size)
    assert stats.kstest((w.ravel() - 1.62) / 0.5, "norm").pvalue > 1e-4
    source, own = n_poisson("x", 25, 40.0, "p", 20, mean=1.62, sd=0.5, seed=5, own=True)
    assert source.size == 500 and own.weights.shape == (20, 500)
    np.testing.assert_array_equal(own.weights.data.reshape(20, 25), w[:20])
    assert (np.diff(own.weights.indptr) == 25).all()
    assert own.weights[3].indices.tolist() == list(range(75, 100))


# ------------------------------------------------------------------------ files, recordings


def sources() -> Any:
    """Poisson inputs of four channels."""
    rate = st.floats(0, 900)
    return st.one_of(
        st.builds(PoissonInput, st.just("x"), st.just(4), st.one_of(
            rate, st.lists(rate, min_size=4, max_size=4)), st.integers(0, 2**32 - 1),
            st.sampled_from(["counts", "bernoulli"])),
        st.builds(PoissonInput, st.just("x"), st.just(4),
                  st.lists(st.lists(rate, min_size=4, max_size=4), min_size=1, max_size=9),
                  st.integers(0, 2**32 - 1), interval=st.just(5 * MS)),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(source=sources())
def test_files_keep_the_input(
    source: PoissonInput, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("net")
    described = net(source)
    nl.save_network(described, folder / "net.toml")
    loaded = nl.load_network(folder / "net.toml").spike_inputs[0]
    assert isinstance(loaded, PoissonInput)
    rows = source.rows(0, 60, MS)
    np.testing.assert_array_equal(loaded.rows(0, 60, MS), rows)
    fixed = nl.quantize(nl.discretize(described, MS), "loihi2")
    nl.save_fixed(fixed, folder / "net.npz")
    again = nl.load_fixed(folder / "net.npz")
    np.testing.assert_array_equal(input_rows(again, {}, 1, 60)["x"], rows)


def test_a_file_by_hand(tmp_path: Path) -> None:
    text = """format = "neuro-lif-network/1"
[populations.p]
size = 1
neuron = "LIF"
tau_m = "10 ms"
[inputs.x]
kind = "poisson"
size = 25
rate = "40 Hz"
seed = 3
[projections.s]
pre = "x"
post = "p"
weights = { value = "1 mV", all_to_all = true }
[inputs.i]
kind = "current"
population = "p"
stimulus = { kind = "sum", terms = [{ kind = "constant", amplitude = "1 nA" },
    { kind = "gaussian", mean = 0, sd = 2e-11, per = "white", seed = 4 }] }
"""
    # an inline table stands on one line in TOML 1.0
    (tmp_path / "n.toml").write_text(text.replace("},\n   ", "},"))
    loaded = nl.load_network(tmp_path / "n.toml")
    poisson = loaded.spike_inputs[0]
    assert isinstance(poisson, PoissonInput) and float(poisson.rate) == 40.0  # type: ignore[arg-type]
    assert poisson.draw == "counts" and poisson.seed == 3
    for wrong, says in (
        ("-40 Hz", "rate = -40"),
        ("40 mV", "rate = '40 mV', allowed: a frequency"),
    ):
        (tmp_path / "w.toml").write_text(text.replace("},\n   ", "},").replace("40 Hz", wrong))
        with pytest.raises(nl.NeuroLifError, match=f"inputs.x.{says}"):
            nl.load_network(tmp_path / "w.toml")


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_run_is_repeated_from_what_was_recorded(engine: str, tmp_path: Path) -> None:
    source = PoissonInput("x", 6, 300.0, 8, "bernoulli")
    noise = nl.stimulus.GaussianNoise(1 * MV, 5 * MV, 4)
    described = net(source)
    current = nl.CurrentInput("i", "p", noise)
    described = nl.Network(described.populations, described.projections, [source, current],
                           described.probes)  # fmt: skip
    stepped = nl.discretize(described, MS)
    fixed = nl.quantize(stepped, "loihi2")
    for run, net_ in ((nl.run_clocked, stepped), (nl.run_fixed, fixed)):
        first: Any = run(net_, 200, engine=engine, record_inputs=True)  # type: ignore[operator]
        assert "seed=8, Threefry" in first.provenance["input x"]
        assert "per=step, seed=4, Threefry" in first.provenance["input i"]
        first.save(tmp_path / "r.npz")
        inputs = nl.Recording.load(tmp_path / "r.npz").inputs
        np.testing.assert_array_equal(inputs["x"], source.rows(0, 200, MS)[0])
        second: Any = run(net_, inputs=inputs, engine=engine)  # type: ignore[operator]
        np.testing.assert_array_equal(first.trace("p", "v"), second.trace("p", "v"))
        assert "input x" not in second.provenance
        assert not run(net_, 5, engine=engine).inputs  # type: ignore[operator]


# ---------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rate": -1.0}, "input 'x': rate = -1.0, allowed: >= 0 Hz"),
        ({"rate": [1.0, 2.0]}, r"rate = 'shape \(2,\)', allowed: a scalar, shape \(3,\) or"),
        ({"rate": np.ones((5, 2))}, r"rate = 'shape \(5, 2\)'"),
        ({"rate": np.ones((5, 3))}, "interval = None, allowed: a time, s, exactly where"),
        ({"interval": 1.0}, "interval = 1.0, allowed: a time, s, exactly where"),
        ({"rate": np.ones((5, 3)), "interval": -1.0}, "interval = -1.0, allowed: one time > 0 s"),
        ({"rate": np.nan}, "rate = nan, allowed: finite"),
        ({"seed": -1}, r"seed = -1, allowed: a whole number 0..2\*\*32 - 1"),
        ({"seed": True}, "seed = True"),
        ({"draw": "poisson"}, 'draw = \'poisson\', allowed: "counts" or "bernoulli"'),
        ({"size": 0}, "size = 0, allowed: a whole number >= 1"),
        ({"name": "a b"}, "name = 'a b'"),
    ],
)
def test_faults(change: dict[str, Any], says: str) -> None:
    fields: dict[str, Any] = {"name": "x", "size": 3, "rate": 10.0, "seed": 1}
    with pytest.raises(NetworkError, match=says):
        PoissonInput(**fields | change)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_probability_above_one_is_refused(engine: str) -> None:
    stepped = nl.discretize(net(PoissonInput("x", 3, 2000.0, 1, "bernoulli")), MS)
    says = r"input 'x': rate \* dt = 2000 Hz \* 0.001 s = 2, allowed .*shorten dt to 0.0005 s"
    with pytest.raises(RangeError, match=says):
        nl.run_clocked(stepped, 10, engine=engine)
    with pytest.raises(RangeError, match=says):
        nl.quantize(stepped, "loihi2")
    nl.run_clocked(stepped, 10, {"x": np.ones((10, 3), int)}, engine=engine)  # it is not drawn
    many = nl.discretize(net(PoissonInput("x", 3, 2e7, 1)), MS)
    with pytest.raises(RangeError, match="allowed: at most 10000 events"):
        nl.run_clocked(many, 10)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"n": 0}, "n = 0, allowed"), ({"size": 1.5}, "size = 1.5"), ({"sd": -1}, "sd = -1, allowed"),
     ({"mean": [1, 2]}, "mean = .*one number"), ({"seed": 2**32}, "seed = ")],
)  # fmt: skip
def test_faults_of_n_poisson(change: dict[str, Any], says: str) -> None:
    args: dict[str, Any] = {"n": 3, "rate": 1.0, "post": "p", "size": 2, "mean": 1.0, "sd": 0.1,
                            "seed": 1}  # fmt: skip
    with pytest.raises(NetworkError, match=f"n_poisson 'x': {says}"):
        n_poisson("x", **args | change)


# ----------------------------------------------------------------------------------- Nengo


def test_nengo_plays_the_same_numbers() -> None:
    """Stock ensembles and the chip's integers inside Nengo draw what our engines draw."""
    target = pytest.importorskip("neuro_lif.targets.nengo")
    source = PoissonInput("x", 4, 200.0, 8, "bernoulli")
    noise = nl.stimulus.GaussianNoise(1 * MV, 5 * MV, 4)
    base = net(source)
    described = nl.Network(base.populations, base.projections,
                           [source, nl.CurrentInput("i", "p", noise)], base.probes)  # fmt: skip
    stepped = nl.discretize(described, MS)
    rows = {"x": source.rows(0, 300, MS)[0], "i": noise.rows(0, 300, MS, 4)[0]}
    drawn, played = (target.run_nengo(described, MS, 300, inputs) for inputs in (None, rows))
    np.testing.assert_array_equal(drawn.volts("p"), played.volts("p"))
    assert drawn.spikes["p"].any()
    fixed = nl.quantize(stepped, "loihi2")
    ours = nl.run_fixed(fixed, 300)
    theirs = target.run_nengo_fixed(fixed, 300)
    np.testing.assert_array_equal(ours.trace("p", "v"), theirs.trace("p", "v"))
    assert ours.spikes["p"].any()


# -------------------------------------------------------------------------- batches of draws


@pytest.mark.parametrize("engine", ["kernel", "numpy"])
def test_a_batch_needs_no_inputs(engine: str) -> None:
    stepped = nl.discretize(net(PoissonInput("x", 8, 300.0, 4)), MS)
    fixed = nl.quantize(stepped, "loihi2")
    kept: dict[str, Any] = {"engine": engine, "record": "all", "record_inputs": True}
    chip, reference = (
        nl.run_fixed(fixed, 60, batch=5, **kept),
        nl.run_clocked(stepped, 60, batch=5, **kept),
    )
    assert chip.spikes["p"].shape == reference.spikes["p"].shape == (5, 60, 4)
    np.testing.assert_array_equal(chip.inputs["x"], reference.inputs["x"])
    assert len({chip.inputs["x"][k].tobytes() for k in range(5)}) == 5  # draws of their own
    for run, call, network in ((chip, nl.run_fixed, fixed), (reference, nl.run_clocked, stepped)):
        alone = call(network, 60, engine=engine, record="all")  # type: ignore[operator]
        again = call(network, 60, {"x": run.inputs["x"]}, engine=engine, record="all")  # type: ignore[operator]
        for name in ("u", "v"):
            np.testing.assert_array_equal(run.traces["p", name][0], alone.traces["p", name])
            np.testing.assert_array_equal(run.traces["p", name], again.traces["p", name])
    same = nl.run_fixed(fixed, 60, {"x": chip.inputs["x"][2]}, batch=3, engine=engine)
    for k in range(3):  # one raster for all
        np.testing.assert_array_equal(same.spikes["p"][k], chip.spikes["p"][2])


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_wrong_batch_is_refused(wrong: Any) -> None:
    stepped = nl.discretize(net(PoissonInput("x", 8, 300.0, 4)), MS)
    for call, network in (
        (nl.run_clocked, stepped),
        (nl.run_fixed, nl.quantize(stepped, "loihi2")),
    ):
        with pytest.raises(RangeError, match=r"batch = .*allowed: a whole number >= 1"):
            call(network, 5, batch=wrong)  # type: ignore[operator]
        with pytest.raises(RangeError, match="batch = 2, allowed: 3"):
            call(network, None, {"x": np.zeros((3, 4, 8), np.uint8)}, batch=2)  # type: ignore[operator]
