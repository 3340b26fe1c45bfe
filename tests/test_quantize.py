"""The lowering: what it must express, refuse, prove and choose."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_networks import hostile_rasters, random_network, random_profile, sharing
from scipy import sparse

import neuro_lif as nl
from neuro_lif.demo import load_digits_example
from neuro_lif.discretize import StepRule
from neuro_lif.errors import LoweringError, ProfileError, RangeError
from neuro_lif.lower.bounds import active, lanes_of, strongest
from neuro_lif.lower.draft import APPROXIMATIONS
from neuro_lif.lower.encode import current_to_integers
from neuro_lif.run_inputs import input_rows
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

DT = 1e-3
EVERY = tuple(APPROXIMATIONS)


def cell(**changes: Any) -> nl.LIF:
    return nl.LIF(**{"tau_m": 20e-3, "v_threshold": 1.0} | changes)


def one_layer(
    neuron: Any = None, weights: Any = None, synapse: Any = None, n: int = 1, **projection: Any
) -> nl.Network:
    """An input ``x`` onto a population ``p``."""
    weights = np.full((n, 3), 0.1) if weights is None else weights
    synapse = nl.Delta() if synapse is None else synapse
    projection = {"delay": DT} | projection
    return nl.Network(
        [nl.Population("p", n, cell() if neuron is None else neuron)],
        [nl.Projection("w", "x", "p", weights, synapse, **projection)],
        [nl.SpikeInput("x", weights.shape[1])],
    )


def lower(network: nl.Network, profile: Any = "loihi2", rule: Any = "exact", **options: Any) -> Any:
    return nl.quantize(nl.discretize(network, DT, rule), profile, **options)


def regular(n_steps: int, n: int, every: int = 3) -> Any:
    return ((np.arange(n_steps)[:, None] + np.arange(n)) % every == 0).astype(np.int64)


# ------------------------------------------------------------------------------ the proof


def check_proof(seed: int, n_steps: int = 80) -> bool | None:
    """Lower a random network; where the ledger claims a proof, hostile input may not overflow."""
    rng = np.random.default_rng(seed)
    network, profile = random_network(rng, n_steps), random_profile(rng)
    rule = StepRule(compare=str(rng.choice([">", ">="])))  # type: ignore[arg-type]
    bits = int(rng.integers(1, profile.weights.mantissa_bits + 1)) if rng.random() < 0.5 else None
    stepped = nl.discretize(network, DT, rule)
    try:
        fixed = nl.quantize(
            stepped, profile, approximate=EVERY, weight_bits=bits, proved=bool(rng.integers(2))
        )
    except LoweringError as error:
        assert "proved = True" in str(error)
        return None
    ledger = fixed.ledger
    assert ledger is not None and "nan" not in str(ledger)
    recording = nl.run_fixed(
        fixed, inputs={"x": hostile_rasters(rng, network, n_steps)}, record="all"
    )
    if ledger.proved:
        assert not recording.events, f"seed {seed}: {recording.events[0]}\n{ledger}"
        for p in network.populations:
            if isinstance(p.neuron, nl.LI):
                assert not recording.spikes[p.name].any(), f"seed {seed}: a read-out spiked"
    return bool(ledger.proved)


def test_what_is_called_proved_never_overflows() -> None:
    """Random networks, profiles and widths: no input overflows where the ledger claims a proof."""
    claimed = [check_proof(seed) for seed in range(40)]
    assert sum(c is True for c in claimed) >= 15, "the test must see proofs to be worth something"
    assert sum(c is False for c in claimed) >= 3


@pytest.mark.verify
def test_what_is_called_proved_never_overflows_long() -> None:
    for seed in range(10_000, 11_500):
        check_proof(seed)


@given(st.integers(0, 2**32), st.sampled_from(["loihi1", "loihi2"]), st.integers(1, 8))
@example(16852, "loihi1", 1)  # the shifted weight -256 << 7 leaves the range of a synapse
@settings(max_examples=25, deadline=None)
def test_proved_true_makes_a_proof(seed: int, profile: str, bits: int) -> None:
    """With a leak everywhere and spikes alone: a proof that holds, or a refusal that says why."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 50, leaky=True)
    network = nl.Network(network.populations, network.projections, network.spike_inputs)
    try:
        fixed = lower(network, profile, approximate=EVERY, weight_bits=bits, proved=True)
    except LoweringError as error:  # the smallest weight that can be coded is too large
        assert "proved = True" in str(error)
        return
    assert fixed.ledger.proved
    rasters = hostile_rasters(rng, network, 60)
    assert not nl.run_fixed(fixed, inputs={"x": rasters}).events


def test_proved_true_is_refused_seldom() -> None:
    refused = 0
    for seed in range(40):
        network = random_network(np.random.default_rng(seed), 50, leaky=True)
        network = nl.Network(network.populations, network.projections, network.spike_inputs)
        try:
            assert lower(network, "loihi2", approximate=EVERY, proved=True).ledger.proved
        except LoweringError:
            refused += 1
    assert refused <= 4


