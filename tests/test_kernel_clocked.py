"""The float64 reference in the compiled kernel and in numpy: equal bit for bit, tolerance zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_network, random_neuron
from scipy import sparse

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.kernel import native
from neuro_lif.reference import compiled as compiled_module
from neuro_lif.reference.float_rows import float_rows
from neuro_lif.stimulus import Constant, Sampled, Sinusoid

NO_KERNEL = pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
SETS = native().usable_sets() if native() else []  # type: ignore[union-attr]
ENGINES = [pytest.param("kernel", marks=NO_KERNEL), "numpy"]


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Use one instruction set for a test."""
    module: Any = native()
    before = module.used_set()
    assert module.choose_set(request.param) and module.used_set() == request.param
    yield request.param
    module.choose_set(before)


def bits(values: Any) -> Any:
    """Return float64 as the integers that stand for it; all NaN are one."""
    array = np.ascontiguousarray(values)
    assert array.dtype == np.float64
    return np.where(np.isnan(array), np.int64(0x7FF8 << 48), array.view(np.int64))


def same(a: nl.Recording, b: nl.Recording, what: Any = "") -> None:
    """Fail at the first bit in which two recordings differ."""
    assert a.n_steps == b.n_steps and a.dt == b.dt
    assert list(a.spikes) == list(b.spikes) and list(a.traces) == list(b.traces)
    for name in a.spikes:
        assert a.spikes[name].dtype == b.spikes[name].dtype == np.uint8
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name], f"{what} spikes of {name}")
    for key in a.traces:
        np.testing.assert_array_equal(bits(a.traces[key]), bits(b.traces[key]), f"{what} {key}")


def compared(stepped: nl.SteppedNetwork, what: Any = "", **more: Any) -> nl.Recording:
    """Run both engines, compare them, and return what one recorded."""
    wanted = nl.run_clocked(stepped, record="all", engine="numpy", **more)
    got = nl.run_clocked(stepped, record="all", engine="kernel", **more)
    assert "compiled" in got.provenance["engine"] and "numpy" in wanted.provenance["engine"]
    same(wanted, got, what)
    few = nl.run_clocked(stepped, engine="kernel", **more)
    for name in few.spikes:
        np.testing.assert_array_equal(few.spikes[name], wanted.spikes[name])
    return got


