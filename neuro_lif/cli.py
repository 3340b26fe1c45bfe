"""The ``neuro-lif`` program."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from .errors import NeuroLifError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every command."""
    from .commands import (
        certify,
        compare,
        conformance,
        demo,
        doctor,
        explain,
        export,
        ladder,
        netx,
        nir,
        predict,
        profiles,
        quantize,
        report,
        run,
        study,
    )

    parser = argparse.ArgumentParser(
        prog="neuro-lif",
        description="Spiking networks on neuromorphic chips' integers, without the chip.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    shown = (demo, run, quantize, predict, ladder, study, report, compare, certify, conformance,
             export, nir, netx, explain, profiles, doctor)  # fmt: skip
    for module in shown:
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0 on success, 1 where a check says no, 2 on wrong use or an error, 130 when interrupted.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names that a terminal cannot show
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        from . import __version__

        print(__version__)
        return 0
    if args.command is None:
        parser.print_help()
        return 2
    try:
        return int(args.run(args))
    except NeuroLifError as error:
        if args.debug:
            raise
        print(f"neuro-lif {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"neuro-lif {args.command}: interrupted", file=sys.stderr)
        return 130
    except MemoryError as error:
        if args.debug:
            raise
        why = f" ({error})" if str(error) else ""
        print(
            f"neuro-lif {args.command}: more memory is needed than there is{why}; "
            "take fewer steps, samples or neurons, or record less",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # the reader of our output went away (a pager, head): not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if args.debug:
            raise
        print(f"neuro-lif {args.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
