"""Rates from what a network describes itself: theory and predictions, held against runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import identity

import neuro_lif as nl
from neuro_lif import predict
from neuro_lif.errors import RangeError
from neuro_lif.network import PoissonInput, SpikeInput
from neuro_lif.predict.coded import coded_lif
from neuro_lif.predict.rates import coded_step
from neuro_lif.reference import theory
from neuro_lif.reference.theory.described import current_moments
from neuro_lif.stimulus import (
    Constant,
    GaussianNoise,
    Sampled,
    Sinusoid,
    Stimulus,
    Triangle,
    Window,
)

TAU, DT, TOP, RESET, J = 20e-3, 0.1e-3, 20e-3, 10e-3, 0.1e-3
CELL = nl.LIF(TAU, 1e8, v_rest=0.0, v_threshold=TOP, v_reset=RESET, t_refractory=2e-3)


def poisson_network(mu: float, sigma: float, n: int, draw: Any = "counts") -> nl.SteppedNetwork:
    """Neurons with two delta synapses of their own, +J and -J, mu and sigma in V."""
    power, drift = sigma**2 / (TAU * J**2), mu / (TAU * J)
    inputs, projections = [], []
    for seed, (name, sign) in enumerate((("exc", 1), ("inh", -1))):
        inputs.append(PoissonInput(name, n, (power + sign * drift) / 2, seed, draw))
        weights = identity(n, format="csr") * (sign * J)
        projections.append(nl.Projection(f"{name}_n", name, "n", weights, nl.Delta(), DT))
    net = nl.Network([nl.Population("n", n, CELL)], projections, inputs)
    return nl.discretize(net, DT)


def noisy_network(stimulus: Any, n: int, **cell: Any) -> nl.SteppedNetwork:
    neuron = nl.LIF(TAU, 1e8, v_rest=0.0, v_threshold=TOP, **cell)
    currents = [nl.CurrentInput("i", "n", stimulus)]
    return nl.discretize(nl.Network([nl.Population("n", n, neuron)], inputs=currents), DT)


def integers(stepped: nl.SteppedNetwork, **options: Any) -> nl.FixedNetwork:
    return nl.quantize(stepped, nl.load_profile("generic", align_shift=0, **options))


def counted(run: Any, steps: int, warm: int = 2000) -> tuple[float, float]:
    """The rate of a run and its standard error, Hz."""
    counts = np.asarray(run.spikes["n"])[warm:].sum(axis=0) / ((steps - warm) * DT)
    return float(counts.mean()), float(counts.std(ddof=1) / np.sqrt(counts.size))


# ----------------------------------------------------------------- one theory of integers


@pytest.mark.parametrize("mu", [12e-3, 15e-3, 21e-3, 30e-3])
def test_the_prediction_is_the_theory_of_the_integers(mu: float) -> None:
    """V counts from a reset that is often above it; rate_error was off by up to a factor of 2."""
    stepped = poisson_network(mu, 5e-3, 1)
    fixed = integers(stepped, state_bits=16)
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    assert found.coded == pytest.approx(theory.fixed_rate(fixed, "n"), rel=1e-9)
    assert found.meant == pytest.approx(theory.stepped_rate(stepped, "n"), rel=1e-9)
    assert 0 < found.coded[0] < 0.9 * found.meant[0]


def run_poisson(mu: float, n: int, steps: int, off: float) -> None:
    stepped = poisson_network(mu, 5e-3, n)
    fixed = integers(stepped, state_bits=16)
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    measured, se = counted(nl.run_fixed(fixed, steps), steps)
    print(f"mu = {1e3 * mu:.0f} mV: predicted {found.coded[0]:.4f}, measured {measured:.4f} +- "
          f"{se:.4f} Hz, {100 * (found.coded[0] / measured - 1):+.2f} %")  # fmt: skip
    assert found.coded[0] == pytest.approx(measured, abs=4 * se + off * measured)


def test_the_prediction_where_v_is_often_below_its_reset() -> None:
    run_poisson(18e-3, 1500, 8000, 0.05)


@pytest.mark.verify
@pytest.mark.parametrize("mu", [12e-3, 15e-3, 18e-3, 21e-3, 24e-3, 27e-3, 30e-3])
def test_the_prediction_over_the_whole_range(mu: float) -> None:
    run_poisson(mu, 2000, 20000, 0.03 if mu < 20e-3 else 0.01)


@pytest.mark.parametrize("profile", ["generic", "loihi2", "loihi1", "brian2-loihi-0.5"])
@pytest.mark.parametrize("tau_s", [0.0, 2e-3])
def test_both_readings_of_a_population_are_one(profile: str, tau_s: float) -> None:
    """What predict reads from a chip's operations is what the theory reads."""
    synapse: Any = nl.Exponential(tau_s, "psp") if tau_s else nl.Delta()
    held = {"t_refractory": 2e-3} if profile in ("generic", "brian2-loihi-0.5") else {}
    neuron = nl.LIF(TAU, 1e8, v_rest=0.0, v_threshold=TOP, **held)
    net = nl.Network([nl.Population("n", 3, neuron)],
                     [nl.Projection("w", "x", "n", np.full((3, 2), 1e-3), synapse, 1e-3)],
                     [PoissonInput("x", 2, 400.0, 1, "bernoulli")])  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, profile)
    read, own = theory.integer_step(fixed, "n"), coded_step(coded_lif(fixed, stepped, "n"))
    for name, a, b in zip(read._fields, read, own, strict=True):
        np.testing.assert_allclose(np.broadcast_to(a, (3,)), np.broadcast_to(b, (3,)),
                                   rtol=1e-12, atol=1e-12, err_msg=name)  # fmt: skip
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    assert found.coded == pytest.approx(theory.fixed_rate(fixed, "n"), rel=1e-9)
    assert found.coded[0] > 1


