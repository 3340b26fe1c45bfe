"""Currents as described: values of the source texts, statistics, blocks of any size, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

import neuro_lif as nl
from neuro_lif.draws import normals, threefry
from neuro_lif.errors import NetworkError, RangeError
from neuro_lif.stimulus import (
    Constant,
    GaussianNoise,
    Sampled,
    Sinusoid,
    Stimulus,
    Sum,
    Triangle,
    Window,
    triangle_samples,
)

MS, MV, NA, MOHM = 1e-3, 1e-3, 1e-9, 1e6


def driven(
    stimulus: Stimulus | None, neuron: Any, dt: float, n_steps: int, size: int = 1,
    rule: str = "exact", inputs: Any = None,
) -> Any:  # fmt: skip
    """V of a population under a current, in V ``([batch,] n_steps, size)``."""
    net = nl.Network(
        [nl.Population("p", size, neuron)], (), [nl.CurrentInput("i", "p", stimulus)],
        [nl.Probe("p", "v")],
    )  # fmt: skip
    return nl.run_clocked(nl.discretize(net, dt, rule), n_steps, inputs).volts("p")


# ------------------------------------------------------------------ the blog's table

BLOG = nl.LIF(tau_m=10 * MS, resistance=10 * MOHM, v_rest=-65 * MV, v_threshold=-50 * MV)
"""Spec: blog "Testing Input Models in the LIF Neuron": dt = 1 ms, Euler, spike at V >= -50 mV."""

TABLE = np.array([
    # V const, V sin,    I noise, V noise,  spike, V Poisson
    [-65.000, -65.000, 1.152, -65.000, 0, -65.000],
    [-63.500, -64.200, 0.480, -63.848, 0, -65.000],
    [-62.150, -63.233, 1.375, -63.483, 0, -65.000],
    [-60.935, -62.139, 1.470, -62.259, 0, -65.000],
    [-59.842, -60.978, 0.024, -61.063, 0, -65.000],
    [-58.857, -59.819, 0.349, -61.432, 0, -65.000],
    [-57.972, -58.738, 1.064, -61.440, 1, -65.000],
    [-57.174, -57.803, 0.842, -60.732, 0, -64.400],
    [-56.457, -57.075, 0.992, -60.317, 0, -64.460],
    [-55.811, -56.598, 0.573, -59.794, 0, -64.514],
    [-55.230, -56.391, 1.440, -59.741, 0, -64.563],
])  # fmt: skip
"""t = 0 .. 10 ms; V before the update of its row, as the table (not the pseudocode) has it."""


def before_update(stimulus: Stimulus) -> Any:
    """V of rows 0..10: a recording holds V after each step, the table V before it."""
    after = driven(stimulus, BLOG, 1 * MS, 10, rule="euler-ge")[:, 0]
    return np.concatenate([[-65 * MV], after]) / MV


def blog_columns() -> list[Any]:
    """The six columns, mV and nA; numpy's own stream through explicit arrays."""
    rng = np.random.default_rng(42)
    z, u = rng.standard_normal(11), rng.random(11)
    noise, spikes = 1.0 + 0.5 * z, (u < 100 * MS).astype(float)  # 100 Hz in steps of 1 ms
    return [
        before_update(Constant(1.5 * NA)),
        before_update(Sinusoid.raised(0.8 * NA, 20 * MS)),
        noise,
        before_update(Sampled(noise[:, None] * NA, 1 * MS)),
        spikes,
        before_update(Sampled(0.6 * NA * spikes[:, None], 1 * MS)),  # a pulse of one step
    ]


def test_all_six_columns_of_the_blogs_table() -> None:
    np.testing.assert_allclose(np.stack(blog_columns(), 1), TABLE, atol=0.0005 + 1e-9, rtol=0)


