"""Pictures of graphs: nothing lies on anything else, and everything is inside."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from nir_graphs import FILES, graphs

from neuro_lif import nir
from neuro_lif.errors import FileFormatError, RangeError
from neuro_lif.nir.layout import LONGEST, WIDEST, Box, draw, short


def inside(a: Box, b: Box) -> bool:
    return (
        b.x <= a.x
        and b.y <= a.y
        and a.x + a.width <= b.x + b.width + 1e-9
        and a.y + a.height <= b.y + b.height + 1e-9
    )


def apart(a: Box, b: Box) -> bool:
    return (
        a.x + a.width <= b.x + 1e-9
        or b.x + b.width <= a.x + 1e-9
        or a.y + a.height <= b.y + 1e-9
        or b.y + b.height <= a.y + 1e-9
    )


def check(graph: nir.NIRGraph) -> None:
    drawing = draw(graph)
    paper = Box(0, 0, drawing.width, drawing.height, "")
    for box in drawing.boxes:
        assert inside(box, paper), box
    for a, b in combinations(drawing.boxes, 2):
        nested = (a.frame and inside(b, a)) or (b.frame and inside(a, b))
        assert apart(a, b) or nested, (a, b)
    assert {(a.source, a.target) for a in drawing.arrows} <= {
        (a, b) for a in drawing.boxes for b in drawing.boxes
    }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(graph=graphs())
def test_boxes_do_not_overlap(graph: nir.NIRGraph) -> None:
    check(graph)


def chain(n: int) -> nir.NIRGraph:
    ends = {"input": nir.Input((2,)), "output": nir.Output((2,))}
    nodes = {f"layer{k}": nir.Linear(np.eye(2)) for k in range(n)}
    names = ["input", *nodes, "output"]
    edges = [*zip(names, names[1:], strict=False), ("layer3", "layer1"), ("layer0", "layer4")]
    return nir.NIRGraph({**ends, **nodes}, tuple(edges))


def test_a_long_chain_goes_on_below(tmp_path: Path) -> None:
    graph = chain(50)
    check(graph)
    drawing = draw(graph)
    assert drawing.width <= WIDEST and drawing.height < 12
    jumps = [a.jump for a in drawing.arrows]
    assert jumps.count("band") >= 3 and jumps.count("back") == jumps.count("skip") == 1
    nir.graph_picture(graph, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_real_files(tmp_path: Path) -> None:
    for path in FILES:
        check(nir.read(path).graph)


def test_long_names_are_shortened() -> None:
    assert short("a" * 5000) == "a" * 12 + "…" + "a" * 12 and len(short("a" * 5000)) < LONGEST
    assert short("a\nb") == "a·b"


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match="no nodes"):
        nir.graph_picture(nir.NIRGraph({}, ()), tmp_path / "a.png")
    many = {f"a{k}": nir.Input((1,)) for k in range(2000)}
    with pytest.raises(RangeError, match="2000 nodes need"):
        nir.graph_picture(nir.NIRGraph(many, ()), tmp_path / "a.png")
    with pytest.raises(FileFormatError, match=r"\.png, \.svg or \.pdf"):
        nir.graph_picture(chain(5), tmp_path / "a.bmp")
    with pytest.raises(FileFormatError, match="cannot be written"):
        nir.graph_picture(chain(5), tmp_path / "none" / "a.png")
