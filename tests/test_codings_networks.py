"""Whole networks in the integers of nengo-loihi and of Lava's tool chain, and codings by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from codings_peers import (
    NENGO,
    dense,
    lava_weights,
    nengo_peer,
    outcome,
    quiet,
    same_outcome,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import hostile_rasters
from scipy import sparse

import neuro_lif as nl
from neuro_lif.codings import (
    CODINGS,
    code_as_lava,
    code_as_nengo_loihi,
)
from neuro_lif.codings import lava_network as slayer
from neuro_lif.codings.nengo_block import block_of
from neuro_lif.codings.parts import draft_of
from neuro_lif.errors import LoweringError, RangeError

DT = 1e-3


@pytest.fixture(scope="module")
def peer() -> Any:
    return nengo_peer()


@pytest.fixture(scope="module")
def lava_peer() -> Any:
    return lava_weights()


# ---------------------------------------------------------------------- networks as nengo-loihi


def random_stepped(seed: int, *, refractory: bool = True) -> nl.SteppedNetwork:
    """A network of all kinds of neurons, synapses and matrices that both codings have words for."""
    rng = np.random.default_rng(seed)
    populations: list[nl.Population] = []
    for i in range(int(rng.integers(1, 4))):
        n = int(rng.integers(1, 7))
        threshold = rng.uniform(5e-3, 2e-2, n if rng.random() < 0.5 else 1)
        spiking: dict[str, Any] = {
            "v_threshold": threshold if len(threshold) > 1 else float(threshold[0]),
            "t_refractory": float(rng.integers(0, 4)) * DT * refractory,
            "i_bias": rng.normal(size=n) * 2e-3 * rng.integers(0, 2),
        }
        tau_m = float(10 ** rng.uniform(-2.6, -0.7))
        neuron = [
            nl.LIF(tau_m=tau_m, **spiking),
            nl.LIF(tau_m=tau_m, v_init=float(rng.normal()) * 3e-3, **spiking),
            nl.IF(capacitance=float(rng.uniform(0.01, 1)), **spiking),
            nl.LI(tau_m=tau_m),
        ][int(rng.integers(4 if i else 3))]
        populations.append(nl.Population(f"p{i}", n, neuron))
    sizes = {p.name: p.size for p in populations} | {"x": 4}
    synapses = {
        p.name: nl.Delta() if rng.random() < 0.3 else nl.Exponential(float(rng.uniform(2e-3, 2e-2)))
        for p in populations
    }
    projections = []
    for post in (p.name for p in populations):
        for pre in ("x", *(p.name for p in populations if not isinstance(p.neuron, nl.LI))):
            if pre != "x" and rng.random() < 0.5:
                continue
            weights: Any = rng.normal(size=(sizes[post], sizes[pre])) * 10 ** rng.uniform(-4, -1)
            if rng.random() < 0.4:
                weights = sparse.csr_matrix(weights * (rng.random(weights.shape) < 0.6))
            delay = DT if isinstance(synapses[post], nl.Delta) else 0.0
            projections.append(nl.Projection(f"{pre}_{post}", pre, post, weights, synapses[post],
                                             delay=delay))  # fmt: skip
    return nl.discretize(nl.Network(populations, projections, [nl.SpikeInput("x", 4)]), DT)


def their_block(stepped: nl.SteppedNetwork, name: str) -> tuple[Any, dict[str, Any]]:
    """A population as nengo-loihi's own methods configure it; in units of the threshold."""
    from nengo_loihi.block import LoihiBlock, Synapse

    p, described = stepped.population(name), stepped.network.population(name)
    neuron: Any = described.neuron
    block = LoihiBlock(p.size)
    if isinstance(neuron, nl.IF):
        block.compartment.configure_relu(vth=1, tau_ref=neuron.t_refractory, dt=DT)
        leak = np.ones(p.size)
    else:
        tau_ref = 0.0 if isinstance(neuron, nl.LI) else neuron.t_refractory
        block.compartment.configure_lif(tau_rc=neuron.tau_m, tau_ref=tau_ref, vth=1, dt=DT)
        leak = p.leak_v
    block.compartment.configure_filter(float(p.tau_syn[0]), dt=DT)
    draft = draft_of(stepped, NENGO, (), None)
    unit = block_of(draft, p).unit  # the threshold; a read-out has none
    assert not p.spikes or np.array_equal(unit, p.threshold)
    block.compartment.bias[:] = p.bias / leak / unit
    synapses = {}
    loss_u = 1.0 - p.decay_u[0]
    for q in stepped.projections:
        if q.post == name:
            factor = 1.0 / (unit * leak) / loss_u
            weights = sparse.csr_matrix(q.weights).multiply(factor[:, None]).T.tocsr()
            synapse = Synapse(weights.shape[0])
            # the peer stumbles over a sparse matrix that stores nothing
            made = weights if weights.nnz else weights.toarray()
            synapse.set_weights(made.astype(np.float32))
            block.add_synapse(synapse, q.name)
            synapses[q.name] = synapse
    return block, synapses


