"""``neuro-lif profiles``: list, show and check hardware profiles."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from ..numerics import BRANCHES
from ..profile import ConfigValue, HardwareProfile, available_profiles, load_profile, profile_schema


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("profiles", help="list, show, check profiles", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the shipped profiles").set_defaults(run=list_)
    show = verbs.add_parser("show", help="one profile, every number with its source")
    show.add_argument("profile", help="a shipped name or a .toml file")
    show.set_defaults(run=show_)
    check = verbs.add_parser("check", help="check a profile file; all faults in one report")
    check.add_argument("profile", help="a shipped name or a .toml file")
    check.set_defaults(run=check_)
    verbs.add_parser("schema", help="the JSON schema of a profile").set_defaults(run=schema_)


def list_(args: argparse.Namespace) -> int:
    """List the shipped profiles."""
    table = Table("profile", "what it is", "models")
    for name in available_profiles():
        profile = load_profile(name)
        table.add_row(name, profile.title, ", ".join(profile.models))
    Console().print(table)
    return 0


def check_(args: argparse.Namespace) -> int:
    """Check a profile; an error lists every fault."""
    profile = load_profile(args.profile)
    print(f"{profile.name}: no fault found ({len(profile.models)} model(s))")
    return 0


def schema_(args: argparse.Namespace) -> int:
    """Print the JSON schema."""
    print(json.dumps(profile_schema(), indent=2))
    return 0


def show_(args: argparse.Namespace) -> int:
    """Show a profile: every number with source and status."""
    profile = load_profile(args.profile)
    out = Console()
    out.print(f"[bold]{profile.name}[/bold]  {profile.title}", highlight=False)
    out.print(profile.about.strip(), highlight=False)
    for title, rows in _tables(profile).items():
        if rows:
            table = Table("name", "value", "status", "source", "note", title=title)
            for row in rows:
                table.add_row(*row)
            out.print(table)
    for name, model in profile.models.items():
        out.print(f"[bold]model {name}[/bold]: {model.about} ({model.status}: {model.source})")
        for line in _program(profile.ops(name)):
            out.print(line, highlight=False, markup=False)
    for name, source in profile.sources.items():
        out.print(f"  {name}: {source}", highlight=False, markup=False)
    for text in profile.exclusions:
        out.print(f"  not modelled: {text}", highlight=False, markup=False)
    return 0


def _program(ops: Any, indent: str = "  ") -> list[str]:
    """Return operations one per line, branches indented; what is empty or usual is left out."""
    lines = []
    for op in ops:
        hidden = ("op", "at", *BRANCHES)
        said = {k: v for k, v in op.items() if k not in hidden and v not in ((), None, False)}
        lines.append(f"{indent}{op['op']:10} " + ", ".join(f"{k}={v}" for k, v in said.items()))
        for branch in BRANCHES:
            if op.get(branch):
                lines += [f"{indent}  {branch}:", *_program(op[branch], indent + "    ")]
    return lines


Rows = list[tuple[str, str, str, str, str]]


def _tables(profile: HardwareProfile) -> dict[str, Rows]:
    w, r = profile.weights, profile.routing
    tables: dict[str, Rows] = {
        "config": [
            (n, f"{c.value}, allowed: {_choices(c)}", c.status, c.source, c.note or c.about)
            for n, c in profile.config.items()
        ],
        "registers": [
            (n, "{}..{}".format(*x.span), x.status, x.source, x.note or x.about)
            for n, x in profile.registers.items()
        ],
        "parameters": [
            (n, "{}..{}".format(*p.span), p.status, p.source, p.note or p.about)
            for n, p in profile.params.items()
        ],
        "weights and routing": [
            ("mantissa", f"{w.default_bits} bits", w.status, w.source, w.note),
            (
                "exponent",
                f"{w.exponent_lo}..{w.exponent_hi}, on the {w.exponent_on}, {w.exponent_round}",
                w.status,
                w.source,
                "",
            ),
            ("delays", f"{r.delay_lo}..{r.delay_hi} steps", r.status, r.source, r.note),
            ("input latency", f"{r.input_latency} step", r.status, r.source, ""),
            ("payload", f"{r.payload_bits} bits", r.status, r.source, ""),
        ],
        "resources": [
            (n, _value(q), q.status, q.source, q.note) for n, q in profile.resources.items()
        ],
    }
    for name, costs in profile.costs.items():
        tables[f"costs {name} ({costs.conditions})"] = [
            (n, _value(q), q.status, q.source, q.note) for n, q in costs.terms.items()
        ]
    return tables


def _choices(c: ConfigValue) -> str:
    return f"{c.lo}..{c.hi}" if c.choices is None else ", ".join(c.choices)


def _value(quantity: Any) -> str:
    if quantity.value is None:
        return "unknown"
    return f"{quantity.value:g} {quantity.unit}"
