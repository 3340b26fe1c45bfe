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
from neuro_lif.certify import spans
from neuro_lif.emulator import oplist

WORD = z3.BitVecSort(64)
"""The machine's integers."""
WHOLE = z3.IntSort()
"""Integers without end."""


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


def merged(found: list[tuple[Any, Any]], like: Term) -> Term:
    """Return one term that is each of the results under its condition."""
    *others, (_, last) = found
    expr = like.lift(last)
    for condition, result in reversed(others):
        value = like.lift(result)
        expr = value if value.eq(expr) else z3.If(condition, value, expr)
    return Term(expr)


def followed(function: Callable[[], Any], like: Term) -> Term:
    """Return the result of ``function`` as one term of the sort of ``like``."""
    return merged(list(outcomes(function)), like)


class Truth:
    """A condition; where code branches on it, the run divides."""

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __bool__(self) -> bool:
        known = z3.simplify(self.expr)
        if z3.is_true(known) or z3.is_false(known):
            return bool(z3.is_true(known))
        if Trail.current is None:
            raise TypeError("a condition is decided outside of `outcomes`")
        return Trail.current.decide(self.expr)

    def __invert__(self) -> Truth:
        return Truth(z3.Not(self.expr))

    def __and__(self, other: Any) -> Truth:
        return Truth(z3.And(self.expr, truth(other).expr))

    __rand__ = __and__

    def __or__(self, other: Any) -> Truth:
        return Truth(z3.Or(self.expr, truth(other).expr))

    def __sub__(self, other: Any) -> Sign:  # (x > 0) - (x < 0)
        return Sign(self.expr, other.expr)

    def any(self) -> bool:
        """Of an array: some other neuron is always meant, unless no neuron can be."""
        solver = z3.Solver()
        solver.add(self.expr)
        return bool(solver.check() != z3.unsat)

    def all(self) -> bool:
        """Of an array: some other neuron is never meant."""
        return False


class Sign:
    """-1, 0 or 1; a product with it is a choice."""

    def __init__(self, up: Any, down: Any) -> None:
        self.up, self.down = up, down

    def __mul__(self, other: Any) -> Term:
        value = term(other)
        return Term(z3.If(self.up, value.expr, z3.If(self.down, -value.expr, value.lift(0))))


def truth(value: Any) -> Truth:
    """Return a condition, from one or from a bool."""
    return value if isinstance(value, Truth) else Truth(z3.BoolVal(bool(value)))


class Term:
    """An integer without end (sort WHOLE) or a signed machine word (sort WORD)."""

    shape, size = (1,), 1
    made: list[Term] | None = None
    """Where a list, every term that is computed is put into it."""

    def __init__(self, expr: Any) -> None:
        self.expr = expr
        if Term.made is not None:
            Term.made.append(self)

    def lift(self, other: Any) -> Any:
        """Return another value as an expression of this term's sort."""
        if isinstance(other, Term):
            return other.expr
        if isinstance(other, Truth):
            return z3.If(other.expr, self.lift(1), self.lift(0))
        if z3.is_bv(self.expr):
            return z3.BitVecVal(int(other), self.expr.sort())
        return z3.IntVal(int(other))

    def __add__(self, other: Any) -> Term:
        return Term(self.expr + self.lift(other))

    def __sub__(self, other: Any) -> Term:
        return Term(self.expr - self.lift(other))

    def __rsub__(self, other: Any) -> Term:
        return Term(self.lift(other) - self.expr)

    def __mul__(self, other: Any) -> Term:
        if isinstance(other, Truth):
            return Term(z3.If(other.expr, self.expr, self.lift(0)))
        return Term(self.expr * self.lift(other))

    __radd__, __rmul__ = __add__, __mul__

    def __floordiv__(self, other: int) -> Term:
        return Term(self.expr / self.lift(other))  # by a positive number as Python has it

    def __mod__(self, other: Any) -> Term:
        return Term(self.expr % self.lift(other))  # of a positive number as Python has it

    def __neg__(self) -> Term:
        return Term(-self.expr)

    def __abs__(self) -> Term:
        return Term(z3.If(self.expr >= self.lift(0), self.expr, -self.expr))

    def __and__(self, mask: int) -> Term:
        if z3.is_bv(self.expr):
            return Term(self.expr & self.lift(mask))
        if mask & (mask + 1):
            raise TypeError(f"{mask} is no row of ones")
        return self % (mask + 1)

    def __lshift__(self, k: Any) -> Term:
        return Term(self.expr << self.lift(k)) if z3.is_bv(self.expr) else self * 2 ** number(k)

    def __rshift__(self, k: Any) -> Term:
        if z3.is_bv(self.expr):
            return Term(self.expr >> self.lift(k))
        return Term(self.expr / z3.IntVal(2 ** number(k)))  # rounds down for what is positive

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

    def min(self) -> float:
        """Of an array: some other neuron's is below any range."""
        return -numpy.inf

    def max(self) -> float:
        return numpy.inf


def number(value: Any) -> int:
    """Return the number a term without variables is."""
    return int(z3.simplify(value.expr).as_long()) if isinstance(value, Term) else int(value)


