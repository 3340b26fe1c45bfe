"""Vectors with a name: bugs reported upstream, and one question asked of all the peers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .parts import direct, network, population, projection, source, vector
from .schema import Vector

TOP = 2**23
ONE = {"lava-nc": "lava", "nengo-loihi": "nengo", "brian2_loihi": "brian2"}


def upstream() -> list[Vector]:
    """Return the networks of bug reports, with what the peer's present version makes of them."""
    lif = {"du": 4095, "dv": 0}
    bias = population("n", 1, "lif", {"du": 0, "dv": 0, "vth": 2**17, "bias_mant": 4095,
                                      "bias_exp": 5})  # fmt: skip
    slow = population("n", 2, "lif", {"du": 0, "dv": 4095, "vth": 131071})
    rise = np.array([[65000, -65000]] * 12)
    pulse = [[1], [0], [1], [0]]
    inflated = network(
        [population("n", 1, "lif", lif | {"vth": 131071})],
        [projection("w", "x", "n", [[128]], sign_mode="excitatory", exponent=-1)],
        [source("x", pulse)],
    )
    optimised = network(
        [population("n", 1, "lif", lif | {"vth": 131071})],
        [projection("w", "x", "n", [[1]], sign_mode="excitatory", exponent=6)],
        [source("x", pulse)],
    )
    clipped = population("n", 2, "lif", {"du": 0, "dv": 0, "vth": 8388544, "refract": 1,
                                         "vmin": -TOP + 1, "vmax": TOP - 1})  # fmt: skip
    drive = network([clipped], [projection("w", "x", "n", [[2000000], [-2000000]])],
                    [source("x", [[1]] * 9)])  # fmt: skip
    never = population("n", 1, "lif", {"du": 4095, "dv": 0, "vth": TOP - 1, "refract": 1,
                                       "vmin": -TOP + 1, "vmax": TOP - 1})  # fmt: skip
    grow = network([never], [projection("w", "x", "n", [[2000000]])], [source("x", [[1]] * 9)])
    lava, nengo = "lava-nc", "nengo-loihi"
    found = [
        vector(lava, network([bias], enforce_ranges=False), 4,
               "lava#329: bias_mant 4095 << bias_exp 5 overflowed 16 bits and became -32 (0.4.0); "
               "0.10.0 shifts in 32 bits: 131040", "lava.upstream.329"),
        vector(lava, network([slow], directs=[direct("x", "n", rise)]), 12,
               "lava#334: an overflowing u wrapped to 0 (0.4.0); 0.10.0 wraps to the other end of "
               "its range", "lava.upstream.334"),
        vector(lava, inflated, 4,
               "lava#859: networks come with weights scaled up and a negative exponent (64 as 128 "
               "and -1); what arrives is the same as with 1 and 6", "lava.upstream.859.inflated"),
        vector(lava, optimised, 4,
               "lava#859: the weight the report asks for, 1 with exponent 6; what arrives is the "
               "same as with 128 and -1", "lava.upstream.859.optimised"),
        vector(nengo, drive, 9,
               "nengo-loihi#130: nobody made v overflow on the chip, so the emulator wraps u and "
               "u + bias but clips v to vmin..vmax", "nengo.upstream.130.drive"),
        vector(nengo, grow, 9,
               "nengo-loihi#130: a cell that cannot spike stays at vmax instead of wrapping",
               "nengo.upstream.130.no_spike"),
    ]  # fmt: skip
    return [v | {"flags": ["upstream_bug"]} for v in found]


def corners() -> list[Vector]:
    """Return what chance seldom draws."""
    params = {"du": 4095, "dv": 0, "vth": 131071, "bias_mant": [32767, -32768, -32768, 1],
              "bias_exp": [16, 16, 17, 31]}  # fmt: skip
    start = {"v": [TOP - 1, -TOP + 1, 0, 0]}
    wide = network([population("n", 4, "lif", params, **start)], enforce_ranges=False)
    rule = "v, u and bias are added in 32 bits before v saturates"
    return [vector("lava-nc", wide, 5, rule, "lava.corner.v_int32_wrap")]


# ------------------------------------------------------------------------------ questions

BIG = {"lava-nc": {"vth": 131071}, "nengo-loihi": {"vth": 8388544, "refract": 0},
       "brian2_loihi": {"vth": 131071, "refract": 1}}  # fmt: skip
PEERS = tuple(BIG)


def full(peer: str) -> int:
    """Return the du that clears u in every step."""
    return 4096 if peer == "brian2_loihi" else 4095


