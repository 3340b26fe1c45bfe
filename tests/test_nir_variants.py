"""Settings of frameworks that no recorded file has, against a few lines that say what they do.

Each loop restates the framework's own step (snnTorch 1.0.0 ``_neurons``, Spyx 1.0.0 ``nn``,
Sinabs 3.1.3 ``layers/functional``, SpikingJelly 2.0.0 ``neuron``, Rockpool 3.1.0 ``lif_torch``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuro_lif import nir

T, N = 200, 6
Step = Callable[[Any, dict[str, Any]], tuple[Any, Any]]


def inputs(seed: int, high: float = 1.0) -> Any:
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.3, high, (T, N)) * (rng.random((T, N)) < 0.6)


def expected(x: Any, step: Step) -> tuple[Any, Any]:
    state: dict[str, Any] = {}
    spikes, voltages = [], []
    for row in x:
        s, v = step(row, state)
        spikes.append(s)
        voltages.append(v)
    return np.array(spikes, float), np.array(voltages)


def single(node: nir.Node) -> nir.NIRGraph:
    nodes = {"input": nir.Input((N,)), "n": node, "output": nir.Output((N,))}
    return nir.NIRGraph(nodes, (("input", "n"), ("n", "output")))


def recurrent(node: nir.Node, weight: Any, bias: Any) -> nir.NIRGraph:
    nodes = {
        "input": nir.Input((N,)),
        "n": node,
        "w": nir.Affine(weight, bias),
        "output": nir.Output((N,)),
    }
    return nir.NIRGraph(nodes, (("input", "n"), ("n", "w"), ("w", "n"), ("n", "output")))


def check(
    graph: nir.NIRGraph, x: Any, rule: str, step: Step, dt: float = 1e-3, **change: Any
) -> None:
    found = nir.find_rule(rule, arithmetic="float64", **change)
    ran = nir.run(graph, x, found, dt=dt)
    spikes, voltage = expected(x, step)
    assert spikes.sum() > 20
    assert np.array_equal(ran.spikes["n"], spikes)
    np.testing.assert_allclose(ran.voltage["n"], voltage, atol=1e-12)


BETA = np.linspace(0.7, 0.95, N)
ALPHA = np.linspace(0.5, 0.8, N)
ONES, DT = np.ones(N), 1e-3
LIF = nir.LIF(DT / (1 - BETA), 1 / (1 - BETA), 0 * ONES, ONES, 0 * ONES)
CUBA = nir.CubaLIF(
    DT / (1 - ALPHA), DT / (1 - BETA), 1 / (1 - BETA), 0 * ONES, ONES, 0 * ONES, 1 / (1 - ALPHA)
)
LATE = {"reset_time": "next", "recurrent_reset_time": "next"}


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_snntorch_with_its_default_reset_delay(reset: str) -> None:
    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        mem = s.get("mem", 0 * ONES)
        pending = mem > 1
        if reset == "zero":
            s["mem"] = BETA * np.where(pending, 0, mem) + x
        else:
            s["mem"] = BETA * mem + x - pending
        return s["mem"] > 1, s["mem"]

    check(single(LIF), inputs(1), "snntorch", step, reset=reset, **LATE)


def test_snntorch_subtracts_a_pending_spike_once() -> None:
    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        mem = s.get("mem", 0 * ONES)
        pending = 1.0 * (mem > 1)
        mem = BETA * mem + x - pending
        spike = 1.0 * (mem > 1)
        s["mem"] = mem - (spike - pending)
        return spike, s["mem"]

    check(single(LIF), inputs(2, 2.5), "snntorch", step, reset="subtract-once")


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_snntorch_synaptic_wipes_the_new_input_too(reset: str) -> None:
    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        mem = s.get("mem", 0 * ONES)
        pending = mem > 1
        s["syn"] = ALPHA * s.get("syn", 0 * ONES) + x
        mem = BETA * mem + s["syn"]
        s["mem"] = np.where(pending, 0, mem) if reset == "zero" else mem - pending
        return s["mem"] > 1, s["mem"]

    check(single(CUBA), inputs(3, 0.5), "snntorch", step, reset=reset, **LATE)


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_snntorch_recurrent_layers(kind: str) -> None:
    rng = np.random.default_rng(4)
    weight, bias = rng.normal(0, 0.3, (N, N)), rng.normal(0, 0.1, N)

    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        mem, spike = s.get("mem", 0 * ONES), s.get("spk", 0 * ONES)
        pending = mem > 1
        into = x + weight @ spike + bias
        if kind == "LIF":  # RLeaky(reset_delay=False)
            mem = BETA * mem + into
            s["spk"] = 1.0 * (mem > 1)
            s["mem"] = np.where(mem > 1, 0, mem)
        else:  # RSynaptic: what it resets at once is lost, so the reset is late
            s["syn"] = ALPHA * s.get("syn", 0 * ONES) + into
            s["mem"] = np.where(pending, 0, BETA * mem + s["syn"])
            s["spk"] = 1.0 * (s["mem"] > 1)
        return s["spk"], s["mem"]

    node = LIF if kind == "LIF" else CUBA
    check(recurrent(node, weight, bias), inputs(4, 0.6), "snntorch", step)


def test_spyx_cuba_subtracts_before_the_leak() -> None:
    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        v, i = s.get("v", 0 * ONES), s.get("i", 0 * ONES)
        spike = 1.0 * (v > 1)
        s["i"] = ALPHA * i + x
        s["v"] = BETA * (v - spike) + s["i"]
        return spike, s["v"]

    check(single(CUBA), inputs(5, 0.5), "spyx", step)


def test_spyx_feeds_spikes_back_in_the_same_step() -> None:
    weight = np.random.default_rng(6).normal(0, 0.3, (N, N))

    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        v = s.get("v", 0 * ONES)
        spike = 1.0 * (v > 1)
        s["v"] = BETA * v + x + weight @ spike - spike
        return spike, s["v"]

    check(recurrent(LIF, weight, 0 * ONES), inputs(6), "spyx", step)


@pytest.mark.parametrize("many", [True, False])
def test_sinabs_with_a_floor(many: bool) -> None:
    tau = np.linspace(3.0, 9.0, N)
    keep = np.exp(-1 / tau)
    node = nir.LIF(tau, ONES, 0 * ONES, 0.8 * ONES, 0 * ONES)

    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        v = keep * s.get("v", 0 * ONES) + (1 - keep) * x
        spike = np.where(v > 0, np.trunc(v / 0.8), 0.0) if many else 1.0 * (v >= 0.8)
        s["v"] = np.maximum(v - spike * 0.8, -0.8)
        return spike, s["v"]

    spikes = "many" if many else "one"
    check(
        single(node),
        12 * inputs(7) - 1,
        "sinabs",
        step,
        1.0,
        input_gain="leak",
        spikes=spikes,
        floor="-threshold",
    )


def test_rockpool_cuba() -> None:
    e_i, e = np.exp(-1 / np.linspace(2, 5, N)), np.exp(-1 / np.linspace(8, 20, N))
    node = nir.CubaLIF(
        np.linspace(2, 5, N) * DT,
        np.linspace(8, 20, N) * DT,
        7 * ONES,
        0 * ONES,
        ONES,
        0 * ONES,
        ONES,
    )

    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        s["i"] = e_i * (s.get("i", 0 * ONES) + x)
        v = e * s.get("v", 0 * ONES) + s["i"]
        spike = np.where(v >= 1, np.floor(v), 0.0)
        s["v"] = v - spike
        return spike, s["v"]

    check(single(node), inputs(8, 1.5), "rockpool", step)


@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjelly_rests_at_its_reset(decay_input: bool) -> None:
    tau, rest = 4.0, 0.2
    node = nir.LIF(
        tau * DT * ONES, (1.0 if decay_input else tau) * ONES, rest * ONES, ONES, rest * ONES
    )

    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        v = s.get("v", rest * ONES)
        v = v + (x - (v - rest)) / tau if decay_input else v - (v - rest) / tau + x
        spike = 1.0 * (v >= 1)
        s["v"] = np.where(spike > 0, rest, v)
        return spike, s["v"]

    check(single(node), inputs(9, 6 if decay_input else 1), "spikingjelly", step)


def test_spikingjelly_if_begins_at_its_reset() -> None:
    def step(x: Any, s: dict[str, Any]) -> tuple[Any, Any]:
        v = s.get("v", -0.3 * ONES) + x
        s["v"] = np.where(v >= 1, -0.3, v)
        return 1.0 * (v >= 1), s["v"]

    check(single(nir.IF(ONES / DT, ONES, -0.3 * ONES)), inputs(10), "spikingjelly", step)
