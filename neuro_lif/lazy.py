"""Modules that are imported when they are first used, because importing them takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


class Later:
    """Stands for a module until one of its names is asked for.

    Args:
        name: the module.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


def later(package: str, *modules: tuple[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package that imports some of its names when asked for them.

    Args:
        package: its ``__name__``.
        modules: (module below the package, the names it has with spaces between).
    """
    found = {name: module for module, names in modules for name in names.split()}

    def get(name: str) -> Any:
        if name not in found:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{found[name]}"), name)

    return get


sparse: Any = Later("scipy.sparse")


def is_sparse(matrix: object) -> bool:
    """Tell whether ``matrix`` is a scipy sparse matrix or array."""
    # where it was not imported, or another thread is about to, nothing is one
    issparse = getattr(sys.modules.get("scipy.sparse"), "issparse", None)
    return issparse is not None and bool(issparse(matrix))
