"""Runs variants of one network side by side: the inner loop of a study."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, overload

from ..checks import expect_flag
from ..errors import NeuroLifError, RangeError, StudyError, show
from ..fixed import FixedNetwork
from ..recording import Interrupted, Recording
from ..reference.clocked import check_record
from ..runs import RECORDS, Fed, fed_inputs
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .engine import chosen_engine, run_checked

T = TypeVar("T")
Told = Callable[[int, "int | None"], None]
"""Called with (variants done, of how many or None where nobody knows)."""

AHEAD = 2
"""Variants for each thread that may be taken before their turn."""


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

    Every result is what :func:`neuro_lif.run_fixed` gives for that variant. What the variants
    share is worked out once: the inputs, and all that follows from parts (populations,
    projections, profiles) that are the same objects, as they are in copies made by
    :func:`neuro_lif.with_changes` or ``dataclasses.replace``.

    Args:
        variants: networks whose populations and inputs have the same names and sizes; everything
            else may differ. An iterator is read as results are asked for, at most ``AHEAD``
            variants per thread before their turn, so that few of them exist at a time.
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
    return _told(_results(iter(variants), asked, many), progress, total)


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


def _results(variants: Iterator[Any], asked: _Asked, threads: int) -> Iterator[Any]:
    """Yield the results in order, from one thread or from several."""
    first = deque(islice(variants, 1))
    if not first:
        return
    try:
        shared = Shared.of(_network(first[0]), asked.n_steps, asked.inputs)
    except NeuroLifError as error:
        raise type(error)(f"variant 0: {error}") from error
    first += islice(variants, threads - 1)
    workers = min(threads, len(first))
    variants = _emptied(first, variants)
    if workers == 1:
        for number, fixed in enumerate(variants):
            yield asked.run(number, fixed, shared, threads)
    else:
        yield from _side_by_side(variants, asked, shared, workers, threads // workers)


def _emptied(first: deque[Any], then: Iterator[Any]) -> Iterator[Any]:
    """Yield all, holding on to none of them."""
    while first:
        yield first.popleft()
    yield from then


def _side_by_side(
    variants: Iterator[Any], asked: _Asked, shared: Shared, workers: int, threads: int
) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    number, more = 0, True
    pool = ThreadPoolExecutor(workers, "neuro_lif_variant")
    try:
        while more or waiting:
            while more and len(waiting) < AHEAD * workers:
                try:
                    fixed = next(variants)
                except StopIteration:
                    more = False
                    break
                except Exception:  # the results of those before it come first
                    yield from (done.result() for done in waiting)
                    raise
                waiting.append(pool.submit(asked.run, number, fixed, shared, threads))
                del fixed
                number += 1
            if waiting:
                yield waiting.popleft().result()
    finally:
        asked.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