@pytest.mark.parametrize("rounding", ["rtz", "floor", "nearest_up", "raz", "floor_then_raz"])
def test_every_rounding_of_a_decay(rounding: str) -> None:
    """The theory of integers is told how a decay rounds; away from 0 raises the rate."""
    stepped = poisson_network(18e-3, 5e-3, 400)
    fixed = integers(stepped, state_bits=18)
    raw = fixed.profile.model_dump(by_alias=True)
    raw["models"] = {"lif": rounded(raw["models"]["lif"], rounding)}
    profile = nl.HardwareProfile.model_validate(raw)
    fixed = nl.FixedNetwork(profile, fixed.populations, fixed.projections, fixed.sources, dt=DT)
    predicted = float(theory.fixed_rate(fixed, "n"))
    measured, se = counted(nl.run_fixed(fixed, 6000), 6000)
    print(f"{rounding}: predicted {predicted:.3f}, measured {measured:.3f} +- {se:.3f} Hz")
    assert predicted == pytest.approx(measured, abs=4 * se + 0.02 * measured)
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    assert found.coded[0] == pytest.approx(predicted, rel=1e-9)
    assert (found.truncation[0] > 0.02) == ("raz" in rounding)


def rounded(part: Any, rounding: str) -> Any:
    """A model whose decays round so."""
    if isinstance(part, (list, tuple)):
        return [rounded(x, rounding) for x in part]
    if not isinstance(part, dict):
        return part
    found = {key: rounded(x, rounding) for key, x in part.items()}
    return {**found, "round": rounding} if part.get("op") == "decay" else found


# ------------------------------------------------------------------ currents of the network


NOISES = [
    GaussianNoise(160e-12, 4e-9, 3),
    GaussianNoise(160e-12, 4e-11, 3, per="white"),
    Constant(100e-12) + GaussianNoise(60e-12, 2.4e-9, 3) + GaussianNoise(0.0, 3.2e-9, 4),
]


