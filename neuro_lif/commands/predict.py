"""``neuro-lif predict``: what a network loses as integers, predicted and measured side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import add_lowering, lower, read_inputs


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "predict", help="predict what integers cost, beside a measured run", description=__doc__
    )
    add_lowering(parser)
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) per input")
    parser.add_argument("--no-run", action="store_true", help="the predictions without rates alone")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ..predict import beside_run, predictions

    stepped, fixed = lower(args, args.steps)
    if args.no_run:
        print(predictions(fixed, stepped))
    else:
        print(beside_run(fixed, stepped, args.steps, read_inputs(args.inputs)))
    return 0
