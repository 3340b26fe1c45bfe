"""``neuro-lif export``: write a network as something another program runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import add_lowering, fixed_of, read_inputs


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "export", help="export a network, e.g. to Lava", description=__doc__
    )
    parser.add_argument("--to", required=True, choices=("lava",), help="what for")
    add_lowering(parser, profile_needed=False)
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) per input")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ..targets.lava import export_lava, exported_plan

    fixed = fixed_of(args, args.steps)
    folder = export_lava(
        fixed, args.folder, args.steps, read_inputs(args.inputs), overwrite=args.overwrite
    )
    for line in exported_plan(folder):
        print(f"  {line}")
    print(f"written to {folder}; run it with:  python {folder}/run.py")
    return 0
