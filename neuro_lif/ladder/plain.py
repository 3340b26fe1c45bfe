"""Frozen dataclasses as plain JSON and back, every field checked."""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..checks import expect_path
from ..errors import FileFormatError, show
from ..npz import replacing

T = TypeVar("T")


def encoded(value: Any) -> Any:
    """Return a dataclass as mappings, tuples as lists; JSON has no NaN, so floats are finite."""
    if is_dataclass(value):
        return {f.name: encoded(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): encoded(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [encoded(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def decoded(kind: type[T], data: Any, format_: str) -> T:
    """Return the dataclass that :func:`encoded` made plain, under a ``format``.

    Raises:
        FileFormatError: a field is missing, unknown or of another type; names it.
    """
    if not isinstance(data, Mapping) or data.get("format") != format_:
        found = data.get("format") if isinstance(data, Mapping) else data
        raise FileFormatError(f"format = {show(found)}, allowed: {format_}")
    rest = {k: v for k, v in data.items() if k != "format"}
    return typing.cast(T, _decode(kind, rest, kind.__name__))


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        (inner,) = [a for a in args if a is not type(None)]
        return _decode(inner, value, where)
    if origin is tuple:
        _expect(value, (list, tuple), "a list", where)
        return tuple(_decode(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        _expect(value, Mapping, "a mapping", where)
        return {k: _decode(args[1], v, f"{where}.{k}") for k, v in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) and kind is not bool:
        _expect(None, kind, kind.__name__, where)
    _expect(value, kind, kind.__name__, where)
    return value


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    _expect(value, Mapping, "a mapping", where)
    hints = typing.get_type_hints(kind)
    names = {f.name for f in fields(kind)}
    for name in value:
        if name not in names:
            raise FileFormatError(f"{where}: field {show(name)} is unknown, allowed: "
                                  + ", ".join(sorted(names)))  # fmt: skip
    for name in sorted(names):
        if name not in value:
            raise FileFormatError(f"{where}: field {name!r} is missing")
    parts = {n: _decode(hints[n], value[n], f"{where}.{n}") for n in names}
    return kind(**parts)


def _expect(value: Any, kind: Any, allowed: str, where: str) -> None:
    if not isinstance(value, kind):
        raise FileFormatError(f"{where} = {show(value)}, allowed: {allowed}")


def write_json(path: str | Path, data: Mapping[str, Any]) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        FileFormatError: it cannot be written.
    """
    path = expect_path(path, "save")
    try:
        with replacing(path) as temporary:
            Path(temporary).write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", "utf-8")
    except (OSError, ValueError) as error:
        raise FileFormatError(f"file {str(path)!r}: cannot be written: {error}") from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        FileFormatError: it is missing or no JSON.
    """
    path = expect_path(path, "load")
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(f"file {str(path)!r}: cannot be read: {error}") from None