@pytest.mark.parametrize("stimulus", NOISES, ids=["step", "white", "sum"])
def test_a_network_with_noise_is_predicted_from_its_description(stimulus: Stimulus) -> None:
    """R = 1e8 ohm: a mean of 16 mV, and sigma = R sd sqrt(dt / tau) = 28 mV * 0.0707..."""
    n, steps = 600, 6000
    stepped = noisy_network(stimulus, n, v_reset=0.0)
    fixed = integers(stepped, state_bits=18)
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    sigma = 1e8 * 4e-9 * np.sqrt(DT / TAU)
    if not isinstance(stimulus, GaussianNoise) or stimulus.per == "white":
        sigma = sigma if not isinstance(stimulus, GaussianNoise) else 1e8 * 4e-11 / np.sqrt(TAU)
    wanted = theory.nu_dt(16e-3, sigma, TOP, 0.0, TAU, 0.0, DT)
    assert found.meant == pytest.approx(np.full(n, wanted), rel=0.01) and wanted > 5
    assert theory.stepped_rate(stepped, "n") == pytest.approx(found.meant[0], rel=1e-9)
    assert theory.fixed_rate(fixed, "n") == pytest.approx(found.coded[0], rel=1e-9)
    for run, rate in ((nl.run_clocked(stepped, steps), found.meant[0]),
                      (nl.run_fixed(fixed, steps), found.coded[0])):  # fmt: skip
        measured, se = counted(run, steps)
        print(f"predicted {rate:.3f}, measured {measured:.3f} +- {se:.3f} Hz")
        assert rate == pytest.approx(measured, abs=4 * se + 0.01 * measured)


def test_a_current_through_a_synaptic_state_is_white() -> None:
    """The current is coded so that u, which keeps 0.95 of itself, follows it: v is not smooth."""
    n, steps = 500, 6000
    noise = GaussianNoise(160e-12, 4e-9, 3)
    neuron = nl.LIF(TAU, 1e8, v_rest=0.0, v_threshold=TOP, v_reset=0.0)
    net = nl.Network([nl.Population("n", n, neuron)],
                     [nl.Projection("w", "x", "n", np.full((n, 1), J),
                                    nl.Exponential(2e-3, "psp"))],
                     [nl.CurrentInput("i", "n", noise), PoissonInput("x", 1, 0.0, 1)])  # fmt: skip
    stepped = nl.discretize(net, DT)
    fixed = integers(stepped, state_bits=20)
    step = theory.integer_step(fixed, "n")
    assert np.all(step.decay_u > 0.9) and np.all(step.loss_u > 0.4)
    found = predict.rate_error(fixed, stepped, "n", predict.Drive())
    measured, se = counted(nl.run_fixed(fixed, steps), steps)
    print(f"predicted {found.coded[0]:.3f}, measured {measured:.3f} +- {se:.3f} Hz")
    assert found.coded[0] == pytest.approx(measured, abs=4 * se + 0.01 * measured)
    assert theory.fixed_rate(fixed, "n") == pytest.approx(found.coded[0], rel=1e-9)
    assert theory.stepped_rate(stepped, "n") == pytest.approx(found.meant[0], rel=1e-9)
    both = predict.Drive({"x": 100.0})
    with pytest.raises(RangeError, match="'n': spikes through synapses .* and a noisy current"):
        predict.rate_error(fixed, stepped, "n", both)


def test_a_run_beside_its_prediction_has_the_rate_of_a_noisy_population() -> None:
    stepped = noisy_network(GaussianNoise(160e-12, 4e-9, 3), 100, v_reset=0.0)
    fixed = integers(stepped)
    found = predict.beside_run(fixed, stepped, 3000)
    assert not found.notes and found.errors["n"].rate is not None
    assert found.errors["n"].rate.meant.mean() == pytest.approx(found.meant["n"].mean(), rel=0.1)
    handed = predict.beside_run(fixed, stepped, inputs={"i": np.zeros((50, 100))})
    assert "'i' varies (it was given)" in handed.notes["n"]
    report = predict.errors_of(fixed, stepped, "n", predict.Drive())
    assert report.rate is not None
    assert np.array_equal(report.rate.coded, found.errors["n"].rate.coded)


@settings(max_examples=25, deadline=None)
@given(
    mean=st.floats(-1, 1), sds=st.lists(st.floats(0, 2), min_size=1, max_size=3),
    same=st.booleans(), white=st.booleans(), dt=st.sampled_from([1e-4, 1e-3]),
)  # fmt: skip
def test_moments_are_those_of_the_samples(
    mean: float, sds: list[float], same: bool, white: bool, dt: float
) -> None:
    per: Any = "white" if white else "step"
    terms = [GaussianNoise(0.1, sd, 5 if same else 5 + k, per) for k, sd in enumerate(sds)]
    stimulus: Any = Constant(mean)
    for term in terms:
        stimulus = stimulus + term
    m, s = current_moments("it", stimulus, dt, 2)
    rows = stimulus.rows(0, 8000, dt, 2)[0]
    assert m == pytest.approx(mean + 0.1 * len(sds))
    assert rows.mean(axis=0) == pytest.approx(m, abs=5 * float(s[0]) / np.sqrt(8000) + 1e-9)
    assert rows.std(axis=0) == pytest.approx(s, rel=0.05, abs=1e-9)


