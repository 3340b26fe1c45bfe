"""One configuration of a sweep: what an error law predicts beside what the chip's integers did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, RangeError, show
from ..npz import replacing

FORMAT = "neuro-lif-laws/1"

LAWS = {
    "F1": "a decay as coded: share lost, periods, steady state",
    "F2": "rounding the state: mean of v",
    "F3": "rounding the state: spread of v",
    "F4": "rounding weights: mean and variance of the input",
    "F5": "rounding the threshold: periods and rates",
    "rate": "all of them: rates in noise",
}
"""Law -> what it is about."""

Value = str | int | float | bool


@dataclass(frozen=True)
class LawRow:
    """One configuration: predicted beside measured.

    Args:
        law: a name of :data:`LAWS`.
        quantity: what is predicted, in words.
        configuration: what was run: name -> text or number (``tau_steps``, ``profile``,
            ``rounding``, ``threshold_lsb``, ``drive`` ...).
        predicted, measured: in ``unit``.
        unit: ``LSB``, ``steps``, ``Hz``, ``mV``, ``%`` ...
        tolerance: largest distance of the two that the law allows, >= 0, in ``unit``; the standard
            errors it contains included.
        standard_error: of the measured value, in ``unit``; 0 where nothing is random.
        allowed: the tolerance in words (``4 SE``, ``2 % + 4 SE``, ``1 step``).
        beyond: why the law is not said to hold here; empty within its range.
    """

    law: str
    quantity: str
    configuration: Mapping[str, Value]
    predicted: float
    measured: float
    unit: str
    tolerance: float
    standard_error: float = 0.0
    allowed: str = ""
    beyond: str = ""

    def __post_init__(self) -> None:
        if self.law not in LAWS:
            raise RangeError(f"LawRow: law = {show(self.law)}, allowed: {', '.join(LAWS)}")
        for name in ("predicted", "measured", "tolerance", "standard_error"):
            value = float(getattr(self, name))
            if not np.isfinite(value) or (value < 0 and name in ("tolerance", "standard_error")):
                raise RangeError(f"LawRow: {self.law}, {self.quantity}: {name} = {value}, allowed: "
                                 "a finite number, of a tolerance >= 0")  # fmt: skip
            object.__setattr__(self, name, value)
        object.__setattr__(self, "configuration", dict(self.configuration))

    @property
    def deviation(self) -> float:
        """Measured less predicted, in ``unit``."""
        return self.measured - self.predicted

    @property
    def within(self) -> bool:
        """Whether the two are no farther apart than the tolerance (rounding aside)."""
        slack = 1e-12 * max(abs(self.predicted), abs(self.measured))
        return abs(self.deviation) <= self.tolerance + slack

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it, ``deviation`` and ``within`` included."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return found | {"deviation": self.deviation, "within": self.within}

    @staticmethod
    def from_dict(given: Mapping[str, Any]) -> LawRow:
        """Return the row that :meth:`to_dict` described.

        Raises:
            RangeError: it is not one.
        """
        try:
            return LawRow(**{k: v for k, v in given.items() if k in LawRow.__dataclass_fields__})
        except (TypeError, ValueError, AttributeError) as error:
            raise RangeError(f"LawRow.from_dict: {error}, allowed: as to_dict() gives it") from None


@dataclass(frozen=True)
class LawSweep:
    """The rows of a sweep and where they come from.

    Args:
        rows: in the order they were run.
        provenance: versions, seed, seconds, command.
    """

    rows: tuple[LawRow, ...]
    provenance: Mapping[str, Value] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every row within the range of its law is within its tolerance."""
        return not self.failed

    @property
    def failed(self) -> tuple[LawRow, ...]:
        """The rows within the range of their law that are not within its tolerance."""
        return tuple(r for r in self.rows if not r.within and not r.beyond)

    def of(self, law: str) -> tuple[LawRow, ...]:
        """Return the rows of one law."""
        return tuple(r for r in self.rows if r.law == law)

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`save` writes."""
        rows = [r.to_dict() for r in self.rows]
        return {"format": FORMAT, "provenance": dict(self.provenance), "rows": rows}

    def save(self, path: str | Path) -> None:
        """Write to a JSON file; it appears whole or not at all.

        Raises:
            FileFormatError: it cannot be written.
        """
        path = expect_path(path, "LawSweep.save")
        try:
            with replacing(path) as temporary:
                Path(temporary).write_text(json.dumps(self.to_dict(), indent=1) + "\n", "utf-8")
        except OSError as error:
            raise FileFormatError(f"laws {str(path)!r}: cannot be written: {error}") from None

    @staticmethod
    def load(path: str | Path) -> LawSweep:
        """Read a file that :meth:`save` wrote.

        Raises:
            FileFormatError: it is missing, damaged or something else.
        """
        path = expect_path(path, "LawSweep.load")
        try:
            head = json.loads(path.read_text("utf-8"))
            if head["format"] != FORMAT:
                raise ValueError(f"format = {head['format']!r}")
            rows = tuple(LawRow.from_dict(r) for r in head["rows"])
            return LawSweep(rows, dict(head["provenance"]))
        except (OSError, ValueError, KeyError, TypeError, RangeError) as error:
            raise FileFormatError(f"laws {str(path)!r}: {type(error).__name__} {error}, allowed: "
                                  f"format {FORMAT}, as save() writes it") from None  # fmt: skip

    def __str__(self) -> str:
        from .table import table_of

        return table_of(self, LAWS)
