"""Which of Lava's own neurons does what a population's model says, found by comparing data.

The profile ``lava-0.10`` says what Lava's neurons compute, operation by operation; a model of any
profile that has the same operations is given to the same neuron. :data:`STOCK` says how each is
built; a neuron more is an entry more (and its class in ``lava_bundle/stock.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..fixed import FixedNetwork, FixedPopulation
from ..numerics import walk
from ..profile import load_profile
from ..profile_model import HardwareProfile
from ..runs import register_of
from .lava_choice import LavaChoice, fits32

Values = Mapping[str, Any]
"""Parameter -> one whole number."""


@dataclass(frozen=True)
class Stock:
    """How one of Lava's neurons is built.

    Args:
        process: its name in Lava.
        shown: registers that are Vars of the process, of the same name.
        one: parameters that all neurons share.
        loose: parameters that Lava documents as shared, but multiplies and compares with arrays
            just as well; they may differ between neurons.
        each: parameters for every neuron, and the type Lava casts them to.
        starts: registers whose start the constructor takes; that of the others is set in the Var.
        unset: registers whose start counts for nothing.
        units: parameter -> what it is divided by before Lava gets it (exact: a power of two).
        fixed: settings that make the process this model.
        refuses: returns why Lava would not take these values, or an empty string.
    """

    process: str
    shown: tuple[str, ...]
    one: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    each: Mapping[str, Any] = field(default_factory=dict)
    starts: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    units: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    refuses: Callable[[Values], str] = lambda values: ""


def _refuses_reset(values: Values) -> str:
    if values["reset_interval"] < 1 or values["reset_offset"] < 0:
        return "reset_interval below 1 or reset_offset below 0, which Lava refuses"
    return ""


def _refuses_thresholds(values: Values) -> str:
    if values["vth_lo"] > values["vth_hi"]:
        return "vth_lo above vth_hi, which Lava refuses"
    return ""


def _refuses_exponents(values: Values) -> str:
    spike, state = values["spike_exp"], values["state_exp"]
    if spike < 0 or state < 0 or spike + state > 31:
        return f"spike_exp + state_exp = {spike} + {state}, Lava's: each >= 0, both at most 31"
    if not fits32(values["vth"] << (spike + state)):
        return "the scaled threshold does not fit Lava's 32 bits"
    return ""


_BIAS = {"bias_mant": np.int16, "bias_exp": np.int16}
_SDN = ("vth", "spike_exp", "state_exp")
_ERRORS: dict[str, Any] = {"refuses": _refuses_exponents}
_ADAPTIVE = {"delta_i": 4096, "delta_v": 4096, "delta_theta": 4096, "delta_r": 4096,
             "theta_0": 64, "theta_step": 64}  # fmt: skip

STOCK: dict[str, Stock] = {
    "lif": Stock("LIF", ("u", "v"), (), ("du", "dv", "vth"), _BIAS, ("u", "v")),
    "lif_reset": Stock(
        "LIFReset", ("u", "v"), ("reset_interval", "reset_offset"), ("du", "dv", "vth"), _BIAS,
        ("u", "v"), refuses=_refuses_reset,
    ),
    "ternary_lif": Stock(
        "TernaryLIF", ("u", "v"), ("vth_hi", "vth_lo"), ("du", "dv"), _BIAS, ("u", "v"),
        refuses=_refuses_thresholds,
    ),
    "sigma": Stock("Sigma", ("sigma",)),
    "delta": Stock("Delta", ("act", "residue"), _SDN, fixed={"cum_error": False}, **_ERRORS),
    "delta_cum_error": Stock(
        "Delta", ("act", "residue", "error"), _SDN, fixed={"cum_error": True}, **_ERRORS
    ),
    "sigma_delta": Stock(
        "SigmaDelta", ("sigma", "act", "residue", "error"), (*_SDN, "cum_error"),
        each={"bias": np.int32}, fixed={"act_mode": "RELU"}, **_ERRORS,
    ),
    "sigma_delta_unit": Stock(
        "SigmaDelta", ("sigma", "act", "residue", "error"), (*_SDN, "cum_error"),
        each={"bias": np.int32}, fixed={"act_mode": "UNIT"}, **_ERRORS,
    ),
    "graded_vec": Stock("GradedVec", ("v",), ("vth",)),
    "graded_relu_vec": Stock("GradedReluVec", ("v",), ("vth",)),
    "atrlif": Stock(
        "ATRLIF", ("i", "v", "theta", "r"), ("theta_step",),
        ("delta_i", "delta_v", "delta_theta", "delta_r", "theta_0"), _BIAS, ("i", "v", "r"),
        ("theta",), units=_ADAPTIVE,
    ),
}  # fmt: skip
"""Model of profile lava-0.10 -> how to build the process."""


@lru_cache(maxsize=1)
def lava_profile() -> HardwareProfile:
    """Return the profile that says what Lava's own processes compute."""
    return load_profile("lava-0.10")


