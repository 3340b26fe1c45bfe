"""The event-exact reference against closed forms, published numbers and other ways to compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from exact_brute import Brute, random_exact
from scipy.integrate import solve_ivp

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.reference import ExactRecording, run_exact
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

MS = 1e-3


def one(neuron: Any, *inputs: Any, projections: Any = ()) -> nl.Network:
    """A network of one neuron, p."""
    return nl.Network([nl.Population("p", 1, neuron)], projections, inputs)


def orhan(ri: float = 20.0, hold: float = 0.0, v_init: float = 0.0) -> nl.Network:
    """Orhan's neuron: tau 10 ms, threshold 15 mV, reset 0; R I in mV."""
    return one(nl.LIF(10 * MS, 1.0, 0.0, 15 * MS, 0.0, hold, i_bias=ri * MS, v_init=v_init * MS))


def close(x: Any, y: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(x, y, rtol=rtol, atol=0)


# --------------------------------------------------------------------------- published numbers


def test_orhan_spike_times() -> None:
    first = 13.862943611198906 * MS
    close(run_exact(orhan(), 0.1).train("p"), first * np.arange(1, 8))
    held = run_exact(orhan(hold=5 * MS), 0.1).train("p")
    close(held, first + 18.862943611198906 * MS * np.arange(5))


RATES = {16: (0.036067376022224, 0.030556849175829), 20: (0.072134752044448, 0.053013995090687),
         25: (0.109135666793729, 0.070606971965192), 30: (0.144269504088896, 0.083811956839241),
         40: (0.212764314523444, 0.103092397785933),
         50: (0.280367325205713, 0.116730389639074)}  # fmt: skip
"""R I in mV -> rate in kHz without and with 5 ms of refractory period."""


@pytest.mark.parametrize("ri", RATES)
def test_orhan_rates(ri: int) -> None:
    for hold, rate in zip((0.0, 5 * MS), RATES[ri], strict=True):
        times = run_exact(orhan(ri, hold), 0.3).train("p")
        close(np.diff(times), np.full(len(times) - 1, MS / rate), 2e-12)


def test_orhan_voltages() -> None:
    v = run_exact(orhan(), 0.012, sample_times=[5 * MS, 10 * MS]).v("p")
    close(v[:, 0], [7.8693868057473315e-3, 12.642411176571153e-3])
    v = run_exact(orhan(v_init=-5), 0.012, sample_times=[7 * MS]).v("p")
    close(v[0, 0], 7.585367405214763e-3)


def test_no_spike_at_or_below_the_rheobase() -> None:
    for ri in (0.0, 14.999, 15.0):
        assert run_exact(orhan(ri), 1e4).train("p").size == 0
    # the smallest excess that float64 has apart from rounding
    excess = 15 * (1 + 1e-14)
    tau_ln = 10 * MS * np.log(excess / (excess - 15))
    close(run_exact(orhan(excess), 1.0).train("p")[0], tau_ln, 1e-3)


BLOG = nl.LIF(10 * MS, 10e6, -65 * MS, -50 * MS)


@pytest.mark.parametrize("compare", [">", ">="])
def test_blog_constant_converges_to_the_threshold_and_never_spikes(compare: Any) -> None:
    net = one(BLOG, nl.CurrentInput("i", "p", Constant(1.5e-9)))
    found = run_exact(net, 1000.0, compare=compare, sample_times=[0.01, 1.0, 1000.0])
    assert found.train("p").size == 0
    close(found.v("p")[:, 0], [-65e-3 + 15e-3 * (1 - np.exp(-1)), -50e-3, -50e-3])
    # nor where the run is cut by samples of the same current, or by arrivals that weigh nothing
    wobble = np.full((300, 1), 1.5e-9)
    wobble[::2] *= 1 - 1e-9
    net = one(BLOG, nl.CurrentInput("i", "p", Sampled(wobble, 1e-3)))
    assert run_exact(net, 0.3, compare=compare).train("p").size == 0


def test_blog_sinusoid_never_spikes() -> None:
    net = one(BLOG, nl.CurrentInput("i", "p", Sinusoid(0.8e-9, 0.8e-9, 20 * MS)))
    times = np.linspace(0, 0.4, 40_001)
    found = run_exact(net, 0.4, sample_times=times)
    assert found.train("p").size == 0
    assert abs(found.v("p").max() - -54.573484e-3) < 2e-9
    # V below a threshold by 1e-13 of it does not spike, above it does
    omega = 2 * np.pi / (20 * MS)
    gain = 8e-3 / np.hypot(1, omega * 10 * MS)
    for excess, spikes in ((-1e-12, False), (1e-12, True)):
        top = (gain + 8e-3) * (1 - excess)
        neuron = nl.LIF(10 * MS, 10e6, 0.0, top, -1.0)
        net = one(neuron, nl.CurrentInput("i", "p", Sinusoid(0.8e-9, 0.8e-9, 20 * MS)))
        assert (run_exact(net, 3.0).train("p").size > 0) is spikes


def book() -> nl.Network:
    """The book's neuron and its triangular current of 502 samples; the first is not used."""
    k = np.arange(502)
    triangle = np.where(k < 251, 2 * k + 1, 2 * (502 - k) - 1) / 502 * 2e-4
    triangle[0] = 0.0
    neuron = nl.LIF(5 * MS, 1e3, -70 * MS, -40 * MS, t_refractory=1 * MS)
    return one(neuron, nl.CurrentInput("i", "p", Sampled(triangle[:, None], 1e-4)))


def test_book_triangle() -> None:
    grid = nl.run_clocked(nl.discretize(book(), 1e-4, "exact-ge"), 502)
    steps = np.flatnonzero(grid.spikes["p"][:, 0]) + 1
    clean = [77, 111, 139, 163, 185, 206, 226, 245, 264, 284, 305, 327, 351, 378, 412]
    assert steps.tolist() == clean  # the published numbers of the clean model, dead time 10 steps
    found = run_exact(book(), 0.0502, sample_times=np.arange(1, 503) * 1e-4)
    v, exact = found.v("p")[:, 0], found.train("p")
    close(v[[1, 2, 39]], [-69.976333076e-3, -69.937356838e-3, -60.070922786e-3], 1e-10)
    assert np.ceil(exact[0] / 1e-4) == 77
    # without the wait for the end of a step every interval is shorter; where the current rises,
    # by a step at most
    late = np.diff(steps) * 1e-4 - np.diff(exact[:15])
    assert len(exact) == 16 and late.min() > 0 and late[:7].max() < 1e-4
    np.testing.assert_allclose(exact[:2], ivp_spikes(book(), 0.0125), rtol=0, atol=1e-11)


def test_psp_peak() -> None:
    tau, s, j = 10 * MS, 0.5 * MS, 0.1756 * MS
    synapse = nl.Exponential(s, "psp")
    net = one(nl.LIF(tau), nl.SpikeInput("x", 1, [0], [1 * MS]),
              projections=[nl.Projection("c", "x", "p", [[j]], synapse, 1.5 * MS)])  # fmt: skip
    summit = 2.5 * MS + tau * s / (tau - s) * np.log(tau / s)
    v = run_exact(net, 0.1, sample_times=[2.5 * MS, summit - 1e-9, summit, summit + 1e-9]).v("p")
    assert v[0, 0] == 0.0 and v[2, 0] >= v[1, 0] and v[2, 0] >= v[3, 0]
    close(v[2, 0], j * (s / tau) ** (s / (tau - s)))
    close(v[2, 0], 0.149985491 * MS, 3e-9)


@pytest.mark.parametrize("neuron", [nl.LIF(10 * MS, 7.0), nl.IF(2e-3)])
@pytest.mark.parametrize("synapse", [
    nl.Exponential(2 * MS), nl.Exponential(2 * MS, "area"), nl.Exponential(10 * MS, "psp"),
    nl.Alpha(3 * MS), nl.Alpha(10 * MS, "nnmt"), nl.Alpha(3 * MS, "area"),
    nl.BiExponential(1 * MS, 5 * MS), nl.BiExponential(10 * MS, 10 * MS * (1 + 1e-9), "psp"),
    nl.BiExponential(1e-8, 1e-2, "area"),
])  # fmt: skip
def test_psp_is_the_kernel_of_the_synapse(neuron: Any, synapse: Any) -> None:
    times = 1e-3 + np.geomspace(1e-6, 0.2, 60)
    w = 1e-5
    net = one(neuron, nl.SpikeInput("x", 1, [0], [0.4 * MS]),
              projections=[nl.Projection("c", "x", "p", [[w]], synapse, 0.6 * MS)])  # fmt: skip
    leaky = isinstance(neuron, nl.LIF)
    tau_m, c = (10 * MS, 10 * MS / 7.0) if leaky else (np.inf, 2e-3)
    found = run_exact(net, 0.3, sample_times=times)
    assert found.train("p").size == 0
    kernel = synapse.psp(times - 1e-3, tau_m, c).astype(np.float64)
    close(found.v("p")[:, 0], w * kernel, 2e-12)


# ------------------------------------------------------------------------------- other solvers


def ivp_spikes(net: nl.Network, duration: float) -> list[float]:
    """Spike times of a single LIF neuron under its currents alone, by an adaptive integrator."""
    neuron: Any = net.populations[0].neuron
    tau, r, rest = float(neuron.tau_m), float(neuron.resistance), float(neuron.v_rest)

    def slope(t: float, v: Any) -> Any:
        i = float(neuron.i_bias)
        i += sum(c.stimulus.sample(np.array([t]), 1)[0, 0] for c in net.current_inputs)
        return (rest - v + r * i) / tau

    def passes(t: float, v: Any) -> float:
        return float(v[0] - neuron.v_threshold)

    passes.terminal, passes.direction = True, 1.0  # type: ignore[attr-defined]
    sampled: list[Any] = [c.stimulus for c in net.current_inputs]
    edges = [x.interval * k for x in sampled if isinstance(x, Sampled)
             for k in range(len(x.values) + 1)]  # fmt: skip
    now, v, spikes = 0.0, float(neuron.v_init), []
    marks = sorted({*(e for e in edges if 0 < e < duration), duration})
    while now < duration:
        then = next(m for m in marks if m > now)
        # a hair inside the interval, so that the samples of the next one are not touched
        done = solve_ivp(slope, (now, then - 1e-12 * then), [v], "DOP853", events=passes,
                         rtol=1e-12, atol=1e-15)  # fmt: skip
        now, v = (then if done.status == 0 else float(done.t[-1])), float(done.y[0, -1])
        if done.status == 1:
            spikes.append(now)
            now, v = now + float(neuron.t_refractory), float(neuron.v_reset)
    return spikes


@pytest.mark.parametrize("period", [3 * MS, 20 * MS, 150 * MS])
def test_sinusoids_against_an_adaptive_integrator(period: float) -> None:
    neuron = nl.LIF(10 * MS, 2.0, 0.1, 1.0, -0.3, 1.7 * MS, i_bias=0.3)
    waves = [Sinusoid(0.2, 0.5, period, 0.4), Sinusoid(0.0, 0.2, period / 1.7, 2.0)]
    for n in (1, 2):
        net = one(neuron, *(nl.CurrentInput(f"i{k}", "p", w) for k, w in enumerate(waves[:n])))
        found = run_exact(net, 0.1).train("p")
        expected = ivp_spikes(net, 0.1)
        assert len(found) == len(expected) > 2
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def listed(found: ExactRecording) -> list[tuple[float, str, int]]:
    return sorted((t, name, int(i)) for name, (neurons, times) in found.spikes.items()
                  for i, t in zip(neurons, times.tolist(), strict=True))  # fmt: skip


def same_as_brute(seed: int, duration: float) -> int:
    net = random_exact(seed)
    trains = {i.name: (i.indices, i.times) for i in net.spike_inputs}
    found = listed(run_exact(net, duration))
    expected = sorted(Brute(net, trains, duration, 1e-4).run())
    assert [s[1:] for s in found] == [s[1:] for s in expected], seed
    np.testing.assert_allclose([s[0] for s in found], [s[0] for s in expected], rtol=0, atol=1e-13)
    return len(found)


def test_random_networks_against_brute_force() -> None:
    assert sum(same_as_brute(seed, 0.02) for seed in range(20)) > 80


@pytest.mark.verify
def test_many_random_networks_against_brute_force() -> None:
    assert sum(same_as_brute(seed, 0.03) for seed in range(20, 220)) > 2000


# ------------------------------------------------------------------------------- clocked runs


def recurrent(delay: float = 2 * MS) -> nl.Network:
    """Seven neurons with currents, inputs and recurrence; all times are multiples of 1 ms."""
    rng = np.random.default_rng(3)
    neuron = nl.LIF(rng.uniform(8e-3, 2e-2, 7), 1.0, 0.0, 1.0, -0.2, 3 * MS,
                    i_bias=rng.uniform(0.7, 1.5, 7))  # fmt: skip
    x = nl.SpikeInput("x", 4, rng.integers(0, 4, 30), 1e-3 * rng.integers(2, 90, 30))
    w = rng.normal(0.05, 0.1, (7, 7))
    return nl.Network(
        [nl.Population("p", 7, neuron)],
        [nl.Projection("d", "x", "p", rng.normal(0.1, 0.1, (7, 4)), nl.Delta(), delay),
         nl.Projection("e", "x", "p", rng.normal(0.1, 0.3, (7, 4)), nl.Exponential(4 * MS), delay),
         nl.Projection("r", "p", "p", w, nl.Exponential(3 * MS, "psp"), delay)],
        [x],
    )  # fmt: skip


def test_exact_integrator_has_the_same_v_until_the_first_spike() -> None:
    dt, net = 1 * MS, recurrent()
    clocked = nl.run_clocked(nl.discretize(net, dt), 100, record="all")
    # an input spike of row i acts like one that a neuron sends at the end of step i + 1
    x = net.spike_inputs[0]
    moved = nl.SpikeInput("x", 4, x.indices, np.asarray(x.times) + dt)
    found = run_exact(net, 0.1, {"x": moved}, sample_times=np.arange(1, 101) * dt)
    grid = found.rasters(dt)
    until = min(int(np.argmax(r.spikes["p"].any(axis=1))) for r in (clocked, grid))
    assert until > 5
    a, b = clocked.volts("p")[:until], found.v("p")[:until]
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(grid.volts("p"), found.v("p"), rtol=0, atol=1e-15)


@pytest.mark.parametrize("rule", ["exact-ge", "euler-ge"])
def test_clocked_spike_times_converge_with_order_one(rule: str) -> None:
    drives = np.linspace(18, 40, 60) * MS
    many = nl.LIF(10 * MS, 1.0, 0.0, 15 * MS, 0.0, 5 * MS, i_bias=drives)
    net = nl.Network([nl.Population("p", 60, many)])
    exact = run_exact(net, 0.1)
    first = np.array([exact.train("p", i)[0] for i in range(60)])
    third = np.array([exact.train("p", i)[2] for i in range(60)])
    errors = []
    for n in (10, 20, 40, 80, 160):
        dt = 1 * MS / n
        neuron, when = nl.run_clocked(nl.discretize(net, dt, rule), 70 * n).spike_times("p")
        trains = [when[neuron == i] for i in range(60)]
        late = np.array([t[0] for t in trains]) - first
        later = np.array([t[2] for t in trains]) - third
        if rule == "exact-ge":  # a spike waits for the end of its step, and the next one for it
            assert late.min() > -1e-12 and late.max() < dt and later.max() < 3 * dt
            assert abs(later.mean() / dt - 1.5) < 0.25  # half a step for each interval
        errors.append(float(np.abs(later).mean()))
    order = np.polyfit(np.log(2.0 ** -np.arange(5)), np.log(errors), 1)[0]
    assert abs(order - 1) < 0.1, errors


def test_v_of_the_euler_integrator_is_of_first_order() -> None:
    net = orhan(14.0)
    exact = run_exact(net, 0.01, sample_times=[10 * MS]).v("p")[0, 0]
    errors = {}
    for rule in ("euler", "exact"):
        ends = [nl.run_clocked(nl.discretize(net, 10 * MS / n, rule), n, record="all").volts("p")
                for n in (100, 200, 400)]  # fmt: skip
        errors[rule] = np.array([abs(v[-1, 0] - exact) for v in ends])
    np.testing.assert_allclose(errors["euler"][:-1] / errors["euler"][1:], 2.0, rtol=0.01)
    assert errors["exact"].max() < 1e-15


def test_rasters_hold_against_a_clocked_run() -> None:
    net, dt = recurrent(), 1e-5
    clocked = nl.run_clocked(nl.discretize(net, dt, nl.StepRule(input_latency=0)), 2950)
    grid = run_exact(net, 0.0295).rasters(dt)
    assert grid.n_steps == 2950 and grid.spikes["p"].sum() == clocked.spikes["p"].sum() > 3
    a, b = (np.sort(r.spike_times("p")[1]) for r in (clocked, grid))
    assert np.abs(a - b).max() < 5 * dt
    assert nl.compare(clocked, grid).populations[0].spikes_second == grid.spikes["p"].sum()


def test_a_spike_at_the_end_of_a_step_is_in_that_step() -> None:
    spikes = {"p": (np.zeros(5, np.int64), np.array([0.0, 1e-3, 1.0000001e-3, 3e-3, 3e-3]))}
    found = ExactRecording(4e-3, spikes, v_zero={"p": np.zeros(2)})
    assert found.rasters(1e-3).spikes["p"].tolist() == [[2, 0], [1, 0], [2, 0], [0, 0]]
    assert found.rasters(1e-3).spikes["p"].dtype == np.uint8


def test_no_more_events_than_allowed() -> None:
    network = nl.Network([nl.Population("p", 1, nl.IF(1.0, v_threshold=1e-3, i_bias=1.0))])
    full = nl.run_exact(network, 0.1)
    events = int(full.provenance["events"])
    assert 50 < events < 500
    same = nl.run_exact(network, 0.1, most_events=events)
    assert np.array_equal(same.train("p"), full.train("p"))
    with pytest.raises(RangeError, match=r"most_events = 20, allowed: more, .* of 0\.1 s"):
        nl.run_exact(network, 0.1, most_events=20)
    for wrong in (0, True, 2.5, "9"):
        with pytest.raises(RangeError, match="most_events = .*allowed: a whole number >= 1"):
            nl.run_exact(network, 0.1, most_events=wrong)  # type: ignore[arg-type]
