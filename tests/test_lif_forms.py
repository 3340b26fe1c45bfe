"""How the lowering reads a profile's operations as a LIF, and what it says where it cannot."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.errors import LoweringError
from neuro_lif.lower.form import DecayCode, LifForm, lif_form

FAR = (2**40 - 1) << 6


def profile(*edits: Any, **config: Any) -> nl.HardwareProfile:
    """Return the generic profile; each edit is a function of its LIF's list of operations."""
    base = nl.load_profile("generic", **config)
    raw = copy.deepcopy(base.model_dump(by_alias=True))
    raw["models"] = {"lif": raw["models"]["lif"]}
    for edit in edits:
        edit(raw)
    return type(base).model_validate(raw)


def ops_of(raw: Any) -> list[dict[str, Any]]:
    raw["models"]["lif"]["ops"] = list(raw["models"]["lif"]["ops"])
    return raw["models"]["lif"]["ops"]  # type: ignore[no-any-return]


def with_op(kind: str, reg: str | None = None, /, **changes: Any) -> Any:
    """Change the first operation of a kind (on a register)."""

    def edit(raw: Any) -> None:
        op = next(o for o in ops_of(raw) if o["op"] == kind and reg in (None, o.get("reg")))
        op.update(changes)

    return edit


def without(kind: str, reg: str | None = None) -> Any:
    def edit(raw: Any) -> None:
        ops = ops_of(raw)
        ops.remove(next(o for o in ops if o["op"] == kind and reg in (None, o.get("reg"))))

    return edit


def also(at: int, /, **op: Any) -> Any:
    return lambda raw: ops_of(raw).insert(at, op)


def param(name: str, /, **changes: Any) -> Any:
    return lambda raw: raw["params"][name].update(changes)


def model(**changes: Any) -> Any:
    return lambda raw: raw["models"]["lif"].update(changes)


def refusal(*edits: Any, **config: Any) -> str:
    with pytest.raises(LoweringError) as caught:
        lif_form(profile(*edits, **config), "lif")
    return str(caught.value)


DV = DecayCode("dv", "mult_keep", 12, 0, "rtz", 0, 4096)
GENERIC = LifForm(
    model="lif", decay_v=DV, decay_u=DecayCode("du", "mult_keep", 12, 0, "rtz", 0, 4096),
    in_shift=6, bias_mant="bias_mant", bias_exp="bias_exp", threshold="vth", thr_shift=6,
    compare=">", reset="value", refractory="refract", ref_extra=1, registers=("v", "u"),
    v_span=(-(2**23), 2**23 - 1), u_span=(-(2**23), 2**23 - 1), sum_limit=(2**17 - 1) << 6,
)  # fmt: skip


def changed(form: LifForm, **changes: Any) -> LifForm:
    return LifForm(**{**vars(form), **changes})


def test_the_generic_chip() -> None:
    assert lif_form(profile(), "lif") == GENERIC
    wide = lif_form(profile(state_bits=40, sum_bits=30, align_shift=2), "lif")
    span = (-(2**39), 2**39 - 1)
    assert wide == changed(GENERIC, in_shift=2, thr_shift=2, v_span=span, u_span=span,
                           sum_limit=(2**29 - 1) << 2)  # fmt: skip
    rest = lif_form(profile(compare=">=", rounding="floor", decay_bits=5), "lif")
    assert rest == changed(
        GENERIC, compare=">=", decay_v=DecayCode("dv", "mult_keep", 5, 0, "floor", 0, 32),
        decay_u=DecayCode("du", "mult_keep", 5, 0, "floor", 0, 32),
    )  # fmt: skip


def test_the_largest_sum_that_overflows_nothing() -> None:
    """The narrowest place on the way of the input counts: its own sum, u, or v."""
    for bits, limit in ((6, 2**5 - 1), (12, 2**11 - 1), (40, 2**17 - 1)):
        assert lif_form(profile(sum_bits=bits), "lif").sum_limit == limit << 6
    tight = lif_form(profile(state_bits=8, align_shift=6, sum_bits=40), "lif")
    assert tight.sum_limit == 1 << 6
    none = [also(8, op="clamp", reg="v", lo=0, hi=0)]
    assert "moves v by 0 in its own step" in refusal(*none)