def stock_of(fixed: FixedNetwork, population: FixedPopulation) -> Stock | None:
    """Return the neuron of Lava's that does the operations of a population's model, if any."""
    ops, own = fixed.profile.ops(population.model), lava_profile()
    names = (name for name in STOCK if name in own.models and own.ops(name) == ops)
    found = next(names, None)
    return None if found is None else STOCK[found]


def plan_population(fixed: FixedNetwork, population: FixedPopulation) -> LavaChoice:
    """Return Lava's own neuron where it does the same, else ``OpListNeuron``."""
    element = f"population {population.name!r}"
    stock = stock_of(fixed, population)
    if stock is None:
        why = f"Lava has no neuron that does the operations of {population.model!r}"
        return LavaChoice(element, "OpListNeuron", False, why)
    why = _why_own(fixed, population, stock)
    if why:
        return LavaChoice(element, "OpListNeuron", False, why)
    stored = fixed.params(population.name)
    spread = [name for name in stock.loose if np.unique(stored[name]).size > 1]
    note = f"; {', '.join(spread)} per neuron, where Lava documents one value" if spread else ""
    return LavaChoice(element, stock.process, True, "the operations are Lava's own" + note,
                      {"stock": stock, "spread": spread})  # fmt: skip


def _why_own(fixed: FixedNetwork, population: FixedPopulation, stock: Stock) -> str:
    """Return why Lava's neuron cannot hold these values, or an empty string."""
    stored, start = fixed.params(population.name), fixed.initial(population.name)
    for name in stock.one:
        if np.unique(stored[name]).size > 1:
            return f"{name} differs between neurons"
    for name in (*stock.one, *stock.loose):
        if not fits32(stored[name]):
            return f"{name} is too wide for Lava's {stock.process}"
    for name, kind in stock.each.items():
        given = np.asarray(population.params.get(name, stored[name]), np.int64)
        cast = np.broadcast_to(given.astype(kind), stored[name].shape)
        if not np.array_equal(cast, stored[name]):
            return f"{name} is too wide for Lava's {stock.process}"
    for name in stock.shown:
        if name not in stock.unset and not fits32(start[name]):
            return f"{name} starts too wide for Lava's {stock.process}"
    for variable in ("u", "v"):
        if not shows(fixed, population, stock, register_of(fixed, population.name, variable)):
            return f"{variable} of {population.model!r} is no Var of Lava's {stock.process}"
    return stock.refuses({name: int(stored[name][0]) for name in stock.one})


def shows(fixed: FixedNetwork, population: FixedPopulation, stock: Stock, register: str) -> bool:
    """Tell whether a register can be read from Lava, or never changes."""
    return register in stock.shown or register not in written(fixed, population.model)


def written(fixed: FixedNetwork, model: str) -> set[str]:
    """Return the registers that a model ever writes, ``ref`` among them where it counts one."""
    found = set()
    for op in walk(fixed.profile.ops(model)):
        found |= {op[name] for name in ("into", "reg") if op.get(name)}
        if op["op"] == "tick_ref" or op.get("ref") is not None:
            found.add("ref")
    return found


def given_to_stock(
    fixed: FixedNetwork, population: FixedPopulation, choice: LavaChoice
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what Lava is given.

    Returns:
        Numbers and arrays ``(n,)`` for the constructor; starts ``(n,)`` for Vars it has no
        argument for.
    """
    stock, spread = choice.settings["stock"], choice.settings["spread"]
    stored, start = fixed.params(population.name), fixed.initial(population.name)
    numbers: dict[str, Any] = dict(stock.fixed)
    arrays: dict[str, Any] = {name: start[name] for name in stock.starts}
    for name in (*stock.one, *stock.loose):
        unit = stock.units.get(name)
        values = stored[name] if unit is None else stored[name] / unit
        if name in spread:
            arrays[name] = values
        else:
            numbers[name] = values[0].item()
    for name in stock.each:  # as given: Lava wraps them by itself
        given = population.params.get(name, stored[name])
        arrays[name] = np.array(np.broadcast_to(given, (population.size,)))
    other = set(stock.shown) - {*stock.starts, *stock.unset}
    return numbers, arrays, {name: start[name] for name in other if start[name].any()}