def test_no_proof_without_a_leak() -> None:
    """An IF with inhibition has no lower bound, so no proof, and proved=True is refused."""
    network = one_layer(nl.IF(), np.array([[0.3, -0.2]]))
    assert not lower(network).ledger.proved
    with pytest.raises(LoweringError, match="proved = True.*register v"):
        lower(network, proved=True)
    # a decay that rounds to nothing is no leak either
    slow = one_layer(cell(tau_m=60.0), np.array([[0.3, -0.2]]))
    assert not lower(slow).ledger.proved
    assert "leak lost" in str(lower(slow).ledger)


def test_no_leak_but_no_way_down_is_proved() -> None:
    """An excited IF stays between reset and threshold plus one step's input: that is a proof."""
    fixed = lower(one_layer(nl.IF(), np.array([[0.3, 0.2]])), proved=True)
    assert fixed.ledger.proved
    raster = np.ones((2000, 2), np.int64)
    assert not nl.run_fixed(fixed, inputs={"x": raster}).events


def test_no_proof_for_currents_given_at_run_time() -> None:
    network = nl.Network([nl.Population("p", 1, cell())], (), [nl.CurrentInput("i", "p")])
    fixed = lower(network)
    assert not fixed.ledger.proved
    assert any("head-room is kept for currents up to" in n for n in fixed.ledger.notes)
    with pytest.raises(LoweringError, match="given at run time"):
        lower(network, proved=True)


def test_bound_is_reached_by_its_witness() -> None:
    """The bound is tight: all excitatory sources in every step bring u within 2 % of it."""
    synapse = nl.Exponential(5e-3)
    fixed = lower(one_layer(weights=np.full((1, 20), 0.02), synapse=synapse), proved=True)
    recording = nl.run_fixed(fixed, inputs={"x": np.ones((200, 20), np.int64)}, record="all")
    bound = next(h.bound for h in fixed.ledger.headroom if h.register == "u")
    assert 0.98 * bound <= recording.traces["p", "u"].max() <= bound


def test_start_beyond_the_threshold_is_in_the_bound() -> None:
    neuron = cell(tau_m=0.5, v_init=np.array([30.0]), i_bias=20.0)
    fixed = lower(one_layer(neuron), proved=True)
    assert fixed.ledger.proved
    assert not nl.run_fixed(fixed, inputs={"x": np.ones((50, 3), np.int64)}).events


def test_strongest_counts_every_delay_by_itself() -> None:
    """Spikes of two steps arrive together through two delays: the largest of each count."""
    values, post = np.array([5.0, 4.0, 3.0, -9.0, 7.0]), np.array([0, 0, 0, 0, 1])
    assert strongest(values, post, 2, 1).tolist() == [5.0, 7.0]
    assert strongest(values, post, 2, 2).tolist() == [9.0, 7.0]
    lane, lanes = lanes_of(np.array([0, 3, 3, 0, 0]))
    assert strongest(values, post, 2, 1, lane, lanes).tolist() == [9.0, 7.0]
    assert strongest(values, post, 2, 10).tolist() == [12.0, 7.0]
    assert [active(10, a) for a in (1.0, 0.25, 0.01)] == [10, 3, 1]


def test_a_share_of_the_sources_means_the_worst_ones() -> None:
    """An unproved bound holds for every choice of that share of the sources."""
    rng = np.random.default_rng(4)
    weights = np.where(rng.random((1, 400)) < 0.1, -0.06, 0.02)
    network = one_layer(cell(tau_m=100e-3), weights, nl.Exponential(50e-3))
    fixed = lower(network)
    activity = fixed.ledger.headroom[0].activity
    assert activity < 1.0 and not fixed.ledger.proved
    assert all(h.bound <= h.limit for h in fixed.ledger.headroom)
    worst = np.argsort(weights[0])[: active(400, activity)]
    raster = np.zeros((1000, 400), np.int64)
    raster[:, worst] = 1
    recording = nl.run_fixed(fixed, inputs={"x": raster}, record="all")
    assert not recording.events
    bound = next(h.bound for h in fixed.ledger.headroom if h.register == "v")
    assert np.abs(recording.traces["p", "v"]).max() > 0.8 * bound


def test_a_network_beyond_the_resolution_is_kept_alive_and_told() -> None:
    """Where head-room would cost the weights themselves, the ledger warns instead."""
    weights = np.where(np.arange(400)[None] % 10 == 0, -0.1, 0.002)
    network = one_layer(cell(tau_m=200e-3, v_threshold=0.2), weights, nl.Exponential(100e-3))
    fixed = lower(network)
    assert fixed.projections[0].weights.any() and not fixed.ledger.proved
    text = str(fixed.ledger)
    assert "OVERFLOWS if the worst 1%" in text and "too little resolution" in text
    assert "weights are below half a step and became 0" in text
    assert lower(network, proved=True).ledger.proved


