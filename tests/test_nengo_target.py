"""The Nengo target: ordinary ensembles against theory and the reference, integers exactly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nengo
import numpy as np
import pytest
from random_fixed import PROFILES, first_difference, random_fixed
from scipy import sparse

import neuro_lif as nl
from neuro_lif.errors import LoweringError, RangeError, TargetError
from neuro_lif.stimulus import Constant, Sampled, Sinusoid
from neuro_lif.targets import nengo as target
from neuro_lif.targets.nengo import fixed_to_nengo, run_nengo, run_nengo_fixed, to_nengo
from neuro_lif.targets.nengo_integers import signal_of, whole

MV, NA, MS = 1e-3, 1e-9, 1e-3
CELL = dict(
    tau_m=0.02, resistance=1e8, v_rest=-65 * MV, v_threshold=-50 * MV, v_reset=-70 * MV
)  # fmt: skip


def clocked(net: nl.Network, dt: float, n_steps: int, **rest: Any) -> nl.Recording:
    return nl.run_clocked(nl.discretize(net, dt), n_steps, **rest)


# ------------------------------------------------------------- ordinary ensembles: the science


@pytest.mark.parametrize("drive", [1.05, 1.5, 3.0])
def test_constant_drive_gives_the_analytic_rate(drive: float) -> None:
    """Nengo finds spike times within a step, so even dt = 1 ms gives the continuous rate."""
    net = nl.Network([nl.Population("a", 1, nl.LIF(0.02, i_bias=drive, t_refractory=2 * MS))])
    spikes = run_nengo(net, 1 * MS, 10_000).spikes["a"].sum()
    rate = 1 / (2 * MS + 0.02 * np.log(drive / (drive - 1)))
    assert abs(spikes - 10 * rate) <= 1 + 0.001 * 10 * rate


def test_without_refractory_period_the_rate_is_low_by_less_than_a_step_per_interval() -> None:
    net = nl.Network([nl.Population("a", 1, nl.LIF(0.02, i_bias=3.0))])
    interval = 0.02 * np.log(3 / 2)
    found = 10 / run_nengo(net, 1 * MS, 10_000).spikes["a"].sum()
    assert interval < found < interval + 1 * MS


def driven(synapse: nl.Delta | nl.Exponential, weight: float) -> nl.Network:
    """Two membranes of different tau_m and a read-out, below threshold, two input channels."""
    cells = nl.LIF(**(CELL | {"tau_m": [0.02, 0.01]}), v_init=[-65 * MV, -68 * MV])
    read_out = nl.LI([0.03, 0.02], resistance=1e8, i_bias=1e-12, v_init=1 * MV)
    weights = np.array([[weight, 0.0], [weight, -weight]])
    return nl.Network(
        [nl.Population("a", 2, cells), nl.Population("r", 2, read_out)],
        [nl.Projection("p", "s", "a", weights, synapse, delay=1 * MS),
         nl.Projection("q", "s", "r", weights, synapse, delay=[[2 * MS, 0], [3 * MS, 1 * MS]])],
        [nl.SpikeInput("s", 2, [0, 1, 0, 0], [5 * MS, 12 * MS, 20 * MS, 40 * MS])],
        [nl.Probe("a", "v"), nl.Probe("r", "v")],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("synapse", "weight", "error", "order"),
    [
        (nl.Exponential(5 * MS), 0.2 * NA, 1e-4, 2),
        (nl.Exponential(5 * MS, "area"), 1e-12, 1e-4, 2),
        (nl.Exponential(5 * MS, "psp"), 2 * MV, 1e-4, 2),
        (nl.Alpha(5 * MS), 0.2 * NA, 1e-4, 2),
        (nl.BiExponential(2 * MS, 5 * MS, "nnmt"), 2 * MV, 1e-4, 2),
        (nl.Delta(), 2 * MV, 5e-3, 1),
    ],
    ids=["peak", "area", "psp", "alpha", "biexp", "delta"],
)
def test_subthreshold_voltage_converges_to_the_exact_rule(
    synapse: nl.Delta | nl.Exponential, weight: float, error: float, order: int
) -> None:
    """Largest error over the trace's range, for every weight norm, with delays and two tau_m."""
    net = driven(synapse, weight)
    errors = []
    for dt in (1 * MS, 0.1 * MS):
        n_steps = round(60 * MS / dt)
        exact, found = clocked(net, dt, n_steps), run_nengo(net, dt, n_steps)
        assert found.spikes["a"].sum() == 0
        errors.append([
            np.abs(found.traces[k, "v"] - exact.traces[k, "v"]).max()
            / np.ptp(exact.traces[k, "v"])
            for k in ("a", "r")
        ])  # fmt: skip
    assert np.max(errors[1]) < error
    gain = np.log10(np.array(errors[0]) / errors[1])
    assert np.all(gain > order - 0.1), f"order of convergence {gain}"


