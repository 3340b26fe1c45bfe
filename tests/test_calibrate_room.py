"""Head-room for what the samples do: finer codes, no overflow on them, and it is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.calibrate import room
from neuro_lif.errors import RangeError

STEPS = 400


def balanced(seed: int, exc: int = 2000, inh: int = 500, **neuron: Any) -> nl.SteppedNetwork:
    """Neurons with delta synapses from many excitatory and inhibitory sources, 0.1 ms steps."""
    rng = np.random.default_rng(seed)
    cell = nl.LIF(20e-3, **({"v_threshold": 20e-3} | neuron))
    each = {"e": (exc, 0.4e-3), "i": (inh, -2e-3)}
    net = nl.Network(
        [nl.Population("n", 12, cell)],
        [nl.Projection(k, f"x{k}", "n", w * (1 + 0.2 * rng.standard_normal((12, m))), nl.Delta())
         for k, (m, w) in each.items()],
        [nl.SpikeInput(f"x{k}", m) for k, (m, _) in each.items()],
    )  # fmt: skip
    return nl.discretize(net, 1e-4)


def samples(seed: int, many: int, rates: tuple[float, float] = (6.0, 3.0),
            sizes: tuple[int, int] = (2000, 500)) -> dict[str, np.ndarray]:  # fmt: skip
    rng = np.random.default_rng([seed, 5])
    return {name: (rng.random((many, STEPS, size)) < rate * 1e-4).astype(np.uint8)
            for name, rate, size in zip(("xe", "xi"), rates, sizes, strict=True)}  # fmt: skip


def codes(fixed: nl.FixedNetwork) -> dict[str, int]:
    return {q.name: np.unique(q.weights).size for q in fixed.projections}


def overflow(recording: nl.Recording) -> int:
    return sum(e.count for e in recording.events if e.first_step)


def count_error(stepped: nl.SteppedNetwork, fixed: nl.FixedNetwork, given: Any) -> float:
    a, b = nl.run_clocked(stepped, inputs=given), nl.run_fixed(fixed, inputs=given)
    off = np.asarray(a.spikes["n"], int).sum(axis=1) - np.asarray(b.spikes["n"], int).sum(axis=1)
    return float(np.sqrt(np.mean(off**2)))


def test_balanced_delta_synapses_get_more_codes_and_it_is_told() -> None:
    stepped, inputs = balanced(1), samples(1, 2)
    usual = nl.quantize(stepped, "loihi2", calibrate=inputs)
    finer = nl.quantize(stepped, "loihi2", calibrate=inputs, headroom="samples")
    assert max(codes(usual).values()) < 140
    assert all(codes(finer)[k] > 1.5 * n for k, n in codes(usual).items())
    assert count_error(stepped, finer, inputs) <= count_error(stepped, usual, inputs)
    run = nl.run_fixed(finer, inputs=inputs)
    assert overflow(run) == 0
    text = str(finer.ledger)
    assert "OVERFLOWS if the worst 1% of the sources fire on and on" in text
    (note,) = [n for n in finer.ledger.notes if "room for 4 times that" in n]  # type: ignore[union-attr]
    v = nl.run_clocked(stepped, inputs=inputs, record="all").traces["n", "v"]
    assert f"v went {-v.min():.4g} V below and {v.max():.4g} V above" in note
    assert not finer.ledger.proved  # type: ignore[union-attr]
    lsb = float(np.mean(finer.population("n").lsb))
    assert -v.min() / lsb * room.SAFETY <= 2**23


def test_what_leaves_the_room_of_the_samples_is_counted() -> None:
    """Other inputs, all inhibitory sources at once for long: the emulator says so."""
    stepped = balanced(1)
    finer = nl.quantize(stepped, "loihi2", calibrate=samples(1, 2), headroom="samples")
    wild = {"xe": np.zeros((STEPS, 2000), np.uint8), "xi": np.ones((STEPS, 500), np.uint8)}
    assert overflow(nl.run_fixed(finer, inputs=wild)) > 0


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 60.0), st.floats(0.0, 40.0),
       st.sampled_from(["loihi2", "generic"]))  # fmt: skip
def test_never_worse_on_the_samples_than_without_and_never_an_overflow(
    seed: int, exc: float, inh: float, profile: str
) -> None:
    stepped = balanced(seed, 300, 80)
    inputs = samples(seed, 2, (exc, inh), (300, 80))
    own = nl.quantize(stepped, profile)
    finer = nl.quantize(stepped, profile, calibrate=inputs, headroom="samples")
    assert count_error(stepped, finer, inputs) <= count_error(stepped, own, inputs)
    if overflow(nl.run_fixed(own, inputs=inputs)) == 0:
        assert overflow(nl.run_fixed(finer, inputs=inputs)) == 0
    again = nl.quantize(stepped, profile, calibrate=inputs, headroom="samples")
    for a, b in zip(finer.projections, again.projections, strict=True):
        assert a.exponent == b.exponent and np.array_equal(a.weights, b.weights)


def test_networks_with_enough_room_stay_as_they_are() -> None:
    """Where the rule leaves all codes, the samples make nothing worse."""
    stepped, inputs = balanced(3, 30, 8), samples(3, 2, (300.0, 100.0), (30, 8))
    usual = nl.quantize(stepped, "generic", calibrate=inputs)
    finer = nl.quantize(stepped, "generic", calibrate=inputs, headroom="samples")
    assert count_error(stepped, finer, inputs) <= count_error(stepped, usual, inputs)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "headroom = 'samples', allowed: with calibrate=inputs, and without proved"),
        ({"calibrate": samples(0, 1), "proved": True}, "headroom = 'samples', allowed: with"),
        ({"calibrate": samples(0, 1), "coding": "lava"}, "with coding 'lava'"),
    ],
)
def test_wrong_use_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(RangeError, match=said):
        nl.quantize(balanced(0), "loihi2", headroom="samples", **more)
    with pytest.raises(RangeError, match="headroom = 'most', allowed: sources, samples"):
        nl.quantize(balanced(0), "loihi2", headroom="most")


def test_samples_too_many_for_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_TRACED", 12 * STEPS)
    with pytest.raises(RangeError, match="every neuron, step and sample: 9,600 values, allowed"):
        nl.quantize(balanced(0), "loihi2", calibrate=samples(0, 2), headroom="samples")
