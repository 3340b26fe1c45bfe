"""``certify``: proves that a network cannot overflow, or finds inputs that make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..checks import expect, expect_flag, expect_progress
from ..emulator import run_fixed
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..stimulate import steps_of
from .assume import Feed, feeds_of
from .certificate import Certificate, Place
from .fixpoint import Cell, Whole
from .forward import Forward
from .search import Progress, Search, exhausted, lost_counts
from .spans import FAR
from .trial import TOLD_EVERY, Witness
from .world import Note

HARDEST = 8
"""The highest ``effort``."""

PROVED = "one step from anywhere in these intervals ends inside them"
STEPPED = "followed on intervals, step by step from the start"
RAN_ALL = "every input that the assumptions allow was run"
RAN = "the emulator ran the inputs below"


def certify(
    fixed: FixedNetwork,
    n_steps: int | None = None,
    *,
    activity: float = 1.0,
    inputs: Mapping[str, Any] | None = None,
    effort: int = 3,
    storage: bool = True,
    progress: Progress | None = None,
) -> Certificate:
    """Say whether anything in a network can overflow: proved, or with inputs that make it.

    What counts is what :func:`neuro_lif.run_fixed` counts: wraps, saturations, clamps, capped and
    lost counts, and what was lost as it was stored. Without more said, every channel of a spike
    input is 0 or 1 in each step (where its own raster holds other values: anything from 0 and 1 to
    their ends), and a direct input lies between 0 and the ends of its raster. Noise may be anything
    its profile can draw.

    Args:
        fixed: the network.
        n_steps: for runs of so many steps; None: for runs of any length.
        activity: largest share of each source's channels that differ from 0 in one step.
        inputs: input name -> ``(lo, hi)`` (numbers, or one per channel) that its values lie
            between, or a raster ``(n_steps, n)`` that is known, or ``"raster"``: its own is known.
        effort: how long to look for inputs: runs of up to ``4 ** (effort + 3)`` steps (8 times that
            where none so short can do it); 0: do not look.
        storage: whether what was lost as parameters and weights were stored counts.
        progress: called with (steps done, steps at most).

    Returns:
        A certificate; ``print`` shows it.

    Raises:
        RangeError: an argument is not valid, or nothing is known of a direct input.

    Source: P. Cousot, R. Cousot, POPL 1977; the rules are the profile's own.
    """
    expect(fixed, FixedNetwork, "certify")
    expect_flag(storage, "certify: storage")
    expect_progress(progress, "certify: progress")
    n_steps = None if n_steps is None else steps_of(n_steps, {})
    whole = isinstance(effort, (int, np.integer)) and not isinstance(effort, bool)
    if not whole or not 0 <= effort <= HARDEST:
        raise RangeError(f"effort = {show(effort)}, allowed: a whole number 0..{HARDEST}")
    feeds = {k: f.until(n_steps) for k, f in feeds_of(fixed, inputs, activity).items()}
    case = _Case(fixed, n_steps, feeds, int(effort), progress)
    return case.decide(storage)


@dataclass
class _Case:
    """One question, and the ways to answer it."""

    fixed: FixedNetwork
    n_steps: int | None
    feeds: Mapping[str, Feed]
    effort: int
    progress: Progress | None

    def decide(self, storage: bool) -> Certificate:
        """Return the answer: the stored values, a proof, all inputs, or a search."""
        stored = tuple(self.fixed.storage_events()) if storage else ()
        found = replace(self._proved(), stored=stored)
        if stored:
            return self._overflows(found, self._as_stored())
        if found.safe or not self.effort:
            return found
        witness = lost_counts(self.fixed, self.feeds, self.n_steps)
        if witness is None and self.n_steps is not None:
            ran, witness = exhausted(self.fixed, self.feeds, self.n_steps, self.longest)
            if ran and witness is None:
                return replace(found, verdict="safe", method=RAN_ALL, missing="",
                               proved_steps=self.n_steps)  # fmt: skip
        if witness is None:
            witness = self._search(found)
        return self._undecided(found) if witness is None else self._overflows(found, witness)

    @staticmethod
    def _overflows(found: Certificate, witness: Witness) -> Certificate:
        return replace(found, verdict="overflows", method=RAN, witness=witness, missing="")

    def _undecided(self, found: Certificate) -> Certificate:
        text = f"no input of up to {self.longest} steps that was tried does it"
        if (found.proved_steps or 0) >= self.longest:
            text = f"it takes more than {self.longest} steps, which a higher effort looks at"
        return replace(found, missing=f"{found.missing}; {text}")

    @property
    def longest(self) -> int:
        """Steps of the longest run to try."""
        most = int(4 ** (self.effort + 3))
        return most if self.n_steps is None else min(most, self.n_steps)

    def _proved(self) -> Certificate:
        """Return what intervals say, safe or not."""
        whole = Whole(self.fixed, self.feeds)
        whole.settle()
        found = self._told(PROVED, list(whole.cells.values()))
        if found.safe:
            return found
        most = self.longest if self.n_steps is None else self.n_steps
        forward = Forward(self.fixed, self.feeds, lambda t: self._tell(t, most))
        first = forward.first_open(most)
        known = forward.t if first is None else first - 1
        if first is None and (self.n_steps is not None or forward.stands):
            for name, cell in forward.cells.items():
                cell.state = forward.reached[name]
            stepped = self._told(STEPPED, list(forward.cells.values()))
            return replace(stepped, proved_steps=self.n_steps)
        return replace(found, proved_steps=known)

    def _tell(self, done: int, most: int) -> None:
        if self.progress is not None and done % TOLD_EVERY == 0:
            self.progress(done, most)

    def _told(self, method: str, cells: list[Cell]) -> Certificate:
        places = [
            Place(where, *key[:3], note.low, note.high, _limits(note))
            for cell in cells
            for where, notes in cell.notes().items()
            for key, note in notes.items()
        ]
        # where no neuron ever came there is nothing to tell
        places = [p for p in places if bool((p.low <= p.high).any())]
        places += self._binary()
        registers = {(c.name, r): x for c in cells for r, x in c.state.items()}
        open_ = [p for p in places if not p.holds]
        return Certificate(
            "undecided" if open_ else "safe", method, self.n_steps,
            tuple(str(feed) for feed in self.feeds.values()), tuple(places), registers,
            missing=_missing(open_) if open_ else "", notes=tuple(self._notes(registers, open_)),
        )  # fmt: skip

    def _binary(self) -> list[Place]:
        """Return the inputs whose counts a projection takes as one spike each."""
        places = []
        for p in self.fixed.projections:
            feed = self.feeds.get(p.pre)
            if feed is not None and not p.graded:
                limits = np.stack([np.zeros_like(feed.low), np.ones_like(feed.low)])
                places.append(Place(p.name, "payload", "binary", -1, feed.low, feed.high, limits))
        return places

    def _notes(self, registers: Mapping[tuple[str, str], IntArray], open_: list[Place]) -> Any:
        ranges = self.fixed.profile.register_ranges
        told = {(p.where, p.register) for p in open_}
        for (name, register), x in registers.items():
            lo, hi = ranges.get(register, (-FAR, FAR))
            if (x[0].min() < lo or x[1].max() > hi) and (name, register) not in told:
                yield (
                    f"{name}.{register} may leave its range {lo}..{hi}: the profile has no rule "
                    "for that, so nothing is counted"
                )

    def _as_stored(self) -> Witness:
        """Return the witness of what was lost before the first step: any input."""
        rows = {name: np.zeros((1, f.low.size), np.int64) for name, f in self.feeds.items()}
        return Witness(rows, run_fixed(self.fixed, 1, rows).events[0], 1)

    def _search(self, found: Certificate) -> Witness | None:
        soonest = (found.proved_steps or 0) + 1
        if soonest > self.longest and self.n_steps is not None:
            return None
        places = [
            (p.where, p.register, p.low, p.high, p.limits) for p in found.places if not p.holds
        ]
        search = Search(self.fixed, self.feeds, places, soonest, self.longest, self.progress)
        return search.run()


def _limits(note: Note) -> IntArray:
    ends = [np.broadcast_to(np.asarray(e, np.int64), note.low.shape) for e in (note.lo, note.hi)]
    return np.stack(ends)


def _missing(open_: list[Place]) -> str:
    """Name the places that stay open, the furthest first."""
    names = dict.fromkeys(
        f"{p.where}.{p.register} ({p.kind})"
        for p in sorted(open_, key=lambda p: -float(p.share.max()))
    )
    shown = list(names)[:4]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"intervals do not exclude {', '.join(shown)}{more}"
