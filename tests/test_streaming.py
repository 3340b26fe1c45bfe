"""Inputs made a stretch of steps at a time: equal to whole arrays bit for bit, bounded memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif import feeds, run_inputs
from neuro_lif.emulator import compiled_run
from neuro_lif.kernel import native
from neuro_lif.lower import encode
from neuro_lif.reference import clocked, compiled
from neuro_lif.run_inputs import input_rows
from neuro_lif.spike_inputs import PoissonInput
from neuro_lif.stimulus import Constant, GaussianNoise, Sampled, Sinusoid, Triangle, Window

MS, MV = 1e-3, 1e-3
ENGINES = ["numpy", *(["kernel"] if native() is not None else [])]


def network(rng: np.random.Generator, n_steps: int, open_: bool = False) -> nl.Network:
    """Two populations with every kind of input, in an order drawn at random."""
    sizes = {"a": int(rng.integers(1, 6)), "b": int(rng.integers(1, 4))}
    seed = int(rng.integers(2**31))
    times = np.sort(rng.uniform(0, n_steps * MS, 40))
    spikes = [
        PoissonInput("x", 7, rng.uniform(0, 400, 7), seed, "bernoulli"),
        PoissonInput("y", 3, rng.uniform(0, 400, (3, 1)), seed + 1, "counts", n_steps * MS / 4),
        nl.SpikeInput("z", 4, rng.integers(0, 4, 40), times),
    ]
    currents = [
        GaussianNoise(3 * MV, 9 * MV, seed + 2),
        Sinusoid(2 * MV, 6 * MV, 17 * MS) + GaussianNoise(0.0, 0.1 * MV, seed + 3, "white"),
        Constant(4 * MV), None,
        Sampled(rng.normal(3 * MV, 3 * MV, (n_steps // 2 + 1, 1)), 1 * MS),
        Window(Triangle(9 * MV, n_steps * MS), 3 * MS, 20 * MS),
    ]  # fmt: skip
    names = list(sizes)
    inputs: list[Any] = [*spikes]
    inputs += [nl.CurrentInput(f"i{k}", str(rng.choice(names)), c) for k, c in enumerate(currents)]
    rng.shuffle(inputs)
    if open_:
        inputs = [i for i in inputs if not isinstance(i, nl.SpikeInput)]
    neuron = nl.LIF(tau_m=10 * MS, v_threshold=10 * MV, t_refractory=2 * MS)
    post = [(s, p) for s in spikes if s in inputs for p in names if rng.random() < 0.7]
    projections = [
        nl.Projection(
            f"{s.name}{p}",
            s.name,
            p,
            rng.normal(MV, MV, (sizes[p], s.size)),
            delay=MS * int(rng.integers(1, 4)),
        )
        for s, p in post
    ] + [nl.Projection("ab", "a", "b", rng.normal(2 * MV, MV, (sizes["b"], sizes["a"])), delay=MS)]
    return nl.Network([nl.Population(n, k, neuron) for n, k in sizes.items()], projections, inputs)


def same(a: nl.Recording, b: nl.Recording, events: bool = True) -> None:
    """Two recordings are equal bit for bit."""
    assert a.n_steps == b.n_steps and (not events or a.events == b.events)
    for name in a.spikes:
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name])
    for key, trace in a.traces.items():
        assert trace.tobytes() == b.traces[key].tobytes(), key


class Blocks:
    """Makes runs take so many numbers of their inputs at a time."""

    def __init__(self, at_once: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.at_once = at_once
        self.asked: list[int] = []

    def __enter__(self) -> Blocks:
        def block_of(items: Any, batch: int, n_steps: int) -> int:
            self.asked.append(self.at_once)
            return min(self.at_once, n_steps)

        for module in (feeds, clocked, compiled, compiled_run, run_inputs):
            self.patch.setattr(module, "block_of", block_of)
        return self

    def __exit__(self, *error: object) -> None:
        self.patch.undo()


def whole_inputs(net: nl.Network, n_steps: int, batch: int) -> dict[str, Any]:
    """Every described input as an array of the whole run."""
    made = feeds.float_feeds(net, MS, n_steps, batch, {})
    return {name: np.array(np.broadcast_to(f.rows(0, n_steps), (batch, n_steps, f.size)))
            for name, f in made.items()}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 2, 3, 7, 16, 59]))
def test_a_float_run_by_blocks_is_the_run_of_whole_arrays(
    seed: int, n_steps: int, block: int
) -> None:
    net = network(np.random.default_rng(seed), n_steps)
    stepped = nl.discretize(net, MS)
    given_ = {k: a[0] for k, a in whole_inputs(net, n_steps, 1).items()}
    expected = nl.run_clocked(stepped, n_steps, given_, "all", engine="numpy")
    for engine in ENGINES:
        with Blocks(block) as blocks:
            found = nl.run_clocked(stepped, n_steps, None, "all", engine=engine,
                                   progress=lambda *_: None)  # fmt: skip
        assert blocks.asked
        same(found, expected)
        same(nl.run_clocked(stepped, n_steps, given_, "all", engine=engine), expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1, 5, 16]))
def test_a_batch_by_blocks_is_the_batch_of_whole_arrays(
    seed: int, n_steps: int, block: int
) -> None:
    rng = np.random.default_rng(seed)
    net = network(rng, n_steps)
    stepped, batch = nl.discretize(net, MS), 3
    given_ = whole_inputs(net, n_steps, batch)
    one = {"i3": np.zeros((batch, n_steps, given_["i3"].shape[2]))}  # the open one makes a batch
    expected = nl.run_clocked(stepped, n_steps, given_, "all", engine="numpy")
    for engine in ENGINES:
        with Blocks(block):
            same(nl.run_clocked(stepped, n_steps, one, "all", engine=engine, threads=2), expected)
    singles = {k: a[1] for k, a in given_.items()}
    same(expected.sample(1), nl.run_clocked(stepped, n_steps, singles, "all"))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 2, 3, 7, 16, 59]),
    st.sampled_from(["loihi1", "loihi2", "generic"]),
)  # fmt: skip
def test_an_integer_run_by_blocks_is_the_run_of_whole_arrays(
    seed: int, n_steps: int, block: int, profile: str
) -> None:
    net = network(np.random.default_rng(seed), n_steps)
    fixed = nl.quantize(nl.discretize(net, MS), profile, approximate=["counts"])
    assert {"x", "y"} == {s.name for s in fixed.sources if s.stream is not None}
    assert sum(d.stream is not None for d in fixed.directs) >= 2
    given_ = {k: a[0] for k, a in input_rows(fixed, {}, 1, n_steps).items()}
    expected = nl.run_fixed(fixed, n_steps, given_, "all", engine="numpy")
    semantics = nl.run_semantics(fixed, n_steps, record="all")
    same(semantics, expected)
    for engine in ENGINES:
        with Blocks(block) as blocks:
            found = nl.run_fixed(fixed, n_steps, None, "all", engine="auto" if
                                 engine == "kernel" else engine)  # fmt: skip
        assert blocks.asked
        same(found, expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([1, 5, 16, 40]))
def test_an_integer_batch_by_blocks(seed: int, n_steps: int, block: int) -> None:
    net = network(np.random.default_rng(seed), n_steps)
    fixed = nl.quantize(nl.discretize(net, MS), "loihi2", approximate=["counts"])
    size = fixed.input_sizes()["i3"]
    one = {"i3": np.zeros((3, n_steps, size), np.int64)}
    given_ = input_rows(fixed, one, 3, n_steps)
    expected = nl.run_fixed(fixed, n_steps, given_, engine="numpy")
    for engine in ("numpy", "auto"):
        with Blocks(block):
            same(nl.run_fixed(fixed, n_steps, one, engine=engine, threads=2), expected)


def test_a_long_list_of_spikes_is_no_raster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spike lists are made by blocks, too, where their raster would be large."""
    rng = np.random.default_rng(3)
    spikes = nl.SpikeInput("x", 5, rng.integers(0, 5, 400), np.sort(rng.uniform(0, 0.2, 400)))
    neuron = nl.LIF(tau_m=10 * MS, v_threshold=10 * MV)
    net = nl.Network([nl.Population("p", 2, neuron)],
                     [nl.Projection("s", "x", "p", rng.normal(4 * MV, MV, (2, 5)))],
                     [spikes])  # fmt: skip
    stepped = nl.discretize(net, MS)
    short = nl.quantize(stepped, "loihi2")
    monkeypatch.setattr(encode, "MOST_CODED", 100)
    long = nl.quantize(stepped, "loihi2")
    assert short.sources[0].stream is None and long.sources[0].raster is None
    assert long.sources[0].reach == short.sources[0].reach > 1
    nl.save_fixed(long, tmp_path / "long.npz")
    expected = nl.run_fixed(short, 250, record="all")
    assert expected.spikes["p"].any()
    for fixed in (long, nl.load_fixed(tmp_path / "long.npz")):
        for engine in ("numpy", "auto"):
            with Blocks(16):
                found = nl.run_fixed(fixed, 250, record="all", engine=engine)
            same(found, expected)
    assert found.provenance["input x"] == "SpikeInput, 400 spikes"


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("run", ["float", "fixed"])
def test_what_was_done_before_ctrl_c_is_right(run: str, engine: str) -> None:
    net = network(np.random.default_rng(5), 60)
    stepped = nl.discretize(net, MS)
    fixed = nl.quantize(stepped, "loihi1", approximate=["counts"])

    def stop(done: int, most: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    def start(n_steps: int, **more: Any) -> nl.Recording:
        if run == "float":
            return nl.run_clocked(stepped, n_steps, record="all", engine=engine, **more)
        return nl.run_fixed(fixed, n_steps, record="all", engine=engine, **more)

    with Blocks(16), pytest.raises(nl.Interrupted) as caught:
        start(600, progress=stop, record_inputs=True)
    found = caught.value.recording
    assert 20 <= found.n_steps < 600
    expected = start(found.n_steps, record_inputs=True)
    same(found, expected, events=False)
    # those of a raster are counted before the first step, however far the run comes
    drawn = [[e for e in r.events if not e.where.startswith("z")] for r in (found, expected)]
    assert drawn[0] == drawn[1]
    for name in expected.inputs:
        np.testing.assert_array_equal(found.inputs[name], expected.inputs[name])


def test_variants_share_their_streams() -> None:
    net = network(np.random.default_rng(6), 50)
    fixed = nl.quantize(nl.discretize(net, MS), "loihi2", approximate=["counts"])
    other = nl.with_changes(fixed, params={"a": {"vth": 900}})
    for found, variant in zip(nl.run_variants([fixed, other] * 2, 50, threads=2),
                              [fixed, other] * 2, strict=True):  # fmt: skip
        same(found, nl.run_fixed(variant, 50))


# ----------------------------------------------------------------------------------- memory

CHILD = textwrap.dedent("""
    import sys
    from pathlib import Path
    import numpy as np
    import neuro_lif as nl
    from neuro_lif.spike_inputs import PoissonInput
    from neuro_lif.stimulus import GaussianNoise

    def memory(which):  # KiB
        status = Path("/proc/self/status").read_text().split()
        return int(status[status.index(which) + 1])

    kind, n_steps, engine, run = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    n = 100
    source = PoissonInput("x", n, 20.0, 1, "bernoulli")
    current = nl.CurrentInput("i", "p", GaussianNoise(0, .1, 1))
    size = n if kind == "current" else 1
    weights = [nl.Projection("s", "x", "p", np.full((1, n), 1e-3))] if size == 1 else []
    net = nl.Network([nl.Population("p", size, nl.LIF(tau_m=1e-2))], weights,
                     [source if size == 1 else current])
    stepped = nl.discretize(net, 1e-3)
    fixed = nl.quantize(stepped, "loihi2")

    def go(steps):
        given = None
        if kind == "whole":
            given = {"x": np.concatenate([source.rows(k, k + 1000, 1e-3)[0]
                                          for k in range(0, steps, 1000)])}
        if run == "float":
            nl.run_clocked(stepped, steps, given, engine=engine)
        else:
            nl.run_fixed(fixed, steps, given, engine=engine)

    go(1000)  # what is needed once
    before = memory("VmRSS:")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    go(n_steps)
    print(memory("VmHWM:") - before)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "run", "engine", "n_steps", "whole"),
    [
        ("spikes", "float", "auto", 1_000_000, 100),  # MB that an array of the whole run takes
        pytest.param("spikes", "fixed", "auto", 1_000_000, 100, marks=pytest.mark.verify),
        ("current", "float", "auto", 100_000, 80),
        ("current", "fixed", "auto", 30_000, 24),
        pytest.param("spikes", "fixed", "numpy", 30_000, 24, marks=pytest.mark.verify),
        ("whole", "float", "auto", 500_000, 50),  # for comparison: handed over as an array
    ],
)
def test_memory_stays_bounded(kind: str, run: str, engine: str, n_steps: int, whole: int) -> None:
    """A run grows by far less than its inputs: by blocks of them, and what is recorded."""
    if native() is None and n_steps > 200_000:
        pytest.skip("the numpy engine takes minutes for so many steps")
    command = [sys.executable, "-c", CHILD, kind, str(n_steps), engine, run]
    out = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    grown = int(out.stdout) * 1024 / 1e6
    if kind == "whole":
        assert grown > 0.9 * whole, (grown, whole)
    else:
        assert grown < min(30, 0.7 * whole), (grown, whole)