def test_recurrent_network_fires_at_the_reference_rates() -> None:
    rng = np.random.default_rng(1)
    n, dt, n_steps = 50, 0.1 * MS, 10_000
    weights = np.where(rng.random((n, n)) < 0.2, rng.normal(0, 0.15 * NA, (n, n)), 0.0)
    cell = nl.LIF(**CELL, t_refractory=2 * MS, i_bias=rng.uniform(0.12, 0.25, n) * NA)
    net = nl.Network(
        [nl.Population("a", n, cell)],
        [nl.Projection("p", "a", "a", weights, nl.Exponential(5 * MS), delay=1.5 * MS)],
    )
    exact = clocked(net, dt, n_steps).spikes["a"].sum(axis=0).astype(float)
    found = run_nengo(net, dt, n_steps).spikes["a"].sum(axis=0).astype(float)
    assert exact.mean() > 10
    assert abs(found.mean() / exact.mean() - 1) < 0.02
    assert np.corrcoef(found, exact)[0, 1] > 0.99


def test_delays_reach_the_same_step_as_in_the_reference() -> None:
    """One spike, strong delta synapses, a delay each: the targets fire in the reference's steps."""
    delays = np.array([0.0, 0.4, 1.0, 1.4, 2.6, 7.0])[:, None] * MS
    net = nl.Network(
        [nl.Population("a", 6, nl.LIF(**CELL)), nl.Population("b", 6, nl.LIF(**CELL))],
        [nl.Projection("p", "s", "a", np.full((6, 1), 40 * MV), delay=delays),
         nl.Projection("q", "a", "b", 40 * MV * np.eye(6)[:, ::-1], delay=2 * MS)],
        [nl.SpikeInput("s", 1, [0], [3 * MS])],
    )  # fmt: skip
    exact, found = clocked(net, 1 * MS, 30), run_nengo(net, 1 * MS, 30)
    assert exact.spikes["b"].sum() == 6
    assert first_difference(exact, found) is None


def test_nonleaky_neurons_integrate_charge() -> None:
    cell = nl.IF(1e-10, v_threshold=20 * MV, v_reset=5 * MV, reset="subtract", v_init=[5e-3, 9e-3])
    net = nl.Network(
        [nl.Population("a", 2, cell)],
        [nl.Projection("p", "s", "a", [[1 * MV], [2 * MV]]),
         nl.Projection("q", "s", "a", [[3e-12], [1e-12]], nl.Exponential(5 * MS, "area"))],
        [nl.SpikeInput("s", 1, np.zeros(30, int), np.arange(30) * 10 * MS),
         nl.CurrentInput("i", "a", Constant([0.01 * NA, 0.02 * NA]))],
        [nl.Probe("a")],
    )  # fmt: skip
    found = run_nengo(net, 1 * MS, 400)
    charge = 30 * np.array([1e-13 + 3e-12, 2e-13 + 1e-12]) + 0.4 * np.array([1e-11, 2e-11])
    volts = charge / 1e-10 + [0, 4 * MV]
    assert found.spikes["a"].sum(axis=0).tolist() == np.floor(volts / (15 * MV)).tolist()
    np.testing.assert_allclose(found.volts("a")[-1], 5 * MV + volts % (15 * MV), rtol=1e-9)


