"""Currents of the event-exact run that are made of pieces: lines, stretches, sums, held noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuro_lif as nl
from neuro_lif import stimulus
from neuro_lif.errors import RangeError
from neuro_lif.reference import run_exact
from neuro_lif.reference.exact_drive import pieces_of
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

if not hasattr(stimulus, "Triangle"):

    @dataclass
    class Triangle:
        """0 at start, peak in the middle, 0 at the end."""

        peak: float
        duration: float
        start: float = 0.0

    @dataclass
    class Window:
        """A stimulus from start to before stop."""

        stimulus: Any
        start: float
        stop: float

    @dataclass
    class Sum:
        """The sum of stimuli."""

        terms: Any

else:
    Triangle, Window, Sum = stimulus.Triangle, stimulus.Window, stimulus.Sum  # type: ignore[misc]

LEAKY = nl.LIF(5e-3, 2.0, -0.1, 1.0, -0.2, 1e-3)
IDEAL = nl.IF(4e-3, t_refractory=1e-3, i_bias=-0.3)
CURRENTS = {
    "triangle": Triangle(1.8, 40e-3, 2e-3),
    "windows": Sum([Window(Constant(1.3), 3e-3, 17e-3), Triangle(-0.5, 10e-3, -3e-3)]),
    "sinusoid": Sum([Window(Sinusoid(0.6, 0.9, 7e-3, 0.3), 1e-3, 31e-3), Constant(0.3)]),
    "held": Sum([Sampled(np.linspace(0, 1.5, 20)[:, None], 2e-3), Triangle(1.0, 13e-3, 1.1e-3)]),
}


def with_current(neuron: Any, n: int = 1) -> nl.Network:
    return nl.Network([nl.Population("p", n, neuron)], [], [nl.CurrentInput("i", "p")])


def at(current: Any, t: float) -> float:
    """The current in A, written down anew."""
    kind = type(current).__name__
    if kind == "Sum":
        return sum(at(term, t) for term in current.terms)
    if kind == "Window":
        return at(current.stimulus, t) if current.start <= t < current.stop else 0.0
    if kind == "Triangle":
        share = 1 - abs(2 * (t - current.start) / current.duration - 1)
        return float(current.peak) * max(share, 0.0)
    return float(current.sample(np.array([t]), 1)[0, 0])


def ivp(neuron: Any, current: Any, end: float, edges: list[float]) -> list[float]:
    def slope(t: float, v: Any) -> Any:
        i = at(current, t)
        if isinstance(neuron, nl.IF):
            return (v * 0 + i + neuron.i_bias) / neuron.capacitance
        return (neuron.v_rest - v + neuron.resistance * i) / neuron.tau_m

    def passes(t: float, v: Any) -> float:
        return float(v[0] - neuron.v_threshold)

    passes.terminal, passes.direction = True, 1.0  # type: ignore[attr-defined]
    now, v, spikes = 0.0, float(neuron.v_init), []
    while now < end:
        then = min([e for e in edges if e > now + 1e-12], default=end)
        done = solve_ivp(slope, (now, then - 1e-13), [v], "DOP853", events=passes, rtol=1e-12,
                         atol=1e-14)  # fmt: skip
        v = float(done.y[0, -1])
        now = then
        if done.status == 1:
            spikes.append(float(done.t[-1]))
            now, v = spikes[-1] + float(neuron.t_refractory), float(neuron.v_reset)
    return spikes


@pytest.mark.parametrize("name", CURRENTS)
@pytest.mark.parametrize("neuron", [LEAKY, IDEAL])
def test_against_an_adaptive_integrator(neuron: Any, name: str) -> None:
    current, end = CURRENTS[name], 0.045
    pieces = pieces_of("here", current, 1, end)
    edges = sorted({e for p in pieces for e in (p.start, p.stop) if 0 < e < end} | {end})
    found = run_exact(with_current(neuron), end, {"i": current}).train("p")
    expected = ivp(neuron, current, end, edges)
    assert len(found) == len(expected) >= 2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_ramp_on_an_ideal_integrator() -> None:
    """V = k t^2 / (2 C): the spikes are at sqrt(2 C n / k), reset by value or by subtraction."""
    neuron = nl.IF(2e-3, v_threshold=1.0)
    ramp = 5.0 / 0.05  # A/s
    found = run_exact(with_current(neuron), 0.05, {"i": Triangle(5.0, 0.1)}).train("p")
    n = np.arange(1, int(ramp * 0.05**2 / (2 * 2e-3)) + 1)
    np.testing.assert_allclose(found[: len(n)], np.sqrt(2 * 2e-3 * n / ramp), rtol=1e-12)
    assert len(found) == len(n) > 50


def test_a_ramp_on_a_membrane() -> None:
    """V = R k (t - tau (1 - e^(-t/tau))), read at many times."""
    times = np.linspace(1e-3, 0.049, 25)
    neuron = nl.LI(7e-3, 3.0, v_rest=-0.5)
    found = run_exact(with_current(neuron), 0.05, {"i": Triangle(2.0, 0.1)}, sample_times=times)
    v = -0.5 + 3.0 * 40 * (times + 7e-3 * np.expm1(-times / 7e-3))
    np.testing.assert_allclose(found.v("p")[:, 0], v, rtol=1e-12)


def test_pieces_of_neurons_of_their_own() -> None:
    values = np.array([[0.0, 3.0, 5.0], [2.0, 0.0, 5.0]])
    net = with_current(nl.LIF(10e-3, t_refractory=1.0), 3)
    found = run_exact(net, 0.04, {"i": Sampled(values, 0.02)})
    expected = [0.02 + 10e-3 * np.log(2), 10e-3 * np.log(1.5), 10e-3 * np.log(1.25)]
    np.testing.assert_allclose([found.train("p", k)[0] for k in range(3)], expected, rtol=1e-13)


def test_what_has_no_closed_form_is_refused_by_name() -> None:
    class Chirp:
        pass

    with pytest.raises(RangeError, match=r"inputs\['i'\]: stimulus = Chirp, allowed .*Triangle"):
        run_exact(with_current(LEAKY), 0.1, {"i": Chirp()})  # type: ignore[dict-item]


@pytest.mark.skipif(not hasattr(stimulus, "GaussianNoise"), reason="there is no such stimulus")
def test_noise_is_that_of_its_interval() -> None:
    noise = stimulus.GaussianNoise(0.9, 0.5, 3, interval=1e-3)
    held = Sampled(noise.sample(np.arange(60) * 1e-3, 1), 1e-3)
    first, second = (run_exact(with_current(LEAKY), 0.05, {"i": s}).train("p")
                     for s in (noise, held))  # fmt: skip
    assert len(first) > 2 and np.array_equal(first, second)
    with pytest.raises(RangeError, match=r"a draw per step, allowed .*one with an interval"):
        run_exact(with_current(LEAKY), 0.05, {"i": type(noise)(0.9, 0.5, 3)})
