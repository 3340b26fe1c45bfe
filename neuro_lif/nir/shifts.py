"""When each population does what the graph does in its step 0, on a chip whose spikes take a step.

An edge of ``d`` steps in the graph from A to B has ``d + shift[B] - shift[A]`` on the chip. The
shifts are the least that leave every edge as many steps as it needs: the longest path. All that
met in the graph still meets. Around a cycle the shifts cancel, so a cycle keeps its length, and one
that is shorter than its edges need has no solution.

Source: Bellman (1958), Ford (1956), shortest paths, here with the signs turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import LoweringError


@dataclass(frozen=True)
class Edge:
    """A way from one population (or input) to another.

    Args:
        source, target: names.
        steps: in the graph.
        least: steps it needs.
        back: it closes a cycle of the graph.
    """

    source: str
    target: str
    steps: int
    least: int
    back: bool = False


def shifts_of(names: Sequence[str], fixed: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the least shift of each name.

    Args:
        names: populations.
        fixed: inputs, whose shift is 0.
        edges: between them.

    Raises:
        ShortCycle: a cycle has fewer steps than its edges need.
    """
    shift = dict.fromkeys([*fixed, *names], 0)
    cause: dict[str, Edge] = {}
    last = ""
    for _ in range(len(shift) + 1):
        last = ""
        for edge in edges:
            least = shift[edge.source] + edge.least - edge.steps
            if least > shift[edge.target]:
                shift[edge.target], cause[edge.target] = least, edge
                last = edge.target
        if not last:
            return shift
    raise ShortCycle(_cycle(cause, last))


class ShortCycle(LoweringError):
    """A cycle has fewer steps than its edges need."""

    def __init__(self, edges: list[Edge]) -> None:
        self.edges = edges
        way = " -> ".join([edges[0].source, *(e.target for e in edges)])
        super().__init__(
            f"cycle {way}: {sum(e.steps for e in edges)} step(s) altogether, allowed: at least "
            f"{sum(e.least for e in edges)} where every edge between neurons takes one (put a "
            "Delay into it, or allow more steps with approximate=('cycle',))"
        )


def _cycle(cause: Mapping[str, Edge], name: str) -> list[Edge]:
    for _ in cause:  # walk back until we are surely inside the cycle
        name = cause[name].source
    found = [cause[name]]
    while found[0].source != name:
        found.insert(0, cause[found[0].source])
    return found


def lengthened(
    names: Sequence[str], fixed: Sequence[str], edges: Sequence[Edge], notes: list[str]
) -> tuple[list[Edge], dict[str, int]]:
    """Return edges with as many steps more as cycles need, and the shifts; each is noted."""
    edges = list(edges)
    added: dict[int, int] = {}
    while True:
        try:
            shift = shifts_of(names, fixed, edges)
            break
        except ShortCycle as short:
            ring = {id(e) for e in short.edges}
            inside = [k for k, e in enumerate(edges) if id(e) in ring]
            k = max(inside, key=lambda k: (edges[k].back, -k))
            lack = sum(e.least - e.steps for e in short.edges)
            edges[k] = replace(edges[k], steps=edges[k].steps + lack)
            added[k] = added.get(k, 0) + lack
    for k, more in added.items():
        e = edges[k]
        notes.append(
            f"edge {e.source} -> {e.target}: {more} step(s) more than in the graph, because its "
            "cycle is shorter than the edges of a chip: spikes may differ"
        )
    return edges, shift
