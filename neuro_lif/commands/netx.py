"""``neuro-lif netx``: look at lava-dl's files, run them in Loihi's integers, convert them."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError, RangeError

if TYPE_CHECKING:
    from ..netx import Layer, NetxRule


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser(
        "netx", help="read, run and convert lava-dl's netx files", description=__doc__
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    shown = actions.add_parser("show", help="the layers, and what was assumed")
    shown.add_argument("file", type=Path, help="netx file (.net)")
    shown.set_defaults(run=show_file)
    ran = actions.add_parser("run", help="run it in a chip's integers")
    _add_lowering(ran)
    ran.add_argument("--inputs", type=Path, required=True,
                     help=".npz with an array 'input' (n_steps, *shape)")  # fmt: skip
    ran.add_argument("--currents", action="store_true",
                     help="the input is weight * x + bias already")  # fmt: skip
    ran.add_argument("--steps", type=int, help="number of steps (default: the input's length)")
    ran.add_argument(
        "--out", type=Path, help="write spikes/LAYER, u/LAYER, v/LAYER, outputs (.npz)"
    )
    ran.set_defaults(run=run_file)
    kinds = ".net to .npz (for neuro-lif run), .nir or .net; or a fixed network (.npz) to .net"
    made = actions.add_parser("convert", help=kinds)
    _add_lowering(made)
    made.add_argument("out", type=Path, help="file to write: .npz, .nir or .net")
    made.add_argument("--dt", type=float, default=1e-3, help="step, s (default: 1e-3)")
    made.set_defaults(run=convert_file)


def _add_lowering(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="netx file (.net)")
    parser.add_argument("--profile", default="loihi2", help="hardware profile (default: loihi2)")
    parser.add_argument("--input-shape", metavar="C,H,W", help="where the file does not say")
    parser.add_argument("--message-bits", type=int, default=0,
                        help="of the spikes that come in; 0 (default): plain ones")  # fmt: skip
    parser.add_argument("--reset-interval", type=int, metavar="N",
                        help="u and v become 0 every N steps, each layer a step later")  # fmt: skip
    parser.add_argument("--reset-offset", type=int, default=0, metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE",
                        help="of the rule, e.g. delay=axon, weights=plain, shown_at_spike=128, "
                        "ignore=delay,wgtExp")  # fmt: skip


def _rule(args: argparse.Namespace) -> NetxRule:
    from dataclasses import fields

    from ..netx import NetxRule

    changes: dict[str, Any] = {}
    known = [f.name for f in fields(NetxRule)]
    for item in args.set:
        name, sign, text = item.partition("=")
        if not sign or name not in known:
            raise RangeError(f"--set {item!r}, allowed: FIELD=VALUE with FIELD one of "
                             + ", ".join(known))  # fmt: skip
        if name == "ignore":
            changes[name] = tuple(part for part in text.split(",") if part)
            continue
        try:
            changes[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            changes[name] = text
    return NetxRule(**changes)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    shape = None
    if args.input_shape is not None:
        parts = args.input_shape.split(",")
        if not all(p.isascii() and p.isdigit() and int(p) > 0 for p in parts):
            raise RangeError(f"--input-shape = {args.input_shape!r}, allowed: such as 2,34,34")
        shape = tuple(int(p) for p in parts)
    return {
        "profile": args.profile, "rule": _rule(args), "input_shape": shape,
        "input_message_bits": args.message_bits, "reset_interval": args.reset_interval,
        "reset_offset": args.reset_offset,
    }  # fmt: skip


def show_file(args: argparse.Namespace) -> int:
    """Print the layers as a table, and the report."""
    from ..netx import read

    found = read(args.file)
    head = ("layer", "type", "shape", "weights", "from..to", "neuron", "more")
    rows = [head, *(_row(i, layer) for i, layer in enumerate(found.network.layers))]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    for row in rows:
        print("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip())
    print(found.report)
    return 0


def _row(index: int, layer: Layer) -> tuple[str, ...]:
    weight: Any = getattr(layer, "weight", None)
    neuron = layer.neurons
    weights = span = ""
    if hasattr(weight, "shape"):
        weights, span = _shape(weight.shape), f"{weight.min()}..{weight.max()}"
    elif weight is not None:
        weights, span = "1", str(weight)
    text = "" if neuron is None else (
        f"{neuron.kind} iDecay {_few(neuron.i_decay)}, vDecay {_few(neuron.v_decay)}, "
        f"vThMant {_few(neuron.threshold)}")  # fmt: skip
    kind = "dense_rec" if getattr(layer, "weight_rec", None) is not None else layer.kind
    return (str(index), kind, _shape(layer.shape), weights, span, text, _more(layer))


def _more(layer: Layer) -> str:
    """Return the fields that are not as usual."""
    usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    found = []
    for name in ("stride", "padding", "dilation", "groups", "bias", "delay", "layers"):
        value = getattr(layer, name, None)
        if value is not None and not (name in usual and value == usual[name]):
            found.append(f"{name} {_few(value)}")
    return ", ".join(found)


def _few(value: Any) -> str:
    """Return one number, or the least and the largest of several."""
    if not hasattr(value, "min"):
        return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return str(value.min()) if value.min() == value.max() else f"{value.min()}..{value.max()}"


def _shape(shape: Any) -> str:
    return "x".join(map(str, shape))


def run_file(args: argparse.Namespace) -> int:
    """Run a file in a chip's integers."""
    from ..netx import read, run
    from ..npz import replacing, write_npz
    from .common import check_writable, read_inputs
    from .run import summary

    check_writable(args.out, "--out", (".npz",))
    found = read(args.file)
    print(found.report)
    arrays = read_inputs(args.inputs) or {}
    if "input" not in arrays:
        raise RangeError(f"inputs {str(args.inputs)!r}: array 'input' is missing, there are: "
                         + (", ".join(arrays) or "none"))  # fmt: skip
    ran = run(
        found.network,
        arrays["input"],
        n_steps=args.steps,
        transform=not args.currents,
        **_options(args),
    )
    for note in ran.notes:
        print(f"note: {note}")
    print(summary(ran.recording))
    if args.out:
        made = {f"{kind}/{name}": rows for kind in ("spikes", "u", "v")
                for name, rows in getattr(ran, kind).items()}  # fmt: skip
        with replacing(args.out) as temporary:
            write_npz(temporary, made | {"outputs": ran.outputs})
        print(f"written to {args.out}")
    return 0


def convert_file(args: argparse.Namespace) -> int:
    """Write a file in another format."""
    from ..files.fixed import load_fixed, save_fixed
    from ..netx import read, to_fixed, to_nir, write
    from .common import check_writable

    check_writable(args.out, "the file to write", (".npz", ".nir", ".net"))
    kind = args.out.suffix.lower()
    if args.file.suffix.lower() == ".npz":
        if kind != ".net":
            raise FileFormatError(f"{str(args.out)!r}: allowed from a fixed network: a .net file")
        write(args.out, load_fixed(args.file))
        print(f"written to {args.out}")
        return 0
    found = read(args.file)
    print(found.report)
    if kind == ".net":
        write(args.out, found.network)
    elif kind == ".nir":
        from ..nir import write as write_nir

        shape = _options(args)["input_shape"]
        write_nir(args.out, to_nir(found.network, args.dt, input_shape=shape))
    else:
        fixed = to_fixed(found.network, dt=args.dt, **_options(args))
        for note in fixed.ledger.notes if fixed.ledger is not None else ():
            print(f"note: {note}")
        save_fixed(fixed, args.out)
    print(f"written to {args.out}")
    return 0
