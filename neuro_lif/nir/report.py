"""What was mended, assumed or found as a file was read: nothing is changed without a line here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import NetworkError
from .fields import Array, Shape


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Args:
        kind: ``repair`` (the file is wrong), ``assumption`` (the file does not say), ``note``.
        where: the node, with the graphs it lies in: ``a/b``; empty: the file.
        field: its field; empty: none in particular.
        text: what was found and what was made of it.
    """

    kind: str
    where: str
    field: str
    text: str

    def __str__(self) -> str:
        place = f"node {self.where!r}" if self.where else "graph"
        return f"{self.kind}: {place}{f': {self.field}' if self.field else ''}: {self.text}"


@dataclass(frozen=True)
class Report:
    """All findings of one file, in the order in which they were made."""

    path: str
    version: str
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        head = f"{self.path}, NIR {self.version or 'without a version'}"
        if not self.findings:
            return f"{head}: nothing to mend"
        return "\n  ".join([f"{head}: {len(self.findings)} findings", *map(str, self.findings)])

    @property
    def repairs(self) -> tuple[Finding, ...]:
        """What was wrong in the file."""
        return tuple(f for f in self.findings if f.kind == "repair")

    @property
    def assumptions(self) -> tuple[Finding, ...]:
        """What the file does not say."""
        return tuple(f for f in self.findings if f.kind == "assumption")


@dataclass
class Findings:
    """Collects findings.

    Args:
        found: so far.
        room: bytes of arrays that may still be made, so that a short file cannot fill the memory
            with one value for a layer of a billion neurons.
    """

    found: list[Finding] = field(default_factory=list)
    room: int = 2**40

    def full(self, shape: Shape, value: Any, dtype: Any) -> Array:
        """Return an array of one value.

        Raises:
            NetworkError: it needs more bytes than there may be.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        self.room -= size
        if self.room < 0:
            raise NetworkError(
                f"one value for a layer of shape {shape} is {size} bytes, "
                "more than may be read (max_bytes= allows more)"
            )
        made = np.full(shape, value, dtype)
        made.setflags(write=False)
        return made

    def repair(self, where: str, name: str, text: str) -> None:
        """Note that the file was wrong."""
        self.found.append(Finding("repair", where, name, text))

    def assume(self, where: str, name: str, text: str) -> None:
        """Note that the file does not say."""
        self.found.append(Finding("assumption", where, name, text))

    def note(self, where: str, name: str, text: str) -> None:
        """Note something worth knowing."""
        self.found.append(Finding("note", where, name, text))
