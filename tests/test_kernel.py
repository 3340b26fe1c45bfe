"""The compiled kernel: equal to the numpy engine in everything, with every instruction set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_networks import random_dialect
from random_fixed import PROFILES, random_fixed
from scipy import sparse

import neuro_lif as nl
from neuro_lif.emulator.compiled import built
from neuro_lif.emulator.synapses import rows_of
from neuro_lif.engines import NotInKernel
from neuro_lif.kernel import native

pytestmark = pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")

SETS = native().usable_sets() if native() else []  # type: ignore[union-attr]


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Use one instruction set for a test."""
    module: Any = native()
    before = module.used_set()
    assert module.choose_set(request.param) and module.used_set() == request.param
    yield request.param
    module.choose_set(before)


def same(a: nl.Recording, b: nl.Recording, what: Any) -> None:
    """Fail at the first difference of two recordings."""
    for name in a.spikes:
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name], f"{what} spikes of {name}")
        assert a.spikes[name].dtype == b.spikes[name].dtype
    assert a.traces.keys() == b.traces.keys()
    for key, trace in a.traces.items():
        np.testing.assert_array_equal(trace, b.traces[key], f"{what} {key}")
    assert a.events == b.events, what


def in_kernel(fixed: nl.FixedNetwork) -> bool:
    try:
        built(fixed)
    except NotInKernel:
        return False
    return True


def compared(fixed: nl.FixedNetwork, n_steps: int, what: Any, **more: Any) -> int:
    """Compare the two engines; return how many neuron-steps that were, 0 where only one can."""
    try:
        got = nl.run_fixed(fixed, n_steps, record="registers", engine="kernel", **more)
    except nl.NeuroLifError as error:
        assert 'engine = "kernel"' in str(error)
        return 0
    assert "compiled" in got.provenance["engine"]
    same(nl.run_fixed(fixed, n_steps, record="registers", engine="numpy", **more), got, what)
    # recorded or not, scratch registers take another way through the kernel
    got = nl.run_fixed(fixed, n_steps, record="all", engine="kernel", **more)
    same(nl.run_fixed(fixed, n_steps, record="all", engine="numpy", **more), got, what)
    return n_steps * sum(p.size for p in fixed.populations)


@pytest.mark.parametrize("profile", PROFILES)
def test_random_networks(profile: str, instruction_set: str) -> None:
    """Every register, spike and overflow of random networks."""
    rng = np.random.default_rng([len(profile), len(instruction_set)])
    found = [compared(random_fixed(rng, profile), 40, (profile, k)) for k in range(8)]
    assert sum(n > 0 for n in found) >= 3


@pytest.mark.parametrize(
    "profile", ["brian2-loihi-0.5", "dynapcnn", "generic", "lava-0.10", "loihi1", "loihi2",
                "nengo-loihi-1.1", "truenorth", "catalyst-n1"],
)  # fmt: skip
def test_random_networks_of_every_model(profile: str, instruction_set: str) -> None:
    """The wild ones too: parameters, states and inputs far out of range."""
    rng = np.random.default_rng([1, len(profile), len(instruction_set)])
    ran = 0
    for k in range(12):
        ran += compared(random_dialect(rng, nl.load_profile(profile)), 12, (profile, k)) > 0
    assert ran >= 1


@pytest.mark.verify
def test_many_random_networks(record_figure: Any) -> None:
    """Networks of all profiles, tolerance zero."""
    steps = ran = 0
    for seed in range(300):
        for profile in PROFILES:
            rng = np.random.default_rng([2, seed, len(profile)])
            n = compared(random_fixed(rng, profile), 40, (profile, seed))
            steps, ran = steps + n, ran + (n > 0)
    record_figure(f"kernel against numpy: {ran} random networks, {steps:,} neuron-steps, "
                  "0 differences")  # fmt: skip
    assert ran >= 300