def test_bernoulli_spikes_have_less_spread() -> None:
    """J of 1 mV, p = 0.5 in a step: half the variance of counts."""
    rates = []
    for draw in ("counts", "bernoulli"):
        neuron = nl.LIF(TAU, 1e8, v_rest=0.0, v_threshold=TOP, v_reset=0.0)
        weights: Any = np.array([[0.16e-3] * 6 + [-0.16e-3] * 2])
        net = nl.Network([nl.Population("n", 1, neuron)],
                         [nl.Projection("w", "x", "n", weights, nl.Delta(), DT)],
                         [PoissonInput("x", 8, 2500.0, 1, draw)])  # type: ignore[arg-type]  # fmt: skip
        stepped = nl.discretize(net, DT)
        p = 0.25
        sd = np.sqrt(8 * p * (1 - p if draw == "bernoulli" else 1)) * 0.16e-3
        rates.append(theory.stepped_rate(stepped, "n"))
        assert rates[-1] == pytest.approx(
            theory.stepped_rate(stepped, "n", 4 * p * 0.16e-3, sd), rel=1e-12
        )
    assert rates[0] > rates[1] > 0


# -------------------------------------------------------------------------- what is refused

VARYING: list[tuple[Any, str]] = [
    (Sinusoid(0.0, 1e-10, 0.1), "Sinusoid"), (Triangle(1e-10, 0.1), "Triangle"),
    (Sampled(np.full((30, 1), 1e-10), 1e-3), "Sampled"),
    (Window(Constant(1e-10), 0.01, 0.02), "Window"),
    (Constant(1e-10) + Sinusoid(0.0, 1e-10, 0.1), "Sinusoid"),
    (GaussianNoise(1e-10, 1e-9, 1, interval=1e-3), "GaussianNoise, each draw held"),
]  # fmt: skip


@pytest.mark.parametrize(("stimulus", "name"), VARYING, ids=[v[1] for v in VARYING])
def test_currents_that_vary_are_refused_by_name(stimulus: Stimulus, name: str) -> None:
    stepped = noisy_network(stimulus, 2, v_reset=0.0)
    fixed = integers(stepped)
    text = f"population 'n': the current 'i' varies \\({name}.*allowed: Constant, GaussianNoise"
    ahead = "the current 'i' is coded ahead" if name == "Sampled" else text
    with pytest.raises(RangeError, match=ahead):
        theory.fixed_rate(fixed, "n")
    for call in (
        lambda: predict.rate_error(fixed, stepped, "n", predict.Drive()),
        lambda: predict.errors_of(fixed, stepped, "n", predict.Drive()),
        lambda: theory.stepped_rate(stepped, "n"),
    ):
        with pytest.raises(RangeError, match=text):
            call()
    assert predict.errors_of(fixed, stepped, "n").rate is None
    found = predict.beside_run(fixed, stepped, 40)
    assert "the current 'i' varies" in found.notes["n"]


