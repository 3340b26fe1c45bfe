"""What a worker does: lowers configurations, runs them, measures; errors become results."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..emulator.compiled import prepare
from ..emulator.engine import run_checked
from ..emulator.variants import Shared, Stopped
from ..engines import chosen_engine
from ..errors import NeuroLifError, StudyError, show
from ..fixed import FixedNetwork
from ..npz import npz_bytes
from ..recording import Recording
from ..reference import run_clocked
from .axes import Configuration
from .digests import canonical
from .lowering import Base, Kept, Lowering
from .measures import Reference, Trains, measured
from .names import PLAIN

ERRORS = (NeuroLifError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What makes a row with an error: what the package refuses, and what measuring functions raise."""
BESIDE = 0.15
"""What is done beside the engine may take this share of the engine's time and leave it all
processors."""
AHEAD, MOST_AHEAD = 0.15, 16
"""Seconds of runs, and so many, that may wait for the engine."""
TAKEN = ("key", "error", "seconds", "engine_seconds", "worker", *PLAIN)
"""Columns that are no measures."""
MOST_REFERENCES = 8
"""Float runs that are kept for configurations to come: they are large."""


@dataclass(frozen=True)
class Outcome:
    """What one configuration gave.

    Args:
        result: measures as canonical JSON; empty where there is an error.
        error: why there are none; None where there are.
        seconds: in all.
        engine: seconds of them in the integer engine.
        arrays: content of the ``.npz`` file that is kept, where one is.
        lost: why there is no outcome at all (this machine has too little memory); not stored.
        own: whether the error is one of a measuring function of the user's.
    """

    result: str
    error: str | None
    seconds: float
    engine: float
    arrays: bytes | None = None
    lost: str | None = None
    own: bool = False


@dataclass
class Worker:
    """Runs configurations of one study, one after the other.

    Args:
        base: the study's.
        threads: of each run; None: all processors, but one where what is done beside the engine
            keeps one busy.
    """

    base: Base
    threads: int | None = None
    lowering: Lowering = field(init=False)
    references: Kept = field(default_factory=lambda: Kept(MOST_REFERENCES))
    _shared: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.lowering = Lowering(self.base)
        self.chosen = chosen_engine(None, self.threads)
        self.many, self._last = self.threads, 1.0

    def reference(self, configuration: Configuration) -> Reference:
        """Return what is kept of the float run of a configuration's network.

        Raises:
            NeuroLifError: there is no such network, or it cannot be run.
        """
        key = self.lowering.stepped_key(configuration)
        return self.references.of(key, lambda: self._reference(configuration))

    def _reference(self, configuration: Configuration) -> Reference:
        base = self.base
        stepped = self.lowering.stepped(configuration)
        run = run_clocked(stepped, base.n_steps, base.inputs, threads=self.threads)
        return Reference.of(run, stepped, base.task)

    def give_reference(self, key: str, reference: Reference | NeuroLifError) -> None:
        """Take a float run that was made elsewhere."""

        def given() -> Reference:
            if isinstance(reference, NeuroLifError):
                raise reference
            return reference

        try:
            self.references.of(key, given)
        except NeuroLifError:
            pass  # it comes again with each of its configurations

    def run(self, configuration: Configuration) -> Outcome:
        """Lower, run and measure one configuration; what it refuses is the outcome."""
        return self.run_all([configuration])[0]

    def run_all(self, configurations: Sequence[Configuration]) -> list[Outcome]:
        """Run configurations in order.

        The engine runs in a thread of its own, which needs Python's lock only between two runs:
        the next configuration is lowered and the last one measured while it is at work.
        """
        out: list[Outcome] = []
        ahead: deque[_Job] = deque()
        stop = threading.Event()
        with ThreadPoolExecutor(1, "neuro_lif_study") as engine:
            try:
                for configuration in configurations:
                    job = self._prepared(configuration)
                    if job.error is None and job.lost is None:
                        job.future = engine.submit(self._recorded, job.fixed, stop)
                    ahead.append(job)
                    while ahead and (len(ahead) > self._depth or ahead[0].done):
                        out.append(self._outcome(ahead.popleft()))
                out += [self._outcome(job) for job in ahead]
            finally:
                stop.set()
        if self.threads is None:
            self._leave_room(out)
        return out

    @property
    def _depth(self) -> int:
        """How many runs may wait for the engine: more where they are short, to lower meanwhile."""
        return max(1, min(int(AHEAD / max(self._last, 1e-6)), MOST_AHEAD))

    def _leave_room(self, ended: Sequence[Outcome]) -> None:
        """Leave one processor to what is done beside the engine, where that is much."""
        engine = sum(o.engine for o in ended)
        beside = sum(o.seconds for o in ended) - engine
        many = os.cpu_count() or 1
        self.many = max(many - 1, 1) if beside > BESIDE * engine else many

    def _prepared(self, configuration: Configuration) -> _Job:
        """Lower a configuration and do all that a run needs before its first step."""
        start, job = time.perf_counter(), _Job()
        try:
            job.fixed = self.lowering.fixed(configuration)
            job.reference = self.reference(configuration)
            if self.chosen != "numpy":
                prepare(job.fixed)
        except ERRORS as error:
            job.error = _text(error)
        except MemoryError as error:
            job.lost = _text(error)
        job.seconds = time.perf_counter() - start
        return job

    def _recorded(self, fixed: FixedNetwork, stop: threading.Event) -> tuple[Recording, float]:
        """Run a network; return what was recorded and how long it took."""
        base = self.base

        def between() -> None:
            if stop.is_set():
                raise Stopped

        shared = self._shared.of(None, lambda: Shared.of(fixed, base.n_steps, base.inputs))
        start = time.perf_counter()
        run = run_checked(fixed, shared.n_steps, shared.given, shared.batch, "probes", None,
                          False, self.chosen, self.many, between)  # fmt: skip
        return run, time.perf_counter() - start

    def _outcome(self, job: _Job) -> Outcome:
        """Measure a run that has ended."""
        if job.lost is not None:
            return Outcome("", None, job.seconds, 0.0, lost=job.lost)
        if job.error is not None or job.future is None:
            return Outcome("", job.error or "it was not run", job.seconds, 0.0)
        _wait(job.future)
        start, engine, own = time.perf_counter(), 0.0, False
        try:
            recording, engine = job.future.result()
            self._last = engine
            result = measured(self.base.groups, job.fixed, recording, job.reference,
                              self.base.task)  # fmt: skip
            for function in self.base.more:
                own = True
                result |= _more(function, job.fixed, recording, {*result, *TAKEN})
            text = canonical(result)
        except ERRORS as error:
            seconds = job.seconds + time.perf_counter() - start
            return Outcome("", _text(error), seconds, engine, own=own)
        except MemoryError as error:
            return Outcome("", None, job.seconds, engine, lost=_text(error))
        arrays = _kept(recording) if "spikes" in self.base.keep else None
        seconds = job.seconds + engine + time.perf_counter() - start
        return Outcome(text, None, seconds, engine, arrays)


