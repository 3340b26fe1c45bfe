"""``neuro-lif quantize``: lower a network file to a chip's integers and print the ledger."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..files.fixed import save_fixed
from .common import add_lowering, lower


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "quantize", help="lower a network to a chip's integers", description=__doc__
    )
    add_lowering(parser)
    parser.add_argument("--steps", type=int, help="steps to code of inputs without an end")
    parser.add_argument("--out", type=Path, help="write the fixed network (.npz)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    _, fixed = lower(args, args.steps)
    print(fixed.ledger)
    if args.out:
        save_fixed(fixed, args.out)
        print(f"fixed network written to {args.out}")
    return 0
