"""The living definition against hand arithmetic, fractions, and the peers' key numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from random_fixed import lif_models
from scipy import sparse

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    load_profile,
    run_fixed,
    run_semantics,
)
from neuro_lif.errors import RangeError
from neuro_lif.formats import (
    OVERFLOWS,
    ROUNDINGS,
    drop_low_bits,
    overflow,
    overflow_array,
    round_shift,
    round_shift_array,
    shift,
    shift_array,
)
from neuro_lif.numerics import resolve, walk
from neuro_lif.op_models import Op
from neuro_lif.semantics import neuron_step

BYTE = (-128, 127)
NO_STATE: dict[str, int] = {}


def program(*ops: dict[str, Any], span: tuple[int, int] = BYTE) -> Any:
    """Return operations as executors read them; every register spans ``span``."""
    checked = TypeAdapter(tuple[Op, ...]).validate_python(ops)
    return resolve(checked, dict.fromkeys("uvwd", span))


def step(
    ops: Any, state: Mapping[str, int], port: int = 0, params: Mapping[str, int] = NO_STATE
) -> tuple[int, dict[str, int], list[tuple[int, str, str]]]:
    """Return (spikes, state after the step, events)."""
    told: list[tuple[int, str, str]] = []
    after = {"u": 0, "v": 0, "w": 0, "d": 0, "ref": 0} | dict(state)
    spikes = neuron_step(ops, params, after, {"in": port}, lambda *event: told.append(event))
    return spikes, after, told


def rounded(x: Fraction, rounding: str) -> int:
    """Round a fraction, each rule written as its name says."""
    floor = math.floor(x)
    if rounding == "floor":
        return floor
    if rounding == "rtz":
        return math.trunc(x)
    if rounding == "raz":
        return math.ceil(x) if x > 0 else floor
    if rounding == "nearest_up":
        return math.floor(x + Fraction(1, 2))
    assert rounding == "floor_then_raz"
    return floor if floor == x else floor + (1 if x > 0 else -1)


# -------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounding_is_what_fractions_say(rounding: str) -> None:
    values = np.arange(-700, 701)
    for k in range(9):
        expected = [rounded(Fraction(int(p), 2**k), rounding) for p in values]
        assert [round_shift(int(p), k, rounding) for p in values] == expected
        assert round_shift_array(values, k, rounding).tolist() == expected


@pytest.mark.parametrize("mode", OVERFLOWS)
def test_overflow_of_every_value_of_small_formats(mode: str) -> None:
    values = np.arange(-80, 81)
    for lo, hi in ((-8, 7), (-7, 7), (-7, 8), (0, 15), (-16, 15), (3, 9)):
        period = hi - lo + 1
        expected = []
        for x in values.tolist():
            if mode == "sat":
                expected.append(sorted((lo, x, hi))[1])
            elif mode == "wrap":
                expected.append(next(y for y in range(lo, hi + 1) if (y - x) % period == 0))
            else:
                expected.append(x + period * ((x < lo) - (x > hi)))
        assert [overflow(x, mode, lo, hi) for x in values.tolist()] == expected
        assert overflow_array(values, mode, lo, hi).tolist() == expected


def test_shift_is_floor_of_the_product() -> None:
    values = np.arange(-40, 41)
    for k in range(-70, 8):
        expected = [math.floor(x * Fraction(2) ** k) for x in values.tolist()]
        assert [shift(x, k) for x in values.tolist()] == expected
        assert shift_array(values, k).tolist() == expected
        assert shift_array(values, np.full(81, k)).tolist() == expected


def test_an_unknown_rule_is_refused() -> None:
    one = np.array([3])
    for call in (lambda: round_shift(3, 1, "up"), lambda: round_shift_array(one, 1, "up"),
                 lambda: overflow(300, "trap", 0, 9), lambda: overflow_array(one, "trap", 0, 1),
                 lambda: neuron_step([{"op": "jump"}], {}, {}, {})):  # fmt: skip
        with pytest.raises(ValueError):
            call()


def test_low_bits() -> None:
    w = np.array([-5, -4, -3, -1, 0, 1, 3, 5, 6])
    assert drop_low_bits(w, 1, "floor").tolist() == [-6, -4, -4, -2, 0, 0, 2, 4, 6]
    assert drop_low_bits(w, 1, "rtz").tolist() == [-4, -4, -2, 0, 0, 0, 2, 4, 6]
    assert drop_low_bits(w, 1, "nearest_even").tolist() == [-4, -4, -4, 0, 0, 0, 4, 4, 6]
    assert drop_low_bits(w, 0, "floor").tolist() == w.tolist()
    assert drop_low_bits(w, -1, "floor").tolist() == [0] * 9


# ------------------------------------------------------------------------------ operations


@pytest.mark.parametrize(
    ("kind", "rounding"),
    [*itertools.product(("mult_keep", "mult_step", "mult_by"), ROUNDINGS)],
)
def test_multiplying_decays(kind: str, rounding: str) -> None:
    """x (1 - (d + offset)/2^k), rounded; or what is lost is rounded; or x d / 2^k."""
    k = 4
    for offset in (0, 1):
        ops = program({"op": "decay", "reg": "v", "kind": kind, "d": "p", "k": k,
                       "offset": offset, "round": rounding})  # fmt: skip
        for x, d in itertools.product(range(-40, 41), (0, 1, 5, 8, 15, 16, 17)):
            lost, kept = Fraction(d + offset, 2**k), Fraction(d, 2**k)
            expected = {
                "mult_keep": rounded(x * (1 - lost), rounding),
                "mult_step": x - rounded(x * lost, rounding),
                "mult_by": rounded(x * kept, rounding),
            }[kind]
            assert step(ops, {"v": x}, params={"p": d})[1]["v"] == expected, (x, d, offset)


def test_shift_and_linear_decays() -> None:
    def after(x: int, kind: str, d: int, **rest: Any) -> int:
        op = {"op": "decay", "reg": "v", "kind": kind, "d": d} | rest
        return step(program(op), {"v": x})[1]["v"]

    assert [after(x, "shift", 2) for x in (9, 3, -1, -9)] == [7, 3, 0, -6]  # x - floor(x/4)
    assert [after(x, "shift", 2, min_step=1) for x in (9, 3, -1, 0)] == [7, 2, 0, 0]
    assert [after(x, "linear", 3) for x in (9, 3, 1, -9)] == [6, 0, -2, -12]
    assert [after(x, "linear_to_zero", 3) for x in (9, 3, 1, 0, -1, -9)] == [6, 0, 0, 0, 0, -6]


def test_decay_into_another_register_leaves_the_first() -> None:
    ops = program({"op": "decay", "reg": "v", "kind": "mult_keep", "d": 4, "k": 4, "into": "d"})
    _, after, _ = step(ops, {"v": 10, "d": 99})
    assert (after["v"], after["d"]) == (10, -3)  # floor(7.5) - 10


def test_decay_overflow_of_a_growing_register() -> None:
    ops = program({"op": "decay", "reg": "v", "kind": "mult_by", "d": 3, "k": 0,
                   "ovf": [{"mode": "sat"}]})  # fmt: skip
    _, after, told = step(ops, {"v": 100})
    assert after["v"] == 127
    assert told == [(0, "v", "sat")]


def test_acc_bounds_sum_shifted_sum_and_register_in_this_order() -> None:
    ops = program({"op": "acc", "reg": "u", "shift": 2,
                   "sum_ovf": [{"mode": "wrap", "lo": -8, "hi": 7}],
                   "shift_ovf": [{"mode": "sat", "lo": -20, "hi": 20}],
                   "ovf": [{"mode": "wrap"}]})  # fmt: skip
    assert step(ops, {"u": 1}, 3)[1]["u"] == 13
    _, after, told = step(ops, {"u": 120}, 23)  # 23 -> 7; 28 -> 20; 140 -> -116
    assert after["u"] == -116
    assert told == [(0, "sum", "wrap"), (0, "sum", "sat"), (0, "u", "wrap")]
    other_port = program({"op": "acc", "reg": "u", "port": "gate"})
    assert step(other_port, {"u": 5}, 77)[1]["u"] == 5


def test_add_sub_copy_set() -> None:
    ops = program(
        {"op": "add", "reg": "v", "src": "p", "shift": "e"},
        {"op": "sub", "reg": "v", "src": 5, "shift": -1},
        {"op": "copy", "reg": "w", "src": "v"},
        {"op": "set", "reg": "u", "value": "p"},
        {"op": "add", "reg": "w", "src": "w"},
    )
    _, after, _ = step(ops, {"v": 1}, params={"p": -3, "e": 3})
    assert (after["v"], after["w"], after["u"]) == (1 - 24 - 2, -50, -3)
    bounded = program({"op": "add", "reg": "v", "src": 1, "shift": 9,
                       "src_ovf": [{"mode": "sat"}], "ovf": [{"mode": "wrap"}]})  # fmt: skip
    _, after, told = step(bounded, {"v": 2})
    assert (after["v"], told) == (-127, [(0, "1", "sat"), (0, "v", "wrap")])


def test_clamp_counts_what_it_changes() -> None:
    ops = program({"op": "clamp", "reg": "v", "lo": "low", "hi": 20})
    for x, kept, events in ((-9, -4, 1), (-4, -4, 0), (20, 20, 0), (21, 20, 1)):
        _, after, told = step(ops, {"v": x}, params={"low": -4})
        assert (after["v"], told) == (kept, [(0, "v", "clamp")] * events)
    crossed = program({"op": "clamp", "reg": "v", "lo": 5, "hi": 2})
    assert [step(crossed, {"v": x})[1]["v"] for x in (0, 3, 9)] == [2, 2, 2]


def test_floor_sets_or_subtracts_and_is_no_overflow() -> None:
    set_ = program({"op": "floor", "reg": "v", "level": -10, "value": -10})
    assert [step(set_, {"v": x})[1]["v"] for x in (-11, -10, -9)] == [-10, -10, -9]
    take = {"op": "floor", "reg": "v", "level": "p", "cmp": "<=", "action": "subtract", "value": -7}
    after = [step(program(take), {"v": x}, params={"p": -10}) for x in (-11, -10, -9)]
    assert [a["v"] for _, a, _ in after] == [-4, -3, -9]
    assert not any(told for _, _, told in after)


@pytest.mark.parametrize(("compare", "first"), [(">", 97), (">=", 96)])
def test_fire_compares_with_the_shifted_threshold(compare: str, first: int) -> None:
    ops = program({"op": "fire", "reg": "v", "thr": 3, "thr_shift": 5, "cmp": compare, "value": -2})
    for v in range(90, 101):
        spikes, after, _ = step(ops, {"v": v})
        assert (spikes, after["v"]) == ((1, -2) if v >= first else (0, v))


def test_fire_resets() -> None:
    fire = {"op": "fire", "reg": "v", "thr": 10}
    expected = {"value": 0, "subtract": 27, "none": 37}
    for reset, left in expected.items():
        spikes, after, _ = step(program(fire | {"reset": reset}), {"v": 37})
        assert (spikes, after["v"]) == (1, left)


def test_fire_several_times_in_a_step() -> None:
    fire = {"op": "fire", "reg": "v", "thr": 10, "reset": "subtract", "multi": "loop", "cap": 3}
    found = [step(program(fire), {"v": v}) for v in (9, 10, 29, 30, 57)]
    assert [(s, a["v"]) for s, a, _ in found] == [(0, 9), (1, 0), (2, 9), (3, 0), (3, 27)]
    wrapping = program(fire | {"thr": -100, "cap": 2, "ovf": [{"mode": "wrap"}]})
    spikes, after, told = step(wrapping, {"v": 0})  # 0 + 100, then 200 -> -56
    assert (spikes, after["v"], told) == (2, -56, [(0, "v", "wrap")])


def test_fire_compares_another_register_and_needs_min_v() -> None:
    ops = program({"op": "fire", "reg": "v", "cmp_reg": "w", "thr": 5, "min_v": 8, "value": 1})
    assert [step(ops, {"v": 50, "w": w})[0] for w in (4, 5, 7, 8)] == [0, 0, 0, 1]
    assert step(ops, {"v": 50, "w": 8})[1]["v"] == 1
    assert step(ops, {"v": 50, "w": 8})[1]["w"] == 8


def test_two_fires_add_up() -> None:
    ops = program({"op": "fire", "reg": "v", "thr": 5}, {"op": "fire", "reg": "w", "thr": 5})
    assert step(ops, {"v": 6, "w": 0})[0] == 1
    assert step(ops, {"v": 6, "w": 6})[0] == 2


def test_if_ref_and_tick_ref() -> None:
    ops = program(
        {"op": "if_ref", "then": [{"op": "set", "reg": "v", "value": 7}],
         "else": [{"op": "fire", "reg": "v", "thr": 1, "ref": 3}]},
        {"op": "tick_ref"},
    )  # fmt: skip
    state, seen = {"v": 5}, []
    for _ in range(4):
        spikes, state, _ = step(ops, state)
        seen.append((spikes, state["v"], state["ref"]))
    assert seen == [(1, 0, 2), (0, 7, 1), (0, 7, 0), (1, 0, 2)]


# ------------------------------------------------------------------------- the peers' rows


def drive(
    profile: str, raster: Sequence[int], model: str = "lif", **params: int
) -> tuple[list[int], list[int], list[int]]:
    """Return (u, v, spikes) of one neuron fed directly, equal in both engines."""
    fixed = FixedNetwork(
        load_profile(profile),
        (FixedPopulation("n", 1, model, params),),
        directs=(DirectInput("i", "n", np.array(raster)[:, None]),),
        enforce_ranges=False,
    )
    runs = [run(fixed, len(raster), record="all") for run in (run_semantics, run_fixed)]
    found = [
        tuple(a[:, 0].tolist() for a in (r.trace("n", "u"), r.trace("n", "v"), r.spikes["n"]))
        for r in runs
    ]
    assert found[0] == found[1]
    assert runs[0].events == runs[1].events
    return found[0]


def test_lava_u_wrap_row() -> None:
    """2^23 stays, -2^23 becomes 2^23, one wrap only, the shift overflows 32 bit."""
    raster = [131071, 131072, 131073, -131071, -131072, -131073, 393217, -393217, 2**25, 2**25 + 5]
    u, v, s = drive("lava-0.10", raster, du=4095, dv=4096, vth=131071)
    assert u == [8388544, 8388608, -8388544, -8388544, 8388608, 8388544, 8388672, -8388672,
                 -2130706432, -2130706112]  # fmt: skip
    assert (v[1], s[1]) == (0, 1)  # saturated 8388607 is above 131071 * 64
    assert v[2] == -8388544


def test_lava_decay_rows() -> None:
    u, v, _ = drive("lava-0.10", [-101, 0, 0, 57, 0, 0], du=1023, dv=511, vth=131071)
    assert u == [-6464, -4848, -3636, 921, 690, 517]
    assert v == [-6464, -10505, -12830, -10308, -8332, -6775]
    assert drive("lava-0.10", [5, 0, 0, 0], du=0, vth=99)[0] == [320, 319, 318, 317]
    assert drive("lava-0.10", [100, 0, 0], du=4096, dv=4096, vth=131071)[1] == [6400, -1, 0]


def test_loihi1_wraps_the_input_sum_to_22_bits_and_u_to_24() -> None:
    assert drive("loihi1", [2**21 // 64], du=4095)[0] == [-(2**21)]
    u, _, _ = drive("loihi1", [32767] * 5, du=0, vth=131071)
    by_hand = 0
    for found in u:
        by_hand = math.trunc(Fraction(by_hand * 4095, 4096)) + 32767 * 64
        by_hand = (by_hand + 2**23) % 2**24 - 2**23
        assert found == by_hand
    assert min(u) < 0


def models_that(**fire: Any) -> list[tuple[str, str]]:
    """Return (profile, model) of the shipped models whose fire operation says so."""
    found = []
    for name in ("lava-0.10", "loihi1", "loihi2", "generic"):
        profile = load_profile(name)
        for model in lif_models(profile):
            fires = [op for op in walk(profile.ops(model)) if op["op"] == "fire"]
            if all(op[k] == v for op in fires for k, v in fire.items()):
                found.append((name, model))
    return found


REFRACTORY = models_that(ref="refract", reset="value")
SUBTRACTING = models_that(reset="subtract")


def test_every_chip_with_a_refractory_period_is_tested() -> None:
    assert {profile for profile, _ in REFRACTORY} == {"loihi1", "loihi2", "generic"}
    assert {profile for profile, _ in SUBTRACTING} == {"loihi2", "generic"}


@pytest.mark.parametrize(("profile", "model"), REFRACTORY)
@pytest.mark.parametrize("refract", [1, 2, 3, 7])
def test_refractory_holds_v_for_refract_minus_1_steps(
    profile: str, model: str, refract: int
) -> None:
    n = 40
    no_u = 4096 - (profile != "generic")  # u keeps nothing from step to step
    u, v, s = drive(profile, [10] * n, model, dv=0, vth=14, du=no_u, refract=refract)
    period = 1 + refract  # two steps of 640 pass 896; refract - 1 held ones come between
    spikes = [t for t in range(n) if s[t]]
    assert spikes == list(range(1, n, period))
    held = [t + k for t in spikes for k in range(refract) if t + k < n]
    assert all(v[t] == 0 for t in held)
    assert all(v[t] == 640 for t in range(n) if t not in held)
    assert u == [640] * n


@pytest.mark.parametrize(("profile", "model"), SUBTRACTING)
def test_subtracting_reset_keeps_what_is_over(profile: str, model: str) -> None:
    no_u = 4096 - (profile != "generic")
    _, v, s = drive(profile, [10] * 8, model, dv=0, vth=14, du=no_u)
    by_hand, voltage = [], 0
    for _ in range(8):
        voltage += 640
        spike = voltage > 14 * 64
        voltage -= 14 * 64 * spike
        by_hand.append((voltage, int(spike)))
    assert list(zip(v, s, strict=True)) == by_hand
    assert s == [0, 1, 1, 0, 1, 1, 0, 1]


def test_generic_compare_and_overflow_are_config() -> None:
    for compare, spikes in ((">", [0, 1]), (">=", [1, 1])):
        profile = load_profile("generic", compare=compare, align_shift=0)
        fixed = FixedNetwork(profile, (FixedPopulation("n", 1, params={"vth": 5, "bias_mant": 5}),))
        assert run_semantics(fixed, 2).spikes["n"][:, 0].tolist() == spikes
    for overflow_, v in (("sat", [100, 127, 127]), ("wrap", [100, -56, 44])):
        profile = load_profile("generic", state_bits=8, align_shift=0, overflow=overflow_)
        one = FixedPopulation("n", 1, params={"vth": 1000, "bias_mant": 100})
        run = run_semantics(FixedNetwork(profile, (one,)), 3, record="all")
        assert run.trace("n", "v")[:, 0].tolist() == v


# ---------------------------------------------------------------------------- the network


def two_synapses(profile: str, weights: Any, **rest: Any) -> FixedNetwork:
    size, channels = np.shape(weights)
    return FixedNetwork(
        load_profile(profile),
        (FixedPopulation("n", size, params={"du": 4095, "vth": 131071}),),
        (FixedProjection("c", "x", "n", np.array(weights), **rest),),
        (FixedSource("x", channels),),
    )


def first_u(fixed: FixedNetwork, row: Sequence[int]) -> list[int]:
    """Return u in the step after one input row, equal in both engines."""
    rows = np.array([row, [0] * len(row)])
    u = [run(fixed, 2, {"x": rows}, record="all").trace("n", "u").tolist()
         for run in (run_semantics, run_fixed)]  # fmt: skip
    assert u[0] == u[1]
    assert u[0][0] == [0] * len(u[0][0])
    return list(u[0][1])


def test_negative_exponent_floors_the_sum_or_each_synapse() -> None:
    assert first_u(two_synapses("lava-0.10", [[3, 3]], exponent=-1), [1, 1]) == [192]
    assert first_u(two_synapses("loihi1", [[3, 3]], exponent=-1), [1, 1]) == [128]


def test_mixed_mode_drops_the_lowest_bit() -> None:
    weights = [[3], [-3], [5], [-1]]
    lava = first_u(two_synapses("lava-0.10", weights), [1])
    loihi1 = first_u(two_synapses("loihi1", weights), [1])
    assert lava == [64 * w for w in (2, -4, 4, -2)]
    assert loihi1 == [64 * w for w in (2, -2, 4, 0)]


def test_graded_or_not() -> None:
    assert first_u(two_synapses("lava-0.10", [[10, 4]], graded=True), [5, -2]) == [64 * 42]
    assert first_u(two_synapses("lava-0.10", [[10, 4]]), [5, -2]) == [64 * 14]


@pytest.mark.parametrize("run", [run_semantics, run_fixed])
def test_arrival_steps(run: Any) -> None:
    """A spike of step t arrives in t + latency + delay; input latency can be set to 0."""

    def arrivals(delay: int, latency: int | None) -> list[int]:
        fixed = two_synapses("lava-0.10", [[2]], delays=delay, latency=latency)
        u = run(fixed, 9, {"x": [[1], [0], [1]]}, record="all").trace("n", "u")
        return [int(t) + 1 for t in np.flatnonzero(u)]

    assert arrivals(0, None) == [2, 4]
    assert arrivals(3, None) == [5, 7]
    assert arrivals(0, 0) == [1, 3]
    assert arrivals(3, 0) == [4, 6]


@pytest.mark.parametrize("run", [run_semantics, run_fixed])
def test_latency_0_leads_forward_within_the_step(run: Any) -> None:
    """A population listed before its target may reach it in the same step, and only then."""

    def chain(first: str, second: str) -> FixedNetwork:
        params = {"du": 4095, "vth": 1, "bias_mant": 0}
        return FixedNetwork(
            load_profile("lava-0.10"),
            tuple(FixedPopulation(n, 1, params=params) for n in (first, second)),
            (FixedProjection("c", "a", "b", np.array([[2]]), latency=0),),
            directs=(DirectInput("i", "a", np.array([[2], [0], [2]])),),
        )

    recording = run(chain("a", "b"), 4)
    assert recording.spikes["a"][:, 0].tolist() == [1, 0, 1, 0]
    assert recording.spikes["b"][:, 0].tolist() == [1, 0, 1, 0]
    with pytest.raises(RangeError, match="latency = 0"):
        chain("b", "a")


def test_delays_and_latency_never_lead_back() -> None:
    for bad in ({"delays": -1}, {"latency": -1}, {"latency": 0.5}):
        with pytest.raises(RangeError, match=next(iter(bad))):
            two_synapses("lava-0.10", [[2]], **bad)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
def test_delays_follow_their_weights_into_stored_order(layout: str) -> None:
    """One delay per stored weight, in the order in which the caller stores them."""
    rows, columns = np.array([1, 0, 1, 0]), np.array([2, 2, 0, 1])
    weights, delays = np.array([2, 4, 6, 8]), np.array([1, 2, 3, 4])
    given = sparse.coo_matrix((weights, (rows, columns)), shape=(2, 3))
    numbered = sparse.coo_matrix((delays, (rows, columns)), shape=(2, 3))
    fixed = two_synapses("lava-0.10", np.zeros((2, 3), int))
    p = FixedProjection("c", "x", "n", given.asformat(layout),
                        delays=numbered.asformat(layout).data)  # fmt: skip
    fixed = FixedNetwork(fixed.profile, fixed.populations, (p,), fixed.sources)
    for run in (run_semantics, run_fixed):
        u = run(fixed, 7, {"x": [[1, 1, 1]]}, record="all").trace("n", "u")
        for row, delay, weight in zip(rows, delays, weights, strict=True):
            assert u[1 + delay, row] == 64 * weight


def test_weight_bits_outside_the_range_need_ranges_off() -> None:
    for bits, weights in ((0, [0, -512]), (9, [201, -7]), (10, [0, 0])):
        p = FixedProjection("c", "x", "n", np.array([[201], [-7]]), weight_bits=bits)
        parts = (FixedPopulation("n", 2),), (p,), (FixedSource("x", 1),)
        with pytest.raises(RangeError, match="weight_bits"):
            FixedNetwork(load_profile("lava-0.10"), *parts)
        loose = FixedNetwork(load_profile("lava-0.10"), *parts, enforce_ranges=False)
        assert loose.effective_weights(p).ravel().tolist() == weights


def test_parameter_storage_wraps_and_says_so() -> None:
    one = FixedPopulation("n", 1, params={"bias_mant": 40000, "vth": 131071})
    fixed = FixedNetwork(load_profile("lava-0.10"), (one,), enforce_ranges=False)
    recording = run_semantics(fixed, 2, record="all")
    assert recording.trace("n", "v")[:, 0].tolist() == [-25536, -51072]
    assert [(e.register, e.kind, e.first_step) for e in recording.events] == [
        ("bias_mant", "wrap", 0)
    ]


@pytest.mark.parametrize("run", [run_semantics, run_fixed])
def test_an_event_names_the_lowest_neuron_of_its_first_step(run: Any) -> None:
    """Neuron 1 overflows in the sum, neuron 0 only in the shift that comes after."""
    fixed = two_synapses("lava-0.10", [[0, 1], [255, 0], [9, 9]], exponent=2, graded=True)
    recording = run(fixed, 3, {"x": [[2**30, 2**30], [0, 0]]})
    sums = [e for e in recording.events if e.where == "c"]
    assert [(e.register, e.kind, e.operation, e.first_step, e.first_neuron) for e in sums] == [
        ("sum", "wrap", -1, 1, 0)
    ]
    assert sums[0].count == 5
