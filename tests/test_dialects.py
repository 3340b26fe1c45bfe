"""The 27 rows in which the peers differ, each asked of every profile; and that no code asks which.

What is expected comes from the peers: recorded entries by their id (``trace_of``), or numbers they
gave. What the chips' profiles answer is there too: where the peers differ, loihi1 follows the one
with the better evidence.
"""

from __future__ import annotations

import numpy as np
import pytest
from dialects import BRIAN2, CHIPS, DIALECTS, LAVA, NENGO, PEERS, ask, cell, recorded, synapses
from dialects import trace_of as peer
from scipy import sparse

from neuro_lif import FixedNetwork, FixedProjection, load_profile
from neuro_lif.codings.nengo_synapses import discretize_weights
from neuro_lif.errors import RangeError

ALL = (*PEERS, *CHIPS)
TOP = 2**23


def test_row_01_decays_round_toward_zero() -> None:
    """All alike: toward zero for both signs."""
    drive = [-101, 0, 0, 57] + [0] * 10
    for name in ALL:
        found = ask(name, drive=drive, keep_u=3072, keep_v=4096 - 511)
        for peers in ("lava.decay_trunc_toward_zero", "brian2.decay_trunc_toward_zero"):
            assert (found.u, found.v) == (peer(peers, "u"), peer(peers, "v"))
    drive = [0, -101, 0, 57] + [0] * 10  # the emulator's input comes a step after it is sent
    found = ask(NENGO, drive=drive, keep_u=3072, keep_v=4096 - 511)
    assert found.u == peer("nengo.decay_trunc_toward_zero", "u")


def test_row_02_current_decay_has_an_offset_of_one_in_lava_and_nengo_loihi() -> None:
    """Code 0 decays in Lava and nengo-loihi; brian2_loihi has no offset."""
    lava, brian2 = peer("lava.u_decay_offset", "u"), peer("brian2.u_decay_exact", "u")
    expected = {LAVA: lava, NENGO: lava, BRIAN2: brian2, "loihi1": lava, "loihi2": lava}
    for name, u in expected.items():
        assert ask(name, drive=[5] + [0] * 11, du=0).u == u
    assert peer("nengo.u_decay_offset", "u")[1:] == lava[:-1] != brian2[:-1]
    assert ask(BRIAN2, drive=[5] + [0] * 11, du=1).u == peer("brian2.u_decay_1", "u") == lava
    without = load_profile("loihi1", ds_off=0)
    fixed = FixedNetwork(without, (cell("loihi1", du=0, u=320),))
    assert without.config["ds_off"].value == 0 and fixed.profile.ops("lif")[0]["offset"] == 0


def test_row_03_input_is_22_bits_wide_in_nengo_loihi() -> None:
    """2**21 arriving in one step: nengo-loihi wraps it before u, the others do not."""
    assert min(peer("nengo.q0_overflow", "u")) == -(2**21)
    expected = {LAVA: 2**21, NENGO: -(2**21), BRIAN2: 2**21, "loihi1": -(2**21), "loihi2": 2**21}
    for name, u in expected.items():
        assert ask(name, drive=[2**15, 0]).u == [u, 0]


def test_row_04_u_leaves_24_bits_in_three_ways() -> None:
    """Lava wraps once and keeps 2**23, nengo-loihi is two's complement, brian2_loihi has no end."""
    start, step = 7341825, 2**14  # what is left of the start is 2**23 - 2**20
    for sign, expected in (
        (1, {LAVA: TOP, NENGO: -TOP, BRIAN2: TOP, "loihi1": -TOP, "loihi2": TOP}),
        (-1, {LAVA: TOP, NENGO: -TOP, BRIAN2: -TOP, "loihi1": -TOP, "loihi2": TOP}),
    ):
        for name, u in expected.items():
            assert ask(name, drive=[sign * step], keep_u=4095, u=sign * start).u == [u]
    far = [0] + [32767] * 11
    u = peer("nengo.u_overflow", "u")
    for name in (LAVA, NENGO, "loihi1"):
        assert ask(name, drive=far, keep_u=4095).u == u
    free = ask(BRIAN2, drive=[16320] * 14, keep_u=4095).u
    assert free == peer("brian2.no_overflow", "u") and max(free) > TOP
    wide = [131071, 131072, -131071, -131072, 393217, -393217, 2**25]
    lava = [8388544, 8388608, -8388544, 8388608, 8388672, -8388672, -2130706432]
    for name in (LAVA, "loihi2"):  # one wrap is all there is: the last three are beyond 24 bits
        assert [ask(name, drive=[a]).u[0] for a in wide] == lava


