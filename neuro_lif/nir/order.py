"""An order in which the nodes of a graph can be worked through, and the edges that close cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .model import Edge
from .nodes import Input, Node


def neighbours(
    names: Iterable[str], edges: Iterable[Edge]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the sources and the targets of each node, sorted: the order of edges means nothing."""
    sources: dict[str, list[str]] = {name: [] for name in names}
    targets: dict[str, list[str]] = {name: [] for name in sources}
    for source, target in sorted(edges):
        sources[target].append(source)
        targets[source].append(target)
    return sources, targets


def order(nodes: Mapping[str, Node], edges: Iterable[Edge]) -> tuple[list[str], set[Edge]]:
    """Return all nodes, each after its sources, and the edges that lead back.

    The walk starts at the inputs, so an edge leads back where it closes a cycle that is entered
    from an input; each cycle has at least one such edge.
    """
    sources, targets = neighbours(nodes, edges)
    starts = sorted(nodes, key=lambda n: (not isinstance(nodes[n], Input), bool(sources[n]), n))
    done: set[str] = set()
    open_: set[str] = set()
    back: set[Edge] = set()
    after: list[str] = []
    for start in starts:
        if start in done:
            continue
        open_.add(start)
        stack = [(start, iter(targets[start]))]
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                stack.pop()
                open_.discard(name)
                done.add(name)
                after.append(name)
            elif target in open_:
                back.add((name, target))
            elif target not in done:
                open_.add(target)
                stack.append((target, iter(targets[target])))
    return after[::-1], back
