"""Decides, element by element, which Lava process computes exactly what the profile says.

Stock processes (LIF, Dense, Sparse, DelayDense, DelaySparse) are taken where their arithmetic is
the profile's, which is found by comparing data; our own process steps in everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import entries, has_duplicates, is_sparse, post_of_entries
from ..checks import expect
from ..errors import Faults, TargetError
from ..fixed import FixedNetwork, FixedPopulation, FixedProjection
from ..formats import shift
from ..numerics import walk
from ..profile import load_profile
from ..profile_model import HardwareProfile, Weights
from .plain import refuse_special

INT32 = (-(2**31), 2**31 - 1)
WRAP32 = (("wrap", *INT32),)
LONGEST_STOCK_DELAY = 63
"""Lava's DelayDense and DelaySparse refuse more while running."""
KEEP_ALL_BITS = 9
"""``num_weight_bits`` with which Lava drops no bit of a MIXED weight: 8 - 9 + 1 = 0."""
MIXED_RANGE = (-256, 255)


@dataclass(frozen=True)
class LavaChoice:
    """Which Lava process an element becomes, and why.

    Args:
        element: ``population 'a'``, ``projection 'c'``, ``source 's'`` or ``input 'i'``.
        process: name of the Lava process.
        stock: True: shipped with Lava; False: ours, from the exported folder.
        why: the reason in a few words.
        settings: what the process is given beyond arrays (for the export).
    """

    element: str
    process: str
    stock: bool
    why: str
    settings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        origin = "Lava's" if self.stock else "our"
        return f"{self.element}: {origin} {self.process} ({self.why})"


def plan_lava(fixed: FixedNetwork, payloads: dict[str, int] | None = None) -> list[LavaChoice]:
    """Return the Lava process of every population, projection, source and direct input.

    Args:
        fixed: the network.
        payloads: input name -> largest magnitude sent; absent ones are read from the raster.

    Raises:
        RangeError: that is no FixedNetwork.
        TargetError: something no Lava process can do, by name.
    """
    expect(fixed, FixedNetwork, "plan_lava")
    refuse_special(fixed, "Lava")
    faults = Faults()
    largest = _payloads(fixed) | (payloads or {})
    choices = [plan_population(fixed, p) for p in fixed.populations]
    choices += [plan_projection(fixed, p, largest[p.pre]) for p in fixed.projections]
    choices += [_plan_input("source", s.name, largest[s.name], faults) for s in fixed.sources]
    choices += [_plan_input("input", d.name, largest[d.name], faults) for d in fixed.directs]
    faults.raise_if_any(TargetError, "Lava cannot run this network")
    return choices


def _payloads(fixed: FixedNetwork) -> dict[str, int]:
    """Return the largest magnitude each population, source and direct input can send."""
    sent = {s.name: _magnitude(s.raster) for s in fixed.sources}
    sent |= {d.name: _magnitude(d.raster) for d in fixed.directs}
    for population in fixed.populations:
        sent[population.name] = _most_spikes(fixed.profile.ops(population.model))
    return sent


def _magnitude(raster: Any) -> int:
    if raster is None:
        return 1
    array = np.asarray(raster)
    return max(abs(int(array.min())), abs(int(array.max()))) if array.size else 0


def _most_spikes(ops: Any) -> int:
    """Return a bound of what a neuron sends: spikes, or a graded value of 32 bits."""
    total = 0
    for op in walk(ops):
        if op["op"] == "fire":
            total += int(op["cap"]) if op["multi"] == "loop" else 1
        elif op["op"] == "emit":
            constant = isinstance(op["src"], int) and isinstance(op["shift"], int)
            total += abs(shift(op["src"], op["shift"])) if constant else INT32[1]
    return total


def _plan_input(kind: str, name: str, largest: int, faults: Faults) -> LavaChoice:
    element = f"{kind} {name!r}"
    if largest > INT32[1]:
        faults.add(element, "largest value", largest, f"at most {INT32[1]}",
                   "Lava's RingBuffer holds 32-bit integers")  # fmt: skip
    why = "sent over synapses" if kind == "source" else "straight into the neurons' port"
    return LavaChoice(element, "RingBuffer", True, why)


# ------------------------------------------------------------------------------ populations


@lru_cache(maxsize=1)
def _lava_profile() -> HardwareProfile:
    """Return the profile that says what Lava's own processes compute."""
    return load_profile("lava-0.10")


