"""All replications, one after the other.

    python examples/replications/all.py             about ten minutes
    python examples/replications/all.py --quick     fewer spikes, seeds and cases: some two minutes
    python examples/replications/all.py r5 r6       these alone

Ends with exit status 1 where a row of any of them fails.
"""

from __future__ import annotations

import argparse
import importlib
import time

from table import show

ABOUT = {
    "r2": "Brunel's network in float64: rates and rhythms",
    "r3": "the same in integers",
    "r4": "resolution of weights in a balanced network",
    "r5": "rates of clocked neurons",
    "r6": "the law of truncation",
    "r7": "bits of the digits classifier",
}


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(ABOUT)}")
    parser.add_argument("--quick", action="store_true", help="fewer spikes, seeds or cases")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in ABOUT:
            parser.error(f"NAME = {name!r}, allowed: {', '.join(ABOUT)}")
    ended: dict[str, tuple[int, float]] = {}
    for name in given.names or ABOUT:
        start, module = time.perf_counter(), importlib.import_module(name)
        status = show(module.TITLE, module.rows(given.quick))
        ended[name] = (status, time.perf_counter() - start)
        print("\n")
    for name, (status, seconds) in ended.items():
        print(f"{name}  {'FAILS' if status else 'holds'}  {seconds:5.0f} s  {ABOUT[name]}")
    return int(any(status for status, _ in ended.values()))


if __name__ == "__main__":
    raise SystemExit(main())