@pytest.mark.parametrize(
    "cell",
    [
        nl.LIF(**CELL, reset="subtract"),
        nl.LIF(**CELL, reset="subtract", t_refractory=[2 * MS, 3 * MS, 2 * MS]),
        nl.IF(2e-10, v_threshold=15 * MV, i_bias=-0.02 * NA),
        nl.IF(2e-10, v_threshold=15 * MV, reset="subtract", t_refractory=2 * MS),
    ],
    ids=["lif", "lif-held", "if", "if-held"],
)
def test_own_neuron_type_steps_as_the_reference(cell: nl.LIF | nl.IF) -> None:
    stimulus = Sinusoid([0.2 * NA, 0.3 * NA, 0.4 * NA], 0.25 * NA, 50 * MS)
    net = nl.Network(
        [nl.Population("a", 3, cell)],
        inputs=[nl.CurrentInput("i", "a", stimulus)],
        probes=[nl.Probe("a")],
    )
    with pytest.raises(LoweringError, match="population 'a'.*allow_custom=True"):
        run_nengo(net, 1 * MS, 10)
    exact = clocked(net, 1 * MS, 300)
    found = run_nengo(net, 1 * MS, 300, allow_custom=True)
    assert exact.spikes["a"].sum() > 20
    np.testing.assert_array_equal(found.spikes["a"], exact.spikes["a"])
    np.testing.assert_allclose(found.volts("a"), exact.volts("a"), atol=1e-12)
    assert "a neuron type of ours" in found.provenance["notes"]


# ------------------------------------------------------------ ordinary ensembles: what is built


def test_only_stock_types_are_built() -> None:
    cell = nl.IF(reset="subtract")
    net = nl.Network(
        [nl.Population("a", 3, nl.LIF([0.01, 0.02, 0.01], t_refractory=[0, 0, 1 * MS])),
         nl.Population("b", 2, cell), nl.Population("r", 1, nl.LI(0.1))],
        [nl.Projection("p", "a", "b", sparse.csr_matrix([[1.0, 0, 2], [0, 0, 0]]),
                       nl.Exponential(4 * MS)),
         nl.Projection("q", "r", "b", [[1.0], [1.0]])],
    )  # fmt: skip
    model = to_nengo(net, allow_custom=True)
    kinds = {type(e.neuron_type) for e in model.network.all_ensembles}
    assert kinds == {nengo.LIF, nengo.SpikingRectifiedLinear}
    assert [m.tolist() for m in model.members["a"]] == [[0], [2], [1]]
    taus = [e.neuron_type.tau_rc for e in model.ensembles["a"]]
    assert taus == [0.01, 0.01, 0.02]
    assert all(e.neuron_type.min_voltage == -np.inf for e in model.ensembles["a"])
    found = model.network.all_connections
    assert {type(c.transform) for c in found} == {nengo.Sparse}
    assert {c.synapse for c in found} == {nengo.Lowpass(4 * MS)}
    assert len(found) == 2  # neuron 1 of a has no synapse
    notes = "\n".join(model.notes)
    assert "'a': 3 ensembles" in notes and "'q': left out, a read-out never spikes" in notes
    dense = to_nengo(net, sparse=False).network.all_connections
    assert {type(c.transform) for c in dense} == {nengo.Dense}


