"""A described projection may be a convolution: everything does with it what its matrix gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stepped_counts import same, some_convolution

import neuro_lif as nl
from neuro_lif.convolution import Convolution
from neuro_lif.errors import FileFormatError, NetworkError
from neuro_lif.files import load_network, save_network
from neuro_lif.network import PoissonInput
from neuro_lif.reference.theory.described import stepped_input
from neuro_lif.study.names import varied_network
from neuro_lif.targets.nengo import run_nengo

SYNAPSES = [nl.Delta(), nl.Exponential(5e-3, "psp"), nl.Alpha(4e-3, "psp")]


def network(rng: np.random.Generator, c: Convolution, late: bool, alike: bool) -> nl.Network:
    """Return a population behind a convolution."""
    n_post, n_pre = c.shape
    tau = 20e-3 if alike else rng.uniform(10e-3, 30e-3, n_post)
    cell = nl.LIF(tau, v_threshold=0.3, t_refractory=2e-3)
    delay = 1e-3 * rng.integers(1, 6, c.csr.nnz) if late else 1e-3 * int(rng.integers(1, 6))
    synapse: Any = SYNAPSES[rng.integers(3)]
    spikes = PoissonInput("x", n_pre, 100.0, 7)
    return nl.Network([nl.Population("n", n_post, cell)],
                      [nl.Projection("c", "x", "n", c, synapse, delay)], [spikes])  # fmt: skip


def unfolded(net: nl.Network) -> nl.Network:
    """Return the network with the matrix in the convolution's place."""
    links = [replace(q, weights=q.matrix) for q in net.projections]
    return nl.Network(net.populations, links, net.inputs, net.probes)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), late=st.booleans(), alike=st.booleans())
def test_discretized_it_stays_one(seed: int, late: bool, alike: bool) -> None:
    """Where the neurons of a channel are alike; the numbers are those of the matrix in any case."""
    rng = np.random.default_rng(seed)
    c = some_convolution(rng)
    net = network(rng, c, late, alike)
    found, wanted = nl.discretize(net, 1e-3), nl.discretize(unfolded(net), 1e-3)
    assert [q.name for q in found.projections] == [q.name for q in wanted.projections]
    for a, b in zip(found.projections, wanted.projections, strict=True):
        if a.pre == "x":
            folded = alike or isinstance(net.projections[0].synapse, nl.Delta)
            assert isinstance(a.weights, Convolution) or not folded
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a.matrix, part), getattr(b.matrix, part))
        np.testing.assert_array_equal(a.delays, b.delays)
    same(nl.run_clocked(found, 30, record="all"), nl.run_clocked(wanted, 30, record="all"))


def test_factors_of_channels_are_folded() -> None:
    """Every channel may have a time constant of its own, in both layouts."""
    rng = np.random.default_rng(3)
    for layout, shape, plane in (("torch", (3, 2, 2, 2), (2, 4, 4)),
                                 ("lava", (3, 2, 2, 2), (4, 4, 2))):  # fmt: skip
        c = Convolution(rng.normal(size=shape), plane, layout=layout)  # type: ignore[arg-type]
        taus = np.arange(1, 4) * 10e-3
        tau = np.repeat(taus, 9) if layout == "torch" else np.tile(taus, 9)
        cell = nl.LIF(tau)
        net = nl.Network([nl.Population("n", c.shape[0], cell)],
                         [nl.Projection("c", "x", "n", c, nl.Exponential(5e-3, "psp"))],
                         [nl.SpikeInput("x", c.shape[1])])  # fmt: skip
        got = nl.discretize(net, 1e-3).projections[0]
        assert isinstance(got.weights, Convolution)
        wanted = nl.discretize(unfolded(net), 1e-3).projections[0]
        np.testing.assert_array_equal(got.matrix.toarray(), wanted.matrix.toarray())
        other = np.where(np.arange(27) == 5, 12e-3, tau)
        net = nl.Network([nl.Population("n", 27, nl.LIF(other))], net.projections, net.inputs)
        assert not isinstance(nl.discretize(net, 1e-3).projections[0].weights, Convolution)


def test_what_a_factor_loses_is_no_convolution() -> None:
    """A weight that becomes 0 or infinite would change which synapses there are."""
    c = Convolution(np.array([[[[1e-300, 2.0]]]]), (1, 3, 3), layout="torch")
    assert c.scaled(1e-100) is None and c.scaled(1e308) is None
    kept = c.scaled(3.0)
    assert kept is not None and kept.kernel.tolist() == [[[[3e-300, 6.0]]]]


