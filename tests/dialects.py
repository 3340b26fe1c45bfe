"""Asks one question of many dialects: the same cell and the same synapses, each by its own names.

What differs from profile to profile stands in a table, as data; the numbers that come back are
those of both engines, which must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from conftest import VECTORS
from loihi_vectors import Vector, load_vectors

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    load_profile,
    run_fixed,
    run_semantics,
)
from neuro_lif.codings.nengo_synapses import discretize_weights

LAVA, NENGO, BRIAN2 = "lava-0.10", "nengo-loihi-1.1", "brian2-loihi-0.5"
PEERS = (LAVA, NENGO, BRIAN2)
CHIPS = ("loihi1", "loihi2")


@dataclass(frozen=True)
class Dialect:
    """How a profile says what all profiles mean.

    Args:
        u_offset: what it adds to the code of u's decay.
        raw: 6 where weights and thresholds are final numbers, 0 where they are mantissas (<< 6).
        refract: its parameter of the refractory period, if it has one.
        model: its LIF that has everything asked here.
    """

    u_offset: int = 1
    raw: int = 0
    refract: str | None = "refract"
    model: str = "lif"


DIALECTS = {
    LAVA: Dialect(refract=None),
    NENGO: Dialect(raw=6),
    BRIAN2: Dialect(u_offset=0),
    "loihi1": Dialect(),
    "loihi2": Dialect(model="lif_refractory"),
}


@dataclass(frozen=True)
class Trace:
    """What came back, ``[step]`` of the one neuron or ``[step][neuron]`` of several."""

    u: Any
    v: Any
    s: Any


def cell(
    name: str, size: int = 1, *, keep_u: int = 0, keep_v: int = 4096, threshold: int = 131071 << 6,
    model: str | None = None, **params: Any,
) -> FixedPopulation:  # fmt: skip
    """Return a population of LIFs.

    Args:
        name: of the profile.
        size: neurons.
        keep_u, keep_v: what stays of u and v from step to step, in 1/4096.
        threshold: in LSB of v.
        model: absent: ``lif``.
        **params: the profile's own parameters; ``u`` and ``v`` are starts.
    """
    d = DIALECTS[name]
    start = {k: params.pop(k) for k in ("u", "v") if k in params}
    own = {"du": 4096 - d.u_offset - keep_u, "dv": 4096 - keep_v,
           "vth": threshold if d.raw else threshold >> 6}  # fmt: skip
    return FixedPopulation("n", size, model or "lif", own | params, start)


def ask(
    name: str, cells: FixedPopulation | None = None, drive: Sequence[Any] | None = None,
    projections: Sequence[FixedProjection] = (), spikes: Sequence[Any] | None = None,
    n_steps: int | None = None, seed: int = 0, enforce: bool = False, **of_cell: Any,
) -> Trace:  # fmt: skip
    """Run one population and return its u, v and what it sent, by both engines.

    Args:
        name: of the profile.
        cells: the population; absent: :func:`cell` with ``of_cell``.
        drive: what arrives in each step, in mantissas (64 LSB each), without synapses.
        projections: synapses from ``x`` or ``n`` to ``n`` (see :func:`synapses`).
        spikes: the raster of ``x``.
        n_steps: absent: as long as what is given.
        seed, enforce: of the network.
    """
    cells = cell(name, **of_cell) if cells is None else cells
    directs, sources = [], []
    if drive is not None:
        rows = np.array(drive, np.int64).reshape(len(drive), cells.size)
        directs.append(DirectInput("d", "n", rows << DIALECTS[name].raw))
    if spikes is not None:
        raster = np.array(spikes, np.int64).reshape(len(spikes), -1)
        sources.append(FixedSource("x", raster.shape[1], raster))
    n_steps = n_steps or len(drive if drive is not None else spikes or ())
    fixed = FixedNetwork(load_profile(name), (cells,), tuple(projections), tuple(sources),
                         tuple(directs), enforce_ranges=enforce, seed=seed)  # fmt: skip
    fast = run_fixed(fixed, n_steps, record="registers")
    slow = run_semantics(fixed, n_steps, record="registers")
    for key, trace in slow.traces.items():
        assert np.array_equal(trace, fast.traces[key]), key
    assert np.array_equal(slow.spikes["n"], fast.spikes["n"]) and slow.events == fast.events
    found = [fast.trace("n", "u"), fast.trace("n", "v"), fast.spikes["n"]]
    return Trace(*((a[:, 0] if cells.size == 1 else a).tolist() for a in found))


def synapses(
    name: str, weights: Any, exponent: int = 0, pre: str = "x", **rest: Any
) -> tuple[FixedProjection, ...]:
    """Return a projection with mantissas coded as the profile's peer codes them.

    A profile of final numbers gets those its peer's builder makes of the mantissas.
    """
    values: Any = np.array(weights)
    if DIALECTS[name].raw:
        values = discretize_weights(values.astype(float), exponent)
        exponent = 0
    return (FixedProjection("c", pre, "n", values, exponent, **rest),)


@cache
def recorded(which: str) -> Vector:
    """Return an entry of the recorded file by its id."""
    return next(v for v in load_vectors(VECTORS[0], None) if v["id"] == which)


def trace_of(which: str, variable: str, population: str = "n") -> Any:
    """Return a recorded variable as ``[step]`` of the one neuron, or ``[step][neuron]``."""
    rows = np.array(recorded(which)["expected"][population][variable])
    return (rows[0] if len(rows) == 1 else rows.T).tolist()
