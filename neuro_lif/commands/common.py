"""What several commands share: loading networks, units on the command line, progress."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from ..codings import CODINGS
from ..discretize import RULES, SteppedNetwork, discretize
from ..errors import FileFormatError, RangeError
from ..files.fixed import load_fixed
from ..files.toml import load_network
from ..fixed import FixedNetwork
from ..lower.draft import APPROXIMATIONS, GRANULARITIES, HEADROOMS, SCALINGS
from ..lower.rounding import ROUNDINGS
from ..network import Network
from ..npz import NpzFile
from ..profile import HardwareProfile, load_profile
from ..quantize import quantize

console = Console(stderr=True)

DT, RULE = 1e-3, "exact"
"""What is taken where --dt and --rule are absent."""
LOWERING = (
    "profile", "set", "dt", "rule", "coding", "weight_bits", "approximate", "proved", "calibrate",
    "granularity", "rounding", "rounding_seed", "scaling", "bias_correction", "headroom",
)  # fmt: skip
"""Options that take a network to integers; a fixed network (.npz) has been there."""
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


def seconds(text: str) -> float:
    """Read a time: ``0.001``, ``1ms``, ``"0.1 ms"``, ``100us``."""
    stripped = text.strip()
    for unit in ("ms", "us", "s"):
        if stripped.endswith(unit):
            stripped, factor = stripped[: -len(unit)].strip(), TIME_UNITS[unit]
            break
    else:
        factor = 1.0
    try:
        return float(stripped) * factor
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time, allowed: 0.001, 1ms, 100us"
        ) from None


def add_lowering(parser: argparse.ArgumentParser, profile_needed: bool = True) -> None:
    """Add the arguments that take a network file to integers."""
    parser.add_argument("network", type=Path, help="network file (.toml)")
    parser.add_argument(
        "--profile", required=profile_needed, help="a shipped profile or a .toml file"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value of the profile's [config], e.g. weight_bits=4",
    )
    parser.add_argument("--dt", type=seconds, help="step, default 1ms")
    parser.add_argument("--rule", choices=sorted(RULES), help="step rule, default exact")
    about = "; ".join(f"{name}: {coding.about}" for name, coding in CODINGS.items())
    about = about.replace("%", "%%")
    parser.add_argument("--coding", choices=list(CODINGS), help=f"default own. {about}")
    parser.add_argument("--weight-bits", type=int, help="bits of the weight mantissa")
    parser.add_argument(
        "--approximate",
        action="append",
        default=[],
        metavar="WHAT",
        help="allow an approximation: " + ", ".join(APPROXIMATIONS),
    )
    parser.add_argument(
        "--proved",
        action="store_true",
        help="only scales at which no input can overflow a register",
    )
    add_scaling(parser)


def add_scaling(parser: argparse.ArgumentParser, calibrated: bool = True) -> None:
    """Add the arguments that say how scales are chosen and weights rounded."""
    if calibrated:
        parser.add_argument(
            "--calibrate",
            type=Path,
            metavar="FILE",
            help="choose scales by running samples: .npz with one array (batch, n_steps, n) per "
            "input",
        )
    for name, known, usual in (
        ("granularity", GRANULARITIES, "projection"),
        ("rounding", ROUNDINGS, "nearest"),
        ("scaling", SCALINGS, "own"),
        ("headroom", HEADROOMS, "sources"),
    ):
        about = "; ".join(f"{key}: {text}" for key, text in known.items())
        about = about.replace("%", "%%")  # argparse formats its help texts
        parser.add_argument(f"--{name}", choices=list(known), help=f"default {usual}. {about}")
    parser.add_argument(
        "--rounding-seed", type=int, metavar="N", help="of stochastic rounding, default 0"
    )
    parser.add_argument(
        "--bias-correction",
        action=argparse.BooleanOptionalAction,
        help="with --calibrate: correct biases, or not; default where it helps",
    )


def profile_of(args: argparse.Namespace) -> HardwareProfile:
    """Load the profile with its ``--set`` values."""
    config: dict[str, int | str] = {}
    for item in args.set:
        name, sign, value = item.partition("=")
        if not sign:
            raise RangeError(f"--set {item!r}, allowed: NAME=VALUE")
        config[name] = int(value) if re.fullmatch("-?[0-9]{1,18}", value) else value
    return load_profile(args.profile, **config)


def network_of(args: argparse.Namespace) -> Network:
    """Load the network file."""
    if args.network.suffix != ".toml":
        raise FileFormatError(f"network = {str(args.network)!r}, allowed: a .toml network file")
    return load_network(args.network)


def dt_of(args: argparse.Namespace) -> float:
    """Return the step: as asked for, or the default."""
    return DT if args.dt is None else float(args.dt)


def step(args: argparse.Namespace) -> SteppedNetwork:
    """Take a network file to per-step recurrences."""
    return discretize(network_of(args), dt_of(args), args.rule or RULE)


def scaling_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of quantize that were given for scales and rounding."""
    names = ("granularity", "rounding", "rounding_seed", "scaling", "bias_correction", "headroom")
    given = {name: getattr(args, name) for name in names}
    options = {name: value for name, value in given.items() if value is not None}
    if args.calibrate is not None:
        options["calibrate"] = read_inputs(args.calibrate)
    return options


def lower(
    args: argparse.Namespace, n_steps: int | None = None
) -> tuple[SteppedNetwork, FixedNetwork]:
    """Take a network file to integers."""
    stepped = step(args)
    options = scaling_of(args)
    asked: dict[str, Any] = {
        "coding": args.coding or "own",
        "approximate": args.approximate,
        "weight_bits": args.weight_bits,
        "n_steps": n_steps,
        "proved": args.proved,
    }
    if "calibrate" not in options:
        return stepped, quantize(stepped, profile_of(args), **asked, **options)
    with progress_bar("calibration") as progress:
        options["progress"] = progress
        return stepped, quantize(stepped, profile_of(args), **asked, **options)


def fixed_of(args: argparse.Namespace, n_steps: int | None = None) -> FixedNetwork:
    """Load a fixed network (.npz), or take a network file to integers."""
    if args.network.suffix != ".npz":
        if args.profile is None:
            raise RangeError("--profile is missing, allowed: a shipped profile or a .toml file")
        return lower(args, n_steps)[1]
    given = [name for name in LOWERING if getattr(args, name) not in (None, [])]
    given = [name for name in given if name != "proved" or args.proved]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise RangeError(
            f"{options} with {args.network.name}, allowed: with a .toml network file only "
            "(a fixed network holds its profile, its step and its integers)"
        )
    return load_fixed(args.network)


def read_inputs(path: Path | None) -> dict[str, Any] | None:
    """Read run-time inputs from an ``.npz`` file: one array per input name."""
    if path is None:
        return None
    try:
        file = NpzFile(path)
        return {name: file.array(name) for name in file.names}
    except FileFormatError as error:
        raise FileFormatError(f"inputs {error}, allowed: an .npz of arrays") from None


def check_writable(path: Path | None, option: str, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse before anything is run a file that could not be written after it."""
    if path is None:
        return
    folder, taken = path.resolve().parent, path.exists() and not path.is_file()
    if taken or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FileFormatError(f"{option} {str(path)!r}: cannot be written, allowed: the name of a "
                              "file in a folder that is there and can be written to")  # fmt: skip
    if suffixes and path.suffix.lower() not in suffixes:
        raise FileFormatError(f"{option} {str(path)!r}, allowed: a name that ends in "
                              + ", ".join(suffixes))  # fmt: skip


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a callback (done, total) that draws a bar with the remaining time on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update
