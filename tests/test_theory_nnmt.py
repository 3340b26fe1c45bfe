"""The theory against NNMT, run live in an environment of its own (`make nnmt`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peer_process import answers

from neuro_lif.reference import theory

pytestmark = [pytest.mark.verify, pytest.mark.oracle]

HERE = Path(__file__).resolve().parent
NNMT = Path(os.environ.get("NEURO_LIF_NNMT_PYTHON", HERE.parent / ".venv-nnmt/bin/python"))
NEURONS, NETWORKS = 200, 20


def draw_neuron(rng: np.random.Generator) -> dict[str, Any]:
    sigma = rng.uniform(0.5e-3, 10e-3)
    v_th = rng.uniform(10e-3, 25e-3)
    return {
        # from four sigma below the threshold (NNMT has no rate far below) to far above
        "mu": rng.uniform(max(v_th - 4 * sigma, -10e-3), v_th + 20e-3),
        "sigma": sigma, "V_th_rel": v_th, "V_0_rel": rng.uniform(-5e-3, 8e-3),
        "tau_m": rng.uniform(5e-3, 30e-3), "tau_s": rng.uniform(0.1e-3, 1e-3),
        "tau_r": rng.uniform(0, 4e-3), "j": rng.uniform(-1e-3, 1e-3),
        "omegas": (2 * np.pi * np.array([0, 1, 7, 40, 150])).tolist(),
    }  # fmt: skip


def draw_network(rng: np.random.Generator) -> dict[str, Any]:
    """Two populations, inhibition-dominated; NNMT wants arrays of the number of populations."""
    j, g, size = rng.uniform(0.1e-3, 0.2e-3), rng.uniform(4.5, 7), int(rng.integers(500, 1500))
    cell = {"tau_m": 20e-3, "tau_r": 2e-3, "tau_s": 0.5e-3, "V_th_rel": 20e-3, "V_0_rel": 10e-3}
    external = rng.uniform(1.2, 3) * 20e-3 / (j * 20e-3 * size)
    return {
        **{k: [v] * 2 for k, v in cell.items()}, "J": [[j, -g * j]] * 2,
        "K": [[size, size // 4]] * 2, "J_ext": [[j, 0.0], [0.0, j]],
        "K_ext": [[size, 0], [0, size]], "nu_ext": [external] * 2,
        "method": str(rng.choice(["shift", "taylor"])),
    }  # fmt: skip


@pytest.fixture(scope="module")
def peer() -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(20)
    cases = {"neurons": [draw_neuron(rng) for _ in range(NEURONS)],
             "networks": [draw_network(rng) for _ in range(NETWORKS)]}  # fmt: skip
    return cases, answers(NNMT, "nnmt", "nnmt_driver.py", cases)


def ours(case: dict[str, Any]) -> dict[str, Any]:
    at = {k: v for k, v in case.items() if k not in ("omegas", "j")}
    white = {k: v for k, v in at.items() if k != "tau_s"}
    # NNMT's transfer function is that of the theory without refractory re-entry
    answers = {f"transfer_{m}": theory.transfer_function(case["omegas"], **at, method=m)
               for m in ("shift", "taylor")}  # fmt: skip
    return answers | {
        "delta": theory.siegert(**white), "delta_slope": theory.d_nu_d_mu(**white),
        "shift": theory.siegert_exp(**at), "taylor": theory.siegert_exp(**at, method="taylor"),
        "taylor_slope": theory.d_nu_d_mu(**at, method="taylor"),
        "by_rate": theory.d_nu_d_nu_in(case["j"], **at), "cv": theory.cv(**at),
    }  # fmt: skip


RATES = ("delta", "shift", "taylor", "cv")
SLOPES = ("delta_slope", "taylor_slope", "by_rate", "transfer_shift", "transfer_taylor")
LOWEST = -3.5
"""Slopes are compared where the reset is at most so many sigma below the mean: NNMT 1.3.0 takes
``1 + erf(y)`` as it stands, which has lost eight digits at y = -4 and is 0 below -6."""


def test_random_neurons(peer: Any, record_figure: Callable[[str], None]) -> None:
    cases, answers = peer
    off: dict[str, list[float]] = {name: [] for name in RATES + SLOPES}
    for case, theirs in zip(cases["neurons"], answers["neurons"], strict=True):
        mine = ours(case)
        with_slopes = (case["V_0_rel"] - case["mu"]) / case["sigma"] > LOWEST
        for name in RATES + SLOPES if with_slopes else RATES:
            there = np.asarray(theirs[name])
            there = there[:, 0] + 1j * there[:, 1] if there.ndim == 2 else there
            off[name].append(float(np.max(np.abs(mine[name] - there) / np.abs(there))))
    worst = {name: f"{max(values):.1e}" for name, values in off.items()}
    record_figure(f"NNMT {answers['version']}: {NEURONS} random neurons ({len(off['by_rate'])} "
                  f"with slopes), farthest apart: {worst}")  # fmt: skip
    assert len(off["by_rate"]) > NEURONS / 3
    assert all(max(values) <= 1e-8 for values in off.values()), worst


def test_random_networks(peer: Any, record_figure: Callable[[str], None]) -> None:
    cases, answers = peer
    worst = 0.0
    for case, rates in zip(cases["networks"], answers["networks"], strict=True):
        mine = theory.working_point(**case).nu
        worst = max(worst, float(np.max(np.abs(mine / np.array(rates) - 1))))
    record_figure(f"NNMT {answers['version']}: {NETWORKS} random networks, self-consistent rates "
                  f"at most {worst:.1e} apart")  # fmt: skip
    assert worst <= 1e-8
