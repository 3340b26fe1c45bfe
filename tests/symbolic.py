"""Runs the package's own arithmetic on z3 terms instead of numbers.

Scalar code (:mod:`neuro_lif.formats` on Python integers, :mod:`neuro_lif.semantics`) runs as it
stands: where it branches on a term, :func:`outcomes` runs it once for each way. Array code
(``*_array``, the numpy emulator) runs with :class:`Numpy` in the place of numpy, on one neuron
among others of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import z3

from neuro_lif import formats
from neuro_lif.emulator import oplist

WORD = 64
"""Bits of the machine's integers."""


class Trail:
    """The decisions of one run: which way each branch went, and under which conditions."""

    current: Trail | None = None

    def __init__(self, decided: list[bool]) -> None:
        self.decided, self.conditions = decided, list[Any]()

    def decide(self, condition: Any) -> bool:
        place = len(self.conditions)
        if place == len(self.decided):
            self.decided.append(True)
        way = self.decided[place]
        self.conditions.append(condition if way else z3.Not(condition))
        return way


def outcomes(function: Callable[[], Any]) -> Iterator[tuple[Any, Any]]:
    """Yield (condition, result) for every way through ``function``; together they cover all."""
    decided: list[bool] = []
    while True:
        trail = Trail(decided)
        Trail.current = trail
        try:
            result = function()
        finally:
            Trail.current = None
        yield z3.And(*trail.conditions), result
        while decided and not decided[-1]:
            decided.pop()
        if not decided:
            return
        decided[-1] = False


def whole(function: Callable[[], Any]) -> Term:
    """Return the result of ``function`` as one term, whichever way it goes."""
    return merged(list(outcomes(function)))


def merged(found: list[tuple[Any, Any]]) -> Term:
    """Return one term that is each result under its condition."""
    *others, (_, last) = found
    like = next((r for _, r in found if isinstance(r, Term)), None)
    if like is None:
        like = Term(z3.BitVecVal(0, WORD))
    term = like.lift(last)
    for condition, result in reversed(others):
        value = like.lift(result)
        term = value if value.eq(term) else z3.If(condition, value, term)
    return Term(term)


class Truth:
    """A condition; where code branches on it, the run divides."""

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __bool__(self) -> bool:
        known = z3.simplify(self.expr)
        if z3.is_true(known) or z3.is_false(known):
            return z3.is_true(known)
        if Trail.current is None:
            raise TypeError("a condition is decided outside `outcomes`")
        return Trail.current.decide(self.expr)

    def __invert__(self) -> Truth:
        return Truth(z3.Not(self.expr))

    def __and__(self, other: Any) -> Truth:
        return Truth(z3.And(self.expr, truth(other).expr))

    def __or__(self, other: Any) -> Truth:
        return Truth(z3.Or(self.expr, truth(other).expr))

    __rand__, __ror__ = __and__, __or__

    def __sub__(self, other: Any) -> Any:  # (x > 0) - (x < 0)
        return Sign(self, other)

    # one neuron of an array: the others may be anything

    def any(self) -> bool:
        """Some neuron is meant; whether this one is, its own truth says."""
        return True

    def all(self) -> bool:
        return False


class Sign:
    """The difference of two conditions: -1, 0 or 1 of the sort it is multiplied with."""

    def __init__(self, up: Truth, down: Truth) -> None:
        self.up, self.down = up, down

    def __mul__(self, other: Any) -> Term:
        term = other if isinstance(other, Term) else Term(z3.BitVecVal(int(other), WORD))
        zero, one, minus = (term.lift(k) for k in (0, 1, -1))
        return Term(z3.If(self.up.expr, one, z3.If(self.down.expr, minus, zero))) * term


def truth(value: Any) -> Truth:
    """Return a condition, from one or from a bool."""
    return value if isinstance(value, Truth) else Truth(z3.BoolVal(bool(value)))