def term(value: Any) -> Term:
    """Return a term of the sort that is in use (see :func:`symbolic_numpy`)."""
    if isinstance(value, Term):
        return value
    zero = Term(z3.BitVecVal(0, WORD) if Numpy.sort == WORD else z3.IntVal(0))
    return Term(zero.lift(value))


class Numpy:
    """What the array code uses of numpy, on :class:`Term`."""

    sort = WHOLE
    int64, integer, bool_ = int, numpy.integer, bool

    @staticmethod
    def asarray(value: Any, dtype: Any = None) -> Any:
        meant = dtype is bool or (dtype is None and isinstance(value, (Truth, bool)))
        return truth(value) if meant else term(value)

    array = asarray

    @staticmethod
    def broadcast_to(value: Any, shape: Any) -> Any:
        return value

    @staticmethod
    def zeros_like(value: Any) -> Term:
        return term(0)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Term:
        return Term(z3.If(truth(condition).expr, term(a).expr, term(b).expr))

    @staticmethod
    def left_shift(x: Any, k: Any) -> Term:
        return term(x) << k

    @staticmethod
    def right_shift(x: Any, k: Any) -> Term:
        return term(x) >> k

    @staticmethod
    def maximum(a: Any, b: Any) -> Term:
        return Numpy.where(term(a) >= term(b), a, b)

    @staticmethod
    def minimum(a: Any, b: Any) -> Term:
        return Numpy.where(term(a) <= term(b), a, b)

    @staticmethod
    def clip(x: Any, lo: Any, hi: Any) -> Term:
        return Numpy.minimum(Numpy.maximum(x, lo), hi)

    @staticmethod
    def sign(x: Any) -> Sign:
        return Sign((term(x) > 0).expr, (term(x) < 0).expr)

    @staticmethod
    def abs(x: Any) -> Term:
        return abs(term(x))


class Pair:
    """An interval of one neuron, as a row of two: what ``(2, n)`` is for many."""

    def __init__(self, low: Any, high: Any) -> None:
        self.ends = [low, high]

    def __getitem__(self, row: int) -> Any:
        return self.ends[row]

    def __setitem__(self, row: int, value: Any) -> None:
        self.ends[row] = term(value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.ends)

    def __add__(self, other: Any) -> Pair:
        return rowwise(lambda a, b: term(a) + b, self, other)

    def __sub__(self, other: Any) -> Pair:
        return rowwise(lambda a, b: term(a) - b, self, other)

    def __floordiv__(self, other: Any) -> Pair:
        return rowwise(lambda a, b: term(a) // b, self, other)

    def max(self, initial: int) -> float:
        """Of an array: some other neuron's is beyond any limit."""
        return numpy.inf


def rowwise(function: Callable[..., Any], *args: Any) -> Any:
    """Apply a function of one neuron's numbers to each row of the pairs among them."""
    if not any(isinstance(a, Pair) for a in args):
        return function(*args)
    rows = [[a[i] if isinstance(a, Pair) else a for a in args] for i in (0, 1)]
    return Pair(*(function(*row) for row in rows))


class PairNumpy(Numpy):
    """What the arithmetic on intervals uses of numpy."""

    @staticmethod
    def empty(shape: Any, dtype: Any) -> Pair:
        return Pair(None, None)

    @staticmethod
    def shape(value: Any) -> tuple[int, ...]:
        return ()

    @staticmethod
    def full_like(value: Any, number: int) -> Term:
        return term(number)

    @staticmethod
    def asarray(value: Any, dtype: Any = None) -> Any:
        if isinstance(value, Pair):
            return value
        return Pair(*value) if isinstance(value, list) else Numpy.asarray(value, dtype)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        return rowwise(Numpy.where, condition, a, b)

    @staticmethod
    def abs(x: Any) -> Any:
        return rowwise(Numpy.abs, x)

    @staticmethod
    def maximum(a: Any, b: Any) -> Any:
        return rowwise(Numpy.maximum, a, b)

    @staticmethod
    def minimum(a: Any, b: Any) -> Any:
        return rowwise(Numpy.minimum, a, b)

    @staticmethod
    def clip(x: Any, lo: Any, hi: Any) -> Any:
        return rowwise(Numpy.clip, x, lo, hi)


COMPARISONS: dict[str, Any] = {
    ">": lambda a, b: term(a) > b, ">=": lambda a, b: term(a) >= b,
    "<": lambda a, b: term(a) < b, "<=": lambda a, b: term(a) <= b,
    "==": lambda a, b: term(a) == b, "!=": lambda a, b: term(a) != b,
}  # fmt: skip


@contextmanager
def symbolic_numpy(sort: Any = WHOLE) -> Iterator[None]:
    """Put :class:`Numpy` in the place of numpy in the array code.

    Args:
        sort: of the numbers: WHOLE or WORD.
    """
    modules: tuple[Any, ...] = (formats, oplist, spans)
    comparisons = oplist.COMPARISONS
    for module in modules:
        module.np = PairNumpy if module is spans else Numpy
    oplist.COMPARISONS, Numpy.sort = COMPARISONS, sort
    try:
        yield
    finally:
        for module in modules:
            module.np = numpy
        oplist.COMPARISONS, Numpy.sort = comparisons, WHOLE
