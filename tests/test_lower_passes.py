"""Single passes of the lowering at their edges: one network, one number, one message each."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import neuro_lif as nl
from neuro_lif.codings import CODINGS
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.ledger import Ledger
from neuro_lif.lower import codes
from neuro_lif.lower.draft import Draft
from neuro_lif.lower.form import lif_form
from neuro_lif.lower.reach import Reached, lends_itself
from neuro_lif.lower.scales import headroom_of
from neuro_lif.stimulus import Sampled, Sinusoid

DT = 1e-3


def network(neuron: Any, *projections: Any, size: int = 1, inputs: int = 2) -> nl.Network:
    return nl.Network([nl.Population("p", size, neuron)], projections, [nl.SpikeInput("x", inputs)])


def draft_of(net: nl.Network, profile: Any, rule: Any = "exact", passes: int = 5) -> Draft:
    """Return a draft after the first passes: 5 leave all but the coding."""
    stepped = nl.discretize(net, DT, rule)
    loaded = nl.load_profile(profile) if isinstance(profile, str) else profile
    draft = Draft(stepped, loaded, frozenset(), 8, None, True, False, ledger=Ledger(""))
    for step in CODINGS["own"].passes[:passes]:
        draft = step(draft)
    return draft


def at_scale(draft: Draft, lsb_per_volt: float) -> Draft:
    plan = draft.plans["p"]
    assert plan.scale is not None
    scale = replace(plan.scale, lsb_per_volt=lsb_per_volt)
    return replace(draft, plans=draft.plans | {"p": replace(plan, scale=scale)})


# ------------------------------------------------------------------------------ thresholds


@pytest.mark.parametrize(
    ("compare", "rule", "step"), [(">", "exact-ge", -1), (">=", "exact", 1), (">", "exact", 0)]
)
def test_only_a_threshold_that_is_a_code_is_moved_by_one(
    compare: str, rule: str, step: int
) -> None:
    """In units of 8 LSB: 80 LSB is code 10 and moves; 81 or 79 LSB are near it and do not."""
    profile = nl.load_profile("generic", compare=compare, align_shift=3)
    draft = draft_of(network(nl.LIF(20e-3, v_threshold=1.0)), profile, rule)
    for lsb, code in ((80.0, 10 + step), (80.4, 10 + step), (81.0, 10), (79.0, 10), (85.6, 11)):
        changed = at_scale(draft, lsb)
        p = changed.stepped.populations[0]
        values, _ = codes._code_threshold(changed, p, changed.plans["p"], "population 'p'")
        assert values.tolist() == [code], lsb
    top = at_scale(draft, (2.0**17 - 1) * 8)
    values, (entry,) = codes._code_threshold(
        top, top.stepped.populations[0], top.plans["p"], "population 'p'"
    )
    assert values.tolist() == [2**17 - 1 + min(step, 0)]
    assert entry.clipped == 0
    zero = at_scale(draft, 0.4)
    values, _ = codes._code_threshold(
        zero, zero.stepped.populations[0], zero.plans["p"], "population 'p'"
    )
    assert values.tolist() == [max(step, 0)]


def test_a_start_on_a_rounding_boundary_is_flagged_and_a_far_one_clipped() -> None:
    draft = at_scale(draft_of(network(nl.LIF(20e-3, v_init=0.5)), "generic"), 64.0)
    p, plan = draft.stepped.populations[0], draft.plans["p"]
    lsb = 1 / 64
    for volts, code, ties, clipped in (
        (2.5 * lsb, 2, 1, 0), (2.4 * lsb, 2, 0, 0), (-2.5 * lsb, -2, 1, 0),
        (2.0**18, 2**23 - 1, 0, 1), (-(2.0**18), -(2**23), 0, 1), (1e30, 2**23 - 1, 1, 1),
        ((2.0**23 - 1) * lsb, 2**23 - 1, 0, 0), (-(2.0**17), -(2**23), 0, 0),
    ):  # fmt: skip
        started = replace(p, v_init=np.array([volts]))
        noted, values = codes._code_start(draft, started, plan, "population 'p'")
        assert values["v"].tolist() == [code], volts
        (entry,) = noted.ledger.entries[len(draft.ledger.entries) :]
        assert (entry.field, entry.near_ties, entry.clipped) == ("v_init", ties, clipped), volts


# ---------------------------------------------------------------------------------- delays


def routed(name: str, **routing: Any) -> nl.HardwareProfile:
    base = nl.load_profile(name)
    return base.model_copy(update={"routing": base.routing.model_copy(update=routing)})


def test_spikes_that_cannot_arrive_early_enough_name_the_mend() -> None:
    weights = np.full((2, 2), 0.1)
    loop = nl.Network(
        [nl.Population("p", 2, nl.LIF(20e-3))],
        [nl.Projection("r", "p", "p", weights, delay=DT)],
    )
    profile = routed("loihi2", delay_lo=2)
    with pytest.raises(LoweringError) as caught:
        nl.quantize(nl.discretize(loop, DT), profile)
    assert str(caught.value).startswith(
        "projection 'r' wants its spikes 2 step(s) earlier than they can arrive; profile loihi2 "
        "cannot. Use a shorter dt, or allow it: "
    )
    into = network(nl.LIF(20e-3), nl.Projection("w", "x", "p", weights[:1], delay=DT))
    with pytest.raises(LoweringError) as caught:
        nl.quantize(nl.discretize(into, DT), profile)
    assert "cannot. Use a step rule with input_latency=1, or allow it: " in str(caught.value)


def test_the_longest_delay_is_allowed_and_one_more_is_not() -> None:
    profile = routed("loihi2", delay_hi=5)
    for steps, fits in ((5, True), (6, True), (7, False)):
        net = network(
            nl.LIF(20e-3), nl.Projection("w", "x", "p", np.ones((1, 2)), delay=steps * DT)
        )
        stepped = nl.discretize(net, DT)
        if fits:
            assert nl.quantize(stepped, profile).projections[0].delays.tolist() == steps - 1
        else:
            with pytest.raises(LoweringError, match="a delay of 6 steps, the longest is 5"):
                nl.quantize(stepped, profile)


# ------------------------------------------------------------------------- counts and models


@pytest.mark.parametrize(("bits", "most"), [(3, 7), (1, 1), (0, 1), (4, 15)])
def test_as_many_spikes_at_once_as_the_payload_holds(bits: int, most: int) -> None:
    def spikes(count: int) -> nl.SteppedNetwork:
        source = nl.SpikeInput("x", 1, [0] * count, [k * 1e-5 for k in range(count)])
        weights = np.array([[1.0]])
        net = nl.Network([nl.Population("p", 1, nl.IF(v_threshold=99.0))],
                         [nl.Projection("w", "x", "p", weights, delay=DT)], [source])  # fmt: skip
        return nl.discretize(net, DT)

    profile = routed("loihi2", payload_bits=bits)
    assert nl.quantize(spikes(most), profile).projections[0].graded == (most > 1)
    with pytest.raises(LoweringError, match=f"'x' sends {most + 1} spikes of one channel"):
        nl.quantize(spikes(most + 1), profile)


def test_every_model_that_will_not_do_is_listed() -> None:
    base = nl.load_profile("generic")
    raw = copy.deepcopy(base.model_dump(by_alias=True))
    lif = raw["models"]["lif"]
    odd = {k: lif | {"ops": [op for op in lif["ops"] if op["op"] != k]} for k in ("fire", "acc")}
    raw["models"] = {"silent": odd["fire"], "deaf": odd["acc"]}
    profile = type(base).model_validate(raw)
    with pytest.raises(LoweringError) as caught:
        nl.quantize(nl.discretize(network(nl.LIF(20e-3)), DT), profile)
    assert str(caught.value) == (
        "profile generic has no model that quantize can lower a LIF to; build a FixedNetwork of "
        "its integers by hand, or take another profile\n"
        "  profile generic, model silent: no op fire on register v\n"
        "  profile generic, model deaf: ports , allowed: one port 'in'"
    )


def test_a_model_that_hears_noise_is_no_lif() -> None:
    base = nl.load_profile("generic")
    raw = copy.deepcopy(base.model_dump(by_alias=True))
    raw["noise"] = {"port": "noise", "generator": "mt19937_randint", "lo": -3, "hi": 3,
                    "source": "US", "status": "assumed"}  # fmt: skip
    assert lif_form(type(base).model_validate(raw), "lif").registers == ("v", "u")
    acc = {"op": "acc", "reg": "h", "port": "noise"}
    raw["models"]["lif"]["ops"] = [acc, *raw["models"]["lif"]["ops"]]
    with pytest.raises(LoweringError) as caught:
        lif_form(type(base).model_validate(raw), "lif")
    text = "profile generic, model lif: ports in and noise, allowed: one port 'in'"
    assert str(caught.value) == text


def test_exponential_synapses_want_a_current_register() -> None:
    base = nl.load_profile("generic")
    raw = copy.deepcopy(base.model_dump(by_alias=True))
    ops = [{"op": "decay", "reg": "v", "kind": "mult_keep", "d": "dv", "k": 12, "round": "rtz"},
           {"op": "acc", "reg": "v", "shift": 6, "ovf": [{"mode": "sat"}]},
           {"op": "fire", "reg": "v", "thr": "vth", "thr_shift": 6, "reset": "value"}]  # fmt: skip
    raw["models"] = {"lif": raw["models"]["lif"] | {"current": None, "ops": ops}}
    profile = type(base).model_validate(raw)
    slow = nl.Projection("w", "x", "p", np.ones((1, 2)), nl.Exponential(5e-3), DT)
    with pytest.raises(LoweringError) as caught:
        nl.quantize(nl.discretize(network(nl.LIF(20e-3), slow), DT), profile)
    assert str(caught.value) == (
        "population 'p': exponential synapses want a current register; generic has none, "
        "allowed: Delta()"
    )


def test_receptors_are_averaged_by_all_their_weight() -> None:
    """Neuron 0: weights 1 + 2 at tau 2 ms, 3 at 9 ms; neuron 1: fast alone; 2: none, both alike."""
    fast, slow = nl.Exponential(2e-3), nl.Exponential(9e-3)

    def wired(synapse: Any, name: str, values: Any) -> nl.Projection:
        matrix = sparse.csr_matrix(np.array(values))
        return nl.Projection(name, "x", "p", matrix, synapse, DT)

    parts = [wired(fast, "a", [[1.0, 0.0], [0.5, 0.0], [0.0, 0.0]]),
             wired(slow, "b", [[-3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
             wired(fast, "c", [[0.0, -2.0], [0.0, 0.0], [0.0, 0.0]])]  # fmt: skip
    stepped = nl.discretize(network(nl.LIF(20e-3), *parts, size=3), DT)
    fixed = nl.quantize(stepped, "generic", approximate="synapse")
    fast_loss, slow_loss = 1 - np.exp(-1 / 2), 1 - np.exp(-1 / 9)
    a, b, c = (float(np.abs(q.weights[[0]]).sum()) for q in stepped.projections)
    mean = [(a + b + c) / ((a + c) / fast_loss + b / slow_loss), fast_loss,
            2 / (1 / fast_loss + 1 / slow_loss)]  # fmt: skip
    assert fixed.params("p")["du"].tolist() == [round(4096 * x) for x in mean]


# ------------------------------------------------------------------------------- head-room


def test_head_room_is_that_of_a_coded_network() -> None:
    draft = draft_of(network(nl.LIF(20e-3)), "loihi2")
    with pytest.raises(LoweringError) as caught:
        headroom_of(draft, draft.stepped.populations[0])
    assert str(caught.value) == "head-room is known only of a coded network"


def test_the_share_of_a_range() -> None:
    assert Reached(50, 100).share == 0.5
    assert Reached(5, 0).share == np.inf
    assert Reached(0, 0).share == 0
    assert Reached(5, -1).share == np.inf
    assert type(Reached(5, 0).share) is type(Reached(0, 0).share) is float


PLAIN: list[dict[str, Any]] = [
    {"op": "decay", "kind": "mult_keep", "round": "rtz", "into": None, "reg": "v"},
    {"op": "add", "src": "u", "reg": "v"},
    {"op": "fire", "multi": "once", "min_v": None, "cmp_reg": None, "reg": "v"},
]


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ([], True),
        ([{"op": "copy"}, {"op": "set"}, {"op": "acc"}, {"op": "clamp"}, {"op": "tick_ref"}], True),
        ([{"op": "if_ref", "then": [PLAIN[1]], "else": []}], True),
        ([{"op": "if_ref", "then": [], "else": [{"op": "sub"}]}], False),
        *(([{"op": kind, "then": [], "else": [], "do": []}], False)
          for kind in ("sub", "floor", "if", "if_step", "each", "emit")),
        ([PLAIN[1] | {"src": "-u"}], False),
        ([PLAIN[1] | {"src": 5}], True),
        *(([PLAIN[0] | {"kind": kind}], True) for kind in ("mult_step", "mult_by")),
        *(([PLAIN[0] | {"kind": kind}], False) for kind in ("linear", "linear_to_zero", "shift")),
        *(([PLAIN[0] | {"round": r}], True) for r in ("floor", "raz", "nearest_up")),
        ([PLAIN[0] | {"round": "floor_then_raz"}], False),
        ([PLAIN[0] | {"into": "u"}], False),
        ([PLAIN[2] | {"multi": "loop"}], True),
        ([PLAIN[2] | {"min_v": 0}], False),
        ([PLAIN[2] | {"cmp_reg": "v"}], True),
        ([PLAIN[2] | {"cmp_reg": "u"}], False),
    ],
)  # fmt: skip
def test_models_that_lend_themselves_to_a_proof(changes: Any, plain: bool) -> None:
    assert lends_itself([*PLAIN, *changes]) is plain
    assert lends_itself([*changes, *PLAIN]) is plain


# -------------------------------------------------------------------------------- currents


@pytest.mark.parametrize("shape", [(3,), (3, 5), (2,), (1, 1, 3, 2), (2, 3), (2, 1)], ids=str)
def test_currents_of_any_other_shape_are_refused(shape: Any) -> None:
    net = nl.Network([nl.Population("p", 2, nl.LIF(20e-3))], (), [nl.CurrentInput("i", "p")])
    direct = nl.quantize(nl.discretize(net, DT), "loihi2").directs[0]
    with pytest.raises(RangeError) as caught:
        nl.encode_current(direct, np.zeros(shape))
    assert str(caught.value) == (
        f"input 'i': amperes float64 {shape}, allowed: numbers (n_steps, 2) or (batch, n_steps, 2)"
    )


def test_currents_are_real_numbers() -> None:
    net = nl.Network([nl.Population("p", 2, nl.LIF(20e-3))], (), [nl.CurrentInput("i", "p")])
    direct = nl.quantize(nl.discretize(net, DT), "loihi2").directs[0]
    for values in (np.zeros((3, 2), complex), np.full((3, 2), "1"), np.zeros((3, 2), object)):
        with pytest.raises(RangeError, match="allowed: numbers"):
            nl.encode_current(direct, values)
    whole = nl.encode_current(direct, np.ones((3, 2), int))
    assert whole.tolist() == nl.encode_current(direct, np.ones((1, 3, 2)))[0].tolist()
    assert nl.encode_current(direct, np.ones((3, 2), bool)).tolist() == whole.tolist()


def test_only_a_current_without_an_end_is_coded_for_a_number_of_steps() -> None:
    waves = [nl.CurrentInput("open", "p"),
             nl.CurrentInput("sampled", "p", Sampled(np.ones((4, 1)), DT)),
             nl.CurrentInput("wave", "p", Sinusoid(0.0, 1.0, 0.1))]  # fmt: skip
    net = nl.Network([nl.Population("p", 1, nl.LIF(20e-3))], (), waves)
    fixed = nl.quantize(nl.discretize(net, DT), "loihi2", n_steps=9)
    assert [d.covers for d in fixed.directs] == [None, None, 9]
    assert [None if d.raster is None else len(d.raster) for d in fixed.directs] == [None, 6, 9]
