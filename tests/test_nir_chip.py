"""What parts a rule and a chip: known causes are found, each by the numbers of its own runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import DATA

import neuro_lif as nl
from neuro_lif import nir
from neuro_lif.cli import main
from neuro_lif.errors import LoweringError, RangeError


def case(name: str) -> tuple[nir.NIRGraph, Any]:
    with np.load(DATA / f"{name}.npz") as file:
        return nir.read(DATA / f"{name}.nir").graph, file["input"]


def chip_run(graph: nir.NIRGraph, inputs: Any, rule: str, **options: Any) -> Any:
    """Lower, quantise and run by hand: the chip's spikes in the graph's own time."""
    lowered = nir.to_stepped(graph, rule)
    fixed = nl.quantize(lowered.stepped, "loihi2", n_steps=lowered.steps(len(inputs)), **options)
    given = {k: v.astype(int) for k, v in lowered.inputs(inputs).items()}
    record = nl.run_fixed(fixed, lowered.steps(len(inputs)), given)
    return lowered.spikes(record, len(inputs))


@pytest.mark.parametrize("bits", [None, 3])
def test_weights_are_the_cause(bits: int | None) -> None:
    graph, inputs = case("snntorch/lif_ff_zero")
    options = {} if bits is None else {"weight_bits": bits}
    told = nir.explain(graph, inputs, "snntorch", chip="loihi2", **options)
    mine, theirs = nir.run(graph, inputs, "snntorch").spikes, chip_run(graph, inputs, "snntorch",
                                                                      **options)  # fmt: skip
    for node, spikes in mine.items():
        assert np.array_equal(told.spikes_a[node], spikes)
        assert np.array_equal(told.spikes_b[node], theirs[node])
        assert told.differences[node] == int(np.sum(spikes != theirs[node]))
    first = told.first
    assert first is not None
    apart = [np.argwhere(mine[n] != theirs[n])[0] for n in mine if told.differences[n]]
    assert first.step == min(int(a[0]) for a in apart)
    assert set(told.causes) == {"weights"} and "node '1' alone" in told.causes["weights"]
    assert told.rungs[-1].total == sum(told.differences.values())
    # the voltages there, by a run of its own
    table = told.voltages
    assert table is not None and (table.node, table.neuron) == (first.node, first.neuron)
    low = nir.to_stepped(graph, "snntorch")
    fixed = nl.quantize(low.stepped, "loihi2", n_steps=low.steps(len(inputs)), **options)
    given = {k: v.astype(int) for k, v in low.inputs(inputs).items()}
    there = nl.run_fixed(fixed, low.steps(len(inputs)), given, record="all")
    volts = low.voltages(there, len(inputs))[first.node]
    ran = nir.run(graph, inputs, "snntorch")
    assert [s.step for s in table.steps] == list(range(max(0, first.step - 4), first.step + 1))
    for row in table.steps:
        at = (row.step, *first.neuron)
        assert (row.rule, row.chip) == (ran.voltage[first.node][at], volts[at])
        assert row.spikes_rule == mine[first.node][at] and row.spikes_chip == theirs[first.node][at]
    assert table.threshold_rule == 1.0 and abs(table.threshold_chip - 1) < 100 * table.lsb
    assert table.lsb == fixed.population(low.names[first.node]).lsb[first.neuron]
    assert "after a reset; * it spiked; 1 LSB = " in str(told)
    # layers that a chip runs later are put back, and said
    assert dict(told.shifts) == {"1": 1, "3": 2}
    assert "undone before spikes are compared: 1 1, 3 2" in str(told)


def test_rungs_lead_from_the_rule_to_the_chip() -> None:
    graph, inputs = case("norse/lifcell_cubalif")
    told = nir.explain_chip(graph, inputs, "norse", "loihi1", dt=1e-3)
    names = [r.name for r in told.rungs]
    assert names[0] == "arithmetic" and names[1] == "chip's steps"
    assert names[-2:] == ["state", "overflow"]
    assert [r.total for r in told.rungs[:2]] == [0, 0]  # in floats nothing differs
    assert told.rungs[-1].first == told.first
    total = sum(told.differences.values())
    assert told.rungs[-1].total == total > 0
    # what a rung changes lies between the totals of its neighbours
    for before, after in zip(told.rungs, told.rungs[1:], strict=False):
        assert abs(after.total - before.total) <= after.entries
    assert set(told.needed) == {"weights", "decays"}


def test_a_model_that_sends_one_spike_is_the_cause() -> None:
    graph, inputs = case("sinabs/lif_expleak_norm1")
    with pytest.raises(LoweringError, match="multi-spike"):
        nir.explain_chip(graph, inputs, "sinabs", "loihi2")
    told = nir.explain_chip(graph, inputs, "sinabs", "loihi2",
                            approximate=["reset", "multi-spike"])  # fmt: skip
    assert list(told.causes) == ["model's spikes per step"]
    assert told.first is not None and told.first.a > 1 == told.first.b


def one(threshold: float, weight: float) -> nir.NIRGraph:
    ones = np.ones(1)
    return nir.NIRGraph(
        {"in": nir.Input((1,)), "w": nir.Linear(np.array([[weight]])),
         "n": nir.LIF(0.01 * ones, 10 * ones, 0 * ones, threshold * ones, 0 * ones),
         "out": nir.Output((1,))},
        (("in", "w"), ("w", "n"), ("n", "out")),
    )  # fmt: skip


def test_a_comparison_is_the_cause() -> None:
    """With >= a tie fires, on a chip that compares with > it may not: rungs say which it was."""
    graph, inputs = one(1.0, 0.5), np.zeros((6, 1))
    inputs[1] = inputs[3] = inputs[5] = 1
    rule = nir.find_rule("nir-euler", compare=">=")
    told = nir.explain_chip(graph, inputs, rule, "loihi2", dt=1e-3)
    assert told.equal == (sum(told.differences.values()) == 0)
    assert told.rungs[-1].total == sum(told.differences.values())


def test_integrators_that_no_chip_has() -> None:
    graph, inputs = case("snntorch/lif_ff_zero")
    with pytest.raises(LoweringError, match="integrator"):
        nir.explain_chip(graph, inputs, "slayer", "loihi2")
    told = nir.explain_chip(graph, inputs, "slayer", "loihi2", approximate="integrator")
    assert "integrator" in [r.name for r in told.rungs]
    assert any("approximated" in n for n in told.notes)


def test_wrong_asks() -> None:
    graph, inputs = case("snntorch/lif_ff_zero")
    with pytest.raises(RangeError, match="approximate = 'luck'"):
        nir.explain_chip(graph, inputs, "snntorch", "loihi2", approximate="luck")
    with pytest.raises(RangeError, match="a second rule and a chip"):
        nir.explain(graph, inputs, "snntorch", "norse", chip="loihi2")  # type: ignore[call-overload]
    with pytest.raises(RangeError, match="allowed: a second rule, a recording, or chip="):
        nir.explain(graph, inputs, "snntorch")  # type: ignore[call-overload]


FILE = str(DATA / "snntorch" / "lif_ff_zero.nir")
INPUTS = FILE.replace(".nir", ".npz")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["explain", FILE, "--rule", "snntorch", "--inputs", INPUTS]
    picture = tmp_path / "p.png"
    assert main([*ask, "--against", "loihi2", "--picture", str(picture)]) == 1
    shown = capsys.readouterr().out
    assert "first: step 35: node '1', neuron (12)" in shown and "cause: weights" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*ask, "--against", "snntorch"]) == 0
    assert main([*ask, "--against", "rule:loihi2"]) == 1  # the rule of that name
    assert "cause: delays: input_delay 0 -> input_delay 1" in capsys.readouterr().out
    assert main([*ask, "--against", "norse", "--dt", "1e-4"]) == 1
    assert "gain" in capsys.readouterr().out
    golden = tmp_path / "g.nir"
    assert main(["nir", "run", FILE, "--rule", "snntorch", "--inputs", INPUTS,
                 "--golden", str(golden)]) == 0  # fmt: skip
    assert main(["explain", FILE, "--rule", "snntorch", "--inputs", str(golden),
                 "--recording", str(golden)]) == 0  # fmt: skip
    assert main(["nir", "explain", FILE, "--rule", "snntorch", "--inputs", INPUTS,
                 "--recording", str(golden)]) == 0  # fmt: skip
    capsys.readouterr()


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--against", "loihi9"], "--against 'loihi9', allowed: a rule"),
        (["--against", "norse", "--weight-bits", "3"], "--weight-bits, allowed: with --against a"),
        (["--against", "loihi2", "--weight-bits", "99"], "weight_bits"),
        (["--recording", "none.npz"], "none.npz"),
        (["--against", "loihi2", "--approximate", "luck"], "approximate = 'luck'"),
        (["--against", "loihi2", "--picture", "/none/p.png"], "--picture '/none/p.png'"),
    ],
)
def test_wrong_use(extra: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", FILE, "--rule", "snntorch", "--inputs", INPUTS, *extra]) == 2
    assert text in capsys.readouterr().err
