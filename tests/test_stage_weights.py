"""Low-pass nodes that feed neurons: their weights go before a chip's filter stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif import nir
from neuro_lif.errors import LoweringError
from neuro_lif.stage_weights import is_link, weights_before_stages


def graph(rng: np.random.Generator, tau: Any, targets: int = 1, kind: str = "LI") -> nir.NIRGraph:
    """Return input -> LI or CubaLI -> LIF layers, with weights between all."""

    def one(n: int) -> Any:
        return np.ones(n)

    nodes: dict[str, Any] = {
        "input": nir.Input((6,)),
        "w": nir.Linear(rng.normal(0.3, 0.3, (8, 6))),
        "li": nir.LI(tau=tau * one(8), r=one(8), v_leak=0 * one(8)),
    }
    if kind == "CubaLI":
        nodes["li"] = nir.CubaLI(tau_syn=3e-3 * one(8), tau_mem=tau * one(8), r=3 * one(8),
                                 v_leak=0 * one(8), w_in=one(8))  # fmt: skip
    edges = [("input", "w"), ("w", "li")]
    for k in range(targets):
        nodes[f"w{k}"] = nir.Linear(rng.normal(0.5, 0.5, (4 + k, 8)))
        nodes[f"lif{k}"] = nir.LIF(
            tau=1e-2 * one(4 + k), r=10 * one(4 + k), v_leak=0 * one(4 + k),
            v_threshold=0.3 * one(4 + k), v_reset=0 * one(4 + k),
        )  # fmt: skip
        nodes[f"out{k}"] = nir.Output((4 + k,))
        edges += [("li", f"w{k}"), (f"w{k}", f"lif{k}"), (f"lif{k}", f"out{k}")]
    return nir.NIRGraph(nodes, edges)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("kind", ["LI", "CubaLI"])
@pytest.mark.parametrize("seed", range(3))
def test_a_low_pass_node_that_feeds_neurons_goes_onto_a_chip(
    seed: int, kind: str, targets: int
) -> None:
    rng = np.random.default_rng(seed)
    g, n_steps = graph(rng, 5e-3, targets, kind), 150
    x = (rng.random((n_steps, 6)) < 0.3).astype(float)
    ran = nir.run(g, x, nir.find_rule("nir-euler", arithmetic="float64"), dt=1e-3)
    low = nir.to_stepped(g, "nir-euler", dt=1e-3, latency="chip")
    stages = [p.name for p in low.stepped.populations if p.graded]
    assert len(stages) == targets * {"LI": 1, "CubaLI": 2}[kind]
    assert all(is_link(q) for q in low.stepped.projections if q.pre in stages)
    assert any("multiplied into" in note for note in low.notes)
    steps = low.steps(n_steps)
    floats = low.spikes(nl.run_clocked(low.stepped, steps, low.inputs(x)))
    fixed = nl.quantize(low.stepped, "loihi2")
    given = low.inputs(x, fixed)
    chip = nl.run_fixed(fixed, steps, given)
    told = nl.run_semantics(fixed, steps, given)
    for name in ran.spikes:
        np.testing.assert_array_equal(floats[name][:n_steps], ran.spikes[name])
        assert ran.spikes[name].sum() > 50
        apart = (low.spikes(chip)[name][:n_steps] != ran.spikes[name]).sum()
        assert apart < 0.02 * ran.spikes[name].size
    for name in chip.spikes:
        np.testing.assert_array_equal(chip.spikes[name], told.spikes[name])
    nl.dequantize(fixed, low.stepped)


def test_what_cannot_be_moved_is_refused() -> None:
    g = graph(np.random.default_rng(0), 5e-3 * np.linspace(1, 2, 8))
    low = nir.to_stepped(g, "nir-euler", dt=1e-3, latency="chip")
    assert weights_before_stages(low.stepped) == (low.stepped, ())
    with pytest.raises(LoweringError, match="its decay differs from neuron to neuron"):
        nl.quantize(low.stepped, "loihi2")
    low = nir.to_stepped(
        graph(np.random.default_rng(0), 5e-3), "nir-euler", dt=1e-3, latency="rule"
    )
    with pytest.raises(LoweringError, match="leads through weights .*one link of weight 1"):
        nl.quantize(low.stepped, "loihi2")
