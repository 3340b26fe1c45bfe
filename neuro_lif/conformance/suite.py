"""Runs the vectors on an engine and says what differs, where first, and by which rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .protocol import BatchEngine, Engine, Refused, Unsupported
from .vectors import Vector

Status = Literal["equal", "different", "refused", "accepted", "unsupported", "failed"]
PASSED = ("equal", "refused")
SHOWN = 20


@dataclass(frozen=True)
class Outcome:
    """What an engine made of one vector.

    Args:
        vector: the vector.
        status: ``equal``; ``different``; ``refused`` (rightly); ``accepted`` (it is invalid);
            ``unsupported`` (the engine says that it has nothing like it); ``failed``.
        why: the first difference, or the engine's own words.
        values: how many values were compared.
        wrong: how many of them differ.
    """

    vector: Vector
    status: Status
    why: str = ""
    values: int = 0
    wrong: int = 0

    @property
    def passed(self) -> bool:
        """True where the engine did what it should."""
        return self.status in PASSED


STRANGE = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError,
           TypeError, ValueError)  # fmt: skip
"""What somebody else's engine may raise by mistake: a failed vector, not the end of the suite."""


def asked(vector: Vector) -> dict[str, Any]:
    """Return what an engine is given: the vector as plain data, and the variables wanted."""
    wanted = {population: list(names) for population, names in vector.expect.items()}
    return vector.plain | {"wanted": wanted}


def attempt(engine: Engine, vectors: Sequence[Vector]) -> list[Any]:
    """Return an engine's answer to every vector, or the error it raised."""
    try:
        if len(vectors) > 1 and isinstance(engine, BatchEngine):
            return engine.run_many([asked(v) for v in vectors])
        return [engine.run(asked(v)) for v in vectors]
    except (Unsupported, *STRANGE) as error:
        if len(vectors) > 1:  # one by one, to find out whose error it is
            return [answer for v in vectors for answer in attempt(engine, [v])]
        return [error]


def judge(vector: Vector, answer: Any) -> Outcome:
    """Compare an engine's answer (or the error it raised) with a vector, tolerance zero."""
    if isinstance(answer, Refused):
        if vector.result != "invalid":
            return Outcome(vector, "failed", f"refused: {answer}")
        named = vector.error in str(answer)
        why = "" if named else f"refused without naming {vector.error!r}: {answer}"
        return Outcome(vector, "refused", why)
    if isinstance(answer, Unsupported):
        return Outcome(vector, "unsupported", str(answer))
    if isinstance(answer, BaseException):
        return Outcome(vector, "failed", f"{type(answer).__name__}: {answer}")
    if vector.result == "invalid":
        return Outcome(vector, "accepted", f"must be refused: {vector.error}")
    return _compared(vector, answer)


def _compared(vector: Vector, answer: Any) -> Outcome:
    values = wrong = 0
    first: tuple[int, str] | None = None
    for population, variables in vector.expect.items():
        for name, rows in variables.items():
            expected = np.asarray(rows, np.int64)
            try:
                got = np.asarray(answer[population][name], np.int64)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                text = f"{population}.{name}: no integers [step][neuron] ({error!r})"
                return Outcome(vector, "failed", text)
            if got.shape != expected.shape:
                text = f"{population}.{name}: shape {got.shape}, allowed: {expected.shape}"
                return Outcome(vector, "failed", text)
            values += expected.size
            places = np.argwhere(got != expected)
            wrong += len(places)
            if len(places) and (first is None or places[0][0] < first[0]):
                step, neuron = places[0].tolist()
                text = f"{population}.{name}[{neuron}] in step {step + 1}: expected "
                text += f"{expected[step, neuron]}, got {got[step, neuron]}"
                first = (step, text)
    if first is None:
        return Outcome(vector, "equal", "", values)
    return Outcome(vector, "different", first[1], values, wrong)


@dataclass(frozen=True)
class Report:
    """The outcome of a run of the suite.

    Args:
        engine: name of the engine.
        outcomes: one for every vector.
    """

    engine: str
    outcomes: tuple[Outcome, ...] = field(repr=False)

    @property
    def passed(self) -> bool:
        """True where every vector the engine can run at all came out right, and one could."""
        tried = [o for o in self.outcomes if o.status != "unsupported"]
        return bool(tried) and all(o.passed for o in tried)

    def counts(self) -> Counter[str]:
        """Return status -> number of vectors."""
        return Counter(o.status for o in self.outcomes)

    def __str__(self) -> str:
        counts = self.counts()
        values = sum(o.values for o in self.outcomes)
        flags = {flag for o in self.outcomes if o.passed for flag in o.vector.flags}
        told = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
        lines = [f"{self.engine}: {len(self.outcomes)} vectors: {told}; {values} values compared"]
        lines += [*self._wrong(), *self._unsupported()]
        verdict = "conforms" if self.passed else "DOES NOT CONFORM"
        lines.append(f"{self.engine} {verdict} ({len(flags)} flags exercised)")
        return "\n".join(lines)

    def _wrong(self) -> list[str]:
        wrong = [o for o in self.outcomes if not o.passed and o.status != "unsupported"]
        lines = []
        for o in wrong[:SHOWN]:
            v = o.vector
            lines.append(f"  {o.status}: {v.id} ({v.peer} {v.peer_version}, profile {v.profile})")
            lines.append(f"    {o.why}" + (f"; {o.wrong} of {o.values} values" if o.wrong else ""))
            lines.append(f"    flags: {', '.join(v.flags)}" + (f"; rule: {v.rule}" * bool(v.rule)))
        if len(wrong) > SHOWN:
            lines.append(f"  and {len(wrong) - SHOWN} more")
        suspects = suspected(self.outcomes)
        if wrong and suspects:
            lines.append(
                "  flags seen in wrong vectors and in no right one: " + ", ".join(suspects)
            )
        return lines

    def _unsupported(self) -> list[str]:
        reasons = Counter(o.why for o in self.outcomes if o.status == "unsupported")
        return [f"  unsupported, {n} vectors: {' '.join(why.split())[:160]}"
                for why, n in reasons.most_common(5)]  # fmt: skip


def suspected(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the flags that occur in wrong vectors only: the rules to look at first."""
    tried = [o for o in outcomes if o.status != "unsupported"]
    right = {flag for o in tried if o.passed for flag in o.vector.flags}
    wrong = {flag for o in tried if not o.passed for flag in o.vector.flags}
    return sorted(wrong - right)


def run_conformance(
    engine: Engine, vectors: Sequence[Vector], progress: Callable[[int, int], None] | None = None
) -> Report:
    """Run vectors on an engine.

    Args:
        engine: see :class:`Engine`.
        vectors: see :func:`load_vectors`.
        progress: called with (vectors done, vectors in all).
    """
    at_once = max(int(getattr(engine, "at_once", 1)), 1)
    outcomes: list[Outcome] = []
    for start in range(0, len(vectors), at_once):
        some = vectors[start : start + at_once]
        outcomes += [judge(v, a) for v, a in zip(some, attempt(engine, some), strict=True)]
        if progress is not None:
            progress(len(outcomes), len(vectors))
    return Report(engine.name, tuple(outcomes))
