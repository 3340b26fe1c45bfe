"""``neuro-lif doctor``: which targets work here, why not, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from ..kernel import missing_reason, native
from ..profile import available_profiles, load_profile

PACKAGES = (
    "neuro-lif",
    "numpy",
    "scipy",
    "pydantic",
    "nengo",
    "lava-nc",
    "matplotlib",
    "scikit-learn",
)


def add(commands: Any) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("doctor", help="what works here and why not", description=__doc__)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the state of every target; 1 where one does not work."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in PACKAGES:
        print(f"  {name:14} {_version(name) or 'not installed'}")
    rows = [
        ("profiles", *_profiles()),
        ("emulator", True, "numpy engine"),
        ("nengo", *_nengo()),
        ("lava", *_lava()),
        ("demo", *_demo()),
    ]
    for name, works, text in rows:
        print(f"{'ok  ' if works else 'NO  '} {name:9} {text}")
    print(_kernel())
    return 0 if all(works for _, works, _ in rows) else 1


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _profiles() -> tuple[bool, str]:
    names = list(available_profiles())
    for name in names:
        load_profile(name)
    if not names:
        return False, "no profile found; reinstall with: pip install --force-reinstall neuro-lif"
    return True, ", ".join(names)


def _kernel() -> str:
    """The state of the compiled kernel, which is optional: the line never counts as a failure."""
    module = native()
    if module is not None:
        compiled, usable = module.compiled_sets(), module.usable_sets()
        return f"ok   kernel    compiled for {', '.join(compiled)}; uses {usable[-1]}"
    return (
        f"--   kernel    not there, so numpy does its work: {missing_reason()}; mend with: "
        f"{_kernel_mend()}"
    )


def _kernel_mend() -> str:
    root = Path(__file__).resolve().parents[2]
    needs = "install a C++20 compiler and Python's headers, unset NEURO_LIF_NO_KERNEL, then "
    if (root / "CMakeLists.txt").is_file():
        return f"{needs}rm -f .venv*/self.stamp && make setup"
    return f"{needs}pip install --force-reinstall --no-deps --no-cache-dir neuro_lif-*.tar.gz"


def _nengo() -> tuple[bool, str]:
    version = _version("nengo")
    if version is None:
        return False, "nengo is not installed; mend with: pip install 'nengo>=4'"
    return True, f"nengo {version}"


def _lava() -> tuple[bool, str]:
    from ..targets.lava import lava_status

    return lava_status()


def _demo() -> tuple[bool, str]:
    version = _version("scikit-learn")
    if version is None:
        return False, "scikit-learn is not installed; mend with: pip install 'neuro-lif[digits]'"
    return True, f"scikit-learn {version}"
