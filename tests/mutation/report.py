"""Writes and checks docs/mutation.md: what survived, and why it may."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Any

from .mutants import SAMPLED, Mutant

LEAST = 95.0
"""Percent tests must kill: of all that were run, and in each module of those that can be."""
KILLED = ("killed", "timeout")
MARK = "\n<!-- written by `run.py --write` from here on; the reasons are kept -->\n"
HEAD = "| change | why no test can or need notice |\n|---|---|\n"


def reasons_in(text: str) -> dict[tuple[str, str], str]:
    """Return (function, change) -> reason of the survivors that a report lists."""
    found, function = {}, ""
    for line in text.splitlines():
        if line.startswith("### "):
            function = line[4:].strip("` ")
        elif line.startswith("| `") and function:
            change, _, reason = line[3:].partition("` | ")
            reason = reason.removesuffix("|").strip()
            found[function, change] = re.sub(r" ?\(\d+ times\)$", "", reason)
    return found


def survivors(mutants: list[Mutant], done: dict[str, Any]) -> dict[tuple[str, str], list[Mutant]]:
    """Return the mutants no test killed, by (function, change)."""
    found: dict[tuple[str, str], list[Mutant]] = {}
    for m in mutants:
        if done[m.name]["verdict"] not in KILLED:
            change = m.change.replace("|", "¦").replace("`", "'")
            found.setdefault((f"{m.module}.{m.function}", change), []).append(m)
    return found


def table(
    mutants: list[Mutant], counts: dict[str, int], done: dict[str, Any], reasons: dict[Any, str]
) -> tuple[list[str], list[str]]:
    """Return the table's lines, and what is below LEAST."""
    lines = ["| module | mutants | run | killed | of these by time limit | survived | of these "
             "equivalent | killed / run | killed / (run - equivalent) |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]  # fmt: skip
    low = []
    left = survivors(mutants, done)
    for module, every in (*counts.items(), ("total", sum(counts.values()))):
        c = Counter(done[m.name]["verdict"] for m in mutants if module in ("total", m.module))
        run, killed = sum(c.values()), sum(c[k] for k in KILLED)
        same = sum(len(found) for key, found in left.items()
                   if module in ("total", found[0].module)
                   and reasons.get(key, "").startswith("equivalent"))  # fmt: skip
        of_all, of_others = 100 * killed / max(run, 1), 100 * killed / max(run - same, 1)
        lines.append(
            f"| {module} | {every} | {run} | {killed} | {c['timeout']} | {run - killed} | {same} | "
            f"{of_all:.1f} % | {of_others:.1f} % |"
        )
        if of_others < LEAST or (module == "total" and of_all < LEAST):
            low.append(
                f"{module}: {of_all:.1f} % killed, {of_others:.1f} % without equivalent ones"
            )
    return lines, low


def finish(
    path: Path, mutants: list[Mutant], counts: dict[str, int], done: dict[str, Any], given: Any
) -> int:
    """Compare a run with the report, or write it; return 0 if all is listed and enough killed."""
    text = path.read_text() if path.exists() else "# Mutation testing\n" + MARK
    reasons = reasons_in(text)
    lines, low = table(mutants, counts, done, reasons)
    print("\n".join(lines))
    left = survivors(mutants, done)
    new = [key for key in left if not reasons.get(key)]
    for function, change in new:
        print(f"survives, and no reason is given: {function}: {change}")
    if given.write:
        path.write_text(text.partition(MARK)[0] + MARK + _written(lines, left, reasons, given))
    for text in low:
        print(f"{text}, allowed: at least {LEAST} %")
    return int(bool(new or low))


def _written(lines: list[str], left: dict[Any, list[Mutant]], reasons: Any, given: Any) -> str:
    versions = {n: importlib.metadata.version(n) for n in ("mutmut", "pytest", "numpy")}
    out = [
        "",
        f"Run on {datetime.date.today()}, Python {platform.python_version()}, "
        + ", ".join(f"{n} {v}" for n, v in versions.items()) + ".",
        "",
        *lines,
        "",
        f"Of {', '.join(SAMPLED)}: a random {100 * given.share:.0f} % (seed {given.seed}).",
        "",
        "## Survivors",
    ]  # fmt: skip
    functions = dict.fromkeys(function for function, _ in left)
    for function in functions:
        out += ["", f"### `{function}`", "", *HEAD.strip().splitlines()]
        for (owner, change), found in left.items():
            if owner == function:
                times = f" ({len(found)} times)" if len(found) > 1 else ""
                out.append(f"| `{change}` | {reasons.get((owner, change), '')}{times} |")
    return "\n".join(out) + "\n"
