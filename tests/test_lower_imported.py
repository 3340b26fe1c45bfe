"""quantize of what imported graphs are: first states, counts, convolutions, neurons that differ.

Everything on the emulator (both engines) equals the living definition at every step; the integers
stand beside the float run of the parameters they really have (``dequantize``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lava_runs import LAVA_TESTS, kinds, same
from random_fixed import first_difference
from stepped_cases import convolved, described, population, recurrent, spikes

import neuro_lif as nl
from neuro_lif.arrays import frozen
from neuro_lif.errors import LoweringError
from neuro_lif.ladder import ladder
from neuro_lif.lower.kernels import strongest_folded, sums
from neuro_lif.lower.reach import delivered
from neuro_lif.stepped import SteppedNetwork, SteppedPopulation, SteppedProjection, StepRule

SEEDS = st.integers(0, 2**32 - 1)
SINGLE = (
    ("lava-0.10", "value"), ("loihi1", "value"), ("loihi2", "value"), ("loihi2", "subtract"),
    ("generic", "subtract"), ("nengo-loihi-1.1", "value"),
)  # fmt: skip


UNDELAYED = ("nengo-loihi-1.1",)
"""Profiles without delays."""


def all_equal(fixed: nl.FixedNetwork, inputs: Any) -> nl.Recording:
    """Run both engines and the definition; they are equal at every step."""
    n_steps = len(inputs["in"])
    expected = nl.run_semantics(fixed, n_steps, inputs, record="all")
    for engine in ("numpy", "kernel"):
        found = nl.run_fixed(fixed, n_steps, inputs, record="all", engine=engine)
        difference = first_difference(found, expected)
        assert difference is None, f"{engine}: {difference}"
        assert found.events == expected.events
    return expected


def volts_off(fixed: nl.FixedNetwork, stepped: SteppedNetwork, inputs: Any, name: str) -> Any:
    """Return (largest distance of v from the float run of the coded parameters, LSB; spikes)."""
    n_steps = len(inputs["in"])
    chip = nl.run_fixed(fixed, n_steps, inputs)
    real = nl.run_clocked(nl.dequantize(fixed, stepped), n_steps, inputs)
    lsb = fixed.population(name).lsb
    off = np.abs(chip.traces[name, "v"] - real.traces[name, "v"] / lsb)
    different = sum(int((chip.spikes[k] != real.spikes[k]).sum()) for k in chip.spikes)
    return float(off.max()), different


# ------------------------------------------------------------------------------ first states


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.sampled_from(SINGLE))
def test_every_engine_equals_the_definition(seed: int, where: tuple[str, str]) -> None:
    rng = np.random.default_rng(seed)
    stepped = recurrent(rng, where[1], delayed=where[0] not in UNDELAYED)
    all_equal(nl.quantize(stepped, where[0]), {"in": spikes(rng, 4, 20)})


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(SINGLE), st.booleans())
def test_without_a_spike_states_stay_within_what_rounding_takes(
    seed: int, where: tuple[str, str], compensated: bool
) -> None:
    """u and v from random first values, bias and decays of every neuron's own: a decaying sum.

    Rounding a decay takes less than one LSB of a register in a step; so u is off by less than
    1 / du, v by less than (1 + 1 / du) / dv.
    """
    rng = np.random.default_rng(seed)
    p = replace(population(rng, "p", 5, where[1]), threshold=frozen(np.full(5, 50.0)))
    stepped = SteppedNetwork(described((p,), 1), 1e-3, StepRule(), (p,), ())
    fixed = nl.quantize(stepped, where[0], gain_compensation=compensated)
    real_of = nl.dequantize(fixed, stepped)
    quiet = {"in": np.zeros((40, 1), int)}
    chip, real = nl.run_fixed(fixed, 40, quiet), nl.run_clocked(real_of, 40, quiet)
    lsb, q = fixed.population("p").lsb, real_of.population("p")
    off_u = 1.0 / (1.0 - q.decay_u[0])
    off_v = (1.0 + off_u) / q.leak_v
    for name, most in (("u", off_u), ("v", off_v)):
        off = np.abs(chip.traces["p", name] - real.traces["p", name] / lsb)
        assert np.all(off <= most * (1 + 1e-9)), f"{name}: {off.max()} LSB"
    assert not chip.spikes["p"].any()


def test_the_first_state_is_in_the_ledger_and_in_the_ladder_of_networks() -> None:
    stepped = recurrent(np.random.default_rng(0))
    fixed = nl.quantize(stepped, "lava-0.10")
    assert fixed.ledger is not None
    rows = {(e.where, e.field): e for e in fixed.ledger.entries}
    for name in ("a", "b", "r"):
        p, coded = stepped.population(name), fixed.population(name)
        assert rows[f"population {name!r}", "u_init"].unit == "V/step"
        back = nl.dequantize(fixed, stepped).population(name)
        assert back.u_init is not None
        assert np.array_equal(back.u_init[0], coded.init["u"] * coded.lsb)
        assert p.u_init is not None
        # what rounding dv does to every current is made up for in the first one, too
        gain = back.leak_v / p.leak_v
        assert np.all(np.abs(back.u_init[0] - p.u_init[0] * gain) <= 0.5001 * coded.lsb)


def test_a_constant_current_through_a_synapse_is_a_bias_and_a_first_state() -> None:
    """u = u' + b / (1 - a), u'_0 = -b / (1 - a): v rises as if the synapse took b in every step."""
    a, b, n = 0.8, 0.03, 400
    rng = np.random.default_rng(1)
    p = replace(
        population(rng, "p", 1), decay_u=frozen([[a]]), decay_v=frozen([0.95]),
        leak_v=frozen([0.05]), bias=frozen([b / (1 - a)]), u_init=frozen([[-b / (1 - a)]]),
        v_init=frozen([0.0]), threshold=frozen([1.0]),
    )  # fmt: skip
    stepped = SteppedNetwork(described((p,), 1), 1e-3, StepRule(), (p,), ())
    u = v = 0.0
    sent = []
    for _ in range(n):
        u = a * u + b
        v = 0.95 * v + u
        sent.append(v > 1.0)
        v = 0.0 if v > 1.0 else v
    quiet = {"in": np.zeros((n, 1), int)}
    float_run = nl.run_clocked(stepped, n, quiet)
    assert sum(sent) > 20
    assert np.array_equal(float_run.spikes["p"][:, 0], sent)
    for name in ("lava-0.10", "loihi1", "loihi2", "generic"):
        chip = nl.run_fixed(nl.quantize(stepped, name), n, quiet)
        times, meant = np.flatnonzero(chip.spikes["p"][:, 0]), np.flatnonzero(sent)
        assert len(times) == len(meant), name
        assert np.abs(times - meant).max() <= 1, name


@pytest.mark.parametrize("u_first", [40.0, -40.0])
def test_head_room_is_kept_for_a_first_state_above_what_arrives(u_first: float) -> None:
    """A u that starts far away is what bounds the scale; proved = True stays a proof."""
    rng = np.random.default_rng(2)
    p = replace(population(rng, "p", 4), u_init=frozen(np.full((1, 4), u_first)))
    weights = frozen(rng.normal(0, 0.1, (4, 2)))
    q = SteppedProjection("w", "in", "p", weights, frozen(0, np.int64), 0)
    stepped = SteppedNetwork(described((p,), 2), 1e-3, StepRule(), (p,), (q,))
    for name in ("lava-0.10", "loihi1", "generic"):
        fixed = nl.quantize(stepped, name, proved=True)
        assert fixed.ledger is not None
        rows = {h.register: h for h in fixed.ledger.headroom}
        assert all(h.sure for h in rows.values())
        chip = nl.run_fixed(fixed, 80, {"in": np.ones((80, 2), int)})
        assert chip.events == ()
        for register in ("u", "v"):
            farthest = np.abs(chip.traces["p", register]).max()
            assert 2**12 < farthest <= rows[register].bound


def test_what_a_first_state_cannot_be_is_refused_by_name() -> None:
    stepped = recurrent(np.random.default_rng(3))
    for coding, profile in (("lava", "lava-0.10"), ("nengo-loihi", "nengo-loihi-1.1")):
        with pytest.raises(LoweringError, match="population 'a': u_init"):
            nl.quantize(stepped, profile, coding=coding)
    a = stepped.population("a")
    two = replace(
        a, decay_u=np.vstack([np.full((1, 6), 0.5), np.full((1, 6), 0.8)]),
        tau_syn=frozen([2e-3, 5e-3]), u_init=np.ones((2, 6)),
    )  # fmt: skip
    several = replace(stepped, populations=(two, *stepped.populations[1:]))
    with pytest.raises(LoweringError, match="'a' has 2 synaptic time constants; u_init"):
        nl.quantize(several, "loihi2")
    uneven = replace(two, decay_u=np.random.default_rng(0).uniform(0.2, 0.9, (2, 6)))
    with pytest.raises(LoweringError, match="they differ from neuron to neuron"):
        nl.quantize(replace(several, populations=(uneven, *stepped.populations[1:])), "loihi2")


# ------------------------------------------------------------------------- neurons that differ


@pytest.mark.parametrize("where", SINGLE)
def test_every_parameter_of_every_neuron_is_coded(where: tuple[str, str]) -> None:
    delayed = where[0] not in UNDELAYED
    stepped = recurrent(np.random.default_rng(4), where[1], delayed=delayed)
    fixed = nl.quantize(stepped, where[0])
    back = nl.dequantize(fixed, stepped)
    for name in ("a", "b"):
        p, q = stepped.population(name), back.population(name)
        lsb = fixed.population(name).lsb
        unit = 64 if where[0] != "nengo-loihi-1.1" else 1
        assert np.all(np.abs(q.decay_u[0] - p.decay_u[0]) <= 0.5001 / 4096)
        assert np.all(np.abs(q.leak_v - p.leak_v) <= 0.5001 / 4096)
        assert np.all(np.abs(q.threshold - p.threshold) <= 0.5001 * unit * lsb)
        assert np.array_equal(fixed.population(name).v_zero, p.v_zero)
        assert len(np.unique(q.threshold)) == p.size


def test_one_parameter_for_a_population_is_a_scale_for_each_or_refused() -> None:
    """brian2-loihi has one threshold for all (each neuron takes its own LSB), and one decay."""
    rng = np.random.default_rng(5)
    p = replace(population(rng, "p", 4, alike=True), bias=frozen(np.zeros(4)))
    p = replace(p, threshold=frozen(rng.uniform(0.5, 1.5, 4)))
    stepped = SteppedNetwork(described((p,), 1), 1e-3, StepRule(), (p,), ())
    fixed = nl.quantize(stepped, "brian2-loihi-0.5")
    back = nl.dequantize(fixed, stepped).population("p")
    assert np.allclose(back.threshold, p.threshold, rtol=1e-3)
    assert p.u_init is not None and back.u_init is not None
    assert np.allclose(back.u_init, p.u_init, atol=2e-3)
    uneven = replace(p, decay_v=frozen([0.5, 0.6, 0.7, 0.8]), leak_v=frozen([0.5, 0.4, 0.3, 0.2]))
    with pytest.raises(LoweringError, match="'p': dv = .* from neuron to neuron"):
        nl.quantize(replace(stepped, populations=(uneven,)), "brian2-loihi-0.5")


# ---------------------------------------------------------------------- several spikes in a step


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.sampled_from(["value", "subtract"]), st.sampled_from([None, 2, 31]),
       st.sampled_from([">", ">="]))  # fmt: skip
def test_counts_equal_the_definition_and_follow_the_float_run(
    seed: int, reset: str, most: int | None, compare: str
) -> None:
    rng = np.random.default_rng(seed)
    stepped = recurrent(rng, reset, most, compare)
    config = {} if most is None else {"most_spikes": most}
    profile = nl.load_profile("generic", compare=compare, state_bits=32, **config)
    fixed = nl.quantize(stepped, profile)
    assert {fixed.population(n).model for n in "ab"} == {
        "lif_multi" if reset == "value" else "lif_multi_subtract"
    }
    inputs = {"in": spikes(rng, 4, 40, 0.5)}
    chip = all_equal(fixed, inputs)
    assert max(int(chip.spikes[n].max()) for n in "ab") <= (most or 32767)
    real = nl.run_clocked(nl.dequantize(fixed, stepped), 40, inputs)
    for n in "ab":  # the float run of the coded parameters, but for spikes on the threshold
        off = np.abs(chip.spikes[n].astype(float) - real.spikes[n]).sum()
        assert off <= 2 + 0.1 * real.spikes[n].sum(), f"{n}: {off} of {real.spikes[n].sum()}"


def alone(most: int | None, reset: str, threshold: float = 1.0) -> SteppedNetwork:
    """Return one neuron that keeps all of v, with inputs of 0.5 V and -0.5 V."""
    p = replace(
        population(np.random.default_rng(0), "p", 1, reset, most), decay_u=frozen([[0.0]]),
        decay_v=frozen([1.0]), leak_v=frozen([0.0]), bias=frozen([0.0]), u_init=None,
        v_init=frozen([0.0]), threshold=frozen([threshold]), tau_syn=frozen([0.0]),
    )  # fmt: skip
    q = SteppedProjection("w", "in", "p", frozen([[0.5, -0.5]]), frozen(0, np.int64), 0,
                          graded=True)  # fmt: skip
    return SteppedNetwork(described((p,), 2), 1e-3, StepRule(compare=">="), (p,), (q,))


@pytest.mark.parametrize("most", [None, 3])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_counts_are_those_of_the_float_run_where_weights_are_whole_codes(
    most: int | None, reset: str
) -> None:
    stepped = alone(most, reset)
    config = {} if most is None else {"most_spikes": most}
    profile = nl.load_profile("generic", compare=">=", **config)
    fixed = nl.quantize(stepped, profile)
    inputs = {"in": spikes(np.random.default_rng(6), 2, 300, 0.4, 7)}
    real = nl.run_clocked(stepped, 300, inputs)
    chip = all_equal(fixed, inputs)
    assert real.spikes["p"].max() == 3 if most else real.spikes["p"].max() >= 3
    assert np.array_equal(chip.spikes["p"], real.spikes["p"])


def test_one_spike_at_most_is_refused_or_approximated_by_name() -> None:
    stepped = recurrent(np.random.default_rng(7), "subtract", None)
    for name in ("lava-0.10", "loihi1", "loihi2"):
        with pytest.raises(LoweringError, match=r"'a' wants any number .*multi-spike"):
            nl.quantize(stepped, name)
    fixed = nl.quantize(stepped, "loihi2", approximate=["multi-spike"])
    assert fixed.ledger is not None
    assert any("'a' wants any number" in a for a in fixed.ledger.approximations)
    said = [n for n in fixed.ledger.notes if "would be due in one" in n]
    assert len(said) == 2 and all("wait in v" in n for n in said)
    told = ladder(stepped, profile=fixed, n_steps=20, exact=False,
                     inputs={"in": np.ones((20, 4), int)})  # fmt: skip
    assert any("'a': spikes in a step: any number, on the chip at most 1" in n for n in told.notes)
    lava = nl.quantize(stepped, "lava-0.10", approximate=["multi-spike", "reset"])
    assert lava.ledger is not None
    assert any("are lost" in n for n in lava.ledger.notes)
    limited = replace(stepped, populations=tuple(
        replace(p, most_spikes=31) for p in stepped.populations))  # fmt: skip
    with pytest.raises(LoweringError, match=r'load_profile\("generic", most_spikes=31\)'):
        nl.quantize(limited, "generic")
    with pytest.raises(LoweringError, match="threshold .* allowed: above 0"):
        p = replace(stepped.population("a"), threshold=frozen(np.zeros(6)))
        nl.quantize(replace(stepped, populations=(p, *stepped.populations[1:])), "generic")


def test_head_room_for_counts_is_foreseen_and_never_called_proved() -> None:
    stepped = recurrent(np.random.default_rng(8), "subtract", None)
    fixed = nl.quantize(stepped, "generic")
    assert fixed.ledger is not None
    assert any("head-room is kept for 8 spikes" in n for n in fixed.ledger.notes)
    assert not any(h.sure for h in fixed.ledger.headroom)
    few = replace(stepped, populations=tuple(
        replace(p, most_spikes=2) for p in stepped.populations))  # fmt: skip
    sure = nl.quantize(few, nl.load_profile("generic", most_spikes=2), proved=True)
    assert sure.ledger is not None
    assert all(h.sure for h in sure.ledger.headroom)
    assert nl.run_fixed(sure, 60, {"in": np.ones((60, 4), int)}).events == ()


def test_counts_of_an_input_are_multiplied_or_refused_by_name() -> None:
    stepped = recurrent(np.random.default_rng(9), graded=True)
    inputs = {"in": spikes(np.random.default_rng(10), 4, 60, 0.3, 5)}
    for name in ("lava-0.10", "loihi2", "generic"):
        fixed = nl.quantize(stepped, name)
        assert fixed.projections[0].graded
        chip = all_equal(fixed, inputs)
        real = nl.run_clocked(nl.dequantize(fixed, stepped), 60, inputs)
        assert int((chip.spikes["a"] != real.spikes["a"]).sum()) <= 2
    with pytest.raises(LoweringError, match=r"input 'in' may send several .*\"counts\""):
        nl.quantize(stepped, "loihi1")
    cut = nl.quantize(stepped, "loihi1", approximate="counts")
    assert not cut.projections[0].graded


def test_no_latency_between_populations_is_refused_by_name() -> None:
    stepped = recurrent(np.random.default_rng(11))
    soon = replace(stepped, projections=tuple(
        replace(q, latency=0) if q.name == "a_b" else q for q in stepped.projections))  # fmt: skip
    with pytest.raises(LoweringError, match=r"'a_b' wants .* \(latency=0.*latency=1\)"):
        nl.quantize(soon, "lava-0.10")
    late = nl.quantize(soon, "lava-0.10", approximate="delay")
    assert late.ledger is not None and len(late.ledger.approximations) == 1
    # with a delay of one step it is what a chip does
    fine = replace(soon, projections=tuple(
        replace(q, delays=frozen(1, np.int64)) if q.name == "a_b" else q
        for q in soon.projections))  # fmt: skip
    assert nl.quantize(fine, "lava-0.10").projections[2].delays == 0


# --------------------------------------------------------------------------------- convolutions


@settings(max_examples=12, deadline=None)
@given(
    SEEDS, st.sampled_from(["lava", "torch"]),
    st.sampled_from(["lava-0.10", "loihi1", "loihi2", "generic"]),
    st.sampled_from([{}, {"granularity": "sign"}, {"granularity": "global"}, {"proved": True},
                     {"scaling": "max_abs"}, {"rounding": "stochastic"}]),
)  # fmt: skip
def test_a_folded_convolution_is_its_matrix(
    seed: int, layout: str, name: str, options: dict[str, Any]
) -> None:
    """Both engines and the definition agree, and the integers are those of the matrix.

    Of stochastic rounding, which draws once for an entry of the kernel, only the first holds.
    """
    rng = np.random.default_rng(seed)
    stepped = convolved(rng, layout, delay=int(rng.integers(0, 3)))
    fixed = nl.quantize(stepped, name, **options)
    parts = [p for p in fixed.projections if p.name.startswith("conv")]
    assert all(p.is_folded for p in parts)
    inputs = {"in": spikes(rng, stepped.projections[0].weights.shape[1], 25, 0.15)}
    chip = all_equal(fixed, inputs)
    if options.get("rounding") == "stochastic":
        return
    conv = stepped.projections[0]
    plain = replace(stepped, projections=(replace(conv, weights=conv.matrix),
                                          stepped.projections[1]))  # fmt: skip
    same_scale = nl.quantize(plain, name, **options)
    if np.array_equal(same_scale.population("a").lsb, fixed.population("a").lsb):
        matrix = nl.run_fixed(same_scale, 25, inputs, record="all")
        assert first_difference(matrix, chip) is None
    real = nl.run_clocked(nl.dequantize(fixed, stepped), 25, inputs)
    assert (real.spikes["a"] != chip.spikes["a"]).mean() < 0.01


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(["lava", "torch"]), st.integers(1, 40))
def test_what_arrives_is_bounded_from_the_kernel_alone(seed: int, layout: str, count: int) -> None:
    rng = np.random.default_rng(seed)
    conv = convolved(rng, layout).projections[0].weights
    whole = np.asarray(conv.csr.sum(axis=1)).ravel()
    assert np.allclose(sums(conv, conv.planar_kernel), whole, atol=1e-12)
    dense = np.sort(np.maximum(conv.csr.toarray(), 0.0), axis=1)[:, ::-1]
    exact = dense[:, :count].sum(axis=1)
    found = strongest_folded(conv, conv.planar_kernel, count)
    assert np.all(found >= exact - 1e-12)
    taps = conv.planar_kernel.shape
    if count >= taps[0] * taps[1] * taps[3]:
        assert np.allclose(found, exact, atol=1e-12)


def test_the_proof_of_a_folded_convolution_is_that_of_its_matrix() -> None:
    stepped = convolved(np.random.default_rng(12))
    fixed = nl.quantize(stepped, "generic")
    folded = fixed.projections[0]
    matrix = replace(folded, weights=folded.weights, convolution=None)
    assert np.array_equal(delivered(fixed, folded, 1, 1.0), delivered(fixed, matrix, 1, 1.0))


def test_the_kernel_is_in_the_ledger_once() -> None:
    stepped = convolved(np.random.default_rng(13))
    fixed = nl.quantize(stepped, "lava-0.10")
    assert fixed.ledger is not None
    entry = next(e for e in fixed.ledger.entries
                 if (e.where, e.field) == ("projection 'conv'", "weights"))  # fmt: skip
    assert entry.values == stepped.projections[0].weights.kernel.size


@pytest.mark.parametrize(("changes", "why"), [
    ({"decay_v": "uneven"}, "the decays of its target's neurons differ"),
    ({"delays": "uneven"}, "its delays differ"),
    ({"granularity": "neuron"}, "its target's neurons have scales of their own"),
])  # fmt: skip
def test_a_convolution_that_no_kernel_can_say_is_written_out_with_a_note(
    changes: dict[str, str], why: str
) -> None:
    rng = np.random.default_rng(14)
    stepped = convolved(rng, alike="decay_v" not in changes)
    options: dict[str, Any] = {}
    if "delays" in changes:
        conv = stepped.projections[0]
        delays = frozen(rng.integers(0, 3, conv.matrix.nnz), np.int64)
        stepped = replace(stepped, projections=(replace(conv, delays=delays),
                                                stepped.projections[1]))  # fmt: skip
    if "granularity" in changes:
        options = {"granularity": "neuron"}
    fixed = nl.quantize(stepped, "lava-0.10", **options)
    assert fixed.ledger is not None and not fixed.projections[0].is_folded
    assert any(f"convolution 'conv': coded as a matrix, since {why}" in n
               for n in fixed.ledger.notes)  # fmt: skip
    inputs = {"in": spikes(rng, stepped.projections[0].weights.shape[1], 25, 0.15)}
    chip = all_equal(fixed, inputs)
    real = nl.run_clocked(nl.dequantize(fixed, stepped), 25, inputs)
    assert (real.spikes["a"] != chip.spikes["a"]).mean() < 0.01


def test_samples_choose_the_scale_of_a_convolution() -> None:
    rng = np.random.default_rng(15)
    stepped = convolved(rng)
    inputs = {"in": spikes(rng, stepped.projections[0].weights.shape[1], 25, 0.15)}
    fixed = nl.quantize(stepped, "lava-0.10", calibrate=inputs)
    assert fixed.ledger is not None and fixed.ledger.calibrated is not None
    assert fixed.projections[0].is_folded
    all_equal(fixed, inputs)


# ------------------------------------------------------------------------------------ read-outs


def adding(leak: tuple[float, ...]) -> SteppedNetwork:
    """Return a read-out that hardly leaks, with four inputs."""
    n = len(leak)
    r: SteppedPopulation = replace(
        population(np.random.default_rng(0), "r", n, readout=True), u_init=None,
        decay_v=frozen(1.0 - np.array(leak)), leak_v=frozen(leak), bias=frozen(np.zeros(n)),
        v_init=frozen(np.zeros(n)),
    )  # fmt: skip
    weights = frozen(np.abs(np.random.default_rng(1).normal(0, 0.1, (n, 4))))
    q = SteppedProjection("w", "in", "r", weights, frozen(0, np.int64), 0)
    return SteppedNetwork(described((r,), 4), 1e-3, StepRule(), (r,), (q,))


@pytest.mark.parametrize("name", ["lava-0.10", "loihi1", "generic"])
def test_a_read_out_that_adds_up_for_long_has_room_for_the_run(name: str) -> None:
    stepped, n_steps = adding((0.0, 2e-4)), 5000
    inputs = {"in": spikes(np.random.default_rng(2), 4, n_steps, 0.2)}
    fixed = nl.quantize(stepped, name, n_steps=n_steps)
    assert fixed.ledger is not None
    assert any("head-room of v is for 5000 steps" in n for n in fixed.ledger.notes)
    chip = nl.run_fixed(fixed, n_steps, inputs)
    assert chip.events == () and not chip.spikes["r"].any()
    assert chip.traces["r", "v"][-1, 0] > 2**21  # and not much more room than that
    short = nl.run_fixed(nl.quantize(stepped, name), n_steps, inputs)
    assert short.events  # for 1,000 steps, as its ledger says


# ----------------------------------------------------------------------------------------- Lava


class TestInLava:
    pytestmark = LAVA_TESTS

    @pytest.mark.parametrize("where", SINGLE[:3])
    def test_first_u_and_v_and_all_parameters(self, where: tuple[str, str]) -> None:
        rng = np.random.default_rng(20)
        fixed = nl.quantize(recurrent(rng, where[1]), where[0])
        assert fixed.population("a").init["u"].any() and fixed.population("a").init["v"].any()
        same(fixed, 30, {"in": spikes(rng, 4, 30, 0.4)}, record="registers")
        if where[0] == "lava-0.10":
            assert kinds(fixed)["a"] == "LIF"

    def test_several_spikes_in_a_step(self) -> None:
        rng = np.random.default_rng(21)
        fixed = nl.quantize(recurrent(rng, "subtract", None, graded=True), "generic")
        found = same(fixed, 30, {"in": spikes(rng, 4, 30, 0.5, 9)}, record="registers")
        assert max(int(found.spikes[n].max()) for n in "ab") > 1

    @pytest.mark.parametrize("layout", ["lava", "torch"])
    def test_a_convolution_is_lavas_own(self, layout: str) -> None:
        rng = np.random.default_rng(22)
        stepped = convolved(rng, layout)
        fixed = nl.quantize(stepped, "lava-0.10")
        assert kinds(fixed)["conv"] == "Conv"
        width = stepped.projections[0].weights.shape[1]
        same(fixed, 30, {"in": spikes(rng, width, 30, 0.15)}, record="registers")