def their_weights(synapse: Any, shape: tuple[int, int]) -> Any:
    """The final integers of a synapse of the peer as ``(n_post, n_pre)``."""
    weights = np.zeros(shape, np.int64)
    for pre, (values, targets) in enumerate(zip(synapse.weights, synapse.indices, strict=True)):
        weights[targets.ravel(), pre] = values.ravel()
    return weights


def test_the_peers_own_builder_makes_the_same_block(peer: Any) -> None:
    """A recurrent ensemble of Nengo through nengo-loihi's simulator, and its twin through ours."""
    import nengo

    with quiet():
        import nengo_loihi as whole_peer
    for seed in range(4):
        rng = np.random.default_rng(seed)
        n = 8
        weights, bias = rng.normal(size=(n, n)) * 0.02, rng.uniform(0.5, 2, n)
        with nengo.Network(seed=0) as net:
            lif = nengo.LIF(tau_rc=0.02, tau_ref=0.002)
            e = nengo.Ensemble(n, 1, gain=np.ones(n), bias=bias, neuron_type=lif)
            nengo.Connection(e.neurons, e.neurons, transform=weights, synapse=0.005)
        with quiet(), whole_peer.Simulator(net, target="sim", progress_bar=False) as sim:
            (block,) = sim.model.blocks
            wanted = np.concatenate(block.synapses[0].weights).T

        def twin(w: Any, n: int = n, bias: Any = bias) -> nl.SteppedNetwork:
            neuron = nl.LIF(tau_m=0.02, v_threshold=1.0, t_refractory=0.002, i_bias=bias)
            synapse = nl.Exponential(0.005, norm="area")
            parts = [nl.Population("e", n, neuron)], [nl.Projection("w", "e", "e", w, synapse)]
            return nl.discretize(nl.Network(*parts), DT)

        unit = twin(np.ones((n, n)))
        p = unit.population("e")
        # our jump is exact in continuous time, the peer's is not: 0.999 of it here
        jump = unit.projections[0].weights[0, 0] / ((1 - p.decay_u[0, 0]) * p.leak_v[0]) * DT
        ours = code_as_nengo_loihi(twin(weights / jump), NENGO)
        params = ours.params("e")
        assert np.array_equal(wanted, ours.projections[0].weights)
        for name, our_name in (("vth", "vth"), ("bias", "bias"), ("decay_u", "du"),
                               ("decay_v", "dv"), ("refract_delay", "refract")):  # fmt: skip
            assert np.array_equal(getattr(block.compartment, name), params[our_name]), name


SEEDS = st.integers(0, 10**6)