# ----------------------------------------------------------------------- what it must express


def spikes_agree(
    network: nl.Network, profile: Any = "loihi2", least: float = 0.97, **kw: Any
) -> None:
    """Float and integers, driven alike, spike alike."""
    rule = kw.pop("rule", "exact")
    stepped = nl.discretize(network, DT, rule)
    fixed = nl.quantize(stepped, profile, **kw)
    inputs = {i.name: regular(300, i.size) for i in network.spike_inputs}
    a = nl.run_clocked(stepped, 300, inputs)
    b = nl.run_fixed(fixed, 300, inputs)
    result = nl.compare(a, b)
    for p in result.populations:
        assert p.spikes_first > 0 or not any(q.spikes for q in stepped.populations)
        assert p.agreement >= least, result
    assert not b.events


@pytest.mark.parametrize("profile", ["loihi1", "loihi2", "generic"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"v_rest": -65e-3, "v_threshold": -50e-3, "v_reset": -70e-3, "i_bias": 14e-3},
        {"t_refractory": 4e-3},
        {"tau_m": np.array([5e-3, 20e-3, 80e-3])},
        {"v_threshold": np.array([0.5, 1.0, 2.0])},
        {"v_reset": np.array([-0.5, 0.0, 0.2]), "resistance": np.array([1.0, 2.0, 3.0])},
        {"v_init": np.array([0.9, -3.0, 0.0]), "i_bias": np.array([0.5, 0.9, 1.3])},
    ],
)
def test_every_kind_of_lif(profile: str, changes: dict[str, Any]) -> None:
    neuron = cell(**changes)
    scale = float(np.mean(np.asarray(neuron.v_threshold) - np.asarray(neuron.v_reset)))
    network = one_layer(neuron, scale * np.array([[0.25, 0.11, 0.4]] * 3), n=3)
    spikes_agree(network, profile)


@pytest.mark.parametrize("profile", ["loihi1", "loihi2", "generic"])
@pytest.mark.parametrize("norm", ["peak", "area", "psp"])
def test_every_exponential_synapse(profile: str, norm: Any) -> None:
    per = {"peak": 1.0, "area": 8e-3, "psp": 8e-3 / 20e-3}[norm]
    synapse = nl.Exponential(8e-3, norm)
    spikes_agree(one_layer(weights=per * np.array([[0.5, 0.9, -0.2]]), synapse=synapse), profile)


def test_integrate_and_fire_and_reset_by_subtraction() -> None:
    spikes_agree(one_layer(nl.IF(capacitance=2.0), np.array([[0.2, 0.31, 0.17]])), least=0.9)
    spikes_agree(one_layer(cell(reset="subtract"), np.array([[0.3, 0.5, 0.2]])), "generic", 0.9)


def test_conductance_form() -> None:
    neuron = nl.LIF.from_conductance(200e-12, 10e-9, -65e-3, v_threshold=-50e-3, i_bias=120e-12)
    spikes_agree(one_layer(neuron, 5e-3 * np.ones((1, 3))))


def test_per_synapse_delays_dense_and_sparse() -> None:
    rng = np.random.default_rng(2)
    weights = 0.4 * rng.random((4, 6)) * (rng.random((4, 6)) < 0.7)
    dense = one_layer(weights=weights, n=4, delay=DT * rng.integers(1, 30, (4, 6)))
    spikes_agree(dense)
    csr = sparse.csr_matrix(weights)
    flat = one_layer(weights=csr, n=4, delay=DT * rng.integers(1, 30, csr.nnz))
    spikes_agree(flat)
    fixed = lower(flat)
    expected = np.rint(flat.projections[0].delay / DT) - 1
    assert fixed.projections[0].delays.tolist() == expected.tolist()


def test_one_spike_arrives_when_the_float_says() -> None:
    for profile in ("loihi1", "loihi2", "lava-0.10", "generic"):
        for delay in (1, 2, 7):
            network = one_layer(weights=np.array([[2.0]]), delay=delay * DT)
            stepped = nl.discretize(network, DT)
            raster = np.zeros((20, 1), np.int64)
            raster[4] = 1
            a = nl.run_clocked(stepped, inputs={"x": raster})
            b = nl.run_fixed(nl.quantize(stepped, profile), inputs={"x": raster})
            assert np.array_equal(a.spikes["p"], b.spikes["p"]) and a.spikes["p"].sum() == 1


def test_the_comparison_is_the_one_the_rule_wants() -> None:
    """``v >= theta`` is ``v > theta - 1`` for integers, and the other way round."""
    for compare, rule, change in ((">", "exact-ge", -1), (">=", "exact", 1)):
        profile = nl.load_profile("generic", align_shift=0, threshold_bits=20, compare=compare)
        plain = "exact" if rule == "exact-ge" else "exact-ge"
        same, other = (lower(one_layer(), profile, r).params("p")["vth"] for r in (plain, rule))
        assert other - same == change


