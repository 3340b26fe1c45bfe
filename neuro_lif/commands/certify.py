"""``neuro-lif certify``: say before a run whether anything can overflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import add_lowering, fixed_of, progress_bar


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "certify",
        help="prove that nothing can overflow, or find the input that makes it",
        description="Says before a run whether anything in a network of integers can overflow: "
        "proved by interval arithmetic, or with inputs that make it, run on the emulator. The exit "
        "status is 0 where it is safe, 1 where it overflows or is undecided.",
    )
    add_lowering(parser, profile_needed=False)
    parser.add_argument("--steps", type=int, help="for runs of so many steps (default: any length)")
    parser.add_argument(
        "--activity", type=float, default=1.0,
        help="largest share of each source's channels that fire in one step (default 1)",
    )  # fmt: skip
    parser.add_argument("--effort", type=int, default=3, help="how long to look for inputs, 0..8")
    parser.add_argument("--out", type=Path, help="write the inputs that make it overflow (.npz)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ..certify import certify

    fixed = fixed_of(args, args.steps)
    with progress_bar("looking for inputs that overflow") as update:
        found = certify(
            fixed, args.steps, activity=args.activity, effort=args.effort, progress=update
        )
    print(found)
    if args.out is not None and found.witness is not None:
        _write(args.out, found.witness.inputs)
        print(f"inputs written to {args.out}; run them with --inputs {args.out}")
    return 0 if found.safe else 1


def _write(path: Path, inputs: Any) -> None:
    from ..errors import FileFormatError
    from ..npz import npz_bytes, replacing

    try:
        with replacing(path) as temporary:
            temporary.write_bytes(npz_bytes(dict(inputs)))
    except OSError as error:
        raise FileFormatError(f"--out {str(path)!r}: cannot be written: {error}") from None