def test_blog_values_to_nine_decimals() -> None:
    const, sin, i_noise, v_noise, spikes, v_poisson = blog_columns()
    k = np.arange(11)
    np.testing.assert_allclose(const, -65 + 15 * (1 - 0.9**k), atol=1e-9)
    np.testing.assert_allclose(sin[[2, 5, 10]], [-63.232786405, -59.819478996, -56.390676003],
                               atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(i_noise[[0, 4, 10]], [1.15235854, 0.024482406, 1.439698987],
                               atol=1e-8)  # fmt: skip
    np.testing.assert_allclose(v_noise[[1, 6, 10]], [-63.847641460, -61.440198009, -59.740976821],
                               atol=1e-9)  # fmt: skip
    assert np.flatnonzero(spikes).tolist() == [6]
    np.testing.assert_allclose(v_poisson[7:], [-64.4, -64.46, -64.514, -64.5626], atol=1e-9)


def test_the_table_is_told_by_its_noise() -> None:
    """Another seed gives another table: the comparison can fail."""
    z = np.random.default_rng(43).standard_normal(11)
    other = before_update(Sampled((1.0 + 0.5 * z)[:, None] * NA, 1 * MS))
    assert np.abs(other - TABLE[:, 3]).max() > 0.5


def test_the_blogs_sinusoid_never_spikes() -> None:
    v = driven(Sinusoid.raised(0.8 * NA, 20 * MS), BLOG, 1 * MS, 400, rule="euler-ge")
    transfer = 0.8 / (np.exp(2j * np.pi / 20) - 0.9)  # of the map V -> 0.9 V + 0.1 (...)
    closed = -57 + (transfer * np.exp(2j * np.pi * np.arange(20) / 20)).imag.max()
    assert closed == pytest.approx(-54.474614341, abs=1e-9)
    assert v.max() / MV == pytest.approx(closed, abs=1e-9)


# ------------------------------------------------------------------------- the triangle


def test_the_books_triangle() -> None:
    """Its times go one step too far, so there are 502 samples; 501 were meant."""
    assert len(np.arange(0, 0.05 + 0.0001, 0.0001)) == 502
    even = 2e-4 * triangle_samples(502)
    assert even[0] == pytest.approx(3.98406374502e-7, rel=1e-11)
    assert np.flatnonzero(even == even.max()).tolist() == [250, 251]
    assert even.max() == pytest.approx(1.99601593625e-4, rel=1e-11)
    odd = 2e-4 * triangle_samples(501)
    assert odd[0] == pytest.approx(7.96812749e-7, rel=1e-8)
    assert odd.max() == 2e-4 and odd.argmax() == 250
    stimulus = Sampled.triangle(502, 2e-4, 1e-4)
    np.testing.assert_array_equal(stimulus.rows(0, 502, 1e-4, 1)[0, :, 0], even)


@given(st.integers(1, 200), st.booleans())
def test_triangle_samples_are_scipys(n: int, symmetric: bool) -> None:
    np.testing.assert_allclose(
        triangle_samples(n, symmetric), signal.windows.triang(n, sym=symmetric), atol=1e-15
    )


def test_a_triangle_in_continuous_time() -> None:
    wave = Triangle([1.0, 2.0], 10.0, start=5.0)
    times = np.array([4.0, 5.0, 7.5, 10.0, 12.5, 15.0, 16.0])
    out = wave.sample(times, 2)
    assert out[:, 0].tolist() == [0, 0, 0.5, 1, 0.5, 0, 0]
    np.testing.assert_array_equal(out[:, 1], 2 * out[:, 0])


# ---------------------------------------------------------------------------- noise

ORHAN = nl.LI(tau_m=10 * MS)
"""Spec: Orhan (2012), tau = 10 ms; V = I (R = 1)."""


@pytest.mark.parametrize(("rule", "sd"), [("exact", 0.353551917466), ("euler", 0.354440602504)])
def test_the_free_potential_of_orhans_figure_2(rule: str, sd: float) -> None:
    """I ~ N(15, 5) per 0.1 ms: an AR(1) with a = exp(-dt/tau) or 1 - dt/tau."""
    dt, n = 0.1 * MS, 400
    a = np.exp(-0.01) if rule == "exact" else 1 - 0.01
    assert 5 * np.sqrt((1 - a) ** 2 / (1 - a**2)) == pytest.approx(sd, rel=1e-11)
    noise = GaussianNoise(15 * MV, 5 * MV, seed=3)
    v = driven(noise, ORHAN, dt, 6000, n, rule)[1000::500] / MV  # apart by 5 tau
    got, count = v.std(ddof=1), v.size
    assert abs(got - sd) < 4 * sd / np.sqrt(2 * (count - 1)) * 1.01
    assert abs(v.mean() - 15) < 4 * sd / np.sqrt(count) * 1.01
    white = noise.as_white(dt)
    assert float(white.sd) / np.sqrt(10 * MS) / MV == pytest.approx(0.5, rel=1e-12)


def test_white_noise_does_not_depend_on_the_step() -> None:
    """sigma = R A / sqrt(tau); V alone has sigma / sqrt(2), less (dt / tau)^2 / 24."""
    tau, sigma, n = 10 * MS, 2 * MV, 300
    found = []
    for dt, seed in ((1 * MS, 1), (0.2 * MS, 2), (0.05 * MS, 3)):
        noise = GaussianNoise(0.0, sigma * np.sqrt(tau), seed, per="white")
        every = round(5 * tau / dt)
        v = driven(noise, ORHAN, dt, 16 * every, n)[every::every]
        exact = sigma * np.sqrt(0.5) * np.sqrt(np.tanh(dt / 2 / tau) / (dt / 2 / tau))
        assert abs(v.std(ddof=1) / exact - 1) < 4 / np.sqrt(2 * v.size)
        found.append(v.std(ddof=1))
    assert max(found) / min(found) < 1 + 8 / np.sqrt(2 * 15 * n) + 1e-3
    step = GaussianNoise(0.0, 5 * MV, 4)  # per step: the finer, the less
    wide, fine = (driven(step, ORHAN, dt, 2000, 100)[1000::200].std() for dt in (1e-3, 1e-4))
    assert wide / fine == pytest.approx(np.sqrt(10), rel=0.15)


def test_the_numbers_are_normal_and_independent() -> None:
    z = normals(7, 0, 0, 4000, 25)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    assert abs(z.mean()) < 4 / np.sqrt(z.size) and abs(z.var() - 1) < 4 * np.sqrt(2 / z.size)
    r = np.corrcoef(z.T)[np.triu_indices(25, 1)]  # neurons
    assert np.abs(r).max() < 4.5 / np.sqrt(len(z)) and abs(r.mean()) < 4 / np.sqrt(len(z) * 300)
    in_time = np.mean(z[1:] * z[:-1])
    assert abs(in_time) < 4 / np.sqrt(z.size)
    for other in (normals(8, 0, 0, 4000, 25), normals(7, 1, 0, 4000, 25)):
        assert abs(np.mean(z * other)) < 4 / np.sqrt(z.size)


def test_a_normal_number_by_its_definition() -> None:
    for t, i in ((0, 0), (5, 3), (2**33 + 1, 8)):
        words = threefry((i // 2, t % 2**32, t >> 32, 0), (9, 0, 2, 1))
        k = words[2 * (i % 2)] * 2**20 + words[2 * (i % 2) + 1] // 2**12
        assert normals(9, 2, t, t + 1, 9)[0, i] == stats.norm.ppf((k + 0.5) / 2**52)


def test_shared_noise_and_noise_held_for_an_interval() -> None:
    shared = GaussianNoise(0.0, [1.0, 2.0], 5, shared=True).rows(0, 50, MS, 2)[0]
    np.testing.assert_allclose(shared[:, 1], 2 * shared[:, 0])
    held = GaussianNoise(1.0, 1.0, 5, interval=1 * MS)
    fine, coarse = held.rows(0, 100, 0.1 * MS, 3)[0], held.rows(0, 10, 1 * MS, 3)[0]
    np.testing.assert_array_equal(fine, np.repeat(coarse, 10, axis=0))
    np.testing.assert_array_equal(fine, held.sample(np.arange(100) * 0.1 * MS, 3))


def test_samples_of_a_batch_have_noise_of_their_own() -> None:
    noise = GaussianNoise(0.0, 1.0, 5)
    rows = noise.rows(3, 9, MS, 4, (0, 1, 2))
    assert rows.shape == (3, 6, 4) and len(np.unique(rows)) == rows.size
    np.testing.assert_array_equal(rows[1:2], noise.rows(3, 9, MS, 4, (1,)))


# -------------------------------------------------------------------- blocks of any size

scalars = st.floats(-5, 5, allow_nan=False)
seeds = st.integers(0, 2**32 - 1)


def base() -> Any:
    """Every kind of stimulus that has no parts, for three neurons or all alike."""
    value = st.one_of(scalars, st.lists(scalars, min_size=3, max_size=3))
    times = st.sampled_from([0.3 * MS, 1 * MS, 7.3 * MS])
    width = st.sampled_from([1, 3])
    samples = width.flatmap(
        lambda n: st.lists(st.lists(scalars, min_size=n, max_size=n), min_size=1, max_size=9)
    )
    sd = st.floats(0, 5)
    return st.one_of(
        st.builds(Constant, value),
        st.builds(Sinusoid, value, value, times, value),
        st.builds(Triangle, value, times, st.sampled_from([-1 * MS, 0.0, 2 * MS])),
        st.builds(Sampled, samples, times),
        st.builds(GaussianNoise, value, sd, seeds, shared=st.booleans(),
                  interval=st.one_of(st.none(), times)),
        st.builds(GaussianNoise, value, sd, seeds, st.just("white")),
    )  # fmt: skip


def stimuli() -> Any:
    """Every kind of stimulus."""
    windows = st.builds(Window, base(), st.sampled_from([0.0, 2 * MS]), st.just(9 * MS))
    return st.recursive(
        st.one_of(base(), windows),
        lambda inner: st.builds(Sum, st.lists(inner, min_size=1, max_size=3)), max_leaves=4,
    )  # fmt: skip


@settings(max_examples=150)
@given(stimuli(), st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_any_blocks_in_any_order_give_the_same(
    stimulus: Stimulus, blocks: list[int], data: st.DataObject
) -> None:
    ends = np.cumsum([0, *blocks])
    samples = (0, 4) if stimulus.is_random else (0,)
    whole = stimulus.rows(0, int(ends[-1]), MS, 3, samples)
    for k in data.draw(st.permutations(range(len(blocks)))):
        a, b = int(ends[k]), int(ends[k + 1])
        np.testing.assert_array_equal(stimulus.rows(a, b, MS, 3, samples), whole[:, a:b])
    assert (np.abs(whole) <= stimulus.largest(3, MS) * (1 + 1e-12) + 1e-300).all()
    for k, sample in enumerate(samples):  # however the batch is split
        np.testing.assert_array_equal(
            stimulus.rows(0, int(ends[-1]), MS, 3, (sample,))[0], whole[k]
        )


def test_sums_and_windows() -> None:
    total = Constant(1.0) + Sinusoid(0.0, 1.0, 4 * MS) + GaussianNoise(0.0, 0.1, 1)
    assert isinstance(total, Sum) and len(total.parts) == 3 and total.is_random
    parts = [part.rows(0, 8, MS, 2) for part in total.parts]
    np.testing.assert_array_equal(total.rows(0, 8, MS, 2), parts[0] + parts[1] + parts[2])
    on = Window(Constant(2.0), 2 * MS, 5 * MS)
    assert on.rows(0, 8, MS, 1)[0, :, 0].tolist() == [0, 0, 2, 2, 2, 0, 0, 0]
    for k in range(1, 2000):  # the grid counts as what it means
        rows = Window(Constant(1.0), k * 1e-4).rows(k - 1, k + 1, 1e-4, 1)
        assert rows.ravel().tolist() == [0, 1]
    with pytest.raises(TypeError):
        total + 1.0  # type: ignore[operator]


# --------------------------------------------------------------------- files and faults


@settings(max_examples=60, deadline=None)
@given(stimulus=stimuli(), n=st.integers(1, 30))
def test_a_network_file_keeps_every_stimulus(
    stimulus: Stimulus, n: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("net")
    net = nl.Network([nl.Population("p", 3, ORHAN)], (), [nl.CurrentInput("i", "p", stimulus)])
    nl.save_network(net, folder / "net.toml")
    loaded = nl.load_network(folder / "net.toml").current_inputs[0].stimulus
    assert loaded is not None and type(loaded) is type(stimulus)
    np.testing.assert_array_equal(loaded.rows(0, n, MS, 3), stimulus.rows(0, n, MS, 3))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GaussianNoise(0, -1, 1), "GaussianNoise: sd = .*, allowed: >= 0"),
        (lambda: GaussianNoise(0, 1, -1), r"seed = -1, allowed: a whole number 0..2\*\*32 - 1"),
        (lambda: GaussianNoise(0, 1, 1.5), "seed = 1.5"),  # type: ignore[arg-type]
        (lambda: GaussianNoise(0, 1, 1, "pink"), 'per = \'pink\', allowed: "step" or "white"'),  # type: ignore[arg-type]
        (lambda: GaussianNoise(0, 1, 1, "white", 1e-3), "interval = 0.001, allowed: None with"),
        (lambda: GaussianNoise(0, 1, 1, interval=0), "interval = 0, allowed: one time > 0 s"),
        (lambda: GaussianNoise(0, 1, 1).sample(np.zeros(1), 1), "interval = None, .*set interval"),
        (lambda: Triangle(1, 0), "Triangle: duration = 0, allowed: one time > 0 s"),
        (lambda: Triangle(1, 1, [1]), "start = .*, allowed: one time, s"),  # type: ignore[arg-type]
        (lambda: Window(1.0), "Window: stimulus = 1.0, allowed: a stimulus"),  # type: ignore[arg-type]
        (lambda: Window(Constant(1), 2, 1), r"start, stop = \(2, 1\), allowed: two times"),
        (lambda: Sum([]), "terms = .*, allowed: a list of stimuli, at least one"),
        (lambda: Sum([Constant(1), 2]), "allowed: a list of stimuli"),  # type: ignore[list-item]
        (lambda: triangle_samples(0), "n = 0, allowed: a whole number >= 1"),
        (lambda: nl.CurrentInput("i", "p", 1.0), "stimulus = 1.0, allowed: a stimulus"),  # type: ignore[arg-type]
    ],
)
def test_faults(make: Any, says: str) -> None:
    with pytest.raises(NetworkError, match=says):
        make()


@pytest.mark.parametrize(
    "stimulus",
    [GaussianNoise([0, 0], 1, 1), Constant(1) + Triangle([1, 2], 1), Window(Constant([1, 2])),
     Sampled(np.zeros((4, 2)), 1) + Constant(1)],
)  # fmt: skip
def test_a_shape_that_does_not_fit_the_population(stimulus: Stimulus) -> None:
    with pytest.raises(NetworkError, match=r"input 'i': stimulus\.\w+ = .*3 neurons in 'p'"):
        nl.Network([nl.Population("p", 3, ORHAN)], (), [nl.CurrentInput("i", "p", stimulus)])


def test_shared_is_a_flag() -> None:
    with pytest.raises(RangeError, match="shared = 1, allowed: True or False"):
        GaussianNoise(0, 1, 1, shared=1)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match='GaussianNoise: per = .*, allowed: "step" or "white"'):
        GaussianNoise(0, 1, 1, per=np.zeros((2, 2)))  # type: ignore[arg-type]