def asked(question: str, peer: str, rule: str, net: Any, n_steps: int, more: str = "") -> Vector:
    """Return one peer's vector of a question."""
    name = f"{ONE[peer]}.question.{question}" + (f".{more}" if more else "")
    return vector(peer, net, n_steps, rule, name, result="profile-defined", question=question)


def through(peer: str, weights: Any, raster: Any, params: dict[str, Any], **coding: Any) -> Any:
    """Return an input through one projection into one population."""
    rows = np.asarray(weights)
    if peer == "nengo-loihi":
        coding = {}
    cell = population("n", len(rows), "lif", BIG[peer] | params)
    return network([cell], [projection("w", "x", "n", rows, **coding)], [source("x", raster)])


def questions() -> list[Vector]:
    """Return every question, asked of every peer that has an answer."""
    return [
        *_weights(), *_exponents(), *_refractory(), *_latency(), *_decays(), *_overflows(),
        *_thresholds(), *_synapses(),
    ]  # fmt: skip


def _weights() -> list[Vector]:
    odd = [[3], [-3], [5], [-1]]
    left = [[256], [-256], [256], [0]]  # what discretize_weights makes of them: 4 -4 4 0, << 6
    pulse = [[1], [0], [0]]
    found = [
        asked("mixed_low_bit", peer,
              "mixed weights 3, -3, 5, -1: floor (Lava), half to even at build (nengo-loihi, "
              "as its discretizer leaves them), toward zero (brian2_loihi)",
              through(peer, left if peer == "nengo-loihi" else odd, pulse,
                      {"du": full(peer), "dv": 0}, sign_mode="mixed"), 3)
        for peer in PEERS
    ]  # fmt: skip
    low = [[-7], [-8], [-9], [-255]]
    found += [
        asked("inhibitory_low_bits", peer, "inhibitory weights with 5 bits are cut toward zero",
              through(peer, low, pulse, {"du": full(peer), "dv": 0}, sign_mode="inhibitory",
                      weight_bits=5), 3)
        for peer in ("lava-nc", "brian2_loihi")
    ]  # fmt: skip
    found += [
        asked("inhibitory_-256", peer, "inhibitory weight -256: -255 (Lava), -256 (brian2_loihi)",
              through(peer, [[-256]], pulse, {"du": full(peer), "dv": 0},
                      sign_mode="inhibitory")
              | ({"enforce_ranges": False} if peer == "lava-nc" else {}), 3)
        for peer in ("lava-nc", "brian2_loihi")
    ]  # fmt: skip
    return found


def _exponents() -> list[Vector]:
    rule = ("two weights 3, exponent -1, both spike: 192 (Lava: floor of the sum), 256 "
            "(nengo-loihi: each rounded at build), 128 (brian2_loihi: floor of each)")  # fmt: skip
    both = [[1, 1], [0, 0], [0, 0]]
    found = [
        asked("negative_weight_exponent", peer, rule,
              through(peer, [[128, 128]] if peer == "nengo-loihi" else [[3, 3]], both,
                      {"du": full(peer), "dv": 0}, sign_mode="excitatory", exponent=-1), 3)
        for peer in PEERS
    ]  # fmt: skip
    negative = "two weights -3, exponent -1, both spike: floor rounds away from zero"
    found += [
        asked("negative_weight_exponent_below_zero", peer, negative,
              through(peer, [[-3, -3]], both, {"du": full(peer), "dv": 0}, exponent=-1,
                      sign_mode="inhibitory"), 3)
        for peer in ("lava-nc", "brian2_loihi")
    ]  # fmt: skip
    edge = "weight -256 with exponent 7 leaves 21 bits: kept (Lava), clipped (brian2_loihi)"
    found += [
        asked("weight_clip_after_exponent", peer, edge,
              through(peer, [[-256], [254]], [[1], [0], [0]], {"du": full(peer), "dv": 0},
                      sign_mode="mixed", exponent=7), 3)
        for peer in ("lava-nc", "brian2_loihi")
    ]  # fmt: skip
    return found


def _refractory() -> list[Vector]:
    rule = ("a steady drive, refract = 3 where there is such a parameter: v is held for 0 steps "
            "(Lava), refract - 1 steps (nengo-loihi, brian2_loihi); u runs on")  # fmt: skip
    steady = [[1]] * 12
    found = []
    for peer in PEERS:
        params: dict[str, Any] = {"du": full(peer) - 1024, "dv": 0}
        if peer != "lava-nc":
            params["refract"] = 3
        params["vth"] = 100 if peer != "nengo-loihi" else 6400
        weights = [[60 * 64]] if peer == "nengo-loihi" else [[60]]
        net = through(peer, weights, steady, params, sign_mode="excitatory")
        found.append(asked("refractory_convention", peer, rule, net, 12))
    for refract in (0, 1, 2):
        params = {"du": 4095, "dv": 0, "vth": 6400, "refract": refract, "bias": 4000}
        net = network([population("n", 1, "lif", params)])
        rule_n = f"refract = {refract}: held for max(refract - 1, 0) steps, the bias with it"
        found.append(asked("refractory_bias", "nengo-loihi", rule_n, net, 10, f"refract_{refract}"))
    return found


