"""How far the registers of nengo-loihi's compartments go, on the integers.

A decay never makes a magnitude larger, and rounds toward zero; so what arrives at most in one step,
divided by the share lost per step, bounds what a register can hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import FloatArray, entries, post_of_entries
from ..discretize import SteppedPopulation
from ..fixed import FixedNetwork
from ..ledger import Headroom
from ..lower.bounds import LEAST_LEAK
from ..lower.draft import Draft
from .nengo_numbers import Q_BITS, U_BITS
from .parts import is_open


def headroom_rows(draft: Draft, p: SteppedPopulation) -> tuple[Headroom, ...]:
    """Return how far the registers go if every source fires in every step.

    A bound further down the list holds as long as those above it stay inside their range.
    """
    fixed = draft.fixed
    if fixed is None or is_open(fixed, p):
        return ()
    params, v = fixed.params(p.name), fixed.initial(p.name)["v"]
    up, down = arriving(fixed, p.name, draft.most)
    loss_u, leak = (params["du"] + 1) / 4096.0, params["dv"] / 4096.0
    bias = params["bias"]
    u_up, u_down = up / loss_u, down / loss_u
    d_up, d_down = np.maximum(u_up + bias, 0), np.maximum(u_down - bias, 0)
    settling = np.where(leak > 0, leak, LEAST_LEAK)
    # before the reset v is at most one drive above the threshold, or above where it started
    top = np.maximum(params["vth"], v) + d_up
    resting = np.maximum(d_up / settling, v)
    high = np.minimum(top, resting) if p.spikes else resting
    low = np.maximum(d_down / settling, -v)
    reached = {
        "sum": (_most(up, down), 2.0**Q_BITS - 1, True),
        "u": (_most(u_up, u_down), 2.0**U_BITS - 1, True),
        "d": (_most(d_up, d_down), 2.0**U_BITS - 1, True),
        "v": (
            _most(high, low),
            float(min(params["vmax"].min(), -params["vmin"].max())),
            bool(np.all((leak > 0) | (d_down == 0))),
        ),
    }
    rows, sound = [], True
    for register, (bound, limit, proved) in reached.items():
        sound = sound and proved
        rows.append(Headroom(f"population {p.name!r}", register, bound, limit, sound, 1.0))
        sound = sound and bound <= limit
    return tuple(rows)


def arriving(
    fixed: FixedNetwork, name: str, most: Mapping[str, int]
) -> tuple[FloatArray, FloatArray]:
    """Return the most that one step can add to the input of each neuron, up and down ``(n,)``."""
    n = fixed.population(name).size
    up, down = np.zeros(n), np.zeros(n)
    for q in fixed.projections:
        if q.post == name:
            values = np.asarray(entries(q.weights), np.int64) * most.get(q.pre, 1)
            post = post_of_entries(q.weights)
            up += np.bincount(post, np.maximum(values, 0), minlength=n)
            down += np.bincount(post, np.maximum(-values, 0), minlength=n)
    for direct in fixed.directs:
        if direct.population == name and direct.span is not None:
            up += direct.span[1]
            down -= direct.span[0]
    return up, down


def _most(up: FloatArray, down: FloatArray) -> float:
    return float(np.ceil(max(up.max(), down.max())))
