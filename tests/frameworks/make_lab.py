"""Write the files of framework cases: ``make_lab.py FOLDER [--only NAME] [--seeds N] [--zip TO]``.

``make_lab.py build/lab --zip tests/data/nir/lab`` writes what the tests compare.

Run it with the Python of an environment that has the frameworks (``make frameworks``); what is
not installed is left out and named.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import zipfile
from pathlib import Path

FRAMEWORKS = ("snntorch", "norse", "sinabs", "rockpool", "spikingjelly", "nengo", "spyx")


def main() -> None:
    """Write all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", choices=FRAMEWORKS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--zip", type=Path, help="pack the files of each framework into here")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    from lab import write

    for framework in args.only or FRAMEWORKS:
        try:
            module = importlib.import_module(f"from_{framework}")
        except ImportError as error:
            print(f"{framework}: left out: {error}")
            continue
        n = 0
        for seed in range(args.seed, args.seed + args.seeds):
            folder = args.folder / (framework if args.seeds == 1 else f"{framework}-{seed}")
            for case in module.cases(seed):
                write(case, folder, seed)
                n += 1
        print(f"{framework}: {n} files")
        if args.zip:
            pack(args.folder / framework, args.zip / f"{framework}.zip")


def pack(folder: Path, path: Path) -> None:
    """Pack a folder: HDF5 leaves much room, and the archive is a tenth of the files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(file.name, (2026, 1, 1, 0, 0, 0))
            packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
