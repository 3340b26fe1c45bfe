"""Comparing recordings: first divergence, agreement, volts, LSB, shifts and wrong inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.errors import RangeError


def recorded(
    spikes: Any, v: Any = None, u: Any = None, lsb: Any = None, name: str = "p", dt: float = 1e-3
) -> nl.Recording:
    raster = np.asarray(spikes)
    traces = {(name, k): np.asarray(x) for k, x in (("v", v), ("u", u)) if x is not None}
    n = raster.shape[-1]
    return nl.Recording(
        dt,
        raster.shape[-2],
        {name: raster},
        traces,
        {} if lsb is None else {name: np.full(n, float(lsb))},
        {name: np.zeros(n)},
    )


def test_the_same_run_is_identical() -> None:
    a = recorded([[0, 1], [1, 0]], v=[[1, 2], [3, 4]], lsb=0.5)
    result = nl.compare(a, a)
    assert result.identical and result.divergence is None and result.steps == 2
    p = result.populations[0]
    assert (p.agreement, p.identical_neurons, p.v_max_lsb, p.rate_error) == (1.0, 1.0, 0.0, 0.0)
    assert "first divergence: none" in str(result)


def test_first_divergence_is_the_earliest_step_and_lowest_neuron() -> None:
    v = np.zeros((5, 3), np.int64)
    w = v.copy()
    w[3, 0], w[2, 2], w[2, 1] = 7, 8, -9
    z = np.zeros((5, 3), np.int64)
    d = nl.compare(recorded(z, v, lsb=1), recorded(z, w, lsb=1)).divergence
    assert d is not None
    assert (d.population, d.variable, d.step, d.neuron, d.first, d.second, d.sample) == (
        "p",
        "v",
        3,
        1,
        0.0,
        -9.0,
        None,
    )
    assert str(d) == "p.v: step 3, neuron 1: 0 against -9"


def test_at_the_same_step_the_cause_comes_first() -> None:
    """u moves v and v makes spikes."""
    z = np.zeros((4, 1), np.int64)
    one = z.copy()
    one[2] = 1
    result = nl.compare(recorded(z, z, z, lsb=1), recorded(one, one, one, lsb=1))
    assert result.divergence is not None and result.divergence.variable == "u"
    result = nl.compare(recorded(z, z, lsb=1), recorded(one, one, lsb=1))
    assert result.divergence is not None and result.divergence.variable == "v"


def test_batches() -> None:
    a = np.zeros((3, 4, 2), np.int64)
    b = a.copy()
    b[2, 1, 0] = b[1, 3, 1] = 1
    d = nl.compare(recorded(a), recorded(b)).divergence
    assert d is not None and (d.sample, d.step, d.neuron) == (2, 2, 0)
    assert str(d).startswith("p.spikes: sample 2, step 2")
    assert nl.compare(recorded(a), recorded(b)).populations[0].identical_neurons == 4 / 6


def test_spike_agreement_is_shared_over_all() -> None:
    a = np.array([[1, 0], [1, 0], [0, 0]])
    b = np.array([[1, 0], [0, 1], [0, 0]])
    p = nl.compare(recorded(a), recorded(b)).populations[0]
    assert p.agreement == pytest.approx(1 / 3)
    assert (p.spikes_first, p.spikes_second, p.identical_neurons) == (2, 2, 0.0)
    assert p.rate_first == pytest.approx(2 / 2 / 3e-3)
    assert p.rate_error == pytest.approx(1 / 3e-3)
    silent = np.zeros((3, 2), np.int64)
    assert nl.compare(recorded(silent), recorded(silent)).populations[0].agreement == 1.0


def test_spike_types_do_not_matter() -> None:
    """uint8 of the float run and int16 of the integer run are compared as numbers."""
    a, b = np.array([[0], [1]], np.uint8), np.array([[1], [0]], np.int16)
    p = nl.compare(recorded(a), recorded(b)).populations[0]
    assert p.agreement == 0.0 and p.rate_error == 0.0


def test_shift() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, (20, 3))
    late = np.vstack([np.zeros((2, 3), np.int64), a])[:20]
    assert not nl.compare(recorded(a), recorded(late)).identical
    result = nl.compare(recorded(a), recorded(late), shift=2)
    assert result.identical and result.steps == 18 and "shift 2" in str(result)
    assert nl.compare(recorded(late), recorded(a), shift=-2).identical
    # a run that is longer by the shift is compared whole
    longer = np.vstack([np.zeros((2, 3), np.int64), a])
    assert nl.compare(recorded(a), recorded(longer), shift=2).steps == 20
    b = late.copy()
    b[10, 1] ^= 1
    d = nl.compare(recorded(a), recorded(b), shift=2).divergence
    assert d is not None and d.step == 9, "steps are those of the first recording"


@pytest.mark.parametrize("shift", [20, -20, 99, 1.5, True, None])
def test_wrong_shifts(shift: Any) -> None:
    a = recorded(np.zeros((20, 1), np.int64))
    with pytest.raises(RangeError, match="shift = "):
        nl.compare(a, a, shift=shift)


def test_integers_against_floats_in_volts_and_lsb() -> None:
    spikes = np.zeros((3, 2), np.int64)
    integers = recorded(spikes, v=[[2, 4], [6, 8], [0, 0]], lsb=0.25)
    floats = recorded(spikes, v=[[0.5, 1.0], [1.5, 2.5], [0.0, 0.0]])
    result = nl.compare(floats, integers)
    assert result.identical, "traces in different units are no divergence"
    p = result.populations[0]
    assert p.v_max_volts == 0.5 and p.v_max_lsb == 2.0
    assert p.v_rms_volts == pytest.approx(np.sqrt(0.25 / 6))
    assert "at most 0.5 V = 2 LSB" in str(result)
    only_floats = nl.compare(floats, floats).populations[0]
    assert only_floats.v_max_volts == 0.0 and only_floats.v_max_lsb is None


def test_integers_of_different_scales_are_compared_in_volts() -> None:
    """Two lowerings of one network have different LSB: equal volts are no divergence."""
    spikes = np.zeros((2, 1), np.int64)
    a = recorded(spikes, v=[[4], [8]], lsb=0.25)
    b = recorded(spikes, v=[[2], [4]], lsb=0.5)
    result = nl.compare(a, b)
    assert result.identical and result.populations[0].v_max_volts == 0.0


def test_lengths_may_differ() -> None:
    a, b = np.zeros((9, 1), np.int64), np.zeros((5, 1), np.int64)
    assert nl.compare(recorded(a), recorded(b)).steps == 5


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (recorded(np.zeros((4, 3))), r"population 'p': shapes \(4, 2\) and \(4, 3\)"),
        (recorded(np.zeros((2, 4, 2))), r"shapes \(4, 2\) and \(2, 4, 2\)"),
        (recorded(np.zeros((4, 2)), name="q"), "share no name"),
        (recorded(np.zeros((4, 2)), dt=2e-3), "dt = 0.001 and 0.002"),
    ],
)
def test_recordings_that_cannot_be_compared(other: nl.Recording, names: str) -> None:
    with pytest.raises(RangeError, match=names):
        nl.compare(recorded(np.zeros((4, 2))), other)


def test_choice_of_populations() -> None:
    z = np.zeros((3, 1), np.int64)
    both = nl.Recording(1e-3, 3, {"a": z, "b": z}, v_zero={"a": np.zeros(1), "b": np.zeros(1)})
    assert [p.name for p in nl.compare(both, both, ["b"]).populations] == ["b"]
    assert [p.name for p in nl.compare(both, both, "a").populations] == ["a"]
    with pytest.raises(RangeError, match="populations = 'c', allowed: a, b"):
        nl.compare(both, both, ["c"])


@pytest.mark.parametrize(
    "populations", [-1, 3.5, [], (), set(), [1], [["p"]], ["p", None], "", b"p"]
)
def test_populations_that_are_none(populations: Any) -> None:
    a = recorded(np.zeros((3, 1), np.int64))
    with pytest.raises(RangeError, match="populations = .*, allowed: p"):
        nl.compare(a, a, populations)


def test_an_absent_choice_means_all_and_any_iterable_will_do() -> None:
    a = recorded(np.zeros((3, 1), np.int64))
    for populations in (None, "p", ["p"], ("p",), {"p"}, (n for n in ("p",))):
        assert [p.name for p in nl.compare(a, a, populations).populations] == ["p"]


def test_only_recordings_are_compared() -> None:
    a = recorded(np.zeros((3, 1), np.int64))
    network = nl.Network([nl.Population("p", 1, nl.LIF(20e-3))])
    cases: list[tuple[Any, Any, str]] = [
        (network, a, r"compare \(first\) wants a Recording, got Network \(call run_clocked"),
        (a, nl.discretize(network, 1e-3), r"compare \(second\) .* got SteppedNetwork \(call run"),
        (a, "b.npz", r"compare \(second\) .* got str 'b.npz' \(call Recording.load\(path\)"),
        (None, a, r"compare \(first\) wants a Recording, got None$"),
    ]
    for first, second, says in cases:
        with pytest.raises(RangeError, match=says):
            nl.compare(first, second)


def test_volts_without_their_unit() -> None:
    z = np.zeros((3, 1), np.int64)
    bare = nl.Recording(1e-3, 3, {"p": z}, {("p", "v"): z})
    with pytest.raises(RangeError, match="no v_zero of population 'p'"):
        nl.compare(bare, bare)
    with pytest.raises(RangeError, match="no lsb of population 'p'"):
        nl.Recording(1e-3, 3, {"p": z}, {("p", "v"): z}, {"q": np.ones(1)}).volts("p")


def test_a_real_lowering_end_to_end() -> None:
    network = nl.Network([nl.Population("p", 2, nl.LIF(20e-3, i_bias=np.array([1.5, 2.0])))])
    stepped = nl.discretize(network, 1e-3)
    fixed = nl.quantize(stepped, "loihi2")
    a, b = nl.run_clocked(stepped, 200, record="all"), nl.run_fixed(fixed, 200, record="all")
    p = nl.compare(a, b).populations[0]
    assert p.agreement > 0.9 and p.v_rms_lsb is not None and p.v_rms_lsb > 0
    assert nl.compare(b, nl.run_fixed(fixed, 200, record="all")).identical
