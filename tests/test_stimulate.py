"""From described or given inputs to rasters: rows, padding, batches and wrong shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.feeds import float_feeds
from neuro_lif.stimulate import (
    batch_of,
    check_given,
    input_sizes,
    padded,
    raster_of,
    steps_of,
)
from neuro_lif.stimulus import Constant, Sampled

DT = 1e-4


def float_inputs(
    network: nl.Network, dt: float, n_steps: int, batch: int, given: dict[str, Any]
) -> dict[str, Any]:
    """Every input of a float run as one array."""
    feeds = float_feeds(network, dt, n_steps, batch, given)
    return {name: np.broadcast_to(feed.rows(0, n_steps), (batch, n_steps, feed.size))
            for name, feed in feeds.items()}  # fmt: skip


@given(st.integers(0, 100_000), st.sampled_from([1e-3, 1e-4, 5e-4, 3e-5]))
def test_a_spike_on_the_grid_is_in_its_own_row(row: int, dt: float) -> None:
    """Times of i dt fall into row i, although i * dt / dt may be a hair below i."""
    spikes = nl.SpikeInput("x", 1, [0], [row * dt])
    assert int(np.flatnonzero(raster_of(spikes, dt, row + 2))[0]) == row


def test_rasters_count_and_cut() -> None:
    spikes = nl.SpikeInput("x", 3, [0, 2, 2, 1], [0.0, 1.01e-4, 1.99e-4, 9e-4])
    raster = raster_of(spikes, DT, 5)
    assert raster.shape == (5, 3) and raster.dtype == np.int64
    assert np.argwhere(raster).tolist() == [[0, 0], [1, 2]] and raster[1, 2] == 2
    assert not raster_of(nl.SpikeInput("x", 3), DT, 4).any()
    assert not raster_of(nl.SpikeInput("x", 3, [], []), DT, 4).any()


def test_given_arrays_are_checked() -> None:
    known = {"x": 3, "i": 2}
    assert check_given(None, known) == {}
    ok: dict[str, Any] = {"x": np.zeros((2, 5, 3)), "i": np.zeros((5, 2))}
    assert set(check_given(ok, known)) == {"x", "i"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"y": np.zeros((5, 3))}, "'y' is unknown, allowed: i, x"),
        ({"x": np.zeros((5, 2))}, r"shape \(5, 2\), allowed: \(n_steps, 3\)"),
        ({"x": np.zeros(3)}, r"shape \(3,\)"),
        ({"x": np.full((5, 3), np.nan)}, "finite numbers"),
        ({"x": np.full((5, 3), "a")}, "finite numbers"),
        ({"x": np.zeros((5, 3)), "i": np.zeros((4, 2))}, "different numbers of steps"),
        ({"x": np.zeros((2, 5, 3)), "i": np.zeros((3, 5, 2))}, "different numbers of samples"),
    ]
    for inputs, names in wrong:
        with pytest.raises(RangeError, match=names):
            check_given(inputs, known)
    with pytest.raises(RangeError, match="allowed: none"):
        check_given({"x": np.zeros((1, 1))}, {})


def test_length_of_a_run() -> None:
    x = {"x": np.zeros((2, 7, 3))}
    assert steps_of(None, x) == 7 and steps_of(9, x) == 9 and steps_of(np.int64(7), x) == 7
    with pytest.raises(RangeError, match="no inputs were given"):
        steps_of(None, {})
    for bad in (0, -1, 2.0, True, "5"):
        with pytest.raises(RangeError, match="whole number >= 1"):
            steps_of(bad, {})  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="at least the inputs' 7 steps"):
        steps_of(6, x)


def test_batches_and_padding() -> None:
    assert batch_of({}) is None and batch_of({"x": np.zeros((4, 2))}) is None
    assert batch_of({"a": np.zeros((4, 2)), "b": np.zeros((3, 4, 2))}) == 3
    out = padded(np.arange(4).reshape(2, 2), 3, 4, np.float64)
    assert out.shape == (3, 4, 2) and out.dtype == np.float64
    assert out[2].tolist() == [[0, 1], [2, 3], [0, 0], [0, 0]]


def test_float_inputs_are_described_or_given() -> None:
    network = nl.Network(
        [nl.Population("p", 2, nl.LIF(0.01))],
        [],
        [
            nl.SpikeInput("x", 1, [0], [2e-4]),
            nl.CurrentInput("c", "p", Constant(1.5)),
            nl.CurrentInput("s", "p", Sampled([[1.0, 2.0]], 2e-4)),
            nl.CurrentInput("open", "p"),
        ],
    )
    assert input_sizes(network) == {"x": 1, "c": 2, "s": 2, "open": 2}
    feeds = float_inputs(network, DT, 4, 2, {})
    assert feeds["x"][1, :, 0].tolist() == [0, 0, 1, 0]
    assert np.all(feeds["c"] == 1.5) and not feeds["open"].any()
    assert feeds["s"][0].tolist() == [[1, 2], [1, 2], [0, 0], [0, 0]]
    feeds = float_inputs(network, DT, 4, 1, {"x": np.ones((2, 1)), "open": np.full((1, 4, 2), 3.0)})
    assert feeds["x"][0, :, 0].tolist() == [1, 1, 0, 0] and np.all(feeds["open"] == 3.0)


@pytest.mark.parametrize("dtype, kept", [
    (bool, np.uint8), (np.uint8, np.uint8), (np.int64, np.uint8), (np.uint32, np.uint8),
    (np.float32, np.float64), (np.float64, np.float64),
])  # fmt: skip
def test_counts_stay_narrow(dtype: Any, kept: Any) -> None:
    """In bytes where they are whole by type and fit; what is repeated is there once."""
    stimuli = {"c": Constant([1.5, 2.0]), "open": None}
    network = nl.Network(
        [nl.Population("p", 2, nl.LIF(0.01))], [],
        [nl.SpikeInput("x", 3), nl.SpikeInput("silent", 3),
         *(nl.CurrentInput(name, "p", s) for name, s in stimuli.items())],
    )  # fmt: skip
    x = np.eye(3).astype(dtype)
    feeds = float_inputs(network, DT, 4, 2, {"x": x})
    assert all(a.shape[:2] == (2, 4) for a in feeds.values())
    assert feeds["x"].dtype == kept and feeds["x"].strides[0] == 0
    np.testing.assert_array_equal(feeds["x"][1], np.vstack([x, np.zeros(3)]))
    assert feeds["silent"].strides[:2] == feeds["c"].strides[:2] == (0, 0)
    assert feeds["open"].dtype == feeds["c"].dtype == np.float64
    assert feeds["c"][1, 3].tolist() == [1.5, 2.0]
    assert float_inputs(network, DT, 3, 1, {"x": x})["x"].shape == (1, 3, 3)


def test_counts_that_do_not_fit_a_byte() -> None:
    network = nl.Network([nl.Population("p", 1, nl.LIF(0.01))], [], [nl.SpikeInput("x", 1)])
    for most, kept in ((255, np.uint8), (256, np.float64)):
        feeds = float_inputs(network, DT, 2, 1, {"x": np.array([[0], [most]])})
        assert feeds["x"].dtype == kept and feeds["x"][0, 1, 0] == most
    with pytest.raises(RangeError, match=r"inputs\['x'\]: holds -1, allowed: counts >= 0"):
        float_inputs(network, DT, 2, 1, {"x": np.array([[0], [-1]])})
    many = nl.SpikeInput("x", 1, np.zeros(256, np.int64), np.zeros(256))
    assert raster_of(many, DT, 2, narrow=True).tolist() == [[256], [0]]
    assert raster_of(many, DT, 2, narrow=True).dtype == np.int64


def test_inputs_are_not_changed() -> None:
    raster = np.ones((5, 1), np.int64)
    network = nl.Network(
        [nl.Population("p", 1, nl.LIF(0.01))],
        [nl.Projection("w", "x", "p", np.ones((1, 1)))],
        [nl.SpikeInput("x", 1)],
    )
    nl.run_clocked(nl.discretize(network, 1e-3), 9, {"x": raster})
    assert np.array_equal(raster, np.ones((5, 1)))
