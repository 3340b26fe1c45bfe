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


def find_engine(target: str) -> Engine:
    """Return an engine by name.

    Args:
        target: ``emulator``, ``semantics``, ``lava``, ``nengo``; or ``module`` or ``file.py``,
            with ``:Class`` where the module has more than one class with a ``run`` method.

    Raises:
        TargetError: there is none, or it has no ``run``; says what is wanted.
    """
    if target in OWN:
        return OWN[target]()
    name, _, wanted = target.partition(":")
    module = _module(name)
    made = _class(module, wanted, target)()
    if not isinstance(made, Engine):
        raise TargetError(
            f"target = {target!r}: {type(made).__name__} has no name, "
            "allowed: an object with a text `name` and a method `run(vector)`"
        )
    return made


def _module(name: str) -> Any:
    path = Path(name)
    try:
        if path.suffix != ".py":
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ImportError(f"no such file: {name}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except ImportError as error:
        raise TargetError(
            f"target = {name!r}: {error}, allowed: {', '.join(OWN)}, or a module or .py file with "
            "a class that has `name` and `run(vector)`"
        ) from None


def _class(module: Any, wanted: str, target: str) -> Any:
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and callable(getattr(value, "run", None))
        and value.__module__ == module.__name__
    }  # fmt: skip
    if wanted in own:
        return own[wanted]
    if not wanted and len(own) == 1:
        return next(iter(own.values()))
    known = ", ".join(sorted(own)) or "none"
    raise TargetError(
        f"target = {target!r}: allowed: MODULE:CLASS with a class that has `run(vector)`; "
        f"this module has: {known}"
    )
