"""Why two runs of one graph differ: two rules, a rule and a recording, or a rule and a chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from ..errors import RangeError
from .causes import Explanation, explain_runs
from .chip import explain_chip
from .chip_results import ChipExplanation
from .fields import Array
from .model import NIRGraph
from .recorded import explain_recorded
from .rules import NirRule, find_rule

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

Other = NirRule | str | Mapping[str, Array]


@overload
def explain(
    graph: NIRGraph, inputs: Any, rule_a: NirRule | str, rule_b: Other, *, dt: float | None = None,
    **options: Any,
) -> Explanation: ...  # fmt: skip


@overload
def explain(
    graph: NIRGraph, inputs: Any, rule_a: NirRule | str, *, dt: float | None = None,
    chip: HardwareProfile | str, **options: Any,
) -> ChipExplanation: ...  # fmt: skip


def explain(
    graph: NIRGraph,
    inputs: Any,
    rule_a: NirRule | str,
    rule_b: Other | None = None,
    *,
    dt: float | None = None,
    chip: HardwareProfile | str | None = None,
    **options: Any,
) -> Explanation | ChipExplanation:
    """Find what parts two rules, a rule and a recording, or a rule and a chip, on one graph.

    Args:
        graph: the graph.
        inputs: as of :func:`run`.
        rule_a: a rule or its name.
        rule_b: another, or what was recorded elsewhere: node -> spikes (n_steps, *shape), or
            (n_steps, neurons) in C order.
        dt: the step; None: that of rule_a, else of rule_b.
        chip: in place of rule_b: a profile or its name, see :func:`explain_chip`.
        **options: of :func:`explain_chip`; for a recording ``most_runs`` (500), how often the
            graph may be run to search for settings that repeat it, and ``progress``, called with
            (runs done, ``most_runs``).

    Raises:
        NetworkError, RangeError: as :func:`run`, or a recording that does not fit.
        LoweringError: the rule or the chip cannot do it.
    """
    if chip is not None:
        if rule_b is not None:
            raise RangeError("explain: a second rule and a chip, allowed: one of them")
        return explain_chip(graph, inputs, rule_a, chip, dt=dt, **options)
    recorded = isinstance(rule_b, Mapping)
    unknown = sorted(options.keys() - ({"most_runs", "progress"} if recorded else set()))
    if rule_b is None or unknown:
        given = ", ".join(unknown) or "nothing"
        more = " (with a recording: most_runs, progress)" if unknown else ""
        raise RangeError(f"explain: {given}, allowed: a second rule, a recording, or chip={more}")
    if isinstance(rule_b, Mapping):
        return explain_recorded(graph, inputs, find_rule(rule_a), rule_b, dt=dt, **options)
    return explain_runs(graph, inputs, rule_a, rule_b, dt=dt)