def _latency() -> list[Vector]:
    rule = "an input's spike of step 1 acts in step 2 (Lava, nengo-loihi), in step 1 (brian2_loihi)"
    first = [[1], [0], [0], [0]]
    found = [
        asked("source_latency", peer, rule,
              through(peer, [[640]] if peer == "nengo-loihi" else [[10]], first,
                      {"du": full(peer), "dv": 0}, sign_mode="excitatory"), 4)
        for peer in PEERS
    ]  # fmt: skip
    cell = population("n", 1, "lif", {"du": 4095, "dv": 0, "vth": 131071})
    straight = network([cell], directs=[direct("x", "n", [[10], [0], [0], [0]])])
    found.append(asked("source_latency", "lava-nc", "straight into a neuron: acts in step 1",
                       straight, 4, "direct"))  # fmt: skip
    back = "a neuron's spike of step t acts in step t + 1, plus its delay, in all three"
    for peer in PEERS:
        for delay in (0, 3):
            if peer == "nengo-loihi" and delay:
                continue
            unit = 64 if peer == "nengo-loihi" else 1
            low = {"vth": 5 * unit}
            params = BIG[peer] | {"du": full(peer), "dv": 0}
            cells = [population("a", 1, "lif", params | low), population("b", 1, "lif", params)]
            mode: dict[str, Any] = {} if unit == 64 else {"sign_mode": "excitatory"}
            late = {"delays": delay} if delay else {}
            links = [projection("in", "x", "a", [[10 * unit]], **mode),
                     projection("ab", "a", "b", [[20 * unit]], **mode, **late),
                     projection("ba", "b", "a", [[2 * unit]], **mode)]  # fmt: skip
            net = network(cells, links, [source("x", [[1], [0], [0], [0], [0], [0], [0], [0]])])
            found.append(asked("recurrent_latency", peer, back, net, 8, f"delay_{delay}"))
    for peer in ("lava-nc", "brian2_loihi"):
        net = through(peer, [[10]], [[1], [0], [0], [0], [0], [0]], {"du": full(peer), "dv": 0},
                      sign_mode="excitatory", delays=2)  # fmt: skip
        text = "an input's spike of step t with delay 2 acts in t + 3 (Lava), t + 2 (brian2_loihi)"
        found.append(asked("source_delay", peer, text, net, 6))
    return found


def _decays() -> list[Vector]:
    rule = ("du = 0: the factor is 4095/4096 (Lava, nengo-loihi), 1 (brian2_loihi); dv = 0 "
            "integrates in all three")  # fmt: skip
    pulse = [[1], *[[0]] * 7]
    found = []
    for peer in PEERS:
        weights = [[16000], [-16000]] if peer == "nengo-loihi" else [[250], [-250]]
        net = through(peer, weights, pulse, {"du": 0, "dv": 0}, sign_mode="mixed")
        found.append(asked("u_decay_offset", peer, rule, net, 8))
        last = 4095 if peer != "brian2_loihi" else 4096
        text = "the largest decays: what is left of u and v"
        net = through(peer, weights, pulse, {"du": last, "dv": last}, sign_mode="mixed")
        found.append(asked("largest_decay", peer, text, net, 8))
        middle = 1023 if peer != "brian2_loihi" else 1024
        text = "u and v above and below zero decay toward zero"
        net = through(peer, weights, pulse, {"du": middle, "dv": 511}, sign_mode="mixed")
        found.append(asked("decay_rounding", peer, text, net, 8))
    return found


