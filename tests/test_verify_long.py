"""Long differential runs (marker ``verify``): the emulator and the peers' own classes, in process.

What needs no peer is in test_exhaustive.py, test_forced_overflow.py and test_lemmas.py.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from parallel import in_processes

from neuro_lif import load_profile, run_fixed
from neuro_lif.conformance.networks import network_of
from neuro_lif.emulator import OpList

pytestmark = pytest.mark.verify

IntArray = npt.NDArray[np.int64]
Record = Callable[[str], None]

TOP = 2**23


def summed(found: list[tuple[int, ...]]) -> list[int]:
    return [sum(column) for column in zip(*found, strict=True)]


# ----------------------------------------------------------------------------------- Lava


def lava(module: str) -> Any:
    """Import one of Lava's modules, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if module.partition(".")[0] not in sys.modules:
            # Lava sets how processes start, which a process started afresh has settled already
            multiprocessing.set_start_method(None, force=True)  # type: ignore[arg-type]
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


def lava_differences(job: tuple[str, bool, int]) -> tuple[int, int, int]:
    """Return (neuron-steps, spikes, differences) of 150 populations of 4096 neurons, 40 steps.

    Args:
        job: the profile, whether far out of range, and the seed.
    """
    profile, wild, seed = job
    rng = np.random.default_rng([wild, seed])
    ops = load_profile(profile).ops("lif")
    n, compared, different, fired = 4096, 0, 0, 0
    for _ in range(150):
        model, params = lava_neurons(rng, n, wild)
        state = {"u": model.u, "v": model.v, "d": np.zeros(n), "ref": np.zeros(n)}
        neurons = OpList(ops, params, state)
        reach = int(rng.choice([50, 3000, 131072, 2**31 if wild else 131072]))
        for _ in range(40):
            port = rng.integers(-reach, reach, n).astype(np.int32)
            expected = lava_step(model, port)
            spikes = neurons.step(port.astype(np.int64))
            wrong = (neurons.state["u"] != model.u) | (neurons.state["v"] != model.v)
            different += int((wrong | (spikes != expected)).sum())
            compared += n
            fired += int(spikes.sum())
    return compared, fired, different


@pytest.mark.oracle
@pytest.mark.parametrize("profile, rounds", [("lava-0.10", 21), ("loihi2", 2)])
def test_neuron_equals_lava_class(profile: str, rounds: int, record_figure: Record) -> None:
    """10^9 neuron-steps of lava-0.10, 10^8 or nearly of loihi2: u, v and spikes.

    Half of them in range, half of them far out of it.
    """
    lava("lava.proc.lif.models")
    jobs = [(profile, wild, seed) for seed in range(rounds) for wild in (False, True)]
    compared, fired, different = summed(in_processes(lava_differences, jobs))
    record_figure(
        f"{profile} against Lava's model class: {compared:,} neuron-steps, {fired:,} spikes, "
        f"{different} differences"
    )
    assert compared == rounds * 2 * 150 * 40 * 4096
    assert profile != "lava-0.10" or compared >= 1_000_000_000
    assert 0 < fired < compared
    assert different == 0


@pytest.mark.oracle
def test_weight_coding_equals_lava_functions(record_figure: Record) -> None:
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
    record_figure(f"weights against Lava's functions: {compared:,}, 0 differences")


# ---------------------------------------------------------------------------- nengo-loihi


