"""Finds the engine the suite is to be run on: ours by name, anybody's by module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ..errors import TargetError
from .own import OWN
from .protocol import Engine
from .suite import checked, said


def find_engine(target: str) -> Engine:
    """Return an engine by name.

    Args:
        target: ``emulator``, ``semantics``, ``lava``, ``nengo``; or ``module`` or ``file.py``,
            with ``:Class`` where the module has more than one class with a ``run`` method.

    Raises:
        TargetError: there is none, it cannot be imported or made, or has no ``run`` or ``name``;
            says what is wanted.
    """
    if target in OWN:
        return OWN[target]()
    name, _, wanted = (target, "", "") if Path(target).is_file() else target.partition(":")
    chosen = _class(_module(name), wanted, target)
    try:
        made = chosen()
    except (Exception, SystemExit) as error:
        raise TargetError(
            f"target = {target!r}: {chosen.__name__}() raised {_told(error)}, "
            "allowed: a class that is made without arguments"
        ) from None
    try:
        checked(made)
    except TargetError as error:
        raise TargetError(f"target = {target!r}: {error}") from None
    return made  # type: ignore[no-any-return]


def _module(name: str) -> Any:
    try:
        if Path(name).suffix != ".py":
            return importlib.import_module(name)
        return _file(Path(name))
    except (Exception, SystemExit) as error:
        why = (
            str(error) if isinstance(error, ImportError) else f"importing it raised {_told(error)}"
        )
        raise TargetError(
            f"target = {name!r}: {why}, allowed: {', '.join(OWN)}, or a module or .py file with "
            "a class that has `name` and `run(vector)`"
        ) from None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {said(error)}"


def _file(path: Path) -> Any:
    if not path.is_file():
        raise ImportError(f"no such file: {path}")
    # a name of its own: the file may be called like a module that others import
    private = f"_neuro_lif_engine_{path.stem}"
    spec = importlib.util.spec_from_file_location(private, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[private] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[private]
        raise
    return module


def _class(module: Any, wanted: str, target: str) -> Any:
    """Return the class asked for, or the only one: the module's own, else one it hands on."""
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and callable(getattr(value, "run", None))
        and not getattr(value, "_is_protocol", False)
    }  # fmt: skip
    home = module.__name__
    own = {n: c for n, c in found.items() if f"{c.__module__}.".startswith(f"{home}.")} or found
    if wanted in found:
        return found[wanted]
    if not wanted and len(set(own.values())) == 1:
        return next(iter(own.values()))
    known = ", ".join(sorted(own)) or "none"
    raise TargetError(
        f"target = {target!r}: allowed: MODULE:CLASS with a class that has `run(vector)`; "
        f"this module has: {known}"
    )