def test_split_populations_and_sparse_weights_change_nothing() -> None:
    """Eight neurons of four kinds, driven hard: same rasters sparse, dense and in the reference."""
    rng = np.random.default_rng(4)
    cell = nl.LIF(**(CELL | {"tau_m": rng.choice([0.01, 0.02], 8)}),
                  t_refractory=rng.choice([2 * MS, 4 * MS], 8), i_bias=0.1 * NA)  # fmt: skip
    weights = np.where(rng.random((8, 8)) < 0.4, 40 * MV, 0.0)
    nets = [
        nl.Network([nl.Population("a", 8, cell)],
                   [nl.Projection("p", "s", "a", 40 * MV * np.eye(8)),
                    nl.Projection("q", "a", "a", w, delay=3 * MS)],
                   [nl.SpikeInput("s", 8, np.arange(8), np.arange(8) * 7 * MS)])
        for w in (weights, sparse.csr_matrix(weights))
    ]  # fmt: skip
    dense, thin = (run_nengo(net, 1 * MS, 80) for net in nets)
    assert dense.spikes["a"].sum() > 30
    assert first_difference(dense, thin) is None


def test_inputs_given_at_run_time_replace_what_is_described() -> None:
    net = driven(nl.Exponential(5 * MS), 0.2 * NA)
    rows = np.zeros((60, 2))
    rows[[5, 20, 40], 0] = 1
    rows[12, 1] = 1
    described, given = run_nengo(net, 1 * MS, 60), run_nengo(net, 1 * MS, None, {"s": rows})
    np.testing.assert_array_equal(described.volts("a"), given.volts("a"))
    assert run_nengo(net, 1 * MS, 60, {"s": 0 * rows}).volts("a")[30, 0] == pytest.approx(-65 * MV)
    with pytest.raises(TargetError, match=r"inputs\['s'\].*one sample at a time"):
        run_nengo(net, 1 * MS, 60, {"s": rows[None]})
    with pytest.raises(RangeError, match="'x' is unknown, allowed: s"):
        to_nengo(net, {"x": rows})


def test_sampled_and_given_currents_match_the_reference() -> None:
    values = np.random.default_rng(0).normal(0, 0.05 * NA, (20, 2))
    net = nl.Network(
        [nl.Population("a", 2, nl.LIF(**(CELL | {"tau_m": [0.02, 0.03]})))],
        inputs=[nl.CurrentInput("i", "a", Sampled(values, 2 * MS)), nl.CurrentInput("j", "a")],
    )
    more = {"j": np.random.default_rng(1).normal(0, 0.05 * NA, (50, 2))}
    exact = clocked(net, 1 * MS, 50, inputs=more, record="all")
    found = run_nengo(net, 1 * MS, 50, more, record="all")
    np.testing.assert_allclose(found.volts("a"), exact.volts("a"), atol=1e-12)
    np.testing.assert_array_equal(found.v_zero["a"], exact.v_zero["a"])


def test_recording_has_every_population_and_says_what_it_lacks() -> None:
    net = nl.Network(
        [nl.Population("a", 2, nl.LIF(0.02)), nl.Population("r", 1, nl.LI(0.02))],
        probes=[nl.Probe("a", "u"), nl.Probe("r", "v")],
    )
    found = run_nengo(net, 1 * MS, 5)
    assert {k: v.shape for k, v in found.spikes.items()} == {"a": (5, 2), "r": (5, 1)}
    assert set(found.traces) == {("r", "v")}
    assert "u is not recorded" in found.provenance["notes"]
    model = to_nengo(net)
    with model.simulator(1 * MS) as sim, pytest.raises(TargetError, match=r"a\.v is not probed"):
        model.data(sim, "a", "v")


