"""``neuro-lif nir``: look at NIR files, run them as a framework would, say why two runs differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError
from . import explain, nir_quantize
from .common import check_writable

if TYPE_CHECKING:
    from ..nir import NIRGraph

HDF = (".nir", ".h5", ".hdf5")
"""Endings of files that hold NIR."""


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("nir", help="read, run and explain NIR files", description=__doc__)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = actions.add_parser("show", help="the nodes, the edges and what had to be mended")
    shown.add_argument("file", type=Path, help="NIR file (.nir)")
    shown.add_argument("--picture", type=Path, help="draw the graph (.png, .svg, .pdf)")
    shown.set_defaults(run=show_file)
    ran = actions.add_parser("run", help="run it under a rule")
    explain.add_run(ran)
    ran.add_argument("--out", type=Path, help="write spikes and voltages (.npz: spikes/NODE ...)")
    ran.add_argument("--golden", type=Path, help="write the same as NIRData")
    ran.set_defaults(run=run_file)
    coded = actions.add_parser("quantize", help="lower it to a chip's integers")
    explain.add_run(coded, inputs_needed=False)
    nir_quantize.add_arguments(coded)
    told = actions.add_parser("explain", help=explain.ABOUT, description=explain.__doc__)
    explain.add_arguments(told)
    mended = actions.add_parser("convert", help="write it anew, with all repairs made")
    mended.add_argument("file", type=Path, help="NIR file (.nir)")
    mended.add_argument("out", type=Path, help="NIR file to write")
    mended.set_defaults(run=convert_file)
    rules = actions.add_parser("rules", help="the rules by name")
    rules.add_argument("rule", nargs="*", help="print the switches of these, side by side")
    rules.set_defaults(run=show_rules)


def show_file(args: argparse.Namespace) -> int:
    """Print a file's nodes, edges and report."""
    from ..nir import graph_picture, read

    check_writable(args.picture, "--picture", (".png", ".svg", ".pdf"))
    found = read(args.file)
    _table(found.graph)
    print(found.report)
    if args.picture:
        graph_picture(found.graph, args.picture)
        print(f"written to {args.picture}")
    return 0


def _table(graph: NIRGraph) -> None:
    """Print name, type, shape and targets of each node; a nested one is called graph/node."""
    rows = list(_rows(graph, ""))
    width = min(60, max((len(row[0]) for row in rows), default=1))
    for name, kind, shape, to in rows:
        print(f"{name:<{width}}  {kind:<10} {shape:>12}  -> {to}".rstrip())


def _rows(graph: NIRGraph, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    from ..nir import NIRGraph
    from ..nir.order import neighbours, order
    from ..nir.shapes import graph_shapes

    shapes = graph_shapes(graph.nodes, graph.edges)
    sequence, back = order(graph.nodes, graph.edges)
    targets = neighbours(graph.nodes, graph.edges)[1]
    for name in sequence:
        node = graph.nodes[name]
        to = [t + (" (back)" if (name, t) in back else "") for t in targets[name]]
        shape = "x".join(map(str, shapes[name])) if name in shapes else "?"
        yield prefix + name, type(node).__name__, shape, ", ".join(to)
        if isinstance(node, NIRGraph):
            yield from _rows(node, f"{prefix}{name}/")


def run_file(args: argparse.Namespace) -> int:
    """Run a file under a rule."""
    from ..nir import read, run, write_data
    from ..npz import replacing, write_npz

    if args.out and args.out.suffix != ".npz":
        raise FileFormatError(f"--out {str(args.out)!r}, allowed: a .npz file")
    check_writable(args.out, "--out")
    check_writable(args.golden, "--golden", HDF)
    found = read(args.file)
    print(found.report)
    given = explain.inputs_of(args, found.graph)
    ran = run(found.graph, given, explain.rule_of(args, found.graph), dt=args.dt)
    for note in ran.notes:
        print(f"note: {note}")
    print(f"rule {ran.rule.name}, dt {ran.dt:g}")
    for node, voltage in ran.voltage.items():
        spikes = f"{ran.spikes[node].sum():g} spikes" if node in ran.spikes else "no spikes"
        print(f"  {node}: {spikes}, v from {voltage.min():g} to {voltage.max():g}")
    if args.out:
        kinds = ("spikes", "voltage", "current", "outputs")
        arrays = {f"{k}/{n}": a for k in kinds for n, a in getattr(ran, k).items()}
        with replacing(args.out) as temporary:
            write_npz(temporary, arrays)
        print(f"written to {args.out}")
    if args.golden:
        write_data(args.golden, ran, given)
        print(f"written to {args.golden}")
    return 0


def convert_file(args: argparse.Namespace) -> int:
    """Write a file anew."""
    from ..nir import read, write

    check_writable(args.out, "the file to write", HDF)
    found = read(args.file)
    write(args.out, found.graph)
    print(found.report)
    print(f"written to {args.out}")
    return 0


def show_rules(args: argparse.Namespace) -> int:
    """Print the rules, or the switches of some of them side by side."""
    from ..nir import RULES, find_rule

    if not args.rule:
        for rule in RULES.values():
            print(f"{rule.name}: {rule.about}")
        print("the switches of one, or of several: neuro-lif nir rules NAME ...")
        return 0
    rules = [find_rule(name) for name in args.rule]
    head = ["switch", *(rule.name for rule in rules)]
    tables = [rule.switches() for rule in rules]
    rows = [[name, *(_shown(table[name]) for table in tables)] for name in tables[0]]
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip())
    return 0


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
