"""``neuro-lif nir``: look at NIR files, run them as a framework would, say why two runs differ."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError, RangeError

if TYPE_CHECKING:
    from ..nir import NIRGraph, NirRule


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("nir", help="read, run and explain NIR files", description=__doc__)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = actions.add_parser("show", help="the nodes, the edges and what had to be mended")
    shown.add_argument("file", type=Path, help="NIR file (.nir)")
    shown.add_argument("--picture", type=Path, help="draw the graph (.png, .svg, .pdf)")
    shown.set_defaults(run=show_file)
    ran = actions.add_parser("run", help="run it under a rule")
    _add_run(ran)
    ran.add_argument("--out", type=Path, help="write spikes and voltages (.npz: spikes/NODE ...)")
    ran.add_argument("--golden", type=Path, help="write the same as NIRData")
    ran.set_defaults(run=run_file)
    told = actions.add_parser("explain", help="which switch parts two rules, or a recording")
    _add_run(told)
    group = told.add_mutually_exclusive_group(required=True)
    group.add_argument("--against", metavar="RULE", help="another rule")
    group.add_argument("--recording", type=Path, help=".npz: node name -> spikes (n_steps, *shape)")
    told.add_argument("--picture", type=Path, help="draw where the runs part (.png, .svg, .pdf)")
    told.set_defaults(run=explain_file)
    mended = actions.add_parser("convert", help="write it anew, with all repairs made")
    mended.add_argument("file", type=Path, help="NIR file (.nir)")
    mended.add_argument("out", type=Path, help="NIR file to write")
    mended.set_defaults(run=convert_file)
    rules = actions.add_parser("rules", help="the rules by name")
    rules.add_argument("rule", nargs="*", help="print the switches of these, side by side")
    rules.set_defaults(run=show_rules)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="NIR file (.nir)")
    parser.add_argument(
        "--rule", help="how to step it (neuro-lif nir rules); default: as the file says"
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        required=True,
        help=".npz: one array (n_steps, *shape) per input; a single input may be called 'input'",
    )
    parser.add_argument("--dt", type=float, help="step in the unit of the rule's times (s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of the rule, e.g. reset=subtract-once",
    )


def show_file(args: argparse.Namespace) -> int:
    """Print a file's nodes, edges and report."""
    from ..nir import graph_picture, read

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


def _rule(args: argparse.Namespace, graph: NIRGraph) -> NirRule:
    """Return the rule with what --set changes."""
    from ..nir import find_rule
    from ..nir.rules import rule_said

    changes: dict[str, Any] = {}
    for item in args.set:
        name, sign, text = item.partition("=")
        if not sign:
            raise RangeError(f"--set {item!r}, allowed: FIELD=VALUE")
        try:
            changes[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            changes[name] = text
    return find_rule(args.rule or rule_said(graph.metadata) or "nir-euler", **changes)


def _inputs(args: argparse.Namespace, graph: NIRGraph) -> Any:
    from .common import read_inputs

    arrays = read_inputs(args.inputs) or {}
    names = graph.inputs
    taken = {name: name for name in names}
    if len(names) == 1 and names[0] not in arrays and "input" in arrays:
        taken = {names[0]: "input"}
    rest = sorted(arrays.keys() - set(taken.values()))
    if rest:
        print(f"note: arrays of {args.inputs} that are no inputs: {', '.join(rest)}")
    missing = [n for n in names if taken[n] not in arrays]
    if missing:
        raise RangeError(
            f"inputs {str(args.inputs)!r}: array {missing[0]!r} is missing, "
            f"allowed: {', '.join(names)}"
        )
    return {name: arrays[taken[name]] for name in names}


def run_file(args: argparse.Namespace) -> int:
    """Run a file under a rule."""
    from ..nir import read, run, write_data
    from ..npz import replacing, write_npz

    if args.out and args.out.suffix != ".npz":
        raise FileFormatError(f"--out {str(args.out)!r}, allowed: a .npz file")
    found = read(args.file)
    print(found.report)
    ran = run(found.graph, _inputs(args, found.graph), _rule(args, found.graph), dt=args.dt)
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
        write_data(args.golden, ran)
        print(f"written to {args.golden}")
    return 0


def explain_file(args: argparse.Namespace) -> int:
    """Say what parts two runs; 0 where their spikes are equal, else 1."""
    from ..nir import explain, picture, read
    from .common import read_inputs

    found = read(args.file)
    print(found.report)
    other: Any = args.against
    if args.recording:
        other = read_inputs(args.recording)
    told = explain(
        found.graph, _inputs(args, found.graph), _rule(args, found.graph), other, dt=args.dt
    )
    print(told)
    for name, (step, entries) in sorted(told.trials.items(), key=lambda t: t[1][1])[:12]:
        where = "equal" if step is None else f"differs from step {step} on, {entries} entries"
        print(f"  tried {name}: {where}")
    if args.picture:
        picture(told, args.picture)
        print(f"written to {args.picture}")
    return 0 if told.equal else 1


def convert_file(args: argparse.Namespace) -> int:
    """Write a file anew."""
    from ..nir import read, write

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
