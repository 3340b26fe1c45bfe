"""What a certificate says: how far every value can go, and whether anything can overflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..arrays import IntArray
from ..errors import RangeError
from ..recording import OverflowEvent
from .spans import FAR
from .trial import Witness

Verdict = Literal["safe", "overflows", "undecided"]


@dataclass(frozen=True, eq=False)
class Place:
    """One place where a value is watched, and how far it can go there.

    Args:
        where: population or projection.
        register: what is watched (``u``, ``v``, ``sum``, ``payload`` ...).
        kind: what would be counted: ``wrap``, ``sat``, ``clamp``, ``cap`` ...
        operation: place in the model's operations; -1 outside neurons.
        low, high: ``(n,)`` lowest and highest value that may come, before the rule acts.
        limits: ``(2, n)`` what the rule lets through unchanged.
    """

    where: str
    register: str
    kind: str
    operation: int
    low: IntArray
    high: IntArray
    limits: IntArray

    @property
    def open(self) -> Any:
        """Which neurons may overflow here, as far as the proof goes ``(n,)``."""
        return (self.low < self.limits[0]) | (self.high > self.limits[1])

    @property
    def holds(self) -> bool:
        """Whether nothing overflows here, proved."""
        return not bool(self.open.any())

    @property
    def share(self) -> Any:
        """Used share of the nearer side of the range ``(n,)``; above 1 it may overflow."""
        up = np.maximum(self.high, 0) / np.maximum(self.limits[1], 1)
        down = np.maximum(-self.low, 0) / np.maximum(-self.limits[0], 1)
        return np.maximum(np.maximum(up, down), np.where(self.open, 1.001, 0.0))

    @property
    def neuron(self) -> int:
        """The neuron that comes closest to its limits, or goes furthest beyond them."""
        return int(np.argmax(self.share))

    def row(self) -> tuple[str, ...]:
        """Return the columns of a table, of the neuron that goes furthest."""
        i = self.neuron
        return (
            f"{self.where}.{self.register}", self.kind,
            "-" if self.operation < 0 else str(self.operation), str(i),
            f"{_end(self.low[i])}..{_end(self.high[i])}",
            f"{_end(self.limits[0, i])}..{_end(self.limits[1, i])}",
            "no overflow" if self.holds else "open",
        )  # fmt: skip


def _end(value: Any) -> str:
    value = int(value)
    return ("-" if value < 0 else "") + "no limit" if abs(value) >= FAR else str(value)


HEAD = ("place", "kind", "operation", "neuron", "can reach", "limits", "verdict")


@dataclass(frozen=True, eq=False)
class Certificate:
    """Whether a network can overflow, and why we know.

    ``safe``: ``run_fixed(..., strict=True)`` raises for no input that keeps to the assumptions.
    ``overflows``: ``witness`` holds inputs that do it. ``undecided``: neither was found;
    ``missing`` says what is.

    Args:
        verdict: as told.
        method: how we know.
        n_steps: for how many steps; None: any number.
        assumptions: what is assumed of the inputs.
        places: every place that is watched.
        registers: (population, register) -> lowest and highest content at the end of a step
            ``(2, n)``; ends of ``FAR`` (2**60) mean that no limit was found.
        witness: inputs that make it overflow.
        stored: what was lost as it was stored, before the first step.
        proved_steps: steps from the start for which nothing overflows, proved; None: not asked.
        missing: what an undecided one lacks.
        notes: other things to know.
    """

    verdict: Verdict
    method: str
    n_steps: int | None
    assumptions: tuple[str, ...]
    places: tuple[Place, ...]
    registers: Mapping[tuple[str, str], IntArray]
    witness: Witness | None = None
    stored: tuple[OverflowEvent, ...] = ()
    proved_steps: int | None = None
    missing: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def safe(self) -> bool:
        """Whether nothing can overflow."""
        return self.verdict == "safe"

    def reach(self, population: str, register: str) -> tuple[IntArray, IntArray]:
        """Return the lowest and highest content of a register at the end of a step, ``(n,)``.

        Raises:
            RangeError: there is no such population or register.
        """
        if (population, register) not in self.registers:
            known = ", ".join(f"{p}.{r}" for p, r in sorted(self.registers))
            raise RangeError(f"register {population}.{register} is unknown, allowed: {known}")
        low, high = self.registers[population, register]
        return low, high

    def __str__(self) -> str:
        steps = "any number of steps" if self.n_steps is None else f"{self.n_steps} steps"
        lines = [f"{self.verdict.upper()} for {steps}: {self.method}"]
        lines += [f"  assumed of {text}" for text in self.assumptions]
        if self.witness is not None:
            lines += ["  " + line for line in str(self.witness).splitlines()]
        if self.missing:
            lines.append(f"  missing: {self.missing}")
        if self.proved_steps and not self.safe:
            lines.append(f"  no overflow in the first {self.proved_steps} steps: proved")
        lines += [f"  {note}" for note in self.notes]
        ranked = sorted(self.places, key=lambda p: -float(p.share.max(initial=0.0)))
        return "\n".join(lines + _table([HEAD, *(p.row() for p in ranked)]))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows]  # fmt: skip
