"""Compare a recorded case with what neuro_lif gives for its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neuro_lif import nir
from neuro_lif.errors import NeuroLifError

FLOAT32 = 4e-6
"""Largest difference of states, relative to the largest state: some roundings of float32."""


def compared(path: Path) -> list[str]:
    """Return what differs, as lines; ``path`` is the case's .json."""
    said = json.loads(path.read_text())
    try:
        graph = nir.read(path.with_suffix(".nir")).graph
        rule = nir.find_rule(said["rule"], **said["changes"])
        with np.load(path.with_suffix(".npz")) as peer:
            traces = dict(peer)
        for key in [k for k in traces if k.startswith("weights:")]:
            graph = nir.with_recurrence(graph, key.partition(":")[2], traces.pop(key))
        ran = nir.run(graph, traces.pop("input"), rule, dt=said["dt"])
        return differences(ran, traces)
    except NeuroLifError as error:
        return [f"{type(error).__name__}: {error}"]


def highest(ran: nir.NirRun, node: str) -> float:
    """Return how many thresholds a voltage held before several spikes were taken off it."""
    spikes = ran.spikes.get(node)
    return 0.0 if spikes is None or ran.rule.amplitude != "one" else float(2 * spikes.max())


def differences(ran: nir.NirRun, traces: dict[str, Any]) -> list[str]:
    """Return how a run differs from recorded traces, as lines; the first difference is named."""
    found = []
    if not any(k.startswith("spikes") and v.sum() > 0 for k, v in traces.items()):
        found += ["no spikes"] if any(k.startswith("spikes") for k in traces) else []
    for key, theirs in traces.items():
        kind, _, node = key.partition(":")
        mine = getattr(ran, kind)
        if node not in mine:
            found.append(f"{key}: there is {sorted(mine)}")
            continue
        ours, theirs = mine[node].astype(np.float64), theirs.astype(np.float64)
        if ours.shape != theirs.shape:
            found.append(f"{key}: shape {ours.shape} against {theirs.shape}")
        elif kind == "spikes":
            wrong = np.argwhere(ours != theirs)
            if len(wrong):
                at = tuple(wrong[0])
                found.append(
                    f"{key}: {len(wrong)} of {ours.size} differ, first at {tuple(map(int, at))}: "
                    f"{ours[at]:g} against {theirs[at]:g}"
                )
        else:
            apart = np.abs(ours - theirs)
            limit = FLOAT32 * max(1.0, np.abs(theirs).max(), highest(ran, node))
            if not apart.max() <= limit:
                at = np.unravel_index(apart.argmax(), apart.shape)
                step = int(np.argwhere(apart > limit)[0][0])
                found.append(
                    f"{key}: {apart.max():g} apart at {tuple(map(int, at))}, "
                    f"limit {limit:g}, first in step {step}"
                )
    return found
