"""``neuro-lif compare``: say where two recordings differ first, and by how much."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..compare import compare
from ..recording import Recording


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("compare", help="compare two recordings", description=__doc__)
    parser.add_argument("first", type=Path, help="recording (.npz)")
    parser.add_argument("second", type=Path, help="recording (.npz)")
    parser.add_argument("--population", action="append", help="only this one (may be repeated)")
    parser.add_argument(
        "--shift",
        type=int,
        default=0,
        help="compare step t of the first with t + SHIFT of the second",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 1 where the recordings differ."""
    first, second = Recording.load(args.first), Recording.load(args.second)
    result = compare(first, second, args.population, args.shift)
    print(result)
    return 0 if result.identical else 1
