"""``neuro-lif ladder``: where accuracy goes between a description and a chip's integers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import (
    RULE,
    add_lowering,
    check_writable,
    dt_of,
    network_of,
    profile_of,
    progress_bar,
    read_inputs,
    scaling_of,
)


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "ladder", help="what every rounding costs, rung by rung, and whose doing it is",
        description=__doc__,
    )  # fmt: skip
    add_lowering(parser)
    parser.add_argument("--no-compensation", action="store_true",
                        help="do not rescale weights and bias for rounded decays")  # fmt: skip
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--batch", type=int, metavar="N", help="so many samples, each with draws "
                        "of its own where inputs are random")  # fmt: skip
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) or (batch, "
                        "n_steps, n) per input")  # fmt: skip
    parser.add_argument("--task", type=Path, help=".npz with an array (batch, n_steps, n) per "
                        "input, labels (batch,), output (the population's name) and maybe "
                        "readout")  # fmt: skip
    parser.add_argument("--population", action="append", metavar="NAME",
                        help="look at this one only (may be given again)")  # fmt: skip
    parser.add_argument("--exact", choices=("auto", "yes", "no"), default="auto",
                        help="a run without a step: where it is short, always, never")  # fmt: skip
    parser.add_argument("--exact-samples", type=int, default=16, metavar="N",
                        help="not of more samples than N (default 16)")  # fmt: skip
    parser.add_argument("--record", default="probes", choices=("probes", "all"),
                        help="all: v of every population, so that its error is known")  # fmt: skip
    parser.add_argument("--engine", choices=("auto", "kernel", "numpy"), help="of every run")
    parser.add_argument("--threads", type=int, metavar="N", help="of batches: at most N (default: "
                        "one per processor)")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the ladder (.json), for reports")
    parser.add_argument("--picture", type=Path, help="draw it (.png, .svg, .pdf)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ..files.task import read_task
    from ..ladder import ladder

    check_writable(args.json, "--json")
    check_writable(args.picture, "--picture", (".png", ".svg", ".pdf"))
    task = None if args.task is None else read_task(args.task)
    lowering = {"approximate": args.approximate, "proved": args.proved} | scaling_of(args)
    if args.coding is not None:
        lowering["coding"] = args.coding
    if args.weight_bits is not None:
        lowering["weight_bits"] = args.weight_bits
    if args.no_compensation:
        lowering["gain_compensation"] = False
    with progress_bar("ladder") as progress:
        found = ladder(
            network_of(args), profile_of(args), dt=dt_of(args), rule=args.rule or RULE,
            n_steps=args.steps, inputs=read_inputs(args.inputs), batch=args.batch, task=task,
            populations=args.population,
            exact={"auto": None, "yes": True, "no": False}[args.exact],
            exact_samples=args.exact_samples, record=args.record, engine=args.engine,
            threads=args.threads, progress=progress, **lowering,
        )  # fmt: skip
    print(found)
    if args.json:
        found.save(args.json)
        print(f"ladder written to {args.json}")
    if args.picture:
        print(f"picture written to {found.figure(args.picture)}")
    return 0
