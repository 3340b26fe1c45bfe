"""Runs the vectors on an engine and says what differs, where first, and by which rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..errors import NeuroLifError, TargetError, show
from ..profile import load_profile
from .checks import oversized
from .protocol import BatchEngine, Engine, Refused, Unsupported
from .vectors import SENT, Vector

Status = Literal[
    "equal", "different", "refused", "unnamed", "accepted", "unsupported", "failed", "too large"
]
PASSED = ("equal", "refused")
SHOWN = 20
MOST = 2**63 - 1
WHOLE = (int, np.integer, np.bool_)


@dataclass(frozen=True)
class Outcome:
    """What an engine made of one vector.

    Args:
        vector: the vector.
        status: ``equal``; ``different``; ``refused`` (rightly); ``unnamed`` (refused rightly, but
            without naming the field); ``accepted`` (it is invalid); ``unsupported`` (the engine
            says that it has nothing like it); ``failed``; ``too large`` (a bad vector, not run).
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


def asked(vector: Vector) -> dict[str, Any]:
    """Return what an engine is given: the network as plain data, and the variables wanted.

    Nothing tells a valid vector from an invalid one, for which the usual variables are wanted.
    """
    names = {population: sorted(variables) for population, variables in vector.expect.items()}
    return vector.plain | {"wanted": names or _usual(vector)}


def _usual(vector: Vector) -> dict[str, list[str]]:
    try:
        models = load_profile(vector.profile).models
    except NeuroLifError:
        return {p.name: [SENT] for p in vector.network.populations}
    wanted = {}
    for p in vector.network.populations:
        model = models.get(p.model, next(iter(models.values())))
        wanted[p.name] = sorted({SENT, model.voltage, model.current or model.voltage})
    return wanted


def attempt(engine: Engine, vectors: Sequence[Vector]) -> list[Any]:
    """Return an engine's answer to every vector, or the error it raised."""
    batch = isinstance(engine, BatchEngine) and len(vectors) > 1
    try:
        if not batch:
            return [_alone(engine, v) for v in vectors]
        answers = engine.run_many([asked(v) for v in vectors])  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        raise
    except BaseException:  # one by one, to find out whose error it is
        return [_alone(engine, v) for v in vectors]
    if isinstance(answers, (list, tuple)) and len(answers) == len(vectors):
        return list(answers)
    found = f"{len(answers)} answers" if isinstance(answers, (list, tuple)) else show(answers)
    wrong = TypeError(f"run_many returned {found}, allowed: a list of {len(vectors)} answers")
    return [wrong] * len(vectors)


def _alone(engine: Engine, vector: Vector) -> Any:
    try:
        return engine.run(asked(vector))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's engine raises, SystemExit included
        return error


def judge(vector: Vector, answer: Any) -> Outcome:
    """Compare an engine's answer (or the error it raised) with a vector, tolerance zero."""
    if isinstance(answer, Refused):
        if vector.result != "invalid":
            return Outcome(vector, "failed", f"refused: {said(answer)}")
        if names(said(answer), vector.error):
            return Outcome(vector, "refused")
        why = f"refused without naming {vector.error!r}: {said(answer)}"
        return Outcome(vector, "unnamed", why)
    if isinstance(answer, Unsupported):
        return Outcome(vector, "unsupported", said(answer))
    if isinstance(answer, BaseException):
        return Outcome(vector, "failed", f"{type(answer).__name__}: {said(answer)}")
    if vector.result == "invalid":
        return Outcome(vector, "accepted", f"must be refused: {vector.error}")
    return _compared(vector, answer)


def said(error: BaseException) -> str:
    """Return the text of somebody else's error, printable whatever it is."""
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text raised {type(second).__name__})"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def names(text: str, field: str) -> bool:
    """Tell whether every word of a field's name is a word of a text."""
    return set(re.findall(r"\w+", field)) <= set(re.findall(r"\w+", text))


