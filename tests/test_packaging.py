"""Profiles and the demo's data reach the user from a wheel, an sdist and a plain checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from neuro_lif.conformance import load_vectors

pytest.importorskip("hatchling", reason="the build back-end is not installed")

ROOT = Path(__file__).resolve().parent.parent
ASK = (
    "import neuro_lif as nl; from neuro_lif.demo import digits_folder; "
    "from neuro_lif.conformance import *; v = load_vectors(); "
    "r = run_conformance(find_engine('emulator'), [x for x in v if x.peer == 'RANC']); "
    "print(len(v), 'vectors', r.passed, r.counts()['equal']); "
    "print(sorted(nl.available_profiles()), nl.load_profile('loihi1').name, digits_folder())"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def ask(folder: Path, at: Path) -> str:
    """What a Python that finds the package in ``folder`` alone says, run from ``at``."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {ASK}"
    # -P is new in 3.11; running elsewhere keeps the checkout off the path on 3.10 as well
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=at, capture_output=True, text=True, timeout=120,
        env={"PATH": "", "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(text: str, inside: Path) -> None:
    names = sorted(path.stem for path in (ROOT / "hw_profiles").glob("*.toml"))
    assert f"{names} loihi1" in text
    assert f"{len(load_vectors())} vectors True 2" in text
    assert str(inside) in text


def test_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    expected(ask(site, tmp_path), site)


def test_sdist_is_a_checkout(built: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # early patch releases of 3.10 have no filters
        options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path / "src", **options)
    (source,) = (tmp_path / "src").iterdir()
    expected(ask(source, tmp_path), source)
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "tests/conftest.py", "pyproject.toml"):
        assert (source / name).is_file(), name


def test_plain_checkout(tmp_path: Path) -> None:
    expected(ask(ROOT, tmp_path), ROOT)