def coded_by_both(peer: Any, stepped: nl.SteppedNetwork) -> tuple[Any, dict[str, Any]] | None:
    """Code a network as we do and as the peer does; every integer must agree."""
    ours = outcome(code_as_nengo_loihi, stepped, NENGO)
    blocks = {}
    for p in stepped.populations:
        with quiet():
            block, synapses = their_block(stepped, p.name)
            theirs = outcome(peer.discretize_block, block)
            if isinstance(theirs, Exception):
                same_outcome(theirs, ours)
                return None
            # a described membrane has no floor; ours is at the bottom of the register
            block.compartment.vmin = 1 - 2**23
        blocks[p.name] = block, synapses
    assert isinstance(ours, nl.FixedNetwork), ours
    names = {"decay_u": "du", "decay_v": "dv", "vth": "vth", "bias": "bias", "vmin": "vmin",
             "vmax": "vmax", "refract_delay": "refract", "noise_exp": "noise_exp",
             "enable_noise": "enable_noise", "noise_offset": "noise_offset",
             "noise_at_membrane": "noise_at_membrane"}  # fmt: skip
    for name, (block, synapses) in blocks.items():
        params = ours.params(name)
        for theirs_name, our_name in names.items():
            value = getattr(block.compartment, theirs_name)
            assert np.array_equal(np.broadcast_to(value, params[our_name].shape),
                                  params[our_name]), (name, our_name)  # fmt: skip
        for q in ours.projections:
            if q.post == name:
                wanted = their_weights(synapses[q.name], q.weights.shape)
                assert np.array_equal(wanted, dense(q.weights)), q.name
                assert q.exponent == 0
                assert np.array_equal(wanted, dense(ours.effective_weights(q)))
    return ours, blocks


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_networks_get_the_peers_integers(peer: Any, seed: int) -> None:
    coded_by_both(peer, random_stepped(seed))


def emulate(
    stepped: nl.SteppedNetwork, blocks: dict[str, Any], raster: Any
) -> dict[tuple[str, str], Any]:
    """Run coded blocks in the peer's emulator: current, voltage and spikes at every step."""
    from nengo_loihi.block import Axon
    from nengo_loihi.builder import Model
    from nengo_loihi.emulator import EmulatorInterface
    from nengo_loihi.inputs import SpikeInput

    model, spikes = Model(), SpikeInput(raster.shape[1])
    model.add_input(spikes)
    for t, row in enumerate(raster, start=1):
        spikes.add_spikes(t, np.flatnonzero(row).tolist())
    for block, _ in blocks.values():
        model.add_block(block)
    for q in stepped.projections:
        axon = Axon(q.weights.shape[1])
        axon.target = blocks[q.post][1][q.name]
        (spikes if q.pre == "x" else blocks[q.pre][0]).add_axon(axon)
    found: dict[tuple[str, str], list[Any]] = {}
    with EmulatorInterface(model, seed=0) as emulator:
        for _ in range(len(raster)):
            emulator.step()
            for name, (block, _) in blocks.items():
                sl = emulator.block_info.slices[block]
                state = emulator.compartment
                for key, array in (("u", state.current), ("v", state.voltage), ("s", state.spiked)):
                    found.setdefault((name, key), []).append(np.array(array[sl], np.int64))
    return {key: np.array(rows) for key, rows in found.items()}


def test_a_coded_network_runs_as_the_peers_emulator_runs_it(peer: Any) -> None:
    ran = fired = 0
    for seed in range(20):
        stepped = random_stepped(seed)
        both = coded_by_both(peer, stepped)
        if both is None or any(p.v_init.any() for p in stepped.populations):
            continue  # the peer starts at 0
        fixed, blocks = both
        raster = (np.random.default_rng(seed).random((60, 4)) < 0.4).astype(np.int64)
        with quiet():
            wanted = emulate(stepped, blocks, raster)
        got = nl.run_fixed(fixed, 60, {"x": raster}, record="all")
        for p in fixed.populations:
            assert np.array_equal(got.spikes[p.name], wanted[p.name, "s"])
            for key in ("u", "v"):
                assert np.array_equal(got.traces[p.name, key], wanted[p.name, key]), (seed, key)
            fired += int(wanted[p.name, "s"].sum())
        ran += 1
    assert ran >= 5 and fired > 100


def two_projections(ratio: float) -> nl.SteppedNetwork:
    """A population with a strong and a weak projection onto it."""
    net = nl.Network(
        [nl.Population("p", 2, nl.LIF(tau_m=20e-3, v_threshold=1.0))],
        [
            nl.Projection("strong", "x", "p", [[1.0], [-0.7]], nl.Exponential(5e-3)),
            nl.Projection("weak", "x", "p", [[ratio], [-0.7 * ratio]], nl.Exponential(5e-3)),
        ],
        [nl.SpikeInput("x", 1)],
    )
    return nl.discretize(net, DT)


