"""Runs variants of one network side by side: the inner loop of a study."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from ..checks import expect_flag
from ..engines import chosen_engine
from ..errors import NeuroLifError, RangeError, StudyError, show
from ..fixed import FixedNetwork
from ..recording import Interrupted, Recording
from ..reference.clocked import check_record
from ..run_inputs import Fed, fed_inputs
from ..runs import RECORDS
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .compiled import prepare
from .engine import run_checked

T = TypeVar("T")
Told = Callable[[int, "int | None"], None]
"""Called with (variants done, of how many or None where nobody knows)."""

MOST_IN_GROUP, SECONDS = 8, 0.1
"""A thread is given so many variants at once, or as many as take so long. Two groups for each
thread may be taken before their turn."""


class Stopped(Exception):
    """Nobody wants the results any more."""


@dataclass(frozen=True)
class Shared:
    """What all variants have in common.

    Args:
        sizes: populations, and inputs, by name.
        n_steps: of every run.
        given: inputs, looked through once.
        batch: samples; None: one, and no axis for them.
    """

    sizes: tuple[dict[str, int], dict[str, int]]
    n_steps: int
    given: Mapping[str, Fed]
    batch: int | None

    @classmethod
    def of(cls, fixed: FixedNetwork, n_steps: int | None, inputs: Inputs | None) -> Shared:
        """Return what the first variant says all of them share."""
        given = check_given(inputs, fixed.input_sizes(), whole=True)
        steps = steps_of(n_steps, given)
        return cls(_sizes(fixed), steps, fed_inputs(given), batch_of(given))

    def check(self, fixed: FixedNetwork) -> None:
        """Refuse a network with other populations or inputs than the first.

        Raises:
            RangeError: with what it has and what it should have.
        """
        own = _sizes(fixed)
        for what, got, wanted in zip(("populations", "inputs"), own, self.sizes, strict=True):
            if got != wanted:
                raise RangeError(f"{what} = {_text(got)}, allowed: those of the first variant, "
                                 f"{_text(wanted)}")  # fmt: skip


def _sizes(fixed: FixedNetwork) -> tuple[dict[str, int], dict[str, int]]:
    return {p.name: p.size for p in fixed.populations}, fixed.input_sizes()


def _text(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in sizes.items()) or "none"


@overload
def run_variants(
    variants: Iterable[FixedNetwork], n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", *, reduce: None = None, progress: Told | None = None,
    strict: bool = False, engine: str | None = None, threads: int | None = None,
) -> Iterator[Recording]: ...  # fmt: skip


@overload
def run_variants(
    variants: Iterable[FixedNetwork], n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", *, reduce: Callable[[Recording], T], progress: Told | None = None,
    strict: bool = False, engine: str | None = None, threads: int | None = None,
) -> Iterator[T]: ...  # fmt: skip


def run_variants(
    variants: Iterable[FixedNetwork], n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes", *, reduce: Callable[[Recording], Any] | None = None,
    progress: Told | None = None, strict: bool = False, engine: str | None = None,
    threads: int | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Run variants of one network on the same inputs, several at a time.

    Every result is what :func:`neuro_lif.run_fixed` gives for that variant; only the count of calm
    blocks in the provenance, which depends on how many steps are done at a time, may differ. What
    the variants share is worked out once: the inputs, and all that follows from parts (populations,
    projections, profiles) that are the same objects, as they are in copies made by
    :func:`neuro_lif.with_changes` or ``dataclasses.replace``.

    Args:
        variants: networks whose populations and inputs have the same names and sizes; everything
            else may differ. An iterator is read as results are asked for: at most 16 variants per
            thread before their turn where they take milliseconds, 2 where they take longer.
        n_steps, inputs, record, strict, engine: as of :func:`neuro_lif.run_fixed`; the inputs go
            to every variant and are checked once, when the first result is asked for.
        reduce: called with each recording as soon as it is there; what it returns is the result,
            and the recording is dropped. With several threads it is called in them.
        progress: called with (variants done, of how many; None where ``variants`` has no length).
        threads: in all; None: as many as there are processors. They run one variant each; where
            there are fewer variants, several run the samples of one.

    Returns:
        An iterator over the results, in the order of the variants. Closing it, an error and Ctrl-C
        stop the threads.

    Raises:
        RangeError: an argument is not valid; with the variant's number before it: not a
            FixedNetwork, other populations or inputs, or what ``run_fixed`` refuses.
        StudyError: ``reduce`` failed; its error is the cause.
        KeyboardInterrupt: on Ctrl-C; what was yielded before it is complete.
    """
    if not isinstance(variants, Iterable):
        raise RangeError(f"run_variants: variants = {show(variants)}, allowed: FixedNetworks, as "
                         "a list or from a generator")  # fmt: skip
    expect_flag(strict, "run_variants: strict")
    check_record(record, RECORDS)
    for name, value, allowed in (("reduce", reduce, "a function of a Recording, or None"),
                                 ("progress", progress, "a function of (variants done, variants "
                                  "in all or None), or None")):  # fmt: skip
        if value is not None and not callable(value):
            raise RangeError(f"run_variants: {name} = {show(value)}, allowed: {allowed}")
    chosen, many = chosen_engine(engine, threads), threads or os.cpu_count() or 1
    asked = _Asked(n_steps, inputs, record, reduce, strict, chosen, threading.Event())
    total = len(variants) if isinstance(variants, Sized) else None
    return _told(_results(_Source(variants), asked, many), progress, total)


