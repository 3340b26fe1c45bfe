"""Texts such as ``"20 ms"`` as SI numbers; a wrong dimension is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from .errors import RangeError, show

# the micro sign, then the Greek letter that looks like it
PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "\u00b5": -6, "\u03bc": -6, "m": -3, "": 0,
            "k": 3, "M": 6, "G": 9}  # fmt: skip


@dataclass(frozen=True)
class Dimension:
    """A physical quantity.

    Args:
        what: its name in messages.
        unit: its SI unit.
        example: a text that is allowed.
        spellings: other ways to write the unit.
    """

    what: str
    unit: str
    example: str
    spellings: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What a field of this dimension may hold."""
        return f'a {self.what}: a number in {self.unit}, or a text such as "{self.example}"'


TIME = Dimension("time", "s", "20 ms")
VOLTAGE = Dimension("voltage", "V", "15 mV")
CURRENT = Dimension("current", "A", "0.5 nA")
RESISTANCE = Dimension("resistance", "ohm", "100 MOhm", ("Ohm", "\u03a9", "\u2126"))
CAPACITANCE = Dimension("capacitance", "F", "250 pF")
CONDUCTANCE = Dimension("conductance", "S", "10 nS")
CHARGE = Dimension("charge", "C", "2 pC")
ANGLE = Dimension("angle", "rad", "1.5 rad")
FREQUENCY = RATE = Dimension("frequency", "Hz", "40 Hz")
DIMENSIONS = (TIME, VOLTAGE, CURRENT, RESISTANCE, CAPACITANCE, CONDUCTANCE, CHARGE, ANGLE, RATE)

_UNITS = {
    prefix + unit: (dimension, power)
    for dimension in DIMENSIONS
    for unit in (dimension.unit, *dimension.spellings)
    for prefix, power in PREFIXES.items()
}
_TEXT = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(\S+)\s*")


def si_value(text: str, dimension: Dimension) -> float | None:
    """Return ``text`` as a number in SI units, or None where it is none of ``dimension``.

    The decimal digits are moved, not multiplied: ``"20 ms"`` is exactly the float ``0.02``.

    >>> si_value("20 ms", TIME), si_value("20 mV", TIME)
    (0.02, None)
    """
    match = _TEXT.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        return None
    found, power = _UNITS[match[2]]
    return float(Decimal(match[1]).scaleb(power)) if found is dimension else None


def quantity(text: str, dimension: Dimension | None = None) -> float:
    """Return a text with a unit as a number in SI units.

    Args:
        text: a number and a unit, such as ``"5 kOhm"``, ``"1.5 nA"``, ``"250 pF"``, ``"-65 mV"``;
            prefixes f, p, n, u (or the micro sign), m, k, M, G.
        dimension: what it has to be, such as :data:`VOLTAGE`; None: any that is known.

    Raises:
        RangeError: no number, an unknown unit (named), or one of another dimension.

    >>> quantity("5 kOhm"), quantity("-65 mV", VOLTAGE)
    (5000.0, -0.065)
    """
    given: object = text
    match = _TEXT.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise RangeError(f"quantity = {show(given)}, allowed: a number and a unit, as in '5 kOhm'")
    if match[2] not in _UNITS:
        units = ", ".join(d.unit for d in DIMENSIONS)
        raise RangeError(
            f"quantity = {show(given)}: unit {match[2]!r} is unknown, allowed: {units}, each with "
            "a prefix f, p, n, u, m, k, M or G or none"
        )
    found, power = _UNITS[match[2]]
    if dimension is not None and found is not dimension:
        raise RangeError(
            f"quantity = {show(given)} is a {found.what}, allowed: {dimension.allowed}"
        )
    return float(Decimal(match[1]).scaleb(power))