def _overflows() -> list[Vector]:
    rule = ("a steady input of 2088960 (255 << 7 << 6), 4095/4096 of u is kept: u wraps once to "
            "-2^23+1..2^23 (Lava), in 24 bits (nengo-loihi), never (brian2_loihi)")  # fmt: skip
    steady = [[1]] * 9
    found = []
    for peer in PEERS:
        nengo = peer == "nengo-loihi"
        slow = {"du": 1 if peer == "brian2_loihi" else 0, "dv": 4095}
        net = through(peer, [[2088960]] if nengo else [[255]], steady, slow,
                      sign_mode="excitatory", exponent=7)  # fmt: skip
        found.append(asked("u_overflow", peer, rule, net, 9))
        text = ("two synapses of 2088960 in one step: the sum wraps to 22 bits before it reaches u "
                "(nengo-loihi), is kept (Lava, brian2_loihi)")  # fmt: skip
        net = through(peer, [[2088960, 2088960]] if nengo else [[255, 255]],
                      [[1, 1], [0, 1], [0, 0], [0, 0]], {"du": full(peer), "dv": 0},
                      sign_mode="excitatory", exponent=7)  # fmt: skip
        found.append(asked("q_overflow", peer, text, net, 4))
        text = ("v driven far above 2^23 and below -2^23: saturates (Lava), is clipped to "
                "vmin..vmax (nengo-loihi), grows (brian2_loihi)")  # fmt: skip
        weights = [[2000000], [-2000000]] if nengo else [[244], [-244]]
        net = through(peer, weights, steady, {"du": full(peer), "dv": 0}, sign_mode="mixed",
                      exponent=7)  # fmt: skip
        found.append(asked("v_overflow", peer, text, net, 9))
    edges = [[131071, -131071], [131072, -131072], [131073, -131073], [0, 0]]
    cell = population("n", 2, "lif", {"du": 4095, "dv": 4095, "vth": 131071})
    net = network([cell], directs=[direct("x", "n", edges)])
    found.append(asked("u_overflow_edge", "lava-nc", "u = 2^23 stays, -2^23 becomes 2^23", net, 4))
    cell = population("n", 2, "lif", {"du": 0, "dv": 4095, "vth": 8388544, "refract": 0})
    near = [[2096640, 2097151], [-2096640, -2097152]]
    net = network([cell], [projection("w", "x", "n", near)],
                  [source("x", [[1, 0]] * 3 + [[1, 1]] * 3)])  # fmt: skip
    found.append(
        asked("u_overflow_edge", "nengo-loihi", "two's complement, 22 and 24 bits", net, 7)
    )
    floor = {"du": 4095, "dv": 0, "vth": 6400, "refract": 0, "vmin": 0, "vmax": TOP - 1}
    net = network([population("n", 1, "lif", floor)], [projection("w", "x", "n", [[-640]])],
                  [source("x", [[1], [1], [0], [0]])])  # fmt: skip
    found.append(asked("v_below_zero", "nengo-loihi", "vmin = 0, its default: v stays 0", net, 4))
    for peer in ("lava-nc", "brian2_loihi"):
        net = through(peer, [[-10]], [[1], [1], [0], [0]], {"du": full(peer), "dv": 0},
                      sign_mode="inhibitory")  # fmt: skip
        found.append(asked("v_below_zero", peer, "v goes below zero", net, 4))
    return found


def _thresholds() -> list[Vector]:
    rule = "v equal to the threshold does not spike; u is kept when v is reset"
    found = []
    for peer in PEERS:
        unit = 64 if peer == "nengo-loihi" else 1
        params = {"du": full(peer) - 2048, "dv": full(peer) if peer == "brian2_loihi" else 4095,
                  "vth": 10 * unit}  # fmt: skip
        weights = [[10 * unit], [11 * unit]]
        net = through(peer, weights, [[1], [0], [0], [1], [0], [0]], params,
                      sign_mode="excitatory")  # fmt: skip
        found.append(asked("threshold_and_reset", peer, rule, net, 6))
    return found


def _synapses() -> list[Vector]:
    twice = {"rows": [0, 0], "columns": [0, 0], "shape": [1, 1]}
    rule = (
        "two synapses of one pair in one projection: the last (nengo-loihi), the sum (brian2_loihi)"
    )
    found = []
    for peer, unit in (("nengo-loihi", 64), ("brian2_loihi", 1)):
        cell = population("n", 1, "lif", BIG[peer] | {"du": full(peer), "dv": 0})
        mode = {} if unit == 64 else {"sign_mode": "excitatory"}
        link = projection("w", "x", "n", twice | {"values": [10 * unit, 20 * unit]}, **mode)
        net = network([cell], [link], [source("x", [[1], [0], [0]])])
        found.append(asked("duplicate_synapses", peer, rule, net, 3))
    rule = "two projections from the same neuron to the same neuron add up in all three"
    for peer in PEERS:
        unit = 64 if peer == "nengo-loihi" else 1
        mode = {} if unit == 64 else {"sign_mode": "excitatory"}
        cell = population("n", 1, "lif", BIG[peer] | {"du": full(peer), "dv": 0})
        links = [projection(k, "x", "n", [[w * unit]], **mode) for k, w in (("p", 10), ("q", 20))]
        net = network([cell], links, [source("x", [[1], [0], [0]])])
        found.append(asked("fan_in", peer, rule, net, 3))
    return found
