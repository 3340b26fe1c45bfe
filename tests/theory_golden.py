"""The golden numbers of tests/data/science, by case."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "science"
NNMT: dict[str, Any] = json.loads((DATA / "theory_nnmt.json").read_text("utf-8"))

NETWORK = {"tau_m": 20e-3, "tau_r": 2e-3, "V_th_rel": 20e-3, "V_0_rel": 10e-3}
NOTE = {"tau_m": 10e-3, "V_th_rel": 15e-3, "V_0_rel": 0.0}
CIRCUIT = {"tau_m": 10e-3, "tau_s": 0.5e-3, "tau_r": 2e-3, "V_th_rel": 15e-3, "V_0_rel": 0.0}


def delta_cases() -> list[tuple[dict[str, float], float]]:
    """Arguments of a rate with delta synapses, and the rate."""
    cases = []
    for key, rate in NNMT.items():
        found = re.match(r"delta\.rate\[(.*)\]\(mu=([-\d.]+),sig=([\d.]+)(?:,tr=(\d+)ms)?\)", key)
        if found:
            base = NETWORK if found[1].startswith("tm20") else NOTE
            more = {"tau_r": float(found[4]) * 1e-3} if found[4] else {}
            given = {"mu": float(found[2]) * 1e-3, "sigma": float(found[3]) * 1e-3}
            cases.append(({**base, **more, **given}, rate))
    return cases


def exp_cases(kind: str) -> list[tuple[dict[str, float], float]]:
    """Arguments of a rate with exponential synapses (kind shift or taylor), and the rate."""
    cases = []
    for key, rate in NNMT.items():
        if found := re.fullmatch(rf"exp\.{kind}\(mu=([\d.]+),sig=([\d.]+)\)", key):
            given = {"mu": float(found[1]) * 1e-3, "sigma": float(found[2]) * 1e-3}
            cases.append(({**CIRCUIT, **given}, rate))
    return cases