def test_networks_without_projections_or_bias() -> None:
    alone = nl.Network([nl.Population("p", 2, cell(i_bias=np.array([0.0, 1.5])))])
    fixed = lower(alone)
    recording = nl.run_fixed(fixed, 200)
    assert recording.spikes["p"].sum(axis=0).tolist()[0] == 0 < recording.spikes["p"].sum()
    silent = lower(nl.Network([nl.Population("p", 1, cell())]))
    assert not nl.run_fixed(silent, 50).spikes["p"].any()
    readout = lower(nl.Network([nl.Population("p", 1, nl.LI(10e-3))]))
    assert "nan" not in str(readout.ledger) + str(silent.ledger)


@pytest.mark.parametrize("weights", [np.zeros((2, 3)), sparse.csr_matrix((2, 3))])
def test_weights_that_are_all_zero(weights: Any) -> None:
    fixed = lower(one_layer(weights=weights, n=2))
    assert not nl.run_fixed(fixed, inputs={"x": np.ones((9, 3), np.int64)}).spikes["p"].any()
    assert "nan" not in str(fixed.ledger)


def test_delta_synapses_alone_forget_u_at_once() -> None:
    fixed = lower(one_layer())
    assert np.all(fixed.params("p")["du"] == 4095)


def test_read_out_never_spikes() -> None:
    """A read-out must stay below the largest threshold, not only inside its register."""
    for config in ({"threshold_bits": 6}, {"threshold_bits": 10}, {}):
        profile = nl.load_profile("generic", **config)
        network = one_layer(nl.LI(20e-3), np.array([[0.3, 0.7]]))
        stepped = nl.discretize(network, DT)
        fixed = nl.quantize(stepped, profile, proved=True)
        raster = np.ones((300, 2), np.int64)
        b = nl.run_fixed(fixed, inputs={"x": raster}, record="all")
        assert not b.spikes["p"].any() and not b.events
        a = nl.run_clocked(stepped, inputs={"x": raster}, record="all")
        error = np.abs(a.volts("p") - b.volts("p")).max() / a.volts("p").max()
        assert error < (0.2 if config.get("threshold_bits") == 6 else 0.03)


# --------------------------------------------------------------- what it must refuse, by name


@pytest.mark.parametrize(
    ("network", "profile", "names"),
    [
        (one_layer(cell(reset="subtract")), "loihi1", "reset = 'subtract'"),
        (one_layer(cell(t_refractory=3e-3)), "lava-0.10", "t_refractory of 3 steps"),
        (one_layer(cell(t_refractory=0.5)), "loihi2", "t_refractory of 500 steps"),
        (one_layer(delay=0.2), "loihi2", "a delay of 199 steps, the longest is 6"),
    ],
)
def test_refusals(network: nl.Network, profile: str, names: str) -> None:
    with pytest.raises(LoweringError, match=names) as caught:
        lower(network, profile)
    name = str(caught.value).split('approximate=("')[1].split('"')[0]
    fixed = lower(network, profile, approximate=name)
    assert len(fixed.ledger.approximations) == 1
    assert "approximated:" in str(fixed.ledger)


def test_two_synapses_on_one_population() -> None:
    weights = np.full((1, 3), 0.2)
    network = nl.Network(
        [nl.Population("p", 1, cell())],
        [
            nl.Projection("fast", "x", "p", weights, nl.Exponential(2e-3)),
            nl.Projection("slow", "x", "p", 3 * weights, nl.Exponential(10e-3)),
        ],
        [nl.SpikeInput("x", 3)],
    )
    with pytest.raises(LoweringError, match="2 ms, 10 ms"):
        lower(network, "loihi1")
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, "loihi2", approximate=("synapse",))
    inputs = {"x": regular(2000, 3, 4)}
    a, b = nl.run_clocked(stepped, inputs=inputs), nl.run_fixed(fixed, inputs=inputs)
    assert b.spikes["p"].sum() == pytest.approx(a.spikes["p"].sum(), rel=0.05)


def test_input_without_latency_is_refused_or_late() -> None:
    """A rule without input latency wants spikes a step earlier than the chip has them."""
    network, rule = one_layer(weights=np.array([[2.0]]), delay=0.0), StepRule(input_latency=0)
    with pytest.raises(LoweringError, match=r"1 step\(s\) earlier.*input_latency=1"):
        lower(network, rule=rule)
    fixed = lower(network, rule=rule, approximate=("delay",))
    stepped = nl.discretize(network, DT, rule)
    raster = regular(30, 1)
    a, b = nl.run_clocked(stepped, inputs={"x": raster}), nl.run_fixed(fixed, inputs={"x": raster})
    assert not nl.compare(a, b).identical
    assert nl.compare(a, b, shift=1).identical
    # a delay that is there anyway takes the step up, exactly
    spikes_agree(one_layer(delay=2 * DT, weights=np.full((1, 3), 0.4)), rule=rule)