def test_refusals_name_population_field_and_value() -> None:
    net = nl.Network(
        [nl.Population("a", 2, nl.LIF(0.02, reset="subtract")),
         nl.Population("b", 1, nl.IF(i_bias=-0.5, t_refractory=2 * MS))],
        [nl.Projection("p", "a", "b", [[1.0, -3.0]])],
        [nl.CurrentInput("i", "b", Sinusoid(1.0, 2.0, 0.1))],
    )  # fmt: skip
    with pytest.raises(LoweringError) as error:
        to_nengo(net)
    text = str(error.value)
    for part in ("'a': reset = 'subtract'", "'b': reset = 'value'", "'b': t_refractory = 0.002",
                 "'b': i_bias = -0.5", "projection 'p' = -3.0", "input 'i' = -1.0"):  # fmt: skip
        assert part in text, text


def test_any_simulator_class_runs_it() -> None:
    built = []

    class Mine(nengo.Simulator):
        def __init__(self, network: Any, **options: Any) -> None:
            built.append(options)
            super().__init__(network, progress_bar=False, optimize=False, **options)

    net = driven(nl.Delta(), 2 * MV)
    plain, mine = run_nengo(net, 1 * MS, 60), run_nengo(net, 1 * MS, 60, simulator=Mine)
    assert built == [{"dt": 1 * MS}]
    np.testing.assert_allclose(mine.volts("r"), plain.volts("r"), atol=1e-15)

    def full(network: Any, **options: Any) -> Any:
        raise nengo.exceptions.BuildError("no room")

    with pytest.raises(TargetError, match="full cannot build this model: no room"):
        run_nengo(net, 1 * MS, 60, simulator=full)


def test_users_connect_their_own_objects_to_ensembles() -> None:
    """A rate ensemble of the user's drives an input nobody described, in A; a Node reads spikes."""
    net = nl.Network(
        [nl.Population("a", 3, nl.LIF(**CELL, t_refractory=2 * MS))],
        [nl.Projection("p", "s", "a", np.full((3, 1), 40 * MV))],
        [nl.CurrentInput("i", "a"), nl.SpikeInput("s", 1)],
    )
    model = to_nengo(net)
    rate = np.zeros(3)

    def keep(t: float, x: Any) -> None:
        rate[:] = x

    with model.network:
        drive = nengo.Node([0.2 * NA, 0.4 * NA, 0.8 * NA])
        nengo.Connection(drive, model.nodes["i"], synapse=None)
        kick = nengo.Node(lambda t: 1000.0 * (round(t / MS) == 2))
        nengo.Connection(kick, model.nodes["s"], synapse=None)
        reader = nengo.Node(keep, size_in=3)
        nengo.Connection(model.ensembles["a"][0].neurons, reader, synapse=0.5)
    with model.simulator(1 * MS) as sim:
        sim.run_steps(3000)
        spikes = model.data(sim, "a", "spikes")
    assert spikes[2].all() and not spikes[:2].any()
    drives = np.array([0.2, 0.4, 0.8]) * NA * 1e8
    expected = 1 / (2 * MS + 0.02 * np.log((drives + 5 * MV) / (drives - 15 * MV)))
    np.testing.assert_allclose(rate, expected, rtol=0.05)


# ----------------------------------------------------------------------- integers, bit for bit


def with_latencies(rng: np.random.Generator, fixed: nl.FixedNetwork) -> nl.FixedNetwork:
    """Give projections latencies 0 to 2 where the emulator allows them."""
    order = [p.name for p in fixed.populations]

    def latency(p: nl.FixedProjection) -> int:
        forward = p.pre not in order or order.index(p.pre) < order.index(p.post)
        return int(rng.integers(0 if forward else 1, 3))

    late = [replace(p, latency=latency(p)) for p in fixed.projections]
    return replace(fixed, projections=tuple(late))


