"""Footprint, sparsity and operations as NeuroBench itself has them of the same network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif import metrics
from neuro_lif.errors import RangeError
from neuro_lif.metrics.footprint import bits_between, state_registers

RECORDED = json.loads((Path(__file__).parent / "data" / "neurobench.json").read_text("utf-8"))
"""Recorded with neurobench 2.3.0 by ``record_neurobench.py``."""


def network(case: dict[str, Any], graded: bool, threshold: int) -> nl.FixedNetwork:
    """The network that was recorded: no decay, every spike arrives in its own step."""
    weights = [np.array(w) for w in case["weights"]]
    profile = nl.load_profile("generic", align_shift=0)
    names = ("in", "hidden", "out")
    populations = tuple(
        nl.FixedPopulation(name, len(w), "lif", {"du": 4096, "dv": 0, "vth": 2 * threshold})
        for name, w in zip(names[1:], weights, strict=True)
    )
    projections = tuple(  # a weight of either sign loses its lowest bit, so all is twice as large
        nl.FixedProjection(f"w{i}", names[i], names[i + 1], 2 * w, 0, "mixed", latency=0,
                           graded=graded and i == 0)
        for i, w in enumerate(weights)
    )  # fmt: skip
    source = nl.FixedSource("in", weights[0].shape[1])
    return nl.FixedNetwork(profile, populations, projections, (source,))


@pytest.mark.parametrize("kind", ["spikes", "graded"])
def test_a_recorded_network(kind: str, record_figure: Callable[[str], None]) -> None:
    case, graded = RECORDED[kind], kind == "graded"
    fixed = network(case, graded, RECORDED["threshold"])
    run = nl.run_fixed(fixed, inputs={"in": np.array(case["inputs"])}, record_inputs=True)
    for name, theirs in zip(("hidden", "out"), case["spikes"], strict=True):
        assert np.array_equal(run.spikes[name], np.array(theirs)), name
    found = metrics.synaptic_operations(fixed, run)
    theirs = case["synaptic_operations"]
    assert found.effective_acs == theirs["Effective_ACs"]
    assert found.effective_macs == theirs["Effective_MACs"]
    assert found.dense == theirs["Dense"]
    assert metrics.activation_sparsity(run) == pytest.approx(case["activation_sparsity"], abs=1e-15)
    assert round(metrics.connection_sparsity(fixed), 4) == case["connection_sparsity"]
    record_figure(f"neurobench {RECORDED['versions']['neurobench']}, {kind}: the same spikes, "
                  f"{found}, the same sparsities")  # fmt: skip


def test_the_bytes_of_a_recorded_network() -> None:
    """NeuroBench counts the numbers it is given: here weights of 8 bits and states of 24."""
    case = RECORDED["spikes"]
    found = metrics.footprint(network(case, False, RECORDED["threshold"]))
    kept = [p for p in found.parts if p.kind == "weights" or p.name == "v"]
    assert sum(p.numbers * p.element_size for p in kept) == case["footprint_integers"]
    weights = 4 * sum(p.numbers for p in found.parts if p.kind == "weights")
    assert weights == case["footprint_floats"] - case["float_buffers"]  # zeros are counted
    numbers = sum(p.numbers for p in found.parts if p.kind in ("weights", "register"))
    assert found.as_floats() == 4 * numbers


def small(**more: Any) -> nl.FixedNetwork:
    profile = nl.load_profile("generic", delay_max=15)
    options: dict[str, Any] = {"weight_bits": 4, **more}
    return nl.FixedNetwork(
        profile, (nl.FixedPopulation("a", 3),),
        (nl.FixedProjection("x", "s", "a", [[16, 0], [32, 48], [0, 64]], **options),),
        (nl.FixedSource("s", 2),),
    )  # fmt: skip


def test_bits_one_by_one() -> None:
    found = metrics.footprint(small(delays=[[1, 0], [2, 3], [0, 4]]))
    told = {(p.kind, p.name): (p.numbers, p.stored, p.bits) for p in found.parts}
    assert told["weights", ""] == (6, 4, 4)
    assert told["delays", ""] == (6, 4, 4)
    assert told["exponent", ""] == (1, 1, 5)  # -8..15
    assert told["register", "u"] == told["register", "v"] == (3, 3, 24)
    assert told["register", "ref"] == (3, 3, 11)  # up to 1,024 steps
    assert told["parameter", "vth"] == (3, 3, 17) and told["parameter", "dv"] == (3, 3, 13)
    assert ("register", "q") not in told and ("parameter", "out_shift") not in told
    assert found.bits == sum(s * b for _, s, b in told.values())
    assert found.bits_of("weights") == 16 and found.bytes_of("weights") == 6
    one = metrics.footprint(small(delays=2))
    assert {p.kind: p.stored for p in one.parts}["delays"] == 1
    text = str(found).splitlines()
    assert text[-1].split() == ["all", f"{found.bytes:,}", f"{found.bits:,}"]


def test_fewer_bits_of_a_weight_are_fewer_bits() -> None:
    bits = [metrics.footprint(small(weight_bits=b)).bits_of("weights") for b in (1, 2, 3, 4, 8)]
    assert bits == [4, 8, 12, 16, 32]
    mixed = metrics.footprint(small(sign_mode="mixed", weight_bits=8))
    assert mixed.bits_of("weights") == 32  # -256..255 in steps of two


def test_sparse_and_convolved_weights() -> None:
    from scipy.sparse import csr_matrix

    profile = nl.load_profile("generic")
    matrix = csr_matrix(([5, 6, 0], ([0, 1, 2], [0, 1, 1])), shape=(3, 2))
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", 3),),
                            (nl.FixedProjection("x", "s", "a", matrix),),
                            (nl.FixedSource("s", 2),))  # fmt: skip
    part = metrics.footprint(fixed).parts[0]
    assert (part.numbers, part.stored) == (6, 3)  # a stored 0 is a synapse
    kernel = np.arange(1, 10).reshape(1, 3, 3, 1)
    conv = nl.Convolution(kernel, (6, 5, 1), padding=1)
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("a", 30),),
                            (nl.FixedProjection("x", "s", "a", conv),),
                            (nl.FixedSource("s", 30),))  # fmt: skip
    part = metrics.footprint(fixed).parts[0]
    assert (part.numbers, part.stored) == (9, 9)


MODELS = [(name, model) for name in ("generic", "loihi1", "loihi2", "catalyst-n1", "dynapcnn",
                                     "xylo-v2", "reckon")
          for model in nl.load_profile(name).models]  # fmt: skip


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_other_registers_do_not_outlast_a_step(name: str, model: str) -> None:
    """What a step leaves in them changes nothing: any start gives the same run."""
    profile = nl.load_profile(name)
    kept = state_registers(profile.ops(model), tuple(profile.registers))
    assert kept and set(kept) <= set(profile.registers)
    rng, n = np.random.default_rng(3), 6
    named = str(profile.resolved[model])

    def run(init: dict[str, Any]) -> nl.Recording:
        population = nl.FixedPopulation("a", n, model, {}, init)
        fixed = nl.FixedNetwork(profile, (population,), seed=1)
        return nl.run_fixed(fixed, 8, record="registers")

    scratch = {r: rng.integers(max(lo, -90), min(hi, 90) + 1, n)
               for r, (lo, hi) in profile.register_ranges.items()
               if r not in kept and f"'{r}'" in named}  # fmt: skip
    a, b = run({}), run(scratch)
    assert np.array_equal(a.spikes["a"], b.spikes["a"])
    for r in kept:
        assert np.array_equal(a.trace("a", r), b.trace("a", r)), r


@given(st.integers(-300, 300), st.integers(0, 600))
@settings(max_examples=50)
def test_bits_tell_all_values_apart(low: int, wide: int) -> None:
    bits = bits_between(low, low + wide)
    assert 2**bits >= wide + 1 and (bits == 1 or 2 ** (bits - 1) < wide + 1)


def test_wrong_input() -> None:
    wrong: Any = "net"
    with pytest.raises(RangeError, match="footprint"):
        metrics.footprint(wrong)
