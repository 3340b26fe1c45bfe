"""Rounding of weights: what each way does to negatives, ties and exact values; random rounding."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import neuro_lif as nl
from neuro_lif.lower.rounding import ROUNDINGS, draws_of, rounded

DT = 1e-3


def coded(weights: Any, bits: int = 4, **options: Any) -> nl.FixedNetwork:
    """Lower one projection of delta synapses onto neurons without a leak: weights stay as given."""
    n_post, n_pre = weights.shape
    net = nl.Network(
        [nl.Population("p", n_post, nl.IF(1.0, v_threshold=8.0, v_reset=0.0))],
        [nl.Projection("w", "x", "p", weights, nl.Delta(), DT)],
        [nl.SpikeInput("x", n_pre)],
    )
    return nl.quantize(nl.discretize(net, DT), "generic", weight_bits=bits, **options)


def volts(fixed: nl.FixedNetwork) -> np.ndarray:
    """Return the coded weights, V per spike, as a dense matrix."""
    q, form = fixed.projections[0], 2.0**6
    effective = fixed.effective_weights(q)
    dense = effective.toarray() if sparse.issparse(effective) else effective
    return dense * 2.0 ** fixed.sum_exponent(q) * form * fixed.population("p").lsb[:, None]


def step_of(fixed: nl.FixedNetwork) -> float:
    q, rules = fixed.projections[0], fixed.profile.weights
    step = rules.step(str(q.sign_mode), int(q.weight_bits or 0)) * 2.0**q.exponent * 2.0**6
    return float(step * fixed.population("p").lsb[0])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("nearest", [-2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 2, 3]),
        ("floor", [-3, -2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3]),
        ("toward_zero", [-2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 2, 3]),
    ],
)
def test_every_way_on_negatives_and_halves(how: str, expected: list[int]) -> None:
    steps = np.array([-2.1, -1.6, -1.25, -1.0, -0.5, 0.0, 0.3, 0.75, 1.4, 1.75, 2.25, 3.0])
    np.testing.assert_array_equal(rounded(steps, how), expected)


@pytest.mark.parametrize("how", ["floor", "toward_zero", "stochastic"])
def test_a_weight_that_is_a_code_is_not_moved_by_the_error_of_a_division(how: str) -> None:
    steps = np.array([3.0, -3.0, 7.0, -8.0, 0.0])
    near = steps * (1 + 4e-16 * np.array([-1, 1, -1, -1, 1])) - 1e-12
    for draws in (np.zeros(5), np.full(5, 1 - 2.0**-53)):
        np.testing.assert_array_equal(rounded(near, how, draws), steps)


@settings(max_examples=60)
@given(st.lists(st.fractions(-20, 20, max_denominator=64), min_size=1, max_size=12))
def test_ways_are_what_exact_arithmetic_says(values: list[Fraction]) -> None:
    steps = np.array([float(v) for v in values])
    assert rounded(steps, "floor").tolist() == [v.numerator // v.denominator for v in values]
    assert rounded(steps, "toward_zero").tolist() == [int(v) for v in values]
    assert rounded(steps, "nearest").tolist() == [round(v) for v in values]
    draws = np.linspace(0, 1, len(values), endpoint=False)
    expected = [int((v + Fraction(float(d))).__floor__()) for v, d in zip(values, draws)]  # noqa: B905
    assert rounded(steps, "stochastic", draws).tolist() == expected


def test_stochastic_rounding_has_the_mean_of_the_weights() -> None:
    """Over N seeds the mean of each weight is within 5 standard errors, sqrt(p (1 - p) / N)."""
    many = 1500
    weights = np.array([[-2.75, -1.5, -0.1, 0.0, 0.25, 0.5, 0.9, 2.0, 6.999]])
    total, squares = np.zeros(weights.shape), np.zeros(weights.shape)
    for seed in range(many):
        got = rounded(weights[0], "stochastic", draws_of(weights, "w", seed))
        total += got
        squares += (got - weights) ** 2
    p = weights - np.floor(weights)
    error = 5 * np.sqrt(p * (1 - p) / many)
    assert np.all(np.abs(total / many - weights) <= error + 1e-12)
    assert np.any(np.abs(total / many - weights) > 0)  # it is random
    np.testing.assert_allclose(squares / many, p * (1 - p), atol=5 * 0.25 / np.sqrt(many))


def test_draws_are_uniform_and_differ_between_synapses_names_and_seeds() -> None:
    weights = np.zeros((60, 50))
    draws = draws_of(weights, "w", 3)
    assert draws.min() >= 0 and draws.max() < 1 and np.unique(draws).size == 3000
    found = np.histogram(draws, 10, (0, 1))[0]
    assert np.sum((found - 300) ** 2 / 300) < 27.9  # chi squared of 9, 0.999
    for other in (draws_of(weights, "w", 4), draws_of(weights, "v", 3)):
        assert abs(np.corrcoef(draws, other)[0, 1]) < 5 / np.sqrt(3000)


def test_a_draw_belongs_to_its_two_neurons_whatever_is_stored() -> None:
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(7, 9))
    all_draws = draws_of(dense, "w", 5).reshape(dense.shape)
    csr = sparse.csr_matrix(dense * (rng.random(dense.shape) < 0.4))
    csr.sort_indices()
    rows = np.repeat(np.arange(7), np.diff(csr.indptr))
    np.testing.assert_array_equal(draws_of(csr, "w", 5), all_draws[rows, csr.indices])


def test_a_draw_far_beyond_32_bits_of_places() -> None:
    csr = sparse.csr_matrix((np.ones(3), ([0, 2, 2], [1, 1, 4_000_000_000])), (3, 2**32 + 5))
    draws = draws_of(csr, "w", 1)
    assert np.unique(draws).size == 3
    near = sparse.csr_matrix((np.ones(1), ([0], [1])), (3, 2**32 + 5))
    assert draws_of(near, "w", 1)[0] == draws[0]


def test_stochastic_weights_do_not_depend_on_the_order_of_synapses() -> None:
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(6, 8))
    csr = sparse.csr_matrix(dense)
    shuffled = csr.copy()
    for row in range(6):
        part = slice(csr.indptr[row], csr.indptr[row + 1])
        order = rng.permutation(8)
        shuffled.indices[part], shuffled.data[part] = (
            csr.indices[part][order], csr.data[part][order],
        )  # fmt: skip
    found = [volts(coded(w, rounding="stochastic", rounding_seed=9)) for w in (csr, shuffled)]
    np.testing.assert_array_equal(*found)
    dense_too = volts(coded(dense, rounding="stochastic", rounding_seed=9))
    np.testing.assert_array_equal(found[0], dense_too)
    other = volts(coded(dense, rounding="stochastic", rounding_seed=10))
    assert np.any(other != dense_too)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(ROUNDINGS)), st.sampled_from([2, 3, 5, 8]))
def test_weights_are_off_by_no_more_than_the_way_allows(seed: int, how: str, bits: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(4, 6)) * 10 ** rng.uniform(-3, 1)
    fixed = coded(weights, bits, rounding=how, scaling="max_abs", gain_compensation=False)
    off, step = volts(fixed) - weights, step_of(fixed)
    assert fixed.ledger is not None
    told = {e.where: e.clipped for e in fixed.ledger.entries if e.field == "weights"}
    slack = 1e-6 * step
    ends = {"nearest": (-0.5, 0.5), "floor": (-1, 0), "stochastic": (-1, 1)}
    if how == "toward_zero":
        outside = (np.abs(off) > step + slack) | (off * weights > slack * np.abs(weights))
    else:
        low, high = ends[how]
        outside = (off < low * step - slack) | (off > high * step + slack)
    assert int(outside.sum()) <= told["projection 'w'"]
    # the largest weight is a code; a random rounding may take no other beyond it
    assert told["projection 'w'"] == 0
