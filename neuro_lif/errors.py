"""Every error neuro_lif raises on purpose, and one way to word them.

A fault names where it is, the field, the value found and what is allowed, so a user can mend it
without reading our source. Several faults of one object travel in one error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


class NeuroLifError(Exception):
    """Base class: catch this to catch everything neuro_lif raises on purpose."""


class NetworkError(NeuroLifError, ValueError):
    """A network description is not valid."""


class ProfileError(NeuroLifError, ValueError):
    """A hardware profile is missing, unreadable or not valid."""


class RangeError(NeuroLifError, ValueError):
    """A number does not fit what the chip (or the argument) allows."""


class LoweringError(NeuroLifError, ValueError):
    """The profile cannot express what the network asks for."""


class TargetError(NeuroLifError, RuntimeError):
    """A target (Lava, Nengo) is not available here, or failed while running."""


class FileFormatError(NeuroLifError, ValueError):
    """A file is missing, damaged or holds a field we do not know."""


class StudyError(NeuroLifError, RuntimeError):
    """A study cannot be run or resumed."""


class ConvergenceError(NeuroLifError, RuntimeError):
    """An iteration did not reach a solution."""


def show(value: object, limit: int = 60) -> str:
    """Return ``repr(value)`` on one line, cut to ``limit`` characters.

    A number of numpy's is shown as a number, as numpy 1 did.
    """
    if isinstance(value, np.generic):
        value = value.item()
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


@dataclass
class Faults:
    """Collects faults so that a user sees all of them at once.

    >>> faults = Faults()
    >>> faults.add("population 'a'", "tau_m", -1.0, "a time constant > 0 s")
    >>> faults.lines
    ["population 'a': tau_m = -1.0, allowed: a time constant > 0 s"]
    """

    lines: list[str] = field(default_factory=list)

    def add(self, where: str, name: str, value: object, allowed: str, mend: str = "") -> None:
        """Note that field ``name`` of ``where`` holds ``value`` and only ``allowed`` is allowed."""
        line = f"{where}: {name} = {show(value)}, allowed: {allowed}"
        self.lines.append(line + (f" ({mend})" if mend else ""))

    def raise_if_any(self, kind: type[NeuroLifError], title: str = "") -> None:
        """Raise one ``kind`` that lists every fault; do nothing where there is none."""
        if not self.lines:
            return
        head = f"{title}\n  " if title else ""
        raise kind(head + "\n  ".join(self.lines))
