"""Files of lava-dl's own exporter, and by hand, against lava-dl's own runs: every state, each step.

``NAME.netx.npz`` is what netx makes of ``NAME.net`` in Lava, ``NAME.slayer.npz`` what slayer's
blocks compute (tests/data/netx/make.py).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuro_lif import netx
from neuro_lif.convolution import Convolution
from neuro_lif.emulator import run_fixed
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.machine import run_semantics
from neuro_lif.netx.weights import optimise_bits

FILES = Path(__file__).parent / "data" / "netx"
IN_LAVA = sorted(p.name.split(".")[0] for p in FILES.glob("*.netx.npz"))
IN_SLAYER = sorted(p.name.split(".")[0] for p in FILES.glob("*.slayer.npz"))
RESET = 13


def arrays(name: str, kind: str) -> dict[str, Any]:
    with np.load(FILES / f"{name}.{kind}.npz") as file:
        return {k: file[k].astype(np.float64 if k == "out" else np.int64) for k in file.files}


def network(name: str) -> netx.NetxNetwork:
    return netx.read(FILES / f"{name}.net").network


def assert_equal(where: str, mine: Any, theirs: Any) -> None:
    a, b = mine.reshape(len(mine), -1), theirs.reshape(len(theirs), -1)
    assert a.shape == b.shape, where
    bad = np.argwhere(a != b)
    if len(bad):
        t, k = bad[0]
        pytest.fail(f"{where}: {len(bad)} of {a.size} differ, first in step {t + 1}, neuron {k}: "
                    f"{a[t, k]}, theirs {b[t, k]}")  # fmt: skip


def test_there_is_something_to_compare() -> None:
    kinds = {y.kind for n in IN_LAVA for y in network(n).layers}
    assert {"dense", "conv", "flatten", "input"} <= kinds
    kinds = {y.kind for n in IN_SLAYER for y in network(n).layers}
    assert kinds == {"dense", "conv", "flatten", "input", "pool", "average", "concat"}
    assert len(IN_LAVA) >= 15 and len(IN_SLAYER) >= 12


@pytest.mark.parametrize("profile", ["lava-0.10", "loihi2"])
@pytest.mark.parametrize("reset", [None, RESET])
@pytest.mark.parametrize("name", IN_LAVA)
def test_every_state_is_netx_in_lava(name: str, reset: int | None, profile: str) -> None:
    theirs = arrays(name, "netx")
    prefix = "" if reset is None else "reset/"
    rule = netx.NetxRule(recurrent_exponent="lost", ignore=("delay",))
    x = theirs[f"{prefix}input"]
    ran = netx.run(network(name), x, profile, rule=rule, reset_interval=reset)
    assert len(ran.spikes) == sum(k.startswith(f"{prefix}s/") for k in theirs)
    for k, layer in enumerate(ran.spikes):
        for what, mine in (("s", ran.spikes), ("u", ran.u), ("v", ran.v)):
            assert_equal(f"{layer} {what}", mine[layer], theirs[f"{prefix}{what}/{k}"])


def slayer_run(name: str, **changes: Any) -> tuple[netx.NetxRun, dict[str, Any], int]:
    """Run a file as slayer computes it; the last is how many steps later a layer of ours is."""
    theirs, net = arrays(name, "slayer"), network(name)
    x = theirs["input"]
    late = 0 if getattr(net.layers[0], "kind", "") == "input" else 1
    rule = netx.NetxRule(**({"delay": "axon", "input": "current"} | changes))
    return netx.run(net, np.concatenate([x, 0 * x[:1]]), rule=rule), theirs, late


@pytest.mark.parametrize("name", [n for n in IN_SLAYER if n != "own_decays_conv"])
def test_every_state_is_slayers(name: str) -> None:
    ran, theirs, late = slayer_run(name)
    n = len(theirs["input"])
    for layer in ran.spikes:
        k = layer.split("-")[0]
        for what, mine in (("s", ran.spikes), ("u", ran.u), ("v", ran.v)):
            assert_equal(f"{layer} {what}", mine[layer][late : late + n], theirs[f"{what}/{k}"])
    if name != "affine":  # it sends v
        shift = 1  # slayer's blocks give their last spikes a step late
        out = ran.outputs[late : late + n - shift] if late else ran.outputs[: n - shift]
        assert_equal("outputs", out.astype(np.float32), theirs["out"][shift:].astype(np.float32))


def test_slayer_on_a_cpu_spreads_the_decays_of_channels_along_the_width() -> None:
    net, theirs = network("own_decays_conv"), arrays("own_decays_conv", "slayer")
    first = net.layers[0]
    own = first.neurons
    assert own is not None and own.i_decay.shape == (3,) and first.shape == (3, 3, 3)
    wide = replace(own, i_decay=np.tile(own.i_decay, 9), v_decay=np.tile(own.v_decay, 9))
    odd = netx.NetxNetwork((replace(first, neuron=wide), *net.layers[1:]))
    x = np.concatenate([theirs["input"], 0 * theirs["input"][:1]])
    for layer, rows in netx.run(odd, x).v.items():
        assert_equal(layer, rows[1:], theirs[f"v/{layer[0]}"])
    meant = netx.run(net, x).v["0-conv"][1:]
    assert np.any(meant != theirs["v/0"]), "per channel is something else"


# ------------------------------------------------------------------- each difference by name


def test_delays_are_of_what_comes_in_or_of_what_is_sent() -> None:
    theirs, net = arrays("delay", "netx"), network("delay")
    x = theirs["input"]
    here = netx.run(net, x)
    axon = netx.run(net, x, rule=netx.NetxRule(delay="axon"))
    assert np.any(here.u["0-dense"] != axon.u["0-dense"])
    # without a bias a neuron whose input is late is late by the same
    late = np.asarray(getattr(net.layers[0], "delay", None))
    assert late.max() > 0
    for k, d in enumerate(late):
        n = len(x) - d
        assert_equal(f"neuron {k}", here.spikes["0-dense"][d:, k], axon.spikes["0-dense"][:n, k])


def test_the_exponent_of_recurrent_weights_with_delays_is_kept_or_lost() -> None:
    x = arrays("delay_recurrent", "netx")["input"]
    net = network("delay_recurrent")
    kept = netx.run(net, x)
    lost = netx.run(net, x, rule=netx.NetxRule(recurrent_exponent="lost"))
    plain = netx.run(net, x, rule=netx.NetxRule(weights="plain"))
    assert_equal("kept", kept.u["0-dense"], plain.u["0-dense"])
    assert np.any(kept.u["0-dense"] != lost.u["0-dense"])
    assert any("is lost" in note for note in lost.notes)


def test_delays_of_convolutions_are_slayers_or_left_out() -> None:
    net, x = network("conv_delay"), arrays("conv_delay", "slayer")["input"]
    with pytest.raises(LoweringError, match=r"layer 0: field 'delay'.*delay='axon'"):
        netx.to_fixed(net, input_shape=x.shape[1:])
    out = netx.run(net, x, rule=netx.NetxRule(ignore=("delay",)))
    assert any("delay: left out" in note for note in out.notes)
    assert np.any(out.u["2-dense"] != slayer_run("conv_delay")[0].u["2-dense"][:-1])


def test_an_input_layer_acts_as_a_bias_or_as_a_current() -> None:
    theirs, net = arrays("input", "netx"), network("input")
    x = theirs["input"]
    bias = netx.run(net, x)
    current = netx.run(net, x, rule=netx.NetxRule(input="current"))
    assert not np.any(bias.u["0-input"]) and np.any(current.u["0-input"])
    assert np.any(bias.v["0-input"] != current.v["0-input"])


def test_a_pool_may_keep_channels_apart() -> None:
    net, x = network("pool_across"), arrays("pool_across", "slayer")["input"]
    across = netx.run(net, x)
    assert any("windows lie across channels" in note for note in across.notes)
    apart = netx.run(net, x, rule=netx.NetxRule(pool="channels"))
    assert np.any(across.u["0-pool"] != apart.u["0-pool"])
    weight = int(net.layers[0].weight[0, 0, 0, 0])  # type: ignore[attr-defined]
    wide = np.pad(x, ((0, 0), (0, 0), (0, 2), (0, 1)))[:, :, :9, :6]
    sums = wide.reshape(len(x), 2, 3, 3, 2, 3).sum(axis=(3, 5)) * weight * 64
    decay = 4096 - int(net.layers[0].neurons.i_decay)  # type: ignore[union-attr]
    u = np.zeros((2, 3, 2), np.int64)
    for t in range(1, len(x)):
        u = np.sign(u) * (np.abs(u) * decay >> 12) + sums[t - 1]
        assert_equal(f"row {t}", apart.u["0-pool"][t : t + 1], u[None])


def test_a_probe_on_the_chip_shows_128_as_a_neuron_spikes() -> None:
    x = arrays("dense", "netx")["input"]
    chip = netx.run(network("dense"), x, rule=netx.NetxRule(shown_at_spike=128))
    cpu = netx.run(network("dense"), x)
    for layer, s in cpu.spikes.items():
        assert s.any() and np.all(cpu.v[layer][s > 0] == 0) and np.all(chip.v[layer][s > 0] == 128)
        assert_equal(layer, np.where(s > 0, 0, chip.v[layer]), cpu.v[layer])


@pytest.mark.parametrize(("name", "value"),
                         [("graded", True), ("ref_delay", 3), ("weight_exp", 2)])  # fmt: skip
def test_what_netx_leaves_out_is_refused_or_left_out_by_name(name: str, value: Any) -> None:
    field = {"graded": "gradedSpike", "ref_delay": "refDelay", "weight_exp": "wgtExp"}[name]
    net = network("dense")
    first = net.layers[0]
    assert first.neurons is not None
    odd = replace(first, neuron=replace(first.neurons, **{name: value}))
    other = netx.NetxNetwork((odd, *net.layers[1:]))
    with pytest.raises(LoweringError, match=f"layer 0: field 'neuron/{field}'"):
        netx.to_fixed(other)
    x = arrays("dense", "netx")["input"]
    ran = netx.run(other, x, rule=netx.NetxRule(ignore=(field,)))
    assert any(f"neuron/{field}" in note for note in ran.notes)
    assert_equal("v", ran.v["1-dense"], netx.run(net, x).v["1-dense"])


# -------------------------------------------------------------------------------- weights


def test_the_code_of_weights_is_netx_s() -> None:
    cases = json.loads((FILES / "weight_codes.json").read_text())
    told = 0
    for given, made in cases:
        weights = np.array(given)
        if made is None:  # netx breaks down
            told += 1
            assert not weights.any()
            assert optimise_bits(weights).exponent == 0
        elif made[2] > 0:  # it shifts by a negative number
            assert not np.array_equal(np.array(made[0]) * 2 ** made[2], weights)
            with pytest.raises(ValueError, match=r"-256\.\.255"):
                optimise_bits(weights)
        else:
            code = optimise_bits(weights)
            assert (code.mantissas.tolist(), code.bits, code.exponent) == tuple(made), given
    assert len(cases) > 100 and told < 20


def test_both_paths_of_the_weights_give_the_same_currents_where_8_bits_hold_them() -> None:
    x, net = arrays("dense", "netx")["input"], network("dense")
    fine, plain = netx.run(net, x), netx.run(net, x, rule=netx.NetxRule(weights="plain"))
    assert fine.fixed.projections[0].exponent < 0 == plain.fixed.projections[0].exponent
    for layer in fine.u:
        assert_equal(layer, fine.u[layer], plain.u[layer])


def test_odd_mixed_weights_lose_a_bit_where_they_are_stored_plainly() -> None:
    net = netx.NetxNetwork((netx.DenseLayer((1,), np.array([[3, -5]]), netx.Neuron(0, 0, 900)),))
    x = np.ones((3, 2), np.int64)
    assert netx.run(net, x).u["0-dense"][1, 0] == -2 * 64
    plain = netx.run(net, x, rule=netx.NetxRule(weights="plain"))
    assert plain.u["0-dense"][1, 0] != -2 * 64
    assert any(e.kind == "low_bits" for e in plain.fixed.storage_events())


# ----------------------------------------------------------------------------------- joining


def test_a_concat_layer_that_names_a_later_one_is_a_recurrence() -> None:
    rng = np.random.default_rng(5)
    first = netx.DenseLayer((3,), 2 * rng.integers(-20, 40, (3, 4)), netx.Neuron(900, 300, 60))
    own, weight = netx.Neuron(700, 200, 80), 2 * rng.integers(-30, 50, (2, 5))
    joined = netx.NetxNetwork(
        (first, netx.ConcatLayer((5,), (2,)), netx.DenseLayer((2,), weight, own))
    )
    rec = netx.DenseLayer((2,), weight[:, :3], own, weight_rec=weight[:, 3:])
    x = rng.integers(0, 2, (60, 4))
    a, b = netx.run(joined, x), netx.run(netx.NetxNetwork((first, rec)), x)
    assert a.spikes["2-dense"].any()
    for kind in ("spikes", "u", "v"):
        assert_equal(kind, getattr(a, kind)["2-dense"], getattr(b, kind)["1-dense"])


def test_planes_are_joined_along_their_channels() -> None:
    rng = np.random.default_rng(6)

    def conv(c_out: int, c_in: int) -> netx.ConvLayer:
        weight = 2 * rng.integers(-20, 40, (c_out, c_in, 3, 3))
        return netx.ConvLayer((c_out, 4, 5), weight, netx.Neuron(900, 300, 90), padding=(1, 1))

    one, two, three = conv(2, 1), conv(1, 2), conv(2, 3)
    start = (netx.InputLayer((1, 4, 5)), one, two)
    net = netx.NetxNetwork((*start, netx.ConcatLayer((3, 4, 5), (1,)), three))
    matrix = Convolution(three.weight, (3, 4, 5), 1, 1, layout="torch").matrix().toarray()
    row = netx.DenseLayer((40,), matrix, three.neuron)
    flat = netx.NetxNetwork((*start, netx.ConcatLayer((60,), (1,)), row))
    x = rng.integers(0, 2, (40, 1, 4, 5))
    a, b = netx.run(net, x), netx.run(flat, x)
    assert a.spikes["4-conv"].any()
    assert_equal("v", a.v["4-conv"], b.v["4-dense"])
    wrong = netx.NetxNetwork((*start, netx.ConcatLayer((4, 4, 5), (1,)), three))
    with pytest.raises(LoweringError, match=r"layer 3: field 'shape'.*60 values"):
        netx.to_fixed(wrong)


# ------------------------------------------------------------------------ engines and inputs


@pytest.mark.parametrize("name", ["conv_bias", "recurrent", "pool_average", "delay_outputs"])
def test_the_engines_agree(name: str) -> None:
    net = network(name)
    kind = "slayer" if name == "pool_average" else "netx"
    x = arrays(name, kind)["input"][:20]
    fixed = netx.to_fixed(net, input_shape=x.shape[1:], reset_interval=7)
    flat = {"input": x.reshape(len(x), -1)}
    numpy = run_fixed(fixed, inputs=flat, record="all", engine="numpy")
    meant = run_semantics(fixed, inputs=flat, record="all")
    auto = run_fixed(fixed, inputs=flat, record="all")
    for key, trace in numpy.traces.items():
        assert_equal(f"{key} semantics", meant.traces[key], trace)
        assert_equal(f"{key} auto", auto.traces[key], trace)


@pytest.mark.verify
@pytest.mark.parametrize("name", ["dense", "conv_bias", "recurrent", "input", "delay_inputs"])
def test_lava_runs_what_was_lowered(name: str) -> None:
    from neuro_lif.targets.lava import run_lava

    x = arrays(name, "netx")["input"]
    net = network(name)
    ran = netx.run(net, x, "lava-0.10", reset_interval=RESET)
    raster = netx.encode(net, x, ran.fixed.input_sizes()["input"])
    there = run_lava(ran.fixed, inputs={"input": raster}, record="all")
    for key, trace in ran.recording.traces.items():
        assert_equal(str(key), trace, there.traces[key])


def test_layers_are_reset_one_step_after_another() -> None:
    x = np.zeros((40, 4), np.int64)
    net = network("deep")
    fixed = netx.to_fixed(net, reset_interval=17, reset_offset=3)
    offsets = [int(np.ravel(p.params["reset_offset"])[0]) for p in fixed.populations]
    assert offsets == [(4 + k) % 17 for k in range(12)]
    quiet = netx.Neuron(4096, 0, 100000)
    biased = netx.NetxNetwork(tuple(replace(y, bias=1, neuron=quiet) for y in net.layers))
    ran = netx.run(biased, x, reset_interval=17, reset_offset=3)
    for k, v in enumerate(ran.v.values()):
        steps = np.arange(1, 41)
        since = np.where(steps % 17 == (4 + k) % 17, 0, np.nan)
        meant, count = [], 0
        for s in since:
            count = 1 if s == 0 else count + 1
            meant.append(64 * count)
        assert_equal(f"layer {k}", v, np.repeat(np.array(meant)[:, None], v.shape[1], axis=1))


def test_inputs_that_do_not_fit_are_told() -> None:
    net = network("input")
    with pytest.raises(RangeError, match=r"inputs = .*20 values"):
        netx.run(net, np.zeros((5, 3)))
    with pytest.raises(RangeError, match="the 16 bits of a bias"):
        netx.run(net, np.full((5, 20), 700))
    with pytest.raises(RangeError, match="whole numbers"):
        netx.run(net, np.full((5, 20), 0.301))
    with pytest.raises(RangeError, match="n_steps"):
        netx.run(net, np.zeros((5, 20)), n_steps=0)
    with pytest.raises(RangeError, match="reset_interval"):
        netx.to_fixed(net, reset_interval=0)
    with pytest.raises(RangeError, match="model lif and du"):
        netx.to_fixed(net, "truenorth")
    with pytest.raises(RangeError, match="NetxRule: delay"):
        netx.NetxRule(delay="no")  # type: ignore[arg-type]
    short = netx.run(net, np.ones((5, 1, 4, 5)), n_steps=9)
    assert short.outputs.shape == (9, 4)


def test_currents_may_be_given_as_they_are() -> None:
    theirs, net = arrays("input", "netx"), network("input")
    first = net.layers[0]
    assert isinstance(first, netx.InputLayer) and first.weight and first.bias
    ran = netx.run(net, theirs["input"] * first.weight + first.bias, transform=False)
    assert_equal("v", ran.v["0-input"], theirs["v/0"])


def test_graded_spikes_come_in_where_message_bits_say_so() -> None:
    net = netx.NetxNetwork((netx.DenseLayer((1,), np.array([[4]]), netx.Neuron(4096, 0, 900)),))
    x = np.array([[3], [0], [-2], [0]])
    plain = netx.run(net, x).u["0-dense"][:, 0]
    graded = netx.run(net, x, input_message_bits=8).u["0-dense"][:, 0]
    assert plain.tolist() == [0, 256, 0, 256] and graded.tolist() == [0, 768, 0, -512]
