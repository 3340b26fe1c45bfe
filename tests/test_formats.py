"""NUMBERS, exhaustively on small widths: scalar == array == independent arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from neuro_lif.formats import (
    OVERFLOWS,
    ROUNDINGS,
    drop_low_bits,
    near_tie,
    nearest,
    overflow,
    overflow_array,
    round_shift,
    round_shift_array,
    shift,
    shift_array,
)

WIDE = range(-700, 701)
"""Every value a 10-bit register can be asked to hold after one addition, and more."""

SPANS = [(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in range(1, 9)]  # two's complement
SPANS += [(0, 2**b - 1) for b in range(1, 9)]  # unsigned
SPANS += [(-7, 7), (-127, 127), (-7, 8), (3, 3), (-100, 100)]  # symmetric, Lava's u, odd ones


def away(x: Fraction) -> int:
    return math.ceil(x) if x >= 0 else math.floor(x)


def expected_rounding(p: int, k: int, rounding: str) -> int:
    """The definition in words, in exact rational arithmetic."""
    x = Fraction(p, 2**k)
    if rounding == "floor_then_raz" and x.denominator != 1:
        return math.floor(x) + (1 if p >= 0 else -1)
    return {
        "floor": math.floor(x),
        "rtz": math.trunc(x),
        "raz": away(x),
        "floor_then_raz": math.floor(x),
        "nearest_up": math.floor(x + Fraction(1, 2)),
    }[rounding]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("k", range(0, 11))
def test_round_shift_every_value(rounding: str, k: int) -> None:
    values = np.array(WIDE, np.int64)
    array = round_shift_array(values, k, rounding)
    scalar = [round_shift(p, k, rounding) for p in WIDE]
    assert array.dtype == np.int64
    assert array.tolist() == scalar == [expected_rounding(p, k, rounding) for p in WIDE]


@pytest.mark.parametrize("k", range(0, 11))
def test_rtz_never_grows_and_raz_never_shrinks_the_magnitude(k: int) -> None:
    for p in WIDE:
        x = abs(Fraction(p, 2**k))
        assert abs(round_shift(p, k, "rtz")) <= x <= abs(round_shift(p, k, "raz"))
        assert abs(round_shift(p, k, "raz")) - abs(round_shift(p, k, "rtz")) <= 1


@pytest.mark.parametrize("rounding", ["rtz", "raz"])
def test_symmetric_roundings_are_odd_functions(rounding: str) -> None:
    for k in range(11):
        assert all(round_shift(-p, k, rounding) == -round_shift(p, k, rounding) for p in WIDE)


@pytest.mark.parametrize("k", range(-12, 13))
def test_shift_every_value(k: int) -> None:
    expected = [math.floor(x * Fraction(2) ** k) for x in WIDE]
    values = np.array(WIDE, np.int64)
    assert [shift(x, k) for x in WIDE] == expected
    assert shift_array(values, k).tolist() == expected
    assert shift_array(values, np.int64(k)).tolist() == expected
    assert shift_array(values, np.full(len(values), k)).tolist() == expected


def test_shift_by_an_array_that_mixes_left_and_right() -> None:
    values, amounts = np.meshgrid(np.arange(-40, 41), np.arange(-9, 10))
    expected = [shift(int(x), int(k)) for x, k in zip(values.flat, amounts.flat, strict=True)]
    assert shift_array(values, amounts).ravel().tolist() == expected


@pytest.mark.parametrize("k", [-64, -63, -200])
def test_right_shift_beyond_the_width_leaves_only_the_sign(k: int) -> None:
    values = np.array([-(2**40), -1, 0, 1, 2**40], np.int64)
    assert shift_array(values, k).tolist() == [shift(int(x), k) for x in values]
    assert shift_array(values, np.full(5, k)).tolist() == [-1, -1, 0, 0, 0]


@pytest.mark.parametrize("span", SPANS, ids=str)
@pytest.mark.parametrize("mode", OVERFLOWS)
def test_overflow_every_value(mode: str, span: tuple[int, int]) -> None:
    lo, hi = span
    period = hi - lo + 1

    def expected(x: int) -> int:
        if mode == "sat":
            return sorted((lo, x, hi))[1]
        if mode == "wrap_once":
            return x + period if x < lo else x - period if x > hi else x
        while x < lo:  # one period at a time: what "wrap" means
            x += period
        while x > hi:
            x -= period
        return x

    array = overflow_array(np.array(WIDE, np.int64), mode, lo, hi)
    assert array.dtype == np.int64
    assert array.tolist() == [overflow(x, mode, lo, hi) for x in WIDE] == list(map(expected, WIDE))


@pytest.mark.parametrize("bits", range(1, 10))
def test_wrap_is_twos_complement(bits: int) -> None:
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for x in WIDE:
        pattern = x & (2**bits - 1)
        signed = pattern - 2**bits if pattern >> (bits - 1) else pattern
        assert overflow(x, "wrap", lo, hi) == signed
        assert overflow(x, "wrap", 0, 2**bits - 1) == pattern


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_wrap_equals_a_cast_in_hardware(dtype: type[np.signedinteger]) -> None:
    info = np.iinfo(dtype)
    edges = [int(info.min), int(info.max), 0, -1, 1, 2**40, -(2**40), 3 * 2**33 + 5]
    values = np.array([e + d for e in edges for d in range(-3, 4)], np.int64)
    wrapped = overflow_array(values, "wrap", int(info.min), int(info.max))
    assert wrapped.tolist() == values.astype(dtype).tolist()


@pytest.mark.parametrize("mode", ["wrap", "sat"])
def test_overflow_twice_is_overflow_once(mode: str) -> None:
    for lo, hi in SPANS:
        once = overflow_array(np.array(WIDE, np.int64), mode, lo, hi)
        assert (overflow_array(once, mode, lo, hi) == once).all()
        assert once.min() >= lo and once.max() <= hi


@pytest.mark.parametrize("k", range(0, 6))
def test_drop_low_bits_every_value(k: int) -> None:
    values = np.array(WIDE, np.int64)
    step = 2**k
    expected = {
        "floor": [math.floor(Fraction(w, step)) * step for w in WIDE],
        "rtz": [math.trunc(Fraction(w, step)) * step for w in WIDE],
        "nearest_even": [round(Fraction(w, step)) * step for w in WIDE],
    }
    for rounding, wanted in expected.items():
        assert drop_low_bits(values, k, rounding).tolist() == wanted


def test_nearest_rounds_halves_to_even() -> None:
    halves = [k / 4 for k in range(-41, 42)]
    assert nearest(halves).tolist() == [round(Fraction(x)) for x in halves]


def test_reals_of_any_type_are_taken() -> None:
    """Exact fractions are numbers too, and ties are looked for in float64 whatever comes in."""
    assert nearest([Fraction(5, 2), Fraction(-7, 2), Fraction(1, 3)]).tolist() == [2, -4, 0]
    assert near_tie([Fraction(5, 2), Fraction(1, 3)]).tolist() == [True, False]
    assert near_tie(np.array([0.75], np.float32), within=0.25 - 1e-12).tolist() == [False]


def test_near_tie_sees_boundaries_only() -> None:
    x = np.array([0.5, -0.5, 2.5, 0.5 + 1e-13, 0.5 - 1e-9, 0.0, 1.0, 0.4999, 1e6 + 0.5 + 1e-8])
    assert near_tie(x).tolist() == [True, True, True, True, False, False, False, False, True]


@pytest.mark.parametrize("x", [0, 5, -5])
def test_unknown_modes_are_refused(x: int) -> None:
    values = np.array([x], np.int64)
    with pytest.raises(ValueError, match="allowed"):
        round_shift(2 * x + 1, 1, "up")
    with pytest.raises(ValueError, match="allowed"):
        round_shift_array(values, 1, "up")
    with pytest.raises(ValueError, match="allowed"):
        overflow(x, "modulo", 1, 2)
    with pytest.raises(ValueError, match="allowed"):
        overflow_array(values, "modulo", 1, 2)
