"""How the page writes numbers: few digits, a true minus, SI prefixes, thousands apart."""

from __future__ import annotations

import math
from typing import Any

MINUS, NARROW = "\u2212", "\u202f"
PREFIXES = {-12: "p", -9: "n", -6: "\u00b5", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_RAISED = str.maketrans(
    "0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b"
)


def number(value: Any, digits: int = 4) -> str:
    """Return a number as people write it: ``12,345``, ``0.0321``, ``1.2 \u00d7 10\u207b\u2077``.

    Args:
        value: a number; None and NaN become a dash.
        digits: significant ones; a whole number keeps all of its own.
    """
    if value is None:
        return "\u2013"
    x = float(value)
    if math.isnan(x):
        return "\u2013"
    if math.isinf(x):
        return "\u221e" if x > 0 else MINUS + "\u221e"
    sign, size = (MINUS if x < 0 else ""), abs(x)
    if size == 0 or (size < 1e15 and size == int(size)):
        return f"{sign}{int(size):,}"
    exponent = math.floor(math.log10(float(f"{size:.{digits - 1}e}")))
    if exponent < -4 or exponent > 14:
        mantissa = _trimmed(f"{size / 10.0**exponent:.{max(digits - 2, 1)}f}")
        return f"{sign}{mantissa} \u00d7 10{str(exponent).translate(_RAISED)}"
    return sign + _trimmed(f"{size:,.{max(digits - 1 - exponent, 0)}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value: Any, digits: int = 3, decimals: int | None = None) -> str:
    """Return a number with its sign, ``+0.4``; 0 has none.

    Args:
        value: a number; None and NaN become a dash.
        digits: significant ones.
        decimals: so many after the point instead.
    """
    if decimals is not None and value is not None and abs(float(value)) >= 0.5 * 10.0**-decimals:
        sign = MINUS if value < 0 else "+"
        return f"{sign}{abs(float(value)):,.{decimals}f}"
    text = number(value, digits)
    return text if value is None or not float(value) > 0 else "+" + text


def percent(share: Any, decimals: int = 1) -> str:
    """Return a share of 1 as a percentage; 99.99 % is never rounded up to 100 %."""
    if share is None or math.isnan(float(share)):
        return "\u2013"
    value = 100.0 * float(share)
    if value == 0:
        return f"0{NARROW}%"
    text = f"{value:.{decimals}f}"
    if float(text) == 100.0 and value < 100.0:
        text = f"{math.floor(value * 10**decimals) / 10**decimals:.{decimals}f}"
    if float(text) == 0.0 and value > 0.0:
        return f"< {10.0**-decimals:.{decimals}f}{NARROW}%"
    return text.replace("-", MINUS) + NARROW + "%"


def prefix_of(size: float, low: int = -12) -> tuple[float, str]:
    """Return (factor, prefix) that give ``size`` 1 to 3 digits before the point."""
    if not math.isfinite(size) or size <= 0:
        return 1.0, ""
    exponent = 3 * math.floor(math.log10(size * (1 + 1e-9)) / 3)
    exponent = min(max(exponent, low), 9)
    return 10.0**-exponent, PREFIXES[exponent]


def si(value: Any, unit: str, digits: int = 4) -> str:
    """Return a quantity with the prefix that suits it, ``15 mV``."""
    if value is None or math.isnan(float(value)):
        return "\u2013"
    factor, prefix = prefix_of(abs(float(value)))
    return f"{number(float(value) * factor, digits)}{NARROW}{prefix}{unit}"


def count(n: int, one: str, many: str = "") -> str:
    """Return ``1 neuron``, ``2 neurons``."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"