def test_weak_projections_come_out_too_strong_unless_mended() -> None:
    stepped = two_projections(1 / 1000)
    as_is = code_as_nengo_loihi(stepped, NENGO)
    mended = code_as_nengo_loihi(stepped, NENGO, repair_small_synapses=True)
    (strong, weak), (_, weak_mended) = as_is.projections, mended.projections
    scale = strong.weights[0, 0]
    assert weak.weights[0, 0] / scale > 4e-3  # the peer: about eight times too strong
    assert abs(weak_mended.weights[0, 0] / scale - 1e-3) <= 64 / scale
    notes = "\n".join((as_is.ledger or pytest.fail()).notes)
    assert "'weak': 2**3 times too strong" in notes and "repair_small_synapses" in notes
    assert "too strong" not in str(mended.ledger)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_a_proof_holds(seed: int, as_lava: bool) -> None:
    """Where the ledger says that no register can overflow, hostile input makes none overflow."""
    stepped = random_stepped(seed, refractory=not as_lava)
    fixed = (
        outcome(code_as_lava, stepped, "lava-0.10")
        if as_lava
        else outcome(code_as_nengo_loihi, stepped, NENGO)
    )
    if isinstance(fixed, Exception):
        assert isinstance(fixed, LoweringError)
        return
    rows = fixed.ledger.headroom
    assert {h.where for h in rows} == {f"population {p.name!r}" for p in fixed.populations}
    raster = hostile_rasters(np.random.default_rng(seed), stepped.network, 80)
    got = nl.run_fixed(fixed, 80, {"x": raster}, record="all")
    if fixed.ledger.proved:
        assert not got.events
    for h in rows:
        if h.register in ("u", "v") and h.proved:
            name = h.where.split("'")[1]
            assert np.abs(got.traces[name, h.register]).max() <= h.bound


def test_some_proofs_are_given() -> None:
    proved = [
        fixed.ledger.proved
        for seed in range(30)
        if isinstance(fixed := outcome(code_as_nengo_loihi, random_stepped(seed), NENGO),
                      nl.FixedNetwork)
    ]  # fmt: skip
    assert 5 < sum(proved) < len(proved)


def test_ledger_of_a_nengo_coding() -> None:
    stepped = two_projections(0.3)
    ledger = code_as_nengo_loihi(stepped, NENGO).ledger
    assert ledger is not None and ledger.profile == NENGO
    fields = [(e.where, e.field) for e in ledger.entries]
    for name in ("du", "dv", "vth", "bias", "refract"):
        assert ("population 'p'", name) in fields
    rows = {e.where: e for e in ledger.entries if e.field == "weights"}
    # a weight is off by at most half a mantissa: 2 of 255 of the largest
    assert 0 < rows["projection 'strong'"].max_error <= 1.01 / 255
    assert ledger.scales[0][0] == "p" and len(ledger.time_constants) == 2
    assert "tau_m" in str(ledger)
    assert all(abs(t.realised / t.meant - 1) < 0.01 for t in ledger.time_constants)


def spiking(seed: int = 3) -> nl.SteppedNetwork:
    return random_stepped(seed, refractory=False)


