"""Long differential runs (marker ``verify``): the decay product, and Lava's classes in process."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuro_lif import load_profile
from neuro_lif.emulator import OpList
from neuro_lif.semantics import neuron_step

pytestmark = pytest.mark.verify

IntArray = npt.NDArray[np.int64]

TOP = 2**23
CHUNK = 2**20
STRIDE = int(os.environ.get("NEURO_LIF_VERIFY_STRIDE", "17"))
"""Decays 0, 17, 34, ... and the last three; 1 means all 4097, about twenty minutes."""


def decay_only(profile: str, register: str) -> Any:
    """Return the one operation by which the profile's LIF decays ``register``."""
    ops = load_profile(profile).ops("lif")
    return tuple(op for op in ops if op["op"] == "decay" and op["reg"] == register)


def kept_by_parts(magnitude: IntArray, factor: int) -> IntArray:
    """Return floor(magnitude * factor / 4096), high and low part apart, by floor division."""
    high, low = np.divmod(magnitude, 4096)
    return np.asarray(high * factor + (low * factor) // 4096, np.int64)


@pytest.mark.parametrize("sign", [1, -1])
def test_decay_product_of_every_magnitude(sign: int) -> None:
    """v (4096 - dv) / 4096 toward zero, for all |v| < 2^23."""
    ops = decay_only("lava-0.10", "v")
    assert len(ops) == 1
    decays = sorted({*range(0, 4097, STRIDE), 1, 4094, 4095, 4096})
    compared = different = 0
    for start in range(0, TOP, CHUNK):
        magnitude = np.arange(start, start + CHUNK, dtype=np.int64)
        zero = np.zeros_like(magnitude)
        for d in decays:
            neurons = OpList(ops, {"dv": np.int64(d)}, {"v": sign * magnitude, "ref": zero})
            neurons.step(zero)
            expected = sign * kept_by_parts(magnitude, 4096 - d)
            different += int((neurons.state["v"] != expected).sum())
            compared += CHUNK
    print(f"{compared} decay products of sign {sign:+}, {different} differences")
    assert compared == TOP * len(decays)
    assert different == 0


def test_decay_by_parts_is_what_the_definition_says() -> None:
    """The formula of the test above against the living definition, 200,000 samples."""
    rng = np.random.default_rng(1)
    for register, param, offset in (("u", "du", 1), ("v", "dv", 0)):
        ops = decay_only("lava-0.10", register)
        x = rng.integers(-TOP, TOP + 1, 100_000)
        d = rng.integers(0, 4096, x.size)
        expected = np.sign(x) * np.array(
            [kept_by_parts(np.abs(x[i : i + 1]), 4096 - offset - int(d[i]))[0]
             for i in range(x.size)]
        )  # fmt: skip
        for value, decay, kept in zip(x.tolist(), d.tolist(), expected.tolist(), strict=True):
            state = {register: value}
            neuron_step(ops, {param: decay}, state, {})
            assert state[register] == kept


# ----------------------------------------------------------------------------------- Lava


def lava(module: str) -> Any:
    """Import one of Lava's modules, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(module, reason="lava-nc is not installed in this Python")


def lava_neurons(rng: np.random.Generator, n: int, wild: bool) -> tuple[Any, dict[str, IntArray]]:
    """Return Lava's bit-accurate model of ``n`` neurons and the parameters it was given."""
    model = lava("lava.proc.lif.models").PyLifModelBitAcc({})
    past = 40 if wild else 0
    params = {
        "du": rng.integers(-past, 4096 + past, n),
        "dv": rng.integers(-past, 4096 + past, n) // int(rng.choice([1, 16, 512])),
        "vth": rng.integers(-past, 131072 + past, n) // int(rng.choice([1, 8, 1024])),
        "bias_mant": rng.integers(*((-32768, 32768) if wild else (-4096, 4096)), n),
        "bias_exp": rng.integers(*((-18, 35) if wild else (0, 8)), n),
    }
    model.du, model.dv, model.vth = (params[k] for k in ("du", "dv", "vth"))
    model.bias_mant = params["bias_mant"].astype(np.int16)
    model.bias_exp = params["bias_exp"].astype(np.int16)
    limit = 2**28 if wild else TOP
    model.u = rng.integers(-limit + 1, limit, n).astype(np.int32)
    model.v = rng.integers(-limit + 1, limit, n).astype(np.int32)
    model.scale_bias()
    model.scale_threshold()
    return model, params


def lava_step(model: Any, port: npt.NDArray[np.int32]) -> Any:
    """Advance Lava's model as its ``run_spk`` does, without its ports; return the spikes."""
    model.subthr_dynamics(activation_in=port)
    spikes = model.spiking_activation()
    model.reset_voltage(spike_vector=spikes)
    return spikes


@pytest.mark.parametrize("profile", ["lava-0.10", "loihi2"])
@pytest.mark.parametrize("wild", [False, True], ids=["in_range", "wild"])
def test_neuron_equals_lava_class(profile: str, wild: bool) -> None:
    """More than 20 million neuron-steps each: u, v and spikes, in range and far out of it."""
    rng = np.random.default_rng(20 + wild)
    ops = load_profile(profile).ops("lif")
    n, n_steps, rounds = 4096, 40, 150
    compared = different = fired = 0
    for _ in range(rounds):
        model, params = lava_neurons(rng, n, wild)
        state = {"u": model.u, "v": model.v, "d": np.zeros(n), "ref": np.zeros(n)}
        neurons = OpList(ops, params, state)
        reach = int(rng.choice([50, 3000, 131072, 2**31 if wild else 131072]))
        for _ in range(n_steps):
            port = rng.integers(-reach, reach, n).astype(np.int32)
            expected = lava_step(model, port)
            spikes = neurons.step(port.astype(np.int64))
            wrong = (neurons.state["u"] != model.u) | (neurons.state["v"] != model.v)
            different += int((wrong | (spikes != expected)).sum())
            compared += n
            fired += int(spikes.sum())
    print(f"{compared} neuron-steps against Lava's class, {fired} spikes, {different} differences")
    assert compared > 2e7
    assert 0 < fired < compared
    assert different == 0


def test_weight_coding_equals_lava_functions() -> None:
    """Every mantissa -600..600, every sign mode, 0 to 11 weight bits."""
    utils = lava("lava.utils.weightutils")
    rules = load_profile("lava-0.10").weights
    mantissas = np.arange(-600, 601)
    compared = 0
    for mode in utils.SignMode:
        for bits in range(12):
            clipped = utils.clip_weights(mantissas, mode, num_bits=8)
            expected = utils.truncate_weights(clipped, mode, bits)
            got = rules.effective(mantissas, mode.name.lower(), bits)
            np.testing.assert_array_equal(got, expected, err_msg=f"{mode} {bits}")
            compared += got.size
    print(f"{compared} weights against Lava's functions, 0 differences")
