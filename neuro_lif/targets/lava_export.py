"""Writes a FixedNetwork as a folder that Lava runs without us: tables, rules and ``run.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect, expect_path
from ..errors import FileFormatError, TargetError
from ..fixed import FixedNetwork
from ..npz import NpzFile
from ..reference.clocked import check_record
from ..run_inputs import input_rows
from ..runs import RECORDS
from ..stimulate import Inputs, batch_of, check_given, steps_of
from .lava_choice import LavaChoice
from .lava_plan import plan_lava
from .lava_replay import Payloads, largest, payloads_sent, replay
from .lava_tables import tables

RULES = "integer_rules"
COPIED = (
    "formats.py",
    "connect.py",
    "lazy.py",
    "emulator/oplist.py",
    "targets/lava_bundle/__init__.py",
    "targets/lava_bundle/build.py",
    "targets/lava_bundle/main.py",
    "targets/lava_bundle/names.py",
    "targets/lava_bundle/stock.py",
    "targets/lava_bundle/processes/__init__.py",
)
"""Our modules a folder needs; they import numpy, scipy, lava and each other only."""
RUN = f'''"""Run this network in Lava: python run.py [--steps N] [--out spikes.npz]"""

import sys
from pathlib import Path

from {RULES}.targets.lava_bundle.main import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
'''


def export_lava(
    fixed: FixedNetwork, folder: str | Path, n_steps: int | None = None,
    inputs: Inputs | None = None, record: str = "probes", overwrite: bool = False,
) -> Path:  # fmt: skip
    """Write a folder that runs with lava-nc 0.10 alone: ``python run.py``.

    Args:
        fixed: the network.
        folder: created where missing; an earlier export is replaced.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> integers ``(n_steps, n)`` or ``(batch, n_steps, n)``.
        record: ``"probes"``; ``"all"`` for u and v of every population; ``"registers"`` for every
            register that Lava has.
        overwrite: write into a non-empty folder that is no earlier export.

    Returns:
        The folder.

    Raises:
        RangeError: no FixedNetwork, or the inputs do not fit it.
        TargetError: Lava cannot run this network, or the folder must not be touched.
    """
    expect(fixed, FixedNetwork, "export_lava")
    path = expect_path(folder, "export_lava (folder)", TargetError)
    check_record(record, RECORDS)
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    n_steps = steps_of(n_steps, given)
    plan_lava(fixed, largest(input_rows(fixed, given, batch_of(given) or 1, n_steps)))
    payloads = payloads_sent(fixed, lambda: replay(fixed, n_steps, given))
    try:
        _prepare(path, overwrite)
    except OSError as error:
        raise TargetError(f"folder {str(path)!r}: cannot be written: {error}") from None
    write_export(fixed, path, n_steps, given, record, payloads)
    return path


def exported_plan(folder: str | Path) -> list[str]:
    """Return what each element became in an exported folder, in words.

    Raises:
        TargetError: that is no export.
    """
    path = expect_path(folder, "exported_plan (folder)", TargetError)
    try:
        head = json.loads(str(NpzFile(path / "network.npz").array("head")))
        return [str(line) for line in head["plan"]]
    except (FileFormatError, ValueError, KeyError, TypeError) as error:
        raise TargetError(f"folder {str(path)!r} is no export: {error}") from None


def write_export(
    fixed: FixedNetwork, path: Path, n_steps: int, given: dict[str, Any], record: str,
    payloads: Payloads,
) -> list[LavaChoice]:  # fmt: skip
    """Write the folder; return what each element became.

    Args:
        fixed: the network.
        path: an existing folder.
        n_steps: number of steps.
        given: checked inputs.
        record: what to record.
        payloads: population -> largest magnitude it sends, as far as it is known.

    Raises:
        TargetError: Lava cannot run this network, or the folder cannot be written.
    """
    batch = batch_of(given)
    rows = input_rows(fixed, given, batch or 1, n_steps)
    plan = plan_lava(fixed, payloads | largest(rows), batch or 1)
    head, arrays = tables(fixed, plan, rows, batch, n_steps, record)
    try:
        _write(path, fixed, head, arrays, plan)
    except OSError as error:
        raise TargetError(f"folder {str(path)!r}: cannot be written: {error}") from None
    return plan


# ------------------------------------------------------------------------------ the folder


def _prepare(path: Path, overwrite: bool) -> None:
    """Make the folder ready, and take nothing away that is not ours."""
    if path.exists() and not path.is_dir():
        raise TargetError(f"folder {str(path)!r} is a file; give a folder to write to")
    if path.is_dir() and any(path.iterdir()):
        if not _is_export(path) and not overwrite:
            raise TargetError(
                f"folder {str(path)!r} is not empty and no earlier export; choose another one or "
                "allow it with overwrite=True (on the command line: --overwrite)"
            )
        shutil.rmtree(path / RULES, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)


def _is_export(path: Path) -> bool:
    try:
        head = json.loads(str(NpzFile(path / "network.npz").array("head")))
        return str(head["format"]).startswith("neuro-lif-lava/")
    except (FileFormatError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _write(path: Path, fixed: FixedNetwork, head: Any, arrays: Any, plan: list[LavaChoice]) -> None:
    package = Path(__file__).resolve().parent.parent
    for name in COPIED:
        target = path / RULES / name
        for folder in (target.parent, *target.parent.parents):
            folder.mkdir(parents=True, exist_ok=True)
            if folder == path:
                break
            (folder / "__init__.py").touch()
        shutil.copyfile(package / name, target)
    with (path / "network.npz").open("wb") as stream:
        np.savez_compressed(stream, head=np.array(json.dumps(head)), **arrays)
    (path / "run.py").write_text(RUN, encoding="utf-8")
    (path / "README.md").write_text(_readme(fixed, head, plan), encoding="utf-8")


def _readme(fixed: FixedNetwork, head: Any, plan: list[LavaChoice]) -> str:
    rows = "\n".join(
        f"| {c.element} | {c.process} | {'Lava' if c.stock else 'this folder'} | {c.why} |"
        for c in plan
    )
    return f"""# A spiking network for Lava 0.10

{head["n_steps"]} steps of {fixed.dt:g} s, integers as profile `{fixed.profile.name}` has them.
Written by neuro_lif, which it does not need. It needs Python 3.10 and `lava-nc==0.10.0`
(`pip install lava-nc==0.10.0`), which itself brings the numpy and scipy that are used here.

    python run.py                     # prints the spikes: population, step, neurons
    python run.py --steps 50          # another length; inputs end where they end
    python run.py --out spikes.npz    # spikes, and the variables that were asked for

`network.npz` holds every number (no pickles), `{RULES}/` the processes that Lava lacks.

| element | Lava process | from | why |
|---|---|---|---|
{rows}
"""