@pytest.mark.parametrize("coding, code, profile", [
    ("nengo-loihi", code_as_nengo_loihi, NENGO), ("lava", code_as_lava, "lava-0.10"),
])  # fmt: skip
def test_coded_networks_behave_as_described(coding: str, code: Any, profile: str) -> None:
    """Rates of the coded network follow the float reference."""
    rng = np.random.default_rng(1)
    net = nl.Network(
        [nl.Population("a", 20, nl.LIF(tau_m=20e-3, v_threshold=1.0)),
         nl.Population("out", 2, nl.LI(tau_m=30e-3))],
        [nl.Projection("w", "x", "a", rng.normal(0.5, 1.0, (20, 10)), nl.Exponential(5e-3)),
         nl.Projection("o", "a", "out", rng.normal(0, 1.0, (2, 20)), nl.Exponential(5e-3))],
        [nl.SpikeInput("x", 10), nl.CurrentInput("c", "a", nl.stimulus.Constant(0.2)),
         nl.CurrentInput("late", "a")],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    fixed = code(stepped, profile)
    raster = (rng.random((400, 10)) < 0.3).astype(np.int64)
    current = np.full((400, 20), 0.3)
    direct = nl.encode_current(fixed.directs[0], current)
    got = nl.run_fixed(fixed, 400, {"x": raster, "late": direct}, record="all")
    wanted = nl.run_clocked(stepped, 400, {"x": raster, "late": current}, record="all")
    a, b = got.spikes["a"].sum(), wanted.spikes["a"].sum()
    assert b > 300 and abs(a - b) < 0.05 * b
    assert got.spikes["out"].sum() == 0
    volts = got.traces["out", "v"] * fixed.population("out").lsb
    spread = np.std(wanted.traces["out", "v"])
    assert np.sqrt(np.mean((volts - wanted.traces["out", "v"]) ** 2)) < 0.2 * spread


@pytest.mark.parametrize("code, profile", [
    (code_as_nengo_loihi, NENGO), (code_as_lava, "lava-0.10"),
])  # fmt: skip
def test_currents_given_at_run_time(code: Any, profile: str) -> None:
    """A current alone takes the voltage where it should, in every step."""
    net = nl.Network(
        [nl.Population("p", 2, nl.LIF(tau_m=20e-3, v_threshold=1.0, resistance=2.0))],
        [nl.Projection("w", "x", "p", [[0.3], [0.2]], nl.Exponential(5e-3))],
        [nl.SpikeInput("x", 1), nl.CurrentInput("c", "p")],
    )
    stepped = nl.discretize(net, DT)
    fixed = code(stepped, profile)
    current = np.outer(np.linspace(0, 0.45, 150), [1.0, -0.5])
    silence = np.zeros((150, 1), np.int64)
    direct = nl.encode_current(fixed.directs[0], current)
    got = nl.run_fixed(fixed, 150, {"x": silence, "c": direct}, record="all")
    wanted = nl.run_clocked(stepped, 150, {"x": silence, "c": current}, record="all")
    volts = got.traces["p", "v"] * fixed.population("p").lsb
    assert np.abs(volts - wanted.traces["p", "v"]).max() < 0.01


# --------------------------------------------------------------------------- networks as Lava


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_networks_get_lavas_integers(lava_peer: Any, seed: int) -> None:
    """lava-dl's rules written out once more, number by number, and Lava's own weight helpers."""
    stepped = random_stepped(seed, refractory=False)
    fixed = code_as_lava(stepped, "lava-0.10")
    for p in stepped.populations:
        params, coded = fixed.params(p.name), fixed.population(p.name)
        unit = float(coded.lsb[0]) * 64 * 64  # V per unit of lava-dl
        share = np.float32(4096 * (1 - p.decay_u[0, 0]))
        assert set(params["du"]) == {round(float(share)) - 1}
        assert params["dv"].tolist() == [round(float(np.float32(4096 * x))) for x in p.leak_v]
        assert params["bias_mant"].tolist() == [byte(x / unit) for x in p.bias]
        assert set(params["bias_exp"]) == {6}
        if p.spikes:
            assert params["vth"].tolist() == [int(x / unit * 64) for x in p.threshold]
        for q in stepped.projections:
            if q.post != p.name:
                continue
            mine = next(x for x in fixed.projections if x.name == q.name)
            whole = np.vectorize(lambda x, unit=unit: byte(x / unit))(dense(q.weights))
            mode = lava_peer.determine_sign_mode(whole)
            best = lava_peer.optimize_weight_bits(whole, mode)
            assert mode.name.lower() == mine.sign_mode and best.weight_exp == mine.exponent
            assert np.array_equal(best.weights, dense(mine.weights))
            assert mine.weight_bits == max(best.num_weight_bits, 1)
            # nothing is lost on the way: what the synapse uses, shifted back, is the mantissa
            used = dense(fixed.effective_weights(mine))
            assert np.array_equal(used >> -mine.exponent, whole)


def byte(x: float) -> int:
    """lava-dl's quantize_8bit at scale 64, on one number."""
    return min(max(2 * round(float(np.float32(x)) * 32), -256), 254)


def test_lava_uses_the_range() -> None:
    fixed = code_as_lava(two_projections(0.3), "lava-0.10")
    largest = max(int(np.abs(fixed.effective_weights(q)).max()) for q in fixed.projections)
    assert largest == 254
    assert fixed.ledger is not None and fixed.ledger.clipped == 0
    assert {"sum", "u", "v"} <= {h.register for h in fixed.ledger.headroom}


def test_lava_numbers_at_their_ends() -> None:
    assert slayer.quantize_8bit([10.0, -10.0, 1 / 64, 3 / 64, -1 / 64]).tolist() == [
        254, -256, 0, 4, 0,
    ]  # fmt: skip
    # float32 cannot tell this from a tie, which goes to even
    assert slayer.quantize_8bit([2.5 / 32 + 1e-10, 3.5 / 32]).tolist() == [4, 8]
    assert slayer.quantize_decay([0.0, 1.0, 1.5, 0.5]).tolist() == [0, 4096, 4096, 2048]
    assert slayer.threshold_mantissa([0.999, 1.0]).tolist() == [63, 64]


# ------------------------------------------------------------------------------ what is refused


def changed(neuron: Any = None, **options: Any) -> nl.SteppedNetwork:
    neuron = neuron or nl.LIF(**{"tau_m": 20e-3, "v_threshold": 1.0} | options)
    weights = np.full((neuron_size := 2, 1), 0.5)
    net = nl.Network(
        [nl.Population("p", neuron_size, neuron)],
        [nl.Projection("w", "x", "p", weights, nl.Exponential(5e-3))],
        [nl.SpikeInput("x", 1)],
    )
    return nl.discretize(net, DT)


def two_synapses() -> nl.SteppedNetwork:
    stepped = two_projections(0.5)
    net = stepped.network
    slow = replace(net.projections[1], synapse=nl.Exponential(20e-3))
    return nl.discretize(nl.Network(net.populations, [net.projections[0], slow], net.inputs), DT)


def delayed() -> nl.SteppedNetwork:
    net = changed().network
    late = replace(net.projections[0], delay=5e-3)
    return nl.discretize(nl.Network(net.populations, [late], net.inputs), DT)


NENGO_REFUSES = [
    ("lava-0.10", changed(), "cannot hold the coding 'nengo-loihi'; it lacks a parameter 'bias'"),
    (NENGO, changed(reset="subtract"), "wants reset = 'subtract'; coding nengo-loihi cannot"),
    (NENGO, changed(t_refractory=0.1), "'p' wants t_refractory of 100 steps, allowed -1..62"),
    (NENGO, two_synapses(), "different time constants .5 ms, 20 ms"),
    (NENGO, delayed(), "'w' wants a delay of 5 steps"),
    (NENGO, changed(nl.LIF(tau_m=[0.01, 0.02], v_threshold=1.0)), "'p', as nengo-loihi codes it: "
                                                                    ".*one decay for all"),
    (NENGO, changed(nl.LIF(tau_m=1e5, v_threshold=1.0)), "tau_m loses 1e-08 of its value per step"),
]  # fmt: skip


@pytest.mark.parametrize("profile, stepped, text", NENGO_REFUSES)
def test_what_nengo_loihi_refuses(profile: str, stepped: Any, text: str) -> None:
    with pytest.raises(LoweringError, match=text):
        code_as_nengo_loihi(stepped, profile)


@pytest.mark.parametrize("stepped, name, text", [
    (changed(reset="subtract"), "reset", "reset to a value instead"),
    (changed(t_refractory=0.1), "refractory", "wants t_refractory of 100 steps"),
    (two_synapses(), "synapse", "all take the longest, at equal area"),
    (delayed(), "delay", "wants a delay of 5 steps"),
])  # fmt: skip
@pytest.mark.parametrize("code, profile", [
    (code_as_nengo_loihi, NENGO), (code_as_lava, "lava-0.10"),
])  # fmt: skip
def test_what_may_be_approximated(
    code: Any, profile: str, stepped: Any, name: str, text: str
) -> None:
    if name == "delay" and code is code_as_lava:  # Lava has delays
        assert code(stepped, profile).projections[0].delays == 5
        return
    fixed = code(stepped, profile, approximate=(name,))
    assert any(text in a for a in fixed.ledger.approximations)
    if name == "synapse":  # each keeps its area
        strong, weak = (
            dense(fixed.effective_weights(q))[0, 0] * 2.0**q.exponent for q in fixed.projections
        )
        # half the peak and four times the time constant: twice the area
        assert weak / strong == pytest.approx(2, rel=0.02)
        (tau,) = (t for t in fixed.ledger.time_constants if t.field == "tau_syn")
        assert tau.realised == pytest.approx(20e-3, rel=0.01)


def test_a_threshold_far_below_the_weights() -> None:
    """The largest weight sets the scale, and may leave nothing of the threshold."""
    with pytest.raises(RangeError, match="'p', as nengo-loihi codes it: vth = .*above 32"):
        code_as_nengo_loihi(changed(v_threshold=1e-5), NENGO)


def test_what_lava_refuses() -> None:
    with pytest.raises(LoweringError, match="t_refractory of 2 steps, coding lava has none"):
        code_as_lava(changed(t_refractory=2e-3), "lava-0.10")
    with pytest.raises(LoweringError, match="'generic' ?.*lacks a decay by 'du'|generic.*offset 1"):
        code_as_lava(changed(), "generic")
    with pytest.raises(RangeError, match="approximate = 'all'"):
        code_as_lava(changed(), "lava-0.10", approximate="all")
    with pytest.raises(RangeError, match="stepped = 3"):
        code_as_lava(3, "lava-0.10")  # type: ignore[arg-type]


def test_a_threshold_that_fires_when_reached_is_noted() -> None:
    stepped = nl.discretize(changed().network, DT, "exact-ge")
    for code, profile in ((code_as_nengo_loihi, NENGO), (code_as_lava, "lava-0.10")):
        assert "exactly the threshold fires under the step rule" in str(
            code(stepped, profile).ledger
        )


# ------------------------------------------------------------------------------- by name


def same_network(a: nl.FixedNetwork, b: nl.FixedNetwork) -> bool:
    params = all(
        np.array_equal(a.params(p.name)[k], b.params(p.name)[k])
        for p in a.populations
        for k in a.params(p.name)
    )
    weights = all(
        np.array_equal(dense(p.weights), dense(q.weights)) and p.exponent == q.exponent
        for p, q in zip(a.projections, b.projections, strict=True)
    )
    return params and weights and str(a.ledger) == str(b.ledger)


def test_codings_by_name() -> None:
    stepped = spiking()
    assert list(CODINGS) == ["own", "nengo-loihi", "lava"]
    assert all(c.about and c.passes for c in CODINGS.values())
    named = nl.quantize(stepped, NENGO, coding="nengo-loihi")
    assert same_network(named, code_as_nengo_loihi(stepped, NENGO))
    named = nl.quantize(stepped, "lava-0.10", coding="lava")
    assert same_network(named, code_as_lava(stepped, "lava-0.10"))
    own = nl.quantize(stepped, "lava-0.10")
    assert same_network(own, nl.quantize(stepped, "lava-0.10", coding="own"))
    assert not same_network(own, named)
    with pytest.raises(RangeError, match="coding = 'netx', allowed: own, nengo-loihi, lava"):
        nl.quantize(stepped, "lava-0.10", coding="netx")
    for option in ({"weight_bits": 4}, {"proved": True}, {"gain_compensation": False}):
        with pytest.raises(RangeError, match=f"{next(iter(option))} = .*with 'own' only"):
            nl.quantize(stepped, "lava-0.10", coding="lava", **option)
