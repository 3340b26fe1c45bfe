"""``neuro-lif demo``: a trained digit classifier down the whole ladder, held against Lava."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ..errors import FileFormatError, TargetError
from .common import progress_bar


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("demo", help="the digits demo", description=__doc__)
    parser.add_argument("--profile", default="loihi2", help="the chip, default loihi2")
    parser.add_argument("--out", type=Path, default=Path("neuro_lif_demo"), help="output folder")
    parser.add_argument("--lava-images", type=int, default=20, help="images that also run in Lava")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 1 where Lava differs."""
    from ..demo import check_images, run_ladder
    from ..report.picture import ladder_picture

    check_images(args.lava_images)
    start = time.perf_counter()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"--out {str(args.out)!r}: cannot be written: {error}") from None
    with progress_bar("digits") as bar:
        stages: list[str] = []

        def report(title: str, done: int, total: int) -> None:
            if title not in stages:
                stages.append(title)
            bar(done + total * (len(stages) - 1), 4 * total)

        ladder = run_ladder(args.profile, args.lava_images, report)
    picture = ladder_picture(ladder, args.out / "ladder.png")
    ledger = args.out / "ledger.txt"
    ledger.write_text(f"{ladder.fixed.ledger}\n", encoding="utf-8")
    _print(ladder)
    print(f"picture: {picture}\nledger:  {ledger}")
    print(f"{time.perf_counter() - start:.1f} s")
    if ladder.lava is not None and not ladder.lava.identical:
        raise TargetError(f"Lava differs from the emulator: {ladder.lava.divergence}")
    return 0


def _print(ladder: Any) -> None:
    from ..compare import compare
    from ..targets.lava import lava_status

    table = Table("rung", "loses to", "accuracy", "spikes", "same as float")
    first = ladder.rungs[0].recording
    for rung in ladder.rungs:
        same = compare(first, rung.recording)
        spikes = sum(p.spikes_second for p in same.populations)
        agreement = sum(p.agreement * p.spikes_first for p in same.populations) / max(
            sum(p.spikes_first for p in same.populations), 1
        )
        table.add_row(
            rung.name, rung.loses, f"{rung.accuracy:.2f} %", f"{spikes:,}", f"{agreement:.2%}"
        )
    out = Console(soft_wrap=True)
    out.print(
        f"scikit-learn digits, accuracy on {len(ladder.labels)} held-out images, "
        f"{ladder.stepped.dt * 1e3:g} ms steps"
    )
    out.print(table)
    last = compare(first, ladder.rungs[-1].recording)
    out.print(f"first divergence of the integers from float: {last.divergence}", highlight=False)
    events = ladder.rungs[-1].recording.events
    out.print(f"overflow: {len(events)} kinds" if events else "overflow: none")
    out.print(f"emulator against the Lava runtime: {ladder.lava_text}", highlight=False)
    out.print(f"numpy {np.__version__}; {lava_status()[1]}", highlight=False)
