"""One projection's synapses, stepped: against sums written out one synapse at a time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from neuro_lif.connect import EXACT, Carrier

INT, FLOAT = np.int64, np.float64


def by_hand(
    weights: Any, delays: Any, latency: int, rows: Any, n_steps: int
) -> list[list[list[Any]]]:
    """Return (step, sample, target) sums of dense weights; ``delays`` broadcasts to them."""
    n_post, n_pre = weights.shape
    each = np.broadcast_to(delays, weights.size).reshape(weights.shape)
    sums: Any = defaultdict(int)
    for t, batch in enumerate(rows, 1):
        for b, post, pre in itertools.product(range(len(batch)), range(n_post), range(n_pre)):
            due = t + latency + int(each[post, pre])
            sums[due, b, post] += weights[post, pre].item() * batch[b][pre]
    return [[[sums[t, b, i] for i in range(n_post)] for b in range(len(rows[0]))]
            for t in range(1, n_steps + 1)]  # fmt: skip


def stepped(carrier: Carrier, rows: Any, n_steps: int) -> list[Any]:
    found = []
    for t in range(1, n_steps + 1):
        if carrier.latency:
            found.append(carrier.arriving(t).tolist())
        if t <= len(rows):
            carrier.emit(t, np.array(rows[t - 1]))
        if not carrier.latency:
            found.append(carrier.arriving(t).tolist())
    return found


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize("delays", ["none", "one", "several"])
@pytest.mark.parametrize("dtype", [INT, FLOAT])
@pytest.mark.parametrize("stored", [False, True])
def test_every_spike_arrives_once_in_its_step(
    stored: bool, dtype: Any, delays: str, latency: int, batch: int
) -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-9, 10, (4, 5)).astype(dtype)
    weights[1], weights[:, 2] = 0, 0
    each = {"none": 0, "one": 3, "several": rng.integers(0, 5, weights.size)}[delays]
    rows = rng.integers(-2, 4, (6, batch, 5)).tolist()
    rows[2] = np.zeros((batch, 5), int).tolist()
    given: Any = weights
    kept = np.asarray(each)
    if stored:
        given = sparse.csr_matrix(weights)
        kept = kept if kept.ndim == 0 else kept.reshape(weights.shape)[weights != 0]
    carrier = Carrier(given, kept, latency, batch)
    expected = by_hand(weights, each, latency, rows, 12)
    assert stepped(carrier, rows, 12) == expected
    assert not carrier.ring.any()
    assert carrier.ring.dtype == dtype


@pytest.mark.parametrize("shape", [(3, 0), (0, 3)])
@pytest.mark.parametrize("stored", [False, True])
def test_nobody_on_one_side(stored: bool, shape: tuple[int, int]) -> None:
    weights: Any = sparse.csr_matrix(shape, dtype=INT) if stored else np.zeros(shape, INT)
    for delays in (np.zeros((), INT), np.zeros(0, INT)):
        carrier = Carrier(weights, delays, 1, 2)
        assert carrier.delays.tolist() == [0]
        assert carrier.delays.dtype == INT
        assert carrier.ring.shape == (2, 2, shape[0])
        carrier.emit(1, np.ones((2, shape[1]), INT))
        assert carrier.arriving(2).tolist() == [[0] * shape[0]] * 2


def test_the_ring_is_as_long_as_the_longest_delay() -> None:
    for latency, delays, length in ((0, 0, 1), (1, 0, 2), (1, [0, 4], 6), (0, [2, 2], 3)):
        carrier = Carrier(np.ones((1, 2), INT), np.array(delays), latency, 1)
        assert carrier.ring.shape == (length, 1, 1)


def test_sums_are_finished_before_they_are_stored_and_bounded_after() -> None:
    """``finish`` sees the sum of each delay, ``store`` what has come together in a slot."""
    seen: list[Any] = []

    def finish(sums: Any) -> Any:
        seen.append(sums.tolist())
        return sums * 10

    def store(slot: Any) -> Any:
        return np.minimum(slot, 50)

    weights, delays = np.array([[1, 2], [0, 3]]), np.array([0, 1, 0, 1])
    carrier = Carrier(weights, delays, 1, 1, finish, store)
    carrier.emit(1, np.array([[1, 1]]))
    assert seen == [[[[1, 0], [2, 3]]]]
    carrier.emit(2, np.array([[4, 0]]))
    carrier.emit(2, np.array([[0, 0]]))
    assert len(seen) == 2
    assert carrier.arriving(2).tolist() == [[10, 0]]
    assert carrier.arriving(3).tolist() == [[50, 30]]
    finished = Carrier(weights, np.zeros((), INT), 1, 1, finish)
    finished.emit(1, np.array([[1, 1]]))
    assert finished.arriving(2).tolist() == [[30, 30]]
    stored = Carrier(weights * 60, np.zeros((), INT), 1, 1, store=store)
    stored.emit(1, np.array([[1, 1]]))
    assert stored.arriving(2).tolist() == [[50, 50]]


def test_arriving_gives_a_copy_and_empties_the_slot() -> None:
    carrier = Carrier(np.array([[5]]), np.zeros((), INT), 1, 1)
    carrier.emit(1, np.array([[1]]))
    first = carrier.arriving(2)
    assert first.tolist() == [[5]]
    assert carrier.arriving(2).tolist() == [[0]]
    assert first.tolist() == [[5]]


def test_a_float_product_is_used_exactly_as_far_as_it_is_exact() -> None:
    """Of a target's weights the sum of magnitudes counts: 2**53 over it is the limit."""
    weights = np.array([[3, -4, 0], [1, 1, 2]])
    carrier = Carrier(weights, np.zeros((), INT), 1, 2)
    assert carrier.real_limit == EXACT / 7
    assert carrier.real is not None and carrier.real.dtype == FLOAT
    assert Carrier(np.zeros((2, 2), INT), np.zeros((), INT), 1, 2).real_limit == EXACT
    assert Carrier(np.array([[1, 0]]), np.zeros((), INT), 1, 2).real_limit == EXACT
    assert Carrier(weights / 2, np.zeros((), INT), 1, 2).real is None


@pytest.mark.parametrize("large", [2**53 - 1, 2**53, 2**53 + 1, 2**60 + 1])
def test_integers_of_any_size_are_exact(large: int) -> None:
    weights = np.array([[1, 0], [0, 1]])
    for batch in (1, 2):
        for delays in (np.zeros((), INT), np.array([0, 0, 0, 1])):
            carrier = Carrier(weights, delays, 1, batch)
            carrier.emit(1, np.array([[large, -large]] * batch))
            first = carrier.arriving(2)
            assert first.dtype == INT
            assert (first + carrier.arriving(3)).tolist() == [[large, -large]] * batch


def test_spikes_of_any_type_are_taken() -> None:
    for spikes in (np.array([[True, False], [True, True]]), np.array([[1, 0], [1, 1]], np.int8)):
        for delays in (np.zeros((), INT), np.array([0, 1])):
            carrier = Carrier(np.array([[300, -7]]), delays, 1, 2)
            carrier.emit(1, spikes)
            both = carrier.arriving(2) + carrier.arriving(3)
            assert both.tolist() == [[300], [293]]
            assert both.dtype == INT


def test_real_weights_stay_real() -> None:
    carrier = Carrier(np.array([[0.25, 0.5]]), np.zeros((), INT), 1, 2)
    carrier.emit(1, np.array([[1, 1], [0, 3]]))
    assert carrier.arriving(2).tolist() == [[0.75], [1.5]]
