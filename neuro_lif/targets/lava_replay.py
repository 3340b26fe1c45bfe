"""The same run in the emulator: it counts what Lava cannot tell, and is held against Lava's run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..emulator import run_fixed
from ..errors import TargetError
from ..fixed import FixedNetwork
from ..numerics import walk
from ..recording import Recording
from .lava_choice import INT32, fits32

Payloads = dict[str, int]
"""Population or input -> the largest magnitude it sends."""


def replay(
    fixed: FixedNetwork, n_steps: int, given: dict[str, Any], record: str = "probes",
    strict: bool = False,
) -> Recording:  # fmt: skip
    """Run the emulator on what Lava is going to get.

    Raises:
        RangeError: ``strict``, and something overflowed.
        TargetError: a population sends more than Lava's ports carry.
    """
    recording = run_fixed(fixed, n_steps, given or None, record, strict=strict)
    for name, sent in recording.spikes.items():
        if not fits32(sent):
            wide = (sent < INT32[0]) | (sent > INT32[1])
            step = int(np.argwhere(wide)[0][-2]) + 1
            raise TargetError(
                f"Lava cannot run this network: population {name!r} sends {sent[wide][0]} in step "
                f"{step}, allowed: {INT32[0]}..{INT32[1]} (Lava's ports carry 32 bits)"
            )
    return recording


def largest(rows: dict[str, Any]) -> Payloads:
    """Return the largest magnitude of every input."""
    return {name: int(np.abs(values).max(initial=0)) for name, values in rows.items()}


def payloads_sent(fixed: FixedNetwork, run: Callable[[], Recording]) -> Payloads:
    """Return the largest magnitude every graded population sends in a run.

    Args:
        fixed: the network.
        run: gives the run; not called where nothing is graded.
    """
    graded = [p.name for p in fixed.populations
              if any(op["op"] == "emit" for op in walk(fixed.profile.ops(p.model)))]  # fmt: skip
    if not graded:
        return {}
    spikes = run().spikes
    return {name: int(np.abs(spikes[name]).max(initial=0)) for name in graded}


def first_difference(expected: Recording, found: Recording) -> str:
    """Return where two runs differ first, in spikes or in a trace both have; or an empty text."""
    pairs = [(f"{name}.spikes", a, found.spikes[name]) for name, a in expected.spikes.items()]
    pairs += [(f"{p}.{v}", expected.traces[p, v], a) for (p, v), a in found.traces.items()]
    first: tuple[int, str] | None = None
    for name, a, b in pairs:
        where = np.argwhere(np.asarray(a) != np.asarray(b))
        if where.size:
            at = where[np.argmin(where[:, -2])]
            step, neuron = int(at[-2]) + 1, int(at[-1])
            text = f"{name}, step {step}, neuron {neuron}: {a[tuple(at)]} and {b[tuple(at)]}"
            first = min(first or (step, text), (step, text))
    return "" if first is None else first[1]
