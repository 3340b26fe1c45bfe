"""Profiles with other widths: registers that nothing overflows, decays that nothing rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..discretize import SteppedNetwork
from ..errors import Faults, NeuroLifError, RangeError
from ..fixed import FixedNetwork
from ..numerics import MOST_SPIKES
from ..width import check_width

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

WIDTHS = (48, 47, 46, 45, 44, 42, 40, 38, 36, 34, 32)
"""Register widths that are tried: the widest that 64-bit arithmetic can compute with is taken. No
register becomes narrower than it was."""

FINEST = 31
"""Bits of a decay where it is to be as good as unrounded."""


def widened(fixed: FixedNetwork) -> FixedNetwork:
    """Return the network on a copy of its profile whose registers and sums are as wide as can be.

    The operations, their order and their roundings are the same; a rule that brings a value back
    into a range has the wide register's, or is gone where it has a range of its own.

    Raises:
        RangeError: no width can be computed with in 64 bits.
    """
    why = ""
    for bits in WIDTHS:
        try:
            wide = replace(fixed, profile=_wide(fixed.profile, bits))
        except NeuroLifError as error:
            why = str(error)
            continue
        faults = Faults()
        for p in wide.populations:
            check_width(wide.profile, p, faults)
        if not faults.lines:
            return wide
        why = faults.lines[0]
    raise RangeError(f"profile {fixed.profile.name}: no register is wide enough to tell rounding "
                     f"from overflow: {why}")  # fmt: skip


@lru_cache(maxsize=8)
def _cached(text: str, bits: int) -> HardwareProfile:
    from ..profile_model import HardwareProfile

    raw = HardwareProfile.model_validate_json(text).model_dump(by_alias=True)
    return HardwareProfile.model_validate(_widened(raw, bits))


def _wide(profile: HardwareProfile, bits: int) -> HardwareProfile:
    return _cached(profile.model_dump_json(by_alias=True), bits)


def _widened(raw: dict[str, Any], bits: int) -> dict[str, Any]:
    for register in raw["registers"].values():
        register["bits"] = max(bits, register["bits"])
    raw["routing"]["accumulator"] = ()
    raw["routing"]["alias_cap"] = MOST_SPIKES
    if raw["routing"]["payload_bits"]:
        raw["routing"]["payload_bits"] = 32
    if raw.get("convolution"):
        raw["convolution"]["accumulator"] = ()
    for model in raw["models"].values():
        model["ops"] = _each_op(model["ops"], _wide_op)
    return raw


def _each_op(ops: Any, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Any:
    found = []
    for op in ops:
        inner = {k: _each_op(op[k], change) for k in ("then", "else", "do") if op.get(k)}
        changed = change({**op, **inner})
        if changed is not None:
            found.append(changed)
    return tuple(found)


def _wide_op(op: dict[str, Any]) -> dict[str, Any] | None:
    if op["op"] == "clamp":
        return None
    for name in ("sum_ovf", "shift_ovf", "src_ovf"):
        if name in op:
            op[name] = ()
    if op.get("ovf"):
        op["ovf"] = ({"mode": "sat", "lo": None, "hi": None},)
    if op.get("multi") == "loop":
        op["cap"] = MOST_SPIKES
    return op


def finely_lowered(
    fixed: FixedNetwork, stepped: SteppedNetwork, lowered: SteppedNetwork
) -> SteppedNetwork:
    """Return the network with the filter stages that lowering gave it, but no decay rounded.

    What leads to a stage depends on the coded decays; here they are as fine as a profile can say
    (31 bits), so the network is what was described to about 1e-7.

    Args:
        fixed, stepped: the integers, and what they were made from.
        lowered: the network as lowering took it apart.
    """
    from ..lower.draft import Draft
    from ..lower.granularity import split_signs
    from ..lower.models import choose_models
    from ..lower.stages import lower_stages

    profile = _fine(fixed.profile.model_dump_json(by_alias=True))
    bits = profile.weights.default_bits
    names = [q.name for q in lowered.projections]
    for start in (stepped, split_signs(stepped)):
        draft = Draft(start, profile, frozenset(), bits, None, True, False)
        found = lower_stages(choose_models(draft)).stepped
        if [q.name for q in found.projections] == names:
            return found
    raise RangeError(f"projections = {names}, allowed: those that lowering makes of the network")


@lru_cache(maxsize=8)
def _fine(text: str) -> HardwareProfile:
    from ..profile_model import HardwareProfile

    raw = HardwareProfile.model_validate_json(text).model_dump(by_alias=True)
    params: set[str] = set()

    def finer(op: dict[str, Any]) -> dict[str, Any]:
        if op["op"] == "decay" and str(op["kind"]).startswith("mult"):
            params.add(str(op["d"]))
            op["k"] = FINEST
        return op

    for model in raw["models"].values():
        model["ops"] = _each_op(model["ops"], finer)
    for name in params & set(raw["params"]):
        raw["params"][name].update(lo=None, hi=None, bits=None, signed=False, hi_pow2=FINEST,
                                   storage=None)  # fmt: skip
    return HardwareProfile.model_validate(raw)