class Term:
    """An integer: unbounded (sort Int), or of a machine word (sort BitVec, signed)."""

    shape, size = (1,), 1

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def lift(self, other: Any) -> Any:
        """Return another value as an expression of this term's sort."""
        if isinstance(other, Term):
            return other.expr
        sort = self.expr.sort()
        if isinstance(other, Truth):
            return z3.If(other.expr, self.lift(1), self.lift(0))
        if z3.is_bv(self.expr):
            return z3.BitVecVal(int(other), sort)
        return z3.IntVal(int(other))

    @property
    def bounded(self) -> bool:
        return bool(z3.is_bv(self.expr))

    def __add__(self, other: Any) -> Term:
        return Term(self.expr + self.lift(other))

    def __sub__(self, other: Any) -> Term:
        return Term(self.expr - self.lift(other))

    def __rsub__(self, other: Any) -> Term:
        return Term(self.lift(other) - self.expr)

    def __mul__(self, other: Any) -> Term:
        return Term(self.expr * self.lift(other))

    __radd__, __rmul__ = __add__, __mul__

    def __mod__(self, other: Any) -> Term:
        return Term(self.expr % self.lift(other))

    def __neg__(self) -> Term:
        return Term(-self.expr)

    def __abs__(self) -> Term:
        return Term(z3.If(self.expr >= self.lift(0), self.expr, -self.expr))

    def __and__(self, other: Any) -> Term:
        return Term(self.expr & self.lift(other))

    def __lshift__(self, k: Any) -> Term:
        if self.bounded:
            return Term(self.expr << self.lift(k))
        return Term(self.expr * z3.IntVal(2**k))

    def __rlshift__(self, other: Any) -> Term:
        return Term(self.lift(other)) << self

    def __rshift__(self, k: Any) -> Term:
        if self.bounded:
            return Term(self.expr >> self.lift(k))
        return Term(self.expr / z3.IntVal(2**k))  # z3 divides integers like Python for 2**k > 0

    def __gt__(self, other: Any) -> Truth:
        return Truth(self.expr > self.lift(other))

    def __ge__(self, other: Any) -> Truth:
        return Truth(self.expr >= self.lift(other))

    def __lt__(self, other: Any) -> Truth:
        return Truth(self.expr < self.lift(other))

    def __le__(self, other: Any) -> Truth:
        return Truth(self.expr <= self.lift(other))

    def __eq__(self, other: object) -> Any:
        return Truth(self.expr == self.lift(other))

    def __ne__(self, other: object) -> Any:
        return Truth(self.expr != self.lift(other))

    __hash__ = None  # type: ignore[assignment]

    # one neuron of an array: some other neuron is always outside of every range

    def min(self) -> float:
        return -numpy.inf

    def max(self) -> float:
        return numpy.inf


def term(value: Any) -> Term:
    """Return a machine word."""
    if isinstance(value, Term):
        return value
    if isinstance(value, Truth):
        return Term(z3.If(value.expr, z3.BitVecVal(1, WORD), z3.BitVecVal(0, WORD)))
    return Term(z3.BitVecVal(int(value), WORD))


class Numpy:
    """What the array code uses of numpy, on :class:`Term`."""

    int64, integer, bool_ = int, numpy.integer, bool
    greater, greater_equal = (lambda a, b: term(a) > b), (lambda a, b: term(a) >= b)
    less, less_equal = (lambda a, b: term(a) < b), (lambda a, b: term(a) <= b)
    equal, not_equal = (lambda a, b: term(a) == b), (lambda a, b: term(a) != b)

    @staticmethod
    def asarray(value: Any, dtype: Any = None) -> Any:
        if dtype is bool or (dtype is None and isinstance(value, Truth)):
            return truth(value)
        return term(value)

    array = asarray

    @staticmethod
    def broadcast_to(value: Any, shape: Any) -> Any:
        return value

    @staticmethod
    def zeros_like(value: Any) -> Term:
        return term(0)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        if isinstance(a, Truth):
            c = truth(condition).expr
            return Truth(z3.If(c, a.expr, truth(b).expr))
        return Term(z3.If(truth(condition).expr, term(a).expr, term(b).expr))

    @staticmethod
    def left_shift(x: Any, k: Any) -> Term:
        return term(x) << k

    @staticmethod
    def right_shift(x: Any, k: Any) -> Term:
        return term(x) >> k

    @staticmethod
    def maximum(a: Any, b: Any) -> Term:
        a, b = term(a), term(b)
        return Term(z3.If(a.expr >= b.expr, a.expr, b.expr))

    @staticmethod
    def minimum(a: Any, b: Any) -> Term:
        a, b = term(a), term(b)
        return Term(z3.If(a.expr <= b.expr, a.expr, b.expr))

    @staticmethod
    def clip(x: Any, lo: Any, hi: Any) -> Term:
        return Numpy.minimum(Numpy.maximum(x, lo), hi)

    @staticmethod
    def sign(x: Any) -> Term:
        e = term(x).expr
        one, zero = z3.BitVecVal(1, WORD), z3.BitVecVal(0, WORD)
        return Term(z3.If(e > 0, one, z3.If(e < 0, -one, zero)))

    @staticmethod
    def abs(x: Any) -> Term:
        return abs(term(x))


@contextmanager
def symbolic_numpy() -> Iterator[None]:
    """Put :class:`Numpy` in the place of numpy in the array code."""
    comparisons = dict(oplist.COMPARISONS)
    formats.np = oplist.np = Numpy  # type: ignore[assignment, attr-defined]
    signs = {">": "greater", ">=": "greater_equal", "<": "less", "<=": "less_equal",
             "==": "equal", "!=": "not_equal"}  # fmt: skip
    oplist.COMPARISONS.update({s: getattr(Numpy, name) for s, name in signs.items()})
    try:
        yield
    finally:
        formats.np = oplist.np = numpy  # type: ignore[attr-defined]
        oplist.COMPARISONS.update(comparisons)
