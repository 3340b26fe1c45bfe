"""Run a folder of cases with neuro_lif and print what differs: ``check_lab.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from cases import compared

if __name__ == "__main__":
    bad = total = 0
    for path in sorted(Path(sys.argv[1]).rglob("*.json")):
        total += 1
        for line in compared(path):
            print(f"{path.parent.name}/{path.stem}: {line}")
            bad += 1
    print(f"{total} files, {bad} differences")
