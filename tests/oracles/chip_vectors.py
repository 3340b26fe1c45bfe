"""Vectors out of the recordings of chips' simulators and RTL.

Run with ``python -m oracles.chip_vectors OUT.json`` from the folder ``tests``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chips import Case, Section, cases_of, load_sections

from neuro_lif.conformance.networks import table_of

FOLDER = Path(__file__).resolve().parents[1] / "data" / "chips"
AT_ONCE = 50
"""Rows of one vector, where a recording is a list of single transitions."""

PEERS = {
    "xylo": ("xylosim", "0.1.3"),
    "catalyst_n1": ("Catalyst N1 RTL", "fbfd2e5, iverilog 11"),
    "dynapcnn": ("sinabs", "3.1.3"),
    "odin": ("ODIN RTL", "1781931, iverilog 11"),
    "tinyodin": ("tinyODIN RTL", "iverilog 11"),
    "reckon": ("ReckOn RTL datapath", "5e5c0be"),
    "ranc": ("RANC", "08ae4bd"),
}
FLAGS = {
    "xylo": ("shift_decay", "event_saturation", "multi_spike"),
    "catalyst_n1": ("floor_then_away_decay", "old_u", "model_by_parameters"),
    "dynapcnn": ("multi_spike", "lower_bound", "convolution_torch"),
    "odin": ("event_serial", "unsigned_saturation", "linear_leak"),
    "tinyodin": ("event_serial", "linear_leak_to_zero"),
    "reckon": ("compare_before_leak", "event_saturation"),
    "ranc": ("negative_threshold", "linear_reset"),
}
NAMED = {
    "alias": "alias", "cap": "event_cap", "recurrent": "recurrent_latency", "bias": "bias",
    "threshold": "threshold_inclusive", "two_synapses": "two_synapses", "saturate": "shift_wraps",
}  # fmt: skip
"""What the name of a case tells of the rules it is about."""
RULES = {
    "xylo": "decay by shift, at least 1; events saturate one by one; several spikes a step",
    "catalyst_n1": "decay rounds down and then once more away from zero; u acts a step later",
    "dynapcnn": "v // threshold spikes a step, lower bound after the reset",
    "odin": "threshold after every event; 8 bits without sign, saturating",
    "tinyodin": "threshold after every event; leak toward zero",
    "reckon": "compares before the leak; (u * alpha) >> 15",
    "ranc": "integrate, leak, threshold; negative threshold; reset to a value or by subtraction",
}


def pieces(section: Section) -> Iterator[Section]:
    """Yield a section in parts of at most AT_ONCE rows, where it is a list of rows."""
    if section.kind not in ("odin", "tinyodin"):
        yield section
        return
    for start in range(0, len(section.data), AT_ONCE):
        some = section.data[start : start + AT_ONCE]
        yield Section(section.kind, section.profile, some)


def vector(case: Case, section: Section, number: int) -> dict[str, Any]:
    """Return one case as a vector."""
    peer, version = PEERS[section.kind]
    flags = [*FLAGS[section.kind], *(f for word, f in NAMED.items() if word in case.id)]
    expect: dict[str, dict[str, Any]] = {}
    for e in case.expected:
        expect.setdefault(e.population, {})[e.variable] = e.values.tolist()
    config = {k: v.value for k, v in case.fixed.profile.config.items()}
    return {
        "id": f"{section.profile}.{case.id.replace(' ', '_').replace(',', '')}.{number:04}",
        "flags": sorted(set(flags)), "peer": peer, "peer_version": version,
        "profile": section.profile, "config": config, "result": "valid",
        "rule": RULES[section.kind], "network": table_of(case.fixed, case.inputs),
        "n_steps": case.n_steps, "expect": expect,
    }  # fmt: skip


def vectors() -> list[dict[str, Any]]:
    """Return the vectors of all recordings."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json")):
        for section in load_sections(path):
            for piece in pieces(section):
                for case in cases_of(piece):
                    found.append(vector(case, section, len(found)))
    return found


if __name__ == "__main__":
    data = {
        "schema": "neuro-lif-conformance/1",
        "about": "Recorded from chips' simulators and RTL; see tests/data/chips/README.md.",
        "vectors": vectors(),
    }
    text = json.dumps(data, separators=(",", ":"))
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
