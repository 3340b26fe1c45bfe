"""The mutants of the package: mutmut makes them, this file finds their place and puts them in."""

from __future__ import annotations
import __future__

import ast
import hashlib
import importlib
import pickle
import random
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from mutmut.mutation.file_mutation import create_mutations, mutate_file_contents
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

WHOLE = ("formats", "semantics", "machine", "emulator/engine", "emulator/events",
         "emulator/oplist", "connect", "quantize")  # fmt: skip
"""Modules of which every mutant is run."""
SAMPLED = ("lower/bounds", "lower/codes", "lower/demands", "lower/draft", "lower/encode",
           "lower/form", "lower/models", "lower/scales", "lower/search")  # fmt: skip
"""Modules of which a random sample of the mutants is run, unless all are asked for."""
APART = ("lower/reach",)
"""Sampled as well, but only where ``--only`` names them: too many of their mutants survive yet."""


@dataclass(frozen=True)
class Mutant:
    """One changed function.

    Args:
        module: such as ``"lower/codes"``.
        function: its name, ``Class.method`` for a method.
        number: its number within the function.
        source: the changed function.
        change: what was changed, ``"old line -> new line"``.
        lines: lines of the file of which a test must run one to notice; none: any of the function.
        body: lines of the function's body.
    """

    module: str
    function: str
    number: int
    source: str
    change: str
    lines: range | None
    body: range

    @property
    def name(self) -> str:
        """Say which it is, such as ``formats.shift 3``."""
        return f"{self.module}.{self.function} {self.number}"

    @property
    def dotted(self) -> str:
        """Return the module's name to import."""
        return "neuro_lif." + self.module.replace("/", ".")


def mutants_of(package: Path, module: str, cache: Path | None = None) -> list[Mutant]:
    """Return every mutant of a module; ``cache`` is a folder that keeps them for the next time."""
    code = (package / f"{module}.py").read_text()
    key = hashlib.sha256(f"{__file__}{code}".encode()).hexdigest()[:16]
    kept = cache / f"mutants-{key}.pickle" if cache else None
    if kept and kept.exists():
        found: list[Mutant] = pickle.loads(kept.read_bytes())
        return found
    found = _mutants_of(package / f"{module}.py", module, code)
    if kept:
        kept.write_bytes(pickle.dumps(found))
    return found


def _mutants_of(path: Path, module: str, code: str) -> list[Mutant]:
    made = mutate_file_contents(str(path), code)
    lines = made.code.splitlines(keepends=True)
    tree = ast.parse(code)
    functions = _functions(tree)
    found = []
    for key in made.mutant_names:
        name, owner = orig_function_and_class_names_from_key(key)
        name = name.rpartition(".")[-1]
        span = made.line_span_by_function_name[key]
        orig = made.line_span_by_function_name[key.rpartition("__mutmut_")[0] + "__mutmut_orig"]
        new, old = (textwrap.dedent("".join(lines[s.start - 1 : s.end])) for s in (span, orig))
        base, number = key.rpartition("__mutmut_")[::2]
        old, new = (s.replace(x, name, 1) for s, x in ((old, f"{base}__mutmut_orig"), (new, key)))
        function = f"{owner}.{name}" if owner else name
        found.append(_mutant(module, function, int(number), old, new, functions[function]))
    return found


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    found[f"{node.name}.{inner.name}"] = inner
    return found


def _mutant(
    module: str, function: str, number: int, old: str, new: str, node: ast.FunctionDef
) -> Mutant:
    before, after = old.strip("\n").splitlines(), new.strip("\n").splitlines()
    head = next(i for i, line in enumerate(before) if line.startswith("def "))
    at = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    tail = 0
    while before[-1 - tail] == after[-1 - tail] and len(before) - tail - 1 > at:
        tail += 1
    change = " / ".join(s.strip() for s in before[at : len(before) - tail])
    change += " -> " + " / ".join(s.strip() for s in after[at : len(after) - tail])
    body = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    lines = _statement(node, node.lineno + at - head)
    return Mutant(module, function, number, new, change, lines, body)


def _statement(function: ast.FunctionDef, line: int) -> range | None:
    """Return the lines of the innermost statement at ``line``; None in the function's head."""
    best: range | None = None
    for node in ast.walk(function):
        if not isinstance(node, ast.stmt) or node is function:
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or 0
        lines = range(node.lineno, max(last, node.lineno) + 1)
        if line in lines and (best is None or len(lines) <= len(best)):
            best = lines
    return best


def not_mutated(package: Path, module: str) -> int:
    """Return how many changes mutmut knows but leaves out: at module level, in decorated parts."""
    path = package / f"{module}.py"
    code = path.read_text()
    return len(create_mutations(str(path), code)[1]) - len(mutants_of(package, module))


def chosen(
    package: Path, share: float, seed: int, only: list[str], cache: Path
) -> tuple[list[Mutant], dict[str, int]]:
    """Return the mutants to run, and how many there are of each module.

    ``share`` of the mutants of each sampled module are drawn with ``seed``.
    """
    run, counts = [], {}
    for module in only or WHOLE + SAMPLED:
        every = mutants_of(package, module, cache)
        counts[module] = len(every)
        if module in SAMPLED + APART and share < 1:
            rng = random.Random(f"{seed} {module}")
            drawn = rng.sample(range(len(every)), round(share * len(every)))
            every = [every[i] for i in sorted(drawn)]
        run += every
    return run, counts


def put_in(mutant: Mutant) -> None:
    """Change the function for good, wherever it is referred to: its code is replaced in place.

    A method that calls super() refers to its class: its class gets another method instead.
    """
    function, source = target(mutant), mutant.source
    owner, _, name = mutant.function.rpartition(".")
    free = function.__code__.co_freevars
    if free:
        source = f"def _around({', '.join(free)}):\n{textwrap.indent(source, '    ')}\n"
        source += f"    return {name}\n"
    flags = __future__.annotations.compiler_flag
    space: dict[str, Any] = dict(function.__globals__)
    exec(compile(source, function.__code__.co_filename, "exec", flags), space)
    if free:
        place = getattr(importlib.import_module(mutant.dotted), owner)
        setattr(place, name, space["_around"](place))
        return
    function.__code__ = space[name].__code__
    function.__defaults__ = space[name].__defaults__
    function.__kwdefaults__ = space[name].__kwdefaults__


def target(mutant: Mutant) -> FunctionType:
    """Return the function that a mutant changes."""
    owner, _, name = mutant.function.rpartition(".")
    module: Any = importlib.import_module(mutant.dotted)
    found = vars(getattr(module, owner) if owner else module)[name]
    found = getattr(found, "__func__", found)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{mutant.name}: {found!r} is no function")
    return found
