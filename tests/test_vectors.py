"""Replays recorded traces of three simulators through the public API: tolerance zero.

Every network of the vector files, in both engines, each peer by its own profile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import VECTORS, vector_files
from loihi_vectors import (
    NETWORKS,
    Vector,
    differences,
    is_float,
    learns,
    load_vectors,
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
from neuro_lif.runs import register_of

LEARNING = ("lava_learning", "nengo_pes_learning")
WARNINGS = {"Overflow in q0": "q", "Overflow in current": "u", "Overflow in u2": "d"}
"""What nengo-loihi warns of -> our register."""


def entries(config: pytest.Config) -> list[Vector]:
    """Return every network of the vector files that does not learn."""
    every = [v for file in vector_files(config) for v in load_vectors(file)]
    return [v for v in every if not learns(v)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = entries(metafunc.config)
    chosen = {
        "vector": [v for v in found if not is_float(v)],
        "float_vector": [v for v in found if is_float(v)],
        "lava_vector": [v for v in found if v["kind"] == "network" and not is_float(v)],
        "nengo_vector": [v for v in found if v["kind"] == "network_nengo"],
        "brian2_vector": [v for v in found if v["kind"] == "network_brian2"],
    }
    for name, vectors in chosen.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, vectors, ids=[v["id"] for v in vectors])


def check(vector: Vector, recording: Any) -> None:
    compared, lines = differences(vector, recording)
    assert not lines, "\n".join([f"{len(lines)} of {compared} values differ", *lines[:20]])


def test_emulator_equals_the_peer(vector: Vector) -> None:
    """The numpy emulator gives every register and spike that the peer gave."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    check(vector, run_fixed(fixed, n_steps, inputs, record="registers"))


def test_definition_equals_the_peer(vector: Vector) -> None:
    """The living definition gives the peer's values, and the emulator's events."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    recording = run_semantics(fixed, n_steps, inputs, record="registers")
    check(vector, recording)
    assert recording.events == run_fixed(fixed, n_steps, inputs).events


def test_a_run_in_two_calls_equals_one(vector: Vector) -> None:
    """Stepping the emulator by hand, stopping in between, gives the same state."""
    fixed, inputs, n_steps = vector_to_fixed(vector)
    recording = run_fixed(fixed, n_steps, inputs, record="registers")
    emulator = Emulator(fixed)
    for part in (range(n_steps // 2), range(n_steps // 2, n_steps)):
        for t in part:
            emulator.step({name: rows[None, t] for name, rows in inputs.items()})
        for name, variable in recording.traces if part else ():
            expected = recording.trace(name, variable)[part[-1]]
            register = register_of(fixed, name, variable)
            assert (emulator.register(name, register)[0] == expected).all()


def test_effective_weights_equal_lava(lava_vector: Vector) -> None:
    """Where the entry states them, the weights after clip and loss of low bits are Lava's."""
    fixed, _, _ = vector_to_fixed(lava_vector)
    stated = lava_vector.get("effective_weights") or {}
    stated = stated if isinstance(stated, list) else list(stated.values())
    ours = [fixed.effective_weights(p) for p in fixed.projections if p.latency is None]
    ours = [w.toarray() if hasattr(w, "toarray") else w for w in ours]
    if stated and all(s is not None for s in stated):
        assert [w.tolist() for w in ours] == stated


def test_effective_weights_equal_brian2(brian2_vector: Vector) -> None:
    """Synapse by synapse the weights are the peer's ``w_act``."""
    fixed, _, _ = vector_to_fixed(brian2_vector)
    stated = brian2_vector.get("actual_weights")
    if stated is None:
        return
    for s, projection, expected in zip(
        brian2_vector["network"]["synapses"], fixed.projections, stated, strict=True
    ):
        stored = np.lexsort((s["i"], s["j"]))  # by post, then pre, then as given
        ours = fixed.effective_weights(projection).data * 64
        assert ours.tolist() == np.array(expected)[stored].tolist()


def test_overflows_are_what_nengo_loihi_warns_of(nengo_vector: Vector) -> None:
    """Every warning of the peer is an event here, and every wrap here was a warning there."""
    fixed, inputs, n_steps = vector_to_fixed(nengo_vector)
    wraps = [e for e in run_fixed(fixed, n_steps, inputs).events if e.kind == "wrap"]
    assert {e.register for e in wraps} == {WARNINGS[w] for w in nengo_vector["warnings"]}


def test_float_reference_equals_lava(float_vector: Vector) -> None:
    """The float64 reference gives the values of Lava's float models, bit for bit."""
    stepped, inputs, n_steps = vector_to_stepped(float_vector)
    check(float_vector, run_clocked(stepped, n_steps, inputs, record="all"))


