"""Runs what a study has not stored yet: claims, hands out, stores, tells how far it is."""

from __future__ import annotations

import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

from ..errors import StudyError, show
from .axes import Configuration
from .digests import canonical
from .limits import Limits
from .store import Store, Stored
from .work import Outcome

COMMIT = 0.2
"""Seconds between two transactions."""
CHUNK = 0.25
"""About how many seconds a worker is busy with what it is given at once."""
MOST_AT_ONCE = 64
"""Configurations handed to a worker at once, at most."""
POLL = 0.3
"""Seconds between two looks at what other writers have done."""
BEAT = 5.0
"""Seconds between two signs of life."""

Told = Callable[[int, int, int], None]
"""Called with (configurations done, of how many, how many of them with an error)."""


@dataclass(frozen=True)
class Item:
    """One configuration to be run.

    Args:
        key: under which its result is stored.
        configuration: varied name -> value.
        network: tells float networks apart; the same for items that share a reference.
        lowered: tells lowered networks apart; the same for items that need not be lowered again.
    """

    key: str
    configuration: Configuration
    network: str
    lowered: str = ""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Items of one float network, for one worker.

    Args:
        items: at least one.
        shared: whether other chunks need the same reference.
        lane: which worker has what they share, most likely.
    """

    items: tuple[Item, ...]
    shared: bool
    lane: int = 0

    @property
    def network(self) -> str:
        """Which float network they share."""
        return self.items[0].network


class Pool(Protocol):
    """Where configurations are run."""

    size: int
    """How many chunks may be under way, so that nobody waits."""
    lanes: int
    """How many workers can be told apart."""
    trouble: str
    """What keeps it from going on, to be told; empty: nothing."""

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""

    def wait(self, seconds: float) -> list[tuple[Chunk, list[Outcome], str]]:
        """Return the chunks that are done, each with who did it; after so long none."""

    def close(self) -> None:
        """Stop the workers."""


class StudyInterrupted(KeyboardInterrupt):
    """Ctrl-C during a study; the text says what is stored and how to go on."""


@dataclass
class Runner:
    """One call of a study's ``run``.

    Args:
        store: where results go.
        pool: where they come from.
        items: what is to be done.
        told: called as results are stored.
        begun: float networks that the pool has been given before.
        limits: what it puts up with.
    """

    store: Store
    pool: Pool
    items: Sequence[Item]
    told: Told | None = None
    begun: set[str] = field(default_factory=set)
    limits: Limits = field(default_factory=Limits)
    buffer: list[Stored] = field(default_factory=list)
    lost: list[tuple[Item, str]] = field(default_factory=list)
    said: str = ""
    alike: int = 0
    """Outcomes, from the first on, that are the same error of a measuring function."""
    each: float | None = None
    """Seconds of one configuration, about."""

    def run(self) -> None:
        """Run all that is not stored.

        Raises:
            StudyError: the store cannot be written, or workers fail; after all others were run,
                that configurations could not be.
            StudyInterrupted: on Ctrl-C.
        """
        try:
            self._run()
            self._flush(last=True)
        except KeyboardInterrupt:
            self._leave()
            raise StudyInterrupted(self._how_to_go_on()) from None
        finally:
            self._leave()

    def _leave(self) -> None:
        """Store what there is, as far as that can be done, and give back the rest."""
        with suppress(StudyError):
            self._flush(last=True)
        with suppress(StudyError):
            self.store.release()

    def _how_to_go_on(self) -> str:
        done = len(self.store.done(self.limits.timeout) & {i.key for i in self.items})
        return (
            f"interrupted after {done} of {len(self.items)} configurations; they are stored"
            f"{'' if self.store.path is None else f' in {str(self.store.path)!r}'}: run the same "
            "study again to go on from there"
        )

    def _run(self) -> None:
        done = self.store.done(self.limits.timeout)
        self.waiting = {i.key: i for i in self.items if i.key not in done}
        self.total, self.errors = len(self.items), 0
        self.done = self.total - len(self.waiting)
        self.mine: list[deque[Item]] = [deque() for _ in range(self.pool.lanes)]
        self.in_lane = [0] * self.pool.lanes
        groups = {lowered: k for k, lowered in enumerate({i.lowered: 0 for i in self.items})}
        self.lane_of = {lowered: k % self.pool.lanes for lowered, k in groups.items()}
        self._interleave()
        self.left = Counter(i.network for i in self.waiting.values())
        self.under_way, self.last, self.asked = 0, time.monotonic(), 0.0
        self.holding = self.limits.stop_after is not None
        self._tell()
        while self.waiting or any(self.mine) or self.under_way:
            self._claim()
            self._hand_out()
            if self.under_way:
                self._take(self.pool.wait(BEAT))
                self._say(self.pool.trouble)
                if time.monotonic() - self.last > COMMIT:
                    self._flush()
            else:
                self._wait_for_others()
        if self.lost:
            item, why = self.lost[0]
            raise StudyError(f"{len(self.lost)} configuration(s) could not be run here, the first "
                             f"{show(dict(item.configuration), 200)}: {why} (is there enough "
                             "memory?); all others are stored")  # fmt: skip

    def _interleave(self) -> None:
        """Put what is waiting in an order in which all lanes come equally often."""
        lanes: list[list[Item]] = [[] for _ in self.mine]
        for item in self.waiting.values():
            lanes[self.lane_of[item.lowered]].append(item)
        rounds = (i for row in zip_longest(*lanes) for i in row if i is not None)
        self.waiting = {i.key: i for i in rounds}

    def _claim(self) -> None:
        """Claim as much as keeps the workers busy for a while."""
        wanted = 2 * self.pool.size * self._at_once()
        now = time.monotonic()
        if 2 * sum(map(len, self.mine)) >= wanted or not self.waiting or now < self.asked:
            return
        taken = self.store.claim(self.waiting, wanted, self.limits.timeout)
        if len(taken) < wanted:  # the rest is being done by others
            self.asked = now + POLL
        for key in taken:
            item = self.waiting.pop(key)
            self.mine[self.lane_of[item.lowered]].append(item)

    def _at_once(self) -> int:
        if self.each is None:
            return 1
        fair = -(-(len(self.waiting) + sum(map(len, self.mine))) // (2 * self.pool.size))
        busy = min(CHUNK, 0.25 * (self.limits.timeout or CHUNK * 4))
        return max(1, min(int(busy / max(self.each, 1e-6)), MOST_AT_ONCE, fair))

    def _hand_out(self) -> None:
        while any(self.mine) and self.under_way < self.pool.size:
            lane = min((k for k, q in enumerate(self.mine) if q), key=lambda k: self.in_lane[k])
            queue = self.mine[lane]
            first = queue.popleft()
            items, most = [first], self._at_once()
            while queue and len(items) < most and queue[0].network == first.network:
                items.append(queue.popleft())
            self.left[first.network] -= len(items)
            shared = self.left[first.network] > 0 or first.network in self.begun
            self.begun.add(first.network)
            self.pool.submit(Chunk(tuple(items), shared, lane))
            self.under_way += 1
            self.in_lane[lane] += 1

    def _take(self, ended: Iterable[tuple[Chunk, list[Outcome], str]]) -> None:
        for chunk, outcomes, worker in ended:
            self.under_way -= 1
            self.in_lane[chunk.lane] -= 1
            for item, out in zip(chunk.items, outcomes, strict=True):
                if out.lost is not None:
                    self.lost.append((item, out.lost))
                    continue
                self._watch(out)
                self.errors += out.error is not None
                self.buffer.append(Stored(
                    item.key, canonical(dict(item.configuration)), out.result, out.error,
                    out.seconds, out.engine, worker, out.arrays,
                ))  # fmt: skip
            mean = sum(o.seconds for o in outcomes) / len(outcomes)
            self.each = mean if self.each is None else 0.5 * (self.each + mean)

    def _watch(self, out: Outcome) -> None:
        """End a run whose first outcomes are all the same error of a measuring function.

        Until it is known whether that is so, they are held back: who mends the function goes on
        with a file that does not hold them.

        Raises:
            StudyError: that error.
        """
        if not self.holding:
            return
        error = out.error or ""
        self.holding = out.own and (not self.buffer or _kind(error) == _kind(self.buffer[0].error))
        self.alike += self.holding
        if self.holding and self.alike == self.limits.stop_after:
            self.buffer.clear()
            raise StudyError(
                f"the first {self.alike} configurations all failed alike, the last of {error}; "
                "nothing is stored of them, what was stored before is whole (stop_after=None "
                "stores such errors as rows, --stop-after 0 on the command line)"
            )

    def _flush(self, last: bool = False) -> None:
        """Store what has come in, or give a sign of life; the ``last`` call stores all."""
        if self.buffer and (last or not self.holding):
            self.store.add(self.buffer)
            self.done += len(self.buffer)
            self.buffer.clear()
            self._tell()
        elif time.monotonic() - self.last > BEAT:
            self.store.beat()
        else:
            return
        self.last = time.monotonic()

    def _tell(self) -> None:
        if self.told is not None:
            self.told(self.done, self.total, self.errors)

    def _say(self, trouble: str) -> None:
        """Tell what keeps the pool from going on, once; without a progress line, as a warning."""
        if trouble and trouble != self.said:
            say = getattr(self.told, "say", None)
            if say is None:
                warnings.warn(trouble, RuntimeWarning, stacklevel=2)
            else:
                say(trouble)
        self.said = trouble

    def _wait_for_others(self) -> None:
        """Leave to other writers what they have claimed; it is taken over when they die."""
        self._flush(last=True)
        stored = self.store.done(self.limits.timeout)
        for key in [k for k in self.waiting if k in stored]:
            item = self.waiting.pop(key)
            self.left[item.network] -= 1
            self.done += 1
        self._tell()
        if self.waiting:
            time.sleep(max(0.0, self.asked - time.monotonic()))
            self._flush()


def _kind(error: str | None) -> str:
    """Return who raised what of an error's text, without what may differ from one to the next."""
    return ":".join((error or "").split(":")[:2])
