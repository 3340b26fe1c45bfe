"""What several commands share: loading networks, units on the command line, progress."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from ..discretize import RULES, SteppedNetwork, discretize
from ..errors import FileFormatError, RangeError
from ..files.toml import load_network
from ..fixed import FixedNetwork
from ..network import Network
from ..profile import HardwareProfile, load_profile
from ..quantize import APPROXIMATIONS, quantize

console = Console(stderr=True)

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
    parser.add_argument("--dt", type=seconds, default=1e-3, help="step, default 1ms")
    parser.add_argument("--rule", default="exact", choices=sorted(RULES), help="step rule")
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


def profile_of(args: argparse.Namespace) -> HardwareProfile:
    """Load the profile with its ``--set`` values."""
    config: dict[str, int | str] = {}
    for item in args.set:
        name, sign, value = item.partition("=")
        if not sign:
            raise RangeError(f"--set {item!r}, allowed: NAME=VALUE")
        config[name] = int(value) if value.lstrip("-").isdigit() else value
    return load_profile(args.profile, **config)


def network_of(args: argparse.Namespace) -> Network:
    """Load the network file."""
    if args.network.suffix != ".toml":
        raise FileFormatError(f"network = {str(args.network)!r}, allowed: a .toml network file")
    return load_network(args.network)


def lower(
    args: argparse.Namespace, n_steps: int | None = None
) -> tuple[SteppedNetwork, FixedNetwork]:
    """Take a network file to integers."""
    stepped = discretize(network_of(args), args.dt, args.rule)
    fixed = quantize(
        stepped,
        profile_of(args),
        approximate=args.approximate,
        weight_bits=args.weight_bits,
        n_steps=n_steps,
        proved=args.proved,
    )
    return stepped, fixed


def read_inputs(path: Path | None) -> dict[str, Any] | None:
    """Read run-time inputs from an ``.npz`` file: one array per input name."""
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise FileFormatError(f"inputs {str(path)!r}: no such file") from None
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise FileFormatError(f"inputs {str(path)!r}: not an .npz of arrays: {error}") from None


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
