"""Why two runs of one graph differ: two rules, a rule and a recording, or a rule and a chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ..errors import RangeError
from .causes import Explanation, Other, explain_runs
from .chip import explain_chip
from .chip_results import ChipExplanation
from .model import NIRGraph
from .rules import NirRule

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile


@overload
def explain(
    graph: NIRGraph, inputs: Any, rule_a: NirRule | str, rule_b: Other, *, dt: float | None = None
) -> Explanation: ...


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
        **options: of :func:`explain_chip`.

    Raises:
        NetworkError, RangeError: as :func:`run`, or a recording that does not fit.
        LoweringError: the rule or the chip cannot do it.
    """
    if chip is not None:
        if rule_b is not None:
            raise RangeError("explain: a second rule and a chip, allowed: one of them")
        return explain_chip(graph, inputs, rule_a, chip, dt=dt, **options)
    if rule_b is None or options:
        given = ", ".join(sorted(options)) or "nothing"
        raise RangeError(f"explain: {given}, allowed: a second rule, a recording, or chip=")
    return explain_runs(graph, inputs, rule_a, rule_b, dt=dt)
