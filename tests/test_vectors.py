"""Replays integer traces of Lava through the public API: every value equal, tolerance zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import VECTORS, vector_files
from loihi_vectors import (
    OutOfStage,
    Vector,
    differences,
    is_float,
    load_vectors,
    out_of_stage,
    vector_to_fixed,
    vector_to_stepped,
)

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    load_profile,
    run_clocked,
    run_fixed,
    run_semantics,
)
from neuro_lif.emulator import Emulator

OUT_OF_STAGE = {
    "lava.ternary": "TernaryLIF",
    "lava.ternary_into_dense_bool": "TernaryLIF",
    "lava.lifreset": "LIFReset",
    "lava.lifreset_default_interval": "LIFReset",
    "lava.conv_plain": "Conv",
    "lava.conv_wexp2_ignored": "Conv",
    "lava.conv_stride2_pad1": "Conv",
    "lava.sigma": "Sigma",
    "lava.delta_cum_error": "Delta",
    "lava.sigmadelta": "SigmaDelta",
    "lava.gradedvec": "GradedVec",
    "lava.atrlif": "ATRLIF",
}
"""Entries of the shipped file with processes that a later stage covers."""


NOT_LOIHI1 = {
    "nengo.vmin_zero": "the profile has no lower clip of its own at 0",
    "nengo.duplicate_index": "a fault of the peer's synapse table",
}
"""nengo-loihi entries that profile ``loihi1`` does not mean to reproduce."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    files = vector_files(metafunc.config)
    vectors = [v for file in files for v in load_vectors(file) if out_of_stage(v) is None]
    if "nengo_vector" in metafunc.fixturenames:
        blocks = [v for v in load_vectors(VECTORS[0], "network_nengo") if v["id"] not in NOT_LOIHI1]
        metafunc.parametrize("nengo_vector", blocks, ids=[v["id"] for v in blocks])
    for name, wanted in (("vector", False), ("float_vector", True)):
        if name in metafunc.fixturenames:
            chosen = [v for v in vectors if is_float(v) == wanted]
            metafunc.parametrize(name, chosen, ids=[v["id"] for v in chosen])


def check(vector: Vector, recording: Any) -> None:
    compared, lines = differences(vector, recording)
    assert not lines, "\n".join([f"{len(lines)} of {compared} values differ", *lines[:20]])


def test_emulator_equals_lava(vector: Vector) -> None:
    """The numpy emulator gives Lava's u, v and spikes."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    check(vector, run_fixed(fixed, n_steps, inputs, record="all"))


def test_definition_equals_lava(vector: Vector) -> None:
    """The living definition gives Lava's u, v and spikes, and the emulator's events."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    recording = run_semantics(fixed, n_steps, inputs, record="all")
    check(vector, recording)
    assert recording.events == run_fixed(fixed, n_steps, inputs).events


def test_effective_weights_equal_lava(vector: Vector) -> None:
    """Where the entry states them, the weights after clip and loss of low bits are Lava's."""
    fixed, _, _ = vector_to_fixed(vector)
    stated = vector.get("effective_weights") or {}
    stated = stated if isinstance(stated, list) else list(stated.values())
    ours = [fixed.effective_weights(p) for p in fixed.projections if p.latency is None]
    ours = [w.toarray() if hasattr(w, "toarray") else w for w in ours]
    if stated and all(s is not None for s in stated):
        assert [w.tolist() for w in ours] == stated


def test_a_run_in_two_calls_equals_one(vector: Vector) -> None:
    """Stepping the emulator by hand, stopping in between, gives the same state."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    recording = run_fixed(fixed, n_steps, inputs, record="all")
    emulator = Emulator(fixed)
    for part in (range(n_steps // 2), range(n_steps // 2, n_steps)):
        for t in part:
            emulator.step({name: rows[None, t] for name, rows in inputs.items()})
        for population in fixed.populations:
            for register in ("u", "v"):
                if part:
                    expected = recording.trace(population.name, register)[part[-1]]
                    assert (emulator.register(population.name, register)[0] == expected).all()


def test_float_reference_equals_lava(float_vector: Vector) -> None:
    """The float64 reference gives the values of Lava's float models, bit for bit."""
    stepped, inputs, n_steps = vector_to_stepped(float_vector)
    check(float_vector, run_clocked(stepped, n_steps, inputs, record="all"))


def test_what_is_out_of_this_stage(request: pytest.FixtureRequest) -> None:
    """Every entry left out is known to be, and why; the adapter refuses it."""
    files = vector_files(request.config)
    left_out = [v for file in files for v in load_vectors(file) if out_of_stage(v)]
    reasons = {v["id"]: out_of_stage(v) for v in left_out}
    print("\n".join(f"out of this stage: {k} ({why})" for k, why in reasons.items()))
    if files == VECTORS:
        assert reasons == OUT_OF_STAGE
    for vector in left_out:
        with pytest.raises(OutOfStage):
            vector_to_fixed(vector)
        with pytest.raises(OutOfStage):
            vector_to_stepped(vector)


def test_loihi1_neurons_equal_nengo_loihi(nengo_vector: Vector) -> None:
    """Profile loihi1, fed what the peer's synapses deliver, gives the peer's u, v and spikes."""
    net, n_steps = nengo_vector["network"], nengo_vector["n_steps"]
    ((name, block),) = net["blocks"].items()
    assert block.keys() <= {"n", "decay_u", "decay_v", "vth", "bias", "ref", "vmin"}
    assert block.get("vmin", -(2**23) + 1) == -(2**23) + 1
    params = {"du": block["decay_u"], "dv": block["decay_v"], "vth": block["vth"] // 64,
              "bias_mant": np.array(block.get("bias", 0)),
              "refract": block.get("ref", 1)}  # fmt: skip
    assert block["vth"] % 64 == 0
    emulator = Emulator(FixedNetwork(
        load_profile("loihi1"), (FixedPopulation(name, block["n"], "lif", params),),
        directs=(DirectInput("synapses", name),), enforce_ranges=False,
    ))  # fmt: skip
    emitted = np.zeros((1, block["n"]), np.int64)
    for t in range(n_steps):
        total = np.zeros((1, block["n"]), np.int64)
        for synapse in net.get("synapses", []):
            spikes = emitted
            if synapse["from"] in net.get("sources", {}):
                raster = np.array(net["sources"][synapse["from"]]["values"]).T
                spikes = raster[t - 1 : t] if 0 < t <= len(raster) else np.zeros_like(raster[:1])
            total += spikes @ np.array(synapse["weights"])
        assert not (total % 64).any()
        emitted = emulator.step({"synapses": total // 64})[name]
        state = {"u": emulator.register(name, "u"), "v": emulator.register(name, "v"), "s": emitted}
        for variable, rows in nengo_vector["expected"][name].items():
            expected = [row[t] for row in rows]
            assert state[variable][0].tolist() == expected, f"{variable} in step {t + 1}"
