"""The compiled kernel, where it was built; everything works, slower, without it.

``native()`` is the module or None, and ``missing_reason()`` says why it is None. The module is
loaded when one of them is first called, never by importing neuro_lif.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

MODULE = f"{__name__}._native"


def native() -> ModuleType | None:
    """The compiled module, or None where there is none."""
    return _load()[0]


def missing_reason() -> str | None:
    """Why ``native()`` is None; None where it is not."""
    return _load()[1]


@cache
def _load() -> tuple[ModuleType | None, str | None]:
    try:
        return import_module(MODULE), None
    except ModuleNotFoundError as error:
        if error.name == MODULE:
            return None, _recorded()
        return None, f"it cannot be loaded: {error}"
    except ImportError as error:
        return None, f"it cannot be loaded: {error}"


def _recorded() -> str:
    """The reason that the build left in the place of the module."""
    name = Path(EXTENSION_SUFFIXES[0]).with_suffix(".txt")
    try:
        return (Path(__file__).parent / f"_native{name}").read_text("utf-8").strip()
    except FileNotFoundError:
        return "this copy of the package was not built, or without it"