def test_several_spikes_of_one_channel_in_one_step() -> None:
    spikes = nl.SpikeInput("x", 2, [0, 0, 1, 0], [1e-4, 5e-4, 3.1e-3, 6e-3])
    network = nl.Network(
        [nl.Population("p", 1, nl.IF(v_threshold=100.0))],
        [nl.Projection("w", "x", "p", np.array([[1.0, 2.0]]), delay=DT)],
        [spikes],
    )
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, "loihi2")
    a, b = nl.run_clocked(stepped, 12, record="all"), nl.run_fixed(fixed, 12, record="all")
    assert np.abs(a.volts("p") - b.volts("p")).max() < 0.02
    assert fixed.projections[0].graded
    with pytest.raises(
        LoweringError, match="'x' sends 2 spikes of one channel in one step.*loihi1"
    ):
        nl.quantize(stepped, "loihi1")
    lossy = nl.quantize(stepped, "loihi1", approximate=("counts",))
    assert not lossy.projections[0].graded and lossy.ledger.approximations


def test_one_threshold_per_population() -> None:
    """Where there is one threshold for all, each neuron gets its own LSB instead, exactly."""
    profile = sharing(nl.load_profile("loihi1"), "vth", "population")
    thresholds = np.array([0.3, 1.0, 2.5])
    network = one_layer(cell(v_threshold=thresholds, i_bias=0.1), np.full((3, 2), 0.4), n=3)
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, profile)
    population = fixed.population("p")
    assert np.size(population.params["vth"]) == 1
    realised = np.asarray(population.lsb) * int(population.params["vth"]) * 64
    assert realised == pytest.approx(thresholds, rel=1e-3)
    spikes_agree(network, profile)
    inputs = {"x": regular(40, 2, 9)}
    a = nl.run_clocked(stepped, inputs=inputs, record="all").volts("p")
    b = nl.run_fixed(fixed, inputs=inputs, record="all").volts("p")
    assert np.all(np.abs(a - b) < 0.01 * thresholds)
    assert any("its own LSB" in n for n in fixed.ledger.notes)


def test_other_parameters_that_neurons_must_share() -> None:
    profile = sharing(nl.load_profile("loihi2"), "dv", "population")
    assert lower(one_layer(n=2), profile).ledger is not None
    with pytest.raises(LoweringError, match="dv = .*one per population"):
        lower(one_layer(cell(tau_m=np.array([5e-3, 9e-3])), n=2), profile)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"approximate": "everything"}, "approximate = 'everything', allowed: refractory"),
        ({"weight_bits": 0}, r"weight_bits = 0, allowed: 1\.\.8"),
        ({"weight_bits": 9}, "weight_bits = 9"),
        ({"weight_bits": 4.0}, "weight_bits = 4.0"),
        ({"weight_bits": True}, "weight_bits = True"),
        ({"n_steps": 0}, "n_steps = 0, allowed: a whole number >= 1"),
        ({"n_steps": 2.5}, "n_steps = 2.5"),
        ({"approximate": None}, "approximate = None"),
        ({"approximate": [["delay"]]}, r"approximate = \['delay'\]"),
    ],
)
def test_bad_arguments(options: dict[str, Any], names: str) -> None:
    with pytest.raises(RangeError, match=names):
        lower(one_layer(), **options)


def test_wrong_kinds_of_argument() -> None:
    with pytest.raises(RangeError, match=r"allowed: a SteppedNetwork, from discretize\(\)"):
        nl.quantize(one_layer(), "loihi2")  # type: ignore[arg-type]
    with pytest.raises(ProfileError, match="profile = 7"):
        lower(one_layer(), 7)


def extreme(rng: np.random.Generator) -> tuple[nl.Network, float]:
    """A network with numbers over tens of orders of magnitude, and a step."""

    def e(lo: float, hi: float) -> float:
        return float(10 ** rng.uniform(lo, hi))

    threshold, sign = e(-15, 12), int(rng.choice([-1, 0, 1]))
    neuron = nl.LIF(
        e(-6, 3),
        e(-9, 9),
        v_threshold=threshold,
        i_bias=sign * e(-12, 9),
        v_init=sign * threshold * e(-3, 3),
        t_refractory=e(-4, 1),
    )
    neuron = rng.choice([neuron, nl.IF(e(-12, 6), threshold), nl.LI(e(-6, 3), v_rest=e(-9, 9))])
    synapse = rng.choice([nl.Delta(), nl.Exponential(e(-6, 3))])
    weights = np.array([[e(-20, 15) * rng.choice([-1, 0, 1]) for _ in range(3)]])
    return one_layer(neuron, weights, synapse, delay=e(-5, 1)), e(-5, -1)


