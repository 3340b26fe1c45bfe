"""Tasks: the class read from a run, in every way a task names."""

from __future__ import annotations

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.task import READOUTS, Task


def recording(spikes: list[list[list[int]]], v: object = None) -> nl.Recording:
    array = np.array(spikes)
    traces = {} if v is None else {("out", "v"): np.array(v, float)}
    zero = {"out": np.zeros(array.shape[-1])}
    return nl.Recording(1e-3, array.shape[1], {"out": array}, traces, {}, zero)


def task(labels: list[int], readout: str = "count", steps: int = 2) -> Task:
    return Task({"in": np.zeros((len(labels), steps, 3), np.uint8)}, labels, "out", readout)


# two samples, two steps, three neurons
SPIKES = [[[0, 1, 0], [0, 1, 1]], [[0, 0, 1], [1, 0, 0]]]
V = [[[0.1, 0.0, 0.0], [0.2, 0.0, 0.9]], [[0.0, 0.5, 0.3], [0.0, 0.1, 0.2]]]


@pytest.mark.parametrize(
    ("readout", "v", "wanted"),
    [
        ("count", None, [1, 0]),  # a tie in the second sample: the lower index
        ("count", V, [1, 2]),  # ... the higher v
        ("first_spike", V, [1, 2]),
        ("v_last", V, [2, 2]),
        ("v_max", V, [2, 1]),
    ],
)
def test_readouts(readout: str, v: object, wanted: list[int]) -> None:
    run = recording(SPIKES, v)
    asked = task([1, 1], readout)
    assert asked.decide(run).tolist() == wanted
    assert asked.accuracy(run) == np.mean(np.array(wanted) == 1)


def test_a_first_spike_beats_none_and_none_falls_back() -> None:
    silent = [[[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]]
    v = [[[0, 0, 0], [0.1, 0.3, 0.2]], [[0, 0, 0], [0.9, 0.0, 0.0]]]
    assert task([0, 0], "first_spike").decide(recording(silent, v)).tolist() == [1, 2]


def test_events_and_arrays_give_the_same() -> None:
    rng = np.random.default_rng(3)
    cell = nl.LIF(tau_m=20e-3, v_threshold=1e-3)
    net = nl.Network(
        [nl.Population("out", 4, cell)],
        [nl.Projection("p", "in", "out", 4e-3 * rng.random((4, 9)), nl.Delta())],
        [nl.SpikeInput("in", 9)],
        [nl.Probe("out", "v")],
    )
    inputs = {"in": (rng.random((30, 20, 9)) < 0.3).astype(np.uint8)}
    run = nl.run_clocked(nl.discretize(net, 1e-3), inputs=inputs)
    for readout in READOUTS:
        asked = Task(inputs, rng.integers(0, 4, 30), "out", readout)
        first = asked.decide(run)
        arrays = nl.Recording(run.dt, run.n_steps, {"out": np.array(run.spikes["out"])},
                              run.traces, run.lsb, run.v_zero)  # fmt: skip
        np.testing.assert_array_equal(first, asked.decide(arrays))
        assert len(set(first.tolist())) > 1


def test_cut_and_digest() -> None:
    rng = np.random.default_rng(1)
    inputs = {"in": rng.integers(0, 2, (5, 4, 3))}
    one = Task(inputs, [0, 1, 2, 0, 1], "out")
    assert one.digest == Task(inputs, [0, 1, 2, 0, 1], "out").digest
    others = [
        Task(inputs, [0, 1, 2, 0, 2], "out"),
        Task(inputs, [0, 1, 2, 0, 1], "out", "v_max"),
        Task(inputs, [0, 1, 2, 0, 1], "out", n_steps=9),
        Task({"in": 1 - inputs["in"]}, [0, 1, 2, 0, 1], "out"),
    ]
    assert len({one.digest, *(t.digest for t in others)}) == 5
    part = one.cut([3, 1])
    assert part.size == 2
    assert np.asarray(part.labels).tolist() == [0, 1]
    np.testing.assert_array_equal(part.inputs["in"], inputs["in"][[3, 1]])
    assert one.cut(slice(2, 4)).size == 2
    assert (one.steps, others[2].steps) == (4, 9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [0.5, 1.0]}, "labels"),
        ({"labels": [0, -1]}, "labels"),
        ({"labels": [0, 1, 2]}, r"\(3, n_steps, n\)"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": {"in": np.zeros((2, 3))}}, "shape"),
        ({"readout": "most"}, "count, first_spike, v_max, v_last"),
    ],
)
def test_wrong_tasks_are_refused(change: dict[str, object], said: str) -> None:
    right: dict[str, object] = {"inputs": {"in": np.zeros((2, 3, 3))}, "labels": [0, 1]}
    with pytest.raises(nl.errors.RangeError, match=said):
        Task(output="out", **{**right, **change})  # type: ignore[arg-type]


def test_a_recording_of_something_else_is_refused() -> None:
    with pytest.raises(nl.errors.RangeError, match="samples"):
        task([0, 1, 2]).decide(recording(SPIKES))
    with pytest.raises(nl.errors.RangeError, match="output"):
        Task({"in": np.zeros((2, 2, 3))}, [0, 1], "other").decide(recording(SPIKES))
    with pytest.raises(nl.errors.RangeError, match="was not recorded"):
        task([0, 1], "v_max").decide(recording(SPIKES))