def test_models_of_shipped_chips() -> None:
    form = lif_form(nl.load_profile("loihi2"), "lif")
    assert (form.decay_u, form.decay_v) == (
        DecayCode("du", "mult_keep", 12, 1, "rtz", 0, 4095),
        DecayCode("dv", "mult_keep", 12, 0, "rtz", 0, 4095),
    )
    assert (form.in_shift, form.thr_shift, form.compare, form.refractory) == (6, 6, ">", None)
    held = lif_form(nl.load_profile("loihi2"), "lif_refractory")
    assert (held.refractory, held.ref_extra) == ("refract", 1)


def test_what_a_lif_may_leave_out() -> None:
    no_leak = lif_form(profile(without("decay", "v")), "lif")
    assert no_leak == changed(GENERIC, decay_v=None)
    no_bias = profile(lambda raw: ops_of(raw).pop(5))
    assert lif_form(no_bias, "lif") == changed(GENERIC, bias_mant=None, bias_exp=None)
    no_ref = profile(with_op("fire", ref=None))
    assert lif_form(no_ref, "lif") == changed(GENERIC, refractory=None, ref_extra=0)
    fixed_exp = profile(lambda raw: ops_of(raw)[5].update(shift=0))
    assert lif_form(fixed_exp, "lif") == changed(GENERIC, bias_exp=None)
    same = profile(with_op("fire", cmp_reg="v"))
    assert lif_form(same, "lif") == GENERIC
    kept = profile(with_op("fire", reset="subtract", value=7))
    assert lif_form(kept, "lif").reset == "subtract"


def test_a_model_without_a_current_register() -> None:
    ops = [
        {"op": "decay", "reg": "v", "kind": "mult_by", "d": "dv", "k": 8, "round": "floor"},
        {"op": "acc", "reg": "v", "shift": 3, "ovf": [{"mode": "sat"}]},
        {"op": "fire", "reg": "v", "thr": "vth", "cmp": ">=", "reset": "subtract"},
    ]
    form = lif_form(profile(model(ops=ops, current=None), param("dv", hi=300)), "lif")
    assert form == LifForm(
        model="lif", decay_v=DecayCode("dv", "mult_by", 8, 0, "floor", 0, 256), decay_u=None,
        in_shift=3, bias_mant=None, bias_exp=None, threshold="vth", thr_shift=0, compare=">=",
        reset="subtract", refractory=None, ref_extra=0, registers=("v", "v"),
        v_span=GENERIC.v_span, u_span=GENERIC.v_span, sum_limit=(2**20 - 1) << 3,
    )  # fmt: skip


def test_how_long_v_is_really_held() -> None:
    """The counter is read before or after it ticks, and held or not in the step of the spike."""
    late = profile(without("tick_ref"), also(8, op="tick_ref"))
    assert lif_form(late, "lif").ref_extra == 1
    assert lif_form(profile(without("tick_ref"), also(0, op="tick_ref")), "lif").ref_extra == 1
    assert lif_form(profile(param("refract", lo=2, hi=9, default=3)), "lif").ref_extra == 1
    through_u = profile(with_op("decay", "u", kind="mult_by"), param("du", lo=0, hi=4000))
    assert lif_form(through_u, "lif").ref_extra == 1


@pytest.mark.parametrize("compare", [">", ">="])
@pytest.mark.parametrize("align", [0, 6])
def test_a_refractory_period_is_held_for_its_steps(compare: str, align: int) -> None:
    """Whatever the comparison: a neuron held at 0 must not count as one that fires at 0."""
    chip = nl.load_profile("generic", compare=compare, align_shift=align)
    lifs = chip.models.keys() - {"filter"}
    assert {name: lif_form(chip, name).ref_extra for name in lifs} == dict.fromkeys(lifs, 1)
    neuron = nl.LIF(20e-3, v_threshold=1.0, t_refractory=3e-3, i_bias=5.0)
    network = nl.Network([nl.Population("p", 1, neuron)])
    stepped = nl.discretize(network, 1e-3, "exact-ge" if compare == ">=" else "exact")
    fixed = nl.quantize(stepped, chip)
    assert fixed.params("p")["refract"].tolist() == [4]
    a, b = nl.run_clocked(stepped, 60), nl.run_fixed(fixed, 60)
    assert np.flatnonzero(a.spikes["p"]).tolist() == np.flatnonzero(b.spikes["p"]).tolist()


# ------------------------------------------------------------------------------- refusals

