"""First synaptic states, several spikes in a step and convolutions of floats, in both engines.

The engines are compared bit for bit, with the definition in plain Python floats, and with what
:mod:`neuro_lif.nir` says of the same neuron.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from test_kernel_clocked import (
    ENGINES,
    NO_KERNEL,
    bits,
    instruction_set,  # noqa: F401
    some_inputs,
    some_network,
)

import neuro_lif as nl
from neuro_lif import nir
from neuro_lif.calibrate import meant_by
from neuro_lif.convolution import Convolution
from neuro_lif.errors import RangeError
from neuro_lif.stepped import MOST_AT_ONCE

MOST = [1, 2, 3, 255, 256, None]


def same(a: nl.Recording, b: nl.Recording, what: Any = "") -> None:
    """Fail at the first bit in which two recordings differ."""
    assert list(a.spikes) == list(b.spikes) and list(a.traces) == list(b.traces)
    for name in a.spikes:
        assert a.spikes[name].dtype == b.spikes[name].dtype
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name], f"{what} spikes of {name}")
    for key in a.traces:
        np.testing.assert_array_equal(bits(a.traces[key]), bits(b.traces[key]), f"{what} {key}")


def compared(stepped: nl.SteppedNetwork, what: Any = "", **more: Any) -> nl.Recording:
    """Run both engines, compare them, and return what one recorded."""
    wanted = nl.run_clocked(stepped, record="all", engine="numpy", **more)
    got = nl.run_clocked(stepped, record="all", engine="kernel", **more)
    assert "compiled" in got.provenance["engine"] and "numpy" in wanted.provenance["engine"]
    same(wanted, got, what)
    return got


def with_counts(rng: np.random.Generator, stepped: nl.SteppedNetwork) -> nl.SteppedNetwork:
    """Return the network with populations that send several spikes, and first synaptic states."""
    populations = []
    for p in stepped.populations:
        shape = p.decay_u.shape
        if p.spikes:
            small = p.threshold * rng.choice([1.0, 0.1, 0.01, 1e-4])
            small = np.where(rng.random(p.size) < 0.1, rng.choice([0.0, -0.5]), small)
            p = replace(p, most_spikes=MOST[rng.integers(len(MOST))], threshold=small)
        if rng.random() < 0.5:
            p = replace(p, u_init=rng.normal(size=shape))
        if rng.random() < 0.5:
            p = replace(p, decay_u=rng.random(shape))
        if rng.random() < 0.5:
            p = replace(p, reset=str(rng.choice(["value", "subtract"])))  # type: ignore[arg-type]
        populations.append(p)
    order = {p.name: k for k, p in enumerate(populations)}
    projections = [
        replace(q, latency=0) if order.get(q.pre, -1) < order[q.post] and rng.random() < 0.4 else q
        for q in stepped.projections
    ]
    return replace(stepped, populations=tuple(populations), projections=tuple(projections))


def plain(stepped: nl.SteppedNetwork, counts: Any, n_steps: int) -> Any:
    """Return (u, v, spikes) as lists: one sample, Python floats, one operation at a time."""
    due: dict[tuple[str, int, int, int], float] = {}
    state: Any = {}
    for p in stepped.populations:
        u_init = np.zeros(p.decay_u.shape) if p.u_init is None else p.u_init
        state[p.name] = (np.asarray(u_init).tolist(), list(map(float, p.v_init)), [0] * p.size)
    said: dict[str, Any] = {p.name: ([], [], []) for p in stepped.populations}

    def send(pre: str, t: int, sent: Any) -> None:
        for q in stepped.projections:
            if q.pre != pre:
                continue
            for post, neuron, weight, late in synapses(q):
                if count := float(sent[neuron]):
                    key = (q.post, q.receptor, post, t + q.latency + late)
                    due[key] = due.get(key, 0.0) + count * weight

    for t in range(1, n_steps + 1):
        for spikes in stepped.network.spike_inputs:
            send(spikes.name, t, counts[spikes.name][t - 1])
        for p in stepped.populations:
            u, v, held = state[p.name]
            sent = []
            for i in range(p.size):
                for r in range(len(u)):
                    u[r][i] = float(p.decay_u[r][i]) * u[r][i] + due.get((p.name, r, i, t), 0.0)
                drive = u[0][i]
                for r in range(1, len(u)):
                    drive = drive + u[r][i]
                x = v[i] * float(p.decay_v[i]) + drive + (float(p.bias[i]) + 0.0)
                x = v[i] if held[i] else x
                threshold, k = float(p.threshold[i]), 0
                above = x > threshold if stepped.rule.compare == ">" else x >= threshold
                if above and not held[i]:
                    k = 1
                    if threshold > 0:
                        k = max(1, min(math.floor(x / threshold), p.most_spikes or 2**53))
                    x = x - k * threshold if p.reset == "subtract" and p.spikes else 0.0
                held[i] = int(p.refractory[i]) if k else max(held[i] - 1, 0)
                v[i] = x
                sent.append(k)
            # not sum(): since Python 3.12 it does not round each addition
            said[p.name][0].append([reduce(add, column) for column in zip(*u, strict=True)])
            said[p.name][1].append(list(v))
            said[p.name][2].append(sent)
            send(p.name, t, sent)
    return said


def synapses(q: nl.SteppedProjection) -> list[tuple[int, int, float, int]]:
    """Return (post, pre, weight, delay) of a projection, by pre, then by post."""
    if isinstance(q.weights, Convolution):
        stored = {place: w for place, w in sorted(by_definition(q.weights).items()) if w}
        late = np.broadcast_to(q.delays, len(stored)).tolist()
        found = [(*place, w, d) for (place, w), d in zip(stored.items(), late, strict=True)]
    else:
        coo = sparse.coo_matrix(q.weights)
        late = np.broadcast_to(q.delays, coo.data.shape if sparse.issparse(q.weights)
                               else q.weights.size)  # fmt: skip
        if not sparse.issparse(q.weights):
            late = late.reshape(q.weights.shape)[coo.row, coo.col]
        parts = (coo.row, coo.col, coo.data, late)
        found = list(zip(*(part.tolist() for part in parts), strict=True))
    return sorted(found, key=lambda synapse: (synapse[1], synapse[0]))


def by_definition(c: Convolution) -> dict[tuple[int, int], float]:
    """Return (post, pre) -> weight, entry by entry from the definition."""
    kernel, torch = np.asarray(c.kernel), c.layout == "torch"
    if not torch:  # a true convolution: flipped; to (out, in, x, y)
        kernel = kernel[:, ::-1, ::-1].transpose(0, 3, 1, 2)
    channels, n_x, n_y = c.input_shape if torch else (c.input_shape[2], *c.input_shape[:2])
    n_out, _, k_x, k_y = kernel.shape
    (s_x, s_y), (p_x, p_y), (d_x, d_y) = (tuple(map(int, pair)) for pair in  # type: ignore[arg-type]
                                          (c.stride, c.padding, c.dilation))  # type: ignore[misc]  # fmt: skip
    o_x, o_y = (
        (n_x + 2 * p_x - d_x * (k_x - 1) - 1) // s_x + 1,
        (n_y + 2 * p_y - d_y * (k_y - 1) - 1) // s_y + 1,
    )
    found = {}
    for out, inner, a, b, x, y in np.ndindex(*kernel.shape, o_x, o_y):
        i, j = x * s_x + a * d_x - p_x, y * s_y + b * d_y - p_y
        if 0 <= i < n_x and 0 <= j < n_y:
            channel = out // (n_out // c.groups) * (channels // c.groups) + inner
            if torch:
                post, pre = (out * o_x + x) * o_y + y, (channel * n_x + i) * n_y + j
            else:
                post, pre = (x * o_y + y) * n_out + out, (i * n_y + j) * channels + channel
            found[post, pre] = float(kernel[out, inner, a, b])
    return found


def some_convolution(rng: np.random.Generator, channels: int = 0) -> Convolution:
    """Return a convolution of floats, some of them 0; channels in: so many, or any number."""
    while True:
        groups = int(rng.integers(1, 4)) if not channels else 1
        inner, outer = (int(rng.integers(1, 4)) for _ in range(2))
        inner = channels or inner
        size, plane = rng.integers(1, 4, 2), rng.integers(1, 8, 2).tolist()
        torch = rng.random() < 0.5
        shape = (groups * outer, inner, *size) if torch else (groups * outer, *size, inner)
        kernel = rng.normal(size=shape) * 10.0 ** rng.integers(-6, 2, shape)
        kernel *= rng.random(shape) < 0.8
        try:
            return Convolution(
                kernel, (groups * inner, *plane) if torch else (*plane, groups * inner),
                tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.integers(0, 3, 2).tolist()),
                tuple(rng.integers(1, 4, 2).tolist()), groups, "torch" if torch else "lava",
            )  # fmt: skip
        except RangeError:  # the plane is smaller than the kernel
            continue


def convolved(
    rng: np.random.Generator, c: Convolution, pre: str = "x", late: bool = False
) -> nl.SteppedNetwork:
    """Return a network with a convolution from an input, or from a population that it drives."""
    n_post, n_pre = c.shape
    cell = nl.LIF(20e-3, v_threshold=0.5, reset="subtract")
    populations, inputs = [nl.Population("n", n_post, cell)], [nl.SpikeInput("x", n_pre)]
    given = [nl.Projection("c", pre, "n", np.zeros(c.shape), nl.Exponential(5e-3, "psp"), 1e-3)]
    if pre != "x":
        populations.insert(0, nl.Population(pre, n_pre, cell))
        given.append(nl.Projection("i", "x", pre, np.eye(n_pre) * 3, nl.Delta()))
    stepped = nl.discretize(nl.Network(populations, given, inputs), 1e-3)
    delays = rng.integers(0, 5, c.csr.nnz) if late else np.asarray(int(rng.integers(0, 5)))
    latency = int(rng.integers(0, 2)) if pre != "x" else 1
    first = replace(stepped.projections[0], weights=c, delays=delays, latency=latency)
    last = stepped.populations[-1]
    last = replace(last, most_spikes=MOST[rng.integers(len(MOST))])
    found = [replace(p, most_spikes=None) for p in stepped.populations[:-1]]
    return replace(
        stepped, populations=(*found, last), projections=(first, *stepped.projections[1:])
    )


@pytest.mark.parametrize("seed", range(8))
def test_random_networks(seed: int, instruction_set: str) -> None:  # noqa: F811
    rng, n_steps = np.random.default_rng([21, seed]), 25
    stepped = with_counts(rng, some_network(rng, n_steps))
    compared(stepped, seed, n_steps=n_steps, inputs=some_inputs(rng, stepped, n_steps))


@NO_KERNEL
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_steps=st.integers(1, 30))
def test_both_engines_are_equal(seed: int, n_steps: int) -> None:
    rng = np.random.default_rng(seed)
    if rng.random() < 0.5:
        stepped = with_counts(rng, some_network(rng, n_steps))
    else:
        pre, late = str(rng.choice(["x", "m"])), bool(rng.random() < 0.3)
        stepped = with_counts(rng, convolved(rng, some_convolution(rng), pre, late))
    compared(stepped, seed, n_steps=n_steps, inputs=some_inputs(rng, stepped, n_steps))


@NO_KERNEL
@pytest.mark.verify
def test_both_engines_are_equal_often(record_figure: Any) -> None:
    steps = 0
    for seed in range(600):
        rng = np.random.default_rng([23, seed])
        if seed % 2:
            stepped = with_counts(rng, some_network(rng, 40))
        else:
            stepped = convolved(rng, some_convolution(rng), "xm"[seed % 4 // 2], seed % 6 == 0)
            stepped = with_counts(rng, stepped)
        compared(stepped, seed, n_steps=40, inputs=some_inputs(rng, stepped, 40))
        steps += 40 * sum(p.size for p in stepped.populations)
    record_figure(
        "float64 kernel against numpy, several spikes in a step, first synaptic states, "
        f"convolutions: 600 networks, {steps:,} neuron-steps, 0 bits that differ"
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_what_is_written_down(engine: str, seed: int) -> None:
    """Both engines against Python floats, one operation at a time."""
    rng, n_steps = np.random.default_rng([24, seed]), 10
    if seed % 2:
        stepped = some_network(rng, n_steps)
    else:
        stepped = convolved(rng, some_convolution(rng), "xm"[seed // 2 % 2], seed % 3 == 0)
    inputs = [i for i in stepped.network.inputs if not isinstance(i, nl.CurrentInput)]
    net = nl.Network(stepped.network.populations, stepped.network.projections, inputs)
    stepped = with_counts(rng, replace(stepped, network=net))
    counts = {i.name: (rng.random((n_steps, i.size)) < 0.3) * rng.integers(1, 3, (n_steps, i.size))
              for i in net.spike_inputs}  # fmt: skip
    got = nl.run_clocked(stepped, n_steps, counts, "all", engine=engine)
    wanted = plain(stepped, counts, n_steps)
    for name, (u, v, sent) in wanted.items():
        np.testing.assert_array_equal(got.spikes[name], sent)
        np.testing.assert_array_equal(bits(got.trace(name, "u")), bits(np.array(u)))
        np.testing.assert_array_equal(bits(got.trace(name, "v")), bits(np.array(v)))


def one(v: Any, threshold: float = 1.0, compare: str = ">", **more: Any) -> nl.SteppedNetwork:
    """Return neurons without a leak or an input that begin at ``v``."""
    cell = nl.IF(capacitance=1.0, v_threshold=1.0)
    n = len(v)
    rule = nl.StepRule(compare=compare)  # type: ignore[arg-type]
    stepped = nl.discretize(nl.Network([nl.Population("n", n, cell)], [], []), 1e-3, rule)
    p = replace(stepped.populations[0], v_init=np.asarray(v, np.float64), reset="subtract",
                threshold=np.full(n, threshold))  # fmt: skip
    return replace(stepped, populations=(replace(p, **more),))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compare", [">", ">="])
def test_counts_and_what_is_left(engine: str, compare: str) -> None:
    v = [0.99, 1.0, 1.5, 2.0, 2.5, 300.25, -3.0]
    many = {k: one(v, compare=compare, most_spikes=k) for k in (1, 2, 255, None)}
    at = int(compare == ">=")
    wanted: dict[Any, list[int]] = {
        1: [0, at, 1, 1, 1, 1, 0], 2: [0, at, 1, 2, 2, 2, 0],
        255: [0, at, 1, 2, 2, 255, 0], None: [0, at, 1, 2, 2, 300, 0],
    }  # fmt: skip
    for most, sent in wanted.items():
        got = nl.run_clocked(many[most], 1, record="all", engine=engine)
        assert got.spikes["n"][0].tolist() == sent
        assert got.spikes["n"].dtype == (np.int64 if most is None else np.uint8)
        assert got.trace("n", "v")[0].tolist() == [x - k for x, k in zip(v, sent, strict=True)]
    zero = replace(many[None].populations[0], reset="value")
    got = nl.run_clocked(replace(many[None], populations=(zero,)), 1, record="all", engine=engine)
    assert got.spikes["n"][0].tolist() == sent
    assert got.trace("n", "v")[0].tolist() == [x * (not k) for x, k in zip(v, sent, strict=True)]


@pytest.mark.parametrize("compare", [">", ">="])
@pytest.mark.parametrize("threshold", [0.1, 1 / 3, 1.0, 5e-324, 0.0, -0.25, math.inf])
def test_thresholds_of_any_kind(compare: str, threshold: float, instruction_set: str) -> None:  # noqa: F811
    """Around every multiple; what is huge sends 2**53 spikes; where it is not above 0, one."""
    base = np.array([threshold * k for k in range(1, 12)]) if math.isfinite(threshold) else []
    around = [np.nextafter(base, -np.inf), base, np.nextafter(base, np.inf)]
    v = np.concatenate([*around, [0.0, 1e308, 1.7e308, np.inf, np.nan, -np.inf]])
    got = compared(one(v, threshold, compare, most_spikes=None), n_steps=3)
    sent = got.spikes["n"][0]
    above = v > threshold if compare == ">" else v >= threshold
    np.testing.assert_array_equal(sent > 0, above)
    if threshold <= 0 or threshold == math.inf:
        assert sent.max() <= 1
    elif threshold < 1e-300:
        assert sent.max() == MOST_AT_ONCE
    few = compared(one(v, threshold, compare, most_spikes=3), n_steps=3).spikes["n"][0]
    np.testing.assert_array_equal(few, np.minimum(sent, 3))


@NO_KERNEL
def test_counts_of_one_are_what_spikes_are() -> None:
    """A limit that nobody reaches changes nothing."""
    rng = np.random.default_rng(5)
    for seed in range(4):
        stepped = some_network(np.random.default_rng([7, seed]), 30)
        inputs = some_inputs(rng, stepped, 30)
        high = [replace(p, threshold=np.where(p.threshold > 0, 1e300, p.threshold), most_spikes=k,
                        v_init=np.minimum(p.v_init, 0)) for p in stepped.populations
                for k in [9]]  # fmt: skip
        once = [replace(p, most_spikes=1) for p in high]
        same(
            compared(replace(stepped, populations=tuple(once)), n_steps=30, inputs=inputs),
            compared(replace(stepped, populations=tuple(high)), n_steps=30, inputs=inputs),
        )


@NO_KERNEL
@pytest.mark.parametrize("threads", [1, 3])
def test_batches(threads: int) -> None:
    """Samples are what they are one by one."""
    rng = np.random.default_rng(8)
    stepped = with_counts(rng, convolved(rng, some_convolution(rng), "m"))
    x = rng.integers(0, 3, (4, 30, stepped.network.spike_inputs[0].size))
    got = nl.run_clocked(stepped, 30, {"x": x}, "all", engine="kernel", threads=threads)
    same(nl.run_clocked(stepped, 30, {"x": x}, "all", engine="numpy"), got)
    for k in range(4):
        for engine in ("kernel", "numpy"):
            same(nl.run_clocked(stepped, 30, {"x": x[k]}, "all", engine=engine), got.sample(k))


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_pass_through_layers_in_one_step(engine: str) -> None:
    """With latency 0, spikes and counts reach the next layer in the step in which they are sent."""
    cell = nl.IF(capacitance=1.0, v_threshold=1.0, reset="subtract")
    net = nl.Network(
        [nl.Population(name, 1, cell) for name in "abc"],
        [nl.Projection(f"{i}{j}", i, j, [[w]], nl.Delta(), 0.0)
         for i, j, w in (("x", "a", 3.0), ("a", "b", 0.5), ("b", "c", 2.25))],
        [nl.SpikeInput("x", 1)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3, nl.StepRule(compare=">="))
    quick = replace(
        stepped, projections=tuple(replace(q, latency=0) for q in stepped.projections),
        populations=tuple(replace(p, most_spikes=None) for p in stepped.populations),
    )  # fmt: skip
    got = nl.run_clocked(quick, 3, {"x": [[1], [3], [0]]}, engine=engine)
    assert {k: got.spikes[k].ravel().tolist() for k in "abc"} == {
        "a": [3, 9, 0], "b": [1, 5, 0], "c": [2, 11, 0],
    }  # fmt: skip
    slow = replace(quick, projections=(quick.projections[0], *stepped.projections[1:]))
    got = nl.run_clocked(slow, 4, {"x": [[1], [3], [0], [0]]}, engine=engine)
    assert got.spikes["b"].ravel().tolist() == [0, 1, 5, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_synaptic_state(engine: str) -> None:
    """It decays before it acts for the first time; a filter stage has one, too."""
    cell = nl.LI(tau_m=1.0)
    net = nl.Network(
        [nl.Population("n", 2, cell)],
        [nl.Projection("i", "x", "n", np.ones((2, 1)), nl.Alpha(5e-3, "psp"))],
        [nl.SpikeInput("x", 1)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    n, stage = stepped.populations
    begun = replace(n, u_init=np.array([[1.0, -2.0]]), decay_u=np.array([[0.5, 0.25]]))
    first = replace(stepped, populations=(begun, stage))
    got = nl.run_clocked(first, 2, record="all", engine=engine)
    assert got.trace("n", "u").tolist() == [[0.5, -0.5], [0.25, -0.125]]
    late = replace(stepped, populations=(n, replace(stage, u_init=np.array([[1.0, 0.0]]))))
    got = nl.run_clocked(late, 2, record="all", engine=engine)
    link = next(q for q in stepped.projections if q.pre == stage.name)
    sent = float(stage.decay_u[0, 0]) * float(link.matrix[0, 0])
    assert got.trace("n", "u").tolist() == [[0.0, 0.0], [sent, 0.0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_wrong_is_named(engine: str) -> None:
    stepped = one([0.0, 0.0])
    p = stepped.populations[0]
    for field, value, text in (
        ("most_spikes", 0, "population 'n': most_spikes = 0, allowed: a whole number 1"),
        ("most_spikes", 1.5, "most_spikes = 1.5"),
        ("most_spikes", True, "most_spikes = True"),
        ("u_init", np.zeros(2), r"u_init = 'shape \(2,\)', allowed: shape \(1, 2\) \(n_receptors"),
        ("u_init", [[0.0, np.nan]], "u_init = .*finite"),
        ("u_init", "none", "u_init = 'none', allowed: a real number"),
    ):
        wrong = replace(stepped, populations=(replace(p, **{field: value}),))
        with pytest.raises(RangeError, match=text):
            nl.run_clocked(wrong, 1, engine=engine)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_matrix_of_a_convolution_of_floats(seed: int) -> None:
    """Entry by entry from the definition; of whole numbers, the same numbers."""
    rng = np.random.default_rng(seed)
    c = some_convolution(rng)
    dense = np.zeros(c.shape)
    for place, weight in by_definition(c).items():
        dense[place] = weight
    assert c.csr.dtype == np.float64 and c.csr is c.csr and not c.csr.data.flags.writeable
    np.testing.assert_array_equal(c.csr.toarray(), dense)
    np.testing.assert_array_equal(c.matrix().toarray(), dense)
    assert c.csr.nnz == np.count_nonzero(dense) == int(c.uses().sum())
    whole = replace(c, kernel=np.rint(c.kernel).astype(np.int8))
    assert whole.matrix().dtype == np.int64 and whole.is_whole and not c.is_whole
    floats = replace(whole, kernel=np.rint(c.kernel)).csr
    np.testing.assert_array_equal(whole.matrix().toarray(), floats.toarray())


def test_kernels_that_are_none() -> None:
    for kernel, text in (
        (np.full((1, 1, 1, 1), np.nan), "kernel = nan, allowed: finite"),
        (np.ones((1, 1, 1, 1), bool), "whole numbers, or of finite floats"),
        (np.ones((1, 1, 1), float), "four dimensions"),
    ):
        with pytest.raises(RangeError, match=text):
            Convolution(kernel, (1, 2, 2))
    c = Convolution(np.ones((1, 1, 1, 1)), (2, 2, 1))
    with pytest.raises(RangeError, match="'p': weights = 'a convolution of float64', allowed: a c"):
        nl.FixedProjection("p", "a", "b", c)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_several_spikes_as_nir_says(engine: str, seed: int) -> None:
    """The same neurons by :func:`neuro_lif.nir.run`: spikes and voltages, every bit of them."""
    rng = np.random.default_rng(seed)
    n, n_steps, tau, dt = 5, 40, 20e-3, 1e-3
    threshold = float(rng.choice([0.1, 0.3, 1.0, 1 / 3]))
    compare, reset = str(rng.choice([">", ">="])), str(rng.choice(["value", "subtract"]))
    most = MOST[rng.integers(1, len(MOST))]
    rule = replace(nir.RULES["nir-euler"], compare=compare, reset=reset, spikes="many",
                   most_spikes=most, integrator="exact", input_gain="one")  # fmt: skip
    v = np.ones(n)
    cell = nir.LIF(tau=v * tau, r=v, v_leak=0 * v, v_threshold=v * threshold, v_reset=0 * v)
    nodes = {"in": nir.Input((n,)), "n": cell, "out": nir.Output((n,))}
    graph = nir.NIRGraph(nodes, (("in", "n"), ("n", "out")))
    x = rng.integers(0, 4, (n_steps, n)) * (rng.random((n_steps, n)) < 0.5)
    wanted = nir.run(graph, x.astype(float), rule, dt=dt)
    net = nl.Network(
        [nl.Population("n", n, nl.LIF(tau, v_threshold=threshold, reset=reset))],
        [nl.Projection("i", "x", "n", np.eye(n), nl.Delta())], [nl.SpikeInput("x", n)],
    )  # fmt: skip
    stepped = nl.discretize(net, dt, nl.StepRule(compare=compare, input_latency=0))
    p = replace(stepped.populations[0], most_spikes=most, bias=np.zeros(n),
                decay_v=np.exp(-dt / (v * tau)))  # fmt: skip
    eye = replace(stepped.projections[0], weights=np.eye(n), latency=0)
    stepped = replace(stepped, populations=(p,), projections=(eye,))
    got = nl.run_clocked(stepped, n_steps, {"x": x}, "all", engine=engine)
    np.testing.assert_array_equal(got.spikes["n"], np.squeeze(wanted.spikes["n"]))
    np.testing.assert_array_equal(got.trace("n", "v"), np.squeeze(wanted.voltage["n"]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", ["torch", "lava"])
def test_no_engine_makes_the_matrix(
    engine: str, layout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A convolution of 151 million synapses takes what its kernel takes."""

    def refuse(_: object) -> None:
        raise AssertionError("the matrix was made")

    rng, n_steps = np.random.default_rng(9), 4
    torch, side, channels = layout == "torch", 64, 64
    kernel = rng.normal(size=(channels, channels, 3, 3) if torch else (channels, 3, 3, channels))
    plane = (channels, side, side) if torch else (side, side, channels)
    c = Convolution(kernel, plane, padding=1, layout=layout)
    assert int(c.uses().sum()) > 1.4e8
    monkeypatch.setattr(Convolution, "matrix", refuse)
    n = c.shape[0]
    net = nl.Network([nl.Population("n", n, nl.LIF(20e-3, v_threshold=0.5))],
                     [nl.Projection("c", "x", "n", c, nl.Exponential(5e-3, "psp"), 1e-3)],
                     [nl.SpikeInput("x", n)])  # fmt: skip
    x = rng.random((2, n_steps, n)) < 1e-4
    got = nl.run_clocked(nl.discretize(net, 1e-3), n_steps, {"x": x}, "all", engine=engine)
    sums = got.trace("n", "u")[:, 2]
    assert np.count_nonzero(sums) <= x[:, 0].sum() * 9 * channels and sums.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_recordings_keep_counts(engine: str, tmp_path: Path) -> None:
    """Above 255, too, in memory and in a file."""
    got = nl.run_clocked(one([300.5, 2.5, 0.5], most_spikes=None), 2, engine=engine)
    assert got.spikes["n"].tolist() == [[300, 2, 0], [0, 0, 0]]
    got.save(tmp_path / "run.npz")
    read = nl.Recording.load(tmp_path / "run.npz").spikes["n"]
    assert read.dtype == np.int64 and read.tolist() == [[300, 2, 0], [0, 0, 0]]


def test_calibration_hears_counts() -> None:
    """What a population sends is how many spikes, not in how many steps."""
    stepped = one([5.5, 2.5], most_spikes=None)
    net = stepped.network
    source = nl.SpikeInput("x", 2)
    again = nl.Network(net.populations, [], [source])
    meant = meant_by(replace(stepped, network=again), {"x": np.zeros((4, 2))}, None)
    np.testing.assert_array_equal(meant.sent["n"], [[5 / 4, 2 / 4]])