@pytest.mark.parametrize("seed", range(4))
def test_runs_theory_and_nengo_take_its_matrix(seed: int) -> None:
    rng = np.random.default_rng([3, seed])
    c = some_convolution(rng)
    c = replace(c, kernel=10 + 10 * rng.random(c.kernel.shape))
    net = network(rng, c, seed % 2 == 1, True)
    plain = unfolded(net)
    n_pre = net.projections[0].matrix.shape[1]
    times = np.sort(rng.random(40) * 0.05)
    x = nl.SpikeInput("x", n_pre, rng.integers(0, n_pre, 40), times)
    a, b = (nl.run_exact(nl.Network(n.populations, n.projections, [x]), 0.08)
            for n in (net, plain))  # fmt: skip
    for got, wanted in zip(a.spike_times("n"), b.spike_times("n"), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert a.spike_times("n")[0].size
    got, wanted = (run_nengo(n, 1e-3, 40).spikes["n"] for n in (net, plain))
    np.testing.assert_array_equal(got, wanted)
    links = [replace(net.projections[0], synapse=nl.Delta())]
    delta = nl.Network(net.populations, links, net.inputs)
    found = [stepped_input(nl.discretize(n, 1e-3), "n") for n in (delta, unfolded(delta))]
    np.testing.assert_array_equal(found[0][0].mean, found[1][0].mean)
    np.testing.assert_array_equal(found[0][0].sd, found[1][0].sd)


@pytest.mark.parametrize("seed", range(6))
def test_files_keep_it(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([4, seed])
    net = network(rng, some_convolution(rng), seed % 2 == 1, True)
    save_network(net, tmp_path / "net.toml")
    got, given = load_network(tmp_path / "net.toml").projections[0], net.projections[0]
    assert vars(got.weights).keys() == vars(given.weights).keys()
    for name, value in vars(given.weights).items():
        np.testing.assert_array_equal(getattr(got.weights, name), value, name)
    np.testing.assert_array_equal(got.delay, given.delay)


HEAD = """
format = "neuro-lif-network/1"
[populations.n]
size = 4
neuron = "LIF"
tau_m = "20 ms"

[inputs.x]
kind = "spikes"
size = 9

[projections.c]
pre = "x"
post = "n"
"""


def test_files_by_hand(tmp_path: Path) -> None:
    """With units, defaults, and every fault named by its place."""
    path = tmp_path / "net.toml"

    def read(fields: str) -> nl.Network:
        path.write_text(f"{HEAD}weights = {{ convolution = {fields} }}\n", "utf-8")
        return load_network(path)

    good = (
        '{ kernel = [[[["1 mV", "2 mV"], ["3 mV", "4 mV"]]]], input_shape = [1, 3, 3], '
        'layout = "torch"'
    )
    found = read(good + " }").projections[0]
    assert found.weights.kernel.tolist() == [[[[1e-3, 2e-3], [3e-3, 4e-3]]]]
    assert found.matrix.shape == (4, 9)
    for fields, text in (
        ("{ kernel = [[[[1.0]]]] }", r"projections.c.weights.convolution.input_shape"),
        ("{ input_shape = [1, 3, 3] }", r"weights.convolution.kernel"),
        (good + ", stride = 0 }", r"weights.convolution.stride = \(?0.*whole numbers >= 1"),
        (good + ", stride = [[1], 2] }", r"weights.convolution.stride"),
        (good + ', groups = "x" }', r"weights.convolution.groups"),
        (good + ", colour = 3 }", r"weights.convolution.colour"),
        (good + ", padding = 1 }", r"shape \(16, 9\).*\(n_post, n_pre\) = \(4, 9\)"),
        ("3", r"weights.convolution = 3"),
        ("{ kernel = [1.0], input_shape = [1, 3, 3] }", "four dimensions"),
        ("{ kernel = [[[[1.0]]]], input_shape = [100000000, 100000000, 1] }", "n_post, n_pre"),
    ):
        with pytest.raises(FileFormatError, match=text):
            read(fields)


def test_a_study_scales_it() -> None:
    rng = np.random.default_rng(6)
    c = some_convolution(rng)
    net = network(rng, c, False, True)
    got = varied_network(net, {"weights.c.scale": 0.5}).projections[0].weights
    assert isinstance(got, Convolution)
    np.testing.assert_array_equal(got.kernel, c.kernel * 0.5)


def test_projections_check_it() -> None:
    c = Convolution(np.array([[[[1, 2], [3, 4]]]]), (1, 3, 3), layout="torch")
    assert nl.Projection("c", "x", "n", c).weights.kernel.dtype == np.float64
    entries = 16
    many = nl.Projection("c", "x", "n", c, delay=np.arange(entries) * 1e-3)
    assert many.delay.shape == (entries,) and replace(many).delay.shape == (entries,)
    for delay in (np.zeros(9), np.zeros((4, 9)), -1.0, "1 ms", [[1], 2]):
        with pytest.raises(NetworkError, match="projection 'c': delay"):
            nl.Projection("c", "x", "n", c, delay=delay)
    with pytest.raises(NetworkError, match=r"weights = 'shape \(4, 9\)'"):
        nl.Network([nl.Population("n", 5, nl.LIF(1e-2))], [nl.Projection("c", "x", "n", c)],
                   [nl.SpikeInput("x", 9)])  # fmt: skip
