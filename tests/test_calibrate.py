"""Scales chosen on inputs: never worse on them than without, the same each time, and told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.calibrate import meant_by
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.lower.draft import GRANULARITIES
from neuro_lif.lower.form import lif_form
from neuro_lif.lower.rounding import ROUNDINGS
from neuro_lif.stimulus import Constant, Sampled
from neuro_lif.task import Task

DT, STEPS, SAMPLES = 1e-3, 40, 12


def network(seed: int = 0, **neuron: Any) -> nl.SteppedNetwork:
    """A classifier of 14 inputs with 10 hidden neurons and 3 classes, weights drawn at random."""
    rng = np.random.default_rng(seed)
    lif = nl.LIF(10e-3, **({"v_threshold": 1.0} | neuron))
    net = nl.Network(
        [nl.Population("hidden", 10, lif), nl.Population("out", 3, lif)],
        [nl.Projection("a", "x", "hidden", rng.normal(0.35, 0.6, (10, 14)), nl.Exponential(2e-3)),
         nl.Projection("b", "hidden", "out", rng.normal(0.3, 0.7, (3, 10)), nl.Exponential(2e-3))],
        [nl.SpikeInput("x", 14)], [nl.Probe("out", "v")],
    )  # fmt: skip
    return nl.discretize(net, DT)


def samples(seed: int = 0, many: int = SAMPLES) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, 1])
    rates = rng.uniform(0, 0.6, (many, 1, 14))
    return {"x": (rng.random((many, STEPS, 14)) < rates).astype(np.uint8)}


def count_error(stepped: nl.SteppedNetwork, fixed: nl.FixedNetwork, inputs: Any) -> float:
    """Root mean square difference of spike counts, computed from the arrays."""
    a, b = nl.run_clocked(stepped, inputs=inputs), nl.run_fixed(fixed, inputs=inputs)
    off = [np.asarray(a.spikes[p], int).sum(axis=1) - np.asarray(b.spikes[p], int).sum(axis=1)
           for p in a.spikes]  # fmt: skip
    return float(np.sqrt(np.mean(np.concatenate(off, axis=1) ** 2)))


def told(fixed: nl.FixedNetwork) -> Any:
    assert fixed.ledger is not None and fixed.ledger.calibrated is not None
    return fixed.ledger.calibrated


@settings(max_examples=14)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(list(GRANULARITIES)),
    st.sampled_from(list(ROUNDINGS)), st.sampled_from([2, 3, 4, 8]),
)  # fmt: skip
def test_never_worse_on_its_inputs_and_the_ledger_says_how_good(
    seed: int, granularity: str, rounding: str, bits: int
) -> None:
    stepped, inputs = network(seed), samples(seed)
    options = {"granularity": granularity, "rounding": rounding, "weight_bits": bits}
    own = nl.quantize(stepped, "loihi2", **options)
    fixed = nl.quantize(stepped, "loihi2", calibrate=inputs, **options)
    found = told(fixed)
    assert found.score == (None, pytest.approx(count_error(stepped, fixed, inputs), rel=1e-12))
    assert found.own == (None, pytest.approx(count_error(stepped, own, inputs), rel=1e-12))
    assert found.score <= found.own
    naive = nl.quantize(stepped, "loihi2", scaling="max_abs", **options)
    assert found.max_abs == (None, pytest.approx(count_error(stepped, naive, inputs), rel=1e-12))
    assert fixed.storage_events() == []
    assert found.samples == SAMPLES and found.n_steps == STEPS


def test_it_gains_where_bits_are_few() -> None:
    """Over ten networks the error at 3 bits becomes less than two thirds of what it was."""
    gains = []
    for seed in range(10):
        found = told(nl.quantize(network(seed), "loihi2", weight_bits=3, calibrate=samples(seed)))
        gains.append(found.score[1] / found.own[1])
    assert np.mean(gains) < 0.67


def test_the_same_each_time() -> None:
    stepped, inputs = network(4), samples(4)
    first, second = (
        nl.quantize(stepped, "loihi2", weight_bits=3, calibrate=inputs, rounding="stochastic")
        for _ in range(2)
    )
    assert str(first.ledger) == str(second.ledger)
    for a, b in zip(first.projections, second.projections, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)


def test_a_task_is_decided_as_in_float_no_less_than_without() -> None:
    for seed in range(4):
        stepped, inputs = network(seed), samples(seed, 30)
        meant = nl.run_clocked(stepped, inputs=inputs)
        bare = Task(inputs, np.zeros(30, np.int64), "out")
        task = replace(bare, labels=bare.decide(meant))
        fixed = nl.quantize(stepped, "loihi2", weight_bits=2, calibrate=task)
        found, run = told(fixed), nl.run_fixed(fixed, inputs=inputs)
        assert found.score[0] == pytest.approx(1 - task.accuracy(run))
        assert found.score <= found.own
        assert f"{100 * task.accuracy(run):.4g} % agree" in str(fixed.ledger)


def test_bias_correction_is_the_mean_input_that_rounding_takes() -> None:
    """By hand: E[(w - w_q) x] / du, and 1/2 (1 + 1/du) LSB against truncation, u and v above 0."""
    stepped, inputs = network(5, i_bias=2.0), samples(5)
    # inputs only excite, so that u and v are above 0
    first = replace(stepped.projections[0], weights=np.abs(stepped.projections[0].weights))
    stepped = replace(stepped, projections=(first, stepped.projections[1]))
    fixed = nl.quantize(stepped, "loihi2", weight_bits=3, calibrate=inputs, bias_correction=True,
                        rounding="floor")  # fmt: skip
    real, form = nl.dequantize(fixed, stepped), lif_form(fixed.profile, "lif")
    params, lsb = fixed.params("hidden"), float(np.asarray(fixed.population("hidden").lsb)[0])
    loss_u, loss_v = (c.loss(params[c.param])[0] for c in (form.decay_u, form.decay_v))
    before, after = stepped.population("hidden"), real.population("hidden")
    gain_v = loss_v / before.leak_v[0]
    gain = gain_v * loss_u / (1 - before.decay_u[0, 0])
    lost = (np.asarray(first.weights) * gain - np.asarray(real.projections[0].weights)) @ (
        inputs["x"].mean(axis=(0, 1))
    )
    expected = before.bias * gain_v + lost / loss_u + 0.5 * (1 + 1 / loss_u) * lsb
    exponent = int(params[str(form.bias_exp)].max())
    assert np.all(np.abs(after.bias - expected) <= 0.5000001 * lsb * 2**exponent)
    assert np.all(lost > 0)  # floor takes
    moved = np.sqrt(np.mean((expected - before.bias * gain_v) ** 2))
    assert told(fixed).chosen[0].correction == pytest.approx(moved, rel=1e-9)
    assert all(c.corrected for c in told(fixed).chosen)


def test_bias_is_left_alone_where_told() -> None:
    stepped, inputs = network(6, i_bias=0.05), samples(6)
    fixed = nl.quantize(stepped, "loihi2", weight_bits=3, calibrate=inputs, bias_correction=False)
    assert not any(c.corrected for c in told(fixed).chosen)
    real, meant = nl.dequantize(fixed, stepped), stepped.population("hidden")
    # one bias for all, up to its rounding and the compensated gain
    assert np.ptp(real.population("hidden").bias) == 0
    np.testing.assert_allclose(real.population("hidden").bias, meant.bias, rtol=0.01)


def test_correcting_undoes_what_rounding_down_does() -> None:
    off = {}
    for correct in (False, True):
        total = 0.0
        for seed in range(4):
            stepped, inputs = network(seed), samples(seed)
            fixed = nl.quantize(stepped, "loihi2", weight_bits=4, calibrate=inputs,
                                rounding="floor", bias_correction=correct)  # fmt: skip
            total += told(fixed).score[1]
        off[correct] = total
    assert off[True] < 0.8 * off[False]


def test_read_outs_stages_currents_and_described_inputs() -> None:
    rng = np.random.default_rng(7)
    lif = nl.LIF(10e-3, v_threshold=1.0)
    net = nl.Network(
        [nl.Population("p", 6, lif), nl.Population("r", 2, nl.LI(20e-3)),
         nl.Population("s", 1, lif)],
        [nl.Projection("a", "x", "p", rng.normal(0.3, 0.5, (6, 5)), nl.Alpha(3e-3)),
         nl.Projection("b", "p", "r", rng.normal(0, 0.5, (2, 6)), nl.Exponential(2e-3))],
        [nl.PoissonInput("x", 5, 300.0, seed=3, draw="bernoulli"),
         nl.CurrentInput("i", "p", Sampled(0.3 * rng.random((STEPS, 6)), DT)),
         nl.CurrentInput("c", "p", Constant(0.1))],
    )  # fmt: skip
    stepped = nl.discretize(net, DT)
    fixed = nl.quantize(stepped, "loihi2", weight_bits=4, calibrate={}, n_steps=STEPS)
    found = told(fixed)
    assert found.samples == 1 and found.score <= found.own
    given = {"i": 0.4 * rng.random((3, STEPS, 6))}
    both = nl.quantize(stepped, "loihi2", weight_bits=4, calibrate=given, n_steps=STEPS)
    assert told(both).samples == 3 and told(both).score <= told(both).own
    with pytest.raises(RangeError, match="calibrate: 'c' is a constant current"):
        nl.quantize(stepped, "loihi2", calibrate={"c": np.zeros((STEPS, 6))})


def test_only_what_is_proved_where_a_proof_is_asked_for() -> None:
    for granularity in GRANULARITIES:
        fixed = nl.quantize(network(8), "loihi2", weight_bits=4, calibrate=samples(8), proved=True,
                            granularity=granularity)  # fmt: skip
        assert fixed.ledger is not None and fixed.ledger.proved
        assert told(fixed).score <= told(fixed).own


def test_progress_grows_and_ends_with_all_done() -> None:
    seen: list[tuple[int, int]] = []
    nl.quantize(network(9), "loihi2", calibrate=samples(9), weight_bits=4,
                progress=lambda done, total: seen.append((done, total)))  # fmt: skip
    assert seen[-1][0] == seen[-1][1]
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert len({t for _, t in seen}) == 1 and len(seen) > 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"calibrate": 7}, "calibrate = 7, allowed: input name -> array, or a Task"),
        ({"calibrate": {}}, "n_steps = None, allowed: a whole number >= 1"),
        ({"calibrate": {}, "n_steps": 5}, "calibrate: input 'x' has no spikes of its own"),
        ({"calibrate": {"y": np.zeros((4, 14))}}, "inputs: 'y' is unknown, allowed: x"),
        ({"calibrate": {"x": np.zeros((4, 13))}}, "inputs['x']: shape (4, 13), allowed"),
        ({"bias_correction": True}, "bias_correction = True without calibrate"),
        ({"bias_correction": 1}, "bias_correction = 1, allowed: True, False or None"),
        ({"progress": 3}, "progress = 3, allowed: a function"),
        ({"calibrate": {"x": np.zeros((4, 14))}, "scaling": "max_abs"},
         "scaling = 'max_abs' with calibrate, which chooses the scales, allowed: 'own'"),
        ({"calibrate": Task({"x": np.zeros((2, 4, 14))}, [0, 1], "nobody")},
         "calibrate: Task: output = 'nobody', allowed: hidden, out"),
    ],
)  # fmt: skip
def test_refused_by_name(options: Any, text: str) -> None:
    with pytest.raises(RangeError) as caught:
        nl.quantize(network(), "loihi2", **options)
    assert text in str(caught.value)


def test_a_profile_without_bias_has_none_to_correct() -> None:
    generic = nl.load_profile("generic")
    lif = generic.models["lif"]
    ops = tuple(op for op in lif.ops if getattr(op, "src", None) != "bias_mant")
    bare = generic.model_copy(update={"models": {"lif": lif.model_copy(update={"ops": ops})}})
    stepped, inputs = network(), samples()
    fixed = nl.quantize(stepped, bare, weight_bits=3, calibrate=inputs)
    assert not any(c.corrected for c in told(fixed).chosen)
    with pytest.raises(LoweringError, match="bias_correction = True, but profile generic has no"):
        nl.quantize(stepped, bare, calibrate=inputs, bias_correction=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [("calibrate", {}), ("granularity", "sign"), ("rounding", "floor"), ("rounding_seed", 1),
     ("scaling", "max_abs"), ("bias_correction", False)],
)  # fmt: skip
def test_the_codings_of_peers_refuse_all_of_it(option: str, value: Any) -> None:
    for coding, profile in (("lava", "lava-0.10"), ("nengo-loihi", "nengo-loihi-1.1")):
        with pytest.raises(RangeError, match=f"{option} = .* with coding {coding!r}, allowed"):
            nl.quantize(network(), profile, coding=coding, **{option: value})
    usual = {"rounding": "".join(["near", "est"]), "rounding_seed": 0}  # equal, if not the same
    assert nl.quantize(network(), "lava-0.10", coding="lava", **usual).ledger is not None


def test_the_float_run_says_what_was_sent_and_how_often() -> None:
    """Counts and rates from the arrays of the run itself, with batches, alone, and described."""
    stepped, inputs = network(11), samples(11)
    inputs["x"][0, :5, 3] = 3  # several spikes at once
    run = nl.run_clocked(stepped, inputs=inputs)
    found = meant_by(stepped, inputs, None)
    np.testing.assert_allclose(found.sent["x"], inputs["x"].mean(axis=1), rtol=1e-12)
    for name in ("hidden", "out"):
        spikes = np.asarray(run.spikes[name], int)
        np.testing.assert_array_equal(found.counts[name], spikes.sum(axis=1))
        np.testing.assert_allclose(found.sent[name], spikes.mean(axis=1), rtol=1e-12)
    alone = meant_by(stepped, {"x": inputs["x"][0]}, STEPS + 5)
    np.testing.assert_allclose(alone.sent["x"], inputs["x"][:1].sum(axis=1) / (STEPS + 5))
    np.testing.assert_array_equal(
        alone.counts["hidden"][0] >= found.counts["hidden"][0], np.ones(10, bool)
    )
    poisson = nl.PoissonInput("x", 14, 900.0, seed=2)
    net = nl.Network(stepped.network.populations, stepped.network.projections, [poisson])
    described = meant_by(nl.discretize(net, DT), {}, 400)
    kept = nl.run_clocked(nl.discretize(net, DT), 400, record_inputs=True)
    np.testing.assert_allclose(described.sent["x"][0], np.asarray(kept.inputs["x"]).mean(axis=0))
    assert np.asarray(kept.inputs["x"]).max() > 1