def whole_numbers(values: Any) -> Any:
    """Return an array of whole numbers, of Python integers where 64 bits do not hold them.

    Raises:
        TypeError: it has anything else; nothing is rounded, cut or read from a text.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        wide = array.dtype.kind == "u" and bool(array.size) and int(array.max()) > MOST
        return array.astype(object if wide else np.int64)
    if array.dtype.kind == "O":
        other = {type(x).__name__ for x in array.flat if not isinstance(x, WHOLE)}
        if not other:
            return np.array([int(x) for x in array.flat] + [None], object)[:-1].reshape(array.shape)
        raise TypeError(f"values of type {', '.join(sorted(other))}")
    raise TypeError(f"values of type {array.dtype}")


def _compared(vector: Vector, answer: Any) -> Outcome:
    values = wrong = 0
    first: tuple[int, str] | None = None
    for population, variables in vector.expect.items():
        for name, rows in variables.items():
            expected = np.asarray(rows, np.int64)
            try:
                got = whole_numbers(answer[population][name])
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # an answer may be any object at all
                text = f"{population}.{name}: no integers [step][neuron] "
                text += f"({type(error).__name__}: {said(error)})"
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
    def tried(self) -> int:
        """How many vectors were run and not called unsupported."""
        return sum(o.status not in ("unsupported", "too large") for o in self.outcomes)

    @property
    def values(self) -> int:
        """How many values were compared with recorded ones."""
        return sum(o.values for o in self.outcomes)

    @property
    def passed(self) -> bool:
        """True where nothing the engine tried was wrong, and recorded values came out equal."""
        shown = any(o.status == "equal" and o.values for o in self.outcomes)
        return shown and all(o.passed for o in self.outcomes if o.status != "unsupported")

    @property
    def verdict(self) -> str:
        """One line: whether the engine conforms, and on how much."""
        n, tried = len(self.outcomes), self.tried
        flags = {flag for o in self.outcomes if o.passed for flag in o.vector.flags}
        share = f"{tried} of {n} vectors"
        if n:
            share += f", {100 * tried / n:.3g} %"
        if not self.passed:
            wrong = sum(not o.passed and o.status != "unsupported" for o in self.outcomes)
            none = "" if self.values else "; no recorded value was compared"
            return f"{self.engine} DOES NOT CONFORM: {wrong} wrong; tried {share}{none}"
        if tried == n:
            return f"{self.engine} conforms on all {n} vectors ({len(flags)} flags exercised)"
        most = "; MOST VECTORS WERE NOT TRIED" if 2 * tried < n else ""
        return (
            f"{self.engine} conforms on what it supports: {share} "
            f"({len(flags)} flags exercised){most}"
        )

    def counts(self) -> Counter[str]:
        """Return status -> number of vectors."""
        return Counter(o.status for o in self.outcomes)

    def __str__(self) -> str:
        told = ", ".join(f"{n} {status}" for status, n in sorted(self.counts().items()))
        told = f"{len(self.outcomes)} vectors: {told}; {self.values} values compared"
        lines = [f"{self.engine}: {told}", *self._wrong(), *self._unsupported(), self.verdict]
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
        left = [o for o in self.outcomes if o.status == "unsupported"]
        if not left:
            return []
        lines = [f"  unsupported: {len(left)} of {len(self.outcomes)} vectors"]
        for title, counted in (
            ("profile", Counter(o.vector.profile for o in left)),
            ("flag", Counter(flag for o in left for flag in o.vector.flags)),
        ):
            some = ", ".join(f"{name} {n}" for name, n in counted.most_common(SHOWN))
            more = f", and {len(counted) - SHOWN} more" if len(counted) > SHOWN else ""
            lines.append(f"    by {title}: {some}{more}")
        reasons = Counter(" ".join(o.why.split())[:160] for o in left)
        return lines + [f"    {n} vectors: {why}" for why, n in reasons.most_common(5)]


def suspected(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the flags that occur in wrong vectors only: the rules to look at first."""
    tried = [o for o in outcomes if o.status != "unsupported"]
    right = {flag for o in tried if o.passed for flag in o.vector.flags}
    wrong = {flag for o in tried if not o.passed for flag in o.vector.flags}
    return sorted(wrong - right)


def checked(engine: Any) -> tuple[str, int]:
    """Return an engine's name, and how many vectors it takes at once.

    Raises:
        TargetError: it is no engine; names the attribute.
    """
    kind = type(engine).__name__
    try:
        name = getattr(engine, "name", None)
        at_once = getattr(engine, "at_once", 1)
        runs = callable(getattr(engine, "run", None))
    except Exception as error:
        text = f"{type(error).__name__}: {said(error)}"
        raise TargetError(f"{kind}: its attributes raise {text}, allowed: see Engine") from None
    if not isinstance(name, str) or not name.strip():
        raise TargetError(f"{kind}: name = {show(name)}, allowed: a text that is not empty")
    if not runs:
        raise TargetError(f"{kind}: it has no run, allowed: a method `run(vector)`")
    if not isinstance(at_once, int) or isinstance(at_once, bool) or at_once < 1:
        raise TargetError(f"{kind}: at_once = {show(at_once)}, allowed: a whole number >= 1")
    return " ".join(name.split()), at_once


def run_conformance(
    engine: Engine, vectors: Sequence[Vector], progress: Callable[[int, int], None] | None = None
) -> Report:
    """Run vectors on an engine.

    Args:
        engine: see :class:`Engine`.
        vectors: see :func:`load_vectors`.
        progress: called with (vectors done, vectors in all).

    Raises:
        TargetError: the engine is none; whatever it does wrong later is in the report.
    """
    name, at_once = checked(engine)
    outcomes: list[Outcome] = []
    for start in range(0, len(vectors), at_once):
        some = vectors[start : start + at_once]
        large = {v.id: why for v in some if (why := oversized(v))}
        fit = [v for v in some if v.id not in large]
        judged = {v.id: judge(v, a) for v, a in zip(fit, attempt(engine, fit), strict=True)}
        for v in some:
            outcomes.append(judged.get(v.id) or Outcome(v, "too large", f"not run: {large[v.id]}"))
        if progress is not None:
            progress(len(outcomes), len(vectors))
    return Report(name, tuple(outcomes))
