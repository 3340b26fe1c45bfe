"""``neuro-lif export``: write a network as something another program runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RangeError
from .common import RULE as USUAL
from .common import (
    add_lowering,
    check_writable,
    dt_of,
    fixed_of,
    network_of,
    read_inputs,
)

if TYPE_CHECKING:
    from ..nir import Exported

ONLY_LAVA = ("overwrite",)
ONLY_NIR = ("golden", "allow")


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "export", help="export a network to Lava, or as a NIR graph", description=__doc__
    )
    parser.add_argument("--to", required=True, choices=("lava", "nir"), help="what for")
    add_lowering(parser, profile_needed=False)
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="folder (Lava) or file (NIR) to write"
    )
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) per input")
    parser.add_argument("--overwrite", action="store_true", help="Lava: replace an earlier export")
    parser.add_argument("--golden", type=Path, help="NIR: run it, compare with our own run, and "
                        "write inputs, spikes and voltages as NIRData")  # fmt: skip
    parser.add_argument("--allow", action="append", default=[], metavar="WHAT", help="NIR: what "
                        "may be lost: refractory, inputs, start, reset")  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for name in ONLY_NIR if args.to == "lava" else ONLY_LAVA:
        if getattr(args, name):
            other = "nir" if args.to == "lava" else "lava"
            raise RangeError(f"--{name} with --to {args.to}, allowed: with --to {other}")
    return _to_lava(args) if args.to == "lava" else _to_nir(args)


def _to_lava(args: argparse.Namespace) -> int:
    from ..targets.lava import export_lava, exported_plan

    fixed = fixed_of(args, args.steps)
    folder = export_lava(
        fixed, args.out, args.steps, read_inputs(args.inputs), overwrite=args.overwrite
    )
    for line in exported_plan(folder):
        print(f"  {line}")
    print(f"written to {folder}; run it with:  python {folder}/run.py")
    return 0


def _to_nir(args: argparse.Namespace) -> int:
    from ..nir import from_fixed, from_network, write

    check_writable(args.out, "OUT", (".nir", ".h5", ".hdf5"))
    check_writable(args.golden, "--golden")
    if args.profile is None and args.network.suffix != ".npz":
        found = from_network(network_of(args), dt_of(args), args.rule or USUAL, allow=args.allow)
    else:
        found = from_fixed(fixed_of(args, args.steps), allow=args.allow)
    print(found.report)
    write(args.out, found.graph)
    print(f"{len(found.graph.nodes)} nodes, dt {found.dt:g} s, rule in its metadata; "
          f"written to {args.out}")  # fmt: skip
    if args.golden:
        return _golden(args, found)
    return 0


def _golden(args: argparse.Namespace, found: Exported) -> int:
    """Run the graph, compare it with our own run, and write both; 1 where they differ."""
    import numpy as np

    from ..nir import run as run_graph
    from ..nir import write_data
    from ..reference import run_clocked

    fed = found.inputs(args.steps, read_inputs(args.inputs))
    ran = run_graph(found.graph, fed)
    steps = len(next(iter(ran.voltage.values())))
    known = {i.name for i in found.stepped.network.inputs}
    given = {name: a.reshape(steps, -1) for name, a in fed.items() if name in known}
    own = run_clocked(found.stepped, steps, given)
    apart = {n: int(np.sum(a.reshape(steps, -1) != np.asarray(own.spikes[n])))
             for n, a in ran.spikes.items()}  # fmt: skip
    for name, array in ran.spikes.items():
        print(f"  {name}: {array.sum():g} spikes in {steps} steps, {apart[name]} of {array.size} "
              "entries differ from our own run")  # fmt: skip
    write_data(args.golden, ran, fed)
    print(f"written to {args.golden}")
    lost = any(f.kind == "loss" for f in found.report.findings)
    if lost and any(apart.values()):
        print("the differences come with the losses above")
    return 1 if any(apart.values()) and not lost else 0