def plan_population(fixed: FixedNetwork, population: FixedPopulation) -> LavaChoice:
    """Return ``LIF`` where Lava's own neuron does the same, else ``OpListNeuron``."""
    element = f"population {population.name!r}"
    model = fixed.profile.model(population.model)
    if (
        fixed.profile.ops(population.model) != _lava_profile().ops("lif")
        or (model.voltage, model.current) != ("v", "u")
    ):  # fmt: skip
        why = f"Lava's LIF does not do the operations of {population.model!r}"
        return LavaChoice(element, "OpListNeuron", False, why)
    stored = fixed.params(population.name)
    scalars = {}
    for name in ("du", "dv", "vth"):
        values = np.unique(stored[name])
        if len(values) > 1:
            return LavaChoice(element, "OpListNeuron", False, f"{name} differs between neurons")
        scalars[name] = int(values[0])
    start = fixed.initial(population.name)
    wide = [k for k, x in (scalars | {"u": start["u"], "v": start["v"]}).items() if not fits32(x)]
    wide += [k for k in ("bias_mant", "bias_exp") if not _wraps_to(population, k, stored[k])]
    if wide:
        return LavaChoice(element, "OpListNeuron", False, f"{wide[0]} is too wide for Lava's LIF")
    return LavaChoice(element, "LIF", True, "the operations are Lava's own", scalars)


def fits32(values: Any) -> bool:
    """Tell whether all values fit 32 bits."""
    array = np.asarray(values)
    return bool(array.size == 0 or (array.min() >= INT32[0] and array.max() <= INT32[1]))


def _wraps_to(population: FixedPopulation, name: str, stored: Any) -> bool:
    """Tell whether Lava's int16 storage makes of a parameter what the profile makes of it."""
    given = np.asarray(population.params.get(name, stored), np.int64)
    return bool(np.array_equal(np.broadcast_to(given.astype(np.int16), stored.shape), stored))


# ------------------------------------------------------------------------------ projections


def arrival_delays(fixed: FixedNetwork, p: FixedProjection) -> Any:
    """Return each stored weight's delay as Lava counts it: 0 arrives in the next step."""
    delays = np.broadcast_to(p.delays, entries(p.weights).shape)
    return np.asarray(delays + (fixed.latency(p) - 1), np.int64)


def plan_projection(fixed: FixedNetwork, p: FixedProjection, payload: int) -> LavaChoice:
    """Return the stock connection that does the same, else ``IntegerSynapses``."""
    element = f"projection {p.name!r}"
    delays = arrival_delays(fixed, p)
    present = delays[entries(fixed.effective_weights(p)) != 0]
    soonest, longest = (int(present.min()), int(present.max())) if present.size else (0, 0)
    own = _why_own(fixed, p, payload, soonest, longest)
    if own:
        return LavaChoice(element, "IntegerSynapses", False, own)
    coding = _stock_coding(fixed, p)
    if isinstance(coding, str):
        return LavaChoice(element, "IntegerSynapses", False, coding)
    kind = ("Delay" if longest else "") + ("Sparse" if is_sparse(p.weights) else "Dense")
    why = coding.pop("why")
    return LavaChoice(element, kind, True, why, coding | {"max_delay": longest})


def _why_own(
    fixed: FixedNetwork, p: FixedProjection, payload: int, soonest: int, longest: int
) -> str:
    """Return why no stock connection will do (timing and sums), or an empty string."""
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
    widest = sum_bound(fixed, p, payload) << max(exponent, 0)
    if widest > INT32[1] and (rules != WRAP32 or exponent < 0):
        return f"sums up to {widest} do not fit Lava's 32 bits"
    if rules != WRAP32 and any(-widest < lo or widest > hi for _, lo, hi in rules):
        return f"sums up to {widest} may overflow, and not as Lava's do"
    return ""


def sum_bound(fixed: FixedNetwork, p: FixedProjection, payload: int) -> int:
    """Return a bound of what can arrive at one neuron in one step, before the sum's exponent."""
    weights = fixed.effective_weights(p)
    per_post = np.zeros(weights.shape[0], np.int64)
    np.add.at(per_post, post_of_entries(weights), np.abs(entries(weights)))
    return int(per_post.max(initial=0)) * (payload if p.graded else 1)


def _stock_coding(fixed: FixedNetwork, p: FixedProjection) -> dict[str, Any] | str:
    """Return how to hand the weights to Lava, or why that cannot be done."""
    rules = fixed.profile.weights
    bits = p.weight_bits or rules.default_bits
    if _same_coding(rules, _lava_profile().weights) and fits32(entries(p.weights)):
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
        return p.weights
    weights = fixed.effective_weights(p)
    if not is_sparse(weights):
        return np.asarray(weights) >> settings["shift"]
    parts = (weights.data >> settings["shift"], weights.indices, weights.indptr)
    return sparse.csr_matrix(parts, shape=weights.shape)
