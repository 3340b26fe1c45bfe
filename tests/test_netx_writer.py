"""Netx files out: what was read is written as it was; integers only where layers can say them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_lif import netx, nir
from neuro_lif.emulator import run_fixed
from neuro_lif.errors import FileFormatError, LoweringError, RangeError
from neuro_lif.files.fixed import load_fixed, save_fixed
from neuro_lif.fixed import FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from neuro_lif.fixed_inputs import DirectInput
from neuro_lif.profile import load_profile

pytest.importorskip("h5py")
FILES = Path(__file__).parent / "data" / "netx"
NAMES = sorted(p.stem for p in FILES.glob("*.net"))


def same(a: Any, b: Any) -> bool:
    """Tell whether two layers or neurons are equal in every field."""
    if isinstance(a, (netx.Layer, netx.Neuron)):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    return bool(np.array_equal(a, b)) if hasattr(a, "shape") else bool(a == b)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_is_written_as_it_was(tmp_path: Path, name: str) -> None:
    first = netx.read(FILES / f"{name}.net")
    netx.write(tmp_path / "again.net", first.network)
    again = netx.read(tmp_path / "again.net")
    assert len(first.network.layers) == len(again.network.layers)
    for i, (a, b) in enumerate(zip(first.network.layers, again.network.layers, strict=True)):
        assert same(a, b), f"layer {i}"
    kept = [f for f in again.report.findings if "taken as iDecay 0" not in f.text]
    assert not kept, again.report


decays = st.integers(0, 4096)


@st.composite
def neurons(draw: Any, size: int) -> netx.Neuron:
    several = draw(st.booleans())
    decay = st.lists(decays, min_size=size, max_size=size).map(np.array) if several else decays
    return netx.Neuron(draw(decay), draw(decays), draw(st.integers(0, 2**17 - 1)),
                       draw(st.sampled_from(["CUBA", "LOIHI"])))  # fmt: skip


@st.composite
def networks(draw: Any) -> netx.NetxNetwork:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_in, layers, n = draw(st.integers(1, 5)), [], 0
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 2)), draw(st.integers(2, 4)), draw(st.integers(2, 4)))
        layers.append(
            netx.InputLayer(shape, *([netx.Neuron(0, 9, 99), 3, -2] * draw(st.booleans())))
        )
        k = draw(st.integers(1, 2))
        out = (draw(st.integers(1, 2)), shape[1] - k + 1, shape[2] - k + 1)
        weight = 2 * rng.integers(-128, 128, (out[0], shape[0], k, k))
        layers.append(netx.ConvLayer(out, weight, draw(neurons(out[0]))))
        n_in = int(np.prod(out))
        layers.append(netx.FlattenLayer((n_in, 1, 1)))
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 4))
        low, high = draw(st.sampled_from([(-128, 128), (0, 127), (-128, 0)]))
        weight = 2 * rng.integers(low, high, (n, n_in))
        bias = rng.integers(-4096, 4096, n) if draw(st.booleans()) else None
        delay = draw(st.sampled_from([None, 3, rng.integers(0, 63, n)]))
        rec = 2 * rng.integers(-128, 128, (n, n)) if draw(st.booleans()) else None
        layers.append(netx.DenseLayer((n,), weight, draw(neurons(n)), bias, delay, rec))
        n_in = n
    return netx.NetxNetwork(tuple(layers))


@settings(max_examples=25, deadline=None)
@given(networks())
def test_any_network_comes_back_and_so_do_its_integers(
    tmp_path_factory: pytest.TempPathFactory, network: netx.NetxNetwork
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.net"
    netx.write(path, network)
    again = netx.read(path).network
    assert all(same(a, b) for a, b in zip(network.layers, again.layers, strict=True))
    fixed = netx.to_fixed(network)
    netx.write(path, fixed)
    other = netx.to_fixed(netx.read(path).network)
    rng = np.random.default_rng(0)
    size = fixed.input_sizes()["input"]
    x = rng.integers(0, 2, (12, size))
    if fixed.directs:  # the layer written takes the currents as they are
        assert isinstance(network.layers[0], netx.InputLayer)
    one = run_fixed(fixed, inputs={"input": x}, record="all")
    two = run_fixed(other, inputs={"input": x}, record="all")
    for mine, theirs in zip(one.traces.values(), two.traces.values(), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("hole", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_recurrent_weights_of_zero_do_not_hide_their_delays(
    tmp_path: Path, hole: tuple[int, int]
) -> None:
    into = np.array([[2, 4], [6, 8], [hole[0], 4]])
    rec = np.array([[-218, -248, -168], [160, 76, 210], [hole[1], 54, 240]])
    late = np.array([16, 19, 2])
    layer = netx.DenseLayer((3,), into, netx.Neuron(1024, 410, 38), None, late, rec)
    fixed = netx.to_fixed(netx.NetxNetwork((layer,)))
    netx.write(tmp_path / "a.net", fixed)
    again = netx.read(tmp_path / "a.net").network.layers[-1]
    assert isinstance(again, netx.DenseLayer) and np.array_equal(again.delay, late)
    own = fixed.projections[1]
    assert own.pre == own.post
    other = replace(own, delays=np.where(np.ravel(own.weights) == 54, 9, own.delays))
    with pytest.raises(LoweringError, match="'delays' = given, allowed: those of the other weig"):
        netx.from_fixed(replace(fixed, projections=(fixed.projections[0], other)))


@pytest.mark.parametrize("name", ["dense", "conv", "recurrent", "concat", "bias", "delay_inputs",
                                  "delay_outputs", "deep", "input"])  # fmt: skip
def test_integers_become_a_file_and_integers_again(tmp_path: Path, name: str) -> None:
    network = netx.read(FILES / f"{name}.net").network
    shape = (2, 7, 6) if name == "conv" else None
    fixed = netx.to_fixed(network, "lava-0.10", input_shape=shape)
    save_fixed(fixed, tmp_path / "fixed.npz")
    netx.write(tmp_path / "again.net", load_fixed(tmp_path / "fixed.npz"))
    other = netx.to_fixed(netx.read(tmp_path / "again.net").network, "lava-0.10")
    x = np.random.default_rng(1).integers(0, 2, (30, fixed.input_sizes()["input"]))
    x = x * (200 if fixed.directs else 1)
    one = run_fixed(fixed, inputs={"input": x}, record="all")
    two = run_fixed(other, inputs={"input": x}, record="all")
    assert any(s.any() for s in one.spikes.values())
    for mine, theirs in zip(one.traces.values(), two.traces.values(), strict=True):
        assert np.array_equal(mine, theirs)


# --------------------------------------------------------------------------------- refusals


def small(**changes: Any) -> FixedNetwork:
    parts: dict[str, Any] = {
        "profile": load_profile("loihi2"),
        "populations": (FixedPopulation("a", 2, params={"vth": 9}),
                        FixedPopulation("b", 3, params={"vth": 9})),
        "projections": (FixedProjection("in", "x", "a", np.array([[2, 4], [6, 8]])),
                        FixedProjection("ab", "a", "b", np.array([[2, 4], [6, 8], [0, -2]]))),
        "sources": (FixedSource("x", 2),),
    }  # fmt: skip
    return FixedNetwork(**(parts | changes))


def pops(**changes: Any) -> Callable[[FixedNetwork], dict[str, Any]]:
    return lambda f: {"populations": (f.populations[0], replace(f.populations[1], **changes))}


def link(**changes: Any) -> Callable[[FixedNetwork], dict[str, Any]]:
    return lambda f: {"projections": (f.projections[0], replace(f.projections[1], **changes))}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (pops(model="lif_refractory", params={"refract": 3}), r"population 'b': field 'model'"),
        (pops(model="lif_reset", params={"reset_interval": 3}), "reset interval is given"),
        (pops(init={"v": 3}), r"population 'b': field 'init or alias'"),
        (pops(params={"bias_mant": 3, "bias_exp": 5}), "'bias_mant' = 96 LSB"),
        (link(exponent=-2), r"projection 'ab': field 'weights'"),
        (link(weights=np.array([[1, 4], [6, 8], [0, -2]]), exponent=7), "projection 'ab'|layer 2"),
        (link(graded=True), r"projection 'ab': field 'graded or latency'"),
        (link(delays=np.arange(6)), r"projection 'ab': field 'delays'.*one per synapse"),
        (link(delays=63), r"projection 'ab': field 'delays' = 63"),
        (link(pre="x"), r"population 'b': field 'projections'"),
        (lambda f: {"sources": (*f.sources, FixedSource("y", 2))}, "field 'inputs' = 2"),
        (lambda f: {"sources": (), "projections": f.projections[1:],
                    "directs": (DirectInput("x", "b"),)}, "input 'x': field 'population'"),
        (lambda f: {"profile": load_profile("nengo-loihi-1.1"), "populations": (
            FixedPopulation("a", 2), FixedPopulation("b", 3))}, "profile: field"),
    ],
)  # fmt: skip
def test_what_netx_cannot_say_is_refused(tmp_path: Path, change: Any, text: str) -> None:
    fixed = small()
    netx.write(tmp_path / "fine.net", fixed)
    other = small(**change(fixed))
    with pytest.raises(LoweringError, match=text):
        netx.write(tmp_path / "no.net", other)
    assert not (tmp_path / "no.net").exists()


def test_delays_of_inputs_that_netx_would_take_for_those_of_neurons_are_refused() -> None:
    fixed = small()
    late = np.array([[0, 2], [0, 2]]).ravel()
    first = replace(fixed.projections[0], delays=late)
    with pytest.raises(LoweringError, match=r"projection 'in': field 'delays'.*as many"):
        netx.from_fixed(small(projections=(first, fixed.projections[1])))


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match=r"netx\.write: network = 3"):
        netx.write(tmp_path / "a.net", 3)  # type: ignore[arg-type]
    with pytest.raises(FileFormatError, match="cannot be written"):
        netx.write(tmp_path / "no" / "a.net", netx.read(FILES / "dense.net").network)


# -------------------------------------------------------------------------------------- NIR


@pytest.mark.parametrize("name", ["dense", "conv", "recurrent", "own_decays"])
def test_as_a_nir_graph_it_spikes_the_same_under_slayers_rule(tmp_path: Path, name: str) -> None:
    network = netx.read(FILES / f"{name}.net").network
    with np.load(FILES / f"{name}.slayer.npz") as file:
        x = file["input"].astype(np.int64)
    nir.write(tmp_path / "a.nir", netx.to_nir(network, 1e-3, input_shape=x.shape[1:]))
    there = nir.run(
        nir.read(tmp_path / "a.nir").graph, {"input": x.astype(float)}, "slayer", dt=1e-3
    )
    said = nir.run(nir.read(tmp_path / "a.nir").graph, x.astype(float))  # rule and dt of the file
    assert said.rule.name == "slayer" and said.dt == 1e-3
    assert all(np.array_equal(a, said.spikes[n]) for n, a in there.spikes.items())
    here = netx.run(network, np.concatenate([x, np.zeros((8, *x.shape[1:]), int)]))
    for k, (layer, spikes) in enumerate(here.spikes.items(), 1):  # each layer takes a step
        mine = spikes[k : k + len(x)]
        assert mine.any() and np.array_equal(mine, there.spikes[layer].reshape(mine.shape))


@pytest.mark.parametrize(("name", "text"), [
    ("delay", "layer 0: field 'delay'"), ("concat", "layer 2: field 'type'"),
    ("input", "layer 0: field 'neuron'"), ("bias", "layer 1: field 'neuron/vDecay'"),
    ("pool_average", "layer 0: field 'kernelSize'"),
])  # fmt: skip
def test_what_nir_cannot_say_is_refused(name: str, text: str) -> None:
    with pytest.raises(LoweringError, match=text):
        netx.to_nir(netx.read(FILES / f"{name}.net").network, input_shape=(2, 5, 7))
