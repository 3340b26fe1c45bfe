"""Shifts of arrays that round, and shift counts of every integer type."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from neuro_lif.formats import drop_low_bits, near_tie, shift_array, shift_rounded_array

WIDE = range(-300, 301)
ROUND = {"floor": math.floor, "rtz": math.trunc}


@pytest.mark.parametrize("rounding", ROUND)
@pytest.mark.parametrize("k", range(-12, 5))
def test_every_value(k: int, rounding: str) -> None:
    expected = [ROUND[rounding](x * Fraction(2) ** k) for x in WIDE]
    values = np.array(WIDE, np.int64)
    for count in (k, np.int64(k), np.full(len(values), k)):
        got = shift_rounded_array(values, count, rounding)
        assert got.dtype == np.int64
        assert got.tolist() == expected


def test_a_count_per_value() -> None:
    values, counts = np.meshgrid(np.arange(-40, 41), np.arange(-9, 10))
    for rounding, rule in ROUND.items():
        pairs = zip(values.ravel().tolist(), counts.ravel().tolist(), strict=True)
        expected = [rule(x * Fraction(2) ** k) for x, k in pairs]
        assert shift_rounded_array(values, counts, rounding).ravel().tolist() == expected


@pytest.mark.parametrize("dtype", ["u1", "i1", "u4", "i8"])
def test_counts_of_any_integer_type(dtype: Any) -> None:
    """An unsigned count has no negative of its own, and an int8 of -128 neither."""
    values = np.array([5, -5, 1, 7])
    counts = np.array([0, 1, 2, 40], dtype)
    assert shift_array(values, counts).tolist() == [5, -10, 4, 7 << 40]
    if dtype == "i1":
        assert shift_array(values, np.array([-128, -128, -1, -1], dtype)).tolist() == [0, -1, 0, 3]


def test_a_count_from_a_plain_list() -> None:
    assert shift_array(np.array([12, -12, 12]), [1, -1, -2]).tolist() == [24, -6, 3]


def test_the_inputs_are_left_alone() -> None:
    values, counts = np.array([9, -9]), np.array([-1, 2])
    shift_rounded_array(values, counts, "rtz")
    shift_array(values, counts)
    drop_low_bits(values, 2, "floor")
    assert (values.tolist(), counts.tolist()) == ([9, -9], [-1, 2])


def test_no_low_bits_are_the_weights_themselves() -> None:
    w = np.array([7, -7])
    assert drop_low_bits(w, 0, "rtz").tolist() == [7, -7]
    assert drop_low_bits(w, 1, "rtz").tolist() == [6, -6]


def test_near_tie_is_relative_above_one_and_absolute_below() -> None:
    """Within 1e-12 of the magnitude, at least of 1: 1e-12 either way counts, a little more not."""
    assert near_tie([0.5 + 9e-13, 0.5 - 9e-13, 0.5 + 2e-12]).tolist() == [True, True, False]
    assert near_tie([1000.5 + 9e-10, 1000.5 + 3e-9, -1000.5 - 9e-10]).tolist() == [
        True, False, True]  # fmt: skip
    assert near_tie([0.6], within=0.2).tolist() == [True]
    assert near_tie([0.75], within=0.25).tolist() == [True]
    assert near_tie([0.8], within=0.25).tolist() == [False]
    assert near_tie(0.5).shape == ()


def test_nearest_even_of_negative_halves() -> None:
    assert drop_low_bits(np.array([-6, -2, 2, 6, 10]), 2, "nearest_even").tolist() == [
        -8, 0, 0, 8, 8]  # fmt: skip
