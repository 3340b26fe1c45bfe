"""Rates as the theory has them beside the measured ones, population by population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..predict import Beside
from .numbers import NARROW, number, signed

HEAD = ("population", "float, predicted, Hz", "float, measured, Hz", "chip, predicted, Hz",
        "chip, measured, Hz", "change, predicted", "change, measured")  # fmt: skip


@dataclass(frozen=True)
class PredictionPart:
    """The table of rates, (population, why there is no prediction), and all of it as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[tuple[str, str], ...]
    text: str


def prediction_part(prediction: Any) -> PredictionPart | None:
    """Return what the page shows of predictions: of a :class:`Beside`, or any text."""
    if prediction is None:
        return None
    if not isinstance(prediction, Beside):
        return PredictionPart((), (), (), str(prediction))
    return PredictionPart(
        HEAD, tuple(_row(prediction, name) for name in prediction.meant),
        tuple(prediction.notes.items()), str(prediction),
    )  # fmt: skip


def _row(found: Beside, name: str) -> tuple[str, ...]:
    measured = float(found.meant[name].mean()), float(found.coded[name].mean())
    rate = found.errors[name].rate if name in found.errors else None
    predicted = (
        (None, None) if rate is None else (float(rate.meant.mean()), float(rate.coded.mean()))
    )
    return (
        name, number(predicted[0]), number(measured[0]), number(predicted[1]), number(measured[1]),
        _change(*predicted), _change(*measured),
    )  # fmt: skip


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or not before > 0:
        return "\u2013"
    return signed(100 * (after / before - 1), decimals=2) + NARROW + "%"