def test_extreme_numbers_end_in_a_network_or_a_refusal() -> None:
    for seed in range(60):
        network, dt = extreme(np.random.default_rng(seed))
        stepped = nl.discretize(network, dt)
        fixed = nl.quantize(stepped, ["loihi1", "loihi2", "generic"][seed % 3], approximate=EVERY)
        assert "nan" not in str(fixed.ledger)
        recording = nl.run_fixed(fixed, 20, {"x": np.ones((20, 3), np.int64)})
        assert not (fixed.ledger.proved and recording.events)
        nl.dequantize(fixed, stepped)


def test_input_is_not_changed() -> None:
    network = random_network(np.random.default_rng(5), 50)
    stepped = nl.discretize(network, DT)
    before = copy.deepcopy([vars(p) for p in (*stepped.populations, *stepped.projections)])
    nl.quantize(stepped, "loihi1", approximate=EVERY)
    for old, part in zip(before, (*stepped.populations, *stepped.projections), strict=True):
        for name, value in vars(part).items():
            if sparse.issparse(value):
                assert np.array_equal(old[name].data, value.data)
            else:
                assert np.array_equal(old[name], value)


# ------------------------------------------------------------------------------- currents


def test_constant_current_is_a_bias() -> None:
    bare = nl.Network(
        [nl.Population("p", 1, cell())], (), [nl.CurrentInput("i", "p", Constant(1.4))]
    )
    biased = nl.Network([nl.Population("p", 1, cell(i_bias=1.4))])
    a, b = lower(bare), lower(biased)
    assert a.params("p").keys() == b.params("p").keys() and not a.directs
    for name, value in a.params("p").items():
        assert np.array_equal(value, b.params("p")[name])


@pytest.mark.parametrize("synapse", [None, nl.Exponential(5e-3)])
def test_varying_currents_follow_the_float(synapse: Any) -> None:
    """A sampled and a sinusoidal current reach v to within a few units of the input."""
    rng = np.random.default_rng(1)
    for stimulus in (Sampled(0.4 + 0.3 * rng.normal(size=(200, 1)), DT), Sinusoid(0.3, 0.5, 40e-3)):
        network = one_layer(cell(v_threshold=50.0), np.array([[0.1]]), synapse)
        network = nl.Network(
            network.populations,
            network.projections,
            [*network.inputs, nl.CurrentInput("i", "p", stimulus)],
        )
        stepped = nl.discretize(network, DT)
        fixed = nl.quantize(stepped, "loihi2", n_steps=200)
        a = nl.run_clocked(stepped, 200, {"x": regular(200, 1)}, record="all").volts("p")
        recording = nl.run_fixed(fixed, 200, {"x": regular(200, 1)}, record="all")
        assert np.abs(a - recording.volts("p")).max() < 2e-3 * 50.0
        assert any(e.field == "current" and e.values >= 200 for e in fixed.ledger.entries)
        assert not recording.events


def test_a_sinusoid_has_no_end() -> None:
    network = nl.Network(
        [nl.Population("p", 1, cell())], (), [nl.CurrentInput("i", "p", Sinusoid(0.0, 0.9, 0.1))]
    )
    assert lower(network, n_steps=30).directs[0].raster.shape == (30, 1)
    fixed = lower(network)  # coded as a run goes
    direct = fixed.directs[0]
    assert direct.raster is None and direct.covers is None
    amperes = Sinusoid(0.0, 0.9, 0.1).sample(np.arange(500) * DT, 1)
    coded = nl.encode_current(direct, amperes)
    assert np.array_equal(input_rows(fixed, {}, 1, 500)["i"][0], coded)
    assert np.abs(coded).max() <= direct.reach <= 2 * np.abs(coded).max() + 4


def test_current_charge_is_never_lost() -> None:
    """A current far below one unit still moves v: rounding is made good in the next steps."""
    for kept in (0.0, 0.9):
        amperes = np.full((1000, 1), 0.13)
        integers = current_to_integers(amperes, np.ones(1) * 64, np.array([kept]), 6)
        u = np.zeros(1000)
        for t in range(1000):
            u[t] = (kept * u[t - 1] if t else 0.0) + 64 * integers[t, 0]
        charge = np.cumsum(u) - np.cumsum(64 * amperes[:, 0])
        assert np.abs(charge).max() <= 32 + 1e-6


def test_currents_at_run_time() -> None:
    network = nl.Network([nl.Population("p", 2, cell())], (), [nl.CurrentInput("i", "p")])
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, "loihi2")
    amperes = np.stack([np.full((100, 2), 1.5), np.zeros((100, 2))])
    integers = nl.encode_current(fixed.directs[0], amperes)
    a = nl.run_clocked(stepped, inputs={"i": amperes})
    b = nl.run_fixed(fixed, inputs={"i": integers})
    assert nl.compare(a, b).populations[0].agreement > 0.95
    assert a.spikes["p"][0].any() and not b.spikes["p"][1].any()
    with pytest.raises(RangeError, match="amperes"):
        nl.encode_current(fixed.directs[0], np.zeros(3))
    with pytest.raises(RangeError, match="finite"):
        nl.encode_current(fixed.directs[0], np.full((3, 2), np.nan))
    with pytest.raises(RangeError, match="its scale is not known"):
        nl.encode_current(nl.DirectInput("i", "p"), np.zeros((3, 2)))


