"""Where the nodes of a graph stand in a picture: in columns from left to right, in bands.

A node stands right of what leads to it; where the columns get too wide, they go on in a band below.
Nested graphs are frames around their own nodes. Lengths are inches, y points down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from .model import Edge, NIRGraph
from .order import order
from .shapes import graph_shapes, kind

WIDEST = 15.0
"""Width at which the columns go on below."""
GAP_X, GAP_Y, BAND = 0.5, 0.3, 0.55
"""Between columns, between rows and between bands."""
FRAME, TITLE = 0.25, 0.3
"""Around the nodes of a nested graph, and room for its name."""
LONGEST = 26
"""Characters of a name that are shown."""
_LETTER, _LINE = 0.068, 0.145


@dataclass(frozen=True)
class Box:
    """A node: its left upper corner, its size, what is written in it."""

    x: float
    y: float
    width: float
    height: float
    text: str
    frame: bool = False
    """A nested graph, whose nodes lie inside."""

    def moved(self, x: float, y: float) -> Box:
        """Return the box elsewhere."""
        return replace(self, x=self.x + x, y=self.y + y)


@dataclass(frozen=True)
class Arrow:
    """An edge between two boxes; ``jump`` tells how: next, skip, back, self or band."""

    source: Box
    target: Box
    jump: str
    lane: float = 0.0
    """y of the free lane between two bands."""

    def moved(self, x: float, y: float) -> Arrow:
        """Return the arrow elsewhere."""
        return Arrow(self.source.moved(x, y), self.target.moved(x, y), self.jump, self.lane + y)


@dataclass
class Drawing:
    """A graph with all boxes and arrows, from (0, 0) to (width, height)."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def add(self, other: Drawing, x: float, y: float) -> None:
        """Put a drawing of a nested graph into this one."""
        self.boxes += [b.moved(x, y) for b in other.boxes]
        self.arrows += [a.moved(x, y) for a in other.arrows]


def short(name: str) -> str:
    """Return a name that fits: its middle is left out, and it has one line."""
    name = "".join(c if c.isprintable() else "·" for c in name)
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"


def draw(graph: NIRGraph) -> Drawing:
    """Return where everything of a graph stands.

    Raises:
        NetworkError: the graph does not fit together.
    """
    shapes = graph_shapes(graph.nodes, graph.edges)
    inner: dict[str, Drawing] = {}
    sizes: dict[str, Box] = {}
    for name, node in graph.nodes.items():
        shape = "×".join(map(str, shapes[name])) if name in shapes else "?"
        if isinstance(node, NIRGraph) and node.nodes:
            inner[name] = made = draw(node)
            text = f"{short(name)}  (graph)"
            wide = max(made.width + 2 * FRAME, _LETTER * len(text) + 2 * FRAME)
            sizes[name] = Box(0, 0, wide, made.height + FRAME + TITLE, text, True)
        else:
            lines = (short(name), kind(node), shape)
            wide = _LETTER * max(map(len, lines)) + 0.2
            sizes[name] = Box(0, 0, wide, _LINE * len(lines) + 0.16, "\n".join(lines))
    columns, back = _columns(graph)
    drawing, places, bands = _placed(columns, sizes)
    for name, box in places.items():
        drawing.boxes.append(box)
        if name in inner:
            drawing.add(inner[name], box.x + FRAME, box.y + TITLE)
    column = {name: i for i, names in enumerate(columns) for name in names}
    for edge in graph.edges:
        jump, lane = _jump(edge, edge in back, column, bands)
        drawing.arrows.append(Arrow(places[edge[0]], places[edge[1]], jump, lane))
    return drawing


def _columns(graph: NIRGraph) -> tuple[list[list[str]], set[Edge]]:
    """Return the names in each column, those beside each other that have the same sources."""
    sequence, back = order(graph.nodes, graph.edges)
    sources: dict[str, list[str]] = {name: [] for name in sequence}
    for source, target in graph.edges:
        if (source, target) not in back:
            sources[target].append(source)
    column: dict[str, int] = {}
    for name in sequence:
        column[name] = 1 + max((column[s] for s in sources[name]), default=-1)
    columns: list[list[str]] = [[] for _ in range(1 + max(column.values(), default=-1))]
    for name in sequence:
        columns[column[name]].append(name)
    row: dict[str, float] = {}
    leads_back = {source for source, _ in back}
    for names in columns:
        means = {n: sum(row[s] for s in sources[n]) / max(1, len(sources[n])) for n in names}
        # what leads back stands above, where its arrow does
        names.sort(key=lambda n: (means[n], n not in leads_back, _natural(n)))
        for i, name in enumerate(names):
            row[name] = (i + 0.5) / len(names)
    return columns, back


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what to sort by, so that a2 comes before a10."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"(\d{1,9})", name) if p]


def _placed(
    columns: list[list[str]], sizes: dict[str, Box]
) -> tuple[Drawing, dict[str, Box], list[tuple[int, float]]]:
    """Return an empty drawing of the right size, the boxes, and the band and lane of a column."""
    drawing = Drawing()
    places: dict[str, Box] = {}
    bands: list[tuple[int, float]] = []
    top, start, band = 0.0, 0, 0
    while start < len(columns):
        widths = [max(sizes[n].width for n in columns[start])]
        end = start + 1
        while end < len(columns):
            more = max(sizes[n].width for n in columns[end])
            if sum(widths) + more + GAP_X * len(widths) > WIDEST:
                break
            widths.append(more)
            end += 1
        heights = [sum(sizes[n].height + GAP_Y for n in columns[c]) for c in range(start, end)]
        # arcs above and below need room
        middle = top + 0.35 + max(heights) / 2
        x = 0.0
        for c, wide, high in zip(range(start, end), widths, heights, strict=True):
            y = middle - high / 2
            for name in columns[c]:
                box = sizes[name]
                places[name] = box.moved(x + (wide - box.width) / 2, y + GAP_Y / 2)
                y += box.height + GAP_Y
            x += wide + GAP_X
        drawing.width = max(drawing.width, x - GAP_X)
        bottom = middle + max(heights) / 2 + 0.35
        bands += [(band, bottom + BAND / 2)] * (end - start)
        drawing.height = bottom
        top, start, band = bottom + BAND, end, band + 1
    return drawing, places, bands


def _jump(
    edge: Edge, back: bool, column: dict[str, int], bands: list[tuple[int, float]]
) -> tuple[str, float]:
    source, target = column[edge[0]], column[edge[1]]
    if edge[0] == edge[1]:
        return "self", 0.0
    if back:
        return "back", 0.0
    if bands[source][0] != bands[target][0]:
        return "band", bands[source][1]
    return ("next" if target == source + 1 else "skip"), 0.0
