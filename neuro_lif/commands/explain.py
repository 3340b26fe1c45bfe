"""``neuro-lif explain``: what parts two runs of one NIR graph: two rules, a recording, a chip."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NeuroLifError, RangeError, show
from .common import check_writable, progress_bar, read_inputs, seconds

if TYPE_CHECKING:
    from ..nir import NIRGraph, NirRule

ABOUT = "which switch, or which rounding, parts a rule and another, a recording, or a chip"
MOST_TRIALS = 12
"""Trials that are printed."""


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("explain", help=ABOUT + " (NIR files)", description=__doc__)
    add_arguments(parser)


def add_run(parser: argparse.ArgumentParser, inputs_needed: bool = True) -> None:
    """Add the arguments that say a graph, a rule and inputs."""
    parser.add_argument("file", type=Path, help="NIR file (.nir)")
    parser.add_argument(
        "--rule", help="how to step it (neuro-lif nir rules); default: as the file says"
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        required=inputs_needed,
        help=".npz: one array (n_steps, *shape) per input; a single input may be called 'input'; "
        "or NIRData with the inputs, as --golden writes it",
    )
    parser.add_argument("--dt", type=seconds, help="step, such as 1e-4 or 0.1ms; a number of "
                        "steps for rules that count so; default: as file or rule say")  # fmt: skip
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of the rule, e.g. reset=subtract-once",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments of the command, and what it does."""
    add_run(parser)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument(
        "--against", metavar="NAME", help="another rule; or a chip: a shipped profile or a .toml "
        "file ('rule:loihi2' is the rule where both have that name)",
    )  # fmt: skip
    group.add_argument(
        "--recording", type=Path, help=".npz: node name -> spikes (n_steps, *shape); or NIRData"
    )
    parser.add_argument("--map", action="append", default=[], metavar="NODE=ARRAY", help="which "
                        "array of the --recording is which spiking node")  # fmt: skip
    parser.add_argument("--most-runs", type=int, metavar="N", help="with a recording: how often "
                        "the graph may be run to find what repeats it (default: 500)")  # fmt: skip
    parser.add_argument("--sample", type=int, default=0, help="of a recording in NIRData")
    parser.add_argument("--approximate", action="append", default=[], metavar="WHAT",
                        help="for a chip: what may be replaced by something near, e.g. cycle, "
                        "integrator, reset")  # fmt: skip
    parser.add_argument("--weight-bits", type=int, help="for a chip: bits of the weight mantissa")
    parser.add_argument("--fed", choices=("auto", "spikes", "counts", "current"), default="auto",
                        help="for a chip: how inputs come in")  # fmt: skip
    parser.add_argument("--picture", type=Path, help="draw where the runs part (.png, .svg, .pdf)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command: 0 where all spikes are equal, else 1."""
    from ..nir import read

    check_writable(args.picture, "--picture", (".png", ".svg", ".pdf"))
    found = read(args.file)
    print(found.report)
    chip = None if args.against is None else chip_of(args.against)
    given, rule = inputs_of(args, found.graph), rule_of(args, found.graph)
    if chip is not None:
        return _chip(args, found.graph, given, rule, chip)
    for name in ("approximate", "weight_bits"):
        if getattr(args, name):
            raise RangeError(f"--{name.replace('_', '-')}, allowed: with --against a chip")
    return _rules(args, found.graph, given, rule)


def _rules(args: argparse.Namespace, graph: NIRGraph, given: Any, rule: NirRule) -> int:
    from ..nir import explain, picture
    from ..nir.recorded import MOST_RUNS

    other: Any = None if args.against is None else args.against.removeprefix("rule:")
    if args.recording:
        other = _recording(args, graph, args.dt or rule.dt)
        most = MOST_RUNS if args.most_runs is None else args.most_runs
        with progress_bar("explain") as progress:
            told = explain(graph, given, rule, other, dt=args.dt, most_runs=most,
                           progress=progress)  # fmt: skip
    elif args.most_runs is not None:
        raise RangeError("--most-runs, allowed: with --recording")
    else:
        told = explain(graph, given, rule, other, dt=args.dt)
    return _told(told, picture, args.picture)


def _chip(args: argparse.Namespace, graph: NIRGraph, given: Any, rule: NirRule, chip: str) -> int:
    from ..nir import chip_picture, explain_chip

    options = {} if args.weight_bits is None else {"weight_bits": args.weight_bits}
    told = explain_chip(graph, given, rule, chip, dt=args.dt, fed=args.fed,
                        approximate=args.approximate, **options)  # fmt: skip
    return _told(told, chip_picture, args.picture)


def _told(told: Any, draw: Callable[[Any, Path], None], picture: Path | None) -> int:
    """Print an explanation, draw it where that is asked for, and return the exit code."""
    print(told)
    _print_trials(told.trials)
    if picture:
        draw(told, picture)
        print(f"written to {picture}")
    return 0 if told.equal else 1


def _print_trials(trials: Any) -> None:
    """Print what was tried as a table: what helps most and needs least comes first."""
    if not trials:
        return
    ranked = sorted(trials.items(), key=lambda t: (t[1][1], t[0].count(" + ")))
    rows = [("tried", "differs from step", "entries that differ")]
    rows += [(name, "-" if step is None else str(step), str(entries) if entries else "none: equal")
             for name, (step, entries) in ranked[:MOST_TRIALS]]  # fmt: skip
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip())
    if len(ranked) > MOST_TRIALS:
        print(f"  ... and {len(ranked) - MOST_TRIALS} more that help less")


