"""Injected currents of the event-exact run, cut into pieces that are solved in closed form.

Every stimulus is a sum of pieces ``[start, stop)``; in a piece the current is a line, or a sinusoid
about a constant. A membrane follows a line by a line, and a sinusoid by one of the same period;
V is the rest. The neurons are told when a piece begins or ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import RangeError
from ..network import Network

Array = npt.NDArray[Any]
Waves = list[tuple[float, Array]]
"""Angular frequency (1/s) and complex amplitude ``(n,)`` (A) of each sinusoid."""


class Piece(NamedTuple):
    """A stretch of a current.

    Args:
        start, stop: s.
        level: A at ``start``, a scalar or ``(n,)``.
        ramp: A/s.
        omega: angular frequency, 1/s; 0: no sinusoid.
        amplitude: complex, A: the sinusoid is ``Im(amplitude e^(i omega t))``.
    """

    start: float
    stop: float
    level: Any
    ramp: Any = 0.0
    omega: float = 0.0
    amplitude: Any = 0.0


class Change(NamedTuple):
    """The current into a population from ``time`` on, until the next change.

    Args:
        time: s.
        level: ``(n,)`` A at ``time``.
        ramp: ``(n,)`` A/s.
        waves: the sinusoids.
    """

    time: float
    level: Array
    ramp: Array
    waves: Waves


def changes(
    network: Network, population: str, given: Mapping[str, Any], end: float
) -> Iterator[Change]:  # fmt: skip
    """Yield the changes of the current into a population, the first at 0 s.

    Args:
        network: the description.
        population: its name.
        given: current input name -> stimulus, in place of those described.
        end: length of the run, s.

    Raises:
        RangeError: a stimulus that has no closed form; it is named.
    """
    size = network.population(population).size
    pieces: list[Piece] = []
    for current in network.current_inputs:
        stimulus = given.get(current.name, current.stimulus)
        if current.population == population and stimulus is not None:
            pieces += pieces_of(f"input {current.name!r}", stimulus, size, end)
    return _changes(sorted(pieces, key=lambda piece: piece.start), size)


def _changes(pieces: list[Piece], size: int) -> Iterator[Change]:
    edges = np.unique([0.0, *(p.start for p in pieces), *(p.stop for p in pieces)])
    active: list[Piece] = []
    following = 0
    before: Change | None = None
    for time in edges[np.isfinite(edges)].tolist():
        active = [p for p in active if p.stop > time]
        while following < len(pieces) and pieces[following].start <= time:
            active.append(pieces[following])
            following += 1
        level, ramp = np.zeros(size), np.zeros(size)
        waves: dict[float, Array] = {}
        for p in active:
            level, ramp = level + (p.level + p.ramp * (time - p.start)), ramp + p.ramp
            if p.omega:
                waves[p.omega] = waves.get(p.omega, np.zeros(size)) + p.amplitude
        now = Change(time, level, ramp, list(waves.items()))
        if before is None or not _goes_on(before, now):
            yield now
            before = now


def _goes_on(before: Change, now: Change) -> bool:
    if before.ramp.any() or now.ramp.any() or not np.array_equal(before.level, now.level):
        return False
    return len(before.waves) == len(now.waves) and all(
        a == b and np.array_equal(x, y)
        for (a, x), (b, y) in zip(before.waves, now.waves, strict=True)
    )


# -------------------------------------------------------------------------------- stimuli


def pieces_of(where: str, stimulus: Any, size: int, end: float) -> list[Piece]:
    """Return a stimulus as pieces, none of which begins before 0 s.

    Raises:
        RangeError: it has no closed form.
    """
    cut = _CUTS.get(type(stimulus).__name__)
    if cut is None:
        allowed = ", ".join(_CUTS)
        raise RangeError(
            f"{where}: stimulus = {type(stimulus).__name__}, allowed in an event-exact run: "
            f"{allowed}"
        )
    found = [_between(p, 0.0, np.inf) for p in cut(where, stimulus, size, end)]
    return [p for p in found if p.start < p.stop]


def _between(piece: Piece, start: float, stop: float) -> Piece:
    """Return what of a piece is between two times."""
    begin = max(piece.start, start)
    level = piece.level + piece.ramp * (begin - piece.start)
    return piece._replace(start=begin, stop=min(piece.stop, stop), level=level)


def _constant(where: str, s: Any, size: int, end: float) -> list[Piece]:
    return [Piece(0.0, np.inf, np.asarray(s.amplitude))]


def _sinusoid(where: str, s: Any, size: int, end: float) -> list[Piece]:
    omega = float(2 * np.pi / np.asarray(s.period))
    amplitude = np.asarray(s.amplitude) * np.exp(1j * np.asarray(s.phase))
    return [Piece(0.0, np.inf, np.asarray(s.offset), omega=omega, amplitude=amplitude)]


def _held(values: Array, interval: float) -> list[Piece]:
    """Return samples that are held; sample k begins at ``k * interval``, rounded once."""
    edges = (np.arange(len(values) + 1) * interval).tolist()
    levels = values[:, 0].tolist() if values.shape[1] == 1 else list(values)
    return [Piece(a, b, x) for a, b, x in zip(edges, edges[1:], levels, strict=False)]


def _sampled(where: str, s: Any, size: int, end: float) -> list[Piece]:
    return _held(np.asarray(s.values), float(s.interval))


def _triangle(where: str, s: Any, size: int, end: float) -> list[Piece]:
    start, half, peak = float(s.start), 0.5 * float(s.duration), np.asarray(s.peak)
    top = start + half
    return [Piece(start, top, 0.0 * peak, peak / half),
            Piece(top, start + 2 * half, peak, -peak / half)]  # fmt: skip


def _window(where: str, s: Any, size: int, end: float) -> list[Piece]:
    return [_between(p, float(s.start), float(s.stop))
            for p in pieces_of(where, s.stimulus, size, end)]  # fmt: skip


def _sum(where: str, s: Any, size: int, end: float) -> list[Piece]:
    return [p for term in s.terms for p in pieces_of(where, term, size, end)]


def _noise(where: str, s: Any, size: int, end: float) -> list[Piece]:
    if s.interval is None:
        raise RangeError(
            f"{where}: stimulus = {type(s).__name__} with a draw per step, allowed in an "
            "event-exact run, which has no steps: one with an interval"
        )
    interval = float(s.interval)
    middles = (np.arange(int(end / interval) + 1) + 0.5) * interval
    return _held(np.asarray(s.sample(middles, size)), interval)


_CUTS: dict[str, Callable[[str, Any, int, float], list[Piece]]] = {
    "Constant": _constant, "Sinusoid": _sinusoid, "Sampled": _sampled, "Triangle": _triangle,
    "Window": _window, "Sum": _sum, "GaussianNoise": _noise,
}  # fmt: skip
"""By the name of the class: this module works with those there are."""