def test_row_05_u_plus_bias_wraps_in_nengo_loihi() -> None:
    """Beyond 2**23 it wraps in nengo-loihi; Lava lets v saturate; brian2_loihi has no bias."""
    u, most = 8200000, 4095 << 7
    quiet = {"threshold": 1 << 24, "u": -(-u * 4096 // 4095), "keep_u": 4095}
    for name, v in ((LAVA, TOP - 1), ("loihi1", u + most - 2 * TOP), ("loihi2", TOP - 1)):
        assert ask(name, drive=[0], bias_mant=4095, bias_exp=7, **quiet).v == [v]
    assert ask(NENGO, drive=[0], bias=most, **quiet).v == [u + most - 2 * TOP]
    assert "Overflow in u2" in recorded("nengo.u2_overflow")["warnings"]
    assert not {"bias", "bias_mant"} & load_profile(BRIAN2).params.keys()


def test_row_06_v_is_clipped_or_clipped_where_told_or_never() -> None:
    """Lava: +-(2**23 - 1); nengo-loihi: vmin..vmax; brian2_loihi: no end."""
    high = {LAVA: TOP - 1, NENGO: TOP - 1, BRIAN2: 5 * 2097088, "loihi1": TOP - 1}
    for name, v in high.items():
        assert ask(name, drive=[32767] * 5, threshold=1 << 24).v[-1] == v
        assert ask(name, drive=[-32767] * 5).v[-1] == -v
    v = peer("nengo.v_clip_high", "v")
    assert ask(NENGO, drive=[0] + [32767] * 8 + [0], threshold=TOP).v == v and max(v) == TOP - 1
    drive = [0, 10, 0, -100, 0, 10] + [0] * 6
    for name, model in ((NENGO, "lif"), ("loihi1", "lif_noise")):
        floored = ask(name, drive=drive, keep_u=2048, vmin=0, model=model)
        assert floored.v == peer("nengo.vmin_zero", "v") and min(floored.v) == 0
    saturated = peer("lava.v_saturate_hi_lo", "v")
    for name in (LAVA, "loihi2"):
        cells = cell(name, 2, keep_u=4095, threshold=131072 << 6)
        assert ask(name, cells, [[60000, -60000]] * 12).v == saturated


def test_row_07_a_threshold_reached_is_not_passed() -> None:
    """All alike: strict comparison."""
    for name in ALL:
        assert ask(name, drive=[3] * 6, threshold=192).v == peer("lava.threshold_strict_equal", "v")
        again = ask(name, drive=[3] * 6, threshold=576)
        assert again.s == peer("brian2.threshold_strict", "s")
    cells = cell(NENGO, 2, threshold=192, bias=[192, 193])
    assert ask(NENGO, cells, n_steps=6).s == peer("nengo.threshold_strict", "s")


def test_row_08_reset_clears_v_and_keeps_u() -> None:
    """All alike."""
    for name in ALL:
        found = ask(name, drive=[300] + [0] * 11, keep_u=3686, keep_v=3687, threshold=12800)
        for variable in ("u", "v", "s"):
            assert getattr(found, variable) == peer("lava.reset_v_only", variable)


def resumes(name: str, refract: int | None, model: str | None = None) -> int:
    """Return how many steps after a spike v is integrated again."""
    own = {} if refract is None else {"refract": refract}
    v = ask(name, drive=[60] * 14, threshold=130 << 6, model=model, **own).v
    spike = v.index(0)
    return next(t for t in range(spike + 1, 14) if v[t]) - spike


def test_row_09_refractory_conventions() -> None:
    """After a spike v goes on max(R, 1) steps later in nengo-loihi, R in brian2_loihi.

    Lava's integer models have none; its float one goes on R + 1 steps later, as loihi2's variant
    does with one more.
    """
    for r in (0, 1, 2, 3, 7):
        assert resumes(NENGO, r) == max(r, 1)
    for r in (1, 2, 3, 7):
        for name, model in ((BRIAN2, None), ("loihi1", None), ("loihi2", "lif_refractory")):
            assert resumes(name, r, model) == r
    assert resumes(LAVA, None) == 1 and "refract" not in load_profile(LAVA).params
    for r in (2, 3):
        v = peer(f"brian2.refractory_{r}", "v")
        assert ask(BRIAN2, drive=[60] * 14, threshold=130 << 6, refract=r).v == v
    for r in (1, 2, 3):
        v = peer(f"lava.refractory_float_R{r}", "v")
        spike = v.index(0)
        after = next(t for t in range(spike + 1, 14) if v[t]) - spike
        assert after == r + 1 == resumes("loihi2", r + 1, "lif_refractory")


def test_row_10_u_runs_on_while_v_is_held() -> None:
    """All that have a refractory period: u does not depend on it."""
    drive = [50, 0, 3, 0, 0, -20, 0, 0]
    free = ask(LAVA, drive=drive, keep_u=2048).u
    for name in (NENGO, BRIAN2, *CHIPS):
        model = DIALECTS[name].model
        for refract in (1, 5):
            found = ask(name, drive=drive, keep_u=2048, threshold=64, refract=refract, model=model)
            assert found.u == free and sum(found.s) < 8 - refract


@pytest.mark.parametrize("refract", [0, 2, 3])
def test_row_11_bias_does_not_reach_a_held_v(refract: int) -> None:
    """nengo-loihi adds it and clears v; Lava and brian2_loihi have no such case."""
    which = f"nengo.refractory_{refract}"
    drive = [0, 50] + [0] * 12
    found = ask(NENGO, drive=drive, keep_u=2048, threshold=16000, bias=6400, refract=refract)
    assert (found.u, found.v) == (peer(which, "u"), peer(which, "v"))
    own = {"bias_mant": 100, "bias_exp": 6, "refract": max(refract, 1)}
    for name in CHIPS:
        model = DIALECTS[name].model
        assert ask(name, drive=drive, keep_u=2048, threshold=16000, model=model, **own).v == found.v


def test_row_12_formats_of_the_bias() -> None:
    """Lava: mantissa and exponent, which may be negative (floor); nengo-loihi: one number."""
    lava = {"bias_mant": [3, -7, -7, 4095], "bias_exp": [2, 0, -1, 7]}
    expected = peer("lava.bias_scaling", "v")
    for name in (LAVA, *CHIPS):
        assert ask(name, cell(name, 4, **lava), n_steps=10).v == expected
    whole = [3 << 2, -7, -7 >> 1, 4095 << 7]
    assert ask(NENGO, cell(NENGO, 4, bias=whole), n_steps=10).v == expected
    wrapped = ask(LAVA, n_steps=5, bias_mant=40000)
    assert wrapped.v == peer("lava.bias_mant_int16_wrap", "v")
    assert load_profile(NENGO).params["bias"].span == (-4095 << 7, 4095 << 7)
    assert "bias" not in str(load_profile(BRIAN2).params.keys())


def test_row_13_low_bit_of_mixed_weights() -> None:
    """3, -3, 5, -1: Lava takes the floor, nengo-loihi the nearest even, brian2_loihi cuts."""
    weights = [[3, -3], [5, -1]]
    expected = {LAVA: [2, -4, 4, -2], NENGO: [4, -4, 4, 0], BRIAN2: [2, -2, 4, 0]}
    expected |= {"loihi1": expected[BRIAN2], "loihi2": expected[LAVA]}
    for name, w in expected.items():
        late = load_profile(name).routing.input_latency
        joins = synapses(name, weights, sign_mode="mixed")
        u = ask(name, cell(name, 2), projections=joins, spikes=[[1, 0], [0, 1], [0, 0]]).u
        a, b, c, d = (64 * x for x in w)
        assert u[late : late + 2] == [[a, c], [b, d]]
        if name in (NENGO, BRIAN2):
            which = {NENGO: "nengo.shared_mixed_odd", BRIAN2: "brian2.shared_mixed_odd"}[name]
            assert u == peer(which, "u")[:3]


def test_row_14_ranges_of_weights() -> None:
    """Lava clips without a word, nengo-loihi keeps to +-254, brian2_loihi raises an error."""
    given = [-300, -256, -255, 254, 255, 300]
    recorded_ = dict(zip(
        (w[0] for w in recorded("lava.weights_MIXED_8b")["network"]["connections"][0]["weights"]),
        peer("lava.weights_MIXED_8b", "u")[1], strict=True,
    ))  # fmt: skip
    column = np.array(given)[:, None]
    for name in (LAVA, "loihi2"):
        joins = synapses(name, column, sign_mode="mixed")
        u = ask(name, cell(name, 6), projections=joins, spikes=[[1], [0]]).u[1]
        assert u == [recorded_[w] for w in given]
    joins = synapses(NENGO, column)
    u = ask(NENGO, cell(NENGO, 6), projections=joins, spikes=[[1], [0]]).u[1]
    stated = recorded("nengo.discretize_weights_exp0")
    known = dict(zip(stated["input"]["weights"], stated["expected"], strict=True))
    assert [u[given.index(w)] for w in (-300, -255, 255, 300)] == [
        known[w] for w in (-300, -255, 255, 300)
    ]
    assert max(u) == -min(u) == 254 << 6
    ends = {"mixed": (-256, 254), "excitatory": (0, 255), "inhibitory": (-256, 0)}
    for mode, (lo, hi) in ends.items():
        for w in (lo, hi):
            joins = synapses(BRIAN2, [[w]], sign_mode=mode)
            assert ask(BRIAN2, projections=joins, spikes=[[1]], enforce=True).u == [w << 6]
        for w in (lo - 1, hi + 1):
            joins = synapses(BRIAN2, [[w]], sign_mode=mode)
            with pytest.raises(RangeError, match="weights"):
                ask(BRIAN2, projections=joins, spikes=[[1]], enforce=True)
    assert load_profile(LAVA).weights.mode_range("inhibitory") == (-255, 0)


def test_row_15_sign_modes() -> None:
    """Lava looks at the whole matrix, nengo-loihi has one mode, brian2_loihi does as it is told."""
    odd = {"alone": [[3]], "beside a negative one": [[3, -1]]}
    expected = {LAVA: (3, 2), NENGO: (4, 4), "loihi1": (3, 2), "loihi2": (3, 2)}
    for name, found in expected.items():
        for w, weights in zip(found, odd.values(), strict=True):
            spikes = [[1] + [0] * (len(weights[0]) - 1), [0] * len(weights[0])]
            u = ask(name, projections=synapses(name, weights), spikes=spikes).u
            assert u[1] == 64 * w
    for mode, w in (("excitatory", 3), ("mixed", 2)):
        joins = synapses(BRIAN2, [[3]], sign_mode=mode)
        assert ask(BRIAN2, projections=joins, spikes=[[1]]).u == [64 * w]


def test_row_16_negative_exponents() -> None:
    """Two weights 3, exponent -1: 192 in Lava (floor of the sum), 256, 128 (floor of each)."""
    expected = {LAVA: 192, NENGO: 256, BRIAN2: 128, "loihi1": 128, "loihi2": 192}
    for name, u in expected.items():
        late = load_profile(name).routing.input_latency
        joins = synapses(name, [[3, 3]], -1)
        assert ask(name, projections=joins, spikes=[[1, 1], [0, 0]]).u[late] == u
    assert peer("nengo.neg_weight_exp_two_synapses", "u")[1] == 256
    delays = np.array([1, 0])
    joins = synapses(LAVA, [[3, 3]], -1, delays=delays)
    spikes = [[1, 0], [0, 1]] + [[0, 0]] * 4
    u = ask(LAVA, projections=joins, spikes=spikes, keep_v=1).u
    assert u == peer("lava.delay_weight_exp_per_bucket", "u")


def test_row_17_clip_after_the_exponent() -> None:
    """-256 * 2**7: cut to 2**21 - 64 in brian2_loihi, not in Lava and nengo-loihi."""
    assert min(x[0] for x in recorded("brian2.wact_mixed_b8_e7")["expected"]["n"]["u"]) == -2097088
    expected = {LAVA: -2097152, BRIAN2: -2097088, "loihi1": -2097088, "loihi2": -2097152}
    for name, u in expected.items():
        late = load_profile(name).routing.input_latency
        joins = synapses(name, [[-256]], 7, sign_mode="mixed")
        assert ask(name, projections=joins, spikes=[[1], [0]]).u[late] == u
    final = (FixedProjection("c", "x", "n", np.array([[-(2**21)]])),)
    assert ask(NENGO, projections=final, spikes=[[1], [0]]).u == [0, -2097152]


def test_row_18_a_source_is_heard_at_once_or_a_step_later() -> None:
    """Lava and nengo-loihi a step later (Lava at once without synapses), brian2_loihi at once."""
    spikes = [[x] for x in (1, 0, 0, 1, 1, 0, 0, 0, 0, 0)]
    at_once = peer("brian2.generator_latency", "u")
    for name in ALL:
        u = ask(name, projections=synapses(name, [[10]]), spikes=spikes).u
        assert u == (at_once if name == BRIAN2 else [0, *at_once[:-1]])
    direct = ask(LAVA, drive=[x for (x,) in spikes]).u
    assert direct == peer("lava.direct_latency0", "u")


def test_row_19_a_neuron_is_heard_one_step_later() -> None:
    """All alike."""
    expected = {v: peer("lava.recurrent_latency", v) for v in ("u", "v", "s")}
    assert expected == {v: peer("nengo.recurrent_latency", v) for v in ("u", "v", "s")}
    for name in (LAVA, NENGO, *CHIPS):
        bias = {"bias": [2560, 0]} if name == NENGO else {"bias_mant": [40, 0], "bias_exp": 6}
        joins = synapses(name, [[0, -50], [120, 0]], pre="n")
        found = ask(name, cell(name, 2, keep_u=2048, threshold=6400, **bias), projections=joins,
                    n_steps=16)  # fmt: skip
        assert vars(found) == expected
    for name in ALL:
        joins = synapses(name, [[0, -50], [120, 0]], pre="n")
        rows = [[20, 0]] * 16
        found = ask(name, cell(name, 2, keep_u=2048, threshold=6400), rows, joins)
        assert found.u == peer("brian2.recurrent", "u")


def test_row_20_delays() -> None:
    """Lava: one for each synapse, 0..63; nengo-loihi: none; brian2_loihi: one for all, 0..62."""
    spikes = [[1, 1]] + [[0, 0]] * 69
    last = {LAVA: 63, BRIAN2: 62, "loihi1": 62, "loihi2": 63}
    for name, most in last.items():
        late = load_profile(name).routing.input_latency
        joins = synapses(name, [[10, 20]], delays=most)
        u = ask(name, projections=joins, spikes=spikes, enforce=True).u
        assert [t for t in range(70) if u[t]] == [late + most]
        with pytest.raises(RangeError, match="delays"):
            joins = synapses(name, [[10, 20]], delays=most + 1)
            ask(name, projections=joins, spikes=spikes, enforce=True)
    each = np.array([0, 5])
    for name in (LAVA, *CHIPS):
        joins = synapses(name, [[10, 20]], delays=each)
        u = ask(name, projections=joins, spikes=spikes, enforce=True).u
        assert [t for t in range(70) if u[t]] == [1, 6]
    for name, delays, text in ((BRIAN2, each, "one delay per projection"), (NENGO, 1, "delays")):
        with pytest.raises(RangeError, match=text):
            joins = synapses(name, [[10, 20]], delays=delays)
            ask(name, projections=joins, spikes=spikes, enforce=True)


def test_row_21_graded_spikes() -> None:
    """Lava multiplies by any integer that is sent; the others know 0 and 1."""
    spikes = [[1, 0], [5, 2], [-3, 0], [0, 7], [0, 0], [0, 0]]
    for name in (LAVA, "loihi2"):
        for population, graded in (("g", True), ("b", False)):
            joins = synapses(name, [[10, 4]], graded=graded)
            assert ask(name, projections=joins, spikes=spikes).u == peer(
                "lava.graded", "u", population
            )
    for name in (NENGO, BRIAN2, "loihi1"):
        with pytest.raises(RangeError, match="graded"):
            joins = synapses(name, [[10, 4]], graded=True)
            ask(name, projections=joins, spikes=spikes, enforce=True)


@pytest.mark.parametrize("exponent", [0, 3, 7, 12])
def test_row_22_noise(exponent: int) -> None:
    """nengo-loihi: on the input or on v, as numpy draws it; Lava and brian2_loihi have none."""
    drawn = np.random.RandomState(5).randint(-127, 128, size=20)
    noise = np.trunc((drawn + 64 * 2) * 2.0 ** (exponent - 7)).astype(int).tolist()
    own = {"enable_noise": 1, "noise_exp": exponent, "noise_offset": 2}
    for name, model in ((NENGO, "lif"), ("loihi1", "lif_noise")):
        dendrite = ask(name, n_steps=20, seed=5, model=model, **own)
        assert dendrite.u == noise and dendrite.v == np.cumsum(noise).tolist()
        membrane = ask(name, n_steps=20, seed=5, model=model, noise_at_membrane=1, **own)
        assert membrane.u == [0] * 20 and membrane.v == dendrite.v
        quiet = ask(name, n_steps=20, seed=5, model=model, **own | {"enable_noise": 0})
        assert quiet.v == [0] * 20
    assert load_profile(LAVA).noise is None and load_profile(BRIAN2).noise is None
    assert load_profile("loihi1").noise.status == "assumed"  # type: ignore[union-attr]


def test_rows_23_and_24_learning_is_left_out() -> None:
    """Decay of traces, rounding of what is learned: no profile learns, and each says so."""
    for name in ALL:
        assert any("learning" in text for text in load_profile(name).exclusions), name


def test_row_25_several_synapses_between_two_neurons() -> None:
    """Lava and brian2_loihi add them; in nengo-loihi the last one of an axon counts."""
    expected = {LAVA: 192, NENGO: 128, BRIAN2: 192, "loihi1": 192, "loihi2": 192}
    for name, u in expected.items():
        values = np.array([1, 2]) << DIALECTS[name].raw
        twice = sparse.coo_matrix((values, ([0, 0], [0, 0])), shape=(1, 1))
        joins = (FixedProjection("c", "x", "n", twice),)
        late = load_profile(name).routing.input_latency
        assert ask(name, projections=joins, spikes=[[1], [0], [1], [0], [0]]).u[late] == u
        both = tuple(FixedProjection(f"c{k}", "x", "n", values[k : k + 1, None]) for k in (0, 1))
        assert ask(name, projections=both, spikes=[[1], [0]]).u[late] == 192
    assert peer("nengo.duplicate_index", "u")[1] == [128, 0]


def test_row_26_the_first_step_is_1_whatever_the_peer_calls_it() -> None:
    """Lava and nengo-loihi begin with t = 1, brian2_loihi with t = 0; here row 0 is the first."""
    firsts = {LAVA: "lava.u_decay_offset", NENGO: "nengo.u_decay_offset", BRIAN2: "brian2.delay_0"}
    assert [recorded(which)["t_first"] for which in firsts.values()] == [1, 1, 0]
    for name in ALL:
        assert ask(name, drive=[5, 0]).u == [320, 0]
    for name in (LAVA, "loihi2"):  # the reset in steps 2, 6, 10 counts from 1
        found = ask(name, drive=[10] * 12, model="lif_reset", keep_u=3072, reset_interval=4,
                    reset_offset=2)  # fmt: skip
        assert found.u == peer("lava.lifreset", "u")


def test_row_27_parameters_per_neuron() -> None:
    """Lava takes arrays by accident, nengo-loihi has them, brian2_loihi one number for a group."""
    drive = [[50, 50, 50]] + [[0, 0, 0]] * 9
    keep_u, keep_v = np.array([4095, 3072, 0]), np.array([4096 - 511, 4096, 4096])
    threshold = np.array([60, 131071, 40]) << 6
    per_neuron = {"keep_u": keep_u, "keep_v": keep_v, "threshold": threshold}
    for name in (LAVA, NENGO, *CHIPS):
        found = ask(name, cell(name, 3, **per_neuron), drive, enforce=True)
        for variable in ("u", "v", "s"):
            assert getattr(found, variable) == peer("lava.per_neuron_params", variable)
    with pytest.raises(RangeError, match="one value for the population"):
        ask(BRIAN2, cell(BRIAN2, 3, **per_neuron), drive, enforce=True)


def test_rows_cover_the_table() -> None:
    """Every row has a test of its name."""
    names = [name for name in globals() if name.startswith("test_row")]
    numbers = {int(n) for name in names for n in name.split("_") if n.isdigit() and len(n) == 2}
    assert numbers == set(range(1, 28))


def test_mantissas_of_nengo_loihi_are_rounded_at_build() -> None:
    """Where the two others lose bits on the way, nengo-loihi's builder has rounded before."""
    assert discretize_weights([3.0, -3.0, 5.0, -1.0], 0).tolist() == [256, -256, 256, 0]
