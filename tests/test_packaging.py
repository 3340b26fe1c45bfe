"""Profiles, the demo's data and the kernel reach the user from wheel, sdist and checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from neuro_lif.conformance import load_vectors
from neuro_lif.kernel import missing_reason, native

pytest.importorskip("scikit_build_core", reason="the build back-end is not installed")

ROOT = Path(__file__).resolve().parent.parent
ASK = (
    "import neuro_lif as nl; from neuro_lif.demo import digits_folder; "
    "from neuro_lif.conformance import *; "
    "assert not any('_native' in name for name in sys.modules if name.startswith('neuro_lif')); "
    "v = load_vectors(); "
    "r = run_conformance(find_engine('emulator'), [x for x in v if x.peer == 'RANC']); "
    "print(len(v), 'vectors', r.passed, r.counts()['equal']); "
    "print(sorted(nl.available_profiles()), nl.load_profile('loihi1').name, digits_folder()); "
    "from neuro_lif.kernel import missing_reason, native; "
    "print('kernel', native() and native().__file__, missing_reason()); "
    "from neuro_lif.report import page; "
    "assert page().count('<section') == 2 and 'skip' in page()"
)


def build(what: str, source: Path, folder: Path, **more: str) -> Path:
    """What the back-end makes of ``source``, as a front-end would ask it to."""
    code = f"import scikit_build_core.build as b; print(b.build_{what}({str(folder)!r}))"
    # the environment's own cmake and ninja come first, as in an isolated build
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {k: v for k, v in os.environ.items() if k != "NEURO_LIF_NO_KERNEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=600,
        env={**env, "PATH": path, **more},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / done.stdout.splitlines()[-1]


def unpacked(archive: Path, folder: Path) -> Path:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
        return folder
    with tarfile.open(archive) as sdist:
        # early patch releases of 3.10 have no filters
        options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        sdist.extractall(folder, **options)
    (source,) = folder.iterdir()
    return source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    sdist = build("sdist", ROOT, tmp_path_factory.mktemp("dist"))
    return unpacked(sdist, tmp_path_factory.mktemp("src"))


DIGITS = "from neuro_lif.demo import *; d, _ = load_digits_example(); print(d.task.size, 'images')"


def ask(folder: Path, at: Path, what: str = ASK) -> str:
    """What a Python that finds the package in ``folder`` alone says, run from ``at``."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {what}"
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


def content(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_of_the_sdist(source: Path, tmp_path: Path) -> None:
    wheel = build("wheel", source, tmp_path)
    site = unpacked(wheel, tmp_path / "site")
    text = ask(site, tmp_path)
    expected(text, site)
    modules = [name for name in content(wheel) if name.startswith("neuro_lif/kernel/_native.c")]
    if native() is None:  # nothing to compile with, here neither
        assert missing_reason() and not [name for name in modules if name.endswith(".so")]
        return
    assert len(modules) == 1, modules
    assert f"kernel {site / modules[0]} None" in text
    assert not [name for name in content(wheel) if name.endswith((".cpp", ".hpp"))]


def test_wheel_without_the_kernel(tmp_path: Path) -> None:
    wheel = build("wheel", ROOT, tmp_path, NEURO_LIF_NO_KERNEL="1")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in content(wheel) if "/_native.c" in name or "/src/" in name]
    site = unpacked(wheel, tmp_path / "site")
    text = ask(site, tmp_path)
    expected(text, site)
    assert "kernel None this copy of the package was not built, or without it" in text
    pytest.importorskip("sklearn")
    assert "450 images" in ask(site, tmp_path, DIGITS)  # with the modules that examples share


def test_wheel_without_a_compiler(source: Path, tmp_path: Path) -> None:
    wheel = build("wheel", source, tmp_path, CXX="/nowhere/c++")
    site = unpacked(wheel, tmp_path / "site")
    text = ask(site, tmp_path)
    expected(text, site)
    assert "kernel None no working C++ compiler was found" in text


@pytest.mark.skipif(native() is None, reason="there is nothing to compile with")
def test_wheel_where_the_compiler_fails(source: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(source, tmp_path / "broken", ignore=shutil.ignore_patterns("tests"))
    (broken / "neuro_lif/kernel/src/engine.cpp").write_text("#error no\n")
    wheel = build("wheel", broken, tmp_path)
    site = unpacked(wheel, tmp_path / "site")
    assert "kernel None it could not be compiled" in ask(site, tmp_path)


def test_sdist_is_a_checkout(source: Path, tmp_path: Path) -> None:
    text = ask(source, tmp_path)
    expected(text, source)
    assert "kernel None" in text
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "tests/conftest.py", "pyproject.toml"):
        assert (source / name).is_file(), name
    for folder in ("neuro_lif", "hw_profiles", "examples", "docs", "tests"):
        assert files(source, folder) == {
            path
            for path in files(ROOT, folder)
            if not path.name.startswith("_native.") or path.suffix == ".pyi"
        }, folder


def files(root: Path, folder: str) -> set[Path]:
    """The files of a folder, without Python's own."""
    found = (path for path in (root / folder).rglob("*") if path.is_file())
    return {path.relative_to(root) for path in found if "__pycache__" not in path.parts}


def test_plain_checkout(tmp_path: Path) -> None:
    expected(ask(ROOT, tmp_path), ROOT)