def sized(n: int, model: str = "lif_refractory", **params: Any) -> nl.FixedNetwork:
    """Return a recurrent network of ``n`` neurons that spike, with an input."""
    rng = np.random.default_rng(n)
    weights = np.where(rng.random((n, n)) < 0.2, rng.integers(-60, 60, (n, n)), 0)
    inward = sparse.csr_matrix(np.where(rng.random((n, 5)) < 0.5, 100, 0))
    given = {"du": 400, "dv": rng.integers(0, 300, n), "vth": 200, "bias_mant": 90, **params}
    return nl.FixedNetwork(
        nl.load_profile("loihi2"), (nl.FixedPopulation("n", n, model, given),),
        (nl.FixedProjection("r", "n", "n", weights, sign_mode="mixed"),
         nl.FixedProjection("i", "x", "n", inward, delays=3, sign_mode="excitatory")),
        (nl.FixedSource("x", 5),),
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 15, 16, 17, 255, 256, 257, 513, 700])
def test_sizes_around_a_block(n: int, instruction_set: str) -> None:
    """Neurons beyond the last whole block neither spike nor overflow."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (30, 5))
    assert compared(sized(n, refract=2), 30, n, inputs={"x": x}) > 0


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_batches_and_threads(threads: int) -> None:
    """Samples are what they are one by one, however many threads share them."""
    fixed = sized(40, "lif")
    x = np.random.default_rng(1).integers(0, 2, (5, 25, 5))
    got = nl.run_fixed(fixed, 25, {"x": x}, record="all", engine="kernel", threads=threads)
    same(nl.run_fixed(fixed, 25, {"x": x}, record="all", engine="numpy"), got, threads)
    for k in range(5):
        one = nl.run_fixed(fixed, 25, {"x": x[k]}, record="all", engine="kernel")
        np.testing.assert_array_equal(got.sample(k).spikes["n"], one.spikes["n"])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.int64, np.float64])
def test_inputs_of_any_type(dtype: Any) -> None:
    """Whole numbers are the same in any type."""
    fixed = sized(20, "lif")
    x = np.random.default_rng(2).integers(0, 2, (20, 5))
    wanted = nl.run_fixed(fixed, 20, {"x": x}, record="all", engine="numpy")
    same(wanted, nl.run_fixed(fixed, 20, {"x": x.astype(dtype)}, record="all", engine="kernel"),
         dtype)  # fmt: skip


def test_what_leaves_32_bits_is_done_in_64() -> None:
    """A block that overflows leaves the quick program, and comes back."""
    n = 600
    start = np.zeros(n, np.int64)
    start[300] = 2**23 - 1
    fixed = nl.FixedNetwork(
        nl.load_profile("loihi2"),
        (nl.FixedPopulation("n", n, "lif", {"du": 100, "dv": 0, "vth": 131071}, {"u": start}),),
        directs=(nl.DirectInput("d", "n"),),
    )  # fmt: skip
    x = np.zeros((40, n), np.int64)
    x[3, 10], x[4, 599], x[9, 300] = 2**40, -(2**33), 2**19
    got = nl.run_fixed(fixed, 40, {"d": x}, record="registers", engine="kernel")
    same(nl.run_fixed(fixed, 40, {"d": x}, record="registers", engine="numpy"), got, "wild")
    assert got.events
    exact, every = map(int, got.provenance["steps of blocks in 64 bits"].split(" of "))
    assert 0 < exact < every == 120


def test_strict_names_the_first_overflow() -> None:
    """In both engines, in the same words."""
    fixed = nl.FixedNetwork(
        nl.load_profile("loihi2"), (nl.FixedPopulation("n", 300, "lif", {"vth": 131071}),),
        directs=(nl.DirectInput("d", "n"),),
    )  # fmt: skip
    x = np.zeros((60, 300), np.int64)
    x[30, 290] = 2**31
    texts = []
    for engine in ("kernel", "numpy"):
        with pytest.raises(nl.NeuroLifError) as caught:
            nl.run_fixed(fixed, 60, {"d": x}, strict=True, engine=engine)
        texts.append(str(caught.value))
    assert texts[0] == texts[1] and "step 31" in texts[0] and "neuron 290" in texts[0]


def test_progress_reaches_the_end() -> None:
    told: list[tuple[int, int]] = []
    nl.run_fixed(sized(10, "lif"), 5000, progress=lambda *p: told.append(p), engine="kernel")
    assert told[-1] == (5000, 5000) and all(a < b for (a, _), (b, _) in zip(told, told[1:]))  # noqa: B905


def test_what_the_kernel_does_not_run_says_why() -> None:
    """And "auto" runs it in numpy, saying so."""
    n = nl.FixedPopulation("n", 2, "lif", {"vth": 10, "bias_mant": 5})
    most = np.full((2, 2), 255)
    r = nl.FixedProjection("r", "n", "n", most, exponent=7, sign_mode="excitatory")
    base = nl.load_profile("loihi2")
    raw = base.model_dump(by_alias=True)
    raw["routing"]["accumulator"] = [{"mode": "wrap", "lo": -1000, "hi": 999}]
    fixed = nl.FixedNetwork(type(base).model_validate(raw), (n,), (r,))
    reason = "projection 'r': its accumulator may overflow"
    with pytest.raises(nl.NeuroLifError, match=f'engine = "kernel": {reason}; allowed: "auto"'):
        nl.run_fixed(fixed, 5, engine="kernel")
    found = nl.run_fixed(fixed, 5)
    assert "numpy" in found.provenance["engine"]
    assert reason in found.provenance["not in the kernel"]


def test_sums_of_several_delays_are_shifted_right_one_by_one(instruction_set: str) -> None:
    """-3 and -3 halved apart are -4, together -3."""
    rng = np.random.default_rng(8)
    given = {"vth": 10, "bias_mant": 5}
    for shape in ((1, 1), (40, 3), (300, 20)):
        for exponent in (-1, -2):
            weights = rng.integers(-60, 60, shape)
            fixed = nl.FixedNetwork(
                nl.load_profile("loihi2"), (nl.FixedPopulation("n", shape[0], "lif", given),),
                (nl.FixedProjection("r", "x", "n", weights, exponent=exponent, sign_mode="mixed",
                                    delays=rng.integers(0, 5, weights.size),
                                    graded=exponent == -2),),
                (nl.FixedSource("x", shape[1]),),
            )  # fmt: skip
            x = rng.integers(0, 2, (30, shape[1])) * rng.integers(-3, 4, (30, shape[1]))
            assert compared(fixed, 30, (shape, exponent), inputs={"x": x}) > 0


def test_too_many_sums_that_are_shifted_right_say_so() -> None:
    r = nl.FixedProjection("r", "x", "n", np.ones((1, 70), int) * 2, exponent=-1,
                           delays=np.arange(70), sign_mode="excitatory")  # fmt: skip
    fixed = nl.FixedNetwork(nl.load_profile("loihi2"), (nl.FixedPopulation("n", 1),), (r,),
                            (nl.FixedSource("x", 70),), enforce_ranges=False)  # fmt: skip
    with pytest.raises(nl.NeuroLifError, match="'n': too many sums are shifted right"):
        nl.run_fixed(fixed, 5, engine="kernel")


@pytest.mark.parametrize("given", [{"engine": "fast"}, {"engine": 3}, {"threads": 0},
                                   {"threads": True}, {"threads": 1.5}])  # fmt: skip
def test_wrong_choices(given: Any) -> None:
    with pytest.raises(nl.NeuroLifError, match="allowed"):
        nl.run_fixed(sized(3, "lif"), 5, **given)


def test_wrong_choice_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURO_LIF_ENGINE", "gpu")
    with pytest.raises(nl.NeuroLifError, match="NEURO_LIF_ENGINE = 'gpu', allowed: auto"):
        nl.run_fixed(sized(3, "lif"), 5)


@pytest.mark.parametrize("seed", range(20))
def test_packed_synapses_are_those_given(seed: int) -> None:
    """Unpacked again, they are the same weights with the same delays."""
    rng = np.random.default_rng(seed)
    n_post, n_pre = rng.integers(1, 20, 2)
    top = int(rng.choice([1, 100, 127, 128, 255, 30000, 2**30]))
    weights = rng.integers(-top, top + 1, (n_post, n_pre)) * int(rng.choice([1, 2, 64]))
    weights = np.clip(weights, -(2**31) + 1, 2**31 - 1)
    weights[rng.random(weights.shape) > rng.choice([0.1, 0.6, 1.0])] = 0
    if seed % 5 == 1:  # one weight for each source
        weights = np.where(weights, weights[0], 0)
    given: Any = sparse.csr_matrix(weights) if seed % 2 else weights
    size = given.data.size if seed % 2 else weights.size
    delays = rng.integers(0, 4, size) if seed % 3 else np.int64(2)
    rows = rows_of(given, delays)
    expected: dict[tuple[int, int], list[tuple[int, int]]] = {}
    if seed % 2:
        coo = given.tocoo()
        stored = zip(coo.row, coo.col, coo.data, np.broadcast_to(delays, size), strict=True)
    else:
        wide = np.broadcast_to(delays, size).reshape(weights.shape)
        stored = ((i, j, weights[i, j], wide[i, j]) for i, j in np.argwhere(weights))  # type: ignore[assignment]
    for i, j, w, d in stored:
        if w:
            expected.setdefault((int(i), int(j)), []).append((int(w), int(d)))
    assert {k: sorted(v) for k, v in unpacked(rows).items()} == {
        k: sorted(v) for k, v in expected.items()}  # fmt: skip
    magnitudes = np.abs(weights)
    assert rows.reach == magnitudes.sum(axis=1).max(initial=0)
    assert rows.row_most.tolist() == magnitudes.max(axis=0, initial=0).tolist()


def unpacked(rows: Any) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return (post, pre) -> [(weight, delay)] of non-zero weights."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    if rows.posts is None:
        for j, i in np.argwhere(rows.weights):
            weight = int(rows.weights[j, i]) << rows.shift
            found.setdefault((int(i), int(j)), []).append((weight, rows.delay))
        return found
    for j in range(rows.n_pre):
        first, last = int(rows.row_start[j]), int(rows.row_start[j + 1])
        spans = [(first, last, rows.delay)]
        if rows.segment_start is not None:
            spans = [(int(rows.segment_start[s]), int(rows.segment_start[s + 1]),
                      int(rows.segment_delay[s])) for s in range(first, last)]  # fmt: skip
        for a, b, delay in spans:
            for k in range(a, b):
                weight = rows.weight
                if rows.weights is not None:
                    weight = int(rows.weights[j if rows.by_row else k]) << rows.shift
                if weight:
                    found.setdefault((int(rows.posts[k]), j), []).append((weight, delay))
    return found


@pytest.mark.parametrize("engine", ["kernel", "numpy"])
@pytest.mark.parametrize("batch", [None, 2])
def test_ctrl_c_leaves_what_was_recorded(engine: str, batch: int | None) -> None:
    """The steps until then, as a run of that length gives them."""
    fixed = sized(20, "lif")
    shape = (400, 5) if batch is None else (batch, 400, 5)
    x = np.random.default_rng(3).integers(0, 2, shape)

    def stop(done: int, most: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(nl.Interrupted) as caught:
        nl.run_fixed(fixed, 400, {"x": x}, record="all", engine=engine, progress=stop)
    got = caught.value.recording
    assert 7 <= got.n_steps < 400
    assert got.provenance["interrupted"] == f"after {got.n_steps} of 400 steps"
    whole = nl.run_fixed(fixed, got.n_steps, {"x": x[..., : got.n_steps, :]}, record="all",
                         engine="numpy")  # fmt: skip
    same(whole, got, engine)


def test_ctrl_c_on_the_command_line_keeps_the_recording(tmp_path: Path) -> None:
    """A real signal to a real process; the file is whole and says where it stopped."""
    nl.save_fixed(sized(300, "lif"), tmp_path / "net.npz")
    command = [sys.executable, "-m", "neuro_lif", "run", "net.npz", "--steps", "5000000",
               "--out", "r.npz"]  # fmt: skip
    for patience in (4, 15, 60):  # seconds; a busy machine may not have begun after a few
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env=os.environ | {"NEURO_LIF_ENGINE": "numpy"})  # fmt: skip
        time.sleep(patience)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if (tmp_path / "r.npz").exists():
            break
    assert process.returncode == 130, (out, err)
    assert "interrupted: after" in out
    assert 0 < nl.Recording.load(tmp_path / "r.npz").n_steps < 5_000_000


def test_large_traces_go_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """And hold the same numbers."""
    fixed = sized(20, "lif")
    wanted = nl.run_fixed(fixed, 30, record="all", engine="numpy")
    monkeypatch.setattr("neuro_lif.engines.IN_MEMORY", 0)
    for engine in ("kernel", "numpy"):
        got = nl.run_fixed(fixed, 30, record="all", engine=engine)
        base: Any = got.traces["n", "v"]
        while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        same(wanted, got, engine)
