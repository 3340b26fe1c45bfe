"""``neuro-lif report``: one HTML page of what a network loses as integers, to read and to send."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..discretize import discretize
from ..errors import FileFormatError, NeuroLifError, RangeError, StudyError
from .common import (
    add_lowering,
    check_writable,
    console,
    dt_of,
    lower,
    network_of,
    progress_bar,
    read_inputs,
)

RULE = "exact"
NO_OPTIONS = ("network", "command", "run", "debug", "version")
MOST_TRACED = 40_000_000
"""Values of v up to which the membranes of all populations are recorded."""


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "report", help="one HTML page: verdict, ladder, study, rasters, ledger", description=__doc__
    )
    add_lowering(parser)
    parser.add_argument("--steps", type=int, help="number of steps (default: the inputs' length)")
    parser.add_argument("--inputs", type=Path, help=".npz with one array (n_steps, n) or (batch, "
                        "n_steps, n) per input")  # fmt: skip
    parser.add_argument("--task", type=Path, help="in place of --inputs, .npz as of neuro-lif "
                        "ladder: inputs, labels, output; gives the accuracy")  # fmt: skip
    parser.add_argument("--ladder", type=Path, metavar="FILE",
                        help="a ladder (.json) of neuro-lif ladder; absent: it is run")  # fmt: skip
    parser.add_argument("--no-ladder", action="store_true", help="a page without it")
    parser.add_argument("--study", type=Path, metavar="FILE",
                        help="a study: its store (.sqlite) or its file (.toml)")  # fmt: skip
    parser.add_argument("--laws", type=Path, metavar="FILE",
                        help="a sweep of the error laws (.json)")  # fmt: skip
    parser.add_argument("--sample", type=int, metavar="K", help="of a batch, the one that is drawn "
                        "(default: the first that differs)")  # fmt: skip
    parser.add_argument("--title", help="of the page")
    parser.add_argument("--date", help="shown on the page (default: none, or that of the "
                        "environment variable SOURCE_DATE_EPOCH)")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, default=Path("report.html"), metavar="FILE",
                        help="the page, default report.html")  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ..report import write

    _check(args)
    parts: dict[str, Any] = {"title": args.title, "command": _command(args), "sample": args.sample}
    facts = _facts(args)
    if args.study is not None:
        parts["study"], told = _study(args.study)
        facts |= {f"study: {name}": value for name, value in told.items()}
        _other_study(args, told)
    if args.laws is not None:
        from ..laws import LawSweep

        parts["laws"] = LawSweep.load(args.laws)
    if args.ladder is not None:
        from ..ladder import Ladder

        parts["ladder"] = Ladder.load(args.ladder)
    parts |= _runs(args, parts.get("ladder"))
    page = write(args.out, facts=facts, **parts)
    print(f"report written to {page} ({page.stat().st_size / 1e3:,.0f} kB)")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse before anything is run what would be refused after it."""
    if args.ladder is not None and args.no_ladder:
        raise RangeError("--ladder with --no-ladder, allowed: one of them")
    if args.inputs is not None and args.task is not None:
        raise RangeError("--inputs with --task, allowed: one of them (a task has inputs)")
    for name in ("ladder", "study", "laws"):
        path = getattr(args, name)
        if path is not None and not path.is_file():
            raise FileFormatError(f"--{name} {str(path)!r}: no such file")
    check_writable(args.out, "--out")


def _study(path: Path) -> tuple[Any, Mapping[str, str]]:
    if path.suffix == ".toml":
        from ..study.files import load_study

        study = load_study(path).study
        return study.table(), {k: str(v) for k, v in study.identity.items()}
    from ..report.stored import stored_study

    rows, told = stored_study(path)
    if not rows:
        raise StudyError(f"--study {str(path)!r}: no results yet, allowed: a study that was run")
    return rows, told


def _other_study(args: argparse.Namespace, told: Mapping[str, str]) -> None:
    """Say where a study is of another network than the page."""
    from ..digests import digest

    network = network_of(args)
    stepped = discretize(network, dt_of(args), args.rule or RULE)
    if told.get("network") not in (None, digest(network), digest(stepped)):
        console.print(f"--study {str(args.study)!r}: not of the network {str(args.network)!r}",
                      style="yellow", highlight=False)  # fmt: skip


def _belongs(args: argparse.Namespace, ladder: Any, stepped: Any, fixed: Any, steps: int) -> None:
    """Refuse a ladder of something else: the page would contradict itself."""
    from ..digests import digest
    from ..ladder.origin import DIGESTS

    told = ladder.provenance
    if told.get("digests") != DIGESTS:  # saved before digests were those of studies
        told = {k: v for k, v in told.items() if not k.endswith(" digest")}
        console.print(f"--ladder {str(args.ladder)!r}: of an earlier version, whose digests are "
                      "others; only its steps are held against the network", style="yellow",
                      highlight=False)  # fmt: skip
    for name, now, what in (
        ("network digest", digest(stepped.network), f"of another network than {args.network}"),
        ("integers digest", digest(fixed), "of other integers: profile, bits or options differ"),
        ("", str(steps), f"of {ladder.n_steps} steps, not of {steps}"),
    ):
        if (told.get(name, now) if name else str(ladder.n_steps)) != now:
            raise RangeError(f"--ladder {str(args.ladder)!r}: it is {what}, allowed: what "
                             "neuro-lif ladder writes with the same options")  # fmt: skip


