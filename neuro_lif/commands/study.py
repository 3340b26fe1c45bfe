"""``neuro-lif study``: run, watch and read a quantisation study that a file describes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import StudyError
from ..study import StudyInterrupted
from ..study.axes import unknown
from ..study.files import load_study
from ..study.tables import (
    csv_text,
    pareto_rows,
    reaching,
    text_table,
    to_parquet,
    write_file,
)


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("study", help="lower one network in many ways, in parallel",
                                 description=__doc__)  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = _verb(verbs, "run", "run what is not stored yet; stopped, it goes on", run_)
    verb.add_argument("--workers", type=int, metavar="N",
                      help="processes (default: one per processor)")  # fmt: skip
    verb.add_argument("--scheduler", metavar="ADDRESS",
                      help="a Dask cluster instead, tcp://host:8786")  # fmt: skip
    verb.add_argument("--timeout", type=float, metavar="S", help="seconds that one configuration "
                      "may take; one that takes longer is a row that says so")  # fmt: skip
    verb.add_argument("--stop-after", type=int, metavar="N",
                      help="stop where the first N configurations fail of the same error of a "
                      "measuring function (default 10; 0: never)")  # fmt: skip
    verb.add_argument("--worker-wait", type=float, metavar="S",
                      help="seconds to wait for a cluster without workers (default 300)"
                      )  # fmt: skip
    verb.add_argument("--quiet", action="store_true", help="no progress")
    verb = _verb(verbs, "show", "the table", show_)
    verb.add_argument("--columns", help="only these, with commas between")
    verb.add_argument("--pareto", metavar="X,Y", help="only what no other beats in both")
    verb.add_argument("--at-least", action="append", default=[], metavar="MEASURE=VALUE",
                      help="only what reaches this (may be repeated)")  # fmt: skip
    _verb(verbs, "status", "how far it is", status_)
    verb = _verb(verbs, "export", "write the table to a file", export_)
    verb.add_argument("--csv", type=Path, metavar="FILE")
    verb.add_argument("--parquet", type=Path, metavar="FILE")
    verb = _verb(verbs, "replay", "run one configuration again and compare", replay_)
    verb.add_argument("key", help="its key, or the beginning of it")


def _verb(verbs: Any, name: str, about: str, run: Any) -> Any:
    parser = verbs.add_parser(name, help=about)
    parser.add_argument("file", type=Path, help="study file (.toml)")
    parser.set_defaults(run=run)
    return parser


def run_(args: argparse.Namespace) -> int:
    """Run a study."""
    file = load_study(args.file)
    limits = {name: value for name in ("timeout", "stop_after", "worker_wait")
              if (value := getattr(args, name)) is not None}  # fmt: skip
    if limits.get("stop_after") == 0:
        limits["stop_after"] = None
    try:
        file.run(workers=args.workers, scheduler=args.scheduler, progress=not args.quiet, **limits)
    except StudyInterrupted as stop:
        print(f"neuro-lif study: {stop}", file=sys.stderr)
        return 130
    return status_(args)


def show_(args: argparse.Namespace) -> int:
    """Print the table."""
    rows = load_study(args.file).study.table()
    if args.at_least:
        rows = reaching(rows, dict(map(_target, args.at_least)))
    if args.pareto:
        x, comma, y = args.pareto.partition(",")
        if not comma:
            raise StudyError(f"--pareto = {args.pareto!r}, allowed: X,Y, as in bits,accuracy")
        rows = pareto_rows(rows, x, y)
    columns = None
    if args.columns:
        columns = args.columns.split(",")
        for name in columns:
            if rows and name not in rows[0]:
                raise unknown(name, rows[0], "--columns")
    print(text_table(rows, columns))
    return 0


def _target(text: str) -> tuple[str, float]:
    name, sign, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise StudyError(f"--at-least {text!r}, allowed: MEASURE=VALUE, as in accuracy=0.95"
                         ) from None  # fmt: skip


def status_(args: argparse.Namespace) -> int:
    """Say how far a study is."""
    study = load_study(args.file).study
    status = study.status()
    late = f" ({status.late} of them a timeout)" if status.late else ""
    errors = f", {status.errors} with an error{late}" if status.errors else ""
    print(f"{study.path}: {status.done} of {status.total} configurations{errors}")
    for writer in status.writers:
        print(f"  at work: {writer}")
    return 0


def export_(args: argparse.Namespace) -> int:
    """Write the table."""
    if not args.csv and not args.parquet:
        raise StudyError("export: --csv and --parquet are missing, allowed: at least one of them")
    rows = load_study(args.file).study.table()
    if args.csv:
        write_file(args.csv, csv_text(rows).encode())
        print(f"{len(rows)} rows written to {args.csv}")
    if args.parquet:
        to_parquet(rows, args.parquet)
        print(f"{len(rows)} rows written to {args.parquet}")
    return 0


def replay_(args: argparse.Namespace) -> int:
    """Run one configuration again; 1 where it gives something else."""
    again = load_study(args.file).study.replay(args.key)
    print(f"{again.key}\n  {dict(again.configuration)}\n  stored: {again.stored}")
    if again.same:
        print("  run again: the same bytes")
        return 0
    print(f"  run again: {again.again}")
    return 1
