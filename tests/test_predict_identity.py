"""The spike-identity certificate: never wrong, and how often it is given."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import GENERIC, random_network

import neuro_lif as nl
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.lower.draft import APPROXIMATIONS
from neuro_lif.predict import SpikeCertificate, certify_spikes, errors_of
from neuro_lif.predict.bounds import plus, times

SAMPLES = 3
"""Inputs of each network."""
PROFILES = ("loihi1", "loihi2", "lava-0.10", "nengo-loihi-1.1", "generic", "generic")


def profile_of(rng: np.random.Generator) -> nl.HardwareProfile:
    """A shipped profile; the generic one with widths, rounding and comparison drawn at random."""
    name = PROFILES[int(rng.integers(len(PROFILES)))]
    config: dict[str, Any] = {}
    if name == "generic":
        config = {k: v[int(rng.integers(len(v)))] for k, v in GENERIC.items()}
    return nl.load_profile(name, **config)


def tame_network(rng: np.random.Generator, n_steps: int) -> nl.Network:
    """One or two populations that fire now and then, delta or exponential, maybe recurrent."""
    n, m = int(rng.integers(1, 9)), int(rng.integers(2, 12))
    reset: Any = str(rng.choice(["value", "subtract"]))
    tau, held = float(10 ** rng.uniform(-2.7, -0.7)), float(rng.choice([0, 0, 2e-3, 5e-3]))
    neuron = nl.LIF(tau, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0, t_refractory=held,
                    i_bias=float(rng.uniform(0, 0.8)), reset=reset)  # fmt: skip
    synapse: Any = nl.Delta() if rng.random() < 0.5 else nl.Exponential(
        float(10 ** rng.uniform(-2.9, -1.5)), "psp")  # fmt: skip
    scale = rng.uniform(0.1, 0.6)
    delay = 1e-3 * rng.integers(1, 6, (n, m)) if rng.random() < 0.4 else 1e-3
    projections = [nl.Projection("in", "x", "a", scale * rng.normal(0.5, 1, (n, m)), synapse,
                                 delay)]  # fmt: skip
    populations = [nl.Population("a", n, neuron)]
    if rng.random() < 0.5:
        projections.append(nl.Projection("aa", "a", "a", scale * rng.normal(0, 1, (n, n)), synapse,
                                         1e-3 * int(rng.integers(1, 4))))  # fmt: skip
    if rng.random() < 0.4:
        populations.append(nl.Population("b", 3, neuron))
        projections.append(nl.Projection("ab", "a", "b", scale * rng.normal(0.5, 1, (3, n)),
                                         synapse, 2e-3))  # fmt: skip
    times = np.sort(rng.uniform(0, n_steps * 1e-3, int(0.15 * n_steps * m)))
    x = nl.SpikeInput("x", m, times=times, indices=rng.integers(0, m, times.size))
    return nl.Network(populations, projections, [x])


def pair(rng: np.random.Generator, n_steps: int, tame: bool) -> Any:
    """A random network in steps and in integers, and inputs; None where it cannot be lowered."""
    network = tame_network(rng, n_steps) if tame else random_network(rng, n_steps)
    stepped = nl.discretize(network, 1e-3, str(rng.choice(["exact", "exact-ge", "euler"])))
    compensate = bool(rng.integers(2))
    try:
        fixed = nl.quantize(stepped, profile_of(rng), approximate=tuple(APPROXIMATIONS),
                            n_steps=n_steps, gain_compensation=compensate)  # fmt: skip
    except LoweringError:
        return None
    if tame and rng.random() < 0.2:
        return fixed, stepped, None  # the spikes it was described with, sometimes two at once
    shape = (SAMPLES, n_steps, network.spike_inputs[0].size)
    rate = 0.15 if tame else rng.uniform(0.02, 0.4)
    return fixed, stepped, {"x": (rng.random(shape) < rate).astype(np.int64)}


def check_sound(
    fixed: nl.FixedNetwork, stepped: nl.SteppedNetwork, n_steps: int, inputs: Any, how: str
) -> tuple[int, int, int, int, SpikeCertificate]:
    """Hold a certificate against both runs; return (certified, identical, neurons, steps)."""
    found = certify_spikes(fixed, stepped, n_steps, inputs, rounding=how, record=True)
    a = nl.run_clocked(stepped, n_steps, inputs, record="all")
    b = nl.run_fixed(fixed, n_steps, inputs, record="all")
    certified = identical = neurons = steps = 0
    for p in fixed.populations:
        same = np.asarray(a.spikes[p.name]) == (np.asarray(b.spikes[p.name]) != 0)
        sure, v = found.certified_steps(p.name), found.of(p.name)
        assert np.all(same[sure]), (p.name, how)  # no false certificate
        other = (
            np.arange(1, n_steps + 1)[:, None] == np.where(v.reason == 4, v.first, 0)[..., None, :]
        )
        assert not same[other].any()  # what is proved to differ does
        off = np.abs(np.asarray(p.lsb) * b.trace(p.name, "v") - a.trace(p.name, "v"))
        assert np.all(off[sure] <= found.bounds[p.name][sure])  # the mutual bound
        assert np.all(np.isinf(found.bounds[p.name][~sure]))
        assert np.all(v.margin >= 0)
        check_report(fixed, stepped, p.name, off, sure, inputs is not None)
        certified += int(v.certified.sum())
        identical += int(same.all(axis=-2).sum())
        neurons, steps = neurons + v.first.size, steps + int(sure.sum())
        if v.certified.all():  # nothing that overflows is certified
            assert not any(e.where == p.name and e.first_step for e in b.events)
    return certified, identical, neurons, steps, found


def check_report(
    fixed: nl.FixedNetwork, stepped: nl.SteppedNetwork, name: str, off: Any, sure: Any,
    single: bool,
) -> None:  # fmt: skip
    """Every formula speaks of every population, and F7 bounds what was measured."""
    e = errors_of(fixed, stepped, name)
    n = fixed.population(name).size
    for part in (e.decay_v, e.periods, e.rounding, e.threshold, *e.weights):
        for value in vars(part).values():
            assert isinstance(value, (str, float)) or value.shape == (n,)
    if single:  # F7 is about one spike of each sender in a step
        assert np.all(np.where(sure, off, 0.0) <= e.path)
    assert name in str(e)


def soundness(seeds: range, n_steps: Any) -> str:
    counts = np.zeros(4, np.int64)
    runs = held = 0
    for seed in seeds:
        rng = np.random.default_rng([20261121, seed])
        steps = int(rng.choice(n_steps))
        made = pair(rng, steps, tame=bool(seed % 3))
        if made is None:
            continue
        how = "any" if seed % 4 == 0 else "profile"
        *found, certificate = check_sound(*made[:2], steps, made[2], how)
        counts, held = counts + found, held + certificate.holds
        runs += SAMPLES if made[2] is not None else 1
    text = (f"{runs} runs of {len(seeds)} networks, {counts[2]} neurons: 0 false certificates, 0 "
            f"bounds broken; {counts[0]} neurons certified of {counts[1]} whose spikes are the "
            f"same; {held} networks certified as a whole")  # fmt: skip
    assert runs > 2.5 * len(seeds) and counts[0] > 0.4 * counts[1], text
    return text


def test_no_certificate_is_false() -> None:
    print(soundness(range(100), (10, 30, 60)))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(["profile", "any"]))
def test_certificates_and_bounds_hold(seed: int, tame: bool, how: str) -> None:
    rng = np.random.default_rng(seed)
    made = pair(rng, 25, tame)
    if made is not None:
        check_sound(*made[:2], 25, made[2], how)


@pytest.mark.parametrize("name", sorted(nl.available_profiles()))
def test_every_model_is_followed_or_refused_by_name(name: str) -> None:
    profile = nl.load_profile(name)
    for model in profile.models:
        fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", 1, model),))
        net = nl.Network([nl.Population("a", 1, nl.LIF(10e-3, 1.0, v_rest=0.0, v_threshold=1.0,
                                                       v_reset=0.0))])  # fmt: skip
        try:
            found = certify_spikes(fixed, nl.discretize(net, 1e-3), 5)
        except LoweringError as error:
            assert f"model {model}" in str(error) or "op decay" in str(error)
        else:
            silent = not np.asarray(nl.run_fixed(fixed, 5).spikes["a"]).any()
            assert found.holds <= silent


@pytest.mark.verify
@pytest.mark.parametrize("part", range(4))
def test_no_certificate_is_false_in_thousands_of_runs(part: int) -> None:
    first = 1000 + 400 * part
    print(soundness(range(first, first + 400), (10, 30, 60, 100)))


def layer(
    n: int, m: int, rng: np.random.Generator, tau: float = 10e-3, tau_s: float | None = 2e-3,
    rate: float = 0.1,
) -> nl.Network:  # fmt: skip
    """Neurons that hear ``m`` sources; their mean input is about the threshold."""
    synapse: Any = nl.Delta() if tau_s is None else nl.Exponential(tau_s, "psp")
    weights = rng.normal(1.0, 1.0, (n, m)) * 1.1 / (m * rate * tau / 1e-3)
    neuron = nl.LIF(tau, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0)
    return nl.Network([nl.Population("a", n, neuron)],
                      [nl.Projection("x", "s", "a", weights, synapse, 1e-3)],
                      [nl.SpikeInput("s", m)])  # fmt: skip


@pytest.mark.parametrize(("bits", "least"), [(8, (0.5, 0.2, 0.005)), (12, (0.9, 0.8, 0.5))])
def test_how_many_are_certified(bits: int, least: tuple[float, ...]) -> None:
    """400 neurons, time constants of 2 and 10 steps."""
    rng = np.random.default_rng(46)
    stepped = nl.discretize(layer(400, 40, rng), 1e-3)
    profile = nl.load_profile("generic", weight_bits=bits, decay_bits=12 if bits == 8 else 16)
    fixed = nl.quantize(stepped, profile)
    inputs = {"s": (rng.random((300, 40)) < 0.1).astype(np.int64)}
    shares = []
    for steps in (30, 100, 300):
        rows = {"s": inputs["s"][:steps]}
        certified, same, *_ = check_sound(fixed, stepped, steps, rows, "profile")
        print(f"{bits} bits, T = {steps}: {certified} of {same} with the same spikes certified")
        shares.append(certified / same)
    assert all(a >= b for a, b in zip(shares, least, strict=True)), shares
    assert shares == sorted(shares, reverse=True)


def test_any_rounding_is_the_wider_claim() -> None:
    rng = np.random.default_rng(1)
    stepped = nl.discretize(layer(60, 20, rng), 1e-3)
    fixed = nl.quantize(stepped, nl.load_profile("generic", state_bits=16, threshold_bits=9))
    rows = {"s": (rng.random((60, 20)) < 0.1).astype(np.int64)}
    own = certify_spikes(fixed, stepped, inputs=rows)
    wide = certify_spikes(fixed, stepped, inputs=rows, rounding="any")
    assert 0 < wide.share <= own.share
    assert np.all(own.of("a").certified[wide.of("a").certified])
    # and it covers the same integers on chips that round in other ways
    for rounding in ("floor", "nearest_up"):
        profile = nl.load_profile("generic", state_bits=16, threshold_bits=9, rounding=rounding)
        other = nl.FixedNetwork(profile, fixed.populations, fixed.projections, fixed.sources,
                                fixed.directs, fixed.dt)  # fmt: skip
        a = np.asarray(nl.run_clocked(stepped, inputs=rows).spikes["a"])
        b = np.asarray(nl.run_fixed(other, inputs=rows).spikes["a"]) != 0
        sure = wide.of("a").certified
        assert np.array_equal(a[:, sure] != 0, b[:, sure])


def test_without_rounding_everything_is_certified() -> None:
    """No leak, a current of one step, weights the chip has: nothing is lost."""
    rng = np.random.default_rng(2)
    whole = 2 * rng.integers(-20, 45, (20, 10))
    net = nl.Network([nl.Population("a", 20, nl.IF(1.0, v_threshold=1.0, v_reset=0.0))],
                     [nl.Projection("x", "s", "a", whole / 128.0, nl.Delta(), 1e-3)],
                     [nl.SpikeInput("s", 10)])  # fmt: skip
    stepped = nl.discretize(net, 1e-3, "exact-ge")
    params = {"du": 4096, "dv": 0, "vth": 127}  # above 127 is from 128 on
    fixed = nl.FixedNetwork(
        nl.load_profile("generic", align_shift=0),
        (nl.FixedPopulation("a", 20, "lif", params, lsb=1 / 128),),
        (nl.FixedProjection("x", "s", "a", whole, 0, "mixed"),), (nl.FixedSource("s", 10),),
    )  # fmt: skip
    rows = {"s": (rng.random((500, 10)) < 0.2).astype(np.int64)}
    found = certify_spikes(fixed, stepped, inputs=rows, record=True)
    assert found.holds and found.first_possible_divergence == 0 and found.share == 1
    assert found.bounds["a"].max() < 1e-13 and "the same spikes, proved" in str(found)
    assert certify_spikes(fixed, stepped, inputs=rows, rounding="any").holds
    assert np.asarray(nl.run_clocked(stepped, inputs=rows).spikes["a"]).sum() > 100


def test_samples_of_a_batch_are_what_they_are_alone() -> None:
    rng = np.random.default_rng(3)
    stepped = nl.discretize(tame_network(rng, 40), 1e-3)
    fixed = nl.quantize(stepped, "loihi2", approximate=tuple(APPROXIMATIONS))
    n = stepped.network.spike_inputs[0].size
    rows = (rng.random((3, 40, n)) < 0.15).astype(np.int64)
    whole = certify_spikes(fixed, stepped, inputs={"x": rows}, record=True)
    for k in range(3):
        alone = certify_spikes(fixed, stepped, inputs={"x": rows[k]}, record=True)
        for name, v in alone.populations.items():
            assert np.array_equal(whole.of(name).first[k], v.first)
            assert np.array_equal(whole.of(name).margin[k], v.margin)
            assert np.array_equal(whole.bounds[name][k], alone.bounds[name])
            assert np.array_equal(whole.certified_steps(name)[k], alone.certified_steps(name))


def by_hand(profile: Any, params: dict[str, Any], dv: int, bias: float, top: float) -> Any:
    """One neuron under a constant drive, in float64 and in integers made by hand."""
    tau = 1e-3 / (dv / 4096)
    neuron = nl.LIF(tau, 1.0, v_rest=0.0, v_threshold=top, v_reset=0.0,
                    i_bias=bias / (dv / 4096))  # fmt: skip
    stepped = nl.discretize(nl.Network([nl.Population("a", 1, neuron)]), 1e-3, "euler")
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", 1, "lif", params, lsb=1.0),))
    return fixed, stepped


@pytest.mark.parametrize("rounding", ["rtz", "floor", "nearest_up"])
def test_a_drive_that_converges_to_the_threshold_never_spikes(rounding: str) -> None:
    """V goes to V_th = 1025 / (410 / 4096) = 10240 exactly and never passes it."""
    profile = nl.load_profile("generic", align_shift=0, rounding=rounding)
    params = {"du": 4096, "dv": 410, "vth": 10240, "bias_mant": 1025}
    fixed, stepped = by_hand(profile, params, 410, 1025.0, 10240.0)
    steps = 2000
    assert not np.asarray(nl.run_clocked(stepped, steps).spikes["a"]).any()
    assert not np.asarray(nl.run_fixed(fixed, steps).spikes["a"]).any()
    found = certify_spikes(fixed, stepped, steps)
    # a rounding that takes away keeps v below for sure; one that may add does not
    assert found.holds == (rounding != "nearest_up")
    assert not certify_spikes(fixed, stepped, steps, rounding="any").holds


def test_a_threshold_one_lsb_too_low_is_proved_to_differ() -> None:
    profile = nl.load_profile("generic", align_shift=0, decay_bits=12)
    params = {"du": 4096, "dv": 0, "vth": 500, "bias_mant": 100}
    fixed, stepped = by_hand(profile, params, 410, 100.0, 5000.0)
    found = certify_spikes(fixed, stepped, 20)
    assert found.differs and found.first_possible_divergence == 6
    assert "other spikes, proved" in str(found) and "surely do something else (1)" in str(found)
    assert np.flatnonzero(np.asarray(nl.run_fixed(fixed, 20).spikes["a"]))[0] + 1 == 6


@pytest.mark.parametrize("name", ["nengo-loihi-1.1", "loihi2"])
def test_what_may_overflow_is_not_certified(name: str) -> None:
    """A clamp of v, and a register's end: 8 steps of 100000 LSB are the float's business alone."""
    profile = nl.load_profile(name)
    params: dict[str, Any] = {"du": 4095, "dv": 410}
    if name == "loihi2":
        params |= {"vth": 131071, "bias_mant": 4095, "bias_exp": 7}
        model, bias = "lif", 4095.0 * 128
    else:
        params |= {"vth": 8388607, "vmax": 300000, "bias": 100000}
        model, bias = "lif_quiet", 100000.0
    population = nl.FixedPopulation("a", 1, model, params, lsb=1.0)
    fixed = nl.FixedNetwork(profile, (population,))
    _, stepped = by_hand(nl.load_profile("generic"), {}, 410, bias, 1e9)
    found = certify_spikes(fixed, stepped, 60)
    run = nl.run_fixed(fixed, 60)
    if name == "loihi2":  # v settles below 2**23, and nothing happens
        assert found.holds == (not run.events)
        return
    first = min(e.first_step for e in run.events)
    assert found.of("a").reason.tolist() == [2] and 0 < found.first_possible_divergence <= first
    assert "an overflow cannot be excluded" in str(found)


def test_doubt_travels_with_the_spikes() -> None:
    """a may differ in step 6; b hears it two steps later, c not at all."""
    neuron = nl.LIF(10e-3, 1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0)
    net = nl.Network(
        [nl.Population("a", 1, nl.IF(1e-3, v_threshold=5000.0, v_reset=0.0, i_bias=100.0)),
         nl.Population("b", 1, neuron), nl.Population("c", 1, neuron)],
        [nl.Projection("ab", "a", "b", np.array([[0.1]]), nl.Delta(), 2e-3),
         nl.Projection("ac", "a", "c", np.array([[0.0]]), nl.Delta(), 2e-3)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "generic")
    a = fixed.population("a")
    low = nl.FixedPopulation("a", 1, a.model, dict(a.params) | {
        "vth": int(a.params["vth"]) // 9}, a.init, a.lsb, a.v_zero)  # fmt: skip
    changed = nl.FixedNetwork(fixed.profile, (low, *fixed.populations[1:]), fixed.projections,
                              fixed.sources, fixed.directs, fixed.dt)  # fmt: skip
    found = certify_spikes(changed, stepped, 30)
    first = {name: int(v.first[0]) for name, v in found.populations.items()}
    assert first["a"] == 6 and first["b"] == 8 and first["c"] == 0
    assert found.of("b").reason.tolist() == [3]
    assert found.certified_steps("b").sum() == 7 and not found.holds


def test_refusals_of_the_certificate() -> None:
    rng = np.random.default_rng(4)
    stepped = nl.discretize(layer(2, 3, rng), 1e-3)
    fixed = nl.quantize(stepped, "loihi2")
    drive = nl.FixedPoisson("p", "a", 0.1, 1, seed=1)
    noisy = nl.FixedNetwork(fixed.profile, fixed.populations, fixed.projections, fixed.sources,
                            fixed.directs, fixed.dt, poissons=(drive,))  # fmt: skip
    graded = nl.FixedNetwork(
        nl.load_profile("loihi2"), (nl.FixedPopulation("a", 2, "ternary_lif"),),
        fixed.projections, fixed.sources, fixed.directs, fixed.dt)  # fmt: skip
    cases: list[tuple[type[Exception], str, Any]] = [
        (RangeError, "rounding = 'up'", lambda: certify_spikes(fixed, stepped, 5, rounding="up")),
        (RangeError, "poissons = ", lambda: certify_spikes(noisy, stepped, 5)),
        (LoweringError, "op if, allowed", lambda: certify_spikes(graded, stepped, 5)),
        (RangeError, "FixedNetwork", lambda: certify_spikes(stepped, fixed, 5)),
        (RangeError, "n_steps = None", lambda: certify_spikes(fixed, stepped)),
        (RangeError, "population = 'b'", lambda: certify_spikes(fixed, stepped, 5).of("b")),
        (RangeError, "'y' is unknown",
         lambda: certify_spikes(fixed, stepped, 5, {"y": np.zeros((5, 3))})),
    ]  # fmt: skip
    for kind, text, call in cases:
        with pytest.raises(kind, match=text):
            call()


@pytest.mark.parametrize("seed", range(5))
def test_arithmetic_of_the_bounds_is_rounded_outward(seed: int) -> None:
    """Sums and products of float64 against fractions: never inside, at most one float outside."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 200)) * 10.0 ** rng.integers(-8, 12, (2, 200))
    x = np.sort(np.where(rng.random((2, 200)) < 0.3, np.rint(x), x), axis=0)
    y = np.sort(rng.normal(size=(2, 200)) * 10.0 ** rng.integers(-8, 12, (2, 200)), axis=0)
    m = rng.integers(-5, 65537, 200).astype(np.float64)
    s, p = plus(x, y), times(x, m)
    for k in range(200):
        exact = [Fraction(x[i, k]) + Fraction(y[i, k]) for i in (0, 1)]
        product = sorted(Fraction(x[i, k]) * Fraction(m[k]) for i in (0, 1))
        for found, (low, high) in ((s, exact), (p, product)):
            assert Fraction(found[0, k]) <= low < Fraction(np.nextafter(found[0, k], np.inf))
            assert Fraction(np.nextafter(found[1, k], -np.inf)) < high <= Fraction(found[1, k])
