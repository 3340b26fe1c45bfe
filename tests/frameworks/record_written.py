"""Record what the frameworks give for files written here: ``record_written.py PYTHON [PYTHON...]``.

Each PYTHON is one of an environment with frameworks; ``make frameworks`` makes one with all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from written import MAKERS, Written, written  # noqa: E402

from neuro_lif import nir  # noqa: E402

SEEDS = range(24)
RECORDED = HERE.parent / "data" / "nir" / "lab" / "written.npz"


def given(cases: list[Written], pythons: list[Path], folder: Path) -> dict[str, Any]:
    """Write the graphs, run them, and return name -> what came out, or the reason why nothing."""
    for case in cases:
        nir.write(folder / f"{case.name}.nir", case.graph)
        np.savez(folder / f"{case.name}.npz", input=case.inputs, dt=case.dt)
    for python in pythons:
        call = [str(python), str(HERE / "run_files.py"), str(folder)]
        ran = subprocess.run(call, capture_output=True, text=True, timeout=1800)
        if ran.returncode:
            raise RuntimeError(ran.stderr[-3000:])
    found: dict[str, Any] = {}
    for case in cases:
        out, why = folder / f"{case.name}.out.npz", folder / f"{case.name}.out.txt"
        if out.exists():
            with np.load(out) as made:
                found[case.name] = made["output"]
        elif why.exists():
            found[case.name] = why.read_text()
    return found


def main() -> None:
    """Write the recording."""
    cases = [written(framework, seed) for framework in MAKERS for seed in SEEDS]
    with tempfile.TemporaryDirectory() as folder:
        found = given(cases, [Path(p) for p in sys.argv[1:]], Path(folder))
    kept: dict[str, Any] = {}
    for case in cases:
        output = found[case.name]
        assert not isinstance(output, str), f"{case.name}: {output}"
        assert np.array_equal(output, output.astype(np.uint8)), case.name
        kept[case.name] = output.astype(np.uint8)
        kept[f"{case.name}.digest"] = np.int64(case.digest())
    np.savez_compressed(RECORDED, **kept)
    print(f"{len(cases)} graphs, {RECORDED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
