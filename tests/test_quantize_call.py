"""The call of quantize itself: what it takes, what it hands on, and every word of its refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.codings import CODINGS
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.stimulus import Sinusoid

DT = 1e-3


def stepped(tau_m: float = 0.37, **rest: Any) -> nl.SteppedNetwork:
    neuron = nl.LIF(tau_m, v_threshold=50.0, i_bias=3.0)
    network = nl.Network(
        [nl.Population("p", 1, neuron)],
        [nl.Projection("w", "x", "p", np.array([[0.5]]), **({"delay": DT} | rest))],
        [nl.SpikeInput("x", 1)],
    )
    return nl.discretize(network, DT)


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(RangeError) as caught:
        nl.quantize(*args, **options)
    return str(caught.value)


def test_gain_is_compensated_unless_told_otherwise() -> None:
    given = stepped()
    default = nl.quantize(given, "generic")
    on, off = (nl.quantize(given, "generic", gain_compensation=x) for x in (True, False))
    assert str(default.ledger) == str(on.ledger) != str(off.ledger)


def test_no_proof_is_asked_for_unless_told_otherwise() -> None:
    network = nl.Network([nl.Population("p", 1, nl.LIF(20e-3))], (), [nl.CurrentInput("i", "p")])
    given = nl.discretize(network, DT)
    assert not nl.quantize(given, "loihi2").ledger.proved
    with pytest.raises(LoweringError, match="proved = True"):
        nl.quantize(given, "loihi2", proved=True)


def test_the_ledger_starts_with_the_profile_and_what_the_stepping_noted() -> None:
    given = stepped(delay=3.4e-3)
    ledger = nl.quantize(given, "loihi1").ledger
    assert ledger is not None
    assert ledger.profile == "loihi1"
    assert given.notes
    assert ledger.notes[: len(given.notes)] == given.notes


def test_weight_bits_default_to_the_profile() -> None:
    given = stepped()
    assert nl.quantize(given, "loihi2").projections[0].weight_bits == 8
    four = nl.quantize(given, nl.load_profile("generic", weight_bits=4))
    assert four.projections[0].weight_bits == 4
    for bits in (1, 8, np.int64(8)):
        fixed = nl.quantize(given, "loihi2", weight_bits=bits)
        assert fixed.projections[0].weight_bits == bits
        assert type(fixed.projections[0].weight_bits) is int


@pytest.mark.parametrize(
    "names", ["delay", ("delay",), ["delay", "counts"], {"delay"}, iter(["delay"])]
)
def test_names_of_approximations_in_any_form(names: Any) -> None:
    network = nl.Network(
        [nl.Population("p", 1, nl.LIF(20e-3))],
        [nl.Projection("w", "x", "p", np.array([[0.5]]), delay=0.2)],
        [nl.SpikeInput("x", 1)],
    )
    fixed = nl.quantize(nl.discretize(network, DT), "loihi2", approximate=names)
    assert fixed.projections[0].delays.tolist() == 63


def test_every_word_of_a_refusal() -> None:
    given = stepped()
    known = "refractory, reset, delay, counts, synapse, multi-spike"
    assert refused(7, "loihi2") == "stepped = 7, allowed: a SteppedNetwork, from discretize()"
    assert refused(given, "loihi2", approximate=5) == (
        "approximate = 5, allowed: names, such as ('delay',)"
    )
    for name in ("dealy", 3):
        text = f"approximate = {name!r}, allowed: {known}"
        assert refused(given, "loihi2", approximate=[name]) == text
    assert refused(given, "loihi2", weight_bits=9) == "weight_bits = 9, allowed: 1..8 (loihi2)"
    assert refused(given, "loihi2", weight_bits=False) == (
        "weight_bits = False, allowed: 1..8 (loihi2)"
    )


def test_passes_must_end_in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    first = replace(CODINGS["own"], passes=CODINGS["own"].passes[:2])
    monkeypatch.setitem(CODINGS, "own", first)
    with pytest.raises(LoweringError) as caught:
        nl.quantize(stepped(), "loihi2")
    assert str(caught.value) == "no pass produced a network"


@pytest.mark.parametrize(
    ("option", "value"), [("weight_bits", 4), ("gain_compensation", False), ("proved", True)]
)
def test_options_that_another_coding_does_not_heed(option: str, value: Any) -> None:
    given = stepped()
    for coding in ("lava", "nengo-loihi"):
        text = f"{option} = {value} with coding {coding!r}, allowed: with 'own' only"
        assert refused(given, "lava-0.10", coding=coding, **{option: value}) == text
    usual: dict[str, Any] = {"weight_bits": None, "gain_compensation": True, "proved": False}
    fixed = nl.quantize(given, "lava-0.10", coding="lava", **usual)
    assert fixed.ledger is not None


def test_a_number_of_steps_is_checked_even_where_none_is_needed() -> None:
    given = stepped()
    assert refused(given, "loihi2", n_steps=0).startswith("n_steps = 0, allowed: a whole number")
    with_steps = nl.quantize(given, "loihi2", n_steps=12)
    assert str(with_steps.ledger) == str(nl.quantize(given, "loihi2").ledger)
    wave = nl.CurrentInput("i", "p", Sinusoid(0.0, 1.0, 0.1))
    network = nl.Network([nl.Population("p", 1, nl.LIF(20e-3))], (), [wave])
    fixed = nl.quantize(nl.discretize(network, DT), "loihi2", n_steps=np.int64(12))
    assert fixed.directs[0].raster.shape == (12, 1)
    assert fixed.directs[0].covers == 12
