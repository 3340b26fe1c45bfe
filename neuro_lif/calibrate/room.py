"""Head-room for what the samples do, instead of for a share of the sources firing on and on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import RangeError
from ..lower.bounds import bounds, highest_scale
from ..lower.draft import Draft
from ..lower.lattice import Room
from ..lower.search import ACTIVITIES
from ..recording import Recording

SAFETY = 4.0
"""So many times as far as on the samples v may go."""
MOST_TRACED = 2**25
"""Values of v, of all populations, samples and steps, that are looked at."""

Span = tuple[float, float]
"""How far v goes below and above its zero, V, both >= 0."""


def check_traced(neurons: int, n_steps: int, samples: int) -> None:
    """Refuse samples whose v would not fit in memory.

    Raises:
        RangeError: says how many there are.
    """
    values = neurons * n_steps * samples
    if values > MOST_TRACED:
        raise RangeError(
            f"headroom = 'samples' looks at v of every neuron, step and sample: {values:,} values, "
            f"allowed: {MOST_TRACED:,}, as with fewer samples or steps"
        )


def spans_of(run: Recording, names: list[str]) -> dict[str, Span]:
    """Return how far v of every population went in a float run; its zero is ``v_zero``."""
    found = {}
    for name in names:
        v = np.asarray(run.traces[name, "v"])
        found[name] = (max(0.0, -float(v.min(initial=0.0))), float(v.max(initial=0.0)))
    return found


def roomier(draft: Draft, rooms: Mapping[str, Room], spans: Mapping[str, Span]) -> dict[str, Room]:
    """Return rooms with one more bound, the boldest, of those populations whose v it may concern.

    Sum and u keep the boldest bound there is otherwise; v may go :data:`SAFETY` times as far as on
    the samples. What v of a spiking population can reach above the threshold is one step's drive,
    and keeps its bound, too.
    """
    out = dict(rooms)
    for name, span in spans.items():
        room, plan = rooms[name], draft.plans[name]
        if np.any(plan.relative != 1) or not room.tops:
            continue
        p, b = draft.stepped.population(name), bounds(room.demand, ACTIVITIES[-1])
        down, up = (SAFETY * max(s, 1e-30) for s in span)
        seen = replace(b, v_down=np.minimum(b.v_down, down),
                       v_up=b.v_up if p.spikes else np.minimum(b.v_up, up))  # fmt: skip
        spikes = bool(np.isfinite(room.demand.threshold).any())
        top = min(room.hard, highest_scale(seen, room.limits, spikes))
        if np.isfinite(top) and top > room.tops[-1][1]:
            out[name] = replace(room, tops=(*room.tops, (ACTIVITIES[-1], top)))
    return out


def with_room(draft: Draft, rooms: Mapping[str, Room]) -> Draft:
    """Return the draft whose plans know how far the samples let their scales go."""
    plans = {n: replace(draft.plans[n], seen=r.tops[-1][1]) for n, r in rooms.items() if r.tops}
    return replace(draft, plans=draft.plans | plans)


def room_notes(
    draft: Draft, rooms: Mapping[str, Room], spans: Mapping[str, Span]
) -> tuple[str, ...]:
    """Return what the ledger says of populations whose scale only the samples bound."""
    out = []
    for name, (down, up) in spans.items():
        tops, scale = rooms[name].tops, draft.plans[name].scale
        usual = [top for _, top in tops[:-1]]
        if scale is not None and usual and scale.lsb_per_volt > max(usual) * (1 + 1e-9):
            out.append(
                f"population {name!r}: v went {down:.4g} V below and {up:.4g} V above its zero on "
                f"the calibration inputs; its register has room for {SAFETY:g} times that, and "
                "overflows where others take it farther"
            )
    return tuple(out)