@pytest.mark.parametrize("profile", PROFILES)
def test_random_networks_equal_the_emulator_at_every_step(profile: str) -> None:
    """u, v, spikes and overflow events of 18 random networks per profile: not one difference."""
    spikes = events = 0
    for seed in range(18):
        rng = np.random.default_rng([seed, PROFILES.index(profile)])
        fixed = random_fixed(rng, profile, n_steps=30)
        if seed % 2:
            fixed = with_latencies(rng, fixed)
        expected = nl.run_fixed(fixed, 30, record="all")
        found = run_nengo_fixed(fixed, 30, record="all")
        difference = first_difference(expected, found)
        assert difference is None, f"seed {seed}: {difference}"
        assert found.traces.keys() == expected.traces.keys()
        assert found.events == expected.events, f"seed {seed}"
        spikes += sum(int((s != 0).sum()) for s in expected.spikes.values())
        events += len(expected.events)
    assert spikes > 500


def counting(n_steps: int = 12, raster: Any = True, **projection: Any) -> nl.FixedNetwork:
    """One channel that fires in every third step into two neurons of which one feeds the other."""
    rows = (np.arange(n_steps) % 3 == 0).astype(int)[:, None] if raster is True else raster
    population = nl.FixedPopulation(
        "a", 2, "lif_subtract", {"du": 4096, "dv": 300, "vth": 40, "refract": 2}, {"v": [0, 1500]}
    )
    return nl.FixedNetwork(
        nl.load_profile("generic"), (population,),
        (nl.FixedProjection("s", "s", "a", np.array([[30], [9]]), **projection),
         nl.FixedProjection("r", "a", "a", np.array([[0, 20], [50, 0]]), delays=[0, 2, 1, 0])),
        (nl.FixedSource("s", 1, rows),), (nl.DirectInput("i", "a"),), probes=(nl.Probe("a", "v"),),
    )  # fmt: skip


@pytest.mark.parametrize("latency", [0, 1])
def test_input_latency_and_direct_inputs(latency: int) -> None:
    """Also: a projection may have the name of its source."""
    fixed = counting(latency=latency)
    inputs = {"i": np.arange(24).reshape(12, 2) * 2.0}
    expected = nl.run_fixed(fixed, inputs=inputs)
    found = run_nengo_fixed(fixed, inputs=inputs)
    assert expected.spikes["a"].any()
    assert first_difference(expected, found) is None
    assert found.is_integer and found.traces["a", "v"].dtype == np.int64
    np.testing.assert_array_equal(found.volts("a"), expected.volts("a"))


def test_overflow_in_the_very_last_step_is_counted() -> None:
    profile = nl.load_profile("lava-0.10")
    fixed = nl.FixedNetwork(
        profile,
        (nl.FixedPopulation("a", 1, params={"vth": 1, "bias_mant": 100}),),
        (nl.FixedProjection("p", "a", "a", np.array([[127]]), exponent=26),),
        enforce_ranges=False,
    )
    for n_steps in (1, 2, 3):
        expected = nl.run_fixed(fixed, n_steps, record="all")
        found = run_nengo_fixed(fixed, n_steps, record="all")
        assert expected.events and found.events == expected.events
        assert first_difference(expected, found) is None


def test_simulators_share_nothing_and_can_be_reset() -> None:
    fixed = counting(40)
    expected = nl.run_fixed(fixed, 40)
    model = fixed_to_nengo(fixed)
    with model.simulator(1 * MS) as one, model.simulator(0.3 * MS) as other:
        one.run_steps(17)
        other.run_steps(40)
        one.run_steps(23)
        other.reset()
        other.run_steps(40)
        for sim in (one, other):
            for variable in ("spikes", "v"):
                a = model.data(sim, "a", variable)
                b = expected.spikes["a"] if variable == "spikes" else expected.traces["a", "v"]
                np.testing.assert_array_equal(a, b)


