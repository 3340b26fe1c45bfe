"""The ledger: its numbers equal a recomputation by hand, and it prints without a NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.ledger import Entry, Headroom, Ledger, TimeConstant, entry

DT = 1e-3


def lowered(profile: str = "loihi2", rule: str = "exact", **options: Any) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    neuron = nl.LIF(
        tau_m=np.array([9e-3, 21e-3, 80e-3]),
        v_threshold=1.0,
        i_bias=np.array([0.0, 0.3, -0.2]),
        v_init=np.array([0.0, 0.123, 0.4]),
    )
    network = nl.Network(
        [nl.Population("p", 3, neuron)],
        [nl.Projection("w", "x", "p", rng.normal(0, 0.2, (3, 8)), nl.Exponential(5e-3), 3.4e-3)],
        [nl.SpikeInput("x", 8)],
    )
    stepped = nl.discretize(network, DT, rule)
    return stepped, nl.quantize(stepped, profile, gain_compensation=False, **options)


def found(fixed: Any, field: str) -> Entry:
    matches = [e for e in fixed.ledger.entries if e.field == field]
    assert len(matches) == 1
    return matches[0]  # type: ignore[no-any-return]


def same(noted: Entry, meant: Any, got: Any) -> None:
    error = np.abs(np.asarray(got) - np.asarray(meant)).ravel()
    assert noted.values == error.size
    assert noted.max_error == pytest.approx(error.max(), abs=1e-15)
    assert noted.rms_error == pytest.approx(math.sqrt((error**2).mean()), abs=1e-15)


@pytest.mark.parametrize("profile", ["loihi1", "loihi2", "generic", "lava-0.10"])
def test_every_number_by_hand(profile: str) -> None:
    stepped, fixed = lowered(profile)
    p, params = stepped.populations[0], fixed.params("p")
    lsb = np.asarray(fixed.population("p").lsb)
    offset = 0 if profile == "generic" else 1
    same(found(fixed, "dv"), p.leak_v, params["dv"] / 4096)
    same(found(fixed, "du"), 1 - p.decay_u[0], (params["du"] + offset) / 4096)
    same(found(fixed, "vth"), p.threshold, params["vth"] * 64 * lsb)
    same(found(fixed, "bias_mant"), p.bias, params["bias_mant"] * 2.0 ** params["bias_exp"] * lsb)
    same(found(fixed, "v_init"), p.v_init, fixed.initial("p")["v"] * lsb)
    q = fixed.projections[0]
    coded = fixed.effective_weights(q) * 2.0 ** (fixed.sum_exponent(q) + 6) * lsb[:, None]
    same(found(fixed, "weights"), stepped.projections[0].weights, coded)
    assert found(fixed, "delays").rounded == 0
    assert found(fixed, "vth").headroom_bits == pytest.approx(
        math.log2(fixed.profile.params["vth"].span[1] / params["vth"].max())
    )
    largest = np.abs(q.weights).max()
    assert found(fixed, "weights").headroom_bits == pytest.approx(math.log2(256 / largest))


@pytest.mark.parametrize("rule", ["exact", "euler"])
def test_time_constants(rule: str) -> None:
    """The realised ones follow from the codes, in the integrator of the rule."""
    stepped, fixed = lowered("loihi2", rule)
    params = fixed.params("p")
    tau = {t.field: t for t in fixed.ledger.time_constants}
    for field, loss in (("tau_m", params["dv"] / 4096), ("tau_syn", (params["du"] + 1) / 4096)):
        by_hand = DT / loss if rule == "euler" else -DT / np.log1p(-loss)
        assert tau[field].realised == pytest.approx(by_hand.mean())
        assert tau[field].realised == pytest.approx(tau[field].meant, rel=0.01)
    assert tau["tau_m"].meant == pytest.approx(np.mean(stepped.populations[0].tau_m))


def test_headroom_rows_name_the_registers() -> None:
    _, fixed = lowered("loihi1")
    rows = {h.register: h for h in fixed.ledger.headroom}
    assert {"sum", "u", "v", "d"} <= rows.keys()
    assert rows["v"].limit == 2**23 - 1 and all(h.bits >= 0 for h in rows.values())
    by_register = fixed.profile.register_ranges
    assert all(h.limit <= by_register[r][1] + 1 for r, h in rows.items() if r in by_register)


def test_it_prints_everything_once() -> None:
    _, fixed = lowered(weight_bits=4)
    text = str(fixed.ledger)
    assert text.startswith("Ledger for profile loihi2")
    for word in (
        "1 LSB =",
        "tau_m",
        "tau_syn",
        "vth",
        "weights",
        "head-room",
        "predicted error",
        "delays are rounded to whole steps",
    ):
        assert word in text
    assert "nan" not in text and max(map(len, text.splitlines())) < 220


def test_near_ties_are_flagged() -> None:
    """A decay that lies on a rounding boundary may be coded otherwise on another platform."""
    tau = -DT / math.log1p(-410.5 / 4096)
    network = nl.Network([nl.Population("p", 2, nl.LIF(np.array([tau, 20e-3])))])
    fixed = nl.quantize(nl.discretize(network, DT), "loihi2")
    assert found(fixed, "dv").near_ties == 1
    assert "1 value(s) within 1e-12 of a rounding boundary" in str(fixed.ledger)


def test_an_empty_ledger_proves_nothing() -> None:
    assert not Ledger("x").proved and Ledger("x").clipped == 0
    assert str(Ledger("x")) == "Ledger for profile x"


def test_proof_and_overflow_of_a_register() -> None:
    fits = Headroom("p", "v", 50.0, 100.0, True, 1.0)
    past = Headroom("p", "v", 200.0, 100.0, True, 1.0)
    assert fits.bits == 1.0 and past.bits == -1.0 and fits.sure and not past.sure
    assert Headroom("p", "v", 0.0, 100.0, True, 1.0).bits == math.inf
    assert Headroom("p", "v", 5.0, 0.0, True, 1.0).bits == -math.inf
    assert Ledger("x", headroom=(fits,)).proved
    assert not Ledger("x", headroom=(fits, past)).proved
    assert not Ledger("x", headroom=(Headroom("p", "v", 5.0, 9.0, False, 0.5),)).proved
    assert "OVERFLOWS" in str(Ledger("x", headroom=(past,)))
    unproved = Headroom("p", "v", 5.0, 9.0, False, 0.25)
    assert "while at most 25% of the sources fire" in str(Ledger("x", headroom=(unproved,)))


def test_time_constants_in_print() -> None:
    lost = TimeConstant("p", "tau_m", 60.0, math.inf)
    none = TimeConstant("p", "tau_m", math.inf, math.inf)
    exact = TimeConstant("p", "tau_syn", 0.01, 0.0101)
    text = str(Ledger("x", time_constants=(lost, none, exact)))
    assert "leak lost" in text and "exact" in text and "+1.000 %" in text and "inf" not in text


def test_entry_counts_by_tolerance() -> None:
    e = entry("p", "f", [1.0, 2.0, math.inf], [1.0 + 1e-9, 2.5, math.inf], "V", tolerance=1e-6)
    assert (e.values, e.rounded, e.max_error) == (3, 1, 0.5)
    assert entry("p", "f", [], [], "V").rms_error == 0.0
