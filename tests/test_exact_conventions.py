"""What an event-exact run does at equal times, in refractory periods, and with bad input."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from exact_brute import random_exact
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import neuro_lif as nl
from neuro_lif.errors import NetworkError, RangeError
from neuro_lif.reference import ExactInterrupted, run_exact
from neuro_lif.stimulus import Constant, Sampled, Sinusoid


def jumps(weights: Any, times: Any, **neuron: Any) -> nl.Network:
    """One neuron without drive; each input channel has one spike and a delta synapse."""
    lif = nl.LIF(10e-3, **neuron)
    n = len(times)
    return nl.Network([nl.Population("p", 1, lif)],
                      [nl.Projection("c", "x", "p", [list(weights)])],
                      [nl.SpikeInput("x", n, np.arange(n), times)])  # fmt: skip


# ------------------------------------------------------------------------------- comparison


def test_a_jump_above_the_threshold_spikes_at_once() -> None:
    assert run_exact(jumps([1.5], [3e-3]), 0.1).train("p").tolist() == [3e-3]
    assert run_exact(jumps([1.5], [3e-3]), 3e-3).train("p").tolist() == [3e-3]  # the very end


def test_a_jump_to_the_threshold() -> None:
    net = jumps([1.0], [3e-3])
    assert run_exact(net, 0.1).train("p").tolist() == []
    assert run_exact(net, 0.1, compare=">=").train("p").tolist() == [3e-3]
    held = nl.Network([nl.Population("p", 1, nl.IF(v_init=1.0))])  # V stays at the threshold
    assert run_exact(held, 1.0).train("p").tolist() == []
    assert run_exact(held, 1.0, compare=">=").train("p").tolist() == [0.0]
    rising = nl.Network([nl.Population("p", 1, nl.IF(v_init=1.0, i_bias=0.5))])
    assert run_exact(rising, 1.0).train("p").tolist() == [0.0]


def test_v_init_above_the_threshold_spikes_at_time_0() -> None:
    net = nl.Network([nl.Population("p", 1, nl.LIF(1.0, v_init=2.0))])
    assert run_exact(net, 1.0).train("p").tolist() == [0.0]


def test_arrivals_of_one_time_are_added_up_first() -> None:
    assert run_exact(jumps([1.5, -1.0], [3e-3, 3e-3]), 0.1).train("p").size == 0
    assert run_exact(jumps([-1.0, 1.5], [3e-3, 3e-3]), 0.1).train("p").size == 0
    assert run_exact(jumps([0.6, 0.6], [3e-3, 3e-3]), 0.1).train("p").tolist() == [3e-3]
    assert run_exact(jumps([1.5, -1.0], [3e-3, np.nextafter(3e-3, 1)]), 0.1).train("p").size == 1
    # also over different delays and synapses
    net = nl.Network(
        [nl.Population("p", 1, nl.LIF(10e-3))],
        [nl.Projection("a", "x", "p", [[1.5]], delay=0.25), nl.Projection("b", "x", "p", [[-1.0]],
                                                                          delay=0.5)],
        [nl.SpikeInput.from_trains("x", [[0.5, 0.25]])],
    )  # fmt: skip
    assert run_exact(net, 1.0).train("p").tolist() == [0.5]


def test_subtract_after_a_jump_over_several_thresholds() -> None:
    net = jumps([3.25], [3e-3], reset="subtract")
    found = run_exact(net, 4e-3, sample_times=[3e-3])
    assert found.train("p").tolist() == [3e-3] * 3
    assert found.v("p")[0, 0] == pytest.approx(0.25, rel=1e-15)
    assert found.rasters(1e-3).spikes["p"][:, 0].tolist() == [0, 0, 3, 0]
    held = run_exact(jumps([3.25], [3e-3], reset="subtract", t_refractory=1e-3), 0.1)
    # V is held at 2.25 for 1 ms, at 1.25 for another, at 0.25 for a third
    np.testing.assert_allclose(held.train("p"), [3e-3, 4e-3, 5e-3], rtol=1e-15)
    value = run_exact(jumps([3.25], [3e-3]), 4e-3, sample_times=[3e-3])
    assert value.train("p").tolist() == [3e-3] and value.v("p")[0, 0] == 0.0


# -------------------------------------------------------------------------------- refractory


def test_jumps_in_a_refractory_period_are_lost_and_currents_go_on() -> None:
    hold = 2.0**-8
    times = [0.25, 0.25 + hold / 2, 0.25 + hold, 0.25 + hold + 2.0**-20]
    net = jumps([1.5, 0.3, 0.3, 0.3], times, t_refractory=hold, v_reset=-0.5)
    found = run_exact(net, 0.3, sample_times=[*times, 0.29])
    expected = -0.5 * np.exp(-(2.0**-20) / 10e-3) + 0.3
    np.testing.assert_allclose(found.v("p")[:4, 0], [-0.5, -0.5, -0.5, expected], rtol=1e-13)
    lif = nl.LIF(10e-3, v_init=2.0, t_refractory=5e-3)
    synapse = nl.Exponential(3e-3)
    net = nl.Network([nl.Population("p", 1, lif)],
                     [nl.Projection("c", "x", "p", [[0.7]], synapse)],
                     [nl.SpikeInput("x", 1, [0], [2e-3])])  # fmt: skip
    v = run_exact(net, 0.1, sample_times=[5e-3, 9e-3]).v("p")[:, 0]
    left = 0.7 * np.exp(-1.0)  # of the current, when the hold ends
    tail = left * 3 / 7 * (np.exp(-4 / 10) - np.exp(-4 / 3))
    np.testing.assert_allclose(v, [0.0, tail], rtol=1e-12, atol=1e-300)


def test_a_current_that_changes_during_the_hold_counts_from_its_end() -> None:
    values = np.array([[3.0], [0.5], [2.0]])
    lif = nl.LIF(10e-3, v_init=0.0, t_refractory=7e-3)
    wave = Sinusoid(0.0, 0.3, 13e-3, 0.5)
    net = nl.Network([nl.Population("p", 1, lif)], [],
                     [nl.CurrentInput("i", "p", Sampled(values, 6e-3))])  # fmt: skip
    first = 10e-3 * np.log(3 / 2)
    found = run_exact(net, 0.018)
    np.testing.assert_allclose(found.train("p")[0], first, rtol=1e-13)
    release = first + 7e-3
    v12 = 0.5 * (1 - np.exp(-(12e-3 - release) / 10e-3))
    second = 12e-3 + 10e-3 * np.log((2 - v12) / 1.0)
    assert len(found.train("p")) == 1 + (second <= 0.018)
    np.testing.assert_allclose(run_exact(net, 0.018, sample_times=[12e-3]).v("p")[0, 0], v12,
                               rtol=1e-12)  # fmt: skip
    both = nl.Network(net.populations, [], [*net.inputs, nl.CurrentInput("w", "p", wave)])
    held = run_exact(both, 0.018, sample_times=[4.2e-3, 6.5e-3])
    assert held.train("p")[0] < 4.2e-3 and (held.v("p") == 0.0).all()


# ------------------------------------------------------------------------------ zero delays


def chain(delays: Any, weights: Any = (1.5, 1.5, 1.5), back: float | None = None) -> nl.Network:
    names = ["a", "b", "c"]
    populations = [nl.Population(n, 1, nl.LIF(10e-3)) for n in reversed(names)]
    pairs = list(itertools.pairwise(["x", *names]))
    projections = [nl.Projection(f"{i}{j}", i, j, [[w]], delay=d)
                   for (i, j), w, d in zip(pairs, weights, delays, strict=True)]  # fmt: skip
    if back is not None:
        projections.append(nl.Projection("ca", "c", "a", [[0.5]], delay=back))
    return nl.Network(populations, projections, [nl.SpikeInput("x", 1, [0], [1e-3])])


def test_without_delay_a_chain_spikes_at_one_time() -> None:
    found = run_exact(chain([0, 0, 0]), 0.1)
    assert [found.train(n).tolist() for n in "abc"] == [[1e-3]] * 3
    # an inhibitory spike that comes by a detour without delay is there in time
    net = chain([0, 0, 0])
    direct = nl.Projection("xc", "x", "c", [[1.5]])
    inhibited = [*net.projections[:2], nl.Projection("bc", "b", "c", [[-1.0]]), direct]
    again = nl.Network(net.populations, inhibited, net.inputs)
    found = run_exact(again, 0.1)
    assert [found.train(n).tolist() for n in "abc"] == [[1e-3], [1e-3], []]


def test_circles_without_delay_are_refused_by_name() -> None:
    with pytest.raises(RangeError, match=r"'ab', 'bc', 'ca'.*a -> b, b -> c, c -> a.*delay > 0 s"):
        run_exact(chain([0, 0, 0], back=0.0), 0.1)
    assert run_exact(chain([0, 0, 0], back=1e-3), 0.1).train("c").tolist() == [1e-3]
    assert run_exact(chain([0, 0, 1e-3], back=0.0), 0.1).train("c").tolist() == [2e-3]
    lif = nl.Population("p", 2, nl.LIF(10e-3))
    with pytest.raises(RangeError, match=r"'self'.*p -> p"):
        run_exact(nl.Network([lif], [nl.Projection("self", "p", "p", np.ones((2, 2)))]), 0.1)
    none = sparse.csr_matrix((2, 2))
    assert run_exact(nl.Network([lif], [nl.Projection("self", "p", "p", none)]), 0.1)


# -------------------------------------------------------------------------------- invariances

SEEDS = st.integers(0, 10_000)


def remade(net: nl.Network, **parts: Any) -> nl.Network:
    given = {"populations": net.populations, "projections": net.projections, "inputs": net.inputs}
    return nl.Network(**(given | parts))


def trains(net: nl.Network, duration: float = 0.02) -> dict[str, Any]:
    found = run_exact(net, duration)
    return {name: (i.tolist(), t) for name, (i, t) in found.spikes.items()}


def same(first: Any, second: Any, late: float = 0.0, atol: float = 1e-11) -> None:
    assert first.keys() == second.keys()
    for name, (neurons, times) in first.items():
        order = np.lexsort((neurons, np.round(times, 9)))
        other = np.lexsort((second[name][0], np.round(second[name][1], 9)))
        assert [neurons[k] for k in order] == [second[name][0][k] for k in other], name
        np.testing.assert_allclose(times[order] + late, second[name][1][other], rtol=0, atol=atol)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_order_of_populations_and_projections_does_not_matter(seed: int) -> None:
    net = random_exact(seed)
    same(trains(net), trains(remade(net, populations=net.populations[::-1],
                                    projections=net.projections[::-1])))  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.1, 0.9))
def test_a_projection_may_be_split_in_two(seed: int, share: float) -> None:
    net = random_exact(seed)
    parts = []
    for q in net.projections:
        for name, w in ((q.name, share), (q.name + "_", 1 - share)):
            parts.append(nl.Projection(name, q.pre, q.post, np.asarray(q.weights) * w, q.synapse,
                                       np.reshape(q.delay, q.weights.shape) if np.ndim(q.delay)
                                       else q.delay))  # fmt: skip
    same(trains(net), trains(remade(net, projections=parts)))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.01, 100.0))
def test_volts_and_amperes_may_be_scaled(seed: int, scale: float) -> None:
    net = random_exact(seed)
    volts = ("v_rest", "v_threshold", "v_reset", "v_init", "i_bias")
    populations = [
        nl.Population(p.name, p.size, type(p.neuron)(**{
            k: np.asarray(v) * scale if k in volts else v for k, v in vars(p.neuron).items()}))
        for p in net.populations
    ]  # fmt: skip
    projections = [nl.Projection(q.name, q.pre, q.post, np.asarray(q.weights) * scale, q.synapse,
                                 np.reshape(q.delay, q.weights.shape) if np.ndim(q.delay)
                                 else q.delay) for q in net.projections]  # fmt: skip
    inputs: list[Any] = list(net.spike_inputs)
    for c in net.current_inputs:
        s: Any = c.stimulus
        s = (Sampled(np.asarray(s.values) * scale, s.interval) if isinstance(s, Sampled) else
             Sinusoid(s.offset * scale, s.amplitude * scale, s.period, s.phase))  # fmt: skip
        inputs.append(nl.CurrentInput(c.name, c.population, s))
    same(trains(net), trains(nl.Network(populations, projections, inputs)))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(1e-3, 10.0))
def test_a_network_at_rest_may_start_later(seed: int, late: float) -> None:
    net = random_exact(seed)
    rest = []
    for p in net.populations:
        n: Any = vars(p.neuron) | {"i_bias": 0.0}
        kind = type(p.neuron)
        n["v_init"] = n["v_reset"] if kind is nl.IF else n["v_rest"]
        rest.append(nl.Population(p.name, p.size, kind(**n)))
    x: Any = net.spike_inputs[0]

    def at(shift: float) -> nl.Network:
        moved = nl.SpikeInput("x", 3, x.indices, np.asarray(x.times) + shift)
        strong = [nl.Projection(q.name, q.pre, q.post, 
                                np.asarray(q.weights) * (4 if q.pre == "x" else 0.5), q.synapse,
                                np.reshape(q.delay, q.weights.shape) if np.ndim(q.delay)
                                else q.delay) for q in net.projections]  # fmt: skip
        return nl.Network(rest, strong, [moved])

    same(trains(at(0.0), 0.03), trains(at(late), 0.03 + late), late)


def test_two_runs_are_equal_to_the_last_bit() -> None:
    first, second = trains(random_exact(16)), trains(random_exact(16))
    for name in first:
        assert first[name][0] == second[name][0]
        assert np.array_equal(first[name][1], second[name][1]) and len(first[name][1])


# ------------------------------------------------------------------------- inputs and errors


def test_inputs_in_place_of_those_described() -> None:
    net = nl.Network([nl.Population("p", 1, nl.LIF(10e-3))],
                     [nl.Projection("c", "x", "p", [[1.5, 0.1]])],
                     [nl.SpikeInput("x", 2), nl.CurrentInput("i", "p")])  # fmt: skip
    assert run_exact(net, 0.1).train("p").size == 0
    assert run_exact(net, 0.1, {"x": [[0.02], []]}).train("p").tolist() == [0.02]
    assert run_exact(net, 0.1, {"x": nl.SpikeInput("y", 2, [0], [0.02])}).train("p").size == 1
    found = run_exact(net, 0.1, {"i": Constant(2.0)}).train("p")
    np.testing.assert_allclose(found[0], 10e-3 * np.log(2), rtol=1e-14)


NET = chain([0, 0, 0])
BAD: list[tuple[Any, Any, str]] = [
    ((NET, 0), {}, "duration = 0, allowed: a time > 0 s"),
    ((NET, np.inf), {}, "duration = inf"),
    ((NET, True), {}, "duration = True"),
    ((NET, 1.0), {"compare": ">>"}, 'compare = \'>>\', allowed: ">" or ">="'),
    ((NET, 1.0), {"sample_times": [2.0]}, "sample_times = .2.0., allowed: .*0..1 s"),
    ((NET, 1.0), {"sample_times": [0.5, 0.2]}, "ascending"),
    ((NET, 1.0), {"sample_times": "now"}, "a list of times"),
    ((NET, 1.0), {"inputs": {"y": []}}, "inputs: 'y' is unknown, allowed: x"),
    ((NET, 1.0), {"inputs": {"x": [[1.0], [2.0]]}}, "2 trains, allowed: 1, one per channel"),
    ((NET, 1.0), {"inputs": [1]}, "allowed: a mapping"),
    ((NET, 1.0), {"progress": 3}, "progress"),
]


@pytest.mark.parametrize(("args", "more", "text"), BAD)
def test_bad_input(args: Any, more: Any, text: str) -> None:
    with pytest.raises(RangeError, match=text):
        run_exact(*args, **more)


def test_more_bad_input() -> None:
    with pytest.raises(NetworkError, match="run_exact wants a Network"):
        run_exact("net.toml", 1.0)  # type: ignore[arg-type]
    found = run_exact(NET, 1.0)
    for call, text in ((lambda: found.train("q"), "population = 'q', allowed: a, b, c"),
                       (lambda: found.train("a", 1), "neuron = 1, allowed: 0..0"),
                       (lambda: found.v("a"), "sample_times="),
                       (lambda: found.rasters(0), "dt = 0, allowed"),
                       (lambda: found.rasters(1e-12), "at most")):  # fmt: skip
        with pytest.raises(RangeError, match=text):
            call()
    current = nl.Network([nl.Population("p", 2, nl.LI(1.0))], [], [nl.CurrentInput("i", "p")])
    with pytest.raises(RangeError, match="for each of 2 neurons"):
        run_exact(current, 1.0, {"i": Constant([1.0, 2.0, 3.0])})
    with pytest.raises(RangeError, match="Constant"):
        run_exact(current, 1.0, {"i": 3.0})  # type: ignore[dict-item]


def test_a_neuron_faster_than_float64_is_refused() -> None:
    late = nl.CurrentInput("i", "p", Sampled([[0.0], [1e30]], 0.5))
    fast = nl.Network([nl.Population("p", 1, nl.IF(1.0))], [], [late])
    with pytest.raises(RangeError, match=r"neuron 0 spikes again at .* refractory period"):
        run_exact(fast, 1.0)
    huge = jumps([1e30], [1e-3], reset="subtract")
    with pytest.raises(RangeError, match="a spike does not lower it"):
        run_exact(huge, 1.0)


def test_progress_and_ctrl_c() -> None:
    net = nl.Network([nl.Population("p", 1, nl.LIF(10e-3, i_bias=2.0))])
    told: list[tuple[int, int]] = []
    whole = run_exact(net, 1.0, progress=lambda k, n: told.append((k, n)))
    assert told[-1] == (1000, 1000) and told == sorted(told) and len(told) > 100

    def stop(done: int, parts: int) -> None:
        if done > 500:
            raise KeyboardInterrupt

    with pytest.raises(ExactInterrupted, match="interrupted after 0.50") as caught:
        run_exact(net, 1.0, progress=stop, sample_times=[0.1, 0.2, 0.7])
    part = caught.value.recording
    assert 0.5 < part.duration < 0.52 and part.provenance["interrupted"].endswith("of 1 s")
    assert part.train("p").tolist() == whole.train("p")[: len(part.train("p"))].tolist()
    assert len(part.train("p")) > 50 and part.v("p").shape == (2, 1)


def test_the_network_is_not_changed_and_arrays_of_parameters_are_used() -> None:
    taus = np.array([5e-3, 10e-3, 20e-3])
    net = nl.Network([nl.Population("p", 3, nl.LIF(taus, i_bias=[2.0, 3.0, 4.0]))])
    found = run_exact(net, 0.1)
    for k, ri in enumerate((2.0, 3.0, 4.0)):
        np.testing.assert_allclose(found.train("p", k)[0], taus[k] * np.log(ri / (ri - 1)),
                                   rtol=1e-13)  # fmt: skip
    assert found.provenance["engine"] == "event-exact float64 reference"
    assert int(found.provenance["events"]) >= sum(len(found.train("p", k)) for k in range(3))