def some_weights(rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    """Return weights of a kind that is packed in a way of its own, dense or CSR."""
    kind = int(rng.integers(6))
    weights = rng.normal(0.2, 1, shape) * 0.3
    if kind == 1:
        weights = np.full(shape, 0.1)
    elif kind == 2:  # one for each source
        weights = np.broadcast_to(weights[:1], shape).copy()
    elif kind == 3:  # of four bytes
        weights = weights.astype(np.float32).astype(np.float64)
    elif kind == 4:  # far apart, so that every rounding and order shows
        weights = weights * 10.0 ** rng.integers(-12, 3, shape)
    elif kind == 5:
        weights = np.where(rng.random(shape) < 0.5, weights, -0.0)
    mask = rng.random(shape) < rng.choice([0.05, 0.3, 1.0])
    stored = sparse.csr_matrix(np.where(mask, weights, 0.0))
    return stored if rng.random() < 0.5 else stored.toarray()


def some_network(rng: np.random.Generator, n_steps: int) -> nl.SteppedNetwork:
    """Return a network with several receptors and delays, sizes around a block, currents."""
    sizes = [int(rng.choice([1, 2, 7, 8, 9, 63, 64, 65, 130])) for _ in range(rng.integers(1, 4))]
    populations = [nl.Population(f"p{k}", n, random_neuron(rng, n)) for k, n in enumerate(sizes)]
    inputs: list[Any] = [nl.SpikeInput(f"x{k}", int(rng.integers(1, 70)))
                         for k in range(rng.integers(1, 3))]  # fmt: skip
    taus = [5e-3, 2e-3, 11e-3]
    projections: list[Any] = []
    for post in populations:
        for pre in (*inputs, *populations):
            for _ in range(int(rng.integers(0, 3))):
                weights = some_weights(rng, (post.size, pre.size))
                synapse: Any = nl.Delta()
                if rng.random() < 0.7:
                    synapse = nl.Exponential(float(rng.choice(taus)), "psp")
                delay: Any = 1e-3 * int(rng.integers(0, 6))
                if rng.random() < 0.4:
                    many = weights.nnz if sparse.issparse(weights) else weights.shape
                    delay = 1e-3 * rng.integers(0, 9, many)
                name = f"c{len(projections)}"
                projections.append(
                    nl.Projection(name, pre.name, post.name, weights, synapse, delay)
                )
    for k in range(int(rng.integers(0, 3))):
        sampled = Sampled(rng.normal(size=(n_steps // 2, 1)), 1e-3)
        stimuli = [None, Constant(float(rng.normal())), Sinusoid(0.1, 0.5, 7e-3), sampled]
        stimulus: Any = stimuli[rng.integers(4)]
        inputs.append(nl.CurrentInput(f"i{k}", f"p{rng.integers(len(sizes))}", stimulus))
    rule = nl.StepRule(compare=str(rng.choice([">", ">="])),  # type: ignore[arg-type]
                       input_latency=int(rng.integers(2)))  # type: ignore[arg-type]  # fmt: skip
    return nl.discretize(nl.Network(populations, projections, inputs), 1e-3, rule)


def some_inputs(rng: np.random.Generator, stepped: nl.SteppedNetwork, n_steps: int) -> Any:
    """Return arrays for some of the inputs: of any type, shorter than the run, batched or not."""
    batch = int(rng.choice([0, 1, 2, 5]))
    length = int(rng.integers(1, n_steps + 1))
    found: dict[str, Any] = {}
    for spikes in stepped.network.spike_inputs:
        shape = (batch, length, spikes.size) if batch else (length, spikes.size)
        if batch and rng.random() < 0.2:
            shape = shape[1:]
        counts: Any = rng.random(shape) < rng.choice([0.02, 0.3])
        kind = rng.choice(["bool", "uint8", "int64", "counts", "wide", "float"])
        if kind == "counts":
            counts = counts * rng.integers(1, 4, shape)
        elif kind == "wide":
            counts = counts * rng.integers(200, 300, shape)
        elif kind == "float":
            counts = counts * rng.random(shape)
        else:
            counts = counts.astype(kind)
        found[spikes.name] = counts
    for current in stepped.network.current_inputs:
        size = stepped.population(current.population).size
        if rng.random() < 0.5:
            found[current.name] = rng.normal(size=(length, size)).astype(
                rng.choice(["float64", "float32"])
            )
    return found


def plain(stepped: nl.SteppedNetwork, counts: dict[str, Any], amperes: dict[str, Any],
          n_steps: int) -> Any:  # fmt: skip
    """Return (u, v, spikes) as lists: one sample, Python floats, one operation at a time."""
    due: dict[tuple[str, int, int, int], float] = {}  # (population, receptor, neuron, step)
    state: Any = {p.name: ([[0.0] * p.size for _ in p.tau_syn], list(map(float, p.v_init)),
                           [0] * p.size) for p in stepped.populations}  # fmt: skip
    said: dict[str, Any] = {p.name: ([], [], []) for p in stepped.populations}

    def send(pre: str, t: int, sent: Any) -> None:
        for q in stepped.projections:
            if q.pre != pre:
                continue
            coo = sparse.coo_matrix(q.weights)
            each = np.broadcast_to(q.delays, coo.data.shape if sparse.issparse(q.weights)
                                   else q.weights.size)  # fmt: skip
            if not sparse.issparse(q.weights):
                each = each.reshape(q.weights.shape)[coo.row, coo.col]
            order = np.lexsort((coo.row, coo.col))
            for k in order.tolist():
                count = float(sent[coo.col[k]])
                if count:
                    key = (q.post, q.receptor, int(coo.row[k]), t + q.latency + int(each[k]))
                    due[key] = due.get(key, 0.0) + count * float(coo.data[k])

    for t in range(1, n_steps + 1):
        for spikes in stepped.network.spike_inputs:
            send(spikes.name, t, counts[spikes.name][t - 1])
        for p in stepped.populations:
            u, v, held = state[p.name]
            fired = []
            for i in range(p.size):
                for r in range(len(u)):
                    incoming = due.get((p.name, r, i, t), 0.0)
                    u[r][i] = float(p.decay_u[r][i]) * u[r][i] + incoming
                drive = u[0][i]
                for r in range(1, len(u)):
                    drive = drive + u[r][i]
                current = 0.0
                for c in stepped.network.current_inputs:
                    if c.population == p.name:
                        current = current + float(p.gain[i]) * float(amperes[c.name][t - 1][i])
                x = v[i] * float(p.decay_v[i]) + drive + (float(p.bias[i]) + current)
                x = v[i] if held[i] else x
                above = x > p.threshold[i] if stepped.rule.compare == ">" else x >= p.threshold[i]
                fires = bool(above) and not held[i]
                held[i] = int(p.refractory[i]) if fires else max(held[i] - 1, 0)
                after = x - float(p.threshold[i]) if p.reset == "subtract" and p.spikes else 0.0
                v[i] = after if fires else x
                fired.append(int(fires))
            said[p.name][0].append([_sum(column) for column in zip(*u, strict=True)])
            said[p.name][1].append(list(v))
            said[p.name][2].append(fired)
            send(p.name, t, fired)
    return said


def _sum(values: Any) -> float:
    total = values[0]
    for x in values[1:]:
        total = total + x
    return float(total)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_every_sum_is_what_is_written_down(engine: str, seed: int) -> None:
    """Both engines against Python floats, one operation at a time."""
    rng, n_steps = np.random.default_rng([9, seed]), 14
    stepped = some_network(rng, n_steps)
    counts = {i.name: (rng.random((n_steps, i.size)) < 0.3) * rng.integers(1, 3, (n_steps, i.size))
              for i in stepped.network.spike_inputs}  # fmt: skip
    amperes = {c.name: rng.normal(size=(n_steps, stepped.population(c.population).size))
               for c in stepped.network.current_inputs}  # fmt: skip
    got = nl.run_clocked(stepped, n_steps, {**counts, **amperes}, "all", engine=engine)
    with np.errstate(all="ignore"):
        wanted = plain(stepped, counts, amperes, n_steps)
    for name, (u, v, fired) in wanted.items():
        np.testing.assert_array_equal(got.spikes[name], fired)
        np.testing.assert_array_equal(bits(got.trace(name, "u")), bits(np.array(u)))
        np.testing.assert_array_equal(bits(got.trace(name, "v")), bits(np.array(v)))


SILENT = (4, 9)
"""Seeds of random networks that have read-outs only, or too little input."""


@pytest.mark.parametrize("seed", range(15))
def test_random_networks(seed: int, instruction_set: str) -> None:
    rng, n_steps = np.random.default_rng([1, seed]), 30
    stepped = some_network(rng, n_steps)
    inputs = some_inputs(rng, stepped, n_steps)
    got = compared(stepped, seed, n_steps=n_steps, inputs=inputs)
    assert any(fired.any() for fired in got.spikes.values()) or seed in SILENT


@NO_KERNEL
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_steps=st.integers(1, 40))
def test_networks_of_the_lowering(seed: int, n_steps: int) -> None:
    """Those that the integers are tested with, and those of this file."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.5:
        stepped = nl.discretize(random_network(rng, n_steps), 1e-3)
    else:
        stepped = some_network(rng, n_steps)
    compared(stepped, seed, n_steps=n_steps, inputs=some_inputs(rng, stepped, n_steps))


@NO_KERNEL
@pytest.mark.verify
def test_many_random_networks(record_figure: Any) -> None:
    """Tolerance zero."""
    steps = 0
    for seed in range(600):
        rng = np.random.default_rng([5, seed])
        stepped = some_network(rng, 50)
        compared(stepped, seed, n_steps=50, inputs=some_inputs(rng, stepped, 50))
        steps += 50 * sum(p.size for p in stepped.populations)
    record_figure(f"float64 kernel against numpy: 600 random networks, {steps:,} neuron-steps, "
                  "0 bits that differ")  # fmt: skip


def recurrent(n: int, seed: int = 0, reset: Any = "value", rule: Any = "exact") -> Any:
    """Return a recurrent network of ``n`` neurons that spike, with an input of 5."""
    rng = np.random.default_rng([n, seed])
    cell = nl.LIF(20e-3, v_threshold=15e-3, t_refractory=2e-3, i_bias=16e-3, reset=reset)
    weights = np.where(rng.random((n, n)) < 0.3, rng.normal(0, 1e-3, (n, n)), 0)
    return nl.discretize(
        nl.Network(
            [nl.Population("n", n, cell)],
            [nl.Projection("r", "n", "n", weights, nl.Exponential(5e-3, "psp"), 2e-3),
             nl.Projection("i", "x", "n", rng.normal(2e-3, 1e-3, (n, 5)), nl.Delta(), 1e-3)],
            [nl.SpikeInput("x", 5)],
        ), 0.5e-3, rule,
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 129, 300])
def test_sizes_around_a_block(n: int, instruction_set: str) -> None:
    """Neurons that fill the last block up do not act."""
    x = np.random.default_rng(n).random((60, 5)) < 0.3
    got = compared(recurrent(n), inputs={"x": x}, n_steps=200)
    assert got.spikes["n"].any()


@NO_KERNEL
@pytest.mark.parametrize("reset", ["value", "subtract"])
@pytest.mark.parametrize("rule", ["exact", "exact-ge", "euler", "euler-ge"])
def test_every_rule(reset: str, rule: str) -> None:
    got = compared(recurrent(40, 3, reset, rule), n_steps=300)
    assert got.spikes["n"].any()


@pytest.mark.parametrize("compare", [">", ">="])
@pytest.mark.parametrize("threshold", [1.0, 0.1, 0.0, -0.25, 5e-324, 1.7976931348623157e308])
def test_a_threshold_that_is_met(compare: Any, threshold: float, instruction_set: str) -> None:
    """v equal to the threshold spikes with ">=" only, whatever the threshold is."""
    stepped = recurrent(70, rule=nl.StepRule(compare=compare))
    with np.errstate(over="ignore"):
        ends = np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)
    around = np.array([ends[0], threshold, ends[1]])
    p = replace(
        stepped.populations[0], decay_v=np.ones(70), bias=np.zeros(70),
        threshold=np.full(70, threshold), v_init=np.resize(around, 70),
    )  # fmt: skip
    stepped = replace(stepped, populations=(p,), projections=())
    got = compared(stepped, n_steps=1)
    expected = [0, int(compare == ">="), 1]  # the last is inf, if need be
    assert got.spikes["n"][0].tolist()[:3] == expected
    np.testing.assert_array_equal(got.spikes["n"][0], np.resize(got.spikes["n"][0][:3], 70))


@pytest.mark.parametrize("compare", [">", ">="])
def test_what_leaves_float64(compare: Any, instruction_set: str) -> None:
    """Is inf, then NaN, in both engines and without a warning; NaN never spikes."""
    stepped = recurrent(20, rule=nl.StepRule(compare=compare))
    big = replace(stepped.projections[0], weights=np.full((20, 20), -1.7e308))
    other = replace(stepped.projections[1], weights=np.full((20, 5), 1.7e308))
    got = compared(replace(stepped, projections=(big, other)), n_steps=100,
                   inputs={"x": np.full((30, 5), 3)})  # fmt: skip
    assert np.isnan(got.trace("n", "v")).any() and np.isinf(got.trace("n", "u")).any()


@NO_KERNEL
def test_zeros_have_the_sign_that_the_definition_gives_them() -> None:
    """A sum that begins at 0.0 is never -0.0; a weight of -0.0 changes nothing."""
    stepped = recurrent(9)
    p = replace(stepped.populations[0], bias=np.full(9, -0.0), v_init=np.full(9, -0.0))
    zero = [replace(q, weights=np.full(q.weights.shape, -0.0)) for q in stepped.projections]
    stepped = replace(stepped, populations=(p,), projections=tuple(zero))
    got = compared(stepped, n_steps=5, inputs={"x": np.ones((5, 5))})
    assert not np.signbit(got.trace("n", "u")).any() and not np.signbit(got.trace("n", "v")).any()


@NO_KERNEL
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_batches_and_threads(threads: int) -> None:
    """Samples are what they are one by one, however many threads share them."""
    stepped = recurrent(40)
    x = np.random.default_rng(1).integers(0, 3, (5, 80, 5))
    got = nl.run_clocked(stepped, 80, {"x": x}, "all", engine="kernel", threads=threads)
    same(nl.run_clocked(stepped, 80, {"x": x}, "all", engine="numpy"), got, threads)
    assert got.spikes["n"].shape == (5, 80, 40)
    for k in range(5):
        one = nl.run_clocked(stepped, 80, {"x": x[k]}, "all", engine="kernel")
        same(one, got.sample(k), k)


@NO_KERNEL
def test_a_batch_with_an_input_for_all_samples() -> None:
    """What is given without samples acts in each of them; currents too."""
    net = recurrent(30).network
    currents = [nl.CurrentInput(name, "n") for name in "cd"]
    more = nl.Network(net.populations, net.projections, [*net.inputs, *currents])
    rng = np.random.default_rng(2)
    found = compared(
        nl.discretize(more, 1e-3), n_steps=50,
        inputs={"x": rng.random((40, 5)) < 0.5, "c": rng.normal(size=(3, 40, 30)) * 0.01},
    )  # fmt: skip
    assert found.spikes["n"].shape == (3, 50, 30)


@pytest.mark.parametrize("engine", ENGINES)
def test_layers_without_latency_act_in_one_step(engine: str) -> None:
    """A spike passes through populations in their order within a step, as integers do."""
    cell = nl.LIF(20e-3, v_threshold=0.5)
    net = nl.Network(
        [nl.Population(name, 1, cell) for name in "abc"],
        [nl.Projection(f"{i}{j}", i, j, [[1.0]], nl.Delta(), 0.0) for i, j in ("xa", "ab", "bc")],
        [nl.SpikeInput("x", 1)],
    )  # fmt: skip
    stepped = nl.discretize(net, 1e-3)
    quick = replace(stepped, projections=tuple(replace(q, latency=0) for q in stepped.projections))
    got = nl.run_clocked(quick, 3, {"x": [[0], [1], [0]]}, engine=engine)
    assert [got.spikes[name].ravel().tolist() for name in "abc"] == [[0, 1, 0]] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spike_that_would_arrive_before_it_is_sent(engine: str) -> None:
    stepped = recurrent(3)
    q = replace(stepped.projections[0], latency=0, delays=np.zeros((), np.int64))
    wrong = replace(stepped, projections=(q, stepped.projections[1]))
    with pytest.raises(RangeError, match="projection 'r': latency = 0 without delay, allowed: 1"):
        nl.run_clocked(wrong, 3, engine=engine)


@NO_KERNEL
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int64,
                                   np.uint64, np.float16, np.float32, np.float64])  # fmt: skip
def test_inputs_of_any_type(dtype: Any) -> None:
    """Whole numbers are the same in any type, and no byte of them is lost."""
    x = np.random.default_rng(2).integers(0, 2, (20, 5))
    wanted = nl.run_clocked(recurrent(20), 20, {"x": x}, "all", engine="numpy")
    for engine in ("kernel", "numpy"):
        got = nl.run_clocked(recurrent(20), 20, {"x": x.astype(dtype)}, "all", engine=engine)
        same(wanted, got, dtype)


@NO_KERNEL
def test_described_spikes_and_those_that_fall_together() -> None:
    """A described input is its raster; 300 spikes in a step are 300, not 44."""
    net = recurrent(20).network
    times = np.concatenate([np.full(300, 0.0031), [0.0052, 0.0052, 0.02]])
    x = nl.SpikeInput("x", 5, np.full(times.size, 2), times)
    more = nl.discretize(nl.Network(net.populations, net.projections, [x]), 0.5e-3)
    raster = np.zeros((60, 5))
    raster[6, 2], raster[10, 2], raster[40, 2] = 300, 2, 1
    same(compared(more, n_steps=60), compared(more, n_steps=60, inputs={"x": raster}))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", [None, 2])
def test_ctrl_c_leaves_what_was_recorded(engine: str, batch: int | None) -> None:
    """The steps until then, as a run of that length gives them."""
    stepped = recurrent(20)
    shape = (400, 5) if batch is None else (batch, 400, 5)
    x = np.random.default_rng(3).integers(0, 2, shape)

    def stop(done: int, most: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(nl.Interrupted) as caught:
        nl.run_clocked(stepped, 400, {"x": x}, "all", stop, engine)
    got = caught.value.recording
    assert 7 <= got.n_steps < 400
    assert got.provenance["interrupted"] == f"after {got.n_steps} of 400 steps"
    whole = nl.run_clocked(stepped, got.n_steps, {"x": x[..., : got.n_steps, :]}, "all",
                           engine="numpy")  # fmt: skip
    same(whole, got, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_progress_reaches_the_end(engine: str) -> None:
    told: list[tuple[int, int]] = []
    nl.run_clocked(recurrent(10), 900, progress=lambda *p: told.append(p), engine=engine)
    assert told[0] == (1, 900) and told[-1] == (900, 900)
    assert all(a < b for (a, _), (b, _) in zip(told, told[1:]))  # noqa: B905


@pytest.mark.parametrize("engine", ENGINES)
def test_large_traces_go_to_a_file(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And hold the same numbers."""
    wanted = nl.run_clocked(recurrent(20), 30, record="all", engine=engine)
    monkeypatch.setattr("neuro_lif.engines.IN_MEMORY", 0)
    got = nl.run_clocked(recurrent(20), 30, record="all", engine=engine)
    base: Any = got.traces["n", "v"]
    while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    same(wanted, got)


@NO_KERNEL
def test_spikes_stay_events_until_they_are_looked_at(tmp_path: Any) -> None:
    got = nl.run_clocked(recurrent(20), 200, engine="kernel")
    listed = got.spikes.events("n")  # type: ignore[attr-defined]
    assert listed.value is None and listed.step.size == np.asarray(got.spikes["n"]).sum() > 0
    got.save(tmp_path / "r.npz")
    back = nl.Recording.load(tmp_path / "r.npz")
    np.testing.assert_array_equal(back.spikes["n"], got.spikes["n"])
    assert back.spikes["n"].dtype == np.uint8


@pytest.mark.parametrize("wrong", [{"engine": "x"}, {"engine": 3}, {"threads": 0},
                                   {"threads": True}, {"threads": 1.5}])  # fmt: skip
def test_wrong_choices(wrong: Any) -> None:
    [(name, value)] = wrong.items()
    allowed = "auto, kernel, numpy" if name == "engine" else "a whole number >= 1, or None"
    with pytest.raises(RangeError) as caught:
        nl.run_clocked(recurrent(3), 5, **wrong)
    assert str(caught.value).replace("'", '"').startswith(f"{name} = ")
    assert str(caught.value).endswith(f"allowed: {allowed}") and str(value) in str(caught.value)


def test_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURO_LIF_ENGINE", "numpy")
    assert nl.run_clocked(recurrent(3), 5).provenance["engine"].endswith("numpy")
    monkeypatch.setenv("NEURO_LIF_ENGINE", "gpu")
    with pytest.raises(RangeError, match="NEURO_LIF_ENGINE = 'gpu', allowed: auto"):
        nl.run_clocked(recurrent(3), 5)


def test_without_a_kernel_numpy_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_module, "native", lambda: None)
    monkeypatch.setattr(compiled_module, "missing_reason", lambda: "no compiler")
    got = nl.run_clocked(recurrent(3), 5, engine="auto")
    assert got.provenance["engine"] == "clocked float64 reference, numpy"
    why = "the compiled kernel is not there: no compiler"
    assert got.provenance["not in the kernel"] == why
    with pytest.raises(RangeError) as caught:
        nl.run_clocked(recurrent(3), 5, engine="kernel")
    assert str(caught.value) == f'engine = "kernel": {why}; allowed: "auto"'


@NO_KERNEL
def test_delays_beyond_memory_are_run_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_module, "MOST_WAITING", 100)
    with pytest.raises(RangeError, match="projection 'r': its delays are too long; allowed: "):
        nl.run_clocked(recurrent(30), 5, engine="kernel")
    assert "numpy" in nl.run_clocked(recurrent(30), 5, engine="auto").provenance["engine"]


@pytest.mark.parametrize("seed", range(30))
def test_packed_synapses_are_those_given(seed: int) -> None:
    """Unpacked again, they are the same weights with the same delays, in order."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 20)), int(rng.integers(1, 20))
    weights = some_weights(rng, shape)
    size = weights.nnz if sparse.issparse(weights) else weights.size
    delays = rng.integers(0, 4, size) if seed % 3 else np.int64(2)
    rows = float_rows(weights, delays, 8)
    coo = sparse.coo_matrix(weights)
    each = np.broadcast_to(delays, size)
    if not sparse.issparse(weights):
        each = each.reshape(shape)[coo.row, coo.col]
    wanted = sorted(
        (int(j), int(d), int(i), float(w))
        for i, j, w, d in zip(coo.row, coo.col, coo.data, each, strict=True) if w
    )  # fmt: skip
    assert [found for found in unpacked(rows) if found[3]] == wanted


def unpacked(rows: Any) -> Any:
    """Return (source, delay, target, weight), as they are packed."""
    if rows.dense is not None:
        assert rows.dense.shape[1] % 8 == 0
        return [(int(j), rows.delay, int(i), float(rows.dense[j, i]))
                for j, i in np.argwhere(rows.dense)]  # fmt: skip
    found = []
    for j in range(rows.n_pre):
        first, last = int(rows.row_start[j]), int(rows.row_start[j + 1])
        spans = [(first, last, rows.delay)]
        if rows.segment_start is not None:
            spans = [(int(rows.segment_start[k]), int(rows.segment_start[k + 1]),
                      int(rows.segment_delay[k])) for k in range(first, last)]  # fmt: skip
        for a, b, delay in spans:
            for k in range(a, b):
                weight = rows.weight
                if rows.weights is not None:
                    weight = float(rows.weights[j if rows.by_row else k])
                found.append((j, delay, int(rows.posts[k]), weight))
    return found