def chip_of(name: str) -> str | None:
    """Return the profile that a name of ``--against`` means; None: it means a rule.

    Raises:
        RangeError: it is neither.
    """
    from ..nir import RULES
    from ..profile import available_profiles

    if name.startswith("rule:"):
        name = name.removeprefix("rule:")
    elif name in available_profiles() or name.endswith(".toml"):
        return name
    if name not in RULES:
        chips = ", ".join(sorted(available_profiles()))
        raise RangeError(f"--against {show(name)}, allowed: a rule ({', '.join(sorted(RULES))}) or "
                         f"a chip ({chips}, or a .toml file)")  # fmt: skip
    return None


def rule_of(args: argparse.Namespace, graph: NIRGraph) -> NirRule:
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
    said = _rule_said(graph) if args.rule else rule_said(graph.metadata)
    rule = find_rule(args.rule or said or "nir-euler")
    if args.dt is None and "dt" not in changes:
        if said is not None and said.dt is not None and said.tau_unit == rule.tau_unit:
            changes["dt"] = said.dt
            print(f"note: dt {said.dt:g}, as the file's metadata say")
        elif rule.dt is not None:
            print(f"note: dt {rule.dt:g}, the usual step of rule {rule.name!r}: the file says "
                  "none; --dt takes another")  # fmt: skip
    return find_rule(rule, **changes)


def inputs_of(args: argparse.Namespace, graph: NIRGraph) -> Any:
    """Return what to feed a graph: Input name -> array."""
    from ..nir.data import is_hdf, read_data

    names = graph.inputs
    traces = is_hdf(args.inputs)
    if traces:
        said = _rule_said(graph)
        dt = args.dt or (None if said is None else said.dt)
        arrays = read_data(args.inputs).recorded(("output", "spikes"), dt)
        for name in names:
            shape = getattr(graph.nodes[name], "shape", ())
            if name in arrays and arrays[name][0].size == _size(shape):
                arrays[name] = arrays[name].reshape(-1, *shape)
    else:
        arrays = read_inputs(args.inputs) or {}
    taken = {name: name for name in names}
    if len(names) == 1 and names[0] not in arrays and "input" in arrays:
        taken = {names[0]: "input"}
    rest = sorted(arrays.keys() - set(taken.values()))
    if rest and not traces:
        print(f"note: arrays of {args.inputs} that are no inputs: {', '.join(rest)}")
    missing = [n for n in names if taken[n] not in arrays]
    if missing:
        raise RangeError(
            f"inputs {str(args.inputs)!r}: array {missing[0]!r} is missing, "
            f"allowed: {', '.join(names)}"
        )
    for name in names:
        if arrays[taken[name]].shape[:1] == (0,):
            shape = arrays[taken[name]].shape
            raise RangeError(f"inputs {str(args.inputs)!r}: array {taken[name]!r} of shape {shape},"
                             " allowed: at least one step")  # fmt: skip
    return {name: arrays[taken[name]] for name in names}


def _rule_said(graph: NIRGraph) -> NirRule | None:
    """Return the rule of the metadata; None where there is none, or none that can be read."""
    from ..nir.rules import rule_said

    try:
        return rule_said(graph.metadata)
    except NeuroLifError:
        return None


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _recording(args: argparse.Namespace, graph: NIRGraph, dt: float | None) -> Any:
    """Return recorded spikes by node, from arrays or from NIRData."""
    from ..nir.data import is_hdf, read_data

    path = args.recording
    if is_hdf(path):
        if args.map:
            raise RangeError("--map, allowed: with a --recording of arrays (.npz)")
        return read_data(path).recorded(("spikes",), dt, args.sample)
    arrays = read_inputs(path) or {}
    nodes = sorted(_spiking(graph))
    if args.map:
        arrays = _mapped(args.map, arrays, path)
    found = {name: array for name, array in arrays.items() if name in nodes or args.map}
    rest = sorted(arrays.keys() - found.keys())
    if not found:
        raise RangeError(f"recording {str(path)!r}: arrays {', '.join(rest) or 'none'}, allowed: "
                         f"arrays called as spiking nodes ({', '.join(nodes)}), or which is which: "
                         f"--map {nodes[0] if nodes else 'NODE'}=ARRAY")  # fmt: skip
    if rest:
        print(f"note: arrays of {path} that are no spiking nodes: {', '.join(rest)}")
    for name, array in found.items():
        if array.dtype.kind == "f" and not _finite(array):
            raise RangeError(f"recording {str(path)!r}: node {name!r} = NaN or infinity, allowed: "
                             "finite numbers of spikes")  # fmt: skip
    return found


def _mapped(pairs: list[str], arrays: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return arrays by the nodes that --map names."""
    found = {}
    for pair in pairs:
        node, sign, name = pair.partition("=")
        if not sign or name not in arrays:
            raise RangeError(f"--map {pair!r}, allowed: NODE=ARRAY with an array of {path}: "
                             + ", ".join(sorted(arrays)))  # fmt: skip
        found[node] = arrays[name]
    return found


def _spiking(graph: NIRGraph, prefix: str = "") -> list[str]:
    """Return the names of all neurons that spike; a nested one is called graph/node."""
    from ..nir.model import SPIKING, NIRGraph

    found = []
    for name, node in graph.nodes.items():
        if isinstance(node, SPIKING):
            found.append(prefix + name)
        elif isinstance(node, NIRGraph):
            found += _spiking(node, f"{prefix}{name}/")
    return found


def _finite(array: Any) -> bool:
    import numpy as np

    return bool(np.all(np.isfinite(array)))