def _runs(args: argparse.Namespace, given_ladder: Any = None) -> dict[str, Any]:
    """Return what running the network gives: both recordings, integers, ladder, predictions."""
    import numpy as np

    from ..emulator import run_fixed
    from ..ladder.build import check_task
    from ..predict.identity import as_integers
    from ..reference import run_clocked
    from ..stimulate import check_given, input_sizes, steps_of

    task = None
    if args.task is not None:
        from ..files.task import read_task

        task = read_task(args.task)
        if args.steps not in (None, task.steps):
            raise RangeError(f"--steps = {args.steps}, allowed: {task.steps}, the task's, or none")
    stepped, fixed = lower(args, args.steps if task is None else task.steps)
    if task is not None:
        check_task(task, stepped)
    given = read_inputs(args.inputs) if task is None else task.inputs
    given = check_given(given, input_sizes(stepped.network))
    steps = steps_of(args.steps if task is None else task.steps, given)
    if given_ladder is not None:
        _belongs(args, given_ladder, stepped, fixed, steps)
    integers = as_integers(fixed, given)
    batch = max((len(a) for a in given.values() if a.ndim == 3), default=1)
    if args.sample is not None and not 0 <= args.sample < batch:
        raise RangeError(f"--sample = {args.sample}, allowed: 0..{batch - 1}")
    size = steps * batch * sum(p.size for p in fixed.populations)
    record = "all" if size <= MOST_TRACED else "probes"
    with progress_bar("float64 reference") as progress:
        reference = run_clocked(stepped, steps, given, record=record, progress=progress)
    with progress_bar("integer emulator") as progress:
        chip = run_fixed(fixed, steps, integers, record=record, progress=progress)
    parts = {"reference": reference, "chip": chip, "fixed": fixed, "stepped": stepped}
    if any(e.first_step > 0 for e in chip.events):
        from ..report import overflow_timeline

        with progress_bar("overflow") as progress:
            parts["overflow"] = overflow_timeline(fixed, steps, integers, progress=progress)
    if args.ladder is None and not args.no_ladder:
        silent = not any(np.any(s) for r in (reference, chip) for s in r.spikes.values())
        parts |= _ladder(args, fixed, steps, given, task, record if silent else "probes")
    if not any(a.ndim == 3 for a in given.values()):
        from ..predict import beside_run

        try:
            parts["prediction"] = beside_run(fixed, stepped, steps, given)
        except NeuroLifError as error:
            console.print(f"no predictions: {error}", style="yellow", highlight=False)
    return parts


def _ladder(
    args: argparse.Namespace,
    fixed: Any,
    steps: int,
    given: Mapping[str, Any],
    task: Any,
    record: str,
) -> dict[str, Any]:
    """Run the ladder; a network that it cannot climb gets a page without it."""
    from ..ladder import ladder

    asked: dict[str, Any] = {"record": record, "gain_compensation": args.coding in (None, "own")}
    asked |= {"n_steps": steps, "inputs": given or None} if task is None else {"task": task}
    try:
        with progress_bar("ladder") as progress:
            found = ladder(network_of(args), fixed, dt=dt_of(args), rule=args.rule or RULE,
                           progress=progress, **asked)  # fmt: skip
    except NeuroLifError as error:
        console.print(f"no ladder: {error}", style="yellow", highlight=False)
        return {}
    return {"ladder": found}


def _facts(args: argparse.Namespace) -> dict[str, str]:
    """Return the date, where one is wanted, and the digests of the files."""
    facts = {}
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if args.date is not None:
        facts["date"] = args.date
    elif epoch.isdigit():
        facts["date"] = time.strftime("%Y-%m-%d", time.gmtime(int(epoch)))
    for name in ("network", "inputs", "task", "calibrate", "ladder", "study", "laws"):
        path = getattr(args, name)
        if path is not None and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            facts[f"SHA-256 of {path.name}"] = digest
    return facts


def _command(args: argparse.Namespace) -> str:
    """Return the command line that makes the page again."""
    words = ["neuro-lif", "report", str(args.network)]
    for name, value in vars(args).items():
        option = "--" + name.replace("_", "-")
        if name in NO_OPTIONS or value is None:
            continue
        if isinstance(value, list):
            words += [w for v in value for w in (option, str(v))]
        elif value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
        elif name == "bias_correction":  # the one that is also off when nobody says so
            words.append("--no-bias-correction")
    return shlex.join(words)