def test_users_connect_their_own_objects_to_integers() -> None:
    """A Nengo LIF drives the source, a Node the direct input, a Lowpass reads out the rate."""
    fixed = counting(raster=None)
    model = fixed_to_nengo(fixed)
    with model.network:
        stock = nengo.Ensemble(1, 1, gain=[1.0], bias=[3.0], neuron_type=nengo.LIF(), seed=1)
        nengo.Connection(stock.neurons, model.nodes["s"], synapse=None)
        push = nengo.Node(lambda t: [3, round(100 * t)])
        nengo.Connection(push, model.nodes["i"], synapse=None)
        rate = nengo.Node(size_in=2)
        nengo.Connection(model.ensembles["a"][0].neurons, rate, synapse=0.2)
        drive, read = nengo.Probe(stock.neurons), nengo.Probe(rate)
        register = nengo.Probe(model.ensembles["a"][0].neurons[1], "u")
    with model.simulator(1 * MS) as sim:
        sim.run_steps(1000)
        raster = np.rint(sim.data[drive] * MS).astype(int)
        direct = np.array([[3, round(100 * t)] for t in sim.trange()])
        expected = nl.run_fixed(fixed, 1000, {"s": raster, "i": direct}, record="all")
        assert raster.sum() > 50 and expected.spikes["a"].sum() > 50
        for variable in ("spikes", "v"):
            a = expected.spikes["a"] if variable == "spikes" else expected.traces["a", "v"]
            np.testing.assert_array_equal(model.data(sim, "a", variable), a)
        np.testing.assert_array_equal(sim.data[register][:, 0], expected.traces["a", "u"][:, 1])
        tail = expected.spikes["a"][400:].mean(axis=0) / MS
        np.testing.assert_allclose(sim.data[read][600:].mean(axis=0), tail, rtol=0.1)


def test_sums_beyond_float64_and_wrong_sizes_are_refused() -> None:
    with pytest.raises(TargetError, match="population 'a': input = 9007199254740992.0, allowed"):
        whole(np.array([3.0, 2.0**53]), "population 'a'")
    with pytest.raises(TargetError, match="input = nan"):
        whole(np.array([np.nan]), "population 'a'")
    neurons = target.FixedPointNeurons(counting(), "a")
    with pytest.raises(TargetError, match="n_neurons = 3, allowed: 2"):
        neurons.make_state(3)
    with pytest.raises(TargetError, match=r"float32, allowed: float64"):
        neurons.make_state(2, dtype=np.float32)
    assert signal_of("v") == "v" and signal_of("out") == "register_out"


def test_single_precision_nengo_is_refused() -> None:
    before = nengo.rc.get("precision", "bits")
    nengo.rc.set("precision", "bits", "32")
    try:
        with pytest.raises(TargetError, match="precision bits = 64"):
            run_nengo_fixed(counting(), 3)
    finally:
        nengo.rc.set("precision", "bits", before)


def test_decoded_connections_are_refused() -> None:
    model = fixed_to_nengo(counting())
    with model.network:
        out = nengo.Node(size_in=1)
        nengo.Connection(model.ensembles["a"][0], out)
    with pytest.raises(TargetError, match="no decoders, connect from `.neurons`"):
        model.simulator(1 * MS)


def test_fixed_inputs_are_checked() -> None:
    fixed = counting()
    with pytest.raises(RangeError, match="allowed: whole numbers"):
        run_nengo_fixed(fixed, inputs={"s": np.full((3, 1), 0.5)})
    with pytest.raises(TargetError, match="one sample at a time"):
        fixed_to_nengo(fixed, {"s": np.ones((2, 3, 1), int)})
    with pytest.raises(RangeError, match="n_steps = None"):
        run_nengo_fixed(fixed)


# ------------------------------------------------------------------------------- the import


def test_missing_nengo_is_said_in_one_line() -> None:
    code = (
        "import sys; sys.modules['nengo'] = None\n"
        "from neuro_lif.errors import TargetError\n"
        "try:\n    from neuro_lif.targets import nengo\n"
        "except TargetError as error: print(error)"
    )
    root = Path(nl.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert "pip install 'nengo>=4'" in done.stdout, done.stderr


def test_the_target_knows_the_real_nengo() -> None:
    assert target.VERSION == nengo.__version__
    assert target.__name__ == "neuro_lif.targets.nengo"
