"""Colours of a value: cividis, which people with any kind of colour vision read as one scale."""

from __future__ import annotations

_STOPS = (
    (0, 34, 78), (36, 52, 108), (68, 67, 108), (96, 84, 109), (121, 102, 114), (148, 120, 119),
    (178, 142, 112), (206, 165, 97), (233, 189, 74), (254, 232, 56),
)  # fmt: skip
"""From the smallest to the largest value. Source: Nunez, Anderton, Renslow 2018 (cividis)."""


def colour(share: float) -> tuple[str, str]:
    """Return (background, text on it) of a value, 0 the smallest and 1 the largest.

    The text is black or white, whichever stands out more: at least 4.5 to 1 on any background.
    """
    x = min(max(share, 0.0), 1.0) * (len(_STOPS) - 1)
    k = min(int(x), len(_STOPS) - 2)
    rgb = [round(a + (x - k) * (b - a)) for a, b in zip(_STOPS[k], _STOPS[k + 1], strict=True)]
    back = "#" + "".join(f"{c:02x}" for c in rgb)
    light = luminance(back)
    return back, "#000000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#ffffff"


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, 0..1.

    Source: WCAG 2.2, relative luminance.
    """
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1..21.

    Source: WCAG 2.2, contrast ratio.
    """
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
