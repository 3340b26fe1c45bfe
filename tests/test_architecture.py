"""The house rules: imports point up one list, heavy libraries stay out, errors are named."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuro_lif

ROOT = Path(neuro_lif.__file__).resolve().parent
FILES = sorted(ROOT.rglob("*.py"))
# Copied into the folder that the Lava target writes; it runs there, by itself, beside Lava.
BUNDLE = ROOT / "targets" / "lava_bundle"
INSIDE = [p for p in FILES if p != ROOT / "__init__.py" and BUNDLE not in p.parents]

LAYERS = """
errors lazy memo
arrays formats npz rasters
checks kernel connectivity engines lanes exponentials units convolution
draws waveforms
noise
synapses
neurons stimulus spike_inputs
network
drives streams
numerics
op_models
op_checks
profile_model
profile_faults
profile
profiles
digests
stepped
filter_stage propagators
stage_weights
discretize forms
recording ledger
connect stimulate fixed_parts
feeds fixed_inputs
poisson
stored
width
fixed
changes
reference
semantics
run_inputs
runs
machine emulator
certify
task
compare lower metrics
codings
calibrate
quantize dequantize
predict
laws
ladder
files
study
targets
conformance
nir
netx
demo
report
commands
cli
__main__
""".split("\n")
"""Each line may import what stands above it, never what stands beside or below."""

RANK = {name: i for i, line in enumerate(LAYERS) for name in line.split()}
MOST_LINES = 400


def identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer(path: Path) -> str:
    """The module, or the package of a module, right below neuro_lif."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module of neuro_lif that a file imports, as dotted parts, with the line."""
    package = ("neuro_lif", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *([node.module] if node.module else [])])
            if base == "neuro_lif":  # from . import name: a module, or a name of __init__
                for alias in node.names:
                    yield f"neuro_lif.{alias.name}", node.lineno
            else:
                yield base, node.lineno


def inner(path: Path) -> Iterator[tuple[str, int]]:
    """The layers that a file imports."""
    for name, line in imported(path):
        parts = name.split(".")
        if parts[0] == "neuro_lif" and len(parts) > 1:
            module = ROOT / parts[1]
            known = module.is_dir() or module.with_suffix(".py").is_file()
            yield (parts[1] if known else "__init__"), line


def test_every_module_has_its_place() -> None:
    found = {layer(p) for p in FILES} - {"__init__"}
    assert found <= RANK.keys(), f"name the layer of {sorted(found - RANK.keys())} in LAYERS"


@pytest.mark.parametrize("path", INSIDE, ids=identity)
def test_imports_point_up(path: Path) -> None:
    own = layer(path)
    for name, line in inner(path):
        if name == own:
            continue
        if name == "__init__":
            assert own == "cli", f"{path.name}:{line} imports the package itself: a cycle"
            continue
        assert RANK[name] < RANK[own], f"{path.name}:{line}: {own} may not import {name}"


def cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """A cycle of the graph, or None."""
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str] | None:
        if node in trail:
            return trail[trail.index(node) :]
        if node in done:
            return None
        for target in sorted(graph.get(node, ())):
            found = visit(target, [*trail, node])
            if found:
                return found
        done.add(node)
        return None

    return next((c for node in sorted(graph) if (c := visit(node, []))), None)


def test_no_module_imports_itself_by_a_detour() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if parts[-1] == "__init__":
            continue
        graph[".".join(parts)] = {name for name, _ in imported(path)}
    assert cycle({k: v & graph.keys() for k, v in graph.items()}) is None
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c"]


def test_import_brings_no_heavy_library() -> None:
    heavy = ("lava", "nengo", "matplotlib", "sklearn", "rich", "jinja2", "IPython", "scipy",
             "pydantic")  # fmt: skip
    code = f"import sys, neuro_lif; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=ROOT.parent)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_public_names_are_there_whatever_was_imported_first() -> None:
    """Some are imported when they are asked for, and some have the name of their module."""
    modules = [p.stem for p in ROOT.glob("*.py") if p.stem not in ("__init__", "__main__")]
    code = ("import importlib, types, neuro_lif as nl\n"
            f"for m in {modules!r}: importlib.import_module('neuro_lif.' + m)\n"
            "print([n for n in nl.__all__ if isinstance(getattr(nl, n), types.ModuleType)])\n"
            "print(set(nl.__all__) - set(dir(nl)))\n")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=ROOT.parent)  # fmt: skip
    assert done.stdout.split("\n")[:2] == ["['stimulus']", "set()"], done.stdout


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_no_assert_and_no_catch_all(path: Path) -> None:
    faults = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Assert):
            faults.append(f"line {node.lineno}: assert (python -O takes it out); raise an error")
        # the bundle's main is the last frame of a process of its own: it reports and exits
        # and strangers' engines may raise anything, which the suite reports as their failure
        last_frame = path in (BUNDLE / "main.py", ROOT / "conformance" / "suite.py")
        if isinstance(node, ast.ExceptHandler) and not last_frame:
            if _catches_all(node) and not _raises(node):
                faults.append(f"line {node.lineno}: catches everything; name the errors")
        if isinstance(node, ast.Raise) and _named(node.exc) in ("Exception", "BaseException"):
            faults.append(f"line {node.lineno}: raises a bare Exception")
    assert not faults, "\n".join(faults)


def _named(node: ast.expr | None) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else ""


def _catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or _named(kind) in ("Exception", "BaseException") for kind in caught)


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether the error is handed on, with or without another name."""
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_no_module_is_long(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MOST_LINES, f"{identity(path)} has {lines} lines"


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert sorted(lengths)[int(0.95 * len(lengths))] <= 45