def test_spikes_that_are_not_described_are_refused_by_name() -> None:
    def of(spikes: Any, pre: str = "x") -> nl.SteppedNetwork:
        net = nl.Network([nl.Population("n", 2, CELL)],
                         [nl.Projection("w", pre, "n", np.full((2, 2), J), nl.Delta(), DT)],
                         [spikes])  # fmt: skip
        return nl.discretize(net, DT)

    steps = PoissonInput("x", 2, [[5.0], [9.0]], 1, interval=0.1)
    cases = [
        (of(steps), "varies \\(PoissonInput with an interval\\)"),
        (of(SpikeInput("x", 2, [0, 1], [0.1, 0.2])), "list of spikes"),
        (of(SpikeInput("x", 2)), "given when it is run"),
        (of(steps, "n"), "'n' of projection 'w' is a population"),
    ]
    for k, (stepped, text) in enumerate(cases):
        fixed = integers(stepped)
        with pytest.raises(RangeError, match=text):
            theory.stepped_rate(stepped, "n")
        with pytest.raises(RangeError, match="'n': the input '.' of projection 'w'"):
            theory.fixed_rate(fixed, "n")
        if k < 2:
            with pytest.raises(RangeError, match="the input 'x' varies .* rates of the drive"):
                predict.rate_error(fixed, stepped, "n", predict.Drive())
        pre = "n" if k == 3 else "x"
        told = predict.rate_error(fixed, stepped, "n", predict.Drive({pre: 1e5}))
        assert told.meant[0] > 1  # a rate that is told goes before what is described
    with pytest.raises(RangeError, match="mean = 0.0, sd = None, allowed: both, or neither"):
        theory.stepped_rate(cases[0][0], "n", 0.0)
    given_at_run = noisy_network(None, 2, v_reset=0.0)
    with pytest.raises(RangeError, match="the current 'i' is given when it is run"):
        theory.stepped_rate(given_at_run, "n")
    with pytest.raises(RangeError, match="the current 'i' is coded ahead, or given"):
        theory.fixed_rate(integers(given_at_run), "n")


def test_several_time_constants_and_poissons_of_the_integers() -> None:
    net = nl.Network(
        [nl.Population("n", 1, CELL)],
        [nl.Projection("a", "x", "n", [[J]], nl.Delta()),
         nl.Projection("b", "x", "n", [[J]], nl.Exponential(2e-3))],
        [PoissonInput("x", 1, 10.0, 1)],
    )  # fmt: skip
    with pytest.raises(RangeError, match="several synaptic time constants"):
        theory.stepped_rate(nl.discretize(net, DT), "n")
    stepped = noisy_network(Constant(1e-10), 1, v_reset=0.0)
    fixed = integers(stepped)
    drawn = nl.FixedNetwork(fixed.profile, fixed.populations, dt=DT,
                            poissons=(nl.FixedPoisson("extra", "n", 20.0, 3, 1),))  # fmt: skip
    mean, sd = 60.0, 3 * np.sqrt(20.0)
    assert theory.fixed_rate(drawn, "n") == pytest.approx(theory.fixed_rate(drawn, "n", mean, sd))
    with pytest.raises(RangeError, match="poissons extra are in the integers alone"):
        predict.rate_error(drawn, stepped, "n", predict.Drive())


def test_a_membrane_that_keeps_nothing_or_all() -> None:
    neuron = nl.LIF(DT / 100, 1e8, v_rest=0.0, v_threshold=TOP, v_reset=0.0, i_bias=1e-9)
    stepped = nl.discretize(nl.Network([nl.Population("n", 1, neuron)]), DT)
    fixed = integers(stepped)
    with pytest.raises(RangeError, match="decay_v = 0.0, allowed: above 0, below 1"):
        theory.fixed_rate(fixed, "n")
    with pytest.raises(RangeError, match="'n': v keeps nothing of itself"):
        predict.rate_error(fixed, stepped, "n", predict.Drive())
    leaks_not = nl.FixedNetwork(fixed.profile, (nl.FixedPopulation("n", 1, "lif", {"dv": 0}),))
    with pytest.raises(RangeError, match="decay_v = 1.0, allowed: above 0, below 1"):
        theory.fixed_rate(leaks_not, "n")


# ---------------------------------------------------------------------------- the documents


@pytest.mark.parametrize("name", ["theory", "predict"])
def test_the_example_of_the_document_runs(name: str) -> None:
    text = (Path(__file__).parents[1] / f"docs/{name}.md").read_text("utf-8")
    block = next(b for b in re.findall(r"```python\n(.*?)```", text, re.S) if "GaussianNoise" in b)
    names: dict[str, Any] = {}
    exec(block, names)
    lines = re.findall(r"^(\w+) = .*  # ([\d.]+) Hz", block, re.M)
    assert len(lines) >= 2
    for name_of, wanted in lines:
        assert f"{np.asarray(names[name_of]).flat[0]:.2f}" == wanted
