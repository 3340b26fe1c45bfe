"""What all stimuli share, and those that are functions of time; public in ``stimulus``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .checks import expect_flag, number_array
from .errors import Faults, NetworkError


class Stimulus:
    """What all stimuli share; a stimulus is one of the classes below."""

    sized: ClassVar[tuple[str, ...]] = ()
    """Fields that are a scalar or one number for each neuron."""

    @property
    def parts(self) -> tuple[Stimulus, ...]:
        """The stimuli that this one is made of."""
        return ()

    @property
    def is_random(self) -> bool:
        """True where samples of a batch differ."""
        return any(part.is_random for part in self.parts)

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        raise NotImplementedError

    def rows(
        self, first: int, last: int, dt: float, size: int, samples: Sequence[int] = (0,)
    ) -> FloatArray:
        """Return the current of steps ``first .. last - 1``.

        Args:
            first, last: steps, 0 being the first of a run.
            dt: s.
            size: neurons.
            samples: which samples of a batch.

        Returns:
            ``(len(samples), last - first, size)`` in A; ``(1, ...)`` where samples do not differ.
        """
        return self.sample(np.arange(first, last) * dt, size)[None]

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``, in steps of ``dt`` (s)."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Sum:
        """Return the sum of two stimuli."""
        if not isinstance(other, Stimulus):
            return NotImplemented
        return Sum([*_terms(self), *_terms(other)])


@dataclass(frozen=True, eq=False)
class Constant(Stimulus):
    """A constant current.

    Args:
        amplitude: A, scalar or ``(n,)``.
    """

    amplitude: npt.ArrayLike

    sized: ClassVar[tuple[str, ...]] = ("amplitude",)

    def __post_init__(self) -> None:
        set_arrays(self, "amplitude")

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        return np.array(np.broadcast_to(np.asarray(self.amplitude), (len(times), size)))

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return spread(np.abs(self.amplitude), size)


@dataclass(frozen=True, eq=False)
class Sinusoid(Stimulus):
    """``offset + amplitude * sin(2 pi (t / period) + phase)``.

    Args:
        offset: A, scalar or ``(n,)``.
        amplitude: A, scalar or ``(n,)``.
        period: s, > 0.
        phase: rad.
    """

    offset: npt.ArrayLike
    amplitude: npt.ArrayLike
    period: float
    phase: npt.ArrayLike = 0.0

    sized: ClassVar[tuple[str, ...]] = ("offset", "amplitude", "phase")

    def __post_init__(self) -> None:
        set_arrays(self, "offset", "amplitude", "phase")
        set_time(self, "period")

    @classmethod
    def raised(cls, mean: npt.ArrayLike, period: float, phase: npt.ArrayLike = 0.0) -> Sinusoid:
        """Return ``mean * (1 + sin(2 pi t / period + phase))``: from 0 to twice the mean."""
        return cls(mean, mean, period, phase)

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        angle = 2 * np.pi * times[:, None] / self.period + np.asarray(self.phase)
        wave = np.asarray(self.offset) + np.asarray(self.amplitude) * np.sin(angle)
        return np.array(np.broadcast_to(wave, (len(times), size)))

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return spread(np.abs(self.offset) + np.abs(self.amplitude), size)


@dataclass(frozen=True, eq=False)
class Triangle(Stimulus):
    """A symmetric triangle: 0 at ``start``, ``peak`` in the middle, 0 at ``start + duration``.

    Args:
        peak: A, scalar or ``(n,)``.
        duration: s, > 0.
        start: s.
    """

    peak: npt.ArrayLike
    duration: float
    start: float = 0.0

    sized: ClassVar[tuple[str, ...]] = ("peak",)

    def __post_init__(self) -> None:
        set_arrays(self, "peak")
        set_time(self, "duration")
        start = _finite(self, "start", self.start)
        if start.ndim != 0:
            refuse("Triangle", "start", self.start, "one time, s")
        object.__setattr__(self, "start", float(start))

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        along = (times - self.start) / self.duration
        wave = np.maximum(1.0 - np.abs(2.0 * along - 1.0), 0.0)
        return np.array(np.broadcast_to(wave[:, None] * np.asarray(self.peak), (len(times), size)))

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return spread(np.abs(self.peak), size)


@dataclass(frozen=True, eq=False)
class Sampled(Stimulus):
    """A sampled current, held constant over each interval (zero-order hold), 0 after the last.

    Args:
        values: A, ``(n_samples, n)`` or ``(n_samples, 1)`` for all neurons alike.
        interval: s, time between samples, > 0.
    """

    values: npt.ArrayLike
    interval: float

    def __post_init__(self) -> None:
        values = _finite(self, "values", self.values)
        if values.ndim != 2:
            refuse("Sampled", "values", f"shape {values.shape}", "shape (n_samples, n)")
        object.__setattr__(self, "values", values)
        set_time(self, "interval")

    @classmethod
    def triangle(cls, n: int, peak: float, interval: float, symmetric: bool = True) -> Sampled:
        """Return ``peak *`` :func:`triangle_samples` ``(n, symmetric)`` every ``interval`` s."""
        amplitude = _finite(cls, "peak", peak)
        return cls(amplitude * triangle_samples(n, symmetric)[:, None], interval)

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        values = np.asarray(self.values)
        index = interval_of(times, self.interval)
        out = np.zeros((len(times), size))
        inside = index < len(values)
        out[inside] = values[index[inside]]
        return out

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return spread(np.abs(self.values).max(axis=0, initial=0.0), size)


@dataclass(frozen=True, eq=False)
class Window(Stimulus):
    """A stimulus that is there from ``start`` to before ``stop``, 0 elsewhere.

    Args:
        stimulus: what is switched on.
        start, stop: s, ``start < stop``.
    """

    stimulus: Stimulus
    start: float = 0.0
    stop: float = np.inf

    def __post_init__(self) -> None:
        given: Any = self.stimulus
        if not isinstance(given, Stimulus):
            refuse("Window", "stimulus", given, "a stimulus")
        real = all(isinstance(x, (int, float, np.number)) for x in (self.start, self.stop))
        if not real or not -np.inf < self.start < self.stop:
            refuse("Window", "start, stop", (self.start, self.stop), "two times, start < stop")

    @property
    def parts(self) -> tuple[Stimulus, ...]:
        """The stimulus that is switched."""
        return (self.stimulus,)

    def _on(self, times: FloatArray) -> FloatArray:
        near = 1e-9 * np.maximum(np.abs(times), 1e-12)  # a time on the grid counts as what it means
        return np.asarray((times >= self.start - near) & (times < self.stop - near), np.float64)

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        return self.stimulus.sample(times, size) * self._on(times)[:, None]

    def rows(
        self, first: int, last: int, dt: float, size: int, samples: Sequence[int] = (0,)
    ) -> FloatArray:
        """Return the current of steps ``first .. last - 1``: see :meth:`Stimulus.rows`."""
        on = self._on(np.arange(first, last) * dt)
        return self.stimulus.rows(first, last, dt, size, samples) * on[:, None]

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return self.stimulus.largest(size, dt)


@dataclass(frozen=True, eq=False)
class Sum(Stimulus):
    """The sum of stimuli, added in their order: ``Constant(...) + GaussianNoise(...)``.

    Args:
        terms: at least one stimulus.
    """

    terms: Sequence[Stimulus]

    def __post_init__(self) -> None:
        given: Any = self.terms
        terms = tuple(given) if isinstance(given, Iterable) else ()
        if not terms or not all(isinstance(term, Stimulus) for term in terms):
            refuse("Sum", "terms", given, "a list of stimuli, at least one")
        object.__setattr__(self, "terms", terms)

    @property
    def parts(self) -> tuple[Stimulus, ...]:
        """The terms."""
        return tuple(self.terms)

    def sample(self, times: FloatArray, size: int) -> FloatArray:
        """Return the current at ``times`` (s) as ``(len(times), size)`` in A."""
        return _total(term.sample(times, size) for term in self.terms)

    def rows(
        self, first: int, last: int, dt: float, size: int, samples: Sequence[int] = (0,)
    ) -> FloatArray:
        """Return the current of steps ``first .. last - 1``: see :meth:`Stimulus.rows`."""
        return _total(term.rows(first, last, dt, size, samples) for term in self.terms)

    def largest(self, size: int, dt: float) -> FloatArray:
        """Return what the magnitude never passes, A ``(size,)``."""
        return _total(term.largest(size, dt) for term in self.terms)


def triangle_samples(n: int, symmetric: bool = True) -> FloatArray:
    """Return a triangular window of ``n`` samples ``(n,)``, as ``scipy.signal.windows.triang``.

    Odd n: ``2 (k + 1) / (n + 1)`` up to 1 in the middle. Even n: ``(2 k + 1) / n``, whose two
    middle samples are ``1 - 1/n``. ``symmetric=False`` drops the last of ``n + 1`` samples.

    Args:
        n: >= 1.
        symmetric: as scipy's ``sym``.

    Raises:
        NetworkError: n is no whole number >= 1.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        refuse("triangle_samples", "n", n, "a whole number >= 1")
    expect_flag(symmetric, "triangle_samples: symmetric")
    size = n if symmetric or n == 1 else n + 1
    k = np.arange(1, (size + 1) // 2 + 1)
    if size % 2:
        half = 2 * k / (size + 1.0)
        whole = np.concatenate([half, half[-2::-1]])
    else:
        half = (2 * k - 1.0) / size
        whole = np.concatenate([half, half[::-1]])
    return np.asarray(whole[:n], np.float64)


# ---------------------------------------------------------------------------------- helpers


def _terms(stimulus: Stimulus) -> tuple[Stimulus, ...]:
    return tuple(stimulus.terms) if isinstance(stimulus, Sum) else (stimulus,)


def _total(parts: Iterator[FloatArray]) -> FloatArray:
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def interval_of(times: FloatArray, interval: float) -> npt.NDArray[np.int64]:
    """Return which interval each time is in, 0 being the first."""
    # the small offset keeps a grid time from falling into the interval before it
    return np.asarray(np.floor(times / interval + 1e-9), np.int64)


def spread(value: npt.ArrayLike, size: int) -> FloatArray:
    """Return a scalar or ``(size,)`` as ``(size,)``."""
    return np.array(np.broadcast_to(np.asarray(value, np.float64), (size,)))


def set_arrays(owner: Any, *names: str) -> None:
    """Replace fields by read-only float64 arrays, or refuse what is not finite."""
    for name in names:
        object.__setattr__(owner, name, _finite(owner, name, getattr(owner, name)))


def set_time(owner: Any, name: str) -> None:
    """Replace a field by a float, or refuse what is no time > 0 s."""
    given = getattr(owner, name)
    value = _finite(owner, name, given)
    if value.ndim != 0 or not value > 0:
        refuse(type(owner).__name__, name, given, "one time > 0 s")
    object.__setattr__(owner, name, float(value))


def _finite(owner: Any, name: str, value: npt.ArrayLike) -> FloatArray:
    where = owner.__name__ if isinstance(owner, type) else type(owner).__name__
    faults = Faults()
    array = number_array(where, name, value, faults)
    faults.raise_if_any(NetworkError)
    return np.zeros(0) if array is None else array


def refuse(where: str, name: str, value: object, allowed: str, mend: str = "") -> None:
    """Raise a NetworkError with one fault."""
    faults = Faults()
    faults.add(where, name, value, allowed, mend)
    faults.raise_if_any(NetworkError)
