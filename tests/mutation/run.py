"""Mutation testing: changes the code of the engines and of quantize; says what no test notices.

    python tests/mutation/run.py            run, compare with docs/mutation.md
    python tests/mutation/run.py --write    run, then write docs/mutation.md again

mutmut makes the mutants. Each is put into a fork of one pytest session that has run all tests
once, so that only tests that run the changed line are tried, those first that killed its
neighbours. See docs/mutation.md for what is counted how.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutation"
COPIED = ("neuro_lif", "tests", "hw_profiles", "examples", "docs", "scripts", "pyproject.toml",
          "README.md", "CHANGELOG.md", "Makefile")  # fmt: skip
TESTS = ("formats", "rounded_shifts", "semantics", "small_machines", "emulator", "carrier",
         "vectors", "fixed_file", "recording", "lif_forms", "quantize_call", "lowered",
         "lower_bounds", "lower_passes", "quantize", "ledger", "dequantize", "poisson",
         "run_call")  # fmt: skip
"""The tests that are tried: those of tests/test_NAME.py that run in this process."""
LEFT_OUT = ("test_spike_times_agree", "test_integers_stay_within")
"""Tests that take seconds each: too long to be tried against thousands of mutants."""


def copied() -> Path:
    """Return a fresh copy of the repository's files: what is tested does not change meanwhile."""
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)
    (tree / "setup.cfg").write_text("[mutmut]\nsource_paths=neuro_lif\n")
    return tree


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.3, help="of the mutants of lower/*")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--budget", type=float, default=4, help="CPU seconds per survivor")
    parser.add_argument("--only", nargs="*", default=[], help="modules, such as lower/codes")
    parser.add_argument("--again", action="store_true", help="run what survived last time again")
    parser.add_argument("--tests", nargs="*", default=list(TESTS))
    parser.add_argument("--write", action="store_true", help="write docs/mutation.md")
    given = parser.parse_args()
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[threads] = "1"
    os.environ["NEURO_LIF_ENGINE"] = "numpy"  # what is mutated; the copy has no kernel
    tree = copied()
    os.chdir(tree)
    sys.path[0] = str(tree / "tests")  # the tests' own helpers, of the copy
    from mutation import report, session
    from mutation.mutants import chosen

    package = tree / "neuro_lif"
    mutants, counts = chosen(package, given.share, given.seed, given.only, WORK)
    saved = WORK / "verdicts.json"
    done = json.loads(saved.read_text()) if saved.exists() else {}
    names = {m.name: m.change for m in mutants}
    again = ("survived", "no tests", "broken") if given.again else ()
    done = {k: v for k, v in done.items() if k not in names
            or (names[k] == v["change"] and v["verdict"] not in again)}  # fmt: skip
    files = sorted({str(f) for t in given.tests for f in (tree / "tests").glob(f"test_{t}.py")})
    start = time.time()
    code = session.run(tree, files, mutants, done, saved, given.budget, LEFT_OUT)
    print(f"{(time.time() - start) / 60:.1f} minutes")
    if code:
        return code
    return report.finish(ROOT / "docs" / "mutation.md", mutants, counts, done, given)


if __name__ == "__main__":
    sys.exit(main())