W = "profile generic, model lif"
KNOWN = "(du, dv, vth, bias_mant, bias_exp, out_shift, refract)"


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        ([also(0, op="emit", src="v")],
         f"{W}: op emit is no part of a LIF, allowed: acc, decay, add, copy, set, clamp, floor, "
         "fire, if_ref, tick_ref"),
        ([without("acc")], f"{W}: ports , allowed: one port 'in'"),
        ([with_op("acc", port="gate")], f"{W}: ports gate, allowed: one port 'in'"),
        ([also(0, op="acc", reg="h", port="gate")],
         f"{W}: ports gate, in, allowed: one port 'in'"),
        ([without("fire")], f"{W}: no op fire on register v"),
        ([with_op("fire", reg="u")], f"{W}: no op fire on register v"),
        ([with_op("fire", thr=9)], f"{W}, op fire: thr = 9, allowed: a parameter {KNOWN}"),
        ([with_op("fire", ref=9)],
         f"{W}, op fire: ref = 9, allowed: absent, or a parameter {KNOWN}"),
        ([with_op("fire", value=-3)],
         f"{W}, op fire: value = -3, allowed: 0: quantize puts the reset voltage there"),
        ([with_op("fire", cmp_reg="u")], f"{W}, op fire: cmp_reg = 'u', allowed: absent, or v"),
        ([lambda raw: ops_of(raw)[5].update(shift=2)],
         f"{W}, op add: shift = 2, allowed: 0, or a parameter {KNOWN}"),
        ([with_op("decay", "v", kind="linear")],
         f"{W}, op decay: kind = 'linear', allowed: mult_keep, mult_step or mult_by"),
        ([with_op("decay", "u", d=3)], f"{W}, op decay: d = 3, allowed: a parameter {KNOWN}"),
        ([param("dv", lo=4097, default=4097, hi_pow2=None, hi=5000)],
         f"{W}, op decay: dv = 4097..5000 never lets register v decay, "
         "allowed: a range that meets 0..4096"),
        ([with_op("decay", "v", offset=2),
          param("dv", lo=4095, default=4095, hi_pow2=None, hi=5000)],
         f"{W}, op decay: dv = 4095..5000 never lets register v decay, "
         "allowed: a range that meets 0..4094"),
        ([param("du", lo=-9, default=-2, hi_pow2=None, hi=-1)],
         f"{W}, op decay: du = -9..-1 never lets register u decay, "
         "allowed: a range that meets 0..4096"),
        ([with_op("decay", "u", d="dv")],
         f"{W}: parameter 'dv' is used 2 times, allowed: one each for decays, threshold, bias, "
         "its exponent and the refractory period"),
        ([with_op("fire", thr="bias_mant")],
         f"{W}: parameter 'bias_mant' is used 2 times, allowed: one each for decays, threshold, "
         "bias, its exponent and the refractory period"),
        ([also(5, op="add", reg="d", src="u"), also(6, op="add", reg="d", src="u")],
         f"{W}: one unit of synaptic input moves v by 192 in its own step; quantize lowers to "
         "models that add a power of two of the new input"),
        ([with_op("if_ref", then=[{"op": "set", "reg": "v", "value": -5}]), without("tick_ref")],
         f"{W}: does not fire again"),
    ],
)  # fmt: skip
def test_refusals_name_the_operation_and_what_is_allowed(edits: Any, text: str) -> None:
    assert refusal(*edits) == text


def test_twice_the_input_is_a_shift_by_one_more() -> None:
    form = lif_form(profile(also(5, op="add", reg="d", src="u")), "lif")
    assert (form.in_shift, form.sum_limit) == (7, (2**16 - 1) << 7)


# --------------------------------------------------------------------------------- decays


def test_decay_codes_there_and_back() -> None:
    loss = np.array([0.0, 0.25, 0.5, 0.9375, 1.0])
    for kind, offset, wanted, back in (
        ("mult_keep", 0, [0, 4, 8, 15, 16], [1, 4, 8, 14, 14]),
        ("mult_step", 1, [-1, 3, 7, 14, 15], [2, 4, 8, 15, 15]),
        ("mult_by", 0, [16, 12, 8, 1, 0], [2, 4, 8, 15, 15]),
    ):
        code = DecayCode("d", kind, 4, offset, "rtz", 1, 14)
        values, real = code.encode(loss)
        assert real.tolist() == wanted
        assert values.tolist() == np.clip(wanted, 1, 14).tolist()
        assert code.loss(values).tolist() == [x / 16 for x in back]