def _told(results: Iterator[Any], progress: Told | None, total: int | None) -> Iterator[Any]:
    try:
        for done, result in enumerate(results, 1):
            if progress is not None:
                progress(done, total)
            yield result
    finally:
        results.close()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Asked:
    """The arguments of a call."""

    n_steps: int | None
    inputs: Inputs | None
    record: str
    reduce: Callable[[Recording], Any] | None
    strict: bool
    chosen: str
    stop: threading.Event

    def between(self) -> None:
        """End a run that nobody wants any more."""
        if self.stop.is_set():
            raise Stopped

    def run(self, number: int, fixed: Any, shared: Shared, threads: int) -> Any:
        """Run one variant; its errors tell its number."""
        try:
            shared.check(_network(fixed))
            recording = run_checked(
                fixed, shared.n_steps, shared.given, shared.batch, self.record, None, self.strict,
                self.chosen, threads, self.between,
            )  # fmt: skip
        except NeuroLifError as error:
            raise type(error)(f"variant {number}: {error}") from error
        except Interrupted:
            raise KeyboardInterrupt(f"in variant {number}") from None
        if self.reduce is None:
            return recording
        try:
            return self.reduce(recording)
        except Exception as error:
            text = f"variant {number}: reduce raised {type(error).__name__}: {error}"
            raise StudyError(text) from error


def _network(fixed: Any) -> FixedNetwork:
    if not isinstance(fixed, FixedNetwork):
        raise RangeError(f"run_variants wants FixedNetworks, got {show(fixed)}")
    return fixed


class _Group:
    """Variants that one thread runs one after the other, all prepared first.

    Preparing is Python's work and running is not: doing each for several in a row keeps what it
    needs in the processor's caches.
    """

    def __init__(self, first: int, variants: list[Any]) -> None:
        self.first, self.size, self.variants = first, len(variants), variants
        self.results: deque[Any] = deque()
        self.seconds = 0.0

    def run(self, asked: _Asked, shared: Shared, threads: int) -> None:
        """Run all; ``results`` are those of the variants before the first error."""
        start = time.perf_counter()
        for fixed in self.variants if asked.chosen != "numpy" and self.size > 1 else ():
            if isinstance(fixed, FixedNetwork):
                with contextlib.suppress(NeuroLifError):  # it comes again, when its turn has come
                    prepare(fixed)
        self.variants.reverse()
        for number in range(self.first, self.first + self.size):
            self.results.append(asked.run(number, self.variants.pop(), shared, threads))
        self.seconds = (time.perf_counter() - start) / self.size


class _Source:
    """Variants as they are taken; an error of theirs comes after those before it."""

    def __init__(self, variants: Iterable[Any]) -> None:
        self.rest, self.back = iter(variants), deque[Any]()
        self.error: Exception | None = None

    def take(self, n: int) -> list[Any]:
        """Return the next ``n``, fewer at the end."""
        taken: list[Any] = []
        while len(taken) < n:
            if self.back:
                taken.append(self.back.popleft())
                continue
            if self.error is not None:
                if taken:
                    break
                raise self.error
            try:
                taken.append(next(self.rest))
            except StopIteration:
                break
            except Exception as error:
                if not taken:
                    raise
                self.error = error
        return taken


def _results(source: _Source, asked: _Asked, threads: int) -> Iterator[Any]:
    """Yield the results in order, from one thread or from several."""
    first = source.take(threads)
    if not first:
        return
    try:
        shared = Shared.of(_network(first[0]), asked.n_steps, asked.inputs)
    except NeuroLifError as error:
        raise type(error)(f"variant 0: {error}") from error
    workers = len(first)
    source.back.extend(first)
    del first  # nobody else holds on to them
    if workers == 1:
        yield from _one_by_one(source, asked, shared, threads)
    else:
        yield from _side_by_side(source, asked, shared, workers, threads // workers)


def _emptied(results: deque[Any]) -> Iterator[Any]:
    """Yield all, holding on to none of them."""
    while results:
        yield results.popleft()


def _size(before: _Group | None) -> int:
    """Return how many variants the next group has: as many as take little time, after the first."""
    if before is None or not before.seconds:
        return 1
    return max(1, min(int(SECONDS / before.seconds), MOST_IN_GROUP, 4 * before.size))


def _one_by_one(source: _Source, asked: _Asked, shared: Shared, threads: int) -> Iterator[Any]:
    number, group = 0, None
    while taken := source.take(_size(group)):
        group = _Group(number, taken)
        try:
            group.run(asked, shared, threads)
        except Exception:  # the results of those before it come first
            yield from group.results
            raise
        number += group.size
        yield from _emptied(group.results)


def _side_by_side(
    source: _Source, asked: _Asked, shared: Shared, workers: int, threads: int
) -> Iterator[Any]:
    waiting: deque[tuple[_Group, Future[None]]] = deque()
    number, more, done = 0, True, None
    pool = ThreadPoolExecutor(workers, "neuro_lif_variant")
    try:
        while more or waiting:
            while more and len(waiting) < 2 * workers:
                try:
                    taken = source.take(_size(done))
                except Exception:  # the results of those before it come first
                    for group, ended in waiting:
                        yield from _ended(group, ended)
                    raise
                more = bool(taken)
                if more:
                    group = _Group(number, taken)
                    number += group.size
                    waiting.append((group, pool.submit(group.run, asked, shared, threads)))
            if waiting:
                done, ended = waiting.popleft()
                yield from _ended(done, ended)
    finally:
        asked.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _ended(group: _Group, ended: Future[None]) -> Iterator[Any]:
    """Wait for a group; yield its results, then raise its error."""
    while not ended.done():
        wait([ended], 0.1)  # not for ever: some systems look at Ctrl-C only between two waits
    error = ended.exception()
    yield from _emptied(group.results)
    if error is not None:
        raise error