@dataclass
class _Job:
    """A configuration on its way."""

    fixed: Any = None
    reference: Any = None
    error: str | None = None
    lost: str | None = None
    seconds: float = 0.0
    future: Future[tuple[Recording, float]] | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.future is None or self.future.done()


def _wait(future: Future[Any]) -> None:
    """Wait for a run to end; some systems see Ctrl-C only between two waits."""
    while not future.done():
        with suppress(FutureTimeout):
            future.exception(0.1)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _more(
    function: Any, fixed: FixedNetwork, recording: Recording, taken: set[str]
) -> dict[str, Any]:
    """Return what a user's function measures.

    Args:
        function: the user's.
        fixed, recording: what it is called with.
        taken: names of columns that there are already.

    Raises:
        StudyError: it raised an error, or gives something else than new names with numbers.
    """
    who = getattr(function, "__qualname__", type(function).__name__)
    try:
        found: Any = function(fixed, recording)
    except (ImportError, MemoryError, OSError):  # of this machine, not of the configuration
        raise
    except Exception as error:
        raise StudyError(f"{who} raised {_text(error)}") from error
    if not isinstance(found, Mapping):
        raise StudyError(f"{who} gave {type(found).__name__}, allowed: a mapping of name to number")
    out = {}
    for name, value in found.items():
        number = value.item() if isinstance(value, np.generic) else value
        finite = not isinstance(number, float) or math.isfinite(number)
        if not isinstance(number, (int, float, str, type(None))) or not finite:
            raise StudyError(f"{who} gave {name} = {show(number)}, allowed: a finite number, a "
                             "text or None")  # fmt: skip
        if name in taken:
            raise StudyError(f"{who} gave {show(name)}, a column that there is, allowed: another "
                             "name")  # fmt: skip
        out[str(name)] = number
    return out


def _kept(recording: Recording) -> bytes:
    """Return the spikes of a run as the content of an ``.npz`` file."""
    arrays: dict[str, Any] = {}
    for name in recording.spikes:
        trains = Trains.of(recording, name)
        arrays[f"{name}/shape"] = np.array(trains.shape)
        arrays[f"{name}/rows"] = trains.rows
        arrays[f"{name}/neuron"] = trains.neuron
        if trains.value is not None:
            arrays[f"{name}/value"] = trains.value
    return npz_bytes(arrays)
