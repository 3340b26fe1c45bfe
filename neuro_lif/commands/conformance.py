"""``neuro-lif conformance``: run the golden vectors on an engine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, RangeError
from .common import progress_bar


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "conformance",
        help="run the golden vectors on an engine",
        description="Runs vectors recorded from other simulators and chips on an engine, says what "
        "differs, in which step first and by which rule; the exit status is 1 where anything does, "
        "or where no recorded value was compared.",
    )
    parser.add_argument(
        "--target",
        default="emulator",
        help="emulator, semantics, lava, nengo, or a MODULE, file.py or MODULE:CLASS of your own, "
        "installed or in the working directory (default: emulator)",
    )
    parser.add_argument(
        "--vectors", nargs="+", type=Path, metavar="FILE", help="other files than the shipped ones"
    )
    for name, about in (
        ("flag", "a rule the vectors exercise"),
        ("peer", "who the values come from"),
        ("profile", "the profile they are meant for"),
        ("id", "the beginning of their names"),
    ):
        text = f"only vectors of this {name} ({about}); may be given several times"
        parser.add_argument(f"--{name}", action="append", default=[], help=text)
    parser.add_argument("--list", action="store_true", help="list what there is and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome to a file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the suite."""
    from ..conformance import find_engine, load_vectors, run_conformance

    vectors = [v for v in load_vectors(args.vectors) if _chosen(v, args)]
    if not vectors:
        raise RangeError("no vector is chosen, allowed: what `neuro-lif conformance --list` shows")
    if args.list:
        print(_listing(vectors))
        return 0
    _see_working_directory()
    engine = find_engine(args.target)
    with progress_bar(f"vectors on {engine.name}") as update:
        report = run_conformance(engine, vectors, update)
    print(report)
    if args.json is not None:
        _write(args.json, report)
    return 0 if report.passed else 1


def _see_working_directory() -> None:
    """Let ``--target MODULE`` find a module here, after whatever is installed."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)


def _chosen(vector: Any, args: argparse.Namespace) -> bool:
    return (
        (not args.flag or bool(set(args.flag) & set(vector.flags)))
        and (not args.peer or vector.peer in args.peer)
        and (not args.profile or vector.profile in args.profile)
        and (not args.id or any(vector.id.startswith(start) for start in args.id))
    )


def _listing(vectors: list[Any]) -> str:
    lines = [f"{len(vectors)} vectors, {sum(v.n_values for v in vectors)} values"]
    for title, counted in (
        ("peer", Counter(f"{v.peer} {v.peer_version}" for v in vectors)),
        ("profile", Counter(v.profile for v in vectors)),
        ("result", Counter(v.result for v in vectors)),
        ("flag", Counter(flag for v in vectors for flag in v.flags)),
    ):
        lines.append(f"{title}:")
        lines += [f"  {n:5} {name}" for name, n in sorted(counted.items())]
    return "\n".join(lines)


def _write(path: Path, report: Any) -> None:
    rows = [
        {"id": o.vector.id, "status": o.status, "why": o.why, "values": o.values, "wrong": o.wrong}
        for o in report.outcomes
    ]
    text = json.dumps({
        "engine": report.engine, "passed": report.passed, "verdict": report.verdict,
        "vectors": len(rows), "tried": report.tried, "values": report.values, "outcomes": rows,
    })  # fmt: skip
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise FileFormatError(f"--json {str(path)!r}: cannot be written: {error}") from None
