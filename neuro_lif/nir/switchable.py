"""Which rules a stepped network can say, and what takes the place of what it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import LoweringError, RangeError, show
from .model import NIRGraph
from .nodes import IF
from .plan import flatten
from .rules import NirRule

STAND_INS: dict[str, tuple[str, dict[str, str], str]] = {
    "integrator": ("integrator", {"event": "exact", "shift": "euler"}, "a clock and floats"),
    "floor": ("floor", {"*": "none"}, "no least voltage"),
    "double-reset": ("reset", {"subtract-once": "subtract"}, "plain subtraction"),
}
"""Name of an approximation -> (field of a rule, its values that no stepped network has and what may
be taken instead, in words)."""
APPROXIMATIONS = {
    "integrator": "step by a clock, in floats, where the rule's spikes fall between steps or its "
    "states are integers",
    "floor": "leave out a least voltage",
    "double-reset": "subtract plainly where the rule does not subtract a pending spike twice",
    "cycle": "give a cycle that is shorter than its edges need the steps it lacks",
}
"""What :func:`neuro_lif.nir.to_stepped` may approximate."""


def checked(approximate: Iterable[str]) -> frozenset[str]:
    """Return what may be approximated.

    Raises:
        RangeError: something that cannot be.
    """
    given = (approximate,) if isinstance(approximate, str) else tuple(approximate)
    for name in given:
        if name not in APPROXIMATIONS:
            raise RangeError(f"approximate = {show(name)}, allowed: {', '.join(APPROXIMATIONS)}")
    return frozenset(given)


def without_idle_floor(rule: NirRule, graph: NIRGraph) -> NirRule:
    """Return the rule without a floor of IF nodes where the graph has none of them."""
    if rule.floor != "IF -threshold" or any(isinstance(n, IF) for n in flatten(graph)[0].values()):
        return rule
    return replace(rule, floor="none")


def expressible(rule: NirRule, allowed: frozenset[str], notes: list[str]) -> NirRule:
    """Return the rule a stepped network has, noting what was replaced.

    Raises:
        LoweringError: a switch is set to what a chip's clocked neurons do not do.
    """
    changes: dict[str, str] = {}
    for approximation, (name, instead, words) in STAND_INS.items():
        value = getattr(rule, name)
        other = instead.get(value, instead.get("*", value))
        if other == value:
            continue
        if approximation not in allowed:
            raise LoweringError(
                f"rule {rule.name!r}: {name} = {value!r}, allowed on a chip: {other!r} "
                f"({words}): choose a rule that has it (snntorch, nir-euler), "
                f"find_rule({rule.name!r}, {name}={other!r}), or approximate=({approximation!r},)"
            )
        changes[name] = other
        if value == "shift":  # such neurons have no gains
            changes |= dict.fromkeys(("input_gain", "if_gain", "cuba_gain", "synapse_gain"), "one")
        notes.append(f"rule {rule.name!r}: {name} {value!r} is approximated by {other!r}: {words}")
    if rule.shown_at_spike is not None:
        notes.append(f"voltages show v after a spike, not {rule.shown_at_spike:g}")
    if rule.state != "fresh":
        notes.append("every run begins fresh; the rule's state is kept from run to run")
    return replace(rule, **changes)  # type: ignore[arg-type]