def test_what_is_left_out(request: pytest.FixtureRequest) -> None:
    """Only learning is left out, and single functions: those are not networks; all are printed."""
    files = vector_files(request.config)
    every = [v for file in files for v in load_vectors(file, None)]
    kinds = Counter(v["kind"] for v in every if v["kind"] not in NETWORKS)
    learning = [v["id"] for v in every if v["kind"] in NETWORKS and learns(v)]
    for kind, count in kinds.items():
        why = "learning" if kind in LEARNING else "a function, not a network"
        print(f"left out: {count} of kind {kind} ({why})")
    print(f"left out: {', '.join(learning) or 'no network'} (learning)")
    if files == VECTORS:
        assert learning == ["brian2.learning_const"]
        assert len(entries(request.config)) == 4 + 47 + 18 + 41 + 51


@pytest.mark.parametrize("where", ["vector", "population", "connection"])
def test_a_key_the_adapter_does_not_know_is_an_error(where: str) -> None:
    for path, kind in ((VECTORS[0], k) for k in NETWORKS):
        entry = next(v for v in load_vectors(path, (kind,)) if not is_float(v))
        net = dict(entry["network"])
        cells = next(k for k in ("neurons", "blocks", "groups") if k in net)
        links = next(k for k in ("connections", "synapses") if k in net)
        if where == "vector":
            net["surprise"] = 1
        elif where == "population":
            net[cells] = {n: c | {"surprise": 1} for n, c in net[cells].items()}
        else:
            net[links] = [c | {"surprise": 1} for c in net[links]]
        with pytest.raises(ValueError, match="surprise"):
            vector_to_fixed(entry | {"network": net})


def test_loihi1_neurons_equal_nengo_loihi(nengo_vector: Vector) -> None:
    """Profile loihi1, fed what the peer's synapses deliver, gives the peer's u, v and spikes."""
    theirs, inputs, n_steps = vector_to_fixed(nengo_vector)
    (population,), expected = theirs.populations, nengo_vector["expected"]
    spikes = inputs | {population.name: np.array(expected[population.name]["s"]).T}
    total = np.zeros((n_steps, population.size), np.int64)
    for p in theirs.projections:  # what was sent in a step arrives in the next
        total[1:] += (spikes[p.pre] @ theirs.effective_weights(p).T)[:-1]
    stored = theirs.params(population.name)
    assert not (total % 64).any() and not (stored["vth"] % 64).any()
    params = {k: stored[k] for k in theirs.profile.params.keys() - {"vth", "bias"}}
    params |= {"vth": stored["vth"] // 64, "bias_mant": stored["bias"]}
    plain = (stored["vmin"] == -(2**23) + 1).all() and not stored["enable_noise"].any()
    for model in ("lif", "lif_noise") if plain else ("lif_noise",):
        known = load_profile("loihi1").used_params(model)
        used = {k: v for k, v in params.items() if k in known}
        cell = FixedPopulation(population.name, population.size, model, used)
        direct = DirectInput("i", cell.name, total // 64)
        fixed = FixedNetwork(load_profile("loihi1"), (cell,), directs=(direct,),
                             enforce_ranges=False, seed=theirs.seed)  # fmt: skip
        for run in (run_fixed, run_semantics):
            check(nengo_vector, run(fixed, n_steps, record="registers"))


def test_the_model_without_noise_equals_nengo_loihi(nengo_vector: Vector) -> None:
    """What quantize lowers to computes the same wherever no noise is enabled."""
    fixed, inputs, n_steps = vector_to_fixed(nengo_vector)
    if any(fixed.params(p.name)["enable_noise"].any() for p in fixed.populations):
        pytest.skip("with noise")
    quiet = tuple(replace(p, model="lif_quiet") for p in fixed.populations)
    for run in (run_fixed, run_semantics):
        again = run(replace(fixed, populations=quiet), n_steps, inputs, record="registers")
        check(nengo_vector, again)


def test_noise_is_drawn_as_numpy_draws_it() -> None:
    """One draw per step for all neurons of the network, in the order of the populations."""
    params = {"du": 4095, "dv": 0, "enable_noise": 1, "noise_exp": 7}
    populations = tuple(FixedPopulation(name, size, "lif", params) for name, size in
                        (("a", 3), ("b", 2)))  # fmt: skip
    fixed = FixedNetwork(load_profile("nengo-loihi-1.1"), populations, seed=11)
    rng = np.random.RandomState(11)
    drawn = np.stack([rng.randint(-127, 128, size=5) for _ in range(9)])
    for run in (run_fixed, run_semantics):
        u = run(fixed, 9, record="all")
        assert np.array_equal(np.hstack([u.trace("a", "u"), u.trace("b", "u")]), drawn)