# ------------------------------------------------------------------------- weights and scales


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("sign", ["mixed", "excitatory", "inhibitory"])
def test_weight_bits_of_every_sign_mode(bits: int, sign: str) -> None:
    rng = np.random.default_rng(bits)
    weights = rng.normal(0, 0.1, (3, 20))
    weights = {"mixed": weights, "excitatory": np.abs(weights), "inhibitory": -np.abs(weights)}[
        sign
    ]
    fixed = lower(one_layer(weights=weights, n=3), weight_bits=bits)
    p = fixed.projections[0]
    assert p.sign_mode == sign
    step = 2 ** (8 - bits + (sign == "mixed"))
    assert not (p.weights % step).any(), "a mantissa the chip cannot hold"
    assert np.array_equal(fixed.effective_weights(p), p.weights), "the chip must drop nothing"


def test_an_outlier_is_clipped_and_said_so() -> None:
    """Few bits and one huge weight: clipping it is the smaller error, and the ledger counts it."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.01, (4, 500))
    weights[0, 0] = 0.08
    fixed = lower(one_layer(weights=weights, n=4), weight_bits=3)
    entry = next(e for e in fixed.ledger.entries if e.field == "weights")
    assert entry.clipped >= 1 and fixed.ledger.clipped >= entry.clipped


def max_abs(stepped: Any, fixed: Any, bits: int) -> float:
    """Mean square error of a max-abs coding of the only projection, V^2."""
    values = np.asarray(stepped.projections[0].weights)
    top = 2 ** (bits - 1) - 1
    unit = np.abs(values).max() / top
    return float(np.mean((np.rint(values / unit) * unit - values) ** 2))


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_weights_are_coded_no_worse_than_by_max_abs(bits: int) -> None:
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        weights = rng.laplace(0, 0.05, (10, 60))
        stepped = nl.discretize(one_layer(weights=weights, n=10), DT)
        fixed = nl.quantize(stepped, "loihi2", weight_bits=bits, gain_compensation=False)
        back = np.asarray(nl.dequantize(fixed, stepped).projections[0].weights)
        error = float(np.mean((back - np.asarray(stepped.projections[0].weights)) ** 2))
        ratios.append(error / max_abs(stepped, fixed, bits))
    assert np.exp(np.mean(np.log(ratios))) <= 1.02, ratios


def test_steady_state_is_kept_although_decays_are_rounded() -> None:
    neuron = cell(tau_m=0.37, v_threshold=50.0, i_bias=3.0)
    network = nl.Network([nl.Population("p", 1, neuron)])
    stepped = nl.discretize(network, DT)
    for compensate, error in ((True, 5e-4), (False, 1e-2)):
        fixed = nl.quantize(stepped, "generic", gain_compensation=compensate)
        back = nl.dequantize(fixed, stepped).populations[0]
        steady = float(back.bias[0] / back.leak_v[0])
        assert abs(steady - 3.0) / 3.0 < error
    assert abs(steady - 3.0) / 3.0 > 5e-4, "the test must see a rounded decay"


def test_a_scale_is_found_for_wide_and_narrow_profiles() -> None:
    """Whatever the widths, float and integers spike alike where the chip has the resolution."""
    network = one_layer(cell(i_bias=0.4), np.array([[0.2, 0.3, 0.25]]), nl.Exponential(5e-3))
    for config in (
        {"state_bits": 40, "threshold_bits": 30, "sum_bits": 40, "weight_bits": 16},
        {"state_bits": 40, "threshold_bits": 30, "sum_bits": 40, "weight_bits": 6},
        {"state_bits": 20, "threshold_bits": 12, "weight_bits": 6},
        {"state_bits": 24, "sum_bits": 12, "weight_bits": 8, "align_shift": 0},
        {"rounding": "nearest_up"},
        {"rounding": "floor"},
        {"decay_bits": 16},
    ):
        spikes_agree(network, nl.load_profile("generic", **config), 0.75)


def test_a_profile_without_u_takes_delta_synapses() -> None:
    base = nl.load_profile("generic")
    ops = [
        {"op": "decay", "reg": "v", "kind": "mult_keep", "d": "dv", "k": 12, "round": "rtz"},
        {"op": "acc", "reg": "v", "shift": 6, "ovf": [{"mode": "sat"}]},
        {"op": "fire", "reg": "v", "thr": "vth", "thr_shift": 6, "cmp": ">", "reset": "value"},
    ]
    raw = base.model_dump(by_alias=True)
    raw["models"] = {"lif": {**raw["models"]["lif"], "current": None, "ops": ops}}
    profile = type(base).model_validate(raw)
    spikes_agree(one_layer(weights=np.array([[0.3, 0.2, 0.6]])), profile)
    with pytest.raises(LoweringError, match="exponential synapses want a current register"):
        lower(one_layer(synapse=nl.Exponential(5e-3)), profile)
    with pytest.raises(LoweringError, match="needs a bias"):
        lower(one_layer(cell(i_bias=0.5)), profile)


def test_models_that_are_no_lif_are_passed_over() -> None:
    base = nl.load_profile("generic")
    raw = base.model_dump(by_alias=True)
    odd = copy.deepcopy(raw["models"]["lif"])
    odd["ops"] = [op for op in odd["ops"] if op["op"] != "fire"]
    raw["models"] = {"odd": odd, **raw["models"]}
    profile = type(base).model_validate(raw)
    assert lower(one_layer(), profile).population("p").model == "lif"
    raw["models"] = {"odd": odd}
    with pytest.raises(LoweringError, match="no model that quantize can lower"):
        lower(one_layer(), type(base).model_validate(raw))


def test_probes_and_step_are_handed_on() -> None:
    network = one_layer()
    network = nl.Network(network.populations, network.projections, network.inputs, [nl.Probe("p")])
    fixed = replace(lower(network))
    assert fixed.probes == network.probes and fixed.dt == DT


def test_digits_keep_their_accuracy() -> None:
    """The trained digits network: integers of 8 bits lose at most half a point, of 4 bits one."""
    pytest.importorskip("sklearn")
    digits, predict = load_digits_example()
    stepped = nl.discretize(digits.network, digits.dt)

    def accuracy(recording: nl.Recording) -> float:
        counts = recording.spikes["output"].sum(axis=-2)
        guess = predict(counts, recording.volts("output")[..., -1, :])
        return 100 * float(np.mean(guess == digits.labels))

    inputs = {"pixels": digits.rasters}
    reference = accuracy(nl.run_clocked(stepped, inputs=inputs))
    for bits, loss in ((8, 0.5), (4, 1.0)):
        fixed = nl.quantize(stepped, "loihi2", weight_bits=bits)
        recording = nl.run_fixed(fixed, inputs=inputs)
        assert fixed.ledger is not None and fixed.ledger.proved and not recording.events
        assert accuracy(recording) >= reference - loss


@pytest.mark.parametrize("profile", ["loihi1", "loihi2", "lava-0.10"])
@pytest.mark.parametrize("steps", [2, 3, 5, 8, 11])
def test_a_voltage_that_meets_the_threshold_exactly(profile: str, steps: int) -> None:
    """With ``>=`` an IF that reaches its threshold exactly fires in that step, integers too."""
    neuron = nl.IF(capacitance=1.0, v_threshold=0.125 * steps, i_bias=128.0)
    network = nl.Network([nl.Population("p", 1, neuron)])
    stepped = nl.discretize(network, 2.0**-10, "exact-ge")
    fixed = nl.quantize(stepped, profile)
    reference, integers = nl.run_clocked(stepped, 100), nl.run_fixed(fixed, 100)
    assert reference.spikes["p"].sum() == 100 // steps
    assert np.array_equal(reference.spikes["p"], integers.spikes["p"])


@pytest.mark.parametrize("synapse", [nl.Delta(), nl.Exponential(20e-3)])
def test_nothing_flows_after_a_sampled_current(synapse: Any) -> None:
    """The end of a current ends it in v as well, although u has a memory."""
    network = one_layer(cell(v_threshold=5.0), np.array([[0.1]]), synapse)
    current = nl.CurrentInput("i", "p", Sampled(np.full((40, 1), 2.0), DT))
    network = nl.Network(network.populations, network.projections, [*network.inputs, current])
    stepped = nl.discretize(network, DT)
    fixed = nl.quantize(stepped, "loihi2")
    a = nl.run_clocked(stepped, 150, record="all").volts("p")
    b = nl.run_fixed(fixed, 150, record="all").volts("p")
    assert np.abs(a).max() > 1.0
    assert np.abs(a - b).max() < 2e-3 * np.abs(a).max()


def test_a_run_longer_than_the_coded_current_is_refused() -> None:
    network = one_layer(cell(), np.array([[0.1]]))
    current = nl.CurrentInput("i", "p", Sinusoid(0.3, 0.5, 40e-3))
    network = nl.Network(network.populations, network.projections, [*network.inputs, current])
    fixed = nl.quantize(nl.discretize(network, DT), "loihi2", n_steps=30)
    nl.run_fixed(fixed, 30)
    for run in (nl.run_fixed, nl.run_semantics):
        with pytest.raises(nl.NeuroLifError, match="'i': n_steps = 31, allowed: at most 30"):
            run(fixed, 31)
