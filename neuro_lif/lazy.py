"""Modules that are imported when they are first used, because importing them takes long."""

from __future__ import annotations

import sys
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


sparse: Any = Later("scipy.sparse")


def is_sparse(matrix: object) -> bool:
    """Tell whether ``matrix`` is a scipy sparse matrix or array."""
    module = sys.modules.get("scipy.sparse")  # where it was not imported, nothing is one
    return module is not None and bool(module.issparse(matrix))