def driver(name: str, package: str) -> Any:
    """Import the driver of a peer, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package, reason=f"{package} is not installed in this Python")
        return pytest.importorskip(f"oracles.{name}")


def nengo_population(rng: np.random.Generator, name: str, n: int, wild: bool) -> dict[str, Any]:
    """Return a block of compartments; what is one number per block differs between blocks."""
    reach = 2**23 if wild else 524160
    params = {
        "du": rng.integers(0, 4096, n), "dv": rng.integers(0, 4096, n) >> int(rng.integers(0, 9)),
        "vth": rng.integers(0, TOP, n) >> int(rng.integers(0, 16)),
        "bias": rng.integers(-reach, reach, n) >> int(rng.integers(0, 16)),
        "refract": rng.integers(0, 64, n) >> int(rng.integers(0, 6)),
        "vmin": -int(rng.integers(0, TOP) >> rng.integers(0, 23)) if rng.random() < 0.5
        else -TOP + 1, "vmax": int(rng.choice([511, 2**17 - 1, TOP - 1])),
        "enable_noise": rng.integers(0, 2, n), "noise_exp": int(rng.integers(0, 24)),
        "noise_offset": int(rng.integers(-256, 256)), "noise_at_membrane": int(rng.integers(0, 2)),
    }  # fmt: skip
    return {"name": name, "size": n, "model": "lif", "params": params}


def nengo_differences(job: tuple[bool, int]) -> tuple[int, int, int]:
    """Return (neuron-steps, spikes, differences) of 20 x 8 blocks of 512 compartments, 60 steps.

    Args:
        job: whether far out of range, and the seed.
    """
    wild, seed = job
    nengo_driver = driver("nengo_driver", "nengo_loihi")
    rng = np.random.default_rng([wild, seed])
    profile = load_profile("nengo-loihi-1.1")
    rule, compared, different, fired = profile.noise, 0, 0, 0
    assert rule is not None
    for _ in range(20):
        blocks = [nengo_population(rng, f"b{k}", 512, wild) for k in range(8)]
        noise_seed = int(rng.integers(2**32))
        cells = nengo_driver.Compartments(blocks, noise_seed)
        n = sum(b["size"] for b in blocks)
        params = {key: np.concatenate([np.broadcast_to(b["params"][key], 512) for b in blocks])
                  for key in blocks[0]["params"]}  # fmt: skip
        state = dict.fromkeys((*profile.registers, "ref"), np.zeros(n))
        neurons, noise = (
            OpList(profile.ops("lif"), params, state),
            np.random.RandomState(noise_seed),
        )
        reach = int(rng.choice([50, 3000, 131072, 2**30 if wild else 2**20]))
        for _ in range(60):
            port = rng.integers(-reach, reach, n).astype(np.int32)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of every overflow
                expected = cells.step(port)
            drawn = noise.randint(rule.lo, rule.hi + 1, size=n)
            spikes = neurons.step({"in": port.astype(np.int64), rule.port: drawn.astype(np.int64)})
            u, v = cells.state.current, cells.state.voltage
            wrong = (neurons.state["u"] != u) | (neurons.state["v"] != v)
            wrong |= neurons.state["ref"] != cells.state.ref_count
            different += int((wrong | (spikes != expected)).sum())
            compared += n
            fired += int(spikes.sum())
    return compared, fired, different


@pytest.mark.oracle
def test_neuron_equals_nengo_loihi_compartments(record_figure: Record) -> None:
    """10^8 neuron-steps and more: u, v, refractory counter and spikes, with noise and bounds."""
    driver("nengo_driver", "nengo_loihi")
    jobs = [(wild, seed) for seed in range(11) for wild in (False, True)]
    compared, fired, different = summed(in_processes(nengo_differences, jobs))
    record_figure(
        f"nengo-loihi-1.1 against CompartmentState: {compared:,} neuron-steps, {fired:,} spikes, "
        f"{different} differences"
    )
    assert compared >= 100_000_000
    assert 0 < fired < compared
    assert different == 0


# --------------------------------------------------------------------------- brian2_loihi


def brian2_vector(rng: np.random.Generator, n: int, n_steps: int) -> dict[str, Any]:
    """Return a network of two groups, driven and recurrent, in the schema of the drivers."""
    groups = [
        {"name": name, "size": n, "model": "lif", "params": {
            "du": int(rng.choice([0, 1, 163, 1000, 4095, 4096, rng.integers(0, 4097)])),
            "dv": int(rng.choice([0, 1, 163, 1000, 4096, rng.integers(0, 4097)])),
            "vth": int(rng.integers(0, 4000) >> rng.integers(0, 9)),
            "refract": max(int(rng.integers(1, 65) >> rng.integers(0, 6)), 1),
        }}
        for name in ("a", "b")
    ]  # fmt: skip
    raster = (rng.random((n_steps, 300)) < 0.1).astype(int).tolist()

    def joined(name: str, pre: str, post: str, n_pre: int) -> dict[str, Any]:
        mode = str(rng.choice(["mixed", "excitatory", "excitatory", "inhibitory"]))
        lo, hi = {"mixed": (-256, 254), "excitatory": (0, 255), "inhibitory": (-255, 0)}[mode]
        pairs = np.unique(rng.integers(0, n * n_pre, 4 * n))
        weights = {"rows": (pairs // n_pre).tolist(), "columns": (pairs % n_pre).tolist(),
                   "values": rng.integers(lo, hi + 1, pairs.size).tolist(),
                   "shape": [n, n_pre]}  # fmt: skip
        return {"name": name, "pre": pre, "post": post, "weights": weights, "sign_mode": mode,
                "exponent": int(rng.integers(-2, 8)), "weight_bits": int(rng.integers(1, 9)),
                "delays": int(rng.integers(0, 5))}  # fmt: skip

    network = {
        "populations": groups, "inputs": [{"name": "s", "size": 300, "raster": raster}],
        "projections": [joined("sa", "s", "a", 300), joined("sb", "s", "b", 300),
                        joined("ab", "a", "b", n), joined("bb", "b", "b", n)],
    }  # fmt: skip
    return {"id": "long", "profile": "brian2-loihi-0.5", "network": network, "n_steps": n_steps}


def brian2_differences(seed: int) -> tuple[int, int, int]:
    """Return (neuron-steps, spikes, differences) of one network of 2 x 8000 neurons, 100 steps."""
    peer = driver("brian2_driver", "brian2_loihi")
    rng = np.random.default_rng(seed)
    n, n_steps = 8000, 100
    vector = brian2_vector(rng, n, n_steps)
    peer.brian2.prefs.codegen.target = "numpy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        objects, monitors = peer._build(vector, n_steps)
        peer.LoihiNetwork(*objects).run(n_steps)
    run = run_fixed(network_of(vector), n_steps, record="all")
    compared = different = fired = 0
    for name, row in monitors.items():
        spikes = np.zeros((n_steps, n), np.int64)
        times = np.rint(np.asarray(row["s"].t_) * 1000).astype(int)
        spikes[times, np.asarray(row["s"].i)] = 1
        wrong = run.traces[name, "u"] != np.asarray(row["u"].I).T
        wrong |= run.traces[name, "v"] != np.asarray(row["v"].v).T
        wrong |= run.spikes[name] != spikes
        different += int(wrong.sum())
        compared += wrong.size
        fired += int(spikes.sum())
    return compared, fired, different


@pytest.mark.oracle
def test_network_equals_brian2_loihi(record_figure: Record) -> None:
    """10^8 neuron-steps of networks with synapses and delays: u, v and spikes."""
    driver("brian2_driver", "brian2_loihi")
    compared, fired, different = summed(in_processes(brian2_differences, range(63)))
    record_figure(
        f"brian2-loihi-0.5 against brian2_loihi: {compared:,} neuron-steps of networks, {fired:,} "
        f"spikes, {different} differences"
    )
    assert compared >= 100_000_000
    assert 0 < fired < compared
    assert different == 0
