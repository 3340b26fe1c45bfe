"""Decides, element by element, which Lava process computes exactly what the profile says.

Lava's own processes are taken where their arithmetic is the profile's, which is found by comparing
data; processes of ours step in everywhere else. This file plans projections and inputs;
:mod:`neuro_lif.targets.lava_stock` plans populations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import entries, has_duplicates, is_sparse, post_of_entries, with_entries
from ..checks import expect
from ..errors import Faults, TargetError
from ..fixed import DirectInput, FixedNetwork, FixedProjection, FixedSource
from ..formats import shift
from ..numerics import walk
from ..profile_model import Weights
from .lava_choice import INT32, LavaChoice, fits32
from .lava_conv import conv_settings, why_no_conv
from .lava_stock import lava_profile, plan_population
from .plain import refuse_special

WRAP32 = (("wrap", *INT32),)
LONGEST_STOCK_DELAY = 63
"""Lava's DelayDense and DelaySparse refuse more while running."""
KEEP_ALL_BITS = 9
"""``num_weight_bits`` with which Lava drops no bit of a MIXED weight: 8 - 9 + 1 = 0."""
MIXED_RANGE = (-256, 255)


def plan_lava(
    fixed: FixedNetwork, payloads: dict[str, int] | None = None, batch: int = 1
) -> list[LavaChoice]:
    """Return the Lava process of every population, projection, source and direct input.

    Args:
        fixed: the network.
        payloads: population or input name -> largest magnitude sent. Absent ones are read from the
            raster, or are the largest that can be sent; ``run_lava`` and ``export_lava`` know them
            from a run of the emulator.
        batch: samples side by side.

    Raises:
        RangeError: that is no FixedNetwork.
        TargetError: something no Lava process can do, by name.
    """
    expect(fixed, FixedNetwork, "plan_lava")
    refuse_special(fixed, "Lava", can=("ports", "noise"))
    faults = Faults()
    most = _payloads(fixed)
    largest = most | (payloads or {})
    choices = [plan_population(fixed, p) for p in fixed.populations]
    senders = {p.name for p in fixed.populations}
    for p in fixed.projections:
        bound = max(most[p.pre], largest[p.pre]) if p.pre in senders else largest[p.pre]
        choices.append(_projection(fixed, p, largest[p.pre], bound, batch))
    choices += [_plan_input("source", s.name, largest[s.name], faults) for s in fixed.sources]
    choices += [_plan_input("input", d.name, largest[d.name], faults) for d in fixed.directs]
    faults.raise_if_any(TargetError, "Lava cannot run this network")
    return choices


def _payloads(fixed: FixedNetwork) -> dict[str, int]:
    """Return the largest magnitude each population, source and direct input can send."""
    sent = {s.name: _magnitude(s) for s in fixed.sources}
    sent |= {d.name: _magnitude(d) for d in fixed.directs}
    return sent | {p.name: most_sent(fixed.profile.ops(p.model)) for p in fixed.populations}


def _magnitude(item: FixedSource | DirectInput) -> int:
    return 1 if item.raster is None and item.stream is None else item.reach


def most_sent(ops: Any) -> int:
    """Return a bound of what a neuron sends: spikes, or a graded value of 32 bits."""
    total = 0
    for op in walk(ops):
        if op["op"] == "fire":
            total += int(op["cap"]) if op["multi"] == "loop" else 1
        elif op["op"] == "emit":
            constant = isinstance(op["src"], int) and isinstance(op["shift"], int)
            total += abs(shift(op["src"], op["shift"])) if constant else -INT32[0]
    return min(total, -INT32[0])


def _plan_input(kind: str, name: str, largest: int, faults: Faults) -> LavaChoice:
    element = f"{kind} {name!r}"
    if largest > INT32[1]:
        faults.add(element, "largest value", largest, f"at most {INT32[1]}",
                   "Lava's RingBuffer holds 32-bit integers")  # fmt: skip
    why = "sent over synapses" if kind == "source" else "straight into the neurons' port"
    return LavaChoice(element, "RingBuffer", True, why)


# ------------------------------------------------------------------------------ projections


def _projection(
    fixed: FixedNetwork, p: FixedProjection, payload: int, most: int, batch: int
) -> LavaChoice:
    """Plan for the payloads seen, and say up to which others the plan holds."""
    choice = plan_projection(fixed, p, payload, batch)

    def holds(magnitude: int) -> bool:
        return plan_projection(fixed, p, magnitude, batch).process == choice.process

    if not (choice.stock and p.graded and payload < most) or holds(most):
        return choice
    limit = max(payload, 1)
    while 4 * limit < most and holds(4 * limit):
        limit *= 4
    return replace(choice, limit=limit)


def arrival_delays(fixed: FixedNetwork, p: FixedProjection) -> Any:
    """Return each stored weight's delay as Lava counts it: 0 arrives in the next step."""
    delays = np.broadcast_to(np.asarray(p.delays, np.int64), entries(p.weights).shape)
    return np.asarray(delays + (fixed.latency(p) - 1), np.int64)


