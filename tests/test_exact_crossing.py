"""Crossings are found however short they are: against decimal arithmetic and dense looks."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.reference import run_exact
from neuro_lif.reference.exact_crossing import Chain, Level, Path, first_crossing
from neuro_lif.reference.exact_kernels import psi2, psi2_peak, psi2_rows, psi3, psi3_rows

getcontext().prec = 80
RATES = st.one_of(st.just(0.0), st.floats(1e-2, 1e4))
NEARLY = st.sampled_from([0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 10.0])


def exp_divided(*nodes: Decimal) -> Decimal:
    """Divided difference of exp by its power series: sums of all products of nodes."""
    k = len(nodes)
    total, factorial = Decimal(0), Decimal(math.factorial(k - 1))
    sums = [Decimal(1)] * k  # sums[j]: all products of n factors among the first j + 1 nodes
    for n in range(400):
        total += sums[-1] / factorial
        factorial *= n + k
        new: list[Decimal] = []
        for j, node in enumerate(nodes):
            new.append((new[-1] if j else Decimal(0)) + sums[j] * node)
        sums = new
    return total


@settings(max_examples=150, deadline=None)
@given(s=st.floats(1e-6, 1.0), a=st.floats(0.0, 40.0), b=NEARLY, c=NEARLY, d=st.floats(0, 40))
def test_responses_against_decimals(s: float, a: float, b: float, c: float, d: float) -> None:
    first, second = a + b, a + c if d < 20 else d
    x, y, z = (-Decimal(r) * Decimal(s) for r in (a, first, second))
    two = float(exp_divided(x, y) * Decimal(s))
    three = float(exp_divided(x, y, z) * Decimal(s) * Decimal(s))
    for order in ((a, first, second), (second, a, first), (first, second, a)):
        assert abs(psi3(s, *order) / three - 1) < 1e-14 * (1 + 40 * s)
        rows = psi3_rows(np.array([s, 0.5 * s]), np.array([order[0]] * 2), *order[1:])
        assert abs(rows[0] / three - 1) < 1e-14 * (1 + 40 * s)
    assert abs(psi2(s, a, first) / two - 1) < 1e-14 * (1 + 40 * s)
    assert abs(psi2_rows(np.array([s]), np.array([a]), first)[0] / two - 1) < 1e-14 * (1 + 40 * s)


@given(a=RATES, b=st.floats(1e-2, 1e4))
def test_peak_of_two_stages(a: float, b: float) -> None:
    peak = float(psi2_peak(a, b))
    if a == 0:
        assert peak == pytest.approx(1 / b, rel=1e-14)
        return
    when = 1 / a if a == b else math.log1p((a - b) / b) / (a - b)
    assert peak == pytest.approx(psi2(when, a, b), rel=1e-9)
    assert peak > psi2(when * 1.1, a, b) and peak > psi2(when * 0.9, a, b)


# ---------------------------------------------------------------------- short visits above 0


def level(path: Path, s: float) -> float:
    n = len(path.chains)
    return path.value(
        Level(
            path.offset, path.line, path.bend, 1.0, [0.0] * n, [0.0] * n, [a for a, _ in path.waves]
        ),
        s,
    )


RATE = st.floats(20.0, 2000.0)
CURRENT = st.floats(-3.0, 3.0)
CHAINS = st.lists(st.tuples(RATE, RATE, CURRENT, CURRENT, st.booleans()), max_size=4)


def any_path(rate: float, offset: float, q: float, slope: float, chains: Any, waves: Any) -> Path:
    found = tuple(Chain(b, c if x else b, y * b, x * b * c if two else 0.0)
                  for b, c, y, x, two in chains)  # fmt: skip
    return Path(rate, 1.0, offset, slope, 0.0 if rate else 3 * slope, q, found, tuple(waves))


WAVES = st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0, 6.28), st.floats(30.0, 900.0)),
                 max_size=2)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rate=st.one_of(st.just(0.0), RATE), offset=st.floats(-3, -0.01), q=st.floats(-2, 2),
       slope=st.floats(-5, 5), chains=CHAINS, waves=WAVES)  # fmt: skip
def test_first_crossing_is_the_first(
    rate: float, offset: float, q: float, slope: float, chains: Any, waves: Any
) -> None:
    path = any_path(rate, offset, q, slope, chains,
                    [(a * np.exp(1j * p), w) for a, p, w in waves])  # fmt: skip
    end = 0.2
    s = first_crossing(path, end, False)
    size = abs(offset) + abs(q) + abs(slope) + sum(abs(y) + abs(x) for *_, y, x, _ in chains)
    if s == 0:
        assert level(path, 0.0) >= 0
        return
    before = np.linspace(0, min(s, end), 100)
    values = np.array([level(path, float(t)) for t in before])
    assert values[:-1].max() <= 1e-13 * (1 + size)
    if math.isinf(s):
        assert values[-1] <= 1e-13 * (1 + size)
    else:
        assert abs(level(path, s)) <= 1e-11 * (1 + size)
        assert level(path, s + 1e-7 * end) >= -1e-13 * (1 + size)


def summit_near(path: Path, low: float, high: float, middle: float) -> float:
    """Return the highest between two times, found by thirds."""
    for _ in range(90):
        third = (high - low) / 3
        if level(path, low + third) < level(path, high - third):
            low = low + third
        else:
            high = high - third
    return max(level(path, float(t)) for t in (low, high, middle))


@settings(max_examples=60, deadline=None)
@given(rate=RATE, q=st.floats(-1, 0.5), chains=CHAINS.filter(lambda c: len(c) > 0), waves=WAVES,
       depth=st.sampled_from([1e-12, 1e-11, 1e-9, 1e-6]))  # fmt: skip
def test_a_summit_that_passes_by_a_hair_is_found(
    rate: float, q: float, chains: Any, waves: Any, depth: float
) -> None:
    """The threshold is put by ``depth`` below and above the highest that V gets."""
    path = any_path(rate, 0.0, q, 0.0, chains, [(a * np.exp(1j * p), w) for a, p, w in waves])
    times = np.linspace(0, 0.3, 300)
    values = np.array([level(path, float(t)) for t in times])
    if values.argmax() in (0, len(times) - 1):
        return
    inner = values[1:-1]
    tops = 1 + np.flatnonzero((inner >= values[:-2]) & (inner >= values[2:]))
    # one that looks lower may be the highest, and so may one between the last two times
    best = [*tops[np.argsort(values[tops])[-4:]], 1, len(times) - 2]
    summit = max(summit_near(path, times[k - 1], times[k + 1], times[k]) for k in best)
    size = 1 + abs(q) + sum(abs(y) + abs(x) for *_, y, x, _ in chains)
    for sign in (-1, 1):
        moved = any_path(rate, -(summit + sign * depth * size), q, 0.0, chains,
                         [(a * np.exp(1j * p), w) for a, p, w in waves])  # fmt: skip
        s = first_crossing(moved, 0.3, False)
        assert sign > 0 or math.isfinite(s), summit  # it is passed
        # what is found is no less than the threshold (V may have a summit that the look missed)
        assert math.isinf(s) or level(moved, s) >= -0.1 * depth * size, (s, summit)


def test_two_synapses_against_decimals() -> None:
    """Excitation and slower inhibition; the summit of V in 80 digits, thresholds beside it."""
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        tau_m, fast, slow = (float(t) for t in rng.uniform(2e-3, 3e-2, 3))
        e, i = float(rng.uniform(1, 3)), float(-rng.uniform(0.1, 1))
        summit = float(decimal_summit(tau_m, ((fast, e), (slow, i))))
        for depth, spikes in ((1e-12, True), (-1e-12, False), (1e-9, True), (-1e-9, False)):
            neuron = nl.LIF(tau_m, v_threshold=summit * (1 - depth), v_reset=-1.0, v_init=0.0)
            net = nl.Network(
                [nl.Population("p", 1, neuron)],
                [nl.Projection("e", "x", "p", [[e]], nl.Exponential(fast)),
                 nl.Projection("i", "x", "p", [[i]], nl.Exponential(slow))],
                [nl.SpikeInput("x", 1, [0], [1e-3])],
            )  # fmt: skip
            times = run_exact(net, 2.0).train("p")
            assert (len(times) > 0) is spikes, (tau_m, fast, slow, e, i, depth)
            found += len(times)
    assert found >= 80


def decimal_summit(tau_m: float, synapses: Any) -> Decimal:
    """The highest V after jumps of currents (A, R = 1 ohm), by bisection of its slope."""
    m = 1 / Decimal(tau_m)

    def parts(t: Decimal) -> tuple[Decimal, Decimal]:
        v, current = Decimal(0), Decimal(0)
        for tau, jump in synapses:
            b = 1 / Decimal(tau)
            v += m * Decimal(jump) * ((-b * t).exp() - (-m * t).exp()) / (m - b)
            current += Decimal(jump) * (-b * t).exp()
        return v, current - v

    low, high = Decimal(0), Decimal("1e-6")
    while parts(high)[1] > 0:
        high *= 2
    for _ in range(150):
        middle = (low + high) / 2
        low, high = (middle, high) if parts(middle)[1] > 0 else (low, middle)
    return parts(low)[0]


# ------------------------------------------------------------------------- hard constants


@pytest.mark.parametrize("ratio", [1.0, 1 + 1e-15, 1 + 1e-9, 1.001, 1e3, 1e6, 1e-3, 1e-6])
def test_ratios_of_time_constants(ratio: float) -> None:
    """Equal time constants, and a million times longer or shorter ones."""
    tau_m = 10e-3
    for tau in (nl.Exponential(tau_m * ratio), nl.Alpha(tau_m * ratio),
                nl.BiExponential(tau_m * ratio, tau_m)):  # fmt: skip
        top = tau.psp_peak(tau_m, tau_m)[1]
        for share, spikes in ((1 - 1e-11, True), (1 + 1e-11, False)):
            neuron = nl.LIF(tau_m, v_threshold=float(top) * share, v_reset=-1e9, v_init=0.0,
                            t_refractory=1e6)  # fmt: skip
            net = nl.Network([nl.Population("p", 1, neuron)],
                             [nl.Projection("c", "x", "p", [[1.0]], tau)],
                             [nl.SpikeInput("x", 1, [0], [0.0])])  # fmt: skip
            assert (run_exact(net, 3e5).train("p").size > 0) is spikes, tau


def test_late_events_are_as_exact_as_early_ones() -> None:
    neuron = nl.LIF(10e-3, v_threshold=1.0, v_reset=0.0)
    net = nl.Network([nl.Population("p", 1, neuron)],
                     [nl.Projection("c", "x", "p", [[9.0]], nl.Exponential(2e-3))],
                     [nl.SpikeInput("x", 1, [0, 0], [0.0, 2.0**17])])  # fmt: skip
    times = run_exact(net, 2.0**17 + 1).train("p")
    assert len(times) % 2 == 0 and len(times) > 0
    half = len(times) // 2
    np.testing.assert_allclose(times[half:] - 2.0**17, times[:half], rtol=0, atol=3e-11)


def test_drift_without_leak() -> None:
    """IF under a slow drift and a sinusoid: the summits pass by a hair at last."""
    drift, size, omega = 1e-3, 0.9, 2 * math.pi * 5.0
    neuron = nl.IF(1.0, v_threshold=2.0, i_bias=drift, v_init=0.0, t_refractory=1e9)
    wave = nl.stimulus.Sinusoid(0.0, size * omega, 0.2, -math.pi / 2)
    net = nl.Network([nl.Population("p", 1, neuron)], [], [nl.CurrentInput("i", "p", wave)])
    s = run_exact(net, 1e4).train("p")[0]  # V = drift t - size sin(omega t)
    assert abs(drift * s - size * math.sin(omega * s) - 2) < 1e-11
    times = np.linspace(s - 0.4, s - 1e-9, 10**5)
    assert (drift * times - size * np.sin(omega * times)).max() < 2


def test_a_current_that_is_all_but_gone() -> None:
    """A current of 1e-321 A does not lift V over the last 1e-13 V, and nothing overflows."""
    net = nl.Network(
        [nl.Population("p", 1, nl.IF(1.0, v_threshold=1.0))],
        [nl.Projection("e", "x", "p", [[0.5, 0.0]], nl.Exponential(1e-3)),
         nl.Projection("d", "x", "p", [[0.0, 1 - 0.5e-3 - 1e-13]])],
        [nl.SpikeInput("x", 2, [0, 1], [0.0, 0.742])],
    )  # fmt: skip
    found = run_exact(net, 2.0, sample_times=[2.0])
    assert found.train("p").size == 0
    assert abs(found.v("p")[0, 0] - (1 - 1e-13)) < 1e-15
