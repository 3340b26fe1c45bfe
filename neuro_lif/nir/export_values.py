"""Numbers of NIR nodes from which a rule computes exactly the recurrences that are wanted.

With ``keep = 1 - dt/tau`` (Euler) or ``exp(-dt/tau)`` a rule multiplies what comes in by
``r (1 - keep)`` and adds ``(1 - keep) v_leak``. The nearest floats to ``1/(1 - keep)`` and the like
can miss by the last bit, so their neighbours are tried, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .fields import Array

Of = Callable[[Array], Array]


def nearby(start: Array, of: Of, wanted: Array) -> Array:
    """Return ``start`` or floats next to it, element by element, where ``of`` gives ``wanted``.

    Where none of them does, ``start`` stays.
    """
    best = np.array(start, np.float64)
    with np.errstate(all="ignore"):
        right = of(best) == wanted
        up = down = best
        for _ in range(3):
            up, down = np.nextafter(up, np.inf), np.nextafter(down, -np.inf)
            for candidate in (up, down):
                found = (of(candidate) == wanted) & ~right
                best = np.where(found, candidate, best)
                right = right | found
    return np.asarray(best)


def factor(lost: Array, wanted: Array) -> Array:
    """Return x with ``x * lost == wanted``, for ``lost`` > 0."""
    return nearby(wanted / lost, lambda x: np.asarray(x * lost), wanted)


def time_constant(tau: Array, keep: Array, dt: float, integrator: str) -> Array:
    """Return time constants of which a step keeps ``keep``.

    Args:
        tau: s, taken where it is right (as described, before anything was rounded).
        keep: in 0..1; below 1, and above 0 where it is an exponential.
        dt: s.
        integrator: ``euler`` or ``exact``.
    """
    given = np.broadcast_to(np.asarray(tau, np.float64), keep.shape)
    usable = np.isfinite(given) & (given > 0)
    given = np.where(usable, given, dt)

    def of(x: Array) -> Array:
        return np.asarray(1.0 - dt / x if integrator == "euler" else np.exp(-dt / x))

    if bool(np.all(of(given) == keep)):
        return np.array(given)
    with np.errstate(all="ignore"):
        new = dt / (1.0 - keep) if integrator == "euler" else -dt / np.log(keep)
    return np.where(of(given) == keep, given, nearby(np.asarray(new), of, keep))


def lost(tau: Array, dt: float, integrator: str) -> Array:
    """Return what a step loses, as a rule computes it."""
    return np.asarray(dt / tau if integrator == "euler" else -np.expm1(-dt / tau))
