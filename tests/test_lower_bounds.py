"""Head-room on the reals and the scales that follow: by hand, on numbers a pencil can follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import neuro_lif as nl
from neuro_lif.errors import LoweringError
from neuro_lif.lower import search
from neuro_lif.lower.bounds import (
    Bounds,
    Demand,
    Incoming,
    Limits,
    active,
    arriving,
    bounds,
    hard_limit,
    highest_scale,
    lanes_of,
    strongest,
)
from neuro_lif.lower.search import best_exponent, choose_scale, code_weights, sampled

RULES = nl.load_profile("generic").weights
LIMITS = Limits((-2000, 1000), (-900, 500), 300.0, 800.0, 120.0, 2, 3, RULES)


def values(*x: float) -> Any:
    return np.array(x, np.float64)


def numbers(*x: int) -> Any:
    return np.array(x, np.int64)


def incoming(weights: Any, post: Any = None, **rest: Any) -> Incoming:
    weights = values(*weights)
    post = np.zeros(len(weights), np.int64) if post is None else numbers(*post)
    return Incoming(**{"values": weights, "post": post, "mode": "mixed", "weight_bits": 8,
                       "sources": len(weights)} | rest)  # fmt: skip


def demand(**changes: Any) -> Demand:
    """One neuron: threshold 8, half of u and a quarter of v lost per step."""
    start: dict[str, Any] = {
        "threshold": values(8), "bias": values(0), "v_init": values(0), "loss_u": values(0.5),
        "loss_v": values(0.25), "reset": "value", "incoming": (), "current": values(0),
    }  # fmt: skip
    return Demand(**(start | changes))


# ---------------------------------------------------------------------------- what arrives


def test_an_active_share_is_rounded_up() -> None:
    assert [active(10, a) for a in (1.0, 0.5, 0.41, 0.3, 0.1, 0.05, 0.0)] == [10, 5, 5, 3, 1, 1, 1]
    assert active(3, 0.1 + 0.2) == 1
    assert active(10, 0.1 * 3) == 3, "0.30000000000000004 of ten is three"
    assert active(0, 1.0) == 1


def test_lanes_number_the_delays() -> None:
    assert lanes_of(np.array(7)) == (0, 1)
    assert lanes_of(np.zeros(0, np.int64)) == (0, 1)
    number, count = lanes_of(numbers(5, 2, 5, 9))
    assert (number.tolist(), count) == ([1, 0, 1, 2], 3)  # type: ignore[union-attr]
    number, count = lanes_of(numbers(4))
    assert (np.asarray(number).tolist(), count) == ([0], 1)


def test_the_strongest_of_each_neuron_and_lane() -> None:
    weights, post = values(5, -3, 2, 4, 7, 0), numbers(0, 0, 0, 2, 2, 2)
    assert strongest(weights, post, 4, 1).tolist() == [5, 0, 7, 0]
    assert strongest(weights, post, 4, 2).tolist() == [7, 0, 11, 0]
    assert strongest(weights, post, 4, 9).tolist() == [7, 0, 11, 0]
    lane = numbers(0, 1, 1, 0, 0, 0)
    assert strongest(weights, post, 4, 1, lane, 2).tolist() == [7, 0, 7, 0]
    assert strongest(values(), numbers(), 2, 1).tolist() == [0, 0]
    assert strongest(values(-1), numbers(1), 2, 1).tolist() == [0, 0]


def test_what_can_arrive_up_and_down() -> None:
    parts = [incoming([3, -2, 1, -4], [0, 0, 1, 1], sources=2, most=1),
             incoming([10, 20], [0, 0], sources=4, most=3)]  # fmt: skip
    up, down = arriving(parts, 2, 1.0)
    assert (up.tolist(), down.tolist()) == ([3 + 90, 1], [2, 4])
    up, down = arriving(parts, 2, 0.25)
    assert (up.tolist(), down.tolist()) == ([3 + 60, 1], [2, 4])
    lanes = incoming([3, 5, -6, -1], [0, 0, 0, 0], sources=1, most=2,
                     lane=numbers(0, 1, 0, 0), lanes=2)  # fmt: skip
    up, down = arriving([lanes], 1, 1.0)
    assert (up.tolist(), down.tolist()) == ([16], [12])


# ----------------------------------------------------------------------------- how far it goes


def rows(b: Bounds) -> list[Any]:
    return [x.tolist() for x in (b.sum, b.u, b.v_up, b.v_down)]


def test_bounds_of_a_neuron_that_resets_to_a_value() -> None:
    """u goes to 6 / 0.5, v one drive above the threshold, or to where the drive holds it."""
    d = demand(incoming=(incoming([4, 2, -1]),))
    assert rows(bounds(d, 1.0)) == [[6], [12], [20], [8]]
    assert rows(bounds(replace(d, bias=values(3)), 1.0)) == [[6], [12], [23], [0]]
    assert rows(bounds(replace(d, bias=values(-11.5)), 1.0)) == [[6], [12], [2], [54]]
    assert rows(bounds(replace(d, v_init=values(-30)), 1.0)) == [[6], [12], [42], [30]]
    assert rows(bounds(replace(d, v_init=values(90)), 1.0)) == [[6], [12], [90], [90]]
    down = demand(incoming=(incoming([-4, -2, 1]),))
    assert rows(bounds(down, 1.0)) == [[6], [12], [8], [48]]


def test_bounds_of_other_resets() -> None:
    d = demand(incoming=(incoming([4, 2, -1]),))
    assert rows(bounds(replace(d, reset="none"), 1.0))[2] == [48]
    assert rows(bounds(replace(d, reset="subtract"), 1.0))[2] == [20 + 16]
    small = demand(incoming=(incoming([4]),), reset="subtract")
    assert rows(bounds(small, 1.0))[2] == [16]
    little = demand(incoming=(incoming([4.25]),), reset="subtract")  # half a volt above it
    assert rows(bounds(little, 1.0))[2] == [8 + 8.5 + 0.5 / 0.25]
    much = demand(incoming=(incoming([6]),), reset="subtract", loss_v=values(1.0))
    assert rows(bounds(much, 1.0))[2] == [12]


def test_a_current_counts_once_in_u_and_with_what_u_keeps_in_the_sum() -> None:
    d = demand(current=values(3), incoming=(incoming([4, -6]),))
    assert rows(bounds(d, 1.0)) == [[6 + 1.5 * 3], [15], [8 + 11], [60]]


def test_without_a_leak_a_bound_that_is_no_proof_is_over_a_thousand_steps() -> None:
    d = demand(incoming=(incoming([4]),), loss_u=values(0.0), loss_v=values(0.0), reset="none")
    assert rows(bounds(d, 1.0)) == [[4], [4000], [4e6], [0]]
    assert rows(bounds(d, 0.5)) == [[4], [4000], [4e6], [0]]
    tiny = demand(incoming=(incoming([4]),), loss_u=values(1.0), loss_v=values(1e-4), reset="none")
    assert rows(bounds(tiny, 1.0))[2] == pytest.approx([4e4])
    assert rows(bounds(tiny, 0.5))[2] == [4000]


def test_bounds_of_several_neurons_are_their_own() -> None:
    d = demand(
        threshold=values(8, 1), bias=values(0, 2), v_init=values(0, 0), loss_u=values(0.5, 1),
        loss_v=values(0.25, 0.5), current=values(0, 0), incoming=(incoming([4, -2], [0, 1]),),
    )  # fmt: skip
    assert rows(bounds(d, 1.0)) == [[4, 2], [8, 2], [16, 3], [0, 0]]


# ---------------------------------------------------------------------------------- scales


def test_the_first_register_to_fill_up_sets_the_scale() -> None:
    b = Bounds(values(3, 1), values(1, 2), values(4, 5), values(1, 8))
    assert highest_scale(b, LIMITS) == 100.0
    assert highest_scale(replace(b, sum=values(0)), LIMITS) == 200.0
    assert highest_scale(replace(b, sum=values(0), u=values(5)), LIMITS) == 100.0
    assert highest_scale(replace(b, sum=values(0), u=values(0)), LIMITS) == 200.0
    assert highest_scale(replace(b, sum=values(0), u=values(0)), LIMITS, spikes=False) == 160.0
    down = Bounds(values(0), values(0), values(0), values(4))
    assert highest_scale(down, LIMITS) == 500.0
    assert highest_scale(Bounds(*[values(0)] * 4), LIMITS) == np.inf
    low = replace(LIMITS, v=(-2000, 300))
    assert highest_scale(replace(b, sum=values(0), u=values(0)), low, spikes=False) == 60.0


def test_parameters_set_a_scale_too() -> None:
    assert hard_limit(demand(threshold=values(8, np.inf, 4)), LIMITS) == 100.0
    assert hard_limit(demand(threshold=values(np.inf)), LIMITS) == np.inf
    assert hard_limit(demand(bias=values(-3)), LIMITS) == 40.0
    assert hard_limit(demand(bias=values(3)), replace(LIMITS, bias=0.0)) == 100.0
    assert hard_limit(demand(bias=values(0)), LIMITS) == 100.0
    # the search goes four times beyond the scale at which the largest weight just fits
    unit = 2.0 ** (RULES.exponent_hi + 2)
    big = demand(threshold=values(np.inf), incoming=(incoming([1e3, -1e6]), incoming([2e6])))
    assert hard_limit(big, LIMITS) == 4 * 256 * unit / 2e6
    plus = incoming([1e6], mode="excitatory")
    only = demand(threshold=values(np.inf), incoming=(plus, incoming([0.0])))
    assert hard_limit(only, LIMITS) == 4 * max(RULES.mode_range("excitatory")[1], 0) * unit / 1e6


def test_no_room_at_all_is_refused_with_every_range() -> None:
    none = replace(LIMITS, v=(-5, 0))
    with pytest.raises(LoweringError) as caught:
        choose_scale(demand(incoming=(incoming([1.0]),)), none)
    assert str(caught.value) == (
        "no scale fits: the profile has v -5..0, u -900..500, threshold up to 800, "
        "sum up to 300 (LSB of v), weights -256..255; allowed: ranges that hold more than 0"
    )


# --------------------------------------------------------------------------------- weights


def test_weights_are_rounded_to_a_step_and_cut_to_the_range() -> None:
    p = incoming([1.0, 1.24, 1.26, -1.3, 500, -500, 0.0])
    # 4 LSB of the chip per unit of 2 ** (0 + 2): at s = 8 a volt is 2 units; the mixed step is 2
    assert code_weights(p.values, p, LIMITS, 8.0, 0).tolist() == [2, 2, 2, -2, 254, -256, 0]
    assert code_weights(p.values, p, LIMITS, 16.0, 1).tolist() == [2, 2, 2, -2, 254, -256, 0]
    assert code_weights(p.values, p, LIMITS, 16.0, 0).tolist() == [4, 4, 6, -6, 254, -256, 0]
    four = replace(p, weight_bits=4)
    assert code_weights(values(5, 500, -500), four, LIMITS, 16.0, 0).tolist() == [32, 224, -256]
    huge = code_weights(values(1e300, -1e300), p, LIMITS, 1e5, 0)
    assert huge.tolist() == [254, -256]


def test_the_exponent_with_the_least_error_wins() -> None:
    exact = incoming([2.0, 4.0, -6.0])
    exponent, error = best_exponent(exact, LIMITS, 4.0)
    assert exponent == 0
    assert error.tolist() == [0, 0, 0]
    wide = incoming([1000.0, -3.0])
    exponent, error = best_exponent(wide, LIMITS, 4.0)
    assert exponent == 2
    assert error.tolist() == [0, 3 - 0]
    clipped = incoming([260.0] + [2.0] * 400)
    exponent, error = best_exponent(clipped, LIMITS, 4.0)
    assert (exponent, error[0], set(error[1:].tolist())) == (0, 254 - 260, {0.0})
    assert best_exponent(incoming([0.0]), LIMITS, 4.0)[0] == 0
    assert best_exponent(incoming([]), LIMITS, 4.0)[1].size == 0
    far = best_exponent(incoming([1e12]), LIMITS, 4.0)
    assert far[0] == RULES.exponent_hi


def test_large_projections_are_sampled_with_their_largest_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "SAMPLE", 5)
    weights = [float(k) for k in range(11)]
    weights[3] = -99.0
    whole = incoming(weights, range(11), mode="mixed", weight_bits=5, most=4, sources=7)
    few = incoming([1.0] * 5)
    first, second = sampled((whole, few))
    assert first.values.tolist() == [-99, 2, 5, 7, 10]
    assert first.post.tolist() == [3, 2, 5, 7, 10]
    assert (first.mode, first.weight_bits, first.sources, first.most) == ("mixed", 5, 7, 4)
    assert second is few
    d = demand(incoming=(whole,), threshold=np.full(11, 8.0), bias=np.zeros(11),
               v_init=np.zeros(11), loss_u=np.full(11, 0.5), loss_v=np.full(11, 0.25),
               current=np.zeros(11))  # fmt: skip
    assert choose_scale(d, LIMITS).predicted["weights"] > 0


# ------------------------------------------------------------------------------ the search


def test_the_safest_bound_that_is_good_enough_is_taken() -> None:
    """Plenty of room: the scale is proved, and the predicted error small."""
    roomy = replace(LIMITS, v=(-(2**30), 2**30), u=(-(2**30), 2**30), sum=2.0**30,
                    threshold=2.0**30, bias=2.0**30)  # fmt: skip
    scale = choose_scale(demand(incoming=(incoming([1.0, -0.5]),)), roomy)
    assert scale.activity == 1.0
    assert scale.predicted["total"] < 0.005
    capped = choose_scale(demand(incoming=(incoming([1.0, -0.5]),)), roomy, cap=64.0)
    assert 16.0 <= capped.lsb_per_volt <= 64.0


def test_predicted_errors_by_hand() -> None:
    """Thresholds on a grid of 8, truncation of half an LSB through u and v, no weights."""
    d = demand(threshold=values(9), bias=values(1))
    scale = choose_scale(d, replace(LIMITS, threshold=27.0))
    s = scale.lsb_per_volt
    assert scale.exponents == ()
    assert scale.predicted["weights"] == 0
    off = abs(round(9 * s / 8) * 8 - 9 * s) / (9 * s)
    assert scale.predicted["threshold"] == pytest.approx(off)
    assert scale.predicted["truncation"] == pytest.approx(0.5 * 3 / 0.25 / (9 * s))
    total = np.hypot(scale.predicted["threshold"], scale.predicted["truncation"])
    assert scale.predicted["total"] == pytest.approx(total)
    at_once = choose_scale(replace(d, loss_u=values(1.0)), replace(LIMITS, threshold=27.0))
    assert at_once.predicted["truncation"] == pytest.approx(0.5 / 0.25 / (9 * at_once.lsb_per_volt))
    nearest = choose_scale(replace(d, lost=0.0), replace(LIMITS, threshold=27.0))
    assert nearest.predicted["truncation"] == 0


def test_a_read_out_is_measured_by_how_far_it_is_likely_to_go() -> None:
    """0.1 V per spike, kept for 2 steps by u and 4 by v: 0.8 V; a threshold where there is one."""
    out = demand(threshold=values(np.inf), incoming=(incoming([0.1]),))
    scale = choose_scale(out, LIMITS)
    share = 0.5 * 3 / 0.25 / scale.lsb_per_volt
    assert scale.predicted["truncation"] == pytest.approx(share / 0.8)
    two = demand(
        threshold=values(8, np.inf), incoming=(incoming([0.1, 0.1], [0, 1]),), bias=np.zeros(2),
        v_init=np.zeros(2), loss_u=np.full(2, 0.5), loss_v=np.full(2, 0.25), current=np.zeros(2),
    )  # fmt: skip
    scale = choose_scale(two, LIMITS)
    share = 0.5 * 3 / 0.25 / scale.lsb_per_volt
    both = np.hypot(share / 8, share / 0.8) / np.sqrt(2)
    assert scale.predicted["truncation"] == pytest.approx(both)


def test_a_scale_where_nothing_bounds_it() -> None:
    nothing = demand(threshold=values(np.inf), loss_v=values(0.25))
    scale = choose_scale(nothing, LIMITS)
    assert scale.activity == 1.0
    assert 0.25 <= scale.lsb_per_volt <= 1.0


def test_proved_takes_the_bound_for_every_input_however_coarse() -> None:
    many = incoming([0.5] * 400, sources=400)
    loose, sure = (choose_scale(demand(incoming=(many,)), LIMITS, proved=p) for p in (False, True))
    assert sure.activity == 1.0
    assert loose.activity < 1.0
    assert loose.predicted["total"] < sure.predicted["total"]
    assert sure.lsb_per_volt * bounds(demand(incoming=(many,)), 1.0).sum.max() <= LIMITS.sum