def plan_projection(
    fixed: FixedNetwork, p: FixedProjection, payload: int, batch: int = 1
) -> LavaChoice:
    """Return the connection of Lava's that does the same, else ``IntegerSynapses``."""
    element = f"projection {p.name!r}"
    delays = arrival_delays(fixed, p)
    present = delays[entries(fixed.effective_weights(p)) != 0]
    soonest, longest = (int(present.min()), int(present.max())) if present.size else (0, 0)
    widest = sum_bound(fixed, p, payload)
    note = ""
    if p.convolution is not None:
        why = "a batch" if batch > 1 else why_no_conv(fixed, p, widest, bool(soonest or longest))
        if not why:
            settings = conv_settings(p)
            return LavaChoice(element, "Conv", True, "a convolution that Lava's does exactly",
                              settings)  # fmt: skip
        note = f"; no Conv: {why}"
    coded = not fixed.is_raw(p) and _same_coding(fixed.profile.weights, lava_profile().weights)
    coded = coded and fits32(entries(p.weights))
    own = _why_own(fixed, p, widest, (soonest, longest), coded)
    if own:
        return LavaChoice(element, "IntegerSynapses", False, own + note)
    coding = _stock_coding(fixed, p, coded)
    if isinstance(coding, str):
        return LavaChoice(element, "IntegerSynapses", False, coding + note)
    kind = ("Delay" if longest else "") + ("Sparse" if is_sparse(p.weights) else "Dense")
    why = coding.pop("why") + note
    return LavaChoice(element, kind, True, why, coding | {"max_delay": longest})


def _why_own(
    fixed: FixedNetwork, p: FixedProjection, widest: int, arrival: tuple[int, int], coded: bool
) -> str:
    """Return why no matrix of Lava's will do (timing and sums), or an empty string.

    Args:
        fixed: the network.
        p: the projection.
        widest: no sum gets larger, before its exponent.
        arrival: soonest and longest delay as Lava counts it.
        coded: Lava codes the weights itself.
    """
    soonest, longest = arrival
    if has_duplicates(p.weights):
        return "several synapses between the same two neurons"
    if soonest < 0:
        return "arrives in the step it is sent"
    if longest > LONGEST_STOCK_DELAY:
        return f"a delay of {longest} steps; Lava's longest is {LONGEST_STOCK_DELAY}"
    exponent = int(fixed.sum_exponent(p))
    if exponent < 0 and fixed.profile.weights.exponent_round != "floor":
        return "the exponent does not round down as Lava does"
    rules = fixed.accumulator(p)
    shifted = widest << max(exponent, 0)
    # shifted to the right, sums must wrap first: Lava does that where nothing is delayed
    wraps = rules == WRAP32 and (exponent >= 0 or (coded and not longest))
    if shifted > INT32[1] and not wraps:
        return f"sums up to {shifted} do not fit Lava's 32 bits"
    if rules != WRAP32 and any(-shifted < lo or shifted > hi for _, lo, hi in rules):
        return f"sums up to {shifted} may overflow, and not as Lava's do"
    return ""


def sum_bound(fixed: FixedNetwork, p: FixedProjection, payload: int) -> int:
    """Return a bound of what can arrive at one neuron in one step, before the sum's exponent."""
    weights = fixed.effective_weights(p)
    per_post = np.zeros(weights.shape[0], np.int64)
    np.add.at(per_post, post_of_entries(weights), np.abs(entries(weights)))
    return int(per_post.max(initial=0)) * (payload if p.graded else 1)


def _stock_coding(fixed: FixedNetwork, p: FixedProjection, coded: bool) -> dict[str, Any] | str:
    """Return how to hand the weights to Lava, or why that cannot be done."""
    rules = fixed.profile.weights
    bits = p.weight_bits or rules.default_bits
    if coded:
        return {
            "weights": "mantissas", "weight_exp": int(p.exponent), "num_weight_bits": int(bits),
            "sign_mode": str(p.sign_mode).upper(), "shift": 0, "why": "coded as Lava codes weights",
        }  # fmt: skip
    values = entries(fixed.effective_weights(p))
    shift = _common_shift(values)
    if shift is None:
        return "effective weights do not fit Lava's 9-bit signed mantissa"
    return {
        "weights": "effective", "weight_exp": int(fixed.sum_exponent(p)) + shift, "shift": shift,
        "num_weight_bits": KEEP_ALL_BITS, "sign_mode": "MIXED",
        "why": "effective weights, which Lava keeps as they are",
    }  # fmt: skip


def _same_coding(a: Weights, b: Weights) -> bool:
    ignored = {"source", "status", "note", "exponent_lo", "exponent_hi"}
    return a.model_dump(exclude=ignored) == b.model_dump(exclude=ignored)


def _common_shift(values: Any) -> int | None:
    """Return the smallest right shift that loses nothing and fits MIXED_RANGE, or None."""
    for by in range(24):
        small = values >> by
        if np.any(small << by != values):
            return None
        if values.size == 0 or (small.min() >= MIXED_RANGE[0] and small.max() <= MIXED_RANGE[1]):
            return by
    return None


def stock_matrix(fixed: FixedNetwork, p: FixedProjection, settings: dict[str, Any]) -> Any:
    """Return the weights Lava is given, int64 dense or CSR."""
    if settings["weights"] == "mantissas":
        return with_entries(p.weights, np.asarray(entries(p.weights), np.int64))
    weights = fixed.effective_weights(p)
    if not is_sparse(weights):
        return np.asarray(weights) >> settings["shift"]
    parts = (weights.data >> settings["shift"], weights.indices, weights.indptr)
    return sparse.csr_matrix(parts, shape=weights.shape)
