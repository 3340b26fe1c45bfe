"""``neuro-lif nir quantize``: a NIR file, stepped by a rule, in a chip's integers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..codings import CODINGS
from ..errors import RangeError
from ..lower.draft import APPROXIMATIONS
from .common import add_scaling, check_writable, profile_of, progress_bar

if TYPE_CHECKING:
    from ..fixed import FixedNetwork
    from ..nir import Lowered

INPUTS = ("spikes", "counts", "current")
BIASES = ("auto", "membrane", "input")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments beside file, rule, inputs and dt."""
    parser.add_argument("--profile", required=True, help="a shipped profile or a .toml file")
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE",
                        help="a value of the profile's [config], e.g. weight_bits=4")  # fmt: skip
    parser.add_argument("--as", dest="kind", choices=INPUTS, default="spikes",
                        help="what comes in; current: first weights off the chip")  # fmt: skip
    parser.add_argument("--bias", choices=BIASES, default="auto",
                        help="how biases reach the neurons; default: as is exact")  # fmt: skip
    parser.add_argument("--approximate", action="append", default=[], metavar="WHAT",
                        help="allow an approximation: of a rule: integrator, floor, double-reset, "
                        "cycle; of a profile: " + ", ".join(APPROXIMATIONS))  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N",
                        help="of the runs it is meant for; default: as --inputs has")  # fmt: skip
    parser.add_argument("--coding", choices=list(CODINGS), default="own")
    parser.add_argument("--weight-bits", type=int, help="bits of the weight mantissa")
    parser.add_argument("--proved", action="store_true",
                        help="only scales at which no input can overflow a register")  # fmt: skip
    add_scaling(parser, calibrated=False)
    parser.add_argument("--calibrate", action="store_true",
                        help="choose scales by running --inputs")  # fmt: skip
    parser.add_argument("--out", type=Path, help="write the fixed network (.npz)")
    parser.add_argument("--inputs-out", type=Path, metavar="FILE",
                        help="write --inputs as neuro-lif run takes them")  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Lower a file; with inputs, compare the chip with the rule."""
    from ..nir import read, to_stepped
    from ..nir.switchable import APPROXIMATIONS as OF_RULES
    from .explain import inputs_of, rule_of

    check_writable(args.out, "--out", (".npz",))
    check_writable(args.inputs_out, "--inputs-out", (".npz",))
    _check(args, {*OF_RULES, *APPROXIMATIONS})
    found = read(args.file)
    print(found.report)
    rule = rule_of(args, found.graph)
    given = inputs_of(args, found.graph) if args.inputs else None
    low = to_stepped(
        found.graph,
        rule,
        dt=args.dt,
        inputs=args.kind,
        bias=args.bias,
        approximate=[a for a in args.approximate if a in OF_RULES],
    )
    fixed = _fixed(args, low, given)
    print(fixed.ledger)
    if given is not None:
        _compare(found.graph, low, fixed, given, args.dt)
    _write(args, low, fixed, given)
    return 0


def _check(args: argparse.Namespace, known: set[str]) -> None:
    unknown = [a for a in args.approximate if a not in known]
    if unknown:
        raise RangeError(f"--approximate {unknown[0]!r}, allowed: {', '.join(sorted(known))}")
    for name in ("calibrate", "inputs_out"):
        if getattr(args, name) and args.inputs is None:
            raise RangeError(f"--{name.replace('_', '-')} without --inputs, allowed: with them")


def _fixed(args: argparse.Namespace, low: Lowered, given: Any) -> FixedNetwork:
    from ..quantize import quantize

    args.set, kept = args.config, args.set
    profile, args.set = profile_of(args), kept
    names = ("granularity", "rounding", "rounding_seed", "scaling", "bias_correction")
    asked: dict[str, Any] = {n: getattr(args, n) for n in names if getattr(args, n) is not None}
    asked["approximate"] = [a for a in args.approximate if a in APPROXIMATIONS]
    asked |= {"coding": args.coding, "weight_bits": args.weight_bits, "proved": args.proved}
    asked["n_steps"] = args.steps
    if args.steps is None and given is not None:
        asked["n_steps"] = low.steps(len(next(iter(given.values()))))
    if not args.calibrate:
        return quantize(low.stepped, profile, **asked)
    with progress_bar("calibration") as progress:
        return quantize(
            low.stepped, profile, calibrate=low.inputs(given), progress=progress, **asked
        )


def _compare(
    graph: Any, low: Lowered, fixed: FixedNetwork, given: Mapping[str, Any], dt: float | None
) -> None:
    """Print how the chip's spikes lie to the rule's."""
    from ..emulator import run_fixed
    from ..nir import run as run_graph

    ran = run_graph(graph, given, low.rule, dt=dt)
    recording = run_fixed(fixed, inputs=low.inputs(given, fixed))
    n_steps = len(next(iter(given.values())))
    chip = low.spikes(recording, n_steps)
    print(f"{n_steps} steps, rule {low.rule.name} beside {fixed.profile.name}:")
    for node, sent in ran.spikes.items():
        other = np.count_nonzero(sent != chip[node])
        print(
            f"  {node}: {sent.sum():g} spikes, on the chip {chip[node].sum():g}; "
            f"{other} of {sent.size} entries differ"
        )
    for event in recording.events:
        print(f"  OVERFLOW {event.where}.{event.register}: {event.kind}, {event.count} value(s)")


def _write(args: argparse.Namespace, low: Lowered, fixed: FixedNetwork, given: Any) -> None:
    from ..files.fixed import save_fixed
    from ..npz import replacing, write_npz

    if args.out:
        save_fixed(fixed, args.out)
        print(f"fixed network written to {args.out}")
    if args.inputs_out:
        with replacing(args.inputs_out) as temporary:
            write_npz(temporary, low.inputs(given, fixed))
        print(f"inputs written to {args.inputs_out}")
