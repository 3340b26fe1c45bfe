"""``neuro-lif certify``: prove that a network cannot overflow, or find inputs that make it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ..certify import certify
from ..errors import FileFormatError, RangeError
from ..npz import npz_bytes, replacing
from .common import add_lowering, fixed_of, progress_bar, read_inputs


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "certify", help="prove that a network cannot overflow", description=__doc__
    )
    add_lowering(parser, profile_needed=False)
    parser.add_argument("--steps", type=int, help="for runs of so many steps (default: any length)")
    parser.add_argument(
        "--activity", type=float, default=1.0, metavar="SHARE",
        help="largest share of an input's channels that is on in one step, default 1",
    )  # fmt: skip
    parser.add_argument(
        "--bounds", action="append", default=[], metavar="NAME=LO:HI",
        help="what the values of an input lie between; default: 0 and 1, or its raster's ends",
    )  # fmt: skip
    parser.add_argument(
        "--inputs", type=Path, help=".npz of inputs that are known: one array (n_steps, n) each"
    )
    parser.add_argument("--effort", type=int, default=3, help="how long to search: 0..8, default 3")
    parser.add_argument("--out", type=Path, help="write the inputs that make it overflow (.npz)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 where nothing can overflow, else 1."""
    inputs = _assumed(args)
    fixed = fixed_of(args, args.steps)
    with progress_bar("certify") as progress:
        found = certify(
            fixed, args.steps, activity=args.activity, inputs=inputs, effort=args.effort,
            progress=progress,
        )  # fmt: skip
    print(found)
    if args.out and found.witness is not None:
        _save(args.out, found.witness.inputs)
        print(f"{found.witness.n_steps} steps of inputs written to {args.out}: neuro-lif run "
              "--inputs repeats it")  # fmt: skip
    elif args.out:
        print(f"no inputs found, so nothing was written to {args.out}")
    return 0 if found.safe else 1


def _assumed(args: argparse.Namespace) -> dict[str, Any]:
    """Return what is said of the inputs: known rasters and bounds."""
    inputs = dict(read_inputs(args.inputs) or {})
    for item in args.bounds:
        match = re.fullmatch("(.+)=(-?[0-9]{1,18}):(-?[0-9]{1,18})", item)
        if match is None:
            raise RangeError(f"--bounds {item!r}, allowed: NAME=LO:HI, whole numbers")
        if match[1] in inputs:
            raise RangeError(f"--bounds {item!r}: {match[1]!r} is given twice, allowed: once")
        inputs[match[1]] = (int(match[2]), int(match[3]))
    return inputs


def _save(path: Path, inputs: Any) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(npz_bytes(dict(inputs)))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"inputs {str(path)!r}: cannot be written: {error}") from None
