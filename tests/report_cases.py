"""What the tests of the report show: a small network on a chip, a study and a sweep of laws."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

import neuro_lif as nl
from neuro_lif.fixed import FixedNetwork
from neuro_lif.ladder import Ladder, ladder
from neuro_lif.laws import LawRow
from neuro_lif.recording import Recording
from neuro_lif.report import OverflowTimeline, overflow_timeline, page
from neuro_lif.task import Task

EVIL = "<script>alert(1)</script>&\"'"
STEPS = 120


@functools.cache
def network() -> nl.Network:
    rng = np.random.default_rng(5)
    neuron = nl.LIF(tau_m=20e-3, v_threshold=10e-3)
    a = rng.normal(1.2e-3, 1e-3, (12, 20))
    b = rng.normal(2.0e-3, 1e-3, (3, 12))
    synapse = nl.Exponential(5e-3, norm="psp")
    return nl.Network(
        [nl.Population("hidden", 12, neuron), nl.Population("out", 3, neuron)],
        [nl.Projection("in_hidden", "in", "hidden", a, synapse),
         nl.Projection("hidden_out", "hidden", "out", b, synapse)],
        [nl.SpikeInput("in", 20)],
    )  # fmt: skip


@functools.cache
def stepped() -> nl.SteppedNetwork:
    return nl.discretize(network(), 1e-3)


@functools.cache
def fixed(weight_bits: int = 3) -> FixedNetwork:
    return nl.quantize(stepped(), "loihi2", weight_bits=weight_bits)


def inputs(batch: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    shape = (batch, STEPS, 20) if batch else (STEPS, 20)
    return {"in": (rng.random(shape) < 0.08).astype(np.int64)}


@functools.cache
def recordings(batch: int = 0) -> tuple[Recording, Recording]:
    given = inputs(batch)
    return (
        nl.run_clocked(stepped(), inputs=given, record="all"),
        nl.run_fixed(fixed(), inputs=given, record="all"),
    )


@functools.cache
def overflowing() -> FixedNetwork:
    """The same network with weights so large that registers overflow."""
    raised = tuple(replace(p, exponent=7) for p in fixed(8).projections)
    return replace(fixed(8), projections=raised)


@functools.cache
def timeline() -> tuple[Recording, OverflowTimeline]:
    run = nl.run_fixed(overflowing(), inputs=inputs(), record="all")
    return run, overflow_timeline(overflowing(), inputs=inputs(), stretches=12)


@functools.cache
def climbed(with_task: bool = True) -> Ladder:
    given = inputs(8)
    task = Task(given, np.arange(8) % 3, "out")
    if with_task:
        return ladder(network(), fixed(), dt=1e-3, task=task, exact=False)
    return ladder(network(), fixed(), dt=1e-3, inputs=inputs(), exact=False)


def study_rows(evil: bool = False) -> list[dict[str, Any]]:
    rows = []
    for bits in (2, 3, 4, 8):
        for decay in (6, 9, 12):
            for rounding in ("nearest", EVIL if evil else "floor"):
                worse = 0.02 * (rounding != "nearest")
                accuracy = 0.97 - 0.6 / bits**2 - 0.3 / decay**1.5 - worse
                rows.append({
                    "key": f"{len(rows):064x}", "quantize.weight_bits": bits,
                    "profile.decay_bits": decay, "quantize.rounding": rounding, "error": None,
                    "accuracy": accuracy, "accuracy_float": 0.9561, "spike_agreement": accuracy,
                    "overflow": 0, "weight_bits": bits, "bits": 1000 * bits + 40 * decay,
                })  # fmt: skip
    failed = dict.fromkeys(rows[-1]) | {
        "key": "f" * 64, "quantize.weight_bits": 1, "profile.decay_bits": 6,
        "quantize.rounding": "nearest", "error": "RangeError: weight_bits = 1",
    }  # fmt: skip
    return [*rows, failed]


def law_rows(n: int = 60) -> list[LawRow]:
    rng = np.random.default_rng(7)
    units = {"F1": "steps", "F2": "LSB", "F3": "LSB", "F4": "mV", "F5": "Hz", "rate": "Hz"}
    rows = []
    for k in range(n):
        law = list(units)[k % 6]
        tau = float(10 ** rng.uniform(0.7, 3))
        predicted = -tau / 2 if law == "F2" else tau
        tolerance = 0.05 * abs(predicted)
        off = 1.5 if k == 7 else float(rng.uniform(-0.9, 0.9))
        rows.append(LawRow(
            law, "period", {"tau_steps": tau, "profile": "loihi2"}, predicted,
            predicted + off * tolerance, units[law], tolerance, tolerance / 10, "5 %",
            "steps are wide" if k == 11 else "",
        ))  # fmt: skip
    return rows


@functools.cache
def whole_page() -> str:
    """A page with every part."""
    from neuro_lif.predict import beside_run

    float_run, chip_run = recordings()
    overflow_run, overflow = timeline()
    chip = replace(chip_run, events=overflow_run.events)
    return page(
        ladder=climbed(), study=study_rows(), laws=law_rows(), reference=float_run, chip=chip,
        fixed=fixed(), stepped=stepped(), overflow=overflow,
        prediction=beside_run(fixed(), stepped(), inputs=inputs()), title="A whole page",
        command="neuro-lif report net.toml --profile loihi2", facts={"date": "2026-01-02"},
    )  # fmt: skip


def evil_page() -> str:
    """A page in which every text that a user can choose is a script."""
    float_run, chip_run = recordings()

    def named(run: Recording) -> Recording:
        return replace(
            run, spikes={EVIL: run.spikes["hidden"]},
            traces={(EVIL, "v"): run.traces["hidden", "v"]},
            lsb={EVIL: run.lsb["hidden"]} if run.lsb else {}, v_zero={EVIL: run.v_zero["hidden"]},
            provenance={EVIL: EVIL},
        )  # fmt: skip

    plain = climbed().to_dict()
    text = _replaced(plain, "hidden", EVIL)
    laws = [replace(r, quantity=EVIL, configuration={EVIL: EVIL}) for r in law_rows(12)]
    return page(
        ladder=text, study=study_rows(evil=True), laws=laws, reference=named(float_run),
        chip=replace(named(chip_run), events=(nl.OverflowEvent(EVIL, EVIL, EVIL, 0, 3, 2, 1),)),
        prediction=EVIL, title=EVIL, command=EVIL, facts={EVIL: EVIL},
    )  # fmt: skip


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {k.replace(old, new): _replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [_replaced(v, old, new) for v in value]
    return value.replace(old, new) if isinstance(value, str) else value
