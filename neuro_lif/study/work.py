"""What a worker does: lowers configurations, runs them, measures; errors become results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..emulator.compiled import prepare
from ..emulator.engine import run_checked
from ..emulator.variants import Shared
from ..engines import chosen_engine
from ..errors import NeuroLifError, StudyError
from ..fixed import FixedNetwork
from ..npz import npz_bytes
from ..recording import Recording
from ..reference import run_clocked
from .axes import Configuration
from .digests import canonical
from .lowering import Base, Kept, Lowering
from .measures import Reference, Trains, measured

ERRORS = (NeuroLifError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What makes a row with an error: what the package refuses, and what measuring functions raise."""
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
    """

    result: str
    error: str | None
    seconds: float
    engine: float
    arrays: bytes | None = None


@dataclass
class Worker:
    """Runs configurations of one study, one after the other.

    Args:
        base: the study's.
        threads: of each run.
    """

    base: Base
    threads: int | None = None
    lowering: Lowering = field(init=False)
    references: Kept = field(default_factory=lambda: Kept(MOST_REFERENCES))
    _shared: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.lowering = Lowering(self.base)
        self.chosen = chosen_engine(None, self.threads)

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
        start, engine = time.perf_counter(), 0.0
        try:
            fixed = self.lowering.fixed(configuration)
            reference = self.reference(configuration)
            before = time.perf_counter()
            recording = self._recorded(fixed)
            engine = time.perf_counter() - before
            result = measured(self.base.groups, fixed, recording, reference, self.base.task)
            for function in self.base.more:
                result |= _more(function, fixed, recording)
            text = canonical(result)
        except ERRORS as error:
            kind = type(error).__name__
            return Outcome("", f"{kind}: {error}", time.perf_counter() - start, engine)
        arrays = _kept(recording) if "spikes" in self.base.keep else None
        return Outcome(text, None, time.perf_counter() - start, engine, arrays)

    def _recorded(self, fixed: FixedNetwork) -> Recording:
        """Run a network; what runs of a study share (their inputs) is looked through once."""
        base = self.base
        shared = self._shared.of(None, lambda: Shared.of(fixed, base.n_steps, base.inputs))
        if self.chosen != "numpy":
            prepare(fixed)
        return run_checked(fixed, shared.n_steps, shared.given, shared.batch, "probes", None,
                           False, self.chosen, self.threads)  # fmt: skip


def _more(function: Any, fixed: FixedNetwork, recording: Recording) -> dict[str, Any]:
    """Return what a user's function measures.

    Raises:
        StudyError: it gives something else than names with numbers.
    """
    found: Any = function(fixed, recording)
    if not isinstance(found, Mapping):
        raise StudyError(f"{function.__qualname__} gave {type(found).__name__}, allowed: a mapping "
                         "of name to number")  # fmt: skip
    out = {}
    for name, value in found.items():
        out[str(name)] = value.item() if isinstance(value, np.generic) else value
    return out


def _kept(recording: Recording) -> bytes:
    """Return the spikes of a run as the content of an ``.npz`` file."""
    arrays: dict[str, Any] = {}
    for name in recording.spikes:
        trains = Trains.of(recording, name)
        arrays[f"{name}/shape"] = np.array(trains.shape)
        arrays[f"{name}/place"] = trains.place
        if trains.value is not None:
            arrays[f"{name}/value"] = trains.value
    return npz_bytes(arrays)
