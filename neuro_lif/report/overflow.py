"""When registers overflowed in a run, counted in stretches of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..checks import expect, expect_progress
from ..emulator import run_fixed
from ..engines import Progress
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..recording import OverflowEvent
from ..stimulate import Inputs, check_given, steps_of

Place = tuple[str, str, str]
Counts = dict[Place, int]


@dataclass(frozen=True)
class OverflowTimeline:
    """How often each register overflowed, stretch by stretch.

    Args:
        edges: stretch ``i`` is steps ``edges[i] + 1`` to ``edges[i + 1]``.
        counts: (population or projection, register, kind) -> values in each stretch; what was lost
            as it was stored (step 0) is not among them.
    """

    edges: tuple[int, ...]
    counts: Mapping[Place, tuple[int, ...]]


def overflow_timeline(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    stretches: int = 32, progress: Progress | None = None,
) -> OverflowTimeline:  # fmt: skip
    """Count the overflows of a run, stretch by stretch.

    A recording says how often each register overflowed and when first. What it does not say is
    found by shorter runs of the same network: a stretch is divided only where something overflowed
    in it, so a run without overflow costs one run.

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: as of :func:`neuro_lif.run_fixed`.
        stretches: into how many the run is divided, 1..1000.
        progress: called with (stretches known, stretches in all).

    Raises:
        RangeError: the inputs do not fit, or there cannot be so many stretches.
    """
    expect(fixed, FixedNetwork, "overflow_timeline")
    expect_progress(progress, "overflow_timeline: progress")
    whole = isinstance(stretches, (int, np.integer)) and not isinstance(stretches, bool)
    if not whole or not 1 <= stretches <= 1000:
        raise RangeError(f"overflow_timeline: stretches = {show(stretches)}, allowed: 1..1000")
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    steps = steps_of(n_steps, given)
    places = np.linspace(0, steps, min(stretches, steps) + 1)
    edges = tuple(int(e) for e in np.unique(places.round()))

    def until(step: int) -> Counts:
        cut = {name: np.asarray(a)[..., :step, :] for name, a in given.items()}
        return _counted(run_fixed(fixed, step, cut).events)

    rows = _until_each(edges, until, progress)
    pairs = list(zip(rows, rows[1:], strict=False))
    return OverflowTimeline(edges, {
        place: tuple(b.get(place, 0) - a.get(place, 0) for a, b in pairs)
        for place in sorted(rows[-1])
    })  # fmt: skip


def _until_each(
    edges: tuple[int, ...], until: Callable[[int], Counts], progress: Progress | None
) -> list[Counts]:
    """Return what is counted until each edge, asking only where it changes."""
    known: dict[int, Counts] = {0: {}, edges[-1]: until(edges[-1])}

    def divide(first: int, last: int) -> None:
        same = known[edges[first]] == known[edges[last]]
        if not same and last - first > 1:
            middle = (first + last) // 2
            known[edges[middle]] = until(edges[middle])
            divide(first, middle)
            divide(middle, last)
        elif progress is not None:
            progress(last, len(edges) - 1)
        if same:
            known.update({edges[k]: known[edges[first]] for k in range(first, last)})

    divide(0, len(edges) - 1)
    return [known[e] for e in edges]


def _counted(events: tuple[OverflowEvent, ...]) -> Counts:
    counts: Counts = {}
    for e in events:
        if e.first_step > 0:
            place = (e.where, e.register, e.kind)
            counts[place] = counts.get(place, 0) + e.count
    return counts
